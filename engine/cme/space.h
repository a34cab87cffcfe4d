/* The rooms behind cme_steady: the network split into parts, the states of a part, its closed classes. */
#ifndef ENGINE_CME_SPACE_H
#define ENGINE_CME_SPACE_H

#include "engine/cme/cme.h"

/* mem_grow that asks first whether the machine has what it takes: NESS_LIMIT when not. */
ness_status cme_room(void *block, int64_t *capacity, int64_t need, size_t width);

/* Splits the network into parts that share no slot, with the slots, steps and copies of each (parts.c). */
ness_status parts_split(const ness_network *net, cme_solution *out);
/* The first slots of a part for messages. */
void part_describe(const ness_network *net, const cme_part *part, char out[160]);

/* States, edges and start of a part (space.c). */
ness_status space_build(const ness_network *net, cme_part *part, int64_t max_states, ness_diags *diags);

/* Closed classes of a part, numbered by their lowest state (classes.c). */
ness_status classes_find(cme_part *part);
/* States sorted by class: those of class c are state[start[c]] ... state[start[c + 1] - 1], transient ones come last
 * with c = nclass. Both arrays are owned by the caller. */
ness_status classes_sort(const cme_part *part, int32_t **start, int32_t **state);

/* Steady distribution, class weights, and the variance of the slots of a part, var (nslot) (steady.c). */
ness_status part_steady(const ness_network *net, cme_part *part, double *var, ness_diags *diags);

/* Net currents of all edges (currents.c). */
ness_status currents_find(cme_part *part);

/* Rates, work and entropy over all parts (totals.c). */
ness_status totals_fill(const ness_network *net, cme_solution *out);

#endif
