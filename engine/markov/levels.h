/* The hierarchy under multilevel.h. A level is an irreducible chain with positive weights x: the flow from i to j is
 * x_i q_ij, and B = diag(outflow) - flows (row j: what enters j) has zero column sums, and zero row sums when x is
 * steady. Row j is divided by its inflow: value[e] = flow(to[e] -> j) / in_j is a number in (0, 1], and a solution u of
 * B u = 0 is the ratio of the steady weights to x. Aggregating states keeps both sums, so every level is a chain again.
 * Side 0 are these rows; side 1 the rows of the transpose divided by the same scale, for solves from the right. Values
 * are single precision: they only make preconditioners and first guesses. */
#ifndef ENGINE_MARKOV_LEVELS_H
#define ENGINE_MARKOV_LEVELS_H

#include "engine/markov/chain.h"

enum {
  LEVELS_MOST = 40,
  LEVELS_DENSE = 256,    /* states of the coarsest level, which is solved by elimination */
  LEVELS_CHUNK = 512,    /* states of a chunk */
  LEVELS_SERIAL = 131072 /* smaller loops over states than this are not worth a second thread */
};

typedef struct level_rows {
  int64_t *start; /* (n + 1); of level 0 borrowed from the chain or its transpose */
  int32_t *to;    /* (start[n]) */
  float *value;   /* (start[n]) */
} level_rows;

typedef struct level {
  int32_t n;
  bool wide; /* loops over transitions are worth a second thread */
  /* Gauss-Seidel goes over chunks of states stage by stage. Chunks of one stage share no transition, and of two that do
   * the lower is in the earlier stage: the outcome is that of going through the states one by one. */
  int32_t stages, *stage_start, *chunk; /* -, (stages + 1), (chunks) chunks in the order of their stages */
  level_rows side[2];
  double *in;                              /* (n) inflow */
  float *gain;                             /* (n) outflow / inflow */
  int32_t *coarse, *member_start, *member; /* (n), (coarse n + 1), (n): aggregates; NULL at the coarsest level */
  float *weight;                           /* (n) in_j over the inflow of its aggregate */
  float *norm;                             /* (n) weights of dot products, about the inflow over the largest */
  float *vector[7];                        /* (n) scratch of the cycle */
} level;

typedef struct hierarchy {
  level at[LEVELS_MOST];
  int32_t count;
  int32_t borrowed; /* sides of level 0 whose start and to are not ours */
  int32_t sweeps;   /* of Gauss-Seidel before and after a coarse correction beyond the first, forward and back */
  double *dense;    /* (n x n) of the coarsest level: elimination of the flows without subtraction */
  double *scratch;  /* (n) */
} hierarchy;

/* --- levels.c --- */

/* Level 0 for the chain whose transpose is `in`, with weights p; its arrays are made at the first call. NESS_NUMERIC:
 * an inflow vanished or overflowed. */
ness_status levels_scale(hierarchy *self, const chain *in, const double *exit, const double *p);
/* An empty level 0 with room for n rows of `edges` transitions. */
ness_status levels_blank(hierarchy *self, int32_t n, int64_t edges);
/* The level below `l`, with weights u on level l (NULL: ones); the aggregates of l stay when `keep`. */
ness_status levels_coarsen(hierarchy *self, int32_t l, const double *u, bool keep);
/* All levels below 0 with weights 1, down to the dense one. */
ness_status levels_build(hierarchy *self, bool keep);
/* Side 1 of all levels, after levels_build. */
ness_status levels_transpose(hierarchy *self);
ness_status levels_factor(hierarchy *self);      /* the dense elimination */
void levels_drop(hierarchy *self, int32_t from); /* frees the levels from there on */
void levels_free(hierarchy *self);
size_t levels_bytes(const hierarchy *self);

/* --- levels_aggregate.c --- */

/* Aggregates of level `self` into coarse, numbered by their lowest state; *count of them. */
ness_status aggregate_find(const level *self, int32_t *coarse, int32_t *count);

/* --- levels_cycle.c --- */

/* One multiplicative W-cycle from level 0 with the weights of levels_scale: u (n) becomes an approximation of the
 * steady ratio, positive. Builds the levels below as it goes; aggregates that are there stay when `keep`. */
ness_status cycle_multiply(hierarchy *self, int32_t sweeps, bool keep, double *u);
/* u = an approximate solution of B u = diag(in) b (side 0) or of the transpose (side 1). */
void cycle_precondition(hierarchy *self, int side, const float *b, float *u);
void cycle_apply(const level *self, int side, const float *u, float *out); /* B u / in */
/* Calls sweep(context, from, to, back) for all chunks of states, ascending or, back, descending. */
typedef void (*cycle_sweep)(void *context, int32_t from, int32_t to, bool back);
void cycle_stages(const level *self, bool back, cycle_sweep sweep, void *context);
/* Sum of weight a b (weight NULL: ones) in a fixed order. */
double cycle_dot(const float *weight, const float *a, const float *b, int32_t n);

#endif
