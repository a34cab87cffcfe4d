/* Elimination in one dense front by panels of 32 pivots: the rows of a panel one after another, since each pivot
 * is the sum of its finished row; the columns by the triangle that the rows leave; then all that remains at once, by
 * tiles of 8 x 8 whose operands are packed. An entry receives its terms in the order of the pivots, whatever thread
 * works on it. Cost: sum of (p + c - k)^2 multiply-adds; about a tenth of it outside the tiles at 300 rows. */
#include "engine/markov/gth_front.h"
#include "engine/markov/gth_tile.h"
#include "engine/markov/sum.h"
#include <math.h>
#include <string.h>

#define LANES 4         /* sums that are made side by side */
#define LONG 32         /* entries of a row that are worth a call */
#define BLOCK 128       /* rows and columns of a piece of work for one thread */
#define FLOOR 0x1p-1000 /* products below it may have lost digits */
#define MANY (1 << 18)  /* multiply-adds that are worth waking threads for */

/* --- c += a b for operands that run over the pivots of a panel --- */

typedef struct operand { /* entry (k, i) is at[k * next_pivot + i * next] */
  const double *at;
  size_t next_pivot, next;
  int32_t count;
} operand;

static size_t tiles_of(int32_t count)
{
  return ((size_t)count + TILE - 1) / TILE;
}

/* Tile g of the operand: packed[k][i], zero beyond its end. */
static void operand_pack(const operand *self, size_t g, int32_t depth, double *packed)
{
  const size_t begin = g * TILE, count = (size_t)self->count - begin < TILE ? (size_t)self->count - begin : TILE;
  for (size_t k = 0; k < (size_t)depth; k++) {
    const double *const from = self->at + k * self->next_pivot + begin * self->next;
    for (size_t i = 0; i < TILE; i++) packed[k * TILE + i] = i < count ? from[i * self->next] : 0;
  }
}

/* What an update writes to: entry (i, j) is at[i * stride + j]. */
typedef struct target {
  double *at;
  size_t stride, rows, columns;
} target;

static void block_update(const target *c, int32_t depth, const double *left, const double *right, size_t row,
                         size_t column)
{
  const size_t step = (size_t)depth * TILE;
  const size_t row_end = row + BLOCK < c->rows ? row + BLOCK : c->rows;
  const size_t column_end = column + BLOCK < c->columns ? column + BLOCK : c->columns;
  const tile_kernels *const kernels = tile_best();
  for (size_t i = row; i < row_end; i += TILE) {
    const size_t high = row_end - i < TILE ? row_end - i : TILE;
    for (size_t j = column; j < column_end; j += TILE) {
      const size_t broad = column_end - j < TILE ? column_end - j : TILE;
      double acc[TILE][TILE];
      kernels->multiply(acc[0], left + i / TILE * step, right + j / TILE * step, depth);
      for (size_t s = 0; s < high; s++) {
        double *const to = c->at + (i + s) * c->stride + j;
        if (broad == TILE) {
          for (size_t t = 0; t < TILE; t++) to[t] += acc[s][t];
        } else {
          for (size_t t = 0; t < broad; t++) to[t] += acc[s][t];
        }
      }
    }
  }
}

/* Few terms: without packing. */
static void small_update(const operand *a, const operand *b, int32_t depth, const target *c)
{
  for (size_t i = 0; i < c->rows; i++) {
    double *const row = c->at + i * c->stride;
    if (depth == 1) {
      const double f = a->at[i * a->next];
      for (size_t j = 0; j < c->columns; j++) row[j] += f * b->at[j];
      continue;
    }
    for (size_t j = 0; j < c->columns; j++) {
      double sum = 0;
      for (size_t k = 0; k < (size_t)depth; k++) {
        sum += a->at[k * a->next_pivot + i * a->next] * b->at[k * b->next_pivot + j];
      }
      row[j] += sum;
    }
  }
}

/* Entry (i, j) of the target, whose rows lie `stride` apart, += sum over the panel of a(k, i) b(k, j), where b's
 * entries are side by side. Every sum is made by itself and added once. */
