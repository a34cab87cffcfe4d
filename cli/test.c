/* ness test: the experiments of many files. Invariant: files are tested and reported in the order of their names,
 * however many run at the same time; each runs in its own process, so that one that crashes is one that failed. The
 * parent never computes: a process that has used OpenMP must not fork. Memory: the output of files that wait for their
 * turn, on disk. */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 2000000L
#define DEPTH_MOST 64 /* folders in folders */

typedef struct test_file {
  const char *path;
  FILE *out, *err; /* what the process says */
  pid_t pid;
  int code;
  bool begun, ended;
} test_file;

typedef struct tests {
  cli *self;
  char **path; /* owned */
  size_t count, capacity;
  test_file *file;
} tests;

/* --- finding files --- */

static bool add_path(tests *self, const char *folder, const char *name)
{
  const size_t length = strlen(folder), slash = length > 0 && folder[length - 1] != '/' && name;
  if (self->count == self->capacity) {
    const size_t capacity = 2 * self->capacity + 16;
    char **const grown = realloc(self->path, capacity * sizeof *grown);
    if (!grown) return false;
    self->path = grown;
    self->capacity = capacity;
  }
  char *const path = malloc(length + slash + (name ? strlen(name) : 0) + 1);
  if (!path) return false;
  sprintf(path, "%s%s%s", folder, slash ? "/" : "", name ? name : "");
  self->path[self->count++] = path;
  return true;
}

static bool is_model(const char *name)
{
  const size_t length = strlen(name);
  return length > 5 && strcmp(name + length - 5, ".ness") == 0;
}

/* All models below a folder; hidden ones and links to folders are passed over. */
static ness_status find_models(tests *self, const char *folder, int depth)
{
  DIR *const open_folder = depth < DEPTH_MOST ? opendir(folder) : NULL;
  ness_status status = NESS_OK;
  if (!open_folder) {
    cli_error(self->self, NESS_IO, NULL, "cannot read '%s': %s", folder,
              depth < DEPTH_MOST ? strerror(errno) : "too deep");
    return NESS_IO;
  }
  for (const struct dirent *entry; !status && (entry = readdir(open_folder));) {
    struct stat what;
    if (entry->d_name[0] == '.') continue;
    if (!add_path(self, folder, entry->d_name)) {
      status = NESS_NOMEM;
      break;
    }
    char *const path = self->path[--self->count]; /* kept only when it is a model */
    const bool known = lstat(path, &what) == 0;
    if (known && S_ISDIR(what.st_mode)) {
      status = find_models(self, path, depth + 1);
    } else if (known && (S_ISREG(what.st_mode) || S_ISLNK(what.st_mode)) && is_model(entry->d_name)) {
      self->count++;
      continue;
    }
    free(path);
  }
  closedir(open_folder);
  return status;
}

static int by_name(const void *a, const void *b)
{
  const char *const *x = a, *const *y = b;
  return strcmp(*x, *y);
}

static ness_status find_all(tests *self)
{
  const cli_list *const words = &self->self->given.words;
  for (int32_t i = 0; i < words->count; i++) {
    struct stat what;
    const size_t before = self->count;
    const bool folder = stat(words->item[i], &what) == 0 && S_ISDIR(what.st_mode);
    const ness_status status = folder                                 ? find_models(self, words->item[i], 0)
                               : add_path(self, words->item[i], NULL) ? NESS_OK
                                                                      : NESS_NOMEM;
    if (status) return status;
    if (self->count == before) {
      cli_error(self->self, NESS_USAGE, NULL, "no *.ness below '%s'", words->item[i]);
      return NESS_USAGE;
    }
    if (folder) qsort(self->path + before, self->count - before, sizeof *self->path, by_name);
  }
  self->file = calloc(self->count, sizeof *self->file);
  for (size_t i = 0; self->file && i < self->count; i++) self->file[i].path = self->path[i];
  return self->file ? NESS_OK : NESS_NOMEM;
}

/* --- a process a file --- */

/* The line of a file: how many expectations hold. */
static void put_line(const char *path, ness_status status, const ness_doc *doc)
{
  const double passed = ness_doc_number(doc, "passed"), failed = ness_doc_number(doc, "failed");
  printf("%-6s %s", status ? "FAILED" : "ok", path);
  if (passed >= 0 && failed >= 0) {
    printf(passed + failed > 0 ? "  %.0f of %.0f" : "  nothing to hold", passed, passed + failed);
  }
  if (ness_doc_number(doc, "skipped") > 0) printf(", %.0f skipped", ness_doc_number(doc, "skipped"));
  putchar('\n');
}

static int test_file_here(const cli *self, const char *path)
{
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  const ness_test_options options = {
      .struct_size = sizeof options, .exact_only = self->given.exact_only, .experiment = self->given.experiment};
  ness_status status = ness_test(path, &options, diags, &doc);
  if (status == NESS_STOPPED) status = NESS_INTERRUPTED;
  if (!self->given.json && status != NESS_INTERRUPTED) {
    put_line(path, status, doc);
    if (!status && !self->given.verbose) {
      ness_doc_free(doc);
      doc = NULL;
    }
  }
  return cli_end(self, status, path, diags, doc);
}

