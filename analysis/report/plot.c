/* Axes and marks as SVG. Invariant: what is drawn lies inside its box, marks are round numbers that include the range,
 * and every drawing has a title, a description and the table of its numbers. Marks are at 1, 2 or 5 times a power of
 * ten (Heckbert, Graphics Gems I, 1990). Colours are classes, which the page's style gives light and dark values; lines
 * differ in dash and dots in shape as well. Cost: O(points). */
#include "analysis/report/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PLOT_LEFT 62.0
#define PLOT_RIGHT 18.0
#define PLOT_TOP 34.0
#define PLOT_BOTTOM 46.0
#define PLOT_TABLE 400 /* rows of the table beside a plot */

/* --- scales --- */

static double round_step(double span)
{
  const double power = pow(10, floor(log10(span))), part = span / power;
  return (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10) * power;
}

plot_scale plot_scale_of(double low, double high, int marks)
{
  plot_scale self = {0, 1, 0.5, 0, false};
  if (!isfinite(low) || !isfinite(high)) return self;
  if (!(high - low > 1e-12 * fmax(fabs(low), fabs(high)))) {
    const double room = high != 0 ? 0.5 * fabs(high) : 1;
    low -= room;
    high += room;
  }
  self.step = round_step((high - low) / marks);
  self.from = floor(low / self.step + 1e-9) * self.step;
  self.to = ceil(high / self.step - 1e-9) * self.step;
  const double most = fmax(fabs(self.from), fabs(self.to));
  self.power = most >= 1e5 || most < 1e-2 ? (int)floor(log10(most) + 1e-9) : 0;
  return self;
}

bool plot_by_factors(const double *x, int32_t n)
{
  if (n < 3 || !(x[0] > 0) || !(x[n - 1] >= 20 * x[0])) return false;
  for (int32_t i = 2; i < n; i++) {
    if (!(fabs(x[i] / x[i - 1] * (x[i - 2] / x[i - 1]) - 1) < 1e-6)) return false;
  }
  return true;
}

plot_scale plot_scale_within(double low, double high, int marks, bool log)
{
  plot_scale self = plot_scale_of(low, high, marks);
  self.log = log;
  if (log) self.step = fmax(self.step, 1); /* marks are powers of ten */
  if (log) self.power = 0;
  if (high > low) {
    self.from = low;
    self.to = high;
  }
  return self;
}

static void put_mark(text_buffer *out, const plot_scale *scale, double value)
{
  char mark[32];
  if (scale->log) {
    text_add(out, "10<tspan dy=\"-5\" font-size=\"9\">%.0f</tspan>", value);
    return;
  }
  plot_mark(mark, scale, value);
  text_add(out, "%s", mark);
}

void plot_mark(char out[32], const plot_scale *scale, double value)
{
  const double unit = pow(10, scale->power), step = scale->step / unit;
  const int decimals = (int)ceil(-log10(step) - 1e-9);
  const double shown = fabs(value) < 1e-9 * scale->step ? 0 : value / unit;
  snprintf(out, 32, "%.*f", decimals > 0 ? decimals : 0, shown);
}

void plot_title(text_buffer *out, const char *title, int power)
{
  static const char *const digit[] = {"8304", "185", "178", "179", "8308", "8309", "8310", "8311", "8312", "8313"};
  char text[16];
  const char *const unit = strstr(title, "k_B");
  if (unit) { /* the one subscript there is */
    char *const before = mem_text(title, (size_t)(unit - title));
    html_text(out, before ? before : "");
    mem_free(before);
    text_add(out, "k<tspan dy=\"3\" font-size=\"9\">B</tspan><tspan dy=\"-3\">&#8203;");
    html_text(out, unit + 3);
    text_add(out, "</tspan>");
  } else {
    html_text(out, title);
  }
  if (power == 0) return;
  text_add(out, " &#215; 10");
  snprintf(text, sizeof text, "%d", power);
  for (const char *at = text; *at; at++) text_add(out, "&#%s;", *at == '-' ? "8315" : digit[*at - '0']);
}

