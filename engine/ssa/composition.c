/* Composition and rejection (Slepoy, Thompson & Plimpton 2008, doi:10.1063/1.2919546) as thinning, for networks with
 * many open directions. A leaf (direction) of propensity a > 0 belongs to the group of its power of two,
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
 * touches, however many leaves there are. What grows is the way to memory: in a row of sites an event of a million
 * leaves reaches nine cache lines that nobody has looked at for long, so these are few and are fetched in advance; it
 * costs twice one of two thousand. A load is O(leaves).
 * Memory: 36 bytes a leaf, 64 a step, 8 a constant; 130 KiB for the groups. */
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
  GROUP_MASK = 4095, /* of the bits that all of these take */
  OWN = 65535,       /* in place of a shared constant */
  PROBES = 8,        /* places that a constant may have */
  EFFECT_WORDS = 14, /* of changes and dependencies in a cache line with their numbers */
  TRIES = 16,        /* drawn at a time */
  AHEAD = 3,         /* tries between two stages of fetching */
  RING = 64,         /* more than 5 AHEAD, and 3 TRIES */
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

/* What a try and a dependency look at, four to a cache line; a leaf is a direction, closed ones too. The propensity is
 * not kept: a try computes it, and an event reads the leaves that it touches but writes only those that change their
 * group. */
typedef struct leaf {
  int32_t a, b;    /* QUAD: k n_a (n_b - equal) */
  int32_t place;   /* among the members of its group */
  unsigned k : 16; /* where in `constant`, or OWN */
  unsigned group : 12;
  unsigned equal : 1;
  unsigned quad : 1; /* else see `law` */
  unsigned tape : 1; /* its step has a tape, and a way back */
} leaf;

/* What a step does, in a cache line: slot and amount of each change when it goes forward, then the leaves to compute
 * anew. More than fit stand in `spill`, from word[0] on. */
typedef struct effect {
  int32_t changes, deps;
  int32_t word[EFFECT_WORDS];
} effect;

typedef struct group {
  int32_t start, room; /* its part of `member` */
  int32_t members;
  int32_t low, seats; /* low < members <= seats */
  bool listed;
} group;

typedef struct composition_work {
  int32_t leaves, steps;
  bool plain;            /* all rates QUAD, by shared constants */
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
  effect *effect;        /* (steps) */
  int32_t *spill;
  uint32_t constants; /* a power of two */
  double *constant;   /* (constants) of rates, each once where its bits say, 0 nothing; the first is 0 */
  double *own;        /* (leaves) those that found no place there */
  rate_law *law;      /* (leaves) where a rate is not QUAD, else NULL */
  double *scratch;    /* (tape_max) */
} composition_work;

/* A try before it is made. */
typedef struct trial {
  double wait;     /* of mean 1 */
  double pick;     /* of a group, in [0, 1) */
  uint64_t seat;   /* and height: a fraction of 2^64 */
  uint64_t hi, lo; /* the generator before it */
  double height;   /* in its group, as far as it can be seen in advance */
  int32_t seen;    /* where it falls, likewise: in `member`, later on which leaf; -1 nowhere */
} trial;

/* Tries in hand: number i stands at i % RING. */
typedef struct trial_ring {
  trial trial[RING];
  uint32_t drawn;
} trial_ring;

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
    const int32_t at = (int32_t)w->leaf[i].group;
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
  if (w->leaves >= FAR_LEAVES && self->members > 0) {
    COMPOSITION_FETCH(&w->leaf[w->member[self->start + self->members - 1]]); /* the next to move */
  }
  w->stale |= self->members <= self->low;
}

