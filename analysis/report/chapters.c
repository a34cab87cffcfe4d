/* The chapters that are words and plain tables: verdict, balance sheet, what else the documents hold, how to reproduce.
 * Invariant: numbers are the documents', printed to the same digits; sums are made here of those alone. Cost: O(rows).
 */
#include "analysis/report/report.h"

#include <math.h>
#include <string.h>

/* --- verdict --- */

static void put_fact(text_buffer *out, const char *what, double value, double error, const char *unit)
{
  if (isnan(value)) return; /* not known */
  text_add(out, "<div><dt>%s</dt><dd>", what);
  if (value == floor(value) && fabs(value) < 1e15) text_add(out, "%.0f", value); /* counts in full */
  else html_number(out, value, 6);
  if (*unit) text_add(out, " %s", unit);
  if (error > 0) {
    text_add(out, "<small>&#177; ");
    html_number(out, error, 3);
    text_add(out, ", one standard error</small>");
  }
  text_add(out, "</dd></div>\n");
}

static void put_facts(text_buffer *out, const report_sources *in)
{
  text_add(out, "<dl class=\"facts\">\n");
  if (in->analyze) {
    const doc_node *const produced = doc_at(in->analyze, "entropy.produced"); /* where something flows */
    const doc_node *const entropy = produced ? produced : doc_at(in->analyze, "entropy.thermodynamic");
    put_fact(out, "entropy production, estimated", node_number(entropy, "estimate"), node_number(entropy, "error"),
             "k<sub>B</sub>/s");
    put_fact(out, "the same, exact", node_number(entropy, "exact"), 0, "k<sub>B</sub>/s");
    put_fact(out, "events", ness_doc_number(in->analyze, "run.events"), 0, "");
    put_fact(out, "replicas", ness_doc_number(in->analyze, "run.replicas"), 0, "");
  } else if (in->solve) {
    put_fact(out, report_rates(in) ? "entropy production, rate equations" : "entropy production, exact",
             ness_doc_number(in->solve, "entropy.production_kb_per_s"), 0, "k<sub>B</sub>/s");
    put_fact(out, "states of the master equation", ness_doc_number(in->solve, "method.states"), 0, "");
  }
  if (!in->analyze && in->check)
    put_fact(out, "independent cycles", ness_doc_number(in->check, "independent_cycles"), 0, "");
  if (!in->analyze && in->solve)
    put_fact(out, "relative error, proven below", ness_doc_number(in->solve, "method.relative_error_below"), 0, "");
  text_add(out, "</dl>\n");
}

void put_standing(text_buffer *out, const report_sources *in, const char *with)
{
  if (!in->standing) return;
  text_add(out, "%s", with);
  html_text(out, in->standing);
  text_add(out, " standing at its value in the file");
}

void chapter_verdict(report_page *self)
{
  const report_sources *const in = self->in;
  const char *const model = in->check ? ness_doc_string(in->check, "verdict") : NULL;
  const char *const data = in->analyze ? ness_doc_string(in->analyze, "verdict") : NULL;
  const char *const verdict = data ? data : model;
  text_buffer *const out = &self->body;
  text_add(out, "<p class=\"verdict\" id=\"verdict\">");
  html_text(out, verdict ? verdict : "There is no verdict");
  text_add(out, "</p>\n");
  if (data && model) {
    text_add(out, "<p class=\"second\">What the model itself says");
    put_standing(out, in, ", with ");
    text_add(out, ": ");
    html_text(out, model);
    text_add(out, "</p>\n");
  } else if (model && in->standing) {
    text_add(out, "<p class=\"second\">This is the model ");
    put_standing(out, in, "with ");
    text_add(out, ".</p>\n");
  } else if (!model && in->no_check) {
    text_add(out, "<p class=\"second\">The model could not be asked: ");
    html_text(out, in->no_check);
    text_add(out, "</p>\n");
  }
  put_facts(out, in);
}

void chapter_network(report_page *self)
{
  page_section(self, "network", "The network");
  ness_status status;
  self->layout = network_figure(&self->body, self->in, ++self->figures, &status);
  if (status) self->status = status;
}

/* --- balance sheet --- */

