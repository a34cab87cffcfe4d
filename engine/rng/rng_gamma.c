/* Gamma law of whole shape: the sum of so many exponentials, drawn at once. Invariant: exact in law to rounding: few
 * are added up one by one; many by Marsaglia & Tsang (2000, ACM Trans. Math. Softw. 26, doi:10.1145/358407.358414), the
 * cube of a normal number under a rejection that takes 98 % and more. Cost: 20 to 25 ns. */
#include "rng.h"

#include <math.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define ONE_BY_ONE 4

double rng_gamma(rng_stream *self, int64_t shape)
{
  if (shape <= ONE_BY_ONE) {
    double sum = 0;
    for (int64_t i = 0; i < shape; i++) sum += rng_exp(self);
    return sum;
  }
  const double d = (double)shape - 1.0 / 3, c = 1.0 / (3.0 * sqrt(d));
  for (;;) {
    const double x = rng_normal(self), root = 1.0 + c * x, square = x * x;
    if (root <= 0) continue;
    const double v = root * root * root, u = rng_double_open(self);
    if (u < 1.0 - 0.0331 * square * square || rng_ln(u) < 0.5 * square + d * (1.0 - v + rng_ln(v))) {
      return d * v;
    }
  }
}
