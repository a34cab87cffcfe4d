/* Whether the stored arrays of a network hold together: the one door that built and loaded networks pass. Invariant:
 * after NESS_OK every index, offset, register, number and sum that any engine uses is in range; before it nothing is
 * trusted. Messages name the step or slot and go on to the next one. Cost: linear in the stored arrays. */
#include "compile.h"
#include "engine/model/tape.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define LNK_TOLERANCE 1e-6 /* declared ln(kf/kr) against the rates; unit conversions stay far below */
#define VALUE_MAX 1e100    /* energies, charges, voltages */
#define EXCH_MAX 256       /* reservoirs that one step exchanges with; derive.c compares them pairwise */

typedef struct verify {
  const ness_network *net;
  ness_diags *diags;
  int64_t errors;
} verify;

#define FAIL(self, ...) ((self)->errors++, diag_add((self)->diags, NESS_ERROR, __VA_ARGS__))

static const char *verify_name(const verify *self, int32_t offset)
{
  return offset >= 0 && offset < self->net->nname ? self->net->name + offset : "?";
}

static const char *step_name(const verify *self, int32_t step)
{
  return verify_name(self, self->net->step_name[step]);
}

static void step_fail(verify *self, int32_t step, const char *what)
{
  const int32_t line = self->net->step_line[step];
  self->errors++;
  diag_add_at(self->diags, NESS_ERROR, NULL, line > 0 ? line : 0, 0, 1, NULL, NULL, "step \"%s\": %s",
              step_name(self, step), what);
}

static void verify_offsets(verify *self, const int32_t *offset, int32_t count, const char *what)
{
  for (int32_t i = 0; i < count; i++) {
    if (offset[i] < 0 || offset[i] >= self->net->nname) {
      FAIL(self, "%s %d has a name outside of the names", what, i);
      return;
    }
  }
}

static void verify_rows(verify *self, const int32_t *start, int64_t rows, int32_t length, const char *what)
{
  bool good = start[0] == 0 && start[rows] == length;
  for (int64_t i = 0; i < rows && good; i++) {
    good = start[i] <= start[i + 1];
  }
  if (!good) {
    FAIL(self, "the rows of %s do not follow one another", what);
  }
}

/* Names and rows: what the messages and the loops below stand on. */
static void verify_frame(verify *self)
{
  const ness_network *net = self->net;
  if (net->nname < 1 || net->name[0] != 0 || net->name[net->nname - 1] != 0) {
    FAIL(self, "the names do not begin with the empty name or do not end");
    return;
  }
  const uintptr_t first = (uintptr_t)net->name, name = (uintptr_t)net->model_name;
  if (name < first || name - first >= (uintptr_t)net->nname) {
    FAIL(self, "the name of the model is outside of the names");
  }
  verify_offsets(self, net->slot_name, net->nslot, "slot");
  verify_offsets(self, net->family_name, net->nfamily, "family");
  verify_offsets(self, net->res_name, net->nres, "reservoir");
  verify_offsets(self, net->volt_name, net->nvolt, "voltage");
  verify_offsets(self, net->heat_name, net->nheat, "heat");
  verify_offsets(self, net->proc_name, net->nproc, "process");
  verify_offsets(self, net->step_name, net->nstep, "step");
  verify_offsets(self, net->step_text, net->nstep, "step text");
  verify_offsets(self, net->cycle_name, net->ncycle, "cycle");
  verify_offsets(self, net->obs_name, net->nobs, "observable");
  const int64_t ndir = 2 * (int64_t)net->nstep;
  verify_rows(self, net->react_start, ndir, net->nreact, "reactants");
  verify_rows(self, net->tape_start, ndir, net->nop, "tapes");
  verify_rows(self, net->change_start, net->nstep, net->nchange, "changes");
  verify_rows(self, net->exch_start, net->nstep, net->nexch, "exchanges");
  verify_rows(self, net->set_start, net->nevent, net->nset, "events");
  verify_rows(self, net->rule_start, (int64_t)net->nevent + net->nset, net->nrule, "rules");
  verify_offsets(self, net->event_name, net->nevent, "event");
  verify_rows(self, net->cycle_start, net->ncycle, net->ncycstep, "cycles");
  verify_rows(self, net->obs_start, net->nobs, net->nobsterm, "observables");
}

