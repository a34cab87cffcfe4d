/* The result of an ensemble: replicas folded into batches.
 * Invariant: a batch is a sum over its replicas in their order, and a replica a sum over its chunks in theirs, so the
 * bits depend on neither threads nor pauses. Grid moments are summed as integers and become doubles once, at the end.
 * Cost: O(nslot + nstep) a replica. */
#include "engine/ssa/ensemble.h"

#include <string.h>

ness_status ssa_result_init(ssa_result *self, const ssa_plan *plan)
{
  const size_t batches = (size_t)(plan->replicas < SSA_BATCHES ? plan->replicas : SSA_BATCHES);
  const size_t slots = (size_t)plan->net->nslot, steps = (size_t)plan->net->nstep, grids = (size_t)plan->grids;
  const size_t rows = grids * (size_t)plan->grid_batches;
  size_t batch_steps, batch_slots, grid_slots;
  memset(self, 0, sizeof *self);
  if (!size_mul(batches, steps, &batch_steps) || !size_mul(batches, slots, &batch_slots) ||
      !size_mul(rows, slots, &grid_slots)) {
    return NESS_NOMEM;
  }
  self->method = ssa_kernel_name(plan->kernel);
  self->epsilon = plan->epsilon;
  self->form = ssa_kernel_form(plan->kernel);
  self->replica_bytes = ssa_replica_bytes(plan->net, plan->kernel);
  self->batches = (int32_t)batches;
  self->replicas = plan->replicas;
  bool fine = (self->counted = mem_zero(batches, sizeof(double))) != NULL;
  fine = fine && (self->fwd = mem_zero(batch_steps + 1, sizeof(double)));
  fine = fine && (self->bwd = mem_zero(batch_steps + 1, sizeof(double)));
  fine = fine && (self->dwell = mem_zero(batch_slots + 1, sizeof(double)));
  fine = fine && (self->dwell2 = mem_zero(batch_slots + 1, sizeof(double)));
  fine = fine && (self->tape_entropy = mem_zero(batches, sizeof(double)));
  fine = fine && (self->free_energy = mem_zero(batches, sizeof(double)));
  if (grids > 0) {
    self->ngrid = (int32_t)grids;
    self->grid_batches = (int32_t)plan->grid_batches;
    fine = fine && (self->grid_time = mem_zero(grids, sizeof(double)));
    fine = fine && (self->grid_replicas = mem_zero(rows, sizeof(int64_t)));
    fine = fine && (self->grid_sum = mem_zero(grid_slots + 1, sizeof(double)));
    fine = fine && (self->grid_sum2 = mem_zero(grid_slots + 1, sizeof(double)));
  }
  return fine ? NESS_OK : NESS_NOMEM;
}

void ssa_result_free(ssa_result *self)
{
  mem_free(self->counted);
  mem_free(self->fwd);
  mem_free(self->bwd);
  mem_free(self->dwell);
  mem_free(self->dwell2);
  mem_free(self->tape_entropy);
  mem_free(self->free_energy);
  mem_free(self->grid_time);
  mem_free(self->grid_replicas);
  mem_free(self->grid_sum);
  mem_free(self->grid_sum2);
  memset(self, 0, sizeof *self);
}

/* floor(replica * batches / replicas): below 2^38, so no overflow. */
void ssa_result_fold(ssa_result *self, const ssa_plan *plan, const ssa_lane *lane)
{
  const ness_network *net = plan->net;
  const int64_t batch = lane->index * self->batches / self->replicas;
  double *fwd = self->fwd + batch * net->nstep, *bwd = self->bwd + batch * net->nstep;
  double *dwell = self->dwell + batch * net->nslot, *dwell2 = self->dwell2 + batch * net->nslot;
  for (int32_t i = 0; i < net->nstep; i++) {
    fwd[i] += (double)lane->fwd[i];
    bwd[i] += (double)lane->bwd[i];
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    dwell[i] += lane->dwell[i];
    dwell2[i] += lane->dwell2[i];
  }
  self->counted[batch] += lane->counted;
  self->tape_entropy[batch] += lane->tape_entropy;
  self->free_energy[batch] += network_free_energy(net, lane->n) - lane->energy_start;
  self->events += lane->events;
  self->absorbed += lane->stop == NESS_STOP_ABSORBED;
}

void ssa_result_grid(ssa_result *self, const ssa_plan *plan, const ssa_worker *worker, int32_t threads, int32_t seats)
{
  const int64_t slots = plan->net->nslot;
  for (int64_t k = 0; k < self->ngrid; k++) {
    self->grid_time[k] = ssa_plan_grid_time(plan, k + 1);
  }
  for (int64_t k = 0; k < (int64_t)self->ngrid * self->grid_batches; k++) {
    for (int32_t w = 0; w < threads * seats; w += seats) {
      self->grid_replicas[k] += worker[w].grid_replicas[k];
    }
    for (int64_t i = k * slots; i < (k + 1) * slots; i++) {
      ssa_grid_sum sum = {0, 0};
      for (int32_t w = 0; w < threads * seats; w += seats) {
        sum.n += worker[w].grid[i].n;
        sum.n2 += worker[w].grid[i].n2;
      }
      self->grid_sum[i] = (double)sum.n;
      self->grid_sum2[i] = (double)sum.n2;
    }
  }
}
