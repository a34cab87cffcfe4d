/* The chapters that are plots: curves against a parameter, the entropy production of windows with the fluctuation
 * theorem, and the running estimate. Invariant: a plot that cannot be drawn is replaced by the reason and by what would
 * give it. Method of the fluctuation theorem: bins of equal width left and right of 0; the line holds exactly between
 * counts of mirrored bins when the right one stands at -ln <exp(-s)> of what lies in it, which is where it is drawn;
 * errors are those of independent Poisson counts. Cost: O(windows). */
#include "analysis/report/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CURVES 4
#define BINS 160 /* at most, on either side of 0 */
#define BIN_LEAST 5
#define BIN_STILL 1e-9 /* k_B: rounding of a window in which nothing happened, and of bins at their borders */

/* --- curves --- */

/* Between which neighbours a curve changes its sign first; false when it does not. */
static bool crosses(const double *x, const double *y, int32_t n, double between[2])
{
  for (int32_t i = 1; i < n; i++) {
    if (!(y[i - 1] * y[i] < 0)) continue;
    between[0] = x[i - 1];
    between[1] = x[i];
    return true;
  }
  return false;
}

static void put_curve(report_page *self, const doc_node *table, const char *x_key, const char *y_key)
{
  const int32_t n = table->count;
  char caption[360], title[200];
  arena memory = {0};
  double *const x = node_column(&memory, table, x_key), *const y = node_column(&memory, table, y_key), between[2];
  if (x && y) {
    snprintf(title, sizeof title, "%s against %s", y_key, x_key);
    const int used = snprintf(caption, sizeof caption, "%s against %s.", y_key, x_key);
    if (crosses(x, y, n, between) && used > 0 && (size_t)used < sizeof caption)
      snprintf(caption + used, sizeof caption - (size_t)used, " It changes its sign between %.6g and %.6g.", between[0],
               between[1]);
    const plot p = {.title = title,
                    .text = "A line through exact values, which the table below holds.",
                    .x_title = x_key,
                    .y_title = y_key,
                    .series = {{.kind = PLOT_LINE, .n = n, .x = x, .y = y}},
                    .from_zero = true,
                    .count = 1};
    plot_figure(&self->body, &p, caption, ++self->figures);
  } else {
    self->status = NESS_NOMEM;
  }
  arena_free(&memory);
}

void chapter_curves(report_page *self)
{
  const report_sources *const in = self->in;
  const doc_node *const table = in->scan ? doc_at(in->scan, "table") : NULL;
  const doc_node *const first = table ? table->first : NULL, *const axis = first ? first->first : NULL;
  page_section(self, "curves", "Currents and curves");
  if (!axis) {
    text_add(&self->body, "<p>No curve is drawn: ");
    html_text(&self->body, in->no_scan ? in->no_scan : "there is nothing to vary");
    text_add(&self->body, ".</p>\n");
    return;
  }
  text_add(&self->body, "<p>Exact steady states while ");
  html_text(&self->body, in->scan_of ? in->scan_of : axis->key);
  text_add(&self->body, ". The same table:</p>\n<pre><code>");
  html_text(&self->body, in->scan_cmd);
  text_add(&self->body, "</code></pre>\n");
  int32_t drawn = 0;
  for (const doc_node *column = axis->next; column && drawn < CURVES; column = column->next, drawn++)
    put_curve(self, table, axis->key, column->key);
  text_add(&self->body, "<details><summary>Numbers of these figures</summary>\n");
  html_table(&self->body, table, "Exact values", NULL, 0);
  text_add(&self->body, "</details>\n");
}

/* --- the entropy production of windows --- */

typedef struct bins {
  int32_t half;                                        /* bins on each side of 0 */
  double width;                                        /* k_B */
  double count[2 * BINS];                              /* from -half * width on */
  double x[2 * BINS], share[2 * BINS];                 /* middle; windows per k_B */
  double weight[BINS];                                 /* sum of exp(-s) in the bins right of 0 */
  double at[BINS], ratio[BINS], low[BINS], high[BINS]; /* the line: -ln <exp(-s)>, ln(P(s)/P(-s)) */
  int32_t points;
  double slope, slope_error;
  int64_t negative;
  double still; /* windows in which nothing happened: half of them on either side, and none in the line */
} bins;

