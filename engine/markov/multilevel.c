/* Steady distributions of large chains and solves with a pinned state: what is taken, in which order things are done,
 * and the certificate. The iteration is in multilevel_steady.c, its start in multilevel_guess.c, the solves in
 * multilevel_solve.c, all on the levels of levels.h. Invariant: no answer without a certified bound; the same bits for
 * any number of threads. Cost: some hundred passes over the transitions; memory two to three times the chain's. */
#include "engine/markov/multilevel.h"
#include "engine/markov/certify.h"
#include "engine/markov/multilevel_parts.h"

#include <float.h>
#include <string.h>

void multilevel_count(multilevel *self, size_t more)
{
  const size_t now = self->base + levels_bytes(&self->levels) + more;
  self->bytes = now > self->bytes ? now : self->bytes;
}

/* The transpose and the vectors. */
static size_t multilevel_base(const chain *q)
{
  const size_t n = (size_t)q->n + 1, edges = (size_t)q->start[q->n];
  return edges * 12 + n * (8 + 3 * 8 + 2 * 4 + 2 * KRYLOV_BASIS * 4);
}

/* What is likely to be taken at most: the levels are about twice the first, or the graph of the guess is. */
static size_t multilevel_likely(const chain *q)
{
  return multilevel_base(q) + (size_t)q->start[q->n] * 20 + (size_t)q->n * 100;
}

static bool multilevel_take(multilevel *self)
{
  const size_t n = (size_t)self->q->n;
  bool fine = true;
  self->base = multilevel_base(self->q);
  self->exit = mem_zero(n, sizeof *self->exit);
  self->p = mem_alloc(n * sizeof *self->p);
  self->work = mem_alloc(n * sizeof *self->work);
  self->r = mem_alloc(n * sizeof *self->r);
  self->x = mem_alloc(n * sizeof *self->x);
  for (int k = 0; k < KRYLOV_BASIS; k++) {
    self->c[k] = mem_alloc(n * sizeof *self->c[k]);
    self->v[k] = mem_alloc(n * sizeof *self->v[k]);
    fine = fine && self->c[k] && self->v[k];
  }
  return fine && self->exit && self->p && self->work && self->r && self->x;
}

/* p <- guess, or one of our own. */
static ness_status multilevel_begin(multilevel *self, const double *guess)
{
  const chain *const q = self->q;
  for (int32_t i = 0; i < q->n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (q->to[e] != i) self->exit[i] += q->rate[e];
    }
    if (!(self->exit[i] > 0 && self->exit[i] < HUGE_VAL)) return NESS_NUMERIC;
  }
  self->levels.sweeps = 1;
  if (!guess) return guess_find(self);
  memcpy(self->p, guess, (size_t)q->n * sizeof *guess);
  krylov_normalize(self);
  return NESS_OK;
}

static ness_status multilevel_certify(void *context, int32_t pinned, double *w)
{
  return solve_pinned(context, 0, pinned, 0, w);
}

ness_status multilevel_create(const chain *q, const double *guess, double tolerance, size_t memory,
                              multilevel_report *report, double *p, multilevel **out)
{
  *out = NULL;
  *report = (multilevel_report){.bound = HUGE_VAL, .bytes = multilevel_likely(q)};
  if (memory > 0 && report->bytes > memory) return NESS_LIMIT;
  multilevel *self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->q = q;
  ness_status status = NESS_OK;
  if (q->n == 1) {
    p[0] = 1;
    report->bound = 0;
    goto out;
  }
  status = chain_transpose(q, &self->in);
  if (!status && !multilevel_take(self)) status = NESS_NOMEM;
  if (!status) status = multilevel_begin(self, guess);
  if (!status) status = steady_find(self);
  report->iterations = self->iterations;
  if (status) goto out;
  status = certify_bound(q, &self->in, self->p, multilevel_certify, self, &report->bound);
  multilevel_count(self, (size_t)q->n * 5 * sizeof *p);
  report->bytes = self->bytes;
  if (status) goto out;
  memcpy(p, self->p, (size_t)q->n * sizeof *p);
  if (!(report->bound <= tolerance)) status = NESS_NUMERIC;
out:
  if (status) {
    multilevel_free(self);
  } else {
    *out = self;
  }
  return status;
}

void multilevel_free(multilevel *self)
{
  if (!self) return;
  chain_free(&self->in);
  mem_free(self->exit);
  mem_free(self->p);
  mem_free(self->work);
  mem_free(self->r);
  mem_free(self->x);
  for (int k = 0; k < KRYLOV_BASIS; k++) {
    mem_free(self->c[k]);
    mem_free(self->v[k]);
  }
  levels_free(&self->levels);
  mem_free(self);
}

ness_status multilevel_left(multilevel *self, int32_t pinned, double accuracy, double *x)
{
  return solve_pinned(self, 0, pinned, fmax(accuracy, DBL_EPSILON), x);
}

ness_status multilevel_right(multilevel *self, int32_t pinned, double accuracy, double *y)
{
  return solve_pinned(self, 1, pinned, fmax(accuracy, DBL_EPSILON), y);
}
