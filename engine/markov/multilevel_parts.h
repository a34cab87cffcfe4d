/* What the files of multilevel.h share. */
#ifndef ENGINE_MARKOV_MULTILEVEL_PARTS_H
#define ENGINE_MARKOV_MULTILEVEL_PARTS_H

#include "engine/markov/levels.h"
#include "engine/markov/multilevel.h"

enum { KRYLOV_BASIS = 12, SWEEPS_MOST = 4 };

struct multilevel {
  const chain *q;
  chain in;                                 /* the transpose */
  double *exit;                             /* (n) rate out of every state */
  double *p;                                /* (n) */
  double *work;                             /* (n) scratch */
  float *r, *x;                             /* (n) right-hand side and residual, solution of krylov_run */
  float *c[KRYLOV_BASIS], *v[KRYLOV_BASIS]; /* (n) directions and what B makes of them */
  hierarchy levels;
  int32_t iterations;
  size_t base, bytes; /* taken without the levels; at most */
};

/* Remembers how much is taken, with `more` for a while. */
void multilevel_count(multilevel *self, size_t more);

/* --- multilevel_krylov.c --- */

/* x = about the solution of B x = diag(in) r on the side given; r becomes what is left, relative to its beginning at
 * most `goal` unless the basis ends first. Slow progress makes the next run smooth more. Returns what was reached. */
double krylov_run(multilevel *self, int side, double goal);
/* p <- p smoothed with the rates themselves, without subtraction; every sweep goes forward and back. */
void krylov_relax(multilevel *self, int32_t sweeps);
void krylov_normalize(multilevel *self);

/* --- multilevel_guess.c --- */

/* p <- a guess. Uses the levels and leaves none. */
ness_status guess_find(multilevel *self);

/* --- multilevel_steady.c --- */

/* p <- the steady distribution as well as it can be had, with levels for it. NESS_NUMERIC: no convergence. */
ness_status steady_find(multilevel *self);

/* --- multilevel_solve.c --- */

/* multilevel_left and multilevel_right by `side`. accuracy 0: until every residual but the pinned one is at most 0.4 of
 * the right-hand side, or nothing helps; that is no error then. */
ness_status solve_pinned(multilevel *self, int side, int32_t pinned, double accuracy, double *x);

#endif
