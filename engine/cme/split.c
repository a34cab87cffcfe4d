/* Entropy production in time and its two parts (Esposito and Van den Broeck, Phys. Rev. Lett. 104, 090601 (2010);
 * Hatano and Sasa, Phys. Rev. Lett. 86, 3463 (2001)). Each is a sum over transitions, whose flow is a = p_m k_mn, of
 * excess(a, b) = b - a - a ln(b / a), which is never negative. The total has b = p_n k_nm, the flow of the way back,
 * and is the sum of a ln(a / b). The adiabatic part has b = p_m k_nm ps_n / ps_m, and at rest it is all. The
 * nonadiabatic part has b = k_mn ps_m p_n / ps_n, and is -sum dp_m/dt ln(p_m / ps_m). The sums of b - a vanish, the
 * last two because ps is steady. So no part is a difference: each keeps its figures where it is small and its sign
 * always, and that they add up is a test of ps and p. Parallel steps are transitions by themselves.
 *
 * The entropy of a state is -sum ln n!, and the medium has what is left of ln(k_mn / k_nm) without it, as for energies
 * (Rao and Esposito, J. Chem. Phys. 149, 245101 (2018)): N independent copies then give N times what one gives,
 * enumerated or not. Copies that all start in one slot are multinomial and copies of which none stand at the start
 * Poisson, so mean flows give the exact sums; else these are lower bounds, by the log-sum inequality. Medium and
 * adiabatic part are linear in p, and exact in every case. Cost: linear in the transitions, a few logarithms each. */
#include "engine/cme/split.h"
#include "engine/cme/space.h"
#include "engine/markov/sum.h"
#include "engine/rng/rng.h"
#include <float.h>
#include <math.h>

struct splitting {
  const ness_network *net;
  const cme_part *part;
  split_obstacle why;
  double *medium, *mixing, *adiabatic; /* (n) k_B/s from a state of weight 1, over transitions with a way back; the
                                          second is the change of sum ln n! and over all of them */
  int32_t *one_way;                    /* (n) the first step out of the state that has no way back, -1 none */
  double *ln;                          /* (n) of the weights at hand */
};

/* A weight of 0 after the start stands for one that is smaller than what can be told from it. */
#define LEAST_WEIGHT 1e-280
/* Below this a steady probability has lost figures; what flows there is left out while its weight is below the other.
 */
#define RARE 1e-290
#define RARE_WEIGHT 1e-200

/* b - a - a ln(b / a); near a = b by the series of 2 artanh, whose first terms are what is subtracted. */
static double excess(double a, double b)
{
  if (a == 0) return b;
  if (b == 0) return (double)INFINITY;
  const double y = (b - a) / a;
  if (fabs(y) < 0.2) {
    const double s = y / (2 + y), s2 = s * s;
    double sum = 1.0 / 15;
    for (int k = 13; k >= 3; k -= 2) sum = sum * s2 + 1.0 / k;
    return a * s * (y - 2 * s2 * sum);
  }
  const double ratio = b / a;
  const bool normal = ratio >= DBL_MIN && ratio <= DBL_MAX;
  return (b - a) - a * (normal ? rng_ln(ratio) : rng_ln(b) - rng_ln(a));
}

const char *split_text(split_obstacle obstacle)
{
  switch (obstacle) {
  case SPLIT_NONE: return "";
  case SPLIT_ENDLESS: return "its counts have no end, and the states of the course are not those of the steady state";
  case SPLIT_CLASSES: return "it has more than one closed class, so no steady state of its own";
  case SPLIT_LEFT: return "it has states that are left for good, and their steady probability is 0";
  case SPLIT_UNSOLVED: return "its steady state could not be solved for";
  case SPLIT_PROCESS: return "a process moves it, and rest would be rest of the process too";
  case SPLIT_RARE: return "the course visits states whose steady probability is below what numbers hold";
  }
  return "";
}

