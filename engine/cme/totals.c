/* Sums over the steady state: rates, moments, work of every source, entropy production, and how well they close. The
 * entropy of a step is what it gives to the medium, without that of the counts, -sum ln n!, which belongs to the state
 * and comes back (split.c): so it is the same for copies, counts and rate equations. A
 * step's two directions are always taken together, by their net current (currents.c; Schnakenberg, Rev. Mod. Phys. 48,
 * 571 (1976)). The work that the file does not declare is in the work list of a reversible mass-action step; for rates
 * given by tapes it is what entropy and free energy leave over: sum J (entropy + dG) - declared. Invariant: everything
 * is summed with compensation, so the closure measures the network's bookkeeping and not the sums. Cost: linear in the
 * transitions. */
#include "engine/cme/space.h"
#include "engine/markov/sum.h"
#include <math.h>

typedef struct step_sums {
  exact_sum net, entropy, internal;
  bool endless; /* a one-way event of the step runs */
} step_sums;

typedef struct totals {
  const ness_network *net;
  int64_t *n, *after; /* (nslot) */
  double *scratch;
  step_sums *steps; /* (nstep) */
  exact_sum *dirs;  /* (2 nstep) */
} totals;

static void totals_transition(totals *self, const cme_part *part, int32_t from, int64_t e)
{
  const ness_network *const net = self->net;
  const int32_t dir = part->dir[e], id = dir / 2;
  const double copies = cme_dir_scale(net, part, dir), flow = copies * part->p[from] * part->q.rate[e];
  const int way = dir % 2 ? -1 : 1;
  sum_add(&self->dirs[dir], flow);
  if (way < 0 && net->dir_law[dir ^ 1] != LAW_NONE && cme_back(part, from, e) >= 0)
    return; /* the forward one speaks for both */
  const double current = copies * cme_current(part, from, e);
  step_sums *const step = &self->steps[id];
  sum_add(&step->net, way * current);
  if (net->dir_law[dir ^ 1] == LAW_NONE) {
    if (current != 0) sum_add(&step->internal, current * network_energy_change(net, id, way, self->n));
    step->endless = step->endless || flow > 0;
    return;
  }
  if (current == 0 && flow == 0) return;
  const double entropy = network_event_medium(net, id, way, self->n, self->after, self->scratch);
  if (current != 0) sum_add(&step->internal, current * network_energy_change(net, id, way, self->n));
  if (current != 0 && isfinite(entropy)) sum_add(&step->entropy, current * entropy);
  else if (flow > 0 && !isfinite(entropy)) step->endless = true;
}

static void totals_part(totals *self, const cme_part *part, const double *scale, exact_sum *mean)
{
  int32_t last = -1; /* the slot that holds the copy at hand */
  if (part->kind != CME_COUNTS) {
    for (int32_t i = 0; i < part->nslot; i++) self->n[part->slot[i]] = 0;
  }
  for (int32_t s = 0; s < part->q.n; s++) {
    if (part->kind != CME_COUNTS) { /* one count moves */
      if (last >= 0) self->n[last] = 0;
      last = part->states.place[s] >= 0 ? part->slot[part->states.place[s]] : -1;
      if (last >= 0) self->n[last] = 1;
      if (last >= 0) sum_add(&mean[last], part->scale * part->p[s]);
    } else {
      cme_counts(part, s, self->n);
      for (int32_t i = 0; i < part->nslot; i++) {
        const int32_t slot = part->slot[i];
        if (self->n[slot] != 0) sum_add(&mean[slot], scale[i] * part->p[s] * (double)self->n[slot]);
      }
    }
    for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++) totals_transition(self, part, s, e);
  }
}

