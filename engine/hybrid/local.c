/* Where a box is narrow, what one real slot moves is a cubic in it: cores of flowing steps, and the logarithms that the
 * books of tapes want, are interpolated at four Chebyshev points of the box's range when it opens, and taken from there
 * between. A cubic is used only where it meets the thing itself at the ends and the middle to LOCAL_ERROR, a thousandth
 * of what the flow is allowed; what decides whether a candidate is taken is never one. In the same way a condition of
 * the file that is the same all over the box is not looked at until the box ends. Invariant: all of this is void while
 * no box is open. Cost: seven values of each at a box, for some hundred events in it. */
#include "engine/hybrid/parts.h"

#include <float.h>
#include <math.h>

#define LOCAL_ERROR 1e-9
#define NODE_FAR 0.92387953251128674  /* cos(pi/8) */
#define NODE_NEAR 0.38268343236508977 /* cos(3 pi/8) */

/* --- what can be local --- */

/* The one real slot that a core reads, -1 where it reads others or none. */
static int32_t core_alone(const hybrid_net *net, int32_t k)
{
  const hybrid_core *const core = &net->core[k];
  int32_t real = -1;
  for (int32_t i = 0; i < core->nload; i++) {
    const int32_t r = net->real_of[net->load[core->load + i].slot];
    if (r < 0 || (real >= 0 && r != real)) return -1;
    real = r;
  }
  return real;
}

static bool is_watched(const hybrid_net *net, int32_t real)
{
  for (int32_t i = 0; i < net->nwatch; i++) {
    if (net->watch[i] == real) return true;
  }
  return false;
}

static int32_t step_core(const hybrid_net *net, int32_t dir)
{
  const hybrid_dir *const all = hybrid_flows(net, dir / 2) ? net->flow : net->fire;
  return all[net->place[dir]].core;
}

/* The slot whose cubic the logarithm of a step's quotient may be, -1 none: both ways read that slot alone, if any. */
static int32_t step_alone(const hybrid_net *net, int32_t step)
{
  if (net->book[step] != BOOK_TAPE || !net->pure[step]) return -1;
  const int32_t forth = step_core(net, 2 * step), back = step_core(net, 2 * step + 1);
  const int32_t a = forth >= 0 ? core_alone(net, forth) : -1, b = back >= 0 ? core_alone(net, back) : -1;
  if ((forth >= 0 && a < 0) || (back >= 0 && b < 0) || (a >= 0 && b >= 0 && a != b)) return -1;
  const int32_t real = a >= 0 ? a : b;
  if (real < 0 || !is_watched(net, real)) return -1;
  for (int32_t c = net->net->change_start[step]; c < net->net->change_start[step + 1]; c++) {
    if (!hybrid_flows(net, step) && net->real_of[net->net->change_slot[c]] >= 0) return -1;
  }
  return real;
}

void local_relate(hybrid_net *net)
{
  if (net->memory.failed || net->mode != HYBRID_EXACT) return;
  for (int32_t i = 0; i < net->nfcore; i++) {
    const int32_t k = net->fcore[i], real = core_alone(net, k);
    if (real >= 0 && is_watched(net, real) && !net->core[k].line) net->core[k].alone = real + 1;
  }
  for (int32_t s = 0; s < net->net->nstep; s++) net->force_alone[s] = step_alone(net, s) + 1;
  for (int32_t e = 0; e < net->net->nevent; e++) {
    const int32_t k = net->when_core[e];
    net->when_local[e] = k >= 0;
    for (int32_t i = 0; k >= 0 && i < net->core[k].nload; i++) {
      const int32_t r = net->real_of[net->load[net->core[k].load + i].slot];
      if (r < 0 || !is_watched(net, r)) net->when_local[e] = false;
    }
  }
}

/* --- at a box --- */

static double core_at(hybrid_replica *self, const hybrid_net *net, int32_t k)
{
  return k < 0 ? 1 : core_value(net, &net->core[k], self->reg + net->core[k].reg, self->y);
}

