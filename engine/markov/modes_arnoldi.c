/* The slowest modes of a large chain: Arnoldi's method on the inverse of the generator, where they come first,
 * restarted by Krylov-Schur (Stewart, SIAM J. Matrix Anal. Appl. 23, 601 (2001)). The operator is x D or x (-Q)^-1
 * (solver.h) scaled by the square root of the steady distribution, or of the mean times from everywhere, in whose norm
 * the chain contracts. Values -1/mu are judged by their true residual. A second copy of an eigenvalue is invisible to
 * one Krylov space: what has converged is locked, and the search goes on from a new vector until it finds nothing more.
 * Invariant: V is orthonormal, V' A V = H, and A V - V H = v_m+1 times the last row. Sums have a fixed order, whatever
 * the number of threads. Cost: some tens to hundreds of solves and 2 n m^2 for each restart with m vectors. */
#include "engine/markov/modes.h"
#include "engine/markov/solver.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

enum { ARNOLDI_RESTARTS = 300, ARNOLDI_ROWS = 64, ARNOLDI_CHUNK = 4096 };

static const double ARNOLDI_WRONG = 1e-6; /* true residual relative to the value beyond which a mode is none */
static const double ARNOLDI_ROUGH = 1e-3; /* residual of the value after the last wanted one */

typedef struct arnoldi {
  const chain *q;
  solver *inverse;
  double *root;      /* (n) square root of the weights */
  int32_t n, m;      /* states, most vectors */
  int32_t wanted;    /* eigenvalues */
  int32_t used;      /* vectors in V beside the next one */
  double *v;         /* (m + 1) x n */
  double *h;         /* (m + 1) x m by columns of m + 1: projection, and in row m (of `used` = m) what leads out */
  double *t, *z, *y; /* (m x m) Schur form, its vectors, eigenvectors in V; columns, values sorted by modulus */
  double *re, *im;   /* (m) */
  double *coupling;  /* (m) what leads out, in Schur vectors */
  double *block;     /* rows of V */
  lapack_logical *select;
  uint64_t seed;
  double tolerance; /* of the residual of the inverse relative to |mu| */
  bool levels;      /* solves are right against the largest entry over the weights: vectors start out as theirs */
} arnoldi;

static double random_next(arnoldi *self) /* splitmix64, in (-1, 1) */
{
  uint64_t x = (self->seed += 0x9E3779B97F4A7C15u);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return (double)((x ^ (x >> 31)) >> 11) * 0x1p-52 - 1;
}

static double *basis(const arnoldi *self, int32_t j)
{
  return self->v + (size_t)j * (size_t)self->n;
}

static double vector_dot(const double *a, const double *b, int32_t n)
{
  double sum = 0, part[4];
  for (int32_t i = 0; i < n; i += ARNOLDI_CHUNK) {
    const int32_t end = n - i < ARNOLDI_CHUNK ? n : i + ARNOLDI_CHUNK;
    int32_t k = i;
    memset(part, 0, sizeof part);
    for (; k + 4 <= end; k += 4) {
      for (int l = 0; l < 4; l++) part[l] += a[k + l] * b[k + l];
    }
    for (; k < end; k++) part[0] += a[k] * b[k];
    sum += (part[0] + part[1]) + (part[2] + part[3]);
  }
  return sum;
}

static double vector_norm(const double *a, int32_t n)
{
  return sqrt(vector_dot(a, a, n));
}

/* w less its part in the first `count` vectors, twice; that part is added to h (count). */
static void vector_project(const arnoldi *self, int32_t count, double *w, double *h)
{
  const int32_t n = self->n;
  double *const part = self->coupling; /* idle here */
  for (int twice = 0; twice < 2; twice++) {
#pragma omp parallel if (n > ARNOLDI_CHUNK) default(none) shared(self, count, w, part, n)
    {
#pragma omp for schedule(static)
      for (int32_t j = 0; j < count; j++) part[j] = vector_dot(basis(self, j), w, n);
#pragma omp for schedule(static)
      for (int32_t from = 0; from < n; from += ARNOLDI_CHUNK) {
        const int32_t end = n - from < ARNOLDI_CHUNK ? n : from + ARNOLDI_CHUNK;
        for (int32_t j = 0; j < count; j++) {
          const double *const v = basis(self, j);
          for (int32_t i = from; i < end; i++) w[i] -= part[j] * v[i];
        }
      }
    }
    if (h) {
      for (int32_t j = 0; j < count; j++) h[j] += part[j];
    }
  }
}

