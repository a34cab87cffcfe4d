/* The oracle of the simulation tests: the direct method (Gillespie 1977) as plainly as it can be written. Every step
 * all propensities are computed anew from the network's stored arrays by code of its own, the waiting time is
 * -log(u)/total from the C library, the direction is found by a linear scan, and the generator is splitmix64. It shares
 * nothing with the engine but the network. It can be given faults, which the tests must notice. Below it: networks and
 * two statistics. */
#ifndef NESS_TESTS_SSA_ORACLE_H
#define NESS_TESTS_SSA_ORACLE_H

#include "engine/model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ORACLE_MAX 64 /* slots and directions */

typedef struct oracle_fault { /* all zero: none */
  double scale;               /* 0.03: forward rate of step 0 is 3 % off */
  int sample_after;           /* the state after the next event instead of the one before it */
  int stale;                  /* direction 0 is not computed anew unless step 0 fires */
} oracle_fault;

typedef struct oracle {
  const ness_network *net;
  oracle_fault fault;
  uint64_t random;
  double t, next, first; /* first: time of the first event */
  int64_t n[ORACLE_MAX], fired[ORACLE_MAX];
  double area[ORACLE_MAX]; /* integral of each count up to t */
  double stale_rate;
  int64_t events;
} oracle;

static inline double oracle_uniform(oracle *self)
{
  uint64_t z = self->random += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static inline double oracle_tape(const ness_network *net, int dir, const int64_t *n)
{
  double r[64] = {0};
  const int start = net->tape_start[dir], count = net->tape_start[dir + 1] - start;
  for (int i = 0; i < count; i++) {
    const tape_op *op = &net->tape[start + i];
    switch (op->code) {
    case TAPE_CONST: r[i] = net->tape_const[op->a]; break;
    case TAPE_SLOT: r[i] = (double)n[op->a]; break;
    case TAPE_ADD: r[i] = r[op->a] + r[op->b]; break;
    case TAPE_SUB: r[i] = r[op->a] - r[op->b]; break;
    case TAPE_MUL: r[i] = r[op->a] * r[op->b]; break;
    case TAPE_DIV: r[i] = r[op->a] / r[op->b]; break;
    default: abort();
    }
  }
  return r[count - 1];
}

static inline double oracle_rate(const ness_network *net, int dir, const int64_t *n)
{
  const int step = dir / 2, sign = dir % 2 ? -1 : 1;
  double a;
  for (int i = net->change_start[step]; i < net->change_start[step + 1]; i++) {
    const int slot = net->change_slot[i];
    const int64_t after = n[slot] + sign * net->change_by[i];
    if (after < 0 || after > net->slot_max[slot]) {
      return 0;
    }
  }
  if (net->dir_law[dir] == LAW_NONE) {
    return 0;
  }
  if (net->dir_law[dir] == LAW_TAPE) {
    return oracle_tape(net, dir, n);
  }
  a = net->dir_k[dir];
  for (int i = net->react_start[dir]; i < net->react_start[dir + 1]; i++) {
    for (int m = 0; m < net->react_mult[i]; m++) {
      const int64_t left = n[net->react_slot[i]] - m;
      a *= left > 0 ? (double)left : 0;
    }
  }
  return a;
}

static inline void oracle_start(oracle *self, const ness_network *net, uint64_t seed, oracle_fault fault)
{
  memset(self, 0, sizeof *self);
  self->net = net;
  self->fault = fault;
  self->random = seed * UINT64_C(0xd1342543de82ef95) + 1;
  self->first = INFINITY;
  for (int i = 0; i < net->nslot; i++) {
    self->n[i] = net->slot_start[i];
  }
  self->stale_rate = oracle_rate(net, 0, self->n);
}

static inline void oracle_wait(oracle *self, double wait)
{
  self->t += wait;
  for (int i = 0; i < self->net->nslot; i++) {
    self->area[i] += wait * (double)self->n[i];
  }
}

/* Advances until the next event would be later than t_stop; self->n is the state then. */
static inline void oracle_run(oracle *self, double t_stop)
{
  const ness_network *net = self->net;
  double a[ORACLE_MAX];
  for (;;) {
    double total = 0;
    for (int d = 0; d < 2 * net->nstep; d++) {
      a[d] = oracle_rate(net, d, self->n);
      if (d == 0 && self->fault.stale) {
        a[d] = self->stale_rate;
      }
      if (d == 0) {
        a[d] *= 1 + self->fault.scale;
      }
      total += a[d];
    }
    if (total <= 0) {
      oracle_wait(self, t_stop - self->t);
      return;
    }
    const double wait = -log(oracle_uniform(self)) / total;
    double u = oracle_uniform(self) * total;
    int d = 0, last = 0;
    for (; d < 2 * net->nstep; d++) {
      if (a[d] > 0) {
        last = d;
        if (u < a[d]) {
          break;
        }
        u -= a[d];
      }
    }
    d = last;
    const int over = self->t + wait > t_stop;
    if (over && !self->fault.sample_after) {
      oracle_wait(self, t_stop - self->t); /* memoryless: the next call draws anew */
      return;
    }
    oracle_wait(self, wait);
    if (self->events++ == 0) {
      self->first = self->t;
    }
    self->fired[d]++;
    for (int i = net->change_start[d / 2]; i < net->change_start[d / 2 + 1]; i++) {
      self->n[net->change_slot[i]] += d % 2 ? -net->change_by[i] : net->change_by[i];
    }
    if (d / 2 == 0) {
      self->stale_rate = oracle_rate(net, 0, self->n);
    }
    if (over) {
      return;
    }
  }
}

/* --- networks --- */

typedef struct net_step {
  const char *name;
  double kf, kb; /* 0: this direction does not exist */
  int nleft, left[4], nright, right[4];
} net_step;

typedef struct net_slot {
  const char *name;
  int64_t start, max; /* max 0: free */
} net_slot;

/* Adds a step whose ways may have tapes (NULL: mass action). */
static inline int net_add(network_builder *b, const net_step *s, int nop_f, const tape_op *fwd, int nop_b,
                          const tape_op *bwd, const double *constants)
{
  const builder_step step = {
      .name = s->name,
      .text = s->name,
      .nleft = s->nleft,
      .left = s->left,
      .nright = s->nright,
      .right = s->right,
      .law = {fwd         ? LAW_TAPE
              : s->kf > 0 ? LAW_MASS
                          : LAW_NONE,
              bwd         ? LAW_TAPE
              : s->kb > 0 ? LAW_MASS
                          : LAW_NONE},
      .k = {s->kf, s->kb},
      .nop = {nop_f, nop_b},
      .tape = {fwd, bwd},
      .constants = constants,
      .lnk = NAN,
  };
  return builder_step_add(b, &step);
}

static inline network_builder *net_slots(const char *name, int nslot, const net_slot *slots)
{
  network_builder *b = builder_create(name, 0);
  for (int i = 0; b && i < nslot; i++) {
    builder_slot(b, slots[i].name, slots[i].start, slots[i].max ? slots[i].max : MODEL_NO_MAX, 0, 0, -1, -1);
  }
  return b;
}

static inline ness_network *net_finish(network_builder *b)
{
  ness_network *net = NULL;
  ness_diags *diags = ness_diags_create();
  if (b && builder_finish(b, diags, &net) != NESS_OK) {
    char *why = ness_diags_render(diags, 0);
    fprintf(stderr, "test network: %s\n", why ? why : "?");
    ness_text_free(why);
    net = NULL;
  }
  builder_free(b);
  ness_diags_free(diags);
  if (!net) {
    exit(2);
  }
  return net;
}

static inline ness_network *net_make(const char *name, int nslot, const net_slot *slots, int nstep,
                                     const net_step *steps)
{
  network_builder *b = net_slots(name, nslot, slots);
  for (int i = 0; b && i < nstep; i++) {
    net_add(b, &steps[i], 0, NULL, 0, NULL, NULL);
  }
  return net_finish(b);
}

static inline ness_network *net_ring(void)
{
  const net_slot slots[] = {{"S0", 1, 0}, {"S1", 0, 0}, {"S2", 0, 0}, {"S3", 0, 0}, {"S4", 0, 0}, {"S5", 0, 0}};
  const net_step steps[] = {{"s01", 100, 40, 1, {0}, 1, {1}}, {"s12", 200, 30, 1, {1}, 1, {2}},
                            {"s23", 150, 60, 1, {2}, 1, {3}}, {"s34", 300, 50, 1, {3}, 1, {4}},
                            {"s45", 250, 24, 1, {4}, 1, {5}}, {"s50", 120, 20, 1, {5}, 1, {0}}};
  return net_make("ring", 6, slots, 6, steps);
}

static inline ness_network *net_fuel(void)
{
  const net_slot slots[] = {{"A", 12, 0}, {"B", 8, 0}, {"F", 40, 0}, {"W", 10, 0}};
  const net_step steps[] = {{"thermal", 1, 2, 1, {0}, 1, {1}}, {"fuelled", 0.2, 0.1, 2, {1, 2}, 2, {0, 3}}};
  return net_make("fuel", 4, slots, 2, steps);
}

/* 2 X -> 0, 3 X <-> Y, 0 -> X with few molecules. */
static inline ness_network *net_pairs(void)
{
  const net_slot slots[] = {{"X", 7, 0}, {"Y", 1, 0}};
  const net_step steps[] = {{"pair", 0.3, 0, 2, {0, 0}, 0, {0}},
                            {"triple", 0.15, 1.5, 3, {0, 0, 0}, 1, {1}},
                            {"feed", 4, 0, 0, {0}, 1, {0}},
                            {"mixed", 0.1, 0.2, 3, {0, 0, 1}, 2, {0, 1}}};
  return net_make("pairs", 2, slots, 4, steps);
}

/* Hops on a ring of five sites that hold one each, and a store that holds two. */
static inline ness_network *net_exclusion(void)
{
  const net_slot slots[] = {{"s0", 1, 1}, {"s1", 0, 1}, {"s2", 1, 1}, {"s3", 0, 1}, {"s4", 0, 1}, {"store", 0, 2}};
  const net_step steps[] = {{"h0", 2, 1, 1, {0}, 1, {1}},    {"h1", 2, 1, 1, {1}, 1, {2}},
                            {"h2", 3, 1, 1, {2}, 1, {3}},    {"h3", 2, 1, 1, {3}, 1, {4}},
                            {"h4", 2, 1, 1, {4}, 1, {0}},    {"in", 1, 0.5, 0, {0}, 1, {5}},
                            {"drop", 1, 0.7, 1, {5}, 1, {0}}};
  return net_make("exclusion", 6, slots, 7, steps);
}

static inline ness_network *net_birth(double birth, double death)
{
  const net_slot slots[] = {{"X", 0, 0}};
  const net_step steps[] = {{"turnover", birth, death, 0, {0}, 1, {0}}};
  return net_make("birth", 1, slots, 1, steps);
}

/* Michaelis-Menten both ways by tapes, and a mass action loop behind it: S <-> P (tapes), P <-> Q, Q <-> S. */
static inline ness_network *net_tape(double vmax)
{
  const net_slot slots[] = {{"S", 9, 0}, {"P", 2, 0}, {"Q", 1, 0}};
  const tape_op fwd[] = {{TAPE_SLOT, 0, 0, 0},  {TAPE_CONST, 0, 0, 0}, {TAPE_MUL, 0, 1, 0},
                         {TAPE_CONST, 1, 0, 0}, {TAPE_ADD, 0, 3, 0},   {TAPE_DIV, 2, 4, 0}};
  const tape_op bwd[] = {{TAPE_SLOT, 1, 0, 0},  {TAPE_CONST, 0, 0, 0}, {TAPE_MUL, 0, 1, 0},
                         {TAPE_CONST, 2, 0, 0}, {TAPE_ADD, 0, 3, 0},   {TAPE_DIV, 2, 4, 0}};
  const double constants[] = {vmax, 2.5, 4.0};
  const net_step tape = {"enzyme", 0, 0, 1, {0}, 1, {1}};
  const net_step pq = {"pq", 1.2, 0.4, 1, {1}, 1, {2}}, qs = {"qs", 0.9, 0.3, 1, {2}, 1, {0}};
  network_builder *b = net_slots("tape", 3, slots);
  net_add(b, &tape, 6, fwd, 6, bwd, constants);
  net_add(b, &pq, 0, NULL, 0, NULL, NULL);
  net_add(b, &qs, 0, NULL, 0, NULL, NULL);
  return net_finish(b);
}

/* Sites 0 ... sites-1 in a row with hops both ways: a tree of several levels. */
static inline ness_network *net_chain(int sites, int64_t each)
{
  network_builder *b = builder_create("chain", 0);
  for (int i = 0; i < sites; i++) {
    char name[16];
    snprintf(name, sizeof name, "X%d", i);
    builder_slot(b, name, each, MODEL_NO_MAX, 0, 0, -1, -1);
  }
  for (int i = 0; i + 1 < sites; i++) {
    char name[16];
    snprintf(name, sizeof name, "h%d", i);
    const net_step hop = {name, 1, 1, 1, {i}, 1, {i + 1}};
    net_add(b, &hop, 0, NULL, 0, NULL, NULL);
  }
  return net_finish(b);
}

/* --- statistics --- */

/* Upper tail of the chi-square law: Q(k/2, x/2), by its series or continued fraction. */
static inline double chi_tail(double x, double k)
{
  const double a = k / 2, z = x / 2;
  if (x <= 0 || k <= 0) {
    return 1;
  }
  const double front = exp(-z + a * log(z) - lgamma(a));
  if (z < a + 1) {
    double term = 1 / a, sum = term;
    for (int i = 1; i < 10000 && term > sum * 1e-16; i++) {
      term *= z / (a + i);
      sum += term;
    }
    return 1 - front * sum;
  }
  double b = z + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int i = 1; i < 10000; i++) {
    const double an = -i * (i - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    h *= d * c;
    if (fabs(d * c - 1) < 1e-15) {
      break;
    }
  }
  return front * h;
}

/* Do two samples of equal size, as histograms, have one law? Neighbouring bins are merged up to 20 in both together. */
static inline double chi_two(const int64_t *x, const int64_t *y, int bins)
{
  double stat = 0, a = 0, b = 0;
  int used = 0;
  for (int i = 0; i < bins; i++) {
    a += (double)x[i];
    b += (double)y[i];
    if (a + b >= 20) {
      stat += (a - b) * (a - b) / (a + b);
      used++;
      a = b = 0;
    }
  }
  return chi_tail(stat, used - 1);
}

/* Does a sample have the expected counts? Bins are merged up to an expectation of 10, the last ones with what is left.
 */
static inline double chi_one(const int64_t *x, const double *expected, int bins)
{
  double stat = 0, a = 0, e = 0, rest = 0;
  int used = 0;
  for (int i = 0; i < bins; i++) {
    rest += expected[i];
  }
  for (int i = 0; i < bins; i++) {
    a += (double)x[i];
    e += expected[i];
    rest -= expected[i];
    if ((e >= 10 && rest >= 10) || i == bins - 1) {
      stat += e > 0 ? (a - e) * (a - e) / e : 0;
      used++;
      a = e = 0;
    }
  }
  return chi_tail(stat, used - 1);
}

#endif
