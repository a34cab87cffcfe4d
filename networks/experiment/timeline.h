/* Inside timeline_dump.c and timeline_chunks.c: chunks from totals. Owns the order of what a replica has counted:
 * events by direction (2 nstep), integrals of n and of n^2 (nslot each), counted time, events, the ledger, and where
 * something flows the counts (nslot) that it has then and what had no way back (nstep). */
#ifndef NETWORKS_TIMELINE_H
#define NETWORKS_TIMELINE_H

#include "networks/experiment/experiment.h"

typedef struct timeline_frame { /* columns of a chunk, but for its rows */
  int64_t *n0, *fwd, *bwd;
  double *dwell, *dwell2, *ledger;
  double *flow_fwd, *flow_bwd, *one_way, *x0, *x1; /* where something flows */
} timeline_frame;

bool timeline_frame_init(timeline_frame *self, const timeline *of, arena *memory);
size_t timeline_width(const timeline *self);
/* Where the state at a row of a replica is kept; NULL: behind the end by rounding. */
double *timeline_place(const timeline *self, int64_t replica, int64_t row);
/* (timeline_width) what a replica has counted until now. */
void timeline_totals(const timeline *self, const motion_now *now, double *to);
/* What was counted in a chunk: totals at its end less those before it, NULL: from the start. n0 is the caller's. */
void timeline_counted(const timeline *self, const double *before, const double *now, const timeline_frame *f,
                      dump_chunk *out);

#endif
