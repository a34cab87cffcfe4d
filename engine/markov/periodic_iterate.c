/* Periodic steady states of chains whose matrices are out of reach: periods are gone through one after another from the
 * steady state of the mean rates on. Once changes shrink by a steady factor f, p goes by f / (1 - f) of the last change
 * further (Aitken's extrapolation). What is left to go is estimated the same way, and each period may be off by what
 * transient_moving says, which adds up 1 / (1 - f) times. Means are sums over three Gauss points in each of the parts
 * that the stretches between breaks are cut into; parts are halved until the flows agree. Cost: that of
 * transient_moving for 1 / (1 - f) periods and a few more; memory linear in states and transitions. */
#include "engine/markov/periodic_parts.h"
#include "engine/markov/solver.h"

#include <math.h>
#include <string.h>

enum { POINTS = 3, PARTS_FIRST = 8, PARTS_MOST = 2048, PERIODS = 2000 };
#define HALVES 16.0 /* what halving the parts changes over the error of the halves, at least */
#define STEADY 0.02 /* relative change of 1 - f below which p is extrapolated */
#define MOVING 0.02 /* of the tolerance, for a period */

typedef struct iteration {
  const chain *q;
  transient_rates rates;
  void *context;
  const periodic_options *options;
  double period, tolerance;
  const double *breaks;
  int32_t nbreaks;
  double *rate, *mean, *before; /* (edges) now; over the period; flows by half as many parts */
  double *weight;               /* (nset x edges) */
  double *next;                 /* (n) */
  double *time, *share;         /* (count) Gauss points, s, and their shares of the period */
  int64_t count, time_room, share_room;
  periodic_answer *out;
  periodic_report *report;
} iteration;

static ness_status iteration_create(iteration *self)
{
  const size_t n = (size_t)self->q->n, edges = (size_t)self->q->start[n];
  self->rate = mem_zero(3 * edges + 1, sizeof *self->rate);
  self->weight = mem_zero((size_t)self->options->nset * edges + 1, sizeof *self->weight);
  self->next = mem_zero(n + 1, sizeof *self->next);
  if (!self->rate || !self->weight || !self->next) return NESS_NOMEM;
  self->mean = self->rate + edges;
  self->before = self->mean + edges;
  return NESS_OK;
}

static void iteration_free(iteration *self)
{
  mem_free(self->rate);
  mem_free(self->weight);
  mem_free(self->next);
  mem_free(self->time);
  mem_free(self->share);
}

static ness_status iteration_rates(void *context, double t, double *rate, double *exit)
{
  iteration *const self = context;
  self->report->calls++;
  return self->rates(self->context, t, rate, exit);
}

/* Gauss points of `parts` equal parts of every stretch. */
static ness_status iteration_points(iteration *self, int32_t parts)
{
  const double node[POINTS] = {0.5 - sqrt(0.15), 0.5, 0.5 + sqrt(0.15)}, weight[POINTS] = {5.0 / 18, 4.0 / 9, 5.0 / 18};
  const int64_t count = (int64_t)POINTS * parts * (self->nbreaks + 1);
  if (!mem_grow(&self->time, &self->time_room, count, sizeof *self->time)) return NESS_NOMEM;
  if (!mem_grow(&self->share, &self->share_room, count, sizeof *self->share)) return NESS_NOMEM;
  double from = 0;
  self->count = 0;
  for (int32_t i = 0; i <= self->nbreaks; i++) {
    const double to = i < self->nbreaks ? self->breaks[i] : self->period, h = (to - from) / parts;
    if (!(to > from)) return NESS_USAGE;
    for (int32_t k = 0; k < parts * POINTS; k++) {
      self->time[self->count] = from + (k / POINTS + node[k % POINTS]) * h;
      self->share[self->count++] = weight[k % POINTS] * h / self->period;
    }
    from = to;
  }
  return NESS_OK;
}

/* --- the fixed point --- */

