/* The direct method for small networks, one replica at a time (small.h says what an event is). Networks of few states
 * are looked up (states.h), those of mass action up to the second order go abreast (abreast.h); here are the others,
 * with bounds, third order and tapes. Waits and choices come in blocks. Invariant: a pause leaves no trace; the stream
 * stands before the pair of the next event, or, with a wait pending, rng_event does. */
#include "engine/model/tape.h"
#include "engine/ssa/abreast.h"
#include "engine/ssa/states.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct small_step {         /* what the firing of a leaf changes, filled up with changes of nothing */
  int64_t slot[SMALL_STEP_CHANGES]; /* in the order of small_net */
  double by[SMALL_STEP_CHANGES];
} small_step;

typedef struct small_work {
  small_net net;
  rng_pairs_fill fill;
  abreast_run abreast;          /* NULL: not for this network */
  int32_t changes;              /* the most that any leaf has */
  int32_t row;                  /* of few states, or -1 */
  int32_t at;                   /* next pair of the block */
  rng_stream block, end, stood; /* the stream before and behind the block, and before pair `at` at the last pause */
  double entropy;               /* of steps with a tape */
  small_step step[SMALL_LEAVES];
  double a[SMALL_LEAVES], c[SMALL_LEAVES];
  rng_pairs pairs;
  abreast_net rows;
  abreast_state now; /* whoever makes the events */
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
  w->now.n[net->nslot] = 1;
  states_build(&w->states, s, net->slot_start);
  abreast_compile(s, &w->rows);
  w->abreast = w->rows.lanes ? abreast_best(&w->rows) : NULL;
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
  reg[0] = 0; /* what operations without operands are given */
  for (int32_t i = 0; i < count; i++) {
    const tape_code code = (tape_code)op[i].code;
    const double a = code == TAPE_CONST ? op[i].value : code == TAPE_SLOT ? n[op[i].a] : reg[op[i].a];
    reg[i] = tape_apply(code, a, reg[op[i].b], reg[op[i].c]);
  }
  return reg[count - 1] >= 0 ? reg[count - 1] : (double)NAN;
}

static inline void sums_make(const small_net *net, const double *n, double *a, double *c)
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
  sums_make(net, n, a, c);
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

/* --- runs of events: `most`, or fewer when the next would lie behind the horizon or has no finite propensity --- */

static inline void record_add(ssa_record *record, double t, int32_t dir)
{
  record->time[record->rows] = t;
  record->dir[record->rows++] = dir;
}

/* How many of the sums are not beyond the point: by fours, then within one. */
static inline int32_t leaf_pick(const double *c, double point, int32_t padded)
{
  int32_t group = 0;
  for (int32_t j = SMALL_GROUP - 1; j < padded - 1; j += SMALL_GROUP) group += point >= c[j];
  const double *const own = c + SMALL_GROUP * group;
  return SMALL_GROUP * group + (point >= own[0]) + (point >= own[1]) + (point >= own[2]);
}

static int32_t sums_run(small_work *w, int32_t most, double horizon, ssa_record *record)
{
  const small_net *const net = &w->net;
  abreast_state *const s = &w->now;
  double *const n = s->n;
  int32_t made = 0;
  for (; made < most; made++) {
    const double total = w->c[net->padded - 1], t_next = s->t + w->pairs.wait[w->at + made] / total;
    if (!(t_next <= horizon && total <= DBL_MAX)) break;
    const int32_t leaf = leaf_pick(w->c, w->pairs.choice[w->at + made] * total, net->padded);
    const double time = t_next - s->since, before = w->a[leaf];
    for (int32_t m = 0; m < net->moving; m++) {
      const double area = n[m] * time;
      s->dwell[m] += area;
      s->dwell2[m] += n[m] * area;
    }
    const small_step *const step = &w->step[leaf];
    for (int32_t i = 0; i < w->changes; i++) n[step->slot[i]] += step->by[i];
    sums_make(net, n, w->a, w->c);
    if (net->entropy && net->reverse[leaf] >= 0) {
      w->entropy += rng_ln(before / w->a[net->reverse[leaf]]);
    }
    s->t = s->since = t_next;
    s->fired[leaf]++;
    if (record) record_add(record, t_next, net->dir[leaf]);
  }
  return made;
}

