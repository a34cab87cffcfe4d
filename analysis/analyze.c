/* analysis_run, which ness_analyze is: opens a dump or a measured record, streams it, solves what can be solved exactly
 * beside it, and writes the chapters. Invariant: every number of the result that is an estimate stands next to its
 * error, and next to its exact value where there is one. The exact solution comes first: what a window of time tells of
 * entropy needs it, and so the file is read once. Cost: the stream, plus the exact solution, which `no_exact` leaves
 * out. */
#include "analysis/source.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define ANALYZE_LEVEL 0.95
#define ANALYZE_CYCLES 50
#define ANALYZE_STATES 5000
#define ANALYZE_PERIODS 1000 /* from so many on the part of one weighs nothing beside noise */

typedef struct whole { /* everything that has to be freed */
  source from;
  memory_counts *past;
  memory_result past_result;
  waits *waited;
  counting *counted;
  windows entropy;
  windows_pass *pass;
  trace *kept;
  samples *sampled;
  loops *loop;
  cme_solution solution;
  moved_exact beside; /* where an input moves */
  phases *phased;
  const char *unphased;
  held_laws held;
  steady_law *held_law, *given_law;
  cme_cycles solution_cycles;
  basis cycles;
  balance test;
  ness_diags *quiet;    /* of the exact solution */
  const char *unsolved; /* NULL: there is one; else why not */
  const char *unheld;   /* why its entropy production is not split; "": nobody asks; NULL: it is */
  analysis all;
} whole;

static ness_analyze_options options_of(const ness_analyze_options *given)
{
  ness_analyze_options out = {.struct_size = sizeof out};
  if (given && given->struct_size > 0) {
    const size_t n = given->struct_size < sizeof out ? given->struct_size : sizeof out;
    memcpy(&out, given, n);
  }
  if (out.level == 0) out.level = ANALYZE_LEVEL;
  if (out.max_cycles <= 0) out.max_cycles = ANALYZE_CYCLES;
  return out;
}

/* --- the exact solution --- */

static ness_status solve(whole *self, const ness_analyze_options *options)
{
  self->unsolved = "not asked for";
  if (self->from.is_record) self->unsolved = "no model";
  if (options->no_exact || self->from.is_record) return NESS_OK;
  self->quiet = ness_diags_create();
  if (!self->quiet) return NESS_NOMEM;
  const cme_options limits = {.max_states = options->max_states > 0 ? options->max_states : ANALYZE_STATES};
  const ness_status status = cme_steady(self->from.net, &limits, self->quiet, &self->solution);
  if (status == NESS_NOMEM || status == NESS_STOPPED) return status;
  const ness_diag *const first = ness_diags_get(self->quiet, 0);
  self->unsolved = !status ? NULL : first ? first->message : ness_status_text(status);
  return NESS_OK;
}

static const char *first_error(const ness_diags *diags)
{
  const int32_t count = ness_diags_count(diags, NULL);
  for (int32_t i = 0; i < count; i++)
    if (ness_diags_get(diags, i)->severity == NESS_ERROR) return ness_diags_get(diags, i)->message;
  return NULL;
}

/* Under an input that moves: means over its period, of who knows the model. */
static ness_status solve_moved(whole *self, const ness_analyze_options *options, moved_ask ask)
{
  const dump_run *const run = self->from.run;
  const double periods = run->input_period > 0 ? (run->time - run->warmup) / run->input_period : 0;
  self->quiet = ness_diags_create();
  if (!self->quiet) return NESS_NOMEM;
  const int64_t most = options->max_states > 0 ? options->max_states : ANALYZE_STATES;
  const ness_status status = ask(run, self->from.net, most, !options->no_exact, self->quiet, &self->beside);
  const char *const error = first_error(self->quiet);
  self->unheld = "";
  self->unsolved = NULL;
  if (options->no_exact) self->unsolved = "not asked for";
  else if (!self->beside.solved && error) self->unsolved = error;
  else if (moved_drawn(run) && !self->beside.solved)
    self->unsolved = "the input is drawn, and its path is not in the dump";
  else if (!self->beside.solved) self->unsolved = "the input does not come back";
  else if (run->input_period > 0 && periods < ANALYZE_PERIODS &&
           fabs(periods - floor(periods + 0.5)) > 1e-6 * (1 + periods))
    self->unsolved = "the counted time is no whole number of periods, and its means are not those over a period";
  return status == NESS_NOMEM || status == NESS_STOPPED ? status : NESS_OK;
}

