/* Is anything driven? A test of detailed balance from what happened, not from the rates, and the verdict.
 *
 * Where each step of a cycle is mass action in one kind of slot, k = events / exposure is the maximum likelihood rate,
 * with independent relative variances 1 / events (Billingsley 1961; exposures are integrals of counts and cancel around
 * cycles of states). A = sum by ln(k+/k-) over a basis of cycles, variance sum by^2 (1/n+ + 1/n-), and A' Cov^-1 A is
 * chi-square (Wald). It needs no steady state. Elsewhere the currents are tested (currents.c). What could have been
 * seen: the affinity whose noncentrality gives 80 % power. A test that stays silent says "consistent with equilibrium"
 * where that is at most 1 kT, and "not enough data" above. The verdict is that of the one test of all cycles; which of
 * them stand by themselves is said beside each (holm.c). Cost: rank^3. */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define WALD_COUNTS 20 /* events of each direction that the chi-square law needs */
#define WALD_CYCLES 256

/* --- affinities from counts --- */

typedef enum wald_kind { WALD_FITS, WALD_FORM, WALD_UNSEEN, WALD_LOPSIDED } wald_kind;

double balance_exposure(const analysis *all, int32_t dir)
{
  const ness_network *net = all->net;
  const int32_t first = net->react_start[dir], n = net->react_start[dir + 1] - first;
  if (net->dir_law[dir] != LAW_MASS || net->guard_start[dir] < net->guard_start[dir + 1] || n > 1) return (double)NAN;
  if (n == 0) return all->time;
  const double dwell = analysis_total(all, all->plan->dwell + net->react_slot[first]);
  if (net->react_mult[first] == 1) return dwell;
  return net->react_mult[first] == 2 ? analysis_total(all, all->plan->dwell2 + net->react_slot[first]) - dwell
                                     : (double)NAN;
}

/* ln(k+/k-) of a step from counts alone, with its variance. */
static wald_kind step_affinity(const analysis *all, int32_t step, double *value, double *variance)
{
  const double up = analysis_total(all, all->plan->fwd + step), down = analysis_total(all, all->plan->bwd + step);
  *value = *variance = (double)NAN;
  if (up + down < WALD_COUNTS) return WALD_UNSEEN;
  if (up < WALD_COUNTS || down < WALD_COUNTS) return WALD_LOPSIDED;
  const double there = balance_exposure(all, 2 * step), back = balance_exposure(all, 2 * step + 1);
  if (!(there > 0) || !(back > 0)) return WALD_FORM;
  *value = log(up / there) - log(down / back);
  *variance = 1 / up + 1 / down;
  return WALD_FITS;
}

static wald_kind cycle_affinity(const analysis *all, const basis *cycles, int32_t c, const double *value,
                                const double *variance, const wald_kind *kind, estimate *out)
{
  wald_kind worst = WALD_FITS;
  double sum = 0, spread = 0;
  for (int32_t k = cycles->start[c]; k < cycles->start[c + 1]; k++) {
    const int32_t s = cycles->id[k];
    worst = kind[s] == WALD_UNSEEN || worst == WALD_FITS ? kind[s] : worst;
    sum += cycles->by[k] * value[s];
    spread += cycles->by[k] * cycles->by[k] * variance[s];
  }
  *out = estimate_normal(all, sum, sqrt(spread), cycles->affinity[c]);
  return worst;
}

typedef struct wald {
  double *value, *variance; /* (nstep) */
  wald_kind *kind;          /* (nstep) */
  int32_t *cycle;           /* (n) cycles under test */
  double *factor, *x, *y;   /* (n x n), (n), (n) */
  bool *keep;
  int32_t n;
} wald;

static void wald_free(wald *self)
{
  mem_free(self->value);
  mem_free(self->variance);
  mem_free(self->kind);
  mem_free(self->cycle);
  mem_free(self->factor);
  mem_free(self->x);
  mem_free(self->y);
  mem_free(self->keep);
}

