/* The chapter of a period: counts at its phases, estimates with their intervals and the exact ones beside them, of the
 * counts that swing the most. Invariant: what is drawn are rows of the document, which stand in tables below. Cost:
 * O(rows). */
#include "analysis/report/report.h"

#include <math.h>
#include <stdio.h>

#define PHASES_DRAWN 2 /* with their exact values as many as there are colours for */

typedef struct swing {   /* of a count over the period */
  const doc_node *first; /* its rows stand behind one another */
  int32_t n, known;      /* phases; of which there are exact values */
  double size;
  double *phase, *mean, *low, *high, *exact; /* (n) */
} swing;

/* Takes the rows of the count that `row` begins with; the first row behind them comes back. */
static const doc_node *swing_take(swing *self, arena *memory, const doc_node *row, int32_t most)
{
  double **const column[] = {&self->phase, &self->mean, &self->low, &self->high, &self->exact};
  static const char *const key[] = {"phase", "estimate", "low", "high", "exact"};
  const char *const of = node_string(row, "of");
  double least = INFINITY, largest = -INFINITY;
  *self = (swing){.first = row};
  for (size_t c = 0; c < sizeof key / sizeof *key; c++)
    *column[c] = arena_alloc(memory, ((size_t)most + 1) * sizeof(double));
  if (memory->failed) return NULL;
  for (; row && of && node_string(row, "of") && strcmp(node_string(row, "of"), of) == 0; row = row->next) {
    for (size_t c = 0; c < sizeof key / sizeof *key; c++) (*column[c])[self->n] = node_number(row, key[c]);
    least = fmin(least, self->mean[self->n]);
    largest = fmax(largest, self->mean[self->n]);
    self->known += isfinite(self->exact[self->n++]);
  }
  self->size = self->n > 1 ? largest - least : 0;
  return row;
}

/* Keeps the largest of those seen, in the order of their size. */
static void swing_keep(swing kept[PHASES_DRAWN], const swing *next)
{
  int32_t at = PHASES_DRAWN;
  while (at > 0 && next->size > kept[at - 1].size) at--;
  if (at == PHASES_DRAWN) return;
  memmove(kept + at + 1, kept + at, (size_t)(PHASES_DRAWN - 1 - at) * sizeof *kept);
  kept[at] = *next;
}

static void put_swings(report_page *self, const doc_node *means)
{
  char names[PHASES_DRAWN][2][80];
  swing kept[PHASES_DRAWN] = {{0}};
  arena memory = {0};
  for (const doc_node *row = means->first; row && !memory.failed;) {
    swing next;
    row = swing_take(&next, &memory, row, means->count);
    if (!memory.failed) swing_keep(kept, &next);
  }
  if (memory.failed) self->status = NESS_NOMEM;
  plot p = {.title = "Counts by phase of the period",
            .text = "Dots with intervals for estimates, dashed lines for exact values; the table below holds both.",
            .x_title = "phase, periods",
            .y_title = "mean count",
            .bare = true};
  for (int32_t k = 0; k < PHASES_DRAWN && !memory.failed && kept[k].size > 0; k++) {
    const swing *const s = &kept[k];
    const char *const of = node_string(s->first, "of");
    snprintf(names[k][0], sizeof names[k][0], "%s", of);
    snprintf(names[k][1], sizeof names[k][1], "%s, exact", of);
    p.series[p.count++] = (plot_series){
        .kind = PLOT_DOTS, .n = s->n, .x = s->phase, .y = s->mean, .low = s->low, .high = s->high, .name = names[k][0]};
    if (s->known == s->n)
      p.series[p.count++] =
          (plot_series){.kind = PLOT_DASHED, .n = s->n, .x = s->phase, .y = s->exact, .name = names[k][1]};
  }
  if (p.count > 0)
    plot_figure(&self->body, &p, "Means at eighths of the period, of the counts that swing the most.", ++self->figures);
  arena_free(&memory);
}

void chapter_phases(report_page *self)
{
  static const char *const means_of[] = {"of", "phase",    "estimate",       "error",          "low", "high", "exact",
                                         "z",  "variance", "variance_error", "variance_exact", NULL};
  const report_sources *const in = self->in;
  text_buffer *const out = &self->body;
  const char *const available = in->analyze ? ness_doc_string(in->analyze, "phases.available") : NULL;
  if (!available) return;
  const doc_node *const means = doc_at(in->analyze, "phases.means"), *const flows = doc_at(in->analyze, "phases.flows");
  page_section(self, "phases", "The course of a period");
  if (!means) {
    text_add(out, "<p>Nothing is told by phase: ");
    html_text(out, strncmp(available, "no: ", 4) == 0 ? available + 4 : available);
    text_add(out, ".</p>\n");
    return;
  }
  put_swings(self, means);
  text_add(out, "<details><summary>Counts and flows by phase</summary>\n");
  html_table(out, means, "Counts at phases", means_of, 0);
  if (flows && flows->first) html_table(out, flows, "Net rates between phases, 1/s", NULL, 0);
  text_add(out, "</details>\n");
}
