/* ness version: what is running. */
#include "cli.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

int cli_version(cli *self)
{
  if (!self->given.json) printf("ness %s\n", NESS_VERSION);
  cli_record record = cli_record_begin(self, "version", 8);
  cli_record_text(&record, "library", "%s", ness_version_text());
  cli_record_text(&record, "compiler", "%s", COMPILER);
  cli_record_text(&record, "language", "C%d", (int)(__STDC_VERSION__ / 100 % 100));
  cli_record_number(&record, "threads", cli_threads());
  cli_record_end(&record);
  return 0;
}
