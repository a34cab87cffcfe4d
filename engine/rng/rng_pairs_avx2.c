/* rng_pairs_level.h for AVX2. */
#include "engine/rng/rng_pairs.h"
#if defined(__AVX2__)
#include "engine/rng/rng_pairs_level.h"

const rng_pairs_level rng_pairs_avx2 = RNG_PAIRS_LEVEL;
#endif
