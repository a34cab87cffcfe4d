/* Following trajectories, jump by jump.
 *
 * A jump to a state on the stack cuts the cycle between: its key is the sum of mixed edge numbers, so it needs no look
 * at the edges, and no rotation changes it. A retraced edge is no cycle.
 * Method: what a jump does depends on the stack and the direction alone. So each thread numbers the stacks it meets as
 * *paths*, with a row of jumps each: the path behind it, and how often it was made in this stretch. What the jumps mean
 * (passages of an edge, completions of a cycle) is added up once a stretch. As in an automaton made while it runs, a
 * jump costs a look at its cell, without a branch that depends on what was drawn. A part with more paths than its
 * share of PATH_CELLS is followed on its stack instead.
 * Invariant: entries of a tally stand in the order of first completion, on paths and on stacks alike, so nothing
 * depends on which thread knows which paths. Cost: 2 to 3 ns a jump on paths, 10 to 20 on a stack. */
#include "analysis/loops_inside.h"

#include <string.h>

#define PATH_CELLS 65536
#define NAMES 4096 /* a power of two */
#define NO_PATH 0u /* row 0 belongs to none: its jumps are never counted */

typedef struct path_jump {
  uint32_t count; /* in this stretch */
  uint32_t next;  /* row of the path behind it; 0 not known yet */
} path_jump;

typedef struct path_effect { /* of a jump */
  int32_t edge, from;        /* from: depth at which the cycle begins that it completes, -1 none */
  int64_t entry;             /* of that cycle in the tally, in this stretch */
} path_effect;

typedef struct path { /* a stack: its top, and the stack below */
  int32_t state, depth;
  int32_t below, edge; /* path below the top, -1 none, and the edge from there */
  uint64_t key;
  uint32_t row;
} path;

typedef struct known_name { /* of a cycle that was named before */
  uint64_t key, name;
  int32_t way;
} known_name;

struct loop_counter {
  int64_t *edge_count; /* (LOOP_EDGES) */
  int32_t *touched;
  int64_t ntouched;
  loop_map found;      /* key of a cycle -> entry of the tally, in this stretch */
  loop_canonical form; /* of the cycle that is being named */
  known_name *known;   /* (NAMES) the last of those whose keys end alike; NULL: none was named yet */
  int64_t *scratch;    /* (nslot) */
  path_jump *jump;     /* (cells) a row: a head, whose count is the number of its path, and the part's directions */
  path_effect *effect; /* (cells) */
  uint32_t *made;      /* (cells) jumps with a count, as they were first made */
  int64_t nmade, cells;
  path *path;
  int64_t paths, path_room;
  loop_map root; /* part << 32 | state, + 1 -> path of this state alone */
  uint32_t *at;  /* (nparts) row of the path where the walker stands, or NO_PATH: see its stack */
  int64_t *left; /* (nparts) cells that it may still take */
  bool *full;    /* (nparts) it ran out of them */
};

loop_counter *loop_counter_create(const loops *self)
{
  loop_counter *counter = mem_zero(1, sizeof *counter);
  if (!counter) return NULL;
  const size_t parts = (size_t)self->nparts + 1;
  int64_t most = 0;
  for (int32_t p = 0; p < self->nparts; p++) most = self->part[p].ndir > most ? self->part[p].ndir : most;
  const size_t cells = (size_t)most + 1 + PATH_CELLS;
  counter->edge_count = mem_zero(LOOP_EDGES, sizeof *counter->edge_count);
  counter->touched = mem_alloc(LOOP_EDGES * sizeof *counter->touched);
  counter->scratch = mem_zero((size_t)self->net->nslot + 1, sizeof *counter->scratch);
  counter->jump = mem_zero(cells, sizeof *counter->jump);
  counter->effect = mem_alloc(cells * sizeof *counter->effect);
  counter->made = mem_alloc(cells * sizeof *counter->made);
  counter->at = mem_zero(parts, sizeof *counter->at);
  counter->left = mem_zero(parts, sizeof *counter->left);
  counter->full = mem_zero(parts, sizeof *counter->full);
  if (!counter->edge_count || !counter->touched || !counter->scratch || !counter->jump || !counter->effect ||
      !counter->made || !counter->at || !counter->left || !counter->full) {
    loop_counter_free(counter);
    return NULL;
  }
  counter->cells = most + 1;
  for (int32_t p = 0; p < self->nparts; p++) counter->left[p] = PATH_CELLS / self->nparts;
  return counter;
}

