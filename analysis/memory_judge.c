/* The four tests from what was counted.
 *
 * Age: with a constant chance to leave, the exits at ages in a bin are Poisson with mean rate * time at risk there,
 * given the time; sum (O - E)^2 / E over bins is chi-square, a degree less for the rate (a piecewise constant hazard;
 * Breslow 1974). Sampled, exits are binomial, and the sum is over 1 - p. Tables: Pearson's chi-square of independence,
 * for (state before, next) of each state (Anderson and Goodman 1957) and for (next, age). The visit before: score test
 * of a proportional hazard in x, the bin of its age (Cox 1972), with what the rate takes: sum x (exit - rate * time).
 * Sums over states are chi-square with the sum of degrees, for in the limit states are independent (Billingsley 1961).
 * Rows and columns that are too rare for the law are put together, ages with their neighbours. Cost: tables once. */
#include "analysis/memory_inside.h"

#include <string.h>

#define EXPECTED_LEAST 5.0 /* in any cell */
#define AGE_LEAST 10.0     /* exits expected in a bin of ages */
#define AGE_SHARE 0.1      /* of all exits */
#define SCORE_LEAST 30     /* exits */

/* One state's part of a test. */
static void test_add(memory_test *self, int32_t state, double statistic, double freedom, int32_t *states)
{
  if (!(freedom > 0)) return;
  const double p = stat_f_tail(statistic / freedom, freedom, INFINITY, 0);
  self->statistic += statistic;
  self->freedom += freedom;
  ++*states;
  if (self->worst >= 0 && p >= self->worst_p) return;
  self->worst = state;
  self->worst_p = p;
}

static void test_end(memory_test *self, int32_t states)
{
  self->p = self->freedom > 0 ? stat_f_tail(self->statistic / self->freedom, self->freedom, INFINITY, 0) : (double)NAN;
  self->worst_p = self->worst >= 0 ? fmin(1, self->worst_p * states) : (double)NAN;
}

/* --- ages --- */

typedef struct age_groups {
  int32_t group[MEMORY_BINS]; /* of a bin */
  int32_t count;
  double left[MEMORY_BINS], risk[MEMORY_BINS]; /* (count) */
} age_groups;

static double bin_low(int32_t bin)
{
  return ldexp(bin % 2 ? 1.5 : 1, bin / 2 - 64);
}

/* Time at risk within a bin, from the visits that end in it and those that end beyond. */
static double bin_risk(const memory_counts *self, const memory_age *ages, int32_t bin, int64_t beyond)
{
  const double ends = (double)(ages->left[bin] + ages->cut[bin]);
  double low = bin > 0 ? bin_low(bin) : 0, width = bin_low(bin + 1) - low;
  if (self->step > 0) { /* samples: the ages 1, 2, ... that lie in the bin */
    const double first = fmax(1, ceil(low));
    width = fmax(0, ceil(bin_low(bin + 1)) - first);
    low = first - 1;
  }
  return (double)beyond * width + fmax(0, ages->sum[bin] - ends * low);
}

/* Bins put together until each expects enough exits. Returns the rate, NaN without any. */
static double age_group(const memory_counts *self, int32_t state, age_groups *out)
{
  const memory_age *const ages = &self->age[state];
  double risk[MEMORY_BINS], exits = 0, time = 0;
  int64_t beyond = 0;
  for (int32_t b = MEMORY_BINS - 1; b >= 0; b--) {
    risk[b] = bin_risk(self, ages, b, beyond);
    beyond += ages->left[b] + ages->cut[b];
    exits += (double)ages->left[b];
    time += risk[b];
  }
  const double rate = exits / time, least = fmax(AGE_LEAST, AGE_SHARE * exits);
  memset(out, 0, sizeof *out);
  if (!(exits > 0) || !(time > 0)) return (double)NAN;
  double left = exits;
  for (int32_t b = 0; b < MEMORY_BINS; b++) {
    const int32_t g = out->count;
    out->group[b] = g;
    out->left[g] += (double)ages->left[b];
    out->risk[g] += risk[b];
    const double expected = rate * out->risk[g];
    if (expected < least || left - expected < least) continue; /* what is left must do as well */
    left -= expected;
    out->count++;
  }
  out->count++;
  return rate;
}

