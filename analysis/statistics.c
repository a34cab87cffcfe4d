/* Tails and quantiles in double precision, written here so that results depend on no library's version.
 * Method: incomplete gamma by series and Lentz's continued fraction, incomplete beta by its continued fraction (Press
 * et al., Numerical Recipes, 3rd ed., 6.2 and 6.4); noncentral laws as Poisson mixtures of central ones, summed from
 * the heaviest weight outwards (Benton, Krishnamoorthy 2003); quantiles by bisection on monotone tails. Accuracy: about
 * 1e-13 relative in the bulk, 1e-10 in tails of 1e-100. Cost: microseconds; noncentral ones up to a millisecond. */
#include "analysis/statistics.h"

#include <math.h>
#include <stdlib.h>

#define STAT_STEPS 100000
#define STAT_TINY 1e-300
#define STAT_EPS 1e-16

#define STAT_STIRLING 8
static const double bernoulli[STAT_STIRLING] = {1.0 / 12,   -1.0 / 360,      1.0 / 1260, -1.0 / 1680,
                                                1.0 / 1188, -691.0 / 360360, 1.0 / 156,  -3617.0 / 122400};

double stat_lgamma(double x)
{
  double shift = 0;
  for (; x < 16; x += 1) shift += log(x);
  double series = 0, power = 1 / x;
  for (int i = 0; i < STAT_STIRLING; i++, power /= x * x) series += bernoulli[i] * power;
  return (x - 0.5) * log(x) - x + 0.91893853320467274178 + series - shift; /* ln sqrt(2 pi) */
}

double stat_digamma(double x)
{
  double shift = 0;
  for (; x < 16; x += 1) shift += 1 / x;
  double series = 0, power = 1 / (x * x);
  for (int i = 0; i < STAT_STIRLING; i++, power /= x * x) series += (2 * i + 1) * bernoulli[i] * power;
  return log(x) - 0.5 / x - series - shift;
}

double stat_trigamma(double x)
{
  double shift = 0;
  for (; x < 16; x += 1) shift += 1 / (x * x);
  double series = 0, power = 1 / (x * x * x);
  for (int i = 0; i < STAT_STIRLING; i++, power /= x * x) series += (2 * i + 1) * (2 * i + 2) * bernoulli[i] * power;
  return 1 / x + 0.5 / (x * x) + series + shift;
}

/* Differences of Stirling's series at x + i t and x, with ln(x + i t) = ln x + r + i angle. */
void stat_lgamma_ratio(double x, double t, double *re, double *im)
{
  *re = *im = 0;
  for (; x < 16; x += 1) {
    *re -= 0.5 * log1p(t / x * (t / x));
    *im -= atan2(t, x);
  }
  const double r = 0.5 * log1p(t / x * (t / x)), angle = atan2(t, x);
  *re += (x - 0.5) * r - t * angle;
  *im += (x - 0.5) * angle + t * (log(x) + r) - t;
  double power = 1 / x, size = exp(-r) / x, turn = -angle;
  for (int i = 0; i < STAT_STIRLING; i++, power /= x * x, size *= exp(-2 * r) / (x * x), turn -= 2 * angle) {
    *re += bernoulli[i] * (size * cos(turn) - power);
    *im += bernoulli[i] * size * sin(turn);
  }
}

double stat_gamma_tail(double a, double x)
{
  if (!(x > 0)) return 1;
  if (!isfinite(x)) return 0;
  const double scale = exp(a * log(x) - x - stat_lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (int i = 1; i < STAT_STEPS && fabs(term) > STAT_EPS * sum; i++) sum += term *= x / (a + i);
    return 1 - scale * sum;
  }
  double b = x + 1 - a, c = 1 / STAT_TINY, d = 1 / b, h = d;
  for (int i = 1; i < STAT_STEPS; i++) {
    const double an = -i * (i - a);
    b += 2;
    d = an * d + b;
    c = b + an / c;
    d = 1 / (fabs(d) < STAT_TINY ? STAT_TINY : d);
    c = fabs(c) < STAT_TINY ? STAT_TINY : c;
    h *= d * c;
    if (fabs(d * c - 1) < STAT_EPS * 8) break;
  }
  return scale * h;
}

static double beta_fraction(double x, double a, double b)
{
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (fabs(d) < STAT_TINY ? STAT_TINY : d);
  double h = d;
  for (int m = 1; m < STAT_STEPS; m++) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double factor = 1;
    for (int half = 0; half < 2; half++) {
      const double an = half ? odd : even;
      d = 1 + an * d;
      c = 1 + an / c;
      d = 1 / (fabs(d) < STAT_TINY ? STAT_TINY : d);
      c = fabs(c) < STAT_TINY ? STAT_TINY : c;
      factor = d * c;
      h *= factor;
    }
    if (fabs(factor - 1) < STAT_EPS * 8) break;
  }
  return h;
}

