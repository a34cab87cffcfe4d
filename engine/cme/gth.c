/* Elimination of states without subtraction: a state k is removed by giving its rates to the ways through it,
 *   q_ij += q_ik q_kj / s_k,  s_k = sum of the rates that still leave k,
 * so every quantity is a sum of products of positive numbers and keeps its relative accuracy whatever its size
 * (Grassmann, Taksar, Heyman, Oper. Res. 33, 1107 (1985); O'Cinneide, Numer. Math. 65, 109 (1993)). The diagonal is
 * never formed. Rates out of the graph are one more column, so absorption is as accurate as the steady state. The
 * factors live in an envelope in reverse Cuthill-McKee order, by groups of four rows, and are computed left-looking by
 * tiles of 4 x 4. Cost: n b^2 operations and 2 n b doubles for mean width b; at most 2/3 n^3 and n^2. */
#include "engine/cme/gth.h"
#include "engine/cme/sum.h"
#include <math.h>

#define TILE 4

/* acc[i][j] += sum over t of a[t][i] * b[t][j]. */
static void tile_add(double *restrict tile, const double *restrict a, const double *restrict b, int32_t length)
{
  double acc[TILE][TILE] = {{0}};
  for (int32_t t = 0; t < length; t++, a += TILE, b += TILE) {
    for (int i = 0; i < TILE; i++) {
      for (int j = 0; j < TILE; j++) acc[i][j] += a[i] * b[j];
    }
  }
  for (int i = 0; i < TILE; i++) {
    for (int j = 0; j < TILE; j++) tile[TILE * i + j] += acc[i][j];
  }
}

/* The panel row of group g that meets row t. */
static double *panel_at(double *values, const gth *self, int32_t g, int32_t t)
{
  return values + self->panel[g] + (size_t)(t - self->first[g]) * TILE;
}

static int32_t max_of(int32_t a, int32_t b)
{
  return a > b ? a : b;
}

/* --- loading --- */

static ness_status gth_shape(gth *self, const gth_graph *graph)
{
  self->n = graph->n;
  self->pad = (TILE - graph->n % TILE) % TILE;
  self->rows = self->n + self->pad;
  self->ngroup = self->rows / TILE;
  const size_t groups = (size_t)self->ngroup;
  self->place = mem_zero((size_t)self->n, sizeof *self->place);
  self->first = mem_zero(groups, sizeof *self->first);
  self->last = mem_zero(groups, sizeof *self->last);
  self->panel = mem_zero(groups + 1, sizeof *self->panel);
  if (!self->place || !self->first || !self->last || !self->panel) return NESS_NOMEM;
  const ness_status status = gth_order(graph, self->place);
  if (status) return status;

  for (int32_t i = 0; i < self->n; i++) self->place[i] += self->pad;
  for (int32_t g = 0; g < self->ngroup; g++) self->first[g] = g * TILE, self->last[g] = g;
  for (int32_t i = 0; i < self->n; i++) {
    for (int64_t e = graph->start[i]; e < graph->start[i + 1]; e++) {
      const int32_t a = self->place[i], b = self->place[graph->to[e]];
      const int32_t low = a < b ? a : b, group = max_of(a, b) / TILE;
      if (low / TILE * TILE < self->first[group]) self->first[group] = low / TILE * TILE;
    }
  }
  for (int32_t g = 0; g < self->ngroup; g++) {
    self->panel[g + 1] = self->panel[g] + (size_t)(g * TILE - self->first[g]) * TILE;
    self->last[self->first[g] / TILE] = g;
  }
  for (int32_t g = 1; g < self->ngroup; g++) self->last[g] = max_of(self->last[g], self->last[g - 1]);
  self->bytes = (2 * self->panel[groups] + (TILE + 2) * (size_t)self->rows) * sizeof(double);
  return NESS_OK;
}

