/* The direct method for small networks, one replica at a time (small.h says what an event is). All propensities are
 * computed anew at every event, all sums made, and all sums compared: more work than a search, but nothing to predict.
 * Waits and choices come in blocks. Invariant: a pause leaves no trace; the stream stands before the pair of the next
 * event, or, with a wait pending, rng_event does. Cost: 8 ns an event for 4 leaves, 20 for 16, on 3.5 GHz. */
#include "engine/ssa/small.h"
#include "engine/model/tape.h"
#include "engine/ssa/states.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct small_step {         /* what the firing of a leaf changes, filled up with changes of nothing */
  int64_t slot[SMALL_STEP_CHANGES]; /* in the order of small_net */
  double by[SMALL_STEP_CHANGES];
} small_step;

typedef double pair __attribute__((vector_size(16), may_alias));

typedef struct small_work {
  small_net net;
  rng_pairs_fill fill;
  int32_t changes;              /* the most that any leaf has */
  int32_t at;                   /* next pair of the block */
  rng_stream block, end, stood; /* the stream before and behind the block, and before pair `at` at the last pause */
  small_step step[SMALL_LEAVES];
  _Alignas(16) double n[SMALL_SLOTS + 2]; /* counts, the constant 1, and a place that nobody reads */
  double a[SMALL_LEAVES], c[SMALL_LEAVES];
  _Alignas(16) double dwell[SMALL_SLOTS], dwell2[SMALL_SLOTS]; /* (moving), and one that may be written */
  rng_pairs pairs;
  states_table states;
} small_work;

static size_t small_size(const ness_network *net)
{
  (void)net;
  return sizeof(small_work);
}

