/* p exp(Q t) in steps, each by projection on the space spanned by v, v Q, v Q^2, ... (Arnoldi; Sidje, ACM TOMS 24, 130
 * (1998), with his error estimates). A step of 32 products goes about as far as 65 uniformised ones: worth it where a
 * state has so many transitions that products outweigh the orthogonalisation, and where uniformised steps are so many
 * that their rounding errors would say nothing.
 *
 * Its error is estimated, not proven: ten times the sum of the estimates of the steps and of their rounding errors,
 * and the mass of entries that came out negative and were set to zero. Orthogonality is by classical
 * Gram-Schmidt, again where it took more than three quarters of the square. Cost of a step: 32 products and the
 * orthogonalisation, 60 to 120 operations for each state and product. */
#include "engine/markov/flow.h"

#include <math.h>
#include <string.h>

#define KRYLOV_SPACE 30
#define KRYLOV_SIDE (KRYLOV_SPACE + 2)
#define KRYLOV_SAFETY 10
#define KRYLOV_TRIES 60
_Static_assert(KRYLOV_SPACE + 3 <= FLOW_PARTIALS, "partial sums of one pass");

typedef double krylov_small[KRYLOV_SIDE][KRYLOV_SIDE];

typedef struct krylov {
  flow *f;
  double *basis; /* (KRYLOV_SIDE x n) */
  krylov_small h;
  int32_t side;        /* vectors of the space */
  bool whole;          /* it is invariant: nothing leads out of it */
  double beta;         /* 2-norm of the vector that the step starts from */
  double edge, beyond; /* 1-norms of the first basis vector outside and of its product */
  krylov_small exponential;
} krylov;

/* --- the exponential of a small matrix, by a diagonal Pade approximant of order 6 and squaring --- */

static void small_multiply(int32_t n, krylov_small a, krylov_small b, krylov_small out)
{
  for (int32_t i = 0; i < n; i++) {
    for (int32_t j = 0; j < n; j++) out[i][j] = 0;
    for (int32_t k = 0; k < n; k++) {
      for (int32_t j = 0; j < n; j++) out[i][j] += a[i][k] * b[k][j];
    }
  }
}

static void small_swap(int32_t n, double *a, double *b)
{
  for (int32_t j = 0; j < n; j++) {
    const double x = a[j];
    a[j] = b[j];
    b[j] = x;
  }
}

/* b <- a^-1 b by elimination with pivots; a is destroyed. */
static void small_solve(int32_t n, krylov_small a, krylov_small b)
{
  for (int32_t k = 0; k < n; k++) {
    int32_t pivot = k;
    for (int32_t i = k + 1; i < n; i++) pivot = fabs(a[i][k]) > fabs(a[pivot][k]) ? i : pivot;
    if (pivot != k) {
      small_swap(n, a[k], a[pivot]);
      small_swap(n, b[k], b[pivot]);
    }
    for (int32_t i = k + 1; i < n; i++) {
      const double factor = a[i][k] / a[k][k];
      for (int32_t j = k + 1; j < n; j++) a[i][j] -= factor * a[k][j];
      for (int32_t j = 0; j < n; j++) b[i][j] -= factor * b[k][j];
    }
  }
  for (int32_t i = n - 1; i >= 0; i--) {
    for (int32_t k = i + 1; k < n; k++) {
      for (int32_t j = 0; j < n; j++) b[i][j] -= a[i][k] * b[k][j];
    }
    for (int32_t j = 0; j < n; j++) b[i][j] /= a[i][i];
  }
}

/* Scales a to a norm of at most 1/2; by how many halvings. */
static int small_scale(int32_t n, krylov_small a)
{
  double norm = 0;
  for (int32_t i = 0; i < n; i++) {
    double row = 0;
    for (int32_t j = 0; j < n; j++) row += fabs(a[i][j]);
    norm = fmax(norm, row);
  }
  int scale = 0;
  (void)frexp(norm, &scale);
  scale = scale + 1 > 0 ? scale + 1 : 0;
  for (int32_t i = 0; i < n; i++) {
    for (int32_t j = 0; j < n; j++) a[i][j] = ldexp(a[i][j], -scale);
  }
  return scale;
}

/* out = exp(a); a is destroyed. */
static void small_exponential(int32_t n, krylov_small a, krylov_small out)
{
  static const int32_t order = 6;
  krylov_small power, below, next;
  int scale = small_scale(n, a);
  for (int32_t i = 0; i < n; i++) {
    for (int32_t j = 0; j < n; j++) out[i][j] = below[i][j] = power[i][j] = i == j;
  }
  double c = 1;
  for (int32_t k = 1; k <= order; k++) {
    c *= (double)(order - k + 1) / (double)(k * (2 * order - k + 1));
    small_multiply(n, power, a, next);
    memcpy(power, next, sizeof next);
    for (int32_t i = 0; i < n; i++) {
      for (int32_t j = 0; j < n; j++) {
        out[i][j] += c * power[i][j];
        below[i][j] += (k % 2 ? -c : c) * power[i][j];
      }
    }
  }
  small_solve(n, below, out);
  for (; scale > 0; scale--) {
    small_multiply(n, out, out, next);
    memcpy(out, next, sizeof next);
  }
}

