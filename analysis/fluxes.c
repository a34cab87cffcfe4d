/* The linear part of the result: rates of steps, means, observables, charge currents, exchange with reservoirs. Each is
 * a linear form of counts and integrals over time, with its error from batches and its exact value beside it. Cost:
 * batches * (steps + slots + terms). */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

/* A linear form over a row of sums: value of a batch, and of the exact rates. */
typedef struct form {
  double *x;    /* (batches) */
  double exact; /* NaN not known */
} form;

static void form_begin(form *self, const analysis *all)
{
  memset(self->x, 0, (size_t)all->sums->batches * sizeof *self->x);
  self->exact = all->exact ? 0 : (double)NAN;
}

static void form_add(form *self, const analysis *all, double by, int32_t at, double exact_rate)
{
  for (int32_t b = 0; b < all->sums->batches; b++)
    self->x[b] += by * all->sums->batch[(int64_t)b * all->plan->width + at];
  self->exact += all->exact ? by * exact_rate : 0;
}

static void form_add_net(form *self, const analysis *all, double by, int32_t step)
{
  form_add(self, all, by, all->plan->fwd + step, all->exact ? all->exact->net_rate[step] : 0);
  form_add(self, all, -by, all->plan->bwd + step, 0);
}

static void steps_doc(const analysis *all, doc_node *root)
{
  const ness_network *net = all->net;
  const tally_plan *plan = all->plan;
  doc_node *const list = doc_array(root, "steps");
  for (int32_t s = 0; s < net->nstep; s++) {
    const double *const dirs = all->exact ? all->exact->dir_rate + 2 * s : NULL;
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "step", "%s", network_text(net, net->step_name[s]));
    const estimate rate =
        estimate_column(all, plan->fwd + s, plan->bwd + s, all->exact ? all->exact->net_rate[s] : (double)NAN);
    const estimate up = estimate_column(all, plan->fwd + s, -1, dirs ? dirs[0] : (double)NAN);
    const estimate down = estimate_column(all, plan->bwd + s, -1, dirs ? dirs[1] : (double)NAN);
    estimate_doc(row, &rate);
    estimate_put(row, "forward", &up);
    estimate_put(row, "backward", &down);
  }
}

static void means_doc(const analysis *all, doc_node *root)
{
  const ness_network *net = all->net;
  doc_node *const list = doc_array(root, "means");
  for (int32_t i = 0; i < net->nslot; i++) {
    if (net->slot_var[i] >= 0 && !all->flows) continue; /* an input among several, on a scale of its own */
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "of", "%s", network_text(net, net->slot_name[i]));
    if (all->flows) {
      flowed_mean(all, i, row);
      continue;
    }
    const estimate mean =
        estimate_column(all, all->plan->dwell + i, -1, all->exact ? all->exact->mean[i] : (double)NAN);
    estimate_doc(row, &mean);
  }
}

static void observables_doc(const analysis *all, doc_node *root, form *f)
{
  const ness_network *net = all->net;
  const tally_plan *plan = all->plan;
  doc_node *const list = doc_array(root, "observables");
  for (int32_t o = 0; o < net->nobs; o++) {
    form_begin(f, all);
    for (int32_t k = net->obs_start[o]; k < net->obs_start[o + 1]; k++) {
      const int32_t id = net->obs_id[k];
      const double by = net->obs_coef[k];
      switch (net->obs_kind[k]) {
      case OBS_NET: form_add_net(f, all, by, id); break;
      case OBS_FWD: form_add(f, all, by, plan->fwd + id, all->exact ? all->exact->dir_rate[2 * id] : 0); break;
      case OBS_BWD: form_add(f, all, by, plan->bwd + id, all->exact ? all->exact->dir_rate[2 * id + 1] : 0); break;
      default: form_add(f, all, by, plan->dwell + id, all->exact ? all->exact->mean[id] : 0); break;
      }
    }
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "observable", "%s", network_text(net, net->obs_name[o]));
    const estimate value = estimate_rate(all, f->x, f->exact);
    estimate_doc(row, &value);
  }
}

static void reservoirs_doc(const analysis *all, doc_node *root, form *f)
{
  const ness_network *net = all->net;
  doc_node *const list = doc_array(root, "reservoirs");
  for (int32_t r = 0; r < net->nres; r++) {
    form_begin(f, all);
    for (int32_t s = 0; s < net->nstep; s++)
      for (int32_t e = net->exch_start[s]; e < net->exch_start[s + 1]; e++)
        if (net->exch_res[e] == r) form_add_net(f, all, net->exch_by[e], s);
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "reservoir", "%s", network_text(net, net->res_name[r]));
    const estimate value = estimate_rate(all, f->x, f->exact);
    estimate_doc(row, &value);
  }
}

/* Charge that leaves the reservoirs of a compartment with a voltage, e/s: outward is positive. */
static void currents_doc(const analysis *all, doc_node *root, form *f)
{
  const ness_network *net = all->net;
  doc_node *const list = doc_array(root, "currents");
  for (int32_t v = 0; v < net->nvolt; v++) {
    form_begin(f, all);
    for (int32_t s = 0; s < net->nstep; s++) {
      double charge = 0;
      for (int32_t e = net->exch_start[s]; e < net->exch_start[s + 1]; e++)
        if (net->res_volt[net->exch_res[e]] == v) charge += net->exch_by[e] * net->res_charge[net->exch_res[e]];
      if (charge != 0) form_add_net(f, all, -charge, s);
    }
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "out_of", "%s", network_text(net, net->volt_name[v]));
    const estimate value = estimate_rate(all, f->x, f->exact);
    estimate_doc(row, &value);
  }
}

void fluxes_doc(const analysis *all, doc_node *root)
{
  form f = {.x = all->scratch + 2 * (int64_t)all->sums->batches};
  steps_doc(all, root);
  reservoirs_doc(all, root, &f);
  currents_doc(all, root, &f);
  means_doc(all, root);
  observables_doc(all, root, &f);
}
