/* The making of rng_pairs.h, compiled once for each level of instructions. The draws are plain code, since no vector
 * has the long products that a step of the generator is made of, and the logarithms are vectors; processors do both at
 * once. Cost: 7 ns a pair on its own at 2.5 GHz, and about 4 between the links of a chain that waits. */
#include "engine/rng/rng_pairs.h"
#include "engine/rng/rng_vector.h"

#include <string.h>

/* The next RNG_WIDTH pairs, to `place` and those after it. */
RNG_INLINE void pairs_step(rng_pairs *self, uint64_t place)
{
  rng_stream stream = self->stream;
  rng_words waits, choices;
  for (int k = 0; k < RNG_WIDTH; k++) {
    waits[k] = rng_next(&stream);
    choices[k] = rng_next(&stream);
  }
  self->stream = stream;
  const rng_reals wait = rng_minus_ln(rng_open(waits)), choice = rng_open(choices);
  memcpy(self->wait + place, &wait, sizeof wait);
  memcpy(self->choice + place, &choice, sizeof choice);
}
