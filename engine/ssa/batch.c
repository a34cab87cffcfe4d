/* Exact simulation of large populations, many events at a time. docs/decisions/exact-batches.md has the proof.
 * A leap over a time tau declares a box of counts around the present ones, and over it bounds least_j <= a_j <= most_j
 * of all propensities. Candidates of direction j are a Poisson process of rate most_j, each with a mark uniform below
 * most_j; one fires when its mark lies below a_j just before it (thinning: Lewis & Shedler 1979,
 * doi:10.1002/nav.3800260304). Those with a mark below least_j are sure: only their number is drawn. The others, few,
 * are open and have their marks. Times are revealed as far as they matter and no further, by halving: a piece of time
 * with given candidates is done when its candidates can neither lead out of the box nor leave one of them open, else
 * each of them falls into either half by a fair coin, so the sure ones by a binomial law. A piece with few candidates
 * goes one by one. The leap ends early when the box is left: at a stopping time, and nothing behind it is looked at.
 * Invariant: the counts are always those of the exact process at t. No leap reaches beyond t_stop, nor the limit of
 * events. tau is a function of the counts and of the leaps since the last load, never of a clock.
 * Cost: of a leap, a Poisson draw for each direction, and for each open candidate some halvings, which is about as
 * much. tau keeps the two in balance: a leap takes about the square root of the population. Where it would take less
 * than LEAST, the direct method goes on. Memory: 8 DEPTH bytes a direction. */
#include "engine/ssa/leap.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
  DEPTH = 40,       /* halvings within each other */
  OPEN = 256,       /* room for open candidates: of 2 OPEN_GOAL in the mean there are never so many (1e-200) */
  COINS_MOST = 512, /* candidates that are cut in two by a coin each */
  FEW = 4,          /* candidates that go one by one */
  TRIES = 8,        /* at a length of the leap */
  STEPS = 4096,     /* leaps and stretches of the direct method between two pauses */
  STRETCH = 512,    /* events of such a stretch */
  LEAST = 16,       /* candidates of a leap, and */
  LEAST_A_DIR = 4,  /* ... for each direction */
};
#define OPEN_GOAL 6.0                  /* open candidates of a leap, in the mean: flat from 6 to 10 (bench_ssa) */
#define SIGMAS 2.5                     /* of the numbers of events that the box has room for */
#define LEAP_MOST ((double)(1L << 40)) /* candidates of a leap */

typedef struct batch_candidate {
  double mark;
  int32_t dir;
} batch_candidate;

typedef struct batch_piece { /* begins where the one before it ends */
  double end;                /* s */
  int64_t candidates;
  int32_t from, to; /* the open ones */
  bool inside;      /* it cannot lead out of the box */
} batch_piece;

typedef struct batch_work {
  leap_net leap;
  double tau;            /* of the next leap, s; 0: not known */
  int64_t *low, *high;   /* (slots + 1) the box of the leap */
  int64_t *under, *over; /* (slots + 1) the box of a piece */
  double *least, *most;  /* (dirs) propensities over the box of the leap */
  batch_candidate *open; /* (OPEN) */
  int64_t *number;       /* (DEPTH x dirs) candidates of each piece */
  batch_piece piece[DEPTH];
} batch_work;

/* --- setting up --- */

static void work_layout(batch_work *w, carve *memory, const ness_network *net)
{
  const size_t slots = (size_t)net->nslot + 1;
  leap_layout(&w->leap, memory, net);
  const size_t dirs = (size_t)w->leap.dirs;
  w->low = carve_take(memory, slots, sizeof *w->low);
  w->high = carve_take(memory, slots, sizeof *w->high);
  w->under = carve_take(memory, slots, sizeof *w->under);
  w->over = carve_take(memory, slots, sizeof *w->over);
  w->least = carve_take(memory, dirs, sizeof *w->least);
  w->most = carve_take(memory, dirs, sizeof *w->most);
  w->open = carve_take(memory, OPEN, sizeof *w->open);
  w->number = carve_take(memory, DEPTH * dirs, sizeof *w->number);
}

static size_t batch_size(const ness_network *net)
{
  batch_work measured;
  carve memory = {NULL, 0, false};
  carve_take(&memory, 1, sizeof measured);
  work_layout(&measured, &memory, net);
  return memory.failed ? SIZE_MAX : memory.end;
}

