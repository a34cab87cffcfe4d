/* The periodic steady state as a fixed point, after the way boundary value problems are solved by collocation (Ascher,
 * Christiansen, Russell, ACM Trans. Math. Softw. 7, 209 (1981)). The period is cut into pieces, each with the matrix
 * that it maps distributions by; p at t = 0 is the fixed point of their product; then every piece not known to be good
 * is halved, and what that changes in the averages of the distribution that there is stands for its error. The halves
 * are kept, and are good where the change is small. Only p itself is followed: what is fast and at rest costs nothing,
 * as no piece has to resolve what starts from elsewhere. Rounds go on until all pieces are good and the means of the
 * last two rounds agree.
 *
 * Errors are relative to the flow through each transition, as its relative error in the rates would be. These move p by
 * at most 2 n times as much whatever the chain is like (O'Cinneide, Numer. Math. 65, 109 (1993)), so that a drive far
 * faster than the chain, which adds up over many periods what each one is off by, is as safe as a slow one. Invariant:
 * pieces follow each other from 0 to the period and none crosses a break. Memory comes in lots of LOT pieces. */
#include "engine/markov/flow.h"
#include "engine/markov/periodic_parts.h"

#include <math.h>
#include <string.h>

enum { S = STEP_STAGES, LOT = 16, LOOKS = 16, ROUNDS = 80, FIRST = 6, PIECES = 20000 };
#define HALVES 256.0           /* the change by halving over the error of the halves, at least */
#define POINTS 64.0            /* the same for p itself, which loses more of its order where the chain is fast */
#define SHARE_LEAST (1.0 / 64) /* of the tolerance, for a piece however short */
#define SHORTEST 0x1p-40       /* of the period */
#define APART 0x1p-32
#define BEFORE 0x1p-48
#define ROUNDED 1e-11 /* changes that do not shrink any more below this are those of rounding */

typedef struct cycle {
  const chain *q;
  transient_rates rates;
  void *context;
  const periodic_options *options;
  double period, tolerance;
  step s;
  tally sums;
  piece *now, *next; /* pieces in order; the list that is being made */
  int64_t count, room, next_count, next_room;
  double **lot; /* slots of LOT pieces each */
  int64_t lots, lot_room;
  int32_t *free; /* slots not in use */
  int64_t frees, free_room;
  size_t slot_size, rate_at, weight_at;  /* doubles: matrices, rates and weights at the nodes */
  double *rate[2], *weight[2];           /* (edges); (nset x edges) at a time */
  uint8_t *ever;                         /* (edges) was positive once */
  double *m, *g, *spare;                 /* (n x n) */
  double *work;                          /* for still_exponential */
  double *p, *from, *half, *end, *other; /* (n) at t = 0; along the way */
  double *total, *before;                /* (2 size) values and scales of this round; of the last */
  double *whole, *halves;                /* (2 size) of a piece */
  double error;
  periodic_report *report;
} cycle;

static ness_status cycle_create(cycle *self)
{
  ness_status status = step_create(self->q, &self->s);
  if (status == NESS_OK) status = tally_create(&self->s, self->options, self->period, &self->sums);
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
  self->ever = mem_zero(edges + 1, sizeof *self->ever);
  self->m = mem_zero(n * n + 1, sizeof *self->m);
  self->g = mem_zero(n * n + 1, sizeof *self->g);
  self->spare = mem_zero(n * n + 1, sizeof *self->spare);
  self->work = mem_zero(2 * n * n + edges + n + 1, sizeof *self->work);
  self->p = mem_zero(5 * n + 1, sizeof *self->p);
  self->total = mem_zero(4 * size, sizeof *self->total);
  if (!self->ever || !self->m || !self->g || !self->spare || !self->work || !self->p || !self->total) return NESS_NOMEM;
  self->from = self->p + n;
  self->half = self->from + n;
  self->end = self->half + n;
  self->other = self->end + n;
  self->before = self->total + size;
  self->whole = self->before + size;
  self->halves = self->whole + size;
  return NESS_OK;
}

static void cycle_free(cycle *self)
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
  mem_free(self->ever);
  mem_free(self->m);
  mem_free(self->g);
  mem_free(self->spare);
  mem_free(self->work);
  mem_free(self->p);
  mem_free(self->total);
  tally_free(&self->sums);
  step_free(&self->s);
}

/* --- slots --- */

