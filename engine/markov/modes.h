/* Eigenpairs of one part of a chain: an irreducible closed chain, or one with exits that is left for good from every
 * state. Between spectrum.c and its two methods. */
#ifndef ENGINE_MARKOV_MODES_H
#define ENGINE_MARKOV_MODES_H

#include "engine/markov/chain.h"

typedef struct mode { /* a real eigenvalue, or a conjugate pair by its member of positive imaginary part */
  double real, imag;  /* 1/s */
  double error;       /* residual norm over the largest exit rate, 0 unknown */
} mode;

typedef struct mode_list {
  int32_t n, count; /* states; modes */
  mode *mode;       /* (count) */
  double *re, *im;  /* (count x n) left vectors, any length; NULL when not wanted; im of a real mode is 0 */
  bool reversible;
} mode_list;

/* Room for `count` modes. modes_free is due in every case. */
ness_status modes_create(int32_t n, int32_t count, bool vectors, mode_list *out);
void modes_free(mode_list *self);

/* All by LAPACK: memory 8 n^2 some times over, work 25 n^3. */
ness_status modes_dense(const chain *q, bool vectors, mode_list *out);

/* At least `wanted` eigenvalues of smallest modulus, or all there are; the 0 of a closed chain is one of them.
 * NESS_NUMERIC also where a residual is larger than 1e-6 of its value and than 1e-12 of the fastest rate. */
ness_status modes_arnoldi(const chain *q, int32_t wanted, bool vectors, mode_list *out);

/* Fills error of mode `at` from its vector (im NULL: real); returns the largest rate out of a state. `work` (2 n). */
double modes_residual(const chain *q, const double *re, const double *im, double *work, mode *at);

/* NESS_OK for info 0, else what a return of LAPACKE means here. */
ness_status lapack_status(int info);

#endif