static ness_status gth_load(gth *self, const gth_graph *graph)
{
  const size_t rows = (size_t)self->rows, values = self->panel[self->ngroup];
  self->lower = mem_zero(values + 1, sizeof(double));
  self->upper = mem_zero(values + 1, sizeof(double));
  self->diag = mem_zero(rows * TILE, sizeof(double));
  self->exit = mem_zero(rows, sizeof(double));
  self->pivot = mem_zero(rows, sizeof(double));
  if (!self->lower || !self->upper || !self->diag || !self->exit || !self->pivot) return NESS_NOMEM;
  for (int32_t i = 0; i < self->n; i++) {
    const int32_t a = self->place[i];
    if (graph->exit) self->exit[a] = graph->exit[i];
    for (int64_t e = graph->start[i]; e < graph->start[i + 1]; e++) {
      const int32_t b = self->place[graph->to[e]];
      if (a / TILE == b / TILE) {
        self->diag[a * TILE + b % TILE] += graph->rate[e];
      } else if (a > b) {
        panel_at(self->lower, self, a / TILE, b)[a % TILE] += graph->rate[e];
      } else {
        panel_at(self->upper, self, b / TILE, a)[b % TILE] += graph->rate[e];
      }
    }
  }
  return NESS_OK;
}

/* --- elimination --- */

/* Brings the rows and columns of group k up to date with all states removed before it. */
static void group_update(gth *self, int32_t k)
{
  const int32_t top = k * TILE, from = self->first[k];
  const double *const low_k = panel_at(self->lower, self, k, from), *const up_k = panel_at(self->upper, self, k, from);
  tile_add(self->diag + top * TILE, low_k, up_k, top - from);
  for (int32_t t = from; t < top; t++) {
    for (int i = 0; i < TILE; i++) self->exit[top + i] += low_k[(t - from) * TILE + i] * self->exit[t];
  }
  for (int32_t m = k + 1; m <= self->last[k]; m++) {
    const int32_t begin = max_of(from, self->first[m]);
    if (begin >= top) continue;
    const int32_t skip = (begin - from) * TILE;
    tile_add(panel_at(self->upper, self, m, top), low_k + skip, panel_at(self->upper, self, m, begin), top - begin);
    tile_add(panel_at(self->lower, self, m, top), up_k + skip, panel_at(self->lower, self, m, begin), top - begin);
  }
}

/* Removes state `a` of group k: its pivot, its column of ratios, and its share in the rest of the group. */
static ness_status group_remove(gth *self, int32_t k, int a)
{
  const int32_t top = k * TILE;
  double *const diag = self->diag + top * TILE;
  double s = self->exit[top + a];
  for (int b = a + 1; b < TILE; b++) s += diag[TILE * a + b];
  for (int32_t m = k + 1; m <= self->last[k]; m++) {
    if (self->first[m] > top) continue;
    const double *const row = panel_at(self->upper, self, m, top) + TILE * a;
    s += (row[0] + row[1]) + (row[2] + row[3]);
  }
  if (!(s > 0) || !isfinite(s)) return NESS_NUMERIC;
  self->pivot[top + a] = s;

  for (int i = a + 1; i < TILE; i++) {
    const double f = diag[TILE * i + a] /= s;
    for (int j = a + 1; j < TILE; j++) diag[TILE * i + j] += f * diag[TILE * a + j];
    self->exit[top + i] += f * self->exit[top + a];
  }
  for (int32_t m = k + 1; m <= self->last[k]; m++) {
    if (self->first[m] > top) continue;
    double *const up = panel_at(self->upper, self, m, top), *const low = panel_at(self->lower, self, m, top);
    for (int j = 0; j < TILE; j++) low[TILE * a + j] /= s;
    for (int i = a + 1; i < TILE; i++) {
      for (int j = 0; j < TILE; j++) up[TILE * i + j] += diag[TILE * i + a] * up[TILE * a + j];
      for (int j = 0; j < TILE; j++) low[TILE * i + j] += diag[TILE * a + i] * low[TILE * a + j];
    }
  }
  return NESS_OK;
}