static double *slot_of(const cycle *self, const piece *of)
{
  return self->lot[of->slot / LOT] + (size_t)(of->slot % LOT) * self->slot_size;
}

static ness_status slot_take(cycle *self, int32_t *out)
{
  if (self->frees == 0) {
    const int64_t lots = self->lots + 1;
    if (!mem_grow(&self->lot, &self->lot_room, lots, sizeof *self->lot)) return NESS_NOMEM;
    if (!mem_grow(&self->free, &self->free_room, lots * LOT, sizeof *self->free)) return NESS_NOMEM;
    double *const lot = mem_zero(LOT * self->slot_size, sizeof *lot);
    if (!lot) return NESS_NOMEM;
    self->lot[self->lots++] = lot;
    for (int32_t i = LOT; i > 0; i--) self->free[self->frees++] = (int32_t)(lots * LOT) - i;
  }
  *out = self->free[--self->frees];
  return NESS_OK;
}

static void slot_give(cycle *self, const piece *of)
{
  self->free[self->frees++] = of->slot; /* the room is that of all slots */
}

/* --- pieces --- */

static ness_status cycle_look(cycle *self, double t, int32_t into)
{
  double *const rate = self->rate[into], *const weight = self->weight[into];
  const int64_t edges = self->s.edges, weights = edges * self->options->nset;
  self->report->calls++;
  ness_status status = self->rates(self->context, t, rate, NULL);
  if (status == NESS_OK && weights > 0) status = self->options->weights(self->options->weights_context, t, weight);
  bool fine = true;
  for (int64_t e = 0; e < edges && status == NESS_OK; e++) {
    fine = fine && rate[e] >= 0 && rate[e] < FLOW_FASTEST;
    self->ever[e] |= rate[e] > 0;
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

static ness_status piece_make(cycle *self, const piece *like, piece **out)
{
  if (!mem_grow(&self->next, &self->next_room, self->next_count + 1, sizeof *self->next)) return NESS_NOMEM;
  piece made = *like;
  ness_status status = slot_take(self, &made.slot);
  if (status) return status;
  self->next[self->next_count++] = made;
  *out = &self->next[self->next_count - 1];
  double *const slot = slot_of(self, *out);
  for (int m = 0; m < S && status == NESS_OK; m++) {
    if (!made.still) status = cycle_look(self, fmin(made.from + self->s.node[m] * made.span, made.last), 0);
    if (status == NESS_OK) piece_put(self, slot, m);
  }
  if (status) return status;
  if (!made.still) return step_solve(&self->s, slot + self->rate_at, made.span, slot);
  const size_t all = (size_t)self->s.n * (size_t)self->s.n;
  still_exponential(&self->s, self->rate[0], made.span, slot, slot + all, self->work);
  return NESS_OK;
}

static void piece_add(cycle *self, const piece *of, const double *start, bool whole, double *end, double *sums)
{
  const double *const slot = slot_of(self, of);
  tally_add(&self->sums, of, slot, slot + self->rate_at, slot + self->weight_at, start, whole, end, sums,
            sums + self->sums.size);
}

/* --- the first pieces --- */

static ness_status cycle_constant(cycle *self, double from, double to, bool *constant)
{
  const size_t edges = (size_t)self->s.edges, weights = edges * (size_t)self->options->nset;
  ness_status status = NESS_OK;
  *constant = true;
  double place = 0.5;
  for (int32_t look = 0; look < LOOKS && *constant && status == NESS_OK; look++) {
    status = cycle_look(self, from + place * (to - from), look > 0);
    place = fmod(place + 0.6180339887498949, 1); /* by the golden section: no rhythm is met twice at one phase */
    if (look == 0) continue;
    for (size_t e = 0; e < edges && *constant; e++) *constant = self->rate[1][e] == self->rate[0][e];
    for (size_t e = 0; e < weights && *constant; e++) *constant = self->weight[1][e] == self->weight[0][e];
  }
  return status;
}

static ness_status cycle_stretch(cycle *self, double from, double to)
{
  piece like = {.last = to - BEFORE * self->period, .seen = INFINITY, .error = INFINITY};
  ness_status status = cycle_constant(self, from, like.last, &like.still);
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

static void cycle_turn(cycle *self)
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

static ness_status cycle_begin(cycle *self, const double *breaks, int32_t nbreaks)
{
  double from = 0;
  ness_status status = NESS_OK;
  for (int32_t i = 0; i <= nbreaks && status == NESS_OK; i++) {
    const double to = i < nbreaks ? breaks[i] : self->period;
    status = to - from >= APART * self->period ? cycle_stretch(self, from, to) : NESS_USAGE;
    from = to;
  }
  cycle_turn(self);
  return status;
}

/* States must lead to each other by what has been positive so far. */
static ness_status cycle_closed(const cycle *self)
{
  chain part;
  chain_classes classes = {0};
  ness_status status = chain_create(self->q->n, self->s.edges, false, &part);
  if (status) return status;
  int64_t end = 0;
  for (int32_t i = 0; i < part.n; i++) {
    for (int64_t e = self->q->start[i]; e < self->q->start[i + 1]; e++) {
      part.to[end] = self->q->to[e];
      part.rate[end] = 1;
      end += self->ever[e];
    }
    part.start[i + 1] = end;
  }
  status = chain_classes_find(&part, &classes);
  if (status == NESS_OK && (classes.count != 1 || classes.start[1] != part.n)) status = NESS_USAGE;
  chain_classes_free(&classes);
  chain_free(&part);
  return status;
}

/* --- rounds --- */

/* The fixed point of all pieces, and the sums over them. */
static void cycle_solve(cycle *self)
{
  const size_t n = (size_t)self->s.n, all = n * n;
  memset(self->m, 0, all * sizeof *self->m);
  for (size_t i = 0; i < n; i++) self->m[i * n + i] = 1;
  for (int64_t k = 0; k < self->count; k++) {
    const double *const map = slot_of(self, &self->now[k]);
    for (size_t j = 0; j < n && !self->now[k].still; j++) {
      for (size_t r = 0; r < n; r++) self->g[r * n + j] = map[(j * n + r) * S + S - 1];
    }
    still_multiply(self->s.n, self->m, self->now[k].still ? map : self->g, self->spare);
    double *const swap = self->m;
    self->m = self->spare;
    self->spare = swap;
  }
  still_fixed(self->s.n, self->m, self->p);
  const size_t bytes = 2 * (size_t)self->sums.size * sizeof *self->total;
  memcpy(self->before, self->total, bytes);
  memset(self->total, 0, bytes);
  memcpy(self->from, self->p, n * sizeof *self->p);
  for (int64_t k = 0; k < self->count; k++) {
    piece_add(self, &self->now[k], self->from, true, self->end, self->total);
    memcpy(self->from, self->end, n * sizeof *self->from);
  }
}

/* The largest change of a sum, over its scale. */
static double cycle_change(const cycle *self, const double *a, const double *b)
{
  double worst = 0;
  for (int64_t i = 0; i < self->sums.size; i++) {
    const double change = fabs(a[i] - b[i]), scale = self->total[self->sums.size + i];
    if (change > worst * scale && scale > 0) worst = change / scale;
  }
  return worst;
}

/* Two halves in the place of an open piece, from the distribution in self->from, which goes to self->end. */
static ness_status piece_halve(cycle *self, const piece *of)
{
  const size_t bytes = 2 * (size_t)self->sums.size * sizeof *self->whole;
  memset(self->whole, 0, bytes);
  memset(self->halves, 0, bytes);
  piece_add(self, of, self->from, false, self->other, self->whole);
  piece like = *of, *made[2] = {NULL, NULL};
  const double end = of->from + of->span;
  like.span = of->span / 2;
  ness_status status = piece_make(self, &like, &made[0]);
  if (status) return status;
  piece_add(self, made[0], self->from, false, self->half, self->halves);
  like.from += like.span;
  like.span = end - like.from;
  status = piece_make(self, &like, &made[1]);
  if (status) return status;
  piece_add(self, made[1], self->half, false, self->end, self->halves);
  const double share = fmax(of->span / self->period, SHARE_LEAST);
  double off = 0;
  for (int32_t j = 0; j < self->s.n; j++) off += fabs(self->end[j] - self->other[j]);
  const double change = fmax(cycle_change(self, self->whole, self->halves), HALVES / POINTS * share * off);
  const bool good = change <= HALVES * self->tolerance * share || (change < ROUNDED && change > of->seen / 8);
  for (int64_t i = self->next_count - 2; i < self->next_count; i++) {
    self->next[i].seen = change;
    self->next[i].error = change / HALVES / 2;
    self->next[i].open = !good && of->span > 2 * SHORTEST * self->period;
  }
  slot_give(self, of);
  return NESS_OK;
}

static ness_status cycle_refine(cycle *self)
{
  const size_t bytes = (size_t)self->s.n * sizeof *self->p;
  memcpy(self->from, self->p, bytes);
  ness_status status = NESS_OK;
  for (int64_t k = 0; k < self->count && status == NESS_OK; k++) {
    const piece *const of = &self->now[k];
    if (interrupt_pending()) return NESS_INTERRUPTED;
    if (of->open) {
      status = piece_halve(self, of);
    } else {
      if (!mem_grow(&self->next, &self->next_room, self->next_count + 1, sizeof *self->next)) return NESS_NOMEM;
      self->next[self->next_count++] = *of;
      memset(self->halves, 0, 2 * (size_t)self->sums.size * sizeof *self->halves);
      piece_add(self, of, self->from, false, self->end, self->halves);
    }
    memcpy(self->from, self->end, bytes);
  }
  cycle_turn(self);
  return status;
}

static bool cycle_open(const cycle *self)
{
  for (int64_t k = 0; k < self->count; k++) {
    if (self->now[k].open) return true;
  }
  return false;
}

/* Where all pieces are good but the means still moved: the worst pieces are not good enough. */
static void cycle_reopen(cycle *self)
{
  double worst = 0;
  for (int64_t k = 0; k < self->count; k++) worst = self->now[k].still ? worst : fmax(worst, self->now[k].error);
  for (int64_t k = 0; k < self->count; k++) {
    piece *const of = &self->now[k];
    of->open = !of->still && of->error >= worst / 10 && of->span > 2 * SHORTEST * self->period;
  }
}

static ness_status cycle_rounds(cycle *self)
{
  ness_status status = NESS_OK;
  double moved = 0;
  for (int32_t round = 1; status == NESS_OK; round++) {
    const bool open = cycle_open(self);
    self->report->rounds = round;
    cycle_solve(self);
    if (round > 1) moved = cycle_change(self, self->total, self->before) / HALVES;
    if (!open && moved > self->tolerance && moved > ROUNDED) cycle_reopen(self);
    if (!cycle_open(self) || round == ROUNDS || self->count > PIECES) break;
    status = cycle_refine(self);
  }
  self->error = moved;
  double sum = 0;
  for (int64_t k = 0; k < self->count; k++) sum += self->now[k].error;
  self->error = fmax(self->error, sum);
  return status;
}

/* --- answers --- */

static ness_status answer_create(const cycle *self, periodic_answer *out)
{
  const periodic_options *const o = self->options;
  const size_t n = (size_t)self->s.n, harmonics = (size_t)o->nobs * (size_t)o->harmonics;
  out->flow = mem_zero((size_t)self->s.edges + 1, sizeof *out->flow);
  out->mean = mem_zero(n + 1, sizeof *out->mean);
  out->phase = mem_zero(n * (size_t)o->phases + 1, sizeof *out->phase);
  out->set = mem_zero((size_t)o->nset + 1, sizeof *out->set);
  out->obs = mem_zero((size_t)o->nobs + 1, sizeof *out->obs);
  out->cosine = mem_zero(harmonics + 1, sizeof *out->cosine);
  out->sine = mem_zero(harmonics + 1, sizeof *out->sine);
  return out->flow && out->mean && out->phase && out->set && out->obs && out->cosine && out->sine ? NESS_OK
                                                                                                  : NESS_NOMEM;
}

void periodic_free(periodic_answer *self)
{
  mem_free(self->flow);
  mem_free(self->mean);
  mem_free(self->phase);
  mem_free(self->set);
  mem_free(self->obs);
  mem_free(self->cosine);
  mem_free(self->sine);
  *self = (periodic_answer){0};
}

static void answer_place(const cycle *self, const double *p, double *out)
{
  for (int32_t i = 0; i < self->s.n; i++) out[i] = fmax(0, p[self->s.place[i]]);
}

static void answer_means(const cycle *self, periodic_answer *out)
{
  const double *const value = self->total, *obs = value + self->sums.obs;
  memcpy(out->flow, value, (size_t)self->s.edges * sizeof *value);
  answer_place(self, value + self->s.edges, out->mean);
  for (int32_t k = 0; k < self->options->nset; k++) out->set[k] = value[self->sums.set + k];
  const int32_t harmonics = self->options->harmonics;
  for (int32_t b = 0; b < self->options->nobs; b++) {
    out->obs[b] = *obs++;
    for (int32_t k = 0; k < harmonics; k++) {
      out->cosine[b * harmonics + k] = *obs++;
      out->sine[b * harmonics + k] = *obs++;
    }
  }
}

/* From phase to phase of a piece of constant rates: the first way to go, and then the same one again. */
static void answer_onward(cycle *self, const piece *of, double *span, double ahead, double *p)
{
  const int32_t n = self->s.n;
  if (ahead != *span) {
    const double *const slot = slot_of(self, of);
    for (int64_t e = 0; e < self->s.edges; e++) self->rate[0][e] = slot[self->rate_at + (size_t)(e * S)];
    still_exponential(&self->s, self->rate[0], ahead, self->g, self->m, self->work);
    *span = ahead;
  }
  for (int32_t j = 0; j < n; j++) {
    self->half[j] = 0;
    for (int32_t i = 0; i < n; i++) self->half[j] += p[i] * self->g[i * n + j];
  }
  memcpy(p, self->half, (size_t)n * sizeof *p);
}

static void answer_phases(cycle *self, double *phase)
{
  const int32_t n = self->s.n, phases = self->options->phases;
  memcpy(self->from, self->p, (size_t)n * sizeof *self->p);
  int32_t next = 0;
  for (int64_t k = 0; k < self->count && next < phases; k++) {
    const piece *const of = &self->now[k];
    double span = -1, *const along = self->other;
    piece_add(self, of, self->from, false, self->end, self->halves);
    memcpy(along, self->from, (size_t)n * sizeof *along);
    for (bool first = true; next < phases; next++, first = false) {
      const double t = self->period * next / phases;
      if (t >= of->from + of->span && k + 1 < self->count) break;
      if (!of->still) tally_between(&self->sums, self->from, (t - of->from) / of->span, along);
      else answer_onward(self, of, &span, first ? t - of->from : self->period / phases, along);
      answer_place(self, along, phase + (size_t)next * (size_t)n);
    }
    memcpy(self->from, self->end, (size_t)n * sizeof *self->from);
  }
}

/* --- the call --- */

static bool periodic_fit(const chain *q, double period, const periodic_options *o)
{
  bool fine = q->n > 0 && !q->exit && period > 0 && period < INFINITY && o->tolerance >= 0 && o->phases >= 0;
  fine = fine && o->harmonics >= 0 && o->nobs >= 0 && o->nset >= 0 && (o->nset == 0 || o->weights);
  const int64_t terms = fine ? q->start[q->n] + q->n : 0;
  for (int64_t t = 0; fine && o->nobs > 0 && t < o->obs_start[o->nobs]; t++)
    fine = o->obs_term[t] >= 0 && o->obs_term[t] < terms && isfinite(o->obs_weight[t]);
  return fine;
}

ness_status periodic_steady(const chain *q, transient_rates rates, void *rates_context, double period,
                            const double *breaks, int32_t nbreaks, const periodic_options *options, double *p,
                            periodic_answer *out, periodic_report *report)
{
  const periodic_options usual = {0};
  periodic_report unseen;
  if (!options) options = &usual;
  if (!report) report = &unseen;
  *report = (periodic_report){0};
  *out = (periodic_answer){0};
  if (!periodic_fit(q, period, options)) return NESS_USAGE;
  if (q->n > PERIODIC_MOST) return NESS_LIMIT;
  cycle c = {.q = q, .rates = rates, .context = rates_context, .options = options, .period = period, .report = report};
  c.tolerance = options->tolerance > 0 ? options->tolerance : PERIODIC_TOLERANCE;
  ness_status status = cycle_create(&c);
  if (status == NESS_OK) status = cycle_begin(&c, breaks, nbreaks);
  if (status == NESS_OK) status = cycle_closed(&c);
  if (status == NESS_OK) status = cycle_rounds(&c);
  report->error = c.error;
  report->elements = (int32_t)c.count;
  if (status == NESS_OK && !(c.error <= fmax(1e-3, c.tolerance))) status = NESS_NUMERIC;
  if (status == NESS_OK) status = answer_create(&c, out);
  if (status == NESS_OK) {
    answer_means(&c, out);
    answer_place(&c, c.p, p);
    answer_phases(&c, out->phase);
  }
  cycle_free(&c);
  if (status) periodic_free(out);
  return status;
}
