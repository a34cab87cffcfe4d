/* Cycle fluxes. The number of times a cycle is completed in one direction is
 *   J+ = (product of its rates) det(-Q without its states) / sum_i det(-Q without i)
 * (Hill, J. Theor. Biol. 10, 442 (1966); the sum over diagrams that flow into the cycle is that minor), and J- with the
 * rates of the way back. Rates and determinants are scaled products, so nothing overflows. The net flux is J- expm1(A),
 * or -J+ expm1(-A), so it keeps its figures when it is a small difference. The affinity A is the work that the sources
 * do in one turn, in which the energies of the states cannot appear; where a step with undeclared work or a rate from a
 * tape takes part it is the log ratio of the products, kept to thirty digits. Cost: one elimination for each set of
 * states that some cycle visits. */
#include "engine/cme/minors.h"
#include "engine/cme/space.h"
#include "engine/cme/walk.h"
#include "engine/markov/sum.h"
#include <math.h>
#include <stdlib.h>

#define DEFAULT_CAP 100000
#define BASIS_STATES 20000

typedef struct search {
  const ness_network *net;
  const cme_solution *solution;
  int64_t cap;
  int32_t *times; /* (nstep) net number of turns of a step in a cycle, zero between cycles */
  cme_cycles *out;
  int64_t cycle_capacity;
  int32_t *items; /* for each cycle its directions, then its states */
  int64_t item_count, item_capacity;
} search;

static double turn_rate(const cme_part *part, const walk_link *link, bool turned)
{
  const int32_t edge = turned ? link->backward : link->forward;
  return edge < 0 ? 0 : part->q.rate[edge];
}

/* The products of rates with the walk and against it. */
static void cycle_products(const cme_part *part, const walk_graph *graph, const int32_t *turn, int64_t length,
                           scaled *with, scaled *against)
{
  *with = *against = scaled_from(1);
  for (int64_t k = 0; k < length; k++) {
    const walk_link *const link = &graph->link[turn[k] / 2];
    *with = scaled_times(*with, turn_rate(part, link, turn[k] % 2));
    *against = scaled_times(*against, turn_rate(part, link, !(turn[k] % 2)));
  }
}

/* The work of the declared sources in one turn; false when other work takes part. */
static bool cycle_work(search *self, const walk_graph *graph, const int32_t *turn, int64_t length, double *work)
{
  const ness_network *const net = self->net;
  const int32_t undeclared = network_sources(net) - 1;
  exact_sum sum = {0, 0};
  bool declared = true;
  for (int64_t k = 0; k < length; k++) {
    const int32_t step = graph->link[turn[k] / 2].step;
    self->times[step] += turn[k] % 2 ? -1 : 1;
    if (net->dir_law[2 * step] == LAW_TAPE || net->dir_law[2 * step + 1] == LAW_TAPE) declared = false;
  }
  for (int64_t k = 0; k < length; k++) {
    const int32_t step = graph->link[turn[k] / 2].step, times = self->times[step];
    self->times[step] = 0;
    declared = declared && (times == 0 || net->step_proc[step] < 0); /* a process that goes round has its own ratio */
    for (int32_t w = net->work_start[step]; times && w < net->work_start[step + 1]; w++) {
      if (net->work_src[w] == undeclared) declared = declared && net->work_kt[w] == 0;
      else sum_add(&sum, times * net->work_kt[w]);
    }
  }
  *work = sum_get(&sum);
  return declared;
}

static double cycle_affinity(search *self, const walk_graph *graph, const int32_t *turn, int64_t length, scaled with,
                             scaled against)
{
  double work;
  const bool declared = cycle_work(self, graph, turn, length, &work);
  if (with.high == 0) return against.high == 0 ? (double)NAN : -INFINITY;
  if (against.high == 0) return INFINITY;
  return declared ? work : scaled_log_ratio(with, against);
}

