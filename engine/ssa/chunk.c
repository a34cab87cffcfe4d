/* A chunk of a replica: from a checkpoint to the next cut, with its windows, grid rows or events.
 * Invariant: what a chunk holds depends on its start, the plan and nothing else, so a chunk can be repeated. It covers
 * (t0, t1] and counts all of it: the warmup is over before the first chunk begins. A cut at a time fixed beforehand
 * (end of a warmup, window end, grid time) gives up the pending waiting time, which is exact in law because waiting
 * times are memoryless; a cut after a number of events has none. Cost: the kernel's, plus O(nslot + nstep) a row and
 * O(directions) a chunk; allocates nothing. */
#include "engine/ssa/ensemble.h"

#include <math.h>
#include <string.h>

/* --- memory --- */

size_t ssa_lane_layout(ssa_lane *self, char *base, const ness_network *net)
{
  carve memory = {base, 0, false};
  self->n = carve_take(&memory, (size_t)net->nslot, sizeof *self->n);
  self->fwd = carve_take(&memory, (size_t)net->nstep, sizeof *self->fwd);
  self->bwd = carve_take(&memory, (size_t)net->nstep, sizeof *self->bwd);
  self->dwell = carve_take(&memory, (size_t)net->nslot, sizeof *self->dwell);
  self->dwell2 = carve_take(&memory, (size_t)net->nslot, sizeof *self->dwell2);
  return memory.failed ? SIZE_MAX : memory.end + CARVE_LINE;
}

static size_t worker_layout(ssa_worker *self, char *base, const ssa_plan *plan, bool grid)
{
  const size_t slots = (size_t)plan->net->nslot, steps = (size_t)plan->net->nstep;
  carve memory = {base, 0, false};
  size_t rows = plan->stored ? (size_t)plan->chunk_rows : 0;
  size_t counts, grids = (size_t)plan->grids;
  if (plan->level == DUMP_FLUX && plan->windows < plan->chunk_rows) {
    rows = plan->stored ? (size_t)plan->windows : 0;
  } else if (plan->level == DUMP_GRID && plan->grids < plan->chunk_rows) {
    rows = plan->stored ? (size_t)plan->grids : 0;
  } else if (plan->level == DUMP_SUMMARY) {
    rows = 0;
  }
  const size_t flux = plan->level == DUMP_FLUX ? rows : 0, events = plan->level == DUMP_EVENTS ? rows : 0;
  self->n0 = carve_take(&memory, slots, sizeof *self->n0);
  self->fwd = carve_take(&memory, steps, sizeof *self->fwd);
  self->bwd = carve_take(&memory, steps, sizeof *self->bwd);
  self->dwell = carve_take(&memory, slots, sizeof *self->dwell);
  self->dwell2 = carve_take(&memory, slots, sizeof *self->dwell2);
  self->row_time = carve_take(&memory, rows, sizeof *self->row_time);
  self->row_dir = carve_take(&memory, events, sizeof *self->row_dir);
  memory.failed |= !size_mul(rows - events, slots, &counts);
  self->row_count = carve_take(&memory, counts, sizeof *self->row_count);
  memory.failed |= !size_mul(flux, slots, &counts);
  self->row_dwell = carve_take(&memory, counts, sizeof *self->row_dwell);
  memory.failed |= !size_mul(flux, steps, &counts);
  self->row_fwd = carve_take(&memory, counts, sizeof *self->row_fwd);
  self->row_bwd = carve_take(&memory, counts, sizeof *self->row_bwd);
  self->row_tape_entropy = carve_take(&memory, plan->tapes ? flux : 0, sizeof *self->row_tape_entropy);
  grids = grid ? grids * (size_t)plan->grid_batches : 0;
  memory.failed |= !size_mul(grids, slots, &counts);
  self->grid = carve_take(&memory, counts, sizeof *self->grid);
  self->grid_replicas = carve_take(&memory, grids, sizeof *self->grid_replicas);
  return memory.failed ? SIZE_MAX : memory.end;
}

