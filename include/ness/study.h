/* Searches along values of a model: where a current stops, where it turns round with the voltage, where a value is
 * largest. */
#ifndef NESS_STUDY_H
#define NESS_STUDY_H

#include <ness/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ness_study_options {
  size_t struct_size;          /* sizeof(ness_study_options) */
  const char *what;            /* "stall", "iv" or "optimum" */
  const char *const *settings; /* ranges: "S.in=1:8[mM]" one, iv "V=-100:100:5[mV]" one, optimum one to four */
  int32_t nsettings;
  /* Expressions such as "rate(r)": stall and optimum one, none: the only observable; iv any number, none: observables
   * that are currents, else the current of the compartment whose potential is varied. */
  const char *const *of;
  int32_t nof;
  int32_t minimal;                  /* optimum: 1: the smallest value, not the largest */
  int32_t simulate;                 /* iv: 0 exact, 1 by simulation with intervals */
  ness_simulate_options simulation; /* of iv; its threads count for the exact iv and the optimum too */
  int64_t max_states;               /* 0: 20,000,000 */
  ness_progress progress;           /* of iv; may be NULL */
  void *progress_context;
  /* Out, of stall and optimum: a table along each range through what was found, the caller's to free. NULL: none is
   * made, else nsettings places. */
  ness_doc **curves;
} ness_study_options;

/* stall: the value at which an exact steady value passes through zero. iv: currents against a voltage, and where they
 * turn round. optimum: the values at which an exact steady value is largest. The headline is in "table"; beside it
 * stand rates, work by source and entropy production there. NESS_USAGE when a range cannot be searched or holds no
 * zero. */
NESS_API ness_status ness_study(ness_model *self, const ness_study_options *options, ness_diags *diags, ness_doc **out);

#ifdef __cplusplus
}
#endif

#endif
