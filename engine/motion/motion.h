/* Exact simulation of a network whose rate constants follow an input u(t).
 *
 * Rates: k_d = exp(f_d(u)) for the directions that move, by Chebyshev series on [u_lo, u_hi]; all others are those of
 * the network. Bookkeeping of an event at u, in kT: medium entropy lnk(u) = -sum_i nu_i g_i(u) + sum_w work_w(u), by
 * series of the steps, sources and slots. Between events the input does the work sum_i n_i [g_i(u2) - g_i(u1)]. So
 * along every trajectory, with the energy sum_i n_i g_i(u), medium entropy = work of the sources + work of the input -
 * change of energy.
 *
 * Streams belong to replicas (seed, replica; purpose 0 for events, PATH_PURPOSE for the input, MOTION_PURPOSE for the
 * times at which u is looked at); sums fold in the order of replicas into at most MOTION_BATCHES batches. */
#ifndef ENGINE_MOTION_H
#define ENGINE_MOTION_H

#include "engine/model/model.h"
#include "engine/motion/path.h"
#include "engine/motion/series.h"
#include <ness/simulate.h>

#define MOTION_PURPOSE 3
#define MOTION_BATCHES 64
#define MOTION_RUNGS 24 /* widths of bands to choose from, each the last over sqrt 2 */

/* --- laws --- */

/* Series in x = (2u - u_lo - u_hi)/(u_hi - u_lo), one behind the other; start NULL: none. */
typedef struct motion_rows {
  const int32_t *start; /* CSR into coef */
  const double *coef;
} motion_rows;

/* All borrowed. An empty series of a step or slot stands for the constant of the network. */
typedef struct motion_law {
  double u_lo, u_hi;
  int32_t nmove;           /* directions that move, mass action */
  const int32_t *move_dir; /* (nmove) ascending */
  motion_rows move;        /* (nmove) ln k */
  motion_rows lnk;         /* (nstep) ln(k_fwd/k_bwd) */
  motion_rows g;           /* (nslot) */
  /* (nstep) the works of every step, all of them, `undeclared` too; work_start NULL: those of the network */
  const int32_t *work_start, *work_src;
  motion_rows work; /* (work_start[nstep]) */
} motion_law;

/* Indices, domain, and whether ln k, lnk, works and energies belong together: at MOTION_PLACES places of the domain
 * f_fwd - f_bwd = lnk = -sum nu g + sum work, for every step with both ways by mass action; flips only the latter. */
#define MOTION_PLACES 5
ness_status motion_law_check(const ness_network *net, const motion_law *law, ness_diags *diags);

/* --- a run --- */

/* Rows of a grid: counts at a time, (nslot). Called from the thread of the replica, in order of time within it;
 * anything but NESS_OK ends the run with that status. */
typedef ness_status (*motion_row)(void *context, int64_t replica, int64_t row, double time, const int64_t *n);

/* What a replica has counted until now, brought to the present: at the time of each row, before it, and with row -1 at
 * its end. */
typedef struct motion_replica motion_replica;
typedef struct motion_totals motion_totals;
typedef struct motion_now {
  const motion_replica *replica;
  const motion_totals *totals;
  const double *work; /* (sources) */
} motion_now;
typedef ness_status (*motion_count)(void *context, int64_t replica, int64_t row, const motion_now *now);

/* The events since the last call: at the start of counting with none, each time that `log_events` have come or a part
 * of the counted time is over, and at the end. From the thread of the replica, whose log is empty behind it. */
typedef struct motion_log {
  double *time; /* s */
  int32_t *dir;
  int64_t count, capacity;
} motion_log;
typedef ness_status (*motion_events)(void *context, int64_t replica, const motion_log *log, bool end,
                                     const motion_now *now);

