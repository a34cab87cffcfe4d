/* The steady state of a part: every closed class by GTH elimination, and the probabilities to end in each by the same
 * elimination on the transient states, with the way into a class as the exit. Nothing is ever subtracted, so every
 * probability is positive and right to about 1e-15 times the mean width of the factors, however small it is.
 * Independent copies: N copies of which N_s started in slot s, each with its own law p_s over the slots, give mean
 * sum_s N_s p_s and variance sum_s N_s p_s (1 - p_s); with one closed class all p_s are equal and this is binomial.
 * With several classes a copy picks its class by itself, so the same sums hold with p_s the mixture that a copy from s
 * ends in. Cost: see gth.c; one pair of triangular solves more for each start of a part with transient states. */
#include "engine/cme/gth.h"
#include "engine/cme/space.h"
#include "engine/cme/sum.h"

typedef struct steady {
  const ness_network *net;
  cme_part *part;
  ness_diags *diags;
  int32_t *class_start, *sorted; /* states by class */
  int32_t *local;                /* (nstate) index inside its class, or among the transient states */
  double *within;                /* (nstate) steady distribution inside the class, 0 for transient states */
  double *share;                 /* (nclass) probability to end in the class from one start */
  double *time;                  /* (transient) work space */
  gth transient;
} steady;

static ness_status steady_failed(const steady *self, ness_status status, const gth *factors)
{
  char name[160];
  part_describe(self->net, self->part, name);
  if (status == NESS_LIMIT) {
    diag_add(self->diags, NESS_ERROR, "%s: the elimination of %d states takes %.3g GB, more than there is", name,
             (int)factors->n, (double)factors->bytes * 1e-9);
  } else if (status == NESS_NUMERIC) {
    diag_add(self->diags, NESS_ERROR, "%s: its rates lie too far apart for double precision", name);
  }
  return status;
}

/* The transitions inside class c (nclass: the transient states, with their exits). */
static ness_status steady_graph(const steady *self, int32_t c, gth_graph *graph)
{
  const cme_part *const part = self->part;
  const int32_t *const state = self->sorted + self->class_start[c];
  const int32_t class_id = c == part->nclass ? -1 : c;
  graph->n = self->class_start[c + 1] - self->class_start[c];
  int64_t room = 0;
  for (int32_t i = 0; i < graph->n; i++) room += part->edge_start[state[i] + 1] - part->edge_start[state[i]];
  graph->start = mem_zero((size_t)graph->n + 1, sizeof *graph->start);
  graph->to = mem_zero((size_t)room + 1, sizeof *graph->to);
  graph->rate = mem_zero((size_t)room + 1, sizeof *graph->rate);
  if (class_id < 0) graph->exit = mem_zero((size_t)graph->n, sizeof *graph->exit);
  if (!graph->start || !graph->to || !graph->rate || (class_id < 0 && !graph->exit)) return NESS_NOMEM;
  int64_t count = 0;
  for (int32_t i = 0; i < graph->n; i++) {
    for (int64_t e = part->edge_start[state[i]]; e < part->edge_start[state[i] + 1]; e++) {
      const cme_edge *const edge = &part->edge[e];
      if (edge->to == edge->from) continue;
      if (part->class_of[edge->to] != class_id) {
        graph->exit[i] += edge->rate;
        continue;
      }
      graph->to[count] = self->local[edge->to];
      graph->rate[count++] = edge->rate;
    }
    graph->start[i + 1] = count;
  }
  return NESS_OK;
}

static void graph_free(gth_graph *graph)
{
  mem_free(graph->start);
  mem_free(graph->to);
  mem_free(graph->rate);
  mem_free(graph->exit);
}

/* The distribution inside class c. */
static ness_status steady_class(steady *self, int32_t c)
{
  const int32_t *const state = self->sorted + self->class_start[c], n = self->class_start[c + 1] - self->class_start[c];
  if (n == 1) {
    self->within[state[0]] = 1;
    return NESS_OK;
  }
  gth_graph graph = {0};
  gth factors = {0};
  double *const p = mem_zero((size_t)n, sizeof *p);
  ness_status status = p ? steady_graph(self, c, &graph) : NESS_NOMEM;
  if (status == NESS_OK) status = gth_factor(&factors, &graph);
  if (status == NESS_OK) status = gth_steady(&factors, p);
  for (int32_t i = 0; status == NESS_OK && i < n; i++) self->within[state[i]] = p[i];
  status = steady_failed(self, status, &factors);
  gth_free(&factors);
  graph_free(&graph);
  mem_free(p);
  return status;
}

static ness_status steady_transient(steady *self)
{
  const int32_t c = self->part->nclass, n = self->class_start[c + 1] - self->class_start[c];
  if (n == 0 || c == 1) return NESS_OK; /* one class: it is reached with certainty */
  gth_graph graph = {0};
  self->time = mem_zero((size_t)n, sizeof *self->time);
  ness_status status = self->time ? steady_graph(self, c, &graph) : NESS_NOMEM;
  if (status == NESS_OK) status = gth_factor(&self->transient, &graph);
  graph_free(&graph);
  return steady_failed(self, status, &self->transient);
}

