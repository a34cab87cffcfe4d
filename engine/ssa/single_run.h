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

typedef double states_two __attribute__((vector_size(STATES_FILLED * sizeof(double)), aligned(8), may_alias));

/* The integrals of two slots, in registers. */
typedef struct states_areas {
  states_two dwell, dwell2;
} states_areas;

RNG_INLINE void states_integrate(single *s, const states_row *row, states_kind kind, double time, states_areas *two)
{
  if (kind == STATES_ONE) {
    s->dwell[row->filled[0]] += time;
  } else if (kind == STATES_TWO) {
    const states_two x = *(const states_two *)(const void *)row->x, area = x * time;
    two->dwell += area;
    two->dwell2 += x * area;
  } else {
    for (int i = 0; i < STATES_FILLED; i++) {
      const double area = row->x[i] * time;
      s->dwell[row->filled[i]] += area;
      s->dwell2[row->filled[i]] += row->x[i] * area;
    }
  }
}

RNG_INLINE int64_t states_run(single *s, int64_t most, double horizon, ssa_record *record, states_kind kind)
{
  const states_row *const rows = s->states.row, *row = rows + s->row;
  double t = s->t, since = s->since;
  uint64_t at = s->at;
  int64_t made = 0;
  states_areas two;
  memcpy(&two.dwell, s->dwell, sizeof two.dwell);
  memcpy(&two.dwell2, s->dwell2, sizeof two.dwell2);
  for (; made < most; made++) {
    const uint64_t pair = at % RNG_PAIRS;
    const double t_next = t + s->pairs.wait[pair] * row->mean;
    if (!(t_next <= horizon)) break;
    const states_after after = row->after[states_pick(row, s->pairs.choice[pair])];
    states_integrate(s, row, kind, t_next - since, &two);
    s->fired[after.leaf]++;
    t = since = t_next;
    row = states_at(&s->states, after.next);
    pair_taken(s, ++at);
    if (record) single_record(record, t, s->net.dir[after.leaf]);
  }
  if (kind == STATES_ONE) memcpy(s->dwell2, s->dwell, sizeof s->dwell2);
  if (kind == STATES_TWO) {
    memcpy(s->dwell, &two.dwell, sizeof two.dwell);
    memcpy(s->dwell2, &two.dwell2, sizeof two.dwell2);
  }
  s->t = t;
  s->since = since;
  s->at = at;
  s->row = (int32_t)(row - rows);
  return made;
}

static int64_t states_one(single *s, int64_t most, double horizon, ssa_record *record)
{
  return states_run(s, most, horizon, record, STATES_ONE);
}

static int64_t states_both(single *s, int64_t most, double horizon, ssa_record *record)
{
  return states_run(s, most, horizon, record, STATES_TWO);
}

static int64_t states_any(single *s, int64_t most, double horizon, ssa_record *record)
{
  return states_run(s, most, horizon, record, STATES_ANY);
}

#define LANES 1
#include "engine/ssa/abreast_body.h"
#define LANES 4
#include "engine/ssa/abreast_body.h"
#define LANES 8
#include "engine/ssa/abreast_body.h"

#define SINGLE_LOOPS(pairs)                                                                                            \
  {                                                                                                                    \
    pairs, {states_one, states_both, states_any},                                                                      \
    {                                                                                                                  \
      abreast_run_1, abreast_run_4, abreast_run_8                                                                      \
    }                                                                                                                  \
  }
