/* The test of detailed balance on currents, and the comparison of the two halves of a run.
 *
 * Under detailed balance reversal of time turns every current and every rotation of counts into its negative, so each
 * has mean zero; batches give their covariance, and T^2 is F-distributed (Hotelling 1931). Changes of counts are
 * covariates, which takes the relaxation from the start out of the currents. With more currents than batches can span,
 * the signs of whole batches are flipped at random instead, which is exact under the same symmetry. What could have
 * been seen: at equilibrium the variance is twice the response to an affinity (fluctuation-dissipation), N = A var(N)
 * / 2. Cost: rank^3 + batches * currents * covariates, or flips * batches * currents. */
#include "analysis/analysis.h"

#include "engine/rng/rng.h"
#include <math.h>
#include <string.h>

#define TEST_CURRENTS 1024
#define TEST_GROUPS 6
#define DRIFT_LEVEL 0.01

/* --- currents --- */

typedef struct currents {
  int32_t groups, n;       /* of batches; currents under test */
  int32_t *which;          /* (n) cycle, or count + area */
  double *x;               /* (groups x n) */
  double *mean, *variance; /* (n) of a group's value that brings the counts back to where they were */
  int32_t *group;          /* (batches) */
  double *z;               /* (covariates x groups) changes of counts, centred */
  double *zmean, *gram;    /* (covariates), (covariates^2) factored */
  bool *zkeep;
  int32_t covariates, freedom; /* freedom: of the variance */
  double spread;               /* variance of a mean over the variance of a value: 1 / groups without covariates */
} currents;

static void currents_free(currents *self)
{
  mem_free(self->which);
  mem_free(self->x);
  mem_free(self->mean);
  mem_free(self->variance);
  mem_free(self->group);
  mem_free(self->z);
  mem_free(self->zmean);
  mem_free(self->gram);
  mem_free(self->zkeep);
}

/* Batches as they are, or, for batches of time, neighbours joined to at least sixteen long ones. */
static void currents_group(currents *self, const analysis *all)
{
  const tally_plan *plan = all->plan;
  int32_t coarse = plan->pieces;
  while (plan->by_time && coarse % 2 == 0 && plan->run->replicas * (coarse / 2) >= ANALYSIS_REPLICAS) coarse /= 2;
  const int32_t joined = plan->by_time ? plan->pieces / coarse : 1;
  int32_t last = -1;
  for (int32_t b = 0; b < all->sums->batches; b++) {
    const int32_t key = all->sums->index[b] / joined;
    if (key != last) self->groups++;
    last = key;
    self->group[b] = self->groups - 1;
  }
}

/* Slots that the cycles change, as covariates: a path that ends where it began is as likely as its reverse under
 * detailed balance, wherever it began. So the part of a current that goes with the change of the counts is no drive,
 * and without it the test does not need a steady state (exactly so for one copy of a protein, else to first order). */
static ness_status currents_covariates(currents *self, const analysis *all, const basis *cycles)
{
  const ness_network *net = all->net;
  bool *const used = mem_zero((size_t)net->nslot + 1, sizeof *used);
  if (!used) return NESS_NOMEM;
  int32_t q = 0;
  for (int32_t k = 0; k < (cycles->count ? cycles->start[cycles->count] : 0); k++)
    for (int32_t c = net->change_start[cycles->id[k]]; c < net->change_start[cycles->id[k] + 1]; c++)
      used[net->change_slot[c]] = true;
  for (int32_t a = 0; a < all->plan->nareaslot; a++) used[all->plan->area_slot[a]] = true;
  for (int32_t i = 0; i < net->nslot; i++) q += used[i];
  if (4 * q > self->groups || 4 * (cycles->count + all->plan->narea) > self->groups)
    q = 0; /* too few groups for that */
  const size_t room = (size_t)q + 1, g = (size_t)self->groups + 1;
  self->z = mem_zero(room * g, sizeof *self->z);
  self->zmean = mem_zero(room, sizeof *self->zmean);
  self->gram = mem_zero(room * room, sizeof *self->gram);
  self->zkeep = mem_zero(room, sizeof *self->zkeep);
  double *const solved = mem_zero(room, sizeof *solved);
  const bool good = self->z && self->zmean && self->gram && self->zkeep && solved;
  for (int32_t i = 0, row = 0; good && q && i < net->nslot; row += used[i++])
    for (int32_t s = 0; used[i] && s < net->nstep; s++)
      for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++)
        for (int32_t b = 0; net->change_slot[c] == i && b < all->sums->batches; b++) {
          const double *const sums = all->sums->batch + (int64_t)b * all->plan->width;
          self->z[(int64_t)row * self->groups + self->group[b]] +=
              net->change_by[c] * (sums[all->plan->fwd + s] - sums[all->plan->bwd + s]);
        }
  for (int32_t i = 0; good && i < q; i++) {
    double *const z = self->z + (int64_t)i * self->groups;
    for (int32_t k = 0; k < self->groups; k++) self->zmean[i] += z[k] / self->groups;
    for (int32_t k = 0; k < self->groups; k++) z[k] -= self->zmean[i];
  }
  for (int32_t i = 0; good && i < q; i++)
    for (int32_t j = 0; j < q; j++)
      for (int32_t k = 0; k < self->groups; k++)
        self->gram[(int64_t)i * q + j] +=
            self->z[(int64_t)i * self->groups + k] * self->z[(int64_t)j * self->groups + k];
  self->covariates = q;
  self->freedom = self->groups - 1;
  self->spread = 1.0 / self->groups;
  if (good && q) {
    self->freedom -= stat_cholesky(self->gram, q, self->zkeep);
    memcpy(solved, self->zmean, (size_t)q * sizeof *solved);
    stat_solve_lower(self->gram, q, self->zkeep, solved);
    for (int32_t i = 0; i < q; i++) self->spread += solved[i] * solved[i];
  }
  mem_free(used);
  mem_free(solved);
  return good ? NESS_OK : NESS_NOMEM;
}

