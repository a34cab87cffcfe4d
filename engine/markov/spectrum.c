/* The spectrum of any chain from those of its parts. In the order transient states, closed classes the generator is
 * block triangular, so that its eigenvalues are those of the blocks: a closed class by itself, and the transient states
 * with every way out as an exit. Invariant: a closed class has exactly one 0. Modes are sorted with a pair as one.
 * Cost: that of the parts (modes_dense.c, modes_arnoldi.c). */
#include "engine/markov/spectrum.h"
#include "engine/base/blas.h"
#include "engine/markov/modes.h"
#include "engine/markov/sum.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPECTRUM_DENSE = 2000, SPECTRUM_CHECKED = 500 /* states up to which vectors are made for their residuals */ };

ness_status modes_create(int32_t n, int32_t count, bool vectors, mode_list *out)
{
  const size_t size = (size_t)n * (size_t)count;
  *out = (mode_list){.n = n, .count = count};
  out->mode = mem_zero((size_t)count + 1, sizeof *out->mode);
  if (vectors) {
    out->re = mem_zero(size + 1, sizeof *out->re);
    out->im = mem_zero(size + 1, sizeof *out->im);
  }
  return out->mode && (!vectors || (out->re && out->im)) ? NESS_OK : NESS_NOMEM;
}

void modes_free(mode_list *self)
{
  mem_free(self->mode);
  mem_free(self->re);
  mem_free(self->im);
  *self = (mode_list){0};
}

ness_status lapack_status(int info)
{
  if (info == 0) return NESS_OK;
  return info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR ? NESS_NOMEM : NESS_NUMERIC;
}

/* out <- v Q, and the largest rate out of a state. */
static double generator_left(const chain *q, const double *v, double *out)
{
  double most = 0;
  memset(out, 0, (size_t)q->n * sizeof *out);
  for (int32_t i = 0; i < q->n; i++) {
    double rate = q->exit ? q->exit[i] : 0;
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (q->to[e] == i) continue;
      out[q->to[e]] += v[i] * q->rate[e];
      rate += q->rate[e];
    }
    out[i] -= v[i] * rate;
    most = fmax(most, rate);
  }
  return most;
}

double modes_residual(const chain *q, const double *re, const double *im, double *work, mode *at)
{
  const size_t n = (size_t)q->n;
  const double rate = generator_left(q, re, work);
  if (im) generator_left(q, im, work + n);
  exact_sum size = {0}, rest = {0};
  for (size_t i = 0; i < n; i++) {
    const double b = im ? im[i] : 0, left = im ? work[n + i] : 0;
    const double x = work[i] - (at->real * re[i] - at->imag * b), y = left - (at->real * b + at->imag * re[i]);
    sum_add(&size, re[i] * re[i] + b * b);
    sum_add(&rest, x * x + y * y);
  }
  at->error = rate > 0 && sum_get(&size) > 0 ? sqrt(sum_get(&rest) / sum_get(&size)) / rate : 0;
  return rate;
}

/* --- parts --- */

/* A sorted entry and where its vector is. */
typedef struct entry {
  mode mode;
  int32_t row;
} entry;

typedef struct collection {
  entry *entry;
  int64_t count, capacity;
  mode_list vectors; /* of the only part */
  bool reversible;
} collection;

static int entry_compare(const void *a, const void *b)
{
  const mode *const x = &((const entry *)a)->mode, *const y = &((const entry *)b)->mode;
  const double p = fabs(x->real), q = fabs(y->real);
  if (p != q) return p < q ? -1 : 1;
  if (x->imag != y->imag) return x->imag < y->imag ? -1 : 1;
  return ((const entry *)a)->row - ((const entry *)b)->row;
}

static ness_status collection_add(collection *self, mode at, int32_t row)
{
  if (!mem_grow(&self->entry, &self->capacity, self->count + 1, sizeof *self->entry)) return NESS_NOMEM;
  self->entry[self->count++] = (entry){at, row};
  return NESS_OK;
}

static ness_status rates_check(const chain *q)
{
  for (int64_t e = 0; e < q->start[q->n]; e++) {
    if (!(q->rate[e] > 0) || !isfinite(q->rate[e])) return NESS_NUMERIC;
  }
  for (int32_t i = 0; i < q->n && q->exit; i++) {
    if (!(q->exit[i] >= 0) || !isfinite(q->exit[i])) return NESS_NUMERIC;
  }
  return NESS_OK;
}

static ness_status part_add(const chain *part, int32_t wanted, bool keep, collection *self)
{
  mode_list list = {0};
  const bool small = part->n <= SPECTRUM_DENSE;
  ness_status status = NESS_OK;
  if (!small && wanted == 0) return NESS_LIMIT;
  if (small) status = modes_dense(part, keep || part->n <= SPECTRUM_CHECKED, &list);
  else status = modes_arnoldi(part, wanted, keep, &list);
  for (int32_t k = 0; k < list.count && !status; k++) status = collection_add(self, list.mode[k], k);
  self->reversible &= list.reversible;
  if (keep && !status) self->vectors = list;
  else modes_free(&list);
  return status;
}

