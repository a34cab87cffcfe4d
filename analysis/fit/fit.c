/* ness_fit: counts and times of a record or a dump, the free fit, the one under constraints, the ratio of their
 * likelihoods, and the model file. Invariant: the file appears whole or not at all, and the table of the result is what
 * it holds. Cost: one reading (a record: its survey alone), and the solver. */
#include "analysis/fit/fit.h"

#include "engine/file/file.h"
#include <math.h>
#include <string.h>

#define FIT_LEVEL 0.95
#define FIT_FEW 10 /* events below which the chi-square law of the ratio is doubtful */

typedef struct fit {
  source from;
  double *count, *time;          /* (n) */
  double *energy, *energy_error; /* (nslot) */
  fit_graph graph;
  fit_problem free_problem, problem;
  fit_result free_fit, bound_fit;
  bool balanced; /* the constraints hold balance */
  text_buffer text;
} fit;

/* --- what was seen --- */

static ness_status take_record(fit *self)
{
  const record *const r = &self->from.measured;
  int32_t from, to;
  for (int64_t e = 0; e < r->edges; e++) {
    const uint64_t key = ((uint64_t)(uint32_t)r->edge[e].from << 32 | (uint32_t)r->edge[e].to) + 1;
    self->count[*loop_map_find(&r->edge_of, key)] = (double)r->edge[e].count;
  }
  for (int32_t d = 0; d < 2 * self->from.net->nstep; d++) {
    memory_ends(self->from.net, d, &from, &to);
    self->time[d] = r->at[from].dwell;
  }
  return NESS_OK;
}

static ness_status take_dump(fit *self, const char *path, const ness_analyze_options *options, ness_diags *diags)
{
  const ness_network *const net = self->from.net;
  const tally_plan *const plan = &self->from.plan;
  const ness_status status = source_read(&self->from, path, options, NULL, NULL, NULL, NULL, NULL, diags);
  if (status) return status;
  const stream_sums *const sums = &self->from.sums;
  for (int32_t b = 0; b < sums->batches; b++) {
    const double *const row = sums->batch + (int64_t)b * plan->width;
    for (int32_t s = 0; s < net->nstep; s++) {
      self->count[2 * s] += row[plan->fwd + s];
      self->count[2 * s + 1] += row[plan->bwd + s];
    }
    for (int32_t d = 0; d < 2 * net->nstep; d++) {
      int32_t from, to;
      memory_ends(net, d, &from, &to);
      self->time[d] += row[plan->dwell + from];
    }
  }
  return NESS_OK;
}

/* Every direction must take one molecule from one state to another at a constant rate. */
static ness_status fits(const fit *self, ness_diags *diags)
{
  const ness_network *const net = self->from.net;
  int32_t from, to;
  if (self->from.run->input) {
    diag_add(diags, NESS_ERROR, "rates of this run moved with %s, and only rates that stand still are fitted",
             self->from.run->input);
    diag_hint(diags, "`ness analyze` tells what flowed; fit a run in which %s stands or flips", self->from.run->input);
    return NESS_USAGE;
  }
  if (self->from.run->flows_beside) {
    diag_add(diags, NESS_ERROR,
             "something of this run flowed or answered back, and only rates that stand still are fitted");
    diag_hint(diags,
              "`ness analyze` tells what flowed; fit a run in which nothing is fluid and no voltage answers back");
    return NESS_USAGE;
  }
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    const int32_t first = net->react_start[d], n = net->react_start[d + 1] - first;
    const bool none = net->dir_law[d] == LAW_NONE;
    const bool one = net->dir_law[d] == LAW_MASS && n == 1 && net->react_mult[first] == 1 &&
                     net->guard_start[d] == net->guard_start[d + 1];
    if (memory_ends(net, d, &from, &to) && (none || one)) continue;
    diag_add(diags, NESS_ERROR, "%s does more than to take one molecule from a state to another at a constant rate",
             network_text(net, net->step_name[d / 2]));
    diag_hint(diags, "rates are fitted to the states of molecules that do not meet");
    return NESS_USAGE;
  }
  return NESS_OK;
}

/* --- constraints --- */

static ness_status constrain(fit *self, const ness_fit_options *options, ness_diags *diags)
{
  ness_status status = NESS_OK;
  self->balanced = options->balance || (options->nequal == 0 && options->nfix == 0);
  if (self->balanced) status = fit_graph_balance(&self->graph, self->from.net, &self->problem);
  for (int32_t i = 0; i < options->nequal && !status; i++)
    status = fit_equal(&self->problem, &self->from, &self->graph, options->equal[i], diags);
  for (int32_t i = 0; i < options->nfix && !status; i++)
    status = fit_fix(&self->problem, &self->from, &self->graph, options->fix[i], diags);
  return status;
}

