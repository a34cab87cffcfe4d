/* The least value of a function in a box. */
#ifndef NETWORKS_EXPERIMENT_MINIMUM_H
#define NETWORKS_EXPERIMENT_MINIMUM_H

#include <ness/status.h>
#include <stdint.h>

#define MINIMUM_AXES 4

/* A value at u in the unit box; infinity where there is none. */
typedef ness_status (*minimum_value)(void *context, const double *u, double *y);

typedef struct minimum {
  double u[MINIMUM_AXES], y;
} minimum;

/* Goes down from self->u, whose value is self->y; `reach` is how far to look in each direction at first. Never leaves
 * the box and never ends higher. */
ness_status minimum_find(minimum_value value, void *context, int32_t n, double reach, minimum *self);

#endif