typedef struct motion_options {
  int64_t replicas;    /* 0: 64 */
  double time, warmup; /* s */
  uint64_t seed;
  int32_t threads; /* 0: all that OpenMP gives; results do not depend on it */
  double period;   /* s; with phases > 0: flows are kept by phase of this period */
  int32_t phases;
  int32_t samples;      /* times a replica at which u is looked at, one in each equal part; 0: 16 */
  double every;         /* s; > 0: rows at warmup, warmup + every, ... up to time */
  motion_row row;       /* NULL: none */
  motion_count count;   /* NULL: not asked for; of the same context */
  motion_events events; /* NULL: no event is kept; of the same context */
  int64_t log_events;   /* about so many at once; at least 1 */
  int32_t log_marks;    /* the counted time falls into so many parts of equal length; at least 1 */
  /* After a replica, in their order, one at a time; NULL: nobody asks. Of the same context. */
  ness_status (*done)(void *context, int64_t replica);
  void *row_context;
  bool keep_work;         /* work of the input of every replica */
  bool keep_end;          /* counts of every replica at the end */
  ness_progress progress; /* may be NULL */
  void *progress_context;
} motion_options;

/* Sums over the replicas of a batch, in replica order; (batches x ...) row-major. Steps with one way only have an
 * infinite medium entropy: their events are in one_way and not in medium. */
typedef struct motion_result {
  int32_t batches; /* min(replicas, MOTION_BATCHES): replica r falls in batch r * batches / replicas */
  int32_t phases, nsource;
  int64_t replicas, events, one_way;
  int64_t candidates, windows;        /* what the events cost */
  double *counted;                    /* (batches) s */
  double *fwd, *bwd;                  /* (batches x nstep) events */
  double *phase_fwd, *phase_bwd;      /* (batches x phases x nstep) */
  double *dwell, *dwell2;             /* (batches x nslot) integrals of n and n^2, s */
  double *medium;                     /* (batches) k_B */
  double *work;                       /* (batches x nsource) kT, order of the network's sources */
  double *input_work, *energy;        /* (batches) kT: work of the input, change of sum n g(u) */
  double *u_samples, *u_sum, *u_sum2; /* (batches) looks at u; sums of u and u^2 over them */
  double *work_list;                  /* (replicas) with keep_work: of the input, kT */
  int64_t *end;                       /* (replicas x nslot) with keep_end */
} motion_result;

/* NESS_NUMERIC when u leaves the domain of the law or a rate is no number. A request to interrupt or a progress that
 * asks for it gives NESS_STOPPED. The result is filled only by NESS_OK, and safe to free in any case. */
ness_status motion_run(const ness_network *net, const motion_law *law, const path_spec *path,
                       const motion_options *options, ness_diags *diags, motion_result *result);
void motion_result_free(motion_result *self);

/* --- compiled, and one replica --- */

/* n_a (n_b + shift) or, when general, what the network says. */
typedef struct motion_many {
  int32_t a, b, shift;
  bool general, tape;
} motion_many;

/* What firing a direction changes, all in a row: counts, and combinations to take anew. */
typedef struct motion_change {
  int32_t slot, by;
} motion_change;

typedef struct motion_touch {
  int32_t at, a, b, shift; /* a < 0: general */
} motion_touch;

typedef struct motion_event {
  int32_t change_start, change_end, touch_start, touch_end;
} motion_event;

typedef struct motion_few motion_few;     /* few states under steps in time (few.h) */
typedef struct motion_steps motion_steps; /* small networks under them (steps.h) */

#define MOTION_LANES 4 /* partial sums of rates: arrays of them end in zeros to a multiple of it */

/* What all replicas share. Directions that move come first. */
typedef struct motion_net {
  const ness_network *net;
  const motion_law *law;
  const path_spec *path;
  double middle, scale; /* x = (u - middle) scale */
  int32_t ndir, nmove;  /* open directions; of them those that move */
  int32_t *dir;         /* (ndir) */
  int32_t *place;       /* (2 nstep) index in dir, or -1 */
  motion_many *many;    /* (ndir) */
  double *constant;     /* (ndir) exp(c_0), k, or 1 for a tape */
  motion_event *event;  /* (ndir) */
  motion_change *change;
  motion_touch *touch;
  int32_t nshape;     /* series that differ in more than c_0 */
  int32_t *shape_of;  /* (nmove) */
  series *shape;      /* (nshape) with c_0 = 0 */
  series_size *size;  /* (nshape) */
  double *slope;      /* (nshape) typical size, 1/u */
  double *level;      /* steps: (points x nmove) constants, and behind them their mean over a period */
  int32_t step_terms; /* highest degree of lnk and works */
  int32_t slot_terms; /* highest degree of g */
  int32_t *lnk_kind;  /* (nstep) motion_lnk */
  int32_t rungs;      /* 0: the path has no choice */
  double width[MOTION_RUNGS], pace[MOTION_RUNGS];
  double period;
  int32_t phases;
  double *basis;       /* steps: (points x highest degree) T_1 ... at each level */
  motion_few *few;     /* NULL: none */
  motion_steps *steps; /* NULL: none */
  arena memory;
} motion_net;

