/* Sparse LU on A = -Q^T, in a closed chain with the row and column of a likely state replaced by the unit matrix's:
 * then A is a nonsingular M-matrix, and what is left of Q^T p = 0 is A p = (rates out of the pinned state) p_pinned. A
 * pin at a rare state is nearly singular and gives p with few right digits but the likely states at once, so it is
 * moved there and A is factored anew. Columns are scaled by the best p known, which makes the unknowns equal; rows by
 * KLU (Davis, Palamadai Natarajan, ACM Trans. Math. Softw. 37, 36 (2010)). Residuals are dot products in twice the
 * precision (Ogita, Rump, Oishi, SIAM J. Sci. Comput. 26, 1955 (2005)). Invariant: `diag` and `pin` are those of the
 * factors. Cost: that of the fill under KLU's ordering; each refinement two passes over the factors. */
#include "engine/markov/klu.h"
#include "engine/markov/solver.h"
#include "engine/markov/sum.h"
#include <klu.h>
#include <math.h>
#include <string.h>

enum { KLU_MOVES = 4, KLU_STEPS = 10 };

#define KLU_STEP 1e-9 /* a solution that still moves by more is none */

struct klu_chain {
  const chain *q;
  chain in;            /* transpose of q */
  int32_t pin;         /* -1 with exits */
  double *out;         /* (n) rate out of every state */
  double *column;      /* (n) powers of two: A is factored with its columns times these */
  double *room, *slip; /* (n) */
  SuiteSparse_long *start, *row;
  double *entry;
  SuiteSparse_long *place; /* (n) of a row in the column that is being filled */
  klu_l_common common;
  klu_l_symbolic *symbolic;
  klu_l_numeric *numeric;
  size_t memory, bytes; /* allowed; taken at most */
};

static void numbers_drop(klu_chain *self)
{
  if (self->numeric) klu_l_free_numeric(&self->numeric, &self->common);
  if (self->symbolic) klu_l_free_symbolic(&self->symbolic, &self->common);
}

void klu_chain_free(klu_chain *self)
{
  if (!self) return;
  numbers_drop(self);
  chain_free(&self->in);
  mem_free(self->out);
  mem_free(self->column);
  mem_free(self->room);
  mem_free(self->slip);
  mem_free(self->start);
  mem_free(self->row);
  mem_free(self->entry);
  mem_free(self->place);
  mem_free(self);
}

int32_t klu_pinned(const klu_chain *self)
{
  return self->pin;
}

/* --- factors --- */

/* Columns of A times their powers, parallel transitions added up. */
static void matrix_fill(klu_chain *self)
{
  const chain *const q = self->q;
  SuiteSparse_long end = 0;
  for (int32_t i = 0; i < q->n; i++) self->place[i] = -1;
  for (int32_t j = 0; j < q->n; j++) {
    const SuiteSparse_long begin = self->start[j] = end;
    self->row[end] = j;
    self->entry[end++] = j == self->pin ? 1 : self->out[j] * self->column[j];
    for (int64_t e = q->start[j]; e < q->start[j + 1] && j != self->pin; e++) {
      const int32_t i = q->to[e];
      if (i == j || i == self->pin || q->rate[e] == 0) continue;
      if (self->place[i] < begin) {
        self->place[i] = end;
        self->row[end] = i;
        self->entry[end++] = 0;
      }
      self->entry[self->place[i]] -= q->rate[e] * self->column[j];
    }
  }
  self->start[q->n] = end;
}

/* Factors with the present pin and columns. *singular is the state at which that failed, -1 otherwise. */
static ness_status matrix_factor(klu_chain *self, int32_t *singular)
{
  *singular = -1;
  numbers_drop(self);
  matrix_fill(self);
  self->symbolic = klu_l_analyze(self->q->n, self->start, self->row, &self->common);
  if (!self->symbolic) return self->common.status == KLU_OUT_OF_MEMORY ? NESS_NOMEM : NESS_NUMERIC;
  const double fill = self->symbolic->lnz + self->symbolic->unz;
  const size_t need = self->common.mempeak + (size_t)(fill > 0 ? 16 * fill : 0);
  if (need > self->bytes) self->bytes = need;
  if (need > self->memory) return NESS_LIMIT;
  self->numeric = klu_l_factor(self->start, self->row, self->entry, self->symbolic, &self->common);
  if (self->common.mempeak > self->bytes) self->bytes = self->common.mempeak;
  if (self->numeric && self->common.status == KLU_OK) return NESS_OK;
  if (self->common.status == KLU_OUT_OF_MEMORY || self->common.status == KLU_TOO_LARGE) return NESS_NOMEM;
  if (self->common.singular_col >= 0 && self->common.singular_col < self->q->n) {
    *singular = (int32_t)self->common.singular_col;
  }
  return NESS_NUMERIC;
}

