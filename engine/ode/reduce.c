/* Independent slots: the conservation laws solved for one slot each. Invariant: the slot that a law gives away occurs
 * in no other law with a coefficient, so each is total - sum of free slots. Method: Gauss-Jordan elimination of the
 * laws, pivots on the slots that hold most, which keeps the scarce ones, whose figures a difference would lose, among
 * the free. Cost: laws^2 x slots at worst, about linear for laws that share little. */
#include "engine/ode/system.h"

#include <math.h>

#define REDUCE_ROOM 20000000 /* laws x slots */

static int32_t reduce_pivot(const double *row, int32_t n, const double *x)
{
  int32_t best = -1;
  double most = -1;
  for (int32_t i = 0; i < n; i++) {
    const double size = fabs(row[i]);
    if (size < 1e-9) continue;
    const double weight = size * (x[i] > 0 ? x[i] : 0);
    if (weight > most) {
      most = weight;
      best = i;
    }
  }
  return best;
}

static bool reduce_rows(const ode_system *sys, const double *x, double *rows, int32_t *given)
{
  const int32_t n = sys->nslot, laws = sys->laws.count;
  for (int32_t l = 0; l < laws; l++) {
    double *const row = rows + (int64_t)l * n;
    const int32_t pivot = reduce_pivot(row, n, x);
    if (pivot < 0) return false;
    given[l] = pivot;
    const double inverse = 1 / row[pivot];
    for (int32_t i = 0; i < n; i++) row[i] *= inverse;
    row[pivot] = 1;
    for (int32_t m = 0; m < laws; m++) {
      double *const other = rows + (int64_t)m * n;
      const double factor = other[pivot];
      if (m == l || factor == 0) continue;
      for (int32_t i = 0; i < n; i++) {
        other[i] -= factor * row[i];
        if (fabs(other[i]) < 1e-9) other[i] = 0; /* laws are small integers: what is left of them is rounding */
      }
      other[pivot] = 0;
    }
  }
  return true;
}

static bool reduce_pack(const ode_system *sys, const double *rows, ode_reduction *out)
{
  const int32_t n = sys->nslot, laws = out->nlaw;
  int64_t terms = 0;
  for (int64_t k = 0; k < (int64_t)laws * n; k++) terms += rows[k] != 0;
  out->start = mem_zero((size_t)laws + 1, sizeof *out->start);
  out->slot = mem_zero((size_t)terms + 1, sizeof *out->slot);
  out->by = mem_zero((size_t)terms + 1, sizeof *out->by);
  out->free_slot = mem_zero((size_t)n + 1, sizeof *out->free_slot);
  out->place = mem_zero((size_t)n + 1, sizeof *out->place);
  if (!out->start || !out->slot || !out->by || !out->free_slot || !out->place) return false;
  for (int32_t l = 0; l < laws; l++) out->place[out->given[l]] = -1 - l;
  for (int32_t i = 0; i < n; i++) {
    if (out->place[i] < 0) continue;
    out->place[i] = out->rank;
    out->free_slot[out->rank++] = i;
  }
  for (int32_t l = 0; l < laws; l++) {
    int32_t at = out->start[l];
    for (int32_t i = 0; i < n; i++) {
      const double by = rows[(int64_t)l * n + i];
      if (by == 0 || i == out->given[l]) continue;
      out->slot[at] = i;
      out->by[at++] = by;
    }
    out->start[l + 1] = at;
  }
  return true;
}

ness_status ode_reduce(const ode_system *sys, const double *x, ness_diags *diags, ode_reduction *out)
{
  const int32_t n = sys->nslot, laws = sys->laws.count;
  ness_status status = NESS_NOMEM;
  *out = (ode_reduction){.nlaw = laws};
  if ((int64_t)laws * n > REDUCE_ROOM) {
    diag_add(diags, NESS_ERROR, "%d conservation laws of %d slots are more than the rate equations can work with", laws,
             n);
    return NESS_LIMIT;
  }
  double *rows = mem_zero((size_t)laws * (size_t)n + 1, sizeof *rows);
  out->given = mem_zero((size_t)laws + 1, sizeof *out->given);
  if (!rows || !out->given) goto out;
  for (int32_t l = 0; l < laws; l++) {
    for (int32_t k = sys->laws.start[l]; k < sys->laws.start[l + 1]; k++) {
      rows[(int64_t)l * n + sys->laws.id[k]] = (double)sys->laws.by[k];
    }
  }
  status = NESS_INTERNAL;
  if (!reduce_rows(sys, x, rows, out->given)) goto out;
  status = reduce_pack(sys, rows, out) ? NESS_OK : NESS_NOMEM;
out:
  mem_free(rows);
  if (status) ode_reduction_free(out);
  return status;
}

