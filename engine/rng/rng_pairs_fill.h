/* The body of rng_pairs_fill, compiled once for each level of instructions. Lane k takes pairs k, k + RNG_WIDTH, ...:
 * the generator is linear, so a stride of 2 RNG_WIDTH draws is one multiplication and one addition modulo 2^128 (Brown
 * 1994, "Random number generation with arbitrary strides"). */
#include "engine/rng/rng_pairs.h"
#include "engine/rng/rng_vector.h"

#include <string.h>

static void pairs_fill(rng_stream *stream, rng_pairs *out)
{
  rng_lanes lane = {rng_both(0), rng_both(0), rng_both(stream->inc_hi), rng_both(stream->inc_lo)};
  rng_stream at = *stream;
  for (int k = 0; k < RNG_WIDTH; k++) {
    lane.hi[k] = at.hi;
    lane.lo[k] = at.lo;
    rng_next(&at);
    rng_next(&at);
  }
  rng_u128 power = 1, sum = 0; /* multiplier^stride, and the sum of the powers below it */
  for (int k = 0; k < 2 * RNG_WIDTH; k++) {
    sum += power;
    power *= RNG_CHEAP_MULTIPLIER;
  }
  sum *= (rng_u128)stream->inc_hi << 64 | stream->inc_lo;
  const rng_words power_hi = rng_both((uint64_t)(power >> 64)), power_lo = rng_both((uint64_t)power);
  const rng_words sum_hi = rng_both((uint64_t)(sum >> 64)), sum_lo = rng_both((uint64_t)sum);
  for (int k = 0; k < RNG_PAIRS; k += RNG_WIDTH) {
    const rng_words hi = lane.hi, lo = lane.lo;
    const rng_reals wait = rng_minus_ln(rng_open(rng_lanes_next(&lane))), choice = rng_open(rng_lanes_next(&lane));
    memcpy(out->wait + k, &wait, sizeof wait);
    memcpy(out->choice + k, &choice, sizeof choice);
    rng_words high;
    lane.lo = rng_wide(lo, power_lo, &high) + sum_lo;
    lane.hi = high + rng_low(lo, power_hi) + rng_low(hi, power_lo) + sum_hi - (rng_words)(lane.lo < sum_lo);
  }
  stream->hi = lane.hi[0];
  stream->lo = lane.lo[0];
}