/* Work of every source from the net rates, then entropy and closure. */
static void totals_work(const ness_network *net, const step_sums *steps, cme_solution *out)
{
  const int32_t undeclared = network_sources(net) - 1;
  exact_sum entropy = {0, 0}, internal = {0, 0}, closure = {0, 0};
  for (int32_t s = 0; s < net->nstep; s++) {
    const double rate = out->net_rate[s];
    const bool tape = net->dir_law[2 * s] == LAW_TAPE || net->dir_law[2 * s + 1] == LAW_TAPE;
    const double change = sum_get(&steps[s].internal);
    exact_sum declared = {0, 0}, rest = {0, 0};
    for (int32_t k = net->work_start[s]; k < net->work_start[s + 1]; k++) {
      const double work = rate * net->work_kt[k];
      if (net->work_src[k] == undeclared) {
        sum_add(&rest, work);
        continue;
      }
      out->source_work[net->work_src[k]] += work;
      sum_add(&declared, work);
    }
    if (tape && !steps[s].endless) {
      sum_add(&rest, out->step_entropy[s]);
      sum_add(&rest, change);
      sum_add(&rest, -sum_get(&declared));
    }
    sum_add(&internal, change);
    if (steps[s].endless) {
      out->source_work[undeclared] = INFINITY;
      if (out->one_way_running < 0) out->one_way_running = s;
      continue; /* nothing is left to close */
    }
    out->source_work[undeclared] += sum_get(&rest);
    sum_add(&entropy, out->step_entropy[s]);
    sum_add(&closure, out->step_entropy[s]);
    sum_add(&closure, -sum_get(&declared));
    sum_add(&closure, -sum_get(&rest));
    sum_add(&closure, change);
  }
  out->entropy = out->one_way_running < 0 ? sum_get(&entropy) : INFINITY;
  out->internal = sum_get(&internal);
  out->closure = fabs(sum_get(&closure));
}

ness_status totals_fill(const ness_network *net, cme_solution *out)
{
  const size_t nstep = (size_t)net->nstep, nslot = (size_t)net->nslot;
  ness_status status = NESS_NOMEM;
  totals self = {.net = net};
  exact_sum *const mean = mem_zero(nslot + 1, sizeof *mean);
  double *const scale = mem_zero(nslot + 1, sizeof *scale);
  self.steps = mem_zero(nstep + 1, sizeof *self.steps);
  self.dirs = mem_zero(2 * nstep + 1, sizeof *self.dirs);
  self.n = mem_zero(nslot + 1, sizeof *self.n);
  self.after = mem_zero(nslot + 1, sizeof *self.after);
  self.scratch = mem_zero((size_t)net->tape_max + 1, sizeof *self.scratch);
  if (!mean || !scale || !self.steps || !self.dirs || !self.n || !self.after || !self.scratch) goto out;
  for (int32_t i = 0; i < net->nslot; i++) self.n[i] = net->slot_start[i];
  out->one_way_running = -1;
  for (int32_t p = 0; p < out->nparts; p++) {
    const cme_part *const part = &out->parts[p];
    for (int32_t i = 0; i < part->nslot; i++) scale[i] = cme_slot_scale(net, part, part->slot[i]);
    totals_part(&self, part, scale, mean);
  }
  for (int32_t i = 0; i < net->nslot; i++) out->mean[i] = sum_get(&mean[i]);
  for (int32_t s = 0; s < net->nstep; s++) {
    out->dir_rate[2 * s] = sum_get(&self.dirs[2 * s]);
    out->dir_rate[2 * s + 1] = sum_get(&self.dirs[2 * s + 1]);
    out->net_rate[s] = sum_get(&self.steps[s].net);
    out->step_entropy[s] = self.steps[s].endless ? INFINITY : sum_get(&self.steps[s].entropy);
  }
  totals_work(net, self.steps, out);
  status = NESS_OK;
out:
  mem_free(mean);
  mem_free(scale);
  mem_free(self.steps);
  mem_free(self.dirs);
  mem_free(self.n);
  mem_free(self.after);
  mem_free(self.scratch);
  return status;
}
