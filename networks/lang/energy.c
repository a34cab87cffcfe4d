/* Free energies. What the file gives is taken; what it leaves open is fixed by the raw reversible steps in the order of
 * the file (their constants say an energy difference), and what is open even then is 0: a free choice of zero. A raw
 * step between energies that are already fixed may disagree with them; the difference stays visible as undeclared work.
 * Elimination is sparse, pivots are the latest slots, so the first declared is the zero. */
#include "networks/lang/compile.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The free index of energy K.s[i] = ...: a lone name in the subscript that nothing else declares. */
static const char *energy_free_index(const lang_model *m, const expr_path *path, int32_t *part)
{
  for (int32_t i = 0; i < path->parts; i++) {
    const expr *const e = path->from[i];
    if (e && !path->to[i] && e->kind == EXPR_NAME && e->path.parts == 1 && !e->path.from[0] &&
        !sym_find(m, SPACE_VALUE, e->path.name[0])) {
      *part = i;
      return e->path.name[0];
    }
  }
  return NULL;
}

static bool energy_assign(lang_model *m, const stmt_item *item, const index_binding *env)
{
  const char *const name = sym_path(m, &item->path, env);
  if (!name) return false;
  const sym *const s = sym_find(m, SPACE_VALUE, name);
  if (!s || s->kind != SYM_SLOT) {
    sym_unknown(m, item->place, name, "species, state or site", "v");
    return false;
  }
  model_slot *const slot = &m->slots[s->id];
  if (slot->energy) {
    lang_error(m->diags, item->place, NULL, "%s has an energy already", name);
    return false;
  }
  slot->energy = item->value;
  slot->env = env;
  if (slot->family >= 0) m->family_energies[slot->family] = true;
  return true;
}

static bool energy_statement(lang_model *m, const stmt_item *item)
{
  int32_t part = 0;
  const char *const index = energy_free_index(m, &item->path, &part);
  if (!index) return energy_assign(m, item, NULL);
  const char *const base_name =
      part == 0 ? item->path.name[0] : arena_format(&m->memory, "%s.%s", item->path.name[0], item->path.name[1]);
  const sym *const base = base_name ? sym_find(m, SPACE_BASE, base_name) : NULL;
  if (!base) {
    sym_unknown(m, item->place, base_name ? base_name : "", "family with indices", "b");
    return false;
  }
  for (int32_t i = base->id; i <= base->last; i++) {
    if (!energy_assign(m, item, bind_index(m, index, i, NULL))) return false;
  }
  return true;
}

static double slot_field_slope(const model_slot *slot)
{
  return slot->d.charge * slot->phi + slot->charge * slot->d.phi;
}

bool energy_slots(lang_model *m)
{
  bool fine = true;
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind == STMT_ENERGY) fine = energy_statement(m, s->items) && fine;
  }
  for (int64_t i = 0; i < m->nslot && fine; i++) {
    model_slot *const slot = &m->slots[i];
    if (slot->state == LAZY_OPEN) {
      slot->state = LAZY_BUSY;
      fine = !slot->energy || eval_energy(m, slot->energy, slot->env, &slot->sways, &slot->own, &slot->d.own);
      slot->state = fine ? LAZY_DONE : LAZY_FAILED;
    }
    slot->known = slot->energy || slot->ion >= 0 || (slot->family >= 0 && m->family_energies[slot->family]);
    slot->standard = slot->own + slot->charge * slot->phi + (slot->ion >= 0 ? m->ions[slot->ion].mu0 : 0);
    slot->d.standard = slot->d.own + slot_field_slope(slot) + (slot->ion >= 0 ? m->ions[slot->ion].d.mu0 : 0);
  }
  return fine;
}

/* potential ATP -> ADP + Pi = E: one unknown bath takes what is left over; more unknowns: the first takes it, the
 * others 0. */
