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

typedef struct counting_rows { /* windows of a chunk, the first and the last perhaps in part */
  int64_t rows, index_room, value_room, scratch_room;
  int64_t *index; /* (rows) */
  double *value;  /* (rows x (1 + forms + slots)) time covered, s; net counts; integrals of counts, s */
  double *scratch;
} counting_rows;

/* Why windows cannot be had, a static text; NULL: they can, and *out counts them. */
ness_status counting_create(const struct tally_plan *plan, counting **out, const char **why);
void counting_free(counting *self);
/* Columns that counting_chunk reads. */
unsigned counting_wanted(const counting *self);
/* Any thread, each with its own rows. */
ness_status counting_chunk(const counting *self, const dump_chunk *chunk, counting_rows *out);
void counting_rows_free(counting_rows *self);
/* One thread, chunks of a replica in their order. */
ness_status counting_fold(counting *self, const dump_chunk *chunk, const counting_rows *rows);

/* How much of a current is the net count of a step. */
double counting_weight(const counting *self, const counting_current *current, int32_t step);
/* The sums of a level and batch: windows, then sums, then products. */
const double *counting_row(const counting *self, int32_t level, int32_t batch);
/* Where in a row the product of forms i >= j stands. */
int32_t counting_product(const counting *self, int32_t i, int32_t j);
int32_t counting_square(const counting *self, int32_t slot);

#endif
