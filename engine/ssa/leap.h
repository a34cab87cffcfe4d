/* Inside the room: what the methods that take many events at once have in common. */
#ifndef ENGINE_SSA_LEAP_H
#define ENGINE_SSA_LEAP_H

#include "engine/ssa/kernel.h"
#include "engine/ssa/rate.h"

typedef struct leap_term { /* an event of dir changes the slot by so much, down or up */
  int64_t dir, by;
} leap_term;

typedef struct leap_slot { /* a slot that some direction changes */
  int32_t slot;
  int32_t down, up, end; /* its terms: [down, up) take from it, [up, end) give */
  int32_t most;          /* the largest change of any event */
} leap_slot;

typedef struct leap_flow { /* what a slot would go through if the propensities stood still */
  double down, up;         /* 1/s */
  double square;           /* sum of change^2 a, 1/s */
} leap_flow;

typedef struct leap_net {
  int32_t dirs, moving;
  rate_law *law;   /* (dirs) in the order of directions */
  int32_t *count;  /* (dirs) index in fwd:bwd */
  leap_slot *slot; /* (moving) */
  leap_flow *flow; /* (moving) */
  leap_term *term;
  double *rate;             /* (dirs) 1/s */
  const ssa_kernel *direct; /* for populations that are too small for leaps */
  void *direct_work;
} leap_net;

/* Lays the parts into memory, or measures them. */
void leap_layout(leap_net *self, carve *memory, const ness_network *net);
void leap_compile(leap_net *self, const ness_network *net);
/* Propensities at counts n; returns their sum. */
double leap_rates(leap_net *self, const ness_network *net, const int64_t *n);
/* Flows by `rate`. */
void leap_flows(leap_net *self);
/* For leap_bounds: all laws but the plainest. */
void leap_bounds_any(const rate_law *law, const ness_network *net, const int64_t *low, const int64_t *high,
                     double *least, double *most);

/* The least and the greatest propensity over the box low <= n <= high of counts >= 0. Mass action alone: falling
 * factorials of whole counts grow with each count, and so do their roundings. */
static inline void leap_bounds(const rate_law *law, const ness_network *net, const int64_t *low, const int64_t *high,
                               double *least, double *most)
{
  if (law->quad.kind == RATE_QUAD) {
    *least = rate_quad(&law->quad, low);
    *most = rate_quad(&law->quad, high);
  } else {
    leap_bounds_any(law, net, low, high, least, most);
  }
}

/* `fired` (dirs) events at independent uniform times between now and `end`: counts, numbers of events, and of the
 * integrals what is expected, given the numbers. */
void leap_apply(ssa_replica *self, const leap_net *leap, const int64_t *fired, double end);
/* One event, now. */
void leap_fire(ssa_replica *self, const leap_net *leap, const ness_network *net, int32_t dir);
/* Up to `events` events by the direct method. No wait is left pending. */
ssa_pause leap_direct(ssa_replica *self, const leap_net *leap, const ness_network *net, double t_stop, int64_t events,
                      int32_t *bad_dir);

#endif