void loop_counter_free(loop_counter *self)
{
  if (!self) return;
  mem_free(self->edge_count);
  mem_free(self->touched);
  mem_free(self->form.block);
  mem_free(self->known);
  mem_free(self->scratch);
  mem_free(self->jump);
  mem_free(self->effect);
  mem_free(self->made);
  mem_free(self->path);
  mem_free(self->at);
  mem_free(self->left);
  mem_free(self->full);
  loop_map_free(&self->found);
  loop_map_free(&self->root);
  mem_free(self);
}

/* --- what was completed --- */

static bool tally_entry(loop_tally *self, const loop_entry *entry)
{
  if (!mem_grow(&self->entry, &self->entry_room, self->entries + 1, sizeof *self->entry)) return false;
  self->entry[self->entries++] = *entry;
  return true;
}

/* The entry of a cycle in this stretch, -1 when memory is out. When it is new *sequence is where its edges belong; else
 * NULL. */
static int64_t cycle_entry(loop_counter *counter, uint64_t key, int64_t length, int32_t batch, loop_tally *out,
                           int32_t **sequence)
{
  key = key ? key : 1;
  *sequence = NULL;
  const int64_t *const found = loop_map_find(&counter->found, key);
  if (found) return *found;
  const loop_entry entry = {.key = key, .sequence = out->sequences, .length = (int32_t)length, .batch = batch};
  if (!mem_grow(&out->sequence, &out->sequence_room, out->sequences + length, sizeof *out->sequence)) return -1;
  *sequence = out->sequence + out->sequences;
  out->sequences += length;
  return loop_map_add(&counter->found, key, out->entries) && tally_entry(out, &entry) ? out->entries - 1 : -1;
}

static void count_edge(loop_counter *counter, int32_t edge, int64_t count)
{
  if (counter->edge_count[edge] == 0) counter->touched[counter->ntouched++] = edge;
  counter->edge_count[edge] += count;
}

/* The transition of a state; 0 when the part is given up. */
static uint64_t transition(loops *self, loop_counter *counter, int32_t p, int32_t state, int32_t dir)
{
  const loop_part *const part = &self->part[p];
  const loop_cell *const cell = &part->cell[(int64_t)state * part->ndir + self->dir_local[dir]];
  const uint64_t value = atomic_load_explicit(cell, memory_order_acquire);
  return value ? value : loop_cell_fill(self, p, state, dir, counter->scratch);
}

/* --- on a stack --- */

/* False when memory is out. */
static bool jump_on_stack(loops *self, loop_stack *stack, loop_counter *counter, int32_t p, int32_t dir, int32_t batch,
                          loop_tally *out)
{
  const loop_place here = stack->place[stack->top];
  const uint64_t value = transition(self, counter, p, here.state, dir);
  if (!value) {
    stack->alive = false;
    return true;
  }
  const int32_t state = (int32_t)(value & UINT32_MAX) - 1, edge = (int32_t)(value >> 32);
  const int64_t depth = state < stack->depth_known ? stack->depth[state] : -1;
  const uint64_t key = here.key + loop_mix((uint64_t)edge);
  count_edge(counter, edge, 1);
  if (depth < 0) {
    if ((stack->top + 2 > stack->place_room || state >= stack->depth_known) && !loop_stack_grow(stack, state))
      return false;
    stack->place[stack->top].edge = edge;
    stack->place[++stack->top] = (loop_place){state, -1, key};
    stack->depth[state] = (int32_t)stack->top;
    return true;
  }
  const bool retraced = depth + 1 == stack->top && self->edge[stack->place[depth].edge].dir == (dir ^ 1);
  if (!retraced) {
    int32_t *sequence;
    const int64_t entry =
        cycle_entry(counter, key - stack->place[depth].key, stack->top - depth + 1, batch, out, &sequence);
    if (entry < 0) return false;
    out->entry[entry].count++;
    for (int64_t k = depth; sequence && k < stack->top; k++) *sequence++ = stack->place[k].edge;
    if (sequence) *sequence = edge;
  }
  for (; stack->top > depth; stack->top--) stack->depth[stack->place[stack->top].state] = -1;
  return true;
}

