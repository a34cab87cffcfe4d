/* Laws of analysis/statistics.h against published and independently computed values, and against each other. */
#include "analysis/statistics.h"
#include "check.h"

#include <stdlib.h>

static void normal(void)
{
  CHECK_REL(stat_normal_tail(1.959963984540054), 0.025, 1e-14);
  CHECK_REL(stat_normal_tail(10), 7.61985302416052609e-24, 1e-12);
  CHECK_REL(stat_normal_quantile(0.975), 1.95996398454005423552, 1e-14);
  CHECK_REL(stat_normal_quantile(1e-10), -6.36134090240406056, 1e-12);
  CHECK(stat_normal_quantile(0.5) < 1e-15 && stat_normal_quantile(0.5) > -1e-15);
  CHECK(stat_normal_quantile(0) == -INFINITY && stat_normal_quantile(1) == INFINITY);
}

static void student(void)
{
  /* Tables of the t law: 0.975 quantiles. */
  const double dof[] = {1, 2, 5, 10, 30, 63};
  const double t[] = {12.7062047361747, 4.30265272974946, 2.57058183563631,
                      2.22813885198627, 2.04227245630124, 1.99834054252074};
  for (int i = 0; i < 6; i++) {
    CHECK_REL(stat_student_quantile(0.975, dof[i]), t[i], 1e-12);
    CHECK_REL(stat_student_tail(t[i], dof[i]), 0.025, 1e-12);
    CHECK_REL(stat_student_quantile(0.025, dof[i]), -t[i], 1e-12);
  }
  CHECK_REL(stat_student_tail(1, 1), 0.25, 1e-14); /* Cauchy */
  CHECK_REL(stat_student_tail(-1, 1), 0.75, 1e-14);
  CHECK_REL(stat_student_tail(1.5, INFINITY), stat_normal_tail(1.5), 1e-15);
}

static void chi_square(void)
{
  CHECK_REL(stat_f_critical(0.05, 1, INFINITY), 3.84145882069412, 1e-12);
  CHECK_REL(10 * stat_f_critical(0.05, 10, INFINITY), 18.3070380532751, 1e-12);
  CHECK_REL(stat_gamma_tail(1, 3), exp(-3), 1e-14);
  CHECK_REL(stat_gamma_tail(0.5, 4.5), 2 * stat_normal_tail(3), 1e-13);
  CHECK_REL(stat_gamma_tail(50, 30), 0.9994811085374521, 1e-13);
  CHECK(stat_gamma_tail(3, 0) == 1 && stat_gamma_tail(3, INFINITY) == 0);
}

static void f_law(void)
{
  CHECK_REL(stat_f_critical(0.05, 3, 20), 3.09839121214078, 1e-12);
  CHECK_REL(stat_f_critical(0.01, 5, 10), 5.63632618766910, 1e-12);
  for (double t = 0.2; t < 5; t += 0.7) CHECK_REL(stat_f_tail(t * t, 1, 17, 0), 2 * stat_student_tail(t, 17), 1e-12);
  CHECK_REL(stat_beta(0.3, 2, 3), 0.3483, 1e-12); /* x^2 (6 - 8 x + 3 x^2) */
}

/* One degree of freedom: the noncentral chi-square is a shifted normal squared. */
static void noncentral(void)
{
  for (double lambda = 0.1; lambda < 3000; lambda *= 3.7) {
    for (double x = 0.05; x < 3000; x *= 4.1) {
      const double a = sqrt(x), m = sqrt(lambda);
      const double exact = stat_normal_tail(a - m) + stat_normal_tail(a + m);
      CHECK(fabs(stat_f_tail(x, 1, INFINITY, lambda) - exact) < 1e-11);
    }
  }
  /* The classic 1.96 + 0.84: power of a two-sided test. */
  CHECK_REL(stat_f_noncentrality(0.05, 0.8, 1, INFINITY), 7.84886, 1e-5);
  CHECK_REL(stat_f_noncentrality(0.05, 0.8, 3, INFINITY), 10.9026, 1e-4);
  const double lambda = stat_f_noncentrality(0.05, 0.8, 2, 30);
  CHECK_REL(stat_f_tail(stat_f_critical(0.05, 2, 30), 2, 30, lambda), 0.8, 1e-7);
  CHECK(lambda > stat_f_noncentrality(0.05, 0.8, 2, INFINITY));
  CHECK(stat_f_lambda(1.0, 0.975, 3, INFINITY) == 0); /* even lambda = 0 exceeds it more often than that */
  CHECK_REL(1 - stat_f_tail(4, 3, INFINITY, stat_f_lambda(4, 0.025, 3, INFINITY)), 0.025, 1e-6);
}

