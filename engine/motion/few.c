/* Few states under an input that goes in steps: the rates of each state at each level are looked up, and what happens
 * is counted by state, level and way. Owns the table, the events by it, and how the counts become those of
 * steps.c.
 * Method: where a state lives for long against the period, its exponential is spent level by level. Elsewhere the next
 * event is found at once: the hazard since the beginning of a period, in units of that of a whole period, is a line
 * with corners; what is before an event and the exponential are added on it, whole periods are taken off, and the line
 * is read the other way. No branch depends on where in the period that falls, so fast inputs cost no more than slow
 * ones.
 * Invariant: the same draws in the same order as without the table, so events are the same, at times that differ by
 * rounding; of a number that is drawn ahead the stream is given back. Cost: 10 to 16 ns an event; 128 bytes a cell and
 * 64 of counts; a pass over all cells whenever it comes back. */
#include "engine/motion/few.h"
#include "engine/motion/path_kinds.h"
#include "engine/motion/steps.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CELLS_MOST = 512 };
#define HAZARD_MOST 16.0   /* of a period, up to which an event is found at once: of its place 16 roundings are lost */
#define HAZARD_LEAST 1e-12 /* below it too many periods pass for a number to tell the place in the last */
#define WHOLE 0x1.8p52     /* added and taken away, a number in 2^51 around 0 is whole */

struct few_cell {
  /* place on the line = begin + (s since the level began) * slope, and back: (place - begin) * length is s. In hazards
   * of a period, less 1/2, or, where it goes level by level, in hazards of 1 since the level began. */
  double edge, begin, slope, length;
  double inverse;             /* 1 / hazard of a period; 0: level by level */
  double time, span;          /* s since the period began; s that the level takes */
  double share[FEW_WAYS - 1]; /* of the sum of the rates: up to and with each way, 2 from the last on */
  int16_t to[FEW_WAYS];       /* state << bits */
};

/* --- the table --- */

/* The state of these counts, new or known; -1 when there is no room. */
static int32_t state_of(motion_few *self, const int64_t *n, int32_t slots)
{
  for (int32_t i = 0; i < self->states; i++) {
    if (memcmp(self->n + (ptrdiff_t)i * slots, n, (size_t)slots * sizeof *n) == 0) {
      return i;
    }
  }
  if (self->states == CELLS_MOST >> self->bits) {
    return -1;
  }
  memcpy(self->n + (ptrdiff_t)self->states * slots, n, (size_t)slots * sizeof *n);
  return self->states++;
}

/* Ways out of the state where `from` stands, by its combinations; false when something does not fit. */
static bool ways_find(motion_few *self, const motion_net *shared, const motion_replica *from, int32_t *way,
                      few_cell *cell)
{
  const int32_t slots = shared->net->nslot;
  int32_t ways = 0;
  for (int32_t d = 0; d < shared->ndir; d++) {
    if (from->many[d] == 0) {
      continue;
    }
    const motion_event *const event = &shared->event[d];
    memcpy(from->after, from->n, (size_t)slots * sizeof *from->after);
    for (int32_t c = event->change_start; c < event->change_end; c++) {
      from->after[shared->change[c].slot] += shared->change[c].by;
    }
    const int32_t to = state_of(self, from->after, slots);
    if (to < 0 || ways == FEW_WAYS) {
      return false;
    }
    for (int32_t l = 0; l < self->levels; l++) {
      cell[l].to[ways] = (int16_t)(to << self->bits);
    }
    way[ways++] = d;
  }
  self->ways = ways > self->ways ? ways : self->ways;
  return true;
}