/* --- on a face --- */

/* Reduces the change of a step by the basis so far; the scarcest slot left becomes the pivot, -1 when nothing is left.
 */
static int32_t face_pivot(int32_t n, const double *x, const double *basis, const int32_t *pivot, int32_t rank,
                          double *v)
{
  int32_t best = -1;
  for (int32_t k = 0; k < rank; k++) {
    const double factor = v[pivot[k]];
    if (factor == 0) continue;
    for (int32_t i = 0; i < n; i++) v[i] -= factor * basis[(int64_t)k * n + i];
    v[pivot[k]] = 0;
  }
  for (int32_t i = 0; i < n; i++) {
    if (fabs(v[i]) > 1e-9 && (best < 0 || x[i] < x[best])) best = i;
  }
  return best;
}

/* A basis of the changes of the running steps, in reduced form; returns its size. */
static int32_t face_basis(const ode_system *sys, const double *x, const ode_work *work, double *basis, int32_t *pivot)
{
  const ness_network *const net = sys->net;
  const int32_t n = sys->nslot;
  int32_t rank = 0;
  for (int32_t s = 0; s < net->nstep && rank < n; s++) {
    if (work->rate[2 * s] == 0 && work->rate[2 * s + 1] == 0) continue;
    double *const v = basis + (int64_t)rank * n;
    for (int32_t i = 0; i < n; i++) v[i] = 0;
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++)
      v[net->change_slot[c]] = net->change_by[c];
    const int32_t best = face_pivot(n, x, basis, pivot, rank, v);
    if (best < 0) continue;
    const double inverse = 1 / v[best];
    for (int32_t i = 0; i < n; i++) v[i] = fabs(v[i]) > 1e-9 ? v[i] * inverse : 0;
    v[best] = 1;
    for (int32_t k = 0; k < rank; k++) {
      double *const other = basis + (int64_t)k * n;
      const double factor = other[best];
      for (int32_t i = 0; i < n && factor != 0; i++) other[i] -= factor * v[i];
      other[best] = 0;
    }
    pivot[rank++] = best;
  }
  return rank;
}

ness_status ode_reduce_face(const ode_system *sys, const double *x, const bool *empty, const ode_work *work,
                            ode_reduction *out)
{
  const int32_t n = sys->nslot;
  const size_t slots = (size_t)n + 1;
  *out = (ode_reduction){0};
  double *const basis = mem_zero(slots * slots, sizeof *basis), *rows = NULL;
  int32_t *const pivot = mem_zero(slots, sizeof *pivot);
  bool *const is_free = mem_zero(slots, sizeof *is_free);
  ness_status status = NESS_NOMEM;
  out->given = mem_zero(slots, sizeof *out->given);
  if (!basis || !pivot || !is_free || !out->given) goto out;
  const int32_t rank = face_basis(sys, x, work, basis, pivot);
  for (int32_t i = 0; i < n; i++) is_free[i] = empty[i];
  for (int32_t k = 0; k < rank; k++) is_free[pivot[k]] = true;
  for (int32_t i = 0; i < n; i++) {
    if (!is_free[i]) out->given[out->nlaw++] = i;
  }
  rows = mem_zero((size_t)out->nlaw * (size_t)n + 1, sizeof *rows);
  if (!rows) goto out;
  for (int32_t l = 0; l < out->nlaw; l++) {
    rows[(int64_t)l * n + out->given[l]] = 1;
    for (int32_t k = 0; k < rank; k++) rows[(int64_t)l * n + pivot[k]] = -basis[(int64_t)k * n + out->given[l]];
  }
  status = reduce_pack(sys, rows, out) ? NESS_OK : NESS_NOMEM;
out:
  mem_free(basis);
  mem_free(rows);
  mem_free(pivot);
  mem_free(is_free);
  if (status) ode_reduction_free(out);
  return status;
}

void ode_reduction_free(ode_reduction *self)
{
  mem_free(self->given);
  mem_free(self->start);
  mem_free(self->slot);
  mem_free(self->by);
  mem_free(self->free_slot);
  mem_free(self->place);
  *self = (ode_reduction){0};
}