/* Covariance of the affinities of the chosen cycles, factored. */
static ness_status wald_matrix(wald *self, const basis *cycles, int32_t nstep, double *dense)
{
  const int32_t n = self->n;
  self->factor = mem_zero((size_t)n * (size_t)n, sizeof *self->factor);
  self->x = mem_zero((size_t)n, sizeof *self->x);
  self->y = mem_zero((size_t)n, sizeof *self->y);
  self->keep = mem_zero((size_t)n, sizeof *self->keep);
  if (!self->factor || !self->x || !self->y || !self->keep) return NESS_NOMEM;
  for (int32_t i = 0; i < n; i++) {
    memset(dense, 0, (size_t)nstep * sizeof *dense);
    for (int32_t k = cycles->start[self->cycle[i]]; k < cycles->start[self->cycle[i] + 1]; k++)
      dense[cycles->id[k]] = cycles->by[k] * self->variance[cycles->id[k]];
    for (int32_t j = 0; j < n; j++)
      for (int32_t k = cycles->start[self->cycle[j]]; k < cycles->start[self->cycle[j] + 1]; k++)
        self->factor[(int64_t)i * n + j] += dense[cycles->id[k]] * cycles->by[k];
  }
  stat_cholesky(self->factor, n, self->keep);
  return NESS_OK;
}

/* The affinity of cycle i alone that gives the noncentrality: lambda = A^2 (Cov^-1)_ii. */
static double wald_smallest(wald *self, int32_t i, double lambda)
{
  memset(self->y, 0, (size_t)self->n * sizeof *self->y);
  self->y[i] = 1;
  stat_solve_lower(self->factor, self->n, self->keep, self->y);
  double sum = 0;
  for (int32_t k = 0; k < self->n; k++) sum += self->y[k] * self->y[k];
  return sum > 0 ? sqrt(lambda / sum) : (double)NAN;
}

static void wald_statistic(wald *self, balance *out, const analysis *all)
{
  for (int32_t i = 0; i < self->n; i++) self->x[i] = out->affinity[self->cycle[i]].value;
  stat_solve_lower(self->factor, self->n, self->keep, self->x);
  int32_t rank = 0;
  double square = 0, strongest = -1;
  for (int32_t i = 0; i < self->n; i++) {
    rank += self->keep[i];
    square += self->x[i] * self->x[i];
    const estimate *const a = &out->affinity[self->cycle[i]];
    if (fabs(a->value) / a->error > strongest) {
      strongest = fabs(a->value) / a->error;
      out->strongest = self->cycle[i];
      out->strength = *a;
    }
  }
  out->tested = out->wald = true;
  out->method = "affinities of a basis of cycles from counts and dwell times (Wald, chi-square)";
  out->statistic = square;
  out->d1 = rank;
  out->d2 = INFINITY;
  out->p = stat_f_tail(square / rank, rank, INFINITY, 0);
  const double lambda = stat_f_noncentrality(1 - all->level, TEST_POWER, rank, INFINITY);
  out->smallest = 0;
  for (int32_t i = 0; i < self->n; i++) {
    const double seen = wald_smallest(self, i, lambda);
    out->seen[self->cycle[i]] = seen;
    out->smallest = fmax(out->smallest, seen);
  }
}

/* Affinities of every cycle that allows it, and the test when all that were seen do. */
static ness_status wald_test(balance *out, const analysis *all, const basis *cycles)
{
  const size_t nstep = (size_t)all->net->nstep + 1, n = (size_t)cycles->count + 1;
  wald self = {0};
  double *const dense = mem_zero(nstep, sizeof *dense);
  self.value = mem_zero(nstep, sizeof *self.value);
  self.variance = mem_zero(nstep, sizeof *self.variance);
  self.kind = mem_zero(nstep, sizeof *self.kind);
  self.cycle = mem_zero(n, sizeof *self.cycle);
  ness_status status = NESS_NOMEM;
  if (!dense || !self.value || !self.variance || !self.kind || !self.cycle) goto out;
  status = NESS_OK;
  for (int32_t s = 0; s < all->net->nstep; s++) self.kind[s] = step_affinity(all, s, &self.value[s], &self.variance[s]);
  bool fits = true;
  for (int32_t c = 0; c < cycles->count; c++) {
    const wald_kind kind = cycle_affinity(all, cycles, c, self.value, self.variance, self.kind, &out->affinity[c]);
    if (kind == WALD_FITS) {
      self.cycle[self.n++] = c;
      out->single_error[c] = out->affinity[c].error;
      out->single_p[c] = 2 * stat_normal_tail(fabs(out->affinity[c].value) / out->affinity[c].error);
    } else {
      fits &= kind == WALD_UNSEEN;
    }
  }
  if (fits && self.n > 0 && self.n <= WALD_CYCLES && !all->plan->narea) {
    status = wald_matrix(&self, cycles, all->net->nstep, dense);
    if (!status) wald_statistic(&self, out, all);
  }
out:
  wald_free(&self);
  mem_free(dense);
  return status;
}

