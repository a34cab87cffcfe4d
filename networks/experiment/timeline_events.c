/* The events of a run under a moving input as a dump at level events. A replica's thread packs its chunks as the logs
 * come and keeps them; they are written when the replica has its turn. So the bytes do not depend on threads. A chunk
 * ends where a log does: its integrals and its ledger are differences of what the engine has counted. Memory: the
 * packed chunks of the replicas between two folds. Cost: packing. */
#include "networks/experiment/timeline.h"
#include <string.h>

typedef struct timeline_packed {
  void *frame;
  size_t bytes;
} timeline_packed;

typedef struct timeline_track { /* a replica under way */
  arena memory;
  timeline_frame f;
  double since;         /* s: start of the chunk */
  double *before, *now; /* (timeline_width) */
  int64_t chunks, capacity;
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
  const size_t width = timeline_width(of);
  self->before = arena_alloc(&self->memory, width * sizeof *self->before);
  self->now = arena_alloc(&self->memory, width * sizeof *self->now);
  if (timeline_frame_init(&self->f, of, &self->memory)) return self;
  track_free(self);
  return NULL;
}

/* The state from which the next chunk starts. */
static void track_stand(timeline_track *self, const timeline *of, const motion_now *now)
{
  self->since = now->replica->path.t;
  memcpy(self->f.n0, now->replica->n, (size_t)of->nslot * sizeof *self->f.n0);
  timeline_totals(of, now, self->before);
}

ness_status timeline_events(void *context, int64_t replica, const motion_log *log, bool end, const motion_now *now)
{
  timeline *const self = context;
  timeline_track *track = self->track[replica];
  if (!track) {
    track = self->track[replica] = track_create(self);
    if (!track) return NESS_NOMEM;
    track_stand(track, self, now);
    return NESS_OK;
  }
  if (!mem_grow(&track->chunk, &track->capacity, track->chunks + 1, sizeof *track->chunk)) return NESS_NOMEM;
  dump_chunk chunk = {.replica = replica,
                      .index = track->chunks,
                      .last = end,
                      .stop = end ? NESS_STOP_TIME : 0,
                      .t0 = track->since,
                      .t1 = now->replica->path.t,
                      .rows = log->count,
                      .row_time = log->time,
                      .row_dir = log->dir};
  timeline_totals(self, now, track->now);
  timeline_counted(self, track->before, track->now, &track->f, &chunk);
  timeline_packed *const to = &track->chunk[track->chunks];
  const ness_status status = dump_pack(self->net, DUMP_EVENTS, &chunk, &to->frame, &to->bytes);
  if (status != NESS_OK) return status;
  track->chunks++;
  track_stand(track, self, now);
  return NESS_OK;
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
