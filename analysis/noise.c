/* How noisy currents are, and for how long counts remember: what windows of each length say, and what they tend to.
 *
 * The variance of what flows in a window of length w is V w - C but for a part that dies out exponentially, so that
 * 2 V(2w) - V(w), with V(w) the variance over w, is the rate V of long times (it is the variance of a window plus twice
 * the covariance of neighbours). Windows are taken twice as long as where this first stops to change within two errors
 * (blocking: Flyvbjerg, Petersen, J. Chem. Phys. 91, 461 (1989)), so that what the choice selects has died out. A
 * current looks steady in windows much shorter than any memory too, the integral of a count never does (its V grows
 * with w there), so windows of currents are at least as long as those of all counts. Errors: jackknife over batches.
 * The same of the integral of a count gives its correlation time, V / (2 var), and how many independent samples the
 * data are worth. Exact beside it: noise_cumulants. Invariant: nothing is estimated from fewer than NOISE_LEAST
 * windows. Cost: levels * batches * forms^2 a current. */
#include "engine/cme/noise.h"
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define NOISE_LEAST 32 /* windows that a variance is taken from */
#define NOISE_SHOWN 2  /* currents whose windows are listed by length */

typedef struct spread { /* of a current, or of the integral of a count */
  const analysis *all;
  int32_t levels;  /* with enough windows */
  double *rate;    /* (levels x (batches + 1)) variance over length with a batch left out, the last with none */
  double *mean;    /* (batches + 1) rate, of the shortest windows */
  double *without; /* (batches + 1) scratch */
  double time;     /* s in windows of the shortest length */
} spread;

/* --- variances --- */

/* Adds a row's windows, sum and sum of squares. */
static void moments(const counting *counted, const counting_current *current, int32_t slot, const double *row,
                    double by, double *m)
{
  m[0] += by * row[0];
  if (!current) {
    m[1] += by * row[1 + counted->forms + slot];
    m[2] += by * row[counting_square(counted, slot)];
    return;
  }
  for (int32_t i = 0; i < counted->forms; i++) {
    if (current->weight[i] == 0) continue;
    m[1] += by * current->weight[i] * row[1 + i];
    for (int32_t j = 0; j < counted->forms; j++)
      m[2] +=
          by * current->weight[i] * current->weight[j] * row[counting_product(counted, i > j ? i : j, i > j ? j : i)];
  }
}

static double variance_rate(const double *m, double length)
{
  return (m[2] - m[1] * m[1] / m[0]) / (m[0] - 1) / length;
}

static bool spread_init(spread *self, const analysis *all)
{
  const size_t batches = (size_t)all->sums->batches + 1;
  *self = (spread){.all = all};
  self->rate = mem_zero(COUNTING_LEVELS * batches, sizeof *self->rate);
  self->mean = mem_zero(batches, sizeof *self->mean);
  self->without = mem_zero(batches, sizeof *self->without);
  return self->rate && self->mean && self->without;
}

static void spread_free(spread *self)
{
  mem_free(self->rate);
  mem_free(self->mean);
  mem_free(self->without);
}

/* `current` NULL: the integral of the count of a slot. */
static void spread_of(spread *self, const counting_current *current, int32_t slot)
{
  const counting *const counted = self->all->counted;
  const int32_t batches = self->all->sums->batches;
  double length = counted->window;
  self->levels = 0;
  for (int32_t level = 0; level < counted->levels; level++, length *= 2) {
    double total[3] = {0, 0, 0}, *const rate = self->rate + (int64_t)level * (batches + 1);
    for (int32_t b = 0; b < batches; b++)
      moments(counted, current, slot, counting_row(counted, level, self->all->sums->index[b]), 1, total);
    if (total[0] < NOISE_LEAST) return;
    rate[batches] = variance_rate(total, length);
    for (int32_t b = 0; b < batches; b++) {
      double rest[3] = {total[0], total[1], total[2]};
      moments(counted, current, slot, counting_row(counted, level, self->all->sums->index[b]), -1, rest);
      rate[b] = variance_rate(rest, length);
      if (level == 0) self->mean[b] = rest[1] / rest[0] / length;
    }
    if (level == 0) self->mean[batches] = total[1] / total[0] / length;
    if (level == 0) self->time = total[0] * length;
    self->levels++;
  }
}

/* 2 V(2w) - V(w) of the windows of `level` and the next, with batch b left out. */
static double long_rate(const spread *self, int32_t level, int32_t b)
{
  const int32_t batches = self->all->sums->batches;
  return 2 * self->rate[(int64_t)(level + 1) * (batches + 1) + b] - self->rate[(int64_t)level * (batches + 1) + b];
}

