/* Boxes: a range of each real slot, and bounds in it of the rates that fire. Invariant: while x is in an open box,
 * rate[d] is at least what direction d fires at, `block` has the partial sums of rates and `total` their sum. A box
 * reaches as far as the motion goes within a horizon, which is what decides about the cost: a candidate in vain is as
 * likely in it as makes candidates in vain and boxes cost about the same. The choice does not enter the law. Cost of a
 * box: two walks along each core that fires, and every rate. */
#include "engine/hybrid/parts.h"

#include <float.h>
#include <math.h>

#define BOX_BEHIND 0.3 /* of the reach ahead */
#define BOX_MEMORY 0.7 /* of speeds */
#define BOX_PATIENCE 4 /* times what a box costs in candidates in vain: it is closed */
#define BOX_HALVINGS 60
#define BOX_REACH 0.9
#define BOX_COST 0.4     /* of a core in a box, beside a candidate in vain */
#define BOX_DRAWN 0.25   /* the cost of a box where each candidate takes one anyway */
#define DRAWN_MOST 4.0   /* standard deviations of a band */
#define DRAWN_LEAST 1e-3 /* jumps of a band */

/* Whole factors of a direction, 0 where a whole slot that it changes would leave its range. */
static double many_of(const hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir)
{
  double many = 1;
  for (int32_t g = dir->guard; g < dir->real_guard; g++) {
    const double n = self->x[net->guard[g].slot];
    if (n < net->guard[g].low || n > net->guard[g].high) return 0;
  }
  for (int32_t i = dir->factor; i < dir->real_factor; i++) {
    many *= self->x[net->factor[i].slot] - net->factor[i].shift;
  }
  return many;
}

void box_rate(hybrid_replica *self, const hybrid_net *net, int32_t d)
{
  const hybrid_dir *const dir = &net->fire[d];
  const hybrid_factor *const factor = &net->factor[dir->factor];
  const double whole = dir->lone ? self->x[factor->slot] - factor->shift : many_of(self, net, dir);
  const double many = self->many[d] = whole * dir->constant;
  const double high = dir->core >= 0 ? self->core_hi[dir->core] : 1;
  self->rate[d] = many == 0 ? 0 : many * high;
  self->dirty |= UINT64_C(1) << (d >> net->block_bits);
}

