/* ness report: asks a model, a dump and the model in it, or a measured record, the questions whose answers make the
 * page, and hands them to analysis/report. Invariant: every answer is that of the public call of the same name, and an
 * answer that cannot be had leaves its reason; so the page says what the commands say. Cost: that of check, solve, a
 * scan of SCAN_POINTS steady states and, for a dump, two readings. */
#include "analysis/report/report.h"
#include "analysis/record/seen.h"
#include "analysis/report/write.h"
#include "engine/dump/dump.h"
#include "networks/experiment/curve.h"
#include "networks/experiment/driven.h"
#include "networks/import/import.h"
#include <math.h>
#include <ness/analyze.h>
#include <ness/report.h>
#include <stdio.h>
#include <string.h>

#define REPORT_STATES 5000
#define REPORT_CYCLES 20000

typedef struct report_job {
  ness_report_options options;
  const char *path;
  const char *const *settings; /* (nsettings) of the call, or of the run that wrote the dump */
  int32_t nsettings;
  ness_diags *diags; /* the caller's */
  ness_model *model; /* NULL: could not be had */
  dump_reader *reader;
  ness_network *seen; /* of a record */
  ness_doc *check, *solve, *scan, *analyze;
  windows windows;
  arena texts; /* reasons, commands, settings */
  report_sources page;
} report_job;

/* --- reasons --- */

/* The first thing that a list of diagnostics says, without the place: "file:3:1: " is no help on a page. */
static const char *reason_of(report_job *self, const ness_diags *diags, ness_status status)
{
  const ness_diag *const first = ness_diags_get(diags, 0);
  const char *const text = first ? first->message : ness_status_text(status);
  return arena_format(&self->texts, "%s", text);
}

typedef ness_status (*question_asked)(report_job *self, ness_diags *diags, ness_doc **out);

/* Asks; *reason is set where no document comes back. Only what ends the whole call is returned. */
static ness_status ask(report_job *self, question_asked asked, ness_doc **out, const char **reason)
{
  ness_diags *const quiet = ness_diags_create();
  if (!quiet) return NESS_NOMEM;
  const ness_status status = asked(self, quiet, out);
  if (!*out) *reason = reason_of(self, quiet, status);
  ness_diags_free(quiet);
  return status == NESS_NOMEM || status == NESS_STOPPED || status == NESS_INTERRUPTED ? status : NESS_OK;
}

static int64_t most_states(const report_job *self)
{
  return self->options.max_states > 0 ? self->options.max_states : REPORT_STATES;
}

static ness_status ask_check(report_job *self, ness_diags *diags, ness_doc **out)
{
  const ness_check_options options = {.struct_size = sizeof options, .max_states = most_states(self)};
  return ness_check(self->model, &options, diags, out);
}

/* What answers back holds too many states: its rate equations at rest stand for the steady state. */
static ness_status ask_solve(report_job *self, ness_diags *diags, ness_doc **out)
{
  const ness_solve_options rest = {.struct_size = sizeof rest, .what = "ode"};
  if (self->page.net->nvar > 0) return ness_solve(self->model, &rest, diags, out);
  const ness_solve_options options = {
      .struct_size = sizeof options, .max_states = most_states(self), .max_cycles = REPORT_CYCLES};
  return ness_solve(self->model, &options, diags, out);
}

static ness_status ask_scan(report_job *self, ness_diags *diags, ness_doc **out)
{
  curve_job job = {.model = self->model,
                   .net = self->page.net,
                   .solve = self->solve,
                   .max_states = most_states(self),
                   .model_path = self->page.model_path,
                   .settings = self->settings,
                   .nsettings = self->nsettings,
                   .texts = &self->texts};
  if (!self->solve && !self->model->imported) {
    diag_add(diags, NESS_ERROR, "%s", self->page.no_solve ? self->page.no_solve : "the steady state is not known");
    return NESS_LIMIT;
  }
  const ness_status status = curve_draw(&job, diags, out);
  self->page.scan_of = job.words;
  self->page.scan_cmd = job.command;
  return status;
}

/* --- the three kinds of source --- */

/* What moves in the model and stands in its check. */
static const char *standing_input(const report_job *self)
{
  const lang_process *const input = self->model->imported ? NULL : driven_input(self->model->compiled, false);
  return input ? input->name : NULL;
}

