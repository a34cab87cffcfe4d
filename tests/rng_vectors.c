/* PCG64-DXSM bit for bit: numpy's published test sets, spawn keys, seed sequences, jumps; and digests that pin every
 * law to its bits, so that no compiler, flag or libm can change a seeded result unseen. Planted: steps by the default
 * multiplier, a swapped spawn key, a logarithm off by four units. numpy's figures were printed by numpy 1.24.2. */
#include "check.h"

#include "../engine/base/simd.h"
#include "../engine/rng/rng.h"
#include "../engine/rng/rng_pairs.h"

#include <float.h>
#include <stdlib.h>

/* numpy/random/tests/data/pcg64dxsm-testset-{1,2}.csv: 1000 outputs of PCG64DXSM(seed). The fold over all of them is
 *   h = 0; for x in values: h = (h * 0x100000001b3 + x) % 2**64 */
static const struct {
  uint32_t seed;
  uint64_t first[4], last, fold;
} published[] = {
    {0xdeadbeafu,
     {UINT64_C(0xdf1ddcf1e22521fe), UINT64_C(0xc71b2f9c706cf151), UINT64_C(0x6922a8cc24ad96b2),
      UINT64_C(0x82738c549beccc30)},
     UINT64_C(0x4955c92aaa231578),
     UINT64_C(0x5e0c807b8aa1358)},
    {0x0u,
     {UINT64_C(0xd97e4a147f788a70), UINT64_C(0x8dfa7bce56e3a253), UINT64_C(0x13556ed9f53d3c10),
      UINT64_C(0x55dbf1c241341e98)},
     UINT64_C(0xc0a277e3b2bfc3de),
     UINT64_C(0xb57a3b6bba23ff8f)},
};

/* PCG64DXSM(SeedSequence(seed, spawn_key=(replica, purpose))).random_raw(3) */
static const struct {
  uint64_t seed;
  uint32_t replica, purpose;
  uint64_t first[3];
} spawned[] = {
    {0, 0, 0, {UINT64_C(0x1832aa61e9d7b41d), UINT64_C(0x97028aac3e277ca0), UINT64_C(0x4ef116d550657d17)}},
    {42, 0, 0, {UINT64_C(0x4be5b2f6a85ae0c0), UINT64_C(0xbca2d0c0936fb8bc), UINT64_C(0x9f4dad564f441121)}},
    {42, 1, 0, {UINT64_C(0xb3217d6d96ddb49d), UINT64_C(0xf5058d00af2aab2c), UINT64_C(0x2904e39556609481)}},
    {42, 0, 1, {UINT64_C(0x4867d359614e0e6b), UINT64_C(0x0beea1771b178d5d), UINT64_C(0x6acbd59cce064cea)}},
    {0xdeadbeaf, 3, 5, {UINT64_C(0xbf4ab32c8373eccd), UINT64_C(0x47297c148bc54100), UINT64_C(0xb76c45fee5eaa924)}},
    {UINT64_C(1) << 32,
     7,
     2,
     {UINT64_C(0xbbe58a38cef7d953), UINT64_C(0xfdb9eb4155152358), UINT64_C(0x4f7257e8635319cd)}},
    {UINT64_MAX,
     UINT32_MAX,
     UINT32_MAX,
     {UINT64_C(0x913c7dbab07c987c), UINT64_C(0x0265ce83e7e8bfbe), UINT64_C(0x00a3f69edee42bfd)}},
};

/* g = PCG64DXSM(SeedSequence(42, spawn_key=(1, 2))); g.advance(delta); g.random_raw() */
static const struct {
  uint64_t hi, lo, next;
} jumped[] = {
    {0, 1, UINT64_C(0x3feec9f539a115df)},
    {0, 1000, UINT64_C(0xfa0ede2a07b1e4d7)},
    {1, 3, UINT64_C(0xd88ac4ef7a03095a)},
    {UINT64_C(1) << 63, 12345, UINT64_C(0x2d55a5a33abc9dcd)},
    {UINT64_MAX, UINT64_MAX, UINT64_C(0x8063b74b3aefc0b6)},
};

