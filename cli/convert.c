/* ness convert: the generator of a model as a file for other tools. */
#include "cli.h"

int cli_convert(cli *self)
{
  if (!self->given.output) {
    return cli_error(self, NESS_USAGE, "-o names it, as in -o q.mtx", "the file to write is missing");
  }
  ness_diags *diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  int code = cli_load(self, NULL, NULL, diags, &model);
  if (!code) {
    const ness_convert_options options = {.struct_size = sizeof options,
                                          .path = self->given.output,
                                          .max_states = self->given.max_states,
                                          .force = self->given.force};
    const ness_status status = ness_convert(model, &options, diags, &doc);
    code = cli_end(self, status, self->given.words.item[0], diags, doc);
  }
  ness_model_free(model);
  return code;
}
