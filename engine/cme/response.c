/* Derivatives of steady averages by the adjoint method. R is the mean of what every event collects, w_e for transition
 * e, plus what a state collects in time. With y what is still collected from a state on (ergodic.h), a transition from
 * i to j at rate a contributes p_i a (w_e + y_j - y_i) to dR / d ln a: the first-order change of a steady state through
 * the deviation matrix (Schweitzer, J. Appl. Probab. 5, 401 (1968)). The same holds for copies that come and go with p
 * their mean counts and y = 0 outside, from R = sum of nu (w + y) over the ways in. In the entropy w_e = ln(a_e /
 * a_back) depends on the rates itself, which adds the net current. Invariant: the two directions of a step are summed
 * through their net current, so that a fast pair does not drown the control of its step. Cost: one solve and two passes
 * over the transitions of each part. */
#include "engine/cme/response.h"
#include "engine/cme/ergodic.h"
#include "engine/markov/sum.h"
#include <math.h>

typedef struct adjoint {
  const ness_network *net;
  const cme_solution *solution;
  const double *weight, *count; /* NULL for the entropy */
  bool entropy;
  const cme_part *part;
  int32_t last;       /* the slot that holds the copy at hand, -1 none */
  int64_t *n, *after; /* (nslot) */
  double *scratch;
  /* sums over directions and steps */
  exact_sum *dirs, *steps;
  /* or over parameters */
  int32_t nparameter;
  response_slope slope;
  void *context;
  double *row; /* (2 nparameter) */
  exact_sum *parameters;
} adjoint;

/* A transition and its way back: dR / d ln of the rate of each, and of both together. */
typedef struct pair {
  int32_t dir;
  bool back;
  double there, again, both;
} pair;

/* --- counts and weights --- */

static void part_enter(adjoint *self, const cme_part *part)
{
  self->part = part;
  self->last = -1;
  for (int32_t i = 0; part->kind != CME_COUNTS && i < part->nslot; i++) self->n[part->slot[i]] = 0;
}

static void state_enter(adjoint *self, int32_t state)
{
  const cme_part *const part = self->part;
  if (part->kind == CME_COUNTS) {
    cme_counts(part, state, self->n);
    return;
  }
  if (self->last >= 0) self->n[self->last] = 0;
  self->last = part->states.place[state] >= 0 ? part->slot[part->states.place[state]] : -1;
  if (self->last >= 0) self->n[self->last] = 1;
}

/* What an event of the direction collects at the counts at hand. */
static double event_weight(adjoint *self, int32_t dir)
{
  if (!self->entropy) return self->weight[dir];
  return network_event_entropy(self->net, dir / 2, dir % 2 ? -1 : 1, self->n, self->after, self->scratch);
}

static bool part_matters(const adjoint *self, const cme_part *part)
{
  bool matters = self->entropy && part->nstep > 0;
  for (int32_t k = 0; !self->entropy && k < part->nstep; k++) {
    matters = matters || self->weight[2 * part->step[k]] != 0 || self->weight[2 * part->step[k] + 1] != 0;
  }
  for (int32_t i = 0; self->count && i < part->nslot; i++) matters = matters || self->count[part->slot[i]] != 0;
  return matters;
}

/* What is collected in a state per second. */
static double state_collects(adjoint *self, int32_t state)
{
  const cme_part *const part = self->part;
  exact_sum sum = {0, 0};
  state_enter(self, state);
  for (int64_t e = part->q.start[state]; e < part->q.start[state + 1]; e++) {
    sum_add(&sum, part->q.rate[e] * event_weight(self, part->dir[e]));
  }
  if (self->count && part->kind != CME_COUNTS) {
    if (self->last >= 0) sum_add(&sum, self->count[self->last]);
  } else if (self->count) {
    for (int32_t i = 0; i < part->nslot; i++) {
      sum_add(&sum, self->count[part->slot[i]] * (double)self->n[part->slot[i]]);
    }
  }
  return sum_get(&sum);
}

/* --- derivatives --- */

