/* From the file to the sums, in one pass and in bounded memory.
 * Invariant: windows of frames are under way in the order of the file. Each is read by one thread; its chunks are
 * decoded and counted, each by any thread; its trajectories are followed: loops of each replica, memory and waits, each
 * through its chunks in their order by one thread, and not before those of the window before; then it is folded in the
 * order of the file, and its events are kept until there are enough (trace.h). So each sum has the same bits for any
 * number of threads. A thread takes the next task of the oldest window that has one, and naps where there is none:
 * no window waits for another but where an order asks for it. Windows are small where the file begins and ends, since
 * threads wait there; what is looked at only up to some number of events ends with a stretch of the file, whatever the
 * windows. Of a chunk only the columns that its sums need are decoded. Cost: the frames, rows and sums of
 * STREAM_WINDOWS. */
#include "analysis/analysis.h"

#include <math.h>
#include <omp.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#define WINDOW_FRAMES 32
#define WINDOW_LIMIT ((size_t)256 << 10) /* bytes of chunks, a thread, that end a window: it stays in the cache */
#define STRETCH_READ ((size_t)4 << 20)   /* that end a stretch */
#define WINDOW_BYTES ((size_t)256 << 20) /* of the sums of a window's chunks */
#define STREAM_WINDOWS 4
#define STREAM_UNREAD 4      /* chunks that are told of */
#define STREAM_TICK 0.2      /* s between two calls of progress */
#define STREAM_PATIENCE 50   /* looks for a task before a thread naps between them, */
#define STREAM_NAP 50000     /* ns; many threads would hold up by their looks the one that works */
#define STREAM_REPLICAS 4096 /* replicas whose events are added up for pieces by events */

typedef struct arrival { /* a chunk as it came from the file */
  dump_frame frame;
  dump_chunk scalars; /* its columns are NULL */
  int64_t before;     /* events before the stretch that it is in */
  ness_status status;
} arrival;

typedef enum window_stage {
  WINDOW_EMPTY,
  WINDOW_READ,
  WINDOW_COUNT,
  WINDOW_COUNTED,
  WINDOW_FOLLOW,
  WINDOW_FOLLOWED,
  WINDOW_FOLD
} window_stage;

typedef struct window {
  window_stage stage;
  int32_t task, tasks, left; /* of the stage: the next to be taken, all, and those not done */
  arrival *chunk;
  int32_t count;
  struct job *jobs;   /* (size) what is made of the chunks */
  int32_t *work;      /* (size + 2) tasks of following: a replica's first job, or FOLLOW_ what */
  int64_t offset;     /* in the file, behind the last chunk */
  ness_status status; /* why a task failed */
} window;

#define FOLLOW_MEMORY (-1)
#define FOLLOW_WAITS (-2)

typedef struct job {
  const arrival *from;
  dump_buffer buffer;
  dump_chunk chunk;
  tally sums;
  counting_rows windows;
  windows_rows entropy;
  loop_tally loops;
  loop_walker *walker;
  int64_t done;  /* events of the replica before */
  int32_t next;  /* the next job of the same replica, -1 none */
  bool first;    /* of its replica in the window */
  bool alive;    /* its loops are followed, if there is something to follow yet */
  bool remember; /* goes to the tests of memory_counts */
  bool watch;    /* its windows are counted */
  bool keep;     /* its events are kept */
  bool sample;   /* its rows are kept */
  ness_status status;
} job;

