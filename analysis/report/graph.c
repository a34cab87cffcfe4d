/* What is drawn of a network. Nodes are complexes: what stands on one side of a step, without reservoirs; for a protein
 * that are its states. A side without counts is a node of its own that names the reservoirs. Steps are edges, each its
 * own, also between the same nodes. Currents come from the documents, never from here. Of a network with more than
 * GRAPH_NODES nodes those with the largest currents are kept. Cost: O(steps) and a search among nodes a step. */
#include "analysis/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GRAPH_STEPS 20000 /* beyond, only the first are looked at: nobody could see them */
#define GRAPH_EDGES 240   /* drawn */
#define GRAPH_NAME 22     /* characters of a node that have room */

/* --- sides of a step --- */

/* Copies of a slot on a side: reactants of that direction where they are known, else the change alone. */
static void side_of(const ness_network *net, int32_t step, int right, int32_t *count)
{
  const int32_t known = net->dir_law[2 * step + right] == LAW_MASS    ? 2 * step + right
                        : net->dir_law[2 * step + !right] == LAW_MASS ? 2 * step + !right
                                                                      : -1;
  for (int32_t i = known < 0 ? 0 : net->react_start[known]; known >= 0 && i < net->react_start[known + 1]; i++)
    count[net->react_slot[i]] += net->react_mult[i];
  const bool other = known >= 0 && (known & 1) != right;
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t by = right ? net->change_by[c] : -net->change_by[c];
    if (other || (known < 0 && by > 0)) count[net->change_slot[c]] += by;
  }
}

static void side_forget(const ness_network *net, int32_t step, int32_t *count)
{
  for (int32_t d = 2 * step; d < 2 * step + 2; d++)
    for (int32_t i = net->react_start[d]; i < net->react_start[d + 1]; i++) count[net->react_slot[i]] = 0;
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) count[net->change_slot[c]] = 0;
}

static void term_add(text_buffer *out, int32_t count, const char *name)
{
  if (count <= 0) return;
  if (out->length) text_put(out, " + ", 3);
  if (count > 1) text_add(out, "%d ", (int)count);
  text_add(out, "%s", name);
}

/* The slots of a side in the order of the step's lists, each once. The levels at which a step is taken are left out:
 * its name has them, and the states that they move stand together then. So are variables, which every step may move. */
static void side_text(const ness_network *net, int32_t step, int32_t *count, text_buffer *out)
{
  for (int32_t d = 2 * step; d < 2 * step + 2; d++) {
    for (int32_t i = net->react_start[d]; i < net->react_start[d + 1]; i++) {
      const int32_t slot = net->react_slot[i];
      if (net->step_proc[step] < 0 && network_is_level(net, slot)) count[slot] = 0;
      term_add(out, count[slot], network_text(net, net->slot_name[slot]));
      count[slot] = 0;
    }
  }
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t slot = net->change_slot[c];
    if (net->slot_var[slot] < 0) term_add(out, count[slot], network_text(net, net->slot_name[slot]));
    count[slot] = 0;
  }
}

static void reservoir_text(const ness_network *net, int32_t step, int right, text_buffer *out)
{
  for (int32_t i = net->exch_start[step]; i < net->exch_start[step + 1]; i++)
    term_add(out, right ? net->exch_by[i] : -net->exch_by[i], network_text(net, net->res_name[net->exch_res[i]]));
}

/* At most GRAPH_NAME characters. */
static char *shortened(graph *self, const char *text)
{
  size_t bytes = 0;
  for (int shown = 0; text[bytes] && shown < GRAPH_NAME; shown++) {
    bytes++;
    while (((unsigned char)text[bytes] & 0xC0) == 0x80) bytes++;
  }
  if (!text[bytes]) return arena_text(&self->memory, text, bytes);
  return arena_format(&self->memory, "%.*s\xE2\x80\xA6", (int)bytes, text);
}

