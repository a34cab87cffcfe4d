/* What the file declares: parameters, compartments, ions, baths, species, proteins, lattices, unrolled over their
 * indices. Each name is declared once; a second time is an error at the second place. Lookup is a hash; cost is linear
 * in the model. */
#include "networks/lang/compile.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- the table --- */

static uint32_t sym_hash(char space, const char *name)
{
  uint32_t h = 2166136261u ^ (uint32_t)(unsigned char)space;
  for (; *name; name++) h = (h ^ (uint32_t)(unsigned char)*name) * 16777619u;
  return h;
}

sym *sym_find(const lang_model *m, char space, const char *name)
{
  if (!m->table_size) return NULL;
  sym *s = m->table[sym_hash(space, name) & (uint32_t)(m->table_size - 1)];
  while (s && (s->space != space || strcmp(s->name, name) != 0)) s = s->next;
  return s;
}

static bool sym_grow(lang_model *m)
{
  const int32_t size = m->table_size ? 2 * m->table_size : 256;
  sym **const table = arena_alloc(&m->memory, (size_t)size * sizeof *table);
  if (!table) return false;
  for (int32_t i = 0; i < m->table_size; i++) {
    for (sym *s = m->table[i]; s;) {
      sym *const next = s->next;
      sym **const slot = &table[sym_hash(s->space, s->name) & (uint32_t)(size - 1)];
      s->next = *slot;
      *slot = s;
      s = next;
    }
  }
  m->table = table;
  m->table_size = size;
  return true;
}

sym *sym_add(lang_model *m, char space, const char *name, sym_kind kind, int32_t id, lang_place place)
{
  const sym *const old = sym_find(m, space, name);
  if (old) {
    if (space != SPACE_BASE)
      lang_error(m->diags, place, "each name is declared once", "%s is declared already, in line %d", name,
                 old->place.line);
    return NULL;
  }
  if (m->nsym >= m->table_size / 2 && !sym_grow(m)) return NULL;
  sym *const s = arena_alloc(&m->memory, sizeof *s);
  if (!s) return NULL;
  sym **const slot = &m->table[sym_hash(space, name) & (uint32_t)(m->table_size - 1)];
  *s = (sym){.space = space, .kind = kind, .id = id, .last = id, .name = name, .place = place, .next = *slot};
  *slot = s;
  m->nsym++;
  return s;
}

void sym_unknown(lang_model *m, lang_place place, const char *name, const char *what, const char *spaces)
{
  const char **const names = mem_zero((size_t)m->nsym + 1, sizeof *names);
  int32_t count = 0;
  for (int32_t i = 0; names && i < m->table_size; i++) {
    for (const sym *s = m->table[i]; s; s = s->next) {
      if (strchr(spaces, s->space)) names[count++] = s->name;
    }
  }
  const char *const near = names ? name_nearest(name, names, count) : NULL;
  const sym *const base = sym_find(m, SPACE_BASE, name);
  const char *hint = near ? arena_format(&m->memory, "did you mean %s?", near) : NULL;
  if (base) hint = arena_format(&m->memory, "it has indices: %s[%d] to %s[%d]", name, base->id, name, base->last);
  lang_error(m->diags, place, hint, "no %s has the name %s", what, name);
  mem_free((void *)names);
}

const index_binding *bind_index(lang_model *m, const char *name, double value, const index_binding *outer)
{
  index_binding *const b = arena_alloc(&m->memory, sizeof *b);
  if (b) *b = (index_binding){name, value, outer};
  return b;
}

static bool sym_index(lang_model *m, const expr *e, const index_binding *env, int32_t *out)
{
  const eval self = {.m = m, .env = env};
  quantity q;
  double slope;
  if (!eval_constant(&self, e, &q, &slope) || !slope_flat(m, e->place, slope, "an index")) return false;
  if (!unit_equal(q.unit, UNIT_NONE) || fabs(q.value - nearbyint(q.value)) > 1e-9 || fabs(q.value) > 1e9) {
    lang_error(m->diags, e->place, NULL, "an index is a whole number, not %g", q.value);
    return false;
  }
  *out = (int32_t)nearbyint(q.value);
  return true;
}

bool sym_range(lang_model *m, const expr *from, const expr *to, const index_binding *env, int32_t *first, int32_t *last)
{
  if (!sym_index(m, from, env, first) || !sym_index(m, to, env, last)) return false;
  if ((int64_t)*last - *first >= LANG_MAX_ITEMS) {
    lang_error(m->diags, from->place, NULL, "a range of %lld items is too long: at most %d",
               (long long)*last - *first + 1, LANG_MAX_ITEMS);
    return false;
  }
  return true;
}

