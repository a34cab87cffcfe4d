/* Fill-reducing orders. Minimum degree (Amestoy, Davis, Duff, SIAM J. Matrix Anal. Appl. 17, 886 (1996)) serves where
 * there is little fill. On lattices of two and more dimensions nested dissection (George, SIAM J. Numer. Anal. 10, 345
 * (1973)) has a fraction of the work: states that keep two halves apart come last, and so on in the halves. Lattices of
 * counts are cut along coordinates; a graph has none, but distances to a few far landmarks and their sums and
 * differences are as good: from two corners of a rectangle they are its rows and columns. Parts that are small enough
 * are left to minimum degree, which knows of the states around them. Invariant: a node's part is the only one that it
 * or a neighbour of it belongs to, unless that keeps parts apart. Cost: n log n, a second at most for a million. */
#include "engine/markov/gth_order.h"
#include <camd.h>
#include <math.h>
#include <string.h>

enum { LANDMARKS = 4, DIRECTIONS = LANDMARKS * LANDMARKS, DEPTH = 60, LEVELS = 4, LEAF = 100 };

ness_status order_degree(const order_graph *g, const int32_t *set, int32_t *label, int32_t *order)
{
  const size_t n = (size_t)g->n, entries = (size_t)g->start[n], room = entries + entries / 5 + n + 1;
  if (room > INT32_MAX) return NESS_LIMIT;
  ness_status status = NESS_NOMEM;
  int32_t *const work = mem_alloc(room * sizeof *work), *const space = mem_alloc((8 * n + 8) * sizeof *space);
  if (!work || !space) goto out;
  int32_t *const begin = space, *const length = begin + n + 1, *const nv = length + n + 1, *const head = nv + n + 1;
  int32_t *const elements = head + n + 1, *const degree = elements + n + 1, *const mark = degree + n + 1;
  int32_t *const bucket = mark + n + 1;
  memcpy(work, g->to, entries * sizeof *work);
  for (size_t i = 0; i < n; i++) {
    begin[i] = g->start[i];
    length[i] = g->start[i + 1] - begin[i];
  }
  double control[CAMD_CONTROL], info[CAMD_INFO];
  camd_defaults(control);
  camd_2(g->n, begin, work, length, (int32_t)room, (int32_t)entries, nv, label, order, head, elements, degree, mark,
         control, info, set, bucket);
  for (int32_t k = 0; k < g->n; k++) label[order[k]] = k;
  status = NESS_OK;
out:
  mem_free(work);
  mem_free(space);
  return status;
}

/* --- landmarks --- */

typedef struct dissection {
  const order_graph *g;
  int32_t *far;   /* (n x LANDMARKS) distances of a node */
  int32_t *part;  /* (n) that it is in, -1 when it keeps parts apart */
  int32_t *line;  /* (n) nodes, those of a part side by side and ascending */
  int32_t *spare; /* (n) */
  int32_t *level; /* (LEVELS * n) nodes at a level of a direction */
  int32_t *set;
} dissection;

/* Distances from `root` as those to landmark k; what is not reached is where the root is. */
static void landmark_measure(dissection *self, int32_t root, int32_t k)
{
  int32_t *const line = self->spare, end = 0;
  for (int32_t i = 0; i < self->g->n; i++) self->far[(size_t)i * LANDMARKS + (size_t)k] = -1;
  self->far[(size_t)root * LANDMARKS + (size_t)k] = 0;
  line[end++] = root;
  for (int32_t at = 0; at < end; at++) {
    const int32_t i = line[at], next = self->far[(size_t)i * LANDMARKS + (size_t)k] + 1;
    for (int32_t e = self->g->start[i]; e < self->g->start[i + 1]; e++) {
      int32_t *const far = &self->far[(size_t)self->g->to[e] * LANDMARKS + (size_t)k];
      if (*far >= 0) continue;
      *far = next;
      line[end++] = self->g->to[e];
    }
  }
  for (int32_t i = 0; i < self->g->n; i++) {
    int32_t *const far = &self->far[(size_t)i * LANDMARKS + (size_t)k];
    if (*far < 0) *far = 0;
  }
}

