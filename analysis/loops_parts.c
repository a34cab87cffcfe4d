/* The parts of a network, which share no slot and are followed apart, and the hash maps of the room. Invariant: a map
 * is at most half full; the slots and directions of a part ascend. Method: union-find over the slots that a step
 * changes or reads. Cost: linear in the network. */
#include "analysis/loops_inside.h"

#define PART_BYTES ((size_t)64 << 20) /* cells and counts of a part */

/* --- maps --- */

int64_t *loop_map_find(const loop_map *self, uint64_t key)
{
  if (self->size == 0) return NULL;
  for (uint64_t i = loop_mix(key);; i++) {
    const uint64_t at = i & (uint64_t)(self->size - 1);
    if (self->key[at] == key) return &self->value[at];
    if (self->key[at] == 0) return NULL;
  }
}

static void map_put(loop_map *self, uint64_t key, int64_t value)
{
  uint64_t at = loop_mix(key) & (uint64_t)(self->size - 1);
  while (self->key[at]) at = (at + 1) & (uint64_t)(self->size - 1);
  self->key[at] = key;
  self->value[at] = value;
}

bool loop_map_add(loop_map *self, uint64_t key, int64_t value)
{
  if (2 * (self->used + 1) > self->size) {
    loop_map grown = {.size = self->size ? 2 * self->size : 64, .used = self->used};
    grown.key = mem_zero((size_t)grown.size, sizeof *grown.key);
    grown.value = mem_alloc((size_t)grown.size * sizeof *grown.value);
    if (!grown.key || !grown.value) {
      loop_map_free(&grown);
      return false;
    }
    for (int64_t i = 0; i < self->size; i++)
      if (self->key[i]) map_put(&grown, self->key[i], self->value[i]);
    loop_map_free(self);
    *self = grown;
  }
  map_put(self, key, value);
  self->used++;
  return true;
}

void loop_map_free(loop_map *self)
{
  mem_free(self->key);
  mem_free(self->value);
  *self = (loop_map){0};
}

/* --- parts --- */

static int32_t root_of(int32_t *parent, int32_t i)
{
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

/* Slots that a step changes or reads belong together; `step_slot` is one of them, or nslot for a step without slots. */
static void parts_join(const ness_network *net, int32_t *parent, int32_t *step_slot)
{
  for (int32_t i = 0; i <= net->nslot; i++) parent[i] = i;
  for (int32_t s = 0; s < net->nstep; s++) {
    int32_t first = -1;
#define PART_JOIN(slot)                                                                                                \
  do {                                                                                                                 \
    const int32_t root = root_of(parent, (slot));                                                                      \
    if (first >= 0) parent[root] = root_of(parent, first);                                                             \
    first = root;                                                                                                      \
  } while (0)
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) PART_JOIN(net->change_slot[c]);
    for (int32_t r = net->react_start[2 * s]; r < net->react_start[2 * s + 2]; r++) PART_JOIN(net->react_slot[r]);
    for (int32_t t = net->tape_start[2 * s]; t < net->tape_start[2 * s + 2]; t++)
      if (net->tape[t].code == TAPE_SLOT) PART_JOIN(net->tape[t].a);
#undef PART_JOIN
    step_slot[s] = first >= 0 ? first : net->nslot;
  }
}

static bool part_memory(loop_part *self, arena *memory)
{
  const size_t row = (size_t)self->ndir * sizeof *self->cell + ((size_t)self->nslot + 1) * sizeof *self->count;
  self->cap = PART_BYTES / row < LOOP_STATES ? (int32_t)(PART_BYTES / row) : LOOP_STATES;
  self->table_size = 8;
  while (self->table_size < 2 * (int64_t)self->cap) self->table_size *= 2;
  self->count = mem_zero((size_t)self->cap * ((size_t)self->nslot + 1), sizeof *self->count);
  self->cell = mem_zero((size_t)self->cap * (size_t)self->ndir, sizeof *self->cell);
  self->table = mem_zero((size_t)self->table_size, sizeof *self->table);
  self->slot = arena_alloc(memory, ((size_t)self->nslot + 1) * sizeof *self->slot);
  self->dir = arena_alloc(memory, (size_t)self->ndir * sizeof *self->dir);
  self->mass = true;
  return self->count && self->cell && self->table && self->slot && self->dir;
}

static bool parts_fill(loops *self, int32_t *parent, const int32_t *number)
{
  const ness_network *net = self->net;
  for (int32_t s = 0; s < net->nstep; s++) self->part[self->step_part[s]].ndir += 2;
  for (int32_t i = 0; i < net->nslot; i++) {
    const int32_t part = number[root_of(parent, i)];
    if (part >= 0) self->part[part].nslot++;
  }
  for (int32_t p = 0; p < self->nparts; p++)
    if (!part_memory(&self->part[p], &self->memory)) return false;
  for (int32_t p = 0; p < self->nparts; p++) self->part[p].ndir = self->part[p].nslot = 0;
  for (int32_t s = 0; s < net->nstep; s++) {
    loop_part *const part = &self->part[self->step_part[s]];
    for (int32_t d = 2 * s; d < 2 * s + 2; d++) {
      self->dir_local[d] = part->ndir;
      part->dir[part->ndir++] = d;
      part->mass &= net->dir_law[d] != LAW_TAPE;
    }
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    const int32_t part = number[root_of(parent, i)];
    if (part >= 0) self->part[part].slot[self->part[part].nslot++] = i;
  }
  return true;
}

bool loop_parts_build(loops *self)
{
  const ness_network *net = self->net;
  const size_t nslot = (size_t)net->nslot + 1;
  int32_t *parent = mem_alloc(nslot * sizeof *parent), *number = mem_alloc(nslot * sizeof *number);
  int32_t *step_slot = mem_alloc(((size_t)net->nstep + 1) * sizeof *step_slot);
  bool good = parent && number && step_slot;
  if (good) {
    parts_join(net, parent, step_slot);
    for (size_t i = 0; i < nslot; i++) number[i] = -1;
    for (int32_t s = 0; s < net->nstep; s++) {
      const int32_t root = root_of(parent, step_slot[s]);
      if (number[root] < 0) number[root] = self->nparts++;
      self->step_part[s] = number[root];
    }
    if (self->nparts > LOOP_PARTS) {
      self->nparts = 0; /* too many to follow */
    } else {
      self->part = mem_zero((size_t)self->nparts, sizeof *self->part);
      good = self->part && parts_fill(self, parent, number);
    }
  }
  mem_free(parent);
  mem_free(number);
  mem_free(step_slot);
  return good;
}
