/* What loop erasure completed, collected over chunks: cycles under the names of their steps, and passages of edges.
 * Invariant: everything kept is a set or a sum of whole numbers, and caps fill in file order, so nothing depends on the
 * numbers that threads gave to states. A cycle stands under the least of all rotations of its directions and of its
 * reverse (Booth's least rotation); where all rates are mass action, cycles of states that run the same steps share the
 * affinity and are one entry. Cost: O(length) when a cycle is new, which the threads that follow bear but for a cycle
 * that gets a total of its own, else O(1). */
#include "analysis/loops_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- canonical form --- */

/* Where the least rotation of `word` starts. */
static int32_t least_rotation(const int32_t *word, int32_t n)
{
  int32_t i = 0, j = 1, k = 0;
  while (i < n && j < n && k < n) {
    const int32_t a = word[i + k < n ? i + k : i + k - n], b = word[j + k < n ? j + k : j + k - n];
    if (a == b) {
      k++;
      continue;
    }
    *(a > b ? &i : &j) += k + 1;
    if (i == j) j++;
    k = 0;
  }
  return i < j ? i : j;
}

static void rotate(const int32_t *from, int32_t n, int32_t start, int32_t *to)
{
  memcpy(to, from + start, (size_t)(n - start) * sizeof *to);
  memcpy(to + n - start, from, (size_t)start * sizeof *to);
}

