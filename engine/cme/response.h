/* Derivatives of the steady state by the adjoint method: one solve an observable, whatever the number of parameters. */
#ifndef ENGINE_CME_RESPONSE_H
#define ENGINE_CME_RESPONSE_H

#include "engine/cme/cme.h"

typedef struct response { /* of one observable R, in its unit */
  double value;
  double *log_k;  /* (2 nstep) dR / d ln k of each direction alone: its propensities times 1 + eps in every state */
  double *log_ka; /* (nstep) dR / d ln of both directions of a step: the control of a step, thermodynamics unchanged */
} response;

/* R = sum of weight (2 nstep) times the one-way rates + count (nslot) times the mean counts; count may be NULL.
 * NESS_NUMERIC with a diagnostic where a part that R depends on may end in several closed classes. */
ness_status response_linear(const ness_network *net, const cme_solution *solution, const double *weight,
                            const double *count, ness_diags *diags, response *out);
/* R = the entropy production, k_B/s. One-way steps that run: NESS_NUMERIC. */
ness_status response_entropy(const ness_network *net, const cme_solution *solution, ness_diags *diags, response *out);
void response_free(response *self);

/* The same with a parameter behind the rates: `slope` gives d ln a of a direction at counts n for parameter 0 ... n -
 * 1, into out (nparameter); what the parameter changes in ln(a_d/a_d') of the entropy is taken from it as well. Where
 * copies are independent, n are the counts of one copy alone in its part. */
typedef void (*response_slope)(void *context, int32_t dir, const int64_t *n, double *out);
/* dR / d theta for every parameter, out (nparameter). */
ness_status response_parameters(const ness_network *net, const cme_solution *solution, const double *weight,
                                const double *count, bool entropy, int32_t nparameter, response_slope slope,
                                void *context, ness_diags *diags, double *out);

#endif
