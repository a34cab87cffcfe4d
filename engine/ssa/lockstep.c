/* Seats: how replicas enter and leave the lanes, and which loop runs.
 * Invariant: between two calls a lane stands before its next event, and its stream before the draws of it. Cost of a
 * pause: O(slots + leaves). */
#include "engine/ssa/lockstep.h"
#include "engine/base/simd.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { STEPS_MOST = 255 }; /* a byte a counter */

static lockstep_loops loops_best(void)
{
#if defined(__x86_64__)
  switch (simd_best()) {
  case SIMD_AVX512: return lockstep_avx512;
  case SIMD_AVX2: return lockstep_avx2;
  default: break;
  }
#endif
  return lockstep_plain;
}

size_t lockstep_size(void)
{
  return sizeof(lockstep_state);
}

static void seat_empty(lockstep *self, int32_t lane)
{
  lockstep_state *const s = self->state;
  self->seat[lane] = NULL;
  self->left[lane] = INT64_MAX;
  s->idle[lane] = UINT64_MAX;
  s->row[lane] = STATES_MOST * STATES_WORDS;
  for (int32_t i = 0; i <= self->net->slots; i++) s->n[i][lane] = 0;
  s->t[lane] = s->since[lane] = 0;
}

static void net_scale(small_net *net)
{
  for (int32_t j = 0; j < net->leaves; j++) {
    small_rate *const r = &net->rate[j];
    r->a *= LOCKSTEP_LANES;
    r->b *= LOCKSTEP_LANES;
    r->c *= LOCKSTEP_LANES;
    r->d *= LOCKSTEP_LANES;
    net->out[j] *= LOCKSTEP_LANES;
  }
  for (int32_t i = 0; i < net->op_start[net->leaves]; i++) {
    small_op *const op = &net->op[i];
    op->a *= LOCKSTEP_LANES;
    op->b *= LOCKSTEP_LANES;
    op->c *= LOCKSTEP_LANES;
    op->to *= LOCKSTEP_LANES;
  }
}

void lockstep_init(lockstep *self, const small_net *net, const states_table *states, void *memory)
{
  memset(memory, 0, sizeof(lockstep_state));
  *self = (lockstep){.net = net,
                     .scaled = *net,
                     .states = states && states->rows > 0 ? states : NULL,
                     .loops = loops_best(),
                     .state = memory};
  net_scale(&self->scaled);
  for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) {
    self->state->lane[lane] = (uint64_t)lane;
    self->state->a[SMALL_LEAVES][lane] = 1;
    for (int32_t i = 0; i < SMALL_OPS; i++) self->state->n[SMALL_NUMBERS + i][lane] = net->number[i];
  }
  for (int32_t j = 0; j < net->leaves; j++) {
    self->state->own[j] = LOCKSTEP_LANES * (uint64_t)(net->reverse[j] < 0 ? SMALL_LEAVES : j);
    self->state->back[j] = LOCKSTEP_LANES * (uint64_t)(net->reverse[j] < 0 ? SMALL_LEAVES : net->reverse[j]);
  }
  for (int32_t m = 0; m < net->moving; m++) {
    for (int32_t i = net->start[m]; i < net->start[m + 1]; i++) {
      self->state->by[m][net->change[i].leaf] += net->change[i].by;
    }
  }
  for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) seat_empty(self, lane);
}

void lockstep_seat(lockstep *self, int32_t lane, ssa_replica *replica, double t_stop, int64_t max_events)
{
  const small_net *const net = self->net;
  lockstep_state *const s = self->state;
  const rng_stream *const stream = replica->pending ? &replica->rng_event : &replica->rng;
  self->seat[lane] = replica;
  self->taken++;
  self->t_stop[lane] = t_stop;
  self->left[lane] = max_events > 0 ? max_events : INT64_MAX;
  s->idle[lane] = 0;
  s->row[lane] = UINT64_MAX;
  for (int32_t i = 0; i < LOCKSTEP_PACKED; i++) s->packed[i][lane] = 0; /* an empty seat may have counted */
  s->hi[lane] = stream->hi;
  s->lo[lane] = stream->lo;
  s->inc_hi[lane] = stream->inc_hi;
  s->inc_lo[lane] = stream->inc_lo;
  s->t[lane] = replica->t_event;
  s->horizon[lane] = fmin(t_stop, DBL_MAX);
  for (int32_t i = 0; i < net->slots; i++) s->n[i][lane] = (double)replica->n[net->slot[i]];
  s->n[net->slots][lane] = 1;
  s->entropy[lane] = replica->tape_entropy;
  s->up[lane] = replica->ratio.up;
  s->down[lane] = replica->ratio.down;
  s->power[lane] = (uint64_t)replica->ratio.power;
  s->since[lane] = net->moving ? replica->slot[net->slot[0]].since : replica->t_event;
  for (int32_t m = 0; m < net->moving; m++) {
    s->dwell[m][lane] = replica->slot[net->slot[m]].dwell;
    s->dwell2[m][lane] = replica->slot[net->slot[m]].dwell2;
  }
}