static void pair_take(adjoint *self, const pair *p)
{
  if (!self->slope) {
    sum_add(&self->dirs[p->dir], p->there);
    if (p->back) sum_add(&self->dirs[p->dir ^ 1], p->again);
    sum_add(&self->steps[p->dir / 2], p->both);
    return;
  }
  const ness_network *const net = self->net;
  const int32_t step = p->dir / 2, way = p->dir % 2 ? -1 : 1;
  double *const forth = self->row, *const reverse = self->row + self->nparameter;
  self->slope(self->context, p->dir, self->n, forth);
  if (p->back) { /* from the state that the event leads to */
    for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++)
      self->n[net->change_slot[k]] += way * net->change_by[k];
    self->slope(self->context, p->dir ^ 1, self->n, reverse);
    for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++)
      self->n[net->change_slot[k]] -= way * net->change_by[k];
  }
  for (int32_t k = 0; k < self->nparameter; k++) {
    sum_add(&self->parameters[k], p->both * forth[k]);
    if (p->back) sum_add(&self->parameters[k], p->again * (reverse[k] - forth[k]));
  }
}

/* Transition e out of state i, at whose counts we are. */
static void transition_take(adjoint *self, const double *y, int32_t i, int64_t e)
{
  const cme_part *const part = self->part;
  const int32_t dir = part->dir[e], j = part->q.to[e];
  const int64_t way_back = cme_back(part, i, e);
  if (dir % 2 && way_back >= 0) return; /* the forward one speaks for both */
  const double current = part->scale * cme_current(part, i, e), flow = ergodic_flow(part, i, e);
  const double w = event_weight(self, dir), rise = y[j] - y[i], gain = w + rise,
               explicit = self->entropy && self->net->step_proc[dir / 2] < 0 ? current : 0;
  pair p = {.dir = dir, .back = way_back >= 0, .there = flow * gain + explicit};
  p.both = p.there;
  if (p.back) {
    const double again = ergodic_flow(part, j, way_back), w_back = self->entropy ? -w : self->weight[dir ^ 1];
    p.again = again * (w_back - rise) - explicit;
    p.both = current * gain + again * (w + w_back);
  }
  pair_take(self, &p);
}

static ness_status adjoint_part(adjoint *self, const cme_part *part, ness_diags *diags)
{
  ergodic states = {0};
  collect solves = {0};
  double *const y = mem_zero((size_t)part->q.n + 1, sizeof *y);
  ness_status status = y ? ergodic_create(self->net, part, diags, &states) : NESS_NOMEM;
  if (status == NESS_OK) status = collect_create(self->net, &states, diags, &solves);
  part_enter(self, part);
  for (int32_t i = 0; status == NESS_OK && i < states.n; i++) {
    y[states.state[i]] = state_collects(self, states.state[i]);
  }
  if (status == NESS_OK) status = collect_solve(&solves, y);
  for (int32_t i = 0; status == NESS_OK && i < part->q.n; i++) {
    if (i % 1024 == 0 && interrupt_pending()) status = NESS_INTERRUPTED;
    if (part->classes.of[i] < 0) continue;
    state_enter(self, i);
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) transition_take(self, y, i, e);
  }
  collect_free(&solves);
  ergodic_free(&states);
  mem_free(y);
  return status;
}

/* --- the whole network --- */

static ness_status adjoint_open(adjoint *self, ness_diags *diags)
{
  const size_t nslot = (size_t)self->net->nslot + 1;
  if (self->entropy && self->solution->one_way_running >= 0) {
    diag_add(diags, NESS_ERROR, "the entropy production is infinite: step %s runs one way",
             network_text(self->net, self->net->step_name[self->solution->one_way_running]));
    diag_hint(diags, "give it a rate back, however small");
    return NESS_NUMERIC;
  }
  self->n = mem_zero(nslot, sizeof *self->n);
  self->after = mem_zero(nslot, sizeof *self->after);
  self->scratch = mem_zero((size_t)self->net->tape_max + 1, sizeof *self->scratch);
  if (!self->n || !self->after || !self->scratch) return NESS_NOMEM;
  for (int32_t i = 0; i < self->net->nslot; i++) self->n[i] = self->net->slot_start[i];
  return NESS_OK;
}

