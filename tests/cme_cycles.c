/* Cycles counted: complete graphs, parallel steps, loops, one-way steps, the cap and the basis beyond it, and rates
 * whose products leave the range of a double. */
#include "check.h"
#include "cme_build.h"
#include <time.h>

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double power_of(const cme_cycles *c)
{
  double power = 0;
  for (int64_t i = 0; i < c->count; i++) power += c->cycle[i].net * c->cycle[i].affinity;
  return power;
}

static void check_complete_graphs(void)
{
  const int64_t count[9] = {0, 0, 0, 1, 7, 37, 197, 1172, 8018};
  for (int n = 3; n <= 8; n++) {
    ness_network *net = complete_graph(n, (uint64_t)n, 1);
    cme_solution s;
    cme_cycles c;
    solve(net, 0, &s);
    double took = 1;
    for (int turn = 0; turn < 5; turn++) {
      const double began = now();
      CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
      took = fmin(took, now() - began);
      if (turn < 4) cme_cycles_free(&c);
    }
    CHECK(c.count == count[n] && c.complete == 1);
    CHECK_REL(power_of(&c), s.entropy, 1e-12);
    if (n == 8) {
      printf("8,018 cycles of the complete graph on 8 states: %.3g ms\n", 1e3 * took);
      CHECK(took < 0.5);
    }
    cme_cycles_free(&c);

    CHECK(cme_cycles_find(net, &s, n > 3 ? count[n] - 1 : 1, NULL, &c) == NESS_OK);
    if (n > 3) { /* beyond the cap: chords of a tree */
      CHECK(c.complete == 0 && c.count == (n - 1) * (n - 2) / 2);
      CHECK(isnan(c.cycle[0].forward) && isnan(c.cycle[0].backward));
      CHECK_REL(power_of(&c), s.entropy, 1e-12);
    }
    cme_cycles_free(&c);
    cme_solution_free(&s);
    network_free(net);
  }
}

static void check_emre(void)
{
  ness_network *net = antiporter_8(true, 10, 10);
  cme_solution s;
  cme_cycles c;
  solve(net, 0, &s);
  double took = 1;
  for (int turn = 0; turn < 20; turn++) {
    const double began = now();
    CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
    took = fmin(took, now() - began);
    CHECK(c.count == 28);
    cme_cycles_free(&c);
  }
  printf("28 cycles of the antiporter on 8 states: %.3g ms\n", 1e3 * took);
  CHECK(took < 0.1);
  cme_solution_free(&s);
  network_free(net);
}

/* A ladder of 40 rungs with 80 states has only its basis; rungs of parallel steps add cycles of two. */
static void check_ladder(void)
{
  enum { N = 40 };
  network_builder *b = builder_create("ladder", 0);
  int32_t s[2][N];
  char name[32];
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < N; i++) {
      snprintf(name, sizeof name, "S%d_%d", k, i);
      s[k][i] = add_slot(b, name, k + i == 0 ? 30 : 0, MODEL_NO_MAX);
    }
  }
  for (int i = 0; i < N; i++) {
    add_move(b, "rung", s[0][i], s[1][i], exp(sin(37 * i)), exp(sin(91 * i + 1)));
    for (int k = 0; k < 2 && i > 0; k++)
      add_move(b, "side", s[k][i - 1], s[k][i], exp(sin(53 * i + k)), exp(sin(17 * i - k)));
  }
  ness_network *net = finish(b);
  cme_solution sol;
  cme_cycles c;
  solve(net, 0, &sol);
  CHECK(cme_cycles_find(net, &sol, 0, NULL, &c) == NESS_OK);
  CHECK(c.count == N - 1 && c.complete == 0);
  CHECK_REL(power_of(&c), sol.entropy, 1e-12);
  cme_cycles_free(&c);
  cme_solution_free(&sol);
  network_free(net);
}

