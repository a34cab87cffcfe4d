/* Many replicas over OpenMP threads, folded into batches. Invariant: a replica's numbers depend on seed and index alone
 * and fold in the order of replicas, block after block, so every sum has the same bits for any number of threads; of
 * several failures the first replica's is told. u is looked at at one random time in each equal part of the counted
 * time, drawn from a stream of its own, so that neither a period nor the events bias its mean. Memory: a block of
 * replicas. Cost: beside the trajectories, O(steps, slots, phases) a replica. */
#include "engine/motion/motion.h"
#include "engine/replicas/replicas.h"

#include <math.h>
#include <string.h>

#define RUN_BLOCK 1024 /* replicas between two folds, or fewer where they are large */
#define RUN_BLOCK_LEAST 64
#define RUN_BLOCK_BYTES ((int64_t)64 << 20)
#define RUN_BURST (INT64_C(1) << 14)        /* windows and candidates between two looks at the stop flag */
#define RUN_LOG_BURST 256                   /* ... where events are kept: so finely are marks in time met */
#define RUN_LOG_LANES 16                    /* replicas between two folds then: what waits for them is large */
#define RUN_REPLICAS_MAX (INT64_C(1) << 32) /* the stream's replica number has 32 bits */
#define RUN_REPLICAS 64
#define RUN_SAMPLES 16
#define RUN_ROUNDING 1e-12 /* of the end: a row that falls behind it by less stands at it */

typedef struct run_lane {
  motion_replica replica;
  int64_t index;
  motion_pause pause;
  ness_status status; /* of the caller's rows, or NESS_STOPPED */
  double *work;       /* (nsource) */
  motion_totals totals;
  motion_log log;
  int32_t mark; /* parts of the counted time that are over */
  double u_sum, u_sum2;
} run_lane;

typedef struct run {
  motion_net shared;
  motion_options options;
  ness_diags *diags;
  motion_result *result;
  run_lane *lane; /* (lanes) */
  double *work;   /* (lanes x nsource) */
  replicas_job over;
} run;

/* --- the result --- */

void motion_result_free(motion_result *self)
{
  mem_free(self->counted);
  mem_free(self->fwd);
  mem_free(self->bwd);
  mem_free(self->phase_fwd);
  mem_free(self->phase_bwd);
  mem_free(self->dwell);
  mem_free(self->dwell2);
  mem_free(self->medium);
  mem_free(self->work);
  mem_free(self->input_work);
  mem_free(self->energy);
  mem_free(self->u_samples);
  mem_free(self->u_sum);
  mem_free(self->u_sum2);
  mem_free(self->work_list);
  mem_free(self->end);
  memset(self, 0, sizeof *self);
}

/* One zeroed array of rows; a NULL sticks. */
static double *result_rows(bool *fine, size_t rows, size_t width)
{
  size_t count = 0;
  double *array = *fine && size_mul(rows, width, &count) ? mem_zero(count + 1, sizeof *array) : NULL;
  *fine = array != NULL;
  return array;
}

static ness_status result_init(motion_result *self, const ness_network *net, const motion_options *options)
{
  const size_t replicas = (size_t)options->replicas, slots = (size_t)net->nslot, steps = (size_t)net->nstep;
  const size_t batches = replicas < MOTION_BATCHES ? replicas : MOTION_BATCHES;
  const size_t sources = (size_t)network_sources(net);
  size_t phases = 0, ends = 0;
  bool fine = size_mul((size_t)options->phases, steps, &phases) && size_mul(replicas, slots, &ends);
  self->batches = (int32_t)batches;
  self->phases = options->phases;
  self->nsource = (int32_t)sources;
  self->replicas = options->replicas;
  self->counted = result_rows(&fine, batches, 1);
  self->fwd = result_rows(&fine, batches, steps);
  self->bwd = result_rows(&fine, batches, steps);
  self->phase_fwd = result_rows(&fine, batches, phases);
  self->phase_bwd = result_rows(&fine, batches, phases);
  self->dwell = result_rows(&fine, batches, slots);
  self->dwell2 = result_rows(&fine, batches, slots);
  self->medium = result_rows(&fine, batches, 1);
  self->work = result_rows(&fine, batches, sources);
  self->input_work = result_rows(&fine, batches, 1);
  self->energy = result_rows(&fine, batches, 1);
  self->u_samples = result_rows(&fine, batches, 1);
  self->u_sum = result_rows(&fine, batches, 1);
  self->u_sum2 = result_rows(&fine, batches, 1);
  if (options->keep_work) {
    self->work_list = result_rows(&fine, replicas, 1);
  }
  if (fine && options->keep_end) {
    fine = (self->end = mem_zero(ends + 1, sizeof *self->end)) != NULL;
  }
  return fine ? NESS_OK : NESS_NOMEM;
}

