/* ness_analyze: the analysis of a dump or a record, with the model in the dump asked for what its network alone does
 * not tell. Invariant: what is said of a model is said only where its network is the dump's, slot by slot and step by
 * step. Under an input that moves continuously that is the affinities over its range and the periodic steady state, or,
 * of an Ornstein-Uhlenbeck process, the steady state on its grid of levels. Cost: that of `solve`. */
#include "analysis/moved.h"
#include "networks/experiment/driven.h"
#include <math.h>
#include <ness/analyze.h>
#include <string.h>

static bool same_names(const ness_network *a, const ness_network *b)
{
  if (a->nslot != b->nslot || a->nstep != b->nstep || network_sources(a) != network_sources(b)) return false;
  for (int32_t i = 0; i < a->nslot; i++)
    if (strcmp(network_text(a, a->slot_name[i]), network_text(b, b->slot_name[i])) != 0) return false;
  for (int32_t s = 0; s < a->nstep; s++)
    if (strcmp(network_text(a, a->step_name[s]), network_text(b, b->step_name[s])) != 0) return false;
  return true;
}

/* An amplitude of 0, a ramp from a value to itself. */
static bool stands(const lang_process *input)
{
  double low, high;
  if (!lang_process_prescribed(input)) return false;
  lang_process_range(input, &low, &high);
  return low == high;
}

/* ln(k_fwd/k_bwd) of the steps from one end of the input's range to the other. */
static ness_status beside_lnk(const driven *d, moved_exact *out)
{
  const ness_network *const net = d->net;
  const motion_rows *const rows = &d->law.lnk;
  out->lnk = mem_zero(MOVED_PLACES * ((size_t)net->nstep + 1), sizeof *out->lnk);
  for (int32_t p = 0; p < MOVED_PLACES && out->lnk; p++) {
    for (int32_t s = 0; s < net->nstep; s++) {
      const int32_t terms = rows->start[s + 1] - rows->start[s];
      const double x = -1 + 2.0 * p / (MOVED_PLACES - 1);
      out->lnk[p * net->nstep + s] =
          terms > 0 ? series_value((series){rows->coef + rows->start[s], terms}, x) : net->step_lnk[s];
    }
  }
  return out->lnk ? NESS_OK : NESS_NOMEM;
}

static ness_status beside_rest(const driven *d, int64_t max_states, ness_diags *quiet, moved_exact *out)
{
  driven_steady s = {.mean = {.one_way_running = -1}};
  const cme_options limits = {.max_states = max_states};
  const ness_status status = driven_rest_phases(d, &limits, MOVED_PHASES, quiet, &s);
  if (status == NESS_OK) {
    out->solved = true;
    out->mean = s.mean;
    out->input_work = s.input_work;
    out->at = s.at;
    out->spread = s.spread;
    out->flow = s.flow;
    s.mean = (cme_solution){.one_way_running = -1};
    s.at = s.spread = s.flow = NULL;
  }
  driven_steady_free(&s);
  return status;
}

/* --- a drawn input on its grid of levels --- */

/* "l (V.3)" is a part of the step l. */
static bool part_of_step(const char *part, const char *step)
{
  const size_t n = strlen(step);
  return strncmp(part, step, n) == 0 && (part[n] == '\0' || strncmp(part + n, " (", 2) == 0);
}

