/* Variables: what answers back, and inputs that move beside it. A capacitor's voltage and plain variables are slots
 * read on a scale (engine/model); here they are declared, their equations become steps that drift, and `at` and `when`
 * become events of the network. Invariant: a variable starts exactly at the value of the file, and its slot is 0 at or
 * above the lower end of its range. A plain variable has about a million counts over its range, a capacitor one count
 * for the smallest charge that any step moves through it (membrane.c). Cost: nothing beside the rest of the compiler.
 */
#include "networks/lang/compile.h"
#include <math.h>
#include <string.h>

#define VARIABLE_COUNTS 1e6
#define INPUT_ROOM 1e-9    /* of the range of an input, beyond what it moves in */
#define VARIABLE_MOST 9e15 /* counts */

static bool variable_refuse(lang_model *m, lang_place place, const char *hint, const char *message, const char *name)
{
  lang_error(m->diags, place, hint, message, name);
  return false;
}

/* --- declaring --- */

static bool variable_range(lang_model *m, model_variable *v, const expr_argument *list, lang_place place)
{
  const expr *const low = argument_value(list, "low"), *const high = argument_value(list, "high");
  const eval self = {.m = m};
  const double volt = m->file->natural ? m->kt : 1; /* half a volt, 20 kT/e at rooms' temperatures */
  v->low = m->file->natural ? -20 * volt : -0.5;
  v->high = -v->low;
  if (low && !eval_as(&self, low, v->unit, "the lower end of the range", &v->low, NULL)) return false;
  if (high && !eval_as(&self, high, v->unit, "the upper end of the range", &v->high, NULL)) return false;
  if (v->low < v->high && v->start >= v->low && v->start <= v->high && isfinite(v->high - v->low)) return true;
  return variable_refuse(m, place, "`within LOW, HIGH` holds the start", "%s starts outside of its range", v->name);
}

static bool variable_push(lang_model *m, const model_variable *v)
{
  if (!model_grow(m, &m->variables, &m->variable_capacity, m->nvariable + 1, sizeof *m->variables)) return false;
  m->variables[m->nvariable++] = *v;
  return true;
}

int32_t capacitor_of(const lang_model *m, const expr *potential)
{
  int32_t index = 0;
  if (potential->kind != EXPR_NAME || potential->path.parts != 1 || potential->path.from[0]) return -1;
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind != STMT_CAPACITOR) continue;
    if (strcmp(s->name, potential->path.name[0]) == 0) return index;
    index++;
  }
  return -1;
}

static int32_t capacitor_side(lang_model *m, const expr *e)
{
  const char *const name = e->kind == EXPR_NAME ? e->path.name[0] : "";
  const sym *const c = sym_find(m, SPACE_COMPARTMENT, name);
  if (!c) sym_unknown(m, e->place, name, "compartment", "c");
  return c ? c->id : -1;
}

/* Compartments stand by now, and know whose potential a capacitor is. */
static bool declare_capacitor(lang_model *m, const stmt *s)
{
  const eval self = {.m = m};
  const int32_t index = (int32_t)m->nvariable;
  model_variable v = {.name = s->name, .place = s->place, .kind = VAR_CHARGE, .slot = -1, .print = 1, .text = ""};
  const expr *const capacitance = argument_value(s->arguments, "capacitance");
  const expr *const start = argument_value(s->arguments, "start");
  if (!m->file->natural) v.unit = UNIT_VOLT, v.print = 1e-3, v.text = "mV";
  const int32_t sides[2] = {capacitor_side(m, s->a), capacitor_side(m, s->b)};
  if (sides[0] < 0 || sides[1] < 0) return false;
  v.inside = m->compartments[sides[0]].capacitor == index ? sides[0] : sides[1];
  v.outside = v.inside == sides[0] ? sides[1] : sides[0];
  if (m->compartments[v.inside].capacitor != index || v.inside == v.outside)
    return variable_refuse(m, s->place, "write `potential NAME` behind one of the two compartments",
                           "%s is the potential of neither side", s->name);
  if (!(m->kt > 0))
    return variable_refuse(m, s->place, "add a line such as `temperature 310.15 [K]`",
                           "the capacitor %s needs the temperature, which the model does not give", s->name);
  if (!capacitance || !start)
    return variable_refuse(m, s->place, "as in `capacitance 1 [pF] start -70 [mV]`",
                           "the capacitor %s needs a capacitance and a start", s->name);
  const lang_unit farad = {-2, -1, 4, 2, 0};
  if (!eval_as(&self, capacitance, farad, "a capacitance", &v.capacitance, NULL)) return false;
  if (!(v.capacitance > 0) || !isfinite(v.capacitance))
    return variable_refuse(m, capacitance->place, NULL, "the capacitance of %s must be positive and finite", s->name);
  quantity q;
  if (model_override(m, s->name, &q)) v.start = q.value;
  else if (!eval_as(&self, start, v.unit, "the start of a capacitor", &v.start, NULL)) return false;
  return variable_range(m, &v, s->arguments, s->place) && variable_push(m, &v);
}

