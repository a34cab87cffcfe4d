/* Few states under an input that goes in steps: what the rates of a state are at a level is looked up, and what happens
 * there is counted by level, state and way. Owns the table, the events by it, and how the counts become the sums of
 * simulate.c. Invariant: a row holds the numbers that motion_rates gives, so events have the same bits with and without
 * the table. Cost: 10 to 15 ns an event and as much a step of the input; 232 bytes a row with its counts; a pass over
 * all rows whenever it comes back. */
#include "engine/motion/few.h"
#include "engine/motion/path_kinds.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { ROWS_MOST = 512 };

/* --- the table --- */

/* The state of these counts, new or known; -1 when there is no room. */
static int32_t state_of(motion_few *self, const int64_t *n, int32_t slots, int32_t most)
{
  for (int32_t i = 0; i < self->states; i++) {
    if (memcmp(self->n + (ptrdiff_t)i * slots, n, (size_t)slots * sizeof *n) == 0) {
      return i;
    }
  }
  if (self->states == most) {
    return -1;
  }
  memcpy(self->n + (ptrdiff_t)self->states * slots, n, (size_t)slots * sizeof *n);
  return self->states++;
}

/* Ways out of a state, by the combinations of `from`, which stands there; false when something does not fit. */
static bool ways_find(motion_few *self, const motion_net *shared, const motion_replica *from, int32_t state,
                      int32_t most)
{
  const int32_t slots = shared->net->nslot;
  int32_t ways = 0;
  for (int32_t d = 0; d < shared->ndir; d++) {
    if (from->many[d] == 0) {
      continue;
    }
    const motion_event *const event = &shared->event[d];
    memcpy(from->after, self->n + (ptrdiff_t)state * slots, (size_t)slots * sizeof *from->after);
    for (int32_t c = event->change_start; c < event->change_end; c++) {
      from->after[shared->change[c].slot] += shared->change[c].by;
    }
    const int32_t to = state_of(self, from->after, slots, most);
    if (to < 0 || ways == FEW_WAYS) {
      return false;
    }
    for (int32_t level = 0; level < self->levels; level++) {
      few_row *const row = &self->row[level * most + state];
      row->way[ways] = d;
      row->to[ways] = to;
    }
    ways++;
  }
  return true;
}

/* All states that the start leads to, one row each a level; false when there are too many, or a sum has no number. */
static bool states_find(motion_few *self, const motion_net *shared, motion_replica *at, int32_t most)
{
  const ness_network *net = shared->net;
  state_of(self, net->slot_start, net->nslot, most);
  for (int32_t state = 0; state < self->states; state++) {
    memcpy(at->n, self->n + (ptrdiff_t)state * net->nslot, (size_t)net->nslot * sizeof *at->n);
    at->n[net->nslot] = 1;
    for (at->path.at = 0; at->path.at < self->levels; at->path.at++) {
      motion_rates(at, shared);
      if (at->path.at == 0 && !ways_find(self, shared, at, state, most)) {
        return false;
      }
      few_row *const row = &self->row[at->path.at * most + state];
      row->total = at->total;
      row->hazard = motion_hazard(at, shared);
      for (; row->ways < FEW_WAYS && row->to[row->ways] >= 0; row->ways++) {
        row->rate[row->ways] = at->rate[row->way[row->ways]];
      }
      const double u = shared->path->value[at->path.at];
      if (!(row->total <= DBL_MAX && u >= shared->law->u_lo && u <= shared->law->u_hi)) {
        return false; /* a matter for simulate.c */
      }
    }
  }
  return true;
}

motion_few *few_build(motion_net *shared)
{
  const ness_network *net = shared->net;
  const int32_t levels = shared->path->points, most = levels > 0 ? ROWS_MOST / levels : 0;
  if (!shared->level || net->nop > 0 || most < 1) {
    return NULL;
  }
  motion_few *const self = arena_alloc(&shared->memory, sizeof *self);
  motion_replica scratch;
  if (motion_replica_init(&scratch, shared) != NESS_OK || !self) {
    motion_replica_free(&scratch);
    return NULL;
  }
  self->levels = levels;
  self->stride = most;
  self->n = arena_alloc(&shared->memory, (size_t)most * (size_t)net->nslot * sizeof *self->n + 1);
  self->row = arena_alloc(&shared->memory, (size_t)levels * (size_t)most * sizeof *self->row);
  bool fits = self->n && self->row;
  for (int32_t i = 0; fits && i < levels * most; i++) {
    for (int32_t j = 0; j < FEW_WAYS; j++) {
      self->row[i].to[j] = -1;
    }
  }
  fits = fits && states_find(self, shared, &scratch, most);
  motion_replica_free(&scratch);
  return fits ? self : NULL;
}

/* --- what was counted --- */

