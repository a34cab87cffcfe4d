/* The dominant eigenvalue by Noda's iteration in its subtraction-free form. With x > 0, s = max (M x)_i / x_i and
 * X = diag(x), the matrix X^-1 (s - M) X has off-diagonals -m_ij x_j / x_i and row sums e_i = s - (M x)_i / x_i >= 0: a
 * chain with exits e, and x <- x y with y the mean times before it is left. Convergence is quadratic and both
 * Collatz-Wielandt bounds are monotone (Elsner, Linear Algebra Appl. 15, 235 (1976)). The exits cancel, so x and the
 * quotients are held in pairs of doubles (pair.h), with their rounding errors counted. Close to the end y is taken as
 * 1 - d, where d solves for e minus its mean c under the left vector: rounding then only touches d, and some solves
 * with the last factors take x and the bounds far beyond double precision. The first x scales every state's largest
 * rate in and out alike. Cost: 4 to 15 factorisations, a few solves each. */
#include "engine/markov/perron.h"
#include "engine/markov/pair.h"
#include "engine/markov/solver.h"

#include <float.h>
#include <string.h>

enum {
  NODA_STEPS = 500,
  NODA_CORRECTIONS = 12,
  NODA_PATIENCE = 4,
  NODA_SWEEPS = 30,
  NODA_LEFT = 12,
  NODA_LARGE = 20000
};

static const double NODA_ENOUGH = 1e-12;     /* spread relative to the value at which large matrices are left alone */
static const double NODA_EARLY = 0.03;       /* spread relative to the scale above which corrections are not tried */
static const double NODA_LEFT_SPREAD = 1e-9; /* of the left quotients, relative as `tolerance` */

typedef struct noda {
  const chain *q;
  pair *diagonal;  /* (n) with the loops */
  double *size;    /* (n) sum of the magnitudes in diagonal */
  pair *x;         /* (n) from 1/2 to 1 */
  int32_t *power;  /* (n) the vector is x 2^power */
  pair *quotient;  /* (n) (M x)_i / x_i */
  double *slack;   /* (n) error of the quotient at most */
  chain scaled;    /* start and to borrowed from q */
  pair shift;      /* s of the factors */
  double *weight;  /* (n) left vector of the scaled chain, sum 1 */
  double *grown;   /* (n) x over the x of the factors */
  double *y;       /* (n) */
  solver *factors; /* of the scaled chain */
  pair low, high;  /* certified so far */
  double spread;   /* of the quotients of this x */
  double scale;    /* largest |diagonal| */
  int32_t steps;
} noda;

/* --- quotients and bounds --- */

static void quotient_find(noda *self, int32_t i)
{
  const chain *const q = self->q;
  pair sum = {0};
  for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
    const int32_t j = q->to[e];
    if (j == i) continue;
    int power; /* mantissas first, so that nothing underflows before its size against x_i is known */
    const double rate = frexp(q->rate[e], &power);
    sum = pair_add(sum, pair_shift(pair_times(self->x[j], rate), power + self->power[j] - self->power[i]));
  }
  const pair inflow = pair_divide(sum, self->x[i]);
  const double terms = (double)(q->start[i + 1] - q->start[i]);
  self->quotient[i] = pair_add(self->diagonal[i], inflow);
  self->slack[i] = (3 * terms + 26) * 0x1p-105 * (self->size[i] + inflow.high) + terms * 0x1p-1070;
}

