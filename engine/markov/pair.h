/* Numbers held as an unevaluated sum high + low of two doubles, about 32 digits. Relative errors with u = 2^-53 and
 * without underflow: pair_add 3 u^2 / (1 - 4u), pair_times 2 u^2, pair_divide 15 u^2 + 56 u^3 (Joldes, Muller, Popescu,
 * ACM Trans. Math. Softw. 44, 15 (2017), algorithms 6, 9 and 17). Nothing here may be contracted or reassociated. */
#ifndef ENGINE_MARKOV_PAIR_H
#define ENGINE_MARKOV_PAIR_H

#include <math.h>

typedef struct pair {
  double high, low;
} pair;

static inline pair pair_sum(double a, double b) /* exact */
{
  const double sum = a + b, part = sum - a;
  return (pair){sum, (a - (sum - part)) + (b - part)};
}

static inline pair pair_fast(double a, double b) /* exact where |a| >= |b| */
{
  const double sum = a + b;
  return (pair){sum, b - (sum - a)};
}

static inline pair pair_add(pair a, pair b)
{
  const pair s = pair_sum(a.high, b.high), t = pair_sum(a.low, b.low), v = pair_fast(s.high, s.low + t.high);
  return pair_fast(v.high, t.low + v.low);
}

static inline pair pair_minus(pair a)
{
  return (pair){-a.high, -a.low};
}

static inline pair pair_times(pair a, double b)
{
  const double high = a.high * b;
  return pair_fast(high, fma(a.low, b, fma(a.high, b, -high)));
}

static inline pair pair_divide(pair a, pair b)
{
  const double high = a.high / b.high;
  const pair r = pair_times(b, high);
  return pair_fast(high, ((a.high - r.high) + (a.low - r.low)) / b.high);
}

static inline pair pair_shift(pair a, int power)
{
  return (pair){ldexp(a.high, power), ldexp(a.low, power)};
}

static inline double pair_get(pair a)
{
  return a.high + a.low;
}

static inline int pair_less(pair a, pair b)
{
  return a.high < b.high || (a.high == b.high && a.low < b.low);
}

#endif