static void batch_start(void *work, const ness_network *net)
{
  batch_work *const w = work;
  carve memory = {work, 0, false};
  carve_take(&memory, 1, sizeof *w);
  work_layout(w, &memory, net);
  leap_compile(&w->leap, net);
}

static void batch_load(ssa_replica *self, const ness_network *net)
{
  batch_work *const w = self->work;
  const size_t bytes = ((size_t)net->nslot + 1) * sizeof *self->n;
  w->tau = 0;
  memcpy(w->low, self->n, bytes); /* what does not move stays so */
  memcpy(w->high, self->n, bytes);
  memcpy(w->under, self->n, bytes);
  memcpy(w->over, self->n, bytes);
}

/* --- a leap: how long, how wide --- */

/* The box for a leap over tau, and the propensities over it. Returns the mean number of open candidates. */
static double leap_declare(batch_work *w, const ness_network *net, const int64_t *n, double tau)
{
  const leap_net *const leap = &w->leap;
  double open = 0;
  for (int32_t m = 0; m < leap->moving; m++) {
    const int32_t slot = leap->slot[m].slot;
    const leap_flow *const flow = &leap->flow[m];
    const double down = flow->down * tau, up = flow->up * tau;
    const double scatter = SIGMAS * sqrt(flow->square * tau) + leap->slot[m].most;
    const double fall = flow->down > 0 ? down + scatter : 0;
    const double rise = flow->up > 0 ? up + scatter : 0;
    w->low[slot] = (double)n[slot] > fall ? n[slot] - (int64_t)fall : 0;
    w->high[slot] = n[slot] + (int64_t)rise;
  }
  for (int32_t j = 0; j < leap->dirs; j++) {
    leap_bounds(&leap->law[j], net, w->low, w->high, &w->least[j], &w->most[j]);
    open += w->most[j] - w->least[j];
  }
  return open * tau;
}

/* Chooses tau up to `longest`, for not much more than `events`, and the box. Returns false where the direct method is
 * to be preferred. */
static bool leap_choose(batch_work *w, const ness_network *net, const int64_t *n, double longest, double events,
                        double *tau)
{
  const double total = leap_rates(&w->leap, net, n);
  const double least = LEAST + LEAST_A_DIR * (double)w->leap.dirs;
  if (!(total > 0 && total <= DBL_MAX)) {
    return false; /* which says what it is */
  }
  leap_flows(&w->leap);
  const double wished = fmax(w->tau, 2 * least / total);
  double t = fmin(fmin(wished, longest), fmin(events - SIGMAS * sqrt(events), LEAP_MOST) / total);
  for (int32_t try = 0; try < TRIES && t * total >= least; try++) {
    const double open = leap_declare(w, net, n, t);
    if (open <= 2 * OPEN_GOAL) {
      const double better = t * fmin(sqrt(OPEN_GOAL / open), 2);
      w->tau = try == 0 ? fmax(wished, better) : better;
      *tau = t;
      return true;
    }
    t *= fmax(sqrt(OPEN_GOAL / open), 0.1);
  }
  w->tau = 0;
  return false;
}

/* --- candidates --- */

/* Of each direction the number; of the open ones the marks, a Poisson process on the line of all most - least. */
static void candidates_draw(batch_work *w, rng_stream *stream, double tau)
{
  const int32_t dirs = w->leap.dirs;
  batch_piece *const whole = &w->piece[0];
  rng_stream rng = *stream;
  double point = rng_exp(&rng), before = 0;
  int32_t open = 0;
  whole->candidates = 0;
  for (int32_t j = 0; j < dirs; j++) {
    const int32_t first = open;
    const double behind = before + (w->most[j] - w->least[j]) * tau;
    const int64_t sure = w->least[j] > 0 ? rng_poisson(&rng, w->least[j] * tau) : 0;
    for (; point < behind && open < OPEN; point += rng_exp(&rng)) {
      w->open[open++] = (batch_candidate){w->least[j] + (point - before) / tau, j};
    }
    before = behind;
    w->number[j] = sure + (open - first);
    whole->candidates += w->number[j];
  }
  whole->from = 0;
  whole->to = open;
  *stream = rng;
}

