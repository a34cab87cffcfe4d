/* Inside the room: all leaves of one replica side by side, for networks of mass action up to the second order. The
 * factors of the propensities stand in vectors, and the firing of a leaf adds a row to all of them: no index leads to a
 * count, so that an event is a short chain of additions and products. The numbers are those of small.h, and so are the
 * bits. */
#ifndef ENGINE_SSA_ABREAST_H
#define ENGINE_SSA_ABREAST_H

#include "engine/ssa/small.h"

enum {
  ABREAST_FORMS = 3,             /* 1, 4 and 8 lanes */
  ABREAST_PLACES = SMALL_LEAVES, /* leaf 4 g + i stands at place lanes i + g */
  ABREAST_ROW = 128              /* numbers of a row, at most: both factors of all leaves, and the counts */
};

typedef struct abreast_net {
  int32_t form;   /* of the loops; -1: not for this network */
  int32_t lanes;  /* groups side by side */
  int32_t counts; /* moving slots, in whole vectors */
  int32_t shift;  /* a row of `change` has 1 << shift numbers: of the first factors, the second, the counts */
  _Alignas(64) double k[ABREAST_PLACES];
  double change[SMALL_LEAVES * ABREAST_ROW];
  double x[ABREAST_PLACES], y[ABREAST_PLACES]; /* now: n_a, and n_b + shift_b or 1 */
} abreast_net;

/* Into zeroed memory. */
void abreast_compile(const small_net *net, abreast_net *out);
/* The factors from the counts. */
void abreast_load(abreast_net *self, const small_net *net, const double *n);

#endif
