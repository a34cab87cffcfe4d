/* Loop erasure: a trajectory becomes a path without loops plus the cycles cut from it, counted by direction (Jiang,
 * Qian and Qian 2004; Hill's cycle completions).
 *
 * The network is split into parts that share no slot; each part is a Markov chain of its own and is erased by itself in
 * the space of its counts. Parallel steps are different edges. States are numbered as they are met, by all threads
 * together; a part with too many states is given up as a whole, which does not depend on threads either.
 * Cost: O(1) a jump amortised, 2 to 20 ns; memory bounded by the limits below. */
#ifndef ANALYSIS_LOOPS_H
#define ANALYSIS_LOOPS_H

#include "engine/cme/cme.h"
#include "engine/dump/dump.h"

#define LOOP_STATES 4096 /* of a part */
#define LOOP_EDGES 65536 /* of all parts: transitions that happened */
#define LOOP_CYCLES 4096 /* kept apart */
#define LOOP_PARTS 64
#define LOOP_WALKERS 65536 /* replicas followed at a time */

typedef struct loops loops;
typedef struct loop_walker loop_walker;   /* where a replica stands: between its chunks */
typedef struct loop_counter loop_counter; /* counts of a stretch, a thread's */

typedef struct loop_cycle {
  int32_t part, length;
  const int32_t *dir;                   /* (length) the orientation that is called forward */
  int64_t paths;                        /* different cycles of states that run these steps, as far as told apart */
  const double *forward, *backward;     /* (batches) completions */
  double exact_forward, exact_backward; /* 1/s; NaN unknown */
} loop_cycle;

typedef struct loop_edge { /* a transition and its way back, forward the one with the even direction */
  int32_t part, step;
  const double *forward, *backward; /* (batches); NULL: never ran that way */
} loop_edge;

/* NULL when memory is out. */
loops *loops_create(const ness_network *net, int32_t batches);
void loops_free(loops *self);
bool loops_alive(const loops *self); /* some part is still followed */

/* The walker of a replica, made when it is new; NULL when memory is out. One thread. */
loop_walker *loops_walker(loops *self, int64_t replica);
void loops_walker_end(loops *self, int64_t replica);

loop_counter *loop_counter_create(const loops *self);
void loop_counter_free(loop_counter *self);

typedef struct loop_tally { /* what a chunk gave: lists in the order of its stretches */
  struct loop_entry *entry;
  int64_t entries, entry_room;
  struct loop_passage *passage;
  int64_t passages, passage_room;
  int32_t *sequence; /* edges of cycles */
  int64_t sequences, sequence_room;
} loop_tally;

/* Takes the walker to the start of a chunk: goes on when it stands there, begins anew when not. Any thread. */
ness_status loop_enter(loops *self, loop_walker *walker, const dump_chunk *chunk, loop_tally *out);
/* Follows rows from ... to - 1 of the chunk (row_dir_stored, n0) and adds what they completed to `out`, for `batch`. */
ness_status loop_follow(loops *self, loop_walker *walker, loop_counter *counter, const dump_chunk *chunk, int64_t from,
                        int64_t to, int32_t batch, loop_tally *out);
void loop_tally_free(loop_tally *self);
/* Adds a chunk's lists to the whole. One thread, in file order; others may follow what comes behind. */
ness_status loops_fold(loops *self, const loop_tally *tally);

/* After the last chunk: sorts cycles (most frequent first) and edges (by part, state, direction). */
ness_status loops_finish(loops *self);
int32_t loops_parts(const loops *self);
int64_t loops_states(const loops *self, int32_t part);     /* -1: given up */
const char *loops_reason(const loops *self, int32_t part); /* why it was given up, NULL: it was not */
bool loops_joint(const loops *self, int32_t part);         /* some slot held more than one copy */
int64_t loops_cycles(const loops *self);
loop_cycle loops_cycle(const loops *self, int64_t index);
double loops_unlisted(const loops *self); /* completions beyond LOOP_CYCLES */
int64_t loops_edges(const loops *self);
loop_edge loops_edge(const loops *self, int64_t index);
int64_t loops_rank(const loops *self); /* independent cycles of the graph of reversible edges seen both ways */
/* Exact fluxes beside the counted ones, where a part of the solution has the same states. */
ness_status loops_exact(loops *self, const cme_solution *solution, const cme_cycles *cycles);

#endif
