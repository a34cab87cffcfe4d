/* The answer of a scan, a study or a course as a page: pictures, the table and the command. Invariant: a curve, or a
 * cell, a point of the table, which the page holds to the last bit; where nothing can be drawn the answer stands as
 * tables. What is drawn follows from the columns alone: the first are what was varied, "sd X" and "X error [unit]" are
 * spreads of X, and the unit stands in brackets. Cost: O(output), and rows times the square of the columns. */
#include "analysis/report/report.h"
#include "analysis/report/write.h"

#include <math.h>
#include <ness/report.h>
#include <stdio.h>
#include <string.h>

#define STUDY_COLUMNS 96
#define STUDY_TOGETHER 4  /* curves of a panel: as many as are told apart in grey */
#define STUDY_CLOSE 30.0  /* largest over smallest curve of a panel */
#define STUDY_SIGMAS 1.96 /* of an interval of 95 % */

typedef struct study {
  const ness_doc *answer;
  const ness_page_options *given;
  const doc_node *table; /* NULL: nothing to draw */
  report_page page;
  text_buffer still; /* names of what does not change in time */
  arena memory;
} study;

typedef struct curve {
  const char *key;
  const double *y, *spread; /* spread: NULL, none */
  double most;              /* of |y| */
} curve;

/* --- columns --- */

static bool is_rows(const doc_node *node)
{
  return node && node->kind == DOC_ARRAY && node->first && node->first->kind == DOC_OBJECT && node->first->first;
}

static const char *unit_of(const char *key)
{
  const char *const at = strstr(key, " [");
  return at ? at : key + strlen(key);
}

/* The key of the spread of `key` in a row; NULL: it has none. */
static const char *spread_of(study *self, const doc_node *row, const char *key)
{
  const char *const unit = unit_of(key);
  const char *const name = arena_format(&self->memory, "sd %s", key);
  const char *const error = arena_format(&self->memory, "%.*s error%s", (int)(unit - key), key, unit);
  if (!name || !error) return NULL;
  return node_get(row, name) ? name : node_get(row, error) ? error : NULL;
}

/* The curves of a table behind its first `axes` columns. */
static int32_t find_curves(study *self, const doc_node *table, int32_t axes, curve *out)
{
  const char *spreads[STUDY_COLUMNS];
  int32_t count = 0, at = 0, nspread = 0;
  for (const doc_node *cell = table->first->first; cell && nspread < STUDY_COLUMNS; cell = cell->next) {
    const char *const spread = spread_of(self, table->first, cell->key);
    if (spread) spreads[nspread++] = spread;
  }
  for (const doc_node *cell = table->first->first; cell && count < STUDY_COLUMNS; cell = cell->next) {
    bool drawn = at++ >= axes && (cell->kind == DOC_NUMBER || cell->kind == DOC_INT);
    for (int32_t s = 0; s < nspread; s++) drawn &= strcmp(spreads[s], cell->key) != 0;
    if (!drawn) continue;
    const char *const spread = spread_of(self, table->first, cell->key);
    curve *const c = &out[count++];
    *c = (curve){cell->key, node_column(&self->memory, table, cell->key),
                 spread ? node_column(&self->memory, table, spread) : NULL, 0};
    for (int32_t i = 0; c->y && i < table->count; i++) {
      if (isfinite(c->y[i])) c->most = fmax(c->most, fabs(c->y[i]));
    }
  }
  return self->memory.failed ? 0 : count;
}

/* y + by * spread. */
static const double *shifted(study *self, const curve *c, int32_t n, double by)
{
  double *const out = arena_alloc(&self->memory, ((size_t)n + 1) * sizeof *out);
  for (int32_t i = 0; out && i < n; i++) out[i] = c->y[i] + by * (isfinite(c->spread[i]) ? c->spread[i] : 0);
  return out;
}

/* --- curves against one value --- */

