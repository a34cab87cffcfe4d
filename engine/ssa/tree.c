/* The direct method (Gillespie 1977, doi:10.1021/j100540a008) with a dependency graph (Gibson & Bruck 2000,
 * doi:10.1021/jp993732q): propensities of all open directions in one flat array, and above it sums of eight, sums of
 * eight of those, up to a last eight whose sum is the total.
 * Invariant: between events every number in the tree is a function of the counts alone, by sums of a fixed shape. There
 * is no running total, so nothing drifts, and a state that is loaded has the same bits as one that was reached. A leaf
 * of propensity zero is never selected, however the sums round. Cost of an event: two draws, the propensities and the
 * sums that the step touches, a descent of log8(directions). */
#include "engine/ssa/kernel.h"
#include "engine/ssa/rate.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FAN 8
#define FAN_BITS 3
#define LEVELS_MAX 12 /* 8^11 > 2^32 */

#if defined(__GNUC__)
#define TREE_INLINE static inline __attribute__((always_inline))
#else
#define TREE_INLINE static inline
#endif

/* What firing an open direction does: ranges in change, dep and sum. */
typedef struct tree_event {
  int32_t change_start, change_end;
  int32_t dep_start, dep_end;
  int32_t sum_start, sum_end;
  int32_t count;   /* index in fwd:bwd */
  int32_t reverse; /* leaf of the way back when the step is reversible with a tape, else -1 */
} tree_event;

typedef struct tree_change {
  int32_t slot, by;
} tree_change;

typedef struct tree_sum {
  int32_t to, from; /* node `to` is the sum of the eight nodes at `from` */
} tree_sum;

typedef struct tree_work {
  int32_t leaves;           /* open directions, in order of their ids */
  int32_t levels;           /* of groups of eight */
  bool plain;               /* all rates QUAD and no tape entropy */
  int32_t base[LEVELS_MAX]; /* (levels) first node of a level; level 0 are the leaves */
  double *node;             /* (nodes) padded with zeros to whole groups */
  rate_law *rate;           /* (leaves) */
  tree_event *event;        /* (leaves) */
  tree_change *change;
  quad_law *dep;   /* rates to compute anew */
  tree_sum *sum;   /* sums to compute anew, lower levels first */
  double *scratch; /* (tape_max) */
} tree_work;

/* --- the tree --- */

TREE_INLINE double group_sum(const double *x)
{
  return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

/* The child in which the point *x of a group of positive sum falls, and the point within it. A child of zero is never
 * entered, and a point that rounding left behind the end goes to the last positive child. */
TREE_INLINE int32_t group_pick(const double *x, double *point)
{
  double p = *point;
  int32_t at = 0;
  while (p >= x[at]) {
    p -= x[at];
    if (++at == FAN) {
      for (at = FAN - 1; !(x[at] > 0); at--) {
      }
      break;
    }
  }
  *point = p;
  return at;
}

TREE_INLINE int32_t tree_pick(const double *node, const int32_t *base, int32_t levels, double point)
{
  int32_t at = 0;
  for (int32_t level = levels - 1; level >= 0; level--) {
    at = at * FAN + group_pick(node + base[level] + (ptrdiff_t)at * FAN, &point);
  }
  return at;
}

/* --- compiling --- */

/* Lays the parts out behind the work's own head; with base NULL it only measures. SIZE_MAX when they do not fit. */
static size_t work_layout(const ness_network *net, char *base, tree_work *w)
{
  carve memory = {base, 0, false};
  size_t nodes = 0, leaves = 0;
  int32_t levels = 0;
  carve_take(&memory, 1, sizeof *w);
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    leaves += rate_open(net, dir);
  }
  for (size_t width = leaves;; width = (width + FAN - 1) / FAN) {
    w->base[levels++] = (int32_t)nodes;
    nodes += width ? (width + FAN - 1) / FAN * FAN : FAN;
    if (nodes > INT32_MAX || levels == LEVELS_MAX) {
      return SIZE_MAX;
    }
    if (width <= FAN) {
      break;
    }
  }
  const size_t sums = (size_t)net->ndep * (size_t)(levels - 1);
  w->leaves = (int32_t)leaves;
  w->levels = levels;
  w->node = carve_take(&memory, nodes, sizeof *w->node);
  w->rate = carve_take(&memory, leaves, sizeof *w->rate);
  w->event = carve_take(&memory, leaves, sizeof *w->event);
  w->change = carve_take(&memory, 2 * (size_t)net->nchange, sizeof *w->change);
  w->dep = carve_take(&memory, (size_t)net->ndep, sizeof *w->dep);
  w->sum = carve_take(&memory, sums, sizeof *w->sum);
  w->scratch = carve_take(&memory, (size_t)net->tape_max, sizeof *w->scratch);
  return memory.failed || sums > INT32_MAX ? SIZE_MAX : memory.end;
}

