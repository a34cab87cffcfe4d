/* Closed classes of the states of a part: the strongly connected components that no edge leaves, by Tarjan's algorithm
 * (SIAM J. Comput. 1, 146 (1972)) with its recursion unrolled. Classes are numbered by their lowest state; all other
 * states are transient. Cost: linear in states and edges. */
#include "engine/cme/space.h"

typedef struct tarjan {
  const cme_part *part;
  int32_t *index, *low; /* order of discovery from 1; lowest reachable on the stack */
  int32_t *stack, *path;
  int64_t *cursor;    /* next edge of a state on the path */
  int32_t *component; /* -1 while open */
  int32_t found, depth, components;
} tarjan;

static void tarjan_open(tarjan *self, int32_t state, int32_t *length)
{
  self->index[state] = self->low[state] = ++self->found;
  self->cursor[state] = self->part->edge_start[state];
  self->stack[self->depth++] = state;
  self->path[(*length)++] = state;
}

static void tarjan_from(tarjan *self, int32_t root)
{
  const cme_part *const part = self->part;
  int32_t length = 0;
  tarjan_open(self, root, &length);
  while (length > 0) {
    const int32_t i = self->path[length - 1];
    if (self->cursor[i] < part->edge_start[i + 1]) {
      const int32_t j = part->edge[self->cursor[i]++].to;
      if (!self->index[j]) tarjan_open(self, j, &length);
      else if (self->component[j] < 0 && self->index[j] < self->low[i]) self->low[i] = self->index[j];
      continue;
    }
    length--;
    if (length > 0 && self->low[i] < self->low[self->path[length - 1]])
      self->low[self->path[length - 1]] = self->low[i];
    if (self->low[i] != self->index[i]) continue;
    int32_t j;
    do {
      j = self->stack[--self->depth];
      self->component[j] = self->components;
    } while (j != i);
    self->components++;
  }
}

/* Ids of closed components by lowest state in id[component], -1 for open ones. */
static void classes_number(cme_part *part, const int32_t *component, int32_t components, int32_t *id)
{
  for (int32_t c = 0; c < components; c++) id[c] = -2; /* closed and not yet numbered */
  for (int64_t e = 0; e < part->nedge; e++) {
    const int32_t from = component[part->edge[e].from];
    if (from != component[part->edge[e].to]) id[from] = -1;
  }
  part->nclass = 0;
  for (int32_t i = 0; i < part->nstate; i++) {
    if (id[component[i]] == -2) id[component[i]] = part->nclass++;
    part->class_of[i] = id[component[i]];
  }
}

ness_status classes_find(cme_part *part)
{
  const size_t n = (size_t)part->nstate + 1;
  tarjan self = {.part = part};
  ness_status status = NESS_NOMEM;
  part->class_of = mem_zero(n, sizeof *part->class_of);
  self.index = mem_zero(n, sizeof *self.index);
  self.low = mem_zero(n, sizeof *self.low);
  self.stack = mem_zero(n, sizeof *self.stack);
  self.path = mem_zero(n, sizeof *self.path);
  self.cursor = mem_zero(n, sizeof *self.cursor);
  self.component = mem_zero(n, sizeof *self.component);
  if (!part->class_of || !self.index || !self.low || !self.stack || !self.path || !self.cursor || !self.component) {
    goto out;
  }
  for (int32_t i = 0; i < part->nstate; i++) self.component[i] = -1;
  for (int32_t i = 0; i < part->nstate; i++) {
    if (!self.index[i]) tarjan_from(&self, i);
  }
  classes_number(part, self.component, self.components, self.low);
  status = NESS_OK;
out:
  mem_free(self.index);
  mem_free(self.low);
  mem_free(self.stack);
  mem_free(self.path);
  mem_free(self.cursor);
  mem_free(self.component);
  return status;
}

ness_status classes_sort(const cme_part *part, int32_t **start, int32_t **state)
{
  const int32_t nclass = part->nclass;
  int32_t *const at = mem_zero((size_t)nclass + 3, sizeof *at);
  int32_t *const sorted = mem_zero((size_t)part->nstate + 1, sizeof *sorted);
  if (!at || !sorted) {
    mem_free(at);
    mem_free(sorted);
    return NESS_NOMEM;
  }
  /* Counted two places on, summed, and filled: at[c + 1] runs from the start of class c to its end. */
  for (int32_t i = 0; i < part->nstate; i++) at[(part->class_of[i] < 0 ? nclass : part->class_of[i]) + 2]++;
  for (int32_t c = 0; c <= nclass; c++) at[c + 2] += at[c + 1];
  for (int32_t i = 0; i < part->nstate; i++) {
    sorted[at[(part->class_of[i] < 0 ? nclass : part->class_of[i]) + 1]++] = i;
  }
  *start = at;
  *state = sorted;
  return NESS_OK;
}
