/* The one door to linear systems of a chain: chooses a method, finds the steady distribution with its bound, and makes
 * the solves of solver.h out of what the methods have in common, solves with one state left out. With v = b' (-Q_s)^-1
 * for the b' = b - (sum b) p that sums to zero, -v Q = b' holds in every column, and v - (sum v) p is the answer; from
 * the right alike with b' = b - p b and v - p v. The state left out is a likely one: then the multiple of p that is
 * taken off is not large. A chain with exits goes through the iterative method with one state more, that all exits lead
 * to and that leads everywhere: left out, it leaves the chain as it was. Invariant: of g, lu and levels one is there.
 * Cost: that of the method; a solve may factor a second time, once. */
#include "engine/markov/solver.h"
#include "engine/markov/certify.h"
#include "engine/markov/gth.h"
#include "engine/markov/klu.h"
#include "engine/markov/multilevel.h"
#include "engine/markov/sum.h"
#include <math.h>
#include <string.h>

#define AUTO_FLOPS 2e10     /* elimination is preferred up to here, a few seconds, */
#define STATE_FLOPS 2e5     /* and up to so many a state, which take about as long as the iteration would */
#define ALWAYS_PLANNED 5000 /* states; beyond, the work is guessed before an order is sought */
#define LAST_FLOPS 5e12     /* and used up to here where the iteration failed */
#define ACCURACY 1e-13      /* that is asked of iterative solves */
#define MISFIT 1e-12        /* of a row of theirs that is let pass */
#define LIKELY 64           /* a state is likely when no other is more than this many times likelier */

struct solver {
  const chain *q;
  solver_report report;
  double tolerance;
  size_t memory;
  const double *guess; /* NULL after solver_create */
  double *p;           /* (n) NULL with exits */
  int32_t likely;      /* the state with the largest p, -1 with exits */
  gth *g;
  klu_chain *lu;
  multilevel *levels;
  chain closed; /* q with the outside as state n, for levels and exits */
  double *room; /* (n + 1) for it */
};

static const char *const proof_counted = "counted roundings of an elimination without subtraction";
static const char *const proof_matrix = "M-matrix supersolution";

const char *solver_name(solver_method method)
{
  switch (method) {
  case SOLVER_GTH: return "GTH elimination";
  case SOLVER_KLU: return "sparse LU (KLU)";
  case SOLVER_MULTILEVEL: return "multilevel aggregation";
  default: return "automatic choice";
  }
}

static void likely_find(solver *self)
{
  self->likely = 0;
  for (int32_t i = 1; i < self->q->n; i++) {
    if (self->p[i] > self->p[self->likely]) self->likely = i;
  }
}

/* --- elimination --- */

/* Sees to it that the state left out is a likely one. */
static ness_status gth_pin(solver *self)
{
  if (self->p[self->g->pinned] * LIKELY >= self->p[self->likely]) return NESS_OK;
  return gth_factor_without(self->g, self->q, self->likely);
}

static ness_status gth_certify(void *context, int32_t pinned, double *w)
{
  solver *const self = context;
  (void)pinned; /* which is the one that the factors leave out */
  return gth_left(self->g, w);
}

/* The steady distribution and the better of its two bounds. */
static ness_status gth_bound(solver *self)
{
  double bound, share = 0, other = INFINITY;
  const bool thin = self->g->thin;
  ness_status status = gth_steady(self->g, self->p, &bound);
  if (status) return status;
  likely_find(self);
  if (thin) {
    status = gth_underflow(self->g, self->p, &share);
    if (status == NESS_OK && !(share <= 0.1 * self->tolerance)) {
      status = gth_pin(self);
      if (status == NESS_OK) status = gth_underflow(self->g, self->p, &share);
    }
    if (status && status != NESS_NUMERIC) return status;
    bound += status == NESS_OK ? share : INFINITY;
  }
  self->report.bound = bound;
  self->report.proof = proof_counted;
  if (bound <= self->tolerance) return NESS_OK;
  status = gth_pin(self);
  if (status == NESS_OK) status = certify_pinned(self->q, self->p, self->g->pinned, gth_certify, self, &other);
  if (status == NESS_OK && other < bound) {
    self->report.bound = other;
    self->report.proof = proof_matrix;
  }
  if (status && status != NESS_NUMERIC) return status;
  return self->report.bound < 1 ? NESS_OK : NESS_NUMERIC;
}