static inline int64_t bits_count(uint64_t x)
{
  x -= x >> 1 & UINT64_C(0x5555555555555555);
  x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
  x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
  return (int64_t)((x * UINT64_C(0x0101010101010101)) >> 56);
}

/* Of `count` candidates those in the first half: heads of fair coins. */
static inline int64_t half_draw(rng_stream *rng, int64_t count)
{
  int64_t heads = 0;
  if (count > COINS_MOST) {
    return rng_binomial(rng, count, 0.5);
  }
  for (; count >= 64; count -= 64) {
    heads += bits_count(rng_next(rng));
  }
  return heads + bits_count(rng_next(rng) & ((UINT64_C(1) << count) - 1));
}

/* --- pieces --- */

/* The piece at `at` is cut in two: the second half stays there, the first goes on top of it. */
static void piece_halve(batch_work *w, rng_stream *stream, double start, int32_t at)
{
  batch_piece *const second = &w->piece[at], *const first = &w->piece[at + 1];
  const int32_t dirs = w->leap.dirs, from = second->from;
  int64_t *const rest = w->number + (ptrdiff_t)at * dirs, *const part = rest + dirs;
  rng_stream rng = *stream;
  int64_t candidates = 0;
  int32_t middle = from;
  for (int32_t i = from; i < second->to; i++) {
    rest[w->open[i].dir]--; /* sure ones alone */
  }
  for (int32_t j = 0; j < dirs; j++) {
    part[j] = rest[j] ? half_draw(&rng, rest[j]) : 0;
    rest[j] -= part[j];
    candidates += part[j];
  }
  uint64_t coins = 0;
  for (int32_t i = from; i < second->to; i++, coins >>= 1) {
    const batch_candidate c = w->open[i];
    coins = (i - from) % 64 ? coins : rng_next(&rng);
    const int32_t heads = (int32_t)(coins & 1);
    part[c.dir] += heads;
    rest[c.dir] += 1 - heads;
    w->open[i] = w->open[middle];
    w->open[heads ? middle : i] = c;
    middle += heads;
  }
  candidates += middle - from;
  *first = (batch_piece){start + 0.5 * (second->end - start), candidates, from, middle, second->inside};
  second->candidates -= candidates;
  second->from = middle;
  *stream = rng;
}

/* The counts that the candidates of a piece can lead to. */
static void piece_box(batch_work *w, const int64_t *n, const int64_t *number)
{
  const leap_net *const leap = &w->leap;
  const leap_term *const terms = leap->term;
  for (int32_t m = 0; m < leap->moving; m++) {
    const leap_slot *const at = &leap->slot[m];
    int64_t under = n[at->slot], over = under;
    int32_t i = at->down;
    for (; i < at->up; i++) under -= terms[i].by * number[terms[i].dir];
    for (; i < at->end; i++) over += terms[i].by * number[terms[i].dir];
    w->under[at->slot] = under;
    w->over[at->slot] = over;
  }
}

/* Whether they lie in the box of the leap. */
static bool piece_inside(const batch_work *w)
{
  bool inside = true;
  for (int32_t m = 0; m < w->leap.moving; m++) {
    const int32_t slot = w->leap.slot[m].slot;
    inside &= w->under[slot] >= w->low[slot] && w->over[slot] <= w->high[slot];
  }
  return inside;
}

/* Open candidates that the box of the piece decides become sure, or are none. */
static void piece_decide(batch_work *w, const ness_network *net, int64_t *number, batch_piece *piece)
{
  int32_t kept = piece->from;
  for (int32_t i = piece->from; i < piece->to; i++) {
    const batch_candidate c = w->open[i];
    double least, most;
    leap_bounds(&w->leap.law[c.dir], net, w->under, w->over, &least, &most);
    const bool none = c.mark >= most;
    number[c.dir] -= none;
    piece->candidates -= none;
    w->open[kept] = c;
    kept += c.mark >= least && !none;
  }
  piece->to = kept;
}

/* Whether the counts have left the box. */
static bool box_left(const batch_work *w, const int64_t *n)
{
  bool left = false;
  for (int32_t m = 0; m < w->leap.moving; m++) {
    const int32_t slot = w->leap.slot[m].slot;
    left |= n[slot] < w->low[slot] || n[slot] > w->high[slot];
  }
  return left;
}