bool energy_potentials(lang_model *m)
{
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind != STMT_POTENTIAL) continue;
    double left_over, slope, size;
    if (!eval_energy(m, s->a, NULL, NULL, &left_over, &slope)) return false;
    size = fabs(slope);
    int32_t unknown = -1, unknown_count = 0;
    for (int side = 0; side < 2; side++) {
      for (const step_term *t = side ? s->right : s->left; t; t = t->next) {
        const char *const name = sym_path(m, &t->path, NULL);
        const sym *const found = name ? sym_find(m, SPACE_VALUE, name) : NULL;
        if (!found || found->kind != SYM_RESERVOIR) {
          sym_unknown(m, t->place, name ? name : "", "bath", "v");
          return false;
        }
        model_reservoir *const r = &m->reservoirs[found->id];
        int32_t count;
        if (!lower_count(m, t, NULL, &count)) return false;
        const int32_t by = side ? count : -count;
        if (r->mu0_known) left_over -= by * r->mu0, slope -= by * r->d.mu0, size += fabs(by * r->d.mu0);
        else if (unknown < 0) unknown = found->id, unknown_count = by;
        else if (unknown == found->id) unknown_count += by;
        else r->mu0_known = true;
      }
    }
    if (unknown >= 0 && unknown_count != 0) {
      m->reservoirs[unknown].mu0 = left_over / unknown_count;
      m->reservoirs[unknown].d.mu0 = slope / unknown_count;
      m->reservoirs[unknown].mu0_known = true;
    } else if (fabs(left_over) > 1e-9) {
      lang_error(m->diags, s->place, "take one of the two out",
                 "the standard potentials given differ from this reaction energy by %g kT", left_over);
      return false;
    } else if (!slope_flat(m, s->place, fabs(slope) > 1e-9 * size ? slope : 0, "one side of this reaction alone")) {
      return false;
    }
  }
  return true;
}

/* --- inference --- */

typedef struct energy_row { /* sum coef * standard(slot) = rhs, pivot is the last */
  int32_t n, *slot;
  double *coef, rhs, slope; /* slope: of rhs */
} energy_row;

typedef struct energy_work {
  double *value;   /* (nslot) dense row being reduced */
  int32_t *active; /* slots with an entry, unsorted */
  int32_t nactive;
  bool *is_active;
} energy_work;

static void energy_add(energy_work *w, int32_t slot, double by)
{
  if (!w->is_active[slot]) {
    w->is_active[slot] = true;
    w->active[w->nactive++] = slot;
    w->value[slot] = 0;
  }
  w->value[slot] += by;
  if (fabs(w->value[slot]) < 1e-12) w->value[slot] = 0; /* entries are small rationals: anything below is a zero */
}

/* What the step says: sum of nu * standard over the unknown slots = rhs. */
static double energy_load(lang_model *m, const model_step *step, energy_work *w, double *slope)
{
  double rhs = -log(step->k[0] / step->k[1]), by = step->d.log_k[1] - step->d.log_k[0];
  const double c0 = m->file->natural ? 1 : CONST_C0;
  if (step->tau != 1 ||
      step->d.tau != 0) { /* ln ratio - concentrations = tau (standard + bath) - bath: back to kT of the model */
    const heat_drop drop = heat_drop_of(m, step);
    const double shared = (rhs + drop.concentrations - drop.bath) / step->tau;
    by = (by + drop.d.concentrations - drop.d.bath - shared * step->d.tau) / step->tau;
    by += drop.d.bath - drop.d.concentrations;
    if (step->tau != 1) rhs = shared - drop.concentrations + drop.bath;
  }
  for (int side = 0; side < 2; side++) {
    const double sign = side ? 1 : -1;
    const int32_t n = side ? step->nright : step->nleft, *const ids = side ? step->right : step->left;
    for (int32_t i = 0; i < n; i++) {
      const model_slot *const slot = &m->slots[ids[i]];
      if (slot->volume > 0) rhs += sign * log(slot->volume * c0), by += sign * slot->d.volume / slot->volume;
      if (slot->known) rhs -= sign * slot->standard, by -= sign * slot->d.standard;
      else energy_add(w, ids[i], sign);
    }
    const int32_t nres = side ? step->nres_right : step->nres_left, *const res =
                                                                        side ? step->res_right : step->res_left;
    for (int32_t i = 0; i < nres; i++) {
      const model_reservoir *const r = &m->reservoirs[res[i]];
      rhs -= sign * (r->mu0 + log(r->activity) + r->z * r->phi);
      by -= sign * (r->d.mu0 + r->d.log_activity + r->d.z * r->phi + r->z * r->d.phi);
    }
  }
  *slope = by;
  return rhs;
}

