/* The questions that leave values behind for expressions: the steady state and the course in time of the master
 * equation, and of the rate equations with and without linear noise. One place for `solve` in an experiment, for scans
 * and for the command. */
#include "engine/ode/ode.h"
#include "networks/experiment/driven.h"
#include <math.h>
#include <string.h>

#define QUESTION_TIMES 1000000

static const char *const question_names[] = {"steady", "transient", "ode", "lna"};

bool question_named(const char *name, question_kind *out)
{
  for (size_t i = 0; i < sizeof question_names / sizeof *question_names; i++) {
    if (strcmp(name, question_names[i]) != 0) continue;
    *out = (question_kind)i;
    return true;
  }
  return false;
}

ness_status question_times(const question *self, ness_diags *diags)
{
  if (self->every > 0 && !(self->time > 0) && self->kind != QUESTION_TRANSIENT) {
    diag_add(diags, NESS_ERROR, "`every` needs an end in time");
    diag_hint(diags, "as in `solve ode time 10, every 1`, or --time 10 --every 1");
    return NESS_USAGE;
  }
  if (self->kind == QUESTION_STEADY || (self->kind != QUESTION_TRANSIENT && self->time == 0)) return NESS_OK;
  if (!(self->time > 0) || !isfinite(self->time)) {
    diag_add(diags, NESS_ERROR, "solving in time needs its end");
    diag_hint(diags, "as in `solve transient time 10, every 1`, or --time 10 --every 1");
    return NESS_USAGE;
  }
  if (self->every < 0 || (self->every > 0 && self->time / self->every > QUESTION_TIMES)) {
    diag_add(diags, NESS_ERROR, "more than %d times were asked for", QUESTION_TIMES);
    diag_hint(diags, "make `every` longer");
    return NESS_USAGE;
  }
  return NESS_OK;
}

/* 0, every, 2 every ... and the end. Owned by the caller. */
static double *question_grid(const question *self, int32_t *n)
{
  const double every = self->every > 0 ? self->every : self->time / 100;
  const int32_t count = (int32_t)floor(self->time / every * (1 + 1e-12));
  double *const times = mem_zero((size_t)count + 2, sizeof *times);
  *n = count + 1;
  for (int32_t i = 0; times && i <= count; i++) times[i] = i * every;
  if (times && self->time - times[count] > 1e-9 * self->time) times[(*n)++] = self->time;
  return times;
}

/* --- rate equations --- */

static void totals_copy(const ness_network *net, const ode_totals *from, cme_solution *to)
{
  const size_t nstep = (size_t)net->nstep;
  memcpy(to->dir_rate, from->dir_rate, 2 * nstep * sizeof(double));
  memcpy(to->net_rate, from->net_rate, nstep * sizeof(double));
  memcpy(to->step_entropy, from->step_entropy, nstep * sizeof(double));
  memcpy(to->source_work, from->source_work, (size_t)network_sources(net) * sizeof(double));
  to->entropy = from->entropy;
  to->internal = from->free_energy_rate;
  to->closure = from->closure;
  to->one_way_running = from->one_way_running;
}

static ness_status rest_ask(const question *self, const ode_system *system, const ness_network *net, ness_diags *diags,
                            cme_solution *out)
{
  ode_state state = {0};
  ode_noise noise = {0};
  ode_totals totals = {0};
  ness_status status = cme_empty(net, out);
  if (status == NESS_OK) status = ode_steady(system, NULL, diags, &state);
  if (status == NESS_OK && self->kind == QUESTION_LNA) status = ode_noise_steady(system, &state, diags, &noise);
  if (status == NESS_OK) status = ode_totals_at(system, state.x, diags, &totals);
  if (status == NESS_OK) totals_copy(net, &totals, out);
  for (int32_t i = 0; status == NESS_OK && i < net->nslot; i++) {
    out->mean[i] = state.x[i];
    out->var[i] = noise.var ? noise.var[i] : (double)NAN; /* rate equations have none */
  }
  ode_state_free(&state);
  ode_noise_free(&noise);
  ode_totals_free(&totals);
  return status;
}

typedef struct course {
  const ode_system *system;
  const ness_network *net;
  ness_diags *diags;
  evolution *out;
  int32_t index;
} course;

static ness_status course_visit(void *context, double time, const double *x, const double *covariance)
{
  course *const self = context;
  const int64_t nslot = self->net->nslot, row = self->index++;
  ode_totals totals = {0};
  (void)time;
  double *const at = self->out->mean + row * nslot;
  for (int64_t i = 0; i < nslot; i++) {
    at[i] = x[i] > 0 ? x[i] : 0; /* what dies out may end below 0 by the error of the integration */
    self->out->var[row * nslot + i] = covariance ? covariance[i * nslot + i] : (double)NAN;
  }
  const ness_status status = ode_totals_at(self->system, at, self->diags, &totals);
  for (int64_t d = 0; status == NESS_OK && d < 2 * (int64_t)self->net->nstep; d++) {
    self->out->dir_rate[row * 2 * self->net->nstep + d] = totals.dir_rate[d];
  }
  ode_totals_free(&totals);
  return status;
}

static ness_status course_row(void *context, int64_t replica, int64_t row, double time, const double *x)
{
  course *const self = context;
  (void)replica;
  return row < self->out->ntimes ? course_visit(self, time, x, NULL) : NESS_OK;
}

