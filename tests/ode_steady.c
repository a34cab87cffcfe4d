/* Steady states against closed forms and the master equation; which of several is reached from where; what is said when
 * there is none; work and entropy. */
#include "ode_build.h"

/* Messages of a call that must fail with NESS_NUMERIC. */
static void expect_restless(const ness_network *net, const char *first, const char *second)
{
  ness_diags *diags = ness_diags_create();
  ode_system *ode = ode_of(net);
  ode_state state;
  CHECK(ode_steady(ode, &(ode_options){.max_steps = 30000}, diags, &state) == NESS_NUMERIC);
  CHECK(!state.x && !state.re && state.nslot == 0);
  char *text = ness_diags_render(diags, 0);
  printf("%s", text ? text : "");
  CHECK(text && strstr(text, first) && strstr(text, second));
  ness_text_free(text);
  ness_diags_free(diags);
  ode_free(ode);
}

/* The rate equations of a network of single copies are its master equation for means. */
static void compare_master(const ness_network *net)
{
  cme_solution cme;
  solve(net, 0, &cme);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  ode_totals totals = totals_of(ode, state.x);
  CHECK(state.stable == 1 && state.residual < 1e-14);
  for (int32_t i = 0; i < net->nslot; i++) CHECK_REL(state.x[i], cme.mean[i], 1e-10);
  for (int32_t s = 0; s < net->nstep; s++) {
    CHECK_REL(totals.dir_rate[2 * s], cme.dir_rate[2 * s], 1e-10);
    CHECK_NEAR(totals.net_rate[s], cme.net_rate[s], 1e-10);
  }
  CHECK_REL(totals.entropy, cme.entropy, 1e-9);
  for (int32_t w = 0; w < network_sources(net); w++) CHECK_NEAR(totals.source_work[w], cme.source_work[w], 1e-8);
  CHECK(totals.closure <= 1e-10 * fmax(1, totals.entropy));
  CHECK_NEAR(totals.free_energy_rate, 0, 1e-7);
  ode_totals_free(&totals);
  ode_state_free(&state);
  ode_free(ode);
  cme_solution_free(&cme);
}

static void check_fuel(void)
{
  network_builder *b = builder_create("fuel", 0);
  const int32_t F = builder_reservoir(b, "F", log(50), 50, 0, -1), W = builder_reservoir(b, "W", log(0.5), 0.5, 0, -1);
  const int32_t A = builder_slot(b, "A", 1, MODEL_NO_MAX, 0, 0, -1, -1);
  const int32_t B = builder_slot(b, "B", 0, MODEL_NO_MAX, log(100), 0, -1, -1);
  add_carry(b, "thermal", A, B, -1, -1, 1, 100, -log(100));
  add_carry(b, "fuelled", B, A, F, W, 50, 0.005, log(10000));
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  ode_totals totals = totals_of(ode, state.x);
  CHECK_REL(totals.net_rate[0], 0.327803715109, 1e-11);
  CHECK_REL(totals.net_rate[1], 0.327803715109, 1e-11);
  CHECK_REL(totals.entropy, 1.50959189568, 1e-11);
  CHECK_NEAR(totals.source_work[0] + totals.source_work[1], 1.50959189568, 1e-10);
  CHECK(state.neigen == 1 && state.stable == 1 && !state.oscillating && totals.one_way_running == -1);
  CHECK_REL(state.re[0], -151.005, 1e-13);
  ode_totals_free(&totals);
  ode_state_free(&state);
  ode_free(ode);
  compare_master(net);
  network_free(net);
}

static void check_masters(void)
{
  ness_network *net = antiporter_6(0.01, 1);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  ode_totals totals = totals_of(ode, state.x);
  CHECK_REL(totals.net_rate[0], 20.5093606316183, 1e-11);
  ode_totals_free(&totals);
  ode_state_free(&state);
  ode_free(ode);
  compare_master(net);
  network_free(net);
  net = antiporter_6(1, 7);
  compare_master(net);
  network_free(net);
  for (int k = 0; k < 5; k++) {
    net = complete_graph(8, (uint64_t)k + 5, 3);
    compare_master(net);
    network_free(net);
  }
}

/* --- several steady states --- */

