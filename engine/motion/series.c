/* Chebyshev series. Invariant: a bound is never below a computed value; between two places h apart a curve rises above
 * the larger end by at most h^2 max|f''| / 8, and |T_k''| <= k^2 (k^2 - 1) / 3. Cost: O(terms) a value; a bound takes
 * two values in a narrow interval and SERIES_LOOKS + 1 at most. */
#include "engine/motion/series.h"

#include <float.h>
#include <math.h>

#define SERIES_LOOKS 32
#define SERIES_RISE 0.02 /* what a bound may be above the values it comes from, while looks last */

double series_value(series f, double x)
{
  double b1 = 0, b2 = 0;
  if (f.terms <= 2) {
    return (f.terms > 0 ? f.coef[0] : 0) + (f.terms > 1 ? f.coef[1] * x : 0);
  }
  for (int32_t k = f.terms - 1; k > 0; k--) {
    const double b = 2 * x * b1 - b2 + f.coef[k];
    b2 = b1;
    b1 = b;
  }
  return x * b1 - b2 + f.coef[0];
}

series_size series_measure(series f)
{
  series_size size = {0, 0};
  for (int32_t k = 1; k < f.terms; k++) {
    const double square = (double)k * k, c = fabs(f.coef[k]);
    size.sum += c;
    size.curve += c * square * (square - 1) / 3;
  }
  return size;
}

double series_most(series f, series_size size, double from, double to)
{
  const double first = f.terms > 0 ? f.coef[0] : 0;
  const double rounding = 4 * DBL_EPSILON * (f.terms + 1) * (f.terms + 1) * (fabs(first) + size.sum);
  const double left = series_value(f, from), right = series_value(f, to);
  double most = left > right ? left : right;
  if (size.curve > 0) {
    const double wish = (to - from) * sqrt(size.curve / (8 * SERIES_RISE));
    const int32_t looks = wish < 1 ? 1 : wish < SERIES_LOOKS ? (int32_t)wish + 1 : SERIES_LOOKS;
    const double h = (to - from) / looks;
    for (int32_t i = 1; i < looks; i++) {
      most = fmax(most, series_value(f, from + i * h));
    }
    most = fmin(most + 1.001 * h * h * size.curve / 8, first + size.sum);
  }
  return most + rounding;
}

void series_basis(double x, int32_t count, double *basis)
{
  double before = 1, now = x;
  for (int32_t k = 0; k < count; k++) {
    const double next = 2 * x * now - before;
    basis[k] = now;
    before = now;
    now = next;
  }
}
