/* Aggregates of a level by repeated pairwise matching: every state, in order, takes the free neighbour (or aggregate of
 * the pass before) with the largest flow relative to what leaves the two, so that strong connections end up inside and
 * the aggregates stay connected; after Notay, SIAM J. Sci. Comput. 34, A2288 (2012). Large levels are cut into a few
 * blocks of states that are matched side by side, each within itself. Invariant: the answer depends on the level alone.
 * Cost: one pass over the transitions for every halving. */
#include "engine/markov/levels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AGGREGATE_PASSES = 7, JOIN_MOST = 2, BLOCK_LEAST = 32768, BLOCKS_MOST = 8 };

typedef struct matching { /* of one block; its states are counted from 0 */
  const level *level;
  int32_t from, n;      /* the first state and how many */
  int32_t count;        /* aggregates so far */
  int32_t *of;          /* (n) */
  int32_t *head, *next; /* (n) states of an aggregate as a list */
  int32_t *partner;     /* (count) merged with, -1 free */
  double *hold;         /* (count) one over about what leaves it */
  double *flow;         /* (count) into the one that is looked at, 0 else */
  int32_t *seen;        /* (count) those with a flow */
  int32_t *waiting;     /* (count) one that found nothing and has this neighbour, -1 none */
  uint8_t *joined;      /* (count) that came to a pair */
} matching;

/* Flows into aggregate a by their origin; how many origins. */
static int32_t matching_flows(matching *self, int32_t a)
{
  const level *l = self->level;
  int32_t count = 0;
  for (int32_t k = self->head[a]; k >= 0; k = self->next[k]) {
    const int32_t j = self->from + k;
    const double in = l->in[j];
    for (int64_t e = l->side[0].start[j]; e < l->side[0].start[j + 1]; e++) {
      const uint32_t i = (uint32_t)(l->side[0].to[e] - self->from);
      if (i >= (uint32_t)self->n) continue;
      const int32_t b = self->of[i];
      if (b == a) continue;
      if (self->flow[b] == 0) self->seen[count++] = b;
      self->flow[b] += (double)l->side[0].value[e] * in;
    }
  }
  return count;
}

/* The strongest neighbour, a free one if there is any. */
static int32_t matching_best(const matching *self, int32_t a, int32_t count, bool taken)
{
  int32_t best = -1;
  double most = 0;
  for (int32_t k = 0; k < count; k++) {
    const int32_t b = self->seen[k];
    if (!taken && self->partner[b] >= 0) continue;
    const double strength = self->flow[b] * (self->hold[a] + self->hold[b]);
    if (strength > most || best < 0) {
      most = strength;
      best = b;
    }
  }
  return best;
}

/* What found no free neighbour joins the pair of its strongest, and when many did, goes with another that waits there:
 * the leaves of a hub end up in twos and threes. */
static void matching_join(matching *self, int32_t a, int32_t count)
{
  const int32_t b = matching_best(self, a, count, true), root = self->partner[b];
  if (self->joined[root] < JOIN_MOST) {
    self->joined[root] += 1;
    self->partner[a] = root; /* the root of a pair is its own partner */
  } else if (self->waiting[root] < 0) {
    self->waiting[root] = a;
  } else {
    self->partner[a] = self->partner[self->waiting[root]] = self->waiting[root];
    self->waiting[root] = -1;
  }
}

/* One pass: pairs, and with `join` what was left over. */
static void matching_pass(matching *self, bool join)
{
  for (int32_t a = 0; a < self->count; a++) {
    self->partner[a] = self->waiting[a] = -1;
    self->joined[a] = 0;
  }
  for (int32_t a = 0; a < self->count; a++) {
    if (self->partner[a] >= 0) continue;
    const int32_t count = matching_flows(self, a), b = matching_best(self, a, count, false);
    if (b >= 0) {
      self->partner[b] = self->partner[a] = a;
      const double out = 1 / self->hold[a];
      self->hold[a] = 1 / fmax(out + 1 / self->hold[b] - 2 * self->flow[b], 0.01 * out);
    } else if (join && count > 0) {
      matching_join(self, a, count);
    }
    for (int32_t k = 0; k < count; k++) self->flow[self->seen[k]] = 0;
  }
}