static int characters(const char *text)
{
  int count = 0;
  for (; *text; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
  return count;
}

/* --- nodes --- */

typedef struct node_room {
  int64_t capacity;
  char **full; /* (nnode) the whole label: what tells nodes apart */
  int64_t full_capacity;
} node_room;

static int32_t node_of(graph *self, node_room *room, const char *full, bool reservoir)
{
  for (int32_t i = self->nnode - 1; i >= 0; i--)
    if (self->nodes[i].reservoir == reservoir && strcmp(room->full[i], full) == 0) return i;
  if (!mem_grow(&self->nodes, &room->capacity, self->nnode + 1, sizeof *self->nodes) ||
      !mem_grow(&room->full, &room->full_capacity, self->nnode + 1, sizeof *room->full))
    return -1;
  graph_node *const node = &self->nodes[self->nnode];
  memset(node, 0, sizeof *node);
  node->label = shortened(self, *full ? full : "\xE2\x88\x85"); /* the empty set: nothing on that side */
  room->full[self->nnode] = arena_text(&self->memory, full, strlen(full));
  if (!node->label || !room->full[self->nnode]) return -1;
  node->reservoir = reservoir;
  const int wide = characters(node->label);
  node->w = 8.2 * (wide < 3 ? 3 : wide) + 20;
  node->h = 32;
  return self->nnode++;
}

static int32_t node_of_side(graph *self, node_room *room, const ness_network *net, int32_t step, int right,
                            int32_t *count)
{
  text_buffer text = {0};
  side_of(net, step, right, count);
  side_text(net, step, count, &text);
  side_forget(net, step, count);
  const bool reservoir = text.length == 0;
  if (reservoir) reservoir_text(net, step, right, &text);
  text_put(&text, "", 0);
  const int32_t id = text.failed ? -1 : node_of(self, room, text.data ? text.data : "", reservoir);
  text_clear(&text);
  return id;
}

/* --- currents of the steps --- */

static void edge_current(graph_edge *edge, const char *name, const doc_node **row, const doc_node *rows)
{
  const doc_node *at = *row;
  if (at && (!node_string(at, "step") || strcmp(node_string(at, "step"), name) != 0)) at = NULL;
  for (const doc_node *other = at ? NULL : rows ? rows->first : NULL; other && !at; other = other->next)
    if (node_string(other, "step") && strcmp(node_string(other, "step"), name) == 0) at = other;
  edge->net = edge->ratio = edge->entropy = (double)NAN;
  if (!at) return;
  *row = at->next;
  const double net = node_number(at, "net"), forward = node_number(at, "forward"),
               backward = node_number(at, "backward");
  edge->net = isnan(net) ? node_number(at, "estimate") : net;
  if (forward >= 0 && backward >= 0) edge->ratio = forward + backward > 0 ? fabs(log(forward / backward)) : 0;
  if (edge->ratio < 1e-9) edge->ratio = 0;
  edge->entropy = isfinite(edge->ratio) ? fabs(edge->net) * edge->ratio : edge->ratio;
}

/* --- the largest part of it --- */

typedef struct ranked {
  double weight;
  int32_t id;
} ranked;

static int ranked_compare(const void *a, const void *b)
{
  const ranked *const x = a, *const y = b;
  if (x->weight != y->weight) return x->weight > y->weight ? -1 : 1;
  return (x->id > y->id) - (x->id < y->id);
}

/* Keeps the nodes with most current and the edges among them, each in its order. */
static bool keep_largest(graph *self)
{
  ranked *const order = mem_zero((size_t)self->nnode + (size_t)self->nedge + 1, sizeof *order);
  int32_t *const place = mem_zero((size_t)self->nnode + 1, sizeof *place);
  if (!order || !place) {
    mem_free(order);
    mem_free(place);
    return false;
  }
  for (int32_t i = 0; i < self->nnode; i++) order[i] = (ranked){self->nodes[i].weight, i};
  qsort(order, (size_t)self->nnode, sizeof *order, ranked_compare);
  for (int32_t i = 0; i < self->nnode; i++) place[order[i].id] = i < GRAPH_NODES ? 0 : -1;
  int32_t kept = 0, edges = 0;
  for (int32_t i = 0; i < self->nnode; i++) {
    if (place[i] < 0) continue;
    place[i] = kept;
    self->nodes[kept++] = self->nodes[i];
  }
  self->left_out = self->nnode - kept;
  self->nnode = kept;
  for (int32_t e = 0; e < self->nedge && edges < GRAPH_EDGES; e++) {
    graph_edge edge = self->edges[e];
    edge.from = place[edge.from];
    edge.to = place[edge.to];
    if (edge.from >= 0 && edge.to >= 0) self->edges[edges++] = edge;
  }
  self->nedge = edges;
  mem_free(order);
  mem_free(place);
  return true;
}

static double weight_of(const graph_edge *edge)
{
  return isfinite(edge->net) ? fabs(edge->net) : 0;
}

ness_status graph_build(graph *self, const report_sources *in)
{
  const ness_network *const net = in->net;
  const ness_doc *const doc = in->analyze ? in->analyze : in->solve;
  const doc_node *const rows = doc ? doc_at(doc, "steps") : NULL, *row = rows ? rows->first : NULL;
  const int32_t steps = net->nstep < GRAPH_STEPS ? net->nstep : GRAPH_STEPS;
  int32_t *const count = mem_zero((size_t)net->nslot + 1, sizeof *count);
  node_room room = {0};
  memset(self, 0, sizeof *self);
  self->edges = mem_zero((size_t)steps + 1, sizeof *self->edges);
  bool good = count && self->edges;
  for (int32_t s = 0; good && s < steps; s++) {
    graph_edge *const edge = &self->edges[self->nedge++];
    edge->step = s;
    edge->label_w = 6.6 * fmax(characters(network_text(net, net->step_name[s])), 11);
    edge->from = node_of_side(self, &room, net, s, 0, count);
    edge->to = node_of_side(self, &room, net, s, 1, count);
    good = edge->from >= 0 && edge->to >= 0;
    if (!good) break;
    edge_current(edge, network_text(net, net->step_name[s]), &row, rows);
    self->nodes[edge->from].weight += weight_of(edge);
    self->nodes[edge->to].weight += weight_of(edge);
  }
  mem_free(room.full);
  mem_free(count);
  if (good && (self->nnode > GRAPH_NODES || self->nedge > GRAPH_EDGES)) good = keep_largest(self);
  self->labels = self->nedge <= 40;
  if (!good) graph_free(self);
  return good ? NESS_OK : NESS_NOMEM;
}

void graph_free(graph *self)
{
  mem_free(self->nodes);
  mem_free(self->edges);
  arena_free(&self->memory);
  memset(self, 0, sizeof *self);
}