static size_t tree_size(const ness_network *net)
{
  tree_work measured;
  return work_layout(net, NULL, &measured);
}

/* The sums above the leaves dep_start ... dep_end, level by level, each once. Returns their end. */
static int32_t sums_compile(tree_work *w, int32_t dep_start, int32_t dep_end, int32_t sum_start)
{
  int32_t end = sum_start;
  for (int32_t level = 1; level < w->levels; level++) {
    const int32_t level_start = end;
    for (int32_t i = dep_start; i < dep_end; i++) {
      const int32_t at = w->dep[i].leaf >> (FAN_BITS * level);
      const tree_sum sum = {w->base[level] + at, w->base[level - 1] + at * FAN};
      int32_t j = end - 1; /* deps come in ascending order, so a repeat is the newest */
      while (j >= level_start && w->sum[j].to > sum.to) {
        j--;
      }
      if (j < level_start || w->sum[j].to != sum.to) {
        w->sum[end++] = sum;
      }
    }
  }
  return end;
}

static void tree_start(void *work, const ness_network *net)
{
  tree_work *w = work;
  work_layout(net, work, w);
  w->plain = true;
  int32_t leaf = 0, change = 0, dep = 0, sum = 0;
  for (int32_t step = 0; step < net->nstep; step++) {
    const bool open[2] = {rate_open(net, 2 * step), rate_open(net, 2 * step + 1)};
    const bool tape = net->dir_law[2 * step] == LAW_TAPE || net->dir_law[2 * step + 1] == LAW_TAPE;
    for (int32_t way = 0; way < 2; way++) {
      if (!open[way]) {
        continue;
      }
      tree_event *event = &w->event[leaf];
      w->rate[leaf] = rate_compile(net, 2 * step + way, leaf);
      event->change_start = change;
      for (int32_t i = net->change_start[step]; i < net->change_start[step + 1]; i++) {
        w->change[change++] = (tree_change){net->change_slot[i], way ? -net->change_by[i] : net->change_by[i]};
      }
      event->change_end = change;
      event->count = step + (way ? net->nstep : 0);
      event->reverse = tape && open[0] && open[1] ? leaf + 1 - 2 * way : -1;
      w->plain = w->plain && w->rate[leaf].quad.kind == RATE_QUAD && event->reverse < 0;
      leaf++;
    }
  }
  /* Leaves are in the order of directions, so a binary search finds the leaf of a direction. */
  leaf = 0;
  for (int32_t step = 0; step < net->nstep; step++) {
    const int32_t dep_start = dep, sum_start = sum;
    if (leaf == w->leaves || w->rate[leaf].dir / 2 != step) {
      continue;
    }
    for (int32_t i = net->dep_start[step]; i < net->dep_start[step + 1]; i++) {
      int32_t low = 0, high = w->leaves;
      while (low < high) {
        const int32_t mid = low + (high - low) / 2;
        if (w->rate[mid].dir < net->dep_dir[i]) {
          low = mid + 1;
        } else {
          high = mid;
        }
      }
      if (low < w->leaves && w->rate[low].dir == net->dep_dir[i]) {
        w->dep[dep++] = w->rate[low].quad;
      }
    }
    sum = sums_compile(w, dep_start, dep, sum);
    for (; leaf < w->leaves && w->rate[leaf].dir / 2 == step; leaf++) {
      w->event[leaf].dep_start = dep_start;
      w->event[leaf].dep_end = dep;
      w->event[leaf].sum_start = sum_start;
      w->event[leaf].sum_end = sum;
    }
  }
}

static void tree_load(ssa_replica *self, const ness_network *net)
{
  tree_work *w = self->work;
  for (int32_t i = 0; i < w->leaves; i++) {
    w->node[i] = rate_any(&w->rate[i], net, self->n, w->scratch);
  }
  int32_t width = w->leaves;
  for (int32_t level = 1; level < w->levels; level++) {
    width = (width + FAN - 1) / FAN;
    for (int32_t i = 0; i < width; i++) {
      w->node[w->base[level] + i] = group_sum(w->node + w->base[level - 1] + (ptrdiff_t)i * FAN);
    }
  }
}

/* --- advancing --- */

