/* Going on with a dump as if it had never stopped.
 * Invariant: the chunks of a dump are a beginning of the sequence that blocks and rounds define, so the reader walks
 * the same sequence as the writer and refuses a frame that is not the next one. Finished blocks are folded as they go
 * by; of a replica that has not ended only its newest chunk's start is known, so the worker repeats that chunk first
 * and compares its totals. Memory: that of a run. Cost: reading the file once, and one chunk of each live replica. */
#include "engine/ssa/ensemble.h"

#include <math.h>
#include <string.h>

/* The walk over the sequence of chunks: the place in the present round. */
typedef struct resume_walk {
  int32_t count, next;
} resume_walk;

/* The lane whose chunk comes next, or NULL when all have ended. Ended blocks are folded. */
static ssa_lane *walk_next(ssa_run *run, resume_walk *walk)
{
  while (walk->next == walk->count) {
    walk->next = 0;
    walk->count = ssa_block_round(run);
    if (walk->count == 0) {
      if (run->first + run->lanes == run->plan.replicas) {
        return NULL; /* the last block is folded by ssa_run_all */
      }
      ssa_block_fold(run);
      ssa_block_begin(run, run->first + run->lanes);
    }
  }
  return &run->lane[run->list[walk->next]];
}

/* The counts at the end of a chunk follow from its events. */
static void lane_end_counts(ssa_lane *lane, const ness_network *net, const dump_chunk *chunk)
{
  memcpy(lane->n, chunk->n0, (size_t)net->nslot * sizeof *lane->n);
  for (int32_t step = 0; step < net->nstep; step++) {
    const int64_t events = chunk->fwd[step] - chunk->bwd[step];
    for (int32_t i = net->change_start[step]; events && i < net->change_start[step + 1]; i++) {
      lane->n[net->change_slot[i]] += net->change_by[i] * events;
    }
  }
}

static void lane_take(ssa_run *run, ssa_lane *lane, const dump_chunk *chunk)
{
  const ness_network *net = run->plan.net;
  if (lane->fresh) {
    lane->energy_start = network_free_energy(net, chunk->n0);
  }
  /* The chunk before this one is now known whole. */
  lane->windows += run->plan.level == DUMP_FLUX ? lane->redo_rows : 0;
  lane->grids += run->plan.level == DUMP_GRID ? lane->redo_rows : 0;
  lane->events += lane->redo_events;
  for (int64_t row = 0; run->result && run->plan.level == DUMP_GRID && row < chunk->rows; row++) {
    ssa_grid_add(&run->worker[0], &run->plan, lane->index, lane->grids + row + 1, chunk->row_count + row * net->nslot);
  }
  ssa_lane_add(lane, net, chunk);
  lane->chunks++;
  lane->fresh = false;
  lane->ended = chunk->last != 0;
  lane->stop = chunk->stop;
  if (lane->ended) {
    lane->events += chunk->events;
    lane_end_counts(lane, net, chunk);
    lane->redo = false;
    atomic_fetch_add(&run->units_done, SSA_UNIT);
    return;
  }
  lane->redo = true;
  lane->redo_rows = chunk->rows;
  lane->redo_events = chunk->events;
  lane->digest = ssa_chunk_digest(net, chunk);
  lane->t = chunk->t0;
  memcpy(lane->n, chunk->n0, (size_t)net->nslot * sizeof *lane->n);
  memcpy(lane->rng, chunk->rng, sizeof lane->rng);
}

/* Walks through all chunks of the file; *damaged when a frame is not the one that has to come. */
static ness_status resume_read(ssa_run *run, dump_reader *reader, bool *damaged)
{
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  resume_walk walk = {0, 0};
  ness_status status = NESS_OK;
  ssa_block_begin(run, 0);
  while (!status) {
    dump_chunk chunk;
    status = dump_next(reader, &frame, run->diags);
    if (status || frame.bytes == 0) {
      break;
    }
    if (frame.kind != DUMP_KIND_CHUNK) {
      continue;
    }
    status = dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk);
    if (status) {
      break;
    }
    ssa_lane *lane = walk_next(run, &walk);
    const int64_t grids_left = lane ? run->plan.grids - lane->grids - lane->redo_rows : 0;
    if (!lane || chunk.replica != lane->index || chunk.index != lane->chunks ||
        (run->plan.level == DUMP_GRID && chunk.rows > grids_left)) {
      *damaged = true;
      break;
    }
    lane_take(run, lane, &chunk);
    atomic_fetch_add(&run->events_done, chunk.events);
    walk.next++;
  }
  if (!status && !*damaged) {
    walk_next(run, &walk); /* folds a block that the file has finished */
  }
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  return status;
}

static ness_status resume_open(ssa_run *run, const char *path, const ness_simulate_options *options, ssa_result *result,
                               dump_reader *reader)
{
  bool damaged = false;
  ness_status status = ssa_plan_dump(&run->plan, dump_network(reader), dump_run_of(reader), run->diags);
  status = status ? status : ssa_run_init(run, options, result);
  status = status ? status : resume_read(run, reader, &damaged);
  if (!status && damaged) {
    diag_add(run->diags, NESS_ERROR, "%s is damaged before its end", path);
    diag_hint(run->diags, "a run can be resumed after its last intact chunk when nothing is missing before it");
    status = NESS_FORMAT;
  }
  return status;
}

ness_status ssa_resume(const char *path, const ness_simulate_options *options, ness_diags *diags, ssa_result *result)
{
  ssa_run run;
  dump_reader *reader = NULL;
  memset(&run, 0, sizeof run);
  if (result) {
    memset(result, 0, sizeof *result);
  }
  run.diags = diags;
  ness_status status = dump_open(path, diags, &reader);
  if (!status) {
    status = resume_open(&run, path, options, result, reader);
  }
  if (!status && dump_complete(reader)) {
    diag_add(diags, NESS_NOTE, "%s is complete: there is nothing to do", path);
    run.progress = NULL;
  } else if (!status) {
    status = dump_reopen(path, diags, &run.writer);
  }
  if (!status) {
    status = ssa_run_all(&run);
  }
  ssa_run_free(&run);
  dump_reader_free(reader);
  if (status && result) {
    ssa_result_free(result);
  }
  return status;
}
