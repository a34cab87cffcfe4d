/* Following trajectories: parts, numbered states, and the stack of states not yet erased.
 * Invariant: a walker's stack is a path without a repeated state, and depth[state] is its place there or -1. A jump to
 * a state on the stack cuts the cycle between: its key is the sum of mixed edge numbers, so it needs no look at the
 * edges, and no rotation changes it. A retraced edge is no cycle. Cells are written once, under the lock, and read
 * without it. Cost: one cell, one stack entry and one count a jump. */
#include "analysis/loops_inside.h"

#include <string.h>

typedef struct loop_place {
  int32_t state;
  int32_t edge; /* by which it was left */
  uint64_t key; /* sum of mixed edges up to here */
} loop_place;

typedef struct loop_stack {
  loop_place *place;
  int64_t place_room;
  int32_t *depth;
  int64_t depth_room, depth_known; /* entries before depth_known are set */
  int64_t top;
  bool alive;
} loop_stack;

struct loop_walker {
  int64_t replica, next; /* index of the chunk that comes next */
  int64_t used;          /* clock of the last visit */
  loop_stack *stack;     /* (nparts) */
};

struct loop_counter {
  int64_t *edge_count; /* (LOOP_EDGES) */
  int32_t *touched;
  int64_t ntouched;
  loop_map found;   /* key of a cycle -> entry of the tally, in this stretch */
  int64_t *scratch; /* (nslot) */
};

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

/* The cell of a transition met for the first time; 0 when the part is given up. */
static uint64_t cell_fill(loops *self, int32_t p, int32_t state, int32_t dir, int64_t *scratch)
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

static bool stack_grow(loop_stack *stack, int32_t state)
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
  if (!stack_grow(stack, state)) return false;
  stack->place[0] = (loop_place){state, -1, 0};
  stack->depth[state] = 0;
  return true;
}

