/* The network as a drawing: width is the net current of a step, colour how far it is from balance, and each says so in
 * words as well. Invariant: an arrow points where the net current goes, ends at the border of a node, and a step in
 * balance has a dashed line and no head. Cost: O(nodes + edges). */
#include "analysis/report/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define EDGE_THIN 1.3
#define EDGE_WIDE 5.5 /* added for the largest current */
#define NETWORK_ROWS 300

/* How far from balance, by |ln(forward/backward)| in kT. */
static const struct {
  double below;
  const char *class, *words;
} far_classes[] = {{1e-6, "a0", "in balance or still (dashed)"},
                   {1, "a1", "below 1 kT"},
                   {3, "a2", "1 to 3 kT"},
                   {8, "a3", "3 to 8 kT"},
                   {1e300, "a4", "8 kT and more"},
                   {INFINITY, "a5", "one way only"}};
#define FAR_CLASSES ((int32_t)(sizeof far_classes / sizeof far_classes[0]))

static int32_t class_of(const graph_edge *edge)
{
  if (isnan(edge->ratio)) return -1;
  for (int32_t i = 0; i < FAR_CLASSES - 1; i++)
    if (edge->ratio < far_classes[i].below) return i;
  return FAR_CLASSES - 1;
}

/* --- edges --- */

typedef struct curve { /* in the direction of the net current */
  int32_t n;
  double x[GRAPH_POINTS], y[GRAPH_POINTS];
} curve;

static curve curve_of(const graph_edge *edge)
{
  curve self = {.n = edge->points};
  for (int32_t k = 0; k < edge->points; k++) {
    const int32_t from = edge->net < 0 ? edge->points - 1 - k : k;
    self.x[k] = edge->x[from];
    self.y[k] = edge->y[from];
  }
  return self;
}

static double bezier(const double p[4], double t)
{
  const double u = 1 - t;
  return u * u * u * p[0] + 3 * u * u * t * p[1] + 3 * u * t * t * p[2] + t * t * t * p[3];
}

/* Keeps the part of a cubic before t (de Casteljau). */
static void bezier_cut(double p[4], double t)
{
  const double a = p[0] + t * (p[1] - p[0]), b = p[1] + t * (p[2] - p[1]), c = p[2] + t * (p[3] - p[2]);
  const double d = a + t * (b - a), e = b + t * (c - b);
  p[1] = a;
  p[2] = d;
  p[3] = d + t * (e - d);
}

/* Shortens the curve by the length of its head and returns the tip. */
static void curve_shorten(curve *self, double head, double tip[2])
{
  double *const x = self->x + self->n - 4, *const y = self->y + self->n - 4;
  double low = 0, high = 1;
  tip[0] = x[3];
  tip[1] = y[3];
  for (int32_t k = 0; k < 40; k++) {
    const double t = 0.5 * (low + high);
    if (hypot(bezier(x, t) - tip[0], bezier(y, t) - tip[1]) > head) low = t;
    else high = t;
  }
  bezier_cut(x, low);
  bezier_cut(y, low);
}

static void put_edge(text_buffer *out, const graph_edge *edge, const char *name, const char *reads, double most)
{
  curve line = curve_of(edge);
  const int32_t far = class_of(edge);
  const bool still = far == 0 || !isfinite(edge->net);
  const double share = most > 0 && isfinite(edge->net) ? fabs(edge->net) / most : 0;
  const double width = EDGE_THIN + EDGE_WIDE * (still ? 0 : share), head = 8 + 1.5 * width, half = 3.6 + 0.85 * width;
  double tip[2] = {0, 0};
  if (line.n < 4) return;
  text_add(out, "<g class=\"edge %s\"><title>", far < 0 ? "an" : far_classes[far].class);
  html_text(out, name);
  text_add(out, ": ");
  html_text(out, reads);
  if (isfinite(edge->net)) {
    text_add(out, "; net ");
    html_number(out, edge->net, 6);
    text_add(out, " per s");
  }
  text_add(out, "</title>");
  if (!still) curve_shorten(&line, head - 1, tip);
  text_add(out, "<path d=\"M%.1f %.1f", line.x[0], line.y[0]);
  for (int32_t k = 1; k + 2 < line.n; k += 3)
    text_add(out, "C%.1f %.1f %.1f %.1f %.1f %.1f", line.x[k], line.y[k], line.x[k + 1], line.y[k + 1], line.x[k + 2],
             line.y[k + 2]);
  text_add(out, "\" style=\"stroke-width:%.2f\"/>", width);
  if (!still) {
    const double bx = line.x[line.n - 1], by = line.y[line.n - 1];
    const double far_away = fmax(hypot(tip[0] - bx, tip[1] - by), 1e-9), dx = (tip[0] - bx) / far_away,
                 dy = (tip[1] - by) / far_away;
    text_add(out, "<polygon points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f\"/>", tip[0], tip[1], bx - dx - dy * half,
             by - dy + dx * half, bx - dx + dy * half, by - dy - dx * half);
  }
  text_add(out, "</g>\n");
}

static void put_edge_label(text_buffer *out, const graph_edge *edge, const char *name)
{
  const bool current = isfinite(edge->net);
  if (edge->beside < 0) return;
  text_add(out, "<text class=\"edge-name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", edge->label_x,
           edge->label_y + (current ? -2 : 4));
  html_text(out, name);
  if (edge->beside > 0) text_add(out, " +%d", (int)edge->beside);
  text_add(out, "</text>");
  if (current) {
    text_add(out, "<text class=\"edge-rate\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", edge->label_x,
             edge->label_y + 11);
    html_number(out, edge->ratio == 0 ? 0 : fabs(edge->net), 4);
    text_add(out, "/s</text>");
  }
  text_add(out, "\n");
}

