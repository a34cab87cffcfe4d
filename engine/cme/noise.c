/* Cumulants of counted events by perturbation theory of the tilted generator (Garrahan et al., Phys. Rev. Lett. 98,
 * 195702 (2007); Baiesi, Maes, Netocny, J. Stat. Phys. 135, 57 (2009) for the expansion). What is still collected from
 * each state on, y (ergodic.h), is moved into the weights: g = w + y_j - y_i counts the same in the long run, and what
 * it counts is a martingale up to its mean. Then y_1 = 0, the variance rate is the sum of flow g^2 over the
 * transitions, covariances are sums of flow g g', and y_2 = D sum a g^2,  kappa_3 = sum flow (g^3 + 3 g (y_2j - y_2i)),
 *   y_3 = D sum a (g^3 + 3 g (y_2j - y_2i)),  kappa_4 = sum flow (g^4 + 6 g^2 y_2j + 4 g (y_3j - y_3i)).
 * Copies that come and go count over their lives, which begin at random: with y_2 and y_3 the raw moments of what is
 * left to count above its mean, 0 outside, the same sums are the moments of a compound Poisson process. Invariant:
 * variances are sums of squares; fast pairs of steps do not drown the noise of what they carry. Cost: one factorisation
 * of each part and three solves for each current. */
#include "engine/cme/noise.h"
#include "engine/cme/ergodic.h"
#include "engine/markov/sum.h"

typedef struct cumulants {
  const cme_part *part;
  int32_t ndir, ncurrent;
  const double *weight;   /* (ncurrent x ndir) */
  double *y;              /* (ncurrent x states) what each current still collects */
  double *second, *third; /* (states) y_2, y_3 of the current at hand */
  double *gain;           /* (ncurrent) g of the transition at hand */
  exact_sum *cumulant;    /* (ncurrent x NOISE_ORDER) */
  exact_sum *covariance;  /* (ncurrent x ncurrent) */
} cumulants;

static bool current_flows(const cme_part *part, const double *weight)
{
  bool flows = false;
  for (int32_t k = 0; k < part->nstep; k++) {
    flows = flows || weight[2 * part->step[k]] != 0 || weight[2 * part->step[k] + 1] != 0;
  }
  return flows;
}

/* g of transition e out of state i. */
static inline double gain_of(const cumulants *self, int32_t current, int32_t i, int64_t e)
{
  const double *const y = self->y + (int64_t)current * self->part->q.n;
  return self->weight[(int64_t)current * self->ndir + self->part->dir[e]] + (y[self->part->q.to[e]] - y[i]);
}

/* y_1 of a current. */
static ness_status current_first(const cumulants *self, collect *solves, int32_t current)
{
  const cme_part *const part = self->part;
  const double *const weight = self->weight + (int64_t)current * self->ndir;
  double *const y = self->y + (int64_t)current * part->q.n;
  for (int32_t k = 0; k < solves->states->n; k++) {
    const int32_t i = solves->states->state[k];
    exact_sum sum = {0, 0};
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      if (weight[part->dir[e]] != 0) sum_add(&sum, part->q.rate[e] * weight[part->dir[e]]);
    }
    y[i] = sum_get(&sum);
  }
  return collect_solve(solves, y);
}

/* y_2, then y_3 of a current, with the sums of the third and fourth cumulant. */
static ness_status current_orders(cumulants *self, collect *solves, int32_t current)
{
  const cme_part *const part = self->part;
  const double *const second = self->second, *const third = self->third;
  exact_sum *const cumulant = self->cumulant + (int64_t)current * NOISE_ORDER;
  for (int32_t i = 0; i < part->q.n; i++) {
    exact_sum sum = {0, 0};
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const double g = gain_of(self, current, i, e);
      sum_add(&sum, part->q.rate[e] * g * g);
    }
    self->second[i] = sum_get(&sum);
  }
  ness_status status = collect_solve(solves, self->second);
  if (status) return status;
  for (int32_t i = 0; i < part->q.n; i++) {
    exact_sum sum = {0, 0};
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const double g = gain_of(self, current, i, e), rise = second[part->q.to[e]] - second[i];
      const double term = g * (g * g + 3 * rise);
      sum_add(&sum, part->q.rate[e] * term);
      if (part->p[i] > 0) sum_add(&cumulant[2], ergodic_flow(part, i, e) * term);
    }
    self->third[i] = sum_get(&sum);
  }
  status = collect_solve(solves, self->third);
  for (int32_t i = 0; status == NESS_OK && i < part->q.n; i++) {
    if (part->p[i] == 0) continue;
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const double g = gain_of(self, current, i, e), rise = third[part->q.to[e]] - third[i];
      sum_add(&cumulant[3], ergodic_flow(part, i, e) * g * (g * (g * g + 6 * second[part->q.to[e]]) + 4 * rise));
    }
  }
  return status;
}