/* Where a current turns round, as circles, and in words behind the caption. */
static void put_reversals(study *self, const char *x_key, const curve *c, plot *p, text_buffer *caption)
{
  const doc_node *const rows = doc_at(self->answer, "reversals");
  const size_t length = (size_t)(unit_of(c->key) - c->key);
  double *const x = arena_alloc(&self->memory, sizeof *x * (size_t)(rows ? rows->count + 1 : 1));
  double *const y = arena_alloc(&self->memory, sizeof *y * (size_t)(rows ? rows->count + 1 : 1));
  int32_t n = 0;
  for (const doc_node *row = rows ? rows->first : NULL; x && y && row; row = row->next) {
    const char *const of = node_string(row, "of");
    if (!of || strlen(of) != length || strncmp(of, c->key, length) != 0) continue;
    char number[32];
    number_short(node_number(row, x_key), 6, number);
    text_add(caption, "%s%s", n ? " and " : " The circle marks where it turns round: ", number);
    x[n++] = node_number(row, x_key);
  }
  if (n == 0) return;
  const char *const unit = unit_of(x_key);
  if (*unit) text_add(caption, " %.*s", (int)strlen(unit) - 3, unit + 2);
  text_add(caption, ".");
  p->series[p->count++] = (plot_series){.kind = PLOT_DOTS, .n = n, .x = x, .y = y};
}

/* What a search found, where the curve goes through it. */
static void put_found(study *self, const char *x_key, const curve *c, bool log, plot *p, text_buffer *caption)
{
  const doc_node *const row = is_rows(self->table) ? self->table->first : NULL;
  double *const at = arena_alloc(&self->memory, 2 * sizeof *at);
  if (!at || !row || !node_get(row, x_key) || !node_get(row, c->key)) return;
  char x[32], y[32];
  at[0] = node_number(row, x_key);
  at[1] = node_number(row, c->key);
  number_short(at[0], 6, x);
  number_short(at[1], 4, y);
  text_add(caption, " The circle marks what was found: %s at %s.", y, x);
  if (log) at[0] = log10(at[0]);
  p->series[p->count++] = (plot_series){.kind = PLOT_DOTS, .n = 1, .x = at, .y = at + 1};
}

static void put_curve(study *self, const char *x_key, const double *x, int32_t n, bool log, const curve *c)
{
  plot p = {.title = arena_format(&self->memory, "%s against %s", c->key, x_key),
            .text = "The table below holds the values.",
            .x_title = x_key,
            .y_title = c->key,
            .x_log = log,
            .from_zero = doc_at(self->answer, "reversals") || doc_at(self->answer, "slope_by"),
            .bare = true,
            .count = 1};
  plot_series *const first = &p.series[0];
  text_buffer caption = {0};
  *first = (plot_series){.kind = c->spread || n == 1 ? PLOT_DOTS : PLOT_LINE, .n = n, .x = x, .y = c->y};
  text_add(&caption, "%s against %s.", c->key, x_key);
  if (c->spread) {
    first->low = shifted(self, c, n, -STUDY_SIGMAS);
    first->high = shifted(self, c, n, STUDY_SIGMAS);
    text_add(&caption, " Bars, where they stand out of the dots, are intervals of 95 %%.");
  }
  if (self->given->ncurves > 0) put_found(self, x_key, c, log, &p, &caption);
  else put_reversals(self, x_key, c, &p, &caption);
  if (self->memory.failed || caption.failed) self->page.status = NESS_NOMEM;
  else plot_figure(&self->page.body, &p, caption.data, ++self->page.figures);
  text_clear(&caption);
}

static void put_curves(study *self, const doc_node *table)
{
  curve curves[STUDY_COLUMNS];
  const int32_t n = table->count, count = find_curves(self, table, 1, curves);
  const char *const x_key = table->first->first->key;
  double *const x = node_column(&self->memory, table, x_key);
  const bool log = x && plot_by_factors(x, n);
  for (int32_t i = 0; log && i < n; i++) x[i] = log10(x[i]);
  for (int32_t c = 0; x && c < count; c++) put_curve(self, x_key, x, n, log, &curves[c]);
}

/* --- maps over two values --- */

static void put_maps(study *self)
{
  curve curves[STUDY_COLUMNS];
  const doc_node *const table = self->table, *const slow = table->first->first;
  const int32_t count = find_curves(self, table, 2, curves);
  const double *const y = node_column(&self->memory, table, slow->key);
  const double *const x = node_column(&self->memory, table, slow->next->key);
  int32_t nx = 1;
  while (x && y && nx < table->count && y[nx] == y[0]) nx++; /* the last range is the fastest */
  const int32_t ny = table->count / nx;
  double *const rows = arena_alloc(&self->memory, (size_t)ny * sizeof *rows);
  for (int32_t j = 0; rows && y && j < ny; j++) rows[j] = y[j * nx];
  for (int32_t c = 0; rows && c < count; c++) {
    const map_view map = {x, rows, curves[c].y, nx, ny, slow->next->key, slow->key, curves[c].key};
    map_figure(&self->page.body, &map, ++self->page.figures);
  }
}