static ness_network *schloegl(int64_t start)
{
  network_builder *b = builder_create("schloegl", 0);
  const int32_t x = add_slot(b, "X", start, MODEL_NO_MAX), xxx[3] = {x, x, x};
  add_step(b, "auto", 2, xxx, 3, xxx, 0.03 / 2, 1e-4 / 6);
  add_step(b, "feed", 0, NULL, 1, xxx, 200, 3.5);
  return finish(b);
}

static double schloegl_root(long double low, long double high)
{
  for (int k = 0; k < 200; k++) {
    const long double x = (low + high) / 2, f = 0.015L * x * x - (long double)(1e-4 / 6) * x * x * x + 200 - 3.5L * x;
    const long double at_low = 0.015L * low * low - (long double)(1e-4 / 6) * low * low * low + 200 - 3.5L * low;
    if ((f > 0) == (at_low > 0)) low = x;
    else high = x;
  }
  return (double)low;
}

static void check_schloegl(void)
{
  const double roots[3] = {schloegl_root(0, 150), schloegl_root(150, 350), schloegl_root(350, 900)};
  printf("Schloegl: %.10g %.10g %.10g\n", roots[0], roots[1], roots[2]);
  for (int64_t start = 0; start <= 1000; start += 50) {
    ness_network *net = schloegl(start);
    ode_system *ode = ode_of(net);
    ode_state state = steady_of(ode, NULL);
    CHECK_REL(state.x[0], (double)start < roots[1] ? roots[0] : roots[2], 1e-12);
    CHECK(state.stable == 1 && state.residual < 1e-14);
    ode_totals totals = totals_of(ode, state.x);
    CHECK_REL(totals.entropy, totals.net_rate[0] * log(0.015 * 3.5 / (1e-4 / 6) / 200), 1e-11);
    CHECK(totals.closure <= 1e-10 * totals.entropy);
    double re = 0;
    CHECK(ode_growth(ode, &roots[1], NULL, &re, NULL) == NESS_OK);
    CHECK_REL(re, 2 * 0.015 * roots[1] - 3 * 1e-4 / 6 * roots[1] * roots[1] - 3.5, 1e-12);
    CHECK(re > 0);
    ode_totals_free(&totals);
    ode_state_free(&state);
    ode_free(ode);
    network_free(net);
  }
}

/* Nothing grows from nothing: 0 is the steady state of a population that starts there, and it is unstable exactly when
 * births outrun deaths. From one copy it is K = (birth - death)/c or extinction. */
static void check_persistence(void)
{
  for (int k = 0; k < 8; k++) {
    const double birth = 0.4 + 0.25 * k, death = 1, c = 0.001, zero = 0;
    for (int64_t start = 0; start < 2; start++) {
      network_builder *b = builder_create("population", 0);
      const int32_t x = add_slot(b, "X", start, MODEL_NO_MAX), xx[2] = {x, x};
      add_step(b, "birth", 1, xx, 2, xx, birth, c);
      add_move(b, "death", x, -1, death, 0);
      ness_network *net = finish(b);
      ode_system *ode = ode_of(net);
      ode_state state = steady_of(ode, NULL);
      double re = 0;
      CHECK(ode_growth(ode, &zero, NULL, &re, NULL) == NESS_OK);
      CHECK_NEAR(re, birth - death, 1e-15);
      if (start && birth > death) CHECK_REL(state.x[0], (birth - death) / c, 1e-13);
      else CHECK(state.x[0] == 0);
      CHECK(state.stable == (birth < death || start > 0));
      ode_state_free(&state);
      ode_free(ode);
      network_free(net);
    }
  }
}

/* Next to an unstable point is not at it: however little there is at first, it grows. */
static void check_saddle(void)
{
  network_builder *b = builder_create("seed", 0);
  const int32_t x = add_slot(b, "X", 0, MODEL_NO_MAX), xx[2] = {x, x};
  add_step(b, "birth", 1, xx, 2, xx, 2, 0.001);
  add_move(b, "death", x, -1, 1, 0);
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  for (int k = 0; k < 15; k++) {
    const double start = pow(10, -k);
    ode_state state = steady_of(ode, &(ode_options){.start = &start});
    CHECK_REL(state.x[0], 1000, 1e-13);
    CHECK(state.stable == 1);
    ode_state_free(&state);
  }
  ode_free(ode);
  network_free(net);
}

