/* The second reading: jumps become chunks as a dump of level events holds them, and go to the sums, the loops and the
 * tests of memory that dumps go to. Invariant: a chunk is what a block of the file says of one replica, up to a cut; a
 * chunk behind a cut leaves out a number, so that nobody joins it on. Everything is folded in the order of the file.
 * Cost: a window of blocks; chunks are counted in parallel, those of a replica followed one after another. */
#include "analysis/record/record.h"

#include <omp.h>
#include <string.h>

#define JOBS 128
#define JOB_BYTES ((size_t)256 << 20) /* of all jobs' sums and totals */

typedef struct job {
  dump_chunk chunk;
  int64_t *n0, *fwd, *bwd; /* (nslot), (nstep), (nstep) */
  double *dwell;           /* (nslot); one molecule: n^2 = n */
  double *time;            /* (rows) */
  int32_t *dir;
  int64_t time_room, dir_room;
  tally sums;
  counting_rows windows;
  loop_tally loops;
  loop_walker *walker;
  int32_t next; /* the next job of the same replica, -1 none */
  bool first;
  ness_status status;
} job;

typedef struct chunks {
  record *owner;
  const tally_plan *plan;
  loops *loop;
  memory_counts *past;
  waits *waited;
  counting *counted;
  stream_sums *out;
  job *jobs; /* (size) */
  int32_t size, count;
  loop_counter **counter; /* (threads) */
  int64_t *order;         /* rows of a block by replica */
  int64_t *place;         /* (replicas + 1) */
  int64_t order_room;
  int32_t *latest; /* (replicas) newest job of a replica in the window, or -1 */
} chunks;

/* --- a window of jobs --- */

static void job_count(const chunks *self, job *at)
{
  at->status = tally_chunk(self->plan, &at->chunk, 0, &at->sums);
  if (!at->status && self->counted) at->status = counting_chunk(self->counted, &at->chunk, &at->windows);
}

static void job_follow(const chunks *self, job *at)
{
  if (at->status || !at->walker) return;
  at->status = stream_follow(self->plan, self->loop, at->walker, self->counter[omp_get_thread_num()], &at->chunk,
                             &at->sums, &at->loops);
}

static ness_status job_fold(chunks *self, job *at)
{
  if (at->status) return at->status;
  self->out->chunks++;
  stream_add(self->out, self->plan, &at->sums);
  ness_status status = at->walker ? loops_fold(self->loop, &at->loops) : NESS_OK;
  if (at->walker && at->chunk.last) loops_walker_end(self->loop, at->chunk.replica);
  if (!status && self->past) status = memory_follow(self->past, &at->chunk);
  if (!status && self->waited) status = waits_follow(self->waited, &at->chunk);
  if (!status && self->plan->kept) status = trace_follow(self->plan->kept, &at->chunk);
  if (!status && self->counted) status = counting_fold(self->counted, &at->chunk, &at->windows);
  return status;
}

static ness_status jobs_run(chunks *self)
{
  const int32_t count = self->count;
  const bool alive = self->loop && loops_alive(self->loop);
  for (int32_t i = 0; i < count; i++) {
    job *const at = &self->jobs[i];
    at->walker = NULL;
    at->loops.entries = at->loops.passages = at->loops.sequences = 0;
    if (alive && !(at->walker = loops_walker(self->loop, at->chunk.replica))) return NESS_NOMEM;
    self->latest[at->chunk.replica] = -1;
  }
#pragma omp parallel num_threads(self->owner->threads) default(none) shared(self, count)
  {
#pragma omp for schedule(dynamic, 1)
    for (int32_t i = 0; i < count; i++) job_count(self, &self->jobs[i]);
#pragma omp for schedule(dynamic, 1)
    for (int32_t i = 0; i < count; i++)
      for (int32_t j = self->jobs[i].first ? i : -1; j >= 0; j = self->jobs[j].next) job_follow(self, &self->jobs[j]);
  }
  ness_status status = NESS_OK;
  for (int32_t i = 0; i < count && !status; i++) status = job_fold(self, &self->jobs[i]);
  self->count = 0;
  return status;
}

/* --- from rows to jobs --- */

