/* The exponential of a small generator as a matrix: a Taylor sum of uniformised steps over a time h, then squared for
 * 2 h, 4 h, ...; every asked time is put together from the powers that its binary digits name. All sums are of
 * nonnegative numbers, and rows are scaled back to the sum 1 (a chain with exits has the outside as a state).
 *
 * The bound is proven, by the smaller of two for each power A of exact value A*.
 * (1) Hellinger distance eta^2 = 1 - sum sqrt(a a*), the worst over rows. With rows that add up to 1 it is a distance,
 *     its square at most adds up where steps are chained, and entries with relative errors below eps move it by at most
 *     eps / sqrt 8. So a squaring makes it sqrt 2 eta + eps / sqrt 8, and the 1-norm is at most sqrt 8 eta: rounding
 *     grows with the root of the number of steps, and transitions that are slow by 1e12 keep their digits.
 * (2) 1-norm e with the coefficient of ergodicity tau of A (how far rows can lie apart; Dobrushin 1956): a squaring
 *     makes it (1 + tau) e + eps, which stops growing once the chain has mixed.
 * A plain bound would double with each squaring. Cost: n^3 for each doubling of time, n^2 for a time and digit. */
#include "engine/markov/flow.h"
#include "engine/markov/sum.h"

#include <math.h>
#include <string.h>

#define DENSE_TAYLOR 44  /* 1 / 45! is below 1e-56: nothing is left out that 2^60 squarings could bring up */
#define DENSE_WIDE 4     /* columns of a panel, and rows that are worked on together */
#define DENSE_STRETCH 16 /* products that are summed on their own */

typedef struct dense {
  flow *f;
  int32_t n, panels;
  double rounding; /* relative error of an entry of a product of matrices after scaling */
  double *a, *b;   /* (n x n) the power of now, by rows; work space */
  double *panel;   /* (panels x n x DENSE_WIDE) the power, in panels of columns */
  double *x;       /* (times x n) distributions so far, of sum 1 */
  double *eta, *e; /* (times) their bounds */
  double a_eta, a_e, a_tau;
} dense;

/* --- products --- */

/* The power by panels, missing columns are zero. */
static void dense_pack(dense *self)
{
  const int32_t n = self->n;
#pragma omp parallel for schedule(static) if (n > 100)
  for (int32_t c = 0; c < self->panels; c++) {
    double *const to = self->panel + (size_t)c * (size_t)n * DENSE_WIDE;
    for (int32_t k = 0; k < n; k++) {
      for (int32_t j = 0; j < DENSE_WIDE; j++) {
        const int32_t column = c * DENSE_WIDE + j;
        to[k * DENSE_WIDE + j] = column < n ? self->a[(size_t)k * (size_t)n + (size_t)column] : 0;
      }
    }
  }
}

/* sum[i][j] = row i times column j of a panel. Long, as it is the kernel: sixteen sums stay in registers. */
static void dense_kernel(const double *const row[DENSE_WIDE], const double *panel, int32_t n,
                         double sum[DENSE_WIDE][DENSE_WIDE])
{
  memset(sum, 0, sizeof(double[DENSE_WIDE][DENSE_WIDE]));
  for (int32_t k = 0; k < n;) {
    const int32_t stop = n - k > DENSE_STRETCH ? k + DENSE_STRETCH : n;
    double part[DENSE_WIDE][DENSE_WIDE] = {{0}};
    for (; k < stop; k++) {
      const double *const line = panel + (size_t)k * DENSE_WIDE;
      for (int32_t i = 0; i < DENSE_WIDE; i++) {
        for (int32_t j = 0; j < DENSE_WIDE; j++) part[i][j] += row[i][k] * line[j];
      }
    }
    for (int32_t i = 0; i < DENSE_WIDE; i++) {
      for (int32_t j = 0; j < DENSE_WIDE; j++) sum[i][j] += part[i][j];
    }
  }
}

/* The sum of a row that is made 1. */
static void dense_scale(double *row, int32_t n)
{
  exact_sum sum = {0};
  for (int32_t j = 0; j < n; j++) sum_add(&sum, row[j]);
  const double total = sum_get(&sum);
  for (int32_t j = 0; j < n && total > 0; j++) row[j] /= total;
}