ness_status ssa_worker_init(ssa_worker *self, const ssa_plan *plan, bool grid)
{
  memset(self, 0, sizeof *self);
  const size_t bytes = worker_layout(self, NULL, plan, grid);
  char *base = bytes < SIZE_MAX ? carve_block(bytes, &self->block) : NULL;
  if (!base) {
    return NESS_NOMEM;
  }
  worker_layout(self, base, plan, grid);
  if (!grid || plan->grids == 0) {
    self->grid = NULL;
  }
  const ness_status status = ssa_replica_init(&self->replica, plan->net, plan->kernel);
  self->replica.epsilon = plan->epsilon;
  return status;
}

void ssa_worker_free(ssa_worker *self)
{
  ssa_replica_free(&self->replica);
  mem_free(self->block);
  memset(self, 0, sizeof *self);
}

void ssa_lane_begin(ssa_lane *self, const ness_network *net, int64_t index)
{
  ssa_lane fresh = {.index = index, .fresh = true, .bad_dir = -1};
  fresh.n = self->n;
  fresh.fwd = self->fwd;
  fresh.bwd = self->bwd;
  fresh.dwell = self->dwell;
  fresh.dwell2 = self->dwell2;
  *self = fresh;
  memset(self->fwd, 0, (size_t)net->nstep * sizeof *self->fwd);
  memset(self->bwd, 0, (size_t)net->nstep * sizeof *self->bwd);
  memset(self->dwell, 0, (size_t)net->nslot * sizeof *self->dwell);
  memset(self->dwell2, 0, (size_t)net->nslot * sizeof *self->dwell2);
}

/* --- totals --- */

void ssa_lane_add(ssa_lane *self, const ness_network *net, const dump_chunk *chunk)
{
  for (int32_t i = 0; i < net->nstep; i++) {
    self->fwd[i] += chunk->fwd[i];
    self->bwd[i] += chunk->bwd[i];
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    self->dwell[i] += chunk->dwell[i];
    self->dwell2[i] += chunk->dwell2[i];
  }
  self->counted += chunk->counted;
  self->tape_entropy += chunk->tape_entropy;
}