static ness_status open_model(report_job *self, const char *const *settings, int32_t nsettings)
{
  self->settings = settings;
  self->nsettings = nsettings;
  const ness_status status = ness_model_load(self->path, NULL, settings, nsettings, self->diags, &self->model);
  if (status) return status;
  char *const text = self->model->imported ? NULL : lang_bundle(self->model->file);
  self->page.net = lang_network(self->model->compiled);
  self->page.settings = self->model->settings;
  self->page.model_path = self->path;
  self->page.standing = standing_input(self);
  self->page.no_windows = "a model alone has no trajectories; ness run writes a dump of them, and ness report draws it";
  if (!text) return self->model->imported ? NESS_OK : NESS_NOMEM;
  self->page.model_text = arena_text(&self->texts, text, strlen(text));
  self->page.hash = arena_format(&self->texts, "%016llx", (unsigned long long)dump_text_hash(text));
  mem_free(text);
  return self->texts.failed ? NESS_NOMEM : NESS_OK;
}

/* The model that a dump carries; without one the page does with the network. */
static ness_status model_of_dump(report_job *self, const dump_run *run)
{
  ness_diags *const quiet = ness_diags_create();
  const char **settings = NULL;
  if (!quiet) return NESS_NOMEM;
  ness_status status = NESS_OK;
  if (*run->model_text) {
    self->nsettings = settings_split(run->overrides, &self->texts, &settings);
    self->settings = settings;
    status = ness_model_load("model.ness", run->model_text, settings, self->nsettings, quiet, &self->model);
    if (status) self->page.no_check = reason_of(self, quiet, status);
    else self->page.standing = standing_input(self);
  } else {
    self->page.no_check = "the dump does not hold the text of its model";
  }
  ness_diags_free(quiet);
  return status == NESS_NOMEM ? status : NESS_OK;
}

static ness_analyze_options analyze_options(const report_job *self)
{
  return (ness_analyze_options){.struct_size = sizeof(ness_analyze_options),
                                .level = self->options.level,
                                .max_states = self->options.max_states,
                                .threads = self->options.threads,
                                .progress = self->options.progress,
                                .progress_context = self->options.progress_context,
                                .columns = self->options.columns,
                                .map = self->options.map,
                                .step = self->options.step};
}

/* A record has no model: the network is that of the states seen. */
static ness_status open_record(report_job *self)
{
  const ness_analyze_options options = analyze_options(self);
  report_sources *const page = &self->page;
  ness_status status = ness_analyze(self->path, &options, self->diags, &self->analyze);
  if (!status) status = record_seen(self->path, &options, &self->seen);
  if (status) return status;
  page->net = self->seen;
  page->settings = "";
  page->no_check = "a measured record has no model; ness fit makes one of it";
  page->no_windows = "a measured record does not tell the energies of its steps";
  return NESS_OK;
}

static ness_status open_dump(report_job *self)
{
  static const char *const levels[] = {"summary", "flux", "grid", "events"};
  const ness_analyze_options options = analyze_options(self);
  ness_status status = ness_analyze(self->path, &options, self->diags, &self->analyze);
  if (!status) status = dump_open(self->path, self->diags, &self->reader);
  if (status) return status;
  const dump_run *const run = dump_run_of(self->reader);
  report_sources *const page = &self->page;
  page->net = dump_network(self->reader);
  page->settings = run->overrides;
  page->run_command = run->command;
  page->run_version = run->version;
  page->machine = run->machine;
  page->model_text = run->model_text;
  page->model_path = "MODEL";
  page->level = run->level >= 0 && run->level <= DUMP_EVENTS ? levels[run->level] : NULL;
  page->seed = arena_format(&self->texts, "%llu", (unsigned long long)run->seed);
  page->hash = arena_format(&self->texts, "%016llx", (unsigned long long)dump_text_hash(run->model_text));
  if (self->texts.failed) return NESS_NOMEM;
  return model_of_dump(self, run);
}

