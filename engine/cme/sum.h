/* A compensated sum: the error of n terms is that of a few (Knuth's exact addition; Ogita, Rump, Oishi 2005). Terms
 * must be finite. */
#ifndef ENGINE_CME_SUM_H
#define ENGINE_CME_SUM_H

typedef struct cme_sum {
  double high, low;
} cme_sum;

static inline void sum_add(cme_sum *self, double x)
{
  const double sum = self->high + x, part = sum - self->high;
  self->low += (self->high - (sum - part)) + (x - part);
  self->high = sum;
}

static inline double sum_get(const cme_sum *self)
{
  return self->high + self->low;
}

#endif
