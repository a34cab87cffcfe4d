/* Questions asked of a model, inside view: a loaded model, the values an expression can take from an exact solution or
 * a sample, and the pieces that answers are made of. This room joins the language with the engines; nothing includes
 * it. */
#ifndef NETWORKS_EXPERIMENT_H
#define NETWORKS_EXPERIMENT_H

#include "engine/cme/cme.h"
#include "engine/ssa/ssa.h"
#include "networks/lang/lang.h"
#include <ness/model.h>

struct ness_model {
  lang_file *file;
  lang_override *overrides; /* settings of the call, evaluated */
  int32_t noverrides;
  char *settings; /* as given, joined with "; " */
  lang_model *compiled;
};

/* --- values.c: what rate(), mean(), sigma ... are at the moment --- */

typedef struct values {
  lang_model *model;
  const ness_network *network; /* NULL: the model's */
  const cme_solution *exact;   /* one of exact and sample, or neither */
  cme_cycles *cycles;          /* of exact, found at first use */
  bool cycles_found;
  const ssa_result *sample;
  int32_t left_out; /* batch that is left out, -1 none */
  const struct let_value *lets;
  rng_stream *random; /* for uniform() and loguniform(), NULL none */
  int64_t max_states;
} values;

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

/* --- shared between answers --- */
const char *setting_name(lang_file *file, const char *setting);
ness_status settings_evaluate(lang_file *file, const char *const *settings, int32_t n, ness_diags *diags,
                              lang_override **out);
void answer_conventions(ness_doc *doc);
void answer_cycle_text(const ness_network *net, const cme_cycle *cycle, text_buffer *out);
/* The number and the unit a quantity is shown in: mV, kJ/mol, pA, mM, s, 1/s, else SI. */
double answer_words(quantity q, char words[64]);
/* The number under `key` and the unit under "unit". */
void answer_quantity(doc_node *row, const char *key, quantity q);
/* The same with the unit in the key, "V [mV]": a column of a table. */
void answer_column(doc_node *row, const char *title, quantity q);

#endif
