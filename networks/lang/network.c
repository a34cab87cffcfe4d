/* From the unrolled model to the network of engine/model: voltages, reservoirs, slots, steps, cycles, observables; then
 * what the file asserts. An observable is linear in rates and means, so that every engine and every dump can give it
 * with an error. */
#include "networks/lang/compile.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- observables --- */

static bool linear_append(lang_model *m, lang_linear *l, int32_t kind, int32_t id, double coef, double by)
{
  if ((l->n & (l->n - 1)) == 0) {
    const size_t size = l->n ? 2 * (size_t)l->n : 1;
    int32_t *const kinds = arena_alloc(&m->memory, size * sizeof *kinds), *const ids = arena_alloc(&m->memory,
                                                                                                   size * sizeof *ids);
    double *const coefs = arena_alloc(&m->memory, size * sizeof *coefs);
    double *const slopes = arena_alloc(&m->memory, size * sizeof *slopes);
    if (!kinds || !ids || !coefs || !slopes) return false;
    if (l->n) {
      memcpy(kinds, l->kind, (size_t)l->n * sizeof *kinds);
      memcpy(ids, l->id, (size_t)l->n * sizeof *ids);
      memcpy(coefs, l->coef, (size_t)l->n * sizeof *coefs);
      memcpy(slopes, l->slope, (size_t)l->n * sizeof *slopes);
    }
    l->kind = kinds;
    l->id = ids;
    l->coef = coefs;
    l->slope = slopes;
  }
  l->kind[l->n] = kind;
  l->id[l->n] = id;
  l->slope[l->n] = by;
  l->coef[l->n++] = coef;
  return true;
}

/* The same, joined with a term of the same kind and id. */
static bool linear_add(lang_model *m, lang_linear *l, int32_t kind, int32_t id, double coef, double by)
{
  for (int32_t i = 0; i < l->n; i++) {
    if (l->kind[i] == kind && l->id[i] == id) {
      l->coef[i] += coef;
      l->slope[i] += by;
      return true;
    }
  }
  return linear_append(m, l, kind, id, coef, by);
}

bool lang_linear_call(const expr *node)
{
  static const char *const names[] = {"rate", "forward", "backward", "netflux", "current", "mean"};
  for (size_t i = 0; node->kind == EXPR_CALL && i < sizeof names / sizeof *names; i++) {
    if (strcmp(node->name, names[i]) == 0) return true;
  }
  return false;
}

static int32_t count_of(int32_t n, const int32_t *ids, int32_t id)
{
  int32_t count = 0;
  for (int32_t i = 0; i < n; i++) count += ids[i] == id;
  return count;
}

/* Net number that a forward event gives to a reservoir or slot. */
static int32_t step_gives(const model_step *s, bool reservoir, int32_t id)
{
  return reservoir ? count_of(s->nres_right, s->res_right, id) - count_of(s->nres_left, s->res_left, id)
                   : count_of(s->nright, s->right, id) - count_of(s->nleft, s->left, id);
}

/* Charge that a forward event brings into a compartment, e, and its slope. */
static double step_charge(const lang_model *m, const model_step *s, int32_t compartment, double *by)
{
  double charge = 0;
  *by = 0;
  for (int side = 0; side < 2; side++) {
    const double sign = side ? 1 : -1;
    const int32_t n = side ? s->nright : s->nleft, *const ids = side ? s->right : s->left;
    const int32_t nres = side ? s->nres_right : s->nres_left, *const res = side ? s->res_right : s->res_left;
    for (int32_t i = 0; i < n; i++) {
      if (m->slots[ids[i]].compartment != compartment) continue;
      charge += sign * m->slots[ids[i]].charge;
      *by += sign * m->slots[ids[i]].d.charge;
    }
    for (int32_t i = 0; i < nres; i++) {
      if (m->reservoirs[res[i]].compartment != compartment) continue;
      charge += sign * m->reservoirs[res[i]].z;
      *by += sign * m->reservoirs[res[i]].d.z;
    }
  }
  return charge;
}

