/* What follows from the stored arrays: the work of each source along each step, the bounds that keep counts in range,
 * and which propensities an event may change. Invariant: sizes and arrays come from the same walks, run once to count
 * and once to write. Method: local detailed balance as model.h states it. Cost: linear in the network plus the number
 * of dependencies, which is bounded: beyond the bound they are left out, and the network can be solved but not
 * simulated. */
#include "compile.h"

#include <math.h>

/* --- work --- */

/* The undeclared part is a difference of sums that cancel when everything is declared. Their rounding is below this
 * share of their magnitude, and a remainder of that size would only be noise with a name. */
#define WORK_ROUNDING 1e-12

static double work_undeclared(const ness_network *net, int32_t step, const double *work, int32_t count)
{
  const double lnk = net->step_lnk[step];
  double rest = lnk, size = 1 + fabs(lnk);
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const double term = net->change_by[c] * net->slot_g[net->change_slot[c]];
    rest += term;
    size += fabs(term);
  }
  for (int32_t w = 0; w < count; w++) {
    rest -= work[w];
    size += fabs(work[w]);
  }
  return fabs(rest) < WORK_ROUNDING * size ? 0 : rest;
}

/* The voltages that a step moves charge against, ascending and once each, from `at` on; returns how many. Exchanges of
 * a step are few, so the quadratic walk is the fast one. */
static int32_t work_voltage(const ness_network *net, int32_t step, int32_t after)
{
  int32_t next = net->nvolt;
  for (int32_t e = net->exch_start[step]; e < net->exch_start[step + 1]; e++) {
    const int32_t volt = net->res_volt[net->exch_res[e]];
    if (volt > after && volt < next && net->res_charge[net->exch_res[e]] != 0) {
      next = volt;
    }
  }
  return next;
}

/* The first entry of a list that ascends by step which is not before this one. */
static int32_t list_first(const int32_t *steps, int32_t count, int32_t step)
{
  int32_t low = 0, high = count;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (steps[middle] < step) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* Entries of a step's row, written to src and kt unless these are NULL. A source stands twice where a level shifts its
 * work. */
static int32_t work_row(const ness_network *net, int32_t step, int32_t *src, double *kt)
{
  const int32_t first = net->exch_start[step], end = net->exch_start[step + 1];
  int32_t count = end - first;
  for (int32_t e = first; e < end && src; e++) {
    src[e - first] = net->exch_res[e];
    kt[e - first] = -net->exch_by[e] * net->res_mu[net->exch_res[e]];
  }
  for (int32_t v = work_voltage(net, step, -1); v < net->nvolt; v = work_voltage(net, step, v)) {
    double charge = 0;
    for (int32_t e = first; e < end; e++) {
      const int32_t res = net->exch_res[e];
      charge += net->res_volt[res] == v ? net->exch_by[e] * net->res_charge[res] : 0;
    }
    if (src) {
      src[count] = net->nres + v;
      kt[count] = -charge * net->volt_kt[v];
    }
    count++;
  }
  for (int32_t h = list_first(net->heat_step, net->nheatstep, step); h < net->nheatstep && net->heat_step[h] == step;
       h++) {
    if (src) {
      src[count] = net->nres + net->nvolt + net->heat_src[h];
      kt[count] = net->heat_kt[h];
    }
    count++;
  }
  for (int32_t k = list_first(net->shift_step, net->nshift, step); k < net->nshift && net->shift_step[k] == step; k++) {
    if (src) {
      src[count] = net->shift_src[k];
      kt[count] = net->shift_kt[k];
    }
    count++;
  }
  const int32_t flip = list_first(net->flip_step, net->nflip, step);
  const bool flips = flip < net->nflip && net->flip_step[flip] == step; /* the hand's own affair */
  if (!flips && net->dir_law[2 * step] == LAW_MASS && net->dir_law[2 * step + 1] == LAW_MASS) {
    if (src) {
      src[count] = network_sources(net) - 1;
      kt[count] = work_undeclared(net, step, kt, count);
    }
    count++;
  }
  return count;
}

/* --- guards --- */

typedef struct guard {
  int64_t low, high;
} guard;

/* Whether direction `dir` must look at the slot of change c, and within which bounds. Mass action needs no lower one:
 * its falling factorial is zero by itself. */
static bool guard_of(const ness_network *net, int32_t dir, int32_t c, guard *out)
{
  const int32_t slot = net->change_slot[c], law = net->dir_law[dir];
  const int64_t by = dir % 2 ? -(int64_t)net->change_by[c] : net->change_by[c];
  *out = (guard){0, INT64_MAX};
  if (by < 0 && law == LAW_TAPE) {
    out->low = -by;
    return true;
  }
  if (by > 0 && law != LAW_NONE && net->slot_max[slot] != MODEL_NO_MAX) {
    out->high = net->slot_max[slot] - by;
    return true;
  }
  return false;
}

static int64_t guard_walk(const ness_network *net, int32_t *start, int32_t *slot, int64_t *low, int64_t *high)
{
  int64_t count = 0;
  guard bounds;
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    for (int32_t c = net->change_start[dir / 2]; c < net->change_start[dir / 2 + 1]; c++) {
      if (guard_of(net, dir, c, &bounds)) {
        if (start) {
          slot[count] = net->change_slot[c];
          low[count] = bounds.low;
          high[count] = bounds.high;
        }
        count++;
      }
    }
    if (start) {
      start[dir + 1] = (int32_t)count;
    }
  }
  return count;
}