static void panel_update(const operand *a, const operand *b, int32_t depth, double *at, size_t stride, double *scratch,
                         bool wide)
{
  if (a->count == 0 || b->count == 0) return;
  const target target_of = {at, stride, (size_t)a->count, (size_t)b->count}, *const c = &target_of;
  const int64_t work = (int64_t)a->count * b->count * depth;
  if (work < 256 || depth == 1) {
    small_update(a, b, depth, c);
    return;
  }
  const size_t ga = tiles_of(a->count), gb = tiles_of(b->count), step = (size_t)depth * TILE;
  double *const left = scratch, *const right = scratch + ga * step;
  const size_t across = ((size_t)b->count + BLOCK - 1) / BLOCK,
               blocks = ((size_t)a->count + BLOCK - 1) / BLOCK * across;
  if (!wide || work <= MANY) {
    for (size_t g = 0; g < ga; g++) operand_pack(a, g, depth, left + g * step);
    for (size_t g = 0; g < gb; g++) operand_pack(b, g, depth, right + g * step);
    for (size_t t = 0; t < blocks; t++) {
      block_update(c, depth, left, right, t / across * BLOCK, t % across * BLOCK);
    }
    return;
  }
#pragma omp parallel default(none) shared(a, b, depth, c, left, right, ga, gb, step, across, blocks)
  {
#pragma omp for nowait
    for (size_t g = 0; g < ga; g++) operand_pack(a, g, depth, left + g * step);
#pragma omp for
    for (size_t g = 0; g < gb; g++) operand_pack(b, g, depth, right + g * step);
#pragma omp for schedule(dynamic)
    for (size_t t = 0; t < blocks; t++) {
      block_update(c, depth, left, right, t / across * BLOCK, t % across * BLOCK);
    }
  }
}

/* --- a panel --- */

/* The sum of x (count) with an error of 2 units at most, in four compensated sums. Narrows *least to the smallest
 * entry that is not zero. */
static void row_sum(const double *x, size_t count, exact_sum *total, double *least)
{
  exact_sum lane[LANES] = {{0, 0}};
  double low = *least;
  size_t j = 0;
  for (; j + LANES <= count; j += LANES) {
    for (size_t t = 0; t < LANES; t++) sum_add(&lane[t], x[j + t]);
    for (size_t t = 0; t < LANES; t++) low = x[j + t] > 0 && x[j + t] < low ? x[j + t] : low;
  }
  for (; j < count; j++) {
    sum_add(&lane[0], x[j]);
    low = x[j] > 0 && x[j] < low ? x[j] : low;
  }
  for (size_t t = 0; t < LANES; t++) {
    sum_add(total, lane[t].high);
    sum_add(total, lane[t].low);
  }
  *least = low;
}

/* y += f x. */
static void row_add(double *restrict y, double f, const double *restrict x, size_t count)
{
  if (count >= LONG) {
    tile_best()->add(y, f, x, count);
    return;
  }
  for (size_t j = 0; j < count; j++) y[j] += f * x[j];
}

/* Pivots k0 ... k1 - 1 and their rows; ratios below them within the panel. least[k - k0] is the smallest rate. */
static ness_status panel_rows(front_block *self, size_t k0, size_t k1, double *least)
{
  const size_t p = (size_t)self->p, c = (size_t)self->c;
  for (size_t k = k0; k < k1; k++) {
    double *const row = self->square + k * p, *const up = self->up + k * c;
    exact_sum total = {self->exit[k], 0};
    least[k - k0] = self->exit[k] > 0 ? self->exit[k] : INFINITY;
    row_sum(row + k + 1, p - k - 1, &total, &least[k - k0]);
    row_sum(up, c, &total, &least[k - k0]);
    const double s = sum_get(&total);
    if (!(s > 0) || !isfinite(s)) return NESS_NUMERIC;
    row[k] = s;
    for (size_t i = k + 1; i < k1; i++) {
      double *const below = self->square + i * p;
      const double f = below[k] /= s;
      if (f == 0) continue;
      row_add(below + k + 1, f, row + k + 1, p - k - 1);
      row_add(self->up + i * c, f, up, c);
      self->exit[i] += f * self->exit[k];
    }
  }
  return NESS_OK;
}

/* Ratios of the panel's columns in the row of a later pivot. */
static void column_ratios(front_block *self, size_t k0, size_t k1, size_t i)
{
  const size_t p = (size_t)self->p;
  double *const row = self->square + i * p;
  for (size_t k = k0; k < k1; k++) {
    const double *const pivot = self->square + k * p, f = row[k] /= pivot[k];
    if (f == 0) continue;
    row_add(row + k + 1, f, pivot + k + 1, k1 - k - 1);
    self->exit[i] += f * self->exit[k];
  }
}