/* The quotients of x and what they say of the value. */
static ness_status quotients_find(noda *self)
{
  const int32_t n = self->q->n;
#pragma omp parallel for schedule(static) if (n > 20000) default(none) shared(self, n)
  for (int32_t i = 0; i < n; i++) quotient_find(self, i);
  pair low = {INFINITY, 0}, high = {-INFINITY, 0}, least = low, most = high;
  for (int32_t i = 0; i < n; i++) {
    const pair at = self->quotient[i], slack = {self->slack[i], 0};
    if (!isfinite(at.high) || !isfinite(at.low) || !isfinite(slack.high)) return NESS_NUMERIC;
    const pair above = pair_add(at, slack), below = pair_add(at, pair_minus(slack));
    if (pair_less(high, above)) high = above;
    if (pair_less(below, low)) low = below;
    if (pair_less(most, at)) most = at;
    if (pair_less(at, least)) least = at;
  }
  if (pair_less(high, self->high)) self->high = high;
  if (pair_less(self->low, low)) self->low = low;
  self->shift = most;
  self->spread = pair_get(pair_add(most, pair_minus(least)));
  return NESS_OK;
}

static double noda_width(const noda *self)
{
  return pair_get(pair_add(self->high, pair_minus(self->low)));
}

/* The spread at which there is nothing left to gain. */
static double noda_floor(const noda *self)
{
  double slack = 0;
  for (int32_t i = 0; i < self->q->n; i++) slack = fmax(slack, self->slack[i]);
  return fmax(slack, DBL_EPSILON / 8 * fmin(fabs(self->high.high), fabs(self->low.high)));
}

/* --- the first vector --- */

typedef struct balance {
  const chain *q;
  chain in;                       /* transpose of q */
  int32_t *power, *queue, *there; /* there: of the state at hand to each, INT32_MIN none */
  bool *seen;
} balance;

/* From state to state along ways there and back, so that both are alike where the pattern is a tree. */
static void balance_walk(balance *self)
{
  const chain *const q = self->q, *const in = &self->in;
  int32_t done = 0, count = 0;
  for (int32_t i = 0; i < q->n; i++) self->there[i] = INT32_MIN;
  for (int32_t next = 0; done < q->n; next += done == count) {
    if (done == count) { /* a new tree */
      if (self->seen[next]) continue;
      self->seen[next] = true;
      self->queue[count++] = next;
      for (int64_t e = in->start[next]; e < in->start[next + 1]; e++) {
        if (self->seen[in->to[e]]) self->power[next] = self->power[in->to[e]];
      }
    }
    const int32_t i = self->queue[done++];
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      const int32_t size = ilogb(q->rate[e]), j = q->to[e];
      if (self->there[j] < size) self->there[j] = size;
    }
    for (int64_t e = in->start[i]; e < in->start[i + 1]; e++) {
      const int32_t j = in->to[e];
      if (self->seen[j] || self->there[j] == INT32_MIN) continue;
      self->seen[j] = true;
      self->power[j] = self->power[i] + (ilogb(in->rate[e]) - self->there[j]) / 2;
      self->queue[count++] = j;
    }
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) self->there[q->to[e]] = INT32_MIN;
  }
}

/* The largest rate into a state and the largest out of it made alike; whether that moved it. */
static bool balance_state(balance *self, int32_t i)
{
  const chain *const q = self->q, *const in = &self->in;
  int32_t row = INT32_MIN, column = INT32_MIN;
  for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
    const int32_t size = ilogb(q->rate[e]) + self->power[q->to[e]];
    if (q->to[e] != i && size > row) row = size;
  }
  for (int64_t e = in->start[i]; e < in->start[i + 1]; e++) {
    const int32_t size = ilogb(in->rate[e]) - self->power[in->to[e]];
    if (size > column) column = size;
  }
  const int32_t to = (row - column) / 2; /* row - power = column + power */
  const bool moved = to != self->power[i];
  self->power[i] = to;
  return moved;
}

