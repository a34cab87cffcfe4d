/* Newton's method for a steady state near a given one. The unknowns are all slots, in units of what they hold; each
 * conservation law takes the place of the balance of the slot that it gives away, a slot that nothing fills any more is
 * held at 0, and one that nothing moves stays as it is. Invariant: x never goes negative; gains and losses are sums of
 * positive terms, so that the residual is right to rounding; the best iterate is the result. Cost: a sparse
 * factorisation an iteration. */
#include "engine/ode/solver.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define BALANCED 1e-11 /* residual of a fixed point at most */
#define SEED 1e-60     /* copies in a slot that was empty and is being filled */
#define LARGE 1e-9     /* copies; slots below do not tell whether a step was small */
#define SMALL 1e-6     /* a last step that is larger has no fixed point behind it, but a singular Jacobian */

typedef enum row_kind { ROW_BALANCE, ROW_LAW, ROW_EMPTY, ROW_IDLE } row_kind;

typedef struct newton {
  const ode_system *sys;
  ode_work *work;
  ode_reduction reduction;
  double *total, *size; /* (nlaw) conserved sum, and the sum of its parts without signs */
  bool *empty;          /* (nslot) */
  bool face;            /* some slot is empty: more may be conserved than the laws of the network say */
  double last;          /* largest relative change of the last step; infinite when there was none */
  ode_pattern pattern;
  double *values;                /* (pattern.nnz) */
  double *input, *best, *vector; /* (nslot) */
  ode_linear linear;
} newton;

static void newton_free(newton *self)
{
  ode_reduction_free(&self->reduction);
  ode_linear_free(&self->linear);
  mem_free(self->total);
  mem_free(self->size);
  mem_free(self->empty);
  mem_free(self->pattern.start);
  mem_free(self->pattern.row);
  mem_free(self->values);
  mem_free(self->input);
  mem_free(self->best);
  mem_free(self->vector);
}

/* --- slots that have died out --- */

/* The largest set of nearly empty slots that, once all are 0, no rate fills: a face of the orthant that holds what is
 * on it. x is set to 0 there; false when a rate is no number. */
static bool newton_empty(newton *self, double *x)
{
  const ode_system *const sys = self->sys;
  const ness_network *const net = sys->net;
  double *const now = self->work->x;
  for (int32_t i = 0; i < sys->nslot; i++) {
    self->empty[i] = x[i] < ODE_EMPTY;
    now[i] = self->work->raw[i] = self->empty[i] ? 0 : x[i];
  }
  bool again = true;
  for (int32_t sweep = 0; again; sweep++) { /* to and fro: along a chain either way is done in one go */
    again = false;
    for (int32_t k = 0; k < sys->ndir; k++) {
      const int32_t d = sweep % 2 ? sys->ndir - 1 - k : k;
      for (int32_t c = net->change_start[d / 2]; c < net->change_start[d / 2 + 1]; c++) {
        const int32_t slot = net->change_slot[c];
        if (!self->empty[slot] || (d % 2 ? -net->change_by[c] : net->change_by[c]) < 0) continue;
        if (!ode_runs(sys, d, self->work)) break;
        self->empty[slot] = false;
        now[slot] = self->work->raw[slot] = x[slot] > 0 ? x[slot] : SEED;
        again = true;
      }
    }
  }
  for (int32_t i = 0; i < sys->nslot; i++) {
    x[i] = now[i];
    self->face = self->face || self->empty[i];
  }
  return ode_evaluate(sys, x, self->work);
}

/* --- the system --- */

/* The pattern of J with the rows of given slots replaced by the laws; each column ascends but for the law rows. */
static bool newton_pattern(newton *self)
{
  const ode_system *const sys = self->sys;
  const ode_reduction *const reduction = &self->reduction;
  ode_pattern *const pattern = &self->pattern;
  const int64_t room = sys->jac.nnz + reduction->start[reduction->nlaw] + reduction->nlaw;
  int64_t *const law = mem_zero((size_t)sys->nslot + 2, sizeof *law); /* laws that a slot occurs in */
  int32_t *const of = mem_zero((size_t)reduction->start[reduction->nlaw] + 1, sizeof *of);
  pattern->n = sys->nslot;
  pattern->start = mem_zero((size_t)sys->nslot + 1, sizeof *pattern->start);
  pattern->row = mem_zero((size_t)room + 1, sizeof *pattern->row);
  self->values = mem_zero((size_t)room + 1, sizeof *self->values);
  const bool good = law && of && pattern->start && pattern->row && self->values;
  for (int32_t t = 0; good && t < reduction->start[reduction->nlaw]; t++) law[reduction->slot[t] + 2]++;
  for (int32_t i = 0; good && i < sys->nslot; i++) law[i + 2] += law[i + 1];
  for (int32_t l = 0; good && l < reduction->nlaw; l++) {
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) of[law[reduction->slot[t] + 1]++] = l;
  }
  for (int32_t j = 0; good && j < sys->nslot; j++) {
    for (int64_t k = sys->jac.start[j]; k < sys->jac.start[j + 1]; k++) {
      const int64_t row = sys->jac.row[k];
      if (reduction->place[row] >= 0 || row == j) pattern->row[pattern->nnz++] = row;
    }
    for (int64_t k = law[j]; k < law[j + 1]; k++) pattern->row[pattern->nnz++] = reduction->given[of[k]];
    pattern->start[j + 1] = pattern->nnz;
  }
  mem_free(law);
  mem_free(of);
  return good;
}

