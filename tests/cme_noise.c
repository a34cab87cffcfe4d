/* Cumulants and large deviations of currents: closed forms, the same network solved in two ways, differences of the
 * generating function, power iteration in long double, and the symmetry of the fluctuation theorem. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/noise.h"

static void cumulants(const ness_network *net, const cme_solution *s, int32_t n, const double *weight, noise *out)
{
  CHECKED(noise_cumulants(net, s, n, weight, NULL, out));
}

static void deviate(const ness_network *net, const cme_solution *s, const double *weight, int32_t n, const double *at,
                    deviations *out)
{
  CHECKED(noise_deviations(net, s, weight, n, at, NULL, out));
}

/* --- closed forms --- */

static void check_fuel(int64_t copies)
{
  const double kab = 1, kba = 100, kbf = 50, kaw = 0.005, T = kab + kba + kbf + kaw, n = (double)copies;
  network_builder *b = builder_create("fuel", 0);
  const int32_t A = add_slot(b, "A", copies, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "r1", A, B, kab, kba);
  add_move(b, "r2", B, A, kbf, kaw);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  /* lambda^2 + T lambda = g(s) - g(0), differentiated at 0 */
  const double odd = kbf * kab - kba * kaw, even = kbf * kab + kba * kaw;
  double k[5] = {0, odd / T};
  k[2] = (even - 2 * k[1] * k[1]) / T;
  k[3] = (odd - 6 * k[1] * k[2]) / T;
  k[4] = (even - 8 * k[1] * k[3] - 6 * k[2] * k[2]) / T;
  const double weight[12] = {0, 0, 1, -1, 1, -1, 0, 0, 0.5, -0.5, 0.5, -0.5}; /* r2, r1, half of each: all the same */
  noise c;
  cumulants(net, &s, 3, weight, &c);
  for (int a = 0; a < 3; a++) {
    for (int order = 1; order <= 4; order++) CHECK_REL(c.cumulant[a * NOISE_ORDER + order - 1], n * k[order], 1e-12);
    for (int d = 0; d < 3; d++) CHECK_REL(c.covariance[3 * a + d], n * k[2], 1e-13);
  }
  if (copies == 1) CHECK_REL(c.cumulant[1], 0.3330028108, 1e-9);
  CHECK_REL(c.cumulant[1] * s.entropy / (c.cumulant[0] * c.cumulant[0]), 4.67821, 2e-6);
  noise_free(&c);
  const double affinity = log(kab * kbf / (kba * kaw));
  double at[12];
  deviations d;
  for (int i = 0; i < 6; i++) at[i] = -affinity / 2 - exp(2.0 - i), at[11 - i] = -affinity / 2 + exp(2.0 - i);
  deviate(net, &s, weight, 12, at, &d);
  for (int i = 0; i < 12; i++) {
    const double g = kba * kaw * expm1(-at[i]) + kbf * kab * expm1(at[i]), root = sqrt(T * T + 4 * g);
    const double lambda = 2 * g / (root + T), slope = (kbf * kab * exp(at[i]) - kba * kaw * exp(-at[i])) / root;
    CHECK(fabs(d.value[i] - n * lambda) <= d.error[i] + 1e-14 * n);
    CHECK_REL(d.value[i], n * lambda, 1e-12);
    CHECK_REL(d.slope[i], n * slope, 1e-11);
    CHECK_REL(d.rate[i], n * (at[i] * slope - lambda), 1e-11);
    CHECK(d.error[i] <= 1e-12 * n * T && d.rate[i] >= 0);
    CHECK(fabs(d.value[i] - d.value[11 - i]) <= d.error[i] + d.error[11 - i]); /* lambda(s) = lambda(-A - s) */
  }
  deviations_free(&d);
  cme_solution_free(&s);
  network_free(net);
}

