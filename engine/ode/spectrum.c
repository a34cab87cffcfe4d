/* The Jacobian on the stoichiometric subspace and its eigenvalues. Invariant: coordinates are the free slots of a
 * reduction, each in units of a power of 2 near sqrt(x), in which a network at equilibrium has a symmetric Jacobian and
 * scarce slots keep their figures. Method: balancing, Hessenberg form and QR of LAPACK; the rounding of an eigenvalue
 * is taken as a few units in the last place of the norm of the balanced matrix, which holds for those that are not
 * badly conditioned. Cost: about 10 rank^3 operations. */
#include "engine/base/blas.h"
#include "engine/ode/system.h"

#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

ness_status ode_reduced_jacobian(const ode_system *sys, const ode_work *work, const ode_reduction *reduction,
                                 double **matrix, double **scale)
{
  const int64_t rank = reduction->rank;
  *scale = mem_zero((size_t)rank + 1, sizeof **scale);
  *matrix = mem_zero((size_t)(rank * rank) + 1, sizeof **matrix);
  if (!*matrix || !*scale) return NESS_NOMEM;
  for (int64_t a = 0; a < rank; a++) {
    const double x = work->x[reduction->free_slot[a]];
    (*scale)[a] = x > 0 ? ldexp(1, (int)lrint(0.5 * log2(x))) : 1;
  }
  for (int32_t j = 0; j < sys->nslot; j++) {
    for (int64_t k = sys->jac.start[j]; k < sys->jac.start[j + 1]; k++) {
      const int32_t row = reduction->place[sys->jac.row[k]], column = reduction->place[j];
      if (row < 0) continue;
      if (column >= 0) {
        (*matrix)[column * rank + row] += work->jac[k];
        continue;
      }
      for (int32_t t = reduction->start[-1 - column]; t < reduction->start[-column]; t++) {
        (*matrix)[reduction->place[reduction->slot[t]] * rank + row] -= reduction->by[t] * work->jac[k];
      }
    }
  }
  for (int64_t b = 0; b < rank; b++) {
    for (int64_t a = 0; a < rank; a++) (*matrix)[b * rank + a] *= (*scale)[b] / (*scale)[a];
  }
  return NESS_OK;
}

/* --- eigenvalues --- */

typedef struct eigenvalue {
  double re, im;
} eigenvalue;

static int compare_eigenvalues(const void *a, const void *b)
{
  const eigenvalue *const x = a, *const y = b;
  if (x->re != y->re) return x->re < y->re ? 1 : -1;
  return (x->im < y->im) - (x->im > y->im);
}

static ness_status sort_eigenvalues(int32_t n, double *re, double *im)
{
  eigenvalue *list = mem_zero((size_t)n + 1, sizeof *list);
  if (!list) return NESS_NOMEM;
  for (int32_t i = 0; i < n; i++) list[i] = (eigenvalue){re[i], im[i]};
  qsort(list, (size_t)n, sizeof *list, compare_eigenvalues);
  for (int32_t i = 0; i < n; i++) {
    re[i] = list[i].re;
    im[i] = list[i].im;
  }
  mem_free(list);
  return NESS_OK;
}

static double norm_of(const double *matrix, int64_t count)
{
  double most = 0, sum = 0;
  for (int64_t k = 0; k < count; k++) most = fmax(most, fabs(matrix[k]));
  for (int64_t k = 0; k < count && most > 0; k++) sum += (matrix[k] / most) * (matrix[k] / most);
  return most * sqrt(sum);
}