/* The probabilities to end in each class from one state, into self->share. */
static ness_status steady_share(steady *self, int32_t start)
{
  const cme_part *const part = self->part;
  const int32_t nclass = part->nclass, *const state = self->sorted + self->class_start[nclass];
  const int32_t n = self->class_start[nclass + 1] - self->class_start[nclass];
  for (int32_t c = 0; c < nclass; c++) self->share[c] = 0;
  if (nclass == 1 || part->class_of[start] >= 0) {
    self->share[nclass == 1 ? 0 : part->class_of[start]] = 1;
    return NESS_OK;
  }
  for (int32_t i = 0; i < n; i++) self->time[i] = state[i] == start;
  const ness_status status = gth_times(&self->transient, self->time);
  if (status) return steady_failed(self, status, &self->transient);
  cme_sum total = {0, 0};
  for (int32_t i = 0; i < n; i++) {
    for (int64_t e = part->edge_start[state[i]]; e < part->edge_start[state[i] + 1]; e++) {
      const int32_t c = part->class_of[part->edge[e].to];
      if (c < 0) continue;
      self->share[c] += self->time[i] * part->edge[e].rate;
      sum_add(&total, self->time[i] * part->edge[e].rate);
    }
  }
  for (int32_t c = 0; c < nclass; c++) self->share[c] /= sum_get(&total);
  return NESS_OK;
}

/* Adds what `copies` copies started in one state give to the variances of the slots. */
static void steady_variance(const steady *self, double copies, double *var)
{
  const cme_part *const part = self->part;
  for (int32_t s = 0; s < part->nstate; s++) {
    if (part->class_of[s] < 0) continue;
    const double p = self->share[part->class_of[s]] * self->within[s];
    double rest = 1 - p;
    if (p > 0.5) { /* 1 - p would cancel */
      cme_sum sum = {0, 0};
      for (int32_t t = 0; t < part->nstate; t++) {
        if (t != s && part->class_of[t] >= 0) sum_add(&sum, self->share[part->class_of[t]] * self->within[t]);
      }
      rest = sum_get(&sum);
    }
    for (int32_t i = 0; i < part->nslot; i++) {
      if (part->count[(int64_t)s * part->nslot + i]) var[part->slot[i]] += copies * p * rest;
    }
  }
}

static ness_status steady_mix(steady *self, double *var)
{
  cme_part *const part = self->part;
  for (int32_t s = 0; s < part->nstate; s++) {
    const double weight = part->start_weight[s];
    if (weight == 0) continue;
    const ness_status status = steady_share(self, s);
    if (status) return status;
    for (int32_t c = 0; c < part->nclass; c++) part->class_weight[c] += weight * self->share[c];
    if (part->copies > 1 && part->nclass > 1) steady_variance(self, weight * (double)part->copies, var);
  }
  if (part->nclass == 1) {
    part->class_weight[0] = self->share[0] = 1;
    if (part->copies > 1) steady_variance(self, (double)part->copies, var);
  }
  for (int32_t s = 0; s < part->nstate; s++) {
    if (part->class_of[s] >= 0) part->p[s] = part->class_weight[part->class_of[s]] * self->within[s];
  }
  return NESS_OK;
}

/* Variances of an enumerated part, around the mean, so that they keep their figures when they are small. */
static void steady_moments(const cme_part *part, double *var)
{
  for (int32_t i = 0; i < part->nslot; i++) {
    cme_sum mean = {0, 0}, square = {0, 0};
    for (int32_t s = 0; s < part->nstate; s++) {
      sum_add(&mean, part->p[s] * (double)part->count[(int64_t)s * part->nslot + i]);
    }
    for (int32_t s = 0; s < part->nstate; s++) {
      const double off = (double)part->count[(int64_t)s * part->nslot + i] - sum_get(&mean);
      sum_add(&square, part->p[s] * off * off);
    }
    var[part->slot[i]] = sum_get(&square);
  }
}

ness_status part_steady(const ness_network *net, cme_part *part, double *var, ness_diags *diags)
{
  steady self = {.net = net, .part = part, .diags = diags};
  const size_t nstate = (size_t)part->nstate, nclass = (size_t)part->nclass;
  ness_status status = classes_sort(part, &self.class_start, &self.sorted);
  if (status) return status;
  status = NESS_NOMEM;
  self.local = mem_zero(nstate, sizeof *self.local);
  self.within = mem_zero(nstate, sizeof *self.within);
  self.share = mem_zero(nclass, sizeof *self.share);
  part->p = mem_zero(nstate, sizeof *part->p);
  part->class_weight = mem_zero(nclass, sizeof *part->class_weight);
  if (!self.local || !self.within || !self.share || !part->p || !part->class_weight) goto out;
  for (int32_t c = 0; c <= part->nclass; c++) {
    for (int32_t i = self.class_start[c]; i < self.class_start[c + 1]; i++) {
      self.local[self.sorted[i]] = i - self.class_start[c];
    }
  }
  status = NESS_OK;
  for (int32_t c = 0; status == NESS_OK && c < part->nclass; c++) status = steady_class(&self, c);
  if (status == NESS_OK) status = steady_transient(&self);
  if (status == NESS_OK) status = steady_mix(&self, var);
  if (status == NESS_OK && part->copies == 1) steady_moments(part, var);
  if (status == NESS_OK && part->copies == 0) {
    /* Outside counts as one: every other state then holds its mean, and the counts are Poisson. */
    part->scale = 1 / part->p[part->start];
    for (int32_t s = 0; s < part->nstate; s++) {
      for (int32_t i = 0; i < part->nslot; i++) {
        if (part->count[(int64_t)s * part->nslot + i]) var[part->slot[i]] = part->scale * part->p[s];
      }
    }
  }
out:
  gth_free(&self.transient);
  mem_free(self.class_start);
  mem_free(self.sorted);
  mem_free(self.local);
  mem_free(self.within);
  mem_free(self.share);
  mem_free(self.time);
  return status;
}
