/* ness report: one HTML page about a model, a dump or a measured record. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

int cli_report(cli *self)
{
  const cli_values *const given = &self->given;
  cli_progress progress;
  ness_doc *doc = NULL;
  if (!given->output) return cli_error(self, NESS_USAGE, "-o report.html names it", "a report needs a file");
  for (int32_t i = 1; i < given->words.count; i++) {
    if (!cli_is_setting(given->words.item[i]))
      return cli_error(self, NESS_USAGE, "settings look like V=-50[mV]", "'%s' is not NAME=VALUE",
                       given->words.item[i]);
  }
  ness_diags *diags = ness_diags_create();
  cli_progress_begin(&progress, self, NULL);
  const ness_report_options options = {
      .struct_size = sizeof options,
      .output = given->output,
      .force = given->force,
      .command = self->line,
      .own_layout = given->layout && strcmp(given->layout, "own") == 0,
      .max_states = given->max_states,
      .level = given->confidence,
      .threads = (int32_t)given->threads,
      .progress = cli_progress_call,
      .progress_context = &progress,
      .record = given->record || given->of_columns || given->map || given->step > 0,
      .columns = given->of_columns,
      .map = given->map,
      .step = given->step,
  };
  ness_status status =
      ness_report(given->words.item[0], given->words.item + 1, given->words.count - 1, &options, diags, &doc);
  cli_progress_end(&progress);
  if (status == NESS_STOPPED) status = NESS_INTERRUPTED; /* nothing to resume */
  return cli_end(self, status, given->words.item[0], diags, doc);
}
