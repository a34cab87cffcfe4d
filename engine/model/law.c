/* Reading a network: propensities, free energies and the entropy of an event. Invariant: pure functions of the network
 * and the counts, the same bits everywhere (logarithms and exponentials are the engine's own). Energy changes are sums
 * of logarithms of falling factorials, never differences of ln n!, so they stay exact for large counts. Cost: a
 * propensity is a few multiplications or one walk along its tape. */
#include "compile.h"
#include "engine/rng/rng.h"

#include <float.h>
#include <math.h>

const char *network_source_name(const ness_network *self, int32_t source)
{
  if (source >= 0 && source < self->nres) {
    return network_text(self, self->res_name[source]);
  }
  if (source >= self->nres && source < self->nres + self->nvolt) {
    return network_text(self, self->volt_name[source - self->nres]);
  }
  return source == self->nres + self->nvolt ? "undeclared" : "";
}

/* --- tapes --- */

static double tape_power(double base, double power)
{
  if (power == floor(power) && fabs(power) <= 64) { /* whole powers by squaring: exact where the result is */
    double result = 1, square = base;
    for (int32_t left = (int32_t)fabs(power); left > 0; left /= 2) {
      result *= left % 2 ? square : 1;
      square *= square;
    }
    return power < 0 ? 1 / result : result;
  }
  if (base == 0 && power > 0) {
    return 0;
  }
  return rng_e(power * rng_ln(base));
}

static double tape_tanh(double x)
{
  const double size = fabs(x);
  if (size < 0.5) { /* Lambert's continued fraction: no cancellation near 0 */
    const double z = x * x;
    return x / (1 + z / (3 + z / (5 + z / (7 + z / (9 + z / (11 + z / (13 + z / 15)))))));
  }
  const double y = size > 20 ? 1 : 1 - 2 / (rng_e(2 * size) + 1);
  return isnan(x) ? x : copysign(y, x);
}

static double tape_value(const ness_network *self, int32_t dir, const int64_t *n, double *reg)
{
  const tape_op *op = self->tape + self->tape_start[dir];
  const int32_t length = self->tape_start[dir + 1] - self->tape_start[dir];
  for (int32_t i = 0; i < length; i++, op++) {
    double value = 0;
    switch ((tape_code)op->code) {
    case TAPE_CONST: value = self->tape_const[op->a]; break;
    case TAPE_SLOT: value = (double)n[op->a]; break;
    case TAPE_ADD: value = reg[op->a] + reg[op->b]; break;
    case TAPE_SUB: value = reg[op->a] - reg[op->b]; break;
    case TAPE_MUL: value = reg[op->a] * reg[op->b]; break;
    case TAPE_DIV: value = reg[op->a] / reg[op->b]; break;
    case TAPE_POW: value = tape_power(reg[op->a], reg[op->b]); break;
    case TAPE_NEG: value = -reg[op->a]; break;
    case TAPE_EXP: value = rng_e(reg[op->a]); break;
    case TAPE_LN: value = rng_ln(reg[op->a]); break;
    case TAPE_SQRT: value = sqrt(reg[op->a]); break;
    case TAPE_ABS: value = fabs(reg[op->a]); break;
    case TAPE_MIN: value = reg[op->a] < reg[op->b] ? reg[op->a] : reg[op->b]; break;
    case TAPE_MAX: value = reg[op->a] > reg[op->b] ? reg[op->a] : reg[op->b]; break;
    case TAPE_FLOOR: value = floor(reg[op->a]); break;
    case TAPE_LT: value = reg[op->a] < reg[op->b]; break;
    case TAPE_LE: value = reg[op->a] <= reg[op->b]; break;
    case TAPE_EQ: value = reg[op->a] == reg[op->b]; break;
    case TAPE_AND: value = reg[op->a] != 0 && reg[op->b] != 0; break;
    case TAPE_OR: value = reg[op->a] != 0 || reg[op->b] != 0; break;
    case TAPE_NOT: value = reg[op->a] == 0; break;
    case TAPE_SELECT: value = reg[op->a] != 0 ? reg[op->b] : reg[op->c]; break;
    case TAPE_TANH: value = tape_tanh(reg[op->a]); break;
    case TAPE_CODES: break;
    }
    reg[i] = value;
  }
  return reg[length - 1];
}

