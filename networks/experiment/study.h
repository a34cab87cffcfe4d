/* Searches along values of a model: where an exact value is zero, where it is largest, and what goes on there. */
#ifndef NETWORKS_EXPERIMENT_STUDY_H
#define NETWORKS_EXPERIMENT_STUDY_H

#include "networks/experiment/root.h"
#include "networks/experiment/scan.h"
#include <ness/study.h>

typedef struct study {
  ness_model *model;
  const ness_study_options *options;
  ness_diags *diags;
  question ask;
  scan_axis axes[SCAN_AXES];
  int32_t naxes;
  const char *title; /* of the expression, as it was written */
  expr *of;
} study;

/* The ranges of the call, each a value without steps that can be searched. */
ness_status study_axes(study *self);
/* The expression of the call, or the only observable. */
ness_status study_of(study *self);
/* The steady state at x and the value of `of` there. Where it fails the diagnostics say at which values. `out` is the
 * caller's to free in any case. */
ness_status study_at(const study *self, const expr *of, const double *x, ness_diags *diags, point *out, quantity *y);
/* How `of` changes with a value: the exact derivative where there is one, else a central difference whose error is of
 * the fourth order in the step. NaN: none. */
ness_status study_slope(const study *self, const expr *of, const double *x, int32_t axis, const point *at,
                        quantity *out, bool *exact);
/* Whether an axis goes by factors: its ends are positive and more than 20-fold apart. */
bool study_by_factors(const scan_axis *axis);
/* A share u of the way from the lower end of an axis. */
double study_x(const scan_axis *axis, double u);
/* The tables of options.curves through x: the value, of this unit, and the entropy production; NaN where there is none.
 */
ness_status study_curves(const study *self, const double *x, lang_unit unit);
/* Rates, observables, entropy production and work at a point. */
void study_answer(const study *self, const point *at, doc_node *root);

ness_status study_stall(study *self, doc_node *root);
ness_status study_iv(study *self, doc_node *root);
ness_status study_optimum(study *self, doc_node *root);

#endif