static void fold_phases(const run *self, const run_lane *lane, ptrdiff_t batch)
{
  const int32_t steps = self->shared.net->nstep;
  const ptrdiff_t row = batch * self->options.phases * steps;
  for (ptrdiff_t i = 0; i < (ptrdiff_t)self->options.phases * steps; i++) {
    self->result->phase_fwd[row + i] += (double)lane->replica.phase[2 * i];
    self->result->phase_bwd[row + i] += (double)lane->replica.phase[2 * i + 1];
  }
}

static void fold(const run *self, const run_lane *lane)
{
  const ness_network *net = self->shared.net;
  motion_result *const result = self->result;
  const motion_replica *const replica = &lane->replica;
  const ptrdiff_t batch = (ptrdiff_t)(lane->index * result->batches / result->replicas);
  for (int32_t i = 0; i < net->nstep; i++) {
    result->fwd[batch * net->nstep + i] += (double)replica->fired[2 * i];
    result->bwd[batch * net->nstep + i] += (double)replica->fired[2 * i + 1];
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    result->dwell[batch * net->nslot + i] += replica->slot[i].dwell;
    result->dwell2[batch * net->nslot + i] += replica->slot[i].dwell2;
  }
  for (int32_t i = 0; i < result->nsource; i++) {
    result->work[batch * result->nsource + i] += lane->work[i];
  }
  fold_phases(self, lane, batch);
  result->counted[batch] += replica->settled - replica->start;
  result->medium[batch] += lane->totals.medium;
  result->input_work[batch] += lane->totals.input_work;
  result->energy[batch] += lane->totals.energy;
  result->u_samples[batch] += self->options.samples;
  result->u_sum[batch] += lane->u_sum;
  result->u_sum2[batch] += lane->u_sum2;
  result->events += replica->events;
  result->candidates += replica->candidates;
  result->windows += replica->windows;
  result->one_way += lane->totals.one_way;
  if (result->work_list) {
    result->work_list[lane->index] = lane->totals.input_work;
  }
  if (result->end) {
    memcpy(result->end + lane->index * net->nslot, replica->n, (size_t)net->nslot * sizeof *replica->n);
  }
}

/* --- a replica --- */

static motion_now lane_now(run *self, run_lane *lane)
{
  lane->totals = motion_settle(&lane->replica, &self->shared, lane->work);
  return (motion_now){&lane->replica, &lane->totals, lane->work};
}

/* The events of the log to who wants them. */
static bool lane_flush(run *self, run_lane *lane, bool end)
{
  const motion_options *const o = &self->options;
  if (o->events) {
    const motion_now now = lane_now(self, lane);
    lane->status = o->events(o->row_context, lane->index, &lane->log, end, &now);
    lane->log.count = 0;
  }
  return lane->status == NESS_OK;
}

/* Room in the log for what an advance may bring. */
static bool lane_log(run_lane *lane)
{
  motion_log *const log = &lane->log;
  int64_t times = log->capacity, dirs = log->capacity;
  if (!mem_grow(&log->time, &times, log->count + RUN_LOG_BURST, sizeof *log->time) ||
      !mem_grow(&log->dir, &dirs, log->count + RUN_LOG_BURST, sizeof *log->dir)) {
    lane->status = NESS_NOMEM;
    return false;
  }
  log->capacity = times < dirs ? times : dirs;
  return true;
}

/* Whether the log is full, or a part of the counted time is over. */
static bool lane_marked(const run *self, run_lane *lane)
{
  const motion_options *const o = &self->options;
  const double share = (lane->replica.path.t - o->warmup) / (o->time - o->warmup);
  const int32_t mark = (int32_t)(share * o->log_marks);
  const bool over = mark > lane->mark && mark < o->log_marks; /* the end is flushed anyway */
  lane->mark = mark;
  return over || lane->log.count >= o->log_events;
}