/* A current that is the difference of two Poisson processes with rates a and b. */
static void check_poisson(const ness_network *net, const double *weight, double a, double b, double tolerance)
{
  cme_solution s;
  noise c;
  deviations d;
  solve(net, 0, &s);
  cumulants(net, &s, 1, weight, &c);
  for (int order = 1; order <= 4; order++) {
    const double expected = order % 2 ? a - b : a + b;
    CHECK(fabs(c.cumulant[order - 1] - expected) <= tolerance * (a + b));
  }
  const double at[7] = {-6, -2, -0.3, 0, 1e-9, 0.5, 1.5};
  deviate(net, &s, weight, 7, at, &d);
  for (int i = 0; i < 7; i++) {
    const double up = a * expm1(at[i]), down = b * expm1(-at[i]);
    CHECK(fabs(d.value[i] - up - down) <= tolerance * (fabs(up) + fabs(down)) + 1e-300);
    CHECK(fabs(d.slope[i] - a * exp(at[i]) + b * exp(-at[i])) <= 1e-12 * (a * exp(at[i]) + b * exp(-at[i])));
    CHECK(fabs(d.value[i] - up - down) <= d.error[i] + 1e-15 * (fabs(up) + fabs(down)));
  }
  deviations_free(&d);
  noise_free(&c);
  cme_solution_free(&s);
}

static void check_tanks(void)
{
  for (int cut = 0; cut < 2; cut++) {
    network_builder *b = builder_create("tank", 0);
    const int32_t n = add_slot(b, "n", 0, cut ? 60 : MODEL_NO_MAX);
    add_move(b, "tap", -1, n, 8, 0.1);
    add_move(b, "drain", n, -1, 1, 2);
    ness_network *net = finish(b);
    const double through = 1 / 1.1, tap[4] = {1, -1, 0, 0}, drain[4] = {0, 0, 1, -1};
    if (!cut) check_poisson(net, tap, 8 * through, 2 * (1 - through), 1e-13);
    if (!cut) check_poisson(net, drain, 8 * through, 2 * (1 - through), 1e-13);
    if (cut) { /* tilts move the counts towards the cap: cumulants only */
      cme_solution s;
      noise c;
      solve(net, 0, &s);
      cumulants(net, &s, 1, drain, &c);
      for (int k = 0; k < 4; k++) CHECK_REL(c.cumulant[k], 8 * through - (k % 2 ? -1 : 1) * 2 * (1 - through), 1e-11);
      noise_free(&c);
      cme_solution_free(&s);
    }
    network_free(net);
  }
  network_builder *b = builder_create("queue", 0); /* M/M/infinity: what goes out is Poisson */
  const int32_t n = add_slot(b, "n", 0, MODEL_NO_MAX);
  add_move(b, "in", -1, n, 3, 0);
  add_move(b, "out", n, -1, 0.7, 0);
  ness_network *net = finish(b);
  check_poisson(net, (double[]){0, 0, 1, 0}, 3, 0, 1e-13);
  check_poisson(net, (double[]){1, 0, 0, 0}, 3, 0, 1e-13);
  network_free(net);
  b = builder_create("ring", 0);
  int32_t s[5];
  for (int i = 0; i < 5; i++) s[i] = add_slot(b, (const char *[]){"A", "B", "C", "D", "E"}[i], i == 0, MODEL_NO_MAX);
  for (int i = 0; i < 5; i++) add_move(b, "hop", s[i], s[(i + 1) % 5], 1.7, 0.4);
  net = finish(b);
  check_poisson(net, (double[]){1, -1, 1, -1, 1, -1, 1, -1, 1, -1}, 1.7, 0.4, 1e-12);
  network_free(net);
  b = builder_create("pipe", 0); /* no slot at all */
  add_move(b, "through", -1, -1, 2.5, 0.5);
  net = finish(b);
  check_poisson(net, (double[]){1, -1}, 2.5, 0.5, 1e-14);
  network_free(net);
}

