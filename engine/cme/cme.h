/* The master equation solved exactly: state space, closed classes, steady state, currents, cycles, entropy.
 *
 * The network is first split into parts that share no slot. A part in which every step moves one copy to another slot
 * by mass action without caps is N independent copies of one, solved as one and scaled; one in which reservoirs make
 * and remove such copies as well is solved as one copy with a place outside (its steady counts are independent and
 * Poisson). N copies under inputs that flip are solved as one copy with the levels of the inputs. Every other part is
 * enumerated. The numbers come from the solvers of engine/markov, each with a certified
 * bound on the relative error of every probability. */
#ifndef ENGINE_CME_H
#define ENGINE_CME_H

#include "engine/markov/solver.h"
#include "engine/model/model.h"

typedef enum cme_kind {
  CME_COUNTS = 0, /* states are counts of all slots, enumerated */
  CME_COPIES,     /* independent copies: a state is the slot that one copy is in */
  CME_OPEN        /* the same, made and removed by reservoirs: one state more, outside, which holds nothing */
} cme_kind;

/* The states of a part in the least room: a slot's number for copies, else counts packed into 64-bit words, without
 * the slots that conservation laws give away. */
typedef struct cme_states {
  int32_t n, words;
  struct cme_field *field; /* (nslot of the part) */
  struct cme_given *given; /* slots that follow from a conservation law */
  int32_t ngiven;
  uint64_t *key;  /* (n x words) */
  int32_t *place; /* (n) index among the slots of the part, -1 outside; NULL for CME_COUNTS */
} cme_states;

typedef struct cme_projection { /* of a part whose counts have no end, on the states that matter (projection.c) */
  bool used;
  double outflow; /* probability that leaves them, 1/s */
  double error;   /* proven: relative, of every mean count and square, given that the network is inside; in time the
                     probability outside at the end */
} cme_projection;

typedef struct cme_part {
  int32_t nslot; /* slots of this part; 0: the part of all steps that touch no slot, with one state */
  int32_t *slot; /* (nslot) ids in the network, ascending */
  int32_t nstep;
  int32_t *step; /* (nstep) steps of this part, ascending */
  cme_kind kind;
  bool driven; /* CME_COUNTS of copies that are independent given the levels of processes, which they share: the states
                  are those of one copy and the levels, and only means and rates follow from them */
  int64_t copies; /* of CME_COPIES and driven ones; other CME_COUNTS: 1; CME_OPEN: 0 */
  double scale;   /* what rates and means of the states are multiplied with: copies, 1, or 1/p(outside) */
  cme_states states;
  int32_t nstart;       /* states that hold something at t = 0 (CME_OPEN: outside alone; it forgets its start) */
  int32_t *start;       /* (nstart) */
  double *start_weight; /* (nstart) adds up to 1 (CME_COPIES: shares of the copies) */
  chain q;      /* transitions by state, then direction; a step that moves reservoirs only leads to its own state */
  int32_t *dir; /* (q.start[n]) direction of each transition */
  chain_classes classes;
  double *class_weight; /* (classes.count) probability to end there from the start */
  double *p;            /* (n) steady distribution reached from the start: classes weighted */
  double *current;      /* (q.start[n]) net: p_from rate - p_to rate of the way back, 1/s, of one copy; conserved in
                           states. NULL beyond 2,000,000 transitions, where cme_current takes the difference */
  solver_report report; /* of the class with the largest bound */
  cme_projection projection;
} cme_part;

/* Counts of the part's slots in a state, into n (network nslot); other slots are left alone. */
void cme_counts(const cme_part *self, int32_t state, int64_t *n);
/* The transition of the way back of transition e out of state `from`, -1 none. */
int64_t cme_back(const cme_part *self, int32_t from, int64_t e);
/* What rates of a direction and means of a slot, by its id, are multiplied with: 1 for processes. */
double cme_dir_scale(const ness_network *net, const cme_part *part, int32_t dir);
double cme_slot_scale(const ness_network *net, const cme_part *part, int32_t slot);
/* Net current of transition e out of state `from`, 1/s, of one copy. */
double cme_current(const cme_part *self, int32_t from, int64_t e);

