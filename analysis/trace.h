/* The first events of a file as they happened, kept so that a chapter may go over them as often as it needs. */
#ifndef ANALYSIS_TRACE_H
#define ANALYSIS_TRACE_H

#include "engine/dump/dump.h"

#define TRACE_EVENTS (INT64_C(1) << 18) /* at most: 3 MB */

typedef struct trace_part { /* a chunk */
  int64_t replica, index;   /* of the chunk within its replica */
  int64_t first, count;     /* events */
  double t0, t1;            /* s, counted */
  int64_t next;             /* the part that joins on, -1 none */
} trace_part;

typedef struct trace {
  const ness_network *net;
  double warmup;
  int64_t replicas;
  double *time; /* (events) s */
  int32_t *dir; /* (events) */
  trace_part *part;
  int64_t *piece;  /* (pieces) first part of a stretch without gaps */
  int64_t *counts; /* (pieces x nslot) where it begins */
  int64_t *latest; /* (replicas) last part, -1 none */
  int64_t events, parts, pieces, time_room, dir_room, part_room, piece_room, count_room;
  bool full;
} trace;

/* Of a run of level events. NULL in *out where the network is too large to keep where pieces begin. */
ness_status trace_create(const ness_network *net, const dump_run *run, trace **out);
void trace_free(trace *self);
/* A chunk with n0, row_time and row_dir_stored, in the order of each replica; one thread. */
ness_status trace_follow(trace *self, const dump_chunk *chunk);

typedef struct trace_cursor { /* an event of a piece, or its end */
  const trace *from;
  int64_t part, row;
} trace_cursor;

trace_cursor trace_begin(const trace *self, int64_t piece);
/* False at the end of the piece; else the event, and on to the next. */
static inline bool trace_next(trace_cursor *self, double *t, int32_t *dir)
{
  while (self->part >= 0 && self->row == self->from->part[self->part].count) {
    self->part = self->from->part[self->part].next;
    self->row = 0;
  }
  if (self->part < 0) return false;
  const int64_t at = self->from->part[self->part].first + self->row++;
  *t = self->from->time[at];
  *dir = self->from->dir[at];
  return true;
}
/* Where the piece begins and ends, s. */
void trace_span(const trace *self, int64_t piece, double *from, double *to);

#endif
