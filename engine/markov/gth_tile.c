/* One body of each loop, compiled for several instruction sets; which of them runs is asked each time, which costs a
 * load (engine/base/simd.h). Sums of a tile stay in registers: 4 x 4, 4 x 8 or 8 x 8 of them at a time. On a Zen 3 core
 * 10 Gflop a second with SSE2, 30 with AVX2. */
#include "engine/markov/gth_tile.h"

#if defined __x86_64__ && defined __GNUC__
#define TILE_X86 1
#endif

#define INLINE static inline __attribute__((always_inline))

/* Vectors of 2, 4 and 8 doubles, wherever these lie. */
typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));
typedef double four __attribute__((vector_size(32), aligned(8), may_alias));
typedef double eight __attribute__((vector_size(64), aligned(8), may_alias));

/* A function that makes a tile from parts of `rows` rows and 2 vectors, whose sums stay in registers. It is written
 * once for all vectors; a type cannot be an argument. */
#define TILE_MULTIPLY(name, target, vector, rows)                                                                      \
  target static void name(double *restrict acc, const double *restrict a, const double *restrict b, int32_t depth)     \
  {                                                                                                                    \
    enum { LANES = sizeof(vector) / sizeof(double), WIDE = TILE / LANES < 2 ? 1 : 2 };                                 \
    for (int i = 0; i < TILE; i += rows) {                                                                             \
      for (int j = 0; j < TILE; j += WIDE * LANES) {                                                                   \
        vector sum[rows][WIDE] = {{{0}}};                                                                              \
        const double *left = a + i, *right = b + j;                                                                    \
        for (int32_t k = 0; k < depth; k++, left += TILE, right += TILE) {                                             \
          for (int w = 0; w < WIDE; w++) {                                                                             \
            const vector y = *(const vector *)(right + w * LANES);                                                     \
            for (int r = 0; r < rows; r++) sum[r][w] += left[r] * y;                                                   \
          }                                                                                                            \
        }                                                                                                              \
        for (int r = 0; r < rows; r++) {                                                                               \
          for (int w = 0; w < WIDE; w++) *(vector *)(acc + (i + r) * TILE + j + w * LANES) = sum[r][w];                \
        }                                                                                                              \
      }                                                                                                                \
    }                                                                                                                  \
  }

INLINE void row_add(double *restrict y, double f, const double *restrict x, size_t count)
{
  for (size_t j = 0; j < count; j++) y[j] += f * x[j];
}

TILE_MULTIPLY(plain_multiply, , pair, 4)

static void plain_add(double *restrict y, double f, const double *restrict x, size_t count)
{
  row_add(y, f, x, count);
}

static const tile_kernels plain = {plain_multiply, plain_add};

#ifdef TILE_X86

TILE_MULTIPLY(avx2_multiply, __attribute__((target("avx2"))), four, 4)
TILE_MULTIPLY(avx512_multiply, __attribute__((target("avx512f"))), eight, 8)

__attribute__((target("avx2"))) static void avx2_add(double *restrict y, double f, const double *restrict x,
                                                     size_t count)
{
  row_add(y, f, x, count);
}

static const tile_kernels avx2 = {avx2_multiply, avx2_add}, avx512 = {avx512_multiply, avx2_add};

#endif

const tile_kernels *tile_best(void)
{
#ifdef TILE_X86
  switch (simd_best()) {
  case SIMD_AVX512: return &avx512;
  case SIMD_AVX2: return &avx2;
  default: break;
  }
#endif
  return &plain;
}
