/* Fuzz target: any bytes as a measured sequence, with the options that the first byte chooses; what can be read must
 * hold together: states and transitions in range, times that add up, and chunks with the sums of the survey. */
#include "analysis/source.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const columns[] = {NULL,      "time,state", "dwell,state", "state", "replica,time,state",
                                      "-,state", "state,time"};
static const char *const maps[] = {NULL, "a=0,1 b=2", "open=A shut=B,C"};

static void hold(const record *r, const ness_network *net, const tally_plan *plan, const stream_sums *sums)
{
  double events = 0, jumps = 0, time = 0, spent = 0;
  for (int64_t e = 0; e < r->edges; e++) {
    const record_edge *const at = &r->edge[e];
    if (at->from < 0 || at->from >= net->nslot || at->to < 0 || at->to >= net->nslot || at->from == at->to) abort();
    jumps += (double)at->count;
  }
  for (int32_t i = 0; i < net->nslot; i++) spent += r->at[i].dwell;
  for (int32_t b = 0; b < sums->batches; b++) {
    events += sums->batch[(int64_t)b * plan->width + TALLY_EVENTS];
    time += sums->batch[(int64_t)b * plan->width + TALLY_TIME];
  }
  if (jumps != events && sums->batches > 0) abort();
  if (isfinite(spent) && !(fabs(spent - time) <= 1e-6 * (1 + r->longest) * (1 + jumps)) && sums->batches > 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1) return 0;
  const ness_analyze_options options = {.struct_size = sizeof options,
                                        .threads = 1,
                                        .columns = columns[data[0] % 7],
                                        .map = maps[data[0] / 7 % 3],
                                        .step = data[0] / 21 % 3 == 2 ? 0.5 : 0};
  ness_diags *const diags = ness_diags_create();
  record r;
  ness_network *net = NULL;
  dump_run run;
  tally_plan plan = {0};
  stream_sums sums = {0};
  loops *loop = NULL;
  memory_counts *past = NULL;
  memory_result result;
  if (!diags) abort();
  ness_status status = record_open(&r, "f.csv", data + 1, size - 1, &options, diags);
  if (status && diag_errors(diags) == 0) abort(); /* a failure has a reason */
  if (!status) status = record_network(&r, &net);
  if (!status) {
    record_run(&r, &run);
    status = tally_plan_init(&plan, net, &run);
  }
  if (!status && !(loop = loops_create(net, plan.batches))) abort();
  if (!status) status = memory_create(net, run.replicas, r.sampled ? r.step : r.tick, &past);
  if (!status) status = record_stream(&r, &plan, loop, past, NULL, NULL, &sums);
  if (!status) hold(&r, net, &plan, &sums);
  if (!status && past && memory_finish(past, &result)) abort();
  loops_free(loop);
  memory_free(past);
  stream_sums_free(&sums);
  tally_plan_free(&plan);
  network_free(net);
  record_free(&r);
  char *const shown = ness_diags_render(diags, 1);
  ness_text_free(shown);
  ness_diags_free(diags);
  return 0;
}