static bool energy_reduce(lang_model *m, energy_row *rows, const int32_t *row_of, energy_work *w, double rhs,
                          double slope, energy_row **out)
{
  *out = NULL;
  for (;;) {
    int32_t pivot = -1;
    for (int32_t i = 0; i < w->nactive; i++) {
      if (w->value[w->active[i]] != 0 && row_of[w->active[i]] >= 0 && w->active[i] > pivot) pivot = w->active[i];
    }
    if (pivot < 0) break;
    const energy_row *const row = &rows[row_of[pivot]];
    const double by = w->value[pivot] / row->coef[row->n - 1];
    for (int32_t i = 0; i < row->n; i++) energy_add(w, row->slot[i], -by * row->coef[i]);
    w->value[pivot] = 0;
    rhs -= by * row->rhs;
    slope -= by * row->slope;
  }
  int32_t n = 0, last = -1;
  for (int32_t i = 0; i < w->nactive; i++) {
    if (w->value[w->active[i]] != 0) n++;
    if (w->value[w->active[i]] != 0 && w->active[i] > last) last = w->active[i];
  }
  if (n == 0) return true;
  energy_row *const row = arena_alloc(&m->memory, sizeof *row);
  if (!row) return false;
  row->slot = arena_alloc(&m->memory, (size_t)n * sizeof *row->slot);
  row->coef = arena_alloc(&m->memory, (size_t)n * sizeof *row->coef);
  if (!row->slot || !row->coef) return false;
  for (int32_t i = 0; i < w->nactive; i++) {
    const int32_t slot = w->active[i];
    if (w->value[slot] == 0 || slot == last) continue;
    row->slot[row->n] = slot;
    row->coef[row->n++] = w->value[slot];
  }
  row->slot[row->n] = last;
  row->coef[row->n++] = w->value[last];
  row->rhs = rhs;
  row->slope = slope;
  *out = row;
  return true;
}

bool energy_infer(lang_model *m)
{
  const size_t n = (size_t)m->nslot + 1;
  energy_work w = {mem_zero(n, sizeof(double)), mem_zero(n, sizeof(int32_t)), 0, mem_zero(n, sizeof(bool))};
  int32_t *const row_of = mem_zero(n, sizeof *row_of);
  energy_row *rows = NULL;
  int64_t nrow = 0, capacity = 0;
  bool fine = w.value && w.active && w.is_active && row_of;
  for (size_t i = 0; fine && i < n; i++) row_of[i] = -1;
  for (int64_t s = 0; s < m->nstep && fine; s++) {
    const model_step *const step = &m->steps[s];
    if (step->from_energies || step->nvar || step->law[0] != LAW_MASS || step->law[1] != LAW_MASS) continue;
    w.nactive = 0;
    double slope;
    const double rhs = energy_load(m, step, &w, &slope);
    energy_row *row = NULL;
    fine = w.nactive == 0 || energy_reduce(m, rows, row_of, &w, rhs, slope, &row);
    for (int32_t i = 0; i < w.nactive; i++) w.is_active[w.active[i]] = false;
    if (!fine || !row) continue;
    fine = mem_grow(&rows, &capacity, nrow + 1, sizeof *rows);
    if (!fine) break;
    rows[nrow] = *row;
    row_of[row->slot[row->n - 1]] = (int32_t)nrow++;
  }
  /* Every other entry of a row has a lower id than its pivot: ascending order solves all. */
  for (int64_t i = 0; i < m->nslot && fine; i++) {
    model_slot *const slot = &m->slots[i];
    if (slot->known) continue;
    slot->standard = slot->charge * slot->phi;
    slot->d.standard = slot_field_slope(slot);
    if (row_of[i] < 0) continue;
    const energy_row *const row = &rows[row_of[i]];
    double rest = row->rhs, slope = row->slope;
    for (int32_t k = 0; k + 1 < row->n; k++) {
      rest -= row->coef[k] * m->slots[row->slot[k]].standard;
      slope -= row->coef[k] * m->slots[row->slot[k]].d.standard;
    }
    slot->standard = rest / row->coef[row->n - 1];
    slot->own = slot->standard - slot->charge * slot->phi;
    slot->d.standard = slope / row->coef[row->n - 1];
    slot->d.own = slot->d.standard - slot_field_slope(slot);
  }
  mem_free(w.value);
  mem_free(w.active);
  mem_free(w.is_active);
  mem_free(row_of);
  mem_free(rows);
  return fine;
}