/* name[3], name[first..last] or plain: the range of a declared item; false after a report. */
static bool sym_item_range(lang_model *m, const stmt_item *item, const index_binding *env, bool *indexed,
                           int32_t *first, int32_t *last)
{
  *indexed = item->path.from[0] != NULL;
  *first = *last = 0;
  if (!*indexed) return true;
  if (!item->path.to[0]) {
    if (!sym_index(m, item->path.from[0], env, first)) return false;
    *last = *first;
    return true;
  }
  if (!sym_range(m, item->path.from[0], item->path.to[0], env, first, last)) return false;
  if (*last < *first) {
    lang_error(m->diags, item->place, NULL, "the range %d..%d is empty", *first, *last);
    return false;
  }
  sym *const base = sym_add(m, SPACE_BASE, item->path.name[0], SYM_OTHER, *first, item->place);
  if (base) base->last = *last;
  return true;
}

const char *sym_path(lang_model *m, const expr_path *path, const index_binding *env)
{
  const char *parts[2] = {NULL, NULL};
  for (int32_t i = 0; i < path->parts; i++) {
    parts[i] = path->name[i];
    if (!path->from[i]) continue;
    int32_t index;
    if (path->to[i]) {
      lang_error(m->diags, path->from[i]->place, "a range stands in declarations and cycles",
                 "one index is needed here, not a range");
      return NULL;
    }
    if (!sym_index(m, path->from[i], env, &index)) return NULL;
    const sym *const lattice = i == 1 ? sym_find(m, SPACE_LATTICE, path->name[1]) : NULL;
    /* The places before the first and behind the last site are the compartments that the lattice lies between. */
    const char *end = NULL;
    if (lattice) {
      const sym *const base = sym_find(m, SPACE_BASE, path->name[1]);
      const sym *const left = sym_find(m, SPACE_LATTICE, arena_format(&m->memory, "%s<", path->name[1]));
      const sym *const right = sym_find(m, SPACE_LATTICE, arena_format(&m->memory, "%s>", path->name[1]));
      if (base && left && index == base->id - 1) end = m->compartments[left->id].name;
      if (base && right && index == base->last + 1) end = m->compartments[right->id].name;
    }
    parts[i] = end ? end : arena_indexed(&m->memory, path->name[i], index);
  }
  return path->parts == 1 ? parts[0] : arena_format(&m->memory, "%s.%s", parts[0], parts[1]);
}

/* --- growing the arrays --- */

/* mem_grow that makes the model remember a failure: what follows from it is no mistake of the file. */
bool model_grow(lang_model *m, void *block, int64_t *capacity, int64_t need, size_t width)
{
  if (mem_grow(block, capacity, need, width)) return true;
  m->memory.failed = true;
  return false;
}

#define PUSH(m, array, count, capacity)                                                                                \
  (model_grow(m, &(m)->array, &(m)->capacity, (m)->count + 1, sizeof *(m)->array) ? (int32_t)(m)->count++ : -1)

static bool sym_limit(lang_model *m, int64_t count, lang_place place)
{
  if (count < LANG_MAX_ITEMS) return true;
  lang_error(m->diags, place, NULL, "the model has more than %d items", LANG_MAX_ITEMS);
  return false;
}

int32_t symbols_slot(lang_model *m, char space, const char *name, lang_place place)
{
  if (!name || !sym_limit(m, m->nslot, place)) return -1;
  const int32_t id = PUSH(m, slots, nslot, slot_capacity);
  if (id < 0) return -1;
  m->slots[id] = (model_slot){.name = name,
                              .place = place,
                              .max = MODEL_NO_MAX,
                              .volt = -1,
                              .family = -1,
                              .ion = -1,
                              .compartment = -1,
                              .place_of_charge = -1,
                              .field = {-1, -1}};
  return sym_add(m, space, name, SYM_SLOT, id, place) ? id : -1;
}

static int32_t add_reservoir(lang_model *m, const char *name, lang_place place)
{
  const int32_t id = name ? PUSH(m, reservoirs, nreservoir, reservoir_capacity) : -1;
  if (id < 0) return -1;
  m->reservoirs[id] = (model_reservoir){
      .name = name, .place = place, .input = process_input(m, name) != NULL, .volt = -1, .ion = -1, .compartment = -1};
  return sym_add(m, SPACE_VALUE, name, SYM_RESERVOIR, id, place) ? id : -1;
}

/* --- declarations --- */

