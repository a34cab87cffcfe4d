/* Networks of few states (states.h), many jumps a draw. docs/decisions/jumps-by-paths.md has the proof.
 * What a network does next depends on its state alone, never on how long it has stayed there. So a leap first draws the
 * states that it goes through, and then how long all stays in a state are together: a gamma law of their number. The
 * states come by whole paths of `depth` jumps, each from an alias table of the paths that begin in the present state. A
 * leap that would end behind t_stop is drawn again from the same stream by halves, with their parts of the time in each
 * state, and at last jump by jump, up to t_stop.
 * Invariant: state, clocks and counts are those of the exact process at t; the number of draws of a leap is fixed
 * before the first, from the table and what was seen since the last load. Cost: a draw, two look-ups and a counter a
 * jump for each path, 3 to 5 ns; 0.3 us a leap and 20 ns for each state that it meets. Memory: 0.4 MB. */
#include "engine/ssa/kernel.h"
#include "engine/ssa/states.h"

#include <math.h>
#include <string.h>

enum {
  DEPTH_MOST = 7,
  NO_JUMP = STATES_MOST * STATES_OPEN,
  COLUMNS = 128,   /* of the table of a state, at most */
  CELLS = 8192,    /* of all tables together, at most */
  FEW = 32,        /* jumps that go one by one */
  BURST = 1 << 19, /* draws between two pauses */
  GUESS = 256,     /* jumps by which the pace is guessed before any has been seen, and */
  WORTH = 1024,    /* ... what this is worth in jumps that were seen */
  PAYS = 100,      /* events between two cuts where leaps begin to pay, and */
  PAYS_STATE = 4,  /* ... for each state (bench_ssa) */
  SEEN = 4         /* leaps that the guess of their spread is worth */
};
#define SPREAD 2.0 /* guess: variance of a leap's time over that of as many equal exponential waits */
#define GROWTH 4   /* a leap is at most so many times what has been seen: the network may come to its end */
#define SIGMAS 2.5 /* a leap is to end so far before t_stop */

/* A column of an alias table: `below` of 2^16 and a little more are its own path, the rest that of another cell. */
typedef struct jumps_cell {
  uint16_t below, other;
  uint16_t own_next, other_next; /* the first cell of the state behind either */
} jumps_cell;

/* Jumps by their numbers: row times STATES_OPEN, and which of the row's open leaves it is. */
typedef struct jumps_path {
  uint16_t jump[DEPTH_MOST]; /* NO_JUMP from where it ends in a state without a way out */
  uint8_t jumps, row;        /* their number; the state behind them */
} jumps_path;

/* What a stretch of jumps comes to. */
typedef struct jumps_sum {
  rng_stream draws; /* before them */
  int64_t count;
  int32_t row; /* behind them */
  int64_t fired[SMALL_LEAVES], stays[STATES_MOST];
  double clock[STATES_MOST]; /* s in each state */
} jumps_sum;

typedef struct jumps_work {
  small_net net;
  states_table states;
  int32_t depth, bits; /* of a path; a table has 2^bits columns */
  double guess;        /* s a jump */
  int32_t open[STATES_MOST];
  double share[STATES_MOST][STATES_OPEN]; /* of the open leaves */
  int32_t row;                            /* present state */
  double jumps, time;                     /* seen since the last load; s */
  double spread, leaps;                   /* sum of (time - expected)^2 / (jumps pace^2) over leaps */
  jumps_sum whole, half;                  /* of the leap */
  jumps_cell cell[CELLS];
  uint64_t exact[CELLS];             /* the share of 2^64, of which `below` is the beginning */
  uint16_t path[CELLS * DEPTH_MOST]; /* (cells x depth) the jumps of each cell's own path */
  uint32_t made[NO_JUMP + 1];        /* jumps of a stretch, by their numbers */
} jumps_work;

/* --- setting up --- */

static size_t jumps_size(const ness_network *net)
{
  (void)net;
  return sizeof(jumps_work);
}

static bool row_ends(const jumps_work *w, int32_t row)
{
  return w->states.row[row].mean == INFINITY;
}

/* Open leaves of each row and their shares of its sum. */
static void shares_make(jumps_work *w)
{
  double a[SMALL_LEAVES] = {0}, c[SMALL_LEAVES];
  for (int32_t i = 0; i < w->states.rows; i++) {
    small_sums(&w->net, w->states.n[i], a, c);
    for (int32_t j = 0; j < w->net.leaves; j++) {
      if (a[j] > 0) w->share[i][w->open[i]++] = a[j] / c[w->net.padded - 1];
    }
  }
}

