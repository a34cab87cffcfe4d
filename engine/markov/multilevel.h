/* Iterative steady states and solves for large irreducible closed chains, by aggregation on many levels (multilevel.c).
 */
#ifndef ENGINE_MARKOV_MULTILEVEL_H
#define ENGINE_MARKOV_MULTILEVEL_H

#include "engine/markov/chain.h"

typedef struct multilevel multilevel;

typedef struct multilevel_report {
  int32_t iterations; /* cycles until p was found */
  double bound;       /* certified relative error of every component of p */
  size_t bytes;       /* taken at most */
} multilevel_report;

/* Finds p (n), positive with sum 1, and certifies it: the bound is at most `tolerance` on NESS_OK. `guess` may be NULL.
 * NESS_NUMERIC: no convergence, or no certificate below the tolerance (report->bound is then the best there was, inf
 * none); NESS_LIMIT: it would take more than `memory` bytes (0: no limit). The chain is borrowed until multilevel_free.
 */
ness_status multilevel_create(const chain *q, const double *guess, double tolerance, size_t memory,
                              multilevel_report *report, double *p, multilevel **out);
void multilevel_free(multilevel *self);

/* With state `pinned` >= 0: x <- b (-Q without the pinned state)^-1 with x[pinned] = 0 (left), and the same from the
 * right. `accuracy` is relative to the largest p-scaled entry of the answer. Signs of b are free. */
ness_status multilevel_left(multilevel *self, int32_t pinned, double accuracy, double *x);
ness_status multilevel_right(multilevel *self, int32_t pinned, double accuracy, double *y);

#endif
