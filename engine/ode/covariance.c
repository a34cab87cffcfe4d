/* Covariance along a solution of the rate equations, dC/dt = J C + C J' + D (van Kampen 2007, ch. X). Invariant: C is
 * kept by its lower triangle, so it stays symmetric; D is a sum of positive semidefinite terms. The joint Jacobian has
 * the Kronecker sum of J for C. Cost: nnz(J) x slots a rate; the pattern has about slots x nnz(J) places. */
#include "engine/ode/solver.h"

#include <stdlib.h>

typedef struct term { /* weight * jac[source] is added at (row, column) of the joint matrix */
  int64_t column, row, source, place;
  double weight;
} term;

struct ode_covariance {
  int32_t n;
  const ode_pattern *jac;
  ode_pattern joint;
  double *values;
  term *terms;
  int64_t nterms;
  double *full;     /* (n x n) */
  double *row, *by; /* (n) */
};

static int64_t triangle(int64_t n, int64_t i, int64_t j)
{
  return i >= j ? n + i * (i + 1) / 2 + j : n + j * (j + 1) / 2 + i;
}

static int compare_terms(const void *a, const void *b)
{
  const term *const x = a, *const y = b;
  if (x->column != y->column) return x->column < y->column ? -1 : 1;
  if (x->row != y->row) return x->row < y->row ? -1 : 1;
  return (x->source > y->source) - (x->source < y->source);
}

/* Column p of J moves the entry (p, q) of C on to (i, q) for each of its rows i, and to (q, q) twice. */
static void terms_of_column(ode_covariance *self, int64_t p, int64_t q)
{
  for (int64_t k = self->jac->start[p]; k < self->jac->start[p + 1]; k++) {
    const int64_t i = self->jac->row[k];
    self->terms[self->nterms++] = (term){
        .column = triangle(self->n, p, q), .row = triangle(self->n, i, q), .source = k, .weight = i == q ? 2 : 1};
  }
}

static bool covariance_terms(ode_covariance *self)
{
  const int64_t n = self->n;
  self->terms = mem_zero((size_t)((n + 1) * self->jac->nnz + 1), sizeof *self->terms);
  if (!self->terms) return false;
  for (int64_t j = 0; j < n; j++) {
    for (int64_t k = self->jac->start[j]; k < self->jac->start[j + 1]; k++) {
      self->terms[self->nterms++] = (term){.column = j, .row = self->jac->row[k], .source = k, .weight = 1};
    }
  }
  for (int64_t p = 0; p < n; p++) {
    for (int64_t q = 0; q <= p; q++) {
      terms_of_column(self, p, q);
      if (p != q) terms_of_column(self, q, p);
    }
  }
  qsort(self->terms, (size_t)self->nterms, sizeof *self->terms, compare_terms);
  return true;
}

static bool covariance_pattern(ode_covariance *self)
{
  ode_pattern *const joint = &self->joint;
  const int64_t n = self->n;
  joint->n = n + n * (n + 1) / 2;
  joint->start = mem_zero((size_t)joint->n + 1, sizeof *joint->start);
  joint->row = mem_zero((size_t)self->nterms + 1, sizeof *joint->row);
  if (!joint->start || !joint->row) return false;
  for (int64_t t = 0; t < self->nterms; t++) {
    term *const now = &self->terms[t];
    if (t == 0 || now[-1].column != now->column || now[-1].row != now->row) {
      joint->row[joint->nnz++] = now->row;
      joint->start[now->column + 1] = joint->nnz;
    }
    now->place = joint->nnz - 1;
  }
  self->values = mem_zero((size_t)joint->nnz + 1, sizeof *self->values);
  return self->values; /* every column has its diagonal, so no start is left at 0 */
}

ode_covariance *ode_covariance_create(int32_t nslot, const ode_pattern *jac)
{
  ode_covariance *self = mem_zero(1, sizeof *self);
  const size_t n = (size_t)nslot;
  if (!self) return NULL;
  self->n = nslot;
  self->jac = jac;
  self->full = mem_zero(n * n + 1, sizeof *self->full);
  self->row = mem_zero(n + 1, sizeof *self->row);
  self->by = mem_zero(n + 1, sizeof *self->by);
  if (self->full && self->row && self->by && covariance_terms(self) && covariance_pattern(self)) return self;
  ode_covariance_free(self);
  return NULL;
}

