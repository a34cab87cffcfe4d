/* The answer of a command as an HTML page, for --html. Invariant: a name that cannot be taken is refused before the
 * work. */
#include "cli.h"

static ness_page_options page_options(const cli *self)
{
  const cli_values *const given = &self->given;
  ness_page_options options = {
      .struct_size = sizeof options, .output = given->html, .force = given->force, .command = self->line};
  for (int32_t i = 1; i < given->words.count; i++) options.axes += cli_is_range(given->words.item[i]);
  return options;
}

ness_status cli_page_put(const cli *self, const ness_doc *doc, ness_diags *diags)
{
  ness_page_options options = page_options(self);
  options.curves = (const ness_doc *const *)self->curves;
  while (options.ncurves < CLI_CURVES && self->curves[options.ncurves]) options.ncurves++;
  return self->given.html ? ness_page_write(doc, &options, diags) : NESS_OK;
}

int cli_page_check(const cli *self)
{
  ness_diags *const diags = self->given.html ? ness_diags_create() : NULL;
  if (!diags) return 0;
  const ness_status status = cli_page_put(self, NULL, diags);
  return status ? cli_end(self, status, self->given.html, diags, NULL) : (ness_diags_free(diags), 0);
}
