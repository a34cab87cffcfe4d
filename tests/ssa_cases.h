/* The networks of ssa_exactness, and how long each runs: one way and both ways, one copy and many, all orders up to the
 * fourth, two and three of a kind with none, one or two there, bounds, expressions with nothing over nothing, steps
 * that never fire, ends where nothing is open, and more directions than a small network has. Each has few enough states
 * for ssa_master.h. */
#ifndef NESS_TESTS_SSA_CASES_H
#define NESS_TESTS_SSA_CASES_H

#include "ssa_oracle.h"

static inline ness_network *net_sparse(void)
{
  return net_birth(0.3, 0.8); /* mostly empty */
}

static inline ness_network *net_full(void)
{
  return net_birth(6, 0.8);
}

static inline ness_network *net_enzyme(void)
{
  return net_tape(3);
}

/* Two copies on a ring of twelve sites with rates from 1 to 2048. */
static inline ness_network *net_spread(void)
{
  enum { SITES = 12 };
  net_slot slots[SITES];
  net_step steps[SITES];
  static char name[SITES][2][8];
  for (int i = 0; i < SITES; i++) {
    snprintf(name[i][0], sizeof name[i][0], "S%d", i);
    snprintf(name[i][1], sizeof name[i][1], "h%d", i);
    slots[i] = (net_slot){name[i][0], i ? 0 : 2, 0};
    steps[i] = (net_step){name[i][1], ldexp(1, 5 * i % SITES), 0, 1, {i}, 1, {(i + 1) % SITES}};
  }
  return net_make("spread", SITES, slots, SITES, steps);
}

/* Two copies at the end of a row: more directions than a small network has. */
static inline ness_network *net_row(void)
{
  enum { SITES = 20 };
  net_slot slots[SITES];
  net_step steps[SITES];
  static char name[SITES][2][8];
  for (int i = 0; i < SITES; i++) {
    snprintf(name[i][0], sizeof name[i][0], "X%d", i);
    snprintf(name[i][1], sizeof name[i][1], "h%d", i);
    slots[i] = (net_slot){name[i][0], i ? 0 : 2, 0};
    steps[i] = (net_step){name[i][1], 1, 0.8, 1, {i}, 1, {i + 1}};
  }
  return net_make("row", SITES, slots, SITES - 1, steps);
}

/* A <-> B until all have gone: most runs end before their time. */
static inline ness_network *net_fading(void)
{
  const net_slot slots[] = {{"A", 3, 0}, {"B", 1, 0}};
  const net_step steps[] = {{"turn", 3, 2, 1, {0}, 1, {1}}, {"loss", 0.8, 0, 1, {0}, 0, {0}}};
  return net_make("fading", 2, slots, 2, steps);
}

/* 2 X <-> Y, 3 X -> 2 X, a slow feed: none, one, or two of X are there at most times, and at the start. */
static inline ness_network *net_twins(int64_t start)
{
  const net_slot slots[] = {{"X", start, 0}, {"Y", 0, 0}};
  const net_step steps[] = {{"pair", 1, 8, 2, {0, 0}, 1, {1}},
                            {"triple", 0.2, 0, 3, {0, 0, 0}, 2, {0, 0}},
                            {"feed", 0.9, 0.1, 0, {0}, 1, {0}}};
  return net_make("twins", 2, slots, 3, steps);
}

static inline ness_network *net_twins_0(void)
{
  return net_twins(0);
}

static inline ness_network *net_twins_1(void)
{
  return net_twins(1);
}

static inline ness_network *net_twins_2(void)
{
  return net_twins(2);
}

/* Fourth order one way, and two of one with two of another the other way. */
static inline ness_network *net_fourth(void)
{
  const net_slot slots[] = {{"X", 9, 0}, {"Y", 0, 0}, {"Z", 2, 0}};
  const net_step steps[] = {{"four", 0.0015, 6, 4, {0, 0, 0, 0}, 1, {1}},
                            {"cross", 0.05, 0.3, 4, {0, 0, 2, 2}, 2, {1, 2}}};
  network_builder *b = net_slots("fourth", 3, slots);
  for (int i = 0; i < 2; i++) net_add(b, &steps[i], 0, NULL, 0, NULL, NULL);
  return net_finish(b);
}

