/* How an ensemble is cut up: options become a plan, and a plan becomes the run frame of a dump and comes back from it.
 * Invariant: windows and grid times are counted from the end of the warmup, number k at warmup + k * length, and the
 * last window ends at the end time itself. Block and chunk sizes follow from the network and the options, never from
 * the threads. Cost: nothing beside a run. */
#include "engine/ssa/ensemble.h"
#include "engine/ssa/states.h"

#include <math.h>
#include <string.h>

#define PLAN_ROUND 1e-12                     /* a quotient this near a whole number is meant to be it */
#define PLAN_REPLICAS_MAX (INT64_C(1) << 32) /* the stream's replica number has 32 bits */
#define PLAN_GRID_SUMS ((int64_t)1 << 21)    /* grid moments a thread keeps by batch: 64 MiB */
#define PLAN_GRIDS_MAX (INT64_C(1) << 30)
#define PLAN_LEAP_EVENTS 1000              /* a limit of them from where on leaps of jumps pay */
#define PLAN_LANE_BYTES ((size_t)64 << 20) /* memory of a block's lanes */

static const char *const plan_levels[] = {"summary", "flux", "grid", "events"};

double ssa_plan_window_end(const ssa_plan *self, int64_t k)
{
  return k >= self->windows ? self->time : self->warmup + (double)k * self->window;
}

double ssa_plan_grid_time(const ssa_plan *self, int64_t k)
{
  return fmin(self->warmup + (double)k * self->every, self->time);
}

static ness_status plan_refuse(ness_diags *diags, const char *message, const char *hint)
{
  diag_add(diags, NESS_ERROR, "%s", message);
  if (hint) {
    diag_hint(diags, "%s", hint);
  }
  return NESS_USAGE;
}

/* What a method of leaps cannot do. */
static ness_status plan_check_leaps(const ssa_plan *self, ness_diags *diags)
{
  const ness_network *net = self->net;
  if (self->level == DUMP_EVENTS) {
    diag_add(diags, NESS_ERROR, "method \"%s\" takes many events at once and knows no times of events",
             self->kernel->name);
    diag_hint(diags, "level \"flux\" or \"grid\", or method \"%s\"", ssa_kernel_tree.name);
    return NESS_USAGE;
  }
  if (self->kernel == &ssa_kernel_jumps) {
    const double pays = jumps_span(net);
    if (pays < 0) {
      return NESS_NOMEM;
    }
    if (pays == 0) {
      plan_refuse(diags, "method \"jumps\" is for networks of few states", NULL);
      diag_hint(diags,
                "up to %d that can be reached, with %d steps open and %d places filled in each, and no formula with a "
                "way back; "
                "method \"%s\" takes every network",
                STATES_MOST, STATES_OPEN, STATES_FILLED, ssa_kernel_tree.name);
      return NESS_USAGE;
    }
    return NESS_OK;
  }
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    if (net->dir_law[dir] == LAW_TAPE) {
      diag_add(diags, NESS_ERROR, "method \"%s\" knows mass action alone, but a formula sets the %s rate of step %s",
               self->kernel->name, dir % 2 ? "backward" : "forward", network_text(net, net->step_name[dir / 2]));
      diag_hint(diags, "method \"%s\" takes every rate", ssa_kernel_tree.name);
      return NESS_USAGE;
    }
  }
  return NESS_OK;
}