typedef enum motion_lnk { LNK_SERIES, LNK_TAPE, LNK_ONE_WAY } motion_lnk;

typedef struct motion_slot {
  double since, dwell, dwell2; /* lazy, as in engine/ssa */
} motion_slot;

struct motion_replica {
  path_state path;
  int64_t *n; /* (nslot + 1) and the constant 1 */
  rng_stream rng;
  double left; /* of the unit exponential until the next candidate */
  int32_t rung, tries;
  bool exact;                  /* the window's bounds are the rates */
  double total, gain;          /* sum of rate; its growth with the width, 1/s per unit of u */
  double *many, *bound, *rate; /* (ndir) */
  double *top, *factor;        /* (nshape) bound of the shape in the window, and its exponential */
  double *scratch;             /* (tape_max) */
  int64_t *after;              /* (nslot) */
  int32_t bad_dir;
  /* what was counted since motion_clear */
  double start, settled; /* s */
  int64_t events, candidates, windows;
  int64_t *fired;             /* (2 nstep) */
  motion_log *log;            /* where events go, with room for those of an advance; NULL: nowhere */
  int64_t *phase;             /* (phases x 2 nstep) */
  motion_slot *slot;          /* (nslot) */
  double *basis;              /* (max terms) T_k at the present u */
  double *flow;               /* (nstep x step_terms) sums over events of T_k(u), backward ones negative */
  double *slot_basis, *shift; /* (nslot x slot_terms) T_k when the count last changed; sums of n [T_k(u2) - T_k(u1)] */
  double tape_medium;         /* of events of steps with a tape */
  double energy_start;
  int32_t state;     /* few: where it is */
  int64_t *made;     /* steps: (points x ndir) events by level since they were taken over */
  int64_t *few_made; /* few: (cells x FEW_WAYS) events since they were taken over */
  double *few_clock; /* few: (states) s since they were taken over */
  arena memory;
};

/* What a replica's counts amount to. */
struct motion_totals {
  double medium, input_work, energy;
  int64_t one_way;
};

typedef enum motion_pause {
  MOTION_AT_TIME, /* right-continuous state of t_stop */
  MOTION_BUSY,    /* so many windows and candidates passed */
  MOTION_OUTSIDE, /* u has left the domain: path.t and path.u say where */
  MOTION_BAD_RATE /* bad_dir says which */
} motion_pause;

/* The law and path must have passed their checks. Free in any case. */
ness_status motion_net_init(motion_net *self, const ness_network *net, const motion_law *law, const path_spec *path,
                            double period, int32_t phases);
void motion_net_free(motion_net *self);
ness_status motion_replica_init(motion_replica *self, const motion_net *net);
void motion_replica_free(motion_replica *self);
void motion_replica_start(motion_replica *self, const motion_net *net, uint64_t seed, int64_t index);
/* Begins to count anew at the present. */
void motion_clear(motion_replica *self, const motion_net *net);
/* Goes on until t_stop, or for so many windows and candidates, of which each is one event at most. A pause at a time
 * changes the bits, not the law. */
motion_pause motion_advance(motion_replica *self, const motion_net *net, double t_stop, int64_t looks);
/* Brings all integrals to the present; `work` (sources) is set. */
motion_totals motion_settle(motion_replica *self, const motion_net *net, double *work);

#endif
