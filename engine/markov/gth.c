/* Sparse elimination without subtraction: state k is removed by giving its rates to the ways through it,
 *   a_ij += l_ik a_kj,  l_ik = a_ik / s_k,  s_k = sum of the rates that still leave k
 * (Grassmann, Taksar, Heyman, Oper. Res. 33, 1107 (1985)), in dense fronts along the elimination tree (Duff, Reid, ACM
 * Trans. Math. Softw. 9, 302 (1983)). Rates out of each state are first divided by a power of two. Cost: gth.flops;
 * on a core with AVX2 5 Gflop a second at least, 15 in wide fronts. Small subtrees keep no factors (gth_work.h).
 *
 * The bound (after O'Cinneide, Numer. Math. 65, 109 (1993)). Let u = 2^-53 and d(x, y) = max over i, j of
 * log(x_i y_j / x_j y_i), which scales of x and y do not change. By the Markov chain tree theorem the steady p_r of a
 * chain is proportional to a sum of products of rates, one out of each state but r. So when the rates that leave m
 * states change by relative amounts up to e, every weight changes by a factor between (1 - e)^m and (1 + e)^m, and p
 * moves by at most d = 2 m atanh(e): it does not matter how ill-conditioned the chain is. At any time of the
 * elimination let A be the chain among the states not yet removed whose rates are the exact sums of what is stored for
 * them (in the front, in panels not yet applied, in contributions not yet assembled), p(A) its steady distribution. An
 * exact removal of k leaves the part of p(A) that it leaves standing; what rounding does to the stored numbers is a
 * change of rates as above, of these kinds:
 *  - at pivot k the terms l_ik a_kj of the rows with l_ik > 0, fan_k many: s_k has 2 u / 2 (a compensated sum, and its
 *    own rounding), the quotient u: at most 2 u together; in entries of the same panel the product and the addition
 *    2 u more. So fan_k states by 4 u, 2 u for the last of a panel.
 *  - when a panel of b pivots is applied to the rest, the sum of b products and its addition: b + 1 roundings on the
 *    states that it touches.
 *  - an assembly of a child adds one rounding to each of its states, a parallel transition one to its state.
 * `rounds` is the sum of all states times roundings. Then p is rebuilt backwards, x_k = sum of x_i l_ik: sums of
 * positive terms, so x_k is off by the most that any of its x_i is off, plus fan_k + 2 roundings (gth_solve.c).
 * Together |log(p_i / exact)| <= 2 u (rounds + worst rebuilt x + 3) (1 + 1e-3), where the last factor covers all
 * products of roundings. Underflow is excluded by looking at the smallest factors of every product (`thin`), overflow
 * shows in the s_k. */
#include "engine/markov/gth_work.h"
#include <math.h>
#include <string.h>

#define FLOOR 0x1p-1000

/* --- what stays the same when rates change --- */

/* Positions of the rest of every front. A front has row b when b is a neighbour of some state of its subtree and is
 * eliminated later, so b climbs from its earlier neighbours to its own front. */
static ness_status rows_climb(gth *self, int32_t *cursor, int32_t *seen)
{
  for (int32_t f = 0; f < self->nfront; f++) cursor[f] = 0, seen[f] = -1;
  for (int32_t b = 0; b < self->n; b++) {
    const int32_t state = self->state[b], own = self->owner[b];
    for (int32_t e = self->start[state]; e < self->start[state + 1]; e++) {
      const int32_t a = self->place[self->to[e]];
      if (a > b) continue;
      for (int32_t f = self->owner[a]; f != own && seen[f] != b; f = self->front[f].parent) {
        if (cursor[f] == self->front[f].rest || self->front[f].parent < 0) return NESS_INTERNAL;
        self->rows[self->front[f].rows + cursor[f]++] = b;
        seen[f] = b;
      }
    }
  }
  for (int32_t f = 0; f < self->nfront; f++) {
    if (cursor[f] != self->front[f].rest) return NESS_INTERNAL;
  }
  return NESS_OK;
}

static ness_status factors_create(gth *self)
{
  const gth_front *const end = &self->front[self->nfront - 1];
  const size_t n = (size_t)self->n, fronts = (size_t)self->nfront;
  int32_t *const scratch = mem_alloc(2 * fronts * sizeof *scratch);
  self->owner = mem_alloc(n * sizeof *self->owner);
  self->rows = mem_alloc(((size_t)(end->rows + end->rest) + 1) * sizeof *self->rows);
  self->values = mem_zero(self->kept + 1, sizeof *self->values);
  self->exit = mem_alloc(n * sizeof *self->exit);
  self->fan = mem_alloc(n * sizeof *self->fan);
  self->power = mem_alloc(n * sizeof *self->power);
  ness_status status = NESS_NOMEM;
  if (scratch && self->owner && self->rows && self->values && self->exit && self->fan && self->power) {
    for (int32_t f = 0; f < self->nfront; f++) {
      for (int32_t k = 0; k < self->front[f].pivots; k++) self->owner[self->front[f].first + k] = f;
    }
    status = rows_climb(self, scratch, scratch + fronts);
  }
  mem_free(scratch);
  if (status == NESS_OK) {
    mem_free(self->to);
    self->to = NULL;
    return NESS_OK;
  }
  mem_free(self->owner);
  mem_free(self->rows);
  mem_free(self->values);
  mem_free(self->exit);
  mem_free(self->fan);
  mem_free(self->power);
  self->owner = self->rows = self->fan = self->power = NULL;
  self->values = self->exit = NULL;
  return status;
}

