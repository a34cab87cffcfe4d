/* What inputs that move as variables do beyond the rates that name them: concentrations of reservoirs, potentials of
 * compartments, standard potentials and energies as expressions of inputs. Everything is compiled at the inputs' values
 * in the file, as for ones that stand; a rate then gets on its tape what the moment makes of its drive and of its
 * concentrations, and each energy and potential a part that the ledger adds. Invariant: parts read one input each, so
 * that every input has a work of its own; what two move together must be a sum. Cost: sways times steps. */
#include "networks/lang/compile.h"
#include <math.h>
#include <string.h>

#define SWAY_TOGETHER 5 /* inputs in one expression */
#define SWAY_SUM 1e-9   /* kT, of what is a sum */
#define SWAY_POINTS 16  /* of a range, where two models are compared */

static bool sway_push(lang_model *m, sway_kind kind, int64_t id)
{
  if (!model_grow(m, &m->sways, &m->sway_capacity, m->nsway + 1, sizeof *m->sways)) return false;
  m->sways[m->nsway++] = (model_sway){kind, (int32_t)id};
  return true;
}

bool sways_find(lang_model *m)
{
  bool fine = true;
  for (int64_t i = 0; i < m->nreservoir && fine; i++) {
    const model_reservoir *const r = &m->reservoirs[i];
    const bool standard = r->mu0_sways || (r->ion >= 0 && m->ions[r->ion].sways);
    fine = (!(r->input || r->sways) || sway_push(m, SWAY_CONCENTRATION, i)) &&
           (!standard || sway_push(m, SWAY_STANDARD, i));
  }
  for (int64_t i = 0; i < m->ncompartment && fine; i++)
    fine = !m->compartments[i].sways || sway_push(m, SWAY_POTENTIAL, i);
  for (int64_t i = 0; i < m->nion && fine; i++) fine = !m->ions[i].sways || sway_push(m, SWAY_ION, i);
  for (int64_t i = 0; i < m->nslot && fine; i++) fine = !m->slots[i].sways || sway_push(m, SWAY_ENERGY, i);
  return fine;
}

/* --- how much of one a step meets --- */

/* Charge of a copy that feels the potential of a compartment, e. */
static double sway_charge(const model_slot *slot, int32_t compartment)
{
  return slot->charge *
         ((slot->field[0] == compartment ? 1 - slot->share : 0) + (slot->field[1] == compartment ? slot->share : 0));
}

static double sway_copy(const lang_model *m, const model_sway *sway, int32_t slot)
{
  switch (sway->kind) {
  case SWAY_POTENTIAL: return sway_charge(&m->slots[slot], sway->id);
  case SWAY_ION: return m->slots[slot].ion == sway->id;
  case SWAY_ENERGY: return slot == sway->id;
  default: return 0;
  }
}

static double sway_particle(const lang_model *m, const model_sway *sway, int32_t reservoir, bool whole)
{
  switch (sway->kind) {
  case SWAY_CONCENTRATION: return whole && reservoir == sway->id;
  case SWAY_STANDARD: return reservoir == sway->id;
  case SWAY_POTENTIAL: return m->reservoirs[reservoir].compartment == sway->id ? m->reservoirs[reservoir].z : 0;
  default: return 0;
  }
}

/* What the drive of a step has of it: on the left less on the right. */
static double sway_met(const lang_model *m, const model_sway *sway, const model_step *step, bool whole)
{
  double sum = 0;
  for (int side = 0; side < 2; side++) {
    const double sign = side ? -1 : 1;
    const int32_t n = side ? step->nright : step->nleft, *const ids = side ? step->right : step->left;
    const int32_t nres = side ? step->nres_right : step->nres_left, *const res =
                                                                        side ? step->res_right : step->res_left;
    for (int32_t i = 0; i < n; i++) sum += sign * sway_copy(m, sway, ids[i]);
    for (int32_t i = 0; i < nres; i++) sum += sign * sway_particle(m, sway, res[i], whole);
  }
  return sum;
}

bool sway_drives(const lang_model *m, const model_step *step, bool whole)
{
  for (int64_t i = 0; i < m->nsway; i++) {
    if (sway_met(m, &m->sways[i], step, whole) != 0) return true;
  }
  return false;
}

bool sway_of_reservoir(const lang_model *m, int32_t id)
{
  for (int64_t i = 0; i < m->nsway; i++) {
    if (sway_particle(m, &m->sways[i], id, true) != 0) return true;
  }
  return false;
}

bool sway_of_slot(const lang_model *m, int32_t id)
{
  for (int64_t i = 0; i < m->nsway; i++) {
    if (sway_copy(m, &m->sways[i], id) != 0) return true;
  }
  return false;
}