/* --- dependencies --- */

/* Going through the directions in order and asking which steps change what they read leaves every row sorted. */
typedef struct dep_walk {
  const ness_network *net;
  int64_t *start;    /* (nslot + 1) */
  int32_t *changer;  /* (nchange) steps that change the slot */
  int32_t *slot_dir; /* (nslot) last direction that read the slot */
  int32_t *step_dir; /* (nstep) last direction that was listed for the step */
  int64_t *row;      /* (nstep + 1) counted: length of the row s at s + 1; written: where the next entry goes */
  int64_t met;       /* work done so far, bounded */
} dep_walk;

static void dep_free(dep_walk *self)
{
  mem_free(self->start);
  mem_free(self->changer);
  mem_free(self->slot_dir);
  mem_free(self->step_dir);
  mem_free(self->row);
}

static bool dep_init(dep_walk *self, const ness_network *net)
{
  *self = (dep_walk){.net = net};
  self->start = mem_zero((size_t)net->nslot + 1, sizeof *self->start);
  self->changer = mem_zero((size_t)net->nchange, sizeof *self->changer);
  self->slot_dir = mem_zero((size_t)net->nslot, sizeof *self->slot_dir);
  self->step_dir = mem_zero((size_t)net->nstep, sizeof *self->step_dir);
  self->row = mem_zero((size_t)net->nstep + 1, sizeof *self->row);
  if (!self->start || !self->changer || !self->slot_dir || !self->step_dir || !self->row) {
    return false;
  }
  for (int32_t c = 0; c < net->nchange; c++) {
    self->start[net->change_slot[c] + 1]++;
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    self->start[i + 1] += self->start[i];
  }
  for (int32_t s = net->nstep - 1; s >= 0; s--) { /* from the back: each end moves down to its start */
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      self->changer[--self->start[net->change_slot[c] + 1]] = s;
    }
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    self->start[i] = self->start[i + 1];
  }
  self->start[net->nslot] = net->nchange;
  return true;
}

/* Direction `dir` reads `slot`. */
static void dep_read(dep_walk *self, int32_t slot, int32_t dir, int32_t *dirs)
{
  if (self->slot_dir[slot] == dir || self->met > MODEL_DEP_MAX) {
    return;
  }
  self->slot_dir[slot] = dir;
  self->met += self->start[slot + 1] - self->start[slot];
  for (int64_t i = self->start[slot]; i < self->start[slot + 1]; i++) {
    const int32_t step = self->changer[i];
    if (self->step_dir[step] != dir) {
      self->step_dir[step] = dir;
      if (dirs) {
        dirs[self->row[step]++] = dir;
      } else {
        self->row[step + 1]++;
      }
    }
  }
}