/* --- the space --- */

static double *krylov_vector(const krylov *self, int32_t i)
{
  return self->basis + (size_t)i * (size_t)self->f->n;
}

/* Products of `w` with `count` vectors of the basis and with itself (the last), in dot. */
static void krylov_dots(const krylov *self, int32_t count, const double *w, double *dot)
{
  const flow *const f = self->f;
  const int32_t parts = flow_parts(f);
#pragma omp parallel for schedule(static) if (f->wide)
  for (int32_t b = 0; b < parts; b++) {
    const int32_t end = flow_part_end(f, b);
    for (int32_t i = 0; i <= count; i++) {
      const double *const v = i < count ? krylov_vector(self, i) : w;
      double sum[4] = {0}; /* four chains of additions */
      int32_t j = b * FLOW_PART;
      for (; j + 3 < end; j += 4) {
        for (int32_t l = 0; l < 4; l++) sum[l] += v[j + l] * w[j + l];
      }
      for (; j < end; j++) sum[0] += v[j] * w[j];
      f->part[b * FLOW_PARTIALS + i] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
  }
  for (int32_t i = 0; i <= count; i++) {
    dot[i] = 0;
    for (int32_t b = 0; b < parts; b++) dot[i] += f->part[b * FLOW_PARTIALS + i];
  }
}

/* w <- factor w + sum of dot[i] times vector i of the basis. */
static void krylov_combine(const krylov *self, int32_t count, const double *dot, double factor, double *w)
{
  const flow *const f = self->f;
  const int32_t parts = flow_parts(f);
#pragma omp parallel for schedule(static) if (f->wide)
  for (int32_t b = 0; b < parts; b++) {
    const int32_t first = b * FLOW_PART, end = flow_part_end(f, b);
    for (int32_t j = first; j < end; j++) w[j] *= factor;
    for (int32_t i = 0; i < count; i++) {
      const double *const v = krylov_vector(self, i);
      for (int32_t j = first; j < end; j++) w[j] += dot[i] * v[j];
    }
  }
}

/* Takes the parts along the basis 0 ... j out of w and notes them in column j of h; the norm that is left. */
static double krylov_orthogonalise(krylov *self, int32_t j, double *w)
{
  double dot[KRYLOV_SIDE + 1], left = 0;
  for (int32_t pass = 0; pass < 3; pass++) {
    krylov_dots(self, j + 1, w, dot);
    const double all = dot[j + 1];
    left = all;
    for (int32_t i = 0; i <= j; i++) {
      left -= dot[i] * dot[i];
      self->h[i][j] += dot[i];
      dot[i] = -dot[i];
    }
    krylov_combine(self, j + 1, dot, 1, w);
    if (left > 0.25 * all) break; /* little was taken: `left` has its digits and w is orthogonal */
    if (pass < 2) continue;
    krylov_dots(self, 0, w, dot);
    left = dot[0];
  }
  return sqrt(fmax(left, 0));
}

/* Basis and h from p. */
static ness_status krylov_space(krylov *self, const double *p)
{
  flow *const f = self->f;
  double norm;
  memset(self->h, 0, sizeof self->h);
  memcpy(krylov_vector(self, 0), p, (size_t)f->n * sizeof *p);
  krylov_dots(self, 0, p, &norm);
  self->beta = sqrt(norm);
  if (!(self->beta > 0)) self->beta = 1; /* all has left the chain */
  krylov_combine(self, 0, NULL, 1 / self->beta, krylov_vector(self, 0));
  self->whole = false;
  for (self->side = 0; self->side < KRYLOV_SPACE;) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    const int32_t j = self->side++;
    double *const w = krylov_vector(self, j + 1);
    flow_apply(f, krylov_vector(self, j), w);
    const double left = krylov_orthogonalise(self, j, w);
    if (self->side >= f->n || !(left > 1e-290)) {
      self->whole = true;
      return NESS_OK;
    }
    self->h[j + 1][j] = left;
    krylov_combine(self, 0, NULL, 1 / left, w);
  }
  self->edge = flow_norm(f, krylov_vector(self, KRYLOV_SPACE));
  flow_apply(f, krylov_vector(self, KRYLOV_SPACE), krylov_vector(self, KRYLOV_SPACE + 1));
  self->beyond = flow_norm(f, krylov_vector(self, KRYLOV_SPACE + 1));
  return NESS_OK;
}

/* --- steps --- */

