/* What a level of rng_pairs.h consists of, compiled once for each level of instructions. */
#include "engine/rng/rng_pairs_step.h"

static void pairs_more(rng_pairs *self, uint64_t place)
{
  pairs_step(self, place);
}

static void pairs_start(rng_pairs *self, const rng_stream *stream)
{
  self->stream = *stream;
  for (uint64_t k = 0; k < RNG_PAIRS; k += RNG_WIDTH) pairs_step(self, k);
}

#define RNG_PAIRS_LEVEL                                                                                                \
  {                                                                                                                    \
    RNG_WIDTH, pairs_start, pairs_more                                                                                 \
  }
