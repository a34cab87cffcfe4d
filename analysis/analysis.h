/* Inside the room: what the stream fills and the chapters of the result read.
 *
 * A *unit* is the smallest stretch whose sums are kept apart: half of a replica batch, or a piece of one replica's
 * time. A *batch* is what estimates treat as one observation: both halves of a replica batch, or a time piece. All sums
 * of counts are whole numbers in doubles, exact below 2^53; everything is folded in the order of the file, so that no
 * bit depends on the number of threads. */
#ifndef ANALYSIS_ANALYSIS_H
#define ANALYSIS_ANALYSIS_H

#include "analysis/counting.h"
#include "analysis/factorials.h"
#include "analysis/law.h"
#include "analysis/loops.h"
#include "analysis/memory.h"
#include "analysis/moved.h"
#include "analysis/samples.h"
#include "analysis/statistics.h"
#include "analysis/trace.h"
#include "analysis/waits.h"
#include "analysis/windows.h"
#include "engine/cme/cme.h"
#include "engine/cme/held.h"
#include "engine/dump/dump.h"
#include "engine/model/stoich.h"
#include <ness/analyze.h>

#define ANALYSIS_BATCHES 64
#define ANALYSIS_REPLICAS 16  /* fewer replicas than this: batches of time within replicas */
#define ANALYSIS_AREA_SLOTS 6 /* slots whose rotations against each other are tested */

/* --- tally.c: which sums there are, and the sums of a chunk --- */

typedef struct tally_plan {
  const ness_network *net;
  const dump_run *run;
  bool by_time;            /* batches are pieces of a replica's time */
  bool by_events;          /* the end time is not known: pieces are shares of the limit of events */
  bool halves;             /* units tell the first half of a replica from the second */
  int32_t batches, pieces; /* pieces of a replica */
  int64_t units;
  double start, end; /* s: what pieces divide */
  /* the row of a unit: counted time, events, tape entropy, change of G, change of ln n! over mass-action events, that
   * of ln p at held inputs over all events but flips, then */
  int32_t fwd, bwd, dwell, dwell2, area, ledger, width; /* ledger: of runs that keep one */
  /* where something flows: replicas that begin, their counts then (nslot), how these change (nslot), what they give
   * back of their energy and mixing (nslot), and what of each step had no way back (nstep). Events are real numbers
   * then, and the change of ln n! is that of all counts */
  int32_t started, begin, change, gives, one_way;
  bool tapes;              /* some step's rates are a tape */
  bool mixed;              /* slots of more than one copy are changed by tapes and by mass action */
  bool unknown_mixed;      /* ... and the level does not tell what the tapes did to them */
  unsigned char *slot_law; /* (nslot) 1 changed by mass action, 2 by a tape */
  factorials factorials;
  int32_t nareaslot, narea; /* narea = pairs */
  int32_t area_slot[ANALYSIS_AREA_SLOTS];
  trace *kept;            /* borrowed: where the first events go as they are, NULL nowhere */
  samples *sampled;       /* borrowed: where the first rows of a grid go, NULL nowhere */
  phases *phased;         /* borrowed: sums by phase of an input's period, NULL none */
  const steady_law *held; /* borrowed: the law at held inputs, NULL none. With inputs that flip: of level events */
} tally_plan;

enum { TALLY_TIME, TALLY_EVENTS, TALLY_TAPE, TALLY_ENERGY, TALLY_FACTORIAL, TALLY_HELD, TALLY_HEAD };

typedef struct tally_segment {
  int64_t unit;
  int64_t from, to; /* rows */
} tally_segment;

typedef struct tally_clock { /* of a slot: its integrals over the counted time up to `since` */
  double since, dwell, dwell2;
} tally_clock;

typedef struct tally { /* sums of one chunk */
  tally_segment *segment;
  double *sum;        /* (segments x width) */
  int64_t *n, *m;     /* (nslot) scratch */
  tally_clock *clock; /* (nslot) scratch */
  int64_t *hits;      /* (2 nstep) scratch: events by direction */
  int64_t segments, segment_room, sum_room;
} tally;

ness_status tally_plan_init(tally_plan *self, const ness_network *net, const dump_run *run);
void tally_plan_free(tally_plan *self);
int32_t tally_batch(const tally_plan *self, int64_t unit);
int32_t tally_batch_at(const tally_plan *self, int64_t replica, double t); /* where replicas end by time */
/* The first row from `from` on that is later than t. */
int64_t tally_row_after(const dump_chunk *chunk, int64_t from, double t);
/* The columns (dump_column) that tally_chunk reads of a chunk of which the scalars are known. */
unsigned tally_wanted(const tally_plan *plan, const dump_chunk *chunk, int64_t done);
/* `done`: events of the replica before this chunk, for pieces by events. Any thread, each with its own tally. */
ness_status tally_chunk(const tally_plan *plan, const dump_chunk *chunk, int64_t done, tally *out);
void tally_free(tally *self);
/* sum of ln n! over the slots that mass action changes. */
double tally_factorials(const tally_plan *plan, const int64_t *n);

