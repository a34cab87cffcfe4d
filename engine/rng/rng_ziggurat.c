/* Slow paths of the exponential and normal ziggurats (Marsaglia & Tsang 2000, J. Stat. Softw. 5(8)), whose fast paths
 * are inline in rng.h. Owns the layer tables, which make_tables.py computes. Invariant: layer, sign and position come
 * from disjoint bits of one draw (Doornik 2005 on what happens otherwise), and each test compares the full-resolution
 * position with the curve itself, so the laws are exact to rounding, tails included.
 * Cost: 1.1 % of exponentials and 1.3 % of normals come here, for about 40 ns. */
#include "rng.h"

#include "rng_tables.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

double rng_exp_slow(rng_stream *self, uint64_t bits)
{
  double shift = 0;
  for (;; bits = rng_next(self)) {
    const uint64_t i = bits & 255, draw = bits >> 7 | 1;
    const double x = (double)(int64_t)draw * rng_exp_layer[i].scale;
    if (draw < rng_exp_layer[i].inside) {
      return shift + x;
    }
    if (i == 0) {
      shift += RNG_EXP_R; /* memoryless: the tail is the whole law over again */
      continue;
    }
    const double low = rng_exp_height[i], high = rng_exp_height[i + 1];
    if (low + rng_double(self) * (high - low) < rng_e(-x)) {
      return shift + x;
    }
  }
}

/* |x| beyond r by Marsaglia 1964: an exponential of rate r, thinned by exp(-(x - r)^2 / 2). */
static double rng_normal_tail(rng_stream *self)
{
  double x, y;
  do {
    x = rng_exp(self) * (1.0 / RNG_NORMAL_R);
    y = rng_exp(self);
  } while (y + y < x * x);
  return RNG_NORMAL_R + x;
}

double rng_normal_slow(rng_stream *self, uint64_t bits)
{
  for (;; bits = rng_next(self)) {
    const uint64_t i = bits & 255, draw = bits >> 8 | 1;
    const double sign = bits >> 8 & 1 ? -1.0 : 1.0;
    const double x = (double)(int64_t)draw * rng_normal_layer[i].scale;
    if (draw < rng_normal_layer[i].inside) {
      return sign * x;
    }
    if (i == 0) {
      return sign * rng_normal_tail(self);
    }
    const double low = rng_normal_height[i], high = rng_normal_height[i + 1];
    if (low + rng_double(self) * (high - low) < rng_e(-0.5 * x * x)) {
      return sign * x;
    }
  }
}
