/* Every law of engine/rng against libm's formulas. Each comparison gives a p-value and fails below ALARM = 1e-6; there
 * are about 250, so that a fresh seed would raise a false alarm once in 4000 runs. Seeds are fixed: a pass stays one.
 * Each kind of comparison also meets planted bugs (p must fall below ALARM): a mean off by 0.3 %, 24-bit grids, a cut
 * tail, a rounded normal for a count, an even grid at 1e15, modulo bias, a wrong alias coin, one stream used twice. */
#include "check.h"

#include "../engine/rng/rng.h"

#include <stdlib.h>

#define ALARM 1e-6
#define N_DRAWS 5000000
#define N_SORTED 1000000
#define N_COUNTS 1000000
#define N_CELLS 1000
#define MAX_CELLS 40000

/* Upper regularised incomplete gamma function Q(a, x): power series below a + 1, Lentz's continued fraction above. */
static double gamma_q(double a, double x)
{
  if (!(x > 0)) {
    return 1;
  }
  const double front = exp(a * log(x) - x - lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (double n = a + 1; term > sum * 1e-16; n += 1) {
      term *= x / n;
      sum += term;
    }
    return 1 - front * sum;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int i = 1; i < 100000; i++) {
    const double an = -i * (i - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    h *= c * d;
    if (fabs(c * d - 1) < 1e-15) {
      break;
    }
  }
  return front * h;
}

/* Chi-square p-value of n cells; neighbours are joined until at least 25 are expected. */
static double chi_square(const int64_t *seen, const double *share, int n, double draws)
{
  double statistic = 0, cell_seen = 0, cell_expected = 0, last_seen = 0, last_expected = 0;
  int cells = 0;
  for (int i = 0; i < n; i++) {
    cell_seen += (double)seen[i];
    cell_expected += share[i] * draws;
    if (cell_expected >= 25) {
      if (last_expected > 0) {
        statistic += (last_seen - last_expected) * (last_seen - last_expected) / last_expected;
      }
      last_seen = cell_seen;
      last_expected = cell_expected;
      cell_seen = cell_expected = 0;
      cells++;
    }
  }
  last_seen += cell_seen;
  last_expected += cell_expected;
  if (cells < 2) {
    return 0;
  }
  statistic += (last_seen - last_expected) * (last_seen - last_expected) / last_expected;
  return gamma_q(0.5 * (cells - 1), 0.5 * statistic);
}

/* Two-sided p-value of a sum of draws whose terms have this mean and variance. */
static double z_test(double sum, double draws, double mean, double variance)
{
  return erfc(fabs(sum / draws - mean) / sqrt(2 * variance / draws));
}

static int by_value(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* ---- continuous laws ---- */

typedef double (*draw_function)(rng_stream *self);

typedef struct {
  double (*cdf)(double x);
  double moment[4], variance[4]; /* of x, x^2, x^3, x^4 */
  double from, step;             /* cells for the tails: 64 of them, open at both ends */
} law;

static double uniform_cdf(double x)
{
  return x;
}

static double exp_cdf(double x)
{
  return -expm1(-x);
}

static double normal_cdf(double x)
{
  return 0.5 * erfc(-x * 0.70710678118654752440);
}

/* P(a < x <= b) without losing the upper tail. */
static double normal_share(double a, double b)
{
  return a > 0 ? normal_cdf(-a) - normal_cdf(-b) : normal_cdf(b) - normal_cdf(a);
}

static double exp_share(double a, double b)
{
  return exp(-fmax(a, 0)) - exp(-fmax(b, 0));
}

static double uniform_share(double a, double b)
{
  return fmin(fmax(b, 0), 1) - fmin(fmax(a, 0), 1);
}

static const law uniform_law = {
    uniform_cdf, {1.0 / 2, 1.0 / 3, 1.0 / 4, 1.0 / 5}, {1.0 / 12, 4.0 / 45, 9.0 / 112, 16.0 / 225}, 0, 1.0 / 64};
static const law exp_law = {exp_cdf, {1, 2, 6, 24}, {1, 20, 684, 39744}, 0, 0.25};
static const law normal_law = {normal_cdf, {0, 1, 0, 3}, {1, 2, 15, 96}, -5.76, 0.18};

/* The smallest of the p-values: four moments, equal cells, tail cells, Kolmogorov-Smirnov, lag-one correlation, and
 * resolution (1e6 draws of 50 bits or more hold two equal pairs with a probability below 1e-6; a third is an alarm). */
static double battery(const char *name, draw_function draw, const law *l, uint32_t purpose)
{
  static double sorted[N_SORTED];
  static int64_t equal[N_CELLS], tail[64];
  static double share[N_CELLS], tail_share[64];
  double sum[4] = {0}, lagged = 0, before = 0;
  rng_stream stream;
  rng_init(&stream, 20240601, 0, purpose);
  memset(equal, 0, sizeof equal);
  memset(tail, 0, sizeof tail);
  for (int i = 0; i < N_DRAWS; i++) {
    const double x = draw(&stream), x2 = x * x;
    sum[0] += x;
    sum[1] += x2;
    sum[2] += x2 * x;
    sum[3] += x2 * x2;
    if (i > 0) {
      lagged += (x - l->moment[0]) * (before - l->moment[0]);
    }
    before = x;
    const double cell = l->cdf(x) * N_CELLS, place = (x - l->from) / l->step;
    equal[cell < 0 ? 0 : cell < N_CELLS ? (int)cell : N_CELLS - 1]++;
    tail[place < 0 ? 0 : place < 64 ? (int)place : 63]++;
    if (i < N_SORTED) {
      sorted[i] = x;
    }
  }

  double p[9];
  for (int k = 0; k < 4; k++) {
    p[k] = z_test(sum[k], N_DRAWS, l->moment[k], l->variance[k]);
  }
  for (int i = 0; i < N_CELLS; i++) {
    share[i] = 1.0 / N_CELLS;
  }
  p[4] = chi_square(equal, share, N_CELLS, N_DRAWS);
  for (int i = 0; i < 64; i++) {
    const double a = i == 0 ? -100 : l->from + i * l->step, b = i == 63 ? 100 : l->from + (i + 1) * l->step;
    tail_share[i] = l == &exp_law ? exp_share(a, b) : l == &normal_law ? normal_share(a, b) : uniform_share(a, b);
  }
  p[5] = chi_square(tail, tail_share, 64, N_DRAWS);

  qsort(sorted, N_SORTED, sizeof sorted[0], by_value);
  double distance = 0;
  int twins = 0;
  for (int i = 0; i < N_SORTED; i++) {
    const double f = l->cdf(sorted[i]) * N_SORTED;
    distance = fmax(distance, fmax(f - i, i + 1 - f));
    twins += i > 0 && sorted[i] == sorted[i - 1];
  }
  p[6] = fmin(1, 2 * exp(-2 * distance * distance / N_SORTED));
  p[7] = z_test(lagged, N_DRAWS - 1, 0, l->variance[0] * l->variance[0]);
  p[8] = twins > 2 ? 0 : 1;

  double least = 1;
  for (int k = 0; k < 9; k++) {
    least = fmin(least, p[k]);
  }
  printf("%-28s moments %.2g %.2g %.2g %.2g cells %.2g tails %.2g ks %.2g lag %.2g twins %d\n", name, p[0], p[1], p[2],
         p[3], p[4], p[5], p[6], p[7], twins);
  return least;
}

static double bug_exp_mean(rng_stream *self)
{
  return 1.003 * rng_exp(self);
}

static double bug_exp_float(rng_stream *self)
{
  return -log(((double)(rng_next(self) >> 40) + 0.5) * 0x1p-24);
}

static double bug_exp_cut(rng_stream *self)
{
  double x;
  do {
    x = rng_exp(self);
  } while (x > 9);
  return x;
}

static double bug_double_float(rng_stream *self)
{
  return (double)(rng_next(self) >> 40) * 0x1p-24;
}

static double bug_double_sticky(rng_stream *self)
{
  const double x = rng_double(self);
  return rng_below(self, 100) == 0 ? x * x : x;
}

static double bug_normal_cut(rng_stream *self)
{
  double x;
  do {
    x = rng_normal(self);
  } while (fabs(x) > 4);
  return x;
}

static double bug_normal_sum(rng_stream *self)
{
  double sum = -6;
  for (int i = 0; i < 12; i++) {
    sum += rng_double(self);
  }
  return sum;
}

static void test_continuous(void)
{
  CHECK(battery("double", rng_double, &uniform_law, 0) > ALARM);
  CHECK(battery("double_open", rng_double_open, &uniform_law, 1) > ALARM);
  CHECK(battery("exp", rng_exp, &exp_law, 2) > ALARM);
  CHECK(battery("normal", rng_normal, &normal_law, 3) > ALARM);
  CHECK(battery("bug: 24-bit uniform", bug_double_float, &uniform_law, 4) < ALARM);
  CHECK(battery("bug: squares 1 in 100", bug_double_sticky, &uniform_law, 5) < ALARM);
  CHECK(battery("bug: exp mean + 0.3 %", bug_exp_mean, &exp_law, 6) < ALARM);
  CHECK(battery("bug: exp of 24 bits", bug_exp_float, &exp_law, 7) < ALARM);
  CHECK(battery("bug: exp cut at 9", bug_exp_cut, &exp_law, 8) < ALARM);
  CHECK(battery("bug: normal cut at 4", bug_normal_cut, &normal_law, 9) < ALARM);
  CHECK(battery("bug: normal by 12 uniforms", bug_normal_sum, &normal_law, 10) < ALARM);
}

/* The ends: no zero, both signs, and the extreme words of the generator. */
static void test_range(void)
{
  rng_stream stream;
  double least = 1, open_least = 1, open_most = 0;
  rng_init(&stream, 3, 0, 0);
  for (int i = 0; i < 2000000; i++) {
    least = fmin(least, fmin(rng_exp(&stream), fabs(rng_normal(&stream))));
    const double x = rng_double_open(&stream);
    open_least = fmin(open_least, x);
    open_most = fmax(open_most, x);
  }
  CHECK(least > 0 && open_least > 0 && open_most < 1);
  CHECK(rng_exp_slow(&stream, UINT64_C(255)) > 0);      /* position 0 of the top layer */
  CHECK(rng_exp_slow(&stream, UINT64_MAX << 8) > 7.69); /* the far end of the base strip */
  CHECK(fabs(rng_normal_slow(&stream, UINT64_MAX << 8)) > 3.65);
  CHECK(rng_normal_slow(&stream, UINT64_MAX << 8) < 0 && rng_normal_slow(&stream, ~(UINT64_MAX >> 55 | 0)) > -100);
}

/* ---- gamma of whole shapes ---- */

typedef double (*gamma_function)(rng_stream *self, int64_t shape);

/* A normal number of this mean and variance. */
static double bug_gamma_normal(rng_stream *self, int64_t shape)
{
  return (double)shape + sqrt((double)shape) * rng_normal(self);
}

/* One exponential too many, or its mean at once. */
static double bug_gamma_shape(rng_stream *self, int64_t shape)
{
  return rng_gamma(self, shape + 1);
}
static double bug_gamma_mean(rng_stream *self, int64_t shape)
{
  return rng_gamma(self, shape - 1) + 1;
}

/* The smallest p-value of mean, variance and equal cells. */
static double gamma_battery(const char *name, gamma_function draw, int64_t shape, uint32_t purpose)
{
  enum { DRAWS = 400000 };
  static int64_t equal[N_CELLS];
  static double share[N_CELLS];
  const double a = (double)shape;
  double sum = 0, squares = 0;
  rng_stream stream;
  rng_init(&stream, 20240603, 0, purpose);
  memset(equal, 0, sizeof equal);
  for (int i = 0; i < DRAWS; i++) {
    const double x = draw(&stream, shape), cell = gamma_q(a, x) * N_CELLS;
    equal[cell < N_CELLS ? (int)cell : N_CELLS - 1]++;
    sum += x - a;
    squares += (x - a) * (x - a);
  }
  for (int i = 0; i < N_CELLS; i++) share[i] = 1.0 / N_CELLS;
  const double p[3] = {z_test(sum, DRAWS, 0, a), z_test(squares, DRAWS, a, 2 * a * a + 6 * a),
                       chi_square(equal, share, N_CELLS, DRAWS)};
  printf("%-18s shape %-8lld mean %.2g variance %.2g cells %.2g\n", name, (long long)shape, p[0], p[1], p[2]);
  return fmin(p[0], fmin(p[1], p[2]));
}

static void test_gamma(void)
{
  static const int64_t shapes[] = {1, 2, 4, 5, 6, 11, 60, 1000, 100000};
  rng_stream stream, before;
  for (uint32_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    CHECK(gamma_battery("gamma", rng_gamma, shapes[i], i) > ALARM);
  }
  CHECK(gamma_battery("bug: normal", bug_gamma_normal, 1000, 100) < ALARM);
  CHECK(gamma_battery("bug: shape + 1", bug_gamma_shape, 1000, 101) < ALARM);
  CHECK(gamma_battery("bug: one is its mean", bug_gamma_mean, 60, 102) < ALARM);
  rng_init(&stream, 1, 0, 0);
  before = stream;
  CHECK(rng_gamma(&stream, 0) == 0 && rng_gamma(&stream, -3) == 0 && memcmp(&stream, &before, sizeof stream) == 0);
}

/* ---- counts ---- */

typedef struct {
  int64_t n; /* -1: Poisson of mean p; otherwise binomial */
  double p;
} count_law;

typedef int64_t (*count_function)(rng_stream *self, const count_law *l);

static int64_t draw_count(rng_stream *self, const count_law *l)
{
  return l->n < 0 ? rng_poisson(self, l->p) : rng_binomial(self, l->n, l->p);
}

static int64_t bug_count_mean(rng_stream *self, const count_law *l)
{
  return l->n < 0 ? rng_poisson(self, 1.003 * l->p) : rng_binomial(self, l->n, 1.003 * l->p);
}

static int64_t bug_count_normal(rng_stream *self, const count_law *l)
{
  const double variance = l->n < 0 ? l->p : (double)l->n * l->p * (1 - l->p);
  const double mean = l->n < 0 ? l->p : (double)l->n * l->p;
  return (int64_t)floor(mean + sqrt(variance) * rng_normal(self) + 0.5);
}

static int64_t bug_count_poisson(rng_stream *self, const count_law *l)
{
  return rng_poisson(self, (double)l->n * l->p);
}

static int64_t bug_count_even(rng_stream *self, const count_law *l)
{
  return draw_count(self, l) & ~INT64_C(1);
}

static double count_pmf(const count_law *l, double k)
{
  if (k < 0 || (l->n >= 0 && k > (double)l->n)) {
    return 0;
  }
  if (l->n < 0) {
    return exp(k * log(l->p) - l->p - lgamma(k + 1));
  }
  const double n = (double)l->n;
  if (n > 1e9) { /* lgamma would cancel: the falling factorial term by term, for the few k that are asked for */
    double falling = k * log(n * l->p) - lgamma(k + 1) + (n - k) * log1p(-l->p);
    for (double j = 0; j < k; j += 1) {
      falling += log1p(-j / n);
    }
    return exp(falling);
  }
  return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(l->p) + (n - k) * log1p(-l->p));
}

/* P(X <= k) of a law with skewness s by Edgeworth's first term; the next is of order 1 / variance. */
static double edgeworth(double z, double s)
{
  return normal_cdf(z) - s / 6 * (z * z - 1) * exp(-0.5 * z * z) * 0.39894228040143267794;
}

/* The smaller p-value of mean, variance, cells (single counts up to a variance of 1e6, sd / 16 wide beyond) and, where
 * the variance is large, the count mod 64. */
static double count_battery(const char *name, count_function draw, const count_law *l, uint32_t purpose)
{
  static int64_t seen[MAX_CELLS];
  static double share[MAX_CELLS];
  int64_t residue[64] = {0};
  double even[64];
  const double q = l->n < 0 ? 1 : 1 - l->p, mean = l->n < 0 ? l->p : (double)l->n * l->p, variance = mean * q;
  const double sd = sqrt(variance), skew = (l->n < 0 ? 1 : 1 - 2 * l->p) / sd;
  const double excess = l->n < 0 ? 1 / variance : (1 - 6 * l->p * q) / variance;
  const int wide = variance > 1e6;
  const int64_t width = wide ? (int64_t)(sd / 16) : 1;
  const int64_t centre = (int64_t)mean;
  int64_t half = wide ? 16 * 8 : (int64_t)(8 * sd + 40);
  int64_t start = centre - half * width;
  start = start < 0 ? 0 : start;
  const int cells = (int)((centre + half * width - start) / width) + 1;

  rng_stream stream;
  double sum = 0, squares = 0;
  rng_init(&stream, 20240602, 0, purpose);
  memset(seen, 0, sizeof seen);
  for (int i = 0; i < N_COUNTS; i++) {
    const int64_t k = draw(&stream, l);
    const int64_t cell = k < start ? 0 : (k - start) / width;
    const double d = (double)(k - centre) - (mean - (double)centre);
    seen[cell < cells ? cell : cells - 1]++;
    residue[k & 63]++;
    sum += d;
    squares += d * d;
  }
  for (int i = 0; i < cells; i++) {
    const int64_t left = start + i * width, right = left + width; /* left ... right - 1 */
    share[i] = wide ? edgeworth(((double)(right - centre) - (mean - (double)centre) - 0.5) / sd, skew) -
                          edgeworth(((double)(left - centre) - (mean - (double)centre) - 0.5) / sd, skew)
                    : count_pmf(l, (double)left);
  }
  for (int i = 0; i < 64; i++) {
    even[i] = 1.0 / 64;
  }
  const double p[4] = {
      z_test(sum, N_COUNTS, 0, variance),
      z_test(squares, N_COUNTS, variance, variance * variance * (2 + excess)),
      chi_square(seen, share, cells, N_COUNTS),
      variance > 1e4 ? chi_square(residue, even, 64, N_COUNTS) : 1,
  };
  printf("%-18s n %-17lld p %-12g mean %.2g variance %.2g cells %.2g residues %.2g\n", name, (long long)l->n, l->p,
         p[0], p[1], p[2], p[3]);
  return fmin(fmin(p[0], p[1]), fmin(p[2], p[3]));
}

static void test_counts(void)
{
  static const double means[] = {0.01, 0.3, 1,    5,         9.99, 10,  11.999, 12,   12.5,  17.3,
                                 30,   100, 1000, 12345.678, 1e5,  1e9, 1e12,   1e15, 4.5e15};
  static const count_law binomials[] = {{1, 0.3},
                                        {2, 0.5},
                                        {20, 0.1},
                                        {20, 0.9},
                                        {23, 0.5},
                                        {24, 0.5},
                                        {25, 0.5},
                                        {40, 0.31},
                                        {100, 0.119},
                                        {100, 0.121},
                                        {100, 0.95},
                                        {1000, 0.3},
                                        {5000, 0.003},
                                        {1000000, 1e-6},
                                        {1000000, 2e-5},
                                        {100000, 0.7},
                                        {INT64_C(1000000000000), 0.5},
                                        {INT64_C(1000000000000), 0.01},
                                        {INT64_C(4000000000000000), 1e-15},
                                        {INT64_C(4000000000000000), 5e-15},
                                        {RNG_COUNT_MAX, 0.25},
                                        {RNG_COUNT_MAX, 0.9}};
  uint32_t purpose = 100;
  for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
    const count_law poisson = {-1, means[i]};
    CHECK(count_battery("poisson", draw_count, &poisson, purpose++) > ALARM);
  }
  for (size_t i = 0; i < sizeof binomials / sizeof binomials[0]; i++) {
    CHECK(count_battery("binomial", draw_count, &binomials[i], purpose++) > ALARM);
  }

  const count_law five = {-1, 5}, hundreds = {-1, 300}, huge = {-1, 1e15}, ten_of_hundred = {100, 0.1};
  const count_law half = {1000, 0.5}, fifth = {300, 0.2};
  CHECK(count_battery("bug: mean + 0.3 %", bug_count_mean, &five, 200) < ALARM);
  CHECK(count_battery("bug: normal", bug_count_normal, &hundreds, 201) < ALARM);
  CHECK(count_battery("bug: even", bug_count_even, &huge, 202) < ALARM);
  CHECK(count_battery("bug: poisson", bug_count_poisson, &ten_of_hundred, 203) < ALARM);
  CHECK(count_battery("bug: mean + 0.3 %", bug_count_mean, &half, 204) < ALARM);
  CHECK(count_battery("bug: normal", bug_count_normal, &fifth, 205) < ALARM);
}

