/* From a network to the numbers of small.h: leaves by kind, slots that move first, changes by slot, and tapes with
 * their bounds built in. Mass action that no kind holds becomes a tape too. Cost: some microseconds. */
#include "engine/model/tape.h"
#include "engine/ssa/rate.h"
#include "engine/ssa/small.h"

#include <math.h>
#include <string.h>

static const int64_t COUNT_MOST = INT64_C(1) << 51; /* counts are doubles here, and grow by one a step */

typedef enum leaf_class { LEAF_LINEAR, LEAF_QUAD, LEAF_THIRD, LEAF_TAPE, LEAF_CLASSES } leaf_class;

static leaf_class leaf_class_of(const ness_network *net, int32_t dir)
{
  const rate_law law = rate_compile(net, dir, 0);
  switch (law.quad.kind) {
  case RATE_QUAD: return law.quad.b != net->nslot ? LEAF_QUAD : LEAF_LINEAR;
  case RATE_CALL: return LEAF_TAPE;
  default: return LEAF_THIRD;
  }
}

/* --- tapes --- */

typedef struct tape_maker {
  const ness_network *net;
  small_net *out;
  const int32_t *place; /* of the network's slots here; NULL: only measured */
  int32_t begin, end;   /* in out->op */
  bool fits;
} tape_maker;

/* Appends an operation and returns its register. */
static int32_t tape_add(tape_maker *self, tape_code code, int32_t a, int32_t b, int32_t c, double value)
{
  const int32_t reg = self->end - self->begin;
  self->fits = self->fits && self->end < SMALL_OPS && reg < SMALL_REGISTERS;
  if (self->fits) {
    self->out->op[self->end] = (small_op){.value = value, .code = (int32_t)code, .a = a, .b = b, .c = c};
  }
  self->end += self->fits;
  return reg;
}

static int32_t tape_slot(tape_maker *self, int32_t slot)
{
  return tape_add(self, TAPE_SLOT, self->place ? self->place[slot] : slot, 0, 0, 0);
}

static int32_t tape_const(tape_maker *self, double value)
{
  return tape_add(self, TAPE_CONST, 0, 0, 0, value);
}

/* k n (n-1) ... */
static int32_t tape_mass(tape_maker *self, int32_t dir)
{
  const ness_network *const net = self->net;
  int32_t product = tape_const(self, net->dir_k[dir]);
  for (int32_t i = net->react_start[dir]; i < net->react_start[dir + 1]; i++) {
    for (int32_t m = 0; m < net->react_mult[i]; m++) {
      const int32_t count = tape_slot(self, net->react_slot[i]), less = tape_const(self, m);
      product = tape_add(self, TAPE_MUL, product, tape_add(self, TAPE_SUB, count, less, 0, 0), 0, 0);
    }
  }
  return product;
}

/* The expression of the file. */
static int32_t tape_copy(tape_maker *self, int32_t dir)
{
  const ness_network *const net = self->net;
  const tape_op *const tape = net->tape + net->tape_start[dir];
  const int32_t count = net->tape_start[dir + 1] - net->tape_start[dir];
  for (int32_t i = 0; i < count; i++) {
    const tape_op op = tape[i];
    const int32_t registers = tape_registers(op.code);
    double value = NAN;
    if (op.code == TAPE_CONST) {
      value = net->tape_const[op.a];
    } else if (op.code == TAPE_POW && tape[op.b].code == TAPE_CONST) {
      const double power = net->tape_const[tape[op.b].a];
      value = power == floor(power) && fabs(power) <= TAPE_POWER_MOST ? power : (double)NAN;
    }
    if (op.code == TAPE_SLOT) {
      tape_slot(self, op.a);
    } else {
      tape_add(self, (tape_code)op.code, registers > 0 ? op.a : 0, registers > 1 ? op.b : 0, registers > 2 ? op.c : 0,
               value);
    }
  }
  return count - 1;
}

/* 0 outside the bounds of the direction. */
static void tape_guard(tape_maker *self, int32_t dir, int32_t value)
{
  const ness_network *const net = self->net;
  for (int32_t g = net->guard_start[dir]; g < net->guard_start[dir + 1]; g++) {
    const int32_t count = tape_slot(self, net->guard_slot[g]), zero = tape_const(self, 0);
    const int32_t low = tape_const(self, (double)net->guard_low[g]);
    value = tape_add(self, TAPE_SELECT, tape_add(self, TAPE_LE, low, count, 0, 0), value, zero, 0);
    if (net->guard_high[g] < MODEL_NO_MAX) {
      const int32_t high = tape_const(self, (double)net->guard_high[g]);
      value = tape_add(self, TAPE_SELECT, tape_add(self, TAPE_LE, count, high, 0, 0), value, zero, 0);
    }
  }
}

/* The tape of a leaf at the end of those before; false when there is no room. */
static bool tape_make(const ness_network *net, int32_t dir, const int32_t *place, small_net *out, int32_t *end)
{
  tape_maker self = {net, out, place, *end, *end, true};
  const int32_t value = net->dir_law[dir] == LAW_TAPE ? tape_copy(&self, dir) : tape_mass(&self, dir);
  tape_guard(&self, dir, value);
  *end = self.end;
  return self.fits;
}