/* Every closed class, then the transient states. */
static ness_status parts_add(const chain *q, const chain_classes *classes, int32_t wanted, bool keep, collection *self)
{
  int32_t *local = mem_zero((size_t)q->n + 1, sizeof *local);
  ness_status status = local ? NESS_OK : NESS_NOMEM;
  for (int32_t c = 0; c <= classes->count && !status; c++) {
    const int32_t *const state = classes->state + classes->start[c];
    const int32_t count = classes->start[c + 1] - classes->start[c];
    chain part = {0};
    if (count == 0) continue;
    if (count == 1 && c < classes->count && !keep) {
      status = collection_add(self, (mode){0}, 0);
      continue;
    }
    if (interrupt_pending()) status = NESS_INTERRUPTED;
    if (!status) status = chain_part(q, state, count, c == classes->count, local, &part);
    if (!status) status = part_add(&part, wanted, keep, self);
    chain_free(&part);
  }
  mem_free(local);
  return status;
}

/* --- the answer --- */

static ness_status spectrum_create(int32_t n, int32_t count, bool modes, spectrum *out)
{
  const size_t room = (size_t)count + 1, size = (size_t)n * (size_t)count + 1;
  out->count = count;
  out->real = mem_zero(room, sizeof *out->real);
  out->imag = mem_zero(room, sizeof *out->imag);
  out->error = mem_zero(room, sizeof *out->error);
  if (modes) {
    out->left_real = mem_zero(size, sizeof *out->left_real);
    out->left_imag = mem_zero(size, sizeof *out->left_imag);
  }
  const bool room_modes = !modes || (out->left_real && out->left_imag);
  return out->real && out->imag && out->error && room_modes ? NESS_OK : NESS_NOMEM;
}

/* The vector over its entry of largest modulus, into row `at`; sign -1 for the conjugate. */
static void vector_put(const mode_list *from, int32_t row, int32_t at, int sign, spectrum *out)
{
  const size_t n = (size_t)from->n;
  const double *const re = from->re + (size_t)row * n, *const im = from->im + (size_t)row * n;
  size_t top = 0;
  for (size_t i = 1; i < n; i++) top = hypot(re[i], im[i]) > hypot(re[top], im[top]) ? i : top;
  const double size = hypot(re[top], im[top]), a = re[top] / size, b = im[top] / size;
  for (size_t i = 0; i < n; i++) {
    out->left_real[(size_t)at * n + i] = (re[i] * a + im[i] * b) / size;
    out->left_imag[(size_t)at * n + i] = sign * (im[i] * a - re[i] * b) / size;
  }
  out->left_real[(size_t)at * n + top] = 1;
  out->left_imag[(size_t)at * n + top] = 0;
}

static ness_status spectrum_fill(const collection *self, int32_t n, int32_t wanted, spectrum *out)
{
  int64_t taken = 0, count = 0;
  qsort(self->entry, (size_t)self->count, sizeof *self->entry, entry_compare);
  while (taken < self->count && (wanted == 0 || count < wanted)) count += 1 + (self->entry[taken++].mode.imag != 0);
  const ness_status status = spectrum_create(n, (int32_t)count, self->vectors.re != NULL, out);
  if (status) return status;
  int32_t at = 0;
  for (int64_t k = 0; k < taken; k++) {
    const entry *const from = &self->entry[k];
    for (int sign = 1; sign >= (from->mode.imag != 0 ? -1 : 1); sign -= 2) {
      out->real[at] = from->mode.real;
      out->imag[at] = sign * from->mode.imag;
      out->error[at] = from->mode.error;
      if (out->left_real) vector_put(&self->vectors, from->row, at, sign, out);
      at++;
    }
  }
  out->complete = count == n;
  out->reversible = self->reversible;
  return NESS_OK;
}

ness_status spectrum_find(const chain *q, int32_t wanted, bool modes, spectrum *out)
{
  chain_classes classes = {0};
  collection all = {.reversible = true};
  *out = (spectrum){0};
  if (wanted < 0) return NESS_USAGE;
  if (wanted > q->n) wanted = q->n;
  ness_status status = rates_check(q);
  if (!status) status = chain_classes_find(q, &classes);
  if (status) goto out;
  const bool whole = classes.count + (classes.start[classes.count] < q->n) == 1;
  blas_enter();
  status = parts_add(q, &classes, wanted, modes && whole, &all);
  blas_leave();
  if (!status) status = spectrum_fill(&all, q->n, wanted, out);
out:
  if (status) spectrum_free(out);
  chain_classes_free(&classes);
  modes_free(&all.vectors);
  mem_free(all.entry);
  return status;
}

void spectrum_free(spectrum *self)
{
  mem_free(self->real);
  mem_free(self->imag);
  mem_free(self->error);
  mem_free(self->left_real);
  mem_free(self->left_imag);
  *self = (spectrum){0};
}