typedef struct stream {
  dump_reader *reader;
  const tally_plan *plan;
  loops *loop;           /* NULL: not followed */
  memory_counts *past;   /* NULL: not tested */
  waits *waited;         /* NULL: not one molecule */
  counting *counted;     /* NULL: no windows */
  windows_pass *entropy; /* NULL: not followed */
  ness_diags *diags;
  stream_sums *out;
  window windows[STREAM_WINDOWS]; /* from `oldest` on, around the end, in the order of the file */
  int32_t oldest;
  omp_lock_t lock;        /* of the stages of windows, and what they say is left to do */
  bool locked;            /* it was made */
  bool reading, all_read; /* somebody reads; nobody will */
  bool keeping, sampling; /* more events or rows are wanted */
  int64_t folded;         /* bytes */
  ness_status status;     /* why all ends */
  int32_t size;           /* chunks of a window, and of a stretch */
  bool ended;             /* the file; of who reads */
  int64_t place;          /* bytes that were read */
  size_t stretch_bytes;   /* of the stretch that is read */
  int32_t stretch_chunks;
  int64_t stretch_before, read_events; /* events before the stretch; up to here */
  dump_buffer scratch;
  loop_counter **counter; /* (threads) */
  int32_t threads;
  int64_t *done; /* (replicas) events so far; NULL unless pieces go by events */
  ness_progress progress;
  void *context;
  double bytes, clock_start, clock_last;
  int64_t events; /* of the windows that were counted or are */
  int64_t unread[STREAM_UNREAD];
} stream;

static double stream_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void stretch_add(stream *self, arrival *at)
{
  if (self->stretch_chunks == self->size || self->stretch_bytes >= STRETCH_READ) {
    self->stretch_chunks = 0;
    self->stretch_bytes = 0;
    self->stretch_before = self->read_events;
  }
  self->stretch_chunks++;
  self->stretch_bytes += at->frame.bytes;
  at->before = self->stretch_before;
  if (!at->status) self->read_events += at->scalars.events;
}

/* Bytes of the window to come: as many as were read before, half of what is left, or a full one. */
static double window_room(const stream *self)
{
  const double left = self->bytes > 0 ? fmax(self->bytes - (double)self->place, 0) : INFINITY;
  return fmin(fmin((double)self->place, left / 2), (double)WINDOW_LIMIT * self->threads);
}

