/* The states of a part, found breadth first from the start, and the transitions between them. State ids are in the
 * order of discovery, transitions in the order of (state, direction). Counts are looked up by their packed keys in a
 * table of open addressing, whose lines are fetched ahead for all ways out of a state at once; for copies a state is a
 * slot and no table is needed. Memory is checked against what the machine has before it grows. Cost: states *
 * directions propensities and one look-up a transition; bytes a state: 8 a key word and 16 to 32 of table while states
 * are listed, 16 a transition. */
#include "engine/cme/space.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct table_entry {
  uint64_t tag; /* the key itself, or its hash when it is longer than a word */
  int32_t id;   /* state + 1, 0 empty */
} table_entry;

typedef struct way { /* out of the state at hand */
  int32_t dir;
  double rate;
  uint64_t tag;
} way;

struct space {
  const ness_network *net;
  cme_part *part;
  int64_t max_states;
  bool measure;
  int64_t transitions;
  ness_diags *diags;
  int64_t *n, *after; /* (network nslot) */
  double *scratch;    /* (tape_max) */
  int32_t ndir;
  int32_t *dir;   /* (ndir) directions of the part that exist */
  way *ways;      /* (ndir) */
  uint64_t *keys; /* (ndir x words) keys of where the ways lead */
  table_entry *table;
  int64_t table_size, key_capacity, place_capacity, to_capacity, rate_capacity, dir_capacity, start_capacity;
};

/* Room for `need` elements of one of the part's arrays. */
static ness_status space_room(const space *self, void *block, int64_t *capacity, int64_t need, size_t width)
{
  const ness_status status = cme_room(block, capacity, need, width);
  if (status == NESS_LIMIT) {
    char name[160];
    part_describe(self->net, self->part, name);
    diag_add(self->diags, NESS_ERROR, "%s does not fit in memory with %d states and %lld transitions", name,
             (int)self->part->states.n, (long long)self->transitions);
    diag_hint(self->diags, "lower the `max` of its species, or look at the size first with `ness solve ... --dry-run`");
  }
  return status;
}

/* --- the table of states --- */

static uint64_t key_hash(const uint64_t *key, int32_t words)
{
  uint64_t h = 0x9e3779b97f4a7c15u;
  for (int32_t w = 0; w < words; w++) {
    h = (h ^ key[w]) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  }
  return h;
}

static uint64_t key_tag(const uint64_t *key, int32_t words)
{
  return words == 1 ? key[0] : key_hash(key, words);
}

static int64_t table_home(const space *self, uint64_t tag)
{
  return (int64_t)(key_hash(&tag, 1) & ((uint64_t)self->table_size - 1));
}

/* Where the key is or would be. */
static table_entry *table_find(const space *self, uint64_t tag, const uint64_t *key)
{
  const cme_states *const states = &self->part->states;
  const int64_t mask = self->table_size - 1;
  for (int64_t at = table_home(self, tag);; at = (at + 1) & mask) {
    table_entry *const entry = &self->table[at];
    if (!entry->id) return entry;
    if (entry->tag != tag) continue;
    if (states->words == 1 ||
        memcmp(states->key + (int64_t)(entry->id - 1) * states->words, key, (size_t)states->words * sizeof *key) == 0)
      return entry;
  }
}

static ness_status table_fill(space *self, int64_t size)
{
  const cme_states *const states = &self->part->states;
  if ((size_t)size * sizeof *self->table > (size_t)1 << 26 && (size_t)size * sizeof *self->table > mem_available())
    return NESS_LIMIT;
  mem_free(self->table);
  self->table = mem_zero((size_t)size, sizeof *self->table);
  if (!self->table) return NESS_NOMEM;
  self->table_size = size;
  for (int32_t i = 0; i < states->n; i++) {
    const uint64_t *const key = states->key + (int64_t)i * states->words;
    const uint64_t tag = key_tag(key, states->words);
    *table_find(self, tag, key) = (table_entry){tag, i + 1};
  }
  return NESS_OK;
}