/* Where something flows nothing is solved: its rates are none of counts alone. */
static ness_status solve_flows(whole *self)
{
  self->unsolved = "something flows or answers back; `ness solve MODEL ode` and `lna` have its means and noise at rest";
  self->unheld = "";
  return NESS_OK;
}

/* The laws at held inputs, of runs whose inputs flip or that count from their start. */
static ness_status solve_held(whole *self)
{
  const ness_network *const net = self->from.net;
  const bool flips = net->nflip > 0;
  self->unheld = "";
  if (self->from.is_record || (!flips && self->from.run->warmup > 0)) return NESS_OK;
  if (self->unsolved && !flips) return NESS_OK;
  self->unheld = self->unsolved;
  if (!self->unheld && flips && self->from.run->level != DUMP_EVENTS)
    self->unheld = "only a dump of level events tells where the inputs stood when something happened";
  ness_status status = self->unheld ? NESS_OK : held_find(net, &self->solution, &self->held);
  if (status || self->unheld) return status;
  self->unheld = self->held.why;
  if (!self->unheld) status = law_create(net, &self->solution, self->held.law, &self->held_law);
  if (!status && !self->unheld && !self->held_law) self->unheld = "it has too many states, or ends in several places";
  if (!status && !self->unheld && self->from.run->warmup > 0)
    status = law_create(net, &self->solution, self->held.given, &self->given_law);
  self->from.plan.held = self->held_law;
  return status;
}

/* The cycles of the solution, where the trajectory has some. */
static ness_status solve_cycles(whole *self)
{
  if (self->all.moved || self->unsolved || !self->loop || loops_cycles(self->loop) == 0) return NESS_OK;
  const ness_status status =
      cme_cycles_find(self->all.net, &self->solution, 10000, self->quiet, &self->solution_cycles);
  if (status == NESS_NOMEM) return status;
  if (!status) self->all.exact_cycles = &self->solution_cycles;
  return status ? NESS_OK : loops_exact(self->loop, &self->solution, &self->solution_cycles);
}

/* --- the doc --- */

static void run_doc(const whole *self, doc_node *root)
{
  static const char *const levels[] = {"summary", "flux", "grid", "events"};
  const dump_run *run = self->all.run;
  const stream_sums *sums = &self->from.sums;
  if (self->from.is_record) record_doc(&self->from.measured, self->all.net, root);
  doc_node *const row = doc_object(root, "run");
  if (!self->from.is_record) {
    doc_string(row, "model", "%s", self->all.net->model_name ? self->all.net->model_name : "");
    doc_string(row, "level", "%s", run->level >= 0 && run->level <= DUMP_EVENTS ? levels[run->level] : "unknown");
  }
  doc_int(row, "replicas", run->replicas);
  if (!self->from.is_record) doc_int(row, "replicas_ended", sums->replicas);
  if (sums->absorbed > 0) doc_int(row, "replicas_absorbed", sums->absorbed);
  doc_int(row, "events", (int64_t)analysis_total(&self->all, TALLY_EVENTS));
  doc_number(row, "time", self->all.time);
  if (!self->from.is_record) {
    doc_number(row, "warmup", run->warmup);
    doc_string(row, "seed", "%llu", (unsigned long long)run->seed);
    if (run->epsilon > 0)
      doc_string(row, "approximate", "method %s, epsilon %g: the run is off by about that", run->method, run->epsilon);
  }
  doc_string(row, "batches", "%d %s", sums->batches, self->from.plan.by_time ? "time batches" : "replica batches");
  if (self->all.unerring) doc_string(row, "errors", "none: the method mean draws nothing");
  doc_number(row, "confidence", self->all.level);
  doc_bool(row, "complete", sums->complete && sums->damage == 0 && sums->unread == 0);
  if (sums->damage > 0) doc_int(row, "bytes_damaged", sums->damage);
  const char *const means = self->all.moved ? "the periodic steady state of the master equation, means over a period"
                                            : "the steady state of the master equation";
  if (!self->unsolved && self->beside.levels > 0)
    doc_string(row, "exact", "the steady state on %d levels of %s, off by about the square of their distance",
               (int)self->beside.levels, run->input);
  else doc_string(row, "exact", "%s", self->unsolved ? self->unsolved : means);
}