/* T_k at a level. */
static void level_basis(const motion_net *shared, int32_t level, int32_t terms, double *basis)
{
  motion_basis((shared->path->value[level] - shared->middle) * shared->scale, terms, basis);
}

/* What was counted goes to the replica's own sums, and its counts are those of its state. */
static void few_fold(motion_replica *self, const motion_net *shared)
{
  const motion_few *const few = shared->few;
  const ness_network *net = shared->net;
  const int32_t slots = net->nslot, terms = shared->step_terms, slot_terms = shared->slot_terms;
  const int32_t degree = terms > slot_terms ? terms : slot_terms;
  double *const basis = self->few_basis, *const next = basis + degree;
  for (int32_t level = 0; level < few->levels; level++) {
    level_basis(shared, level, degree, basis);
    level_basis(shared, (level + 1) % few->levels, degree, next);
    for (int32_t state = 0; state < few->states; state++) {
      const int32_t at = level * few->stride + state;
      few_count *const count = &self->count[at];
      const few_row *const row = &few->row[at];
      for (int32_t j = 0; j < row->ways; j++) {
        const int32_t dir = shared->dir[row->way[j]], way = dir % 2 ? -1 : 1;
        self->fired[dir] += count->made[j];
        for (int32_t k = 0; k < terms; k++) {
          self->flow[(ptrdiff_t)(dir / 2) * terms + k] += way * basis[k] * (double)count->made[j];
        }
      }
      for (int32_t i = 0; i < slots; i++) {
        const double n = (double)few->n[(ptrdiff_t)state * slots + i];
        self->slot[i].dwell += n * count->clock;
        self->slot[i].dwell2 += n * n * count->clock;
        for (int32_t k = 0; k < slot_terms; k++) {
          self->shift[(ptrdiff_t)i * slot_terms + k] += n * (next[k] - basis[k]) * (double)count->turned;
        }
      }
      *count = (few_count){0};
    }
  }
  memcpy(self->n, few->n + (ptrdiff_t)self->state * slots, (size_t)slots * sizeof *self->n);
  level_basis(shared, self->path.at < 0 ? 0 : self->path.at, degree, basis);
  for (int32_t i = 0; i < slots; i++) {
    self->slot[i].since = self->path.t;
    memcpy(self->slot_basis + (ptrdiff_t)i * slot_terms, basis, (size_t)slot_terms * sizeof *basis);
  }
}

/* --- in time --- */

/* The way that a point of the row's sum falls in. */
static inline int32_t way_pick(const few_row *row, double point)
{
  int32_t way = 0;
  bool on = true;
  for (int32_t j = 0; j + 1 < row->ways; j++) {
    on &= point >= row->rate[j];
    way += on;
    point -= row->rate[j];
  }
  return way;
}

motion_pause few_advance(motion_replica *self, const motion_net *shared, double t_stop, int64_t looks)
{
  const motion_few *const few = shared->few;
  const double period = shared->path->period;
  path_state p = self->path;
  rng_stream rng = self->rng;
  double left = self->left;
  int32_t state = self->state;
  for (; looks != 0 && p.t < t_stop; looks--) {
    const int32_t at = (p.at < 0 ? 0 : p.at) * few->stride + state;
    const few_row *const row = &few->row[at];
    few_count *const count = &self->count[at];
    if (!p.open) {
      p.open = true;
      steps_window(&p);
      self->windows++;
      if (period > 0 && left >= row->hazard && row->total * period < MOTION_FAST) {
        count->clock += periods_skip(&p, row->hazard, &left, t_stop);
      }
    }
    const double wait = row->total > 0 ? left / row->total : (double)INFINITY, next = p.t + wait;
    if (next <= t_stop && next < p.t_end) {
      const int32_t way = way_pick(row, rng_double(&rng) * row->total);
      left = rng_exp(&rng);
      count->clock += next - p.t;
      count->made[way]++;
      p.t = next;
      state = row->to[way];
      self->events++;
      if (self->log) {
        self->log->time[self->log->count] = next;
        self->log->dir[self->log->count++] = shared->dir[row->way[way]];
      }
      if (shared->phases > 0) {
        motion_phase(self, shared, next, shared->dir[row->way[way]]);
      }
      continue;
    }
    const double end = fmin(p.t_end, t_stop), rest = left - row->total * (end - p.t);
    left = rest > 0 ? rest : 0;
    count->clock += end - p.t;
    p.open = t_stop < p.t_end;
    p.t = end;
    if (!p.open) {
      count->turned += p.at >= 0;
      points_step(&p);
    }
  }
  p.u = p.lo = p.hi = shared->path->value[p.at < 0 ? 0 : p.at];
  self->path = p;
  self->rng = rng;
  self->left = left;
  self->state = state;
  self->candidates = self->events;
  few_fold(self, shared);
  return p.t < t_stop ? MOTION_BUSY : MOTION_AT_TIME;
}