/* The number of paths of each state by one jump more. Returns the most. */
static int32_t paths_count(const jumps_work *w, int32_t *count)
{
  int32_t longer[STATES_MOST], most = 1;
  for (int32_t i = 0; i < w->states.rows; i++) {
    longer[i] = w->open[i] == 0;
    for (int32_t j = 0; j < w->open[i]; j++) longer[i] += count[w->states.row[i].after[j].row];
    most = longer[i] > most ? longer[i] : most;
  }
  memcpy(count, longer, (size_t)w->states.rows * sizeof *count);
  return most;
}

/* The longest paths whose tables there is room for. */
static void depth_choose(jumps_work *w)
{
  int32_t count[STATES_MOST];
  for (int32_t i = 0; i < w->states.rows; i++) count[i] = 1;
  for (int32_t depth = 1; depth <= DEPTH_MOST; depth++) {
    int32_t bits = 0;
    for (const int32_t most = paths_count(w, count); 1 << bits < most;) bits++;
    if (1 << bits > COLUMNS || w->states.rows << bits > CELLS) break;
    w->depth = depth;
    w->bits = bits > 0 ? bits : 1;
  }
}

/* All paths that go on from this one, whose last state is there, with their probabilities. */
static int32_t paths_list(const jumps_work *w, jumps_path path, double weight, jumps_path *list, double *weights,
                          int32_t count)
{
  const int32_t row = path.row;
  const int32_t open = path.jumps < w->depth ? w->open[row] : 0;
  for (int32_t j = 0; j < open; j++) {
    jumps_path longer = path;
    longer.jump[longer.jumps++] = (uint16_t)(row * STATES_OPEN + j);
    longer.row = (uint8_t)w->states.row[row].after[j].row;
    count = paths_list(w, longer, weight * w->share[row][j], list, weights, count);
  }
  if (open == 0) {
    list[count] = path;
    weights[count++] = weight;
  }
  return count;
}

static void table_build(jumps_work *w, int32_t row)
{
  const int32_t columns = 1 << w->bits, first = row << w->bits;
  double weight[COLUMNS] = {0}, prob[COLUMNS];
  int32_t alias[COLUMNS], scratch[COLUMNS];
  jumps_path path[COLUMNS] = {0};
  jumps_path none = {.row = (uint8_t)row};
  for (int32_t i = 0; i < DEPTH_MOST; i++) none.jump[i] = NO_JUMP;
  paths_list(w, none, 1, path, weight, 0);
  rng_alias_build(columns, weight, prob, alias, scratch);
  for (int32_t i = 0; i < columns; i++) {
    const bool whole = prob[i] >= 1;
    const int32_t other = whole ? i : alias[i];
    w->exact[first + i] = whole ? UINT64_MAX : (uint64_t)(prob[i] * 0x1p64);
    w->cell[first + i] = (jumps_cell){(uint16_t)(w->exact[first + i] >> 48), (uint16_t)(first + other),
                                      (uint16_t)(path[i].row << w->bits), (uint16_t)(path[other].row << w->bits)};
    memcpy(w->path + (ptrdiff_t)(first + i) * w->depth, path[i].jump, (size_t)w->depth * sizeof *w->path);
  }
}

/* Seconds a jump, in the mean over jumps GUESS / 2 to GUESS. */
static double pace_guess(const jumps_work *w)
{
  double p[STATES_MOST] = {1}, q[STATES_MOST], jumps = 0, time = 0;
  for (int32_t k = 0; k < GUESS; k++) {
    memset(q, 0, sizeof q);
    jumps *= k != GUESS / 2;
    time *= k != GUESS / 2;
    for (int32_t i = 0; i < w->states.rows; i++) {
      for (int32_t j = 0; j < w->open[i]; j++) q[w->states.row[i].after[j].row] += p[i] * w->share[i][j];
      jumps += w->open[i] > 0 ? p[i] : 0;
      time += w->open[i] > 0 ? p[i] * w->states.row[i].mean : 0;
    }
    memcpy(p, q, sizeof p);
  }
  return jumps > 0 ? time / jumps : w->states.row[0].mean;
}

