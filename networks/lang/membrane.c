/* Membranes: which charge each step carries through each capacitor, and rates that feel the voltage it makes. A charge
 * q that crosses a capacitor changes its energy by q (V + q/2C), the voltage half way; a step that flows as its mean
 * meets V itself. With the drive x = x0 - sum q V/kT, local detailed balance fixes ln(forward/backward) = x and a form
 * shares it between the two ways; every such rate is a tape. Compartments inside others are counted with what is
 * around them: an ion that enters the lumen of a vesicle crosses the vesicle's wall and its cell's, if it comes from
 * outside. Cost: capacitors times mentions of a step. */
#include "networks/lang/compile.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- charges --- */

/* Whether a place has the capacitor's potential, or lies in a compartment that has. */
static bool membrane_holds(const lang_model *m, const model_variable *v, int32_t place)
{
  for (int64_t depth = 0; place >= 0 && depth <= m->nvariable; depth++) {
    const int32_t own = m->compartments[place].capacitor;
    if (own == v - m->variables) return true;
    place = own >= 0 ? m->variables[own].outside : -1;
  }
  return false;
}

/* Charge that a forward event brings inside, e. */
static double membrane_charge(const lang_model *m, const model_step *step, const model_variable *v)
{
  double charge = 0;
  for (int side = 0; side < 2; side++) {
    const double sign = side ? 1 : -1;
    const int32_t n = side ? step->nright : step->nleft, *const ids = side ? step->right : step->left;
    const int32_t nres = side ? step->nres_right : step->nres_left, *const res =
                                                                        side ? step->res_right : step->res_left;
    for (int32_t i = 0; i < n; i++) {
      const model_slot *const slot = &m->slots[ids[i]];
      if (membrane_holds(m, v, slot->place_of_charge)) charge += sign * slot->charge;
    }
    for (int32_t i = 0; i < nres; i++) {
      const model_reservoir *const r = &m->reservoirs[res[i]];
      if (membrane_holds(m, v, r->compartment)) charge += sign * r->z;
    }
  }
  return fabs(charge) < 1e-12 ? 0 : charge;
}

/* The smallest share of e that all charges are multiples of; 0: none. */
static double membrane_quantum(const lang_model *m, const model_variable *v)
{
  static const int32_t shares[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 50, 100, 200, 500, 1000};
  for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
    bool whole = true;
    for (int64_t s = 0; s < m->nstep && whole; s++) {
      const double by = membrane_charge(m, &m->steps[s], v) * shares[k];
      whole = fabs(by - nearbyint(by)) < 1e-9 * (1 + fabs(by));
    }
    if (whole) return 1.0 / shares[k];
  }
  return 0;
}

static bool membrane_scale(lang_model *m, model_variable *v)
{
  v->quantum = membrane_quantum(m, v);
  if (v->quantum == 0) {
    lang_error(m->diags, v->place, "round the charges of its states to 0.001",
               "steps move charges through %s that are no multiples of 0.001 e", v->name);
    return false;
  }
  const double charge = v->quantum * (m->file->natural ? 1 : CONST_E);
  v->stiff = charge * charge / v->capacitance / m->kt;
  return variable_scale(m, v, charge / v->capacitance);
}

bool membranes_declare(lang_model *m)
{
  for (int64_t i = 0; i < m->nvariable; i++) {
    model_variable *const v = &m->variables[i];
    if (!(v->kind == VAR_CHARGE ? membrane_scale(m, v) : variable_scale(m, v, 0))) return false;
  }
  for (int64_t s = 0; s < m->nstep; s++) {
    model_step *const step = &m->steps[s];
    if (step->flow == FLOW_DRIFT) continue;
    step->var_slot = arena_alloc(&m->memory, ((size_t)m->nvariable + 1) * sizeof *step->var_slot);
    step->var_by = arena_alloc(&m->memory, ((size_t)m->nvariable + 1) * sizeof *step->var_by);
    if (!step->var_slot || !step->var_by) return false;
    for (int64_t i = 0; i < m->nvariable; i++) {
      const model_variable *const v = &m->variables[i];
      const double charge = v->kind == VAR_CHARGE ? membrane_charge(m, step, v) : 0;
      if (charge == 0) continue;
      step->var_slot[step->nvar] = v->slot;
      step->var_by[step->nvar++] = (int32_t)nearbyint(charge / v->quantum);
    }
    if (step->nvar > 0 && step->tau != 1) {
      lang_error(m->diags, step->source->place, NULL,
                 "%s moves charge through a capacitor at a place of another temperature: ness has no energy for that",
                 step->name);
      return false;
    }
  }
  return true;
}

