/* Many replicas over OpenMP threads: blocks of replicas, rounds of chunks.
 * Invariant: in a round every live replica of the block advances by one chunk; frames are appended in replica order,
 * each as soon as all before it are there. So the file's bytes and every sum are the same for any number of threads,
 * and what a stop leaves in the file is a beginning of what would have stood there. When several replicas fail, the
 * first in this order is reported. Memory: a chunk's rows a thread, counts and totals a replica of the block, and the
 * packed frames that wait for their turn; nothing grows with the number of replicas. Between frames nothing is
 * allocated. */
#include "engine/ssa/ensemble.h"

#include <math.h>
#include <omp.h>
#include <string.h>
#include <time.h>

#define RUN_TICK 0.2 /* s between two calls of progress */
#define RUN_FEW 2    /* lanes that are not worth a step of all */

#define RUN_STRING_(x) #x
#define RUN_STRING(x) RUN_STRING_(x)
#if defined(__clang__)
#define RUN_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define RUN_COMPILER "gcc " __VERSION__
#else
#define RUN_COMPILER "unknown compiler"
#endif
#if defined(__x86_64__)
#define RUN_PROCESSOR "x86_64"
#elif defined(__aarch64__)
#define RUN_PROCESSOR "aarch64"
#else
#define RUN_PROCESSOR "unknown processor"
#endif

static double run_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* --- progress and stopping --- */

static void run_report(ssa_run *self, double now)
{
  const double done = (double)atomic_load(&self->units_done) / (double)SSA_UNIT;
  self->clock_last = now;
  if (self->progress && self->progress(self->progress_context, done, (double)self->plan.replicas,
                                       (int64_t)atomic_load(&self->events_done), now - self->clock_start) != 0) {
    atomic_store(&self->stop, true);
  }
}

void ssa_tick(ssa_run *self, ssa_lane *lane, double t, int64_t events, int64_t delta)
{
  const ssa_plan *plan = &self->plan;
  double part = plan->time < INFINITY ? t / plan->time : 0;
  part = plan->events > 0 ? fmax(part, (double)events / (double)plan->events) : part;
  const int64_t units = (int64_t)(fmin(part, 1) * (double)SSA_UNIT);
  atomic_fetch_add_explicit(&self->events_done, delta, memory_order_relaxed);
  if (units > lane->progress) {
    atomic_fetch_add_explicit(&self->units_done, units - lane->progress, memory_order_relaxed);
    lane->progress = units;
  }
  if (interrupt_pending()) {
    atomic_store(&self->stop, true);
  }
  if (self->progress && omp_get_thread_num() == 0) {
    const double now = run_clock();
    if (now - self->clock_last >= RUN_TICK) {
      run_report(self, now);
    }
  }
}

/* --- the parts of a run --- */

static ness_status run_init_lockstep(ssa_run *self)
{
  const size_t size = (lockstep_size() + CARVE_LINE - 1) / CARVE_LINE * CARVE_LINE;
  self->lockstep = mem_zero((size_t)self->threads, sizeof *self->lockstep);
  self->states = mem_zero(1, sizeof *self->states);
  char *const memory = carve_block(size * (size_t)self->threads, &self->lockstep_block);
  if (!self->lockstep || !self->states || !memory) {
    return NESS_NOMEM;
  }
  small_compile(self->plan.net, &self->small);
  states_build(self->states, &self->small, self->plan.net->slot_start);
  for (int32_t i = 0; i < self->threads; i++) {
    lockstep_init(&self->lockstep[i], &self->small, self->states, memory + size * (size_t)i);
  }
  return NESS_OK;
}

