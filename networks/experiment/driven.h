/* A model whose input moves continuously: the network at any value of the input, as series in it, and the input's
 * course in time (driven.c); its periodic steady state (periodic.c) and its course in time (course.c). Where several
 * move, or one beside what flows, they are variables of the network instead, whose course is prescribed. */
#ifndef NETWORKS_DRIVEN_H
#define NETWORKS_DRIVEN_H

#include "engine/cme/evolve.h"
#include "engine/hybrid/hybrid.h"
#include "engine/motion/motion.h"
#include "networks/experiment/experiment.h"

typedef struct driven {
  const lang_process *input; /* borrowed of the model */
  lang_model *still;         /* owned: the input at the value of the file, flips joined */
  const ness_network *net;   /* of still */
  motion_law law;
  path_spec path;
  double period; /* s; 0: it does not come back */
  double points[2], values[2];
  arena memory;
} driven;

/* The one continuous process of the model that no grid of levels stands for, or with `ou` of any; NULL none. */
const lang_process *driven_input(const lang_model *model, bool ou);
/* The value of a prescribed one at a time, behind a jump at it, SI. */
double input_at(const lang_process *input, double t);
/* NESS_MODEL where rates cannot follow the input. Free in any case. Cost: 10 to 500 compilations, the most where rates
 * bend sharply. */
ness_status driven_create(const lang_model *model, const lang_process *input, ness_diags *diags, driven *out);
void driven_free(driven *self);
/* A prescribed input at a time (behind a jump at it), as the place from -1 to 1 that the series of the law take. */
double driven_place(const driven *self, double t);
/* The course in time by the master equation, from the start of the file; the limits' motion is passed over. NESS_MODEL
 * where the input is not prescribed. Free `out` in any case. */
ness_status driven_course(const driven *self, const cme_options *limits, const transient_options *transient,
                          const double *times, int32_t ntimes, ness_diags *diags, evolution *out);

struct moving_inputs {
  lang_model *model; /* owned: every continuous input a variable of its network */
  int32_t ninput;
  hybrid_input *input; /* (ninput) */
  int32_t npart;
  const network_part *part; /* (npart) of the model: what they make of energies and potentials */
  arena memory;
};

/* Whether inputs of the model have to be variables: two or more, or one beside what flows (`flows`). */
bool moving_needed(const lang_model *model, bool flows);
/* `means`: what takes all as means, in words, where that is asked for; NULL: events fire. NESS_MODEL where inputs
 * cannot: random ones beside what flows and in means, those that more than tapes would have to read, and those
 * that move a potential to where it has no value. `model` must outlive it; free in any case. */
ness_status moving_create(const lang_model *model, const char *means, ness_diags *diags, moving_inputs *out);
void moving_free(moving_inputs *self);

#define DRIVEN_HARMONICS 3
typedef struct driven_steady { /* means over a period */
  cme_solution mean;           /* rates, counts, work, entropy; without states and variances */
  double input_work;           /* kT/s */
  double *cosine, *sine;       /* (nobs x DRIVEN_HARMONICS) of the network's observables */
  /* with phases: counts at times k period / phases, mean and variance, (phases x nslot), NaN unknown; net rates, means
   * of the parts behind them, (phases x nstep), NULL where rates jump or bend */
  double *at, *spread, *flow;
  double error; /* relative, estimated */
  int64_t states;
} driven_steady;

/* NESS_MODEL where the input is not periodic. Free in any case. */
ness_status driven_rest(const driven *self, const cme_options *options, ness_diags *diags, driven_steady *out);
ness_status driven_rest_phases(const driven *self, const cme_options *options, int32_t phases, ness_diags *diags,
                               driven_steady *out);
void driven_steady_free(driven_steady *self);

#endif