static uint64_t fold(uint64_t h, uint64_t x)
{
  return h * UINT64_C(0x100000001b3) + x;
}

static uint64_t fold_double(uint64_t h, double x)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return fold(h, bits);
}

static void init_plain(rng_stream *self, uint32_t seed)
{
  uint32_t words[8];
  rng_seed_sequence(&seed, 1, NULL, 0, words, 8);
  rng_init_words(self, words);
}

static int same(const rng_stream *a, const rng_stream *b)
{
  return a->hi == b->hi && a->lo == b->lo && a->inc_hi == b->inc_hi && a->inc_lo == b->inc_lo;
}

static void test_published(void)
{
  for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
    rng_stream stream;
    uint64_t h = 0, x = 0;
    init_plain(&stream, published[i].seed);
    for (int n = 0; n < 1000; n++) {
      x = rng_next(&stream);
      CHECK(n >= 4 || x == published[i].first[n]);
      h = fold(h, x);
    }
    CHECK(x == published[i].last);
    CHECK(h == published[i].fold);

    /* Planted: the default multiplier instead of the cheap one for the steps agrees in the first output only. */
    uint64_t words[4];
    init_plain(&stream, published[i].seed);
    rng_save(&stream, words);
    const rng_u128 wrong = ((rng_u128)words[0] << 64 | words[1]) *
                               ((rng_u128)UINT64_C(0x2360ed051fc65da4) << 64 | UINT64_C(0x4385df649fccf645)) +
                           ((rng_u128)words[2] << 64 | words[3]);
    CHECK(rng_next(&stream) == published[i].first[0]);
    words[0] = (uint64_t)(wrong >> 64);
    words[1] = (uint64_t)wrong;
    CHECK(rng_load(&stream, words) == 0 && rng_next(&stream) != published[i].first[1]);
  }
}

static void test_spawned(void)
{
  for (size_t i = 0; i < sizeof spawned / sizeof spawned[0]; i++) {
    rng_stream stream, swapped;
    rng_init(&stream, spawned[i].seed, spawned[i].replica, spawned[i].purpose);
    for (int n = 0; n < 3; n++) {
      CHECK(rng_next(&stream) == spawned[i].first[n]);
    }
    rng_init(&swapped, spawned[i].seed, spawned[i].purpose, spawned[i].replica + 1);
    CHECK(rng_next(&swapped) != spawned[i].first[0]);
  }
}

static void test_seed_sequence(void)
{
  uint32_t out[10];

  /* SeedSequence(2**200 + 12345, spawn_key=(9,)).generate_state(10) */
  static const uint32_t wide[7] = {12345, 0, 0, 0, 0, 0, 256}, nine[1] = {9};
  static const uint32_t wide_out[10] = {0xd7dff9fb, 0x95dbae43, 0xa41b22ff, 0xa219736a, 0x6493ec47,
                                        0x4d909c38, 0xe514bbe0, 0x18f99a2a, 0x78666422, 0x169f5967};
  rng_seed_sequence(wide, 7, nine, 1, out, 10);
  CHECK(memcmp(out, wide_out, sizeof wide_out) == 0);

  /* SeedSequence([1, 2, 3, 4, 5], spawn_key=(2**40 + 3,)).generate_state(5) */
  static const uint32_t list[5] = {1, 2, 3, 4, 5}, wide_key[2] = {3, 256};
  static const uint32_t list_out[5] = {0xd9984bb1, 0xdc013768, 0x5d5c945a, 0x39d94ecf, 0xb1c6664f};
  rng_seed_sequence(list, 5, wide_key, 2, out, 5);
  CHECK(memcmp(out, list_out, sizeof list_out) == 0);

  /* SeedSequence(7).generate_state(3), and that trailing zero words of a short seed do not matter */
  static const uint32_t seven[2] = {7, 0}, seven_out[3] = {0x7c326e58, 0xead0f701, 0xf97e037a};
  for (size_t n = 1; n <= 2; n++) {
    rng_seed_sequence(seven, n, NULL, 0, out, 3);
    CHECK(memcmp(out, seven_out, sizeof seven_out) == 0);
  }
  /* A spawn key is not more entropy. */
  rng_seed_sequence(seven, 1, nine, 1, out, 3);
  uint32_t flat[3];
  static const uint32_t seven_nine[2] = {7, 9};
  rng_seed_sequence(seven_nine, 2, NULL, 0, flat, 3);
  CHECK(memcmp(out, flat, sizeof flat) != 0);
}

