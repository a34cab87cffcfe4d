/* Cores: the parts of rates that real slots move. Values, slopes by forward mode, and bounds over a box by interval
 * arithmetic. Invariant: the bounds hold for the values as they are computed. Sums, products, quotients and roots are
 * rounded correctly, so the ends of an interval bound what is between them as they stand; exponentials, logarithms,
 * powers and hyperbolic tangents are within an ulp or two and are widened outward. Where an operation has no bound the
 * interval is the whole line, which a choice (SELECT) that does not take it forgets. Cost: a walk along the
 * operations. */
#include "engine/hybrid/parts.h"

#include <float.h>
#include <math.h>

#define BOUND_ULPS 4e-15  /* of functions within a few ulp */
#define BOUND_POWER 4e-13 /* of powers by logarithms: the exponent's rounding grows with it */

double core_slope(const hybrid_net *net, const hybrid_core *core, const double *reg, double *dual, int32_t load)
{
  const int32_t first = core->nconst + core->nload;
  for (int32_t i = 0; i < core->nconst; i++) dual[i] = 0;
  for (int32_t i = 0; i < core->nload; i++) dual[core->nconst + i] = i == load ? net->load[core->load + i].by : 0;
  for (int32_t i = 0; i < core->nop; i++) {
    const hybrid_op *const op = &net->op[core->op + i];
    const double value[3] = {reg[op->a], reg[op->b], reg[op->c]};
    const double by[3] = {dual[op->a], dual[op->b], dual[op->c]};
    const double slope = network_op_slope((tape_code)op->code, reg[first + i], value, by);
    dual[first + i] = isfinite(slope) ? slope : 0;
  }
  return dual[core->out];
}

/* --- intervals --- */

typedef struct interval {
  double lo, hi;
} interval;

static const interval everything = {-(double)INFINITY, (double)INFINITY};

static interval widened(double lo, double hi, double share)
{
  return (interval){lo - share * fabs(lo) - DBL_MIN, hi + share * fabs(hi) + DBL_MIN};
}

static interval hull4(double a, double b, double c, double d)
{
  if (isnan(a) || isnan(b) || isnan(c) || isnan(d)) return everything;
  return (interval){fmin(fmin(a, b), fmin(c, d)), fmax(fmax(a, b), fmax(c, d))};
}

static interval times(interval a, interval b)
{
  return hull4(a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi);
}

static interval over(interval a, interval b)
{
  if (b.lo <= 0 && b.hi >= 0) return everything;
  return hull4(a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi);
}

/* A function that rises. */
static interval rises(tape_code code, interval a)
{
  return widened(tape_apply(code, a.lo, 0, 0), tape_apply(code, a.hi, 0, 0), BOUND_ULPS);
}

/* Monotone in either operand while the base is positive; a whole power of any base is even or odd. */
static interval power(interval a, interval b)
{
  const double ll = tape_power(a.lo, b.lo), lh = tape_power(a.lo, b.hi);
  const double hl = tape_power(a.hi, b.lo), hh = tape_power(a.hi, b.hi);
  if (a.lo > 0 || (a.lo == 0 && b.lo > 0)) {
    const interval at = hull4(ll, lh, hl, hh);
    return widened(at.lo, at.hi, BOUND_POWER);
  }
  if (b.lo != b.hi || b.lo != floor(b.lo) || (b.lo < 0 && a.hi >= 0)) return everything;
  const bool spans = a.hi > 0 && fmod(b.lo, 2) == 0;
  const interval at = hull4(ll, hl, spans ? 0 : ll, hl);
  return widened(at.lo, at.hi, BOUND_POWER);
}

static interval truth(bool always, bool never)
{
  return (interval){always, !never};
}

static bool is_true(interval a)
{
  return a.lo > 0 || a.hi < 0;
}

static bool is_false(interval a)
{
  return a.lo == 0 && a.hi == 0;
}