static split_obstacle part_obstacle(const ness_network *net, const cme_part *part)
{
  for (int32_t i = 0; i < part->nstep; i++) {
    if (net->step_proc[part->step[i]] >= 0) return SPLIT_PROCESS;
  }
  if (part->projection.used) return SPLIT_ENDLESS;
  if (part->classes.count > 1) return SPLIT_CLASSES;
  return part->classes.start[1] < part->q.n ? SPLIT_LEFT : SPLIT_NONE;
}

/* The steady state; one that cannot be had is an obstacle and no failure. */
static ness_status split_rest(splitting *self, cme_part *part, const solver_options *options)
{
  static const solver_options defaults = {0};
  self->why = part_obstacle(self->net, part);
  if (self->why) return NESS_OK;
  double *const var = mem_zero((size_t)self->net->nslot + 1, sizeof *var);
  ness_status status = var ? part_steady(self->net, part, options ? options : &defaults, NULL, var, NULL) : NESS_NOMEM;
  mem_free(var);
  if (status == NESS_NUMERIC || status == NESS_LIMIT) {
    self->why = SPLIT_UNSOLVED;
    return NESS_OK;
  }
  return status;
}

static bool is_rare(const cme_part *part, int32_t from, int32_t to)
{
  return part->p[from] < RARE || part->p[to] < RARE;
}

typedef struct scratch {
  int64_t *n, *after; /* (nslot) */
  double *tape;
} scratch;

/* Counts of a state; of one copy where the part is of copies. */
static void state_counts(const cme_part *part, int32_t state, int64_t *n)
{
  if (part->kind == CME_COUNTS) {
    cme_counts(part, state, n);
    return;
  }
  for (int32_t i = 0; i < part->nslot; i++) n[part->slot[i]] = part->states.place[state] == i;
}

static void state_rates(splitting *self, int32_t s, scratch *at)
{
  const ness_network *const net = self->net;
  const cme_part *const part = self->part;
  exact_sum medium = {0, 0}, mixing = {0, 0}, adiabatic = {0, 0};
  self->one_way[s] = -1;
  state_counts(part, s, at->n);
  for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++) {
    const int32_t step = part->dir[e] / 2, way = part->dir[e] % 2 ? -1 : 1, to = part->q.to[e];
    const int64_t back = cme_back(part, s, e);
    const double rate = part->q.rate[e];
    if (net->step_proc[step] >= 0) continue;
    sum_add(&mixing, rate * network_mixing_change(net, step, way, at->n));
    if (back < 0) {
      if (self->one_way[s] < 0 || step < self->one_way[s]) self->one_way[s] = step;
      continue;
    }
    sum_add(&medium, rate * network_event_medium(net, step, way, at->n, at->after, at->tape));
    if (!self->why && !is_rare(part, s, to))
      sum_add(&adiabatic, excess(rate, part->q.rate[back] * (part->p[to] / part->p[s])));
  }
  self->medium[s] = sum_get(&medium);
  self->mixing[s] = sum_get(&mixing);
  self->adiabatic[s] = self->why ? (double)NAN : sum_get(&adiabatic);
}

ness_status split_create(const ness_network *net, cme_part *part, const solver_options *options, splitting **out)
{
  const size_t n = (size_t)part->q.n + 1, nslot = (size_t)net->nslot + 1;
  scratch at = {mem_zero(nslot, sizeof *at.n), mem_zero(nslot, sizeof *at.after),
                mem_zero((size_t)net->tape_max + 1, sizeof *at.tape)};
  splitting *const self = mem_zero(1, sizeof *self);
  ness_status status = NESS_NOMEM;
  *out = self;
  if (!self || !at.n || !at.after || !at.tape) goto out;
  *self = (splitting){.net = net, .part = part};
  self->medium = mem_zero(n, sizeof *self->medium);
  self->mixing = mem_zero(n, sizeof *self->mixing);
  self->adiabatic = mem_zero(n, sizeof *self->adiabatic);
  self->one_way = mem_zero(n, sizeof *self->one_way);
  self->ln = mem_zero(n, sizeof *self->ln);
  if (!self->medium || !self->mixing || !self->adiabatic || !self->one_way || !self->ln) goto out;
  for (int32_t i = 0; i < net->nslot; i++) at.n[i] = net->slot_start[i];
  status = split_rest(self, part, options);
  for (int32_t s = 0; status == NESS_OK && s < part->q.n; s++) state_rates(self, s, &at);
out:
  mem_free(at.n);
  mem_free(at.after);
  mem_free(at.tape);
  if (status) {
    split_free(self);
    *out = NULL;
  }
  return status;
}

