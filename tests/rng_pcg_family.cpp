// Holds engine/rng against Debian's libpcg-cpp-dev (pcg_random.hpp 0.98), which has no DXSM output and no cheap
// multiplier by name. Its engine template takes both: the 128-bit LCG, set-stream seeding, stepping, advance and
// backstep are then the library's own code on our constants, and only the DXSM output function is written here, after
// its definition.
#include "../engine/rng/rng.h"

#include <pcg_random.hpp>

#include <cstdio>

namespace {

typedef pcg_extras::pcg128_t u128;

struct cheap_multiplier {
  static u128 multiplier()
  {
    return 0xda942042e4dd58b5ULL;
  }
};

struct dxsm_output {
  static uint64_t output(u128 state)
  {
    uint64_t hi = static_cast<uint64_t>(state >> 64), lo = static_cast<uint64_t>(state);
    lo |= 1;
    hi ^= hi >> 32;
    hi *= 0xda942042e4dd58b5ULL;
    hi ^= hi >> 48;
    hi *= lo;
    return hi;
  }
};

typedef pcg_detail::specific_stream<u128> set_stream;

struct dxsm_engine : pcg_detail::engine<uint64_t, u128, dxsm_output, true, set_stream, cheap_multiplier> {
  dxsm_engine(u128 state, u128 increment)
  {
    set_stream(increment >> 1);
    state_ = state;
  }
  u128 state() const
  {
    return state_;
  }
};

// Seeds with the library's default 128-bit multiplier, as numpy does.
struct seed_engine : pcg_detail::setseq_base<uint64_t, u128, pcg_detail::xsl_rr_mixin> {
  seed_engine(u128 state, u128 sequence)
      : pcg_detail::setseq_base<uint64_t, u128, pcg_detail::xsl_rr_mixin>(state, sequence)
  {
  }
  u128 state() const
  {
    return state_;
  }
  u128 step_constant() const
  {
    return increment();
  }
};

int checks, failures;

void check(bool ok, const char *what)
{
  checks++;
  if (!ok) {
    failures++;
    std::fprintf(stderr, "%s: differs from pcg-cpp\n", what);
  }
}

u128 join(uint64_t hi, uint64_t lo)
{
  return static_cast<u128>(hi) << 64 | lo;
}

void compare(uint32_t seed)
{
  const uint32_t entropy[1] = {seed};
  uint32_t words[8];
  uint64_t w[4];
  rng_seed_sequence(entropy, 1, nullptr, 0, words, 8);
  for (int i = 0; i < 4; i++) {
    w[i] = static_cast<uint64_t>(words[2 * i + 1]) << 32 | words[2 * i];
  }
  rng_stream ours;
  rng_init_words(&ours, words);
  seed_engine seeded(join(w[0], w[1]), join(w[2], w[3]));
  check(join(ours.hi, ours.lo) == seeded.state(), "state after seeding");
  check(join(ours.inc_hi, ours.inc_lo) == seeded.step_constant(), "increment after seeding");

  dxsm_engine theirs(seeded.state(), seeded.step_constant());
  bool same = true;
  for (int i = 0; i < 100000; i++) {
    same = rng_next(&ours) == theirs() && same;
  }
  check(same, "100000 outputs");

  static const uint64_t deltas[][2] = {
      {0, 0}, {0, 1}, {0, 12345}, {1, 0}, {0xfedcba9876543210, 0x0f1e2d3c4b5a6978}, {~UINT64_C(0), ~UINT64_C(0)}};
  for (const auto &delta : deltas) {
    rng_advance(&ours, delta[0], delta[1]);
    theirs.advance(join(delta[0], delta[1]));
    check(join(ours.hi, ours.lo) == theirs.state(), "advance");
    const u128 back = ~join(delta[0], delta[1]) + 1;
    rng_advance(&ours, static_cast<uint64_t>(back >> 64), static_cast<uint64_t>(back));
    theirs.backstep(join(delta[0], delta[1]));
    check(join(ours.hi, ours.lo) == theirs.state() && rng_next(&ours) == theirs(), "backstep");
  }

  // Planted: a different increment must not pass.
  dxsm_engine other(theirs.state(), seeded.step_constant() + 2);
  other();
  theirs();
  check(!(other.state() == theirs.state()), "a wrong stream went unnoticed");
}

} // namespace

int main()
{
  compare(0xdeadbeaf);
  compare(0);
  compare(12345);
  std::printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
