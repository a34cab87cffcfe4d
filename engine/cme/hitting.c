/* First passages of a chain. With x_k = start (-Q)^-k, the probabilities of the targets are x_1 t with t the rates into
 * them, and the moments k! sum x_k. Where some ways meet no target the chain is first replaced by that of the others
 * (Doob's transform: rates a h_j / h_i with h the probability to meet one), so that all else is conditional. The
 * variance is taken along the way: with y_i the mean time from i, the time is a sum of martingale steps, and its
 * variance the mean of sum a (y_j - y_i)^2; the third central moment likewise. Invariant: all but the third central
 * moment are sums of numbers that are not negative. Cost: one factorisation, six solves; one more of each to condition.
 */
#include "engine/cme/hitting.h"
#include "engine/markov/sum.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define HITTING_LEAST 1e-300 /* probability to meet a target that can be told from none */
#define HITTING_RARE 1e-200  /* of it: ways this rare are left out of the moments */

void hitting_free(hitting *self)
{
  chain_free(&self->inside);
  mem_free(self->goal[0]);
  mem_free(self->goal[1]);
  mem_free(self->start);
  *self = (hitting){0};
}

static double sum_of(const double *a, const double *b, int32_t n)
{
  exact_sum sum = {0, 0};
  for (int32_t i = 0; i < n; i++) sum_add(&sum, b ? a[i] * b[i] : a[i]);
  return sum_get(&sum);
}

/* Options of a chain with exits: a guess is of no use to it. */
static solver_options options_of(const solver_options *options)
{
  solver_options own = options ? *options : (solver_options){0};
  own.guess = NULL;
  return own;
}

ness_status hitting_times(const hitting *self, const solver_options *options, double *x)
{
  const solver_options own = options_of(options);
  solver *solves = NULL;
  ness_status status = solver_create(&self->inside, &own, NULL, &solves);
  memcpy(x, self->start, (size_t)self->inside.n * sizeof *x);
  if (status == NESS_OK) status = solver_left(solves, x);
  solver_free(solves);
  return status;
}

/* --- conditioning --- */

/* The transform by h (n). States from which hardly anything meets a target, against `least`, are hardly ever on such a
 * way; their rates, which could not be held, are left alone and they are left at once. */
static void hitting_transform(hitting *self, const double *h, double least)
{
  chain *const q = &self->inside;
  for (int32_t i = 0; i < q->n; i++) {
    double out = q->exit[i];
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      out += q->rate[e];
      if (h[i] >= least) q->rate[e] = fmax(q->rate[e] * (h[q->to[e]] / h[i]), DBL_MIN);
    }
    self->start[i] = h[i] >= least ? self->start[i] * h[i] : 0;
    for (int k = 0; k < 2; k++) self->goal[k][i] = h[i] >= least ? self->goal[k][i] / h[i] : 0;
    q->exit[i] = h[i] >= least ? self->goal[0][i] + self->goal[1][i] : out;
  }
}

ness_status hitting_condition(hitting *self, const solver_options *options, double *reached)
{
  const int32_t n = self->inside.n;
  ness_status status = NESS_OK;
  if (self->fails) {
    const solver_options own = options_of(options);
    solver *solves = NULL;
    double *const h = mem_zero((size_t)n + 1, sizeof *h);
    status = h ? solver_create(&self->inside, &own, NULL, &solves) : NESS_NOMEM;
    for (int32_t i = 0; i < n && h; i++) h[i] = self->goal[0][i] + self->goal[1][i];
    if (status == NESS_OK) status = solver_right(solves, h);
    if (status == NESS_OK) {
      const double all = sum_of(self->start, h, n);
      if (all >= HITTING_LEAST && isfinite(all)) hitting_transform(self, h, fmax(all * HITTING_RARE, HITTING_LEAST));
      else status = NESS_NUMERIC;
    }
    solver_free(solves);
    mem_free(h);
  }
  if (status) return status;
  *reached = sum_of(self->start, NULL, n);
  for (int32_t i = 0; i < n; i++) self->start[i] /= *reached;
  return NESS_OK;
}

/* --- moments --- */

