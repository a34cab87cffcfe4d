/* Linear systems of one pattern: dense elimination for few unknowns, KLU for many (Davis and Palamadai Natarajan, ACM
 * TOMS 37, 36 (2010)), both through SUNDIALS. Invariant: a failed solution leaves the vector alone. SUNDIALS allocates
 * by itself; what it cannot get is reported as memory that is out. Cost: one factorisation a solution. */
#include "engine/ode/solver.h"

#include <math.h>
#include <string.h>
#include <sunlinsol/sunlinsol_dense.h>
#include <sunlinsol/sunlinsol_klu.h>
#include <sunmatrix/sunmatrix_dense.h>
#include <sunmatrix/sunmatrix_sparse.h>

double *ode_vector(N_Vector vector)
{
  return N_VGetArrayPointer(vector);
}

bool ode_linear_make(const ode_pattern *pattern, N_Vector like, SUNContext context, SUNMatrix *matrix,
                     SUNLinearSolver *solver)
{
  const int64_t n = pattern->n;
  if (n > ODE_SPARSE) {
    *matrix = SUNSparseMatrix(n, n, pattern->nnz, CSC_MAT, context);
    if (*matrix) *solver = SUNLinSol_KLU(like, *matrix, context);
    /* AMD keeps the diagonal in place and puts the one long row that a law makes last. */
    if (*solver && SUNLinSol_KLUSetOrdering(*solver, 0)) return false;
  } else {
    *matrix = SUNDenseMatrix(n, n, context);
    if (*matrix) *solver = SUNLinSol_Dense(like, *matrix, context);
  }
  return *solver;
}

bool ode_linear_init(ode_linear *self, const ode_pattern *pattern)
{
  *self = (ode_linear){0};
  if (SUNContext_Create(NULL, &self->context)) return false;
  self->right = N_VNew_Serial(pattern->n, self->context);
  self->left = N_VNew_Serial(pattern->n, self->context);
  if (!self->right || !self->left) return false;
  return ode_linear_make(pattern, self->right, self->context, &self->matrix, &self->solver) &&
         !SUNLinSolInitialize(self->solver);
}

void ode_linear_free(ode_linear *self)
{
  if (self->solver) SUNLinSolFree(self->solver);
  if (self->matrix) SUNMatDestroy(self->matrix);
  if (self->right) N_VDestroy(self->right);
  if (self->left) N_VDestroy(self->left);
  if (self->context) SUNContext_Free(&self->context);
  *self = (ode_linear){0};
}

void ode_linear_load(SUNMatrix matrix, const ode_pattern *pattern, const double *values)
{
  if (SUNMatGetID(matrix) == SUNMATRIX_SPARSE) {
    memcpy(SUNSparseMatrix_IndexPointers(matrix), pattern->start, (size_t)(pattern->n + 1) * sizeof *pattern->start);
    memcpy(SUNSparseMatrix_IndexValues(matrix), pattern->row, (size_t)pattern->nnz * sizeof *pattern->row);
    memcpy(SUNSparseMatrix_Data(matrix), values, (size_t)pattern->nnz * sizeof *values);
    return;
  }
  SUNMatZero(matrix);
  for (int64_t j = 0; j < pattern->n; j++) {
    double *const column = SUNDenseMatrix_Column(matrix, j);
    for (int64_t k = pattern->start[j]; k < pattern->start[j + 1]; k++) column[pattern->row[k]] += values[k];
  }
}

bool ode_linear_solve(ode_linear *self, const ode_pattern *pattern, const double *values, double *vector)
{
  const size_t bytes = (size_t)pattern->n * sizeof *vector;
  ode_linear_load(self->matrix, pattern, values);
  memcpy(ode_vector(self->right), vector, bytes);
  if (SUNLinSolSetup(self->solver, self->matrix)) return false;
  if (SUNLinSolSolve(self->solver, self->matrix, self->left, self->right, 0)) return false;
  const double *const result = ode_vector(self->left);
  for (int64_t i = 0; i < pattern->n; i++) {
    if (!isfinite(result[i])) return false;
  }
  memcpy(vector, result, bytes);
  return true;
}
