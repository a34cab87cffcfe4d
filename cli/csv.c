/* A table of a result as a CSV file. Invariant: the file is created before the work, so that an hour's is not lost to a
 * name that cannot be written, and taken away again when there is no table. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool to_stdout(const cli *self)
{
  return strcmp(self->given.csv, "-") == 0;
}

FILE *cli_csv_open(const cli *self, int *code)
{
  const char *const path = self->given.csv;
  if (*code || !path) return NULL;
  if (to_stdout(self)) return stdout;
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (self->given.force ? O_TRUNC : O_EXCL), 0666);
  FILE *const out = fd < 0 ? NULL : fdopen(fd, "w");
  if (!out) {
    const int error = errno;
    *code = cli_error(self, NESS_IO, error == EEXIST ? "--force replaces it" : NULL, "cannot create '%s': %s", path,
                      strerror(error));
    if (fd >= 0) close(fd);
  }
  return out;
}

static int csv_put(const cli *self, const ness_doc *doc, FILE *out)
{
  char *const table = ness_doc_csv(doc, "table");
  const char *const conventions = ness_doc_string(doc, "conventions");
  fprintf(out, "# ness %s: %s\n", ness_version_text(), self->line);
  if (conventions) fprintf(out, "# %s\n", conventions);
  if (table) fputs(table, out);
  ness_text_free(table);
  return table ? 0 : cli_error(self, NESS_NOMEM, NULL, "%s", ness_status_text(NESS_NOMEM));
}

/* Closes the file; what is half written is removed. */
static int csv_close(const cli *self, FILE *out, int code)
{
  const char *const path = self->given.csv;
  const bool failed = ferror(out) != 0;
  errno = 0;
  if ((fclose(out) != 0 || failed) && !code) {
    code =
        cli_error(self, NESS_IO, NULL, "cannot write '%s'%s%s", path, errno ? ": " : "", errno ? strerror(errno) : "");
  }
  if (code) unlink(path);
  return code;
}

int cli_csv_end(const cli *self, FILE *out, ness_status status, ness_diags *diags, ness_doc *doc)
{
  const int written = out && doc && !status ? csv_put(self, doc, out) : 0;
  const bool shown = out && to_stdout(self);
  if (shown && !status) {
    ness_doc_free(doc);
    doc = NULL;
  }
  int code = cli_end(self, status, self->given.words.item[0], diags, doc);
  code = code ? code : written;
  return out && !shown ? csv_close(self, out, code) : code;
}