/* out = left A for `rows` rows, scaled; the panels must be packed. */
static void dense_multiply(const dense *self, const double *left, int32_t rows, double *out)
{
  const int32_t n = self->n;
#pragma omp parallel for schedule(static) if (n > 100 && rows > DENSE_WIDE)
  for (int32_t r = 0; r < rows; r += DENSE_WIDE) {
    const int32_t have = rows - r < DENSE_WIDE ? rows - r : DENSE_WIDE;
    const double *row[DENSE_WIDE];
    for (int32_t i = 0; i < DENSE_WIDE; i++) row[i] = left + (size_t)(i < have ? r + i : r) * (size_t)n;
    for (int32_t c = 0; c < self->panels; c++) {
      double sum[DENSE_WIDE][DENSE_WIDE];
      dense_kernel(row, self->panel + (size_t)c * (size_t)n * DENSE_WIDE, n, sum);
      const int32_t wide = n - c * DENSE_WIDE < DENSE_WIDE ? n - c * DENSE_WIDE : DENSE_WIDE;
      for (int32_t i = 0; i < have; i++) {
        memcpy(out + (size_t)(r + i) * (size_t)n + c * DENSE_WIDE, sum[i], (size_t)wide * sizeof(double));
      }
    }
    for (int32_t i = 0; i < have; i++) dense_scale(out + (size_t)(r + i) * (size_t)n, n);
  }
}

/* v <- v exp(Q theta / speed) for theta <= 1, by Horner's scheme, scaled to 1; sum and next (n) are scratch. */
static void dense_taylor(const flow *f, double theta, double *v, double *sum, double *next)
{
  const int32_t n = f->n;
  memcpy(sum, v, (size_t)n * sizeof *v);
  for (int32_t k = DENSE_TAYLOR; k >= 1; k--) {
    const double factor = theta / k;
    for (int32_t j = 0; j < n; j++) next[j] = v[j] + factor * flow_step(f, sum, j);
    double *const swap = sum;
    sum = next;
    next = swap;
  }
  memcpy(v, sum, (size_t)n * sizeof *v);
  dense_scale(v, n);
}

/* Bound on eta after dense_taylor: a term of k steps is off by k errors of a step, three roundings more for each, and
 * the scaling; the mean square of k is at most 2 under the weights of the terms; twice as scaling keeps sums. */
static double dense_taylor_eta(const flow *f)
{
  return 2 * (sqrt(2) * (f->rounding + 3 * FLOW_ROUNDING) + 4 * FLOW_ROUNDING) / sqrt(8);
}

/* --- powers --- */

static void dense_start(dense *self, double theta)
{
  const int32_t n = self->n;
#pragma omp parallel for schedule(static) if (n > 100)
  for (int32_t i = 0; i < n; i++) { /* rows of the work space and of the panels serve as scratch */
    double *const row = self->a + (size_t)i * (size_t)n;
    memset(row, 0, (size_t)n * sizeof *row);
    row[i] = 1;
    dense_taylor(self->f, theta, row, self->b + (size_t)i * (size_t)n, self->panel + (size_t)i * (size_t)n);
  }
  self->a_eta = dense_taylor_eta(self->f);
  self->a_e = sqrt(8) * self->a_eta;
  self->f->products += (int64_t)n * DENSE_TAYLOR;
}

/* An upper bound on tau of the exact power: rows share the least of each column. */
static double dense_tau(const dense *self)
{
  const int32_t n = self->n;
  exact_sum shared = {0};
  for (int32_t j = 0; j < n; j++) {
    double least = self->a[j];
    for (int32_t i = 1; i < n; i++) least = fmin(least, self->a[(size_t)i * (size_t)n + (size_t)j]);
    sum_add(&shared, least);
  }
  return fmin(1, fmax(0, 1 - sum_get(&shared)) + self->a_e + 8 * FLOW_ROUNDING);
}

/* A power whose rows are all the same but for 1e-13 is not squared any more: that would not change it. */
static void dense_square(dense *self)
{
  if (self->a_tau < 1e-13) {
    self->a_e += 2 * self->a_tau;
    self->a_eta = 1;
    return;
  }
  dense_multiply(self, self->a, self->n, self->b);
  double *const swap = self->a;
  self->a = self->b;
  self->b = swap;
  self->a_eta = sqrt(2) * self->a_eta + self->rounding / sqrt(8);
  self->a_e = fmin((1 + self->a_tau) * self->a_e + self->rounding, sqrt(8) * self->a_eta);
  self->f->products += self->n;
}

/* --- times --- */

/* Whether t / 2^scale has the binary digit of 2^digit; exact, as is all that leads to it. */
static bool dense_digit(double t, int scale, int digit)
{
  return fmod(floor(ldexp(t, -scale - digit)), 2) == 1;
}

