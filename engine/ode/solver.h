/* SUNDIALS behind one door: sparse or dense linear systems, and an integrator that goes a step at a time. */
#ifndef ENGINE_ODE_SOLVER_H
#define ENGINE_ODE_SOLVER_H

#include "engine/ode/system.h"

#include <nvector/nvector_serial.h>
#include <sundials/sundials_context.h>
#include <sundials/sundials_linearsolver.h>
#include <sundials/sundials_matrix.h>

#define ODE_SPARSE 50 /* more unknowns than these are solved by KLU */

/* --- linear systems (linear.c) --- */

typedef struct ode_linear {
  SUNContext context;
  SUNMatrix matrix;
  SUNLinearSolver solver;
  N_Vector right, left;
} ode_linear;

/* A matrix of the pattern and the solver that suits its size, for vectors like `like`; false when memory is out. */
bool ode_linear_make(const ode_pattern *pattern, N_Vector like, SUNContext context, SUNMatrix *matrix,
                     SUNLinearSolver *solver);
bool ode_linear_init(ode_linear *self, const ode_pattern *pattern);
void ode_linear_free(ode_linear *self);
/* Solves in place; false when the matrix is singular. */
bool ode_linear_solve(ode_linear *self, const ode_pattern *pattern, const double *values, double *vector);
/* Puts values into a matrix of either kind, for the integrator. */
void ode_linear_load(SUNMatrix matrix, const ode_pattern *pattern, const double *values);

/* --- conserved sums held (held.c) --- */

/* f and J with -rate * (law(x) - total) added to the balance of the slot that each law gives away. On the laws that is
 * nothing; off them it takes rounding back, which would drift without end over long steps. */
typedef struct ode_held {
  ode_reduction reduction;
  double *total;       /* (nlaw) */
  double rate;         /* 1/s */
  ode_pattern pattern; /* of J and the laws */
  double *values;
  int64_t *place, *law_place; /* of the terms of J; of given slots, then of the terms of the laws */
} ode_held;

/* The sums of `start`; the slots given away are large ones at x. */
ness_status ode_held_init(ode_held *self, const ode_system *sys, const double *start, const double *x, double rate,
                          ness_diags *diags);
/* Whether a slot given away holds so little by now that the rounding of its sum shows in it. */
bool ode_held_poor(const ode_held *self, const double *x);
void ode_held_free(ode_held *self);
void ode_held_rate(const ode_held *self, const double *x, double *rate);
/* Fills values from work->jac. */
void ode_held_jacobian(ode_held *self, const ode_system *sys, const ode_work *work);

/* --- covariance in time (covariance.c): unknowns x, then the lower triangle of C by rows --- */

typedef struct ode_covariance ode_covariance;

/* The pattern is borrowed. */
ode_covariance *ode_covariance_create(int32_t nslot, const ode_pattern *jac);
void ode_covariance_free(ode_covariance *self);
const ode_pattern *ode_covariance_pattern(const ode_covariance *self);
/* dC/dt behind dx/dt in dy; work holds rates and slopes. */
void ode_covariance_rate(ode_covariance *self, const ode_system *sys, const ode_work *work, const ode_held *held,
                         const double *y, double *dy);
/* The joint Jacobian without the block of C by x: it is one-sided, so Newton's method takes one iteration more. */
const double *ode_covariance_jacobian(ode_covariance *self, const double *jac);
/* The full matrix of a joint vector. */
void ode_covariance_full(int32_t n, const double *y, double *full);

/* --- the integrator (solver.c) --- */

typedef struct ode_integrator {
  const ode_system *sys;
  ode_work work;
  ode_held held;
  ode_covariance *covariance; /* NULL without */
  const ode_pattern *pattern;
  const ode_event *event;
  SUNContext context;
  N_Vector y, tolerance;
  SUNMatrix matrix;
  SUNLinearSolver solver;
  void *cvode;
  double *start;      /* (nslot) at t = 0 */
  double rtol, end;   /* s */
  double time, first; /* reached, s; length that the first step is guessed from */
  double grown;       /* copies: a step that fails beyond them is taken for the end of a growth */
  bool root;          /* the last step ended at the event */
  int64_t steps, rates, jacobians;
  int64_t again;     /* steps before which it does not start again */
  char message[400]; /* the last one of CVODE */
} ode_integrator;

/* Up to `end` (infinity: without end). May be freed whatever it returns. */
ness_status ode_integrator_init(ode_integrator *self, const ode_system *sys, const ode_options *options, double end,
                                ness_diags *diags);
void ode_integrator_free(ode_integrator *self);
/* One step; checks the state, the limit of steps, and interrupts. */
ness_status ode_integrator_step(ode_integrator *self, const ode_options *options, ness_diags *diags);
/* The diagnostic of a slot that grows without bound; returns NESS_NUMERIC. */
ness_status ode_integrator_growth(const ode_integrator *self, ness_diags *diags);
/* The k-th derivative (0, 1) at a time within the last step, into a vector of the joint size. */
bool ode_integrator_at(ode_integrator *self, double time, int k, N_Vector out);
double *ode_vector(N_Vector vector);

#endif