/* S <-> P at 3 S / (S + P) and 2 P, of which the one is no number where both are 0, and steps that never fire: at the
 * rate 0 whatever the counts, for want of what they take, and with a constant of 0. */
static inline ness_network *net_nothing(void)
{
  const net_slot slots[] = {{"S", 1, 0}, {"P", 0, 0}, {"Z", 0, 0}};
  const double constants[] = {3, 0};
  const tape_op share[] = {{TAPE_SLOT, 0, 0, 0},  {TAPE_SLOT, 1, 0, 0}, {TAPE_ADD, 0, 1, 0},
                           {TAPE_CONST, 0, 0, 0}, {TAPE_MUL, 0, 3, 0},  {TAPE_DIV, 4, 2, 0}};
  const tape_op zero[] = {{TAPE_CONST, 1, 0, 0}};
  const net_step steps[] = {{"share", 0, 2, 1, {0}, 1, {1}},
                            {"zero", 0, 0, 1, {1}, 0, {0}},
                            {"want", 5, 0, 2, {0, 2}, 1, {2}},
                            {"feed", 1, 0, 0, {0}, 1, {0}},
                            {"clear", 1.2, 0, 1, {1}, 0, {0}}};
  network_builder *b = net_slots("nothing", 3, slots);
  net_add(b, &steps[0], 6, share, 0, NULL, constants);
  net_add(b, &steps[1], 1, zero, 0, NULL, constants);
  for (int i = 2; i < 5; i++) net_add(b, &steps[i], 0, NULL, 0, NULL, NULL);
  return net_finish(b);
}

/* Second order and first, of two kinds and of one, in three groups of leaves. */
static inline ness_network *net_binding(void)
{
  const net_slot slots[] = {{"X", 6, 0}, {"Y", 3, 0}, {"Z", 0, 0}, {"E", 2, 0}, {"EZ", 0, 0}, {"W", 0, 0}};
  const net_step steps[] = {{"bind", 0.3, 2.5, 2, {0, 1}, 1, {2}},
                            {"pair", 0.3, 1, 2, {0, 0}, 1, {1}},
                            {"hold", 0.5, 0.8, 2, {3, 2}, 1, {4}},
                            {"move", 0.7, 0.3, 1, {2}, 1, {5}},
                            {"help", 0.2, 0.1, 2, {3, 5}, 2, {3, 2}}};
  return net_make("binding", 6, slots, 5, steps);
}

/* So many that events go in batches by the method that has them. */
static inline ness_network *net_crowd(void)
{
  const net_slot slots[] = {{"X", 4000, 0}, {"Y", 1000, 0}};
  const net_step steps[] = {{"pair", 2e-4, 4, 2, {0, 0}, 1, {1}}};
  return net_make("crowd", 2, slots, 1, steps);
}

typedef struct test_case {
  const char *label;
  ness_network *(*make)(void);
  double t;     /* so long that step 0 goes forward 1.5 times in the mean */
  int64_t most; /* counts that matter */
  bool stale;   /* other steps change the rate of direction 0 so much that it shows */
} test_case;

static const test_case cases[] = {
    {"ring", net_ring, 0.12, 1, true},       {"spread", net_spread, 3, 2, true},
    {"row", net_row, 3, 2, false},           {"fading", net_fading, 2.5, 4, true},
    {"fuel", net_fuel, 0.5, 50, true},       {"binding", net_binding, 1.5, 20, true},
    {"pairs", net_pairs, 2.5, 28, true},     {"none of X", net_twins_0, 8, 18, true},
    {"one of X", net_twins_1, 6, 18, true},  {"two of X", net_twins_2, 5, 18, true},
    {"fourth", net_fourth, 3, 40, true},     {"exclusion", net_exclusion, 13, 2, true},
    {"enzyme", net_enzyme, 1.2, 12, false},  {"nothing", net_nothing, 5, 30, true},
    {"empty", net_sparse, 6, 20, false},     {"full", net_full, 1.3, 45, false},
    {"crowd", net_crowd, 0.02, 4300, false},
};

#endif
