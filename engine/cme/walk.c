/* Simple cycles of a multigraph. Each is found from its lowest state by going on, over higher states only, as long as
 * the way back can still be reached, so no step of the search is in vain (the pruning of Johnson, SIAM J. Comput. 4, 77
 * (1975), with a flood over bit masks in place of his blocking lists); of the two orientations the one with the lower
 * first link is kept. Parallel links are distinct, two of them are a cycle; a link that leaves its state where it is is
 * one by itself. Cost: cycles * length * states / a word's parallelism; the basis is linear in its own length. */
#include "engine/cme/walk.h"
#include "engine/cme/space.h"
#include <string.h>

/* --- the graph --- */

ness_status walk_load(walk_graph *self, const cme_part *part, const int32_t *state, int32_t n, const int32_t *local)
{
  *self = (walk_graph){.n = n, .state = state};
  int64_t edges = 0;
  for (int32_t i = 0; i < n; i++) edges += part->q.start[state[i] + 1] - part->q.start[state[i]];
  self->link = mem_zero((size_t)edges + 1, sizeof *self->link);
  self->start = mem_zero((size_t)n + 2, sizeof *self->start);
  self->ways = mem_zero(2 * (size_t)edges + 1, sizeof *self->ways);
  if (!self->link || !self->start || !self->ways) return NESS_NOMEM;
  for (int32_t i = 0; i < n; i++) {
    for (int64_t e = part->q.start[state[i]]; e < part->q.start[state[i] + 1]; e++) {
      const bool backward = part->dir[e] % 2;
      const int32_t back = (int32_t)cme_back(part, state[i], e), id = (int32_t)e, step = part->dir[e] / 2;
      if (backward && back >= 0) continue;
      const int32_t to = local[part->q.to[e]];
      self->link[self->nlink++] = backward
                                      ? (walk_link){.a = to, .b = i, .step = step, .forward = -1, .backward = id}
                                      : (walk_link){.a = i, .b = to, .step = step, .forward = id, .backward = back};
    }
  }
  int32_t *const cursor = self->start + 1;
  for (int32_t k = 0; k < self->nlink; k++) {
    cursor[self->link[k].a + 1]++;
    if (self->link[k].b != self->link[k].a) cursor[self->link[k].b + 1]++;
  }
  for (int32_t i = 0; i < n; i++) cursor[i + 1] += cursor[i];
  for (int32_t k = 0; k < self->nlink; k++) {
    self->ways[cursor[self->link[k].a]++] = k;
    if (self->link[k].b != self->link[k].a) self->ways[cursor[self->link[k].b]++] = k;
  }
  return NESS_OK;
}

void walk_graph_free(walk_graph *self)
{
  mem_free(self->link);
  mem_free(self->start);
  mem_free(self->ways);
  *self = (walk_graph){0};
}

static int32_t turn_from(const walk_link *link, int32_t state)
{
  return link->a == state ? 0 : 1;
}

static int32_t link_other(const walk_link *link, int32_t state)
{
  return link->a == state ? link->b : link->a;
}

/* --- lists --- */

static ness_status list_push(walk_list *self, int32_t turn)
{
  const ness_status status = cme_room(&self->turn, &self->capacity, self->length + 1, sizeof *self->turn);
  if (status) return status;
  self->turn[self->length++] = turn;
  return NESS_OK;
}

/* Ends the walk that was pushed since the last end. */
static ness_status list_end(walk_list *self)
{
  const ness_status status = cme_room(&self->start, &self->start_capacity, self->count + 2, sizeof *self->start);
  if (status) return status;
  if (self->count == 0) self->start[0] = 0;
  self->start[++self->count] = self->length;
  return NESS_OK;
}

void walk_list_free(walk_list *self)
{
  mem_free(self->turn);
  mem_free(self->start);
  *self = (walk_list){0};
}

/* --- all cycles --- */

typedef struct walker {
  const walk_graph *graph;
  walk_list *out;
  int64_t cap, seen;
  uint64_t near[64]; /* states next to a state */
  uint64_t open;     /* states above the root that are not on the path */
  uint64_t closing;  /* states from which a link higher than the first leads back to the root */
  int32_t root, first;
  int32_t path[64]; /* turns */
  int32_t depth;
} walker;

static uint64_t bit(int32_t state)
{
  return UINT64_C(1) << state;
}

/* Whether a closing state can be reached from `state` over open ones. */
static bool walker_hope(const walker *self, int32_t state)
{
  uint64_t reached = bit(state), fresh = reached;
  while (fresh && !(reached & self->closing)) {
    uint64_t next = 0;
    for (int32_t i = 0; fresh; i++, fresh >>= 1) {
      if (fresh & 1) next |= self->near[i];
    }
    fresh = next & self->open & ~reached;
    reached |= fresh;
  }
  return (reached & self->closing) != 0;
}

static ness_status walker_emit(walker *self)
{
  if (++self->seen > self->cap) return NESS_LIMIT;
  bool forward = true, backward = true;
  for (int32_t k = 0; k < self->depth; k++) {
    const walk_link *const link = &self->graph->link[self->path[k] / 2];
    const bool turned = self->path[k] % 2;
    forward = forward && (turned ? link->backward : link->forward) >= 0;
    backward = backward && (turned ? link->forward : link->backward) >= 0;
  }
  ness_status status = NESS_OK;
  if (!forward && !backward) return status;
  for (int32_t k = 0; status == NESS_OK && k < self->depth; k++) status = list_push(self->out, self->path[k]);
  return status == NESS_OK ? list_end(self->out) : status;
}