/* The same in a block of rows of the rest, which lie transposed. */
static void rest_ratios(front_block *self, size_t k0, size_t k1, size_t from)
{
  const size_t p = (size_t)self->p, c = (size_t)self->c, count = c - from < BLOCK ? c - from : BLOCK;
  for (size_t k = k0; k < k1; k++) {
    const double *const pivot = self->square + k * p, s = pivot[k];
    double *const ratio = self->down + k * c + from;
    for (size_t i = 0; i < count; i++) ratio[i] /= s;
    for (size_t j = k + 1; j < k1; j++) {
      if (pivot[j] != 0) row_add(self->down + j * c + from, pivot[j], ratio, count);
    }
    if (self->exit[k] > 0) row_add(self->rest_exit + from, self->exit[k], ratio, count);
  }
}

/* Both. A parallel region that one thread runs costs more than a small front, hence two loops each. */
static void panel_ratios(front_block *self, size_t k0, size_t k1, bool wide)
{
  const size_t p = (size_t)self->p, c = (size_t)self->c;
  if (!wide || (p - k1 + c) * (k1 - k0) <= MANY / FRONT_PANEL) {
    for (size_t i = k1; i < p; i++) column_ratios(self, k0, k1, i);
    for (size_t from = 0; from < c; from += BLOCK) rest_ratios(self, k0, k1, from);
    return;
  }
#pragma omp parallel default(none) shared(self, k0, k1, p, c)
  {
#pragma omp for nowait
    for (size_t i = k1; i < p; i++) column_ratios(self, k0, k1, i);
#pragma omp for
    for (size_t from = 0; from < c; from += BLOCK) rest_ratios(self, k0, k1, from);
  }
}

/* Counts what the panel touched, for the bound. */
static void panel_count(front_block *self, size_t k0, size_t k1, const double *least)
{
  const size_t p = (size_t)self->p, c = (size_t)self->c;
  int32_t fan[FRONT_PANEL] = {0};
  double low[FRONT_PANEL];
  for (size_t k = 0; k < FRONT_PANEL; k++) low[k] = INFINITY;
  for (size_t i = k0 + 1; i < p; i++) {
    const double *const row = self->square + i * p + k0;
    for (size_t k = 0; k < (i < k1 ? i : k1) - k0; k++) {
      fan[k] += row[k] > 0;
      low[k] = row[k] > 0 && row[k] < low[k] ? row[k] : low[k];
    }
  }
  int64_t touched = 0;
  for (size_t k = k0; k < k1; k++) {
    const double *const ratio = self->down + k * c;
    int32_t count = fan[k - k0];
    double smallest = low[k - k0];
    for (size_t i = 0; i < c; i++) {
      count += ratio[i] > 0;
      smallest = ratio[i] > 0 && ratio[i] < smallest ? ratio[i] : smallest;
    }
    if (smallest * least[k - k0] < FLOOR) self->thin = true;
    self->fan[k] = count;
    self->rounds += count * (k + 1 < k1 ? 4 : 2);
    touched += count;
  }
  const int64_t left = (int64_t)(p - k1 + c);
  self->rounds += (touched < left ? touched : left) * (int64_t)(k1 - k0 + 1);
}

static void panel_spread(front_block *self, size_t k0, size_t k1, double *scratch, bool wide)
{
  const size_t p = (size_t)self->p, c = (size_t)self->c;
  const int32_t depth = (int32_t)(k1 - k0), later = (int32_t)(p - k1);
  const double *const corner = self->square + k0 * p + k1;
  const operand row = {corner, p, 1, later}, up = {self->up + k0 * c, c, 1, self->c};
  const operand column = {self->square + k1 * p + k0, 1, p, later}, down = {self->down + k0 * c, c, 1, self->c};
  panel_update(&column, &row, depth, self->square + k1 * p + k1, p, scratch, wide);
  panel_update(&column, &up, depth, self->up + k1 * c, c, scratch, wide);
  panel_update(&row, &down, depth, self->down + k1 * c, c, scratch, wide);
  panel_update(&down, &up, depth, self->schur, c, scratch, wide);
}

size_t front_scratch(int32_t rows)
{
  return 2 * FRONT_PANEL * ((size_t)rows + TILE);
}

ness_status front_eliminate(front_block *self, double *scratch, bool wide)
{
  self->rounds = 0;
  self->thin = false;
  double least[FRONT_PANEL];
  for (int32_t k = 0; k < self->last; k += FRONT_PANEL) {
    const size_t k0 = (size_t)k, left = (size_t)(self->last - k), k1 = k0 + (left < FRONT_PANEL ? left : FRONT_PANEL);
    if (interrupt_pending()) return NESS_INTERRUPTED;
    const ness_status status = panel_rows(self, k0, k1, least);
    if (status) return status;
    panel_ratios(self, k0, k1, wide);
    panel_count(self, k0, k1, least);
    panel_spread(self, k0, k1, scratch, wide);
  }
  return NESS_OK;
}