static bool declare_param(lang_model *m, const stmt_item *item)
{
  bool indexed;
  int32_t first, last;
  if (!sym_item_range(m, item, NULL, &indexed, &first, &last)) return false;
  if (item->list && (!indexed || item->list_length != last - first + 1)) {
    lang_error(m->diags, item->place, "write `param D[1..3] = {1, 2, 3} [um^2/s]`",
               "a list of %d values does not fit %s", item->list_length,
               indexed ? "the range" : "a name without a range");
    return false;
  }
  const expr *node = item->list;
  for (int32_t i = first; i <= last; i++, node = node ? node->b : NULL) {
    const int32_t id = PUSH(m, params, nparam, param_capacity);
    if (id < 0 || !sym_limit(m, m->nparam, item->place)) return false;
    const char *const name = indexed ? arena_indexed(&m->memory, item->path.name[0], i) : item->path.name[0];
    m->params[id] = (model_param){.name = name,
                                  .item = item,
                                  .value = node ? node->a : item->value,
                                  .list_unit = node ? node->name : NULL,
                                  .env = item->index ? bind_index(m, item->index, i, NULL) : NULL};
    if (!name || !sym_add(m, SPACE_VALUE, name, SYM_PARAM, id, item->place)) return false;
  }
  return true;
}

static bool declare_compartment(lang_model *m, const stmt_item *item)
{
  const int32_t id = PUSH(m, compartments, ncompartment, compartment_capacity);
  if (id < 0) return false;
  model_compartment *const c = &m->compartments[id];
  *c = (model_compartment){.name = item->path.name[0], .item = item, .volt = -1, .capacitor = -1, .tau = 1, .heat = -1};
  for (const expr_argument *a = item->attributes; a; a = a->next) {
    if (strcmp(a->name, "reservoir") == 0) {
      c->reservoir = true;
    } else if (strcmp(a->name, "temperature") == 0) {
      if (!heat_declare(m, a->value, c)) return false;
    } else if (strcmp(a->name, "potential") == 0 && (c->capacitor = capacitor_of(m, a->value)) < 0) {
      bool moved = false;
      const eval now = {.m = m, .moved = &moved};
      double volt, slope;
      if (!eval_as(&now, a->value, UNIT_VOLT, "a potential", &volt, &slope)) return false;
      if (moved) c->sways = a->value;
      if (!(m->kt > 0)) {
        lang_error(m->diags, a->value->place, "add a line such as `temperature 310.15 [K]`",
                   "a potential needs the temperature, which the model does not give");
        return false;
      }
      c->phi = m->file->natural ? volt : volt * CONST_E / m->kt;
      c->d.phi = m->file->natural ? slope : (slope * CONST_E - c->phi * m->d.kt) / m->kt;
      c->volt = m->nvolt;
      if (!model_grow(m, &m->volt_names, &m->volt_names_capacity, m->nvolt + 1, sizeof *m->volt_names) ||
          !model_grow(m, &m->volt_phi, &m->volt_phi_capacity, m->nvolt + 1, sizeof *m->volt_phi))
        return false;
      m->volt_names[m->nvolt] = c->name;
      m->volt_phi[m->nvolt++] = c->phi;
    }
  }
  return sym_add(m, SPACE_COMPARTMENT, c->name, SYM_OTHER, id, item->place) != NULL;
}

/* The value that a call, an experiment or a scan sets a name to; the last setting holds. */
bool model_override(lang_model *m, const char *name, quantity *value)
{
  bool found = false;
  for (int32_t i = 0; i < m->noverrides; i++) {
    if (strcmp(m->overrides[i].name, name) != 0) continue;
    m->overrides[i].used = found = true;
    *value = m->overrides[i].value;
  }
  return found;
}

/* The value that an include gives a name; the outermost include, which stands first, holds. NULL none. */
const expr *model_given(lang_model *m, const char *name)
{
  const expr *found = NULL;
  for (int64_t i = 0; i < m->ngiven; i++) {
    if (strcmp(m->given[i].name, name) != 0) continue;
    m->given[i].used = true;
    if (!found) found = m->given[i].value;
  }
  return found;
}

/* `sways`: where it is kept when inputs move it, NULL: they must not. */
static bool value_of(lang_model *m, const char *name, const expr *own, const index_binding *env, const expr **sways,
                     quantity *out, double *slope)
{
  const expr *const given = model_given(m, name);
  bool moved = false;
  const eval self = {.m = m, .env = given ? NULL : env, .moved = sways ? &moved : NULL};
  *slope = 0;
  if (!model_override(m, name, out) && !eval_constant(&self, given ? given : own, out, slope)) return false;
  if (m->active && strcmp(m->active, name) == 0) *slope = 1;
  if (moved) *sways = given ? given : own;
  return true;
}