/* --- what goes wrong --- */

static ness_status space_overflow(space *self)
{
  const cme_part *const part = self->part;
  char name[160];
  part_describe(self->net, part, name);
  int32_t widest = -1; /* the free slot that holds most */
  int64_t most = -1;
  for (int32_t s = 0; part->kind == CME_COUNTS && s < part->states.n; s++) {
    cme_counts(part, s, self->after);
    for (int32_t i = 0; i < part->nslot; i++) {
      const int64_t count = self->after[part->slot[i]];
      if (self->net->slot_max[part->slot[i]] != MODEL_NO_MAX || count <= most) continue;
      most = count;
      widest = i;
    }
  }
  diag_add(self->diags, NESS_ERROR, "%s has more than %lld states", name, (long long)self->max_states);
  if (part->kind != CME_COUNTS) {
    diag_hint(self->diags,
              "its copies are independent and have one state a species: raise the limit with --max-states");
  } else if (widest >= 0) {
    diag_hint(self->diags,
              "%s has no max and reaches %lld here; give it one (`max` on the species), or raise the limit with "
              "--max-states",
              network_text(self->net, self->net->slot_name[part->slot[widest]]), (long long)most);
  } else {
    diag_hint(self->diags, "lower the `max` of its species, or raise the limit with --max-states");
  }
  return NESS_LIMIT;
}

static ness_status space_bad_rate(const space *self, int32_t dir, double rate)
{
  char where[160] = "";
  int length = 0;
  for (int32_t i = 0; i < self->part->nslot && length < 120; i++) {
    length += snprintf(where + length, sizeof where - (size_t)length, "%s%.30s = %lld", i ? ", " : " at ",
                       network_text(self->net, self->net->slot_name[self->part->slot[i]]),
                       (long long)self->n[self->part->slot[i]]);
  }
  diag_add(self->diags, NESS_ERROR, "the %s rate of step %s is %s%s", dir % 2 ? "backward" : "forward",
           network_text(self->net, self->net->step_name[dir / 2]),
           isnan(rate) ? "negative or not a number" : "not finite", where);
  return NESS_NUMERIC;
}

/* --- transitions --- */

static ness_status space_transition(space *self, int32_t to, int32_t dir, double rate)
{
  cme_part *const part = self->part;
  const int64_t at = self->transitions++;
  if (self->measure) return NESS_OK;
  ness_status status = space_room(self, &part->q.to, &self->to_capacity, at + 1, sizeof *part->q.to);
  if (status == NESS_OK) status = space_room(self, &part->q.rate, &self->rate_capacity, at + 1, sizeof *part->q.rate);
  if (status == NESS_OK) status = space_room(self, &part->dir, &self->dir_capacity, at + 1, sizeof *part->dir);
  if (status) return status;
  part->q.to[at] = to;
  part->q.rate[at] = rate;
  part->dir[at] = dir;
  return NESS_OK;
}

/* --- counts --- */

/* The id of the state with this key, new or known. */
static ness_status counts_state(space *self, uint64_t tag, const uint64_t *key, int32_t *id)
{
  cme_states *const states = &self->part->states;
  table_entry *const entry = table_find(self, tag, key);
  *id = entry->id - 1;
  if (entry->id) return NESS_OK;
  if (states->n >= self->max_states) return space_overflow(self);
  const int64_t words = states->words;
  ness_status status =
      space_room(self, &states->key, &self->key_capacity, (states->n + 1) * words, sizeof *states->key);
  if (status) return status;
  for (int64_t w = 0; w < words; w++) states->key[states->n * words + w] = key[w];
  *id = states->n++;
  *entry = (table_entry){tag, states->n};
  if (10 * (int64_t)states->n > 7 * self->table_size) status = table_fill(self, 2 * self->table_size);
  return status;
}

static void step_apply(const ness_network *net, int32_t dir, int64_t by, int64_t *n)
{
  const int32_t step = dir / 2;
  by = dir % 2 ? -by : by;
  for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++) {
    n[net->change_slot[k]] += by * net->change_by[k];
  }
}