ness_status ode_eigenvalues(double *matrix, int32_t n, ness_diags *diags, double *re, double *im, double *error)
{
  *error = 0;
  if (n == 0) return NESS_OK;
  int32_t low = 1, high = n, info = 0;
  const int32_t room = 64 * n;
  double *const scale = mem_zero((size_t)n, sizeof *scale), *const tau = mem_zero((size_t)n, sizeof *tau);
  double *const work = mem_zero((size_t)room, sizeof *work);
  ness_status status = NESS_NOMEM;
  if (!scale || !tau || !work) goto out;
  blas_enter();
  info = LAPACKE_dgebal_work(LAPACK_COL_MAJOR, 'B', n, matrix, n, &low, &high, scale);
  *error = 8 * DBL_EPSILON * norm_of(matrix, (int64_t)n * n);
  if (!info) info = LAPACKE_dgehrd_work(LAPACK_COL_MAJOR, n, low, high, matrix, n, tau, work, room);
  if (!info) {
    info = LAPACKE_dhseqr_work(LAPACK_COL_MAJOR, 'E', 'N', n, low, high, matrix, n, re, im, NULL, 1, work, room);
  }
  blas_leave();
  status = info ? NESS_NUMERIC : sort_eigenvalues(n, re, im);
  if (info) diag_add(diags, NESS_ERROR, "the eigenvalues of the Jacobian do not converge");
out:
  mem_free(scale);
  mem_free(tau);
  mem_free(work);
  return status;
}

ness_status ode_spectrum(const ode_system *sys, ode_work *work, ness_diags *diags, ode_state *state)
{
  double *matrix = NULL, *scale = NULL;
  ode_reduction reduction = {0};
  state->stable = -1;
  state->rank = sys->nslot - sys->laws.count;
  if (state->rank > ODE_DENSE) return NESS_OK;
  ness_status status = ode_reduce(sys, work->x, diags, &reduction);
  if (!status && !ode_differentiate(sys, work)) status = ode_bad_rate(sys, work, (double)NAN, diags);
  if (!status) status = ode_reduced_jacobian(sys, work, &reduction, &matrix, &scale);
  const size_t room = (size_t)state->rank + 1;
  if (!status && !state->re) state->re = mem_zero(room, sizeof *state->re);
  if (!status && !state->im) state->im = mem_zero(room, sizeof *state->im);
  if (!status && (!state->re || !state->im)) status = NESS_NOMEM;
  if (!status) status = ode_eigenvalues(matrix, state->rank, diags, state->re, state->im, &state->eigen_error);
  if (!status) {
    state->neigen = state->rank;
    const double leading = state->rank > 0 ? state->re[0] : -1;
    state->stable = leading < -state->eigen_error ? 1 : leading > state->eigen_error ? 0 : -1;
    state->oscillating = state->rank > 0 && state->im[0] != 0;
  }
  ode_reduction_free(&reduction);
  mem_free(matrix);
  mem_free(scale);
  return status;
}

/* --- at a state that the caller gives --- */

ness_status ode_growth(const ode_system *self, const double *x, ness_diags *diags, double *re, double *im)
{
  ode_state state = {0};
  ode_work work = {0};
  *re = (double)NAN;
  ness_status status = ode_work_init(&work, self) ? NESS_OK : NESS_NOMEM;
  if (!status) status = ode_check_given(self, x, &work, diags);
  if (!status) status = ode_spectrum(self, &work, diags, &state);
  if (!status && state.rank > ODE_DENSE) {
    diag_add(diags, NESS_ERROR, "eigenvalues are for at most %d independent slots, and this network has %d", ODE_DENSE,
             state.rank);
    status = NESS_LIMIT;
  }
  if (!status) {
    *re = state.neigen ? state.re[0] : 0;
    if (im) *im = state.neigen ? state.im[0] : 0;
  }
  ode_work_free(&work);
  ode_state_free(&state);
  return status;
}

ness_status ode_jacobian_dense(const ode_system *self, const double *x, ness_diags *diags, double *out)
{
  ode_work work = {0};
  const int64_t n = self->nslot;
  ness_status status = ode_work_init(&work, self) ? NESS_OK : NESS_NOMEM;
  if (!status) status = ode_check_given(self, x, &work, diags);
  if (!status && !ode_differentiate(self, &work)) status = ode_bad_rate(self, &work, (double)NAN, diags);
  for (int64_t k = 0; !status && k < n * n; k++) out[k] = 0;
  for (int64_t j = 0; !status && j < n; j++) {
    for (int64_t k = self->jac.start[j]; k < self->jac.start[j + 1]; k++) {
      out[self->jac.row[k] * n + j] = work.jac[k];
    }
  }
  ode_work_free(&work);
  return status;
}