static void bins_fill(bins *self, const windows *w)
{
  double sum = 0, square = 0, most = 0;
  memset(self, 0, sizeof *self);
  for (int64_t i = 0; i < w->kept; i++) {
    sum += w->entropy[i];
    square += w->entropy[i] * w->entropy[i];
    most = fmax(most, fabs(w->entropy[i]));
    self->negative += w->entropy[i] < -BIN_STILL;
  }
  const double mean = sum / (double)w->kept, spread = sqrt(fmax(square / (double)w->kept - mean * mean, 0));
  const double reach = fmax(fmin(most, fabs(mean) + 5 * spread), 1e-9);
  const plot_scale round_width = plot_scale_of(0, spread > 0 ? spread / 7 : reach / 20, 1);
  self->width = fmax(round_width.step, reach / BINS);
  self->half = (int32_t)fmin(ceil(reach / self->width), BINS);
  for (int64_t i = 0; i < w->kept; i++) {
    if (fabs(w->entropy[i]) <= BIN_STILL) {
      self->still++;
      continue;
    }
    const double place =
        floor(fabs(w->entropy[i]) / self->width + BIN_STILL); /* mirrored: also what lies on a border */
    if (!(place < self->half)) continue;
    const int32_t at = (int32_t)place;
    self->count[w->entropy[i] > 0 ? self->half + at : self->half - 1 - at]++;
    if (w->entropy[i] > 0) self->weight[at] += exp(-w->entropy[i]);
  }
  for (int32_t b = 0; b < 2 * self->half; b++) {
    const bool beside = b == self->half || b == self->half - 1;
    self->x[b] = (b - self->half + 0.5) * self->width;
    self->share[b] = (self->count[b] + (beside ? 0.5 * self->still : 0)) / ((double)w->kept * self->width);
  }
}

static void bins_line(bins *self)
{
  double xy = 0, xx = 0;
  for (int32_t b = 0; b < self->half; b++) {
    const double right = self->count[self->half + b], left = self->count[self->half - 1 - b];
    if (right < BIN_LEAST || left < BIN_LEAST) continue;
    const int32_t k = self->points++;
    const double error = sqrt(1 / right + 1 / left);
    self->at[k] = -log(self->weight[b] / right);
    self->ratio[k] = log(right / left);
    self->low[k] = self->ratio[k] - 1.96 * error;
    self->high[k] = self->ratio[k] + 1.96 * error;
    xy += self->at[k] * self->ratio[k] / (error * error);
    xx += self->at[k] * self->at[k] / (error * error);
  }
  self->slope = xy / xx;
  self->slope_error = 1 / sqrt(xx);
}

/* The bins that hold something, and one beside them. */
static plot_series histogram_of(const bins *self)
{
  int32_t from = 0, to = 2 * self->half;
  while (from + 1 < to && self->share[from + 1] == 0) from++;
  while (to - 2 > from && self->share[to - 2] == 0) to--;
  return (plot_series){.kind = PLOT_BARS,
                       .n = to - from,
                       .x = self->x + from,
                       .y = self->share + from,
                       .name = "share of windows per k_B"};
}

static void put_theorem(report_page *self, const bins *b, const windows *w)
{
  char caption[300];
  const double reach = b->at[b->points - 1];
  const double line_x[2] = {0, reach}, line_y[2] = {0, reach};
  snprintf(caption, sizeof caption,
           "The fluctuation theorem: ln P(s)/P(-s) against s, with 95 %% intervals. A line through 0 has the slope "
           "%.4g \xC2\xB1 %.2g%s.",
           b->slope, b->slope_error, w->total ? "; the theorem says 1" : "; for long windows the theorem says 1");
  const plot p = {.title = "Fluctuation theorem",
                  .text = "Dots with whiskers against the line of slope 1, which the theorem demands.",
                  .x_title = "s, k_B",
                  .y_title = "ln P(s)/P(-s)",
                  .series = {{.kind = PLOT_DASHED, .n = 2, .x = line_x, .y = line_y, .name = "theory: slope 1"},
                             {.kind = PLOT_DOTS,
                              .n = b->points,
                              .x = b->at,
                              .y = b->ratio,
                              .low = b->low,
                              .high = b->high,
                              .name = "windows of the dump"}},
                  .count = 2};
  plot_figure(&self->body, &p, caption, ++self->figures);
}

