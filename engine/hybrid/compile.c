/* From a network to what is run: which slots are real, and every direction as constant * factors * core. Factors are
 * peeled off the end of a tape, where the language puts the copies that a step takes; constants are folded; cores that
 * are the same are one. Invariant: the product is the network's rate wherever that is one, but for real slots below
 * what a falling factorial needs, where it is 0. Cost: linear in the network times the cores that differ. */
#include "engine/hybrid/parts.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define SCALE_SHARE 1e-3 /* of a variable's range: errors are relative to no less */
#define BLOCK_BITS 4
#define STRIDE_SHARE 0.0625 /* of the shortest period of an input: no step may pass over one */

/* A direction that is being taken apart. */
typedef struct peel {
  hybrid_net *net;
  const tape_op *tape;
  int32_t out;
  bool flows, drift;
  int32_t nfactor, factor_max;
  hybrid_factor *factor;
} peel;

typedef struct compiler {
  hybrid_net *net;
  int32_t nfactor, nguard, nop, nload;
  int32_t *map;      /* (tape_max) register of each operation, or -1 */
  bool *live;        /* (tape_max) */
  double *value;     /* (tape_max) of constants; NaN: none */
  hybrid_load *line; /* (tape_max) what is linear in one slot; slot -1: none */
  hybrid_factor *factor;
} compiler;

/* --- slots --- */

static void net_real(hybrid_net *self, int32_t slot)
{
  const ness_network *const net = self->net;
  const bool capped = net->slot_max[slot] != MODEL_NO_MAX;
  const double range = capped ? (double)net->slot_max[slot] : (double)INFINITY;
  self->real_of[slot] = self->nreal;
  self->real[self->nreal] = slot;
  self->scale[self->nreal] = net->slot_var[slot] >= 0 && capped ? SCALE_SHARE * range : 1;
  self->most[self->nreal++] = range;
}

static void net_slots(hybrid_net *self)
{
  const ness_network *net = self->net;
  for (int32_t i = 0; i < net->nslot; i++) self->real_of[i] = -1;
  for (int32_t s = 0; s < net->nstep; s++) {
    for (int32_t c = net->change_start[s]; hybrid_flows(self, s) && c < net->change_start[s + 1]; c++) {
      self->real_of[net->change_slot[c]] = 0;
    }
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    if (self->real_of[i] >= 0) net_real(self, i);
  }
  self->nstate = self->nreal;
  self->stride = (double)INFINITY;
  self->span = STRIDE_SHARE * self->time;
  for (int32_t k = 0; k < self->ninput; k++) {
    const path_spec *const path = &self->input[k].path;
    net_real(self, self->input[k].slot);
    const double points = path->points > 1 ? path->time[path->points - 1] - path->time[0] : (double)INFINITY;
    const double course = path->kind == PATH_SINE ? 1 / path->frequency : path->period > 0 ? path->period : points;
    self->drawn = self->drawn || path_random(path);
    if (path->kind == PATH_SINE) self->stride = fmin(self->stride, STRIDE_SHARE / path->frequency);
    self->span = fmin(self->span, STRIDE_SHARE * course);
  }
}

/* --- peeling --- */

static bool is_const(const peel *self, int32_t reg, double *value)
{
  const tape_op *const op = &self->tape[reg];
  if (op->code == TAPE_CONST) *value = self->net->net->tape_const[op->a];
  return op->code == TAPE_CONST;
}

/* Whether a register is SLOT or SLOT - whole number. */
static bool is_factor(const peel *self, int32_t reg, hybrid_factor *out)
{
  const tape_op *const op = &self->tape[reg];
  *out = (hybrid_factor){op->a, 0};
  if (op->code == TAPE_SLOT) return true;
  if (op->code != TAPE_SUB || self->tape[op->a].code != TAPE_SLOT || !is_const(self, op->b, &out->shift)) return false;
  out->slot = self->tape[op->a].a;
  return out->shift >= 0 && out->shift == floor(out->shift);
}

/* Of real slots only whole falling factorials come off: what is clipped at 0 must be no rate that means to be negative.
 */
