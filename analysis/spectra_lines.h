/* Sums of exp(-i k angle) over events, for the lines k of a power spectrum. */
#ifndef ANALYSIS_SPECTRA_LINES_H
#define ANALYSIS_SPECTRA_LINES_H

#include <stdint.h>

#define LINES_FIRST 15 /* k */
#define LINES_COUNT 20 /* k = 15 ... 34; those beyond what is wanted fill the last vector */
#define LINES_BATCH 64 /* events at once, at most; a multiple of 4 */

typedef struct lines_sum {
  double re[LINES_COUNT], im[LINES_COUNT];
} lines_sum;

typedef struct lines_batch {
  double turn[LINES_BATCH]; /* angle / 2 pi, from 0 to 1/2 */
  int32_t row[LINES_BATCH];
  int32_t count;
} lines_batch;

/* Adds each event to its row of sums. */
void lines_add(lines_batch *batch, lines_sum *sums);
/* Adds each event to all rows, (width), by weights of its own, weight[event]. */
void lines_weigh(lines_batch *batch, const double *const *weight, int32_t width, lines_sum *sums);

#endif
