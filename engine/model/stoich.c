/* Conservation laws and cycles of the change matrix, in exact integers. Invariant: a basis is returned only after every
 * vector of it was multiplied with the matrix in integers and gave zero, and independence is proved, not guessed.
 * Method: sparse elimination over the integers modulo the prime 2^61 - 1, where nothing grows; a vector that stays
 * independent there is independent; one that vanishes gives its relation, brought back to integers by rational
 * reconstruction (Wang, Guy, Davenport 1982). Fraction-free elimination would overflow on networks of a few hundred
 * bimolecular steps. Relations that need numbers beyond 2^30 are NESS_NUMERIC. Cost: about vectors x rank sparse row
 * operations; a thousand by a thousand takes milliseconds, and below 0.2 s when it fills in. */
#include "stoich.h"
#include "compile.h"

#include <string.h>

#define PRIME ((UINT64_C(1) << 61) - 1)
#define EXACT_MAX (INT64_C(1) << 30) /* twice its square is below the prime: reconstruction is unique */

__extension__ typedef unsigned __int128 stoich_u128;
__extension__ typedef __int128 stoich_i128;

/* --- the field --- */

static inline uint64_t field_multiply(uint64_t a, uint64_t b)
{
  const stoich_u128 product = (stoich_u128)a * b;
  const uint64_t sum = (uint64_t)(product & PRIME) + (uint64_t)(product >> 61);
  return sum >= PRIME ? sum - PRIME : sum;
}

static inline uint64_t field_subtract(uint64_t a, uint64_t b)
{
  return a >= b ? a - b : a + PRIME - b;
}

static inline uint64_t field_of(int64_t value)
{
  return value >= 0 ? (uint64_t)value : PRIME - (uint64_t)-value;
}

/* 1/a by Euclid. */
static uint64_t field_inverse(uint64_t a)
{
  int64_t r0 = (int64_t)PRIME, r1 = (int64_t)a, t0 = 0, t1 = 1;
  while (r1 > 1) {
    const int64_t quotient = r0 / r1, r2 = r0 - quotient * r1, t2 = t0 - quotient * t1;
    r0 = r1;
    r1 = r2;
    t0 = t1;
    t1 = t2;
  }
  return field_of(t1);
}

/* The smallest denominator of a residue as a fraction of numbers up to EXACT_MAX; 0 when there is none. */
static int64_t field_denominator(uint64_t a)
{
  int64_t r0 = (int64_t)PRIME, r1 = (int64_t)a, t0 = 0, t1 = 1;
  while (r1 > EXACT_MAX) {
    const int64_t quotient = r0 / r1, r2 = r0 - quotient * r1, t2 = t0 - quotient * t1;
    r0 = r1;
    r1 = r2;
    t0 = t1;
    t1 = t2;
  }
  t1 = t1 < 0 ? -t1 : t1;
  return t1 <= EXACT_MAX ? t1 : 0;
}

/* --- the matrix: vectors in rows --- */

typedef struct matrix {
  int32_t vectors, places;
  const int64_t *start; /* (vectors + 1) */
  const int32_t *place;
  const int32_t *by;
} matrix;

typedef struct entry {
  int32_t at; /* a place in elimination order, or a pivot */
  uint64_t value;
} entry;

/* A growing array of entries in rows. */
typedef struct rows {
  entry *entry;
  int64_t *start; /* (vectors + 1) */
  int64_t count, capacity;
} rows;

typedef struct elimination {
  const matrix *of;
  int32_t rank;
  int32_t *order;    /* (places) position in elimination order: places that few vectors touch come first */
  int32_t *pivot_at; /* (places) by position: pivot that leads here, -1 none */
  int32_t *vector;   /* (rank) the vector that became this pivot */
  uint64_t *scale;   /* (rank) pivot = scale * (vector - sum of its record over earlier pivots) */
  rows pivot;        /* the pivots without their leading 1, by position */
  rows record;       /* what was subtracted: earlier pivots and factors */
  uint64_t *value;   /* (places) the vector at work, by position */
  uint64_t *bits;    /* set where value was touched */
  int32_t *touched;  /* (places) list of them */
  int32_t ntouched;
  uint64_t *weight; /* (vectors) of pivots on the way back */
} elimination;

static void elimination_free(elimination *self)
{
  mem_free(self->order);
  mem_free(self->pivot_at);
  mem_free(self->vector);
  mem_free(self->scale);
  mem_free(self->pivot.entry);
  mem_free(self->pivot.start);
  mem_free(self->record.entry);
  mem_free(self->record.start);
  mem_free(self->value);
  mem_free(self->bits);
  mem_free(self->touched);
  mem_free(self->weight);
}

