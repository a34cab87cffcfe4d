/* Where nodes and edges stand without Graphviz, and where it would only stretch what is known to be a ring or a row.
 * A ring of states is drawn as a ring, a chain as rows that turn at their ends; anything else on the ring of its
 * longest cycle when one goes through all nodes (Hamilton, by search, up to 12 nodes), else by springs (Fruchterman and
 * Reingold 1991) from a circle. Deterministic. Invariant: edges leave from the border of their nodes, edges between the
 * same nodes lie side by side. Cost: springs 300 times the square of the nodes; the search gives up after 200,000
 * tries. */
#include "analysis/report/report.h"

#include <math.h>
#include <string.h>

#define LAYOUT_PI 3.14159265358979323846
#define LAYOUT_MARGIN 26.0
#define ROW_NODES 7     /* of a chain, at most */
#define ROW_WIDTH 660.0 /* that a page has room for */
#define BUNDLE 3        /* parallel edges of which each has room for its name */
#define NAME_OFF 23.0   /* between a line and the middle of a name above or below it */
#define HAMILTON_NODES 12
#define HAMILTON_TRIES 200000

/* --- what kind of graph it is --- */

typedef struct adjacency {
  bool to[GRAPH_NODES][GRAPH_NODES];
  int32_t degree[GRAPH_NODES];
} adjacency;

static void adjacency_of(const graph *self, adjacency *out)
{
  memset(out, 0, sizeof *out);
  for (int32_t e = 0; e < self->nedge; e++) {
    const int32_t a = self->edges[e].from, b = self->edges[e].to;
    if (a == b || out->to[a][b]) continue;
    out->to[a][b] = out->to[b][a] = true;
    out->degree[a]++;
    out->degree[b]++;
  }
}

/* Walks along nodes of degree two from `start`; the number of nodes walked. */
static int32_t walk(const adjacency *near, int32_t n, int32_t start, int32_t *order)
{
  bool seen[GRAPH_NODES] = {false};
  int32_t count = 0;
  for (int32_t at = start; at >= 0;) {
    int32_t next = -1;
    seen[at] = true;
    order[count++] = at;
    for (int32_t i = 0; i < n && next < 0; i++)
      if (near->to[at][i] && !seen[i]) next = i;
    at = next;
  }
  return count;
}

static bool search_ring(const adjacency *near, int32_t n, int32_t *order, int32_t count, unsigned seen, int32_t *tries)
{
  const int32_t at = order[count - 1];
  if (count == n) return near->to[at][order[0]];
  for (int32_t i = 1; i < n && (*tries)-- > 0; i++) {
    if (!near->to[at][i] || (seen >> i & 1)) continue;
    order[count] = i;
    if (search_ring(near, n, order, count + 1, seen | 1u << i, tries)) return true;
  }
  return false;
}

/* --- places --- */

static void place_ring(graph *self, const int32_t *order, const char *name)
{
  const int32_t n = self->nnode;
  double wide = 0;
  for (int32_t i = 0; i < n; i++) wide = fmax(wide, self->nodes[i].w);
  const double ry = fmax(n == 3 ? 105 : 118, n * 104 / (2 * LAYOUT_PI)),
               rx = fmax(1.25 * ry, n * (wide + 52) / (2 * LAYOUT_PI));
  for (int32_t k = 0; k < n; k++) {
    const double turn = 2 * LAYOUT_PI * k / n - LAYOUT_PI / 2 - (n % 2 == 0 && n < 6 ? LAYOUT_PI / n : 0);
    self->nodes[order[k]].x = rx * cos(turn);
    self->nodes[order[k]].y = ry * sin(turn);
  }
  self->layout = name;
}

static void place_rows(graph *self, const int32_t *order)
{
  double wide = 0, name = 40;
  const int32_t n = self->nnode;
  for (int32_t i = 0; i < n; i++) wide = fmax(wide, self->nodes[i].w);
  for (int32_t e = 0; self->labels && e < self->nedge; e++) name = fmax(name, self->edges[e].label_w + 14);
  const double pitch = wide + (n <= 3 ? fmax(150, name) : name);
  const int32_t fit = (int32_t)fmin(fmax(1 + floor((ROW_WIDTH - wide) / pitch), 2), ROW_NODES);
  const int32_t columns = n <= fit ? n : fit;
  for (int32_t k = 0; k < n; k++) {
    const int32_t row = k / columns, column = k % columns;
    self->nodes[order[k]].x = pitch * (row % 2 ? columns - 1 - column : column);
    self->nodes[order[k]].y = 78.0 * row;
  }
  self->layout = n <= columns ? "a row" : "rows that turn";
}