static bool concentration_of(lang_model *m, const char *name, const expr *own, bool bath, const expr **sways,
                             quantity *out, double *slope)
{
  if (!value_of(m, name, own, NULL, sways, out, slope)) return false;
  if (out->value == 0 && !m->file->natural && !bath) out->unit = UNIT_DENSITY;
  const bool plain = unit_equal(out->unit, UNIT_NONE);
  if (!m->file->natural && !unit_equal(out->unit, UNIT_DENSITY) && !(bath && plain)) {
    char have[64];
    unit_text(out->unit, have);
    lang_error(m->diags, own->place, "as in 140 [mM]", "a concentration is in M, this has %s", have);
    return false;
  }
  if (out->value < 0 || !isfinite(out->value)) {
    lang_error(m->diags, own->place, NULL, "the concentration %s = %g cannot be", name, out->value);
    return false;
  }
  return true;
}

static bool finish_reservoir(lang_model *m, int32_t id, quantity q, double slope, const expr *own)
{
  model_reservoir *const r = &m->reservoirs[id];
  r->concentration = q.value;
  r->unit = q.unit;
  r->activity = unit_equal(q.unit, UNIT_DENSITY) ? q.value / CONST_C0 : q.value;
  r->d.concentration = slope;
  r->d.log_activity = slope / q.value;
  if (r->activity > 0) return true;
  lang_error(m->diags, own->place,
             "give what there really is, however little; or leave it out and write the step one-way with ->",
             "%s is held at zero: its potential would be minus infinity", r->name);
  return false;
}

static bool declare_bath(lang_model *m, const stmt_item *item)
{
  quantity q;
  double slope;
  const expr *sways = NULL;
  bool moved = false;
  const int32_t id = add_reservoir(m, item->path.name[0], item->place);
  if (id < 0 || !concentration_of(m, item->path.name[0], item->value, true, &sways, &q, &slope)) return false;
  m->reservoirs[id].bath = true;
  m->reservoirs[id].sways = sways;
  const expr *const mu0 = argument_value(item->attributes, "mu0");
  if (mu0 && !eval_energy(m, mu0, NULL, &moved, &m->reservoirs[id].mu0, &m->reservoirs[id].d.mu0)) return false;
  if (moved) m->reservoirs[id].mu0_sways = mu0;
  m->reservoirs[id].mu0_known = mu0 != NULL;
  return finish_reservoir(m, id, q, slope, item->value);
}

static bool whole_count(lang_model *m, const expr *e, const char *what, quantity q, double slope, int64_t *out)
{
  if (!slope_flat(m, e->place, slope, what)) return false;
  if (unit_equal(q.unit, UNIT_NONE) && q.value >= 0 && q.value <= 9e15 && fabs(q.value - nearbyint(q.value)) < 1e-6) {
    *out = (int64_t)nearbyint(q.value);
    return true;
  }
  lang_error(m->diags, e->place, NULL, "%s is a whole number from 0, not %g", what, q.value);
  return false;
}

/* A concentration that is held. */
static bool declare_ion_held(lang_model *m, const stmt_item *item, int32_t id, int32_t place)
{
  const model_ion *const ion = &m->ions[id];
  const model_compartment *const c = &m->compartments[place];
  const char *const name = arena_format(&m->memory, "%s.%s", ion->name, c->name);
  quantity q;
  double slope;
  const expr *sways = NULL;
  const int32_t r = name ? add_reservoir(m, name, item->place) : -1;
  if (r < 0 || !concentration_of(m, name, item->value, false, &sways, &q, &slope) ||
      !finish_reservoir(m, r, q, slope, item->value))
    return false;
  model_reservoir *const res = &m->reservoirs[r];
  res->sways = sways;
  res->mu0 = ion->mu0;
  res->d.mu0 = ion->d.mu0;
  res->mu0_known = true;
  res->z = ion->z;
  res->d.z = ion->d.z;
  res->phi = c->phi;
  res->d.phi = c->d.phi;
  res->volt = c->volt;
  res->ion = id;
  res->compartment = place;
  return true;
}

