/* Propensities at real counts, their derivatives, and where they stop making sense. Invariant: at counts that are not
 * negative gains and losses of a slot are sums of positive terms, and a rate that is negative or no number is named,
 * never used. Below zero, where rounding takes an integrator, powers keep the sign of their base and tapes are what
 * their operations give, or else what they are at zero: rates stay smooth there, as Newton's method needs, and push
 * back. Method: the derivative of a tape is carried along it, one slot at a time (forward mode). Cost: a
 * Jacobian is a walk along each tape for each slot that it reads. */
#include "engine/model/tape.h"
#include "engine/ode/system.h"

#include <math.h>
#include <stdio.h>

#define RATE_MOST 1e300

bool ode_work_init(ode_work *self, const ode_system *sys)
{
  const size_t slots = (size_t)sys->nslot + 1, tape = (size_t)sys->net->tape_max + 1;
  *self = (ode_work){.bad = -1};
  self->raw = mem_zero(slots, sizeof *self->raw);
  self->x = mem_zero(slots, sizeof *self->x);
  self->rate = mem_zero((size_t)sys->ndir + 1, sizeof *self->rate);
  self->gain = mem_zero(slots, sizeof *self->gain);
  self->loss = mem_zero(slots, sizeof *self->loss);
  self->change = mem_zero(slots, sizeof *self->change);
  self->slope = mem_zero((size_t)sys->read_start[sys->ndir] + 1, sizeof *self->slope);
  self->jac = mem_zero((size_t)sys->jac.nnz + 1, sizeof *self->jac);
  self->tape = mem_zero(tape, sizeof *self->tape);
  self->dual = mem_zero(tape, sizeof *self->dual);
  return self->raw && self->x && self->rate && self->gain && self->loss && self->change && self->slope && self->jac &&
         self->tape && self->dual;
}

void ode_work_free(ode_work *self)
{
  mem_free(self->raw);
  mem_free(self->x);
  mem_free(self->rate);
  mem_free(self->gain);
  mem_free(self->loss);
  mem_free(self->change);
  mem_free(self->slope);
  mem_free(self->jac);
  mem_free(self->tape);
  mem_free(self->dual);
  *self = (ode_work){.bad = -1};
}

/* --- tapes --- */

/* The operations of network_propensity at real counts (engine/model/law.c). */
static double tape_value(const ness_network *net, int32_t dir, const double *x, double *reg)
{
  const tape_op *op = net->tape + net->tape_start[dir];
  const int32_t length = net->tape_start[dir + 1] - net->tape_start[dir];
  for (int32_t i = 0; i < length; i++, op++) {
    double value = 0;
    switch ((tape_code)op->code) {
    case TAPE_CONST: value = net->tape_const[op->a]; break;
    case TAPE_SLOT: value = x[op->a]; break;
    case TAPE_ADD: value = reg[op->a] + reg[op->b]; break;
    case TAPE_SUB: value = reg[op->a] - reg[op->b]; break;
    case TAPE_MUL: value = reg[op->a] * reg[op->b]; break;
    case TAPE_DIV: value = reg[op->a] / reg[op->b]; break;
    case TAPE_POW: value = pow(reg[op->a], reg[op->b]); break;
    case TAPE_NEG: value = -reg[op->a]; break;
    case TAPE_EXP: value = exp(reg[op->a]); break;
    case TAPE_LN: value = log(reg[op->a]); break;
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
    case TAPE_TANH: value = tanh(reg[op->a]); break;
    case TAPE_EXPREL: value = tape_exprel(reg[op->a]); break;
    case TAPE_CODES: break;
    }
    reg[i] = value;
  }
  return reg[length - 1];
}

/* Sum of the sizes of the terms that an equation adds up, of which the last value is left over; `reg` holds the values.
 */
static double tape_terms(const ness_network *net, int32_t dir, const double *reg, double *size)
{
  const tape_op *op = net->tape + net->tape_start[dir];
  const int32_t length = net->tape_start[dir + 1] - net->tape_start[dir];
  for (int32_t i = 0; i < length; i++, op++) {
    switch ((tape_code)op->code) {
    case TAPE_ADD:
    case TAPE_SUB: size[i] = size[op->a] + size[op->b]; break;
    case TAPE_MUL: size[i] = size[op->a] * size[op->b]; break;
    case TAPE_DIV: size[i] = size[op->a] / fabs(reg[op->b]); break;
    case TAPE_NEG: size[i] = size[op->a]; break;
    default: size[i] = fabs(reg[i]);
    }
  }
  return size[length - 1];
}

