/* Which currents are counted in windows of time, how long the windows are, and where the sums stand.
 * Invariant: forms are the steps themselves where there are few, else the currents that are asked for first. Cost:
 * memory O(levels (batches forms^2 + replicas under way)), never by length. */
#include "analysis/analysis.h"
#include "analysis/counting_inside.h"

#include <math.h>
#include <string.h>

#define COUNTING_REPLICAS (INT64_C(1) << 22)
#define COUNTING_GRID 4096                  /* windows of a replica whose dump has none, at most */
#define COUNTING_WINDOWS (INT64_C(1) << 17) /* of all of its replicas, about */

/* --- which currents --- */

static void add_step(double *weight, double by, int32_t step)
{
  weight[step] += by;
}

/* The net counts of steps that a current is made of; false when it is made of something else, or of nothing. */
static bool current_weights(const ness_network *net, counting_kind kind, int32_t id, double *weight)
{
  memset(weight, 0, (size_t)net->nstep * sizeof *weight);
  if (kind == COUNTING_STEP) weight[id] = 1;
  for (int32_t k = kind == COUNTING_OBSERVABLE ? net->obs_start[id] : 0;
       kind == COUNTING_OBSERVABLE && k < net->obs_start[id + 1]; k++) {
    if (net->obs_kind[k] != OBS_NET) return false;
    add_step(weight, net->obs_coef[k], net->obs_id[k]);
  }
  bool any = false;
  for (int32_t s = 0; s < net->nstep; s++) {
    for (int32_t e = net->exch_start[s]; e < net->exch_start[s + 1]; e++) {
      const int32_t r = net->exch_res[e];
      if (kind == COUNTING_RESERVOIR && r == id) add_step(weight, net->exch_by[e], s);
      if (kind == COUNTING_CHARGE && net->res_volt[r] == id) add_step(weight, -net->exch_by[e] * net->res_charge[r], s);
    }
    any = any || weight[s] != 0;
  }
  return any;
}

/* Adds a current; where forms are not the steps, a form of its own. */
static void current_add(counting *self, counting_kind kind, int32_t id, const double *weight)
{
  if (self->currents == COUNTING_CURRENTS || (!self->steps && self->forms == COUNTING_FORMS)) return;
  counting_current *const at = &self->current[self->currents++];
  *at = (counting_current){.kind = kind, .id = id};
  if (self->steps) memcpy(at->weight, weight, (size_t)self->steps * sizeof *weight);
  else at->weight[self->forms++] = 1;
}

static void currents_list(counting *self, double *weight)
{
  const ness_network *const net = self->net;
  const int32_t count[] = {net->nobs, net->nvolt, net->nres, net->nstep};
  const counting_kind kind[] = {COUNTING_OBSERVABLE, COUNTING_CHARGE, COUNTING_RESERVOIR, COUNTING_STEP};
  for (int k = 0; k < 4; k++)
    for (int32_t id = 0; id < count[k] && self->currents < COUNTING_CURRENTS; id++)
      if (current_weights(net, kind[k], id, weight)) current_add(self, kind[k], id, weight);
}

/* Which forms each step adds to: itself, or the currents that it is part of. */
static bool forms_index(counting *self, double *weight)
{
  const ness_network *const net = self->net;
  const int64_t nstep = net->nstep;
  int64_t room = 0;
  double *const dense = mem_zero((size_t)(self->forms * nstep) + 1, sizeof *dense);
  self->form_start = mem_zero((size_t)nstep + 1, sizeof *self->form_start);
  if (!dense || !self->form_start) {
    mem_free(dense);
    return false;
  }
  for (int32_t f = 0; f < self->forms; f++) {
    const counting_current *const at = &self->current[f];
    if (self->steps) current_weights(net, COUNTING_STEP, f, weight);
    else current_weights(net, at->kind, at->id, weight);
    memcpy(dense + f * nstep, weight, (size_t)nstep * sizeof *weight);
    for (int32_t s = 0; s < nstep; s++) room += weight[s] != 0;
  }
  self->form_of = mem_zero((size_t)room + 1, sizeof *self->form_of);
  self->form_by = mem_zero((size_t)room + 1, sizeof *self->form_by);
  int32_t at = 0;
  for (int32_t s = 0; self->form_of && self->form_by && s < nstep; s++) {
    for (int32_t f = 0; f < self->forms; f++) {
      if (dense[f * nstep + s] == 0) continue;
      self->form_of[at] = f;
      self->form_by[at++] = dense[f * nstep + s];
    }
    self->form_start[s + 1] = at;
  }
  mem_free(dense);
  return self->form_of && self->form_by;
}

/* --- create --- */