/* --- on paths --- */

/* A new path, -1 when memory is out or the part has no cells left, which makes it full. */
static int32_t path_add(const loops *self, loop_counter *counter, int32_t p, const path *fresh)
{
  const int64_t row = self->part[p].ndir + 1;
  if (counter->left[p] < row) {
    counter->full[p] = true;
    return -1;
  }
  if (!mem_grow(&counter->path, &counter->path_room, counter->paths + 1, sizeof *counter->path)) return -1;
  path *const made = &counter->path[counter->paths];
  *made = *fresh;
  made->row = (uint32_t)counter->cells;
  counter->jump[counter->cells].count = (uint32_t)counter->paths;
  counter->cells += row;
  counter->left[p] -= row;
  return (int32_t)counter->paths++;
}

static path *path_at(const loop_counter *counter, uint32_t row)
{
  return &counter->path[counter->jump[row].count];
}

/* The path of `from` with one more state, made if it is new: row, or NO_PATH. */
static uint32_t path_push(const loops *self, loop_counter *counter, int32_t p, uint32_t from, int32_t edge)
{
  const loop_edge_data *const data = &self->edge[edge];
  const uint32_t cell = from + 1 + (uint32_t)self->dir_local[data->dir];
  if (counter->jump[cell].next) return counter->jump[cell].next;
  const path below = *path_at(counter, from);
  const path fresh = {.state = data->to,
                      .depth = below.depth + 1,
                      .below = (int32_t)counter->jump[from].count,
                      .edge = edge,
                      .key = below.key + loop_mix((uint64_t)edge)};
  const int32_t made = path_add(self, counter, p, &fresh);
  if (made < 0) return NO_PATH;
  counter->effect[cell] = (path_effect){edge, -1, -1};
  return counter->jump[cell].next = counter->path[made].row;
}

/* From the stack onto its path; stays on the stack when there is no room. False when memory is out. */
static bool path_enter(const loops *self, loop_stack *stack, loop_counter *counter, int32_t p)
{
  const uint64_t name = ((uint64_t)p << 32 | (uint64_t)stack->place[0].state) + 1;
  const int64_t *const known = loop_map_find(&counter->root, name);
  int64_t root = known ? *known : -1;
  if (!known) {
    const path fresh = {.state = stack->place[0].state, .below = -1, .edge = -1};
    root = path_add(self, counter, p, &fresh);
    if (root < 0) return counter->full[p];
    if (!loop_map_add(&counter->root, name, root)) return false;
  }
  uint32_t row = counter->path[root].row;
  for (int64_t k = 0; k < stack->top; k++)
    if (!(row = path_push(self, counter, p, row, stack->place[k].edge))) return counter->full[p];
  for (int64_t k = 0; k <= stack->top; k++) stack->depth[stack->place[k].state] = -1;
  counter->at[p] = row;
  return true;
}

