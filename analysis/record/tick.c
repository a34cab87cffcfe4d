/* How finely times were written down. Times that were rounded, or taken by a clock that ticks, make dwell times whole
 * numbers of a tick, whose law is geometric and not exponential; a long record shows the difference. Invariant: the
 * tick is that of the largest times, where numbers of so many digits are coarsest. Method: decimals by trial, then the
 * greatest common divisor of what they leave. Cost: 13 passes over a sample. */
#include "analysis/record/record.h"

#include <math.h>

#define TICK_DIGITS 1e13 /* ticks in the largest time, beyond which nobody can tell them from none */
#define TICK_LEAST 16    /* numbers that it takes */

static int64_t common(int64_t a, int64_t b)
{
  while (b) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Whether all large numbers of the sample are whole at so many units to one. */
static bool whole_at(const double *number, int64_t count, double least, double units)
{
  for (int64_t i = 0; i < count; i++) {
    const double x = number[i] * units;
    if (number[i] >= least && !(fabs(x - rint(x)) <= 1e-6 + 4e-16 * x)) return false;
  }
  return true;
}

double record_tick(const double *number, int64_t count, bool single, bool differences)
{
  double largest = 0;
  int64_t large = 0, divisor = 0, first = -1;
  for (int64_t i = 0; i < count; i++) largest = fmax(largest, number[i]);
  if (!(largest > 0)) return 0;
  if (single) return ldexp(1, ilogb(largest) - 23);
  for (int64_t i = 0; i < count; i++) large += number[i] >= largest / 10;
  if (large < TICK_LEAST) return 0;
  double units = pow(10, 1 - ceil(log10(largest)));
  while (units * largest < TICK_DIGITS && !whole_at(number, count, largest / 10, units)) units *= 10;
  if (!(units * largest < TICK_DIGITS)) return 0;
  for (int64_t i = 0; i < count; i++) {
    if (number[i] < largest / 10) continue;
    const int64_t n = (int64_t)rint(number[i] * units);
    if (first < 0) first = differences ? n : 0;
    divisor = common(divisor, n > first ? n - first : first - n);
  }
  return (double)divisor / units;
}