static ness_status iteration_start(iteration *self, double *p)
{
  const int64_t edges = self->q->start[self->q->n];
  ness_status status = iteration_points(self, PARTS_FIRST);
  for (int64_t k = 0; k < self->count && status == NESS_OK; k++) {
    status = iteration_rates(self, self->time[k], self->rate, NULL);
    for (int64_t e = 0; e < edges; e++) self->mean[e] += self->share[k] * self->rate[e];
  }
  if (status) return status;
  chain part;
  solver *of = NULL;
  status = pieces_part(self->q, self->mean, &part);
  if (status == NESS_OK) status = solver_create(&part, NULL, NULL, &of);
  if (status == NESS_OK) memcpy(p, solver_steady(of), (size_t)part.n * sizeof *p);
  solver_free(of);
  chain_free(&part);
  return status;
}

/* p goes on by a period; the change is returned in the 1-norm. */
static ness_status iteration_go(iteration *self, double *p, double *change, double *bound)
{
  const transient_options options = {.tolerance = MOVING * self->tolerance};
  const int32_t n = self->q->n;
  transient_report report;
  memcpy(self->next, p, (size_t)n * sizeof *p);
  const ness_status status = transient_moving(self->q, iteration_rates, self, self->breaks, self->nbreaks, &options,
                                              self->next, &self->period, 1, NULL, NULL, &report);
  *change = 0;
  for (int32_t i = 0; i < n; i++) *change += fabs(self->next[i] - p[i]);
  *bound = report.bound;
  return status;
}

/* p <- next + f / (1 - f) (next - p), of sum 1 and without signs. */
static void iteration_extrapolate(const iteration *self, double f, double *p)
{
  const int32_t n = self->q->n;
  double sum = 0;
  for (int32_t i = 0; i < n; i++) sum += p[i] = fmax(0, self->next[i] + f / (1 - f) * (self->next[i] - p[i]));
  for (int32_t i = 0; i < n; i++) p[i] /= sum;
}

static ness_status iteration_settle(iteration *self, double *p)
{
  double last = 0, f = 1, change = 0, bound = 0;
  for (int32_t k = 0; k < PERIODS; k++) {
    const ness_status status = iteration_go(self, p, &change, &bound);
    if (status) return status;
    const double old = f;
    f = last > 0 ? fmin(change / last, 1) : 1;
    last = change;
    self->report->rounds++;
    self->report->error = f < 1 ? (change * f + bound) / (1 - f) : INFINITY;
    if (self->report->error <= self->tolerance / 2) {
      memcpy(p, self->next, (size_t)self->q->n * sizeof *p);
      return NESS_OK;
    }
    if (f < 1 && fabs(f - old) < STEADY * (1 - f)) {
      iteration_extrapolate(self, f, p);
      last = 0;
    } else {
      memcpy(p, self->next, (size_t)self->q->n * sizeof *p);
    }
  }
  return NESS_OK;
}

/* --- means --- */

static void iteration_observe(const iteration *self, double t, double share, const double *p)
{
  const periodic_options *const o = self->options;
  const int64_t edges = self->q->start[self->q->n];
  const double angle = 2 * acos(-1) * t / self->period;
  for (int32_t b = 0; b < o->nobs; b++) {
    double sum = 0;
    for (int64_t k = o->obs_start[b]; k < o->obs_start[b + 1]; k++) {
      const int64_t term = o->obs_term[k];
      sum += o->obs_weight[k] * (term < edges ? self->rate[term] : p[term - edges]);
    }
    self->out->obs[b] += share * sum;
    for (int32_t k = 0; k < o->harmonics; k++) {
      self->out->cosine[b * o->harmonics + k] += 2 * share * sum * cos((k + 1) * angle);
      self->out->sine[b * o->harmonics + k] += 2 * share * sum * sin((k + 1) * angle);
    }
  }
}

static ness_status iteration_see(void *context, int32_t index, const double *p)
{
  iteration *const self = context;
  const periodic_options *const o = self->options;
  const int64_t edges = self->q->start[self->q->n];
  const double t = self->time[index], share = self->share[index];
  ness_status status = iteration_rates(self, t, self->rate, NULL);
  if (status == NESS_OK && o->nset > 0) status = o->weights(o->weights_context, t, self->weight);
  if (status) return status;
  for (int32_t i = 0; i < self->q->n; i++) {
    self->out->mean[i] += share * p[i];
    for (int64_t e = self->q->start[i]; e < self->q->start[i + 1]; e++) {
      self->rate[e] *= p[i];
      self->out->flow[e] += share * self->rate[e];
    }
  }
  for (int64_t k = 0; k < o->nset * edges; k++)
    self->out->set[k / edges] += share * self->weight[k] * self->rate[k % edges];
  iteration_observe(self, t, share, p);
  return NESS_OK;
}

