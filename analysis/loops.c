/* What trajectories are followed through: numbered states and transitions, and a walker a replica with the stack of
 * states not yet erased.
 * Invariant: a walker's stack is a path without a repeated state, and depth[state] is its place there or -1. Cells are
 * written once, under the lock, and read without it. Cost: a hash of its counts for a transition met first, no more
 * after. */
#include "analysis/loops_inside.h"

#include <string.h>

loops *loops_create(const ness_network *net, int32_t batches)
{
  loops *self = mem_zero(1, sizeof *self);
  if (!self) return NULL;
  self->net = net;
  self->batches = batches;
  self->step_part = mem_zero((size_t)net->nstep + 1, sizeof *self->step_part);
  self->dir_local = mem_zero(2 * (size_t)net->nstep + 1, sizeof *self->dir_local);
  self->edge = mem_zero(LOOP_EDGES, sizeof *self->edge);
  omp_init_lock(&self->lock);
  self->locked = true;
  if (!self->step_part || !self->dir_local || !self->edge || !loop_parts_build(self)) {
    loops_free(self);
    return NULL;
  }
  return self;
}

static void walker_free(loop_walker *walker, int32_t nparts)
{
  for (int32_t p = 0; walker && walker->stack && p < nparts; p++) {
    mem_free(walker->stack[p].place);
    mem_free(walker->stack[p].depth);
  }
  if (walker) mem_free(walker->stack);
  mem_free(walker);
}

void loops_free(loops *self)
{
  if (!self) return;
  for (int64_t i = 0; i < self->walkers; i++) walker_free(self->walker[i], self->nparts);
  for (int32_t p = 0; self->part && p < self->nparts; p++) {
    mem_free(self->part[p].count);
    mem_free(self->part[p].cell);
    mem_free(self->part[p].table);
  }
  for (int64_t i = 0; i < self->totals; i++) {
    mem_free(self->total[i].dir);
    mem_free(self->total[i].count);
  }
  if (self->locked) omp_destroy_lock(&self->lock);
  loop_map_free(&self->cycle_of);
  loop_map_free(&self->sequence_of);
  loop_map_free(&self->walker_of);
  mem_free(self->part);
  mem_free(self->step_part);
  mem_free(self->dir_local);
  mem_free(self->edge);
  mem_free(self->edge_count);
  mem_free(self->total);
  mem_free(self->walker);
  mem_free(self->pair);
  arena_free(&self->memory);
  mem_free(self);
}

bool loops_alive(const loops *self)
{
  for (int32_t p = 0; p < self->nparts; p++)
    if (!atomic_load_explicit(&self->part[p].over, memory_order_relaxed)) return true;
  return false;
}

/* --- states and edges --- */

static void part_give_up(loop_part *part, const char *reason)
{
  if (!atomic_load(&part->over)) part->reason = reason;
  atomic_store(&part->over, true);
}

/* Where the state of these counts stands in the table, or where it would. */
static int64_t table_place(const loop_part *part, const int64_t *counts)
{
  uint64_t hash = 0;
  for (int32_t i = 0; i < part->nslot; i++) hash = loop_mix(hash ^ (uint64_t)counts[i]);
  for (uint64_t i = hash;; i++) {
    const int64_t at = (int64_t)(i & (uint64_t)(part->table_size - 1));
    const int32_t state = part->table[at] - 1;
    if (state < 0 || part->nslot == 0 ||
        memcmp(part->count + (int64_t)state * part->nslot, counts, (size_t)part->nslot * sizeof *counts) == 0)
      return at;
  }
}

int32_t loop_state(loops *self, int32_t p, const int64_t *counts)
{
  loop_part *const part = &self->part[p];
  for (int32_t i = 0; i < part->nslot; i++) {
    if (counts[i] < 0) {
      part_give_up(part, "the events do not fit the counts");
      return -1;
    }
    part->joint |= counts[i] > 1;
  }
  const int64_t place = table_place(part, counts);
  if (part->table[place]) return part->table[place] - 1;
  if (part->nstate >= part->cap) {
    part_give_up(part, "it has too many states");
    return -1;
  }
  const int32_t state = part->nstate++;
  memcpy(part->count + (int64_t)state * part->nslot, counts, (size_t)part->nslot * sizeof *counts);
  part->table[place] = state + 1;
  return state;
}

uint64_t loop_cell_fill(loops *self, int32_t p, int32_t state, int32_t dir, int64_t *scratch)
{
  const ness_network *net = self->net;
  loop_part *const part = &self->part[p];
  loop_cell *const cell = &part->cell[(int64_t)state * part->ndir + self->dir_local[dir]];
  omp_set_lock(&self->lock);
  uint64_t value = atomic_load_explicit(cell, memory_order_relaxed);
  if (!value && !atomic_load(&part->over)) {
    for (int32_t i = 0; i < part->nslot; i++) scratch[part->slot[i]] = part->count[(int64_t)state * part->nslot + i];
    for (int32_t c = net->change_start[dir / 2]; c < net->change_start[dir / 2 + 1]; c++) {
      int64_t *const n = &scratch[net->change_slot[c]];
      *n = *n < INT64_MAX / 2 ? *n + (dir % 2 ? -(int64_t)net->change_by[c] : net->change_by[c]) : -1;
    }
    for (int32_t i = 0; i < part->nslot; i++) scratch[i] = scratch[part->slot[i]]; /* slots ascend */
    const int32_t to = loop_state(self, p, scratch);
    if (to >= 0 && self->nedge == LOOP_EDGES) {
      part_give_up(part, "it has too many transitions");
    } else if (to >= 0) {
      self->edge[self->nedge] = (loop_edge_data){p, state, to, dir};
      value = (uint64_t)self->nedge++ << 32 | (uint64_t)(to + 1);
      atomic_store_explicit(cell, value, memory_order_release);
    }
  }
  omp_unset_lock(&self->lock);
  return value;
}