COMPOSITION_INLINE void leaf_move(composition_work *w, int32_t which, int32_t to)
{
  leaf *const l = &w->leaf[which];
  const int32_t from = (int32_t)l->group;
  l->group = (unsigned)to & GROUP_MASK;
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

COMPOSITION_INLINE double leaf_quad(const composition_work *w, int32_t which, const int64_t *n, bool plain)
{
  const leaf *const l = &w->leaf[which];
  return rate_pair(!plain && l->k == OWN ? w->own[which] : w->constant[l->k], n[l->a], n[l->b] - l->equal);
}

COMPOSITION_INLINE double leaf_rate(const composition_work *w, const ness_network *net, int32_t which, const int64_t *n,
                                    bool plain)
{
  return plain || w->leaf[which].quad ? leaf_quad(w, which, n, plain) : rate_any(&w->law[which], net, n, w->scratch);
}

/* Changes, and behind them dependencies. */
COMPOSITION_INLINE const int32_t *effect_list(const composition_work *w, const effect *self)
{
  return 2 * self->changes + self->deps > EFFECT_WORDS ? w->spill + self->word[0] : self->word;
}

/* The index in fwd:bwd. */
COMPOSITION_INLINE int32_t leaf_count(const composition_work *w, int32_t which)
{
  return (which >> 1) + (which & 1 ? w->steps : 0);
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

/* Of changes and dependencies. */
static size_t effect_words(const ness_network *net, int32_t step)
{
  size_t words = 2 * (size_t)(net->change_start[step + 1] - net->change_start[step]);
  for (int32_t i = net->dep_start[step]; i < net->dep_start[step + 1]; i++) {
    words += rate_open(net, net->dep_dir[i]);
  }
  return words;
}

/* Lays the parts out behind the work's own head; with base NULL it only measures. SIZE_MAX when they do not fit. */
static size_t work_layout(const ness_network *net, char *base, composition_work *w)
{
  carve memory = {base, 0, false};
  size_t spill = 0;
  carve_take(&memory, 1, sizeof *w);
  for (int32_t step = 0; step < net->nstep; step++) {
    const size_t words = effect_words(net, step);
    spill += words > EFFECT_WORDS ? words : 0;
  }
  const size_t leaves = 2 * (size_t)net->nstep, pool = 3 * leaves + (size_t)GROUPS * ROOM;
  w->constants = 2;
  while (w->constants < OWN + 1 && w->constants < 4 * leaves) {
    w->constants *= 2;
  }
  w->plain = network_plain(net);
  w->leaves = (int32_t)leaves;
  w->steps = net->nstep;
  w->pool = (int32_t)pool;
  w->order = carve_take(&memory, GROUPS, sizeof *w->order);
  w->edge = carve_take(&memory, GROUPS + EDGES, sizeof *w->edge);
  w->group = carve_take(&memory, GROUPS, sizeof *w->group);
  w->member = carve_take(&memory, pool, sizeof *w->member);
  w->leaf = carve_take(&memory, leaves, sizeof *w->leaf);
  w->effect = carve_take(&memory, (size_t)net->nstep, sizeof *w->effect);
  w->spill = carve_take(&memory, spill, sizeof *w->spill);
  w->constant = carve_take(&memory, w->constants, sizeof *w->constant);
  w->own = carve_take(&memory, leaves, sizeof *w->own);
  w->law = carve_take(&memory, w->plain ? 0 : leaves, sizeof *w->law);
  w->law = w->plain ? NULL : w->law;
  w->scratch = carve_take(&memory, (size_t)net->tape_max, sizeof *w->scratch);
  return memory.failed || pool > INT32_MAX || spill > INT32_MAX ? SIZE_MAX : memory.end;
}

static size_t composition_size(const ness_network *net)
{
  composition_work measured;
  return work_layout(net, NULL, &measured);
}

/* Compiles what a step does; returns the new end of the spill. */
static int32_t effect_compile(composition_work *w, const ness_network *net, int32_t step, int32_t end)
{
  effect *const self = &w->effect[step];
  const bool spilt = effect_words(net, step) > EFFECT_WORDS;
  int32_t *const start = spilt ? w->spill + end : self->word, *at = start;
  for (int32_t i = net->change_start[step]; i < net->change_start[step + 1]; i++) {
    *at++ = net->change_slot[i];
    *at++ = net->change_by[i];
    self->changes++;
  }
  for (int32_t i = net->dep_start[step]; i < net->dep_start[step + 1]; i++) {
    if (rate_open(net, net->dep_dir[i])) {
      *at++ = net->dep_dir[i];
      self->deps++;
    }
  }
  if (spilt) {
    self->word[0] = end;
    end += (int32_t)(at - start);
  }
  return end;
}

/* The place of a constant among all, or OWN. */
static uint32_t constant_place(composition_work *w, double k)
{
  uint64_t bits;
  memcpy(&bits, &k, sizeof bits);
  const uint32_t first = (uint32_t)(bits * UINT64_C(0x9e3779b97f4a7c15) >> 40);
  for (uint32_t i = 0; i < PROBES; i++) {
    const uint32_t at = (first + i) % w->constants;
    if (at > 0 && at < OWN && (w->constant[at] == k || w->constant[at] == 0)) {
      w->constant[at] = k;
      return at;
    }
  }
  return OWN;
}

static void composition_start(void *work, const ness_network *net)
{
  composition_work *w = work;
  work_layout(net, work, w);
  int32_t end = 0;
  for (int32_t step = 0; step < net->nstep; step++) {
    end = effect_compile(w, net, step, end);
  }
  for (int32_t dir = 0; dir < w->leaves; dir++) {
    const rate_law law = rate_compile(net, dir, dir);
    const bool open = rate_open(net, dir), tape = net->dir_law[dir] == LAW_TAPE || net->dir_law[dir ^ 1] == LAW_TAPE;
    const uint32_t place = open ? constant_place(w, law.quad.k) : 0;
    w->leaf[dir] = (leaf){.a = law.quad.a,
                          .b = law.quad.b,
                          .k = place & OWN,
                          .equal = law.quad.shift_b < 0,
                          .quad = law.quad.kind == RATE_QUAD || !open,
                          .tape = tape && open && rate_open(net, dir ^ 1)};
    w->own[dir] = law.quad.k;
    w->plain = w->plain && place != OWN;
    if (w->law && open) {
      w->law[dir] = law;
    }
  }
}

static void composition_load(ssa_replica *self, const ness_network *net)
{
  composition_work *w = self->work;
  for (int32_t i = 0; i < w->leaves; i++) {
    w->leaf[i].group = GROUP_MASK & (unsigned)rate_group(leaf_rate(w, net, i, self->n, w->plain));
  }
  groups_pack(w);
}

/* --- tries --- */

static void trials_draw(trial_ring *self, rng_stream *rng)
{
  rng_stream stream = *rng;
  for (int32_t i = 0; i < TRIES; i++) {
    trial *const drawn = &self->trial[self->drawn++ % RING];
    drawn->hi = stream.hi;
    drawn->lo = stream.lo;
    drawn->wait = rng_exp(&stream);
    drawn->pick = rng_double(&stream);
    drawn->seat = rng_next(&stream);
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

COMPOSITION_INLINE trial *ring_at(trial_ring *self, uint32_t number)
{
  return &self->trial[number % RING];
}

/* The leaves and slots that a step touches. */
COMPOSITION_INLINE void effect_fetch(const composition_work *w, const ssa_replica *replica, const effect *does)
{
  const int32_t *const change = effect_list(w, does), *const dep = change + 2 * does->changes;
  const int32_t changes = does->changes < FETCHED ? does->changes : FETCHED;
  const int32_t deps = does->deps < FETCHED ? does->deps : FETCHED;
  for (int32_t i = 0; i < changes; i++) {
    COMPOSITION_FETCH(replica->slot + change[2 * i]);
  }
  for (int32_t i = 0; i < deps; i++) {
    COMPOSITION_FETCH(w->leaf + dep[i]);
  }
}

/* Before try number `now`: what the next ones will reach is fetched in advance, in stages, since where to look next is
 * known when the stage before has come. All of it is a hint, which changes no result. One try of each stage at a time,
 * since processors drop what they are asked to fetch in a burst. */
COMPOSITION_INLINE void trials_fetch(const composition_work *w, const ssa_replica *replica, trial_ring *ring,
                                     uint32_t now)
{
  trial *const drawn = ring_at(ring, now + 5 * AHEAD), *const placed = ring_at(ring, now + 4 * AHEAD);
  const trial *const met = ring_at(ring, now + 3 * AHEAD), *const sure = ring_at(ring, now + AHEAD);
  trial *const tried = ring_at(ring, now + 2 * AHEAD);
  drawn->seen = trial_place(w, drawn, &drawn->height);
  if (drawn->seen >= 0) {
    COMPOSITION_FETCH(w->member + drawn->seen);
  }
  if (placed->seen >= 0) {
    placed->seen = w->member[placed->seen];
    COMPOSITION_FETCH(w->leaf + placed->seen);
  }
  if (met->seen >= 0) {
    COMPOSITION_FETCH(replica->n + w->leaf[met->seen].a);
    COMPOSITION_FETCH(replica->n + w->leaf[met->seen].b);
  }
  if (tried->seen >= 0 && w->leaf[tried->seen].quad && tried->height >= leaf_quad(w, tried->seen, replica->n, false)) {
    tried->seen = -1;
  }
  if (tried->seen >= 0) {
    COMPOSITION_FETCH(w->effect + (tried->seen >> 1));
    COMPOSITION_FETCH(replica->fwd + leaf_count(w, tried->seen));
  }
  if (sure->seen >= 0) {
    effect_fetch(w, replica, &w->effect[sure->seen >> 1]);
  }
}

/* No try in hand; in a large network as many as are looked at in advance. */
static void ring_begin(trial_ring *self, const composition_work *w, const ssa_replica *replica, rng_stream *rng)
{
  self->drawn = 0;
  if (w->leaves >= FAR_LEAVES) {
    for (uint32_t i = 0; i < RING; i++) {
      self->trial[i].seen = -1;
    }
    while (self->drawn < RING - 2 * TRIES) {
      trials_draw(self, rng);
    }
    for (uint32_t i = 0; i < 5 * AHEAD; i++) {
      trials_fetch(w, replica, self, i - 5 * AHEAD);
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
      *bad_dir = i;
      break;
    }
    if (rate > largest) { /* each is finite, their sum is not */
      *bad_dir = i;
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
  trial_ring ring;
  uint32_t at = 0;
  double t = self->t_event;
  int64_t fired = 0;
  ssa_pause pause;

  self->pending = false;
  ring_begin(&ring, w, self, &rng);
  for (;;) {
    if (at % TRIES == 0) {
      trials_draw(&ring, &rng);
    }
    if (far) {
      trials_fetch(w, self, &ring, at);
    }
    const trial *const now = ring_at(&ring, at);
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
    const double rate = leaf_rate(w, net, which, n, plain);
    if (height >= rate) {
      continue;
    }
    const effect *const does = &w->effect[which >> 1];
    const int32_t *list = effect_list(w, does);
    const int32_t changes = does->changes, deps = does->deps, sign = which & 1 ? -1 : 1;
    for (int32_t i = 0; i < changes; i++, list += 2) {
      slot_change(&slots[list[0]], &n[list[0]], sign * list[1], t);
    }
    for (int32_t i = 0; i < deps; i++) {
      const int32_t to = rate_group(leaf_rate(w, net, list[i], n, plain));
      if (to != (int32_t)w->leaf[list[i]].group) {
        leaf_move(w, list[i], to);
      }
    }
    if (w->stale) {
      bound_make(w);
    }
    count[leaf_count(w, which)]++;
    fired++;
    if (!plain && w->leaf[which].tape) {
      self->tape_entropy += rng_ln(rate / leaf_rate(w, net, which ^ 1, n, plain));
    }
    if (record) {
      record->time[record->rows] = t;
      record->dir[record->rows++] = which;
    }
    if (fired == last || (record && record->rows == record->capacity)) {
      self->t = self->t_event = t;
      pause = fired == last ? SSA_AT_EVENTS : SSA_RECORD_FULL;
      break;
    }
  }
  /* The generator before the next try, and, with a wait pending, behind it for whoever gives it up. */
  ring_at(&ring, ring.drawn)->hi = rng.hi;
  ring_at(&ring, ring.drawn)->lo = rng.lo;
  const trial *const next = ring_at(&ring, at), *const behind = ring_at(&ring, at + self->pending);
  self->rng_event = (rng_stream){next->hi, next->lo, rng.inc_hi, rng.inc_lo};
  self->rng = (rng_stream){behind->hi, behind->lo, rng.inc_hi, rng.inc_lo};
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
