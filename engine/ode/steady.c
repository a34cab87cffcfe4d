/* The steady state that a start leads to: integration, and every now and then Newton's method from where it has come.
 * Invariant: what is returned is a fixed point to rounding that lies within a millionth of the trajectory, and is
 * stable, or unstable and the trajectory has stayed there for sixty of its growth times. Everything else is an error
 * that says what the trajectory does: it grows beyond all bounds, comes back to the same state maximum after maximum,
 * or has not settled when the steps are spent. Cost: a factorisation for each tenth of the steps taken. */
#include "engine/ode/solver.h"

#include <math.h>
#include <string.h>

#define NEAR 1e-6       /* relative distance of the trajectory from the fixed point */
#define NEAR_FLOOR 1e-9 /* copies */
#define GROWN 1e30      /* copies: no steady state holds that many */
#define BACK 1e-6       /* relative difference of the states at two maxima */
#define RETURNS 3
#define SWING 1e-3 /* smallest swing of a cycle, relative to the maximum */

/* --- cycles --- */

typedef struct watch {
  int32_t slot, returns; /* maxima in a row that came with the state of the one before */
  double slope;          /* of the slot at the last step; NaN before the first */
  double peak_time, period, low, high;
  double *peak; /* (nslot) state at the last maximum */
  bool peaked;
  int64_t again; /* steps at which another slot is taken */
  N_Vector at;
} watch;

/* The slot whose gain and loss differ most. */
static void watch_choose(watch *self, ode_integrator *ode)
{
  const ode_work *const work = &ode->work;
  double most = -1;
  *self = (watch){.peak = self->peak, .at = self->at, .again = ode->steps * 2, .slope = (double)NAN};
  if (!ode_evaluate(ode->sys, ode_vector(ode->y), &ode->work)) return;
  for (int32_t i = 0; i < ode->sys->nslot; i++) {
    const double size = fmax(work->gain[i], work->loss[i]);
    const double imbalance = size > 0 && work->x[i] > 1e-6 ? fabs(work->change[i]) / size : 0;
    if (imbalance > most) {
      most = imbalance;
      self->slot = i;
    }
  }
  self->low = self->high = work->x[self->slot];
}

static bool watch_slope(watch *self, ode_integrator *ode, double time, double *slope)
{
  if (!ode_integrator_at(ode, time, 1, self->at)) return false;
  *slope = ode_vector(self->at)[self->slot];
  return true;
}

/* The maximum between two times by bisection; the state there is compared with the last one. */
static void watch_peak(watch *self, ode_integrator *ode, double before)
{
  double low = before, high = ode->time, slope = 0, difference = 0, most = 0;
  for (int k = 0; k < 60 && high - low > 0; k++) {
    const double middle = low + 0.5 * (high - low);
    if (!watch_slope(self, ode, middle, &slope)) return;
    if (slope > 0) low = middle;
    else high = middle;
  }
  if (!ode_integrator_at(ode, high, 0, self->at)) return;
  const double *const x = ode_vector(self->at);
  for (int32_t i = 0; i < ode->sys->nslot; i++) most = fmax(most, x[i]);
  for (int32_t i = 0; i < ode->sys->nslot; i++) {
    difference = fmax(difference, fabs(x[i] - self->peak[i]) / (fmax(x[i], self->peak[i]) + 1e-6 * most));
  }
  const bool swings = self->high > 1e-6 && self->high - self->low > SWING * self->high; /* else it is rounding */
  self->returns = self->peaked && difference < BACK && swings ? self->returns + 1 : 0;
  self->period = high - self->peak_time;
  self->peak_time = high;
  self->peaked = true;
  memcpy(self->peak, x, (size_t)ode->sys->nslot * sizeof *x);
  if (self->returns < RETURNS) self->low = self->high = x[self->slot];
}

/* Whether the state has come back often enough to be called a cycle. */
static bool watch_step(watch *self, ode_integrator *ode, double before)
{
  if (ode->steps >= self->again && self->returns == 0) watch_choose(self, ode);
  const double x = ode_vector(ode->y)[self->slot];
  double slope = 0;
  self->low = fmin(self->low, x);
  self->high = fmax(self->high, x);
  if (!watch_slope(self, ode, ode->time, &slope)) return false;
  if (self->slope > 0 && slope <= 0) watch_peak(self, ode, before);
  self->slope = slope;
  return self->returns >= RETURNS;
}

