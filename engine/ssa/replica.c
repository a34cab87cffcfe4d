/* A replica and what it counts: one aligned allocation, start, checkpoint, and the integrals of the counts.
 * Invariant: n[nslot] == 1; every slot's integrals are those of counted time up to its `since`; without a pending draw
 * (t_event, n, rng) is the whole state of the law, with one it is (t_event, n, rng_event).
 * The integrals are lazy: a slot's term n (t - since) is added when its count changes, so an event costs as much as
 * it changes. Settling and clearing cost O(nslot), a start or load O(directions). */
#include "engine/ssa/kernel.h"
#include "engine/ssa/rate.h"
#include "engine/ssa/small.h"

#include <math.h>
#include <string.h>

enum { OPEN_MANY = 512 };
#define LN2 0x1.62e42fefa39efp-1

/* Whether composition and rejection is the faster way, as measured (bench_ssa). By the number of open directions alone,
 * so that the bits follow from the model and the seed. */
static bool open_many(const ness_network *net)
{
  int32_t open = 0;
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    open += rate_open(net, dir);
  }
  return open >= OPEN_MANY;
}

const ssa_kernel *ssa_kernel_find(const char *name, const ness_network *net)
{
  static const ssa_kernel *const named[] = {&ssa_kernel_composition, &ssa_kernel_batch, &ssa_kernel_tau,
                                            &ssa_kernel_jumps};
  const bool direct = name && strcmp(name, ssa_kernel_tree.name) == 0;
  for (size_t i = 0; name && !direct && i < sizeof named / sizeof named[0]; i++) {
    if (strcmp(name, named[i]->name) == 0) {
      return named[i];
    }
  }
  if (name && !direct) {
    return NULL;
  }
  if (small_fits(net)) {
    return &ssa_kernel_small;
  }
  return direct || !open_many(net) ? &ssa_kernel_tree : &ssa_kernel_composition;
}

const char *ssa_kernel_name(const ssa_kernel *kernel)
{
  return kernel->name;
}

const char *ssa_kernel_form(const ssa_kernel *kernel)
{
  return kernel->form;
}

/* The parts of a replica, laid into memory or only measured. */
static size_t replica_layout(ssa_replica *self, char *base, const ness_network *net, const ssa_kernel *kernel)
{
  carve memory = {base, 0, false};
  self->n = carve_take(&memory, (size_t)net->nslot + 1, sizeof *self->n);
  self->fwd = carve_take(&memory, 2 * (size_t)net->nstep, sizeof *self->fwd);
  self->bwd = base ? self->fwd + net->nstep : NULL;
  self->slot = carve_take(&memory, (size_t)net->nslot, sizeof *self->slot);
  self->work = carve_take(&memory, kernel->size(net), 1);
  return memory.failed ? SIZE_MAX : memory.end;
}

size_t ssa_replica_bytes(const ness_network *net, const ssa_kernel *kernel)
{
  ssa_replica measured;
  return replica_layout(&measured, NULL, net, kernel);
}

ness_status ssa_replica_init(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel)
{
  memset(self, 0, sizeof *self);
  const size_t bytes = ssa_replica_bytes(net, kernel);
  char *base = bytes < SIZE_MAX ? carve_block(bytes, &self->block) : NULL;
  if (!base) {
    return NESS_NOMEM;
  }
  replica_layout(self, base, net, kernel);
  self->epsilon = SSA_EPSILON;
  kernel->start(self->work, net);
  return NESS_OK;
}

void ssa_replica_free(ssa_replica *self)
{
  mem_free(self->block);
  memset(self, 0, sizeof *self);
}

static void replica_begin(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel, double t,
                          const int64_t *n)
{
  self->t = self->t_event = t;
  self->pending = false;
  memcpy(self->n, n, (size_t)net->nslot * sizeof *n);
  self->n[net->nslot] = 1;
  ssa_clear(self, net);
  kernel->load(self, net);
}

void ssa_replica_start(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel, uint64_t seed,
                       int64_t index)
{
  rng_init(&self->rng, seed, (uint32_t)index, 0);
  replica_begin(self, net, kernel, 0, net->slot_start);
}

bool ssa_replica_load(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel, double t, const int64_t *n,
                      const uint64_t rng[4])
{
  if (rng_load(&self->rng, rng) != 0) {
    return false;
  }
  replica_begin(self, net, kernel, t, n);
  return true;
}

void ssa_clear(ssa_replica *self, const ness_network *net)
{
  self->events = 0;
  self->counted = self->tape_entropy = 0;
  self->ratio = (ssa_ratio){1, 1, 0};
  self->settled = self->t;
  memset(self->fwd, 0, 2 * (size_t)net->nstep * sizeof *self->fwd); /* bwd lies behind fwd */
  for (int32_t i = 0; i < net->nslot; i++) {
    self->slot[i] = (ssa_slot){self->t, 0, 0};
  }
}

void ssa_settle(ssa_replica *self, const ness_network *net)
{
  const double t = self->t;
  self->counted += t - self->settled;
  self->settled = t;
  self->tape_entropy += rng_ln(self->ratio.up / self->ratio.down) + (double)self->ratio.power * LN2;
  self->ratio = (ssa_ratio){1, 1, 0};
  for (int32_t i = 0; i < net->nslot; i++) {
    ssa_slot *slot = &self->slot[i];
    const double n = (double)self->n[i], area = n * (t - slot->since);
    slot->dwell += area;
    slot->dwell2 += n * area;
    slot->since = t;
  }
}

ssa_pause ssa_advance(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel, double t_stop,
                      int64_t max_events, ssa_record *record, int32_t *bad_dir)
{
  *bad_dir = -1;
  if (record && record->rows >= record->capacity) {
    return SSA_RECORD_FULL;
  }
  return kernel->advance(self, net, fmax(t_stop, self->t), max_events, record, bad_dir);
}

void ssa_checkpoint(const ssa_replica *self, double *t, uint64_t rng[4])
{
  *t = self->pending ? self->t_event : self->t;
  rng_save(self->pending ? &self->rng_event : &self->rng, rng);
}

void ssa_rebase(ssa_replica *self, const ness_network *net, const ssa_kernel *kernel)
{
  self->pending = false;
  self->t_event = self->t;
  kernel->load(self, net);
}
