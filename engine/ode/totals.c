/* Rates, work and entropy at given counts. Entropy production of a step is J ln(a_fwd / a_bwd); for mass action both
 * ways the logarithm is step_lnk - sum nu ln x, exact where the file gives energies. What a step gives to the medium is
 * that without the mixing, sum nu ln x, as in the master equation; at rest the mixing adds up to 0. With G(x) = sum x
 * (g + ln x - 1) its change is sum nu (g + ln x) an event, so entropy = work - dG/dt holds step by step (Rao and
 * Esposito, Phys. Rev. X 6, 041064 (2016)); what a tape holds beyond the declared work is undeclared. Invariant: a step
 * that runs one way only has infinite entropy and is left out of what must close. Cost: linear in the network. */
#include "engine/ode/system.h"

#include <math.h>

typedef struct sums {
  double work, internal, entropy;
} sums;

/* sum nu_i (g_i + ln x_i) and sum nu_i ln x_i of a forward event; infinite where a slot is empty. */
static void step_change(const ness_network *net, int32_t step, const double *x, double *energy, double *mixing)
{
  *energy = *mixing = 0;
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t slot = net->change_slot[c], var = net->slot_var[slot];
    if (var < 0) *mixing += net->change_by[c] * log(x[slot]);
    *energy += net->change_by[c] * (var < 0 ? net->slot_g[slot] : network_var_pull(net, var, x[slot]));
  }
  *energy += *mixing;
}

static bool is_mass(const ness_network *net, int32_t step)
{
  return net->dir_law[2 * step] == LAW_MASS && net->dir_law[2 * step + 1] == LAW_MASS;
}

/* One step with both directions running. */
static void add_step(const ode_system *sys, const ode_work *work, int32_t s, ode_totals *out, sums *sum)
{
  const ness_network *const net = sys->net;
  const int32_t undeclared = network_sources(net) - 1;
  const double rate = out->net_rate[s];
  double energy = 0, mixing = 0, rest = 0, declared = 0;
  const bool constant = is_mass(net, s) && isfinite(net->step_lnk[s]);
  step_change(net, s, work->x, &energy, &mixing);
  const double force = constant ? net->step_lnk[s] - mixing : log(out->dir_rate[2 * s]) - log(out->dir_rate[2 * s + 1]);
  out->step_entropy[s] = rate * (constant ? net->step_lnk[s] : force + mixing);
  for (int32_t k = net->work_start[s]; k < net->work_start[s + 1]; k++) {
    const double done = rate * net->work_kt[k];
    if (net->work_src[k] == undeclared) rest += done;
    else out->source_work[net->work_src[k]] += done;
    if (net->work_src[k] != undeclared) declared += done;
  }
  if (!is_mass(net, s)) rest = rate * (force + energy) - declared;
  if (rate != 0) sum->internal += rate * energy;
  out->source_work[undeclared] += rest;
  sum->work += declared + rest;
  sum->entropy += rate * force;
}

/* What an equation does to a capacitor's energy is work. */
static void add_drift(const ode_system *sys, const ode_work *work, int32_t s, ode_totals *out, sums *sum)
{
  double energy = 0, mixing = 0;
  step_change(sys->net, s, work->x, &energy, &mixing);
  out->source_work[network_sources(sys->net) - 1] += out->net_rate[s] * energy;
  sum->internal += out->net_rate[s] * energy;
  sum->work += out->net_rate[s] * energy;
}

/* A step of which one direction runs: its declared work counts, its entropy has no bound. */
static void add_one_way(const ode_system *sys, int32_t s, ode_totals *out)
{
  const ness_network *const net = sys->net;
  const int32_t undeclared = network_sources(net) - 1;
  out->step_entropy[s] = (double)INFINITY;
  for (int32_t k = net->work_start[s]; k < net->work_start[s + 1]; k++) {
    if (net->work_src[k] != undeclared) out->source_work[net->work_src[k]] += out->net_rate[s] * net->work_kt[k];
  }
  const bool one_way = net->dir_law[2 * s] == LAW_NONE || net->dir_law[2 * s + 1] == LAW_NONE;
  if (one_way && out->one_way_running < 0) out->one_way_running = s;
}

static void fill_totals(const ode_system *sys, const ode_work *work, ode_totals *out)
{
  const ness_network *const net = sys->net;
  sums sum = {0};
  bool endless = false;
  out->one_way_running = -1;
  for (int32_t s = 0; s < net->nstep; s++) {
    const double forward = out->dir_rate[2 * s] = work->rate[2 * s];
    const double backward = out->dir_rate[2 * s + 1] = work->rate[2 * s + 1];
    out->net_rate[s] = forward - backward;
    if (net->step_flow[s] == FLOW_DRIFT) {
      add_drift(sys, work, s, out, &sum);
    } else if (forward > 0 && backward > 0) {
      add_step(sys, work, s, out, &sum);
    } else if (forward > 0 || backward > 0) {
      add_one_way(sys, s, out);
      endless = true;
    }
  }
  for (int32_t i = 0; i < sys->nslot; i++) {
    const double x = work->x[i];
    const int32_t var = net->slot_var[i];
    if (var >= 0 && net->var_stiff[var] > 0) {
      const double pull = network_var_pull(net, var, x);
      out->free_energy += pull * pull / (2 * net->var_stiff[var]);
    } else if (var < 0 && x > 0) out->free_energy += x * (net->slot_g[i] + log(x) - 1);
  }
  if (endless) out->source_work[network_sources(net) - 1] = (double)INFINITY;
  out->entropy = endless ? (double)INFINITY : sum.entropy;
  out->free_energy_rate = sum.internal;
  out->closure = fabs(sum.entropy - sum.work + sum.internal);
}

ness_status ode_totals_at(const ode_system *self, const double *x, ness_diags *diags, ode_totals *out)
{
  const ness_network *const net = self->net;
  const size_t steps = (size_t)net->nstep;
  ode_work work = {0};
  *out = (ode_totals){.one_way_running = -1};
  ness_status status = ode_work_init(&work, self) ? NESS_OK : NESS_NOMEM;
  out->dir_rate = mem_zero(2 * steps + 1, sizeof *out->dir_rate);
  out->net_rate = mem_zero(steps + 1, sizeof *out->net_rate);
  out->step_entropy = mem_zero(steps + 1, sizeof *out->step_entropy);
  out->source_work = mem_zero((size_t)network_sources(net) + 1, sizeof *out->source_work);
  if (!out->dir_rate || !out->net_rate || !out->step_entropy || !out->source_work) status = NESS_NOMEM;
  if (!status) status = ode_check_given(self, x, &work, diags);
  if (!status) fill_totals(self, &work, out);
  ode_work_free(&work);
  if (status) ode_totals_free(out);
  return status;
}

void ode_totals_free(ode_totals *self)
{
  mem_free(self->dir_rate);
  mem_free(self->net_rate);
  mem_free(self->step_entropy);
  mem_free(self->source_work);
  *self = (ode_totals){.one_way_running = -1};
}
