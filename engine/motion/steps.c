/* Small networks under an input that goes in steps: at every event all propensities anew, and all their sums, without a
 * branch that depends on which way was taken. What happens is counted by level and direction alone: works, entropies
 * and what the input does follow from that when it comes back. Owns that loop, and how such counts become the sums of
 * simulate.c. Invariant: the same draws in the same order as without it, so events are the same, at times that differ
 * by rounding. Cost: 30 to 35 ns an event of a dozen directions, and as much a step of the input. */
#include "engine/motion/steps.h"
#include "engine/motion/path_kinds.h"

#include <float.h>
#include <string.h>

enum {
  DIRS = 32, /* at most */
  GROUP = 4,
  GROUPS = DIRS / GROUP,
  SLOTS = 30, /* at most; behind them the constant 1, and one that takes changes of none */
  CHANGES = 4,
  MADE_MOST = 1 << 14 /* levels x directions */
};
#define RATE_MOST 1e200 /* so that no sum of propensities is infinite */

struct motion_steps {
  int32_t slots, groups, changes; /* groups of directions, the last with some of rate 0; most changes of one */
  int32_t a[DIRS], b[DIRS];
  double shift[DIRS];
  double *k; /* (levels + 1 x groups GROUP) 1/s; the last row is the mean over a period */
  struct {
    int32_t slot[CHANGES];
    double by[CHANGES];
  } change[DIRS];
};

double *steps_basis(motion_net *shared)
{
  const path_spec *path = shared->path;
  const int32_t degree = shared->step_terms > shared->slot_terms ? shared->step_terms : shared->slot_terms;
  double *const basis = arena_alloc(&shared->memory, ((size_t)path->points * (size_t)degree + 1) * sizeof *basis);
  for (int32_t l = 0; basis && l < path->points; l++) {
    motion_basis((path->value[l] - shared->middle) * shared->scale, degree, basis + (ptrdiff_t)l * degree);
  }
  return basis;
}

/* --- building --- */

static bool direction_add(motion_steps *self, const motion_net *shared, int32_t d)
{
  const motion_many *const many = &shared->many[d];
  const motion_event *const event = &shared->event[d];
  const int32_t changes = event->change_end - event->change_start;
  self->a[d] = many->a;
  self->b[d] = many->b;
  self->shift[d] = many->shift;
  for (int32_t i = 0; i < CHANGES; i++) {
    self->change[d].slot[i] = self->slots + 1;
    if (i < changes) {
      const motion_change *const change = &shared->change[event->change_start + i];
      self->change[d].slot[i] = change->slot;
      self->change[d].by[i] = change->by;
    }
  }
  self->changes = changes > self->changes ? changes : self->changes;
  return !many->general && changes <= CHANGES;
}

motion_steps *steps_build(motion_net *shared)
{
  const int32_t levels = shared->path->points;
  if (!shared->level || shared->few || shared->ndir > DIRS || shared->net->nslot > SLOTS ||
      levels > MADE_MOST / (shared->ndir + 1)) {
    return NULL;
  }
  motion_steps *const self = arena_alloc(&shared->memory, sizeof *self);
  if (!self) {
    return NULL;
  }
  self->slots = shared->net->nslot;
  self->groups = shared->ndir > 0 ? (shared->ndir + GROUP - 1) / GROUP : 1;
  const int32_t padded = self->groups * GROUP;
  self->k = arena_alloc(&shared->memory, ((size_t)(levels + 1) * (size_t)padded + 1) * sizeof *self->k);
  bool fits = self->k != NULL;
  for (int32_t d = 0; d < padded; d++) {
    self->a[d] = self->b[d] = self->slots;
    fits = fits && (d >= shared->ndir || direction_add(self, shared, d));
  }
  for (int32_t l = 0; fits && l <= levels; l++) {
    const double u = shared->path->value[l < levels ? l : 0];
    fits = u >= shared->law->u_lo && u <= shared->law->u_hi; /* or a matter for simulate.c */
    for (int32_t d = 0; d < shared->ndir; d++) {
      const double k = d < shared->nmove ? shared->level[(ptrdiff_t)l * shared->nmove + d] : shared->constant[d];
      self->k[l * padded + d] = k;
      fits = fits && k <= RATE_MOST;
    }
  }
  return fits ? self : NULL;
}

/* --- what was counted --- */

