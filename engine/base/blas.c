/* One number of threads for all of the process, so who is inside is counted under a lock. */
#include "engine/base/blas.h"

#include <stdatomic.h>

extern int openblas_get_num_threads(void) __attribute__((weak));
extern void openblas_set_num_threads(int threads) __attribute__((weak));

static atomic_flag blas_lock = ATOMIC_FLAG_INIT;
static int blas_inside, blas_before;

static void blas_count(int by)
{
  if (!openblas_get_num_threads || !openblas_set_num_threads) return;
  while (atomic_flag_test_and_set_explicit(&blas_lock, memory_order_acquire)) continue;
  if (by > 0 && blas_inside == 0) {
    blas_before = openblas_get_num_threads();
    if (blas_before > 1) openblas_set_num_threads(1); /* to set the number begins threads where there are none */
  }
  blas_inside += by;
  if (blas_inside == 0 && blas_before > 1) openblas_set_num_threads(blas_before);
  atomic_flag_clear_explicit(&blas_lock, memory_order_release);
}

void blas_enter(void)
{
  blas_count(1);
}

void blas_leave(void)
{
  blas_count(-1);
}
