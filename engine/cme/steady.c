/* The steady state of a part: every closed class by a solver of engine/markov, and the probabilities to end in each by
 * a solve on the transient states, with the way into a class as the exit. Independent copies: N copies of which N_s
 * started in slot s, each with its own law p_s over the slots, give mean sum_s N_s p_s and variance sum_s N_s p_s (1 -
 * p_s); with one closed class all p_s are equal and this is binomial. With several classes a copy picks its class by
 * itself, so the same sums hold with p_s the mixture that a copy from s ends in. Cost: that of the solver; one solve
 * more for each start of a part with transient states. */
#include "engine/cme/space.h"
#include "engine/markov/sum.h"
#include <math.h>

typedef struct steady {
  const ness_network *net;
  cme_part *part;
  const solver_options *options;
  ness_diags *diags;
  int32_t *local;             /* (n) scratch of chain_part */
  double *within;             /* (n) steady distribution inside the class, 0 for transient states */
  double *share;              /* (classes) probability to end in the class from one start */
  solver_report share_report; /* of the shares with the largest bound */
} steady;

static ness_status steady_failed(const steady *self, ness_status status, const solver_report *report)
{
  char name[160];
  part_describe(self->net, self->part, name);
  if (status == NESS_LIMIT) {
    diag_add(self->diags, NESS_ERROR, "%s: %s of %d states takes %.3g GB, more than there is", name,
             solver_name(report->method), (int)self->part->q.n, (double)report->bytes * 1e-9);
    diag_hint(self->diags, "try --method multilevel, or make the space smaller");
  } else if (status == NESS_NUMERIC && report->iterations > 0) {
    diag_add(self->diags, NESS_ERROR, "%s: no steady state within %.3g after %d cycles of %s", name,
             self->options->tolerance > 0 ? self->options->tolerance : 1e-8, (int)report->iterations,
             solver_name(report->method));
    diag_hint(self->diags, "--method gth needs no convergence; or ask for less with --tolerance");
  } else if (status == NESS_NUMERIC) {
    diag_add(self->diags, NESS_ERROR, "%s: its rates lie too far apart for double precision", name);
  }
  return status;
}

/* The distribution inside class c. */
static ness_status steady_class(steady *self, int32_t c, const double *like)
{
  cme_part *const part = self->part;
  const int32_t *const state = part->classes.state + part->classes.start[c];
  const int32_t n = part->classes.start[c + 1] - part->classes.start[c];
  if (n == 1) {
    self->within[state[0]] = 1;
    return NESS_OK;
  }
  solver_options options = *self->options;
  solver_report report = {0};
  solver *made = NULL;
  chain inside = {0};
  double *guess = NULL;
  ness_status status = NESS_OK;
  if (n < part->q.n) status = chain_part(&part->q, state, n, false, self->local, &inside);
  if (status == NESS_OK && like) {
    guess = mem_alloc((size_t)n * sizeof *guess);
    if (!guess) status = NESS_NOMEM;
    for (int32_t i = 0; status == NESS_OK && i < n; i++) {
      if (like[state[i]] > 0) guess[i] = like[state[i]];
      else like = NULL, i = n;
    }
  }
  options.guess = like ? guess : NULL;
  if (status == NESS_OK) {
    status = solver_create(n < part->q.n ? &inside : &part->q, &options, &report, &made);
    steady_failed(self, status, &report);
  }
  for (int32_t i = 0; status == NESS_OK && i < n; i++) self->within[state[i]] = solver_steady(made)[i];
  if (status == NESS_OK && report.bound >= part->report.bound) part->report = report;
  solver_free(made);
  chain_free(&inside);
  mem_free(guess);
  return status;
}

/* The transient states, one state for each class, and the way back from every class to `start`: the steady flow around
 * this closed chain divides as the probabilities to end in the classes do. */
