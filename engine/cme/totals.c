/* Sums over the steady state: rates, moments, work of every source, entropy production, and how well they close. A
 * step's two directions are always taken together, by their net current (currents.c; Schnakenberg, Rev. Mod. Phys. 48,
 * 571 (1976)). The work that the file does not declare is in the work list of a reversible mass-action step; for rates
 * given by tapes it is what entropy and free energy leave over: sum J (entropy + dG) - declared. Invariant: everything
 * is summed with compensation, so the closure measures the network's bookkeeping and not the sums. Cost: linear in the
 * transitions. */
#include "engine/cme/space.h"
#include "engine/cme/sum.h"
#include <math.h>

typedef struct step_sums {
  cme_sum net, entropy, internal;
  bool endless; /* a one-way event of the step runs */
} step_sums;

static void totals_edge(const ness_network *net, const cme_part *part, int64_t e, const int64_t *n, step_sums *steps,
                        cme_sum *dirs)
{
  const cme_edge *const edge = &part->edge[e];
  const double copies = part->scale, flow = copies * part->p[edge->from] * edge->rate;
  sum_add(&dirs[edge->dir], flow);
  const int32_t id = edge->dir / 2;
  const int way = edge->dir % 2 ? -1 : 1;
  if (way < 0 && edge->back >= 0) return; /* the forward edge speaks for both */
  const double current = copies * part->current[e];
  step_sums *const step = &steps[id];
  sum_add(&step->net, way * current);
  if (current != 0) sum_add(&step->internal, current * network_free_energy_change(net, id, way, n));
  if (current != 0 && isfinite(edge->entropy)) sum_add(&step->entropy, current * edge->entropy);
  else if (flow > 0 && !isfinite(edge->entropy)) step->endless = true;
}

static void totals_part(const ness_network *net, const cme_part *part, int64_t *n, step_sums *steps, cme_sum *dirs,
                        double *mean)
{
  for (int32_t s = 0; s < part->nstate; s++) {
    const int64_t *const count = part->count + (int64_t)s * part->nslot;
    for (int32_t i = 0; i < part->nslot; i++) {
      n[part->slot[i]] = count[i];
      mean[part->slot[i]] += part->scale * part->p[s] * (double)count[i];
    }
    for (int64_t e = part->edge_start[s]; e < part->edge_start[s + 1]; e++) {
      totals_edge(net, part, e, n, steps, dirs);
    }
  }
}

/* Work of every source from the net rates, then entropy and closure. */
static void totals_work(const ness_network *net, const step_sums *steps, cme_solution *out)
{
  const int32_t undeclared = network_sources(net) - 1;
  cme_sum entropy = {0, 0}, internal = {0, 0}, closure = {0, 0};
  for (int32_t s = 0; s < net->nstep; s++) {
    const double rate = out->net_rate[s];
    const bool tape = net->dir_law[2 * s] == LAW_TAPE || net->dir_law[2 * s + 1] == LAW_TAPE;
    const double change = sum_get(&steps[s].internal);
    cme_sum declared = {0, 0}, rest = {0, 0};
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
  step_sums *const steps = mem_zero(nstep + 1, sizeof *steps);
  cme_sum *const dirs = mem_zero(2 * nstep + 1, sizeof *dirs);
  int64_t *const n = mem_zero(nslot + 1, sizeof *n);
  if (!steps || !dirs || !n) goto out;
  for (int32_t i = 0; i < net->nslot; i++) n[i] = net->slot_start[i];
  out->one_way_running = -1;
  for (int32_t p = 0; p < out->nparts; p++) totals_part(net, &out->parts[p], n, steps, dirs, out->mean);
  for (int32_t s = 0; s < net->nstep; s++) {
    out->dir_rate[2 * s] = sum_get(&dirs[2 * s]);
    out->dir_rate[2 * s + 1] = sum_get(&dirs[2 * s + 1]);
    out->net_rate[s] = sum_get(&steps[s].net);
    out->step_entropy[s] = steps[s].endless ? INFINITY : sum_get(&steps[s].entropy);
  }
  totals_work(net, steps, out);
  status = NESS_OK;
out:
  mem_free(steps);
  mem_free(dirs);
  mem_free(n);
  return status;
}
