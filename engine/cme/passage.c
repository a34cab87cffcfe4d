/* First passages of a network: the part that the condition reads is listed from its start, breadth first, and states in
 * a target are listed but not gone beyond. States from which a target can be met, found backwards from the targets,
 * are the chain of hitting.c; what leads elsewhere fails. Where counts have no end the list doubles until hardly
 * anything leaves it before a target. Cost: the states, twice their propensities, and the solves of hitting.c; for
 * endless counts twice the last of it. */
#include "engine/cme/passage.h"
#include "engine/cme/hitting.h"
#include "engine/cme/projection.h"
#include "engine/cme/space.h"
#include "engine/markov/sum.h"
#include <math.h>
#include <string.h>

#define PASSAGE_STATES 20000000
#define PASSAGE_ENDLESS 1000000
#define PASSAGE_FIRST 1000 /* states after which an endless list is looked at */
#define PASSAGE_OUTSIDE 1e-12

typedef struct search {
  const ness_network *net;
  passage_target target;
  void *context;
  const passage_options *options;
  ness_diags *diags;
  cme_solution parts;
  cme_part *part; /* the one that is enumerated */
  stoich_basis laws;
  bool endless;
  int64_t max_states;
  int64_t *n;      /* (nslot) */
  int8_t *label;   /* (states) target of a state */
  bool *open;      /* (states) in no target */
  double *start;   /* (states) */
  double *outflow; /* (states) rate to states that are not listed */
  int64_t label_room, open_room;
  hitting h;
  int32_t *state;    /* (states of h) ids */
  double *lost;      /* (states of h) rate to where the list may be left, but no target met */
  bool *good, *ends; /* (states) open, and a target, or the end of the list, can be met from there */
} search;

/* --- the part --- */

static ness_status search_part(search *self, const int32_t *slots, int32_t nslots)
{
  const ness_network *const net = self->net;
  ness_status status = parts_split(net, &self->parts);
  for (int32_t k = 0; status == NESS_OK && k < nslots; k++) {
    for (int32_t p = 0; p < self->parts.nparts; p++) {
      cme_part *const part = &self->parts.parts[p];
      if (part_place(part, slots[k]) < 0) continue;
      if (self->part && self->part != part) {
        diag_add(self->diags, NESS_ERROR, "the condition reads %s and %s, which have nothing to do with each other",
                 network_text(net, net->slot_name[slots[0]]), network_text(net, net->slot_name[slots[k]]));
        diag_hint(self->diags, "ask for each by itself: the two run independently");
        return NESS_USAGE;
      }
      self->part = part;
    }
  }
  if (status == NESS_OK && !self->part) {
    diag_add(self->diags, NESS_ERROR, "the condition reads no count");
    status = NESS_USAGE;
  }
  if (status) return status;
  self->part->kind = CME_COUNTS; /* a condition on all copies together needs their joint counts */
  self->part->driven = false;
  self->part->copies = 1;
  self->part->scale = 1;
  status = stoich_laws(net, &self->laws);
  if (status == NESS_NUMERIC) status = NESS_OK; /* huge coefficients save nothing */
  self->endless = projection_needed(net, &self->laws, self->part);
  self->max_states = self->options->max_states > 0 ? self->options->max_states
                     : self->endless               ? PASSAGE_ENDLESS
                                                   : PASSAGE_STATES;
  return status;
}

/* Labels of states first ... last - 1. */
static ness_status states_label(search *self, int32_t first, int32_t last)
{
  if (!mem_grow(&self->label, &self->label_room, (int64_t)last + 1, sizeof *self->label) ||
      !mem_grow(&self->open, &self->open_room, (int64_t)last + 1, sizeof *self->open)) {
    return NESS_NOMEM;
  }
  for (int32_t s = first; s < last; s++) {
    cme_counts(self->part, s, self->n);
    const int32_t in = self->target(self->context, self->n);
    self->label[s] = in == 1 || in == 2 ? (int8_t)in : 0;
    self->open[s] = self->label[s] == 0;
  }
  return NESS_OK;
}

/* --- the chain --- */

/* Marks the open states that one of those in line[0] ... line[end - 1] can be met from, over open states. `in` is the
 * transpose; `line` has room for all states. */
