/* From counts of things and of their reverse to a bound on irreversibility: jackknife, bias, and the low end. */
#ifndef ANALYSIS_DIVERGENCE_H
#define ANALYSIS_DIVERGENCE_H

#include <stdint.h>

typedef struct divergence_bound {
  double value, error, low; /* k_B each */
} divergence_bound;

/* `raw` k_B each of `whole` counts, `without` the same with each of `blocks` stripes left out. Next to equilibrium raw
 * * whole / 2 is about chi-square of `freedom` degrees, which the low end minds as well: at equilibrium it is above
 * zero with the probability `tail` at most. */
divergence_bound divergence_bound_of(double raw, double whole, double freedom, const double *without, int32_t blocks,
                                     double tail);

#endif
