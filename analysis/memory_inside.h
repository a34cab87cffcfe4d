/* What memory.c counts and memory_judge.c judges. Nobody outside includes it. */
#ifndef ANALYSIS_MEMORY_INSIDE_H
#define ANALYSIS_MEMORY_INSIDE_H

#include "analysis/memory.h"
#include "analysis/statistics.h"
#include <math.h>

#define MEMORY_BINS 256                   /* of ages: 128 octaves */
#define MEMORY_BIN_ZERO (2 * (1023 - 64)) /* the first one begins at 2^-64 */

typedef struct memory_dir {
  int32_t from, to, out, in; /* its number among those that leave `from` and enter `to` */
} memory_dir;

typedef struct memory_age { /* visits of a state whose entry was seen, by their age at the end */
  int64_t left[MEMORY_BINS], cut[MEMORY_BINS];
  double sum[MEMORY_BINS]; /* of ages, of both kinds */
} memory_age;

typedef struct memory_score { /* of a state: x is the bin of the visit before */
  int64_t left;
  double x_left, time, x_time, xx_time;
} memory_score;

typedef struct memory_walker {
  double since, last;
  int64_t next;       /* number of the chunk that would go on */
  int32_t state;      /* -1: nowhere */
  int32_t in, before; /* the direction that led here, the bin of the visit before; -1: not seen */
} memory_walker;

struct memory_counts {
  int32_t nslot, ndir;
  int64_t replicas, visits;
  double step;
  memory_dir *dir;       /* (ndir) */
  int32_t *in, *out;     /* (nslot) how many directions enter and leave */
  int64_t *triple_start; /* (nslot + 1) */
  int64_t *triple;       /* in x out of each state */
  memory_age *age;       /* (nslot) */
  int64_t *exit;         /* (ndir x MEMORY_BINS) */
  memory_score *score;   /* (nslot) */
  memory_walker *walker; /* (replicas) */
};

ness_status memory_judge(const memory_counts *self, memory_result *out);

#endif
