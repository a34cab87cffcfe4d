/* Many replicas over OpenMP threads, folded into batches. Invariant: a replica's numbers depend on seed and index alone
 * and fold in the order of replicas, block after block, so every sum has the same bits for any number of threads; of
 * several failures the first replica's is told. Rows of a grid are exact states: a step of the flow ends at each.
 * Memory: a block of replicas. Cost: beside the trajectories, O(steps, slots) a replica. */
#include "engine/hybrid/parts.h"
#include "engine/replicas/replicas.h"

#include <math.h>
#include <string.h>

#define RUN_BLOCK 256 /* replicas between two folds, or fewer where they are large */
#define RUN_BLOCK_LEAST 16
#define RUN_BLOCK_BYTES ((int64_t)64 << 20)
#define RUN_BURST (INT64_C(1) << 14)        /* steps between two looks at the stop flag */
#define RUN_REPLICAS_MAX (INT64_C(1) << 32) /* the stream's replica number has 32 bits */
#define RUN_REPLICAS 64
#define RUN_RTOL 1e-6
#define RUN_RTOL_LEAST 1e-13
#define RUN_ROWS_MAX 1e15
#define RUN_PERIOD_LEAST 1e-13 /* of the time: a shorter period is lost in its figures */

typedef struct run_lane {
  hybrid_replica replica;
  int64_t index;
  hybrid_pause pause;
  ness_status status; /* of the caller's rows, or NESS_STOPPED */
  double *work;       /* (sources), and behind them those of the inputs (ninput) */
  hybrid_totals totals;
} run_lane;

typedef struct run {
  hybrid_net shared;
  hybrid_options options;
  ness_diags *diags;
  hybrid_result *result;
  run_lane *lane; /* (lanes) */
  double *work;   /* (lanes x (sources + ninput)) */
  replicas_job over;
} run;

/* --- the result --- */

