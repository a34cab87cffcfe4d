/* Collocation at the Radau points (Radau IIA, order 2 s - 1; Hairer and Wanner, Solving Ordinary Differential Equations
 * II, IV.5): it damps what is fast and keeps its order on what is slow, whatever the ratio of the two. The
 * probabilities x_j of state j at the s nodes, from x_j = 1 at the start, obey x_j D_j - sum over i of x_i B_ij = 1 1
 * ... 1,  B_ij = h diag(k_ij(nodes)) A^T,  D_j = L_j + sum over i of B_ji, L = 1 which is the system of a chain with
 * exits whose rates are blocks of s x s. It is eliminated state by state as a chain is (gth.c): D_j is added up from
 * what leads on and what leaves, never subtracted from, so that probability is kept to rounding at any stiffness where
 * plain elimination would lose h times the fastest rate of it. Invariant: blocks exist where elimination in the order
 * of places can fill. Cost: 2 s^3 for each way through an eliminated state, 4 n s^2 for each block. */
#include "engine/markov/gth_order.h"
#include "engine/markov/periodic_parts.h"

#include <math.h>
#include <string.h>

enum { S = STEP_STAGES };

/* --- nodes --- */

/* P_s and P_(s-1) at x. */
static void radau_legendre(double x, double *last, double *before)
{
  *before = 1;
  *last = x;
  for (int k = 2; k <= S; k++) {
    const double next = ((2 * k - 1) * x * *last - (k - 1) * *before) / k;
    *before = *last;
    *last = next;
  }
}

static double radau_lagrange(const double *node, int q, double x)
{
  double value = 1;
  for (int r = 0; r < S; r++) value *= r == q ? 1 : (x - node[r]) / (node[q] - node[r]);
  return value;
}

/* Nodes are the zeros of P_s - P_(s-1), by Newton's method from those of Chebyshev. Lagrange polynomials have a degree
 * that the quadrature itself integrates exactly. */
static void radau_find(step *self)
{
  double last, before;
  for (int m = 0; m < S; m++) {
    double x = cos(2 * acos(-1) * (S - 1 - m) / (2 * S - 1));
    for (int k = 0; k < 20 && m < S - 1; k++) {
      radau_legendre(x, &last, &before);
      const double slope = S * (x * last - before) / (x * x - 1); /* of P_s; that of P_(s-1): */
      const double other = S * (last - x * before) / (x * x - 1);
      x -= (last - before) / (slope - other);
    }
    radau_legendre(x, &last, &before);
    self->node[m] = m < S - 1 ? (1 + x) / 2 : 1;
    self->weight[m] = m < S - 1 ? (1 + x) / (2.0 * S * S * before * before) : 1.0 / (S * S);
  }
  for (int q = 0; q < S; q++) {
    for (int m = 0; m < S; m++) {
      double sum = 0;
      for (int r = 0; r < S; r++) sum += self->weight[r] * radau_lagrange(self->node, q, self->node[m] * self->node[r]);
      self->into[q][m] = self->node[m] * sum;
    }
  }
}

/* --- structure --- */

static ness_status step_order(const chain *q, step *self)
{
  const size_t n = (size_t)self->n;
  ness_status status = NESS_NOMEM;
  int32_t *const start = mem_zero(3 * n + 3, sizeof *start), *const to = mem_alloc((n * n + 1) * sizeof *to);
  uint8_t *const joined = mem_zero(n * n + 1, sizeof *joined);
  if (!start || !to || !joined) goto out;
  for (size_t i = 0; i < n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++)
      joined[i * n + (size_t)q->to[e]] = joined[(size_t)q->to[e] * n + i] = 1;
  }
  for (size_t i = 0; i < n; i++) {
    start[i + 1] = start[i];
    for (size_t j = 0; j < n; j++) {
      if (joined[i * n + j] && i != j) to[start[i + 1]++] = (int32_t)j;
    }
  }
  const order_graph graph = {self->n, start, to};
  int32_t *const set = start + n + 1, *const order = set + n;
  status = order_degree(&graph, set, self->place, order);
out:
  mem_free(start);
  mem_free(to);
  mem_free(joined);
  return status;
}