/* A count: concentration times volume. */
static bool declare_ion_count(lang_model *m, const stmt_item *item, int32_t id, int32_t place)
{
  const eval self = {.m = m};
  const model_ion *const ion = &m->ions[id];
  const model_compartment *const c = &m->compartments[place];
  const char *const name = arena_format(&m->memory, "%s.%s", ion->name, c->name);
  quantity q;
  double slope;
  if (!name) return false;
  if (!(c->volume > 0)) {
    lang_error(m->diags, item->place, "write `compartment cyt volume 0.5 [fL]` or `compartment out reservoir`",
               "%s is neither a reservoir nor has a volume, so %s has no count", c->name, name);
    return false;
  }
  const int32_t slot = symbols_slot(m, SPACE_VALUE, name, item->place);
  if (slot < 0 || !concentration_of(m, name, item->value, false, NULL, &q, &slope) ||
      !slope_flat(m, item->place, slope * c->volume + q.value * c->d.volume, "the number of copies"))
    return false;
  const double count = nearbyint(q.value * c->volume);
  if (count > 9e15) {
    lang_error(m->diags, item->place, NULL, "%s would be %g particles: more than a count can hold", name, count);
    return false;
  }
  model_slot *const out = &m->slots[slot];
  const expr *const max = argument_value(item->attributes, "max");
  if (max && (!eval_constant(&self, max, &q, &slope) || !whole_count(m, max, "max", q, slope, &out->max))) return false;
  if (count > (double)out->max) {
    lang_error(m->diags, item->place, NULL, "%s starts at %.0f, above its max", name, count);
    return false;
  }
  out->start = (int64_t)count;
  out->volume = c->volume;
  out->d.volume = c->d.volume;
  out->charge = ion->z;
  out->d.charge = ion->d.z;
  out->phi = c->phi;
  out->d.phi = c->d.phi;
  out->volt = c->volt;
  out->ion = id;
  out->compartment = out->place_of_charge = out->field[0] = place;
  return true;
}

/* The ion and where it is held, or, once all that is held has a value, its counts. */
static bool declare_ion(lang_model *m, const stmt *s, bool counts)
{
  const eval self = {.m = m};
  const int32_t id = counts ? sym_find(m, SPACE_ION, s->name)->id : PUSH(m, ions, nion, ion_capacity);
  if (id < 0) return false;
  if (!counts) {
    m->ions[id] = (model_ion){.name = s->name};
    model_ion *const ion = &m->ions[id];
    if (!eval_as(&self, s->a, UNIT_NONE, "z", &ion->z, &ion->d.z) ||
        !sym_add(m, SPACE_ION, s->name, SYM_OTHER, id, s->place))
      return false;
  }
  for (const stmt_item *item = s->items; item && !counts; item = item->next) {
    bool moved = false;
    if (strcmp(item->path.name[0], "mu0") == 0 &&
        !eval_energy(m, item->value, NULL, &moved, &m->ions[id].mu0, &m->ions[id].d.mu0))
      return false;
    if (moved) m->ions[id].sways = item->value;
  }
  for (const stmt_item *item = s->items; item; item = item->next) {
    if (strcmp(item->path.name[0], "mu0") == 0) continue;
    const sym *const place = sym_find(m, SPACE_COMPARTMENT, item->path.name[0]);
    if (!place) {
      sym_unknown(m, item->place, item->path.name[0], "compartment", "c");
      return false;
    }
    const bool held = m->compartments[place->id].reservoir;
    if (held && !counts && !declare_ion_held(m, item, id, place->id)) return false;
    if (!held && counts && !declare_ion_count(m, item, id, place->id)) return false;
  }
  return true;
}

static bool slot_at(lang_model *m, model_slot *slot, const expr *at)
{
  if (!at) {
    /* A charge feels the one potential there is; with several the file says which. */
    int32_t capacitors = 0;
    for (int64_t i = 0; i < m->ncompartment; i++) capacitors += m->compartments[i].capacitor >= 0;
    if (capacitors == 1 && m->nvolt == 0) {
      for (int32_t i = 0; i < (int32_t)m->ncompartment; i++) {
        if (m->compartments[i].capacitor >= 0) slot->place_of_charge = i;
      }
    } else if (m->nvolt == 1 && capacitors == 0) {
      slot->volt = 0;
      slot->phi = m->volt_phi[0];
      for (int64_t i = 0; i < m->ncompartment; i++) {
        if (m->compartments[i].volt != 0) continue;
        slot->d.phi = m->compartments[i].d.phi;
        slot->field[0] = (int32_t)i;
      }
    } else if (m->nvolt + capacitors > 1) {
      lang_error(m->diags, slot->place, "add `at NAME` with the compartment's name",
                 "%s has a charge, and there are %d potentials it could feel", slot->name, m->nvolt + capacitors);
      return false;
    }
    return true;
  }
  const sym *const c = at->kind == EXPR_NAME ? sym_find(m, SPACE_COMPARTMENT, at->path.name[0]) : NULL;
  if (!c) {
    sym_unknown(m, at->place, at->kind == EXPR_NAME ? at->path.name[0] : "this", "compartment", "c");
    return false;
  }
  slot->place_of_charge = slot->field[0] = c->id;
  slot->volt = m->compartments[c->id].volt;
  slot->phi = m->compartments[c->id].phi;
  slot->d.phi = m->compartments[c->id].d.phi;
  return true;
}