/* exp(tau h) with two more rows that carry the estimates; the estimate of the 1-norm error and its order. */
static double krylov_try(krylov *self, double tau, double *order)
{
  krylov_small scaled;
  const int32_t m = self->side, side = self->whole ? m : m + 2;
  for (int32_t i = 0; i < side; i++) {
    for (int32_t j = 0; j < side; j++) scaled[i][j] = tau * (i <= m && j < m ? self->h[i][j] : 0);
  }
  if (!self->whole) scaled[m + 1][m] = tau;
  small_exponential(side, scaled, self->exponential);
  *order = m;
  if (self->whole) return 0;
  const double first = fabs(self->exponential[m][0]) * self->beta * self->edge;
  const double second = fabs(self->exponential[m + 1][0]) * self->beta * self->beyond;
  if (first > 10 * second) return second;
  if (first > second) return first * second / (first - second);
  *order = m - 1;
  return first;
}

/* p <- beta (the first column of the exponential) basis, negative entries set to zero: what they weighed is returned.
 */
static double krylov_take(krylov *self, double *p)
{
  flow *const f = self->f;
  const int32_t count = self->whole ? self->side : self->side + 1, parts = flow_parts(f);
  double factor[KRYLOV_SIDE];
  for (int32_t i = 0; i < count; i++) factor[i] = self->beta * self->exponential[i][0];
  krylov_combine(self, count, factor, 0, p);
#pragma omp parallel for schedule(static) if (f->wide)
  for (int32_t b = 0; b < parts; b++) {
    double below = 0;
    const int32_t end = flow_part_end(f, b);
    for (int32_t j = b * FLOW_PART; j < end; j++) {
      if (p[j] > 0) continue;
      below -= p[j];
      p[j] = 0;
    }
    f->part[b] = below;
  }
  double below = 0;
  for (int32_t b = 0; b < parts; b++) below += f->part[b];
  return below;
}

/* One step of at most `left`; `tau` is the guess for it and then for the next. The time gone. */
static ness_status krylov_step(krylov *self, const flow_task *task, double rate, double left, double *p, double *tau,
                               double *gone)
{
  flow *const f = self->f;
  const ness_status status = krylov_space(self, p);
  if (status) return status;
  /* Of the basis and of h, whose entries are off by roundings of its norm. */
  const double spread = self->beta * sqrt((double)f->n) * 8 * FLOW_ROUNDING;
  double step = self->whole ? left : fmin(*tau, left), order, error = INFINITY, size = 1;
  for (int32_t tries = 0;; tries++) {
    error = krylov_try(self, step, &order);
    size = error / fmax(1.2 * rate * step, spread);
    if (size <= 1) break;
    if (tries == KRYLOV_TRIES) return NESS_NUMERIC;
    step *= size < INFINITY ? fmin(fmax(0.9 * pow(size, -1 / order), 0.01), 0.9) : 0.1; /* or it overflowed */
  }
  *gone = step;
  /* An attempt that fails costs little. Errors that come from fast modes at rest hardly grow with the step. */
  *tau = step * fmin(fmax(0.9 * pow(fmax(size, 1e-30), -1 / order), size < 0.5 ? 2 : 1), 20);
  const double below = krylov_take(self, p);
  const double rounding = spread + f->fastest * step * FLOW_ROUNDING * task->mass;
  task->report->bound += KRYLOV_SAFETY * (error + rounding) + 2 * below;
  task->report->bound += flow_keep(f, task->mass, p);
  task->report->proven = false;
  return NESS_OK;
}

/* A first guess: the size at which the remainder of the Taylor sum of the space meets the tolerance. */
static double krylov_guess(const flow *f, const flow_task *task)
{
  const double m = KRYLOV_SPACE + 1, rate = 2 * f->fastest;
  const double factorial = pow(m / exp(1), m) * sqrt(2 * 3.14159265358979 * m);
  return pow(factorial * task->tolerance / task->mass / 4, 1 / m) / rate;
}

ness_status flow_krylov(flow *self, const flow_task *task, double *p)
{
  self->contraction = 1;
  if (task->count == 0) return NESS_OK;
  if (!(self->fastest > 0)) return flow_uniform(self, task, p);
  const double whole = task->times[task->count - 1] - task->origin;
  const ness_status room = flow_room(self, (int64_t)KRYLOV_SIDE * self->n);
  krylov *const k = room ? NULL : mem_alloc(sizeof *k);
  if (!k) return NESS_NOMEM;
  *k = (krylov){.f = self, .basis = self->room};
  ness_status status = NESS_OK;
  double tau = krylov_guess(self, task), t = task->origin;
  for (int32_t i = 0; i < task->count && status == NESS_OK; i++) {
    for (double left = task->times[i] - t; left > 0 && status == NESS_OK;) {
      double gone = left, next = tau;
      status = krylov_step(k, task, task->tolerance / whole / (2 * KRYLOV_SAFETY), left, p, &next, &gone);
      if (gone < left || next > tau) tau = next; /* the end of a stretch says nothing against long steps */
      left = gone < left ? left - gone : 0;
      if (status == NESS_OK && flow_hopeless(task, task->report->bound)) status = NESS_NUMERIC;
    }
    t = task->times[i];
    if (status == NESS_OK) status = flow_visit(task, i, p);
  }
  mem_free(k);
  return status;
}
