/* ness solve: which question is asked, and the answer to the first of them, the exact steady state. */
#include "networks/experiment/solve.h"
#include "networks/experiment/driven.h"
#include <math.h>
#include <string.h>

#define SOLVE_CYCLES_SHOWN 40

void solve_method(const cme_solution *s, doc_node *root)
{
  doc_node *const method = doc_object(root, "method");
  int32_t classes = 0;
  for (int32_t p = 0; p < s->nparts; p++) classes += s->parts[p].classes.count;
  doc_string(method, "name", "%s", solver_name(s->report.method));
  doc_number(method, "relative_error_below", s->report.bound);
  doc_string(method, "proof", "%s", s->report.proof ? s->report.proof : "");
  if (s->report.iterations) doc_int(method, "iterations", s->report.iterations);
  doc_int(method, "states", s->states);
  doc_int(method, "independent_parts", s->nparts);
  doc_int(method, "closed_classes", classes);
  if (!s->projection.used) return;
  doc_node *const projection = doc_object(root, "projection");
  doc_string(projection, "meaning",
             "counts have no end: solved on the states that matter, given that the network is in "
             "one of them");
  doc_number(projection, "relative_error_of_means_below", s->projection.error);
  doc_number(projection, "leaves_them_per_s", s->projection.outflow);
}

void solve_entropy(const ness_network *net, const cme_solution *s, double input_work, doc_node *root)
{
  doc_node *const entropy = doc_object(root, "entropy");
  double work = input_work;
  for (int32_t i = 0; i < network_sources(net); i++) work += s->source_work[i];
  doc_number(entropy, "production_kb_per_s", s->entropy);
  if (s->one_way_running >= 0)
    doc_string(entropy, "infinite_because", "step %s runs and has no reverse",
               network_text(net, net->step_name[s->one_way_running]));
  doc_number(entropy, "work_of_all_sources", work);
  doc_number(entropy, "change_of_internal_free_energy", s->internal);
  doc_number(entropy, "closure_error", s->closure);
}

void solve_steps(const ness_network *net, const cme_solution *s, doc_node *root)
{
  doc_node *const rows = doc_array(root, "steps");
  for (int32_t i = 0; i < net->nstep; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "step", "%s", network_text(net, net->step_name[i]));
    doc_number(row, "forward", s->dir_rate[2 * i]);
    doc_number(row, "backward", s->dir_rate[2 * i + 1]);
    doc_number(row, "net", s->net_rate[i]);
    if (!isnan(s->step_entropy[i])) doc_number(row, "entropy", s->step_entropy[i]);
    doc_string(row, "reads", "%s", network_text(net, net->step_text[i]));
  }
}

void solve_means(const ness_network *net, const cme_solution *s, bool spread, doc_node *root)
{
  doc_node *const rows = doc_array(root, "counts");
  for (int32_t i = 0; i < net->nslot; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->slot_name[i]));
    const int32_t variable = net->slot_var[i];
    const double scale = network_shown_by(net, i, 1);
    doc_number(row, "mean", network_shown(net, i, s->mean[i]));
    if (spread && !isnan(s->var[i])) doc_number(row, "variance", s->var[i] * scale * scale);
    if (variable >= 0) doc_string(row, "unit", "%s", network_text(net, net->var_text[variable]));
  }
}

void solve_sources(const ness_network *net, const cme_solution *s, const char *input, double input_work, doc_node *root)
{
  doc_node *const rows = doc_array(root, "work");
  for (int32_t i = 0; i < network_sources(net); i++) {
    const bool undeclared = i == network_sources(net) - 1;
    if (undeclared && s->source_work[i] == 0) continue;
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "source", "%s", network_source_name(net, i));
    doc_string(row, "kind", "%s",
               undeclared                                ? "undeclared"
               : i < net->nres                           ? "reservoir"
               : i < net->nres + net->nvolt              ? "voltage"
               : i < net->nres + net->nvolt + net->nheat ? "heat"
                                                         : "process");
    doc_number(row, "work_kt_per_s", s->source_work[i]);
    double taken = 0;
    for (int32_t st = 0; i < net->nres && st < net->nstep; st++) {
      for (int32_t e = net->exch_start[st]; e < net->exch_start[st + 1]; e++) {
        if (net->exch_res[e] == i) taken -= net->exch_by[e] * s->net_rate[st];
      }
    }
    if (i < net->nres) doc_number(row, "taken_per_s", taken);
  }
  if (!input) return;
  doc_node *const row = doc_object(rows, NULL);
  doc_string(row, "source", "%s", input);
  doc_string(row, "kind", "process");
  doc_number(row, "work_kt_per_s", input_work);
}

