/* Chains, their transposes, parts and closed classes. Classes are the strongly connected components that nothing
 * leaves, by Tarjan's algorithm (SIAM J. Comput. 1, 146 (1972)) with its recursion unrolled. A chain that is one class
 * is mostly found to be one by a few passes in the order of memory, which takes a fraction of the search. Cost: linear
 * in states and transitions. */
#include "engine/markov/chain.h"

#include <string.h>

enum { PASSES_MOST = 8 };

ness_status chain_create(int32_t n, int64_t edges, bool exits, chain *out)
{
  *out = (chain){.n = n};
  out->start = mem_zero((size_t)n + 1, sizeof *out->start);
  out->to = mem_alloc(((size_t)edges + 1) * sizeof *out->to);
  out->rate = mem_alloc(((size_t)edges + 1) * sizeof *out->rate);
  if (exits) out->exit = mem_zero((size_t)n + 1, sizeof *out->exit);
  if (out->start && out->to && out->rate && (out->exit || !exits)) return NESS_OK;
  chain_free(out);
  return NESS_NOMEM;
}

void chain_free(chain *self)
{
  mem_free(self->start);
  mem_free(self->to);
  mem_free(self->rate);
  mem_free(self->exit);
  *self = (chain){0};
}

ness_status chain_transpose(const chain *self, chain *out)
{
  const int32_t n = self->n;
  const ness_status status = chain_create(n, self->start[n], false, out);
  if (status) return status;
  for (int32_t i = 0; i < n; i++) {
    for (int64_t e = self->start[i]; e < self->start[i + 1]; e++) out->start[self->to[e] + 1] += self->to[e] != i;
  }
  for (int32_t i = 0; i < n; i++) out->start[i + 1] += out->start[i];
  for (int32_t i = 0; i < n; i++) { /* start[j] runs to the end of j and is set back below */
    for (int64_t e = self->start[i]; e < self->start[i + 1]; e++) {
      if (self->to[e] == i) continue;
      const int64_t at = out->start[self->to[e]]++;
      out->to[at] = i;
      out->rate[at] = self->rate[e];
    }
  }
  for (int32_t i = n; i > 0; i--) out->start[i] = out->start[i - 1];
  out->start[0] = 0;
  return NESS_OK;
}

ness_status chain_part(const chain *self, const int32_t *state, int32_t count, bool exits, int32_t *local, chain *out)
{
  for (int32_t i = 0; i < self->n; i++) local[i] = -1;
  int64_t room = 0;
  for (int32_t i = 0; i < count; i++) {
    local[state[i]] = i;
    room += self->start[state[i] + 1] - self->start[state[i]];
  }
  const ness_status status = chain_create(count, room, exits, out);
  if (status) return status;
  int64_t end = 0;
  for (int32_t i = 0; i < count; i++) {
    if (exits && self->exit) out->exit[i] = self->exit[state[i]];
    for (int64_t e = self->start[state[i]]; e < self->start[state[i] + 1]; e++) {
      const int32_t to = local[self->to[e]];
      if (to < 0 && exits) out->exit[i] += self->rate[e];
      if (to < 0 || to == i) continue;
      out->to[end] = to;
      out->rate[end++] = self->rate[e];
    }
    out->start[i + 1] = end;
  }
  return NESS_OK;
}

/* --- closed classes --- */

/* Flags the states that lead to state 0 (back) or that it leads to, by passes up and down until nothing changes, and
 * tells whether these are all. A false may also mean that too many passes would be due. */
static bool sweep_all(const chain *q, bool back, uint8_t *met)
{
  memset(met, 0, (size_t)q->n);
  met[0] = 1;
  int32_t count = 1;
  for (int32_t pass = 0, before = 0; pass < PASSES_MOST && count > before && count < q->n; pass++) {
    before = count;
    for (int32_t m = 0; m < q->n; m++) {
      const int32_t i = pass & 1 ? q->n - 1 - m : m;
      if (back == met[i]) continue;
      for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
        const int32_t j = q->to[e];
        if (back && met[j]) {
          met[i] = 1;
          count += 1;
          break;
        }
        if (!back && !met[j]) {
          met[j] = 1;
          count += 1;
        }
      }
    }
  }
  return count == q->n;
}

