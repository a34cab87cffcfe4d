/* Alias tables (Walker 1977; built in O(n) after Vose 1991). Owns the pairing of columns; drawing is inline in rng.h.
 * Invariant: every entry of prob lies in [0, 1], every alias in [0, n), and no column of weight 0 can be drawn, not
 * even by rounding. All memory is the caller's. Cost: about 10 ns an entry to build, two draws to use. */
#include "rng.h"

#include <float.h>

/* The index of the largest weight, or -1 for weights that no table can hold. */
static int32_t rng_alias_check(int32_t n, const double *w)
{
  int32_t top = -1;
  for (int32_t i = 0; i < n; i++) {
    if (!(w[i] >= 0 && w[i] <= DBL_MAX)) {
      return -1;
    }
    if (w[i] > 0 && (top < 0 || w[i] > w[top])) {
      top = i;
    }
  }
  return top;
}

int rng_alias_build(int32_t n, const double *w, double *prob, int32_t *alias, int32_t *work)
{
  const int32_t top = rng_alias_check(n, w);
  if (top < 0) {
    return -1;
  }
  /* Weights over the largest one: the sum then lies in [1, n] whatever their scale. */
  double sum = 0;
  for (int32_t i = 0; i < n; i++) {
    sum += w[i] / w[top];
  }
  int32_t n_short = 0, first_tall = n; /* work holds the short columns from the front, the tall ones from the back */
  for (int32_t i = 0; i < n; i++) {
    prob[i] = w[i] / w[top] * ((double)n / sum);
    alias[i] = top;
    if (prob[i] < 1) {
      work[n_short++] = i;
    } else {
      work[--first_tall] = i;
    }
  }
  while (n_short > 0 && first_tall < n) {
    const int32_t low = work[--n_short], tall = work[first_tall];
    alias[low] = tall;
    prob[tall] = (prob[tall] + prob[low]) - 1.0;
    if (prob[tall] < 1) {
      first_tall++;
      work[n_short++] = tall;
    }
  }
  /* What is left is full but for rounding, or has (next to) no weight: that keeps it and sends the rest to the top. */
  while (n_short > 0) {
    const int32_t i = work[--n_short];
    prob[i] = prob[i] >= 0.5 ? 1.0 : prob[i];
  }
  while (first_tall < n) {
    prob[work[first_tall++]] = 1.0;
  }
  return 0;
}