/* Powers of two that make the largest rates into and out of every state alike, as far as some sweeps take it. */
static ness_status powers_balance(const chain *q, int32_t *power)
{
  const size_t n = (size_t)q->n;
  balance self = {.q = q, .power = power};
  ness_status status = chain_transpose(q, &self.in);
  self.queue = mem_zero(n, sizeof *self.queue);
  self.there = mem_zero(n, sizeof *self.there);
  self.seen = mem_zero(n, sizeof *self.seen);
  if (!self.queue || !self.there || !self.seen) status = NESS_NOMEM;
  if (status) goto out;
  balance_walk(&self);
  bool moved = q->n > 1;
  for (int sweep = 0; sweep < NODA_SWEEPS && moved; sweep++) {
    moved = false;
    for (int32_t i = 0; i < q->n; i++) moved |= balance_state(&self, sweep % 2 ? q->n - 1 - i : i);
  }
out:
  chain_free(&self.in);
  mem_free(self.queue);
  mem_free(self.there);
  mem_free(self.seen);
  return status;
}

static void vector_set(noda *self, const double *from, const int32_t *power)
{
  for (int32_t i = 0; i < self->q->n; i++) {
    int own = 1;
    self->x[i] = (pair){from ? frexp(from[i], &own) : 0.5, 0};
    self->power[i] = own + (power ? power[i] : 0);
  }
}

/* The guess, or ones or the balanced vector, whichever bounds the value better from above. */
static ness_status noda_start(noda *self, const double *guess)
{
  const int32_t n = self->q->n;
  bool given = true;
  for (int32_t i = 0; i < n; i++) given &= guess[i] > 0 && isfinite(guess[i]);
  int32_t *power = NULL;
  vector_set(self, given ? guess : NULL, NULL);
  ness_status status = quotients_find(self);
  if (status == NESS_OK && given) return NESS_OK;
  const pair first = status ? (pair){INFINITY, 0} : self->shift;
  power = mem_zero((size_t)n, sizeof *power);
  status = power ? powers_balance(self->q, power) : NESS_NOMEM;
  if (status) goto out;
  vector_set(self, NULL, power);
  status = quotients_find(self);
  if (isfinite(first.high) && (status || pair_less(first, self->shift))) {
    vector_set(self, NULL, NULL);
    status = quotients_find(self);
  }
out:
  mem_free(power);
  return status;
}

/* --- steps --- */

/* The scaled chain of x; false when no exit is left. Rates that vanish are held up: the factors need not be exact. */
static bool scaled_fill(noda *self)
{
  const chain *const q = self->q;
  const double least = fmax(self->scale * 1e-280, DBL_MIN);
  double most = 0;
  for (int32_t i = 0; i < q->n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      const int32_t j = q->to[e];
      int power;
      const double rate = frexp(q->rate[e], &power) * (self->x[j].high / self->x[i].high);
      self->scaled.rate[e] = fmax(ldexp(rate, power + self->power[j] - self->power[i]), least);
    }
    self->scaled.exit[i] = fmax(pair_get(pair_add(self->shift, pair_minus(self->quotient[i]))), 0);
    most = fmax(most, self->scaled.exit[i]);
  }
  for (int32_t i = 0; i < q->n; i++) {
    self->weight[i] = fmax(self->weight[i] * self->grown[i], DBL_MIN);
    self->grown[i] = 1;
  }
  return most > 0;
}

/* weight <- weight (s - M)^-1 in the scaling of the factors; *change is the largest relative one. */
static ness_status weight_step(noda *self, double *change)
{
  const int32_t n = self->q->n;
  memcpy(self->y, self->weight, (size_t)n * sizeof *self->y);
  const ness_status status = solver_left(self->factors, self->y);
  if (status) return status;
  double sum = 0, most = 0;
  for (int32_t i = 0; i < n; i++) sum += self->y[i];
  if (!(sum > 0) || !isfinite(sum)) return NESS_NUMERIC;
  for (int32_t i = 0; i < n; i++) {
    const double to = fmax(self->y[i] / sum, DBL_MIN);
    most = fmax(most, fabs(to - self->weight[i]) / to);
    self->weight[i] = to;
  }
  *change = most;
  return NESS_OK;
}