/* One-way cycle of m steps, a renewal process: with T the time of a turn and its cumulants c, kappa_1 = 1 / c_1,
 * kappa_2 = c_2 / c_1^3, kappa_3 = (3 c_2^2 - c_1 c_3) / c_1^5. */
static void check_enzyme(int m)
{
  network_builder *b = builder_create("enzyme", 0);
  int32_t s[8];
  char name[8];
  double c[4] = {0}, weight[16] = {0};
  for (int i = 0; i < m; i++) {
    snprintf(name, sizeof name, "E%d", i);
    s[i] = add_slot(b, name, i == 0, MODEL_NO_MAX);
  }
  for (int i = 0; i < m; i++) {
    const double k = 1 + 0.7 * i;
    add_move(b, "step", s[i], s[(i + 1) % m], k, 0);
    for (int order = 1; order < 4; order++) c[order] += (order == 3 ? 2 : 1) / pow(k, order);
  }
  ness_network *net = finish(b);
  cme_solution solution;
  noise n;
  solve(net, 0, &solution);
  weight[2 * (m / 2)] = 1;
  cumulants(net, &solution, 1, weight, &n);
  CHECK_REL(n.cumulant[0], 1 / c[1], 1e-13);
  CHECK_REL(n.cumulant[1], c[2] / pow(c[1], 3), 1e-13);
  CHECK_REL(n.cumulant[2], (3 * c[2] * c[2] - c[1] * c[3]) / pow(c[1], 5), 1e-12);
  noise_free(&n);
  cme_solution_free(&solution);
  network_free(net);
}

/* A channel that opens for a copy's life and passes particles at rate c: lambda = nu x / (k - x), x = c (e^s - 1). */
static void check_channel(void)
{
  const double nu = 2, k = 1.5, c = 4;
  network_builder *b = builder_create("channel", 0);
  const int32_t A = add_slot(b, "A", 0, MODEL_NO_MAX);
  add_move(b, "in", -1, A, nu, 0);
  add_move(b, "pass", A, A, c, 0);
  add_move(b, "out", A, -1, k, 0);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  CHECK(s.parts[0].kind == CME_OPEN);
  const double weight[6] = {0, 0, 1}, q = c / k, end = log(1 + k / c);
  const double at[6] = {-3, -0.1, 1e-8, 0.9 * end, end * 1.0001, 2};
  deviations d;
  noise n;
  deviate(net, &s, weight, 6, at, &d);
  for (int i = 0; i < 6; i++) {
    const double x = c * expm1(at[i]);
    if (i < 4) CHECK_REL(d.value[i], nu * x / (k - x), 1e-13);
    if (i < 4) CHECK_REL(d.slope[i], nu * k * c * exp(at[i]) / ((k - x) * (k - x)), 1e-12);
    else CHECK(isinf(d.value[i]) && d.value[i] > 0);
  }
  cumulants(net, &s, 1, weight, &n); /* raw moments of a geometric number with mean q, nu times a second */
  CHECK_REL(n.cumulant[0], nu * q, 1e-13);
  CHECK_REL(n.cumulant[1], nu * q * (1 + 2 * q), 1e-13);
  CHECK_REL(n.cumulant[2], nu * q * (1 + 6 * q + 6 * q * q), 1e-13);
  CHECK_REL(n.cumulant[3], nu * q * (1 + 14 * q + 36 * q * q + 24 * q * q * q), 1e-13);
  noise_free(&n);
  deviations_free(&d);
  cme_solution_free(&s);
  network_free(net);
}

/* --- two ways --- */