static void place_springs(graph *self, const adjacency *near)
{
  const int32_t n = self->nnode;
  const double length = n > 30 ? 110 : 150;
  for (int32_t i = 0; i < n; i++) {
    self->nodes[i].x = length * sqrt(n) * 0.5 * cos(2 * LAYOUT_PI * i / n);
    self->nodes[i].y = length * sqrt(n) * 0.5 * sin(2 * LAYOUT_PI * i / n);
  }
  for (int32_t round = 0; round < 300; round++) {
    double push[GRAPH_NODES][2] = {{0}};
    const double most = length * 0.35 * (1 - round / 300.0) + 0.5;
    for (int32_t i = 0; i < n; i++) {
      for (int32_t j = 0; j < n; j++) {
        const double dx = self->nodes[i].x - self->nodes[j].x, dy = self->nodes[i].y - self->nodes[j].y;
        const double far = fmax(sqrt(dx * dx + dy * dy), 1);
        if (i == j) continue;
        const double force = length * length / far - (near->to[i][j] ? far * far / length : 0) - 0.09 * far;
        push[i][0] += dx / far * force;
        push[i][1] += dy / far * force;
      }
    }
    for (int32_t i = 0; i < n; i++) {
      const double far = fmax(hypot(push[i][0], push[i][1]), 1e-9), by = fmin(far, most);
      self->nodes[i].x += push[i][0] / far * by;
      self->nodes[i].y += 0.8 * push[i][1] / far * by;
    }
  }
  self->layout = "springs";
}

/* --- edges --- */

/* Where the line from the middle of a node towards (x, y) crosses its border. */
static void border(const graph_node *node, double x, double y, double *bx, double *by)
{
  const double dx = x - node->x, dy = y - node->y;
  const double sx = dx != 0 ? (node->w / 2 + 3) / fabs(dx) : 1e9, sy = dy != 0 ? (node->h / 2 + 3) / fabs(dy) : 1e9;
  const double s = fmin(sx, sy);
  *bx = node->x + s * dx;
  *by = node->y + s * dy;
}

/* Above the node and below it in turn, each pair wider than the one before. */
static void edge_loop(graph *self, graph_edge *edge, int32_t rank)
{
  const graph_node *const node = &self->nodes[edge->from];
  const int32_t wider = rank / 2;
  const double up = rank % 2 ? 1 : -1, lift = 64 + 52 * wider, side = fmin(0.3 * node->w, 16 + 8 * wider);
  const double from = node->y + up * (node->h / 2 + 3);
  edge->points = 4;
  memcpy(edge->x, (double[]){node->x - side, node->x - 2.4 * side - 6, node->x + 2.4 * side + 6, node->x + side},
         4 * sizeof(double));
  memcpy(edge->y, (double[]){from, from + up * lift, from + up * lift, from}, 4 * sizeof(double));
  edge->label_x = node->x;
  edge->label_y = from + up * (0.75 * lift + NAME_OFF);
}

/* Whether a curve between two nodes runs into a third. */
static bool hits_node(const graph *self, const graph_edge *edge)
{
  for (int32_t k = 1; k < 24; k++) {
    const double t = k / 24.0, u = 1 - t;
    const double x =
        u * u * u * edge->x[0] + 3 * u * u * t * edge->x[1] + 3 * u * t * t * edge->x[2] + t * t * t * edge->x[3];
    const double y =
        u * u * u * edge->y[0] + 3 * u * u * t * edge->y[1] + 3 * u * t * t * edge->y[2] + t * t * t * edge->y[3];
    for (int32_t i = 0; i < self->nnode; i++) {
      const graph_node *const node = &self->nodes[i];
      if (i == edge->from || i == edge->to) continue;
      if (fabs(x - node->x) < node->w / 2 + 6 && fabs(y - node->y) < node->h / 2 + 6) return true;
    }
  }
  return false;
}

/* How far the middle of a name stands from its line, which has this normal. */
static double name_off(const graph_edge *edge, double nx, double ny)
{
  return fabs(nx) * (0.5 * edge->label_w + 9) + fabs(ny) * NAME_OFF;
}

/* On which side of a line, by its normal, the middle of the drawing does not lie. */
static double away_from(const graph *self, double x, double y, double nx, double ny)
{
  double cx = 0, cy = 0;
  for (int32_t i = 0; i < self->nnode; i++) {
    cx += self->nodes[i].x / self->nnode;
    cy += self->nodes[i].y / self->nnode;
  }
  return (x - cx) * nx + (y - cy) * ny < -1e-6 ? -1 : 1;
}