void ode_covariance_free(ode_covariance *self)
{
  if (!self) return;
  mem_free(self->joint.start);
  mem_free(self->joint.row);
  mem_free(self->values);
  mem_free(self->terms);
  mem_free(self->full);
  mem_free(self->row);
  mem_free(self->by);
  mem_free(self);
}

const ode_pattern *ode_covariance_pattern(const ode_covariance *self)
{
  return &self->joint;
}

void ode_covariance_full(int32_t n, const double *y, double *full)
{
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j <= i; j++) full[i * n + j] = full[j * n + i] = y[triangle(n, i, j)];
  }
}

/* Adds left right' + right left' to the triangle, left a change of few slots. */
static void add_both(ode_covariance *self, int32_t count, const int32_t *slot, const double *by, const double *right,
                     double *out)
{
  const int64_t n = self->n;
  for (int32_t c = 0; c < count; c++) {
    const int64_t i = slot[c];
    for (int64_t j = 0; j < n; j++) out[triangle(n, i, j)] += (i == j ? 2 : 1) * by[c] * right[j];
  }
}

/* Step by step nu q' + q nu' with q = C grad v + nu (a_fwd + a_bwd)/2: in a fast step next to balance the two parts of
 * q cancel, and what rounding leaves of them stays along nu, where the step itself takes it back. Summed through J it
 * would be spread over the slow directions, and long steps of the integrator would stall on it. */
void ode_covariance_rate(ode_covariance *self, const ode_system *sys, const ode_work *work, const ode_held *held,
                         const double *y, double *dy)
{
  const ness_network *const net = sys->net;
  const int64_t n = self->n;
  double *const q = self->row, *const by = self->by;
  ode_covariance_full(self->n, y, self->full);
  for (int64_t k = n; k < self->joint.n; k++) dy[k] = 0;
  for (int32_t s = 0; s < net->nstep; s++) {
    const int32_t first = net->change_start[s], count = net->change_start[s + 1] - first;
    const double events = net->step_flow[s] ? 0 : work->rate[2 * s] + work->rate[2 * s + 1]; /* a mean is still */
    if (count == 0) continue;
    for (int64_t j = 0; j < n; j++) q[j] = 0;
    for (int32_t c = 0; c < count; c++) {
      by[c] = net->change_by[first + c];
      q[net->change_slot[first + c]] = 0.5 * by[c] * events;
    }
    for (int64_t k = sys->read_start[2 * s]; k < sys->read_start[2 * s + 2]; k++) {
      const double slope = k < sys->read_start[2 * s + 1] ? work->slope[k] : -work->slope[k];
      const double *const from = self->full + sys->read_slot[k] * n;
      for (int64_t j = 0; j < n; j++) q[j] += slope * from[j];
    }
    add_both(self, count, net->change_slot + first, by, q, dy);
  }
  for (int32_t l = 0; l < held->reduction.nlaw; l++) {
    const int32_t given = held->reduction.given[l];
    for (int64_t j = 0; j < n; j++) q[j] = self->full[given * n + j];
    for (int32_t t = held->reduction.start[l]; t < held->reduction.start[l + 1]; t++) {
      const double *const from = self->full + held->reduction.slot[t] * n;
      for (int64_t j = 0; j < n; j++) q[j] += held->reduction.by[t] * from[j];
    }
    add_both(self, 1, &given, &(double){-held->rate}, q, dy);
  }
}

const double *ode_covariance_jacobian(ode_covariance *self, const double *jac)
{
  for (int64_t k = 0; k < self->joint.nnz; k++) self->values[k] = 0;
  for (int64_t t = 0; t < self->nterms; t++) {
    self->values[self->terms[t].place] += self->terms[t].weight * jac[self->terms[t].source];
  }
  return self->values;
}
