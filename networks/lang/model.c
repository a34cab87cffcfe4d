/* Compiling: the stages in their order, and what a compiled model answers. A model borrows its file, which must outlive
 * it. */
#include "networks/lang/compile.h"
#include <math.h>
#include <string.h>

static bool model_stages(lang_model *m)
{
  return symbols_declare(m) && energy_potentials(m) && energy_slots(m) && sways_find(m) && lower_steps(m) &&
         variables_equations(m) && membranes_declare(m) && lower_rates(m, false) && energy_infer(m) &&
         lower_rates(m, true) && sways_parts(m);
}

static lang_model *model_open(const lang_file *file, lang_override *overrides, int32_t noverrides, const char *active,
                              ness_diags *diags)
{
  lang_model *const m = mem_zero(1, sizeof *m);
  if (!m) return NULL;
  m->file = file;
  m->diags = diags;
  m->overrides = overrides;
  m->noverrides = noverrides;
  m->active = active;
  m->kt = file->natural ? 1 : 0;
  return m;
}

lang_model *model_at(const lang_model *like, const lang_override *settings, int32_t nsettings)
{
  const int32_t count = like->noverrides + nsettings;
  lang_override *const all = mem_zero((size_t)count + 1, sizeof *all);
  for (int32_t i = 0; all && i < count; i++)
    all[i] = i < like->noverrides ? like->overrides[i] : settings[i - like->noverrides];
  lang_model *m = all ? model_open(like->file, all, count, like->active, like->diags) : NULL;
  if (m) m->inputs = like->inputs, m->ninput = like->ninput;
  if (m && !model_stages(m)) {
    lang_model_free(m);
    m = NULL;
  }
  if (m) m->overrides = NULL, m->noverrides = 0; /* read by now, and not the model's own */
  mem_free(all);
  return m;
}

static bool model_unused(lang_model *m)
{
  bool fine = true;
  for (int64_t i = 0; i < m->nparam; i++) { /* a parameter nobody reads may still be set */
    for (int64_t k = 0; k < m->ngiven; k++)
      m->given[k].used = m->given[k].used || strcmp(m->given[k].name, m->params[i].name) == 0;
    for (int32_t k = 0; k < m->noverrides; k++)
      m->overrides[k].used = m->overrides[k].used || strcmp(m->overrides[k].name, m->params[i].name) == 0;
  }
  for (int64_t k = 0; k < m->ngiven; k++) {
    if (m->given[k].used) continue;
    sym_unknown(m, m->given[k].place, m->given[k].name, "parameter, bath or concentration", "v");
    fine = false;
  }
  for (int32_t k = 0; k < m->noverrides; k++) {
    if (m->overrides[k].used) continue;
    sym_unknown(m, (lang_place){0}, m->overrides[k].name, "parameter, bath or concentration", "v");
    fine = false;
  }
  return fine;
}

/* The settings as the model's own: those of the caller may change or go. */
static bool model_keep(lang_model *m)
{
  lang_override *const kept = arena_alloc(&m->memory, ((size_t)m->noverrides + 1) * sizeof *kept);
  for (int32_t i = 0; kept && i < m->noverrides; i++) {
    kept[i] = m->overrides[i];
    kept[i].name = arena_text(&m->memory, m->overrides[i].name, strlen(m->overrides[i].name));
  }
  m->overrides = kept;
  return !m->memory.failed;
}

/* What moves as a variable: all that is continuous in a model with these processes. */
static bool model_inputs(lang_model *m, const lang_model *moving)
{
  m->inputs = arena_alloc(&m->memory, ((size_t)moving->nprocess + 1) * sizeof *m->inputs);
  for (int64_t i = 0; m->inputs && i < moving->nprocess; i++) {
    if (lang_process_continuous(&moving->processes[i])) m->inputs[m->ninput++] = moving->processes[i];
  }
  return m->inputs != NULL;
}

/* Assertions speak of the values in the file, so that they are held where no process moves. `moving`: whose inputs move
 * as variables, NULL none. */