ness_status ssa_run_init(ssa_run *self, const ness_simulate_options *options, ssa_result *result)
{
  const ssa_plan *plan = &self->plan;
  const int64_t lanes = plan->replicas < plan->block ? plan->replicas : plan->block;
  int32_t threads = 0;
  if (options && options->struct_size > offsetof(ness_simulate_options, threads)) {
    threads = options->threads;
  }
  if (options && options->struct_size >= offsetof(ness_simulate_options, epsilon)) {
    self->progress = options->progress;
    self->progress_context = options->progress_context;
  }
  threads = threads > 0 ? threads : omp_get_max_threads();
  self->threads = (int64_t)threads < lanes ? threads : (int32_t)lanes;
  self->clock_start = self->clock_last = run_clock();
  self->result = result;

  /* Steps of several replicas at once pay as soon as there are some for every thread. The bits are the same. */
  const bool several = plan->kernel == &ssa_kernel_small && plan->level != DUMP_EVENTS && lanes >= 4 * self->threads;
  self->seats = several ? LOCKSTEP_LANES : 1;
  const int32_t workers = self->threads * self->seats;

  ssa_lane measured;
  size_t bytes;
  const size_t lane_bytes = ssa_lane_layout(&measured, NULL, plan->net);
  self->worker = mem_zero((size_t)workers, sizeof *self->worker);
  self->lane = mem_zero((size_t)lanes, sizeof *self->lane);
  self->list = mem_zero((size_t)lanes, sizeof *self->list);
  char *memory = size_mul((size_t)lanes, lane_bytes, &bytes) ? carve_block(bytes, &self->lane_block) : NULL;
  if (!self->worker || !self->lane || !self->list || !memory || (result && ssa_result_init(result, plan))) {
    return NESS_NOMEM;
  }
  for (int64_t i = 0; i < lanes; i++) {
    ssa_lane_layout(&self->lane[i], memory + (size_t)i * lane_bytes, plan->net);
  }
  for (int32_t i = 0; i < workers; i++) {
    ssa_worker *const first = &self->worker[i / self->seats * self->seats], *const worker = &self->worker[i];
    const ness_status status = ssa_worker_init(worker, plan, result != NULL && worker == first);
    if (status) {
      return status;
    }
    worker->grid = first->grid; /* one a thread */
    worker->grid_replicas = first->grid_replicas;
  }
  return several ? run_init_lockstep(self) : NESS_OK;
}

void ssa_run_free(ssa_run *self)
{
  for (int32_t i = 0; self->worker && i < self->threads * self->seats; i++) {
    ssa_worker_free(&self->worker[i]);
  }
  for (int64_t i = 0; self->lane && i < self->lanes; i++) {
    mem_free(self->lane[i].frame);
  }
  dump_abandon(self->writer);
  mem_free(self->worker);
  mem_free(self->lockstep);
  mem_free(self->states);
  mem_free(self->lockstep_block);
  mem_free(self->lane);
  mem_free(self->list);
  mem_free(self->lane_block);
}

void ssa_block_begin(ssa_run *self, int64_t first)
{
  const int64_t left = self->plan.replicas - first;
  self->first = first;
  self->lanes = left < self->plan.block ? left : self->plan.block;
  for (int64_t i = 0; i < self->lanes; i++) {
    ssa_lane_begin(&self->lane[i], self->plan.net, first + i);
  }
}

void ssa_block_fold(ssa_run *self)
{
  for (int64_t i = 0; self->result && i < self->lanes; i++) {
    ssa_result_fold(self->result, &self->plan, &self->lane[i]);
  }
}

int32_t ssa_block_round(ssa_run *self)
{
  int64_t round = INT64_MAX;
  int32_t count = 0;
  for (int64_t i = 0; i < self->lanes; i++) {
    if (!self->lane[i].ended && self->lane[i].chunks < round) {
      round = self->lane[i].chunks;
    }
  }
  for (int64_t i = 0; i < self->lanes; i++) {
    if (!self->lane[i].ended && self->lane[i].chunks == round) {
      self->lane[i].ready = false;
      self->list[count++] = (int32_t)i;
    }
  }
  return count;
}

/* --- a round --- */

typedef struct run_round {
  int32_t count;
  atomic_int taken;    /* places of the list that someone has in hand or has finished */
  int32_t next;        /* frames before this one are in the file */
  int32_t failed;      /* the first place in the list that failed, or count */
  ness_status failure; /* of that place */
  bool writing;        /* someone appends, and looks for more before the lock is given back */
  ness_status status;  /* of appending */
  omp_lock_t lock;     /* for all of the above but taken */
} run_round;

/* This place is ready, and whatever is ready from the front on goes to the file, by one thread at a time: who comes
 * while another writes leaves the frame to it and goes on. */
static void round_append(ssa_run *self, run_round *round, ssa_lane *lane)
{
  omp_set_lock(&round->lock);
  lane->ready = true;
  const bool writes = !round->writing;
  round->writing = true;
  while (writes && !round->status && round->next < round->count && self->lane[self->list[round->next]].ready) {
    ssa_lane *first = &self->lane[self->list[round->next++]];
    omp_unset_lock(&round->lock);
    const ness_status status = dump_append(self->writer, first->frame, first->frame_bytes, self->diags);
    mem_free(first->frame);
    first->frame = NULL;
    omp_set_lock(&round->lock);
    round->status = status;
  }
  if (writes) {
    round->writing = false;
  }
  if (round->status) {
    atomic_store(&self->stop, true);
  }
  omp_unset_lock(&round->lock);
}