static void walker_close_above(walker *self, int32_t first)
{
  const walk_graph *const graph = self->graph;
  self->first = first;
  self->closing = 0;
  for (int32_t k = graph->start[self->root]; k < graph->start[self->root + 1]; k++) {
    if (graph->ways[k] > first) self->closing |= bit(link_other(&graph->link[graph->ways[k]], self->root));
  }
}

/* Goes on from `state` in every way that leads back to the root. The depth is at most the number of states. */
static ness_status walker_go(walker *self, int32_t state)
{
  const walk_graph *const graph = self->graph;
  ness_status status = NESS_OK;
  for (int32_t k = graph->start[state]; status == NESS_OK && k < graph->start[state + 1]; k++) {
    const int32_t id = graph->ways[k];
    const walk_link *const link = &graph->link[id];
    const int32_t to = link_other(link, state);
    self->path[self->depth] = 2 * id + turn_from(link, state);
    if (to == self->root) {
      if (self->depth > 0 ? id <= self->first : to != state) continue;
      self->depth++;
      status = walker_emit(self);
      self->depth--;
      continue;
    }
    if (!(self->open & bit(to))) continue;
    if (self->depth == 0) walker_close_above(self, id);
    self->open &= ~bit(to);
    self->depth++;
    if (walker_hope(self, to)) status = walker_go(self, to);
    self->depth--;
    self->open |= bit(to);
  }
  return status;
}

ness_status walk_all(const walk_graph *graph, int64_t cap, walk_list *out)
{
  walker self = {.graph = graph, .out = out, .cap = cap};
  for (int32_t k = 0; k < graph->nlink; k++) {
    const walk_link *const link = &graph->link[k];
    if (link->a == link->b) continue;
    self.near[link->a] |= bit(link->b);
    self.near[link->b] |= bit(link->a);
  }
  ness_status status = NESS_OK;
  for (int32_t root = 0; status == NESS_OK && root < graph->n; root++) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    self.root = root;
    self.first = -1;
    self.open = 0;
    for (int32_t i = root + 1; i < graph->n; i++) self.open |= bit(i);
    status = walker_go(&self, root);
  }
  return status;
}

/* --- a basis --- */

/* The way from the chord's head up to where both ends meet, and down to its tail. */
static ness_status basis_close(const walk_graph *graph, const int32_t *parent, const int32_t *depth, int32_t chord,
                               int32_t *down, walk_list *out)
{
  ness_status status = list_push(out, 2 * chord);
  int32_t up = graph->link[chord].b, end = graph->link[chord].a, count = 0;
  while (status == NESS_OK && up != end) {
    if (depth[up] >= depth[end]) {
      const walk_link *const link = &graph->link[parent[up]];
      status = list_push(out, 2 * parent[up] + turn_from(link, up));
      up = link_other(link, up);
    } else {
      const walk_link *const link = &graph->link[parent[end]];
      down[count++] = 2 * parent[end] + turn_from(link, link_other(link, end));
      end = link_other(link, end);
    }
  }
  while (status == NESS_OK && count > 0) status = list_push(out, down[--count]);
  return status == NESS_OK ? list_end(out) : status;
}

ness_status walk_basis(const walk_graph *graph, walk_list *out)
{
  const size_t n = (size_t)graph->n;
  ness_status status = NESS_NOMEM;
  int32_t *const parent = mem_zero(n, sizeof *parent), *const depth = mem_zero(n, sizeof *depth);
  int32_t *const line = mem_zero(n, sizeof *line), *const down = mem_zero(n, sizeof *down);
  if (!parent || !depth || !line || !down) goto out;
  for (int32_t i = 0; i < graph->n; i++) parent[i] = -1;
  int32_t end = 1; /* line[0] is state 0, the root */
  for (int32_t head = 0; head < end; head++) {
    const int32_t i = line[head];
    for (int32_t k = graph->start[i]; k < graph->start[i + 1]; k++) {
      const int32_t j = link_other(&graph->link[graph->ways[k]], i);
      if (j == 0 || parent[j] >= 0) continue;
      parent[j] = graph->ways[k];
      depth[j] = depth[i] + 1;
      line[end++] = j;
    }
  }
  status = NESS_OK;
  for (int32_t k = 0; status == NESS_OK && k < graph->nlink; k++) {
    if (k % 1024 == 0 && interrupt_pending()) status = NESS_INTERRUPTED;
    if (parent[graph->link[k].a] == k || parent[graph->link[k].b] == k) continue;
    if (status == NESS_OK) status = basis_close(graph, parent, depth, k, down, out);
  }
out:
  mem_free(parent);
  mem_free(depth);
  mem_free(line);
  mem_free(down);
  return status;
}

/* --- one orientation --- */

bool walk_normal(const walk_graph *graph, int32_t *turn, int64_t length, int32_t *scratch)
{
  int64_t best = 0;
  for (int64_t k = 1; k < length; k++) {
    const walk_link *const link = &graph->link[turn[k] / 2], *const low = &graph->link[turn[best] / 2];
    if (link->step < low->step || (link->step == low->step && link->a < low->a)) best = k;
  }
  const bool reverse = turn[best] % 2;
  for (int64_t k = 0; k < length; k++) {
    scratch[k] = reverse ? turn[(best - k + length) % length] ^ 1 : turn[(best + k) % length];
  }
  memcpy(turn, scratch, (size_t)length * sizeof *turn);
  return reverse;
}