static bool begin(tests *self, test_file *file)
{
  file->out = tmpfile();
  file->err = tmpfile();
  fflush(NULL); /* nothing may be in two buffers */
  file->pid = file->out && file->err ? fork() : -1;
  if (file->pid == 0) {
    const bool good = dup2(fileno(file->out), STDOUT_FILENO) >= 0 && dup2(fileno(file->err), STDERR_FILENO) >= 0;
    const int code = good ? test_file_here(self->self, file->path) : ness_status_exit(NESS_IO);
    _exit(fflush(stdout) == 0 ? code : ness_status_exit(NESS_IO));
  }
  file->begun = true;
  if (file->pid > 0) return true;
  file->code = cli_error(self->self, NESS_IO, NULL, "%s: cannot be started: %s", file->path, strerror(errno));
  file->ended = true;
  return false;
}

/* Notices processes that ended; true when there were none. */
static bool collect(tests *self, int *running)
{
  bool none = true;
  for (size_t i = 0; i < self->count; i++) {
    test_file *const file = &self->file[i];
    int how = 0;
    if (!file->begun || file->ended || waitpid(file->pid, &how, WNOHANG) != file->pid) continue;
    file->code = WIFEXITED(how) ? WEXITSTATUS(how) : ness_status_exit(NESS_INTERNAL);
    if (WIFSIGNALED(how) && !cli_signals_seen()) {
      fprintf(file->err, "error: %s: the test crashed (signal %d)\n", file->path, WTERMSIG(how));
      if (ftruncate(fileno(file->out), 0) == 0 && !self->self->given.json) {
        rewind(file->out);
        fprintf(file->out, "FAILED %s\n", file->path);
      }
    }
    file->ended = true;
    none = false;
    --*running;
  }
  return none;
}

static void pour(FILE *from, FILE *to, int indent)
{
  char block[4096];
  bool first = false; /* the value follows its key */
  if (!from) return;
  rewind(from);
  while (fgets(block, sizeof block, from)) {
    const size_t length = strlen(block);
    const bool ends = length > 0 && block[length - 1] == '\n';
    if (indent && ends) block[length - 1] = 0;
    if (indent && first) putc('\n', to);
    cli_put_indented(to, block, indent, first);
    first = ends;
  }
  fclose(from);
}

static void report(const tests *self, size_t at)
{
  test_file *const file = &self->file[at];
  if (self->self->given.json) {
    printf("%s\n    {\"path\": ", at ? "," : "");
    cli_put_json_text(stdout, file->path);
    printf(", \"exit\": %d, \"result\": ", file->code);
    if (file->out && fseek(file->out, 0, SEEK_END) == 0 && ftell(file->out) == 0) fputs("null", stdout);
    pour(file->out, stdout, 4);
    putchar('}');
  } else {
    pour(file->out, stdout, 0);
  }
  fflush(stdout);
  pour(file->err, stderr, 0);
}

static void run_all(tests *self)
{
  const int64_t jobs = self->self->given.jobs > 0 ? self->self->given.jobs : 1;
  cli_progress progress;
  size_t begun = 0, shown = 0;
  int running = 0;
  const double start = cli_clock();
  bool told = false;
  cli_progress_begin(&progress, self->self, "files");
  while (running > 0 || (begun < self->count && !cli_signals_seen())) {
    while (running < jobs && begun < self->count && !cli_signals_seen()) running += begin(self, &self->file[begun++]);
    if (cli_signals_seen() && !told) {
      for (size_t i = 0; i < begun; i++) {
        if (!self->file[i].ended) kill(self->file[i].pid, SIGTERM);
      }
      told = true;
    }
    if (collect(self, &running) && running > 0) nanosleep(&(struct timespec){0, POLL_NS}, NULL);
    if (shown < begun && self->file[shown].ended) cli_progress_end(&progress);
    for (; shown < begun && self->file[shown].ended; shown++) report(self, shown);
    cli_progress_call(&progress, (double)shown, (double)self->count, 0, cli_clock() - start);
  }
  for (; shown < begun; shown++) report(self, shown);
  cli_progress_end(&progress);
}

/* How many failed, and with what to exit: 4 when all that failed are expectations, else the first other code. */
static int sum_up(const tests *self, int *passed, int *failed)
{
  const int expectation = ness_status_exit(NESS_EXPECT);
  int code = 0;
  for (size_t i = 0; i < self->count; i++) {
    const int mine = self->file[i].code;
    *passed += self->file[i].ended && mine == 0;
    *failed += self->file[i].ended && mine != 0;
    if (mine && (code == 0 || code == expectation)) code = mine;
  }
  return cli_signals_seen() ? ness_status_exit(NESS_INTERRUPTED) : code;
}

int cli_test(cli *self)
{
  tests all = {.self = self};
  char width[16];
  int passed = 0, failed = 0;
  /* The processes write to files and must not think that nobody looks. */
  self->given.color = cli_color(self, stdout) ? "always" : "never";
  snprintf(width, sizeof width, "%d", cli_width());
  setenv("COLUMNS", width, 1);
  ness_status status = find_all(&all);
  int code = ness_status_exit(status);
  if (!status) {
    if (self->given.json) {
      printf("{\n  \"schema\": \"ness/1\",\n  \"kind\": \"tests\",\n  \"version\": \"%s\",\n  \"files\": [",
             ness_version_text());
    }
    run_all(&all);
    code = sum_up(&all, &passed, &failed);
    if (self->given.json) printf("\n  ],\n  \"passed\": %d,\n  \"failed\": %d\n}\n", passed, failed);
    fflush(stdout);
    cli_note(self, "%d passed, %d failed", passed, failed);
  } else if (status == NESS_NOMEM) {
    cli_error(self, status, NULL, "out of memory");
  }
  for (size_t i = 0; i < all.count; i++) free(all.path[i]);
  free(all.path);
  free(all.file);
  return code;
}