/* A lane's chunk is over: to the file with it, or a failure is kept. */
static void round_end(ssa_run *self, run_round *round, ssa_worker *worker)
{
  static const ness_status ends[] = {[SSA_CHUNK_DONE] = NESS_OK,
                                     [SSA_CHUNK_STOPPED] = NESS_STOPPED,
                                     [SSA_CHUNK_BAD_RATE] = NESS_NUMERIC,
                                     [SSA_CHUNK_DIFFERS] = NESS_FORMAT};
  ssa_lane *const lane = worker->lane;
  ness_status status = ends[worker->end];
  if (status == NESS_OK && self->writer) {
    status = dump_pack(self->plan.net, self->plan.level, &worker->chunk, &lane->frame, &lane->frame_bytes);
  }
  if (status == NESS_OK && self->writer) {
    round_append(self, round, lane);
  } else if (status != NESS_OK && status != NESS_STOPPED) {
    const int32_t *place = self->list;
    while (&self->lane[*place] != lane) place++;
    omp_set_lock(&round->lock);
    if (place - self->list < round->failed) {
      round->failed = (int32_t)(place - self->list);
      round->failure = status;
    }
    omp_unset_lock(&round->lock);
  }
}

/* The next lane that nobody has, NULL when there is none. Behind a failure none is begun: it was the first. */
static ssa_lane *round_take(ssa_run *self, run_round *round)
{
  const int32_t place = atomic_fetch_add(&round->taken, 1);
  omp_set_lock(&round->lock);
  const int32_t failed = round->failed;
  omp_unset_lock(&round->lock);
  return place < failed && !atomic_load(&self->stop) ? &self->lane[self->list[place]] : NULL;
}

/* One replica after another. */
static void round_single(ssa_run *self, run_round *round, ssa_worker *worker)
{
  for (ssa_lane *lane = round_take(self, round); lane; lane = round_take(self, round)) {
    if (ssa_chunk_begin(self, worker, lane)) {
      ssa_chunk_finish(self, worker);
    }
    round_end(self, round, worker);
  }
}

/* A replica goes into its seat, or back to it. */
static void round_seat(ssa_run *self, lockstep *steps, ssa_worker *worker, int32_t seat)
{
  double t_stop;
  int64_t max_events;
  ssa_chunk_target(self, worker, &t_stop, &max_events);
  lockstep_seat(steps, seat, &worker->replica, t_stop, max_events);
}

/* The next lane whose chunk goes on, in a seat. */
static void round_fill(ssa_run *self, run_round *round, lockstep *steps, ssa_worker *worker, int32_t seat)
{
  for (ssa_lane *lane = round_take(self, round); lane; lane = round_take(self, round)) {
    if (ssa_chunk_begin(self, worker, lane)) {
      round_seat(self, steps, worker, seat);
      return;
    }
    round_end(self, round, worker);
  }
}

/* Few are left and no more will come: one after another is quicker. */
static void round_empty(ssa_run *self, run_round *round, lockstep *steps, ssa_worker *workers)
{
  for (int32_t seat = 0; seat < LOCKSTEP_LANES; seat++) {
    if (!steps->seat[seat]) {
      continue;
    }
    lockstep_leave(steps, seat);
    if (ssa_chunk_pause(self, &workers[seat], SSA_AT_EVENTS)) {
      ssa_chunk_finish(self, &workers[seat]);
    }
    round_end(self, round, &workers[seat]);
  }
}

/* Several replicas in step: whoever pauses goes on, or makes room for the next. */
static void round_several(ssa_run *self, run_round *round, lockstep *steps, ssa_worker *workers)
{
  for (int32_t seat = 0; seat < LOCKSTEP_LANES; seat++) {
    round_fill(self, round, steps, &workers[seat], seat);
  }
  while (steps->taken > RUN_FEW) {
    ssa_pause pause;
    const int32_t seat = lockstep_next(steps, &pause);
    ssa_worker *const worker = &workers[seat];
    if (pause == SSA_BAD_RATE) { /* says which */
      pause =
          ssa_advance(&worker->replica, self->plan.net, self->plan.kernel, INFINITY, 1, NULL, &worker->lane->bad_dir);
    }
    if (ssa_chunk_pause(self, worker, pause)) {
      round_seat(self, steps, worker, seat);
    } else {
      round_end(self, round, worker);
      round_fill(self, round, steps, worker, seat);
    }
  }
  round_empty(self, round, steps, workers);
}