/* Whether the long rate of two levels is the same within two errors of its change. */
static bool levels_agree(const spread *self, int32_t one, int32_t other)
{
  const int32_t batches = self->all->sums->batches;
  for (int32_t b = 0; b < batches; b++) self->without[b] = long_rate(self, other, b) - long_rate(self, one, b);
  const double change = long_rate(self, other, batches) - long_rate(self, one, batches);
  double bias;
  const estimate at = estimate_jackknife(self->all, change, self->without, (double)NAN, &bias);
  return fabs(change) <= 2 * at.error;
}

/* The level whose long rate stands for all times, looked for from `from` on; false in *settled where the windows are
 * too short to tell. */
static int32_t long_level(const spread *self, int32_t from, bool *settled)
{
  const int32_t most = self->levels - 2;
  *settled = false;
  for (int32_t level = from; level + 2 <= most; level++) {
    *settled = levels_agree(self, level, level + 1) && levels_agree(self, level, level + 2);
    if (*settled) return level + 1;
  }
  return most;
}

static double slot_variance(const analysis *all, int32_t slot)
{
  const double mean = analysis_total(all, all->plan->dwell + slot) / all->time;
  const double variance = analysis_total(all, all->plan->dwell2 + slot) / all->time - mean * mean;
  return variance > 1e-12 * mean * mean ? variance : 0;
}

/* The level from which on windows are longer than what the counts remember; out of reach where that is not seen. */
static int32_t memory_level(spread *self)
{
  int32_t longest = 0;
  for (int32_t i = 0; i < self->all->counted->slots; i++) {
    bool settled;
    if (slot_variance(self->all, i) == 0) continue;
    spread_of(self, NULL, i);
    const int32_t level = self->levels < 2 ? -1 : long_level(self, 0, &settled);
    if (level < 0 || !settled) return COUNTING_LEVELS;
    longest = level > longest ? level : longest;
  }
  return longest;
}

/* --- the chapter --- */

static const char *current_kind(counting_kind kind)
{
  static const char *const names[] = {"step", "reservoir", "charge out of", "observable"};
  return names[kind];
}

const char *noise_name(const ness_network *net, const counting_current *at)
{
  switch (at->kind) {
  case COUNTING_STEP: return network_text(net, net->step_name[at->id]);
  case COUNTING_RESERVOIR: return network_text(net, net->res_name[at->id]);
  case COUNTING_CHARGE: return network_text(net, net->volt_name[at->id]);
  case COUNTING_OBSERVABLE: break;
  }
  return network_text(net, net->obs_name[at->id]);
}

/* Mean and variance rate of every current from the master equation; NaN where it has none. */
static ness_status exact_noise(const analysis *all, double *mean, double *variance)
{
  const counting *const counted = all->counted;
  const int64_t ndir = 2 * (int64_t)all->net->nstep;
  noise found = {0};
  for (int32_t c = 0; c < counted->currents; c++) mean[c] = variance[c] = (double)NAN;
  if (!all->exact || all->moved) return NESS_OK;
  double *const weight = mem_zero((size_t)(counted->currents * ndir) + 1, sizeof *weight);
  ness_diags *const quiet = ness_diags_create();
  ness_status status = weight && quiet ? NESS_OK : NESS_NOMEM;
  for (int32_t c = 0; !status && c < counted->currents; c++) {
    double *const row = weight + c * ndir;
    for (int32_t s = 0; s < all->net->nstep; s++) {
      row[2 * s] = counting_weight(counted, &counted->current[c], s);
      row[2 * s + 1] = -row[2 * s];
    }
  }
  if (!status) status = noise_cumulants(all->net, all->exact, counted->currents, weight, quiet, &found);
  for (int32_t c = 0; !status && c < counted->currents; c++) {
    mean[c] = found.cumulant[c * NOISE_ORDER];
    variance[c] = found.cumulant[c * NOISE_ORDER + 1];
  }
  noise_free(&found);
  ness_diags_free(quiet);
  mem_free(weight);
  return status == NESS_NUMERIC || status == NESS_LIMIT ? NESS_OK : status;
}

/* Variance rate over |mean rate|, which means nothing where the mean may be zero. */
static estimate fano_of(const spread *self, const double *rate, double exact)
{
  const int32_t batches = self->all->sums->batches;
  const double mean = self->mean[batches];
  double bias;
  if (!(fabs(mean) > 3 * sqrt(rate[batches] / self->time)))
    return (estimate){(double)NAN, (double)NAN, (double)NAN, (double)NAN, exact};
  for (int32_t b = 0; b < batches; b++) self->without[b] = rate[b] / fabs(self->mean[b]);
  return estimate_jackknife(self->all, rate[batches] / fabs(mean), self->without, exact, &bias);
}

/* The long rate of a level with each batch left out, and the last with none, into `out`. */
static void long_rates(const spread *self, int32_t level, double *out)
{
  for (int32_t b = 0; b <= self->all->sums->batches; b++) out[b] = long_rate(self, level, b);
}

