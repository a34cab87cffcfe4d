/* Inside the room: the numbers of the logarithm, for one number (rng_math.c) and for a vector of them (rng_vector.h).
 * x is 2^k m with m in [LEAST, 2 LEAST), whose sixteen ranges are equal in the bits of m; the tenth is around 1, where
 * ln c = 0 and small logarithms keep all their digits. In every range |r| = |m - c| / c < 1/32. */
#ifndef ENGINE_RNG_RNG_LN_H
#define ENGINE_RNG_RNG_LN_H

#include <stdint.h>

#define RNG_LN_LEAST UINT64_C(0x3fe6800000000000)                 /* 0.703125 */
#define RNG_LN_FROM (RNG_LN_LEAST - UINT64_C(0x3ff0000000000000)) /* bits - FROM: k + 1023, range, rest of m */
#define RNG_LN_TAIL UINT64_C(0x000fffffffffffff)
/* c is the middle of a range as bits: the range's own of them, and FIRST. */
#define RNG_LN_RANGE UINT64_C(0x000f000000000000)
#define RNG_LN_FIRST UINT64_C(0x3fe7000000000000)

/* ln 2 in two parts: the first has 42 bits, so that its product with an exponent is exact. */
#define RNG_LN2_HIGH 0x1.62e42fefa38p-1
#define RNG_LN2_LOW 0x1.ef35793c7673p-45

/* (ln(1 + r) - r + r^2 / 2) / r^3 with square = r^2, by the polynomial of degree 6 that is best for r^2 times its
 * error, 1.3e-17. */
#define RNG_LN_SERIES(r, square)                                                                                       \
  ((0x1.55555555558b1p-2 + (r) * -0x1.0000000053636p-2) +                                                              \
   (square) * ((0x1.9999998a54bc4p-3 + (r) * -0x1.555546d302339p-3) +                                                  \
               (square) * ((0x1.2492d24488478p-3 + (r) * -0x1.00619f2111afbp-3) + (square)*0x1.c4a2f56c30d52p-4)))

enum { RNG_LN_RANGES = 16 };

typedef struct rng_ln_ranges {
  _Alignas(64) double inverse[RNG_LN_RANGES], ln[RNG_LN_RANGES]; /* 1 / c and ln c */
} rng_ln_ranges;

extern const rng_ln_ranges rng_ln_table;

#endif