static void test_advance(void)
{
  rng_stream start, stepped, moved;
  rng_init(&start, 42, 1, 2);
  for (size_t i = 0; i < sizeof jumped / sizeof jumped[0]; i++) {
    moved = start;
    rng_advance(&moved, jumped[i].hi, jumped[i].lo);
    CHECK(rng_next(&moved) == jumped[i].next);
  }

  stepped = start;
  for (uint64_t n = 0; n <= 3000; n++) {
    moved = start;
    rng_advance(&moved, 0, n);
    CHECK(same(&moved, &stepped));
    (void)rng_next(&stepped);
    CHECK(!same(&moved, &stepped));
  }

  /* 2^128 steps are none: back by one is forward by 2^128 - 1, and two halves of the period meet. */
  moved = start;
  (void)rng_next(&moved);
  rng_advance(&moved, UINT64_MAX, UINT64_MAX);
  CHECK(same(&moved, &start));
  rng_advance(&moved, UINT64_C(1) << 63, 0);
  CHECK(!same(&moved, &start));
  rng_advance(&moved, UINT64_C(1) << 63, 0);
  CHECK(same(&moved, &start));

  /* a + b at once is a, then b, carries included. */
  stepped = start;
  rng_advance(&moved, 3, UINT64_MAX);
  rng_advance(&moved, 5, 2);
  rng_advance(&stepped, 9, 1);
  CHECK(same(&moved, &stepped));
}

static void test_save(void)
{
  rng_stream stream, other;
  uint64_t words[4];
  rng_init(&stream, 42, 1, 2);

  /* PCG64DXSM(SeedSequence(42, spawn_key=(1, 2))).state['state'] */
  rng_save(&stream, words);
  CHECK(words[0] == UINT64_C(0x53fd06ed2de7e383) && words[1] == UINT64_C(0x0c667500bd821085));
  CHECK(words[2] == UINT64_C(0xc0eecb508096a50b) && words[3] == UINT64_C(0xf7277560dfd7360b));

  /* numpy.random.Generator(PCG64DXSM(SeedSequence(42, spawn_key=(1, 2)))).random(3) */
  CHECK(rng_double(&stream) == 0x1.cae24873044f0p-1);
  CHECK(rng_double(&stream) == 0x1.ff764fa9cd088p-3);
  CHECK(rng_double(&stream) == 0x1.1947f0ae4d84dp-1);

  rng_save(&stream, words);
  rng_init(&other, 1, 1, 1);
  CHECK(rng_load(&other, words) == 0 && same(&other, &stream));
  CHECK(rng_next(&other) == rng_next(&stream));
  other = stream;
  words[3] ^= 1;
  CHECK(rng_load(&other, words) == -1 && same(&other, &stream));
}

