/* A curve for a report: steady states along a value that is chosen here. */
#ifndef NETWORKS_EXPERIMENT_CURVE_H
#define NETWORKS_EXPERIMENT_CURVE_H

#include "networks/experiment/experiment.h"

typedef struct curve_job { /* borrowed, but for the last two, which live in texts */
  ness_model *model;
  const ness_network *net; /* the same network: of the model, or of a dump with its model beside it */
  const ness_doc *solve;
  int64_t max_states;
  const char *model_path; /* as a command would name it */
  const char *const *settings;
  int32_t nsettings;
  arena *texts;
  const char *words, *command; /* what is varied; the command that makes the table */
} curve_job;

/* The table of a scan. NESS_USAGE or NESS_LIMIT with the reason where there is none to draw. */
ness_status curve_draw(curve_job *self, ness_diags *diags, ness_doc **out);

#endif