static bool may_peel(const peel *self, int32_t rest, hybrid_factor factor)
{
  hybrid_factor next;
  if (self->net->real_of[factor.slot] < 0) return true;
  if (!self->flows || self->drift || self->net->net->slot_var[factor.slot] >= 0) return false;
  for (double shift = factor.shift; shift > 0; shift--) {
    const tape_op *const op = &self->tape[rest];
    if (op->code != TAPE_MUL || !is_factor(self, op->b, &next) || next.slot != factor.slot || next.shift != shift - 1) {
      return false;
    }
    rest = op->a;
  }
  return true;
}

static bool peel_one(peel *self, int32_t reg, int32_t rest, double *constant)
{
  double value;
  hybrid_factor factor;
  if (is_const(self, reg, &value) && value >= 0) {
    *constant *= value;
  } else if (is_factor(self, reg, &factor) && may_peel(self, rest, factor) && self->nfactor < self->factor_max) {
    self->factor[self->nfactor++] = factor;
  } else {
    return false;
  }
  self->out = rest;
  return true;
}

static void peel_tape(peel *self, double *constant)
{
  for (;;) {
    const tape_op *const op = &self->tape[self->out];
    if (op->code != TAPE_MUL) return;
    if (!peel_one(self, op->b, op->a, constant) && !peel_one(self, op->a, op->b, constant)) return;
  }
}

/* --- cores --- */

static bool loads_same(const hybrid_load *a, const hybrid_load *b, int32_t count)
{
  bool same = true;
  for (int32_t i = 0; i < count; i++) {
    same = same && a[i].slot == b[i].slot && a[i].base == b[i].base && a[i].by == b[i].by;
  }
  return same;
}

static bool core_same(const hybrid_net *self, const hybrid_core *a, const hybrid_core *b)
{
  return a->nconst == b->nconst && a->nload == b->nload && a->nop == b->nop && a->out == b->out &&
         memcmp(self->start + a->reg, self->start + b->reg, (size_t)a->nconst * sizeof *self->start) == 0 &&
         loads_same(self->load + a->load, self->load + b->load, a->nload) &&
         memcmp(self->op + a->op, self->op + b->op, (size_t)a->nop * sizeof *self->op) == 0;
}

/* Keeps the core that was just written, or finds the one that it equals. */
static int32_t core_keep(compiler *self, hybrid_core core)
{
  hybrid_net *const net = self->net;
  for (int32_t i = 0; i < core.nload; i++) {
    const bool real = net->real_of[net->load[core.load + i].slot] >= 0;
    core.real = core.real || real;
    core.whole = core.whole || !real;
  }
  for (int32_t k = 0; k < net->ncore; k++) {
    if (core_same(net, &net->core[k], &core)) return k;
  }
  core.line = core.nop == 0;
  core.only = net->load[core.load];
  self->nop += core.nop;
  self->nload += core.nload;
  net->nreg += core.nconst + core.nload + core.nop;
  net->core[net->ncore] = core;
  return net->ncore++;
}

static hybrid_core core_begin(const compiler *self)
{
  return (hybrid_core){.reg = self->net->nreg, .load = self->nload, .op = self->nop};
}

/* Sums, differences and multiples of what is linear in one real slot. Of a whole slot its number alone counts: rounding
 * must not move what is compared or cut to whole numbers. */
static hybrid_load line_of(const compiler *self, const tape_op *op)
{
  const hybrid_load none = {-1, 0, 0};
  if (op->code == TAPE_SLOT) return (hybrid_load){op->a, 0, 1};
  const int32_t registers = tape_registers(op->code);
  if (registers == 0 || registers > 2) return none;
  const double a = self->value[op->a], b = registers > 1 ? self->value[op->b] : 0;
  hybrid_load x = isnan(a) ? self->line[op->a] : (hybrid_load){-1, a, 0};
  hybrid_load y = registers < 2 || !isnan(b) ? (hybrid_load){-1, b, 0} : self->line[op->b];
  const int32_t slot = x.slot >= 0 ? x.slot : y.slot;
  if ((isnan(a) && x.slot < 0) || (isnan(b) && y.slot < 0) || slot < 0 || self->net->real_of[slot] < 0 ||
      (x.slot >= 0 && y.slot >= 0 && x.slot != y.slot)) {
    return none;
  }
  switch ((tape_code)op->code) {
  case TAPE_ADD: return (hybrid_load){slot, x.base + y.base, x.by + y.by};
  case TAPE_SUB: return (hybrid_load){slot, x.base - y.base, x.by - y.by};
  case TAPE_NEG: return (hybrid_load){slot, -x.base, -x.by};
  case TAPE_MUL:
    return x.by != 0 && y.by != 0 ? none : (hybrid_load){slot, x.base * y.base, x.by * y.base + y.by * x.base};
  case TAPE_DIV: return y.slot >= 0 || y.base == 0 ? none : (hybrid_load){slot, x.base / y.base, x.by / y.base};
  default: return none;
  }
}

