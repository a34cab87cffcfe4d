/* Spaces without end, on a set of states that is grown where probability leaves it and pruned where there is none
 * (finite state projection: Munsky and Khammash, J. Chem. Phys. 124, 044104 (2006)).
 *
 * Steady states. What would leave the set is held back, so p is that of a closed chain. The law of the network inside
 * the set, given that it is inside, is a mixture of the laws in which everything that leaves comes back at one state j,
 * j over the states that can be entered from outside (Courtois and Semal, J. ACM 31, 804 (1984)). With A the generator
 * inside, exits included, the mean of f in the law of j is (A^-1 f)_j / (A^-1 1)_j: two solves give the range over all
 * j, which is a proven bound on the mean. The set grows until the ranges of all counts and their squares are below the
 * tolerance, and of all events less than a millionth of the tolerance lead out of it. What is outside, a second basin
 * that is reached that rarely, is not bounded by this; the outflow says how often the network goes there.
 *
 * In time the probability that has left by the last time bounds the error of every distribution from above.
 *
 * Cost: a handful of solves on sets that grow to the final one. */
#include "engine/cme/projection.h"
#include "engine/cme/space.h"
#include "engine/markov/sum.h"
#include <math.h>
#include <stdio.h>

#define PROJECTION_ROUNDS 400
#define PROJECTION_LEAK 1e-6 /* of the tolerance: events that leave the set among all events */

/* Whether counts of the part can grow for ever as far as laws and caps tell. */
bool projection_needed(const ness_network *net, const stoich_basis *laws, const cme_part *part)
{
  for (int32_t i = 0; part->kind == CME_COUNTS && i < part->nslot; i++) {
    const int32_t slot = part->slot[i];
    bool held = net->slot_max[slot] != MODEL_NO_MAX, grows = false;
    for (int32_t law = 0; law < laws->count && !held; law++) {
      bool positive = true, has = false;
      for (int32_t k = laws->start[law]; k < laws->start[law + 1]; k++) {
        positive = positive && laws->by[k] > 0;
        has = has || laws->id[k] == slot;
      }
      held = positive && has;
    }
    for (int32_t s = 0; s < part->nstep && !held && !grows; s++) {
      const int32_t step = part->step[s];
      for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++) {
        if (net->change_slot[k] != slot) continue;
        grows = grows || net->dir_law[2 * step + (net->change_by[k] < 0)] != LAW_NONE;
      }
    }
    if (grows) return true;
  }
  return false;
}

typedef struct projection {
  const ness_network *net;
  cme_part *part;
  const solver_options *options;
  ness_diags *diags;
  space *set;
  int64_t max_states;
  double tolerance;
  double *outflow; /* (states) 1/s */
  double *leaves;  /* (states) probability that leaves from there: per second, or by the last time */
  int64_t outflow_room, leaves_room;
  double depth;   /* layers of the next growth */
  double last;    /* what left at the round before */
  int32_t errors; /* in diags at the start */
  int64_t *n;     /* (nslot) */
  double *scratch;
} projection;

static ness_status projection_open(projection *self, const stoich_basis *laws)
{
  self->n = mem_zero((size_t)self->net->nslot + 1, sizeof *self->n);
  self->scratch = mem_zero((size_t)self->net->tape_max + 1, sizeof *self->scratch);
  if (!self->n || !self->scratch) return NESS_NOMEM;
  ness_status status = space_open(self->net, laws, self->part, self->max_states, self->diags, &self->set);
  int32_t first = 0;
  while (status == NESS_OK && self->part->states.n < 64) {
    const int32_t last = self->part->states.n;
    status = space_grow(self->set, NULL, first, last);
    if (self->part->states.n == last) break; /* nothing leads on */
    first = last;
  }
  self->errors = diag_errors(self->diags);
  self->depth = 1;
  self->last = INFINITY;
  return status;
}