static bool slot_attributes(lang_model *m, int32_t id, const expr_argument *list, const index_binding *env)
{
  model_slot *const slot = &m->slots[id];
  const eval self = {.m = m, .env = env};
  slot->energy = argument_value(list, "energy");
  slot->env = env;
  const expr *const charge = argument_value(list, "charge"), *const max = argument_value(list, "max");
  if (charge && (!eval_as(&self, charge, UNIT_NONE, "a charge (in e)", &slot->charge, &slot->d.charge) ||
                 !slot_at(m, slot, argument_value(list, "at"))))
    return false;
  quantity q;
  double slope;
  if (!max) return true;
  if (!eval_constant(&self, max, &q, &slope)) return false;
  return isinf(q.value) || whole_count(m, max, "max", q, slope, &slot->max);
}

static bool declare_species(lang_model *m, const stmt_item *item)
{
  bool indexed;
  int32_t first, last;
  if (!sym_item_range(m, item, NULL, &indexed, &first, &last)) return false;
  if (item->list) {
    lang_error(m->diags, item->place, "put the list in a parameter and write X[i in 1..3] = n[i]",
               "a species takes one value");
    return false;
  }
  const expr *const in = argument_value(item->attributes, "in");
  const sym *c = NULL;
  if (in && !(c = in->kind == EXPR_NAME ? sym_find(m, SPACE_COMPARTMENT, in->path.name[0]) : NULL)) {
    sym_unknown(m, in->place, in->kind == EXPR_NAME ? in->path.name[0] : "this", "compartment", "c");
    return false;
  }
  for (int32_t i = first; i <= last; i++) {
    const char *const name = indexed ? arena_indexed(&m->memory, item->path.name[0], i) : item->path.name[0];
    const index_binding *const env = item->index ? bind_index(m, item->index, i, NULL) : NULL;
    const int32_t id = symbols_slot(m, SPACE_VALUE, name, item->place);
    quantity q;
    double slope;
    if (id < 0 || !value_of(m, name, item->value, env, NULL, &q, &slope)) return false;
    model_slot *const slot = &m->slots[id];
    if (c) {
      slot->volume = m->compartments[c->id].volume;
      slot->d.volume = m->compartments[c->id].d.volume;
      slot->compartment = c->id;
      if (!(slot->volume > 0)) {
        lang_error(m->diags, in->place, "a held concentration is a bath or an ion in a reservoir",
                   "%s has no volume, so %s has no count there", m->compartments[c->id].name, name);
        return false;
      }
    }
    if (unit_equal(q.unit, UNIT_DENSITY)) {
      if (!c) {
        lang_error(m->diags, item->value->place, "add `in NAME` with a compartment that has a volume, or give a count",
                   "a concentration becomes a count only through a volume");
        return false;
      }
      slope = slope * slot->volume + q.value * slot->d.volume;
      q = (quantity){nearbyint(q.value * slot->volume), UNIT_NONE};
    }
    if (!whole_count(m, item->value, "a count", q, slope, &slot->start)) return false;
    if (!slot_attributes(m, id, item->attributes, env)) return false;
    if (m->slots[id].start > m->slots[id].max) {
      lang_error(m->diags, item->place, NULL, "%s starts at %lld, above its max", name, (long long)m->slots[id].start);
      return false;
    }
  }
  return true;
}

