/* Solves with a pinned state by the levels of the whole chain: the system is singular without the pin, so what the
 * right-hand side lacks to be consistent is put on the pinned state, whose row is not among those asked for, and the
 * multiple of the null vector (p from the left, 1 from the right) that makes the pinned component zero is added
 * afterwards. Refinement with residuals in twice the working precision, so that the answer is as good as its own
 * rounding however long the chain takes to reach the pinned state. Cost: a few runs of up to twelve cycles; the first
 * solve from the right transposes the levels. */
#include "engine/markov/certify.h"
#include "engine/markov/multilevel_parts.h"

#include <float.h>
#include <string.h>

enum { SOLVE_RUNS = 60, SOLVE_IDLE = 3 };

static const double SOLVE_ROWS = 0.4; /* residual over right-hand side that a rough solve leaves */

typedef struct solve {
  multilevel *self;
  int side;
  int32_t pinned;
  double *b;    /* (n) right-hand side */
  double *x;    /* (n) solution so far */
  double worst; /* largest |residual / b| of the rows that are asked for */
  double size;  /* largest scaled residual */
  double most;  /* largest scaled component of x */
} solve;

static double row_left(const solve *run, int32_t j)
{
  const multilevel *const self = run->self;
  const chain *const q = self->q;
  dot2 dot = {.high = run->b[j]};
  if (run->side == 0) {
    certify_row(q, &self->in, run->x, j, &dot);
    return dot.high + dot.low;
  }
  for (int64_t e = q->start[j]; e < q->start[j + 1]; e++) {
    if (q->to[e] == j) continue;
    dot2_add(&dot, q->rate[e], run->x[q->to[e]]);
    dot2_add(&dot, -q->rate[e], run->x[j]);
  }
  return (dot.high + dot.low) * self->p[j];
}

/* work = what is left of b relative to the flow through each state; the pinned row is what the others leave it. */
static void solve_residual(solve *run)
{
  multilevel *const self = run->self;
  const int32_t n = self->q->n, pinned = run->pinned;
  const double *const in = self->levels.at[0].in;
  double worst = 0, size = 0;
#pragma omp parallel for schedule(static) reduction(max : worst) if (n > LEVELS_SERIAL)
  for (int32_t j = 0; j < n; j++) {
    self->work[j] = j == pinned ? 0 : row_left(run, j);
    if (j != pinned) worst = fmax(worst, fabs(self->work[j] / run->b[j]));
  }
  double sum = 0;
  for (int32_t j = 0; j < n; j++) sum += self->work[j];
  self->work[pinned] = -sum;
  for (int32_t j = 0; j < n; j++) {
    self->work[j] /= in[j];
    size = fmax(size, fabs(self->work[j]));
    if (!(fabs(self->work[j]) < HUGE_VAL)) size = HUGE_VAL;
  }
  run->worst = worst;
  run->size = size;
}

/* x += the correction of krylov_run; returns its largest scaled component. */
static double solve_update(solve *run)
{
  multilevel *const self = run->self;
  const int32_t n = self->q->n;
  const double shift = (double)self->x[run->pinned];
  double change = 0, most = 0;
#pragma omp parallel for schedule(static) reduction(max : change, most) if (n > LEVELS_SERIAL)
  for (int32_t j = 0; j < n; j++) {
    const double u = run->size * ((double)self->x[j] - shift), scale = run->side ? 1 : self->p[j];
    run->x[j] += scale * u;
    change = fmax(change, fabs(u));
    most = fmax(most, fabs(run->x[j]) / scale);
  }
  run->x[run->pinned] = 0;
  run->most = most;
  return change;
}

static ness_status solve_run(solve *run, double accuracy)
{
  multilevel *const self = run->self;
  double before = HUGE_VAL;
  int32_t idle = 0;
  for (int32_t k = 0; k < SOLVE_RUNS; k++) {
    solve_residual(run);
    if ((accuracy == 0 && run->worst <= SOLVE_ROWS) || run->size == 0) return NESS_OK;
    if (!(run->size < HUGE_VAL)) return NESS_NUMERIC;
    for (int32_t j = 0; j < self->q->n; j++) self->r[j] = (float)(self->work[j] / run->size);
    krylov_run(self, run->side, 1e-5);
    const double change = solve_update(run);
    if (interrupt_pending()) return NESS_INTERRUPTED;
    if (accuracy > 0 && change <= accuracy * run->most) return NESS_OK;
    idle = change <= 0.5 * before ? 0 : idle + 1;
    before = fmin(before, change);
    if (idle >= SOLVE_IDLE) return accuracy == 0 || change <= accuracy * run->most ? NESS_OK : NESS_NUMERIC;
  }
  return accuracy == 0 ? NESS_OK : NESS_NUMERIC;
}

ness_status solve_pinned(multilevel *self, int side, int32_t pinned, double accuracy, double *x)
{
  const size_t bytes = (size_t)self->q->n * sizeof *x;
  if (self->q->n == 1) {
    x[0] = 0;
    return NESS_OK;
  }
  double *const b = mem_alloc(bytes);
  if (!b) return NESS_NOMEM;
  memcpy(b, x, bytes);
  memset(x, 0, bytes);
  solve run = {.self = self, .side = side, .pinned = pinned, .b = b, .x = x};
  ness_status status = side ? levels_transpose(&self->levels) : NESS_OK;
  if (!status) status = solve_run(&run, accuracy);
  multilevel_count(self, bytes);
  mem_free(b);
  return status;
}
