/* Inside the room: how the propensity of an open direction is computed, for all kernels. */
#ifndef ENGINE_SSA_RATE_H
#define ENGINE_SSA_RATE_H

#include "engine/model/model.h"

/* How a propensity is computed. QUAD holds all mass action up to second order, without a branch: k n_a (n_b + shift_b),
 * where a missing reactant is the constant 1 behind the counts, and a pair of equals has shift -1. */
typedef enum rate_kind {
  RATE_QUAD,
  RATE_GATED, /* QUAD while low <= n_c <= high: a site that holds at most so many, a loss that needs something to lose
               */
  RATE_CUBE,  /* k n_a (n_b + shift_b) (n_c + shift_c) */
  RATE_CALL   /* all others: network_propensity */
} rate_kind;

/* All that QUAD needs, in 24 bytes; every step has its own copies, one behind the other, of the rates that it touches.
 */
typedef struct quad_law {
  double k;
  int32_t a, b;
  int32_t leaf;
  int16_t shift_b;
  int16_t kind;
} quad_law;

typedef struct rate_law {
  quad_law quad;
  int32_t dir;
  int32_t c, shift_c;
  int64_t low, high;
} rate_law;

static inline double rate_pair(double k, int64_t x, int64_t y)
{
  return k * (double)x * (double)y;
}

static inline double rate_quad(const quad_law *r, const int64_t *n)
{
  return rate_pair(r->k, n[r->a], n[r->b] + r->shift_b);
}

/* Of any kind; scratch is that of a tape. */
static inline double rate_any(const rate_law *r, const ness_network *net, const int64_t *n, double *scratch)
{
  switch (r->quad.kind) {
  case RATE_QUAD: return rate_quad(&r->quad, n);
  case RATE_GATED: return n[r->c] >= r->low && n[r->c] <= r->high ? rate_quad(&r->quad, n) : 0;
  case RATE_CUBE: return rate_quad(&r->quad, n) * (double)(n[r->c] + r->shift_c);
  default: return network_propensity(net, r->dir, n, scratch);
  }
}

/* Whether the direction can ever fire. */
bool rate_open(const ness_network *net, int32_t dir);
/* Mass action up to third order with at most one guard that says more than the reactants do gets a kind of its own. */
rate_law rate_compile(const ness_network *net, int32_t dir, int32_t leaf);

#endif
