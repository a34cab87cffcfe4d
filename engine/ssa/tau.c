/* Approximate simulation of large populations: tau-leaping with the step selection of Cao, Gillespie & Petzold (2006,
 * doi:10.1063/1.2159468). In a leap all propensities stand still, so the numbers of events are Poisson counts. The leap
 * is so short that no propensity is expected to move by more than epsilon of itself, in mean and in standard deviation.
 * Directions that could use up a reactant, or fill a place, within CRITICAL events fire one at a time.
 * Invariant: counts stay within 0 and their limit: a leap that would lead beyond is drawn anew at half the length. No
 * leap reaches beyond t_stop, nor the limit of events. What a leap does follows from counts and generator alone.
 * Error: within a leap a propensity is off by no more than about epsilon of itself, and by half of that on average
 * where it drifts. Cost: a Poisson draw for each direction; fewer than WORTH events a leap go by the direct method. */
#include "engine/ssa/leap.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
  CRITICAL = 10,
  WORTH = 10,    /* events that a leap must cover */
  STRETCH = 100, /* events by the direct method where it does not */
  STEPS = 4096,  /* leaps and stretches between two pauses */
};

typedef struct tau_order { /* of the reaction of highest order that a slot is a reactant of */
  int32_t order, times;    /* times: of the slot in it, the most */
} tau_order;

typedef struct tau_work {
  leap_net leap;
  int64_t *most;    /* (slots) limits of the counts */
  tau_order *order; /* (moving) */
  int64_t *number;  /* (dirs) events */
  bool *critical;   /* (dirs) */
  double risk;      /* sum of their propensities, 1/s */
} tau_work;

/* --- setting up --- */

static void work_layout(tau_work *w, carve *memory, const ness_network *net)
{
  leap_layout(&w->leap, memory, net);
  w->most = carve_take(memory, (size_t)net->nslot, sizeof *w->most);
  w->order = carve_take(memory, (size_t)net->nslot, sizeof *w->order);
  w->number = carve_take(memory, (size_t)w->leap.dirs, sizeof *w->number);
  w->critical = carve_take(memory, (size_t)w->leap.dirs, sizeof *w->critical);
}

static size_t tau_size(const ness_network *net)
{
  tau_work measured;
  carve memory = {NULL, 0, false};
  carve_take(&memory, 1, sizeof measured);
  work_layout(&measured, &memory, net);
  return memory.failed ? SIZE_MAX : memory.end;
}

/* The slot as a reactant of the direction. */
static tau_order order_in(const ness_network *net, int32_t dir, int32_t slot)
{
  tau_order in = {0, 0};
  for (int32_t r = net->react_start[dir]; r < net->react_start[dir + 1]; r++) {
    in.order += net->react_mult[r];
    in.times += net->react_slot[r] == slot ? net->react_mult[r] : 0;
  }
  return in;
}

static void tau_start(void *work, const ness_network *net)
{
  tau_work *const w = work;
  carve memory = {work, 0, false};
  carve_take(&memory, 1, sizeof *w);
  work_layout(w, &memory, net);
  leap_compile(&w->leap, net);
  memcpy(w->most, net->slot_max, (size_t)net->nslot * sizeof *w->most);
  for (int32_t m = 0; m < w->leap.moving; m++) {
    tau_order *const most = &w->order[m];
    for (int32_t j = 0; j < w->leap.dirs; j++) {
      const tau_order in = order_in(net, w->leap.law[j].dir, w->leap.slot[m].slot);
      if (in.times && (in.order > most->order || (in.order == most->order && in.times > most->times))) {
        *most = in;
      }
    }
  }
}

static void tau_load(ssa_replica *self, const ness_network *net)
{
  (void)self, (void)net; /* nothing is remembered */
}

/* --- the length of a leap --- */

/* Directions that come near an end of a count, by slot: those that take from little, or give to what is nearly full. */
static void critical_find(tau_work *w, const int64_t *n)
{
  const leap_net *const leap = &w->leap;
  memset(w->critical, 0, (size_t)leap->dirs * sizeof *w->critical);
  for (int32_t m = 0; m < leap->moving; m++) {
    const leap_slot *const slot = &leap->slot[m];
    const int64_t low = n[slot->slot], room = w->most[slot->slot] - low;
    for (int32_t i = slot->down; i < slot->end; i++) {
      const leap_term *const term = &leap->term[i];
      w->critical[term->dir] |= (i < slot->up ? low : room) / term->by <= CRITICAL;
    }
  }
}

/* How much larger than that of a count the relative change of a propensity may be: g of the paper. */
static double order_steepness(const tau_order *self, int64_t n)
{
  double sum = 0;
  for (int32_t k = 0; k < self->times; k++) {
    sum += (double)n / (double)(n > k ? n - k : 1);
  }
  return fmax((double)self->order / (double)self->times * sum, 1);
}

/* The longest leap in which no propensity is expected to change by more than epsilon of itself. Critical directions
 * have left `rate`. */
