/* Keys of states: the counts of a part's slots packed into 64-bit words, each slot with as many bits as its counts have
 * needed so far. A slot that a conservation law gives (a coefficient of one, and no other law needs it) takes no bits.
 * Invariant: equal counts have equal keys, and a key holds its counts exactly. Cost: linear in the slots. */
#include "engine/cme/space.h"

static int32_t bits_for(uint64_t most)
{
  int32_t bits = 0;
  while (most >> bits) bits++;
  return bits > 0 ? bits : 1;
}

static int64_t given_count(const cme_part *part, const cme_given *g, const int64_t *n)
{
  int64_t count = g->total;
  for (int32_t k = 0; k < g->nother; k++) count -= g->by[k] * n[part->slot[g->other[k]]];
  return g->own * count;
}

/* --- laws --- */

int32_t part_place(const cme_part *part, int32_t slot)
{
  int32_t low = 0, high = part->nslot;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (part->slot[middle] < slot) low = middle + 1;
    else high = middle;
  }
  return low < part->nslot && part->slot[low] == slot ? low : -1;
}

/* Takes a law whose slots no law before it has used; one with a coefficient of one gives its slot away. */
static ness_status law_take(cme_part *part, const stoich_basis *laws, int32_t law, const int64_t *n, bool *used)
{
  const int32_t begin = laws->start[law], end = laws->start[law + 1];
  int32_t pick = -1;
  for (int32_t k = begin; k < end; k++) {
    const int32_t place = part_place(part, laws->id[k]);
    if (place < 0 || used[place]) return NESS_OK;
    if (pick < 0 && (laws->by[k] == 1 || laws->by[k] == -1)) pick = k;
  }
  if (pick < 0) return NESS_OK;
  cme_states *const states = &part->states;
  cme_given *const g = &states->given[states->ngiven];
  *g = (cme_given){.slot = part_place(part, laws->id[pick]), .own = (int32_t)laws->by[pick]};
  g->other = mem_zero((size_t)(end - begin), sizeof *g->other);
  g->by = mem_zero((size_t)(end - begin), sizeof *g->by);
  states->ngiven++;
  if (!g->other || !g->by) return NESS_NOMEM;
  for (int32_t k = begin; k < end; k++) {
    const int32_t place = part_place(part, laws->id[k]);
    g->total += laws->by[k] * n[laws->id[k]];
    used[place] = true;
    if (k == pick) continue;
    g->other[g->nother] = place;
    g->by[g->nother++] = laws->by[k];
  }
  return NESS_OK;
}

static ness_status states_laws(cme_part *part, const stoich_basis *laws, const int64_t *n)
{
  bool *const used = mem_zero((size_t)part->nslot + 1, sizeof *used);
  part->states.given = mem_zero((size_t)laws->count + 1, sizeof *part->states.given);
  ness_status status = used && part->states.given ? NESS_OK : NESS_NOMEM;
  for (int32_t law = 0; status == NESS_OK && law < laws->count; law++) status = law_take(part, laws, law, n, used);
  mem_free(used);
  return status;
}

/* --- layout --- */

/* Words and shifts from the masks of the fields that are stored. */
static void states_place(cme_part *part)
{
  cme_states *const self = &part->states;
  int32_t word = 0, bit = 0;
  for (int32_t i = 0; i < part->nslot; i++) {
    cme_field *const f = &self->field[i];
    if (f->word < 0) continue;
    const int32_t bits = bits_for(f->mask);
    if (bit + bits > 64) word++, bit = 0;
    f->word = word;
    f->shift = bit;
    bit += bits;
  }
  self->words = word + 1;
}

