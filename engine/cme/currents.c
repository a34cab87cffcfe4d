/* Net currents along the transitions of a steady state. p_i k_ij - p_j k_ji loses what a fast pair has in common: with
 * flows of 1e7/s and a net of 20/s ten figures are all that doubles can give. But currents are conserved in every
 * state, so only the chords of a spanning tree need that difference, and the tree's currents are sums over the chords
 * that cross their cuts (Schnakenberg 1976). The tree takes the largest flows (Kruskal), so the chord of every cycle is
 * its slowest pair, whose difference is the most accurate; in a class without cycles all currents are exactly 0.
 * Invariant: inflow equals outflow in every state, to the rounding of a sum. Cost: edges * log(edges). */
#include "engine/cme/space.h"
#include "engine/cme/sum.h"
#include <math.h>
#include <stdlib.h>

typedef struct pair { /* the two directions of a step between two states */
  double flow;        /* the larger one-way flow, 1/s */
  int32_t edge;
} pair;

typedef struct forest {
  cme_part *part;
  pair *pairs; /* between different states, by flow descending */
  int32_t npair;
  int32_t *root;  /* (nstate) union-find */
  int32_t *start; /* (nstate + 2) CSR of tree edges over states */
  int32_t *ways;
  int32_t *line, *parent; /* states from the roots outward; the edge that leads from a state to its parent's side, -1 */
  cme_sum *gain;          /* (nstate) what flows into a state and everything behind it, less what flows out */
  bool *tree;             /* (nedge) */
} forest;

/* a b - c d with an error of a unit or two of the result (Kahan; Jeannerod, Louvet, Muller 2013). */
static double difference(double a, double b, double c, double d)
{
  const double cd = c * d;
  return fma(a, b, -cd) + fma(-c, d, cd);
}

static int pair_compare(const void *x, const void *y)
{
  const pair *const a = x, *const b = y;
  if (a->flow != b->flow) return a->flow > b->flow ? -1 : 1;
  return a->edge < b->edge ? -1 : 1;
}

static void current_set(cme_part *part, int32_t e, double current)
{
  part->current[e] = current;
  if (part->edge[e].back >= 0) part->current[part->edge[e].back] = -current;
}

/* Direct differences for all pairs, and the pairs between different states of a class in the order of their flows. */
static void forest_load(forest *self)
{
  cme_part *const part = self->part;
  for (int32_t e = 0; e < part->nedge; e++) {
    const cme_edge *const edge = &part->edge[e];
    if (edge->dir % 2 && edge->back >= 0) continue;
    const double there = part->p[edge->from] * edge->rate;
    double back = 0, current = there;
    if (edge->back >= 0) {
      const double rate = part->edge[edge->back].rate;
      back = part->p[edge->to] * rate;
      current = difference(part->p[edge->from], edge->rate, part->p[edge->to], rate);
    }
    current_set(part, e, current);
    if (edge->from == edge->to || part->class_of[edge->from] < 0) continue;
    self->pairs[self->npair++] = (pair){fmax(there, back), e};
  }
  qsort(self->pairs, (size_t)self->npair, sizeof *self->pairs, pair_compare);
}

static int32_t forest_root(int32_t *root, int32_t state)
{
  while (root[state] != state) state = root[state] = root[root[state]];
  return state;
}

static void forest_grow(forest *self)
{
  const cme_part *const part = self->part;
  int32_t *const cursor = self->start + 1;
  for (int32_t i = 0; i < part->nstate; i++) self->root[i] = i;
  for (int32_t k = 0; k < self->npair; k++) {
    const cme_edge *const edge = &part->edge[self->pairs[k].edge];
    const int32_t a = forest_root(self->root, edge->from), b = forest_root(self->root, edge->to);
    if (a == b) continue;
    self->root[a] = b;
    self->tree[self->pairs[k].edge] = true;
    cursor[edge->from + 1]++;
    cursor[edge->to + 1]++;
  }
  for (int32_t i = 0; i < part->nstate; i++) cursor[i + 1] += cursor[i];
  for (int32_t k = 0; k < self->npair; k++) {
    const int32_t e = self->pairs[k].edge;
    if (!self->tree[e]) continue;
    self->ways[cursor[part->edge[e].from]++] = e;
    self->ways[cursor[part->edge[e].to]++] = e;
  }
}

/* Chords fill the states; then every state, from the leaves inward, passes on what it gained. */
static void forest_settle(forest *self)
{
  cme_part *const part = self->part;
  for (int32_t k = 0; k < self->npair; k++) {
    const int32_t e = self->pairs[k].edge;
    if (self->tree[e]) continue;
    sum_add(&self->gain[part->edge[e].to], part->current[e]);
    sum_add(&self->gain[part->edge[e].from], -part->current[e]);
  }
  int32_t end = 0;
  for (int32_t i = 0; i < part->nstate; i++) self->parent[i] = -2; /* not met */
  for (int32_t i = 0, head = 0; i < part->nstate; i++) {
    if (self->parent[i] != -2) continue;
    self->parent[i] = -1;
    self->line[end++] = i;
    for (; head < end; head++) {
      const int32_t at = self->line[head];
      for (int32_t k = self->start[at]; k < self->start[at + 1]; k++) {
        const cme_edge *const edge = &part->edge[self->ways[k]];
        const int32_t to = edge->from == at ? edge->to : edge->from;
        if (self->parent[to] != -2) continue;
        self->parent[to] = self->ways[k];
        self->line[end++] = to;
      }
    }
  }
  while (end > 0) {
    const int32_t at = self->line[--end], e = self->parent[at];
    if (e < 0) continue;
    const bool outward = part->edge[e].from == at;
    cme_sum *const next = &self->gain[outward ? part->edge[e].to : part->edge[e].from];
    const double gain = sum_get(&self->gain[at]);
    current_set(part, e, outward ? gain : -gain);
    sum_add(next, self->gain[at].high);
    sum_add(next, self->gain[at].low);
  }
}

ness_status currents_find(cme_part *part)
{
  const size_t nstate = (size_t)part->nstate, nedge = (size_t)part->nedge + 1;
  forest self = {.part = part};
  ness_status status = NESS_NOMEM;
  part->current = mem_zero(nedge, sizeof *part->current);
  self.pairs = mem_zero(nedge, sizeof *self.pairs);
  self.root = mem_zero(nstate, sizeof *self.root);
  self.start = mem_zero(nstate + 2, sizeof *self.start);
  self.ways = mem_zero(2 * nstate, sizeof *self.ways);
  self.line = mem_zero(nstate, sizeof *self.line);
  self.parent = mem_zero(nstate, sizeof *self.parent);
  self.gain = mem_zero(nstate, sizeof *self.gain);
  self.tree = mem_zero(nedge, sizeof *self.tree);
  if (part->current && self.pairs && self.root && self.start && self.ways && self.line && self.parent && self.gain &&
      self.tree) {
    forest_load(&self);
    forest_grow(&self);
    forest_settle(&self);
    status = NESS_OK;
  }
  mem_free(self.pairs);
  mem_free(self.root);
  mem_free(self.start);
  mem_free(self.ways);
  mem_free(self.line);
  mem_free(self.parent);
  mem_free(self.gain);
  mem_free(self.tree);
  return status;
}
