/* Aggregates of a level by repeated pairwise matching: every state, in order, takes the free neighbour (or aggregate of
 * the pass before) with the largest flow relative to what leaves the two, so that strong connections end up inside and
 * the aggregates stay connected; after Notay, SIAM J. Sci. Comput. 34, A2288 (2012). Invariant: the answer depends on
 * the level alone. Cost: one serial pass over the transitions for every halving. */
#include "engine/markov/levels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AGGREGATE_PASSES = 7, JOIN_MOST = 2 };

typedef struct matching {
  const level *level;
  int32_t count;        /* aggregates so far */
  int32_t *of;          /* (n) */
  int32_t *head, *next; /* (n) states of an aggregate as a list */
  int32_t *partner;     /* (count) merged with, -1 free */
  double *out;          /* (count) about what leaves it */
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
  for (int32_t j = self->head[a]; j >= 0; j = self->next[j]) {
    for (int64_t e = l->side[0].start[j]; e < l->side[0].start[j + 1]; e++) {
      const int32_t b = self->of[l->side[0].to[e]];
      if (b == a) continue;
      if (self->flow[b] == 0) self->seen[count++] = b;
      self->flow[b] += (double)l->side[0].value[e] * l->in[j];
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
    const double strength = self->flow[b] / self->out[a] + self->flow[b] / self->out[b];
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
      self->out[a] = fmax(self->out[a] + self->out[b] - 2 * self->flow[b], 0.01 * self->out[a]);
    } else if (join && count > 0) {
      matching_join(self, a, count);
    }
    for (int32_t k = 0; k < count; k++) self->flow[self->seen[k]] = 0;
  }
}

/* Numbers the merged aggregates by their lowest state. */
static void matching_merge(matching *self)
{
  const int32_t n = self->level->n;
  int32_t *const fresh = self->seen;
  for (int32_t a = 0; a < self->count; a++) fresh[a] = -1;
  int32_t count = 0;
  for (int32_t j = 0; j < n; j++) {
    const int32_t a = self->of[j], root = self->partner[a] >= 0 ? self->partner[a] : a;
    if (fresh[root] < 0) fresh[root] = count++;
    self->of[j] = fresh[root];
  }
  for (int32_t a = 0; a < self->count; a++) self->flow[a] = self->out[a];
  for (int32_t a = 0; a < self->count; a++) {
    if (fresh[a] >= 0) self->out[fresh[a]] = self->flow[a];
  }
  for (int32_t a = 0; a < self->count; a++) self->flow[a] = 0;
  self->count = count;
  for (int32_t a = 0; a < count; a++) self->head[a] = -1;
  for (int32_t j = n - 1; j >= 0; j--) {
    self->next[j] = self->head[self->of[j]];
    self->head[self->of[j]] = j;
  }
}

ness_status aggregate_find(const level *self, int32_t *coarse, int32_t *count)
{
  const int32_t n = self->n;
  const size_t room = (size_t)n + 1;
  ness_status status = NESS_NOMEM;
  matching m = {.level = self, .count = n, .of = coarse};
  m.head = mem_alloc(room * sizeof *m.head);
  m.next = mem_alloc(room * sizeof *m.next);
  m.partner = mem_alloc(room * sizeof *m.partner);
  m.seen = mem_alloc(room * sizeof *m.seen);
  m.waiting = mem_alloc(room * sizeof *m.waiting);
  m.joined = mem_alloc(room * sizeof *m.joined);
  m.out = mem_alloc(room * sizeof *m.out);
  m.flow = mem_zero(room, sizeof *m.flow);
  if (!m.head || !m.next || !m.partner || !m.seen || !m.waiting || !m.joined || !m.out || !m.flow) goto out;
  for (int32_t j = 0; j < n; j++) {
    m.of[j] = m.head[j] = j;
    m.next[j] = -1;
    m.out[j] = (double)self->gain[j] * self->in[j];
  }
  const double degree = (double)self->side[0].start[n] / n;
  /* Where states have many neighbours smoothing works well, and small aggregates would only fill the coarse levels. */
  const int32_t target = degree > 6 ? n / 32 : n / 4;
  for (int32_t pass = 0, before = n; pass < AGGREGATE_PASSES; pass++) {
    if (interrupt_pending()) {
      status = NESS_INTERRUPTED;
      goto out;
    }
    matching_pass(&m, pass > 0);
    matching_merge(&m);
    if (m.count <= target + target / 4 || m.count == before) break;
    before = m.count;
  }
  *count = m.count;
  status = NESS_OK;
out:
  mem_free(m.head);
  mem_free(m.next);
  mem_free(m.partner);
  mem_free(m.seen);
  mem_free(m.waiting);
  mem_free(m.joined);
  mem_free(m.out);
  mem_free(m.flow);
  return status;
}