/* --- a course in time --- */

static bool together(const curve *first, const curve *other)
{
  return strcmp(unit_of(first->key), unit_of(other->key)) == 0 && !(first->most > STUDY_CLOSE * other->most);
}

/* Values with units first, largest curves first within one: so that those of a panel can share an axis. */
static bool stands_before(const curve *self, const curve *other)
{
  const char *const unit = unit_of(self->key), *const others = unit_of(other->key);
  return strcmp(unit, others) == 0 ? self->most > other->most : *unit && !*others;
}

static void sort_curves(curve *self, int32_t count)
{
  for (int32_t i = 1; i < count; i++) {
    const curve moved = self[i];
    int32_t at = i;
    while (at > 0 && stands_before(&moved, &self[at - 1])) at--;
    memmove(&self[at + 1], &self[at], (size_t)(i - at) * sizeof *self);
    self[at] = moved;
  }
}

/* Takes out what never changes and names it: the number of channels, a switch that is off. */
static int32_t take_still(study *self, curve *curves, int32_t count, int32_t n)
{
  int32_t kept = 0;
  for (int32_t c = 0; c < count; c++) {
    bool still = true;
    for (int32_t i = 0; i < n; i++)
      still &= curves[c].y[i] == curves[c].y[0] && !(curves[c].spread && curves[c].spread[i] > 0);
    if (!still) {
      curves[kept++] = curves[c];
      continue;
    }
    text_add(&self->still, "%s%s", self->still.length ? ", " : "", curves[c].key);
  }
  return kept;
}

static void put_panel(study *self, const char *x_key, const double *x, const curve *curves, int32_t count, int32_t n,
                      const char *what)
{
  const char *const unit = unit_of(curves[0].key);
  plot p = {.text = "Lines in time, which the table below holds.",
            .x_title = x_key,
            .y_title = count == 1 && *unit ? curves[0].key : arena_format(&self->memory, "%s%s", what, unit),
            .bare = true,
            .count = count};
  text_buffer names = {0};
  for (int32_t c = 0; c < count; c++) {
    text_add(&names, "%s%.*s",
             c == 0           ? ""
             : c + 1 == count ? " and "
                              : ", ",
             (int)(unit_of(curves[c].key) - curves[c].key), curves[c].key);
    p.series[c] = (plot_series){.kind = PLOT_LINE, .n = n, .x = x, .y = curves[c].y, .name = curves[c].key};
  }
  text_add(&names, " in time.");
  if (count == 1 && curves[0].spread) {
    p.series[p.count++] = (plot_series){
        .kind = PLOT_BAND, .n = n, .x = x, .low = shifted(self, curves, n, -1), .high = shifted(self, curves, n, 1)};
    text_add(&names, " The band is a standard deviation to either side.");
  }
  p.title = names.data;
  if (self->memory.failed || names.failed) self->page.status = NESS_NOMEM;
  else plot_figure(&self->page.body, &p, names.data, ++self->page.figures);
  text_clear(&names);
}

static void put_course(study *self, const doc_node *table, const char *what)
{
  curve curves[STUDY_COLUMNS];
  int32_t count = find_curves(self, table, 1, curves), at = 0, next = 1;
  const char *const x_key = table->first->first->key;
  const double *const x = node_column(&self->memory, table, x_key);
  count = take_still(self, curves, count, table->count);
  sort_curves(curves, count);
  for (; x && at < count; at = next) {
    next = at + 1;
    while (next < count && next < at + STUDY_TOGETHER && together(&curves[at], &curves[next])) next++;
    put_panel(self, x_key, x, curves + at, next - at, table->count, what);
  }
}

/* --- the page --- */

/* The table to the last bit, as a link that holds it. */
static void put_csv(study *self, const char *path, const char *name)
{
  text_buffer *const out = &self->page.body;
  char *const csv = ness_doc_csv(self->answer, path);
  if (!csv) self->page.status = NESS_NOMEM;
  text_add(out, "<p><a download=\"");
  html_text(out, name);
  text_add(out, "-%s.csv\" href=\"data:text/csv;charset=utf-8,", path);
  for (const char *at = csv ? csv : ""; *at; at++) {
    const bool plain = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                       *at == '.' || *at == ',' || *at == '-';
    if (plain) text_put(out, at, 1);
    else text_add(out, "%%%02X", (unsigned)(unsigned char)*at);
  }
  text_add(out, "\">The table as CSV</a></p>\n");
  ness_text_free(csv);
}