static void put_line(text_buffer *out, const char *class, const char *name, const char *kind, double value, double most)
{
  text_add(out, "<tr%s>", class);
  html_cell_name(out, name);
  html_cell_text(out, kind);
  if (most > 0) html_cell_bar(out, value, fabs(value) / most);
  else html_cell_number(out, value);
  text_add(out, "</tr>\n");
}

static void put_sheet(text_buffer *out, const char *caption, const doc_node *sources, const char *value, double entropy,
                      double internal, double closure)
{
  const char *const heads[] = {"source", "<kind", "work kT/s"};
  double most = 0, sum = 0;
  for (const doc_node *row = sources->first; row; row = row->next) most = fmax(most, fabs(node_number(row, value)));
  html_table_begin(out, caption, heads, 3);
  for (const doc_node *row = sources->first; row; row = row->next) {
    const char *const kind = node_string(row, "kind");
    put_line(out, "", node_string(row, "source"), kind ? kind : "", node_number(row, value), most);
    sum += node_number(row, value);
  }
  put_line(out, " class=\"sum\"", "sum of the work", "", sum, 0);
  put_line(out, "", "less the change of internal free energy", "", internal, 0);
  put_line(out, " class=\"sum\"", "entropy production", "given to the medium", entropy, 0);
  put_line(out, "", "residual of the closure", "", closure, 0);
  html_table_end(out);
}

/* Where something flows: the sheet with errors, and who pays, of works and of what is stored. */
static void put_payers(text_buffer *out, const ness_doc *doc)
{
  static const char *const columns[] = {"part", "payer", "estimate", "error", "low", "high", NULL};
  const doc_node *const sheet = doc_at(doc, "entropy.sheet"), *const payers = doc_at(doc, "entropy.paid_by");
  if (sheet) html_table(out, sheet, "The same with errors, and what mixing adds", columns, 0);
  if (payers && payers->first)
    html_table(out, payers, "Who pays for what is produced: works, and what is stored, added up by species, kT/s",
               columns, 0);
}

void chapter_sheet(report_page *self)
{
  const report_sources *const in = self->in;
  text_buffer *const out = &self->body;
  const doc_node *const sampled = in->analyze ? doc_at(in->analyze, "entropy.thermodynamic") : NULL;
  const doc_node *const list = node_get(sampled, "sources"), *const work = in->solve ? doc_at(in->solve, "work") : NULL;
  page_section(self, "work", "Work and heat");
  text_add(out, "<p>What each reservoir and field puts in, and where it goes. The parts must add up: work less the "
                "change of internal free "
                "energy is what is dissipated.</p>\n");
  if (list && list->first)
    put_sheet(out, "From the dump", list, "estimate", node_number(sampled, "estimate"),
              node_number(sampled, "free_energy_change"), node_number(sampled, "closure"));
  if (in->analyze) put_payers(out, in->analyze);
  if (work && work->first)
    put_sheet(out, report_rates(in) ? "By the rate equations, at rest" : "Exactly, in the steady state", work,
              "work_kt_per_s", ness_doc_number(in->solve, "entropy.production_kb_per_s"),
              ness_doc_number(in->solve, "entropy.change_of_internal_free_energy"),
              ness_doc_number(in->solve, "entropy.closure_error"));
  const char *const method = node_string(sampled, "method");
  if (sampled && !(list && list->first)) {
    text_add(out, "<p>The dump gives no balance: ");
    html_text(out, method ? method : "no work was done");
    text_add(out, ".</p>\n");
  } else if (!sampled && !(work && work->first)) {
    text_add(out, "<p>No work is done by any reservoir or field");
    if (!in->solve && in->no_solve) {
      text_add(out, ", as far as is known: ");
      html_text(out, in->no_solve);
    }
    text_add(out, ".</p>\n");
  }
}

/* --- what else the documents hold --- */

