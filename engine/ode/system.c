/* Compiling a network: which slots each propensity reads, the pattern of the Jacobian by columns, and for every term
 * of it the place where it is added. Invariant: the pattern holds the whole diagonal, rows ascend, and `fill` runs in
 * the order of directions, read slots, changed slots, as ode_differentiate walks. Cost: linear in the number of terms,
 * times a logarithm. */
#include "engine/ode/system.h"

#include <stdlib.h>

/* --- what propensities read --- */

static int32_t read_row(const ness_network *net, int32_t dir, int32_t *seen, int32_t *out)
{
  int32_t count = 0;
  for (int32_t r = net->react_start[dir]; r < net->react_start[dir + 1] && net->dir_law[dir] == LAW_MASS; r++) {
    const int32_t slot = net->react_slot[r];
    if (seen[slot] == dir) continue;
    seen[slot] = dir;
    if (out) out[count] = slot;
    count++;
  }
  for (int32_t i = net->tape_start[dir]; i < net->tape_start[dir + 1]; i++) {
    const int32_t slot = net->tape[i].a;
    if (net->tape[i].code != TAPE_SLOT || seen[slot] == dir) continue;
    seen[slot] = dir;
    if (out) out[count] = slot;
    count++;
  }
  return count;
}

static bool system_reads(ode_system *self)
{
  const ness_network *net = self->net;
  int32_t *seen = mem_zero((size_t)self->nslot + 1, sizeof *seen);
  self->read_start = mem_zero((size_t)self->ndir + 1, sizeof *self->read_start);
  const bool room = seen && self->read_start;
  for (int pass = 0; room && pass < 2; pass++) {
    for (int32_t i = 0; i < self->nslot; i++) seen[i] = -1;
    for (int32_t d = 0; d < self->ndir; d++) {
      const int64_t at = self->read_start[d];
      self->read_start[d + 1] = at + read_row(net, d, seen, pass ? self->read_slot + at : NULL);
    }
    if (pass) break;
    self->read_slot = mem_zero((size_t)self->read_start[self->ndir] + 1, sizeof *self->read_slot);
    if (!self->read_slot) break;
  }
  mem_free(seen);
  return room && self->read_slot;
}

/* --- the pattern --- */