static void put_answer(study *self, const char *name)
{
  const doc_node *const course = doc_at(self->answer, "course"), *const entropy =
                                                                     doc_at(self->answer, "entropy_course");
  const int32_t axes = self->given->axes > 0 ? self->given->axes : 1;
  text_buffer *const out = &self->page.body;
  self->table = doc_at(self->answer, "table");
  const bool several = is_rows(self->table) && self->table->count > 1 && self->table->first->count > axes;
  const char *const path = is_rows(course) ? "course" : is_rows(self->table) ? "table" : NULL;
  if (is_rows(course)) put_course(self, course, "mean");
  if (is_rows(entropy)) put_course(self, entropy, "entropy production (k_B/s)");
  if (!is_rows(course) && several && axes == 1) put_curves(self, self->table);
  if (!is_rows(course) && several && axes == 2) put_maps(self);
  for (int32_t i = 0; i < self->given->ncurves; i++) {
    const doc_node *const table = doc_at(self->given->curves[i], "table");
    if (!is_rows(table)) continue;
    put_curves(self, table);
    text_add(out, "<details><summary>The curve in numbers</summary>\n");
    html_table(out, table, "curve", NULL, 0);
    text_add(out, "</details>\n");
  }
  if (self->still.length) {
    text_add(out, "<p class=\"note\">Not drawn, for it does not change: ");
    html_text(out, self->still.data);
    text_add(out, ".</p>\n");
  }
  if (path) put_csv(self, path, name);
  if (!path || self->page.figures == 0 || self->given->ncurves > 0) {
    html_members(out, doc_top(self->answer), 2);
    return;
  }
  text_add(out, "<details><summary>The table</summary>\n");
  html_table(out, doc_at(self->answer, path), path, NULL, 0);
  text_add(out, "</details>\n");
}

static void put_page(study *self, text_buffer *out)
{
  const char *const model = ness_doc_string(self->answer, "model"), *const name = model && *model ? model : "model";
  const char *const kind = ness_doc_string(self->answer, "kind"), *method = ness_doc_string(self->answer, "search");
  if (!method) method = ness_doc_string(self->answer, "method");
  if (!method) method = ness_doc_string(self->answer, "method.name");
  if (!method) method = ness_doc_string(self->answer, "run.method");
  put_answer(self, name);
  page_head(out, name, kind ? kind : "answer");
  text_add(out, "<header>\n<h1>");
  html_text(out, name);
  text_add(out, "</h1>\n<pre><code>");
  html_text(out, self->given->command ? self->given->command : "");
  text_add(out, "</code></pre>\n");
  if (method) {
    text_add(out, "<p class=\"second\">");
    html_text(out, method);
    text_add(out, "</p>\n");
  }
  text_add(out, "</header>\n<main id=\"content\" tabindex=\"-1\">\n");
  if (self->page.body.data) text_put(out, self->page.body.data, self->page.body.length);
  const char *const conventions = ness_doc_string(self->answer, "conventions");
  if (conventions && self->page.figures > 0) {
    text_add(out, "<p class=\"note\">");
    html_text(out, conventions);
    text_add(out, "</p>\n");
  }
  text_add(out, "</main>\n");
  page_foot(out);
}

ness_status ness_page_write(const ness_doc *answer, const ness_page_options *given, ness_diags *diags)
{
  ness_page_options options = {0};
  text_buffer out = {0};
  if (!given) return NESS_USAGE;
  memcpy(&options, given, given->struct_size < sizeof options ? given->struct_size : sizeof options);
  if (!options.output) return NESS_USAGE;
  ness_status status = write_allowed(options.output, options.force != 0, diags);
  if (status || !answer) return status;
  study self = {.answer = answer, .given = &options};
  put_page(&self, &out);
  if (self.page.status || self.page.body.failed || self.still.failed || self.memory.failed || out.failed)
    status = NESS_NOMEM;
  if (!status) status = write_whole(options.output, out.data, out.length, diags);
  text_clear(&self.page.body);
  text_clear(&self.still);
  text_clear(&out);
  arena_free(&self.memory);
  return status;
}
