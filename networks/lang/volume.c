/* Volumes that follow variables. A compartment whose volume names a variable has the volume V0 at the start, which
 * makes counts of concentrations, energies and constants like any other; a rate that holds concentrations there is a
 * tape with the factor V0/V for each of them, and V/V0 where the reaction runs in that volume. Invariant: on a grid of
 * the variables' ranges the volume is positive and finite, and no step moves it, so both ways of an event meet one
 * volume. Cost: GRID points to the power of the variables that a volume names, once a compartment. */
#include "networks/lang/compile.h"
#include <math.h>
#include <string.h>

#define VOLUME_VARIABLES 2
#define VOLUME_GRID 33 /* points of a range, its ends among them */

/* What the variables that a volume names are taken to be while it is evaluated. */
typedef struct volume_sight {
  lang_model *m;
  int32_t n, variable[VOLUME_VARIABLES];
  double value[VOLUME_VARIABLES];
} volume_sight;

/* Species and ions are declared after volumes: here the file tells that a name is theirs. */
static bool volume_counted(const lang_model *m, const char *name)
{
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind == STMT_ION && strcmp(s->name, name) == 0) return true;
    for (const stmt_item *item = s->kind == STMT_SPECIES ? s->items : NULL; item; item = item->next) {
      if (strcmp(item->path.name[0], name) == 0) return true;
    }
  }
  return false;
}

static bool volume_refuse(const lang_model *m, const expr *e, const char *hint, const char *message)
{
  lang_error(m->diags, e->place, hint, message, e->path.name[0]);
  return false;
}

static bool volume_variable(volume_sight *self, const expr *e, int32_t id, quantity *out)
{
  const model_variable *const v = &self->m->variables[id];
  int32_t k = 0;
  if (v->kind == VAR_CHARGE)
    return volume_refuse(self->m, e, "name a variable with an equation of its own",
                         "a volume cannot follow %s: charges would do work on it");
  while (k < self->n && self->variable[k] != id) k++;
  if (k == VOLUME_VARIABLES)
    return volume_refuse(self->m, e, "let one variable be the volume, and the others move it by an equation",
                         "a volume follows two variables at most, and %s is a third");
  if (k == self->n) {
    self->variable[self->n] = id;
    self->value[self->n++] = v->start;
  }
  *out = (quantity){self->value[k], v->unit};
  return true;
}

static bool volume_hook(void *context, const expr *e, quantity *out, bool *ok)
{
  volume_sight *const self = context;
  if (e->kind != EXPR_NAME || e->path.from[0]) return false;
  const int32_t id = e->path.parts == 1 ? variable_find(self->m, e->path.name[0]) : -1;
  if (id >= 0) {
    *ok = volume_variable(self, e, id, out);
    return true;
  }
  if (!volume_counted(self->m, e->path.name[0])) return false;
  *ok = volume_refuse(self->m, e, "let it follow a variable, and give that an equation: w' = ...",
                      "%s is counted: a volume follows variables");
  return true;
}

/* Point `at` of the grid. */
static void volume_look(volume_sight *self, int32_t at)
{
  for (int32_t k = 0; k < self->n; k++, at /= VOLUME_GRID) {
    const model_variable *const v = &self->m->variables[self->variable[k]];
    const int32_t i = at % VOLUME_GRID;
    self->value[k] = i == VOLUME_GRID - 1 ? v->high : v->low + (v->high - v->low) * i / (VOLUME_GRID - 1);
  }
}

static bool volume_positive(volume_sight *sight, const eval *self, const expr *e)
{
  const int32_t points = sight->n == 0 ? 0 : sight->n == 1 ? VOLUME_GRID : VOLUME_GRID * VOLUME_GRID;
  for (int32_t i = 0; i < points; i++) {
    eval_value v;
    volume_look(sight, i);
    if (!eval_expr(self, e, &v)) return false;
    if (v.q.value > 0 && isfinite(v.q.value)) continue;
    const model_variable *const first = &sight->m->variables[sight->variable[0]];
    lang_error(sight->m->diags, e->place, "narrow the range of the variable behind its `within`",
               "a volume must be positive and finite, and this one is not at %s = %g%s%s, which is in its range",
               first->name, sight->value[0] / first->print, first->text[0] ? " " : "", first->text);
    return false;
  }
  return true;
}

