/* First passages: how long until counts first meet a condition, and which of two conditions is met first. */
#ifndef ENGINE_CME_PASSAGE_H
#define ENGINE_CME_PASSAGE_H

#include "engine/cme/cme.h"
#include "engine/markov/transient.h"

/* Whether counts n (network nslot) lie in the target: 0 no, 1 in the first, 2 in the second target. */
typedef int32_t (*passage_target)(void *context, const int64_t *n);

typedef struct passage_options {
  int64_t max_states; /* 0: 20,000,000; 1,000,000 where counts have no end */
  solver_options solve;
  bool from_steady;    /* start from the steady state restricted to no target, else from the start of the network */
  const double *times; /* (ntimes) ascending, where the distribution is asked for; NULL none */
  int32_t ntimes;
} passage_options;

typedef struct passage {
  int64_t states;       /* listed that lie in no target */
  double reached;       /* probability that a target is ever met */
  double outside;       /* probability that the states listed are left before: `reached` is too low by this at
                           most; 0 unless counts have no end */
  double first, second; /* probability that the first, the second target is met, and first */
  double mean, variance, skewness; /* of the time, s, given that a target is met; skewness NaN when it is certain */
  double moment[4];                /* <t>, <t^2>, <t^3>, <t^4> given that a target is met */
  double first_mean, second_mean;  /* of the time given which target was met, s; NaN where it never is */
  double *by;                      /* (ntimes) probability that a target was met by then */
  double by_bound;                 /* on the error of `by` */
  solver_report report;
} passage;

/* Only the part that the condition can see takes part: `slots` (nslots) are those it reads; they must lie in one part
 * (NESS_USAGE with a diagnostic else), which is enumerated, copies and all. States are listed from the start and not
 * beyond a target. Where counts have no end, the list grows until it is left before a target with a probability below
 * 1e-12, or until that probability is of ways that do not come back (`reached` settles within 1e-12); the rest is given
 * that it is not left. Means and variances are free of subtraction. NESS_NUMERIC: a target is never met. */
ness_status passage_find(const ness_network *net, const int32_t *slots, int32_t nslots, passage_target target,
                         void *context, const passage_options *options, ness_diags *diags, passage *out);
void passage_free(passage *self);

#endif