void hybrid_result_free(hybrid_result *self)
{
  mem_free(self->counted);
  mem_free(self->fwd);
  mem_free(self->bwd);
  mem_free(self->dwell);
  mem_free(self->dwell2);
  mem_free(self->medium);
  mem_free(self->work);
  mem_free(self->input_work);
  mem_free(self->energy);
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

static ness_status result_init(hybrid_result *self, const ness_network *net, const hybrid_options *options)
{
  const int64_t replicas = options->replicas;
  const size_t batches = replicas < HYBRID_BATCHES ? (size_t)replicas : HYBRID_BATCHES;
  bool fine = true;
  self->batches = (int32_t)batches;
  self->replicas = replicas;
  self->counted = result_rows(&fine, batches, 1);
  self->fwd = result_rows(&fine, batches, (size_t)net->nstep);
  self->bwd = result_rows(&fine, batches, (size_t)net->nstep);
  self->dwell = result_rows(&fine, batches, (size_t)net->nslot);
  self->dwell2 = result_rows(&fine, batches, (size_t)net->nslot);
  self->medium = result_rows(&fine, batches, 1);
  self->work = result_rows(&fine, batches, (size_t)network_sources(net));
  self->input_work = result_rows(&fine, batches, (size_t)options->ninput);
  self->energy = result_rows(&fine, batches, 1);
  return fine ? NESS_OK : NESS_NOMEM;
}

static void fold(const run *self, const run_lane *lane)
{
  const ness_network *const net = self->shared.net;
  hybrid_result *const result = self->result;
  const hybrid_replica *const replica = &lane->replica;
  const ptrdiff_t batch = (ptrdiff_t)(lane->index * result->batches / result->replicas);
  const int32_t sources = network_sources(net), inputs = self->shared.ninput;
  for (int32_t i = 0; i < net->nstep; i++) {
    result->fwd[batch * net->nstep + i] += replica->fired[2 * i];
    result->bwd[batch * net->nstep + i] += replica->fired[2 * i + 1];
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    result->dwell[batch * net->nslot + i] += replica->dwell[i];
    result->dwell2[batch * net->nslot + i] += replica->dwell2[i];
  }
  for (int32_t i = 0; i < sources; i++) result->work[batch * sources + i] += lane->work[i];
  if (lane->totals.one_way) result->work[batch * sources + sources - 1] = result->medium[batch] = (double)INFINITY;
  for (int32_t k = 0; k < inputs; k++) result->input_work[batch * inputs + k] += lane->work[sources + k];
  result->counted[batch] += replica->t - replica->begin;
  result->medium[batch] += lane->totals.medium;
  result->energy[batch] += lane->totals.energy;
  result->events += replica->events;
  result->candidates += replica->candidates;
  result->boxes += replica->boxes;
  if (result->barred == 0) result->barred_dir = replica->barred_dir;
  result->barred += replica->barred;
  result->moves += replica->moves;
}

/* --- a replica --- */

static bool lane_advance(run *self, run_lane *lane, double t_stop)
{
  while ((lane->pause = hybrid_advance(&lane->replica, &self->shared, t_stop, RUN_BURST)) == HYBRID_BUSY) {
    if (replicas_stop(&self->over)) {
      lane->status = NESS_STOPPED;
      return false;
    }
  }
  return lane->pause == HYBRID_AT_TIME;
}

/* What was counted so far, to who wants it; `row` -1 at the end. */
static bool lane_count(run *self, run_lane *lane, int64_t row)
{
  const hybrid_options *const o = &self->options;
  if (!o->count) return true;
  hybrid_replica *const r = &lane->replica;
  double *const input_work = lane->work + network_sources(self->shared.net);
  const hybrid_totals totals = book_settle(r, &self->shared, lane->work, input_work);
  hybrid_now now = {.counted = r->t - r->begin,
                    .events = r->events,
                    .fired = r->fired,
                    .dwell = r->dwell,
                    .dwell2 = r->dwell2,
                    .x = r->x,
                    .lost = r->lost,
                    .medium = totals.medium,
                    .energy = totals.energy,
                    .work = lane->work};
  for (int32_t k = 0; k < self->shared.ninput; k++) now.input_work += input_work[k];
  lane->status = o->count(o->row_context, lane->index, row, &now);
  return lane->status == NESS_OK;
}

/* The counted time, with a row at each time of the grid. */
static bool lane_rows(run *self, run_lane *lane)
{
  const hybrid_options *const o = &self->options;
  const bool grid = o->row && o->every > 0;
  for (int64_t row = 0; grid; row++) {
    const double t = o->warmup + (double)row * o->every;
    if (t > o->time * (1 + 1e-12)) break;
    if (!lane_advance(self, lane, fmin(t, o->time)) || !lane_count(self, lane, row)) return false;
    lane->status = o->row(o->row_context, lane->index, row, t, lane->replica.x);
    if (lane->status) return false;
  }
  return lane_advance(self, lane, o->time);
}

static void lane_run(run *self, run_lane *lane)
{
  hybrid_replica *const replica = &lane->replica;
  lane->pause = HYBRID_AT_TIME;
  lane->status = replicas_stop(&self->over) ? NESS_STOPPED : NESS_OK;
  if (lane->status) return;
  lane->pause = hybrid_start(replica, &self->shared, self->options.seed, lane->index);
  if (lane->pause || !lane_advance(self, lane, self->options.warmup)) return;
  book_clear(replica, &self->shared);
  if (lane_rows(self, lane) && lane_count(self, lane, -1))
    lane->totals = book_settle(replica, &self->shared, lane->work, lane->work + network_sources(self->shared.net));
}

/* --- the run --- */

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
  if (lane->status) return lane->status;
  if (lane->pause) return hybrid_explain(&lane->replica, &self->shared, lane->index, lane->pause, self->diags);
  fold(self, lane);
  self->over.events = self->result->events;
  return NESS_OK;
}

/* The sums do not depend on it. Matrices of stiff flows are what makes a replica large. */
static int64_t run_lanes(const hybrid_net *net, int64_t replicas)
{
  const int64_t n = net->nreal <= HYBRID_DENSE ? net->nreal : 0;
  const int64_t row = 16 * (n * n + net->nreg + 8 * (int64_t)net->net->nstep + 8 * (int64_t)net->net->nslot) + 4096;
  const int64_t room = RUN_BLOCK_BYTES / row, most = room < RUN_BLOCK ? room : RUN_BLOCK;
  const int64_t lanes = most > RUN_BLOCK_LEAST ? most : RUN_BLOCK_LEAST;
  return replicas < lanes ? replicas : lanes;
}

static ness_status run_init(run *self, const ness_network *net)
{
  const hybrid_options *const options = &self->options;
  if (hybrid_net_init(&self->shared, net, options)) return NESS_NOMEM;
  self->over.lanes = run_lanes(&self->shared, options->replicas);
  const size_t works = (size_t)network_sources(net) + (size_t)options->ninput;
  self->lane = mem_zero((size_t)self->over.lanes, sizeof *self->lane);
  self->work = mem_zero((size_t)self->over.lanes * works, sizeof *self->work);
  if (!self->lane || !self->work || result_init(self->result, net, options)) return NESS_NOMEM;
  for (int64_t i = 0; i < self->over.lanes; i++) {
    self->lane[i].work = self->work + (size_t)i * works;
    if (hybrid_replica_init(&self->lane[i].replica, &self->shared)) return NESS_NOMEM;
  }
  return NESS_OK;
}