/* What may be no number stays so, but for comparisons, which are true or false of it, and choices. */
static bool is_nothing(tape_code code, interval a, interval b)
{
  const bool asks = code == TAPE_LT || code == TAPE_LE || code == TAPE_EQ || code == TAPE_AND || code == TAPE_OR ||
                    code == TAPE_NOT || code == TAPE_SELECT;
  const bool first = a.lo == everything.lo && a.hi == everything.hi;
  const bool second = tape_registers((int32_t)code) > 1 && b.lo == everything.lo && b.hi == everything.hi;
  return !asks && (first || second);
}

static interval apply(tape_code code, interval a, interval b, interval c)
{
  if (is_nothing(code, a, b)) return everything;
  switch (code) {
  case TAPE_ADD: return hull4(a.lo + b.lo, a.hi + b.hi, a.lo + b.lo, a.hi + b.hi);
  case TAPE_SUB: return hull4(a.lo - b.hi, a.hi - b.lo, a.lo - b.hi, a.hi - b.lo);
  case TAPE_MUL: return times(a, b);
  case TAPE_DIV: return over(a, b);
  case TAPE_POW: return power(a, b);
  case TAPE_NEG: return (interval){-a.hi, -a.lo};
  case TAPE_LN: return a.lo > 0 ? rises(code, a) : everything;
  case TAPE_SQRT: return a.lo >= 0 ? (interval){sqrt(a.lo), sqrt(a.hi)} : everything;
  case TAPE_ABS: return (interval){a.lo > 0 ? a.lo : a.hi < 0 ? -a.hi : 0, fmax(fabs(a.lo), fabs(a.hi))};
  case TAPE_MIN: return (interval){fmin(a.lo, b.lo), fmin(a.hi, b.hi)};
  case TAPE_MAX: return (interval){fmax(a.lo, b.lo), fmax(a.hi, b.hi)};
  case TAPE_FLOOR: return (interval){floor(a.lo), floor(a.hi)};
  case TAPE_LT: return truth(a.hi < b.lo, a.lo >= b.hi);
  case TAPE_LE: return truth(a.hi <= b.lo, a.lo > b.hi);
  case TAPE_EQ: return truth(a.lo == a.hi && b.lo == b.hi && a.lo == b.lo, a.hi < b.lo || a.lo > b.hi);
  case TAPE_AND: return truth(is_true(a) && is_true(b), is_false(a) || is_false(b));
  case TAPE_OR: return truth(is_true(a) || is_true(b), is_false(a) && is_false(b));
  case TAPE_NOT: return truth(is_false(a), is_true(a));
  case TAPE_SELECT: return is_true(a) ? b : is_false(a) ? c : (interval){fmin(b.lo, c.lo), fmax(b.hi, c.hi)};
  case TAPE_CONST:
  case TAPE_SLOT:
  case TAPE_CODES: break;
  default: return rises(code, a); /* EXP, TANH */
  }
  return everything;
}

bool core_bound(const hybrid_net *net, const hybrid_core *core, double *reg_lo, double *reg_hi, const double *lo,
                const double *hi, double *low, double *high)
{
  const int32_t first = core->nconst + core->nload;
  for (int32_t i = 0; i < core->nload; i++) {
    const hybrid_load *const load = &net->load[core->load + i];
    const double from = load->base + load->by * fmax(lo[load->slot], 0);
    const double to = load->base + load->by * fmax(hi[load->slot], 0);
    reg_lo[core->nconst + i] = from < to ? from : to;
    reg_hi[core->nconst + i] = from < to ? to : from;
  }
  for (int32_t i = 0; i < core->nop; i++) {
    const hybrid_op *const op = &net->op[core->op + i];
    const interval at = apply((tape_code)op->code, (interval){reg_lo[op->a], reg_hi[op->a]},
                              (interval){reg_lo[op->b], reg_hi[op->b]}, (interval){reg_lo[op->c], reg_hi[op->c]});
    reg_lo[first + i] = at.lo;
    reg_hi[first + i] = at.hi;
  }
  *low = reg_lo[core->out];
  *high = reg_hi[core->out];
  return *high < (double)INFINITY;
}