/* A count, or a variable on its scale. */
static bool linear_mean(lang_model *m, lang_linear *out, int32_t slot)
{
  const int32_t variable = m->slots[slot].variable;
  const model_variable *const v = variable ? &m->variables[variable - 1] : NULL;
  out->scale = (quantity){1, v ? v->unit : UNIT_NONE};
  out->constant = v ? v->zero : 0;
  return linear_append(m, out, OBS_COUNT, slot, v ? v->step : 1, 0);
}

static bool linear_call(lang_model *m, const expr *e, ness_diags *diags, lang_linear *out)
{
  const expr_argument *const first = e->arguments;
  if (!first || first->next || first->value->kind != EXPR_NAME) {
    lang_error(diags, e->place, NULL, "%s takes one name", e->name);
    return false;
  }
  const lang_unit rate = m->file->natural ? UNIT_NONE : UNIT_RATE;
  out->scale = (quantity){1, rate};
  if (strcmp(e->name, "netflux") == 0) {
    const char *const name = sym_path(m, &first->value->path, NULL);
    const sym *const s = name ? sym_find(m, SPACE_VALUE, name) : NULL;
    if (!s || s->kind == SYM_PARAM) {
      if (name) sym_unknown(m, first->value->place, name, "reservoir or species", "v");
      return false;
    }
    for (int64_t i = 0; i < m->nstep; i++) {
      const int32_t by = step_gives(&m->steps[i], s->kind == SYM_RESERVOIR, s->id);
      if (by && !linear_append(m, out, OBS_NET, (int32_t)i, by, 0)) return false;
    }
    return true;
  }
  if (strcmp(e->name, "current") == 0) {
    const sym *const c = sym_find(m, SPACE_COMPARTMENT, first->value->path.name[0]);
    if (!c) {
      sym_unknown(m, first->value->place, first->value->path.name[0], "compartment", "c");
      return false;
    }
    /* Outward positive: the charge that leaves the compartment. */
    for (int64_t i = 0; i < m->nstep; i++) {
      double by;
      const double charge = step_charge(m, &m->steps[i], c->id, &by);
      if ((charge != 0 || by != 0) && !linear_append(m, out, OBS_NET, (int32_t)i, -charge, -by)) return false;
    }
    out->scale = m->file->natural ? (quantity){1, UNIT_NONE} : (quantity){CONST_E, (lang_unit){0, 0, 0, 1, 0}};
    return true;
  }
  const bool mean = strcmp(e->name, "mean") == 0;
  const int32_t id = lang_find(m, mean ? LANG_SLOT : LANG_STEP, first->value, diags);
  if (id < 0) return false;
  if (mean) return linear_mean(m, out, id);
  const int32_t kind = strcmp(e->name, "rate") == 0 ? OBS_NET : strcmp(e->name, "forward") == 0 ? OBS_FWD : OBS_BWD;
  const int32_t last = lang_step_last(m, id); /* a step that a process moves stands once for each level */
  for (int32_t i = id; i <= last; i++) {
    if (!linear_append(m, out, kind, i, 1, 0)) return false;
  }
  return true;
}

/* Adds the terms of another one, scaled. */
static bool linear_join(lang_model *m, lang_linear *l, const lang_linear *from, double sign)
{
  l->constant += sign * from->constant * from->scale.value;
  for (int32_t i = 0; i < from->n; i++) {
    const double coef = sign * from->coef[i] * from->scale.value;
    const double by = sign * (from->slope[i] * from->scale.value + from->coef[i] * from->scale_slope);
    if (!linear_add(m, l, from->kind[i], from->id[i], coef, by)) return false;
  }
  return true;
}