static void states_before(const search *self, const chain *in, int32_t *line, int32_t end, bool *marked)
{
  for (int32_t head = 0; head < end; head++) {
    for (int64_t e = in->start[line[head]]; e < in->start[line[head] + 1]; e++) {
      const int32_t from = in->to[e];
      if (!self->open[from] || marked[from]) continue;
      marked[from] = true;
      line[end++] = from;
    }
  }
}

/* The open states from which a target can be met, and from which the list can be left. */
static ness_status states_mark(search *self)
{
  const int32_t n = self->part->q.n;
  chain in = {0};
  int32_t *const line = mem_zero((size_t)n + 1, sizeof *line), end = 0;
  mem_free(self->good);
  mem_free(self->ends);
  self->good = mem_zero((size_t)n + 1, sizeof *self->good);
  self->ends = mem_zero((size_t)n + 1, sizeof *self->ends);
  const ness_status status = line && self->good && self->ends ? chain_transpose(&self->part->q, &in) : NESS_NOMEM;
  for (int32_t s = 0; status == NESS_OK && s < n; s++) {
    if (!self->open[s]) line[end++] = s;
  }
  if (status == NESS_OK) states_before(self, &in, line, end, self->good);
  end = 0;
  for (int32_t s = 0; status == NESS_OK && s < n; s++) {
    self->ends[s] = self->open[s] && self->outflow[s] > 0;
    if (self->ends[s]) line[end++] = s;
  }
  if (status == NESS_OK) states_before(self, &in, line, end, self->ends);
  chain_free(&in);
  mem_free(line);
  return status;
}

/* State k of the chain: its rates into the targets, and what fails. */
static void chain_exits(search *self, int32_t k)
{
  const cme_part *const part = self->part;
  hitting *const h = &self->h;
  const int32_t s = self->state[k];
  double lost = self->outflow[s];
  bool fails = lost > 0;
  for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++) {
    const int32_t to = part->q.to[e];
    if (self->label[to] > 0) h->goal[self->label[to] - 1][k] += part->q.rate[e];
    fails = fails || (self->open[to] && !self->good[to]);
    if (self->ends[to] && !self->good[to]) lost += part->q.rate[e];
  }
  self->lost[k] = lost;
  h->start[k] = self->start[s];
  h->fails = h->fails || fails;
  if (fails) h->inside.exit[k] += self->outflow[s];
  else h->inside.exit[k] = h->goal[0][k] + h->goal[1][k];
}

static ness_status search_chain(search *self)
{
  const int32_t n = self->part->q.n;
  hitting *const h = &self->h;
  int32_t count = 0, *const local = mem_zero((size_t)n + 1, sizeof *local);
  hitting_free(h);
  mem_free(self->state);
  mem_free(self->lost);
  self->state = mem_zero((size_t)n + 1, sizeof *self->state);
  self->lost = mem_zero((size_t)n + 1, sizeof *self->lost);
  ness_status status = local && self->state && self->lost ? states_mark(self) : NESS_NOMEM;
  for (int32_t s = 0; status == NESS_OK && s < n; s++) {
    if (self->good[s]) self->state[count++] = s;
  }
  if (status == NESS_OK) status = chain_part(&self->part->q, self->state, count, true, local, &h->inside);
  h->start = mem_zero((size_t)count + 1, sizeof *h->start);
  for (int k = 0; k < 2; k++) h->goal[k] = mem_zero((size_t)count + 1, sizeof *h->goal[k]);
  if (status == NESS_OK && (!h->start || !h->goal[0] || !h->goal[1])) status = NESS_NOMEM;
  for (int32_t k = 0; k < count && status == NESS_OK; k++) chain_exits(self, k);
  mem_free(local);
  return status;
}

/* Probability that the listed states are left before a target from the first one. */
static ness_status search_outside(const search *self, double *outside)
{
  const hitting *const h = &self->h;
  exact_sum sum = {0, 0};
  bool any = false;
  *outside = !self->good[0] && self->ends[0];
  for (int32_t k = 0; k < h->inside.n; k++) any = any || self->lost[k] > 0;
  if (!self->good[0] || !any) return NESS_OK;
  double *const x = mem_zero((size_t)h->inside.n + 1, sizeof *x);
  const ness_status status = x ? hitting_times(h, &self->options->solve, x) : NESS_NOMEM;
  for (int32_t k = 0; status == NESS_OK && k < h->inside.n; k++) sum_add(&sum, x[k] * self->lost[k]);
  *outside = sum_get(&sum);
  mem_free(x);
  return status;
}

