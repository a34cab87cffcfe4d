/* The value of an expression: a constant with a unit, or, where a tape is open, operations on counts. One recursion
 * does both: constants fold, and the first count starts the tape. Units are checked at every operation; 0 fits every
 * unit. With an active value the slopes of constants are carried along (forward mode). */
#include "engine/model/tape.h"
#include "networks/lang/compile.h"
#include <math.h>
#include <string.h>

static bool eval_fail_units(const eval *self, lang_place place, const char *doing, lang_unit a, lang_unit b)
{
  char ta[64], tb[64];
  unit_text(a, ta);
  unit_text(b, tb);
  lang_error(self->m->diags, place, "both sides need the same unit", "cannot %s %s and %s", doing, ta, tb);
  return false;
}

const expr *argument_value(const expr_argument *list, const char *name)
{
  for (; list; list = list->next) {
    if (list->name && strcmp(list->name, name) == 0) return list->value;
  }
  return NULL;
}

/* --- tape --- */

static bool tape_room(arena *memory, void *array, int32_t *capacity, int32_t need, size_t width)
{
  if (need <= *capacity) return true;
  if (need > 1 << 20) return false;
  const int32_t size = need < 16 ? 16 : 2 * need;
  void *old;
  memcpy(&old, array, sizeof old);
  char *const grown = arena_alloc(memory, (size_t)size * width);
  if (!grown) return false;
  if (old) memcpy(grown, old, (size_t)*capacity * width);
  memcpy(array, &grown, sizeof grown);
  *capacity = size;
  return true;
}

int32_t eval_emit(const eval *self, tape_code code, int32_t a, int32_t b, int32_t c)
{
  eval_tape *const tape = self->tape;
  if (!tape_room(&self->m->memory, &tape->ops, &tape->op_capacity, tape->nop + 1, sizeof *tape->ops)) return -1;
  tape->ops[tape->nop] = (tape_op){(int32_t)code, a, b, c};
  return tape->nop++;
}

int32_t eval_reg(const eval *self, const eval_value *value)
{
  if (!value->constant) return value->reg;
  eval_tape *const tape = self->tape;
  if (!tape_room(&self->m->memory, &tape->constants, &tape->const_capacity, tape->nconst + 1, sizeof *tape->constants))
    return -1;
  if (self->m->active) {
    if (!tape_room(&self->m->memory, &tape->slopes, &tape->slope_capacity, tape->nconst + 1, sizeof *tape->slopes))
      return -1;
    tape->slopes[tape->nconst] = value->slope;
  }
  tape->constants[tape->nconst] = value->q.value;
  return eval_emit(self, TAPE_CONST, tape->nconst++, 0, 0);
}

/* What is folded takes these from the C library, to the last place or nearly; a running tape trades that for speed and
 * for the same bits everywhere. */
static double eval_apply(tape_code code, double a, double b, double c)
{
  switch (code) {
  case TAPE_POW: return pow(a, b);
  case TAPE_EXP: return exp(a);
  case TAPE_LN: return log(a);
  case TAPE_TANH: return tanh(a);
  default: return tape_apply(code, a, b, c);
  }
}

/* Folds or emits; the unit of the result is the caller's business. */
static bool eval_op(const eval *self, tape_code code, lang_unit unit, const eval_value *a, const eval_value *b,
                    const eval_value *c, eval_value *out)
{
  *out = (eval_value){.q = {0, unit}, .constant = a->constant && (!b || b->constant) && (!c || c->constant), .reg = -1};
  if (out->constant) {
    const double value[3] = {a->q.value, b ? b->q.value : 0, c ? c->q.value : 0};
    const double by[3] = {a->slope, b ? b->slope : 0, c ? c->slope : 0};
    out->q.value = eval_apply(code, value[0], value[1], value[2]);
    if (self->m->active) out->slope = network_op_slope(code, out->q.value, value, by);
    return true;
  }
  const int32_t ra = eval_reg(self, a), rb = b ? eval_reg(self, b) : 0, rc = c ? eval_reg(self, c) : 0;
  if (ra < 0 || rb < 0 || rc < 0) return false;
  return (out->reg = eval_emit(self, code, ra, rb, rc)) >= 0;
}

