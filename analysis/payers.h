/* Inside flowed.c and payers.c: groups of sources, inputs and slots of a run where something flows. */
#ifndef ANALYSIS_PAYERS_H
#define ANALYSIS_PAYERS_H

#include "analysis/analysis.h"

typedef struct payers {
  int32_t n, input; /* sources, then at `input` the inputs beside, then slots */
  int32_t *of;      /* (n) the lowest of the same group */
  int32_t groups;
  int32_t *group; /* (groups) its lowest, ascending */
  double *gives;  /* (groups x batches) kT */
  estimate *rate; /* (groups) kT/s */
} payers;

/* False: memory is out. payers_free in any case. */
bool payers_find(payers *self, const analysis *all, const basis *cycles);
void payers_free(payers *self);
/* "Na", "ATP + ADP + Pi". */
void payer_name(const payers *self, const analysis *all, int32_t group, text_buffer *out);

#endif