void steps_fold(motion_replica *self, const motion_net *shared, int32_t from, const int64_t *n)
{
  const int32_t slots = shared->net->nslot, terms = shared->step_terms, slot_terms = shared->slot_terms;
  const int32_t degree = terms > slot_terms ? terms : slot_terms, level = steps_level(&self->path);
  for (int32_t l = 0; l < shared->path->points; l++) {
    const double *const basis = shared->basis + (ptrdiff_t)l * degree;
    for (int32_t d = 0; d < shared->ndir; d++) {
      int64_t *const made = &self->made[(ptrdiff_t)l * shared->ndir + d];
      const motion_event *const event = &shared->event[d];
      const int32_t dir = shared->dir[d], way = dir % 2 ? -1 : 1;
      self->fired[dir] += *made;
      for (int32_t k = 0; k < terms; k++) {
        self->flow[(ptrdiff_t)(dir / 2) * terms + k] += way * basis[k] * (double)*made;
      }
      /* what an event brings of energies comes by the step, not by the input */
      for (int32_t c = event->change_start; c < event->change_end; c++) {
        const double by = shared->change[c].by * (double)*made;
        for (int32_t k = 0; k < slot_terms; k++) {
          self->shift[(ptrdiff_t)shared->change[c].slot * slot_terms + k] -= by * basis[k];
        }
      }
      *made = 0;
    }
  }
  const double *const before = shared->basis + (ptrdiff_t)from * degree;
  const double *const now = shared->basis + (ptrdiff_t)level * degree;
  for (int32_t i = 0; i < slots; i++) {
    for (int32_t k = 0; k < slot_terms; k++) {
      self->shift[(ptrdiff_t)i * slot_terms + k] += (double)n[i] * now[k] - (double)self->n[i] * before[k];
    }
    memcpy(self->slot_basis + (ptrdiff_t)i * slot_terms, now, (size_t)slot_terms * sizeof *now);
    self->n[i] = n[i];
    self->slot[i].since = self->path.t;
  }
}

/* --- in time --- */

/* Where a replica stands, its integrals, and its propensities at the present level. */
typedef struct steps_work {
  double n[SLOTS + 2], dwell[SLOTS], dwell2[SLOTS];
  double rate[DIRS], before[GROUPS + 1], total; /* before: sums of the groups before each */
  double t, left, since;
  rng_stream rng;
} steps_work;

static inline void rates_make(const motion_steps *self, const double *k, int32_t groups, steps_work *w)
{
  double sum[GROUPS] = {0};
  for (int32_t g = 0; g < groups; g++) {
    double *const rate = w->rate + (ptrdiff_t)g * GROUP;
    for (int32_t i = 0; i < GROUP; i++) {
      const int32_t d = g * GROUP + i;
      rate[i] = k[d] * w->n[self->a[d]] * (w->n[self->b[d]] + self->shift[d]);
    }
    sum[g] = (rate[0] + rate[1]) + (rate[2] + rate[3]);
  }
  for (int32_t g = 0; g < groups; g += 2) { /* by twos: a shorter chain of sums */
    w->before[g + 1] = w->before[g] + sum[g];
    if (g + 1 < groups) w->before[g + 2] = w->before[g] + (sum[g] + sum[g + 1]);
  }
  w->total = w->before[groups];
}

/* The direction that a point of the total falls in. */
static inline int32_t rate_pick(const steps_work *w, int32_t groups, double point)
{
  int32_t g = 0;
  for (int32_t i = 1; i < groups; i++) {
    g += point >= w->before[i];
  }
  const double *const rate = w->rate + (ptrdiff_t)g * GROUP, rest = point - w->before[g];
  return g * GROUP + (rest >= rate[0]) + (rest >= rate[0] + rate[1]) + (rest >= rate[0] + rate[1] + rate[2]);
}

static double period_hazard(const motion_steps *self, const path_spec *path, const steps_work *w)
{
  const double *const k = self->k + (ptrdiff_t)path->points * self->groups * GROUP;
  double sum = 0;
  for (int32_t d = 0; d < self->groups * GROUP; d++) {
    sum += k[d] * (w->n[self->a[d]] * (w->n[self->b[d]] + self->shift[d]));
  }
  return sum * path->period;
}

static inline void integrals_take(const motion_steps *self, steps_work *w, double time)
{
  for (int32_t i = 0; i < self->slots; i++) {
    const double area = w->n[i] * time;
    w->dwell[i] += area;
    w->dwell2[i] += w->n[i] * area;
  }
}