/* How people are shown a value: in the unit of an expression, else in that of its dimension. */
static bool variable_words(lang_model *m, model_variable *v, const expr *shown)
{
  quantity one;
  size_t bad;
  const char *why;
  char text[64] = "";
  if (!unit_equal(v->unit, UNIT_NONE)) unit_text(v->unit, text);
  if (shown && shown->kind == EXPR_NEG) shown = shown->a;
  v->text = shown && shown->kind == EXPR_UNIT && shown->name ? shown->name : text;
  if (unit_parse(v->text, strlen(v->text), m->kt, &one, &bad, &why) && unit_equal(one.unit, v->unit))
    v->print = one.value;
  return v->text != text || (v->text = arena_text(&m->memory, text, strlen(text))) != NULL;
}

static bool declare_variable(lang_model *m, const stmt_item *item)
{
  const eval self = {.m = m};
  const char *const name = item->path.name[0];
  model_variable v = {.name = name, .place = item->place, .kind = VAR_PLAIN, .slot = -1, .print = 1, .text = ""};
  quantity q;
  const expr *const given = model_given(m, name);
  if (item->index || item->path.from[0])
    return variable_refuse(m, item->place, "give each a name of its own", "%s: a variable takes no index", name);
  if (!model_override(m, name, &q) && !eval_constant(&self, given ? given : item->value, &q, NULL)) return false;
  v.start = q.value;
  v.unit = q.unit;
  return variable_words(m, &v, item->value) && variable_range(m, &v, item->attributes, item->place) &&
         variable_push(m, &v);
}

/* How the file writes the value of a reservoir. */
static const expr *reservoir_shown(const lang_model *m, const char *name)
{
  for (const stmt *s = m->file->statements; s; s = s->next) {
    const size_t length = s->kind == STMT_ION ? strlen(s->name) : 0;
    for (const stmt_item *item = s->kind == STMT_BATH || s->kind == STMT_ION ? s->items : NULL; item;
         item = item->next) {
      const bool within = length > 0 && strncmp(name, s->name, length) == 0 && name[length] == '.';
      if (strcmp(item->path.name[0], s->kind == STMT_BATH ? name : within ? name + length + 1 : "") == 0)
        return item->value;
    }
  }
  return NULL;
}

/* An input as a variable: its range is a little wider than what it moves in, so that rounding keeps inside. */
static bool declare_input(lang_model *m, const lang_process *p)
{
  const sym *const s = sym_find(m, SPACE_VALUE, p->name); /* none: a reservoir, which is declared later */
  model_variable v = {.name = p->name, .place = p->place, .kind = VAR_PLAIN, .slot = -1, .print = 1, .unit = p->unit};
  lang_process_range(p, &v.low, &v.high);
  const double room = INPUT_ROOM * (fabs(v.low) + fabs(v.high)) + (v.low == 0 && v.high == 0);
  v.low -= room;
  v.high += room;
  v.start = v.low;
  const expr *const shown = s ? m->params[s->id].value : reservoir_shown(m, p->name);
  if (isfinite(v.high - v.low)) return variable_words(m, &v, shown) && variable_push(m, &v);
  return variable_refuse(m, p->place, NULL, "the range that %s moves in has no end", p->name);
}