static void step_fill(step *self)
{
  const int32_t n = self->n;
  for (int32_t i = 0; i < n * n; i++) self->at[i] = -1;
  for (int64_t e = 0; e < self->edges; e++) {
    int32_t *const at = &self->at[self->from[e] * n + self->to[e]];
    if (self->from[e] != self->to[e] && *at < 0) *at = self->blocks++;
  }
  for (int32_t k = 0, ins = 0, outs = 0; k < n; k++) {
    for (int32_t i = k + 1; i < n; i++) {
      if (self->at[i * n + k] >= 0) self->in[ins++] = i;
      if (self->at[k * n + i] >= 0) self->out[outs++] = i;
    }
    self->in_start[k + 1] = ins;
    self->out_start[k + 1] = outs;
    for (int32_t a = self->in_start[k]; a < ins; a++) {
      for (int32_t b = self->out_start[k]; b < outs; b++) {
        int32_t *const at = &self->at[self->in[a] * n + self->out[b]];
        if (self->in[a] != self->out[b] && *at < 0) *at = self->blocks++;
      }
    }
  }
}

ness_status step_create(const chain *q, step *out)
{
  const size_t n = (size_t)q->n, edges = (size_t)q->start[q->n];
  *out = (step){.n = q->n, .edges = q->start[q->n]};
  radau_find(out);
  out->place = mem_zero(n + 1, sizeof *out->place);
  out->from = mem_zero(edges + 1, sizeof *out->from);
  out->to = mem_zero(edges + 1, sizeof *out->to);
  out->at = mem_zero(n * n + 1, sizeof *out->at);
  out->in_start = mem_zero(n + 1, sizeof *out->in_start);
  out->out_start = mem_zero(n + 1, sizeof *out->out_start);
  out->in = mem_zero(n * n / 2 + 1, sizeof *out->in);
  out->out = mem_zero(n * n / 2 + 1, sizeof *out->out);
  out->leave = mem_zero(n + 1, STEP_BLOCK * sizeof *out->leave);
  out->inverse = mem_zero(n + 1, STEP_BLOCK * sizeof *out->inverse);
  out->scaled = mem_zero(n + 1, STEP_BLOCK * sizeof *out->scaled);
  if (!out->place || !out->from || !out->to || !out->at || !out->in_start || !out->out_start || !out->in || !out->out ||
      !out->leave || !out->inverse || !out->scaled)
    return NESS_NOMEM;
  const ness_status status = step_order(q, out);
  if (status) return status;
  for (int32_t i = 0; i < q->n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      out->from[e] = out->place[i];
      out->to[e] = out->place[q->to[e]];
    }
  }
  step_fill(out);
  out->block = mem_zero((size_t)out->blocks + 1, STEP_BLOCK * sizeof *out->block);
  return out->block ? NESS_OK : NESS_NOMEM;
}

void step_free(step *self)
{
  mem_free(self->place);
  mem_free(self->from);
  mem_free(self->to);
  mem_free(self->at);
  mem_free(self->in_start);
  mem_free(self->out_start);
  mem_free(self->in);
  mem_free(self->out);
  mem_free(self->block);
  mem_free(self->leave);
  mem_free(self->inverse);
  mem_free(self->scaled);
  *self = (step){0};
}

/* --- blocks --- */

/* c = a b, or c += a b where `more`; a and c (rows x S). */
static inline void block_product(int32_t rows, const double *restrict a, const double *restrict b, bool more,
                                 double *restrict c)
{
  for (int32_t r = 0; r < rows; r++) {
    double sum[S] = {0};
    if (more) memcpy(sum, c + r * S, sizeof sum);
    for (int q = 0; q < S; q++) {
      for (int m = 0; m < S; m++) sum[m] += a[r * S + q] * b[q * S + m];
    }
    memcpy(c + r * S, sum, sizeof sum);
  }
}

static void block_add(int32_t rows, const double *a, const double *b, double *c)
{
  block_product(rows, a, b, true, c);
}

static void block_multiply(int32_t rows, const double *a, const double *b, double *c)
{
  block_product(rows, a, b, false, c);
}

/* Gauss and Jordan with the largest pivot of a column; a is spoiled. */
static bool block_invert(double a[S][S], double *inverse)
{
  double b[S][S] = {{0}};
  for (int k = 0; k < S; k++) b[k][k] = 1;
  for (int k = 0; k < S; k++) {
    int most = k;
    for (int i = k + 1; i < S; i++) most = fabs(a[i][k]) > fabs(a[most][k]) ? i : most;
    if (!(fabs(a[most][k]) > 0)) return false;
    double row[S], other[S];
    const double pivot = 1 / a[most][k];
    for (int j = 0; j < S; j++) {
      row[j] = a[most][j] * pivot;
      other[j] = b[most][j] * pivot;
      a[most][j] = a[k][j];
      b[most][j] = b[k][j];
      a[k][j] = row[j];
      b[k][j] = other[j];
    }
    for (int i = 0; i < S; i++) {
      if (i == k) continue;
      const double factor = a[i][k];
      for (int j = 0; j < S; j++) {
        a[i][j] -= factor * row[j];
        b[i][j] -= factor * other[j];
      }
    }
  }
  memcpy(inverse, b, sizeof b);
  return true;
}