static bool lane_advance(run *self, run_lane *lane, double t_stop)
{
  const bool logged = lane->replica.log != NULL;
  for (;;) {
    if (logged && !lane_log(lane)) {
      return false;
    }
    lane->pause = motion_advance(&lane->replica, &self->shared, t_stop, logged ? RUN_LOG_BURST : RUN_BURST);
    const bool busy = lane->pause == MOTION_BUSY;
    if (busy && replicas_stop(&self->over)) {
      lane->status = NESS_STOPPED;
      return false;
    }
    if (logged && (busy || lane->pause == MOTION_AT_TIME) && lane_marked(self, lane) &&
        !lane_flush(self, lane, false)) {
      return false;
    }
    if (!busy) {
      return lane->pause == MOTION_AT_TIME;
    }
  }
}

/* What was counted so far, to who wants it; `row` -1 at the end. */
static bool lane_count(run *self, run_lane *lane, int64_t row)
{
  const motion_options *const o = &self->options;
  if (o->count) {
    const motion_now now = lane_now(self, lane);
    lane->status = o->count(o->row_context, lane->index, row, &now);
  }
  return lane->status == NESS_OK;
}

/* On to a time within the counted part, with a row at each time of the grid on the way; `row` is the next one. */
static bool lane_rows(run *self, run_lane *lane, double until, int64_t *row)
{
  const motion_options *const o = &self->options;
  for (bool grid = (o->row || o->count) && o->every > 0; grid; ++*row) {
    const double t = o->warmup + (double)*row * o->every;
    if (t > (until < o->time ? until : until * (1 + RUN_ROUNDING))) {
      break;
    }
    if (!lane_advance(self, lane, fmin(t, o->time)) || !lane_count(self, lane, *row)) {
      return false;
    }
    if (o->row) {
      lane->status = o->row(o->row_context, lane->index, *row, t, lane->replica.n);
    }
    if (lane->status) {
      return false;
    }
  }
  return lane_advance(self, lane, until);
}

static void lane_run(run *self, run_lane *lane)
{
  const motion_options *const options = &self->options;
  const double part = (options->time - options->warmup) / options->samples;
  rng_stream looks;
  int64_t row = 0;
  lane->u_sum = lane->u_sum2 = 0;
  lane->pause = MOTION_AT_TIME;
  lane->status = replicas_stop(&self->over) ? NESS_STOPPED : NESS_OK;
  rng_init(&looks, options->seed, (uint32_t)lane->index, MOTION_PURPOSE);
  motion_replica_start(&lane->replica, &self->shared, options->seed, lane->index);
  if (lane->status || !lane_advance(self, lane, options->warmup)) {
    return;
  }
  motion_clear(&lane->replica, &self->shared);
  lane->mark = 0;
  lane->log.count = 0;
  if (!lane_flush(self, lane, false)) {
    return;
  }
  lane->replica.log = options->events ? &lane->log : NULL;
  for (int32_t i = 0; i < options->samples; i++) {
    const double t = options->warmup + part * (i + rng_double(&looks));
    if (!lane_rows(self, lane, fmin(t, options->time), &row)) {
      return;
    }
    const double u = lane->replica.path.u;
    lane->u_sum += u;
    lane->u_sum2 += u * u;
  }
  if (lane_rows(self, lane, options->time, &row) && lane_count(self, lane, -1) && lane_flush(self, lane, true)) {
    lane->totals = motion_settle(&lane->replica, &self->shared, lane->work);
  }
}

/* --- the run --- */

static ness_status run_explain(const run *self, const run_lane *lane)
{
  const ness_network *net = self->shared.net;
  char time[32], value[32], low[32], high[32];
  number_short(lane->replica.path.t, 6, time);
  number_short(lane->replica.path.u, 6, value);
  if (lane->pause == MOTION_BAD_RATE) {
    diag_add(self->diags, NESS_ERROR, "replica %lld: the %s rate of step %s is negative or not a number at t = %s s",
             (long long)lane->index, lane->replica.bad_dir % 2 ? "backward" : "forward",
             network_text(net, net->step_name[lane->replica.bad_dir / 2]), time);
    diag_hint(self->diags, "a rate must be finite and at least 0 in every state that can be reached");
    return NESS_NUMERIC;
  }
  number_short(self->shared.law->u_lo, 6, low);
  number_short(self->shared.law->u_hi, 6, high);
  diag_add(self->diags, NESS_ERROR,
           "replica %lld: the input is %s at t = %s s, outside %s ... %s where rates are known", (long long)lane->index,
           value, time, low, high);
  diag_hint(self->diags, "make the rates known on a wider range of the input");
  return NESS_NUMERIC;
}

static void lane_go(void *context, int64_t lane, int64_t index)
{
  run *const self = context;
  self->lane[lane].index = index;
  lane_run(self, &self->lane[lane]);
}