static void conventions_doc(doc_node *root)
{
  doc_node *const row = doc_object(root, "conventions");
  doc_string(row, "error", "one standard error; low and high: interval at the confidence of the run");
  doc_string(row, "z", "(estimate - exact) / error");
  doc_string(row, "rate", "forward - backward of a step as the file writes it, 1/s");
  doc_string(row, "cycle", "its sign is that of its listed steps, the lowest first; affinity in kT");
  doc_string(row, "entropy", "production in k_B/s");
  doc_string(row, "reservoir", "net number given to it per s");
  doc_string(row, "current", "charge that leaves the compartment, e/s: outward positive; voltage inside minus outside");
}

static ness_status write_doc(whole *self, ness_doc **out)
{
  ness_doc *const doc = doc_create("analyze");
  if (!doc) return NESS_NOMEM;
  doc_node *const root = doc_root(doc);
  balance_doc(&self->test, &self->all, &self->cycles, doc);
  const bool moved = self->all.moved, prescribed = moved && !moved_drawn(self->all.run), flows = self->all.flows;
  const bool still = !moved && !flows, unsteady = flows && flowed_unsteady(&self->test);
  run_doc(self, root);
  moved_doc(&self->all, root);
  if (flows) flowed_doc(&self->test, &self->all, root);
  markov_doc(&self->all, root);
  ness_status status = unsteady ? NESS_OK : cycles_doc(&self->all, &self->cycles, &self->test, root);
  if (!status && still) status = bayes_doc(&self->all, &self->cycles, root);
  fluxes_doc(&self->all, root);
  if (moved) phases_doc(&self->all, root);
  waits_doc(&self->all, root);
  if (prescribed || flows) moved_noise(&self->all, root);
  else if (!status) status = noise_doc(&self->all, root);
  if (!status && !unsteady) status = spectra_doc(&self->all, root);
  if (!status) status = entropy_doc(&self->all, &self->cycles, &self->test, root);
  if (!status && still) status = hidden_doc(&self->all, root);
  if (!status && still) status = transduction_doc(&self->all, &self->cycles, root);
  if (moved) moved_left_out(&self->all, root);
  if (flows) flowed_left_out(&self->test, &self->all, root);
  conventions_doc(root);
  const ness_status finished = doc_finish(doc);
  status = status ? status : finished;
  if (status) ness_doc_free(doc);
  else *out = doc;
  return status;
}

/* --- the whole --- */