/* I_x(a, b) with y = 1 - x given apart, so that neither end loses digits. */
static double beta_both(double x, double y, double a, double b)
{
  if (!(x > 0)) return 0;
  if (!(y > 0)) return 1;
  const double scale = exp(stat_lgamma(a + b) - stat_lgamma(a) - stat_lgamma(b) + a * log(x) + b * log(y));
  return x < (a + 1) / (a + b + 2) ? scale * beta_fraction(x, a, b) / a : 1 - scale * beta_fraction(y, b, a) / b;
}

double stat_beta(double x, double a, double b)
{
  return beta_both(x, 1 - x, a, b);
}

double stat_normal_tail(double z)
{
  return 0.5 * erfc(z * 0.70710678118654752440);
}

double stat_normal_quantile(double p)
{
  if (!(p > 0)) return -INFINITY;
  if (!(p < 1)) return INFINITY;
  const bool lower = p < 0.5;
  const double tail = lower ? p : 1 - p, t = sqrt(-2 * log(tail));
  double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (int i = 0; i < 4; i++) { /* Halley on the tail; the start is right to 4.5e-4 (Abramowitz, Stegun 26.2.23) */
    const double u = (stat_normal_tail(z) - tail) * 2.50662827463100050242 * exp(z * z / 2);
    z += u / (1 + z * u / 2);
  }
  return lower ? -z : z;
}

double stat_student_tail(double t, double dof)
{
  if (!isfinite(dof)) return stat_normal_tail(t);
  const double x = dof / (dof + t * t), y = t * t / (dof + t * t);
  const double half = 0.5 * beta_both(x, y, dof / 2, 0.5);
  return t > 0 ? half : 1 - half;
}

double stat_student_quantile(double p, double dof)
{
  if (!(p > 0)) return -INFINITY;
  if (!(p < 1)) return INFINITY;
  if (p < 0.5) return -stat_student_quantile(1 - p, dof);
  double low = 0, high = 1;
  while (stat_student_tail(high, dof) > 1 - p && high < 1e300) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
    const double middle = 0.5 * (low + high);
    *(stat_student_tail(middle, dof) > 1 - p ? &low : &high) = middle;
  }
  return 0.5 * (low + high);
}

/* Tail of the F law whose numerator has `extra` more pairs of degrees of freedom, at the same sum of squares. */
static double f_central(double f, double d1, double d2, double extra)
{
  const double square = d1 * f;
  if (!isfinite(d2)) return stat_gamma_tail(d1 / 2 + extra, square / 2);
  return beta_both(d2 / (d2 + square), square / (d2 + square), d2 / 2, d1 / 2 + extra);
}

double stat_f_tail(double f, double d1, double d2, double lambda)
{
  if (!(f > 0)) return 1;
  if (!(lambda > 0)) return f_central(f, d1, d2, 0);
  const double half = lambda / 2, mode = floor(half);
  const double top = exp(mode * log(half) - half - stat_lgamma(mode + 1));
  double sum = 0, weights = 0, weight = top;
  for (double k = mode; weight > 1e-17 * top && k < mode + STAT_STEPS; k += 1) {
    sum += weight * f_central(f, d1, d2, k);
    weights += weight;
    weight *= half / (k + 1);
  }
  weight = top;
  for (double k = mode; k > 0 && weight > 1e-17 * top;) {
    weight *= k / half;
    k -= 1;
    sum += weight * f_central(f, d1, d2, k);
    weights += weight;
  }
  return sum / weights;
}

double stat_f_critical(double alpha, double d1, double d2)
{
  double low = 0, high = 1;
  while (f_central(high, d1, d2, 0) > alpha && high < 1e300) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-14 * high; i++) {
    const double middle = 0.5 * (low + high);
    *(f_central(middle, d1, d2, 0) > alpha ? &low : &high) = middle;
  }
  return 0.5 * (low + high);
}

/* lambda at which the tail beyond f is `tail`: the tail grows with lambda. */
static double f_lambda(double f, double tail, double d1, double d2)
{
  if (stat_f_tail(f, d1, d2, 0) >= tail) return 0;
  double low = 0, high = 1;
  while (stat_f_tail(f, d1, d2, high) < tail && high < 1e8) high *= 2;
  for (int i = 0; i < 60 && high - low > 1e-8 * high; i++) {
    const double middle = 0.5 * (low + high);
    *(stat_f_tail(f, d1, d2, middle) < tail ? &low : &high) = middle;
  }
  return 0.5 * (low + high);
}

