/* The loops of single.h, compiled once for each level of instructions. */
#include "engine/rng/rng_pairs_step.h"
#include "engine/ssa/single.h"

#include <float.h>
#include <string.h>

#define EACH(k) _Pragma("GCC unroll 4") for (int k = 0; k < PARTS; k++)        /* part of a row of lanes */
#define EVERY(i) _Pragma("GCC unroll 4") for (int i = 0; i < SMALL_GROUP; i++) /* place in a group */

/* `at` pairs have been taken: when the last of a vector has, the next vector of them comes to its places. */
RNG_INLINE void pair_taken(single *s, uint64_t at)
{
  if (at % RNG_WIDTH == 0) pairs_step(&s->pairs, (at - RNG_WIDTH) % RNG_PAIRS);
}

static int64_t states_run(single *s, int64_t most, double horizon, ssa_record *record)
{
  const states_row *const rows = s->states.row, *row = rows + s->row;
  double t = s->t, since = s->since;
  uint64_t at = s->at;
  int64_t made = 0;
  for (; made < most; made++) {
    const uint64_t pair = at % RNG_PAIRS;
    const double t_next = t + s->pairs.wait[pair] / row->total, time = t_next - since;
    if (!(t_next <= horizon)) break;
    const int32_t open = states_pick(row, s->pairs.choice[pair]), leaf = row->leaf[open];
    for (int i = 0; i < STATES_FILLED; i++) {
      const double area = row->x[i] * time;
      s->dwell[row->filled[i]] += area;
      s->dwell2[row->filled[i]] += row->x[i] * area;
    }
    s->fired[leaf]++;
    t = since = t_next;
    row = rows + row->next[open];
    pair_taken(s, ++at);
    if (record) single_record(record, t, s->net.dir[leaf]);
  }
  s->t = t;
  s->since = since;
  s->at = at;
  s->row = (int32_t)(row - rows);
  return made;
}

#define LANES 1
#include "engine/ssa/abreast_body.h"
#define LANES 4
#include "engine/ssa/abreast_body.h"
#define LANES 8
#include "engine/ssa/abreast_body.h"

#define SINGLE_LOOPS(pairs)                                                                                            \
  {                                                                                                                    \
    pairs, states_run,                                                                                                 \
    {                                                                                                                  \
      abreast_run_1, abreast_run_4, abreast_run_8                                                                      \
    }                                                                                                                  \
  }
