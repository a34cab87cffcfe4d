/* Levels: a model whose inputs flip, as one network. The file is compiled once more for each combination of levels; a
 * step whose rates or energies differ between them becomes one step for each level of the inputs that move it, with the
 * levels' slots on both sides, and all other steps stay as they are. Invariant: the propensities of the joint network
 * at a level are those of the file compiled with the input set to it. What a source does in a step beyond its work at
 * the values of the file is kept beside the step; what the energies change along a step is work of the input, shared
 * among several inputs in the order of the file. Cost: a compilation for each combination, levels + 1 to the power of
 * inputs. */
#include "networks/lang/compile.h"
#include <math.h>
#include <string.h>

#define COMBINATIONS_MAX 20000

typedef struct levels {
  lang_model *m;
  int32_t n;            /* inputs with levels */
  lang_process **input; /* (n) */
  int32_t *stride;      /* (n) of a combination's number; level l of input k adds (l + 1) stride[k] */
  int32_t count;        /* of combinations; 0 is the file itself */
  lang_model **at;      /* (count) */
  model_step *steps;    /* the new list */
  int64_t nstep, capacity;
} levels;

/* Ends where a level cannot be, or where it changes what an input does that moves beside it. */
static bool levels_compile(levels *self, int32_t combination)
{
  lang_override settings[16];
  const lang_process *set[16];
  const char *where[16];
  int32_t used = 0;
  for (int32_t k = 0; k < self->n; k++) {
    const int32_t level = combination / self->stride[k] % (self->input[k]->nlevel + 1) - 1;
    if (level < 0) continue;
    set[used] = self->input[k];
    where[used] = self->input[k]->level_name[level];
    settings[used++] =
        (lang_override){.name = self->input[k]->name, .value = {self->input[k]->level[level], self->input[k]->unit}};
  }
  lang_model *const at = self->at[combination] = model_at(self->m, settings, used);
  const char *const other = at ? sways_differ(self->m, at) : NULL;
  if (at && !other) return true;
  if (other)
    lang_error(self->m->diags, set[0]->place, "let one of them stand, or move a rate alone",
               "%s changes what %s moves of an energy or a potential: whose work is whose has no answer", set[0]->name,
               other);
  for (int32_t i = 0; i < used; i++)
    lang_warning(self->m->diags, set[i]->place, NULL, "this was at the level %s", where[i]);
  return false;
}

static bool levels_open(levels *self, lang_model *m)
{
  *self = (levels){.m = m, .count = 1};
  self->input = arena_alloc(&m->memory, ((size_t)m->nprocess + 1) * sizeof(lang_process *));
  self->stride = arena_alloc(&m->memory, ((size_t)m->nprocess + 1) * sizeof *self->stride);
  if (!self->input || !self->stride) return false;
  for (int64_t i = 0; i < m->nprocess; i++) {
    if (m->processes[i].nlevel == 0) continue;
    self->input[self->n] = &m->processes[i];
    self->stride[self->n++] = self->count;
    if (self->count > COMBINATIONS_MAX / (m->processes[i].nlevel + 1)) {
      lang_error(m->diags, m->processes[i].place, "give one of them fewer levels",
                 "the processes have more than %d combinations of levels", COMBINATIONS_MAX);
      return false;
    }
    self->count *= m->processes[i].nlevel + 1;
  }
  self->at = mem_zero((size_t)self->count, sizeof *self->at);
  if (!self->at) return false;
  self->at[0] = m;
  for (int32_t c = 1; c < self->count; c++) {
    if (!levels_compile(self, c)) return false;
  }
  return true;
}

static void levels_close(levels *self)
{
  for (int32_t c = 1; self->at && c < self->count; c++) lang_model_free(self->at[c]);
  mem_free(self->at);
  mem_free(self->steps);
}

/* --- what a level changes in a step --- */

static double levels_g(const lang_model *m, int32_t slot)
{
  const model_slot *const s = &m->slots[slot];
  return s->standard - (s->volume > 0 ? log(s->volume * (m->file->natural ? 1 : CONST_C0)) : 0);
}

/* The sum of the energies of what a forward event makes, less that of what it takes. */
static double levels_energy(const lang_model *m, const model_step *step)
{
  double sum = 0;
  for (int32_t i = 0; i < step->nright; i++) sum += levels_g(m, step->right[i]);
  for (int32_t i = 0; i < step->nleft; i++) sum -= levels_g(m, step->left[i]);
  return sum;
}