static ness_status adjoint_run(adjoint *self, ness_diags *diags)
{
  ness_status status = adjoint_open(self, diags);
  for (int32_t p = 0; status == NESS_OK && p < self->solution->nparts; p++) {
    if (part_matters(self, &self->solution->parts[p])) status = adjoint_part(self, &self->solution->parts[p], diags);
  }
  mem_free(self->n);
  mem_free(self->after);
  mem_free(self->scratch);
  return status;
}

static double adjoint_value(const adjoint *self)
{
  const cme_solution *const s = self->solution;
  exact_sum sum = {0, 0};
  if (self->entropy) return s->entropy;
  for (int32_t k = 0; k < self->net->nstep; k++) {
    const double forth = self->weight[2 * k], both = forth + self->weight[2 * k + 1];
    if (forth != 0) sum_add(&sum, forth * s->net_rate[k]);
    if (both != 0) sum_add(&sum, both * s->dir_rate[2 * k + 1]);
  }
  for (int32_t i = 0; self->count && i < self->net->nslot; i++) sum_add(&sum, self->count[i] * s->mean[i]);
  return sum_get(&sum);
}

static ness_status response_find(adjoint *self, ness_diags *diags, response *out)
{
  const size_t nstep = (size_t)self->net->nstep;
  ness_status status = NESS_NOMEM;
  *out = (response){.value = adjoint_value(self)};
  self->dirs = mem_zero(2 * nstep + 1, sizeof *self->dirs);
  self->steps = mem_zero(nstep + 1, sizeof *self->steps);
  out->log_k = mem_zero(2 * nstep + 1, sizeof *out->log_k);
  out->log_ka = mem_zero(nstep + 1, sizeof *out->log_ka);
  if (self->dirs && self->steps && out->log_k && out->log_ka) status = adjoint_run(self, diags);
  for (size_t k = 0; status == NESS_OK && k < 2 * nstep; k++) out->log_k[k] = sum_get(&self->dirs[k]);
  for (size_t k = 0; status == NESS_OK && k < nstep; k++) out->log_ka[k] = sum_get(&self->steps[k]);
  mem_free(self->dirs);
  mem_free(self->steps);
  if (status) response_free(out);
  return status;
}

ness_status response_linear(const ness_network *net, const cme_solution *solution, const double *weight,
                            const double *count, ness_diags *diags, response *out)
{
  adjoint self = {.net = net, .solution = solution, .weight = weight, .count = count};
  return response_find(&self, diags, out);
}

ness_status response_entropy(const ness_network *net, const cme_solution *solution, ness_diags *diags, response *out)
{
  adjoint self = {.net = net, .solution = solution, .entropy = true};
  return response_find(&self, diags, out);
}

void response_free(response *self)
{
  mem_free(self->log_k);
  mem_free(self->log_ka);
  *self = (response){0};
}

ness_status response_parameters(const ness_network *net, const cme_solution *solution, const double *weight,
                                const double *count, bool entropy, int32_t nparameter, response_slope slope,
                                void *context, ness_diags *diags, double *out)
{
  adjoint self = {
      .net = net,
      .solution = solution,
      .weight = entropy ? NULL : weight,
      .count = entropy ? NULL : count,
      .entropy = entropy,
      .nparameter = nparameter,
      .slope = slope,
      .context = context,
  };
  self.row = mem_zero(2 * (size_t)nparameter + 1, sizeof *self.row);
  self.parameters = mem_zero((size_t)nparameter + 1, sizeof *self.parameters);
  const ness_status status = self.row && self.parameters ? adjoint_run(&self, diags) : NESS_NOMEM;
  for (int32_t k = 0; k < nparameter; k++) out[k] = status ? 0 : sum_get(&self.parameters[k]);
  mem_free(self.row);
  mem_free(self.parameters);
  return status;
}
