/* (i omega - Q) x = b by elimination within a band. Every row holds what it has off the diagonal and the sum of the
 * row, i omega plus the exit; the diagonal is the sum of both, as in the elimination of Grassmann, Taksar and Heyman,
 * so that at low frequencies nothing is subtracted, and at high ones i omega outweighs the rest. Rows are diagonally
 * dominant: no pivots are needed and nothing grows by more than two. States are ordered by the distance from an end of
 * the chain (Cuthill, McKee, Proc. 24th ACM Conf. 157 (1969)), which keeps the band narrow. Invariant: one order of
 * sums, so the same bits everywhere. Cost for n states and a band of b on each side: 8 n b^2 flops a frequency, 32 n b
 * bytes. */
#include "engine/markov/harmonic.h"

#include <math.h>
#include <stdlib.h>

#define HARMONIC_WORK 4e9   /* complex products of a factorisation: some seconds */
#define HARMONIC_ROOM 6.4e7 /* numbers in the band: a gigabyte */

struct harmonic {
  const chain *q;
  int32_t n, band;
  int32_t *place;        /* (n) of a state in the order */
  harmonic_number *off;  /* (n x (2 band + 1)) row i from column i - band: minus the entries off the diagonal */
  harmonic_number *sum;  /* (n) of the row */
  harmonic_number *turn; /* (n) one over the diagonal */
  harmonic_number *room; /* (n) */
};

