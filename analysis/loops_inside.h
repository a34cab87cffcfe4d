/* Shared by loops_parts.c, loops.c, which numbers states and keeps walkers, loops_follow.c, which follows trajectories,
 * and loops_cycles.c, which collects what they completed. */
#ifndef ANALYSIS_LOOPS_INSIDE_H
#define ANALYSIS_LOOPS_INSIDE_H

#include "analysis/loops.h"

#include <omp.h>
#include <stdatomic.h>

/* Transition of a state in a direction: 0 not met yet, else edge << 32 | state + 1. */
typedef _Atomic uint64_t loop_cell;

typedef struct loop_part {
  int32_t nslot, ndir;
  int32_t *slot;   /* (nslot) */
  int32_t *dir;    /* (ndir) */
  int32_t cap;     /* states that fit */
  int32_t nstate;  /* under the lock */
  int64_t *count;  /* (cap x nslot) */
  loop_cell *cell; /* (cap x ndir) */
  int32_t *table;  /* (2 cap, a power of two) state + 1 by hash of its counts */
  int64_t table_size;
  atomic_bool over; /* given up */
  const char *reason;
  bool mass;  /* all rates by mass action: the affinity of a cycle is that of its steps */
  bool joint; /* some slot held more than one copy */
} loop_part;

typedef struct loop_place {
  int32_t state;
  int32_t edge; /* by which it was left */
  uint64_t key; /* sum of mixed edges up to here */
} loop_place;

typedef struct loop_stack {
  loop_place *place;
  int64_t place_room;
  int32_t *depth;
  int64_t depth_room, depth_known; /* entries before depth_known are set */
  int64_t top;
  bool alive;
} loop_stack;

struct loop_walker {
  int64_t replica, next; /* index of the chunk that comes next */
  int64_t used;          /* clock of the last visit */
  loop_stack *stack;     /* (nparts) */
};

typedef struct loop_edge_data {
  int32_t part, from, to, dir;
} loop_edge_data;

typedef struct loop_entry { /* in a tally: completions of a cycle */
  uint64_t key, name;       /* of this cycle of states; of all that share its total */
  int64_t count;
  int64_t sequence; /* where its edges are in the tally's sequence */
  int32_t length, batch;
  int32_t way; /* 0: it runs as its total is called forward, 1 reversed */
} loop_entry;

typedef struct loop_passage { /* in a tally */
  int64_t count;
  int32_t edge, batch;
} loop_passage;

typedef struct loop_canonical { /* a cycle and its reverse: directions and the states they leave, from their least
                                   rotation */
  int32_t *dir[2], *state[2];
  int32_t *word, *place; /* scratch */
  int32_t *block;        /* all of them */
  int64_t room;
} loop_canonical;

typedef struct loop_map { /* open addressing, key 0 is empty */
  uint64_t *key;
  int64_t *value;
  int64_t size, used;
} loop_map;

typedef struct loop_total {
  int32_t part, length;
  int32_t *dir;
  int64_t paths;
  double *count; /* (2 x batches) forward, backward */
  double sum;    /* of all counts; after loops_finish */
  double exact[2];
} loop_total;

struct loops {
  const ness_network *net;
  int32_t batches, nparts;
  loop_part *part;
  int32_t *step_part;   /* (nstep) */
  int32_t *dir_local;   /* (2 nstep) its number within the part */
  omp_lock_t lock;      /* numbering states and edges */
  bool locked;          /* the lock was made */
  loop_edge_data *edge; /* (LOOP_EDGES) */
  int32_t nedge;
  double *edge_count; /* (batches x edge_room), grown by fold; (nedge x batches) after loops_finish */
  int64_t edge_room;
  loop_map cycle_of;    /* key of a directed cycle of states -> 2 * total + orientation */
  loop_map sequence_of; /* hash of part and canonical directions -> total, for parts of mass action */
  loop_total *total;
  int64_t totals, total_room;
  double unlisted;
  loop_walker **walker;
  int64_t walkers, walker_room;
  loop_map walker_of; /* replica + 1 -> walker */
  int64_t clock;
  int64_t *pair; /* (pairs x 2) edges, forward and backward or -1; after loops_finish */
  int64_t pairs;
  arena memory;
};

static inline uint64_t loop_mix(uint64_t x)
{
  x += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

/* The value of a key, or NULL. */
int64_t *loop_map_find(const loop_map *self, uint64_t key);
/* A new key; false when memory is out. */
bool loop_map_add(loop_map *self, uint64_t key, int64_t value);
void loop_map_free(loop_map *self);

/* Splits the network and makes room for each part; false when memory is out. nparts 0: too many. */
bool loop_parts_build(loops *self);
/* The state of these counts (part's slots), numbered now if it is new; -1 when the part is given up. Under the lock. */
int32_t loop_state(loops *self, int32_t part, const int64_t *counts);
/* The cell of a transition met for the first time; 0 when the part is given up. scratch: (nslot). Takes the lock. */
uint64_t loop_cell_fill(loops *self, int32_t part, int32_t state, int32_t dir, int64_t *scratch);
/* Both orientations of a cycle of edges; returns the one that is called forward, 0 as given, 1 reversed; -1 when memory
 * is out. */
int32_t loop_orient(const loops *self, const int32_t *edges, int32_t n, loop_canonical *out);
/* What cycles of states are told by that share a total, from `out` of loop_orient. Never 0. */
uint64_t loop_name(const loops *self, int32_t part, int32_t n, int32_t way, const loop_canonical *form);
/* Room for a place above the top and for the depth of a state; false when memory is out. */
bool loop_stack_grow(loop_stack *stack, int32_t state);
#endif
