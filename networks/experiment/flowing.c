/* A simulation of a model in which something answers back, or all of which is taken as its mean or with Langevin noise:
 * engine/hybrid, seen as the sample that expressions read. */
#include "networks/experiment/driven.h"
#include <math.h>
#include <string.h>

bool flowing_method(const char *name, hybrid_mode *mode)
{
  const bool mean = name && strcmp(name, "mean") == 0, langevin = name && strcmp(name, "langevin") == 0;
  *mode = mean ? HYBRID_MEAN : langevin ? HYBRID_LANGEVIN : HYBRID_EXACT;
  return mean || langevin;
}

/* What such a run cannot do. */
static ness_status flowing_allowed(const ness_network *net, const moving_inputs *inputs, const ness_simulate_options *o,
                                   bool named, ness_diags *diags)
{
  const char *const what = o->events > 0                       ? "stop after a number of events (--events)"
                           : o->method && *o->method && !named ? "take this method"
                           : !(o->time > 0)                    ? "do without an end in time (--time)"
                                                               : NULL;
  if (!what) return NESS_OK;
  diag_add(diags, NESS_ERROR, "a run in which something flows cannot %s: %s does", what,
           net->nflow > 0 ? network_text(net, net->step_name[net->flow_step[0]])
           : inputs       ? network_text(net, net->slot_name[inputs->input[0].slot])
                          : "the whole model");
  diag_hint(diags, "the methods here are mean and langevin; without one, events are exact");
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

/* What the dump says of inputs, which may move alone, and of what flows or answers back. The words go to `names` and
 * `kinds`. */
static ness_status flowing_about(const ness_network *net, const moving_inputs *inputs, hybrid_mode mode,
                                 text_buffer *names, text_buffer *kinds, timeline_input *out)
{
  int32_t n = 0;
  const lang_process *const list = inputs ? lang_inputs(inputs->model, &n) : NULL;
  for (int32_t i = 0; i < n; i++) {
    const path_spec *const path = &inputs->input[i].path;
    const double period = path->kind == PATH_SINE ? 1 / path->frequency : path->period;
    text_add(names, i ? ", %s" : "%s", list[i].name);
    text_add(kinds, i ? ", %s" : "%s", lang_process_word(list[i].kind));
    out->period = i == 0 || period == out->period ? period : 0;
  }
  out->name = n ? names->data : "";
  out->kind = n ? kinds->data : "";
  out->flows = !inputs || mode != HYBRID_EXACT || net->nflow > 0 || net->nevent > 0 || net->nvar != inputs->ninput;
  return names->failed || kinds->failed ? NESS_NOMEM : NESS_OK;
}

ness_status flowing_run(const ness_network *net, const moving_inputs *inputs, const ness_simulate_options *given,
                        const char *text, const char *settings, ness_diags *diags, hybrid_result *flow, ssa_result *out)
{
  const ness_simulate_options gridded = timeline_options(given), *const o = &gridded;
  hybrid_mode mode;
  const bool named = flowing_method(o->method, &mode);
  const int64_t replicas = mode == HYBRID_MEAN ? 1 : o->replicas > 0 ? o->replicas : SAMPLE_REPLICAS;
  timeline grid = {0};
  *flow = (hybrid_result){0};
  ness_status status = flowing_allowed(net, inputs, o, named, diags);
  if (status == NESS_OK) status = timeline_room(&grid, net, o, replicas, diags);
  const char *const method = mode == HYBRID_MEAN ? "mean" : mode == HYBRID_LANGEVIN ? "langevin" : "hybrid";
  text_buffer names = {0}, kinds = {0};
  timeline_input about = {0};
  if (status == NESS_OK) status = flowing_about(net, inputs, mode, &names, &kinds, &about);
  if (status == NESS_OK) status = timeline_create(&grid, o, method, &about, text, settings, diags);
  text_clear(&names);
  text_clear(&kinds);
  const hybrid_options options = {.mode = mode,
                                  .ninput = inputs ? inputs->ninput : 0,
                                  .input = inputs ? inputs->input : NULL,
                                  .npart = inputs ? inputs->npart : 0,
                                  .part = inputs ? inputs->part : NULL,
                                  .replicas = replicas,
                                  .time = o->time,
                                  .warmup = o->warmup,
                                  .seed = o->seed,
                                  .threads = o->threads,
                                  .every = o->every,
                                  .row = grid.x ? timeline_row : NULL,
                                  .count = grid.writer ? timeline_flown : NULL,
                                  .row_context = &grid,
                                  .progress = o->progress,
                                  .progress_context = o->progress_context};
  if (status == NESS_OK) status = hybrid_run(net, &options, diags, flow);
  status = timeline_close(&grid, status, diags);
  if (status == NESS_OK) {
    *out = (ssa_result){.method = method,
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
    status = timeline_sums(&grid, out);
    if (flow->barred) flowing_barred(net, flow, diags);
  }
  timeline_free(&grid);
  return status;
}

void flowing_free(hybrid_result *flow, ssa_result *counts)
{
  timeline_forget(counts);
  hybrid_result_free(flow);
}