ness_status loop_enter(loops *self, loop_walker *walker, const dump_chunk *chunk, loop_tally *out)
{
  out->entries = out->sequences = 0;
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

/* --- following --- */

loop_counter *loop_counter_create(const loops *self)
{
  loop_counter *counter = mem_zero(1, sizeof *counter);
  if (!counter) return NULL;
  counter->edge_count = mem_zero(LOOP_EDGES, sizeof *counter->edge_count);
  counter->touched = mem_alloc(LOOP_EDGES * sizeof *counter->touched);
  counter->scratch = mem_zero((size_t)self->net->nslot + 1, sizeof *counter->scratch);
  if (!counter->edge_count || !counter->touched || !counter->scratch) {
    loop_counter_free(counter);
    return NULL;
  }
  return counter;
}

void loop_counter_free(loop_counter *self)
{
  if (!self) return;
  mem_free(self->edge_count);
  mem_free(self->touched);
  mem_free(self->scratch);
  loop_map_free(&self->found);
  mem_free(self);
}

static bool tally_entry(loop_tally *self, const loop_entry *entry)
{
  if (!mem_grow(&self->entry, &self->entry_room, self->entries + 1, sizeof *self->entry)) return false;
  self->entry[self->entries++] = *entry;
  return true;
}

/* A completed cycle: the places from `from` to the top, and the edge that closes it. */
static bool complete(loops *self, loop_counter *counter, const loop_stack *stack, int64_t from, uint64_t key,
                     int32_t closing, int32_t batch, loop_tally *out)
{
  key = key ? key : 1;
  const int64_t *const found = loop_map_find(&counter->found, key);
  if (found) {
    out->entry[*found].count++;
    return true;
  }
  loop_entry entry = {key, 1, -1, (int32_t)(stack->top - from + 1), batch};
  if (!loop_map_find(&self->cycle_of, key)) {
    entry.sequence = out->sequences;
    if (!mem_grow(&out->sequence, &out->sequence_room, out->sequences + entry.length, sizeof *out->sequence))
      return false;
    for (int64_t k = from; k < stack->top; k++) out->sequence[out->sequences++] = stack->place[k].edge;
    out->sequence[out->sequences++] = closing;
  }
  return loop_map_add(&counter->found, key, out->entries) && tally_entry(out, &entry);
}

/* What one part does with a jump, held in registers while the part stays the same. */
typedef struct loop_view {
  loop_part *part;
  loop_stack *stack;
  loop_place *place;
  int32_t *depth;
  int64_t top, place_last, depth_known; /* place_last: a push may still write place[top + 1] while top < place_last */
} loop_view;

static void view_open(loop_view *self, loops *loop, loop_walker *walker, int32_t p)
{
  loop_stack *const stack = &walker->stack[p];
  *self = (loop_view){&loop->part[p],    stack, stack->place, stack->depth, stack->top, stack->place_room - 1,
                      stack->depth_known};
}

/* The jumps of rows from ... on that belong to part p, up to the first row of another part or the end; returns the row
 * where it stopped, or -1 when memory is out. Long because it is the inner loop. */
static int64_t follow_part(loops *self, loop_walker *walker, loop_counter *counter, const int32_t *row_dir,
                           int64_t from, int64_t to, int32_t p, int32_t batch, loop_tally *out)
{
  loop_view view;
  view_open(&view, self, walker, p);
  const int32_t *const step_part = self->step_part, *const dir_local = self->dir_local;
  const bool alone = self->nparts == 1;
  int64_t r = from;
  for (; r < to; r++) {
    const int32_t dir = row_dir[r];
    if (!alone && step_part[dir >> 1] != p) break;
    if (!view.stack->alive) continue;
    loop_place *const here = &view.place[view.top];
    uint64_t value = atomic_load_explicit(&view.part->cell[(int64_t)here->state * view.part->ndir + dir_local[dir]],
                                          memory_order_acquire);
    if (!value && !(value = cell_fill(self, p, here->state, dir, counter->scratch))) {
      view.stack->alive = false;
      continue;
    }
    const int32_t state = (int32_t)(value & UINT32_MAX) - 1, edge = (int32_t)(value >> 32);
    if (counter->edge_count[edge]++ == 0) counter->touched[counter->ntouched++] = edge;
    const int64_t depth = state < view.depth_known ? view.depth[state] : -1;
    const uint64_t key = here->key + loop_mix((uint64_t)edge);
    if (depth < 0) {
      if (view.top >= view.place_last || state >= view.depth_known) {
        view.stack->top = view.top;
        if (!stack_grow(view.stack, state)) return -1;
        view_open(&view, self, walker, p);
      }
      view.place[view.top].edge = edge;
      view.place[++view.top] = (loop_place){state, -1, key};
      view.depth[state] = (int32_t)view.top;
      continue;
    }
    const bool retraced = depth + 1 == view.top && self->edge[view.place[depth].edge].dir == (dir ^ 1);
    if (!retraced) {
      view.stack->top = view.top;
      if (!complete(self, counter, view.stack, depth, key - view.place[depth].key, edge, batch, out)) return -1;
    }
    for (; view.top > depth; view.top--) view.depth[view.place[view.top].state] = -1;
  }
  view.stack->top = view.top;
  return r;
}

ness_status loop_follow(loops *self, loop_walker *walker, loop_counter *counter, const dump_chunk *chunk, int64_t from,
                        int64_t to, int32_t batch, loop_tally *out)
{
  bool good = true;
  for (int64_t r = from; r < to && good;) {
    r = follow_part(self, walker, counter, chunk->row_dir, r, to, self->step_part[chunk->row_dir[r] >> 1], batch, out);
    good = r >= 0;
  }
  for (int64_t k = 0; k < counter->ntouched; k++) {
    const int32_t edge = counter->touched[k];
    const loop_entry entry = {0, counter->edge_count[edge], edge, 0, batch};
    good = good && tally_entry(out, &entry);
    counter->edge_count[edge] = 0;
  }
  counter->ntouched = 0;
  if (counter->found.size > 4096) {
    loop_map_free(&counter->found);
  } else if (counter->found.used > 0) {
    memset(counter->found.key, 0, (size_t)counter->found.size * sizeof *counter->found.key);
    counter->found.used = 0;
  }
  return good ? NESS_OK : NESS_NOMEM;
}

void loop_tally_free(loop_tally *self)
{
  mem_free(self->entry);
  mem_free(self->sequence);
  *self = (loop_tally){0};
}
