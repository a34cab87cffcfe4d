/* The innermost loops of an elimination, compiled for what the processor has. All versions give the same bits: they
 * differ in how many independent entries they work on at a time, never in the order of a sum, and multiplications and
 * additions are rounded separately. */
#ifndef ENGINE_MARKOV_GTH_TILE_H
#define ENGINE_MARKOV_GTH_TILE_H

#include "engine/base/base.h"
#include "engine/base/simd.h"

#define TILE 8 /* rows and columns */

typedef struct tile_kernels {
  /* acc (TILE x TILE) = sum over k < depth of a[k][i] b[k][j], the k ascending */
  void (*multiply)(double *restrict acc, const double *restrict a, const double *restrict b, int32_t depth);
  /* y += f x */
  void (*add)(double *restrict y, double f, const double *restrict x, size_t count);
} tile_kernels;

/* The fastest of simd_best. */
const tile_kernels *tile_best(void);

#endif