/* The key of the counts at hand; lays the fields out anew until they fit. */
static ness_status counts_key(space *self, uint64_t **key, bool *moved)
{
  for (;;) {
    cme_states *const states = &self->part->states;
    if (states_key(self->part, self->n, *key)) return NESS_OK;
    ness_status status = states_widen(self->part, self->n);
    if (status) return status;
    *moved = true;
    self->key_capacity = (int64_t)states->n * states->words;
    mem_free(self->keys);
    *key = self->keys = mem_zero((size_t)(self->ndir + 1) * (size_t)states->words, sizeof *self->keys);
    if (!self->keys) return NESS_NOMEM;
    status = table_fill(self, self->table_size);
    if (status) return status;
  }
}

/* The ways out of the counts at hand with their keys. */
static ness_status counts_ways(space *self, int32_t *count)
{
  for (bool moved = true; moved;) {
    moved = false;
    *count = 0;
    for (int32_t k = 0; k < self->ndir && !moved; k++) {
      const int32_t dir = self->dir[k];
      const double rate = network_propensity(self->net, dir, self->n, self->scratch);
      if (!(rate >= 0) || isinf(rate)) return space_bad_rate(self, dir, rate);
      if (rate == 0) continue;
      uint64_t *key = self->keys + (int64_t)*count * self->part->states.words;
      step_apply(self->net, dir, 1, self->n);
      const ness_status status = counts_key(self, &key, &moved);
      step_apply(self->net, dir, -1, self->n);
      if (status) return status;
      const uint64_t tag = key_tag(key, self->part->states.words);
      __builtin_prefetch(&self->table[table_home(self, tag)]);
      self->ways[(*count)++] = (way){dir, rate, tag};
    }
  }
  return NESS_OK;
}

static ness_status counts_expand(space *self, int32_t from)
{
  int32_t count = 0;
  cme_counts(self->part, from, self->n);
  ness_status status = counts_ways(self, &count);
  for (int32_t k = 0; status == NESS_OK && k < count; k++) {
    int32_t to;
    status = counts_state(self, self->ways[k].tag, self->keys + (int64_t)k * self->part->states.words, &to);
    if (status == NESS_OK) status = space_transition(self, to, self->ways[k].dir, self->ways[k].rate);
  }
  return status;
}

static ness_status counts_start(space *self)
{
  uint64_t *key = self->keys;
  bool moved;
  int32_t id;
  const ness_status status = counts_key(self, &key, &moved);
  return status ? status : counts_state(self, key_tag(key, self->part->states.words), key, &id);
}

/* The first slot from `place` on that holds copies at the start, -1 none. */
static int32_t counts_held(const space *self, int32_t place)
{
  const cme_part *const part = self->part;
  for (; place < part->nslot; place++) {
    if (self->net->slot_start[part->slot[place]] > 0 && !network_is_level(self->net, part->slot[place])) return place;
  }
  return -1;
}

/* Fields, table, and the state of the start: of driven copies one for every slot that holds some. */
static ness_status counts_open(space *self, const stoich_basis *laws)
{
  cme_part *const part = self->part;
  int32_t held = part->driven ? counts_held(self, 0) : -1;
  if (held >= 0) self->n[part->slot[held]] = 1;
  ness_status status = states_layout(self->net, laws, part, self->n);
  if (status) return status;
  self->keys = mem_zero((size_t)(self->ndir + 1) * (size_t)part->states.words, sizeof *self->keys);
  if (!self->keys) return NESS_NOMEM;
  status = table_fill(self, 64);
  if (status == NESS_OK) status = counts_start(self);
  while (held >= 0 && status == NESS_OK) {
    self->n[part->slot[held]] = 0;
    held = counts_held(self, held + 1);
    if (held < 0) break;
    self->n[part->slot[held]] = 1;
    status = counts_start(self);
  }
  return status;
}

