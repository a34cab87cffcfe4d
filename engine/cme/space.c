/* The states of a part, found breadth first from the start with a hash of the counts, and the transitions between them.
 * State ids are in the order of discovery, edges in the order of (state, direction); every edge knows the edge of the
 * way back. For independent copies the states are those of one copy, found from every slot that holds one; in exchange
 * with reservoirs the state without a copy is the place outside, from which alone copies are made. Memory is
 * checked against what the machine has before it grows. Cost: states * directions propensities. */
#include "engine/cme/space.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct space {
  const ness_network *net;
  cme_part *part;
  int64_t max_states;
  ness_diags *diags;
  int64_t *n, *after; /* (network nslot) */
  double *scratch;    /* (tape_max) */
  int32_t *table;     /* open addressing: state + 1, 0 empty */
  int64_t table_size, count_capacity, edge_capacity, start_capacity;
} space;

/* Room for `need` elements of one of the part's arrays. */
static ness_status space_room(const space *self, void *block, int64_t *capacity, int64_t need, size_t width)
{
  const ness_status status = cme_room(block, capacity, need, width);
  if (status == NESS_LIMIT) {
    char name[160];
    part_describe(self->net, self->part, name);
    diag_add(self->diags, NESS_ERROR, "%s does not fit in memory with %d states and %lld transitions", name,
             (int)self->part->nstate, (long long)self->part->nedge);
  }
  return status;
}

/* --- the table of states --- */

static uint64_t counts_hash(const int64_t *count, int32_t n)
{
  uint64_t h = 0x9e3779b97f4a7c15u;
  for (int32_t i = 0; i < n; i++) {
    h = (h ^ (uint64_t)count[i]) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  }
  return h;
}

static const int64_t *state_count(const cme_part *part, int64_t state)
{
  return part->count + state * part->nslot;
}

/* Where `count` is or would be in the table. */
static int64_t table_slot(const space *self, const int64_t *count)
{
  const int32_t nslot = self->part->nslot;
  const uint64_t mask = (uint64_t)self->table_size - 1;
  uint64_t at = counts_hash(count, nslot) & mask;
  while (self->table[at] &&
         memcmp(state_count(self->part, self->table[at] - 1), count, (size_t)nslot * sizeof *count) != 0) {
    at = (at + 1) & mask;
  }
  return (int64_t)at;
}

static ness_status table_grow(space *self)
{
  const int64_t size = self->table_size ? 2 * self->table_size : 64;
  mem_free(self->table);
  self->table = mem_zero((size_t)size, sizeof *self->table);
  if (!self->table) return NESS_NOMEM;
  self->table_size = size;
  for (int32_t i = 0; i < self->part->nstate; i++) self->table[table_slot(self, state_count(self->part, i))] = i + 1;
  return NESS_OK;
}

/* --- what goes wrong --- */

static ness_status space_overflow(const space *self)
{
  const cme_part *const part = self->part;
  char name[160];
  part_describe(self->net, part, name);
  int32_t widest = -1; /* the free slot that holds most */
  int64_t most = -1;
  for (int32_t s = 0; s < part->nstate; s++) {
    for (int32_t i = 0; i < part->nslot; i++) {
      const int64_t count = state_count(part, s)[i];
      if (self->net->slot_max[part->slot[i]] != MODEL_NO_MAX || count <= most) continue;
      most = count;
      widest = i;
    }
  }
  diag_add(self->diags, NESS_ERROR, "%s has more than %lld states", name, (long long)self->max_states);
  if (part->copies != 1) {
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

/* --- discovery --- */

/* The id of the state with these counts (part's slots), new or known. */
static ness_status space_state(space *self, const int64_t *count, int32_t *id)
{
  cme_part *const part = self->part;
  const int64_t slot = table_slot(self, count);
  *id = self->table[slot] - 1;
  if (*id >= 0) return NESS_OK;
  if (part->nstate >= self->max_states) return space_overflow(self);
  const int64_t need = ((int64_t)part->nstate + 1) * part->nslot;
  ness_status status = space_room(self, &part->count, &self->count_capacity, need + 1, sizeof *part->count);
  if (status) return status;
  for (int32_t i = 0; i < part->nslot; i++) part->count[need - part->nslot + i] = count[i];
  *id = part->nstate++;
  self->table[slot] = part->nstate;
  if (2 * (int64_t)part->nstate > self->table_size) status = table_grow(self);
  return status;
}

static ness_status space_edge(space *self, int32_t from, int32_t dir, double rate)
{
  const ness_network *const net = self->net;
  cme_part *const part = self->part;
  const int32_t step = dir / 2;
  const int way = dir % 2 ? -1 : 1;
  for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++) {
    self->n[net->change_slot[k]] += way * net->change_by[k];
  }
  /* The counts of the part, gathered where the network's own scratch is: `after` is free until the entropy is asked. */
  bool negative = false;
  for (int32_t i = 0; i < part->nslot; i++) {
    self->after[i] = self->n[part->slot[i]];
    negative = negative || self->after[i] < 0;
  }
  int32_t to = -1;
  ness_status status = negative ? NESS_INTERNAL : space_state(self, self->after, &to);
  for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++) {
    self->n[net->change_slot[k]] -= way * net->change_by[k];
  }
  if (status == NESS_OK && part->nedge >= INT32_MAX) status = NESS_LIMIT; /* ids of edges are 32 bits wide */
  if (status == NESS_OK)
    status = space_room(self, &part->edge, &self->edge_capacity, part->nedge + 1, sizeof *part->edge);
  if (status) return status;
  part->edge[part->nedge++] = (cme_edge){
      .from = from,
      .to = to,
      .dir = dir,
      .back = -1,
      .rate = rate,
      .entropy = network_event_entropy(net, step, way, self->n, self->after, self->scratch),
  };
  return NESS_OK;
}