/* Rate, in `slope`, and shares, where `at` stands at the level; false when the sum has no number. */
static bool cell_rates(const motion_net *shared, const motion_replica *at, const int32_t *way, few_cell *cell)
{
  const double u = shared->path->value[at->path.at];
  double sum = 0;
  int32_t last = 0;
  for (int32_t j = 0; j < FEW_WAYS && way[j] >= 0; j++) {
    last = at->rate[way[j]] > 0 ? j : last;
  }
  for (int32_t j = 0; j < FEW_WAYS - 1; j++) {
    sum += j < last ? at->rate[way[j]] : 0;
    cell->share[j] = j < last ? sum / at->total : 2;
  }
  cell->slope = at->total;
  return at->total <= DBL_MAX && u >= shared->law->u_lo && u <= shared->law->u_hi; /* or a matter for simulate.c */
}

/* The line of hazard of a state, whose slopes are rates; false when it cannot be told. */
static bool line_make(const motion_few *self, const path_spec *path, few_cell *cell)
{
  const bool turns = path->period > 0;
  double hazard = 0, begin = 0;
  for (int32_t l = 0; l < self->levels; l++) { /* before the first time its value holds too */
    cell[l].time = turns || l > 0 ? path->time[l] : fmin(path->time[0], 0);
    cell[l].span = (l + 1 < self->levels ? path->time[l + 1] : turns ? path->period : (double)INFINITY) - cell[l].time;
    hazard += cell[l].slope > 0 ? cell[l].slope * cell[l].span : 0;
  }
  const bool slow = !turns || hazard > HAZARD_MOST;
  for (int32_t l = 0; l < self->levels; l++) {
    const double rate = cell[l].slope;
    cell[l].inverse = slow ? 0 : 1 / hazard;
    cell[l].slope = slow ? rate : rate / hazard;
    cell[l].length = 1 / cell[l].slope;
    cell[l].begin = cell[l].edge = slow ? 0 : begin / hazard - 0.5;
    begin += rate * cell[l].span;
  }
  for (int32_t l = self->levels; l < 1 << self->bits; l++) {
    cell[l].edge = (double)INFINITY;
  }
  for (int32_t l = self->levels; l-- > 0 && cell[l].slope == 0;) {
    cell[l].edge = (double)INFINITY; /* nothing falls in a level without rates; before others its edge is theirs */
  }
  return slow || hazard == 0 || hazard > HAZARD_LEAST;
}

/* All states that the start leads to, and their cells. */
static bool states_find(motion_few *self, const motion_net *shared, motion_replica *at)
{
  const ness_network *net = shared->net;
  state_of(self, net->slot_start, net->nslot);
  for (int32_t state = 0; state < self->states; state++) {
    few_cell *const cell = self->cell + ((ptrdiff_t)state << self->bits);
    int32_t *const way = self->way + (ptrdiff_t)state * FEW_WAYS;
    memcpy(at->n, self->n + (ptrdiff_t)state * net->nslot, (size_t)net->nslot * sizeof *at->n);
    at->n[net->nslot] = 1;
    for (at->path.at = 0; at->path.at < self->levels; at->path.at++) {
      motion_rates(at, shared);
      if ((at->path.at == 0 && !ways_find(self, shared, at, way, cell)) ||
          !cell_rates(shared, at, way, &cell[at->path.at])) {
        return false;
      }
    }
    if (!line_make(self, shared->path, cell)) {
      return false;
    }
  }
  return true;
}

motion_few *few_build(motion_net *shared)
{
  const ness_network *net = shared->net;
  const path_spec *path = shared->path;
  if (!shared->level || net->nop > 0 || path->points > CELLS_MOST) {
    return NULL;
  }
  motion_few *const self = arena_alloc(&shared->memory, sizeof *self);
  motion_replica scratch;
  if (motion_replica_init(&scratch, shared) != NESS_OK || !self) {
    motion_replica_free(&scratch);
    return NULL;
  }
  self->levels = path->points;
  for (self->bits = 0; 1 << self->bits < self->levels;) {
    self->bits++;
  }
  self->n = arena_alloc(&shared->memory, CELLS_MOST * (size_t)net->nslot * sizeof *self->n + 1);
  self->cell = arena_alloc(&shared->memory, CELLS_MOST * sizeof *self->cell);
  self->way = arena_alloc(&shared->memory, CELLS_MOST * FEW_WAYS * sizeof *self->way);
  bool fits = self->n && self->way && self->cell;
  for (int32_t i = 0; fits && i < CELLS_MOST * FEW_WAYS; i++) {
    self->way[i] = -1;
  }
  fits = fits && states_find(self, shared, &scratch);
  motion_replica_free(&scratch);
  return fits ? self : NULL;
}