/* Back onto the stack; false when memory is out. */
static bool path_leave(loop_stack *stack, loop_counter *counter, int32_t p)
{
  const path *at = path_at(counter, counter->at[p]);
  counter->at[p] = NO_PATH;
  stack->top = at->depth;
  for (int32_t edge = -1;; at = &counter->path[at->below]) {
    if (!loop_stack_grow(stack, at->state)) return false;
    stack->place[at->depth] = (loop_place){at->state, edge, at->key};
    stack->depth[at->state] = at->depth;
    if (at->below < 0) return true;
    edge = at->edge;
  }
}

/* Finds out what a jump does; *room false: it leads to a path for which there is none. False: no such transition. */
static bool jump_learn(loops *self, loop_counter *counter, int32_t p, int32_t dir, bool *room)
{
  const path here = *path_at(counter, counter->at[p]);
  const uint64_t value = transition(self, counter, p, here.state, dir);
  *room = true;
  if (!value) return false;
  const int32_t state = (int32_t)(value & UINT32_MAX) - 1, edge = (int32_t)(value >> 32);
  const path *on = &here;
  while (on && on->state != state) on = on->below < 0 ? NULL : &counter->path[on->below];
  if (!on) {
    *room = path_push(self, counter, p, here.row, edge) != NO_PATH;
    return true;
  }
  const bool retraced = on->depth + 1 == here.depth && self->edge[here.edge].dir == (dir ^ 1);
  const uint32_t cell = here.row + 1 + (uint32_t)self->dir_local[dir];
  counter->effect[cell] = (path_effect){edge, retraced ? -1 : on->depth, -1};
  counter->jump[cell].next = on->row;
  return true;
}

/* A jump's first time in this stretch: the cycle that it completes gets its entry. False when memory is out. */
static bool jump_begin(loop_counter *counter, uint32_t from, uint32_t cell, int32_t batch, loop_tally *out)
{
  path_effect *const effect = &counter->effect[cell];
  counter->made[counter->nmade++] = cell;
  counter->jump[cell].count = 1;
  effect->entry = -1;
  if (effect->from < 0) return true;
  const path *at = path_at(counter, from);
  const int64_t length = at->depth - effect->from + 1;
  const uint64_t key = at->key + loop_mix((uint64_t)effect->edge) - path_at(counter, counter->jump[cell].next)->key;
  int32_t *sequence;
  effect->entry = cycle_entry(counter, key, length, batch, out, &sequence);
  if (!sequence) return effect->entry >= 0;
  sequence[length - 1] = effect->edge;
  for (int64_t k = length - 2; k >= 0; k--, at = &counter->path[at->below]) sequence[k] = at->edge;
  return effect->entry >= 0;
}

/* A jump that has no count yet. False when memory is out. */
static bool jump_first(loops *self, loop_walker *walker, loop_counter *counter, int32_t p, int32_t dir, int32_t batch,
                       loop_tally *out)
{
  loop_stack *const stack = &walker->stack[p];
  bool room = true;
  if (!stack->alive) return true;
  if (counter->at[p] == NO_PATH && !counter->full[p] && !path_enter(self, stack, counter, p)) return false;
  if (counter->at[p] == NO_PATH) return jump_on_stack(self, stack, counter, p, dir, batch, out);
  const uint32_t from = counter->at[p], cell = from + 1 + (uint32_t)self->dir_local[dir];
  if (!counter->jump[cell].next && !jump_learn(self, counter, p, dir, &room)) {
    stack->alive = false;
    counter->at[p] = NO_PATH;
    return true;
  }
  if (!room) {
    return path_leave(stack, counter, p) && counter->full[p] && jump_on_stack(self, stack, counter, p, dir, batch, out);
  }
  counter->at[p] = counter->jump[cell].next;
  return jump_begin(counter, from, cell, batch, out);
}

/* --- rows --- */