/* The first node among those whose nearest of the first `count` landmarks is the farthest. */
static int32_t landmark_find(const dissection *self, int32_t count)
{
  int32_t best = 0, most = -1;
  for (int32_t i = 0; i < self->g->n; i++) {
    const int32_t *const far = self->far + (size_t)i * LANDMARKS;
    int32_t nearest = far[0];
    for (int32_t k = 1; k < count; k++) nearest = far[k] < nearest ? far[k] : nearest;
    if (nearest > most) most = nearest, best = i;
  }
  return best;
}

static void landmarks_place(dissection *self)
{
  landmark_measure(self, 0, 0);
  landmark_measure(self, landmark_find(self, 1), 0);
  for (int32_t k = 1; k < LANDMARKS; k++) landmark_measure(self, landmark_find(self, k), k);
}

/* --- cuts --- */

/* Level of a node in direction (a, b): its distance from a landmark, or the sum or difference of two. */
static int32_t level_of(const int32_t *far, int32_t direction)
{
  const int32_t a = direction / LANDMARKS, b = direction % LANDMARKS;
  return a == b ? far[a] : a < b ? far[a] + far[b] : far[a] - far[b];
}

/* Directions by spread: how many levels count nodes take up in each, as a standard deviation. A level of two distances
 * is counted for half, since a step may change their sum by two. */
static void directions_spread(const dissection *self, const int32_t *nodes, int32_t count, double *spread)
{
  double mean[LANDMARKS] = {0}, both[LANDMARKS][LANDMARKS] = {{0}};
  const int32_t *const origin = self->far + (size_t)nodes[0] * LANDMARKS;
  for (int32_t i = 0; i < count; i++) {
    const int32_t *const far = self->far + (size_t)nodes[i] * LANDMARKS;
    double x[LANDMARKS];
    for (int a = 0; a < LANDMARKS; a++) mean[a] += x[a] = far[a] - origin[a];
    for (int a = 0; a < LANDMARKS; a++) {
      for (int b = 0; b < LANDMARKS; b++) both[a][b] += x[a] * x[b];
    }
  }
  for (int a = 0; a < LANDMARKS; a++) {
    for (int b = 0; b < LANDMARKS; b++) both[a][b] -= mean[a] * mean[b] / count;
  }

  for (int a = 0; a < LANDMARKS; a++) {
    for (int b = 0; b < LANDMARKS; b++) {
      const double cross = a < b ? 2 * both[a][b] : -2 * both[a][b];
      spread[a * LANDMARKS + b] = a == b ? both[a][a] : (both[a][a] + both[b][b] + cross) / 4;
    }
  }
}

typedef struct cut { /* nodes up to `level` in a direction, and those beyond */
  int32_t direction, level;
} cut;

/* The thinnest level near the middle of count nodes in direction c; false when all are at one. */
static bool cut_place(dissection *self, const int32_t *nodes, int32_t count, int32_t *histogram, cut *c)
{
  int32_t low = INT32_MAX, high = INT32_MIN;
  for (int32_t i = 0; i < count; i++) {
    const int32_t l = level_of(self->far + (size_t)nodes[i] * LANDMARKS, c->direction);
    low = l < low ? l : low;
    high = l > high ? l : high;
  }
  if (low >= high || high - low >= LEVELS * (int64_t)count) return false;
  const size_t levels = (size_t)(high - low) + 1;
  memset(histogram, 0, levels * sizeof *histogram);
  for (int32_t i = 0; i < count; i++) {
    histogram[level_of(self->far + (size_t)nodes[i] * LANDMARKS, c->direction) - low]++;
  }
  const bool pair = c->direction / LANDMARKS != c->direction % LANDMARKS;
  double least = INFINITY;
  int64_t below = 0;
  for (size_t l = 0; l + 1 < levels; l++) {
    below += histogram[l];
    const double off = fabs((double)below / count - 0.5);
    const double cost =
        (histogram[l] + (pair && l > 0 ? histogram[l - 1] : 0)) * (1 + 4 * off) + (off > 0.25 ? count : 0);
    if (cost < least) {
      least = cost;
      c->level = low + (int32_t)l;
    }
  }
  return true;
}