/* Intervals hold what they should: exactly, by the laws of the values that they are made from. */
static void ranges(void)
{
  for (double lambda = 0; lambda < 60;
       lambda = 2 * lambda + 0.3) { /* values f whose interval holds lambda are a stretch */
    double ends[2];
    for (int side = 0; side < 2; side++) {
      double low = 0, high = 300;
      for (int i = 0; i < 60; i++) {
        const double f = 0.5 * (low + high);
        double from, to;
        stat_f_range(f, 0.95, 3, INFINITY, &from, &to);
        *((side ? from > lambda : to > lambda || (lambda == 0 && to >= 0)) ? &high : &low) = f;
      }
      ends[side] = 0.5 * (low + high);
    }
    const double held = stat_f_tail(ends[0], 3, INFINITY, lambda) - stat_f_tail(ends[1], 3, INFINITY, lambda);
    CHECK_NEAR(held, 0.95, 1e-6);
  }
  /* a coin thrown sixty times, by the binomial law */
  double least = 1, mean = 0;
  int cases = 0;
  for (double affinity = -1.5; affinity <= 1.5; affinity += 0.25, cases++) {
    const double p = 1 / (1 + exp(-affinity));
    double held = 0;
    for (int heads = 0; heads <= 60; heads++) {
      double low, high;
      stat_coin_range(heads, 60 - heads, 0.95, &low, &high);
      const double log_weight = stat_lgamma(61) - stat_lgamma(heads + 1) - stat_lgamma(61 - heads) + heads * log(p) +
                                (60 - heads) * log(1 - p);
      if (low <= affinity && affinity <= high) held += exp(log_weight);
    }
    least = fmin(least, held);
    mean += held;
  }
  CHECK(least > 0.92 && fabs(mean / cases - 0.95) < 0.01); /* it goes up and down with p: counts are whole numbers */
  double low, high;
  stat_coin_range(9, 3, 0.95, &low, &high);
  CHECK_NEAR(stat_beta(1 / (1 + exp(-low)), 9.5, 3.5), 0.025, 1e-10);
  CHECK_NEAR(stat_beta(1 / (1 + exp(-high)), 9.5, 3.5), 0.975, 1e-10);
  stat_coin_range(0, 7, 0.95, &low, &high);
  CHECK(low == -(double)INFINITY && isfinite(high));
}

static void algebra(void)
{
  double a[9] = {4, 2, 6, 2, 5, 7, 6, 7, 13}; /* row 3 = row 1 + row 2: a Gram matrix of rank 2 */
  bool keep[3];
  CHECK(stat_cholesky(a, 3, keep) == 2);
  CHECK(keep[0] && keep[1] && !keep[2]);
  double b[4] = {4, 2, 2, 3}, x[2] = {1, 2};
  CHECK(stat_cholesky(b, 2, keep) == 2);
  stat_solve_lower(b, 2, keep, x);
  stat_solve_upper(b, 2, keep, x);
  CHECK_NEAR(x[0], -0.125, 1e-15);
  CHECK_NEAR(x[1], 0.75, 1e-15);
}

static int by_size(const void *x, const void *y)
{
  const double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

/* Selection against a sort: random numbers, many ties, sorted both ways, all equal, and a comb that divides badly. */
static void selection(void)
{
  static double x[3000], sorted[3000];
  uint64_t r = 1;
  for (int round = 0; round < 600; round++) {
    const int64_t n = 1 + round * 5, rank = (int64_t)((uint64_t)round * 7919 % (uint64_t)n);
    for (int64_t i = 0; i < n; i++) {
      r = r * UINT64_C(6364136223846793005) + 1442695040888963407;
      const double draw = (double)(r >> 40), place = (double)i;
      const double kinds[6] = {draw, (double)((r >> 40) % 5), place, -place, 1, i % 2 ? place : (double)(n - i)};
      x[i] = sorted[i] = kinds[round % 6];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    stat_select(x, n, rank);
    bool good = x[rank] == sorted[rank];
    for (int64_t i = 0; i < n; i++) good = good && (i < rank ? x[i] <= x[rank] : x[i] >= x[rank]);
    qsort(x, (size_t)n, sizeof *x, by_size);
    CHECK(good && memcmp(x, sorted, (size_t)n * sizeof *x) == 0);
  }
}

int main(void)
{
  CHECK_REL(stat_lgamma(0.5), 0.57236494292470008707, 1e-14);
  CHECK_REL(stat_lgamma(101), 363.73937555556349014, 1e-14);
  CHECK(fabs(stat_lgamma(1)) < 1e-14 && fabs(stat_lgamma(2)) < 1e-14);
  normal();
  student();
  chi_square();
  f_law();
  noncentral();
  ranges();
  algebra();
  selection();
  return check_done();
}
