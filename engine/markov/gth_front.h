/* The dense part of gth.c: one front of p pivots and c states that stay. The order of all additions into an entry is
 * fixed, whoever makes them. */
#ifndef ENGINE_MARKOV_GTH_FRONT_H
#define ENGINE_MARKOV_GTH_FRONT_H

#include "engine/base/base.h"

#define FRONT_PANEL 32 /* pivots between two updates of what is left of the front */

typedef struct front_block {
  int32_t p, c, last; /* pivots, rest; only the first `last` pivots are eliminated */
  double *square;     /* (p x p) in: rates among the pivots; out: above the diagonal rates, on it their sums with all
                         others that leave, below it ratios a_ik / s_k */
  double *up;         /* (p x c) rates from the pivots to the rest */
  double *down;       /* (p x c) transposed: rates, then ratios, from the rest to the pivots */
  double *exit;       /* (p) */
  double *schur;      /* (c x c) rates among the rest, with those through the pivots on return; diagonal unused */
  double *rest_exit;  /* (c) */
  int32_t *fan;       /* (p) out: ratios of the column that are not zero */
  int64_t rounds;     /* out: see gth.h */
  bool thin;          /* out: see gth.h */
} front_block;

/* Doubles of scratch for a front of `rows` rows and columns. */
size_t front_scratch(int32_t rows);

/* `wide`: all threads may take part. NESS_NUMERIC: see gth_factor. */
ness_status front_eliminate(front_block *self, double *scratch, bool wide);

#endif