/* Finite, and so are its products with a count, a charge and a voltage. */
static bool is_sane(double value)
{
  return fabs(value) <= VALUE_MAX;
}

static void verify_slots(verify *self)
{
  const ness_network *net = self->net;
  for (int32_t i = 0; i < net->nslot; i++) {
    const char *name = verify_name(self, net->slot_name[i]);
    if (net->slot_start[i] < 0) {
      FAIL(self, "\"%s\" starts below zero", name);
    } else if (net->slot_start[i] > MODEL_COUNT_MAX) {
      FAIL(self, "\"%s\" starts above 2^53", name);
    } else if (net->slot_start[i] > net->slot_max[i]) {
      FAIL(self, "\"%s\" starts at %lld, above its maximum of %lld", name, (long long)net->slot_start[i],
           (long long)net->slot_max[i]);
    }
    if (!is_sane(net->slot_g[i])) {
      FAIL(self, "\"%s\" has a free energy that is not finite or beyond 1e100", name);
    }
    if (!is_sane(net->slot_charge[i])) {
      FAIL(self, "\"%s\" has a charge that is not finite or beyond 1e100", name);
    }
    if (net->slot_volt[i] < -1 || net->slot_volt[i] >= net->nvolt) {
      FAIL(self, "\"%s\" feels a voltage that does not exist", name);
    }
    if (net->slot_family[i] < -1 || net->slot_family[i] >= net->nfamily) {
      FAIL(self, "\"%s\" belongs to a family that does not exist", name);
    }
  }
}

static void verify_reservoirs(verify *self)
{
  const ness_network *net = self->net;
  for (int32_t r = 0; r < net->nres; r++) {
    const char *name = verify_name(self, net->res_name[r]);
    if (!is_sane(net->res_mu[r])) {
      FAIL(self, "reservoir \"%s\" has a chemical potential that is not finite or beyond 1e100", name);
      diag_hint(self->diags, "an activity of 0 has none: give a small one, or make its steps one-way");
    }
    if (!(net->res_activity[r] >= 0 && net->res_activity[r] <= DBL_MAX)) {
      FAIL(self, "reservoir \"%s\" has an activity that is negative or not finite", name);
    }
    if (!is_sane(net->res_charge[r])) {
      FAIL(self, "reservoir \"%s\" has a charge that is not finite or beyond 1e100", name);
    }
    if (net->res_volt[r] < -1 || net->res_volt[r] >= net->nvolt) {
      FAIL(self, "reservoir \"%s\" is at a voltage that does not exist", name);
    }
  }
  for (int32_t v = 0; v < net->nvolt; v++) {
    if (!is_sane(net->volt_kt[v])) {
      FAIL(self, "voltage \"%s\" is not finite or beyond 1e100", verify_name(self, net->volt_name[v]));
    }
  }
}

static void verify_heats(verify *self)
{
  const ness_network *net = self->net;
  for (int32_t h = 0; h < net->nheat; h++) {
    if (!(net->heat_kelvin[h] > 0 && net->heat_kelvin[h] <= VALUE_MAX)) {
      FAIL(self, "the temperature of \"%s\" is not positive or beyond 1e100", verify_name(self, net->heat_name[h]));
    }
  }
  for (int32_t k = 0; k < net->nheatstep; k++) {
    const int32_t after = k > 0 ? net->heat_step[k - 1] : -1;
    if (net->heat_step[k] <= after || net->heat_step[k] >= net->nstep || net->heat_src[k] < 0 ||
        net->heat_src[k] >= net->nheat || !is_sane(net->heat_kt[k])) {
      FAIL(self, "the steps that draw heat do not follow one another, or name no place, or no finite work");
      return;
    }
  }
}

static void verify_processes(verify *self)
{
  const ness_network *net = self->net;
  for (int32_t k = 0; k < net->nflip; k++) {
    const int32_t after = k > 0 ? net->flip_step[k - 1] : -1, process = net->flip_proc[k];
    if (net->flip_step[k] <= after || net->flip_step[k] >= net->nstep || process < 0 || process >= net->nproc) {
      FAIL(self, "the flips do not follow one another, or are of no process");
      return;
    }
  }
  for (int32_t k = 0; k < net->nshift; k++) {
    const int32_t step = net->shift_step[k], source = net->shift_src[k];
    const bool same = k > 0 && net->shift_step[k - 1] == step;
    if (step < (k > 0 ? net->shift_step[k - 1] : 0) || step >= net->nstep || source < 0 ||
        (same && source <= net->shift_src[k - 1]) || source >= network_sources(net) - 1 || !is_sane(net->shift_kt[k])) {
      FAIL(self, "the works that levels shift do not follow one another, or are of no source, or not finite");
      return;
    }
  }
}