/* The chain of the states listed so far, and what of the start meets a target, or leaves the list before. */
static ness_status search_look(search *self, space *states, double *reached, double *outside)
{
  const int32_t n = self->part->states.n;
  mem_free(self->outflow);
  mem_free(self->start);
  self->outflow = mem_zero((size_t)n + 1, sizeof *self->outflow);
  self->start = mem_zero((size_t)n + 1, sizeof *self->start);
  if (!self->outflow || !self->start) return NESS_NOMEM;
  self->start[0] = 1;
  ness_status status = space_close(states, self->outflow);
  if (status == NESS_OK) status = search_chain(self);
  *outside = 0;
  *reached = 0;
  if (status == NESS_OK && self->endless) status = search_outside(self, outside);
  if (status == NESS_OK && self->h.inside.n > 0) status = hitting_condition(&self->h, &self->options->solve, reached);
  return status;
}

/* Lists states wave by wave, and looks at an endless list whenever it has doubled. */
static ness_status search_list(search *self, passage *out)
{
  space *states = NULL;
  int32_t done = 0;
  int64_t goal = PASSAGE_FIRST;
  double before = -1;
  bool settled = false;
  ness_status status = space_open(self->net, &self->laws, self->part, self->max_states, self->diags, &states);
  if (status == NESS_OK) status = states_label(self, 0, self->part->states.n);
  while (status == NESS_OK && !settled) {
    const int32_t last = self->part->states.n;
    if (done < last && !(self->endless && last >= goal)) {
      status = space_grow(states, self->open, done, last);
      if (status == NESS_OK) status = states_label(self, last, self->part->states.n);
      done = last;
      continue;
    }
    status = search_look(self, states, &out->reached, &out->outside);
    goal = 2 * (int64_t)last;
    settled = done == last || out->outside <= PASSAGE_OUTSIDE * out->reached ||
              (out->reached > 0 && fabs(out->reached - before) <= PASSAGE_OUTSIDE * out->reached);
    before = out->reached;
  }
  space_shut(states);
  return status;
}

/* The whole space with its steady distribution, without the targets, for a start. */
static ness_status search_steady(search *self, passage *out)
{
  cme_part *const part = self->part;
  int64_t transitions = 0;
  if (self->endless) {
    diag_add(self->diags, NESS_ERROR, "a passage from the steady state needs counts with an end");
    diag_hint(self->diags, "give the species a `max`");
    return NESS_USAGE;
  }
  double *const var = mem_zero((size_t)self->net->nslot + 1, sizeof *var);
  ness_status status = var ? NESS_OK : NESS_NOMEM;
  if (status == NESS_OK)
    status = space_build(self->net, &self->laws, part, self->max_states, false, &transitions, self->diags);
  if (status == NESS_OK) status = chain_classes_find(&part->q, &part->classes);
  if (status == NESS_OK) status = part_steady(self->net, part, &self->options->solve, NULL, var, self->diags);
  if (status == NESS_OK) status = states_label(self, 0, part->q.n);
  self->outflow = mem_zero((size_t)part->q.n + 1, sizeof *self->outflow);
  self->start = mem_zero((size_t)part->q.n + 1, sizeof *self->start);
  if (status == NESS_OK && (!self->outflow || !self->start)) status = NESS_NOMEM;
  exact_sum sum = {0, 0};
  for (int32_t s = 0; status == NESS_OK && s < part->q.n; s++) {
    if (self->open[s]) sum_add(&sum, part->p[s]);
  }
  for (int32_t s = 0; status == NESS_OK && s < part->q.n; s++) {
    if (self->open[s] && part->p[s] > 0) self->start[s] = part->p[s] / sum_get(&sum);
  }
  if (status == NESS_OK) status = search_chain(self);
  for (int32_t k = 0; status == NESS_OK && k < self->h.inside.n; k++) out->reached += self->h.start[k];
  if (status == NESS_OK && out->reached > 0) status = hitting_condition(&self->h, &self->options->solve, &out->reached);
  mem_free(var);
  return status;
}