bool volumes_declare(lang_model *m)
{
  for (int64_t i = 0; i < m->ncompartment; i++) {
    model_compartment *const c = &m->compartments[i];
    const expr *const e = argument_value(c->item->attributes, "volume");
    volume_sight sight = {.m = m};
    const eval self = {.m = m, .hook = volume_hook, .hook_context = &sight};
    if (!e) continue;
    if (!eval_as(&self, e, UNIT_VOLUME, "a volume", &c->volume, &c->d.volume)) return false;
    if (!(c->volume > 0) || !isfinite(c->volume)) {
      lang_error(m->diags, e->place, NULL, "a volume must be positive and finite");
      return false;
    }
    if (sight.n > 0) c->swells = e;
    if (!volume_positive(&sight, &self, e)) return false;
  }
  return true;
}

/* --- rates --- */

/* The compartment of a count whose volume changes, -1: its volume stands, or it has none. */
static int32_t volume_place(const lang_model *m, int32_t slot)
{
  const int32_t place = m->slots[slot].compartment;
  return place >= 0 && m->compartments[place].swells ? place : -1;
}

/* The k-th slot that the rate of a direction mentions: copies it takes, then that whose volume it runs in; -1 none. */
static int32_t volume_mention(const model_step *step, int dir, int32_t k)
{
  const int32_t n = dir ? step->nright : step->nleft;
  return k < n ? (dir ? step->right : step->left)[k] : step->runs_in[dir] - 1;
}

/* Power of V/V0 in the rate of a direction, V that of the k-th mention; 0 where an earlier mention has the same place.
 */
static int32_t volume_power(const lang_model *m, const model_step *step, int dir, int32_t k, int32_t *place)
{
  const int32_t n = dir ? step->nright : step->nleft, slot = volume_mention(step, dir, k);
  int32_t power = 0;
  *place = slot < 0 ? -1 : volume_place(m, slot);
  for (int32_t i = 0; i <= n && *place >= 0; i++) {
    const int32_t other = volume_mention(step, dir, i);
    if (other < 0 || volume_place(m, other) != *place) continue;
    if (i < k) return 0;
    power += i < n ? -1 : 1;
  }
  return power;
}

bool volume_moves(const lang_model *m, const model_step *step, int dir)
{
  const int32_t n = dir ? step->nright : step->nleft;
  int32_t place;
  for (int32_t k = 0; k <= n; k++) {
    if (volume_power(m, step, dir, k, &place) != 0) return true;
  }
  return false;
}

bool volume_same(const lang_model *m, int32_t slot, int32_t other)
{
  return m->slots[slot].volume == m->slots[other].volume && volume_place(m, slot) == volume_place(m, other);
}

static int32_t volume_number(const eval *self, double value)
{
  const eval_value v = {.q = {value, UNIT_NONE}, .constant = true, .reg = -1};
  return eval_reg(self, &v);
}

/* That of the moment. */
static int32_t volume_register(const eval *self, int32_t place)
{
  const eval plain = {.m = self->m, .tape = self->tape};
  eval_value v;
  return eval_expr(&plain, self->m->compartments[place].swells, &v) ? eval_reg(self, &v) : -1;
}

int32_t volume_inverse(const eval *self, int32_t slot, double c0)
{
  const int32_t place = volume_place(self->m, slot);
  if (place < 0) return volume_number(self, 1 / (self->m->slots[slot].volume * c0));
  const int32_t one = volume_number(self, 1 / c0), v = volume_register(self, place);
  return one < 0 || v < 0 ? -1 : eval_emit(self, TAPE_DIV, one, v, 0);
}

int32_t volume_factor(const eval *self, const model_step *step, int dir, int32_t reg)
{
  const lang_model *const m = self->m;
  const int32_t n = dir ? step->nright : step->nleft;
  for (int32_t k = 0; k <= n && reg >= 0; k++) {
    int32_t place;
    const int32_t power = volume_power(m, step, dir, k, &place);
    if (power == 0) continue;
    const int32_t start = volume_number(self, m->compartments[place].volume), now = volume_register(self, place);
    if (start < 0 || now < 0) return -1;
    const int32_t share =
        power > 0 ? eval_emit(self, TAPE_DIV, now, start, 0) : eval_emit(self, TAPE_DIV, start, now, 0);
    for (int32_t i = 0; i < (power < 0 ? -power : power) && reg >= 0; i++)
      reg = share < 0 ? -1 : eval_emit(self, TAPE_MUL, reg, share, 0);
  }
  return reg;
}
