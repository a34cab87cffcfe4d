/* Irreversibility of the sequence of states that one molecule visits, from how often n states come in a row and how
 * often in the reverse order: D_n = sum p(x) ln p(x)/p(reverse of x) (Roldan, Parrondo, Phys. Rev. Lett. 105, 150607
 * (2010)). A sequence of n states has n - 1 jumps, so D_n / (n - 1) a jump never exceeds the entropy production, also
 * where states hide others (data processing); D_n - D_(n-1) comes to its limit sooner but is an estimate only. What
 * waiting times tell is not in it. Invariant: counts are whole numbers, added in the order of the file.
 * Counts by SEQUENCE_BLOCKS stripes of jumps give jackknife error and bias; next to equilibrium N D_n / 2 is about
 * chi-square with a degree for each pair, which the low end minds as well (divergence.h). A row never seen in reverse
 * counts as half a time there. Cost: 2 ns a jump, with more than SEQUENCE_FEW states three look-ups; memory by
 * different rows, SEQUENCE_ROWS at most. */
#include "analysis/sequences.h"
#include "analysis/analysis.h"
#include "analysis/divergence.h"
#include "analysis/loops_inside.h"

#include <math.h>

#define SEQUENCE_BLOCKS 16
#define SEQUENCE_STRIPE 64                     /* jumps */
#define SEQUENCE_FEW 12                        /* states whose rows are counted in place */
#define SEQUENCE_JUMPS_MOST (INT64_C(1) << 20) /* of more states */
#define SEQUENCE_ROWS (INT64_C(1) << 18)
#define SEQUENCE_JUMPS 256 /* at least, for an estimate */

typedef struct sequence_row { /* states in a row, and how often */
  uint64_t key;               /* 16 bits a state, plus one; the oldest highest */
  double count[SEQUENCE_BLOCKS];
} sequence_row;

struct sequences {
  int32_t states; /* of few: whole rows are counted in `dense` and put among the others at the end */
  int64_t *dense; /* (states^SEQUENCE_MOST x SEQUENCE_BLOCKS) or NULL */
  loop_map place;
  sequence_row *row;
  int64_t rows, room, jumps;
  bool over; /* too many rows */
};

static int64_t dense_rows(const sequences *self)
{
  int64_t rows = 1;
  for (int32_t n = 0; n < SEQUENCE_MOST; n++) rows *= self->states;
  return rows;
}

sequences *sequences_create(int32_t states)
{
  sequences *const self = mem_zero(1, sizeof *self);
  if (!self || states > SEQUENCE_FEW) return self;
  self->states = states;
  self->dense = mem_zero((size_t)dense_rows(self) * SEQUENCE_BLOCKS + 1, sizeof *self->dense);
  if (self->dense) return self;
  mem_free(self);
  return NULL;
}

void sequences_free(sequences *self)
{
  if (!self) return;
  loop_map_free(&self->place);
  mem_free(self->row);
  mem_free(self->dense);
  mem_free(self);
}

static bool count_row(sequences *self, uint64_t key, int64_t block, double by)
{
  const int64_t *known = loop_map_find(&self->place, key);
  int64_t at = known ? *known : self->rows;
  if (!known) {
    if (self->rows == SEQUENCE_ROWS) {
      self->over = true;
      return true;
    }
    if (!mem_grow(&self->row, &self->room, self->rows + 1, sizeof *self->row) || !loop_map_add(&self->place, key, at))
      return false;
    self->row[self->rows++] = (sequence_row){.key = key};
  }
  self->row[at].count[block] += by;
  return true;
}

/* The newest states of a row, two of them and more. */
static bool count_rows(sequences *self, const int32_t *recent, int32_t known, int64_t block, double by)
{
  uint64_t key = 0;
  for (int32_t n = 0; n < known; n++) {
    key |= (uint64_t)(recent[n] + 1) << (16 * n);
    if (n > 0 && !count_row(self, key, block, by)) return false;
  }
  return true;
}

bool sequences_add(sequences *self, const int32_t *recent, int32_t known)
{
  const int64_t block = self->jumps / SEQUENCE_STRIPE % SEQUENCE_BLOCKS;
  if (self->over || (!self->dense && self->jumps == SEQUENCE_JUMPS_MOST)) return true;
  self->jumps++;
  if (!self->dense || known < SEQUENCE_MOST) return count_rows(self, recent, known, block, 1);
  int64_t at = 0;
  for (int32_t n = 0; n < SEQUENCE_MOST; n++) at = at * self->states + recent[n];
  self->dense[at * SEQUENCE_BLOCKS + block]++;
  return true;
}

