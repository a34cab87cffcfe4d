/* The maximum under linear equations, by Newton's method on what the equations leave free.
 *
 * Invariant: every iterate keeps the equations; the objective falls by every step (halved until it does, Armijo 1966),
 * so the concave maximum is found from anywhere. A step solves A H^-1 A' lambda = -A H^-1 g, H = diag(k T), where rows
 * that depend on others are left out; the rank is the number of independent constraints. What ends it is the decrement,
 * and what certifies it is the gradient along the equations, which the result holds. Cost: constraints^3 an iteration,
 * ten to thirty of them. */
#include "analysis/fit/fit.h"

#include <math.h>
#include <string.h>

#define SOLVE_STEPS 200
#define SOLVE_LONGEST 4.0 /* of ln k in a step */
#define SOLVE_DONE 1e-24  /* decrement against the number of events */
#define SOLVE_FAR 300.0   /* |ln k| against its start: no maximum */

typedef struct work {
  const fit_problem *p;
  fit_result *out;
  double *x, *h, *g, *step, *trial; /* (n) */
  double *dense;                    /* (n) a row of A H^-1 */
} work;

/* out := A v */
static void rows_times(const fit_problem *p, const double *v, double *out)
{
  for (int32_t c = 0; c < p->constraints; c++) {
    out[c] = 0;
    for (int32_t k = p->start[c]; k < p->start[c + 1]; k++) out[c] += p->by[k] * v[p->id[k]];
  }
}

/* v += A' y */
static void columns_add(const fit_problem *p, const double *y, double *v)
{
  for (int32_t c = 0; c < p->constraints; c++)
    for (int32_t k = p->start[c]; k < p->start[c + 1]; k++) v[p->id[k]] += p->by[k] * y[c];
}

/* Factors A diag(1/h) A'. */
static void factor(work *self)
{
  const fit_problem *const p = self->p;
  const int32_t m = p->constraints;
  memset(self->out->factor, 0, (size_t)m * (size_t)m * sizeof(double));
  for (int32_t i = 0; i < m; i++) {
    double *const row = self->out->factor + (int64_t)i * m;
    for (int32_t k = p->start[i]; k < p->start[i + 1]; k++) self->dense[p->id[k]] += p->by[k] / self->h[p->id[k]];
    for (int32_t j = 0; j <= i; j++)
      for (int32_t k = p->start[j]; k < p->start[j + 1]; k++) row[j] += self->dense[p->id[k]] * p->by[k];
    for (int32_t k = p->start[i]; k < p->start[i + 1]; k++) self->dense[p->id[k]] = 0;
  }
  self->out->rank = stat_cholesky(self->out->factor, m, self->out->keep);
}

static void solve_rows(const work *self, double *y)
{
  stat_solve_lower(self->out->factor, self->p->constraints, self->out->keep, y);
  stat_solve_upper(self->out->factor, self->p->constraints, self->out->keep, y);
}

/* -ln L over the constrained directions. */
static double objective(const work *self, const double *x)
{
  double sum = 0;
  for (int32_t d = 0; d < self->p->n; d++)
    if (self->out->bound[d]) sum += self->p->time[d] * exp(x[d]) - self->p->count[d] * x[d];
  return sum;
}

/* The nearest point that keeps the equations, by weights of the events; false when there is none. */
static bool feasible(work *self)
{
  const fit_problem *const p = self->p;
  double *const y = self->out->lambda;
  double worst = 0, size = 1;
  for (int32_t d = 0; d < p->n; d++) {
    self->h[d] = p->count[d] + 0.5;
    self->x[d] = self->out->bound[d] ? log(self->h[d] / p->time[d]) : 0;
  }
  factor(self);
  for (int32_t twice = 0; twice < 3; twice++) { /* repeated for what rounding leaves */
    rows_times(p, self->x, y);
    for (int32_t c = 0; c < p->constraints; c++) y[c] = p->rhs[c] - y[c];
    solve_rows(self, y);
    memset(self->step, 0, (size_t)p->n * sizeof *self->step);
    columns_add(p, y, self->step);
    for (int32_t d = 0; d < p->n; d++) self->x[d] += self->step[d] / self->h[d];
  }
  rows_times(p, self->x, y);
  for (int32_t c = 0; c < p->constraints; c++) {
    worst = fmax(worst, fabs(y[c] - p->rhs[c]));
    size = fmax(size, fabs(p->rhs[c]));
  }
  return worst < 1e-8 * size;
}