static void chain_make(jumps_work *w, const ness_network *net)
{
  small_compile(net, &w->net);
  states_build(&w->states, &w->net, net->slot_start);
  shares_make(w);
  w->guess = pace_guess(w);
}

static void jumps_start(void *work, const ness_network *net)
{
  jumps_work *const w = work;
  chain_make(w, net);
  depth_choose(w);
  for (int32_t i = 0; i < w->states.rows; i++) table_build(w, i);
}

double jumps_span(const ness_network *net)
{
  if (!small_fits(net)) return 0;
  jumps_work *const w = mem_zero(1, sizeof *w);
  if (!w) return -1;
  chain_make(w, net);
  const double span = w->states.rows > 0 ? w->guess * (PAYS + PAYS_STATE * w->states.rows) : 0;
  mem_free(w);
  return span;
}

static void jumps_load(ssa_replica *self, const ness_network *net)
{
  jumps_work *const w = self->work;
  double n[SMALL_SLOTS] = {0};
  (void)net;
  for (int32_t i = 0; i < w->net.slots; i++) n[i] = (double)self->n[w->net.slot[i]];
  n[w->net.slots] = 1;
  w->row = states_find(&w->states, &w->net, n);
  w->row = w->row < 0 ? 0 : w->row; /* of a forged dump, which whoever repeats it will see */
  w->jumps = w->time = w->spread = w->leaps = 0;
}

/* --- what is counted --- */

static void clock_add(ssa_replica *self, const jumps_work *w, int32_t row, double time)
{
  for (int32_t m = 0; m < w->net.moving; m++) {
    const double x = w->states.n[row][m], area = x * time;
    ssa_slot *const slot = &self->slot[w->net.slot[m]];
    slot->dwell += area;
    slot->dwell2 += x * area;
  }
}

static void sum_clear(const jumps_work *w, jumps_sum *sum)
{
  memset(sum->fired, 0, sizeof sum->fired);
  memset(sum->stays, 0, (size_t)w->states.rows * sizeof *sum->stays);
  memset(sum->clock, 0, (size_t)w->states.rows * sizeof *sum->clock);
}

/* All that a sum holds has happened. */
static void sum_add(ssa_replica *self, const jumps_work *w, const jumps_sum *sum)
{
  for (int32_t i = 0; i < w->states.rows; i++) {
    if (sum->stays[i] > 0) clock_add(self, w, i, sum->clock[i]);
  }
  for (int32_t j = 0; j < w->net.leaves; j++) {
    self->fwd[w->net.count[j]] += sum->fired[j];
    self->events += sum->fired[j];
  }
}

/* A stay that may end in a jump, up to t_stop; goes to the sum. False at t_stop. */
static inline bool sum_jump(ssa_replica *self, jumps_work *w, jumps_sum *sum, double stay, double t_stop,
                            states_after after)
{
  const double t = self->t + stay, end = t <= t_stop ? t : t_stop;
  sum->clock[w->row] += end - self->t;
  sum->stays[w->row]++;
  self->t = end;
  if (t > t_stop) return false;
  sum->fired[after.leaf]++;
  w->row = after.row;
  return true;
}

/* --- paths --- */

/* So many paths from the present state on, whose jumps are counted. Returns the state behind them. */
static inline __attribute__((always_inline)) int32_t paths_take(jumps_work *w, rng_stream *stream, int64_t draws,
                                                                int32_t depth)
{
  const uint32_t columns = (1U << w->bits) - 1;
  rng_stream rng = *stream;
  uint32_t at = (uint32_t)w->row << w->bits;
  for (int64_t i = 0; i < draws; i++) {
    const uint64_t draw = rng_next(&rng);
    const uint32_t column = at + ((uint32_t)draw & columns), upper = (uint32_t)(draw >> 48);
    const jumps_cell cell = w->cell[column];
    bool own = upper < cell.below;
    if (upper == cell.below) own = draw < w->exact[column];
    const uint32_t mask = 0U - (uint32_t)own;
    at = cell.other_next ^ ((uint32_t)(cell.own_next ^ cell.other_next) & mask);
    const uint16_t *const path = w->path + (size_t)(cell.other ^ ((column ^ cell.other) & mask)) * (size_t)depth;
    _Pragma("GCC unroll 7") for (int32_t j = 0; j < depth; j++) w->made[path[j]]++;
  }
  *stream = rng;
  return (int32_t)(at >> w->bits);
}