/* y <- 1 - d, and whether every |d| is small enough for it. */
static ness_status correction_find(noda *self, const pair *shift, bool *small)
{
  const int32_t n = self->q->n;
  double mean = 0, sum = 0;
  for (int32_t i = 0; i < n; i++) {
    self->y[i] = pair_get(pair_add(*shift, pair_minus(self->quotient[i])));
    mean += self->weight[i] * self->grown[i] * self->y[i];
    sum += self->weight[i] * self->grown[i];
  }
  for (int32_t i = 0; i < n; i++) self->y[i] = self->grown[i] * (self->y[i] - mean / sum);
  const ness_status status = solver_right(self->factors, self->y);
  *small = status == NESS_OK;
  for (int32_t i = 0; i < n; i++) {
    self->y[i] /= self->grown[i];
    *small = *small && fabs(self->y[i]) < 0.5;
  }
  return status;
}

static void vector_normalise(noda *self, int32_t i, pair x)
{
  int power;
  frexp(x.high, &power);
  self->x[i] = pair_shift(x, -power);
  self->power[i] += power;
}

/* x <- x (1 - y) with the correction in y. */
static ness_status vector_correct(noda *self)
{
  for (int32_t i = 0; i < self->q->n; i++) {
    const double d = self->y[i];
    vector_normalise(self, i, pair_add(self->x[i], pair_times(self->x[i], -d)));
    self->grown[i] *= 1 - d;
  }
  return quotients_find(self);
}

/* x <- x y with y the mean times. */
static ness_status vector_iterate(noda *self)
{
  const int32_t n = self->q->n;
  for (int32_t i = 0; i < n; i++) self->y[i] = 1;
  const ness_status status = solver_right(self->factors, self->y);
  if (status) return status;
  double most = 0;
  for (int32_t i = 0; i < n; i++) {
    if (!(self->y[i] > 0) || !isfinite(self->y[i])) return NESS_NUMERIC;
    most = fmax(most, self->y[i]);
  }
  const int base = ilogb(most);
  for (int32_t i = 0; i < n; i++) {
    vector_normalise(self, i, pair_times(self->x[i], self->y[i]));
    self->power[i] -= base;
    self->grown[i] = ldexp(self->y[i], -base);
  }
  return quotients_find(self);
}

static ness_status noda_factor(noda *self)
{
  solver_free(self->factors);
  self->factors = NULL;
  self->steps++;
  return solver_create(&self->scaled, &(solver_options){.tolerance = 1e-10}, NULL, &self->factors);
}

/* What can be had from one factorisation. */
static ness_status noda_step(noda *self, double goal, bool early)
{
  if (early) return vector_iterate(self);
  const pair shift = self->shift;
  double change = 0;
  ness_status status = weight_step(self, &change);
  for (int k = 0; k < NODA_CORRECTIONS && !status && self->spread > goal; k++) {
    const double before = self->spread;
    bool small;
    status = correction_find(self, &shift, &small);
    if (status) break;
    if (small) status = vector_correct(self);
    else if (k == 0) status = vector_iterate(self);
    else break;
    if (!status && self->spread > before / 8) break;
    if (!status && k > 0) status = weight_step(self, &change);
  }
  return status;
}

/* Steps until the spread is at the goal or does not fall any more; a solve that fails ends them quietly, since the
 * bounds stand by themselves. */
static ness_status noda_run(noda *self, double tolerance)
{
  int stalled = 0;
  bool corrected = false;
  while (self->steps < NODA_STEPS && stalled < NODA_PATIENCE) {
    if (interrupt_pending()) return NESS_INTERRUPTED;
    const double before = self->spread, top = self->high.high;
    const double wide = fmax(self->scale, fabs(self->shift.high));
    const double goal = tolerance > 0 ? 0.25 * tolerance * wide : noda_floor(self);
    const bool enough = corrected && self->q->n > NODA_LARGE && before <= NODA_ENOUGH * fabs(self->shift.high);
    if (before <= goal || (enough && before <= 1e-14 * wide)) break;
    if (!scaled_fill(self)) break;
    ness_status status = noda_factor(self);
    corrected = before <= NODA_EARLY * wide;
    if (!status) status = noda_step(self, goal, !corrected);
    if (status == NESS_NUMERIC) return quotients_find(self); /* whether x itself is still sound */
    if (status) return status;
    const bool moved = self->spread < 0.99 * before || top - self->high.high > 0.01 * fabs(top);
    stalled = moved ? 0 : stalled + 1;
  }
  return NESS_OK;
}