static void one_way_warn(const fit *self, ness_diags *diags)
{
  const ness_network *const net = self->from.net;
  int32_t count = 0;
  const char *first = "";
  for (int32_t s = 0; s < net->nstep; s++) {
    const int32_t d = 2 * s;
    if ((self->count[d] > 0) == (self->count[d + 1] > 0)) continue;
    if (self->graph.part[self->graph.from[d]] == self->graph.part[self->graph.to[d]]) continue;
    if (count++ == 0) first = network_text(net, net->step_name[s]);
  }
  if (count == 0) return;
  diag_add(diags, NESS_WARNING,
           "%s%s seen one way only and lie%s on no cycle that was closed: the likeliest rate back is 0", first,
           count > 1 ? " and others were" : " was", count > 1 ? "" : "s");
  diag_hint(diags, "balance is not asked of them");
}

static void few_warn(const fit *self, ness_diags *diags)
{
  bool few = false;
  for (int32_t d = 0; d < self->problem.n; d++) few |= self->bound_fit.bound[d] && self->count[d] < FIT_FEW;
  if (few) diag_add(diags, NESS_WARNING, "some rates rest on fewer than %d events: the p-value is rough", FIT_FEW);
}

/* --- the doc --- */

static void rates_doc(const fit *self, doc_node *root, bool constrained)
{
  const ness_network *const net = self->from.net;
  doc_node *const list = doc_array(root, "rates");
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    const double k = self->free_fit.rate[d], bound = self->bound_fit.rate[d];
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "from", "%s", network_text(net, net->slot_name[self->graph.from[d]]));
    doc_string(row, "to", "%s", network_text(net, net->slot_name[self->graph.to[d]]));
    doc_string(row, "step", "%s%s", d % 2 ? "-" : "", network_text(net, net->step_name[d / 2]));
    doc_int(row, "events", (int64_t)self->count[d]);
    doc_number(row, "time", self->time[d]);
    number_or_null(row, "rate", k);
    number_or_null(row, "error", k * self->free_fit.error[d]);
    if (!constrained) continue;
    number_or_null(row, "constrained", bound);
    number_or_null(row, "constrained_error", bound * self->bound_fit.error[d]);
  }
}

static void energies_doc(const fit *self, doc_node *root)
{
  const ness_network *const net = self->from.net;
  doc_node *const list = doc_array(root, "energies");
  for (int32_t i = 0; i < net->nslot && self->balanced; i++) {
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "state", "%s", network_text(net, net->slot_name[i]));
    const bool apart = self->graph.tree[i] < 0 && i != self->graph.order[0]; /* nothing leads here and back */
    number_or_null(row, "energy", apart ? (double)NAN : self->energy[i]);
    number_or_null(row, "error", apart ? (double)NAN : self->energy_error[i]);
  }
}

static const char *constraint_text(const fit *self, const ness_fit_options *options)
{
  const bool words = options->nequal + options->nfix > 0;
  return self->balanced && words ? "detailed balance and the constraints given"
         : self->balanced        ? "detailed balance"
                                 : "the constraints given";
}

static void ratio_doc(const fit *self, const ness_fit_options *options, doc_node *root)
{
  const char *const what = constraint_text(self, options);
  const int32_t freedom = self->bound_fit.rank;
  const double ratio = fmax(0, 2 * (self->free_fit.likelihood - self->bound_fit.likelihood));
  const double p = freedom > 0 ? stat_f_tail(ratio / freedom, freedom, INFINITY, 0) : (double)NAN;
  char number[32];
  number_short(p, 2, number);
  const bool one = options->nequal + options->nfix == 0;
  if (freedom == 0)
    doc_string(root, "verdict", "every rate is free: %s ask%s nothing of these data", what, one ? "s" : "");
  else if (p < 1 - FIT_LEVEL) doc_string(root, "verdict", "%s do%s not fit (p = %s)", what, one ? "es" : "", number);
  else doc_string(root, "verdict", "%s fit%s as well as free rates (p = %s)", what, one ? "s" : "", number);
  doc_node *const row = doc_object(root, "likelihood_ratio");
  doc_string(row, "of", "free rates to %s", what);
  doc_number(row, "statistic", ratio);
  doc_int(row, "freedom", freedom);
  number_or_null(row, "p", p);
  doc_number(row, "log_likelihood_free", self->free_fit.likelihood);
  doc_number(row, "log_likelihood_constrained", self->bound_fit.likelihood);
  doc_string(row, "method", "Newton under linear equations of ln k; chi-square");
  doc_int(row, "iterations", self->bound_fit.iterations);
  doc_number(row, "gradient", self->bound_fit.gradient);
}

