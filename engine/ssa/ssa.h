/* Exact simulation: a kernel advances one replica, the ensemble advances many over OpenMP and folds what they counted.
 *
 * Streams belong to replicas (seed, replica, purpose 0), never to threads; results fold in the order of replicas into a
 * fixed number of batches. So every number is the same, bit for bit, for any number of threads, and for a stopped and
 * resumed run. */
#ifndef ENGINE_SSA_H
#define ENGINE_SSA_H

#include "engine/dump/dump.h"
#include "engine/model/model.h"
#include "engine/rng/rng.h"
#include <ness/simulate.h>

/* --- one replica --- */

typedef struct ssa_kernel ssa_kernel; /* operations of a method (kernel.h) */

/* A slot's integrals of counted time, brought up to date only when its count changes: the count has been as it is since
 * `since`. ssa_settle brings all of them to the present. */
typedef struct ssa_slot {
  double since;  /* s */
  double dwell;  /* integral of n, s */
  double dwell2; /* integral of n^2, s */
} ssa_slot;

/* up / down times 2^power, both in [1, 2). */
typedef struct ssa_ratio {
  double up, down;
  int64_t power;
} ssa_ratio;

typedef struct ssa_replica {
  double t;   /* s */
  int64_t *n; /* (nslot + 1) counts, and behind them the constant 1 */
  rng_stream rng;
  /* The waiting time that was drawn but has not ended. It counts from t_event, the time of the last event, or of the
   * last try of a method that rejects some. */
  bool pending;
  double t_event, t_next; /* s */
  rng_stream rng_event;   /* the generator before the pending draw */
  /* what was counted since ssa_clear */
  int64_t events;
  int64_t *fwd, *bwd;  /* (nstep) */
  ssa_slot *slot;      /* (nslot) lazy: call ssa_settle before reading */
  double settled;      /* time up to which `counted` goes */
  double counted;      /* s, by ssa_settle */
  double tape_entropy; /* k_B: sum of ln(a_d before / a_reverse after) over events of reversible steps with a tape, but
                          for those in `ratio`: call ssa_settle before reading */
  ssa_ratio ratio;     /* product of a_d before / a_reverse after over events not yet in the sum */
  double epsilon;      /* of an approximate method; set after init, SSA_EPSILON till then */
  /* memory */
  void *work;  /* the kernel's */
  void *block; /* the one allocation that holds all of the above */
} ssa_replica;

/* Why ssa_advance came back. */
typedef enum ssa_pause {
  SSA_AT_TIME,     /* t == t_stop: right-continuous state of that time */
  SSA_AT_EVENTS,   /* max_events fired; t is the time of the last */
  SSA_ABSORBED,    /* no direction is open; t has gone to t_stop, or stays where t_stop is infinite */
  SSA_RECORD_FULL, /* the record has no room left; t is the time of the last event */
  SSA_BAD_RATE     /* a propensity is negative, NaN or infinite: bad_dir says which */
} ssa_pause;

typedef struct ssa_record { /* events as they fire */
  double *time;
  int32_t *dir;
  int64_t rows, capacity;
} ssa_record;

#define SSA_EPSILON 0.03 /* Cao, Gillespie & Petzold 2006 */

/* The kernel of a method for a network: "direct"; "composition" and rejection, whose cost does not grow with the
 * network; "jumps" of networks of few states, many a draw; "batch", exact leaps over many events; or "tau", approximate
 * ones. NULL: one of the first two, by the number of open directions alone. Returns NULL for an unknown name. */
const ssa_kernel *ssa_kernel_find(const char *name, const ness_network *net);
const char *ssa_kernel_name(const ssa_kernel *kernel);
const char *ssa_kernel_form(const ssa_kernel *kernel); /* how it is carried out: "tree of sums", ... */

/* One allocation; the replica may be freed after a failure. It serves one trajectory after another by start or load. */
ness_status ssa_replica_init(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel);
void ssa_replica_free(ssa_replica *self);
size_t ssa_replica_bytes(const ness_network *net, const ssa_kernel *kernel); /* SIZE_MAX when it does not fit */
/* Start of replica `index` (0 ... 2^32 - 1): initial counts, its stream, nothing counted. */
void ssa_replica_start(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel, uint64_t seed,
                       int64_t index);
/* From a checkpoint, nothing counted. Returns false when rng is no generator state. */
bool ssa_replica_load(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel, double t, const int64_t *n,
                      const uint64_t rng[4]);
