/* ness scan: a table of values against parameters, as text, JSON or CSV. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* A range, or what is asked at every point. */
static bool is_other(const char *word)
{
  return cli_is_range(word) || !strchr(word, '=');
}

/* Checks the command line; *what is the question, NULL none. */
static int check_usage(const cli *self, const char **what)
{
  const cli_values *const given = &self->given;
  int32_t ranges = 0;
  *what = NULL;
  for (int32_t i = 1; i < given->words.count; i++) {
    const char *const word = given->words.item[i];
    ranges += cli_is_range(word);
    if (strchr(word, '=')) continue;
    if (*what) {
      return cli_error(self, NESS_USAGE, "one question a scan; settings look like V=-50[mV]", "'%s' stands beside '%s'",
                       word, *what);
    }
    *what = word;
  }
  if (ranges == 0) {
    return cli_error(self, NESS_USAGE, "a range looks like V=-100:100:5[mV]", "a range is missing");
  }
  const bool in_time = *what && strcmp(*what, "steady") != 0;
  if (given->every > 0 && !in_time && !given->simulate) {
    return cli_error(self, NESS_USAGE, "it belongs to transient, ode, lna and --simulate",
                     "--every means nothing for a scan of steady states");
  }
  return cli_check_simulation(self, in_time);
}

static ness_status scan_model(cli *self, ness_model *model, const cli_list *ranges, const char *what, ness_diags *diags,
                              ness_doc **doc)
{
  cli_progress progress;
  cli_progress_begin(&progress, self, "points");
  ness_scan_options options = {
      .struct_size = sizeof options,
      .settings = ranges->item,
      .nsettings = ranges->count,
      .columns = self->given.columns.item,
      .ncolumns = self->given.columns.count,
      .simulate = self->given.simulate,
      .precision = self->given.precision,
      .simulation = cli_simulation(self, NULL),
      .what = what,
      .every = self->given.every,
      .max_states = self->given.max_states,
      .progress = cli_progress_call,
      .progress_context = &progress,
  };
  options.simulation.progress = NULL;
  const ness_status status = ness_scan(model, &options, diags, doc);
  cli_progress_end(&progress);
  return status == NESS_STOPPED ? NESS_INTERRUPTED : status; /* nothing to resume */
}

/* Takes the question out of the list. */
static void ranges_only(cli_list *self)
{
  int32_t kept = 0;
  for (int32_t i = 0; i < self->count; i++) {
    if (cli_is_range(self->item[i])) self->item[kept++] = self->item[i];
  }
  self->count = kept;
}

int cli_scan(cli *self)
{
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  cli_list ranges = {0};
  cli_csv csv = {0};
  const char *what = NULL;
  int code = check_usage(self, &what);
  if (code) return code;
  ness_diags *diags = ness_diags_create();
  code = cli_load(self, is_other, &ranges, diags, &model);
  ranges_only(&ranges);
  if (!code && !(code = cli_csv_open(&csv, self))) {
    const ness_status status = scan_model(self, model, &ranges, what, diags, &doc);
    code = cli_csv_end(&csv, self, status, diags, doc);
  } else if (model) {
    ness_diags_free(diags);
  }
  free(ranges.item);
  ness_model_free(model);
  return code;
}
