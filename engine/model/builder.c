/* Building a network step by step. Invariant: rows are appended, never moved; the first failure to find memory sticks
 * and builder_finish reports it; nothing is judged here, verify.c does that once everything is known. Reactants and
 * changes come sorted and merged from the left and right lists, so catalysts cancel in the change and stay in the
 * propensity. Cost: O(n log n) in the mentions of a step. */
#include "compile.h"
#include "engine/model/tape.h"
#include "engine/rng/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A growing array; `width` bytes an element. */
typedef struct column {
  void *data;
  int64_t count, capacity;
} column;

/* The stored arrays are the columns, under the same names: BUILDER_DO(type, name) for each. */
#define COLUMN_S(type, field) BUILDER_DO(type, field)
#define COLUMN_D(type, field)
#define COLUMN(stored, type, field, length) COLUMN_##stored(type, field)

struct network_builder {
#define BUILDER_DO(type, field) column field;
  NETWORK_ARRAYS(COLUMN)
#undef BUILDER_DO
  double temperature;
  int32_t model_name;
  bool failed;
};

/* Appends one value of the type of the array that the column becomes. */
#define PUT(self, type, field, value) column_put(self, &(self)->field, &(type){value}, sizeof(type))

static void column_put(network_builder *self, column *to, const void *value, size_t width)
{
  if (self->failed || to->count + 1 >= MODEL_SIZE_MAX || !mem_grow(&to->data, &to->capacity, to->count + 1, width)) {
    self->failed = true;
    return;
  }
  memcpy((char *)to->data + (size_t)to->count * width, value, width);
  to->count++;
}

static int32_t builder_name(network_builder *self, const char *name)
{
  const size_t length = name ? strlen(name) : 0;
  const int64_t at = self->name.count;
  if (length == 0) {
    return 0;
  }
  if (self->failed || length >= (size_t)MODEL_SIZE_MAX || at + (int64_t)length + 1 >= MODEL_SIZE_MAX ||
      !mem_grow(&self->name.data, &self->name.capacity, at + (int64_t)length + 1, 1)) {
    self->failed = true;
    return 0;
  }
  memcpy((char *)self->name.data + at, name, length + 1);
  self->name.count += (int64_t)length + 1;
  return (int32_t)at;
}

/* The id of the row that was just put into `of`. */
static int32_t builder_id(const network_builder *self, const column *of)
{
  return self->failed ? -1 : (int32_t)(of->count - 1);
}

network_builder *builder_create(const char *model_name, double temperature)
{
  network_builder *self = mem_zero(1, sizeof *self);
  if (!self) {
    return NULL;
  }
  PUT(self, char, name, 0);
  PUT(self, int32_t, react_start, 0);
  PUT(self, int32_t, tape_start, 0);
  PUT(self, int32_t, change_start, 0);
  PUT(self, int32_t, exch_start, 0);
  PUT(self, int32_t, set_start, 0);
  PUT(self, int32_t, rule_start, 0);
  PUT(self, int32_t, cycle_start, 0);
  PUT(self, int32_t, obs_start, 0);
  self->model_name = builder_name(self, model_name);
  self->temperature = temperature;
  if (self->failed) {
    builder_free(self);
    return NULL;
  }
  return self;
}

void builder_free(network_builder *self)
{
  if (self) {
#define BUILDER_DO(type, field) mem_free(self->field.data);
    NETWORK_ARRAYS(COLUMN)
#undef BUILDER_DO
    mem_free(self);
  }
}

int32_t builder_family(network_builder *self, const char *name, int64_t copies)
{
  PUT(self, int32_t, family_name, builder_name(self, name));
  PUT(self, int64_t, family_copies, copies);
  return builder_id(self, &self->family_copies);
}

int32_t builder_slot(network_builder *self, const char *name, int64_t start, int64_t max, double g, double charge,
                     int32_t volt, int32_t family)
{
  PUT(self, int32_t, slot_name, builder_name(self, name));
  PUT(self, int64_t, slot_start, start);
  PUT(self, int64_t, slot_max, max);
  PUT(self, double, slot_g, g);
  PUT(self, double, slot_charge, charge);
  PUT(self, int32_t, slot_volt, volt);
  PUT(self, int32_t, slot_family, family);
  return builder_id(self, &self->slot_family);
}

