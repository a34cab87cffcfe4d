/* What the factors of gth.c answer. x_k = sum of x_i l_ik rebuilds the steady distribution from the last state on; when
 * that leaves 2^-500 ... 2^500 it is done again with exponents of their own, so that p is as good as its bound down to
 * where a double ends. Solves go through both halves of the factors and subtract nothing. Cost: one pass over the
 * factors each, twice for a solve.
 *
 * Where products may have underflowed (`thin`), each is off by at most 2^-1075, and so is each ratio; as a change of a
 * rate of the chain of that time (gth.c) this is less than n 2^-1075 in units of the largest rate out of the state.
 * With the last state s pinned, steady x and x' of chains Q and Q + E differ by x' - x = x' E (-Q_s)^-1, and the
 * inverse of a chain from which states were removed is a part of the inverse of the whole one. So with e the sum of all
 * such changes, r_i the largest rate out of i and z = 1 (-Q_s)^-1, which the factors give, |p_i - exact| <= 4 e (sum of
 * p r) (sum of z), where 4 covers the scale of p, the primed p in place of p, and the roundings of z and of this
 * product. */
#include "engine/markov/gth_work.h"
#include "engine/markov/sum.h"
#include <math.h>
#include <string.h>

#define NARROW 0x1p500

typedef struct view { /* a front of the factors with its part of a vector */
  size_t p, c, last;  /* pivots, rest, pivots that were eliminated */
  const double *square, *up, *down;
  const int32_t *rows;
  double *x;    /* (p) */
  double *rest; /* (c) gathered */
} view;

static ness_status view_find(gth_walk *walk, int32_t index, double *x, double *rest, view *out)
{
  const gth *const self = walk->g;
  const gth_front *const f = &self->front[index];
  const size_t p = (size_t)f->pivots, c = (size_t)f->rest;
  const double *values;
  const ness_status status = walk_values(walk, index, &values);
  if (status) return status;
  *out = (view){
      .p = p,
      .c = c,
      .last = !self->whole && index == self->nfront - 1 ? p - 1 : p,
      .square = values,
      .up = values + p * p,
      .down = values + p * (p + c),
      .rows = self->rows + f->rows,
      .x = x + f->first,
      .rest = rest,
  };
  return NESS_OK;
}

/* A vector in order of position, and behind it room for the rest of any front. */
static double *room_create(const gth *self, double **rest)
{
  int32_t most = 0;
  for (int32_t f = 0; f < self->nfront; f++) most = self->front[f].rest > most ? self->front[f].rest : most;
  double *const x = mem_zero((size_t)self->n + (size_t)most, sizeof *x);
  *rest = x ? x + self->n : NULL;
  return x;
}

static double row_times(const double *a, const double *b, size_t count)
{
  double lane[4] = {0};
  size_t j = 0;
  for (; j + 4 <= count; j += 4) {
    for (size_t t = 0; t < 4; t++) lane[t] += a[j + t] * b[j + t];
  }
  for (; j < count; j++) lane[0] += a[j] * b[j];
  return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

static void row_add(double *restrict y, double f, const double *restrict x, size_t count)
{
  for (size_t j = 0; j < count; j++) y[j] += f * x[j];
}

static void rest_gather(const view *v, const double *x)
{
  for (size_t i = 0; i < v->c; i++) v->rest[i] = x[v->rows[i]];
}

static void rest_scatter(const view *v, double *x)
{
  for (size_t i = 0; i < v->c; i++) x[v->rows[i]] = v->rest[i];
}

/* x_k += sum of x_i l_ik in a front whose rest is known. */
static void front_back(const view *v, const double *x)
{
  rest_gather(v, x);
  for (size_t k = 0; k < v->last; k++) v->x[k] += row_times(v->down + k * v->c, v->rest, v->c);
  for (size_t i = v->p; i-- > 1;) row_add(v->x, v->x[i], v->square + i * v->p, i);
}

/* --- steady distribution --- */

/* Rebuilds x up to a factor; *fine is false when it left the range in which no product can have lost digits. */
static ness_status steady_narrow(gth_walk *walk, double *x, double *rest, bool *fine)
{
  const int32_t last = walk->g->nfront - 1;
  *fine = true;
  walk_turn(walk, true);
  for (int32_t f = last; f >= 0 && *fine; f--) {
    view v;
    const ness_status status = view_find(walk, f, x, rest, &v);
    if (status) return status;
    if (f == last) v.x[v.p - 1] = 1;
    front_back(&v, x);
    for (size_t k = 0; k < v.p; k++) *fine = *fine && v.x[k] > 1 / NARROW && v.x[k] < NARROW;
  }
  return NESS_OK;
}

typedef struct wide { /* value * 2^power; value in [0.5, 1) or 0 */
  double value;
  int64_t power;
} wide;

static wide wide_of(double value, int64_t power)
{
  int shift;
  const double part = frexp(value, &shift);
  return (wide){part, part == 0 ? 0 : power + shift};
}

/* Sum of `count` terms, which are brought to the power of the largest. */
static wide wide_sum(const wide *term, size_t count)
{
  int64_t top = INT64_MIN;
  for (size_t i = 0; i < count; i++) top = term[i].value > 0 && term[i].power > top ? term[i].power : top;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    if (term[i].value > 0 && top - term[i].power < 1000) sum += ldexp(term[i].value, (int)(term[i].power - top));
  }
  return wide_of(sum, top);
}