static void run_free(run *self)
{
  for (int64_t i = 0; self->lane && i < self->over.lanes; i++) hybrid_replica_free(&self->lane[i].replica);
  mem_free(self->lane);
  mem_free(self->work);
  hybrid_net_free(&self->shared);
}

/* Nothing but the hand moves an input, along a path that is prescribed and within the slot's range. */
static ness_status inputs_check(const ness_network *net, const hybrid_options *options, ness_diags *diags)
{
  for (int32_t k = 0; k < options->ninput; k++) {
    const int32_t slot = options->input[k].slot;
    const path_spec *const path = &options->input[k].path;
    bool moved = false;
    if (path_check(path, diags)) return NESS_USAGE;
    const double period = path->kind == PATH_SINE ? 1 / path->frequency : path_random(path) ? 0 : path->period;
    if (period > 0 && period < RUN_PERIOD_LEAST * options->time) {
      diag_add(diags, NESS_ERROR, "a period of %s is lost in the figures of a run of %g s",
               network_text(net, net->slot_name[slot]), options->time);
      return NESS_USAGE;
    }
    for (int32_t c = 0; c < net->nchange; c++) moved = moved || net->change_slot[c] == slot;
    for (int32_t c = 0; c < net->nset; c++) moved = moved || net->set_slot[c] == slot;
    const bool plain = net->slot_var[slot] >= 0 && net->var_stiff[net->slot_var[slot]] == 0;
    const bool still = options->mode == HYBRID_EXACT && net->nflow == 0 && net->nevent == 0;
    if (plain && !moved && (still || !path_random(path))) continue;
    diag_add(diags, NESS_ERROR, "%s cannot be an input here", network_text(net, net->slot_name[slot]));
    diag_hint(diags, "an input is a variable that nothing else moves; one at random moves only where nothing flows");
    return NESS_USAGE;
  }
  return NESS_OK;
}

/* Parts are of inputs alone, and of what the network has. */
static ness_status parts_check(const ness_network *net, const hybrid_options *options, ness_diags *diags)
{
  for (int32_t p = 0; p < options->npart; p++) {
    const network_part *const part = &options->part[p];
    bool fine = part->nop > 0 && part->source >= -1 && part->source < net->nres + net->nvolt, moves = false;
    for (int32_t k = 0; k < options->ninput; k++) moves = moves || options->input[k].slot == part->input;
    for (int32_t i = 0; fine && i < part->nop; i++)
      fine = part->tape[i].code != TAPE_SLOT || part->tape[i].a == part->input;
    for (int32_t i = 0; fine && i < part->nslot; i++)
      fine = part->slot[i] >= 0 && part->slot[i] < net->nslot && net->slot_var[part->slot[i]] < 0;
    if (fine && moves) continue;
    diag_add(diags, NESS_ERROR, "part %d of energies and potentials is none of an input", (int)p);
    diag_hint(diags, "its tape reads one input of the run, and slots and sources are those of the network");
    return NESS_USAGE;
  }
  return NESS_OK;
}

static ness_status options_check(const hybrid_options *options, ness_diags *diags)
{
  const char *wrong = NULL;
  if (options->replicas < 1 || options->replicas > RUN_REPLICAS_MAX) {
    wrong = "the number of replicas is out of range";
  } else if (!(options->time > 0 && options->time < (double)INFINITY)) {
    wrong = "a run of steps that flow needs an end time";
  } else if (!(options->warmup >= 0 && options->warmup < options->time)) {
    wrong = "the warmup must be at least 0 and shorter than the time";
  } else if (!(options->rtol >= RUN_RTOL_LEAST && options->rtol <= 0.1)) {
    wrong = "the error of the continuous part must be between 1e-13 and 0.1";
  } else if (!(options->every >= 0) || (options->every > 0 && options->time / options->every > RUN_ROWS_MAX)) {
    wrong = "the distance of grid times is negative or too small";
  }
  if (wrong) diag_add(diags, NESS_ERROR, "%s", wrong);
  return wrong ? NESS_USAGE : NESS_OK;
}

ness_status hybrid_run(const ness_network *net, const hybrid_options *options, ness_diags *diags, hybrid_result *result)
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
  self.options.rtol = options->rtol != 0 ? options->rtol : RUN_RTOL;
  ness_status status = options_check(&self.options, diags);
  if (!status) status = inputs_check(net, options, diags);
  if (!status) status = parts_check(net, options, diags);
  if (!status) status = run_init(&self, net);
  if (!status) status = replicas_all(&self.over);
  run_free(&self);
  if (status) hybrid_result_free(result);
  return status;
}