/* Takes the next candidate out, which is any of them. Returns its direction; a sure one has a mark below all rates. */
static int32_t candidate_take(batch_work *w, rng_stream *rng, int64_t *sure, batch_piece *piece, double *mark)
{
  int64_t which = (int64_t)rng_below(rng, (uint64_t)piece->candidates--);
  *mark = -1;
  for (int32_t j = 0; j < w->leap.dirs; j++) {
    if (which < sure[j]) {
      sure[j]--;
      return j;
    }
    which -= sure[j];
  }
  const batch_candidate c = w->open[piece->from + which];
  w->open[piece->from + which] = w->open[--piece->to];
  *mark = c.mark;
  return c.dir;
}

/* The candidates of a piece in their order, each at its time. Returns false when the leap ends here. */
static bool piece_walk(ssa_replica *self, batch_work *w, const ness_network *net, int64_t *number, batch_piece *piece,
                       int64_t last)
{
  for (int32_t i = piece->from; i < piece->to; i++) {
    number[w->open[i].dir]--;
  }
  while (piece->candidates > 0) {
    /* The first of so many uniform times. */
    const double wait = rng_exp(&self->rng) / (double)piece->candidates;
    double mark;
    const int32_t dir = candidate_take(w, &self->rng, number, piece, &mark);
    self->t += (piece->end - self->t) * (1 - rng_e(-wait));
    if (mark < rate_any(&w->leap.law[dir], net, self->n, NULL)) {
      leap_fire(self, &w->leap, net, dir);
      if (self->events == last || box_left(w, self->n)) {
        return false;
      }
    }
  }
  self->t = piece->end;
  return true;
}

/* From now to `end`, or to where the box is left or events have come to `last`. */
static void leap_walk(ssa_replica *self, batch_work *w, const ness_network *net, double end, int64_t last)
{
  int32_t at = 0;
  w->piece[0].end = end;
  w->piece[0].inside = false;
  while (at >= 0) {
    batch_piece *const piece = &w->piece[at];
    int64_t *const number = w->number + (ptrdiff_t)at * w->leap.dirs;
    if (!piece->inside || piece->from < piece->to) {
      if (piece->candidates <= FEW || at == DEPTH - 1) {
        if (!piece_walk(self, w, net, number, piece, last)) {
          return;
        }
        at--;
        continue;
      }
      piece_box(w, self->n, number);
      piece->inside = piece->inside || (piece_inside(w) && self->events + piece->candidates < last);
      if (piece->inside) {
        piece_decide(w, net, number, piece);
      }
    }
    if (piece->inside && piece->from == piece->to) {
      leap_apply(self, &w->leap, number, piece->end);
      at--;
    } else {
      piece_halve(w, &self->rng, self->t, at++);
    }
  }
}

/* --- advancing --- */

static ssa_pause batch_advance(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                               ssa_record *record, int32_t *bad_dir)
{
  batch_work *const w = self->work;
  const int64_t last = max_events > 0 ? self->events + max_events : INT64_MAX;
  (void)record; /* there is none: the plan knows that a leap has no list of its events */
  for (int32_t step = 0; step < STEPS && self->events < last; step++) {
    const double longest = t_stop - self->t;
    double tau;
    if (leap_choose(w, net, self->n, longest, (double)(last - self->events), &tau)) {
      const double end = tau < longest ? self->t + tau : t_stop;
      candidates_draw(w, &self->rng, tau);
      leap_walk(self, w, net, end, last);
      if (self->t == t_stop) {
        break;
      }
    } else {
      const int64_t stretch = last - self->events < STRETCH ? last - self->events : STRETCH;
      const ssa_pause pause = leap_direct(self, &w->leap, net, t_stop, stretch, bad_dir);
      if (pause != SSA_AT_EVENTS) {
        return pause;
      }
    }
  }
  self->t_event = self->t;
  return self->t == t_stop && self->events < last ? SSA_AT_TIME : SSA_AT_EVENTS;
}

const ssa_kernel ssa_kernel_batch = {"batch",    "exact leaps", batch_size, batch_start,
                                     batch_load, batch_advance, true,       false};