static ness_status space_expand(space *self, int32_t from)
{
  cme_part *const part = self->part;
  for (int32_t i = 0; i < part->nslot; i++) self->n[part->slot[i]] = state_count(part, from)[i];
  for (int32_t k = 0; k < 2 * part->nstep; k++) {
    const int32_t dir = 2 * part->step[k / 2] + k % 2;
    if (self->net->dir_law[dir] == LAW_NONE) continue;
    const bool makes = self->net->react_start[dir] == self->net->react_start[dir + 1];
    if (part->copies == 0 && makes && from != part->start) continue;
    const double rate = network_propensity(self->net, dir, self->n, self->scratch);
    if (!(rate >= 0) || isinf(rate)) return space_bad_rate(self, dir, rate);
    if (rate == 0) continue;
    const ness_status status = space_edge(self, from, dir, rate);
    if (status) return status;
  }
  return NESS_OK;
}

/* The edges of a state are sorted by direction, and no direction occurs twice. */
static void space_pair(cme_part *part)
{
  for (int64_t e = 0; e < part->nedge; e++) {
    cme_edge *const edge = &part->edge[e];
    int64_t low = part->edge_start[edge->to], high = part->edge_start[edge->to + 1];
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (part->edge[middle].dir < (edge->dir ^ 1)) low = middle + 1;
      else high = middle;
    }
    if (low < part->edge_start[edge->to + 1] && part->edge[low].dir == (edge->dir ^ 1)) edge->back = (int32_t)low;
  }
}

/* The states that hold something at t = 0, and their weights once all states are known. */
static ness_status space_starts(space *self, bool weigh)
{
  const ness_network *const net = self->net;
  cme_part *const part = self->part;
  int32_t id;
  if (part->copies == 1) {
    for (int32_t i = 0; i < part->nslot; i++) self->after[i] = net->slot_start[part->slot[i]];
    const ness_status status = space_state(self, self->after, &id);
    part->start = id;
    if (weigh) part->start_weight[id] = 1;
    return status;
  }
  part->start = -1;
  if (part->copies == 0) { /* a steady state forgets where the first copies were */
    for (int32_t i = 0; i < part->nslot; i++) self->after[i] = 0;
    const ness_status status = space_state(self, self->after, &part->start);
    if (weigh) part->start_weight[part->start] = 1;
    if (status) return status;
  }
  for (int32_t i = 0; i < part->nslot; i++) {
    const int64_t held = net->slot_start[part->slot[i]];
    if (held == 0) continue;
    for (int32_t j = 0; j < part->nslot; j++) self->after[j] = i == j;
    const ness_status status = space_state(self, self->after, &id);
    if (status) return status;
    if (weigh && part->copies > 0) part->start_weight[id] = (double)held / (double)part->copies;
  }
  return NESS_OK;
}

ness_status space_build(const ness_network *net, cme_part *part, int64_t max_states, ness_diags *diags)
{
  space self = {.net = net, .part = part, .max_states = max_states, .diags = diags};
  const size_t nslot = (size_t)net->nslot + 1;
  ness_status status = NESS_NOMEM;
  self.n = mem_zero(nslot, sizeof *self.n);
  self.after = mem_zero(nslot, sizeof *self.after);
  self.scratch = mem_zero((size_t)net->tape_max + 1, sizeof *self.scratch);
  if (!self.n || !self.after || !self.scratch) goto out;
  for (int32_t i = 0; i < net->nslot; i++) self.n[i] = net->slot_start[i];
  status = table_grow(&self);
  if (status == NESS_OK) status = space_starts(&self, false);
  for (int32_t s = 0; status == NESS_OK && s < part->nstate; s++) {
    if (s % 1024 == 0 && interrupt_pending()) status = NESS_INTERRUPTED;
    if (status == NESS_OK) {
      status = space_room(&self, &part->edge_start, &self.start_capacity, (int64_t)s + 2, sizeof *part->edge_start);
    }
    if (status) break;
    part->edge_start[s] = part->nedge;
    status = space_expand(&self, s);
    part->edge_start[s + 1] = part->nedge;
  }
  if (status) goto out;
  space_pair(part);
  status = NESS_NOMEM;
  part->start_weight = mem_zero((size_t)part->nstate, sizeof *part->start_weight);
  if (part->start_weight) status = space_starts(&self, true);
out:
  mem_free(self.n);
  mem_free(self.after);
  mem_free(self.scratch);
  mem_free(self.table);
  return status;
}
