/* Steady states with a closed form or a published figure: fuel cycle, antiporters, open tank, Schloegl, two roads. */
#include "check.h"
#include "cme_build.h"

static void check_fuel(double kab, double kba, double kbf, double kaw, int64_t copies)
{
  network_builder *b = builder_create("fuel", 0);
  const int32_t A = add_slot(b, "A", copies, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "r1", A, B, kab, kba);
  add_move(b, "r2", B, A, kbf, kaw);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  const double n = (double)copies, total = kab + kba + kbf + kaw;
  const double J = (kab * kbf - kba * kaw) / total, affinity = log(kab * kbf / (kba * kaw)), p = (kab + kaw) / total;
  CHECK_REL(s.net_rate[0], n * J, 1e-13);
  CHECK_REL(s.net_rate[1], n * J, 1e-13);
  CHECK_REL(s.entropy, n * J * affinity, 1e-13);
  CHECK_REL(s.mean[B], n * p, 1e-14);
  CHECK_REL(s.var[B], n * p * (1 - p), 1e-14);
  CHECK_REL(s.var[A], n * p * (1 - p), 1e-14);
  CHECK(s.one_way_running == -1);
  CHECK(s.closure <= 1e-12 * s.entropy);
  CHECK(s.nparts == 1 && s.parts[0].copies == copies && s.states == 2);
  cme_cycles c;
  CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
  CHECK(c.count == 1 && c.complete == 1);
  CHECK_REL(c.cycle[0].net, n * J, 1e-13);
  CHECK_REL(c.cycle[0].affinity, affinity, 1e-14);
  CHECK(c.cycle[0].dir[0] == 0 && c.cycle[0].dir[1] == 2);
  cme_cycles_free(&c);
  cme_solution_free(&s);
  network_free(net);
}

static void check_fuel_figures(void)
{
  network_builder *b = builder_create("fuel", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "r1", A, B, 1, 100);
  add_move(b, "r2", B, A, 50, 0.005);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  CHECK_REL(s.net_rate[0], 0.327803715109, 1e-11);
  CHECK_REL(s.entropy, 1.50959189568, 1e-11);
  cme_solution_free(&s);
  network_free(net);
}

/* The figures are exact rational results: next to pairs that flow a million times faster, they hold to 1e-13. */
static void check_antiporter_6(double leak, double h, double na, double sigma)
{
  for (int64_t copies = 1; copies <= 200; copies += 199) {
    ness_network *net = antiporter_6(leak, copies);
    const double n = (double)copies;
    cme_solution s;
    solve(net, 0, &s);
    CHECK_REL(s.net_rate[0], n * h, 1e-13);
    CHECK_REL(s.net_rate[5], n * na, 1e-13);
    if (sigma > 0) CHECK_REL(s.entropy, n * sigma, 1e-7);
    CHECK(s.closure <= 1e-12 * s.entropy);
    cme_cycles c;
    CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
    CHECK(c.count == (leak > 0 ? 3 : 1));
    double net_h = 0, power = 0;
    for (int64_t i = 0; i < c.count; i++) {
      power += c.cycle[i].net * c.cycle[i].affinity;
      for (int32_t k = 0; k < c.cycle[i].length; k++) {
        if (c.cycle[i].dir[k] / 2 == 0) net_h += c.cycle[i].dir[k] % 2 ? -c.cycle[i].net : c.cycle[i].net;
      }
    }
    CHECK_REL(net_h, s.net_rate[0], 1e-12);
    CHECK_REL(power, s.entropy, 1e-12);
    cme_cycles_free(&c);
    cme_solution_free(&s);
    network_free(net);
  }
}

