/* Uniformisation: p exp(Q t) = sum over k of Poisson(k; speed t) p P^k with P = 1 + Q / speed, which is all sums of
 * nonnegative numbers (Jensen 1953; Grassmann, Comput. Oper. Res. 4, 47 (1977)). Times that lie near to each other
 * are collected from the same powers: a cheapest partition into such groups is found beforehand.
 *
 * The bound is proven: window tails; rounding, whose relative error of a step P passes on as it does not increase the
 * 1-norm, so that a power k has k times the error of a step, speed t times on average; and rest: v P^m differs from v
 * by at most m |v P - v|, so that powers need not be formed any more once that is below its share of the tolerance or
 * below the rounding error that a step is charged with in either case.
 * Cost: about speed t + 7 sqrt(speed t) products over the span of a group. */
#include "engine/markov/flow.h"
#include "engine/markov/poisson.h"

#include <math.h>
#include <string.h>

#define UNIFORM_GROUP 32   /* times of a group at most */
#define UNIFORM_CHECK 64   /* products between looks at whether v rests */
#define UNIFORM_SIDE 7.0   /* half the width of a window in standard deviations, for estimates */
#define UNIFORM_ADDING 0.4 /* an addition to a collected sum against a term of a product */

typedef struct uniform {
  flow *f;
  double *v, *next;
  int32_t count; /* of times that are collected */
  double *sum[UNIFORM_GROUP];
  double mean[UNIFORM_GROUP];
  poisson_window window[UNIFORM_GROUP];
  int64_t right;   /* the last power that is needed */
  int64_t reached; /* the last one formed; those beyond are taken to be the same */
  double still;    /* |v P - v| there */
} uniform;

/* --- which times to collect together --- */

static double uniform_cost(const flow *f, const flow_task *task, int32_t first, int32_t count, double *adding)
{
  const double from = first > 0 ? task->times[first - 1] : task->origin;
  const double mean = f->fastest * (task->times[first + count - 1] - from);
  *adding += 2 * UNIFORM_SIDE * sqrt(mean) + 12;
  const double product = (double)f->into.start[f->n] + 2 * (double)f->n;
  return (mean + UNIFORM_SIDE * sqrt(mean) + 12) * product + *adding * UNIFORM_ADDING * (double)f->n;
}

/* take[i]: how many times make the group that starts with i, in the cheapest partition. cost: (count + 1) scratch. */
static void uniform_plan(const flow *f, const flow_task *task, int32_t most, int8_t *take, double *cost)
{
  cost[task->count] = 0;
  for (int32_t i = task->count - 1; i >= 0; i--) {
    double adding = 0;
    cost[i] = INFINITY;
    for (int32_t g = 1; g <= most && i + g <= task->count; g++) {
      const double all = uniform_cost(f, task, i, g, &adding) + cost[i + g];
      if (all < cost[i] || g == 1) {
        cost[i] = all;
        take[i] = (int8_t)g;
      }
    }
  }
}

/* --- powers --- */

/* Adds the k-th power, v, to the sums that it belongs to, and forms the next; returns |next - v| where asked. */
static double uniform_power(uniform *self, int64_t k, bool measure)
{
  flow *const f = self->f;
  const int32_t parts = flow_parts(f);
  const double *const v = self->v;
  double *const next = self->next;
#pragma omp parallel for schedule(static) if (f->wide)
  for (int32_t b = 0; b < parts; b++) {
    const int32_t first = b * FLOW_PART, end = flow_part_end(f, b);
    for (int32_t c = 0; c < self->count; c++) {
      if (k < self->window[c].left || k > self->window[c].right) continue;
      const double w = f->weight[self->window[c].at + k - self->window[c].left];
      double *const sum = self->sum[c];
      for (int32_t j = first; j < end; j++) sum[j] += w * v[j];
    }
    if (k == self->right) continue;
    for (int32_t j = first; j < end; j++) next[j] = flow_step(f, v, j);
    if (!measure) continue;
    double moved = 0;
    for (int32_t j = first; j < end; j++) moved += fabs(next[j] - v[j]);
    f->part[b] = moved;
  }
  f->products += k < self->right;
  double moved = 0;
  for (int32_t b = 0; measure && b < parts; b++) moved += f->part[b];
  return moved;
}

/* The weights beyond the power that was reached go to that one, which is v. */
static void uniform_rest(uniform *self)
{
  for (int32_t c = 0; c < self->count; c++) {
    const poisson_window *const w = &self->window[c];
    double rest = 0;
    for (int64_t k = w->right; k > self->reached && k >= w->left; k--) rest += self->f->weight[w->at + k - w->left];
    for (int32_t j = 0; rest > 0 && j < self->f->n; j++) self->sum[c][j] += rest * self->v[j];
  }
}