bool sway_scales(const lang_model *m, const model_step *step, int dir)
{
  const int32_t n = dir ? step->nres_right : step->nres_left, *const res = dir ? step->res_right : step->res_left;
  for (int32_t i = 0; i < n; i++) {
    if (m->reservoirs[res[i]].input || m->reservoirs[res[i]].sways) return true;
  }
  return step->speed != NULL;
}

bool sway_place(const lang_model *m, const model_step *step)
{
  if (step->tau == 1 || !(sway_drives(m, step, true) || sway_scales(m, step, 0) || sway_scales(m, step, 1)))
    return true;
  lang_error(m->diags, step->source->place, "let its place have the temperature of the model",
             "%s is at a place of another temperature: no input that moves beside others can move what it takes or "
             "gives",
             step->name);
  return false;
}

/* --- on a tape --- */

static int32_t sway_number(const eval *self, double value)
{
  const eval_value v = {.q = {value, UNIT_NONE}, .constant = true, .reg = -1};
  return eval_reg(self, &v);
}

static int32_t sway_join(const eval *self, tape_code code, int32_t a, int32_t b)
{
  return a < 0 || b < 0 ? -1 : eval_emit(self, code, a, b, 0);
}

/* An expression at the moment. */
static int32_t sway_now(const eval *self, const expr *e, const index_binding *env, bool energy)
{
  const eval now = {.m = self->m, .env = env, .tape = self->tape, .energies = energy};
  eval_value v;
  return eval_expr(&now, e, &v) ? eval_reg(self, &v) : -1;
}

int32_t sway_concentration(const eval *self, const model_reservoir *r)
{
  lang_unit ignored;
  if (r->sways) return sway_now(self, r->sways, NULL, false);
  return variable_register(self, &self->m->slots[process_input(self->m, r->name)->first_slot], &ignored);
}

/* Over what it is in the file. */
static int32_t sway_ratio(const eval *self, const model_reservoir *r)
{
  return sway_join(self, TAPE_DIV, sway_concentration(self, r), sway_number(self, r->concentration));
}

/* value * scale - still */
static int32_t sway_beyond(const eval *self, int32_t value, double scale, double still)
{
  const int32_t now = sway_join(self, TAPE_MUL, value, sway_number(self, scale));
  return sway_join(self, TAPE_SUB, now, sway_number(self, still));
}

/* Beyond its value in the file, kT. */
static int32_t sway_register(const eval *self, const model_sway *sway)
{
  const lang_model *const m = self->m;
  const model_reservoir *const r = &m->reservoirs[sway->id];
  switch (sway->kind) {
  case SWAY_CONCENTRATION: {
    const int32_t ratio = sway_ratio(self, r);
    return ratio < 0 ? -1 : eval_emit(self, TAPE_LN, ratio, 0, 0);
  }
  case SWAY_POTENTIAL: {
    const model_compartment *const c = &m->compartments[sway->id];
    return sway_beyond(self, sway_now(self, c->sways, NULL, false), m->file->natural ? 1 : CONST_E / m->kt, c->phi);
  }
  case SWAY_STANDARD:
    return sway_beyond(self, sway_now(self, r->mu0_sways ? r->mu0_sways : m->ions[r->ion].sways, NULL, true), 1 / m->kt,
                       r->mu0);
  case SWAY_ION:
    return sway_beyond(self, sway_now(self, m->ions[sway->id].sways, NULL, true), 1 / m->kt, m->ions[sway->id].mu0);
  case SWAY_ENERGY: {
    const model_slot *const s = &m->slots[sway->id];
    return sway_beyond(self, sway_now(self, s->energy, s->env, true), 1 / m->kt, s->own);
  }
  }
  return -1;
}

int32_t sway_drive(const eval *self, const model_step *step, int32_t reg, double sign, bool whole)
{
  const lang_model *const m = self->m;
  for (int64_t i = 0; i < m->nsway && reg >= 0; i++) {
    const double met = sway_met(m, &m->sways[i], step, whole);
    if (met == 0) continue;
    const int32_t more = sway_join(self, TAPE_MUL, sway_register(self, &m->sways[i]), sway_number(self, sign * met));
    reg = sway_join(self, TAPE_ADD, reg, more);
  }
  return reg;
}

int32_t sway_scale(const eval *self, const model_step *step, int dir, int32_t reg, bool bare)
{
  const lang_model *const m = self->m;
  const int32_t n = dir ? step->nres_right : step->nres_left, *const res = dir ? step->res_right : step->res_left;
  for (int32_t i = 0; i < n && !bare && reg >= 0; i++) {
    const model_reservoir *const r = &m->reservoirs[res[i]];
    if (r->input || r->sways) reg = sway_join(self, TAPE_MUL, sway_ratio(self, r), reg);
  }
  if (!step->speed) return reg;
  const int32_t speed = sway_now(self, step->speed, step->env, false);
  return sway_join(self, TAPE_MUL, sway_join(self, TAPE_DIV, speed, sway_number(self, step->speed_still)), reg);
}

