/* The integrator: variable-order BDF of CVODE (Hindmarsh et al., ACM TOMS 31, 363 (2005)) with the analytic Jacobian,
 * one step at a time. Invariant: CVODE never prints, its last message is kept for the diagnostic; a rate that is no
 * number makes it try a shorter step before it gives up. Cost: a factorisation now and then, two or three rates a
 * step. */
#include "engine/ode/solver.h"

#include <cvode/cvode.h>
#include <math.h>
#include <stdio.h>

/* --- what CVODE calls --- */

static void on_message(int code, const char *module, const char *function, char *message, void *context)
{
  ode_integrator *const self = context;
  (void)code, (void)module, (void)function;
  snprintf(self->message, sizeof self->message, "%s", message);
}

static int on_rate(realtype t, N_Vector y, N_Vector dy, void *context)
{
  ode_integrator *const self = context;
  const ode_system *const sys = self->sys;
  const double *const x = ode_vector(y);
  double *const rate = ode_vector(dy);
  (void)t;
  self->rates++;
  if (!ode_evaluate(sys, x, &self->work)) return 1;
  for (int32_t i = 0; i < sys->nslot; i++) rate[i] = self->work.change[i];
  ode_held_rate(&self->held, x, rate);
  if (!self->covariance) return 0;
  if (!ode_differentiate(sys, &self->work)) return 1;
  ode_covariance_rate(self->covariance, sys, &self->work, &self->held, x, rate);
  return 0;
}

static int on_jacobian(realtype t, N_Vector y, N_Vector dy, SUNMatrix matrix, void *context, N_Vector a, N_Vector b,
                       N_Vector c)
{
  ode_integrator *const self = context;
  (void)t, (void)dy, (void)a, (void)b, (void)c;
  self->jacobians++;
  if (!ode_evaluate(self->sys, ode_vector(y), &self->work)) return 1;
  if (!ode_differentiate(self->sys, &self->work)) return 1;
  ode_held_jacobian(&self->held, self->sys, &self->work);
  const double *const values =
      self->covariance ? ode_covariance_jacobian(self->covariance, self->held.values) : self->held.values;
  ode_linear_load(matrix, self->pattern, values);
  return 0;
}

static int on_event(realtype t, N_Vector y, realtype *out, void *context)
{
  const ode_integrator *const self = context;
  (void)t;
  out[0] = ode_vector(y)[self->event->slot] - self->event->level;
  return 0;
}

/* --- setting up --- */

static ness_status check_options(const ode_system *sys, const ode_options *options, ness_diags *diags)
{
  const ode_event *const event = options->event;
  const bool good = options->rtol >= 0 && options->rtol < 1 && options->atol >= 0 && isfinite(options->atol) &&
                    options->max_steps >= 0;
  if (!good || (options->rtol > 0 && options->rtol < 1e-15)) {
    diag_add(diags, NESS_ERROR, "the tolerances of an integration are between 1e-15 and 1, and not negative");
    return NESS_USAGE;
  }
  if (event && (event->slot < 0 || event->slot >= sys->nslot || !isfinite(event->level))) {
    diag_add(diags, NESS_ERROR, "an event is a slot of the network that crosses a finite level");
    return NESS_USAGE;
  }
  if (options->noise && sys->nslot > ODE_NOISE_RUN) {
    diag_add(diags, NESS_ERROR, "the covariance in time is for at most %d slots, and this network has %d",
             ODE_NOISE_RUN, sys->nslot);
    diag_hint(diags, "at rest it is there for up to %d slots; simulate an ensemble beyond", ODE_DENSE);
    return NESS_LIMIT;
  }
  return NESS_OK;
}

static void fill_start(ode_integrator *self, const ode_options *options)
{
  const ode_system *const sys = self->sys;
  const double atol = options->atol > 0 ? options->atol : 1e-4 * self->rtol;
  double *const y = ode_vector(self->y), *const tolerance = ode_vector(self->tolerance);
  double most = 1;
  for (int32_t i = 0; i < sys->nslot; i++) {
    y[i] = self->start[i];
    tolerance[i] = atol;
    most = fmax(most, y[i]);
  }
  self->grown = 1e6 * most;
  for (int64_t k = sys->nslot; k < self->pattern->n; k++) {
    y[k] = 0;
    tolerance[k] = 100 * atol * most; /* of the scale of variances: entries that should be 0 are rounding of others */
  }
}

