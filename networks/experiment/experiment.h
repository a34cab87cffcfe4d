/* Questions asked of a model, inside view: a loaded model, the values an expression can take from an exact solution or
 * a sample, and the pieces that answers are made of. This room joins the language with the engines; nothing includes
 * it. */
#ifndef NETWORKS_EXPERIMENT_H
#define NETWORKS_EXPERIMENT_H

#include "engine/cme/cme.h"
#include "engine/cme/evolve.h"
#include "engine/cme/passage.h"
#include "engine/cme/response.h"
#include "engine/hybrid/hybrid.h"
#include "engine/motion/motion.h"
#include "engine/ssa/ssa.h"
#include "networks/lang/lang.h"
#include <ness/model.h>

struct ness_model {
  lang_file *file;
  lang_override *overrides; /* settings of the call, evaluated */
  int32_t noverrides;
  char *settings; /* as given, joined with "; " */
  lang_model *compiled;
  bool imported; /* from a file of rates: it has no parameters */
};

/* --- question.c: what `solve` can be asked for and leaves behind --- */

typedef enum question_kind { QUESTION_STEADY, QUESTION_TRANSIENT, QUESTION_ODE, QUESTION_LNA } question_kind;

typedef struct question {
  question_kind kind;
  double time, every; /* s; ODE and LNA: time 0 asks for the state at rest */
  cme_options limits;
  transient_options transient;
} question;

/* The kind of this name; false when there is none. */
bool question_named(const char *name, question_kind *out);
/* Checks time and every. */
ness_status question_times(const question *self, ness_diags *diags);
/* Answers a question: at rest into *exact (rates and moments; without states where it comes from rate equations), in
 * time into *path. The other is left empty. Both are the caller's to free, and so is *still: the model whose network
 * it speaks of where inputs moved as variables of it, else NULL. */
ness_status question_ask(const question *self, const lang_model *model, ness_diags *diags, cme_solution *exact,
                         evolution *path, double *input_work, lang_model **still);
/* Whether the model's inputs stand or flip, as all questions but the steady state ask for; false after a report. */
bool question_still(const lang_model *model, ness_diags *diags);
/* Whether every step is a hop of counts, as the master equation asks for; false after a report. */
bool question_hops(const lang_model *model, ness_diags *diags);
/* Warns, where an input moves continuously without levels, that the model's network has its value in the file. */
void question_warn(const lang_model *model, ness_diags *diags);

typedef struct moving_inputs moving_inputs; /* driven.h */

/* --- values.c: what rate(), mean(), sigma ... are at the moment --- */

typedef struct values {
  lang_model *model;
  const ness_network *network; /* NULL: the model's */
  const cme_solution *exact;   /* one of exact, path and sample, or none; without parts: from rate equations */
  const evolution *path;
  cme_cycles *cycles; /* of exact, found at first use */
  bool cycles_found;
  const ssa_result *sample;
  const struct sample_ledger *ledger; /* of a sample that keeps its own, NULL others */
  const char *input;                  /* the name of an input that moved continuously, NULL none */
  double input_work;                  /* of it, in `exact`, kT/s */
  int32_t left_out;                   /* batch that is left out, -1 none */
  const struct let_value *lets;
  rng_stream *random; /* for uniform() and loguniform(), NULL none */
} values;

typedef struct hook_context {
  values *v;
  ness_diags *diags;
} hook_context;

typedef struct let_value { /* `let`: the value, and for a sample the value without each batch */
  const char *name;
  quantity value;
  int32_t batches;
  double *without; /* (batches) */
  struct let_value *next;
} let_value;

typedef struct estimate {
  quantity value;
  double error;    /* standard error, 0 when exact */
  int32_t batches; /* 0 exact */
  double *without; /* (batches) owned, values without each batch; NULL exact */
} estimate;

/* The value of an expression with its jackknife error. False with the reason in diags. */
bool values_estimate(values *self, const expr *node, ness_diags *diags, estimate *out);
void estimate_free(estimate *self);
void values_free(values *self); /* cycles found on the way */
/* Basic quantities: net, forward, backward rate of a step (1/s), mean and variance of a slot. */
double values_linear(const values *self, int32_t kind, int32_t id);
double values_observable(const values *self, int32_t kind, int32_t id); /* `kind` is passed over */
double values_variance(const values *self, int32_t slot);
double values_entropy(const values *self); /* k_B/s */
double values_work(const values *self, int32_t source);

