/* Subtraction-free elimination on the states of a Markov chain, for steady states and for absorption (gth.c). Rates go
 * in, probabilities and times come out; nothing here knows of networks. */
#ifndef ENGINE_GTH_H
#define ENGINE_GTH_H

#include "engine/base/base.h"

typedef struct gth_graph { /* transitions as CSR over the states they leave; parallel ones add up, loops are passed over
                            */
  int32_t n;
  int64_t *start; /* (n + 1) */
  int32_t *to;    /* (start[n]) */
  double *rate;   /* (start[n]) 1/s */
  double *exit;   /* (n) rate out of the graph, 1/s; NULL when it is closed */
} gth_graph;

typedef struct gth {
  int32_t n, rows, pad;  /* states; rows of the factors, a multiple of the tile; idle rows in front */
  int32_t ngroup;        /* rows / tile */
  int32_t *place;        /* (n) row of a state */
  int32_t *first, *last; /* (ngroup) first row of the group's panels; last group whose panels reach this one */
  size_t *panel;         /* (ngroup + 1) start of the group's panels in lower and upper */
  double *lower, *upper; /* panels: row t of a panel holds the tile's four values that meet state t */
  double *diag;          /* (ngroup x tile x tile) */
  double *exit, *pivot;  /* (rows) */
  size_t bytes;          /* what the factors take, known before they are allocated */
} gth;

/* Rows of the states in a reverse Cuthill-McKee order of the symmetric pattern, which keeps the factors narrow. */
ness_status gth_order(const gth_graph *graph, int32_t *place);

/* Orders, loads and eliminates. NESS_LIMIT when self->bytes are not there, NESS_NUMERIC when a rate out of a state
 * vanished or overflowed. gth_free is due in every case. */
ness_status gth_factor(gth *self, const gth_graph *graph);
void gth_free(gth *self);

/* The steady distribution of a closed irreducible graph, p (n). */
ness_status gth_steady(const gth *self, double *p);

/* Expected time in every state, s, before the graph is left for good, from the weights w (n) at t = 0. In place. */
ness_status gth_times(const gth *self, double *w);

#endif
