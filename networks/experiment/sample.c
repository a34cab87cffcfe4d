/* A simulation of a model, whatever moves it: the ensemble of engine/ssa where inputs stand or flip, that of
 * engine/motion where one moves continuously, engine/hybrid where something flows or several inputs move, and one view
 * of all for the expressions that read them. */
#include "networks/experiment/driven.h"
#include <math.h>

#define PERIOD_LEAST 1e-13 /* of the time of a run */
#define PERIODS_MANY 1000
#define SAMPLE_MOVED "thinning"

/* What a run under a moving input cannot do. */
static ness_status sample_allowed(const lang_process *input, const ness_simulate_options *o, ness_diags *diags)
{
  const char *const what = o->events > 0             ? "stop after a number of events (--events)"
                           : o->method && *o->method ? "choose a method (--method)"
                           : !(o->time > 0)          ? "do without an end in time (--time)"
                                                     : NULL;
  if (!what) return NESS_OK;
  lang_error(diags, input->place, "telegraph and markov processes can", "a run under this process cannot %s", what);
  return NESS_USAGE;
}

/* A part of a period counts for more than noise does where periods are few. */
static void sample_periods(const driven *d, double counted, ness_diags *diags)
{
  const double periods = counted / d->period;
  if (!(periods < PERIODS_MANY) || fabs(periods - floor(periods + 0.5)) < 1e-6 * (1 + periods)) return;
  lang_warning(diags, d->input->place, "make time - warmup a multiple of the period",
               "%g periods of %s are counted: the part of one weighs on the means", periods, d->input->name);
}

static ness_status sample_moved(const lang_model *model, const lang_process *input, const ness_simulate_options *given,
                                const char *text, const char *settings, ness_diags *diags, sampled *out)
{
  const ness_simulate_options gridded = timeline_options(given), *const o = &gridded;
  driven d;
  timeline grid = {0};
  motion_options options = {.replicas = o->replicas > 0 ? o->replicas : SAMPLE_REPLICAS,
                            .time = o->time,
                            .warmup = o->warmup,
                            .seed = o->seed,
                            .threads = o->threads,
                            .every = o->every,
                            .row_context = &grid,
                            .progress = o->progress,
                            .progress_context = o->progress_context};
  ness_status status = sample_allowed(input, o, diags);
  if (status != NESS_OK) return status;
  status = driven_create(model, input, diags, &d);
  if (status == NESS_OK && d.period > 0 && d.period < PERIOD_LEAST * o->time) {
    lang_error(diags, input->place, "`ness solve` has its mean over a period",
               "a period of %s is lost in the figures of a run of %g s", input->name, o->time);
    status = NESS_USAGE;
  }
  if (status == NESS_OK && d.period > 0) sample_periods(&d, o->time - o->warmup, diags);
  if (status == NESS_OK) status = timeline_room(&grid, d.net, o, options.replicas, diags);
  const timeline_input about = {input->name, lang_process_word(input->kind), d.period, true, false};
  if (status == NESS_OK) status = timeline_create(&grid, o, SAMPLE_MOVED, &about, text, settings, diags);
  options.row = grid.x ? timeline_counts : NULL;
  options.count = grid.total ? timeline_moved : NULL;
  if (grid.track) {
    const bool flux = grid.window > 0;
    options.every = grid.window;
    options.count = flux ? timeline_window : NULL;
    options.events = flux ? NULL : timeline_events;
    options.done = timeline_done;
    options.log_events = 1 + grid.chunk_rows / 2;
    options.log_marks = options.replicas < TIMELINE_FEW ? TIMELINE_PIECES : 2;
  }
  if (status == NESS_OK) status = motion_run(d.net, &d.law, &d.path, &options, diags, &out->moved);
  status = timeline_close(&grid, status, diags);
  out->still = d.still;
  d.still = NULL;
  driven_free(&d);
  out->input = input->name;
  if (status != NESS_OK) goto out;
  const motion_result *const r = &out->moved;
  out->counts = (ssa_result){.method = SAMPLE_MOVED,
                             .form = "within certified bounds of the rates",
                             .batches = r->batches,
                             .replicas = r->replicas,
                             .events = r->events,
                             .counted = r->counted,
                             .fwd = r->fwd,
                             .bwd = r->bwd,
                             .dwell = r->dwell,
                             .dwell2 = r->dwell2};
  out->ledger = (sample_ledger){.medium = r->medium,
                                .work = r->work,
                                .input_work = r->input_work,
                                .nsource = r->nsource,
                                .ninput = 1,
                                .input = input,
                                .one_way = r->one_way > 0};
  status = timeline_sums(&grid, &out->counts);
out:
  timeline_free(&grid);
  return status;
}

static ness_status sample_flow(const ness_network *net, const moving_inputs *inputs, const ness_simulate_options *o,
                               const char *text, const char *settings, ness_diags *diags, sampled *out)
{
  out->flows = true;
  const ness_status status = flowing_run(net, inputs, o, text, settings, diags, &out->flow, &out->counts);
  out->ledger = (sample_ledger){.medium = out->flow.medium,
                                .work = out->flow.work,
                                .input_work = out->flow.input_work,
                                .nsource = network_sources(net)};
  if (inputs) out->ledger.input = lang_inputs(inputs->model, &out->ledger.ninput);
  return status;
}

/* Inputs as variables beside what flows. */
static ness_status sample_beside(const lang_model *model, const ness_simulate_options *o, const char *text,
                                 const char *settings, ness_diags *diags, sampled *out)
{
  moving_inputs inputs;
  hybrid_mode mode;
  const char *const means = flowing_method(o->method, &mode) ? "where steps are taken as their mean" : NULL;
  ness_status status = moving_create(model, means, diags, &inputs);
  if (status == NESS_OK) status = sample_flow(lang_network(inputs.model), &inputs, o, text, settings, diags, out);
  out->still = inputs.model;
  inputs.model = NULL;
  moving_free(&inputs);
  return status;
}

ness_status sample_run(const lang_model *model, const ness_simulate_options *options, const char *text,
                       const char *settings, ness_diags *diags, sampled *out)
{
  const lang_process *const input = driven_input(model, true);
  const ness_network *const net = lang_network(model);
  hybrid_mode mode;
  *out = (sampled){0};
  const bool flows = net->nflow > 0 || net->nevent > 0 || flowing_method(options->method, &mode);
  if (moving_needed(model, flows)) return sample_beside(model, options, text, settings, diags, out);
  if (flows) return sample_flow(net, NULL, options, text, settings, diags, out);
  if (input) return sample_moved(model, input, options, text, settings, diags, out);
  return ssa_ensemble(net, options, text, settings, diags, &out->counts);
}

void sample_free(sampled *self)
{
  if (self->flows) flowing_free(&self->flow, &self->counts);
  else if (self->input) timeline_forget(&self->counts), motion_result_free(&self->moved);
  else ssa_result_free(&self->counts);
  lang_model_free(self->still);
  *self = (sampled){0};
}

void sample_view(const sampled *self, values *v)
{
  v->sample = &self->counts;
  v->ledger = self->ledger.medium ? &self->ledger : NULL;
  v->input = self->input;
  if (self->still) v->model = self->still;
}
