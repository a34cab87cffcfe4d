/* A map: a value over two parameters as coloured cells, with the line along which it is zero. Invariant: a cell a point
 * of the table, none where it holds no number; colours grow lighter with the value, so that a grey copy says the same,
 * and are told apart by the colour-blind (cividis: Nunez, Anderton and Renslow, PLoS ONE 13, e0199239, 2018). The line
 * is that of marching squares between the middles of cells (Lorensen and Cline, SIGGRAPH 1987). Cost: O(cells). */
#include "analysis/report/report.h"

#include <math.h>

#define MAP_RIGHT 96.0 /* room for the bar of colours */
#define MAP_HEIGHT 420.0
#define MAP_BAR 14.0
#define MAP_COLOURS 10
#define MAP_ROUNDING 1e-9 /* of the largest value: what lies below it has no sign */

static const unsigned char map_colours[MAP_COLOURS][3] = {
    {0x00, 0x22, 0x4e}, {0x12, 0x35, 0x70}, {0x3b, 0x49, 0x6c}, {0x57, 0x5d, 0x6d}, {0x70, 0x71, 0x73},
    {0x8a, 0x86, 0x78}, {0xa5, 0x9c, 0x74}, {0xc3, 0xb3, 0x69}, {0xe1, 0xcc, 0x55}, {0xfe, 0xe8, 0x38}};

static void put_colour(text_buffer *out, double share)
{
  const double at = fmin(fmax(share, 0), 1) * (MAP_COLOURS - 1);
  const int low = (int)fmin(floor(at), MAP_COLOURS - 2);
  text_add(out, "#");
  for (int c = 0; c < 3; c++) {
    const double from = map_colours[low][c], to = map_colours[low + 1][c];
    text_add(out, "%02x", (unsigned)lround(from + (at - low) * (to - from)));
  }
}

static double map_place(const double *at, int32_t i, bool log)
{
  return log ? log10(at[i]) : at[i];
}

/* The border before cell i, 0 ... n: half way to its neighbour. */
static double map_edge(const double *at, int32_t n, int32_t i, bool log)
{
  if (n == 1) return map_place(at, 0, log) + (i ? 0.5 : -0.5);
  if (i == 0) return 1.5 * map_place(at, 0, log) - 0.5 * map_place(at, 1, log);
  if (i == n) return 1.5 * map_place(at, n - 1, log) - 0.5 * map_place(at, n - 2, log);
  return 0.5 * (map_place(at, i - 1, log) + map_place(at, i, log));
}

static plot_scale axis_of(const double *at, int32_t n, bool log)
{
  const double one = map_edge(at, n, 0, log), other = map_edge(at, n, n, log);
  return plot_scale_within(fmin(one, other), fmax(one, other), 7, log);
}

static void put_cells(text_buffer *out, const map_view *self, const plot_box *at, double low, double high)
{
  for (int32_t j = 0; j < self->ny; j++) {
    const double bottom = plot_y(at, map_edge(self->y, self->ny, j, at->y.log));
    const double top = plot_y(at, map_edge(self->y, self->ny, j + 1, at->y.log));
    for (int32_t i = 0; i < self->nx; i++) {
      const double value = self->value[(size_t)j * (size_t)self->nx + (size_t)i];
      const double left = plot_x(at, map_edge(self->x, self->nx, i, at->x.log));
      const double right = plot_x(at, map_edge(self->x, self->nx, i + 1, at->x.log));
      if (!isfinite(value)) continue;
      text_add(out, "<path class=\"cell\" fill=\"");
      put_colour(out, high > low ? (value - low) / (high - low) : 0.5);
      text_add(out, "\" d=\"M%.2f %.2fH%.2fV%.2fH%.2fZ\"/>\n", left, top, right, bottom, left);
    }
  }
}