/* Room for the start of the transitions out of state s and the one behind it. */
static ness_status space_row(space *self, int32_t s)
{
  if (self->measure) return NESS_OK;
  const ness_status status =
      space_room(self, &self->part->q.start, &self->start_capacity, (int64_t)s + 2, sizeof *self->part->q.start);
  if (status == NESS_OK) self->part->q.start[s] = self->transitions;
  return status;
}

static ness_status counts_build(space *self, const stoich_basis *laws)
{
  cme_part *const part = self->part;
  ness_status status = counts_open(self, laws);
  for (int32_t s = 0; status == NESS_OK && s < part->states.n; s++) {
    if (s % 1024 == 0 && interrupt_pending()) status = NESS_INTERRUPTED;
    if (status == NESS_OK) status = space_row(self, s);
    if (status) break;
    status = counts_expand(self, s);
    if (!self->measure) part->q.start[s + 1] = self->transitions;
  }
  return status;
}

/* --- a set of states that is chosen from outside (projection.c) --- */

ness_status space_grow(space *self, const bool *from, int32_t first, int32_t last)
{
  self->measure = true;
  ness_status status = NESS_OK;
  for (int32_t s = first; status == NESS_OK && s < last; s++) {
    if (s % 1024 == 0 && interrupt_pending()) status = NESS_INTERRUPTED;
    if (status == NESS_OK && (!from || from[s])) status = counts_expand(self, s);
  }
  self->transitions = 0;
  return status;
}

ness_status space_keep(space *self, const bool *keep)
{
  cme_states *const states = &self->part->states;
  int32_t kept = 0;
  for (int32_t s = 0; s < states->n; s++) {
    if (!keep[s]) continue;
    for (int64_t w = 0; w < states->words; w++) {
      states->key[(int64_t)kept * states->words + w] = states->key[(int64_t)s * states->words + w];
    }
    kept++;
  }
  states->n = kept;
  return table_fill(self, self->table_size);
}

int32_t space_find(space *self, const int64_t *n)
{
  uint64_t *const key = self->keys;
  if (!states_key(self->part, n, key)) return -1;
  return table_find(self, key_tag(key, self->part->states.words), key)->id - 1;
}

/* The transitions out of a state that stay in the set; the rate of the others. */
static ness_status counts_close(space *self, int32_t from, double *outflow)
{
  int32_t count = 0;
  cme_counts(self->part, from, self->n);
  ness_status status = counts_ways(self, &count);
  *outflow = 0;
  for (int32_t k = 0; status == NESS_OK && k < count; k++) {
    const way *const w = &self->ways[k];
    const int32_t to = table_find(self, w->tag, self->keys + (int64_t)k * self->part->states.words)->id - 1;
    if (to < 0) *outflow += w->rate;
    else status = space_transition(self, to, w->dir, w->rate);
  }
  return status;
}

ness_status space_close(space *self, double *outflow)
{
  cme_part *const part = self->part;
  ness_status status = NESS_OK;
  self->measure = false;
  self->transitions = 0;
  for (int32_t s = 0; status == NESS_OK && s < part->states.n; s++) {
    if (s % 1024 == 0 && interrupt_pending()) status = NESS_INTERRUPTED;
    if (status == NESS_OK) status = space_row(self, s);
    if (status) break;
    status = counts_close(self, s, &outflow[s]);
    part->q.start[s + 1] = self->transitions;
  }
  part->q.n = part->states.n;
  return status;
}

/* --- copies --- */

/* The slot of the part, by its place, that one copy in `place` (-1 outside) is in after an event of the direction. */
static int32_t copy_goes(const space *self, int32_t dir, int32_t place)
{
  const ness_network *const net = self->net;
  const int32_t step = dir / 2, way_of = dir % 2 ? -1 : 1;
  int32_t to = net->change_start[step] == net->change_start[step + 1] ? place : -1;
  for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++) {
    if (way_of * net->change_by[k] > 0) to = part_place(self->part, net->change_slot[k]);
  }
  return to;
}

