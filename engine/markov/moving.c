/* Rates that move: commutator-free Magnus steps of order 4 (Blanes and Moan, Appl. Numer. Math. 56, 1519 (2006)), two
 * exponentials of mixed generators each,
 *   p(t + h) = p(t) exp(h (a Q1 + b Q2)) exp(h (b Q1 + a Q2)),  a = 1/4 + sqrt(3)/6, b = 1/4 - sqrt(3)/6,
 * with Q1, Q2 at the two Gauss points. b is negative: a mixed rate that would be so too (a rate that rises more than
 * fourteenfold within a step) is set to zero, so that every exponential keeps signs and mass; what that costs shows in
 * the estimate. Each is made by a method of transient.h.
 *
 * A step is taken once whole and once as two halves, which are kept. The difference is about 15 times the error of the
 * halves, and stands for it in the bound. Exponentials do not increase the 1-norm, so that errors of steps add up;
 * where the method knows by how much a step shrinks differences (dense squaring), old ones shrink by that, and a step
 * may err by a share of the tolerance instead of its share of time. That is how fast chains follow slow rates, at order
 * 1: a step ends in the steady state of its last exponential. The difference is the error itself then, and counts ten
 * times. Rates that are the same at MOVING_LOOKS places of a stretch between breaks are taken to be constant there: no
 * estimate then. Cost: per step six calls for rates and six exponentials over half its length. */
#include "engine/markov/flow.h"

#include <math.h>
#include <string.h>

#define MOVING_LOOKS 16
#define MOVING_FIRST (1.0 / 32) /* of a stretch: the first step */
#define MOVING_GROW 4.0
#define MOVING_RELAXED                                                                                                 \
  0.5 /* contraction of a step below which the order is 1 and the difference is the error itself                       \
       */
#define MOVING_SAFETY 10

typedef struct moving {
  const chain *q;
  transient_rates rates;
  void *context;
  transient_method method;
  double tolerance, tolerance_rate; /* of the 1-norm; for each second */
  double mass;
  flow f;
  double *rate[2], *exit[2];    /* at the two Gauss points; exit NULL when closed */
  double *mixed, *mixed_exit;   /* of an exponential */
  double *coarse, *half, *fine; /* (f.n) */
  double gone[4];               /* seconds by each method */
  double bound;                 /* on the error now */
  double contraction;           /* of the exponentials since it was set to 1 */
} moving;

static ness_status moving_create(moving *self)
{
  const size_t edges = (size_t)self->q->start[self->q->n] + 1, n = (size_t)self->f.n + 1;
  bool fine = true;
  for (int32_t i = 0; i < 2; i++) {
    self->rate[i] = mem_zero(edges, sizeof *self->rate[i]);
    self->exit[i] = self->q->exit ? mem_zero(n, sizeof *self->exit[i]) : NULL;
    fine = fine && self->rate[i] && (self->exit[i] || !self->q->exit);
  }
  self->mixed = mem_zero(edges, sizeof *self->mixed);
  self->mixed_exit = self->q->exit ? mem_zero(n, sizeof *self->mixed_exit) : NULL;
  self->coarse = mem_zero(n, sizeof *self->coarse);
  self->half = mem_zero(n, sizeof *self->half);
  self->fine = mem_zero(n, sizeof *self->fine);
  fine = fine && self->mixed && (self->mixed_exit || !self->q->exit);
  return fine && self->coarse && self->half && self->fine ? NESS_OK : NESS_NOMEM;
}

static void moving_free(moving *self)
{
  for (int32_t i = 0; i < 2; i++) {
    mem_free(self->rate[i]);
    mem_free(self->exit[i]);
  }
  mem_free(self->mixed);
  mem_free(self->mixed_exit);
  mem_free(self->coarse);
  mem_free(self->half);
  mem_free(self->fine);
  flow_free(&self->f);
}

/* --- rates --- */

static ness_status moving_look(moving *self, double t, int32_t into)
{
  const int64_t edges = self->q->start[self->q->n];
  const ness_status status = self->rates(self->context, t, self->rate[into], self->exit[into]);
  bool fine = true;
  for (int64_t e = 0; e < edges; e++) fine = fine && self->rate[into][e] >= 0 && self->rate[into][e] < FLOW_FASTEST;
  for (int32_t i = 0; self->q->exit && i < self->q->n; i++)
    fine = fine && self->exit[into][i] >= 0 && self->exit[into][i] < FLOW_FASTEST;
  return status ? status : fine ? NESS_OK : NESS_NUMERIC;
}

/* 2 (a rates[0] + b rates[1]), which goes for half a step. */
static void moving_mix(const double *const rates[2], int64_t count, double a, double b, double *out)
{
  for (int64_t e = 0; e < count; e++) out[e] = fmax(0, 2 * (a * rates[0][e] + b * rates[1][e]));
}

