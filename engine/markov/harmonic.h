/* Linear systems of a chain that is shaken at a frequency: (i omega - Q) x = b, for a chain that is left from every
 * state. */
#ifndef ENGINE_MARKOV_HARMONIC_H
#define ENGINE_MARKOV_HARMONIC_H

#include "engine/markov/chain.h"

typedef struct harmonic_number {
  double re, im;
} harmonic_number;

typedef struct harmonic harmonic;

/* Orders the states and makes room. NESS_LIMIT where the band of the ordered chain is too much work or memory. The
 * chain has exits and is borrowed; several of them may share one, each with a thread of its own. */
ness_status harmonic_create(const chain *q, harmonic **out);
void harmonic_free(harmonic *self);
/* Eliminates at omega, rad/s, >= 0. NESS_NUMERIC where a state is not left at all and omega is 0. */
ness_status harmonic_factor(harmonic *self, double omega);
/* x (n) from b, in place, at the omega of the last factor. */
void harmonic_solve(harmonic *self, harmonic_number *x);

#endif
