/* ness dump: one function a verb. Invariant: no file is replaced without --force, and nothing but the named verb's data
 * goes to stdout. */
#include "cli.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct dump_call {
  cli *self;
  const char *const *file; /* the words behind the verb */
  int32_t count;
  ness_dump_options options;
  ness_diags *diags;
  ness_doc *doc;
} dump_call;

typedef struct dump_verb {
  const char *name;
  int32_t least, most; /* files; most -1: any number */
  bool output;         /* needs -o */
  const char *usage;
  ness_status (*call)(dump_call *call);
} dump_verb;

static ness_status call_ls(dump_call *call)
{
  return ness_dump_ls(call->file[0], &call->options, call->diags, &call->doc);
}

static ness_status call_verify(dump_call *call)
{
  return ness_dump_verify(call->file[0], call->diags, &call->doc);
}

/* Nonzero ends the call; that nothing more can be written is told when stdout is closed. */
static int write_stdout(void *context, const char *data, size_t bytes)
{
  bool *const failed = context;
  *failed = fwrite(data, 1, bytes, stdout) != bytes || cli_signals_seen();
  return *failed;
}

static ness_status call_cat(dump_call *call)
{
  bool failed = false;
  const ness_status status = ness_dump_cat(call->file[0], &call->options, write_stdout, &failed, call->diags);
  if (failed && cli_signals_seen()) return NESS_INTERRUPTED;
  return failed && ferror(stdout) ? NESS_OK : status;
}

static ness_status call_repair(dump_call *call)
{
  return ness_dump_repair(call->file[0], call->file[1], &call->options, call->diags, &call->doc);
}

static ness_status call_merge(dump_call *call)
{
  return ness_dump_merge(call->count, call->file, call->self->given.output, &call->options, call->diags, &call->doc);
}

static ness_status call_export(dump_call *call)
{
  return ness_dump_export(call->file[0], call->self->given.output, &call->options, call->diags, &call->doc);
}

/* -o -: the table itself goes to stdout by its name, which cuts a file that stdout was sent to. */
static int export_to_stdout(dump_call *call)
{
  struct stat to;
  cli *const self = call->self;
  const bool file = fstat(STDOUT_FILENO, &to) == 0 && S_ISREG(to.st_mode);
  if (self->given.format && strcmp(self->given.format, "csv") != 0) {
    return cli_error(self, NESS_USAGE, "-o FILE", "only csv goes to standard output");
  }
  if (file && (to.st_size > 0 || fcntl(STDOUT_FILENO, F_GETFL) & O_APPEND)) {
    return cli_error(self, NESS_USAGE, "-o FILE, or > FILE", "a table cannot be appended to what is there");
  }
  self->given.output = "/dev/stdout";
  call->options.format = "csv";
  call->options.overwrite = file;
  cli_signals_pipe();
  return 0;
}

static const dump_verb verbs[] = {
    {"ls", 1, 1, false, "ness dump ls DUMP", call_ls},
    {"cat", 1, 1, false, "ness dump cat DUMP", call_cat},
    {"verify", 1, 1, false, "ness dump verify DUMP", call_verify},
    {"repair", 2, 2, false, "ness dump repair IN OUT", call_repair},
    {"merge", 1, -1, true, "ness dump merge IN... -o OUT", call_merge},
    {"export", 1, 1, true, "ness dump export DUMP -o OUT", call_export},
};
#define VERBS ((int32_t)(sizeof verbs / sizeof verbs[0]))

static const char *verb_name(const void *context, int32_t at)
{
  (void)context;
  return verbs[at].name;
}

static int unknown_verb(const cli *self, const char *word)
{
  char hint[64];
  const char *const near = cli_nearest(word, VERBS, verb_name, NULL);
  snprintf(hint, sizeof hint, near ? "did you mean 'ness dump %s'?" : "ls, cat, verify, repair, merge or export", near);
  return cli_error(self, NESS_USAGE, hint, "unknown: ness dump %s", word);
}

int cli_dump(cli *self)
{
  const cli_values *const given = &self->given;
  const dump_verb *verb = NULL;
  for (int32_t i = 0; i < VERBS; i++) {
    if (strcmp(given->words.item[0], verbs[i].name) == 0) verb = &verbs[i];
  }
  if (!verb) return unknown_verb(self, given->words.item[0]);
  dump_call call = {.self = self,
                    .file = given->words.item + 1,
                    .count = given->words.count - 1,
                    .options = {.struct_size = sizeof(ness_dump_options),
                                .overwrite = given->force,
                                .rows = given->rows,
                                .limit = given->limit,
                                .format = given->format}};
  if (call.count < verb->least || (verb->most >= 0 && call.count > verb->most) ||
      verb->output != (given->output != NULL)) {
    return cli_error(self, NESS_USAGE, verb->usage, "%s",
                     verb->output && !given->output   ? "-o is missing"
                     : !verb->output && given->output ? "-o belongs to merge and export"
                     : call.count < verb->least       ? "a file is missing"
                                                      : "too many files");
  }
  const bool to_stdout = verb->call == call_export && strcmp(given->output, "-") == 0;
  const int code = to_stdout ? export_to_stdout(&call) : 0;
  if (code) return code;
  call.diags = ness_diags_create();
  const ness_status status = verb->call(&call);
  if (to_stdout) {
    ness_doc_free(call.doc);
    call.doc = NULL;
  }
  return cli_end(self, status, call.file[0], call.diags, call.doc);
}