/* --- elimination --- */

static double *step_block(const step *self, int32_t from, int32_t to)
{
  return self->block + (size_t)self->at[from * self->n + to] * STEP_BLOCK;
}

static void step_load(step *self, const double *rate, double h, double *x)
{
  const int32_t n = self->n;
  memset(self->block, 0, (size_t)self->blocks * STEP_BLOCK * sizeof *self->block);
  memset(self->leave, 0, (size_t)n * STEP_BLOCK * sizeof *self->leave);
  memset(x, 0, (size_t)n * (size_t)n * S * sizeof *x);
  for (int64_t e = 0; e < self->edges; e++) {
    if (self->from[e] == self->to[e]) continue;
    double *const b = step_block(self, self->from[e], self->to[e]);
    for (int q = 0; q < S; q++) {
      for (int m = 0; m < S; m++) b[q * S + m] += h * rate[e * S + q] * self->into[q][m];
    }
  }
  for (int32_t k = 0; k < n; k++) {
    for (int m = 0; m < S; m++) {
      self->leave[(size_t)k * STEP_BLOCK + (size_t)(m * S + m)] = 1;
      x[((size_t)k * (size_t)n + (size_t)k) * S + (size_t)m] = 1;
    }
  }
}

/* Place k gives what leads to it to the ways through it. Starts after k do not lead to it yet. */
static bool step_remove(step *self, int32_t k, double *x)
{
  const int32_t n = self->n, *const out = self->out + self->out_start[k];
  const int32_t outs = self->out_start[k + 1] - self->out_start[k];
  const size_t line = (size_t)n * S;
  double *const inverse = self->inverse + (size_t)k * STEP_BLOCK, *const leave = self->leave + (size_t)k * STEP_BLOCK;
  double d[S][S];
  memcpy(d, leave, sizeof d);
  for (int32_t b = 0; b < outs; b++) {
    const double *const to = step_block(self, k, out[b]);
    for (int q = 0; q < STEP_BLOCK; q++) d[q / S][q % S] += to[q];
  }
  if (!block_invert(d, inverse)) return false;
  double *const gone = self->scaled + (size_t)outs * STEP_BLOCK;
  block_multiply(S, inverse, leave, gone);
  for (int32_t b = 0; b < outs; b++) {
    double *const scaled = self->scaled + (size_t)b * STEP_BLOCK;
    block_multiply(S, inverse, step_block(self, k, out[b]), scaled);
    block_add(k + 1, x + (size_t)k * line, scaled, x + (size_t)out[b] * line);
  }
  for (int32_t a = self->in_start[k]; a < self->in_start[k + 1]; a++) {
    const int32_t i = self->in[a];
    const double *const from = step_block(self, i, k);
    block_add(S, from, gone, self->leave + (size_t)i * STEP_BLOCK);
    for (int32_t b = 0; b < outs; b++) {
      if (out[b] != i) block_add(S, from, self->scaled + (size_t)b * STEP_BLOCK, step_block(self, i, out[b]));
    }
  }
  return true;
}

ness_status step_solve(step *self, const double *rate, double h, double *x)
{
  const int32_t n = self->n;
  const size_t line = (size_t)n * S;
  double *const copy = self->scaled; /* of a line of x: as large */
  step_load(self, rate, h, x);
  for (int32_t k = 0; k < n; k++) {
    if (!step_remove(self, k, x)) return NESS_NUMERIC;
  }
  for (int32_t k = n - 1; k >= 0; k--) {
    double *const to = x + (size_t)k * line;
    memcpy(copy, to, line * sizeof *copy);
    for (int32_t a = self->in_start[k]; a < self->in_start[k + 1]; a++)
      block_add(n, x + (size_t)self->in[a] * line, step_block(self, self->in[a], k), copy);
    block_multiply(n, copy, self->inverse + (size_t)k * STEP_BLOCK, to);
  }
  return NESS_OK;
}
