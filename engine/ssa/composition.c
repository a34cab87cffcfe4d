/* Composition and rejection (Slepoy, Thompson & Plimpton 2008, doi:10.1063/1.2919546) as thinning, for networks with
 * many open directions. A leaf (open direction) of propensity a > 0 belongs to the group of its power of two,
 * bound / 2 <= a < bound, and knows its place among the group's members. Tries come at the rate B, the sum over groups
 * of seats * bound, where the seats are the members rounded up to five bits, so that B seldom changes. A try picks a
 * group by its share of B, a seat of it and a height below its bound; it is an event when a member of propensity above
 * that height sits there.
 *   Exact: between events B is constant, so tries are a Poisson process of rate B; each is an event of leaf j with
 *   probability (seats bound / B) (1 / seats) (a_j / bound) = a_j / B, whatever came before; so the events of j are a
 *   Poisson process of rate a_j (Lewis & Shedler 1979, doi:10.1002/nav.3800260304), and all are independent.
 * Invariant: B is a function of the members of the groups, made anew in the order of groups, so nothing drifts. The
 * order of members follows from the counts at the last load and from the events since then; whoever goes on with the
 * same bits from counts and generator loads first. Time stands at the last try, which every pause may come behind.
 * Cost: an event takes 1.4 tries, each of three draws and one look at a leaf, and the propensities that its step
 * touches, however many leaves there are. What grows is the way to memory, so in large networks what tries will reach
 * is fetched in advance: in a row of sites an event of a million leaves costs three times one of two thousand, where
 * the tree of sums pays ten times. A load is O(leaves).
 * Memory: 44 bytes a leaf, 8 a step and each of its changes, 4 each rate that it touches; 130 KiB for the groups. */
#include "engine/ssa/kernel.h"
#include "engine/ssa/rate.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
  GROUPS = 2047,     /* exponents of finite doubles, from small to large */
  CLOSED = GROUPS,   /* in place of a group: propensity zero */
  BAD = GROUPS + 1,  /* ... and negative, infinite or no number */
  EDGES = 8,         /* compared at a time */
  TRIES = 16,        /* drawn at a time */
  ROOM = 8,          /* members that fit into a new group */
  SEAT_BITS = 5,     /* of the seats; fewer members than 32 have a seat each */
  FETCHED = 8,       /* changes and dependencies of an event that are fetched */
  FAR_LEAVES = 16384 /* from so many on, memory is worth to be fetched in advance */
};

#if defined(__GNUC__)
#define COMPOSITION_INLINE static inline __attribute__((always_inline))
#define COMPOSITION_FETCH(place) __builtin_prefetch(place)
#else
#define COMPOSITION_INLINE static inline
#define COMPOSITION_FETCH(place) ((void)(place))
#endif

/* All that a try and a dependency look at, two to a cache line. The propensity is not kept: a try computes it, and an
 * event reads the leaves that it touches but writes only those that change their group. */
typedef struct leaf {
  double k; /* QUAD: k n_a (n_b + shift_b) */
  int32_t a, b;
  int32_t place;  /* among the members of its group */
  int32_t effect; /* of its step: number of changes, number of dependencies; slot and amount of each change when the
                     step goes forward; the leaves to compute anew */
  int32_t count;  /* index in fwd:bwd */
  uint16_t group;
  int8_t shift_b, kind;
} leaf;

typedef struct group {
  int32_t start, room; /* its part of `member` */
  int32_t members;
  int32_t low, seats; /* low < members <= seats */
  bool listed;
} group;

