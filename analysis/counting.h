/* What flowed in windows of time, and how it spread: the raw material of noise, of memory times and of bounds from
 * uncertainty. Windows of the dump are joined in pairs, pairs of pairs and so on, each length with sums of its own. */
#ifndef ANALYSIS_COUNTING_H
#define ANALYSIS_COUNTING_H

#include "engine/dump/dump.h"

#define COUNTING_CURRENTS 24
#define COUNTING_FORMS 12 /* currents whose covariances are kept */
#define COUNTING_SLOTS 12 /* occupancies whose variances are kept */
#define COUNTING_LEVELS 40
#define COUNTING_EVENTS (INT64_C(1) << 26) /* of an events dump that are looked at */

struct tally_plan;

typedef enum counting_kind { COUNTING_STEP, COUNTING_RESERVOIR, COUNTING_CHARGE, COUNTING_OBSERVABLE } counting_kind;

typedef struct counting_current { /* a linear form of the net counts of steps */
  counting_kind kind;
  int32_t id;
  double weight[COUNTING_FORMS]; /* of the forms that are kept */
} counting_current;

typedef struct counting {
  const struct tally_plan *plan;
  const ness_network *net;
  double window, start; /* s: of the shortest; where they begin */
  double last;          /* no window of a replica has a larger number */
  int32_t levels, forms, slots;
  int32_t *form_start, *form_of; /* CSR (nstep): which forms a step adds to */
  double *form_by;
  counting_current *current; /* (currents) */
  int32_t currents, steps;   /* steps: forms are the steps themselves; else 0 */
  int32_t width;             /* of a row: windows, sums of forms and slots, products of forms, squares of slots */
  double *sum;               /* (levels x batches x width) */
  struct counting_walker **walker, *spare; /* (replicas) NULL: not under way */
} counting;

typedef struct counting_halves { /* windows that wait for their other half */
  int64_t held[COUNTING_LEVELS]; /* the number of an even one, -1 none */
  double *half;                  /* (levels x (forms + slots)) */
} counting_halves;

typedef struct counting_piece { /* what a chunk leaves for its neighbours to complete */
  int64_t index;                /* of the window */
  int32_t level;                /* of a whole window, counted already; -1: of the shortest, a part */
} counting_piece;

typedef struct counting_partial { /* sums of a chunk over its windows of a level and batch */
  int32_t level, batch;
} counting_partial;

typedef struct counting_hit { /* of a direction in a window */
  int64_t count;
  double left; /* s: what the window had left behind each event, added up */
} counting_hit;

typedef struct counting_rows { /* of a chunk: its sums over whole windows, and pieces in the order of time */
  int64_t pieces, partials, piece_room, value_room, partial_room, sum_room;
  counting_piece *piece; /* (pieces) */
  double *value;         /* (pieces x (1 + forms + slots)) time covered, s; net counts; integrals of counts, s */
  counting_partial *partial;
  double *sum; /* (partials x width) */
  counting_halves halves;
  int64_t latest[COUNTING_LEVELS]; /* the partial that a level adds to, -1 none */
  int32_t batch;                   /* of all windows, -1: it depends on their time */
  double *row, *n;                 /* (1 + forms + slots) a window; (slots) counts */
  counting_hit *hit;               /* (2 nstep) zero between windows */
} counting_rows;

/* Why windows cannot be had, a static text; NULL: they can, and *out counts them. */
ness_status counting_create(const struct tally_plan *plan, counting **out, const char **why);
void counting_free(counting *self);
/* Columns that counting_chunk reads. */
unsigned counting_wanted(const counting *self);
/* Any thread, each with its own rows. */
ness_status counting_chunk(const counting *self, const dump_chunk *chunk, counting_rows *out);
void counting_rows_free(counting_rows *self);
/* One thread, in the order of the file. */
ness_status counting_fold(counting *self, const dump_chunk *chunk, counting_rows *rows);

/* How much of a current is the net count of a step. */
double counting_weight(const counting *self, const counting_current *current, int32_t step);
/* The sums of a level and batch: windows, then sums, then products. */
const double *counting_row(const counting *self, int32_t level, int32_t batch);
/* Where in a row the product of forms i >= j stands. */
int32_t counting_product(const counting *self, int32_t i, int32_t j);
int32_t counting_square(const counting *self, int32_t slot);

#endif