/* d(u^v): the term of a factor that does not move is left out, so that 0 times infinity never comes up. */
static double power_dual(double u, double v, double du, double dv)
{
  double sum = 0;
  if (du != 0 && v != 0) sum += v * pow(u, v - 1) * du;
  if (dv != 0 && u != 0) sum += pow(u, v) * log(u) * dv;
  return sum;
}

/* The derivative of the tape by x[slot]; `reg` holds the values. */
static double tape_derivative(const ness_network *net, int32_t dir, int32_t slot, const double *reg, double *dual)
{
  const tape_op *op = net->tape + net->tape_start[dir];
  const int32_t length = net->tape_start[dir + 1] - net->tape_start[dir];
  for (int32_t i = 0; i < length; i++, op++) {
    double d = 0;
    switch ((tape_code)op->code) {
    case TAPE_SLOT: d = op->a == slot; break;
    case TAPE_ADD: d = dual[op->a] + dual[op->b]; break;
    case TAPE_SUB: d = dual[op->a] - dual[op->b]; break;
    case TAPE_MUL: d = dual[op->a] * reg[op->b] + reg[op->a] * dual[op->b]; break;
    case TAPE_DIV: d = (dual[op->a] - reg[i] * dual[op->b]) / reg[op->b]; break;
    case TAPE_POW: d = power_dual(reg[op->a], reg[op->b], dual[op->a], dual[op->b]); break;
    case TAPE_NEG: d = -dual[op->a]; break;
    case TAPE_EXP: d = reg[i] * dual[op->a]; break;
    case TAPE_LN: d = dual[op->a] / reg[op->a]; break;
    case TAPE_SQRT: d = dual[op->a] != 0 ? dual[op->a] / (2 * reg[i]) : 0; break;
    case TAPE_ABS: d = reg[op->a] < 0 ? -dual[op->a] : dual[op->a]; break;
    case TAPE_MIN: d = reg[op->a] < reg[op->b] ? dual[op->a] : dual[op->b]; break;
    case TAPE_MAX: d = reg[op->a] > reg[op->b] ? dual[op->a] : dual[op->b]; break;
    case TAPE_SELECT: d = reg[op->a] != 0 ? dual[op->b] : dual[op->c]; break;
    case TAPE_TANH: d = dual[op->a] / (cosh(reg[op->a]) * cosh(reg[op->a])); break;
    case TAPE_EXPREL: d = dual[op->a] * tape_exprel_slope(reg[op->a]); break;
    case TAPE_CONST:
    case TAPE_FLOOR: /* flat between its jumps, as the comparisons are */
    case TAPE_LT:
    case TAPE_LE:
    case TAPE_EQ:
    case TAPE_AND:
    case TAPE_OR:
    case TAPE_NOT:
    case TAPE_CODES: break;
    }
    dual[i] = d;
  }
  return dual[length - 1];
}

/* --- rates --- */

/* x^mult with the sign of x. */
static double power_whole(double x, int32_t mult)
{
  double value = mult > 0 ? x : 1;
  for (int32_t j = 1; j < mult; j++) value *= fabs(x);
  return value;
}

static double mass_rate(const ness_network *net, int32_t dir, const double *x)
{
  double value = net->dir_law[dir] == LAW_MASS ? net->dir_k[dir] : 0;
  for (int32_t r = net->react_start[dir]; r < net->react_start[dir + 1] && value != 0; r++) {
    value *= power_whole(x[net->react_slot[r]], net->react_mult[r]);
  }
  return value;
}

/* At raw counts where that is a number, else at the clipped ones; false when it is no rate even there. */
static bool tape_rate(const ness_network *net, int32_t dir, const ode_work *work, double *rate)
{
  const double value = *rate = tape_value(net, dir, work->raw, work->tape);
  const bool drift = net->step_flow[dir / 2] == FLOW_DRIFT;
  if (value >= 0 || (drift && !isnan(value))) return true;
  *rate = tape_value(net, dir, work->x, work->tape);
  if (!(*rate >= 0 || (drift && !isnan(*rate)))) return false;
  if (!isnan(value)) *rate = value;
  return true;
}

