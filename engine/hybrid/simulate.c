/* One replica: thinning (Lewis and Shedler 1979) of the steps that fire, along the flow. Invariant: in an open box the
 * rates in `rate` bound those of the directions, `total` is their sum, and `left` is what remains of a unit exponential
 * until the next candidate, so that a step of the flow that ends early costs no draw. A candidate is taken with the
 * share that its rate has of the bound; where the draw is below the lower bound's share, unasked. Cost of an event: two
 * draws or three, a step of the flow, partial sums of the rates that it changes. */
#include "engine/hybrid/parts.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define BOX_SHORTEST 0.15 /* of a box's horizon: rather a new box than a shorter step */

/* --- memory --- */

#define ROOM(what, count) (self->what = arena_alloc(memory, ((size_t)(count) + 1) * sizeof *self->what))

static void room_flow(hybrid_replica *self, const hybrid_net *net)
{
  arena *const memory = &self->memory;
  const size_t n = (size_t)net->nreal, square = net->nreal <= HYBRID_DENSE ? n * n : 0;
  for (int32_t i = 0; i < HYBRID_STAGES; i++) {
    ROOM(stage[i].x, n);
    ROOM(stage[i].rate, net->nflow);
    ROOM(stage[i].core, net->ncore);
    ROOM(stage[i].dx, n);
    ROOM(k[i], n);
    ROOM(quad[i], (size_t)net->nflow + 2 * n);
  }
  ROOM(step.x, n);
  ROOM(step.flux, net->nflow);
  ROOM(step.area, n);
  ROOM(step.area2, n);
  ROOM(coef, net->nflow);
  ROOM(slope, net->nslope);
  ROOM(jac, square);
  ROOM(lu, square);
  ROOM(pivot, n);
}

static void room_books(hybrid_replica *self, const hybrid_net *net)
{
  const ness_network *const of = net->net;
  arena *const memory = &self->memory;
  ROOM(fired, 2 * (size_t)of->nstep);
  ROOM(since, of->nslot);
  ROOM(dwell, of->nslot);
  ROOM(dwell2, of->nslot);
  ROOM(medium, of->nstep);
  ROOM(lost, of->nstep);
  ROOM(quotient, of->nstep);
  ROOM(pulled, of->nstep);
  ROOM(shared, net->share_start[of->nstep]);
  ROOM(bound, net->npart);
  ROOM(rule, net->part_max);
  ROOM(when, of->nevent);
  ROOM(set, of->nset);
  ROOM(tape, of->nrule);
}

ness_status hybrid_replica_init(hybrid_replica *self, const hybrid_net *net)
{
  arena *const memory = &self->memory;
  *self = (hybrid_replica){.h = 0};
  ROOM(x, net->net->nslot);
  ROOM(y, net->net->nslot);
  ROOM(box_lo, net->net->nslot);
  ROOM(box_hi, net->net->nslot);
  ROOM(many, net->nfire);
  ROOM(rate, (size_t)net->nfire + (size_t)net->block);
  ROOM(block, HYBRID_BLOCKS);
  ROOM(reg, net->nreg);
  ROOM(reg_lo, net->nreg);
  ROOM(reg_hi, net->nreg);
  ROOM(dual, net->nreg);
  ROOM(core_lo, net->ncore);
  ROOM(core_hi, net->ncore);
  ROOM(core_now, net->ncore);
  ROOM(core_stamp, net->ncore);
  ROOM(speed, net->nreal);
  ROOM(from, net->nreal);
  ROOM(local, net->ncore);
  ROOM(force, net->net->nstep);
  ROOM(path, net->ninput);
  room_flow(self, net);
  room_books(self, net);
  if (memory->failed) return NESS_NOMEM;
  const size_t bytes = (size_t)net->nreg * sizeof *self->reg;
  memcpy(self->reg, net->start, bytes);
  memcpy(self->reg_lo, net->start, bytes);
  memcpy(self->reg_hi, net->start, bytes);
  return NESS_OK;
}

void hybrid_replica_free(hybrid_replica *self)
{
  arena_free(&self->memory);
  *self = (hybrid_replica){.h = 0};
}

/* --- rates --- */

void hybrid_renew(hybrid_replica *self, const hybrid_net *net)
{
  for (int32_t i = 0; i < net->net->nslot; i++) {
    self->y[i] = self->x[i];
    const bool real = net->real_of[i] >= 0; /* one that nobody watches may be anywhere */
    self->box_lo[i] = real ? -(double)INFINITY : self->x[i];
    self->box_hi[i] = real ? (double)INFINITY : self->x[i];
  }
  for (int32_t f = 0; f < net->nflow; f++) flow_coef(self, net, f);
  self->fresh = self->open = false;
  self->stamp++;
}

