/* Moments and rates in time, exactly: the master equation from the start of the network. */
#ifndef ENGINE_CME_EVOLVE_H
#define ENGINE_CME_EVOLVE_H

#include "engine/cme/split.h"
#include "engine/markov/transient.h"

typedef struct evolution {
  int32_t ntimes;
  double *time;     /* (ntimes) s */
  double *mean;     /* (ntimes x nslot) */
  double *var;      /* (ntimes x nslot) */
  double *dir_rate; /* (ntimes x 2 nstep) one-way rates at that time, 1/s */
  int64_t states;   /* over parts */
  double outside;   /* probability that has left the states of a part without end by the last time */
  int32_t nparts;
  transient_report report; /* of the part with the largest bound */
  /* Entropy production, where it was asked for and is known. */
  split_row *entropy;      /* (ntimes) NULL none */
  int32_t one_way_running; /* first one-way step that runs at some time, -1 none */
  split_obstacle unsplit;  /* why there is no split, of the first part without one */
  char unsplit_part[160];  /* its slots */
  char at_least_part[160]; /* the slots of the first part for which total, system and nonadiabatic are lower bounds:
                              copies that start in several slots, or some of them while others come; "" none */
  double closure;          /* largest |total - medium - system| and |total - adiabatic - nonadiabatic|, k_B/s */
} evolution;

/* Times ascend from 0. Parts evolve by themselves; copies are independent, each from its own slot; copies that
 * reservoirs make add to those of the start, with Poisson counts. Where rates move there are none of these, and no
 * counts without end: NESS_LIMIT. */
ness_status evolve_run(const ness_network *net, const cme_options *options, const transient_options *transient,
                       const double *times, int32_t ntimes, ness_diags *diags, evolution *out);
/* Zeroed arrays for these times. */
ness_status evolve_empty(const ness_network *net, const double *times, int32_t ntimes, evolution *out);
void evolve_free(evolution *self);

#endif