static void projection_shut(projection *self)
{
  space_shut(self->set);
  mem_free(self->outflow);
  mem_free(self->leaves);
  mem_free(self->n);
  mem_free(self->scratch);
}

/* Transitions and outflow of the set as it is. */
static ness_status projection_close(projection *self)
{
  const int64_t n = self->part->states.n;
  if (!mem_grow(&self->outflow, &self->outflow_room, n + 1, sizeof *self->outflow) ||
      !mem_grow(&self->leaves, &self->leaves_room, n + 1, sizeof *self->leaves))
    return NESS_NOMEM;
  for (int64_t i = 0; i < n; i++) self->leaves[i] = 0;
  return space_close(self->set, self->outflow);
}

/* Adds layers behind the states from which most leaves, more of them as long as that does not help. */
static ness_status projection_grow(projection *self, double total)
{
  const int32_t n = self->part->states.n;
  bool *const from = mem_zero((size_t)n + 1, sizeof *from);
  if (!from) return NESS_NOMEM;
  int32_t edge = 0;
  for (int32_t i = 0; i < n; i++) edge += self->outflow[i] > 0;
  for (int32_t i = 0; i < n; i++) from[i] = self->leaves[i] > 0 && self->leaves[i] * edge >= 1e-3 * total;
  if (total > 0.2 * self->last) self->depth *= 2;
  else if (total < 0.01 * self->last) self->depth = fmax(1, self->depth / 2);
  self->last = total;
  ness_status status = space_grow(self->set, from, 0, n);
  int32_t first = n;
  for (double k = 1; status == NESS_OK && k < self->depth && first < self->part->states.n; k++) {
    const int32_t last = self->part->states.n;
    if (last > 3 * (int64_t)n + 1000) break; /* look again before it gets much larger */
    status = space_grow(self->set, NULL, first, last);
    first = last;
  }
  mem_free(from);
  return status;
}

/* --- steady states --- */

static ness_status steady_solve(projection *self, double *var)
{
  cme_part *const part = self->part;
  mem_free(part->p);
  mem_free(part->class_weight);
  part->p = part->class_weight = NULL;
  chain_classes_free(&part->classes);
  for (int32_t i = 0; i < self->net->nslot; i++) self->n[i] = self->net->slot_start[i];
  const int32_t start = space_find(self->set, self->n);
  part->start[0] = start >= 0 ? start : 0;
  const ness_status status = chain_classes_find(&part->q, &part->classes);
  return status ? status : part_steady(self->net, part, self->options, NULL, var, self->diags);
}

/* Whether a state can be entered from a state outside of the set. */
static bool state_entered(projection *self, int32_t state)
{
  const ness_network *const net = self->net;
  const cme_part *const part = self->part;
  for (int32_t k = 0; k < 2 * part->nstep; k++) {
    const int32_t step = part->step[k / 2], dir = 2 * step + k % 2;
    if (net->dir_law[dir] == LAW_NONE) continue;
    cme_counts(part, state, self->n);
    bool negative = false;
    for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
      self->n[net->change_slot[c]] -= (k % 2 ? -1 : 1) * (int64_t)net->change_by[c];
      negative = negative || self->n[net->change_slot[c]] < 0;
    }
    if (negative || space_find(self->set, self->n) >= 0) continue;
    if (network_propensity(net, dir, self->n, self->scratch) > 0) return true;
  }
  return false;
}

