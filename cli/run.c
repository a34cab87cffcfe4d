/* ness run and ness resume: ensembles by simulation. Invariant: a run that was asked to stop exits with 75 when a dump
 * is there to go on with, and with 130 when nothing is left of it. */
#include "cli.h"

#include <string.h>

/* Ends both commands. `dump` is NULL when nothing is written. */
static int run_end(cli *self, ness_status status, const char *subject, const char *dump, ness_diags *diags,
                   ness_doc *doc)
{
  if (status == NESS_STOPPED && !dump) status = NESS_INTERRUPTED;
  const int code = cli_end(self, status, subject, diags, doc);
  if (status == NESS_STOPPED) {
    fprintf(stderr, "stopped; go on with: ness resume %s%s\n", dump[0] == '-' ? "./" : "", dump);
  }
  return code;
}

int cli_run(cli *self)
{
  cli_progress progress;
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  const char *const path = self->given.output, *const file = self->given.words.item[0];
  if (!(self->given.time > 0) && self->given.events == 0) {
    return cli_error(self, NESS_USAGE, "--time 200 ends each replica after 200 s, --events 1e6 after a million events",
                     "a run needs an end");
  }
  if (path && strcmp(path, "-") == 0) {
    return cli_error(self, NESS_USAGE, "a dump must be resumable: -o run.msgpack",
                     "a dump cannot go to standard output");
  }
  ness_diags *diags = ness_diags_create();
  int code = cli_load(self, NULL, NULL, diags, &model);
  if (!code) {
    cli_progress_begin(&progress, self, NULL);
    const ness_simulate_options options = cli_simulation(self, &progress);
    const ness_status status = ness_simulate(model, &options, diags, &doc);
    cli_progress_end(&progress);
    code = run_end(self, status, status == NESS_IO ? path : file, path, diags, doc);
  }
  ness_model_free(model);
  return code;
}

int cli_resume(cli *self)
{
  cli_progress progress;
  ness_doc *doc = NULL;
  const char *const path = self->given.words.item[0];
  ness_diags *diags = ness_diags_create();
  cli_progress_begin(&progress, self, NULL);
  const ness_simulate_options options = cli_simulation(self, &progress);
  const ness_status status = ness_resume(path, &options, diags, &doc);
  cli_progress_end(&progress);
  return run_end(self, status, path, path, diags, doc);
}