/* The step of Newton and its decrement; lambda with it. */
static double newton(work *self)
{
  const fit_problem *const p = self->p;
  double *const y = self->out->lambda, decrement = 0;
  for (int32_t d = 0; d < p->n; d++) {
    self->h[d] = self->out->bound[d] ? p->time[d] * exp(self->x[d]) : 1;
    self->g[d] = self->out->bound[d] ? self->h[d] - p->count[d] : 0;
  }
  factor(self);
  for (int32_t d = 0; d < p->n; d++) self->trial[d] = -self->g[d] / self->h[d];
  rows_times(p, self->trial, y);
  solve_rows(self, y);
  memcpy(self->step, self->g, (size_t)p->n * sizeof *self->step);
  columns_add(p, y, self->step);
  for (int32_t d = 0; d < p->n; d++) {
    const double residual = self->step[d];
    self->step[d] = -residual / self->h[d];
    decrement += residual * residual / self->h[d];
  }
  return decrement;
}

/* Goes down along the step; false when nothing is to be won any more. */
static bool descend(work *self, double decrement)
{
  const fit_problem *const p = self->p;
  const double now = objective(self, self->x);
  double longest = 0;
  for (int32_t d = 0; d < p->n; d++) longest = fmax(longest, fabs(self->step[d]));
  double share = longest > SOLVE_LONGEST ? SOLVE_LONGEST / longest : 1;
  for (int32_t k = 0; k < 60; k++, share /= 2) {
    for (int32_t d = 0; d < p->n; d++) self->trial[d] = self->x[d] + share * self->step[d];
    const double then = objective(self, self->trial);
    if (!(then <= now - 0.1 * share * decrement) && !(share == 1 && decrement < 1e-9 && k == 0)) continue;
    memcpy(self->x, self->trial, (size_t)p->n * sizeof *self->x);
    return true;
  }
  return false;
}

static ness_status maximise(work *self, double events, ness_diags *diags)
{
  fit_result *const out = self->out;
  if (!feasible(self)) {
    diag_add(diags, NESS_ERROR, "the constraints contradict each other: no rates keep them all");
    return NESS_NUMERIC;
  }
  for (out->iterations = 0; out->iterations < SOLVE_STEPS; out->iterations++) {
    const double decrement = newton(self);
    if (!(decrement > SOLVE_DONE * events) || !descend(self, decrement)) break;
    for (int32_t d = 0; d < self->p->n; d++) {
      if (!out->bound[d] || fabs(self->x[d] - log((self->p->count[d] + 0.5) / self->p->time[d])) < SOLVE_FAR) continue;
      diag_add(diags, NESS_ERROR, "there is no likeliest rate under these constraints: the data drive one to 0");
      return NESS_NUMERIC;
    }
  }
  newton(self); /* multipliers, factor and gradient at the end */
  for (int32_t d = 0; d < self->p->n; d++)
    if (out->bound[d])
      out->gradient = fmax(out->gradient, fabs(self->step[d] * self->h[d]) / fmax(1, self->p->count[d]));
  return NESS_OK;
}

double fit_variance(const fit_problem *p, const fit_result *fit, int32_t terms, const int32_t *id, const double *by,
                    double *scratch)
{
  double sum = 0, alone;
  memset(scratch, 0, (size_t)p->constraints * sizeof *scratch);
  for (int32_t k = 0; k < terms; k++) {
    if (!(fit->rate[id[k]] > 0)) return (double)NAN;
    sum += by[k] * by[k] / (fit->rate[id[k]] * p->time[id[k]]);
  }
  alone = sum;
  for (int32_t c = 0; c < p->constraints; c++)
    for (int32_t k = p->start[c]; k < p->start[c + 1]; k++)
      for (int32_t t = 0; t < terms; t++)
        if (p->id[k] == id[t]) scratch[c] += p->by[k] * by[t] / (fit->rate[id[t]] * p->time[id[t]]);
  stat_solve_lower(fit->factor, p->constraints, fit->keep, scratch);
  for (int32_t c = 0; c < p->constraints; c++) sum -= scratch[c] * scratch[c];
  return sum > 1e-12 * alone ? sum : 0; /* what is fixed does not vary */
}

