/* Determinants of -Q without a set of states, by eliminating the other states with the set as a sink: the determinant
 * is the product of the pivots of that subtraction-free elimination (the matrix-tree theorem says why it is a sum of
 * positive terms). Kept by bit mask of the set, since cycles share their states. Products of rates and pivots are kept
 * as two doubles and an exponent of 64 bits. Cost of a determinant of m states: m d^2 for d ways a state, at most m^3
 * / 3. */
#include "engine/cme/minors.h"
#include <math.h>

/* --- scaled numbers --- */

static scaled scaled_normal(double high, double low, int64_t exponent)
{
  const double sum = high + low;
  if (sum == 0) return (scaled){0, 0, 0};
  int shift;
  const double top = frexp(sum, &shift);
  return (scaled){top, ldexp((high - sum) + low, -shift), exponent + shift};
}

scaled scaled_from(double x)
{
  return scaled_normal(x, 0, 0);
}

scaled scaled_times(scaled a, double b)
{
  int shift;
  const double factor = frexp(b, &shift), high = a.high * factor;
  return scaled_normal(high, fma(a.high, factor, -high) + a.low * factor, a.exponent + shift);
}

static scaled scaled_sum(scaled a, scaled b)
{
  if (a.high == 0) return b;
  if (b.high == 0) return a;
  if (a.exponent < b.exponent) return scaled_sum(b, a);
  const int64_t gap = a.exponent - b.exponent;
  const int shift = gap > 1000 ? -1000 : (int)-gap;
  const double x = ldexp(b.high, shift), sum = a.high + x;
  return scaled_normal(sum, (x - (sum - a.high)) + a.low + ldexp(b.low, shift), a.exponent);
}

double scaled_ratio(scaled a, scaled b)
{
  if (a.high == 0) return 0;
  const int64_t gap = a.exponent - b.exponent;
  return ldexp((a.high + a.low) / (b.high + b.low), gap > 4000 ? 4000 : gap < -4000 ? -4000 : (int)gap);
}

double scaled_log_ratio(scaled a, scaled b)
{
  const int64_t gap = a.exponent - b.exponent;
  if (gap >= -1 && gap <= 1) {
    const double x = ldexp(a.high, (int)gap), difference = (x - b.high) + (ldexp(a.low, (int)gap) - b.low);
    if (fabs(difference) < 0.5 * b.high) return log1p(difference / (b.high + b.low));
  }
  return log(a.high / b.high) + (double)gap * 0.69314718055994530942;
}

/* --- determinants --- */

ness_status minors_init(minors *self, int32_t n)
{
  *self = (minors){.n = n};
  const size_t square = (size_t)n * (size_t)n;
  self->rate = mem_zero(square, sizeof *self->rate);
  self->work = mem_zero(square, sizeof *self->work);
  self->out_of = mem_zero((size_t)n, sizeof *self->out_of);
  return self->rate && self->work && self->out_of ? NESS_OK : NESS_NOMEM;
}

void minors_free(minors *self)
{
  mem_free(self->rate);
  mem_free(self->work);
  mem_free(self->out_of);
  mem_free(self->table);
  *self = (minors){0};
}

void minors_add(minors *self, int32_t from, int32_t to, double rate)
{
  self->rate[from * self->n + to] += rate;
  self->out_of[from] |= UINT64_C(1) << to;
}

static int lowest_bit(uint64_t mask)
{
  int bit = 0;
  for (int half = 32; half; half /= 2) {
    if (mask & ((UINT64_C(1) << half) - 1)) continue;
    mask >>= half;
    bit += half;
  }
  return bit;
}

static ness_status minors_eliminate(minors *self, uint64_t removed, scaled *det)
{
  const int32_t n = self->n;
  const uint64_t all = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
  uint64_t row[MINORS_STATES], left = all & ~removed;
  double *const q = self->work, exit[MINORS_STATES];
  for (uint64_t states = left; states; states &= states - 1) {
    const int i = lowest_bit(states);
    exit[i] = 0;
    row[i] = self->out_of[i] & left;
    for (uint64_t to = self->out_of[i]; to; to &= to - 1) {
      const int j = lowest_bit(to);
      if (removed >> j & 1) exit[i] += self->rate[i * n + j];
      else q[i * n + j] = self->rate[i * n + j];
    }
  }
  *det = scaled_from(1);
  while (left) {
    const int k = lowest_bit(left);
    left &= left - 1;
    double s = exit[k];
    for (uint64_t to = row[k] & left; to; to &= to - 1) s += q[k * n + lowest_bit(to)];
    if (!(s > 0) || !isfinite(s)) return NESS_NUMERIC;
    *det = scaled_times(*det, s);
    for (uint64_t from = left; from; from &= from - 1) {
      const int i = lowest_bit(from);
      if (!(row[i] >> k & 1)) continue;
      const double f = q[i * n + k] / s;
      exit[i] += f * exit[k];
      for (uint64_t to = row[k] & left & ~(UINT64_C(1) << i); to; to &= to - 1) {
        const int j = lowest_bit(to);
        if (row[i] >> j & 1) q[i * n + j] += f * q[k * n + j];
        else q[i * n + j] = f * q[k * n + j];
      }
      row[i] |= row[k] & left & ~(UINT64_C(1) << i);
    }
  }
  return NESS_OK;
}

static int64_t minors_place(const minors *self, uint64_t removed)
{
  const uint64_t mask = (uint64_t)self->size - 1;
  uint64_t at = removed * UINT64_C(0x9e3779b97f4a7c15);
  at = (at ^ at >> 32) & mask;
  while (self->table[at].removed && self->table[at].removed != removed) at = (at + 1) & mask;
  return (int64_t)at;
}

static ness_status minors_grow(minors *self)
{
  const int64_t size = self->size;
  minors_entry *const old = self->table;
  self->size = size ? 2 * size : 256;
  self->table = mem_zero((size_t)self->size, sizeof *self->table);
  if (!self->table) {
    self->table = old;
    self->size = size;
    return NESS_NOMEM;
  }
  for (int64_t i = 0; i < size; i++) {
    if (old[i].removed) self->table[minors_place(self, old[i].removed)] = old[i];
  }
  mem_free(old);
  return NESS_OK;
}

ness_status minors_det(minors *self, uint64_t removed, scaled *det)
{
  ness_status status = 2 * self->used >= self->size ? minors_grow(self) : NESS_OK;
  if (status) return status;
  minors_entry *const entry = &self->table[minors_place(self, removed)];
  if (!entry->removed) {
    status = minors_eliminate(self, removed, &entry->det);
    if (status) return status;
    entry->removed = removed;
    self->used++;
  }
  *det = entry->det;
  return NESS_OK;
}

ness_status minors_total(minors *self, scaled *total)
{
  *total = (scaled){0, 0, 0};
  for (int32_t i = 0; i < self->n; i++) {
    scaled det;
    const ness_status status = minors_det(self, UINT64_C(1) << i, &det);
    if (status) return status;
    *total = scaled_sum(*total, det);
  }
  return NESS_OK;
}