/* A curve that stands `bow` away from the straight line in the middle, to the left of low -> high. */
static void edge_curve(const graph *self, graph_edge *edge, double bow)
{
  const bool turned = edge->from > edge->to;
  const graph_node *const a = &self->nodes[turned ? edge->to : edge->from],
                          *const b = &self->nodes[turned ? edge->from : edge->to];
  const double dx = b->x - a->x, dy = b->y - a->y, far = fmax(hypot(dx, dy), 1e-9), nx = dy / far, ny = -dx / far;
  const double mx = 0.5 * (a->x + b->x) + nx * bow * 4 / 3, my = 0.5 * (a->y + b->y) + ny * bow * 4 / 3;
  double ax, ay, bx, by;
  border(a, mx, my, &ax, &ay);
  border(b, mx, my, &bx, &by);
  double x[4] = {ax, ax + (mx - ax) * 0.62, bx + (mx - bx) * 0.62, bx},
         y[4] = {ay, ay + (my - ay) * 0.62, by + (my - by) * 0.62, by};
  if (bow == 0) {
    for (int k = 1; k < 3; k++) {
      x[k] = ax + (bx - ax) * k / 3;
      y[k] = ay + (by - ay) * k / 3;
    }
  }
  for (int k = 0; k < 4; k++) {
    edge->x[k] = x[turned ? 3 - k : k];
    edge->y[k] = y[turned ? 3 - k : k];
  }
  edge->points = 4;
  const double side = bow != 0 ? (bow > 0 ? 1 : -1) : away_from(self, 0.5 * (ax + bx), 0.5 * (ay + by), nx, ny);
  const double off = name_off(edge, nx, ny);
  edge->label_x = 0.125 * (x[0] + 3 * x[1] + 3 * x[2] + x[3]) + side * nx * off;
  edge->label_y = 0.125 * (y[0] + 3 * y[1] + 3 * y[2] + y[3]) + side * ny * off;
}

/* Edges between the same nodes: how many, and how many of them come before this one. */
static int32_t bundle_of(const graph *self, int32_t e, int32_t *rank, int32_t *largest)
{
  const graph_edge *const edge = &self->edges[e];
  int32_t same = 0;
  *rank = 0;
  *largest = e;
  for (int32_t k = 0; k < self->nedge; k++) {
    const graph_edge *const other = &self->edges[k];
    const bool pair =
        (other->from == edge->from && other->to == edge->to) || (other->from == edge->to && other->to == edge->from);
    if (!pair) continue;
    *rank += k < e;
    same++;
    if (fabs(other->net) > fabs(self->edges[*largest].net)) *largest = k;
  }
  return same;
}

/* The name of a bundle stands outside it, on the side that is away from the middle of the drawing. */
static void bundle_name(const graph *self, graph_edge *edge, int32_t same, double gap)
{
  graph_edge outer = *edge;
  edge_curve(self, &outer, 0);
  const bool turned = edge->from > edge->to;
  const double dx = outer.x[turned ? 0 : 3] - outer.x[turned ? 3 : 0],
               dy = outer.y[turned ? 0 : 3] - outer.y[turned ? 3 : 0];
  const double far = fmax(hypot(dx, dy), 1e-9);
  const double side =
      away_from(self, 0.5 * (outer.x[0] + outer.x[3]), 0.5 * (outer.y[0] + outer.y[3]), dy / far, -dx / far);
  edge_curve(self, &outer, side * (0.5 * gap * (same - 1) + 6));
  edge->label_x = outer.label_x;
  edge->label_y = outer.label_y;
  edge->beside = same - 1;
}

static void layout_edges(graph *self)
{
  for (int32_t e = 0; e < self->nedge; e++) {
    graph_edge *const edge = &self->edges[e];
    int32_t rank, largest;
    const int32_t same = bundle_of(self, e, &rank, &largest);
    if (edge->from == edge->to) {
      edge_loop(self, edge, rank);
      continue;
    }
    const double gap = same > BUNDLE ? 22 : 52, bow = gap * (rank - 0.5 * (same - 1));
    edge_curve(self, edge, bow);
    for (int32_t k = 1; k <= 6 && hits_node(self, edge); k++)
      edge_curve(self, edge, bow + (k % 2 ? 1 : -1) * 45.0 * (double)((k + 1) / 2));
    if (same <= BUNDLE) continue;
    if (e == largest) bundle_name(self, edge, same, gap);
    else edge->beside = -1;
  }
}

/* --- names --- */

#define NAME_TRIES 12

static double overlap(double x, double y, double w, double h, double ox, double oy, double ow, double oh)
{
  const double across = 0.5 * (w + ow) - fabs(x - ox), along = 0.5 * (h + oh) - fabs(y - oy);
  return across > 0 && along > 0 ? across * along : 0;
}

/* What the name of an edge would cover at (x, y): nodes, and the names of the edges before. */
static double name_covers(const graph *self, int32_t e, double x, double y)
{
  const double w = self->edges[e].label_w, h = 30;
  double area = 0;
  for (int32_t i = 0; i < self->nnode; i++)
    area += overlap(x, y, w, h, self->nodes[i].x, self->nodes[i].y, self->nodes[i].w + 4, self->nodes[i].h + 4);
  for (int32_t k = 0; k < e; k++) {
    const graph_edge *const other = &self->edges[k];
    if (other->beside >= 0) area += overlap(x, y, w, h, other->label_x, other->label_y, other->label_w, h);
  }
  return area;
}