static void check_antiporter_8(bool declared)
{
  ness_network *net = antiporter_8(declared, 10, 10);
  cme_solution s;
  solve(net, 0, &s);
  CHECK_REL(-(s.net_rate[8] + s.net_rate[11]), 2.57175174899, 1e-11); /* 7 -> 1 and 8 -> 2 */
  CHECK_NEAR(s.net_rate[4] + s.net_rate[5], 0, 1e-13);                /* drug bound outside */
  CHECK_REL(s.entropy, 5.92167724, 1e-8);
  CHECK(s.closure <= 1e-12 * s.entropy);
  if (declared) CHECK_NEAR(s.source_work[network_sources(net) - 1], 0, 1e-12);
  cme_cycles c;
  CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
  CHECK(c.count == 28 && c.complete == 1);
  int driven = 0;
  double power = 0;
  for (int64_t i = 0; i < c.count; i++) {
    driven += fabs(c.cycle[i].affinity) > 1e-9;
    if (fabs(c.cycle[i].affinity) <= 1e-9) CHECK(fabs(c.cycle[i].affinity) < 1e-13);
    power += c.cycle[i].net * c.cycle[i].affinity;
    if (i > 0) CHECK(fabs(c.cycle[i].net * c.cycle[i].affinity) <= fabs(c.cycle[i - 1].net * c.cycle[i - 1].affinity));
  }
  CHECK(driven == 16);
  CHECK_REL(power, s.entropy, 1e-12);
  cme_cycles_free(&c);
  cme_solution_free(&s);
  network_free(net);
}

/* Tap and drain, both reversible; and the twin with the same mean in equilibrium. */
static void check_tank(void)
{
  network_builder *b = builder_create("tank", 0);
  int32_t n = add_slot(b, "n", 0, 600);
  add_move(b, "tap", -1, n, 200, 0.1);
  add_move(b, "drain", n, -1, 1, 20);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  CHECK(s.states == 601);
  CHECK_REL(s.mean[n], 200, 1e-13);
  CHECK_REL(s.var[n], 200, 1e-12);
  CHECK_REL(s.net_rate[0], 180, 1e-12);
  CHECK_REL(s.net_rate[1], 180, 1e-12);
  CHECK_REL(s.entropy, 180 * log(100), 1e-12);
  CHECK(s.closure <= 1e-12 * s.entropy);
  double worst = 0; /* Poisson, down to 1e-90 */
  for (int32_t i = 0; i < 601; i++) {
    int64_t count;
    cme_counts(&s.parts[0], i, &count);
    const double k = (double)count;
    worst = fmax(worst, fabs(log(s.parts[0].p[i]) - (k * log(200) - 200 - lgamma(k + 1))));
  }
  CHECK(worst < 2e-12);
  cme_cycles c;
  CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
  CHECK(c.complete == 0 && c.count == 600);
  double power = 0;
  for (int64_t i = 0; i < c.count; i++) {
    CHECK_REL(fabs(c.cycle[i].affinity), log(100), 1e-13);
    power += c.cycle[i].net * c.cycle[i].affinity;
  }
  CHECK_REL(power, s.entropy, 1e-12);
  cme_cycles_free(&c);
  cme_solution_free(&s);
  network_free(net);

  b = builder_create("still", 0);
  n = add_slot(b, "n", 0, 600);
  add_move(b, "tap", -1, n, 200, 1);
  net = finish(b);
  solve(net, 0, &s);
  CHECK_REL(s.mean[n], 200, 1e-13);
  CHECK(fabs(s.net_rate[0]) < 1e-12 && fabs(s.entropy) < 1e-11);
  CHECK_REL(s.dir_rate[0], 200, 1e-13);
  cme_solution_free(&s);
  network_free(net);
}

static void check_schloegl(void)
{
  network_builder *b = builder_create("schloegl", 0);
  const int32_t x = add_slot(b, "X", 250, 1400), xxx[3] = {x, x, x};
  add_step(b, "r1", 2, xxx, 3, xxx, 3e-2 / 2, 1e-4 / 6);
  add_move(b, "r2", -1, x, 200, 3.5);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  CHECK_REL(s.mean[x], 454.8613479, 2e-10);
  CHECK_REL(s.var[x], 39951.547, 1e-8);
  CHECK_REL(s.entropy, 3837.56236, 1e-8);
  CHECK_REL(s.net_rate[0], 1392.01472, 1e-8);
  CHECK_NEAR(s.net_rate[0] + s.net_rate[1], 0, 1e-9);
  CHECK(s.closure <= 1e-12 * s.entropy);
  cme_solution_free(&s);
  network_free(net);
}