/* --- loading --- */

/* The index of position b among the rest of front f, -1 when it is not there. */
static int32_t rest_index(const gth *self, const gth_front *f, int32_t b)
{
  const int32_t *const rows = self->rows + f->rows;
  int32_t low = 0, high = f->rest;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (rows[middle] < b) low = middle + 1;
    else high = middle;
  }
  return low < f->rest && rows[low] == b ? low : -1;
}

/* Where the rate from position a to position b is kept among the factors of the front; -1 when the plan has no such
 * place. */
static int64_t entry_at(const gth *self, const gth_front *f, int32_t a, int32_t b)
{
  const int32_t low = a < b ? a : b, high = a < b ? b : a;
  const int64_t p = f->pivots, c = f->rest, k = low - f->first, at = (int64_t)f->values;
  if (high < f->first + f->pivots) return at + (a < b ? k * p + high - f->first : (high - f->first) * p + k);
  const int32_t t = rest_index(self, f, high);
  return t < 0 ? -1 : at + p * (a < b ? p : p + c) + k * c + t;
}

static const gth_front *front_of(const gth *self, int32_t a, int32_t b)
{
  return &self->front[self->owner[a < b ? a : b]];
}

/* Loads what leaves the state at position a, divided so that its largest rate is at most 1; what leads to state
 * `without` is an exit, and what belongs to twigs is left out. Returns the roundings, -1 when there is a transition
 * that the plan does not know. */
static int64_t state_load(gth *self, const chain *q, int32_t a, int32_t without, bool *thin)
{
  const int32_t state = self->state[a];
  double most = q->exit ? q->exit[state] : 0;
  int64_t rounds = 0;
  for (int64_t e = q->start[state]; e < q->start[state + 1]; e++) {
    if (q->to[e] != state && q->rate[e] > most) most = q->rate[e];
  }
  frexp(most, &self->power[a]);
  self->exit[a] = state == without ? 1 : q->exit ? ldexp(q->exit[state], -self->power[a]) : 0;
  if (state == without) return 0;
  if (q->exit && q->exit[state] > 0 && self->exit[a] < FLOOR) *thin = true;
  for (int64_t e = q->start[state]; e < q->start[state + 1]; e++) {
    if (q->to[e] == state || q->rate[e] == 0) continue;
    const double rate = ldexp(q->rate[e], -self->power[a]);
    if (rate < FLOOR) *thin = true;
    double *at = &self->exit[a];
    if (q->to[e] != without) {
      const int32_t b = self->place[q->to[e]];
      const gth_front *const f = front_of(self, a, b);
      const int64_t entry = entry_at(self, f, a, b);
      if (entry < 0) return -1;
      if (f->twig >= 0) continue;
      at = self->values + entry;
    }
    rounds += *at > 0;
    *at += rate;
  }
  return rounds;
}

/* Notes the rates that belong to twigs, in the order in which they are to be added. */
static ness_status twigs_note(gth *self, const chain *q, int32_t without)
{
  int64_t *const end = mem_zero((size_t)self->ntwig + 1, sizeof *end);
  ness_status status = end ? NESS_OK : NESS_NOMEM;
  for (int fill = 0; fill < 2 && status == NESS_OK; fill++) {
    for (int32_t a = 0; a < self->n; a++) {
      const int32_t state = self->state[a];
      if (state == without) continue;
      for (int64_t e = q->start[state]; e < q->start[state + 1]; e++) {
        const int32_t b = self->place[q->to[e]];
        if (b == a || q->rate[e] == 0 || q->to[e] == without) continue;
        const gth_front *const f = front_of(self, a, b);
        if (f->twig < 0) continue;
        const int64_t at = end[f->twig]++;
        if (!fill) continue;
        self->slot[at] = (int32_t)entry_at(self, f, a, b);
        self->rate[at] = ldexp(q->rate[e], -self->power[a]);
      }
    }
    if (fill) break;
    int64_t all = 0;
    for (int32_t t = 0; t <= self->ntwig; t++) {
      const int64_t own = end[t];
      self->twig[t].rates = end[t] = all;
      all += own;
    }
    mem_free(self->slot);
    mem_free(self->rate);
    self->slot = mem_alloc(((size_t)all + 1) * sizeof *self->slot);
    self->rate = mem_alloc(((size_t)all + 1) * sizeof *self->rate);
    if (!self->slot || !self->rate) status = NESS_NOMEM;
  }
  mem_free(end);
  return status;
}