int32_t variable_find(const lang_model *m, const char *name)
{
  for (int32_t i = 0; i < (int32_t)m->nvariable; i++) {
    if (strcmp(m->variables[i].name, name) == 0) return i;
  }
  return -1;
}

bool variables_declare(lang_model *m)
{
  bool fine = true;
  for (const stmt *s = m->file->statements; s && fine; s = s->next) {
    if (s->kind == STMT_CAPACITOR) fine = declare_capacitor(m, s);
  }
  for (const stmt *s = m->file->statements; s && fine; s = s->next) {
    for (const stmt_item *item = s->kind == STMT_VARIABLE ? s->items : NULL; item && fine; item = item->next)
      fine = declare_variable(m, item);
  }
  for (int32_t i = 0; i < m->ninput && fine; i++) fine = declare_input(m, &m->inputs[i]);
  if (fine && m->active && m->nvariable > 0)
    return variable_refuse(m, m->variables[0].place, NULL,
                           "no derivatives where %s answers back: its own change would be left out",
                           m->variables[0].name);
  return fine;
}

/* Slots of variables come behind all others, inputs last. */
bool variables_slots(lang_model *m)
{
  for (int64_t i = 0; i < m->nvariable; i++) {
    model_variable *const v = &m->variables[i];
    lang_process *const input = process_input(m, v->name);
    if ((v->slot = symbols_slot(m, input ? SPACE_MOVED : SPACE_VALUE, v->name, v->place)) < 0) return false;
    if (input) input->first_slot = v->slot;
    sym *const s = input ? sym_find(m, SPACE_VALUE, v->name) : NULL;
    if (s && s->kind == SYM_PARAM) { /* it has done its service: from here on the name is that of the slot */
      sym *const moved = sym_find(m, SPACE_MOVED, v->name);
      *moved = (sym){.space = SPACE_MOVED,
                     .kind = SYM_PARAM,
                     .id = s->id,
                     .last = s->id,
                     .name = s->name,
                     .place = s->place,
                     .next = moved->next};
      s->kind = SYM_SLOT;
      s->id = s->last = v->slot;
    } /* a reservoir's name stays its own: steps go on to use it */
    m->slots[v->slot].variable = (int32_t)i + 1;
    m->slots[v->slot].known = true;
  }
  return true;
}

bool variable_scale(lang_model *m, model_variable *v, double unit)
{
  const double span = v->high - v->low;
  double count = unit > 0 ? floor((v->start - v->low) / unit) : nearbyint((v->start - v->low) / span * VARIABLE_COUNTS);
  if (unit > 0) v->step = unit;
  else v->step = count > 0 ? (v->start - v->low) / count : span / VARIABLE_COUNTS;
  v->zero = unit > 0 ? v->start - count * unit : v->low;
  const double most = unit > 0 ? floor((v->high - v->zero) / unit) : ceil(span / v->step * (1 - 1e-12));
  if (!(most <= VARIABLE_MOST))
    return variable_refuse(m, v->place, "take a smaller capacitance, as of a patch",
                           "%s would hold more charges than a count can", v->name);
  if (most < 1)
    return variable_refuse(m, v->place, "widen it by `within LOW, HIGH`, or take a larger capacitance",
                           "one charge takes %s out of its range", v->name);
  m->slots[v->slot].start = (int64_t)count;
  m->slots[v->slot].max = (int64_t)most;
  return true;
}

/* --- equations --- */

static model_variable *variable_named(lang_model *m, const expr_path *path, lang_place place)
{
  const char *const name = sym_path(m, path, NULL);
  const sym *const s = name ? sym_find(m, SPACE_VALUE, name) : NULL;
  if (s && s->kind == SYM_SLOT && m->slots[s->id].variable) return &m->variables[m->slots[s->id].variable - 1];
  if (name && s)
    variable_refuse(m, place, "declare it with `variable`, or as a capacitor", "%s is no variable: it has no equation",
                    name);
  else if (name) sym_unknown(m, place, name, "variable", "v");
  return NULL;
}

