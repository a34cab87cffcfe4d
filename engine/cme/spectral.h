/* Power spectra in a steady state: how the noise of currents and counts is spread over frequencies. */
#ifndef ENGINE_CME_SPECTRAL_H
#define ENGINE_CME_SPECTRAL_H

#include "engine/cme/cme.h"

/* What is watched: sum over directions of weight times the events per second, plus the sum over slots of count times
 * the number in it. */
typedef struct spectral_observable {
  const double *weight; /* (2 nstep) or NULL */
  const double *count;  /* (nslot) or NULL */
} spectral_observable;

typedef struct spectral {
  int32_t nobservable, nfrequency;
  double *density; /* (nobservable x nfrequency) the unit of the observable squared, times s; two-sided */
  double *shot;    /* (nobservable) what it tends to at high frequencies: one-way rates times weight^2, 1/s */
} spectral;

/* S(f) = integral over tau of the covariance of x(t) and x(t + tau) times exp(-2 pi i f tau), f in Hz and both signs
 * alike, so that S(0) of a current is its variance rate and a Poisson process of rate r has S = r at all f. At f = 0 of
 * a count: 2 variance times the correlation time. Frequencies (nfrequency) are not below 0. NESS_NUMERIC with a
 * diagnostic where a part that is watched may end in several closed classes; NESS_LIMIT where it is too large.
 * `threads`: 0 all; no bit depends on them. */
ness_status spectral_find(const ness_network *net, const cme_solution *solution, int32_t nobservable,
                          const spectral_observable *observable, int32_t nfrequency, const double *frequency,
                          int32_t threads, ness_diags *diags, spectral *out);
void spectral_free(spectral *self);

#endif
