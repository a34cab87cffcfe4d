/* Thermodynamics of a compiled network, before anything runs: a cycle basis with the affinity that the rates hold
 * beside what the declared sources allow, which steps a mismatch points to, and the smallest correction that would mend
 * it. */
#ifndef NETWORKS_THERMO_H
#define NETWORKS_THERMO_H

#include "engine/model/model.h"
#include "engine/model/stoich.h"

typedef struct thermo_cycle {
  double affinity;   /* kT: sum of ln(k_fwd/k_bwd) around; +-inf with a one-way step; NaN with a rate that is an
                        expression */
  double allowed;    /* kT: what reservoirs and voltages do around the cycle */
  double undeclared; /* affinity - allowed, rounding set to 0 */
  double scale;      /* sum of the magnitudes added: what rounding is measured against */
  double charge;     /* e that the cycle would make from nothing: 0 when the file is right */
  int32_t declared;  /* id of the declared cycle with the same steps, -1 none */
  int32_t flipped;   /* the declared cycle runs the other way */
  bool off;          /* a step of it is switched off: both rates 0 */
} thermo_cycle;

typedef struct thermo_report {
  stoich_basis cycles;   /* steps of each cycle */
  stoich_basis laws;     /* conserved sums */
  thermo_cycle *cycle;   /* (cycles.count) */
  double worst_affinity; /* largest |affinity| of cycles with a number, kT */
  double worst_undeclared;
  int32_t one_way, tapes; /* steps of that kind; a tape whose ratio does not change with the counts,
                             nor that of its cycles with variables, is none */
  int32_t drifts;         /* equations: hands from outside, which are not checked */
  double *lnk;            /* (nstep) ln(k_fwd/k_bwd), of steps through capacitors that at no charge, with
                             variables held where half of their range is; NaN: it changes */
  /* correction: present when worst_undeclared is above the tolerance */
  double *correction;     /* (nstep) change of ln(k_fwd/k_bwd), kT; NULL when there is none */
  double correction_norm; /* root of the sum of squares in units of the errors given */
  int32_t suspects;       /* steps that alone would explain every mismatch */
  int32_t *suspect;       /* (suspects) */
  double *suspect_change; /* (suspects) kT */
} thermo_report;

/* `fixed` (nstep, may be NULL) marks steps whose ratio follows from energies and is not up for correction. */
ness_status thermo_check(const ness_network *net, const bool *fixed, double tolerance, thermo_report *out);
void thermo_report_free(thermo_report *self);

/* Work of one source around a cycle of the basis, kT. */
double thermo_cycle_work(const ness_network *net, const thermo_report *report, int32_t cycle, int32_t source);

#endif