/* By x[slot], mass action; a slot that is listed twice counts twice. */
static double mass_derivative(const ness_network *net, int32_t dir, int32_t slot, const double *x)
{
  double sum = 0;
  for (int32_t k = net->react_start[dir]; k < net->react_start[dir + 1]; k++) {
    if (net->react_slot[k] != slot) continue;
    double value = net->dir_k[dir] * net->react_mult[k] * fabs(power_whole(x[slot], net->react_mult[k] - 1));
    for (int32_t r = net->react_start[dir]; r < net->react_start[dir + 1]; r++) {
      if (r != k) value *= power_whole(x[net->react_slot[r]], net->react_mult[r]);
    }
    sum += value;
  }
  return sum;
}

bool ode_evaluate(const ode_system *sys, const double *x, ode_work *work)
{
  const ness_network *net = sys->net;
  for (int32_t i = 0; i < sys->nslot; i++) {
    work->raw[i] = x[i];
    work->x[i] = x[i] > 0 ? x[i] : 0;
    work->gain[i] = work->loss[i] = work->change[i] = 0;
  }
  for (int32_t d = 0; d < sys->ndir; d++) {
    double rate = 0;
    bool good = true;
    if (net->dir_law[d] == LAW_TAPE) good = tape_rate(net, d, work, &rate);
    else rate = mass_rate(net, d, work->raw);
    work->rate[d] = rate;
    if (!good || !(fabs(rate) <= RATE_MOST)) {
      work->bad = d;
      return false;
    }
    for (int32_t c = net->change_start[d / 2]; c < net->change_start[d / 2 + 1]; c++) {
      const double flow = (d % 2 ? -net->change_by[c] : net->change_by[c]) * rate;
      if (net->dir_law[d] == LAW_TAPE && net->step_flow[d / 2] == FLOW_DRIFT) {
        /* What its terms bring and take; what is left of them says nothing about how near to rest it is. */
        const double terms = fabs(net->change_by[c] * tape_terms(net, d, work->tape, work->dual));
        work->gain[net->change_slot[c]] += 0.5 * fmax(terms + flow, 0);
        work->loss[net->change_slot[c]] += 0.5 * fmax(terms - flow, 0);
      } else if (flow > 0) work->gain[net->change_slot[c]] += flow;
      else work->loss[net->change_slot[c]] -= flow;
    }
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    const double rate = work->rate[2 * s] - work->rate[2 * s + 1];
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      work->change[net->change_slot[c]] += net->change_by[c] * rate;
    }
  }
  work->bad = -1;
  return true;
}

bool ode_runs(const ode_system *sys, int32_t dir, ode_work *work)
{
  double rate = 0;
  if (sys->net->dir_law[dir] != LAW_TAPE) return mass_rate(sys->net, dir, work->raw) != 0;
  return tape_rate(sys->net, dir, work, &rate) && rate != 0;
}

bool ode_differentiate(const ode_system *sys, ode_work *work)
{
  const ness_network *net = sys->net;
  int64_t at = 0;
  for (int64_t k = 0; k < sys->jac.nnz; k++) work->jac[k] = 0;
  for (int32_t d = 0; d < sys->ndir; d++) {
    const bool tape = net->dir_law[d] == LAW_TAPE;
    if (tape && isnan(tape_value(net, d, work->raw, work->tape))) tape_value(net, d, work->x, work->tape);
    for (int64_t k = sys->read_start[d]; k < sys->read_start[d + 1]; k++) {
      const int32_t slot = sys->read_slot[k];
      const double slope =
          tape ? tape_derivative(net, d, slot, work->tape, work->dual) : mass_derivative(net, d, slot, work->raw);
      work->slope[k] = slope;
      if (!isfinite(slope)) {
        work->bad = d;
        return false;
      }
      for (int32_t c = net->change_start[d / 2]; c < net->change_start[d / 2 + 1]; c++) {
        work->jac[sys->fill[at++]] += (d % 2 ? -net->change_by[c] : net->change_by[c]) * slope;
      }
    }
  }
  work->bad = -1;
  return true;
}

/* --- where they stop making sense --- */

static const char *slot_text(const ode_system *sys, int32_t slot)
{
  return network_text(sys->net, sys->net->slot_name[slot]);
}

static void time_text(const char *word, double t, char out[48])
{
  char number[32];
  number_short(t, 6, number);
  out[0] = 0;
  if (!isnan(t)) snprintf(out, 48, " %s t = %s s", word, number);
}