/* What a whole slot's change touches beside the rates: bounds of cores that read it, and factors of the flow. */
static void slot_touch(hybrid_replica *self, const hybrid_net *net, int32_t slot)
{
  const hybrid_rows *const cores = &net->core_reads, *const flows = &net->flow_reads;
  self->y[slot] = self->box_lo[slot] = self->box_hi[slot] = self->x[slot];
  for (int32_t i = flows->start[slot]; i < flows->start[slot + 1]; i++) flow_coef(self, net, flows->list[i]);
  for (int32_t i = cores->start[slot]; self->open && i < cores->start[slot + 1]; i++) {
    box_core(self, net, cores->list[i]);
    self->open = self->core_hi[cores->list[i]] <= DBL_MAX;
  }
}

static void event_fire(hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir)
{
  const hybrid_change *const first = net->change + dir->change, *const end = net->change + dir->change_end;
  const bool ask = book_event(self, net, dir);
  for (const hybrid_change *c = first; c < end; c++) {
    if (c->real < 0) book_slot(self, c->slot);
    self->x[c->slot] += c->by;
  }
  if (dir->reals || net->core_reads.start[net->net->nslot] > 0) self->stamp++;
  self->fresh = false;
  if (ask) book_event_after(self, net, dir);
  for (const hybrid_change *c = first; c < end; c++) {
    const double x = self->x[c->slot];
    if (c->real < 0) slot_touch(self, net, c->slot);
    else if (!(x >= self->box_lo[c->slot] && x <= self->box_hi[c->slot])) self->open = false;
  }
  if (!self->open) return;
  for (const hybrid_change *c = first; c < end; c++) {
    const int32_t *const row = net->fire_reads.list, at = net->fire_reads.start[c->slot];
    for (int32_t i = at; i < net->fire_reads.start[c->slot + 1]; i++) box_rate(self, net, row[i]);
  }
  box_sum(self, net);
}

/* --- candidates --- */

/* The direction in which a point of the total falls; the last open one where rounding left it behind the end. */
static int32_t candidate_pick(const hybrid_replica *self, const hybrid_net *net, double point)
{
  const int32_t blocks = (net->nfire + net->block - 1) >> net->block_bits;
  int32_t b = 0, last = 0;
  while (b + 1 < blocks && point >= self->block[b]) point -= self->block[b++];
  const int32_t first = b * net->block, end = first + net->block < net->nfire ? first + net->block : net->nfire;
  for (int32_t d = first; d < end; d++) {
    const double rate = self->rate[d];
    if (point < rate) return d;
    point -= rate;
    last = rate > 0 ? d : last;
  }
  return last;
}

/* Whether every real slot stays within its range; a way that leads out is closed. */
static bool candidate_open(const hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir)
{
  for (int32_t g = dir->real_guard; g < dir->guard_end; g++) {
    const double x = self->x[net->guard[g].slot];
    if (x < net->guard[g].low || x > net->guard[g].high) return false;
  }
  return true;
}

static hybrid_pause candidate_try(hybrid_replica *self, const hybrid_net *net)
{
  const int32_t d = candidate_pick(self, net, rng_double(&self->rng) * self->total);
  const hybrid_dir *const dir = &net->fire[d];
  const int32_t k = dir->core;
  bool accept = self->rate[d] > 0;
  self->left = rng_exp(&self->rng);
  self->candidates++;
  if (k >= 0 && net->core[k].real) {
    const double point = rng_double(&self->rng) * self->core_hi[k];
    if (!(point < self->core_lo[k])) {
      const double now = hybrid_core_now(self, net, k);
      self->at = dir->dir;
      self->value = now * self->many[d];
      if (!(self->value >= 0)) return HYBRID_BAD_RATE;
      accept = accept && point < now;
    }
  }
  const bool stays = accept && candidate_open(self, net, dir);
  if (stays) event_fire(self, net, dir);
  else if (accept && self->barred++ == 0) self->barred_dir = dir->dir;
  else box_vain(self, net);
  return HYBRID_AT_TIME;
}

/* --- in time --- */

/* Inputs at the present, as they go on from here. */
static void inputs_turn(hybrid_replica *self, const hybrid_net *net)
{
  self->corner = (double)INFINITY;
  if (!hybrid_moves(net)) book_inputs(self, net);
  for (int32_t k = 0; k < net->ninput; k++) {
    const bool random = path_random(&net->input[k].path);
    if (!random) path_go(&self->path[k], self->t);
    self->x[net->input[k].slot] = self->path[k].u;
    if (!random) self->corner = fmin(self->corner, path_corner(&self->path[k]));
  }
  hybrid_renew(self, net);
}

