/* Inside the room: few states under an input that goes in steps. */
#ifndef ENGINE_MOTION_FEW_H
#define ENGINE_MOTION_FEW_H

#include "engine/motion/motion.h"

#include <math.h>

enum { FEW_WAYS = 8 }; /* out of a state, at most */

typedef struct few_row { /* a state at a level */
  double total, hazard;  /* 1/s; of a period */
  double rate[FEW_WAYS];
  int32_t way[FEW_WAYS], to[FEW_WAYS]; /* direction; the state behind it, -1 beyond the last */
  int32_t ways;
} few_row;

struct motion_few {
  int32_t states, levels, stride; /* the row of a state at a level is level * stride + state */
  int64_t *n;                     /* (states x nslot) */
  few_row *row;
};

/* What happened in a row since it was last taken over. */
struct few_count {
  double clock;           /* s */
  int64_t made[FEW_WAYS]; /* events */
  int64_t turned;         /* times that the level ended */
};

/* NULL: the input goes otherwise, some rate has a tape, there are too many states, or no memory. */
motion_few *few_build(motion_net *shared);
/* motion_advance. */
motion_pause few_advance(motion_replica *self, const motion_net *shared, double t_stop, int64_t looks);

#define MOTION_FAST 0.25 /* hazard of a period below which whole periods pass at once */

/* Whole periods of steps in which no candidate falls, up to t_stop. A period's hazard is the same from any phase. Takes
 * it off what is left of the exponential; returns the time that they take. */
static inline double periods_skip(path_state *path, double hazard, double *left, double t_stop)
{
  const double period = path->spec->period, most = (t_stop - path->t) / period - 1;
  const double fit = hazard > 0 ? *left / hazard : most, whole = floor(fit < most ? fit : most), before = path->t;
  if (fit < 1 || most < 1 || !(whole < (double)INFINITY)) {
    return 0;
  }
  const double rest = *left - whole * hazard;
  *left = rest > 0 ? rest : 0;
  path_skip(path, whole);
  path_window(path, 0);
  return path->t - before;
}

/* Of simulate.c: an event at t counts in its phase; all rates at the counts and the level of path.at; the hazard of a
 * whole period; T_1 ... at x. */
void motion_phase(motion_replica *self, const motion_net *shared, double t, int32_t dir);
void motion_rates(motion_replica *self, const motion_net *shared);
double motion_hazard(const motion_replica *self, const motion_net *shared);
void motion_basis(double x, int32_t terms, double *basis);

#endif