/* Moves the names that cover something along their edges and to the other side, to where they cover least. */
static void layout_names(graph *self)
{
  for (int32_t e = 0; e < self->nedge; e++) {
    graph_edge *const edge = &self->edges[e];
    if (edge->beside < 0 || edge->points != 4 || edge->from == edge->to) continue;
    double best = name_covers(self, e, edge->label_x, edge->label_y);
    for (int32_t k = 0; k < NAME_TRIES && best > 0; k++) {
      static const double places[] = {0.5, 0.38, 0.62, 0.27, 0.73, 0.18};
      const double t = places[k / 2], u = 1 - t, side = k % 2 ? 1 : -1;
      const double *const px = edge->x, *const py = edge->y;
      const double x = u * u * u * px[0] + 3 * u * u * t * px[1] + 3 * u * t * t * px[2] + t * t * t * px[3];
      const double y = u * u * u * py[0] + 3 * u * u * t * py[1] + 3 * u * t * t * py[2] + t * t * t * py[3];
      const double dx = px[3] - px[0], dy = py[3] - py[0], far = fmax(hypot(dx, dy), 1e-9);
      const double nx = side * dy / far, ny = -side * dx / far, off = name_off(edge, nx, ny);
      const double covers = name_covers(self, e, x + nx * off, y + ny * off);
      if (!(covers < best)) continue;
      best = covers;
      edge->label_x = x + nx * off;
      edge->label_y = y + ny * off;
    }
  }
}

/* --- the whole --- */

static void grow(double low[2], double high[2], double x, double y, double w, double h)
{
  low[0] = fmin(low[0], x - w);
  high[0] = fmax(high[0], x + w);
  low[1] = fmin(low[1], y - h);
  high[1] = fmax(high[1], y + h);
}

/* Moves everything so that it begins at the margin, and finds the size. */
static void layout_frame(graph *self)
{
  double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
  for (int32_t i = 0; i < self->nnode; i++)
    grow(low, high, self->nodes[i].x, self->nodes[i].y, self->nodes[i].w / 2, self->nodes[i].h / 2);
  for (int32_t e = 0; e < self->nedge; e++) {
    for (int32_t k = 0; k < self->edges[e].points; k++) grow(low, high, self->edges[e].x[k], self->edges[e].y[k], 4, 4);
    if (self->labels && self->edges[e].beside >= 0)
      grow(low, high, self->edges[e].label_x, self->edges[e].label_y, 48, 18);
  }
  if (self->nnode == 0) low[0] = low[1] = high[0] = high[1] = 0;
  const double dx = LAYOUT_MARGIN - low[0], dy = LAYOUT_MARGIN - low[1];
  for (int32_t i = 0; i < self->nnode; i++) {
    self->nodes[i].x += dx;
    self->nodes[i].y += dy;
  }
  for (int32_t e = 0; e < self->nedge; e++) {
    graph_edge *const edge = &self->edges[e];
    for (int32_t k = 0; k < edge->points; k++) {
      edge->x[k] += dx;
      edge->y[k] += dy;
    }
    edge->label_x += dx;
    edge->label_y += dy;
  }
  self->width = high[0] - low[0] + 2 * LAYOUT_MARGIN;
  self->height = high[1] - low[1] + 2 * LAYOUT_MARGIN;
}

void layout_graph(graph *self, bool dot)
{
  adjacency near;
  int32_t order[GRAPH_NODES] = {0}, ends = 0, start = 0, tries = HAMILTON_TRIES, most = 0;
  const int32_t n = self->nnode;
  adjacency_of(self, &near);
  for (int32_t i = 0; i < n; i++) {
    most = near.degree[i] > most ? near.degree[i] : most;
    if (near.degree[i] <= 1 && ends++ == 0) start = i;
  }
  const bool all = n > 0 && walk(&near, n, start, order) == n && most <= 2;
  bool placed = true;
  if (n <= 2 || (all && ends == 2)) place_rows(self, order);
  else if (all && ends == 0) place_ring(self, order, "a ring");
  else placed = false;
  if (!placed && dot && dot_layout(self)) {
    layout_frame(self);
    return;
  }
  order[0] = 0;
  if (!placed && n <= HAMILTON_NODES && search_ring(&near, n, order, 1, 1u, &tries))
    place_ring(self, order, "a ring with chords");
  else if (!placed) place_springs(self, &near);
  layout_edges(self);
  if (self->labels) layout_names(self);
  layout_frame(self);
}