static void ages_test(const memory_counts *self, int32_t state, const age_groups *groups, double rate, memory_test *out,
                      int32_t *states)
{
  double sum = 0;
  if (isnan(rate) || groups->count < 2 || (self->step > 0 && !(rate < 1))) return;
  for (int32_t g = 0; g < groups->count; g++) {
    const double expected = rate * groups->risk[g];
    if (!(expected >= EXPECTED_LEAST)) return;
    sum += (groups->left[g] - expected) * (groups->left[g] - expected) / expected;
  }
  test_add(out, state, self->step > 0 ? sum / (1 - rate) : sum, groups->count - 1, states);
}

/* --- tables --- */

typedef struct table {
  double *cell; /* (rows x columns) */
  double *row, *column;
  int32_t rows, columns;
} table;

static void table_margins(table *self)
{
  memset(self->row, 0, (size_t)self->rows * sizeof *self->row);
  memset(self->column, 0, (size_t)self->columns * sizeof *self->column);
  for (int32_t i = 0; i < self->rows; i++) {
    for (int32_t j = 0; j < self->columns; j++) {
      self->row[i] += self->cell[(int64_t)i * self->columns + j];
      self->column[j] += self->cell[(int64_t)i * self->columns + j];
    }
  }
}

static int32_t smallest(const double *x, int32_t n, int32_t but)
{
  int32_t at = -1;
  for (int32_t i = 0; i < n; i++)
    if (i != but && (at < 0 || x[i] < x[at])) at = i;
  return at;
}

static void table_join_rows(table *self, int32_t a, int32_t b)
{
  double *const last = self->cell + (int64_t)(self->rows - 1) * self->columns;
  for (int32_t j = 0; j < self->columns; j++) {
    self->cell[(int64_t)a * self->columns + j] += self->cell[(int64_t)b * self->columns + j];
    self->cell[(int64_t)b * self->columns + j] = last[j];
  }
  self->row[a] += self->row[b];
  self->row[b] = self->row[--self->rows];
}

static void table_join_columns(table *self, int32_t a, int32_t b)
{
  const int32_t n = self->columns;
  for (int32_t i = 0; i < self->rows; i++) {
    double *const from = self->cell + (int64_t)i * n, *const to = self->cell + (int64_t)i * (n - 1);
    from[a] += from[b];
    from[b] = from[n - 1];
    memmove(to, from, (size_t)(n - 1) * sizeof *to);
  }
  self->column[a] += self->column[b];
  self->column[b] = self->column[n - 1];
  self->columns--;
}

/* Pearson's sum over what is left when the rare is put together; freedom 0: nothing to test. The rarest go first, so
 * that how they are joined depends on the margins alone, which independence says nothing of. */
static double table_square(table *self, double *freedom)
{
  double total = 0, sum = 0;
  *freedom = 0;
  table_margins(self);
  for (int32_t i = 0; i < self->rows; i++) total += self->row[i];
  while (self->rows > 1 && self->columns > 1) {
    const int32_t r = smallest(self->row, self->rows, -1), c = smallest(self->column, self->columns, -1);
    if (self->row[r] * self->column[c] >= EXPECTED_LEAST * total) break;
    const bool rows = self->columns == 2 || (self->rows > 2 && self->row[r] <= self->column[c]);
    if (rows && self->rows == 2) return 0;
    if (rows) table_join_rows(self, smallest(self->row, self->rows, r), r);
    else table_join_columns(self, smallest(self->column, self->columns, c), c);
  }
  if (self->rows < 2 || self->columns < 2) return 0;
  for (int32_t i = 0; i < self->rows; i++) {
    for (int32_t j = 0; j < self->columns; j++) {
      const double expected = self->row[i] * self->column[j] / total;
      const double off = self->cell[(int64_t)i * self->columns + j] - expected;
      sum += off * off / expected;
    }
  }
  *freedom = (double)(self->rows - 1) * (self->columns - 1);
  return sum;
}