/* The same steps, free or enumerated: by a cap that nothing reaches (open) or rates k n from tapes (closed). */
static void check_two_ways(bool open, int64_t copies)
{
  enum { STEPS = 5 };
  const double k[STEPS][2] = {{0.6, 1}, {2, 0.7}, {0.9, 0.3}, {1.5, 0.2}, {0.8, 1.1}};
  noise c[2];
  deviations d[2];
  const double weight[4 * STEPS] = {1, -1, 0, 0, 0, 0, 0.5, 0, 2, -1, 0, 0, 1, -1, -1, 0, 0, 0.3, 0, 0};
  const double at[5] = {-0.4, -0.1, -1e-3, 0.05, 0.15};
  for (int cut = 0; cut < 2; cut++) {
    network_builder *b = builder_create("ways", 0);
    const int64_t max = cut && open ? 22 : MODEL_NO_MAX;
    const int32_t A = add_slot(b, "A", open ? 0 : copies, max), B = add_slot(b, "B", 0, max);
    const int32_t from[STEPS] = {open ? -1 : B, A, A, B, A}, to[STEPS] = {A, B, B, open ? -1 : A, A};
    for (int i = 0; i < STEPS; i++) {
      const tape_op law[3] = {{TAPE_CONST, 0, 0, 0}, {TAPE_SLOT, A, 0, 0}, {TAPE_MUL, 0, 1, 0}};
      const builder_step step = {.name = "taped",
                                 .text = "",
                                 .nleft = 1,
                                 .nright = 1,
                                 .left = &from[i],
                                 .right = &to[i],
                                 .law = {LAW_TAPE, LAW_MASS},
                                 .k = {0, k[i][1]},
                                 .nop = {3, 0},
                                 .tape = {law, NULL},
                                 .constants = k[i],
                                 .lnk = (double)NAN};
      if (cut && !open && i == 1) CHECKED(builder_step_add(b, &step));
      else add_move(b, "free", from[i], to[i], k[i][0], k[i][1]);
    }
    ness_network *net = finish(b);
    cme_solution s;
    solve(net, 0, &s);
    CHECK(s.parts[0].kind == (cut ? CME_COUNTS : open ? CME_OPEN : CME_COPIES));
    cumulants(net, &s, 2, weight, &c[cut]);
    deviate(net, &s, weight, 5, at, &d[cut]);
    cme_solution_free(&s);
    network_free(net);
  }
  for (int i = 0; i < 8; i++) CHECK_REL(c[0].cumulant[i], c[1].cumulant[i], 1e-10);
  for (int i = 0; i < 4; i++) CHECK_NEAR(c[0].covariance[i], c[1].covariance[i], 1e-11);
  for (int i = 0; i < 5; i++) {
    CHECK_NEAR(d[0].value[i], d[1].value[i], open ? 1e-8 : 1e-12); /* a tilt upwards feels the cap */
    CHECK_NEAR(d[0].slope[i], d[1].slope[i], open ? 1e-6 : 1e-11);
  }
  for (int cut = 0; cut < 2; cut++) {
    noise_free(&c[cut]);
    deviations_free(&d[cut]);
  }
}

/* lambda(s) by power iteration in long double, on the transitions of the solution. */
static long double power_iteration(const cme_part *part, const double *weight, double s)
{
  const int32_t n = part->q.n;
  long double x[256], y[256], out[256] = {0}, most = 0, low = 0, high = 1;
  if (n > 256) return (long double)NAN;
  for (int32_t i = 0; i < n; i++) {
    x[i] = 1;
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) out[i] += (long double)part->q.rate[e];
    if (out[i] > most) most = out[i];
  }
  for (int step = 0; step < 200000 && high - low > 1e-15L * most; step++) {
    low = HUGE_VALL;
    high = -HUGE_VALL;
    long double top = 0;
    for (int32_t i = 0; i < n; i++) {
      y[i] = (most - out[i]) * x[i];
      for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++)
        y[i] += (long double)part->q.rate[e] * expl((long double)s * weight[part->dir[e]]) * x[part->q.to[e]];
      const long double ratio = y[i] / x[i] - most;
      if (ratio < low) low = ratio;
      if (ratio > high) high = ratio;
      if (y[i] > top) top = y[i];
    }
    for (int32_t i = 0; i < n; i++) x[i] = y[i] / top;
  }
  return (low + high) / 2;
}

