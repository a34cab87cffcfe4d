/* Simulation of a network in which some steps flow: variables and counts that they change move continuously, all other
 * steps fire one by one at their exact times under the rates that move with them.
 *
 * Between events x' = sum of changes times net rates of the steps that flow, by one-step methods with an error bound
 * (`rtol`), explicit where events or the motion are fast, linearly implicit where the motion is stiff: multistep
 * methods would start anew at every event. Events come by thinning inside boxes: while x stays in a box, the rate of a
 * direction is within bounds by interval arithmetic of its tape; candidates come at the sum of upper bounds and are
 * taken with the share that the rate at their time has. The box decides the cost and never the law.
 *
 * Inputs are slots whose number of counts is prescribed in time: a hand moves them, and no step may. They have no
 * energy of their own; what they make of energies of slots and potentials of sources comes as parts beside the network.
 * A box holds the band that they have until it ends; corners and jumps of their paths end boxes and steps of the flow.
 * A period too short for the figures of the time is refused.
 *
 * Of a step that fires, a way that takes a real slot out of its range is closed. A condition of the file is looked at
 * after steps of the continuous part and events; what is true for less is not seen. Medium entropy = sum of works,
 * those of sources and of inputs - change of energy on every trajectory; drifts and events of the file do undeclared
 * work on energies. A source's work in an event is that at the time of the event; an input's is the integral of n dg
 * along its path.
 *
 * Streams belong to replicas (seed, replica; purpose 0); sums fold in the order of replicas into at most
 * HYBRID_BATCHES batches, so results do not depend on threads. */
#ifndef ENGINE_HYBRID_H
#define ENGINE_HYBRID_H

#include "engine/model/model.h"
#include "engine/motion/path.h"
#include <ness/simulate.h>

#define HYBRID_BATCHES 64

typedef enum hybrid_mode {
  HYBRID_EXACT = 0, /* steps that are flagged flow, the others fire */
  HYBRID_MEAN,      /* all steps flow: rate equations, with events of the file */
  HYBRID_LANGEVIN   /* all steps flow with noise sqrt(rate): the chemical Langevin equation */
} hybrid_mode;

/* Rows of a grid: x at a time, (nslot). Called from the thread of the replica, in order of time within it; anything but
 * NESS_OK ends the run with that status. */
typedef ness_status (*hybrid_row)(void *context, int64_t replica, int64_t row, double time, const double *x);

/* What a replica has counted until now: before each row, and with row -1 at its end. */
typedef struct hybrid_now {
  double counted; /* s */
  int64_t events;
  const double *fired;          /* (2 nstep) events, or integrals of rates where the step flows */
  const double *dwell, *dwell2; /* (nslot) */
  const double *x;              /* (nslot) the state */
  const double *lost;           /* (nstep) events and flows that had no way back at their time */
  double medium, energy;        /* k_B, without these; change of energies, kT */
  double input_work;            /* of all inputs, kT */
  const double *work;           /* (sources) kT */
} hybrid_now;
typedef ness_status (*hybrid_count)(void *context, int64_t replica, int64_t row, const hybrid_now *now);

/* A plain variable that moves along a sine, steps or a line, given in counts of its slot, within 0 ... slot_max. */
typedef struct hybrid_input {
  int32_t slot;
  path_spec path;
} hybrid_input;

typedef struct hybrid_options {
  hybrid_mode mode;
  int32_t ninput;
  const hybrid_input *input; /* (ninput) borrowed */
  int32_t npart;
  const network_part *part; /* (npart) borrowed: what inputs make of energies and potentials */
  int64_t replicas;         /* 0: 64 */
  double time, warmup;      /* s */
  uint64_t seed;
  int32_t threads; /* 0: all that OpenMP gives; results do not depend on it */
  double rtol;     /* error of a step of the continuous part, relative to |x|, at least to a count or to a thousandth of
                      a variable's range; 0: 1e-6 */
  double every;    /* s; > 0: rows at warmup, warmup + every, ... up to time */
  hybrid_row row;  /* NULL: none */
  hybrid_count count; /* NULL: not asked for; of the same context */
  void *row_context;
  ness_progress progress; /* may be NULL */
  void *progress_context;
} hybrid_options;

/* Sums over the replicas of a batch, in replica order; (batches x ...) row-major. */
typedef struct hybrid_result {
  int32_t batches; /* min(replicas, HYBRID_BATCHES): replica r falls in batch r * batches / replicas */
  int64_t replicas, events;
  int64_t candidates, boxes, moves; /* what they cost: candidates, boxes, steps of the continuous part */
  int64_t barred;                   /* events that a real slot could not give: it held less than they take */
  int32_t barred_dir;               /* direction of the first of them */
  double *counted;                  /* (batches) s */
  double *fwd, *bwd;                /* (batches x nstep) events, or integrals of rates where the step flows */
  double *dwell, *dwell2;           /* (batches x nslot) integrals of n and n^2, s */
  double *medium;                   /* (batches) k_B; +inf, as undeclared work, where a step with one way alone ran */
  double *work;                     /* (batches x sources) kT */
  double *input_work;               /* (batches x ninput) kT */
  double *energy;                   /* (batches) change of energies: sum n g and those of capacitors, kT */
} hybrid_result;

/* NESS_NUMERIC, with time, variable or step and advice, where a variable leaves its range, a rate is no number or has
 * no bound in any box, or the motion cannot be followed (a blow-up). A request to interrupt, or a progress that asks
 * for it, gives NESS_STOPPED. The result is filled only by NESS_OK, and safe to free in any case. */
ness_status hybrid_run(const ness_network *net, const hybrid_options *options, ness_diags *diags,
                       hybrid_result *result);
void hybrid_result_free(hybrid_result *self);

#endif
