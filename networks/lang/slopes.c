/* Exact derivatives of a compiled network with respect to one value of the file: forward-mode differentiation along the
 * compiler, where every number has its slope beside it (Griewank and Walther, Evaluating Derivatives, 2008). The model
 * is compiled once more with the value active; this file starts that, says where a slope does not exist, and gathers
 * what was found. Invariant: a slope is exact or refused, never left out: whatever the value changes that is no smooth
 * number (counts, indices, caps, corners, steps that are off) is an error. Cost: one compilation a value. */
#include "networks/lang/compile.h"
#include <math.h>
#include <string.h>

bool slope_flat(lang_model *m, lang_place place, double slope, const char *what)
{
  if (slope == 0) return true;
  lang_error(m->diags, place, NULL, "no derivative with respect to %s: it changes %s", m->active ? m->active : "this",
             what);
  return false;
}

bool slope_known(lang_model *m, lang_place place, double slope)
{
  if (isfinite(slope)) return true;
  lang_error(m->diags, place, "move it a little to either side",
             "no derivative with respect to %s: what is made of it here has a corner or a jump",
             m->active ? m->active : "this");
  return false;
}

/* What the file or a setting gives the name, or the reason why there is nothing to take slopes to. */
static bool slopes_value(lang_model *m, const char *name, lang_place place, quantity *out)
{
  const sym *const s = sym_find(m, SPACE_VALUE, name);
  const eval self = {.m = m};
  eval_value v;
  if (s && s->kind == SYM_RESERVOIR) {
    *out = (quantity){m->reservoirs[s->id].concentration, m->reservoirs[s->id].unit};
    return true;
  }
  if (s && s->kind == SYM_PARAM) {
    if (!eval_param(m, s->id, &self, &v)) return false;
    *out = v.q;
    return true;
  }
  if (s) lang_error(m->diags, place, NULL, "no derivative with respect to %s: it is a count", name);
  else sym_unknown(m, place, name, "parameter, bath or concentration", "v");
  return false;
}

/* Slopes of the constants of one direction's tape, in the order in which the builder puts them into the network. */
static int32_t slopes_tape(const model_step *step, int dir, double *out)
{
  int32_t count = 0;
  for (int32_t i = 0; step->law[dir] == LAW_TAPE && i < step->nop[dir]; i++) {
    if (step->tape[dir][i].code == TAPE_CONST) out[count++] = step->slopes[step->tape[dir][i].a];
  }
  return count;
}

static bool slopes_steps(lang_slopes *out)
{
  lang_model *const m = out->model;
  const ness_network *const net = m->network;
  int32_t constants = 0, heats = 0;
  for (int32_t s = 0; s < net->nstep; s++) {
    const model_step *const step = &m->steps[s];
    for (int dir = 0; dir < 2; dir++) {
      const int32_t law = net->dir_law[2 * s + dir];
      if (law == LAW_MASS) out->log_k[2 * s + dir] = step->d.log_k[dir];
      if (!slope_known(m, step->source->place, step->d.log_k[dir])) return false;
      /* A constant too small for a number. */
      if (law == LAW_NONE && !slope_flat(m, step->source->place, step->d.log_k[dir], "whether the step runs at all"))
        return false;
      constants += slopes_tape(step, dir, out->constant + constants);
      out->any = out->any || out->log_k[2 * s + dir] != 0;
    }
    if (net->dir_law[2 * s] == LAW_MASS && net->dir_law[2 * s + 1] == LAW_MASS) out->lnk[s] = step->d.lnk;
    if (step->heat) out->heat[heats++] = heat_work_slope(m, step);
  }
  for (int32_t i = 0; i < constants; i++) out->any = out->any || out->constant[i] != 0;
  return true;
}

static void slopes_places(lang_slopes *out)
{
  const lang_model *const m = out->model;
  for (int64_t i = 0; i < m->nslot; i++) {
    const model_slot *const s = &m->slots[i];
    out->g[i] = s->d.standard - (s->volume > 0 ? s->d.volume / s->volume : 0);
  }
  for (int64_t i = 0; i < m->nreservoir; i++) out->mu[i] = heat_potential_slope(m, &m->reservoirs[i]);
  for (int64_t i = 0; i < m->ncompartment; i++) {
    if (m->compartments[i].volt >= 0) out->volt[m->compartments[i].volt] = m->compartments[i].d.phi;
  }
}

ness_status lang_slopes_find(const lang_model *self, const char *name, lang_place place, ness_diags *diags,
                             lang_slopes *out)
{
  *out = (lang_slopes){0};
  const ness_network *const net = self->network;
  const sym *const known = sym_find(self, SPACE_VALUE, name);
  const int32_t before = diag_errors(diags);
  if (!self->file->statements || (known && known->kind == SYM_SLOT)) {
    lang_error(diags, place, NULL,
               known ? "no derivative with respect to %s: it is a count" : "nothing here is called %s", name);
    return NESS_MODEL;
  }
  for (int64_t i = 0; i < self->nprocess; i++) {
    if (strcmp(self->processes[i].name, name) != 0) continue;
    lang_error(diags, place, NULL, "no derivative with respect to %s: a process moves it", name);
    return NESS_MODEL;
  }
  ness_status status = model_compile(self->file, self->overrides, self->noverrides, name, diags, &out->model);
  if (status != NESS_OK) return status;
  lang_model *const m = out->model;
  m->active = arena_text(&m->memory, name, strlen(name));
  if (!slopes_value(m, name, place, &out->value)) status = NESS_MODEL;
  out->log_k = mem_zero(2 * (size_t)net->nstep + 1, sizeof *out->log_k);
  out->lnk = mem_zero((size_t)net->nstep + 1, sizeof *out->lnk);
  out->constant = mem_zero((size_t)net->nconst + 1, sizeof *out->constant);
  out->g = mem_zero((size_t)net->nslot + 1, sizeof *out->g);
  out->mu = mem_zero((size_t)net->nres + 1, sizeof *out->mu);
  out->volt = mem_zero((size_t)net->nvolt + 1, sizeof *out->volt);
  out->heat = mem_zero((size_t)net->nheatstep + 1, sizeof *out->heat);
  if (!out->log_k || !out->lnk || !out->constant || !out->g || !out->mu || !out->volt || !out->heat || !m->active) {
    status = NESS_NOMEM;
  }
  if (status == NESS_OK && !slopes_steps(out)) status = NESS_MODEL;
  if (status == NESS_OK) {
    slopes_places(out);
    return NESS_OK;
  }
  if (status == NESS_MODEL && diag_errors(diags) == before) status = NESS_NOMEM;
  lang_slopes_free(out);
  return status;
}

void lang_slopes_free(lang_slopes *self)
{
  lang_model_free(self->model);
  mem_free(self->log_k);
  mem_free(self->lnk);
  mem_free(self->constant);
  mem_free(self->g);
  mem_free(self->mu);
  mem_free(self->volt);
  mem_free(self->heat);
  *self = (lang_slopes){0};
}

const char *lang_slopes_name(const lang_model *self, int64_t index)
{
  if (index < self->nparam) return self->params[index].name;
  return index < self->nparam + self->nreservoir ? self->reservoirs[index - self->nparam].name : NULL;
}

const char *lang_name_of(lang_model *self, const expr *node, ness_diags *diags)
{
  ness_diags *const kept = self->diags;
  self->diags = diags;
  const char *const name = node->kind == EXPR_NAME ? sym_path(self, &node->path, NULL) : NULL;
  if (node->kind != EXPR_NAME) lang_error(diags, node->place, NULL, "a name is needed here");
  self->diags = kept;
  return name;
}