/* A channel that passes particles while open, a wall between reservoirs, and a triangle of one-way steps. */
static void check_loops(void)
{
  network_builder *b = builder_create("loops", 0);
  const int32_t in = builder_reservoir(b, "K.in", log(2), 2, 0, -1), out = builder_reservoir(b, "K.out", 0, 1, 0, -1);
  const int32_t open = add_slot(b, "O", 0, MODEL_NO_MAX), shut = add_slot(b, "C", 10, MODEL_NO_MAX);
  int32_t t[3];
  for (int i = 0; i < 3; i++) t[i] = add_slot(b, (const char *[]){"T0", "T1", "T2"}[i], i == 0, MODEL_NO_MAX);
  add_move(b, "gate", shut, open, 1, 3);
  add_carry(b, "pore", open, open, in, out, 14, 7, log(2));
  add_carry(b, "wall", -1, -1, in, out, 0.2, 0.1, log(2));
  for (int i = 0; i < 3; i++) add_move(b, "turn", t[i], t[(i + 1) % 3], i + 1, 0);
  ness_network *net = finish(b);
  cme_solution s;
  cme_cycles c;
  solve(net, 0, &s);
  CHECK(s.nparts == 3 && s.parts[2].nslot == 0 && s.parts[2].q.n == 1);
  CHECK(s.parts[0].copies == 10 && s.parts[1].copies == 1 && s.parts[2].kind == CME_COUNTS);
  CHECK_REL(s.net_rate[1], 2.5 * 7, 1e-14);
  CHECK_REL(s.net_rate[2], 0.1, 1e-14);
  CHECK_REL(s.step_entropy[1], 2.5 * 7 * log(2), 1e-14);
  CHECK_REL(s.source_work[in], 17.6 * log(2), 1e-14);
  CHECK(s.source_work[out] == 0);
  CHECK(s.one_way_running == 3 && isinf(s.entropy) && isinf(s.source_work[2]));
  CHECK(s.closure < 1e-13);
  CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
  CHECK(c.count == 3 && c.complete == 1);
  CHECK(c.cycle[0].part == 1 && c.cycle[0].length == 3 && isinf(c.cycle[0].affinity) && c.cycle[0].backward == 0);
  CHECK_REL(c.cycle[0].net, 6.0 / 11, 1e-14); /* 1 / (1 + 1/2 + 1/3) */
  CHECK(c.cycle[1].length == 1 && c.cycle[1].dir[0] == 2);
  CHECK_REL(c.cycle[1].forward, 2.5 * 14, 1e-14);
  CHECK_REL(c.cycle[1].net, 2.5 * 7, 1e-14);
  CHECK(c.cycle[2].part == 2 && c.cycle[2].length == 1);
  CHECK_REL(c.cycle[2].net, 0.1, 1e-13);
  cme_cycles_free(&c);
  cme_solution_free(&s);
  network_free(net);
}

/* A ring of 60 states with rates of 1e30 and 1e-30 by turns: the products are 1e1800 and 1e-1800. */
static void check_range(void)
{
  enum { N = 60 };
  for (int turn = 0; turn < 2; turn++) {
    network_builder *b = builder_create("ring", 0);
    int32_t s[N];
    char name[32];
    for (int i = 0; i < N; i++) {
      snprintf(name, sizeof name, "S%d", i);
      s[i] = add_slot(b, name, i == 0, MODEL_NO_MAX);
    }
    const double scale = turn ? 1e30 : 1e-30;
    for (int i = 0; i < N; i++) add_move(b, "r", s[i], s[(i + 1) % N], 2 * scale, scale);
    ness_network *net = finish(b);
    cme_solution sol;
    cme_cycles c;
    solve(net, 0, &sol);
    CHECK(cme_cycles_find(net, &sol, 0, NULL, &c) == NESS_OK);
    CHECK(c.count == 1);
    CHECK_REL(sol.net_rate[0], scale / N, 1e-13);
    CHECK_REL(c.cycle[0].net, scale / N, 1e-12);
    CHECK_REL(c.cycle[0].affinity, N * log(2), 1e-14);
    cme_cycles_free(&c);
    cme_solution_free(&sol);
    network_free(net);
  }
}

/* Next to equilibrium the net flux of a cycle keeps its figures: reservoirs that differ by 1e-12 kT, and by nothing. */
static void check_near_equilibrium(void)
{
  for (int turn = 0; turn < 2; turn++) {
    const double push = turn ? 0 : 1e-12, g[3] = {0, 1.37, -0.61}, k = 3.3;
    network_builder *b = builder_create("near", 0);
    const int32_t high = builder_reservoir(b, "high", 0.7 + push, 1, 0, -1),
                  low = builder_reservoir(b, "low", 0.7, 1, 0, -1);
    int32_t s[3];
    for (int i = 0; i < 3; i++) {
      CHECKED(s[i] = builder_slot(b, (const char *[]){"A", "B", "C"}[i], i == 0, MODEL_NO_MAX, g[i], 0, -1, -1));
    }
    const double lnk[3] = {g[0] - g[1] + 0.7 + push, g[1] - g[2], g[2] - g[0] - 0.7};
    for (int i = 0; i < 3; i++) {
      add_carry(b, "r", s[i], s[(i + 1) % 3], i == 0 ? high : -1, i == 2 ? low : -1, k, k * exp(-lnk[i]), lnk[i]);
    }
    ness_network *net = finish(b);
    cme_solution sol;
    cme_cycles c;
    solve(net, 0, &sol);
    CHECK(cme_cycles_find(net, &sol, 0, NULL, &c) == NESS_OK);
    CHECK(c.count == 1);
    const double exact = (0.7 + push) - 0.7;
    CHECK(fabs(c.cycle[0].affinity - exact) <= 1e-16 * (turn ? 0 : 1));
    CHECK(fabs(c.cycle[0].net - c.cycle[0].backward * exact) <= 1e-4 * c.cycle[0].backward * exact);
    CHECK(fabs(sol.net_rate[0]) <= 1e-11);
    cme_cycles_free(&c);
    cme_solution_free(&sol);
    network_free(net);
  }
}

int main(void)
{
  check_complete_graphs();
  check_emre();
  check_ladder();
  check_loops();
  check_range();
  check_near_equilibrium();
  return check_done();
}
