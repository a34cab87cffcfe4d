/* Paths of inputs against their laws. Brownian motion in a layer: exit times against the image series of their
 * distribution, places against the eigenfunction series, each the other series than the one that draws most of them.
 * Ornstein-Uhlenbeck: innovations between randomly chosen times are standard normal and know nothing of what came
 * before, at layers of 0.1 and of 3 sd; so are means, variances and the autocovariance. Shot noise: Campbell's three
 * cumulants. Deterministic ones: values by other formulas. Every kind: no value leaves its band. Statistics are held
 * to ALARM, two-sided for means; there are about 80, so that all together raise a false alarm below 1e-6 under random
 * seeds, and the seeds are fixed. Innovations that are 2 % too wide must be noticed. */
#include "check.h"
#include "engine/motion/brownian.h"
#include "engine/motion/path_kinds.h"

#include <stdlib.h>

enum { BINS = 40, SAMPLES = 200000 };
#define SIGMA 6.2 /* 6e-10 of the normal law */
#define PI 3.14159265358979323846

typedef struct moments {
  double n, sum, square;
} moments;

static void moments_add(moments *self, double x)
{
  self->n++;
  self->sum += x;
  self->square += x * x;
}

/* Deviation of the mean from a value, in standard errors. */
static double moments_off(const moments *self, double mean)
{
  const double m = self->sum / self->n, variance = self->square / self->n - m * m;
  return (m - mean) / sqrt(variance / self->n);
}