static void verify_variables(verify *self)
{
  const ness_network *net = self->net;
  for (int32_t v = 0; v < net->nvar; v++) {
    const int32_t slot = net->var_slot[v];
    if (slot < 0 || slot >= net->nslot || (v > 0 && slot <= net->var_slot[v - 1]) || net->slot_family[slot] >= 0) {
      FAIL(self, "the variables do not follow one another, or are no slots of their own");
      return;
    }
    const double stiff = net->var_stiff[v], unit = net->var_unit[v], print = net->var_print[v];
    const bool kind = net->var_kind[v] == VAR_CHARGE ? stiff > 0 : net->var_kind[v] == VAR_PLAIN && stiff == 0;
    if (!kind || !is_sane(stiff) || !(unit > 0) || !is_sane(unit) || !is_sane(net->var_zero[v]) ||
        !is_sane(net->var_zero[v] / unit) || !(print > 0) || !is_sane(print) || net->slot_g[slot] != 0) {
      FAIL(self, "variable \"%s\" has a scale that is not finite, or an energy that is not its own",
           verify_name(self, net->slot_name[slot]));
    }
  }
  verify_offsets(self, net->var_text, net->nvar, "unit of a variable");
  for (int32_t k = 0; k < net->nflow; k++) {
    const int32_t step = net->flow_step[k], kind = net->flow_kind[k];
    if (step < 0 || step >= net->nstep || (k > 0 && step <= net->flow_step[k - 1]) ||
        (kind != FLOW_MEAN && kind != FLOW_DRIFT)) {
      FAIL(self, "the steps that flow do not follow one another, or flow in no known way");
      return;
    }
    if (kind == FLOW_DRIFT && (net->dir_law[2 * step] != LAW_TAPE || net->dir_law[2 * step + 1] != LAW_NONE)) {
      step_fail(self, step, "a drift goes forward, by a rate law of its own");
    }
  }
}

/* Whether a slot is a variable; they ascend. */
static bool is_variable(const ness_network *net, int32_t slot)
{
  int32_t low = 0, high = net->nvar;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (net->var_slot[middle] < slot) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < net->nvar && net->var_slot[low] == slot;
}

/* The process whose flip a step is, -1 none. */
static int32_t flip_of(const ness_network *net, int32_t step)
{
  int32_t low = 0, high = net->nflip;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (net->flip_step[middle] < step) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < net->nflip && net->flip_step[low] == step ? net->flip_proc[low] : -1;
}

static bool change_in_range(int32_t by)
{
  return by != 0 && by >= -MODEL_MULT_MAX && by <= MODEL_MULT_MAX;
}

/* Ids of a row ascend strictly within 0 ... limit-1. */
static bool row_ascends(const int32_t *id, int32_t from, int32_t to, int32_t limit)
{
  for (int32_t k = from; k < to; k++) {
    if (id[k] < 0 || id[k] >= limit || (k > from && id[k] <= id[k - 1])) {
      return false;
    }
  }
  return true;
}

static bool verify_direction(verify *self, int32_t dir)
{
  const ness_network *net = self->net;
  const int32_t step = dir / 2, first = net->react_start[dir], end = net->react_start[dir + 1];
  const int32_t ops = net->tape_start[dir + 1] - net->tape_start[dir];
  const int32_t law = net->dir_law[dir];
  const double k = net->dir_k[dir];
  const int64_t before = self->errors;
  if (law < LAW_NONE || law > LAW_TAPE) {
    step_fail(self, step, "the kind of rate law is unknown");
    return false;
  }
  if (law == LAW_MASS && !(k > 0 && k <= DBL_MAX)) {
    step_fail(self, step,
              dir % 2 ? "the backward rate is negative, infinite or not a number"
                      : "the forward rate is negative, infinite or not a number");
  }
  if (law != LAW_MASS && (k != 0 || first != end)) {
    step_fail(self, step, "a direction without mass action has a rate constant or reactants");
  }
  if ((law == LAW_TAPE) != (ops > 0)) {
    step_fail(self, step, ops > 0 ? "a direction has a tape that its law does not use" : "a rate law is empty");
  }
  if (!row_ascends(net->react_slot, first, end, net->nslot)) {
    step_fail(self, step, "a reactant does not exist or is listed twice");
  }
  for (int32_t r = first; r < end; r++) {
    if (net->react_mult[r] < 1 || net->react_mult[r] > MODEL_MULT_MAX) {
      step_fail(self, step, "a reactant is taken less than once or more than 65536 times");
      break;
    }
  }
  return self->errors == before;
}