/* The largest relative distance of a mean of counts, or of their squares, from where a return could put it. */
static ness_status steady_ranges(projection *self, double *error)
{
  const cme_part *const part = self->part;
  const int32_t n = part->q.n;
  chain inside = part->q;
  solver *made = NULL;
  double *const time = mem_alloc(((size_t)n + 1) * sizeof *time), *const value =
                                                                      mem_alloc(((size_t)n + 1) * sizeof *value);
  bool *const entered = mem_zero((size_t)n + 1, sizeof *entered);
  solver_options options = *self->options;
  options.guess = NULL;
  inside.exit = self->outflow;
  *error = 0;
  ness_status status = time && value && entered ? solver_create(&inside, &options, NULL, &made) : NESS_NOMEM;
  for (int32_t i = 0; status == NESS_OK && i < n; i++) {
    time[i] = 1;
    entered[i] = state_entered(self, i);
  }
  if (status == NESS_OK) status = solver_right(made, time);
  for (int32_t k = 0; status == NESS_OK && k < 2 * part->nslot; k++) {
    exact_sum mean = {0, 0};
    double low = INFINITY, high = 0;
    for (int32_t i = 0; i < n; i++) {
      cme_counts(part, i, self->n);
      const double count = (double)self->n[part->slot[k / 2]];
      value[i] = k % 2 ? count * count : count;
      sum_add(&mean, part->p[i] * value[i]);
    }
    status = solver_right(made, value);
    for (int32_t i = 0; status == NESS_OK && i < n; i++) {
      if (!entered[i]) continue;
      low = fmin(low, value[i] / time[i]);
      high = fmax(high, value[i] / time[i]);
    }
    const double m = sum_get(&mean);
    if (status == NESS_OK && m > 0 && high > 0) *error = fmax(*error, fmax(high - m, m - low) / m);
  }
  solver_free(made);
  mem_free(time);
  mem_free(value);
  mem_free(entered);
  return status;
}

/* Drops states that neither hold nor pass on anything, when they are many. */
static ness_status steady_prune(projection *self, double through)
{
  const cme_part *const part = self->part;
  const int32_t n = part->q.n;
  bool *const keep = mem_zero((size_t)n + 1, sizeof *keep);
  if (!keep) return NESS_NOMEM;
  int32_t kept = 0;
  for (int32_t i = 0; i < n; i++) {
    double exit = self->outflow[i];
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) exit += part->q.rate[e];
    keep[i] = part->p[i] * exit * n > 1e-12 * self->tolerance * through || self->leaves[i] > 0;
    kept += keep[i];
  }
  const ness_status status = kept < 0.7 * n && kept > 0 ? space_keep(self->set, keep) : NESS_OK;
  mem_free(keep);
  return status;
}

static void projection_failed(const projection *self, double error)
{
  char name[160];
  part_describe(self->net, self->part, name);
  if (diag_errors(self->diags) > self->errors) return; /* it was said that there are too many states */
  char reached[40] = "no bound";
  if (isfinite(error)) snprintf(reached, sizeof reached, "%.3g", error);
  diag_add(self->diags, NESS_ERROR, "%s has no end, and no set of %d states holds what it does to %.3g (reached: %s)",
           name, (int)self->part->states.n, self->tolerance, reached);
  diag_hint(self->diags,
            "its counts may grow for ever; else give its species a `max`, raise --max-states, or ask for less with "
            "--tolerance");
}