static ness_status share_chain(const steady *self, int32_t start, chain *out)
{
  const cme_part *const part = self->part;
  const chain_classes *const classes = &part->classes;
  const int32_t nclass = classes->count, *const state = classes->state + classes->start[nclass];
  const int32_t n = classes->start[nclass + 1] - classes->start[nclass];
  int64_t room = nclass, end = 0;
  double leave = 0;
  for (int32_t i = 0; i < n; i++) {
    room += part->q.start[state[i] + 1] - part->q.start[state[i]];
    self->local[state[i]] = i;
  }
  const ness_status status = chain_create(n + nclass, room, false, out);
  for (int32_t i = 0; status == NESS_OK && i < n; i++) {
    for (int64_t e = part->q.start[state[i]]; e < part->q.start[state[i] + 1]; e++) {
      const int32_t to = part->q.to[e], c = classes->of[to];
      if (to == state[i]) continue;
      if (state[i] == start) leave += part->q.rate[e];
      out->to[end] = c < 0 ? self->local[to] : n + c;
      out->rate[end++] = part->q.rate[e];
    }
    out->start[i + 1] = end;
  }
  for (int32_t c = 0; status == NESS_OK && c < nclass; c++) {
    out->to[end] = self->local[start];
    out->rate[end++] = leave;
    out->start[n + c + 1] = end;
  }
  return status;
}

/* Solves for the shares on what can be reached from the start, with a certified bound as any steady state. */
static ness_status share_solve(steady *self, int32_t start)
{
  const chain_classes *const classes = &self->part->classes;
  const int32_t nclass = classes->count, n = classes->start[nclass + 1] - classes->start[nclass];
  chain whole = {0}, inside = {0};
  chain_classes reached = {0};
  solver *made = NULL;
  solver_report report = {0};
  solver_options options = *self->options;
  options.guess = NULL;
  ness_status status = share_chain(self, start, &whole);
  const int32_t from = self->local[start]; /* before it is scratch again */
  int32_t *const place = mem_zero((size_t)n + (size_t)nclass + 1, sizeof *place);
  if (status == NESS_OK && !place) status = NESS_NOMEM;
  if (status == NESS_OK) status = chain_classes_find(&whole, &reached);
  const int32_t c = status == NESS_OK ? reached.of[from] : -1;
  if (c >= 0) {
    status = chain_part(&whole, reached.state + reached.start[c], reached.start[c + 1] - reached.start[c], false, place,
                        &inside);
  }
  if (status == NESS_OK) status = steady_failed(self, solver_create(&inside, &options, &report, &made), &report);
  exact_sum total = {0, 0};
  for (int32_t k = 0; status == NESS_OK && k < nclass; k++) {
    self->share[k] = place[n + k] < 0 ? 0 : solver_steady(made)[place[n + k]];
    sum_add(&total, self->share[k]);
  }
  for (int32_t k = 0; status == NESS_OK && k < nclass; k++) self->share[k] /= sum_get(&total);
  if (status == NESS_OK && !(report.bound <= self->share_report.bound)) self->share_report = report;
  solver_free(made);
  chain_free(&inside);
  chain_free(&whole);
  chain_classes_free(&reached);
  mem_free(place);
  return status;
}

/* The probabilities to end in each class from one state, into self->share. */
static ness_status steady_share(steady *self, int32_t start)
{
  const chain_classes *const classes = &self->part->classes;
  for (int32_t c = 0; c < classes->count; c++) self->share[c] = 0;
  if (classes->count > 1 && classes->of[start] < 0) return share_solve(self, start);
  self->share[classes->count == 1 ? 0 : classes->of[start]] = 1;
  return NESS_OK;
}

/* The slot that a state of one copy holds, -1 outside. */
static int32_t state_slot(const cme_part *part, int32_t state)
{
  return part->states.place[state] < 0 ? -1 : part->slot[part->states.place[state]];
}

/* Adds what `copies` copies started in one state give to the variances of the slots. */
static void steady_variance(const steady *self, double copies, double *var)
{
  const cme_part *const part = self->part;
  for (int32_t s = 0; s < part->q.n; s++) {
    if (part->classes.of[s] < 0) continue;
    const double p = self->share[part->classes.of[s]] * self->within[s];
    double rest = 1 - p;
    if (p > 0.5) { /* 1 - p would cancel */
      exact_sum sum = {0, 0};
      for (int32_t t = 0; t < part->q.n; t++) {
        if (t != s && part->classes.of[t] >= 0) sum_add(&sum, self->share[part->classes.of[t]] * self->within[t]);
      }
      rest = sum_get(&sum);
    }
    var[state_slot(part, s)] += copies * p * rest;
  }
}