static bool tape_sound(const ness_network *net, const tape_op *tape, int32_t length)
{
  for (int32_t i = 0; i < length; i++) {
    const tape_op *op = &tape[i];
    const int32_t operand[3] = {op->a, op->b, op->c};
    bool good = op->code >= 0 && op->code < TAPE_CODES;
    const int32_t registers = good ? tape_registers(op->code) : 0;
    for (int32_t j = 0; j < 3 && good; j++) {
      const int32_t limit = j < registers           ? i
                            : j > 0 || registers    ? 1 /* unused operands are 0 */
                            : op->code == TAPE_SLOT ? net->nslot
                                                    : net->nconst;
      good = operand[j] >= 0 && operand[j] < limit;
    }
    if (!good) {
      return false;
    }
  }
  return true;
}

static void verify_tape(verify *self, int32_t dir)
{
  const ness_network *net = self->net;
  const int32_t start = net->tape_start[dir];
  if (!tape_sound(net, net->tape + start, net->tape_start[dir + 1] - start)) {
    step_fail(self, dir / 2, "an operation of its rate law is unknown or refers to something that does not exist");
  }
}

static void verify_events(verify *self)
{
  const ness_network *net = self->net;
  for (int32_t e = 0; e < net->nevent; e++) {
    const char *name = verify_name(self, net->event_name[e]);
    const int32_t first = net->set_start[e], end = net->set_start[e + 1], row = e + first;
    const bool when = isnan(net->event_at[e]);
    bool good = net->event_every[e] >= 0 && net->event_every[e] <= VALUE_MAX && first < end &&
                (when ? net->event_every[e] == 0 : net->event_at[e] >= 0 && net->event_at[e] <= VALUE_MAX) &&
                when == (net->rule_start[row + 1] > net->rule_start[row]);
    for (int32_t r = row; r <= e + end && good; r++) {
      const int32_t start = net->rule_start[r], length = net->rule_start[r + 1] - start;
      good = tape_sound(net, net->rule + start, length) && (r == row || length > 0);
    }
    for (int32_t k = first; k < end && good; k++) {
      good = net->set_slot[k] >= 0 && net->set_slot[k] < net->nslot && net->slot_family[net->set_slot[k]] < 0;
    }
    if (!good) {
      FAIL(self, "event \"%s\" has no time or condition, or sets what does not exist", name);
    }
  }
}

/* Multiplicity of a slot among the reactants of a direction; rows are short. */
static int32_t react_of(const ness_network *net, int32_t dir, int32_t slot)
{
  int32_t low = net->react_start[dir], high = net->react_start[dir + 1];
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (net->react_slot[middle] < slot) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < net->react_start[dir + 1] && net->react_slot[low] == slot ? net->react_mult[low] : 0;
}

static int32_t change_of(const ness_network *net, int32_t step, int32_t slot)
{
  int32_t low = net->change_start[step], high = net->change_start[step + 1];
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (net->change_slot[middle] < slot) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < net->change_start[step + 1] && net->change_slot[low] == slot ? net->change_by[low] : 0;
}

/* Mass action never takes more than it asks for, and the two directions of a pair ask for the two sides of one change:
 * ln(a_fwd/a_bwd) is a difference of G only then. */