/* Places by how many vectors touch them, ascending, by counting: hubs such as ATP come last and fill in least. */
static bool elimination_order(elimination *self)
{
  const matrix *of = self->of;
  const size_t places = (size_t)of->places;
  int32_t *degree = mem_zero(places, sizeof *degree), *first = mem_zero((size_t)of->vectors + 2, sizeof *first);
  const bool good = degree && first;
  if (good) {
    for (int64_t k = 0; k < of->start[of->vectors]; k++) {
      degree[of->place[k]]++;
    }
    for (size_t i = 0; i < places; i++) {
      first[degree[i] + 1]++;
    }
    for (int32_t d = 0; d <= of->vectors; d++) {
      first[d + 1] += first[d];
    }
    for (size_t i = 0; i < places; i++) {
      self->order[i] = first[degree[i]]++;
      self->pivot_at[i] = -1;
    }
  }
  mem_free(degree);
  mem_free(first);
  return good;
}

static bool elimination_init(elimination *self, const matrix *of)
{
  const size_t places = (size_t)of->places, vectors = (size_t)of->vectors;
  *self = (elimination){.of = of};
  self->order = mem_zero(places, sizeof *self->order);
  self->pivot_at = mem_zero(places, sizeof *self->pivot_at);
  self->vector = mem_zero(vectors, sizeof *self->vector);
  self->scale = mem_zero(vectors, sizeof *self->scale);
  self->pivot.start = mem_zero(vectors + 1, sizeof *self->pivot.start);
  self->record.start = mem_zero(vectors + 1, sizeof *self->record.start);
  self->value = mem_zero(places, sizeof *self->value);
  self->bits = mem_zero(places / 64 + 1, sizeof *self->bits);
  self->touched = mem_zero(places, sizeof *self->touched);
  self->weight = mem_zero(vectors, sizeof *self->weight);
  return self->order && self->pivot_at && self->vector && self->scale && self->pivot.start && self->record.start &&
         self->value && self->bits && self->touched && self->weight && elimination_order(self);
}

static bool rows_put(rows *self, int32_t at, uint64_t value)
{
  if (!mem_grow(&self->entry, &self->capacity, self->count + 1, sizeof *self->entry)) {
    return false;
  }
  self->entry[self->count++] = (entry){at, value};
  return true;
}

static inline void elimination_add(elimination *self, int32_t at, uint64_t minus)
{
  uint64_t *const word = &self->bits[at / 64];
  const uint64_t bit = UINT64_C(1) << (at % 64);
  if (!(*word & bit)) {
    *word |= bit;
    self->touched[self->ntouched++] = at;
  }
  self->value[at] = field_subtract(self->value[at], minus);
}

/* The first position from `from` on where the value is not zero, -1 when there is none. */
static int32_t elimination_leading(const elimination *self, int32_t from)
{
  const int32_t words = self->of->places / 64 + 1;
  for (int32_t w = from / 64; w < words; w++) {
    uint64_t word = self->bits[w] & (w == from / 64 ? ~UINT64_C(0) << (from % 64) : ~UINT64_C(0));
    for (; word; word &= word - 1) {
      const int32_t at = w * 64 + (int32_t)__builtin_ctzll(word);
      if (self->value[at] != 0) {
        return at;
      }
    }
  }
  return -1;
}

/* Takes vector v through the pivots found so far. *leading is -1 when nothing of it is left. What was subtracted is the
 * open row of `record`. */
static bool elimination_reduce(elimination *self, int32_t v, int32_t *leading)
{
  const matrix *of = self->of;
  int32_t from = of->places;
  for (int64_t k = of->start[v]; k < of->start[v + 1]; k++) {
    const int32_t at = self->order[of->place[k]];
    elimination_add(self, at, field_of(-(int64_t)of->by[k]));
    from = at < from ? at : from;
  }
  *leading = from < of->places ? elimination_leading(self, from) : -1;
  while (*leading >= 0 && self->pivot_at[*leading] >= 0) {
    const int32_t p = self->pivot_at[*leading];
    const uint64_t factor = self->value[*leading];
    if (!rows_put(&self->record, p, factor)) {
      return false;
    }
    self->value[*leading] = 0;
    for (int64_t k = self->pivot.start[p]; k < self->pivot.start[p + 1]; k++) {
      elimination_add(self, self->pivot.entry[k].at, field_multiply(factor, self->pivot.entry[k].value));
    }
    *leading = elimination_leading(self, *leading + 1);
  }
  return true;
}

