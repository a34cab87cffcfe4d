/* Inside the room: all leaves of one replica of a small network side by side, for networks of mass action up to the
 * second order. The factors of the propensities stand in vectors, and the firing of a leaf adds a row to all of them:
 * no index leads to a count, so that an event is a short chain of additions and products. The numbers are those of
 * small.h, and so are the bits. */
#ifndef ENGINE_SSA_ABREAST_H
#define ENGINE_SSA_ABREAST_H

#include "engine/ssa/small.h"

enum {
  ABREAST_GROUPS = SMALL_LEAVES / SMALL_GROUP,
  ABREAST_PLACES = SMALL_LEAVES, /* leaf 4 g + i stands at place lanes i + g */
  ABREAST_ROW = 128              /* numbers of a row, at most: both factors of all leaves, and the counts */
};

typedef struct abreast_net {
  int32_t lanes;  /* groups side by side: 1, 4 or 8; 0: not for this network */
  int32_t counts; /* moving slots, in whole vectors */
  int32_t shift;  /* a row of `change` has 1 << shift numbers: of the first factors, the second, the counts */
  _Alignas(64) double k[ABREAST_PLACES];
  double change[SMALL_LEAVES * ABREAST_ROW];
} abreast_net;

typedef struct abreast_state {
  double t, since;
  _Alignas(64) double n[SMALL_SLOTS + 4];         /* counts, the constant 1, and places that nobody reads */
  double dwell[SMALL_SLOTS], dwell2[SMALL_SLOTS]; /* (counts) */
  double x[ABREAST_PLACES], y[ABREAST_PLACES];    /* factors: n_a, and n_b + shift_b or 1 */
  int64_t fired[SMALL_LEAVES];
} abreast_state;

/* Makes events with the pairs from `at` on, `most` of them, or fewer when the next would lie behind the horizon or has
 * no finite propensity. Returns how many. The record may be NULL; it has room. */
typedef int32_t (*abreast_run)(const abreast_net *net, abreast_state *state, const rng_pairs *pairs, int32_t at,
                               int32_t most, double horizon, const int32_t *dirs, ssa_record *record);

/* For 1, 4 and 8 lanes. */
extern const abreast_run abreast_plain[3], abreast_avx2[3];

void abreast_compile(const small_net *net, abreast_net *out);
/* The loop for this processor. */
abreast_run abreast_best(const abreast_net *net);
/* The factors from the counts. */
void abreast_load(const small_net *net, const abreast_net *rows, abreast_state *state);

#endif
