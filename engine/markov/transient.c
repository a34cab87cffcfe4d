/* Distributions in time: options, the choice of a method, and runs of constant rates. Costs of the choice are in
 * nanoseconds, measured on one machine; only their ratios matter. */
#include "engine/markov/flow.h"

#include <math.h>
#include <string.h>

const char *transient_name(transient_method method)
{
  switch (method) {
  case TRANSIENT_AUTO: return "automatic";
  case TRANSIENT_UNIFORM: return "uniformisation";
  case TRANSIENT_KRYLOV: return "Krylov projection";
  case TRANSIENT_DENSE: return "dense squaring";
  }
  return "?";
}

/* --- the choice --- */

#define COST_TERM 1.2      /* a transition in a product */
#define COST_STATE 3.0     /* a state in a product */
#define COST_DENSE 0.4     /* a multiplication in a product of matrices */
#define COST_DENSE_ROWS 44 /* steps to start a power */
#define COST_KRYLOV 60.0   /* a state in a product with its orthogonalisation */
#define KRYLOV_REACH 65.0  /* uniformised steps that a projection of 32 products goes, by and large */
#define KRYLOV_LEAST 1e5   /* steps below which a projection is not thought of */

transient_method flow_choose(const flow *self, double span, int32_t times)
{
  const double n = self->n, mean = self->fastest * span;
  const double product = COST_TERM * (double)self->into.start[self->n] + COST_STATE * n;
  const double uniform = (mean + 7 * sqrt(mean) + 12) * product;
  const double doublings = fmax(0, log2(fmax(mean, 1)) + 2);
  const double dense = doublings * n * n * (n + times) * COST_DENSE + COST_DENSE_ROWS * (n + times) * product;
  const bool fits = self->closed && self->n <= FLOW_OUTSIDE_MOST;
  if (fits && dense < uniform) return TRANSIENT_DENSE;
  if (mean * self->rounding > 5e-4) return fits ? TRANSIENT_DENSE : TRANSIENT_KRYLOV; /* rounding would take over */
  const double krylov = mean / KRYLOV_REACH * 32 * (product + COST_KRYLOV * n);
  return mean > KRYLOV_LEAST && krylov < uniform ? TRANSIENT_KRYLOV : TRANSIENT_UNIFORM;
}

/* --- runs --- */

static bool transient_fit(const chain *q, const double *p, const double *times, int32_t ntimes, double *mass)
{
  double last = 0;
  for (int32_t i = 0; i < ntimes; i++) {
    if (!(times[i] >= last && times[i] < INFINITY)) return false;
    last = times[i];
  }
  *mass = 0;
  for (int32_t i = 0; i < q->n; i++) {
    if (!(p[i] >= 0)) return false;
    *mass += p[i];
  }
  return *mass < INFINITY;
}

ness_status transient_begin(const chain *q, const transient_options *options, const double *p, const double *times,
                            int32_t ntimes, transient_report *report, flow *f, double **whole, flow_task *out)
{
  *report = (transient_report){.method = options->method, .proven = true};
  *out = (flow_task){.report = report, .times = times, .count = ntimes};
  *whole = NULL;
  *f = (flow){0};
  if (!(options->tolerance >= 0) || !transient_fit(q, p, times, ntimes, &out->mass)) return NESS_USAGE;
  out->tolerance = (options->tolerance > 0 ? options->tolerance : TRANSIENT_TOLERANCE) * out->mass;
  const bool outside = q->n <= FLOW_OUTSIDE_MOST || options->method == TRANSIENT_DENSE;
  const ness_status status = flow_create(q, outside, f);
  if (status) return status;
  *whole = mem_zero((size_t)f->n + 1, sizeof **whole);
  if (!*whole) return NESS_NOMEM;
  if (q->n > 0) memcpy(*whole, p, (size_t)q->n * sizeof *p);
  return NESS_OK;
}

/* Times at which nothing has happened yet; a chain without mass stays as it is. */
ness_status transient_lead(flow_task *task, const double *p)
{
  ness_status status = NESS_OK;
  while (task->count > 0 && (task->times[0] <= task->origin || !(task->mass > 0)) && status == NESS_OK) {
    status = flow_visit(task, 0, p);
    task->times++;
    task->first++;
    task->count--;
  }
  return status;
}

ness_status transient_run(const chain *q, const transient_options *options, double *p, const double *times,
                          int32_t ntimes, transient_visit visit, void *context, transient_report *report)
{
  const transient_options usual = {0};
  transient_report unseen;
  if (!options) options = &usual;
  if (!report) report = &unseen;
  flow f;
  flow_task task;
  double *whole = NULL;
  ness_status status = transient_begin(q, options, p, times, ntimes, report, &f, &whole, &task);
  task.visit = visit;
  task.context = context;
  if (status == NESS_OK) status = flow_rates(&f, q->rate, q->exit);
  if (status) goto out;
  const double span = ntimes > 0 ? times[ntimes - 1] : 0;
  if (report->method == TRANSIENT_AUTO) report->method = flow_choose(&f, span, ntimes);
  status = transient_lead(&task, whole);
  if (status == NESS_OK) status = flow_method_of(report->method)(&f, &task, whole);
  if (q->n > 0) memcpy(p, whole, (size_t)q->n * sizeof *p);
  report->products = f.products;
out:
  mem_free(whole);
  flow_free(&f);
  return status;
}
