/* Sparse subtraction-free elimination of the states of a chain, with a bound on its error that is counted and not
 * estimated (gth.c says why it holds). First a plan, which tells work and memory before they are spent; then factors,
 * as often as rates change; then answers. */
#ifndef ENGINE_MARKOV_GTH_H
#define ENGINE_MARKOV_GTH_H

#include "engine/markov/chain.h"

typedef struct gth_front { /* states that are eliminated together, as one dense block */
  int32_t first, pivots;   /* positions first ... first + pivots - 1 are eliminated here */
  int32_t rest;            /* later states that they lead to or come from */
  int32_t parent;          /* the front that takes the rest over; -1 none */
  int32_t size;            /* fronts of the subtree that ends here */
  int64_t rows;            /* its part of gth.rows: positions of the rest, ascending */
  size_t values;           /* its part of gth.values, or of the factors of its twig: see gth_front.h */
  int32_t twig;            /* that it belongs to, -1 none */
} gth_front;

typedef struct gth_twig { /* a small subtree whose factors are made again when they are asked for */
  int32_t from, root;     /* its fronts */
  int32_t states;
  size_t values; /* doubles of its factors */
  int64_t rates; /* its part of gth.slot and gth.rate; the next twig tells its end */
} gth_twig;

typedef struct gth {
  int32_t n, nfront, njob;
  double flops;     /* multiplications and additions of gth_factor */
  size_t bytes;     /* taken while it runs, everything counted; what is kept is less */
  int32_t pinned;   /* the state that solves leave out; -1 none. gth_factor of a closed chain takes the one at the last
                       position, which is left over when all others are eliminated */
  bool whole;       /* no state was left over or left out */
  int32_t *place;   /* (n) position of a state in the order of elimination */
  int32_t *state;   /* (n) the state at a position */
  int32_t *start;   /* (n + 1) by state: */
  int32_t *to;      /* (start[n]) neighbours in either direction; NULL once `rows` are known */
  gth_front *front; /* (nfront) children before parents, subtrees contiguous */
  int32_t *job;     /* (njob) roots of subtrees that are eliminated by one thread each, largest first */
  size_t *stack;    /* (njob + 1) doubles that a job needs for what its fronts hand on; last those above the jobs */
  int32_t *widest;  /* (njob + 1) rows of the widest front of each */
  int32_t *owner;   /* (n) by position: the front that eliminates it */
  int32_t *rows;    /* (sum of rest) */
  size_t kept;      /* doubles of factors that are kept */
  double *values;   /* (kept) */
  int32_t ntwig;
  gth_twig *twig;      /* (ntwig + 1) in the order of their fronts */
  size_t twig_room;    /* doubles for the factors and exits of any twig */
  size_t twig_stack;   /* doubles that its fronts hand on */
  int32_t twig_states; /* states of any */
  int32_t twig_widest; /* rows of the widest front in any */
  int32_t *slot;       /* where rates are among the factors of a twig, before its elimination */
  double *rate;
  double *exit;   /* (n) by position: rate out of the chain when the state is eliminated, scaled as all rates */
  int32_t *fan;   /* (n) by position: states that lead to it when it is eliminated */
  int32_t *power; /* (n) by position: rates out of the state were divided by two to this power */
  int64_t rounds; /* units of roundoff, each times the number of states whose rates it touched */
  bool thin;      /* a product of rates may have left the range of a double */
} gth;

/* NESS_LIMIT: more transitions than an ordering can number. *out is owned, and NULL on failure. */
ness_status gth_plan(const chain *q, gth **out);

/* The same where factors of up to `keep` doubles are all kept; of more, those of small subtrees are not. */
ness_status gth_plan_lean(const chain *q, size_t keep, gth **out);
void gth_free(gth *self);

/* Eliminates. q has transitions only where that of the plan had some, and may have exits where that had none.
 * NESS_LIMIT when self->bytes are not there, NESS_NUMERIC when a rate out of a state vanished or overflowed. */
ness_status gth_factor(gth *self, const chain *q);

/* The same with one state of a closed chain left out, for solves: what leads to it leaves the chain. */
ness_status gth_factor_without(gth *self, const chain *q, int32_t state);

/* After gth_factor of a closed irreducible chain: the steady distribution, p (n), with |p_i - exact| <= bound * exact
 * + 2^-1074. The bound holds whatever the condition of the chain. Where self->thin, there is another error. */
ness_status gth_steady(const gth *self, double *p, double *bound);

/* What underflow has done to p (n) at most, relative to 2^-500; inf when nothing can be said. Any state may be pinned
 * by now; the likelier it is, the better. */
ness_status gth_underflow(const gth *self, const double *p, double *share);

/* x <- x (-Q)^-1 and y <- (-Q)^-1 y. In a closed chain the row and column of self->pinned are left out of Q and its
 * entry of the answer is 0. Nothing is subtracted where the input has one sign. NESS_NUMERIC on overflow. */
ness_status gth_left(const gth *self, double *x);
ness_status gth_right(const gth *self, double *y);

#endif