/* The path that a draw takes from a row. */
static const uint16_t *path_find(const jumps_work *w, int32_t row, uint64_t draw)
{
  const uint32_t column = ((uint32_t)row << w->bits) + ((uint32_t)draw & ((1U << w->bits) - 1));
  const uint32_t cell = draw < w->exact[column] ? column : w->cell[column].other;
  return w->path + (size_t)cell * (size_t)w->depth;
}

/* Draws paths, and sums up what they come to. */
static void paths_sum(jumps_work *w, jumps_sum *sum, rng_stream *stream, int64_t draws)
{
  sum_clear(w, sum);
  memset(w->made, 0, (size_t)w->states.rows * STATES_OPEN * sizeof *w->made);
  sum->draws = *stream;
  sum->count = draws;
  switch (w->depth) { /* loops of known length */
  case 1: sum->row = paths_take(w, stream, draws, 1); break;
  case 2: sum->row = paths_take(w, stream, draws, 2); break;
  case 3: sum->row = paths_take(w, stream, draws, 3); break;
  case 4: sum->row = paths_take(w, stream, draws, 4); break;
  case 5: sum->row = paths_take(w, stream, draws, 5); break;
  case 6: sum->row = paths_take(w, stream, draws, 6); break;
  default: sum->row = paths_take(w, stream, draws, DEPTH_MOST);
  }
  for (int32_t row = 0; row < w->states.rows; row++) {
    for (int32_t j = 0; j < STATES_OPEN; j++) { /* behind those that are open they are 0 */
      const int64_t made = w->made[row * STATES_OPEN + j];
      sum->fired[w->states.row[row].after[j].leaf] += made;
      sum->stays[row] += made;
    }
  }
}

/* --- a leap --- */

/* The first half of a leap's draws, with its part of the time in each state. Returns the time. */
static double leap_halve(ssa_replica *self, jumps_work *w)
{
  jumps_sum *const whole = &w->whole, *const half = &w->half;
  rng_stream draws = whole->draws;
  double time = 0;
  paths_sum(w, half, &draws, whole->count / 2);
  for (int32_t i = 0; i < w->states.rows; i++) {
    if (half->stays[i] == 0) continue;
    const int64_t others = whole->stays[i] - half->stays[i];
    const double part = rng_gamma(&self->rng, half->stays[i]), rest = others > 0 ? rng_gamma(&self->rng, others) : 0;
    half->clock[i] = others > 0 ? whole->clock[i] * (part / (part + rest)) : whole->clock[i];
    time += half->clock[i];
  }
  return time;
}

/* The leap jump by jump up to t_stop: the first of some stays in a state is the least of as many uniform numbers. */
static void leap_walk(ssa_replica *self, jumps_work *w, double t_stop)
{
  jumps_sum *const whole = &w->whole, *const sum = &w->half;
  rng_stream rng = self->rng, draws = whole->draws;
  bool on = true;
  sum_clear(w, sum);
  for (int64_t i = 0; i < whole->count && on; i++) {
    const uint16_t *const path = path_find(w, w->row, rng_next(&draws));
    for (int32_t j = 0; j < w->depth && path[j] != NO_JUMP && on; j++) {
      const int32_t row = w->row;
      const int64_t others = --whole->stays[row];
      const double left = whole->clock[row],
                   stay = others > 0 ? left * (1 - rng_e(-rng_exp(&rng) / (double)others)) : left;
      whole->clock[row] = left - stay;
      on = sum_jump(self, w, sum, stay, t_stop, w->states.row[row].after[path[j] % STATES_OPEN]);
    }
  }
  self->rng = rng;
  sum_add(self, w, sum);
}

/* A leap that ends behind t_stop goes as far as that: by halves, at last by jumps. */
static void leap_cut(ssa_replica *self, jumps_work *w, double t_stop)
{
  jumps_sum *const whole = &w->whole, *const half = &w->half;
  while (whole->count * w->depth > FEW) {
    const double time = leap_halve(self, w);
    if (self->t + time <= t_stop) {
      rng_stream draws = whole->draws;
      rng_advance(&draws, 0, (uint64_t)half->count);
      sum_add(self, w, half);
      self->t += time;
      w->row = half->row;
      whole->draws = draws;
      whole->count -= half->count;
      for (int32_t i = 0; i < w->states.rows; i++) {
        if (half->stays[i] == 0) continue;
        whole->stays[i] -= half->stays[i];
        whole->clock[i] -= half->clock[i];
      }
    } else {
      *whole = *half;
    }
  }
  leap_walk(self, w, t_stop);
}

