/* The weights of a Poisson distribution inside a window with a proven bound on what lies outside. */
#ifndef ENGINE_MARKOV_POISSON_H
#define ENGINE_MARKOV_POISSON_H

#include "engine/base/base.h"

typedef struct poisson_window {
  int64_t left, right; /* weights of left ... right; they add up to 1 */
  int64_t at;          /* where they stand in the array */
  double error;        /* bound on the 1-norm distance to the distribution */
} poisson_window;

/* The window of mean >= 0, at most POISSON_MOST, that leaves out at most `tolerance` (of it are used up to 0.1 and down
 * to 1e-40). Its weights are put at (*weight)[out->at], which the array is grown to hold. */
#define POISSON_MOST 1e14
ness_status poisson_window_find(double mean, double tolerance, int64_t at, double **weight, int64_t *size,
                                poisson_window *out);

#endif
