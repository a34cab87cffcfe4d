/* ness solve: the exact steady state as an answer. */
#include "networks/experiment/experiment.h"
#include <math.h>
#include <string.h>

#define SOLVE_CYCLES_SHOWN 40

static void solve_steps(const ness_network *net, const cme_solution *s, doc_node *root)
{
  doc_node *const rows = doc_array(root, "steps");
  for (int32_t i = 0; i < net->nstep; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "step", "%s", network_text(net, net->step_name[i]));
    doc_number(row, "forward", s->dir_rate[2 * i]);
    doc_number(row, "backward", s->dir_rate[2 * i + 1]);
    doc_number(row, "net", s->net_rate[i]);
    doc_number(row, "entropy", s->step_entropy[i]);
    doc_string(row, "reads", "%s", network_text(net, net->step_text[i]));
  }
}

static void solve_means(const ness_network *net, const cme_solution *s, doc_node *root)
{
  doc_node *const rows = doc_array(root, "counts");
  for (int32_t i = 0; i < net->nslot; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->slot_name[i]));
    doc_number(row, "mean", s->mean[i]);
    doc_number(row, "variance", s->var[i]);
  }
}

static void solve_sources(const ness_network *net, const cme_solution *s, doc_node *root)
{
  doc_node *const rows = doc_array(root, "work");
  for (int32_t i = 0; i < network_sources(net); i++) {
    const bool undeclared = i == net->nres + net->nvolt;
    if (undeclared && s->source_work[i] == 0) continue;
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "source", "%s", network_source_name(net, i));
    doc_string(row, "kind", "%s", undeclared ? "undeclared" : i < net->nres ? "reservoir" : "voltage");
    doc_number(row, "work_kt_per_s", s->source_work[i]);
    double taken = 0;
    for (int32_t st = 0; i < net->nres && st < net->nstep; st++) {
      for (int32_t e = net->exch_start[st]; e < net->exch_start[st + 1]; e++) {
        if (net->exch_res[e] == i) taken -= net->exch_by[e] * s->net_rate[st];
      }
    }
    if (i < net->nres) doc_number(row, "taken_per_s", taken);
  }
}

static ness_status solve_cycles(const ness_network *net, const cme_solution *s, int64_t cap, ness_diags *diags,
                                doc_node *root)
{
  cme_cycles cycles;
  const ness_status status = cme_cycles_find(net, s, cap, diags, &cycles);
  if (status != NESS_OK) return status;
  int64_t driven = 0;
  for (int64_t i = 0; i < cycles.count; i++) driven += fabs(cycles.cycle[i].affinity) > 1e-9;
  doc_node *const summary = doc_object(root, "cycle_count");
  doc_int(summary, "found", cycles.count);
  doc_int(summary, "with_affinity", driven);
  doc_bool(summary, "every_simple_cycle", cycles.complete != 0);
  doc_node *const rows = doc_array(root, "cycles");
  for (int64_t i = 0; i < cycles.count && i < SOLVE_CYCLES_SHOWN; i++) {
    const cme_cycle *const c = &cycles.cycle[i];
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

static void solve_states(const ness_network *net, const cme_solution *s, doc_node *root)
{
  doc_node *const rows = doc_array(root, "states");
  for (int32_t p = 0; p < s->nparts; p++) {
    const cme_part *const part = &s->parts[p];
    for (int32_t i = 0; i < part->nstate; i++) {
      doc_node *const row = doc_object(rows, NULL);
      text_buffer name = {0};
      for (int32_t k = 0; k < part->nslot; k++) {
        const int64_t n = part->count[(size_t)i * (size_t)part->nslot + (size_t)k];
        if (n)
          text_add(&name, name.length ? " %s=%lld" : "%s=%lld", network_text(net, net->slot_name[part->slot[k]]),
                   (long long)n);
      }
      doc_int(row, "part", p);
      doc_number(row, "probability", part->p[i]);
      doc_string(row, "state", "%s", name.length ? name.data : "empty");
      text_clear(&name);
    }
  }
}

static void solve_observables(ness_model *self, const cme_solution *s, ness_diags *diags, doc_node *root)
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

ness_status ness_solve(ness_model *self, const ness_solve_options *options, ness_diags *diags, ness_doc **out)
{
  *out = NULL;
  const ness_solve_options o = options ? *options : (ness_solve_options){.struct_size = sizeof o};
  if (o.what && strcmp(o.what, "steady") != 0) {
    diag_add(diags, NESS_ERROR, "cannot solve for %s", o.what);
    diag_hint(diags, "this version solves for: steady");
    return NESS_USAGE;
  }
  const ness_network *const net = lang_network(self->compiled);
  cme_solution s;
  const cme_options limits = {.max_states = o.max_states};
  ness_status status = cme_steady(net, &limits, diags, &s);
  if (status != NESS_OK) return status;
  ness_doc *const doc = doc_create("solve");
  doc_node *const root = doc_root(doc);
  doc_string(root, "model", "%s", net->model_name);
  doc_node *const method = doc_object(root, "method");
  int32_t classes = 0;
  for (int32_t p = 0; p < s.nparts; p++) classes += s.parts[p].nclass;
  doc_string(method, "name", "GTH elimination");
  doc_int(method, "states", s.states);
  doc_int(method, "independent_parts", s.nparts);
  doc_int(method, "closed_classes", classes);
  solve_means(net, &s, root);
  solve_steps(net, &s, root);
  solve_observables(self, &s, diags, root);
  doc_node *const entropy = doc_object(root, "entropy");
  doc_number(entropy, "production_kb_per_s", s.entropy);
  if (s.one_way_running >= 0)
    doc_string(entropy, "infinite_because", "step %s runs and has no reverse",
               network_text(net, net->step_name[s.one_way_running]));
  double work = 0;
  for (int32_t i = 0; i < network_sources(net); i++) work += s.source_work[i];
  doc_number(entropy, "work_of_all_sources", work);
  doc_number(entropy, "change_of_internal_free_energy", s.internal);
  doc_number(entropy, "closure_error", s.closure);
  solve_sources(net, &s, root);
  status = solve_cycles(net, &s, o.max_cycles, diags, root);
  if (o.states) solve_states(net, &s, root);
  answer_conventions(doc);
  cme_solution_free(&s);
  if (status == NESS_OK) status = doc_finish(doc);
  if (status != NESS_OK) ness_doc_free(doc);
  else *out = doc;
  return status;
}