static int compare_counts(const loops *self, int32_t p, int32_t a, int32_t b)
{
  const loop_part *const part = &self->part[p];
  for (int32_t i = 0; i < part->nslot; i++) {
    const int64_t x = part->count[(int64_t)a * part->nslot + i], y = part->count[(int64_t)b * part->nslot + i];
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

static bool canonical_grow(loop_canonical *self, int32_t n)
{
  if (!mem_grow(&self->block, &self->room, 6 * (int64_t)n, sizeof *self->block)) return false;
  int32_t **const parts[6] = {&self->dir[0],   &self->dir[1], &self->state[0],
                              &self->state[1], &self->word,   &self->place};
  for (int32_t k = 0; k < 6; k++) *parts[k] = self->block + (int64_t)k * n;
  return true;
}

int32_t loop_orient(const loops *self, const int32_t *edges, int32_t n, loop_canonical *out)
{
  if (!canonical_grow(out, n)) return -1;
  for (int32_t way = 0; way < 2; way++) {
    for (int32_t k = 0; k < n; k++) {
      const loop_edge_data *const edge = &self->edge[edges[way ? n - 1 - k : k]];
      out->word[k] = way ? edge->dir ^ 1 : edge->dir;
      out->place[k] = way ? edge->to : edge->from;
    }
    const int32_t start = least_rotation(out->word, n);
    rotate(out->word, n, start, out->dir[way]);
    rotate(out->place, n, start, out->state[way]);
  }
  const int32_t p = self->edge[edges[0]].part;
  for (int32_t k = 0; k < n; k++)
    if (out->dir[0][k] != out->dir[1][k]) return out->dir[0][k] < out->dir[1][k] ? 0 : 1;
  for (int32_t k = 0; k < n; k++) {
    const int order = compare_counts(self, p, out->state[0][k], out->state[1][k]);
    if (order) return order < 0 ? 0 : 1;
  }
  return 0;
}

uint64_t loop_name(const loops *self, int32_t part, int32_t n, int32_t way, const loop_canonical *form)
{
  const loop_part *const of = &self->part[part];
  uint64_t name = loop_mix((uint64_t)part + 1);
  for (int32_t k = 0; k < n; k++) {
    name = loop_mix(name ^ (uint64_t)form->dir[way][k]);
    if (of->mass) continue; /* else the affinity depends on the states, and they on their counts, not their numbers */
    for (int32_t i = 0; i < of->nslot; i++)
      name = loop_mix(name ^ (uint64_t)of->count[(int64_t)form->state[way][k] * of->nslot + i]);
  }
  return name ? name : 1;
}

/* --- totals --- */

static int64_t total_add(loops *self, int32_t part, int32_t n, const int32_t *dir)
{
  if (!mem_grow(&self->total, &self->total_room, self->totals + 1, sizeof *self->total)) return -1;
  loop_total total = {.part = part, .length = n, .exact = {(double)NAN, (double)NAN}};
  total.dir = mem_alloc((size_t)n * sizeof *dir);
  total.count = mem_zero(2 * (size_t)self->batches, sizeof *total.count);
  if (!total.dir || !total.count) {
    mem_free(total.dir);
    mem_free(total.count);
    return -1;
  }
  memcpy(total.dir, dir, (size_t)n * sizeof *dir);
  self->total[self->totals] = total;
  return self->totals++;
}

/* A total for a cycle that shares none; -1 out of memory, -2 beyond the cap. */
static int64_t total_new(loops *self, const loop_entry *entry, const int32_t *edges)
{
  loop_canonical form = {.room = 0};
  if (self->totals >= LOOP_CYCLES) return -2;
  int64_t total = -1;
  if (loop_orient(self, edges, entry->length, &form) >= 0)
    total = total_add(self, self->edge[edges[0]].part, entry->length, form.dir[entry->way]);
  if (total >= 0 && !loop_map_add(&self->sequence_of, entry->name, total)) total = -1;
  mem_free(form.block);
  return total;
}

/* The total of a new cycle of states with its orientation, 2 * total + way; -1 out of memory, -2 beyond the cap. */
static int64_t cycle_place(loops *self, const loop_entry *entry, const int32_t *edges)
{
  const uint64_t key = entry->key;
  const int32_t p = self->edge[edges[0]].part;
  const int64_t *const known = loop_map_find(&self->sequence_of, entry->name);
  const int64_t total = known ? *known : total_new(self, entry, edges);
  int64_t value = total >= 0 ? 2 * total + entry->way : total;
  /* Remember the key while the map is small; beyond, cycles are told by their sequence each time. */
  if (total >= 0 && self->cycle_of.used < 16 * LOOP_EDGES && !loop_map_add(&self->cycle_of, key, value)) value = -1;
  if (total >= 0 && self->cycle_of.used < 16 * LOOP_EDGES) {
    uint64_t back = 0; /* a path counts once for its two orientations */
    for (int32_t k = 0; k < entry->length; k++) {
      const loop_edge_data *const edge = &self->edge[edges[k]];
      const loop_part *const part = &self->part[p];
      const uint64_t cell = atomic_load(&part->cell[(int64_t)edge->to * part->ndir + self->dir_local[edge->dir ^ 1]]);
      if (!cell) {
        back = 0;
        break;
      }
      back += loop_mix(cell >> 32);
    }
    if (!back || !loop_map_find(&self->cycle_of, back)) self->total[total].paths++;
  }
  return value;
}

/* A row a batch, since a stretch passes many edges in one. */
static bool edge_room(loops *self)
{
  omp_set_lock(&self->lock);
  const int64_t edges = self->nedge, had = self->edge_room, room = 2 * edges;
  omp_unset_lock(&self->lock);
  if (edges <= had) return true;
  double *const fresh = mem_zero((size_t)room * (size_t)self->batches, sizeof *fresh);
  if (!fresh) return false;
  for (int64_t b = 0; b < self->batches && had > 0; b++)
    memcpy(fresh + b * room, self->edge_count + b * had, (size_t)had * sizeof *fresh);
  mem_free(self->edge_count);
  self->edge_count = fresh;
  self->edge_room = room;
  return true;
}

ness_status loops_fold(loops *self, const loop_tally *tally)
{
  if (!edge_room(self)) return NESS_NOMEM;
  for (int64_t i = 0; i < tally->passages; i++) {
    const loop_passage *const passage = &tally->passage[i];
    self->edge_count[passage->batch * self->edge_room + passage->edge] += (double)passage->count;
  }
  for (int64_t i = 0; i < tally->entries; i++) {
    const loop_entry *const entry = &tally->entry[i];
    const double count = (double)entry->count;
    const int64_t *const known = loop_map_find(&self->cycle_of, entry->key);
    const int64_t value = known ? *known : cycle_place(self, entry, tally->sequence + entry->sequence);
    if (value == -1) return NESS_NOMEM;
    if (value < 0) self->unlisted += count;
    else self->total[value / 2].count[value % 2 * self->batches + entry->batch] += count;
  }
  return NESS_OK;
}

/* --- the end --- */

static double sum_of(const double *x, int32_t n)
{
  double sum = 0;
  for (int32_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

static int compare_dirs(const loop_total *a, const loop_total *b)
{
  for (int32_t k = 0; k < a->length && k < b->length; k++)
    if (a->dir[k] != b->dir[k]) return a->dir[k] < b->dir[k] ? -1 : 1;
  return (a->length > b->length) - (a->length < b->length);
}

static const loops *sorted; /* what qsort compares in */
#pragma omp threadprivate(sorted)

static int total_order(const void *x, const void *y)
{
  const loop_total *const a = x, *const b = y;
  if (a->sum != b->sum) return a->sum > b->sum ? -1 : 1;
  const int order = a->part != b->part ? (a->part < b->part ? -1 : 1) : compare_dirs(a, b);
  if (order) return order;
  return memcmp(a->count, b->count, 2 * (size_t)sorted->batches * sizeof *a->count);
}

static int pair_order(const void *x, const void *y)
{
  const int64_t *const a = x, *const b = y;
  const loop_edge_data *const e = &sorted->edge[a[0]], *const f = &sorted->edge[b[0]];
  if (e->part != f->part) return e->part < f->part ? -1 : 1;
  const int order = compare_counts(sorted, e->part, e->from, f->from);
  if (order) return order;
  return (e->dir > f->dir) - (e->dir < f->dir);
}

/* From a row a batch to a row an edge. */
static ness_status edges_turn(loops *self)
{
  double *const turned = mem_alloc(((size_t)self->nedge * (size_t)self->batches + 1) * sizeof *turned);
  if (!edge_room(self) || !turned) {
    mem_free(turned);
    return NESS_NOMEM;
  }
  for (int64_t e = 0; e < self->nedge; e++)
    for (int64_t b = 0; b < self->batches; b++)
      turned[e * self->batches + b] = self->edge_count[b * self->edge_room + e];
  mem_free(self->edge_count);
  self->edge_count = turned;
  return NESS_OK;
}

/* Each reversible edge under its forward direction; an edge whose way back never ran has backward -1. */
static ness_status edges_pair(loops *self)
{
  self->pair = mem_alloc(2 * ((size_t)self->nedge + 1) * sizeof *self->pair);
  if (!self->pair) return NESS_NOMEM;
  for (int32_t e = 0; e < self->nedge; e++) {
    const loop_edge_data *const edge = &self->edge[e];
    const loop_part *const part = &self->part[edge->part];
    if (atomic_load(&part->over)) continue;
    const uint64_t cell = atomic_load(&part->cell[(int64_t)edge->to * part->ndir + self->dir_local[edge->dir ^ 1]]);
    if (cell && edge->dir % 2) continue; /* its forward edge stands for both */
    self->pair[2 * self->pairs] = e;
    self->pair[2 * self->pairs + 1] = cell ? (int64_t)(cell >> 32) : -1;
    self->pairs++;
  }
  return NESS_OK;
}

ness_status loops_finish(loops *self)
{
  int64_t kept = 0;
  for (int64_t i = 0; i < self->totals; i++) { /* a part that was given up has no complete counts */
    if (atomic_load(&self->part[self->total[i].part].over)) {
      mem_free(self->total[i].dir);
      mem_free(self->total[i].count);
    } else {
      self->total[kept] = self->total[i];
      self->total[kept].sum = sum_of(self->total[i].count, 2 * self->batches);
      kept++;
    }
  }
  self->totals = kept;
  loop_map_free(&self->sequence_of); /* its numbers are no longer right */
  loop_map_free(&self->cycle_of);
  ness_status status = edges_turn(self);
  if (!status) status = edges_pair(self);
  if (status) return status;
  sorted = self;
  if (self->totals > 1) qsort(self->total, (size_t)self->totals, sizeof *self->total, total_order);
  if (self->pairs > 1) qsort(self->pair, (size_t)self->pairs, 2 * sizeof *self->pair, pair_order);
  sorted = NULL;
  return NESS_OK;
}

int32_t loops_parts(const loops *self)
{
  return self->nparts;
}

int64_t loops_states(const loops *self, int32_t part)
{
  return atomic_load(&self->part[part].over) ? -1 : self->part[part].nstate;
}

const char *loops_reason(const loops *self, int32_t part)
{
  return atomic_load(&self->part[part].over) ? self->part[part].reason : NULL;
}

bool loops_joint(const loops *self, int32_t part)
{
  return self->part[part].joint;
}

int64_t loops_cycles(const loops *self)
{
  return self->totals;
}

loop_cycle loops_cycle(const loops *self, int64_t index)
{
  const loop_total *const total = &self->total[index];
  return (loop_cycle){.part = total->part,
                      .length = total->length,
                      .dir = total->dir,
                      .paths = total->paths,
                      .forward = total->count,
                      .backward = total->count + self->batches,
                      .exact_forward = total->exact[0],
                      .exact_backward = total->exact[1]};
}

double loops_unlisted(const loops *self)
{
  return self->unlisted;
}

int64_t loops_edges(const loops *self)
{
  return self->pairs;
}

loop_edge loops_edge(const loops *self, int64_t index)
{
  const int64_t *const pair = self->pair + 2 * index;
  const loop_edge_data *const edge = &self->edge[pair[0]];
  const double *const one = self->edge_count + pair[0] * self->batches;
  const double *const other = pair[1] >= 0 ? self->edge_count + pair[1] * self->batches : NULL;
  const bool odd = edge->dir % 2; /* only where the way back never ran */
  return (loop_edge){edge->part, edge->dir / 2, odd ? other : one, odd ? one : other};
}

int64_t loops_rank(const loops *self)
{
  int64_t rank = 0;
  int32_t base = 0;
  for (int32_t p = 0; p < self->nparts; p++) base += self->part[p].nstate;
  int32_t *const parent = mem_alloc(((size_t)base + 1) * sizeof *parent);
  int32_t *const first = mem_alloc(((size_t)self->nparts + 1) * sizeof *first);
  if (!parent || !first) rank = -1;
  for (int32_t i = 0; !rank && i < base; i++) parent[i] = i;
  for (int32_t p = 0, at = 0; !rank && p < self->nparts; at += self->part[p++].nstate) first[p] = at;
  for (int64_t k = 0; rank >= 0 && k < self->pairs; k++) {
    if (self->pair[2 * k + 1] < 0) continue;
    const loop_edge_data *const edge = &self->edge[self->pair[2 * k]];
    int32_t a = first[edge->part] + edge->from, b = first[edge->part] + edge->to;
    while (parent[a] != a) a = parent[a] = parent[parent[a]];
    while (parent[b] != b) b = parent[b] = parent[parent[b]];
    if (a == b) rank++;
    else parent[a] = b;
  }
  mem_free(parent);
  mem_free(first);
  return rank;
}

/* --- exact values --- */

/* The part of ours that has the slots of a part of the solution; -1 none. */
static int32_t part_of(const loops *self, const cme_part *theirs)
{
  for (int32_t p = 0; p < self->nparts; p++) {
    const loop_part *const ours = &self->part[p];
    if (ours->nslot == theirs->nslot && !atomic_load(&ours->over) &&
        (ours->nslot == 0 || memcmp(ours->slot, theirs->slot, (size_t)ours->nslot * sizeof *ours->slot) == 0))
      return p;
  }
  return -1;
}

static bool same_cycle(const loop_total *total, int32_t p, const int32_t *dir, int32_t n)
{
  return total->part == p && total->length == n && memcmp(total->dir, dir, (size_t)n * sizeof *dir) == 0;
}

/* Fluxes of cycles whose steps name them: parts of mass action, or states that no other cycle shares its steps with. */
ness_status loops_exact(loops *self, const cme_solution *solution, const cme_cycles *cycles)
{
  for (int64_t c = 0; cycles->complete && c < cycles->count; c++) {
    const cme_cycle *const cycle = &cycles->cycle[c];
    const cme_part *const theirs = &solution->parts[cycle->part];
    const int32_t p = theirs->copies == 1 ? part_of(self, theirs) : -1, n = cycle->length;
    if (p < 0 || !self->part[p].mass) continue;
    int32_t *const word = mem_alloc(4 * (size_t)n * sizeof *word);
    if (!word) return NESS_NOMEM;
    int32_t *const ways[2] = {word + n, word + 2 * n};
    for (int32_t way = 0; way < 2; way++) {
      for (int32_t k = 0; k < n; k++) word[k] = way ? cycle->dir[n - 1 - k] ^ 1 : cycle->dir[k];
      rotate(word, n, least_rotation(word, n), ways[way]);
    }
    for (int64_t i = 0; i < self->totals; i++) {
      loop_total *const total = &self->total[i];
      const bool as_given = same_cycle(total, p, ways[0], n);
      if (!as_given && !same_cycle(total, p, ways[1], n)) continue;
      for (int32_t way = 0; way < 2; way++) {
        if (isnan(total->exact[way])) total->exact[way] = 0;
        total->exact[way] += as_given == (way == 0) ? cycle->forward : cycle->backward;
      }
      break;
    }
    mem_free(word);
  }
  return NESS_OK;
}
