/* Pairs of draws: the plain form, and the choice of the fastest. */
#include "engine/base/simd.h"
#include "engine/rng/rng_pairs_fill.h"
#include "engine/rng/rng_pairs_levels.h"

rng_pairs_fill rng_pairs_best(void)
{
#if defined(__x86_64__)
  switch (simd_best()) {
  case SIMD_AVX512: return rng_pairs_avx512;
  case SIMD_AVX2: return rng_pairs_avx2;
  default: break;
  }
#endif
  return pairs_fill;
}