static ness_status moving_constant(moving *self, double from, double to, bool *constant)
{
  const int64_t edges = self->q->start[self->q->n];
  ness_status status = NESS_OK;
  *constant = true;
  double place = 0.5;
  for (int32_t look = 0; look < MOVING_LOOKS && *constant && status == NESS_OK; look++) {
    status = moving_look(self, from + place * (to - from), look > 0);
    place = fmod(place + 0.6180339887498949, 1); /* by the golden section: no period is met twice at one phase */
    if (look == 0) continue;
    for (int64_t e = 0; e < edges && *constant; e++) *constant = self->rate[1][e] == self->rate[0][e];
    for (int32_t i = 0; self->q->exit && i < self->q->n && *constant; i++)
      *constant = self->exit[1][i] == self->exit[0][i];
  }
  return status;
}

/* --- steps --- */

/* p goes through the generator of flow for a time; `bound` is added to. */
static ness_status moving_exponential(moving *self, double time, double tolerance, double *p, transient_report *report)
{
  const transient_method method = self->method ? self->method : flow_choose(&self->f, time, 1);
  const flow_task task = {.tolerance = tolerance, .mass = self->mass, .times = &time, .count = 1, .report = report};
  self->gone[method] += time;
  const ness_status status = flow_method_of(method)(&self->f, &task, p);
  self->contraction *= self->f.contraction;
  return status;
}

/* One Magnus step from `from` to `to`. */
static ness_status moving_magnus(moving *self, double t, double h, const double *from, double *to,
                                 transient_report *report)
{
  const double a = 0.25 + sqrt(3) / 6, b = 0.25 - sqrt(3) / 6, place = sqrt(3) / 6;
  const int64_t edges = self->q->start[self->q->n];
  const double *const rates[2] = {self->rate[0], self->rate[1]}, *const exits[2] = {self->exit[0], self->exit[1]};
  ness_status status = moving_look(self, t + (0.5 - place) * h, 0);
  if (status == NESS_OK) status = moving_look(self, t + (0.5 + place) * h, 1);
  memcpy(to, from, (size_t)self->f.n * sizeof *to);
  for (int32_t i = 0; i < 2 && status == NESS_OK; i++) {
    moving_mix(rates, edges, i ? b : a, i ? a : b, self->mixed);
    if (self->q->exit) moving_mix(exits, self->q->n, i ? b : a, i ? a : b, self->mixed_exit);
    status = flow_rates(&self->f, self->mixed, self->mixed_exit);
    if (status == NESS_OK) status = moving_exponential(self, h / 2, 0.05 * self->tolerance_rate * h, to, report);
  }
  return status;
}

static double moving_distance(const moving *self)
{
  double sum = 0;
  for (int32_t i = 0; i < self->f.n; i++) sum += fabs(self->coarse[i] - self->fine[i]);
  return sum;
}

/* p goes from t by at most `left`; *h is the step to try first and then the one for the next time. */
static ness_status moving_step(moving *self, double t, double left, double *p, double *h, double *gone)
{
  double step = fmin(*h, left), distance = 0, allowed = 0;
  transient_report whole = {0}, first = {0}, second = {0};
  ness_status status = moving_magnus(self, t, step, p, self->coarse, &whole);
  for (;;) {
    first = second = (transient_report){0};
    self->contraction = 1;
    if (status == NESS_OK) status = moving_magnus(self, t, step / 2, p, self->half, &first);
    if (status == NESS_OK) status = moving_magnus(self, t + step / 2, step / 2, self->half, self->fine, &second);
    if (status) return status;
    distance = moving_distance(self) * (self->contraction < MOVING_RELAXED ? MOVING_SAFETY : 1);
    allowed = fmax(self->tolerance_rate * step, self->tolerance * (1 - self->contraction)) / 2;
    if (distance <= allowed + whole.bound + first.bound + second.bound) break;
    if (t + step / 4 == t) return NESS_NUMERIC;
    double *const swap = self->coarse; /* the first half is the whole of the next attempt */
    self->coarse = self->half;
    self->half = swap;
    whole = first;
    step /= 2;
  }
  *gone = step;
  const double grow = 0.9 * pow(fmax(distance / allowed, 1e-4), -0.25);
  *h = step * fmin(fmax(grow, 0.5), MOVING_GROW);
  memcpy(p, self->fine, (size_t)self->f.n * sizeof *p);
  self->bound = self->contraction * self->bound + distance + first.bound + second.bound;
  return NESS_OK;
}

/* --- stretches between breaks --- */

/* A stretch of constant rates, which flow has. */
static ness_status moving_still(moving *self, transient_method method, const flow_task *task, double *p)
{
  transient_report report = {.proven = true, .bound = self->bound};
  flow_task still = *task;
  still.report = &report;
  const ness_status status = flow_method_of(method)(&self->f, &still, p);
  self->bound = report.bound;
  task->report->bound = fmax(task->report->bound, report.bound);
  task->report->proven = task->report->proven && report.proven;
  return status;
}