/* Whether there is what a function needs: the master equation's steady state (`exact`), or any result. */
bool values_need(values *self, const expr *node, ness_diags *diags, bool exact, bool *ok);
/* --- values_exact.c: functions of the master equation's steady state. False when the call is none of them. --- */
bool values_exact_call(hook_context *c, const expr *node, quantity *out, bool *ok);
/* Weights (2 nstep) that make a linear flow count its events, and the unit of one count. False with the reason. */
bool values_weights(hook_context *c, const expr *node, double *weight, quantity *count);
/* Derivatives of a linear flow or mean, or of sigma. */
bool response_of(hook_context *c, const expr *node, response *out);
/* What response_linear is asked for: weights (2 nstep) of events and (nslot) of counts, added to. */
void response_weights(const lang_linear *l, double *weight, double *count);
/* First passages to conditions on counts; `second` may be NULL. */
ness_status passage_of(hook_context *c, const expr *first, const expr *second, const passage_options *options,
                       passage *out);

/* --- derivative.c: exact derivatives of the steady state with respect to values of the file --- */
/* A linear flow or mean or sigma, and its derivatives (n) with respect to the values of the slopes, SI by SI. */
bool derivatives_of(hook_context *c, const expr *node, const lang_slopes *slopes, int32_t n, quantity *value,
                    double *out);
/* derivative(x, p) */
bool derivative_call(hook_context *c, const expr *node, quantity *out);

typedef struct derivative_names { /* the values of a file that change a rate or one of some expressions */
  int32_t n, nrefused;
  lang_slopes *slopes;          /* (n) */
  const char **name, **refused; /* (n), (nrefused) without a derivative */
  char (*reason)[200];          /* (nrefused) */
} derivative_names;

ness_status derivative_names_find(hook_context *c, expr *const *nodes, int32_t nnodes, derivative_names *out);
void derivative_names_free(derivative_names *self);

/* --- range.c: from : to : by, or from : to : *by --- */

typedef struct scan_range {
  quantity from;
  double by; /* what is added, SI, or what is multiplied with */
  bool factor;
  int64_t count;
} scan_range;

/* The points of a range, at most `most`; without a step there are 21. False after a report. */
bool range_find(lang_model *model, const expr *from, const expr_argument *rest, lang_place place, int64_t most,
                ness_diags *diags, scan_range *out);
quantity range_value(const scan_range *self, int64_t point);

/* --- sample.c: a simulation, whatever moves the model --- */

/* What a sample summed event by event: all arrays by batches, borrowed. */
typedef struct sample_ledger {
  const double *medium, *work, *input_work; /* k_B; (sources) kT; (inputs) kT */
  int32_t nsource, ninput;
  const lang_process *input; /* (ninput) whose works these are */
  bool one_way;              /* a step without a way back fired */
} sample_ledger;

typedef struct sampled {
  ssa_result counts; /* under a moving input a view of `moved`, where something flows one of `flow` */
  motion_result moved;
  hybrid_result flow;
  bool flows;
  sample_ledger ledger;
  const char *input; /* borrowed of the model; NULL: none moves continuously, or not as the only thing that does */
  lang_model *still; /* owned, with inputs: the model whose network was simulated, where it is not the caller's */
} sampled;

/* `text` and `settings` go into the dump. Free in any case. */
ness_status sample_run(const lang_model *model, const ness_simulate_options *options, const char *text,
                       const char *settings, ness_diags *diags, sampled *out);
void sample_free(sampled *self);

/* --- timeline.c --- */

#define SAMPLE_REPLICAS 64 /* of a simulation, where the caller names none */

typedef struct timeline { /* states at grid times */
  int32_t nslot;
  int64_t replicas, times; /* the first is the start of counting, which the sums do not list */
  double *x;               /* (replicas x times x nslot); NULL: none are kept */
  double *time;            /* (times) */
  /* of a dump: what was counted from the start to the end of every chunk */
  dump_writer *writer; /* NULL: none is written */
  const ness_network *net;
  double end, window;            /* s; window: of level flux, else 0 */
  int64_t chunk_rows, chunks;    /* of a replica; with tracks the replicas that are written */
  double *total;                 /* (replicas x chunks x timeline_width) */
  int64_t *done;                 /* (replicas) chunks that are whole */
  int32_t ledger;                /* numbers of a chunk's ledger, 0 none */
  bool flows;                    /* chunks tell real numbers too */
  struct timeline_track **track; /* (replicas) of levels flux and events: chunks that wait for their turn; else NULL */
  ness_diags *diags;             /* of the file, for them; borrowed */
} timeline;