static uint64_t digest_add(uint64_t digest, const void *data, size_t bytes)
{
  const unsigned char *byte = data;
  for (size_t i = 0; i < bytes; i++) {
    digest = (digest ^ byte[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
  }
  return digest;
}

uint64_t ssa_chunk_digest(const ness_network *net, const dump_chunk *chunk)
{
  const size_t slots = (size_t)net->nslot, steps = (size_t)net->nstep;
  const double scalar[4] = {chunk->t0, chunk->t1, chunk->counted, chunk->tape_entropy};
  const int64_t whole[3] = {chunk->events, chunk->last, chunk->rows};
  uint64_t digest = digest_add(UINT64_C(0xcbf29ce484222325), scalar, sizeof scalar);
  digest = digest_add(digest, whole, sizeof whole);
  digest = digest_add(digest, chunk->n0, slots * sizeof *chunk->n0);
  digest = digest_add(digest, chunk->fwd, steps * sizeof *chunk->fwd);
  digest = digest_add(digest, chunk->bwd, steps * sizeof *chunk->bwd);
  digest = digest_add(digest, chunk->dwell, slots * sizeof *chunk->dwell);
  return digest_add(digest, chunk->dwell2, slots * sizeof *chunk->dwell2);
}

void ssa_grid_add(ssa_worker *self, const ssa_plan *plan, int64_t replica, int64_t k, const int64_t *n)
{
  if (self->grid) {
    const int64_t row = replica * plan->grid_batches / plan->replicas * plan->grids + k - 1;
    ssa_grid_sum *sum = &self->grid[row * plan->net->nslot];
    for (int32_t i = 0; i < plan->net->nslot; i++) {
      sum[i].n += (uint64_t)n[i];
      sum[i].n2 += (rng_u128)(uint64_t)n[i] * (uint64_t)n[i];
    }
    self->grid_replicas[row]++;
  }
}

/* What the replica has counted since it was last cleared goes to the chunk. */
static void chunk_gather(ssa_worker *self, const ness_network *net)
{
  const ssa_replica *replica = &self->replica;
  for (int32_t i = 0; i < net->nstep; i++) {
    self->fwd[i] += replica->fwd[i];
    self->bwd[i] += replica->bwd[i];
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    self->dwell[i] += replica->slot[i].dwell;
    self->dwell2[i] += replica->slot[i].dwell2;
  }
  self->chunk.events += replica->events;
  self->chunk.counted += replica->counted;
  self->chunk.tape_entropy += replica->tape_entropy;
}

/* --- rows --- */

static void row_counts(ssa_worker *self, const ness_network *net, bool keep)
{
  if (keep) {
    self->row_time[self->chunk.rows] = self->replica.t;
    memcpy(self->row_count + self->chunk.rows * net->nslot, self->replica.n,
           (size_t)net->nslot * sizeof *self->row_count);
  }
}

static void row_window(ssa_worker *self, const ssa_plan *plan, bool keep)
{
  const ness_network *net = plan->net;
  ssa_replica *replica = &self->replica;
  const int64_t row = self->chunk.rows;
  ssa_settle(replica, net);
  row_counts(self, net, keep);
  if (keep) {
    memcpy(self->row_fwd + row * net->nstep, replica->fwd, (size_t)net->nstep * sizeof *replica->fwd);
    memcpy(self->row_bwd + row * net->nstep, replica->bwd, (size_t)net->nstep * sizeof *replica->bwd);
    for (int32_t i = 0; i < net->nslot; i++) {
      self->row_dwell[row * net->nslot + i] = replica->slot[i].dwell;
    }
    if (plan->tapes) {
      self->row_tape_entropy[row] = replica->tape_entropy;
    }
  }
  self->chunk.rows++;
  chunk_gather(self, net);
  ssa_clear(replica, net);
}

/* --- the chunk --- */

static void lane_keep(ssa_lane *lane, const ssa_worker *self, const ness_network *net)
{
  lane->t = self->replica.t;
  memcpy(lane->n, self->replica.n, (size_t)net->nslot * sizeof *lane->n);
}

static void chunk_open(ssa_worker *self, const ssa_plan *plan, const ssa_lane *lane)
{
  const ness_network *net = plan->net;
  const bool rows = plan->stored, flux = rows && plan->level == DUMP_FLUX;
  self->chunk = (dump_chunk){
      .replica = lane->index,
      .index = lane->chunks - lane->redo,
      .t0 = self->replica.t,
      .n0 = self->n0,
      .fwd = self->fwd,
      .bwd = self->bwd,
      .dwell = self->dwell,
      .dwell2 = self->dwell2,
      .row_time = rows && plan->level != DUMP_SUMMARY ? self->row_time : NULL,
      .row_dir = rows && plan->level == DUMP_EVENTS ? self->row_dir : NULL,
      .row_count = rows && (flux || plan->level == DUMP_GRID) ? self->row_count : NULL,
      .row_fwd = flux ? self->row_fwd : NULL,
      .row_bwd = flux ? self->row_bwd : NULL,
      .row_dwell = flux ? self->row_dwell : NULL,
      .row_tape_entropy = flux && plan->tapes ? self->row_tape_entropy : NULL,
  };
  memcpy(self->n0, self->replica.n, (size_t)net->nslot * sizeof *self->n0);
  rng_save(&self->replica.rng, self->chunk.rng);
  memset(self->fwd, 0, (size_t)net->nstep * sizeof *self->fwd);
  memset(self->bwd, 0, (size_t)net->nstep * sizeof *self->bwd);
  memset(self->dwell, 0, (size_t)net->nslot * sizeof *self->dwell);
  memset(self->dwell2, 0, (size_t)net->nslot * sizeof *self->dwell2);
}

/* The chunk begins where the replica stands. */
static void chunk_count(ssa_worker *self, const ssa_plan *plan)
{
  chunk_open(self, plan, self->lane);
  if (self->lane->fresh) {
    self->lane->energy_start = network_free_energy(plan->net, self->n0);
  }
  self->warming = false;
  self->in_chunk = 0;
  self->record = (ssa_record){self->row_time, self->row_dir, 0, plan->chunk_rows};
}

/* The replica at the start of its chunk, or of its warmup. */
static bool chunk_begin(ssa_run *run, ssa_worker *self)
{
  const ssa_plan *plan = &run->plan;
  const ssa_lane *lane = self->lane;
  self->end = SSA_CHUNK_DONE;
  self->warming = lane->fresh && plan->warmup > 0;
  if (lane->fresh) {
    ssa_replica_start(&self->replica, plan->net, plan->kernel, plan->seed, lane->index);
  } else if (!ssa_replica_load(&self->replica, plan->net, plan->kernel, lane->t, lane->n, lane->rng)) {
    self->end = SSA_CHUNK_DIFFERS;
    return false;
  }
  if (!self->warming) {
    chunk_count(self, plan);
  }
  return true;
}

bool ssa_chunk_begin(ssa_run *run, ssa_worker *self, ssa_lane *lane)
{
  self->lane = lane;
  return chunk_begin(run, self);
}

/* Events until something ends: the burst, the chunk, the replica. Leaps pause by themselves, and a limit would cut them
 * short, so only the replica has one; 0: none. */
static int64_t chunk_burst(const ssa_plan *plan, int64_t in_chunk, int64_t in_all)
{
  if (plan->kernel->leaps) {
    return plan->events > 0 ? plan->events - in_all : 0;
  }
  int64_t burst = SSA_BURST;
  if (plan->level == DUMP_SUMMARY || plan->level == DUMP_EVENTS) {
    burst = plan->chunk_events - in_chunk < burst ? plan->chunk_events - in_chunk : burst;
  }
  return plan->events > 0 && plan->events - in_all < burst ? plan->events - in_all : burst;
}

static double next_window(const ssa_plan *plan, const ssa_lane *lane)
{
  return lane->windows < plan->windows ? ssa_plan_window_end(plan, lane->windows + 1) : INFINITY;
}

static double next_grid(const ssa_plan *plan, const ssa_lane *lane)
{
  return lane->grids < plan->grids ? ssa_plan_grid_time(plan, lane->grids + 1) : INFINITY;
}

void ssa_chunk_target(const ssa_run *run, ssa_worker *self, double *t_stop, int64_t *max_events)
{
  const ssa_plan *plan = &run->plan;
  const ssa_lane *lane = self->lane;
  self->events_before = self->replica.events;
  if (self->warming) {
    *t_stop = plan->warmup;
    *max_events = plan->kernel->leaps ? 0 : SSA_BURST;
    return;
  }
  *t_stop = fmin(plan->time, fmin(next_window(plan, lane), next_grid(plan, lane)));
  *max_events = chunk_burst(plan, self->in_chunk, lane->events);
}

/* The end of the warmup, or another burst of it. */
static void warmup_pause(ssa_worker *self, const ssa_plan *plan, ssa_pause pause)
{
  if (pause != SSA_AT_EVENTS) {
    ssa_rebase(&self->replica, plan->net, plan->kernel);
    ssa_clear(&self->replica, plan->net);
    chunk_count(self, plan);
  }
}

/* A time that something ends at has come: rows and grids, and whether the chunk is cut here. */
static bool time_pause(const ssa_plan *plan, ssa_worker *self, ssa_pause pause)
{
  ssa_lane *lane = self->lane;
  const double t = self->replica.t;
  const bool window = t >= next_window(plan, lane), grid = t >= next_grid(plan, lane);
  lane->stop = pause == SSA_ABSORBED ? NESS_STOP_ABSORBED : NESS_STOP_TIME;
  lane->ended = t >= plan->time || (pause == SSA_ABSORBED && plan->time == INFINITY);
  const bool keep = plan->stored && !lane->redo;
  if (grid) {
    lane->grids++;
    if (!lane->redo) {
      ssa_grid_add(self, plan, lane->index, lane->grids, self->replica.n);
    }
    if (plan->level == DUMP_GRID) {
      row_counts(self, plan->net, keep);
      self->chunk.rows++;
    }
  }
  if (window) {
    lane->windows++;
    row_window(self, plan, keep);
  }
  return (window || (grid && plan->level == DUMP_GRID)) &&
         (self->chunk.rows >= plan->chunk_rows || self->in_chunk >= plan->chunk_events);
}

/* Closes the chunk where the replica stands. */
static void chunk_close(const ssa_plan *plan, ssa_worker *self)
{
  const ness_network *net = plan->net;
  ssa_replica *replica = &self->replica;
  ssa_lane *lane = self->lane;
  /* The window that the limit of events has ended. */
  if (lane->ended && plan->level == DUMP_FLUX && (replica->events > 0 || replica->t > replica->settled)) {
    lane->windows++;
    row_window(self, plan, plan->stored && !lane->redo);
  }
  if (plan->level == DUMP_EVENTS) {
    self->chunk.rows = self->in_chunk;
  }
  ssa_settle(replica, net);
  chunk_gather(self, net);
  self->chunk.t1 = replica->t;
  self->chunk.last = lane->ended;
  self->chunk.stop = lane->ended ? lane->stop : 0;
  lane->fresh = false;
  rng_save(&replica->rng, lane->rng); /* behind the pending draw, which is given up */
  lane_keep(lane, self, net);
}

/* After a chunk is closed: false when the lane has come as far as it should. */
static bool chunk_next(ssa_run *run, ssa_worker *self)
{
  ssa_lane *lane = self->lane;
  if (lane->redo) {
    lane->redo = false;
    if (ssa_chunk_digest(run->plan.net, &self->chunk) == lane->digest) {
      return chunk_begin(run, self);
    }
    self->end = SSA_CHUNK_DIFFERS;
    return false;
  }
  lane->chunks++;
  ssa_lane_add(lane, run->plan.net, &self->chunk);
  return false;
}

bool ssa_chunk_pause(ssa_run *run, ssa_worker *self, ssa_pause pause)
{
  const ssa_plan *plan = &run->plan;
  ssa_lane *lane = self->lane;
  const bool timed = plan->level == DUMP_FLUX || plan->level == DUMP_GRID;
  const int64_t fired = self->replica.events - self->events_before;
  bool cut = false;
  if (!self->warming) {
    self->in_chunk += fired;
    lane->events += fired;
  }
  ssa_tick(run, lane, self->replica.t, self->warming ? 0 : lane->events, fired);
  if (pause == SSA_BAD_RATE || atomic_load_explicit(&run->stop, memory_order_relaxed)) {
    self->end = pause == SSA_BAD_RATE ? SSA_CHUNK_BAD_RATE : SSA_CHUNK_STOPPED;
    lane_keep(lane, self, plan->net);
    return false;
  }
  if (self->warming) {
    warmup_pause(self, plan, pause);
    return true;
  }
  if (pause == SSA_AT_EVENTS || pause == SSA_RECORD_FULL) {
    lane->ended = plan->events > 0 && lane->events == plan->events;
    lane->stop = NESS_STOP_EVENTS;
    cut = !timed && self->in_chunk >= plan->chunk_events;
  } else {
    cut = time_pause(plan, self, pause);
  }
  if (!cut && !lane->ended) {
    return true;
  }
  chunk_close(plan, self);
  return chunk_next(run, self);
}

void ssa_chunk_finish(ssa_run *run, ssa_worker *self)
{
  const ssa_plan *plan = &run->plan;
  const ssa_lane *lane = self->lane;
  const bool recorded = plan->stored && plan->level == DUMP_EVENTS;
  ssa_pause pause;
  do {
    double t_stop;
    int64_t max_events;
    ssa_chunk_target(run, self, &t_stop, &max_events);
    pause = ssa_advance(&self->replica, plan->net, plan->kernel, t_stop, max_events,
                        recorded && !lane->redo && !self->warming ? &self->record : NULL, &self->lane->bad_dir);
  } while (ssa_chunk_pause(run, self, pause));
}