static bool sweep_single(const chain *q, uint8_t *met)
{
  for (int32_t i = 0; q->exit && i < q->n; i++) {
    if (q->exit[i] > 0) return false;
  }
  return sweep_all(q, false, met) && sweep_all(q, true, met);
}

typedef struct tarjan {
  const chain *q;
  int32_t *index, *low; /* order of discovery from 1; lowest reachable on the stack */
  int32_t *stack, *path;
  int64_t *cursor;    /* next transition of a state on the path */
  int32_t *component; /* -1 while open */
  int32_t found, depth, components;
} tarjan;

static void tarjan_open(tarjan *self, int32_t state, int32_t *length)
{
  self->index[state] = self->low[state] = ++self->found;
  self->cursor[state] = self->q->start[state];
  self->stack[self->depth++] = state;
  self->path[(*length)++] = state;
}

static void tarjan_from(tarjan *self, int32_t root)
{
  const chain *const q = self->q;
  int32_t length = 0;
  tarjan_open(self, root, &length);
  while (length > 0) {
    const int32_t i = self->path[length - 1];
    if (self->cursor[i] < q->start[i + 1]) {
      const int32_t j = q->to[self->cursor[i]++];
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
static void classes_number(const chain *q, const int32_t *component, int32_t components, int32_t *id,
                           chain_classes *out)
{
  for (int32_t c = 0; c < components; c++) id[c] = -2; /* closed and not yet numbered */
  for (int32_t i = 0; i < q->n; i++) {
    if (q->exit && q->exit[i] > 0) id[component[i]] = -1;
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (component[q->to[e]] != component[i]) id[component[i]] = -1;
    }
  }
  out->count = 0;
  for (int32_t i = 0; i < q->n; i++) {
    if (id[component[i]] == -2) id[component[i]] = out->count++;
    out->of[i] = id[component[i]];
  }
}

static ness_status classes_sort(int32_t n, chain_classes *out)
{
  int32_t *const at = out->start = mem_zero((size_t)out->count + 3, sizeof *at);
  out->state = mem_zero((size_t)n + 1, sizeof *out->state);
  if (!at || !out->state) return NESS_NOMEM;
  /* Counted two places on, summed, and filled: at[c + 1] runs from the start of class c to its end. */
  for (int32_t i = 0; i < n; i++) at[(out->of[i] < 0 ? out->count : out->of[i]) + 2]++;
  for (int32_t c = 0; c <= out->count; c++) at[c + 2] += at[c + 1];
  for (int32_t i = 0; i < n; i++) out->state[at[(out->of[i] < 0 ? out->count : out->of[i]) + 1]++] = i;
  return NESS_OK;
}

ness_status chain_classes_find(const chain *self, chain_classes *out)
{
  *out = (chain_classes){0};
  const size_t n = (size_t)self->n + 1;
  tarjan t = {.q = self};
  ness_status status = NESS_NOMEM;
  out->of = mem_zero(n, sizeof *out->of);
  uint8_t *const met = mem_alloc(n);
  if (!out->of || !met) goto out;
  if (self->n > 0 && sweep_single(self, met)) {
    out->count = 1;
    status = classes_sort(self->n, out);
    goto out;
  }
  t.index = mem_zero(n, sizeof *t.index);
  t.low = mem_zero(n, sizeof *t.low);
  t.stack = mem_zero(n, sizeof *t.stack);
  t.path = mem_zero(n, sizeof *t.path);
  t.cursor = mem_zero(n, sizeof *t.cursor);
  t.component = mem_zero(n, sizeof *t.component);
  if (!t.index || !t.low || !t.stack || !t.path || !t.cursor || !t.component) goto out;
  for (int32_t i = 0; i < self->n; i++) t.component[i] = -1;
  for (int32_t i = 0; i < self->n; i++) {
    if (!t.index[i]) tarjan_from(&t, i);
  }
  classes_number(self, t.component, t.components, t.low, out);
  status = classes_sort(self->n, out);
out:
  mem_free(met);
  mem_free(t.index);
  mem_free(t.low);
  mem_free(t.stack);
  mem_free(t.path);
  mem_free(t.cursor);
  mem_free(t.component);
  if (status) chain_classes_free(out);
  return status;
}

void chain_classes_free(chain_classes *self)
{
  mem_free(self->of);
  mem_free(self->start);
  mem_free(self->state);
  *self = (chain_classes){0};
}