/* --- propensities --- */

double network_propensity(const ness_network *self, int32_t dir, const int64_t *n, double *scratch)
{
  for (int32_t g = self->guard_start[dir]; g < self->guard_start[dir + 1]; g++) {
    const int64_t count = n[self->guard_slot[g]];
    if (count < self->guard_low[g] || count > self->guard_high[g]) {
      return 0;
    }
  }
  if (self->dir_law[dir] == LAW_TAPE) {
    const double value = tape_value(self, dir, n, scratch);
    return value >= 0 ? value : (double)NAN;
  }
  double value = self->dir_k[dir]; /* 0 when the direction does not exist */
  for (int32_t r = self->react_start[dir]; r < self->react_start[dir + 1]; r++) {
    const int64_t count = n[self->react_slot[r]];
    const int32_t mult = self->react_mult[r];
    if (count < mult) {
      return 0;
    }
    for (int32_t j = 0; j < mult; j++) {
      value *= (double)(count - j);
    }
  }
  return value;
}

/* --- energies --- */

/* ln((n + by)! / n!); +inf when the count would go below zero, a state that has no weight. */
static double ln_factorial_ratio(int64_t n, int64_t by)
{
  const int64_t top = by > 0 ? n + by : n, factors = by > 0 ? by : -by;
  double sum = 0, product = 1;
  if (n + by < 0) {
    return (double)INFINITY;
  }
  for (int64_t j = 0; j < factors; j++) {
    product *= (double)(top - j);
    if (product > 1e280) { /* factors are below 2^54: the next one might not fit */
      sum += rng_ln(product);
      product = 1;
    }
  }
  sum += rng_ln(product);
  return by > 0 ? sum : -sum;
}

double network_free_energy(const ness_network *self, const int64_t *n)
{
  double sum = 0;
  for (int32_t i = 0; i < self->nslot; i++) {
    const double count = (double)n[i];
    sum += count * self->slot_g[i] + rng_lgamma1p(count);
  }
  return sum;
}

/* The part of a change of G that comes from the counts alone. */
static double change_of_mixing(const ness_network *self, int32_t step, int way, const int64_t *n)
{
  double sum = 0;
  for (int32_t c = self->change_start[step]; c < self->change_start[step + 1]; c++) {
    sum += ln_factorial_ratio(n[self->change_slot[c]], (int64_t)way * self->change_by[c]);
  }
  return sum;
}

double network_free_energy_change(const ness_network *self, int32_t step, int way, const int64_t *n)
{
  double sum = change_of_mixing(self, step, way, n);
  for (int32_t c = self->change_start[step]; c < self->change_start[step + 1]; c++) {
    sum += (double)(way * self->change_by[c]) * self->slot_g[self->change_slot[c]];
  }
  return sum;
}

double network_event_entropy(const ness_network *self, int32_t step, int way, const int64_t *n, int64_t *after,
                             double *scratch)
{
  const int32_t dir = 2 * step + (way < 0), back = 2 * step + (way > 0);
  if (self->dir_law[dir] == LAW_MASS && self->dir_law[back] == LAW_MASS) {
    return way * self->step_lnk[step] - change_of_mixing(self, step, way, n);
  }
  for (int32_t i = 0; i < self->nslot; i++) {
    after[i] = n[i];
  }
  for (int32_t c = self->change_start[step]; c < self->change_start[step + 1]; c++) {
    after[self->change_slot[c]] += (int64_t)way * self->change_by[c];
  }
  const double forth = network_propensity(self, dir, n, scratch);
  const double reverse = network_propensity(self, back, after, scratch);
  if (reverse == 0) {
    return (double)INFINITY;
  }
  /* One rounding close to balance, none lost where the quotient leaves the range. */
  const double ratio = forth / reverse;
  return ratio >= DBL_MIN && ratio <= DBL_MAX ? rng_ln(ratio) : rng_ln(forth) - rng_ln(reverse);
}