/* Where the line crosses the sides of one square of four middles, in order around it; 0, 2 or 4 ends. */
static int square_ends(const map_view *self, const plot_box *at, int32_t i, int32_t j, double ends[4][2])
{
  static const int corner[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
  double x[4], y[4], value[4];
  int count = 0;
  for (int c = 0; c < 4; c++) {
    const int32_t column = i + corner[c][0], row = j + corner[c][1];
    x[c] = plot_x(at, map_place(self->x, column, at->x.log));
    y[c] = plot_y(at, map_place(self->y, row, at->y.log));
    value[c] = self->value[(size_t)row * (size_t)self->nx + (size_t)column];
    if (!isfinite(value[c])) return 0;
  }
  for (int c = 0; c < 4; c++) {
    const int next = (c + 1) % 4;
    if ((value[c] < 0) == (value[next] < 0)) continue;
    const double share = value[c] / (value[c] - value[next]);
    ends[count][0] = x[c] + share * (x[next] - x[c]);
    ends[count++][1] = y[c] + share * (y[next] - y[c]);
  }
  return count;
}

/* The line of zero on a pale one, so that it is seen on every colour; nothing where no sign changes. */
static void put_zero(text_buffer *out, const map_view *self, const plot_box *at)
{
  text_buffer line = {0};
  for (int32_t j = 0; j + 1 < self->ny; j++) {
    for (int32_t i = 0; i + 1 < self->nx; i++) {
      double ends[4][2];
      const int count = square_ends(self, at, i, j, ends);
      for (int e = 0; e + 1 < count; e += 2)
        text_add(&line, "M%.2f %.2fL%.2f %.2f", ends[e][0], ends[e][1], ends[e + 1][0], ends[e + 1][1]);
    }
  }
  if (line.data)
    text_add(out, "<path class=\"halo\" d=\"%s\"/><path class=\"zero\" d=\"%s\"/>\n", line.data, line.data);
  out->failed |= line.failed;
  text_clear(&line);
}

static void put_bar(text_buffer *out, const plot_box *at, double low, double high, const char *title, int32_t number)
{
  const double left = at->right + 24;
  const plot_scale marks = plot_scale_within(low, high, 6, false);
  const plot_box bar = {{0, 1, 1, 0, false}, marks, left, left + MAP_BAR, at->top, at->bottom};
  const double first = ceil(marks.from / marks.step - 1e-6) * marks.step;
  text_add(out, "<linearGradient id=\"colours-%d\" x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\">", (int)number);
  for (int c = 0; c < MAP_COLOURS; c++) {
    text_add(out, "<stop offset=\"%.4f\" stop-color=\"", (double)c / (MAP_COLOURS - 1));
    put_colour(out, (double)c / (MAP_COLOURS - 1));
    text_add(out, "\"/>");
  }
  text_add(out, "</linearGradient><path fill=\"url(#colours-%d)\" d=\"M%.1f %.1fh%.1fV%.1fh-%.1fZ\"/>\n", (int)number,
           left, at->top, MAP_BAR, at->bottom, MAP_BAR);
  for (double value = first; value <= marks.to + 1e-9 * marks.step; value += marks.step) {
    char mark[32];
    plot_mark(mark, &marks, value);
    text_add(out, "<text class=\"mark\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", bar.right + 6, plot_y(&bar, value) + 4,
             mark);
  }
  text_add(out, "<text class=\"name\" x=\"%.1f\" y=\"16\" text-anchor=\"end\">", PLOT_WIDTH - 4);
  plot_title(out, title, marks.power);
  text_add(out, "</text>\n");
}

void map_figure(text_buffer *out, const map_view *self, int32_t number)
{
  double low = (double)NAN, high = (double)NAN;
  for (int64_t k = 0; k < (int64_t)self->nx * self->ny; k++) {
    if (!isfinite(self->value[k])) continue;
    low = self->value[k] >= low ? low : self->value[k];
    high = self->value[k] <= high ? high : self->value[k];
  }
  const bool x_log = plot_by_factors(self->x, self->nx), y_log = plot_by_factors(self->y, self->ny);
  const plot_box at = {axis_of(self->x, self->nx, x_log),
                       axis_of(self->y, self->ny, y_log),
                       62,
                       PLOT_WIDTH - MAP_RIGHT,
                       34,
                       MAP_HEIGHT - 46};
  const plot titles = {.x_title = self->x_title, .y_title = self->y_title};
  const bool signs = fmin(-low, high) > MAP_ROUNDING * fmax(-low, high);
  text_buffer caption = {0};
  text_add(&caption, "%s over %s and %s.%s", self->title, self->x_title, self->y_title,
           signs ? " The line is where it is zero." : "");
  figure_begin(out, caption.data, number);
  svg_begin(out, PLOT_WIDTH, MAP_HEIGHT, caption.data,
            "A cell a point, lighter where the value is larger; the bar says which. The table below holds the values.",
            number, "plot");
  plot_axes(out, &titles, &at);
  put_cells(out, self, &at, low, high);
  if (signs) put_zero(out, self, &at);
  put_bar(out, &at, low, high, self->title, number);
  text_add(out, "</svg></div>\n</figure>\n");
  out->failed |= caption.failed;
  text_clear(&caption);
}