static ness_status solve_cycles(const ness_network *net, const cme_solution *s, int64_t cap, ness_diags *diags,
                                doc_node *root)
{
  cme_cycles cycles;
  const ness_status status = cme_cycles_find(net, s, cap, diags, &cycles);
  if (status != NESS_OK) return status;
  int64_t with = 0;
  for (int64_t i = 0; i < cycles.count; i++) with += fabs(cycles.cycle[i].affinity) > 1e-9;
  doc_node *const summary = doc_object(root, "cycle_count");
  doc_int(summary, "found", cycles.count);
  doc_int(summary, "with_affinity", with);
  doc_bool(summary, "every_simple_cycle", cycles.complete != 0);
  doc_node *rows = NULL;
  for (int64_t i = 0, shown = 0; i < cycles.count && shown < SOLVE_CYCLES_SHOWN; i++) {
    const cme_cycle *const c = &cycles.cycle[i];
    if (isnan(c->affinity)) continue; /* of a basis: one-way steps bar it in both directions */
    if (!rows) rows = doc_array(root, "cycles");
    shown++;
    doc_node *const row = doc_object(rows, NULL);
    text_buffer steps = {0};
    doc_number(row, "net", c->net);
    doc_number(row, "forward", c->forward);
    doc_number(row, "backward", c->backward);
    doc_number(row, "affinity_kt", c->affinity);
    doc_number(row, "entropy", c->net == 0 ? 0 : c->net * c->affinity);
    answer_cycle_text(net, c, &steps);
    doc_string(row, "steps", "%s", steps.data ? steps.data : "");
    text_clear(&steps);
  }
  cme_cycles_free(&cycles);
  return NESS_OK;
}

static ness_status solve_states(const ness_network *net, const cme_solution *s, doc_node *root)
{
  doc_node *const rows = doc_array(root, "states");
  int64_t *const n = mem_zero((size_t)net->nslot + 1, sizeof *n);
  for (int32_t p = 0; n && p < s->nparts; p++) {
    const cme_part *const part = &s->parts[p];
    for (int32_t i = 0; i < part->q.n; i++) {
      doc_node *const row = doc_object(rows, NULL);
      text_buffer name = {0};
      cme_counts(part, i, n);
      for (int32_t k = 0; k < part->nslot; k++) {
        const int32_t slot = part->slot[k];
        if (n[slot])
          text_add(&name, name.length ? " %s=%lld" : "%s=%lld", network_text(net, net->slot_name[slot]),
                   (long long)n[slot]);
      }
      doc_int(row, "part", p);
      doc_number(row, "probability", part->p[i]);
      doc_string(row, "state", "%s", name.length ? name.data : "empty");
      text_clear(&name);
    }
  }
  mem_free(n);
  return n ? NESS_OK : NESS_NOMEM;
}

void solve_observables(ness_model *self, const cme_solution *s, ness_diags *diags, doc_node *root)
{
  const ness_network *const net = lang_network(self->compiled);
  doc_node *const rows = net->nobs ? doc_array(root, "observables") : NULL;
  values v = {.model = self->compiled, .exact = s, .left_out = -1};
  for (int32_t i = 0; i < net->nobs; i++) {
    const char *const name = network_text(net, net->obs_name[i]);
    const expr node = {.kind = EXPR_NAME, .path = {.name = {name}, .parts = 1}};
    estimate e;
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", name);
    if (values_estimate(&v, &node, diags, &e)) answer_quantity(row, "value", e.value);
  }
}

