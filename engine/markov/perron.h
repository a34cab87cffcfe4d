/* The dominant eigenvalue of a matrix whose off-diagonal entries are not negative: the scaled cumulant generating
 * function of a tilted generator, the growth rate of a population, the slowest decay of a chain with exits. */
#ifndef ENGINE_MARKOV_PERRON_H
#define ENGINE_MARKOV_PERRON_H

#include "engine/markov/chain.h"

typedef struct perron {
  double value;     /* the eigenvalue of largest real part, which is real */
  double low, high; /* certified: low <= exact value <= high, mostly a few units in the last place apart */
  int32_t steps;    /* factorisations */
} perron;

/* The matrix M has the rates of q off its diagonal (tilted: any positive numbers; loops add to the diagonal) and
 * diagonal[i] + loops on it. q->exit is passed over. right (n) is the positive right eigenvector, its largest entry
 * about 1, on input a guess up to a factor, or all zero for none; left (n) the left one with left right = 1, NULL when
 * not wanted. Entries less than 1e-300 of the largest are kept by a common factor while the vector spans less than
 * 1e600; beyond that the small ones become the least positive double.
 *
 * The bounds meet within `tolerance` (0: 1e-13) relative to the largest |diagonal|, or to |value| where that is more. A
 * given tolerance also ends the work; without one it goes on while it gains, so that a value far smaller than the
 * diagonal still has its digits. NESS_NUMERIC: M is reducible or not finite (*out is zero then), or the bounds do not
 * meet (*out and right then hold what there is). Noda's iteration (Numer. Math. 17, 382 (1971)): every step is a solve
 * with a chain that has exits (solver.h), and Collatz-Wielandt quotients bound the value from both sides. */
ness_status perron_find(const chain *q, const double *diagonal, double tolerance, double *right, double *left,
                        perron *out);

#endif
