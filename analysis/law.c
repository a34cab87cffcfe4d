/* ln p(n) of the exact steady state. Invariant: parts of a network are independent, so their logarithms add up. Copies
 * that wander by themselves are multinomial, those that reservoirs make and take Poisson; of a part that is enumerated
 * the states are sorted by their counts and found by bisection. Copies that share an input are independent where its
 * level stays: multinomial, by the states of one copy at that level. Logarithms are taken once; whoever asks writes
 * nothing, so that any thread may. */
#include "analysis/law.h"
#include "analysis/factorials.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LAW_CELLS (INT64_C(1) << 24) /* counts kept, 128 MB */

typedef struct law_part {
  int64_t *row; /* (n x (nslot + 1)) counts and the state, sorted; NULL: not enumerated */
  double *log;  /* (n) ln p in their order */
  double lead;  /* of a part of copies: what does not depend on counts */
} law_part;

struct steady_law {
  const ness_network *net;
  const cme_solution *exact;
  law_part *part;   /* (nparts) */
  bool *level;      /* (nslot) of an input */
  double *log_mean; /* (nslot) */
  factorials factorials;
};

/* Rows of equal length by their counts: qsort has no context, so the length stands behind the counts as a mark. */
typedef struct law_key {
  const int64_t *row;
  int32_t nslot;
} law_key;

static int row_compare(const int64_t *a, const int64_t *b, int32_t nslot)
{
  for (int32_t i = 0; i < nslot; i++) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

static int key_compare(const void *a, const void *b)
{
  const law_key *const x = a, *const y = b;
  return row_compare(x->row, y->row, x->nslot);
}

static ness_status part_sort(steady_law *self, int32_t p, const double *law)
{
  const cme_part *const part = &self->exact->parts[p];
  const int32_t n = part->states.n, nslot = part->nslot, width = nslot + 1;
  int64_t *const plain = mem_zero((size_t)n * (size_t)width + 1, sizeof *plain);
  law_key *const keys = mem_zero((size_t)n + 1, sizeof *keys);
  int64_t *const sorted = mem_zero((size_t)n * (size_t)width + 1, sizeof *sorted);
  int64_t *const counts = mem_zero((size_t)self->net->nslot + 1, sizeof *counts);
  double *const logs = mem_zero((size_t)n + 1, sizeof *logs);
  const bool good = plain && keys && sorted && counts && logs;
  for (int32_t s = 0; good && s < n; s++) {
    int64_t *const row = plain + (int64_t)s * width;
    cme_counts(part, s, counts);
    for (int32_t i = 0; i < nslot; i++) row[i] = counts[part->slot[i]];
    row[nslot] = s;
    keys[s] = (law_key){row, nslot};
  }
  if (good) qsort(keys, (size_t)n, sizeof *keys, key_compare);
  for (int32_t s = 0; good && s < n; s++) {
    memcpy(sorted + (int64_t)s * width, keys[s].row, (size_t)width * sizeof *sorted);
    logs[s] = log(law[keys[s].row[nslot]]);
  }
  mem_free(plain);
  mem_free(keys);
  mem_free(counts);
  self->part[p].row = sorted;
  self->part[p].log = logs;
  return good ? NESS_OK : NESS_NOMEM;
}

/* n ln n of copies that wander, or what a Poisson law of open slots is normalised by. */
static double lead_of(const steady_law *self, const cme_part *part)
{
  double sum = 0;
  if (part->kind == CME_COUNTS) return part->driven ? factorials_log(&self->factorials, part->copies) : 0;
  if (part->kind == CME_COPIES)
    return factorials_log(&self->factorials, part->copies) - (double)part->copies * log((double)part->copies);
  for (int32_t i = 0; i < part->nslot; i++) sum -= self->exact->mean[part->slot[i]];
  return sum;
}

ness_status law_create(const ness_network *net, const cme_solution *exact, double *const *levels, steady_law **out)
{
  *out = NULL;
  int64_t cells = 0;
  for (int32_t p = 0; p < exact->nparts; p++) {
    const cme_part *const part = &exact->parts[p];
    if (!part->p || part->classes.count != 1) return NESS_OK;
    if (levels ? !levels[p] : part->driven) return NESS_OK;
    if (part->kind == CME_COUNTS) cells += (int64_t)part->states.n * (part->nslot + 1);
  }
  if (exact->nparts == 0 || cells > LAW_CELLS) return NESS_OK;
  steady_law *const self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->net = net;
  self->exact = exact;
  self->part = mem_zero((size_t)exact->nparts, sizeof *self->part);
  self->log_mean = mem_zero((size_t)net->nslot + 1, sizeof *self->log_mean);
  self->level = mem_zero((size_t)net->nslot + 1, sizeof *self->level);
  const bool good = self->part && self->log_mean && self->level && factorials_init(&self->factorials);
  ness_status status = good ? NESS_OK : NESS_NOMEM;
  for (int32_t i = 0; !status && i < net->nslot; i++) {
    self->log_mean[i] = log(exact->mean[i]);
    self->level[i] = network_is_level(net, i);
  }
  for (int32_t p = 0; !status && p < exact->nparts; p++) {
    const cme_part *const part = &exact->parts[p];
    if (part->kind == CME_COUNTS) status = part_sort(self, p, levels ? levels[p] : part->p);
    self->part[p].lead = lead_of(self, part);
  }
  if (status) law_free(self);
  else *out = self;
  return status;
}

void law_free(steady_law *self)
{
  if (!self) return;
  for (int32_t p = 0; self->part && p < self->exact->nparts; p++) {
    mem_free(self->part[p].row);
    mem_free(self->part[p].log);
  }
  mem_free(self->part);
  mem_free(self->level);
  mem_free(self->log_mean);
  mem_free(self->factorials.log);
  mem_free(self);
}

/* Counts of a row against n, or against one copy in the slot `alone` at the levels of n: negative, zero or positive. */
static int counts_compare(const steady_law *self, const cme_part *part, const int64_t *row, const int64_t *n,
                          int32_t alone)
{
  for (int32_t i = 0; i < part->nslot; i++) {
    const int32_t slot = part->slot[i];
    const int64_t count = alone < 0 || self->level[slot] ? n[slot] : slot == alone;
    if (row[i] != count) return row[i] < count ? -1 : 1;
  }
  return 0;
}

/* ln p of the state with these counts; `alone`: with one copy there. */
static double log_enumerated(const steady_law *self, int32_t p, const int64_t *n, int32_t alone)
{
  const cme_part *const part = &self->exact->parts[p];
  const law_part *const of = &self->part[p];
  const int32_t width = part->nslot + 1;
  int32_t low = 0, high = part->states.n;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (counts_compare(self, part, of->row + (int64_t)middle * width, n, alone) < 0) low = middle + 1;
    else high = middle;
  }
  if (low >= part->states.n) return -INFINITY;
  return counts_compare(self, part, of->row + (int64_t)low * width, n, alone) == 0 ? of->log[low] : -INFINITY;
}

