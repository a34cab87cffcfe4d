/* Splits a network into parts that share no slot: a union-find over the slots that a step changes, takes, reads in a
 * tape or is guarded by. Parts are statistically independent, so each is solved by itself. Steps that touch no slot at
 * all run at constant rates; they form one part without slots and with a single state. A part in which every step moves
 * one copy by mass action is N independent copies of one (the multinomial law of monomolecular networks: Gadgil, Lee,
 * Othmer 2005), and has as many states as slots. Where reservoirs make and remove copies one by one as well, the counts
 * become independent Poisson numbers, whose means are those of one copy in exchange with a place outside, scaled so
 * that the place holds one (Jahnke and Huisinga 2007). Cost: linear in the network. */
#include "engine/cme/space.h"
#include <stdio.h>

static int32_t root_of(int32_t *parent, int32_t slot)
{
  while (parent[slot] != slot) slot = parent[slot] = parent[parent[slot]];
  return slot;
}

/* Joins `slot` with what the step has touched so far; *first is -1 before the first. */
static void join(int32_t *parent, int32_t *first, int32_t slot)
{
  if (*first < 0) *first = slot;
  const int32_t a = root_of(parent, *first), b = root_of(parent, slot);
  parent[a > b ? a : b] = a > b ? b : a;
}

/* The lowest slot that a step touches, -1 none; joins all of them. */
static int32_t step_join(const ness_network *net, int32_t step, int32_t *parent)
{
  int32_t first = -1;
  for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++) {
    join(parent, &first, net->change_slot[k]);
  }
  for (int32_t dir = 2 * step; dir < 2 * step + 2; dir++) {
    for (int32_t k = net->react_start[dir]; k < net->react_start[dir + 1]; k++) {
      join(parent, &first, net->react_slot[k]);
    }
    for (int32_t k = net->guard_start[dir]; k < net->guard_start[dir + 1]; k++) {
      join(parent, &first, net->guard_slot[k]);
    }
    for (int32_t k = net->tape_start[dir]; k < net->tape_start[dir + 1]; k++) {
      if (net->tape[k].code == TAPE_SLOT) join(parent, &first, net->tape[k].a);
    }
  }
  return first;
}

double cme_dir_scale(const ness_network *net, const cme_part *part, int32_t dir)
{
  return part->driven && net->step_proc[dir / 2] >= 0 ? 1 : part->scale;
}

double cme_slot_scale(const ness_network *net, const cme_part *part, int32_t slot)
{
  return part->driven && network_is_level(net, slot) ? 1 : part->scale;
}

/* Whether a direction exists not at all or takes exactly one copy of `slot` by mass action, at any levels. */
static bool takes_one(const ness_network *net, int32_t dir, int32_t slot)
{
  if (net->dir_law[dir] == LAW_NONE) return true;
  if (net->dir_law[dir] != LAW_MASS) return false;
  int32_t taken = 0;
  for (int32_t k = net->react_start[dir]; k < net->react_start[dir + 1]; k++) {
    if (net->react_mult[k] != 1) return false;
    if (net->react_slot[k] != slot && !network_is_level(net, net->react_slot[k])) return false;
    taken += net->react_slot[k] == slot;
  }
  return taken == 1;
}

static bool step_moves_one(const ness_network *net, int32_t step)
{
  const int32_t k = net->change_start[step], count = net->change_start[step + 1] - k;
  if (count == 0) { /* a channel that passes particles between reservoirs */
    const int32_t dir = net->dir_law[2 * step] == LAW_NONE ? 2 * step + 1 : 2 * step;
    int32_t first = net->react_start[dir];
    while (first < net->react_start[dir + 1] && network_is_level(net, net->react_slot[first])) first++;
    if (first == net->react_start[dir + 1]) return false;
    const int32_t slot = net->react_slot[first];
    return takes_one(net, 2 * step, slot) && takes_one(net, 2 * step + 1, slot);
  }
  if (count != 2 || net->change_by[k] + net->change_by[k + 1] != 0) return false;
  if (net->change_by[k] != 1 && net->change_by[k] != -1) return false;
  const int32_t from = net->change_slot[net->change_by[k] < 0 ? k : k + 1];
  const int32_t to = net->change_slot[net->change_by[k] < 0 ? k + 1 : k];
  return takes_one(net, 2 * step, from) && takes_one(net, 2 * step + 1, to);
}

/* A step that was switched off. */
static bool step_off(const ness_network *net, int32_t step)
{
  return net->dir_law[2 * step] == LAW_NONE && net->dir_law[2 * step + 1] == LAW_NONE;
}

/* A step by which a reservoir makes one copy in a slot, or takes one from it. */
static bool step_exchanges_one(const ness_network *net, int32_t step)
{
  const int32_t k = net->change_start[step];
  if (net->change_start[step + 1] != k + 1 || (net->change_by[k] != 1 && net->change_by[k] != -1)) return false;
  const int32_t makes = 2 * step + (net->change_by[k] < 0), takes = makes ^ 1;
  return net->dir_law[makes] != LAW_TAPE && net->react_start[makes] == net->react_start[makes + 1] &&
         takes_one(net, takes, net->change_slot[k]);
}