/* The same by rows of few states. */
static int32_t states_run(small_work *w, int32_t most, double horizon, ssa_record *record)
{
  const small_net *const net = &w->net;
  const states_row *const rows = w->states.row, *row = rows + w->row;
  abreast_state *const s = &w->now;
  double t = s->t, since = s->since;
  int32_t made = 0;
  for (; made < most; made++) {
    const double t_next = t + w->pairs.wait[w->at + made] / row->total, time = t_next - since;
    if (!(t_next <= horizon)) break;
    const int32_t open = states_pick(row, w->pairs.choice[w->at + made] * row->total), leaf = row->leaf[open];
    for (int i = 0; i < STATES_FILLED; i++) {
      const double area = row->x[i] * time;
      s->dwell[row->filled[i]] += area;
      s->dwell2[row->filled[i]] += row->x[i] * area;
    }
    t = since = t_next;
    row = rows + row->next[open];
    s->fired[leaf]++;
    if (record) record_add(record, t, net->dir[leaf]);
  }
  s->t = t;
  s->since = since;
  w->row = (int32_t)(row - rows);
  return made;
}

static int32_t events_run(small_work *w, int32_t most, double horizon, ssa_record *record)
{
  return w->row >= 0  ? states_run(w, most, horizon, record)
         : w->abreast ? w->abreast(&w->rows, &w->now, &w->pairs, w->at, most, horizon, w->net.dir, record)
                      : sums_run(w, most, horizon, record);
}

/* --- advancing --- */

/* Takes the replica over: counts, integrals, and the stream before its next pair. */
static void work_enter(small_work *w, const ssa_replica *self)
{
  const small_net *const net = &w->net;
  abreast_state *const s = &w->now;
  pairs_begin(w, self->pending ? &self->rng_event : &self->rng);
  for (int32_t i = 0; i < net->slots; i++) s->n[i] = (double)self->n[net->slot[i]];
  for (int32_t m = 0; m < net->moving; m++) {
    s->dwell[m] = self->slot[net->slot[m]].dwell;
    s->dwell2[m] = self->slot[net->slot[m]].dwell2;
  }
  memset(s->fired, 0, sizeof s->fired);
  s->t = self->t_event;
  s->since = net->moving ? self->slot[net->slot[0]].since : self->t_event;
  w->entropy = self->tape_entropy;
  w->row = states_find(&w->states, net, s->n);
  if (w->row < 0 && w->abreast) abreast_load(net, &w->rows, s);
  if (w->row < 0 && !w->abreast) sums_make(net, s->n, w->a, w->c);
}

/* Gives it back: the stream stands before the pair that was not used. */
static void work_leave(small_work *w, ssa_replica *self, int64_t made)
{
  const small_net *const net = &w->net;
  const abreast_state *const s = &w->now;
  if (w->row >= 0) memcpy(w->now.n, w->states.n[w->row], (size_t)net->slots * sizeof *s->n);
  for (int32_t m = 0; m < net->moving; m++) {
    self->n[net->slot[m]] = (int64_t)s->n[m];
    self->slot[net->slot[m]] = (ssa_slot){s->since, s->dwell[m], s->dwell2[m]};
  }
  for (int32_t j = 0; j < net->leaves; j++) self->fwd[net->count[j]] += s->fired[j];
  self->events += made;
  self->tape_entropy = w->entropy;
  self->t = self->t_event = s->t;
  w->stood = w->block;
  rng_advance(&w->stood, 0, 2 * (uint64_t)w->at);
  self->rng = self->rng_event = w->stood;
}

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

/* The next event lies behind t_stop, or never comes, or its time has no number; the work has been left. */
static ssa_pause small_stop(small_work *w, ssa_replica *self, double t_stop, int32_t *bad_dir)
{
  sums_make(&w->net, w->now.n, w->a, w->c);
  const double total = w->c[w->net.padded - 1];
  if (!(total <= DBL_MAX)) return small_bad(w, bad_dir);
  self->pending = total > 0;
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
  small_work *const w = self->work;
  const double horizon = fmin(t_stop, DBL_MAX);
  const int64_t last = max_events > 0 ? max_events : INT64_MAX;
  int64_t fired = 0, most, made;
  (void)net;
  work_enter(w, self);
  self->pending = false;
  do {
    if (w->at == RNG_PAIRS) pairs_refill(w);
    most = RNG_PAIRS - w->at;
    if (last - fired < most) most = last - fired;
    if (record && record->capacity - record->rows < most) most = record->capacity - record->rows;
    made = events_run(w, (int32_t)most, horizon, record);
    w->at += (int32_t)made;
    fired += made;
  } while (made == most && fired < last && !(record && record->rows == record->capacity));
  work_leave(w, self, fired);
  return made < most ? small_stop(w, self, t_stop, bad_dir) : fired == last ? SSA_AT_EVENTS : SSA_RECORD_FULL;
}

const ssa_kernel ssa_kernel_small = {"direct",     "all sums at every event", small_size, small_start, small_load,
                                     small_advance};
