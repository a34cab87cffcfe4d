/* Averages over a piece of the period. Collocation balances: what arrives in a state minus what leaves it, by the
 * quadrature of its own nodes, is exactly what the state gains over the piece, and the quadrature of any smooth
 * function of time times p has the order of the end point (Hairer, Lubich, Wanner, Geometric Numerical Integration,
 * II.1). So flows, their harmonics and their weighted sums are all sums over the nodes. Over a piece of constant rates
 * the mean occupancies are a matrix times the distribution at its start, and integral of p(t) exp(-i w t) dt =
 * (p(start) exp(-i w start) - p(end) exp(-i w end)) (i w - Q)^-1. Cost: n^2 stages for a piece, (edges + terms
 * harmonics) stages for its sums. */
#include "engine/markov/periodic_parts.h"

#include <math.h>
#include <string.h>

enum { S = STEP_STAGES };

ness_status period_tally_create(const step *s, const periodic_options *options, double period, period_tally *out)
{
  const size_t n = (size_t)s->n, edges = (size_t)s->edges;
  *out = (period_tally){.s = s, .options = options, .period = period};
  out->set = s->edges + s->n;
  out->obs = out->set + options->nset;
  out->size = out->obs + (int64_t)options->nobs * (1 + 2 * (int64_t)options->harmonics);
  out->stage = mem_zero(n + 1, S * sizeof *out->stage);
  out->flow = mem_zero(edges + 1, S * sizeof *out->flow);
  out->trig = mem_zero((size_t)options->harmonics + 1, 2 * S * sizeof *out->trig);
  out->y = mem_zero(n + 1, sizeof *out->y);
  out->work = options->harmonics > 0 ? mem_zero(n * n + 2 * n + 1, sizeof *out->work) : NULL;
  return out->stage && out->flow && out->trig && out->y && (out->work || !options->harmonics) ? NESS_OK : NESS_NOMEM;
}

void period_tally_free(period_tally *self)
{
  mem_free(self->stage);
  mem_free(self->flow);
  mem_free(self->trig);
  mem_free(self->y);
  mem_free(self->work);
  *self = (period_tally){0};
}

/* The distribution at the nodes and at the end; at the nodes of a piece of constant rates stands the mean. */
static void tally_go(period_tally *self, const piece *of, const double *map, const double *start, double *end)
{
  const int32_t n = self->s->n;
  for (int32_t j = 0; j < n; j++) {
    double sum[S] = {0}, mean = 0;
    if (of->still) {
      for (int32_t r = 0; r < n; r++) {
        sum[0] += start[r] * map[r * n + j];
        mean += start[r] * map[(n + r) * n + j];
      }
      end[j] = sum[0];
      for (int m = 0; m < S; m++) self->stage[j * S + m] = mean;
      continue;
    }
    const double *const from = map + (size_t)j * (size_t)n * S;
    for (int32_t r = 0; r < n; r++) {
      for (int m = 0; m < S; m++) sum[m] += start[r] * from[r * S + m];
    }
    memcpy(self->stage + j * S, sum, sizeof sum);
    end[j] = sum[S - 1];
  }
}

/* --- observables --- */

static void tally_trig(period_tally *self, const piece *of, const double *share)
{
  const double pi = acos(-1);
  for (int32_t k = 0; k < self->options->harmonics; k++) {
    for (int m = 0; m < S; m++) {
      const double angle = 2 * pi * (k + 1) * ((of->from + self->s->node[m] * of->span) / self->period);
      self->trig[(k * 2) * S + m] = 2 * share[m] * cos(angle);
      self->trig[(k * 2 + 1) * S + m] = 2 * share[m] * sin(angle);
    }
  }
}

static void tally_observe(const period_tally *self, bool still, const double *share, double *value, double *scale)
{
  const periodic_options *const o = self->options;
  const int32_t each = 1 + 2 * o->harmonics;
  for (int32_t b = 0; b < o->nobs; b++) {
    double sum[S] = {0}, size[S] = {0}, all = 0, *const to = value + (int64_t)b * each;
    for (int64_t t = o->obs_start[b]; t < o->obs_start[b + 1]; t++) {
      const int64_t term = o->obs_term[t];
      const double *const from =
          term < self->s->edges ? self->flow + term * S : self->stage + self->s->place[term - self->s->edges] * S;
      for (int m = 0; m < S; m++) {
        sum[m] += o->obs_weight[t] * from[m];
        size[m] += fabs(o->obs_weight[t] * from[m]);
      }
    }
    for (int m = 0; m < S; m++) {
      to[0] += share[m] * sum[m];
      all += share[m] * size[m];
    }
    for (int32_t k = 0; k < 2 * o->harmonics && !still; k++) {
      for (int m = 0; m < S; m++) to[1 + k] += self->trig[k * S + m] * sum[m];
    }
    for (int32_t k = 0; k < each; k++) scale[(int64_t)b * each + k] += all;
  }
}