static bool declare_protein(lang_model *m, const stmt *s)
{
  quantity q;
  double slope;
  int64_t copies = 1;
  const char *const copies_name = arena_format(&m->memory, "%s.copies", s->name);
  if (!copies_name || (s->a && !value_of(m, copies_name, s->a, NULL, NULL, &q, &slope))) return false;
  if (s->a && !whole_count(m, s->a, "the number of copies", q, slope, &copies)) return false;
  if (!s->items) {
    lang_error(m->diags, s->place, "write `state Eo` lines between the braces", "the protein %s has no state", s->name);
    return false;
  }
  const int32_t family = PUSH(m, families, nfamily, family_capacity);
  if (family < 0 || !model_grow(m, &m->family_copies, &m->copies_capacity, m->nfamily, sizeof *m->family_copies) ||
      !model_grow(m, &m->family_energies, &m->energies_capacity, m->nfamily, sizeof *m->family_energies))
    return false;
  m->families[family] = s->name;
  m->family_copies[family] = copies;
  m->family_energies[family] = false;
  if (!sym_add(m, SPACE_FAMILY, s->name, SYM_OTHER, family, s->place)) return false;
  const int32_t first_slot = (int32_t)m->nslot;
  int64_t placed = 0;
  for (const stmt_item *item = s->items; item; item = item->next) {
    bool indexed;
    int32_t first, last;
    if (!sym_item_range(m, item, NULL, &indexed, &first, &last)) return false;
    for (int32_t i = first; i <= last; i++) {
      const char *const name = indexed ? arena_indexed(&m->memory, item->path.name[0], i) : item->path.name[0];
      const index_binding *const env = item->index ? bind_index(m, item->index, i, NULL) : NULL;
      const int32_t id = symbols_slot(m, SPACE_VALUE, name, item->place);
      if (id < 0 || !slot_attributes(m, id, item->attributes, env)) return false;
      m->slots[id].family = family;
      const expr *const start = argument_value(item->attributes, "start");
      if (start) {
        const eval with_env = {.m = m, .env = env};
        if (!eval_constant(&with_env, start, &q, &slope) ||
            !whole_count(m, start, "start", q, slope, &m->slots[id].start))
          return false;
        placed += m->slots[id].start;
      }
      if (m->slots[id].energy || argument_value(item->attributes, "charge")) m->family_energies[family] = true;
    }
  }
  if (placed > copies) {
    lang_error(m->diags, s->place, NULL, "the states of %s start with %lld copies, but there are %lld", s->name,
               (long long)placed, (long long)copies);
    return false;
  }
  m->slots[first_slot].start += copies - placed;
  return true;
}

static bool declare_lattice(lang_model *m, const stmt *s)
{
  const eval self = {.m = m};
  const stmt_item *const place = s->items;
  bool indexed;
  int32_t first, last;
  if (!sym_item_range(m, place, NULL, &indexed, &first, &last)) return false;
  if (!sym_add(m, SPACE_LATTICE, place->path.name[0], SYM_OTHER, first, place->place)) return false;
  const expr *const ends[2] = {argument_value(s->arguments, "left"), argument_value(s->arguments, "right")};
  const model_compartment *comp[2] = {NULL, NULL};
  for (int i = 0; i < 2; i++) {
    if (!ends[i]) continue;
    const sym *const c = ends[i]->kind == EXPR_NAME ? sym_find(m, SPACE_COMPARTMENT, ends[i]->path.name[0]) : NULL;
    if (!c) {
      sym_unknown(m, ends[i]->place, ends[i]->kind == EXPR_NAME ? ends[i]->path.name[0] : "this", "compartment", "c");
      return false;
    }
    comp[i] = &m->compartments[c->id];
    sym_add(m, SPACE_LATTICE, arena_format(&m->memory, i ? "%s>" : "%s<", place->path.name[0]), SYM_OTHER, c->id,
            ends[i]->place);
  }
  const expr *const field = argument_value(s->arguments, "field");
  bool linear = false;
  if (field) {
    const char *const word = field->kind == EXPR_NAME ? field->path.name[0] : "";
    linear = strcmp(word, "linear") == 0;
    if ((!linear && strcmp(word, "none") != 0) || (linear && !comp[1])) {
      lang_error(m->diags, field->place, "write `between left, right field linear` or leave the field out",
                 linear ? "a field needs two ends" : "no field has this name");
      return false;
    }
  }
  for (int i = 0; i < 2 && linear; i++) {
    if (comp[i]->capacitor < 0) continue;
    lang_error(m->diags, field->place, "leave the field out: the ends feel it, or give the potential a value",
               "the field of a lattice cannot follow a capacitor");
    return false;
  }
  double volume = 0, volume_slope = 0;
  const expr *const v = argument_value(s->arguments, "volume");
  if (v && !eval_as(&self, v, UNIT_VOLUME, "the volume of a site", &volume, &volume_slope)) return false;
  if (v && !(volume > 0 && isfinite(volume))) {
    lang_error(m->diags, v->place, NULL, "a volume must be positive and finite");
    return false;
  }
  for (const stmt_item *item = place->next; item; item = item->next) {
    const sym *const ion = sym_find(m, SPACE_ION, item->path.name[0]);
    if (!ion) {
      sym_unknown(m, item->place, item->path.name[0], "ion", "i");
      return false;
    }
    sym *const base = sym_add(m, SPACE_BASE, arena_format(&m->memory, "%s.%s", item->path.name[0], place->path.name[0]),
                              SYM_OTHER, first, item->place);
    if (base) base->last = last;
    for (int32_t i = first; i <= last; i++) {
      const char *const name = arena_format(&m->memory, "%s.%s[%d]", item->path.name[0], place->path.name[0], i);
      const int32_t id = symbols_slot(m, SPACE_VALUE, name, item->place);
      if (id < 0) return false;
      model_slot *slot = &m->slots[id];
      slot->ion = ion->id;
      slot->volume = volume;
      slot->d.volume = volume_slope;
      slot->charge = m->ions[ion->id].z;
      slot->d.charge = m->ions[ion->id].d.z;
      if (linear) {
        const double share = (double)(i - first + 1) / (double)(last - first + 2);
        slot->phi = comp[0]->phi + (comp[1]->phi - comp[0]->phi) * (double)(i - first + 1) / (double)(last - first + 2);
        slot->d.phi = comp[0]->d.phi + (comp[1]->d.phi - comp[0]->d.phi) * share;
        for (int k = 0; k < 2; k++) slot->field[k] = (int32_t)(comp[k] - m->compartments);
        slot->share = share;
      }
      /* The charge sits inside the field: its energy is internal, whichever voltage makes the field. */
      if (linear) slot->volt = comp[1]->volt >= 0 ? comp[1]->volt : comp[0]->volt;
      const index_binding *const env = bind_index(m, "i", i, NULL);
      quantity q;
      double slope;
      if (item->value && (!value_of(m, name, item->value, env, NULL, &q, &slope) ||
                          !whole_count(m, item->value, "a count", q, slope, &slot->start)))
        return false;
      slot = &m->slots[id];
      const expr *const max = argument_value(item->attributes, "max");
      if (max && (!eval_constant(&self, max, &q, &slope) || !whole_count(m, max, "max", q, slope, &slot->max)))
        return false;
      if (slot->start > slot->max) {
        lang_error(m->diags, item->place, NULL, "%s starts above its max", name);
        return false;
      }
    }
  }
  return true;
}

