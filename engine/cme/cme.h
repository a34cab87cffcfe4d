/* The master equation solved exactly: state space, closed classes, steady state, currents, cycles, entropy.
 *
 * The network is first split into parts that share no slot; a part in which every step moves one copy to another slot
 * by mass action without caps is N independent copies of one, solved as one and scaled; one in which reservoirs make
 * and remove such copies as well is solved as one copy with a place outside (its steady counts are independent and
 * Poisson). Every other part is enumerated. Steady states come from GTH elimination (Grassmann, Taksar, Heyman 1985):
 * no subtraction, componentwise accurate. */
#ifndef ENGINE_CME_H
#define ENGINE_CME_H

#include "engine/model/model.h"

typedef struct cme_edge { /* one transition of one direction; from == to where a step moves reservoirs only */
  int32_t from, to;
  int32_t dir;
  int32_t back;   /* the edge of the way back, to -> from in direction dir ^ 1; -1 none */
  double rate;    /* 1/s */
  double entropy; /* ln(a_d/a_d') of the event, k_B; +inf one-way */
} cme_edge;

typedef struct cme_part {
  int32_t nslot; /* slots of this part; 0: the part of all steps that touch no slot, with one state */
  int32_t *slot; /* (nslot) ids in the network, ascending */
  int32_t nstep;
  int32_t *step;  /* (nstep) steps of this part, ascending */
  int64_t copies; /* > 1: independent copies, states are those of one copy; 1: enumerated; 0: copies that reservoirs
                     make and remove, states are those of one copy and the place outside, which holds nothing */
  double scale;   /* what rates and means of the states are multiplied with: copies, 1, or 1/p(outside) */
  int32_t nstate;
  int64_t *count;       /* (nstate x nslot) counts of the part's slots */
  int32_t start;        /* the initial state of an enumerated part; outside of an open one; -1 for independent copies */
  double *start_weight; /* (nstate) distribution over states at t = 0 (independent copies: shares) */
  int64_t nedge;
  cme_edge *edge;       /* ordered by from, then dir */
  int64_t *edge_start;  /* (nstate + 1) */
  int32_t nclass;       /* closed classes */
  int32_t *class_of;    /* (nstate) class id, -1 transient */
  double *class_weight; /* (nclass) probability to end there from the start */
  double *p;            /* (nstate) steady distribution reached from the start: classes weighted */
  double *current; /* (nedge) net: p_from rate - p_to rate of the way back, 1/s, of one copy; conserved in states */
} cme_part;

typedef struct cme_solution {
  int32_t nparts;
  cme_part *parts;
  int64_t states; /* sum over parts */
  /* totals over parts, copies scaled in */
  double *dir_rate;        /* (2 nstep) one-way rates, 1/s */
  double *net_rate;        /* (nstep) */
  double *mean, *var;      /* (nslot) */
  double *step_entropy;    /* (nstep) medium entropy rate of the step, k_B/s; +inf when a one-way step runs */
  double *source_work;     /* (sources) work rate of each source, kT/s, the last one undeclared */
  double entropy;          /* medium = total entropy production in a steady state, k_B/s */
  double internal;         /* rate of change of internal free energy, 0 in a steady state up to rounding, kT/s */
  double closure;          /* |entropy - sum of work + internal| over the steps of finite entropy, k_B/s */
  int32_t one_way_running; /* first one-way step with a rate, -1 none: entropy is infinite because of it */
} cme_solution;

typedef struct cme_options {
  int64_t max_states; /* of a part; 0: 5000 */
} cme_options;

/* NESS_LIMIT (states or memory) and NESS_NUMERIC (rates) come with a diagnostic. On failure *out is empty;
 * cme_solution_free may be called in every case. Reads the network only; threads may share it. */
ness_status cme_steady(const ness_network *net, const cme_options *options, ness_diags *diags, cme_solution *out);
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
   * spanning tree, with the net rate of the chord for net. */
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
