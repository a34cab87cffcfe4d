/* Asks the processor; a limit can only lower the answer. */
#include "engine/base/simd.h"

#include <stdatomic.h>

static atomic_int simd_most = SIMD_LEVELS - 1;

static simd_level simd_found(void)
{
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return SIMD_AVX512;
  }
  if (__builtin_cpu_supports("avx2")) {
    return SIMD_AVX2;
  }
#endif
  return SIMD_PLAIN;
}

simd_level simd_best(void)
{
  const simd_level found = simd_found(), most = (simd_level)atomic_load(&simd_most);
  return found < most ? found : most;
}

const char *simd_name(simd_level level)
{
  static const char *const name[] = {"plain", "AVX2", "AVX-512"};
  return name[level];
}

void simd_limit(simd_level most)
{
  atomic_store(&simd_most, (int)most);
}
