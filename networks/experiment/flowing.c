/* A simulation of a model in which something answers back, or all of which is taken as its mean or with Langevin noise:
 * engine/hybrid, seen as the sample that expressions read. States at the times of a grid are kept until the end and
 * then summed in the order of replicas, so that the bits do not depend on threads. */
#include "networks/experiment/experiment.h"
#include <math.h>
#include <string.h>

#define FLOWING_GRID ((size_t)4 << 30) /* bytes of states at grid times */

typedef struct flowing_grid {
  int32_t nslot;
  int64_t times; /* the first is the start of counting, which the sample does not list */
  double *x;     /* (replicas x times x nslot) */
  double *time;  /* (times) */
} flowing_grid;

static ness_status flowing_row(void *context, int64_t replica, int64_t row, double time, const double *x)
{
  flowing_grid *const self = context;
  if (row >= self->times) return NESS_OK;
  memcpy(self->x + ((size_t)replica * (size_t)self->times + (size_t)row) * (size_t)self->nslot, x,
         (size_t)self->nslot * sizeof *x);
  if (replica == 0) self->time[row] = time;
  return NESS_OK;
}

static ness_status flowing_room(flowing_grid *self, const ness_network *net, const ness_simulate_options *o,
                                int64_t replicas, ness_diags *diags)
{
  size_t rows, cells, bytes;
  if (!(o->every > 0)) return NESS_OK;
  const double times = floor((o->time - o->warmup) / o->every * (1 + 1e-12)) + 1;
  self->nslot = net->nslot;
  if (!(times <= INT32_MAX) || !size_mul((size_t)replicas, (size_t)times, &rows) ||
      !size_mul(rows, (size_t)net->nslot, &cells) || !size_mul(cells, sizeof(double), &bytes) || bytes > FLOWING_GRID) {
    diag_add(diags, NESS_ERROR, "the states of %lld replicas at all these times take more than 4 GB",
             (long long)replicas);
    diag_hint(diags, "make `every` longer, or take fewer replicas");
    return NESS_LIMIT;
  }
  self->times = (int64_t)times;
  self->x = mem_zero(cells + 1, sizeof *self->x);
  self->time = mem_zero((size_t)times, sizeof *self->time);
  return self->x && self->time ? NESS_OK : NESS_NOMEM;
}

/* Sums of states and squares over the replicas of each batch. */
static ness_status flowing_sums(const flowing_grid *self, int64_t replicas, ssa_result *out)
{
  const size_t nslot = (size_t)self->nslot, grids = (size_t)self->times - 1, rows = grids * (size_t)out->batches;
  if (self->times < 2) return NESS_OK;
  out->ngrid = (int32_t)grids;
  out->grid_batches = out->batches;
  out->grid_time = mem_zero(grids, sizeof(double));
  out->grid_replicas = mem_zero(rows, sizeof(int64_t));
  out->grid_sum = mem_zero(rows * nslot + 1, sizeof(double));
  out->grid_sum2 = mem_zero(rows * nslot + 1, sizeof(double));
  if (!out->grid_time || !out->grid_replicas || !out->grid_sum || !out->grid_sum2) return NESS_NOMEM;
  for (size_t k = 0; k < grids; k++) out->grid_time[k] = self->time[k + 1];
  for (int64_t r = 0; r < replicas; r++) {
    const size_t batch = (size_t)(r * out->batches / replicas);
    for (size_t k = 0; k < grids; k++) {
      const double *const x = self->x + ((size_t)r * (size_t)self->times + k + 1) * nslot;
      const size_t row = batch * grids + k;
      out->grid_replicas[row]++;
      for (size_t i = 0; i < nslot; i++) {
        out->grid_sum[row * nslot + i] += x[i];
        out->grid_sum2[row * nslot + i] += x[i] * x[i];
      }
    }
  }
  return NESS_OK;
}

