/* Random irreducible chains of many shapes with rates over up to sixty decades, and what is held against the solvers:
 * elimination without subtraction on a full matrix in long double, whose error is 2^-11 of that in double. */
#ifndef NESS_TESTS_MARKOV_SAMPLE_H
#define NESS_TESTS_MARKOV_SAMPLE_H

#include "check.h"
#include "engine/markov/chain.h"
#include <stdlib.h>

enum { SAMPLE_SHAPES = 10 };

static inline double sample_draw(uint64_t *seed) /* uniform in (0, 1); Steele, Lea, Flood 2014 */
{
  uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return ((double)((z ^ z >> 31) >> 12) + 0.5) * 0x1p-52;
}

static inline int32_t sample_below(uint64_t *seed, int32_t n)
{
  return (int32_t)(sample_draw(seed) * n);
}

typedef struct sample { /* transitions in any order */
  int32_t n;
  int64_t edges, room;
  int32_t *from, *to;
  double *rate;
  uint64_t seed;
  double decades; /* rates are 10^(decades * (u - 1/2)) */
} sample;

static inline void sample_add(sample *self, int32_t from, int32_t to, double factor)
{
  if (self->edges == self->room) {
    self->room = 2 * self->room + 64;
    self->from = realloc(self->from, (size_t)self->room * sizeof *self->from);
    self->to = realloc(self->to, (size_t)self->room * sizeof *self->to);
    self->rate = realloc(self->rate, (size_t)self->room * sizeof *self->rate);
  }
  self->from[self->edges] = from;
  self->to[self->edges] = to;
  self->rate[self->edges++] = factor * pow(10, self->decades * (sample_draw(&self->seed) - 0.5));
}

static inline void sample_both(sample *self, int32_t a, int32_t b, double factor)
{
  sample_add(self, a, b, factor);
  sample_add(self, b, a, factor);
}

static inline void sample_shape(sample *self, int shape)
{
  const int32_t n = self->n;
  const int32_t width = 1 + (int32_t)sqrt(n);
  for (int32_t i = 0; i < n; i++) {
    const int32_t before = i > 0 ? sample_below(&self->seed, i) : 0;
    switch (shape) {
    case 0: /* every pair */
      for (int32_t j = 0; j < n; j++) {
        if (i != j) sample_add(self, i, j, 1);
      }
      break;
    case 1: /* one way round */ sample_add(self, i, (i + 1) % n, 1); break;
    case 2: /* a line */
      if (i > 0) sample_both(self, i, i - 1, 1);
      break;
    case 3: /* a lattice */
      if (i % width > 0) sample_both(self, i, i - 1, 1);
      if (i >= width) sample_both(self, i, i - width, 1);
      break;
    case 4: /* one way round and two shortcuts a state */
      sample_add(self, i, (i + 1) % n, 1);
      sample_add(self, i, sample_below(&self->seed, n), 1);
      sample_add(self, i, sample_below(&self->seed, n), 1);
      break;
    case 5: /* a hub */
      if (i > 0) sample_both(self, i, 0, 1);
      if (i > 1 && sample_draw(&self->seed) < 0.3) sample_both(self, i, i - 1, 1);
      break;
    case 6: /* a tree */
      if (i > 0) sample_both(self, i, before, 1);
      break;
    case 7: /* blocks that hardly know of each other */
      for (int32_t j = i / 8 * 8; j < i; j++) sample_both(self, i, j, 1);
      if (i > 0 && i % 8 == 0) sample_both(self, i, i - 1, 1e-13);
      break;
    case 8: /* one way up, resets from anywhere */
      if (i + 1 < n) sample_add(self, i, i + 1, 1);
      if (i > 0 && (i + 1 == n || sample_draw(&self->seed) < 0.5)) sample_add(self, i, before, 1e-3);
      break;
    default: /* a tree with some ways that have no way back */
      if (i > 0) sample_both(self, i, before, 1);
      sample_add(self, i, sample_below(&self->seed, n), 1);
      break;
    }
  }
  if (shape == 8) sample_add(self, n - 1, 0, 1);
}

