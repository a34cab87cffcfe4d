/* Logarithm, exponential and the parts of ln n!, so that no sampled bit depends on a libm. Owns these functions alone;
 * nothing here draws. Invariant: only + - * / and exact bit moves, each rounded once in the order written.
 * ln: x = 2^k m, m in one of sixteen ranges around c, r = (m - c) / c, ln x = k ln 2 + ln c + ln(1 + r); ln(1+x) by
 * f - f^2/2 + s (f^2/2 + R(s)), s = f / (2+f), from the series of artanh on [sqrt 1/2, sqrt 2]; exp: Taylor on |r| <=
 * ln 2 / 2 with the reduction's rounding carried along; ln n!: Stirling's series; the deviance and the use of both for
 * point probabilities are Loader 2000, "Fast and accurate computation of binomial probabilities". Cost: 5 to 15 ns
 * each. */
#include "rng.h"
#include "rng_ln.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(__FAST_MATH__) || FLT_EVAL_METHOD != 0
#error "the engine needs plain double arithmetic: no -ffast-math, no x87"
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define LOG2_E 0x1.71547652b82fep+0
#define SQRT_2 0x1.6a09e667f3bcdp+0
#define HALF_LN_2PI 0x1.d67f1c864beb5p-1

/* exponent * ln 2 + ln(1 + f) for f in [sqrt 1/2 - 1, sqrt 2 - 1]; `rest` is a small addend to f. */
static double rng_ln_kernel(double f, double exponent, double rest)
{
  const double s = f / (2.0 + f), z = s * s, w = z * z;
  const double even = 2.0 / 3 + w * (2.0 / 7 + w * (2.0 / 11 + w * (2.0 / 15 + w * (2.0 / 19))));
  const double odd = 2.0 / 5 + w * (2.0 / 9 + w * (2.0 / 13 + w * (2.0 / 17 + w * (2.0 / 21))));
  const double series = z * (even + z * odd);
  const double half_square = 0.5 * f * f;
  return exponent * RNG_LN2_HIGH + (f - (half_square - (s * (half_square + series) + (exponent * RNG_LN2_LOW + rest))));
}

/* x = 2^exponent * m with m in (sqrt 1/2, sqrt 2], for a normal x. */
static double rng_split(double x, double *exponent)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int64_t shift = (int64_t)(bits >> 52) - 1023;
  bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000);
  memcpy(&x, &bits, sizeof x);
  const int upper = x > SQRT_2;
  *exponent = (double)(shift + upper);
  return upper ? 0.5 * x : x;
}

const rng_ln_ranges rng_ln_table = {
    .inverse = {0x1.642c8590b2164p+0, 0x1.5555555555555p+0, 0x1.47ae147ae147bp+0, 0x1.3b13b13b13b14p+0,
                0x1.2f684bda12f68p+0, 0x1.2492492492492p+0, 0x1.1a7b9611a7b96p+0, 0x1.1111111111111p+0,
                0x1.0842108421084p+0, 0x1.0000000000000p+0, 0x1.e1e1e1e1e1e1ep-1, 0x1.c71c71c71c71cp-1,
                0x1.af286bca1af28p-1, 0x1.999999999999ap-1, 0x1.8618618618618p-1, 0x1.745d1745d1746p-1},
    .ln = {-0x1.522ae0738a3d8p-2, -0x1.269621134db92p-2, -0x1.f991c6cb3b379p-3, -0x1.a93ed3c8ad9e3p-3,
           -0x1.5bf406b543db2p-3, -0x1.1178e8227e47cp-3, -0x1.9335e5d594989p-4, -0x1.08598b59e3a07p-4,
           -0x1.0415d89e74444p-5, 0x0.0p+0, 0x1.f0a30c01162a6p-5, 0x1.e27076e2af2e6p-4, 0x1.5ff3070a793d4p-3,
           0x1.c8ff7c79a9a22p-3, 0x1.1675cababa60ep-2, 0x1.4618bc21c5ec2p-2},
};

double rng_ln(double x)
{
  if (!(x > 0) || x > DBL_MAX) {
    return x > 0 ? x : x == 0 ? -HUGE_VAL : (double)NAN;
  }
  double below = 1023;
  uint64_t bits;
  if (x < DBL_MIN) {
    x *= 0x1p54;
    below += 54;
  }
  memcpy(&bits, &x, sizeof bits);
  bits -= RNG_LN_FROM;
  const uint64_t range = bits >> 48 & 15,
                 parts[2] = {(bits & RNG_LN_TAIL) + RNG_LN_LEAST, (bits & RNG_LN_RANGE) + RNG_LN_FIRST};
  double m_c[2];
  memcpy(m_c, parts, sizeof m_c);
  const double k = (double)(bits >> 52) - below;
  const double r = (m_c[0] - m_c[1]) * rng_ln_table.inverse[range], square = r * r;
  const double high = k * RNG_LN2_HIGH + rng_ln_table.ln[range];
  return high + (r + (k * RNG_LN2_LOW + square * (r * RNG_LN_SERIES(r, square) - 0.5)));
}

