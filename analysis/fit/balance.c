/* The graph of the states: what detailed balance asks of rates, and the energies that it gives back.
 *
 * Invariant: balance is asked within parts whose states lead to each other in the data, both ways; a step between two
 * parts was seen one way only, has no likeliest rate back but 0, and closes no cycle that could be balanced. In each
 * part a tree of steps is grown from its lowest state, and every other step closes a cycle with it: these are
 * independent. Parts: Tarjan 1972, without recursion. Cost: linear, and the length of the cycles. */
#include "analysis/fit/fit.h"

#include <math.h>
#include <string.h>

typedef struct tarjan {
  int32_t *start, *out;                        /* directions by the state they leave, those with events */
  int32_t *number, *low, *next, *stack, *path; /* (nslot) */
  int32_t numbered, stacked, parts;
} tarjan;

static void tarjan_free(tarjan *self)
{
  mem_free(self->start);
  mem_free(self->out);
  mem_free(self->number);
  mem_free(self->low);
  mem_free(self->next);
  mem_free(self->stack);
  mem_free(self->path);
}

static bool tarjan_init(tarjan *self, const fit_graph *graph, const ness_network *net, const double *count)
{
  const size_t n = (size_t)net->nslot + 2;
  *self = (tarjan){.start = mem_zero(n, sizeof(int32_t)),
                   .out = mem_zero(2 * (size_t)net->nstep + 1, sizeof(int32_t)),
                   .number = mem_zero(n, sizeof(int32_t)),
                   .low = mem_zero(n, sizeof(int32_t)),
                   .next = mem_zero(n, sizeof(int32_t)),
                   .stack = mem_zero(n, sizeof(int32_t)),
                   .path = mem_zero(n, sizeof(int32_t))};
  if (!self->start || !self->out || !self->number || !self->low || !self->next || !self->stack || !self->path)
    return false;
  for (int32_t d = 0; d < 2 * net->nstep; d++) self->start[graph->from[d] + 2] += count[d] > 0;
  for (int32_t i = 0; i < net->nslot; i++) self->start[i + 2] += self->start[i + 1];
  for (int32_t d = 0; d < 2 * net->nstep; d++)
    if (count[d] > 0) self->out[self->start[graph->from[d] + 1]++] = d;
  return true;
}

static void tarjan_enter(tarjan *self, int32_t state)
{
  self->number[state] = self->low[state] = ++self->numbered;
  self->next[state] = self->start[state];
  self->stack[self->stacked++] = state;
}

static void tarjan_from(tarjan *self, fit_graph *graph, int32_t root)
{
  int32_t depth = 0;
  tarjan_enter(self, root);
  self->path[0] = root;
  while (depth >= 0) {
    const int32_t i = self->path[depth];
    if (self->next[i] < self->start[i + 1]) {
      const int32_t j = graph->to[self->out[self->next[i]++]];
      if (!self->number[j]) {
        tarjan_enter(self, j);
        self->path[++depth] = j;
      } else if (graph->part[j] < 0 && self->number[j] < self->low[i]) {
        self->low[i] = self->number[j];
      }
      continue;
    }
    if (self->low[i] == self->number[i]) {
      int32_t j;
      do {
        j = self->stack[--self->stacked];
        graph->part[j] = self->parts;
      } while (j != i);
      self->parts++;
    }
    if (--depth >= 0 && self->low[i] < self->low[self->path[depth]]) self->low[self->path[depth]] = self->low[i];
  }
}

/* Whether a step lies within a part and has events. */
static bool step_within(const fit_graph *self, const double *count, int32_t step)
{
  return self->part[self->from[2 * step]] == self->part[self->to[2 * step]] &&
         count[2 * step] + count[2 * step + 1] > 0;
}

/* Grows the trees, broad first. False when memory is out. */
static bool graph_trees(fit_graph *self, const ness_network *net, const double *count)
{
  const int32_t n = net->nslot;
  int32_t *const start = mem_zero((size_t)n + 2, sizeof *start);
  int32_t *const out = mem_zero(2 * (size_t)net->nstep + 1, sizeof *out);
  bool *const met = mem_zero((size_t)n + 1, sizeof *met);
  int32_t tail = 0, joined = 0, steps = 0;
  const bool room = start && out && met;
  for (int32_t d = 0; d < 2 * net->nstep && room; d++)
    if (step_within(self, count, d / 2)) start[self->from[d] + 2]++;
  for (int32_t i = 0; i < n && room; i++) start[i + 2] += start[i + 1];
  for (int32_t d = 0; d < 2 * net->nstep && room; d++)
    if (step_within(self, count, d / 2)) out[start[self->from[d] + 1]++] = d;
  for (int32_t root = 0, head = 0; root < n && room; root++) {
    if (met[root]) continue;
    met[root] = true;
    self->tree[root] = -1;
    self->order[tail++] = root;
    for (; head < tail; head++) {
      const int32_t i = self->order[head];
      for (int32_t k = start[i]; k < start[i + 1]; k++) {
        const int32_t j = self->to[out[k]];
        if (met[j]) continue;
        met[j] = true;
        self->tree[j] = out[k];
        self->order[tail++] = j;
        joined++;
      }
    }
  }
  for (int32_t s = 0; s < net->nstep && room; s++) steps += step_within(self, count, s);
  self->cycles = steps - joined;
  mem_free(start);
  mem_free(out);
  mem_free(met);
  return room;
}

