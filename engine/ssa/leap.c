/* What the methods that take many events at once have in common: directions in a row, bounds of their propensities over
 * a box of counts, and pieces of time in which only the numbers of events are known.
 * Invariant: in a piece the events have independent uniform times. So between n and n + D the count at the fraction s
 * of the piece has mean n + D s and variance V s (1 - s), with V the sum of change^2 over the events, and the integrals
 * are expected to be those of leap_apply: (n + D/2) and (n^2 + n D + D^2/3 + V/6) times the length. What they scatter
 * around that, D aside, is left out: length^2 V/12 of variance for the first. Cost: a pass over all directions and
 * their changes for each call. */
#include "engine/ssa/leap.h"

#include <stdlib.h>

/* --- compiling --- */

void leap_layout(leap_net *self, carve *memory, const ness_network *net)
{
  size_t dirs = 0, terms = 0;
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    if (rate_open(net, dir)) {
      dirs++;
      terms += (size_t)(net->change_start[dir / 2 + 1] - net->change_start[dir / 2]);
    }
  }
  const size_t slots = (size_t)net->nslot;
  self->dirs = (int32_t)dirs;
  self->law = carve_take(memory, dirs, sizeof *self->law);
  self->count = carve_take(memory, dirs, sizeof *self->count);
  self->slot = carve_take(memory, slots, sizeof *self->slot);
  self->flow = carve_take(memory, slots, sizeof *self->flow);
  self->term = carve_take(memory, terms, sizeof *self->term);
  self->rate = carve_take(memory, dirs, sizeof *self->rate);
  self->direct = ssa_kernel_find("direct", net);
  self->direct_work = carve_take(memory, self->direct->size(net), 1);
}

static int32_t change_by(const ness_network *net, int32_t dir, int32_t i)
{
  return dir % 2 ? -net->change_by[i] : net->change_by[i];
}

/* Terms by slot: first their numbers, down and up, then each at its place, which the numbers count off. */
static void terms_compile(leap_net *self, const ness_network *net)
{
  int32_t terms = 0;
  for (int32_t pass = 0; pass < 2; pass++) {
    for (int32_t j = 0; j < self->dirs; j++) {
      const int32_t dir = self->law[j].dir;
      for (int32_t i = net->change_start[dir / 2]; i < net->change_start[dir / 2 + 1]; i++) {
        const int32_t by = change_by(net, dir, i);
        leap_slot *const slot = &self->slot[net->change_slot[i]];
        int32_t *const at = by < 0 ? &slot->down : &slot->up;
        if (pass) {
          self->term[*at] = (leap_term){j, by < 0 ? -by : by};
        }
        ++*at;
        slot->most = abs(by) > slot->most ? abs(by) : slot->most;
      }
    }
    for (int32_t i = 0; i < net->nslot; i++) {
      leap_slot *const slot = &self->slot[i];
      const int32_t down = slot->down, up = slot->up;
      if (pass) { /* both stand at the ends of their terms now */
        slot->end = up;
        slot->up = down;
        slot->down = i ? self->slot[i - 1].end : 0;
      } else {
        slot->down = terms;
        slot->up = terms += down;
        terms += up;
      }
    }
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    self->slot[self->moving] = self->slot[i];
    self->slot[self->moving].slot = i;
    self->moving += self->slot[i].most > 0;
  }
}

void leap_compile(leap_net *self, const ness_network *net)
{
  int32_t at = 0;
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    if (rate_open(net, dir)) {
      self->law[at] = rate_compile(net, dir, at);
      self->count[at++] = dir / 2 + (dir % 2 ? net->nstep : 0);
    }
  }
  self->moving = 0;
  terms_compile(self, net);
  self->direct->start(self->direct_work, net);
}

/* --- propensities --- */

double leap_rates(leap_net *self, const ness_network *net, const int64_t *n)
{
  double total = 0;
  for (int32_t j = 0; j < self->dirs; j++) {
    self->rate[j] = rate_any(&self->law[j], net, n, NULL);
    total += self->rate[j];
  }
  return total;
}

void leap_flows(leap_net *self)
{
  for (int32_t m = 0; m < self->moving; m++) {
    const leap_slot *const slot = &self->slot[m];
    double down = 0, up = 0, square = 0;
    int32_t i = slot->down;
    for (; i < slot->up; i++) {
      const double by = (double)self->term[i].by, flow = by * self->rate[self->term[i].dir];
      down += flow;
      square += by * flow;
    }
    for (; i < slot->end; i++) {
      const double by = (double)self->term[i].by, flow = by * self->rate[self->term[i].dir];
      up += flow;
      square += by * flow;
    }
    self->flow[m] = (leap_flow){down, up, square};
  }
}

