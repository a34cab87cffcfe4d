/* The master equation in time. Enumerated parts evolve as one distribution. A copy that is independent of the others
 * evolves by itself from the slot it starts in, so N of them have mean N p and variance N p (1 - p). Copies that
 * reservoirs make arrive at constant rates nu and leave as the others do; those that came since the start are Poisson
 * with the mean x - x exp(Q t), x = nu (-Q)^-1 (Jahnke and Huisinga 2007). Cost: that of markov/transient.h, once for
 * each slot that holds copies at the start. */
#include "engine/cme/evolve.h"
#include "engine/cme/projection.h"
#include "engine/cme/split.h"
#include "engine/markov/sum.h"
#include <math.h>

typedef struct evolve {
  const ness_network *net;
  const cme_part *part;
  evolution *out;
  const double
      *settled;     /* (inside) means of the copies that came since the start, in the long run; NULL other visits */
  double copies;    /* that the distribution at hand stands for */
  int32_t first;    /* state of the part that the first entry of a distribution stands for */
  int64_t *n;       /* (nslot) */
  splitting *split; /* of the part; NULL not asked for */
  const cme_motion *motion; /* NULL: rates stand */
  double *factor;           /* (2 nstep) of the rates at the moment */
} evolve;

/* The factors of the rates at a time, where they move. */
static void evolve_moment(const evolve *self, int32_t index)
{
  if (self->motion) self->motion->factors(self->motion->context, self->out->time[index], self->factor);
}

static double rate_now(const evolve *self, int64_t e)
{
  return self->part->q.rate[e] * (self->motion ? self->factor[self->part->dir[e]] : 1);
}

/* Adds the rates out of a state that holds x copies (or the probability x of an enumerated state). */
static void evolve_rates(const evolve *self, int32_t index, int32_t state, double x)
{
  double *const rate = self->out->dir_rate + (int64_t)index * 2 * self->net->nstep;
  const cme_part *const part = self->part;
  for (int64_t e = part->q.start[state]; e < part->q.start[state + 1]; e++) rate[part->dir[e]] += x * rate_now(self, e);
}

static ness_status evolve_counts(void *context, int32_t index, const double *p)
{
  evolve *const self = context;
  const cme_part *const part = self->part;
  double *const mean = self->out->mean + (int64_t)index * self->net->nslot;
  double *const var = self->out->var + (int64_t)index * self->net->nslot;
  evolve_moment(self, index);
  for (int pass = 0; pass < 2; pass++) { /* the variance around the mean keeps its figures */
    for (int32_t s = 0; s < part->q.n; s++) {
      if (p[s] == 0) continue;
      cme_counts(part, s, self->n);
      for (int32_t i = 0; i < part->nslot; i++) {
        const int32_t slot = part->slot[i];
        const double off = (double)self->n[slot] - (pass ? mean[slot] : 0);
        *(pass ? &var[slot] : &mean[slot]) += p[s] * (pass ? off * off : off);
      }
      if (pass) evolve_rates(self, index, s, p[s]);
    }
  }
  if (self->split) {
    split_add(self->split, p, self->out->time[index] == 0, &self->out->entropy[index], &self->out->one_way_running);
  }
  return NESS_OK;
}

/* Copies under inputs that they share: means, and for the inputs, which are one, their share of the start. */
static ness_status evolve_driven(void *context, int32_t index, const double *p)
{
  evolve *const self = context;
  const cme_part *const part = self->part;
  double *const mean = self->out->mean + (int64_t)index * self->net->nslot;
  double *const rate = self->out->dir_rate + (int64_t)index * 2 * self->net->nstep;
  const double share = self->copies / (double)part->copies;
  evolve_moment(self, index);
  for (int32_t s = 0; s < part->q.n; s++) {
    if (p[s] == 0) continue;
    cme_counts(part, s, self->n);
    for (int32_t i = 0; i < part->nslot; i++) {
      const int32_t slot = part->slot[i];
      if (self->n[slot] != 0)
        mean[slot] += share * cme_slot_scale(self->net, part, slot) * p[s] * (double)self->n[slot];
    }
    for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++)
      rate[part->dir[e]] += share * cme_dir_scale(self->net, part, part->dir[e]) * p[s] * rate_now(self, e);
  }
  for (int32_t i = 0; i < part->nslot; i++)
    self->out->var[(int64_t)index * self->net->nslot + part->slot[i]] = (double)NAN;
  return NESS_OK;
}