/* Events at one level from w->t on, so many at most, before `end` and up to t_stop; inlined for each number of groups.
 */
static inline __attribute__((always_inline)) int64_t events_make(motion_replica *self, const motion_net *shared,
                                                                 int32_t level, const int32_t groups, int64_t most,
                                                                 double end, double t_stop, steps_work *w)
{
  const motion_steps *const steps = shared->steps;
  const double *const k = steps->k + (ptrdiff_t)level * steps->groups * GROUP;
  int64_t *const made = self->made + (ptrdiff_t)level * shared->ndir, events = 0;
  const bool told = self->log || shared->phases > 0;
  rng_stream rng = w->rng;
  double t = w->t, since = w->since, left = w->left;
  rates_make(steps, k, groups, w);
  for (; events < most; events++) {
    const double next = t + left / w->total;
    if (!(next <= t_stop && next < end)) {
      break;
    }
    const int32_t pick = rate_pick(w, groups, rng_double(&rng) * w->total);
    const int32_t d = pick < shared->ndir ? pick : shared->ndir - 1; /* where rounding left it behind the last */
    left = rng_exp(&rng);
    integrals_take(steps, w, next - since);
    for (int32_t i = 0; i < steps->changes; i++) {
      w->n[steps->change[d].slot[i]] += steps->change[d].by[i];
    }
    rates_make(steps, k, groups, w);
    made[d]++;
    since = t = next;
    if (told) {
      motion_tell(self, shared, next, shared->dir[d]);
    }
  }
  w->rng = rng;
  w->t = t;
  w->since = since;
  w->left = left;
  return events;
}

static int64_t events_run(motion_replica *self, const motion_net *shared, int32_t level, int64_t most, double end,
                          double t_stop, steps_work *w)
{
  switch (shared->steps->groups) {
  case 1: return events_make(self, shared, level, 1, most, end, t_stop, w);
  case 2: return events_make(self, shared, level, 2, most, end, t_stop, w);
  case 3: return events_make(self, shared, level, 3, most, end, t_stop, w);
  case 4: return events_make(self, shared, level, 4, most, end, t_stop, w);
  default: return events_make(self, shared, level, shared->steps->groups, most, end, t_stop, w);
  }
}

motion_pause steps_advance(motion_replica *self, const motion_net *shared, double t_stop, int64_t looks)
{
  const motion_steps *const steps = shared->steps;
  const double period = shared->path->period;
  const int32_t slots = steps->slots, from = steps_level(&self->path);
  path_state p = self->path;
  steps_work w = {.t = p.t, .since = p.t, .left = self->left, .rng = self->rng};
  int64_t n[SLOTS], most = looks < 0 ? INT64_MAX : looks;
  for (int32_t i = 0; i <= slots; i++) {
    w.n[i] = (double)self->n[i];
  }
  while (most > 0 && p.t < t_stop) {
    if (!p.open) {
      p.open = true;
      steps_window(&p);
      self->windows++;
      rates_make(steps, steps->k + (ptrdiff_t)steps_level(&p) * steps->groups * GROUP, steps->groups, &w);
      if (period > 0 && w.total * period < STEPS_FAST &&
          steps_skip(&p, period_hazard(steps, p.spec, &w), &w.left, t_stop)) {
        w.t = p.t;
      }
    }
    const int64_t events = events_run(self, shared, steps_level(&p), most, p.t_end, t_stop, &w);
    self->events += events;
    most -= events;
    p.t = w.t;
    if (most > 0) { /* the level ends, or the time */
      const double end = fmin(p.t_end, t_stop), rest = w.left - w.total * (end - p.t);
      w.left = rest > 0 ? rest : 0;
      w.t = p.t = end;
      p.open = t_stop < p.t_end;
      if (!p.open) {
        points_step(&p);
      }
      most--;
    }
  }
  integrals_take(steps, &w, p.t - w.since);
  for (int32_t i = 0; i < slots; i++) {
    self->slot[i].dwell += w.dwell[i];
    self->slot[i].dwell2 += w.dwell2[i];
    n[i] = (int64_t)w.n[i];
  }
  p.u = p.lo = p.hi = shared->path->value[steps_level(&p)];
  self->path = p;
  self->rng = w.rng;
  self->left = w.left;
  self->candidates = self->events;
  steps_fold(self, shared, from, n);
  return p.t < t_stop ? MOTION_BUSY : MOTION_AT_TIME;
}
