/* Runs of models under inputs that move as variables, for tests of the language and the books with engine/hybrid. */
#ifndef NESS_TESTS_MOVING_BUILD_H
#define NESS_TESTS_MOVING_BUILD_H

#include "lang_sample.h"
#include "networks/experiment/driven.h"

#define SIGMA 7.6

/* A carrier whose every rate, energy and potential some parameter moves. */
#define CARRIER(more)                                                                                                  \
  NATURAL more "compartment o reservoir\ncompartment i reservoir potential V\nion S z 1 { o = s\n i = 2*s }\n"         \
               "protein P copies 2 {\nstate A\nstate B energy = e - 1\nstate C energy = e/2 charge 1\nstate D\n}\n"    \
               "b: A + S.o <-> B @ 2, ldb\nt: B <-> C @ ldb(k0 = k, split = 0.3)\n"                                    \
               "u: C <-> D + S.i @ ldb, 3\nd: D <-> A @ ldb(k0 = 1)\nleak: B <-> C @ ldb(k0 = 0.1*k)\n"
#define STILL "param V = 0.3, s = 1, e = 0.5, k = 2\n"

static inline void complain(const ness_diags *diags, const char *text)
{
  if (ness_diags_count(diags, NULL)) fprintf(stderr, "%s\n%s\n", text, ness_diags_get(diags, 0)->message);
}

/* With `inputs` made of the model; both are the caller's to free. */
static inline hybrid_result run_moving(const ness_model *m, hybrid_options o, moving_inputs *inputs)
{
  ness_diags *const diags = ness_diags_create();
  hybrid_result r = {0};
  ness_status status = moving_create(m->compiled, NULL, diags, inputs);
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

/* Over batches: the sum of a column per second, and its error. */
static inline double rate_of(const hybrid_result *r, const double *rows, int32_t width, int32_t at, double *error)
{
  const int32_t n = r->batches;
  double sum = 0, square = 0, time = 0;
  for (int32_t b = 0; b < n; b++) sum += rows[b * width + at] / n, time += r->counted[b] / n;
  for (int32_t b = 0; b < n; b++) square += (rows[b * width + at] - sum) * (rows[b * width + at] - sum);
  *error = sqrt(square / (n - 1) / n) / time;
  return sum / time;
}

static inline void check_near(const char *what, const char *name, double value, double error, double exact)
{
  const bool fine = fabs(value - exact) <= SIGMA * error + 1e-11;
  CHECK(fine);
  if (!fine) fprintf(stderr, "  %s %s: %.7g +- %.2g, expected %.7g\n", what, name, value, error, exact);
}

/* Medium = works - change of energy in every batch; and nothing undeclared, to `share` of what there is. */
static inline void check_closed(const hybrid_result *r, const moving_inputs *inputs, double share)
{
  const int32_t sources = network_sources(lang_network(inputs->model)), n = inputs->ninput;
  for (int32_t b = 0; b < r->batches; b++) {
    double work = 0, size = 1 + fabs(r->medium[b]) + fabs(r->energy[b]);
    for (int32_t i = 0; i < sources; i++) {
      work += r->work[b * sources + i];
      size += fabs(r->work[b * sources + i]);
    }
    for (int32_t k = 0; k < n; k++) {
      work += r->input_work[b * n + k];
      size += fabs(r->input_work[b * n + k]);
    }
    CHECK(isfinite(size) && fabs(r->medium[b] - work + r->energy[b]) < 1e-9 * size);
    CHECK(fabs(r->work[b * sources + sources - 1]) < share * size);
  }
}

#endif