/* --- what is told --- */

static ness_status search_never(const search *self)
{
  char name[160];
  part_describe(self->net, self->part, name);
  diag_add(self->diags, NESS_ERROR, "%s never meets the condition from its start", name);
  diag_hint(self->diags, "no way of steps leads there: look at the start, at one-way steps and at every `max`");
  return NESS_NUMERIC;
}

static void search_failed(const search *self, ness_status status)
{
  char name[160];
  part_describe(self->net, self->part, name);
  if (status == NESS_NUMERIC) {
    diag_add(self->diags, NESS_ERROR,
             "%s: the passage is too rare or too long, or its rates lie too far apart, for double precision", name);
  } else {
    diag_add(self->diags, NESS_ERROR, "%s: a passage through %d states takes more memory than there is", name,
             (int)self->part->states.n);
    diag_hint(self->diags, "lower the `max` of its species");
  }
}

/* The start lies in a target. */
static void passage_at_once(int8_t label, int32_t ntimes, passage *out)
{
  out->reached = 1;
  out->first = label == 1;
  out->second = label == 2;
  out->first_mean = label == 1 ? 0 : NAN;
  out->second_mean = label == 2 ? 0 : NAN;
  out->skewness = NAN;
  out->report = (solver_report){.method = SOLVER_GTH, .proof = "it starts there"};
  for (int32_t t = 0; t < ntimes; t++) out->by[t] = 1;
}

static ness_status search_answer(search *self, passage *out)
{
  const passage_options *const options = self->options;
  if (!(out->reached > 0)) return search_never(self);
  for (int32_t s = 0; s < self->part->states.n; s++) out->states += self->open[s];
  const double reached = out->reached;
  ness_status status = hitting_moments(&self->h, &options->solve, out);
  out->first *= reached;
  out->second *= reached;
  if (status == NESS_OK && options->ntimes > 0)
    status = hitting_by(&self->h, options->times, options->ntimes, out->by, &out->by_bound);
  for (int32_t t = 0; t < options->ntimes; t++) out->by[t] *= reached;
  return status;
}

ness_status passage_find(const ness_network *net, const int32_t *slots, int32_t nslots, passage_target target,
                         void *context, const passage_options *options, ness_diags *diags, passage *out)
{
  static const passage_options none = {0};
  *out = (passage){0};
  search self = {
      .net = net, .target = target, .context = context, .options = options ? options : &none, .diags = diags};
  self.parts.one_way_running = -1;
  self.n = mem_zero((size_t)net->nslot + 1, sizeof *self.n);
  out->by = mem_zero((size_t)self.options->ntimes + 1, sizeof *out->by);
  ness_status status = self.n && out->by ? search_part(&self, slots, nslots) : NESS_NOMEM;
  for (int32_t i = 0; i < net->nslot && self.n; i++) self.n[i] = net->slot_start[i];
  const bool steady = self.options->from_steady;
  const int32_t before = diag_errors(diags);
  const int32_t at_once = status == NESS_OK && !steady ? target(context, self.n) : 0;
  if (at_once == 1 || at_once == 2) {
    passage_at_once((int8_t)at_once, self.options->ntimes, out);
  } else if (status == NESS_OK) {
    status = steady ? search_steady(&self, out) : search_list(&self, out);
    if (status == NESS_OK) status = search_answer(&self, out);
    const bool told = diag_errors(diags) > before;
    if ((status == NESS_NUMERIC || status == NESS_LIMIT) && !told) search_failed(&self, status);
  }
  hitting_free(&self.h);
  stoich_free(&self.laws);
  cme_solution_free(&self.parts);
  mem_free(self.n);
  mem_free(self.label);
  mem_free(self.open);
  mem_free(self.start);
  mem_free(self.outflow);
  mem_free(self.state);
  mem_free(self.lost);
  mem_free(self.good);
  mem_free(self.ends);
  if (status) passage_free(out);
  return status;
}

void passage_free(passage *self)
{
  mem_free(self->by);
  *self = (passage){0};
}