/* The way in against the way out. */
static void past_test(const memory_counts *self, int32_t state, table *work, memory_test *out, int32_t *states)
{
  double freedom;
  work->rows = self->in[state];
  work->columns = self->out[state];
  for (int64_t k = 0; k < (int64_t)work->rows * work->columns; k++)
    work->cell[k] = (double)self->triple[self->triple_start[state] + k];
  const double square = table_square(work, &freedom);
  test_add(out, state, square, freedom, states);
}

/* The way out against the age. */
static void exits_test(const memory_counts *self, int32_t state, const age_groups *groups, table *work,
                       memory_test *out, int32_t *states)
{
  double freedom;
  work->rows = self->out[state];
  work->columns = groups->count;
  memset(work->cell, 0, (size_t)work->rows * (size_t)work->columns * sizeof *work->cell);
  for (int32_t d = 0; d < self->ndir; d++) {
    if (self->dir[d].from != state) continue;
    for (int32_t b = 0; b < MEMORY_BINS; b++)
      work->cell[(int64_t)self->dir[d].out * work->columns + groups->group[b]] +=
          (double)self->exit[(int64_t)d * MEMORY_BINS + b];
  }
  const double square = table_square(work, &freedom);
  test_add(out, state, square, freedom, states);
}

static void before_test(const memory_counts *self, int32_t state, memory_test *out, int32_t *states)
{
  const memory_score *const s = &self->score[state];
  const double left = (double)s->left;
  if (s->left < SCORE_LEAST || !(s->time > 0)) return;
  const double rate = left / s->time, score = s->x_left - rate * s->x_time;
  const double spread = rate * (s->xx_time - s->x_time * s->x_time / s->time) * (self->step > 0 ? 1 - rate : 1);
  if (!(spread > 1e-9 * rate * s->xx_time)) return;
  test_add(out, state, score * score / spread, 1, states);
}

/* --- the whole --- */

ness_status memory_judge(const memory_counts *self, memory_result *out)
{
  static const char *const names[MEMORY_TESTS] = {
      "dwell times are exponential", "the next state does not depend on the one before",
      "the next state does not depend on the dwell time", "a dwell time does not depend on the one before"};
  size_t cells = 1, lines = MEMORY_BINS;
  *out = (memory_result){.p = (double)NAN, .worst = -1, .visits = self->visits};
  for (int32_t i = 0; i < self->nslot; i++) {
    const size_t in = (size_t)self->in[i], to = (size_t)self->out[i], wide = in > MEMORY_BINS ? in : MEMORY_BINS;
    cells = to * wide > cells ? to * wide : cells;
    lines = in > lines ? in : to > lines ? to : lines;
  }
  table work = {mem_zero(cells, sizeof(double)), mem_zero(lines, sizeof(double)), mem_zero(lines, sizeof(double)), 0,
                0};
  age_groups *const groups = mem_zero(1, sizeof *groups);
  const bool room = work.cell && work.row && work.column && groups;
  int32_t states[MEMORY_TESTS] = {0}, tests = 0;
  for (int32_t k = 0; k < MEMORY_TESTS; k++) out->test[k] = (memory_test){.name = names[k], .worst = -1};
  for (int32_t i = 0; i < self->nslot && room; i++) {
    const double rate = age_group(self, i, groups);
    ages_test(self, i, groups, rate, &out->test[0], &states[0]);
    past_test(self, i, &work, &out->test[1], &states[1]);
    if (!isnan(rate)) exits_test(self, i, groups, &work, &out->test[2], &states[2]);
    before_test(self, i, &out->test[3], &states[3]);
  }
  for (int32_t k = 0; k < MEMORY_TESTS; k++) {
    test_end(&out->test[k], states[k]);
    tests += out->test[k].freedom > 0;
    if (out->test[k].freedom > 0 && (out->worst < 0 || out->test[k].p < out->test[out->worst].p)) out->worst = k;
  }
  if (tests > 0) out->p = fmin(1, tests * out->test[out->worst].p);
  mem_free(work.cell);
  mem_free(work.row);
  mem_free(work.column);
  mem_free(groups);
  return room ? NESS_OK : NESS_NOMEM;
}