static ness_status fit_doc(const fit *self, const char *path, const ness_fit_options *options, ness_doc **out)
{
  ness_doc *const doc = doc_create("fit");
  if (!doc) return NESS_NOMEM;
  doc_node *const root = doc_root(doc);
  ratio_doc(self, options, root);
  if (self->from.is_record) record_doc(&self->from.measured, self->from.net, root);
  rates_doc(self, root, self->bound_fit.rank > 0);
  energies_doc(self, root);
  if (options->path) {
    doc_string(root, "model", "%s", options->path);
    doc_string(root, "model_holds", "%s",
               options->balance || options->nequal + options->nfix > 0 ? constraint_text(self, options) : "free rates");
  }
  doc_string(root, "note",
             "%s from %s: events over time spent; errors are standard errors from the curvature of the "
             "likelihood%s",
             "maximum likelihood", path,
             self->from.is_record && self->from.measured.sampled
                 ? "; of a sampled record these are transitions per time, less than the rates where steps are long"
                 : "");
  const ness_status status = doc_finish(doc);
  if (status) ness_doc_free(doc);
  else *out = doc;
  return status;
}

/* --- the whole --- */

static ness_status solve(fit *self, const ness_fit_options *options, ness_diags *diags)
{
  const ness_network *const net = self->from.net;
  const fit_problem bare = {.n = 2 * net->nstep, .count = self->count, .time = self->time};
  ness_status status = fit_graph_build(&self->graph, net, self->count);
  self->free_problem = self->problem = bare;
  if (!status) status = constrain(self, options, diags);
  if (!status) status = fit_solve(&self->free_problem, diags, &self->free_fit);
  if (!status) status = fit_solve(&self->problem, diags, &self->bound_fit);
  if (status || !self->balanced) return status;
  one_way_warn(self, diags);
  few_warn(self, diags);
  return fit_graph_energies(&self->graph, net, &self->problem, &self->bound_fit, self->energy, self->energy_error);
}

static ness_status write_model(fit *self, const char *path, const ness_fit_options *options, ness_diags *diags)
{
  const bool bound = options->balance || options->nequal + options->nfix > 0, energies = bound && self->balanced;
  whole_file file;
  if (!options->path) return NESS_OK;
  ness_status status = fit_model(&self->from, path, bound ? &self->problem : &self->free_problem,
                                 bound ? &self->bound_fit : &self->free_fit, energies ? self->energy : NULL,
                                 self->energy_error, &self->graph, &self->text);
  if (status) return status;
  status = file_begin(&file, options->path, options->force != 0, diags);
  if (!status) file_put(&file, self->text.data, self->text.length);
  if (!status) status = file_close(&file);
  if (!status) status = file_publish(&file);
  file_end(&file);
  return status;
}

static ness_fit_options options_of(const ness_fit_options *given)
{
  ness_fit_options out = {.struct_size = sizeof out};
  if (given && given->struct_size > 0)
    memcpy(&out, given, given->struct_size < sizeof out ? given->struct_size : sizeof out);
  return out;
}

ness_status ness_fit(const char *path, const ness_fit_options *given, ness_diags *diags, ness_doc **out)
{
  if (!path || !out) return NESS_USAGE;
  *out = NULL;
  const ness_fit_options options = options_of(given);
  const ness_analyze_options how = {.struct_size = sizeof how,
                                    .threads = options.threads,
                                    .progress = options.progress,
                                    .progress_context = options.progress_context,
                                    .columns = options.columns,
                                    .map = options.map,
                                    .step = options.step};
  fit self;
  memset(&self, 0, sizeof self);
  ness_status status = source_open(&self.from, path, &how, diags);
  if (!status) status = fits(&self, diags);
  if (!status) {
    const size_t dirs = 2 * (size_t)self.from.net->nstep + 1, slots = (size_t)self.from.net->nslot + 1;
    self.count = mem_zero(dirs, sizeof *self.count);
    self.time = mem_zero(dirs, sizeof *self.time);
    self.energy = mem_zero(slots, sizeof *self.energy);
    self.energy_error = mem_zero(slots, sizeof *self.energy_error);
    if (!self.count || !self.time || !self.energy || !self.energy_error) status = NESS_NOMEM;
  }
  if (!status) status = self.from.is_record ? take_record(&self) : take_dump(&self, path, &how, diags);
  if (!status) status = solve(&self, &options, diags);
  if (!status) status = write_model(&self, path, &options, diags);
  if (!status) status = fit_doc(&self, path, &options, out);
  fit_result_free(&self.free_fit);
  fit_result_free(&self.bound_fit);
  fit_problem_free(&self.problem);
  fit_graph_free(&self.graph);
  mem_free(self.count);
  mem_free(self.time);
  mem_free(self.energy);
  mem_free(self.energy_error);
  text_clear(&self.text);
  source_free(&self.from);
  return status;
}
