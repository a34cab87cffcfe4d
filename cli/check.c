/* ness check: whether detailed balance holds. */
#include "cli.h"

int cli_check(cli *self)
{
  ness_diags *diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  const ness_check_options options = {
      .struct_size = sizeof options, .tolerance = self->given.tolerance, .max_states = self->given.max_states};
  int code = cli_load(self, NULL, NULL, diags, &model);
  if (!code) {
    const ness_status status = ness_check(model, &options, diags, &doc);
    code = cli_end(self, status, self->given.words.item[0], diags, doc);
  }
  ness_model_free(model);
  return code;
}
