/* Whether the entropy production of windows obeys the fluctuation theorem, ln P(s)/P(-s) = s (Seifert, Phys. Rev. Lett.
 * 95, 040602 (2005)), and its integral <exp(-s)> = 1: tests that rates, trajectory and bookkeeping belong together.
 *
 * The slope needs no histogram: given |s|, the sign is positive with chance 1 / (1 + exp(-slope |s|)), whose likelihood
 * has one maximum. Errors of both come from sums over blocks of neighbouring windows, so that correlation within a
 * block does not matter; all sums are made a block, by any thread, and added in their order. Invariant: nothing is
 * claimed from a handful of windows: a slope needs FLUCTUATION_LEAST of either sign, and a mean that few windows make
 * is said to be that. Cost: a few of Newton's steps over at most a million windows, an exponential each. */
#include "analysis/analysis.h"

#include <math.h>

#define FLUCTUATION_BLOCKS 64
#define FLUCTUATION_LEAST 20
#define FLUCTUATION_ZERO 1e-9 /* k_B: rounding */

typedef struct block {       /* sums over its windows */
  double score, information; /* of the slope: the derivative of the likelihood, and its derivative's negative */
  double weight, square;     /* of exp(-s) */
  int64_t from, to;
} block;

/* At a slope; `weights`: the sums of exp(-s) instead. */
static void block_sum(const double *s, double slope, bool weights, block *out)
{
  out->score = out->information = 0;
  for (int64_t i = out->from; !weights && i < out->to; i++) {
    const double size = fabs(s[i]), p = 1 / (1 + exp(-slope * size));
    if (size < FLUCTUATION_ZERO) continue;
    out->score += size * ((s[i] > 0) - p);
    out->information += size * size * p * (1 - p);
  }
  for (int64_t i = out->from; weights && i < out->to; i++) {
    const double weight = exp(-s[i]);
    out->weight += weight;
    out->square += weight * weight;
  }
}

static void blocks_sum(const analysis *all, const double *s, double slope, bool weights, block *blocks)
{
#pragma omp parallel for num_threads(all->threads) default(none) shared(s, slope, weights, blocks)
  for (int32_t b = 0; b < FLUCTUATION_BLOCKS; b++) block_sum(s, slope, weights, &blocks[b]);
}

static void blocks_cut(block *blocks, int64_t count)
{
  for (int32_t b = 0; b <= FLUCTUATION_BLOCKS; b++) {
    const int64_t at = count / FLUCTUATION_BLOCKS * b + (count % FLUCTUATION_BLOCKS) * b / FLUCTUATION_BLOCKS;
    if (b < FLUCTUATION_BLOCKS) blocks[b] = (block){.from = at};
    if (b > 0) blocks[b - 1].to = at;
  }
}

/* Newton's steps begin at what theory says. */
static estimate slope_of(const analysis *all, const double *s, int64_t count)
{
  block blocks[FLUCTUATION_BLOCKS];
  double slope = 1, information = 0, square = 0;
  blocks_cut(blocks, count);
  for (int step = 0; step < 50; step++) {
    double score = 0;
    information = square = 0;
    blocks_sum(all, s, slope, false, blocks);
    for (int32_t b = 0; b < FLUCTUATION_BLOCKS; b++) {
      score += blocks[b].score;
      square += blocks[b].score * blocks[b].score;
      information += blocks[b].information;
    }
    const double by = information > 0 ? score / information : 0;
    slope += fmin(fmax(by, -1), 1);
    if (fabs(by) < 1e-12) break;
  }
  return estimate_normal(all, slope, sqrt(square) / information, 1);
}

/* The mean of exp(-s), and how many windows make it: (sum w)^2 / sum w^2. */
static estimate integral_of(const analysis *all, const double *s, int64_t count, double *effective)
{
  block blocks[FLUCTUATION_BLOCKS];
  double sum = 0, square = 0, spread = 0;
  blocks_cut(blocks, count);
  blocks_sum(all, s, 0, true, blocks);
  for (int32_t b = 0; b < FLUCTUATION_BLOCKS; b++) {
    sum += blocks[b].weight;
    square += blocks[b].square;
  }
  const double mean = sum / (double)count;
  for (int32_t b = 0; b < FLUCTUATION_BLOCKS; b++) {
    const double rest = blocks[b].weight - mean * (double)(blocks[b].to - blocks[b].from);
    spread += rest * rest;
  }
  *effective = sum * sum / square;
  return estimate_normal(all, mean, sqrt(spread) / (double)count, 1);
}

void fluctuation_integral(const analysis *all, const double *s, int64_t count, double mean, doc_node *row)
{
  double effective;
  const estimate integral = integral_of(all, s, count, &effective);
  estimate_put(row, "integral", &integral);
  const bool rare = effective < 100 || mean > log((double)count);
  doc_string(row, "integral_from", "%s",
             rare ? "rare windows: its error is not to be trusted, shorter windows would do" : "windows of all kinds");
}

static void windows_write(const analysis *all, const windows *found, doc_node *row)
{
  const double *const s = found->entropy;
  const int64_t count = found->kept;
  int64_t up = 0, down = 0;
  double mean = 0;
  for (int64_t i = 0; i < count; i++) {
    up += s[i] > FLUCTUATION_ZERO;
    down += s[i] < -FLUCTUATION_ZERO;
    mean += s[i] / (double)count;
  }
  doc_number(row, "window", found->length);
  doc_int(row, "windows", count);
  doc_int(row, "negative", down);
  doc_number(row, "mean", mean);
  if (found->turned) {
    doc_string(row, "slope", "%s",
               "none: the input flips in circles, and windows backwards are those of another input");
  } else if (up >= FLUCTUATION_LEAST && down >= FLUCTUATION_LEAST) {
    const estimate slope = slope_of(all, s, count);
    estimate_put(row, "slope", &slope);
  } else {
    doc_string(row, "slope", "%s",
               up + down == 0 ? "none: no window produced entropy"
                              : "not known: too few windows of either sign; shorter ones would have more");
  }
  fluctuation_integral(all, s, count, mean, row);
  doc_string(row, "method", "%s",
             found->total
                 ? "entropy of the medium and of the state with its exact distribution; likelihood of the sign "
                   "given the size, blocks of windows"
                 : "entropy of the medium alone, for which the theorem holds in long windows only; likelihood "
                   "of the sign given the size, blocks of windows");
}

void fluctuation_doc(const analysis *all, doc_node *parent)
{
  const windows *const found = all->entropy;
  if (!found || found->why || found->kept < FLUCTUATION_BLOCKS || all->sums->damage > 0) return;
  windows_write(all, found, doc_object(parent, "fluctuation_theorem"));
}