/* The fastest relaxation, from the diagonal of J: what the first step is guessed from. */
static double first_length(const ode_integrator *self)
{
  double fastest = 0;
  for (int32_t i = 0; i < self->sys->nslot; i++) {
    fastest = fmax(fastest, fabs(self->work.jac[self->sys->diagonal[i]]));
  }
  const double length = fastest > 0 ? 1 / fastest : 1, left = self->end - self->time;
  return left > 0 && length > left ? left : length;
}

static bool make_cvode(ode_integrator *self)
{
  self->cvode = CVodeCreate(CV_BDF, self->context);
  if (!self->cvode || CVodeSetErrHandlerFn(self->cvode, on_message, self)) return false;
  bool good = !CVodeInit(self->cvode, on_rate, self->time, self->y) &&
              !CVodeSVtolerances(self->cvode, self->rtol, self->tolerance) && !CVodeSetUserData(self->cvode, self) &&
              !CVodeSetLinearSolver(self->cvode, self->solver, self->matrix) &&
              !CVodeSetJacFn(self->cvode, on_jacobian) && !CVodeSetMaxHnilWarns(self->cvode, -1) &&
              !CVodeSetMaxErrTestFails(self->cvode, 20) && !CVodeSetMaxConvFails(self->cvode, 50);
  /* The Jacobian is cheap and goes stale where counts grow: what Newton's method leaves over then looks like an error
   * of the step, and steps would stay small. */
  good = good && !CVodeSetNonlinConvCoef(self->cvode, 0.01) && !CVodeSetLSetupFrequency(self->cvode, 10) &&
         !CVodeSetJacEvalFrequency(self->cvode, 10);
  if (good && isfinite(self->end) && self->end > self->time) good = !CVodeSetStopTime(self->cvode, self->end);
  if (good && self->event) {
    int direction = self->event->direction;
    good = !CVodeRootInit(self->cvode, 1, on_event) && !CVodeSetRootDirection(self->cvode, &direction) &&
           !CVodeSetNoInactiveRootWarn(self->cvode);
  }
  return good;
}

/* All that depends on which slots the laws give away, for a state x: patterns, the linear solver, and CVODE. */
static ness_status init_laws(ode_integrator *self, bool noise, const double *x, ness_diags *diags)
{
  const ode_system *const sys = self->sys;
  if (!ode_evaluate(sys, x, &self->work) || !ode_differentiate(sys, &self->work)) {
    return ode_bad_rate(sys, &self->work, self->time, diags);
  }
  self->first = first_length(self);
  const ness_status status = ode_held_init(&self->held, sys, self->start, x, 1 / self->first, diags);
  if (status) return status;
  self->pattern = &self->held.pattern;
  if (!noise) return NESS_OK;
  self->covariance = ode_covariance_create(sys->nslot, self->pattern);
  if (!self->covariance) return NESS_NOMEM;
  self->pattern = ode_covariance_pattern(self->covariance);
  return NESS_OK;
}

static void free_solver(ode_integrator *self)
{
  if (self->cvode) CVodeFree(&self->cvode);
  if (self->solver) SUNLinSolFree(self->solver);
  if (self->matrix) SUNMatDestroy(self->matrix);
  self->cvode = NULL;
  self->solver = NULL;
  self->matrix = NULL;
  ode_covariance_free(self->covariance);
  self->covariance = NULL;
  ode_held_free(&self->held);
}

static ness_status make_solver(ode_integrator *self)
{
  const bool room = ode_linear_make(self->pattern, self->y, self->context, &self->matrix, &self->solver);
  return room && make_cvode(self) ? NESS_OK : NESS_NOMEM;
}

/* From where it is, with the laws solved for slots that hold more by now. */
static ness_status start_again(ode_integrator *self, ness_diags *diags)
{
  const bool noise = self->covariance;
  free_solver(self);
  const ness_status status = init_laws(self, noise, ode_vector(self->y), diags);
  return status ? status : make_solver(self);
}

