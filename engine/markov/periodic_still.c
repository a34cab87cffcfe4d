/* Pieces of constant rates, and the fixed point of a stochastic matrix. exp(Q t) and its mean over [0, t] are both
 * stochastic: powers of 1 + Q / speed under the weights of a Poisson distribution and under those of its tail, over a
 * time h of a quarter of a step, and then doubled,
 *   mean(2 h) = (mean(h) + exp(Q h) mean(h)) / 2,  exp(2 Q h) = exp(Q h)^2,
 * with rows held at the sum 1. Nothing is subtracted, so that a stretch may be shorter or longer than any relaxation
 * time (flow_dense.c counts the errors of the doublings). Harmonics come from the resolvent: i omega is an exit of
 * every state, and elimination adds up what leaves a state, as for a real chain, which keeps omega apart from rates
 * that are larger by any factor. Cost: 4 n^3 for a doubling, 8 n^3 / 3 for a resolvent, 2 n^3 / 3 for a fixed point. */
#include "engine/markov/periodic_parts.h"
#include "engine/markov/sum.h"

#include <math.h>
#include <string.h>

enum { STILL_TERMS = 24 }; /* 1 / 25! 4^25 is below 1e-40: nothing is left out that doublings could bring up */
#define STILL_FIRST 0.25   /* steps of the series at most */

void still_multiply(int32_t n, const double *restrict a, const double *restrict b, double *restrict out)
{
  const size_t wide = (size_t)n;
  memset(out, 0, wide * wide * sizeof *out);
  for (size_t i = 0; i < wide; i++) {
    for (size_t k = 0; k < wide; k++) {
      const double factor = a[i * wide + k];
      for (size_t j = 0; j < wide; j++) out[i * wide + j] += factor * b[k * wide + j];
    }
  }
}

/* --- exponentials --- */

static void still_scale(int32_t n, double *a)
{
  for (int32_t i = 0; i < n; i++, a += n) {
    exact_sum sum = {0};
    for (int32_t j = 0; j < n; j++) sum_add(&sum, a[j]);
    const double total = sum_get(&sum);
    for (int32_t j = 0; j < n; j++) a[j] /= total;
  }
}

/* Rates over a speed of twice the fastest, so that what stays keeps its digits: share (edges), stay (n). */
static double still_shares(const step *self, const double *rate, double *share, double *stay)
{
  double fastest = 0;
  for (int32_t i = 0; i < self->n; i++) stay[i] = 0;
  for (int64_t e = 0; e < self->edges; e++) {
    if (self->from[e] != self->to[e]) stay[self->from[e]] += rate[e];
  }
  for (int32_t i = 0; i < self->n; i++) fastest = fmax(fastest, stay[i]);
  const double speed = 2 * fastest;
  for (int32_t i = 0; i < self->n && speed > 0; i++) stay[i] = (speed - stay[i]) / speed;
  for (int64_t e = 0; e < self->edges && speed > 0; e++) share[e] = rate[e] / speed;
  return speed;
}

/* The series over theta steps; weights of the tail are added from its end. power, next (n x n). */
static void still_series(const step *self, const double *share, const double *stay, double theta, double *e, double *v,
                         double *power, double *next)
{
  const size_t n = (size_t)self->n, all = n * n;
  double weight[STILL_TERMS + 1], tail[STILL_TERMS + 1];
  weight[0] = exp(-theta);
  for (int k = 1; k <= STILL_TERMS; k++) weight[k] = weight[k - 1] * theta / k;
  tail[STILL_TERMS] = weight[STILL_TERMS] / (STILL_TERMS + 1);
  for (int k = STILL_TERMS - 1; k >= 0; k--) tail[k] = tail[k + 1] + weight[k + 1] / theta;
  memset(power, 0, all * sizeof *power);
  for (size_t i = 0; i < n; i++) power[i * n + i] = 1;
  for (size_t i = 0; i < all; i++) e[i] = v[i] = 0;
  for (int k = 0; k <= STILL_TERMS; k++) {
    for (size_t i = 0; i < all; i++) {
      e[i] += weight[k] * power[i];
      v[i] += tail[k] * power[i];
    }
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++) next[i * n + j] = stay[j] * power[i * n + j];
      for (int64_t m = 0; m < self->edges; m++) {
        if (self->from[m] != self->to[m])
          next[i * n + (size_t)self->to[m]] += share[m] * power[i * n + (size_t)self->from[m]];
      }
    }
    double *const swap = power;
    power = next;
    next = swap;
  }
}