/* Which operations the result needs, and which of these are constants or loads. */
static void tape_look(compiler *self, const tape_op *tape, int32_t out)
{
  for (int32_t i = 0; i <= out; i++) {
    const int32_t registers = tape_registers(tape[i].code);
    const double a = registers > 0 ? self->value[tape[i].a] : (double)NAN;
    const double b = registers > 1 ? self->value[tape[i].b] : 0, c = registers > 2 ? self->value[tape[i].c] : 0;
    self->live[i] = i == out;
    self->value[i] = tape[i].code == TAPE_CONST         ? self->net->net->tape_const[tape[i].a]
                     : isnan(a) || isnan(b) || isnan(c) ? (double)NAN
                                                        : tape_apply((tape_code)tape[i].code, a, b, c);
    self->line[i] = isnan(self->value[i]) ? line_of(self, &tape[i]) : (hybrid_load){-1, 0, 0};
  }
  for (int32_t i = out; i >= 0; i--) {
    const int32_t registers = tape_registers(tape[i].code);
    if (!self->live[i] || !isnan(self->value[i]) || self->line[i].slot >= 0) continue;
    if (registers > 0) self->live[tape[i].a] = true;
    if (registers > 1) self->live[tape[i].b] = true;
    if (registers > 2) self->live[tape[i].c] = true;
  }
}

static int32_t core_load(compiler *self, hybrid_core *core, hybrid_load what)
{
  hybrid_load *const load = self->net->load + core->load;
  for (int32_t i = 0; i < core->nload; i++) {
    if (loads_same(&load[i], &what, 1)) return core->nconst + i;
  }
  load[core->nload] = what;
  return core->nconst + core->nload++;
}

/* The core of a tape up to operation `out`; a constant one goes into `constant` and is -1. */
static int32_t core_tape(compiler *self, const tape_op *tape, int32_t out, double *constant)
{
  hybrid_net *const net = self->net;
  hybrid_core core = core_begin(self);
  tape_look(self, tape, out);
  if (!isnan(self->value[out])) {
    *constant *= self->value[out];
    return -1;
  }
  for (int32_t i = 0; i <= out; i++) {
    if (self->live[i] && !isnan(self->value[i])) {
      net->start[core.reg + core.nconst] = self->value[i];
      self->map[i] = core.nconst++;
    }
  }
  for (int32_t i = 0; i <= out; i++) {
    if (self->live[i] && self->line[i].slot >= 0) self->map[i] = core_load(self, &core, self->line[i]);
  }
  for (int32_t i = 0; i <= out; i++) {
    const int32_t registers = tape_registers(tape[i].code);
    if (!self->live[i] || !isnan(self->value[i]) || self->line[i].slot >= 0) continue;
    net->op[core.op + core.nop] =
        (hybrid_op){tape[i].code, self->map[tape[i].a], registers > 1 ? self->map[tape[i].b] : 0,
                    registers > 2 ? self->map[tape[i].c] : 0};
    self->map[i] = core.nconst + core.nload + core.nop++;
  }
  core.out = self->map[out];
  return core_keep(self, core);
}

/* Mass action of real slots as a core: x^m each. */
static int32_t core_mass(compiler *self, int32_t dir)
{
  hybrid_net *const net = self->net;
  const ness_network *const of = net->net;
  hybrid_core core = core_begin(self);
  for (int32_t r = of->react_start[dir]; r < of->react_start[dir + 1]; r++) {
    if (net->real_of[of->react_slot[r]] >= 0) core_load(self, &core, (hybrid_load){of->react_slot[r], 0, 1});
  }
  if (core.nload == 0) return -1;
  int32_t last = -1;
  for (int32_t r = of->react_start[dir]; r < of->react_start[dir + 1]; r++) {
    if (net->real_of[of->react_slot[r]] < 0) continue;
    const int32_t at = core_load(self, &core, (hybrid_load){of->react_slot[r], 0, 1});
    for (int32_t m = 0; m < of->react_mult[r]; m++) {
      if (last >= 0) net->op[core.op + core.nop] = (hybrid_op){TAPE_MUL, last, at, 0};
      last = last < 0 ? at : core.nload + core.nop++;
    }
  }
  core.out = last;
  return core_keep(self, core);
}

