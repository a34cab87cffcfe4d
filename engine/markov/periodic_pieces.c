/* The pieces that a period is cut into: their places in memory, what rates and weights are at their nodes, and the maps
 * made from these. The first ones are even parts of the stretches between breaks. Invariant: pieces follow each other
 * from 0 to the period and none crosses a break; a slot is free or belongs to one piece. Memory comes in lots of LOT
 * pieces. Cost: that of step_solve or still_exponential for a piece, and 16 calls for rates where they stand still. */
#include "engine/markov/flow.h"
#include "engine/markov/periodic_parts.h"

#include <math.h>
#include <string.h>

enum { S = STEP_STAGES, LOT = 16, LOOKS = 16, FIRST = 6 };
#define APART 0x1p-32  /* of the period, of breaks from each other */
#define BEFORE 0x1p-48 /* of the period: how long before a break the time is that stands for it */

ness_status pieces_create(cycle *self)
{
  ness_status status = step_create(self->q, &self->s);
  if (status == NESS_OK) status = period_tally_create(&self->s, self->options, self->period, &self->sums);
  if (status) return status;
  const size_t n = (size_t)self->s.n, edges = (size_t)self->s.edges, sets = (size_t)self->options->nset;
  const size_t size = 2 * (size_t)self->sums.size + 1;
  self->rate_at = n * n * S;
  self->weight_at = self->rate_at + edges * S;
  self->slot_size = self->weight_at + sets * edges * S + 1;
  if (8.0 * (double)self->slot_size * 4 * LOT > 0.7 * (double)mem_available()) return NESS_LIMIT;
  for (int i = 0; i < 2; i++) {
    self->rate[i] = mem_zero(edges + 1, sizeof *self->rate[i]);
    self->weight[i] = mem_zero(sets * edges + 1, sizeof *self->weight[i]);
    if (!self->rate[i] || !self->weight[i]) return NESS_NOMEM;
  }
  self->most = mem_zero(edges + 1, sizeof *self->most);
  self->m = mem_zero(n * n + 1, sizeof *self->m);
  self->g = mem_zero(n * n + 1, sizeof *self->g);
  self->spare = mem_zero(n * n + 1, sizeof *self->spare);
  self->work = mem_zero(2 * n * n + edges + n + 1, sizeof *self->work);
  self->p = mem_zero(5 * n + 1, sizeof *self->p);
  self->total = mem_zero(4 * size, sizeof *self->total);
  if (!self->most || !self->m || !self->g || !self->spare || !self->work || !self->p || !self->total) return NESS_NOMEM;
  self->from = self->p + n;
  self->half = self->from + n;
  self->end = self->half + n;
  self->other = self->end + n;
  self->before = self->total + size;
  self->whole = self->before + size;
  self->halves = self->whole + size;
  return NESS_OK;
}

void pieces_free(cycle *self)
{
  for (int64_t i = 0; i < self->lots; i++) mem_free(self->lot[i]);
  for (int i = 0; i < 2; i++) {
    mem_free(self->rate[i]);
    mem_free(self->weight[i]);
  }
  mem_free(self->lot);
  mem_free(self->free);
  mem_free(self->now);
  mem_free(self->next);
  mem_free(self->most);
  mem_free(self->m);
  mem_free(self->g);
  mem_free(self->spare);
  mem_free(self->work);
  mem_free(self->p);
  mem_free(self->total);
  period_tally_free(&self->sums);
  step_free(&self->s);
}

/* --- slots --- */

double *piece_slot(const cycle *self, const piece *of)
{
  return self->lot[of->slot / LOT] + (size_t)(of->slot % LOT) * self->slot_size;
}

static ness_status slot_take(cycle *self, int32_t *out)
{
  if (self->frees == 0) {
    const int64_t lots = self->lots + 1;
    if (!mem_grow(&self->lot, &self->lot_room, lots, sizeof *self->lot)) return NESS_NOMEM;
    if (!mem_grow(&self->free, &self->free_room, lots * LOT, sizeof *self->free)) return NESS_NOMEM;
    double *const lot = mem_alloc(LOT * self->slot_size * sizeof *lot); /* no overflow: pieces_create */
    if (!lot) return NESS_NOMEM;
    self->lot[self->lots++] = lot;
    for (int32_t i = LOT; i > 0; i--) self->free[self->frees++] = (int32_t)(lots * LOT) - i;
  }
  *out = self->free[--self->frees];
  return NESS_OK;
}

void piece_drop(cycle *self, const piece *of)
{
  self->free[self->frees++] = of->slot; /* the room is that of all slots */
}

/* --- pieces --- */

static ness_status pieces_look(cycle *self, double t, int32_t into)
{
  double *const rate = self->rate[into], *const weight = self->weight[into];
  const int64_t edges = self->s.edges, weights = edges * self->options->nset;
  self->report->calls++;
  ness_status status = self->rates(self->context, t, rate, NULL);
  if (status == NESS_OK && weights > 0) status = self->options->weights(self->options->weights_context, t, weight);
  bool fine = true;
  for (int64_t e = 0; e < edges && status == NESS_OK; e++) {
    fine = fine && rate[e] >= 0 && rate[e] < FLOW_FASTEST;
    self->most[e] = fmax(self->most[e], rate[e]);
  }
  for (int64_t e = 0; e < weights && status == NESS_OK; e++) fine = fine && isfinite(weight[e]);
  return status ? status : fine ? NESS_OK : NESS_NUMERIC;
}

