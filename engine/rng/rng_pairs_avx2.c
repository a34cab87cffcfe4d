/* rng_pairs_fill.h for AVX2. */
#include "engine/rng/rng_pairs_levels.h"
#if defined(__AVX2__)
#include "engine/rng/rng_pairs_fill.h"

const rng_pairs_fill rng_pairs_avx2 = pairs_fill;
#endif
