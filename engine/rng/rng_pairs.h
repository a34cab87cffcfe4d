/* A ring of what events are made of: the draws of one stream two by two, the first of each pair as an exponential, the
 * second as a uniform number. It is filled ahead, as many pairs at a time as a vector has lanes, by work that waits for
 * nothing and so fits between events, which are chains (rng_pairs_step.h). */
#ifndef ENGINE_RNG_RNG_PAIRS_H
#define ENGINE_RNG_RNG_PAIRS_H

#include "engine/rng/rng.h"

enum { RNG_PAIRS = 32 }; /* in the ring, a power of two */

typedef struct rng_pairs {
  _Alignas(64) double wait[RNG_PAIRS]; /* -ln u of an open uniform u: mean 1, on 2^-53 ... 36.7, which leaves out
                                          1.1e-16 of it */
  double choice[RNG_PAIRS];            /* uniform on the odd multiples of 2^-53 in (0, 1) */
  rng_stream stream;                   /* before the next pair */
} rng_pairs;

/* Pair k of a stream stands at place k modulo RNG_PAIRS from the start, and from when pair k - RNG_PAIRS was taken and
 * rng_pairs_more called for its `width` places, which are a multiple of the width and those after it. The same bits by
 * all instruction sets. */
typedef struct rng_pairs_level {
  uint64_t width;
  void (*start)(rng_pairs *self, const rng_stream *stream);
  void (*more)(rng_pairs *self, uint64_t place);
} rng_pairs_level;

extern const rng_pairs_level rng_pairs_plain, rng_pairs_avx2; /* the second on x86-64 alone */

#endif