static ness_status chain_load(gth *self, const chain *q, int32_t without)
{
  bool thin = false, known = true;
  int64_t rounds = 0;
  /* Every thread writes the rates that leave its states, and each of these has a place of its own. */
#pragma omp parallel for if (self->n > 20000) default(none) shared(self, q, without) reduction(|| : thin)               \
    reduction(&& : known) reduction(+ : rounds)
  for (int32_t a = 0; a < self->n; a++) {
    bool faint = false;
    const int64_t count = state_load(self, q, a, without, &faint);
    known = known && count >= 0;
    thin = thin || faint;
    rounds += count;
  }
  self->thin = thin;
  self->rounds = rounds;
  if (!known) return NESS_USAGE;
  return self->ntwig > 0 ? twigs_note(self, q, without) : NESS_OK;
}

/* --- elimination --- */

/* Takes over what an elimination has told of a twig. */
static void twig_finish(const worker *self, int32_t *fan, const gth_twig *twig)
{
  memcpy(fan + self->g->front[twig->from].first, self->count, (size_t)twig->states * sizeof *fan);
}

/* Runs job j, or for j = njob all fronts above the jobs. What a job hands on stays in its own block. */
static ness_status job_run(worker *self, int32_t j)
{
  const gth *const g = self->g;
  const bool above = j == g->njob;
  const int32_t root = above ? g->nfront - 1 : g->job[j], from = above ? 0 : root - g->front[root].size + 1;
  ness_status status = worker_prepare(self, g->stack[j], g->widest[j]);
  for (int32_t f = from; f <= root && status == NESS_OK; f++) {
    if (self->stage[f] != FRONT_OPEN) continue;
    const int32_t twig = g->front[f].twig;
    status = worker_front(self, f);
    if (twig >= 0 && f == g->twig[twig].root) twig_finish(self, self->fan, &g->twig[twig]);
  }
  if (status == NESS_OK && !above && g->front[root].rest > 0) {
    double *const kept = mem_resize(self->stack, self->top, sizeof *kept);
    if (kept) {
      self->given[root] = kept;
      self->stage[root] = FRONT_APART;
      self->stack = NULL;
    } else {
      status = NESS_NOMEM;
    }
  }
  worker_clear(self);
  return status;
}

static ness_status fronts_run(gth *self, double **given, uint8_t *stage)
{
  const worker fresh = {
      .g = self, .values = self->values, .exit = self->exit, .fan = self->fan, .given = given, .stage = stage};
  ness_status status = NESS_OK;
  int32_t failed = self->njob; /* the first job that did, so that the answer is the same for any number of threads */
  int64_t rounds = 0;
  bool thin = false;
#pragma omp parallel for schedule(dynamic, 1) if (self->njob > 1) default(none) shared(self, fresh, status, failed) reduction(+ : rounds) reduction(|| : thin)
  for (int32_t j = 0; j < self->njob; j++) {
    worker each = fresh;
    const ness_status ended = job_run(&each, j);
    rounds += each.rounds;
    thin = thin || each.thin;
    if (ended == NESS_OK) continue;
#pragma omp critical(gth_failed)
    if (j < failed) {
      failed = j;
      status = ended;
    }
  }
  if (status == NESS_OK) {
    worker above = fresh;
    above.wide = true;
    status = job_run(&above, self->njob);
    rounds += above.rounds;
    thin = thin || above.thin;
  }
  self->rounds += rounds;
  self->thin = self->thin || thin;
  return status;
}

static ness_status factor(gth *self, const chain *q, int32_t without)
{
  const size_t fronts = (size_t)self->nfront;
  if (self->values) {
    memset(self->values, 0, self->kept * sizeof *self->values);
  } else {
    if (self->bytes > mem_available()) return NESS_LIMIT;
    const ness_status status = factors_create(self);
    if (status) return status;
  }
  self->whole = q->exit || without >= 0;
  self->pinned = self->whole ? without : self->state[self->n - 1];
  ness_status status = NESS_NOMEM;
  double **const given = mem_zero(fronts, sizeof *given);
  uint8_t *const stage = mem_zero(fronts, sizeof *stage);
  if (given && stage) {
    status = chain_load(self, q, without);
    if (status == NESS_OK) status = fronts_run(self, given, stage);
    for (size_t f = 0; f < fronts; f++) {
      if (stage[f] == FRONT_APART) mem_free(given[f]);
    }
  }
  mem_free(given);
  mem_free(stage);
  return status;
}

ness_status gth_factor(gth *self, const chain *q)
{
  return factor(self, q, -1);
}

ness_status gth_factor_without(gth *self, const chain *q, int32_t state)
{
  return factor(self, q, state);
}