ness_status fit_graph_build(fit_graph *self, const ness_network *net, const double *count)
{
  const size_t n = (size_t)net->nslot + 1, dirs = 2 * (size_t)net->nstep + 1;
  tarjan work = {0};
  *self = (fit_graph){.from = mem_zero(dirs, sizeof(int32_t)),
                      .to = mem_zero(dirs, sizeof(int32_t)),
                      .part = mem_zero(n, sizeof(int32_t)),
                      .tree = mem_zero(n, sizeof(int32_t)),
                      .order = mem_zero(n, sizeof(int32_t))};
  if (!self->from || !self->to || !self->part || !self->tree || !self->order) return NESS_NOMEM;
  for (int32_t d = 0; d < 2 * net->nstep; d++) memory_ends(net, d, &self->from[d], &self->to[d]);
  for (int32_t i = 0; i < net->nslot; i++) self->part[i] = -1;
  bool good = tarjan_init(&work, self, net, count);
  for (int32_t i = 0; i < net->nslot && good; i++)
    if (!work.number[i]) tarjan_from(&work, self, i);
  tarjan_free(&work);
  good = good && graph_trees(self, net, count);
  return good ? NESS_OK : NESS_NOMEM;
}

void fit_graph_free(fit_graph *self)
{
  mem_free(self->from);
  mem_free(self->to);
  mem_free(self->part);
  mem_free(self->tree);
  mem_free(self->order);
}

/* The way from the root to a state as terms of ln(k/k'), each direction by `sign` and its way back by -sign. */
static int32_t path_terms(const fit_graph *self, int32_t state, double sign, int32_t *id, double *by, int32_t terms)
{
  for (; self->tree[state] >= 0; state = self->from[self->tree[state]]) {
    id[terms] = self->tree[state];
    by[terms++] = sign;
    id[terms] = self->tree[state] ^ 1;
    by[terms++] = -sign;
  }
  return terms;
}

/* Terms of one direction are added up; those that cancel go. */
static int32_t terms_merge(int32_t *id, double *by, int32_t terms, double *dense)
{
  int32_t kept = 0;
  for (int32_t k = 0; k < terms; k++) dense[id[k]] += by[k];
  for (int32_t k = 0; k < terms; k++) {
    if (dense[id[k]] == 0) continue;
    by[kept] = dense[id[k]];
    dense[id[k]] = 0;
    id[kept++] = id[k];
  }
  return kept;
}

ness_status fit_graph_balance(const fit_graph *self, const ness_network *net, fit_problem *problem)
{
  const size_t most = 4 * (size_t)net->nslot + 4;
  int32_t *const id = mem_zero(most, sizeof *id);
  double *const by = mem_zero(most, sizeof *by), *const dense = mem_zero(2 * (size_t)net->nstep + 1, sizeof *dense);
  bool good = id && by && dense;
  for (int32_t s = 0; s < net->nstep && good; s++) {
    const int32_t i = self->from[2 * s], j = self->to[2 * s];
    if (!step_within(self, problem->count, s) || (self->tree[j] >= 0 && self->tree[j] / 2 == s) ||
        (self->tree[i] >= 0 && self->tree[i] / 2 == s))
      continue;
    int32_t terms = path_terms(self, i, 1, id, by, 0);
    id[terms] = 2 * s;
    by[terms++] = 1;
    id[terms] = 2 * s + 1;
    by[terms++] = -1;
    terms = path_terms(self, j, -1, id, by, terms);
    terms = terms_merge(id, by, terms, dense);
    good = fit_constraint(problem, terms, id, by, 0);
  }
  mem_free(id);
  mem_free(by);
  mem_free(dense);
  return good ? NESS_OK : NESS_NOMEM;
}

ness_status fit_graph_energies(const fit_graph *self, const ness_network *net, const fit_problem *problem,
                               const fit_result *fit, double *energy, double *error)
{
  const size_t most = 2 * (size_t)net->nslot + 2;
  int32_t *const id = mem_zero(most, sizeof *id);
  double *const by = mem_zero(most, sizeof *by), *const scratch =
                                                     mem_zero((size_t)problem->constraints + 1, sizeof *by);
  const bool room = id && by && scratch;
  for (int32_t k = 0; k < net->nslot && room; k++) {
    const int32_t i = self->order[k], d = self->tree[i];
    energy[i] = d < 0 ? 0 : energy[self->from[d]] - log(fit->rate[d] / fit->rate[d ^ 1]);
    error[i] = sqrt(fit_variance(problem, fit, path_terms(self, i, 1, id, by, 0), id, by, scratch));
  }
  mem_free(id);
  mem_free(by);
  mem_free(scratch);
  return room ? NESS_OK : NESS_NOMEM;
}
