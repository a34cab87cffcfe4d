/* ness run and ness resume: an ensemble, and what it counted as an answer with errors over batches of replicas. */
#include "networks/experiment/experiment.h"
#include <math.h>
#include <string.h>

#define WORK_ROUNDING 1e-12

static void simulate_estimate(doc_node *row, const char *key, double value, double error)
{
  text_buffer name = {0};
  doc_number(row, key, value);
  text_add(&name, "%s_error", key);
  if (!name.failed) doc_number(row, name.data, error);
  text_clear(&name);
}

/* A quantity and its jackknife error over the batches. */
static void simulate_pair(values *v, double (*get)(const values *, int32_t, int32_t), int32_t kind, int32_t id,
                          double *value, double *error)
{
  const int32_t n = v->sample->batches;
  double sum = 0, square = 0, x[SSA_BATCHES];
  v->left_out = -1;
  *value = get(v, kind, id);
  for (v->left_out = 0; v->left_out < n; v->left_out++) {
    x[v->left_out] = get(v, kind, id);
    sum += x[v->left_out] / n;
  }
  v->left_out = -1;
  for (int32_t b = 0; b < n; b++) square += (x[b] - sum) * (x[b] - sum);
  *error = n > 1 ? sqrt(square * (n - 1) / n) : NAN;
}

static double get_entropy(const values *v, int32_t kind, int32_t id)
{
  (void)kind, (void)id;
  return values_entropy(v);
}
static double get_work(const values *v, int32_t kind, int32_t id)
{
  (void)kind;
  return values_work(v, id);
}

static void simulate_answer(const ness_network *net, const sampled *sample, doc_node *root)
{
  const ssa_result *const r = &sample->counts;
  /* values reads the network through the model; here a network alone is at hand, as from a dump. */
  values v = {.network = net, .left_out = -1};
  sample_view(sample, &v);
  double counted = 0, value, error;
  for (int32_t b = 0; b < r->batches; b++) counted += r->counted[b];
  doc_node *const run = doc_object(root, "run");
  doc_int(run, "replicas", r->replicas);
  doc_int(run, "events", r->events);
  doc_number(run, "counted_s", counted);
  doc_int(run, "batches", r->batches);
  doc_string(run, "method", "%s", r->method);
  doc_string(run, "form", "%s", r->form);
  if (r->epsilon > 0) {
    doc_number(run, "epsilon", r->epsilon);
    doc_string(
        run, "approximate",
        "rates stand still for leaps in which they would move by up to epsilon of themselves; counts and currents "
        "are off by up to about epsilon of their largest, by more where a small change of a rate has a large effect");
  }
  if (sample->flows) {
    doc_int(run, "candidates", sample->flow.candidates);
    doc_int(run, "moves", sample->flow.moves);
  } else if (sample->input) doc_int(run, "candidates", sample->moved.candidates);
  else doc_int(run, "replica_bytes", (int64_t)r->replica_bytes);
  if (r->absorbed) doc_int(run, "absorbed", r->absorbed);
  if (!(counted > 0)) return;
  doc_node *rows = doc_array(root, "steps");
  for (int32_t i = 0; i < net->nstep; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "step", "%s", network_text(net, net->step_name[i]));
    doc_number(row, "forward", values_linear(&v, OBS_FWD, i));
    doc_number(row, "backward", values_linear(&v, OBS_BWD, i));
    simulate_pair(&v, values_linear, OBS_NET, i, &value, &error);
    simulate_estimate(row, "net", value, error);
    doc_string(row, "reads", "%s", network_text(net, net->step_text[i]));
  }
  rows = doc_array(root, "counts");
  for (int32_t i = 0; i < net->nslot; i++) {
    simulate_pair(&v, values_linear, OBS_COUNT, i, &value, &error);
    if (isnan(value)) continue; /* an input that is drawn has no integral */
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->slot_name[i]));
    simulate_estimate(row, "mean", network_shown(net, i, value), network_shown_by(net, i, error));
    if (net->slot_var[i] >= 0) doc_string(row, "unit", "%s", network_text(net, net->var_text[net->slot_var[i]]));
  }
  rows = net->nobs ? doc_array(root, "observables") : NULL;
  for (int32_t o = 0; o < net->nobs; o++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "name", "%s", network_text(net, net->obs_name[o]));
    simulate_pair(&v, values_observable, 0, o, &value, &error);
    simulate_estimate(row, "value", value, error);
  }
  doc_node *const entropy = doc_object(root, "entropy");
  simulate_pair(&v, get_entropy, 0, 0, &value, &error);
  simulate_estimate(entropy, "production_kb_per_s", value, error);
  doc_string(entropy, "method",
             sample->flows
                 ? "what every event and every flow gives to the medium; errors by leaving out batches of replicas"
             : sample->input ? "ln(k_fwd/k_bwd) of every event at its time; errors by leaving out batches of replicas"
                             : "net events times ln(k_fwd/k_bwd), ends included; errors by leaving out batches of "
                               "replicas");
  rows = doc_array(root, "work");
  const int32_t sources = network_sources(net);
  double size = 0; /* of what is declared: below its rounding nothing is undeclared */
  for (int32_t i = 0; i < sources + sample->ledger.ninput; i++) size += i == sources - 1 ? 0 : fabs(values_work(&v, i));
  for (int32_t i = 0; i < sources + sample->ledger.ninput; i++) {
    simulate_pair(&v, get_work, 0, i, &value, &error);
    if (i == sources - 1 && fabs(value) <= WORK_ROUNDING * size) continue;
    if (i >= sources && sample->flows && value == 0) continue; /* it moves rates alone */
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "source", "%s", i < sources ? network_source_name(net, i) : sample->ledger.input[i - sources].name);
    simulate_estimate(row, "work_kt_per_s", value, error);
  }
}