static ness_status uniform_powers(uniform *self, double mass, double tolerance)
{
  flow *const f = self->f;
  int64_t check = 0;
  self->still = 0;
  for (int64_t k = 0;; k++) {
    const bool measure = k == check && k < self->right;
    const double moved = uniform_power(self, k, measure);
    if (k == self->right) break;
    const double limit = fmax(tolerance / (double)(self->right - k), f->rounding * mass / 4);
    if (measure && moved <= limit) {
      self->still = 1.0001 * moved; /* its rounding errors are those of the step, which the mean counts */
      self->reached = k;
      uniform_rest(self);
      return NESS_OK;
    }
    double *const swap = self->v;
    self->v = self->next;
    self->next = swap;
    if (!measure) continue;
    if (interrupt_pending()) return NESS_INTERRUPTED;
    check = k + UNIFORM_CHECK;
  }
  self->reached = self->right;
  return NESS_OK;
}

/* --- groups --- */

static ness_status uniform_windows(uniform *self, const flow_task *task, int32_t first, double from, double tolerance)
{
  flow *const f = self->f;
  int64_t at = 0;
  self->right = 0;
  for (int32_t c = 0; c < self->count; c++) {
    self->mean[c] = f->speed * (task->times[first + c] - from);
    const ness_status status =
        poisson_window_find(self->mean[c], tolerance / task->mass, at, &f->weight, &f->weight_size, &self->window[c]);
    if (status) return status;
    at += self->window[c].right - self->window[c].left + 1;
    self->right = self->window[c].right > self->right ? self->window[c].right : self->right;
    memset(self->sum[c], 0, (size_t)f->n * sizeof *self->sum[c]);
  }
  return NESS_OK;
}

/* The 1-norm error of sum c beyond that of the vector that the group started from. */
static double uniform_bound(const uniform *self, int32_t c, double mass)
{
  const poisson_window *const w = &self->window[c];
  const double adds = (double)(w->right - w->left + 4) * FLOW_ROUNDING;
  const double beyond = fmax(0, (double)(w->right - self->reached)) * self->still;
  return mass * (w->error + adds + 1.01 * (self->mean[c] + 2) * self->f->rounding) + beyond;
}

static ness_status uniform_group(uniform *self, const flow_task *task, int32_t first, double *p)
{
  flow *const f = self->f;
  const double from = first > 0 ? task->times[first - 1] : task->origin, start = task->report->bound;
  const double span = task->times[first + self->count - 1] - from, whole = task->times[task->count - 1] - task->origin;
  const double share = task->tolerance / 4;
  ness_status status = uniform_windows(self, task, first, from, share / task->count);
  if (status) return status;
  memcpy(self->v, p, (size_t)f->n * sizeof *p);
  status = uniform_powers(self, task->mass, whole > 0 ? share * (span / whole) : share);
  for (int32_t c = 0; c < self->count && status == NESS_OK; c++) {
    task->report->bound = start + uniform_bound(self, c, task->mass);
    task->report->bound += flow_keep(f, task->mass, self->sum[c]);
    status = flow_visit(task, first + c, self->sum[c]);
  }
  memcpy(p, self->sum[self->count - 1], (size_t)f->n * sizeof *p);
  return status;
}

ness_status flow_uniform(flow *self, const flow_task *task, double *p)
{
  self->contraction = 1;
  if (task->count == 0) return NESS_OK;
  const int32_t n = self->n, room = n > 0 ? (1 << 25) / n : UNIFORM_GROUP;
  const int32_t most = room < 1 ? 1 : room > UNIFORM_GROUP ? UNIFORM_GROUP : room;
  const double span = task->times[task->count - 1] - task->origin;
  flow_speed(self, self->fastest);
  if (flow_hopeless(task, task->report->bound + task->mass * self->rounding * self->speed * span)) return NESS_NUMERIC;
  uniform u = {.f = self};
  double *cost = mem_zero((size_t)task->count + 1, sizeof *cost);
  int8_t *take = mem_zero((size_t)task->count + 1, sizeof *take);
  ness_status status = cost && take ? NESS_OK : NESS_NOMEM;
  int32_t widest = 0;
  if (status == NESS_OK) uniform_plan(self, task, most, take, cost);
  for (int32_t i = 0; status == NESS_OK && i < task->count; i += take[i]) widest = take[i] > widest ? take[i] : widest;
  if (status == NESS_OK) status = flow_room(self, (int64_t)n * (2 + widest));
  for (int32_t c = 0; status == NESS_OK && c < widest; c++) u.sum[c] = self->room + (int64_t)n * (2 + c);
  for (int32_t i = 0; status == NESS_OK && i < task->count; i += u.count) {
    u.v = self->room;
    u.next = self->room + n;
    u.count = take[i];
    status = uniform_group(&u, task, i, p);
  }
  mem_free(cost);
  mem_free(take);
  return status;
}
