/* The time until a chain is left by one of two kinds of exits, with moments and distribution. */
#ifndef ENGINE_CME_HITTING_H
#define ENGINE_CME_HITTING_H

#include "engine/cme/passage.h"

typedef struct hitting {
  chain inside;    /* states that a target can be met from; the exits hold all that leads elsewhere, 1/s */
  double *goal[2]; /* (n) rate into the first, the second target, part of the exit */
  double *start;   /* (n) weights; adds up to what starts where a target can be met */
  bool fails;      /* some exit leads to where no target is met */
} hitting;

void hitting_free(hitting *self);

/* x (n) <- expected times in the states before the chain is left. */
ness_status hitting_times(const hitting *self, const solver_options *options, double *x);
/* Makes the chain that of those ways which meet a target, start weights adding up to 1; *reached is what they were of
 * the start. Does nothing but scale the start when no exit fails. */
ness_status hitting_condition(hitting *self, const solver_options *options, double *reached);
/* Of the conditioned chain: first and second as shares, mean, moments, variance, skewness and report. */
ness_status hitting_moments(const hitting *self, const solver_options *options, passage *out);
/* by (ntimes) <- probability that the conditioned chain has been left by then; *bound on its error. */
ness_status hitting_by(const hitting *self, const double *times, int32_t ntimes, double *by, double *bound);

#endif