/* --- stream.c: from the file to the sums --- */

typedef struct stream_sums {
  double *unit;   /* (units x width) */
  double *batch;  /* (batches x width), empty batches left out */
  double *early;  /* (batches x width) first halves; NULL when not known */
  bool *joined;   /* (batches) the batch before this one is the same replica's */
  int32_t *index; /* (batches) its number before empty ones were left out */
  int32_t batches;
  int64_t replicas; /* that ended in the file */
  int64_t absorbed, chunks, unread, gaps;
  int64_t damage;
  bool complete;
} stream_sums;

ness_status stream_run(dump_reader *reader, const tally_plan *plan, const ness_analyze_options *options, double bytes,
                       loops *loop, memory_counts *past, waits *waited, counting *counted, windows_pass *entropy,
                       ness_diags *diags, stream_sums *out);
/* What other sources of chunks do as well: adds the sums of a chunk, and makes batches of the units once all is in. */
/* Takes the loops of a chunk whose segments are in `sums`. Any thread, each with its own counter. */
ness_status stream_follow(const tally_plan *plan, loops *loop, loop_walker *walker, loop_counter *counter,
                          const dump_chunk *chunk, const tally *sums, loop_tally *out);
void stream_add(stream_sums *self, const tally_plan *plan, const tally *sums);
ness_status stream_batches(stream_sums *self, const tally_plan *plan);
void stream_sums_free(stream_sums *self);

/* --- estimate.c: numbers with errors --- */

typedef struct estimate {
  double value, error, low, high; /* error NaN: not known */
  double exact;                   /* NaN: not known */
} estimate;

typedef struct record record;

typedef struct analysis { /* everything the chapters read */
  const char *path;
  const ness_network *net;
  const dump_run *run;
  const tally_plan *plan;
  const stream_sums *sums;
  const cme_solution *exact;      /* NULL: not solved */
  const cme_cycles *exact_cycles; /* NULL: not known */
  loops *loop;
  const record *measured;      /* NULL: a dump. Without a model no rate and no affinity is known but from the data */
  const memory_result *memory; /* NULL: the past could not be tested */
  const waits *waited;         /* NULL: not one molecule that wanders */
  const counting *counted;     /* NULL: no windows, and why in `uncounted` */
  const char *uncounted;
  const windows *entropy;   /* NULL: entropy was not followed window by window */
  const held_laws *held;    /* at held inputs; plan->held is the law of counts that is made of them */
  const steady_law *given;  /* the law given the levels of inputs, while they flip; NULL: not known */
  const char *unheld;       /* NULL, or why the entropy production is not split; "": nobody asks */
  const char *visible;      /* steps that are seen, as asked for; NULL: all */
  const moved_exact *moved; /* what is known beside a run whose input moves; NULL: none moves */
  bool flows;               /* something flows or answers back; then `moved` is NULL */
  bool unerring;            /* nothing was drawn, so that there are no errors of sampling */
  const phases *phased;     /* NULL: none, and why in `unphased` */
  const char *unphased;
  ness_diags *diags;
  int32_t threads;
  double level;
  double student,
      normal; /* what an interval at this level is in errors: of analysis_dof (NaN without), of a normal law */
  int64_t max_cycles;
  double time;     /* all counted time, s */
  double *scratch; /* (batches) */
} analysis;

double analysis_dof(const analysis *self); /* of every interval; 0 when there are too few batches */
/* sum of x over batches per counted time. x has a value a batch. */
estimate estimate_rate(const analysis *self, const double *x, double exact);
/* The same for column `at` of the sums, minus column `minus` unless that is negative. */
estimate estimate_column(const analysis *self, int32_t at, int32_t minus, double exact);
/* A number with a known error and normal intervals. */
estimate estimate_normal(const analysis *self, double value, double error, double exact);
/* Nonlinear: value of all, and value with each batch left out; jackknife error, and *bias. */
estimate estimate_jackknife(const analysis *self, double value, const double *without, double exact, double *bias);
void estimate_doc(doc_node *row, const estimate *self);                  /* estimate, error, low, high, exact, z */
void estimate_put(doc_node *row, const char *key, const estimate *self); /* key, key_error, key_exact */
void number_or_null(doc_node *row, const char *key, double value);
double analysis_total(const analysis *self, int32_t at); /* of a column over all batches */

