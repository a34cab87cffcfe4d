/* All modes of a small chain by LAPACK. Where detailed balance holds to rounding (log ratios along a spanning tree) the
 * symmetric matrix of sqrt(q_ij q_ji) is solved, else the balanced generator. Either has errors of 1e-16 of the fastest
 * rate, in which slow modes of a stiff chain drown; these are then taken from the inverse, D or (-Q)^-1 by solver.h,
 * where they come first: below the geometric mean of fastest and slowest, at the widest gap thereabout. Cost: work 25
 * n^3 at most, twice that and n solves with the inverse; memory 8 n^2 three to five times over. */
#include "engine/markov/modes.h"
#include "engine/markov/solver.h"

#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double DENSE_STIFF = 1e-5;  /* slowest over fastest below which the inverse is asked */
static const double DENSE_WINDOW = 30.0; /* either way from the geometric mean, for a gap */

typedef struct dense {
  const chain *q;
  int32_t n;
  bool vectors;
  double *log; /* (n) of the weights of detailed balance, largest 0; NULL without */
  solver *inverse;
} dense;

/* Columns are rows of Q: what LAPACK calls right vectors are left ones of Q. */
static double *dense_generator(const chain *q)
{
  const size_t n = (size_t)q->n;
  double *const a = mem_zero(n * n, sizeof *a);
  for (size_t i = 0; a && i < n; i++) {
    double out = q->exit ? q->exit[i] : 0;
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (q->to[e] == (int32_t)i) continue;
      a[i * n + (size_t)q->to[e]] += q->rate[e];
      out += q->rate[e];
    }
    a[i * n + i] = -out;
  }
  return a;
}

/* --- detailed balance --- */

/* Log weights along a tree of two-way transitions; false where a way back is missing or a state is not reached. */
static bool balance_tree(const double *a, int32_t n, double *log_weight, int32_t *depth, int32_t *queue)
{
  const size_t wide = (size_t)n;
  int32_t count = 1;
  for (int32_t i = 0; i < n; i++) depth[i] = -1;
  queue[0] = depth[0] = 0;
  log_weight[0] = 0;
  for (int32_t done = 0; done < count; done++) {
    const size_t i = (size_t)queue[done];
    for (size_t j = 0; j < wide; j++) {
      const double there = a[i * wide + j], back = a[j * wide + i];
      if (j == i || (there == 0 && back == 0)) continue;
      if (there == 0 || back == 0) return false;
      if (depth[j] >= 0) continue;
      depth[j] = depth[i] + 1;
      log_weight[j] = log_weight[i] + log(there) - log(back);
      queue[count++] = (int32_t)j;
    }
  }
  return count == n;
}

/* Whether every cycle closes, but for the rounding of rates and logarithms. */
static bool balance_holds(const double *a, int32_t n, const double *log_weight, const int32_t *depth)
{
  const size_t wide = (size_t)n;
  for (size_t i = 0; i < wide; i++) {
    for (size_t j = 0; j < i; j++) {
      if (a[i * wide + j] == 0) continue;
      const double there = log(a[i * wide + j]), back = log(a[j * wide + i]);
      const double size = 16 + 4 * (depth[i] + depth[j]) + fabs(there) + fabs(back) + fabs(log_weight[i]);
      if (fabs(log_weight[i] + there - log_weight[j] - back) > 4 * DBL_EPSILON * size) return false;
    }
  }
  return true;
}

static ness_status balance_find(dense *self, const double *a)
{
  int32_t *const depth = mem_zero((size_t)self->n, sizeof *depth), *const queue =
                                                                       mem_zero((size_t)self->n, sizeof *queue);
  self->log = mem_zero((size_t)self->n, sizeof *self->log);
  const bool room = depth && queue && self->log;
  if (room && balance_tree(a, self->n, self->log, depth, queue) && balance_holds(a, self->n, self->log, depth)) {
    double most = -INFINITY;
    for (int32_t i = 0; i < self->n; i++) most = fmax(most, self->log[i]);
    for (int32_t i = 0; i < self->n; i++) self->log[i] -= most;
  } else {
    mem_free(self->log);
    self->log = NULL;
  }
  mem_free(depth);
  mem_free(queue);
  return room ? NESS_OK : NESS_NOMEM;
}

/* --- eigenpairs of a matrix, which is spent --- */

static ness_status eigen_symmetric(const dense *self, double *a, mode_list *out)
{
  const lapack_int n = self->n;
  const size_t wide = (size_t)n;
  double *const values = mem_zero(wide, sizeof *values);
  lapack_int *const support = mem_zero(2 * wide, sizeof *support), found;
  ness_status status = values && support ? modes_create(n, n, self->vectors, out) : NESS_NOMEM;
  if (status) goto out;
  status = lapack_status(LAPACKE_dsyevr(LAPACK_COL_MAJOR, self->vectors ? 'V' : 'N', 'A', 'L', n, a, n, 0, 0, 0, 0, 0,
                                        &found, values, out->re, n, support));
  for (size_t k = 0; k < wide && !status; k++) {
    out->mode[k] = (mode){values[k], 0, 0};
    for (size_t i = 0; i < wide && out->re; i++) out->re[k * wide + i] *= exp(0.5 * self->log[i]);
  }
out:
  mem_free(values);
  mem_free(support);
  return status;
}

