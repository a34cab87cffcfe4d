/* A first guess of the steady distribution for chains whose transitions nearly all have a way back: p = exp(phi) where
 * phi fits log(q_ij / q_ji) = phi_j - phi_i on all transitions in the sense of least squares. That is exact for a
 * reversible chain, and for a driven one it takes care of the part of the driving that is a gradient (the Helmholtz
 * projection), so that what is left is of order one. The normal equations are those of a graph Laplacian and are solved
 * by the same levels. Cost: two searches for every transition and some ten cycles. */
#include "engine/markov/multilevel_parts.h"

#include <math.h>
#include <string.h>

enum { GUESS_RUNS = 3, GUESS_SAMPLE = 10000 };

static const double GUESS_SPAN = 600; /* largest difference of phi that a double can hold, with room for rates */

/* The rate from i to j, 0 without one; transitions into a state ascend. */
static double rate_into(const chain *in, int32_t i, int32_t j)
{
  int64_t low = in->start[j], high = in->start[j + 1];
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (in->to[middle] < i) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  double sum = 0;
  for (; low < in->start[j + 1] && in->to[low] == i; low++) sum += in->rate[low];
  return sum;
}

/* log(q_ij / q_ji), 0 where one of them is missing. */
static double log_ratio(const chain *in, int32_t i, int32_t j)
{
  const double there = rate_into(in, i, j), back = rate_into(in, j, i);
  return there > 0 && back > 0 ? log(there) - log(back) : 0;
}

/* Whether nearly all transitions have a way back, by about GUESS_SAMPLE states. */
static bool guess_fits(const multilevel *self)
{
  const chain *const in = &self->in;
  const int32_t n = in->n, step = n / GUESS_SAMPLE + 1;
  int64_t missing = 0, all = 0;
  for (int32_t j = 0; j < n; j += step) {
    for (int64_t e = in->start[j]; e < in->start[j + 1]; e++) missing += !(rate_into(in, j, in->to[e]) > 0);
    all += in->start[j + 1] - in->start[j];
  }
  return 10 * missing <= all;
}

/* Level 0 as the graph of all transitions in both directions, each of weight 1: rows, then the values. */
static ness_status guess_graph(multilevel *self)
{
  const chain *const q = self->q, *const in = &self->in;
  const int32_t n = q->n;
  const ness_status status = levels_blank(&self->levels, n, in->start[n] * 2);
  if (status) return status;
  level *const a = &self->levels.at[0];
  const level_rows rows = a->side[0];
  int64_t end = 0;
  for (int32_t j = 0; j < n; j++) {
    for (int64_t e = in->start[j]; e < in->start[j + 1]; e++) rows.to[end++] = in->to[e];
    for (int64_t e = q->start[j]; e < q->start[j + 1]; e++) {
      if (q->to[e] != j) rows.to[end++] = q->to[e];
    }
    rows.start[j + 1] = end;
    a->in[j] = (double)(end - rows.start[j]);
    a->gain[j] = 1;
    for (int64_t e = rows.start[j]; e < end; e++) rows.value[e] = (float)(1 / a->in[j]);
  }
  return NESS_OK;
}

/* work = the right-hand side, and its largest entry. */
static double guess_forces(multilevel *self)
{
  const level *const a = &self->levels.at[0];
  const level_rows rows = a->side[0];
  double most = 0;
#pragma omp parallel for schedule(static) reduction(max : most) if (a->n > LEVELS_SERIAL)
  for (int32_t j = 0; j < a->n; j++) {
    double sum = 0;
    for (int64_t e = rows.start[j]; e < rows.start[j + 1]; e++) sum += log_ratio(&self->in, rows.to[e], j);
    self->work[j] = sum / a->in[j];
    most = fmax(most, fabs(self->work[j]));
  }
  return most;
}

ness_status guess_find(multilevel *self)
{
  const int32_t n = self->q->n;
  double *const phi = self->work;
  for (int32_t j = 0; j < n; j++) self->p[j] = 1.0 / n;
  if (!guess_fits(self)) return NESS_OK;
  ness_status status = guess_graph(self);
  const double size = status ? 0 : guess_forces(self);
  if (!(size > 0 && size < HUGE_VAL)) goto out;
  status = levels_build(&self->levels, false);
  if (status) goto out;
  for (int32_t j = 0; j < n; j++) self->r[j] = (float)(self->work[j] / size);
  memset(phi, 0, (size_t)n * sizeof *phi);
  double left = 1;
  for (int32_t k = 0; k < GUESS_RUNS && left > 1e-3; k++) {
    left *= krylov_run(self, 0, 1e-5);
    for (int32_t j = 0; j < n; j++) phi[j] += size * (double)self->x[j];
  }
  multilevel_count(self, 0);
  double most = -HUGE_VAL;
  for (int32_t j = 0; j < n; j++) most = fmax(most, phi[j]);
  for (int32_t j = 0; j < n; j++) self->p[j] = exp(fmax(phi[j] - most, -GUESS_SPAN));
  krylov_normalize(self);
out:
  levels_drop(&self->levels, 0);
  self->levels.sweeps = 1;
  return status;
}