/* --- left vector and answer --- */

/* The spread of the quotients of the weights, which bound the value like those of x; plain doubles. */
static double weight_spread(noda *self)
{
  const chain *const b = &self->scaled;
  for (int32_t i = 0; i < b->n; i++) self->y[i] = 0;
  for (int32_t i = 0; i < b->n; i++) {
    for (int64_t e = b->start[i]; e < b->start[i + 1]; e++) {
      if (b->to[e] != i) self->y[b->to[e]] += b->rate[e] * self->weight[i];
    }
  }
  double low = INFINITY, high = -INFINITY;
  for (int32_t i = 0; i < b->n; i++) {
    const double at = self->y[i] / self->weight[i] + self->diagonal[i].high;
    low = fmin(low, at);
    high = fmax(high, at);
  }
  return high - low;
}

/* The weights by the last factors. Where these do not serve, as the steady state of the scaled chain without its exits:
 * they have become as small as the spread. */
static ness_status weight_find(noda *self)
{
  const double most = NODA_LEFT_SPREAD * fmax(self->scale, fabs(self->shift.high)) + self->spread;
  ness_status status = self->factors ? NESS_OK : NESS_NUMERIC;
  double change = INFINITY;
  for (int k = 0; k < NODA_LEFT && !status && change > 1e-15; k++) {
    const double before = change;
    status = weight_step(self, &change);
    if (change > before / 2 && change < 1e-11) break;
  }
  if (status && status != NESS_NUMERIC) return status;
  if (!status && weight_spread(self) <= most) return NESS_OK;
  solver_free(self->factors);
  self->factors = NULL;
  scaled_fill(self);
  chain closed = self->scaled;
  closed.exit = NULL;
  self->steps++;
  status = solver_create(&closed, &(solver_options){.tolerance = 1e-8}, NULL, &self->factors);
  if (status) return status;
  for (int32_t i = 0; i < closed.n; i++) self->weight[i] = fmax(solver_steady(self->factors)[i], DBL_MIN);
  solver_free(self->factors); /* before its chain goes */
  self->factors = NULL;
  return weight_spread(self) <= most ? NESS_OK : NESS_NUMERIC;
}

static ness_status vectors_get(const noda *self, double *right, double *left)
{
  const int32_t n = self->q->n;
  int32_t most = INT32_MIN, least = INT32_MAX;
  double sum = 0;
  for (int32_t i = 0; i < n; i++) {
    most = self->power[i] > most ? self->power[i] : most;
    least = self->power[i] < least ? self->power[i] : least;
    sum += self->weight[i] * self->grown[i];
  }
  const int32_t up = least + 1000, down = most - 1000, base = most <= up ? most : up > down ? up : down;
  for (int32_t i = 0; i < n; i++) {
    right[i] = fmax(ldexp(pair_get(self->x[i]), self->power[i] - base), DBL_MIN);
    if (!left) continue;
    left[i] = ldexp(self->weight[i] * self->grown[i] / (sum * self->x[i].high), base - self->power[i]);
    if (!isfinite(left[i])) return NESS_NUMERIC;
  }
  return NESS_OK;
}

static void bounds_get(const noda *self, perron *out)
{
  const pair middle = pair_times(pair_add(self->low, self->high), 0.5);
  out->low = nextafter(pair_get(self->low), -INFINITY);
  out->high = nextafter(pair_get(self->high), INFINITY);
  out->value = pair_get(middle);
  out->steps = self->steps;
}