/* The state of a copy in `place`, new or known; `state_of` (nslot + 1) has outside first. */
static ness_status copy_state(space *self, int32_t place, int32_t *state_of, int32_t *id)
{
  cme_states *const states = &self->part->states;
  *id = state_of[place + 1] - 1;
  if (*id >= 0) return NESS_OK;
  if (states->n >= self->max_states) return space_overflow(self);
  const ness_status status =
      space_room(self, &states->place, &self->place_capacity, (int64_t)states->n + 1, sizeof *states->place);
  if (status) return status;
  states->place[states->n] = place;
  *id = states->n++;
  state_of[place + 1] = states->n;
  return NESS_OK;
}

/* Directions by the place they take a copy from, outside first: by_place[start[place + 1]] ... */
static ness_status copies_index(const space *self, int32_t **start, int32_t **by_place)
{
  const cme_part *const part = self->part;
  const ness_network *const net = self->net;
  int32_t *const at = *start = mem_zero((size_t)part->nslot + 3, sizeof *at);
  int32_t *const ids = *by_place = mem_zero((size_t)self->ndir + 1, sizeof *ids);
  if (!at || !ids) return NESS_NOMEM;
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t k = 0; k < self->ndir; k++) {
      const int32_t r = net->react_start[self->dir[k]];
      const bool makes = r == net->react_start[self->dir[k] + 1];
      const int32_t place = makes ? -1 : part_place(part, net->react_slot[r]);
      if (pass == 0) at[place + 3]++;
      else ids[at[place + 2]++] = self->dir[k];
    }
    if (pass == 0) {
      for (int32_t i = 1; i < part->nslot + 3; i++) at[i] += at[i - 1];
    }
  }
  return NESS_OK; /* at[place + 1] is now the start of place, at[place + 2] its end */
}

static ness_status copies_build(space *self)
{
  cme_part *const part = self->part;
  const ness_network *const net = self->net;
  int32_t *start = NULL, *by_place = NULL, id = 0;
  int32_t *const state_of = mem_zero((size_t)part->nslot + 2, sizeof *state_of);
  ness_status status = state_of ? copies_index(self, &start, &by_place) : NESS_NOMEM;
  if (status == NESS_OK && part->kind == CME_OPEN) status = copy_state(self, -1, state_of, &id);
  for (int32_t i = 0; status == NESS_OK && i < part->nslot; i++) {
    if (net->slot_start[part->slot[i]] > 0) status = copy_state(self, i, state_of, &id);
  }
  for (int32_t s = 0; status == NESS_OK && s < part->states.n; s++) {
    const int32_t place = part->states.place[s];
    if (s % 1024 == 0 && interrupt_pending()) status = NESS_INTERRUPTED;
    if (status == NESS_OK) status = space_row(self, s);
    if (status) break;
    for (int32_t k = start[place + 1]; status == NESS_OK && k < start[place + 2]; k++) {
      const double rate = net->dir_k[by_place[k]];
      if (!(rate >= 0) || isinf(rate)) status = space_bad_rate(self, by_place[k], rate);
      if (status || rate == 0) continue;
      status = copy_state(self, copy_goes(self, by_place[k], place), state_of, &id);
      if (status == NESS_OK) status = space_transition(self, id, by_place[k], rate);
    }
    if (!self->measure) part->q.start[s + 1] = self->transitions;
  }
  mem_free(state_of);
  mem_free(start);
  mem_free(by_place);
  return status;
}

/* --- the start --- */