/* --- what it does instead --- */

static const char *slot_text(const ode_integrator *ode, int32_t slot)
{
  return network_text(ode->sys->net, ode->sys->net->slot_name[slot]);
}

static ness_status report_cycle(const ode_integrator *ode, const watch *cycle, ness_diags *diags)
{
  char when[32], low[32], high[32], period[32];
  number_short(ode->time, 4, when);
  number_short(cycle->low, 6, low);
  number_short(cycle->high, 6, high);
  number_short(cycle->period, 6, period);
  diag_add(
      diags, NESS_ERROR,
      "no steady state: up to t = %s s the rate equations have come back to the same state %d times in a row, with "
      "slot %s going between %s and %s every %s s",
      when, RETURNS, slot_text(ode, cycle->slot), low, high, period);
  return NESS_NUMERIC;
}

static ness_status report_restless(ode_integrator *ode, ness_diags *diags)
{
  char when[32], rate[32], count[32];
  int32_t slot = 0;
  double most = -1;
  number_short(ode->time, 6, when);
  if (!ode_evaluate(ode->sys, ode_vector(ode->y), &ode->work)) return NESS_NUMERIC;
  for (int32_t i = 0; i < ode->sys->nslot; i++) {
    const double share = fabs(ode->work.change[i]) / (ode->work.x[i] + NEAR_FLOOR);
    if (share > most) {
      most = share;
      slot = i;
    }
  }
  number_short(ode->work.change[slot], 4, rate);
  number_short(ode->work.x[slot], 6, count);
  diag_add(
      diags, NESS_ERROR,
      "no steady state found up to t = %s s, after %lld steps of the integrator: slot %s is at %s and changes by %s "
      "a second",
      when, (long long)ode->steps, slot_text(ode, slot), count, rate);
  diag_hint(diags, "more steps may do, or the state moves for ever without coming back");
  return NESS_NUMERIC;
}

/* --- settling --- */

typedef struct settling {
  double *start;   /* (nslot) */
  double *x;       /* (nslot) candidate */
  double earliest; /* no trial before this time */
  bool waited;     /* at an unstable fixed point, for sixty growth times */
  bool settled;
} settling;

static bool is_near(const ode_integrator *ode, const double *x)
{
  const double *const y = ode_vector(ode->y);
  for (int32_t i = 0; i < ode->sys->nslot; i++) {
    const double now = y[i] > 0 ? y[i] : 0;
    if (fabs(now - x[i]) > NEAR * fmax(now, x[i]) + NEAR_FLOOR) return false;
  }
  return true;
}

/* Whether what is left of the balance, going on for as long again, would move a slot: a slow growth next to large flows
 * looks balanced. work is at the candidate. */
static bool has_drift(const ode_integrator *ode)
{
  const ode_work *const work = &ode->work;
  for (int32_t i = 0; i < ode->sys->nslot; i++) {
    if (fabs(work->change[i]) * ode->time > NEAR * work->x[i] + NEAR_FLOOR) return true;
  }
  return ode->steps < 100;
}

/* Whether copies only move on or leave: off the diagonal J is not negative and no column has a positive sum.
 * Gershgorin's discs then touch the imaginary axis at 0 alone, and where J is regular on the subspace all relaxes. */
static bool is_leaky(ode_integrator *ode)
{
  const ode_pattern *const jac = &ode->sys->jac;
  if (!ode_differentiate(ode->sys, &ode->work)) return false;
  for (int64_t j = 0; j < jac->n; j++) {
    double sum = 0, diagonal = 0;
    for (int64_t k = jac->start[j]; k < jac->start[j + 1]; k++) {
      const double value = ode->work.jac[k];
      if (jac->row[k] == j) diagonal = value;
      else if (value < 0) return false;
      else sum += value;
    }
    if (sum > -diagonal * (1 + 1e-12)) return false;
  }
  return true;
}

