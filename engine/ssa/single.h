/* Inside the room: one replica of a small network. Whoever makes its events, they all start from and end in the same
 * numbers: by rows of few states (states.h), with all leaves abreast (abreast.h), or by the plain sums of small.c. The
 * first two are compiled once for each level of instructions, with the making of waits and choices woven in. */
#ifndef ENGINE_SSA_SINGLE_H
#define ENGINE_SSA_SINGLE_H

#include "engine/rng/rng_pairs.h"
#include "engine/ssa/abreast.h"
#include "engine/ssa/states.h"

typedef struct single_step {        /* what the firing of a leaf changes, filled up with changes of nothing */
  int64_t slot[SMALL_STEP_CHANGES]; /* in the order of small_net */
  double by[SMALL_STEP_CHANGES];
} single_step;

typedef struct single single;

/* Makes events, `most` of them, or fewer when the next would lie behind the horizon or has no finite propensity.
 * Returns how many. The record may be NULL; it has room. */
typedef int64_t (*single_run)(single *self, int64_t most, double horizon, ssa_record *record);

typedef struct single_loops {
  const rng_pairs_level *pairs; /* of the same width */
  single_run states[STATES_KINDS], abreast[ABREAST_FORMS];
} single_loops;

extern const single_loops single_plain, single_avx2; /* the second on x86-64 alone */

struct single {
  small_net net;
  const single_loops *loops;
  int32_t row;           /* of few states, or -1 */
  uint64_t at;           /* pairs taken since the ring was started */
  rng_stream from, next; /* the stream before the ring, and at the last pause before pair `at` */
  double t, since;
  double entropy; /* of events of steps with a tape */
  ssa_ratio ratio;
  int64_t fired[SMALL_LEAVES];
  rng_pairs pairs;
  _Alignas(64) double n[SMALL_PLACES];            /* counts, the constant 1, room, and what tapes work on */
  double dwell[SMALL_SLOTS], dwell2[SMALL_SLOTS]; /* of slots that move */
  double a[SMALL_LEAVES], c[SMALL_LEAVES];        /* of the plain sums */
  int32_t changes;                                /* the most that any leaf has */
  single_step step[SMALL_LEAVES];
  abreast_net rows;
  states_table states;
};

static inline void single_record(ssa_record *record, double t, int32_t dir)
{
  record->time[record->rows] = t;
  record->dir[record->rows++] = dir;
}

#endif