/* A row of x becomes its residuals, its mean the value at no change of the counts. False: nothing is left of it. */
static bool currents_residuals(currents *self, double *x, double *b)
{
  const int32_t g = self->groups, q = self->covariates;
  double mean = 0, before = 0, after = 0;
  for (int32_t k = 0; k < g; k++) mean += x[k] / g;
  for (int32_t k = 0; k < g; k++) {
    x[k] -= mean;
    before += x[k] * x[k];
  }
  for (int32_t i = 0; i < q; i++) {
    b[i] = 0;
    for (int32_t k = 0; k < g; k++) b[i] += self->z[(int64_t)i * g + k] * x[k];
  }
  stat_solve_lower(self->gram, q, self->zkeep, b);
  stat_solve_upper(self->gram, q, self->zkeep, b);
  for (int32_t i = 0; i < q; i++) {
    mean -= b[i] * self->zmean[i];
    for (int32_t k = 0; k < g; k++) x[k] -= b[i] * self->z[(int64_t)i * g + k];
  }
  for (int32_t k = 0; k < g; k++) after += x[k] * x[k];
  self->mean[self->n] = mean;
  self->variance[self->n] = after / self->freedom;
  return after > 1e-9 * before && before > 0;
}

static ness_status currents_init(currents *self, const analysis *all, const basis *cycles)
{
  const int32_t batches = all->sums->batches, most = cycles->count + all->plan->narea;
  const int32_t room = most < TEST_CURRENTS ? most : TEST_CURRENTS;
  self->group = mem_zero((size_t)batches + 1, sizeof *self->group);
  if (!self->group) return NESS_NOMEM;
  currents_group(self, all);
  const ness_status status = currents_covariates(self, all, cycles);
  if (status) return status;
  double *const b = mem_zero((size_t)self->covariates + 1, sizeof *b);
  self->which = mem_zero((size_t)room + 1, sizeof *self->which);
  self->x = mem_zero(((size_t)room + 1) * (size_t)(self->groups + 1), sizeof *self->x);
  self->mean = mem_zero((size_t)room + 1, sizeof *self->mean);
  self->variance = mem_zero((size_t)room + 1, sizeof *self->variance);
  const bool good = b && self->which && self->x && self->mean && self->variance;
  for (int32_t w = 0; good && w < most && self->n < room; w++) {
    double *const x = self->x + (int64_t)self->n * self->groups;
    memset(x, 0, (size_t)self->groups * sizeof *x);
    for (int32_t i = 0; i < batches; i++)
      x[self->group[i]] += w < cycles->count
                               ? cycles->current[(int64_t)w * batches + i]
                               : all->sums->batch[(int64_t)i * all->plan->width + all->plan->area + w - cycles->count];
    if (self->freedom > 0 && currents_residuals(self, x, b)) self->which[self->n++] = w;
  }
  mem_free(b);
  return good ? NESS_OK : NESS_NOMEM;
}

