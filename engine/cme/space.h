/* The rooms behind cme_steady: the network split into parts, the states of a part, its closed classes. */
#ifndef ENGINE_CME_SPACE_H
#define ENGINE_CME_SPACE_H

#include "engine/cme/cme.h"
#include "engine/model/stoich.h"

/* mem_grow that asks first whether the machine has what it takes: NESS_LIMIT when not. */
ness_status cme_room(void *block, int64_t *capacity, int64_t need, size_t width);

/* Splits the network into parts that share no slot, with the slots, steps and copies of each (parts.c). */
ness_status parts_split(const ness_network *net, cme_solution *out);
/* The place of a slot of the network in the part, -1 elsewhere. */
int32_t part_place(const cme_part *part, int32_t slot);
/* The first slots of a part for messages. */
void part_describe(const ness_network *net, const cme_part *part, char out[160]);

/* --- states (states.c) --- */

typedef struct cme_field { /* where a slot's count lies in a key */
  int32_t word;            /* -1: not stored, it follows from a law */
  int32_t shift;
  uint64_t mask; /* largest count */
} cme_field;

typedef struct cme_given { /* count of a slot = (total - sum of by * count of others) / own */
  int32_t slot;            /* index in the part */
  int32_t own;             /* +-1 */
  int64_t total;
  int32_t nother;
  int32_t *other; /* (nother) indices in the part */
  int64_t *by;    /* (nother) */
} cme_given;

/* Fields for counts that start as in n (network nslot), with the room of `max` or of what has been met. */
ness_status states_layout(const ness_network *net, const stoich_basis *laws, cme_part *part, const int64_t *n);
/* The key of counts n (network nslot); false when a count does not fit. */
bool states_key(const cme_part *part, const int64_t *n, uint64_t *key);
/* Lays the fields out anew so that the counts n fit, and packs all keys again. */
ness_status states_widen(cme_part *part, const int64_t *n);
void states_free(cme_states *self);

/* States, transitions and start of a part (space.c). `measure`: transitions are counted in *transitions and not kept.
 */
ness_status space_build(const ness_network *net, const stoich_basis *laws, cme_part *part, int64_t max_states,
                        bool measure, int64_t *transitions, ness_diags *diags);

/* A set of counts that is chosen step by step, for spaces without end (projection.c). It starts with the start. */
typedef struct space space;
ness_status space_open(const ness_network *net, const stoich_basis *laws, cme_part *part, int64_t max_states,
                       ness_diags *diags, space **out);
void space_shut(space *self);
/* Adds where states first ... last - 1 lead to, of those flagged in `from` (by state; NULL: all). */
ness_status space_grow(space *self, const bool *from, int32_t first, int32_t last);
/* Drops the states without a flag; the others move up. */
ness_status space_keep(space *self, const bool *keep);
/* The state with counts n (network nslot), -1 when it is not in the set. */
int32_t space_find(space *self, const int64_t *n);
/* Fills the part's transitions among the states of the set; outflow (states), 1/s, is the rate of all others. */
ness_status space_close(space *self, double *outflow);

/* Parts with their states, transitions and closed classes, and no probabilities (cme.c). A part whose counts have no
 * end is left to `endless`. */
typedef ness_status (*cme_endless)(void *context, const stoich_basis *laws, cme_part *part, int64_t max_states);
ness_status cme_spaces(const ness_network *net, const cme_options *options, ness_diags *diags, cme_solution *out,
                       cme_endless endless, void *context);

/* From a guess `like` (n), NULL none: steady distribution, class weights, and the variance of the slots of a part, var
 * (nslot) (steady.c). */
ness_status part_steady(const ness_network *net, cme_part *part, const solver_options *options, const double *like,
                        double *var, ness_diags *diags);

/* Net currents of all edges (currents.c). */
ness_status currents_find(cme_part *part);

/* Rates, work and entropy over all parts (totals.c). */
ness_status totals_fill(const ness_network *net, cme_solution *out);

#endif
