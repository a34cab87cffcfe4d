/* The deterministic limit of a network and the noise around it: rate equations in time and at rest, and the linear
 * noise approximation.
 *
 * Rate equations: dx/dt = sum_s nu_s (a_fwd(x) - a_bwd(x)) for real counts x, with a_d(x) = k_d prod_i x_i^m_di for
 * mass action and tapes evaluated at x. Linear noise (van Kampen 2007, ch. X): the covariance C of the counts follows
 * dC/dt = J C + C J' + D with J the Jacobian at x and D = sum_s nu_s nu_s' (a_fwd + a_bwd). Means and covariances of
 * networks with linear propensities are exact.
 *
 * Walls of the counts have no such limit. A slot that comes near its max (x + 4 sqrt(x) + 4 > max) while a step still
 * leads beyond it, and a slot that a rate takes below zero, end the calculation with a diagnostic. */
#ifndef ENGINE_ODE_H
#define ENGINE_ODE_H

#include "engine/model/model.h"

typedef struct ode_system ode_system;

/* Compiles propensities, the pattern of the Jacobian and the conservation laws. The network is borrowed and must
 * outlive the system; nothing below writes to either, so threads may share both. */
ness_status ode_create(const ness_network *net, ness_diags *diags, ode_system **out);
void ode_free(ode_system *self);

typedef struct ode_event {
  int32_t slot;
  double level;      /* copies */
  int32_t direction; /* 1 upwards, -1 downwards, 0 either */
} ode_event;

typedef struct ode_options {
  double rtol;            /* relative error of a step of the integrator; 0: 1e-10 */
  double atol;            /* absolute, copies; 0: rtol / 10,000 */
  int64_t max_steps;      /* of the integrator; 0: 1,000,000, and 100,000 to a steady state */
  const double *start;    /* (nslot) counts at t = 0; NULL: those of the network */
  int32_t noise;          /* 1: the covariance too, 0 at t = 0; at most ODE_NOISE_RUN slots (ode_run) */
  const ode_event *event; /* ends the run; NULL: none (ode_run) */
} ode_options;

#define ODE_NOISE_RUN 60 /* most slots of a covariance in time */
#define ODE_DENSE 1000   /* most slots of eigenvalues and of a covariance at rest */

/* --- in time --- */

/* Called at every time, and at the event. x (nslot); covariance (nslot x nslot) or NULL. Anything but NESS_OK ends the
 * run with that status. */
typedef ness_status (*ode_visit)(void *context, double time, const double *x, const double *covariance);

typedef struct ode_report {
  double time;       /* reached, s */
  double event_time; /* of the first crossing, s; NaN when there was none */
  int64_t steps, rates, jacobians;
} ode_report;

/* From t = 0 through `times` (ntimes, s, ascending, not negative). options and report may be NULL. */
ness_status ode_run(const ode_system *self, const ode_options *options, const double *times, int64_t ntimes,
                    ode_visit visit, void *context, ness_diags *diags, ode_report *report);

/* --- at rest --- */

typedef struct ode_state {
  int32_t nslot, rank;
  double *x;           /* (nslot) */
  double residual;     /* largest |gain - loss| / max(gain, loss) of a slot that is not empty */
  double time;         /* that the integration took to come near, s */
  int32_t newton;      /* iterations from there */
  int32_t neigen;      /* rank, or 0 when there are more than ODE_DENSE slots */
  double *re, *im;     /* (neigen) eigenvalues of J on the stoichiometric subspace, 1/s, by real part descending */
  double eigen_error;  /* rounding of an eigenvalue, 1/s */
  int32_t stable;      /* 1, 0, or -1: the leading real part is within eigen_error of 0, or not known */
  int32_t oscillating; /* 1: the leading eigenvalues are a complex pair */
} ode_state;

/* The steady state that the start leads to: integrated until Newton's method on balances and conservation laws ends
 * next to the trajectory. An unstable one is returned only when the trajectory stays there. NESS_NUMERIC with a
 * diagnostic that says what goes on instead (growth, a cycle, a slow change), and then *out is empty. */
ness_status ode_steady(const ode_system *self, const ode_options *options, ness_diags *diags, ode_state *out);
void ode_state_free(ode_state *self);

/* Leading eigenvalue of J on the stoichiometric subspace at any x, 1/s: what is rare at x grows when re > 0. im may be
 * NULL. NESS_LIMIT beyond ODE_DENSE slots. */
ness_status ode_growth(const ode_system *self, const double *x, ness_diags *diags, double *re, double *im);

/* J at x by rows, (nslot x nslot), for tests and small networks. */
ness_status ode_jacobian_dense(const ode_system *self, const double *x, ness_diags *diags, double *out);

typedef struct ode_noise {
  int32_t nslot;
  double *mean, *var, *fano; /* (nslot); fano = var / mean, NaN for an empty slot */
  double *covariance;        /* (nslot x nslot) */
} ode_noise;

/* Stationary covariance at a stable steady state; conserved sums have none. NESS_NUMERIC when the state is not stable,
 * NESS_LIMIT beyond ODE_DENSE slots. */
ness_status ode_noise_steady(const ode_system *self, const ode_state *steady, ness_diags *diags, ode_noise *out);
void ode_noise_free(ode_noise *self);

/* --- rates, work and entropy at x --- */

/* With G(x) = sum_i x_i (g_i + ln x_i - 1):  entropy = sum of source_work - free_energy_rate. */
typedef struct ode_totals {
  double *dir_rate;     /* (2 nstep) one-way rates, 1/s */
  double *net_rate;     /* (nstep) */
  double *step_entropy; /* (nstep) into the medium: J (ln(a_fwd / a_bwd) + sum nu ln x), k_B/s; adds up to `entropy` at
                           rest; +inf when only one direction runs */
  double *source_work;  /* (sources) kT/s, the last one undeclared */
  double entropy;       /* production, sum J ln(a_fwd / a_bwd), k_B/s */
  double free_energy;   /* G, kT */
  double free_energy_rate; /* dG/dt over the steps of finite entropy, kT/s */
  double closure;          /* |entropy - work + free_energy_rate| over the steps of finite entropy, k_B/s */
  int32_t one_way_running; /* first one-way step that runs, -1 none */
} ode_totals;

ness_status ode_totals_at(const ode_system *self, const double *x, ness_diags *diags, ode_totals *out);
void ode_totals_free(ode_totals *self);

#endif
