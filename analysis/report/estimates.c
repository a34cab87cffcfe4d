/* The chapter of estimates beside exact values: a row of dot and whiskers for each in standard errors, and tables.
 * Invariant: an estimate without an error or an exact value is in the tables alone. Cost: O(rows), and a sort. */
#include "analysis/report/report.h"

#include <math.h>
#include <stdlib.h>

#define ESTIMATE_ROWS 40

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
  static const char *const columns[] = {"observable", "reservoir", "out_of", "step",  "of", "unit", "estimate",
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
