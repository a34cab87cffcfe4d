/* Replicas in blocks over OpenMP threads. Each lane holds one replica at a time; a block's replicas run in parallel and
 * are then folded one by one, so what is summed does not depend on the number of threads, and of several failures the
 * first replica's is told. */
#ifndef ENGINE_REPLICAS_H
#define ENGINE_REPLICAS_H

#include "engine/base/base.h"
#include <ness/simulate.h>

typedef struct replicas_job {
  int64_t count, lanes;
  int32_t threads; /* 0: all that OpenMP gives */
  /* Runs a replica in a lane; called from any thread, each lane by one at a time. */
  void (*run)(void *context, int64_t lane, int64_t index);
  /* Adds it to the sums, or says why it failed. In the order of replicas. */
  ness_status (*fold)(void *context, int64_t lane);
  void *context;
  ness_progress progress; /* may be NULL */
  void *progress_context;
  int64_t events; /* so far, by fold: for progress */
  bool stop;      /* read by replicas_stop */
} replicas_job;

/* NESS_STOPPED on an interrupt that a replica saw, or where progress asks for it. */
ness_status replicas_all(replicas_job *self);
/* Whether to stop: replicas ask now and then. */
bool replicas_stop(replicas_job *self);

#endif
