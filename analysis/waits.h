/* How long a molecule stays in each state, and how long it takes from one to another. */
#ifndef ANALYSIS_WAITS_H
#define ANALYSIS_WAITS_H

#include "analysis/sequences.h"
#include "engine/dump/dump.h"

typedef struct waits waits;

/* For a network in which one molecule wanders (memory_ends holds for every direction). Memory: by states and replicas
 * under way, never by length. */
ness_status waits_create(const ness_network *net, int64_t replicas, waits **out);
void waits_free(waits *self);
/* A chunk of level events with n0, row_time and row_dir_stored, in the order of each replica. One thread. */
ness_status waits_follow(waits *self, const dump_chunk *chunk);
ness_status waits_finish(waits *self);               /* after the last chunk */
const sequences *waits_sequences(const waits *self); /* of the states visited */

#endif
