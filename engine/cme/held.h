/* The steady laws of a network at inputs that are held, and the two parts of its entropy production by them. */
#ifndef ENGINE_CME_HELD_H
#define ENGINE_CME_HELD_H

#include "engine/cme/cme.h"

typedef struct held_laws {
  int32_t nparts;
  double **law;   /* (nparts x states) ps(i; l): the steady law of state i where the levels stay those of the state */
  double **given; /* (nparts x states) p(i | l): the law of state i given its levels, while they flip; NULL for copies
                     that share an input, which go together */
  double adiabatic, excess; /* k_B/s in the steady state of the solution, flips apart; +inf: a one-way step runs */
  const char *why;          /* NULL, or why some part has no such law, */
  char part[160];           /* and its slots */
} held_laws;

/* Of a solution with probabilities, which is borrowed for the call. NESS_OK with `why` where there is no split. Cost:
 * a solve for every level of the inputs. */
ness_status held_find(const ness_network *net, const cme_solution *solution, held_laws *out);
/* The same two from the start of the network to `time`, s, in the mean over that time, where held->why is NULL. NaN
 * where they are not known: parts of more than 300 states, counts that come and go, copies that share an input, and the
 * excess of copies that start in several places. Cost: a solve and a course of every part. */
ness_status held_from_start(const ness_network *net, const cme_solution *solution, const held_laws *held, double time,
                            double *adiabatic, double *excess);
void held_free(held_laws *self);

#endif
