/* A compensated sum: the error of n terms is that of a few (Knuth's exact addition; Ogita, Rump, Oishi 2005). Terms
 * must be finite. */
#ifndef ENGINE_MARKOV_SUM_H
#define ENGINE_MARKOV_SUM_H

typedef struct exact_sum {
  double high, low;
} exact_sum;

static inline void sum_add(exact_sum *self, double x)
{
  const double sum = self->high + x, part = sum - self->high;
  self->low += (self->high - (sum - part)) + (x - part);
  self->high = sum;
}

static inline double sum_get(const exact_sum *self)
{
  return self->high + self->low;
}

#endif
