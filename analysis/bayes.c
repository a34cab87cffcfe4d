/* What to believe of each cycle's affinity, given a prior and the data: the alternative to the test.
 * Of a rate k with n events in exposure T the likelihood is k^n exp(-k T), so that Jeffreys' prior k^-1/2 makes it
 * gamma of shape n + 1/2 and rate T, independent of the other rates. An affinity is a sum of logarithms of such rates;
 * its characteristic function is a product of Gamma(a + i t b)/Gamma(a) and is inverted by the midpoint rule, which is
 * exact but for what lies beyond half a period (Gil-Pelaez 1951; Davies 1973). No sampling, so no error of it, and
 * directions that were never seen are no special case. Cost: a few hundred terms a cycle, times those of a bisection.
 */
#include "analysis/analysis.h"

#include <math.h>

#define BAYES_PERIOD 80.0 /* standard deviations that the inversion tells apart: tails fall at least as exp(-x/2) */
#define BAYES_SMALL 1e-14 /* the transform ends where it is below */
#define BAYES_TERMS 100000
#define BAYES_PI 3.14159265358979323846

/* --- the law --- */

ness_status bayes_law_init(bayes_law *self, int32_t n, const double *by, const double *shape, const double *rate)
{
  double mean = 0, variance = 0, centre = 0;
  *self = (bayes_law){0};
  for (int32_t k = 0; k < n; k++) {
    centre += by[k] * stat_digamma(shape[k]);
    mean -= by[k] * log(rate[k]);
    variance += by[k] * by[k] * stat_trigamma(shape[k]);
  }
  self->mean = mean + centre;
  self->sd = sqrt(variance);
  self->step = 2 * BAYES_PI / (BAYES_PERIOD * self->sd);
  int32_t room = 0;
  double size = 1;
  for (; size > BAYES_SMALL && self->n < BAYES_TERMS; self->n++) {
    if (self->n == room) {
      room = room ? 2 * room : 512;
      double *const longer = mem_resize(self->size, (size_t)room, sizeof *longer);
      if (longer) self->size = longer;
      double *const turned = longer ? mem_resize(self->phase, (size_t)room, sizeof *turned) : NULL;
      if (!turned) return NESS_NOMEM;
      self->phase = turned;
    }
    const double t = (self->n + 0.5) * self->step;
    double log_size = 0, phase = -t * centre;
    for (int32_t k = 0; k < n; k++) {
      double re, im;
      stat_lgamma_ratio(shape[k], by[k] * t, &re, &im);
      log_size += re;
      phase += im;
    }
    self->size[self->n] = size = exp(log_size);
    self->phase[self->n] = phase;
  }
  return NESS_OK;
}

double bayes_law_below(const bayes_law *self, double x)
{
  const double y = (x - self->mean) * self->step;
  if (y >= BAYES_PI) return 1;
  if (y <= -BAYES_PI) return 0;
  double sum = 0;
  for (int32_t k = self->n - 1; k >= 0; k--) sum += self->size[k] * sin(self->phase[k] - (k + 0.5) * y) / (k + 0.5);
  return fmin(1, fmax(0, 0.5 - sum / BAYES_PI));
}

double bayes_law_quantile(const bayes_law *self, double p)
{
  double low = self->mean - 0.5 * BAYES_PERIOD * self->sd, high = self->mean + 0.5 * BAYES_PERIOD * self->sd;
  for (int i = 0; i < 60; i++) {
    const double middle = 0.5 * (low + high);
    *(bayes_law_below(self, middle) < p ? &low : &high) = middle;
  }
  return 0.5 * (low + high);
}

void bayes_law_free(bayes_law *self)
{
  mem_free(self->size);
  mem_free(self->phase);
  self->size = self->phase = NULL;
}

/* --- the cycles --- */

/* Two rates of each step of a cycle; false when the data do not tell the exposure of one. */
static bool cycle_rates(const analysis *all, const basis *cycles, int32_t c, double *by, double *shape, double *rate)
{
  int32_t n = 0;
  for (int32_t k = cycles->start[c]; k < cycles->start[c + 1]; k++)
    for (int32_t way = 0; way < 2; way++, n++) {
      const int32_t s = cycles->id[k];
      by[n] = way ? -cycles->by[k] : cycles->by[k];
      shape[n] = BAYES_PRIOR + analysis_total(all, (way ? all->plan->bwd : all->plan->fwd) + s);
      rate[n] = balance_exposure(all, 2 * s + way);
      if (!(rate[n] > 0)) return false;
    }
  return true;
}

static void cycle_doc(const analysis *all, const basis *cycles, int32_t c, const bayes_law *law, doc_node *list)
{
  doc_node *const row = doc_object(list, NULL);
  const double tail = 0.5 * (1 - all->level);
  doc_string(row, "cycle", "%s", cycles->name[c]);
  doc_number(row, "affinity", law->mean);
  doc_number(row, "sd", law->sd);
  doc_number(row, "low", bayes_law_quantile(law, tail));
  doc_number(row, "high", bayes_law_quantile(law, 1 - tail));
  number_or_null(row, "model", cycles->affinity[c]);
  doc_number(row, "below_zero", bayes_law_below(law, 0));
  doc_number(row, "within_1_kT", bayes_law_below(law, TEST_STATED) - bayes_law_below(law, -TEST_STATED));
}

ness_status bayes_doc(const analysis *all, const basis *cycles, doc_node *root)
{
  const size_t room = 2 * (size_t)all->net->nstep + 1;
  double *const by = mem_zero(room, sizeof *by), *const shape = mem_zero(room, sizeof *shape);
  double *const rate = mem_zero(room, sizeof *rate);
  ness_status status = by && shape && rate ? NESS_OK : NESS_NOMEM;
  doc_node *const chapter = doc_object(root, "bayes");
  doc_string(chapter, "prior", "each rate by itself: density as rate^-1/2 (Jeffreys)");
  doc_node *const list = doc_array(chapter, "cycles");
  for (int32_t c = 0; !status && c < cycles->count && c < all->max_cycles; c++) {
    bayes_law law;
    if (!cycle_rates(all, cycles, c, by, shape, rate)) continue;
    status = bayes_law_init(&law, 2 * (cycles->start[c + 1] - cycles->start[c]), by, shape, rate);
    if (!status) cycle_doc(all, cycles, c, &law, list);
    bayes_law_free(&law);
  }
  mem_free(by);
  mem_free(shape);
  mem_free(rate);
  return status;
}
