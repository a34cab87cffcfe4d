/* The iteration on level 0: flexible GCR (Eisenstat, Elman and Schultz, SIAM J. Numer. Anal. 20, 345 (1983)) in single
 * precision around the K-cycle, in the norm where every state counts alike, and Gauss-Seidel with the rates themselves
 * in double. Its callers refine: they compute residuals in higher precision and add up. Invariant: the bits do not
 * depend on the number of threads. Cost of a step: one cycle and two passes over the vectors kept. */
#include "engine/markov/multilevel_parts.h"
#include "engine/markov/sum.h"

#include <math.h>
#include <string.h>

static const double KRYLOV_SLOW = 0.05; /* what is left after a run, for the next one to smooth more */

/* Makes v orthogonal to the k directions before it, with c alongside. */
static void krylov_orthogonalize(multilevel *self, int32_t k)
{
  const int32_t n = self->q->n;
  float *const c = self->c[k], *const v = self->v[k];
  for (int32_t i = 0; i < k; i++) {
    const float *const ci = self->c[i], *const vi = self->v[i];
    const float by = (float)cycle_dot(NULL, vi, v, n);
#pragma omp parallel for schedule(static) if (n > LEVELS_SERIAL)
    for (int32_t j = 0; j < n; j++) {
      v[j] -= by * vi[j];
      c[j] -= by * ci[j];
    }
  }
}

double krylov_run(multilevel *self, int side, double goal)
{
  const int32_t n = self->q->n;
  float *const r = self->r, *const x = self->x;
  memset(x, 0, (size_t)n * sizeof *x);
  const double start = sqrt(cycle_dot(NULL, r, r, n));
  double left = start;
  for (int32_t k = 0; k < KRYLOV_BASIS && left > goal * start && !interrupt_pending(); k++) {
    float *const c = self->c[k], *const v = self->v[k];
    cycle_precondition(&self->levels, side, r, c);
    cycle_apply(&self->levels.at[0], side, c, v);
    krylov_orthogonalize(self, k);
    self->iterations++;
    const double norm = sqrt(cycle_dot(NULL, v, v, n));
    if (!(norm > 0 && norm < HUGE_VAL)) break;
    const float scale = (float)(1 / norm), by = (float)(cycle_dot(NULL, v, r, n) / norm);
#pragma omp parallel for schedule(static) if (n > LEVELS_SERIAL)
    for (int32_t j = 0; j < n; j++) {
      v[j] *= scale;
      c[j] *= scale;
      r[j] -= by * v[j];
      x[j] += by * c[j];
    }
    left = sqrt(cycle_dot(NULL, r, r, n));
  }
  if (left > KRYLOV_SLOW * start && self->levels.sweeps < SWEEPS_MOST) self->levels.sweeps *= 2;
  return start > 0 ? left / start : 0;
}

static void chunk_relax(void *context, int32_t from, int32_t to, bool back)
{
  const multilevel *const self = context;
  const chain *const in = &self->in;
  for (int32_t m = from; m < to; m++) {
    const int32_t j = back ? to - 1 - (m - from) : m;
    double sum = 0;
    for (int64_t e = in->start[j]; e < in->start[j + 1]; e++) sum += in->rate[e] * self->p[in->to[e]];
    self->p[j] = sum / self->exit[j];
  }
}

void krylov_relax(multilevel *self, int32_t sweeps)
{
  for (int32_t sweep = 0; sweep < 2 * sweeps; sweep++) cycle_stages(&self->levels.at[0], sweep & 1, chunk_relax, self);
}

void krylov_normalize(multilevel *self)
{
  const int32_t n = self->q->n;
  exact_sum sum = {0, 0};
  for (int32_t j = 0; j < n; j++) sum_add(&sum, self->p[j]);
  const double by = 1 / sum_get(&sum);
  for (int32_t j = 0; j < n; j++) self->p[j] *= by;
}
