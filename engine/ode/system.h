/* What the sources of this room share: the compiled system, a workspace of one caller, and the reduction to
 * independent slots. */
#ifndef ENGINE_ODE_SYSTEM_H
#define ENGINE_ODE_SYSTEM_H

#include "engine/model/stoich.h"
#include "engine/ode/ode.h"

/* Places of a sparse matrix by columns, rows ascending; in the integers of SUNDIALS. */
typedef struct ode_pattern {
  int64_t n, nnz;
  int64_t *start; /* (n + 1) */
  int64_t *row;   /* (nnz) */
} ode_pattern;

typedef struct ode_cap { /* a direction that a slot's max bars */
  int32_t dir, slot;
  int64_t barred; /* lowest count at which it is barred */
} ode_cap;

struct ode_system {
  const ness_network *net;
  int32_t nslot, ndir;
  stoich_basis laws;
  int64_t *read_start; /* (ndir + 1) */
  int32_t *read_slot;  /* slots that the propensity of a direction depends on */
  ode_pattern jac;     /* with the whole diagonal */
  int64_t *diagonal;   /* (nslot) its places */
  int64_t *fill;       /* place of every (direction, read slot, changed slot), in this order */
  int32_t ncap;
  bool linear; /* every rate is at most of order one: J does not depend on x */
  ode_cap *cap;
};

/* --- rates (rates.c) --- */

typedef struct ode_work {
  double *raw, *x;     /* (nslot) counts, and the same clipped at 0 */
  double *rate;        /* (ndir) */
  double *gain, *loss; /* (nslot) sums of positive terms, for scales */
  double *change;      /* (nslot) sum of net rates of steps: an error of a rate stays along its step */
  double *slope;       /* (read_start[ndir]) derivative of a direction by a slot that it reads */
  double *jac;         /* (jac.nnz) */
  double *tape, *dual; /* (tape_max) */
  int32_t bad;         /* direction whose rate was no number or negative, -1 none */
} ode_work;

bool ode_work_init(ode_work *self, const ode_system *sys);
void ode_work_free(ode_work *self);

/* Fills raw, x, rate, gain, loss and change; false when a rate is no number, or negative at the clipped counts. Below
 * 0, where rounding takes an integrator, rates go on smoothly and push back. */
bool ode_evaluate(const ode_system *sys, const double *x, ode_work *work);
/* Whether a direction has a rate at work->raw and work->x, which the caller keeps together. */
bool ode_runs(const ode_system *sys, int32_t dir, ode_work *work);
/* Fills slope and jac at work->raw, after ode_evaluate; false when a derivative is no number. */
bool ode_differentiate(const ode_system *sys, ode_work *work);
/* A diagnostic about work->bad at time t (NaN: none to name), returns NESS_NUMERIC. */
ness_status ode_bad_rate(const ode_system *sys, const ode_work *work, double t, ness_diags *diags);
/* NESS_OK, or NESS_NUMERIC below zero and NESS_LIMIT at a cap, with a diagnostic. Leaves the work alone but for tape.
 */
ness_status ode_check_state(const ode_system *sys, const double *x, ode_work *work, double t, ness_diags *diags);
/* Both at once, for a state that a caller gives. */
ness_status ode_check_given(const ode_system *sys, const double *x, ode_work *work, ness_diags *diags);

/* --- reduction (reduce.c): every law gives one slot as total - sum of others --- */

typedef struct ode_reduction {
  int32_t nlaw, rank;
  int32_t *given;     /* (nlaw) the slot that law l gives */
  int32_t *start;     /* (nlaw + 1) */
  int32_t *slot;      /* other slots of the law */
  double *by;         /* given + sum by * slot = constant */
  int32_t *free_slot; /* (rank) the others */
  int32_t *place;     /* (nslot) index in free_slot, or -1 - law */
} ode_reduction;

/* Prefers to give away slots with large x. */
ness_status ode_reduce(const ode_system *sys, const double *x, ness_diags *diags, ode_reduction *out);
/* The same on the face where slots marked empty hold nothing: laws of the steps that still run (work->rate). */
ness_status ode_reduce_face(const ode_system *sys, const double *x, const bool *empty, const ode_work *work,
                            ode_reduction *out);
void ode_reduction_free(ode_reduction *self);

/* --- spectrum (spectrum.c) --- */

/* J on the free slots, by columns (rank x rank), with rows and columns scaled: S^-1 J S; and the scales, which are
 * powers of 2 near sqrt(x). work->jac is filled. */
ness_status ode_reduced_jacobian(const ode_system *sys, const ode_work *work, const ode_reduction *reduction,
                                 double **matrix, double **scale);
/* Eigenvalues by real part descending; the matrix is destroyed. error: about their rounding. */
ness_status ode_eigenvalues(double *matrix, int32_t n, ness_diags *diags, double *re, double *im, double *error);
/* All of it at work->x, into state (re, im, neigen, stable, oscillating, eigen_error). */
ness_status ode_spectrum(const ode_system *sys, ode_work *work, ness_diags *diags, ode_state *state);

/* --- Newton's method (newton.c) --- */

typedef enum ode_found {
  ODE_NOTHING = 0,
  ODE_FIXED,   /* a fixed point, and x is there */
  ODE_BALANCED /* x is left alone: it is balanced to rounding, but the Jacobian is singular and may hide a drift */
} ode_found;

/* From x (nslot) to the steady state nearby that has the conserved sums of `start`; slots below ODE_EMPTY that nothing
 * fills are set to 0. work is at x afterwards. */
#define ODE_EMPTY 1e-12
ness_status ode_newton(const ode_system *sys, const double *start, double *x, ode_work *work, ness_diags *diags,
                       ode_found *found, double *residual, int32_t *iterations);

#endif
