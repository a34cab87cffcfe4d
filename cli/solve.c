/* ness solve: the exact answer from the master equation. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static bool is_question(const char *word)
{
  return strchr(word, '=') == NULL;
}

int cli_solve(cli *self)
{
  const cli_values *const given = &self->given;
  ness_diags *diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  cli_list asked = {0};
  int code = cli_load(self, is_question, &asked, diags, &model);
  if (!code && asked.count > 1) {
    ness_diags_free(diags);
    code = cli_error(self, NESS_USAGE, "ask for one thing at a time", "'%s' stands beside the question '%s'",
                     asked.item[1], asked.item[0]);
  } else if (!code && self->given.csv && (asked.count == 0 || strcmp(asked.item[0], "noise") != 0)) {
    ness_diags_free(diags);
    code = cli_error(self, NESS_USAGE, "it belongs to noise", "--csv means nothing for %s",
                     asked.count > 0 ? asked.item[0] : "steady");
  } else if (!code) {
    cli_csv csv = {0};
    code = cli_csv_open(&csv, self);
    const ness_solve_options options = {.struct_size = sizeof options,
                                        .what = asked.count > 0 ? asked.item[0] : NULL,
                                        .max_states = given->max_states,
                                        .max_cycles = given->max_cycles,
                                        .states = given->states,
                                        .method = given->method,
                                        .tolerance = given->tolerance,
                                        .dry_run = given->dry_run,
                                        .time = given->time,
                                        .every = given->every,
                                        .of = given->columns.item,
                                        .nof = given->columns.count,
                                        .tilt = given->tilt,
                                        .frequency = given->frequency,
                                        .until = given->until,
                                        .unless = given->unless,
                                        .from_steady = given->from_steady,
                                        .modes = (int32_t)given->modes};
    if (code) {
      ness_diags_free(diags);
    } else {
      const ness_status status = ness_solve(model, &options, diags, &doc);
      code = cli_csv_end(&csv, self, status, diags, doc);
    }
  }
  free(asked.item);
  ness_model_free(model);
  return code;
}
