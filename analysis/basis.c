/* Independent cycles of steps and the current that each carries in every batch.
 * Invariant: `count` vectors that change no count and are independent; declared cycles come first, the rest is filled
 * up from the null space of the stoichiometry. Where nothing is declared each cycle has a chord, a step of its own,
 * whose net events count it; else currents are the least-squares solution of net = C j, which is exact whenever the
 * counts have come back to where they were. Boundary events are bounded, so errors of rates do not see them on long
 * runs. Cost: the elimination of stoich_cycles, plus rank^2 * steps when cycles are declared. */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define BASIS_STEPS 20000 /* beyond, no cycles are looked for */
#define BASIS_DENSE 128   /* cycles up to which declared ones are mixed in */

typedef struct candidate {
  int32_t n;
  const int32_t *id;
  const double *by;
  int32_t declared;
} candidate;

/* The declared cycle as a vector over steps; false when it does not close. */
static bool declared_vector(const ness_network *net, int32_t c, double *vector, double *counts)
{
  memset(vector, 0, (size_t)net->nstep * sizeof *vector);
  memset(counts, 0, (size_t)net->nslot * sizeof *counts);
  for (int32_t k = net->cycle_start[c]; k < net->cycle_start[c + 1]; k++) {
    const int32_t s = net->cycle_step[k];
    vector[s] += net->cycle_by[k];
    for (int32_t i = net->change_start[s]; i < net->change_start[s + 1]; i++)
      counts[net->change_slot[i]] += (double)net->cycle_by[k] * net->change_by[i];
  }
  for (int32_t i = 0; i < net->nslot; i++)
    if (counts[i] != 0) return false;
  return true;
}

static bool candidate_sparse(arena *memory, const double *vector, int32_t nstep, candidate *out)
{
  int32_t n = 0;
  for (int32_t s = 0; s < nstep; s++) n += vector[s] != 0;
  int32_t *const id = arena_alloc(memory, (size_t)(n + 1) * sizeof *id);
  double *const by = arena_alloc(memory, (size_t)(n + 1) * sizeof *by);
  if (!id || !by) return false;
  for (int32_t s = 0, k = 0; s < nstep; s++) {
    if (vector[s] == 0) continue;
    id[k] = s;
    by[k++] = vector[s];
  }
  *out = (candidate){n, id, by, out->declared};
  return true;
}

/* Appends a candidate when it does not depend on those before; `q` holds an orthonormal basis of them. */
static bool independent(const candidate *c, int32_t have, int32_t nstep, double *q)
{
  double *const row = q + (int64_t)have * nstep;
  memset(row, 0, (size_t)nstep * sizeof *row);
  double size = 0, left = 0;
  for (int32_t k = 0; k < c->n; k++) {
    row[c->id[k]] = c->by[k];
    size += c->by[k] * c->by[k];
  }
  for (int32_t twice = 0; twice < 2; twice++) /* modified Gram-Schmidt, repeated for orthogonality to rounding */
    for (int32_t j = 0; j < have; j++) {
      const double *const other = q + (int64_t)j * nstep;
      double dot = 0;
      for (int32_t s = 0; s < nstep; s++) dot += row[s] * other[s];
      for (int32_t s = 0; s < nstep; s++) row[s] -= dot * other[s];
    }
  for (int32_t s = 0; s < nstep; s++) left += row[s] * row[s];
  if (!(left > 1e-12 * size)) return false;
  for (int32_t s = 0; s < nstep; s++) row[s] /= sqrt(left);
  return true;
}

static bool basis_take(basis *self, const candidate *c, int64_t *by_room)
{
  const int64_t at = self->count > 0 ? self->start[self->count] : 0;
  int64_t id_room = *by_room;
  if (!mem_grow(&self->id, &id_room, at + c->n, sizeof *self->id) ||
      !mem_grow(&self->by, by_room, at + c->n, sizeof *self->by))
    return false;
  memcpy(self->id + at, c->id, (size_t)c->n * sizeof *c->id);
  memcpy(self->by + at, c->by, (size_t)c->n * sizeof *c->by);
  self->declared[self->count] = c->declared;
  self->start[++self->count] = (int32_t)at + c->n;
  return true;
}

static bool basis_room(basis *self, int32_t most)
{
  const size_t n = (size_t)most + 1;
  self->start = mem_zero(n, sizeof *self->start);
  self->declared = mem_zero(n, sizeof *self->declared);
  self->chord = mem_zero(n, sizeof *self->chord);
  self->affinity = mem_zero(n, sizeof *self->affinity);
  self->name = mem_zero(n, sizeof(char *));
  return self->start && self->declared && self->chord && self->affinity && self->name;
}

