/* Inside flowed.c and payers.c: groups of sources, inputs and slots of a run where something flows. */
#ifndef ANALYSIS_PAYERS_H
#define ANALYSIS_PAYERS_H

#include "analysis/analysis.h"

typedef struct payers {
  int32_t n, input; /* sources, then at `input` the inputs beside, then slots */
  int32_t *of;      /* (n) owned; one of the same group, the lowest has itself */
} payers;

/* False: memory is out; free `of` in any case. */
bool payers_find(payers *self, const analysis *all, const basis *cycles);
int32_t payer_of(const payers *self, int32_t w); /* the lowest of its group */
/* "Na", "ATP + ADP + Pi". */
void payer_name(const payers *self, const analysis *all, int32_t group, text_buffer *out);
/* kT/s. Its sums by batch are left behind the first (batches) of the scratch. */
estimate payer_rate(const payers *self, const analysis *all, int32_t group);

#endif