void split_free(splitting *self)
{
  if (!self) return;
  mem_free(self->medium);
  mem_free(self->mixing);
  mem_free(self->adiabatic);
  mem_free(self->one_way);
  mem_free(self->ln);
  mem_free(self);
}

split_obstacle split_why(const splitting *self)
{
  return self->why;
}

/* Infinities do not go through compensated sums. */
typedef struct term_sum {
  exact_sum sum;
  bool endless;
} term_sum;

static void term_add(term_sum *self, double x)
{
  if (isfinite(x)) sum_add(&self->sum, x);
  else self->endless = true;
}

static double term_get(const term_sum *self)
{
  return self->endless ? (double)INFINITY : sum_get(&self->sum);
}

typedef struct pair_sums {
  term_sum total, system, nonadiabatic;
} pair_sums;

/* Both directions of a transition between states of weights a and b. */
static void pair_add(splitting *self, int32_t from, int64_t e, double a, double b, pair_sums *sums)
{
  const cme_part *const part = self->part;
  const int32_t to = part->q.to[e];
  const int64_t back = cme_back(part, from, e);
  const double forth = part->q.rate[e], again = back >= 0 ? part->q.rate[back] : 0, net = forth * a - again * b;
  if (back >= 0) {
    term_add(&sums->total, excess(forth * a, again * b));
    term_add(&sums->total, excess(again * b, forth * a));
  }
  if (from == to) return;
  if (net != 0) term_add(&sums->system, net * (self->ln[from] - self->ln[to]));
  if (!self->why && is_rare(part, from, to) && fmax(a, b) > RARE_WEIGHT) self->why = SPLIT_RARE;
  if (self->why || is_rare(part, from, to)) return;
  const double here = part->p[from], there = part->p[to], least = b > 0 && a > 0 ? 0x1p-1074 : 0;
  term_add(&sums->nonadiabatic, excess(forth * a, fmax(forth * here * (b / there), least)));
  if (back >= 0) term_add(&sums->nonadiabatic, excess(again * b, fmax(again * there * (a / here), least)));
}

void split_add(splitting *self, const double *x, bool start, split_row *row, int32_t *one_way)
{
  const cme_part *const part = self->part;
  const double least = start ? 0 : LEAST_WEIGHT;
  exact_sum medium = {0, 0}, mixing = {0, 0}, adiabatic = {0, 0};
  pair_sums sums = {0};
  bool running = false;
  for (int32_t s = 0; s < part->q.n; s++) self->ln[s] = rng_ln(fmax(x[s], least));
  for (int32_t s = 0; s < part->q.n; s++) {
    const double weight = fmax(x[s], least);
    for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++) {
      const double there = fmax(x[part->q.to[e]], least);
      if ((weight == 0 && there == 0) || self->net->step_proc[part->dir[e] / 2] >= 0) continue;
      if (part->dir[e] % 2 == 0 || cme_back(part, s, e) < 0) pair_add(self, s, e, weight, there, &sums);
    }
    if (x[s] == 0) continue;
    sum_add(&medium, x[s] * self->medium[s]);
    sum_add(&mixing, x[s] * self->mixing[s]);
    if (!self->why) sum_add(&adiabatic, x[s] * self->adiabatic[s]);
    if (self->one_way[s] < 0) continue;
    running = true;
    if (*one_way < 0 || self->one_way[s] < *one_way) *one_way = self->one_way[s];
  }
  row->total += running ? (double)INFINITY : term_get(&sums.total);
  row->medium += running ? (double)INFINITY : sum_get(&medium);
  row->system += term_get(&sums.system) - sum_get(&mixing);
  row->adiabatic += self->why ? (double)NAN : running ? (double)INFINITY : sum_get(&adiabatic);
  row->nonadiabatic += self->why ? (double)NAN : term_get(&sums.nonadiabatic);
}