static ness_status evolve_copies(void *context, int32_t index, const double *p)
{
  const evolve *const self = context;
  const cme_part *const part = self->part;
  double *const mean = self->out->mean + (int64_t)index * self->net->nslot;
  double *const var = self->out->var + (int64_t)index * self->net->nslot;
  evolve_moment(self, index);
  for (int32_t s = self->first; s < part->q.n; s++) {
    const int32_t slot = part->slot[part->states.place[s]];
    const double share = p[s - self->first];
    double x = self->copies * share;
    if (self->settled) { /* those that are not left of the long run's copies have not come yet */
      x = self->settled[s - self->first] - x;
      if (x < 0) x = 0;
    }
    mean[slot] += x;
    var[slot] += self->settled ? x : x * (1 - share);
    evolve_rates(self, index, s, x);
  }
  return NESS_OK;
}

static void report_take(evolve *self, const transient_report *report)
{
  if (report->bound >= self->out->report.bound) self->out->report = *report;
}

static ness_status evolve_moving(void *context, double t, double *rate, double *exit)
{
  evolve *const self = context;
  (void)exit; /* the part is closed */
  self->motion->factors(self->motion->context, t, self->factor);
  for (int64_t e = 0; e < self->part->q.start[self->part->q.n]; e++) rate[e] = rate_now(self, e);
  return NESS_OK;
}

/* Copies that start in `state`, on the chain of all states or of those inside. */
static ness_status evolve_from(evolve *self, const chain *q, int32_t state, const transient_options *options)
{
  const cme_motion *const motion = self->motion;
  const evolution *const out = self->out;
  const transient_visit visit = self->part->driven               ? evolve_driven
                                : self->part->kind == CME_COUNTS ? evolve_counts
                                                                 : evolve_copies;
  transient_report report = {0};
  double *const p = mem_zero((size_t)q->n + 1, sizeof *p);
  if (!p) return NESS_NOMEM;
  p[state - self->first] = 1;
  const ness_status status = motion ? transient_moving(q, evolve_moving, self, motion->breaks, motion->nbreaks, options,
                                                       p, out->time, out->ntimes, visit, self, &report)
                                    : transient_run(q, options, p, out->time, out->ntimes, visit, self, &report);
  report_take(self, &report);
  mem_free(p);
  return status;
}

/* Copies that come while time runs. */
static ness_status evolve_arrivals(evolve *self, const chain *inside, const cme_options *options,
                                   const transient_options *transient, ness_diags *diags)
{
  const chain *const q = &self->part->q;
  solver *made = NULL;
  transient_report report = {0};
  double *const x = mem_zero((size_t)inside->n + 1, sizeof *x), *const p = mem_zero((size_t)inside->n + 1, sizeof *p);
  ness_status status = x && p ? solver_create(inside, options ? &options->solve : NULL, NULL, &made) : NESS_NOMEM;
  if (status == NESS_NUMERIC) {
    char name[160];
    part_describe(self->net, self->part, name);
    diag_add(diags, NESS_ERROR, "%s: copies come in that never leave", name);
    diag_hint(diags, "`solve ode` has the exact means of a network whose copies are independent");
  }
  exact_sum total = {0, 0};
  for (int64_t e = q->start[0]; status == NESS_OK && e < q->start[1]; e++) {
    if (q->to[e] > 0) x[q->to[e] - 1] += q->rate[e];
  }
  if (status == NESS_OK) status = solver_left(made, x);
  for (int32_t i = 0; i < inside->n && status == NESS_OK; i++) sum_add(&total, x[i]);
  const double sum = sum_get(&total);
  for (int32_t i = 0; i < inside->n && sum > 0; i++) p[i] = x[i] / sum;
  self->settled = x;
  self->copies = sum;
  if (status == NESS_OK && sum > 0)
    status = transient_run(inside, transient, p, self->out->time, self->out->ntimes, evolve_copies, self, &report);
  report.bound *= sum;
  report_take(self, &report);
  for (int32_t t = 0; status == NESS_OK && t < self->out->ntimes; t++) evolve_rates(self, t, 0, 1);
  self->settled = NULL;
  solver_free(made);
  mem_free(x);
  mem_free(p);
  return status;
}