static row_kind newton_kind(const newton *self, int64_t row)
{
  if (self->empty[row]) return ROW_EMPTY;
  if (self->reduction.place[row] < 0) return ROW_LAW;
  return self->work->gain[row] == 0 && self->work->loss[row] == 0 ? ROW_IDLE : ROW_BALANCE;
}

static double coefficient(const ode_reduction *reduction, int32_t law, int32_t slot)
{
  int32_t low = reduction->start[law], high = reduction->start[law + 1] - 1;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (reduction->slot[middle] < slot) low = middle + 1;
    else high = middle;
  }
  return reduction->by[low];
}

static double newton_unit(double x)
{
  return x > 1e-100 ? x : 1e-100;
}

/* Fills the values and the right side at x: rows by the throughput or the total, columns by x. */
static void newton_system(newton *self, const double *x)
{
  const ode_system *const sys = self->sys;
  const ode_reduction *const reduction = &self->reduction;
  for (int32_t j = 0; j < sys->nslot; j++) {
    const double unit = newton_unit(x[j]);
    int64_t at = self->pattern.start[j];
    for (int64_t k = sys->jac.start[j]; k < sys->jac.start[j + 1]; k++) {
      const int64_t row = sys->jac.row[k];
      if (reduction->place[row] < 0 && row != j) continue;
      const row_kind kind = newton_kind(self, row);
      double value = row == j ? 1 : 0;
      if (kind == ROW_BALANCE) value = self->work->jac[k] * unit / fmax(self->work->gain[row], self->work->loss[row]);
      if (kind == ROW_LAW) value = unit / self->size[-1 - reduction->place[row]];
      self->values[at++] = value;
    }
    for (; at < self->pattern.start[j + 1]; at++) {
      const int64_t row = self->pattern.row[at];
      const int32_t l = -1 - reduction->place[row];
      const bool law = newton_kind(self, row) == ROW_LAW;
      self->values[at] = law ? coefficient(reduction, l, j) * unit / self->size[l] : 0;
    }
  }
  for (int32_t i = 0; i < sys->nslot; i++) {
    const double gain = self->work->gain[i], loss = self->work->loss[i];
    self->vector[i] = newton_kind(self, i) == ROW_BALANCE ? -self->work->change[i] / fmax(gain, loss) : 0;
  }
  for (int32_t l = 0; l < reduction->nlaw; l++) {
    const int32_t given = reduction->given[l];
    if (newton_kind(self, given) != ROW_LAW) continue;
    double rest = self->total[l] - x[given];
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
      rest -= reduction->by[t] * x[reduction->slot[t]];
    }
    self->vector[given] = rest / self->size[l];
  }
}

static void newton_totals(newton *self, const double *start, const double *x)
{
  const ode_reduction *const reduction = &self->reduction;
  for (int32_t l = 0; l < reduction->nlaw; l++) {
    double size = x[reduction->given[l]];
    self->total[l] = start[reduction->given[l]];
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
      self->total[l] += reduction->by[t] * start[reduction->slot[t]];
      size += fabs(reduction->by[t]) * x[reduction->slot[t]];
    }
    self->size[l] = size > 0 ? size : 1;
  }
}

/* The largest imbalance of a slot that is not empty. */
static double newton_residual(const newton *self)
{
  double most = 0;
  for (int32_t i = 0; i < self->sys->nslot; i++) {
    const double gain = self->work->gain[i], loss = self->work->loss[i], size = fmax(gain, loss);
    if (!self->empty[i] && size > 0) most = fmax(most, fabs(self->work->change[i]) / size);
  }
  return most;
}

