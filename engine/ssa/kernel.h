/* Inside the room: what a method of simulation has to offer. The table is entered once a burst, never once an event. */
#ifndef ENGINE_SSA_KERNEL_H
#define ENGINE_SSA_KERNEL_H

#include "engine/ssa/ssa.h"

/* Cuts one block into parts that each begin on a cache line, so that two threads share none. With base NULL it only
 * measures; `end` is then the size. A size that does not fit sets failed. */
typedef struct carve {
  char *base; /* aligned to CARVE_LINE */
  size_t end;
  bool failed;
} carve;

#define CARVE_LINE ((size_t)64)

static inline void *carve_take(carve *self, size_t count, size_t width)
{
  size_t bytes, end;
  if (!size_mul(count, width, &bytes) || !size_add(bytes, CARVE_LINE - 1, &bytes) ||
      !size_add(self->end, bytes & ~(CARVE_LINE - 1), &end) || end > SIZE_MAX / 4) {
    self->failed = true;
    return NULL;
  }
  void *part = self->base ? self->base + self->end : NULL;
  self->end = end;
  return part;
}

/* A zeroed block of `bytes` from a cache line on; *block is what mem_free takes. */
static inline char *carve_block(size_t bytes, void **block)
{
  *block = mem_zero(bytes + CARVE_LINE, 1);
  mem_huge(*block, *block ? bytes : 0);
  return *block ? (char *)*block + (CARVE_LINE - (uintptr_t)*block % CARVE_LINE) % CARVE_LINE : NULL;
}

/* The count of a slot changes at time t: its integrals come up to then. */
static inline void slot_change(ssa_slot *slot, int64_t *n, int32_t by, double t)
{
  const double x = (double)*n, area = x * (t - slot->since);
  *n += by;
  slot->dwell += area;
  slot->dwell2 += x * area;
  slot->since = t;
}

struct ssa_kernel {
  const char *name; /* of the method: the law and, for one network, the bits */
  const char *form; /* how it is carried out, for people */
  /* Bytes of work memory; SIZE_MAX when they do not fit. */
  size_t (*size)(const ness_network *net);
  /* Compiles the network into zeroed work memory, which begins on a cache line. */
  void (*start)(void *work, const ness_network *net);
  /* Takes over new counts, as after a load. */
  void (*load)(ssa_replica *self, const ness_network *net);
  ssa_pause (*advance)(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                       ssa_record *record, int32_t *bad_dir);
  /* Takes many events at once: it has no list of them, knows propensities by mass action alone, and may come back
   * early, between two leaps, with SSA_AT_EVENTS. */
  bool leaps;
  bool approximate; /* not exact in law, by the replica's epsilon */
};

/* The direct method for networks that small.h takes, and for all others; composition and rejection; exact
 * leaps of large populations, and of few states; leaps of frozen propensities. */
extern const ssa_kernel ssa_kernel_small, ssa_kernel_tree, ssa_kernel_composition, ssa_kernel_batch, ssa_kernel_jumps,
    ssa_kernel_tau;

/* Seconds between two cuts of a run from which on method "jumps" is faster than the direct one. 0: it does not take the
 * network; infinite: nothing ever happens; < 0: no memory. */
double jumps_span(const ness_network *net);

#endif