/* Enumerated networks of one closed class with exchanges between random slots. */
static void check_random(uint64_t seed)
{
  for (int i = 0; i < 8; i++) draw(&seed);
  network_builder *b = builder_create("random", 0);
  int32_t s[3];
  for (int i = 0; i < 3; i++) s[i] = add_slot(b, (const char *[]){"A", "B", "C"}[i], 1, 3);
  const int nstep = 4 + (int)(3 * draw(&seed));
  double weight[32];
  for (int i = 0; i < nstep; i++) {
    const int32_t left[2] = {s[i % 3], s[(int)(3 * draw(&seed))]},
                  right[2] = {s[(i + 1) % 3], s[(int)(3 * draw(&seed))]};
    const double forward = exp(3 * draw(&seed) - 1.5), backward = exp(3 * draw(&seed) - 1.5);
    add_step(b, "r", i < 3 ? 1 : 2, left, i < 3 ? 1 : 2, right, forward, backward);
  }
  for (int k = 0; k < 32; k++) weight[k] = 2 * draw(&seed) - 1;
  ness_network *net = finish(b);
  cme_solution solution;
  noise c;
  solve(net, 0, &solution);
  const int32_t ndir = 2 * nstep;
  double both[16], at[9], value[3][9];
  cumulants(net, &solution, 2, weight, &c);
  for (int d = 0; d < ndir; d++) both[d] = weight[d] + weight[ndir + d];
  for (int a = 0; a < 2; a++) {
    double mean = 0;
    for (int d = 0; d < ndir; d++) mean += weight[a * ndir + d] * solution.dir_rate[d];
    CHECK_NEAR(c.cumulant[a * NOISE_ORDER], mean, 1e-13);
  }
  const double h = 0.02;
  for (int i = 0; i < 9; i++) at[i] = (i - 4) * h;
  const double *const tilts[3] = {weight, weight + ndir, both};
  for (int which = 0; which < 3; which++) {
    deviations d;
    deviate(net, &solution, tilts[which], 9, at, &d);
    for (int i = 0; i < 9; i++) value[which][i] = d.value[i];
    if (which == 0) {
      const double far[3] = {-4, -1, 3};
      for (int i = 0; i < 9; i++) { /* the slope is the derivative */
        if (i > 1 && i < 7)
          CHECK_NEAR(d.slope[i], (8 * (d.value[i + 1] - d.value[i - 1]) - d.value[i + 2] + d.value[i - 2]) / (12 * h),
                     1e-5);
      }
      deviations_free(&d);
      deviate(net, &solution, weight, 3, far, &d);
      for (int i = 0; i < 3; i++) {
        const double expected = (double)power_iteration(&solution.parts[0], weight, far[i]);
        CHECK_NEAR(d.value[i], expected, 1e-12);
        CHECK(fabs(d.value[i] - expected) <= d.error[i] + 2e-14 * fabs(expected));
      }
    }
    deviations_free(&d);
    /* central differences of the eighth order for the second derivative, of the sixth for the third, fourth */
    const double *const v = value[which] + 4;
    const double two = (-v[4] / 560 + 8 * v[3] / 315 - v[2] / 5 + 8 * v[1] / 5 - 205 * v[0] / 72 + 8 * v[-1] / 5 -
                        v[-2] / 5 + 8 * v[-3] / 315 - v[-4] / 560) /
                       (h * h);
    const double three = -(-7 * v[4] / 240 + 3 * v[3] / 10 - 169 * v[2] / 120 + 61 * v[1] / 30 - 61 * v[-1] / 30 +
                           169 * v[-2] / 120 - 3 * v[-3] / 10 + 7 * v[-4] / 240) /
                         (h * h * h);
    const double four = (7 * v[4] / 240 - 2 * v[3] / 5 + 169 * v[2] / 60 - 122 * v[1] / 15 + 91 * v[0] / 8 -
                         122 * v[-1] / 15 + 169 * v[-2] / 60 - 2 * v[-3] / 5 + 7 * v[-4] / 240) /
                        (h * h * h * h);
    const double expected =
        which < 2 ? c.cumulant[which * NOISE_ORDER + 1] : c.covariance[0] + 2 * c.covariance[1] + c.covariance[3];
    CHECK_NEAR(two, expected, 1e-9);
    if (which < 2) CHECK_NEAR(three, c.cumulant[which * NOISE_ORDER + 2], 1e-6);
    if (which < 2) CHECK_NEAR(four, c.cumulant[which * NOISE_ORDER + 3], 1e-4);
  }
  CHECK(c.covariance[1] == c.covariance[2]);
  noise_free(&c);
  cme_solution_free(&solution);
  network_free(net);
}