/* A random unit vector at right angles to the first `count`, into place `count`. A closed chain has n - 1 dimensions:
 * the steady state is left out. */
static ness_status vector_random(arnoldi *self, int32_t count)
{
  double *const w = basis(self, count);
  for (int attempt = 0; attempt < 5; attempt++) {
    for (int32_t i = 0; i < self->n; i++) w[i] = random_next(self) * (self->levels ? self->root[i] : 1);
    const double before = vector_norm(w, self->n);
    if (!self->q->exit) {
      const double along = vector_dot(self->root, w, self->n);
      for (int32_t i = 0; i < self->n; i++) w[i] -= along * self->root[i];
    }
    vector_project(self, count, w, NULL);
    const double size = vector_norm(w, self->n);
    if (!(size > 1e-10 * before)) continue;
    for (int32_t i = 0; i < self->n; i++) w[i] /= size;
    return NESS_OK;
  }
  return NESS_NUMERIC;
}

/* The next column of H and the vector after it. */
static ness_status basis_expand(arnoldi *self)
{
  const int32_t n = self->n, j = self->used;
  double *const w = basis(self, j + 1), *const h = self->h + (size_t)j * (size_t)(self->m + 1);
  for (int32_t i = 0; i < n; i++) w[i] = basis(self, j)[i] * self->root[i];
  const ness_status status = solver_left(self->inverse, w);
  if (status) return status;
  for (int32_t i = 0; i < n; i++) w[i] /= self->root[i];
  const double before = vector_norm(w, n);
  if (!isfinite(before)) return NESS_NUMERIC;
  memset(h, 0, (size_t)(self->m + 1) * sizeof *h);
  vector_project(self, j + 1, w, h);
  const double size = vector_norm(w, n);
  self->used++;
  if (size > 1e-14 * before) {
    for (int32_t i = 0; i < n; i++) w[i] /= size;
    h[j + 1] = size;
    return NESS_OK;
  }
  if (self->used == self->m) { /* an invariant space: nothing leads out */
    memset(w, 0, (size_t)n * sizeof *w);
    return NESS_OK;
  }
  return vector_random(self, j + 1);
}

/* --- the small problem --- */

/* The value of largest modulus that is not selected, with its conjugate; returns how many that makes. */
static int32_t value_select(arnoldi *self)
{
  int32_t best = -1;
  for (int32_t i = 0; i < self->m; i++) {
    if (!self->select[i] &&
        (best < 0 || hypot(self->re[i], self->im[i]) > hypot(self->re[best], self->im[best]) * (1 + 1e-14)))
      best = i;
  }
  if (best < 0) return 0;
  const int32_t other = self->im[best] > 0 ? best + 1 : self->im[best] < 0 ? best - 1 : best;
  self->select[best] = self->select[other] = 1;
  return 1 + (other != best);
}

/* Schur form with the `lead` values of largest modulus in front (one more where a pair is cut: *kept), eigenvectors.
 * With `guard` the value after them is in front as well, anywhere (one or two more: *front). */