static void test_count_arguments(void)
{
  rng_stream stream, before;
  rng_init(&stream, 1, 0, 0);
  before = stream;
  CHECK(rng_poisson(&stream, -1e-300) == -1 && rng_poisson(&stream, NAN) == -1 && rng_poisson(&stream, INFINITY) == -1);
  CHECK(rng_poisson(&stream, 2.0 * (double)RNG_COUNT_MAX) == -1);
  CHECK(rng_binomial(&stream, -1, 0.5) == -1 && rng_binomial(&stream, RNG_COUNT_MAX + 1, 0.5) == -1);
  CHECK(rng_binomial(&stream, 5, NAN) == -1 && rng_binomial(&stream, 5, -0.1) == -1 &&
        rng_binomial(&stream, 5, 1.1) == -1);
  CHECK(stream.hi == before.hi && stream.lo == before.lo);
  CHECK(rng_poisson(&stream, 0) == 0 && rng_poisson(&stream, 1e-300) == 0);
  CHECK(rng_binomial(&stream, 0, 0.5) == 0 && rng_binomial(&stream, 7, 0) == 0 && rng_binomial(&stream, 7, 1) == 7);
  CHECK(rng_binomial(&stream, RNG_COUNT_MAX, 1) == RNG_COUNT_MAX && rng_binomial(&stream, RNG_COUNT_MAX, 0) == 0);
  CHECK(rng_binomial(&stream, RNG_COUNT_MAX, 1e-300) == 0);
}

