/* Parts whose counts have no end: solved on a set of states that is found on the way (projection.c). */
#ifndef ENGINE_CME_PROJECTION_H
#define ENGINE_CME_PROJECTION_H

#include "engine/cme/space.h"
#include "engine/markov/transient.h"

bool projection_needed(const ness_network *net, const stoich_basis *laws, const cme_part *part);

/* States, transitions, classes, p and projection of the part, and the variances of its slots. NESS_LIMIT with a
 * diagnostic when no set of max_states states will do. */
ness_status projection_steady(const ness_network *net, const stoich_basis *laws, cme_part *part, int64_t max_states,
                              const solver_options *options, double *var, ness_diags *diags);

/* States and transitions that hold the distribution up to the last of the times, from the start; what leaves them
 * becomes the exits of the part's chain. */
ness_status projection_in_time(const ness_network *net, const stoich_basis *laws, cme_part *part, int64_t max_states,
                               const transient_options *options, const double *times, int32_t ntimes,
                               ness_diags *diags);

#endif
