/* What derivatives and cumulants of a steady state are solved on: the one closed class that a part ends in, or the
 * places inside of a part whose copies come and go. Vectors are over all states of the part and 0 elsewhere. */
#ifndef ENGINE_CME_ERGODIC_H
#define ENGINE_CME_ERGODIC_H

#include "engine/cme/cme.h"

typedef struct ergodic {
  const cme_part *part;
  int32_t n;      /* states of the class; CME_OPEN: without outside */
  int32_t *state; /* (n) ids in the part, ascending */
  int32_t *local; /* (states of the part) place in `state`, -1 elsewhere */
} ergodic;

/* NESS_NUMERIC with a diagnostic where the part may end in several classes, each with its own currents. */
ness_status ergodic_create(const ness_network *net, const cme_part *part, ness_diags *diags, ergodic *out);
void ergodic_free(ergodic *self);

typedef struct collect {
  const ergodic *states;
  int32_t pinned; /* the likeliest state of a closed class, where y starts from 0; -1 none */
  chain q;        /* among the others */
  solver *solver; /* NULL: no others */
  double *room;   /* (n) */
} collect;

/* A solver for the equations below, by the method that found the steady state. `states` is borrowed. */
ness_status collect_create(const ness_network *net, const ergodic *states, ness_diags *diags, collect *out);
/* What a copy, or the part, still collects from each state on when it collects f there, 1/s: y with -Q y = f - (p f) 1,
 * p y = 0; CME_OPEN: -Q y = f with y = 0 outside. In place. */
ness_status collect_solve(collect *self, double *y);
void collect_free(collect *self);

/* Events of transition e out of state i per second, copies scaled in. */
static inline double ergodic_flow(const cme_part *part, int32_t i, int64_t e)
{
  return part->scale * part->p[i] * part->q.rate[e];
}

#endif