/* The bits of every law over one stream. A change here changes every seeded result: say so in the changelog. */
static void test_digests(void)
{
  enum { N = 100000 };
  static const char *const names[] = {"exp",   "normal", "poisson", "binomial", "below",
                                      "alias", "ln",     "e",       "open",     "gamma"};
  static const uint64_t expected[] = {
      UINT64_C(0x542bbd8a8a74c7cf), /* exp */
      UINT64_C(0x1b8534a58eb7e06f), /* normal */
      UINT64_C(0x106892a49957e98d), /* poisson */
      UINT64_C(0xedf5e6efbbcf0a81), /* binomial */
      UINT64_C(0x434ac62b33572b98), /* below */
      UINT64_C(0xab258185729da61a), /* alias */
      UINT64_C(0x556378255367274f), /* ln */
      UINT64_C(0x2ee7d22444083852), /* e */
      UINT64_C(0x40e8740bd5fc65d1), /* open */
      UINT64_C(0xe60ebb1347bd0249), /* gamma */
  };
  enum { LAWS = sizeof expected / sizeof expected[0] };
  static const double w[5] = {0.1, 2, 0, 3.7, 1e-3};
  double prob[5];
  int32_t alias[5], work[5];
  CHECK(rng_alias_build(5, w, prob, alias, work) == 0);
  for (int law = 0; law < LAWS; law++) {
    rng_stream stream;
    uint64_t h = 0;
    rng_init(&stream, 20240601, 5, (uint32_t)law);
    for (int i = 0; i < N; i++) {
      switch (law) {
      case 0: h = fold_double(h, rng_exp(&stream)); break;
      case 1: h = fold_double(h, rng_normal(&stream)); break;
      case 2: h = fold(h, (uint64_t)rng_poisson(&stream, 0.5 * (1 + i % 7) * (i % 3 ? 1 : 1 + i))); break;
      case 3: h = fold(h, (uint64_t)rng_binomial(&stream, 1 + i, 0.001 * (i % 1001))); break;
      case 4: h = fold(h, rng_below(&stream, UINT64_MAX / 3 * 2 + (uint64_t)i)); break;
      case 5: h = fold(h, (uint64_t)rng_alias_draw(&stream, 5, prob, alias)); break;
      case 6: h = fold_double(h, rng_ln(ldexp(0.7 + rng_double(&stream), i % 3 ? 0 : i % 2000 - 1000))); break;
      case 7: h = fold_double(h, rng_e(1500 * (rng_double(&stream) - 0.5))); break;
      case 8: h = fold_double(h, rng_double_open(&stream)); break;
      default: h = fold_double(h, rng_gamma(&stream, 1 + i % 100)); break;
      }
    }
    CHECK(h == expected[law]);
    if (h != expected[law]) {
      fprintf(stderr, "    UINT64_C(0x%016llx), /* %s */\n", (unsigned long long)h, names[law]);
    }
  }
}

/* Distance of a from the exact b in units of the last place of b. */
static double ulps(double a, double b)
{
  if (a == b || (isnan(a) && isnan(b))) {
    return 0;
  }
  const double place = nextafter(fabs(b), INFINITY) - fabs(b);
  return fabs(a - b) / place;
}