/* Seconds a jump, by guess and sight. */
static double pace_seen(const jumps_work *w)
{
  return (w->guess * WORTH + w->time) / (WORTH + w->jumps);
}

static void leap_make(ssa_replica *self, jumps_work *w, double t_stop, int64_t draws)
{
  jumps_sum *const whole = &w->whole;
  double time = 0, jumps = 0;
  paths_sum(w, whole, &self->rng, draws);
  for (int32_t i = 0; i < w->states.rows; i++) {
    if (whole->stays[i] == 0) continue;
    whole->clock[i] = w->states.row[i].mean * rng_gamma(&self->rng, whole->stays[i]);
    time += whole->clock[i];
    jumps += (double)whole->stays[i];
  }
  const double pace = pace_seen(w), off = time / pace - jumps;
  w->jumps += jumps;
  w->time += time;
  w->spread += off * off / jumps;
  w->leaps++;
  if (self->t + time <= t_stop) {
    sum_add(self, w, whole);
    self->t += time;
    w->row = whole->row;
  } else {
    leap_cut(self, w, t_stop);
  }
}

/* Draws of the next leap, none where single jumps are the better way; `left`: events that may be made. */
static int64_t leap_choose(const jumps_work *w, double longest, double left)
{
  const double spread = (SPREAD * SEEN + w->spread) / (SEEN + w->leaps), all = longest / pace_seen(w);
  const double fit = all < INFINITY ? all - SIGMAS * sqrt(spread * all) : INFINITY;
  const double most = fmin(GROWTH * (WORTH + w->jumps), (double)BURST * w->depth);
  const double jumps = fmin(fmin(fit, left), most);
  return jumps >= FEW ? (int64_t)jumps / w->depth : 0;
}

/* --- advancing --- */

/* Up to `most` events one by one, until t_stop or the end of all. */
static void jumps_walk(ssa_replica *self, jumps_work *w, double t_stop, int64_t most)
{
  jumps_sum *const sum = &w->whole;
  rng_stream rng = self->rng;
  bool on = true;
  sum_clear(w, sum);
  for (int64_t i = 0; i < most && on && !row_ends(w, w->row); i++) {
    const states_row *const row = &w->states.row[w->row];
    const double stay = rng_exp(&rng) * row->mean;
    on = sum_jump(self, w, sum, stay, t_stop, row->after[states_pick(row, rng_double_open(&rng))]);
  }
  self->rng = rng;
  sum_add(self, w, sum);
}

static ssa_pause jumps_advance(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                               ssa_record *record, int32_t *bad_dir)
{
  jumps_work *const w = self->work;
  const int64_t last = max_events > 0 ? self->events + max_events : INT64_MAX;
  (void)record, (void)bad_dir; /* leaps have no list of their events; all rates are known to be fine */
  ssa_settle(self, net);
  for (int64_t draws = 0; draws < BURST && self->t < t_stop && self->events < last && !row_ends(w, w->row);) {
    const int64_t left = last - self->events, leap = leap_choose(w, t_stop - self->t, (double)left);
    if (leap > 0) leap_make(self, w, t_stop, leap);
    else jumps_walk(self, w, t_stop, left < FEW ? left : FEW);
    draws += leap > 0 ? leap : FEW;
  }
  const bool ends = row_ends(w, w->row);
  if (ends && t_stop < INFINITY && self->events < last) {
    clock_add(self, w, w->row, t_stop - self->t);
    self->t = t_stop;
  }
  for (int32_t m = 0; m < w->net.moving; m++) {
    const int32_t slot = w->net.slot[m];
    self->n[slot] = (int64_t)w->states.n[w->row][m];
    self->slot[slot].since = self->t;
  }
  self->t_event = self->t;
  if (self->events >= last) return SSA_AT_EVENTS;
  return ends ? SSA_ABSORBED : self->t >= t_stop ? SSA_AT_TIME : SSA_AT_EVENTS;
}

const ssa_kernel ssa_kernel_jumps = {"jumps",    "many jumps a draw", jumps_size, jumps_start,
                                     jumps_load, jumps_advance,       true,       false};