bool variables_equations(lang_model *m)
{
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind != STMT_EQUATION) continue;
    model_variable *const v = variable_named(m, &s->label, s->place);
    if (!v) return false;
    if (v->equation) return variable_refuse(m, s->place, NULL, "%s has an equation already", v->name);
    v->equation = s;
    model_step step = {.source = s, .tau = 1, .flow = FLOW_DRIFT, .lnk = NAN};
    step.name = step.text = arena_format(&m->memory, "%s'", v->name);
    step.var_slot = arena_alloc(&m->memory, sizeof *step.var_slot);
    step.var_by = arena_alloc(&m->memory, sizeof *step.var_by);
    step.left = step.right = step.res_left = step.res_right = arena_alloc(&m->memory, sizeof *step.left);
    if (!step.name || !step.var_by || !step.var_slot || !step.left) return false;
    step.var_slot[0] = v->slot;
    step.var_by[0] = 1;
    step.nvar = 1;
    if (!model_grow(m, &m->steps, &m->step_capacity, m->nstep + 1, sizeof *m->steps)) return false;
    m->steps[m->nstep] = step;
    if (!sym_add(m, SPACE_STEP, step.name, SYM_OTHER, (int32_t)m->nstep++, s->place)) return false;
  }
  return true;
}

/* A value of this unit on a tape, as a register; 0 fits every unit. -1 after a report. */
static int32_t variable_value(const eval *self, const expr *e, lang_unit unit, const char *what)
{
  eval_value v;
  if (!eval_expr(self, e, &v)) return -1;
  if (self->m->file->natural || unit_equal(v.q.unit, unit) || (v.constant && v.q.value == 0)) return eval_reg(self, &v);
  char have[64], want[64];
  unit_text(v.q.unit, have);
  unit_text(unit, want);
  lang_error(self->m->diags, e->place, NULL, "%s is in %s, this has %s", what, want, have);
  return -1;
}

static int32_t variable_constant(const eval *self, double value)
{
  const eval_value v = {.q = {value, UNIT_NONE}, .constant = true, .reg = -1};
  return eval_reg(self, &v);
}

bool variables_drift(lang_model *m, model_step *step)
{
  const model_variable *const v = &m->variables[m->slots[step->var_slot[0]].variable - 1];
  eval_tape tape = {0};
  const eval self = {.m = m, .tape = &tape};
  const int32_t value = variable_value(&self, step->source->a, unit_add(v->unit, UNIT_RATE), "this rate of change");
  const int32_t scale = value < 0 ? -1 : variable_constant(&self, 1 / v->step);
  const int32_t reg = scale < 0 ? -1 : eval_emit(&self, TAPE_MUL, value, scale, 0);
  return reg >= 0 && lower_tape(m, step, 0, &tape, reg);
}

int32_t variable_register(const eval *self, const model_slot *slot, lang_unit *unit)
{
  const model_variable *const v = &self->m->variables[slot->variable - 1];
  const int32_t n = eval_emit(self, TAPE_SLOT, v->slot, 0, 0), step = n < 0 ? -1 : variable_constant(self, v->step);
  const int32_t part = step < 0 ? -1 : eval_emit(self, TAPE_MUL, n, step, 0);
  const int32_t zero = part < 0 ? -1 : variable_constant(self, v->zero);
  *unit = v->unit;
  return zero < 0 ? -1 : eval_emit(self, TAPE_ADD, part, zero, 0);
}

/* --- events --- */

