/* The iteration to the steady distribution. Far from it multiplicative cycles move p, which keep it positive at every
 * scale of probability (Horton and Leutenegger, SIGMETRICS 1994). Near it the equation for the ratio u of the steady
 * distribution to p is solved, B u = 0 with B scaled so that every state counts with its relative error, as iterative
 * refinement: residuals in twice the working precision, the solve in single precision. An update that is not clearly
 * positive is thrown away, and cycles are multiplied instead.
 * Invariant: p stays positive. Cost: some three to ten refinements of up to twelve cycles. */
#include "engine/markov/certify.h"
#include "engine/markov/multilevel_parts.h"

#include <float.h>

enum { STEADY_OUTER = 100, STEADY_IDLE = 5, STEADY_REFUSED = 8, STEADY_SWEEPS = 4, STEADY_RUNS = 3 };

static const double STEADY_DONE = 8 * DBL_EPSILON; /* relative residual of a row that its rounding makes */
static const double STEADY_ENOUGH = 0.1;           /* of a residual left after a run */
static const double STEADY_FINE = 1e-11;           /* below, only quick progress is worth another run */
static const double STEADY_NEAR = 1e-5;            /* below, cycles in single precision would do harm */
static const double STEADY_FAR = 20;               /* a larger residual calls for cycles, or where no cycle told more */
static const double STEADY_UNKNOWN = 0.5;          /* this one */
static const double STEADY_SPREAD = 1;             /* of a cycle that calls for another */
static const double STEADY_USABLE = 1e-6;          /* a larger residual is no convergence */

typedef struct steady {
  multilevel *self;
  double residual; /* largest relative residual of a row of p */
  double spread;   /* size of the last multiplicative correction, in logarithms; 0 before the first */
  int32_t sweeps;
  bool far, build; /* cycles are to be multiplied; the levels are out of date */
} steady;

/* Level 0 for the p of now, and the relative residuals of its rows in self->work. */
static ness_status steady_scale(steady *run)
{
  multilevel *const self = run->self;
  const int32_t n = self->q->n;
  const ness_status status = levels_scale(&self->levels, &self->in, self->exit, self->p);
  if (status) return status;
  const double *const in = self->levels.at[0].in;
  double worst = 0;
#pragma omp parallel for schedule(static) reduction(max : worst) if (n > LEVELS_SERIAL)
  for (int32_t j = 0; j < n; j++) {
    dot2 dot = {0};
    certify_row(self->q, &self->in, self->p, j, &dot);
    self->work[j] = (dot.high + dot.low) / in[j];
    worst = fmax(worst, fabs(self->work[j]));
  }
  run->residual = worst;
  return NESS_OK;
}

/* How large the correction u was; where it hardly shrinks the next ones smooth more. */
static void steady_learn(steady *run, const double *u)
{
  const int32_t n = run->self->q->n;
  double mean = 0, square = 0;
  for (int32_t j = 0; j < n; j++) mean += log(u[j]) / n;
  for (int32_t j = 0; j < n; j++) square += (log(u[j]) - mean) * (log(u[j]) - mean) / n;
  const double size = sqrt(square);
  if (run->spread > 0 && size > 0.7 * run->spread && run->sweeps < STEADY_SWEEPS) run->sweeps *= 2;
  run->spread = fmax(size, DBL_MIN);
}

/* Whether aggregates may stay: p does not change much any more. */
static bool steady_keeps(const steady *run)
{
  return run->spread > 0 && run->spread < 0.5;
}

/* One multiplicative cycle. */
static ness_status steady_multiply(steady *run)
{
  multilevel *const self = run->self;
  const int32_t n = self->q->n;
  double *const u = mem_alloc((size_t)n * sizeof *u);
  if (!u) return NESS_NOMEM;
  for (int32_t j = 0; j < n; j++) u[j] = 1;
  const ness_status status = cycle_multiply(&self->levels, run->sweeps, steady_keeps(run), u);
  if (!status) {
    for (int32_t j = 0; j < n; j++) self->p[j] *= u[j];
    steady_learn(run, u);
    run->far = run->spread > STEADY_SPREAD;
    run->build = true;
    self->iterations++;
    krylov_normalize(self);
  }
  multilevel_count(self, (size_t)n * 3 * sizeof *u);
  mem_free(u);
  return status;
}

/* One refinement of p; run->far when it was no use. */
static ness_status steady_refine(steady *run)
{
  multilevel *const self = run->self;
  const int32_t n = self->q->n;
  if (run->build) {
    const ness_status status = levels_build(&self->levels, steady_keeps(run));
    if (status) return status;
    multilevel_count(self, 0);
  }
  const double size = run->residual;
  double *const x = self->work, left = 1, least = 0, most = 0;
  for (int32_t j = 0; j < n; j++) {
    self->r[j] = (float)(x[j] / size);
    x[j] = 0;
  }
  for (int32_t k = 0; k < STEADY_RUNS && left > STEADY_ENOUGH; k++) {
    left *= krylov_run(self, 0, fmax(1e-5, 0.1 * STEADY_DONE / size));
    for (int32_t j = 0; j < n; j++) x[j] += (double)self->x[j];
    if (left > 0.5 && size > STEADY_NEAR) break;
  }
  for (int32_t j = 0; j < n; j++) {
    least = fmin(least, x[j]);
    most = fmax(most, x[j]);
  }
  const bool fine = size * least > -0.9 && size * most < 100 && left < 0.5;
  run->far = !fine && size > STEADY_NEAR;
  if (run->far) {
    self->levels.sweeps = 1; /* it was p that failed */
    return NESS_OK;
  }
  for (int32_t j = 0; j < n; j++) self->p[j] *= 1 + fmax(size * x[j], -0.9);
  run->build = size * least < -0.1 || size * most > 0.1 || left > STEADY_ENOUGH;
  if (left > STEADY_ENOUGH) run->spread = 0; /* the aggregates do not serve */
  if (run->build) krylov_relax(self, 1);
  krylov_normalize(self);
  return NESS_OK;
}

ness_status steady_find(multilevel *self)
{
  steady run = {.self = self, .sweeps = 2, .build = true};
  double last = HUGE_VAL;
  int32_t idle = 0, refused = 0; /* refinements that helped little, and not at all */
  for (int32_t outer = 0; outer < STEADY_OUTER && idle <= STEADY_IDLE && refused <= STEADY_REFUSED; outer++) {
    ness_status status = interrupt_pending() ? NESS_INTERRUPTED : steady_scale(&run);
    if (status) return status;
    const bool multiply = run.far || run.residual > (run.spread > 0 ? STEADY_FAR : STEADY_UNKNOWN);
    const bool slow = run.residual > 0.1 * last;
    if (run.residual <= STEADY_DONE || (run.residual < STEADY_FINE && slow)) break;
    idle = multiply || run.residual < 0.5 * last ? 0 : idle + 1;
    last = run.residual;
    status = multiply ? steady_multiply(&run) : steady_refine(&run);
    if (status) return status;
    refused += !multiply && run.far;
  }
  if (!(run.residual < STEADY_USABLE)) return NESS_NUMERIC;
  if (run.build) { /* nothing was left to refine */
    const ness_status status = levels_build(&self->levels, false);
    if (status) return status;
  }
  krylov_relax(self, 1);
  krylov_normalize(self);
  return NESS_OK;
}
