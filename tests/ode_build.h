/* What the tests of engine/ode share: calls that must succeed, and tapes of random operations with a second evaluation
 * of every rate in long double. */
#ifndef NESS_TESTS_ODE_BUILD_H
#define NESS_TESTS_ODE_BUILD_H

#include "check.h"
#include "cme_build.h"
#include "engine/ode/ode.h"
#include "model_sample.h"

static inline void must(ness_status status, ness_diags *diags, const char *what)
{
  if (!status) return;
  char *text = ness_diags_render(diags, 0);
  fprintf(stderr, "%s: %s: %s\n", what, ness_status_text(status), text ? text : "");
  exit(1);
}

static inline ode_system *ode_of(const ness_network *net)
{
  ness_diags *diags = ness_diags_create();
  ode_system *self = NULL;
  must(ode_create(net, diags, &self), diags, "ode_create");
  ness_diags_free(diags);
  return self;
}

static inline ode_state steady_of(const ode_system *self, const ode_options *options)
{
  ness_diags *diags = ness_diags_create();
  ode_state out;
  must(ode_steady(self, options, diags, &out), diags, "ode_steady");
  ness_diags_free(diags);
  return out;
}

static inline ode_totals totals_of(const ode_system *self, const double *x)
{
  ness_diags *diags = ness_diags_create();
  ode_totals out;
  must(ode_totals_at(self, x, diags, &out), diags, "ode_totals_at");
  ness_diags_free(diags);
  return out;
}

typedef struct seen { /* what a run showed: up to 64 times of up to 64 slots */
  int64_t count;
  int32_t nslot;
  double time[64], x[64][64], cov[64][64]; /* of the covariance the first 8 x 8 */
} seen;

static inline ness_status see(void *context, double time, const double *x, const double *covariance)
{
  seen *const self = context;
  self->time[self->count] = time;
  for (int32_t i = 0; i < self->nslot && i < 64; i++) self->x[self->count][i] = x[i];
  for (int32_t i = 0; covariance && i < self->nslot && i < 8; i++) {
    for (int32_t j = 0; j < self->nslot && j < 8; j++) {
      self->cov[self->count][8 * i + j] = covariance[i * self->nslot + j];
    }
  }
  self->count++;
  return NESS_OK;
}

static inline ode_report run_of(const ness_network *net, const ode_options *options, const double *times, int64_t n,
                                seen *out)
{
  ness_diags *diags = ness_diags_create();
  ode_system *self = ode_of(net);
  ode_report report;
  out->count = 0;
  out->nslot = net->nslot;
  must(ode_run(self, options, times, n, see, out, diags, &report), diags, "ode_run");
  ness_diags_free(diags);
  ode_free(self);
  return report;
}

/* --- rates a second time, in long double --- */

static inline long double slow_tape(const ness_network *net, int32_t dir, const long double *x)
{
  long double v[64];
  const int32_t first = net->tape_start[dir], length = net->tape_start[dir + 1] - first;
  for (int32_t i = 0; i < length; i++) {
    const tape_op op = net->tape[first + i];
    const long double a = op.code != TAPE_CONST && op.code != TAPE_SLOT ? v[op.a] : 0;
    const bool two = op.code != TAPE_CONST && op.code != TAPE_SLOT && op.b >= 0 && op.b < i;
    const long double b = two ? v[op.b] : 0;
    switch (op.code) {
    case TAPE_CONST: v[i] = net->tape_const[op.a]; break;
    case TAPE_SLOT: v[i] = x[op.a]; break;
    case TAPE_ADD: v[i] = a + b; break;
    case TAPE_SUB: v[i] = a - b; break;
    case TAPE_MUL: v[i] = a * b; break;
    case TAPE_DIV: v[i] = a / b; break;
    case TAPE_POW: v[i] = powl(a, b); break;
    case TAPE_NEG: v[i] = -a; break;
    case TAPE_EXP: v[i] = expl(a); break;
    case TAPE_LN: v[i] = logl(a); break;
    case TAPE_SQRT: v[i] = sqrtl(a); break;
    case TAPE_ABS: v[i] = fabsl(a); break;
    case TAPE_MIN: v[i] = fminl(a, b); break;
    case TAPE_MAX: v[i] = fmaxl(a, b); break;
    case TAPE_LT: v[i] = a < b; break;
    case TAPE_SELECT: v[i] = a != 0 ? b : v[op.c]; break;
    case TAPE_TANH: v[i] = tanhl(a); break;
    default: fprintf(stderr, "operation %d has no second evaluation\n", (int)op.code); exit(1);
    }
  }
  return v[length - 1];
}

static inline long double slow_rate(const ness_network *net, int32_t dir, const long double *x)
{
  if (net->dir_law[dir] == LAW_NONE) return 0;
  if (net->dir_law[dir] == LAW_TAPE) return slow_tape(net, dir, x);
  long double value = net->dir_k[dir];
  for (int32_t r = net->react_start[dir]; r < net->react_start[dir + 1]; r++) {
    for (int32_t m = 0; m < net->react_mult[r]; m++) value *= x[net->react_slot[r]];
  }
  return value;
}

/* dx/dt. */
static inline void slow_change(const ness_network *net, const long double *x, long double *out)
{
  for (int32_t i = 0; i < net->nslot; i++) out[i] = 0;
  for (int32_t s = 0; s < net->nstep; s++) {
    const long double rate = slow_rate(net, 2 * s, x) - slow_rate(net, 2 * s + 1, x);
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      out[net->change_slot[c]] += net->change_by[c] * rate;
    }
  }
}

#endif