/* --- the verdict --- */

bool balance_one_way(const analysis *all, int32_t step)
{
  const ness_network *const net = all->net;
  if (all->measured) return false; /* seen one way only is not known to be so */
  if (all->flows) return analysis_total(all, all->plan->one_way + step) > 0;
  if ((net->dir_law[2 * step] == LAW_NONE) == (net->dir_law[2 * step + 1] == LAW_NONE)) return false;
  return analysis_total(all, all->plan->fwd + step) + analysis_total(all, all->plan->bwd + step) > 0;
}

ness_status balance_test(balance *self, const analysis *all, const basis *cycles)
{
  const size_t n = (size_t)cycles->count + 1;
  *self = (balance){.p = (double)NAN,
                    .statistic = (double)NAN,
                    .smallest = (double)NAN,
                    .bound = (double)NAN,
                    .drift_p = (double)NAN};
  self->strongest = self->one_way = -1;
  self->strength.value = self->strength.error = (double)NAN;
  self->seen = mem_zero(n, sizeof *self->seen);
  self->affinity = mem_zero(n, sizeof *self->affinity);
  self->single_p = mem_zero(n, sizeof *self->single_p);
  self->single_error = mem_zero(n, sizeof *self->single_error);
  if (!self->seen || !self->affinity || !self->single_p || !self->single_error) return NESS_NOMEM;
  for (int32_t c = 0; c < cycles->count; c++) self->seen[c] = self->single_p[c] = self->single_error[c] = (double)NAN;
  for (int32_t s = 0; s < all->net->nstep && self->one_way < 0; s++) self->one_way = balance_one_way(all, s) ? s : -1;
  if (all->flows) {
    for (int32_t c = 0; c < cycles->count; c++) {
      const estimate rate = estimate_rate(all, cycles->current + (int64_t)c * all->sums->batches, (double)NAN);
      self->affinity[c] = estimate_normal(all, (double)NAN, (double)NAN, (double)NAN);
      self->single_p[c] = moved_runs_p(all, &rate);
    }
    return flowed_judge(&self->flow, all, cycles);
  }
  if (!all->moved || moved_drawn(all->run)) drift_test(self, all);
  if (all->moved) {
    moved_balance(self, all, cycles);
    return NESS_OK;
  }
  ness_status status = wald_test(self, all, cycles);
  if (!status && !self->tested) {
    status = currents_test(self, all, cycles);
    const int32_t c = self->strongest; /* what the counts say of it is sharper than the bound from its current */
    if (c >= 0 && c < cycles->count && isfinite(self->affinity[c].error)) {
      self->strength = self->affinity[c];
      self->strength_at_least = false;
    }
  }
  self->rejected = self->tested && self->p < 1 - all->level;
  return status;
}

/* Data needed over data there are, to see the stated affinity; NaN: the test does not tell. */
static double more_data(const balance *self)
{
  const double ratio = self->smallest / TEST_STATED;
  return ratio * ratio;
}

/* The test finds no drive: does that say that there is none? Where the power is not known, of rotations, p has to do.
 */
static void verdict_silent(const balance *self, text_buffer *out)
{
  char a[32];
  if (isnan(self->smallest)) {
    number_short(self->p, 2, a);
    text_add(out, "consistent with equilibrium (no rotation was seen, p = %s)", a);
  } else if (self->smallest <= TEST_STATED) {
    number_short(self->smallest, 2, a);
    text_add(out, "consistent with equilibrium (an affinity above %s kT would have been seen)", a);
  } else {
    number_short(more_data(self), 2, a);
    text_add(out, "not enough data (needs about %s times more to see %g kT)", a, TEST_STATED);
  }
}