bool lang_linear_of(lang_model *m, const expr *e, ness_diags *diags, lang_linear *out)
{
  *out = (lang_linear){.scale = {1, UNIT_NONE}};
  if (lang_linear_call(e)) return linear_call(m, e, diags, out);
  if (e->kind == EXPR_NAME) {
    const char *const name = sym_path(m, &e->path, NULL);
    const sym *const o = name ? sym_find(m, SPACE_OBSERVABLE, name) : NULL;
    const sym *const v = name ? sym_find(m, SPACE_VALUE, name) : NULL;
    if (o) {
      *out = m->observables[o->id].linear;
      return true;
    }
    if (v && v->kind == SYM_SLOT) return linear_mean(m, out, v->id);
  }
  lang_linear a, b;
  if (e->kind == EXPR_NEG) {
    if (!lang_linear_of(m, e->a, diags, out)) return false;
    out->scale.value = -out->scale.value;
    out->scale_slope = -out->scale_slope;
    return true;
  }
  if (e->kind == EXPR_ADD || e->kind == EXPR_SUB) {
    if (!lang_linear_of(m, e->a, diags, &a) || !lang_linear_of(m, e->b, diags, &b)) return false;
    if (!unit_equal(a.scale.unit, b.scale.unit)) {
      lang_error(diags, e->place, NULL, "the two sides have different units");
      return false;
    }
    out->scale = (quantity){1, a.scale.unit};
    return linear_join(m, out, &a, 1) && linear_join(m, out, &b, e->kind == EXPR_ADD ? 1 : -1);
  }
  if (e->kind == EXPR_MUL || e->kind == EXPR_DIV) {
    /* One side is a constant: try the right one as such, else, in a product, the left one. */
    quantity q;
    double by;
    ness_diags *const silent = ness_diags_create(), *const kept = m->diags;
    const eval self = {.m = m};
    if (!silent) return false;
    m->diags = silent;
    const bool right = eval_constant(&self, e->b, &q, &by);
    const bool left = !right && e->kind == EXPR_MUL && eval_constant(&self, e->a, &q, &by);
    m->diags = kept;
    ness_diags_free(silent);
    if (right || left) {
      if (!lang_linear_of(m, right ? e->a : e->b, diags, out)) return false;
      const bool product = e->kind == EXPR_MUL;
      const double scale = product ? out->scale.value * q.value : out->scale.value / q.value;
      out->scale_slope =
          product ? out->scale_slope * q.value + out->scale.value * by : (out->scale_slope - scale * by) / q.value;
      out->scale.value = scale;
      out->scale.unit = unit_add(out->scale.unit, unit_scale(q.unit, e->kind == EXPR_MUL ? 1 : -1));
      return true;
    }
  }
  lang_error(diags, e->place,
             "rate(step), netflux(ion.place), current(place), mean(species), their sums, and multiples by constants; "
             "anything else is a `let` in an experiment",
             "an observable is linear in rates and means; this is not");
  return false;
}

static bool declare_observables(lang_model *m)
{
  for (const stmt *s = m->file->statements; s; s = s->next) {
    for (const stmt_item *item = s->kind == STMT_OBSERVE ? s->items : NULL; item; item = item->next) {
      lang_linear linear;
      if (!item->value || !lang_linear_of(m, item->value, m->diags, &linear)) return false;
      if (linear.constant != 0) {
        lang_error(m->diags, item->value->place, "read mean(V) in an experiment, or in the counts of any answer",
                   "an observable is a sum of rates and counts; the scale of a variable has a beginning of its own");
        return false;
      }
      if (!model_grow(m, &m->observables, &m->observable_capacity, m->nobservable + 1, sizeof *m->observables))
        return false;
      m->observables[m->nobservable] = (model_observable){item->path.name[0], linear};
      if (!sym_add(m, SPACE_OBSERVABLE, item->path.name[0], SYM_OTHER, (int32_t)m->nobservable++, item->place))
        return false;
    }
  }
  return true;
}

/* --- cycles --- */

typedef struct cycle_lists {
  int32_t *step, *by;
  int64_t n, step_capacity, by_capacity;
} cycle_lists;

static bool cycle_push(cycle_lists *l, int32_t step, int32_t by)
{
  if (!mem_grow(&l->step, &l->step_capacity, l->n + 1, sizeof *l->step) ||
      !mem_grow(&l->by, &l->by_capacity, l->n + 1, sizeof *l->by))
    return false;
  l->step[l->n] = step;
  l->by[l->n++] = by;
  return true;
}

