/* The first rows of a dump of level grid, kept as series of what is watched in them. */
#ifndef ANALYSIS_SAMPLES_H
#define ANALYSIS_SAMPLES_H

#include "engine/dump/dump.h"

#define SAMPLES_ROWS (INT64_C(1) << 18) /* at most: 12 MB */
#define SAMPLES_OBSERVABLES 2
#define SAMPLES_SLOTS 4
#define SAMPLES_WATCHED (SAMPLES_OBSERVABLES + SAMPLES_SLOTS)

typedef struct samples_part { /* rows of a chunk */
  int64_t first, count, next; /* the part that joins on, -1 none */
  double last;                /* s: time of its last row */
} samples_part;

typedef struct samples {
  const ness_network *net;
  double every; /* s */
  int64_t replicas;
  int32_t watched, observables;
  int32_t id[SAMPLES_WATCHED]; /* observables of counts alone, then slots */
  double *weight;              /* (watched x nslot) */
  double *value;               /* (rows x watched) times `every`, in the unit of a variable */
  bool moves[SAMPLES_WATCHED]; /* not the same in all rows */
  samples_part *part;
  int64_t *piece;  /* (pieces) first part of a stretch without gaps */
  int64_t *latest; /* (replicas) last part, -1 none */
  int64_t rows, parts, pieces, value_room, part_room, piece_room;
  bool full;
} samples;

/* Of a run of level grid. NULL in *out where there are too many replicas, or nothing to watch. */
ness_status samples_create(const ness_network *net, const dump_run *run, samples **out);
void samples_free(samples *self);
/* A chunk with row_time and row_count, in the order of each replica; one thread. */
ness_status samples_follow(samples *self, const dump_chunk *chunk);

typedef struct samples_cursor { /* a row of a piece, or its end */
  const samples *from;
  int64_t part, row;
} samples_cursor;

samples_cursor samples_begin(const samples *self, int64_t piece);
/* The next row, (watched); NULL at the end of the piece. */
const double *samples_next(samples_cursor *self);
int64_t samples_count(const samples *self, int64_t piece); /* rows */

#endif
