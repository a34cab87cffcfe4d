/* The direct method for small networks, one replica at a time (small.h says what an event is). Networks of few states
 * are looked up (states.h), those of mass action up to the second order go abreast (abreast.h); here are the others,
 * with bounds, third order and tapes. Waits and choices come from a ring. Invariant: a pause leaves no trace; the
 * stream stands before the pair of the next event, or, with a wait pending, rng_event does. */
#include "engine/base/simd.h"
#include "engine/model/tape.h"
#include "engine/ssa/single.h"

#include <float.h>
#include <math.h>
#include <string.h>

static size_t small_size(const ness_network *net)
{
  (void)net;
  return sizeof(single);
}

static const single_loops *loops_best(void)
{
#if defined(__x86_64__)
  if (simd_best() >= SIMD_AVX2) return &single_avx2;
#endif
  return &single_plain;
}

static void small_start(void *work, const ness_network *net)
{
  single *const w = work;
  small_net *const s = &w->net;
  int32_t used[SMALL_LEAVES] = {0};
  small_compile(net, s);
  states_build(&w->states, s, net->slot_start);
  abreast_compile(s, &w->rows);
  w->loops = loops_best();
  w->n[net->nslot] = 1;
  memcpy(w->n + SMALL_NUMBERS, s->number, sizeof s->number);
  for (int32_t leaf = 0; leaf < s->leaves; leaf++) {
    for (int32_t i = 0; i < SMALL_STEP_CHANGES; i++) w->step[leaf].slot[i] = net->nslot + 1;
  }
  for (int32_t m = 0; m < s->moving; m++) {
    for (int32_t i = s->start[m]; i < s->start[m + 1]; i++) {
      const int64_t leaf = s->change[i].leaf;
      const int32_t at = used[leaf]++;
      w->step[leaf].slot[at] = m;
      w->step[leaf].by[at] = s->change[i].by;
      w->changes = at + 1 > w->changes ? at + 1 : w->changes;
    }
  }
}

static void small_load(ssa_replica *self, const ness_network *net)
{
  (void)self, (void)net; /* advancing reads the counts */
}

/* --- an event --- */

static inline double rate_first(const small_rate *r, const double *n)
{
  return r->k * n[r->a];
}

static inline double rate_second(const small_rate *r, const double *n)
{
  return r->k * n[r->a] * (n[r->b] + r->shift_b);
}

static inline double rate_third(const small_rate *r, const double *n)
{
  const double bound = n[r->d], rate = rate_second(r, n) * (n[r->c] + r->shift_c);
  return bound >= r->low && bound <= r->high ? rate : 0;
}

/* NaN for what is no propensity. */
static inline double rate_tape(const small_net *net, int32_t leaf, double *n)
{
  for (const small_op *op = net->op + net->op_start[leaf], *end = net->op + net->op_start[leaf + 1]; op < end; op++) {
    n[op->to] = tape_apply((tape_code)op->code, n[op->a], n[op->b], n[op->c]);
  }
  return n[net->out[leaf]] >= 0 ? n[net->out[leaf]] : (double)NAN;
}

static inline void sums_make(const small_net *net, double *n, double *a, double *c)
{
  int32_t j = 0;
  for (; j < net->linear; j++) a[j] = rate_first(&net->rate[j], n);
  for (; j < net->quads; j++) a[j] = rate_second(&net->rate[j], n);
  for (; j < net->thirds; j++) a[j] = rate_third(&net->rate[j], n);
  for (; j < net->leaves; j++) a[j] = rate_tape(net, j, n);
  double before = 0;
  for (j = 0; j < net->padded; j += SMALL_GROUP) {
    const double p0 = a[j], p1 = p0 + a[j + 1], p2 = p1 + a[j + 2], p3 = p2 + a[j + 3];
    c[j] = before + p0;
    c[j + 1] = before + p1;
    c[j + 2] = before + p2;
    before = c[j + 3] = before + p3;
  }
}

void small_sums(const small_net *net, const double *n, double *a, double *c)
{
  double places[SMALL_PLACES] = {0};
  memcpy(places, n, SMALL_SLOTS * sizeof *n);
  memcpy(places + SMALL_NUMBERS, net->number, sizeof net->number);
  sums_make(net, places, a, c);
}

/* --- runs of events --- */

/* How many of the sums are not beyond the point: by fours, then within one. */
static inline int32_t leaf_pick(const double *c, double point, int32_t padded)
{
  int32_t group = 0;
  for (int32_t j = SMALL_GROUP - 1; j < padded - 1; j += SMALL_GROUP) group += point >= c[j];
  const double *const own = c + SMALL_GROUP * group;
  return SMALL_GROUP * group + (point >= own[0]) + (point >= own[1]) + (point >= own[2]);
}

static int64_t sums_run(single *w, int64_t most, double horizon, ssa_record *record)
{
  const small_net *const net = &w->net;
  const rng_pairs_level *const pairs = w->loops->pairs;
  double *const n = w->n;
  int64_t made = 0;
  for (; made < most; made++) {
    const uint64_t pair = w->at % RNG_PAIRS;
    const double total = w->c[net->padded - 1], mean = 1 / total, t_next = w->t + w->pairs.wait[pair] * mean;
    if (!(t_next <= horizon && total <= DBL_MAX)) break;
    const int32_t leaf = leaf_pick(w->c, w->pairs.choice[pair] * total, net->padded);
    const double time = t_next - w->since, before = w->a[leaf];
    for (int32_t m = 0; m < net->moving; m++) {
      const double area = n[m] * time;
      w->dwell[m] += area;
      w->dwell2[m] += n[m] * area;
    }
    const single_step *const step = &w->step[leaf];
    for (int32_t i = 0; i < w->changes; i++) n[step->slot[i]] += step->by[i];
    sums_make(net, n, w->a, w->c);
    if (net->entropy && net->reverse[leaf] >= 0) {
      small_ratio_take(&w->ratio, &w->entropy, before, w->a[net->reverse[leaf]]);
    }
    w->t = w->since = t_next;
    w->fired[leaf]++;
    if (++w->at % pairs->width == 0) pairs->more(&w->pairs, (w->at - pairs->width) % RNG_PAIRS);
    if (record) single_record(record, t_next, net->dir[leaf]);
  }
  return made;
}

