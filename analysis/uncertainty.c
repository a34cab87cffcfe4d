/* A lower bound on entropy production from how regular currents are: sigma >= 2 <J>^2 / (w Var J) for every current J
 * counted over a window w in a steady state (Barato, Seifert, Phys. Rev. Lett. 114, 158101 (2015); windows of any
 * length: Horowitz, Gingrich, Phys. Rev. E 96, 020103 (2017)), and so for the best of all linear combinations of
 * currents, (2/w) m' C^-1 m with their means and covariances (Dechant, J. Phys. A 52, 035001 (2019)). Invariant: what
 * is not known to flow does not count. The optimum of a sample is too good: its bias, d / n windows and the error of
 * C^-1, is taken out by the jackknife over batches. The low end is the smaller of that of the jackknife and that of
 * Hotelling's noncentral F, which has its level next to equilibrium, for all lengths of windows together (Bonferroni).
 * Currents between hidden states are currents too: the bound holds for what is behind. Cost: lengths * batches *
 * forms^3. */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define UNCERTAINTY_LEAST 64 /* windows, at least */

typedef struct bound_work {
  const analysis *all;
  int32_t rank; /* currents that do not follow from others, of the last call of bound_of */
  double row[1 + COUNTING_FORMS + COUNTING_FORMS * (COUNTING_FORMS + 1) / 2]; /* windows, sums, products */
  double covariance[COUNTING_FORMS * COUNTING_FORMS], mean[COUNTING_FORMS];
  double *without; /* (batches) */
} bound_work;

/* Adds the sums of a row: of forms alone. */
static void add_row(const counting *counted, const double *from, double by, double *to)
{
  const int32_t n = counted->forms;
  for (int32_t i = 0; i <= n; i++) to[i] += by * from[i];
  for (int32_t k = 0; k < n * (n + 1) / 2; k++) to[1 + n + k] += by * from[counting_product(counted, 0, 0) + k];
}

/* m' C^-1 m of the sums in `row`. */
static double bound_of(bound_work *self, const double *row)
{
  const int32_t n = self->all->counted->forms;
  bool keep[COUNTING_FORMS];
  double sum = 0;
  for (int32_t i = 0, k = 1 + n; i < n; i++) {
    self->mean[i] = row[1 + i] / row[0];
    for (int32_t j = 0; j <= i; j++, k++)
      self->covariance[i * n + j] = self->covariance[j * n + i] =
          (row[k] - row[1 + i] * row[1 + j] / row[0]) / (row[0] - 1);
  }
  self->rank = stat_cholesky(self->covariance, n, keep);
  stat_solve_lower(self->covariance, n, keep, self->mean);
  for (int32_t i = 0; i < n; i++) sum += self->mean[i] * self->mean[i];
  return sum;
}

/* The bound from windows of a level, k_B/s; `level` of confidence of its low end. */
static estimate bound_at(bound_work *self, int32_t level, double confidence)
{
  const analysis *const all = self->all;
  const counting *const counted = all->counted;
  const int32_t batches = all->sums->batches;
  const double factor = 2 / ldexp(counted->window, level);
  double rest[sizeof self->row / sizeof *self->row], bias;
  memset(self->row, 0, sizeof self->row);
  for (int32_t b = 0; b < batches; b++)
    add_row(counted, counting_row(counted, level, all->sums->index[b]), 1, self->row);
  for (int32_t b = 0; b < batches; b++) {
    memcpy(rest, self->row, sizeof rest);
    add_row(counted, counting_row(counted, level, all->sums->index[b]), -1, rest);
    self->without[b] = factor * bound_of(self, rest);
  }
  const double raw = bound_of(self, self->row), n = self->row[0], d = self->rank, dof = analysis_dof(all);
  estimate out = estimate_jackknife(all, factor * raw, self->without, (double)NAN, &bias);
  const double low = out.value - (dof > 0 ? stat_student_quantile(confidence, dof) : INFINITY) * out.error;
  const double f = d > 0 ? (n - d) / (d * (n - 1)) * n * raw : 0;
  const bool far = n * raw > BOUND_FAR + 20 * d; /* the jackknife alone holds there */
  const double noncentral = far ? INFINITY : d > 0 ? factor * stat_f_lambda(f, confidence, d, n - d) / n : 0;
  out.low = fmax(0, fmin(low, noncentral));
  if (isnan(low)) out.low = 0;
  return out;
}

static int32_t levels_enough(const analysis *all)
{
  const counting *const counted = all->counted;
  const double least = fmax(UNCERTAINTY_LEAST, 8 * counted->forms);
  int32_t level = 0;
  for (; level < counted->levels; level++) {
    double seen = 0;
    for (int32_t b = 0; b < all->sums->batches; b++) seen += counting_row(counted, level, all->sums->index[b])[0];
    if (seen < least) break;
  }
  return level;
}

ness_status uncertainty_doc(const analysis *all, doc_node *parent)
{
  const int32_t levels = all->counted ? levels_enough(all) : 0;
  if (levels == 0) return NESS_OK;
  const double confidence = 1 - (1 - all->level) / levels;
  bound_work self = {.all = all};
  estimate best = {0};
  int32_t at = -1, rank = 0;
  self.without = mem_zero((size_t)all->sums->batches + 1, sizeof *self.without);
  if (!self.without) return NESS_NOMEM;
  doc_node *const row = doc_object(parent, "uncertainty");
  doc_string(row, "is", "a lower bound");
  doc_node *const list = doc_array(row, "by_window");
  for (int32_t level = 0; level < levels; level++) {
    const estimate bound = bound_at(&self, level, confidence);
    doc_node *const line = doc_object(list, NULL);
    doc_number(line, "window", ldexp(all->counted->window, level));
    doc_int(line, "windows", (int64_t)self.row[0]);
    number_or_null(line, "bound", bound.value);
    number_or_null(line, "error", bound.error);
    doc_number(line, "low", bound.low);
    if (at >= 0 && bound.low <= best.low) continue;
    best = bound;
    at = level;
    rank = self.rank;
  }
  number_or_null(row, "estimate", best.value);
  number_or_null(row, "error", best.error);
  doc_number(row, "low", best.low);
  number_or_null(row, "entropy_exact", all->exact ? all->exact->entropy : (double)NAN);
  doc_number(row, "window", ldexp(all->counted->window, at));
  doc_int(row, "currents", rank);
  doc_string(row, "method",
             "uncertainty relation, the best combination of currents; jackknife; low is one-sided, for all windows "
             "together");
  mem_free(self.without);
  return NESS_OK;
}