/* What is left of vector v becomes a pivot with a leading 1. */
static bool elimination_keep(elimination *self, int32_t v, int32_t leading)
{
  const int32_t p = self->rank;
  const uint64_t scale = field_inverse(self->value[leading]);
  for (int32_t t = 0; t < self->ntouched; t++) {
    const int32_t at = self->touched[t];
    if (at != leading && self->value[at] != 0 && !rows_put(&self->pivot, at, field_multiply(scale, self->value[at]))) {
      return false;
    }
  }
  self->pivot_at[leading] = p;
  self->vector[p] = v;
  self->scale[p] = scale;
  self->pivot.start[p + 1] = self->pivot.count;
  self->record.start[p + 1] = self->record.count;
  self->rank = p + 1;
  return true;
}

static void elimination_clear(elimination *self)
{
  for (int32_t t = 0; t < self->ntouched; t++) {
    const int32_t at = self->touched[t];
    self->value[at] = 0;
    self->bits[at / 64] = 0;
  }
  self->ntouched = 0;
}

/* --- relations --- */

typedef struct relation {
  int32_t *id;
  uint64_t *residue;
  int64_t *by;
  int32_t count;
} relation;

static bool relation_init(relation *self, int32_t vectors)
{
  *self = (relation){mem_zero((size_t)vectors, sizeof *self->id), mem_zero((size_t)vectors, sizeof *self->residue),
                     mem_zero((size_t)vectors, sizeof *self->by), 0};
  return self->id && self->residue && self->by;
}

static void relation_free(relation *self)
{
  mem_free(self->id);
  mem_free(self->residue);
  mem_free(self->by);
}

/* The relation behind a vector that vanished, from the open row of the record back through the rows of the pivots.
 * Pivots were made in the order of their vectors, so the ids come out descending. */
static void relation_unfold(relation *self, elimination *from, int32_t v)
{
  const int64_t open = from->record.start[from->rank];
  self->count = 0;
  self->id[self->count] = v;
  self->residue[self->count++] = 1;
  int32_t top = -1;
  for (int64_t k = open; k < from->record.count; k++) {
    const entry *e = &from->record.entry[k];
    from->weight[e->at] = field_subtract(0, e->value);
    top = e->at > top ? e->at : top;
  }
  for (int32_t p = top; p >= 0; p--) {
    if (from->weight[p] == 0) {
      continue;
    }
    const uint64_t weight = field_multiply(from->weight[p], from->scale[p]);
    from->weight[p] = 0;
    self->id[self->count] = from->vector[p];
    self->residue[self->count++] = weight;
    for (int64_t k = from->record.start[p]; k < from->record.start[p + 1]; k++) {
      const entry *e = &from->record.entry[k];
      from->weight[e->at] = field_subtract(from->weight[e->at], field_multiply(weight, e->value));
    }
  }
  from->record.count = open;
}

/* Residues to integers, ascending ids, positive at the lowest. They have no common factor: one of the residues is 1,
 * and `common` is no more than the least common denominator. */
static bool relation_integers(relation *self)
{
  uint64_t common = 1;
  for (int32_t k = 0; k < self->count; k++) {
    const int64_t denominator = field_denominator(field_multiply(self->residue[k], common));
    if (denominator == 0 || (int64_t)common > EXACT_MAX / denominator) {
      return false;
    }
    common *= (uint64_t)denominator;
  }
  for (int32_t k = 0; k < self->count; k++) {
    const uint64_t value = field_multiply(self->residue[k], common);
    self->by[k] = value > PRIME / 2 ? -(int64_t)(PRIME - value) : (int64_t)value;
  }
  const int64_t sign = self->by[self->count - 1] < 0 ? -1 : 1;
  for (int32_t low = 0, high = self->count - 1; low <= high; low++, high--) {
    const int32_t id = self->id[low];
    const int64_t by = self->by[low];
    self->id[low] = self->id[high];
    self->by[low] = self->by[high] * sign;
    self->id[high] = id;
    self->by[high] = low == high ? self->by[high] : by * sign;
  }
  return true;
}

/* The proof: the sum over the integers is zero at every place. `sum` has a zero for every place and gets it back. */
static bool relation_holds(const relation *self, const matrix *of, stoich_i128 *sum)
{
  bool zero = true;
  for (int32_t k = 0; k < self->count; k++) {
    for (int64_t e = of->start[self->id[k]]; e < of->start[self->id[k] + 1]; e++) {
      sum[of->place[e]] += (stoich_i128)self->by[k] * of->by[e];
    }
  }
  for (int32_t k = 0; k < self->count; k++) {
    for (int64_t e = of->start[self->id[k]]; e < of->start[self->id[k] + 1]; e++) {
      zero = zero && sum[of->place[e]] == 0;
      sum[of->place[e]] = 0;
    }
  }
  return zero;
}

/* --- the basis --- */

