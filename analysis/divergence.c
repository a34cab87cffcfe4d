/* A divergence D between counts and those of the reverse is biased upwards by freedom / whole next to equilibrium and
 * by less beyond; the jackknife over stripes takes that off and gives the error. Its low end is the smaller of
 * Student's and of the smallest noncentrality that explains the chi-square: alone, the first would find driving at
 * equilibrium, where D is no normal variable. Cost: O(blocks). */
#include "analysis/divergence.h"
#include "analysis/analysis.h"

#include <math.h>

divergence_bound divergence_bound_of(double raw, double whole, double freedom, const double *without, int32_t blocks,
                                     double tail)
{
  const double n = blocks, chi = raw * whole / 2;
  double mean = 0, square = 0, noncentral = 0;
  for (int32_t b = 0; b < blocks; b++) mean += without[b] / n;
  for (int32_t b = 0; b < blocks; b++) square += (without[b] - mean) * (without[b] - mean);
  const double value = n * raw - (n - 1) * mean, error = sqrt(square * (n - 1) / n);
  const double student = value - stat_student_quantile(1 - tail, n - 1) * error;
  if (chi > BOUND_FAR + 20 * freedom) noncentral = INFINITY; /* the jackknife alone holds there */
  else if (freedom > 0 && chi > 0) noncentral = 2 * stat_f_lambda(chi / freedom, 1 - tail, freedom, INFINITY) / whole;
  return (divergence_bound){value, error, fmax(0, fmin(student, noncentral))};
}