/* Whether the copies of a part are independent and reservoirs make and remove them. */
static bool part_open(const ness_network *net, const cme_part *part)
{
  bool exchanged = false;
  for (int32_t i = 0; i < part->nslot; i++) {
    if (net->slot_max[part->slot[i]] != MODEL_NO_MAX) return false;
  }
  for (int32_t i = 0; i < part->nstep; i++) {
    if (step_off(net, part->step[i])) continue;
    const bool exchanges = step_exchanges_one(net, part->step[i]);
    if (!exchanges && !step_moves_one(net, part->step[i])) return false;
    exchanged = exchanged || exchanges;
  }
  return exchanged;
}

/* The number of copies in a part that are independent, given the levels of processes where there are some; -1 when it
 * must be enumerated. A cap that cannot be reached binds nobody. */
static int64_t part_copies(const ness_network *net, const cme_part *part)
{
  int64_t copies = 0;
  for (int32_t i = 0; i < part->nslot; i++) {
    const int64_t count = network_is_level(net, part->slot[i]) ? 0 : net->slot_start[part->slot[i]];
    if (count > INT64_MAX - copies) return -1;
    copies += count;
  }
  for (int32_t i = 0; i < part->nslot; i++) {
    if (net->slot_max[part->slot[i]] < copies) return -1;
  }
  for (int32_t i = 0; i < part->nstep; i++) {
    if (net->step_proc[part->step[i]] >= 0 || step_off(net, part->step[i])) continue;
    if (!step_moves_one(net, part->step[i])) return -1;
  }
  return copies > 0 && part->nslot > 1 ? copies : -1;
}

ness_status parts_split(const ness_network *net, cme_solution *out)
{
  const size_t nslot = (size_t)net->nslot, nstep = (size_t)net->nstep;
  ness_status status = NESS_NOMEM;
  int32_t *const parent = mem_zero(nslot + 1, sizeof *parent);
  int32_t *const part_of = mem_zero(nslot + 1, sizeof *part_of);
  int32_t *const touched = mem_zero(nstep + 1, sizeof *touched);
  if (!parent || !part_of || !touched) goto out;
  for (int32_t i = 0; i < net->nslot; i++) parent[i] = i;
  bool free_steps = false;
  for (int32_t s = 0; s < net->nstep; s++) {
    touched[s] = step_join(net, s, parent);
    free_steps = free_steps || touched[s] < 0;
  }
  for (int32_t i = 0; i < net->nslot; i++) { /* a root is the lowest slot of its part */
    const int32_t root = root_of(parent, i);
    part_of[i] = root == i ? out->nparts++ : part_of[root];
  }
  const int32_t last = out->nparts;
  out->nparts += free_steps;
  out->parts = mem_zero((size_t)out->nparts + 1, sizeof *out->parts);
  if (!out->parts) goto out;

  for (int32_t i = 0; i < net->nslot; i++) out->parts[part_of[i]].nslot++;
  for (int32_t s = 0; s < net->nstep; s++) {
    touched[s] = touched[s] < 0 ? last : part_of[touched[s]];
    out->parts[touched[s]].nstep++;
  }
  for (int32_t p = 0; p < out->nparts; p++) {
    cme_part *const part = &out->parts[p];
    part->slot = mem_zero((size_t)part->nslot + 1, sizeof *part->slot);
    part->step = mem_zero((size_t)part->nstep + 1, sizeof *part->step);
    if (!part->slot || !part->step) goto out;
    part->nslot = part->nstep = 0;
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    cme_part *const part = &out->parts[part_of[i]];
    part->slot[part->nslot++] = i;
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    cme_part *const part = &out->parts[touched[s]];
    part->step[part->nstep++] = s;
  }
  for (int32_t p = 0; p < out->nparts; p++) {
    cme_part *const part = &out->parts[p];
    bool levels = false;
    for (int32_t i = 0; i < part->nstep; i++) levels = levels || net->step_proc[part->step[i]] >= 0;
    part->copies = !levels && part_open(net, part) ? 0 : part_copies(net, part);
    part->driven = levels && part->copies > 1;
    part->kind = part->copies == 0 ? CME_OPEN : part->copies > 0 && !levels ? CME_COPIES : CME_COUNTS;
    if (part->kind == CME_COUNTS && !part->driven) part->copies = 1;
    part->scale = (double)part->copies;
  }
  status = NESS_OK;
out:
  mem_free(parent);
  mem_free(part_of);
  mem_free(touched);
  return status;
}

void part_describe(const ness_network *net, const cme_part *part, char out[160])
{
  if (part->nslot == 0) {
    snprintf(out, 160, "the steps between reservoirs");
    return;
  }
  int length = snprintf(out, 160, "the part of %.30s", network_text(net, net->slot_name[part->slot[0]]));
  for (int32_t i = 1; i < part->nslot && i < 4; i++) {
    length +=
        snprintf(out + length, (size_t)(160 - length), ", %.25s", network_text(net, net->slot_name[part->slot[i]]));
  }
  if (part->nslot > 4) snprintf(out + length, (size_t)(160 - length), ", ... (%d slots)", (int)part->nslot);
}