static void iteration_clear(const iteration *self)
{
  const periodic_options *const o = self->options;
  const size_t harmonics = (size_t)o->nobs * (size_t)o->harmonics * sizeof(double);
  memset(self->out->flow, 0, (size_t)self->q->start[self->q->n] * sizeof(double));
  memset(self->out->mean, 0, (size_t)self->q->n * sizeof(double));
  memset(self->out->set, 0, (size_t)o->nset * sizeof(double));
  memset(self->out->obs, 0, (size_t)o->nobs * sizeof(double));
  memset(self->out->cosine, 0, harmonics);
  memset(self->out->sine, 0, harmonics);
}

static ness_status iteration_means(iteration *self, const double *p)
{
  const transient_options options = {.tolerance = MOVING * self->tolerance};
  const int64_t edges = self->q->start[self->q->n];
  double change = INFINITY;
  for (int32_t parts = PARTS_FIRST; parts <= PARTS_MOST && change > self->tolerance / 2; parts *= 2) {
    ness_status status = iteration_points(self, parts);
    if (status) return status;
    iteration_clear(self);
    memcpy(self->next, p, (size_t)self->q->n * sizeof *p);
    status = transient_moving(self->q, iteration_rates, self, self->breaks, self->nbreaks, &options, self->next,
                              self->time, (int32_t)self->count, iteration_see, self, NULL);
    if (status) return status;
    double off = 0, all = 0;
    for (int64_t e = 0; e < edges; e++) {
      off += fabs(self->out->flow[e] - self->before[e]);
      all += self->out->flow[e];
      self->before[e] = self->out->flow[e];
    }
    if (parts > PARTS_FIRST) change = all > 0 ? off / all / HALVES : 0;
    self->report->elements = parts * (self->nbreaks + 1);
  }
  self->report->error += change;
  return NESS_OK;
}

/* --- phases --- */

static ness_status iteration_phase(void *context, int32_t index, const double *p)
{
  const iteration *const self = context;
  const size_t n = (size_t)self->q->n;
  memcpy(self->out->phase + (size_t)index * n, p, n * sizeof *p);
  return NESS_OK;
}

static ness_status iteration_phases(iteration *self, const double *p)
{
  const transient_options options = {.tolerance = MOVING * self->tolerance};
  const int32_t phases = self->options->phases;
  if (!mem_grow(&self->time, &self->time_room, phases, sizeof *self->time)) return NESS_NOMEM;
  for (int32_t k = 0; k < phases; k++) self->time[k] = self->period * k / phases;
  memcpy(self->next, p, (size_t)self->q->n * sizeof *p);
  return transient_moving(self->q, iteration_rates, self, self->breaks, self->nbreaks, &options, self->next, self->time,
                          phases, iteration_phase, self, NULL);
}

ness_status periodic_iterate(const chain *q, transient_rates rates, void *rates_context, double period,
                             const double *breaks, int32_t nbreaks, const periodic_options *options, double *p,
                             periodic_answer *out, periodic_report *report)
{
  iteration self = {.q = q,
                    .rates = rates,
                    .context = rates_context,
                    .options = options,
                    .period = period,
                    .breaks = breaks,
                    .nbreaks = nbreaks,
                    .out = out,
                    .report = report};
  self.tolerance = options->tolerance > 0 ? options->tolerance : PERIODIC_TOLERANCE_MANY;
  report->iterated = true;
  ness_status status = iteration_create(&self);
  if (status == NESS_OK) status = iteration_start(&self, p);
  if (status == NESS_OK) status = iteration_settle(&self, p);
  if (status == NESS_OK) status = iteration_means(&self, p);
  if (status == NESS_OK) status = iteration_phases(&self, p);
  if (status == NESS_OK && !(report->error <= fmax(1e-3, self.tolerance))) status = NESS_NUMERIC;
  iteration_free(&self);
  return status;
}