/* What the joint network of states and levels says of steps, slots and sources of the dump's. */
static void levels_fold(const ness_network *joint, const cme_solution *s, const ness_network *net, const char *input,
                        moved_exact *out)
{
  cme_solution *const mean = &out->mean;
  for (int32_t k = 0; k < net->nstep; k++) {
    for (int32_t j = 0; j < joint->nstep; j++) {
      if (joint->step_proc[j] >= 0 ||
          !part_of_step(network_text(joint, joint->step_name[j]), network_text(net, net->step_name[k])))
        continue;
      mean->dir_rate[2 * k] += s->dir_rate[2 * j];
      mean->dir_rate[2 * k + 1] += s->dir_rate[2 * j + 1];
      mean->net_rate[k] += s->net_rate[j];
    }
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    mean->var[i] = (double)NAN;
    for (int32_t j = 0; j < joint->nslot; j++)
      if (strcmp(network_text(net, net->slot_name[i]), network_text(joint, joint->slot_name[j])) == 0)
        mean->mean[i] = s->mean[j];
  }
  for (int32_t w = 0; w < network_sources(joint); w++) {
    for (int32_t v = 0; v < network_sources(net); v++)
      if (strcmp(network_source_name(joint, w), network_source_name(net, v)) == 0)
        mean->source_work[v] = s->source_work[w];
    if (strcmp(network_source_name(joint, w), input) == 0) out->input_work = s->source_work[w];
  }
  mean->entropy = s->entropy;
  out->solved = true;
}

/* The steady state on the levels that stand for an Ornstein-Uhlenbeck process, where it is the only one of the model.
 */
static ness_status beside_levels(const lang_model *model, const lang_process *input, const ness_network *net,
                                 int64_t max_states, ness_diags *quiet, moved_exact *out)
{
  int32_t count;
  lang_processes(model, &count);
  if (count != 1 || input->nlevel == 0) return NESS_OK;
  const ness_network *const joint = lang_network(model);
  const cme_options limits = {.max_states = max_states};
  cme_solution s = {.one_way_running = -1};
  ness_status status = cme_steady(joint, &limits, quiet, &s);
  if (status == NESS_OK) status = cme_empty(net, &out->mean);
  if (status == NESS_OK) levels_fold(joint, &s, net, input->name, out);
  out->levels = status == NESS_OK ? input->nlevel : 0;
  cme_solution_free(&s);
  return status;
}

static ness_status beside(const dump_run *run, const ness_network *net, int64_t max_states, bool solve,
                          ness_diags *quiet, moved_exact *out)
{
  arena memory = {0};
  const char **settings = NULL;
  ness_model *model = NULL;
  driven d = {0};
  const int32_t n = settings_split(run->overrides, &memory, &settings);
  ness_status status = memory.failed ? NESS_NOMEM : NESS_OK;
  if (status == NESS_OK && !*run->model_text) {
    diag_add(quiet, NESS_ERROR, "the dump does not hold the text of its model");
    status = NESS_MODEL;
  }
  if (status == NESS_OK) status = ness_model_load("model.ness", run->model_text, settings, n, quiet, &model);
  const lang_process *const input = status == NESS_OK ? driven_input(model->compiled, true) : NULL;
  if (status == NESS_OK && moving_needed(model->compiled, false)) {
    diag_add(quiet, NESS_ERROR, "several inputs moved, and a periodic steady state is solved for under one alone");
    status = NESS_MODEL;
  }
  if (status == NESS_OK && (!input || strcmp(input->name, run->input) != 0)) {
    diag_add(quiet, NESS_ERROR, "the model in the dump moves no %s", run->input);
    status = NESS_MODEL;
  }
  if (status == NESS_OK) status = driven_create(model->compiled, input, quiet, &d);
  if (status == NESS_OK && !same_names(d.net, net)) {
    diag_add(quiet, NESS_ERROR, "the model in the dump has another network than the dump");
    status = NESS_MODEL;
  }
  if (status == NESS_OK) status = beside_lnk(&d, out);
  if (status == NESS_OK) out->still = d.law.nmove == 0 || stands(input);
  if (status == NESS_OK && solve && d.period > 0) status = beside_rest(&d, max_states, quiet, out);
  if (status == NESS_OK && solve && moved_drawn(run))
    status = beside_levels(model->compiled, input, net, max_states, quiet, out);
  driven_free(&d);
  ness_model_free(model);
  arena_free(&memory);
  return status;
}

ness_status ness_analyze(const char *path, const ness_analyze_options *options, ness_diags *diags, ness_doc **out)
{
  return analysis_run(path, options, beside, diags, out);
}