/* One pass a kind, so that the order of lines does not matter. */
bool symbols_declare(lang_model *m)
{
  bool fine = true;
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind == STMT_OVERRIDE) {
      for (const stmt_item *item = s->items; item; item = item->next) {
        if (!model_grow(m, &m->given, &m->given_capacity, m->ngiven + 1, sizeof *m->given)) return false;
        const char *const name = sym_path(m, &item->path, NULL);
        if (!name) return false;
        m->given[m->ngiven].name = name;
        m->given[m->ngiven].value = item->value;
        m->given[m->ngiven].place = item->place;
        m->given[m->ngiven++].used = false;
      }
    } else if (s->kind == STMT_PARAM) {
      for (const stmt_item *item = s->items; item; item = item->next) fine = declare_param(m, item) && fine;
    }
  }
  process_inputs(m);
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind != STMT_TEMPERATURE) continue;
    const eval self = {.m = m};
    if (!eval_as(&self, s->a, UNIT_KELVIN, "the temperature", &m->temperature, &m->d.temperature)) return false;
    if (!(m->temperature > 0) || !isfinite(m->temperature)) {
      lang_error(m->diags, s->a->place, NULL, "the temperature must be positive and finite");
      return false;
    }
    if (m->file->natural) continue;
    m->kt = CONST_KB * m->temperature;
    m->d.kt = CONST_KB * m->d.temperature;
  }
  for (int pass = 0; pass < 6 && !m->memory.failed; pass++) {
    if (pass == 1 && !(variables_declare(m) && volumes_declare(m))) return false;
    if (pass == 3 && !fine) return false; /* counts look for the ions */
    for (const stmt *s = m->file->statements; s && !m->memory.failed; s = s->next) {
      if (pass == 0 && s->kind == STMT_COMPARTMENT) fine = declare_compartment(m, s->items) && fine;
      if (pass == 1 && s->kind == STMT_ION) fine = declare_ion(m, s, false) && fine;
      if (pass == 2 && s->kind == STMT_BATH) {
        for (const stmt_item *item = s->items; item; item = item->next) fine = declare_bath(m, item) && fine;
      }
      if (pass == 3 && s->kind == STMT_ION) fine = declare_ion(m, s, true) && fine;
      if (pass == 4 && s->kind == STMT_SPECIES) {
        for (const stmt_item *item = s->items; item; item = item->next) fine = declare_species(m, item) && fine;
      }
      if (pass == 4 && s->kind == STMT_PROTEIN) fine = declare_protein(m, s) && fine;
      if (pass == 5 && s->kind == STMT_LATTICE) fine = declare_lattice(m, s) && fine;
    }
  }
  return fine && variables_slots(m) && !m->memory.failed;
}