static bool newton_step(newton *self, double *x)
{
  if (!ode_differentiate(self->sys, self->work)) return false;
  newton_system(self, x);
  if (!ode_linear_solve(&self->linear, &self->pattern, self->values, self->vector)) return false;
  self->last = 0;
  for (int32_t i = 0; i < self->sys->nslot; i++) {
    if (self->empty[i]) continue;
    if (x[i] > LARGE) self->last = fmax(self->last, fabs(self->vector[i]));
    const double next = x[i] + self->vector[i] * newton_unit(x[i]);
    x[i] = next > 0 ? next : 0.1 * x[i];
  }
  return true;
}

/* The laws at x in their reduced form give what the start gives. */
static bool newton_laws_hold(const newton *self, const double *x)
{
  const ode_reduction *const reduction = &self->reduction;
  for (int32_t l = 0; l < reduction->nlaw; l++) {
    double sum = x[reduction->given[l]], size = fabs(sum);
    for (int32_t t = reduction->start[l]; t < reduction->start[l + 1]; t++) {
      const double part = reduction->by[t] * x[reduction->slot[t]];
      sum += part;
      size += fabs(part);
    }
    if (fabs(sum - self->total[l]) > 1e-9 * fmax(size, 1)) return false;
  }
  return true;
}

static void newton_iterate(newton *self, double *x, double *residual, int32_t *iterations)
{
  const size_t bytes = (size_t)self->sys->nslot * sizeof *x;
  double best = (double)INFINITY;
  int32_t stalls = 0;
  for (*iterations = 0;; ++*iterations) {
    if (!ode_evaluate(self->sys, x, self->work)) break;
    const double now = newton_residual(self);
    stalls = now < 0.5 * best || self->last > SMALL ? 0 : stalls + 1;
    if (*iterations >= 10 && self->last > 1) break;         /* it wanders */
    if (now <= best || (*iterations == 1 && now < 1e-14)) { /* the first step also mends the conserved sums */
      best = now;
      memcpy(self->best, x, bytes);
    }
    if ((now == 0 && *iterations > 0) || stalls >= 3 || *iterations >= 40 || !newton_step(self, x)) break;
  }
  if (isfinite(best)) memcpy(x, self->best, bytes);
  *residual = best;
}

static ode_found newton_find(newton *self, double *x, double *residual, int32_t *iterations)
{
  const size_t bytes = (size_t)self->sys->nslot * sizeof *x;
  memcpy(self->input, x, bytes);
  for (int32_t i = 0; i < self->sys->nslot && self->sys->linear; i++) { /* from anywhere: best where units are alike */
    if (!self->empty[i]) x[i] = fmax(x[i], 1);
  }
  newton_iterate(self, x, residual, iterations);
  if (*residual <= BALANCED && self->last <= SMALL) {
    return newton_laws_hold(self, x) && ode_evaluate(self->sys, x, self->work) ? ODE_FIXED : ODE_NOTHING;
  }
  memcpy(x, self->input, bytes);
  if (!ode_evaluate(self->sys, x, self->work)) return ODE_NOTHING;
  *residual = newton_residual(self);
  *iterations = 0;
  return *residual <= BALANCED ? ODE_BALANCED : ODE_NOTHING;
}

ness_status ode_newton(const ode_system *sys, const double *start, double *x, ode_work *work, ness_diags *diags,
                       ode_found *found, double *residual, int32_t *iterations)
{
  const size_t slots = (size_t)sys->nslot + 1;
  newton self = {.sys = sys, .work = work, .last = (double)INFINITY};
  ness_status status = NESS_NOMEM;
  *found = ODE_NOTHING;
  self.empty = mem_zero(slots, sizeof *self.empty);
  self.input = mem_zero(slots, sizeof *self.input);
  self.best = mem_zero(slots, sizeof *self.best);
  self.vector = mem_zero(slots, sizeof *self.vector);
  self.total = mem_zero(slots, sizeof *self.total); /* a face may have more laws than the network */
  self.size = mem_zero(slots, sizeof *self.size);
  if (!self.empty || !self.input || !self.best || !self.vector || !self.total || !self.size) goto out;
  status = NESS_OK;
  if (!newton_empty(&self, x)) goto out;
  const bool face = self.face && sys->nslot <= ODE_DENSE;
  status =
      face ? ode_reduce_face(sys, x, self.empty, work, &self.reduction) : ode_reduce(sys, x, diags, &self.reduction);
  if (status) goto out;
  newton_totals(&self, face ? x : start, x);
  status = NESS_NOMEM;
  if (!newton_pattern(&self) || !ode_linear_init(&self.linear, &self.pattern)) goto out;
  *found = newton_find(&self, x, residual, iterations);
  status = NESS_OK;
out:
  newton_free(&self);
  return status;
}