/* Plans, and eliminates where no more than `flops` are due. *passed: they are, or memory is short; nothing was done. */
static ness_status gth_run(solver *self, double flops, bool *passed)
{
  *passed = false;
  gth_free(self->g);
  self->g = NULL;
  ness_status status = gth_plan(self->q, &self->g);
  if (status == NESS_LIMIT) *passed = true;
  if (status) return status;
  if (self->g->flops > flops || self->g->bytes > self->memory) {
    *passed = true;
    self->report.bytes = self->g->bytes;
    gth_free(self->g);
    self->g = NULL;
    return NESS_LIMIT;
  }
  self->report = (solver_report){.method = SOLVER_GTH, .bytes = self->g->bytes, .proof = ""};
  status = gth_factor(self->g, self->q);
  if (status == NESS_OK && self->p) status = gth_bound(self);
  return status;
}

/* --- the other two --- */

static ness_status klu_run(solver *self)
{
  klu_report made;
  const ness_status status = klu_chain_create(self->q, self->guess, self->memory, self->p, &made, &self->lu);
  self->report = (solver_report){.method = SOLVER_KLU, .bytes = made.bytes, .bound = made.bound, .proof = proof_matrix};
  return status;
}

/* The chain with its outside as one more state, which leads everywhere as fast as states are left on average. */
static ness_status outside_add(solver *self)
{
  const chain *const q = self->q;
  const int32_t n = q->n;
  const ness_status status = chain_create(n + 1, q->start[n] + 2 * (int64_t)n, false, &self->closed);
  if (status) return status;
  chain *const c = &self->closed;
  double log_sum = 0;
  int64_t end = 0;
  for (int32_t i = 0; i < n; i++) {
    double out = q->exit[i];
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (q->to[e] == i) continue;
      out += q->rate[e];
      c->to[end] = q->to[e];
      c->rate[end++] = q->rate[e];
    }
    if (q->exit[i] > 0) {
      c->to[end] = n;
      c->rate[end++] = q->exit[i];
    }
    c->start[i + 1] = end;
    log_sum += out > 0 ? log(out) : 0;
  }
  const double back = exp(log_sum / n) / n;
  for (int32_t i = 0; i < n; i++) {
    c->to[end] = i;
    c->rate[end++] = back;
  }
  c->start[n + 1] = end;
  return NESS_OK;
}

static ness_status multilevel_run(solver *self)
{
  const chain *q = self->q;
  multilevel_report made = {.bound = INFINITY};
  self->report = (solver_report){.method = SOLVER_MULTILEVEL, .proof = ""};
  ness_status status = NESS_OK;
  if (q->exit) {
    self->room = mem_alloc(((size_t)q->n + 1) * sizeof *self->room);
    status = self->room ? outside_add(self) : NESS_NOMEM;
    q = &self->closed;
  }
  if (status == NESS_OK) {
    double *const p = self->p ? self->p : self->room;
    /* With exits the distribution is what the levels are built on and what solves are put right by. */
    status = multilevel_create(q, self->p ? self->guess : NULL, self->tolerance, self->memory, &made, p, &self->levels);
  }
  if (status) {
    multilevel_free(self->levels);
    self->levels = NULL;
  }
  self->report.iterations = made.iterations;
  self->report.bytes = made.bytes;
  self->report.bound = self->p ? made.bound : 0;
  self->report.proof = self->p ? proof_matrix : "";
  return status;
}

typedef struct sweep { /* breadth first, along the transitions */
  int32_t *line;       /* (n) states in the order they were met */
  uint8_t *seen;       /* (n) */
} sweep;