static void current_doc(spread *self, const counting_current *at, int32_t from, double mean, double variance,
                        double *rates, doc_node *list)
{
  const int32_t batches = self->all->sums->batches;
  bool settled;
  double bias;
  spread_of(self, at, -1);
  if (self->levels < 2) return;
  const int32_t level = long_level(self, from, &settled);
  long_rates(self, level, rates);
  const estimate value = estimate_jackknife(self->all, rates[batches], rates, variance, &bias);
  const estimate fano = fano_of(self, rates, variance / fabs(mean));
  doc_node *const row = doc_object(list, NULL);
  doc_string(row, "kind", "%s", current_kind(at->kind));
  doc_string(row, "current", "%s", noise_name(self->all->net, at));
  estimate_doc(row, &value);
  estimate_put(row, "fano", &fano);
  doc_number(row, "window", ldexp(self->all->counted->window, level));
  doc_bool(row, "settled", settled);
}

static void windows_doc(spread *self, const counting_current *at, double mean, double variance, doc_node *list)
{
  const analysis *const all = self->all;
  const int32_t batches = all->sums->batches;
  double bias;
  spread_of(self, at, -1);
  for (int32_t level = 0; level < self->levels; level++) {
    const double *const rate = self->rate + (int64_t)level * (batches + 1), *const next = rate + batches + 1;
    double seen = 0;
    for (int32_t b = 0; b < batches; b++) seen += counting_row(all->counted, level, all->sums->index[b])[0];
    const estimate value = estimate_jackknife(all, rate[batches], rate, variance, &bias);
    const estimate fano = fano_of(self, rate, variance / fabs(mean));
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "current", "%s", noise_name(all->net, at));
    doc_number(row, "window", ldexp(all->counted->window, level));
    doc_int(row, "windows", (int64_t)seen);
    number_or_null(row, "variance_rate", value.value);
    number_or_null(row, "error", value.error);
    number_or_null(row, "fano", fano.value);
    number_or_null(row, "fano_error", fano.error);
    number_or_null(row, "fano_long_exact", fano.exact);
    number_or_null(row, "neighbours", level + 1 < self->levels ? next[batches] / rate[batches] - 1 : (double)NAN);
  }
}

static void slot_doc(spread *self, int32_t slot, double *rates, doc_node *list)
{
  const analysis *const all = self->all;
  const int32_t batches = all->sums->batches;
  const double mean = analysis_total(all, all->plan->dwell + slot) / all->time, variance = slot_variance(all, slot);
  bool settled;
  double bias;
  if (variance == 0) return;
  spread_of(self, NULL, slot);
  if (self->levels < 2) return;
  const int32_t level = long_level(self, 0, &settled);
  long_rates(self, level, rates);
  for (int32_t b = 0; b <= batches; b++) rates[b] /= 2 * variance;
  const estimate tau = estimate_jackknife(all, rates[batches], rates, (double)NAN, &bias);
  doc_node *const row = doc_object(list, NULL);
  doc_string(row, "of", "%s", network_text(all->net, all->net->slot_name[slot]));
  doc_number(row, "mean", mean);
  doc_number(row, "variance", variance);
  estimate_put(row, "correlation_time", &(estimate){tau.value, tau.error, 0, 0, (double)NAN});
  number_or_null(row, "independent_samples", tau.value > 0 ? all->time / (2 * tau.value) : (double)NAN);
  doc_number(row, "window", ldexp(all->counted->window, level));
  doc_bool(row, "settled", settled);
}

ness_status noise_doc(const analysis *all, doc_node *root)
{
  doc_node *const chapter = doc_object(root, "noise");
  const counting *const counted = all->counted;
  if (!counted) {
    doc_string(chapter, "available", "no: %s", all->uncounted);
    return NESS_OK;
  }
  spread self;
  double mean[COUNTING_CURRENTS], variance[COUNTING_CURRENTS];
  double *const rates = mem_zero((size_t)all->sums->batches + 1, sizeof *rates);
  ness_status status = spread_init(&self, all) && rates ? exact_noise(all, mean, variance) : NESS_NOMEM;
  if (status) goto out;
  doc_string(chapter, "available", "yes");
  doc_number(chapter, "window", counted->window);
  doc_string(chapter, "method", "variance of what flows in windows of time, 2 V(2w) - V(w); jackknife over batches");
  const int32_t from = memory_level(&self);
  doc_node *const currents = doc_array(chapter, "currents");
  for (int32_t c = 0; c < counted->currents; c++)
    current_doc(&self, &counted->current[c], from, mean[c], variance[c], rates, currents);
  doc_node *const lengths = doc_array(chapter, "by_window");
  for (int32_t c = 0; c < counted->currents && c < NOISE_SHOWN; c++)
    windows_doc(&self, &counted->current[c], mean[c], variance[c], lengths);
  doc_node *const counts = doc_array(chapter, "memory");
  for (int32_t i = 0; i < counted->slots; i++) slot_doc(&self, i, rates, counts);
out:
  spread_free(&self);
  mem_free(rates);
  return status;
}