/* --- rates --- */

static int32_t tape_number(const eval *self, double value)
{
  const eval_value v = {.q = {value, UNIT_NONE}, .constant = true, .reg = -1};
  return eval_reg(self, &v);
}

/* a op b, -1 when either is. */
static int32_t tape_join(const eval *self, tape_code code, int32_t a, int32_t b)
{
  return a < 0 || b < 0 ? -1 : eval_emit(self, code, a, b, 0);
}

/* sign * (x0 - sum by stiff (n - n0 + half by)), and what inputs move of it (`whole`: of concentrations too): the drive
 * as this direction meets it. */
static int32_t drive_register(const eval *self, const model_step *step, int dir, double x0, double sign, bool whole)
{
  const lang_model *const m = self->m;
  double constant = x0;
  for (int32_t k = 0; k < step->nvar; k++) {
    const model_variable *const v = &m->variables[m->slots[step->var_slot[k]].variable - 1];
    const double by = step->var_by[k], half = step->flow ? 0 : dir ? -0.5 : 0.5;
    constant -= by * v->stiff * (v->zero / v->step + half * by);
  }
  int32_t reg = tape_number(self, sign * constant);
  for (int32_t k = 0; k < step->nvar; k++) {
    const model_variable *const v = &m->variables[m->slots[step->var_slot[k]].variable - 1];
    const int32_t n = eval_emit(self, TAPE_SLOT, step->var_slot[k], 0, 0);
    const int32_t scale = tape_number(self, -sign * step->var_by[k] * v->stiff);
    reg = tape_join(self, TAPE_ADD, reg, tape_join(self, TAPE_MUL, n, scale));
  }
  return sway_drive(self, step, reg, sign, whole);
}

/* Adds sign * ln of what the two sides hold in volumes, left over right. */
static int32_t drive_contents(const eval *self, const model_step *step, int32_t reg, double sign)
{
  const lang_model *const m = self->m;
  const double c0 = m->file->natural ? 1 : CONST_C0;
  for (int side = 0; side < 2; side++) {
    const int32_t n = side ? step->nright : step->nleft, *const ids = side ? step->right : step->left;
    for (int32_t i = 0; i < n; i++) {
      const model_slot *const slot = &m->slots[ids[i]];
      if (!(slot->volume > 0)) continue;
      const int32_t count = eval_emit(self, TAPE_SLOT, ids[i], 0, 0);
      const int32_t share = tape_join(self, TAPE_MUL, count, volume_inverse(self, ids[i], c0));
      const int32_t ln = share < 0 ? -1 : eval_emit(self, TAPE_LN, share, 0, 0);
      reg = tape_join(self, (side ? -sign : sign) > 0 ? TAPE_ADD : TAPE_SUB, reg, ln);
    }
  }
  return reg;
}

