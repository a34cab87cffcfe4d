/* The chapters that are words and tables: verdict, cycles, balance sheet, estimates, how to reproduce, and all the rest
 * of the documents. Invariant: numbers are the documents', printed to the same digits; shares and sums are made here of
 * those alone. Cost: O(rows), and a sort of the estimates. */
#include "analysis/report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CYCLE_ROWS 30
#define CYCLE_LEAST 8    /* shown however small they are */
#define CYCLE_SHARE 1e-4 /* of the entropy production: below, a cycle is left to the tables at the end */
#define CYCLE_SUMS 400   /* kinds of cycles that are told apart */
#define SAMPLED_ROWS 12
#define ESTIMATE_ROWS 40

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
    const doc_node *const entropy = doc_at(in->analyze, "entropy.thermodynamic");
    put_fact(out, "entropy production, estimated", node_number(entropy, "estimate"), node_number(entropy, "error"),
             "k<sub>B</sub>/s");
    put_fact(out, "the same, exact", node_number(entropy, "exact"), 0, "k<sub>B</sub>/s");
    put_fact(out, "events", ness_doc_number(in->analyze, "run.events"), 0, "");
    put_fact(out, "replicas", ness_doc_number(in->analyze, "run.replicas"), 0, "");
  } else if (in->solve) {
    put_fact(out, "entropy production, exact", ness_doc_number(in->solve, "entropy.production_kb_per_s"), 0,
             "k<sub>B</sub>/s");
    put_fact(out, "states of the master equation", ness_doc_number(in->solve, "method.states"), 0, "");
  }
  if (!in->analyze && in->check)
    put_fact(out, "independent cycles", ness_doc_number(in->check, "independent_cycles"), 0, "");
  if (!in->analyze && in->solve)
    put_fact(out, "relative error, proven below", ness_doc_number(in->solve, "method.relative_error_below"), 0, "");
  text_add(out, "</dl>\n");
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
    text_add(out, "<p class=\"second\">What the model itself says: ");
    html_text(out, model);
    text_add(out, "</p>\n");
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

/* --- cycles --- */

typedef struct cycle_sum { /* cycles of states through the same steps */
  const char *steps;
  double forward, backward, net, affinity, entropy;
  int64_t states;
} cycle_sum;

static int cycle_compare(const void *a, const void *b)
{
  const cycle_sum *const x = a, *const y = b;
  if (x->entropy != y->entropy) return x->entropy < y->entropy ? 1 : -1;
  return strcmp(x->steps, y->steps);
}

/* Adds up cycles that pass through the same steps from other states, and ranks them. The list is ranked already, so
 * what does not fit behind CYCLE_SUMS kinds is small; *left counts it. NULL when memory is out. */
static cycle_sum *sum_cycles(const doc_node *list, int32_t *count, int64_t *left)
{
  cycle_sum *const sums = mem_zero(CYCLE_SUMS, sizeof *sums);
  *count = 0;
  *left = 0;
  for (const doc_node *row = sums ? list->first : NULL; row; row = row->next) {
    const char *const steps = node_string(row, "steps");
    int32_t at = 0;
    while (at < *count && strcmp(sums[at].steps, steps ? steps : "") != 0) at++;
    if (at == CYCLE_SUMS) {
      (*left)++;
      continue;
    }
    if (at == *count)
      sums[(*count)++] = (cycle_sum){.steps = steps ? steps : "", .affinity = node_number(row, "affinity_kt")};
    sums[at].forward += node_number(row, "forward");
    sums[at].backward += node_number(row, "backward");
    sums[at].net += node_number(row, "net");
    sums[at].entropy += node_number(row, "entropy");
    sums[at].states++;
  }
  if (sums) qsort(sums, (size_t)*count, sizeof *sums, cycle_compare);
  return sums;
}

static double put_cycle_rows(text_buffer *out, const cycle_sum *sums, int32_t count, double total, bool complete)
{
  static const char *const heads[] = {"cycle", "J 1/s", "affinity_kt", "share, %", "J+ 1/s", "J- 1/s"};
  double carried = 0;
  html_table_begin(out, "Cycles by their share of the entropy production", heads, complete ? 6 : 4);
  for (int32_t i = 0; i < count; i++) {
    const double share = total > 0 ? sums[i].entropy / total : (double)NAN;
    text_add(out, "<tr>");
    html_cell_name(out, sums[i].steps);
    html_cell_number(out, sums[i].net);
    html_cell_number(out, sums[i].affinity);
    html_cell_share(out, share);
    if (complete) {
      html_cell_number(out, sums[i].forward);
      html_cell_number(out, sums[i].backward);
    }
    text_add(out, "</tr>\n");
    if (isfinite(share)) carried += share;
  }
  html_table_end(out);
  return carried;
}