/* Hotelling's T^2 of all currents at once; false when memory is out. */
static bool currents_hotelling(const currents *self, balance *out)
{
  const int32_t n = self->n, g = self->groups;
  double *const s = mem_zero((size_t)n * (size_t)n, sizeof *s), *const y = mem_zero((size_t)n, sizeof *y);
  bool *const keep = mem_zero((size_t)n, sizeof *keep);
  if (s && y && keep) {
    for (int32_t i = 0; i < n; i++)
      for (int32_t j = 0; j < n; j++) {
        const double *const a = self->x + (int64_t)i * g, *const b = self->x + (int64_t)j * g;
        double sum = 0;
        for (int32_t k = 0; k < g; k++) sum += a[k] * b[k];
        s[(int64_t)i * n + j] = sum / self->freedom;
      }
    const int32_t rank = stat_cholesky(s, n, keep);
    memcpy(y, self->mean, (size_t)n * sizeof *y);
    stat_solve_lower(s, n, keep, y);
    double square = 0;
    for (int32_t i = 0; i < n; i++) square += y[i] * y[i] / self->spread;
    const double below = self->freedom - rank + 1;
    out->method = self->covariates
                      ? "net currents of a basis of cycles over batches, at no change of counts (Hotelling, F)"
                      : "net currents of a basis of cycles over batches (Hotelling, F)";
    out->statistic = square;
    out->d1 = rank;
    out->d2 = below;
    out->p = stat_f_tail(square * below / (rank * (double)self->freedom), rank, below, 0);
  }
  mem_free(s);
  mem_free(y);
  mem_free(keep);
  return s && y && keep;
}

/* Sum of squared standardised means against its law under random signs of the groups. */
static bool currents_flips(const currents *self, balance *out)
{
  const int32_t n = self->n, g = self->groups, flips = n > 64 ? 1999 : 9999;
  double *const sum = mem_alloc((size_t)n * sizeof *sum), *const scale = mem_alloc((size_t)n * sizeof *scale);
  if (sum && scale) {
    rng_stream rng;
    rng_init(&rng, UINT64_C(0x6e657373), 0, 0);
    int32_t beyond = 0;
    double observed = 0;
    for (int32_t i = 0; i < n; i++) {
      scale[i] = 0;
      for (int32_t k = 0; k < g; k++) {
        double *const x = &self->x[(int64_t)i * g + k];
        *x += self->mean[i];
        scale[i] += *x * *x;
      }
      const double total = self->mean[i] * g;
      observed += total * total / scale[i];
    }
    for (int32_t f = 0; f < flips; f++) {
      memset(sum, 0, (size_t)n * sizeof *sum);
      uint64_t bits = 0;
      for (int32_t k = 0; k < g; k++) {
        bits = k % 64 ? bits >> 1 : rng_next(&rng);
        for (int32_t i = 0; i < n; i++) sum[i] += bits & 1 ? self->x[(int64_t)i * g + k] : -self->x[(int64_t)i * g + k];
      }
      double square = 0;
      for (int32_t i = 0; i < n; i++) square += sum[i] * sum[i] / scale[i];
      beyond += square >= observed * (1 - 1e-12);
    }
    out->method = "net currents of a basis of cycles, random signs of batches";
    out->statistic = observed;
    out->d1 = n;
    out->d2 = INFINITY;
    out->p = (1.0 + beyond) / (1.0 + flips);
  }
  mem_free(sum);
  mem_free(scale);
  return sum && scale;
}

/* What the strongest current says of its affinity: at least 2 N / var(N), and of entropy 2 N^2 / var(N), by the
 * thermodynamic uncertainty relation (Gingrich, Horowitz, Perunov, England 2016); equality next to equilibrium. */
static void currents_strength(const currents *self, balance *out, const analysis *all, const basis *cycles)
{
  double strongest = -1;
  for (int32_t i = 0; i < self->n; i++) {
    const double g = self->groups, relative = sqrt(self->variance[i] * self->spread) / fabs(self->mean[i]);
    if (!(1 / relative > strongest)) continue;
    strongest = 1 / relative;
    const bool area = self->which[i] >= cycles->count;
    const double precision = 2 * self->mean[i] / self->variance[i],
                 error = sqrt(relative * relative + 2.0 / self->freedom);
    const double rate = precision * self->mean[i] * g / all->time;
    out->strongest = self->which[i];
    out->strength_at_least = true;
    out->strength =
        area ? estimate_normal(all, rate, rate * sqrt(4 * relative * relative + 2.0 / self->freedom), (double)NAN)
             : estimate_normal(all, precision, fabs(precision) * error, cycles->affinity[self->which[i]]);
  }
}