static void verdict(const balance *self, const analysis *all, const basis *cycles, text_buffer *out)
{
  char a[32], b[32];
  const ness_network *net = all->net;
  const bool hidden = all->plan->tapes && all->run->level == DUMP_SUMMARY;
  if (all->moved) {
    moved_verdict(self, all, cycles, out);
    return;
  }
  if (all->flows) {
    flowed_verdict(self, all, out);
    return;
  }
  if (self->one_way >= 0) {
    text_add(out, "driven, by step %s, which has no way back: its entropy production is infinite",
             network_text(net, net->step_name[self->one_way]));
  } else if (self->rejected && self->strongest >= cycles->count) {
    int32_t k = self->strongest - cycles->count, i = 0;
    while (k >= all->plan->nareaslot - 1 - i) k -= all->plan->nareaslot - 1 - i++;
    number_short(self->strength.value, 3, a);
    number_short(self->strength.error, 2, b);
    text_add(out, "driven, by a rotation of %s against %s, at least %s ± %s k_B/s",
             network_text(net, net->slot_name[all->plan->area_slot[i]]),
             network_text(net, net->slot_name[all->plan->area_slot[i + 1 + k]]), a, b);
  } else if (self->rejected) {
    number_short(self->strength_at_least ? fabs(self->strength.value) : self->strength.value, 3, a);
    number_short(self->strength.error, 2, b);
    text_add(out, "driven, by cycle %s, by %s%s ± %s kT", cycles->name[self->strongest],
             self->strength_at_least ? "at least " : "", a, b);
  } else if (self->tested && (!hidden || cycles->count > 0)) {
    verdict_silent(self, out);
  } else if (cycles->skipped) {
    text_add(out, "not enough data (the network is too large to look for its cycles)");
  } else if (cycles->rank == 0 && all->measured) {
    text_add(out, "not enough data (the states seen form no cycle, and what drives two of them in turn does not show)");
  } else if (cycles->rank == 0 && !(all->plan->tapes && all->plan->nareaslot > 1) && !hidden) {
    text_add(out, "consistent with equilibrium (no cycle exists that could be driven)");
  } else if (hidden) {
    text_add(
        out,
        "not enough data (rates given by formulas can drive rotations that a dump of level summary does not show)");
  } else {
    text_add(out, "not enough data (%s)", self->why ? self->why : "nothing could be tested");
  }
  if (self->drift) text_add(out, "; the %s", all->measured ? "record is not stationary" : "run has not settled");
  if (markov_fails(all)) text_add(out, "; the states remember their past");
}

void balance_doc(const balance *self, const analysis *all, const basis *cycles, ness_doc *doc)
{
  text_buffer text = {0};
  verdict(self, all, cycles, &text);
  doc_node *const root = doc_root(doc);
  doc_string(root, "verdict", "%s", text.data ? text.data : "");
  text_clear(&text);
  doc_node *const row = doc_object(root, "balance");
  doc_string(row, "outcome", "%s",
             all->moved && !all->moved->still                  ? "driven in time"
             : self->one_way >= 0 || self->rejected            ? "driven"
             : all->flows                                      ? flowed_outcome(&self->flow, all)
             : self->tested && !(self->smallest > TEST_STATED) ? "consistent with equilibrium"
             : self->tested                                    ? "not enough data"
                                                               : "not tested");
  number_or_null(row, "statistic", self->statistic);
  number_or_null(row, "freedom", self->tested ? self->d1 : (double)NAN);
  if (self->tested && isfinite(self->d2)) doc_number(row, "freedom_below", self->d2);
  number_or_null(row, "p", self->p);
  doc_number(row, "level", 1 - all->level);
  number_or_null(row, "smallest_affinity_seen", self->smallest);
  number_or_null(row, "more_data", more_data(self));
  doc_string(row, "method", "%s",
             all->flows ? "works and entropy that the run kept, where nothing is seen to change; no rates are compared"
             : self->method ? self->method
                            : "none");
  if (self->why && !self->tested) doc_string(row, "why", "%s", self->why);
  if (self->one_way >= 0)
    doc_string(row, "one_way_step", "%s", network_text(all->net, all->net->step_name[self->one_way]));
  number_or_null(row, "drift_p", self->drift_p);
  if (all->run->warmup <= 0 && !self->wald && !all->measured && !all->moved && !all->flows)
    doc_string(row, "note", "the run had no warmup: if it does not begin in the steady state, the test is biased");
}

void balance_free(balance *self)
{
  flowed_free(&self->flow);
  mem_free(self->seen);
  mem_free(self->affinity);
  mem_free(self->single_p);
  mem_free(self->single_error);
  self->single_p = self->single_error = NULL;
  self->seen = NULL;
  self->affinity = NULL;
}
