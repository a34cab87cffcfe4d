/* What the methods of transient.h share: a generator ready to be multiplied by row vectors, sums whose bits do not
 * depend on the number of threads, and the handing out of distributions. Nobody outside this room includes it.
 *
 * Invariant: a row of a product is summed by one thread in a fixed order, and sums over states are taken over parts of
 * FLOW_PART states and then over the parts in order. Cost: a product is linear in transitions and states. */
#ifndef ENGINE_MARKOV_FLOW_H
#define ENGINE_MARKOV_FLOW_H

#include "engine/markov/transient.h"

#define FLOW_PART 2048        /* states of a part */
#define FLOW_STRETCH 16       /* ways into a state that are summed on their own */
#define FLOW_OUTSIDE_MOST 600 /* states up to which a chain with exits gets a state for the outside */
#define FLOW_ROUNDING 0x1p-53
#define FLOW_FASTEST 1e280 /* 1/s, the limit of rates */

typedef struct flow {
  int32_t n;       /* states, the outside included */
  int32_t inside;  /* states of the chain */
  bool closed;     /* no exits, or they lead to the outside, state n - 1: mass is kept */
  bool wide;       /* large enough for several threads */
  double rounding; /* relative error of a step in the 1-norm */
  chain into;      /* transitions by the state that they lead to; their rates are those of now, 1/s */
  int64_t *origin; /* (edges) where a transition stands in the chain; 0 for those to the outside */
  double *out;     /* (n) rate out of a state, its exit included, 1/s */
  double *stay;    /* (n) 1 - out / speed */
  double *share;   /* (edges) rate / speed */
  double fastest;  /* the largest of `out`, 1/s */
  double speed;    /* of the steps, 1/s; 0: nothing moves */
  double *part;    /* (parts x FLOW_PARTIALS) partial sums */
  int64_t products;
  double contraction;    /* what the last run left at most of a difference of two distributions, where known; else 1 */
  double *room, *weight; /* work space of the methods, kept from call to call */
  int64_t room_size, weight_size;
} flow;

#define FLOW_PARTIALS 40

/* The structure of a chain, whose rates are passed over: flow_rates is next. `outside`: exits lead to one more state.
 */
ness_status flow_create(const chain *q, bool outside, flow *out);
void flow_free(flow *self);

/* Other rates (as in the chain) for the same structure; exit may be NULL. NESS_NUMERIC: not finite or negative. */
ness_status flow_rates(flow *self, const double *rate, const double *exit);
void flow_speed(flow *self, double speed); /* at least `fastest` */

/* At least `count` doubles at self->room; what was there is lost when it grows. */
ness_status flow_room(flow *self, int64_t count);

/* next = v Q. */
void flow_apply(flow *self, const double *v, double *next);
double flow_sum(flow *self, const double *v);  /* of nonnegative numbers, compensated */
double flow_norm(flow *self, const double *v); /* 1-norm */
/* Makes the sum `mass` for a closed chain; what it was off by is returned. */
double flow_keep(flow *self, double mass, double *v);

static inline int32_t flow_parts(const flow *self)
{
  return (self->n + FLOW_PART - 1) / FLOW_PART;
}

static inline int32_t flow_part_end(const flow *self, int32_t part)
{
  return self->n - part * FLOW_PART > FLOW_PART ? (part + 1) * FLOW_PART : self->n;
}

/* Entry j of v P, P = 1 + Q / speed: a sum of numbers that are not negative. */
static inline double flow_step(const flow *self, const double *v, int32_t j)
{
  double x = self->stay[j] * v[j];
  const int64_t end = self->into.start[j + 1];
  for (int64_t e = self->into.start[j]; e < end;) {
    const int64_t stop = end - e > FLOW_STRETCH ? e + FLOW_STRETCH : end;
    double stretch = 0;
    for (; e < stop; e++) stretch += self->share[e] * v[self->into.to[e]];
    x += stretch;
  }
  return x;
}

/* --- tasks: where to go from p --- */

typedef struct flow_task {
  double tolerance;    /* absolute, in the 1-norm, of all of the way */
  double mass;         /* sum of p at the start of the whole run */
  double origin;       /* time of p, s */
  const double *times; /* (count) ascending, not before the origin */
  int32_t count;
  int32_t first; /* index of times[0] for the visitor */
  transient_visit visit;
  void *context;
  transient_report *report; /* bound and products are added to, proven is cleared by an estimate */
} flow_task;

/* Gives p to the visitor; NESS_NUMERIC instead when its bound says that it means nothing. */
ness_status flow_visit(const flow_task *task, int32_t index, const double *p);
bool flow_hopeless(const flow_task *task, double bound);

/* p (n) goes along the times of the task and is the last of them on return. */
typedef ness_status flow_method(flow *self, const flow_task *task, double *p);
flow_method flow_uniform, flow_dense, flow_krylov;

/* The method that is expected to take the least work, and whether one fits at all. */
transient_method flow_choose(const flow *self, double span, int32_t times);
flow_method *flow_method_of(transient_method method);

/* What every run begins with: checks, the structure, and p with a place for the outside in *whole (owned by the
 * caller, as is the flow, also on failure). */
ness_status transient_begin(const chain *q, const transient_options *options, const double *p, const double *times,
                            int32_t ntimes, transient_report *report, flow *f, double **whole, flow_task *out);
/* Hands out times at the origin; all of them where p is zero. */
ness_status transient_lead(flow_task *task, const double *p);

#endif