double rng_ln1p(double x)
{
  if (x > -0.25 && x < 0.375) {
    return x == 0 ? x : rng_ln_kernel(x, 0.0, 0.0);
  }
  if (!(x > -1) || x > 0x1p60) {
    return rng_ln(x > 0 ? x : 1.0 + x);
  }
  /* 1 + x rounds; what it loses comes back to first order. */
  const double y = 1.0 + x;
  const double lost = x > 1 ? 1.0 - (y - x) : x - (y - 1.0);
  double exponent;
  const double m = rng_split(y, &exponent);
  return rng_ln_kernel(m - 1.0, exponent, lost / y);
}

double rng_e(double x)
{
  if (!(x > -746.0 && x < 710.0)) {
    return x < 0 ? 0.0 : x > 0 ? HUGE_VAL : x;
  }
  const int k = (int)(x * LOG2_E + (x < 0 ? -0.5 : 0.5));
  const double hi = x - k * RNG_LN2_HIGH, lo = k * RNG_LN2_LOW;
  const double r = hi - lo, rest = (hi - r) - lo, z = r * r;
  const double even =
      1.0 / 2 +
      z * (1.0 / 24 +
           z * (1.0 / 720 + z * (1.0 / 40320 + z * (1.0 / 3628800 + z * (1.0 / 479001600 + z * (1.0 / 87178291200))))));
  const double odd =
      1.0 / 6 + z * (1.0 / 120 + z * (1.0 / 5040 + z * (1.0 / 362880 + z * (1.0 / 39916800 + z * (1.0 / 6227020800)))));
  double y = 1.0 + (r + (rest + z * (even + r * odd)));

  /* 2^k in two factors, of which the second matters only near overflow and below the normal numbers. */
  const int first = k > 1023 ? 1023 : k < -1022 ? -1022 : k;
  const uint64_t bits[2] = {(uint64_t)(first + 1023) << 52, (uint64_t)(k - first + 1023) << 52};
  double power[2];
  memcpy(power, bits, sizeof power);
  y *= power[0];
  return y * power[1];
}

double rng_stirling_error(double n)
{
  /* ln n! - (n + 1/2) ln n + n - 1/2 ln 2 pi for n = 1 ... 15, rounded from 60 digits. */
  static const double small[16] = {
      0.0,
      0x1.4c071bcda0a5bp-4,
      0x1.52a9b923ea649p-5,
      0x1.c579a268d80b3p-6,
      0x1.54a2662fd78a9p-6,
      0x1.10b4e513fcbedp-6,
      0x1.c6b167bebdf36p-7,
      0x1.85d4d612e4a86p-7,
      0x1.552805e7b3076p-7,
      0x1.2f4871b12ab64p-7,
      0x1.10f9d4c0743a7p-7,
      0x1.f0593088014f8p-8,
      0x1.c7018733aa9c6p-8,
      0x1.a40514700f36cp-8,
      0x1.86076c002d4a7p-8,
      0x1.6c08f6f194a10p-8,
  };
  if (n < 16) {
    return small[(int)n];
  }
  const double inverse = 1.0 / n, z = inverse * inverse;
  return inverse *
         (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z * (1.0 / 1188 - z * (691.0 / 360360))))));
}

double rng_lgamma1p(double n)
{
  if (n < 2) {
    return 0.0;
  }
  return (n * (rng_ln(n) - 1.0) + 0.5 * rng_ln(n)) + (HALF_LN_2PI + rng_stirling_error(n));
}

double rng_deviance(double x, double mean)
{
  const double d = x - mean;
  if (x > 0 && d < 0.1 * (x + mean) && d > -0.1 * (x + mean)) {
    /* With v = d / (x + mean), ln(x / mean) = 2 artanh v and 2 x v = d (1 + v): what is left is a sum of one sign. */
    const double v = d / (x + mean), z = v * v;
    const double series =
        1.0 / 3 +
        z * (1.0 / 5 +
             z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 + z * (1.0 / 17)))))));
    return d * v + 2.0 * x * v * z * series;
  }
  return x > 0 ? x * rng_ln(x / mean) - d : mean;
}