static ness_status schur_find(arnoldi *self, int32_t lead, bool guard, int32_t *kept, int32_t *front)
{
  const int32_t m = self->m;
  lapack_int count;
  double s, sep;
  for (int32_t j = 0; j < m; j++)
    memcpy(self->t + (size_t)j * (size_t)m, self->h + (size_t)j * (size_t)(m + 1), (size_t)m * sizeof *self->t);
  ness_status status = lapack_status(
      LAPACKE_dgees(LAPACK_COL_MAJOR, 'V', 'N', NULL, m, self->t, m, &count, self->re, self->im, self->z, m));
  if (status) return status;
  memset(self->select, 0, (size_t)m * sizeof *self->select);
  for (*kept = 0; *kept < lead;) *kept += value_select(self);
  *front = *kept + (guard ? value_select(self) : 0);
  lapack_int integers[1]; /* the simpler call passes none, and dtrsen writes there nevertheless */
  status = lapack_status(LAPACKE_dtrsen_work(LAPACK_COL_MAJOR, 'N', 'V', self->select, m, self->t, m, self->z, m,
                                             self->re, self->im, &count, &s, &sep, self->block, m, integers, 1));
  if (status) return status;
  memcpy(self->y, self->z, (size_t)m * (size_t)m * sizeof *self->y);
  status = lapack_status(
      LAPACKE_dtrevc(LAPACK_COL_MAJOR, 'R', 'B', self->select, m, self->t, m, NULL, m, self->y, m, m, &count));
  const double out = self->h[(size_t)(m - 1) * (size_t)(m + 1) + (size_t)m];
  for (int32_t j = 0; j < m; j++) self->coupling[j] = out * self->z[(size_t)j * (size_t)m + (size_t)(m - 1)];
  return status;
}

/* The residual of the Ritz value at j (a pair: j and j + 1) relative to its modulus. */
static double ritz_residual(const arnoldi *self, int32_t j)
{
  const size_t m = (size_t)self->m;
  const double *const a = self->y + (size_t)j * m, *const b = self->im[j] != 0 ? a + m : NULL;
  const double out = fabs(self->h[(m - 1) * (m + 1) + m]);
  double size = 0;
  for (size_t i = 0; i < m; i++) size += a[i] * a[i] + (b ? b[i] * b[i] : 0);
  const double last = hypot(a[m - 1], b ? b[m - 1] : 0);
  return out * last / (hypot(self->re[j], self->im[j]) * sqrt(size));
}

/* V <- V times the first `count` columns of C (m x count), in place. */
static void basis_combine(arnoldi *self, const double *c, int32_t count)
{
  const int32_t n = self->n, m = self->m;
  for (int32_t from = 0; from < n; from += ARNOLDI_ROWS) {
    const int32_t rows = n - from < ARNOLDI_ROWS ? n - from : ARNOLDI_ROWS;
    for (int32_t j = 0; j < m; j++)
      memcpy(self->block + j * ARNOLDI_ROWS, basis(self, j) + from, (size_t)rows * sizeof(double));
    for (int32_t j = 0; j < count; j++) {
      double *const to = basis(self, j) + from;
      memset(to, 0, (size_t)rows * sizeof *to);
      for (int32_t k = 0; k < m; k++) {
        const double factor = c[(size_t)j * (size_t)m + (size_t)k], *const row = self->block + k * ARNOLDI_ROWS;
        for (int32_t i = 0; i < rows; i++) to[i] += factor * row[i];
      }
    }
  }
}

/* Keeps the first `count` Schur vectors. Locked: they are held to be invariant, and a random vector comes next. */
static ness_status basis_restart(arnoldi *self, int32_t count, bool lock)
{
  const int32_t m = self->m;
  basis_combine(self, self->z, count);
  memset(self->h, 0, (size_t)m * (size_t)(m + 1) * sizeof *self->h);
  for (int32_t j = 0; j < count; j++) {
    double *const h = self->h + (size_t)j * (size_t)(m + 1);
    memcpy(h, self->t + (size_t)j * (size_t)m, (size_t)count * sizeof *h);
    h[count] = lock ? 0 : self->coupling[j];
  }
  self->used = count;
  if (lock) return vector_random(self, count);
  memcpy(basis(self, count), basis(self, m), (size_t)self->n * sizeof(double));
  return NESS_OK;
}

/* Whether the first `front` have converged, the last of them by modulus roughly where it is one more than `kept`; *sum
 * is that of the moduli of the others. */