typedef struct basis_room {
  int64_t start, id, by; /* capacities */
} basis_room;

static ness_status basis_put(stoich_basis *out, basis_room *room, const relation *add)
{
  const int64_t at = out->start[out->count], end = at + add->count;
  if (end >= MODEL_SIZE_MAX) {
    return NESS_LIMIT;
  }
  if (!mem_grow(&out->start, &room->start, out->count + 2, sizeof *out->start) ||
      !mem_grow(&out->id, &room->id, end, sizeof *out->id) || !mem_grow(&out->by, &room->by, end, sizeof *out->by)) {
    return NESS_NOMEM;
  }
  memcpy(out->id + at, add->id, (size_t)add->count * sizeof *out->id);
  memcpy(out->by + at, add->by, (size_t)add->count * sizeof *out->by);
  out->start[++out->count] = (int32_t)end;
  return NESS_OK;
}

/* All relations among the vectors of a matrix: those that a vector has with earlier ones. */
static ness_status basis_of(const matrix *of, stoich_basis *out)
{
  elimination work;
  relation found = {0};
  basis_room room = {0};
  stoich_i128 *sum = mem_zero((size_t)of->places, sizeof *sum);
  ness_status status = NESS_OK;
  *out = (stoich_basis){0};
  const bool ready = elimination_init(&work, of);
  if (!ready || !sum || !relation_init(&found, of->vectors) ||
      !mem_grow(&out->start, &room.start, 1, sizeof *out->start)) {
    status = NESS_NOMEM;
  } else {
    out->start[0] = 0;
  }
  for (int32_t v = 0; v < of->vectors && !status; v++) {
    int32_t leading;
    if (!elimination_reduce(&work, v, &leading)) {
      status = NESS_NOMEM;
    } else if (leading >= 0) {
      status = elimination_keep(&work, v, leading) ? NESS_OK : NESS_NOMEM;
    } else {
      relation_unfold(&found, &work, v);
      status = relation_integers(&found) && relation_holds(&found, of, sum) ? NESS_OK : NESS_NUMERIC;
      status = status ? status : basis_put(out, &room, &found);
    }
    elimination_clear(&work);
  }
  elimination_free(&work);
  relation_free(&found);
  mem_free(sum);
  if (status) {
    stoich_free(out);
  }
  return status;
}

ness_status stoich_cycles(const ness_network *net, stoich_basis *out)
{
  *out = (stoich_basis){0};
  int64_t *start = mem_zero((size_t)net->nstep + 1, sizeof *start);
  if (!start) {
    return NESS_NOMEM;
  }
  for (int32_t s = 0; s <= net->nstep; s++) {
    start[s] = net->change_start[s];
  }
  const matrix steps = {net->nstep, net->nslot, start, net->change_slot, net->change_by};
  const ness_status status = basis_of(&steps, out);
  mem_free(start);
  return status;
}

static bool is_off(const ness_network *net, int32_t step)
{
  return net->dir_law[2 * step] == LAW_NONE && net->dir_law[2 * step + 1] == LAW_NONE;
}

/* Laws of all steps, or of those that are not off. */
static ness_status laws_of(const ness_network *net, bool running, stoich_basis *out)
{
  *out = (stoich_basis){0};
  ness_status status = NESS_NOMEM;
  int64_t *start = mem_zero((size_t)net->nslot + 2, sizeof *start);
  int32_t *step = mem_zero((size_t)net->nchange, sizeof *step), *by = mem_zero((size_t)net->nchange, sizeof *by);
  if (start && step && by) {
    for (int32_t s = 0; s < net->nstep; s++) {
      if (running && is_off(net, s)) continue;
      for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
        start[net->change_slot[c] + 2]++;
      }
    }
    for (int32_t i = 0; i < net->nslot; i++) {
      start[i + 2] += start[i + 1];
    }
    for (int32_t s = 0; s < net->nstep; s++) {
      if (running && is_off(net, s)) continue;
      for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
        const int64_t at = start[net->change_slot[c] + 1]++;
        step[at] = s;
        by[at] = net->change_by[c];
      }
    }
    const matrix slots = {net->nslot, net->nstep, start, step, by};
    status = basis_of(&slots, out);
  }
  mem_free(start);
  mem_free(step);
  mem_free(by);
  return status;
}

ness_status stoich_laws(const ness_network *net, stoich_basis *out)
{
  return laws_of(net, false, out);
}

ness_status stoich_laws_running(const ness_network *net, stoich_basis *out)
{
  return laws_of(net, true, out);
}

void stoich_free(stoich_basis *self)
{
  mem_free(self->start);
  mem_free(self->id);
  mem_free(self->by);
  *self = (stoich_basis){0};
}
