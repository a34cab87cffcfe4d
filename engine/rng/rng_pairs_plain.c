/* rng_pairs_level.h for the instructions that every processor has. */
#include "engine/rng/rng_pairs_level.h"

const rng_pairs_level rng_pairs_plain = RNG_PAIRS_LEVEL;
