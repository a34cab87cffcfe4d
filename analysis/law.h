/* The exact steady distribution as a function of counts, and those at levels of inputs that are given. */
#ifndef ANALYSIS_LAW_H
#define ANALYSIS_LAW_H

#include "engine/cme/cme.h"

typedef struct steady_law steady_law;

/* Owned; NULL in *out when there is no such function: some part has several closed classes, or too many states. The
 * solution and the network are borrowed. `levels` (nparts) are laws of the parts' states at given levels of inputs, as
 * held.h has them, in place of the steady state's; NULL: none. NESS_NOMEM. Cost: states * log(states) of the parts that
 * are enumerated. */
ness_status law_create(const ness_network *net, const cme_solution *exact, double *const *levels, steady_law **out);
void law_free(steady_law *self);
/* ln p(n); -INFINITY where the distribution has nothing. Any thread. Cost: log(states) a part. */
double law_log(const steady_law *self, const int64_t *n);

#endif
