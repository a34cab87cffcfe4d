/* Random streams and the laws drawn from them. One stream is four words, belongs to one replica and one purpose, and
 * is never shared by threads; there is no global state. Every function gives the same bits on every machine, compiler
 * and libm, provided that the compiler neither reassociates nor contracts (-ffp-contract=off, no -ffast-math).
 * Generator: PCG64-DXSM (O'Neill 2014, HMC-CS-2014-0905; the DXSM output of 2019), as numpy.random.PCG64DXSM. */
#ifndef NESS_RNG_RNG_H
#define NESS_RNG_RNG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

__extension__ typedef unsigned __int128 rng_u128;

/* state = hi:lo, increment = inc_hi:inc_lo (odd: it selects the stream). Plain words: copying one copies the stream. */
typedef struct {
  uint64_t hi, lo, inc_hi, inc_lo;
} rng_stream;

/* One layer of a ziggurat: draws below `inside` are under the curve; `scale` turns the integer draw into a value. */
typedef struct {
  uint64_t inside;
  double scale;
} rng_layer;

#define RNG_CHEAP_MULTIPLIER UINT64_C(0xda942042e4dd58b5)
#define RNG_COUNT_MAX (INT64_C(1) << 52) /* largest Poisson mean and binomial n: every count below is a double */

/* The stream of numpy's PCG64DXSM(SeedSequence(seed, spawn_key=(replica, purpose))), bit for bit. About 80 ns. */
void rng_init(rng_stream *self, uint64_t seed, uint32_t replica, uint32_t purpose);

/* numpy's SeedSequence(entropy, spawn_key).generate_state(n_out) in 32-bit words, little end first. A spawn key of no
 * words is no spawn key. NULL goes with a length of 0. */
void rng_seed_sequence(const uint32_t *entropy, size_t n_entropy, const uint32_t *spawn_key, size_t n_spawn_key,
                       uint32_t *out, size_t n_out);

/* The stream of numpy's PCG64DXSM over the first eight words of a seed sequence. */
void rng_init_words(rng_stream *self, const uint32_t words[8]);

/* As if rng_next had been called delta_hi:delta_lo times (mod 2^128, so that -n steps back). O(log delta), < 1 us. */
void rng_advance(rng_stream *self, uint64_t delta_hi, uint64_t delta_lo);

/* words = {hi, lo, inc_hi, inc_lo}. Loading returns 0, or -1 and leaves self alone for an even increment, which no
 * stream has. */
void rng_save(const rng_stream *self, uint64_t words[4]);
int rng_load(rng_stream *self, const uint64_t words[4]);

/* 64 uniform bits. The output is taken from the state before the step, so the multiplications overlap. */
static inline uint64_t rng_next(rng_stream *self)
{
  const uint64_t lo = self->lo | 1;
  uint64_t x = self->hi;
  const rng_u128 state =
      ((rng_u128)self->hi << 64 | self->lo) * RNG_CHEAP_MULTIPLIER + ((rng_u128)self->inc_hi << 64 | self->inc_lo);
  self->hi = (uint64_t)(state >> 64);
  self->lo = (uint64_t)state;
  x ^= x >> 32;
  x *= RNG_CHEAP_MULTIPLIER;
  x ^= x >> 48;
  return x * lo;
}

/* Uniform on the multiples of 2^-53 in [0, 1), as numpy's Generator.random. Zero comes once in 2^53 draws. */
static inline double rng_double(rng_stream *self)
{
  return (double)(int64_t)(rng_next(self) >> 11) * 0x1p-53;
}

/* Uniform on the odd multiples of 2^-53 in (0, 1): never 0, never 1, mean exactly 1/2. */
static inline double rng_double_open(rng_stream *self)
{
  return (double)(int64_t)(rng_next(self) >> 11 | 1) * 0x1p-53;
}

/* Uniform on 0 ... n-1, exactly (Lemire 2019, doi:10.1145/3230636); n = 0 gives 0. One draw, but for a share of calls
 * below n / 2^64. */
static inline uint64_t rng_below(rng_stream *self, uint64_t n)
{
  rng_u128 product = (rng_u128)rng_next(self) * n;
  if ((uint64_t)product < n) {
    const uint64_t threshold = (UINT64_C(0) - n) % (n ? n : 1);
    while ((uint64_t)product < threshold) {
      product = (rng_u128)rng_next(self) * n;
    }
  }
  return (uint64_t)(product >> 64);
}

