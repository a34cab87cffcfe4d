/* The linear noise approximation at rest: J C + C J' + D = 0 on the stoichiometric subspace. Invariant: the covariance
 * of conserved sums is 0 and C is symmetric. Method: real Schur form, then the triangular equation (Bartels and
 * Stewart, Comm. ACM 15, 820 (1972)), by LAPACK, in the units of ode_reduced_jacobian. Cost: about 30 rank^3. */
#include "engine/base/blas.h"
#include "engine/ode/system.h"

#include <lapacke.h>
#include <math.h>

/* out = a' b or a b of columns (n x n). */
static void multiply(int64_t n, bool transposed, const double *a, const double *b, double *out)
{
  for (int64_t j = 0; j < n; j++) {
    double *const column = out + j * n;
    const double *const right = b + j * n;
    for (int64_t i = 0; i < n; i++) column[i] = 0;
    for (int64_t k = 0; k < n; k++) {
      const double *const left = a + k * n;
      if (transposed) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) sum += left[i] * right[i];
        column[k] = sum;
      } else {
        for (int64_t i = 0; i < n; i++) column[i] += left[i] * right[k];
      }
    }
  }
}

static void transpose(int64_t n, double *a)
{
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) {
      const double other = a[i * n + j];
      a[i * n + j] = a[j * n + i];
      a[j * n + i] = other;
    }
  }
}

/* Solves j c + c j' + d = 0; j becomes its Schur form, d the solution. */
static ness_status solve_lyapunov(int32_t n, double *j, double *d, ness_diags *diags)
{
  const size_t square = (size_t)n * (size_t)n, room = (size_t)(64 * n);
  double *const q = mem_zero(square, sizeof *q), *const spare = mem_zero(square, sizeof *spare);
  double *const re = mem_zero((size_t)n, sizeof *re), *const im = mem_zero((size_t)n, sizeof *im);
  double *const work = mem_zero(room, sizeof *work);
  int32_t sorted = 0;
  double factor = 1;
  ness_status status = NESS_NOMEM;
  if (!q || !spare || !re || !im || !work) goto out;
  status = NESS_NUMERIC;
  blas_enter();
  int info = LAPACKE_dgees_work(LAPACK_COL_MAJOR, 'V', 'N', NULL, n, j, n, &sorted, re, im, q, n, work, 64 * n, NULL);
  if (!info) {
    multiply(n, true, q, d, spare); /* q' d q, transposed twice */
    transpose(n, spare);
    multiply(n, true, q, spare, d);
    for (size_t k = 0; k < square; k++) d[k] = -d[k];
    info = LAPACKE_dtrsyl_work(LAPACK_COL_MAJOR, 'N', 'T', 1, n, n, j, n, j, n, d, n, &factor);
  }
  blas_leave();
  if (info) {
    diag_add(diags, NESS_ERROR, "the equation of the covariance has no accurate solution: relaxations cancel");
    goto out;
  }
  multiply(n, false, q, d, spare);
  transpose(n, spare);
  multiply(n, false, q, spare, d);
  for (size_t k = 0; k < square; k++) d[k] /= factor;
  status = NESS_OK;
out:
  mem_free(q);
  mem_free(spare);
  mem_free(re);
  mem_free(im);
  mem_free(work);
  return status;
}

/* D on the free slots in their units, by columns. */
static void free_diffusion(const ode_system *sys, const ode_work *work, const ode_reduction *reduction,
                           const double *scale, double *d)
{
  const ness_network *const net = sys->net;
  const int64_t rank = reduction->rank;
  for (int32_t s = 0; s < net->nstep; s++) {
    const double events = net->step_flow[s] ? 0 : work->rate[2 * s] + work->rate[2 * s + 1]; /* a mean is still */
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      const int32_t a = reduction->place[net->change_slot[c]];
      for (int32_t e = net->change_start[s]; a >= 0 && e < net->change_start[s + 1]; e++) {
        const int32_t b = reduction->place[net->change_slot[e]];
        if (b >= 0) d[b * rank + a] += net->change_by[c] / scale[a] * (net->change_by[e] / scale[b]) * events;
      }
    }
  }
}