/* Shares of the targets and raw moments, from the left. x (2 n): times in the states on return, then work space. */
static ness_status moments_left(const hitting *self, solver *solves, double *x, passage *out)
{
  const int32_t n = self->inside.n;
  double *const again = x + n;
  memcpy(x, self->start, (size_t)n * sizeof *x);
  ness_status status = solver_left(solves, x);
  if (status) return status;
  double to[2] = {sum_of(x, self->goal[0], n), sum_of(x, self->goal[1], n)}, later[2] = {0, 0};
  const double all = to[0] + to[1]; /* 1 */
  memcpy(again, x, (size_t)n * sizeof *x);
  double factorial = 1;
  for (int k = 0; k < 4 && status == NESS_OK; k++) {
    factorial *= k + 1;
    out->moment[k] = factorial * sum_of(again, NULL, n);
    if (k < 3) status = solver_left(solves, again);
    for (int t = 0; t < 2 && k == 0; t++) later[t] = sum_of(again, self->goal[t], n);
  }
  out->mean = out->moment[0];
  out->first = to[0] / all;
  out->second = to[1] / all;
  out->first_mean = to[0] > 0 ? later[0] / to[0] : NAN;
  out->second_mean = to[1] > 0 ? later[1] / to[1] : NAN;
  return status;
}

/* Variance and third central moment; x (n) the times in the states, work (2 n). */
static ness_status moments_central(const hitting *self, solver *solves, const double *x, double *work, passage *out)
{
  const chain *const q = &self->inside;
  double *const y = work, *const square = work + q->n;
  for (int32_t i = 0; i < q->n; i++) y[i] = 1;
  ness_status status = solver_right(solves, y);
  if (status) return status;
  exact_sum variance = {0, 0}, third = {0, 0};
  for (int32_t i = 0; i < q->n; i++) {
    exact_sum sum = {0, 0};
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      const double rise = y[q->to[e]] - y[i];
      sum_add(&sum, q->rate[e] * rise * rise);
    }
    sum_add(&sum, q->exit[i] * y[i] * y[i]);
    square[i] = sum_get(&sum);
    const double off = y[i] - out->mean;
    sum_add(&variance, x[i] * square[i]);
    sum_add(&variance, self->start[i] * off * off);
  }
  out->variance = sum_get(&variance);
  status = solver_right(solves, square);
  for (int32_t i = 0; i < q->n && status == NESS_OK; i++) {
    exact_sum sum = {0, 0};
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      const double rise = y[q->to[e]] - y[i];
      sum_add(&sum, q->rate[e] * rise * (rise * rise + 3 * (square[q->to[e]] - square[i])));
    }
    sum_add(&sum, q->exit[i] * y[i] * (3 * square[i] - y[i] * y[i]));
    const double off = y[i] - out->mean;
    sum_add(&third, x[i] * sum_get(&sum));
    sum_add(&third, self->start[i] * off * (off * off + 3 * square[i]));
  }
  out->skewness = sum_get(&third) / (out->variance * sqrt(out->variance));
  return status;
}

ness_status hitting_moments(const hitting *self, const solver_options *options, passage *out)
{
  const solver_options own = options_of(options);
  solver *solves = NULL;
  double *const room = mem_zero(4 * (size_t)self->inside.n + 1, sizeof *room);
  ness_status status = room ? solver_create(&self->inside, &own, &out->report, &solves) : NESS_NOMEM;
  if (status == NESS_OK) status = moments_left(self, solves, room, out);
  if (status == NESS_OK) status = moments_central(self, solves, room, room + 2 * (size_t)self->inside.n, out);
  if (status == NESS_OK && !isfinite(out->mean)) status = NESS_NUMERIC;
  solver_free(solves);
  mem_free(room);
  return status;
}

/* --- distribution --- */

typedef struct met {
  int32_t place; /* of the state that stands for the targets */
  double *by;
} met;

static ness_status met_visit(void *context, int32_t index, const double *p)
{
  const met *const self = context;
  self->by[index] = p[self->place];
  return NESS_OK;
}

ness_status hitting_by(const hitting *self, const double *times, int32_t ntimes, double *by, double *bound)
{
  const chain *const q = &self->inside;
  chain closed = {0};
  transient_report report = {0};
  met at = {q->n, by};
  double *const p = mem_zero((size_t)q->n + 1, sizeof *p);
  ness_status status = p ? chain_create(q->n + 1, q->start[q->n] + q->n, false, &closed) : NESS_NOMEM;
  int64_t end = 0;
  for (int32_t i = 0; i < q->n && status == NESS_OK; i++) {
    p[i] = self->start[i];
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      closed.to[end] = q->to[e];
      closed.rate[end++] = q->rate[e];
    }
    if (q->exit[i] > 0) {
      closed.to[end] = q->n;
      closed.rate[end++] = q->exit[i];
    }
    closed.start[i + 1] = end;
  }
  if (status == NESS_OK) closed.start[q->n + 1] = end;
  if (status == NESS_OK) status = transient_run(&closed, NULL, p, times, ntimes, met_visit, &at, &report);
  *bound = report.bound;
  chain_free(&closed);
  mem_free(p);
  return status;
}
