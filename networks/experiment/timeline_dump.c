/* The course of a simulation as a dump at level grid: rows of whole counts, for engines that write none of their own.
 * Real slots are rounded; so are the integrals of steps that flow, as differences of rounded totals, so that chunks add
 * up to the whole. A chunk is written when all that it covers was counted; chunks stand in the order of replicas, all
 * of one behind another. There is no state of a generator in it, and no way to go on. Memory: that of the timeline, and
 * a total a chunk. Cost: O(steps, slots) a row while it runs. */
#include "networks/experiment/experiment.h"
#include <math.h>
#include <string.h>

#if defined(__clang__)
#define TIMELINE_COMPILER "clang " __clang_version__
#else
#define TIMELINE_COMPILER "gcc " __VERSION__
#endif

/* fired (2 nstep), dwell, dwell2 (nslot each), counted time, events. */
static size_t timeline_width(const ness_network *net)
{
  return 2 * (size_t)net->nstep + 2 * (size_t)net->nslot + 2;
}

ness_simulate_options timeline_options(const ness_simulate_options *given)
{
  ness_simulate_options out = *given;
  if (out.path && !(out.every > 0)) out.every = (out.time - out.warmup) / 100;
  return out;
}

ness_status timeline_create(timeline *self, const ness_simulate_options *o, const char *method, const char *model_text,
                            const char *settings, ness_diags *diags)
{
  if (!o->path) return NESS_OK;
  if (!o->level || strcmp(o->level, "grid") != 0) {
    diag_add(diags, NESS_ERROR, "a run by %s writes dumps at level grid alone", method);
    diag_hint(diags, "add --level grid, and --every for the distance of times");
    return NESS_USAGE;
  }
  size_t chunks, cells;
  const size_t replicas = (size_t)self->replicas;
  self->chunk_rows = dump_chunk_rows(self->net, DUMP_GRID);
  self->chunks = self->times > 1 ? (self->times - 2) / self->chunk_rows + 1 : 1;
  if (!size_mul(replicas, (size_t)self->chunks, &chunks) || !size_mul(chunks, timeline_width(self->net), &cells))
    return NESS_LIMIT;
  self->total = mem_zero(cells, sizeof *self->total);
  self->done = mem_zero(replicas, sizeof *self->done);
  if (!self->total || !self->done) return NESS_NOMEM;
  const dump_run run = {.model_text = model_text,
                        .overrides = settings ? settings : "",
                        .command = o->command ? o->command : "",
                        .version = ness_version_text(),
                        .machine = TIMELINE_COMPILER,
                        .method = method,
                        .level = DUMP_GRID,
                        .seed = o->seed,
                        .replicas = self->replicas,
                        .block = 1,
                        .time = o->time,
                        .warmup = o->warmup,
                        .every = o->every};
  return dump_create(o->path, o->overwrite != 0, self->net, &run, diags, &self->writer);
}

/* --- while it runs --- */

/* Where the totals at a row go, NULL: no chunk ends there. */
static double *timeline_total(timeline *self, int64_t replica, int64_t row)
{
  const bool end = row < 0;
  if (!end && (row == 0 || row % self->chunk_rows != 0)) return NULL;
  const int64_t chunk = end ? self->chunks - 1 : row / self->chunk_rows - 1;
  if (chunk >= self->chunks - 1 && !end) return NULL;
  self->done[replica] = chunk + 1;
  return self->total + (size_t)(replica * self->chunks + chunk) * timeline_width(self->net);
}

ness_status timeline_flown(void *context, int64_t replica, int64_t row, const hybrid_now *now)
{
  timeline *const self = context;
  const size_t steps = 2 * (size_t)self->net->nstep, slots = (size_t)self->nslot;
  double *const to = timeline_total(self, replica, row);
  if (!to) return NESS_OK;
  memcpy(to, now->fired, steps * sizeof *to);
  memcpy(to + steps, now->dwell, slots * sizeof *to);
  memcpy(to + steps + slots, now->dwell2, slots * sizeof *to);
  to[steps + 2 * slots] = now->counted;
  to[steps + 2 * slots + 1] = (double)now->events;
  return NESS_OK;
}

ness_status timeline_moved(void *context, int64_t replica, int64_t row, const motion_replica *now)
{
  timeline *const self = context;
  const int32_t steps = 2 * self->net->nstep, slots = self->nslot;
  double *const to = timeline_total(self, replica, row);
  if (!to) return NESS_OK;
  for (int32_t i = 0; i < steps; i++) to[i] = (double)now->fired[i];
  for (int32_t i = 0; i < slots; i++) {
    to[steps + i] = now->slot[i].dwell;
    to[steps + slots + i] = now->slot[i].dwell2;
  }
  to[steps + 2 * slots] = now->settled - now->start;
  to[steps + 2 * slots + 1] = (double)now->events;
  return NESS_OK;
}

/* --- at the end --- */

typedef struct timeline_frame { /* columns of a chunk */
  int64_t *n0, *fwd, *bwd, *count;
  double *dwell, *dwell2, *time;
} timeline_frame;