#define CHECK_MEAN(m, mean)                                                                                            \
  do {                                                                                                                 \
    const double check_off = moments_off(&(m), (mean));                                                                \
    if (!(fabs(check_off) < SIGMA))                                                                                    \
      fprintf(stderr, "  %s is %.2f standard errors from %g\n", #m, check_off, (double)(mean));                        \
    CHECK(fabs(check_off) < SIGMA);                                                                                    \
  } while (0)

/* Wilson and Hilferty: about a standard normal. */
static double chi_square_off(const double *count, const double *share, int32_t bins)
{
  double n = 0, sum = 0;
  for (int32_t i = 0; i < bins; i++) {
    n += count[i];
  }
  for (int32_t i = 0; i < bins; i++) {
    const double expected = n * share[i];
    sum += (count[i] - expected) * (count[i] - expected) / expected;
  }
  const double k = bins - 1, spread = 2 / (9 * k);
  return (cbrt(sum / k) - (1 - spread)) / sqrt(spread);
}

/* --- Brownian motion in a layer --- */

/* P(exit of (-1, 1) by t), by images. */
static double exit_law(double t)
{
  double sum = 0;
  for (int32_t n = 40; n >= 0; n--) {
    sum = 2 * erfc((2 * n + 1) / sqrt(2 * t)) - sum;
  }
  return sum;
}

static void test_exit(void)
{
  double count[BINS] = {0}, share[BINS];
  moments mean = {0}, square = {0};
  rng_stream rng;
  rng_init(&rng, 11, 0, 0);
  for (int32_t i = 0; i < BINS; i++) { /* of width 0.08, the last without end */
    share[i] = (i + 1 < BINS ? exit_law(0.08 * (i + 1)) : 1) - (i > 0 ? exit_law(0.08 * i) : 0);
  }
  for (int32_t i = 0; i < SAMPLES; i++) {
    const double t = brownian_exit(&rng);
    count[t < 0.08 * (BINS - 1) ? (int32_t)(t / 0.08) : BINS - 1]++;
    moments_add(&mean, t);
    moments_add(&square, (t - 1) * (t - 1));
  }
  CHECK(chi_square_off(count, share, BINS) < SIGMA);
  CHECK_MEAN(mean, 1);
  CHECK_MEAN(square, 2.0 / 3);
}

/* The integral of the eigenfunction series of the place up to y, not normalised. */
static double place_law(double y, double t)
{
  double sum = 0;
  for (int32_t n = 60; n >= 0; n--) {
    const double wave = (2 * n + 1) * PI / 2;
    sum += (sin(wave * y) + sin(wave)) / wave * exp(-wave * wave * t / 2);
  }
  return sum;
}

static void test_inside(double t)
{
  double count[BINS] = {0}, share[BINS];
  rng_stream rng;
  rng_init(&rng, 12, 0, 0);
  for (int32_t i = 0; i < BINS; i++) {
    const double from = -1 + 2.0 * i / BINS, to = -1 + 2.0 * (i + 1) / BINS;
    share[i] = (place_law(to, t) - place_law(from, t)) / place_law(1, t);
  }
  for (int32_t i = 0; i < SAMPLES; i++) {
    const double y = brownian_inside(&rng, t);
    CHECK(y > -1 && y < 1);
    count[(int32_t)((y + 1) * BINS / 2)]++;
  }
  CHECK(chi_square_off(count, share, BINS) < SIGMA);
}

/* --- going along a path --- */

/* To t through as many windows as it takes; every value must lie in its band. */
static int64_t go(path_state *self, double t, double half)
{
  int64_t windows = 0;
  while (self->t < t) {
    if (!self->open) {
      path_window(self, half);
      windows++;
    }
    const double lo = self->lo, hi = self->hi;
    CHECK(self->u >= lo && self->u <= hi);
    if (path_advance(self, t)) {
      CHECK(self->t == t);
    }
    if (self->spec->kind != PATH_STEPS && self->spec->kind != PATH_SHOT) { /* continuous up to the end of a window */
      CHECK(self->u >= lo && self->u <= hi);
    } else if (self->open) {
      CHECK(self->u >= lo && self->u <= hi);
    }
  }
  return windows;
}

/* --- Ornstein-Uhlenbeck --- */

/* Innovations over `n` waits that are exponential of this mean, on one path. */
static double innovations(double half, double wait, double stretch, int64_t n)
{
  const path_spec spec = {.kind = PATH_OU, .mean = -0.7, .sd = 1.3, .tau = 2.5};
  double count[BINS] = {0}, share[BINS];
  moments with_x = {0}, with_wait = {0}, size = {0}, size_wait = {0}, next = {0};
  rng_stream rng;
  path_state p;
  rng_init(&rng, 13, 0, 0);
  path_start(&p, &spec, 14, 0, 0);
  for (int32_t i = 0; i < BINS; i++) {
    share[i] = 1.0 / BINS;
  }
  double before = 0;
  for (int64_t i = 0; i < n; i++) {
    const double x = (p.u - spec.mean) / spec.sd, e = rng_exp(&rng), t = p.t + wait * e;
    const double gone = t - p.t;
    go(&p, t, half * spec.sd);
    const double keep = exp(-gone / spec.tau);
    const double z = stretch * ((p.u - spec.mean) / spec.sd - x * keep) / sqrt(-expm1(-2 * gone / spec.tau));
    count[(int32_t)fmin(0.5 * erfc(-z / sqrt(2)) * BINS, BINS - 1)]++;
    moments_add(&with_x, z * x);
    moments_add(&with_wait, z * (e - 1));
    moments_add(&size, z * z);
    moments_add(&size_wait, z * z * (e - 1));
    moments_add(&next, z * before);
    before = z;
  }
  const double off = chi_square_off(count, share, BINS);
  if (stretch == 1) {
    CHECK(off < SIGMA);
    CHECK_MEAN(with_x, 0);
    CHECK_MEAN(with_wait, 0);
    CHECK_MEAN(size, 1);
    CHECK_MEAN(size_wait, 0);
    CHECK_MEAN(next, 0);
  }
  return off;
}

static void test_innovations(void)
{
  innovations(0.1, 0.01, 1, SAMPLES);
  innovations(0.1, 2.5, 1, SAMPLES / 20);
  innovations(1, 1, 1, SAMPLES);
  innovations(3, 0.01, 1, SAMPLES);
  innovations(3, 2.5, 1, SAMPLES);
  CHECK(innovations(3, 2.5, 1.02, SAMPLES) > SIGMA);
}

/* Start, and the same path later. */
static void test_stationary(double half)
{
  const path_spec spec = {.kind = PATH_OU, .mean = 0.4, .sd = 2, .tau = 0.5};
  moments first = {0}, last = {0}, first2 = {0}, last2 = {0}, both = {0};
  for (int32_t i = 0; i < 20000; i++) {
    path_state p;
    path_start(&p, &spec, 15, i, 0);
    const double x = (p.u - spec.mean) / spec.sd;
    go(&p, 0.3, half * spec.sd);
    const double y = (p.u - spec.mean) / spec.sd;
    moments_add(&first, x);
    moments_add(&last, y);
    moments_add(&first2, x * x);
    moments_add(&last2, y * y);
    moments_add(&both, x * y);
  }
  CHECK_MEAN(first, 0);
  CHECK_MEAN(last, 0);
  CHECK_MEAN(first2, 1);
  CHECK_MEAN(last2, 1);
  CHECK_MEAN(both, exp(-0.6));
}

static void test_from_value(void)
{
  const path_spec spec = {.kind = PATH_OU, .mean = 0.4, .sd = 2, .tau = 0.5, .from_value = true, .start = 5};
  moments place = {0}, square = {0};
  for (int32_t i = 0; i < 20000; i++) {
    path_state p;
    path_start(&p, &spec, 16, i, 0);
    CHECK(p.u == 5);
    go(&p, 0.2, 1);
    const double y = p.u - spec.mean - 4.6 * exp(-0.4);
    moments_add(&place, y);
    moments_add(&square, y * y);
  }
  CHECK_MEAN(place, 0);
  CHECK_MEAN(square, -4 * expm1(-0.8));
}

/* --- shot noise --- */

static void test_shot(double jump, double half)
{
  const path_spec spec = {.kind = PATH_SHOT, .base = -1, .jump = jump, .rate = 3, .tau = 0.7};
  const double load = spec.rate * spec.tau, mean = spec.base + load * jump, variance = load * jump * jump / 2;
  const double third = load * jump * jump * jump / 3;
  moments first = {0}, first2 = {0}, first3 = {0}, last = {0}, last2 = {0}, last3 = {0}, both = {0};
  for (int32_t i = 0; i < 100000; i++) {
    path_state p;
    path_start(&p, &spec, 17, i, 0);
    const double x = p.u - mean;
    go(&p, 0.5, half);
    const double y = p.u - mean;
    moments_add(&first, x);
    moments_add(&first2, x * x);
    moments_add(&first3, x * x * x);
    moments_add(&last, y);
    moments_add(&last2, y * y);
    moments_add(&last3, y * y * y);
    moments_add(&both, x * y);
  }
  CHECK_MEAN(first, 0);
  CHECK_MEAN(first2, variance);
  CHECK_MEAN(first3, third);
  CHECK_MEAN(last, 0);
  CHECK_MEAN(last2, variance);
  CHECK_MEAN(last3, third);
  CHECK_MEAN(both, variance * exp(-0.5 / spec.tau));
}

/* Started beside its law, where the decay is all there is before the first jump. */
static void test_shot_from_value(void)
{
  const path_spec spec = {
      .kind = PATH_SHOT, .base = 1, .jump = 0.5, .rate = 4, .tau = 0.25, .from_value = true, .start = -3};
  moments place = {0};
  for (int32_t i = 0; i < 20000; i++) {
    path_state p;
    path_start(&p, &spec, 18, i, 0);
    go(&p, 0.3, i % 2 ? 0.1 : 10);
    moments_add(&place, p.u);
  }
  CHECK_MEAN(place, 1 - 4 * exp(-1.2) - 0.5 * expm1(-1.2));
}

/* --- deterministic ones --- */

static void test_functions(void)
{
  for (int32_t i = -4000; i <= 4000; i++) {
    const double x = 0.00137 * i;
    CHECK_NEAR(path_sine(x), sin(2 * PI * x), 1e-14);
    CHECK_REL(path_expm1(x), expm1(x), 1e-15);
    CHECK_REL(path_expm1(1e-9 * x), expm1(1e-9 * x), 1e-15);
  }
}

static void test_sine(double amplitude, double half)
{
  const path_spec spec = {.kind = PATH_SINE, .mean = 3, .amplitude = amplitude, .frequency = 0.8, .phase = 0.3};
  rng_stream rng;
  path_state p;
  rng_init(&rng, 19, 0, 0);
  path_start(&p, &spec, 1, 0, 0);
  for (int32_t i = 0; i < 20000; i++) {
    go(&p, p.t + 0.2 * rng_exp(&rng), half);
    CHECK_NEAR(p.u, 3 + amplitude * sin(2 * PI * 0.8 * p.t + 0.3), 1e-10);
    CHECK(!p.open || p.t_end > p.t);
  }
}

static const double point_time[] = {0, 0.25, 1, 1.5}, point_value[] = {2, -1, 4, 0.5};

/* By another way: the points of this period, the next one's first behind them. */
static double points_plain(const path_spec *spec, double t)
{
  const bool periodic = spec->period > 0;
  const double x = periodic ? fmod(t, spec->period) : t;
  int32_t i = 0;
  while (i + 1 < spec->points && spec->time[i + 1] <= x) i++;
  const bool last = i + 1 == spec->points;
  if (spec->kind == PATH_STEPS || x < spec->time[0] || (last && !periodic)) {
    return spec->value[i];
  }
  const double to = last ? spec->period : spec->time[i + 1], value = spec->value[last ? 0 : i + 1];
  return (spec->value[i] * (to - x) + value * (x - spec->time[i])) / (to - spec->time[i]);
}

static void test_points(path_kind kind, double period, double half)
{
  const path_spec spec = {.kind = kind, .points = 4, .time = point_time, .value = point_value, .period = period};
  rng_stream rng;
  path_state p;
  rng_init(&rng, 20, 0, 0);
  path_start(&p, &spec, 1, 0, 0);
  CHECK(p.u == 2);
  for (int32_t i = 0; i < 2000; i++) {
    go(&p, p.t + (i % 100 ? 0.1 : 20) * rng_exp(&rng), half);
    CHECK_NEAR(p.u, points_plain(&spec, p.t), 1e-9);
  }
}

/* Steps pause at their jumps and nowhere else; whole periods can be left out. */
static void test_jumps(void)
{
  const path_spec spec = {.kind = PATH_STEPS, .points = 4, .time = point_time, .value = point_value, .period = 2};
  const path_spec late = {.kind = PATH_LINEAR, .points = 2, .time = point_time + 2, .value = point_value};
  path_state p;
  path_start(&p, &spec, 1, 0, 0);
  for (int32_t i = 1; i <= 40; i++) {
    path_window(&p, 0.1);
    CHECK(p.lo == p.u && p.hi == p.u);
    CHECK(!path_advance(&p, INFINITY) && !p.open);
    CHECK(p.t == 2 * (i / 4) + point_time[i % 4] && p.u == point_value[i % 4]);
  }
  path_window(&p, 0.1);
  CHECK(path_advance(&p, p.t + 0.125));
  path_skip(&p, 1000);
  CHECK(p.t == 2020.125 && p.u == 2 && !p.open);
  path_window(&p, 0.1);
  CHECK(!path_advance(&p, INFINITY) && p.t == 2020.25 && p.u == -1);
  path_start(&p, &late, 1, 0, 0);
  path_window(&p, 0.1);
  CHECK(p.u == 2 && p.t_end == 1 && p.hi == 2);
  go(&p, 1.25, 0.1);
  CHECK_NEAR(p.u, 0.5, 1e-15);
  go(&p, 9, 0.1);
  CHECK(p.u == -1);
  path_window(&p, 0.1);
  CHECK(p.t_end == INFINITY);
}

/* --- the price, and what is refused --- */

/* The pace that is promised is the pace of the windows, within a factor of two. */
static void test_pace(void)
{
  const path_spec specs[] = {{.kind = PATH_SINE, .amplitude = 2, .frequency = 3},
                             {.kind = PATH_STEPS, .points = 4, .time = point_time, .value = point_value, .period = 2},
                             {.kind = PATH_LINEAR, .points = 4, .time = point_time, .value = point_value, .period = 2},
                             {.kind = PATH_OU, .sd = 2, .tau = 0.3},
                             {.kind = PATH_SHOT, .jump = 0.5, .rate = 5, .tau = 0.3}};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    for (double half = 0.02; half < 8; half *= 3) {
      path_state p;
      path_start(&p, &specs[i], 21, 0, 0);
      const double windows = (double)go(&p, 200, half), pace = path_pace(&specs[i], half) * 200;
      CHECK(windows < 2 * pace + 30 && pace < 2 * windows + 30);
    }
    CHECK(path_width(&specs[i]) >= 0);
  }
}