static double leap_longest(const tau_work *w, const int64_t *n, double epsilon)
{
  double longest = INFINITY;
  for (int32_t m = 0; m < w->leap.moving; m++) {
    const leap_flow *const flow = &w->leap.flow[m];
    const int64_t count = n[w->leap.slot[m].slot];
    if (w->order[m].times && flow->square > 0) {
      const double change = fmax(epsilon * (double)count / order_steepness(&w->order[m], count), 1);
      longest = fmin(longest, fmin(change / fabs(flow->up - flow->down), change * change / flow->square));
    }
  }
  return longest;
}

/* --- advancing --- */

/* Whether so many events lead to counts that there are; `last` more may fire. */
static bool leap_allowed(const tau_work *w, const int64_t *n, int64_t last)
{
  int64_t events = 0;
  bool allowed = true;
  for (int32_t j = 0; j < w->leap.dirs; j++) {
    events += w->number[j];
  }
  for (int32_t m = 0; m < w->leap.moving; m++) {
    const leap_slot *const slot = &w->leap.slot[m];
    int64_t after = n[slot->slot];
    for (int32_t i = slot->down; i < slot->end; i++) {
      const int64_t by = w->leap.term[i].by * w->number[w->leap.term[i].dir];
      after += i < slot->up ? -by : by;
    }
    allowed = allowed && after >= 0 && after <= w->most[slot->slot];
  }
  return allowed && events < last;
}

/* One of the critical directions, by its share of their sum; the last one where rounding leaves the end behind. */
static int32_t critical_pick(const tau_work *w, const ness_network *net, rng_stream *rng, const int64_t *n)
{
  double point = rng_double(rng) * w->risk;
  int32_t last = -1;
  for (int32_t j = 0; j < w->leap.dirs; j++) {
    const double rate = w->critical[j] ? rate_any(&w->leap.law[j], net, n, NULL) : 0;
    if (rate > 0) {
      last = j;
      if (point < rate) {
        break;
      }
      point -= rate;
    }
  }
  return last;
}

/* A leap of up to `longest`. The critical event is picked by the counts before the leap, as all propensities are. */
static void leap_make(ssa_replica *self, tau_work *w, const ness_network *net, double longest, double t_stop,
                      int64_t last)
{
  const double wait = w->risk > 0 ? rng_exp(&self->rng) / w->risk : INFINITY;
  for (double tau = longest;; tau *= 0.5) {
    const bool event = wait < tau && wait < t_stop - self->t;
    const double length = fmin(fmin(wait, tau), t_stop - self->t);
    for (int32_t j = 0; j < w->leap.dirs; j++) {
      w->number[j] = rng_poisson(&self->rng, w->leap.rate[j] * length);
    }
    const int32_t dir = event ? critical_pick(w, net, &self->rng, self->n) : -1;
    if (dir >= 0) {
      w->number[dir]++;
    }
    if (leap_allowed(w, self->n, last)) {
      const double end = length < t_stop - self->t ? self->t + length : t_stop;
      if (dir >= 0) {
        w->number[dir]--;
      }
      leap_apply(self, &w->leap, w->number, end);
      if (dir >= 0) {
        leap_fire(self, &w->leap, net, dir);
      }
      return;
    }
  }
}

/* The length of the next leap, for not much more than `events`; 0 where the direct method is to be preferred. */
static double leap_choose(tau_work *w, const ness_network *net, const ssa_replica *self, double events)
{
  const double total = leap_rates(&w->leap, net, self->n);
  if (!(total > 0 && total <= DBL_MAX)) {
    return 0; /* which says what it is */
  }
  w->risk = 0;
  critical_find(w, self->n);
  for (int32_t j = 0; j < w->leap.dirs; j++) {
    w->risk += w->critical[j] ? w->leap.rate[j] : 0;
    w->leap.rate[j] = w->critical[j] ? 0 : w->leap.rate[j];
  }
  leap_flows(&w->leap);
  const double longest = leap_longest(w, self->n, self->epsilon);
  const double most = fmin(events - 4 * sqrt(events), (double)(INT64_C(1) << 40)) / total;
  const double tau = fmin(longest, most);
  return tau * total >= WORTH ? tau : 0;
}

static ssa_pause tau_advance(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                             ssa_record *record, int32_t *bad_dir)
{
  tau_work *const w = self->work;
  const int64_t last = max_events > 0 ? self->events + max_events : INT64_MAX;
  (void)record; /* there is none, as in batch.c */
  for (int32_t step = 0; step < STEPS && self->events < last && self->t < t_stop; step++) {
    const int64_t left = last - self->events;
    const double tau = leap_choose(w, net, self, (double)left);
    if (tau > 0) {
      leap_make(self, w, net, tau, t_stop, left);
    } else {
      const ssa_pause pause = leap_direct(self, &w->leap, net, t_stop, left < STRETCH ? left : STRETCH, bad_dir);
      if (pause != SSA_AT_EVENTS) {
        return pause;
      }
    }
  }
  self->t_event = self->t;
  return self->t == t_stop && self->events < last ? SSA_AT_TIME : SSA_AT_EVENTS;
}

const ssa_kernel ssa_kernel_tau = {"tau", "leaps of frozen rates", tau_size, tau_start, tau_load, tau_advance, true,
                                   true};
