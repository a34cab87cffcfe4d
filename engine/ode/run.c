/* Solutions in time: outputs between the steps of the integrator by its own interpolation, up to the last time or the
 * first event. Invariant: what a visitor sees is not negative. Cost: that of the integrator and a copy an output. */
#include "engine/ode/solver.h"

#include <math.h>
#include <string.h>

typedef struct visitor {
  ode_visit visit;
  void *context;
  double *x, *full; /* (nslot), (nslot x nslot) or NULL */
} visitor;

static ness_status visit_at(visitor *self, const ode_system *sys, bool noise, double time, const double *y)
{
  for (int32_t i = 0; i < sys->nslot; i++) self->x[i] = y[i] > 0 ? y[i] : 0;
  if (noise) ode_covariance_full(sys->nslot, y, self->full);
  return self->visit ? self->visit(self->context, time, self->x, noise ? self->full : NULL) : NESS_OK;
}

static ness_status check_times(const double *times, int64_t ntimes, ness_diags *diags)
{
  for (int64_t k = 0; k < ntimes; k++) {
    if (times[k] >= (k ? times[k - 1] : 0) && isfinite(times[k])) continue;
    diag_add(diags, NESS_ERROR, "times are finite, ascending and not negative");
    return NESS_USAGE;
  }
  return NESS_OK;
}

/* All times within the last step; `next` moves on. */
static ness_status run_outputs(ode_integrator *ode, visitor *to, const double *times, int64_t ntimes, int64_t *next,
                               N_Vector between)
{
  const bool noise = ode->covariance;
  ness_status status = NESS_OK;
  for (; !status && *next < ntimes && times[*next] <= ode->time; ++*next) {
    if (times[*next] == ode->time) {
      status = visit_at(to, ode->sys, noise, times[*next], ode_vector(ode->y));
    } else if (ode_integrator_at(ode, times[*next], 0, between)) {
      status = visit_at(to, ode->sys, noise, times[*next], ode_vector(between));
    } else {
      status = NESS_INTERNAL;
    }
  }
  return status;
}

static ness_status run_through(ode_integrator *ode, const ode_options *options, visitor *to, const double *times,
                               int64_t ntimes, ness_diags *diags, ode_report *report)
{
  const bool noise = ode->covariance;
  int64_t next = 0;
  N_Vector between = N_VClone(ode->y);
  ness_status status = between ? ode_check_state(ode->sys, ode_vector(ode->y), &ode->work, 0, diags) : NESS_NOMEM;
  for (; !status && next < ntimes && times[next] == 0; next++) {
    status = visit_at(to, ode->sys, noise, 0, ode_vector(ode->y));
  }
  while (!status && next < ntimes) {
    status = ode_integrator_step(ode, options, diags);
    if (!status) status = run_outputs(ode, to, times, ntimes, &next, between);
    if (!status && ode->root) {
      report->event_time = ode->time;
      status = visit_at(to, ode->sys, noise, ode->time, ode_vector(ode->y));
      break;
    }
  }
  if (between) N_VDestroy(between);
  return status;
}

ness_status ode_run(const ode_system *self, const ode_options *options, const double *times, int64_t ntimes,
                    ode_visit visit, void *context, ness_diags *diags, ode_report *report)
{
  const ode_options none = {0};
  const size_t n = (size_t)self->nslot;
  ode_integrator ode = {0};
  ode_report made = {.event_time = (double)NAN};
  visitor to = {.visit = visit, .context = context};
  if (!options) options = &none;
  ness_status status = check_times(times, ntimes, diags);
  if (!status && n == 0) {
    for (int64_t k = 0; !status && visit && k < ntimes; k++) status = visit(context, times[k], NULL, NULL);
    made.time = ntimes > 0 ? times[ntimes - 1] : 0;
  } else if (!status) {
    status = ode_integrator_init(&ode, self, options, ntimes > 0 ? times[ntimes - 1] : 0, diags);
    to.x = mem_zero(n, sizeof *to.x);
    to.full = options->noise ? mem_zero(n * n, sizeof *to.full) : NULL;
    if (!status && (!to.x || (options->noise && !to.full))) status = NESS_NOMEM;
    if (!status) status = run_through(&ode, options, &to, times, ntimes, diags, &made);
    made.time = ode.time;
    made.steps = ode.steps;
    made.rates = ode.rates;
    made.jacobians = ode.jacobians;
  }
  if (report) *report = made;
  ode_integrator_free(&ode);
  mem_free(to.x);
  mem_free(to.full);
  return status;
}
