/* Fuzz target: any bytes as model text, read, compiled and, when that worked, asked for its check, its info and, where
 * its states are few, for its steady state, which is a mean over a period where an input moves. */
#include <ness/ness.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *const text = malloc(size + 1);
  ness_diags *const diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  if (!text || !diags) abort();
  memcpy(text, data, size);
  text[size] = '\0';
  if (ness_model_load("fuzz.ness", text, NULL, 0, diags, &model) == NESS_OK) {
    const ness_check_options options = {.struct_size = sizeof options, .max_states = 200};
    ness_info(model, diags, &doc);
    ness_doc_free(doc);
    doc = NULL;
    ness_check(model, &options, diags, &doc);
    ness_doc_free(doc);
    doc = NULL;
    const ness_solve_options few = {.struct_size = sizeof few, .max_states = 12};
    ness_solve(model, &few, diags, &doc);
    ness_doc_free(doc);
  }
  char *const shown = ness_diags_render(diags, 1);
  ness_text_free(shown);
  ness_model_free(model);
  ness_diags_free(diags);
  free(text);
  return 0;
}