/* Harmonic k of a piece of constant rates. */
static void tally_resolve(period_tally *self, const piece *of, const double *rate, const double *start,
                          const double *end, int32_t k, double *value)
{
  const periodic_options *const o = self->options;
  const step *const s = self->s;
  const double omega = 2 * acos(-1) * k / self->period, begin = omega * of->from, over = begin + omega * of->span;
  const double complex first = cos(begin) - I * sin(begin), last = cos(over) - I * sin(over);
  double *const still = self->flow; /* the rates by themselves, for want of other room */
  for (int64_t e = 0; e < s->edges; e++) still[e] = rate[e * S];
  for (int32_t j = 0; j < s->n; j++) self->y[j] = start[j] * first - end[j] * last;
  still_resolve(s, still, omega, self->y, self->work);
  for (int32_t b = 0; b < o->nobs; b++) {
    double complex sum = 0;
    for (int64_t t = o->obs_start[b]; t < o->obs_start[b + 1]; t++) {
      const int64_t e = o->obs_term[t];
      const double complex x = e < s->edges ? still[e] * self->y[s->from[e]] : self->y[s->place[e - s->edges]];
      sum += o->obs_weight[t] * x;
    }
    double *const to = value + (int64_t)b * (1 + 2 * o->harmonics) + 2 * k - 1;
    to[0] += 2 * creal(sum) / self->period;
    to[1] -= 2 * cimag(sum) / self->period;
  }
}

/* --- sums --- */

static void tally_flows(period_tally *self, const double *rate, const double *share, double *value, double *scale)
{
  const step *const s = self->s;
  for (int64_t e = 0; e < s->edges; e++) {
    const double *const stage = self->stage + s->from[e] * S;
    double sum = 0;
    for (int m = 0; m < S; m++) {
      self->flow[e * S + m] = stage[m] * rate[e * S + m];
      sum += share[m] * self->flow[e * S + m];
    }
    value[e] += sum;
    scale[e] += fabs(sum);
  }
  for (int32_t j = 0; j < s->n; j++) {
    double sum = 0;
    for (int m = 0; m < S; m++) sum += share[m] * self->stage[j * S + m];
    value[s->edges + j] += sum;
    scale[s->edges + j] += fabs(sum);
  }
}

static void tally_sets(const period_tally *self, const double *weight, const double *share, double *value,
                       double *scale)
{
  const int64_t all = self->s->edges * S;
  for (int32_t k = 0; k < self->options->nset; k++) {
    for (int64_t i = 0; i < all; i++) {
      const double x = share[i % S] * weight[k * all + i] * self->flow[i];
      value[k] += x;
      scale[k] += fabs(x);
    }
  }
}

void period_tally_add(period_tally *self, const piece *of, const double *map, const double *rate, const double *weight,
                      const double *start, bool whole, double *end, double *value, double *scale)
{
  double share[S];
  for (int m = 0; m < S; m++) share[m] = self->s->weight[m] * of->span / self->period;
  tally_go(self, of, map, start, end);
  tally_flows(self, rate, share, value, scale);
  tally_sets(self, weight, share, value + self->set, scale + self->set);
  if (self->options->nobs == 0) return;
  if (!of->still) tally_trig(self, of, share);
  tally_observe(self, of->still, share, value + self->obs, scale + self->obs);
  for (int32_t k = 1; k <= self->options->harmonics && of->still && whole; k++)
    tally_resolve(self, of, rate, start, end, k, value + self->obs);
}

void period_tally_between(const period_tally *self, const double *start, double place, double *p)
{
  const double *const node = self->s->node;
  double share[S + 1]; /* Lagrange polynomials on the start and the nodes */
  for (int q = 0; q <= S; q++) {
    const double own = q > 0 ? node[q - 1] : 0;
    share[q] = q > 0 ? place / own : 1;
    for (int r = 1; r <= S; r++) share[q] *= r == q ? 1 : (place - node[r - 1]) / (own - node[r - 1]);
  }
  for (int32_t j = 0; j < self->s->n; j++) {
    p[j] = share[0] * start[j];
    for (int m = 0; m < S; m++) p[j] += share[m + 1] * self->stage[j * S + m];
  }
}