/* Adds a cycle with its directions and states; its flux is still to be set. */
static ness_status cycle_add(search *self, int32_t part, const walk_graph *graph, const int32_t *turn, int64_t length,
                             cme_cycle **out)
{
  ness_status status =
      cme_room(&self->out->cycle, &self->cycle_capacity, self->out->count + 1, sizeof *self->out->cycle);
  if (status == NESS_OK) {
    status = cme_room(&self->items, &self->item_capacity, self->item_count + 2 * length, sizeof *self->items);
  }
  if (status) return status;
  for (int64_t k = 0; k < length; k++) {
    const walk_link *const link = &graph->link[turn[k] / 2];
    self->items[self->item_count + k] = 2 * link->step + turn[k] % 2;
    self->items[self->item_count + length + k] = graph->state[turn[k] % 2 ? link->b : link->a];
  }
  self->item_count += 2 * length;
  *out = &self->out->cycle[self->out->count++];
  **out = (cme_cycle){.part = part, .length = (int32_t)length};
  return NESS_OK;
}

/* --- all cycles of a class --- */

static ness_status class_minors(const cme_part *part, const walk_graph *graph, minors *out)
{
  const ness_status status = minors_init(out, graph->n);
  for (int32_t k = 0; status == NESS_OK && k < graph->nlink; k++) {
    const walk_link *const link = &graph->link[k];
    if (link->a == link->b) continue;
    if (link->forward >= 0) minors_add(out, link->a, link->b, part->q.rate[link->forward]);
    if (link->backward >= 0) minors_add(out, link->b, link->a, part->q.rate[link->backward]);
  }
  return status;
}

static ness_status class_fluxes(search *self, int32_t part_id, int32_t class_id, const walk_graph *graph,
                                walk_list *list)
{
  const cme_part *const part = &self->solution->parts[part_id];
  const double weight = part->scale * part->class_weight[class_id];
  int32_t scratch[MINORS_STATES];
  minors set;
  scaled total = {0, 0, 0};
  ness_status status = class_minors(part, graph, &set);
  if (status == NESS_OK) status = minors_total(&set, &total);
  for (int64_t c = 0; status == NESS_OK && c < list->count; c++) {
    int32_t *const turn = list->turn + list->start[c];
    const int64_t length = list->start[c + 1] - list->start[c];
    uint64_t visited = 0;
    for (int64_t k = 0; k < length; k++) {
      const walk_link *const link = &graph->link[turn[k] / 2];
      visited |= UINT64_C(1) << link->a | UINT64_C(1) << link->b;
    }
    walk_normal(graph, turn, length, scratch);
    scaled det, with, against;
    cme_cycle *cycle;
    status = minors_det(&set, visited, &det);
    if (status == NESS_OK) status = cycle_add(self, part_id, graph, turn, length, &cycle);
    if (status) break;
    cycle_products(part, graph, turn, length, &with, &against);
    cycle->affinity = cycle_affinity(self, graph, turn, length, with, against);
    with.exponent += det.exponent;
    against.exponent += det.exponent;
    cycle->forward = weight * scaled_ratio(scaled_times(with, det.high), total);
    cycle->backward = weight * scaled_ratio(scaled_times(against, det.high), total);
    cycle->net =
        cycle->affinity > 0 ? -cycle->forward * expm1(-cycle->affinity) : cycle->backward * expm1(cycle->affinity);
  }
  minors_free(&set);
  return status;
}

/* --- a basis of a class --- */

static ness_status class_chords(search *self, int32_t part_id, const walk_graph *graph, walk_list *list)
{
  const cme_part *const part = &self->solution->parts[part_id];
  int32_t *const scratch = mem_zero((size_t)graph->n + 1, sizeof *scratch);
  ness_status status = scratch ? NESS_OK : NESS_NOMEM;
  for (int64_t c = 0; status == NESS_OK && c < list->count; c++) {
    int32_t *const turn = list->turn + list->start[c];
    const int64_t length = list->start[c + 1] - list->start[c];
    const walk_link *const chord = &graph->link[turn[0] / 2];
    const double net = chord->forward >= 0 ? cme_current(part, graph->state[chord->a], chord->forward)
                                           : -cme_current(part, graph->state[chord->b], chord->backward);
    const bool reversed = walk_normal(graph, turn, length, scratch);
    cme_cycle *cycle;
    status = cycle_add(self, part_id, graph, turn, length, &cycle);
    if (status) break;
    scaled with, against;
    cycle_products(part, graph, turn, length, &with, &against);
    cycle->affinity = cycle_affinity(self, graph, turn, length, with, against);
    cycle->forward = cycle->backward = (double)NAN;
    cycle->net = (reversed ? -1 : 1) * part->scale * net;
  }
  mem_free(scratch);
  self->out->complete = 0;
  return status;
}

