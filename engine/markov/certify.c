/* The certificate of a steady distribution: a bound on the relative error of every component that holds whatever made
 * the vector. With state s pinned, A = -Q^T without row and column s is a nonsingular M-matrix (the chain is
 * irreducible), so its inverse has no negative entry. Let p* be steady with p*_s = x_s, and r = |Q^T x|. Then
 * A (x - p*) = -Q^T x in the rows i != s, hence |x - p*| <= A^-1 r, and A w >= r in every row implies A^-1 r <= w.
 * (Such w is positive by itself, and none exists when A is singular: a reducible chain gets no certificate.) With
 * e = max w_i / x_i, W = sum of w and D = |1 - sum of x|, normalising p* divides it by S with |S - 1| <= W + D, so that
 * |x_i - p_i| / p_i <= (e + W + D) / (1 - e).
 *
 * What is computed is bounded: residuals are dot products in twice the working precision, whose error is at most
 * u |result| + g_n^2 sum |terms| with g_n = n u / (1 - n u) (Ogita, Rump and Oishi, SIAM J. Sci. Comput. 26, 1955
 * (2005)) and a term for underflow; every later operation is rounded towards the larger bound by a factor 1 + 1e-14.
 * Any w with A w > 0 can be scaled, so the solve behind it may be rough; what rows lack is solved for again.
 * Cost: two or three passes over the transitions, and the solves. */
#include "engine/markov/certify.h"

#include <float.h>

enum { CERTIFY_ATTEMPTS = 6, CERTIFY_SERIAL = 65536 };

static const double CERTIFY_UP = 1 + 1e-14; /* more than a few roundings */

typedef struct certify {
  const chain *q, *in;
  const double *x;
  int32_t pinned;
  double *residual; /* (n) upper bounds of |Q^T x| */
  double *w;        /* (n) */
  double *lack;     /* (n) right-hand side, then correction */
  double *low;      /* (n) lower bounds of A w */
} certify;

/* Row j of Q^T x and a bound on its error. */
static double row_residual(const chain *q, const chain *in, const double *x, int32_t j, double *error)
{
  dot2 dot = {0};
  certify_row(q, in, x, j, &dot);
  const double terms = (double)(in->start[j + 1] - in->start[j] + q->start[j + 1] - q->start[j]) + 4;
  const double slip = terms * DBL_EPSILON, value = dot.high + dot.low;
  *error = DBL_EPSILON * fabs(value) + slip * slip * dot.size + terms * (16 * 4.94065645841246544e-324);
  return value;
}

/* The residual of x, the pinned state unless it is given, and the first right-hand side: twice the residual and
 * something everywhere. */
static ness_status certify_start(certify *self)
{
  const int32_t n = self->q->n;
  int bad = 0;
#pragma omp parallel for schedule(static) reduction(| : bad) if (n > CERTIFY_SERIAL)
  for (int32_t j = 0; j < n; j++) {
    double error;
    const double value = row_residual(self->q, self->in, self->x, j, &error);
    double inflow = 0;
    for (int64_t e = self->in->start[j]; e < self->in->start[j + 1]; e++) {
      inflow += self->in->rate[e] * self->x[self->in->to[e]];
    }
    self->residual[j] = (fabs(value) + error) * CERTIFY_UP;
    self->lack[j] = inflow;
    bad |= !(self->x[j] > 0 && inflow > 0 && inflow < HUGE_VAL && self->residual[j] < HUGE_VAL);
  }
  if (bad) return NESS_NUMERIC;
  double mean = 0;
  int32_t likely = 0;
  for (int32_t j = 0; j < n; j++) {
    if (self->x[j] > self->x[likely]) likely = j;
    mean += self->residual[j] / self->lack[j] / n;
  }
  if (self->pinned < 0) self->pinned = likely;
  for (int32_t j = 0; j < n; j++) self->lack[j] = 2 * self->residual[j] + mean * self->lack[j];
  return NESS_OK;
}

