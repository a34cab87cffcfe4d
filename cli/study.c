/* ness stall, iv and optimum: searches along values of a model. Each takes ranges among its words and --of. */
#include "cli.h"

#include <stdlib.h>

static ness_status study_model(cli *self, ness_model *model, const cli_list *ranges, ness_diags *diags, ness_doc **doc)
{
  cli_progress progress;
  cli_progress_begin(&progress, self, "points");
  ness_study_options options = {
      .struct_size = sizeof options,
      .what = self->command->name,
      .settings = ranges->item,
      .nsettings = ranges->count,
      .of = self->given.columns.item,
      .nof = self->given.columns.count,
      .minimal = self->given.minimal,
      .simulate = self->given.simulate,
      .simulation = cli_simulation(self, NULL),
      .max_states = self->given.max_states,
      .progress = cli_progress_call,
      .progress_context = &progress,
      .curves = self->given.html ? self->curves : NULL,
  };
  options.simulation.progress = NULL;
  const ness_status status = ness_study(model, &options, diags, doc);
  cli_progress_end(&progress);
  return status == NESS_STOPPED ? NESS_INTERRUPTED : status; /* nothing to resume */
}

static int study(cli *self)
{
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  cli_list ranges = {0};
  cli_csv csv = {0};
  ness_diags *diags = ness_diags_create();
  int code = cli_load(self, cli_is_range, &ranges, diags, &model);
  if (!code && ranges.count == 0) {
    code = cli_error(self, NESS_USAGE, "a range looks like V=-100:100[mV]", "a range is missing");
  }
  if (!code && !(code = cli_csv_open(&csv, self))) {
    const ness_status status = study_model(self, model, &ranges, diags, &doc);
    code = cli_csv_end(&csv, self, status, diags, doc);
  } else if (model) {
    ness_diags_free(diags);
  }
  free(ranges.item);
  ness_model_free(model);
  return code;
}

int cli_stall(cli *self)
{
  return study(self);
}

int cli_iv(cli *self)
{
  const int code = cli_check_simulation(self, false);
  return code ? code : study(self);
}

int cli_optimum(cli *self)
{
  return study(self);
}