/* The most states at one distance from `root`; *last is one of the farthest. */
static int32_t sweep_run(const sweep *self, const chain *q, int32_t root, int32_t *last)
{
  int32_t end = 0, width = 0;
  memset(self->seen, 0, (size_t)q->n);
  for (int32_t k = -1; k < q->n; k++) {
    const int32_t from = k < 0 ? root : k;
    if (self->seen[from]) continue;
    int32_t low = end;
    self->line[end++] = from;
    self->seen[from] = 1;
    while (low < end) {
      const int32_t high = end;
      width = high - low > width ? high - low : width;
      for (; low < high; low++) {
        const int32_t i = self->line[low];
        for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
          if (self->seen[q->to[e]]) continue;
          self->seen[q->to[e]] = 1;
          self->line[end++] = q->to[e];
        }
      }
    }
  }
  *last = self->line[end - 1];
  return width;
}

/* A low guess at the flops of an elimination, since ordering alone takes minutes where fill is hopeless: some front is
 * about as wide as the chain, and on lattices and nets of several dimensions 4 to 80 times its cube was counted. */
static ness_status work_guess(const chain *q, double *flops)
{
  sweep s = {mem_alloc((size_t)q->n * sizeof *s.line), mem_alloc((size_t)q->n)};
  int32_t last;
  if (s.line && s.seen) {
    sweep_run(&s, q, 0, &last);
    const double width = sweep_run(&s, q, last, &last);
    *flops = 4 * width * width * width;
  }
  const bool fine = s.line && s.seen;
  mem_free(s.line);
  mem_free(s.seen);
  return fine ? NESS_OK : NESS_NOMEM;
}

static ness_status auto_run(solver *self)
{
  bool passed = true;
  double guess = 0;
  const double most = fmax(AUTO_FLOPS, STATE_FLOPS * self->q->n);
  ness_status status = self->q->n > ALWAYS_PLANNED ? work_guess(self->q, &guess) : NESS_OK;
  if (status == NESS_OK && guess <= most) status = gth_run(self, most, &passed);
  if (!passed || (status && status != NESS_LIMIT)) return status;
  status = multilevel_run(self);
  if (status != NESS_NUMERIC || guess > LAST_FLOPS) return status;
  const solver_report failed = self->report;
  chain_free(&self->closed);
  mem_free(self->room);
  self->room = NULL;
  const ness_status again = gth_run(self, LAST_FLOPS, &passed);
  if (!passed) return again;
  self->report = failed;
  return status;
}

/* --- the door --- */

static ness_status solver_run(solver *self, solver_method method)
{
  bool passed;
  if (self->q->n == 1 && self->p) {
    self->p[0] = 1;
    self->report = (solver_report){.method = SOLVER_GTH, .proof = "a single state"};
    return NESS_OK;
  }
  switch (method) {
  case SOLVER_GTH: {
    const ness_status status = gth_run(self, INFINITY, &passed);
    self->report.method = SOLVER_GTH;
    return status;
  }
  case SOLVER_KLU: return klu_run(self);
  case SOLVER_MULTILEVEL: return multilevel_run(self);
  default: return auto_run(self);
  }
}

ness_status solver_create(const chain *q, const solver_options *options, solver_report *report, solver **out)
{
  static const solver_options usual = {0};
  if (!options) options = &usual;
  *out = NULL;
  if (report) *report = (solver_report){.method = options->method, .bound = INFINITY, .proof = ""};
  solver *const self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->q = q;
  self->guess = options->guess;
  self->tolerance = options->tolerance > 0 ? options->tolerance : 1e-8;
  self->memory = options->memory > 0 ? options->memory : mem_available();
  self->likely = -1;
  ness_status status = NESS_OK;
  if (!q->exit) self->p = mem_alloc((size_t)q->n * sizeof *self->p);
  if (!q->exit && !self->p) status = NESS_NOMEM;
  if (status == NESS_OK) status = solver_run(self, options->method);
  if (status == NESS_OK && self->p) likely_find(self);
  if (status && self->p) self->report.bound = INFINITY;
  if (report) *report = self->report;
  self->guess = NULL;
  if (status) solver_free(self);
  else *out = self;
  return status;
}

void solver_free(solver *self)
{
  if (!self) return;
  gth_free(self->g);
  klu_chain_free(self->lu);
  multilevel_free(self->levels);
  chain_free(&self->closed);
  mem_free(self->p);
  mem_free(self->room);
  mem_free(self);
}

const double *solver_steady(const solver *self)
{
  return self->p;
}

/* --- solves --- */