/* The steps of a cycle must bring every count back. */
static bool cycle_closes(lang_model *m, const stmt *s, const cycle_lists *l)
{
  int32_t *const net = mem_zero((size_t)m->nslot + 1, sizeof *net);
  if (!net) return false;
  for (int64_t i = 0; i < l->n; i++) {
    const model_step *const step = &m->steps[l->step[i]];
    for (int32_t k = 0; k < step->nleft; k++) net[step->left[k]] -= l->by[i];
    for (int32_t k = 0; k < step->nright; k++) net[step->right[k]] += l->by[i];
  }
  bool fine = true;
  for (int64_t i = 0; i < m->nslot && fine; i++) {
    if (net[i] == 0) continue;
    lang_error(m->diags, s->place, "a step that runs backward has a minus sign",
               "this cycle does not close: it changes %s by %+d", m->slots[i].name, net[i]);
    fine = false;
  }
  mem_free(net);
  return fine;
}

/* The one input that moves steps, where it is one with few levels; a cycle then stands once for each of them. */
#define CYCLE_LEVELS 8
static const lang_process *cycle_input(const lang_model *m)
{
  const lang_process *only = NULL;
  for (int64_t i = 0; i < m->nprocess; i++) {
    if (m->processes[i].nlevel == 0) continue;
    if (only || m->processes[i].nlevel > CYCLE_LEVELS) return NULL;
    only = &m->processes[i];
  }
  return only;
}

static bool build_cycle_at(lang_model *m, network_builder *builder, const stmt *s, int32_t level, bool *moved)
{
  cycle_lists l = {0};
  *moved = false;
  bool fine = s->left != NULL;
  if (!fine) lang_error(m->diags, s->place, NULL, "a cycle needs steps");
  for (const step_term *t = s->left; t && fine; t = t->next) {
    int32_t first = 0, last = 0;
    const bool range = t->path.to[0] != NULL;
    if (range) fine = sym_range(m, t->path.from[0], t->path.to[0], NULL, &first, &last);
    for (int32_t i = first; i <= last && fine; i++) {
      const char *const name = range ? arena_indexed(&m->memory, t->path.name[0], i) : sym_path(m, &t->path, NULL);
      const sym *const step = name ? sym_find(m, SPACE_STEP, name) : NULL;
      if (!step && name) sym_unknown(m, t->place, name, "step", "t");
      *moved = *moved || (step && step->last > step->id);
      fine = step && cycle_push(&l, step->id + (step->last > step->id ? level : 0), t->count);
    }
  }
  const lang_process *const input = *moved ? cycle_input(m) : NULL;
  const bool skip = *moved && !input;
  fine = fine && (skip || cycle_closes(m, s, &l));
  const char *name = fine && !skip ? sym_path(m, &s->label, NULL) : NULL;
  if (name && input) name = arena_format(&m->memory, "%s (%s)", name, input->level_name[level]);
  int32_t id = -1;
  if (name) id = builder_cycle(builder, name, (int32_t)l.n, l.step, l.by);
  fine = fine && (skip || (id >= 0 && sym_add(m, SPACE_CYCLE, name, SYM_OTHER, id, s->place)));
  mem_free(l.step);
  mem_free(l.by);
  return fine;
}

static bool build_cycle(lang_model *m, network_builder *builder, const stmt *s)
{
  bool moved = false, fine = build_cycle_at(m, builder, s, 0, &moved);
  const lang_process *const input = moved ? cycle_input(m) : NULL;
  for (int32_t level = 1; input && level < input->nlevel && fine; level++)
    fine = build_cycle_at(m, builder, s, level, &moved);
  return fine;
}

/* --- charge: every step that moves only ions and species must keep it; cycles through proteins are held by ness check
 * --- */