/* Copies that share an input, each by the law of one at its level. */
static double log_driven(const steady_law *self, int32_t p, const int64_t *n)
{
  const cme_part *const part = &self->exact->parts[p];
  double sum = self->part[p].lead;
  for (int32_t i = 0; i < part->nslot; i++) {
    const int32_t slot = part->slot[i];
    if (self->level[slot] || n[slot] <= 0) continue;
    sum += (double)n[slot] * log_enumerated(self, p, n, slot) - factorials_log(&self->factorials, n[slot]);
  }
  return sum;
}

/* sum of n ln(mean) - ln n! over the slots: what both laws of copies share. */
static double log_copies(const steady_law *self, int32_t p, const int64_t *n)
{
  const cme_part *const part = &self->exact->parts[p];
  double sum = self->part[p].lead;
  for (int32_t i = 0; i < part->nslot; i++) {
    const int64_t count = n[part->slot[i]];
    if (count > 0) sum += (double)count * self->log_mean[part->slot[i]] - factorials_log(&self->factorials, count);
  }
  return sum;
}

double law_log(const steady_law *self, const int64_t *n)
{
  double sum = 0;
  for (int32_t p = 0; p < self->exact->nparts; p++) {
    const cme_part *const part = &self->exact->parts[p];
    if (part->driven) sum += log_driven(self, p, n);
    else sum += part->kind == CME_COUNTS ? log_enumerated(self, p, n, -1) : log_copies(self, p, n);
  }
  return sum;
}
