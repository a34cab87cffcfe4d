/* Numbers with errors from batches.
 * Rates are ratios, sum of x over sum of time, so that batches of unequal length are weighed right; their error comes
 * from the residuals x_b - rate * T_b (the delta method). Time batches within a replica are neighbours: their variance
 * is corrected by the covariance of neighbours, which is exact to first order in correlation time over batch length,
 * and the interval takes a third of the degrees of freedom for it (the relative variance of g0 + 2 g1 is about 6 /
 * batches). Nonlinear numbers take the jackknife (Efron, Stein 1981) with neighbouring batches joined for time batches.
 */
#include "analysis/analysis.h"

#include <math.h>
#include <stdio.h>

double analysis_dof(const analysis *self)
{
  const int32_t b = self->sums->batches;
  if (b < 4 || self->unerring) return 0;
  return self->plan->by_time ? fmax(1, (b - 1) / 3.0) : b - 1;
}

double analysis_total(const analysis *self, int32_t at)
{
  double sum = 0;
  for (int32_t b = 0; b < self->sums->batches; b++) sum += self->sums->batch[(int64_t)b * self->plan->width + at];
  return sum;
}

/* Variance of a sum of batches from their residuals, NaN when there are too few. */
static double residual_variance(const analysis *self, const double *e)
{
  const int32_t b = self->sums->batches;
  if (b < 4 || self->unerring) return (double)NAN;
  double own = 0, neighbours = 0;
  for (int32_t i = 0; i < b; i++) {
    own += e[i] * e[i];
    if (self->sums->joined[i]) neighbours += e[i] * e[i - 1];
  }
  double sum = own;
  if (self->plan->by_time) sum = fmax(own + 2 * neighbours, 0.25 * own);
  return sum * b / (b - 1);
}

static void interval(const analysis *self, estimate *out)
{
  out->low = out->value - self->student * out->error;
  out->high = out->value + self->student * out->error;
}

estimate estimate_rate(const analysis *self, const double *x, double exact)
{
  estimate out = {.exact = exact};
  double sum = 0;
  const int32_t width = self->plan->width;
  for (int32_t b = 0; b < self->sums->batches; b++) sum += x[b];
  out.value = sum / self->time;
  double *const e = self->scratch;
  for (int32_t b = 0; b < self->sums->batches; b++)
    e[b] = x[b] - out.value * self->sums->batch[(int64_t)b * width + TALLY_TIME];
  out.error = sqrt(residual_variance(self, e)) / self->time;
  interval(self, &out);
  return out;
}

estimate estimate_column(const analysis *self, int32_t at, int32_t minus, double exact)
{
  const int32_t b = self->sums->batches, width = self->plan->width;
  double *const x = self->scratch + b;
  for (int32_t i = 0; i < b; i++) {
    const double *const row = self->sums->batch + (int64_t)i * width;
    x[i] = row[at] - (minus >= 0 ? row[minus] : 0);
  }
  return estimate_rate(self, x, exact);
}

estimate estimate_normal(const analysis *self, double value, double error, double exact)
{
  const double z = self->normal;
  return (estimate){value, error, value - z * error, value + z * error, exact};
}

estimate estimate_jackknife(const analysis *self, double value, const double *without, double exact, double *bias)
{
  const int32_t b = self->sums->batches;
  estimate out = {value, (double)NAN, (double)NAN, (double)NAN, exact};
  *bias = (double)NAN;
  if (b < 4) return out;
  double mean = 0;
  for (int32_t i = 0; i < b; i++) mean += without[i] / b;
  double *const e = self->scratch;
  for (int32_t i = 0; i < b; i++) e[i] = without[i] - mean;
  *bias = (b - 1) * (mean - value);
  out.value = value - *bias;
  const double variance = residual_variance(self, e) * (b - 1.0) * (b - 1.0) / ((double)b * b);
  out.error = sqrt(variance);
  interval(self, &out);
  return out;
}

void number_or_null(doc_node *row, const char *key, double value)
{
  if (isnan(value)) doc_null(row, key);
  else doc_number(row, key, value);
}

void estimate_doc(doc_node *row, const estimate *self)
{
  number_or_null(row, "estimate", self->value);
  number_or_null(row, "error", self->error);
  number_or_null(row, "low", self->low);
  number_or_null(row, "high", self->high);
  number_or_null(row, "exact", self->exact);
  number_or_null(row, "z", self->error > 0 ? (self->value - self->exact) / self->error : (double)NAN);
}

void estimate_put(doc_node *row, const char *key, const estimate *self)
{
  char name[64];
  static const char *const ends[] = {"", "_error", "_exact", "_z"};
  const double value[] = {self->value, self->error, self->exact,
                          self->error > 0 ? (self->value - self->exact) / self->error : (double)NAN};
  for (int k = 0; k < 4; k++) {
    snprintf(name, sizeof name, "%s%s", key, ends[k]);
    number_or_null(row, name, value[k]);
  }
}
