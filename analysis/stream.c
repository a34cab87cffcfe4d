/* From the file to the sums, in one pass and in bounded memory.
 * Invariant: frames are read one after another by one thread into a window, while the others work on the window before;
 * there chunks are decoded and counted in parallel and loops followed, the chunks of one replica in their order by one
 * thread; then everything is folded in the order of the file. So each sum has the same bits for any number of threads.
 * Of a chunk only the columns that its sums need are decoded. Cost: the frames of two windows, rows and sums of one. */
#include "analysis/analysis.h"

#include <omp.h>
#include <string.h>
#include <time.h>

#define WINDOW_FRAMES 32
#define WINDOW_READ ((size_t)4 << 20)    /* a window ends where its chunks have so many bytes: they stay in the cache */
#define WINDOW_BYTES ((size_t)256 << 20) /* of the sums of a window's chunks */
#define STREAM_TICK 0.2                  /* s between two calls of progress */
#define STREAM_REPLICAS 4096             /* replicas whose events are added up for pieces by events */

typedef struct arrival { /* a chunk as it came from the file */
  dump_frame frame;
  dump_chunk scalars; /* its columns are NULL */
  ness_status status;
} arrival;

typedef struct window {
  arrival *chunk;
  int32_t count;
  int64_t offset;     /* in the file, behind the last chunk */
  ness_status status; /* why reading stopped */
} window;

typedef struct job {
  const arrival *from;
  dump_buffer buffer;
  dump_chunk chunk;
  tally sums;
  counting_rows windows;
  loop_tally loops;
  loop_walker *walker;
  int64_t done;  /* events of the replica before */
  int32_t next;  /* the next job of the same replica, -1 none */
  bool first;    /* of its replica in the window */
  bool remember; /* goes to the tests of memory_counts */
  bool watch;    /* its windows are counted */
  bool keep;     /* its events are kept */
  ness_status status;
} job;

typedef struct stream {
  dump_reader *reader;
  const tally_plan *plan;
  loops *loop;         /* NULL: not followed */
  memory_counts *past; /* NULL: not tested */
  waits *waited;       /* NULL: not one molecule */
  counting *counted;   /* NULL: no windows */
  ness_diags *diags;
  stream_sums *out;
  job *jobs;         /* (size) of the window that is counted */
  window windows[2]; /* one is counted while the other is read */
  int32_t size;      /* chunks of a window */
  dump_buffer scratch;
  loop_counter **counter; /* (threads) */
  int32_t threads;
  int64_t *done; /* (replicas) events so far; NULL unless pieces go by events */
  ness_progress progress;
  void *context;
  double bytes, clock_start, clock_last;
  int64_t events;
} stream;

static double stream_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Fills the window; count 0 at the end of the file. */
static void window_read(stream *self, window *out)
{
  size_t bytes = 0; /* of chunks */
  out->status = NESS_OK;
  for (out->count = 0; out->count < self->size && bytes < WINDOW_READ;) {
    arrival *const at = &out->chunk[out->count];
    out->status = dump_next(self->reader, &at->frame, self->diags);
    if (out->status || at->frame.bytes == 0) return;
    out->offset = at->frame.offset + (int64_t)at->frame.bytes;
    if (at->frame.kind == DUMP_KIND_CHUNK) {
      bytes += at->frame.bytes;
      at->status = dump_decode(self->reader, &at->frame, &self->scratch, 0, &at->scalars);
      out->count++;
    }
    if (interrupt_pending()) {
      out->status = NESS_STOPPED;
      return;
    }
  }
}

static void job_count(const stream *self, job *at)
{
  if (at->status) return;
  const unsigned followed = at->walker || at->remember || at->keep ? DUMP_N0 | DUMP_ROW_DIR_STORED : 0;
  const unsigned timed = at->remember || at->keep ? DUMP_ROW_TIME : 0;
  const unsigned watched = at->watch ? counting_wanted(self->counted) : 0;
  const unsigned wanted = followed | timed | watched | tally_wanted(self->plan, &at->from->scalars, at->done);
  at->status = dump_decode(self->reader, &at->from->frame, &at->buffer, wanted, &at->chunk);
  if (!at->status) at->status = tally_chunk(self->plan, &at->chunk, at->done, &at->sums);
  if (!at->status && at->watch) at->status = counting_chunk(self->counted, &at->chunk, &at->windows);
}

