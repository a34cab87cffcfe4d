/* Whether the entropy production of windows obeys the fluctuation theorem, ln P(s)/P(-s) = s (Seifert, Phys. Rev. Lett.
 * 95, 040602 (2005)), and its integral <exp(-s)> = 1: tests that rates, trajectory and bookkeeping belong together.
 *
 * The slope needs no histogram: given |s|, the sign is positive with chance 1 / (1 + exp(-slope |s|)), whose likelihood
 * has one maximum. Errors of both come from sums over blocks of neighbouring windows, so that correlation within a
 * block does not matter. Invariant: nothing is claimed from a handful of windows: a slope needs FLUCTUATION_LEAST of
 * either sign, and a mean that few windows make is said to be that. Cost: a pass over the dump, and Newton's steps over
 * at most a million windows. */
#include "analysis/analysis.h"
#include "analysis/windows.h"

#include <math.h>

#define FLUCTUATION_BLOCKS 64
#define FLUCTUATION_LEAST 20
#define FLUCTUATION_ZERO 1e-9 /* k_B: rounding */

/* The score of the slope over windows from ... to - 1, and its derivative's negative. */
static void score_of(const double *s, int64_t from, int64_t to, double slope, double *score, double *information)
{
  for (int64_t i = from; i < to; i++) {
    const double size = fabs(s[i]), p = 1 / (1 + exp(-slope * size));
    if (size < FLUCTUATION_ZERO) continue;
    *score += size * ((s[i] > 0) - p);
    *information += size * size * p * (1 - p);
  }
}

static int64_t block_start(int64_t count, int32_t block)
{
  return count / FLUCTUATION_BLOCKS * block + (count % FLUCTUATION_BLOCKS) * block / FLUCTUATION_BLOCKS;
}

static estimate slope_of(const analysis *all, const double *s, int64_t count)
{
  double slope = 0, information = 0, square = 0;
  for (int step = 0; step < 50; step++) {
    double score = 0;
    information = 0;
    score_of(s, 0, count, slope, &score, &information);
    const double by = information > 0 ? score / information : 0;
    slope += fmin(fmax(by, -1), 1);
    if (fabs(by) < 1e-12) break;
  }
  for (int32_t b = 0; b < FLUCTUATION_BLOCKS; b++) {
    double score = 0, unused = 0;
    score_of(s, block_start(count, b), block_start(count, b + 1), slope, &score, &unused);
    square += score * score;
  }
  return estimate_normal(all, slope, sqrt(square) / information, 1);
}

/* The mean of exp(-s), and how many windows make it: (sum w)^2 / sum w^2. */
static estimate integral_of(const analysis *all, const double *s, int64_t count, double *effective)
{
  double sum = 0, square = 0, blocks = 0;
  for (int64_t i = 0; i < count; i++) {
    sum += exp(-s[i]);
    square += exp(-2 * s[i]);
  }
  const double mean = sum / (double)count;
  for (int32_t b = 0; b < FLUCTUATION_BLOCKS; b++) {
    double rest = 0;
    for (int64_t i = block_start(count, b); i < block_start(count, b + 1); i++) rest += exp(-s[i]) - mean;
    blocks += rest * rest;
  }
  *effective = sum * sum / square;
  return estimate_normal(all, mean, sqrt(blocks) / (double)count, 1);
}

static void windows_write(const analysis *all, const windows *found, doc_node *row)
{
  const double *const s = found->entropy;
  const int64_t count = found->kept;
  int64_t up = 0, down = 0;
  double mean = 0, effective;
  for (int64_t i = 0; i < count; i++) {
    up += s[i] > FLUCTUATION_ZERO;
    down += s[i] < -FLUCTUATION_ZERO;
    mean += s[i] / (double)count;
  }
  doc_number(row, "window", found->length);
  doc_int(row, "windows", count);
  doc_int(row, "negative", down);
  doc_number(row, "mean", mean);
  if (up >= FLUCTUATION_LEAST && down >= FLUCTUATION_LEAST) {
    const estimate slope = slope_of(all, s, count);
    estimate_put(row, "slope", &slope);
  } else {
    doc_string(row, "slope", "%s",
               up + down == 0 ? "none: no window produced entropy"
                              : "not known: too few windows of either sign; shorter ones would have more");
  }
  const estimate integral = integral_of(all, s, count, &effective);
  estimate_put(row, "integral", &integral);
  const bool rare = effective < 100 || mean > log((double)count);
  doc_string(row, "integral_from", "%s",
             rare ? "rare windows: its error is not to be trusted, shorter windows would do" : "windows of all kinds");
  doc_string(row, "method", "%s",
             found->total
                 ? "entropy of the medium and of the state with its exact distribution; likelihood of the sign "
                   "given the size, blocks of windows"
                 : "entropy of the medium alone, for which the theorem holds in long windows only; likelihood "
                   "of the sign given the size, blocks of windows");
}

ness_status fluctuation_doc(const analysis *all, doc_node *parent)
{
  windows found;
  if (all->measured || all->run->level != DUMP_FLUX || all->sums->damage > 0) return NESS_OK;
  const ness_status status = windows_read(all->path, all->exact, &found);
  if (status) return status;
  if (!found.why && found.kept >= FLUCTUATION_BLOCKS) {
    doc_node *const row = doc_object(parent, "fluctuation_theorem");
    windows_write(all, &found, row);
  }
  windows_free(&found);
  return NESS_OK;
}