ness_status ode_bad_rate(const ode_system *sys, const ode_work *work, double t, ness_diags *diags)
{
  char when[48];
  time_text("at", t, when);
  const int32_t dir = work->bad;
  if (dir < 0) return NESS_NUMERIC;
  const double rate = work->rate[dir];
  diag_add(diags, NESS_ERROR, "step %s, %s: its rate%s is %s", network_text(sys->net, sys->net->step_name[dir / 2]),
           dir % 2 ? "backward" : "forward", when,
           rate >= 0  ? rate > RATE_MOST ? "too large" : "without a finite derivative"
           : rate < 0 ? "negative"
                      : "not a number");
  return NESS_NUMERIC;
}

/* The most that the slot can hold by a law without signs, from what is there now. */
static double law_bound(const ode_system *sys, int32_t slot, const double *x)
{
  double bound = (double)INFINITY;
  for (int32_t l = 0; l < sys->laws.count; l++) {
    double total = 0, own = 0;
    bool positive = true;
    for (int32_t k = sys->laws.start[l]; k < sys->laws.start[l + 1]; k++) {
      const double by = (double)sys->laws.by[k] * (sys->laws.by[sys->laws.start[l]] > 0 ? 1 : -1);
      positive = positive && by > 0;
      total += by * x[sys->laws.id[k]];
      if (sys->laws.id[k] == slot) own = by;
    }
    if (positive && own > 0 && total / own < bound) bound = total / own;
  }
  return bound;
}

/* Whether counts around x would feel the cap: a Poisson count of mean x passes it with a chance above about 1e-5, no
 * law keeps it below, and the step still runs at the lowest count that is barred. */
static bool cap_binds(const ode_system *sys, const ode_cap *cap, double *x, ode_work *work)
{
  const double now = x[cap->slot], max = (double)sys->net->slot_max[cap->slot];
  if (now + 4 * sqrt(now > 0 ? now : 0) + 4 <= max || law_bound(sys, cap->slot, x) <= max * (1 + 1e-9)) return false;
  x[cap->slot] = (double)cap->barred;
  const double rate = sys->net->dir_law[cap->dir] == LAW_TAPE ? tape_value(sys->net, cap->dir, x, work->tape)
                                                              : mass_rate(sys->net, cap->dir, x);
  x[cap->slot] = now;
  return !(rate == 0);
}

ness_status ode_check_state(const ode_system *sys, const double *x, ode_work *work, double t, ness_diags *diags)
{
  char when[48];
  time_text("by", t, when);
  for (int32_t i = 0; i < sys->nslot; i++) {
    if (x[i] >= -1e-6) continue;
    diag_add(diags, NESS_ERROR, "the rate equations take slot %s below zero%s: a rate does not vanish with it",
             slot_text(sys, i), when);
    diag_hint(diags, "the exact solution and the simulation stop such a step at an empty slot");
    return NESS_NUMERIC;
  }
  if (!sys->ncap) return NESS_OK;
  for (int32_t i = 0; i < sys->nslot; i++) work->x[i] = x[i] > 0 ? x[i] : 0;
  for (int32_t c = 0; c < sys->ncap; c++) {
    const ode_cap *const cap = &sys->cap[c];
    if (!cap_binds(sys, cap, work->x, work)) continue;
    diag_add(
        diags, NESS_ERROR,
        "slot %s comes to its max of %lld%s while step %s still fills it: a wall of the counts has no smooth limit",
        slot_text(sys, cap->slot), (long long)sys->net->slot_max[cap->slot], when,
        network_text(sys->net, sys->net->step_name[cap->dir / 2]));
    diag_hint(diags, "solve it exactly or simulate it; a max far above the counts that occur is no obstacle");
    return NESS_LIMIT;
  }
  return NESS_OK;
}

ness_status ode_check_given(const ode_system *sys, const double *x, ode_work *work, ness_diags *diags)
{
  for (int32_t i = 0; i < sys->nslot; i++) {
    if (x[i] >= 0 && x[i] <= 1e300) continue;
    diag_add(diags, NESS_ERROR, "a count of slot %s is negative or no number", slot_text(sys, i));
    return NESS_USAGE;
  }
  const ness_status status = ode_check_state(sys, x, work, (double)NAN, diags);
  if (status) return status;
  if (!ode_evaluate(sys, x, work)) return ode_bad_rate(sys, work, (double)NAN, diags);
  return NESS_OK;
}
