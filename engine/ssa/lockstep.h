/* Inside the room: replicas of a small network side by side, one a lane, all of them an event further at every step.
 * What a lane does is what small.h says, so its bits are those of small.c; only integrals and counts are kept apart and
 * taken over when a lane leaves. A lane stands in a seat, and whoever drives gives it the next replica when it has
 * paused: the lanes stay full. */
#ifndef ENGINE_SSA_LOCKSTEP_H
#define ENGINE_SSA_LOCKSTEP_H

#include "engine/ssa/states.h"

enum {
  LOCKSTEP_LANES = 8,
  LOCKSTEP_PACKED = SMALL_LEAVES / 8 /* words of counters, eight to a word */
};

typedef double lockstep_row[LOCKSTEP_LANES];
typedef uint64_t lockstep_words[LOCKSTEP_LANES];

/* Everything of the loop, a row a number: (rows x lanes). What happens in an empty seat is of no account: it is idle
 * and never ends a run, whatever its rates come to at the counts that stand there. */
typedef struct lockstep_state {
  _Alignas(64) lockstep_words hi, lo, inc_hi, inc_lo; /* the streams */
  lockstep_row t, since, horizon;
  lockstep_row n[SMALL_PLACES]; /* counts as in small_net, behind them the constant 1, and what tapes work on */
  lockstep_row dwell[SMALL_SLOTS], dwell2[SMALL_SLOTS];
  lockstep_row a[SMALL_LEAVES + 1]; /* of leaves with a tape or a reverse with one; behind them the constant 1 */
  lockstep_row c[SMALL_LEAVES];
  lockstep_row mean;                      /* out: of the wait, 1 / the last sum */
  lockstep_row entropy;                   /* of events of steps with a tape */
  lockstep_row up, down;                  /* and their ratio */
  lockstep_words power;                   /* int64_t */
  double by[SMALL_SLOTS][SMALL_LEAVES];   /* what the firing of a leaf adds to a slot that moves */
  lockstep_words fired[SMALL_LEAVES];     /* by rows: how often, lane by lane */
  lockstep_words leaf;                    /* that fires */
  lockstep_words lane;                    /* its number */
  uint64_t own[SMALL_LEAVES];             /* by leaf: where its propensity is in a; without a reverse the 1 */
  uint64_t back[SMALL_LEAVES];            /* and that of its reverse */
  lockstep_words packed[LOCKSTEP_PACKED]; /* events since they were last emptied, a byte a leaf */
  lockstep_words idle;                    /* -1 in empty seats, else 0 */
  lockstep_words stay;                    /* out: 0 for lanes that cannot make the next step, else -1 */
  lockstep_words row;                     /* where the row of few states begins, in words; UINT64_MAX not known */
} lockstep_state;

/* At most `steps` events in every lane; ends before the step that some lane cannot make. Returns the events made. All
 * indices of slots in rates and all places of tapes are times LOCKSTEP_LANES. */
typedef int32_t (*lockstep_run)(const small_net *net, lockstep_state *state, int32_t steps);
/* The same with all lanes on rows. Of n and c only what a pause needs is kept. */
typedef int32_t (*lockstep_rows)(const small_net *net, const states_table *states, lockstep_state *state,
                                 int32_t steps);

typedef struct lockstep_loops {
  lockstep_run run;
  lockstep_rows rows;
} lockstep_loops;

typedef struct lockstep {
  const small_net *net;
  small_net scaled;           /* for the loops */
  const states_table *states; /* NULL: too many */
  lockstep_loops loops;
  lockstep_state *state;
  ssa_replica *seat[LOCKSTEP_LANES]; /* NULL: empty */
  double t_stop[LOCKSTEP_LANES];
  int64_t left[LOCKSTEP_LANES]; /* events until the lane pauses */
  int32_t taken;                /* seats that are not empty */
  int32_t packed;               /* steps since all counters were empty: what a byte may hold at most */
} lockstep;

/* Bytes of work memory that begins on a cache line. */
size_t lockstep_size(void);
/* The network and its states are borrowed. */
void lockstep_init(lockstep *self, const small_net *net, const states_table *states, void *memory);
/* Puts a replica into an empty seat; it is borrowed until it has paused. */
void lockstep_seat(lockstep *self, int32_t lane, ssa_replica *replica, double t_stop, int64_t max_events);
/* Runs until at least one lane pauses, as ssa_advance would have: *pause says why, and its seat is empty again. Returns
 * the lane. */
int32_t lockstep_next(lockstep *self, ssa_pause *pause);
/* Takes the replica out of its seat as it is, before its next event. */
void lockstep_leave(lockstep *self, int32_t lane);

/* For each level of instructions (lockstep_run.h); the last two on x86-64 alone. */
extern const lockstep_loops lockstep_plain, lockstep_avx2, lockstep_avx512;

#endif
