/* Between periodic.c and the two kinds of pieces that it puts a period together from. Everything is numbered by the
 * place of a state in the order of elimination. Nobody outside this room includes it. */
#ifndef ENGINE_MARKOV_PERIODIC_PARTS_H
#define ENGINE_MARKOV_PERIODIC_PARTS_H

#include "engine/markov/periodic.h"

#include <complex.h>

enum { STEP_STAGES = 6, STEP_BLOCK = STEP_STAGES * STEP_STAGES };

typedef struct step { /* collocation over an element, and the structure of its systems */
  int32_t n;
  int64_t edges;
  double node[STEP_STAGES];              /* in (0, 1], ascending; the last is 1 */
  double into[STEP_STAGES][STEP_STAGES]; /* into[q][m] = integral from 0 to node m of the q-th Lagrange polynomial */
  double weight[STEP_STAGES];            /* of the quadrature; positive */
  int32_t *place;                        /* (n) of a state */
  int32_t *from, *to;                    /* (edges) places */
  int32_t *at;                           /* (n x n) block that leads from one place to another, -1 none */
  int32_t *in_start, *in;                /* (n + 1) later places that have a block to a place */
  int32_t *out_start, *out;              /* (n + 1) later places that a place has a block to */
  double *block;                         /* (blocks x STEP_BLOCK) */
  double *leave;                         /* (n x STEP_BLOCK) what does not lead to other states */
  double *inverse;                       /* (n x STEP_BLOCK) */
  double *scaled;                        /* ((n + 1) x STEP_BLOCK) */
  int32_t blocks;
} step;

/* step_free is due in every case. */
ness_status step_create(const chain *q, step *out);
void step_free(step *self);

/* x[j][r][m] (n x n x stages): the probability of j at node m of an element of length h from r at its start; rate
 * (edges x stages) at its nodes. NESS_NUMERIC: a system is singular to rounding. */
ness_status step_solve(step *self, const double *rate, double h, double *x);

/* --- constant rates --- */

/* e (n x n) = exp(Q span), rows from; v (n x n) the mean of exp(Q t) over t up to the span. work (2 n^2 + edges + n).
 */
void still_exponential(const step *self, const double *rate, double span, double *e, double *v, double *work);

/* out = a b (n x n each). */
void still_multiply(int32_t n, const double *a, const double *b, double *out);

/* y (n) <- y (i omega - Q)^-1; work (n^2 + 2 n). */
void still_resolve(const step *self, const double *rate, double omega, double complex *y, double complex *work);

/* p (n) = p m of a matrix m (n x n, is spoiled) whose rows have the sum 1, by elimination without subtraction. What m
 * leaves for good, to rounding, gets nothing. */
void still_fixed(int32_t n, double *m, double *p);

/* --- pieces and their averages --- */

typedef struct piece { /* of the period */
  double from, span;   /* s */
  double last;         /* time that stands for the end of its stretch, s */
  double seen;         /* what halving changed when it was made so; INFINITY: it is no half */
  double error;        /* estimate of what it adds to that of the means */
  int32_t slot;        /* where its matrices are */
  bool still, open;    /* constant rates; the error is not known to be small enough */
} piece;

typedef struct period_tally { /* means over the period of a vector of numbers, and of their terms without signs */
  const step *s;
  const periodic_options *options;
  double period;
  int64_t size, set, obs;   /* numbers: flows, occupancies, from `set` on the sets, from `obs` on the observables with
                               their harmonics: mean, then cosine and sine of each */
  double *stage;            /* (n x stages) of the piece at hand */
  double *flow;             /* (edges x stages) */
  double *trig;             /* (harmonics x 2 x stages) */
  double complex *y, *work; /* (n); (n^2 + 2 n) */
} period_tally;

ness_status period_tally_create(const step *s, const periodic_options *options, double period, period_tally *out);
void period_tally_free(period_tally *self);

/* Adds what a piece gives to value and scale (size each), from the distribution at its start; `end` (n) is that at its
 * end. `map` is its matrices, rate (edges x stages) and weight (nset x edges x stages) at its nodes; the harmonics of
 * constant stretches are only added where `whole`. */
void period_tally_add(period_tally *self, const piece *of, const double *map, const double *rate, const double *weight,
                      const double *start, bool whole, double *end, double *value, double *scale);

/* Distribution at `place` (0 to 1) of the moving piece that was added last. */
void period_tally_between(const period_tally *self, const double *start, double place, double *p);

/* --- the period --- */

typedef struct cycle {
  const chain *q;
  transient_rates rates;
  void *context;
  const periodic_options *options;
  double period, tolerance;
  step s;
  period_tally sums;
  piece *now, *next; /* pieces in order; the list that is being made */
  int64_t count, room, next_count, next_room;
  double **lot; /* slots of LOT pieces each */
  int64_t lots, lot_room;
  int32_t *free; /* slots not in use */
  int64_t frees, free_room;
  size_t slot_size, rate_at, weight_at;  /* doubles: matrices, rates and weights at the nodes */
  double *rate[2], *weight[2];           /* (edges); (nset x edges) at a time */
  double *most;                          /* (edges) the largest rate so far */
  double *m, *g, *spare;                 /* (n x n) */
  double *work;                          /* for still_exponential */
  double *p, *from, *half, *end, *other; /* (n) at t = 0; along the way */
  double *total, *before;                /* (2 size) values and scales of this round; of the last */
  double *whole, *halves;                /* (2 size) of a piece */
  double error;
  periodic_report *report;
} cycle;

/* pieces_free is due in every case. NESS_LIMIT: not enough memory. */
ness_status pieces_create(cycle *self);
void pieces_free(cycle *self);

/* The first pieces, to self->now. */
ness_status pieces_begin(cycle *self, const double *breaks, int32_t nbreaks);

/* Appends to self->next a piece like another with matrices of its own, those of constant rates from self->rate[0]. *out
 * is valid until the next call. */
ness_status piece_make(cycle *self, const piece *like, piece **out);
void piece_drop(cycle *self, const piece *of);
double *piece_slot(const cycle *self, const piece *of);

/* period_tally_add to sums (2 size). */
void piece_add(cycle *self, const piece *of, const double *start, bool whole, double *end, double *sums);

/* The transitions whose rate is positive. chain_free is due in every case; NESS_USAGE: states do not all lead to each
 * other by them. */
ness_status pieces_part(const chain *q, const double *rate, chain *out);

/* self->next becomes self->now. */
void pieces_turn(cycle *self);

/* --- answers --- */

ness_status answer_create(const chain *q, const periodic_options *options, periodic_answer *out);

/* periodic_steady for many states, where matrices are out of reach; *out has been created. */
ness_status periodic_iterate(const chain *q, transient_rates rates, void *rates_context, double period,
                             const double *breaks, int32_t nbreaks, const periodic_options *options, double *p,
                             periodic_answer *out, periodic_report *report);

#endif