/* The same with exponents of any size; power (n) takes them. */
static ness_status steady_wide(gth_walk *walk, double *x, int64_t *power)
{
  const gth *const self = walk->g;
  ness_status status = NESS_OK;
  size_t most = 0;
  for (int32_t f = 0; f < self->nfront; f++) {
    const size_t rows = (size_t)self->front[f].pivots + (size_t)self->front[f].rest;
    most = rows > most ? rows : most;
  }
  wide *const term = mem_alloc(most * sizeof *term);
  if (!term) return NESS_NOMEM;
  x[self->n - 1] = 0.5, power[self->n - 1] = 1;
  walk_turn(walk, true);
  for (int32_t f = self->nfront - 1; f >= 0; f--) {
    view v;
    status = view_find(walk, f, x, NULL, &v);
    if (status) break;
    const int32_t first = self->front[f].first;
    for (size_t k = v.last; k-- > 0;) {
      size_t count = 0;
      for (size_t i = k + 1; i < v.p; i++) {
        term[count++] = wide_of(v.x[i] * v.square[i * v.p + k], power[(size_t)first + i]);
      }
      for (size_t i = 0; i < v.c; i++) term[count++] = wide_of(x[v.rows[i]] * v.down[k * v.c + i], power[v.rows[i]]);
      const wide sum = wide_sum(term, count);
      v.x[k] = sum.value;
      power[(size_t)first + k] = sum.power;
    }
  }
  mem_free(term);
  return status;
}

/* Takes the powers of the states' rates out and scales to sum 1, from 2^power x. */
static ness_status steady_scale(const gth *self, double *x, int64_t *power, double *p)
{
  int64_t top = INT64_MIN;
  for (int32_t i = 0; i < self->n; i++) {
    const wide own = wide_of(x[i], power[i] - self->power[i]);
    if (!isfinite(own.value)) return NESS_NUMERIC;
    x[i] = own.value;
    power[i] = own.power;
    if (own.value > 0 && own.power > top) top = own.power;
  }
  exact_sum sum = {0, 0};
  for (int32_t i = 0; i < self->n; i++) {
    x[i] = top - power[i] < 1200 ? ldexp(x[i], (int)(power[i] - top + 1)) : 0;
    sum_add(&sum, x[i]);
  }
  const double total = sum_get(&sum);
  for (int32_t i = 0; i < self->n; i++) p[self->state[i]] = x[i] / total;
  return total > 0 && isfinite(total) ? NESS_OK : NESS_NUMERIC;
}

/* The most roundings that any x has behind it. */
static int64_t steady_rounds(const gth *self, int64_t *behind)
{
  int64_t worst = 0;
  for (int32_t f = self->nfront - 1; f >= 0; f--) {
    const gth_front *const front = &self->front[f];
    int64_t most = 0;
    for (int32_t i = 0; i < front->rest; i++) {
      const int64_t own = behind[self->rows[front->rows + i]];
      most = own > most ? own : most;
    }
    for (int32_t k = front->first + front->pivots - 1; k >= front->first; k--) {
      if (k < self->n - 1) most += self->fan[k] + 2;
      behind[k] = most;
    }
    worst = most > worst ? most : worst;
  }
  return worst;
}

ness_status gth_steady(const gth *self, double *p, double *bound)
{
  double *rest, *const x = room_create(self, &rest);
  int64_t *const power = mem_zero((size_t)self->n, sizeof *power);
  gth_walk walk;
  bool fine;
  ness_status status = walk_open(&walk, self);
  if (status == NESS_OK && (!x || !power)) status = NESS_NOMEM;
  if (status) goto out;
  *bound = expm1(2.002 * ((double)self->rounds + (double)steady_rounds(self, power) + 3) * 0x1p-53);
  memset(power, 0, (size_t)self->n * sizeof *power);
  status = steady_narrow(&walk, x, rest, &fine);
  if (status == NESS_OK && !fine) status = steady_wide(&walk, x, power);
  if (status == NESS_OK) status = steady_scale(self, x, power, p);
out:
  walk_close(&walk);
  mem_free(x);
  mem_free(power);
  return status;
}