typedef struct composition_work {
  int32_t leaves; /* in order of their directions */
  int32_t slots, steps;
  bool plain;            /* all rates QUAD */
  bool stale;            /* the bound has to be made anew */
  int32_t bad;           /* leaves that are */
  int32_t top, pool;     /* of `member`: used, and all */
  int32_t listed;        /* groups with members, and those that had some when the bound was last made */
  double bound, inverse; /* B, 1/s; 1/B, infinite when there is nothing to try */
  uint16_t *order;       /* (listed) groups from large to small */
  double *edge;          /* (listed, and infinities to whole EDGES) sums of seats * bound up to this group */
  group *group;          /* (GROUPS) */
  int32_t *member;       /* (pool) leaves by group */
  leaf *leaf;            /* (leaves) */
  int32_t *effect;
  rate_law *law;    /* (leaves) unless plain */
  int32_t *reverse; /* (leaves) unless plain: the way back of a reversible step with a tape, else -1 */
  double *scratch;  /* (tape_max) */
} composition_work;

/* A try before it is made. */
typedef struct trial {
  double wait;     /* of mean 1 */
  double pick;     /* of a group, in [0, 1) */
  uint64_t seat;   /* and height: a fraction of 2^64 */
  uint64_t hi, lo; /* the generator before it */
} trial;

/* --- groups --- */

/* The group whose bound lies above the propensity by a factor of two at most; that of subnormal ones takes all. */
COMPOSITION_INLINE int32_t rate_group(double rate)
{
  uint64_t bits;
  memcpy(&bits, &rate, sizeof bits);
  const uint64_t exponent = bits >> 52;
  const int32_t open = exponent < GROUPS ? (int32_t)exponent : BAD;
  return bits << 1 ? open : CLOSED;
}

COMPOSITION_INLINE double group_bound(int32_t at)
{
  const uint64_t bits = ((uint64_t)at + 1) << 52;
  double bound;
  memcpy(&bound, &bits, sizeof bound);
  return bound;
}

/* Members rounded up to SEAT_BITS bits: a function of their number, that few moves change. */
static void group_seat(group *self)
{
  const uint32_t before = (uint32_t)self->members - 1;
  int32_t shift = 0;
  while (before >> shift >> SEAT_BITS) {
    shift++;
  }
  self->low = (int32_t)(before >> shift << shift);
  self->seats = self->low + (INT32_C(1) << shift);
}

/* Groups without members leave the list. */
static void bound_make(composition_work *w)
{
  int32_t kept = 0;
  double sum = 0;
  for (int32_t i = 0; i < w->listed; i++) {
    const int32_t at = w->order[i];
    group *const self = &w->group[at];
    self->listed = self->members > 0;
    self->seats = 0; /* the first member of a group that is not listed makes the bound stale */
    if (self->listed) {
      group_seat(self);
      sum += (double)self->seats * group_bound(at);
      w->order[kept] = (uint16_t)at;
      w->edge[kept++] = sum;
    }
  }
  w->listed = kept;
  for (int32_t i = kept; i % EDGES; i++) {
    w->edge[i] = INFINITY;
  }
  w->bound = sum;
  w->inverse = sum <= DBL_MAX && w->bad == 0 ? 1 / sum : INFINITY;
  w->stale = false;
}

static void group_list(composition_work *w, int32_t at)
{
  int32_t i = w->listed++;
  for (; i > 0 && w->order[i - 1] < at; i--) {
    w->order[i] = w->order[i - 1];
  }
  w->order[i] = (uint16_t)at;
  w->group[at].listed = true;
}

/* Gives every group room for half as many members again, and puts the leaves into theirs in the order of leaves. */
static void groups_pack(composition_work *w)
{
  memset(w->group, 0, GROUPS * sizeof *w->group);
  w->top = w->listed = w->bad = 0;
  for (int32_t i = 0; i < w->leaves; i++) {
    const int32_t at = w->leaf[i].group;
    if (at < GROUPS) {
      w->group[at].room++;
    }
    w->bad += at == BAD;
  }
  for (int32_t at = GROUPS - 1; at >= 0; at--) {
    group *const self = &w->group[at];
    if (self->room) {
      self->start = w->top;
      self->room += self->room / 2 + ROOM;
      w->top += self->room;
      group_list(w, at);
    }
  }
  for (int32_t i = 0; i < w->leaves; i++) {
    leaf *const l = &w->leaf[i];
    if (l->group < GROUPS) {
      group *const self = &w->group[l->group];
      l->place = self->members++;
      w->member[self->start + l->place] = i;
    }
  }
  bound_make(w);
}