ness_status projection_steady(const ness_network *net, const stoich_basis *laws, cme_part *part, int64_t max_states,
                              const solver_options *options, double *var, ness_diags *diags)
{
  projection self = {.net = net,
                     .part = part,
                     .options = options,
                     .diags = diags,
                     .max_states = max_states,
                     .tolerance = options->tolerance > 0 ? options->tolerance : 1e-8};
  double error = INFINITY;
  ness_status status = projection_open(&self, laws);
  part->start = mem_zero(1, sizeof *part->start);
  part->start_weight = mem_zero(1, sizeof *part->start_weight);
  if (status == NESS_OK && (!part->start || !part->start_weight)) status = NESS_NOMEM;
  if (status == NESS_OK) part->nstart = 1, part->start_weight[0] = 1;
  for (int32_t round = 0; status == NESS_OK; round++) {
    status = projection_close(&self);
    if (status == NESS_OK) status = steady_solve(&self, var);
    if (status) break;
    exact_sum left = {0, 0}, through = {0, 0};
    for (int32_t i = 0; i < part->q.n; i++) {
      self.leaves[i] = part->p[i] * self.outflow[i];
      sum_add(&left, self.leaves[i]);
      for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) sum_add(&through, part->p[i] * part->q.rate[e]);
    }
    part->projection.outflow = sum_get(&left);
    if (sum_get(&left) == 0) {
      error = 0;
      break;
    }
    if (sum_get(&left) <= PROJECTION_LEAK * self.tolerance * sum_get(&through) && part->classes.count == 1) {
      status = steady_ranges(&self, &error);
      if (status || error <= self.tolerance) break;
    }
    status = round < PROJECTION_ROUNDS ? projection_grow(&self, sum_get(&left)) : NESS_LIMIT;
    if (status == NESS_LIMIT) projection_failed(&self, error);
    if (status == NESS_OK && round % 4 == 3) {
      /* States that were just added have no probability yet: look before the next pruning. */
      status = projection_close(&self);
      if (status == NESS_OK) status = steady_solve(&self, var);
      for (int32_t i = 0; status == NESS_OK && i < part->q.n; i++) self.leaves[i] = part->p[i] * self.outflow[i];
      if (status == NESS_OK) status = steady_prune(&self, sum_get(&through));
    }
  }
  part->projection.error = error;
  part->projection.used = true;
  projection_shut(&self);
  return status;
}

/* --- in time --- */

/* Keeps the largest rate at which probability leaves from every state. */
static ness_status watch_visit(void *context, int32_t index, const double *p)
{
  projection *const self = context;
  (void)index;
  for (int32_t i = 0; i < self->part->q.n; i++) self->leaves[i] = fmax(self->leaves[i], p[i] * self->outflow[i]);
  return NESS_OK;
}

ness_status projection_in_time(const ness_network *net, const stoich_basis *laws, cme_part *part, int64_t max_states,
                               const transient_options *options, const double *times, int32_t ntimes, ness_diags *diags)
{
  static const solver_options none = {0};
  projection self = {.net = net,
                     .part = part,
                     .options = &none,
                     .diags = diags,
                     .max_states = max_states,
                     .tolerance = options && options->tolerance > 0 ? options->tolerance : 1e-9};
  double lost = 1, *p = NULL;
  ness_status status = projection_open(&self, laws);
  part->start = mem_zero(1, sizeof *part->start);
  part->start_weight = mem_zero(1, sizeof *part->start_weight);
  if (status == NESS_OK && (!part->start || !part->start_weight)) status = NESS_NOMEM;
  if (status == NESS_OK) part->nstart = 1, part->start_weight[0] = 1;
  for (int32_t round = 0; status == NESS_OK; round++) {
    status = projection_close(&self);
    if (status) break;
    mem_free(p);
    p = mem_zero((size_t)part->q.n + 1, sizeof *p);
    if (!p) status = NESS_NOMEM;
    chain inside = part->q;
    inside.exit = self.outflow;
    if (status == NESS_OK) {
      p[0] = 1;
      status = transient_run(&inside, options, p, times, ntimes, watch_visit, &self, NULL);
    }
    exact_sum kept = {0, 0}, leaves = {0, 0};
    for (int32_t i = 0; status == NESS_OK && i < part->q.n; i++) {
      sum_add(&kept, p[i]);
      sum_add(&leaves, self.leaves[i]);
    }
    lost = fmax(0, 1 - sum_get(&kept));
    if (status || lost <= self.tolerance) break;
    const bool stuck = round == PROJECTION_ROUNDS || !(sum_get(&leaves) > 0);
    status = stuck ? NESS_LIMIT : projection_grow(&self, sum_get(&leaves));
    if (status == NESS_LIMIT) projection_failed(&self, lost);
  }
  part->projection = (cme_projection){.used = true, .error = lost};
  if (status == NESS_OK) {
    part->q.exit = self.outflow;
    self.outflow = NULL;
  }
  mem_free(p);
  projection_shut(&self);
  return status;
}
