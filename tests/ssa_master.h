/* The master equation of the simulation tests, as plainly as it can be written: every state that the start leads to, by
 * the rates of the oracle; probabilities at a time and their integrals up to it by uniformization (Jensen 1953), of
 * which every term is positive. It shares nothing with engine/cme, against which its moments are held. Counts beyond a
 * given most are outside, and what gets there must be next to nothing. Cost: states x directions x fastest rate x time.
 */
#ifndef NESS_TESTS_SSA_MASTER_H
#define NESS_TESTS_SSA_MASTER_H

#include "ssa_oracle.h"

enum { MASTER_STATES = 4096, MASTER_PLACES = 4 * MASTER_STATES };

typedef struct master {
  const ness_network *net;
  int states;
  int64_t *n;                               /* (states x nslot) */
  int *place;                               /* (MASTER_PLACES) states by their counts, -1 none */
  int *to;                                  /* (states x 2 nstep) state after, -1 outside */
  double *rate, *leave;                     /* (states x 2 nstep), (states) 1/s */
  double *p;                                /* (states) at the time */
  double fired[ORACLE_MAX];                 /* mean events up to the time */
  double area[ORACLE_MAX];                  /* mean integral of a count, s */
  double mean[ORACLE_MAX], var[ORACLE_MAX]; /* of a count at the time */
  double rates[ORACLE_MAX];                 /* mean rate at the time, 1/s */
} master;

static inline void *master_memory(size_t count, size_t width)
{
  void *const memory = calloc(count, width);
  if (!memory) abort();
  return memory;
}

/* Where the counts are, or the empty place where they belong. */
static inline int *master_place(const master *self, const int64_t *n)
{
  const int slots = self->net->nslot;
  uint64_t hash = 1;
  for (int i = 0; i < slots; i++) hash = (hash ^ (uint64_t)n[i]) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 31);
  for (uint64_t at = hash >> 20;; at++) {
    int *const place = &self->place[at % MASTER_PLACES];
    if (*place < 0 || memcmp(&self->n[*place * slots], n, (size_t)slots * sizeof *n) == 0) return place;
  }
}

/* The state of these counts, -1 when it is none. */
static inline int master_find(const master *self, const int64_t *n)
{
  return *master_place(self, n);
}

static inline int master_add(master *self, const int64_t *n, int64_t most)
{
  for (int i = 0; i < self->net->nslot; i++) {
    if (n[i] > most) return -1;
  }
  int *const place = master_place(self, n);
  if (*place < 0) {
    if (self->states == MASTER_STATES) {
      fprintf(stderr, "%s: too many states\n", self->net->model_name);
      exit(2);
    }
    memcpy(&self->n[self->states * self->net->nslot], n, (size_t)self->net->nslot * sizeof *n);
    *place = self->states++;
  }
  return *place;
}

static inline void master_list(master *self, double scale, int64_t most)
{
  const ness_network *const net = self->net;
  const int dirs = 2 * net->nstep;
  master_add(self, net->slot_start, most);
  for (int s = 0; s < self->states; s++) {
    for (int d = 0; d < dirs; d++) {
      int64_t after[ORACLE_MAX];
      memcpy(after, &self->n[s * net->nslot], (size_t)net->nslot * sizeof *after);
      const double rate = oracle_rate(net, d, after) * (d == 0 ? 1 + scale : 1);
      for (int i = net->change_start[d / 2]; i < net->change_start[d / 2 + 1]; i++) {
        after[net->change_slot[i]] += d % 2 ? -net->change_by[i] : net->change_by[i];
      }
      self->rate[s * dirs + d] = rate;
      self->leave[s] += rate;
      self->to[s * dirs + d] = rate > 0 ? master_add(self, after, most) : -1;
    }
  }
}

/* p and area (states): probabilities at time t and their integrals up to it. */
static inline void master_evolve(const master *self, double t, double *p, double *area)
{
  const int dirs = 2 * self->net->nstep;
  double fast = 0, before = 0;
  double *const now = master_memory(MASTER_STATES, sizeof *now), *const next =
                                                                     master_memory(MASTER_STATES, sizeof *now);
  for (int s = 0; s < self->states; s++) fast = fmax(fast, self->leave[s]);
  now[0] = 1;
  for (int k = 0; k < fast * t + 9 * sqrt(fast * t) + 30; k++) { /* the others are less than 1e-13 together */
    const double weight = exp(k * log(fast * t) - fast * t - lgamma(k + 1.0));
    before += weight;
    for (int s = 0; s < self->states; s++) {
      if (now[s] < 1e-30) continue; /* of no account, and most states far from the start */
      p[s] += weight * now[s];
      area[s] += fmax(1 - before, 0) / fast * now[s];
      next[s] += now[s] * (1 - self->leave[s] / fast);
      for (int d = 0; d < dirs; d++) {
        const int to = self->to[s * dirs + d];
        if (to >= 0) next[to] += now[s] * self->rate[s * dirs + d] / fast;
      }
    }
    memcpy(now, next, (size_t)self->states * sizeof *now);
    memset(next, 0, (size_t)self->states * sizeof *next);
  }
  free(now);
  free(next);
}

/* `scale`: a fault of this size in the forward rate of step 0. Returns the probability outside. */
static inline double master_solve(master *self, const ness_network *net, double scale, double t, int64_t most)
{
  const size_t dirs = 2 * (size_t)net->nstep;
  *self = (master){.net = net,
                   .n = master_memory(MASTER_STATES * (size_t)net->nslot, sizeof *self->n),
                   .place = master_memory(MASTER_PLACES, sizeof *self->place),
                   .to = master_memory(MASTER_STATES * dirs, sizeof *self->to),
                   .rate = master_memory(MASTER_STATES * dirs, sizeof *self->rate),
                   .leave = master_memory(MASTER_STATES, sizeof *self->leave),
                   .p = master_memory(MASTER_STATES, sizeof *self->p)};
  double *const area = master_memory(MASTER_STATES, sizeof *area), inside = 0;
  for (int i = 0; i < MASTER_PLACES; i++) self->place[i] = -1;
  master_list(self, scale, most);
  master_evolve(self, t, self->p, area);
  for (int s = 0; s < self->states; s++) {
    inside += self->p[s];
    for (size_t d = 0; d < dirs; d++) {
      self->fired[d] += area[s] * self->rate[(size_t)s * dirs + d];
      self->rates[d] += self->p[s] * self->rate[(size_t)s * dirs + d];
    }
    for (int i = 0; i < net->nslot; i++) {
      const double n = (double)self->n[s * net->nslot + i];
      self->area[i] += area[s] * n;
      self->mean[i] += self->p[s] * n;
      self->var[i] += self->p[s] * n * n;
    }
  }
  for (int i = 0; i < net->nslot; i++) self->var[i] -= self->mean[i] * self->mean[i];
  free(area);
  return 1 - inside;
}

static inline void master_free(master *self)
{
  free(self->n);
  free(self->place);
  free(self->to);
  free(self->rate);
  free(self->leave);
  free(self->p);
}

#endif