/* ---- bounded integers, alias tables, streams ---- */

/* n = 3 * 2^62: a modulo would give the first third of the range twice the weight of the rest. */
static double below_battery(int bug, uint64_t n, uint32_t purpose)
{
  enum { CELLS = 300 };
  int64_t seen[CELLS] = {0};
  double share[CELLS];
  rng_stream stream;
  int64_t outside = 0;
  rng_init(&stream, 20240603, 0, purpose);
  for (int i = 0; i < N_COUNTS; i++) {
    const uint64_t x = bug ? rng_next(&stream) % n : rng_below(&stream, n);
    const double cell = (double)x / (double)n * CELLS;
    outside += x >= n;
    seen[n <= CELLS ? (int)x % CELLS : cell < CELLS ? (int)cell : CELLS - 1]++;
  }
  CHECK(outside == 0);
  const int cells = n <= CELLS ? (int)n : CELLS;
  for (int i = 0; i < cells; i++) {
    share[i] = 1.0 / cells;
  }
  return chi_square(seen, share, cells, N_COUNTS);
}

static double alias_battery(int bug, const double *w, int32_t n, uint32_t purpose)
{
  enum { MOST = 1000 };
  static double prob[MOST], share[MOST];
  static int32_t alias[MOST], work[MOST];
  static int64_t seen[MOST];
  double sum = 0;
  CHECK(rng_alias_build(n, w, prob, alias, work) == 0);
  memset(seen, 0, sizeof seen);
  for (int32_t i = 0; i < n; i++) {
    sum += w[i];
    share[i] = w[i];
    CHECK(prob[i] >= 0 && prob[i] <= 1 && alias[i] >= 0 && alias[i] < n);
  }
  /* The table states its law exactly: column shares and what they send on. */
  static double stated[MOST];
  memset(stated, 0, sizeof stated);
  for (int32_t i = 0; i < n; i++) {
    stated[i] += prob[i] / n;
    stated[alias[i]] += (1 - prob[i]) / n;
  }
  for (int32_t i = 0; i < n; i++) {
    share[i] /= sum;
    CHECK(fabs(stated[i] - share[i]) <= 1e-15);
    CHECK(w[i] > 0 || stated[i] == 0);
  }
  for (int32_t i = 0; bug && i < n; i++) {
    prob[i] *= 0.97;
  }
  rng_stream stream;
  rng_init(&stream, 20240604, 0, purpose);
  for (int i = 0; i < N_COUNTS; i++) {
    seen[rng_alias_draw(&stream, n, prob, alias)]++;
  }
  for (int32_t i = 0; i < n; i++) {
    CHECK(w[i] > 0 || seen[i] == 0);
  }
  return n == 1 ? 1 : chi_square(seen, share, n, N_COUNTS);
}

