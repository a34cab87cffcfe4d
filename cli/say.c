/* How the command speaks: errors and diagnostics on stderr, results on stdout. Invariant: nothing is lost in silence;
 * output that a full disk or a closed descriptor swallows ends in exit code 5, however late that shows. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- the terminal --- */

bool cli_color(const cli *self, FILE *stream)
{
  const char *const when = self->given.color ? self->given.color : "auto";
  const char *const no_color = getenv("NO_COLOR"), *const terminal = getenv("TERM");
  if (strcmp(when, "auto") != 0) return strcmp(when, "always") == 0;
  return !(no_color && *no_color) && !(terminal && strcmp(terminal, "dumb") == 0) && isatty(fileno(stream));
}

int cli_width(void)
{
  const char *const columns = getenv("COLUMNS");
  const long asked = columns ? strtol(columns, NULL, 10) : 0;
  if (asked > 0 && asked < 10000) return (int)asked;
#ifdef TIOCGWINSZ
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
#endif
  return CLI_DEFAULT_WIDTH;
}

/* --- words --- */

int cli_error(const cli *self, ness_status status, const char *hint, const char *format, ...)
{
  const bool color = cli_color(self, stderr);
  va_list args;
  va_start(args, format);
  fprintf(stderr, "ness%s%s: %serror:%s ", self->command ? " " : "", self->command ? self->command->name : "",
          color ? "\033[1;31m" : "", color ? "\033[0m" : "");
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  if (hint) fprintf(stderr, "hint: %s\n", hint);
  return ness_status_exit(status);
}

void cli_note(const cli *self, const char *format, ...)
{
  va_list args;
  if (self->given.quiet) return;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
}

static bool has_error(const ness_diags *diags)
{
  for (int32_t i = 0; i < ness_diags_count(diags, NULL); i++) {
    if (ness_diags_get(diags, i)->severity == NESS_ERROR) return true;
  }
  return false;
}

void cli_show_diags(const cli *self, const ness_diags *diags)
{
  if (ness_diags_count(diags, NULL) == 0 || (self->given.quiet && !has_error(diags))) return;
  char *const text = ness_diags_render(diags, cli_color(self, stderr));
  fputs(text ? text : "error: out of memory\n", stderr);
  ness_text_free(text);
}

/* --- data --- */

void cli_put_doc(const cli *self, const ness_doc *doc)
{
  char *const text = self->given.json ? ness_doc_json(doc) : ness_doc_text(doc, cli_width(), cli_color(self, stdout));
  if (text) {
    fputs(text, stdout);
  } else {
    cli_error(self, NESS_NOMEM, NULL, "out of memory");
  }
  ness_text_free(text);
}

void cli_put_json_text(FILE *out, const char *text)
{
  fputc('"', out);
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      fprintf(out, "\\%c", c);
    } else if (c < 32 || c == 127) {
      fprintf(out, "\\u%04x", (unsigned)c);
    } else {
      fputc(c, out);
    }
  }
  fputc('"', out);
}

void cli_put_indented(FILE *out, const char *text, int indent, bool first)
{
  while (*text) {
    const size_t length = strcspn(text, "\n");
    fprintf(out, "%*s%.*s", first && length ? indent : 0, "", (int)length, text);
    text += length;
    first = true;
    if (*text == '\n') {
      fputc('\n', out);
      text++;
    }
  }
}

/* With --json a failure without a result is a result too: what went wrong and where. */
static void put_failure(ness_status status, const ness_diags *diags)
{
  static const char *const severities[] = {"error", "warning", "note"};
  const int32_t count = ness_diags_count(diags, NULL);
  printf("{\n  \"schema\": \"ness/1\",\n  \"kind\": \"error\",\n  \"version\": \"%s\",\n  \"message\": ",
         ness_version_text());
  cli_put_json_text(stdout, ness_status_text(status));
  printf(",\n  \"exit\": %d,\n  \"diagnostics\": [", ness_status_exit(status));
  for (int32_t i = 0; i < count; i++) {
    const ness_diag *diag = ness_diags_get(diags, i);
    printf("%s\n    {\"severity\": \"%s\", \"message\": ", i ? "," : "", severities[diag->severity]);
    cli_put_json_text(stdout, diag->message);
    if (diag->file) {
      fputs(", \"file\": ", stdout);
      cli_put_json_text(stdout, diag->file);
    }
    if (diag->line > 0) printf(", \"line\": %d, \"column\": %d", (int)diag->line, (int)diag->column);
    if (diag->hint) {
      fputs(", \"hint\": ", stdout);
      cli_put_json_text(stdout, diag->hint);
    }
    fputc('}', stdout);
  }
  fputs(count ? "\n  ]\n}\n" : "]\n}\n", stdout);
}

int cli_end(const cli *self, ness_status status, const char *subject, ness_diags *diags, ness_doc *doc)
{
  const bool elsewhere = !status && self->given.csv && strcmp(self->given.csv, "-") == 0; /* stdout holds the table */
  if (doc && !status) status = cli_page_put(self, doc, diags);
  cli_show_diags(self, diags);
  if (doc) {
    if (!elsewhere) cli_put_doc(self, doc);
  } else if (status && self->given.json) {
    put_failure(status, diags);
  }
  if (status == NESS_INTERRUPTED) {
    fputs("interrupted\n", stderr);
  } else if (status && status != NESS_STOPPED && !doc && !has_error(diags)) {
    cli_error(self, status, NULL, "%s%s%s", subject ? subject : "", subject ? ": " : "", ness_status_text(status));
  }
  ness_doc_free(doc);
  ness_diags_free(diags);
  return ness_status_exit(status);
}

int cli_close_stdout(const cli *self, int code)
{
  const bool failed = ferror(stdout) != 0;
  errno = 0;
  if (fflush(stdout) == 0 && fclose(stdout) == 0 && !failed) return code;
  if (errno == EPIPE && cli_signals_pipe()) raise(SIGPIPE); /* the reader has seen enough, as head has */
  const int lost = cli_error(self, NESS_IO, NULL, "cannot write to standard output%s%s", errno ? ": " : "",
                             errno ? strerror(errno) : "");
  return code == 0 || code == ness_status_exit(NESS_EXPECT) ? lost : code;
}

/* --- flat results of the command itself --- */

cli_record cli_record_begin(const cli *self, const char *kind, int width)
{
  const cli_record record = {stdout, self->given.json, width};
  if (record.json) {
    printf("{\n  \"schema\": \"ness/1\",\n  \"kind\": \"%s\",\n  \"version\": \"%s\"", kind, ness_version_text());
  }
  return record;
}

static void record_key(const cli_record *self, const char *key)
{
  if (self->json) {
    fprintf(self->out, ",\n  \"%s\": ", key);
  } else {
    for (int i = 0; i < self->width; i++) {
      fputc(!*key ? ' ' : *key == '_' ? ' ' : *key, self->out);
      key += *key != 0;
    }
    fputs("   ", self->out);
  }
}

void cli_record_text(cli_record *self, const char *key, const char *format, ...)
{
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  record_key(self, key);
  if (self->json) {
    cli_put_json_text(self->out, text);
  } else {
    fprintf(self->out, "%s\n", text);
  }
}

void cli_record_number(cli_record *self, const char *key, double value)
{
  record_key(self, key);
  fprintf(self->out, self->json ? "%.17g" : "%.4g\n", value);
}

void cli_record_end(cli_record *self)
{
  fputs(self->json ? "\n}\n" : "", self->out);
}
