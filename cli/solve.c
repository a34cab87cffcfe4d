/* ness solve: the exact answer from the master equation. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static bool is_question(const char *word)
{
  return strchr(word, '=') == NULL;
}

static const char *question_name(const void *context, int32_t at)
{
  const char *const *names = context;
  return names[at];
}

int cli_solve(cli *self)
{
  static const char *const questions[] = {"steady"};
  const int32_t known = (int32_t)(sizeof questions / sizeof questions[0]);
  ness_diags *diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  cli_list asked = {0};
  for (int32_t i = 1; i < self->given.words.count; i++) {
    const char *const word = self->given.words.item[i];
    if (is_question(word) && strcmp(word, questions[0]) != 0) {
      ness_diags_free(diags);
      const char *const near = cli_nearest(word, known, question_name, questions);
      return cli_error(self, NESS_USAGE, near ? "did you mean steady?" : "steady is what can be solved for",
                       "'%s' is neither NAME=VALUE nor a question", word);
    }
  }
  int code = cli_load(self, is_question, &asked, diags, &model);
  if (!code) {
    const ness_solve_options options = {.struct_size = sizeof options,
                                        .what = asked.count > 0 ? asked.item[0] : NULL,
                                        .max_states = self->given.max_states,
                                        .max_cycles = self->given.max_cycles,
                                        .states = self->given.states};
    const ness_status status = ness_solve(model, &options, diags, &doc);
    code = cli_end(self, status, self->given.words.item[0], diags, doc);
  }
  free(asked.item);
  ness_model_free(model);
  return code;
}
