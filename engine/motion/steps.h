/* Inside the room: inputs that go in steps, and small networks under them. */
#ifndef ENGINE_MOTION_STEPS_H
#define ENGINE_MOTION_STEPS_H

#include "engine/motion/motion.h"

#include <math.h>

/* T_1 ... at every level; NULL: no memory. */
double *steps_basis(motion_net *shared);
/* NULL: the input goes otherwise, the network is too large or not by mass action to the second order, or no memory. */
motion_steps *steps_build(motion_net *shared);
/* motion_advance. */
motion_pause steps_advance(motion_replica *self, const motion_net *shared, double t_stop, int64_t looks);

/* What was made since the replica's counts were at the level `from` goes to its sums; now its counts are n, its level
 * path.at. Times of the counts are the caller's matter. */
void steps_fold(motion_replica *self, const motion_net *shared, int32_t from, const int64_t *n);

static inline int32_t steps_level(const path_state *path)
{
  return path->at < 0 ? 0 : path->at;
}

#define STEPS_FAST 0.25 /* hazard of a period below which whole periods pass at once */

/* Whole periods in which no candidate falls, up to t_stop. A period's hazard is the same from any phase. Takes it off
 * what is left of the exponential; false: none passed. */
static inline bool steps_skip(path_state *path, double hazard, double *left, double t_stop)
{
  const double most = (t_stop - path->t) / path->spec->period - 1;
  const double fit = hazard > 0 ? *left / hazard : most, whole = floor(fit < most ? fit : most);
  if (fit < 1 || most < 1 || !(whole < (double)INFINITY)) {
    return false;
  }
  const double rest = *left - whole * hazard;
  *left = rest > 0 ? rest : 0;
  path_skip(path, whole);
  path_window(path, 0);
  return true;
}

/* Of simulate.c: an event at t, for those who want each or its phase; all rates at the counts and the level of path.at;
 * T_1 ... at x. */
void motion_tell(motion_replica *self, const motion_net *shared, double t, int32_t dir);
void motion_rates(motion_replica *self, const motion_net *shared);
void motion_basis(double x, int32_t terms, double *basis);

#endif