static int compare_rows(const void *a, const void *b)
{
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Directions that read each slot. */
static bool columns_of(const ode_system *self, int64_t **start, int32_t **dir)
{
  const int64_t total = self->read_start[self->ndir];
  *start = mem_zero((size_t)self->nslot + 2, sizeof **start);
  *dir = mem_zero((size_t)total + 1, sizeof **dir);
  if (!*start || !*dir) return false;
  for (int64_t k = 0; k < total; k++) (*start)[self->read_slot[k] + 2]++;
  for (int32_t i = 0; i < self->nslot; i++) (*start)[i + 2] += (*start)[i + 1];
  for (int32_t d = 0; d < self->ndir; d++) {
    for (int64_t k = self->read_start[d]; k < self->read_start[d + 1]; k++) {
      (*dir)[(*start)[self->read_slot[k] + 1]++] = d;
    }
  }
  return true;
}

static bool pattern_add(ode_pattern *jac, int64_t *capacity, int32_t *seen, int32_t column, int32_t row)
{
  if (seen[row] == column) return true;
  seen[row] = column;
  if (!mem_grow(&jac->row, capacity, jac->nnz + 1, sizeof *jac->row)) return false;
  jac->row[jac->nnz++] = row;
  return true;
}

static bool system_pattern(ode_system *self)
{
  const ness_network *net = self->net;
  ode_pattern *const jac = &self->jac;
  int64_t *start = NULL, capacity = 0;
  int32_t *dir = NULL, *seen = mem_zero((size_t)self->nslot + 1, sizeof *seen);
  bool good = columns_of(self, &start, &dir) && seen;
  jac->n = self->nslot;
  jac->start = mem_zero((size_t)self->nslot + 1, sizeof *jac->start);
  good = good && jac->start && mem_grow(&jac->row, &capacity, self->nslot + 1, sizeof *jac->row);
  for (int32_t i = 0; good && i < self->nslot; i++) seen[i] = -1;
  for (int32_t j = 0; good && j < self->nslot; j++) {
    good = pattern_add(jac, &capacity, seen, j, j);
    for (int64_t k = start[j]; good && k < start[j + 1]; k++) {
      const int32_t s = dir[k] / 2;
      for (int32_t c = net->change_start[s]; good && c < net->change_start[s + 1]; c++) {
        good = pattern_add(jac, &capacity, seen, j, net->change_slot[c]);
      }
    }
    jac->start[j + 1] = jac->nnz;
    if (good) qsort(jac->row + jac->start[j], (size_t)(jac->nnz - jac->start[j]), sizeof *jac->row, compare_rows);
  }
  mem_free(start);
  mem_free(dir);
  mem_free(seen);
  return good;
}

static int64_t pattern_place(const ode_pattern *jac, int64_t column, int64_t row)
{
  int64_t low = jac->start[column], high = jac->start[column + 1] - 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (jac->row[middle] < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

static bool system_fill(ode_system *self)
{
  const ness_network *net = self->net;
  int64_t total = 0, at = 0;
  for (int32_t d = 0; d < self->ndir; d++) {
    total +=
        (self->read_start[d + 1] - self->read_start[d]) * (net->change_start[d / 2 + 1] - net->change_start[d / 2]);
  }
  self->fill = mem_zero((size_t)total + 1, sizeof *self->fill);
  self->diagonal = mem_zero((size_t)self->nslot + 1, sizeof *self->diagonal);
  if (!self->fill || !self->diagonal) return false;
  for (int32_t i = 0; i < self->nslot; i++) self->diagonal[i] = pattern_place(&self->jac, i, i);
  for (int32_t d = 0; d < self->ndir; d++) {
    for (int64_t k = self->read_start[d]; k < self->read_start[d + 1]; k++) {
      for (int32_t c = net->change_start[d / 2]; c < net->change_start[d / 2 + 1]; c++) {
        self->fill[at++] = pattern_place(&self->jac, self->read_slot[k], net->change_slot[c]);
      }
    }
  }
  return true;
}

static bool system_caps(ode_system *self)
{
  const ness_network *net = self->net;
  self->cap = mem_zero((size_t)net->nguard + 1, sizeof *self->cap);
  for (int32_t d = 0; self->cap && d < self->ndir; d++) {
    for (int32_t g = net->guard_start[d]; g < net->guard_start[d + 1]; g++) {
      if (net->guard_high[g] == INT64_MAX) continue;
      self->cap[self->ncap++] = (ode_cap){.dir = d, .slot = net->guard_slot[g], .barred = net->guard_high[g] + 1};
    }
  }
  return self->cap;
}

static bool is_linear(const ness_network *net)
{
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    int32_t order = 0;
    for (int32_t r = net->react_start[d]; r < net->react_start[d + 1]; r++) order += net->react_mult[r];
    if (net->dir_law[d] == LAW_TAPE || (net->dir_law[d] == LAW_MASS && order > 1)) return false;
  }
  return true;
}

/* --- both ends --- */

ness_status ode_create(const ness_network *net, ness_diags *diags, ode_system **out)
{
  *out = NULL;
  ode_system *self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->net = net;
  self->nslot = net->nslot;
  self->ndir = 2 * net->nstep;
  self->linear = is_linear(net);
  ness_status status = stoich_laws_running(net, &self->laws);
  if (status == NESS_OK && !(system_reads(self) && system_pattern(self) && system_fill(self) && system_caps(self))) {
    status = NESS_NOMEM;
  }
  if (status == NESS_NUMERIC) {
    diag_add(diags, NESS_ERROR, "the conservation laws of this network need integers beyond 2^30");
  }
  if (status) ode_free(self);
  else *out = self;
  return status;
}

void ode_free(ode_system *self)
{
  if (!self) return;
  stoich_free(&self->laws);
  mem_free(self->read_start);
  mem_free(self->read_slot);
  mem_free(self->jac.start);
  mem_free(self->jac.row);
  mem_free(self->diagonal);
  mem_free(self->fill);
  mem_free(self->cap);
  mem_free(self);
}
