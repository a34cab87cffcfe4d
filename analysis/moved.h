/* A run under an input that moves continuously: what the model says beside it, and the phases of its period. */
#ifndef ANALYSIS_MOVED_H
#define ANALYSIS_MOVED_H

#include "engine/cme/cme.h"
#include "engine/dump/dump.h"
#include <ness/analyze.h>

#define MOVED_PHASES 8 /* parts of a period */
#define MOVED_PLACES 5 /* values of the input at which the affinities of cycles are compared */

/* What is known exactly, from whoever reads the text of the model. Owned: moved_exact_free. */
typedef struct moved_exact {
  double *lnk;         /* (MOVED_PLACES x nstep) ln(k_fwd/k_bwd) at values over the range of the input; NULL unknown */
  bool still;          /* no rate moves with the input, or it stands itself */
  bool solved;         /* what stands below */
  cme_solution mean;   /* over a period; no states and no variances */
  int32_t levels;      /* that stand for a drawn input in it; 0: none do */
  double input_work;   /* kT/s */
  double *at, *spread; /* (MOVED_PHASES x nslot) mean and variance of counts at phases k / MOVED_PHASES */
  double *flow;        /* (MOVED_PHASES x nstep) net rate, mean of the part behind each; NULL where rates jump */
} moved_exact;

void moved_exact_free(moved_exact *self);

/* Fills what it can; what it cannot it says in `quiet`. NESS_NOMEM and NESS_STOPPED end the analysis, nothing else. */
typedef ness_status (*moved_ask)(const dump_run *run, const ness_network *net, int64_t max_states, bool solve,
                                 ness_diags *quiet, moved_exact *out);

/* ness_analyze, with who knows models. */
ness_status analysis_run(const char *path, const ness_analyze_options *options, moved_ask ask, ness_diags *diags,
                         ness_doc **out);

/* Whether its input is drawn at random, by a stationary law, so that its path is not known. */
bool moved_drawn(const dump_run *run);
/* Whether several inputs moved. Their work is not told from what else is undeclared. */
bool moved_several(const dump_run *run);

/* --- phases.c --- */

struct tally_plan;
typedef struct phases phases; /* sums by phase of the period */

/* NULL in *out where there is no period or the network is too large, and why in *why. */
ness_status phases_create(const struct tally_plan *plan, phases **out, const char **why);
void phases_free(phases *self);
unsigned phases_wanted(const phases *self); /* columns */
/* In the order of the file, one thread. */
ness_status phases_follow(phases *self, const dump_chunk *chunk);

#endif
