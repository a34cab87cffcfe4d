/* ness analyze: what a dump or a measured sequence says about flow, balance and cost. */
#include "cli.h"

int cli_analyze(cli *self)
{
  const cli_values *const given = &self->given;
  cli_progress progress;
  ness_doc *doc = NULL;
  ness_diags *diags = ness_diags_create();
  cli_progress_begin(&progress, self, NULL);
  const ness_analyze_options options = {
      .struct_size = sizeof options,
      .level = given->confidence,
      .max_cycles = given->max_cycles,
      .no_exact = given->no_exact,
      .max_states = given->max_states,
      .threads = (int32_t)given->threads,
      .columns = given->of_columns,
      .map = given->map,
      .visible = given->visible,
      .step = given->step,
      .progress = cli_progress_call,
      .progress_context = &progress,
  };
  ness_status status = ness_analyze(given->words.item[0], &options, diags, &doc);
  cli_progress_end(&progress);
  if (status == NESS_STOPPED) status = NESS_INTERRUPTED; /* nothing to resume */
  return cli_end(self, status, given->words.item[0], diags, doc);
}
