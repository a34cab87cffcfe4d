/* single_run.h for AVX2. */
#include "engine/ssa/single.h"
#if defined(__AVX2__)
#include "engine/ssa/single_run.h"

const single_loops single_avx2 = SINGLE_LOOPS(&rng_pairs_avx2);
#endif
