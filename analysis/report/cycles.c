/* The chapter of cycles: those that a dump shows, those of the exact solution by their share of the entropy production,
 * and what drives them. Cycles of states that pass through the same steps are one row, with their currents added up.
 * Cost: O(cycles * kinds), and a sort of the kinds. */
#include "analysis/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CYCLE_ROWS 30
#define CYCLE_LEAST 8    /* shown however small they are */
#define CYCLE_SHARE 1e-4 /* of the entropy production: below, a cycle is left to the tables at the end */
#define CYCLE_SUMS 400   /* kinds of cycles that are told apart */
#define SAMPLED_ROWS 12

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
  if (declared && declared->first)
    html_table(out, declared,
               in->standing ? "What drives the cycles of steps while the input stands at its value in the file"
                            : "What drives the cycles of steps",
               columns, CYCLE_ROWS);
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
