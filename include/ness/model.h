/* Models: from a file or text to a compiled network, and the questions one asks of it. A model is used by one thread at
 * a time. Every answer is a ness_doc owned by the caller; every reason for a failure is in the diagnostics. */
#ifndef NESS_MODEL_H
#define NESS_MODEL_H

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

typedef struct ness_model ness_model;

/* Reads and compiles a model file, or `text` when it is not NULL (path is then its name). A file of plain rates (.tra,
 * .mtx, .npy, .csv) is read as one copy that wanders through its states, and takes the setting start=STATE alone.
 * `settings` are texts such as "V=-50[mV]" that replace values of the file. Owned: ness_model_free, which takes NULL.
 * NESS_MODEL for a wrong model, NESS_EXPECT when an assertion of the file does not hold, NESS_IO when the file cannot
 * be read. */
NESS_API ness_status ness_model_load(const char *path, const char *text, const char *const *settings, int32_t nsettings,
                                     ness_diags *diags, ness_model **out);
NESS_API void ness_model_free(ness_model *self);

/* The network as compiled: every propensity as it will be used, energies, reservoirs, work, conservation laws. */
NESS_API ness_status ness_info(const ness_model *self, ness_diags *diags, ness_doc **out);

typedef struct ness_check_options {
  size_t struct_size; /* sizeof(ness_check_options) */
  double tolerance;   /* kT: a cycle of larger undeclared affinity is reported as a violation; 0: 1e-4 */
  int64_t max_states; /* 0: 5000: up to here the steady state is solved for what flows and what it costs */
} ness_check_options;

/* Whether detailed balance can hold; which cycles break it, by how much, what drives them; one-way steps; the steps to
 * blame and the smallest correction. The doc's "verdict" is one sentence and "balance" is "equilibrium", "driven",
 * "inconsistent" (rates hold more than the file declares) or "one-way". NESS_EXPECT with the doc filled when
 * inconsistent. */
NESS_API ness_status ness_check(ness_model *self, const ness_check_options *options, ness_diags *diags, ness_doc **out);

typedef struct ness_solve_options {
  size_t struct_size; /* sizeof(ness_solve_options) */
  /* NULL: "steady"; "transient", "cumulants", "spectrum", "passage", "sensitivity", "noise" of the master equation;
   * "ode", "lna" */
  const char *what;
  int64_t max_states; /* 0: 20,000,000 */
  int64_t max_cycles; /* 0: 100000 */
  int32_t states;     /* 1: list every state with its probability */
  const char *method; /* NULL or "auto", "gth", "klu", "multilevel"; in time "uniform", "krylov", "dense" */
  double tolerance;   /* relative error of every probability asked for, in time of the distribution; 0: default */
  int32_t dry_run;    /* 1: only how many states and bytes it would take */
  double time, every; /* s: end and distance of times; ode and lna: 0 asks for the state at rest */
  const char *const
      *of; /* cumulants, sensitivity, noise: of these expressions; none: the file's observables, else all steps */
  int32_t nof;
  const char *tilt;    /* cumulants: "-2:2:0.25", where the generating function of the first current is asked for */
  const char *until;   /* passage: a condition on counts, "A == 0" */
  const char *unless;  /* passage: a second one that may come first; NULL none */
  int32_t from_steady; /* passage: 1: start from the steady state */
  int32_t modes;       /* spectrum: 0: 10 */
  /* noise: "1:1000[Hz]", where power spectra are asked for, eight frequencies a decade; NULL: where they bend */
  const char *frequency;
} ness_solve_options;

/* The exact answer to one question, with the method and a bound on its error. NESS_USAGE when an option is given that
 * means nothing for the question. */
NESS_API ness_status ness_solve(ness_model *self, const ness_solve_options *options, ness_diags *diags, ness_doc **out);

/* Simulates an ensemble; see ness_simulate_options. NESS_STOPPED when asked to stop (the doc holds what there is). */
NESS_API ness_status ness_simulate(ness_model *self, const ness_simulate_options *options, ness_diags *diags,
                                   ness_doc **out);

/* Goes on with a dump that was stopped or cut; the file ends in the bytes of a run never stopped. Of the options only
 * threads and progress are used: all else stands in the dump. */
NESS_API ness_status ness_resume(const char *path, const ness_simulate_options *options, ness_diags *diags,
                                 ness_doc **out);

typedef struct ness_scan_options {
  size_t struct_size;          /* sizeof(ness_scan_options) */
  const char *const *settings; /* "V=-100:100:5[mV]", one or more; several make a grid, the last one fastest */
  int32_t nsettings;
  const char *const *columns; /* expressions such as "current(in)"; none: the file's observables and sigma */
  int32_t ncolumns;
  int32_t simulate; /* 0 exact, 1 by simulation with errors */
  const char *what; /* exact: NULL or "steady", "transient", "ode", "lna"; in time up to simulation.time */
  double every;     /* s, distance of the times; 0: a hundredth */
  ness_simulate_options simulation; /* its threads count without it too */
  int64_t max_states;
  ness_progress progress;
  void *progress_context;
  /* Simulated: points whose error of the first column is more than this share of the column's largest value are
   * simulated once more, with another seed and as much longer as that error asks for; 0: none. */
  double precision;
} ness_scan_options;

/* A table of values against parameters. Points run in parallel over OpenMP; the table does not depend on threads. */
NESS_API ness_status ness_scan(ness_model *self, const ness_scan_options *options, ness_diags *diags, ness_doc **out);

typedef struct ness_convert_options {
  size_t struct_size; /* sizeof(ness_convert_options) */
  const char *path;   /* the end of its name is the format: .mtx, .tra (and .sta beside it), .petsc */
  int64_t max_states; /* 0: 20,000,000 */
  int32_t force;      /* 1: replace a file that exists */
} ness_convert_options;

/* Writes the generator of the largest part of the network, states in the order that ness_solve lists them in. */
NESS_API ness_status ness_convert(ness_model *self, const ness_convert_options *options, ness_diags *diags,
                                  ness_doc **out);

typedef struct ness_test_options {
  size_t struct_size;     /* sizeof(ness_test_options) */
  int32_t exact_only;     /* 1: skip what needs simulation */
  const char *experiment; /* NULL: all; else the one of this name */
} ness_test_options;

/* Runs the experiments of a model file and holds every expectation. The doc lists each with value, expected value,
 * tolerance and whether it holds. NESS_EXPECT when one does not. */
NESS_API ness_status ness_test(const char *path, const ness_test_options *options, ness_diags *diags, ness_doc **out);

#ifdef __cplusplus
}
#endif

#endif
