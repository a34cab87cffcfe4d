/* Windows and events of a run under a moving input as a dump at level flux or events. A replica's thread packs its
 * chunks as they fill and keeps them; they are written when the replica has its turn. So the bytes do not depend on
 * threads. Integrals and the ledger of a chunk, and what a window counts, are differences of what the engine has
 * counted. Memory: the packed chunks of the replicas between two folds. Cost: packing. */
#include "networks/experiment/timeline.h"
#include <string.h>

typedef struct timeline_packed {
  void *frame;
  size_t bytes;
} timeline_packed;

typedef struct timeline_windows { /* of a chunk of level flux, (chunk_rows) rows */
  double *time, *dwell;
  int64_t *count, *fwd, *bwd;
  double *before; /* (timeline_width) at the start of the window under way */
} timeline_windows;

typedef struct timeline_track { /* a replica under way */
  arena memory;
  timeline_frame f;
  timeline_windows windows;
  double since;         /* s: start of the chunk */
  double *before, *now; /* (timeline_width) */
  int64_t rows, chunks, capacity;
  timeline_packed *chunk; /* (chunks) */
} timeline_track;

static void track_free(timeline_track *self)
{
  if (!self) return;
  for (int64_t i = 0; i < self->chunks; i++) mem_free(self->chunk[i].frame);
  mem_free(self->chunk);
  arena_free(&self->memory);
  mem_free(self);
}

void timeline_tracks_free(timeline *self)
{
  for (int64_t r = 0; self->track && r < self->replicas; r++) track_free(self->track[r]);
  mem_free(self->track);
  self->track = NULL;
}

static timeline_track *track_create(const timeline *of)
{
  timeline_track *const self = mem_zero(1, sizeof *self);
  if (!self) return NULL;
  arena *const memory = &self->memory;
  const size_t width = timeline_width(of), rows = of->window > 0 ? (size_t)of->chunk_rows + 1 : 0;
  const size_t slots = rows * (size_t)of->nslot + 1, steps = rows * (size_t)of->net->nstep + 1;
  self->before = arena_alloc(memory, width * sizeof *self->before);
  self->now = arena_alloc(memory, width * sizeof *self->now);
  self->windows = (timeline_windows){.time = arena_alloc(memory, (rows + 1) * sizeof(double)),
                                     .dwell = arena_alloc(memory, slots * sizeof(double)),
                                     .count = arena_alloc(memory, slots * sizeof(int64_t)),
                                     .fwd = arena_alloc(memory, steps * sizeof(int64_t)),
                                     .bwd = arena_alloc(memory, steps * sizeof(int64_t)),
                                     .before = arena_alloc(memory, width * sizeof(double))};
  if (timeline_frame_init(&self->f, of, memory)) return self;
  track_free(self);
  return NULL;
}

/* The state from which the next chunk starts, whose totals are in `now`. */
static void track_stand(timeline_track *self, const timeline *of, const motion_now *now)
{
  self->since = now->replica->path.t;
  self->rows = 0;
  memcpy(self->f.n0, now->replica->n, (size_t)of->nslot * sizeof *self->f.n0);
  memcpy(self->before, self->now, timeline_width(of) * sizeof *self->before);
}

/* The replica's track, with the totals of the present in `now`; at the first call it begins. NULL: memory is out. */
static timeline_track *track_at(timeline *of, int64_t replica, const motion_now *now, bool *began)
{
  timeline_track *self = of->track[replica];
  *began = !self;
  if (!self && !(self = of->track[replica] = track_create(of))) return NULL;
  timeline_totals(of, now, self->now);
  if (*began) track_stand(self, of, now);
  return self;
}

/* Packs the chunk that ends at present; its rows and their number are set. */
static ness_status track_pack(timeline_track *self, const timeline *of, int64_t replica, bool end,
                              const motion_now *now, dump_chunk *chunk)
{
  if (!mem_grow(&self->chunk, &self->capacity, self->chunks + 1, sizeof *self->chunk)) return NESS_NOMEM;
  chunk->replica = replica;
  chunk->index = self->chunks;
  chunk->last = end;
  chunk->stop = end ? NESS_STOP_TIME : 0;
  chunk->t0 = self->since;
  chunk->t1 = now->replica->path.t;
  timeline_counted(of, self->before, self->now, &self->f, chunk);
  timeline_packed *const to = &self->chunk[self->chunks];
  const ness_status status =
      dump_pack(of->net, of->window > 0 ? DUMP_FLUX : DUMP_EVENTS, chunk, &to->frame, &to->bytes);
  if (status != NESS_OK) return status;
  self->chunks++;
  track_stand(self, of, now);
  return NESS_OK;
}

ness_status timeline_events(void *context, int64_t replica, const motion_log *log, bool end, const motion_now *now)
{
  bool began;
  timeline_track *const track = track_at(context, replica, now, &began);
  dump_chunk chunk = {.rows = log->count, .row_time = log->time, .row_dir = log->dir};
  if (!track) return NESS_NOMEM;
  return began ? NESS_OK : track_pack(track, context, replica, end, now, &chunk);
}

/* The window that ends at present becomes a row. */
static void window_add(timeline_track *self, const timeline *of, const motion_now *now)
{
  const int32_t nstep = of->net->nstep, nslot = of->nslot;
  const timeline_windows *const to = &self->windows;
  to->time[self->rows] = now->replica->path.t;
  for (int32_t s = 0; s < nstep; s++) {
    to->fwd[self->rows * nstep + s] = (int64_t)(self->now[2 * s] - to->before[2 * s]);
    to->bwd[self->rows * nstep + s] = (int64_t)(self->now[2 * s + 1] - to->before[2 * s + 1]);
  }
  for (int32_t i = 0; i < nslot; i++) {
    to->count[self->rows * nslot + i] = now->replica->n[i];
    to->dwell[self->rows * nslot + i] = self->now[2 * nstep + i] - to->before[2 * nstep + i];
  }
  self->rows++;
}

ness_status timeline_window(void *context, int64_t replica, int64_t row, const motion_now *now)
{
  const timeline *const of = context;
  bool began;
  timeline_track *const track = track_at(context, replica, now, &began);
  if (!track) return NESS_NOMEM;
  const double since = track->rows > 0 ? track->windows.time[track->rows - 1] : track->since;
  const bool end = row < 0, full = track->rows + 1 >= of->chunk_rows && now->replica->path.t < of->end;
  if (!began && now->replica->path.t > since) window_add(track, of, now); /* at the end perhaps a part of one */
  memcpy(track->windows.before, track->now, timeline_width(of) * sizeof *track->now);
  if (began || !(end || full)) return NESS_OK;
  dump_chunk chunk = {.rows = track->rows,
                      .row_time = track->windows.time,
                      .row_count = track->windows.count,
                      .row_fwd = track->windows.fwd,
                      .row_bwd = track->windows.bwd,
                      .row_dwell = track->windows.dwell};
  return track_pack(track, of, replica, end, now, &chunk);
}

ness_status timeline_done(void *context, int64_t replica)
{
  timeline *const self = context;
  timeline_track *const track = self->track[replica];
  ness_status status = NESS_OK;
  for (int64_t i = 0; i < track->chunks && status == NESS_OK; i++)
    status = dump_append(self->writer, track->chunk[i].frame, track->chunk[i].bytes, self->diags);
  track_free(track);
  self->track[replica] = NULL;
  self->chunks++; /* replicas that are written */
  return status;
}