/* No total to draw from: nothing is open, or a rate is bad. */
static ssa_pause tree_stuck(ssa_replica *self, const tree_work *w, double total, double t_stop, int32_t *bad_dir)
{
  if (total == 0) {
    if (t_stop < INFINITY) {
      self->t = self->t_event = t_stop;
    }
    return SSA_ABSORBED;
  }
  int32_t largest = 0;
  for (int32_t i = 0; i < w->leaves; i++) {
    if (!(w->node[i] >= 0 && w->node[i] <= DBL_MAX)) {
      *bad_dir = w->rate[i].dir;
      return SSA_BAD_RATE;
    }
    largest = w->node[i] > w->node[largest] ? i : largest;
  }
  *bad_dir = w->rate[largest].dir; /* each is finite, their sum is not */
  return SSA_BAD_RATE;
}

/* One body, compiled for all networks and for those with plain rates. Generator and time live in registers; everything
 * else is touched where the event reaches. What bounds the speed is the chain from a mispredicted choice over counts,
 * rates and sums to the next choice, so it is kept short. */
TREE_INLINE ssa_pause tree_run(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                               ssa_record *record, int32_t *bad_dir, bool plain)
{
  const tree_work *const w = self->work;
  const tree_event *const events = w->event;
  const tree_change *const changes = w->change;
  const quad_law *const deps = w->dep;
  const tree_sum *const sums = w->sum;
  const int32_t *const base = w->base, levels = w->levels;
  double *const node = w->node;
  const double *const top = node + base[levels - 1];
  int64_t *const n = self->n, *const count = self->fwd;
  ssa_slot *const slots = self->slot;
  const double horizon = fmin(t_stop, DBL_MAX);
  const int64_t last = max_events > 0 ? max_events : INT64_MAX;
  rng_stream rng = self->rng;
  uint64_t before_hi = self->rng_event.hi, before_lo = self->rng_event.lo;
  double t = self->t_event, t_next = self->t_next;
  double total = group_sum(top);
  bool pending = self->pending;
  int64_t fired = 0;
  ssa_pause pause;

  for (;;) {
    if (!pending) {
      if (!(total > 0 && total <= DBL_MAX)) {
        self->t = self->t_event = t;
        pause = tree_stuck(self, w, total, t_stop, bad_dir);
        break;
      }
      before_hi = rng.hi;
      before_lo = rng.lo;
      t_next = t + rng_exp(&rng) / total;
    }
    pending = t_next > horizon;
    if (pending) {
      self->t = t_stop < INFINITY ? t_stop : t;
      self->t_event = t;
      pause = t_stop < INFINITY ? SSA_AT_TIME : SSA_ABSORBED; /* rates so small that the wait has no number */
      break;
    }
    t = t_next;
    const double point = rng_double(&rng) * total;
    const int32_t leaf = tree_pick(node, base, levels, point);
    const tree_event *const event = &events[leaf];
    const double rate = plain ? 0 : node[leaf];
    for (int32_t i = event->change_start; i < event->change_end; i++) {
      slot_change(&slots[changes[i].slot], &n[changes[i].slot], changes[i].by, t);
    }
    for (int32_t i = event->dep_start; i < event->dep_end; i++) {
      const quad_law *const dep = &deps[i];
      node[dep->leaf] =
          plain || dep->kind == RATE_QUAD ? rate_quad(dep, n) : rate_any(&w->rate[dep->leaf], net, n, w->scratch);
    }
    for (int32_t i = event->sum_start; i < event->sum_end; i++) {
      node[sums[i].to] = group_sum(node + sums[i].from);
    }
    total = group_sum(top);
    count[event->count]++;
    fired++;
    if (!plain && event->reverse >= 0) {
      self->tape_entropy += rng_ln(rate / node[event->reverse]);
    }
    if (record) {
      record->time[record->rows] = t;
      record->dir[record->rows++] = w->rate[leaf].dir;
    }
    if (fired == last || (record && record->rows == record->capacity)) {
      self->t = self->t_event = t;
      pause = fired == last ? SSA_AT_EVENTS : SSA_RECORD_FULL;
      break;
    }
  }
  self->rng = rng;
  self->rng_event = (rng_stream){before_hi, before_lo, rng.inc_hi, rng.inc_lo};
  self->t_next = t_next;
  self->pending = pending;
  self->events += fired;
  return pause;
}

static ssa_pause tree_advance(ssa_replica *self, const ness_network *net, double t_stop, int64_t max_events,
                              ssa_record *record, int32_t *bad_dir)
{
  const tree_work *const w = self->work;
  return w->plain ? tree_run(self, net, t_stop, max_events, record, bad_dir, true)
                  : tree_run(self, net, t_stop, max_events, record, bad_dir, false);
}

const ssa_kernel ssa_kernel_tree = {"direct",  "tree of sums", tree_size, tree_start,
                                    tree_load, tree_advance,   false,     false};
