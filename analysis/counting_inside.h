/* What counting.c makes and counting_windows.c fills. Nobody outside includes it. */
#ifndef ANALYSIS_COUNTING_INSIDE_H
#define ANALYSIS_COUNTING_INSIDE_H

#include "analysis/counting.h"

#define COUNTING_NEAR 1e-9  /* of a window: time that rounding may lose */
#define COUNTING_WHOLE 1e-6 /* of a window: what a whole one may lack */

typedef struct counting_walker { /* a replica */
  int64_t index;                 /* of the open window, -1 none */
  counting_halves halves;
  double *open;                 /* (1 + forms + slots) */
  struct counting_walker *next; /* of those to spare */
} counting_walker;

static inline void counting_halves_clear(counting_halves *self)
{
  for (int32_t l = 0; l < COUNTING_LEVELS; l++) self->held[l] = -1;
}

/* The walker of a replica that begins; NULL when memory is out. */
counting_walker *counting_walker_begin(counting *self, int64_t replica);

#endif
