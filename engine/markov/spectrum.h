/* The relaxation spectrum of a chain: the eigenvalues of its generator nearest to zero, with their modes. */
#ifndef ENGINE_MARKOV_SPECTRUM_H
#define ENGINE_MARKOV_SPECTRUM_H

#include "engine/markov/chain.h"

typedef struct spectrum {
  int32_t count; /* eigenvalues found, by |real part| ascending, conjugate pairs together, positive imaginary first */
  double *real, *imag; /* (count) 1/s */
  double *error;       /* (count) the residual norm of the eigenpair relative to the largest exit rate; 0 unknown */
  double *left_real, *left_imag; /* (count x n) left eigenvectors v Q = lambda v, largest entry 1; NULL unless asked */
  bool complete;                 /* all n eigenvalues */
  bool reversible; /* detailed balance holds to rounding, and a symmetric matrix was solved: every value is real */
} spectrum;

/* The `wanted` (0: all) slowest modes, one more where a conjugate pair would be cut. Closed chains include the
 * eigenvalue 0 of every closed class, exactly. Each closed class and the transient states together are a part, and the
 * spectrum is that of the parts joined; modes are given where there is only one part, else left_real stays NULL. A part
 * of up to 2000 states is solved by LAPACK, and slow values lost in the rounding of fast ones are taken from the
 * inverse instead. Beyond that by Arnoldi's method on the inverse (solver.h), which finds those of smallest modulus.
 * NESS_LIMIT: all of a part beyond 2000 states, or not enough memory; NESS_NUMERIC: no convergence; NESS_USAGE: wanted
 * is negative. */
ness_status spectrum_find(const chain *q, int32_t wanted, bool modes, spectrum *out);
void spectrum_free(spectrum *self);

#endif