/* --- walkers --- */

/* Forgets the replicas that have ended, once most of the map is them. */
static bool walkers_forget(loops *self)
{
  if (self->walker_of.used < 4 * self->walkers + 64) return true;
  loop_map_free(&self->walker_of);
  bool good = true;
  for (int64_t i = 0; i < self->walkers && good; i++)
    if (self->walker[i]->replica >= 0) good = loop_map_add(&self->walker_of, (uint64_t)self->walker[i]->replica + 1, i);
  return good;
}

loop_walker *loops_walker(loops *self, int64_t replica)
{
  if (!walkers_forget(self)) return NULL;
  int64_t *const known = loop_map_find(&self->walker_of, (uint64_t)replica + 1);
  self->clock++;
  if (known && *known >= 0) {
    self->walker[*known]->used = self->clock;
    return self->walker[*known];
  }
  int64_t at = self->walkers;
  for (int64_t i = 0; i < self->walkers; i++) { /* an ended one's place, or the place of the one unused for longest */
    if (self->walker[i]->replica < 0) {
      at = i;
      break;
    }
    if (self->walkers == LOOP_WALKERS && (at == self->walkers || self->walker[i]->used < self->walker[at]->used))
      at = i;
  }
  if (at == self->walkers) {
    if (!mem_grow(&self->walker, &self->walker_room, self->walkers + 1, sizeof(loop_walker *))) return NULL;
    loop_walker *fresh = mem_zero(1, sizeof *fresh);
    if (fresh) fresh->stack = mem_zero((size_t)self->nparts, sizeof *fresh->stack);
    if (!fresh || !fresh->stack) {
      mem_free(fresh);
      return NULL;
    }
    self->walker[self->walkers++] = fresh;
  } else if (self->walker[at]->replica >= 0) {
    *loop_map_find(&self->walker_of, (uint64_t)self->walker[at]->replica + 1) = -1;
  }
  loop_walker *const walker = self->walker[at];
  walker->replica = replica;
  walker->next = -1;
  walker->used = self->clock;
  if (known) *known = at;
  else if (!loop_map_add(&self->walker_of, (uint64_t)replica + 1, at)) return NULL;
  return walker;
}

void loops_walker_end(loops *self, int64_t replica)
{
  int64_t *const known = loop_map_find(&self->walker_of, (uint64_t)replica + 1);
  if (known && *known >= 0) {
    self->walker[*known]->replica = -1;
    *known = -1;
  }
}

bool loop_stack_grow(loop_stack *stack, int32_t state)
{
  if (!mem_grow(&stack->place, &stack->place_room, stack->top + 2, sizeof *stack->place) ||
      !mem_grow(&stack->depth, &stack->depth_room, state + 1, sizeof *stack->depth))
    return false;
  for (; stack->depth_known < stack->depth_room; stack->depth_known++) stack->depth[stack->depth_known] = -1;
  return true;
}

static bool stack_begin(loop_stack *stack, int32_t state)
{
  for (int64_t i = 0; i < stack->depth_known; i++) stack->depth[i] = -1;
  stack->top = 0;
  stack->alive = state >= 0;
  if (state < 0) return true;
  if (!loop_stack_grow(stack, state)) return false;
  stack->place[0] = (loop_place){state, -1, 0};
  stack->depth[state] = 0;
  return true;
}

ness_status loop_enter(loops *self, loop_walker *walker, const dump_chunk *chunk, loop_tally *out)
{
  out->entries = out->passages = out->sequences = 0;
  int64_t *const counts = mem_alloc(((size_t)self->net->nslot + 1) * sizeof *counts);
  bool good = counts != NULL;
  for (int32_t p = 0; good && p < self->nparts; p++) {
    loop_part *const part = &self->part[p];
    loop_stack *const stack = &walker->stack[p];
    for (int32_t i = 0; i < part->nslot; i++) counts[i] = chunk->n0[part->slot[i]];
    omp_set_lock(&self->lock);
    const int32_t state = atomic_load(&part->over) ? -1 : loop_state(self, p, counts);
    omp_unset_lock(&self->lock);
    const bool here = walker->next == chunk->index && stack->alive && stack->place[stack->top].state == state;
    if (!here) good = stack_begin(stack, state);
  }
  walker->next = chunk->index + 1;
  mem_free(counts);
  return good ? NESS_OK : NESS_NOMEM;
}

void loop_tally_free(loop_tally *self)
{
  mem_free(self->entry);
  mem_free(self->passage);
  mem_free(self->sequence);
  *self = (loop_tally){0};
}