/* j = (C'C)^-1 C' net, as one row a cycle. */
static bool basis_weights(basis *self, int32_t nstep)
{
  const int32_t n = self->count;
  double *gram = mem_zero((size_t)n * (size_t)n, sizeof *gram), *column = mem_zero((size_t)n + 1, sizeof *column);
  bool *keep = mem_zero((size_t)n + 1, sizeof *keep);
  self->weight = mem_zero((size_t)n * (size_t)nstep, sizeof *self->weight);
  const bool good = gram && column && keep && self->weight;
  if (good) {
    for (int32_t i = 0; i < n; i++) {
      double *const row = self->weight + (int64_t)i * nstep; /* first the dense vectors */
      for (int32_t k = self->start[i]; k < self->start[i + 1]; k++) row[self->id[k]] = self->by[k];
      for (int32_t j = 0; j < n; j++)
        for (int32_t k = self->start[j]; k < self->start[j + 1]; k++)
          gram[(int64_t)i * n + j] += row[self->id[k]] * self->by[k];
    }
    stat_cholesky(gram, n, keep);
    for (int32_t s = 0; s < nstep; s++) {
      for (int32_t i = 0; i < n; i++) column[i] = self->weight[(int64_t)i * nstep + s];
      stat_solve_lower(gram, n, keep, column);
      stat_solve_upper(gram, n, keep, column);
      for (int32_t i = 0; i < n; i++) self->weight[(int64_t)i * nstep + s] = column[i];
    }
  }
  mem_free(gram);
  mem_free(column);
  mem_free(keep);
  return good;
}

static ness_status basis_collect(basis *self, const ness_network *net, const stoich_basis *all)
{
  const int32_t rank = all->count, nstep = net->nstep;
  const bool mixed = net->ncycle > 0 && rank <= BASIS_DENSE && rank > 0;
  double *q = mixed ? mem_alloc(((size_t)rank + 1) * (size_t)nstep * sizeof *q) : NULL;
  double *vector = mem_zero((size_t)nstep + 1, sizeof *vector),
         *counts = mem_zero((size_t)net->nslot + 1, sizeof *counts);
  int64_t by_room = 0;
  arena memory = {0};
  bool good = vector && counts && (q || !mixed);
  for (int32_t c = 0; good && mixed && c < net->ncycle && self->count < rank; c++) {
    candidate cycle = {.declared = c};
    if (!declared_vector(net, c, vector, counts)) continue;
    good = candidate_sparse(&memory, vector, nstep, &cycle);
    if (good && independent(&cycle, self->count, nstep, q)) good = basis_take(self, &cycle, &by_room);
  }
  for (int32_t c = 0; good && c < rank && self->count < rank; c++) {
    const int32_t first = all->start[c], n = all->start[c + 1] - first;
    candidate cycle = {n, all->id + first, NULL, -1};
    double *const by = arena_alloc(&memory, (size_t)(n + 1) * sizeof *by);
    good = by != NULL;
    for (int32_t k = 0; good && k < n; k++) by[k] = (double)all->by[first + k];
    cycle.by = by;
    if (good && (!mixed || independent(&cycle, self->count, nstep, q))) good = basis_take(self, &cycle, &by_room);
  }
  bool weights = false;
  for (int32_t c = 0; c < self->count; c++) weights |= self->declared[c] >= 0;
  if (good && weights) good = basis_weights(self, nstep);
  mem_free(q);
  mem_free(vector);
  mem_free(counts);
  arena_free(&memory);
  return good ? NESS_OK : NESS_NOMEM;
}

/* A step that only this cycle has, the highest there is; -1 none. */
static bool basis_chords(basis *self, int32_t nstep)
{
  int32_t *const uses = mem_zero((size_t)nstep + 1, sizeof *uses);
  if (!uses) return false;
  for (int32_t k = 0; k < (self->count ? self->start[self->count] : 0); k++) uses[self->id[k]]++;
  for (int32_t c = 0; c < self->count; c++) {
    self->chord[c] = -1;
    for (int32_t k = self->start[c]; k < self->start[c + 1] && !self->weight; k++)
      if (uses[self->id[k]] == 1) self->chord[c] = k;
  }
  mem_free(uses);
  return true;
}