/* ln of the constants and cores of a step, forward over backward, at y. */
static double force_at(hybrid_replica *self, const hybrid_net *net, int32_t step)
{
  const hybrid_dir *const all = hybrid_flows(net, step) ? net->flow : net->fire;
  const hybrid_dir *const forth = &all[net->place[2 * step]], *const back = &all[net->place[2 * step + 1]];
  return rng_ln(forth->constant * core_at(self, net, forth->core)) -
         rng_ln(back->constant * core_at(self, net, back->core));
}

static double thing_at(hybrid_replica *self, const hybrid_net *net, int32_t core, int32_t step, int32_t slot, double x)
{
  self->y[slot] = x;
  return core >= 0 ? core_at(self, net, core) : force_at(self, net, step);
}

/* Of a core, or (core < 0) of the force of a step. */
static void local_fit(hybrid_replica *self, const hybrid_net *net, hybrid_local *out, int32_t core, int32_t step,
                      int32_t real)
{
  const int32_t slot = net->real[real];
  const double lo = self->box_lo[slot], hi = self->box_hi[slot], keep = self->y[slot];
  const double middle = 0.5 * (lo + hi), half = 0.5 * (hi - lo);
  const double t[4] = {NODE_FAR, NODE_NEAR, -NODE_NEAR, -NODE_FAR}, check[3] = {-1, 0, 1};
  double v[4];
  for (int32_t i = 0; i < 4; i++) v[i] = thing_at(self, net, core, step, slot, middle + half * t[i]);
  const double even[2] = {0.5 * (v[0] + v[3]), 0.5 * (v[1] + v[2])};
  const double odd[2] = {0.5 * (v[0] - v[3]) / NODE_FAR, 0.5 * (v[1] - v[2]) / NODE_NEAR};
  const double gap = NODE_FAR * NODE_FAR - NODE_NEAR * NODE_NEAR;
  out->c[2] = (even[0] - even[1]) / gap;
  out->c[0] = even[1] - out->c[2] * NODE_NEAR * NODE_NEAR;
  out->c[3] = (odd[0] - odd[1]) / gap;
  out->c[1] = odd[1] - out->c[3] * NODE_NEAR * NODE_NEAR;
  out->middle = middle;
  out->inverse = 1 / half;
  out->good = half > 0;
  for (int32_t i = 0; i < 3 && out->good; i++) {
    const double exact = thing_at(self, net, core, step, slot, middle + half * check[i]);
    const double size = core >= 0 ? fabs(exact) : 1 + fabs(exact);
    out->good = fabs(local_value(out, middle + half * check[i]) - exact) <= LOCAL_ERROR * size;
  }
  self->y[slot] = keep;
}

/* Whether a condition may turn in the box. */
static bool may_turn(hybrid_replica *self, const hybrid_net *net, int32_t e)
{
  const hybrid_core *const core = &net->core[net->when_core[e]];
  double low, high;
  core_bound(net, core, self->reg_lo + core->reg, self->reg_hi + core->reg, self->box_lo, self->box_hi, &low, &high);
  if (self->when[e].was) return !(low > 0 || high < 0);
  return !(low == 0 && high == 0);
}

void local_open(hybrid_replica *self, const hybrid_net *net)
{
  if (net->mode != HYBRID_EXACT) return;
  for (int32_t i = 0; i < net->nfcore; i++) {
    const int32_t k = net->fcore[i], alone = net->core[k].alone;
    if (alone) local_fit(self, net, &self->local[k], k, -1, alone - 1);
  }
  for (int32_t s = 0; s < net->net->nstep; s++) {
    if (net->force_alone[s]) local_fit(self, net, &self->force[s], -1, s, net->force_alone[s] - 1);
  }
  self->alert = false;
  for (int32_t e = 0; e < net->net->nevent && !self->alert; e++) {
    if (isnan(net->net->event_at[e])) self->alert = !net->when_local[e] || may_turn(self, net, e);
  }
}
