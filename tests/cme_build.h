/* Small networks for the tests of engine/cme, built through the one way to build a network. */
#ifndef NESS_TESTS_CME_BUILD_H
#define NESS_TESTS_CME_BUILD_H

#include "engine/cme/cme.h"
#include <stdlib.h>

#define CHECKED(call)                                                                                                  \
  do {                                                                                                                 \
    const int checked = (int)(call);                                                                                   \
    if (checked < 0) {                                                                                                 \
      fprintf(stderr, "%s:%d: %s gives %d\n", __FILE__, __LINE__, #call, checked);                                     \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

static inline int32_t add_slot(network_builder *b, const char *name, int64_t start, int64_t max)
{
  const int32_t id = builder_slot(b, name, start, max, 0, 0, -1, -1);
  CHECKED(id);
  return id;
}

/* A mass action step; a rate of 0 means that the direction does not exist. */
static inline int32_t add_step(network_builder *b, const char *name, int32_t nleft, const int32_t *left, int32_t nright,
                               const int32_t *right, double forward, double backward)
{
  const builder_step step = {
      .name = name,
      .text = "",
      .nleft = nleft,
      .nright = nright,
      .left = left,
      .right = right,
      .law = {forward > 0 ? LAW_MASS : LAW_NONE, backward > 0 ? LAW_MASS : LAW_NONE},
      .k = {forward, backward},
      .lnk = (double)NAN,
  };
  const int32_t id = builder_step_add(b, &step);
  CHECKED(id);
  return id;
}

/* One copy goes from slot `from` to slot `to`; -1 is outside. */
static inline int32_t add_move(network_builder *b, const char *name, int32_t from, int32_t to, double forward,
                               double backward)
{
  return add_step(b, name, from >= 0, &from, to >= 0, &to, forward, backward);
}

/* One copy moves and a particle is taken from reservoir `taken` and given to `given` (-1 none); lnk is exact. */
static inline int32_t add_carry(network_builder *b, const char *name, int32_t from, int32_t to, int32_t taken,
                                int32_t given, double forward, double backward, double lnk)
{
  const builder_step step = {
      .name = name,
      .text = "",
      .nleft = from >= 0,
      .nright = to >= 0,
      .left = &from,
      .right = &to,
      .nres_left = taken >= 0,
      .nres_right = given >= 0,
      .res_left = &taken,
      .res_right = &given,
      .law = {LAW_MASS, LAW_MASS},
      .k = {forward, backward},
      .lnk = lnk,
  };
  const int32_t id = builder_step_add(b, &step);
  CHECKED(id);
  return id;
}

/* A one-way step at a constant rate whatever the counts, as long as they allow it. */
static inline int32_t add_constant(network_builder *b, const char *name, int32_t nleft, const int32_t *left,
                                   int32_t nright, const int32_t *right, double rate)
{
  const tape_op op = {.code = TAPE_CONST};
  const builder_step step = {
      .name = name,
      .text = "",
      .nleft = nleft,
      .nright = nright,
      .left = left,
      .right = right,
      .law = {LAW_TAPE, LAW_NONE},
      .nop = {1, 0},
      .tape = {&op, NULL},
      .constants = &rate,
      .lnk = (double)NAN,
  };
  const int32_t id = builder_step_add(b, &step);
  CHECKED(id);
  return id;
}

static inline ness_network *finish(network_builder *b)
{
  ness_diags *diags = ness_diags_create();
  ness_network *net = NULL;
  const ness_status status = builder_finish(b, diags, &net);
  if (status) {
    char *text = ness_diags_render(diags, 0);
    fprintf(stderr, "%s\n", text ? text : "");
    ness_text_free(text);
    exit(1);
  }
  ness_diags_free(diags);
  builder_free(b);
  return net;
}

static inline void solve(const ness_network *net, int64_t max_states, cme_solution *out)
{
  ness_diags *diags = ness_diags_create();
  const ness_status status = cme_steady(net, &(cme_options){.max_states = max_states}, diags, out);
  if (status) {
    char *text = ness_diags_render(diags, 0);
    fprintf(stderr, "%s: %s\n", ness_status_text(status), text ? text : "");
    ness_text_free(text);
    exit(1);
  }
  ness_diags_free(diags);
}

/* --- the networks of more than one test --- */

/* Alternating-access Na+/H+ antiporter of six states with a leak between states 1 and 4. */
static inline ness_network *antiporter_6(double leak, int64_t copies)
{
  const double Hon = 1.1200920e10, Hoff = 1775.2261857301544, Naon = 3.011e9, Naoff = 9.033e7;
  const double Hin = pow(10, -8.5), Hout = pow(10, -5.5), Nain = 0.01, Naout = 0.15;
  network_builder *b = builder_create("antiporter", 298.15);
  int32_t s[6];
  const char *const names[6] = {"E1", "E2", "E3", "E4", "E5", "E6"};
  for (int i = 0; i < 6; i++) s[i] = add_slot(b, names[i], i ? 0 : copies, MODEL_NO_MAX);
  add_move(b, "h_out", s[0], s[1], Hon * Hout, Hoff);
  add_move(b, "h_flip", s[1], s[2], 69, 69);
  add_move(b, "h_in", s[2], s[3], Hoff, Hon * Hin);
  add_move(b, "na_in", s[3], s[4], Naon * Nain, Naoff);
  add_move(b, "na_flip", s[4], s[5], 350, 350);
  add_move(b, "na_out", s[5], s[0], Naoff, Naon * Naout);
  if (leak > 0) add_move(b, "leak", s[0], s[3], leak, leak);
  return finish(b);
}

/* EmrE-like antiporter of eight states, H+ and drug both able to bind; declared: with energies and reservoirs. */
static inline ness_network *antiporter_8(bool declared, double a, double b_rate)
{
  const double c[4] = {pow(10, -7.5), pow(10, -6.5), 25e-9, 25e-9}; /* H out, in, D out, in */
  const double on[4] = {1e10, 1e10, 1e7, 1e7}, off[4] = {1e3, 1e3, 1, 1};
  const double g[8] = {-log(1e7), -2 * log(1e7), 0, -log(1e7), 0, -log(1e7), -log(1e7), -2 * log(1e7)};
  const char *const names[8] = {"E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8"};
  const char *const baths[4] = {"H.out", "H.in", "D.out", "D.in"};
  const int bind[8][3] = {{2, 0, 0}, {3, 1, 0}, {4, 6, 1}, {5, 7, 1}, {2, 3, 2}, {0, 1, 2}, {4, 5, 3}, {6, 7, 3}};
  const int flip[4][2] = {{0, 6}, {3, 5}, {2, 4}, {1, 7}};
  network_builder *b = builder_create("emre", 298.15);
  int32_t s[8], r[4];
  for (int i = 0; i < 8; i++) {
    s[i] = builder_slot(b, names[i], i == 0, MODEL_NO_MAX, declared ? g[i] : 0, 0, -1, -1);
    CHECKED(s[i]);
  }
  for (int i = 0; declared && i < 4; i++) {
    r[i] = builder_reservoir(b, baths[i], log(c[i]), c[i], 0, -1);
    CHECKED(r[i]);
  }
  for (int i = 0; i < 8; i++) {
    const int from = bind[i][0], to = bind[i][1], w = bind[i][2];
    char name[16];
    snprintf(name, sizeof name, "b%d", i);
    if (!declared) add_move(b, name, s[from], s[to], on[w] * c[w], off[w]);
    else add_carry(b, name, s[from], s[to], r[w], -1, on[w] * c[w], off[w], -(g[to] - g[from]) + log(c[w]));
  }
  for (int i = 0; i < 4; i++) {
    char name[16];
    snprintf(name, sizeof name, "f%d", i);
    const double k = i < 2 ? a : b_rate;
    if (!declared) add_move(b, name, s[flip[i][0]], s[flip[i][1]], k, k);
    else add_carry(b, name, s[flip[i][0]], s[flip[i][1]], -1, -1, k, k, 0);
  }
  return finish(b);
}

/* All pairs of n states joined, rates drawn from a small congruential generator. */
static inline double draw(uint64_t *seed)
{
  *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(*seed >> 11) * 0x1p-53;
}

static inline ness_network *complete_graph(int n, uint64_t seed, int64_t copies)
{
  network_builder *b = builder_create("complete", 0);
  int32_t s[64];
  char name[32];
  for (int i = 0; i < n; i++) {
    snprintf(name, sizeof name, "S%d", i);
    s[i] = add_slot(b, name, i ? 0 : copies, MODEL_NO_MAX);
  }
  for (int i = 0; i < n; i++) {
    for (int j = i + 1; j < n; j++) {
      snprintf(name, sizeof name, "r%d_%d", i, j);
      const double forward = exp(8 * draw(&seed) - 4), backward = exp(8 * draw(&seed) - 4);
      add_move(b, name, s[i], s[j], forward, backward);
    }
  }
  return finish(b);
}

/* Energies, reservoirs, one- and two-copy sides, parallel steps, counts up to room + 2 or + 3; a step in four holds
 * work that is not declared. */
static inline ness_network *reaction_network(uint64_t seed, bool one_way, int64_t room)
{
  for (int i = 0; i < 8; i++) draw(&seed);
  network_builder *b = builder_create("random", 0);
  const int nslot = 2 + (int)(3 * draw(&seed)), nres = 1 + (int)(2 * draw(&seed)),
            nstep = nslot + (int)(4 * draw(&seed));
  double g[8], mu[4];
  int32_t s[8], r[4];
  const bool still = draw(&seed) < 0.2; /* one potential for all reservoirs: equilibrium unless work is undeclared */
  char name[16];
  for (int i = 0; i < nres; i++) {
    snprintf(name, sizeof name, "R%d", i);
    mu[i] = still && i > 0 ? mu[0] : 4 * draw(&seed) - 2;
    CHECKED(r[i] = builder_reservoir(b, name, mu[i], exp(mu[i]), 0, -1));
  }
  for (int i = 0; i < nslot; i++) {
    snprintf(name, sizeof name, "S%d", i);
    g[i] = 4 * draw(&seed) - 2;
    const int64_t start = (int64_t)(3 * draw(&seed)), max = room + 2 + (int64_t)(2 * draw(&seed));
    CHECKED(s[i] = builder_slot(b, name, start, max, g[i], 0, -1, -1));
  }
  for (int i = 0; i < nstep; i++) {
    int32_t left[2], right[2];
    const int nl = (int)(3 * draw(&seed)), nr = (int)(3 * draw(&seed));
    const int w = (int)(nres * draw(&seed)), taken = draw(&seed) < 0.5, given = !taken && draw(&seed) < 0.6;
    double lnk = (taken - given) * mu[w];
    for (int k = 0; k < nl; k++) {
      const int x = (int)(nslot * draw(&seed));
      left[k] = s[x];
      lnk += g[x];
    }
    for (int k = 0; k < nr; k++) {
      const int x = (int)(nslot * draw(&seed));
      right[k] = s[x];
      lnk -= g[x];
    }
    const double forward = exp(6 * draw(&seed) - 3);
    const bool declared = draw(&seed) < 0.75;
    const double backward = declared ? forward * exp(-lnk) : exp(6 * draw(&seed) - 3);
    const int law = one_way && draw(&seed) < 0.3 ? 1 + (draw(&seed) < 0.5) : 0;
    snprintf(name, sizeof name, "r%d", i);
    const builder_step step = {
        .name = name,
        .text = "",
        .nleft = nl,
        .nright = nr,
        .left = left,
        .right = right,
        .nres_left = taken,
        .nres_right = given,
        .res_left = &r[w],
        .res_right = &r[w],
        .law = {law == 1 ? LAW_NONE : LAW_MASS, law == 2 ? LAW_NONE : LAW_MASS},
        .k = {law == 1 ? 0 : forward, law == 2 ? 0 : backward},
        .lnk = declared && !law ? lnk : (double)NAN,
    };
    CHECKED(builder_step_add(b, &step));
  }
  return finish(b);
}

#endif