static ness_status pin_set(klu_chain *self, int32_t pin)
{
  int32_t singular;
  if (self->numeric && self->pin == pin) return NESS_OK;
  self->pin = pin;
  return matrix_factor(self, &singular);
}

/* --- solves --- */

typedef struct dot2 {
  double high, low;
} dot2;

static inline void dot2_add(dot2 *self, double a, double b)
{
  const double product = a * b, sum = self->high + product, part = sum - self->high;
  self->low += ((self->high - (sum - part)) + (product - part)) + fma(a, b, -product);
  self->high = sum;
}

/* Row i of b - x (-Q), or of b - (-Q) x from the right; b NULL is zero. */
static double row_residual(const klu_chain *self, bool right, const double *b, const double *x, int32_t i)
{
  const chain *const from = right ? self->q : &self->in, *const q = self->q;
  dot2 sum = {b ? b[i] : 0, 0};
  for (int64_t e = from->start[i]; e < from->start[i + 1]; e++) {
    if (from->to[e] != i) dot2_add(&sum, from->rate[e], x[from->to[e]]);
  }
  for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
    if (q->to[e] != i) dot2_add(&sum, -q->rate[e], x[i]);
  }
  if (q->exit) dot2_add(&sum, -q->exit[i], x[i]);
  return sum.high + sum.low;
}

/* r <- the solution of the factored system for r. */
static void factors_solve(klu_chain *self, bool right, double *r)
{
  const int32_t n = self->q->n;
  if (self->pin >= 0) r[self->pin] = 0;
  for (int32_t i = 0; right && i < n; i++) r[i] *= self->column[i];
  if (right) klu_l_tsolve(self->symbolic, self->numeric, n, 1, r, &self->common);
  else klu_l_solve(self->symbolic, self->numeric, n, 1, r, &self->common);
  for (int32_t i = 0; !right && i < n; i++) r[i] *= self->column[i];
  if (self->pin >= 0) r[self->pin] = 0;
}

/* Brings x nearer to the solution until steps cease to shrink. Returns the last step that was needed, against each
 * component, or with `loose` against the largest one; inf when it is not finite. */
static double solution_refine(klu_chain *self, bool right, const double *b, double *x, bool loose)
{
  const int32_t n = self->q->n;
  double last = INFINITY;
  for (int step = 0; step < KLU_STEPS; step++) {
    double *const r = self->slip, largest = 0, size = 0;
    for (int32_t i = 0; i < n; i++) r[i] = row_residual(self, right, b, x, i);
    factors_solve(self, right, r);
    for (int32_t i = 0; i < n; i++) size = fmax(size, fabs(x[i]));
    for (int32_t i = 0; i < n; i++) {
      if (!isfinite(r[i])) return INFINITY;
      if (r[i] != 0) largest = fmax(largest, fabs(r[i]) / (loose ? size : fabs(x[i])));
    }
    if (largest > 0.5 * last) return fmin(largest, last);
    for (int32_t i = 0; i < n; i++) x[i] += r[i];
    last = largest;
    if (largest < 0x1p-53) break;
  }
  return last;
}

static ness_status solve(klu_chain *self, int32_t pinned, bool right, double *x)
{
  const ness_status status = pin_set(self, pinned);
  if (status) return status;
  memcpy(self->room, x, (size_t)self->q->n * sizeof *x);
  factors_solve(self, right, x);
  for (int32_t i = 0; i < self->q->n; i++) {
    if (!isfinite(x[i])) return NESS_NUMERIC;
  }
  return solution_refine(self, right, self->room, x, true) < KLU_STEP ? NESS_OK : NESS_NUMERIC;
}

ness_status klu_left(klu_chain *self, int32_t pinned, double *x)
{
  return solve(self, pinned, false, x);
}

ness_status klu_right(klu_chain *self, int32_t pinned, double *y)
{
  return solve(self, pinned, true, y);
}

/* --- steady distribution --- */

/* A state that looks likely: by the guess, or the one that is left most slowly. */
static int32_t pin_guess(const klu_chain *self, const double *guess)
{
  int32_t pin = 0;
  for (int32_t i = 1; i < self->q->n; i++) {
    if (guess ? guess[i] > guess[pin] : self->out[i] < self->out[pin]) pin = i;
  }
  return pin;
}

/* Columns for unknowns of the sizes of x; those not known keep what they had. Returns whether some are new. */
static bool columns_set(klu_chain *self, const double *x)
{
  bool fresh = false;
  for (int32_t i = 0; i < self->q->n; i++) {
    int power;
    if (x[i] == 0 || !isfinite(x[i])) continue;
    frexp(x[i], &power);
    const double ratio = ldexp(1, power) / self->column[i];
    if (ratio > 0x1p10 || ratio < 0x1p-10) fresh = true;
  }
  for (int32_t i = 0; fresh && i < self->q->n; i++) {
    int power;
    if (x[i] == 0 || !isfinite(x[i])) continue;
    frexp(x[i], &power);
    self->column[i] = ldexp(1, power);
  }
  return fresh;
}

