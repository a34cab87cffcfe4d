/* Generators in the form that products need. Rates are held by the state that they lead to, so that an entry of a
 * product is one sum and threads share nothing. Relative rounding error of a step in the 1-norm, in units of 2^-53:
 * one for a rate over the speed, one for the product, one for each addition that a term passes through, and three for
 * the diagonal (its sum is compensated). Cost: all linear. */
#include "engine/markov/flow.h"

#include "engine/markov/sum.h"

#include <math.h>
#include <string.h>

/* --- structure --- */

/* The chain with the outside as state n. In place of rates stand the places of transitions in q. */
static ness_status flow_number(const chain *q, bool outside, chain *out)
{
  const int64_t edges = q->start[q->n];
  const int32_t n = q->n + outside;
  const ness_status status = chain_create(n, edges + (outside ? q->n : 0), false, out);
  if (status) return status;
  int64_t end = 0;
  for (int32_t i = 0; i < q->n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      out->to[end] = q->to[e];
      out->rate[end++] = (double)e;
    }
    if (outside) {
      out->to[end] = q->n;
      out->rate[end++] = 0;
    }
    out->start[i + 1] = end;
  }
  if (outside) out->start[n] = end;
  return NESS_OK;
}

static double flow_rounding(const flow *self)
{
  int64_t most = 0;
  for (int32_t j = 0; j < self->n; j++) {
    const int64_t ways = self->into.start[j + 1] - self->into.start[j];
    most = ways > most ? ways : most;
  }
  const int64_t adds = (most < FLOW_STRETCH ? most : FLOW_STRETCH) + (most + FLOW_STRETCH - 1) / FLOW_STRETCH;
  return (double)(adds + 6) * FLOW_ROUNDING;
}

ness_status flow_create(const chain *q, bool outside, flow *out)
{
  *out = (flow){.inside = q->n};
  outside = outside && q->exit;
  out->closed = outside || !q->exit;
  chain numbered = {0};
  ness_status status = flow_number(q, outside, &numbered);
  if (status == NESS_OK) status = chain_transpose(&numbered, &out->into);
  if (status) goto out;
  status = NESS_NOMEM;
  const int32_t n = out->n = numbered.n;
  const int64_t edges = out->into.start[n];
  out->origin = mem_zero((size_t)edges + 1, sizeof *out->origin);
  out->share = mem_zero((size_t)edges + 1, sizeof *out->share);
  out->out = mem_zero((size_t)n + 1, sizeof *out->out);
  out->stay = mem_zero((size_t)n + 1, sizeof *out->stay);
  out->part = mem_zero((size_t)flow_parts(out) + 1, FLOW_PARTIALS * sizeof *out->part);
  if (!out->origin || !out->share || !out->out || !out->stay || !out->part) goto out;
  for (int64_t e = 0; e < edges; e++) out->origin[e] = (int64_t)out->into.rate[e];
  out->wide = n > FLOW_PART && edges + n > 50000; /* a product of 40 microseconds */
  out->rounding = flow_rounding(out);
  out->speed = -1;
  status = NESS_OK;
out:
  chain_free(&numbered);
  if (status) flow_free(out);
  return status;
}

void flow_free(flow *self)
{
  chain_free(&self->into);
  mem_free(self->origin);
  mem_free(self->share);
  mem_free(self->out);
  mem_free(self->stay);
  mem_free(self->part);
  mem_free(self->room);
  mem_free(self->weight);
  *self = (flow){0};
}

ness_status flow_room(flow *self, int64_t count)
{
  if (count <= self->room_size) return NESS_OK;
  mem_free(self->room); /* not kept: nothing is copied */
  self->room_size = 0;
  self->room = mem_zero((size_t)count, sizeof *self->room);
  if (!self->room) return NESS_NOMEM;
  self->room_size = count;
  return NESS_OK;
}

/* --- rates --- */