static void check_two_roads(void)
{
  network_builder *b = builder_create("roads", 0);
  const int32_t A = add_slot(b, "A", 7, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  const int32_t shut = add_move(b, "wall", A, B, 3, 3);
  add_move(b, "left", A, B, 2, 5);
  add_move(b, "right", A, B, 4, 1);
  ness_network *net = finish(b);
  cme_solution s;
  cme_cycles c;
  solve(net, 0, &s);
  CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
  CHECK(c.count == 3 && shut == 0);
  for (int i = 0; i < 3; i++) { /* J = N (k1 k2' - k1' k2) / (sum of all rates), A = ln of the ratio */
    const int32_t x = c.cycle[i].dir[0], y = c.cycle[i].dir[1];
    CHECK(c.cycle[i].length == 2 && x % 2 == 0 && y % 2 == 1 && x < y);
    const double up = net->dir_k[x] * net->dir_k[y], down = net->dir_k[x + 1] * net->dir_k[y - 1];
    CHECK_REL(c.cycle[i].net, 7 * (up - down) / 18, 1e-14);
    CHECK_REL(c.cycle[i].affinity, log(up / down), 1e-14);
  }
  cme_cycles_free(&c);
  cme_solution_free(&s);
  network_free(net);
}

/* A cap that binds couples the copies; one that cannot be reached does not. */
static void check_caps(void)
{
  for (int64_t max = 1; max <= 3; max += 2) {
    network_builder *b = builder_create("caps", 0);
    const int32_t A = add_slot(b, "A", 3, MODEL_NO_MAX), B = add_slot(b, "B", 0, max);
    add_move(b, "r", A, B, 2, 5);
    ness_network *net = finish(b);
    cme_solution s;
    solve(net, 0, &s);
    CHECK(s.parts[0].kind == (max == 1 ? CME_COUNTS : CME_COPIES) && s.parts[0].copies == max);
    CHECK_REL(s.mean[B], max == 1 ? 6.0 / 11 : 6.0 / 7, 1e-15);
    CHECK_REL(s.var[B], max == 1 ? 30.0 / 121 : 30.0 / 49, 1e-14);
    CHECK(s.net_rate[0] == 0 && s.entropy == 0); /* no cycle: exactly */
    cme_solution_free(&s);
    network_free(net);
  }
}

/* Copies that reservoirs make and remove: as one copy with a place outside, against the joint counts, cut where nothing
 * is left (means near 2, a cap of 50: below 1e-40). A trap that fills for ever has no steady state. */
static void check_open(void)
{
  cme_solution s[2];
  ness_network *net[2];
  for (int cut = 0; cut < 2; cut++) {
    network_builder *b = builder_create("open", 0);
    const int64_t max = cut ? 50 : MODEL_NO_MAX;
    const int32_t A = add_slot(b, "A", 4, max), B = add_slot(b, "B", 0, max);
    add_move(b, "in", -1, A, 3, 1);
    add_move(b, "move", A, B, 2, 0.7);
    add_move(b, "out", B, -1, 1.5, 0.4);
    net[cut] = finish(b);
    solve(net[cut], 0, &s[cut]);
    CHECK(s[cut].states == (cut ? 51 * 51 : 3) && s[cut].parts[0].kind == (cut ? CME_COUNTS : CME_OPEN));
  }
  for (int i = 0; i < 2; i++) {
    CHECK_REL(s[0].mean[i], s[1].mean[i], 1e-12);
    CHECK_REL(s[0].var[i], s[0].mean[i], 1e-15);
    CHECK_REL(s[1].var[i], s[1].mean[i], 1e-12);
  }
  for (int i = 0; i < 3; i++) {
    CHECK_REL(s[0].net_rate[i], s[1].net_rate[i], 1e-11);
    CHECK_REL(s[0].dir_rate[2 * i + 1], s[1].dir_rate[2 * i + 1], 1e-12);
  }
  CHECK_REL(s[0].entropy, s[1].entropy, 1e-11);
  CHECK_REL(s[0].entropy, s[0].net_rate[0] * log(3.0 * 2 * 1.5 / (1 * 0.7 * 0.4)), 1e-13);
  for (int cut = 0; cut < 2; cut++) {
    cme_solution_free(&s[cut]);
    network_free(net[cut]);
  }
  network_builder *b = builder_create("trap", 0);
  const int32_t A = add_slot(b, "A", 0, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "in", -1, A, 1, 1);
  add_move(b, "trap", A, B, 1, 0);
  ness_network *trap = finish(b);
  ness_diags *diags = ness_diags_create();
  CHECK(cme_steady(trap, NULL, diags, &s[0]) == NESS_NUMERIC && ness_diags_count(diags, NULL) == 1);
  ness_diags_free(diags);
  network_free(trap);
}

/* Four cells that hand parts on by cards: a stress model for state spaces, whose throughput is known. */
static void check_kanban(int64_t cards, int64_t states, double throughput)
{
  enum { W, X, Y, Z };
  network_builder *b = builder_create("kanban", 0);
  int32_t c[5][4];
  for (int i = 1; i <= 4; i++) {
    for (int k = 0; k < 4; k++) {
      char name[16];
      snprintf(name, sizeof name, "%c%d", "wxyz"[k], i);
      c[i][k] = add_slot(b, name, 0, cards);
    }
  }
  const double rework[5] = {0, 0.36, 0.42, 0.39, 0.33}, good[5] = {0, 0.84, 0.98, 0.91, 0.77};
  add_constant(b, "in", 0, NULL, 2, (int32_t[]){c[1][W], c[1][X]}, 1);
  for (int i = 1; i <= 4; i++) {
    add_constant(b, "rework", 1, &c[i][X], 1, &c[i][Y], rework[i]);
    add_constant(b, "good", 1, &c[i][X], 1, &c[i][Z], good[i]);
    add_constant(b, "back", 1, &c[i][Y], 1, &c[i][X], 0.3);
  }
  add_constant(b, "split", 2, (int32_t[]){c[1][Z], c[1][W]}, 4, (int32_t[]){c[2][W], c[2][X], c[3][W], c[3][X]}, 0.4);
  add_constant(b, "join", 4, (int32_t[]){c[2][Z], c[2][W], c[3][Z], c[3][W]}, 2, (int32_t[]){c[4][W], c[4][X]}, 0.5);
  add_constant(b, "ship", 2, (int32_t[]){c[4][Z], c[4][W]}, 0, NULL, 0.9);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  CHECK(s.states == states && s.nparts == 1);
  CHECK_REL(s.net_rate[0], throughput, 1e-13);
  CHECK(isinf(s.entropy) && s.one_way_running == 0);
  CHECK(s.closure == 0);
  cme_solution_free(&s);
  network_free(net);
}

int main(void)
{
  check_fuel_figures();
  check_fuel(1, 100, 50, 0.005, 1);
  check_fuel(1, 2, 500 * 5e-3, 10 * 1e-4, 1);
  check_fuel(1, 2, 500 * 5e-3, 10 * 1e-4, 500);
  check_antiporter_6(0.01, 20.509360631618314, 20.50529608292347, 0);
  check_antiporter_6(1, 20.60803051389229, 20.20310484826127, 87.64421);
  check_antiporter_6(0, 20.508360164064158, 20.508360164064158, 0);
  check_antiporter_8(true);
  check_antiporter_8(false);
  check_tank();
  check_schloegl();
  check_two_roads();
  check_caps();
  check_open();
  check_kanban(1, 160, 0.0925846346333826);
  check_kanban(2, 4600, 0.173871706177849);
  return check_done();
}