/* --- the whole --- */

static ness_status irreducible_check(const chain *q)
{
  const chain open = {.n = q->n, .start = q->start, .to = q->to, .rate = q->rate};
  chain_classes classes;
  const ness_status status = chain_classes_find(&open, &classes);
  if (status) return status;
  const bool irreducible = classes.count == 1 && classes.start[1] == q->n;
  chain_classes_free(&classes);
  return irreducible ? NESS_OK : NESS_NUMERIC;
}

static ness_status noda_create(const chain *q, const double *diagonal, noda *self)
{
  const size_t n = (size_t)q->n;
  *self = (noda){.q = q, .low = {-INFINITY, 0}, .high = {INFINITY, 0}};
  self->diagonal = mem_zero(n, sizeof *self->diagonal);
  self->size = mem_zero(n, sizeof *self->size);
  self->x = mem_zero(n, sizeof *self->x);
  self->power = mem_zero(n, sizeof *self->power);
  self->quotient = mem_zero(n, sizeof *self->quotient);
  self->slack = mem_zero(n, sizeof *self->slack);
  self->weight = mem_zero(n, sizeof *self->weight);
  self->grown = mem_zero(n, sizeof *self->grown);
  self->y = mem_zero(n, sizeof *self->y);
  self->scaled = (chain){.n = q->n, .start = q->start, .to = q->to};
  self->scaled.rate = mem_zero((size_t)q->start[n] + 1, sizeof *self->scaled.rate);
  self->scaled.exit = mem_zero(n, sizeof *self->scaled.exit);
  if (!self->diagonal || !self->size || !self->x || !self->power || !self->quotient || !self->slack || !self->weight ||
      !self->grown || !self->y || !self->scaled.rate || !self->scaled.exit)
    return NESS_NOMEM;
  for (int32_t i = 0; i < q->n; i++) {
    self->diagonal[i].high = diagonal[i];
    self->size[i] = fabs(diagonal[i]);
    self->weight[i] = 1 / (double)n;
    self->grown[i] = 1;
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (!(q->rate[e] > 0) || !isfinite(q->rate[e])) return NESS_NUMERIC;
      if (q->to[e] != i) continue;
      self->diagonal[i] = pair_add(self->diagonal[i], (pair){q->rate[e], 0});
      self->size[i] += q->rate[e];
    }
    if (!isfinite(self->size[i])) return NESS_NUMERIC;
    self->scale = fmax(self->scale, fabs(self->diagonal[i].high));
  }
  return irreducible_check(q);
}

static void noda_free(noda *self)
{
  solver_free(self->factors);
  mem_free(self->diagonal);
  mem_free(self->size);
  mem_free(self->x);
  mem_free(self->power);
  mem_free(self->quotient);
  mem_free(self->slack);
  mem_free(self->weight);
  mem_free(self->grown);
  mem_free(self->y);
  mem_free(self->scaled.rate);
  mem_free(self->scaled.exit);
}

ness_status perron_find(const chain *q, const double *diagonal, double tolerance, double *right, double *left,
                        perron *out)
{
  noda self;
  *out = (perron){0};
  ness_status status = noda_create(q, diagonal, &self);
  if (!status) status = noda_start(&self, right);
  if (!status) status = noda_run(&self, tolerance);
  if (status) goto out;
  bounds_get(&self, out);
  const double wide = fmax(self.scale, fabs(out->value));
  if (!(fmax(noda_width(&self), self.spread) <= (tolerance > 0 ? tolerance : 1e-13) * wide)) status = NESS_NUMERIC;
  if (!status && left) status = q->n > 1 ? weight_find(&self) : NESS_OK;
  const ness_status ranged = vectors_get(&self, right, status ? NULL : left);
  if (!status) status = ranged;
out:
  noda_free(&self);
  return status;
}
