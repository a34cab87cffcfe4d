/* solver_certify (solver.h) for those who have the transpose at hand, and the residual of a row in twice the working
 * precision (Ogita, Rump and Oishi, SIAM J. Sci. Comput. 26, 1955 (2005)). */
#ifndef ENGINE_MARKOV_CERTIFY_H
#define ENGINE_MARKOV_CERTIFY_H

#include "engine/markov/solver.h"

#include <math.h>

/* `in` is the transpose of q (chain_transpose). */
ness_status certify_bound(const chain *q, const chain *in, const double *x, certify_solve solve, void *context,
                          double *bound);

/* solver_certify with a state of choice pinned. */
ness_status certify_pinned(const chain *q, const double *x, int32_t pinned, certify_solve solve, void *context,
                           double *bound);

typedef struct dot2 { /* a sum of products */
  double high, low;   /* the value is high + low */
  double size;        /* sum of the moduli */
} dot2;

static inline void dot2_add(dot2 *self, double a, double b)
{
  const double product = a * b, slip = fma(a, b, -product);
  const double sum = self->high + product, back = sum - self->high;
  self->low += ((self->high - (sum - back)) + (product - back)) + slip;
  self->high = sum;
  self->size += fabs(product);
}

/* Row j of Q^T x, added to *dot. */
static inline void certify_row(const chain *q, const chain *in, const double *x, int32_t j, dot2 *dot)
{
  for (int64_t e = in->start[j]; e < in->start[j + 1]; e++) dot2_add(dot, in->rate[e], x[in->to[e]]);
  for (int64_t e = q->start[j]; e < q->start[j + 1]; e++) {
    if (q->to[e] != j) dot2_add(dot, -q->rate[e], x[j]);
  }
}

#endif