void box_sum(hybrid_replica *self, const hybrid_net *net)
{
  const int32_t blocks = (net->nfire + net->block - 1) >> net->block_bits;
  double total = 0;
  for (int32_t b = 0; b < blocks; b++) {
    if (self->dirty >> b & 1) {
      const double *const rate = self->rate + (ptrdiff_t)b * net->block;
      double sum[4] = {0, 0, 0, 0};
      for (int32_t i = 0; i < net->block; i += 4) {
        sum[0] += rate[i];
        sum[1] += rate[i + 1];
        sum[2] += rate[i + 2];
        sum[3] += rate[i + 3];
      }
      self->block[b] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
    total += self->block[b];
  }
  self->dirty = 0;
  self->total = total;
}

/* Bounds of one core in the present box; one that reads no real slot has a value. */
void box_core(hybrid_replica *self, const hybrid_net *net, int32_t k)
{
  const hybrid_core *const core = &net->core[k];
  if (!core->real) {
    self->core_lo[k] = self->core_hi[k] = core_value(net, core, self->reg + core->reg, self->x);
    return;
  }
  const double *const lo = self->box_lo, *const hi = self->box_hi;
  double low, high;
  if (!core_bound(net, core, self->reg_lo + core->reg, self->reg_hi + core->reg, lo, hi, &low, &high)) {
    high = (double)INFINITY;
  }
  self->core_lo[k] = low > 0 ? low : 0;
  self->core_hi[k] = high;
}

/* How far a drawn input may go within the horizon; of shots, with room for less than two jumps. */
static double drawn_half(const path_state *path, double horizon)
{
  const path_spec *const spec = path->spec;
  const double turns = horizon / spec->tau;
  if (spec->kind == PATH_OU) return spec->sd * fmin(sqrt(2 * turns), DRAWN_MOST);
  return fmin(fmax(fabs(path->u - spec->base) * turns, DRAWN_LEAST * fabs(spec->jump)), 0.5 * fabs(spec->jump));
}

/* Sides around x for the horizon; of whole slots they are the slot, of inputs the band until the box ends. Drawn inputs
 * may end it sooner; bands of the others do not follow that, so that which box is taken says nothing of an exit. */
static void box_sides(hybrid_replica *self, const hybrid_net *net, double horizon)
{
  const double least = nextafter(self->t, (double)INFINITY);
  const double end = fmax(fmin(self->t + horizon, self->corner), least);
  self->box_end = (double)INFINITY;
  for (int32_t k = 0; k < net->ninput && net->drawn; k++) {
    path_state *const path = &self->path[k];
    if (!path_random(path->spec)) continue;
    path_window(path, drawn_half(path, horizon));
    self->box_lo[net->input[k].slot] = path->lo;
    self->box_hi[net->input[k].slot] = path->hi;
    self->box_end = fmin(self->box_end, fmax(path_exit(path), least));
  }
  for (int32_t i = 0; i < net->nwatch; i++) {
    const int32_t r = net->watch[i], slot = net->real[r];
    const path_state *const path = r >= net->nstate ? &self->path[r - net->nstate] : NULL;
    if (path) {
      if (path_random(path->spec)) continue;
      self->box_end = fmin(self->box_end, end);
      path_band(path, self->t, end, &self->box_lo[slot], &self->box_hi[slot]);
      continue;
    }
    const double x = self->x[slot], dx = self->stage[0].dx[r], little = 1e-12 * fmax(fabs(x), net->scale[r]);
    const double ahead = fmax(fabs(dx), self->speed[r]) * horizon + little, behind = BOX_BEHIND * ahead;
    self->box_lo[slot] = x - (dx < 0 ? ahead : behind);
    self->box_hi[slot] = x + (dx < 0 ? behind : ahead);
  }
}

bool box_holds(const hybrid_replica *self, const hybrid_net *net, const double *real)
{
  for (int32_t i = 0; i < net->nwatch; i++) {
    const int32_t r = net->watch[i], slot = net->real[r];
    if (r < net->nstate && !(real[r] >= self->box_lo[slot] && real[r] <= self->box_hi[slot])) return false;
  }
  return true;
}

double box_reach(const hybrid_replica *self, const hybrid_net *net)
{
  double reach = (double)INFINITY;
  for (int32_t i = 0; i < net->nwatch; i++) {
    const int32_t r = net->watch[i], slot = net->real[r];
    const double x = self->stage[0].x[r], dx = self->stage[0].dx[r];
    if (dx == 0 || r >= net->nstate) continue;
    const double time = BOX_REACH * ((dx > 0 ? self->box_hi[slot] : self->box_lo[slot]) - x) / dx;
    reach = time < reach ? time : reach;
  }
  return reach;
}

static double box_cost(const hybrid_net *net)
{
  return net->drawn ? BOX_DRAWN : 1 + BOX_COST * net->nbcore;
}

/* A candidate was refused. */
void box_vain(hybrid_replica *self, const hybrid_net *net)
{
  if (++self->rejected > BOX_PATIENCE * box_cost(net) && net->nwatch > 0) self->open = false;
}

/* How fast slots moved while the last box was open, and how long the next is to be. */
static void horizon_choose(hybrid_replica *self, const hybrid_net *net)
{
  const double lasted = self->t - self->opened;
  for (int32_t i = 0; i < net->nwatch; i++) {
    const int32_t r = net->watch[i];
    const double x = self->x[net->real[r]];
    const double speed = lasted > 0 ? fabs(x - self->from[r]) / lasted : 0;
    self->speed[r] = lasted > 0 ? BOX_MEMORY * self->speed[r] + (1 - BOX_MEMORY) * speed : self->speed[r];
    self->from[r] = x;
  }
  if (lasted > 0) {
    const double cost = box_cost(net), vain = fmax(self->vain * lasted, self->rejected);
    const double by = sqrt(cost / (vain + 1e-3 * cost)), next = self->horizon * (by > 2 ? 2 : by < 0.5 ? 0.5 : by);
    self->horizon = next < net->time ? next : net->time;
  } else if (self->horizon == 0) {
    self->horizon = 1e-6 * net->time;
  }
  self->opened = self->t;
}

/* The first core without a bound, or -1. */
static int32_t box_bounds(hybrid_replica *self, const hybrid_net *net)
{
  int32_t bad = -1;
  for (int32_t i = 0; i < net->nbcore; i++) {
    const int32_t k = net->bcore[i];
    box_core(self, net, k);
    if (bad < 0 && !(self->core_hi[k] <= DBL_MAX)) bad = k;
  }
  return bad;
}

static int32_t dir_of_core(const hybrid_net *net, int32_t core)
{
  for (int32_t d = 0; d < net->nfire; d++) {
    if (net->fire[d].core == core) return net->fire[d].dir;
  }
  return -1;
}

/* A rate that is negative or no number at x. */
static hybrid_pause box_check(hybrid_replica *self, const hybrid_net *net)
{
  for (int32_t d = 0; d < net->nfire; d++) {
    const int32_t k = net->fire[d].core;
    if (self->rate[d] >= 0 && self->rate[d] <= DBL_MAX) continue;
    const double now = k >= 0 ? hybrid_core_now(self, net, k) : 1;
    self->value = self->many[d] * now;
    self->at = net->fire[d].dir;
    if (!(self->value >= 0)) return HYBRID_BAD_RATE;
    if (!(self->rate[d] >= 0)) self->rate[d] = 0; /* a bound that rounding took below 0 */
    else return HYBRID_NO_BOUND;
  }
  return HYBRID_AT_TIME;
}

hybrid_pause box_open(hybrid_replica *self, const hybrid_net *net)
{
  horizon_choose(self, net);
  double horizon = self->horizon;
  int32_t bad = -1;
  for (int32_t tries = 0; tries < BOX_HALVINGS; tries++, horizon *= tries < 8 ? 0.5 : 0.1) {
    box_sides(self, net, horizon);
    bad = box_bounds(self, net);
    if (bad < 0 || !net->core[bad].real) break;
  }
  if (bad >= 0) {
    const double value = hybrid_core_now(self, net, bad);
    self->at = dir_of_core(net, bad);
    self->value = value;
    return value >= 0 && value <= DBL_MAX ? HYBRID_NO_BOUND : HYBRID_BAD_RATE;
  }
  self->horizon = horizon;
  double low = 0;
  for (int32_t d = 0; d < net->nfire; d++) {
    box_rate(self, net, d);
    low += self->many[d] * (net->fire[d].core >= 0 ? self->core_lo[net->fire[d].core] : 1);
  }
  const hybrid_pause pause = box_check(self, net);
  box_sum(self, net);
  self->vain = 0.5 * (self->total - low);
  self->rejected = 0;
  self->boxes++;
  self->open = true;
  if (!net->drawn) local_open(self, net); /* such a box is gone before that pays */
  return pause;
}
