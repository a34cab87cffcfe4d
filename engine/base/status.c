/* What a status means in words and as an exit code, the version, and the freeing of texts that the library gave out.
 * Invariant: every row of NESS_STATUS_TABLE is answered from that table alone. Cost: a switch. */
#include "base.h"

#ifdef __has_include
#if __has_include(<ness/version.h>)
#include <ness/version.h>
#endif
#endif
#ifndef NESS_VERSION
#define NESS_VERSION "0.1.0" /* compiled without the generated header */
#endif

const char *ness_status_text(ness_status status)
{
  switch (status) {
#define STATUS_TEXT(code, symbol, text, exit, exception)                                                               \
  case NESS_##symbol: return text;
    NESS_STATUS_TABLE(STATUS_TEXT)
#undef STATUS_TEXT
  }
  return "unknown status";
}

int ness_status_exit(ness_status status)
{
  switch (status) {
#define STATUS_EXIT(code, symbol, text, exit, exception)                                                               \
  case NESS_##symbol: return exit;
    NESS_STATUS_TABLE(STATUS_EXIT)
#undef STATUS_EXIT
  }
  return 1;
}

const char *ness_version_text(void)
{
  return NESS_VERSION;
}

void ness_text_free(char *text)
{
  mem_free(text);
}