static int32_t levels_sources(const lang_model *m)
{
  return (int32_t)m->nreservoir + m->nvolt + m->nheat + m->nproc;
}

/* What each source does in a forward event beyond its work in the file; `work` (sources) is zeroed. */
static void levels_work(const lang_model *base, const lang_model *at, int64_t s, double *work)
{
  const model_step *const step = &base->steps[s];
  for (int side = 0; side < 2; side++) {
    const double sign = side ? -1 : 1;
    const int32_t n = side ? step->nres_right : step->nres_left, *const res = side ? step->res_right : step->res_left;
    for (int32_t i = 0; i < n; i++) {
      const model_reservoir *const a = &base->reservoirs[res[i]], *const b = &at->reservoirs[res[i]];
      work[res[i]] += sign * (heat_potential(at, b) - heat_potential(base, a));
      if (a->volt >= 0) work[base->nreservoir + a->volt] += sign * (b->z * b->phi - a->z * a->phi);
    }
  }
  if (step->heat)
    work[base->nreservoir + base->nvolt + step->heat - 1] += heat_work(at, &at->steps[s]) - heat_work(base, step);
}

static bool levels_law_differs(const model_step *a, const model_step *b)
{
  for (int dir = 0; dir < 2; dir++) {
    if (a->law[dir] != b->law[dir] || a->k[dir] != b->k[dir]) return true;
  }
  if (a->nconst != b->nconst || (a->lnk != b->lnk && !(isnan(a->lnk) && isnan(b->lnk)))) return true;
  return a->nconst > 0 && memcmp(a->constants, b->constants, (size_t)a->nconst * sizeof *a->constants) != 0;
}

/* Whether input k moves the step. */
static bool levels_moves(const levels *self, int64_t s, int32_t k, double *work)
{
  const int32_t sources = levels_sources(self->m);
  for (int32_t c = 0; c < self->count; c++) {
    const int32_t without = c - c / self->stride[k] % (self->input[k]->nlevel + 1) * self->stride[k];
    if (without == c) continue;
    const model_step *const a = &self->at[without]->steps[s], *const b = &self->at[c]->steps[s];
    if (levels_law_differs(a, b)) return true;
    memset(work, 0, (size_t)sources * sizeof *work);
    levels_work(self->at[without], self->at[c], s, work);
    bool same = levels_energy(self->at[without], a) == levels_energy(self->at[c], b);
    for (int32_t i = 0; i < sources; i++) same = same && work[i] == 0;
    if (!same) return true;
  }
  return false;
}

/* --- new steps --- */

static bool levels_push(levels *self, const model_step *step)
{
  if (self->nstep >= LANG_MAX_ITEMS) {
    lang_error(self->m->diags, step->source->place, "give the processes fewer levels",
               "with a step for every level the model has more than %d", LANG_MAX_ITEMS);
    return false;
  }
  if (!model_grow(self->m, &self->steps, &self->capacity, self->nstep + 1, sizeof *self->steps)) return false;
  self->steps[self->nstep++] = *step;
  return true;
}

static int32_t *levels_side(lang_model *m, const int32_t *ids, int32_t n, const int32_t *slots, int32_t nslots)
{
  int32_t *const out = arena_alloc(&m->memory, ((size_t)n + (size_t)nslots + 1) * sizeof *out);
  if (out && n > 0) memcpy(out, ids, (size_t)n * sizeof *out);
  if (out && nslots > 0) memcpy(out + n, slots, (size_t)nslots * sizeof *out);
  return out;
}

/* Tapes know nothing of levels: each is multiplied with the counts of its own. */
static bool levels_tape(lang_model *m, model_step *step, int dir, const int32_t *slots, int32_t nslots)
{
  const int32_t n = step->nop[dir];
  tape_op *const ops = arena_alloc(&m->memory, ((size_t)n + 2 * (size_t)nslots) * sizeof *ops);
  if (!ops) return false;
  memcpy(ops, step->tape[dir], (size_t)n * sizeof *ops);
  int32_t last = n - 1;
  for (int32_t i = 0; i < nslots; i++, last += 2) {
    ops[last + 1] = (tape_op){.code = TAPE_SLOT, .a = slots[i]};
    ops[last + 2] = (tape_op){.code = TAPE_MUL, .a = last, .b = last + 1};
  }
  step->tape[dir] = ops;
  step->nop[dir] = last + 1;
  return true;
}