/* --- advancing --- */

/* The ring goes on where it is when that is where the stream stands. */
static void pairs_enter(single *w, const rng_stream *stream)
{
  if (memcmp(stream, &w->next, sizeof *stream) == 0) return;
  w->from = *stream;
  w->at = 0;
  w->loops->pairs->start(&w->pairs, stream);
}

/* Takes the replica over: counts, integrals, and the stream before its next pair. Returns who makes its events. */
static single_run work_enter(single *w, const ssa_replica *self)
{
  const small_net *const net = &w->net;
  pairs_enter(w, self->pending ? &self->rng_event : &self->rng);
  for (int32_t i = 0; i < net->slots; i++) w->n[i] = (double)self->n[net->slot[i]];
  for (int32_t m = 0; m < net->moving; m++) {
    w->dwell[m] = self->slot[net->slot[m]].dwell;
    w->dwell2[m] = self->slot[net->slot[m]].dwell2;
  }
  memset(w->fired, 0, sizeof w->fired);
  w->t = self->t_event;
  w->since = net->moving ? self->slot[net->slot[0]].since : self->t_event;
  w->entropy = self->tape_entropy;
  w->ratio = self->ratio;
  w->row = states_find(&w->states, net, w->n);
  if (w->row >= 0) {
    const bool equal = memcmp(w->dwell, w->dwell2, (size_t)net->moving * sizeof *w->dwell) == 0;
    return w->loops->states[equal || w->states.kind != STATES_ONE ? w->states.kind : STATES_ANY];
  }
  if (w->rows.form >= 0) {
    abreast_load(&w->rows, net, w->n);
    return w->loops->abreast[w->rows.form];
  }
  sums_make(net, w->n, w->a, w->c);
  return sums_run;
}

/* Gives it back: the stream stands before the pair that was not taken. */
static void work_leave(single *w, ssa_replica *self, int64_t made)
{
  const small_net *const net = &w->net;
  if (w->row >= 0) memcpy(w->n, w->states.n[w->row], (size_t)net->slots * sizeof *w->n);
  for (int32_t m = 0; m < net->moving; m++) {
    self->n[net->slot[m]] = (int64_t)w->n[m];
    self->slot[net->slot[m]] = (ssa_slot){w->since, w->dwell[m], w->dwell2[m]};
  }
  for (int32_t j = 0; j < net->leaves; j++) self->fwd[net->count[j]] += w->fired[j];
  self->events += made;
  self->tape_entropy = w->entropy;
  self->ratio = w->ratio;
  self->pending = false;
  self->t = self->t_event = w->t;
  w->next = w->from;
  rng_advance(&w->next, 0, 2 * w->at);
  self->rng = self->rng_event = w->next;
}

/* A total that is no number, or no finite one: names the direction to blame. */
static ssa_pause small_bad(const single *w, int32_t *bad_dir)
{
  int32_t worst = 0;
  for (int32_t j = 0; j < w->net.leaves; j++) {
    if (!(w->a[j] <= DBL_MAX)) {
      *bad_dir = w->net.dir[j];
      return SSA_BAD_RATE;
    }
    worst = w->a[j] > w->a[worst] ? j : worst;
  }
  *bad_dir = w->net.dir[worst]; /* each is finite, their sum is not */
  return SSA_BAD_RATE;
}

/* The next event lies behind t_stop, or never comes, or its time has no number; the work has been left. */
static ssa_pause small_stop(single *w, ssa_replica *self, double t_stop, int32_t *bad_dir)
{
  sums_make(&w->net, w->n, w->a, w->c);
  const double mean = 1 / w->c[w->net.padded - 1];
  if (!(mean > 0)) return small_bad(w, bad_dir);
  self->pending = mean <= DBL_MAX;
  if (self->pending) rng_advance(&self->rng, 0, 2); /* who gives the wait up gives the choice up too */
  if (t_stop < INFINITY) {
    self->t = t_stop;
    if (!self->pending) self->t_event = t_stop;
  }
  return self->pending && t_stop < INFINITY ? SSA_AT_TIME : SSA_ABSORBED;
}

static ssa_pause small_advance(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                               ssa_record *record, int32_t *bad_dir)
{
  single *const w = self->work;
  const int64_t last = max_events > 0 ? max_events : INT64_MAX, room = record ? record->capacity - record->rows : last;
  const int64_t most = last < room ? last : room;
  (void)net;
  const single_run run = work_enter(w, self);
  const int64_t made = run(w, most, fmin(t_stop, DBL_MAX), record);
  work_leave(w, self, made);
  return made < most ? small_stop(w, self, t_stop, bad_dir) : made == last ? SSA_AT_EVENTS : SSA_RECORD_FULL;
}

const ssa_kernel ssa_kernel_small = {
    "direct", "all sums at every event", small_size, small_start, small_load, small_advance, false, false};