static void put_exact_cycles(report_page *self)
{
  text_buffer *const out = &self->body;
  const ness_doc *const solve = self->in->solve;
  const doc_node *const list = solve ? doc_at(solve, "cycles") : NULL;
  const double total = solve ? ness_doc_number(solve, "entropy.production_kb_per_s") : (double)NAN;
  int32_t count;
  int64_t left;
  if (!list || !list->first) return;
  const bool complete = ness_doc_number(solve, "cycle_count.every_simple_cycle") != 0;
  cycle_sum *const sums = sum_cycles(list, &count, &left);
  if (!sums) {
    self->status = NESS_NOMEM;
    return;
  }
  const double found = ness_doc_number(solve, "cycle_count.found");
  if (!complete)
    text_add(out,
             "<p>The states have more cycles than can be listed. These are the largest of %.0f independent ones, one "
             "for each transition outside a spanning tree.</p>\n",
             found);
  int32_t shown = 0;
  while (shown < count && shown < CYCLE_ROWS && (shown < CYCLE_LEAST || sums[shown].entropy > CYCLE_SHARE * total))
    shown++;
  const double carried = put_cycle_rows(out, sums, shown, total, complete);
  text_add(out, "<p class=\"note\">");
  if (count < list->count) text_add(out, "Cycles of states that pass through the same steps are added up. ");
  if (found > list->count) text_add(out, "The result lists the first %d of %.0f. ", (int)list->count, found);
  if (count + left > shown)
    text_add(out, "%lld more kinds are among the tables at the end. ", (long long)(count - shown + left));
  if (total > 0) text_add(out, "Those listed here carry %.4g %% of the entropy production. ", 100 * carried);
  text_add(out, "J is net completions per second in the order of the listed steps%s.</p>\n",
           complete ? "; J+ and J- are those along and against it" : "");
  mem_free(sums);
}

static bool is_erased(const doc_node *row)
{
  const char *const kind = node_string(row, "kind");
  return kind && strcmp(kind, "loop-erased") == 0;
}

static bool is_of_steps(const doc_node *row)
{
  return !is_erased(row);
}

static void put_sampled_cycles(text_buffer *out, const report_sources *in)
{
  static const char *const columns[] = {"cycle",         "estimate",       "error",          "exact", "z",
                                        "affinity_data", "affinity_error", "affinity_model", NULL};
  static const char *const erased[] = {"cycle", "estimate", "error", "exact", "z", "forward", "backward", NULL};
  const doc_node *const list = in->analyze ? doc_at(in->analyze, "cycles") : NULL;
  const doc_node *const loops = in->analyze ? doc_at(in->analyze, "loop_erasure") : NULL;
  const char *const why = node_string(loops, "why"), *const available = node_string(loops, "available");
  bool of_steps = false, loop = false;
  for (const doc_node *row = list ? list->first : NULL; row; row = row->next) {
    of_steps |= is_of_steps(row);
    loop |= is_erased(row);
  }
  if (of_steps)
    html_table_where(out, list, "Cycles of steps as the dump shows them: net completions per second, affinity in kT",
                     columns, SAMPLED_ROWS, is_of_steps);
  if (loop)
    html_table_where(out, list, "Cycles of the trajectory by loop erasure: net and one-way completions per second",
                     erased, SAMPLED_ROWS, is_erased);
  if (list && !of_steps && !loop) text_add(out, "<p>The data show no cycle of steps.</p>\n");
  if (why || (available && strncmp(available, "no", 2) == 0)) {
    text_add(out, "<p class=\"note\">Cycles of the trajectory itself, by loop erasure: ");
    html_text(out, why ? why : strncmp(available, "no: ", 4) == 0 ? available + 4 : available);
    text_add(out, ".</p>\n");
  }
}

