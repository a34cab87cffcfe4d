/* The periodic steady state: what a closed chain settles to when its rates repeat themselves after a period, with
 * averages over the period of everything that flows. No time is let go by: the distribution that one period maps onto
 * itself is solved for, so that a drive far faster and one far slower than the chain cost about the same.
 *
 * Cost: an element (a piece of the period, 12 to 50 of them for a sine at 1e-9, about as many again on the way) takes
 * six calls for rates, 100 n^3 multiplications where every state leads to every other, 300 n^2 where states have a few
 * neighbours each, and memory 48 n^2 bytes: on a core without vectors beyond SSE2 7 microseconds for a ring of 6
 * states, 21 for 12 states of 14 pairs, 87 for 12 of all pairs. A sine takes 0.2 to 0.4 ms, 0.4 to 1.4 ms and up to 6
 * ms then, the most where it is as fast as the chain. A stretch of constant rates takes 4 n^3 for every doubling of 1 /
 * fastest rate up to its length. */
#ifndef ENGINE_MARKOV_PERIODIC_H
#define ENGINE_MARKOV_PERIODIC_H

#include "engine/markov/transient.h"

#define PERIODIC_TOLERANCE 1e-9
#define PERIODIC_TOLERANCE_MANY 1e-6 /* beyond PERIODIC_MOST states */
#define PERIODIC_MOST 500

/* Fills w (nset x edges) with the weights at time t: finite numbers, as smooth between breaks as the rates. */
typedef ness_status (*periodic_weights)(void *context, double t, double *w);

typedef struct periodic_options {
  double tolerance;         /* of every mean: relative to that of its terms without their signs; 0: 1e-9, 1e-6 */
  int32_t phases;           /* times 0, period / phases, ... at which the distribution is handed out; 0 none */
  int32_t harmonics;        /* of the observables; 0: their means alone */
  int32_t nobs;             /* observables: sums of flows and occupancies with weights that do not move */
  const int64_t *obs_start; /* (nobs + 1) */
  const int64_t *obs_term;  /* e < edges: the flow of transition e, 1/s; edges + i: the occupancy of state i */
  const double *obs_weight;
  int32_t nset;             /* sums of weighted flows whose weights move with time */
  periodic_weights weights; /* NULL without sets */
  void *weights_context;
} periodic_options;

typedef struct periodic_answer { /* owned: periodic_free */
  double *flow;                  /* (edges) mean of p_i(t) k_ij(t) in the order of the chain, 1/s */
  double *mean;                  /* (n) share of time in a state */
  double *phase;                 /* (phases x n) */
  double *set;                   /* (nset) mean of the sum over e of w_e(t) p_i(t) k_e(t) */
  double *obs;                   /* (nobs) mean */
  double *cosine, *sine; /* (nobs x harmonics) of obs + sum over k >= 1 of cosine cos(k w t) + sine sin(k w t) */
} periodic_answer;

typedef struct periodic_report {
  double error;     /* estimate, in the measure of the tolerance */
  int32_t elements; /* that the period was cut into at last; of the quadrature, iterated */
  int32_t rounds;   /* solutions for the fixed point, or periods */
  int64_t calls;    /* for rates */
  bool iterated;    /* period after period, for more than PERIODIC_MOST states */
} periodic_report;

/* q gives the structure, its rates are passed over; `rates` as for transient_moving, its exit is NULL. `breaks`
 * (ascending, inside (0, period), s) are times where rates or weights jump; between them they are smooth, and from the
 * end of the period they may jump to its start. What is asked for at a break is asked for a little earlier, 2^-48 of
 * the period, so that rates may be those of either side there. Rates and weights that are the same at 16 places between
 * two breaks are taken to be constant, and that stretch is then solved exactly but for rounding. p (n) is the
 * distribution at t = 0 on return. `options` and `report` may be NULL; *out is empty on failure.
 *
 * The error is estimated from what halving an element changes in the flow through each transition and in each other
 * mean, and from how much less that is than at the halving before. It is no bound: among 400 random drives, some of
 * five waves a period, all met their tolerance, and the largest error was three times its estimate. The same goes for p
 * in the 1-norm. What cannot be brought to the tolerance is said in the report, and above 1e-3 is NESS_NUMERIC, as are
 * rates that are not finite or negative. NESS_USAGE: exits, no period, breaks out of order or nearer to each other than
 * 2^-32 of the period, states that do not all lead to each other by rates that are positive at some time. NESS_LIMIT:
 * not enough memory; NESS_INTERRUPTED. Flows may be below 0 by what they are off.
 *
 * More than PERIODIC_MOST states are followed by transient_moving, period after period with extrapolation, from the
 * steady state of the mean rates on: as long as it takes, but 2000 periods at most. Then the tolerance goes for p in
 * the 1-norm and for all flows together, and means are sums over Gauss points whose number is doubled until they agree.
 */
ness_status periodic_steady(const chain *q, transient_rates rates, void *rates_context, double period,
                            const double *breaks, int32_t nbreaks, const periodic_options *options, double *p,
                            periodic_answer *out, periodic_report *report);
void periodic_free(periodic_answer *self);

#endif