/* --- directions --- */

static void dir_mass(compiler *self, peel *at, hybrid_dir *out)
{
  const ness_network *const net = self->net->net;
  out->constant = net->dir_k[out->dir];
  for (int32_t r = net->react_start[out->dir]; r < net->react_start[out->dir + 1]; r++) {
    const bool real = self->net->real_of[net->react_slot[r]] >= 0;
    for (int32_t m = 0; m < net->react_mult[r] && (!real || at->flows); m++) {
      at->factor[at->nfactor++] = (hybrid_factor){net->react_slot[r], real ? 0 : m};
    }
  }
  if (!at->flows) out->core = core_mass(self, out->dir);
}

static void dir_factors(compiler *self, const peel *at, hybrid_dir *out)
{
  hybrid_net *const net = self->net;
  out->factor = self->nfactor;
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t i = 0; i < at->nfactor; i++) {
      if ((net->real_of[at->factor[i].slot] >= 0) == pass) net->factor[self->nfactor++] = at->factor[i];
    }
    if (!pass) out->real_factor = self->nfactor;
  }
  out->factor_end = self->nfactor;
}

/* Steps that fire keep every slot that they change within its range. */
static void dir_guards(compiler *self, hybrid_dir *out)
{
  hybrid_net *const net = self->net;
  const ness_network *const of = net->net;
  const int32_t dir = out->dir, step = dir / 2;
  out->guard = self->nguard;
  for (int32_t g = of->guard_start[dir]; g < of->guard_start[dir + 1]; g++) {
    const int32_t slot = of->guard_slot[g];
    const bool empties = of->guard_high[g] == INT64_MAX && hybrid_falling(net, out, slot) >= of->guard_low[g];
    if (net->real_of[slot] >= 0 || empties) continue; /* of the latter the factors make the rate 0 */
    net->guard[self->nguard++] = (hybrid_guard){of->guard_slot[g], (double)of->guard_low[g], (double)of->guard_high[g]};
  }
  out->real_guard = self->nguard;
  for (int32_t c = of->change_start[step]; c < of->change_start[step + 1]; c++) {
    const int32_t slot = of->change_slot[c], r = net->real_of[slot];
    const double by = dir % 2 ? -of->change_by[c] : of->change_by[c];
    if (r >= 0) net->guard[self->nguard++] = (hybrid_guard){slot, -by, net->most[r] - by};
  }
  out->guard_end = self->nguard;
}

static void net_direction(compiler *self, int32_t dir)
{
  hybrid_net *const net = self->net;
  const ness_network *const of = net->net;
  const bool flows = hybrid_flows(net, dir / 2);
  const bool drift = of->step_flow[dir / 2] == FLOW_DRIFT;
  hybrid_dir out = {.dir = dir, .core = -1, .constant = 1, .least = drift ? -DBL_MAX : 0};
  peel at = {.net = net,
             .tape = of->tape + of->tape_start[dir],
             .out = of->tape_start[dir + 1] - of->tape_start[dir] - 1,
             .flows = flows,
             .drift = drift,
             .factor = self->factor,
             .factor_max = of->tape_max};
  if (of->dir_law[dir] == LAW_TAPE) {
    peel_tape(&at, &out.constant);
    out.core = core_tape(self, at.tape, at.out, &out.constant);
  } else {
    dir_mass(self, &at, &out);
  }
  dir_factors(self, &at, &out);
  out.guard = out.real_guard = out.guard_end = self->nguard;
  if (!flows) dir_guards(self, &out);
  out.lone = out.guard == out.real_guard && out.real_factor == out.factor + 1;
  net->place[dir] = flows ? net->nflow : net->nfire;
  if (flows) net->flow[net->nflow++] = out;
  else net->fire[net->nfire++] = out;
}

