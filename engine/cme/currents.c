/* Net currents along the transitions of a steady state. p_i k_ij - p_j k_ji loses what a fast pair has in common: with
 * flows of 1e7/s and a net of 20/s ten figures are all that doubles can give. But currents are conserved in every
 * state, so only the chords of a spanning tree need that difference, and the tree's currents are sums over the chords
 * that cross their cuts (Schnakenberg 1976). The tree takes the largest flows (Kruskal), so the chord of every cycle is
 * its slowest pair, whose difference is the most accurate; in a class without cycles all currents are exactly 0.
 * Invariant: inflow equals outflow in every state, to the rounding of a sum. Cost: edges * log(edges); beyond two
 * million transitions nothing is kept and a current is the difference itself. */
#include "engine/cme/space.h"
#include "engine/markov/sum.h"
#include <math.h>
#include <stdlib.h>

#define TREE_TRANSITIONS 2000000

typedef struct pair { /* the two directions of a step between two states */
  double flow;        /* the larger one-way flow, 1/s */
  int32_t edge;       /* forward where it exists */
  int32_t from, to;
  bool tree;
} pair;

typedef struct forest {
  cme_part *part;
  pair *pairs; /* between different states, by flow descending */
  int32_t npair;
  int32_t *root;          /* (nstate) union-find */
  int32_t *start;         /* (nstate + 2) CSR of tree edges over states */
  int32_t *ways;          /* pairs */
  int32_t *line, *parent; /* states from the roots outward; the pair that leads from a state to its parent's side, -1 */
  exact_sum *gain;        /* (nstate) what flows into a state and everything behind it, less what flows out */
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

int64_t cme_back(const cme_part *self, int32_t from, int64_t e)
{
  const int32_t to = self->q.to[e], back = self->dir[e] ^ 1;
  int64_t low = self->q.start[to], high = self->q.start[to + 1];
  (void)from; /* the ways out of a state are sorted by direction, and no direction occurs twice */
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (self->dir[middle] < back) low = middle + 1;
    else high = middle;
  }
  return low < self->q.start[to + 1] && self->dir[low] == back ? low : -1;
}

double cme_current(const cme_part *self, int32_t from, int64_t e)
{
  if (self->current) return self->current[e];
  const int64_t back = cme_back(self, from, e);
  const double p = self->p[from], rate = self->q.rate[e];
  return back < 0 ? p * rate : difference(p, rate, self->p[self->q.to[e]], self->q.rate[back]);
}

static void current_set(cme_part *part, int32_t from, int64_t e, double current)
{
  const int64_t back = cme_back(part, from, e);
  part->current[e] = current;
  if (back >= 0) part->current[back] = -current;
}

/* Direct differences for all pairs, and the pairs between different states of a class in the order of their flows. */
static void forest_load(forest *self)
{
  cme_part *const part = self->part;
  for (int32_t i = 0; i < part->q.n; i++) {
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const int64_t back = cme_back(part, i, e);
      if (part->dir[e] % 2 && back >= 0) continue;
      const int32_t to = part->q.to[e];
      const double rate = part->q.rate[e], there = part->p[i] * rate,
                   again = back >= 0 ? part->p[to] * part->q.rate[back] : 0;
      const double current = back >= 0 ? difference(part->p[i], rate, part->p[to], part->q.rate[back]) : there;
      part->current[e] = current;
      if (back >= 0) part->current[back] = -current;
      if (i == to || part->classes.of[i] < 0) continue;
      self->pairs[self->npair++] = (pair){fmax(there, again), (int32_t)e, i, to, false};
    }
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
  for (int32_t i = 0; i < part->q.n; i++) self->root[i] = i;
  for (int32_t k = 0; k < self->npair; k++) {
    pair *const edge = &self->pairs[k];
    const int32_t a = forest_root(self->root, edge->from), b = forest_root(self->root, edge->to);
    if (a == b) continue;
    self->root[a] = b;
    edge->tree = true;
    cursor[edge->from + 1]++;
    cursor[edge->to + 1]++;
  }
  for (int32_t i = 0; i < part->q.n; i++) cursor[i + 1] += cursor[i];
  for (int32_t k = 0; k < self->npair; k++) {
    if (!self->pairs[k].tree) continue;
    self->ways[cursor[self->pairs[k].from]++] = k;
    self->ways[cursor[self->pairs[k].to]++] = k;
  }
}

/* Chords fill the states; then every state, from the leaves inward, passes on what it gained. */
static void forest_settle(forest *self)
{
  cme_part *const part = self->part;
  for (int32_t k = 0; k < self->npair; k++) {
    const pair *const chord = &self->pairs[k];
    if (chord->tree) continue;
    sum_add(&self->gain[chord->to], part->current[chord->edge]);
    sum_add(&self->gain[chord->from], -part->current[chord->edge]);
  }
  int32_t end = 0;
  for (int32_t i = 0; i < part->q.n; i++) self->parent[i] = -2; /* not met */
  for (int32_t i = 0, head = 0; i < part->q.n; i++) {
    if (self->parent[i] != -2) continue;
    self->parent[i] = -1;
    self->line[end++] = i;
    for (; head < end; head++) {
      const int32_t at = self->line[head];
      for (int32_t k = self->start[at]; k < self->start[at + 1]; k++) {
        const pair *const edge = &self->pairs[self->ways[k]];
        const int32_t to = edge->from == at ? edge->to : edge->from;
        if (self->parent[to] != -2) continue;
        self->parent[to] = self->ways[k];
        self->line[end++] = to;
      }
    }
  }
  while (end > 0) {
    const int32_t at = self->line[--end];
    if (self->parent[at] < 0) continue;
    const pair *const edge = &self->pairs[self->parent[at]];
    const bool outward = edge->from == at;
    exact_sum *const next = &self->gain[outward ? edge->to : edge->from];
    const double gain = sum_get(&self->gain[at]);
    current_set(part, edge->from, edge->edge, outward ? gain : -gain);
    sum_add(next, self->gain[at].high);
    sum_add(next, self->gain[at].low);
  }
}

ness_status currents_find(cme_part *part)
{
  const size_t nstate = (size_t)part->q.n, nedge = (size_t)part->q.start[part->q.n] + 1;
  if (nedge > TREE_TRANSITIONS) return NESS_OK;
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
  if (part->current && self.pairs && self.root && self.start && self.ways && self.line && self.parent && self.gain) {
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
  return status;
}