static ness_status moving_stretch(moving *self, const flow_task *task, double *p)
{
  const double end = task->times[task->count - 1];
  bool constant;
  ness_status status = moving_constant(self, task->origin, end, &constant);
  if (status == NESS_OK && constant) {
    status = flow_rates(&self->f, self->rate[0], self->exit[0]);
    const double span = end - task->origin;
    const transient_method method = self->method ? self->method : flow_choose(&self->f, span, task->count);
    self->gone[method] += span;
    return status ? status : moving_still(self, method, task, p);
  }
  task->report->proven = false;
  double t = task->origin, h = MOVING_FIRST * (end - t);
  for (int32_t i = 0; i < task->count && status == NESS_OK; i++) {
    for (double left = task->times[i] - t; left > 0 && status == NESS_OK; left = task->times[i] - t) {
      double gone = 0, next = h;
      status = moving_step(self, t, left, p, &next, &gone);
      if (gone < left || next > h) h = next;
      t = gone < left ? t + gone : task->times[i];
      if (status == NESS_OK && flow_hopeless(task, self->bound)) status = NESS_NUMERIC;
    }
    task->report->bound = fmax(task->report->bound, self->bound);
    if (status == NESS_OK) status = flow_visit(task, i, p);
  }
  return status;
}

/* The asked visits of a stretch, whose last stop may be a break that nobody asked for. */
typedef struct moving_asked {
  transient_visit visit;
  void *context;
  int32_t end; /* of the indices that were asked for */
} moving_asked;

static ness_status moving_visit(void *context, int32_t index, const double *p)
{
  const moving_asked *const asked = context;
  return index < asked->end && asked->visit ? asked->visit(asked->context, index, p) : NESS_OK;
}

static ness_status moving_stretches(moving *self, flow_task *task, const double *breaks, int32_t nbreaks, double *stops,
                                    double *p)
{
  const double end = task->count > 0 ? task->times[task->count - 1] : 0, tolerance = task->tolerance;
  const transient_visit visit = task->visit;
  void *const context = task->context;
  const int32_t all = task->first + task->count;
  ness_status status = NESS_OK;
  for (int32_t next = 0; task->count > 0 && status == NESS_OK;) {
    while (next < nbreaks && breaks[next] <= task->origin) next++;
    const double to = next < nbreaks && breaks[next] < end ? breaks[next] : end;
    int32_t count = 0;
    for (; count < task->count && task->times[count] <= to; count++) stops[count] = task->times[count];
    moving_asked asked = {visit, context, task->first + count};
    flow_task stretch = *task;
    stretch.times = stops;
    stretch.count = count;
    if (count == 0 || stops[count - 1] < to) stops[stretch.count++] = to;
    stretch.tolerance = tolerance * ((to - task->origin) / end);
    stretch.visit = moving_visit;
    stretch.context = &asked;
    status = moving_stretch(self, &stretch, p);
    task->times += count;
    task->first += count;
    task->count = all - task->first;
    task->origin = to;
  }
  return status;
}

ness_status transient_moving(const chain *q, transient_rates rates, void *rates_context, const double *breaks,
                             int32_t nbreaks, const transient_options *options, double *p, const double *times,
                             int32_t ntimes, transient_visit visit, void *context, transient_report *report)
{
  const transient_options usual = {0};
  transient_report unseen;
  if (!options) options = &usual;
  if (!report) report = &unseen;
  moving m = {.q = q, .rates = rates, .context = rates_context, .method = options->method};
  flow_task task;
  double *whole = NULL, *stops = NULL;
  ness_status status = transient_begin(q, options, p, times, ntimes, report, &m.f, &whole, &task);
  for (int32_t i = 1; i < nbreaks && status == NESS_OK; i++) status = breaks[i - 1] <= breaks[i] ? status : NESS_USAGE;
  if (status) goto out;
  task.visit = visit;
  task.context = context;
  m.mass = task.mass;
  m.tolerance = task.tolerance;
  if (ntimes > 0 && times[ntimes - 1] > 0) m.tolerance_rate = task.tolerance / times[ntimes - 1];
  stops = mem_zero((size_t)ntimes + 1, sizeof *stops);
  status = stops ? moving_create(&m) : NESS_NOMEM;
  if (status == NESS_OK) status = transient_lead(&task, whole);
  if (status == NESS_OK) status = moving_stretches(&m, &task, breaks, nbreaks, stops, whole);
  if (q->n > 0) memcpy(p, whole, (size_t)q->n * sizeof *p);
  report->products = m.f.products;
  for (int32_t i = 1; i < 4; i++) {
    if (m.gone[i] > m.gone[report->method]) report->method = (transient_method)i;
  }
out:
  mem_free(stops);
  mem_free(whole);
  moving_free(&m);
  return status;
}