bool flowing_method(const char *name, hybrid_mode *mode)
{
  const bool mean = name && strcmp(name, "mean") == 0, langevin = name && strcmp(name, "langevin") == 0;
  *mode = mean ? HYBRID_MEAN : langevin ? HYBRID_LANGEVIN : HYBRID_EXACT;
  return mean || langevin;
}

/* What such a run cannot do. */
static ness_status flowing_allowed(const ness_network *net, const ness_simulate_options *o, bool named,
                                   ness_diags *diags)
{
  const char *const what = o->path                             ? "write a dump (-o)"
                           : o->events > 0                     ? "stop after a number of events (--events)"
                           : o->method && *o->method && !named ? "take this method"
                           : !(o->time > 0)                    ? "do without an end in time (--time)"
                                                               : NULL;
  if (!what) return NESS_OK;
  diag_add(diags, NESS_ERROR, "a run in which something flows cannot %s: %s does", what,
           net->nflow > 0 ? network_text(net, net->step_name[net->flow_step[0]]) : "the whole model");
  diag_hint(diags, o->path ? "--every lists its course in the answer"
                           : "the methods here are mean and langevin; without one, events are exact");
  return NESS_USAGE;
}

/* A whole hop from what flows: where it holds less than one there is none to take, and the law of the hop is lost. */
static void flowing_barred(const ness_network *net, const hybrid_result *flow, ness_diags *diags)
{
  const int32_t dir = flow->barred_dir;
  diag_add(diags, NESS_WARNING,
           "%s, %s, was barred %lld times: what it takes also flows, and held less than one event takes",
           network_text(net, net->step_name[dir / 2]), dir % 2 ? "backward" : "forward", (long long)flow->barred);
  diag_hint(diags,
            "let the step flow too (`fluid`), or let the steps beside it hop: its rate in this run is too small");
}

ness_status flowing_run(const ness_network *net, const ness_simulate_options *o, ness_diags *diags, hybrid_result *flow,
                        ssa_result *out)
{
  hybrid_mode mode;
  const bool named = flowing_method(o->method, &mode);
  const int64_t replicas = mode == HYBRID_MEAN ? 1 : o->replicas > 0 ? o->replicas : 64;
  flowing_grid grid = {0};
  *flow = (hybrid_result){0};
  ness_status status = flowing_allowed(net, o, named, diags);
  if (status == NESS_OK) status = flowing_room(&grid, net, o, replicas, diags);
  const hybrid_options options = {.mode = mode,
                                  .replicas = replicas,
                                  .time = o->time,
                                  .warmup = o->warmup,
                                  .seed = o->seed,
                                  .threads = o->threads,
                                  .every = o->every,
                                  .row = grid.x ? flowing_row : NULL,
                                  .row_context = &grid,
                                  .progress = o->progress,
                                  .progress_context = o->progress_context};
  if (status == NESS_OK) status = hybrid_run(net, &options, diags, flow);
  if (status == NESS_OK) {
    *out = (ssa_result){.method = mode == HYBRID_MEAN       ? "mean"
                                  : mode == HYBRID_LANGEVIN ? "langevin"
                                                            : "hybrid",
                        .form = mode == HYBRID_MEAN       ? "every step as its mean"
                                : mode == HYBRID_LANGEVIN ? "every step as its mean with noise of its own"
                                                          : "exact times of events beside what flows",
                        .batches = flow->batches,
                        .replicas = flow->replicas,
                        .events = flow->events,
                        .counted = flow->counted,
                        .fwd = flow->fwd,
                        .bwd = flow->bwd,
                        .dwell = flow->dwell,
                        .dwell2 = flow->dwell2};
    status = flowing_sums(&grid, replicas, out);
    if (flow->barred) flowing_barred(net, flow, diags);
  }
  mem_free(grid.x);
  mem_free(grid.time);
  return status;
}

void flowing_free(hybrid_result *flow, ssa_result *counts)
{
  mem_free(counts->grid_time);
  mem_free(counts->grid_replicas);
  mem_free(counts->grid_sum);
  mem_free(counts->grid_sum2);
  hybrid_result_free(flow);
}