static bool result_room(fit_result *out, const fit_problem *p)
{
  const size_t n = (size_t)p->n + 1, m = (size_t)p->constraints + 1;
  out->rate = mem_zero(n, sizeof *out->rate);
  out->error = mem_zero(n, sizeof *out->error);
  out->bound = mem_zero(n, sizeof *out->bound);
  out->lambda = mem_zero(m, sizeof *out->lambda);
  out->factor = mem_zero(m * m, sizeof *out->factor);
  out->keep = mem_zero(m, sizeof *out->keep);
  return out->rate && out->error && out->bound && out->lambda && out->factor && out->keep;
}

ness_status fit_solve(const fit_problem *p, ness_diags *diags, fit_result *out)
{
  *out = (fit_result){0};
  if (p->constraints > FIT_CONSTRAINTS) {
    diag_add(diags, NESS_ERROR, "%d constraints are too many: at most %d are solved for", p->constraints,
             FIT_CONSTRAINTS);
    return NESS_LIMIT;
  }
  const size_t n = (size_t)p->n + 1;
  double *const room = mem_zero(6 * n, sizeof *room);
  work self = {p,
               out,
               room,
               room ? room + n : NULL,
               room ? room + 2 * n : NULL,
               room ? room + 3 * n : NULL,
               room ? room + 4 * n : NULL,
               room ? room + 5 * n : NULL};
  ness_status status = room && result_room(out, p) ? NESS_OK : NESS_NOMEM;
  double events = 1;
  for (int32_t k = 0; !status && p->constraints > 0 && k < p->start[p->constraints]; k++) out->bound[p->id[k]] = true;
  for (int32_t d = 0; d < p->n; d++) events += p->count[d];
  if (!status && p->constraints > 0) status = maximise(&self, events, diags);
  for (int32_t d = 0; d < p->n && !status; d++) {
    const bool known = p->time[d] > 0;
    out->rate[d] = out->bound[d] ? exp(self.x[d]) : known ? p->count[d] / p->time[d] : (double)NAN;
    if (!known) continue;
    out->likelihood -= out->rate[d] * p->time[d];
    if (p->count[d] > 0) out->likelihood += p->count[d] * log(out->rate[d]);
  }
  for (int32_t d = 0; d < p->n && !status; d++) {
    const double one = 1;
    out->error[d] = out->rate[d] > 0 ? sqrt(fit_variance(p, out, 1, &d, &one, out->lambda)) : (double)NAN;
  }
  mem_free(room);
  return status;
}

void fit_result_free(fit_result *self)
{
  mem_free(self->rate);
  mem_free(self->error);
  mem_free(self->bound);
  mem_free(self->lambda);
  mem_free(self->factor);
  mem_free(self->keep);
  *self = (fit_result){0};
}

/* --- problems --- */

bool fit_constraint(fit_problem *self, int32_t terms, const int32_t *id, const double *by, double rhs)
{
  const int32_t c = self->constraints, at = c ? self->start[c] : 0;
  if (!mem_grow(&self->start, &self->start_room, c + 2, sizeof *self->start) ||
      !mem_grow(&self->rhs, &self->rhs_room, c + 1, sizeof *self->rhs) ||
      !mem_grow(&self->id, &self->id_room, (int64_t)at + terms, sizeof *self->id) ||
      !mem_grow(&self->by, &self->by_room, (int64_t)at + terms, sizeof *self->by))
    return false;
  memcpy(self->id + at, id, (size_t)terms * sizeof *id);
  memcpy(self->by + at, by, (size_t)terms * sizeof *by);
  self->rhs[c] = rhs;
  self->start[0] = 0;
  self->start[c + 1] = at + terms;
  self->constraints = c + 1;
  return true;
}

void fit_problem_free(fit_problem *self)
{
  mem_free(self->start);
  mem_free(self->id);
  mem_free(self->by);
  mem_free(self->rhs);
}