/* The constants of a tape and the variables that a step moves live in the model of the level, which goes. */
static bool levels_own(lang_model *m, model_step *step)
{
  step->var_slot = levels_side(m, step->var_slot, step->nvar, NULL, 0);
  step->var_by = levels_side(m, step->var_by, step->nvar, NULL, 0);
  const size_t bytes = (size_t)step->nconst * sizeof(double);
  double *const constants = arena_alloc(&m->memory, bytes + 1), *const slopes = arena_alloc(&m->memory, bytes + 1);
  if (!constants || !slopes || m->memory.failed) return false;
  if (bytes) memcpy(constants, step->constants, bytes);
  if (bytes && step->slopes) memcpy(slopes, step->slopes, bytes);
  step->constants = constants;
  step->slopes = step->slopes ? slopes : NULL;
  return true;
}

/* Works of the sources at a combination, and those of its inputs, which change the energies one after another. */
static bool levels_shift(levels *self, int64_t s, int32_t combination, const int32_t *moving, int32_t nmoving,
                         double *work, model_step *step)
{
  lang_model *const m = self->m;
  const int32_t sources = levels_sources(m);
  memset(work, 0, (size_t)sources * sizeof *work);
  levels_work(m, self->at[combination], s, work);
  int32_t reached = 0;
  for (int32_t i = 0; i < nmoving; i++) {
    const int32_t k = moving[i], from = reached;
    reached += combination / self->stride[k] % (self->input[k]->nlevel + 1) * self->stride[k];
    work[sources - m->nproc + self->input[k]->id] =
        levels_energy(self->at[from], &m->steps[s]) - levels_energy(self->at[reached], &m->steps[s]);
  }
  step->shift_src = arena_alloc(&m->memory, ((size_t)sources + 1) * sizeof *step->shift_src);
  step->shift_kt = arena_alloc(&m->memory, ((size_t)sources + 1) * sizeof *step->shift_kt);
  if (!step->shift_src || !step->shift_kt) return false;
  step->nshift = 0;
  for (int32_t i = 0; i < sources; i++) {
    if (work[i] == 0) continue;
    step->shift_src[step->nshift] = i;
    step->shift_kt[step->nshift++] = work[i];
  }
  return true;
}

static bool levels_variant(levels *self, int64_t s, int32_t combination, const int32_t *moving, int32_t nmoving,
                           double *work)
{
  lang_model *const m = self->m;
  const model_step *const own = &m->steps[s];
  model_step step = self->at[combination]->steps[s];
  int32_t slots[16];
  const char *where = "";
  for (int32_t i = 0; i < nmoving && where; i++) {
    const lang_process *const p = self->input[moving[i]];
    const int32_t level = combination / self->stride[moving[i]] % (p->nlevel + 1) - 1;
    slots[i] = p->first_slot + level;
    where = arena_format(&m->memory, i ? "%s %s" : "%s%s", where, p->level_name[level]);
  }
  if (!where) return false;
  step.name = arena_format(&m->memory, "%s (%s)", own->name, where);
  step.text = arena_format(&m->memory, "%s at %s", own->text, where);
  step.env = own->env;
  step.base = own->name;
  step.left = levels_side(m, own->left, own->nleft, slots, nmoving);
  step.right = levels_side(m, own->right, own->nright, slots, nmoving);
  step.res_left = own->res_left;
  step.res_right = own->res_right;
  step.nleft += nmoving;
  step.nright += nmoving;
  if (m->memory.failed || !levels_own(m, &step)) return false;
  for (int dir = 0; dir < 2; dir++) {
    if (step.law[dir] == LAW_TAPE && !levels_tape(m, &step, dir, slots, nmoving)) return false;
  }
  return levels_shift(self, s, combination, moving, nmoving, work, &step) && levels_push(self, &step);
}