/* low = lower bounds of A w; the least ratio to the residual is how often w may be divided by. */
static double certify_check(certify *self)
{
  const int32_t n = self->q->n, s = self->pinned;
  double least = HUGE_VAL;
#pragma omp parallel for schedule(static) reduction(min : least) if (n > CERTIFY_SERIAL)
  for (int32_t j = 0; j < n; j++) {
    if (j == s) continue;
    double error;
    const double value = -row_residual(self->q, self->in, self->w, j, &error);
    const double low = value - error * CERTIFY_UP;
    self->low[j] = low - fabs(low) * 1e-14;
    const double ratio = self->low[j] / self->residual[j];
    least = fmin(least, ratio == ratio ? ratio : -HUGE_VAL);
  }
  return least * (1 - 1e-14);
}

/* The bound from w, whose rows hold `times` over. */
static double certify_value(const certify *self, double times)
{
  const int32_t n = self->q->n;
  double worst = 0, all = 0;
  dot2 sum = {0};
  for (int32_t j = 0; j < n; j++) {
    const double w = self->w[j] / times * CERTIFY_UP;
    worst = fmax(worst, w / self->x[j] * CERTIFY_UP);
    all += w;
    dot2_add(&sum, 1, self->x[j]);
  }
  all *= 1 + 4 * DBL_EPSILON * n;
  const double off = fabs((sum.high - 1) + sum.low) + 4 * DBL_EPSILON;
  return worst < 1 ? (worst + all + off) / (1 - worst) * CERTIFY_UP : HUGE_VAL;
}

static ness_status certify_run(certify *self, certify_solve solve, void *context, double *bound)
{
  const int32_t n = self->q->n, s = self->pinned;
  for (int attempt = 0; attempt < CERTIFY_ATTEMPTS; attempt++) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    const ness_status status = solve(context, s, self->lack);
    if (status) return attempt > 0 && status == NESS_NUMERIC ? NESS_OK : status;
    for (int32_t j = 0; j < n; j++) self->w[j] = j == s ? 0 : self->w[j] + self->lack[j];
    const double times = certify_check(self);
    if (times > 0) {
      const double value = certify_value(self, times);
      *bound = value < *bound ? value : *bound;
      if (times >= 0.5) return NESS_OK;
    }
    for (int32_t j = 0; j < n; j++) { /* what is missing to the residual and half of it more, nowhere nothing */
      const double want = 1.5 * self->residual[j] - (j == s ? 0 : self->low[j]);
      self->lack[j] = fmax(want, 0.01 * self->residual[j]);
    }
  }
  return NESS_OK;
}

static ness_status bound_find(const chain *q, const chain *in, const double *x, int32_t pinned, certify_solve solve,
                              void *context, double *bound)
{
  const size_t room = (size_t)q->n + 1;
  certify self = {.q = q, .in = in, .x = x, .pinned = pinned};
  ness_status status = NESS_NOMEM;
  *bound = HUGE_VAL;
  self.residual = mem_alloc(room * sizeof *self.residual);
  self.w = mem_zero(room, sizeof *self.w);
  self.lack = mem_alloc(room * sizeof *self.lack);
  self.low = mem_alloc(room * sizeof *self.low);
  if (!self.residual || !self.w || !self.lack || !self.low) goto out;
  if (q->n == 1) {
    *bound = fabs(x[0] - 1);
    status = NESS_OK;
    goto out;
  }
  status = certify_start(&self);
  if (!status) status = certify_run(&self, solve, context, bound);
  if (!status && !(*bound < HUGE_VAL)) status = NESS_NUMERIC;
out:
  mem_free(self.residual);
  mem_free(self.w);
  mem_free(self.lack);
  mem_free(self.low);
  return status;
}

ness_status certify_bound(const chain *q, const chain *in, const double *x, certify_solve solve, void *context,
                          double *bound)
{
  return bound_find(q, in, x, -1, solve, context, bound);
}

ness_status certify_pinned(const chain *q, const double *x, int32_t pinned, certify_solve solve, void *context,
                           double *bound)
{
  chain in;
  *bound = HUGE_VAL;
  ness_status status = chain_transpose(q, &in);
  if (!status) status = bound_find(q, &in, x, pinned, solve, context, bound);
  if (!status || in.start) chain_free(&in);
  return status;
}

ness_status solver_certify(const chain *q, const double *x, certify_solve solve, void *context, double *bound)
{
  return certify_pinned(q, x, -1, solve, context, bound);
}
