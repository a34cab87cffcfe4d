/* Lanes: as many streams, or draws of one stream, side by side as a vector register of this translation unit holds
 * (RNG_WIDTH). Every lane does what rng.h and rng_math.c do with one number, operation by operation, so the bits do not
 * depend on the width. Included by the sources that are compiled once for each level of instructions, and by nothing
 * else. */
#ifndef ENGINE_RNG_RNG_VECTOR_H
#define ENGINE_RNG_RNG_VECTOR_H

#include "engine/rng/rng.h"
#include "engine/rng/rng_ln.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__AVX512DQ__) && defined(__AVX512VL__)
#define RNG_WIDTH 8
#elif defined(__AVX2__)
#define RNG_WIDTH 4
#else
#define RNG_WIDTH 2
#endif
#define RNG_INLINE static inline __attribute__((always_inline))

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

typedef double rng_reals __attribute__((vector_size(8 * RNG_WIDTH), may_alias));
typedef uint64_t rng_words __attribute__((vector_size(8 * RNG_WIDTH), may_alias));
typedef int64_t rng_masks __attribute__((vector_size(8 * RNG_WIDTH), may_alias)); /* a lane is 0 or -1 */

typedef struct rng_lanes {
  rng_words hi, lo, inc_hi, inc_lo;
} rng_lanes;

/* Products of the low halves. */
RNG_INLINE rng_words rng_halves(rng_words a, rng_words b)
{
#if RNG_WIDTH == 8
  return (rng_words)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif RNG_WIDTH == 4
  return (rng_words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
  return (rng_words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & UINT32_MAX) * (b & UINT32_MAX);
#endif
}

RNG_INLINE rng_words rng_both(uint64_t x)
{
  return x - (rng_words){0};
}

/* 1 << shift, and 0 for shifts that no word has. */
RNG_INLINE rng_words rng_shifted_one(rng_words shift)
{
#if RNG_WIDTH == 8
  return (rng_words)_mm512_sllv_epi64(_mm512_set1_epi64(1), (__m512i)shift);
#elif RNG_WIDTH == 4
  return (rng_words)_mm256_sllv_epi64(_mm256_set1_epi64x(1), (__m256i)shift);
#else
  return (rng_words){shift[0] < 64 ? UINT64_C(1) << shift[0] : 0, shift[1] < 64 ? UINT64_C(1) << shift[1] : 0};
#endif
}

/* The low word of a b. */
RNG_INLINE rng_words rng_low(rng_words a, rng_words b)
{
#if RNG_WIDTH == 8
  return a * b;
#else
  return rng_halves(a, b) + ((rng_halves(a, b >> 32) + rng_halves(a >> 32, b)) << 32);
#endif
}

/* Both words of a b. */
RNG_INLINE rng_words rng_wide(rng_words a, rng_words b, rng_words *high)
{
  const rng_words a1 = a >> 32, b1 = b >> 32;
  const rng_words low = rng_halves(a, b), cross = rng_halves(a1, b) + (low >> 32);
  const rng_words other = rng_halves(a, b1) + (cross & UINT32_MAX);
  *high = rng_halves(a1, b1) + (cross >> 32) + (other >> 32);
  return other << 32 | (low & UINT32_MAX);
}

/* a, and one more where the sum of which `part` was one part has overflown. */
RNG_INLINE rng_words rng_carried(rng_words a, rng_words sum, rng_words part)
{
#if RNG_WIDTH == 8
  return (rng_words)_mm512_mask_add_epi64((__m512i)a, _mm512_cmplt_epu64_mask((__m512i)sum, (__m512i)part), (__m512i)a,
                                          _mm512_set1_epi64(1));
#else
  return a - (rng_words)(sum < part);
#endif
}

/* rng_next of every lane. */
RNG_INLINE rng_words rng_lanes_next(rng_lanes *self)
{
  const rng_words multiplier = rng_both(RNG_CHEAP_MULTIPLIER), odd = self->lo | 1;
  rng_words x = self->hi, high;
  const rng_words low = rng_wide(self->lo, multiplier, &high) + self->inc_lo;
  const rng_words rest = high + self->inc_hi;
  self->hi = rng_low(self->hi, multiplier) + rng_carried(rest, low, self->inc_lo);
  self->lo = low;
  x ^= x >> 32;
  x = rng_low(x, multiplier);
  x ^= x >> 48;
  return rng_low(x, odd);
}

/* rng_double_open of the bits: the float of [1, 2) with their upper 52, less 1 - 2^-53, which is exact. */
RNG_INLINE rng_reals rng_open(rng_words bits)
{
  const rng_words one = bits >> 12 | UINT64_C(0x3ff0000000000000);
  return (rng_reals)one - 0x1.fffffffffffffp-1;
}

/* The numbers of a table at the indices' lowest four bits. */
RNG_INLINE rng_reals rng_ranges(const double table[RNG_LN_RANGES], rng_words index)
{
#if RNG_WIDTH == 8
  return (rng_reals)_mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)index, _mm512_loadu_pd(table + 8));
#elif RNG_WIDTH == 4
  index &= RNG_LN_RANGES - 1;
  return (rng_reals){table[index[0]], table[index[1]], table[index[2]], table[index[3]]};
#else
  index &= RNG_LN_RANGES - 1;
  return (rng_reals){table[index[0]], table[index[1]]};
#endif
}

/* -rng_ln of every lane, for normal numbers. */
RNG_INLINE rng_reals rng_minus_ln(rng_reals x)
{
  const rng_words bits = (rng_words)x - RNG_LN_FROM, range = bits >> 48;
  const rng_reals m = (rng_reals)((bits & RNG_LN_TAIL) + RNG_LN_LEAST);
  const rng_reals k = (rng_reals)(bits >> 52 | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023.0);
  const rng_reals c = (rng_reals)((bits & RNG_LN_RANGE) + RNG_LN_FIRST);
  const rng_reals r = (m - c) * rng_ranges(rng_ln_table.inverse, range), square = r * r;
  const rng_reals high = k * RNG_LN2_HIGH + rng_ranges(rng_ln_table.ln, range);
  return -(high + (r + (k * RNG_LN2_LOW + square * (r * RNG_LN_SERIES(r, square) - 0.5))));
}

#endif
