/* Chebyshev series f(x) = sum_k c_k T_k(x) on [-1, 1], and upper bounds that hold. */
#ifndef ENGINE_MOTION_SERIES_H
#define ENGINE_MOTION_SERIES_H

#include <stdint.h>

typedef struct series {
  const double *coef; /* (terms) borrowed */
  int32_t terms;      /* degree + 1; 0 is the constant 0 */
} series;

/* Once a series, for series_most. */
typedef struct series_size {
  double sum;   /* of |c_k|, k > 0: no value is farther from c_0 */
  double curve; /* |f''| is at most this */
} series_size;

/* By Clenshaw's recurrence. */
double series_value(series f, double x);
series_size series_measure(series f);
/* At least f(x), as series_value computes it, for every x in [from, to]: the larger end of a straight line, else the
 * largest of some values and what a curve can rise between two of them. */
double series_most(series f, series_size size, double from, double to);
/* T_1(x) ... T_count(x). */
void series_basis(double x, int32_t count, double *basis);

#endif
