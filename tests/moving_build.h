/* Runs of models under inputs that move as variables, for tests of the language and the books with engine/hybrid. */
#ifndef NESS_TESTS_MOVING_BUILD_H
#define NESS_TESTS_MOVING_BUILD_H

#include "lang_sample.h"
#include "networks/experiment/driven.h"

static inline void complain(const ness_diags *diags, const char *text)
{
  if (ness_diags_count(diags, NULL)) fprintf(stderr, "%s\n%s\n", text, ness_diags_get(diags, 0)->message);
}

/* With `inputs` made of the model; both are the caller's to free. */
static inline hybrid_result run_moving(const ness_model *m, hybrid_options o, moving_inputs *inputs)
{
  ness_diags *const diags = ness_diags_create();
  hybrid_result r = {0};
  ness_status status = moving_create(m->compiled, diags, inputs);
  o.ninput = inputs->ninput;
  o.input = inputs->input;
  o.npart = inputs->npart;
  o.part = inputs->part;
  if (status == NESS_OK) status = hybrid_run(lang_network(inputs->model), &o, diags, &r);
  CHECK(status == NESS_OK);
  complain(diags, "run");
  ness_diags_free(diags);
  if (status != NESS_OK) exit(1);
  return r;
}

#endif
