/* Analysis of dumps and of measured sequences of states: from what happened to what flows, what breaks detailed balance
 * and what it costs, with errors. */
#ifndef NESS_ANALYZE_H
#define NESS_ANALYZE_H

#include <ness/diag.h>
#include <ness/doc.h>
#include <ness/export.h>
#include <ness/simulate.h>
#include <ness/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ness_analyze_options {
  size_t struct_size;     /* sizeof(ness_analyze_options) */
  double level;           /* confidence of intervals, 0: 0.95 */
  int64_t max_cycles;     /* loop-erased cycles listed, 0: 50 */
  int32_t no_exact;       /* 1: do not put exact values beside the estimates */
  int64_t max_states;     /* limit of the exact solution, 0: 5000 */
  int32_t threads;        /* 0: all */
  ness_progress progress; /* done and total in bytes of the file */
  void *progress_context;
  /* of a measured sequence; NULL and 0: found out */
  const char *columns; /* "time,state,replica": what the columns are, of time, dwell, state, replica and - */
  const char *map;     /* states put together: "open=O1,O2 shut=C1", or a file of rows state,class */
  double step;         /* s: rows are states at equal steps */
  /* "bind,flip": steps that are seen, for the bound on entropy production from transitions; NULL: all */
  const char *visible;
} ness_analyze_options;

/* Reads a dump, or a measured sequence: a table of text or a .npy with rows (time, state), (dwell, state) or (state)
 * and perhaps a replica. A dump of any level is read once, front to back, a sequence twice, in memory that does not
 * grow with it. NESS_FORMAT when nothing could be read; a damaged dump is analysed as far as it is intact, with a
 * warning in diags. A run under an input that moves is told from what it kept of every event, beside what the model in
 * the dump says of its period; NESS_USAGE where something flowed or answered back. */
NESS_API ness_status ness_analyze(const char *path, const ness_analyze_options *options, ness_diags *diags,
                                  ness_doc **out);

typedef struct ness_fit_options {
  size_t struct_size;       /* sizeof(ness_fit_options) */
  const char *path;         /* the model file to write; NULL: none */
  int32_t force;            /* 1: replace a file that exists */
  int32_t balance;          /* 1: the model holds detailed balance, with energies */
  const char *const *equal; /* "A->B=C->D": rates that are one */
  int32_t nequal;
  const char *const *fix; /* "A->B=2.5": rates that are known, 1/s */
  int32_t nfix;
  const char *columns; /* of a measured sequence, as in ness_analyze_options */
  const char *map;
  double step;
  int32_t threads; /* 0: all */
  ness_progress progress;
  void *progress_context;
} ness_fit_options;

/* Rates with standard errors by maximum likelihood, from a measured sequence or a dump whose steps take one molecule
 * from a state to another: free, and under constraints (detailed balance unless others are given), with the likelihood
 * ratio between them. The doc has both; the file has the constrained ones when constraints are asked for. NESS_USAGE
 * for a network that does more; NESS_NUMERIC when constraints contradict each other. */
NESS_API ness_status ness_fit(const char *path, const ness_fit_options *options, ness_diags *diags, ness_doc **out);

#ifdef __cplusplus
}
#endif

#endif