static void test_alias(void)
{
  static const double few[6] = {0, 1, 2, 0, 3, 4}, one[1] = {1e-320}, wild[5] = {1e300, 1e-300, 0, 1.7e308, 1.7e308};
  static double many[1000];
  double prob[6];
  int32_t alias[6], work[6];
  rng_stream stream;
  rng_init(&stream, 4, 0, 0);
  for (int i = 0; i < 1000; i++) {
    many[i] = i % 7 ? rng_exp(&stream) : 0;
  }
  CHECK(alias_battery(0, few, 6, 0) > ALARM);
  CHECK(alias_battery(0, many, 1000, 1) > ALARM);
  CHECK(alias_battery(0, one, 1, 2) > ALARM);
  CHECK(alias_battery(1, few, 6, 3) < ALARM);
  CHECK(alias_battery(1, many, 1000, 4) < ALARM);

  /* Weights whose sum overflows, and every way of being refused. */
  CHECK(rng_alias_build(5, wild, prob, alias, work) == 0);
  for (int i = 0; i < 1000; i++) {
    CHECK(rng_alias_draw(&stream, 5, prob, alias) >= 3);
  }
  static const double bad[][2] = {{0, 0}, {1, -1e-300}, {1, INFINITY}, {NAN, 1}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    CHECK(rng_alias_build(2, bad[i], prob, alias, work) == -1);
  }
  CHECK(rng_alias_build(0, few, prob, alias, work) == -1 && rng_alias_build(-1, few, prob, alias, work) == -1);

  /* Equal weights that do not divide evenly, and zeros: rounding leaves columns over, and no law may suffer. */
  for (int32_t n = 1; n <= 1000; n++) {
    static double w[1000], p[1000];
    static int32_t a[1000], s[1000];
    for (int32_t i = 0; i < n; i++) {
      w[i] = i % 3 ? 0.1 : 0;
    }
    w[n - 1] = 0.1;
    CHECK(rng_alias_build(n, w, p, a, s) == 0);
    double stated[1000] = {0}, sum = 0, worst = 0;
    for (int32_t i = 0; i < n; i++) {
      sum += w[i];
      stated[i] += p[i];
      stated[a[i]] += 1 - p[i];
    }
    for (int32_t i = 0; i < n; i++) {
      worst = w[i] > 0 || stated[i] == 0 ? fmax(worst, fabs(stated[i] - w[i] / sum * n)) : 1;
    }
    CHECK(worst <= 1e-12);
  }
}

