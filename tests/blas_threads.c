/* Linear algebra has the same bits whatever number of threads OpenBLAS may use, from one thread and from several at
 * once, and leaves that number as it was. Without the guard every eigenvalue of the first matrix differs (planted by
 * hand, on two cores). */
#include "../engine/base/base.h"
#include "../engine/base/blas.h"
#include "../engine/ode/system.h"
#include "../engine/rng/rng.h"
#include "check.h"

#include <string.h>

extern int openblas_get_num_threads(void) __attribute__((weak));
extern void openblas_set_num_threads(int threads) __attribute__((weak));

enum { N = 400, CALLS = 4 };

typedef struct eigenvalues {
  double re[N], im[N];
} eigenvalues;

static ness_status eigenvalues_find(eigenvalues *out)
{
  double *const matrix = mem_zero((size_t)N * N, sizeof *matrix), error;
  ness_diags *const diags = ness_diags_create();
  rng_stream stream;
  ness_status status = matrix && diags ? NESS_OK : NESS_NOMEM;
  rng_init(&stream, 1, 0, 0);
  for (int k = 0; !status && k < N * N; k++) matrix[k] = rng_double(&stream) - 0.5;
  if (!status) status = ode_eigenvalues(matrix, N, diags, out->re, out->im, &error);
  ness_diags_free(diags);
  mem_free(matrix);
  return status;
}

int main(void)
{
  static eigenvalues one, other[CALLS];
  if (!openblas_get_num_threads || !openblas_set_num_threads) {
    printf("no OpenBLAS\n");
    return 77;
  }
  openblas_set_num_threads(1);
  CHECK(eigenvalues_find(&one) == NESS_OK);
  openblas_set_num_threads(2);
  const int before = openblas_get_num_threads();
#pragma omp parallel for num_threads(2) schedule(dynamic)
  for (int i = 0; i < CALLS; i++) {
    if (eigenvalues_find(&other[i])) other[i].re[0] = 1e9;
  }
  for (int i = 0; i < CALLS; i++) CHECK(memcmp(&one, &other[i], sizeof one) == 0);
  CHECK(openblas_get_num_threads() == before);
  blas_enter();
  CHECK(openblas_get_num_threads() == 1);
  blas_leave();
  CHECK(openblas_get_num_threads() == before);
  return check_done();
}