/* --- frames --- */

void figure_begin(text_buffer *out, const char *caption, int32_t number)
{
  text_add(out, "<figure id=\"figure-%d\"><figcaption><b>Figure %d.</b> ", (int)number, (int)number);
  html_text(out, caption);
  text_add(out, "</figcaption>\n");
}

void svg_begin(text_buffer *out, double width, double height, const char *title, const char *text, int32_t number,
               const char *class)
{
  text_add(out,
           "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Figure %d\"><svg "
           "xmlns=\"http://www.w3.org/2000/svg\" style=\"min-width:%.0fpx\" class=\"%s\" viewBox=\"0 0 %.0f %.0f\" "
           "width=\"%.0f\" height=\"%.0f\" "
           "role=\"img\" "
           "aria-labelledby=\"svg-%d-title svg-%d-text\">\n<title id=\"svg-%d-title\">",
           (int)number, 0.8 * width, class, width, height, width, height, (int)number, (int)number, (int)number);
  html_text(out, title);
  text_add(out, "</title><desc id=\"svg-%d-text\">", (int)number);
  html_text(out, text);
  text_add(out, "</desc>\n");
}

double plot_x(const plot_box *self, double x)
{
  const double at = self->left + (x - self->x.from) / (self->x.to - self->x.from) * (self->right - self->left);
  return fmin(fmax(at, self->left), self->right);
}

double plot_y(const plot_box *self, double y)
{
  const double at = self->bottom - (y - self->y.from) / (self->y.to - self->y.from) * (self->bottom - self->top);
  return fmin(fmax(at, self->top), self->bottom);
}

static void take(double value, double *low, double *high)
{
  if (!isfinite(value)) return;
  if (!(value >= *low)) *low = value;
  if (!(value <= *high)) *high = value;
}

/* Whole powers of ten around what is there. */
static plot_scale scale_of_decades(double low, double high)
{
  const double from = floor(low + 1e-9);
  return plot_scale_within(from, fmax(ceil(high - 1e-9), from + 1), 7, true);
}

static bool few_marks(const plot_scale *self)
{
  return floor(self->to + 1e-9) - ceil(self->from - 1e-9) < 2;
}

static plot_box box_of(const plot *self)
{
  double x[2] = {(double)NAN, (double)NAN},
         y[2] = {self->from_zero ? 0 : (double)NAN, self->from_zero ? 0 : (double)NAN};
  for (int32_t s = 0; s < self->count; s++) {
    const plot_series *const series = &self->series[s];
    const double half = series->kind == PLOT_BARS && series->n > 1 ? 0.5 * (series->x[1] - series->x[0]) : 0;
    for (int32_t i = 0; i < series->n; i++) {
      take(series->x[i] - half, &x[0], &x[1]);
      take(series->x[i] + half, &x[0], &x[1]);
      if (series->y) take(series->y[i], &y[0], &y[1]);
      if (series->low) take(series->low[i], &y[0], &y[1]);
      if (series->high) take(series->high[i], &y[0], &y[1]);
    }
  }
  const double height = self->height > 0 ? self->height : PLOT_HEIGHT;
  plot_scale across = plot_scale_within(x[0], x[1], 7, self->x_log);
  if (self->x_log && self->y_log && few_marks(&across)) across = scale_of_decades(x[0], x[1]);
  return (plot_box){across,    self->y_log ? scale_of_decades(y[0], y[1]) : plot_scale_of(y[0], y[1], 5),
                    PLOT_LEFT, PLOT_WIDTH - PLOT_RIGHT,
                    PLOT_TOP,  height - PLOT_BOTTOM};
}

static double first_mark(const plot_scale *self, int32_t *count)
{
  const double first = ceil(self->from / self->step - 1e-6) * self->step;
  *count = (int32_t)floor((self->to - first) / self->step + 1e-6) + 1;
  return first;
}

