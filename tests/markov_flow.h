/* What the tests of distributions in time share: small chains from lists, distances, and the exponential of a generator
 * in long double by its own squaring, rows held at the sum 1. */
#ifndef NESS_TESTS_MARKOV_FLOW_H
#define NESS_TESTS_MARKOV_FLOW_H

#include "check.h"
#include "engine/markov/transient.h"
#include <stdlib.h>

enum { FLOW_REFERENCE = 16 }; /* states of the reference at most, the outside included */

typedef struct flow_edge {
  int32_t from, to; /* to -1: an exit */
  double rate;
} flow_edge;

/* Edges in any order. */
static inline void flow_chain(int32_t n, const flow_edge *edge, int count, bool exits, chain *out)
{
  if (chain_create(n, count, exits, out)) abort();
  int64_t end = 0;
  for (int32_t i = 0; i < n; i++) {
    for (int k = 0; k < count; k++) {
      if (edge[k].from != i) continue;
      if (edge[k].to < 0) {
        out->exit[i] += edge[k].rate;
        continue;
      }
      out->to[end] = edge[k].to;
      out->rate[end++] = edge[k].rate;
    }
    out->start[i + 1] = end;
  }
}

/* A walk on 0 ... n - 1 with rates up[i], down[i]. */
static inline void flow_birth_death(int32_t n, const double *up, const double *down, chain *out)
{
  if (chain_create(n, 2 * (int64_t)n, false, out)) abort();
  int64_t end = 0;
  for (int32_t i = 0; i < n; i++) {
    if (i > 0 && down[i] > 0) {
      out->to[end] = i - 1;
      out->rate[end++] = down[i];
    }
    if (i + 1 < n && up[i] > 0) {
      out->to[end] = i + 1;
      out->rate[end++] = up[i];
    }
    out->start[i + 1] = end;
  }
}

typedef long double flow_matrix[FLOW_REFERENCE][FLOW_REFERENCE];

static inline void flow_matrix_multiply(int n, flow_matrix a, flow_matrix b)
{
  static flow_matrix c;
  for (int i = 0; i < n; i++) {
    long double sum = 0;
    for (int j = 0; j < n; j++) {
      c[i][j] = 0;
      for (int k = 0; k < n; k++) c[i][j] += a[i][k] * b[k][j];
      sum += c[i][j];
    }
    for (int j = 0; j < n; j++) c[i][j] /= sum;
  }
  memcpy(a, c, sizeof c);
}

/* p <- p exp(Q t) in long double; n + 1 states at most FLOW_REFERENCE. */
static inline void flow_reference(const chain *q, double t, const double *p, long double *out)
{
  static flow_matrix step, power, sum;
  const int n = q->n + 1;
  long double fastest = 0;
  memset(step, 0, sizeof step);
  for (int i = 0; i < q->n; i++) {
    long double exit = 0;
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (q->to[e] == i) continue;
      step[i][q->to[e]] += q->rate[e];
      exit += q->rate[e];
    }
    if (q->exit) step[i][q->n] += q->exit[i];
    exit += q->exit ? q->exit[i] : 0;
    step[i][i] = -exit;
    fastest = exit > fastest ? exit : fastest;
  }
  int squarings = 0;
  while (ldexpl(fastest * t, -squarings) > 0.25L) squarings++;
  const long double speed = 4 * fastest + 1e-300L, theta = ldexpl(speed * t, -squarings); /* theta at most 1 */
  memset(power, 0, sizeof power);
  memset(sum, 0, sizeof sum);
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++) step[i][j] = (i == j) + step[i][j] / speed;
    power[i][i] = sum[i][i] = 1;
  }
  long double c = 1;
  for (int k = 1; k < 40; k++) {
    c *= theta / k;
    flow_matrix_multiply(n, power, step);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) sum[i][j] += c * power[i][j];
    }
  }
  memset(power, 0, sizeof power);
  for (int i = 0; i < n; i++) power[i][i] = 1;
  flow_matrix_multiply(n, sum, power); /* scales its rows */
  for (int s = 0; s < squarings; s++) flow_matrix_multiply(n, sum, sum);
  for (int j = 0; j < q->n; j++) {
    out[j] = 0;
    for (int i = 0; i < q->n; i++) out[j] += p[i] * sum[i][j];
  }
}

static inline double flow_distance(int32_t n, const double *p, const long double *exact)
{
  long double sum = 0;
  for (int32_t i = 0; i < n; i++) sum += fabsl(p[i] - exact[i]);
  return (double)sum;
}

static inline bool flow_nonnegative(int32_t n, const double *p)
{
  bool fine = true;
  for (int32_t i = 0; i < n; i++) fine = fine && p[i] >= 0;
  return fine;
}

static inline double flow_mass(int32_t n, const double *p)
{
  long double sum = 0;
  for (int32_t i = 0; i < n; i++) sum += p[i];
  return (double)sum;
}

#endif
