/* The chapter of power spectra: of the first current or observable and of the first count, both axes by powers of ten,
 * the estimate with its band and the exact one beside it. Invariant: what is drawn are rows of the document, which
 * stand in a table below; a record without spectra says what would have them. Cost: O(rows). */
#include "analysis/report/report.h"

#include <math.h>
#include <stdio.h>

static bool is_count(const doc_node *row)
{
  const char *const kind = node_string(row, "kind");
  return kind && (strcmp(kind, "count") == 0 || strcmp(kind, "variable") == 0);
}

static bool is_other(const doc_node *row)
{
  return !is_count(row);
}

typedef struct spectrum { /* of one of the two, decimal logarithms */
  double *f, *density, *low, *high, *exact;
  int32_t n, known; /* points; of which there are exact values */
  const char *of;
} spectrum;

static bool spectrum_take(spectrum *self, arena *memory, const doc_node *points, bool (*takes)(const doc_node *row))
{
  double **const column[] = {&self->f, &self->density, &self->low, &self->high, &self->exact};
  static const char *const key[] = {"f_hz", "estimate", "low", "high", "exact"};
  for (size_t c = 0; c < sizeof key / sizeof *key; c++) {
    if (!(*column[c] = arena_alloc(memory, ((size_t)points->count + 1) * sizeof(double)))) return false;
    self->n = 0;
    for (const doc_node *row = points->first; row; row = row->next) {
      if (!takes(row) || !(node_number(row, "low") > 0)) continue;
      self->of = node_string(row, "of");
      (*column[c])[self->n++] = log10(node_number(row, key[c]));
    }
  }
  for (int32_t i = 0; i < self->n; i++) self->known += isfinite(self->exact[i]);
  return true;
}

/* In the unit of what is watched squared, over time for what flows. */
static void unit_of(const doc_node *points, bool (*takes)(const doc_node *row), char out[64])
{
  snprintf(out, 64, "density");
  for (const doc_node *row = points->first; row; row = row->next) {
    if (!takes(row) || !node_string(row, "kind")) continue;
    const bool current = strcmp(node_string(row, "kind"), "current") == 0;
    const char *const unit = node_string(row, "unit");
    snprintf(out, 64, "density, %.40s", unit ? unit : current ? "1/s" : "s");
    return;
  }
}

static void put_spectrum(report_page *self, const doc_node *points, bool (*takes)(const doc_node *row))
{
  static const char *const columns[] = {"f_hz", "estimate", "error", "low", "high", "exact", "z", NULL};
  char title[160], caption[360], band[40], unit[64];
  arena memory = {0};
  spectrum s = {0};
  if (!spectrum_take(&s, &memory, points, takes)) self->status = NESS_NOMEM;
  if (!self->status && s.n > 1) {
    const char *const of = s.of ? s.of : "";
    snprintf(band, sizeof band, "%.4g %% interval", 100 * ness_doc_number(self->in->analyze, "run.confidence"));
    unit_of(points, takes, unit);
    snprintf(title, sizeof title, "Power spectrum of %s", of);
    snprintf(caption, sizeof caption,
             "Two-sided power spectrum of %s; the band is that of the intervals, both axes go by "
             "powers of ten.",
             of);
    plot p = {.title = title,
              .text =
                  s.known
                      ? "A line through the estimates in a band of their intervals, and a dashed line of exact values; "
                        "the table below holds both."
                      : "A line through the estimates in a band of their intervals; the table below holds them.",
              .x_title = "frequency, Hz",
              .y_title = unit,
              .x_log = true,
              .y_log = true,
              .bare = true};
    p.series[p.count++] =
        (plot_series){.kind = PLOT_BAND, .n = s.n, .x = s.f, .low = s.low, .high = s.high, .name = band};
    p.series[p.count++] = (plot_series){.kind = PLOT_LINE, .n = s.n, .x = s.f, .y = s.density, .name = "estimate"};
    if (s.known)
      p.series[p.count++] = (plot_series){.kind = PLOT_DASHED, .n = s.n, .x = s.f, .y = s.exact, .name = "exact"};
    plot_figure(&self->body, &p, caption, ++self->figures);
    text_add(&self->body, "<details><summary>Numbers of this figure</summary>\n");
    html_table_where(&self->body, points, title, columns, 0, takes);
    text_add(&self->body, "</details>\n");
  }
  arena_free(&memory);
}

void chapter_spectra(report_page *self)
{
  const report_sources *const in = self->in;
  text_buffer *const out = &self->body;
  if (!in->analyze) return;
  const doc_node *const points = doc_at(in->analyze, "spectra.points");
  const doc_node *const watched = doc_at(in->analyze, "spectra.watched");
  page_section(self, "spectra", "Power spectra");
  const char *const course = ness_doc_string(in->analyze, "input.path");
  if (!points && course && strncmp(course, "prescribed", 10) == 0) {
    text_add(out, "<p>No spectrum is drawn: lines of the input would stand in it.</p>\n");
    return;
  }
  const bool flows = doc_at(in->analyze, "flow") != NULL;
  const char *const outcome = ness_doc_string(in->analyze, "balance.outcome");
  if (!points && flows && outcome && (strcmp(outcome, "not at rest") == 0 || strcmp(outcome, "driven in time") == 0)) {
    text_add(out, "<p>No spectrum is drawn: the run was not at rest, and its course would stand in it.</p>\n");
    return;
  }
  if (!points) {
    text_add(out, "<p>No spectrum is drawn: it takes a dump of level <code>events</code> or <code>grid</code>, or a "
                  "record, with enough of them to fill a few segments of time.</p>\n");
    return;
  }
  const double nyquist = ness_doc_number(in->analyze, "spectra.nyquist_hz");
  if (isfinite(nyquist)) {
    text_add(out, "<p>From states at regular times: what is faster than ");
    html_number(out, nyquist, 6);
    text_add(out, " Hz is folded back%s.</p>\n", flows ? "" : ", in the exact values as well");
  }
  put_spectrum(self, points, is_other);
  put_spectrum(self, points, is_count);
  if (watched) html_table(out, watched, "At both ends, and where a count has its corner", NULL, 0);
}
