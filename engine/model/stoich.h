/* Stoichiometry in exact integers: conservation laws (left null space) and cycles (right null space) of a network's
 * change matrix, by fraction-free sparse elimination. Vectors are primitive (gcd 1); cycles have a positive entry at
 * their lowest step. Cost: about nstep * rank sparse row operations. */
#ifndef ENGINE_STOICH_H
#define ENGINE_STOICH_H

#include "engine/model/model.h"

typedef struct stoich_basis {
  int32_t count;  /* number of vectors */
  int32_t *start; /* count + 1 */
  int32_t *id;    /* step ids (cycles) or slot ids (laws), ascending inside a vector */
  int64_t *by;    /* coefficients */
} stoich_basis;

/* A basis of all combinations of steps that change no count: cycle c runs step id[k] by[k] times. Each cycle contains
 * one step (its chord) that no other has, the highest id where possible, so short cycles come out short. */
ness_status stoich_cycles(const ness_network *net, stoich_basis *out);
/* A basis of all conserved weighted sums of counts. */
ness_status stoich_laws(const ness_network *net, stoich_basis *out);
/* The same, where steps that are off both ways move nothing: a slot that only they touch is conserved by itself. */
ness_status stoich_laws_running(const ness_network *net, stoich_basis *out);
void stoich_free(stoich_basis *self);

#endif
