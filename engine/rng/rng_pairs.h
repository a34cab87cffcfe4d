/* Blocks of what events are made of: the draws of one stream two by two, the first of each pair as an exponential, the
 * second as a uniform number. */
#ifndef ENGINE_RNG_RNG_PAIRS_H
#define ENGINE_RNG_RNG_PAIRS_H

#include "engine/rng/rng.h"

#define RNG_PAIRS 128

typedef struct rng_pairs {
  double wait[RNG_PAIRS];   /* -ln u of an open uniform u: mean 1, on 2^-53 ... 36.7, which leaves out 1.1e-16 of it */
  double choice[RNG_PAIRS]; /* uniform on the odd multiples of 2^-53 in (0, 1) */
} rng_pairs;

/* Fills the block from the next 2 RNG_PAIRS draws of the stream: pair k has draws 2k and 2k + 1. The same bits by all
 * instruction sets. About 3 ns a pair on AVX2. */
typedef void (*rng_pairs_fill)(rng_stream *stream, rng_pairs *out);

/* The fastest that this processor has; ask once a run. */
rng_pairs_fill rng_pairs_best(void);

#endif
