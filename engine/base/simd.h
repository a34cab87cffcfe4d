/* Which vector instructions this processor has. A kernel that is compiled once for each level asks once a run, never in
 * its loop; all levels give the same bits. */
#ifndef ENGINE_BASE_SIMD_H
#define ENGINE_BASE_SIMD_H

typedef enum simd_level { SIMD_PLAIN = 0, SIMD_AVX2, SIMD_AVX512, SIMD_LEVELS } simd_level; /* AVX512: F, DQ and VL */

/* The best level that the processor has and simd_limit allows. */
simd_level simd_best(void);
/* "plain", "AVX2", "AVX-512" */
const char *simd_name(simd_level level);
/* From now on no level above this one, for tests and comparisons. */
void simd_limit(simd_level most);

#endif