ness_status ode_integrator_init(ode_integrator *self, const ode_system *sys, const ode_options *options, double end,
                                ness_diags *diags)
{
  *self = (ode_integrator){.sys = sys, .event = options->event, .end = end};
  ness_status status = check_options(sys, options, diags);
  if (status) return status;
  self->rtol = options->rtol > 0 ? options->rtol : 1e-10;
  self->start = mem_zero((size_t)sys->nslot + 1, sizeof *self->start);
  if (!self->start || !ode_work_init(&self->work, sys)) return NESS_NOMEM;
  for (int32_t i = 0; i < sys->nslot; i++) {
    self->start[i] = options->start ? options->start[i] : (double)sys->net->slot_start[i];
  }
  status = ode_check_given(sys, self->start, &self->work, diags);
  if (!status) status = init_laws(self, options->noise, self->start, diags);
  if (status) return status;
  if (SUNContext_Create(NULL, &self->context)) return NESS_NOMEM;
  self->y = N_VNew_Serial(self->pattern->n, self->context);
  self->tolerance = N_VNew_Serial(self->pattern->n, self->context);
  if (!self->y || !self->tolerance) return NESS_NOMEM;
  fill_start(self, options);
  return make_solver(self);
}

void ode_integrator_free(ode_integrator *self)
{
  free_solver(self);
  if (self->y) N_VDestroy(self->y);
  if (self->tolerance) N_VDestroy(self->tolerance);
  if (self->context) SUNContext_Free(&self->context);
  mem_free(self->start);
  ode_work_free(&self->work);
  *self = (ode_integrator){0};
}

/* --- stepping --- */

static int32_t largest_slot(const ode_integrator *self)
{
  const double *const x = ode_vector(self->y);
  int32_t best = 0;
  for (int32_t i = 1; i < self->sys->nslot; i++) best = x[i] > x[best] ? i : best;
  return best;
}

ness_status ode_integrator_growth(const ode_integrator *self, ness_diags *diags)
{
  char when[32], count[32];
  const int32_t slot = largest_slot(self);
  number_short(self->time, 6, when);
  number_short(ode_vector(self->y)[slot], 4, count);
  diag_add(diags, NESS_ERROR, "slot %s grows without bound, to %s copies by t = %s s",
           network_text(self->sys->net, self->sys->net->slot_name[slot]), count, when);
  diag_hint(diags, "it has no state at rest; its course can be had up to a time: --time 10");
  return NESS_NUMERIC;
}

static ness_status step_failed(ode_integrator *self, int flag, ness_diags *diags)
{
  char when[32];
  if (flag == CV_MEM_FAIL || flag == CV_MEM_NULL) return NESS_NOMEM;
  if (ode_vector(self->y)[largest_slot(self)] > self->grown) return ode_integrator_growth(self, diags);
  if (self->work.bad >= 0) return ode_bad_rate(self->sys, &self->work, self->time, diags);
  number_short(self->time, 6, when);
  diag_add(diags, NESS_ERROR, "the integration of the rate equations stops at t = %s s: %s", when, self->message);
  return NESS_NUMERIC;
}

ness_status ode_integrator_step(ode_integrator *self, const ode_options *options, ness_diags *diags)
{
  const int64_t most = options->max_steps > 0 ? options->max_steps : 1000000;
  if (interrupt_pending()) return NESS_INTERRUPTED;
  if (self->steps >= most) {
    char when[32];
    number_short(self->time, 6, when);
    diag_add(diags, NESS_ERROR, "the rate equations are at t = %s s after %lld steps of the integrator, the limit",
             when, (long long)most);
    return NESS_LIMIT;
  }
  if (self->steps >= self->again && ode_held_poor(&self->held, ode_vector(self->y))) {
    self->again = 2 * self->steps + 100; /* laws that share slots may leave no better choice */
    const ness_status status = start_again(self, diags);
    if (status) return status;
  }
  const int flag = CVode(self->cvode, self->time + self->first, self->y, &self->time, CV_ONE_STEP);
  self->steps++;
  if (flag < 0) return step_failed(self, flag, diags);
  self->root = flag == CV_ROOT_RETURN;
  return ode_check_state(self->sys, ode_vector(self->y), &self->work, self->time, diags);
}

bool ode_integrator_at(ode_integrator *self, double time, int k, N_Vector out)
{
  return !CVodeGetDky(self->cvode, time, k, out);
}