static bool job_arrays(job *self, const ness_network *net)
{
  const size_t nslot = (size_t)net->nslot + 1, nstep = (size_t)net->nstep + 1;
  if (self->n0) {
    memset(self->n0, 0, nslot * sizeof *self->n0);
    memset(self->fwd, 0, nstep * sizeof *self->fwd);
    memset(self->bwd, 0, nstep * sizeof *self->bwd);
    memset(self->dwell, 0, nslot * sizeof *self->dwell);
    return true;
  }
  self->n0 = mem_zero(nslot, sizeof *self->n0);
  self->fwd = mem_zero(nstep, sizeof *self->fwd);
  self->bwd = mem_zero(nstep, sizeof *self->bwd);
  self->dwell = mem_zero(nslot, sizeof *self->dwell);
  return self->n0 && self->fwd && self->bwd && self->dwell;
}

/* A chunk of `replica` that begins at t0 in `state`. */
static ness_status job_begin(chunks *self, int32_t replica, int32_t state, double t0, job **out)
{
  if (self->count == self->size) {
    const ness_status status = jobs_run(self);
    if (status) return status;
  }
  job *const at = &self->jobs[self->count];
  if (!job_arrays(at, self->plan->net)) return NESS_NOMEM;
  at->n0[state] = 1;
  at->chunk = (dump_chunk){.replica = replica,
                           .t0 = t0,
                           .t1 = t0,
                           .n0 = at->n0,
                           .fwd = at->fwd,
                           .bwd = at->bwd,
                           .dwell = at->dwell,
                           .dwell2 = at->dwell};
  at->next = -1;
  *out = at;
  return NESS_OK;
}

/* The open chunk ends at t1 and takes its place, unless nothing is in it. */
static void job_end(chunks *self, job *at, double t1, bool last)
{
  record_track *const track = &self->owner->track[at->chunk.replica];
  dump_chunk *const chunk = &at->chunk;
  if (chunk->rows == 0 && !(t1 > chunk->t0)) return;
  chunk->t1 = t1;
  chunk->counted = t1 - chunk->t0;
  chunk->index = track->chunk++;
  chunk->last = last;
  chunk->events = chunk->rows;
  chunk->row_time = at->time;
  chunk->row_dir = at->dir;
  chunk->row_dir_stored = at->dir;
  chunk->row_dir_bytes = (int32_t)sizeof *at->dir;
  int32_t *const latest = &self->latest[chunk->replica];
  at->first = *latest < 0;
  if (*latest >= 0) self->jobs[*latest].next = self->count;
  *latest = self->count++;
}

static ness_status job_jump(const chunks *self, job *at, double t, double *since, int32_t from, int32_t to)
{
  const uint64_t key = ((uint64_t)(uint32_t)from << 32 | (uint32_t)to) + 1;
  const int64_t *const dir = loop_map_find(&self->owner->edge_of, key);
  const int64_t row = at->chunk.rows;
  if (!dir) return NESS_FORMAT; /* the file changed between its readings */
  if (!mem_grow(&at->time, &at->time_room, row + 1, sizeof *at->time) ||
      !mem_grow(&at->dir, &at->dir_room, row + 1, sizeof *at->dir))
    return NESS_NOMEM;
  at->time[row] = t;
  at->dir[row] = (int32_t)*dir;
  at->chunk.rows++;
  at->dwell[from] += t - *since;
  *since = t;
  (*dir & 1 ? at->bwd : at->fwd)[*dir >> 1]++;
  return NESS_OK;
}

/* The rows order[from ... to - 1] of a block, all of one replica. */
static ness_status replica_rows(chunks *self, const record_rows *rows, int64_t from, int64_t to)
{
  record *const owner = self->owner;
  const int32_t replica = rows->replica[self->order[from]];
  record_track *const track = &owner->track[replica];
  job *open = NULL;
  double since = track->last;
  ness_status status = track->state >= 0 ? job_begin(self, replica, track->state, since, &open) : NESS_OK;
  for (int64_t k = from; k < to && !status; k++) {
    const int64_t i = self->order[k];
    const double before = track->last;
    int32_t left;
    const record_move move = record_track_row(track, &owner->layout, rows->number[i], rows->state[i], &left);
    const double t = owner->layout.form == RECORD_DWELLS ? before : track->last;
    if (move == RECORD_JUMP || move == RECORD_TIE) {
      status = job_jump(self, open, t, &since, left, rows->state[i]);
    } else if (move == RECORD_BEGIN) {
      track->chunk += track->chunk > 0; /* a cut lies between */
      status = job_begin(self, replica, rows->state[i], t, &open);
      since = t;
    } else if (move == RECORD_CUT) {
      open->dwell[left] += t - since;
      job_end(self, open, t, false);
      open = NULL;
    } else if (move != RECORD_SAME) {
      return NESS_FORMAT;
    }
  }
  if (status || !open) return status;
  open->dwell[track->state] += track->last - since;
  job_end(self, open, track->last, track->rows >= track->total);
  return NESS_OK;
}