static bool check_charge(lang_model *m)
{
  bool fine = true;
  for (int64_t i = 0; i < m->nstep; i++) {
    const model_step *const s = &m->steps[i];
    double charge = 0;
    bool ions_only = true;
    for (int side = 0; side < 2; side++) {
      const double sign = side ? 1 : -1;
      const int32_t n = side ? s->nright : s->nleft, *const ids = side ? s->right : s->left;
      for (int32_t k = 0; k < n; k++) {
        ions_only = ions_only && (m->slots[ids[k]].ion >= 0 ||
                                  count_of(s->nleft, s->left, ids[k]) == count_of(s->nright, s->right, ids[k]));
        if (m->slots[ids[k]].ion >= 0) charge += sign * m->ions[m->slots[ids[k]].ion].z;
      }
      const int32_t nres = side ? s->nres_right : s->nres_left, *const res = side ? s->res_right : s->res_left;
      for (int32_t k = 0; k < nres; k++) charge += sign * m->reservoirs[res[k]].z;
    }
    if (!ions_only || fabs(charge) < 1e-9) continue;
    lang_error(m->diags, s->source->place, "count the charges on both sides",
               "the charge does not balance: %s makes %+g e", s->text, charge);
    fine = false;
  }
  return fine;
}

bool network_build(lang_model *m)
{
  if (!check_charge(m) || !declare_observables(m)) return false;
  const double c0 = m->file->natural ? 1 : CONST_C0;
  network_builder *const b = builder_create(m->file->name, m->temperature);
  bool fine = b != NULL;
  for (int32_t i = 0; i < m->nvolt && fine; i++) fine = builder_voltage(b, m->volt_names[i], m->volt_phi[i]) >= 0;
  for (int64_t i = 0; i < m->nreservoir && fine; i++) {
    const model_reservoir *const r = &m->reservoirs[i];
    fine = builder_reservoir(b, r->name, heat_potential(m, r), r->activity, r->z, r->volt) >= 0;
  }
  for (int64_t i = 0; i < m->ncompartment && fine; i++) {
    const model_compartment *const c = &m->compartments[i];
    if (c->heat < 0) continue;
    const char *const name = arena_format(&m->memory, "%s.heat", c->name);
    fine = name && builder_heat(b, name, (m->file->natural ? 1 : m->temperature) / c->tau) >= 0;
  }
  for (int64_t i = 0; i < m->nprocess && fine; i++)
    fine = m->processes[i].nlevel == 0 || builder_process(b, m->processes[i].name) >= 0;
  for (int64_t i = 0; i < m->nfamily && fine; i++) fine = builder_family(b, m->families[i], m->family_copies[i]) >= 0;
  for (int64_t i = 0; i < m->nslot && fine; i++) {
    const model_slot *const s = &m->slots[i];
    const double g = s->standard - (s->volume > 0 ? log(s->volume * c0) : 0);
    fine = builder_slot(b, s->name, s->start, s->max, s->variable ? 0 : g, s->charge, s->volt, s->family) >= 0;
    if (!fine || !s->variable) continue;
    const model_variable *const v = &m->variables[s->variable - 1];
    const builder_variable variable = {v->kind,  v->zero, v->step, v->kind == VAR_CHARGE ? v->stiff : 0,
                                       v->print, v->text};
    fine = builder_variable_add(b, &variable) >= 0;
  }
  for (int64_t i = 0; i < m->nstep && fine; i++) {
    const model_step *const s = &m->steps[i];
    const builder_step step = {.name = s->name,
                               .text = s->text,
                               .line = s->source->place.line,
                               .nleft = s->nleft,
                               .nright = s->nright,
                               .left = s->left,
                               .right = s->right,
                               .nres_left = s->nres_left,
                               .nres_right = s->nres_right,
                               .res_left = s->res_left,
                               .res_right = s->res_right,
                               .law = {s->law[0], s->law[1]},
                               .k = {s->k[0], s->k[1]},
                               .nop = {s->nop[0], s->nop[1]},
                               .tape = {s->tape[0], s->tape[1]},
                               .constants = s->constants,
                               .lnk = s->lnk,
                               .lnk_error = sqrt(s->raw[0] * s->raw[0] + s->raw[1] * s->raw[1]),
                               .flip = s->flip,
                               .flow = s->flow,
                               .nvar = s->nvar,
                               .var_slot = s->var_slot,
                               .var_by = s->var_by};
    fine = builder_step_add(b, &step) >= 0 && (s->heat == 0 || builder_step_heat(b, s->heat - 1, heat_work(m, s)) >= 0);
    for (int32_t k = 0; k < s->nshift && fine; k++) fine = builder_step_shift(b, s->shift_src[k], s->shift_kt[k]) >= 0;
  }
  fine = fine && variables_events(m, b);
  for (const stmt *s = m->file->statements; s && fine; s = s->next) {
    if (s->kind == STMT_CYCLE) fine = build_cycle(m, b, s);
  }
  for (int64_t i = 0; i < m->nobservable && fine; i++) {
    const lang_linear *const l = &m->observables[i].linear;
    double *const coefs = mem_zero((size_t)l->n + 1, sizeof *coefs);
    /* In the network a flow counts in 1/s and a current in e/s. */
    const double unit = unit_equal(l->scale.unit, (lang_unit){0, 0, 0, 1, 0}) ? CONST_E : 1;
    for (int32_t k = 0; coefs && k < l->n; k++) coefs[k] = l->coef[k] * l->scale.value / unit;
    fine = coefs && builder_observable(b, m->observables[i].name, l->n, l->kind, l->id, coefs) >= 0;
    mem_free(coefs);
  }
  if (fine) fine = builder_finish(b, m->diags, &m->network) == NESS_OK;
  builder_free(b);
  return fine;
}