/* With events of the file, or inputs that move: the same equations by the simulation that knows them. */
static ness_status course_events(const question *self, const moving_inputs *inputs, course *c, ness_diags *diags)
{
  const double every = self->every > 0 ? self->every : self->time / 100;
  hybrid_result result;
  const hybrid_options options = {.mode = HYBRID_MEAN,
                                  .ninput = inputs->ninput,
                                  .input = inputs->input,
                                  .npart = inputs->npart,
                                  .part = inputs->part,
                                  .replicas = 1,
                                  .time = self->time,
                                  .threads = 1,
                                  .rtol = 1e-8,
                                  .every = every,
                                  .row = course_row,
                                  .row_context = c};
  const ness_status status = hybrid_run(c->net, &options, diags, &result);
  hybrid_result_free(&result);
  c->out->ntimes = c->index;
  return status;
}

static ness_status course_ask(const question *self, const ode_system *system, const ness_network *net,
                              const moving_inputs *inputs, const double *times, int32_t n, ness_diags *diags,
                              evolution *out)
{
  const ode_options options = {.noise = self->kind == QUESTION_LNA};
  course c = {system, net, diags, out, 0};
  ness_status status = evolve_empty(net, times, n, out);
  const bool turns = inputs->ninput > 0 || (net->nevent > 0 && self->kind == QUESTION_ODE);
  if (status == NESS_OK && turns) return course_events(self, inputs, &c, diags);
  if (status == NESS_OK) status = ode_run(system, &options, times, n, course_visit, &c, diags, NULL);
  return status;
}

/* --- the door --- */

bool question_still(const lang_model *model, ness_diags *diags)
{
  const lang_process *const input = driven_input(model, false);
  if (!input) return true;
  lang_error(diags, input->place,
             "`solve steady` has the mean over a period of a sine or a square, `solve transient` its course",
             "only `steady`, `transient` and `ode` in time can be solved for while %s moves like this", input->name);
  return false;
}

bool question_hops(const lang_model *model, ness_diags *diags)
{
  const ness_network *const net = lang_network(model);
  for (int32_t k = 0; k < net->nflow; k++) {
    if (net->flow_kind[k] != FLOW_DRIFT) continue;
    diag_add(diags, NESS_ERROR, "%s drifts by an equation: the master equation knows hops of counts alone",
             network_text(net, net->step_name[net->flow_step[k]]));
    diag_hint(diags, "`solve ode` has the rate equations, `ness run` (or `simulate`) the exact hybrid of both");
    return false;
  }
  if (net->nevent > 0)
    diag_add(diags, NESS_WARNING, "events of the file (%s) are left out here: simulations follow them",
             network_text(net, net->event_name[0]));
  return true;
}

void question_warn(const lang_model *model, ness_diags *diags)
{
  const lang_process *const input = driven_input(model, false);
  if (!input) return;
  lang_warning(diags, input->place, "`ness solve` and `ness run` let it move",
               "this is the network with %s at its value in the file", input->name);
}

static ness_status period_ask(const question *self, const lang_model *model, const lang_process *input,
                              ness_diags *diags, cme_solution *exact, double *input_work)
{
  driven d;
  driven_steady rest = {.mean = {.one_way_running = -1}};
  ness_status status = driven_create(model, input, diags, &d);
  if (status == NESS_OK) status = driven_rest(&d, &self->limits, diags, &rest);
  if (status == NESS_OK) {
    *exact = rest.mean;
    *input_work = rest.input_work;
    rest.mean = (cme_solution){.one_way_running = -1};
  }
  driven_steady_free(&rest);
  driven_free(&d);
  return status;
}

static ness_status course_moving(const question *self, const lang_model *model, const lang_process *input,
                                 const double *times, int32_t n, ness_diags *diags, evolution *out)
{
  driven d;
  ness_status status = driven_create(model, input, diags, &d);
  if (status == NESS_OK) status = driven_course(&d, &self->limits, &self->transient, times, n, diags, out);
  driven_free(&d);
  return status;
}

ness_status question_ask(const question *self, const lang_model *model, ness_diags *diags, cme_solution *exact,
                         evolution *path, double *input_work, lang_model **still)
{
  const ness_network *net = lang_network(model);
  const lang_process *const input = driven_input(model, false);
  ode_system *system = NULL;
  moving_inputs inputs = {0};
  double *times = NULL;
  int32_t n = 0;
  *still = NULL;
  *exact = (cme_solution){.one_way_running = -1};
  *path = (evolution){0};
  *input_work = 0;
  ness_status status = question_times(self, diags);
  if (status) return status;
  if (self->kind == QUESTION_STEADY && input) return period_ask(self, model, input, diags, exact, input_work);
  const bool moves = input && self->kind == QUESTION_ODE && self->time > 0;
  if (!moves && self->kind != QUESTION_TRANSIENT && !question_still(model, diags)) return NESS_MODEL;
  if (self->kind <= QUESTION_TRANSIENT && !question_hops(model, diags)) return NESS_MODEL;
  if (self->kind == QUESTION_STEADY) return cme_steady(net, &self->limits, diags, exact);
  if (self->time > 0 && !(times = question_grid(self, &n))) return NESS_NOMEM;
  if (self->kind == QUESTION_TRANSIENT && input) {
    status = course_moving(self, model, input, times, n, diags, path);
  } else if (self->kind == QUESTION_TRANSIENT) {
    cme_options limits = self->limits;
    limits.split = true;
    status = evolve_run(net, &limits, &self->transient, times, n, diags, path);
  } else {
    if (moves) status = moving_create(model, "in rate equations", diags, &inputs);
    if (moves && status == NESS_OK) net = lang_network(inputs.model);
    if (status == NESS_OK) status = ode_create(net, diags, &system);
    if (status == NESS_OK) {
      status = times ? course_ask(self, system, net, &inputs, times, n, diags, path)
                     : rest_ask(self, system, net, diags, exact);
    }
    ode_free(system);
  }
  mem_free(times);
  if (status) {
    cme_solution_free(exact);
    evolve_free(path);
  } else {
    *still = inputs.model;
    inputs.model = NULL;
  }
  moving_free(&inputs);
  return status;
}