/* --- where it is --- */

typedef struct few_place {
  double turn, since; /* periods before; s since the level began */
  int32_t level;
} few_place;

/* A level holds from its beginning on. */
static few_place place_of(const motion_few *self, double period, double t)
{
  few_place at = {0, t, 0};
  if (period > 0) {
    at.turn = floor(t / period);
    at.since = t - at.turn * period;
    if (at.since < 0 || at.since >= period) { /* the quotient was rounded */
      at.turn += at.since < 0 ? -1 : 1;
      at.since = fmax(t - at.turn * period, 0);
    }
  }
  while (at.level + 1 < self->levels && at.since >= self->cell[at.level + 1].time) {
    at.level++;
  }
  at.since -= self->cell[at.level].time;
  return at;
}

static few_place place_now(const motion_few *self, const path_state *path)
{
  const double period = path->spec->period;
  few_place at = {period > 0 ? rint(path->origin / period) : 0, 0, path->at < 0 ? 0 : path->at};
  at.since = fmax(path->t - (at.turn * period + self->cell[at.level].time), 0);
  return at;
}

static void path_set(path_state *path, const few_place *at)
{
  const path_spec *spec = path->spec;
  path->at = path->t < spec->time[0] ? -1 : at->level;
  path->origin = at->turn * spec->period;
  path->u = path->lo = path->hi = spec->value[at->level];
  path->open = false;
}

/* --- what was counted --- */

/* What was counted since the level `from` goes to the replica's own sums, and its counts are those of its state. */
static void few_fold(motion_replica *self, const motion_net *shared, int32_t from)
{
  const motion_few *const few = shared->few;
  const int32_t slots = shared->net->nslot;
  for (int32_t at = 0; at < few->states << few->bits; at++) {
    int64_t *const made = self->few_made + (ptrdiff_t)at * FEW_WAYS;
    const int32_t level = at & ((1 << few->bits) - 1), *const way = few->way + (ptrdiff_t)(at >> few->bits) * FEW_WAYS;
    for (int32_t j = 0; j < FEW_WAYS && way[j] >= 0; j++) {
      if (level < few->levels) self->made[(ptrdiff_t)level * shared->ndir + way[j]] += made[j];
      made[j] = 0;
    }
  }
  for (int32_t s = 0; s < few->states; s++) {
    for (int32_t i = 0; i < slots; i++) {
      const double n = (double)few->n[(ptrdiff_t)s * slots + i];
      self->slot[i].dwell += n * self->few_clock[s];
      self->slot[i].dwell2 += n * n * self->few_clock[s];
    }
    self->few_clock[s] = 0;
  }
  steps_fold(self, shared, from, few->n + (ptrdiff_t)self->state * slots);
}

/* --- in time --- */

/* What comes next at a place on a state's line: level, way, and where that leads. */
typedef struct few_next {
  int32_t level, way, to;
} few_next;

static inline few_next way_pick(const few_cell *line, int32_t level, int32_t ways, double share)
{
  const few_cell *const cell = &line[level];
  int32_t way = 0;
  for (int32_t j = 0; j + 1 < ways; j++) {
    way += share >= cell->share[j];
  }
  return (few_next){level, way, cell->to[way]};
}