bool sequences_finish(sequences *self)
{
  const int64_t rows = self->dense ? dense_rows(self) : 0;
  for (int64_t at = 0; at < rows; at++) {
    int32_t recent[SEQUENCE_MOST];
    int64_t rest = at;
    for (int32_t n = SEQUENCE_MOST - 1; n >= 0; n--, rest /= self->states) recent[n] = (int32_t)(rest % self->states);
    for (int64_t b = 0; b < SEQUENCE_BLOCKS; b++) {
      const int64_t count = self->dense[at * SEQUENCE_BLOCKS + b];
      if (count > 0 && !count_rows(self, recent, SEQUENCE_MOST, b, (double)count)) return false;
    }
  }
  mem_free(self->dense);
  self->dense = NULL;
  return true;
}

static int32_t row_length(uint64_t key)
{
  int32_t n = 0;
  for (; key; key >>= 16) n++;
  return n;
}

static uint64_t row_reverse(uint64_t key)
{
  uint64_t out = 0;
  for (; key; key >>= 16) out = out << 16 | (key & 0xffff);
  return out;
}

static double row_total(const sequence_row *row, int32_t without)
{
  double sum = 0;
  for (int32_t b = 0; b < SEQUENCE_BLOCKS; b++) sum += b == without ? 0 : row->count[b];
  return sum;
}

/* D_n, k_B a row of n states, with a block left out (-1: none); the pairs of rows and the rows that it comes from. */
static double divergence(const sequences *self, int32_t n, int32_t without, double *pairs, double *rows)
{
  double sum = 0;
  *pairs = *rows = 0;
  for (int64_t i = 0; i < self->rows; i++) {
    const sequence_row *const row = &self->row[i];
    if (row_length(row->key) != n) continue;
    const uint64_t reverse = row_reverse(row->key);
    const double count = row_total(row, without);
    *rows += count;
    const int64_t *const other = loop_map_find(&self->place, reverse);
    if (reverse == row->key || (other && reverse < row->key)) continue; /* a pair is taken once */
    const double back = other ? row_total(&self->row[*other], without) : 0;
    if (count + back == 0) continue;
    *pairs += 1;
    sum += (count - back) * log((count > 0 ? count : 0.5) / (back > 0 ? back : 0.5));
  }
  return *rows > 0 ? sum / *rows : 0;
}

/* D_n freed of its bias, k_B a row of n states, and the pairs of rows that it comes from. */
static divergence_bound bound_of(const analysis *all, const sequences *self, int32_t n, double *pairs)
{
  double without[SEQUENCE_BLOCKS], rows, unused[2];
  const double raw = divergence(self, n, -1, pairs, &rows);
  for (int32_t b = 0; b < SEQUENCE_BLOCKS; b++) without[b] = divergence(self, n, b, &unused[0], &unused[1]);
  return divergence_bound_of(raw, rows, *pairs, without, SEQUENCE_BLOCKS, 0.5 * (1 - all->level));
}

void sequences_doc(const analysis *all, doc_node *parent)
{
  const sequences *const self = all->waited ? waits_sequences(all->waited) : NULL;
  if (!self || self->over || self->jumps < SEQUENCE_JUMPS) return;
  const double rate = analysis_total(all, TALLY_EVENTS) / all->time;
  doc_node *const section = doc_object(parent, "sequence");
  doc_string(section, "is", "a lower bound");
  doc_int(section, "jumps", self->jumps);
  number_or_null(section, "entropy_exact", all->exact ? all->exact->entropy : (double)NAN);
  doc_string(section, "method",
             "states in a row against their reverse, jackknife over stripes; increment: an estimate that converges "
             "sooner; waiting times are not in it");
  doc_node *const list = doc_array(section, "by_order");
  double shorter = 0;
  for (int32_t n = 2; n <= SEQUENCE_MOST; n++) {
    double pairs;
    const divergence_bound at = bound_of(all, self, n, &pairs);
    doc_node *const row = doc_object(list, NULL);
    doc_int(row, "order", n - 1);
    doc_int(row, "pairs", (int64_t)pairs);
    doc_number(row, "bound", rate * (at.value / (n - 1)));
    doc_number(row, "error", rate * (at.error / (n - 1)));
    doc_number(row, "low", rate * (at.low / (n - 1)));
    doc_number(row, "increment", rate * (at.value - shorter));
    shorter = at.value;
  }
}
