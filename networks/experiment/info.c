/* ness info: the network as it was compiled, every propensity as it will be used. */
#include "networks/experiment/experiment.h"
#include "networks/thermo/thermo.h"
#include <math.h>
#include <string.h>

/* k n (n-1) ...: the propensity in words. */
static void info_propensity(const ness_network *net, int32_t dir, text_buffer *out)
{
  if (net->dir_law[dir] == LAW_NONE) {
    text_put(out, "none", 4);
    return;
  }
  if (net->dir_law[dir] == LAW_TAPE) {
    text_add(out, "expression (%d operations)", net->tape_start[dir + 1] - net->tape_start[dir]);
  } else {
    char k[32];
    number_short(net->dir_k[dir], 7, k);
    text_add(out, "%s", k);
    for (int32_t i = net->react_start[dir]; i < net->react_start[dir + 1]; i++) {
      const char *const name = network_text(net, net->slot_name[net->react_slot[i]]);
      for (int32_t m = 0; m < net->react_mult[i]; m++) text_add(out, m ? " (%s-%d)" : " %s", name, m);
    }
  }
  for (int32_t i = net->guard_start[dir]; i < net->guard_start[dir + 1]; i++) {
    const char *const name = network_text(net, net->slot_name[net->guard_slot[i]]);
    if (net->guard_low[i] > 0) text_add(out, " if %s >= %lld", name, (long long)net->guard_low[i]);
    if (net->guard_high[i] < MODEL_NO_MAX) text_add(out, " if %s <= %lld", name, (long long)net->guard_high[i]);
  }
}

static void info_laws(const ness_network *net, doc_node *root)
{
  stoich_basis laws;
  doc_node *const list = doc_array(root, "conserved");
  if (stoich_laws(net, &laws) != NESS_OK) return;
  for (int32_t l = 0; l < laws.count && l < 50; l++) {
    text_buffer line = {0};
    int64_t total = 0;
    for (int32_t i = laws.start[l]; i < laws.start[l + 1]; i++) {
      const int64_t by = laws.by[i];
      if (i > laws.start[l]) text_add(&line, by < 0 ? " - " : " + ");
      else if (by < 0) text_add(&line, "-");
      if (by != 1 && by != -1) text_add(&line, "%lld ", (long long)(by < 0 ? -by : by));
      text_add(&line, "%s", network_text(net, net->slot_name[laws.id[i]]));
      total += by * net->slot_start[laws.id[i]];
    }
    doc_string(list, NULL, "%s = %lld", line.data ? line.data : "", (long long)total);
    text_clear(&line);
  }
  stoich_free(&laws);
}

static void info_variables(const ness_network *net, doc_node *root)
{
  doc_node *rows = net->nvar ? doc_array(root, "variables") : NULL;
  for (int32_t v = 0; v < net->nvar; v++) {
    const int32_t slot = net->var_slot[v];
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->slot_name[slot]));
    doc_string(row, "is", "%s", net->var_kind[v] == VAR_CHARGE ? "capacitor" : "variable");
    doc_number(row, "start", network_shown(net, slot, (double)net->slot_start[slot]));
    doc_number(row, "from", network_shown(net, slot, 0));
    doc_number(row, "to", network_shown(net, slot, (double)net->slot_max[slot]));
    doc_string(row, "unit", "%s", network_text(net, net->var_text[v]));
    doc_number(row, "one_count", network_shown_by(net, slot, 1));
    if (net->var_kind[v] == VAR_CHARGE) doc_number(row, "energy_of_one_count_kt", net->var_stiff[v] / 2);
  }
  rows = net->nevent ? doc_array(root, "events") : NULL;
  for (int32_t e = 0; e < net->nevent; e++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "reads", "%s", network_text(net, net->event_name[e]));
    doc_int(row, "sets", net->set_start[e + 1] - net->set_start[e]);
  }
}

ness_status ness_info(const ness_model *self, ness_diags *diags, ness_doc **out)
{
  const ness_network *const net = lang_network(self->compiled);
  ness_doc *const doc = doc_create("info");
  doc_node *const root = doc_root(doc);
  question_warn(self->compiled, diags);
  doc_string(root, "model", "%s", net->model_name);
  doc_number(root, "temperature_k", net->temperature);
  doc_int(root, "bytes", (int64_t)net->bytes);
  doc_node *rows = doc_array(root, "counts");
  for (int32_t i = 0; i < net->nslot; i++) {
    if (net->slot_var[i] >= 0) continue;
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->slot_name[i]));
    doc_int(row, "start", net->slot_start[i]);
    if (net->slot_max[i] < MODEL_NO_MAX) doc_int(row, "max", net->slot_max[i]);
    doc_number(row, "free_energy_kt", net->slot_g[i]);
    if (net->slot_charge[i] != 0) doc_number(row, "charge_e", net->slot_charge[i]);
    if (net->slot_family[i] >= 0)
      doc_string(row, "protein", "%s", network_text(net, net->family_name[net->slot_family[i]]));
  }
  info_variables(net, root);
  rows = net->nres ? doc_array(root, "reservoirs") : NULL;
  for (int32_t i = 0; i < net->nres; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->res_name[i]));
    doc_number(row, "activity", net->res_activity[i]);
    doc_number(row, "chemical_potential_kt", net->res_mu[i]);
    doc_number(row, "electrical_kt", net->res_volt[i] >= 0 ? net->res_charge[i] * net->volt_kt[net->res_volt[i]] : 0);
    doc_number(row, "charge_e", net->res_charge[i]);
  }
  rows = net->nvolt ? doc_array(root, "voltages") : NULL;
  for (int32_t i = 0; i < net->nvolt; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->volt_name[i]));
    doc_number(row, "kt_per_e", net->volt_kt[i]);
    if (net->temperature > 0)
      doc_number(row, "millivolt", 1e3 * net->volt_kt[i] * CONST_KB * net->temperature / CONST_E);
  }
  rows = net->nheat ? doc_array(root, "heats") : NULL;
  for (int32_t i = 0; i < net->nheat; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->heat_name[i]));
    doc_number(row, net->temperature > 0 ? "kelvin" : "temperature", net->heat_kelvin[i]);
  }
  rows = doc_array(root, "steps");
  for (int32_t i = 0; i < net->nstep; i++) {
    doc_node *const row = doc_object(rows, NULL);
    text_buffer forward = {0}, backward = {0};
    info_propensity(net, 2 * i, &forward);
    info_propensity(net, 2 * i + 1, &backward);
    doc_string(row, "step", "%s", network_text(net, net->step_name[i]));
    doc_string(row, "reads", "%s", network_text(net, net->step_text[i]));
    doc_string(row, "forward_per_s", "%s", forward.data ? forward.data : "");
    doc_string(row, "backward_per_s", "%s", backward.data ? backward.data : "");
    doc_number(row, "ln_ratio_kt", net->step_lnk[i]);
    double declared = 0, undeclared = 0;
    for (int32_t w = net->work_start[i]; w < net->work_start[i + 1]; w++) {
      if (net->work_src[w] == network_sources(net) - 1) undeclared += net->work_kt[w];
      else declared += net->work_kt[w];
    }
    doc_number(row, "work_kt", declared);
    if (undeclared != 0) doc_number(row, "undeclared_kt", undeclared);
    text_clear(&forward);
    text_clear(&backward);
  }
  info_laws(net, root);
  answer_conventions(doc);
  const ness_status status = doc_finish(doc);
  if (status != NESS_OK) ness_doc_free(doc);
  *out = status == NESS_OK ? doc : NULL;
  return status;
}