/* More room for a full group, at the end of all. False when there is none left. */
static bool group_widen(composition_work *w, group *self)
{
  const int32_t room = 2 * self->members + ROOM;
  if (room > w->pool - w->top) {
    return false;
  }
  memcpy(w->member + w->top, w->member + self->start, (size_t)self->members * sizeof *w->member);
  self->start = w->top;
  self->room = room;
  w->top += room;
  return true;
}

COMPOSITION_INLINE void group_drop(composition_work *w, int32_t at, int32_t place)
{
  group *const self = &w->group[at];
  const int32_t last = w->member[self->start + --self->members];
  w->member[self->start + place] = last;
  w->leaf[last].place = place;
  w->stale |= self->members <= self->low;
}

COMPOSITION_INLINE void leaf_move(composition_work *w, int32_t which, int32_t to)
{
  leaf *const l = &w->leaf[which];
  const int32_t from = l->group;
  l->group = (uint16_t)to;
  if (from < GROUPS) {
    group_drop(w, from, l->place);
  }
  if (from == BAD || to == BAD) {
    w->bad += (to == BAD) - (from == BAD);
    w->stale = true;
  }
  if (to < GROUPS) {
    group *const self = &w->group[to];
    if (self->members == self->room && !group_widen(w, self)) {
      groups_pack(w);
      return;
    }
    if (!self->listed) {
      group_list(w, to);
    }
    l->place = self->members++;
    w->member[self->start + l->place] = which;
    w->stale |= self->members > self->seats;
  }
}

/* --- rates --- */

COMPOSITION_INLINE double leaf_quad(const leaf *l, const int64_t *n)
{
  return rate_pair(l->k, n[l->a], n[l->b] + l->shift_b);
}

COMPOSITION_INLINE double leaf_rate(const composition_work *w, const ness_network *net, int32_t which, const int64_t *n,
                                    bool plain)
{
  const leaf *const l = &w->leaf[which];
  return plain || l->kind == RATE_QUAD ? leaf_quad(l, n) : rate_any(&w->law[which], net, n, w->scratch);
}

/* --- compiling --- */

static bool network_plain(const ness_network *net)
{
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    if (rate_open(net, dir) && rate_compile(net, dir, 0).quad.kind != RATE_QUAD) {
      return false;
    }
  }
  return true;
}

/* Lays the parts out behind the work's own head; with base NULL it only measures. SIZE_MAX when they do not fit. */
static size_t work_layout(const ness_network *net, char *base, composition_work *w)
{
  carve memory = {base, 0, false};
  size_t leaves = 0;
  carve_take(&memory, 1, sizeof *w);
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    leaves += rate_open(net, dir);
  }
  const size_t pool = 3 * leaves + (size_t)GROUPS * ROOM;
  const size_t effects = 2 * ((size_t)net->nstep + (size_t)net->nchange) + (size_t)net->ndep;
  w->plain = network_plain(net);
  w->leaves = (int32_t)leaves;
  w->slots = net->nslot;
  w->steps = net->nstep;
  w->pool = (int32_t)pool;
  w->order = carve_take(&memory, GROUPS, sizeof *w->order);
  w->edge = carve_take(&memory, GROUPS + EDGES, sizeof *w->edge);
  w->group = carve_take(&memory, GROUPS, sizeof *w->group);
  w->member = carve_take(&memory, pool, sizeof *w->member);
  w->leaf = carve_take(&memory, leaves, sizeof *w->leaf);
  w->effect = carve_take(&memory, effects, sizeof *w->effect);
  w->law = carve_take(&memory, w->plain ? 0 : leaves, sizeof *w->law);
  w->reverse = carve_take(&memory, w->plain ? 0 : leaves, sizeof *w->reverse);
  w->scratch = carve_take(&memory, (size_t)net->tape_max, sizeof *w->scratch);
  return memory.failed || pool > INT32_MAX || effects > INT32_MAX ? SIZE_MAX : memory.end;
}