static void verify_balance(verify *self, int32_t step)
{
  const ness_network *net = self->net;
  const bool fwd = net->dir_law[2 * step] == LAW_MASS, bwd = net->dir_law[2 * step + 1] == LAW_MASS;
  bool good = true;
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1] && good; c++) {
    const int32_t slot = net->change_slot[c], by = net->change_by[c];
    const int32_t left = react_of(net, 2 * step, slot), right = react_of(net, 2 * step + 1, slot);
    good = (!fwd || left + by >= 0) && (!bwd || right - by >= 0) && (!fwd || !bwd || right - left == by);
  }
  for (int32_t r = net->react_start[2 * step]; fwd && bwd && r < net->react_start[2 * step + 1] && good; r++) {
    const int32_t slot = net->react_slot[r];
    good = react_of(net, 2 * step + 1, slot) - net->react_mult[r] == change_of(net, step, slot);
  }
  for (int32_t r = net->react_start[2 * step + 1]; fwd && bwd && r < net->react_start[2 * step + 2] && good; r++) {
    const int32_t slot = net->react_slot[r];
    good = net->react_mult[r] - react_of(net, 2 * step, slot) == change_of(net, step, slot);
  }
  if (!good) {
    step_fail(self, step, "its reactants do not agree with what it changes");
  }
}

static void verify_lnk(verify *self, int32_t step)
{
  const ness_network *net = self->net;
  const int32_t fwd = net->dir_law[2 * step], bwd = net->dir_law[2 * step + 1];
  const double lnk = net->step_lnk[step], error = net->step_lnk_error[step];
  if (!(error >= 0 && error <= DBL_MAX)) {
    step_fail(self, step, "the error of its free energy is negative or not finite");
  }
  bool good;
  if (flip_of(net, step) >= 0) {
    if (lnk != 0) {
      step_fail(self, step, "it is a flip of a process and yet gives something to the medium");
    }
    return;
  }
  if (fwd == LAW_TAPE || bwd == LAW_TAPE || fwd == bwd) {
    const bool off = fwd == LAW_NONE && bwd == LAW_NONE;
    good = fwd == LAW_MASS && bwd == LAW_MASS ? isfinite(lnk) : isnan(lnk) || (off && isfinite(lnk));
  } else {
    good = isinf(lnk) && (lnk > 0) == (fwd == LAW_MASS);
  }
  if (good && fwd == LAW_MASS && bwd == LAW_MASS) {
    const double kf = net->dir_k[2 * step], kr = net->dir_k[2 * step + 1], rates = log(kf) - log(kr);
    if (kf >= DBL_MIN && kr >= DBL_MIN && !(fabs(rates - lnk) <= LNK_TOLERANCE * (1 + fabs(lnk)))) {
      char declared[32], found[32];
      number_short(lnk, 9, declared);
      number_short(rates, 9, found);
      self->errors++;
      diag_add_at(self->diags, NESS_ERROR, NULL, net->step_line[step] > 0 ? net->step_line[step] : 0, 0, 1, NULL, NULL,
                  "step \"%s\": ln(forward/backward) is declared %s but its rates say %s", step_name(self, step),
                  declared, found);
    }
  }
  if (!good) {
    step_fail(self, step, "its ln(forward/backward) does not fit its rate laws");
  }
}

static void verify_step(verify *self, int32_t step, int64_t *family_change)
{
  const ness_network *net = self->net;
  const int32_t first = net->change_start[step], end = net->change_start[step + 1];
  const int32_t exch = net->exch_start[step], exch_end = net->exch_start[step + 1];
  const bool laws[2] = {verify_direction(self, 2 * step), verify_direction(self, 2 * step + 1)};
  bool sound = laws[0] && laws[1];
  if (!row_ascends(net->change_slot, first, end, net->nslot)) {
    step_fail(self, step, "it changes a count that does not exist, or one twice");
    return;
  }
  if (!row_ascends(net->exch_res, exch, exch_end, net->nres)) {
    step_fail(self, step, "it exchanges with a reservoir that does not exist, or with one twice");
    return;
  }
  if (exch_end - exch > EXCH_MAX) {
    step_fail(self, step, "it exchanges with more than 256 reservoirs");
    return;
  }
  for (int32_t c = first; c < end; c++) {
    if (!change_in_range(net->change_by[c])) {
      step_fail(self, step, "it changes a count by nothing or by more than 65536");
      return;
    }
  }
  for (int32_t e = exch; e < exch_end; e++) {
    if (!change_in_range(net->exch_by[e])) {
      step_fail(self, step, "it exchanges nothing or more than 65536 with a reservoir");
      return;
    }
  }
  for (int32_t c = first; c < end && sound; c++) {
    if (is_variable(net, net->change_slot[c]) &&
        (net->dir_law[2 * step] == LAW_MASS || net->dir_law[2 * step + 1] == LAW_MASS)) {
      step_fail(self, step, "it changes a variable at a constant rate: such a rate is a law of its own");
      return;
    }
  }
  for (int32_t c = first; c < end; c++) {
    const int32_t family = net->slot_family[net->change_slot[c]];
    if (family >= 0) {
      family_change[family] += net->change_by[c];
    }
  }
  for (int32_t c = first; c < end; c++) {
    const int32_t family = net->slot_family[net->change_slot[c]];
    if (family >= 0 && family_change[family] != 0) {
      step_fail(self, step, "it makes or destroys copies of a protein");
      family_change[family] = 0;
    }
  }
  if (sound) {
    verify_tape(self, 2 * step);
    verify_tape(self, 2 * step + 1);
    verify_balance(self, step);
    verify_lnk(self, step);
  }
}

