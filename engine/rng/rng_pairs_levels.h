/* What rng_pairs.c chooses from. */
#ifndef ENGINE_RNG_RNG_PAIRS_LEVELS_H
#define ENGINE_RNG_RNG_PAIRS_LEVELS_H

#include "engine/rng/rng_pairs.h"

extern const rng_pairs_fill rng_pairs_avx2, rng_pairs_avx512; /* on x86-64 alone */

#endif