/* A path of places through which copies go one way, and a lively pair inside it: lambda of what leaves is that of what
 * enters, and what turns inside adds to it. */
static void check_path(void)
{
  network_builder *b = builder_create("path", 0);
  int32_t s[4];
  for (int i = 0; i < 4; i++) s[i] = add_slot(b, (const char *[]){"A", "B", "C", "D"}[i], 0, MODEL_NO_MAX);
  add_move(b, "in", -1, s[0], 2, 0);
  add_move(b, "ab", s[0], s[1], 3, 0);
  add_move(b, "bc", s[1], s[2], 5, 4);
  add_move(b, "cd", s[2], s[3], 1, 0);
  add_move(b, "out", s[3], -1, 0.1, 0);
  ness_network *net = finish(b);
  check_poisson(net, (double[]){0, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 2, 0, 1e-13);
  check_poisson(net, (double[]){0, 0, 0, 0, 1, -1, 0, 0, 0, 0}, 2, 0, 1e-13);
  /* turns of B and C: C goes back with probability 4 / 5, so N of bc is geometric: lambda = 2 (z / (5 - 4 z) - 1) */
  cme_solution solution;
  deviations d;
  solve(net, 0, &solution);
  const double at[4] = {-5, -0.01, 0.2, 0.3}, weight[10] = {0, 0, 0, 0, 1};
  deviate(net, &solution, weight, 4, at, &d);
  for (int i = 0; i < 3; i++) CHECK_REL(d.value[i], 10 * expm1(at[i]) / (1 - 4 * expm1(at[i])), 1e-12);
  CHECK(isinf(d.value[3])); /* ln(5 / 4) = 0.223 */
  deviations_free(&d);
  cme_solution_free(&solution);
  network_free(net);
}

/* Pairs that flow 1e6 times faster than what goes around carry the same noise as the slow flips. */
static void check_fast_pairs(void)
{
  ness_network *net = antiporter_6(0, 1);
  cme_solution s;
  noise c;
  deviations d[2];
  double weight[6][14] = {{0}}, flat[84];
  const int32_t ndir = 2 * net->nstep;
  solve(net, 0, &s);
  for (int a = 0; a < 6; a++) {
    weight[a][2 * a] = 1;
    weight[a][2 * a + 1] = -1;
    memcpy(flat + a * ndir, weight[a], (size_t)ndir * sizeof *flat);
  }
  cumulants(net, &s, 6, flat, &c);
  for (int a = 0; a < 6; a++) {
    for (int k = 0; k < 4; k++) CHECK_REL(c.cumulant[NOISE_ORDER * a + k], c.cumulant[NOISE_ORDER + k], 1e-9);
    for (int e = 0; e < 6; e++) CHECK_REL(c.covariance[6 * a + e], c.cumulant[NOISE_ORDER + 1], 1e-9);
  }
  CHECK(c.cumulant[1] * s.entropy > 2 * c.cumulant[0] * c.cumulant[0]);
  double affinity = 0;
  for (int a = 0; a < 6; a++) affinity += log(net->dir_k[2 * a] / net->dir_k[2 * a + 1]);
  double at[2][4];
  for (int i = 0; i < 4; i++) {
    at[0][i] = 0.4 * i - 0.7;
    at[1][i] = -affinity - at[0][i];
  }
  for (int way = 0; way < 2; way++) deviate(net, &s, weight[1], 4, at[way], &d[way]);
  for (int i = 0; i < 4; i++) {
    CHECK(fabs(d[0].value[i] - d[1].value[i]) <= d[0].error[i] + d[1].error[i]);
    CHECK_NEAR(d[0].slope[i], -d[1].slope[i], 1e-7);
  }
  for (int way = 0; way < 2; way++) deviations_free(&d[way]);
  noise_free(&c);
  cme_solution_free(&s);
  network_free(net);
}

/* --- what cannot be answered, and memory that runs out --- */

static void check_refused(void)
{
  network_builder *b = builder_create("fork", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX),
                C = add_slot(b, "C", 0, MODEL_NO_MAX);
  add_move(b, "ab", A, B, 1, 0);
  add_move(b, "ac", A, C, 1, 0);
  add_move(b, "pipe", -1, -1, 1, 2);
  ness_network *net = finish(b);
  ness_diags *diags = ness_diags_create();
  cme_solution s;
  noise c;
  deviations d;
  solve(net, 0, &s);
  const double fork[6] = {1}, pipe[6] = {0, 0, 0, 0, 1, -1}, at = 0.5, far = 800;
  CHECK(noise_cumulants(net, &s, 1, pipe, diags, &c) == NESS_OK && c.cumulant[0] == -1);
  noise_free(&c);
  CHECK(noise_cumulants(net, &s, 1, fork, diags, &c) == NESS_NUMERIC && !c.cumulant && !c.covariance);
  CHECK(noise_deviations(net, &s, fork, 1, &at, diags, &d) == NESS_NUMERIC && !d.value);
  CHECK(noise_deviations(net, &s, pipe, 1, &far, diags, &d) == NESS_NUMERIC && !d.value);
  char *text = ness_diags_render(diags, 0);
  CHECK(text && strstr(text, "2 closed classes") && strstr(text, "s = 800"));
  ness_text_free(text);
  ness_diags_free(diags);
  cme_solution_free(&s);
  network_free(net);
}

static void check_memory(bool open)
{
  network_builder *b = builder_create("memory", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "ab", A, B, 1, 2);
  add_move(b, "ba", B, A, 3, 2);
  if (open) add_move(b, "in", -1, A, 1, 1);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  const double weight[6] = {1, -1}, at[2] = {-0.5, 0.1};
  for (int which = 0; which < 2; which++) {
    ness_status status = NESS_NOMEM;
    int64_t calls = 0;
    for (; status == NESS_NOMEM && calls < 1000; calls++) {
      noise c = {0};
      deviations d = {0};
      mem_fail_after(calls);
      status =
          which ? noise_deviations(net, &s, weight, 2, at, NULL, &d) : noise_cumulants(net, &s, 1, weight, NULL, &c);
      mem_fail_after(-1);
      CHECK(status == NESS_OK || (!c.cumulant && !d.value));
      noise_free(&c);
      deviations_free(&d);
    }
    CHECK(status == NESS_OK && calls > 8);
  }
  cme_solution_free(&s);
  network_free(net);
}

int main(void)
{
  check_fuel(1);
  check_fuel(500);
  check_tanks();
  for (int m = 2; m < 8; m++) check_enzyme(m);
  check_channel();
  check_two_ways(true, 0);
  check_two_ways(false, 1);
  check_two_ways(false, 6);
  for (uint64_t seed = 0; seed < 20; seed++) check_random(seed * 104729 + 5);
  check_path();
  check_fast_pairs();
  check_refused();
  check_memory(false);
  check_memory(true);
  return check_done();
}