/* Fills the window; count 0 at the end of the file. */
static void window_read(stream *self, window *out)
{
  const double room = window_room(self);
  size_t bytes = 0; /* of chunks */
  out->status = NESS_OK;
  for (out->count = 0; !self->ended && out->count < self->size && (bytes == 0 || (double)bytes < room);) {
    arrival *const at = &out->chunk[out->count];
    out->status = dump_next(self->reader, &at->frame, self->diags);
    self->ended = out->status || at->frame.bytes == 0;
    if (self->ended) return;
    self->place = out->offset = at->frame.offset + (int64_t)at->frame.bytes;
    if (at->frame.kind == DUMP_KIND_CHUNK) {
      bytes += at->frame.bytes;
      at->status = dump_decode(self->reader, &at->frame, &self->scratch, 0, &at->scalars);
      stretch_add(self, at);
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
  const unsigned followed = at->alive || at->remember || at->keep ? DUMP_N0 | DUMP_ROW_DIR_STORED : 0;
  const unsigned timed = at->remember || at->keep ? DUMP_ROW_TIME : 0;
  const unsigned sampled = at->sample ? DUMP_ROW_TIME | DUMP_ROW_COUNT : 0;
  const unsigned watched = at->watch ? counting_wanted(self->counted) : 0;
  const unsigned phased = self->plan->phased ? phases_wanted(self->plan->phased) : 0;
  const unsigned priced = self->entropy ? windows_wanted(self->entropy) : 0;
  const unsigned wanted =
      followed | timed | sampled | watched | phased | priced | tally_wanted(self->plan, &at->from->scalars, at->done);
  at->status = dump_decode(self->reader, &at->from->frame, &at->buffer, wanted, &at->chunk);
  if (!at->status) at->status = tally_chunk(self->plan, &at->chunk, at->done, &at->sums);
  if (!at->status && at->watch) at->status = counting_chunk(self->counted, &at->chunk, &at->windows);
  if (!at->status && self->entropy) at->status = windows_chunk(self->entropy, &at->chunk, &at->entropy);
  at->remember = at->remember && !at->status;
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

/* The one molecule through the chunks in their order. */
static ness_status window_remember(const stream *self, const window *now)
{
  ness_status status = NESS_OK;
  for (int32_t i = 0; i < now->count && !status; i++)
    if (now->jobs[i].remember) status = memory_follow(self->past, &now->jobs[i].chunk);
  return status;
}

static ness_status window_wait(const stream *self, const window *now)
{
  ness_status status = NESS_OK;
  for (int32_t i = 0; i < now->count && !status; i++)
    if (now->jobs[i].remember) status = waits_follow(self->waited, &now->jobs[i].chunk);
  return status;
}

/* Makes jobs of the chunks, and says what is to be done with each. */
static void window_jobs(stream *self, window *now)
{
  const tally_plan *plan = self->plan;
  const bool alive = self->loop && plan->run->level == DUMP_EVENTS && loops_alive(self->loop);
  for (int32_t i = 0; i < now->count; i++) {
    job *const at = &now->jobs[i];
    const int64_t events = now->chunk[i].before;
    const dump_chunk *const chunk = &now->chunk[i].scalars;
    at->from = &now->chunk[i];
    at->status = at->from->status;
    at->done = 0;
    at->alive = !at->status && alive && chunk->rows == chunk->events;
    at->remember = !at->status && self->past && events < MEMORY_EVENTS && chunk->rows == chunk->events;
    at->watch = !at->status && self->counted && (plan->run->level == DUMP_FLUX || events < COUNTING_EVENTS);
    at->keep = !at->status && self->keeping;
    at->sample = !at->status && self->sampling;
    if (at->status) continue;
    self->events += chunk->events;
    if (self->done && chunk->replica < plan->run->replicas) {
      at->done = self->done[chunk->replica];
      self->done[chunk->replica] += chunk->events;
    }
  }
}

/* Chains the jobs of each replica and finds walkers. Quadratic in the window, which is small. */
static ness_status window_group(const stream *self, window *now)
{
  const bool alive = self->loop && loops_alive(self->loop);
  for (int32_t i = 0; i < now->count; i++) {
    job *const at = &now->jobs[i];
    const int64_t replica = at->from->scalars.replica;
    at->first = !at->status;
    at->next = -1;
    at->loops.entries = at->loops.passages = at->loops.sequences = 0;
    at->walker = NULL;
    if (at->status || !alive || !at->alive) continue;
    if (!(at->walker = loops_walker(self->loop, replica))) return NESS_NOMEM;
    for (int32_t j = i - 1; j >= 0; j--) {
      if (!now->jobs[j].walker || now->chunk[j].scalars.replica != replica) continue;
      now->jobs[j].next = i;
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

static ness_status job_fold(stream *self, job *at)
{
  stream_sums *const out = self->out;
  out->chunks++;
  if (at->chunk.last) {
    out->replicas++;
    out->absorbed += at->chunk.stop == NESS_STOP_ABSORBED;
  }
  stream_add(out, self->plan, &at->sums);
  ness_status status = at->watch ? counting_fold(self->counted, &at->chunk, &at->windows) : NESS_OK;
  if (!status && at->keep) status = trace_follow(self->plan->kept, &at->chunk);
  if (!status && at->sample) status = samples_follow(self->plan->sampled, &at->chunk);
  if (!status && self->plan->phased) status = phases_follow(self->plan->phased, &at->chunk);
  if (self->entropy) windows_fold(self->entropy, &at->chunk, &at->entropy);
  if (status || !at->walker) return status;
  return loops_fold(self->loop, &at->loops);
}

static ness_status window_fold(stream *self, const window *now)
{
  ness_status status = NESS_OK;
  for (int32_t i = 0; i < now->count && !status; i++) {
    job *const at = &now->jobs[i];
    if (at->status == NESS_NOMEM) return NESS_NOMEM;
    if (!at->status) status = job_fold(self, at);
    else if (self->out->unread++ < STREAM_UNREAD) self->unread[self->out->unread - 1] = at->from->frame.offset;
  }
  return status;
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

/* --- who does what; under the lock --- */

static void window_begin(window *self, window_stage stage, int32_t tasks)
{
  self->stage = stage;
  self->task = 0;
  self->tasks = self->left = tasks;
}

/* What is long and cannot be shared begins first. */
static void window_follow(stream *self, window *now)
{
  int32_t tasks = 0;
  now->status = window_group(self, now);
  if (self->waited) now->work[tasks++] = FOLLOW_WAITS;
  if (self->past) now->work[tasks++] = FOLLOW_MEMORY;
  for (int32_t i = 0; i < now->count; i++)
    if (now->jobs[i].first && now->jobs[i].walker) now->work[tasks++] = i;
  window_begin(now, tasks ? WINDOW_FOLLOW : WINDOW_FOLLOWED, tasks);
  if (now->status) self->status = now->status;
}

typedef struct stream_task {
  window *of;
  window_stage stage;
  int32_t at;
} stream_task;

/* The next task of the oldest window that has one; false: none can be done now. */
static bool task_take(stream *self, stream_task *out)
{
  const window *before = NULL;
  for (int32_t i = 0; i < STREAM_WINDOWS; i++) {
    window *const now = &self->windows[(self->oldest + i) % STREAM_WINDOWS];
    if (now->stage == WINDOW_EMPTY) {
      if (self->reading || self->all_read) return false;
      self->reading = true;
      window_begin(now, WINDOW_READ, 1);
    }
    if (now->stage == WINDOW_COUNTED && (!before || before->stage >= WINDOW_FOLLOWED)) window_follow(self, now);
    if (now->stage == WINDOW_FOLLOWED && !before) window_begin(now, WINDOW_FOLD, 1);
    if (now->task < now->tasks) {
      *out = (stream_task){now, now->stage, now->task++};
      return true;
    }
    before = now;
  }
  return false;
}

static void task_done(stream *self, window *now)
{
  if (--now->left > 0) return;
  switch (now->stage) {
  case WINDOW_READ:
    self->reading = false;
    self->all_read = self->ended;
    window_jobs(self, now);
    window_begin(now, now->count > 0 ? WINDOW_COUNT : WINDOW_EMPTY, now->count);
    break;
  case WINDOW_COUNT: window_begin(now, WINDOW_COUNTED, 0); break;
  case WINDOW_FOLLOW:
    for (int32_t i = 0; i < now->count; i++)
      if (now->jobs[i].walker && !now->jobs[i].status && now->jobs[i].chunk.last)
        loops_walker_end(self->loop, now->jobs[i].chunk.replica);
    window_begin(now, WINDOW_FOLLOWED, 0);
    break;
  default:
    self->keeping = self->plan->kept && !self->plan->kept->full;
    self->sampling = self->plan->sampled && !self->plan->sampled->full;
    self->folded = now->offset;
    self->oldest = (self->oldest + 1) % STREAM_WINDOWS;
    window_begin(now, WINDOW_EMPTY, 0);
    if (!now->status) now->status = stream_report(self, (double)self->folded, false);
  }
  if (now->status && !self->status) self->status = now->status;
}

/* --- without it --- */

static void task_run(stream *self, const stream_task *task)
{
  window *const now = task->of;
  const int32_t what = task->stage == WINDOW_FOLLOW ? now->work[task->at] : task->at;
  ness_status status = NESS_OK;
  if (task->stage == WINDOW_READ) window_read(self, now);
  else if (task->stage == WINDOW_COUNT) job_count(self, &now->jobs[what]);
  else if (task->stage == WINDOW_FOLD) status = window_fold(self, now);
  else if (what == FOLLOW_MEMORY) status = window_remember(self, now);
  else if (what == FOLLOW_WAITS) status = window_wait(self, now);
  else
    for (int32_t j = what; j >= 0; j = now->jobs[j].next) job_follow(self, &now->jobs[j]);
  omp_set_lock(&self->lock);
  if (status) now->status = status;
  task_done(self, now);
  omp_unset_lock(&self->lock);
}

static void stream_work(stream *self)
{
  const struct timespec nap = {.tv_nsec = STREAM_NAP};
  for (int32_t idle = 0;; idle++) {
    stream_task task;
    omp_set_lock(&self->lock);
    const bool over = self->status || (self->all_read && self->windows[self->oldest].stage == WINDOW_EMPTY);
    const bool taken = !over && task_take(self, &task);
    omp_unset_lock(&self->lock);
    if (over) return;
    if (taken) {
      task_run(self, &task);
      idle = 0;
    } else if (idle < STREAM_PATIENCE) {
      sched_yield();
    } else {
      nanosleep(&nap, NULL);
    }
  }
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

static ness_status stream_init(stream *self, const ness_analyze_options *options)
{
  const tally_plan *plan = self->plan;
  self->threads = options->threads > 0 ? options->threads : omp_get_max_threads();
  const size_t largest = (size_t)plan->width * sizeof(double) * (size_t)plan->pieces;
  const size_t fits = WINDOW_BYTES / largest;
  self->size = fits < WINDOW_FRAMES ? fits > 1 ? (int32_t)fits : 1 : WINDOW_FRAMES;
  if (self->threads > self->size) self->threads = self->size;
  bool good = true;
  for (int32_t w = 0; w < STREAM_WINDOWS; w++) {
    self->windows[w].chunk = mem_zero((size_t)self->size, sizeof(arrival));
    self->windows[w].jobs = mem_zero((size_t)self->size, sizeof(job));
    self->windows[w].work = mem_zero((size_t)self->size + 2, sizeof *self->windows[w].work);
    good = good && self->windows[w].chunk && self->windows[w].jobs && self->windows[w].work;
  }
  omp_init_lock(&self->lock);
  self->locked = true;
  self->keeping = plan->kept != NULL;
  self->sampling = plan->sampled != NULL;
  self->counter = mem_zero((size_t)self->threads, sizeof(loop_counter *));
  self->out->unit = mem_zero((size_t)plan->units * (size_t)plan->width, sizeof(double));
  good = good && self->counter && self->out->unit;
  if (plan->by_events && plan->by_time && plan->run->replicas <= STREAM_REPLICAS)
    good = good && (self->done = mem_zero((size_t)plan->run->replicas, sizeof *self->done));
  for (int32_t t = 0; self->loop && good && t < self->threads; t++)
    good = (self->counter[t] = loop_counter_create(self->loop)) != NULL;
  self->clock_start = self->clock_last = stream_clock();
  return good ? NESS_OK : NESS_NOMEM;
}

static void job_free(job *self)
{
  dump_buffer_free(&self->buffer);
  tally_free(&self->sums);
  counting_rows_free(&self->windows);
  windows_rows_free(&self->entropy);
  loop_tally_free(&self->loops);
}

static void stream_free(stream *self)
{
  for (int32_t w = 0; w < STREAM_WINDOWS; w++) {
    for (int32_t i = 0; self->windows[w].chunk && i < self->size; i++)
      dump_frame_free(&self->windows[w].chunk[i].frame);
    for (int32_t i = 0; self->windows[w].jobs && i < self->size; i++) job_free(&self->windows[w].jobs[i]);
    mem_free(self->windows[w].chunk);
    mem_free(self->windows[w].jobs);
    mem_free(self->windows[w].work);
  }
  if (self->locked) omp_destroy_lock(&self->lock);
  for (int32_t t = 0; self->counter && t < self->threads; t++) loop_counter_free(self->counter[t]);
  dump_buffer_free(&self->scratch);
  mem_free(self->counter);
  mem_free(self->done);
}

ness_status stream_run(dump_reader *reader, const tally_plan *plan, const ness_analyze_options *options, double bytes,
                       loops *loop, memory_counts *past, waits *waited, counting *counted, windows_pass *entropy,
                       ness_diags *diags, stream_sums *out)
{
  memset(out, 0, sizeof *out);
  stream self = {.reader = reader,
                 .plan = plan,
                 .loop = loop,
                 .past = past,
                 .waited = waited,
                 .counted = counted,
                 .entropy = entropy,
                 .diags = diags,
                 .out = out,
                 .bytes = bytes};
  self.progress = options->progress;
  self.context = options->progress_context;
  ness_status status = stream_init(&self, options);
  if (!status) {
#pragma omp parallel num_threads(self.threads) default(none) shared(self)
    stream_work(&self);
    status = self.status;
  }
  for (int64_t k = 0; k < out->unread && k < STREAM_UNREAD; k++)
    diag_add(diags, NESS_WARNING, "the chunk at byte %lld does not fit the network and is left out",
             (long long)self.unread[k]);
  if (!status) status = stream_report(&self, bytes > 0 ? bytes : (double)self.folded, true);
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
