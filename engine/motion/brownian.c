/* Brownian motion in a symmetric layer. Invariant: every decision between a uniform number and a series is made by
 * partial sums that bracket its limit, never by cutting it off; so both laws are exact up to the rounding of a double.
 *
 * Exit time: its density has two alternating series, the images for small times and the eigenfunctions for large ones;
 * each has decreasing terms on its side of EXIT_SPLIT. The first terms are densities that can be drawn, and are
 * accepted in 1 / 1.0007 of cases (Devroye 2009, doi:10.1016/j.spl.2009.07.028; the law there is J*). The second term
 * is below EXIT_QUICK of the first, so that a draw below 1 - EXIT_QUICK needs no exponential at all.
 * Place: a normal proposal, accepted with the probability that the bridge to it stays inside, an alternating sum over
 * reflections whose terms decrease for every place inside (Beskos and Roberts 2005, doi:10.1214/105051605000000485). */
#include "engine/motion/brownian.h"

#include <math.h>
#include <stdbool.h>

#define EXIT_SPLIT 0.64
#define EXIT_LATE                                                                                                      \
  0x1.27c7eed9f0bb2p-1 /* share of the proposals behind the split: p/(p + q), p = (4/pi) e^(-split pi^2/8), */
                       /* q = 2 erfc(1/sqrt(2 split)) */
#define EXIT_QUICK 0.0058
/* Where 2(1 - y)/t is beyond INSIDE_FAR, E_1 is below INSIDE_QUICK: no exponential either. */
#define INSIDE_FAR 8
#define INSIDE_QUICK 7e-4
#define PI_SQUARE 9.8696044010893586

/* Whether u < 1 - r_1 + r_2 - ..., r_n = (2n+1) exp(-((2n+1)^2 - 1) c). */
static bool exit_accepts(double u, double c)
{
  double sum = 1;
  for (int32_t n = 1;; n++) {
    const double odd = 2 * n + 1, term = odd * rng_e(-(odd * odd - 1) * c);
    sum += n % 2 ? -term : term;
    if (n % 2 ? u < sum : u >= sum) {
      return n % 2;
    }
  }
}

double brownian_exit(rng_stream *rng)
{
  for (;;) {
    double x, c;
    if (rng_double(rng) < EXIT_LATE) {
      x = EXIT_SPLIT + rng_exp(rng) * (8 / PI_SQUARE);
      c = x * (PI_SQUARE / 8);
    } else { /* 1/z^2 of a normal z beyond 1/sqrt(split) */
      double e;
      do {
        e = rng_exp(rng);
      } while (e * e > (2 / EXIT_SPLIT) * rng_exp(rng));
      const double stretch = 1 + EXIT_SPLIT * e;
      x = EXIT_SPLIT / (stretch * stretch);
      c = 0.5 / x;
    }
    const double u = rng_double(rng);
    if (u < 1 - EXIT_QUICK || exit_accepts(u, c)) {
      return x;
    }
  }
}

/* Whether u < 1 - E_1 + E_2 - ..., E_m = exp(-2m(m - y)/t) + exp(-2m(m + y)/t), for 0 <= y < 1. */
static bool stays_inside(double u, double y, double t)
{
  const double scale = -2 / t;
  double sum = 1;
  for (int32_t m = 1;; m++) {
    const double term = rng_e(scale * m * (m - y)) + rng_e(scale * m * (m + y));
    sum += m % 2 ? -term : term;
    if (m % 2 ? u < sum : u >= sum) {
      return m % 2;
    }
  }
}

double brownian_inside(rng_stream *rng, double t)
{
  const double sd = sqrt(t);
  for (;;) {
    const double y = sd * rng_normal(rng), size = fabs(y);
    if (size < 1) {
      const double u = rng_double(rng);
      const bool quick = 2 * (1 - size) > INSIDE_FAR * t && u < 1 - INSIDE_QUICK;
      if (quick || stays_inside(u, size, t)) {
        return y;
      }
    }
  }
}