static const char *counting_refuse(const tally_plan *plan)
{
  const dump_run *const run = plan->run;
  if (run->level != DUMP_FLUX && run->level != DUMP_EVENTS)
    return "a dump of this level does not tell what flowed in windows of time; flux and events do";
  if (!isfinite(run->time)) return "its replicas end by events, not by time";
  if (run->replicas > COUNTING_REPLICAS) return "it has too many replicas";
  if (plan->net->nstep == 0) return "it has no steps";
  return NULL;
}

static void counting_windows(counting *self)
{
  const dump_run *const run = self->plan->run;
  const double whole = run->time - run->warmup;
  int64_t grid = COUNTING_GRID;
  while (grid > 16 && grid * run->replicas > COUNTING_WINDOWS) grid /= 2;
  self->start = run->warmup;
  self->window = run->level == DUMP_FLUX && run->window > 0 ? run->window : whole / (double)grid;
  self->last = ceil(whole / self->window);
  for (double w = self->window; w <= whole * (1 + COUNTING_NEAR) && self->levels < COUNTING_LEVELS; w *= 2)
    self->levels++;
}

ness_status counting_create(const tally_plan *plan, counting **out, const char **why)
{
  *out = NULL;
  if ((*why = counting_refuse(plan))) return NESS_OK;
  const ness_network *const net = plan->net;
  counting *const self = mem_zero(1, sizeof *self);
  double *const weight = mem_zero((size_t)net->nstep + 1, sizeof *weight);
  bool good = self && weight && (self->current = mem_zero(COUNTING_CURRENTS, sizeof *self->current));
  if (good) {
    self->plan = plan;
    self->net = net;
    self->slots = net->nslot < COUNTING_SLOTS ? net->nslot : COUNTING_SLOTS;
    if (net->nstep <= COUNTING_FORMS) self->forms = self->steps = net->nstep;
    currents_list(self, weight);
    counting_windows(self);
    self->width = 1 + self->forms + self->slots + self->forms * (self->forms + 1) / 2 + self->slots;
    const size_t rows = (size_t)(self->levels * plan->batches);
    self->sum = mem_zero(rows * (size_t)self->width + 1, sizeof *self->sum);
    self->walker = mem_zero((size_t)plan->run->replicas, sizeof(counting_walker *));
    good = self->sum && self->walker && forms_index(self, weight);
  }
  mem_free(weight);
  if (good && self->levels > 0) {
    *out = self;
    return NESS_OK;
  }
  counting_free(self);
  *why = "a window of the dump is longer than its replicas";
  return good ? NESS_OK : NESS_NOMEM;
}

static void walker_free(counting_walker *self)
{
  if (self) mem_free(self->open);
  mem_free(self);
}

counting_walker *counting_walker_begin(counting *self, int64_t replica)
{
  const size_t n = (size_t)(self->forms + self->slots);
  counting_walker *walker = self->spare;
  if (walker) {
    self->spare = walker->next;
  } else {
    walker = mem_zero(1, sizeof *walker);
    if (walker) walker->open = mem_zero(1 + n + n * (size_t)self->levels, sizeof *walker->open);
    if (!walker || !walker->open) {
      walker_free(walker);
      return NULL;
    }
    walker->halves.half = walker->open + 1 + n;
  }
  walker->index = -1;
  counting_halves_clear(&walker->halves);
  return self->walker[replica] = walker;
}

void counting_free(counting *self)
{
  if (!self) return;
  for (int64_t r = 0; self->walker && r < self->plan->run->replicas; r++) walker_free(self->walker[r]);
  for (counting_walker *at = self->spare, *next; at; at = next) {
    next = at->next;
    walker_free(at);
  }
  mem_free(self->walker);
  mem_free(self->current);
  mem_free(self->form_start);
  mem_free(self->form_of);
  mem_free(self->form_by);
  mem_free(self->sum);
  mem_free(self);
}

/* --- where the sums stand --- */

double counting_weight(const counting *self, const counting_current *current, int32_t step)
{
  double weight = 0;
  for (int32_t f = self->form_start[step]; f < self->form_start[step + 1]; f++)
    weight += current->weight[self->form_of[f]] * self->form_by[f];
  return weight;
}

const double *counting_row(const counting *self, int32_t level, int32_t batch)
{
  return self->sum + ((int64_t)level * self->plan->batches + batch) * self->width;
}

int32_t counting_product(const counting *self, int32_t i, int32_t j)
{
  return 1 + self->forms + self->slots + i * (i + 1) / 2 + j;
}

int32_t counting_square(const counting *self, int32_t slot)
{
  return 1 + self->forms + self->slots + self->forms * (self->forms + 1) / 2 + slot;
}