/* Why the lane failed, for people. */
static void round_explain(ssa_run *self, const ssa_lane *lane, ness_status status)
{
  const ness_network *net = self->plan.net;
  if (status == NESS_FORMAT) {
    diag_add(self->diags, NESS_ERROR, "replica %lld: this program does not repeat what the dump holds",
             (long long)lane->index);
    diag_hint(self->diags, "resume with the version that wrote it");
  } else if (status == NESS_NUMERIC) {
    char time[32];
    text_buffer counts = {0};
    number_short(lane->t, 6, time);
    for (int32_t i = 0, shown = 0; i < net->nslot; i++) {
      if (lane->n[i] != 0 && shown++ < 12) {
        text_add(&counts, "%s%s = %lld", shown > 1 ? ", " : "", network_text(net, net->slot_name[i]),
                 (long long)lane->n[i]);
      } else if (shown == 13) {
        text_add(&counts, ", ...");
        break;
      }
    }
    diag_add(self->diags, NESS_ERROR,
             "replica %lld: the %s rate of step %s is negative or not a number at t = %s s (%s)",
             (long long)lane->index, lane->bad_dir % 2 ? "backward" : "forward",
             network_text(net, net->step_name[lane->bad_dir / 2]), time,
             counts.data && counts.length ? counts.data : "all counts 0");
    diag_hint(self->diags, "a rate must be finite and at least 0 in every state that can be reached");
    text_clear(&counts);
  }
}

static ness_status round_run(ssa_run *self, int32_t count)
{
  run_round round = {.count = count, .failed = count};
  omp_init_lock(&round.lock);
#pragma omp parallel num_threads(self->threads) default(none) shared(self, round)
  {
    const int32_t thread = omp_get_thread_num();
    ssa_worker *const workers = &self->worker[thread * self->seats];
    if (self->lockstep) {
      round_several(self, &round, &self->lockstep[thread], workers);
    } else {
      round_single(self, &round, workers);
    }
  }
  omp_destroy_lock(&round.lock);
  if (round.status) {
    return round.status;
  }
  if (round.failure) {
    round_explain(self, &self->lane[self->list[round.failed]], round.failure);
    return round.failure;
  }
  return atomic_load(&self->stop) ? NESS_STOPPED : NESS_OK;
}

ness_status ssa_run_all(ssa_run *self)
{
  ness_status status = NESS_OK;
  while (!status) {
    const int32_t count = ssa_block_round(self);
    if (count > 0) {
      status = round_run(self, count);
      continue;
    }
    ssa_block_fold(self);
    if (self->first + self->lanes == self->plan.replicas) {
      break;
    }
    ssa_block_begin(self, self->first + self->lanes);
  }
  if (!status && self->result && self->plan.grids > 0) {
    ssa_result_grid(self->result, &self->plan, self->worker, self->threads, self->seats);
  }
  if (self->writer && status != NESS_IO) {
    const ness_status closed = dump_close(self->writer, status == NESS_OK, self->diags);
    self->writer = NULL;
    status = closed ? closed : status;
  }
  if (!status && self->progress) {
    run_report(self, run_clock());
  }
  return status;
}

ness_status ssa_ensemble(const ness_network *net, const ness_simulate_options *options, const char *model_text,
                         const char *overrides, ness_diags *diags, ssa_result *result)
{
  ssa_run run;
  memset(&run, 0, sizeof run);
  if (result) {
    memset(result, 0, sizeof *result);
  }
  run.diags = diags;
  ness_status status = ssa_plan_options(&run.plan, net, options, diags);
  if (!status) {
    status = ssa_run_init(&run, options, result);
  }
  if (!status && run.plan.stored) {
    dump_run frame = {
        .model_text = model_text ? model_text : "",
        .overrides = overrides ? overrides : "",
        .command = options->command ? options->command : "",
        .version = ness_version_text(),
        .machine = RUN_COMPILER ", " RUN_PROCESSOR,
    };
    ssa_plan_run(&run.plan, &frame);
    status = dump_create(options->path, options->overwrite != 0, net, &frame, diags, &run.writer);
  }
  if (!status) {
    ssa_block_begin(&run, 0);
    status = ssa_run_all(&run);
  }
  ssa_run_free(&run);
  if (status && result) {
    ssa_result_free(result);
  }
  return status;
}
