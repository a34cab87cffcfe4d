/* The course in time of a simulation by an engine that has no grid of its own: engine/motion, engine/hybrid. States at
 * the times of a grid are kept until the end and then summed in the order of replicas, so that the bits do not depend
 * on threads; timeline_dump.c makes a dump of them. Memory: 8 bytes a replica, time and slot, TIMELINE_BYTES at most.
 */
#include "networks/experiment/timeline.h"
#include <math.h>
#include <string.h>

#define TIMELINE_BYTES ((size_t)4 << 30)

ness_status timeline_room(timeline *self, const ness_network *net, const ness_simulate_options *o, int64_t replicas,
                          ness_diags *diags)
{
  size_t rows, cells, bytes;
  *self = (timeline){.net = net, .end = o->time, .nslot = net->nslot, .replicas = replicas};
  if (!(o->every > 0)) return NESS_OK;
  const double times = floor((o->time - o->warmup) / o->every * (1 + 1e-12)) + 1;
  if (!(times <= INT32_MAX) || !size_mul((size_t)replicas, (size_t)times, &rows) ||
      !size_mul(rows, (size_t)net->nslot, &cells) || !size_mul(cells, sizeof(double), &bytes) ||
      bytes > TIMELINE_BYTES) {
    diag_add(diags, NESS_ERROR, "the states of %lld replicas at all these times take more than 4 GB",
             (long long)replicas);
    diag_hint(diags, "make `every` longer, or take fewer replicas");
    return NESS_LIMIT;
  }
  self->times = (int64_t)times;
  self->x = mem_zero(cells + 1, sizeof *self->x);
  self->time = mem_zero((size_t)times, sizeof *self->time);
  for (int64_t k = 0; self->time && k < self->times; k++) self->time[k] = o->warmup + (double)k * o->every;
  return self->x && self->time ? NESS_OK : NESS_NOMEM;
}

void timeline_free(timeline *self)
{
  timeline_tracks_free(self);
  mem_free(self->x);
  mem_free(self->time);
  mem_free(self->total);
  mem_free(self->done);
  dump_abandon(self->writer);
  *self = (timeline){0};
}

double *timeline_place(const timeline *self, int64_t replica, int64_t row)
{
  if (row >= self->times) return NULL;
  return self->x + ((size_t)replica * (size_t)self->times + (size_t)row) * (size_t)self->nslot;
}

ness_status timeline_row(void *context, int64_t replica, int64_t row, double time, const double *x)
{
  const timeline *const self = context;
  double *const place = timeline_place(self, replica, row);
  (void)time;
  if (place) memcpy(place, x, (size_t)self->nslot * sizeof *x);
  return NESS_OK;
}

ness_status timeline_counts(void *context, int64_t replica, int64_t row, double time, const int64_t *n)
{
  const timeline *const self = context;
  double *const place = timeline_place(self, replica, row);
  (void)time;
  for (int32_t i = 0; place && i < self->nslot; i++) place[i] = (double)n[i];
  return NESS_OK;
}

ness_status timeline_sums(const timeline *self, ssa_result *out)
{
  const size_t nslot = (size_t)self->nslot;
  if (self->times < 2) return NESS_OK;
  const size_t grids = (size_t)self->times - 1, rows = grids * (size_t)out->batches;
  out->ngrid = (int32_t)grids;
  out->grid_batches = out->batches;
  out->grid_time = mem_zero(grids, sizeof(double));
  out->grid_replicas = mem_zero(rows, sizeof(int64_t));
  out->grid_sum = mem_zero(rows * nslot + 1, sizeof(double));
  out->grid_sum2 = mem_zero(rows * nslot + 1, sizeof(double));
  if (!out->grid_time || !out->grid_replicas || !out->grid_sum || !out->grid_sum2) return NESS_NOMEM;
  for (size_t k = 0; k < grids; k++) out->grid_time[k] = self->time[k + 1];
  for (int64_t r = 0; r < self->replicas; r++) {
    const size_t batch = (size_t)(r * out->batches / self->replicas);
    for (size_t k = 0; k < grids; k++) {
      const double *const x = self->x + ((size_t)r * (size_t)self->times + k + 1) * nslot;
      const size_t row = batch * grids + k;
      out->grid_replicas[row]++;
      for (size_t i = 0; i < nslot; i++) {
        out->grid_sum[row * nslot + i] += x[i];
        out->grid_sum2[row * nslot + i] += x[i] * x[i];
      }
    }
  }
  return NESS_OK;
}

void timeline_forget(ssa_result *sums)
{
  mem_free(sums->grid_time);
  mem_free(sums->grid_replicas);
  mem_free(sums->grid_sum);
  mem_free(sums->grid_sum2);
}