/* x (n) up to a factor. */
static ness_status steady_find(klu_chain *self, double *x)
{
  const chain *const q = self->q;
  for (int move = 0; move < KLU_MOVES; move++) {
    int32_t singular;
    const ness_status status = matrix_factor(self, &singular);
    if (status == NESS_NUMERIC && singular >= 0 && singular != self->pin) {
      self->pin = singular; /* what nearly never ends in the pinned state ends here */
      continue;
    }
    if (status) return status;
    memset(x, 0, (size_t)q->n * sizeof *x);
    for (int64_t e = q->start[self->pin]; e < q->start[self->pin + 1]; e++) {
      if (q->to[e] != self->pin) x[q->to[e]] += q->rate[e];
    }
    factors_solve(self, false, x);
    x[self->pin] = 1;
    solution_refine(self, false, NULL, x, false); /* how well, the certificate will say */
    int32_t most = self->pin;
    for (int32_t i = 0; i < q->n; i++) {
      if (fabs(x[i]) > fabs(x[most])) most = i;
    }
    const bool moved = fabs(x[most]) > 64 * fabs(x[self->pin]);
    for (int32_t i = 0; i < q->n; i++) self->room[i] = x[i] / x[most];
    if (move + 1 == KLU_MOVES || (!columns_set(self, self->room) && !moved)) return NESS_OK;
    if (moved) self->pin = most;
  }
  return NESS_NUMERIC;
}

static ness_status rough_solve(void *context, int32_t pinned, double *w)
{
  klu_chain *const self = context;
  const ness_status status = pin_set(self, pinned);
  if (status == NESS_OK) factors_solve(self, false, w);
  return status;
}

static ness_status steady_make(klu_chain *self, const double *guess, double *p, double *bound)
{
  const int32_t n = self->q->n;
  self->pin = pin_guess(self, guess);
  for (int32_t i = 0; i < n; i++) {
    int power;
    frexp(guess ? guess[i] : 1 / self->out[i], &power);
    self->column[i] = ldexp(1, power);
  }
  ness_status status = steady_find(self, p);
  if (status) return status;
  exact_sum sum = {0, 0};
  for (int32_t i = 0; i < n; i++) {
    if (!(p[i] > 0) || !isfinite(p[i])) return NESS_NUMERIC;
    sum_add(&sum, p[i]);
  }
  for (int32_t i = 0; i < n; i++) p[i] /= sum_get(&sum);
  status = solver_certify(self->q, p, rough_solve, self, bound);
  return status == NESS_OK && !(*bound < 1) ? NESS_NUMERIC : status;
}

ness_status klu_chain_create(const chain *q, const double *guess, size_t memory, double *p, klu_report *report,
                             klu_chain **out)
{
  const size_t n = (size_t)q->n, entries = (size_t)q->start[q->n] + n;
  klu_chain *const self = mem_zero(1, sizeof *self);
  ness_status status = NESS_NOMEM;
  *out = NULL;
  *report = (klu_report){0};
  if (!self) return status;
  klu_l_defaults(&self->common);
  self->common.scale = 2; /* rows by their largest entries */
  self->q = q;
  self->pin = -1;
  self->memory = memory;
  self->out = mem_zero(n, sizeof *self->out);
  self->column = mem_alloc(n * sizeof *self->column);
  self->room = mem_alloc(n * sizeof *self->room);
  self->slip = mem_alloc(n * sizeof *self->slip);
  self->start = mem_alloc((n + 1) * sizeof *self->start);
  self->row = mem_alloc(entries * sizeof *self->row);
  self->entry = mem_alloc(entries * sizeof *self->entry);
  self->place = mem_alloc(n * sizeof *self->place);
  if (!self->out || !self->column || !self->room || !self->slip || !self->start || !self->row || !self->entry ||
      !self->place)
    goto out;
  status = chain_transpose(q, &self->in);
  if (status) goto out;
  for (int32_t i = 0; i < q->n; i++) {
    if (q->exit) self->out[i] = q->exit[i];
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) self->out[i] += q->to[e] == i ? 0 : q->rate[e];
    int power;
    frexp(1 / self->out[i], &power);
    self->column[i] = ldexp(1, power);
    if (!(self->out[i] > 0) || !isfinite(self->out[i])) status = NESS_NUMERIC;
  }
  int32_t singular;
  if (status == NESS_OK) {
    status = q->exit ? matrix_factor(self, &singular) : steady_make(self, guess, p, &report->bound);
  }
out:
  report->bytes = self->bytes + entries * 28 + n * 60;
  if (status) klu_chain_free(self);
  else *out = self;
  return status;
}