static void dep_pass(dep_walk *self, int32_t *dirs)
{
  const ness_network *net = self->net;
  guard bounds;
  self->met = 0;
  for (int32_t i = 0; i < net->nslot; i++) {
    self->slot_dir[i] = -1;
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    self->step_dir[s] = -1;
  }
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    for (int32_t r = net->react_start[dir]; r < net->react_start[dir + 1]; r++) {
      dep_read(self, net->react_slot[r], dir, dirs);
    }
    for (int32_t i = net->tape_start[dir]; i < net->tape_start[dir + 1]; i++) {
      if (net->tape[i].code == TAPE_SLOT) {
        dep_read(self, net->tape[i].a, dir, dirs);
      }
    }
    for (int32_t c = net->change_start[dir / 2]; c < net->change_start[dir / 2 + 1]; c++) {
      if (guard_of(net, dir, c, &bounds)) {
        dep_read(self, net->change_slot[c], dir, dirs);
      }
    }
  }
}

/* Where each row begins, from the lengths that the counting pass left; returns the sum. */
static int64_t dep_rows(dep_walk *self)
{
  for (int32_t s = 0; s < self->net->nstep; s++) {
    self->row[s + 1] += self->row[s];
  }
  return self->row[self->net->nstep];
}

/* --- both passes --- */

ness_status model_derive_sizes(const ness_network *net, ness_network *sizes, ness_diags *diags)
{
  int64_t work = 0;
  for (int32_t s = 0; s < net->nstep; s++) {
    work += work_row(net, s, NULL, NULL);
  }
  const int64_t guards = guard_walk(net, NULL, NULL, NULL, NULL);
  dep_walk walk;
  int64_t deps = 0;
  const bool room = dep_init(&walk, net);
  if (room) {
    dep_pass(&walk, NULL);
    deps = walk.met > MODEL_DEP_MAX ? 0 : dep_rows(&walk);
  }
  dep_free(&walk);
  if (!room) {
    return NESS_NOMEM;
  }
  if (work >= MODEL_SIZE_MAX || guards >= MODEL_SIZE_MAX) {
    diag_add(diags, NESS_ERROR, "the network has more than %lld terms of work or bounds", (long long)MODEL_SIZE_MAX);
    return NESS_LIMIT;
  }
  sizes->nwork = (int32_t)work;
  sizes->nguard = (int32_t)guards;
  sizes->ndep = (int32_t)deps;
  return NESS_OK;
}

ness_status model_derive(ness_network *net)
{
  int32_t *work_start = model_writable(net->work_start), *work_src = model_writable(net->work_src);
  double *work_kt = model_writable(net->work_kt);
  int32_t *step_proc = model_writable(net->step_proc), *step_flow = model_writable(net->step_flow);
  int32_t *slot_var = model_writable(net->slot_var);
  net->tape_max = net->one_way_steps = 0;
  for (int32_t s = 0, f = 0; s < net->nstep; s++) {
    step_proc[s] = f < net->nflip && net->flip_step[f] == s ? net->flip_proc[f++] : -1;
  }
  for (int32_t s = 0, f = 0; s < net->nstep; s++) {
    step_flow[s] = f < net->nflow && net->flow_step[f] == s ? net->flow_kind[f++] : FLOW_NONE;
  }
  for (int32_t i = 0, v = 0; i < net->nslot; i++) {
    slot_var[i] = v < net->nvar && net->var_slot[v] == i ? v++ : -1;
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    const int32_t at = work_start[s];
    work_start[s + 1] = at + work_row(net, s, work_src + at, work_kt + at);
    net->one_way_steps += step_proc[s] < 0 && step_flow[s] != FLOW_DRIFT &&
                          (net->dir_law[2 * s] == LAW_NONE) != (net->dir_law[2 * s + 1] == LAW_NONE);
  }
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    const int32_t length = net->tape_start[dir + 1] - net->tape_start[dir];
    net->tape_max = length > net->tape_max ? length : net->tape_max;
  }
  guard_walk(net, model_writable(net->guard_start), model_writable(net->guard_slot), model_writable(net->guard_low),
             model_writable(net->guard_high));
  dep_walk walk;
  ness_status status = NESS_NOMEM;
  if (dep_init(&walk, net)) {
    int32_t *start = model_writable(net->dep_start);
    dep_pass(&walk, NULL);
    net->dep_left_out = walk.met > MODEL_DEP_MAX;
    if (!net->dep_left_out) {
      dep_rows(&walk);
      for (int32_t s = 0; s <= net->nstep; s++) {
        start[s] = (int32_t)walk.row[s];
      }
      dep_pass(&walk, model_writable(net->dep_dir));
    }
    status = NESS_OK;
  }
  dep_free(&walk);
  return status;
}