static ness_status solve_steady(ness_model *self, const ness_solve_options *o, const cme_options *limits,
                                ness_diags *diags, doc_node *root)
{
  const ness_network *const net = lang_network(self->compiled);
  const lang_process *const input = driven_input(self->compiled, false);
  if (input && (o->states || o->max_cycles)) {
    lang_error(diags, input->place, "a telegraph has them", "%s are not listed while %s moves like this",
               o->states ? "states" : "cycles", input->name);
    return NESS_USAGE;
  }
  if (input) return solve_periodic(self, input, limits, diags, root);
  cme_solution s;
  ness_status status = cme_steady(net, limits, diags, &s);
  if (status != NESS_OK) return status;
  const double wanted = o->tolerance > 0 ? o->tolerance : 1e-8;
  if (s.report.bound > wanted) {
    diag_add(diags, NESS_WARNING, "the relative error of the probabilities is proven below %.2g, not %.2g",
             s.report.bound, wanted);
  }
  solve_method(&s, root);
  solve_means(net, &s, true, root);
  solve_steps(net, &s, root);
  solve_observables(self, &s, diags, root);
  solve_entropy(net, &s, 0, root);
  solve_sources(net, &s, NULL, 0, root);
  status = solve_cycles(net, &s, o->max_cycles, diags, root);
  if (status == NESS_OK && o->states) status = solve_states(net, &s, root);
  cme_solution_free(&s);
  return status;
}

/* What the call says about method and accuracy. */
static ness_status solve_limits(const ness_solve_options *o, bool in_time, cme_options *limits,
                                transient_options *transient, ness_diags *diags)
{
  static const char *const solvers[] = {"auto", "gth", "klu", "multilevel"};
  static const char *const movers[] = {"auto", "uniform", "krylov", "dense"};
  const char *const *const names = in_time ? movers : solvers;
  const char *const method = o->method ? o->method : "auto";
  int32_t which = -1;
  for (int32_t i = 0; i < 4; i++) {
    if (strcmp(names[i], method) == 0) which = i;
  }
  if (which < 0) {
    const char *const near = name_nearest(method, names, 4);
    diag_add(diags, NESS_ERROR, "there is no method %s here", method);
    if (near) diag_hint(diags, "did you mean %s?", near);
    else diag_hint(diags, "%s, %s, %s or %s", names[0], names[1], names[2], names[3]);
    return NESS_USAGE;
  }
  *limits = (cme_options){.max_states = o->max_states};
  *transient = (transient_options){0};
  if (in_time) *transient = (transient_options){(transient_method)which, o->tolerance};
  else limits->solve = (solver_options){.method = (solver_method)which, .tolerance = o->tolerance};
  return NESS_OK;
}

static const char *const questions[] = {"steady",      "transient", "cumulants", "spectrum", "passage",
                                        "sensitivity", "ode",       "lna",       "noise"};
enum { ASKED = sizeof questions / sizeof *questions };