/* --- parts --- */

/* The inputs that a tape reads. */
static int32_t part_inputs(const lang_model *m, const eval_tape *tape, int32_t *list)
{
  int32_t n = 0;
  for (int32_t k = 0; k < m->ninput; k++) {
    bool reads = false;
    for (int32_t i = 0; i < tape->nop; i++)
      reads = reads || (tape->ops[i].code == TAPE_SLOT && tape->ops[i].a == m->inputs[k].first_slot);
    if (reads) list[n++] = k;
  }
  return n;
}

/* The value of an input in the file, as a count of its slot. */
static bool part_still(lang_model *m, const lang_process *input, double *count)
{
  const model_variable *const v = &m->variables[m->slots[input->first_slot].variable - 1];
  const sym *const s = sym_find(m, SPACE_VALUE, input->name), *const moved = sym_find(m, SPACE_MOVED, input->name);
  const eval self = {.m = m};
  eval_value value = {.q = {0, UNIT_NONE}};
  if (s->kind == SYM_RESERVOIR) value.q.value = m->reservoirs[s->id].concentration;
  else if (!eval_param(m, moved->id, &self, &value)) return false;
  *count = (value.q.value - v->zero) / v->step;
  return true;
}

/* The same with all inputs but `keep` (-1: none) at these counts. */
static bool part_alone(lang_model *m, const eval_tape *tape, int32_t keep, const double *count, eval_tape *out)
{
  *out = *tape;
  out->ops = arena_alloc(&m->memory, ((size_t)tape->nop + 1) * sizeof *out->ops);
  out->constants = arena_alloc(&m->memory, ((size_t)tape->nconst + (size_t)m->ninput + 1) * sizeof *out->constants);
  if (!out->ops || !out->constants) return false;
  memcpy(out->ops, tape->ops, (size_t)tape->nop * sizeof *out->ops);
  if (tape->nconst) memcpy(out->constants, tape->constants, (size_t)tape->nconst * sizeof *out->constants);
  for (int32_t k = 0; k < m->ninput; k++) {
    out->constants[out->nconst] = count[k];
    for (int32_t i = 0; i < out->nop && k != keep; i++) {
      if (tape->ops[i].code == TAPE_SLOT && tape->ops[i].a == m->inputs[k].first_slot)
        out->ops[i] = (tape_op){.code = TAPE_CONST, .a = out->nconst};
    }
    out->nconst++;
  }
  return true;
}

static double part_value(lang_model *m, const eval_tape *tape, int32_t keep, const double *count, double *reg)
{
  eval_tape at;
  if (!part_alone(m, tape, keep, count, &at)) return 0;
  return network_tape(at.ops, at.nop, at.constants, NULL, reg);
}

/* Whether what several inputs move is a sum of what each moves alone, at the ends and in the middle of their ranges. */
static bool part_adds(lang_model *m, const eval_tape *tape, const int32_t *list, int32_t n, const double *still)
{
  double *const reg = arena_alloc(&m->memory, ((size_t)tape->nop + 1) * sizeof *reg);
  double *const count = arena_alloc(&m->memory, ((size_t)m->ninput + 1) * sizeof *count);
  int32_t points = 1;
  for (int32_t i = 0; i < n; i++) points *= 3;
  for (int32_t at = 0; reg && count && at < points && !m->memory.failed; at++) {
    double sum = 0;
    for (int32_t i = 0, rest = at; i < n; i++, rest /= 3) {
      const int32_t k = list[i];
      const double most = (double)m->slots[m->inputs[k].first_slot].max;
      memcpy(count, still, (size_t)m->ninput * sizeof *count);
      count[k] = 0.5 * (rest % 3) * most;
      sum += part_value(m, tape, -1, count, reg);
    }
    memcpy(count, still, (size_t)m->ninput * sizeof *count);
    for (int32_t i = 0, rest = at; i < n; i++, rest /= 3)
      count[list[i]] = 0.5 * (rest % 3) * (double)m->slots[m->inputs[list[i]].first_slot].max;
    const double all = part_value(m, tape, -1, count, reg);
    if (isfinite(sum) && !(fabs(all - sum) <= SWAY_SUM * (1 + fabs(all)))) return false;
  }
  return true;
}