/* A row a time of the grid: means and deviations over the replicas. */
static void simulate_course(const ness_network *net, const ssa_result *r, doc_node *root)
{
  doc_node *const rows = r->ngrid > 0 ? doc_array(root, "course") : NULL;
  for (int32_t k = 0; k < r->ngrid; k++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_number(row, net->temperature > 0 ? "t [s]" : "t", r->grid_time[k]);
    for (int32_t i = 0; i < net->nslot; i++) {
      double n = 0, sum = 0, sum2 = 0;
      text_buffer key = {0};
      for (int32_t b = 0; b < r->grid_batches; b++) {
        const size_t at = (size_t)b * (size_t)r->ngrid + (size_t)k;
        n += (double)r->grid_replicas[at];
        sum += r->grid_sum[at * (size_t)net->nslot + (size_t)i];
        sum2 += r->grid_sum2[at * (size_t)net->nslot + (size_t)i];
      }
      answer_slot_name(net, i, &key);
      if (!key.failed) doc_number(row, key.data, network_shown(net, i, sum / n));
      const double variance = n > 1 ? (sum2 - sum * sum / n) / (n - 1) : 0;
      text_clear(&key);
      if (n < 2) continue;
      text_add(&key, "sd ");
      answer_slot_name(net, i, &key);
      if (!key.failed) doc_number(row, key.data, network_shown_by(net, i, sqrt(variance > 0 ? variance : 0)));
      text_clear(&key);
    }
  }
}

static ness_status simulate_finish(const ness_network *net, const char *kind, const char *path, const sampled *r,
                                   ness_status status, ness_doc **out)
{
  *out = NULL;
  if (status != NESS_OK) return status;
  ness_doc *const doc = doc_create(kind);
  doc_node *const root = doc_root(doc);
  doc_string(root, "model", "%s", net->model_name);
  if (path) doc_string(root, "dump", "%s", path);
  simulate_answer(net, r, root);
  if (!path) simulate_course(net, &r->counts, root);
  answer_conventions(doc);
  status = doc_finish(doc);
  if (status != NESS_OK) ness_doc_free(doc);
  else *out = doc;
  return status;
}

ness_status ness_simulate(ness_model *self, const ness_simulate_options *options, ness_diags *diags, ness_doc **out)
{
  const ness_network *net = lang_network(self->compiled);
  sampled sample = {0};
  *out = NULL;
  char *const bundle = options->path ? lang_bundle(self->file) : NULL;
  ness_status status = options->path && !bundle
                           ? NESS_NOMEM
                           : sample_run(self->compiled, options, bundle ? bundle : "", self->settings, diags, &sample);
  if (sample.still) net = lang_network(sample.still);
  status = simulate_finish(net, "run", options->path, &sample, status, out);
  mem_free(bundle);
  sample_free(&sample);
  return status;
}

ness_status ness_resume(const char *path, const ness_simulate_options *options, ness_diags *diags, ness_doc **out)
{
  sampled result = {0};
  dump_reader *reader = NULL;
  *out = NULL;
  ness_status status = dump_open(path, diags, &reader);
  if (status != NESS_OK) return status;
  status = simulate_finish(dump_network(reader), "resume", path, &result,
                           ssa_resume(path, options, diags, &result.counts), out);
  sample_free(&result);
  dump_reader_free(reader);
  return status;
}
