/* Cycles one by one: which of many tests stand, and how much more data would settle the others.
 * Holm's step-down procedure (1979) keeps the chance of any false alarm among all cycles at the level, whatever the
 * dependence between them. The error of an affinity falls with the root of the data, so the data an affinity needs grow
 * with the square of what can be seen. Completions of a cycle of the trajectory run forward or backward like throws of
 * a coin, each independent of the others and of their times (Jia, Jiang, Qian 2016), fair where the affinity is 0: the
 * test of one is binomial, of what happened itself one half (Lancaster 1961): so few turns cry wolf as often as the
 * level says, in the mean over their numbers, where the whole of it would be half as often. Cost: n log n. */
#include "analysis/analysis.h"

#include <math.h>
#include <stdlib.h>

typedef struct holm_row {
  double p;
  int64_t id;
} holm_row;

static int by_p(const void *left, const void *right)
{
  const holm_row *const a = left, *const b = right;
  if (a->p != b->p) return a->p < b->p ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

bool holm_adjust(const double *p, int64_t n, double *adjusted)
{
  holm_row *const row = mem_alloc(((size_t)n + 1) * sizeof *row);
  if (!row) return false;
  int64_t tested = 0;
  for (int64_t i = 0; i < n; i++) {
    adjusted[i] = (double)NAN;
    if (!isnan(p[i])) row[tested++] = (holm_row){p[i], i};
  }
  qsort(row, (size_t)tested, sizeof *row, by_p);
  double worst = 0;
  for (int64_t k = 0; k < tested; k++) {
    worst = fmax(worst, fmin(1, (double)(tested - k) * row[k].p));
    adjusted[row[k].id] = worst;
  }
  mem_free(row);
  return true;
}

double holm_needed(double alpha, int64_t n)
{
  return n < 1 ? (double)NAN : stat_f_noncentrality(alpha / (double)n, TEST_POWER, 1, INFINITY);
}

double holm_more_data(double error, double stated, double needed)
{
  return error > 0 ? needed * error * error / (stated * stated) : (double)NAN;
}

double holm_coin(double forward, double backward)
{
  const double n = forward + backward, less = fmin(forward, backward);
  if (!(n > 0)) return (double)NAN;
  const double below = less > 0 ? stat_beta(0.5, n - less + 1, less) : 0, up_to = stat_beta(0.5, n - less, less + 1);
  return fmin(1, below + up_to); /* twice P(X < less) + P(X = less) / 2 */
}