static ness_status eigen_general(const dense *self, double *a, mode_list *out)
{
  const lapack_int n = self->n;
  const size_t wide = (size_t)n;
  double *const re = mem_zero(3 * wide, sizeof *re), *const im = re + n, *const scale = im + n;
  double *const vectors = self->vectors ? mem_zero(wide * wide, sizeof *vectors) : NULL;
  lapack_int low, high;
  double norm;
  ness_status status = re && (vectors || !self->vectors) ? modes_create(n, n, self->vectors, out) : NESS_NOMEM;
  if (status) goto out;
  status = lapack_status(LAPACKE_dgeevx(LAPACK_COL_MAJOR, 'B', 'N', self->vectors ? 'V' : 'N', 'N', n, a, n, re, im,
                                        NULL, n, vectors, n, &low, &high, scale, &norm, NULL, NULL));
  if (status) goto out;
  out->count = 0;
  for (size_t k = 0; k < wide; k++) {
    const size_t at = (size_t)out->count * wide, bytes = wide * sizeof *vectors;
    out->mode[out->count++] = (mode){re[k], im[k], 0};
    if (vectors) memcpy(out->re + at, vectors + k * wide, bytes);
    if (vectors && im[k] != 0) memcpy(out->im + at, vectors + (k + 1) * wide, bytes);
    k += im[k] != 0;
  }
out:
  mem_free(re);
  mem_free(vectors);
  return status;
}

static ness_status eigen_find(const dense *self, double *a, mode_list *out)
{
  return self->log ? eigen_symmetric(self, a, out) : eigen_general(self, a, out);
}

/* The generator in the form of the method. */
static void generator_scale(const dense *self, double *a)
{
  const size_t n = (size_t)self->n;
  for (size_t i = 0; self->log && i < n; i++) {
    for (size_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = sqrt(a[i * n + j]) * sqrt(a[j * n + i]);
  }
}

/* The inverse likewise: its rows are solves. */
static ness_status inverse_fill(const dense *self, double *a)
{
  const size_t n = (size_t)self->n;
  ness_status status = NESS_OK;
  for (size_t i = 0; i < n && !status; i++) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    memset(a + i * n, 0, n * sizeof *a);
    a[i * n + i] = 1;
    status = solver_left(self->inverse, a + i * n);
  }
  for (size_t i = 0; self->log && i < n && !status; i++) {
    for (size_t j = 0; j < i; j++) {
      const double ratio = exp(0.5 * (self->log[i] - self->log[j])); /* the row of the likelier state is the better */
      const double to = ratio > 1 ? a[i * n + j] * ratio : a[j * n + i] / ratio;
      a[i * n + j] = a[j * n + i] = to;
    }
  }
  return status;
}

/* --- order, zero, and what the inverse knows better --- */

typedef struct ranked {
  double size;
  int32_t at;
} ranked;

static int ranked_compare(const void *a, const void *b)
{
  const ranked *const x = a, *const y = b;
  return x->size < y->size ? -1 : x->size > y->size ? 1 : x->at - y->at;
}

static void rank_modes(const mode_list *list, ranked *rank)
{
  for (int32_t k = 0; k < list->count; k++) rank[k] = (ranked){hypot(list->mode[k].real, list->mode[k].imag), k};
  qsort(rank, (size_t)list->count, sizeof *rank, ranked_compare);
}

static void mode_copy(mode_list *to, int32_t at, const mode_list *from, int32_t k)
{
  const size_t n = (size_t)to->n, bytes = n * sizeof *to->re;
  to->mode[at] = from->mode[k];
  if (!to->re) return;
  memcpy(to->re + (size_t)at * n, from->re + (size_t)k * n, bytes);
  memcpy(to->im + (size_t)at * n, from->im + (size_t)k * n, bytes);
}

/* Where to cut the ranked modes of Q: at the widest gap near the middle of the scales, or nowhere (the number of them
 * that is 0). Q itself shows only the fast side of the gap, and that below it there are so and so many. */
static int32_t gap_find(const ranked *rank, int32_t count, int32_t zeros, double slowest)
{
  const double middle = sqrt(slowest) * sqrt(rank[count - 1].size);
  int32_t best = zeros;
  double widest = 1.0001;
  for (int32_t k = zeros + 1; k < count; k++) {
    const double above = rank[k].size, below = fmax(rank[k - 1].size, middle / DENSE_WINDOW);
    if (above < middle / DENSE_WINDOW || below > middle * DENSE_WINDOW) continue;
    const double gap = fmin(above, middle * DENSE_WINDOW) / below;
    if (gap > widest) {
      widest = gap;
      best = k;
    }
  }
  return best;
}