/* From the free slots to all: rows and columns of a given slot are sums over its law. */
static void expand(const ode_reduction *reduction, int32_t nslot, const double *scale, const double *c, double *full)
{
  const int64_t n = nslot, rank = reduction->rank;
  for (int64_t a = 0; a < rank; a++) {
    double *const row = full + reduction->free_slot[a] * n;
    for (int64_t b = 0; b < rank; b++) {
      row[reduction->free_slot[b]] = 0.5 * (c[b * rank + a] + c[a * rank + b]) * scale[a] * scale[b];
    }
    for (int32_t l = 0; l < reduction->nlaw; l++) {
      double sum = 0;
      for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
        sum -= reduction->by[t] * row[reduction->slot[t]];
      }
      row[reduction->given[l]] = sum;
    }
  }
  for (int32_t l = 0; l < reduction->nlaw; l++) {
    double *const row = full + reduction->given[l] * n;
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
      const double *const other = full + reduction->slot[t] * n;
      for (int64_t j = 0; j < n; j++) row[j] -= reduction->by[t] * other[j];
    }
  }
}

static ness_status noise_solve(const ode_system *sys, ode_work *work, ness_diags *diags, ode_noise *out)
{
  double *j = NULL, *scale = NULL, *d = NULL;
  ode_reduction reduction = {0};
  ness_status status = ode_reduce(sys, work->x, diags, &reduction);
  if (!status && !ode_differentiate(sys, work)) status = ode_bad_rate(sys, work, (double)NAN, diags);
  if (!status) status = ode_reduced_jacobian(sys, work, &reduction, &j, &scale);
  if (!status) {
    const size_t rank = (size_t)reduction.rank;
    d = mem_zero(rank * rank + 1, sizeof *d);
    status = d ? NESS_OK : NESS_NOMEM;
  }
  if (!status && reduction.rank > 0) {
    free_diffusion(sys, work, &reduction, scale, d);
    status = solve_lyapunov(reduction.rank, j, d, diags);
  }
  if (!status) expand(&reduction, sys->nslot, scale, d, out->covariance);
  ode_reduction_free(&reduction);
  mem_free(j);
  mem_free(scale);
  mem_free(d);
  return status;
}

static ness_status noise_refuse(const ode_state *steady, ness_diags *diags)
{
  char leading[32];
  if (steady->rank > ODE_DENSE) {
    diag_add(diags, NESS_ERROR,
             "the stationary covariance is for at most %d independent slots, and this network has %d", ODE_DENSE,
             steady->rank);
    return NESS_LIMIT;
  }
  number_short(steady->neigen ? steady->re[0] : 0, 4, leading);
  diag_add(diags, NESS_ERROR,
           "no stationary noise: the leading eigenvalue of the Jacobian is %s per second, and it must be below 0",
           leading);
  return NESS_NUMERIC;
}

ness_status ode_noise_steady(const ode_system *self, const ode_state *steady, ness_diags *diags, ode_noise *out)
{
  const size_t n = (size_t)self->nslot;
  ode_work work = {0};
  *out = (ode_noise){.nslot = self->nslot};
  if (steady->stable != 1 || steady->rank > ODE_DENSE) return noise_refuse(steady, diags);
  ness_status status = ode_work_init(&work, self) ? NESS_OK : NESS_NOMEM;
  out->mean = mem_zero(n + 1, sizeof *out->mean);
  out->var = mem_zero(n + 1, sizeof *out->var);
  out->fano = mem_zero(n + 1, sizeof *out->fano);
  out->covariance = mem_zero(n * n + 1, sizeof *out->covariance);
  if (!out->mean || !out->var || !out->fano || !out->covariance) status = NESS_NOMEM;
  if (!status) status = ode_check_given(self, steady->x, &work, diags);
  if (!status) status = noise_solve(self, &work, diags, out);
  for (size_t i = 0; !status && i < n; i++) {
    out->mean[i] = steady->x[i];
    out->var[i] = out->covariance[i * n + i];
    out->fano[i] = out->mean[i] > 0 ? out->var[i] / out->mean[i] : (double)NAN;
  }
  ode_work_free(&work);
  if (status) ode_noise_free(out);
  return status;
}

void ode_noise_free(ode_noise *self)
{
  mem_free(self->mean);
  mem_free(self->var);
  mem_free(self->fano);
  mem_free(self->covariance);
  *self = (ode_noise){0};
}