/* Of two levels, both ways are found while the place is not known yet. */
static inline few_next next_find(const few_cell *line, int32_t bits, int32_t ways, double place, double share)
{
  if (bits == 1) {
    const few_next one = way_pick(line, 0, ways, share), two = way_pick(line, 1, ways, share);
    const int32_t second = place >= line[1].edge;
    return (few_next){second, one.way ^ ((one.way ^ two.way) & -second), one.to ^ ((one.to ^ two.to) & -second)};
  }
  int32_t level = 0;
  for (int32_t step = 1 << bits >> 1; step > 0; step >>= 1) {
    level += place >= line[level + step].edge ? step : 0;
  }
  return way_pick(line, level, ways, share);
}

/* What is left of the exponential at t_stop, before which nothing comes. */
static double left_at(const motion_few *few, const few_cell *line, const few_place *from, double left, double period,
                      double t_stop)
{
  const few_place to = place_of(few, period, t_stop);
  const few_cell *const here = &line[from->level], *const there = &line[to.level];
  double spent;
  if (here->inverse == 0) {
    spent = (t_stop - (from->turn * period + here->time + from->since)) * here->slope;
  } else {
    const double begins = to.turn - from->turn + (there->begin - here->begin);
    spent = (begins + (to.since * there->slope - from->since * here->slope)) / here->inverse;
  }
  return spent > 0 ? fmax(left - spent, 0) : left;
}

motion_pause few_advance(motion_replica *self, const motion_net *shared, double t_stop, int64_t looks)
{
  const motion_few *const few = shared->few;
  const few_cell *const cells = few->cell, *line = cells + ((ptrdiff_t)self->state << few->bits);
  const double period = shared->path->period;
  const int32_t bits = few->bits, ways = few->ways;
  const bool told = self->log || shared->phases > 0;
  double *const clock = self->few_clock;
  int64_t *const made = self->few_made, events = 0;
  few_place at = place_now(few, &self->path);
  const int32_t from = at.level;
  rng_stream rng = self->rng, before = rng;
  double left = self->left, t = self->path.t, share = rng_double(&rng);
  for (; looks != 0; looks--) {
    const few_cell *cell = &line[at.level];
    few_place next = at;
    few_next event;
    if (cell->inverse == 0) {
      next.since += left * cell->length;
      if (!(next.since < cell->span)) { /* the level ends first */
        const double end = at.turn * period + cell->time + cell->span;
        if (!(end <= t_stop)) {
          break;
        }
        left = fmax(left - (cell->span - at.since) * cell->slope, 0);
        clock[(line - cells) >> bits] += end - t;
        t = end;
        at.since = 0;
        at.level++;
        if (at.level == few->levels) {
          at.level = 0;
          at.turn++;
        }
        continue;
      }
      event = way_pick(line, at.level, ways, share);
    } else {
      const double place = cell->begin + at.since * cell->slope + left * cell->inverse;
      const double turns = place + WHOLE - WHOLE, rest = place - turns;
      next.turn += turns;
      event = next_find(line, bits, ways, rest, share);
      next.level = event.level;
      cell = &line[next.level];
      next.since = (rest - cell->begin) * cell->length;
    }
    double then = next.turn * period + cell->time + next.since;
    if (!(then <= t_stop)) {
      break;
    }
    then = then > t ? then : t;
    left = rng_exp(&rng);
    before = rng;
    share = rng_double(&rng);
    clock[(line - cells) >> bits] += then - t;
    made[(cell - cells) * FEW_WAYS + event.way]++;
    events++;
    if (told) {
      motion_tell(self, shared, then, shared->dir[few->way[((line - cells) >> bits) * FEW_WAYS + event.way]]);
    }
    line = cells + event.to;
    at = next;
    t = then;
  }
  const bool busy = looks == 0;
  self->state = (int32_t)((line - cells) >> bits);
  if (!busy) {
    left = left_at(few, line, &at, left, period, t_stop);
    clock[self->state] += t_stop - t;
    t = t_stop;
    at = place_of(few, period, t);
  }
  self->path.t = t;
  self->rng = before;
  self->left = left;
  self->events += events;
  self->candidates = self->events;
  path_set(&self->path, &at);
  few_fold(self, shared, from);
  return busy ? MOTION_BUSY : MOTION_AT_TIME;
}
