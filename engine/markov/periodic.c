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
 * faster than the chain, which adds up over many periods what each one is off by, is as safe as a slow one. Cost: three
 * solutions at most of what the last pieces need, and 2 n^3 for each piece and round. */
#include "engine/markov/periodic_parts.h"

#include <math.h>
#include <string.h>

enum { S = STEP_STAGES, ROUNDS = 80, PIECES = 20000 };
#define HALVES 8.0       /* the change by halving over the error of the halves, where nothing is known */
#define HALVES_LEAST 4.0 /* the same from how much less changed than at the halving before, at least and at most */
#define HALVES_MOST 1024.0
#define POINTS 32.0            /* the most for p itself, which loses some of its order where the chain is fast */
#define SHARE_LEAST (1.0 / 64) /* of the tolerance, for a piece however short */
#define SHORTEST 0x1p-40       /* of the period */
#define ROUNDED 1e-12          /* changes that do not shrink any more below this are those of rounding */

/* --- rounds --- */

/* The fixed point of all pieces, and the sums over them. */
static void cycle_solve(cycle *self)
{
  const size_t n = (size_t)self->s.n, all = n * n;
  memset(self->m, 0, all * sizeof *self->m);
  for (size_t i = 0; i < n; i++) self->m[i * n + i] = 1;
  for (int64_t k = 0; k < self->count; k++) {
    const double *const map = piece_slot(self, &self->now[k]);
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

/* By how much the halves are better than the piece: half of what halving gained the last time, when the half at hand
 * had half of the change. */
static double piece_gain(const piece *of, double change)
{
  if (!(of->seen < INFINITY)) return HALVES;
  return fmin(fmax(of->seen / 2 / (2 * change), HALVES_LEAST), HALVES_MOST);
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
  const double change = cycle_change(self, self->whole, self->halves), gain = piece_gain(of, change);
  const double error = fmax(change / gain, share * off / fmin(gain, POINTS));
  const bool good = error <= self->tolerance * share || (change < ROUNDED && change > of->seen / 8);
  for (int64_t i = self->next_count - 2; i < self->next_count; i++) {
    self->next[i].seen = change;
    self->next[i].error = error / 2;
    self->next[i].open = !good && of->span > 2 * SHORTEST * self->period;
  }
  piece_drop(self, of);
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
  pieces_turn(self);
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

ness_status answer_create(const chain *q, const periodic_options *options, periodic_answer *out)
{
  const size_t n = (size_t)q->n, harmonics = (size_t)options->nobs * (size_t)options->harmonics;
  *out = (periodic_answer){0};
  out->flow = mem_zero((size_t)q->start[q->n] + 1, sizeof *out->flow);
  out->mean = mem_zero(n + 1, sizeof *out->mean);
  out->phase = mem_zero(n * (size_t)options->phases + 1, sizeof *out->phase);
  out->set = mem_zero((size_t)options->nset + 1, sizeof *out->set);
  out->obs = mem_zero((size_t)options->nobs + 1, sizeof *out->obs);
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
    const double *const slot = piece_slot(self, of);
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
      if (!of->still) period_tally_between(&self->sums, self->from, (t - of->from) / of->span, along);
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

/* For few states. */
static ness_status periodic_solve(const chain *q, transient_rates rates, void *rates_context, double period,
                                  const double *breaks, int32_t nbreaks, const periodic_options *options, double *p,
                                  periodic_answer *out, periodic_report *report)
{
  cycle c = {.q = q, .rates = rates, .context = rates_context, .options = options, .period = period, .report = report};
  c.tolerance = options->tolerance > 0 ? options->tolerance : PERIODIC_TOLERANCE;
  ness_status status = pieces_create(&c);
  if (status == NESS_OK) status = pieces_begin(&c, breaks, nbreaks);
  if (status == NESS_OK) status = cycle_rounds(&c);
  report->error = c.error;
  report->elements = (int32_t)c.count;
  if (status == NESS_OK && !(c.error <= fmax(1e-3, c.tolerance))) status = NESS_NUMERIC;
  if (status == NESS_OK) {
    answer_means(&c, out);
    answer_place(&c, c.p, p);
    answer_phases(&c, out->phase);
  }
  pieces_free(&c);
  return status;
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
  ness_status status = answer_create(q, options, out);
  if (status == NESS_OK && q->n > PERIODIC_MOST) {
    status = periodic_iterate(q, rates, rates_context, period, breaks, nbreaks, options, p, out, report);
  } else if (status == NESS_OK) {
    status = periodic_solve(q, rates, rates_context, period, breaks, nbreaks, options, p, out, report);
  }
  if (status) periodic_free(out);
  return status;
}
