/* ln n! of many counts: a table, and the series beyond it, with the same bits. */
#ifndef ANALYSIS_FACTORIALS_H
#define ANALYSIS_FACTORIALS_H

#include "engine/base/base.h"
#include "engine/rng/rng.h"

#define FACTORIALS 1024

typedef struct factorials {
  double *log; /* (FACTORIALS) owned: mem_free */
} factorials;

static inline bool factorials_init(factorials *self)
{
  self->log = mem_alloc(FACTORIALS * sizeof *self->log);
  for (int32_t n = 0; self->log && n < FACTORIALS; n++) self->log[n] = rng_lgamma1p((double)n);
  return self->log != NULL;
}

static inline double factorials_log(const factorials *self, int64_t n)
{
  return (uint64_t)n < FACTORIALS ? self->log[n] : rng_lgamma1p((double)n);
}

#endif