static bool front_converged(const arnoldi *self, int32_t kept, int32_t front, double *sum)
{
  int32_t least = 0;
  bool converged = true;
  for (int32_t j = 0; j < front; j += 1 + (self->im[j] != 0)) {
    if (hypot(self->re[j], self->im[j]) < hypot(self->re[least], self->im[least])) least = j;
  }
  *sum = 0;
  for (int32_t j = 0; j < front; j += 1 + (self->im[j] != 0)) {
    const bool beyond = j == least && front > kept;
    converged &= ritz_residual(self, j) <= (beyond ? ARNOLDI_ROUGH : self->tolerance);
    if (!beyond) *sum += (1 + (self->im[j] != 0)) * hypot(self->re[j], self->im[j]);
  }
  return converged;
}

/* Until the wanted Ritz values have converged and a fresh vector brings none that belongs among them. *kept of them
 * are then in front, and y holds their vectors. */
static ness_status arnoldi_run(arnoldi *self, int32_t *kept)
{
  const int32_t most = self->n - (self->q->exit ? 0 : 1);
  double known = INFINITY, sum; /* of moduli: a new value among them makes it larger */
  ness_status status = vector_random(self, 0);
  for (int restart = 0; restart < ARNOLDI_RESTARTS && !status; restart++) {
    int32_t front;
    while (self->used < self->m && !status) status = interrupt_pending() ? NESS_INTERRUPTED : basis_expand(self);
    if (!status) status = schur_find(self, self->wanted, true, kept, &front);
    if (status) break;
    const bool converged = front_converged(self, *kept, front, &sum);
    const bool done = self->m >= most || (converged && fabs(sum - known) <= 1e-8 * sum);
    const int32_t lead = done || converged ? self->wanted : self->wanted + (self->m - self->wanted) / 2;
    if (converged) known = sum;
    status = schur_find(self, lead, false, kept, &front);
    if (done) return status;
    if (!status) status = basis_restart(self, *kept < self->m ? *kept : self->m - 1, converged);
  }
  return status ? status : NESS_NUMERIC;
}

/* --- before and after --- */

static ness_status arnoldi_create(const chain *q, int32_t wanted, arnoldi *self)
{
  const int32_t n = q->n, most = n - (q->exit ? 0 : 1);
  *self = (arnoldi){.q = q, .n = n, .wanted = wanted < most ? wanted : most, .seed = 1, .tolerance = 1e-12};
  const int64_t room = 2 * (int64_t)self->wanted + 20;
  self->m = room < most ? (int32_t)room : most;
  const size_t m = (size_t)self->m, all = (size_t)n;
  if (((m + 1) * all + 4 * m * m) * sizeof(double) > mem_available()) return NESS_LIMIT;
  solver_report report = {0};
  ness_status status = solver_create(q, &(solver_options){.tolerance = 1e-11}, &report, &self->inverse);
  if (status) return status;
  self->levels = report.method == SOLVER_MULTILEVEL;
  if (self->levels) self->tolerance = 1e-9;
  self->root = mem_zero(all, sizeof *self->root);
  self->v = mem_zero((m + 1) * all, sizeof *self->v);
  self->h = mem_zero((m + 1) * m, sizeof *self->h);
  self->t = mem_zero(m * m, sizeof *self->t);
  self->z = mem_zero(m * m, sizeof *self->z);
  self->y = mem_zero(m * m, sizeof *self->y);
  self->re = mem_zero(m, sizeof *self->re);
  self->im = mem_zero(m, sizeof *self->im);
  self->coupling = mem_zero(m + 1, sizeof *self->coupling);
  self->block = mem_zero(m * ARNOLDI_ROWS, sizeof *self->block);
  self->select = mem_zero(m, sizeof *self->select);
  if (!self->root || !self->v || !self->h || !self->t || !self->z || !self->y || !self->re || !self->im ||
      !self->coupling || !self->block || !self->select)
    return NESS_NOMEM;
  const double *const steady = solver_steady(self->inverse);
  for (int32_t i = 0; i < n; i++) self->root[i] = steady ? steady[i] : 1;
  if (!steady) status = solver_left(self->inverse, self->root);
  for (int32_t i = 0; i < n && !status; i++) {
    if (!(self->root[i] > 0) || !isfinite(self->root[i])) status = NESS_NUMERIC;
    self->root[i] = sqrt(self->root[i]);
  }
  return status;
}

