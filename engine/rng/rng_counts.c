/* Poisson and binomial counts. Owns the choice of method. Invariant: both are exact in law to rounding at any size up
 * to RNG_COUNT_MAX, because point probabilities are formed without cancellation (Loader 2000, in rng_math.c) and
 * proposals are cut into cells of width 1 around a whole number, not around a large double.
 * Small means count the arrivals of a Poisson process, or the first of n exponential clocks (Devroye 1986, ch. X.3 and
 * X.4.3), with no absolute 2^-53 floor under the tails; large ones take Hörmann's transformed rejection: PTRS (1993,
 * Insur. Math. Econ. 12) and BTRS (1993, J. Stat. Comput. Simul. 46). Cost: 10 to 75 ns, or 45 to 110 ns. */
#include "rng_counts.h"

#include "rng.h"

#include <math.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define ARRIVALS_BELOW 12.0 /* where the two methods cost the same; both rejections hold from 10 on */
#define TWO_PI 0x1.921fb54442d18p+2

/* One proposal as a double (it may lie far outside the support) with 1/2 - |u| > 0 in `gap`. */
static double rng_hat_draw(rng_stream *self, const rng_hat *hat, double *gap)
{
  /* An odd multiple of 2^-54: symmetric about 0, never at the poles. */
  const int64_t odd = (int64_t)(rng_next(self) >> 10 | 1) - (INT64_C(1) << 53);
  const double u = (double)odd * 0x1p-54;
  *gap = 0.5 - fabs(u);
  return floor((2.0 * hat->a / *gap + hat->b) * u + hat->frac) + hat->whole;
}

static int64_t rng_poisson_arrivals(rng_stream *self, double mean)
{
  int64_t count = 0;
  for (double t = rng_exp(self); t <= mean; t += rng_exp(self)) {
    count++;
  }
  return count;
}

rng_hat rng_poisson_hat(double mean)
{
  /* The published constants let the hat be pierced by up to 0.58 % (means 10 to 1000, near gap = 0.06) and the squeeze
   * overshoot by 0.34 %; the lift is 0.7 % higher here and the squeeze 0.0102 lower, which holds (tests/rng_hats.c). */
  const double b = 0.931 + 2.53 * sqrt(mean), whole = floor(mean);
  return (rng_hat){
      .a = -0.059 + 0.02483 * b,
      .b = b,
      .whole = whole,
      .frac = (mean - whole) + 0.43,
      .lift = 1.007 * (1.1239 + 1.1328 / (b - 3.4)),
      .squeeze = 0.9175 - 3.6224 / (b - 2.0),
  };
}

static int64_t rng_poisson_rejection(rng_stream *self, double mean)
{
  const rng_hat hat = rng_poisson_hat(mean);
  for (;;) {
    double gap;
    const double k = rng_hat_draw(self, &hat, &gap);
    const double v = rng_double_open(self);
    if (gap >= 0.07 && v <= hat.squeeze) {
      return (int64_t)k;
    }
    if (k < 0 || k > 0x1p53) {
      continue;
    }
    /* v times the hat against the point probability, with sqrt(2 pi k) on the left. */
    const double height = v * hat.lift / (hat.a / (gap * gap) + hat.b);
    const double root = k > 0 ? sqrt(TWO_PI * k) : 1.0;
    if (rng_ln(height * root) <= -rng_stirling_error(k) - rng_deviance(k, mean)) {
      return (int64_t)k;
    }
  }
}

int64_t rng_poisson(rng_stream *self, double mean)
{
  if (!(mean >= 0 && mean <= (double)RNG_COUNT_MAX)) {
    return -1;
  }
  return mean < ARRIVALS_BELOW ? rng_poisson_arrivals(self, mean) : rng_poisson_rejection(self, mean);
}

/* How many of n clocks of rate 1 ring by time -ln(1 - p): the gaps between the first rings have rates n, n-1, ... */
static int64_t rng_binomial_clocks(rng_stream *self, int64_t n, double p)
{
  const double end = -rng_ln1p(-p);
  int64_t count = 0;
  for (double t = 0; count < n; count++) {
    t += rng_exp(self) / (double)(n - count);
    if (t > end) {
      break;
    }
  }
  return count;
}

/* What of ln binomial(k; n, p) depends on k, without -1/2 ln(k (n - k)) and with the wrong sign. */
static double rng_binomial_cost(double k, double n, double mean, double mean_rest)
{
  return (rng_stirling_error(k) + rng_stirling_error(n - k)) + (rng_deviance(k, mean) + rng_deviance(n - k, mean_rest));
}

/* For ln 0! = 0 in the form of Stirling, whose square root is then sqrt(2 pi x) = 1. */
static double rng_at_least(double k)
{
  return k > 0 ? k : 1.0 / TWO_PI;
}

rng_hat rng_binomial_hat(double n, double p)
{
  const double mean = n * p, deviation = sqrt(mean * (1.0 - p));
  const double b = 1.15 + 2.53 * deviation, whole = floor(mean);
  return (rng_hat){
      .a = -0.0873 + 0.0248 * b + 0.01 * p,
      .b = b,
      .whole = whole,
      .frac = (mean - whole) + 0.5,
      .lift = (2.83 + 5.1 / b) * deviation,
      .squeeze = 0.92 - 4.2 / b,
  };
}

static int64_t rng_binomial_rejection(rng_stream *self, double n, double p)
{
  const rng_hat hat = rng_binomial_hat(n, p);
  const double mean = n * p, mean_rest = n * (1.0 - p);
  for (;;) {
    double gap;
    const double k = rng_hat_draw(self, &hat, &gap);
    const double v = rng_double_open(self);
    if (gap >= 0.07 && v <= hat.squeeze) {
      return (int64_t)k;
    }
    if (k < 0 || k > n) {
      continue;
    }
    /* v times the hat against the point probability over that of the mode. */
    const double mode = floor((n + 1.0) * p);
    const double height = v * hat.lift / (hat.a / (gap * gap) + hat.b);
    const double root = sqrt(rng_at_least(k) / mode * (rng_at_least(n - k) / (n - mode)));
    const double at_mode = rng_binomial_cost(mode, n, mean, mean_rest);
    if (rng_ln(height * root) <= at_mode - rng_binomial_cost(k, n, mean, mean_rest)) {
      return (int64_t)k;
    }
  }
}

int64_t rng_binomial(rng_stream *self, int64_t n, double p)
{
  if (n < 0 || n > RNG_COUNT_MAX || !(p >= 0 && p <= 1)) {
    return -1;
  }
  const int flip = p > 0.5;
  const double q = flip ? 1.0 - p : p;
  const int64_t count =
      (double)n * q < ARRIVALS_BELOW ? rng_binomial_clocks(self, n, q) : rng_binomial_rejection(self, (double)n, q);
  return flip ? n - count : count;
}
