/* Where a function of one number passes through zero. */
#ifndef NETWORKS_EXPERIMENT_ROOT_H
#define NETWORKS_EXPERIMENT_ROOT_H

#include <ness/status.h>
#include <stdbool.h>

typedef ness_status (*root_value)(void *context, double x, double *y);

typedef struct root {
  double x, y;         /* the root, and the value there */
  double bracket[2];   /* on both sides of it, as near as doubles let them */
  double from_y, to_y; /* the values at the ends of the range */
  bool crosses;        /* false: they have the same sign or are none, and there is no root in x */
} root_found;

/* Searches between `from` and `to`. A status other than NESS_OK comes from `value`. */
ness_status root_find(root_value value, void *context, double from, double to, root_found *out);
/* Whether the function jumps over zero at x, as through infinity, and has no root there. */
bool root_jumps(const root_found *self);

#endif