/* A step as one for every combination of levels of the inputs that move it. */
static bool levels_step(levels *self, int64_t s, double *work)
{
  lang_model *const m = self->m;
  int32_t moving[16], level[16] = {0}, nmoving = 0;
  for (int32_t k = 0; k < self->n; k++) {
    if (levels_moves(self, s, k, work)) moving[nmoving++] = k;
  }
  sym *const name = sym_find(m, SPACE_STEP, m->steps[s].name);
  if (name) name->id = (int32_t)self->nstep;
  bool fine = nmoving > 0 || levels_push(self, &m->steps[s]);
  for (bool more = nmoving > 0; more && fine;) {
    int32_t combination = 0;
    for (int32_t i = 0; i < nmoving; i++) combination += (level[i] + 1) * self->stride[moving[i]];
    fine = levels_variant(self, s, combination, moving, nmoving, work);
    int32_t i = 0;
    while (i < nmoving && ++level[i] == self->input[moving[i]]->nlevel) level[i++] = 0;
    more = i < nmoving;
  }
  if (name) name->last = (int32_t)self->nstep - 1;
  return fine;
}

/* --- slots of the levels, and flips --- */

static bool levels_slots(lang_model *m, lang_process *p)
{
  const int32_t family = (int32_t)m->nfamily;
  if (!model_grow(m, &m->families, &m->family_capacity, m->nfamily + 1, sizeof *m->families) ||
      !model_grow(m, &m->family_copies, &m->copies_capacity, m->nfamily + 1, sizeof *m->family_copies) ||
      !model_grow(m, &m->family_energies, &m->energies_capacity, m->nfamily + 1, sizeof *m->family_energies) ||
      !model_grow(m, &m->slots, &m->slot_capacity, m->nslot + p->nlevel, sizeof *m->slots))
    return false;
  m->families[family] = p->name;
  m->family_copies[family] = 1;
  m->family_energies[family] = true;
  m->nfamily++;
  p->first_slot = (int32_t)m->nslot;
  for (int32_t i = 0; i < p->nlevel; i++) {
    m->slots[m->nslot] = (model_slot){.name = p->level_name[i],
                                      .place = p->place,
                                      .start = i == p->start,
                                      .max = MODEL_NO_MAX,
                                      .volt = -1,
                                      .family = family,
                                      .ion = -1,
                                      .compartment = -1,
                                      .field = {-1, -1},
                                      .state = LAZY_DONE,
                                      .known = true};
    if (!sym_add(m, SPACE_VALUE, p->level_name[i], SYM_SLOT, (int32_t)m->nslot++, p->place)) return false;
  }
  return true;
}

static bool levels_flips(levels *self, const lang_process *p, const stmt *source)
{
  lang_model *const m = self->m;
  for (int32_t f = 0; f < p->nflip; f++) {
    const int32_t ends[2] = {p->first_slot + p->from[f], p->first_slot + p->to[f]};
    const char *const text = arena_format(&m->memory, "%s <-> %s", p->level_name[p->from[f]], p->level_name[p->to[f]]);
    model_step step = {.source = source,
                       .name = text,
                       .text = text,
                       .nleft = 1,
                       .nright = 1,
                       .left = levels_side(m, ends, 1, NULL, 0),
                       .right = levels_side(m, ends + 1, 1, NULL, 0),
                       .law = {LAW_MASS, LAW_MASS},
                       .k = {p->up[f], p->down[f]},
                       .tau = 1,
                       .flip = 1 + p->id};
    step.res_left = step.res_right = levels_side(m, NULL, 0, NULL, 0);
    step.d.log_k[0] = p->up_slope[f];
    step.d.log_k[1] = p->down_slope[f];
    if (m->memory.failed || !levels_push(self, &step)) return false;
  }
  return true;
}

static const stmt *levels_source(const lang_model *m, const lang_process *p)
{
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind == STMT_PROCESS && s->items->place.source == p->place.source &&
        s->items->place.offset == p->place.offset)
      return s;
  }
  return NULL;
}

bool levels_expand(lang_model *m)
{
  if (m->nproc == 0) return true;
  levels self;
  bool fine = levels_open(&self, m);
  double *const work = mem_zero((size_t)levels_sources(m) + 1, sizeof *work);
  if (!work) m->memory.failed = true;
  fine = fine && work;
  for (int32_t k = 0; k < self.n && fine; k++) fine = levels_slots(m, self.input[k]);
  for (int64_t s = 0; s < m->nstep && fine; s++) fine = levels_step(&self, s, work);
  for (int32_t k = 0; k < self.n && fine; k++)
    fine = levels_flips(&self, self.input[k], levels_source(m, self.input[k]));
  if (fine) {
    mem_free(m->steps);
    m->steps = self.steps;
    m->nstep = self.nstep;
    m->step_capacity = self.capacity;
    self.steps = NULL;
  }
  levels_close(&self);
  mem_free(work);
  return fine;
}
