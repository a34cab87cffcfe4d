/* Networks for the tests of engine/model: a small one written by hand and random ones of every kind. */
#ifndef NESS_TESTS_MODEL_SAMPLE_H
#define NESS_TESTS_MODEL_SAMPLE_H

#include "engine/model/model.h"
#include "engine/rng/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline int32_t sample_below(rng_stream *rng, int32_t n)
{
  return (int32_t)rng_below(rng, (uint64_t)n);
}

static inline double sample_real(rng_stream *rng, double low, double high)
{
  return low + (high - low) * rng_double(rng);
}

/* A carrier of two states with a pool, a capped slot, a step of every kind of law, a cycle and an observable. Returns
 * NULL when memory is out. */
static inline ness_network *sample_carrier(ness_diags *diags, ness_status *status)
{
  ness_network *net = NULL;
  *status = NESS_NOMEM;
  network_builder *b = builder_create("carrier", 300);
  if (!b) {
    return NULL;
  }
  const int32_t volt = builder_voltage(b, "V", -2.5);
  const int32_t out = builder_reservoir(b, "Na.out", log(0.14), 0.14, 1, -1);
  const int32_t in = builder_reservoir(b, "Na.in", log(0.01), 0.01, 1, volt);
  const int32_t family = builder_family(b, "C", 7);
  const int32_t Eo = builder_slot(b, "Eo", 7, MODEL_NO_MAX, 0, 0, -1, family);
  const int32_t Ei = builder_slot(b, "Ei", 0, MODEL_NO_MAX, 0.5, -1, volt, family);
  const int32_t A = builder_slot(b, "A", 5, 9, -1, 0, -1, -1);
  const double lnk1 = -0.5 + log(0.14);
  const tape_op tape[] = {{TAPE_SLOT, A, 77, 77}, {TAPE_CONST, 0, 0, 0}, {TAPE_MUL, 0, 1, 0}};
  const double half = 0.5;
  const builder_step steps[] = {
      {"load",
       "Eo + Na.out <-> Ei",
       11,
       1,
       1,
       &Eo,
       &Ei,
       1,
       0,
       &out,
       NULL,
       {LAW_MASS, LAW_MASS},
       {3 * exp(lnk1), 3},
       {0, 0},
       {NULL, NULL},
       NULL,
       lnk1,
       0.1,
       0,
       0,
       0,
       NULL,
       NULL},
      {"drop", "Ei <-> Eo + Na.in", 12,   1,           1, &Ei, &Eo, 0, 1,    NULL, &in, {LAW_MASS, LAW_MASS}, {2, 1},
       {0, 0}, {NULL, NULL},        NULL, (double)NAN, 0, 0,   0,   0, NULL, NULL},
      {"make",
       "Ei -> Ei + 2 A",
       13,
       1,
       3,
       &Ei,
       (const int32_t[]){A, Ei, A},
       0,
       0,
       NULL,
       NULL,
       {LAW_MASS, LAW_NONE},
       {4, 0},
       {0, 0},
       {NULL, NULL},
       NULL,
       (double)NAN,
       0,
       0,
       0,
       0,
       NULL,
       NULL},
      {"decay", "A ->> 0", 14,           1,     0,           &A, NULL, 0, 0, NULL, NULL, {LAW_TAPE, LAW_NONE},
       {0, 0},  {3, 0},    {tape, NULL}, &half, (double)NAN, 0,  0,    0, 0, NULL, NULL}};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    builder_step_add(b, &steps[i]);
  }
  builder_cycle(b, "turn", 2, (const int32_t[]){0, 1}, (const int32_t[]){1, 1});
  builder_observable(b, "I", 2, (const int32_t[]){OBS_NET, OBS_COUNT}, (const int32_t[]){0, A},
                     (const double[]){1, 0.5});
  *status = builder_finish(b, diags, &net);
  builder_free(b);
  return net;
}

typedef struct sample_lists {
  int32_t left[4], right[4], res_left[2], res_right[2];
  tape_op tape[4];
  double constant[2];
} sample_lists;

/* A random step between the first `free` slots (up to two copies on either side and now and then a catalyst) or, when
 * there are protein states behind them, from state to state. Energies in g and mu give half of the steps their lnk. */