int32_t builder_variable_add(network_builder *self, const builder_variable *variable)
{
  PUT(self, int32_t, var_slot, builder_id(self, &self->slot_family));
  PUT(self, int32_t, var_kind, variable->kind);
  PUT(self, double, var_zero, variable->zero);
  PUT(self, double, var_unit, variable->unit);
  PUT(self, double, var_stiff, variable->stiff);
  PUT(self, double, var_print, variable->print);
  PUT(self, int32_t, var_text, builder_name(self, variable->text));
  return builder_id(self, &self->var_text);
}

int32_t builder_voltage(network_builder *self, const char *name, double kt)
{
  PUT(self, int32_t, volt_name, builder_name(self, name));
  PUT(self, double, volt_kt, kt);
  return builder_id(self, &self->volt_kt);
}

int32_t builder_heat(network_builder *self, const char *name, double kelvin)
{
  PUT(self, int32_t, heat_name, builder_name(self, name));
  PUT(self, double, heat_kelvin, kelvin);
  return builder_id(self, &self->heat_kelvin);
}

int32_t builder_reservoir(network_builder *self, const char *name, double mu, double activity, double charge,
                          int32_t volt)
{
  PUT(self, int32_t, res_name, builder_name(self, name));
  PUT(self, double, res_mu, mu);
  PUT(self, double, res_activity, activity);
  PUT(self, double, res_charge, charge);
  PUT(self, int32_t, res_volt, volt);
  return builder_id(self, &self->res_volt);
}

/* --- steps --- */

