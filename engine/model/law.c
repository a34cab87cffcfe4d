/* Reading a network: propensities, free energies and the entropy of an event. Invariant: pure functions of the network
 * and the counts, the same bits everywhere (logarithms and exponentials are the engine's own). Energy changes are sums
 * of logarithms of falling factorials, never differences of ln n!, so they stay exact for large counts. Cost: a
 * propensity is a few multiplications or one walk along its tape. */
#include "compile.h"
#include "engine/model/tape.h"

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
  const int32_t heat = source - self->nres - self->nvolt;
  if (heat >= 0 && heat < self->nheat) {
    return network_text(self, self->heat_name[heat]);
  }
  const int32_t process = heat - self->nheat;
  if (process >= 0 && process < self->nproc) {
    return network_text(self, self->proc_name[process]);
  }
  return source == network_sources(self) - 1 ? "undeclared" : "";
}

bool network_is_level(const ness_network *self, int32_t slot)
{
  for (int32_t f = 0; f < self->nflip; f++) {
    const int32_t s = self->flip_step[f];
    for (int32_t k = self->change_start[s]; k < self->change_start[s + 1]; k++) {
      if (self->change_slot[k] == slot) {
        return true;
      }
    }
  }
  return false;
}

/* --- tapes --- */

double tape_power(double base, double power)
{
  if (power == floor(power) && fabs(power) <= TAPE_POWER_MOST) {
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

double tape_tanh(double x)
{
  const double size = fabs(x);
  if (size < 0.5) { /* Lambert's continued fraction: no cancellation near 0 */
    const double z = x * x;
    return x / (1 + z / (3 + z / (5 + z / (7 + z / (9 + z / (11 + z / (13 + z / 15)))))));
  }
  const double y = size > 20 ? 1 : 1 - 2 / (rng_e(2 * size) + 1);
  return isnan(x) ? x : copysign(y, x);
}

/* The terms of the series below are x^k / (k + 1)!, and of its slope x^k (k + 1) / (k + 2)!. */
#define EXPREL_TERMS 18

double tape_exprel(double x)
{
  if (fabs(x) < 0.5) {
    double sum = 1;
    for (int32_t k = EXPREL_TERMS; k > 0; k--) {
      sum = 1 + sum * x / (k + 1);
    }
    return sum;
  }
  return x == -(double)INFINITY ? 0 : x == (double)INFINITY ? x : (rng_e(x) - 1) / x;
}

double tape_exprel_slope(double x)
{
  if (fabs(x) < 1) { /* (x e^x - e^x + 1) / x^2 cancels here */
    double sum = 0, term = 0.5;
    for (int32_t k = 0; k < EXPREL_TERMS; k++) {
      sum += term * (k + 1);
      term *= x / (k + 3);
    }
    return sum;
  }
  return x == -(double)INFINITY ? 0 : x == (double)INFINITY ? x : (rng_e(x) * (x - 1) + 1) / (x * x);
}

/* Slots at the counts n, or, without them, all at one count. */
static inline double tape_walk(const tape_op *tape, int32_t length, const double *constant, const int64_t *n,
                               double count, double *reg)
{
  const tape_op *op = tape;
  for (int32_t i = 0; i < length; i++, op++) {
    const tape_code code = (tape_code)op->code;
    const int32_t registers = tape_registers(op->code);
    const double slot = code != TAPE_SLOT ? 0 : n ? (double)n[op->a] : count;
    const double a = code == TAPE_CONST ? constant[op->a] : code == TAPE_SLOT ? slot : reg[op->a];
    reg[i] = tape_apply(code, a, registers > 1 ? reg[op->b] : 0, registers > 2 ? reg[op->c] : 0);
  }
  return reg[length - 1];
}

double network_tape(const tape_op *tape, int32_t length, const double *constant, const int64_t *n, double *reg)
{
  return tape_walk(tape, length, constant, n, 0, reg);
}

double network_part_value(const network_part *self, double count, double *reg)
{
  return tape_walk(self->tape, self->nop, self->constant, NULL, count, reg);
}

/* --- slopes of tapes: forward mode --- */

/* A slope times a factor that may be infinite where the slope is 0. */
static double slope_times(double by, double factor)
{
  return by == 0 ? 0 : by * factor;
}

/* What changes only in jumps is flat unless the operand is at one and moves. */
static double slope_flat(bool at_jump, double by)
{
  return isnan(by) || (at_jump && by != 0) ? (double)NAN : 0;
}

static double slope_power(double result, const double value[3], const double by[3])
{
  const double base = value[0], power = value[1];
  double slope = 0;
  if (by[0] != 0 && power != 0) {
    slope = by[0] * power * (base != 0 ? result / base : tape_power(base, power - 1));
  }
  if (by[1] != 0 && !(base == 0 && power > 0)) {
    slope += by[1] * result * rng_ln(base); /* NaN for a negative base */
  }
  return slope;
}

double network_op_slope(tape_code code, double result, const double value[3], const double by[3])
{
  const double a = value[0], b = value[1], da = by[0], db = by[1];
  switch (code) {
  case TAPE_ADD: return da + db;
  case TAPE_SUB: return da - db;
  case TAPE_MUL: return slope_times(da, b) + slope_times(db, a);
  case TAPE_DIV: return (da - slope_times(db, result)) / b;
  case TAPE_POW: return slope_power(result, value, by);
  case TAPE_NEG: return -da;
  case TAPE_EXP: return slope_times(da, result);
  case TAPE_LN: return da == 0 ? 0 : da / a;
  case TAPE_SQRT: return da == 0 ? 0 : da / (2 * result);
  case TAPE_ABS: return a == 0 ? slope_flat(true, da) : a < 0 ? -da : da;
  case TAPE_MIN: return a == b && da != db ? (double)NAN : a < b ? da : db;
  case TAPE_MAX: return a == b && da != db ? (double)NAN : a > b ? da : db;
  case TAPE_FLOOR: return slope_flat(a == result, da);
  case TAPE_LT:
  case TAPE_LE:
  case TAPE_EQ: return slope_flat(a == b, da - db);
  case TAPE_AND: return slope_flat(a == 0, da) + slope_flat(b == 0, db);
  case TAPE_OR: return slope_flat(a == 0, da) + slope_flat(b == 0, db);
  case TAPE_NOT: return slope_flat(a == 0, da);
  case TAPE_SELECT: return slope_flat(a == 0, da) + (a != 0 ? db : by[2]);
  case TAPE_TANH: { /* 1 - tanh^2 without the difference */
    const double e = rng_e(-2 * fabs(a));
    return slope_times(da, 4 * e / ((1 + e) * (1 + e)));
  }
  case TAPE_EXPREL: return slope_times(da, tape_exprel_slope(a));
  default: return 0;
  }
}

double network_tape_slope(const tape_op *tape, int32_t length, const double *constant, const double *by,
                          const int64_t *n, double *scratch, double *slope)
{
  double *const moves = scratch + length;
  const double value = network_tape(tape, length, constant, n, scratch);
  for (int32_t i = 0; i < length; i++) {
    const tape_op *const op = &tape[i];
    if (op->code == TAPE_CONST || op->code == TAPE_SLOT) { /* their a is no register */
      moves[i] = op->code == TAPE_CONST ? by[op->a] : 0;
      continue;
    }
    const double values[3] = {scratch[op->a], scratch[op->b], scratch[op->c]};
    const double slopes[3] = {moves[op->a], moves[op->b], moves[op->c]};
    moves[i] = network_op_slope((tape_code)op->code, scratch[i], values, slopes);
  }
  *slope = moves[length - 1];
  return value;
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
    const int32_t begin = self->tape_start[dir];
    const double value =
        network_tape(self->tape + begin, self->tape_start[dir + 1] - begin, self->tape_const, n, scratch);
    return value >= 0 || self->step_flow[dir / 2] == FLOW_DRIFT ? value : (double)NAN;
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
  if (product != 1) sum += rng_ln(product); /* of one copy nothing */
  return by > 0 ? sum : -sum;
}

double network_free_energy(const ness_network *self, const int64_t *n)
{
  double sum = 0;
  for (int32_t i = 0; i < self->nslot; i++) {
    const double count = (double)n[i];
    const int32_t var = self->slot_var[i];
    if (var < 0) {
      sum += count * self->slot_g[i] + rng_lgamma1p(count);
    } else if (self->var_stiff[var] > 0) {
      const double charge = count + self->var_zero[var] / self->var_unit[var];
      sum += 0.5 * self->var_stiff[var] * charge * charge;
    }
  }
  return sum;
}

double network_mixing_change(const ness_network *self, int32_t step, int way, const int64_t *n)
{
  double sum = 0;
  for (int32_t c = self->change_start[step]; c < self->change_start[step + 1]; c++) {
    if (self->slot_var[self->change_slot[c]] < 0) {
      sum += ln_factorial_ratio(n[self->change_slot[c]], (int64_t)way * self->change_by[c]);
    }
  }
  return sum;
}

double network_energy_change(const ness_network *self, int32_t step, int way, const int64_t *n)
{
  double sum = 0;
  for (int32_t c = self->change_start[step]; c < self->change_start[step + 1]; c++) {
    const int32_t slot = self->change_slot[c], var = self->slot_var[slot];
    const double by = (double)(way * self->change_by[c]);
    sum += by * (var < 0 ? self->slot_g[slot] : network_var_pull(self, var, (double)n[slot] + 0.5 * by));
  }
  return sum;
}

double network_free_energy_change(const ness_network *self, int32_t step, int way, const int64_t *n)
{
  return network_mixing_change(self, step, way, n) + network_energy_change(self, step, way, n);
}

double network_event_entropy(const ness_network *self, int32_t step, int way, const int64_t *n, int64_t *after,
                             double *scratch)
{
  const int32_t dir = 2 * step + (way < 0), back = 2 * step + (way > 0);
  if (self->step_proc[step] >= 0) {
    return 0;
  }
  if (self->dir_law[dir] == LAW_MASS && self->dir_law[back] == LAW_MASS) {
    return way * self->step_lnk[step] - network_mixing_change(self, step, way, n);
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

double network_event_medium(const ness_network *self, int32_t step, int way, const int64_t *n, int64_t *after,
                            double *scratch)
{
  if (self->step_proc[step] >= 0 || (self->dir_law[2 * step] == LAW_MASS && self->dir_law[2 * step + 1] == LAW_MASS)) {
    return way * self->step_lnk[step];
  }
  return network_event_entropy(self, step, way, n, after, scratch) + network_mixing_change(self, step, way, n);
}