static void test_refused(void)
{
  static const double twice[] = {0, 1, 1, 2}, hole[] = {0, 1, (double)NAN, 2};
  const path_spec wrong[] = {
      {.kind = PATH_SINE, .frequency = -1},
      {.kind = PATH_SINE, .amplitude = (double)INFINITY},
      {.kind = PATH_STEPS},
      {.kind = PATH_STEPS, .points = 4, .time = twice, .value = point_value},
      {.kind = PATH_LINEAR, .points = 4, .time = point_time, .value = hole},
      {.kind = PATH_LINEAR, .points = 4, .time = point_time, .value = point_value, .period = 1.5},
      {.kind = PATH_LINEAR, .points = 3, .time = point_time + 1, .value = point_value, .period = 9},
      {.kind = PATH_STEPS, .points = 4, .time = point_time, .value = point_value, .period = -1},
      {.kind = PATH_OU, .sd = 0, .tau = 1},
      {.kind = PATH_OU, .sd = 1, .tau = -1},
      {.kind = PATH_SHOT, .jump = 0, .rate = 1, .tau = 1},
      {.kind = PATH_SHOT, .jump = 1, .rate = 1e6, .tau = 1},
      {.kind = (path_kind)9}};
  const path_spec right[] = {{.kind = PATH_SINE},
                             {.kind = PATH_STEPS, .points = 4, .time = point_time, .value = point_value},
                             {.kind = PATH_OU, .sd = 1, .tau = 1}};
  ness_diags *diags = ness_diags_create();
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CHECK(path_check(&wrong[i], diags) == NESS_USAGE);
    CHECK(diag_errors(diags) == (int32_t)i + 1);
  }
  for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
    CHECK(path_check(&right[i], diags) == NESS_OK);
  }
  ness_diags_free(diags);
}

int main(void)
{
  test_exit();
  test_inside(0.05);
  test_inside(0.3);
  test_inside(1);
  test_inside(2);
  test_innovations();
  test_stationary(0.1);
  test_stationary(3);
  test_from_value();
  test_shot(0.8, 0.05);
  test_shot(0.8, 5);
  test_shot(-0.8, 2);
  test_shot_from_value();
  test_functions();
  test_sine(1.5, 0.01);
  test_sine(-1.5, 0.4);
  test_sine(1.5, 9);
  test_points(PATH_STEPS, 0, 1);
  test_points(PATH_STEPS, 2, 1);
  test_points(PATH_LINEAR, 0, 0.3);
  test_points(PATH_LINEAR, 2, 0.3);
  test_points(PATH_LINEAR, 1.75, 9);
  test_jumps();
  test_pace();
  test_refused();
  return check_done();
}