static ness_status evolve_open(evolve *self, const cme_options *options, const transient_options *transient,
                               ness_diags *diags)
{
  const cme_part *const part = self->part;
  const int32_t n = part->q.n - 1;
  chain inside = {0};
  int32_t *const state = mem_zero((size_t)n + 1, sizeof *state);
  int32_t *const local = mem_zero((size_t)part->q.n, sizeof *local);
  for (int32_t i = 0; state && i < n; i++) state[i] = i + 1;
  ness_status status = state && local ? chain_part(&part->q, state, n, true, local, &inside) : NESS_NOMEM;
  self->first = 1;
  for (int32_t s = 1; status == NESS_OK && s <= n; s++) {
    self->copies = (double)self->net->slot_start[part->slot[part->states.place[s]]];
    if (self->copies > 0) status = evolve_from(self, &inside, s, transient);
  }
  if (status == NESS_OK && n > 0) status = evolve_arrivals(self, &inside, options, transient, diags);
  chain_free(&inside);
  mem_free(state);
  mem_free(local);
  return status;
}

typedef struct evolve_call {
  const ness_network *net;
  const transient_options *transient;
  const evolution *out;
  ness_diags *diags;
} evolve_call;

static ness_status evolve_endless(void *context, const stoich_basis *laws, cme_part *part, int64_t max_states)
{
  const evolve_call *const call = context;
  return projection_in_time(call->net, laws, part, max_states, call->transient, call->out->time, call->out->ntimes,
                            call->diags);
}

/* Entropy production of copies, from the mean counts that are there by now. */
static ness_status evolve_split(evolve *self)
{
  const cme_part *const part = self->part;
  double *const x = mem_zero((size_t)part->q.n + 1, sizeof *x);
  for (int32_t t = 0; x && t < self->out->ntimes; t++) {
    const double *const mean = self->out->mean + (int64_t)t * self->net->nslot;
    for (int32_t s = 0; s < part->q.n; s++) {
      const int32_t place = part->states.place[s];
      x[s] = place < 0 ? 1 : mean[part->slot[place]];
    }
    split_add(self->split, x, self->out->time[t] == 0, &self->out->entropy[t], &self->out->one_way_running);
  }
  mem_free(x);
  return x ? NESS_OK : NESS_NOMEM;
}

/* What is said of the entropy production of a part. */
static void evolve_split_report(const evolve *self)
{
  const cme_part *const part = self->part;
  evolution *const out = self->out;
  bool some = false;
  for (int32_t i = 0; i < part->nslot; i++) some = some || self->net->slot_start[part->slot[i]] > 0;
  const bool at_least = part->kind == CME_OPEN ? some : part->kind == CME_COPIES && part->nstart > 1;
  if (at_least && !*out->at_least_part) part_describe(self->net, part, out->at_least_part);
  if (!split_why(self->split) || out->unsplit) return;
  out->unsplit = split_why(self->split);
  part_describe(self->net, part, out->unsplit_part);
}

static ness_status evolve_part(evolve *self, const cme_options *options, const transient_options *transient,
                               ness_diags *diags)
{
  const cme_part *const part = self->part;
  ness_status status = NESS_OK;
  self->first = 0;
  if (part->kind == CME_OPEN && self->motion) {
    char name[160];
    part_describe(self->net, part, name);
    diag_add(diags, NESS_ERROR, "%s: counts that reservoirs make and remove cannot be solved under rates that move",
             name);
    diag_hint(diags, "give their species a max, ask for their means (solve ode), or simulate (ness run)");
    return NESS_LIMIT;
  }
  if (part->kind == CME_OPEN) status = evolve_open(self, options, transient, diags);
  for (int32_t k = 0; part->kind != CME_OPEN && status == NESS_OK && k < part->nstart; k++) {
    self->copies = part->start_weight[k] * (double)part->copies;
    status = evolve_from(self, &part->q, part->start[k], transient);
  }
  if (status == NESS_OK && self->split && part->kind != CME_COUNTS) status = evolve_split(self);
  if (self->split) evolve_split_report(self);
  return status;
}

