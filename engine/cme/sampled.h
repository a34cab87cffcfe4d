/* Power spectra of counts that are looked at once every so often. */
#ifndef ENGINE_CME_SAMPLED_H
#define ENGINE_CME_SAMPLED_H

#include "engine/cme/spectral.h"

#define SAMPLED_STATES 256 /* of a part that is watched, at most */

/* S(f) = every times the sum over m of the covariance of x(0) and x(m every) times exp(-2 pi i f m every): what
 * spectral_find has at f and at all its aliases f + j/every, added up. Observables are counts alone, frequencies
 * (nfrequency, Hz) go from 0 to 1/(2 every). `density` (nobservable x nfrequency). NESS_NUMERIC where a part that is
 * watched may end in several closed classes; NESS_LIMIT where it has more than SAMPLED_STATES, with a diagnostic.
 * `threads`: 0 all; no bit depends on them. Cost: states^3 for each doubling from the fastest event to the slowest
 * relaxation, and states^2 for each of those and each frequency. */
ness_status sampled_find(const ness_network *net, const cme_solution *solution, int32_t nobservable,
                         const spectral_observable *observable, int32_t nfrequency, const double *frequency,
                         double every, int32_t threads, ness_diags *diags, double *density);

#endif