static ness_status plan_check(const ssa_plan *self, ness_diags *diags)
{
  if (self->kernel->approximate && !(self->epsilon > 0 && self->epsilon < 1)) {
    return plan_refuse(diags, "epsilon is out of range", "a number between 0 and 1, as 0.03");
  }
  if (!self->kernel->approximate && self->epsilon != 0) {
    return plan_refuse(diags, "epsilon belongs to method \"tau\": all others are exact", NULL);
  }

  if (self->replicas < 1 || self->replicas > PLAN_REPLICAS_MAX) {
    return plan_refuse(diags, "the number of replicas is out of range", "1 to 4294967296 replicas");
  }
  if (!(self->time > 0)) {
    return plan_refuse(diags, "the time of a run must be positive", NULL);
  }
  if (!(self->warmup >= 0 && self->warmup < self->time && self->warmup < INFINITY)) {
    return plan_refuse(diags, "the warmup must be at least 0 and shorter than the time", NULL);
  }
  if (self->events < 0) {
    return plan_refuse(diags, "the limit of events is negative", NULL);
  }
  if (!(self->window >= 0) || !(self->every >= 0 && self->every < INFINITY)) {
    return plan_refuse(diags, "the length of a window and the distance of grid times must not be negative", NULL);
  }
  if (self->time == INFINITY && self->events == 0) {
    return plan_refuse(diags, "a run needs an end", "set a time, or a limit of events");
  }
  if (self->time == INFINITY && (self->every > 0 || self->level == DUMP_GRID)) {
    return plan_refuse(diags, "a grid of times needs an end time", "set a time");
  }
  return self->kernel->leaps ? plan_check_leaps(self, diags) : NESS_OK;
}

/* What follows from the plain numbers. */
static ness_status plan_derive(ssa_plan *self, ness_diags *diags)
{
  const ness_network *net = self->net;
  const ness_status status = plan_check(self, diags);
  if (status) {
    return status;
  }
  const double span = self->time - self->warmup;
  if (self->level == DUMP_FLUX && !(self->window > 0)) {
    self->window = span / 100; /* inf: one window, which the limit of events ends */
  }
  if (self->level == DUMP_GRID && !(self->every > 0)) {
    self->every = span / 100;
  }
  const double windows = self->level == DUMP_FLUX ? ceil(span / self->window * (1 - PLAN_ROUND)) : 0;
  const double grids = self->every > 0 ? floor(span / self->every * (1 + PLAN_ROUND)) : 0;
  self->windows = self->window == INFINITY && self->level == DUMP_FLUX ? 1
                  : windows < 0x1p62                                   ? (int64_t)windows
                                                                       : INT64_MAX;
  if (grids > (double)PLAN_GRIDS_MAX) {
    return plan_refuse(diags, "too many grid times", "set a larger distance");
  }
  self->grids = (int64_t)grids;
  self->grid_batches = self->replicas < SSA_BATCHES ? self->replicas : SSA_BATCHES;
  if (self->grids * net->nslot > PLAN_GRID_SUMS / self->grid_batches) {
    self->grid_batches = 1;
  }
  self->chunk_rows = dump_chunk_rows(net, self->level);
  self->chunk_events = 2 * (int64_t)net->nstep * SSA_CHUNK_SHARE;
  self->chunk_events = self->chunk_events > SSA_CHUNK_EVENTS ? self->chunk_events : SSA_CHUNK_EVENTS;
  if (self->level == DUMP_EVENTS && self->chunk_rows < self->chunk_events) {
    self->chunk_events = self->chunk_rows;
  }
  self->tapes = net->nop > 0;
  return NESS_OK;
}

/* A network of few states leaps unless a method is named, where that pays: by the model and what is asked of it, never
 * by a clock. */
static ness_status plan_leap(ssa_plan *self)
{
  if (self->kernel != &ssa_kernel_small || self->level == DUMP_EVENTS) {
    return NESS_OK;
  }
  const double pays = jumps_span(self->net);
  double span = self->time - self->warmup;
  span = self->level == DUMP_FLUX ? fmin(span, self->window) : span;
  span = self->every > 0 ? fmin(span, self->every) : span;
  if (pays > 0 && span >= pays && (self->events == 0 || self->events >= PLAN_LEAP_EVENTS)) {
    self->kernel = &ssa_kernel_jumps;
  }
  return pays < 0 ? NESS_NOMEM : NESS_OK;
}