static int32_t eigenvalues_count(const mode_list *list, const ranked *rank, int32_t from, int32_t to)
{
  int32_t count = 0;
  for (int32_t k = from; k < to; k++) count += 1 + (list->mode[rank[k].at].imag != 0);
  return count;
}

/* Replaces the slow modes of `list` (ranked) by those of the inverse, when there is a clean cut. `a` is scratch. */
static ness_status slow_replace(dense *self, int32_t zeros, double *a, mode_list *list, ranked *rank)
{
  mode_list inverse = {0};
  ranked *order = NULL;
  ness_status status = NESS_OK;
  if (!self->inverse) status = solver_create(self->q, NULL, NULL, &self->inverse);
  if (!status) status = inverse_fill(self, a);
  if (!status) status = eigen_find(self, a, &inverse);
  if (status) goto out;
  order = mem_zero((size_t)self->n, sizeof *order);
  if (!order) status = NESS_NOMEM;
  if (status) goto out;
  rank_modes(&inverse, order);
  int32_t top = inverse.count;
  const int32_t cut = gap_find(rank, list->count, zeros, 1 / order[top - 1].size);
  int32_t slow = eigenvalues_count(list, rank, zeros, cut);
  int32_t bottom = top;
  while (slow > 0 && bottom > 0) slow -= 1 + (inverse.mode[order[--bottom].at].imag != 0);
  if (slow != 0 || list->count - (cut - zeros) + (top - bottom) > self->n) goto out;
  /* The fast ones move to the place after the slow ones, whose number of pairs may be another. */
  mode_list joined;
  status = modes_create(self->n, self->n, self->vectors, &joined);
  if (!status) {
    joined.count = 0;
    for (int32_t k = 0; k < zeros; k++) mode_copy(&joined, joined.count++, list, rank[k].at);
    while (top > bottom) {
      mode *const from = &inverse.mode[order[--top].at];
      const double size = order[top].size;
      *from = (mode){-from->real / size / size, from->imag / size / size, 0};
      mode_copy(&joined, joined.count++, &inverse, order[top].at);
    }
    for (int32_t k = cut; k < list->count; k++) mode_copy(&joined, joined.count++, list, rank[k].at);
    joined.reversible = list->reversible;
    modes_free(list);
    *list = joined;
  } else {
    modes_free(&joined);
  }
out:
  mem_free(order);
  modes_free(&inverse);
  return status;
}

/* The eigenvalue 0 of a closed chain, exactly, with the steady distribution. */
static ness_status zero_set(dense *self, mode_list *list, int32_t at)
{
  list->mode[at] = (mode){0};
  if (!list->re) return NESS_OK;
  ness_status status = NESS_OK;
  if (!self->inverse) status = solver_create(self->q, NULL, NULL, &self->inverse);
  if (status) return status;
  const size_t bytes = (size_t)self->n * sizeof *list->re, from = (size_t)at * (size_t)self->n;
  memcpy(list->re + from, solver_steady(self->inverse), bytes);
  memset(list->im + from, 0, bytes);
  return NESS_OK;
}

static ness_status dense_finish(dense *self, double *a, mode_list *list)
{
  const int32_t zeros = self->q->exit ? 0 : 1;
  ranked *const rank = mem_zero((size_t)self->n, sizeof *rank);
  ness_status status = rank ? NESS_OK : NESS_NOMEM;
  if (status) goto out;
  rank_modes(list, rank);
  if (zeros) status = zero_set(self, list, rank[0].at);
  if (!status && list->count > zeros && rank[zeros].size < DENSE_STIFF * rank[list->count - 1].size)
    status = slow_replace(self, zeros, a, list, rank);
out:
  mem_free(rank);
  return status;
}

ness_status modes_dense(const chain *q, bool vectors, mode_list *out)
{
  const size_t n = (size_t)q->n;
  dense self = {.q = q, .n = q->n, .vectors = vectors};
  *out = (mode_list){.n = q->n};
  double *const a = dense_generator(q), *work = NULL;
  ness_status status = a ? balance_find(&self, a) : NESS_NOMEM;
  if (!status && interrupt_pending()) status = NESS_INTERRUPTED;
  if (status) goto out;
  generator_scale(&self, a);
  status = eigen_find(&self, a, out);
  out->reversible = self.log != NULL;
  if (!status) status = dense_finish(&self, a, out);
  if (status || !vectors) goto out;
  work = mem_zero(2 * n, sizeof *work);
  if (!work) status = NESS_NOMEM;
  for (size_t k = 0; k < (size_t)out->count && !status; k++)
    modes_residual(q, out->re + k * n, out->mode[k].imag != 0 ? out->im + k * n : NULL, work, &out->mode[k]);
out:
  if (status) modes_free(out);
  solver_free(self.inverse);
  mem_free(self.log);
  mem_free(work);
  mem_free(a);
  return status;
}