static inline harmonic_number number_times(harmonic_number a, harmonic_number b)
{
  return (harmonic_number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static inline void number_add(harmonic_number *to, harmonic_number by)
{
  to->re += by.re;
  to->im += by.im;
}

/* 1/x without overflow (Smith, Commun. ACM 5, 435 (1962)). */
static harmonic_number number_turn(harmonic_number x)
{
  if (fabs(x.re) >= fabs(x.im)) {
    const double r = x.im / x.re, d = x.re + x.im * r;
    return (harmonic_number){1 / d, -r / d};
  }
  const double r = x.re / x.im, d = x.re * r + x.im;
  return (harmonic_number){r / d, -1 / d};
}

/* Numbers what is reached from `from` by distance, on from `count`; returns how many are numbered then. */
static int32_t order_from(const chain *q, const chain *back, int32_t from, int32_t count, int32_t *place, int32_t *line)
{
  int32_t head = count;
  place[from] = count;
  line[count++] = from;
  for (; head < count; head++) {
    const chain *const ways[2] = {q, back};
    for (int w = 0; w < 2; w++) {
      for (int64_t e = ways[w]->start[line[head]]; e < ways[w]->start[line[head] + 1]; e++) {
        const int32_t to = ways[w]->to[e];
        if (place[to] >= 0) continue;
        place[to] = count;
        line[count++] = to;
      }
    }
  }
  return count;
}

static ness_status order_find(harmonic *self)
{
  const chain *const q = self->q;
  chain back = {0};
  int32_t *const line = mem_zero((size_t)self->n + 1, sizeof *line);
  ness_status status = line ? chain_transpose(q, &back) : NESS_NOMEM;
  for (int32_t i = 0; i < self->n; i++) self->place[i] = -1;
  for (int32_t i = 0, count = 0; status == NESS_OK && i < self->n; i++) {
    if (self->place[i] >= 0) continue;
    const int32_t end = order_from(q, &back, i, count, self->place, line);
    const int32_t last = line[end - 1]; /* far from i: an end of this piece */
    for (int32_t k = count; k < end; k++) self->place[line[k]] = -1;
    count = order_from(q, &back, last, count, self->place, line);
  }
  for (int32_t i = 0; status == NESS_OK && i < self->n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      const int32_t far = abs(self->place[i] - self->place[q->to[e]]);
      if (far > self->band) self->band = far;
    }
  }
  chain_free(&back);
  mem_free(line);
  return status;
}

ness_status harmonic_create(const chain *q, harmonic **out)
{
  harmonic *const self = *out = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  const size_t n = (size_t)q->n;
  self->q = q;
  self->n = q->n;
  self->place = mem_zero(n + 1, sizeof *self->place);
  ness_status status = self->place ? order_find(self) : NESS_NOMEM;
  const double width = 2.0 * self->band + 1, work = (double)n * self->band * self->band;
  if (status == NESS_OK && (work > HARMONIC_WORK || (double)n * width > HARMONIC_ROOM)) status = NESS_LIMIT;
  if (status == NESS_OK) {
    self->off = mem_zero(n * (2 * (size_t)self->band + 1) + 1, sizeof *self->off);
    self->sum = mem_zero(n + 1, sizeof *self->sum);
    self->turn = mem_zero(n + 1, sizeof *self->turn);
    self->room = mem_zero(n + 1, sizeof *self->room);
    if (!self->off || !self->sum || !self->turn || !self->room) status = NESS_NOMEM;
  }
  if (status) {
    harmonic_free(self);
    *out = NULL;
  }
  return status;
}

void harmonic_free(harmonic *self)
{
  if (!self) return;
  mem_free(self->place);
  mem_free(self->off);
  mem_free(self->sum);
  mem_free(self->turn);
  mem_free(self->room);
  mem_free(self);
}

/* Column j of row i. */
static inline harmonic_number *band_at(const harmonic *self, int32_t i, int32_t j)
{
  return self->off + (int64_t)i * (2 * self->band + 1) + (j - i + self->band);
}

static void band_load(harmonic *self, double omega)
{
  const chain *const q = self->q;
  const int64_t width = 2 * (int64_t)self->band + 1;
  for (int64_t k = 0; k < self->n * width; k++) self->off[k] = (harmonic_number){0, 0};
  for (int32_t s = 0; s < self->n; s++) {
    const int32_t i = self->place[s];
    self->sum[i] = (harmonic_number){q->exit ? q->exit[s] : 0, omega};
    for (int64_t e = q->start[s]; e < q->start[s + 1]; e++)
      if (q->to[e] != s) band_at(self, i, self->place[q->to[e]])->re += q->rate[e];
  }
}

ness_status harmonic_factor(harmonic *self, double omega)
{
  band_load(self, omega);
  for (int32_t k = 0; k < self->n; k++) {
    const int32_t end = self->n - k - 1 < self->band ? self->n - 1 : k + self->band;
    const harmonic_number *const row = band_at(self, k, k);
    harmonic_number diagonal = self->sum[k];
    for (int32_t j = 1; j <= end - k; j++) number_add(&diagonal, row[j]);
    if (!(fabs(diagonal.re) + fabs(diagonal.im) > 0)) return NESS_NUMERIC;
    self->turn[k] = number_turn(diagonal);
    for (int32_t i = k + 1; i <= end; i++) {
      harmonic_number *const part = band_at(self, i, k);
      if (part->re == 0 && part->im == 0) continue;
      *part = number_times(*part, self->turn[k]);
      number_add(&self->sum[i], number_times(*part, self->sum[k]));
      harmonic_number *const to = part + 1;
      for (int32_t j = 0; j < end - k; j++) number_add(&to[j], number_times(*part, row[j + 1]));
      *band_at(self, i, i) = (harmonic_number){0, 0}; /* what comes back to its state */
    }
  }
  return NESS_OK;
}

void harmonic_solve(harmonic *self, harmonic_number *x)
{
  harmonic_number *const y = self->room;
  for (int32_t s = 0; s < self->n; s++) y[self->place[s]] = x[s];
  for (int32_t i = 0; i < self->n; i++) {
    for (int32_t k = i > self->band ? i - self->band : 0; k < i; k++)
      number_add(&y[i], number_times(*band_at(self, i, k), y[k]));
  }
  for (int32_t k = self->n; k-- > 0;) {
    const int32_t end = self->n - k - 1 < self->band ? self->n - 1 : k + self->band;
    for (int32_t j = k + 1; j <= end; j++) number_add(&y[k], number_times(*band_at(self, k, j), y[j]));
    y[k] = number_times(y[k], self->turn[k]);
  }
  for (int32_t s = 0; s < self->n; s++) x[s] = y[self->place[s]];
}