static void verify_families(verify *self, int64_t *sum)
{
  const ness_network *net = self->net;
  memset(sum, 0, (size_t)net->nfamily * sizeof *sum);
  for (int32_t i = 0; i < net->nslot; i++) {
    const int32_t family = net->slot_family[i];
    /* Counts are at most 2^53 here: a sum past 2^62 is a wrong one and stays there. */
    if (family >= 0 && sum[family] < INT64_C(1) << 62) {
      sum[family] += net->slot_start[i];
    }
  }
  for (int32_t f = 0; f < net->nfamily; f++) {
    if (sum[f] != net->family_copies[f]) {
      FAIL(self, "protein \"%s\" has %lld copies, but its states start with %lld",
           verify_name(self, net->family_name[f]), (long long)net->family_copies[f], (long long)sum[f]);
    }
  }
}

static void verify_declared(verify *self)
{
  const ness_network *net = self->net;
  for (int32_t c = 0; c < net->ncycle; c++) {
    for (int32_t k = net->cycle_start[c]; k < net->cycle_start[c + 1]; k++) {
      if (net->cycle_step[k] < 0 || net->cycle_step[k] >= net->nstep || !change_in_range(net->cycle_by[k])) {
        FAIL(self, "cycle \"%s\" runs a step that does not exist, or one not at all",
             verify_name(self, net->cycle_name[c]));
        break;
      }
    }
  }
  for (int32_t o = 0; o < net->nobs; o++) {
    const char *name = verify_name(self, net->obs_name[o]);
    for (int32_t k = net->obs_start[o]; k < net->obs_start[o + 1]; k++) {
      const int32_t kind = net->obs_kind[k];
      const int32_t limit = kind == OBS_COUNT ? net->nslot : kind >= OBS_NET && kind < OBS_COUNT ? net->nstep : 0;
      if (net->obs_id[k] < 0 || net->obs_id[k] >= limit) {
        FAIL(self, "observable \"%s\" refers to something that does not exist", name);
        break;
      }
      if (!isfinite(net->obs_coef[k])) {
        FAIL(self, "observable \"%s\" has a coefficient that is not finite", name);
        break;
      }
    }
  }
}

ness_status model_verify(const ness_network *net, ness_diags *diags)
{
  verify self = {net, diags, 0};
  if (!(net->temperature >= 0 && net->temperature <= DBL_MAX)) {
    FAIL(&self, "the temperature is negative or not finite");
  }
  verify_frame(&self);
  if (self.errors > 0) {
    return NESS_MODEL;
  }
  verify_slots(&self);
  verify_reservoirs(&self);
  verify_heats(&self);
  verify_processes(&self);
  verify_variables(&self);
  for (int32_t i = 0; i < net->nconst; i++) {
    if (!isfinite(net->tape_const[i])) {
      FAIL(&self, "constant %d of the rate laws is not finite", i);
    }
  }
  if (self.errors == 0) {
    int64_t *family = mem_zero((size_t)net->nfamily, sizeof *family);
    if (!family) {
      return NESS_NOMEM;
    }
    for (int32_t s = 0; s < net->nstep; s++) {
      verify_step(&self, s, family);
    }
    verify_families(&self, family);
    mem_free(family);
    verify_events(&self);
  }
  verify_declared(&self);
  return self.errors > 0 ? NESS_MODEL : NESS_OK;
}
