/* Simulation of ensembles: options, why a run stopped, and the calls. */
#ifndef NESS_SIMULATE_H
#define NESS_SIMULATE_H

#include <ness/diag.h>
#include <ness/doc.h>
#include <ness/export.h>
#include <ness/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ness_stop_reason {
  NESS_STOP_TIME = 0,     /* the end time was reached */
  NESS_STOP_EVENTS = 1,   /* the limit of events was reached */
  NESS_STOP_ABSORBED = 2, /* no step can fire any more */
  NESS_STOP_REQUEST = 3   /* a signal or the caller asked for it */
} ness_stop_reason;

/* Called from one thread at a time, at most a few times a second; a return other than 0 asks the run to stop. */
typedef int (*ness_progress)(void *context, double done, double total, int64_t events, double seconds);

typedef struct ness_simulate_options {
  size_t struct_size;  /* sizeof(ness_simulate_options) */
  int64_t replicas;    /* 0: 64 */
  double time;         /* end time a replica, s; 0: no limit by time (then events must be set) */
  int64_t events;      /* limit of events a replica; 0: none */
  double warmup;       /* time at the start that is not counted, s */
  uint64_t seed;       /* any value; 0 is a seed like others */
  int32_t threads;     /* 0: all that OpenMP gives; results do not depend on it */
  const char *method;  /* "direct", "composition", "jumps", "batch", "tau", "mean", "langevin"; NULL: one of the first
                          three: jumps  for few states with many events between two cuts, composition from 512 open
                          directions on. Batch is  exact, tau approximate; both know mass action alone */
  const char *path;    /* dump to write; NULL: none */
  int32_t overwrite;   /* 1: replace an existing dump */
  const char *level;   /* "summary", "flux" (NULL), "grid", "events" */
  double window;       /* flux level, s; 0: a hundredth of the counted time */
  double every;        /* distance of grid times, s; 0: none (grid level: a hundredth of the time) */
  const char *command; /* kept in the dump; may be NULL */
  ness_progress progress; /* may be NULL */
  void *progress_context;
  double epsilon; /* method "tau": what a propensity may change by within a leap, relative; 0: 0.03 */
} ness_simulate_options;

#ifdef __cplusplus
}
#endif

#endif
