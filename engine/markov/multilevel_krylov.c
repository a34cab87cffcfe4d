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

/* One sweep over block k of `blocks`; other blocks are seen as they were. */
static void block_relax(multilevel *self, int32_t k, int32_t blocks, bool back)
{
  const chain *const in = &self->in;
  const int32_t n = self->q->n;
  double *const p = self->p;
  const double *const old = self->work;
  const int32_t from = (int32_t)((int64_t)n * k / blocks), to = (int32_t)((int64_t)n * (k + 1) / blocks);
  const uint32_t size = (uint32_t)(to - from);
  for (int32_t m = from; m < to; m++) {
    const int32_t j = back ? from + (to - 1 - m) : m;
    double sum = 0;
    for (int64_t e = in->start[j]; e < in->start[j + 1]; e++) {
      const int32_t i = in->to[e];
      sum += in->rate[e] * ((uint32_t)(i - from) < size ? p : old)[i];
    }
    p[j] = sum / self->exit[j];
  }
}

void krylov_relax(multilevel *self, int32_t sweeps)
{
  const int32_t n = self->q->n, blocks = self->levels.at[0].blocks;
  for (int32_t sweep = 0; sweep < 2 * sweeps; sweep++) {
    if (blocks > 1) memcpy(self->work, self->p, (size_t)n * sizeof *self->p);
#pragma omp parallel for schedule(static) if (n > LEVELS_SERIAL)
    for (int32_t k = 0; k < blocks; k++) block_relax(self, k, blocks, sweep & 1);
  }
}

void krylov_normalize(multilevel *self)
{
  const int32_t n = self->q->n;
  exact_sum sum = {0, 0};
  for (int32_t j = 0; j < n; j++) sum_add(&sum, self->p[j]);
  const double by = 1 / sum_get(&sum);
  for (int32_t j = 0; j < n; j++) self->p[j] *= by;
}