static void put_nodes(text_buffer *out, const graph *g)
{
  for (int32_t i = 0; i < g->nnode; i++) {
    const graph_node *const node = &g->nodes[i];
    text_add(out,
             "<g class=\"node%s\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%.1f\"/><text "
             "x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
             node->reservoir ? " outside" : "", node->x - node->w / 2, node->y - node->h / 2, node->w, node->h,
             node->reservoir ? 3.0 : node->h / 2, node->x, node->y + 4.6);
    html_text(out, node->label);
    text_add(out, "</text></g>\n");
  }
}

/* --- around the drawing --- */

static void put_legend(text_buffer *out, const graph *g, double most)
{
  bool used[FAR_CLASSES] = {false}, outside = false;
  for (int32_t e = 0; e < g->nedge; e++)
    if (class_of(&g->edges[e]) >= 0) used[class_of(&g->edges[e])] = true;
  for (int32_t i = 0; i < g->nnode; i++) outside |= g->nodes[i].reservoir;
  text_add(out, "<ul class=\"legend\">");
  for (int32_t i = 0; i < FAR_CLASSES; i++) {
    if (!used[i]) continue;
    text_add(out,
             "<li><svg width=\"30\" height=\"12\" aria-hidden=\"true\"><g class=\"edge %s\"><path d=\"M1 6H28\" "
             "style=\"stroke-width:3\"/></g></svg> %s</li>",
             far_classes[i].class, far_classes[i].words);
  }
  if (most > 0) {
    text_add(out,
             "<li><svg width=\"30\" height=\"12\" aria-hidden=\"true\"><g class=\"edge an\"><path d=\"M1 6H28\" "
             "style=\"stroke-width:%.1f\"/></g></svg> ",
             EDGE_THIN + EDGE_WIDE);
    html_number(out, most, 4);
    text_add(out, " per s, the largest net current</li>");
  }
  if (outside)
    text_add(out, "<li><svg width=\"30\" height=\"14\" aria-hidden=\"true\"><g class=\"node outside\"><rect x=\"2\" "
                  "y=\"2\" width=\"26\" height=\"10\" rx=\"2\"/></g></svg> reservoirs alone</li>");
  text_add(out, "</ul>\n");
}

static void put_table(text_buffer *out, const report_sources *in, const graph *g)
{
  static const char *const heads[] = {"step", "<reads", "net 1/s", "ln(forward/backward) kT", "<drawn as"};
  text_add(out, "<details><summary>Steps as a table</summary>\n");
  html_table_begin(out, "Steps that are drawn", heads, 5);
  for (int32_t e = 0; e < g->nedge && e < NETWORK_ROWS; e++) {
    const graph_edge *const edge = &g->edges[e];
    const int32_t far = class_of(edge);
    text_add(out, "<tr>");
    html_cell_name(out, network_text(in->net, in->net->step_name[edge->step]));
    html_cell_text(out, network_text(in->net, in->net->step_text[edge->step]));
    html_cell_number(out, edge->net);
    html_cell_number(out, edge->ratio);
    html_cell_text(out, far < 0 ? "current not known" : far_classes[far].words);
    text_add(out, "</tr>\n");
  }
  html_table_end(out);
  text_add(out, "</details>\n");
}

static void put_note(text_buffer *out, const report_sources *in, const graph *g)
{
  text_add(out, "<p class=\"note\">");
  if (g->left_out > 0)
    text_add(out,
             "The network has %d nodes, too many to draw: these are the %d with the largest currents, and the steps "
             "among them. ",
             (int)(g->nnode + g->left_out), (int)g->nnode);
  if (in->analyze)
    text_add(out, "Currents are estimates from the dump; a step seen in one direction only is drawn as one way. ");
  else if (!in->solve) {
    text_add(out, "Currents are not known: ");
    html_text(out, in->no_solve ? in->no_solve : "the steady state was not solved");
    text_add(out, ". ");
  }
  bool bundled = false;
  for (int32_t e = 0; e < g->nedge; e++) bundled |= g->edges[e].beside > 0;
  if (bundled) text_add(out, "Where many steps lie side by side the largest is named, and how many lie beside it. ");
  text_add(out, "Arrows point where the net current goes; their width is in proportion to it.</p>\n");
}

const char *network_figure(text_buffer *out, const report_sources *in, int32_t number, ness_status *status)
{
  graph g;
  char text[200];
  double most = 0;
  *status = graph_build(&g, in);
  if (*status) return NULL;
  layout_graph(&g, in->dot);
  for (int32_t e = 0; e < g.nedge; e++)
    if (isfinite(g.edges[e].net) && g.edges[e].ratio != 0) most = fmax(most, fabs(g.edges[e].net));
  snprintf(text, sizeof text, "A graph of %d nodes and %d steps. The table below holds the same in words.",
           (int)g.nnode, (int)g.nedge);
  figure_begin(out, "The network: states or complexes as nodes, steps as arrows.", number);
  svg_begin(out, g.width, g.height, "The network", text, number, "network");
  for (int32_t e = 0; e < g.nedge; e++) {
    const int32_t step = g.edges[e].step;
    put_edge(out, &g.edges[e], network_text(in->net, in->net->step_name[step]),
             network_text(in->net, in->net->step_text[step]), most);
  }
  put_nodes(out, &g);
  for (int32_t e = 0; g.labels && e < g.nedge; e++)
    put_edge_label(out, &g.edges[e], network_text(in->net, in->net->step_name[g.edges[e].step]));
  text_add(out, "</svg></div>\n");
  put_legend(out, &g, most);
  put_note(out, in, &g);
  put_table(out, in, &g);
  text_add(out, "</figure>\n");
  const char *const layout = g.layout;
  graph_free(&g);
  return layout;
}