/* The counters of a lane go to its replica. */
static void counters_empty(lockstep *self, int32_t lane)
{
  const small_net *const net = self->net;
  lockstep_state *const s = self->state;
  for (int32_t j = 0; j < net->leaves; j++) {
    self->seat[lane]->fwd[net->count[j]] += (int64_t)(s->packed[j / 8][lane] >> 8 * (j % 8) & 255);
  }
  for (int32_t i = 0; i < LOCKSTEP_PACKED; i++) s->packed[i][lane] = 0;
}

/* Steps were made, by rows or without. */
static void steps_count(lockstep *self, int32_t steps)
{
  const bool full = (self->packed += steps) == STEPS_MOST;
  for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) {
    if (!self->seat[lane]) continue;
    self->seat[lane]->events += steps;
    self->left[lane] -= steps;
    if (full) counters_empty(self, lane);
  }
  self->packed = full ? 0 : self->packed;
}

void lockstep_leave(lockstep *self, int32_t lane)
{
  const small_net *const net = self->net;
  const lockstep_state *const s = self->state;
  ssa_replica *const replica = self->seat[lane];
  replica->pending = false;
  replica->t = replica->t_event = s->t[lane];
  replica->rng = (rng_stream){s->hi[lane], s->lo[lane], s->inc_hi[lane], s->inc_lo[lane]};
  replica->rng_event = replica->rng;
  replica->tape_entropy = s->entropy[lane];
  replica->ratio = (ssa_ratio){s->up[lane], s->down[lane], (int64_t)s->power[lane]};
  counters_empty(self, lane);
  for (int32_t m = 0; m < net->moving; m++) {
    ssa_slot *const slot = &replica->slot[net->slot[m]];
    replica->n[net->slot[m]] = (int64_t)s->n[m][lane];
    *slot = (ssa_slot){s->since[lane], s->dwell[m][lane], s->dwell2[m][lane]};
  }
  self->taken--;
  seat_empty(self, lane);
}

/* A lane that cannot make its next step: as small.c ends. */
static ssa_pause lane_stop(lockstep *self, int32_t lane)
{
  const lockstep_state *const s = self->state;
  ssa_replica *const replica = self->seat[lane];
  const double mean = s->mean[lane], t_stop = self->t_stop[lane];
  lockstep_leave(self, lane);
  if (!(mean > 0)) return SSA_BAD_RATE;
  replica->pending = mean <= DBL_MAX;
  if (replica->pending) rng_advance(&replica->rng, 0, 2); /* who gives the wait up gives the choice up too */
  if (t_stop < INFINITY) {
    replica->t = t_stop;
    replica->t_event = replica->pending ? replica->t_event : t_stop;
  }
  return replica->pending && t_stop < INFINITY ? SSA_AT_TIME : SSA_ABSORBED;
}

/* The rows of all lanes; false when some lane is in none. */
static bool rows_find(lockstep *self)
{
  lockstep_state *const s = self->state;
  double n[SMALL_SLOTS];
  for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) {
    if (s->row[lane] < UINT64_MAX) continue;
    for (int32_t i = 0; i < self->net->slots; i++) n[i] = s->n[i][lane];
    const int32_t row = states_find(self->states, self->net, n);
    if (row < 0) return false;
    s->row[lane] = (uint64_t)row * STATES_WORDS;
  }
  return true;
}

static int32_t steps_make(lockstep *self, int32_t steps)
{
  lockstep_state *const s = self->state;
  if (self->states && rows_find(self)) return self->loops.rows(&self->scaled, self->states, s, steps);
  for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) {
    if (self->seat[lane]) s->row[lane] = UINT64_MAX;
  }
  return self->loops.run(&self->scaled, s, steps);
}

int32_t lockstep_next(lockstep *self, ssa_pause *pause)
{
  lockstep_state *const s = self->state;
  for (;;) {
    int64_t least = STEPS_MOST - self->packed;
    for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) {
      if (self->seat[lane] && self->left[lane] == 0) {
        lockstep_leave(self, lane);
        *pause = SSA_AT_EVENTS;
        return lane;
      }
      least = self->left[lane] < least ? self->left[lane] : least;
    }
    const int32_t steps = steps_make(self, (int32_t)least);
    steps_count(self, steps);
    for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) {
      if (steps < least && !s->stay[lane]) {
        *pause = lane_stop(self, lane);
        return lane;
      }
    }
  }
}
