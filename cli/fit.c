/* ness fit: rates from what was measured. */
#include "cli.h"

int cli_fit(cli *self)
{
  const cli_values *const given = &self->given;
  cli_progress progress;
  ness_doc *doc = NULL;
  ness_diags *diags = ness_diags_create();
  cli_progress_begin(&progress, self, NULL);
  const ness_fit_options options = {
      .struct_size = sizeof options,
      .path = given->output,
      .force = given->force,
      .balance = given->balance,
      .equal = given->equal.item,
      .nequal = given->equal.count,
      .fix = given->fix.item,
      .nfix = given->fix.count,
      .columns = given->of_columns,
      .map = given->map,
      .step = given->step,
      .threads = (int32_t)given->threads,
      .progress = cli_progress_call,
      .progress_context = &progress,
  };
  ness_status status = ness_fit(given->words.item[0], &options, diags, &doc);
  cli_progress_end(&progress);
  if (status == NESS_STOPPED) status = NESS_INTERRUPTED; /* nothing to resume */
  return cli_end(self, status, given->words.item[0], diags, doc);
}