#define TIMELINE_FEW 16    /* replicas: fewer are estimated from pieces of their time, so that chunks must be short */
#define TIMELINE_PIECES 64 /* of a replica then; else its halves */

/* What stands in the first frame of a dump about what moved continuously. */
typedef struct timeline_input {
  const char *name, *kind; /* of an input, or several */
  double period;           /* s, of all; 0 none */
  bool counted;            /* windows and events can be told */
  bool flows;              /* something flows or answers back; inputs, "" none, move beside it */
} timeline_input;

/* The options with the times that a dump of level grid has unless they say: a hundredth of the counted time. Other
 * levels keep no states. */
ness_simulate_options timeline_options(const ness_simulate_options *given);
/* Room for the grid of the options, none where they have no `every`. Free with timeline_free in any case. */
ness_status timeline_room(timeline *self, const ness_network *net, const ness_simulate_options *options,
                          int64_t replicas, ness_diags *diags);
void timeline_free(timeline *self);
void timeline_tracks_free(timeline *self);
/* With a path in the options: creates the dump, at level grid or, under an input that is counted, flux or events,
 * before the run. `model_text` and `settings` make it repeatable. NESS_USAGE for other levels. */
ness_status timeline_create(timeline *self, const ness_simulate_options *options, const char *method,
                            const timeline_input *input, const char *model_text, const char *settings,
                            ness_diags *diags);
/* Behind a run that ended with `status`: writes every chunk that is whole, in the order of replicas, and closes.
 * NESS_STOPPED becomes NESS_INTERRUPTED where a dump is written: there is no going on with it. */
ness_status timeline_close(timeline *self, ness_status status, ness_diags *diags);
/* What replicas have counted at their rows: hybrid_count, motion_count. */
ness_status timeline_flown(void *context, int64_t replica, int64_t row, const hybrid_now *now);
ness_status timeline_moved(void *context, int64_t replica, int64_t row, const motion_now *now);
/* Windows and events of a run, and the end of a replica: motion_count, motion_events, and `done` of its options. */
ness_status timeline_window(void *context, int64_t replica, int64_t row, const motion_now *now);
ness_status timeline_events(void *context, int64_t replica, const motion_log *log, bool end, const motion_now *now);
ness_status timeline_done(void *context, int64_t replica);
/* Rows of a run, with a timeline as their context: hybrid_row, motion_row. */
ness_status timeline_row(void *context, int64_t replica, int64_t row, double time, const double *x);
ness_status timeline_counts(void *context, int64_t replica, int64_t row, double time, const int64_t *n);
/* Sums of states and squares over the replicas of each batch of `out`, in arrays of their own: timeline_forget, in any
 * case. */
ness_status timeline_sums(const timeline *self, ssa_result *out);
void timeline_forget(ssa_result *sums);

/* --- flowing.c --- */

/* "mean" and "langevin"; others are HYBRID_EXACT and false. */
bool flowing_method(const char *name, hybrid_mode *mode);
/* `out` is a view of `flow` with states at grid times of its own; both are freed by flowing_free, in any case.
 * `inputs`: with its model's network; NULL none. */
ness_status flowing_run(const ness_network *net, const moving_inputs *inputs, const ness_simulate_options *options,
                        const char *text, const char *settings, ness_diags *diags, hybrid_result *flow,
                        ssa_result *out);
void flowing_free(hybrid_result *flow, ssa_result *counts);
void sample_view(const sampled *self, values *v);

/* --- shared between answers --- */
const char *setting_name(lang_file *file, const char *setting);
/* "V=-60[mV]; KS=2[mM]" taken apart; how many. */
int32_t settings_split(const char *joined, arena *memory, const char ***out);
ness_status settings_evaluate(lang_file *file, const char *const *settings, int32_t n, ness_diags *diags,
                              lang_override **out);
void answer_conventions(ness_doc *doc);
void answer_cycle_text(const ness_network *net, const cme_cycle *cycle, text_buffer *out);
/* The number and the unit a quantity is shown in: mV, kJ/mol, pA, mM, s, 1/s, one over another, else SI. */
double answer_words(quantity q, char words[64]);
/* "V [mV]" of a variable, else the name. */
void answer_slot_name(const ness_network *net, int32_t slot, text_buffer *out);
/* The number under `key` and the unit under "unit". */
void answer_quantity(doc_node *row, const char *key, quantity q);
/* The same with the unit in the key, "V [mV]": a column of a table. */
void answer_column(doc_node *row, const char *title, quantity q);

#endif