ness_status stream_follow(const tally_plan *plan, loops *loop, loop_walker *walker, loop_counter *counter,
                          const dump_chunk *chunk, const tally *sums, loop_tally *out)
{
  ness_status status = loop_enter(loop, walker, chunk, out);
  for (int64_t k = 0; !status && k < sums->segments; k++) {
    const tally_segment *const segment = &sums->segment[k];
    status =
        loop_follow(loop, walker, counter, chunk, segment->from, segment->to, tally_batch(plan, segment->unit), out);
  }
  return status;
}

static void job_follow(const stream *self, job *at)
{
  if (at->status || !at->walker) return;
  at->status = stream_follow(self->plan, self->loop, at->walker, self->counter[omp_get_thread_num()], &at->chunk,
                             &at->sums, &at->loops);
}

/* Makes jobs of the chunks, chains those of each replica, finds walkers and what came before. Quadratic in the window,
 * which is small. */
static ness_status window_group(stream *self, const window *now)
{
  const tally_plan *plan = self->plan;
  const bool alive = self->loop && plan->run->level == DUMP_EVENTS && loops_alive(self->loop);
  for (int32_t i = 0; i < now->count; i++) {
    job *const at = &self->jobs[i];
    const dump_chunk *const chunk = &now->chunk[i].scalars;
    at->from = &now->chunk[i];
    at->status = at->from->status;
    at->first = !at->status;
    at->next = -1;
    at->done = 0;
    at->loops.entries = at->loops.sequences = 0;
    at->walker = NULL;
    at->remember = !at->status && self->past && self->events < MEMORY_EVENTS && chunk->rows == chunk->events;
    at->watch = !at->status && self->counted && (plan->run->level == DUMP_FLUX || self->events < COUNTING_EVENTS);
    at->keep = !at->status && plan->kept && !plan->kept->full;
    if (at->status) continue;
    if (self->done && chunk->replica < plan->run->replicas) {
      at->done = self->done[chunk->replica];
      self->done[chunk->replica] += chunk->events;
    }
    if (alive && chunk->rows == chunk->events && !(at->walker = loops_walker(self->loop, chunk->replica)))
      return NESS_NOMEM;
    for (int32_t j = i - 1; j >= 0; j--) {
      if (self->jobs[j].status || now->chunk[j].scalars.replica != chunk->replica) continue;
      self->jobs[j].next = i;
      at->first = false;
      break;
    }
  }
  return NESS_OK;
}

void stream_add(stream_sums *self, const tally_plan *plan, const tally *sums)
{
  for (int64_t k = 0; k < sums->segments; k++) {
    double *const to = self->unit + sums->segment[k].unit * plan->width;
    const double *const from = sums->sum + k * plan->width;
    for (int32_t c = 0; c < plan->width; c++) to[c] += from[c];
  }
}

static ness_status window_fold(stream *self, const window *now)
{
  const tally_plan *plan = self->plan;
  stream_sums *const out = self->out;
  for (int32_t i = 0; i < now->count; i++) {
    job *const at = &self->jobs[i];
    if (at->status == NESS_NOMEM) return NESS_NOMEM;
    if (at->status) {
      if (out->unread++ < 4)
        diag_add(self->diags, NESS_WARNING, "the chunk at byte %lld does not fit the network and is left out",
                 (long long)at->from->frame.offset);
      continue;
    }
    out->chunks++;
    self->events += at->chunk.events;
    if (at->chunk.last) {
      out->replicas++;
      out->absorbed += at->chunk.stop == NESS_STOP_ABSORBED;
    }
    stream_add(out, plan, &at->sums);
    if (at->remember) {
      ness_status status = memory_follow(self->past, &at->chunk);
      if (!status && self->waited) status = waits_follow(self->waited, &at->chunk);
      if (status) return status;
    }
    if (at->keep) {
      const ness_status status = trace_follow(plan->kept, &at->chunk);
      if (status) return status;
    }
    if (at->watch) {
      const ness_status status = counting_fold(self->counted, &at->chunk, &at->windows);
      if (status) return status;
    }
    if (at->walker) {
      const ness_status status = loops_fold(self->loop, &at->loops);
      if (status) return status;
      if (at->chunk.last) loops_walker_end(self->loop, at->chunk.replica);
    }
  }
  return NESS_OK;
}