static void arnoldi_free(arnoldi *self)
{
  solver_free(self->inverse);
  mem_free(self->root);
  mem_free(self->v);
  mem_free(self->h);
  mem_free(self->t);
  mem_free(self->z);
  mem_free(self->y);
  mem_free(self->re);
  mem_free(self->im);
  mem_free(self->coupling);
  mem_free(self->block);
  mem_free(self->select);
}

/* A real value with two vectors may come out as a pair whose imaginary part is rounding: then its columns of y, when
 * they are clearly two directions, are taken for the two vectors. */
static void pairs_split(arnoldi *self, int32_t kept)
{
  for (int32_t j = 0; j + 1 < kept; j += 1 + (self->im[j] != 0)) {
    if (self->im[j] == 0 || fabs(self->im[j]) > 1e-13 * fabs(self->re[j])) continue;
    const double *const a = self->y + (size_t)j * (size_t)self->m, *const b = a + self->m;
    const double across = vector_dot(a, b, self->m);
    if (fabs(across) > 0.999 * vector_norm(a, self->m) * vector_norm(b, self->m)) continue;
    self->im[j] = self->im[j + 1] = 0;
  }
}

/* The found ones as modes; y becomes left vectors in the place of V. */
static ness_status arnoldi_modes(arnoldi *self, int32_t kept, bool vectors, mode_list *out)
{
  const int32_t n = self->n, zero = self->q->exit ? 0 : 1;
  double *work = mem_zero((size_t)n * 2, sizeof *work);
  ness_status status = modes_create(n, kept + zero, vectors, out);
  if (!work) status = NESS_NOMEM;
  if (status) goto out;
  pairs_split(self, kept);
  basis_combine(self, self->y, kept);
  out->count = 0;
  if (zero) {
    mode *const at = &out->mode[out->count++];
    modes_residual(self->q, solver_steady(self->inverse), NULL, work, at);
    if (vectors) memcpy(out->re, solver_steady(self->inverse), (size_t)n * sizeof(double));
  }
  for (int32_t j = 0; j < kept; j++) {
    const bool paired = self->im[j] != 0;
    const double size = hypot(self->re[j], self->im[j]);
    double *const re = basis(self, j), *const im = paired ? basis(self, j + 1) : NULL;
    mode *const at = &out->mode[out->count];
    *at = (mode){-self->re[j] / size / size, self->im[j] / size / size, 0};
    for (int32_t i = 0; i < n; i++) re[i] *= self->root[i];
    for (int32_t i = 0; i < n && im; i++) im[i] *= self->root[i];
    const double fastest = modes_residual(self->q, re, im, work, at);
    if (!(at->error * fastest <= fmax(ARNOLDI_WRONG / size, 1e-12 * fastest))) status = NESS_NUMERIC;
    if (vectors) memcpy(out->re + (size_t)out->count * (size_t)n, re, (size_t)n * sizeof *re);
    if (vectors && im) memcpy(out->im + (size_t)out->count * (size_t)n, im, (size_t)n * sizeof *im);
    out->count++;
    j += paired;
  }
out:
  mem_free(work);
  return status;
}

ness_status modes_arnoldi(const chain *q, int32_t wanted, bool vectors, mode_list *out)
{
  arnoldi self;
  int32_t kept = 0;
  *out = (mode_list){.n = q->n};
  const int32_t rest = wanted - (q->exit ? 0 : 1);
  ness_status status = arnoldi_create(q, rest > 1 ? rest : 1, &self);
  if (!status) status = arnoldi_run(&self, &kept);
  if (!status) status = arnoldi_modes(&self, kept, vectors, out);
  if (status) modes_free(out);
  arnoldi_free(&self);
  return status;
}