static ness_status lane_end(void *context, int64_t at)
{
  run *const self = context;
  const run_lane *const lane = &self->lane[at];
  if (lane->status) {
    return lane->status;
  }
  if (lane->pause != MOTION_AT_TIME) {
    return run_explain(self, lane);
  }
  fold(self, lane);
  self->over.events = self->result->events;
  return self->options.done ? self->options.done(self->options.row_context, lane->index) : NESS_OK;
}

/* The sums do not depend on it. Flows by phase are what makes a replica large. */
static int64_t run_lanes(const ness_network *net, const motion_options *options)
{
  const int64_t row = 2 * (int64_t)net->nstep * (int64_t)sizeof(int64_t), fit = RUN_BLOCK_BYTES / (row + 1);
  const int64_t room = fit / (options->phases + 1), most = room < RUN_BLOCK ? room : RUN_BLOCK;
  const int64_t lanes = options->done ? RUN_LOG_LANES : most > RUN_BLOCK_LEAST ? most : RUN_BLOCK_LEAST;
  return options->replicas < lanes ? options->replicas : lanes;
}

static ness_status run_init(run *self, const ness_network *net, const motion_law *law, const path_spec *path)
{
  const motion_options *const options = &self->options;
  self->over.lanes = run_lanes(net, options);
  if (motion_net_init(&self->shared, net, law, path, options->period, options->phases)) {
    return NESS_NOMEM;
  }
  const size_t sources = (size_t)network_sources(net);
  self->lane = mem_zero((size_t)self->over.lanes, sizeof *self->lane);
  self->work = mem_zero((size_t)self->over.lanes * sources, sizeof *self->work);
  if (!self->lane || !self->work || result_init(self->result, net, options)) {
    return NESS_NOMEM;
  }
  for (int64_t i = 0; i < self->over.lanes; i++) {
    self->lane[i].work = self->work + (size_t)i * sources;
    if (motion_replica_init(&self->lane[i].replica, &self->shared)) {
      return NESS_NOMEM;
    }
  }
  return NESS_OK;
}

static void run_free(run *self)
{
  for (int64_t i = 0; self->lane && i < self->over.lanes; i++) {
    motion_replica_free(&self->lane[i].replica);
    mem_free(self->lane[i].log.time);
    mem_free(self->lane[i].log.dir);
  }
  mem_free(self->lane);
  mem_free(self->work);
  motion_net_free(&self->shared);
}

static ness_status options_check(const motion_options *options, ness_diags *diags)
{
  const char *wrong = NULL;
  if (options->replicas < 1 || options->replicas > RUN_REPLICAS_MAX) {
    wrong = "the number of replicas is out of range";
  } else if (!(options->time > 0 && options->time < (double)INFINITY)) {
    wrong = "a run under a moving input needs an end time";
  } else if (!(options->warmup >= 0 && options->warmup < options->time)) {
    wrong = "the warmup must be at least 0 and shorter than the time";
  } else if (options->samples < 1) {
    wrong = "the number of times at which the input is looked at is negative";
  } else if (options->phases < 0 || (options->phases > 0 && !(options->period > 0))) {
    wrong = "flows by phase need a positive period and number of phases";
  } else if (options->events && (options->log_events < 1 || options->log_marks < 1)) {
    wrong = "a log of events needs a length and a number of marks";
  }
  if (wrong) {
    diag_add(diags, NESS_ERROR, "%s", wrong);
  }
  return wrong ? NESS_USAGE : NESS_OK;
}

ness_status motion_run(const ness_network *net, const motion_law *law, const path_spec *path,
                       const motion_options *options, ness_diags *diags, motion_result *result)
{
  run self = {.options = *options, .diags = diags, .result = result};
  memset(result, 0, sizeof *result);
  self.options.replicas = options->replicas ? options->replicas : RUN_REPLICAS;
  self.over = (replicas_job){.count = self.options.replicas,
                             .threads = options->threads,
                             .run = lane_go,
                             .fold = lane_end,
                             .context = &self,
                             .progress = options->progress,
                             .progress_context = options->progress_context};
  self.options.samples = options->samples ? options->samples : RUN_SAMPLES;
  ness_status status = options_check(&self.options, diags);
  status = status ? status : path_check(path, diags);
  status = status ? status : motion_law_check(net, law, diags);
  if (!status) {
    status = run_init(&self, net, law, path);
  }
  if (!status) {
    status = replicas_all(&self.over);
  }
  run_free(&self);
  if (status) {
    motion_result_free(result);
  }
  return status;
}
