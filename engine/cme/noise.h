/* How noisy a current is: cumulants, covariances and large deviations of counted steps in a steady state. */
#ifndef ENGINE_CME_NOISE_H
#define ENGINE_CME_NOISE_H

#include "engine/cme/cme.h"

#define NOISE_ORDER 4

typedef struct noise {
  int32_t ncurrent;
  double *cumulant;   /* (ncurrent x NOISE_ORDER) per second: mean, variance rate, third, fourth cumulant rate */
  double *covariance; /* (ncurrent x ncurrent) rate, 1/s */
} noise;

/* A current counts `weight` (ncurrent x 2 nstep, one number for each direction) of every event. Parts are independent,
 * so their cumulants add; N independent copies have N times those of one; copies that reservoirs make and remove count
 * over their lives, which begin at random. One factorisation of each part and three solves for each current.
 * NESS_NUMERIC with a diagnostic where a part that the currents flow in may end in several closed classes. */
ness_status noise_cumulants(const ness_network *net, const cme_solution *solution, int32_t ncurrent,
                            const double *weight, ness_diags *diags, noise *out);
void noise_free(noise *self);

typedef struct deviations { /* the scaled cumulant generating function of one current */
  int32_t n;
  double *s;     /* (n) given */
  double *value; /* (n) lim 1/t ln <exp(s N(t))>, 1/s; inf where it does not exist (open parts) */
  double *slope; /* (n) its derivative: the current that s makes typical, 1/s; NaN where the value is infinite */
  double *rate;  /* (n) s slope - value: the rate function at that current, 1/s; NaN likewise */
  double *error; /* (n) certified: |value - exact| is at most this, given the rates */
} deviations;

/* Each point is started from the one before, so s is best ascending. NESS_NUMERIC as above, or where rates tilted by s
 * leave the range of a double (deviations.c). */
ness_status noise_deviations(const ness_network *net, const cme_solution *solution, const double *weight, int32_t n,
                             const double *s, ness_diags *diags, deviations *out);
void deviations_free(deviations *self);

#endif