static ness_status space_starts(const ness_network *net, cme_part *part)
{
  int32_t held = 0;
  for (int32_t i = 0; i < part->nslot; i++)
    held += net->slot_start[part->slot[i]] > 0 && !(part->driven && network_is_level(net, part->slot[i]));
  part->start = mem_zero((size_t)held + 1, sizeof *part->start);
  part->start_weight = mem_zero((size_t)held + 1, sizeof *part->start_weight);
  if (!part->start || !part->start_weight) return NESS_NOMEM;
  if (part->driven) { /* the first states listed, in the order of their slots */
    for (int32_t i = 0; i < part->nslot; i++) {
      const int32_t slot = part->slot[i];
      if (net->slot_start[slot] == 0 || network_is_level(net, slot)) continue;
      part->start[part->nstart] = part->nstart;
      part->start_weight[part->nstart++] = (double)net->slot_start[slot] / (double)part->copies;
    }
    return NESS_OK;
  }
  if (part->kind != CME_COPIES) { /* the first state listed */
    part->nstart = 1;
    part->start_weight[0] = 1;
    return NESS_OK;
  }
  for (int32_t s = 0; s < held; s++) { /* so are these, in order */
    part->start[s] = s;
    part->start_weight[s] = (double)net->slot_start[part->slot[part->states.place[s]]] / (double)part->copies;
  }
  part->nstart = held;
  return NESS_OK;
}

/* --- the doors --- */

static ness_status space_init(space *self)
{
  const ness_network *const net = self->net;
  const cme_part *const part = self->part;
  const size_t nslot = (size_t)net->nslot + 1, ndir = 2 * (size_t)part->nstep + 1;
  self->n = mem_zero(nslot, sizeof *self->n);
  self->after = mem_zero(nslot, sizeof *self->after);
  self->scratch = mem_zero((size_t)net->tape_max + 1, sizeof *self->scratch);
  self->dir = mem_zero(ndir, sizeof *self->dir);
  self->ways = mem_zero(ndir, sizeof *self->ways);
  if (!self->n || !self->after || !self->scratch || !self->dir || !self->ways) return NESS_NOMEM;
  for (int32_t i = 0; i < net->nslot; i++) self->n[i] = net->slot_start[i];
  for (int32_t i = 0; part->driven && i < part->nslot; i++) {
    if (!network_is_level(net, part->slot[i])) self->n[part->slot[i]] = 0;
  }
  for (int32_t k = 0; k < 2 * part->nstep; k++) {
    const int32_t dir = 2 * part->step[k / 2] + k % 2;
    if (net->dir_law[dir] != LAW_NONE) self->dir[self->ndir++] = dir;
  }
  return NESS_OK;
}

static void space_clear(space *self)
{
  mem_free(self->n);
  mem_free(self->after);
  mem_free(self->scratch);
  mem_free(self->dir);
  mem_free(self->ways);
  mem_free(self->keys);
  mem_free(self->table);
}

ness_status space_open(const ness_network *net, const stoich_basis *laws, cme_part *part, int64_t max_states,
                       ness_diags *diags, space **out)
{
  space *const self = *out = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  *self = (space){.net = net, .part = part, .max_states = max_states, .measure = true, .diags = diags};
  const ness_status status = space_init(self);
  return status ? status : counts_open(self, laws);
}

void space_shut(space *self)
{
  if (self) space_clear(self);
  mem_free(self);
}

ness_status space_build(const ness_network *net, const stoich_basis *laws, cme_part *part, int64_t max_states,
                        bool measure, int64_t *transitions, ness_diags *diags)
{
  space self = {.net = net, .part = part, .max_states = max_states, .measure = measure, .diags = diags};
  ness_status status = space_init(&self);
  const int32_t before = diag_errors(diags);
  if (status == NESS_OK) status = part->kind == CME_COUNTS ? counts_build(&self, laws) : copies_build(&self);
  if (status == NESS_LIMIT && diag_errors(diags) == before) {
    char name[160];
    part_describe(net, part, name);
    diag_add(diags, NESS_ERROR, "%s does not fit in memory with %d states", name, (int)part->states.n);
  }
  part->q.n = part->states.n;
  *transitions += self.transitions;
  if (status == NESS_OK) status = space_starts(net, part);
  if (status == NESS_OK && !measure && !part->q.to) { /* no transition at all */
    part->q.to = mem_zero(1, sizeof *part->q.to);
    part->q.rate = mem_zero(1, sizeof *part->q.rate);
    part->dir = mem_zero(1, sizeof *part->dir);
    if (!part->q.to || !part->q.rate || !part->dir) status = NESS_NOMEM;
  }
  space_clear(&self);
  return status;
}