/* The largest part of its terms that a row of the system leaves over, for a solution by iteration. */
static double levels_misfit(const solver *self, bool right, int32_t pinned, const double *b, const double *x,
                            double *rest, double *size)
{
  const chain *const q = self->room ? &self->closed : self->q;
  for (int32_t i = 0; i < q->n; i++) {
    rest[i] = b[i];
    size[i] = fabs(b[i]);
  }
  for (int32_t i = 0; i < q->n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      const int32_t j = q->to[e];
      if (j == i) continue;
      const double rate = q->rate[e];
      if (right) {
        rest[i] -= rate * (x[i] - x[j]);
        size[i] += rate * (fabs(x[i]) + fabs(x[j]));
      } else {
        rest[i] -= rate * x[i];
        rest[j] += rate * x[i];
        size[i] += rate * fabs(x[i]);
        size[j] += rate * fabs(x[i]);
      }
    }
  }
  double worst = 0;
  for (int32_t i = 0; i < q->n; i++) {
    if (i != pinned && size[i] > 0) worst = fmax(worst, fabs(rest[i]) / size[i]);
  }
  return worst;
}

/* x <- x (-Q_s)^-1 or (-Q_s)^-1 x with a likely state s of a closed chain left out, or nothing of one with exits. */
static ness_status part_solve(solver *self, bool right, double *x)
{
  if (self->g) {
    const ness_status status = self->p ? gth_pin(self) : NESS_OK;
    if (status) return status;
    return right ? gth_right(self->g, x) : gth_left(self->g, x);
  }
  if (self->lu) {
    return right ? klu_right(self->lu, self->likely, x) : klu_left(self->lu, self->likely, x);
  }
  const int32_t n = self->q->n, pinned = self->p ? self->likely : n;
  double *const y = self->room ? self->room : x;
  if (self->room) {
    memcpy(y, x, (size_t)n * sizeof *y);
    y[n] = 0;
  }
  const size_t rows = (size_t)n + 1;
  double *const was = mem_alloc(3 * rows * sizeof *was);
  ness_status status = was ? NESS_OK : NESS_NOMEM;
  if (was) memcpy(was, y, (rows - !self->room) * sizeof *y);
  if (status == NESS_OK)
    status = right ? multilevel_right(self->levels, pinned, ACCURACY, y)
                   : multilevel_left(self->levels, pinned, ACCURACY, y);
  if (status == NESS_OK && levels_misfit(self, right, pinned, was, y, was + rows, was + 2 * rows) > MISFIT)
    status = NESS_NUMERIC;
  mem_free(was);
  if (self->room && status == NESS_OK) memcpy(x, y, (size_t)n * sizeof *y);
  return status;
}

/* Sum of weight_i x_i (weight NULL: 1), its roundings made good. */
static double sum_of(const double *weight, const double *x, int32_t n)
{
  exact_sum sum = {0, 0};
  for (int32_t i = 0; i < n; i++) {
    const double term = weight ? weight[i] * x[i] : x[i];
    sum_add(&sum, term);
    if (weight) sum.low += fma(weight[i], x[i], -term);
  }
  return sum_get(&sum);
}

static void project_left(const solver *self, double *x)
{
  const double sum = sum_of(NULL, x, self->q->n);
  for (int32_t i = 0; i < self->q->n; i++) x[i] = fma(-sum, self->p[i], x[i]);
}

static void project_right(const solver *self, double *y)
{
  const double mean = sum_of(self->p, y, self->q->n);
  for (int32_t i = 0; i < self->q->n; i++) y[i] -= mean;
}

static ness_status deviate(solver *self, bool right, double *x)
{
  if (self->q->n == 1) {
    x[0] = 0;
    return NESS_OK;
  }
  void (*const project)(const solver *, double *) = right ? project_right : project_left;
  project(self, x);
  const ness_status status = part_solve(self, right, x);
  if (status) return status;
  project(self, x);
  project(self, x); /* what the first left over in the last digits */
  return NESS_OK;
}

ness_status solver_left(solver *self, double *x)
{
  return self->p ? deviate(self, false, x) : part_solve(self, false, x);
}

ness_status solver_right(solver *self, double *y)
{
  return self->p ? deviate(self, true, y) : part_solve(self, true, y);
}