/* Tapes without the operations that find what stands somewhere already. */
static void tapes_place(small_net *out)
{
  int32_t kept = 0;
  for (int32_t leaf = out->thirds; leaf < out->leaves; leaf++) {
    const int32_t begin = out->op_start[leaf], end = out->op_start[leaf + 1];
    int32_t where[SMALL_REGISTERS] = {0};
    out->op_start[leaf] = kept;
    for (int32_t i = begin; i < end; i++) {
      small_op op = out->op[i];
      int32_t *const to = &where[i - begin];
      *to = op.code == TAPE_SLOT ? op.a : SMALL_NUMBERS + i;
      if (op.code == TAPE_CONST) {
        out->number[i] = op.value;
      } else if (op.code != TAPE_SLOT) {
        op.a = where[op.a];
        op.b = where[op.b];
        op.c = where[op.c];
        op.to = *to;
        out->op[kept++] = op;
      }
    }
    out->out[leaf] = where[end - begin - 1];
  }
  out->op_start[out->leaves] = kept;
}

/* --- the network --- */

bool small_fits(const ness_network *net)
{
  int32_t leaves = 0, changes = 0, ops = 0;
  if (net->nslot >= SMALL_SLOTS || net->nstep > SMALL_LEAVES) {
    return false;
  }
  small_net measured;
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    const int32_t own = net->change_start[dir / 2 + 1] - net->change_start[dir / 2];
    if (!rate_open(net, dir)) {
      continue;
    }
    changes += own;
    if (++leaves > SMALL_LEAVES || own > SMALL_STEP_CHANGES || changes > SMALL_CHANGES ||
        (leaf_class_of(net, dir) == LEAF_TAPE && !tape_make(net, dir, NULL, &measured, &ops))) {
      return false;
    }
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    if (net->slot_start[i] > COUNT_MOST) {
      return false;
    }
  }
  return true;
}

/* `place`: of the network's slots here, and of the constant 1. */
static small_rate rate_small(const rate_law *law, const int32_t *place, int32_t one)
{
  small_rate rate = {.k = law->quad.k, .a = place[law->quad.a], .b = place[law->quad.b], .c = one, .d = one};
  rate.shift_b = law->quad.shift_b;
  rate.high = INFINITY;
  if (law->quad.kind == RATE_CUBE) {
    rate.c = place[law->c];
    rate.shift_c = law->shift_c;
  } else if (law->quad.kind == RATE_GATED) {
    rate.d = place[law->c];
    rate.low = (double)law->low;
    rate.high = law->high == MODEL_NO_MAX ? INFINITY : (double)law->high;
  }
  return rate;
}

/* The changes of the slots that move, each by leaf, in the order of leaves; those that do not come after them. */
static void changes_compile(const ness_network *net, small_net *out)
{
  int32_t end = 0, still = 0, rest[SMALL_SLOTS];
  for (int32_t slot = 0; slot < net->nslot; slot++) {
    out->start[out->moving] = end;
    for (int32_t leaf = 0; leaf < out->leaves; leaf++) {
      const int32_t dir = out->dir[leaf], step = dir / 2;
      for (int32_t i = net->change_start[step]; i < net->change_start[step + 1]; i++) {
        if (net->change_slot[i] == slot) {
          out->change[end++] = (small_change){dir % 2 ? -net->change_by[i] : net->change_by[i], leaf};
        }
      }
    }
    if (end > out->start[out->moving]) {
      out->slot[out->moving++] = slot;
    } else {
      rest[still++] = slot;
    }
  }
  out->start[out->moving] = end;
  memcpy(out->slot + out->moving, rest, (size_t)still * sizeof *rest);
}

static void leaves_compile(const ness_network *net, small_net *out)
{
  int32_t *const ends[LEAF_CLASSES] = {&out->linear, &out->quads, &out->thirds, &out->leaves}, leaf = 0;
  for (int32_t kind = 0; kind < LEAF_CLASSES; kind++) {
    for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
      if (rate_open(net, dir) && (int32_t)leaf_class_of(net, dir) == kind) {
        out->count[leaf] = dir / 2 + (dir % 2 ? net->nstep : 0);
        out->dir[leaf++] = dir;
      }
    }
    *ends[kind] = leaf;
  }
  out->padded = (out->leaves + SMALL_GROUP - 1) / SMALL_GROUP * SMALL_GROUP;
  out->padded += out->padded ? 0 : SMALL_GROUP;
}

/* Ways back of steps with a tape, for the entropy of their events. */
static void reverse_compile(const ness_network *net, small_net *out)
{
  for (int32_t leaf = 0; leaf < out->leaves; leaf++) {
    const int32_t dir = out->dir[leaf], back = dir ^ 1;
    out->reverse[leaf] = -1;
    if (net->dir_law[dir] != LAW_TAPE && net->dir_law[back] != LAW_TAPE) {
      continue;
    }
    for (int32_t i = 0; i < out->leaves; i++) {
      if (out->dir[i] == back) {
        out->reverse[leaf] = i;
        out->entropy = true;
      }
    }
    if (leaf < out->thirds && out->reverse[leaf] >= 0) out->mix[out->mixed++] = leaf;
  }
}

void small_compile(const ness_network *net, small_net *out)
{
  int32_t place[SMALL_SLOTS], ops = 0;
  memset(out, 0, sizeof *out);
  out->slots = net->nslot;
  leaves_compile(net, out);
  changes_compile(net, out);
  reverse_compile(net, out);
  for (int32_t i = 0; i < net->nslot; i++) place[out->slot[i]] = i;
  place[net->nslot] = net->nslot;
  for (int32_t leaf = 0; leaf < out->leaves; leaf++) {
    const rate_law law = rate_compile(net, out->dir[leaf], leaf);
    out->op_start[leaf] = ops;
    if (leaf < out->thirds) {
      out->rate[leaf] = rate_small(&law, place, net->nslot);
    } else {
      tape_make(net, out->dir[leaf], place, out, &ops);
    }
  }
  out->op_start[out->leaves] = ops;
  tapes_place(out);
}