static void small_start(void *work, const ness_network *net)
{
  small_work *const w = work;
  small_net *const s = &w->net;
  int32_t used[SMALL_LEAVES] = {0};
  small_compile(net, s);
  w->fill = rng_pairs_best();
  w->at = RNG_PAIRS;
  w->n[net->nslot] = 1;
  states_build(&w->states, s, net->slot_start);
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
static double rate_tape(const small_net *net, int32_t leaf, const double *n)
{
  const small_op *const op = net->op + net->op_start[leaf];
  const int32_t count = net->op_start[leaf + 1] - net->op_start[leaf];
  double reg[SMALL_REGISTERS];
  for (int32_t i = 0; i < count; i++) {
    const tape_code code = (tape_code)op[i].code;
    const double a = code == TAPE_CONST ? op[i].value : code == TAPE_SLOT ? n[op[i].a] : reg[op[i].a];
    reg[i] = tape_apply(code, a, reg[op[i].b], reg[op[i].c]);
  }
  return reg[count - 1] >= 0 ? reg[count - 1] : (double)NAN;
}

/* All propensities, and the sums of `padded` leaves. */
static inline void sums_make(const small_net *net, const double *n, double *a, double *c, int32_t padded)
{
  int32_t j = 0;
  for (; j < net->linear; j++) a[j] = rate_first(&net->rate[j], n);
  for (; j < net->quads; j++) a[j] = rate_second(&net->rate[j], n);
  for (; j < net->thirds; j++) a[j] = rate_third(&net->rate[j], n);
  for (; j < net->leaves; j++) a[j] = rate_tape(net, j, n);
  double before = 0;
  for (j = 0; j < padded; j += SMALL_GROUP) {
    const double p0 = a[j], p1 = p0 + a[j + 1], p2 = p1 + a[j + 2], p3 = p2 + a[j + 3];
    c[j] = before + p0;
    c[j + 1] = before + p1;
    c[j + 2] = before + p2;
    before = c[j + 3] = before + p3;
  }
}

void small_sums(const small_net *net, const double *n, double *a, double *c)
{
  sums_make(net, n, a, c, net->padded);
}

static void pairs_refill(small_work *w)
{
  w->block = w->end;
  w->fill(&w->end, &w->pairs);
  w->at = 0;
}

/* From where the stream stands on; what is left of the block serves when it is its. */
static void pairs_begin(small_work *w, const rng_stream *stream)
{
  if (memcmp(stream, &w->stood, sizeof *stream) != 0) {
    w->end = *stream;
    w->at = RNG_PAIRS;
  }
}

/* --- advancing --- */

/* A total that is no number, or no finite one: names the direction to blame. */
static ssa_pause small_bad(const small_work *w, int32_t *bad_dir)
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

/* The wait from t on ends behind t_stop, or never, or has no number. */
static ssa_pause small_stop(ssa_replica *self, const small_work *w, double t, double t_stop, int32_t *bad_dir)
{
  const double total = w->c[w->net.padded - 1];
  self->t = self->t_event = t;
  if (!(total <= DBL_MAX)) {
    return small_bad(w, bad_dir);
  }
  self->pending = total > 0;
  if (t_stop < INFINITY) {
    self->t = t_stop;
    self->t_event = total > 0 ? t : t_stop;
  }
  return total > 0 && t_stop < INFINITY ? SSA_AT_TIME : SSA_ABSORBED;
}

/* How many of the sums are not beyond the point: by fours, then within one. */
static inline int32_t leaf_pick(const double *c, double point, int32_t padded)
{
  int32_t group = 0;
  for (int32_t j = SMALL_GROUP - 1; j < padded - 1; j += SMALL_GROUP) group += point >= c[j];
  const double *const own = c + SMALL_GROUP * group;
  return SMALL_GROUP * group + (point >= own[0]) + (point >= own[1]) + (point >= own[2]);
}

/* One body, compiled for the numbers of leaves that are common. */
static inline __attribute__((always_inline)) ssa_pause small_run(ssa_replica *self, small_work *w, double t_stop,
                                                                 int64_t last, ssa_record *record, int32_t *bad_dir,
                                                                 int32_t padded, int32_t changes)
{
  const small_net *const net = &w->net;
  double *const n = w->n, *const c = w->c;
  const double horizon = fmin(t_stop, DBL_MAX);
  double t = self->t_event, since = net->moving ? self->slot[net->slot[0]].since : t;
  int64_t fired = 0;
  ssa_pause pause;
  for (;;) {
    if (w->at == RNG_PAIRS) {
      pairs_refill(w);
    }
    const double total = c[padded - 1], t_next = t + w->pairs.wait[w->at] / total;
    if (!(t_next <= horizon && total <= DBL_MAX)) {
      pause = small_stop(self, w, t, t_stop, bad_dir);
      break;
    }
    const double point = w->pairs.choice[w->at++] * total, time = t_next - since;
    const int32_t leaf = leaf_pick(c, point, padded);
    for (int32_t m = 0; m < net->moving; m += 2) {
      const pair x = *(const pair *)(const void *)(n + m), area = x * time;
      *(pair *)(void *)(w->dwell + m) += area;
      *(pair *)(void *)(w->dwell2 + m) += x * area;
    }
    t = since = t_next;
    const small_step *const step = &w->step[leaf];
    const double before = w->a[leaf];
    for (int32_t i = 0; i < changes; i++) n[step->slot[i]] += step->by[i];
    sums_make(net, n, w->a, c, padded);
    if (net->entropy && net->reverse[leaf] >= 0) {
      self->tape_entropy += rng_ln(before / w->a[net->reverse[leaf]]);
    }
    self->fwd[net->count[leaf]]++;
    fired++;
    if (record) {
      record->time[record->rows] = t;
      record->dir[record->rows++] = net->dir[leaf];
    }
    if (fired == last || (record && record->rows == record->capacity)) {
      self->t = self->t_event = t;
      pause = fired == last ? SSA_AT_EVENTS : SSA_RECORD_FULL;
      break;
    }
  }
  self->events += fired;
  for (int32_t m = 0; m < net->moving; m++) self->slot[net->slot[m]].since = since;
  return pause;
}

/* The same by rows of few states. */
static ssa_pause states_run(ssa_replica *self, small_work *w, double t_stop, int64_t last, ssa_record *record,
                            int32_t *bad_dir, int32_t begin)
{
  const small_net *const net = &w->net;
  const states_row *const rows = w->states.row, *row = rows + begin;
  const double horizon = fmin(t_stop, DBL_MAX);
  double t = self->t_event, since = net->moving ? self->slot[net->slot[0]].since : t;
  int64_t fired = 0;
  ssa_pause pause;
  for (;;) {
    if (w->at == RNG_PAIRS) {
      pairs_refill(w);
    }
    const double total = row->total, t_next = t + w->pairs.wait[w->at] / total;
    if (!(t_next <= horizon)) {
      w->c[net->padded - 1] = total;
      pause = small_stop(self, w, t, t_stop, bad_dir);
      break;
    }
    const int32_t open = states_pick(row, w->pairs.choice[w->at++] * total), leaf = row->leaf[open];
    const double time = t_next - since;
    for (int i = 0; i < STATES_FILLED; i++) {
      const double area = row->x[i] * time;
      w->dwell[row->filled[i]] += area;
      w->dwell2[row->filled[i]] += row->x[i] * area;
    }
    t = since = t_next;
    row = rows + row->next[open];
    self->fwd[net->count[leaf]]++;
    fired++;
    if (record) {
      record->time[record->rows] = t;
      record->dir[record->rows++] = net->dir[leaf];
    }
    if (fired == last || (record && record->rows == record->capacity)) {
      self->t = self->t_event = t;
      pause = fired == last ? SSA_AT_EVENTS : SSA_RECORD_FULL;
      break;
    }
  }
  self->events += fired;
  memcpy(w->n, w->states.n[row - rows], (size_t)net->slots * sizeof *w->n);
  for (int32_t m = 0; m < net->moving; m++) self->slot[net->slot[m]].since = since;
  return pause;
}

static ssa_pause small_advance(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                               ssa_record *record, int32_t *bad_dir)
{
  small_work *const w = self->work;
  const small_net *const s = &w->net;
  const int64_t last = max_events > 0 ? max_events : INT64_MAX;
  ssa_pause pause;
  (void)net;
  pairs_begin(w, self->pending ? &self->rng_event : &self->rng);
  for (int32_t i = 0; i < s->slots; i++) w->n[i] = (double)self->n[s->slot[i]];
  for (int32_t m = 0; m < s->moving; m++) {
    w->dwell[m] = self->slot[s->slot[m]].dwell;
    w->dwell2[m] = self->slot[s->slot[m]].dwell2;
  }
  self->pending = false;
  const int32_t row = states_find(&w->states, s, w->n);
  if (row < 0) {
    sums_make(s, w->n, w->a, w->c, s->padded);
  }
  if (row >= 0) {
    pause = states_run(self, w, t_stop, last, record, bad_dir, row);
  } else if (s->padded == 4 && w->changes <= 2) {
    pause = small_run(self, w, t_stop, last, record, bad_dir, 4, 2);
  } else if (s->padded == 12 && w->changes <= 2) {
    pause = small_run(self, w, t_stop, last, record, bad_dir, 12, 2);
  } else if (s->padded == 16 && w->changes <= 4) {
    pause = small_run(self, w, t_stop, last, record, bad_dir, 16, 4);
  } else {
    pause = small_run(self, w, t_stop, last, record, bad_dir, s->padded, w->changes);
  }
  for (int32_t m = 0; m < s->moving; m++) {
    ssa_slot *const slot = &self->slot[s->slot[m]];
    self->n[s->slot[m]] = (int64_t)w->n[m];
    slot->dwell = w->dwell[m];
    slot->dwell2 = w->dwell2[m];
  }
  w->stood = w->block;
  rng_advance(&w->stood, 0, 2 * (uint64_t)w->at);
  self->rng = self->rng_event = w->stood;
  if (self->pending) {
    rng_advance(&self->rng, 0, 2); /* who gives the wait up gives the choice up too */
  }
  return pause;
}

const ssa_kernel ssa_kernel_small = {"direct",     "all sums at every event", small_size, small_start, small_load,
                                     small_advance};