double basis_apply(const basis *self, const ness_network *net, int32_t c, const double *net_rate)
{
  if (!self->weight) {
    const int32_t k = self->chord[c] >= 0 ? self->chord[c] : self->start[c];
    return net_rate[self->id[k]] / self->by[k];
  }
  double sum = 0;
  for (int32_t s = 0; s < net->nstep; s++) sum += self->weight[(int64_t)c * net->nstep + s] * net_rate[s];
  return sum;
}

static bool basis_names(basis *self, const ness_network *net)
{
  for (int32_t c = 0; c < self->count; c++) {
    text_buffer text = {0};
    if (self->declared[c] >= 0) {
      text_add(&text, "%s", network_text(net, net->cycle_name[self->declared[c]]));
    } else {
      const int32_t n = self->start[c + 1] - self->start[c];
      for (int32_t k = 0; k < n && k < 8; k++) {
        const double by = self->by[self->start[c] + k], size = fabs(by);
        text_add(&text, "%s", k ? by < 0 ? " - " : " + " : by < 0 ? "-" : "");
        if (size != 1) text_add(&text, "%.0f ", size);
        text_add(&text, "%s", network_text(net, net->step_name[self->id[self->start[c] + k]]));
      }
      if (n > 8) text_add(&text, " ... (%d steps)", n);
    }
    self->name[c] = text.failed ? NULL : arena_text(&self->texts, text.data ? text.data : "", text.length);
    text_clear(&text);
    if (!self->name[c]) return false;
  }
  return true;
}

static void basis_affinities(basis *self, const ness_network *net, bool known)
{
  for (int32_t c = 0; c < self->count; c++) {
    double sum = 0, size = 0;
    for (int32_t k = self->start[c]; k < self->start[c + 1]; k++) {
      const double term = self->by[k] * net->step_lnk[self->id[k]];
      sum += term;
      size += fabs(term);
    }
    if (!known) self->affinity[c] = (double)NAN;
    else self->affinity[c] = fabs(sum) < 1e-14 * size ? 0 : sum; /* what is left of terms that cancel */
  }
}

static bool basis_currents(basis *self, const analysis *all)
{
  const int32_t batches = all->sums->batches, nstep = all->net->nstep;
  double *const net_events = mem_zero((size_t)nstep + 1, sizeof *net_events);
  self->current = mem_zero((size_t)self->count * (size_t)batches + 1, sizeof *self->current);
  if (net_events && self->current) {
    for (int32_t b = 0; b < batches; b++) {
      const double *const row = all->sums->batch + (int64_t)b * all->plan->width;
      for (int32_t s = 0; s < nstep; s++) net_events[s] = row[all->plan->fwd + s] - row[all->plan->bwd + s];
      for (int32_t c = 0; c < self->count; c++)
        self->current[(int64_t)c * batches + b] = basis_apply(self, all->net, c, net_events);
    }
  }
  mem_free(net_events);
  return net_events && self->current;
}

ness_status basis_init(basis *self, const analysis *all)
{
  const ness_network *net = all->net;
  memset(self, 0, sizeof *self);
  stoich_basis found = {0};
  self->skipped = net->nstep > BASIS_STEPS;
  ness_status status = self->skipped ? NESS_OK : stoich_cycles(net, &found);
  if (status == NESS_LIMIT || status == NESS_NUMERIC) {
    self->skipped = true;
    status = NESS_OK;
  }
  self->rank = found.count;
  if (!status && !basis_room(self, found.count)) status = NESS_NOMEM;
  if (!status && !self->skipped) status = basis_collect(self, net, &found);
  stoich_free(&found);
  if (status) return status;
  if (!basis_chords(self, net->nstep) || !basis_names(self, net) || !basis_currents(self, all)) return NESS_NOMEM;
  basis_affinities(self, net, !all->measured);
  for (int32_t c = 0; c < self->count && all->moved; c++)
    self->affinity[c] =
        moved_affinity(all, self->start[c + 1] - self->start[c], self->id + self->start[c], self->by + self->start[c]);
  return NESS_OK;
}

void basis_free(basis *self)
{
  mem_free(self->start);
  mem_free(self->id);
  mem_free(self->by);
  mem_free(self->declared);
  mem_free(self->chord);
  mem_free(self->weight);
  mem_free(self->affinity);
  mem_free(self->current);
  mem_free(self->name);
  arena_free(&self->texts);
  memset(self, 0, sizeof *self);
}