static size_t composition_size(const ness_network *net)
{
  composition_work measured;
  return work_layout(net, NULL, &measured);
}

static int32_t leaf_dir(const composition_work *w, int32_t which)
{
  const int32_t count = w->leaf[which].count;
  return count < w->steps ? 2 * count : 2 * (count - w->steps) + 1;
}

/* The leaf of a direction, or -1. */
static int32_t leaf_find(const composition_work *w, int32_t dir)
{
  int32_t low = 0, high = w->leaves;
  while (low < high) {
    const int32_t mid = low + (high - low) / 2;
    if (leaf_dir(w, mid) < dir) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low < w->leaves && leaf_dir(w, low) == dir ? low : -1;
}

/* What a step does, from `end` on; returns the new end. */
static int32_t effect_compile(composition_work *w, const ness_network *net, int32_t step, int32_t end)
{
  int32_t *const head = w->effect + end, *at = head + 2;
  for (int32_t i = net->change_start[step]; i < net->change_start[step + 1]; i++) {
    *at++ = net->change_slot[i];
    *at++ = net->change_by[i];
    head[0]++;
  }
  for (int32_t i = net->dep_start[step]; i < net->dep_start[step + 1]; i++) {
    const int32_t dep = leaf_find(w, net->dep_dir[i]);
    if (dep >= 0) {
      *at++ = dep;
      head[1]++;
    }
  }
  return end + (int32_t)(at - head);
}

static void composition_start(void *work, const ness_network *net)
{
  composition_work *w = work;
  work_layout(net, work, w);
  int32_t which = 0, end = 0;
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    if (!rate_open(net, dir)) {
      continue;
    }
    const rate_law law = rate_compile(net, dir, which);
    w->leaf[which] = (leaf){.k = law.quad.k,
                            .a = law.quad.a,
                            .b = law.quad.b,
                            .count = dir / 2 + (dir % 2 ? net->nstep : 0),
                            .shift_b = (int8_t)law.quad.shift_b,
                            .kind = (int8_t)law.quad.kind};
    if (!w->plain) {
      w->law[which] = law;
    }
    which++;
  }
  for (which = 0; which < w->leaves; which++) {
    const int32_t dir = leaf_dir(w, which), step = dir / 2;
    const bool second = which > 0 && leaf_dir(w, which - 1) / 2 == step;
    w->leaf[which].effect = second ? w->leaf[which - 1].effect : end;
    if (!second) {
      end = effect_compile(w, net, step, end);
    }
    if (!w->plain) {
      const bool tape = net->dir_law[2 * step] == LAW_TAPE || net->dir_law[2 * step + 1] == LAW_TAPE;
      w->reverse[which] = tape ? leaf_find(w, dir ^ 1) : -1;
    }
  }
}

static void composition_load(ssa_replica *self, const ness_network *net)
{
  composition_work *w = self->work;
  for (int32_t i = 0; i < w->leaves; i++) {
    w->leaf[i].group = (uint16_t)rate_group(leaf_rate(w, net, i, self->n, w->plain));
  }
  groups_pack(w);
}

/* --- tries --- */

static void trials_draw(trial *trials, rng_stream *rng)
{
  rng_stream stream = *rng;
  for (int32_t i = 0; i < TRIES; i++) {
    trials[i].hi = stream.hi;
    trials[i].lo = stream.lo;
    trials[i].wait = rng_exp(&stream);
    trials[i].pick = rng_double(&stream);
    trials[i].seat = rng_next(&stream);
  }
  *rng = stream;
}