/* The rows of a block by replica, each in the order of the file. */
static bool rows_order(chunks *self, const record_rows *rows)
{
  const int32_t n = self->owner->replicas.count;
  if (!mem_grow(&self->order, &self->order_room, rows->count, sizeof *self->order)) return false;
  bool one = true;
  for (int64_t i = 1; i < rows->count && one; i++) one = rows->replica[i] >= rows->replica[i - 1];
  if (one) {
    for (int64_t i = 0; i < rows->count; i++) self->order[i] = i;
    return true;
  }
  memset(self->place, 0, ((size_t)n + 1) * sizeof *self->place);
  for (int64_t i = 0; i < rows->count; i++) self->place[rows->replica[i] + 1]++;
  for (int32_t r = 0; r < n; r++) self->place[r + 1] += self->place[r];
  for (int64_t i = 0; i < rows->count; i++) self->order[self->place[rows->replica[i]]++] = i;
  return true;
}

static ness_status chunks_visit(void *context, const record_rows *rows)
{
  chunks *const self = context;
  if (!rows_order(self, rows)) return NESS_NOMEM;
  ness_status status = NESS_OK;
  for (int64_t from = 0, to; from < rows->count && !status; from = to) {
    const int32_t replica = rows->replica[self->order[from]];
    to = from + 1;
    while (to < rows->count && rows->replica[self->order[to]] == replica) to++;
    status = replica_rows(self, rows, from, to);
  }
  return status;
}

static ness_status chunks_init(chunks *self)
{
  const int32_t threads = self->owner->threads, replicas = self->owner->replicas.count;
  const size_t width = 3 * (size_t)self->plan->width * sizeof(double);
  const size_t fits = JOB_BYTES / width;
  self->size = fits < JOBS ? fits > 1 ? (int32_t)fits : 1 : JOBS;
  self->jobs = mem_zero((size_t)self->size, sizeof *self->jobs);
  self->counter = mem_zero((size_t)threads, sizeof(loop_counter *));
  self->place = mem_zero((size_t)replicas + 1, sizeof *self->place);
  self->latest = mem_alloc(((size_t)replicas + 1) * sizeof *self->latest);
  self->out->unit = mem_zero((size_t)self->plan->units * (size_t)self->plan->width, sizeof(double));
  bool good = self->jobs && self->counter && self->place && self->latest && self->out->unit;
  for (int32_t r = 0; good && r <= replicas; r++) self->latest[r] = -1;
  for (int32_t t = 0; self->loop && good && t < threads; t++)
    good = (self->counter[t] = loop_counter_create(self->loop)) != NULL;
  return good ? NESS_OK : NESS_NOMEM;
}

static void chunks_free(chunks *self)
{
  for (int32_t i = 0; self->jobs && i < self->size; i++) {
    job *const at = &self->jobs[i];
    mem_free(at->n0);
    mem_free(at->fwd);
    mem_free(at->bwd);
    mem_free(at->dwell);
    mem_free(at->time);
    mem_free(at->dir);
    tally_free(&at->sums);
    counting_rows_free(&at->windows);
    loop_tally_free(&at->loops);
  }
  for (int32_t t = 0; self->counter && t < self->owner->threads; t++) loop_counter_free(self->counter[t]);
  mem_free(self->jobs);
  mem_free(self->counter);
  mem_free(self->order);
  mem_free(self->place);
  mem_free(self->latest);
}

ness_status record_stream(record *owner, const tally_plan *plan, loops *loop, memory_counts *past, waits *waited,
                          counting *counted, stream_sums *out)
{
  memset(out, 0, sizeof *out);
  chunks self = {
      .owner = owner, .plan = plan, .loop = loop, .past = past, .waited = waited, .counted = counted, .out = out};
  ness_status status = chunks_init(&self);
  if (!status) status = record_scan(owner, 1, chunks_visit, &self);
  if (!status) status = jobs_run(&self);
  if (!status) status = stream_batches(out, plan);
  if (status == NESS_FORMAT && diag_errors(owner->diags) == 0)
    diag_add(owner->diags, NESS_ERROR, "%s changed while it was read", owner->path);
  out->replicas = owner->replicas.count;
  out->complete = true;
  chunks_free(&self);
  return status;
}