/* --- basis.c: independent cycles of steps and what currents they carry --- */

typedef struct basis {
  int32_t count, rank; /* listed; all there are */
  int32_t *start, *id; /* CSR: steps */
  double *by;
  int32_t *declared; /* (count) declared cycle or -1 */
  int32_t *chord;    /* (count) place in id of a step that no other cycle has, or -1: then `weight` says */
  double *weight;    /* (count x nstep) the current of a cycle from the net rates; NULL when chords do */
  double *affinity;  /* (count) of the model, kT; NaN unknown; +-inf one-way */
  double *current;   /* (count x batches) net completions */
  char **name;
  arena texts;
  bool skipped; /* the network is too large to look for cycles */
} basis;

ness_status basis_init(basis *self, const analysis *all);
double basis_apply(const basis *self, const ness_network *net, int32_t cycle, const double *net_rate);
void basis_free(basis *self);

/* --- balance.c, currents.c --- */

#define TEST_POWER 0.8
#define TEST_STATED 1.0 /* kT: "consistent with equilibrium" is said where this much would have been seen */

typedef enum flowed_kind {
  FLOWED_VOLTAGE,
  FLOWED_CHANGE,
  FLOWED_MEAN,
  FLOWED_RATE,
  FLOWED_ENERGY,
  FLOWED_DRIVEN
} flowed_kind;

typedef struct flowed {                             /* of a run where something flows: what batches say of it */
  estimate medium, mixing, produced, works, energy; /* per s */
  double traffic, scale;                            /* events and flows both ways, 1/s; all payments, kT/s */
  bool judged, rests;                               /* rests: nothing is seen to change */
  int sign;                                         /* of what is produced; 0: not told from none */
  double p;                                         /* of rest, corrected for the number of tests */
  flowed_kind kind;                                 /* what changes most surely, and of which slot or step */
  int32_t id;
  struct payers *paid; /* owned: payers.h */
} flowed;

typedef struct balance {
  flowed flow;
  bool tested, rejected, wald;
  double p, statistic, d1, d2;
  double smallest;          /* kT; NaN not known */
  double bound;             /* entropy production above which it would have been seen, near equilibrium; NaN */
  const char *method, *why; /* why there is no test */
  int32_t strongest;        /* basis cycle, or count + area, or -1 */
  estimate strength;        /* its affinity, kT, or entropy production of the rotation, k_B/s */
  bool strength_at_least;
  double *seen;         /* (count) smallest affinity of each basis cycle, NaN unknown */
  double *single_p;     /* (count) of each basis cycle by itself, NaN not tested */
  double *single_error; /* (count) of its affinity at equilibrium, kT, NaN unknown */
  estimate *affinity;   /* (count) from data, NaN unknown */
  int32_t one_way;      /* a step without a way back that fired, -1 none */
  bool drift;
  double drift_p; /* NaN: not known */
} balance;

/* Whether the step ran and had no way back. Of records that is not known. */
bool balance_one_way(const analysis *all, int32_t step);
/* The test on currents, where affinities cannot be had from counts. */
ness_status currents_test(balance *out, const analysis *all, const basis *cycles);
/* Two-sided p of a difference between the halves of column(s) x - y, or 1 when there is nothing to compare. */
double drift_p(const analysis *all, int32_t at, int32_t minus);
/* Whether the second half of the run is like the first; warns when it is not. */
void drift_test(balance *out, const analysis *all);
/* Time integral of the product of counts that mass action of a direction multiplies; NaN when the data do not tell. */
double balance_exposure(const analysis *all, int32_t dir);
ness_status balance_test(balance *self, const analysis *all, const basis *cycles);
void balance_doc(const balance *self, const analysis *all, const basis *cycles, ness_doc *doc);
void balance_free(balance *self);

/* --- moved.c: of runs under an input that moves, for which `moved` is not NULL --- */

/* The sum of lnk around a cycle, kT, where it is the same at every value of the input; else NaN. */
double moved_affinity(const analysis *all, int32_t n, const int32_t *steps, const double *by);
/* Two-sided p that a rate over batches is 0 on average; NaN untold. */
double moved_runs_p(const analysis *all, const estimate *rate);
void moved_balance(balance *self, const analysis *all, const basis *cycles); /* in place of balance_test's tests */
void moved_verdict(const balance *self, const analysis *all, const basis *cycles, text_buffer *out);
void moved_doc(const analysis *all, doc_node *root); /* the input */
void moved_noise(const analysis *all, doc_node *root);
void moved_left_out(const analysis *all, doc_node *root);
void phases_doc(const analysis *all, doc_node *root); /* phases.c */

