/* Inside the room: how an ensemble is cut up, between plan.c, chunk.c, ensemble.c, fold.c and resume.c. */
#ifndef ENGINE_SSA_ENSEMBLE_H
#define ENGINE_SSA_ENSEMBLE_H

#include "engine/ssa/lockstep.h"

#include <stdatomic.h>

#define SSA_BURST (INT64_C(1) << 16) /* events between two looks at the stop flag and the clock */
#define SSA_UNIT (INT64_C(1) << 20)  /* progress of a whole replica */

/* All that the trajectories and the bytes of a dump depend on. */
typedef struct ssa_plan {
  const ness_network *net; /* borrowed */
  const ssa_kernel *kernel;
  int32_t level; /* dump_level */
  uint64_t seed;
  int64_t replicas, block;
  double time, warmup;  /* s; time may be inf */
  double window, every; /* s */
  int64_t events;       /* 0: no limit */
  int64_t windows;      /* number of windows, INT64_MAX without end, 0 when the level has none */
  int64_t grids;        /* number of grid times */
  int64_t
      grid_batches; /* batches that grid moments are kept for: those of the result, or 1 where that would be large */
  int64_t chunk_rows, chunk_events; /* where a chunk is cut */
  double epsilon;                   /* of an approximate method; 0 for exact ones */
  bool stored, tapes;
} ssa_plan;

/* A replica of the block between two chunks. */
typedef struct ssa_lane {
  int64_t index;
  bool fresh;                             /* has not begun: there is no checkpoint */
  bool redo;                              /* the newest chunk is in the dump, and only its start is known */
  bool ended, ready;                      /* ready: what the round wants of it is done */
  int32_t stop;                           /* ness_stop_reason when ended */
  int64_t chunks, windows, grids, events; /* so far; of a redo: before the chunk */
  int64_t progress;                       /* 0 ... SSA_UNIT */
  /* checkpoint */
  double t;
  int64_t *n; /* (nslot) */
  uint64_t rng[4];
  /* totals so far */
  int64_t *fwd, *bwd;     /* (nstep) */
  double *dwell, *dwell2; /* (nslot) */
  double counted, tape_entropy, energy_start;
  uint64_t digest; /* redo: of the totals of the chunk as it stands in the dump */
  int64_t redo_rows, redo_events;
  int32_t bad_dir; /* when a rate went bad; t and n say where */
  void *frame;     /* packed chunk that waits for its turn */
  size_t frame_bytes;
} ssa_lane;

/* Sums over grid times as integers, so that they do not depend on who adds what when. */
typedef struct ssa_grid_sum {
  uint64_t n;
  rng_u128 n2;
} ssa_grid_sum;

typedef enum ssa_chunk_end { SSA_CHUNK_DONE, SSA_CHUNK_STOPPED, SSA_CHUNK_BAD_RATE, SSA_CHUNK_DIFFERS } ssa_chunk_end;

/* What a thread works with, one of these for each replica that it has in hand. */
typedef struct ssa_worker {
  ssa_replica replica;
  ssa_lane *lane; /* whose chunk this is */
  bool warming;
  int64_t in_chunk, events_before; /* events of the chunk; of the replica at the last target */
  ssa_record record;
  ssa_chunk_end end;
  dump_chunk chunk; /* points into the arrays below */
  int64_t *n0, *fwd, *bwd;
  double *dwell, *dwell2;
  /* rows (NULL when nothing is stored) */
  double *row_time, *row_dwell, *row_tape_entropy;
  int32_t *row_dir;
  int64_t *row_count, *row_fwd, *row_bwd;
  ssa_grid_sum *grid;     /* (grids x nslot) or NULL */
  int64_t *grid_replicas; /* (grids) */
  void *block;
} ssa_worker;