static void test_math(void)
{
  rng_stream stream;
  double worst_ln = 0, worst_near = 0, worst_e = 0, worst_ln1p = 0, worst_gamma = 0;
  rng_init(&stream, 1, 1, 1);
  for (int i = 0; i < 400000; i++) {
    const double x = ldexp(1 + rng_double(&stream), (int)rng_below(&stream, 2098) - 1074);
    const double near = 1 + ldexp(rng_double(&stream) - 0.5, -(int)rng_below(&stream, 50));
    const double y = (rng_double(&stream) - 0.513) * 1455;
    const double z = ldexp(rng_double(&stream) - 0.5, (int)rng_below(&stream, 60) - 58);
    worst_ln = fmax(worst_ln, ulps(rng_ln(x), log(x)));
    worst_near = fmax(worst_near, ulps(rng_ln(near), log(near)));
    worst_e = fmax(worst_e, ulps(rng_e(y), exp(y)));
    worst_e = fmax(worst_e, ulps(rng_e(z), exp(z)));
    worst_ln1p = fmax(worst_ln1p, ulps(rng_ln1p(z), log1p(z)));
    worst_ln1p = fmax(worst_ln1p, ulps(rng_ln1p(x), log1p(x)));
  }
  for (double n = 0; n < 1e18; n = floor(n * 1.01) + 1) {
    worst_gamma = fmax(worst_gamma, ulps(rng_lgamma1p(n), lgamma(n + 1)));
  }
  printf("ulp from libm: ln %.2f, ln near 1 %.2f, e %.2f, ln1p %.2f, lgamma1p %.2f\n", worst_ln, worst_near, worst_e,
         worst_ln1p, worst_gamma);
  CHECK(worst_ln <= 2 && worst_near <= 2 && worst_e <= 2 && worst_ln1p <= 2 && worst_gamma <= 4);
  CHECK(ulps(1 + 4 * DBL_EPSILON, 1) > 2); /* planted: four units off must not pass */

  CHECK(rng_ln(1) == 0 && rng_e(0) == 1 && rng_ln1p(0) == 0 && rng_lgamma1p(0) == 0 && rng_lgamma1p(1) == 0);
  CHECK(rng_ln(0) == -INFINITY && rng_ln(INFINITY) == INFINITY && isnan(rng_ln(-1)) && isnan(rng_ln(NAN)));
  CHECK(rng_ln1p(-1) == -INFINITY && rng_ln1p(INFINITY) == INFINITY && isnan(rng_ln1p(-2)) && isnan(rng_ln1p(NAN)));
  CHECK(rng_e(-INFINITY) == 0 && rng_e(INFINITY) == INFINITY && isnan(rng_e(NAN)));
  CHECK(rng_e(709.9) == INFINITY && rng_e(709.7) < INFINITY && rng_e(-745.2) == 0 && rng_e(-745.1) > 0);

  /* Loader's deviance against the plain form where that is accurate, and its quadratic start where it is not. */
  for (double x = 0; x < 400; x += 1) {
    const double mean = 100.25, plain = (x > 0 ? x * log(x / mean) : 0) + mean - x;
    CHECK(fabs(rng_deviance(x, mean) - plain) <= 4e-13);
  }
  CHECK_REL(rng_deviance(1e15 + 1024, 1e15), 1024.0 * 1024 / 2e15, 1e-9);
  for (double n = 1; n < 60; n += 1) {
    const double plain = lgamma(n + 1) - ((n + 0.5) * log(n) - n + 0.5 * log(8 * atan(1)));
    CHECK(fabs(rng_stirling_error(n) - plain) <= 1e-13);
  }
}

/* The ring of pairs has the draws of the stream in turn, by every level of instructions. */
static void pairs_are_draws(const rng_pairs_level *level)
{
  static rng_pairs ring;
  rng_stream stream, plain;
  int wrong = 0;
  rng_init(&stream, 20261129, 7, 1);
  plain = stream;
  level->start(&ring, &stream);
  for (uint64_t k = 0; k < 100 * RNG_PAIRS; k++) {
    const double wait = -rng_ln(rng_double_open(&plain)), choice = rng_double_open(&plain);
    wrong += ring.wait[k % RNG_PAIRS] != wait || ring.choice[k % RNG_PAIRS] != choice || !(wait > 0 && wait < 37);
    if (k % level->width == level->width - 1) level->more(&ring, (k + 1 - level->width) % RNG_PAIRS);
  }
  CHECK(wrong == 0);
}

int main(void)
{
  pairs_are_draws(&rng_pairs_plain);
#if defined(__x86_64__)
  if (simd_best() >= SIMD_AVX2) pairs_are_draws(&rng_pairs_avx2);
#endif
  test_published();
  test_spawned();
  test_seed_sequence();
  test_advance();
  test_save();
  test_digests();
  test_math();
  return check_done();
}
