/* The exact steady distribution as a function of counts. */
#ifndef ANALYSIS_LAW_H
#define ANALYSIS_LAW_H

#include "engine/cme/cme.h"

typedef struct steady_law steady_law;

/* Owned; NULL in *out when there is no such function: some part has several closed classes, or too many states. The
 * solution and the network are borrowed. NESS_NOMEM. Cost: states * log(states) of the parts that are enumerated. */
ness_status law_create(const ness_network *net, const cme_solution *exact, steady_law **out);
void law_free(steady_law *self);
/* ln p(n); -INFINITY where the distribution has nothing. Any thread. Cost: log(states) a part. */
double law_log(const steady_law *self, const int64_t *n);

#endif