typedef struct ssa_run {
  ssa_plan plan;
  dump_writer *writer; /* NULL: nothing is stored */
  ness_diags *diags;
  ssa_result *result;     /* may be NULL */
  int32_t threads, seats; /* replicas that a thread has in hand: 1, or LOCKSTEP_LANES */
  ssa_worker *worker;     /* (threads x seats) */
  small_net small;        /* with more than one seat */
  states_table *states;   /* of it */
  lockstep *lockstep;     /* (threads) with more than one seat, else NULL */
  void *lockstep_block;
  ssa_lane *lane; /* (plan.block) */
  void *lane_block;
  int64_t first, lanes; /* the present block: its first replica and its size */
  int32_t *list;        /* (plan.block) lanes of the round */
  ness_progress progress;
  void *progress_context;
  double clock_start, clock_last; /* s */
  atomic_bool stop;               /* asked to stop, or failed */
  atomic_int_fast64_t events_done, units_done;
} ssa_run;

/* plan.c */
ness_status ssa_plan_options(ssa_plan *self, const ness_network *net, const ness_simulate_options *options,
                             ness_diags *diags);
ness_status ssa_plan_dump(ssa_plan *self, const ness_network *net, const dump_run *run, ness_diags *diags);
void ssa_plan_run(const ssa_plan *self, dump_run *run);      /* fills the numbers of the run frame */
double ssa_plan_window_end(const ssa_plan *self, int64_t k); /* of window k = 1, 2, ... */
double ssa_plan_grid_time(const ssa_plan *self, int64_t k);

/* chunk.c */
size_t ssa_lane_layout(ssa_lane *self, char *base, const ness_network *net);
/* `grid`: sums over grid times have a place here. */
ness_status ssa_worker_init(ssa_worker *self, const ssa_plan *plan, bool grid);
void ssa_worker_free(ssa_worker *self);
void ssa_lane_begin(ssa_lane *self, const ness_network *net, int64_t index);
/* Advances the lane by a chunk, and before that repeats the chunk of a redo: begin; then as long as true comes back
 * advance self->replica to the target and tell why it paused. At the end self->end says how it went, and self->chunk
 * holds what was counted. A pause may come early (SSA_AT_EVENTS). */
bool ssa_chunk_begin(ssa_run *run, ssa_worker *self, ssa_lane *lane);
void ssa_chunk_target(const ssa_run *run, ssa_worker *self, double *t_stop, int64_t *max_events);
bool ssa_chunk_pause(ssa_run *run, ssa_worker *self, ssa_pause pause);
/* All targets and pauses up to the end. */
void ssa_chunk_finish(ssa_run *run, ssa_worker *self);
void ssa_lane_add(ssa_lane *self, const ness_network *net, const dump_chunk *chunk);
uint64_t ssa_chunk_digest(const ness_network *net, const dump_chunk *chunk);
void ssa_grid_add(ssa_worker *self, const ssa_plan *plan, int64_t replica, int64_t k, const int64_t *n);

/* fold.c */
ness_status ssa_result_init(ssa_result *self, const ssa_plan *plan);
void ssa_result_fold(ssa_result *self, const ssa_plan *plan, const ssa_lane *lane);
/* The sums of all threads: those of the first of each `seats` workers. */
void ssa_result_grid(ssa_result *self, const ssa_plan *plan, const ssa_worker *worker, int32_t threads, int32_t seats);

/* ensemble.c */
ness_status ssa_run_init(ssa_run *self, const ness_simulate_options *options, ssa_result *result);
void ssa_run_free(ssa_run *self);
void ssa_block_begin(ssa_run *self, int64_t first);
void ssa_block_fold(ssa_run *self);
/* Lanes that take part in the block's next round, in order: those that are behind. 0 when all have ended. */
int32_t ssa_block_round(ssa_run *self);
/* From the present block to the end; closes the dump in every case. */
ness_status ssa_run_all(ssa_run *self);
void ssa_tick(ssa_run *self, ssa_lane *lane, double t, int64_t events, int64_t delta);

#endif
