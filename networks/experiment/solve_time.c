/* ness solve transient, ode, lna: the course of means, spreads and rates in time, and the state at rest of the rate
 * equations with the linear noise around it. */
#include "engine/ode/ode.h"
#include "networks/experiment/driven.h"
#include "networks/experiment/solve.h"
#include <math.h>

/* A row a time: an input that moves, every count with its deviation, every observable. */
static void time_rows(lang_model *model, const evolution *path, const lang_process *input, bool spread, doc_node *root)
{
  const ness_network *const net = lang_network(model);
  doc_node *const rows = doc_array(root, "course");
  for (int32_t t = 0; t < path->ntimes; t++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_number(row, net->temperature > 0 ? "t [s]" : "t", path->time[t]);
    if (input) answer_column(row, input->name, (quantity){input_at(input, path->time[t]), input->unit});
    for (int32_t i = 0; i < net->nslot; i++) {
      const int64_t at = (int64_t)t * net->nslot + i;
      text_buffer key = {0};
      answer_slot_name(net, i, &key);
      if (!key.failed) doc_number(row, key.data, network_shown(net, i, path->mean[at]));
      text_clear(&key);
      if (!spread) continue;
      text_add(&key, "sd ");
      answer_slot_name(net, i, &key);
      if (!key.failed) doc_number(row, key.data, network_shown_by(net, i, sqrt(path->var[at])));
      text_clear(&key);
    }
    for (int32_t o = 0; o < net->nobs; o++) {
      const char *const name = network_text(net, net->obs_name[o]);
      const expr node = {.kind = EXPR_NAME, .path = {.name = {name}, .parts = 1}};
      lang_linear l = {.scale = {1, UNIT_NONE}};
      double sum = 0;
      lang_linear_of(model, &node, NULL, &l); /* its unit; it compiled before */
      for (int32_t k = net->obs_start[o]; k < net->obs_start[o + 1]; k++) {
        const double *const rate = path->dir_rate + (int64_t)t * 2 * net->nstep;
        const int32_t id = net->obs_id[k], kind = net->obs_kind[k];
        sum += net->obs_coef[k] * (kind == OBS_COUNT ? path->mean[(int64_t)t * net->nslot + id]
                                   : kind == OBS_NET ? rate[2 * id] - rate[2 * id + 1]
                                                     : rate[2 * id + (kind == OBS_BWD)]);
      }
      answer_column(row, name, (quantity){sum * l.scale.value, l.scale.unit});
    }
  }
}

/* Entropy production at each time, and what is to be known about it. */
static void time_entropy(const ness_network *net, const evolution *path, doc_node *root)
{
  doc_node *const rows = doc_array(root, "entropy_course");
  bool entered = false;
  for (int32_t t = 0; t < path->ntimes; t++) {
    const split_row *const at = &path->entropy[t];
    doc_node *const row = doc_object(rows, NULL);
    doc_number(row, net->temperature > 0 ? "t [s]" : "t", path->time[t]);
    doc_number(row, "total", at->total);
    if (!path->unsplit) doc_number(row, "adiabatic", at->adiabatic);
    if (!path->unsplit) doc_number(row, "nonadiabatic", at->nonadiabatic);
    doc_number(row, "medium", at->medium);
    doc_number(row, "system", at->system);
    entered = entered || isinf(at->system);
  }
  doc_node *const about = doc_object(root, "entropy");
  doc_string(about, "unit", "k_B/s");
  if (path->one_way_running >= 0)
    doc_string(about, "infinite_because", "step %s runs and has no reverse",
               network_text(net, net->step_name[path->one_way_running]));
  if (entered)
    doc_string(about, "infinite_at_the_start_because",
               "states are entered that cannot be held yet, so no way leads back");
  if (path->unsplit) doc_string(about, "not_split_because", "%s: %s", path->unsplit_part, split_text(path->unsplit));
  if (*path->at_least_part)
    doc_string(
        about, "at_least_because",
        "%s: from mean counts; copies start in several places, so total, nonadiabatic and system are lower bounds",
        path->at_least_part);
  doc_number(about, "closure_error", path->closure);
}

/* What the state at rest is like: stability and relaxation. */
static ness_status rest_modes(const ness_network *net, ness_diags *diags, doc_node *root)
{
  ode_system *system = NULL;
  ode_state state = {0};
  ness_status status = ode_create(net, diags, &system);
  if (status == NESS_OK) status = ode_steady(system, NULL, diags, &state);
  if (status == NESS_OK) {
    doc_node *const method = doc_object(root, "method");
    doc_string(method, "name", "rate equations, integrated (BDF) and finished by Newton's method");
    doc_number(method, "relative_imbalance", state.residual);
    doc_number(method, "time_to_come_near", state.time);
    doc_string(method, "stable", "%s", state.stable > 0 ? "yes" : state.stable == 0 ? "no" : "not decided");
    if (state.neigen > 0) {
      doc_number(method, "leading_eigenvalue", state.re[0]);
      doc_bool(method, "oscillating", state.oscillating != 0);
    }
  }
  ode_state_free(&state);
  ode_free(system);
  return status;
}

static void time_method(const question *asked, const ness_network *net, bool moving, const evolution *path,
                        doc_node *root)
{
  doc_node *const method = doc_object(root, "method");
  if (asked->kind != QUESTION_TRANSIENT) {
    const bool events = asked->kind == QUESTION_ODE && net->nevent > 0;
    doc_string(method, "name", "rate equations, %s%s",
               moving   ? "by one-step methods, with inputs that move"
               : events ? "by one-step methods, with the events of the file"
                        : "integrated (BDF)",
               asked->kind == QUESTION_LNA ? ", with linear noise" : "");
    return;
  }
  doc_string(method, "name", "%s%s", transient_name(path->report.method),
             moving ? ", rates that move by Magnus steps" : "");
  doc_number(method, path->report.proven ? "error_below" : "error_estimate", path->report.bound);
  doc_int(method, "products", path->report.products);
  doc_int(method, "states", path->states);
  if (path->outside > 0) doc_number(method, "probability_outside_below", path->outside);
  doc_int(method, "independent_parts", path->nparts);
}

ness_status solve_question(ness_model *self, const question *asked, ness_diags *diags, doc_node *root)
{
  const ness_network *const net = lang_network(self->compiled);
  cme_solution rest;
  evolution path;
  lang_model *still;
  double input_work;
  ness_status status = question_ask(asked, self->compiled, diags, &rest, &path, &input_work, &still);
  if (status != NESS_OK) return status;
  if (path.ntimes > 0) {
    const lang_process *const input = driven_input(self->compiled, false);
    time_method(asked, net, input, &path, root);
    time_rows(still ? still : self->compiled, &path, still ? NULL : input, asked->kind != QUESTION_ODE, root);
    if (path.entropy) time_entropy(net, &path, root);
  } else {
    status = rest_modes(net, diags, root);
    solve_means(net, &rest, asked->kind == QUESTION_LNA, root);
    solve_steps(net, &rest, root);
    solve_observables(self, &rest, diags, root);
    solve_entropy(net, &rest, 0, root);
    solve_sources(net, &rest, NULL, 0, root);
  }
  cme_solution_free(&rest);
  evolve_free(&path);
  lang_model_free(still);
  return status;
}
