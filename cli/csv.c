/* The table of a result as CSV. Invariant: the file is created before the work, so that an hour of it is not lost to a
 * name that cannot be written, and taken away again when there is no table. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int cli_csv_open(cli_csv *self, const cli *command)
{
  const char *const path = command->given.csv;
  *self = (cli_csv){0};
  if (!path) return 0;
  if (strcmp(path, "-") == 0) {
    *self = (cli_csv){stdout, true};
    return 0;
  }
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (command->given.force ? O_TRUNC : O_EXCL), 0666);
  self->out = fd < 0 ? NULL : fdopen(fd, "w");
  if (self->out) return 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  return cli_error(command, NESS_IO, error == EEXIST ? "--force replaces it" : NULL, "cannot create '%s': %s", path,
                   strerror(error));
}

static int csv_put(const cli *command, const ness_doc *doc, FILE *out)
{
  char *const table = ness_doc_csv(doc, "table");
  const char *const conventions = ness_doc_string(doc, "conventions");
  fprintf(out, "# ness %s: %s\n", ness_version_text(), command->line);
  if (conventions) fprintf(out, "# %s\n", conventions);
  if (table) fputs(table, out);
  ness_text_free(table);
  return table ? 0 : cli_error(command, NESS_NOMEM, NULL, "%s", ness_status_text(NESS_NOMEM));
}

static int csv_close(cli_csv *self, const cli *command, int code)
{
  const char *const path = command->given.csv;
  if (!self->out || self->to_stdout) return code;
  const bool failed = ferror(self->out) != 0;
  errno = 0;
  if ((fclose(self->out) != 0 || failed) && !code) {
    code = cli_error(command, NESS_IO, NULL, "cannot write '%s'%s%s", path, errno ? ": " : "",
                     errno ? strerror(errno) : "");
  }
  if (code) unlink(path);
  return code;
}

int cli_csv_end(cli_csv *self, const cli *command, ness_status status, ness_diags *diags, ness_doc *doc)
{
  const int written = self->out && doc && !status ? csv_put(command, doc, self->out) : 0;
  const int code = cli_end(command, status, command->given.words.item[0], diags, doc);
  return csv_close(self, command, code ? code : written);
}
