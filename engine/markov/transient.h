/* Distributions in time: p(t) = p(0) exp(Q t) and what is measured on it. Results are nonnegative, a closed chain keeps
 * its mass, and the error in the 1-norm is reported: proven by uniformisation and by dense squaring, rounding included;
 * estimated, with a safety factor of at least ten, by Krylov projection and wherever rates move.
 *
 * Rounding can bring a bound above the tolerance: by about 1e-15 rate t in uniformised steps and 1e-14 sqrt(rate t) in
 * dense squaring, where rate is the fastest exit rate. The report says so. What would have a bound above 1e-3 of the
 * mass (and above the tolerance) is not handed out: NESS_NUMERIC. */
#ifndef ENGINE_MARKOV_TRANSIENT_H
#define ENGINE_MARKOV_TRANSIENT_H

#include "engine/markov/chain.h"

typedef enum transient_method {
  TRANSIENT_AUTO = 0,
  TRANSIENT_UNIFORM, /* powers of 1 + Q / rate under Poisson weights: about rate t products */
  TRANSIENT_KRYLOV,  /* projections: for large chains whose fast transitions have come to rest */
  TRANSIENT_DENSE    /* the exponential as a matrix: n^3 log(rate t), for small stiff chains */
} transient_method;

#define TRANSIENT_TOLERANCE 1e-10

typedef struct transient_options {
  transient_method method; /* AUTO: by the work each is expected to take */
  double tolerance;        /* error in the 1-norm at every time, relative to the mass of p(0); 0: 1e-10 */
} transient_options;

typedef struct transient_report {
  transient_method method; /* the one that did most of the way */
  bool proven;             /* the bound is a bound, not an estimate */
  double bound;            /* on the 1-norm error of every distribution handed out */
  int64_t products;        /* of the generator with a vector, or of a matrix with one */
} transient_report;

/* Called at every asked time in order with the distribution (n; lacks what went out by exits). */
typedef ness_status (*transient_visit)(void *context, int32_t index, const double *p);

/* p (n) is the distribution at t = 0 and the last one on return; times ascend from 0 (s) and may be equal. `options`,
 * `visit` and `report` may be NULL. NESS_USAGE: times or p that are none; NESS_LIMIT: matrices beyond the memory;
 * NESS_INTERRUPTED; what a visit returns. p is not defined on failure. */
ness_status transient_run(const chain *q, const transient_options *options, double *p, const double *times,
                          int32_t ntimes, transient_visit visit, void *context, transient_report *report);

/* Rates that move: the same structure with rates that are a function of time; those in q are passed over. `rates`
 * fills rate (start[n]) and exit (n; NULL when closed) for time t with finite numbers that are not negative; `breaks`
 * (ascending, s) are times where they jump, in between they are smooth. Rates that are the same at 16 places between
 * two breaks are taken to be constant there, and only then is the bound called proven. A pulse that is short against
 * the time between breaks must have breaks of its own. */
typedef ness_status (*transient_rates)(void *context, double t, double *rate, double *exit);
ness_status transient_moving(const chain *q, transient_rates rates, void *rates_context, const double *breaks,
                             int32_t nbreaks, const transient_options *options, double *p, const double *times,
                             int32_t ntimes, transient_visit visit, void *context, transient_report *report);

const char *transient_name(transient_method method);

#endif
