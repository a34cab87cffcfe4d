/* Keeps events in memory up to a fixed number, whole chunks in the order of the file, so that what is kept never
 * depends on threads. Invariant: a piece is a stretch of one replica without a gap, its parts linked in order; when a
 * chunk does not fit any more, nothing that follows is kept. Cost: 12 bytes an event. */
#include "analysis/trace.h"

#include <math.h>

#define TRACE_SLOTS 4096 /* of a network, at most */

ness_status trace_create(const ness_network *net, const dump_run *run, trace **out)
{
  *out = NULL;
  if (net->nslot > TRACE_SLOTS || run->replicas > TRACE_EVENTS) return NESS_OK;
  trace *const self = mem_zero(1, sizeof *self);
  if (self) self->latest = mem_zero((size_t)run->replicas + 1, sizeof *self->latest);
  if (!self || !self->latest) {
    mem_free(self);
    return NESS_NOMEM;
  }
  self->net = net;
  self->warmup = run->warmup;
  self->replicas = run->replicas;
  for (int64_t r = 0; r < run->replicas; r++) self->latest[r] = -1;
  *out = self;
  return NESS_OK;
}

void trace_free(trace *self)
{
  if (!self) return;
  mem_free(self->time);
  mem_free(self->dir);
  mem_free(self->part);
  mem_free(self->piece);
  mem_free(self->counts);
  mem_free(self->latest);
  mem_free(self);
}

/* A piece that begins with the part to come. */
static bool piece_add(trace *self, const int64_t *n0)
{
  const int64_t nslot = self->net->nslot;
  if (!mem_grow(&self->piece, &self->piece_room, self->pieces + 1, sizeof *self->piece) ||
      !mem_grow(&self->counts, &self->count_room, (self->pieces + 1) * nslot + 1, sizeof *self->counts))
    return false;
  for (int64_t i = 0; i < nslot; i++) self->counts[self->pieces * nslot + i] = n0[i];
  self->piece[self->pieces++] = self->parts;
  return true;
}

ness_status trace_follow(trace *self, const dump_chunk *chunk)
{
  const double from = fmax(chunk->t0, self->warmup);
  if (self->full || chunk->replica < 0 || chunk->replica >= self->replicas || chunk->rows != chunk->events ||
      !(chunk->t1 > from))
    return NESS_OK;
  if (self->events + chunk->rows > TRACE_EVENTS) {
    self->full = true;
    return NESS_OK;
  }
  const int64_t before = self->latest[chunk->replica], end = self->events + chunk->rows;
  const bool joins = before >= 0 && self->part[before].index + 1 == chunk->index;
  if (!mem_grow(&self->part, &self->part_room, self->parts + 1, sizeof *self->part) ||
      !mem_grow(&self->time, &self->time_room, end + 1, sizeof *self->time) ||
      !mem_grow(&self->dir, &self->dir_room, end + 1, sizeof *self->dir) || (!joins && !piece_add(self, chunk->n0)))
    return NESS_NOMEM;
  for (int64_t r = 0; r < chunk->rows; r++) {
    self->time[self->events + r] = chunk->row_time[r];
    self->dir[self->events + r] = dump_row_dir(chunk, r);
  }
  self->part[self->parts] = (trace_part){.replica = chunk->replica,
                                         .index = chunk->index,
                                         .first = self->events,
                                         .count = chunk->rows,
                                         .t0 = from,
                                         .t1 = chunk->t1,
                                         .next = -1};
  if (joins) self->part[before].next = self->parts;
  self->latest[chunk->replica] = self->parts++;
  self->events = end;
  return NESS_OK;
}

trace_cursor trace_begin(const trace *self, int64_t piece)
{
  return (trace_cursor){self, self->piece[piece], 0};
}

void trace_span(const trace *self, int64_t piece, double *from, double *to)
{
  int64_t at = self->piece[piece];
  *from = self->part[at].t0;
  while (self->part[at].next >= 0) at = self->part[at].next;
  *to = self->part[at].t1;
}
