/* Where the sums of an analysis come from: a dump, or a measured record that becomes what a dump is. */
#ifndef ANALYSIS_SOURCE_H
#define ANALYSIS_SOURCE_H

#include "analysis/record/record.h"

typedef struct source {
  bool is_record;
  record measured;    /* of a record */
  ness_network *seen; /* its network */
  dump_run seen_run;
  dump_reader *reader; /* of a dump */
  const ness_network *net;
  const dump_run *run;
  tally_plan plan;
  stream_sums sums;
} source;

/* Opens either and knows its network and what will be summed. source_free is due in every case. */
ness_status source_open(source *self, const char *path, const ness_analyze_options *options, ness_diags *diags);
/* Fills the sums; what else is filled may be NULL. */
ness_status source_read(source *self, const char *path, const ness_analyze_options *options, loops *loop,
                        memory_counts *past, waits *waited, counting *counted, windows_pass *entropy,
                        ness_diags *diags);
void source_free(source *self);

#endif
