/* See replicas.h. Invariant: no lane is folded before its block has ended, and none out of order. Cost: a barrier a
 * block, a clock a block. */
#include "engine/replicas/replicas.h"

#include <omp.h>
#include <time.h>

#define REPLICAS_TICK 0.2 /* s between two calls of progress */

static double replicas_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool replicas_stop(replicas_job *self)
{
  bool stop;
#pragma omp atomic read
  stop = self->stop;
  if (!stop && interrupt_pending()) {
    stop = true;
#pragma omp atomic write
    self->stop = true;
  }
  return stop;
}

static ness_status replicas_block(replicas_job *self, int64_t first, int32_t threads)
{
  const int64_t left = self->count - first, count = left < self->lanes ? left : self->lanes;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) default(none) shared(self, first, count)
  for (int64_t i = 0; i < count; i++) {
    self->run(self->context, i, first + i);
  }
  for (int64_t i = 0; i < count; i++) {
    const ness_status status = self->fold(self->context, i);
    if (status) {
      return status;
    }
  }
  return NESS_OK;
}

ness_status replicas_all(replicas_job *self)
{
  const int32_t most = self->threads > 0 ? self->threads : omp_get_max_threads();
  const int32_t threads = (int64_t)most < self->lanes ? most : (int32_t)(self->lanes > 0 ? self->lanes : 1);
  const double start = replicas_clock();
  double last = start;
  for (int64_t first = 0; first < self->count; first += self->lanes) {
    const ness_status status = replicas_block(self, first, threads);
    if (status) {
      return status;
    }
    const int64_t done = first + self->lanes < self->count ? first + self->lanes : self->count;
    const double now = replicas_clock();
    if (self->progress && now - last >= REPLICAS_TICK) {
      last = now;
      self->stop = self->stop || self->progress(self->progress_context, (double)done, (double)self->count, self->events,
                                                now - start) != 0;
    }
    if (self->stop) {
      return NESS_STOPPED;
    }
  }
  return NESS_OK;
}
