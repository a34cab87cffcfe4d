/* The request to stop. Invariant: one lock-free flag, so that a signal handler may set it and any thread may read it.
 * Cost: a relaxed load. */
#include "base.h"

#include <stdatomic.h>

#if ATOMIC_INT_LOCK_FREE != 2
#error "the interrupt flag must be lock-free to be set from a signal handler"
#endif

static atomic_int interrupt_flag;

void ness_interrupt(void)
{
  atomic_store(&interrupt_flag, 1);
}

void ness_interrupt_clear(void)
{
  atomic_store(&interrupt_flag, 0);
}

bool interrupt_pending(void)
{
  return atomic_load_explicit(&interrupt_flag, memory_order_relaxed) != 0;
}
