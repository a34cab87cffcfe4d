/* Few states: found breadth first from the start, each with a row of what its events need. Invariant: a row holds the
 * numbers that small_sums gives for its counts, no others. Cost: 52 products a row and open leaf, 90 KiB. */
#include "engine/ssa/states.h"

#include <math.h>
#include <string.h>

static uint32_t counts_hash(const small_net *net, const double *n)
{
  uint64_t hash = UINT64_C(0x9e3779b97f4a7c15);
  for (int32_t i = 0; i < net->slots; i++) {
    hash = (hash ^ (uint64_t)(int64_t)n[i]) * UINT64_C(0xda942042e4dd58b5);
    hash ^= hash >> 32;
  }
  return (uint32_t)hash % STATES_HASH;
}

/* Where the counts are in the table, or the empty place where they belong. */
static uint32_t place_find(const states_table *self, const small_net *net, const double *n)
{
  uint32_t at = counts_hash(net, n);
  while (self->hash[at] >= 0 && memcmp(self->n[self->hash[at]], n, (size_t)net->slots * sizeof *n) != 0) {
    at = (at + 1) % STATES_HASH;
  }
  return at;
}

int32_t states_find(const states_table *self, const small_net *net, const double *n)
{
  return self->rows > 0 ? self->hash[place_find(self, net, n)] : -1;
}

/* The row of the counts, new or known; -1 when there is no room. */
static int32_t row_of(states_table *self, const small_net *net, const double *n)
{
  const uint32_t at = place_find(self, net, n);
  if (self->hash[at] < 0 && self->rows < STATES_MOST) {
    memcpy(self->n[self->rows], n, SMALL_SLOTS * sizeof *n);
    self->hash[at] = self->rows++;
  }
  return self->hash[at];
}

/* The bits of the least choice beyond a sum, among the odd multiples of 2^-53. */
static int64_t choice_least(double sum, double total)
{
  int64_t low = 0, high = INT64_C(1) << 52, bits; /* choice k is (2 k + 1) 2^-53; high is beyond all */
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if ((double)(2 * middle + 1) * 0x1p-53 * total >= sum) high = middle;
    else low = middle + 1;
  }
  const double choice = (double)(2 * low + 1) * 0x1p-53;
  memcpy(&bits, &choice, sizeof bits);
  return bits;
}

/* The best of the kinds that all rows are of. Where two slots move, rows list both, also the one without a molecule. */
static states_kind kind_of(const states_table *self, const small_net *net)
{
  if (net->moving <= STATES_FILLED) return STATES_TWO;
  bool one = true;
  for (int32_t i = 0; i < self->rows && one; i++) {
    double molecules = 0;
    for (int32_t m = 0; m < net->moving; m++) molecules += self->n[i][m];
    one = molecules <= 1;
  }
  return one ? STATES_ONE : STATES_ANY;
}

/* Fills a row and finds the states after it; false when something does not fit. */
static bool row_fill(states_table *self, const small_net *net, int32_t index)
{
  states_row *const row = &self->row[index];
  const double *const n = self->n[index];
  double a[SMALL_LEAVES] = {0}, c[SMALL_LEAVES], after[SMALL_LEAVES][SMALL_SLOTS];
  int32_t open = 0, filled = 0;
  small_sums(net, n, a, c);
  const double total = c[net->padded - 1];
  row->mean = 1 / total;
  for (int32_t d = 0; d < STATES_OPEN - 1; d++) row->least[d] = INT64_MAX;
  for (int i = 0; i < STATES_FILLED; i++) row->filled[i] = SMALL_SLOTS - 1; /* where nothing moves */
  for (int32_t m = 0; m < net->moving; m++) {
    const double x = n[m];
    if (x == 0 && net->moving > STATES_FILLED) continue;
    if (filled == STATES_FILLED) return false;
    row->x[filled] = x;
    row->filled[filled++] = m;
  }
  for (int32_t j = 0; j < net->leaves; j++) memcpy(after[j], n, sizeof after[j]);
  for (int32_t m = 0; m < net->moving; m++) {
    for (int32_t i = net->start[m]; i < net->start[m + 1]; i++) {
      after[net->change[i].leaf][m] += net->change[i].by;
    }
  }
  for (int32_t j = 0; j < net->leaves; j++) {
    if (!(a[j] > 0)) continue;
    if (open == STATES_OPEN) return false;
    if (open < STATES_OPEN - 1) row->least[open] = choice_least(c[j], total);
    const int32_t next = row_of(self, net, after[j]);
    if (next < 0) return false;
    row->after[open++] =
        (states_after){.next = (int16_t)(next * STATES_WORDS), .row = (int16_t)next, .leaf = (int16_t)j};
  }
  self->open = open > self->open ? open : self->open;
  return total <= 0x1p1000 && (total == 0 || total >= 0x1p-1000);
}

void states_build(states_table *self, const small_net *net, const int64_t *start)
{
  double n[SMALL_SLOTS] = {0};
  for (int32_t i = 0; i < net->slots; i++) n[i] = (double)start[net->slot[i]];
  n[net->slots] = 1;
  for (int32_t i = 0; i < STATES_HASH; i++) self->hash[i] = -1;
  self->row[STATES_MOST] = (states_row){
      .mean = INFINITY, .least = {INT64_MAX, INT64_MAX, INT64_MAX}, .filled = {SMALL_SLOTS - 1, SMALL_SLOTS - 1}};
  self->row[STATES_MOST].after[0] = (states_after){STATES_MOST * STATES_WORDS, STATES_MOST, 0, SMALL_SLOTS - 1};
  if (net->entropy) return; /* an event would need a logarithm more */
  row_of(self, net, n);
  for (int32_t i = 0; i < self->rows; i++) {
    if (!row_fill(self, net, i)) {
      self->rows = 0;
    }
  }
  for (int32_t i = 0; i < self->rows; i++) {
    if (self->rows <= STATES_FEW) {
      self->mean[i] = self->row[i].mean;
      for (int32_t d = 0; d < STATES_OPEN - 1; d++) self->least[d][i] = self->row[i].least[d];
    }
    for (int32_t j = 0; j < STATES_OPEN; j++) {
      states_after *const after = &self->row[i].after[j];
      after->filled = (int16_t)self->row[after->row].filled[0];
    }
  }
  self->kind = kind_of(self, net);
}