/* Mass action without its guards. */
static double mass_bare(const ness_network *net, int32_t dir, const int64_t *n)
{
  double value = net->dir_k[dir];
  for (int32_t r = net->react_start[dir]; r < net->react_start[dir + 1]; r++) {
    const int64_t count = n[net->react_slot[r]];
    for (int32_t j = 0; j < net->react_mult[r]; j++) {
      value *= (double)(count > j ? count - j : 0);
    }
  }
  return value;
}

/* A guard that holds nowhere in the box closes the direction, one that holds in a part takes its lower bound away. */
static void guard_bound(int64_t least, int64_t most, int64_t low, int64_t high, double *lower, double *upper)
{
  *upper = high < least || low > most ? 0 : *upper;
  *lower = low < least || high > most ? 0 : *lower;
}

void leap_bounds_any(const rate_law *law, const ness_network *net, const int64_t *low, const int64_t *high,
                     double *least, double *most)
{
  const int32_t c = law->c, d = law->dir;
  switch (law->quad.kind) {
  case RATE_GATED:
    *least = rate_quad(&law->quad, low);
    *most = rate_quad(&law->quad, high);
    guard_bound(law->low, law->high, low[c], high[c], least, most);
    break;
  case RATE_CUBE:
    *least = rate_quad(&law->quad, low) * (double)(low[c] + law->shift_c);
    *most = rate_quad(&law->quad, high) * (double)(high[c] + law->shift_c);
    break;
  default:
    *least = mass_bare(net, d, low);
    *most = mass_bare(net, d, high);
    for (int32_t g = net->guard_start[d]; g < net->guard_start[d + 1]; g++) {
      const int32_t slot = net->guard_slot[g];
      guard_bound(net->guard_low[g], net->guard_high[g], low[slot], high[slot], least, most);
    }
  }
}

/* --- events --- */

void leap_apply(ssa_replica *self, const leap_net *leap, const int64_t *fired, double end)
{
  const double start = self->t, length = end - start;
  const leap_term *const terms = leap->term;
  int64_t events = 0;
  for (int32_t j = 0; j < leap->dirs; j++) {
    self->fwd[leap->count[j]] += fired[j];
    events += fired[j];
  }
  self->events += events;
  self->t = end;
  for (int32_t m = 0; m < leap->moving; m++) {
    const leap_slot *const at = &leap->slot[m];
    int64_t by = 0, square = 0;
    int32_t i = at->down;
    for (; i < at->up; i++) {
      const int64_t moved = terms[i].by * fired[terms[i].dir];
      by -= moved;
      square += terms[i].by * moved;
    }
    for (; i < at->end; i++) {
      const int64_t moved = terms[i].by * fired[terms[i].dir];
      by += moved;
      square += terms[i].by * moved;
    }
    if (square > 0) {
      ssa_slot *const slot = &self->slot[at->slot];
      int64_t *const n = &self->n[at->slot];
      const double x = (double)*n, d = (double)by, before = x * (start - slot->since);
      slot->dwell += before + length * (x + d * 0.5);
      slot->dwell2 += x * before + length * (x * (x + d) + d * d * (1.0 / 3) + (double)square * (1.0 / 6));
      slot->since = end;
      *n += by;
    }
  }
}

void leap_fire(ssa_replica *self, const leap_net *leap, const ness_network *net, int32_t dir)
{
  const int32_t d = leap->law[dir].dir;
  for (int32_t i = net->change_start[d / 2]; i < net->change_start[d / 2 + 1]; i++) {
    const int32_t slot = net->change_slot[i];
    slot_change(&self->slot[slot], &self->n[slot], change_by(net, d, i), self->t);
  }
  self->fwd[leap->count[dir]]++;
  self->events++;
}

ssa_pause leap_direct(ssa_replica *self, const leap_net *leap, const ness_network *net, double t_stop, int64_t events,
                      int32_t *bad_dir)
{
  void *const work = self->work;
  self->work = leap->direct_work;
  self->t_event = self->t;
  self->pending = false;
  ssa_settle(self, net); /* small.c takes it that all slots have changed together */
  leap->direct->load(self, net);
  const ssa_pause pause = leap->direct->advance(self, net, t_stop, events, NULL, bad_dir);
  self->pending = false;
  self->t_event = self->t;
  self->work = work;
  return pause;
}