static int id_compare(const void *a, const void *b)
{
  int32_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

/* A sorted copy of the mentions; NULL when memory is out. */
static int32_t *ids_sorted(const int32_t *ids, int32_t count)
{
  int32_t *copy = mem_alloc((size_t)(count > 0 ? count : 0) * sizeof *copy);
  if (copy && count > 0) {
    memcpy(copy, ids, (size_t)count * sizeof *copy);
    qsort(copy, (size_t)count, sizeof *copy, id_compare);
  }
  return copy;
}

/* How often ids[*at] stands in a row; *at moves behind it. */
static int32_t ids_run(const int32_t *ids, int32_t count, int32_t *at)
{
  const int32_t first = *at;
  while (*at < count && ids[*at] == ids[first]) {
    ++*at;
  }
  return *at - first;
}

static void builder_reactants(network_builder *self, int32_t law, const int32_t *ids, int32_t count)
{
  for (int32_t at = 0; law == LAW_MASS && at < count;) {
    PUT(self, int32_t, react_slot, ids[at]);
    PUT(self, int32_t, react_mult, ids_run(ids, count, &at));
  }
  PUT(self, int32_t, react_start, (int32_t)self->react_slot.count);
}

/* right - left as a row of ids and differences, without those that cancel. */
static void builder_difference(network_builder *self, column *id, column *by, const int32_t *left, int32_t nleft,
                               const int32_t *right, int32_t nright)
{
  for (int32_t l = 0, r = 0; l < nleft || r < nright;) {
    const int32_t slot = r >= nright || (l < nleft && left[l] < right[r]) ? left[l] : right[r];
    int32_t difference = 0;
    if (r < nright && right[r] == slot) {
      difference += ids_run(right, nright, &r);
    }
    if (l < nleft && left[l] == slot) {
      difference -= ids_run(left, nleft, &l);
    }
    if (difference != 0) {
      column_put(self, id, &slot, sizeof slot);
      column_put(self, by, &difference, sizeof difference);
    }
  }
}

/* Puts the variables that the last step changes among the slots that it changes, which stay ascending. */
static void builder_moves(network_builder *self, const builder_step *step)
{
  const int32_t none = 0;
  int32_t *start = self->change_start.data;
  for (int32_t v = 0; v < step->nvar && !self->failed; v++) {
    PUT(self, int32_t, change_slot, none);
    PUT(self, int32_t, change_by, none);
    int32_t *slot = self->change_slot.data, *by = self->change_by.data;
    int64_t at = self->change_slot.count - 1;
    if (self->failed) {
      return;
    }
    for (; at > start[self->change_start.count - 1] && slot[at - 1] > step->var_slot[v]; at--) {
      slot[at] = slot[at - 1];
      by[at] = by[at - 1];
    }
    slot[at] = step->var_slot[v];
    by[at] = step->var_by[v];
  }
}

static void builder_tape(network_builder *self, column *to, column *start, const tape_op *ops, int32_t count,
                         const double *constants)
{
  for (int32_t i = 0; i < count; i++) {
    tape_op op = ops[i];
    const int32_t registers = op.code >= 0 && op.code < TAPE_CODES ? tape_registers(op.code) : 3;
    if (op.code == TAPE_CONST) {
      const int32_t from = op.a;
      op.a = from < 0 || !constants ? -1 : (int32_t)self->tape_const.count; /* -1 is refused at the end */
      if (op.a >= 0) {
        PUT(self, double, tape_const, constants[from]);
      }
    }
    op.a = registers > 0 || op.code == TAPE_CONST || op.code == TAPE_SLOT ? op.a : 0;
    op.b = registers > 1 ? op.b : 0;
    op.c = registers > 2 ? op.c : 0;
    column_put(self, to, &op, sizeof op);
  }
  column_put(self, start, &(int32_t){(int32_t)to->count}, sizeof(int32_t));
}

static double builder_lnk(const int32_t law[2], const double k[2], double lnk)
{
  if (law[0] == LAW_TAPE || law[1] == LAW_TAPE) {
    return (double)NAN;
  }
  if (law[0] == LAW_NONE && law[1] == LAW_NONE) {
    return lnk; /* switched off: energies may still say the ratio that the step would have */
  }
  if (law[0] == LAW_NONE || law[1] == LAW_NONE) {
    return law[0] == LAW_NONE ? -(double)INFINITY : (double)INFINITY;
  }
  return !isnan(lnk) ? lnk : isnormal(k[0] / k[1]) ? rng_ln(k[0] / k[1]) : rng_ln(k[0]) - rng_ln(k[1]);
}

int32_t builder_step_add(network_builder *self, const builder_step *step)
{
  int32_t law[2];
  double k[2];
  for (int way = 0; way < 2; way++) {
    /* A rate constant of exactly 0 is a direction that does not exist, and the step is named one-way. */
    law[way] = step->law[way] == LAW_MASS && step->k[way] == 0 ? LAW_NONE : step->law[way];
    k[way] = law[way] == LAW_MASS ? step->k[way] : 0;
  }
  int32_t *left = ids_sorted(step->left, step->nleft), *right = ids_sorted(step->right, step->nright);
  int32_t *res_left = ids_sorted(step->res_left, step->nres_left);
  int32_t *res_right = ids_sorted(step->res_right, step->nres_right);
  if (!left || !right || !res_left || !res_right) {
    self->failed = true;
  } else {
    PUT(self, int32_t, step_name, builder_name(self, step->name));
    PUT(self, int32_t, step_text, builder_name(self, step->text));
    PUT(self, int32_t, step_line, step->line);
    PUT(self, double, step_lnk, step->flip ? 0 : builder_lnk(law, k, step->lnk));
    PUT(self, double, step_lnk_error, step->lnk_error);
    for (int way = 0; way < 2; way++) {
      PUT(self, int32_t, dir_law, law[way]);
      PUT(self, double, dir_k, k[way]);
      builder_tape(self, &self->tape, &self->tape_start, step->tape[way], law[way] == LAW_TAPE ? step->nop[way] : 0,
                   step->constants);
    }
    builder_reactants(self, law[0], left, step->nleft);
    builder_reactants(self, law[1], right, step->nright);
    builder_difference(self, &self->change_slot, &self->change_by, left, step->nleft, right, step->nright);
    builder_moves(self, step);
    PUT(self, int32_t, change_start, (int32_t)self->change_slot.count);
    builder_difference(self, &self->exch_res, &self->exch_by, res_left, step->nres_left, res_right, step->nres_right);
    PUT(self, int32_t, exch_start, (int32_t)self->exch_res.count);
    if (step->flip) {
      PUT(self, int32_t, flip_step, builder_id(self, &self->step_name));
      PUT(self, int32_t, flip_proc, step->flip - 1);
    }
    if (step->flow) {
      PUT(self, int32_t, flow_step, builder_id(self, &self->step_name));
      PUT(self, int32_t, flow_kind, step->flow);
    }
  }
  mem_free(left);
  mem_free(right);
  mem_free(res_left);
  mem_free(res_right);
  return builder_id(self, &self->step_name);
}

int32_t builder_step_heat(network_builder *self, int32_t heat, double kt)
{
  PUT(self, int32_t, heat_step, builder_id(self, &self->step_name));
  PUT(self, int32_t, heat_src, heat);
  PUT(self, double, heat_kt, kt);
  return builder_id(self, &self->heat_step);
}

int32_t builder_process(network_builder *self, const char *name)
{
  PUT(self, int32_t, proc_name, builder_name(self, name));
  return builder_id(self, &self->proc_name);
}

int32_t builder_step_shift(network_builder *self, int32_t source, double kt)
{
  PUT(self, int32_t, shift_step, builder_id(self, &self->step_name));
  PUT(self, int32_t, shift_src, source);
  PUT(self, double, shift_kt, kt);
  return builder_id(self, &self->shift_kt);
}

/* --- declared --- */

int32_t builder_event_add(network_builder *self, const builder_event *event)
{
  PUT(self, int32_t, event_name, builder_name(self, event->name));
  PUT(self, double, event_at, event->at);
  PUT(self, double, event_every, event->every);
  builder_tape(self, &self->rule, &self->rule_start, event->condition, event->nop, event->constants);
  for (int32_t k = 0; k < event->nset; k++) {
    PUT(self, int32_t, set_slot, event->slot[k]);
    builder_tape(self, &self->rule, &self->rule_start, event->set[k], event->set_nop[k], event->constants);
  }
  PUT(self, int32_t, set_start, (int32_t)self->set_slot.count);
  return builder_id(self, &self->event_name);
}

int32_t builder_cycle(network_builder *self, const char *name, int32_t n, const int32_t *steps, const int32_t *by)
{
  PUT(self, int32_t, cycle_name, builder_name(self, name));
  for (int32_t i = 0; i < n; i++) {
    PUT(self, int32_t, cycle_step, steps[i]);
    PUT(self, int32_t, cycle_by, by[i]);
  }
  PUT(self, int32_t, cycle_start, (int32_t)self->cycle_step.count);
  return builder_id(self, &self->cycle_name);
}

int32_t builder_observable(network_builder *self, const char *name, int32_t n, const int32_t *kinds, const int32_t *ids,
                           const double *coefs)
{
  PUT(self, int32_t, obs_name, builder_name(self, name));
  for (int32_t i = 0; i < n; i++) {
    PUT(self, int32_t, obs_kind, kinds[i]);
    PUT(self, int32_t, obs_id, ids[i]);
    PUT(self, double, obs_coef, coefs[i]);
  }
  PUT(self, int32_t, obs_start, (int32_t)self->obs_kind.count);
  return builder_id(self, &self->obs_name);
}

/* --- the network --- */

ness_status builder_finish(network_builder *self, ness_diags *diags, ness_network **out)
{
  *out = NULL;
  if (self->failed) {
    return NESS_NOMEM;
  }
  const ness_network sizes = {.nslot = (int32_t)self->slot_start.count,
                              .nfamily = (int32_t)self->family_name.count,
                              .nstep = (int32_t)self->step_name.count,
                              .nres = (int32_t)self->res_mu.count,
                              .nvolt = (int32_t)self->volt_kt.count,
                              .nheat = (int32_t)self->heat_kelvin.count,
                              .nheatstep = (int32_t)self->heat_step.count,
                              .nproc = (int32_t)self->proc_name.count,
                              .nflip = (int32_t)self->flip_step.count,
                              .nshift = (int32_t)self->shift_step.count,
                              .nvar = (int32_t)self->var_slot.count,
                              .nflow = (int32_t)self->flow_step.count,
                              .nevent = (int32_t)self->event_name.count,
                              .nset = (int32_t)self->set_slot.count,
                              .nrule = (int32_t)self->rule.count,
                              .nreact = (int32_t)self->react_slot.count,
                              .nchange = (int32_t)self->change_slot.count,
                              .nexch = (int32_t)self->exch_res.count,
                              .nop = (int32_t)self->tape.count,
                              .nconst = (int32_t)self->tape_const.count,
                              .ncycle = (int32_t)self->cycle_name.count,
                              .ncycstep = (int32_t)self->cycle_step.count,
                              .nobs = (int32_t)self->obs_name.count,
                              .nobsterm = (int32_t)self->obs_kind.count,
                              .nname = (int32_t)self->name.count,
                              .temperature = self->temperature};
  ness_network *net = network_create(&sizes);
  if (!net) {
    return NESS_NOMEM;
  }
#define BUILDER_DO(type, field)                                                                                        \
  if (self->field.count > 0)                                                                                           \
    memcpy(model_writable(net->field), self->field.data, (size_t)self->field.count * sizeof(type));
  NETWORK_ARRAYS(COLUMN)
#undef BUILDER_DO
  net->model_name = net->name + self->model_name;
  const ness_status status = network_complete(&net, diags);
  if (status) {
    network_free(net);
    return status;
  }
  *out = net;
  return NESS_OK;
}