static inline void sample_step(rng_stream *rng, network_builder *b, int32_t nfree, int32_t nstate, int32_t nres,
                               const double *g, const double *mu, const double *charge, const double *volt)
{
  sample_lists l;
  builder_step step = {.name = "s",
                       .text = "",
                       .left = l.left,
                       .right = l.right,
                       .res_left = l.res_left,
                       .res_right = l.res_right,
                       .constants = l.constant};
  const bool protein = nstate > 1 && rng_double(rng) < 0.5;
  if (protein) {
    l.left[step.nleft++] = nfree + sample_below(rng, nstate);
    l.right[step.nright++] = nfree + sample_below(rng, nstate);
  }
  for (int32_t i = sample_below(rng, 3); i > 0; i--) {
    l.left[step.nleft++] = sample_below(rng, nfree);
  }
  for (int32_t i = sample_below(rng, 3); i > 0; i--) {
    l.right[step.nright++] = sample_below(rng, nfree);
  }
  if (step.nleft < 4 && step.nright < 4 && rng_double(rng) < 0.2) {
    l.left[step.nleft++] = l.right[step.nright++] = sample_below(rng, nfree);
  }
  for (int32_t i = nres > 0 ? sample_below(rng, 3) : 0; i > 0; i--) {
    l.res_left[step.nres_left++] = sample_below(rng, nres);
  }
  for (int32_t i = nres > 0 ? sample_below(rng, 3) : 0; i > 0; i--) {
    l.res_right[step.nres_right++] = sample_below(rng, nres);
  }
  double lnk = 0;
  for (int32_t i = 0; i < 4; i++) {
    lnk += i < step.nleft ? g[l.left[i]] : 0;
    lnk -= i < step.nright ? g[l.right[i]] : 0;
  }
  for (int32_t i = 0; i < 2; i++) {
    lnk += i < step.nres_left ? mu[l.res_left[i]] + charge[l.res_left[i]] * volt[l.res_left[i]] : 0;
    lnk -= i < step.nres_right ? mu[l.res_right[i]] + charge[l.res_right[i]] * volt[l.res_right[i]] : 0;
  }
  step.law[0] = step.law[1] = LAW_MASS;
  step.k[1] = sample_real(rng, 0.1, 2);
  step.lnk = (double)NAN;
  if (rng_double(rng) < 0.5) {
    step.lnk = lnk;
    step.k[0] = step.k[1] * exp(lnk);
  } else {
    step.k[0] = sample_real(rng, 0.1, 2);
  }
  for (int way = 0; way < 2; way++) {
    const double kind = rng_double(rng);
    if (kind < 0.1) {
      step.law[way] = LAW_NONE;
    } else if (kind < 0.2) { /* c0 + c1 * n_slot */
      l.constant[0] = sample_real(rng, 0.1, 1);
      l.constant[1] = sample_real(rng, 0.1, 1);
      l.tape[0] = (tape_op){TAPE_CONST, 1, 0, 0};
      l.tape[1] = (tape_op){TAPE_SLOT, sample_below(rng, nfree), 0, 0};
      l.tape[2] = (tape_op){TAPE_MUL, 0, 1, 0};
      l.tape[3] = (tape_op){TAPE_ADD, 2, 0, 0};
      step.law[way] = LAW_TAPE;
      step.tape[way] = l.tape;
      step.nop[way] = 4;
    }
  }
  builder_step_add(b, &step);
}

/* 1 to 6 free slots, now and then capped; 0 or 2 to 4 states of a protein; 0 to 3 reservoirs; 1 to 10 steps. */
static inline ness_network *sample_random(rng_stream *rng)
{
  double g[16], mu[4], charge[4], volt[4], kt[2];
  ness_network *net = NULL;
  network_builder *b = builder_create("random", 0);
  for (int v = 0; v < 2; v++) {
    kt[v] = sample_real(rng, -3, 3);
    builder_voltage(b, v ? "V1" : "V0", kt[v]);
  }
  const int32_t nres = sample_below(rng, 4);
  for (int32_t r = 0; r < nres; r++) {
    const int32_t at = sample_below(rng, 3) - 1;
    mu[r] = sample_real(rng, -4, 4);
    charge[r] = sample_below(rng, 5) - 2;
    volt[r] = at < 0 ? 0 : kt[at];
    builder_reservoir(b, "R", mu[r], exp(mu[r]), charge[r], at);
  }
  const int32_t nfree = 1 + sample_below(rng, 6);
  const int32_t nstate = rng_double(rng) < 0.5 ? 2 + sample_below(rng, 3) : 0;
  if (nstate > 0) {
    builder_family(b, "P", 3);
  }
  for (int32_t i = 0; i < nfree + nstate; i++) {
    const int64_t start = i < nfree ? sample_below(rng, 6) : i == nfree ? 3 : 0;
    const int64_t max = i < nfree && rng_double(rng) < 0.3 ? start + sample_below(rng, 6) : MODEL_NO_MAX;
    g[i] = sample_real(rng, -3, 3);
    builder_slot(b, "n", start, max, g[i], 0, -1, i < nfree ? -1 : 0);
  }
  for (int32_t s = 1 + sample_below(rng, 10); s > 0; s--) {
    sample_step(rng, b, nfree, nstate, nres, g, mu, charge, volt);
  }
  ness_diags *diags = ness_diags_create();
  if (builder_finish(b, diags, &net)) {
    char *text = ness_diags_render(diags, 0);
    fprintf(stderr, "%s", text ? text : "");
    ness_text_free(text);
  }
  ness_diags_free(diags);
  builder_free(b);
  return net;
}

#endif
