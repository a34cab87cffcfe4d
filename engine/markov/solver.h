/* Linear systems of a Markov chain, one door to every method: the steady distribution and the solves that moments,
 * responses and passage times are made of.
 *
 * A closed chain must be irreducible. Its steady distribution p comes with a certified bound on the relative error of
 * every component, and solves go through the deviation matrix D = integral of (exp(Q t) - 1 p) dt:
 *   left:  x <- x D, so that -x Q = b - (sum b) p and sum x = 0 (b is what x was)
 *   right: y <- D y, so that -Q y = b - (p b) 1 and p y = 0
 * A chain with exits must be left for good from every state. Then
 *   left:  x <- x (-Q)^-1: expected times in the states from weights x
 *   right: y <- (-Q)^-1 y: for y = 1 the expected time before the chain is left
 * A solver is used by one thread at a time; it works with several of its own (OpenMP) and gives the same bits for any
 * number of them. */
#ifndef ENGINE_MARKOV_SOLVER_H
#define ENGINE_MARKOV_SOLVER_H

#include "engine/markov/chain.h"

typedef enum solver_method { SOLVER_AUTO = 0, SOLVER_GTH, SOLVER_KLU, SOLVER_MULTILEVEL } solver_method;

typedef struct solver_options {
  solver_method method; /* AUTO: elimination while its work is small (gth.h), else multilevel */
  double tolerance;     /* relative error of every component that is asked for; 0: 1e-8 */
  size_t memory;        /* bytes that may be taken; 0: what the machine has */
  const double *guess;  /* (n) positive, near the steady distribution up to a factor: a warm start; NULL none */
} solver_options;

typedef struct solver_report {
  solver_method method; /* that made the answer */
  double bound;         /* certified: |p_i - exact| <= bound * exact for every i; 0 for a chain with exits */
  const char *proof;    /* how the bound was found, a few words */
  int32_t iterations;   /* of an iterative method, 0 direct */
  size_t bytes;         /* taken beyond the chain itself */
} solver_report;

typedef struct solver solver;

/* Orders, factors or builds levels, and for a closed chain finds p with its bound. The chain is borrowed until
 * solver_free. NESS_LIMIT: not enough memory; NESS_NUMERIC: rates vanish or overflow, or the iteration did not
 * converge or could not be certified within 1 (never a wrong vector); NESS_INTERRUPTED. `report` may be NULL; it is
 * filled also on failure, with bytes that would be needed. *out is NULL on failure. */
ness_status solver_create(const chain *q, const solver_options *options, solver_report *report, solver **out);
void solver_free(solver *self);

/* Borrowed (n): positive, adds up to 1; NULL for a chain with exits. */
const double *solver_steady(const solver *self);
ness_status solver_left(solver *self, double *x);
ness_status solver_right(solver *self, double *y);

/* "GTH elimination", "sparse LU (KLU)", "multilevel aggregation". */
const char *solver_name(solver_method method);

/* A certified bound on max_i |x_i - p_i| / p_i of any positive vector x that was normalised to sum 1, by the M-matrix
 * argument: with state s pinned, any w > 0 with (-Q^T w)_i >= |(Q^T x)_i| for all i != s bounds the error. `solve`
 * finds w from a positive right-hand side (n, entry s is passed over) approximately and in place; the inequality is
 * then verified in every row with its rounding errors counted, and NESS_NUMERIC says that it could not be met. */
typedef ness_status (*certify_solve)(void *context, int32_t pinned, double *w);
ness_status solver_certify(const chain *q, const double *x, certify_solve solve, void *context, double *bound);

#endif