static void evolve_close(evolution *out)
{
  for (int32_t t = 0; out->entropy && t < out->ntimes; t++) {
    const split_row *const row = &out->entropy[t];
    const double flow = fabs(row->total - row->medium - row->system),
                 parts = fabs(row->total - row->adiabatic - row->nonadiabatic);
    if (isfinite(flow)) out->closure = fmax(out->closure, flow); /* infinities leave nothing to close */
    if (isfinite(parts)) out->closure = fmax(out->closure, parts);
  }
}

ness_status evolve_empty(const ness_network *net, const double *times, int32_t ntimes, evolution *out)
{
  const size_t rows = (size_t)ntimes + 1, nslot = (size_t)net->nslot + 1, ndir = 2 * (size_t)net->nstep + 1;
  *out = (evolution){.ntimes = ntimes, .one_way_running = -1};
  out->time = mem_zero(rows, sizeof *out->time);
  out->mean = mem_zero(rows * nslot, sizeof *out->mean);
  out->var = mem_zero(rows * nslot, sizeof *out->var);
  out->dir_rate = mem_zero(rows * ndir, sizeof *out->dir_rate);
  if (!out->time || !out->mean || !out->var || !out->dir_rate) {
    evolve_free(out);
    return NESS_NOMEM;
  }
  for (int32_t t = 0; t < ntimes; t++) out->time[t] = times[t];
  return NESS_OK;
}

ness_status evolve_run(const ness_network *net, const cme_options *options, const transient_options *transient,
                       const double *times, int32_t ntimes, ness_diags *diags, evolution *out)
{
  cme_solution s = {.one_way_running = -1};
  evolve self = {.net = net, .out = out, .motion = options ? options->motion : NULL};
  ness_status status = evolve_empty(net, times, ntimes, out);
  self.n = mem_zero((size_t)net->nslot + 1, sizeof *self.n);
  self.factor = mem_zero(2 * (size_t)net->nstep + 1, sizeof *self.factor);
  if (status == NESS_OK && !(self.n && self.factor)) status = NESS_NOMEM;
  if (status == NESS_OK && options && options->split) {
    out->entropy = mem_zero((size_t)ntimes + 1, sizeof *out->entropy);
    if (!out->entropy) status = NESS_NOMEM;
  }
  evolve_call call = {net, transient, out, diags};
  if (status == NESS_OK && self.motion) status = cme_generator(net, options, diags, &s);
  else if (status == NESS_OK) status = cme_spaces(net, options, diags, &s, evolve_endless, &call);
  out->nparts = s.nparts;
  for (int32_t p = 0; status == NESS_OK && p < s.nparts; p++) {
    self.part = &s.parts[p];
    out->states += self.part->q.n;
    if (self.part->projection.used) out->outside = fmax(out->outside, self.part->projection.error);
    self.split = NULL;
    if (out->entropy && self.part->driven) { /* what copies have in common has no entropy of each */
      for (int32_t t = 0; t < ntimes; t++) out->entropy[t].total = out->entropy[t].medium = (double)NAN;
      for (int32_t t = 0; t < ntimes; t++) out->entropy[t].system = out->entropy[t].adiabatic = (double)NAN;
      for (int32_t t = 0; t < ntimes; t++) out->entropy[t].nonadiabatic = (double)NAN;
      out->unsplit = SPLIT_PROCESS;
      part_describe(net, self.part, out->unsplit_part);
    } else if (out->entropy) {
      status = split_create(net, &s.parts[p], &options->solve, &self.split);
    }
    if (status == NESS_OK) status = evolve_part(&self, options, transient, diags);
    split_free(self.split);
  }
  evolve_close(out);
  cme_solution_free(&s);
  mem_free(self.n);
  mem_free(self.factor);
  if (status) evolve_free(out);
  return status;
}

void evolve_free(evolution *self)
{
  mem_free(self->time);
  mem_free(self->mean);
  mem_free(self->var);
  mem_free(self->dir_rate);
  mem_free(self->entropy);
  *self = (evolution){0};
}
