/* ness info: the network as compiled. */
#include "cli.h"

int cli_info(cli *self)
{
  ness_diags *diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  int code = cli_load(self, NULL, NULL, diags, &model);
  if (!code) {
    const ness_status status = ness_info(model, diags, &doc);
    code = cli_end(self, status, self->given.words.item[0], diags, doc);
  }
  ness_model_free(model);
  return code;
}