/* Where in `member` a try falls, or -1 where nobody sits; and its height in the group. */
COMPOSITION_INLINE int32_t trial_place(const composition_work *w, const trial *self, double *height)
{
  const double point = self->pick * w->bound; /* < bound, the last edge */
  int32_t listed = 0, below;
  do {
    const double *const edge = w->edge + listed;
    below = 0;
    for (int32_t i = 0; i < EDGES; i++) {
      below += edge[i] <= point;
    }
    listed += below;
  } while (below == EDGES);
  const int32_t at = w->order[listed];
  const group *const g = &w->group[at];
  const uint64_t seats = (uint64_t)g->seats;
  const rng_u128 seat = (rng_u128)self->seat * seats;
  const int32_t place = (int32_t)(seat >> 64);
  *height = (double)(int64_t)((uint64_t)seat >> 11) * 0x1p-53 * group_bound(at);
  return place < g->members ? g->start + place : -1;
}

/* Fetches what the tries will reach, as far as it can be seen now: a hint, which changes no result. Stage by stage,
 * since where to look next is known when the stage before has come. */
static void trials_fetch(const composition_work *w, const ssa_replica *replica, const trial *trials)
{
  int32_t seen[TRIES], found = 0, fired = 0;
  double height[TRIES];
  for (int32_t i = 0; i < TRIES; i++) {
    seen[found] = trial_place(w, &trials[i], &height[found]);
    found += seen[found] >= 0;
  }
  for (int32_t i = 0; i < found; i++) {
    COMPOSITION_FETCH(w->member + seen[i]);
  }
  for (int32_t i = 0; i < found; i++) {
    seen[i] = w->member[seen[i]];
    COMPOSITION_FETCH(w->leaf + seen[i]);
  }
  for (int32_t i = 0; i < found; i++) {
    const leaf *const l = &w->leaf[seen[i]];
    COMPOSITION_FETCH(replica->n + l->a);
    COMPOSITION_FETCH(replica->n + l->b);
  }
  for (int32_t i = 0; i < found; i++) {
    const leaf *const l = &w->leaf[seen[i]];
    if (l->kind != RATE_QUAD || height[i] < leaf_quad(l, replica->n)) {
      COMPOSITION_FETCH(w->effect + l->effect);
      COMPOSITION_FETCH(replica->fwd + l->count);
      seen[fired++] = seen[i];
    }
  }
  for (int32_t i = 0; i < fired; i++) {
    const int32_t *effect = w->effect + w->leaf[seen[i]].effect;
    const int32_t changes = effect[0] < FETCHED ? effect[0] : FETCHED, deps = effect[1] < FETCHED ? effect[1] : FETCHED;
    const int32_t *const dep = effect + 2 + 2 * effect[0];
    for (int32_t j = 0; j < changes; j++) {
      COMPOSITION_FETCH(replica->slot + effect[2 + 2 * j]);
    }
    for (int32_t j = 0; j < deps; j++) {
      COMPOSITION_FETCH(w->leaf + dep[j]);
    }
  }
}

/* --- advancing --- */

static ssa_pause composition_bad(const composition_work *w, const ssa_replica *self, const ness_network *net,
                                 int32_t *bad_dir)
{
  double largest = 0;
  for (int32_t i = 0; i < w->leaves; i++) {
    const double rate = leaf_rate(w, net, i, self->n, w->plain);
    if (w->leaf[i].group == BAD) {
      *bad_dir = leaf_dir(w, i);
      break;
    }
    if (rate > largest) { /* each is finite, their sum is not */
      *bad_dir = leaf_dir(w, i);
      largest = rate;
    }
  }
  return SSA_BAD_RATE;
}

/* The wait from t on ends behind t_stop, or never, or there is nothing to wait for. */
static ssa_pause composition_stop(ssa_replica *self, const composition_work *w, const ness_network *net, double t,
                                  double t_stop, int32_t *bad_dir)
{
  self->t = self->t_event = t;
  if (w->bad || w->bound > DBL_MAX) {
    return composition_bad(w, self, net, bad_dir);
  }
  self->pending = w->bound > 0;
  if (t_stop < INFINITY) {
    self->t = t_stop;
    self->t_event = self->pending ? t : t_stop;
  }
  return self->pending && t_stop < INFINITY ? SSA_AT_TIME : SSA_ABSORBED;
}

