/* Does the trajectory remember more than its present state? Tests of the Markov property, which come before any
 * verdict: hidden states, wrong idealisation and missed events break it, and then the test of balance has no level.
 *
 * For a network in which one molecule wanders through states. Four questions, each a chi-square over all states:
 * whether the chance to leave is the same at every age of a visit (exponential dwell times; geometric where the record
 * is sampled); whether the next state depends on the one before; whether where it goes depends on how long it stayed;
 * whether the chance to leave depends on how long the visit before was. Visits that a record or a gap cuts off count as
 * long as they were seen, so that short records are not biased.
 * Cost: 10 ns a jump; memory by states, directions and pairs of them, never by length. */
#ifndef ANALYSIS_MEMORY_H
#define ANALYSIS_MEMORY_H

#include "engine/dump/dump.h"

#define MEMORY_EVENTS (INT64_C(1) << 21) /* of a dump that are looked at: enough to see what matters */
#define MEMORY_TESTS 4

typedef struct memory_counts memory_counts;

typedef struct memory_test {
  const char *name;
  double statistic, freedom; /* freedom 0: nothing could be tested */
  double p;
  int32_t worst;  /* the state with the smallest p, -1 none */
  double worst_p; /* Holm's, over the states of this test: times their number */
} memory_test;

typedef struct memory_result {
  memory_test test[MEMORY_TESTS];
  double p; /* Holm over the tests that could be made; NaN: none */
  int32_t worst;
  int64_t visits;
} memory_result;

/* The slot that a direction takes a molecule from and the one that it brings it to; false when it does anything else.
 */
bool memory_ends(const ness_network *net, int32_t dir, int32_t *from, int32_t *to);

/* NULL in *out where the network is not one molecule that wanders, or too large. `step`: of a sampled record, or
 * the tick of its times; else 0.
 */
ness_status memory_create(const ness_network *net, int64_t replicas, double step, memory_counts **out);
void memory_free(memory_counts *self);
/* A chunk of level events with n0, row_time and row_dir_stored, in the order of each replica. One thread. */
ness_status memory_follow(memory_counts *self, const dump_chunk *chunk);
ness_status memory_finish(memory_counts *self, memory_result *out);

#endif