static ness_status steady_mix(steady *self, double *var)
{
  cme_part *const part = self->part;
  const chain_classes *const classes = &part->classes;
  for (int32_t k = 0; k < part->nstart; k++) {
    const double weight = part->start_weight[k];
    const ness_status status = steady_share(self, part->start[k]);
    if (status) return status;
    for (int32_t c = 0; c < classes->count; c++) part->class_weight[c] += weight * self->share[c];
    if (part->kind == CME_COPIES && classes->count > 1) steady_variance(self, weight * (double)part->copies, var);
  }
  if (classes->count == 1) {
    part->class_weight[0] = self->share[0] = 1;
    if (part->kind == CME_COPIES) steady_variance(self, (double)part->copies, var);
  }
  for (int32_t s = 0; s < part->q.n; s++) {
    if (classes->of[s] >= 0) part->p[s] = part->class_weight[classes->of[s]] * self->within[s];
  }
  return NESS_OK;
}

/* Variances of an enumerated part, around the mean, so that they keep their figures when they are small. */
static ness_status steady_moments(const steady *self, double *var)
{
  const cme_part *const part = self->part;
  const size_t nslot = (size_t)self->net->nslot + 1;
  int64_t *const n = mem_zero(nslot, sizeof *n);
  exact_sum *const mean = mem_zero(nslot, sizeof *mean), *const square = mem_zero(nslot, sizeof *square);
  const ness_status status = n && mean && square ? NESS_OK : NESS_NOMEM;
  for (int pass = 0; status == NESS_OK && pass < 2; pass++) {
    for (int32_t s = 0; s < part->q.n; s++) {
      cme_counts(part, s, n);
      for (int32_t i = 0; i < part->nslot; i++) {
        const int32_t slot = part->slot[i];
        const double off = (double)n[slot] - (pass ? sum_get(&mean[slot]) : 0);
        sum_add(pass ? &square[slot] : &mean[slot], part->p[s] * (pass ? off * off : off));
      }
    }
  }
  for (int32_t i = 0; status == NESS_OK && i < part->nslot; i++) {
    const int32_t slot = part->slot[i];
    const bool one = !part->driven || network_is_level(self->net, slot);
    var[slot] = one ? sum_get(&square[slot]) : (double)NAN; /* copies that share an input go together */
  }
  mem_free(n);
  mem_free(mean);
  mem_free(square);
  return status;
}

ness_status part_steady(const ness_network *net, cme_part *part, const solver_options *options, const double *like,
                        double *var, ness_diags *diags)
{
  steady self = {.net = net, .part = part, .options = options, .diags = diags};
  const size_t n = (size_t)part->q.n + 1, nclass = (size_t)part->classes.count + 1;
  ness_status status = NESS_NOMEM;
  self.local = mem_zero(n, sizeof *self.local);
  self.within = mem_zero(n, sizeof *self.within);
  self.share = mem_zero(nclass, sizeof *self.share);
  part->p = mem_zero(n, sizeof *part->p);
  part->class_weight = mem_zero(nclass, sizeof *part->class_weight);
  if (!self.local || !self.within || !self.share || !part->p || !part->class_weight) goto out;
  part->report = (solver_report){.method = SOLVER_GTH, .proof = "one state"};
  status = NESS_OK;
  for (int32_t c = 0; status == NESS_OK && c < part->classes.count; c++) status = steady_class(&self, c, like);
  if (status == NESS_OK) status = steady_mix(&self, var);
  if (self.share_report.bound > 0) { /* a share is a ratio of two probabilities */
    const double bound = part->report.bound, share = self.share_report.bound;
    part->report = self.share_report;
    part->report.bound = (1 + bound) * (1 + share) / (1 - share) - 1;
  }
  if (status == NESS_OK && part->kind == CME_COUNTS) status = steady_moments(&self, var);
  if (status == NESS_OK && part->kind == CME_OPEN) {
    /* Outside counts as one: every other state then holds its mean, and the counts are Poisson. */
    part->scale = 1 / part->p[part->start[0]];
    for (int32_t s = 0; s < part->q.n; s++) {
      if (state_slot(part, s) >= 0) var[state_slot(part, s)] = part->scale * part->p[s];
    }
  }
out:
  mem_free(self.local);
  mem_free(self.within);
  mem_free(self.share);
  return status;
}