static bool is_known(const char *key)
{
  static const char *const known[] = {"schema",         "kind",         "version",      "verdict",
                                      "conventions",    "balance",      "run",          "cycles",
                                      "cycle_basis",    "loop_erasure", "steps",        "reservoirs",
                                      "currents",       "means",        "observables",  "entropy",
                                      "model",          "question",     "method",       "counts",
                                      "work",           "cycle_count",  "states",       "independent_cycles",
                                      "conserved_sums", "tolerance_kt", "steady_state", "cost",
                                      "look_at_next",   "points",       "table",        "phases"};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp(known[i], key) == 0) return true;
  return false;
}

static void put_chapter(report_page *self, const doc_node *chapter)
{
  text_buffer *const out = &self->body;
  if (doc_is_scalar(chapter)) {
    text_add(out, "<dl><dt>");
    html_key(out, chapter->key);
    text_add(out, "</dt><dd>");
    html_value(out, chapter);
    text_add(out, "</dd></dl>\n");
    return;
  }
  text_add(out, "<h3>");
  html_key(out, chapter->key);
  text_add(out, "</h3>\n");
  const bool rows = chapter->kind == DOC_ARRAY && chapter->first && chapter->first->kind == DOC_OBJECT;
  if (rows) html_table(out, chapter, chapter->key, NULL, 0);
  else html_members(out, chapter, 4);
}

void chapter_further(report_page *self)
{
  const ness_doc *const docs[] = {self->in->analyze, self->in->check, self->in->solve};
  bool begun = false;
  for (size_t i = 0; i < sizeof docs / sizeof docs[0]; i++) {
    const doc_node *const root = docs[i] ? doc_top(docs[i]) : NULL;
    for (const doc_node *chapter = root ? root->first : NULL; chapter; chapter = chapter->next) {
      if (is_known(chapter->key)) continue;
      if (!begun) page_section(self, "further", "Further results");
      begun = true;
      put_chapter(self, chapter);
    }
  }
}

void chapter_everything(report_page *self)
{
  const report_sources *const in = self->in;
  const struct {
    const ness_doc *doc;
    const char *title;
  } docs[] = {{in->analyze, "What the dump says (ness analyze)"},
              {in->check, "Whether detailed balance holds (ness check)"},
              {in->solve, "The steady state (ness solve)"},
              {in->scan, "The curve (ness scan)"}};
  page_section(self, "tables", "All numbers");
  text_add(&self->body, "<p>Everything that the chapters above are made of, as the commands print it.</p>\n");
  for (size_t i = 0; i < sizeof docs / sizeof docs[0]; i++) {
    if (!docs[i].doc) continue;
    text_add(&self->body, "<details><summary>%s</summary>\n", docs[i].title);
    html_members(&self->body, doc_top(docs[i].doc), 3);
    text_add(&self->body, "</details>\n");
  }
}

/* --- how to reproduce --- */

static void put_fact_text(text_buffer *out, const char *what, const char *value)
{
  if (!value || !*value) return;
  text_add(out, "<dt>%s</dt><dd><code>", what);
  html_text(out, value);
  text_add(out, "</code></dd>\n");
}

void chapter_reproduce(report_page *self)
{
  const report_sources *const in = self->in;
  text_buffer *const out = &self->body;
  page_section(self, "reproduce", "How to reproduce this");
  text_add(out, "<pre><code>");
  if (in->run_command && *in->run_command) {
    html_text(out, in->run_command);
    text_add(out, " -o ");
    html_text(out, in->path);
    text_add(out, "\n");
  }
  html_text(out, in->command);
  text_add(out, "</code></pre>\n<dl>\n");
  put_fact_text(out, "file", in->path);
  put_fact_text(out, "settings", in->settings);
  put_fact_text(out, "version", ness_version_text());
  put_fact_text(out, "written by version", in->run_version);
  put_fact_text(out, "on", in->machine);
  put_fact_text(out, "level of the dump", in->level);
  put_fact_text(out, "seed", in->seed);
  put_fact_text(out, "model hash (XXH3)", in->hash);
  put_fact_text(out, "network laid out as", self->layout);
  text_add(out, "</dl>\n");
  if (in->model_text && *in->model_text) {
    text_add(out, "<details class=\"print\"><summary>The model</summary>\n<pre tabindex=\"0\"><code>");
    html_text(out, in->model_text);
    text_add(out, "</code></pre></details>\n");
  }
}