/* --- assertions --- */

ness_status network_asserts(lang_model *m)
{
  ness_status status = NESS_OK;
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind != STMT_ASSERT) continue;
    const eval self = {.m = m};
    quantity a, b, tolerance = {0, UNIT_NONE};
    double slope;
    if (!eval_constant(&self, s->a, &a, &slope) || !eval_constant(&self, s->b, &b, &slope) ||
        (s->c && !eval_constant(&self, s->c, &tolerance, &slope)))
      return m->memory.failed ? NESS_NOMEM : NESS_MODEL;
    if (!unit_equal(a.unit, b.unit) && a.value != 0 && b.value != 0) {
      char ta[64], tb[64];
      unit_text(a.unit, ta);
      unit_text(b.unit, tb);
      lang_error(m->diags, s->place, NULL, "cannot compare %s and %s", ta, tb);
      return m->memory.failed ? NESS_NOMEM : NESS_MODEL;
    }
    if (s->c && !unit_equal(tolerance.unit, a.value != 0 ? a.unit : b.unit) && tolerance.value != 0) {
      lang_error(m->diags, s->c->place, NULL, "cannot compare with a tolerance in another unit");
      return m->memory.failed ? NESS_NOMEM : NESS_MODEL;
    }
    /* Energies are sums of terms of some kT: next to zero their rounding is measured in kT. */
    const double floor_kt = m->file->natural || unit_equal(a.unit, UNIT_ENERGY) ? 1e-12 * m->kt : 0;
    const double slack = s->c ? tolerance.value : 1e-9 * fmax(fabs(a.value), fabs(b.value)) + floor_kt;
    const double over = s->c ? slack : 0; /* an inequality without a tolerance is strict */
    const bool holds = s->relation == EXPR_EQ   ? fabs(a.value - b.value) <= slack
                       : s->relation == EXPR_LT ? a.value < b.value + over
                       : s->relation == EXPR_LE ? a.value <= b.value + over
                       : s->relation == EXPR_GT ? a.value > b.value - over
                                                : a.value >= b.value - over;
    if (holds) continue;
    const bool energy = unit_equal(a.unit, UNIT_ENERGY) && m->kt > 0;
    lang_error(m->diags, s->place, NULL,
               energy ? "the assertion does not hold: %.12g kT against %.12g kT"
                      : "the assertion does not hold: %.12g against %.12g",
               energy ? a.value / m->kt : a.value, energy ? b.value / m->kt : b.value);
    status = NESS_EXPECT;
  }
  return status;
}