/* `stay` serves as the low halves of the compensated sums. */
ness_status flow_rates(flow *self, const double *rate, const double *exit)
{
  const chain *const into = &self->into;
  const int32_t n = self->n;
  const bool exits = self->inside < n; /* they are transitions of their own */
  for (int32_t i = 0; i < n; i++) self->out[i] = self->stay[i] = 0;
  self->speed = -1; /* of no use any more */
  bool fine = true;
  for (int32_t j = 0; j < n; j++) {
    for (int64_t e = into->start[j]; e < into->start[j + 1]; e++) {
      const double r = exits && j == self->inside ? exit[into->to[e]] : rate[self->origin[e]];
      fine = fine && r >= 0 && r < INFINITY;
      into->rate[e] = r;
      exact_sum sum = {self->out[into->to[e]], self->stay[into->to[e]]};
      sum_add(&sum, r);
      self->out[into->to[e]] = sum.high;
      self->stay[into->to[e]] = sum.low;
    }
  }
  self->fastest = 0;
  for (int32_t i = 0; i < n; i++) {
    exact_sum sum = {self->out[i], self->stay[i]};
    if (!exits && exit) {
      fine = fine && exit[i] >= 0 && exit[i] < INFINITY;
      sum_add(&sum, exit[i]);
    }
    self->out[i] = sum_get(&sum);
    self->fastest = fmax(self->fastest, self->out[i]);
    fine = fine && self->out[i] < FLOW_FASTEST;
  }
  return fine ? NESS_OK : NESS_NUMERIC;
}

void flow_speed(flow *self, double speed)
{
  if (speed == self->speed) return;
  self->speed = speed;
  for (int32_t i = 0; i < self->n; i++) self->stay[i] = speed > 0 ? (speed - self->out[i]) / speed : 1;
  const int64_t edges = self->into.start[self->n];
  for (int64_t e = 0; e < edges; e++) self->share[e] = speed > 0 ? self->into.rate[e] / speed : 0;
}

/* --- products and sums --- */

void flow_apply(flow *self, const double *v, double *next)
{
  const chain *const into = &self->into;
  self->products++;
#pragma omp parallel for schedule(static) if (self->wide)
  for (int32_t j = 0; j < self->n; j++) {
    double x = 0;
    for (int64_t e = into->start[j]; e < into->start[j + 1]; e++) x += into->rate[e] * v[into->to[e]];
    next[j] = x - self->out[j] * v[j];
  }
}

/* Sums of v, or of its magnitudes. */
static double flow_total(flow *self, const double *v, bool magnitude)
{
  const int32_t parts = flow_parts(self);
#pragma omp parallel for schedule(static) if (self->wide)
  for (int32_t b = 0; b < parts; b++) {
    exact_sum sum = {0};
    const int32_t end = flow_part_end(self, b);
    for (int32_t j = b * FLOW_PART; j < end; j++) sum_add(&sum, magnitude ? fabs(v[j]) : v[j]);
    self->part[2 * b] = sum.high;
    self->part[2 * b + 1] = sum.low;
  }
  exact_sum sum = {0};
  for (int32_t b = 0; b < parts; b++) {
    sum_add(&sum, self->part[2 * b]);
    sum.low += self->part[2 * b + 1];
  }
  return sum_get(&sum);
}

double flow_sum(flow *self, const double *v)
{
  return flow_total(self, v, false);
}

double flow_norm(flow *self, const double *v)
{
  return flow_total(self, v, true);
}

double flow_keep(flow *self, double mass, double *v)
{
  if (!self->closed) return 0;
  const double sum = flow_sum(self, v);
  if (!(sum > 0)) return mass;
  const double factor = mass / sum;
#pragma omp parallel for schedule(static) if (self->wide)
  for (int32_t j = 0; j < self->n; j++) v[j] *= factor;
  return fabs(sum - mass) + 2 * FLOW_ROUNDING * mass;
}

/* --- handing out --- */

bool flow_hopeless(const flow_task *task, double bound)
{
  return !(bound <= fmax(1e-3 * task->mass, task->tolerance));
}

ness_status flow_visit(const flow_task *task, int32_t index, const double *p)
{
  if (flow_hopeless(task, task->report->bound)) return NESS_NUMERIC;
  return task->visit ? task->visit(task->context, task->first + index, p) : NESS_OK;
}

flow_method *flow_method_of(transient_method method)
{
  return method == TRANSIENT_DENSE ? flow_dense : method == TRANSIENT_KRYLOV ? flow_krylov : flow_uniform;
}