/* One current by itself, by Student's law; the error of its affinity by fluctuation-dissipation. */
static void currents_single(const currents *self, int32_t i, balance *out)
{
  const double error = sqrt(self->variance[i] * self->spread);
  out->single_p[self->which[i]] = 2 * stat_student_tail(fabs(self->mean[i]) / error, self->freedom);
  out->single_error[self->which[i]] = 2 * sqrt(self->spread / self->variance[i]);
}

ness_status currents_test(balance *out, const analysis *all, const basis *cycles)
{
  currents self = {0};
  ness_status status = currents_init(&self, all, cycles);
  if (!status && self.groups < TEST_GROUPS) {
    out->why = "there are too few replicas or pieces of time";
  } else if (!status && self.n == 0) {
    out->why = "no cycle was ever run";
  } else if (!status) {
    const bool few = 4 * self.n <= self.freedom;
    if (!(few ? currents_hotelling(&self, out) : currents_flips(&self, out))) status = NESS_NOMEM;
    out->tested = !status;
  }
  if (out->tested) {
    currents_strength(&self, out, all, cycles);
    const double lambda = stat_f_noncentrality(1 - all->level, TEST_POWER, out->d1, out->d2);
    for (int32_t i = 0; i < self.n; i++) {
      if (self.which[i] >= cycles->count) continue;
      const double seen = 2 * sqrt(lambda * self.spread / self.variance[i]);
      out->seen[self.which[i]] = seen;
      if (isnan(out->single_p[self.which[i]])) currents_single(&self, i, out);
      out->smallest = isnan(out->smallest) ? seen : fmax(out->smallest, seen);
    }
  }
  currents_free(&self);
  return status;
}

/* --- drift --- */

double drift_p(const analysis *all, int32_t at, int32_t minus)
{
  const stream_sums *sums = all->sums;
  const int32_t n = sums->batches, width = all->plan->width;
  double total[2] = {0, 0}, time[2] = {0, 0}, own = 0, last = 0, cross = 0;
  for (int32_t pass = 0; pass < 2; pass++) {
    for (int32_t b = 0; b < n; b++) {
      const double *const row = sums->batch + (int64_t)b * width, *const early = sums->early + (int64_t)b * width;
      const double all_x = row[at] - (minus >= 0 ? row[minus] : 0), x = early[at] - (minus >= 0 ? early[minus] : 0);
      const double t = early[TALLY_TIME], rest = row[TALLY_TIME] - t;
      if (pass == 0) {
        total[0] += x;
        total[1] += all_x - x;
        time[0] += t;
        time[1] += rest;
        continue;
      }
      const double e = (x - total[0] / time[0] * t) / time[0] - (all_x - x - total[1] / time[1] * rest) / time[1];
      own += e * e;
      cross += sums->joined[b] ? e * last : 0;
      last = e;
    }
    if (!(time[0] > 0 && time[1] > 0)) return 1;
  }
  const double spread = (all->plan->by_time ? fmax(own + 2 * cross, 0.25 * own) : own) * n / (n - 1.0);
  const double difference = total[0] / time[0] - total[1] / time[1], dof = analysis_dof(all);
  if (!(spread > 0) || !(dof > 0)) return 1;
  return 2 * stat_student_tail(fabs(difference) / sqrt(spread), dof);
}

void drift_test(balance *out, const analysis *all)
{
  const ness_network *net = all->net;
  out->drift_p = (double)NAN;
  if (!all->sums->early || all->sums->batches < TEST_GROUPS) return;
  double least = 1;
  int64_t tests = 0;
  const char *what = "";
  bool slot = false;
  for (int32_t i = 0; i < net->nslot + net->nstep; i++) {
    const double p = i < net->nslot ? drift_p(all, all->plan->dwell + i, -1)
                                    : drift_p(all, all->plan->fwd + i - net->nslot, all->plan->bwd + i - net->nslot);
    tests += p < 1;
    if (p >= least) continue;
    least = p;
    slot = i < net->nslot;
    what = network_text(net, slot ? net->slot_name[i] : net->step_name[i - net->nslot]);
  }
  if (tests == 0) return;
  out->drift_p = fmin(1, least * (double)tests);
  out->drift = out->drift_p < DRIFT_LEVEL;
  if (!out->drift) return;
  diag_add(all->diags, NESS_WARNING,
           "the second half of the %s differs from the first (%s of %s): not a steady state%s",
           all->measured ? "record" : "run", slot ? "the mean" : "the rate", what,
           all->run->warmup > 0 || all->measured ? "" : "; the run had no warmup, and its start is counted");
  diag_hint(all->diags, all->measured
                            ? "leave out the start, or analyse stretches by themselves; a current that only "
                              "relaxes can look like a drive"
                            : "a longer warmup or a longer run; a current that only relaxes can look like a drive");
}