static bool event_set(const eval *self, const stmt_item *item, int32_t *slot)
{
  lang_model *const m = self->m;
  const char *const name = sym_path(m, &item->path, NULL);
  const sym *const s = name ? sym_find(m, SPACE_VALUE, name) : NULL;
  if (!s || s->kind != SYM_SLOT || m->slots[s->id].family >= 0) {
    if (name && s)
      variable_refuse(m, item->place, "declare it with `variable NAME = start within low, high`",
                      "an event sets variables and species; %s is neither", name);
    else if (name) sym_unknown(m, item->place, name, "variable or species", "v");
    return false;
  }
  *slot = s->id;
  if (!m->slots[s->id].variable) return variable_value(self, item->value, UNIT_NONE, "a count") >= 0;
  const model_variable *const v = &m->variables[m->slots[s->id].variable - 1];
  const int32_t value = variable_value(self, item->value, v->unit, "the new value");
  const int32_t zero = value < 0 ? -1 : variable_constant(self, v->zero);
  const int32_t above = zero < 0 ? -1 : eval_emit(self, TAPE_SUB, value, zero, 0);
  const int32_t step = above < 0 ? -1 : variable_constant(self, v->step);
  return step >= 0 && eval_emit(self, TAPE_DIV, above, step, 0) >= 0;
}

/* Where a register is not the last operation: a value of a tape is its last one. */
static bool event_last(const eval *self, int32_t reg)
{
  if (reg == self->tape->nop - 1) return true;
  const int32_t one = variable_constant(self, 1);
  return one >= 0 && eval_emit(self, TAPE_MUL, reg, one, 0) >= 0;
}

static bool event_build(lang_model *m, network_builder *b, const stmt *s)
{
  const lang_unit second = m->file->natural ? UNIT_NONE : UNIT_SECOND;
  const eval plain = {.m = m};
  eval_tape tapes[64] = {{0}};
  int32_t slot[63], nop[63], n = 0;
  const tape_op *ops[63];
  builder_event event = {.at = NAN};
  event.name = arena_text(&m->memory, s->place.source->text + s->place.offset, (size_t)s->place.length);
  if (s->a && !eval_as(&plain, s->a, second, "the time of an event", &event.at, NULL)) return false;
  if (s->b && !eval_as(&plain, s->b, second, "the time between events", &event.every, NULL)) return false;
  if ((s->a && !(event.at >= 0)) || (s->b && !(event.every > 0)) || !isfinite(event.every))
    return variable_refuse(m, s->place, NULL, "an event is at a time from 0 on, and again after a positive time%s", "");
  if (s->c) {
    const eval self = {.m = m, .tape = &tapes[0]};
    const int32_t reg = variable_value(&self, s->c, UNIT_NONE, "a condition");
    if (reg < 0 || !event_last(&self, reg)) return false;
  }
  int32_t nconst = tapes[0].nconst;
  for (const stmt_item *item = s->items; item; item = item->next) {
    if (n == 63) return variable_refuse(m, item->place, NULL, "an event sets at most 63 values%s", "");
    eval_tape *const tape = &tapes[n + 1];
    const eval self = {.m = m, .tape = tape};
    if (!event_set(&self, item, &slot[n])) return false;
    for (int32_t i = 0; i < tape->nop; i++) {
      if (tape->ops[i].code == TAPE_CONST) tape->ops[i].a += nconst;
    }
    nconst += tape->nconst;
    ops[n] = tape->ops;
    nop[n++] = tape->nop;
  }
  double *const constants = arena_alloc(&m->memory, ((size_t)nconst + 1) * sizeof *constants);
  if (!constants || !event.name) return false;
  for (int32_t k = 0, at = 0; k <= n; at += tapes[k++].nconst) {
    if (tapes[k].nconst) memcpy(constants + at, tapes[k].constants, (size_t)tapes[k].nconst * sizeof *constants);
  }
  event.nop = tapes[0].nop;
  event.condition = tapes[0].ops;
  event.nset = n;
  event.slot = slot;
  event.set_nop = nop;
  event.set = ops;
  event.constants = constants;
  return builder_event_add(b, &event) >= 0;
}

bool variables_events(lang_model *m, network_builder *b)
{
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind == STMT_EVENT && !event_build(m, b, s)) return false;
  }
  return true;
}
