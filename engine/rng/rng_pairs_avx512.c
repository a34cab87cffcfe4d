/* rng_pairs_fill.h for AVX-512. */
#include "engine/rng/rng_pairs_levels.h"
#if defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "engine/rng/rng_pairs_fill.h"

const rng_pairs_fill rng_pairs_avx512 = pairs_fill;
#endif