/* Multiplies the distributions of times with this digit by the power, as many together as the work space holds. */
static void dense_advance(dense *self, const flow_task *task, int scale, int digit)
{
  const size_t n = (size_t)self->n, line = n * sizeof *self->x;
  double *const gathered = self->b; /* the first half; products go to the second */
  const int32_t most = self->n / 2 > 0 ? self->n / 2 : 1;
  for (int32_t i = 0; i < task->count;) {
    int32_t rows = 0, j = i;
    for (; j < task->count && rows < most; j++) {
      if (dense_digit(task->times[j] - task->origin, scale, digit))
        memcpy(gathered + n * (size_t)rows++, self->x + n * (size_t)j, line);
    }
    double *const products = gathered + n * (size_t)rows;
    if (rows > 0) dense_multiply(self, gathered, rows, products);
    for (int32_t row = 0; i < j; i++) {
      if (!dense_digit(task->times[i] - task->origin, scale, digit)) continue;
      memcpy(self->x + n * (size_t)i, products + n * (size_t)row++, line);
      const double eta = self->eta[i];
      self->eta[i] = sqrt(eta * eta + self->a_eta * self->a_eta) + self->rounding / sqrt(8);
      self->e[i] = fmin(self->a_tau * self->e[i] + self->a_e + self->rounding, sqrt(8) * self->eta[i]);
    }
    self->f->products += rows;
  }
}

/* Distributions after what is left of the times below h = 2^scale. */
static void dense_remainders(dense *self, const flow_task *task, int scale, const double *p)
{
  const size_t n = (size_t)self->n;
  const double h = ldexp(1, scale);
  for (int32_t i = 0; i < task->count; i++) {
    double *const x = self->x + n * (size_t)i;
    memcpy(x, p, n * sizeof *x);
    dense_scale(x, self->n);
    const double rest = fmod(task->times[i] - task->origin, h);
    if (rest > 0) dense_taylor(self->f, self->f->speed * rest, x, self->b, self->panel);
    self->eta[i] = dense_taylor_eta(self->f);
    self->e[i] = sqrt(8) * self->eta[i];
    self->f->products += rest > 0 ? DENSE_TAYLOR : 0;
  }
}

static ness_status dense_powers(dense *self, const flow_task *task, const double *p)
{
  flow *const f = self->f;
  const double most = task->times[task->count - 1] - task->origin;
  flow_speed(f, 2 * f->fastest); /* so that 1 - out / speed has all of its digits */
  int scale = 0;
  (void)frexp(f->speed, &scale); /* speed < 2^scale */
  scale = -scale;
  f->contraction = 1;
  dense_remainders(self, task, scale, p);
  dense_start(self, ldexp(f->speed, scale));
  for (int digit = 0; ldexp(1, scale + digit) <= most; digit++) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    dense_pack(self);
    self->a_tau = dense_tau(self);
    dense_advance(self, task, scale, digit);
    if (dense_digit(most, scale, digit)) f->contraction *= self->a_tau;
    if (ldexp(1, scale + digit + 1) <= most) dense_square(self);
  }
  return NESS_OK;
}

static ness_status dense_create(flow *f, int32_t count, dense *out)
{
  const size_t n = (size_t)f->n;
  *out = (dense){.f = f, .n = f->n, .panels = (f->n + DENSE_WIDE - 1) / DENSE_WIDE};
  const size_t square = n * (n > 1 ? n : 2), panel = (size_t)out->panels * n * DENSE_WIDE;
  const double bytes = 8.0 * (2 * (double)square + (double)panel + (double)count * (double)(n + 2));
  if (bytes > 0.7 * (double)mem_available()) return NESS_LIMIT;
  const ness_status status = flow_room(f, (int64_t)(2 * square + panel + (size_t)count * (n + 2)));
  if (status) return status;
  out->a = f->room;
  out->b = out->a + square;
  out->panel = out->b + square;
  out->x = out->panel + panel;
  out->eta = out->x + (size_t)count * n;
  out->e = out->eta + count;
  /* Twice: additions, the product, the scaling of it and of its two factors; twice again as scaling keeps sums. */
  const double stretch = f->n < DENSE_STRETCH ? f->n : DENSE_STRETCH;
  out->rounding = 2 * (stretch + (double)f->n / DENSE_STRETCH + 10) * FLOW_ROUNDING;
  return NESS_OK;
}

ness_status flow_dense(flow *self, const flow_task *task, double *p)
{
  if (task->count == 0 || self->n == 0) return flow_uniform(self, task, p);
  if (!self->closed) return NESS_INTERNAL; /* flow_create was not asked for the outside */
  const double steps = self->fastest * (task->times[task->count - 1] - task->origin);
  if (!(steps > 1e-3)) return flow_uniform(self, task, p); /* next to nothing moves */
  if (!(steps < 1e280)) return NESS_NUMERIC;
  dense d;
  ness_status status = dense_create(self, task->count, &d);
  if (status == NESS_OK) status = dense_powers(&d, task, p);
  const double start = task->report->bound;
  for (int32_t i = 0; i < task->count && status == NESS_OK; i++) {
    double *const x = d.x + (size_t)i * (size_t)self->n;
    for (int32_t j = 0; j < self->n; j++) x[j] *= task->mass;
    task->report->bound = start + fmax(task->report->bound - start, 1.01 * task->mass * d.e[i]);
    status = flow_visit(task, i, x);
    memcpy(p, x, (size_t)self->n * sizeof *x);
  }
  return status;
}