double stat_f_noncentrality(double alpha, double power, double d1, double d2)
{
  return f_lambda(stat_f_critical(alpha, d1, d2), power, d1, d2);
}

double stat_f_lambda(double f, double below, double d1, double d2)
{
  return f_lambda(f, 1 - below, d1, d2);
}

/* An end of stat_f_range: the least lambda whose values are missed no more on that side. Values too low for lambda are
 * missed with a share that grows from 0 at lambda 0, those too high with what is left. */
static double range_end(double f, double missed, double d1, double d2, bool high)
{
  double low = 0, top = 0, step = 1;
  for (int i = 0; i < 120; i++) {
    const double lambda = step > 0 ? top : 0.5 * (low + top), tail = stat_f_tail(f, d1, d2, lambda);
    const double few = 0.5 * missed * (1 - exp(-lambda / sqrt(2 * d1)));
    const bool beyond = high ? 1 - tail <= few : tail >= missed - few;
    if (beyond && lambda == 0) return 0;
    if (step > 0 && (beyond || top > 1e8)) step = 0;
    else if (step > 0) low = top, top += step, step *= 2;
    else *(beyond ? &top : &low) = lambda;
    if (step == 0 && top - low <= 1e-8 * top) break;
  }
  return 0.5 * (low + top);
}

void stat_f_range(double f, double level, double d1, double d2, double *low, double *high)
{
  *low = range_end(f, 1 - level, d1, d2, false);
  *high = range_end(f, 1 - level, d1, d2, true);
}

/* ln(p/(1-p)) at which so much of the belief about p lies below, of a Beta law. */
static double coin_quantile(double a, double b, double below)
{
  const double middle = log(a / b), wide = 40 * sqrt(1 / a + 1 / b);
  double low = middle - wide, high = middle + wide;
  for (int i = 0; i < 60; i++) {
    const double x = 0.5 * (low + high), p = 1 / (1 + exp(-x));
    *(stat_beta(p, a, b) < below ? &low : &high) = x;
  }
  return 0.5 * (low + high);
}

void stat_coin_range(double heads, double tails, double level, double *low, double *high)
{
  const double tail = 0.5 * (1 - level);
  *low = heads > 0 ? coin_quantile(heads + 0.5, tails + 0.5, tail) : (double)-INFINITY;
  *high = tails > 0 ? coin_quantile(heads + 0.5, tails + 0.5, 1 - tail) : (double)INFINITY;
}

/* --- order --- */

static int number_compare(const void *x, const void *y)
{
  const double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

/* Hoare's selection about the middle of three; what that does not divide well is sorted. */
void stat_select(double *x, int64_t n, int64_t rank)
{
  int64_t low = 0, high = n - 1;
  for (int round = 0; high - low > 16 && round < 64; round++) {
    const double a = x[low], b = x[low + (high - low) / 2], c = x[high];
    const double middle = fmax(fmin(a, b), fmin(fmax(a, b), c));
    int64_t i = low, j = high;
    while (i <= j) {
      while (x[i] < middle) i++;
      while (x[j] > middle) j--;
      if (i > j) break;
      const double keep = x[i];
      x[i++] = x[j];
      x[j--] = keep;
    }
    if (rank > j && rank < i) return;
    if (rank <= j) high = j;
    else low = i;
  }
  qsort(x + low, (size_t)(high - low + 1), sizeof *x, number_compare);
}

/* --- small dense algebra --- */

int32_t stat_cholesky(double *matrix, int32_t n, bool *keep)
{
  int32_t rank = 0;
  for (int64_t i = 0; i < n; i++) {
    double *const row = matrix + i * n;
    const double size = row[i];
    for (int64_t j = 0; j < i; j++) {
      const double *const other = matrix + j * n;
      double sum = row[j];
      for (int64_t k = 0; k < j; k++) sum -= row[k] * other[k];
      row[j] = keep[j] ? sum / other[j] : 0;
      row[i] -= row[j] * row[j];
    }
    keep[i] = row[i] > 1e-10 * size;
    row[i] = keep[i] ? sqrt(row[i]) : 0;
    rank += keep[i];
  }
  return rank;
}

void stat_solve_lower(const double *factor, int32_t n, const bool *keep, double *x)
{
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) x[i] -= factor[i * n + j] * x[j];
    x[i] = keep[i] ? x[i] / factor[i * n + i] : 0;
  }
}

void stat_solve_upper(const double *factor, int32_t n, const bool *keep, double *x)
{
  for (int64_t i = n - 1; i >= 0; i--) {
    for (int64_t j = i + 1; j < n; j++) x[i] -= keep[j] ? factor[j * n + i] * x[j] : 0;
    x[i] = keep[i] ? x[i] / factor[i * n + i] : 0;
  }
}