/* Ziggurat layers and the slow paths behind them; for the two functions below alone. */
extern const rng_layer rng_exp_layer[256];
extern const rng_layer rng_normal_layer[256];
double rng_exp_slow(rng_stream *self, uint64_t bits);
double rng_normal_slow(rng_stream *self, uint64_t bits);

/* Exponential of mean 1. Never 0: the smallest value is 4e-19; there is no largest one. Each layer has a grid of its
 * own, of spacing 9e-19 to 1.2e-16, so the mixture is finer than the doubles from 1 on. 98.9 % of draws take the first
 * return. */
static inline double rng_exp(rng_stream *self)
{
  const uint64_t bits = rng_next(self);
  const rng_layer *layer = &rng_exp_layer[bits & 255];
  const uint64_t draw = bits >> 7 | 1; /* 57 bits, odd: the midpoints of 2^56 cells, independent of the layer */
  if (draw < layer->inside) {
    return (double)(int64_t)draw * layer->scale;
  }
  rng_stream slow = *self; /* a copy, so that a caller's stream in registers stays there */
  const double value = rng_exp_slow(&slow, bits);
  *self = slow;
  return value;
}

/* Standard normal, never 0; the sign is a bit of its own and the magnitude has 55 bits within its layer. */
static inline double rng_normal(rng_stream *self)
{
  const uint64_t bits = rng_next(self);
  const rng_layer *layer = &rng_normal_layer[bits & 255];
  const uint64_t draw = bits >> 8 | 1; /* bit 8 of the draw is the sign; the odd bit takes its place */
  if (draw < layer->inside) {
    const int64_t negative = -(int64_t)(bits >> 8 & 1);
    return (double)(((int64_t)draw ^ negative) - negative) * layer->scale;
  }
  rng_stream slow = *self;
  const double value = rng_normal_slow(&slow, bits);
  *self = slow;
  return value;
}

/* Poisson count of a mean in 0 ... RNG_COUNT_MAX, exact in law; -1 and no draw for any other mean or a NaN.
 * Below 12 the cost is mean + 1 exponentials, beyond it is bounded (under 100 ns). */
int64_t rng_poisson(rng_stream *self, double mean);

/* Gamma of a whole shape: a sum of so many exponentials of mean 1, in law; 0 and no draw for a shape below 1. */
double rng_gamma(rng_stream *self, int64_t shape);

/* Successes in n trials of probability p, exact in law; -1 and no draw unless 0 <= n <= RNG_COUNT_MAX, 0 <= p <= 1. */
int64_t rng_binomial(rng_stream *self, int64_t n, double p);

/* Alias table over n weights, in the caller's memory: prob, alias and work have n entries, work is scratch. Returns 0,
 * or -1 for n < 1, a negative, infinite or NaN weight, or weights that are all zero. O(n). Entry i has w_i / sum to
 * about n * 1e-16 of 1/n; an entry of weight 0 is never drawn. */
int rng_alias_build(int32_t n, const double *w, double *prob, int32_t *alias, int32_t *work);

/* An index of the table, by two draws: an exact column and a 53-bit coin. */
static inline int32_t rng_alias_draw(rng_stream *self, int32_t n, const double *prob, const int32_t *alias)
{
  const uint64_t i = rng_below(self, (uint64_t)n);
  const int32_t column[2] = {alias[i], (int32_t)i};
  return column[rng_double(self) < prob[i]];
}

/* ln x (within 2 ulp), ln(1 + x) and exp(x) (within 1 or so) without libm; infinities, NaN, zeros and subnormals as in
 * C. */
double rng_ln(double x);
double rng_ln1p(double x);
double rng_e(double x);

/* ln n! for a whole n >= 0, within 4 ulp. */
double rng_lgamma1p(double n);

/* ln n! - ((n + 1/2) ln n - n + 1/2 ln 2 pi) for a whole n >= 1; 0 for n = 0. */
double rng_stirling_error(double n);

/* x ln(x / mean) + mean - x >= 0 without cancellation near x = mean, for x >= 0 and mean > 0. */
double rng_deviance(double x, double mean);

#ifdef __cplusplus
}
#endif

#endif