ness_status ssa_plan_options(ssa_plan *self, const ness_network *net, const ness_simulate_options *given,
                             ness_diags *diags)
{
  ness_simulate_options options;
  memset(self, 0, sizeof *self);
  memset(&options, 0, sizeof options);
  if (!given || given->struct_size < sizeof given->struct_size) {
    return plan_refuse(diags, "the options of the simulation have no struct_size", NULL);
  }
  memcpy(&options, given, given->struct_size < sizeof options ? given->struct_size : sizeof options);
  self->net = net;
  self->kernel = ssa_kernel_find(options.method, net);
  if (!self->kernel) {
    diag_add(diags, NESS_ERROR, "there is no simulation method \"%s\"", options.method);
    diag_hint(diags, "the methods are \"%s\", \"%s\", \"%s\", \"%s\" and, approximate, \"%s\"", ssa_kernel_tree.name,
              ssa_kernel_composition.name, ssa_kernel_jumps.name, ssa_kernel_batch.name, ssa_kernel_tau.name);
    return NESS_USAGE;
  }
  if (net->dep_left_out) {
    diag_add(diags, NESS_ERROR,
             "this network is too dense to be simulated: its steps would wait for more than %lld others",
             (long long)1 << 28);
    diag_hint(diags, "ness solve has exact answers for it");
    return NESS_LIMIT;
  }
  self->level = options.level ? -1 : DUMP_FLUX;
  for (int32_t i = 0; options.level && i < 4; i++) {
    if (strcmp(options.level, plan_levels[i]) == 0) {
      self->level = i;
    }
  }
  if (self->level < 0) {
    const char *near = name_nearest(options.level, plan_levels, 4);
    diag_add(diags, NESS_ERROR, "there is no dump level \"%s\"", options.level);
    diag_hint(diags, near ? "did you mean \"%s\"?" : "summary, flux, grid or events", near);
    return NESS_USAGE;
  }
  self->stored = options.path != NULL;
  if (self->stored && options.every > 0 && self->level != DUMP_GRID) {
    return plan_refuse(diags, "a dump keeps grid times at level \"grid\" only", "set the level to grid, or no `every`");
  }
  self->seed = options.seed;
  self->replicas = options.replicas ? options.replicas : 64;
  self->time = options.time != 0 ? options.time : INFINITY;
  self->warmup = options.warmup;
  self->events = options.events;
  self->window = options.window;
  self->every = options.every;
  self->epsilon = self->kernel->approximate && options.epsilon == 0 ? SSA_EPSILON : options.epsilon;

  /* A block is as large as its lanes' memory allows; events make frames of a megabyte, of which few should wait. */
  ssa_lane measured;
  const int64_t room = (int64_t)(PLAN_LANE_BYTES / ssa_lane_layout(&measured, NULL, net));
  const int64_t most = self->level == DUMP_EVENTS ? 64 : 256;
  self->block = room < 16 ? 16 : room < most ? room : most;
  const ness_status status = plan_derive(self, diags);
  return status || options.method ? status : plan_leap(self);
}

ness_status ssa_plan_dump(ssa_plan *self, const ness_network *net, const dump_run *run, ness_diags *diags)
{
  memset(self, 0, sizeof *self);
  self->net = net;
  self->kernel = ssa_kernel_find(run->method ? run->method : "", net);
  self->level = run->level;
  self->seed = run->seed;
  self->replicas = run->replicas;
  self->block = run->block;
  self->time = run->time;
  self->warmup = run->warmup;
  self->events = run->events;
  self->window = run->window;
  self->every = run->every;
  self->epsilon = run->epsilon;
  self->stored = true;
  if (!self->kernel || run->level < DUMP_SUMMARY || run->level > DUMP_EVENTS || run->block < 1 ||
      run->block > INT64_C(1) << 20) {
    diag_add(diags, NESS_ERROR, "the dump comes from a run that this program cannot repeat (method \"%s\")",
             run->method ? run->method : "");
    diag_hint(diags,
              "a run under an input that moves continuously, or in which something flows, begins anew: run it again");
    return NESS_FORMAT;
  }
  return plan_derive(self, diags) ? NESS_FORMAT : NESS_OK;
}

void ssa_plan_run(const ssa_plan *self, dump_run *run)
{
  run->method = self->kernel->name;
  run->level = self->level;
  run->seed = self->seed;
  run->replicas = self->replicas;
  run->block = self->block;
  run->time = self->time;
  run->events = self->events;
  run->warmup = self->warmup;
  run->window = self->window;
  run->every = self->every;
  run->epsilon = self->epsilon;
}