ness_status gth_factor(gth *self, const gth_graph *graph)
{
  *self = (gth){0};
  ness_status status = gth_shape(self, graph);
  if (status) return status;
  if (self->bytes > mem_available()) return NESS_LIMIT;
  status = gth_load(self, graph);
  if (status) return status;

  /* A closed graph keeps its last state: everything is relative to it. */
  const int32_t end = graph->exit ? self->rows : self->rows - 1;
  for (int32_t k = 0; k < self->ngroup; k++) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    group_update(self, k);
    for (int a = 0; a < TILE; a++) {
      const int32_t row = k * TILE + a;
      if (row < self->pad || row >= end) continue;
      status = group_remove(self, k, a);
      if (status) return status;
    }
  }
  return NESS_OK;
}

void gth_free(gth *self)
{
  mem_free(self->place);
  mem_free(self->first);
  mem_free(self->last);
  mem_free(self->panel);
  mem_free(self->lower);
  mem_free(self->upper);
  mem_free(self->diag);
  mem_free(self->exit);
  mem_free(self->pivot);
  *self = (gth){0};
}

/* --- solutions --- */

/* x_i += sum over k > i of x_k q_ki / s_i, from the last row to the first. `free_scale` says that x is known up to a
 * factor: then it is brought down before it can overflow. */
static void gth_back(const gth *self, double *x, bool free_scale)
{
  for (int32_t g = self->ngroup - 1; g >= 0; g--) {
    const int32_t top = g * TILE;
    double *const tile = x + top;
    const double *const diag = self->diag + top * TILE, *panel = self->lower + self->panel[g];
    for (int a = TILE - 1; a > 0; a--) {
      for (int b = 0; b < a; b++) tile[b] += tile[a] * diag[TILE * a + b];
    }
    if (free_scale && fmax(fmax(tile[0], tile[1]), fmax(tile[2], tile[3])) > 0x1p400) {
      for (int32_t i = 0; i < self->rows; i++) x[i] *= 0x1p-400;
    }
    for (int32_t t = self->first[g]; t < top; t++, panel += TILE) {
      x[t] += (tile[0] * panel[0] + tile[1] * panel[1]) + (tile[2] * panel[2] + tile[3] * panel[3]);
    }
  }
}

ness_status gth_steady(const gth *self, double *p)
{
  double *const x = mem_zero((size_t)self->rows, sizeof *x);
  if (!x) return NESS_NOMEM;
  x[self->rows - 1] = 1;
  gth_back(self, x, true);
  cme_sum sum = {0, 0};
  for (int32_t i = 0; i < self->rows; i++) sum_add(&sum, x[i]);
  const double total = sum_get(&sum);
  for (int32_t i = 0; i < self->n; i++) p[i] = x[self->place[i]] / total;
  mem_free(x);
  return isfinite(total) ? NESS_OK : NESS_NUMERIC;
}

ness_status gth_times(const gth *self, double *w)
{
  double *const x = mem_zero((size_t)self->rows, sizeof *x);
  if (!x) return NESS_NOMEM;
  for (int32_t i = 0; i < self->n; i++) x[self->place[i]] = w[i];
  for (int32_t g = 0; g < self->ngroup; g++) {
    const int32_t top = g * TILE;
    double *const tile = x + top;
    const double *const diag = self->diag + top * TILE, *panel = self->upper + self->panel[g];
    for (int32_t t = self->first[g]; t < top; t++, panel += TILE) {
      for (int b = 0; b < TILE; b++) tile[b] += x[t] * panel[b];
    }
    for (int a = 0; a < TILE; a++) {
      if (top + a < self->pad) continue;
      tile[a] /= self->pivot[top + a];
      for (int b = a + 1; b < TILE; b++) tile[b] += tile[a] * diag[TILE * a + b];
    }
  }
  gth_back(self, x, false);
  bool fine = true;
  for (int32_t i = 0; i < self->n; i++) {
    w[i] = x[self->place[i]];
    fine = fine && isfinite(w[i]);
  }
  mem_free(x);
  return fine ? NESS_OK : NESS_NUMERIC;
}
