/* Cycles over the levels of levels.h. The linear one is a K-cycle: on every level below the first, up to two steps of
 * GCR with the cycle itself as preconditioner, forward and backward Gauss-Seidel around the correction; after Notay,
 * SIAM J. Sci. Comput. 34, A2288 (2012). The multiplicative one smooths positive weights, aggregates with them and
 * multiplies by what the coarser level found, as Horton and Leutenegger (SIGMETRICS 1994). Invariant: sums run in
 * fixed blocks, and Gauss-Seidel in the order of the states however many threads share it, so the bits do not depend on
 * their number. Cost of a cycle: eight passes over the transitions of each level, times
 * two for each level further down. */
#include "engine/markov/levels.h"

#include <float.h>
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { DOT_BLOCK = 8192, DOT_LANES = 8 };

static double block_dot(const float *weight, const float *a, const float *b, int32_t n)
{
  double lane[DOT_LANES] = {0};
  int32_t i = 0;
  if (weight) {
    for (; i + DOT_LANES <= n; i += DOT_LANES) {
      for (int k = 0; k < DOT_LANES; k++) lane[k] += (double)weight[i + k] * ((double)a[i + k] * (double)b[i + k]);
    }
    for (int k = 0; i < n; i++, k++) lane[k] += (double)weight[i] * ((double)a[i] * (double)b[i]);
  } else {
    for (; i + DOT_LANES <= n; i += DOT_LANES) {
      for (int k = 0; k < DOT_LANES; k++) lane[k] += (double)a[i + k] * (double)b[i + k];
    }
    for (int k = 0; i < n; i++, k++) lane[k] += (double)a[i] * (double)b[i];
  }
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

double cycle_dot(const float *weight, const float *a, const float *b, int32_t n)
{
  enum { CHUNK = 64 };
  double sum = 0;
  for (int32_t from = 0; from < n;) { /* sums of blocks, CHUNK at a time */
    double part[CHUNK] = {0};
    const int32_t left = n - from, count = left >= CHUNK * DOT_BLOCK ? CHUNK : (left + DOT_BLOCK - 1) / DOT_BLOCK;
#pragma omp parallel for schedule(static) if (left > LEVELS_SERIAL)
    for (int32_t k = 0; k < count; k++) {
      const int32_t at = from + k * DOT_BLOCK, size = n - at < DOT_BLOCK ? n - at : DOT_BLOCK;
      part[k] = block_dot(weight ? weight + at : NULL, a + at, b + at, size);
    }
    for (int32_t k = 0; k < count; k++) sum += part[k];
    if (left <= CHUNK * DOT_BLOCK) break;
    from += CHUNK * DOT_BLOCK;
  }
  return sum;
}

/* --- one level --- */

static inline float row_defect(const level_rows *rows, const float *gain, const float *u, int32_t j)
{
  const float here = u[j];
  float sum = (gain[j] - 1) * here; /* differences first: a constant is in the kernel whatever the rounding */
  for (int64_t e = rows->start[j]; e < rows->start[j + 1]; e++) sum += rows->value[e] * (here - u[rows->to[e]]);
  return sum;
}

void cycle_apply(const level *self, int side, const float *u, float *out)
{
  const level_rows *const rows = &self->side[side];
#pragma omp parallel for schedule(static) if (self->wide)
  for (int32_t j = 0; j < self->n; j++) out[j] = row_defect(rows, self->gain, u, j);
}

typedef struct line { /* of chunks, that the threads take from in turn */
  const level *level;
  bool back;
  cycle_sweep sweep;
  void *context;
  int32_t chunks;
  atomic_int taken, done;
} line;

static void line_sweep(line *self, int32_t at)
{
  const int32_t n = self->level->n, from = self->level->chunk[at] * LEVELS_CHUNK;
  self->sweep(self->context, from, n - from < LEVELS_CHUNK ? n : from + LEVELS_CHUNK, self->back);
}

/* Takes chunks until there are none, each when all stages before its own are done. Waiting lets others have the
 * processor: a thread that lost its own may hold the chunk that is waited for. */
static void line_work(line *self)
{
  const int32_t *const start = self->level->stage_start, chunks = self->chunks;
  int32_t s = self->back ? self->level->stages - 1 : 0;
  for (int32_t k; (k = atomic_fetch_add_explicit(&self->taken, 1, memory_order_relaxed)) < chunks;) {
    const int32_t at = self->back ? chunks - 1 - k : k;
    while (at < start[s]) s--;
    while (at >= start[s + 1]) s++;
    const int32_t before = self->back ? chunks - start[s + 1] : start[s];
    while (atomic_load_explicit(&self->done, memory_order_acquire) < before) sched_yield();
    line_sweep(self, at);
    atomic_fetch_add_explicit(&self->done, 1, memory_order_acq_rel);
  }
}

void cycle_stages(const level *self, bool back, cycle_sweep sweep, void *context)
{
  line run = {.level = self, .back = back, .sweep = sweep, .context = context};
  run.chunks = self->stage_start[self->stages];
#pragma omp parallel if (self->wide && 2 * self->stages <= run.chunks)
  line_work(&run);
}

typedef struct smooth { /* what the sweeps over a level are told */
  const level *level;
  level_rows rows;
  const float *b;
  float *u;
} smooth;

/* Sum of value u over a row from its begin, or from its end where memory is walked backwards; four sums side by side,
 * since one alone would wait for each of its additions. */
static inline float row_sum(const smooth *self, int32_t j, bool back)
{
  const int64_t first = self->rows.start[j], last = self->rows.start[j + 1], step = back ? -1 : 1;
  const int32_t *to = self->rows.to + (back ? last - 1 : first);
  const float *value = self->rows.value + (back ? last - 1 : first), *const u = self->u;
  float sum[4] = {0};
  int64_t left = last - first;
  for (; left >= 4; left -= 4, to += 4 * step, value += 4 * step) {
    sum[0] += value[0] * u[to[0]];
    sum[1] += value[step] * u[to[step]];
    sum[2] += value[2 * step] * u[to[2 * step]];
    sum[3] += value[3 * step] * u[to[3 * step]];
  }
  for (int k = 0; k < left; k++) sum[k] += value[k * step] * u[to[k * step]];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void chunk_sweep(void *context, int32_t from, int32_t to, bool back)
{
  const smooth *const self = context;
  const float *const gain = self->level->gain;
  if (back) {
    for (int32_t j = to - 1; j >= from; j--) self->u[j] = (self->b[j] + row_sum(self, j, true)) / gain[j];
  } else {
    for (int32_t j = from; j < to; j++) self->u[j] = (self->b[j] + row_sum(self, j, false)) / gain[j];
  }
}

static void level_sweep(const level *self, int side, bool back, const float *b, float *u)
{
  smooth run = {.level = self, .rows = self->side[side], .b = b, .u = u};
  cycle_stages(self, back, chunk_sweep, &run);
}

/* out = what is left of b, gathered on the level below: rows in their own order first, which memory likes better. */
static void level_restrict(const level *self, int side, const float *b, const float *u, float *out, int32_t count)
{
  const level_rows *const rows = &self->side[side];
  float *const left = self->vector[6];
#pragma omp parallel for schedule(static) if (self->wide)
  for (int32_t j = 0; j < self->n; j++) left[j] = self->weight[j] * (b[j] - row_defect(rows, self->gain, u, j));
#pragma omp parallel for schedule(static) if (self->wide)
  for (int32_t a = 0; a < count; a++) {
    float sum = 0;
    for (int32_t k = self->member_start[a]; k < self->member_start[a + 1]; k++) sum += left[self->member[k]];
    out[a] = sum;
  }
}

/* The coarsest level by its elimination; the answer has mean zero. */
static void dense_solve(hierarchy *self, int side, const float *b, float *u)
{
  const level *const a = &self->at[self->count - 1];
  const int32_t n = a->n;
  const double *const f = self->dense;
  double *const x = self->scratch;
  const int32_t to_row = side ? n : 1, to_column = side ? 1 : n; /* f from i to j is f[i * to_column + j * to_row] */
  for (int32_t j = 0; j < n; j++) x[j] = (double)b[j] * a->in[j];
  for (int32_t k = n - 1; k > 0; k--) {
    const double by = x[k] / f[k * n + k];
    for (int32_t j = 0; j < k; j++) x[j] += by * f[k * to_column + j * to_row];
  }
  double mean = x[0] = 0;
  for (int32_t k = 1; k < n; k++) {
    double sum = x[k];
    for (int32_t i = 0; i < k; i++) sum += x[i] * f[i * to_column + k * to_row];
    x[k] = sum / f[k * n + k];
    mean += x[k] / n;
  }
  for (int32_t k = 0; k < n; k++) u[k] = (float)(x[k] - mean);
}

/* --- the linear cycle --- */

static void krylov_pair(hierarchy *self, int32_t l, int side);

static void precondition_level(hierarchy *self, int32_t l, int side, const float *b, float *u)
{
  level *const a = &self->at[l];
  if (l + 1 == self->count) {
    dense_solve(self, side, b, u);
    return;
  }
  level *const c = a + 1;
  memset(u, 0, (size_t)a->n * sizeof *u);
  for (int32_t k = 0; k < 2 * self->sweeps + 1; k++) level_sweep(a, side, k & 1, b, u);
  level_restrict(a, side, b, u, c->vector[0], c->n);
  krylov_pair(self, l + 1, side);
  const float *const below = c->vector[1];
#pragma omp parallel for schedule(static) if (a->wide)
  for (int32_t j = 0; j < a->n; j++) u[j] += below[a->coarse[j]];
  for (int32_t k = 0; k < 2 * self->sweeps + 1; k++) level_sweep(a, side, !(k & 1), b, u);
}

/* vector[1] = about the solution for vector[0] (which is spoilt), by up to two steps of GCR. */
static void krylov_pair(hierarchy *self, int32_t l, int side)
{
  level *const a = &self->at[l];
  const int32_t n = a->n;
  float *const r = a->vector[0], *const x = a->vector[1], *const c = a->vector[2], *const v = a->vector[3];
  float *const d = a->vector[4], *const w = a->vector[5];
  const float *const norm = a->norm;
  if (l + 1 == self->count) {
    dense_solve(self, side, r, x);
    return;
  }
  precondition_level(self, l, side, r, c);
  cycle_apply(a, side, c, v);
  const double vv = cycle_dot(norm, v, v, n), rr = cycle_dot(norm, r, r, n);
  const double first = vv > 0 ? cycle_dot(norm, v, r, n) / vv : 0;
  const double left = rr - first * first * vv;
  const bool enough = !(vv > 0) || left <= 0.0625 * rr;
#pragma omp parallel for schedule(static) if (a->wide)
  for (int32_t j = 0; j < n; j++) {
    x[j] = (float)first * c[j];
    r[j] -= (float)first * v[j];
  }
  if (enough) return;
  precondition_level(self, l, side, r, d);
  cycle_apply(a, side, d, w);
  const double vw = cycle_dot(norm, v, w, n) / vv, ww = cycle_dot(norm, w, w, n) - vw * vw * vv;
  if (!(ww > 1e-12 * vv)) return;
  const double second = (cycle_dot(norm, w, r, n) - vw * cycle_dot(norm, v, r, n)) / ww;
#pragma omp parallel for schedule(static) if (a->wide)
  for (int32_t j = 0; j < n; j++) x[j] += (float)second * (d[j] - (float)vw * c[j]);
}

void cycle_precondition(hierarchy *self, int side, const float *b, float *u)
{
  precondition_level(self, 0, side, b, u);
}

/* --- the multiplicative cycle --- */

typedef struct relax {
  const level *level;
  double *u;
} relax;

static void chunk_relax(void *context, int32_t from, int32_t to, bool back)
{
  const relax *const self = context;
  const level *const a = self->level;
  const level_rows rows = a->side[0];
  for (int32_t m = from; m < to; m++) {
    const int32_t j = back ? to - 1 - (m - from) : m;
    double sum = 0;
    for (int64_t e = rows.start[j]; e < rows.start[j + 1]; e++) sum += (double)rows.value[e] * self->u[rows.to[e]];
    self->u[j] = sum / (double)a->gain[j];
  }
}

/* u <- smoothed u: every state takes what flows in over what flows out. */
static void level_relax(const level *self, double *u, int32_t sweeps)
{
  relax run = {.level = self, .u = u};
  for (int32_t sweep = 0; sweep < 2 * sweeps; sweep++) cycle_stages(self, sweep & 1, chunk_relax, &run);
}

/* The steady ratio of the coarsest level. */
static ness_status dense_steady(hierarchy *self, double *u)
{
  const level *const a = &self->at[self->count - 1];
  const int32_t n = a->n;
  const ness_status status = levels_factor(self);
  if (status) return status;
  const double *const f = self->dense;
  u[0] = 1;
  for (int32_t k = 1; k < n; k++) {
    double sum = 0;
    for (int32_t i = 0; i < k; i++) sum += u[i] * f[i * n + k];
    u[k] = sum / f[k * n + k];
    if (!(u[k] > DBL_MIN && u[k] < DBL_MAX)) return NESS_NUMERIC;
  }
  return NESS_OK;
}

typedef struct multiply { /* what every level is told */
  hierarchy *levels;
  int32_t sweeps;
} multiply;

static ness_status multiply_level(const multiply *self, int32_t l, bool keep, double *u);

/* Smooths, corrects by the level below, smooths. */
static ness_status multiply_once(const multiply *self, int32_t l, bool keep, double *u)
{
  level *const a = &self->levels->at[l];
  level_relax(a, u, self->sweeps);
  ness_status status = levels_coarsen(self->levels, l, u, keep);
  if (status) return status;
  const int32_t n = a[1].n;
  double *const below = mem_alloc((size_t)n * sizeof *below);
  if (!below) return NESS_NOMEM;
  for (int32_t k = 0; k < n; k++) below[k] = 1;
  status = multiply_level(self, l + 1, keep, below);
  if (!status) {
#pragma omp parallel for schedule(static) if (a->wide)
    for (int32_t j = 0; j < a->n; j++) u[j] *= below[a->coarse[j]];
    level_relax(a, u, self->sweeps);
  }
  mem_free(below);
  return status;
}

static ness_status multiply_level(const multiply *self, int32_t l, bool keep, double *u)
{
  hierarchy *const h = self->levels;
  level *const a = &h->at[l];
  if (interrupt_pending()) return NESS_INTERRUPTED;
  if (a->n <= LEVELS_DENSE) {
    h->count = l + 1;
    return dense_steady(h, u);
  }
  if (l + 2 > LEVELS_MOST) return NESS_NUMERIC;
  ness_status status = NESS_OK;
  const int32_t visits = l < 2 ? l + 1 : 3; /* two would leave what is smooth as slow as one, if they were exact */
  for (int32_t k = 0; k < visits && !status; k++) status = multiply_once(self, l, keep || k > 0, u);
  return status;
}

ness_status cycle_multiply(hierarchy *self, int32_t sweeps, bool keep, double *u)
{
  const multiply m = {.levels = self, .sweeps = sweeps};
  return multiply_level(&m, 0, keep, u);
}