void chapter_cycles(report_page *self)
{
  static const char *const columns[] = {"cycle",     "affinity_kt", "allowed_kt", "undeclared_kt",
                                        "driven_by", "steps",       NULL};
  const report_sources *const in = self->in;
  text_buffer *const out = &self->body;
  const doc_node *const declared = in->check ? doc_at(in->check, "cycles") : NULL;
  page_section(self, "cycles", "Cycles");
  put_sampled_cycles(out, in);
  if (in->analyze && in->solve) text_add(out, "<h3>Exactly, from the model</h3>\n");
  put_exact_cycles(self);
  if (declared && declared->first) html_table(out, declared, "What drives the cycles of steps", columns, CYCLE_ROWS);
  const bool any =
      (declared && declared->first) || in->analyze || (in->solve && ness_doc_count(in->solve, "cycles") > 0);
  if (!any) {
    text_add(out, "<p>There is no cycle to list");
    if (!in->solve && in->no_solve) {
      text_add(out, ": ");
      html_text(out, in->no_solve);
    }
    text_add(out, ".</p>\n");
  }
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
  put_line(out, " class=\"sum\"", "entropy production", "dissipated", entropy, 0);
  put_line(out, "", "residual of the closure", "", closure, 0);
  html_table_end(out);
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
  if (work && work->first)
    put_sheet(out, "Exactly, in the steady state", work, "work_kt_per_s",
              ness_doc_number(in->solve, "entropy.production_kb_per_s"),
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

/* --- estimates beside exact values --- */

typedef struct estimate_list {
  plot_row *row;
  arena names;
  int64_t count, capacity;
  int32_t covered;
  bool failed;
} estimate_list;

static void take_row(estimate_list *self, const char *chapter, const char *name, const doc_node *row)
{
  const double estimate = node_number(row, "estimate"), exact = node_number(row, "exact"), z = node_number(row, "z");
  const double low = node_number(row, "low"), high = node_number(row, "high"), error = node_number(row, "error");
  if (!isfinite(estimate) || !isfinite(exact) || !isfinite(z) || !isfinite(low) || !isfinite(high) || !(error > 0))
    return;
  if (!mem_grow(&self->row, &self->capacity, self->count + 1, sizeof *self->row)) {
    self->failed = true;
    return;
  }
  const char *const label = arena_format(&self->names, "%s%s%s", chapter, *chapter ? " " : "", name ? name : "");
  self->row[self->count++] = (plot_row){label ? label : "", z, (low - exact) / error, (high - exact) / error};
  self->covered += low <= exact && exact <= high;
}

static int row_compare(const void *a, const void *b)
{
  const double x = fabs(((const plot_row *)a)->value), y = fabs(((const plot_row *)b)->value);
  return (x < y) - (x > y);
}

static void take_estimates(estimate_list *self, const ness_doc *doc)
{
  static const char *const lists[][3] = {{"steps", "step", "rate"},         {"reservoirs", "reservoir", "to"},
                                         {"currents", "out_of", "current"}, {"means", "of", "mean"},
                                         {"observables", "observable", ""}, {"cycles", "cycle", "cycle"}};
  take_row(self, "", "entropy production", doc_at(doc, "entropy.thermodynamic"));
  take_row(self, "", "entropy, plug-in", doc_at(doc, "entropy.plug_in"));
  for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
    const doc_node *const list = doc_at(doc, lists[k][0]);
    for (const doc_node *row = list ? list->first : NULL; row; row = row->next)
      take_row(self, lists[k][2], node_string(row, lists[k][1]), row);
  }
}

static void put_estimate_tables(text_buffer *out, const ness_doc *doc)
{
  static const char *const lists[][2] = {{"observables", "Observables"},
                                         {"reservoirs", "Net number given to reservoirs, 1/s"},
                                         {"currents", "Currents out of compartments, e/s"},
                                         {"steps", "Net rates of steps, 1/s"},
                                         {"means", "Mean counts"}};
  static const char *const columns[] = {"observable", "reservoir", "out_of", "step",  "of", "estimate",
                                        "error",      "low",       "high",   "exact", "z",  NULL};
  for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
    const doc_node *const list = doc_at(doc, lists[k][0]);
    if (!list || !list->first) continue;
    const bool open = k == 0;
    if (!open) text_add(out, "<details class=\"print\"><summary>%s</summary>\n", lists[k][1]);
    html_table(out, list, lists[k][1], columns, 0);
    if (!open) text_add(out, "</details>\n");
  }
}

void chapter_estimates(report_page *self)
{
  const report_sources *const in = self->in;
  text_buffer *const out = &self->body;
  estimate_list list = {0};
  if (!in->analyze) return;
  page_section(self, "estimates", "Estimates and exact values");
  take_estimates(&list, in->analyze);
  if (list.count > 0) {
    const int32_t shown = list.count < ESTIMATE_ROWS ? (int32_t)list.count : ESTIMATE_ROWS;
    const double level = 100 * ness_doc_number(in->analyze, "run.confidence");
    text_add(out,
             "<p>Of %d estimates that have an exact value beside them, %d intervals hold it; at %.4g %% one expects "
             "%.3g of as many independent ones.</p>\n",
             (int)list.count, (int)list.covered, level, level / 100 * (double)list.count);
    if (list.count > shown) {
      qsort(list.row, (size_t)list.count, sizeof *list.row, row_compare);
      text_add(out, "<p class=\"note\">Drawn are the %d that lie farthest off.</p>\n", (int)shown);
    }
    plot_rows(out, list.row, shown, "Estimates against exact values",
              "How far estimates lie from their exact values, with their intervals; the band holds 95 % where all is "
              "well, and a ring marks what lies outside.",
              ++self->figures);
  } else {
    const char *const why = ness_doc_string(in->analyze, "run.exact");
    text_add(out, "<p>There are no exact values beside these estimates");
    if (why) {
      text_add(out, ": ");
      html_text(out, why);
    }
    text_add(out, ".</p>\n");
  }
  put_estimate_tables(out, in->analyze);
  if (list.failed || list.names.failed) self->status = NESS_NOMEM;
  mem_free(list.row);
  arena_free(&list.names);
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
                                      "look_at_next",   "points",       "table"};
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