void plot_axes(text_buffer *out, const plot *self, const plot_box *at)
{
  int32_t nx, ny;
  const double x_first = first_mark(&at->x, &nx), y_first = first_mark(&at->y, &ny);
  for (int32_t i = 0; i < ny; i++) {
    const double value = y_first + i * at->y.step, y = plot_y(at, value);
    const bool zero = fabs(value) < 1e-9 * at->y.step && !at->y.log;
    text_add(out,
             "<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/><text class=\"mark\" x=\"%.1f\" y=\"%.1f\" "
             "text-anchor=\"end\">",
             zero ? "axis" : "grid", at->left, y, at->right, at->left - 8, y + 4);
    put_mark(out, &at->y, value);
    text_add(out, "</text>\n");
  }
  for (int32_t i = 0; i < nx; i++) {
    const double value = x_first + i * at->x.step, x = plot_x(at, value);
    if (fabs(value) < 1e-9 * at->x.step && !at->x.log && x > at->left + 1 && x < at->right - 1)
      text_add(out, "<path class=\"axis\" d=\"M%.1f %.1fV%.1f\"/>", x, at->top, at->bottom);
    text_add(out,
             "<path class=\"axis\" d=\"M%.1f %.1fv5\"/><text class=\"mark\" x=\"%.1f\" y=\"%.1f\" "
             "text-anchor=\"middle\">",
             x, at->bottom, x, at->bottom + 19);
    put_mark(out, &at->x, value);
    text_add(out, "</text>\n");
  }
  text_add(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", at->left, at->bottom, at->right);
  text_add(out, "<text class=\"name\" x=\"%.1f\" y=\"16\">", 4.0);
  plot_title(out, self->y_title, at->y.power);
  text_add(out, "</text><text class=\"name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", at->right, at->bottom + 39);
  plot_title(out, self->x_title, at->x.power);
  text_add(out, "</text>\n");
}

/* --- marks --- */

static void put_line(text_buffer *out, const plot_series *self, const plot_box *at, int32_t style)
{
  bool open = false;
  text_add(out, "<path class=\"line s%d%s\" d=\"", (int)style, self->kind == PLOT_DASHED ? " dashed" : "");
  for (int32_t i = 0; i < self->n; i++) {
    const bool there = isfinite(self->x[i]) && isfinite(self->y[i]);
    if (there) text_add(out, "%s%.2f %.2f", open ? "L" : "M", plot_x(at, self->x[i]), plot_y(at, self->y[i]));
    open = there;
  }
  text_add(out, "\"/>\n");
}

static void put_band(text_buffer *out, const plot_series *self, const plot_box *at)
{
  text_add(out, "<path class=\"band\" d=\"");
  for (int32_t i = 0; i < self->n; i++)
    text_add(out, "%s%.2f %.2f", i ? "L" : "M", plot_x(at, self->x[i]), plot_y(at, self->high[i]));
  for (int32_t i = self->n - 1; i >= 0; i--)
    text_add(out, "L%.2f %.2f", plot_x(at, self->x[i]), plot_y(at, self->low[i]));
  text_add(out, "Z\"/>\n");
}

static void put_bars(text_buffer *out, const plot_series *self, const plot_box *at)
{
  const double half = self->n > 1 ? 0.5 * (self->x[1] - self->x[0]) : 0.5;
  const double zero = plot_y(at, 0);
  for (int32_t i = 0; i < self->n; i++) {
    if (!(self->y[i] != 0)) continue;
    const double left = plot_x(at, self->x[i] - half), right = plot_x(at, self->x[i] + half),
                 y = plot_y(at, self->y[i]);
    text_add(out, "<rect class=\"column%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n",
             self->x[i] < 0 ? " minus" : "", left, fmin(y, zero), fmax(right - left - 0.6, 0.6),
             fmax(fabs(zero - y), 0.7));
  }
}

static void put_dots(text_buffer *out, const plot_series *self, const plot_box *at, int32_t style)
{
  for (int32_t i = 0; i < self->n; i++) {
    if (!isfinite(self->x[i]) || !isfinite(self->y[i])) continue;
    const double x = plot_x(at, self->x[i]);
    if (self->low && self->high)
      text_add(out, "<path class=\"whisker s%d\" d=\"M%.2f %.2fV%.2f\"/>", (int)style, x, plot_y(at, self->low[i]),
               plot_y(at, self->high[i]));
    text_add(out, "<circle class=\"dot s%d\" cx=\"%.2f\" cy=\"%.2f\" r=\"3.4\"/>\n", (int)style, x,
             plot_y(at, self->y[i]));
  }
}

static void put_legend(text_buffer *out, const plot *self)
{
  int32_t named = 0;
  bool any = false;
  for (int32_t s = 0; s < self->count; s++) named += self->series[s].name != NULL;
  if (named < 2) return; /* the axis says it */
  for (int32_t s = 0; s < self->count; s++) {
    static const char *const keys[] = {"line", "line dashed", "dot", "column", "band"};
    if (!self->series[s].name) continue;
    text_add(out, "%s<li><svg width=\"26\" height=\"12\" aria-hidden=\"true\">", any ? "" : "<ul class=\"legend\">");
    any = true;
    const plot_kind kind = self->series[s].kind;
    if (kind == PLOT_DOTS) text_add(out, "<circle class=\"dot s%d\" cx=\"13\" cy=\"6\" r=\"3.4\"/>", (int)s);
    else if (kind == PLOT_BARS || kind == PLOT_BAND)
      text_add(out, "<rect class=\"%s\" x=\"3\" y=\"1\" width=\"20\" height=\"10\"/>", keys[kind]);
    else text_add(out, "<path class=\"%s s%d\" d=\"M1 6H25\"/>", keys[kind], (int)s);
    text_add(out, "</svg> ");
    html_text(out, self->series[s].name);
    text_add(out, "</li>");
  }
  if (any) text_add(out, "</ul>\n");
}

/* The numbers of a plot, a table a series: they need not share their x. */
static void put_numbers(text_buffer *out, const plot *self)
{
  bool any = false;
  for (int32_t s = 0; s < self->count; s++) any |= self->series[s].name && self->series[s].y;
  if (!any) return; /* the caller has a table */
  text_add(out, "<details><summary>Numbers of this figure</summary>\n");
  for (int32_t s = 0; s < self->count; s++) {
    const plot_series *const series = &self->series[s];
    if (!series->name || !series->y) continue;
    const char *const heads[] = {self->x_title, self->y_title, "low", "high"};
    const bool whiskers = series->low && series->high;
    html_table_begin(out, series->name, heads, whiskers ? 4 : 2);
    for (int32_t i = 0; i < series->n && i < PLOT_TABLE; i++) {
      text_add(out, "<tr>");
      html_cell_number(out, series->x[i]);
      html_cell_number(out, series->y[i]);
      if (whiskers) {
        html_cell_number(out, series->low[i]);
        html_cell_number(out, series->high[i]);
      }
      text_add(out, "</tr>\n");
    }
    html_table_end(out);
  }
  text_add(out, "</details>\n");
}

void plot_figure(text_buffer *out, const plot *self, const char *caption, int32_t number)
{
  const plot_box at = box_of(self);
  figure_begin(out, caption, number);
  svg_begin(out, PLOT_WIDTH, self->height > 0 ? self->height : PLOT_HEIGHT, self->title, self->text, number, "plot");
  plot_axes(out, self, &at);
  for (int32_t s = 0; s < self->count; s++) { /* bands lie behind */
    if (self->series[s].kind == PLOT_BAND) put_band(out, &self->series[s], &at);
  }
  for (int32_t s = 0; s < self->count; s++) {
    const plot_series *const series = &self->series[s];
    switch (series->kind) {
    case PLOT_LINE:
    case PLOT_DASHED: put_line(out, series, &at, s); break;
    case PLOT_BAND: break;
    case PLOT_BARS: put_bars(out, series, &at); break;
    case PLOT_DOTS: put_dots(out, series, &at, s); break;
    }
  }
  text_add(out, "</svg></div>\n");
  put_legend(out, self);
  if (!self->bare) put_numbers(out, self);
  text_add(out, "</figure>\n");
}

/* --- rows of intervals around 0 --- */

#define ROW_HEIGHT 22.0
#define ROW_LEFT 190.0
#define ROW_NAME 24 /* characters of a name that have room */

static void put_short(text_buffer *out, const char *name)
{
  int shown = 0;
  const char *at = name;
  for (; *at && shown < ROW_NAME; shown++) {
    at++;
    while (((unsigned char)*at & 0xC0) == 0x80) at++;
  }
  char *const start = mem_text(name, (size_t)(at - name));
  html_text(out, start ? start : "");
  out->failed |= !start;
  mem_free(start);
  if (*at) text_add(out, "&#8230;");
}

void plot_rows(text_buffer *out, const plot_row *rows, int32_t count, const char *title, const char *caption,
               int32_t number)
{
  double low = -3, high = 3;
  for (int32_t i = 0; i < count; i++) {
    take(rows[i].low, &low, &high);
    take(rows[i].high, &low, &high);
  }
  const double bottom = 14 + ROW_HEIGHT * count + 6;
  const plot_box at = {plot_scale_of(low, high, 7), {0, 1, 1, 0, false}, ROW_LEFT, PLOT_WIDTH - PLOT_RIGHT, 14, bottom};
  figure_begin(out, caption, number);
  svg_begin(out, PLOT_WIDTH, bottom + PLOT_BOTTOM, title,
            "A row an estimate: a dot where it lies from the exact value, in standard errors, with its interval.",
            number, "plot");
  text_add(out, "<rect class=\"band\" x=\"%.1f\" y=\"14\" width=\"%.1f\" height=\"%.1f\"/>\n", plot_x(&at, -1.96),
           plot_x(&at, 1.96) - plot_x(&at, -1.96), bottom - 14);
  const int32_t nx = (int32_t)lround((at.x.to - at.x.from) / at.x.step);
  for (int32_t i = 0; i <= nx; i++) {
    char mark[32];
    const double value = at.x.from + i * at.x.step, x = plot_x(&at, value);
    plot_mark(mark, &at.x, value);
    text_add(out,
             "<path class=\"%s\" d=\"M%.1f 14V%.1f\"/><text class=\"mark\" x=\"%.1f\" y=\"%.1f\" "
             "text-anchor=\"middle\">%s</text>\n",
             fabs(value) < 1e-9 ? "axis" : "grid", x, bottom, x, bottom + 18, mark);
  }
  for (int32_t i = 0; i < count; i++) {
    const double y = 14 + ROW_HEIGHT * (i + 0.5) + 3, x = plot_x(&at, rows[i].value);
    text_add(out, "<text class=\"mark\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", ROW_LEFT - 10, y + 4);
    put_short(out, rows[i].name);
    text_add(out,
             "</text><path class=\"whisker s0\" d=\"M%.2f %.1fH%.2f\"/><circle class=\"dot %s\" cx=\"%.2f\" "
             "cy=\"%.1f\" r=\"3.6\"/>\n",
             plot_x(&at, rows[i].low), y, plot_x(&at, rows[i].high), fabs(rows[i].value) > 1.96 ? "out" : "s0", x, y);
  }
  text_add(out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", at.right, bottom + 38);
  text_add(out, "(estimate &#8722; exact) / standard error</text>\n</svg></div>\n</figure>\n");
}
