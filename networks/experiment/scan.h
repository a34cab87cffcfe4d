/* Values of a model file that are varied: their ranges, the model at one set of them, and a table over all of a grid.
 */
#ifndef NETWORKS_EXPERIMENT_SCAN_H
#define NETWORKS_EXPERIMENT_SCAN_H

#include "networks/experiment/experiment.h"

#define SCAN_AXES 4

typedef struct scan_axis {
  const char *name;
  expr_path path;
  scan_range points;
  quantity from, to;   /* without a range `to` is `from` */
  bool range, stepped; /* a range; one with a third part */
} scan_axis;

/* Reads "V=-100:100:5[mV]", one to SCAN_AXES of them; *points of the grid. */
ness_status scan_axes(ness_model *self, const char *const *settings, int32_t n, ness_diags *diags, scan_axis *axes,
                      int64_t *points);

/* --- point.c: a model with some values replaced, and what is known about it there --- */

typedef struct point {
  lang_model *model;
  cme_solution exact;
  evolution path;
  lang_model *still; /* owned: whose network `path` speaks of; NULL: model's */
  sampled sample;
  values v;
} point;

/* The model with axes[i] at x[i] (SI), asked `ask`, or simulated where `simulation` is not NULL. Free in any case. */
ness_status point_ask(const ness_model *self, const scan_axis *axes, const double *x, int32_t n, const question *ask,
                      const ness_simulate_options *simulation, ness_diags *diags, point *out);
void point_free(point *self);
/* "V = -60 mV, k = 3" */
void point_words(const scan_axis *axes, const double *x, int32_t n, text_buffer *out);

/* --- scan.c: tables --- */

typedef struct scan_cell {
  double value, error;
  lang_unit unit;
} scan_cell;

typedef struct scan_table {
  scan_axis axes[SCAN_AXES];
  int32_t naxes, ncolumns;
  int64_t points;
  expr **columns;      /* (ncolumns) */
  const char **titles; /* (ncolumns) */
  scan_cell *cells;    /* (points x ncolumns) */
  double *longer;      /* (points) factor of the simulated time of points that are simulated again, else 0; NULL: the
                          first round */
  int64_t again;       /* such points */
  question ask;
} scan_table;

/* Free in any case. */
ness_status scan_fill(ness_model *self, const ness_scan_options *options, ness_diags *diags, scan_table *out);
void scan_free(scan_table *self);
quantity scan_value(const scan_table *self, int32_t axis, int64_t index);
void scan_answer(const scan_table *self, bool errors, doc_node *root);

#endif