/* An epidemic ends somewhere on a line of steady states: ln(s/s0) = -R (1 - (s + r)/N ..), solved by bisection. */
static void check_epidemic(void)
{
  network_builder *b = builder_create("epidemic", 0);
  const int32_t s = add_slot(b, "S", 990, MODEL_NO_MAX), i = add_slot(b, "I", 10, MODEL_NO_MAX);
  const int32_t r = add_slot(b, "R", 0, MODEL_NO_MAX);
  add_step(b, "infect", 2, (int32_t[]){s, i}, 2, (int32_t[]){i, i}, 0.002, 0);
  add_move(b, "recover", i, r, 1, 0);
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  double low = 1e-6, high = 499;
  for (int k = 0; k < 200; k++) { /* s = s0 exp(-0.002 (1000 - s)) */
    const double x = 0.5 * (low + high);
    if (x - 990 * exp(-0.002 * (1000 - x)) < 0) low = x;
    else high = x;
  }
  CHECK_REL(state.x[0], low, 1e-8);
  CHECK(state.x[1] == 0 && state.stable == -1 && state.residual == 0);
  CHECK_REL(state.x[2], 1000 - low, 1e-8);
  ode_totals totals = totals_of(ode, state.x);
  CHECK(totals.one_way_running == -1 && totals.entropy == 0); /* one-way steps that have come to rest */
  ode_totals_free(&totals);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

/* --- no steady state --- */

static ness_network *brusselator(double feed)
{
  network_builder *b = builder_create("brusselator", 0);
  const int32_t x = add_slot(b, "X", 1000, MODEL_NO_MAX), y = add_slot(b, "Y", 2000, MODEL_NO_MAX);
  add_move(b, "in", -1, x, 1000, 0);
  add_move(b, "turn", x, y, feed, 0);
  add_step(b, "auto", 3, (int32_t[]){x, x, y}, 3, (int32_t[]){x, x, x}, 1e-6, 0);
  add_move(b, "out", x, -1, 1, 0);
  return finish(b);
}

static void check_brusselator(void)
{
  ness_network *net = brusselator(3);
  expect_restless(net, "come back to the same state", "slot ");
  network_free(net);
  net = brusselator(1.5);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  CHECK_REL(state.x[0], 1000, 1e-13);
  CHECK_REL(state.x[1], 1500, 1e-13);
  CHECK(state.stable == 1 && state.oscillating && state.neigen == 2); /* trace feed - 2, determinant 1 */
  CHECK_REL(state.re[0], -0.25, 1e-12);
  CHECK_REL(fabs(state.im[0]), sqrt(1 - 0.0625), 1e-12);
  ode_totals totals = totals_of(ode, state.x);
  CHECK(isinf(totals.entropy) && totals.one_way_running == 0 && totals.closure == 0);
  ode_totals_free(&totals);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

static void check_growth(void)
{
  for (int kind = 0; kind < 3; kind++) {
    network_builder *b = builder_create("growth", 0);
    const int32_t x = add_slot(b, "X", 2, MODEL_NO_MAX), xxx[3] = {x, x, x};
    add_step(b, "grow", kind, xxx, kind + 1, xxx, 1, 0); /* linear, exponential, blowing up at t = 1/2 */
    ness_network *net = finish(b);
    expect_restless(net, "grows without bound", "slot X");
    network_free(net);
  }
  /* Lotka and Volterra: closed orbits */
  network_builder *b = builder_create("lotka", 0);
  const int32_t x = add_slot(b, "hares", 50, MODEL_NO_MAX), y = add_slot(b, "lynxes", 10, MODEL_NO_MAX);
  add_step(b, "breed", 1, &x, 2, (int32_t[]){x, x}, 1, 0);
  add_step(b, "eat", 2, (int32_t[]){x, y}, 2, (int32_t[]){y, y}, 0.02, 0);
  add_move(b, "die", y, -1, 1, 0);
  ness_network *net = finish(b);
  expect_restless(net, "come back to the same state", "every");
  network_free(net);
}

/* --- chains --- */

/* Diffusion between two reservoirs: a straight profile, by the sparse solver. */
static void check_chain(void)
{
  enum { N = 200 };
  network_builder *b = builder_create("chain", 0);
  int32_t slot[N];
  for (int i = 0; i < N; i++) slot[i] = add_slot(b, "s", 0, MODEL_NO_MAX);
  add_move(b, "left", -1, slot[0], 700, 2);
  for (int i = 0; i + 1 < N; i++) add_move(b, "hop", slot[i], slot[i + 1], 2, 2);
  add_move(b, "right", slot[N - 1], -1, 2, 100);
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  for (int i = 0; i < N; i++) CHECK_REL(state.x[i], 350 + (50.0 - 350) * (i + 1) / (N + 1), 1e-12);
  const double wave = 2 * sin(acos(-1) / (2 * (N + 1)));
  CHECK_REL(state.re[0], -2 * wave * wave, 1e-9);
  CHECK(state.neigen == N && state.stable == 1 && state.residual < 1e-14);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

/* A drifting ring with one slow bond, too large for eigenvalues: the flux is the same through every bond. */
static void check_large(void)
{
  enum { N = 3000 };
  network_builder *b = builder_create("ring", 0);
  static int32_t slot[N];
  for (int i = 0; i < N; i++) slot[i] = add_slot(b, "s", i ? 0 : 30000, MODEL_NO_MAX);
  for (int i = 0; i < N; i++) add_move(b, "hop", slot[i], slot[(i + 1) % N], i ? 3 + i % 5 : 0.01, 1 + i % 3);
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  ode_totals totals = totals_of(ode, state.x);
  long double sum = 0;
  for (int i = 0; i < N; i++) sum += state.x[i];
  CHECK_REL((double)sum, 30000, 1e-13);
  for (int i = 1; i < N; i++) CHECK(fabs(totals.net_rate[i] - totals.net_rate[0]) <= 1e-13 * totals.dir_rate[2 * i]);
  CHECK(state.neigen == 0 && state.stable == 1 && state.rank == N - 1);
  double re = 0;
  ode_noise noise;
  CHECK(ode_growth(ode, state.x, NULL, &re, NULL) == NESS_LIMIT);
  CHECK(ode_noise_steady(ode, &state, NULL, &noise) == NESS_LIMIT);
  ode_totals_free(&totals);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

/* Slots that hold next to nothing keep their figures: a ladder of energies at equilibrium, p from 1 to 1e-40. */
static void check_ladder(void)
{
  enum { N = 21 };
  network_builder *b = builder_create("ladder", 0);
  int32_t slot[N];
  for (int i = 0; i < N; i++) slot[i] = add_slot(b, "s", i ? 0 : 5, MODEL_NO_MAX);
  for (int i = 0; i + 1 < N; i++) add_move(b, "hop", slot[i], slot[i + 1], 1 + i, (1 + i) * 100);
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  double sum = 0;
  for (int i = N - 1; i >= 0; i--) sum += pow(100, -i);
  for (int i = 0; i < N; i++) CHECK_REL(state.x[i], 5 * pow(100, -i) / sum, 1e-12);
  CHECK(state.stable == 1);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

/* --- entropy, step by step --- */

/* A driven ring as copies, by counts (a helper stands beside) and by rate equations: each step gives the same to the
 * medium, its net rate times the logarithm of its constants. */
static void check_convention(void)
{
  const double k[3] = {3, 2, 1.5}, m[3] = {0.5, 0.7, 0.2};
  for (int counted = 0; counted < 2; counted++) {
    network_builder *b = builder_create("ring", 0);
    int32_t slot[3];
    for (int i = 0; i < 3; i++) slot[i] = add_slot(b, (const char *[]){"A", "B", "C"}[i], i ? 0 : 6, MODEL_NO_MAX);
    const int32_t helper = counted ? add_slot(b, "helper", 1, MODEL_NO_MAX) : -1;
    for (int i = 0; i < 3; i++) {
      const int32_t left[2] = {slot[i], helper}, right[2] = {slot[(i + 1) % 3], helper};
      add_step(b, "turn", 1 + counted, left, 1 + counted, right, k[i], m[i]);
    }
    ness_network *net = finish(b);
    ode_system *ode = ode_of(net);
    ode_state state = steady_of(ode, NULL);
    ode_totals t = totals_of(ode, state.x);
    cme_solution s;
    solve(net, 0, &s);
    CHECK(s.parts[0].kind == (counted ? CME_COUNTS : CME_COPIES));
    for (int i = 0; i < 3; i++) {
      CHECK_REL(s.step_entropy[i], s.net_rate[i] * log(k[i] / m[i]), 1e-12);
      CHECK_REL(t.step_entropy[i], s.step_entropy[i], 1e-8);
    }
    CHECK_REL(t.entropy, s.entropy, 1e-8);
    cme_solution_free(&s);
    ode_totals_free(&t);
    ode_state_free(&state);
    ode_free(ode);
    network_free(net);
  }
}

/* dG/dt by differences in long double, and work - dG/dt = entropy, at random counts of random networks. */
static void check_balance(void)
{
  rng_stream rng;
  rng_init(&rng, 72, 0, 0);
  int64_t compared = 0, finite = 0;
  for (int k = 0; k < 400; k++) {
    ness_network *net = sample_random(&rng);
    ode_system *ode = ode_of(net);
    double x[16];
    long double f[16], at[16];
    ode_totals t;
    for (int32_t i = 0; i < net->nslot; i++) at[i] = x[i] = sample_real(&rng, 0.3, 6);
    if (ode_totals_at(ode, x, NULL, &t) == NESS_OK) {
      double entropy = 0, work = 0, rate = 0, size = 1;
      long double h = 1;
      compared++;
      slow_change(net, at, f);
      for (int32_t s = 0; s < net->nstep; s++) {
        const long double a = slow_rate(net, 2 * s, at), c = slow_rate(net, 2 * s + 1, at);
        CHECK_REL(t.dir_rate[2 * s], (double)a, 1e-14);
        CHECK_NEAR(t.net_rate[s], (double)(a - c), 1e-13);
        const double own = a > 0 || c > 0 ? (double)((a - c) * logl(a / c)) : 0;
        long double mixing = 0;
        for (int32_t e = net->change_start[s]; e < net->change_start[s + 1]; e++)
          mixing += net->change_by[e] * logl(at[net->change_slot[e]]);
        if (isinf(own)) CHECK(isinf(t.step_entropy[s]) && t.step_entropy[s] > 0);
        else CHECK_NEAR(t.step_entropy[s], own + (double)((a - c) * mixing), 1e-11);
        entropy += own;
        if (isfinite(own)) size += fabs(own) + fabs((double)(a - c)) * 20; /* energies are up to about 20 kT */
      }
      CHECK(t.closure <= 1e-14 * size);
      if (isfinite(entropy)) {
        finite++;
        long double g[2] = {0, 0};
        for (int32_t i = 0; i < net->nslot; i++) h = fmaxl(h, fabsl(f[i]));
        h = 1e-6L / h;
        for (int side = 0; side < 2; side++) {
          for (int32_t i = 0; i < net->nslot; i++) {
            const long double y = at[i] + (side ? h : -h) * f[i];
            g[side] += y * (net->slot_g[i] + logl(y) - 1);
          }
        }
        for (int32_t w = 0; w < network_sources(net); w++) work += t.source_work[w];
        rate = (double)((g[1] - g[0]) / (2 * h));
        CHECK_NEAR(t.entropy, entropy, 1e-11);
        CHECK(fabs(t.free_energy_rate - rate) <= 1e-9 * size);
        CHECK(fabs(work - t.free_energy_rate - entropy) <= 1e-13 * size);
      } else {
        CHECK(isinf(t.entropy));
      }
    }
    ode_totals_free(&t);
    ode_free(ode);
    network_free(net);
  }
  printf("%lld networks balanced, %lld of finite entropy\n", (long long)compared, (long long)finite);
  CHECK(compared > 150 && finite > 30);
}

int main(void)
{
  check_fuel();
  check_masters();
  check_schloegl();
  check_persistence();
  check_saddle();
  check_epidemic();
  check_brusselator();
  check_growth();
  check_chain();
  check_large();
  check_ladder();
  check_balance();
  check_convention();
  return check_done();
}