/* Counts one window while the next is read. */
static ness_status window_count(stream *self, const window *now, window *next)
{
  const int32_t count = now->count;
  const ness_status status = window_group(self, now);
  if (status) return status;
#pragma omp parallel num_threads(self->threads) default(none) shared(self, next, count)
#pragma omp single
  {
#pragma omp task default(none) shared(self, next)
    window_read(self, next);
#pragma omp taskgroup
    for (int32_t i = 0; i < count; i++) {
#pragma omp task default(none) shared(self) firstprivate(i)
      job_count(self, &self->jobs[i]);
    }
#pragma omp taskgroup
    for (int32_t i = 0; i < count; i++) {
      if (!self->jobs[i].first) continue;
#pragma omp task default(none) shared(self) firstprivate(i)
      for (int32_t j = i; j >= 0; j = self->jobs[j].next) job_follow(self, &self->jobs[j]);
    }
  }
  return window_fold(self, now);
}

/* --- from units to batches --- */

static void row_add(double *to, const double *from, int32_t width)
{
  for (int32_t c = 0; c < width; c++) to[c] += from[c];
}

/* Batches with counted time, in order; their first halves beside them. */
ness_status stream_batches(stream_sums *self, const tally_plan *plan)
{
  const size_t width = (size_t)plan->width, batches = (size_t)plan->batches;
  const int32_t half = plan->pieces / 2;
  bool *seen = mem_zero(batches + 1, sizeof *seen);
  self->batch = mem_zero(batches * width, sizeof *self->batch);
  self->early = plan->halves ? mem_zero(batches * width, sizeof *self->early) : NULL;
  self->joined = mem_zero(batches, sizeof *self->joined);
  self->index = mem_zero(batches, sizeof *self->index);
  if (!seen || !self->batch || (plan->halves && !self->early) || !self->joined || !self->index) {
    mem_free(seen);
    return NESS_NOMEM;
  }
  for (int64_t u = 0; u < plan->units; u++) seen[tally_batch(plan, u)] |= self->unit[u * plan->width + TALLY_TIME] > 0;
  int32_t last = -2, at = -1;
  for (int64_t u = 0; u < plan->units; u++) {
    const int32_t batch = tally_batch(plan, u), piece = (int32_t)(u % plan->pieces);
    if (!seen[batch]) continue;
    if (batch != last) {
      at++;
      self->joined[at] = plan->by_time && last == batch - 1 && piece > 0;
      self->index[at] = batch;
    }
    last = batch;
    row_add(self->batch + (size_t)at * width, self->unit + (size_t)u * width, plan->width);
    if (self->early && piece < half)
      row_add(self->early + (size_t)at * width, self->unit + (size_t)u * width, plan->width);
  }
  self->batches = at + 1;
  mem_free(seen);
  return NESS_OK;
}

static ness_status stream_report(stream *self, double done, bool always)
{
  const double now = stream_clock();
  if (interrupt_pending()) return NESS_STOPPED;
  if (!self->progress || (!always && now - self->clock_last < STREAM_TICK)) return NESS_OK;
  self->clock_last = now;
  return self->progress(self->context, done, self->bytes, self->events, now - self->clock_start) ? NESS_STOPPED
                                                                                                 : NESS_OK;
}