static ness_status read_windows(report_job *self)
{
  if (dump_has_ledger(dump_run_of(self->reader))) {
    self->page.no_windows =
        dump_run_of(self->reader)->input
            ? "a run under an input that moves keeps its entropy for long stretches, not for windows"
            : "a run where something flows keeps its entropy for long stretches, not for windows";
    return NESS_OK;
  }
  cme_solution exact = {0};
  ness_diags *const quiet = ness_diags_create();
  if (!quiet) return NESS_NOMEM;
  const cme_options limits = {.max_states = most_states(self)};
  ness_status status = cme_steady(self->page.net, &limits, quiet, &exact);
  if (status != NESS_NOMEM && status != NESS_STOPPED)
    status = windows_read(self->path, status ? NULL : &exact, &self->windows);
  if (!status) self->page.windows = &self->windows;
  cme_solution_free(&exact);
  ness_diags_free(quiet);
  return status;
}

/* --- the whole --- */

static ness_status ask_everything(report_job *self)
{
  report_sources *const page = &self->page;
  ness_status status = NESS_OK;
  if (self->model) {
    status = ask(self, ask_check, &self->check, &page->no_check);
    if (!status) status = ask(self, ask_solve, &self->solve, &page->no_solve);
    if (!status) status = ask(self, ask_scan, &self->scan, &page->no_scan);
  } else {
    page->no_solve = page->no_scan = page->no_check;
  }
  if (!status && self->reader) status = read_windows(self);
  page->check = self->check;
  page->solve = self->solve;
  page->scan = self->scan;
  page->analyze = self->analyze;
  return status;
}

static ness_status report_doc(const report_job *self, const report_summary *summary, size_t bytes, ness_doc **out)
{
  const char *const data = self->analyze ? ness_doc_string(self->analyze, "verdict") : NULL;
  const char *const verdict = data ? data : self->check ? ness_doc_string(self->check, "verdict") : NULL;
  ness_doc *const doc = doc_create("report");
  doc_node *const root = doc_root(doc);
  if (verdict) doc_string(root, "verdict", "%s", verdict);
  doc_string(root, "model", "%s", self->page.net->model_name ? self->page.net->model_name : "");
  doc_string(root, "written", "%s", self->options.output);
  doc_int(root, "bytes", (int64_t)bytes);
  doc_int(root, "figures", summary->figures);
  doc_string(root, "layout", "%s", summary->layout ? summary->layout : "none");
  const ness_status status = doc_finish(doc);
  if (status) ness_doc_free(doc);
  else *out = doc;
  return status;
}

static ness_status write_page(report_job *self, ness_doc **out)
{
  text_buffer page = {0};
  report_summary summary;
  self->page.path = self->path;
  self->page.dot = !self->options.own_layout;
  self->page.command = self->options.command ? self->options.command : "ness report";
  ness_status status = report_write(&self->page, &page, &summary);
  if (!status) status = write_whole(self->options.output, page.data, page.length, self->diags);
  if (!status) status = report_doc(self, &summary, page.length, out);
  text_clear(&page);
  return status;
}

ness_status ness_report(const char *path, const char *const *settings, int32_t nsettings,
                        const ness_report_options *given, ness_diags *diags, ness_doc **out)
{
  if (!path || !given || !given->output || !out) return NESS_USAGE;
  *out = NULL;
  report_job self = {.path = path, .diags = diags};
  memcpy(&self.options, given, given->struct_size < sizeof self.options ? given->struct_size : sizeof self.options);
  const bool dump = record_is_dump(path), measured = self.options.record != 0;
  if ((dump || measured) && nsettings > 0) {
    diag_add(diags, NESS_ERROR, "%s is no model, so '%s' means nothing", path, settings[0]);
    return NESS_USAGE;
  }
  ness_status status = write_allowed(self.options.output, self.options.force != 0, diags);
  if (!status)
    status = dump ? open_dump(&self) : measured ? open_record(&self) : open_model(&self, settings, nsettings);
  if (!status) status = ask_everything(&self);
  if (!status) status = write_page(&self, out);
  windows_free(&self.windows);
  ness_doc_free(self.analyze);
  ness_doc_free(self.scan);
  ness_doc_free(self.solve);
  ness_doc_free(self.check);
  dump_reader_free(self.reader);
  network_free(self.seen);
  ness_model_free(self.model);
  arena_free(&self.texts);
  return status;
}