static void put_no_theorem(report_page *self, const bins *b, const windows *w)
{
  const double mean = w->mean * w->length;
  text_add(&self->body,
           "<p>The line of the fluctuation theorem needs windows in which entropy falls: there are %lld among %lld. ",
           (long long)b->negative, (long long)w->kept);
  if (mean > 0) {
    text_add(&self->body, "A window makes ");
    html_number(&self->body, mean, 4);
    text_add(&self->body, " k<sub>B</sub> on average. Windows of about ");
    html_number(&self->body, 2 / w->mean, 2);
    text_add(&self->body, " s would show it, as <code>ness run</code> writes them with <code>--window</code> ");
    html_number(&self->body, 2 / w->mean, 2);
    text_add(&self->body, ".");
  }
  text_add(&self->body, "</p>\n");
}

static void put_windows(report_page *self, bins *b, const windows *w)
{
  text_buffer *const out = &self->body;
  char caption[240];
  bins_fill(b, w);
  bins_line(b);
  text_add(out, "<p>The dump holds %lld windows of ", (long long)w->seen);
  html_number(out, w->length, 4);
  text_add(out, " s. ");
  text_add(out, "%s",
           w->turned
               ? "The input flips in circles, so that windows backwards are those of another input, and P(s)/P(-s) "
                 "is not exp(s)."
           : w->total ? "Their total entropy production counts what the steps give to the surroundings and ln "
                        "p(start)/p(end) of the exact steady state, so "
                        "that P(s)/P(-s) = exp(s) at any length."
                      : "Counted is what the steps give to the surroundings; without the exact distribution at their "
                        "ends the fluctuation theorem "
                        "holds for long windows only.");
  text_add(out, "</p>\n");
  snprintf(caption, sizeof caption,
           "Entropy production of a window of %.4g s; what falls is drawn in another colour, left of 0.", w->length);
  const plot p = {.title = "Entropy production of windows",
                  .text = "A histogram; its table is below.",
                  .x_title = "entropy production of a window, k_B",
                  .y_title = "share of windows per k_B",
                  .series = {histogram_of(b)},
                  .from_zero = true,
                  .count = 1};
  plot_figure(out, &p, caption, ++self->figures);
  if (!w->turned && b->points >= 2) put_theorem(self, b, w);
  else if (!w->turned) put_no_theorem(self, b, w);
  if (w->total && b->negative > 0) {
    text_add(out, "<p>The integral theorem says that exp(-s) is 1 on average; here it is ");
    html_number(out, w->integral, 5);
    text_add(out, " &#177; ");
    html_number(out, w->error, 2);
    text_add(out, " (one standard error, windows taken as independent; few windows carry most of this mean, so that "
                  "its error is uncertain itself).</p>\n");
  }
}

void chapter_entropy(report_page *self)
{
  const report_sources *const in = self->in;
  text_buffer *const out = &self->body;
  page_section(self, "entropy", "Entropy production");
  const windows *const w = in->windows;
  if (w && !w->why) {
    bins *const b = mem_zero(1, sizeof *b);
    if (b) put_windows(self, b, w);
    else self->status = NESS_NOMEM;
    mem_free(b);
  } else {
    text_add(out, "<p>There is no histogram here: ");
    html_text(out, w && w->why ? w->why : in->no_windows ? in->no_windows : "there is no dump");
    if (w && w->mend) {
      text_add(out, "; ");
      html_text(out, w->mend);
    }
    text_add(out, ".</p>\n");
  }
  const bool flows = in->analyze && doc_at(in->analyze, "flow");
  const char *const kinds[][2] = {
      {"entropy.produced", "Produced: what the medium gets, and the mixing of counts"},
      {"entropy.thermodynamic", flows ? "Given to the medium" : "From the rates along the trajectory"},
      {"entropy.plug_in", "From counts alone"}};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds && in->analyze; k++) {
    const doc_node *const node = doc_at(in->analyze, kinds[k][0]);
    if (!node) continue;
    text_add(out, "<h3>%s</h3>\n<dl>\n", kinds[k][1]);
    for (const doc_node *child = node->first; child; child = child->next) {
      if (!doc_is_scalar(child)) continue;
      text_add(out, "<dt>");
      html_key(out, child->key);
      text_add(out, "</dt><dd>");
      html_value(out, child);
      text_add(out, "</dd>\n");
    }
    text_add(out, "</dl>\n");
  }
  const doc_node *const parts = in->analyze ? doc_at(in->analyze, "entropy.split.parts") : NULL;
  if (!parts) return;
  text_add(out, "<h3>What driving costs at rest, and what the way to rest costs</h3>\n");
  html_table(out, parts, "Parts of the entropy given to the medium, k_B/s", NULL, 0);
}