/* Begins to count anew at the present time. */
void ssa_clear(ssa_replica *self, const ness_network *net);
/* Brings all integrals to the present. Apart from advancing, so that a pause rounds nothing. */
void ssa_settle(ssa_replica *self, const ness_network *net);

/* Advances until t_stop or until max_events more events have fired (0: no limit) or the record (NULL: none) is full.
 * Pausing and going on gives the same trajectory and the same counts as not pausing, bit for bit: a waiting time that
 * reaches beyond t_stop is kept, not redrawn. A method of leaps pauses between two of them with SSA_AT_EVENTS as well,
 * before all max_events have fired; its leaps end at t_stop, so there the law goes on, with other bits. It keeps no
 * record. */
ssa_pause ssa_advance(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel, double t_stop,
                      int64_t max_events, ssa_record *record, int32_t *bad_dir);

/* The time since which the counts have not changed, and the generator before the pending draw. A load goes on from
 * there with the same law; with the same bits where the method is "direct", whose numbers are functions of the counts,
 * and by any method after ssa_rebase. */
void ssa_checkpoint(const ssa_replica *self, double *t, uint64_t rng[4]);
/* Gives up the pending draw and what a method remembers beyond the counts: what follows is what follows a load of the
 * present (t, n, rng), bit for bit. Exact in law, since a waiting time forgets its age; t must have been fixed without
 * looking at the pending draw. O(directions). */
void ssa_rebase(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel);

/* --- the ensemble --- */

#define SSA_BATCHES 64
/* A chunk ends at the first chance after so many events, and in a large network after so many for each direction: to
 * begin and to end one costs as much as an event for every other direction. */
#define SSA_CHUNK_EVENTS (INT64_C(1) << 20)
#define SSA_CHUNK_SHARE 8

/* Sums over the replicas of a batch, in replica order; (batches x ...) row-major. The base of every estimate: any
 * expression of rates and means gets its error from leaving out one batch at a time. */
typedef struct ssa_result {
  const char *method, *form; /* of the kernel */
  double epsilon;            /* of an approximate method; 0 for exact ones */
  size_t replica_bytes;      /* of one that is in hand */
  int32_t batches;           /* min(replicas, SSA_BATCHES): replica r falls in batch r * batches / replicas */
  int64_t replicas, events;
  double *counted;        /* (batches) s */
  double *fwd, *bwd;      /* (batches x nstep) events */
  double *dwell, *dwell2; /* (batches x nslot) */
  double *tape_entropy;   /* (batches) */
  double *free_energy;    /* (batches) sum of G(end) - G(start of counting), kT */
  int64_t absorbed;       /* replicas that ended in an absorbing state */
  /* grid: present when options.every > 0 or the level is grid; counts at warmup + every, warmup + 2 every, ... */
  int32_t ngrid;
  double *grid_time;      /* (ngrid) */
  int32_t grid_batches;   /* `batches`, or 1 where so many moments would be too large */
  int64_t *grid_replicas; /* (grid_batches x ngrid) replicas that reached the time: all, unless options.events stops
                             some before */
  double *grid_sum, *grid_sum2; /* (grid_batches x ngrid x nslot) over replicas */
} ssa_result;

/* Runs the ensemble. `model_text` and `overrides` go into the dump when options->path is set. result may be NULL; it is
 * filled only when the call returns NESS_OK, and is safe to free in any case. Stops at a request to interrupt with
 * NESS_STOPPED, leaving a dump that ssa_resume continues to the same bytes.
 * Each replica is cut into chunks: after as many events as SSA_CHUNK_EVENTS says, or at the end of a window or at a
 * grid time when so many events have passed or dump_chunk_rows rows are full. A cut at a given time, as the end of the
 * warmup is one, calls ssa_rebase: a chunk can be repeated from its start alone. The cuts depend on the options and the
 * network, not on path. */
ness_status ssa_ensemble(const ness_network *net, const ness_simulate_options *options, const char *model_text,
                         const char *overrides, ness_diags *diags, ssa_result *result);
/* Continues a dump; of the options (may be NULL) only threads and progress count. A finished dump gives its result and
 * a note. NESS_FORMAT when the dump is damaged before its end, or when this program does not repeat what it holds. */
ness_status ssa_resume(const char *path, const ness_simulate_options *options, ness_diags *diags, ssa_result *result);
void ssa_result_free(ssa_result *self);

#endif
