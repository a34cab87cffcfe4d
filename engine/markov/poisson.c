/* Poisson windows. From the mode m outward, relative to the weight there: w(k + 1) = w(k) mean / (k + 1) and
 * w(k - 1) = w(k) k / mean, each factor at most 1, so that nothing overflows; and nothing underflows before the tails
 * end. Beyond a place the factors only get smaller, so that a tail is at most its first weight over 1 minus its factor,
 * a geometric sum: the bound holds for every mean. (Fox and Glynn, CACM 31, 440 (1988), bound tails by formulas whose
 * constants fail for some means, and scale by guesses; neither is needed.) Rounding: two units of 2^-53 for a factor,
 * counted in the bound. Cost: about 14 sqrt(mean) steps. */
#include "engine/markov/poisson.h"

#include "engine/markov/sum.h"

#include <math.h>

#define POISSON_ROUNDING 0x1p-53

/* How many steps up from k = mode until the tail beyond is at most `tail`; the mode weighs 1. */
static int64_t poisson_up(double mean, int64_t mode, double tail)
{
  double w = 1;
  for (int64_t k = mode;; k++) {
    const double next = w * (mean / (double)(k + 1)), factor = mean / (double)(k + 2);
    if (next <= tail * (1 - factor)) return k;
    w = next;
  }
}

static int64_t poisson_down(double mean, int64_t mode, double tail)
{
  double w = 1;
  for (int64_t k = mode; k > 0; k--) {
    const double next = w * ((double)k / mean), factor = (double)(k - 1) / mean;
    if (next <= tail * (1 - factor)) return k;
    w = next;
  }
  return 0;
}

ness_status poisson_window_find(double mean, double tolerance, int64_t at, double **weight, int64_t *size,
                                poisson_window *out)
{
  *out = (poisson_window){.at = at};
  if (!(mean >= 0 && mean <= POISSON_MOST)) return NESS_NUMERIC;
  /* Weights add up to at least 1, and their sum is W >= sqrt(mean / 2): tails relative to the mode may weigh W times
   * more than the share, which is not made use of. Twice the tails is the distance after scaling to 1. */
  const double tail = fmin(fmax(tolerance, 1e-40), 0.1) / 4;
  const int64_t mode = (int64_t)mean;
  out->right = mean > 0 ? poisson_up(mean, mode, tail) : 0;
  out->left = poisson_down(mean, mode, tail);
  if (!mem_grow(weight, size, at + out->right - out->left + 1, sizeof **weight)) return NESS_NOMEM;
  double *const w = *weight + at - out->left;
  w[mode] = 1;
  for (int64_t k = mode; k < out->right; k++) w[k + 1] = w[k] * (mean / (double)(k + 1));
  for (int64_t k = mode; k > out->left; k--) w[k - 1] = w[k] * ((double)k / mean);
  exact_sum sum = {0}, distance = {0};
  for (int64_t k = out->left; k <= out->right; k++) {
    sum_add(&sum, w[k]);
    sum_add(&distance, w[k] * fabs((double)(k - mode)));
  }
  const double total = sum_get(&sum);
  for (int64_t k = out->left; k <= out->right; k++) w[k] /= total;
  out->error = (4 * tail + POISSON_ROUNDING * (4.1 * sum_get(&distance))) / total + 4 * POISSON_ROUNDING;
  return NESS_OK;
}
