/* The dominant eigenvalue of matrices with a sign pattern: against closed forms, against inverse iteration in long
 * double, against LAPACK, and against itself under similarity and transposition; what cannot be solved says so. */
#include "check.h"
#include "engine/markov/perron.h"

#include <float.h>
#include <lapacke.h>
#include <stdlib.h>

enum { MOST = 64 };

static uint64_t seed = 20240607;

static double uniform(void) /* splitmix64 */
{
  uint64_t z = (seed += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

typedef struct matrix { /* dense, and the chain of its off-diagonal part */
  int32_t n;
  double a[MOST * MOST];
  chain q;
  double diagonal[MOST];
} matrix;

static void matrix_close(matrix *self) /* fills chain and diagonal from a */
{
  CHECK(chain_create(self->n, (int64_t)self->n * self->n, false, &self->q) == NESS_OK);
  int64_t end = 0;
  for (int32_t i = 0; i < self->n; i++) {
    self->diagonal[i] = self->a[i * self->n + i];
    for (int32_t j = 0; j < self->n; j++) {
      if (j == i || self->a[i * self->n + j] == 0) continue;
      self->q.to[end] = j;
      self->q.rate[end++] = self->a[i * self->n + j];
    }
    self->q.start[i + 1] = end;
  }
}

/* --- the fuel cycle, and the current as the slope of its eigenvalue --- */

static void fuel_cycle(double s, matrix *out)
{
  const double e = exp(s);
  *out = (matrix){.n = 2, .a = {-1.005, 1 + 0.005 / e, 100 + 50 * e, -150}};
  matrix_close(out);
}

static double fuel_value(double s, double *right, double *left, perron *found)
{
  matrix m;
  fuel_cycle(s, &m);
  CHECK(perron_find(&m.q, m.diagonal, 0, right, left, found) == NESS_OK);
  chain_free(&m.q);
  return found->value;
}

static void check_fuel_cycle(void)
{
  const double affinity = log(100);
  double worst = 0, guess[2] = {0};
  int32_t steps = 0, first = 0;
  for (int k = -400; k <= 400; k++) {
    const double s = k / 50.0;
    const long double total = 151.005L, up = expm1l(s), down = expm1l(-s);
    const long double gain = 50 * up * 1.005L + 0.005L * down * 150 + 50 * up * 0.005L * down; /* g(s) - g(0) */
    const long double exact = 2 * gain / (total + sqrtl(total * total + 4 * gain));
    double cold[2] = {0};
    perron found, mirror, warm;
    const double value = fuel_value(s, cold, NULL, &found);
    worst = fmax(worst, (double)(fabsl(value - exact) / fmaxl(1, fabsl(exact))));
    CHECK(found.low <= value && value <= found.high);
    CHECK(found.high - found.low <= 4 * 0x1p-52 * fabs(value) + 1e-26);
    first += found.steps;
    memset(cold, 0, sizeof cold);
    CHECK_NEAR(value, fuel_value(-affinity - s, cold, NULL, &mirror), 1e-13);
    CHECK_NEAR(value, fuel_value(s, guess, NULL, &warm), 1e-15);
    steps += warm.steps;
  }
  CHECK(worst < 1e-13);
  CHECK(4 * steps < 3 * first); /* the guess of the point before helps */
  printf("fuel cycle: worst error %.2g, %d factorisations from a guess, %d without\n", worst, (int)steps, (int)first);
}

static void check_slope(void)
{
  double right[2] = {0}, left[2];
  perron found;
  fuel_value(0, right, left, &found);
  CHECK_NEAR(found.value, 0, 1e-14); /* 1.005 is not the sum of its parts as doubles */
  CHECK_REL(left[0] * right[0] + left[1] * right[1], 1, 1e-15);
  CHECK_REL(right[0], right[1], 1e-14);
  CHECK_NEAR(left[1] * 50 * right[0] - left[0] * 0.005 * right[1], 0.327803715109, 1e-12);
}

/* --- random matrices --- */

/* A ring through all states, so that they are irreducible, and others at random; sizes over `decades`. */
static void matrix_random(int32_t n, double share, double decades, bool tilted, matrix *out)
{
  *out = (matrix){.n = n};
  for (int32_t i = 0; i < n; i++) {
    double sum = 0;
    for (int32_t j = 0; j < n; j++) {
      if (j == i || (j != (i + 1) % n && uniform() > share)) continue;
      const double rate = pow(10, decades * (uniform() - 0.5));
      sum += rate;
      out->a[i * n + j] = tilted ? rate * exp(4 * (uniform() - 0.5)) : rate;
    }
    out->a[i * n + i] = tilted ? -sum * (1 + (uniform() < 0.3 ? 0.1 * uniform() : 0)) : 10 * (uniform() - 0.5);
  }
  matrix_close(out);
}

static void swap_rows(long double *b, int32_t n, int32_t i, int32_t j)
{
  for (int32_t k = 0; k <= n; k++) {
    const long double kept = b[i * (n + 1) + k];
    b[i * (n + 1) + k] = b[j * (n + 1) + k];
    b[j * (n + 1) + k] = kept;
  }
}

/* x <- (shift - A)^-1 x by elimination with pivoting. */
static void inverse_step(const matrix *m, long double shift, long double *x)
{
  static long double b[MOST * (MOST + 1)];
  const int32_t n = m->n, wide = n + 1;
  for (int32_t i = 0; i < n; i++) {
    for (int32_t j = 0; j < n; j++) b[i * wide + j] = (i == j ? shift : 0) - m->a[i * n + j];
    b[i * wide + n] = x[i];
  }
  for (int32_t k = 0; k < n; k++) {
    int32_t pivot = k;
    for (int32_t i = k + 1; i < n; i++) pivot = fabsl(b[i * wide + k]) > fabsl(b[pivot * wide + k]) ? i : pivot;
    swap_rows(b, n, k, pivot);
    for (int32_t i = k + 1; i < n; i++) {
      const long double factor = b[i * wide + k] / b[k * wide + k];
      for (int32_t j = k; j <= n; j++) b[i * wide + j] -= factor * b[k * wide + j];
    }
  }
  for (int32_t i = n; i-- > 0;) {
    for (int32_t j = i + 1; j < n; j++) b[i * wide + n] -= b[i * wide + j] * x[j];
    x[i] = b[i * wide + n] / b[i * wide + i];
  }
}

/* The value in long double and an error it surely keeps: quotients at the end, with 2^-64 n of the row's size. */
static long double long_value(const matrix *m, long double *error)
{
  const int32_t n = m->n;
  long double x[MOST], low = -INFINITY, high = INFINITY, slack = 0;
  for (int32_t i = 0; i < n; i++) x[i] = 1;
  for (int step = 0; step < 60; step++) {
    long double least = INFINITY, most = -INFINITY;
    slack = 0;
    for (int32_t i = 0; i < n; i++) {
      long double sum = 0, size = 0;
      for (int32_t j = 0; j < n; j++) {
        sum += m->a[i * n + j] * x[j];
        size += fabsl(m->a[i * n + j] * x[j]);
      }
      slack = fmaxl(slack, 0x1p-63L * (n + 2) * size / x[i]);
      least = fminl(least, sum / x[i]);
      most = fmaxl(most, sum / x[i]);
    }
    low = fmaxl(low, least - slack);
    high = fminl(high, most + slack);
    if (most - least <= slack) break;
    inverse_step(m, most + slack + 1e-12L * (most - least), x);
    for (int32_t i = 0; i < n; i++) x[i] = fabsl(x[i]);
    for (int32_t i = n; i-- > 0;) x[i] /= x[0];
  }
  *error = (high - low) / 2;
  return low + (high - low) / 2;
}

static void check_vectors(const matrix *m, const perron *found, const double *right, const double *left, double scale)
{
  long double product = 0;
  for (int32_t i = 0; i < m->n; i++) {
    long double row = 0, column = 0;
    for (int32_t j = 0; j < m->n; j++) {
      row += m->a[i * m->n + j] * (long double)right[j];
      column += m->a[j * m->n + i] * (long double)left[j];
    }
    CHECK(right[i] > 0 && left[i] > 0);
    CHECK(fabsl(row / right[i] - found->value) <= 1e-14 * scale);
    CHECK(fabsl(column / left[i] - found->value) <= 1e-12 * scale);
    product += (long double)left[i] * right[i];
  }
  CHECK(fabsl(product - 1) < 1e-14);
}

static void check_random(int cases, double decades, bool tilted)
{
  double widest = 0;
  int32_t most = 0, outside = 0;
  for (int k = 0; k < cases; k++) {
    static matrix m;
    matrix_random(1 + (int32_t)(16 * uniform()), uniform(), decades, tilted, &m);
    double right[MOST] = {0}, left[MOST], scale = 0;
    perron found;
    const ness_status status = perron_find(&m.q, m.diagonal, 0, right, left, &found);
    CHECK(status == NESS_OK);
    long double error;
    const long double value = long_value(&m, &error);
    for (int32_t i = 0; i < m.n; i++) scale = fmax(scale, fmax(fabs(m.diagonal[i]), fabs(found.value)));
    CHECK(error <= 1e-16L * scale); /* the reference is worth something */
    outside += !(found.low <= value + error && value - error <= found.high);
    widest = fmax(widest, (found.high - found.low) / (scale + DBL_MIN));
    most = found.steps > most ? found.steps : most;
    check_vectors(&m, &found, right, left, scale);
    chain_free(&m.q);
  }
  CHECK(outside == 0);
  CHECK(widest <= 1e-15);
  printf("random, %g decades: widest %.2g of the scale, most steps %d\n", decades, widest, (int)most);
}

static void check_lapack(void)
{
  for (int k = 0; k < 20; k++) {
    static matrix m;
    matrix_random(40 + k, 0.2, 3, k % 2, &m);
    double a[MOST * MOST], re[MOST], im[MOST], right[MOST] = {0}, left[MOST], largest = -INFINITY, scale = 0;
    memcpy(a, m.a, sizeof a);
    CHECK(LAPACKE_dgeev(LAPACK_ROW_MAJOR, 'N', 'N', m.n, a, m.n, re, im, NULL, m.n, NULL, m.n) == 0);
    for (int32_t i = 0; i < m.n; i++) largest = fmax(largest, re[i]);
    for (int32_t i = 0; i < m.n; i++) scale = fmax(scale, fmax(fabs(re[i]), fabs(im[i])));
    perron found;
    CHECK(perron_find(&m.q, m.diagonal, 0, right, left, &found) == NESS_OK);
    CHECK(fabs(found.value - largest) <= 1e-12 * scale);
    CHECK(found.high - found.low <= 4 * 0x1p-52 * fabs(found.value));
    chain_free(&m.q);
  }
}

/* --- sizes far apart --- */

/* diag(d) A diag(d)^-1 with powers of two has the same eigenvalue, and vectors over up to 1e400. */
static void check_similar(void)
{
  for (int k = 0; k < 40; k++) {
    static matrix m, far;
    const int32_t n = 24;
    matrix_random(n, 0, 2, true, &m);
    for (int32_t i = 0; i + 1 < n; i++) m.a[(i + 1) * n + i] = uniform(); /* a line there and back besides the ring */
    m.a[(n - 1) * n] = 0;
    chain_free(&m.q);
    matrix_close(&m);
    far = m;
    for (int32_t i = 0; i < n; i++) {
      for (int32_t j = 0; j < n; j++) far.a[i * n + j] = ldexp(m.a[i * n + j], (k + 20) * (i - j));
    }
    matrix_close(&far);
    double right[MOST] = {0}, left[MOST], wide[MOST] = {0}, across[MOST];
    perron near_one, far_one;
    CHECK(perron_find(&m.q, m.diagonal, 0, right, left, &near_one) == NESS_OK);
    CHECK(perron_find(&far.q, far.diagonal, 0, wide, across, &far_one) == NESS_OK);
    CHECK(far_one.low <= near_one.high && near_one.low <= far_one.high);
    CHECK_REL(far_one.value, near_one.value, 4 * 0x1p-52);
    for (int32_t i = 0; i < n; i++) {
      CHECK_REL(wide[i] / wide[n / 2], ldexp(right[i] / right[n / 2], (k + 20) * (i - n / 2)), 1e-13);
      CHECK_REL(wide[i] * across[i], right[i] * left[i], 1e-12);
    }
    chain_free(&m.q);
    chain_free(&far.q);
  }
}

/* Two states and a leak so slow that the diagonal swamps it: the small root keeps all its digits. */
static void check_slow(void)
{
  for (int k = 1; k <= 50; k++) {
    const double leak = ldexp(1, -k), down = 3, up = 1;
    matrix m = {.n = 2, .a = {-up, up, down, -(down + leak)}};
    matrix_close(&m);
    const long double sum = (long double)up + down + leak;
    const long double exact = -2 * (long double)up * leak / (sum + sqrtl(sum * sum - 4 * up * (long double)leak));
    double right[2] = {0}, left[2];
    perron found;
    CHECK(perron_find(&m.q, m.diagonal, 0, right, left, &found) == NESS_OK);
    CHECK(found.low <= exact && exact <= found.high);
    CHECK(fabsl(found.value - exact) <= 2 * 0x1p-52 * fabsl(exact) + 1e-29);
    chain_free(&m.q);
  }
}

/* Two rings of wells joined so weakly that the second eigenvalue lies 1e-12 of the scale below the first. */
static void check_metastable(void)
{
  matrix m = {.n = 12};
  for (int32_t i = 0; i < 12; i++) {
    const int32_t next = i / 6 * 6 + (i + 1) % 6, last = i / 6 * 6 + (i + 5) % 6;
    m.a[i * 12 + next] = 1 + (i < 6 ? 0 : 0.25);
    m.a[i * 12 + last] = 0.5;
    m.a[i * 12 + i] = i < 6 ? -1.5 : -1.75 - 0x1p-40;
  }
  m.a[0 * 12 + 6] = m.a[6 * 12 + 0] = 0x1p-42;
  matrix_close(&m);
  double right[12] = {0}, left[12];
  perron found;
  CHECK(perron_find(&m.q, m.diagonal, 0, right, left, &found) == NESS_OK);
  /* To second order in the coupling, which is 1e-12 of the rest: the 2 x 2 matrix of the wells. */
  const double c = 0x1p-42 / 6, gap = 0x1p-40, value = 2 * c * c / (gap + sqrt(gap * gap + 4 * c * c));
  CHECK_REL(found.value, value, 1e-9);
  CHECK(found.high - found.low <= 4 * 0x1p-52 * value + 1e-27);
  printf("metastable: %.17g within %.2g, %d steps\n", found.value, found.high - found.low, (int)found.steps);
  chain_free(&m.q);
}

/* --- small, odd and wrong --- */

static void check_small(void)
{
  double diagonal[2] = {-3, -3}, right[2] = {0}, left[2] = {0};
  perron found;
  chain one;
  CHECK(chain_create(1, 2, false, &one) == NESS_OK);
  one.start[1] = 2;
  one.to[0] = one.to[1] = 0;
  one.rate[0] = 1;
  one.rate[1] = 0.5;
  CHECK(perron_find(&one, diagonal, 0, right, left, &found) == NESS_OK);
  CHECK(found.value == -1.5 && found.low <= -1.5 && found.high >= -1.5);
  CHECK_REL(left[0] * right[0], 1, 1e-15);
  chain_free(&one);

  chain two; /* parallel ways and a loop: [[-2, 4], [1, -3]] */
  CHECK(chain_create(2, 4, false, &two) == NESS_OK);
  memcpy(two.start, (int64_t[]){0, 3, 4}, 3 * sizeof *two.start);
  memcpy(two.to, (int32_t[]){1, 0, 1, 0}, 4 * sizeof *two.to);
  memcpy(two.rate, (double[]){1.5, 1, 2.5, 1}, 4 * sizeof *two.rate);
  right[0] = right[1] = 0;
  CHECK(perron_find(&two, diagonal, 0, right, left, &found) == NESS_OK);
  CHECK_REL(found.value, (-5 + sqrt(17)) / 2, 1e-15);
  right[0] = -1; /* no guess */
  right[1] = NAN;
  CHECK(perron_find(&two, diagonal, 1e-3, right, left, &found) == NESS_OK);
  CHECK_NEAR(found.value, (-5 + sqrt(17)) / 2, 3e-3);
  CHECK(found.low <= (-5 + sqrt(17)) / 2 && (-5 + sqrt(17)) / 2 <= found.high);
  two.to[3] = 1; /* state 1 leads nowhere */
  right[0] = right[1] = 0;
  CHECK(perron_find(&two, diagonal, 0, right, left, &found) == NESS_NUMERIC);
  CHECK(found.value == 0 && found.steps == 0);
  two.to[3] = 0;
  two.rate[3] = INFINITY;
  CHECK(perron_find(&two, diagonal, 0, right, left, &found) == NESS_NUMERIC);
  two.rate[3] = 0;
  CHECK(perron_find(&two, diagonal, 0, right, left, &found) == NESS_NUMERIC);
  two.rate[3] = 1;
  diagonal[0] = NAN;
  CHECK(perron_find(&two, diagonal, 0, right, left, &found) == NESS_NUMERIC);
  chain_free(&two);
}

static void check_failure(void)
{
  static matrix m;
  matrix_random(10, 0.5, 2, true, &m);
  perron found;
  double right[MOST], left[MOST];
  int64_t failed = 0;
  ness_status status = NESS_NOMEM;
  for (int64_t n = 0; n < 10000 && status == NESS_NOMEM; n++) {
    memset(right, 0, sizeof right);
    mem_fail_after(n);
    status = perron_find(&m.q, m.diagonal, 0, right, left, &found);
    mem_fail_after(-1);
    failed += status == NESS_NOMEM;
  }
  CHECK(status == NESS_OK && failed > 20);
  memset(right, 0, sizeof right);
  ness_interrupt();
  CHECK(perron_find(&m.q, m.diagonal, 0, right, left, &found) == NESS_INTERRUPTED);
  ness_interrupt_clear();
  chain_free(&m.q);
}

int main(void)
{
  check_fuel_cycle();
  check_slope();
  check_random(300, 2, false);
  check_random(300, 3, true);
  check_random(200, 8, true);
  check_lapack();
  check_similar();
  check_slow();
  check_metastable();
  check_small();
  check_failure();
  return check_done();
}