hybrid_pause hybrid_start(hybrid_replica *self, const hybrid_net *net, uint64_t seed, int64_t index)
{
  rng_init(&self->rng, seed, (uint32_t)index, 0);
  for (int32_t i = 0; i < net->net->nslot; i++) self->x[i] = (double)net->net->slot_start[i];
  self->t = self->h = self->horizon = self->opened = 0;
  self->stiff = false;
  self->looked = 0;
  self->norm = 0;
  memset(self->speed, 0, ((size_t)net->nreal + 1) * sizeof *self->speed);
  memset(self->rate, 0, ((size_t)net->nfire + (size_t)net->block) * sizeof *self->rate);
  self->left = rng_exp(&self->rng);
  self->total = 0;
  self->dirty = ~UINT64_C(0);
  for (int32_t k = 0; k < net->ninput; k++) path_start(&self->path[k], &net->input[k].path, seed, index, k);
  inputs_turn(self, net);
  book_clear(self, net);
  return file_start(self, net);
}

/* One step of the flow until `target` at most; `arrived` where it got there. A step that leaves the box is made
 * shorter, unless the wall is so near that a new box is better: then nothing is done but to close this one. */
static hybrid_pause flow_on(hybrid_replica *self, const hybrid_net *net, double target, bool *arrived)
{
  const double before = self->t;
  const bool boxed = net->nfire > 0 && net->nwatch > 0;
  double most = target - before;
  for (;;) {
    const hybrid_pause pause = net->mode == HYBRID_LANGEVIN ? langevin_try(self, net, most) : flow_try(self, net, most);
    if (pause) return pause;
    if (!boxed || box_holds(self, net, self->step.x)) break;
    const double reach = box_reach(self, net);
    self->open = reach >= BOX_SHORTEST * self->horizon;
    *arrived = false;
    if (!self->open) return HYBRID_AT_TIME;
    most = fmin(reach, 0.5 * self->step.h);
    if (before + most == before) { /* time has no finer steps: a candidate so near is asked in the next box */
      self->open = false;
      break;
    }
  }
  bool whole = self->step.h == target - before && (self->open || !boxed);
  if (net->whens && net->mode != HYBRID_LANGEVIN && file_turns(self, net)) whole = false;
  *arrived = whole;
  const hybrid_pause pause = flow_take(self, net, whole ? target : before + self->step.h);
  const double left = self->left - self->total * (self->t - before);
  self->left = left > 0 ? left : 0;
  return pause;
}

/* Where the motion of the inputs wants a stop: at corners, with the box, and on the way where it is integrated. */
static double inputs_stop(const hybrid_replica *self, const hybrid_net *net)
{
  const bool integrated = net->nflow > 0 || net->whens;
  const double stop = integrated ? fmin(self->corner, self->t + net->stride) : self->corner;
  return self->open ? fmin(stop, self->box_end) : stop;
}

/* Nothing has to be integrated: time passes at once. */
static void still_on(hybrid_replica *self, const hybrid_net *net, double target)
{
  const double left = self->left - self->total * (target - self->t);
  self->left = left > 0 ? left : 0;
  self->t = target;
  for (int32_t k = 0; k < net->ninput; k++) {
    path_state *const path = &self->path[k];
    const bool random = path_random(path->spec);
    if (random) path_advance(path, target); /* no further than its exit, where the box ends */
    self->x[net->input[k].slot] = random ? path->u : path_at(path, target);
  }
  self->stamp += net->ninput > 0;
}

static hybrid_pause hybrid_once(hybrid_replica *self, const hybrid_net *net, double t_stop)
{
  hybrid_pause pause = HYBRID_AT_TIME;
  if (hybrid_moves(net) && (pause = flow_begin(self, net)) != HYBRID_AT_TIME) return pause;
  if (!self->open && (net->nfire > 0 || net->drawn) && (pause = box_open(self, net)) != HYBRID_AT_TIME) return pause;
  if (!(self->total <= DBL_MAX)) {
    self->at = net->fire[0].dir;
    self->value = self->total;
    return HYBRID_BAD_RATE;
  }
  const double timed = net->net->nevent > 0 ? file_next(self, net) : (double)INFINITY;
  const double next = self->total > 0 ? self->t + self->left / self->total : (double)INFINITY;
  const double stop = fmin(fmin(timed, t_stop), inputs_stop(self, net)), target = next < stop ? next : stop;
  bool arrived = true;
  if (hybrid_moves(net) && target > self->t) pause = flow_on(self, net, target, &arrived);
  else still_on(self, net, target);
  if (pause) return pause;
  const bool candidate = arrived && next < stop;
  if (self->t >= self->box_end) self->open = false;
  if (self->t >= self->corner) inputs_turn(self, net);
  if (net->drawn) self->open = false; /* who has looked at a drawn input knows no band of it any more */
  if (candidate) pause = candidate_try(self, net);
  else if (arrived && timed <= self->t) pause = file_times(self, net);
  if (!pause && net->whens) pause = file_conditions(self, net);
  return pause;
}

hybrid_pause hybrid_advance(hybrid_replica *self, const hybrid_net *net, double t_stop, int64_t looks)
{
  while (self->t < t_stop) {
    if (looks-- == 0) return HYBRID_BUSY;
    const hybrid_pause pause = hybrid_once(self, net, t_stop);
    if (pause) return pause;
  }
  return HYBRID_AT_TIME;
}