/* Numbers the merged aggregates by their lowest state. */
static void matching_merge(matching *self)
{
  const int32_t n = self->n;
  int32_t *const fresh = self->seen;
  for (int32_t a = 0; a < self->count; a++) fresh[a] = -1;
  int32_t count = 0;
  for (int32_t j = 0; j < n; j++) {
    const int32_t a = self->of[j], root = self->partner[a] >= 0 ? self->partner[a] : a;
    if (fresh[root] < 0) fresh[root] = count++;
    self->of[j] = fresh[root];
  }
  for (int32_t a = 0; a < self->count; a++) self->flow[a] = self->hold[a];
  for (int32_t a = 0; a < self->count; a++) {
    if (fresh[a] >= 0) self->hold[fresh[a]] = self->flow[a];
  }
  for (int32_t a = 0; a < self->count; a++) self->flow[a] = 0;
  self->count = count;
  for (int32_t a = 0; a < count; a++) self->head[a] = -1;
  for (int32_t j = n - 1; j >= 0; j--) {
    self->next[j] = self->head[self->of[j]];
    self->head[self->of[j]] = j;
  }
}

static bool matching_take(matching *self)
{
  const size_t room = (size_t)self->n + 1;
  self->head = mem_alloc(room * sizeof *self->head);
  self->next = mem_alloc(room * sizeof *self->next);
  self->partner = mem_alloc(room * sizeof *self->partner);
  self->seen = mem_alloc(room * sizeof *self->seen);
  self->waiting = mem_alloc(room * sizeof *self->waiting);
  self->joined = mem_alloc(room * sizeof *self->joined);
  self->hold = mem_alloc(room * sizeof *self->hold);
  self->flow = mem_zero(room, sizeof *self->flow);
  return self->head && self->next && self->partner && self->seen && self->waiting && self->joined && self->hold &&
         self->flow;
}

static void matching_free(matching *self)
{
  mem_free(self->head);
  mem_free(self->next);
  mem_free(self->partner);
  mem_free(self->seen);
  mem_free(self->waiting);
  mem_free(self->joined);
  mem_free(self->hold);
  mem_free(self->flow);
}

/* The aggregates of a block, numbered from 0; about `share` states each. */
static void matching_run(matching *self, int32_t share)
{
  for (int32_t j = 0; j < self->n; j++) {
    self->of[j] = self->head[j] = j;
    self->next[j] = -1;
    self->hold[j] = 1 / ((double)self->level->gain[self->from + j] * self->level->in[self->from + j]);
  }
  self->count = self->n;
  const int32_t target = self->n / share;
  for (int32_t pass = 0; pass < AGGREGATE_PASSES && !interrupt_pending(); pass++) {
    const int32_t before = self->count;
    matching_pass(self, pass > 0);
    matching_merge(self);
    if (self->count <= target + target / 4 || self->count == before) break;
  }
}

ness_status aggregate_find(const level *self, int32_t *coarse, int32_t *count)
{
  const int32_t n = self->n;
  /* Where states have many neighbours smoothing works well, and small aggregates would only fill the coarse levels. */
  const int32_t share = self->side[0].start[n] > 6 * (int64_t)n ? 32 : 4;
  const int32_t most = n / BLOCK_LEAST, blocks = most < 1 ? 1 : most > BLOCKS_MOST ? BLOCKS_MOST : most;
  int32_t found[BLOCKS_MOST] = {0}, failed = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(| : failed) if (blocks > 1)
  for (int32_t k = 0; k < blocks; k++) {
    const int32_t from = (int32_t)((int64_t)n * k / blocks), to = (int32_t)((int64_t)n * (k + 1) / blocks);
    matching m = {.level = self, .from = from, .n = to - from, .of = coarse + from};
    if (matching_take(&m)) matching_run(&m, share);
    else failed = 1;
    found[k] = m.count;
    matching_free(&m);
  }
  if (failed) return NESS_NOMEM;
  if (interrupt_pending()) return NESS_INTERRUPTED;
  *count = found[0];
  for (int32_t k = 1; k < blocks; k++) {
    const int32_t from = (int32_t)((int64_t)n * k / blocks), to = (int32_t)((int64_t)n * (k + 1) / blocks);
    for (int32_t j = from; j < to; j++) coarse[j] += *count;
    *count += found[k];
  }
  return NESS_OK;
}