typedef struct cme_solution {
  int32_t nparts;
  cme_part *parts;
  int64_t states; /* sum over parts */
  /* totals over parts, copies scaled in */
  double *dir_rate;   /* (2 nstep) one-way rates, 1/s */
  double *net_rate;   /* (nstep) */
  double *mean, *var; /* (nslot) */
  double
      *step_entropy; /* (nstep) medium entropy rate of the step, without -ln n!, k_B/s; +inf when a one-way step runs */
  double *source_work;       /* (sources) work rate of each source, kT/s, the last one undeclared */
  double entropy;            /* medium = total entropy production in a steady state, k_B/s */
  double internal;           /* rate of change of the slots' energies, 0 in a steady state up to rounding, kT/s */
  double closure;            /* |entropy - sum of work + internal| over the steps of finite entropy, k_B/s */
  int32_t one_way_running;   /* first one-way step with a rate, -1 none: entropy is infinite because of it */
  solver_report report;      /* of the part with the largest bound */
  cme_projection projection; /* of the part with the largest error */
} cme_solution;

/* Rates that move: those of the network, times factors by direction, (2 nstep), finite and not negative. Smooth between
 * the breaks, which are in ascending order, s. */
typedef struct cme_motion {
  void (*factors)(void *context, double t, double *factor);
  void *context;
  const double *breaks;
  int32_t nbreaks;
} cme_motion;

typedef struct cme_options {
  int64_t max_states;       /* of a part; 0: 20,000,000 */
  solver_options solve;     /* method, tolerance, memory; the guess is passed over */
  const cme_solution *like; /* of a network with the same steps: its probabilities start an iterative method; NULL none
                             */
  bool split;               /* of evolve_run: entropy production in time as well; not of rates that move */
  const cme_motion *motion; /* of evolve_run; NULL: rates stand */
} cme_options;

/* What a solution would take, known before it is spent: states are listed, transitions only counted. */
typedef struct cme_size {
  int32_t nparts, largest;                       /* part with most states */
  int32_t endless;                               /* parts whose counts have no end, which are not listed */
  int64_t states, transitions;                   /* sums over parts */
  size_t bytes_listed, bytes_space, bytes_solve; /* of the list of states while it is made; of states and transitions;
                                                    of the solver, estimated */
} cme_size;

ness_status cme_measure(const ness_network *net, const cme_options *options, ness_diags *diags, cme_size *out);

/* NESS_LIMIT (states or memory) and NESS_NUMERIC (rates) come with a diagnostic. On failure *out is empty;
 * cme_solution_free may be called in every case. Reads the network only; threads may share it. */
ness_status cme_steady(const ness_network *net, const cme_options *options, ness_diags *diags, cme_solution *out);
/* States, transitions and closed classes of every part, without probabilities or totals. NESS_LIMIT where counts have
 * no end. */
ness_status cme_generator(const ness_network *net, const cme_options *options, ness_diags *diags, cme_solution *out);

/* A solution without parts whose totals are zero, to be filled from elsewhere. */
ness_status cme_empty(const ness_network *net, cme_solution *out);
void cme_solution_free(cme_solution *self);

/* Every simple cycle of the graph of states of a closed class, each once, parallel steps kept apart: two of them are a
 * cycle of length 2, a step that leaves its state where it is is one of length 1. Fluxes by minors: J+- = prod rates *
 * det(-Q without the cycle's states) / sum_i det(-Q without i), all subtraction-free; the net flux as J- *
 * expm1(affinity). Scaled by copies and by the probability of the class. A cycle that one-way steps bar in both
 * directions is left out. */
typedef struct cme_cycle {
  int32_t part, length;
  int32_t *dir; /* (length) directions in order; the lowest step id comes first and forward, even where it is one-way */
  int32_t *state;                /* (length) the state that dir[k] leaves */
  double forward, backward, net; /* completions per second; forward and backward are NaN in a basis */
  double affinity; /* kT: work of the sources in a turn; +-inf with one-way steps, NaN where they bar both directions */
} cme_cycle;

typedef struct cme_cycles {
  int64_t count; /* cycles listed */
  /* 0: some class has more than 64 states, or cycles beyond the cap, and is listed by the fundamental cycles of a
   * spanning tree, with the net rate of the chord for net; a class of more than 20,000 states is left out. */
  int32_t complete;
  cme_cycle *cycle; /* ordered by |net * affinity| descending */
  void *memory;     /* owns the int arrays */
} cme_cycles;

/* cap 0: 100,000 cycles. In a complete list and in a basis, the nets of the cycles through a step add up to its net
 * rate and sum net * affinity is the entropy production. */
ness_status cme_cycles_find(const ness_network *net, const cme_solution *solution, int64_t cap, ness_diags *diags,
                            cme_cycles *out);
void cme_cycles_free(cme_cycles *self);

#endif