/* Whether node i has a neighbour of its part beyond the cut, or before it. */
static bool cut_touches(const dissection *self, const cut *c, int32_t i, bool beyond)
{
  for (int32_t e = self->g->start[i]; e < self->g->start[i + 1]; e++) {
    const int32_t j = self->g->to[e];
    if (self->part[j] != self->part[i]) continue;
    if ((level_of(self->far + (size_t)j * LANDMARKS, c->direction) > c->level) == beyond) return true;
  }
  return false;
}

typedef struct stretch { /* a part: line[from ... to - 1] */
  int32_t from, to, depth;
} stretch;

/* Parts a stretch into two; false when it stays as it is. */
static bool stretch_cut(dissection *self, const stretch *s, int32_t *parts, stretch *first, stretch *second)
{
  int32_t *const nodes = self->line + s->from, count = s->to - s->from;
  cut c = {0, 0};
  double spread[DIRECTIONS];
  directions_spread(self, nodes, count, spread);
  for (int32_t d = 1; d < DIRECTIONS; d++) {
    if (spread[d] > spread[c.direction] * (1 + 1e-9)) c.direction = d;
  }
  if (!cut_place(self, nodes, count, self->level, &c)) return false;
  int32_t touch[2] = {0, 0}, size[2] = {0, 0};
  for (int32_t i = 0; i < count; i++) {
    const bool beyond = level_of(self->far + (size_t)nodes[i] * LANDMARKS, c.direction) > c.level;
    touch[beyond] += cut_touches(self, &c, nodes[i], !beyond);
    size[beyond]++;
  }
  const bool side = touch[1] < touch[0] || (touch[1] == touch[0] && size[1] > size[0]);
  if (2 * touch[side] >= size[side]) return false; /* a wall thicker than the room behind it */
  int32_t end[3] = {0, size[0] - (side ? 0 : touch[0]), count - touch[side]};
  *first = (stretch){s->from, s->from + end[1], s->depth + 1};
  *second = (stretch){s->from + end[1], s->from + end[2], s->depth + 1};
  for (int32_t i = 0; i < count; i++) { /* `part` is changed below, when all have been looked at */
    const int32_t node = nodes[i];
    const bool beyond = level_of(self->far + (size_t)node * LANDMARKS, c.direction) > c.level;
    const bool apart = beyond == side && cut_touches(self, &c, node, !beyond);
    self->spare[s->from + end[apart ? 2 : beyond]++] = node;
  }
  memcpy(nodes, self->spare + s->from, (size_t)count * sizeof *nodes);
  for (int32_t i = first->from; i < first->to; i++) self->part[self->line[i]] = *parts;
  for (int32_t i = second->from; i < second->to; i++) self->part[self->line[i]] = *parts + 1;
  for (int32_t i = second->to; i < s->to; i++) self->part[self->line[i]] = -1;
  for (int32_t i = second->to; i < s->to; i++) self->set[self->line[i]] = DEPTH - s->depth;
  *parts += 2;
  return true;
}

ness_status order_dissect(const order_graph *g, int32_t *set)
{
  const size_t n = (size_t)g->n;
  dissection self = {.g = g, .set = set};
  stretch stack[DEPTH + 2] = {{0, g->n, 0}};
  ness_status status = NESS_NOMEM;
  self.far = mem_alloc(n * LANDMARKS * sizeof *self.far);
  self.part = mem_zero(n, sizeof *self.part);
  self.line = mem_alloc(n * sizeof *self.line);
  self.spare = mem_alloc(n * sizeof *self.spare);
  self.level = mem_alloc(LEVELS * n * sizeof *self.level);
  if (!self.far || !self.part || !self.line || !self.spare || !self.level) goto out;
  memset(set, 0, n * sizeof *set);
  for (int32_t i = 0; i < g->n; i++) self.line[i] = i;
  landmarks_place(&self);
  int32_t parts = 1;
  for (int depth = 1; depth > 0;) {
    const stretch s = stack[--depth];
    if (s.to - s.from <= LEAF || s.depth == DEPTH) continue;
    if (stretch_cut(&self, &s, &parts, &stack[depth], &stack[depth + 1])) depth += 2;
  }
  status = NESS_OK;
out:
  mem_free(self.far);
  mem_free(self.part);
  mem_free(self.line);
  mem_free(self.spare);
  mem_free(self.level);
  return status;
}