void still_exponential(const step *self, const double *rate, double span, double *e, double *v, double *work)
{
  const int32_t n = self->n;
  const size_t all = (size_t)n * (size_t)n;
  double *const share = work + 2 * all, *const stay = share + self->edges;
  const double speed = still_shares(self, rate, share, stay), steps = speed * span;
  if (!(steps > 0)) {
    memset(e, 0, all * sizeof *e);
    for (int32_t i = 0; i < n; i++) e[i * n + i] = 1;
    memcpy(v, e, all * sizeof *v);
    return;
  }
  int doublings = 0;
  (void)frexp(steps / STILL_FIRST, &doublings);
  if (doublings < 0) doublings = 0;
  still_series(self, share, stay, ldexp(steps, -doublings), e, v, work, work + all);
  still_scale(n, e);
  still_scale(n, v);
  for (int k = 0; k < doublings; k++) {
    still_multiply(n, e, v, work);
    for (size_t i = 0; i < all; i++) v[i] = (v[i] + work[i]) / 2;
    still_multiply(n, e, e, work);
    memcpy(e, work, all * sizeof *e);
    still_scale(n, e);
    still_scale(n, v);
  }
}

/* --- the resolvent --- */

/* What leaves the chain, for elimination of k = n - 1 ... 0; a holds l_ik below and right of it afterwards. */
static void resolve_eliminate(int32_t n, double complex *a, double complex *leave, double complex *sum)
{
  for (int32_t k = n - 1; k >= 0; k--) {
    sum[k] = leave[k];
    for (int32_t j = 0; j < k; j++) sum[k] += a[k * n + j];
    for (int32_t i = 0; i < k; i++) {
      if (a[i * n + k] == 0) continue;
      const double complex factor = a[i * n + k] /= sum[k];
      leave[i] += factor * leave[k];
      for (int32_t j = 0; j < k; j++) a[i * n + j] += j == i ? 0 : factor * a[k * n + j];
    }
  }
}

void still_resolve(const step *self, const double *rate, double omega, double complex *y, double complex *work)
{
  const int32_t n = self->n;
  double complex *const a = work, *const leave = a + (size_t)n * (size_t)n, *const sum = leave + n;
  memset(a, 0, (size_t)n * (size_t)n * sizeof *a);
  for (int32_t i = 0; i < n; i++) leave[i] = omega * I;
  for (int64_t e = 0; e < self->edges; e++) {
    if (self->from[e] != self->to[e]) a[self->from[e] * n + self->to[e]] += rate[e];
  }
  resolve_eliminate(n, a, leave, sum);
  for (int32_t k = n - 1; k >= 0; k--) {
    y[k] /= sum[k];
    for (int32_t j = 0; j < k; j++) y[j] += y[k] * a[k * n + j];
  }
  for (int32_t k = 1; k < n; k++) {
    for (int32_t i = 0; i < k; i++) y[k] += y[i] * a[i * n + k];
  }
}

/* --- the fixed point --- */

/* As gth.c on a full matrix. A state that leads to none of those left keeps what they had. Entries below 0 by the error
 * of collocation are taken as they are. */
void still_fixed(int32_t n, double *m, double *p)
{
  int32_t top = 0;
  for (int32_t k = n - 1; k > 0; k--) {
    double sum = 0;
    for (int32_t j = 0; j < k; j++) sum += m[k * n + j];
    if (!(sum > 0)) {
      top = k;
      break;
    }
    for (int32_t i = 0; i < k; i++) {
      const double factor = m[i * n + k] /= sum;
      if (factor == 0) continue;
      for (int32_t j = 0; j < k; j++) m[i * n + j] += j == i ? 0 : factor * m[k * n + j];
    }
  }
  double total = 0;
  for (int32_t k = 0; k < n; k++) {
    p[k] = k == top;
    for (int32_t i = top; i < k; i++) p[k] += p[i] * m[i * n + k];
    total += p[k];
  }
  for (int32_t k = 0; k < n; k++) p[k] /= total;
}