/* Newton's method from where the trajectory is. */
static ness_status settle_try(ode_integrator *ode, settling *self, ness_diags *diags, ode_state *out)
{
  const double *const y = ode_vector(ode->y);
  ode_found found = ODE_NOTHING;
  for (int32_t i = 0; i < ode->sys->nslot; i++) self->x[i] = y[i] > 0 ? y[i] : 0;
  ness_status status =
      ode_newton(ode->sys, self->start, self->x, &ode->work, diags, &found, &out->residual, &out->newton);
  if (status) return status;
  const bool only = ode->sys->linear && found == ODE_FIXED; /* one fixed point, and all go there if it is stable */
  if (found == ODE_NOTHING || (found == ODE_BALANCED && has_drift(ode)) || !(only || is_near(ode, self->x))) {
    self->waited = false;
    return NESS_OK;
  }
  if (!ode_evaluate(ode->sys, self->x, &ode->work)) return ode_bad_rate(ode->sys, &ode->work, ode->time, diags);
  status = ode_spectrum(ode->sys, &ode->work, diags, out);
  if (status) return status;
  if (only && out->stable < 0 && out->neigen == 0 && is_leaky(ode)) out->stable = 1;
  self->settled = is_near(ode, self->x) ? out->stable != 0 || self->waited : out->stable == 1;
  if (!self->settled && out->stable == 0) {
    self->waited = true;
    self->earliest = ode->time + 60 / out->re[0];
  }
  return NESS_OK;
}

static bool has_outgrown(const ode_integrator *ode)
{
  const double *const y = ode_vector(ode->y);
  for (int32_t i = 0; i < ode->sys->nslot; i++) {
    if (y[i] > GROWN) return true;
  }
  return false;
}

static ness_status settle(ode_integrator *ode, const ode_options *options, settling *self, watch *cycle,
                          ness_diags *diags, ode_state *out)
{
  const int64_t most = options->max_steps;
  int64_t next = 0, tried = -5;
  double last = 0;
  ness_status status = ode_check_state(ode->sys, ode_vector(ode->y), &ode->work, 0, diags);
  watch_choose(cycle, ode);
  cycle->again = 200;
  while (!status) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    const bool leap = ode->time > 10 * last && ode->steps > tried + 4; /* near a fixed point steps soon leap ahead */
    if ((leap || ode->steps >= next) && ode->time >= self->earliest) {
      status = settle_try(ode, self, diags, out);
      if (status || self->settled) break;
      next = ode->steps + 20 + ode->steps / 10;
      tried = ode->steps;
      last = ode->time;
    }
    if (ode->steps >= most || ode->time > 1e100) return report_restless(ode, diags);
    const double before = ode->time;
    status = ode_integrator_step(ode, options, diags);
    if (!status && has_outgrown(ode)) status = ode_integrator_growth(ode, diags);
    else if (!status && watch_step(cycle, ode, before)) status = report_cycle(ode, cycle, diags);
  }
  return status;
}

ness_status ode_steady(const ode_system *self, const ode_options *options, ness_diags *diags, ode_state *out)
{
  ode_options local = options ? *options : (ode_options){0};
  const size_t n = (size_t)self->nslot;
  ode_integrator ode = {0};
  settling to = {0};
  watch cycle = {0};
  *out = (ode_state){.nslot = self->nslot, .stable = 1};
  out->x = mem_zero(n + 1, sizeof *out->x);
  if (!out->x) return NESS_NOMEM;
  if (n == 0) return NESS_OK;
  if (local.max_steps == 0) local.max_steps = 100000;
  local.noise = 0;
  local.event = NULL;
  ness_status status = ode_integrator_init(&ode, self, &local, (double)INFINITY, diags);
  to.start = mem_zero(n, sizeof *to.start);
  to.x = mem_zero(n, sizeof *to.x);
  cycle.peak = mem_zero(n, sizeof *cycle.peak);
  if (!status) cycle.at = N_VClone(ode.y);
  if (!status && (!to.start || !to.x || !cycle.peak || !cycle.at)) status = NESS_NOMEM;
  if (!status) {
    memcpy(to.start, ode_vector(ode.y), n * sizeof *to.start);
    status = settle(&ode, &local, &to, &cycle, diags, out);
  }
  if (!status) {
    memcpy(out->x, to.x, n * sizeof *out->x);
    out->time = ode.time;
    status = ode_check_state(self, out->x, &ode.work, ode.time, diags);
  }
  if (cycle.at) N_VDestroy(cycle.at);
  ode_integrator_free(&ode);
  mem_free(to.start);
  mem_free(to.x);
  mem_free(cycle.peak);
  if (status) ode_state_free(out);
  return status;
}

void ode_state_free(ode_state *self)
{
  mem_free(self->x);
  mem_free(self->re);
  mem_free(self->im);
  *self = (ode_state){0};
}