/* --- convergence --- */

static void put_running(report_page *self, const windows *w, double exact)
{
  double low[WINDOWS_GRID], high[WINDOWS_GRID];
  const double ends[2] = {w->time[0], w->time[w->points - 1]}, level[2] = {exact, exact};
  bool band = true;
  for (int32_t k = 0; k < w->points; k++) {
    low[k] = w->running[k] - 1.96 * w->spread[k];
    high[k] = w->running[k] + 1.96 * w->spread[k];
    band = band && isfinite(w->spread[k]);
  }
  plot p = {.title = "Running estimate",
            .text =
                "The estimate of the entropy production from the start of counting up to a time, against that time.",
            .x_title = "counted time of a replica, s",
            .y_title = "entropy production, k_B/s"};
  if (band)
    p.series[p.count++] = (plot_series){
        .kind = PLOT_BAND, .n = w->points, .x = w->time, .low = low, .high = high, .name = "95 % over replicas"};
  p.series[p.count++] = (plot_series){.kind = PLOT_LINE,
                                      .n = w->points,
                                      .x = w->time,
                                      .y = w->running,
                                      .low = band ? low : NULL,
                                      .high = band ? high : NULL,
                                      .name = "running estimate"};
  if (isfinite(exact))
    p.series[p.count++] = (plot_series){.kind = PLOT_DASHED, .n = 2, .x = ends, .y = level, .name = "exact"};
  plot_figure(&self->body, &p, "Entropy production from the start of counting up to a time, over all replicas.",
              ++self->figures);
}

void chapter_convergence(report_page *self)
{
  const report_sources *const in = self->in;
  const windows *const w = in->windows;
  text_buffer *const out = &self->body;
  page_section(self, "convergence", "Convergence");
  if (in->analyze && w && !w->why && w->points > 1) {
    put_running(self, w, ness_doc_number(in->analyze, "entropy.thermodynamic.exact"));
  } else if (in->analyze) {
    text_add(out, "<p>No running estimate is drawn: ");
    html_text(out, w && w->why ? w->why : in->no_windows ? in->no_windows : "there are too few windows of time");
    text_add(out, ".</p>\n");
  }
  const doc_node *const run = in->analyze ? doc_at(in->analyze, "run") : NULL;
  const double drift = in->analyze ? ness_doc_number(in->analyze, "balance.drift_p") : (double)NAN;
  if (isfinite(drift)) {
    text_add(out, "<p>Whether the second half of the run is like the first: p = ");
    html_number(out, drift, 4);
    text_add(out, "%s.</p>\n",
             drift < 0.01 ? ", so that the run may not have been long enough, or began before its steady state"
                          : "; nothing drifts that these data could show");
  }
  if (run) html_members(out, run, 3);
  const doc_node *const method = in->solve ? doc_at(in->solve, "method") : NULL;
  if (method) {
    text_add(out, report_rates(in) ? "<h3>The rate equations</h3>\n" : "<h3>The exact solution</h3>\n");
    html_members(out, method, 4);
  } else if (!in->analyze) {
    text_add(out, "<p>Nothing was solved: ");
    html_text(out, in->no_solve ? in->no_solve : "no reason is known");
    text_add(out, ".</p>\n");
  }
}
