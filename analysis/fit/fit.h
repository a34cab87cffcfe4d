/* Rates by maximum likelihood from what was seen: events over time spent, freely or under constraints.
 *
 * ln L = sum over directions of n ln k - k T, n events and T the time integral of the counts that the direction leaves.
 * A constraint is linear in x = ln k: a cycle of detailed balance, sum of +-x = 0; two rates that are equal; a rate
 * that is known. So the fit is a concave maximum under linear equations, and its likelihood ratio to the free one is
 * chi-square with as many degrees as there are independent constraints (Wilks 1938). */
#ifndef ANALYSIS_FIT_FIT_H
#define ANALYSIS_FIT_FIT_H

#include "analysis/source.h"

#define FIT_CONSTRAINTS 2000

typedef struct fit_problem {
  int32_t n;           /* directions */
  const double *count; /* (n) events */
  const double *time;  /* (n) s; a direction with 0 has no rate */
  int32_t constraints;
  int32_t *start; /* CSR over constraints */
  int32_t *id;    /* directions */
  double *by;
  double *rhs; /* (constraints) */
  int64_t start_room, id_room, by_room, rhs_room;
} fit_problem;

typedef struct fit_result {
  double *rate;   /* (n) 1/s */
  double *error;  /* (n) of ln k: relative; NaN not known */
  double *lambda; /* (constraints) multipliers */
  double *factor; /* (constraints^2) Cholesky of A H^-1 A' */
  bool *keep;     /* (constraints) the independent ones */
  bool *bound;    /* (n) under a constraint */
  int32_t rank;
  double likelihood, gradient; /* ln L; largest |n - kT - A' lambda| over max(1, n) */
  int32_t iterations;
} fit_result;

bool fit_constraint(fit_problem *self, int32_t terms, const int32_t *id, const double *by, double rhs);
void fit_problem_free(fit_problem *self);

/* solve.c. NESS_NUMERIC with a reason in diags when constraints contradict each other or no maximum exists. */
ness_status fit_solve(const fit_problem *problem, ness_diags *diags, fit_result *out);
/* Variance of sum by * ln k. scratch: (constraints). */
double fit_variance(const fit_problem *problem, const fit_result *fit, int32_t terms, const int32_t *id,
                    const double *by, double *scratch);
void fit_result_free(fit_result *self);

/* balance.c: the graph of states, and what balance asks of it. */
typedef struct fit_graph {
  int32_t *from, *to; /* (n) */
  int32_t *part;      /* (nslot) states that lead to each other both ways; others may stand one way */
  int32_t *tree;      /* (nslot) the direction that leads here in the tree of its part, -1: its root */
  int32_t *order;     /* (nslot) roots before what hangs on them */
  int32_t cycles;     /* constraints of balance */
} fit_graph;

ness_status fit_graph_build(fit_graph *self, const ness_network *net, const double *count);
/* Adds a constraint for every independent cycle. */
ness_status fit_graph_balance(const fit_graph *self, const ness_network *net, fit_problem *problem);
/* Energies of the states in kT and their errors, 0 at each root. */
ness_status fit_graph_energies(const fit_graph *self, const ness_network *net, const fit_problem *problem,
                               const fit_result *fit, double *energy, double *error);
void fit_graph_free(fit_graph *self);

/* words.c: "1->2=3->4" and "1->2=5", directions by their states or by the name of their step, -STEP for its way back.
 */
ness_status fit_equal(fit_problem *problem, const source *from, const fit_graph *graph, const char *text,
                      ness_diags *diags);
ness_status fit_fix(fit_problem *problem, const source *from, const fit_graph *graph, const char *text,
                    ness_diags *diags);

/* model.c: the fit as a model file. energy NULL: rates alone. */
ness_status fit_model(const source *from, const char *path, const fit_problem *problem, const fit_result *fit,
                      const double *energy, const double *energy_error, const fit_graph *graph, text_buffer *out);

#endif