ness_status states_layout(const ness_network *net, const stoich_basis *laws, cme_part *part, const int64_t *n)
{
  cme_states *const self = &part->states;
  self->field = mem_zero((size_t)part->nslot + 1, sizeof *self->field);
  if (!self->field) return NESS_NOMEM;
  /* Driven copies start in several slots, and a law need not hold the same in all of them. */
  const ness_status status = part->driven ? NESS_OK : states_laws(part, laws, n);
  if (status) return status;
  for (int32_t i = 0; i < part->nslot; i++) {
    const int64_t max = net->slot_max[part->slot[i]];
    const uint64_t start = (uint64_t)n[part->slot[i]], most = part->driven ? 1
                                                              : max < 256  ? (uint64_t)max
                                                              : start < 8  ? 15
                                                                           : 2 * start;
    self->field[i].mask = (UINT64_C(1) << bits_for(most)) - 1;
  }
  for (int32_t k = 0; k < self->ngiven; k++) self->field[self->given[k].slot].word = -1;
  states_place(part);
  return NESS_OK;
}

bool states_key(const cme_part *part, const int64_t *n, uint64_t *key)
{
  const cme_states *const self = &part->states;
  for (int32_t w = 0; w < self->words; w++) key[w] = 0;
  for (int32_t i = 0; i < part->nslot; i++) {
    const cme_field *const f = &self->field[i];
    if (f->word < 0) continue;
    const uint64_t count = (uint64_t)n[part->slot[i]];
    if (count > f->mask) return false;
    key[f->word] |= count << f->shift;
  }
  return true;
}

static void key_counts(const cme_part *part, const uint64_t *key, int64_t *n)
{
  const cme_states *const self = &part->states;
  for (int32_t i = 0; i < part->nslot; i++) {
    const cme_field *const f = &self->field[i];
    if (f->word >= 0) n[part->slot[i]] = (int64_t)(key[f->word] >> f->shift & f->mask);
  }
  for (int32_t k = 0; k < self->ngiven; k++) {
    n[part->slot[self->given[k].slot]] = given_count(part, &self->given[k], n);
  }
}

void cme_counts(const cme_part *self, int32_t state, int64_t *n)
{
  if (self->states.place) {
    for (int32_t i = 0; i < self->nslot; i++) n[self->slot[i]] = 0;
    if (self->states.place[state] >= 0) n[self->slot[self->states.place[state]]] = 1;
    return;
  }
  key_counts(self, self->states.key + (int64_t)state * self->states.words, n);
}

ness_status states_widen(cme_part *part, const int64_t *n)
{
  cme_states *const self = &part->states;
  const cme_states old = *self;
  const size_t nslot = (size_t)part->nslot + 1;
  int32_t top = 0; /* one past the highest slot of the part: the length of a row of counts */
  for (int32_t i = 0; i < part->nslot; i++) top = part->slot[i] + 1;
  cme_field *const field = mem_zero(nslot, sizeof *field);
  int64_t *const counts = mem_zero((size_t)top + 1, sizeof *counts);
  uint64_t *key = NULL;
  ness_status status = NESS_NOMEM;
  if (!field || !counts) goto out;
  for (int32_t i = 0; i < part->nslot; i++) {
    field[i] = old.field[i];
    if (field[i].word < 0 || (uint64_t)n[part->slot[i]] <= field[i].mask) continue;
    field[i].mask = (UINT64_C(1) << (bits_for((uint64_t)n[part->slot[i]]) + 1)) - 1;
  }
  self->field = field;
  states_place(part);
  if ((size_t)self->words * (size_t)old.n * sizeof *key > mem_available()) {
    status = NESS_LIMIT;
  } else {
    key = mem_alloc(((size_t)old.n + 1) * (size_t)self->words * sizeof *key);
  }
  if (!key) {
    *self = old;
    goto out;
  }
  const int32_t words = self->words;
  for (int32_t s = 0; s < old.n; s++) {
    self->field = old.field;
    key_counts(part, old.key + (int64_t)s * old.words, counts);
    self->field = field;
    states_key(part, counts, key + (int64_t)s * words);
  }
  self->key = key;
  mem_free(old.key);
  mem_free(old.field);
  mem_free(counts);
  return NESS_OK;
out:
  mem_free(field);
  mem_free(counts);
  return status;
}

void states_free(cme_states *self)
{
  for (int32_t k = 0; self->given && k < self->ngiven; k++) {
    mem_free(self->given[k].other);
    mem_free(self->given[k].by);
  }
  mem_free(self->given);
  mem_free(self->field);
  mem_free(self->key);
  mem_free(self->place);
  *self = (cme_states){0};
}