/* What a form makes of the drive in this direction. */
static int32_t form_register(const eval *self, const model_step *step, int dir, const membrane_law *law)
{
  const double sign = dir ? -1 : 1;
  if (strcmp(law->form, "exp") == 0) {
    const int32_t x = drive_register(self, step, dir, law->x0, dir ? law->split - 1 : law->split, false);
    return x < 0 ? -1 : eval_emit(self, TAPE_EXP, x, 0, 0);
  }
  const bool ohmic = strcmp(law->form, "ohmic") == 0;
  if (ohmic || strcmp(law->form, "scharfetter-gummel") == 0) { /* x/(1 - e^-x) = 1/exprel(-x) */
    int32_t x = drive_register(self, step, dir, law->x0, -sign, ohmic);
    if (ohmic) x = drive_contents(self, step, x, -sign);
    const int32_t rel = x < 0 ? -1 : eval_emit(self, TAPE_EXPREL, x, 0, 0);
    return tape_join(self, TAPE_DIV, tape_number(self, 1), rel);
  }
  if (strcmp(law->form, "metropolis") == 0) {
    const int32_t x = drive_register(self, step, dir, law->x0, sign, false);
    const int32_t least = tape_join(self, TAPE_MIN, x, tape_number(self, 0));
    return least < 0 ? -1 : eval_emit(self, TAPE_EXP, least, 0, 0);
  }
  const int32_t x = drive_register(self, step, dir, law->x0, -sign, false); /* heat-bath */
  const int32_t e = x < 0 ? -1 : eval_emit(self, TAPE_EXP, x, 0, 0);
  const int32_t one = tape_number(self, 1);
  return tape_join(self, TAPE_DIV, one, tape_join(self, TAPE_ADD, one, e));
}

/* constant * form * counts of what the direction takes; without a form the constant alone. */
static bool membrane_tape(lang_model *m, model_step *step, int dir, double constant, const membrane_law *law)
{
  eval_tape tape = {0};
  const eval self = {.m = m, .env = step->env, .tape = &tape};
  int32_t reg = tape_number(&self, constant);
  if (law) reg = tape_join(&self, TAPE_MUL, form_register(&self, step, dir, law), reg);
  const bool bare = law && strcmp(law->form, "ohmic") == 0; /* contents of volumes stand in the drive */
  if (!bare) reg = volume_factor(&self, step, dir, reg);
  reg = sway_scale(&self, step, dir, reg, bare);
  reg = reg < 0 ? -1 : lower_counts(&self, step, dir, reg, bare);
  return reg >= 0 && lower_tape(m, step, dir, &tape, reg);
}

bool membrane_both(lang_model *m, model_step *step, const double constant[2], const membrane_law *law)
{
  return membrane_tape(m, step, 0, constant[0], law) && membrane_tape(m, step, 1, constant[1], law);
}

bool membrane_other(lang_model *m, model_step *step, int given, double lnk)
{
  const double k = step->k[given];
  const membrane_law law = {.form = "exp", .x0 = lnk, .split = given ? 1 : 0};
  return membrane_tape(m, step, 1 - given, k, &law) && membrane_tape(m, step, given, k, NULL);
}

bool membrane_given(lang_model *m, model_step *step)
{
  for (int dir = 0; dir < 2; dir++) {
    const bool moves = step->nvar > 0 || volume_moves(m, step, dir) || sway_scales(m, step, dir);
    if (step->law[dir] == LAW_MASS && moves && !membrane_tape(m, step, dir, step->k[dir], NULL)) return false;
  }
  return true;
}

bool membrane_conductance(lang_model *m, const model_step *step, const expr *value, bool *moved, double *given,
                          double *k0)
{
  const eval self = {.m = m, .env = step->env, .moved = moved};
  const lang_unit siemens = {-2, -1, 3, 2, 0};
  double conductance, charge = 0;
  for (int32_t i = 0; i < step->nres_left; i++) charge += m->reservoirs[step->res_left[i]].z;
  for (int32_t i = 0; i < step->nleft; i++) {
    if (m->slots[step->left[i]].ion >= 0) charge += m->slots[step->left[i]].charge;
  }
  if (!eval_as(&self, value, siemens, "a conductance", &conductance, NULL)) return false;
  if (!(conductance >= 0) || !isfinite(conductance) || charge == 0) {
    lang_error(m->diags, value->place, NULL,
               charge == 0 ? "%s carries no charge across: it has no conductance"
                           : "the conductance of %s must be finite and not negative",
               step->name);
    return false;
  }
  const double q = charge * (m->file->natural ? 1 : CONST_E);
  *given = conductance;
  *k0 = conductance * m->kt / (q * q);
  return true;
}