/* Refuses what the call says that means nothing for this question. `to` is a bit for each of the questions. */
static ness_status solve_belongs(const ness_solve_options *o, int32_t which, ness_diags *diags)
{
  enum {
    STEADY = 1,
    TRANSIENT = 2,
    CUMULANTS = 4,
    SPECTRUM = 8,
    PASSAGE = 16,
    SENSITIVITY = 32,
    RATES = 64 | 128,
    NOISE = 256
  };
  const struct {
    const char *name;
    bool given;
    unsigned to;
  } options[] = {{"time", o->time != 0, TRANSIENT | RATES | PASSAGE},
                 {"every", o->every != 0, TRANSIENT | RATES},
                 {"of", o->nof > 0, CUMULANTS | SENSITIVITY | NOISE},
                 {"tilt", o->tilt != NULL, CUMULANTS},
                 {"frequency", o->frequency != NULL, NOISE},
                 {"until", o->until != NULL, PASSAGE},
                 {"unless", o->unless != NULL, PASSAGE},
                 {"from-steady", o->from_steady != 0, PASSAGE},
                 {"modes", o->modes != 0, SPECTRUM},
                 {"states", o->states != 0, STEADY},
                 {"max-cycles", o->max_cycles != 0, STEADY},
                 {"max-states", o->max_states != 0, ~(unsigned)RATES},
                 {"method", o->method != NULL, ~(unsigned)RATES},
                 {"tolerance", o->tolerance != 0, ~(unsigned)RATES},
                 {"dry-run", o->dry_run != 0, ~(unsigned)RATES}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (!options[i].given || options[i].to >> which & 1) continue;
    text_buffer all = {0};
    for (int32_t q = 0; q < ASKED; q++) {
      if (options[i].to >> q & 1) text_add(&all, all.length ? ", %s" : "%s", questions[q]);
    }
    diag_add(diags, NESS_ERROR, "%s means nothing for %s", options[i].name, questions[which]);
    if (!all.failed) diag_hint(diags, "it belongs to %s", all.data);
    text_clear(&all);
    return NESS_USAGE;
  }
  return NESS_OK;
}

ness_status ness_solve(ness_model *self, const ness_solve_options *options, ness_diags *diags, ness_doc **out)
{
  *out = NULL;
  const ness_solve_options o = options ? *options : (ness_solve_options){.struct_size = sizeof o};
  const char *const what = o.what ? o.what : "steady";
  int32_t which = -1;
  for (int32_t i = 0; i < ASKED; i++) {
    if (strcmp(what, questions[i]) == 0) which = i;
  }
  if (which < 0) {
    const char *const near = name_nearest(what, questions, ASKED);
    diag_add(diags, NESS_ERROR, "cannot solve for %s", what);
    if (near) diag_hint(diags, "did you mean %s?", near);
    else diag_hint(diags, "steady, transient, cumulants, spectrum, passage, sensitivity, ode, lna or noise");
    return NESS_USAGE;
  }
  cme_options limits;
  transient_options transient;
  ness_status status = solve_belongs(&o, which, diags);
  if (status == NESS_OK) status = solve_limits(&o, which == 1, &limits, &transient, diags);
  const bool follows = which <= 1 || (which == 6 && !o.dry_run); /* inputs that move, or says itself where not */
  if (status == NESS_OK && !follows && !question_still(self->compiled, diags)) status = NESS_MODEL;
  if (status == NESS_OK && which != 1 && which < 6 && !question_hops(self->compiled, diags)) status = NESS_MODEL;
  if (status == NESS_OK && which == 8 && !question_hops(self->compiled, diags)) status = NESS_MODEL;
  if (status != NESS_OK) return status;
  ness_doc *const doc = doc_create("solve");
  doc_node *const root = doc_root(doc);
  doc_string(root, "model", "%s", lang_network(self->compiled)->model_name);
  doc_string(root, "question", "%s", what);
  if (o.dry_run) status = solve_size(self, &limits, diags, root);
  else if (which == 0) status = solve_steady(self, &o, &limits, diags, root);
  else if (which == 2) status = solve_cumulants(self, &o, &limits, diags, root);
  else if (which == 3) status = solve_spectrum(self, &o, &limits, diags, root);
  else if (which == 4) status = solve_passage(self, &o, &limits, diags, root);
  else if (which == 5) status = solve_sensitivity(self, &o, &limits, diags, root);
  else if (which == 8) status = solve_noise(self, &o, &limits, diags, root);
  else {
    const question asked = {.kind = which == 1   ? QUESTION_TRANSIENT
                                    : which == 6 ? QUESTION_ODE
                                                 : QUESTION_LNA,
                            .time = o.time,
                            .every = o.every,
                            .limits = limits,
                            .transient = transient};
    status = solve_question(self, &asked, diags, root);
  }
  answer_conventions(doc);
  if (status == NESS_OK) status = doc_finish(doc);
  if (status != NESS_OK) ness_doc_free(doc);
  else *out = doc;
  return status;
}