static ness_status analyze_stream(whole *self, const char *path, const ness_analyze_options *options, moved_ask ask,
                                  ness_diags *diags)
{
  source *const from = &self->from;
  ness_status status = source_open(from, path, options, diags);
  if (status) return status;
  const ness_network *const net = from->net;
  const dump_run *const run = from->run;
  const char *unwatched = NULL;
  const bool moved = run->input, course = moved && !moved_drawn(run); /* course: nothing is stationary */
  const bool flows = run->flows_beside, noisy = !flowed_unerring(run);
  if (run->level == DUMP_EVENTS) {
    if (!(self->loop = loops_create(net, from->plan.batches))) return NESS_NOMEM;
    const double step = from->measured.sampled ? from->measured.step : from->measured.tick;
    if (!moved) status = memory_create(net, run->replicas, step, &self->past);
    if (!status && !course) status = trace_create(net, run, &self->kept);
    from->plan.kept = self->kept;
  }
  if (run->level == DUMP_GRID && !from->is_record && !course && noisy)
    status = samples_create(net, run, &self->sampled);
  from->plan.sampled = self->sampled;
  if (!status && !course && !flows) status = counting_create(&from->plan, &self->counted, &unwatched);
  if (!status && self->past) status = waits_create(net, run->replicas, &self->waited);
  if (!status && moved) status = phases_create(&from->plan, &self->phased, &self->unphased);
  from->plan.phased = self->phased;
  if (!status) status = moved ? solve_moved(self, options, ask) : flows ? solve_flows(self) : solve(self, options);
  if (!status && !moved && !flows) status = solve_held(self);
  if (!status && run->level == DUMP_FLUX && !moved)
    status = windows_begin(&from->plan, self->unsolved ? NULL : &self->solution, &self->entropy, &self->pass);
  if (!status)
    status = source_read(from, path, options, self->loop, self->past, self->waited, self->counted, self->pass, diags);
  windows_end(self->pass);
  if (!status && self->waited) status = waits_finish(self->waited);
  if (!status && self->past) status = memory_finish(self->past, &self->past_result);
  if (status) return status;
  const analysis view = {.path = path,
                         .net = net,
                         .run = run,
                         .plan = &self->from.plan,
                         .sums = &self->from.sums,
                         .loop = self->loop,
                         .measured = from->is_record ? &from->measured : NULL,
                         .memory = self->past ? &self->past_result : NULL,
                         .waited = self->waited,
                         .counted = self->counted,
                         .uncounted = unwatched,
                         .exact = self->unsolved ? NULL
                                  : moved        ? &self->beside.mean
                                                 : &self->solution,
                         .moved = moved ? &self->beside : NULL,
                         .flows = flows,
                         .unerring = !noisy,
                         .phased = self->phased,
                         .unphased = self->unphased,
                         .entropy = run->level == DUMP_FLUX && !moved ? &self->entropy : NULL,
                         .held = &self->held,
                         .given = self->given_law,
                         .unheld = self->unheld,
                         .visible = options->visible,
                         .threads = options->threads > 0 ? options->threads : omp_get_max_threads(),
                         .diags = diags,
                         .level = options->level,
                         .max_cycles = options->max_cycles};
  self->all = view;
  self->all.time = analysis_total(&self->all, TALLY_TIME);
  const double dof = analysis_dof(&self->all), end = 0.5 + 0.5 * options->level;
  self->all.student = dof > 0 ? stat_student_quantile(end, dof) : (double)NAN;
  self->all.normal = stat_normal_quantile(end);
  if (self->from.sums.damage > 0)
    diag_add(diags, NESS_WARNING, "%s: %lld bytes are damaged and were skipped; the analysis is of the rest", path,
             (long long)self->from.sums.damage);
  if (!(self->all.time > 0) || self->from.sums.batches == 0) {
    diag_add(diags, NESS_ERROR, "%s holds no trajectory that could be read", path);
    return NESS_FORMAT;
  }
  self->all.scratch = mem_zero(4 * (size_t)self->from.sums.batches + 4, sizeof(double));
  if (!self->all.scratch) return NESS_NOMEM;
  return self->loop ? loops_finish(self->loop) : NESS_OK;
}

ness_status analysis_run(const char *path, const ness_analyze_options *given, moved_ask ask, ness_diags *diags,
                         ness_doc **out)
{
  if (!path || !out) return NESS_USAGE;
  *out = NULL;
  const ness_analyze_options options = options_of(given);
  if (!(options.level > 0 && options.level < 1)) {
    diag_add(diags, NESS_ERROR, "the confidence of intervals must lie between 0 and 1");
    return NESS_USAGE;
  }
  whole self;
  memset(&self, 0, sizeof self);
  ness_status status = analyze_stream(&self, path, &options, ask, diags);
  if (!status) status = solve_cycles(&self);
  if (!status) status = basis_init(&self.cycles, &self.all);
  if (!status) status = balance_test(&self.test, &self.all, &self.cycles);
  if (!status) markov_warn(&self.all);
  if (!status) status = write_doc(&self, out);
  balance_free(&self.test);
  basis_free(&self.cycles);
  cme_cycles_free(&self.solution_cycles);
  law_free(self.given_law);
  law_free(self.held_law);
  held_free(&self.held);
  cme_solution_free(&self.solution);
  moved_exact_free(&self.beside);
  phases_free(self.phased);
  loops_free(self.loop);
  memory_free(self.past);
  waits_free(self.waited);
  counting_free(self.counted);
  windows_free(&self.entropy);
  trace_free(self.kept);
  samples_free(self.sampled);
  mem_free(self.all.scratch);
  source_free(&self.from);
  ness_diags_free(self.quiet);
  return status;
}