static ness_status class_cycles(search *self, int32_t part_id, int32_t class_id, const walk_graph *graph)
{
  walk_list list = {0};
  ness_status status = NESS_LIMIT;
  if (graph->n <= MINORS_STATES) {
    status = walk_all(graph, self->cap - self->out->count, &list);
    if (status == NESS_OK) status = class_fluxes(self, part_id, class_id, graph, &list);
  }
  if (status == NESS_LIMIT) {
    walk_list_free(&list);
    status = walk_basis(graph, &list);
    if (status == NESS_OK) status = class_chords(self, part_id, graph, &list);
  }
  walk_list_free(&list);
  return status;
}

static ness_status part_cycles(search *self, int32_t part_id)
{
  const cme_part *const part = &self->solution->parts[part_id];
  const int32_t *const start = part->classes.start, *const state = part->classes.state;
  int32_t *const local = mem_zero((size_t)part->q.n + 1, sizeof *local);
  ness_status status = local ? NESS_OK : NESS_NOMEM;
  for (int32_t c = 0; status == NESS_OK && c < part->classes.count; c++) {
    const int32_t n = start[c + 1] - start[c];
    if (n > BASIS_STATES) {
      self->out->complete = 0;
      continue;
    }
    for (int32_t i = 0; i < n; i++) local[state[start[c] + i]] = i;
    walk_graph graph;
    status = walk_load(&graph, part, state + start[c], n, local);
    if (status == NESS_OK) status = class_cycles(self, part_id, c, &graph);
    walk_graph_free(&graph);
  }
  mem_free(local);
  return status;
}

/* --- the order of the list --- */

typedef struct rank {
  double key;
  int64_t id;
} rank;

static int rank_compare(const void *x, const void *y)
{
  const rank *const a = x, *const b = y;
  if (a->key != b->key) return a->key > b->key ? -1 : 1;
  return a->id < b->id ? -1 : 1;
}

static ness_status cycles_sort(search *self)
{
  cme_cycles *const out = self->out;
  rank *const ranks = mem_zero((size_t)out->count + 1, sizeof *ranks);
  cme_cycle *const sorted = mem_zero((size_t)out->count + 1, sizeof *sorted);
  if (!ranks || !sorted) {
    mem_free(ranks);
    mem_free(sorted);
    return NESS_NOMEM;
  }
  int32_t *item = self->items;
  for (int64_t c = 0; c < out->count; c++) {
    cme_cycle *const cycle = &out->cycle[c];
    cycle->dir = item;
    cycle->state = item + cycle->length;
    item += 2 * cycle->length;
    const double power = fabs(cycle->net * cycle->affinity);
    ranks[c] = (rank){isnan(power) ? 0 : power, c};
  }
  qsort(ranks, (size_t)out->count, sizeof *ranks, rank_compare);
  for (int64_t c = 0; c < out->count; c++) sorted[c] = out->cycle[ranks[c].id];
  mem_free(ranks);
  mem_free(out->cycle);
  out->cycle = sorted;
  return NESS_OK;
}

ness_status cme_cycles_find(const ness_network *net, const cme_solution *solution, int64_t cap, ness_diags *diags,
                            cme_cycles *out)
{
  *out = (cme_cycles){.complete = 1};
  search self = {.net = net, .solution = solution, .cap = cap > 0 ? cap : DEFAULT_CAP, .out = out};
  self.times = mem_zero((size_t)net->nstep + 1, sizeof *self.times);
  ness_status status = self.times ? NESS_OK : NESS_NOMEM;
  for (int32_t p = 0; status == NESS_OK && p < solution->nparts; p++) status = part_cycles(&self, p);
  if (status == NESS_OK) status = cycles_sort(&self);
  if (status == NESS_LIMIT) diag_add(diags, NESS_ERROR, "the cycles of this network do not fit in memory");
  if (status == NESS_NUMERIC)
    diag_add(diags, NESS_ERROR, "rates lie too far apart for cycle fluxes in double precision");
  mem_free(self.times);
  out->memory = self.items;
  if (status) cme_cycles_free(out);
  return status;
}

void cme_cycles_free(cme_cycles *self)
{
  mem_free(self->cycle);
  mem_free(self->memory);
  *self = (cme_cycles){0};
}