static ness_status model_compile_as(const lang_file *file, lang_override *overrides, int32_t noverrides,
                                    const char *active, bool moved, bool still, const lang_model *moving,
                                    ness_diags *diags, lang_model **out)
{
  *out = NULL;
  lang_model *const m = model_open(file, overrides, noverrides, active, diags);
  if (!m) return NESS_NOMEM;
  m->still = still;
  const int32_t before = diag_errors(diags);
  for (int32_t i = 0; i < noverrides; i++) overrides[i].used = false;
  const bool built = (!moving || model_inputs(m, moving)) && model_stages(m) &&
                     (!moved || (process_declare(m) && levels_expand(m))) && network_build(m) && model_unused(m) &&
                     model_keep(m);
  ness_status status = NESS_OK;
  if (!built) status = diag_errors(diags) > before && !m->memory.failed ? NESS_MODEL : NESS_NOMEM;
  else if (!active && !moved) status = network_asserts(m); /* held before slopes are asked for */
  else if (diag_errors(diags) > before) status = NESS_MODEL;
  if (status != NESS_OK) {
    lang_model_free(m);
    return status;
  }
  *out = m;
  return NESS_OK;
}

ness_status model_compile(const lang_file *file, lang_override *overrides, int32_t noverrides, const char *active,
                          ness_diags *diags, lang_model **out)
{
  const ness_status status = model_compile_as(file, overrides, noverrides, active, false, false, NULL, diags, out);
  if (status != NESS_OK || !process_any(file)) return status;
  lang_model_free(*out);
  return model_compile_as(file, overrides, noverrides, active, true, false, NULL, diags, out);
}

ness_status lang_compile(const lang_file *file, lang_override *overrides, int32_t noverrides, ness_diags *diags,
                         lang_model **out)
{
  return model_compile(file, overrides, noverrides, NULL, diags, out);
}

ness_status lang_compile_still(const lang_model *like, const lang_process *process, double value, ness_diags *diags,
                               lang_model **out)
{
  const int32_t count = like->noverrides + (process != NULL);
  lang_override *const all = mem_zero((size_t)count + 1, sizeof *all);
  *out = NULL;
  if (!all) return NESS_NOMEM;
  for (int32_t i = 0; i < like->noverrides; i++) all[i] = like->overrides[i];
  if (process) all[like->noverrides] = (lang_override){.name = process->name, .value = {value, process->unit}};
  const ness_status status = model_compile_as(like->file, all, count, NULL, true, true, NULL, diags, out);
  mem_free(all);
  return status;
}

ness_status lang_compile_moving(const lang_model *like, ness_diags *diags, lang_model **out)
{
  lang_override *const all = mem_zero((size_t)like->noverrides + 1, sizeof *all);
  *out = NULL;
  if (!all) return NESS_NOMEM;
  for (int32_t i = 0; i < like->noverrides; i++) all[i] = like->overrides[i];
  const ness_status status = model_compile_as(like->file, all, like->noverrides, NULL, true, true, like, diags, out);
  mem_free(all);
  return status;
}

/* Whether everything that a direction takes is there; with a rate that is an expression, what it uses up. */
static bool model_can_fire(const ness_network *net, int32_t dir, const bool *reached)
{
  if (net->dir_law[dir] == LAW_NONE) return false;
  for (int32_t k = net->react_start[dir]; k < net->react_start[dir + 1]; k++) {
    if (!reached[net->react_slot[k]]) return false;
  }
  for (int32_t k = net->guard_start[dir]; k < net->guard_start[dir + 1]; k++) {
    if (net->guard_low[k] > 0 && !reached[net->guard_slot[k]]) return false;
  }
  return true;
}

bool lang_warn_unreached(const lang_model *self, ness_diags *diags)
{
  const ness_network *const net = self->network;
  bool *const reached = mem_zero((size_t)net->nslot + 1, sizeof *reached);
  if (!reached) return false;
  for (int32_t i = 0; i < net->nslot; i++) reached[i] = net->slot_start[i] > 0;
  bool changed = true;
  for (int sweep = 0; changed; sweep++) { /* up and down, so that a chain takes one or two sweeps in either order */
    changed = false;
    for (int32_t i = 0; i < 2 * net->nstep; i++) {
      const int32_t dir = sweep % 2 ? 2 * net->nstep - 1 - i : i;
      if (!model_can_fire(net, dir, reached)) continue;
      for (int32_t k = net->change_start[dir / 2]; k < net->change_start[dir / 2 + 1]; k++) {
        const int32_t slot = net->change_slot[k];
        const bool gains = (net->change_by[k] > 0) == (dir % 2 == 0);
        if (gains && !reached[slot]) reached[slot] = changed = true;
      }
    }
  }
  int32_t shown = 0;
  for (int32_t i = 0; i < net->nslot && shown < 5; i++) {
    if (reached[i] || self->network->slot_var[i] >= 0) continue;
    shown++;
    lang_warning(diags, self->slots[i].place, "give it a start, or a step that leads there", "%s is never reached",
                 self->slots[i].name);
  }
  mem_free(reached);
  return true;
}