static void timeline_round(const timeline *self, int64_t replica, int64_t row, int64_t *out)
{
  const double *const x = self->x + (size_t)(replica * self->times + row) * (size_t)self->nslot;
  for (int32_t i = 0; i < self->nslot; i++) out[i] = llround(fmax(x[i], 0));
}

/* What was counted in a chunk. A direction that noise drives below nothing counts for the other way. */
static void timeline_counted(const timeline *self, const double *before, const double *now, timeline_frame *out)
{
  const int32_t nstep = self->net->nstep, nslot = self->nslot;
  for (int32_t s = 0; s < nstep; s++) {
    const int64_t fwd = llround(now[2 * s]) - (before ? llround(before[2 * s]) : 0);
    const int64_t bwd = llround(now[2 * s + 1]) - (before ? llround(before[2 * s + 1]) : 0);
    out->fwd[s] = (fwd > 0 ? fwd : 0) + (bwd < 0 ? -bwd : 0);
    out->bwd[s] = (bwd > 0 ? bwd : 0) + (fwd < 0 ? -fwd : 0);
  }
  for (int32_t i = 0; i < nslot; i++) {
    const int32_t at = 2 * nstep + i;
    out->dwell[i] = now[at] - (before ? before[at] : 0);
    out->dwell2[i] = now[at + nslot] - (before ? before[at + nslot] : 0);
  }
}

static ness_status timeline_chunk(timeline *self, int64_t replica, int64_t index, timeline_frame *f, ness_diags *diags)
{
  const size_t width = timeline_width(self->net);
  const double *const now = self->total + (size_t)(replica * self->chunks + index) * width;
  const double *const before = index > 0 ? now - width : NULL;
  const int64_t first = index * self->chunk_rows, left = self->times - 1 - first;
  const bool last = index == self->chunks - 1;
  dump_chunk chunk = {.replica = replica,
                      .index = index,
                      .last = last,
                      .stop = last ? NESS_STOP_TIME : 0,
                      .t0 = fmin(self->time[first], self->end),
                      .n0 = f->n0,
                      .fwd = f->fwd,
                      .bwd = f->bwd,
                      .dwell = f->dwell,
                      .dwell2 = f->dwell2,
                      .rows = left < self->chunk_rows ? left : self->chunk_rows,
                      .row_time = f->time,
                      .row_count = f->count};
  chunk.t1 = last ? self->end : self->time[first + chunk.rows];
  chunk.counted = now[width - 2] - (before ? before[width - 2] : 0);
  chunk.events = (int64_t)(now[width - 1] - (before ? before[width - 1] : 0));
  timeline_round(self, replica, first, f->n0);
  timeline_counted(self, before, now, f);
  for (int64_t r = 0; r < chunk.rows; r++) {
    f->time[r] = fmin(self->time[first + 1 + r], self->end);
    timeline_round(self, replica, first + 1 + r, f->count + r * self->nslot);
  }
  void *frame = NULL;
  size_t bytes;
  ness_status status = dump_pack(self->net, DUMP_GRID, &chunk, &frame, &bytes);
  if (status == NESS_OK) status = dump_append(self->writer, frame, bytes, diags);
  mem_free(frame);
  return status;
}

static ness_status timeline_write(timeline *self, ness_diags *diags)
{
  const size_t slots = (size_t)self->nslot + 1, steps = (size_t)self->net->nstep + 1;
  const size_t rows = (size_t)(self->times < self->chunk_rows ? self->times : self->chunk_rows) + 1;
  arena memory = {0};
  timeline_frame f = {.n0 = arena_alloc(&memory, slots * sizeof(int64_t)),
                      .fwd = arena_alloc(&memory, steps * sizeof(int64_t)),
                      .bwd = arena_alloc(&memory, steps * sizeof(int64_t)),
                      .count = arena_alloc(&memory, rows * slots * sizeof(int64_t)),
                      .dwell = arena_alloc(&memory, slots * sizeof(double)),
                      .dwell2 = arena_alloc(&memory, slots * sizeof(double)),
                      .time = arena_alloc(&memory, rows * sizeof(double))};
  ness_status status = memory.failed ? NESS_NOMEM : NESS_OK;
  for (int64_t r = 0; r < self->replicas && status == NESS_OK; r++) {
    for (int64_t i = 0; i < self->done[r] && status == NESS_OK; i++) status = timeline_chunk(self, r, i, &f, diags);
  }
  arena_free(&memory);
  return status;
}

ness_status timeline_close(timeline *self, ness_status status, ness_diags *diags)
{
  if (!self->writer) return status;
  const ness_status written = timeline_write(self, diags);
  const ness_status closed = dump_close(self->writer, status == NESS_OK && written == NESS_OK, diags);
  self->writer = NULL;
  if (status == NESS_STOPPED) {
    int64_t whole = 0;
    for (int64_t r = 0; r < self->replicas; r++) whole += self->done[r] == self->chunks;
    diag_add(diags, NESS_WARNING, "stopped: the dump holds the %lld replicas of %lld that had ended", (long long)whole,
             (long long)self->replicas);
    diag_hint(diags, "it cannot be gone on with: run it again");
    status = NESS_INTERRUPTED;
  }
  return status != NESS_OK ? status : written != NESS_OK ? written : closed;
}