/* Adds the covariances of all currents in one pass. */
static void currents_pair(cumulants *self)
{
  const cme_part *const part = self->part;
  for (int32_t i = 0; i < part->q.n; i++) {
    if (part->p[i] == 0) continue;
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const double flow = ergodic_flow(part, i, e);
      for (int32_t a = 0; a < self->ncurrent; a++) {
        self->gain[a] = gain_of(self, a, i, e);
        if (self->gain[a] == 0) continue;
        for (int32_t b = 0; b <= a; b++) {
          const double product = flow * self->gain[a] * self->gain[b];
          if (product != 0) sum_add(&self->covariance[(int64_t)a * self->ncurrent + b], product);
        }
      }
    }
  }
}

static ness_status cumulants_part(cumulants *self, const ness_network *net, const cme_part *part, ness_diags *diags)
{
  ergodic states = {0};
  collect solves = {0};
  ness_status status = ergodic_create(net, part, diags, &states);
  if (status) return status;
  const size_t n = (size_t)part->q.n + 1;
  self->part = part;
  self->y = mem_zero(n * (size_t)self->ncurrent, sizeof *self->y);
  self->second = mem_zero(n, sizeof *self->second);
  self->third = mem_zero(n, sizeof *self->third);
  status = self->y && self->second && self->third ? collect_create(net, &states, diags, &solves) : NESS_NOMEM;
  for (int32_t a = 0; status == NESS_OK && a < self->ncurrent; a++) {
    if (!current_flows(part, self->weight + (int64_t)a * self->ndir)) continue;
    status = current_first(self, &solves, a);
    if (status == NESS_OK) status = current_orders(self, &solves, a);
  }
  if (status == NESS_OK) currents_pair(self);
  collect_free(&solves);
  ergodic_free(&states);
  mem_free(self->y);
  mem_free(self->second);
  mem_free(self->third);
  return status;
}

/* Means come from the net rates of the solution, which keep the figures of slow nets of fast steps. */
static double current_mean(const ness_network *net, const cme_solution *s, const double *weight)
{
  exact_sum sum = {0, 0};
  for (int32_t k = 0; k < net->nstep; k++) {
    const double forth = weight[2 * k], both = forth + weight[2 * k + 1];
    if (forth != 0) sum_add(&sum, forth * s->net_rate[k]);
    if (both != 0) sum_add(&sum, both * s->dir_rate[2 * k + 1]);
  }
  return sum_get(&sum);
}

static void cumulants_take(const cumulants *self, const ness_network *net, const cme_solution *s, noise *out)
{
  const int32_t n = self->ncurrent;
  for (int32_t a = 0; a < n; a++) {
    for (int32_t b = 0; b <= a; b++) {
      out->covariance[a * n + b] = out->covariance[b * n + a] = sum_get(&self->covariance[(int64_t)a * n + b]);
    }
    double *const cumulant = out->cumulant + (int64_t)a * NOISE_ORDER;
    cumulant[0] = current_mean(net, s, self->weight + (int64_t)a * self->ndir);
    cumulant[1] = out->covariance[a * n + a];
    for (int32_t k = 2; k < NOISE_ORDER; k++) cumulant[k] = sum_get(&self->cumulant[(int64_t)a * NOISE_ORDER + k]);
  }
}

ness_status noise_cumulants(const ness_network *net, const cme_solution *solution, int32_t ncurrent,
                            const double *weight, ness_diags *diags, noise *out)
{
  const size_t n = (size_t)ncurrent;
  *out = (noise){.ncurrent = ncurrent};
  cumulants self = {.ndir = 2 * net->nstep, .ncurrent = ncurrent, .weight = weight};
  ness_status status = NESS_NOMEM;
  out->cumulant = mem_zero(n * NOISE_ORDER + 1, sizeof *out->cumulant);
  out->covariance = mem_zero(n * n + 1, sizeof *out->covariance);
  self.gain = mem_zero(n + 1, sizeof *self.gain);
  self.cumulant = mem_zero(n * NOISE_ORDER + 1, sizeof *self.cumulant);
  self.covariance = mem_zero(n * n + 1, sizeof *self.covariance);
  if (!out->cumulant || !out->covariance || !self.gain || !self.cumulant || !self.covariance) goto out;
  status = NESS_OK;
  for (int32_t p = 0; status == NESS_OK && p < solution->nparts; p++) {
    bool flows = false;
    for (int32_t a = 0; a < ncurrent; a++) {
      flows = flows || current_flows(&solution->parts[p], weight + (int64_t)a * self.ndir);
    }
    if (flows) status = cumulants_part(&self, net, &solution->parts[p], diags);
    if (status == NESS_OK && interrupt_pending()) status = NESS_INTERRUPTED;
  }
  if (status == NESS_OK) cumulants_take(&self, net, solution, out);
out:
  mem_free(self.gain);
  mem_free(self.cumulant);
  mem_free(self.covariance);
  if (status) noise_free(out);
  return status;
}

void noise_free(noise *self)
{
  mem_free(self->cumulant);
  mem_free(self->covariance);
  *self = (noise){0};
}