static bool part_push(lang_model *m, const model_sway *sway, const eval_tape *tape, int32_t input)
{
  network_part part = {.input = m->inputs[input].first_slot,
                       .source = -1,
                       .nop = tape->nop,
                       .tape = tape->ops,
                       .constant = tape->constants};
  if (sway->kind == SWAY_CONCENTRATION || sway->kind == SWAY_STANDARD) part.source = sway->id;
  if (sway->kind == SWAY_POTENTIAL) part.source = (int32_t)m->nreservoir + m->compartments[sway->id].volt;
  int32_t *const slot = arena_alloc(&m->memory, ((size_t)m->nslot + 1) * sizeof *slot);
  double *const by = arena_alloc(&m->memory, ((size_t)m->nslot + 1) * sizeof *by);
  for (int32_t i = 0; slot && by && i < m->nslot; i++) {
    const double one = m->slots[i].variable ? 0 : sway_copy(m, sway, i);
    if (one == 0) continue;
    slot[part.nslot] = i;
    by[part.nslot++] = one;
  }
  part.slot = slot;
  part.by = by;
  if (!slot || !by || !model_grow(m, &m->parts, &m->part_capacity, m->npart + 1, sizeof *m->parts)) return false;
  m->parts[m->npart++] = part;
  return true;
}

static bool part_refuse(const lang_model *m, const model_sway *sway, const int32_t *list)
{
  const char *what = "", *whose = "";
  switch (sway->kind) {
  case SWAY_CONCENTRATION: what = "the concentration of", whose = m->reservoirs[sway->id].name; break;
  case SWAY_STANDARD: what = "the standard potential of", whose = m->reservoirs[sway->id].name; break;
  case SWAY_POTENTIAL: what = "the potential of", whose = m->compartments[sway->id].name; break;
  case SWAY_ION: what = "the standard potential of", whose = m->ions[sway->id].name; break;
  case SWAY_ENERGY: what = "the energy of", whose = m->slots[sway->id].name; break;
  }
  lang_error(m->diags, m->inputs[list[1]].place,
             "let it be a sum (of logarithms, for a concentration), or one input: `line` takes a table of points",
             "%s and %s move %s %s together: whose work is whose has no answer", m->inputs[list[0]].name,
             m->inputs[list[1]].name, what, whose);
  return false;
}

/* The parts of one energy or potential: one an input. */
static bool part_build(lang_model *m, const model_sway *sway, int32_t *list, double *still)
{
  eval_tape tape = {0}, alone;
  const eval self = {.m = m, .tape = &tape};
  const int32_t value = sway_register(&self, sway);
  if (value < 0 || sway_join(&self, TAPE_MUL, value, sway_number(&self, 1)) < 0) return false; /* the last operation */
  const int32_t n = part_inputs(m, &tape, list);
  for (int32_t k = 0; k < m->ninput; k++) {
    if (!part_still(m, &m->inputs[k], &still[k])) return false;
  }
  if (n > 1 && (n > SWAY_TOGETHER || !part_adds(m, &tape, list, n, still))) return part_refuse(m, sway, list);
  for (int32_t i = 0; i < n; i++) {
    if (!part_alone(m, &tape, list[i], still, &alone) || !part_push(m, sway, &alone, list[i])) return false;
  }
  return true;
}

bool sways_parts(lang_model *m)
{
  int32_t *const list = arena_alloc(&m->memory, ((size_t)m->ninput + 1) * sizeof *list);
  double *const still = arena_alloc(&m->memory, ((size_t)m->ninput + 1) * sizeof *still);
  bool fine = list && still;
  for (int64_t i = 0; i < m->nsway && fine; i++) fine = part_build(m, &m->sways[i], list, still);
  return fine;
}

static bool part_same(const network_part *a, const network_part *b, double most, double *reg)
{
  bool same = a->input == b->input && a->source == b->source && a->nslot == b->nslot;
  for (int32_t i = 0; same && i < a->nslot; i++) same = a->slot[i] == b->slot[i] && a->by[i] == b->by[i];
  for (int32_t i = 0; same && i <= SWAY_POINTS; i++) {
    const double x = network_part_value(a, most * i / SWAY_POINTS, reg);
    const double y = network_part_value(b, most * i / SWAY_POINTS, reg);
    same = !isfinite(x) || fabs(x - y) <= SWAY_SUM * (1 + fabs(x));
  }
  return same;
}

const char *sways_differ(lang_model *a, const lang_model *b)
{
  for (int64_t i = 0; i < a->npart; i++) {
    const model_slot *const input = &a->slots[a->parts[i].input];
    const int32_t other = i < b->npart ? b->parts[i].nop : 0, length = a->parts[i].nop;
    double *const reg = arena_alloc(&a->memory, ((size_t)(length > other ? length : other) + 1) * sizeof *reg);
    if (!reg || other == 0 || !part_same(&a->parts[i], &b->parts[i], (double)input->max, reg)) return input->name;
  }
  return NULL;
}