/* One body, compiled for all networks and for those with plain rates. Tries that a pause leaves undone are drawn again
 * from the generator before the first of them. */
COMPOSITION_INLINE ssa_pause composition_run(ssa_replica *self, const ness_network *net, double t_stop,
                                             int64_t max_events, ssa_record *record, int32_t *bad_dir, bool plain)
{
  composition_work *const w = self->work;
  int64_t *const n = self->n, *const count = self->fwd;
  ssa_slot *const slots = self->slot;
  const double horizon = fmin(t_stop, DBL_MAX);
  const int64_t last = max_events > 0 ? max_events : INT64_MAX;
  const bool far = w->leaves >= FAR_LEAVES;
  rng_stream rng = self->pending ? self->rng_event : self->rng;
  trial trials[TRIES + 1];
  int32_t at = TRIES;
  double t = self->t_event;
  int64_t fired = 0;
  ssa_pause pause;

  self->pending = false;
  for (;;) {
    if (at == TRIES) {
      trials_draw(trials, &rng);
      if (far) {
        trials_fetch(w, self, trials);
      }
      at = 0;
    }
    const trial *const now = &trials[at];
    const double t_next = t + now->wait * w->inverse;
    if (!(t_next <= horizon)) {
      pause = composition_stop(self, w, net, t, t_stop, bad_dir);
      break;
    }
    t = t_next;
    at++;
    double height;
    const int32_t place = trial_place(w, now, &height);
    if (place < 0) {
      continue;
    }
    const int32_t which = w->member[place];
    const leaf *const l = &w->leaf[which];
    const double rate = leaf_rate(w, net, which, n, plain);
    if (height >= rate) {
      continue;
    }
    const int32_t *effect = w->effect + l->effect;
    const int32_t changes = effect[0], deps = effect[1], sign = l->count < w->steps ? 1 : -1;
    effect += 2;
    for (int32_t i = 0; i < changes; i++, effect += 2) {
      slot_change(&slots[effect[0]], &n[effect[0]], sign * effect[1], t);
    }
    for (int32_t i = 0; i < deps; i++) {
      const int32_t to = rate_group(leaf_rate(w, net, effect[i], n, plain));
      if (to != w->leaf[effect[i]].group) {
        leaf_move(w, effect[i], to);
      }
    }
    if (w->stale) {
      bound_make(w);
    }
    count[l->count]++;
    fired++;
    if (!plain && w->reverse[which] >= 0) {
      self->tape_entropy += rng_ln(rate / leaf_rate(w, net, w->reverse[which], n, plain));
    }
    if (record) {
      record->time[record->rows] = t;
      record->dir[record->rows++] = leaf_dir(w, which);
    }
    if (fired == last || (record && record->rows == record->capacity)) {
      self->t = self->t_event = t;
      pause = fired == last ? SSA_AT_EVENTS : SSA_RECORD_FULL;
      break;
    }
  }
  /* The generator before the next try, and, with a wait pending, behind it for whoever gives it up. */
  trials[TRIES].hi = rng.hi;
  trials[TRIES].lo = rng.lo;
  self->rng_event = (rng_stream){trials[at].hi, trials[at].lo, rng.inc_hi, rng.inc_lo};
  at += self->pending;
  self->rng = (rng_stream){trials[at].hi, trials[at].lo, rng.inc_hi, rng.inc_lo};
  self->events += fired;
  return pause;
}

static ssa_pause composition_advance(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                                     ssa_record *record, int32_t *bad_dir)
{
  const composition_work *const w = self->work;
  return w->plain ? composition_run(self, net, t_stop, max_events, record, bad_dir, true)
                  : composition_run(self, net, t_stop, max_events, record, bad_dir, false);
}

const ssa_kernel ssa_kernel_composition = {"composition",
                                           "groups by powers of two",
                                           composition_size,
                                           composition_start,
                                           composition_load,
                                           composition_advance,
                                           false,
                                           false};
