/* One network in several forms of one law: with its steps in another order, its slots in another order, or every step
 * that goes both ways as two that go one. Forms know which slot and direction of theirs is which of the network's. */
#ifndef NESS_TESTS_SSA_FORMS_H
#define NESS_TESTS_SSA_FORMS_H

#include "ssa_oracle.h"

typedef enum form_kind {
  FORM_GIVEN = 0,
  FORM_STEPS = 1,   /* steps shuffled */
  FORM_SLOTS = 2,   /* slots shuffled */
  FORM_ONE_WAY = 4, /* every direction a step */
  FORM_ALL = 7
} form_kind;

typedef struct form {
  ness_network *net;
  int nslot, ndir;                       /* of the network that it is a form of */
  int slot[ORACLE_MAX], dir[ORACLE_MAX]; /* by slots and directions of that one; dir -1: it does not exist there */
} form;

/* 0 ... count-1, in another order when asked for. */
static inline void form_order(int *order, int count, bool shuffled, uint64_t mix)
{
  for (int i = 0; i < count; i++) order[i] = i;
  for (int i = count - 1; shuffled && i > 0; i--) {
    mix = mix * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const int other = (int)((mix >> 33) % (uint64_t)(i + 1)), kept = order[i];
    order[i] = order[other];
    order[other] = kept;
  }
}

static inline int form_change(const ness_network *net, int step, int slot)
{
  for (int i = net->change_start[step]; i < net->change_start[step + 1]; i++) {
    if (net->change_slot[i] == slot) return net->change_by[i];
  }
  return 0;
}

static inline int form_reactant(const ness_network *net, int dir, int slot)
{
  for (int i = net->react_start[dir]; i < net->react_start[dir + 1]; i++) {
    if (net->react_slot[i] == slot) return net->react_mult[i];
  }
  return 0;
}

/* What a direction takes, by slots of the form: its reactants; of a tape those of the way back less the change, or
 * what the change takes. */
static inline int form_taken(const form *self, const ness_network *net, int dir, int *taken)
{
  int count = 0;
  for (int slot = 0; slot < net->nslot; slot++) {
    const int by = form_change(net, dir / 2, slot) * (dir % 2 ? -1 : 1);
    const int copies = net->dir_law[dir] == LAW_MASS       ? form_reactant(net, dir, slot)
                       : net->dir_law[dir ^ 1] == LAW_MASS ? form_reactant(net, dir ^ 1, slot) - by
                       : by < 0                            ? -by
                                                           : 0;
    for (int k = 0; k < copies; k++) taken[count++] = self->slot[slot];
  }
  return count;
}

static inline void form_step(form *self, const ness_network *net, network_builder *b, int dir, bool both)
{
  int left[ORACLE_MAX], right[ORACLE_MAX];
  tape_op ops[2][ORACLE_MAX];
  char name[16];
  snprintf(name, sizeof name, "d%d", dir);
  builder_step step = {
      .name = name, .text = name, .left = left, .right = right, .constants = net->tape_const, .lnk = NAN};
  step.nleft = form_taken(self, net, dir, left);
  step.nright = form_taken(self, net, dir ^ 1, right);
  for (int way = 0; way <= (int)both; way++) {
    const int d = dir ^ way, start = net->tape_start[d];
    step.law[way] = net->dir_law[d];
    step.k[way] = net->dir_k[d];
    step.nop[way] = net->tape_start[d + 1] - start;
    step.tape[way] = ops[way];
    for (int i = 0; i < step.nop[way]; i++) {
      ops[way][i] = net->tape[start + i];
      if (ops[way][i].code == TAPE_SLOT) ops[way][i].a = self->slot[ops[way][i].a];
    }
  }
  const int id = builder_step_add(b, &step);
  self->dir[dir] = 2 * id;
  if (both) self->dir[dir ^ 1] = 2 * id + 1;
}

static inline form form_make(const ness_network *net, int kind)
{
  form self = {.nslot = net->nslot, .ndir = 2 * net->nstep};
  const bool one_way = kind & FORM_ONE_WAY;
  int from[ORACLE_MAX], steps[ORACLE_MAX];
  network_builder *const b = builder_create("form", 0);
  form_order(from, net->nslot, kind & FORM_SLOTS, 2);
  for (int i = 0; i < net->nslot; i++) {
    self.slot[from[i]] = i;
    builder_slot(b, network_text(net, net->slot_name[from[i]]), net->slot_start[from[i]], net->slot_max[from[i]], 0, 0,
                 -1, -1);
  }
  const int count = one_way ? self.ndir : net->nstep;
  form_order(steps, count, kind & FORM_STEPS, 1);
  for (int i = 0; i < self.ndir; i++) self.dir[i] = -1;
  for (int i = 0; i < count; i++) {
    const int dir = one_way ? steps[i] : 2 * steps[i];
    if (!one_way || net->dir_law[dir] != LAW_NONE) form_step(&self, net, b, dir, !one_way);
  }
  self.net = net_finish(b);
  return self;
}

#endif