void lang_model_free(lang_model *self)
{
  if (!self) return;
  network_free(self->network);
  mem_free(self->params);
  mem_free(self->given);
  mem_free(self->compartments);
  mem_free(self->ions);
  mem_free(self->slots);
  mem_free(self->reservoirs);
  mem_free(self->steps);
  mem_free(self->observables);
  mem_free(self->variables);
  mem_free(self->sways);
  mem_free(self->parts);
  mem_free((void *)self->families);
  mem_free(self->family_copies);
  mem_free(self->family_energies);
  mem_free((void *)self->volt_names);
  mem_free(self->processes);
  mem_free(self->volt_phi);
  arena_free(&self->memory);
  mem_free(self);
}

const ness_network *lang_network(const lang_model *self)
{
  return self->network;
}
const lang_file *lang_file_of(const lang_model *self)
{
  return self->file;
}
const lang_process *lang_processes(const lang_model *self, int32_t *count)
{
  *count = (int32_t)self->nprocess;
  return self->processes;
}
const lang_process *lang_inputs(const lang_model *self, int32_t *count)
{
  *count = self->ninput;
  return self->inputs;
}
const network_part *lang_parts(const lang_model *self, int32_t *count)
{
  *count = (int32_t)self->npart;
  return self->parts;
}
lang_unit lang_slot_unit(const lang_model *self, int32_t slot)
{
  const int32_t variable = self->slots[slot].variable;
  return variable ? self->variables[variable - 1].unit : UNIT_NONE;
}
double lang_kt(const lang_model *self)
{
  return self->kt;
}

bool lang_evaluate(lang_model *self, const expr *node, lang_hook hook, void *context, ness_diags *diags, quantity *out)
{
  ness_diags *const kept = self->diags;
  self->diags = diags;
  const eval e = {.m = self, .hook = hook, .hook_context = context};
  double slope;
  const bool fine = eval_constant(&e, node, out, &slope);
  self->diags = kept;
  return fine;
}

static const struct {
  char space;
  sym_kind kind;
  const char *what, *spaces;
} model_classes[] = {[LANG_SLOT] = {SPACE_VALUE, SYM_SLOT, "species, state or site", "v"},
                     [LANG_RESERVOIR] = {SPACE_VALUE, SYM_RESERVOIR, "bath or reservoir", "v"},
                     [LANG_STEP] = {SPACE_STEP, SYM_OTHER, "step", "t"},
                     [LANG_CYCLE] = {SPACE_CYCLE, SYM_OTHER, "cycle", "y"},
                     [LANG_OBSERVABLE] = {SPACE_OBSERVABLE, SYM_OTHER, "observable", "o"},
                     [LANG_VOLTAGE] = {SPACE_COMPARTMENT, SYM_OTHER, "compartment", "c"},
                     [LANG_FAMILY] = {SPACE_FAMILY, SYM_OTHER, "protein", "p"}};

int32_t lang_find_text(const lang_model *self, lang_class class, const char *name)
{
  const sym *const s = sym_find(self, model_classes[class].space, name);
  if (s && s->kind == model_classes[class].kind) return s->id;
  const sym *const moved = class == LANG_SLOT ? sym_find(self, SPACE_MOVED, name) : NULL; /* of a reservoir */
  return moved && moved->kind == SYM_SLOT ? moved->id : -1;
}

int32_t lang_step_last(const lang_model *self, int32_t first)
{
  int32_t last = first;
  while (last + 1 < self->nstep && self->steps[last + 1].base == self->steps[first].base && self->steps[first].base)
    last++;
  return last;
}

int32_t lang_find(lang_model *self, lang_class class, const expr *node, ness_diags *diags)
{
  ness_diags *const kept = self->diags;
  self->diags = diags;
  const char *const name = node->kind == EXPR_NAME ? sym_path(self, &node->path, NULL) : NULL;
  const int32_t id = name ? lang_find_text(self, class, name) : -1;
  if (id < 0 && name) sym_unknown(self, node->place, name, model_classes[class].what, model_classes[class].spaces);
  if (node->kind != EXPR_NAME) lang_error(diags, node->place, NULL, "a name is needed here");
  self->diags = kept;
  return id;
}