/* A chain of `shape` among n states whose numbers are shuffled; with exits from some states where asked. */
static inline chain sample_chain(int shape, int32_t n, double decades, bool exits, uint64_t seed)
{
  sample s = {.n = n, .seed = seed, .decades = decades};
  if (n > 1) sample_shape(&s, shape);
  chain q;
  int32_t *const name = malloc((size_t)n * sizeof *name);
  if (!name || chain_create(n, s.edges, exits, &q)) abort();
  for (int32_t i = 0; i < n; i++) name[i] = i;
  for (int32_t i = n - 1; i > 0; i--) {
    const int32_t j = sample_below(&s.seed, i + 1), keep = name[i];
    name[i] = name[j];
    name[j] = keep;
  }
  for (int64_t e = 0; e < s.edges; e++) q.start[name[s.from[e]] + 1]++;
  for (int32_t i = 0; i < n; i++) q.start[i + 1] += q.start[i];
  int64_t *const at = malloc((size_t)n * sizeof *at);
  if (!at) abort();
  for (int32_t i = 0; i < n; i++) at[i] = q.start[i];
  for (int64_t e = 0; e < s.edges; e++) {
    const int64_t to = at[name[s.from[e]]]++;
    q.to[to] = name[s.to[e]];
    q.rate[to] = s.rate[e];
  }
  for (int32_t i = 0; exits && i < n; i++) {
    if (i == 0 || sample_draw(&s.seed) < 0.2) q.exit[i] = pow(10, decades * (sample_draw(&s.seed) - 0.5));
  }
  free(at);
  free(name);
  free(s.from);
  free(s.to);
  free(s.rate);
  return q;
}

/* --- on a full matrix --- */

typedef struct matrix { /* a (n x n): rates, then what elimination makes of them; with an exit in column n */
  int32_t n;
  long double *a, *s;
} matrix;

static inline long double *matrix_at(const matrix *self, int32_t i, int32_t j)
{
  return self->a + (size_t)i * ((size_t)self->n + 1) + (size_t)j;
}

/* Eliminates from the last state down to state `kept` (exclusive); state `without` (-1 none) is left out. */
static inline matrix matrix_create(const chain *q, int32_t without)
{
  matrix m = {.n = q->n};
  m.a = calloc((size_t)q->n * ((size_t)q->n + 1), sizeof *m.a);
  m.s = calloc((size_t)q->n, sizeof *m.s);
  if (!m.a || !m.s) abort();
  for (int32_t i = 0; i < q->n; i++) {
    if (q->exit) *matrix_at(&m, i, q->n) = q->exit[i];
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (i == without) continue;
      *matrix_at(&m, i, q->to[e] == without ? q->n : q->to[e]) += q->rate[e];
    }
    if (i == without) *matrix_at(&m, i, q->n) = 1;
  }
  for (int32_t k = q->n - 1; k >= 0; k--) {
    m.s[k] = *matrix_at(&m, k, q->n);
    for (int32_t j = 0; j < k; j++) m.s[k] += *matrix_at(&m, k, j);
    if (k == 0 && !q->exit && without < 0) break;
    for (int32_t i = 0; i < k; i++) {
      const long double f = *matrix_at(&m, i, k) /= m.s[k];
      for (int32_t j = 0; f > 0 && j < k; j++) *matrix_at(&m, i, j) += f * *matrix_at(&m, k, j);
      *matrix_at(&m, i, q->n) += f * *matrix_at(&m, k, q->n);
    }
  }
  return m;
}

static inline void matrix_free(matrix *self)
{
  free(self->a);
  free(self->s);
}

/* p (n) of a closed chain. */
static inline void matrix_steady(const matrix *self, long double *p)
{
  long double total = 0;
  for (int32_t k = 0; k < self->n; k++) {
    p[k] = k == 0;
    for (int32_t i = 0; i < k; i++) p[k] += p[i] * *matrix_at(self, i, k);
    total += p[k];
  }
  for (int32_t k = 0; k < self->n; k++) p[k] /= total;
}

/* x <- x (-Q)^-1 and y <- (-Q)^-1 y of a chain that can be left. */
static inline void matrix_left(const matrix *self, long double *x)
{
  for (int32_t k = self->n - 1; k >= 0; k--) {
    x[k] /= self->s[k];
    for (int32_t j = 0; j < k; j++) x[j] += x[k] * *matrix_at(self, k, j);
  }
  for (int32_t k = 0; k < self->n; k++) {
    for (int32_t i = 0; i < k; i++) x[k] += x[i] * *matrix_at(self, i, k);
  }
}

static inline void matrix_right(const matrix *self, long double *y)
{
  for (int32_t k = self->n - 1; k >= 0; k--) {
    for (int32_t i = 0; i < k; i++) y[i] += *matrix_at(self, i, k) * y[k];
  }
  for (int32_t k = 0; k < self->n; k++) {
    for (int32_t j = 0; j < k; j++) y[k] += *matrix_at(self, k, j) * y[j];
    y[k] /= self->s[k];
  }
}

#endif