/* What was looked at stands at node m of a piece. */
static void piece_put(const cycle *self, double *slot, int m)
{
  const int64_t edges = self->s.edges, weights = edges * self->options->nset;
  for (int64_t e = 0; e < edges; e++) slot[self->rate_at + (size_t)(e * S + m)] = self->rate[0][e];
  for (int64_t e = 0; e < weights; e++) slot[self->weight_at + (size_t)(e * S + m)] = self->weight[0][e];
}

ness_status piece_make(cycle *self, const piece *like, piece **out)
{
  if (!mem_grow(&self->next, &self->next_room, self->next_count + 1, sizeof *self->next)) return NESS_NOMEM;
  piece made = *like;
  ness_status status = slot_take(self, &made.slot);
  if (status) return status;
  self->next[self->next_count++] = made;
  *out = &self->next[self->next_count - 1];
  double *const slot = piece_slot(self, *out);
  for (int m = 0; m < S && status == NESS_OK; m++) {
    if (!made.still) status = pieces_look(self, fmin(made.from + self->s.node[m] * made.span, made.last), 0);
    if (status == NESS_OK) piece_put(self, slot, m);
  }
  if (status) return status;
  if (!made.still) return step_solve(&self->s, slot + self->rate_at, made.span, slot);
  const size_t all = (size_t)self->s.n * (size_t)self->s.n;
  still_exponential(&self->s, self->rate[0], made.span, slot, slot + all, self->work);
  return NESS_OK;
}

void piece_add(cycle *self, const piece *of, const double *start, bool whole, double *end, double *sums)
{
  const double *const slot = piece_slot(self, of);
  period_tally_add(&self->sums, of, slot, slot + self->rate_at, slot + self->weight_at, start, whole, end, sums,
                   sums + self->sums.size);
}

/* --- the first pieces --- */

static ness_status pieces_constant(cycle *self, double from, double to, bool *constant)
{
  const size_t edges = (size_t)self->s.edges, weights = edges * (size_t)self->options->nset;
  ness_status status = NESS_OK;
  *constant = true;
  double place = 0.5;
  for (int32_t look = 0; look < LOOKS && *constant && status == NESS_OK; look++) {
    status = pieces_look(self, from + place * (to - from), look > 0);
    place = fmod(place + 0.6180339887498949, 1); /* by the golden section: no rhythm is met twice at one phase */
    if (look == 0) continue;
    for (size_t e = 0; e < edges && *constant; e++) *constant = self->rate[1][e] == self->rate[0][e];
    for (size_t e = 0; e < weights && *constant; e++) *constant = self->weight[1][e] == self->weight[0][e];
  }
  return status;
}

static ness_status pieces_stretch(cycle *self, double from, double to)
{
  piece like = {.last = to - BEFORE * self->period, .seen = INFINITY, .error = INFINITY};
  ness_status status = pieces_constant(self, from, like.last, &like.still);
  const double share = (to - from) / self->period;
  const int32_t count = like.still ? 1 : (int32_t)ceil(FIRST * share);
  like.open = !like.still;
  if (like.still) like.error = 0x1p-50;
  for (int32_t k = 0; k < count && status == NESS_OK; k++) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    piece *made;
    like.from = from + (to - from) * k / count;
    like.span = (k + 1 < count ? from + (to - from) * (k + 1) / count : to) - like.from;
    status = piece_make(self, &like, &made);
  }
  return status;
}

void pieces_turn(cycle *self)
{
  piece *const swap = self->now;
  const int64_t room = self->room;
  self->now = self->next;
  self->room = self->next_room;
  self->count = self->next_count;
  self->next = swap;
  self->next_room = room;
  self->next_count = 0;
}

ness_status pieces_part(const chain *q, const double *rate, chain *out)
{
  chain_classes classes = {0};
  ness_status status = chain_create(q->n, q->start[q->n], false, out);
  if (status) return status;
  int64_t end = 0;
  for (int32_t i = 0; i < q->n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      out->to[end] = q->to[e];
      out->rate[end] = rate[e];
      end += rate[e] > 0;
    }
    out->start[i + 1] = end;
  }
  status = chain_classes_find(out, &classes);
  if (status == NESS_OK && (classes.count != 1 || classes.start[1] != q->n)) status = NESS_USAGE;
  chain_classes_free(&classes);
  return status;
}

ness_status pieces_begin(cycle *self, const double *breaks, int32_t nbreaks)
{
  double from = 0;
  ness_status status = NESS_OK;
  for (int32_t i = 0; i <= nbreaks && status == NESS_OK; i++) {
    const double to = i < nbreaks ? breaks[i] : self->period;
    status = to - from >= APART * self->period ? pieces_stretch(self, from, to) : NESS_USAGE;
    from = to;
  }
  pieces_turn(self);
  if (status) return status;
  chain part;
  status = pieces_part(self->q, self->most, &part);
  chain_free(&part);
  return status;
}
