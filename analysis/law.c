/* ln p(n) of the exact steady state. Invariant: parts of a network are independent, so their logarithms add up. Copies
 * that wander by themselves are multinomial, those that reservoirs make and take Poisson; of a part that is enumerated
 * the states are sorted by their counts and found by bisection. */
#include "analysis/law.h"

#include "engine/rng/rng.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LAW_CELLS (INT64_C(1) << 24) /* counts kept, 128 MB */

typedef struct law_part {
  int64_t *row; /* (n x (nslot + 1)) counts and the state, sorted; NULL: not enumerated */
} law_part;

struct steady_law {
  const ness_network *net;
  const cme_solution *exact;
  law_part *part; /* (nparts) */
  int64_t *n;     /* (nslot) scratch */
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

static ness_status part_sort(steady_law *self, int32_t p)
{
  const cme_part *const part = &self->exact->parts[p];
  const int32_t n = part->states.n, nslot = part->nslot, width = nslot + 1;
  int64_t *const plain = mem_zero((size_t)n * (size_t)width + 1, sizeof *plain);
  law_key *const keys = mem_zero((size_t)n + 1, sizeof *keys);
  int64_t *const sorted = mem_zero((size_t)n * (size_t)width + 1, sizeof *sorted);
  const bool good = plain && keys && sorted;
  for (int32_t s = 0; good && s < n; s++) {
    int64_t *const row = plain + (int64_t)s * width;
    cme_counts(part, s, self->n);
    for (int32_t i = 0; i < nslot; i++) row[i] = self->n[part->slot[i]];
    row[nslot] = s;
    keys[s] = (law_key){row, nslot};
  }
  if (good) qsort(keys, (size_t)n, sizeof *keys, key_compare);
  for (int32_t s = 0; good && s < n; s++)
    memcpy(sorted + (int64_t)s * width, keys[s].row, (size_t)width * sizeof *sorted);
  mem_free(plain);
  mem_free(keys);
  if (good) self->part[p].row = sorted;
  else mem_free(sorted);
  return good ? NESS_OK : NESS_NOMEM;
}

ness_status law_create(const ness_network *net, const cme_solution *exact, steady_law **out)
{
  *out = NULL;
  int64_t cells = 0;
  for (int32_t p = 0; p < exact->nparts; p++) {
    const cme_part *const part = &exact->parts[p];
    if (!part->p || part->classes.count != 1 || part->driven) return NESS_OK;
    if (part->kind == CME_COUNTS) cells += (int64_t)part->states.n * (part->nslot + 1);
  }
  if (exact->nparts == 0 || cells > LAW_CELLS) return NESS_OK;
  steady_law *const self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->net = net;
  self->exact = exact;
  self->part = mem_zero((size_t)exact->nparts, sizeof *self->part);
  self->n = mem_zero((size_t)net->nslot + 1, sizeof *self->n);
  ness_status status = self->part && self->n ? NESS_OK : NESS_NOMEM;
  for (int32_t p = 0; !status && p < exact->nparts; p++)
    if (exact->parts[p].kind == CME_COUNTS) status = part_sort(self, p);
  if (status) law_free(self);
  else *out = self;
  return status;
}

void law_free(steady_law *self)
{
  if (!self) return;
  for (int32_t p = 0; self->part && p < self->exact->nparts; p++) mem_free(self->part[p].row);
  mem_free(self->part);
  mem_free(self->n);
  mem_free(self);
}

static double log_enumerated(const steady_law *self, int32_t p, const int64_t *n)
{
  const cme_part *const part = &self->exact->parts[p];
  const int32_t nslot = part->nslot, width = nslot + 1;
  int32_t low = 0, high = part->states.n;
  for (int32_t i = 0; i < nslot; i++) self->n[i] = n[part->slot[i]];
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (row_compare(self->part[p].row + (int64_t)middle * width, self->n, nslot) < 0) low = middle + 1;
    else high = middle;
  }
  if (low >= part->states.n) return -INFINITY;
  const int64_t *const row = self->part[p].row + (int64_t)low * width;
  return row_compare(row, self->n, nslot) == 0 ? log(part->p[row[nslot]]) : -INFINITY;
}

/* sum of n ln(mean) - ln n! over the slots: what both laws of copies share. */
static double log_copies(const steady_law *self, const cme_part *part, const int64_t *n)
{
  double sum = part->kind == CME_COPIES
                   ? rng_lgamma1p((double)part->copies) - (double)part->copies * log((double)part->copies)
                   : 0;
  for (int32_t i = 0; i < part->nslot; i++) {
    const double count = (double)n[part->slot[i]], mean = self->exact->mean[part->slot[i]];
    if (count > 0) sum += count * log(mean) - rng_lgamma1p(count);
    if (part->kind == CME_OPEN) sum -= mean;
  }
  return sum;
}

double law_log(const steady_law *self, const int64_t *n)
{
  double sum = 0;
  for (int32_t p = 0; p < self->exact->nparts; p++) {
    const cme_part *const part = &self->exact->parts[p];
    sum += part->kind == CME_COUNTS ? log_enumerated(self, p, n) : log_copies(self, part, n);
  }
  return sum;
}
