/* Conserved sums held along an integration. Rounding adds c'f = eps * flow to a sum c'x a second, undamped, and
 * implicit steps of a length far beyond all relaxations would make that an error of their own; a relaxation towards the
 * total, which is nothing on the law, bounds it by the rounding of a count (Baumgarte, Comput. Methods Appl. Mech. Eng.
 * 1, 1 (1972)). Invariant: solutions that start on the laws are those of the rate equations. Cost: a term for each slot
 * of each law. */
#include "engine/ode/solver.h"

#include <math.h>
#include <stdlib.h>

static int64_t place_of(const ode_pattern *pattern, int64_t column, int64_t row)
{
  int64_t low = pattern->start[column], high = pattern->start[column + 1] - 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (pattern->row[middle] < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

static int compare_rows(const void *a, const void *b)
{
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Rows of each column: those of J and, without repetition, the slots that its laws give away. */
static bool held_pattern(ode_held *self, const ode_system *sys)
{
  const ode_reduction *const reduction = &self->reduction;
  const int32_t n = sys->nslot, terms = reduction->start[reduction->nlaw];
  ode_pattern *const pattern = &self->pattern;
  int64_t *const start = mem_zero((size_t)n + 2, sizeof *start);
  int32_t *const row = mem_zero((size_t)terms + 1, sizeof *row);
  const size_t room = (size_t)(sys->jac.nnz + terms) + 1;
  pattern->n = n;
  pattern->start = mem_zero((size_t)n + 1, sizeof *pattern->start);
  pattern->row = mem_zero(room, sizeof *pattern->row);
  self->values = mem_zero(room, sizeof *self->values);
  const bool good = start && row && pattern->start && pattern->row && self->values;
  for (int32_t t = 0; good && t < terms; t++) start[reduction->slot[t] + 2]++;
  for (int32_t i = 0; good && i < n; i++) start[i + 2] += start[i + 1];
  for (int32_t l = 0; good && l < reduction->nlaw; l++) {
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
      row[start[reduction->slot[t] + 1]++] = reduction->given[l];
    }
  }
  for (int32_t j = 0; good && j < n; j++) {
    const int64_t first = pattern->nnz;
    for (int64_t k = sys->jac.start[j]; k < sys->jac.start[j + 1]; k++) pattern->row[pattern->nnz++] = sys->jac.row[k];
    for (int64_t k = start[j]; k < start[j + 1]; k++) {
      const int64_t at = place_of(&sys->jac, j, row[k]);
      if (sys->jac.row[at] != row[k]) pattern->row[pattern->nnz++] = row[k];
    }
    pattern->start[j + 1] = pattern->nnz;
    qsort(pattern->row + first, (size_t)(pattern->nnz - first), sizeof *pattern->row, compare_rows);
  }
  mem_free(start);
  mem_free(row);
  return good;
}

static bool held_places(ode_held *self, const ode_system *sys)
{
  const ode_reduction *const reduction = &self->reduction;
  const int32_t terms = reduction->start[reduction->nlaw];
  self->place = mem_zero((size_t)sys->jac.nnz + 1, sizeof *self->place);
  self->law_place = mem_zero((size_t)(reduction->nlaw + terms) + 1, sizeof *self->law_place);
  if (!self->place || !self->law_place) return false;
  for (int32_t j = 0; j < sys->nslot; j++) {
    for (int64_t k = sys->jac.start[j]; k < sys->jac.start[j + 1]; k++) {
      self->place[k] = place_of(&self->pattern, j, sys->jac.row[k]);
    }
  }
  for (int32_t l = 0; l < reduction->nlaw; l++) {
    const int32_t given = reduction->given[l];
    self->law_place[l] = place_of(&self->pattern, given, given);
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
      self->law_place[reduction->nlaw + t] = place_of(&self->pattern, reduction->slot[t], given);
    }
  }
  return true;
}

/* The sum of a law. */
static double law_sum(const ode_reduction *reduction, int32_t l, const double *x)
{
  double sum = x[reduction->given[l]];
  for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
    sum += reduction->by[t] * x[reduction->slot[t]];
  }
  return sum;
}

ness_status ode_held_init(ode_held *self, const ode_system *sys, const double *start, const double *x, double rate,
                          ness_diags *diags)
{
  *self = (ode_held){.rate = rate};
  const ness_status status = ode_reduce(sys, x, diags, &self->reduction);
  if (status) return status;
  self->total = mem_zero((size_t)self->reduction.nlaw + 1, sizeof *self->total);
  if (!self->total || !held_pattern(self, sys) || !held_places(self, sys)) return NESS_NOMEM;
  for (int32_t l = 0; l < self->reduction.nlaw; l++) self->total[l] = law_sum(&self->reduction, l, start);
  return NESS_OK;
}

bool ode_held_poor(const ode_held *self, const double *x)
{
  const ode_reduction *const reduction = &self->reduction;
  for (int32_t l = 0; l < reduction->nlaw; l++) {
    double most = 0;
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
      most = fmax(most, fabs(reduction->by[t]) * x[reduction->slot[t]]);
    }
    if (x[reduction->given[l]] < 1e-4 * most) return true;
  }
  return false;
}

void ode_held_free(ode_held *self)
{
  ode_reduction_free(&self->reduction);
  mem_free(self->total);
  mem_free(self->pattern.start);
  mem_free(self->pattern.row);
  mem_free(self->values);
  mem_free(self->place);
  mem_free(self->law_place);
  *self = (ode_held){0};
}

void ode_held_rate(const ode_held *self, const double *x, double *rate)
{
  for (int32_t l = 0; l < self->reduction.nlaw; l++) {
    rate[self->reduction.given[l]] -= self->rate * (law_sum(&self->reduction, l, x) - self->total[l]);
  }
}

void ode_held_jacobian(ode_held *self, const ode_system *sys, const ode_work *work)
{
  const ode_reduction *const reduction = &self->reduction;
  for (int64_t k = 0; k < self->pattern.nnz; k++) self->values[k] = 0;
  for (int64_t k = 0; k < sys->jac.nnz; k++) self->values[self->place[k]] = work->jac[k];
  for (int32_t l = 0; l < reduction->nlaw; l++) {
    self->values[self->law_place[l]] -= self->rate;
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
      self->values[self->law_place[reduction->nlaw + t]] -= self->rate * reduction->by[t];
    }
  }
}
