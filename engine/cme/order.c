/* The order in which states are eliminated: reverse Cuthill-McKee on the symmetric pattern of the transitions (Cuthill
 * and McKee 1969; George and Liu 1981), each component from a state as far out as two sweeps find one. Neighbours end
 * up near each other, so the envelope of the factors stays narrow: two for a chain, about a for an a x b lattice, a <
 * b. Ties fall by state id, so the order depends on the graph alone. Cost: edges * log(degree). */
#include "engine/cme/gth.h"

typedef struct order_graph {
  int32_t n;
  int64_t *start;
  int32_t *to;
  int32_t *line; /* states in the order of the sweep */
  int32_t *mark; /* number of the last sweep that met the state; placed states keep INT32_MAX */
} order_graph;

static int32_t order_degree(const order_graph *self, int32_t i)
{
  return (int32_t)(self->start[i + 1] - self->start[i]);
}

static ness_status order_load(order_graph *self, const gth_graph *graph)
{
  const size_t n = (size_t)graph->n;
  self->n = graph->n;
  self->start = mem_zero(n + 2, sizeof *self->start);
  self->to = mem_zero(2 * (size_t)graph->start[n] + 1, sizeof *self->to);
  self->line = mem_zero(n, sizeof *self->line);
  self->mark = mem_zero(n, sizeof *self->mark);
  if (!self->start || !self->to || !self->line || !self->mark) return NESS_NOMEM;
  int64_t *const cursor = self->start + 1;
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t i = 0; i < graph->n; i++) {
      for (int64_t e = graph->start[i]; e < graph->start[i + 1]; e++) {
        const int32_t j = graph->to[e];
        if (i == j) continue;
        if (pass == 0) {
          cursor[i + 1]++;
          cursor[j + 1]++;
        } else {
          self->to[cursor[i]++] = j;
          self->to[cursor[j]++] = i;
        }
      }
    }
    for (int32_t i = 0; pass == 0 && i < graph->n; i++) cursor[i + 1] += cursor[i];
  }
  return NESS_OK;
}

/* Sweeps breadth first from `root`, neighbours by degree, into line[at...]; returns where it ended. */
static int32_t order_sweep(order_graph *self, int32_t root, int32_t at, int32_t sweep)
{
  int32_t end = at;
  self->line[end++] = root;
  self->mark[root] = sweep;
  for (int32_t head = at; head < end; head++) {
    const int32_t i = self->line[head], begin = end;
    for (int64_t e = self->start[i]; e < self->start[i + 1]; e++) {
      const int32_t j = self->to[e];
      if (self->mark[j] >= sweep) continue;
      self->mark[j] = sweep;
      const int32_t degree = order_degree(self, j);
      int32_t k = end++;
      for (; k > begin; k--) { /* insertion: few neighbours */
        const int32_t other = self->line[k - 1], d = order_degree(self, other);
        if (d < degree || (d == degree && other < j)) break;
        self->line[k] = other;
      }
      self->line[k] = j;
    }
  }
  return end;
}

ness_status gth_order(const gth_graph *graph, int32_t *place)
{
  order_graph self = {0};
  const ness_status status = order_load(&self, graph);
  int32_t at = 0, sweep = 0;
  for (int32_t i = 0; status == NESS_OK && i < self.n; i++) {
    if (self.mark[i] == INT32_MAX) continue;
    int32_t root = i;
    for (int turn = 0; turn < 2; turn++) root = self.line[order_sweep(&self, root, at, ++sweep) - 1];
    const int32_t end = order_sweep(&self, root, at, ++sweep);
    for (; at < end; at++) {
      self.mark[self.line[at]] = INT32_MAX;
      place[self.line[at]] = self.n - 1 - at;
    }
  }
  mem_free(self.start);
  mem_free(self.to);
  mem_free(self.line);
  mem_free(self.mark);
  return status;
}