/* --- flowed.c: of runs where something flows --- */

bool flowed_unerring(const dump_run *run);
/* flowed_free in any case. */
ness_status flowed_judge(flowed *self, const analysis *all, const basis *cycles);
void flowed_free(flowed *self);
bool flowed_unsteady(const balance *test); /* seen not to be at rest */
const char *flowed_outcome(const flowed *self, const analysis *all);
void flowed_verdict(const balance *test, const analysis *all, text_buffer *out);
void flowed_doc(const balance *test, const analysis *all, doc_node *root);
void flowed_mean(const analysis *all, int32_t slot, doc_node *row); /* in the unit of a variable */
void flowed_sheet(const balance *test, const analysis *all, doc_node *parent);
void flowed_left_out(const balance *test, const analysis *all, doc_node *root);

/* --- holm.c: cycles one by one --- */

/* Holm's adjusted p of n tests, NaN where p is; false when memory is out. */
bool holm_adjust(const double *p, int64_t n, double *adjusted);
/* The square of an affinity, in errors, that one of n tests at level alpha finds with TEST_POWER; NaN of none. */
double holm_needed(double alpha, int64_t n);
/* How many times more data find an affinity of `stated` kT whose error is now `error`: at most 1 when these data would
 * have. */
double holm_more_data(double error, double stated, double needed);
/* Two-sided p that the direction of completions is a fair coin, exact. */
double holm_coin(double forward, double backward);

/* --- bayes.c: what is believed of affinities after the data, from a stated prior --- */

#define BAYES_PRIOR 0.5 /* events that are as good as seen before the data, of each rate: Jeffreys */

typedef struct bayes_law { /* of a sum of logarithms of independent gamma variables */
  double mean, sd, step;   /* step: of the frequencies at which the transform is known */
  int32_t n;
  double *size, *phase; /* (n) of the transform of the law moved to mean 0, at (k + 1/2) step */
} bayes_law;

/* Of sum by_k ln(g_k), g_k gamma of shape[k] and rate[k], all independent. */
ness_status bayes_law_init(bayes_law *self, int32_t n, const double *by, const double *shape, const double *rate);
double bayes_law_below(const bayes_law *self, double x);    /* P(X <= x) */
double bayes_law_quantile(const bayes_law *self, double p); /* x with P(X <= x) = p */
void bayes_law_free(bayes_law *self);
ness_status bayes_doc(const analysis *all, const basis *cycles, doc_node *root);

/* --- markov.c: what the tests of memory say --- */

bool markov_fails(const analysis *self); /* at the level of the run */
void markov_warn(const analysis *self);
void markov_doc(const analysis *self, doc_node *root);

/* --- entropy.c, fluxes.c, cycles.c: chapters of the result --- */

ness_status entropy_doc(const analysis *all, const basis *cycles, const balance *test, doc_node *root);
void fluxes_doc(const analysis *all, doc_node *root);
/* transduction.c: which flows drive and which are driven; nothing for records and for rates given by formulas. */
ness_status transduction_doc(const analysis *all, const basis *cycles, doc_node *root);

#define BOUND_FAR 100 /* a chi-square or T^2 so far out needs no law of what is next to equilibrium */

void waits_doc(const analysis *all, doc_node *root);       /* waits.c */
void sequences_doc(const analysis *all, doc_node *parent); /* sequences.c */

/* --- noise.c, uncertainty.c, fluctuation.c: what windows of time say --- */

ness_status noise_doc(const analysis *all, doc_node *root);
const char *noise_name(const ness_network *net, const counting_current *at);
ness_status uncertainty_doc(const analysis *all, doc_node *parent);
/* Of dumps of level flux; nothing for others. */
void fluctuation_doc(const analysis *all, doc_node *parent);
/* The mean of exp(-s) over `count` numbers in the order of time, which is 1, and whether it can be trusted. */
void fluctuation_integral(const analysis *all, const double *s, int64_t count, double mean, doc_node *row);
/* adiabatic.c: the two parts of the entropy production, from what each batch gave to the medium, k_B. */
ness_status adiabatic_doc(const analysis *all, const double *medium, doc_node *parent);
ness_status spectra_doc(const analysis *all, doc_node *root); /* spectra.c */
ness_status hidden_doc(const analysis *all, doc_node *root);  /* hidden.c */

ness_status cycles_doc(const analysis *all, const basis *cycles, const balance *test, doc_node *root);

#endif