ness_status gth_underflow(const gth *self, const double *p, double *share)
{
  double *const z = mem_alloc((size_t)self->n * sizeof *z), mean = 0, most = 0, time = 0;
  if (!z) return NESS_NOMEM;
  for (int32_t i = 0; i < self->n; i++) z[i] = 1;
  const ness_status status = gth_left(self, z);
  for (int32_t i = 0; i < self->n; i++) {
    const double rate = ldexp(1, self->power[i]);
    mean += p[self->state[i]] * rate;
    most = rate > most ? rate : most;
    time += z[i];
  }
  mem_free(z);
  const double n = self->n, count = (self->flops + n * n + n) * n; /* rates that changed, times n */
  const bool slight = status == NESS_OK && most * time * ldexp(count, -1000) * 0x1p-75 < 0.25;
  *share = slight ? 4 * mean * time * ldexp(count, 500 - 1075) : INFINITY;
  return status == NESS_NUMERIC ? NESS_OK : status;
}

/* --- solves --- */

static ness_status left_run(gth_walk *walk, double *x, double *rest)
{
  const gth *const self = walk->g;
  view v;
  walk_turn(walk, false);
  for (int32_t f = 0; f < self->nfront; f++) { /* weight moves on to later states */
    const ness_status status = view_find(walk, f, x, rest, &v);
    if (status) return status;
    rest_gather(&v, x);
    for (size_t k = 0; k < v.last; k++) {
      const double t = v.x[k] /= v.square[k * v.p + k];
      row_add(v.x + k + 1, t, v.square + k * v.p + k + 1, v.p - k - 1);
      row_add(v.rest, t, v.up + k * v.c, v.c);
    }
    rest_scatter(&v, x);
  }
  if (self->pinned >= 0) x[self->place[self->pinned]] = 0;
  walk_turn(walk, true);
  for (int32_t f = self->nfront - 1; f >= 0; f--) {
    const ness_status status = view_find(walk, f, x, rest, &v);
    if (status) return status;
    front_back(&v, x);
  }
  return NESS_OK;
}

static ness_status right_run(gth_walk *walk, double *y, double *rest)
{
  const gth *const self = walk->g;
  view v;
  walk_turn(walk, false);
  for (int32_t f = 0; f < self->nfront; f++) { /* later states take over what waits behind them */
    const ness_status status = view_find(walk, f, y, rest, &v);
    if (status) return status;
    rest_gather(&v, y);
    for (size_t i = 1; i < v.p; i++) v.x[i] += row_times(v.square + i * v.p, v.x, i < v.last ? i : v.last);
    for (size_t k = 0; k < v.last; k++) row_add(v.rest, v.x[k], v.down + k * v.c, v.c);
    rest_scatter(&v, y);
  }
  if (self->pinned >= 0) y[self->place[self->pinned]] = 0;
  walk_turn(walk, true);
  for (int32_t f = self->nfront - 1; f >= 0; f--) {
    const ness_status status = view_find(walk, f, y, rest, &v);
    if (status) return status;
    rest_gather(&v, y);
    for (size_t k = v.last; k-- > 0;) {
      const double *const row = v.square + k * v.p;
      const double sum = row_times(row + k + 1, v.x + k + 1, v.p - k - 1) + row_times(v.up + k * v.c, v.rest, v.c);
      v.x[k] = (v.x[k] + sum) / row[k];
    }
  }
  return NESS_OK;
}

/* Both kinds of solve, in order of position; `power` is what the states' rates were divided by. */
static ness_status solve(const gth *self, bool right, double *out)
{
  double *rest, *const x = room_create(self, &rest);
  gth_walk walk;
  ness_status status = walk_open(&walk, self);
  if (status == NESS_OK && !x) status = NESS_NOMEM;
  if (status) goto out;
  for (int32_t i = 0; i < self->n; i++)
    x[i] = right ? ldexp(out[self->state[i]], -self->power[i]) : out[self->state[i]];
  if (self->pinned >= 0) x[self->place[self->pinned]] = 0;
  status = right ? right_run(&walk, x, rest) : left_run(&walk, x, rest);
  if (status) goto out;
  bool fine = true;
  for (int32_t i = 0; i < self->n; i++) {
    const double value = right ? x[i] : ldexp(x[i], -self->power[i]);
    out[self->state[i]] = value;
    fine = fine && isfinite(value);
  }
  if (!fine) status = NESS_NUMERIC;
out:
  walk_close(&walk);
  mem_free(x);
  return status;
}

ness_status gth_left(const gth *self, double *x)
{
  return solve(self, false, x);
}

ness_status gth_right(const gth *self, double *y)
{
  return solve(self, true, y);
}
