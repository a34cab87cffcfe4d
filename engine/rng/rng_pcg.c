/* PCG64-DXSM: seeding and jumping. Owns how a (seed, replica, purpose) becomes a stream; the step itself is inline in
 * rng.h. Invariant: the increment is odd, so that every stream has the full period 2^128.
 * Seeding is numpy's SeedSequence (O'Neill 2015, "Developing a seed_seq alternative", with numpy's spawn keys), then
 * pcg's set-stream seeding, whose two steps take the default 128-bit multiplier although the generator runs on the
 * cheap one: numpy does so, and agreement to the bit is the promise. Jumping is Brown 1994, "Random number generation
 * with arbitrary strides". Cost: about 80 ns a stream, under 1 us a jump. */
#include "rng.h"

#define POOL_SIZE 4

static rng_u128 rng_join(uint64_t hi, uint64_t lo)
{
  return (rng_u128)hi << 64 | lo;
}

/* One round of the entropy hash; `multiplier` is a running constant, so that equal words at two places differ. */
static uint32_t rng_hash_word(uint32_t word, uint32_t *multiplier, uint32_t growth)
{
  word ^= *multiplier;
  *multiplier *= growth;
  word *= *multiplier;
  return word ^ word >> 16;
}

static uint32_t rng_mix_words(uint32_t x, uint32_t y)
{
  const uint32_t mixed = UINT32_C(0xca01f9dd) * x - UINT32_C(0x4973f715) * y;
  return mixed ^ mixed >> 16;
}

void rng_seed_sequence(const uint32_t *entropy, size_t n_entropy, const uint32_t *spawn_key, size_t n_spawn_key,
                       uint32_t *out, size_t n_out)
{
  /* With a spawn key the entropy is padded to the pool, so that no seed can imitate another seed's spawn key. */
  const size_t n_front = n_spawn_key > 0 && n_entropy < POOL_SIZE ? POOL_SIZE : n_entropy;
  const size_t n_words = n_front + n_spawn_key;
  uint32_t pool[POOL_SIZE];
  uint32_t multiplier = UINT32_C(0x43b0d7e5);

  for (size_t i = 0; i < POOL_SIZE; i++) {
    pool[i] = rng_hash_word(i < n_entropy ? entropy[i] : 0, &multiplier, UINT32_C(0x931e8875));
  }
  for (size_t from = 0; from < POOL_SIZE; from++) {
    for (size_t to = 0; to < POOL_SIZE; to++) {
      if (from != to) {
        pool[to] = rng_mix_words(pool[to], rng_hash_word(pool[from], &multiplier, UINT32_C(0x931e8875)));
      }
    }
  }
  for (size_t i = POOL_SIZE; i < n_words; i++) {
    const uint32_t word = i < n_front ? entropy[i] : spawn_key[i - n_front];
    for (size_t to = 0; to < POOL_SIZE; to++) {
      pool[to] = rng_mix_words(pool[to], rng_hash_word(word, &multiplier, UINT32_C(0x931e8875)));
    }
  }

  multiplier = UINT32_C(0x8b51f9dd);
  for (size_t i = 0; i < n_out; i++) {
    out[i] = rng_hash_word(pool[i % POOL_SIZE], &multiplier, UINT32_C(0x58f38ded));
  }
}

void rng_init_words(rng_stream *self, const uint32_t words[8])
{
  const rng_u128 default_multiplier = rng_join(UINT64_C(0x2360ed051fc65da4), UINT64_C(0x4385df649fccf645));
  uint64_t value[4];
  for (size_t i = 0; i < 4; i++) {
    value[i] = (uint64_t)words[2 * i + 1] << 32 | words[2 * i];
  }
  const rng_u128 increment = rng_join(value[2], value[3]) << 1 | 1;
  /* From state 0: one step (which leaves the increment), add the seed, one more step. */
  const rng_u128 state = (increment + rng_join(value[0], value[1])) * default_multiplier + increment;
  self->hi = (uint64_t)(state >> 64);
  self->lo = (uint64_t)state;
  self->inc_hi = (uint64_t)(increment >> 64);
  self->inc_lo = (uint64_t)increment;
}

void rng_init(rng_stream *self, uint64_t seed, uint32_t replica, uint32_t purpose)
{
  const uint32_t entropy[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  const uint32_t spawn_key[2] = {replica, purpose};
  uint32_t words[8];
  rng_seed_sequence(entropy, 2, spawn_key, 2, words, 8);
  rng_init_words(self, words);
}

void rng_advance(rng_stream *self, uint64_t delta_hi, uint64_t delta_lo)
{
  /* x -> multiplier x + increment, composed with itself; the binary digits of delta pick the powers. */
  rng_u128 multiplier = RNG_CHEAP_MULTIPLIER;
  rng_u128 increment = rng_join(self->inc_hi, self->inc_lo);
  rng_u128 state = rng_join(self->hi, self->lo);
  for (rng_u128 delta = rng_join(delta_hi, delta_lo); delta; delta >>= 1) {
    if (delta & 1) {
      state = multiplier * state + increment;
    }
    increment *= multiplier + 1;
    multiplier *= multiplier;
  }
  self->hi = (uint64_t)(state >> 64);
  self->lo = (uint64_t)state;
}

void rng_save(const rng_stream *self, uint64_t words[4])
{
  words[0] = self->hi;
  words[1] = self->lo;
  words[2] = self->inc_hi;
  words[3] = self->inc_lo;
}

int rng_load(rng_stream *self, const uint64_t words[4])
{
  if (!(words[3] & 1)) {
    return -1;
  }
  *self = (rng_stream){words[0], words[1], words[2], words[3]};
  return 0;
}