/* --- names --- */

static bool eval_known_constant(const eval *self, const char *name, eval_value *out)
{
  const lang_model *const m = self->m;
  const bool natural = m->file->natural;
  const struct {
    const char *name;
    quantity q;
    double slope;
  } rows[] = {{"kT", {m->kt, natural ? UNIT_NONE : UNIT_ENERGY}, m->d.kt},
              {"RT", {m->kt, natural ? UNIT_NONE : UNIT_ENERGY}, m->d.kt},
              {"c0", {natural ? 1 : CONST_C0, natural ? UNIT_NONE : UNIT_DENSITY}, 0},
              {"e", {natural ? 1 : CONST_E, natural ? UNIT_NONE : (lang_unit){0, 0, 1, 1, 0}}, 0},
              {"F", {natural ? 1 : CONST_E, natural ? UNIT_NONE : (lang_unit){0, 0, 1, 1, 0}}, 0},
              {"kB", {natural ? 1 : CONST_KB, natural ? UNIT_NONE : (lang_unit){2, 1, -2, 0, -1}}, 0},
              {"R", {natural ? 1 : CONST_KB, natural ? UNIT_NONE : (lang_unit){2, 1, -2, 0, -1}}, 0},
              {"NA", {CONST_NA, UNIT_NONE}, 0},
              {"T", {natural ? 1 : m->temperature, natural ? UNIT_NONE : UNIT_KELVIN}, natural ? 0 : m->d.temperature},
              {"pi", {3.14159265358979323846, UNIT_NONE}, 0},
              {"inf", {INFINITY, UNIT_NONE}, 0},
              {"true", {1, UNIT_NONE}, 0},
              {"false", {0, UNIT_NONE}, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (strcmp(rows[i].name, name) == 0) {
      out->q = rows[i].q;
      out->slope = rows[i].slope;
      return true;
    }
  }
  return false;
}

/* A parameter that is set or active has the slope of a value of its own, whatever its expression says. */
static bool eval_param_done(lang_model *m, model_param *p, bool keep, eval_value *out)
{
  p->variable = !out->constant;
  if (m->active && strcmp(m->active, p->name) == 0) {
    if (p->variable) {
      lang_error(m->diags, p->item->place, NULL, "no derivative with respect to %s: it changes with the counts",
                 p->name);
      return false;
    }
    out->slope = 1;
  }
  p->result = out->q;
  p->slope = out->slope;
  p->state = p->variable || !keep ? LAZY_OPEN : LAZY_DONE;
  return true;
}

bool eval_param(lang_model *m, int32_t id, const eval *from, eval_value *out)
{
  model_param *const p = &m->params[id];
  if (p->state == LAZY_DONE && !p->variable) {
    *out = (eval_value){.q = p->result, .constant = true, .reg = -1, .slope = p->slope};
    return true;
  }
  if (p->state == LAZY_FAILED) return false;
  if (p->state == LAZY_BUSY) {
    lang_error(m->diags, p->item->place, "break the circle", "%s depends on itself", p->name);
    return false;
  }
  const expr *source = p->value;
  const char *unit = p->list_unit;
  const index_binding *env = p->env;
  const expr *const given = model_given(m, p->name);
  if (given) {
    source = given;
    unit = NULL;
    env = NULL;
  }
  if (model_override(m, p->name, &p->result)) {
    *out = (eval_value){.q = p->result, .constant = true, .reg = -1};
    return eval_param_done(m, p, true, out);
  }
  p->state = LAZY_BUSY;
  bool moved = false;
  expr wrapped = {.kind = EXPR_UNIT, .place = source->place, .name = unit};
  memcpy(&wrapped.a, &source, sizeof source);
  const eval inner = {.m = m,
                      .env = env,
                      .tape = p->item->recomputed || m->ninput > 0 ? from->tape : NULL,
                      .moved = from->moved ? &moved : NULL,
                      .hook = p->item->recomputed ? from->hook : NULL, /* which may know what changes: not to keep */
                      .hook_context = from->hook_context};
  const bool fine =
      eval_expr(&inner, unit ? &wrapped : source, out) && eval_param_done(m, p, !inner.hook && !moved, out);
  if (fine && moved) *from->moved = true;
  if (!fine) p->state = LAZY_FAILED;
  return fine;
}

/* What changes in time has no value where there is no tape. */
static bool eval_moving(const eval *self, const expr *e, const char *name, bool input)
{
  const char *hint = "rates behind @, volumes of compartments and values set by := may name it; k0, conductance and "
                     "what is set by = may not";
  if (self->energies) hint = "charges feel a capacitor by themselves";
  if (input)
    hint = "beside what flows, or another input, it may stand in rates, equations and conditions, concentrations of "
           "reservoirs, potentials of compartments, mu0, energies, k0 and conductances: not here";
  lang_error(self->m->diags, e->place, hint, "%s %s in time: it has no value here", name,
             input ? "moves" : "answers back and changes");
  return false;
}

/* An input that moves as a variable: on a tape its slot, else the value of the file where that will do. */
static bool eval_input(const eval *self, const expr *e, const char *name, eval_value *out)
{
  lang_model *const m = self->m;
  const sym *const s = sym_find(m, SPACE_VALUE, name);
  if (self->tape && s && s->kind == SYM_SLOT) {
    *out = (eval_value){.constant = false};
    return (out->reg = variable_register(self, &m->slots[s->id], &out->q.unit)) >= 0;
  }
  if (!self->moved) return eval_moving(self, e, name, true);
  *self->moved = true;
  return eval_param(m, s && s->kind == SYM_PARAM ? s->id : sym_find(m, SPACE_MOVED, name)->id, self, out);
}

/* A concentration, which inputs may move. */
static bool eval_reservoir(const eval *self, const expr *e, const model_reservoir *r, eval_value *out)
{
  const bool moves = r->input || r->sways;
  out->q = (quantity){r->concentration, r->unit};
  out->slope = r->d.concentration;
  if (moves && self->tape) {
    out->constant = false;
    return (out->reg = sway_concentration(self, r)) >= 0;
  }
  if (moves && !self->moved) return eval_moving(self, e, r->name, true);
  if (moves) *self->moved = true;
  return true;
}

/* The energy of a state as another names it. */
static bool eval_slot_energy(const eval *self, const expr *e, model_slot *slot, eval_value *out)
{
  lang_model *const m = self->m;
  if (slot->state == LAZY_BUSY) {
    lang_error(m->diags, e->place, "break the circle", "the energy of %s depends on itself", slot->name);
    return false;
  }
  if (slot->state == LAZY_OPEN) {
    slot->state = LAZY_BUSY;
    const bool fine = !slot->energy || eval_energy(m, slot->energy, slot->env, &slot->sways, &slot->own, &slot->d.own);
    slot->state = fine ? LAZY_DONE : LAZY_FAILED;
  }
  if (slot->sways && self->tape) {
    const eval now = {.m = m, .env = slot->env, .energies = true, .tape = self->tape};
    return eval_expr(&now, slot->energy, out);
  }
  if (slot->sways && !self->moved) return eval_moving(self, e, slot->name, true);
  if (slot->sways) *self->moved = true;
  out->q = (quantity){slot->own * m->kt, m->file->natural ? UNIT_NONE : UNIT_ENERGY};
  out->slope = slot->d.own * m->kt + slot->own * m->d.kt;
  return slot->state == LAZY_DONE;
}

static bool eval_name(const eval *self, const expr *e, eval_value *out)
{
  lang_model *const m = self->m;
  bool ok = true;
  if (e->path.parts == 1 && !e->path.from[0]) {
    for (const index_binding *b = self->env; b; b = b->outer) {
      if (strcmp(b->name, e->path.name[0]) == 0) {
        *out = (eval_value){.q = {b->value, UNIT_NONE}, .constant = true, .reg = -1};
        return true;
      }
    }
  }
  *out = (eval_value){.constant = true, .reg = -1};
  if (self->hook && self->hook(self->hook_context, e, &out->q, &ok)) return ok;
  const char *const name = sym_path(m, &e->path, self->env);
  if (!name) return false;
  const sym *const s = sym_find(m, SPACE_VALUE, name);
  if (!s) {
    if (e->path.parts == 1 && !e->path.from[0] && eval_known_constant(self, name, out)) {
      if (out->q.value > 0 || m->file->natural) return true;
      lang_error(m->diags, e->place, "add a line such as `temperature 310.15 [K]`",
                 "%s needs the temperature, which the model does not give", name);
      return false;
    }
    if (variable_find(m, name) >= 0) return eval_moving(self, e, name, process_input(m, name) != NULL);
    sym_unknown(m, e->place, name, "value", "v");
    return false;
  }
  if (s->kind == SYM_PARAM && m->params[s->id].moves) return eval_input(self, e, name, out);
  if (s->kind == SYM_PARAM) return eval_param(m, s->id, self, out);
  if (s->kind == SYM_RESERVOIR) return eval_reservoir(self, e, &m->reservoirs[s->id], out);
  if (m->slots[s->id].variable && process_input(m, name)) return eval_input(self, e, name, out);
  if (m->slots[s->id].variable && (self->energies || !self->tape)) return eval_moving(self, e, name, false);
  if (m->slots[s->id].variable) {
    *out = (eval_value){.constant = false};
    return (out->reg = variable_register(self, &m->slots[s->id], &out->q.unit)) >= 0;
  }
  if (self->energies) return eval_slot_energy(self, e, &m->slots[s->id], out);
  if (!self->tape) {
    lang_error(m->diags, e->place, "a rate that depends on counts stands behind @@, or in a value set by :=",
               "%s is a count, which changes in time: it has no value here", name);
    return false;
  }
  *out = (eval_value){.constant = false};
  return (out->reg = eval_emit(self, TAPE_SLOT, s->id, 0, 0)) >= 0;
}

/* --- functions --- */

typedef enum fn_units { FN_PLAIN, FN_SAME, FN_SQRT, FN_TRUTH } fn_units;

static const struct {
  const char *name;
  int arguments;
  fn_units units;
  tape_code code;
} eval_functions[] = {
    {"exp", 1, FN_PLAIN, TAPE_EXP},     {"ln", 1, FN_PLAIN, TAPE_LN},     {"sqrt", 1, FN_SQRT, TAPE_SQRT},
    {"abs", 1, FN_SAME, TAPE_ABS},      {"min", 2, FN_SAME, TAPE_MIN},    {"max", 2, FN_SAME, TAPE_MAX},
    {"floor", 1, FN_PLAIN, TAPE_FLOOR}, {"tanh", 1, FN_PLAIN, TAPE_TANH}, {"exprel", 1, FN_PLAIN, TAPE_EXPREL}};

static bool eval_model_function(const eval *self, const expr *e, eval_value *out, bool *known);

static bool eval_call(const eval *self, const expr *e, eval_value *out)
{
  bool ok = true, known = false;
  *out = (eval_value){.constant = true, .reg = -1};
  if (self->hook && self->hook(self->hook_context, e, &out->q, &ok)) return ok;
  const expr_argument *const first = e->arguments;
  int count = 0;
  for (const expr_argument *a = first; a; a = a->next) {
    count++;
    if (a->name || a->range_to) {
      known = true; /* named arguments belong to functions of experiments only */
    }
  }
  eval_value v[3];
  if (strcmp(e->name, "if") == 0 && count == 3 && !known) {
    const expr *const branch[2] = {first->next->value, first->next->next->value};
    if (!eval_expr(self, first->value, &v[0])) return false;
    /* A constant condition takes its branch and leaves the other alone, so that it can guard against 1/0. */
    if (v[0].constant) {
      if (!eval_expr(self, branch[v[0].q.value == 0], out)) return false;
      if (isnan(v[0].slope) || (v[0].slope != 0 && v[0].q.value == 0)) out->slope = NAN; /* the branches meet here */
      return true;
    }
    if (!eval_expr(self, branch[0], &v[1]) || !eval_expr(self, branch[1], &v[2])) return false;
    const bool zero = (v[1].constant && v[1].q.value == 0);
    if (!unit_equal(v[1].q.unit, v[2].q.unit) && !zero && !(v[2].constant && v[2].q.value == 0)) {
      return eval_fail_units(self, e->place, "choose between", v[1].q.unit, v[2].q.unit);
    }
    return eval_op(self, TAPE_SELECT, zero ? v[2].q.unit : v[1].q.unit, &v[0], &v[1], &v[2], out);
  }
  if (strcmp(e->name, "log10") == 0 && count == 1 && !known) {
    if (!eval_expr(self, first->value, &v[0])) return false;
    if (!unit_equal(v[0].q.unit, UNIT_NONE))
      return eval_fail_units(self, e->place, "take log10 of", v[0].q.unit, UNIT_NONE);
    if (!eval_op(self, TAPE_LN, UNIT_NONE, &v[0], NULL, NULL, &v[1])) return false;
    const eval_value scale = {.q = {0.43429448190325182765, UNIT_NONE}, .constant = true, .reg = -1};
    if (v[0].constant) {
      *out = (eval_value){.q = {log10(v[0].q.value), UNIT_NONE}, .constant = true, .reg = -1};
      out->slope = scale.q.value * v[1].slope;
      return true;
    }
    return eval_op(self, TAPE_MUL, UNIT_NONE, &v[1], &scale, NULL, out);
  }
  for (size_t f = 0; f < sizeof eval_functions / sizeof *eval_functions; f++) {
    if (strcmp(eval_functions[f].name, e->name) != 0) continue;
    if (count != eval_functions[f].arguments || known) {
      lang_error(self->m->diags, e->place, NULL, "%s takes %d value%s", e->name, eval_functions[f].arguments,
                 eval_functions[f].arguments == 1 ? "" : "s");
      return false;
    }
    const expr_argument *a = first;
    for (int i = 0; i < count; i++, a = a->next) {
      if (!eval_expr(self, a->value, &v[i])) return false;
    }
    lang_unit unit = v[0].q.unit;
    if (eval_functions[f].units == FN_PLAIN && !unit_equal(unit, UNIT_NONE)) {
      char unit_name[64];
      unit_text(unit, unit_name);
      lang_error(self->m->diags, first->value->place, "divide by a reference first, as in ln(c/c0) or exp(E/kT)",
                 "%s needs a plain number, not %s", e->name, unit_name);
      return false;
    }
    if (count == 2 && !unit_equal(unit, v[1].q.unit)) {
      if (v[0].constant && v[0].q.value == 0) unit = v[1].q.unit;
      else if (!(v[1].constant && v[1].q.value == 0))
        return eval_fail_units(self, e->place, "compare", unit, v[1].q.unit);
    }
    if (eval_functions[f].units == FN_SQRT) {
      if (unit.m % 2 || unit.kg % 2 || unit.s % 2 || unit.a % 2 || unit.k % 2)
        return eval_fail_units(self, e->place, "take the root of", unit, unit);
      unit = (lang_unit){(int8_t)(unit.m / 2), (int8_t)(unit.kg / 2), (int8_t)(unit.s / 2), (int8_t)(unit.a / 2),
                         (int8_t)(unit.k / 2)};
    }
    return eval_op(self, eval_functions[f].code, unit, &v[0], count == 2 ? &v[1] : NULL, NULL, out);
  }
  known = false;
  const bool fine = eval_model_function(self, e, out, &known);
  if (known) return fine;
  static const char *const names[] = {"exp",        "ln",          "sqrt",         "abs",
                                      "min",        "max",         "floor",        "tanh",
                                      "exprel",     "log10",       "if",           "mu",
                                      "energy",     "nernst",      "affinity",     "rate",
                                      "forward",    "backward",    "mean",         "var",
                                      "netflux",    "current",     "sigma",        "flux",
                                      "reversal",   "control",     "derivative",   "cumulant",
                                      "fano",       "uncertainty", "covariance",   "scgf",
                                      "relaxation", "passage",     "passage_sd",   "passage_by",
                                      "first",      "growth",      "work",         "mean_at",
                                      "var_at",     "sigma_at",    "adiabatic_at", "nonadiabatic_at",
                                      "medium_at",  "system_at"};
  const char *const near = name_nearest(e->name, names, (int32_t)(sizeof names / sizeof *names));
  char *const hint =
      near
          ? arena_format(&self->m->memory,
                         "did you mean %s? rate(), mean() and the like have values in experiments and observables only",
                         near)
          : NULL;
  lang_error(self->m->diags, e->place, hint, "no function %s has a value here", e->name);
  return false;
}

/* Functions of the model itself: mu(), energy(), nernst(), affinity(). */
static bool eval_model_function(const eval *self, const expr *e, eval_value *out, bool *known)
{
  lang_model *const m = self->m;
  const expr_argument *const first = e->arguments;
  const lang_unit energy = m->file->natural ? UNIT_NONE : UNIT_ENERGY;
  const bool one = first && !first->next && first->value && first->value->kind == EXPR_NAME;
  *known = true;
  if (strcmp(e->name, "mu") == 0 && one) {
    const int32_t id = lang_find(m, LANG_RESERVOIR, first->value, m->diags);
    if (id < 0) return false;
    const model_reservoir *const r = &m->reservoirs[id];
    if (sway_of_reservoir(m, id)) return eval_moving(self, e, r->name, true);
    const double mu = heat_potential(m, r) + r->z * r->phi;
    out->q = (quantity){m->kt * mu, energy};
    out->slope = m->d.kt * mu + m->kt * (heat_potential_slope(m, r) + r->d.z * r->phi + r->z * r->d.phi);
    return true;
  }
  if (strcmp(e->name, "energy") == 0 && one) {
    const int32_t id = lang_find(m, LANG_SLOT, first->value, m->diags);
    if (id < 0) return false;
    if (sway_of_slot(m, id)) return eval_moving(self, e, m->slots[id].name, true);
    out->q = (quantity){m->kt * m->slots[id].standard, energy};
    out->slope = m->d.kt * m->slots[id].standard + m->kt * m->slots[id].d.standard;
    return true;
  }
  if (strcmp(e->name, "affinity") == 0 && one && m->network) {
    const int32_t id = lang_find(m, LANG_CYCLE, first->value, m->diags);
    if (id < 0) return false;
    const ness_network *const net = m->network;
    double sum = 0, slope = 0;
    for (int32_t i = net->cycle_start[id]; i < net->cycle_start[id + 1]; i++) {
      const int32_t step = net->cycle_step[i];
      sum += net->cycle_by[i] * net->step_lnk[step];
      slope += net->cycle_by[i] * m->steps[step].d.lnk;
      if (!isnan(net->step_lnk[step])) continue;
      lang_error(m->diags, e->place, "give it rates that are constants, or `ldb`",
                 "this cycle has no affinity: the rates of %s have no fixed ratio",
                 network_text(net, net->step_name[step]));
      return false;
    }
    out->q = (quantity){m->kt * sum, energy};
    out->slope = m->d.kt * sum + m->kt * slope;
    return true;
  }
  if (strcmp(e->name, "nernst") == 0 && first && first->next && !first->next->next) {
    const int32_t inside = lang_find(m, LANG_RESERVOIR, first->value, m->diags);
    const int32_t outside = inside < 0 ? -1 : lang_find(m, LANG_RESERVOIR, first->next->value, m->diags);
    if (inside < 0 || outside < 0) return false;
    for (int k = 0; k < 2; k++) {
      const model_reservoir *const r = &m->reservoirs[k ? outside : inside];
      if (r->input || r->sways) return eval_moving(self, e, r->name, true);
    }
    const double z = m->reservoirs[inside].z;
    if (z == 0) {
      lang_error(m->diags, first->value->place, NULL, "%s has no charge, so no voltage holds it",
                 m->reservoirs[inside].name);
      return false;
    }
    const model_reservoir *const in = &m->reservoirs[inside], *const from = &m->reservoirs[outside];
    const double v = log(from->activity / in->activity) / z;
    const double by = (from->d.log_activity - in->d.log_activity - v * in->d.z) / z;
    out->q = m->file->natural ? (quantity){v, UNIT_NONE} : (quantity){v * m->kt / CONST_E, UNIT_VOLT};
    out->slope = m->file->natural ? by : (by * m->kt + v * m->d.kt) / CONST_E;
    return true;
  }
  *known = false;
  return false;
}

/* --- operators --- */

static bool eval_power(const eval *self, const expr *e, const eval_value *a, const eval_value *b, eval_value *out)
{
  lang_unit unit = UNIT_NONE;
  if (!unit_equal(b->q.unit, UNIT_NONE)) return eval_fail_units(self, e->place, "raise to", a->q.unit, b->q.unit);
  if (!unit_equal(a->q.unit, UNIT_NONE)) {
    const double n = b->q.value;
    if (!b->constant || n != nearbyint(n) || fabs(n) > 12) {
      lang_error(self->m->diags, e->place, NULL, "a value with a unit takes a whole constant exponent");
      return false;
    }
    unit = unit_scale(a->q.unit, (int)n);
  }
  return eval_op(self, TAPE_POW, unit, a, b, NULL, out);
}

/* Of a unit that holds kT to some power: the power is what doubling kT multiplies it with. */
static double eval_unit_slope(const lang_model *m, const char *name, double value)
{
  quantity twice;
  size_t bad;
  const char *why;
  if (m->d.kt == 0 || !unit_parse(name, strlen(name), 2 * m->kt, &twice, &bad, &why)) return 0;
  return value * log2(twice.value / value) * m->d.kt / m->kt;
}

bool eval_expr(const eval *self, const expr *e, eval_value *out)
{
  eval_value a, b;
  switch (e->kind) {
  case EXPR_NUMBER: *out = (eval_value){.q = {e->number, UNIT_NONE}, .constant = true, .reg = -1}; return true;
  case EXPR_NAME: return eval_name(self, e, out);
  case EXPR_CALL: return eval_call(self, e, out);
  case EXPR_UNIT: {
    quantity unit;
    size_t bad = 0;
    const char *why = NULL;
    if (!eval_expr(self, e->a, &a)) return false;
    if (!e->name) return *out = a, true;
    if (self->m->file->natural) {
      lang_error(self->m->diags, e->place, "leave the brackets out, or leave `units natural` out",
                 "in natural units a number has no unit");
      return false;
    }
    if (!unit_parse(e->name, strlen(e->name), self->m->kt, &unit, &bad, &why)) {
      lang_place place = e->place;
      place.offset += 1 + (int32_t)bad;
      place.column += 1 + (int32_t)bad;
      place.length = 1;
      lang_error(
          self->m->diags, place,
          "ness knows m g s min h K A V J cal eV kT W N Pa C e F S Ohm Hz L mol M with prefixes f p n u m c d k M G",
          "in [%s], what stands here %s", e->name, why);
      return false;
    }
    if (!unit_equal(a.q.unit, UNIT_NONE)) {
      lang_error(self->m->diags, e->place, "give the unit once", "this value has a unit already");
      return false;
    }
    b = (eval_value){.q = {unit.value, UNIT_NONE}, .constant = true, .reg = -1};
    b.slope = eval_unit_slope(self->m, e->name, unit.value);
    return eval_op(self, TAPE_MUL, unit.unit, &a, &b, NULL, out);
  }
  case EXPR_NEG: return eval_expr(self, e->a, &a) && eval_op(self, TAPE_NEG, a.q.unit, &a, NULL, NULL, out);
  case EXPR_NOT: return eval_expr(self, e->a, &a) && eval_op(self, TAPE_NOT, UNIT_NONE, &a, NULL, NULL, out);
  default: break;
  }
  if (!eval_expr(self, e->a, &a) || !eval_expr(self, e->b, &b)) return false;
  const bool zero_a = a.constant && a.q.value == 0, zero_b = b.constant && b.q.value == 0;
  const bool same = unit_equal(a.q.unit, b.q.unit) || zero_a || zero_b;
  const lang_unit unit = zero_a ? b.q.unit : a.q.unit;
  switch (e->kind) {
  case EXPR_ADD:
    return same ? eval_op(self, TAPE_ADD, unit, &a, &b, NULL, out)
                : eval_fail_units(self, e->place, "add", a.q.unit, b.q.unit);
  case EXPR_SUB:
    return same ? eval_op(self, TAPE_SUB, unit, &a, &b, NULL, out)
                : eval_fail_units(self, e->place, "subtract", a.q.unit, b.q.unit);
  case EXPR_MUL: return eval_op(self, TAPE_MUL, unit_add(a.q.unit, b.q.unit), &a, &b, NULL, out);
  case EXPR_DIV:
    if (zero_b) {
      lang_error(self->m->diags, e->place, NULL, "division by zero");
      return false;
    }
    return eval_op(self, TAPE_DIV, unit_add(a.q.unit, unit_scale(b.q.unit, -1)), &a, &b, NULL, out);
  case EXPR_POW: return eval_power(self, e, &a, &b, out);
  case EXPR_AND: return eval_op(self, TAPE_AND, UNIT_NONE, &a, &b, NULL, out);
  case EXPR_OR: return eval_op(self, TAPE_OR, UNIT_NONE, &a, &b, NULL, out);
  default: break;
  }
  if (!same) return eval_fail_units(self, e->place, "compare", a.q.unit, b.q.unit);
  switch (e->kind) {
  case EXPR_LT: return eval_op(self, TAPE_LT, UNIT_NONE, &a, &b, NULL, out);
  case EXPR_LE: return eval_op(self, TAPE_LE, UNIT_NONE, &a, &b, NULL, out);
  case EXPR_GT: return eval_op(self, TAPE_LT, UNIT_NONE, &b, &a, NULL, out);
  case EXPR_GE: return eval_op(self, TAPE_LE, UNIT_NONE, &b, &a, NULL, out);
  case EXPR_EQ: return eval_op(self, TAPE_EQ, UNIT_NONE, &a, &b, NULL, out);
  default: {
    eval_value equal;
    return eval_op(self, TAPE_EQ, UNIT_NONE, &a, &b, NULL, &equal) &&
           eval_op(self, TAPE_NOT, UNIT_NONE, &equal, NULL, NULL, out);
  }
  }
}

bool eval_constant(const eval *self, const expr *e, quantity *out, double *slope)
{
  eval_value v;
  if (!eval_expr(self, e, &v)) return false;
  *out = v.q;
  if (slope) *slope = v.slope;
  if (!v.constant || isnan(v.q.value)) {
    lang_error(self->m->diags, e->place, NULL,
               v.constant ? "this is not a number (0/0, or the logarithm of a negative value)"
                          : "this changes in time; a constant is needed");
    return false;
  }
  return slope_known(self->m, e->place, v.slope) && (slope || slope_flat(self->m, e->place, v.slope, "a whole number"));
}

bool eval_as(const eval *self, const expr *e, lang_unit unit, const char *what, double *out, double *slope)
{
  quantity q;
  double by;
  if (!eval_constant(self, e, &q, &by) || (!slope && !slope_flat(self->m, e->place, by, what))) return false;
  if (slope) *slope = by;
  *out = q.value;
  if (self->m->file->natural || unit_equal(q.unit, unit) || q.value == 0) return true;
  char have[64], want[64];
  unit_text(q.unit, have);
  unit_text(unit, want);
  lang_error(self->m->diags, e->place,
             unit_equal(q.unit, UNIT_NONE) ? "a unit stands in brackets behind the number, as in -60 [mV]" : NULL,
             "%s is in %s, this has %s", what, want, have);
  return false;
}

bool eval_energy(lang_model *m, const expr *e, const index_binding *env, bool *moved, double *kt, double *slope)
{
  const eval self = {.m = m, .env = env, .energies = true, .moved = moved};
  double joule = 0, by = 0;
  if (!eval_as(&self, e, UNIT_ENERGY, "an energy", &joule, &by)) return false;
  if (!(m->kt > 0)) {
    lang_error(m->diags, e->place, "add a line such as `temperature 310.15 [K]`",
               "an energy needs the temperature, which the model does not give");
    return false;
  }
  if (!isfinite(joule)) {
    lang_error(m->diags, e->place, "a state that is never visited is left out", "an energy must be finite");
    return false;
  }
  *kt = joule / m->kt;
  *slope = (by - *kt * m->d.kt) / m->kt;
  return true;
}