/* The inner loop, made for each width of directions and for networks of one part. */
static inline bool follow_rows(loops *self, loop_walker *walker, loop_counter *counter, const dump_chunk *chunk,
                               int32_t bytes, bool alone, int64_t from, int64_t to, int32_t batch, loop_tally *out)
{
  const int32_t *const step_part = self->step_part, *const dir_local = self->dir_local;
  path_jump *const jumps = counter->jump + 1;
  uint32_t *const places = counter->at, here = places[0];
  for (int64_t r = from; r < to; r++) {
    const int32_t dir = dump_stored_dir(chunk->row_dir_stored, bytes, r), p = alone ? 0 : step_part[dir >> 1];
    path_jump *const jump = &jumps[(alone ? here : places[p]) + (uint32_t)dir_local[dir]];
    if (jump->count > 0) {
      jump->count++;
      here = jump->next;
      if (!alone) places[p] = here;
      continue;
    }
    if (alone) places[0] = here;
    if (!jump_first(self, walker, counter, p, dir, batch, out)) return false;
    here = places[0];
  }
  if (alone) places[0] = here;
  return true;
}

static bool follow(loops *self, loop_walker *walker, loop_counter *counter, const dump_chunk *chunk, int64_t from,
                   int64_t to, int32_t batch, loop_tally *out)
{
  const bool alone = self->nparts == 1;
#define FOLLOW(bytes)                                                                                                  \
  return alone ? follow_rows(self, walker, counter, chunk, bytes, true, from, to, batch, out)                          \
               : follow_rows(self, walker, counter, chunk, bytes, false, from, to, batch, out)
  if (chunk->row_dir_bytes == 1) FOLLOW(1);
  if (chunk->row_dir_bytes == 2) FOLLOW(2);
  FOLLOW(4);
#undef FOLLOW
}

/* What the jumps of this stretch mean. */
static void made_count(loop_counter *counter, loop_tally *out)
{
  for (int64_t k = 0; k < counter->nmade; k++) {
    path_jump *const jump = &counter->jump[counter->made[k]];
    const path_effect *const effect = &counter->effect[counter->made[k]];
    count_edge(counter, effect->edge, jump->count);
    if (effect->entry >= 0) out->entry[effect->entry].count += jump->count;
    jump->count = 0;
  }
  counter->nmade = 0;
}

/* Names the cycles of this stretch, from entry `from` on; false when memory is out. */
static bool entries_name(const loops *self, loop_counter *counter, loop_tally *out, int64_t from)
{
  for (int64_t i = from; i < out->entries; i++) {
    loop_entry *const entry = &out->entry[i];
    if (!counter->known && !(counter->known = mem_zero(NAMES, sizeof *counter->known))) return false;
    known_name *const known = &counter->known[entry->key % NAMES];
    if (known->key != entry->key) {
      const int32_t *const edges = out->sequence + entry->sequence;
      const int32_t way = loop_orient(self, edges, entry->length, &counter->form);
      if (way < 0) return false;
      const uint64_t name = loop_name(self, self->edge[edges[0]].part, entry->length, way, &counter->form);
      *known = (known_name){entry->key, name, way};
    }
    entry->name = known->name;
    entry->way = known->way;
  }
  return true;
}

ness_status loop_follow(loops *self, loop_walker *walker, loop_counter *counter, const dump_chunk *chunk, int64_t from,
                        int64_t to, int32_t batch, loop_tally *out)
{
  const int64_t before = out->entries;
  bool good = follow(self, walker, counter, chunk, from, to, batch, out);
  for (int32_t p = 0; p < self->nparts; p++)
    if (counter->at[p] != NO_PATH) good = path_leave(&walker->stack[p], counter, p) && good;
  made_count(counter, out);
  good = good && entries_name(self, counter, out, before);
  const int64_t passages = out->passages + counter->ntouched;
  good = mem_grow(&out->passage, &out->passage_room, passages, sizeof *out->passage) && good;
  for (int64_t k = 0; k < counter->ntouched; k++) {
    const int32_t edge = counter->touched[k];
    if (good) out->passage[out->passages++] = (loop_passage){counter->edge_count[edge], edge, batch};
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