/* Correlation of the uniforms of two streams. */
static double stream_battery(uint64_t seed, uint32_t replica, uint32_t purpose)
{
  rng_stream a, b;
  double sum = 0;
  rng_init(&a, 77, 0, 0);
  rng_init(&b, seed, replica, purpose);
  for (int i = 0; i < N_COUNTS; i++) {
    sum += (rng_double(&a) - 0.5) * (rng_double(&b) - 0.5);
  }
  return z_test(sum, N_COUNTS, 0, 1.0 / 144);
}

static void test_integers_and_streams(void)
{
  static const uint64_t ns[] = {2, 3, 7, 100, 255, 1000003, UINT64_C(3) << 62, UINT64_MAX};
  for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++) {
    CHECK(below_battery(0, ns[i], (uint32_t)i) > ALARM);
  }
  CHECK(below_battery(1, UINT64_C(3) << 62, 99) < ALARM);
  rng_stream stream;
  rng_init(&stream, 5, 0, 0);
  CHECK(rng_below(&stream, 0) == 0 && rng_below(&stream, 1) == 0);

  for (uint32_t i = 1; i <= 10; i++) {
    CHECK(stream_battery(77, i, 0) > ALARM);
    CHECK(stream_battery(77, 0, i) > ALARM);
    CHECK(stream_battery(77 + i, 0, 0) > ALARM);
  }
  CHECK(stream_battery(77, 0, 0) < ALARM);
}

/* The judges themselves: exact values of Q(a, x), and a chi-square whose answer is known. */
static void test_judges(void)
{
  CHECK_REL(gamma_q(0.5, 2), erfc(sqrt(2)), 1e-12);
  CHECK_REL(gamma_q(1, 20), exp(-20), 1e-12);
  CHECK_REL(gamma_q(3, 1), 2.5 * exp(-1), 1e-12);
  CHECK(gamma_q(500, 500) > 0.48 && gamma_q(500, 500) < 0.52);
  const int64_t seen[2] = {5100, 4900};
  const double share[2] = {0.5, 0.5};
  CHECK_REL(chi_square(seen, share, 2, 10000), erfc(2 / sqrt(2)), 1e-10);
}

int main(void)
{
  test_judges();
  test_continuous();
  test_range();
  test_gamma();
  test_counts();
  test_count_arguments();
  test_integers_and_streams();
  test_alias();
  return check_done();
}