static void net_condition(compiler *self, int32_t e)
{
  hybrid_net *const net = self->net;
  const ness_network *const of = net->net;
  const int32_t row = e + of->set_start[e], start = of->rule_start[row];
  double constant = 1;
  net->when_core[e] = -1;
  if (!isnan(of->event_at[e])) return;
  net->whens = true;
  net->when_core[e] = core_tape(self, of->rule + start, of->rule_start[row + 1] - start - 1, &constant);
}

static bool dir_open(const ness_network *net, int32_t dir)
{
  return net->dir_law[dir] == LAW_TAPE || (net->dir_law[dir] == LAW_MASS && net->dir_k[dir] != 0);
}

/* --- all --- */

#define ROOM(what, count) (self->what = arena_alloc(&self->memory, ((size_t)(count) + 1) * sizeof *self->what))

static void net_room(hybrid_net *self)
{
  const ness_network *const net = self->net;
  const int32_t dirs = 2 * net->nstep, reacts = net->nreact;
  int64_t mults = 0;
  for (int32_t r = 0; r < reacts; r++) mults += net->react_mult[r];
  const int64_t ops = net->nop + net->nrule + mults, changes = 2 * (int64_t)net->nchange;
  ROOM(real, net->nslot);
  ROOM(real_of, net->nslot);
  ROOM(scale, net->nslot);
  ROOM(most, net->nslot);
  ROOM(fire, dirs);
  ROOM(flow, dirs);
  ROOM(place, dirs);
  ROOM(core, dirs + net->nevent);
  ROOM(op, ops + net->tape_max);
  ROOM(load, ops + net->tape_max + reacts);
  ROOM(start, 2 * (ops + net->tape_max) + reacts);
  ROOM(factor, ops);
  ROOM(guard, net->nguard + changes);
  ROOM(slope_real, 2 * ops + net->tape_max + reacts);
  ROOM(fcore, dirs);
  ROOM(bcore, dirs);
  ROOM(watch, net->nslot);
  ROOM(change, changes);
  ROOM(book, net->nstep);
  ROOM(pure, net->nstep);
  ROOM(forced, net->nstep);
  ROOM(pull, net->nchange);
  ROOM(charged, net->nstep);
  ROOM(share_start, net->nstep);
  ROOM(part_input, self->npart);
  ROOM(paid, net->nstep);
  ROOM(loose, dirs);
  ROOM(when_core, net->nevent);
  ROOM(when_local, net->nevent);
  ROOM(force_alone, net->nstep);
}

ness_status hybrid_net_init(hybrid_net *self, const ness_network *net, const hybrid_options *options)
{
  *self = (hybrid_net){.net = net,
                       .mode = options->mode,
                       .rtol = options->rtol,
                       .time = options->time,
                       .ninput = options->ninput,
                       .input = options->input,
                       .npart = options->npart,
                       .part = options->part};
  net_room(self);
  compiler work = {.net = self};
  const size_t tape = (size_t)net->tape_max + (size_t)net->nrule + 1; /* conditions are tapes too */
  int64_t mults = 0;
  for (int32_t r = 0; r < net->nreact; r++) mults += net->react_mult[r];
  work.map = arena_alloc(&self->memory, tape * sizeof *work.map);
  work.live = arena_alloc(&self->memory, tape * sizeof *work.live);
  work.value = arena_alloc(&self->memory, tape * sizeof *work.value);
  work.line = arena_alloc(&self->memory, tape * sizeof *work.line);
  work.factor = arena_alloc(&self->memory, (tape + (size_t)mults) * sizeof *work.factor);
  if (self->memory.failed) return NESS_NOMEM;
  net_slots(self);
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    self->place[dir] = -1;
    if (dir_open(net, dir)) net_direction(&work, dir);
  }
  for (int32_t e = 0; e < net->nevent; e++) net_condition(&work, e);
  hybrid_relate(self);
  local_relate(self);
  self->block_bits = BLOCK_BITS;
  while (((int64_t)HYBRID_BLOCKS << self->block_bits) < self->nfire) self->block_bits++;
  self->block = 1 << self->block_bits;
  return self->memory.failed ? NESS_NOMEM : NESS_OK;
}

void hybrid_net_free(hybrid_net *self)
{
  arena_free(&self->memory);
  memset(self, 0, sizeof *self);
}