static ness_status stream_init(stream *self, const ness_analyze_options *options)
{
  const tally_plan *plan = self->plan;
  self->threads = options->threads > 0 ? options->threads : omp_get_max_threads();
  const size_t largest = (size_t)plan->width * sizeof(double) * (size_t)plan->pieces;
  const size_t fits = WINDOW_BYTES / largest;
  self->size = fits < WINDOW_FRAMES ? fits > 1 ? (int32_t)fits : 1 : WINDOW_FRAMES;
  if (self->threads > self->size) self->threads = self->size;
  self->jobs = mem_zero((size_t)self->size, sizeof *self->jobs);
  for (int32_t w = 0; w < 2; w++) self->windows[w].chunk = mem_zero((size_t)self->size, sizeof(arrival));
  self->counter = mem_zero((size_t)self->threads, sizeof(loop_counter *));
  self->out->unit = mem_zero((size_t)plan->units * (size_t)plan->width, sizeof(double));
  bool good = self->jobs && self->windows[0].chunk && self->windows[1].chunk && self->counter && self->out->unit;
  if (plan->by_events && plan->by_time && plan->run->replicas <= STREAM_REPLICAS)
    good = good && (self->done = mem_zero((size_t)plan->run->replicas, sizeof *self->done));
  for (int32_t t = 0; self->loop && good && t < self->threads; t++)
    good = (self->counter[t] = loop_counter_create(self->loop)) != NULL;
  self->clock_start = self->clock_last = stream_clock();
  return good ? NESS_OK : NESS_NOMEM;
}

static void stream_free(stream *self)
{
  for (int32_t w = 0; w < 2; w++) {
    for (int32_t i = 0; self->windows[w].chunk && i < self->size; i++)
      dump_frame_free(&self->windows[w].chunk[i].frame);
    mem_free(self->windows[w].chunk);
  }
  for (int32_t i = 0; self->jobs && i < self->size; i++) {
    dump_buffer_free(&self->jobs[i].buffer);
    tally_free(&self->jobs[i].sums);
    counting_rows_free(&self->jobs[i].windows);
    loop_tally_free(&self->jobs[i].loops);
  }
  for (int32_t t = 0; self->counter && t < self->threads; t++) loop_counter_free(self->counter[t]);
  dump_buffer_free(&self->scratch);
  mem_free(self->jobs);
  mem_free(self->counter);
  mem_free(self->done);
}

ness_status stream_run(dump_reader *reader, const tally_plan *plan, const ness_analyze_options *options, double bytes,
                       loops *loop, memory_counts *past, waits *waited, counting *windows, ness_diags *diags,
                       stream_sums *out)
{
  memset(out, 0, sizeof *out);
  stream self = {.reader = reader,
                 .plan = plan,
                 .loop = loop,
                 .past = past,
                 .waited = waited,
                 .counted = windows,
                 .diags = diags,
                 .out = out,
                 .bytes = bytes};
  self.progress = options->progress;
  self.context = options->progress_context;
  ness_status status = stream_init(&self, options);
  window *now = &self.windows[0], *next = &self.windows[1];
  int64_t offset = 0;
  if (!status) window_read(&self, now);
  while (!status && !(status = now->status) && now->count > 0) {
    offset = now->offset;
    status = window_count(&self, now, next);
    if (!status) status = stream_report(&self, (double)offset, false);
    window *const counted = now;
    now = next;
    next = counted;
  }
  if (!status) status = stream_report(&self, bytes > 0 ? bytes : (double)offset, true);
  stream_free(&self);
  if (!status) status = stream_batches(out, plan);
  out->damage = dump_damage(reader);
  out->complete = dump_complete(reader) != 0;
  return status;
}

void stream_sums_free(stream_sums *self)
{
  mem_free(self->unit);
  mem_free(self->batch);
  mem_free(self->early);
  mem_free(self->joined);
  mem_free(self->index);
  memset(self, 0, sizeof *self);
}
