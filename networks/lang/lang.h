/* The model language, inside view: source text, tokens, units, the parsed file, and the compiled model.
 *
 * text --lexer--> tokens --parser--> file (statements and expressions, immutable)
 * file + overrides --compile--> model (symbols with values, energies and a network from engine/model)
 * A file is parsed once and may be compiled many times with different overrides (scans, experiments, roots).
 * Every node knows its place, so that each error shows file, line, column, the line itself and a caret. */
#ifndef NETWORKS_LANG_H
#define NETWORKS_LANG_H

#include "engine/base/base.h"
#include "engine/model/model.h"

#define LANG_MAX_FILE ((size_t)16 << 20) /* bytes of one model file */
#define LANG_MAX_DEPTH 200               /* nesting of blocks and expressions */
#define LANG_MAX_HEIGHT 4000             /* of one expression's tree, long sums included */
#define LANG_MAX_INCLUDE 16
#define LANG_MAX_ITEMS 2000000 /* slots, steps or indexed values of one model */

/* --- source and place --- */

typedef struct lang_source {
  const char *name; /* as shown in diagnostics */
  const char *text;
  size_t length;
  struct lang_source *next;
} lang_source;

typedef struct lang_place {
  const lang_source *source;
  int32_t offset, length; /* bytes in the source */
  int32_t line, column;   /* from 1 */
} lang_place;

void lang_error(ness_diags *diags, lang_place place, const char *hint, const char *format, ...) BASE_PRINTF(4, 5);
void lang_warning(ness_diags *diags, lang_place place, const char *hint, const char *format, ...) BASE_PRINTF(4, 5);

/* --- units: a value in SI with exponents of metre, kilogram, second, ampere, kelvin; mol is the number N_A --- */

typedef struct lang_unit {
  int8_t m, kg, s, a, k;
} lang_unit;

typedef struct quantity {
  double value;
  lang_unit unit;
} quantity;

extern const lang_unit UNIT_NONE, UNIT_SECOND, UNIT_RATE, UNIT_VOLT, UNIT_ENERGY, UNIT_DENSITY, UNIT_VOLUME,
    UNIT_KELVIN;

#define CONST_KB 1.380649e-23        /* J/K, exact in the SI */
#define CONST_E 1.602176634e-19      /* C, exact */
#define CONST_NA 6.02214076e23       /* exact */
#define CONST_C0 (1000.0 * CONST_NA) /* 1 M as particles per cubic metre */

bool unit_equal(lang_unit a, lang_unit b);
lang_unit unit_scale(lang_unit a, int by);    /* every exponent times `by` */
lang_unit unit_add(lang_unit a, lang_unit b); /* of a product */
/* Parses "1/M^2/s", "kJ/mol"; false with *bad on the first wrong character. `kt` is k_B T in joule, 0 unknown. */
bool unit_parse(const char *text, size_t length, double kt, quantity *out, size_t *bad, const char **why);
/* The unit in the words of biophysics (mV, M, kJ/mol...) or SI base units. */
void unit_text(lang_unit unit, char out[64]);

/* --- expressions --- */

typedef enum expr_kind {
  EXPR_NUMBER, /* number with optional unit text */
  EXPR_NAME,   /* a path: name, name[i], ion.compartment, ion.lattice[i] */
  EXPR_CALL,   /* function of arguments, some named */
  EXPR_UNIT,   /* a [unit] */
  EXPR_NEG,
  EXPR_NOT,
  EXPR_ADD,
  EXPR_SUB,
  EXPR_MUL,
  EXPR_DIV,
  EXPR_POW,
  EXPR_LT,
  EXPR_LE,
  EXPR_GT,
  EXPR_GE,
  EXPR_EQ,
  EXPR_NE,
  EXPR_AND,
  EXPR_OR
} expr_kind;

typedef struct expr expr;

typedef struct expr_path { /* K.s[i+1]: up to two names, each with an optional subscript or range of subscripts */
  const char *name[2];
  expr *from[2], *to[2]; /* from NULL: no subscript; to NULL: a single one */
  int32_t parts;
} expr_path;

typedef struct expr_argument {
  const char *name; /* NULL: positional */
  expr *value;
  expr *range_to, *range_by; /* p = a : b : c */
  bool factor;               /* p = a : b : *c */
  lang_place place;
  struct expr_argument *next;
} expr_argument;

struct expr {
  expr_kind kind;
  lang_place place;
  int32_t height; /* of the tree below, limited: evaluation recurses */
  double number;
  const char *name; /* call: function; unit: text */
  expr_path path;
  expr *a, *b;
  expr_argument *arguments;
};

/* --- statements: one struct a kind, in a list in the order of the file --- */

typedef enum stmt_kind {
  STMT_UNITS,
  STMT_TEMPERATURE,
  STMT_COMPARTMENT,
  STMT_PARAM,
  STMT_BATH,
  STMT_POTENTIAL,
  STMT_ION,
  STMT_SPECIES,
  STMT_PROTEIN,
  STMT_LATTICE,
  STMT_ENERGY,
  STMT_STEP,
  STMT_FOR,
  STMT_CYCLE,
  STMT_ASSERT,
  STMT_OBSERVE,
  STMT_PROCESS,
  STMT_CAPACITOR,
  STMT_VARIABLE,
  STMT_EQUATION, /* x' = expression */
  STMT_EVENT,    /* at, when */
  STMT_OVERRIDE, /* from include ... with */
  STMT_EXPERIMENT,
  /* inside an experiment */
  STMT_SOLVE,
  STMT_SIMULATE,
  STMT_LET,
  STMT_EXPECT,
  STMT_SCAN,
  STMT_RANDOM
} stmt_kind;

typedef struct stmt_item { /* the common shape of declared things: name, subscript, value, attributes */
  expr_path path;
  lang_place place;
  const char *index; /* X[i in 1..n]: the index variable, else NULL */
  expr *value;       /* after = or := */
  bool recomputed;   /* := */
  expr *list;        /* {a, b, c}: first of a chain by ->b */
  int32_t list_length;
  expr_argument *attributes; /* energy, charge, max, in, at, mu0, volume, potential, reservoir, start */
  struct stmt_item *next;
} stmt_item;

typedef struct step_term {
  int32_t count; /* as written; 1 with `times` */
  expr *times;   /* a count that is a value: k A, (2*k) A; else NULL */
  expr_path path;
  lang_place place;
  struct step_term *next;
} step_term;

typedef struct step_rate {
  bool given, ldb;
  expr *value, *error;      /* value +- error */
  expr_argument *arguments; /* of ldb(...) */
  lang_place place;
} step_rate;

typedef struct lang_table { /* the course of a process: rows of time and value, as a file beside the model has them */
  const lang_source *source;
  expr *unit[2]; /* what one of each column is: 1, or 1 with the unit of the header */
  int32_t rows;
  const double *column[2]; /* (rows) times ascending */
} lang_table;

typedef struct stmt {
  stmt_kind kind;
  lang_place place;
  const char *name; /* model part, experiment, loop variable, lattice, "steady" */
  expr_path label;  /* step, cycle */
  stmt_item *items;
  expr_argument *arguments;
  expr *a, *b, *c;                                       /* loop from, to; assert and expect: left, right, tolerance */
  expr_kind relation;                                    /* assert, expect */
  bool natural, approx, sigma, reversible, whole, fluid; /* units natural; ~; within k sigma; <->; @@; fluid */
  step_term *left, *right;
  step_rate forward, backward;
  const lang_table *table; /* process: its points, NULL: in the statement */
  struct stmt *body;
  struct stmt *next;
} stmt;

/* --- the parsed file --- */

typedef struct lang_file {
  arena memory;
  lang_source *sources; /* the main file first, then includes */
  const char *name;     /* after `model` */
  bool natural;
  stmt *statements;
  stmt *experiments;
} lang_file;

/* Parses a file, or text when `text` is not NULL (path is then its name; a bundle made by lang_bundle brings its
 * includes). Owned by the caller: lang_file_free. Errors are in diags. */
ness_status lang_parse(const char *path, const char *text, size_t length, ness_diags *diags, lang_file **out);
void lang_file_free(lang_file *self);
/* The main text, followed by each include behind a line "#@file name": parses to the same file anywhere. Owned text. */
char *lang_bundle(const lang_file *self);
/* Parses "NAME=VALUE", "V=-60[mV]", "V=-100:100:5[mV]" as the command takes it. Nodes live as long as the file. */
ness_status lang_parse_setting(lang_file *self, const char *text, ness_diags *diags, stmt_item **item,
                               expr_argument **range);
/* Parses a free expression such as "netflux(S.in)". */
ness_status lang_parse_expression(lang_file *self, const char *text, ness_diags *diags, expr **out);

/* --- processes: inputs that an outside hand moves --- */

typedef enum process_kind {
  PROCESS_TELEGRAPH, /* two levels */
  PROCESS_MARKOV,    /* levels and flips as the file lists them */
  PROCESS_OU,        /* Ornstein-Uhlenbeck: in the network as a grid of levels */
  PROCESS_SHOT,      /* jumps at random times, each decaying */
  PROCESS_SINE,      /* prescribed, as those below */
  PROCESS_SQUARE,
  PROCESS_RAMP,
  PROCESS_STEPS, /* by points: each value holds until the next time */
  PROCESS_LINE   /* straight between them */
} process_kind;

typedef struct lang_process {
  const char *name; /* of the value that it moves: "V", "Na.out" */
  process_kind kind;
  lang_place place;
  lang_unit unit;
  int32_t id; /* as a process of the network, -1: the network has the value of the file */
  /* levels are slots first_slot ... first_slot + nlevel - 1; an input of lang_compile_moving has its slot there */
  int32_t nlevel, nflip, first_slot;
  const char **level_name;
  double *level; /* (nlevel) SI */
  int32_t *from, *to;
  double *up, *down;             /* (nflip) 1/s */
  double *up_slope, *down_slope; /* (nflip) of their logarithms */
  int32_t start;                 /* level at t = 0 */
  /* SI; ou: mean, sd, tau; shot: base, jump, rate, tau; sine: mean, amplitude, frequency, phase (radians); square: low,
   * high, period, share of it that is high; ramp: from, to, begin, end */
  double number[4];
  int32_t npoint;             /* steps, line */
  const double *time, *value; /* (npoint) s, ascending; SI */
  double period;              /* s; 0: once */
} lang_process;

/* Whether it moves between levels of any value, not between a few. */
static inline bool lang_process_continuous(const lang_process *self)
{
  return self->kind >= PROCESS_OU;
}

/* Whether its course is prescribed: a function of time that nothing is drawn for. */
static inline bool lang_process_prescribed(const lang_process *self)
{
  return self->kind >= PROCESS_SINE;
}
const char *lang_process_word(process_kind of); /* "telegraph", "sine", ... */
/* The least and the largest value that a continuous one takes, SI; one at random goes beyond in less than 1e-18 of the
 * time. */
void lang_process_range(const lang_process *self, double *low, double *high);

/* --- the compiled model --- */

typedef struct lang_override { /* a value set from outside: include with, experiment with, command line, scan */
  const char *name;            /* "V", "Na.out", "k[3]" */
  quantity value;
  bool used;
} lang_override;

typedef struct lang_model lang_model;

/* Compiles. `overrides` are taken before those of the file itself; unknown names are errors. */
ness_status lang_compile(const lang_file *file, lang_override *overrides, int32_t noverrides, ness_diags *diags,
                         lang_model **out);
/* The same file and settings with what moves continuously standing: at `value`, where `process` (of that model) is not
 * NULL, else at the value of the file. Flips stay. */
ness_status lang_compile_still(const lang_model *like, const lang_process *process, double value, ness_diags *diags,
                               lang_model **out);
/* The same file and settings with every process that is continuous as a variable of the network, in whose place its
 * slot stands: `first_slot` of lang_inputs. All must stand where a tape can read them; what they make of
 * energies and potentials are lang_parts. `like` must outlive the new model. */
ness_status lang_compile_moving(const lang_model *like, ness_diags *diags, lang_model **out);
const lang_process *lang_inputs(const lang_model *self, int32_t *count); /* none where *count is 0 */
const network_part *lang_parts(const lang_model *self, int32_t *count);
void lang_model_free(lang_model *self);
/* Warns of species and states that no sequence of steps from the start can fill. False when memory is out. */
bool lang_warn_unreached(const lang_model *self, ness_diags *diags);
const ness_network *lang_network(const lang_model *self);
/* The processes of the file, none where *count is 0. */
const lang_process *lang_processes(const lang_model *self, int32_t *count);
const lang_file *lang_file_of(const lang_model *self);
double lang_kt(const lang_model *self); /* k_B T, J; 1 in natural units */
/* The unit of a slot that is a variable, else none. */
lang_unit lang_slot_unit(const lang_model *self, int32_t slot);

/* Values of functions and names that only an experiment or an assertion knows. The hook answers true when it knew the
 * expression (an error it reported counts as known with *ok = false). */
typedef bool (*lang_hook)(void *context, const expr *node, quantity *out, bool *ok);

/* The value of an expression in the model's world: parameters, constants, mu(), energy(), charge(), affinity(),
 * nernst(), and what the hook knows. False when it has none; the reason is in diags. */
bool lang_evaluate(lang_model *self, const expr *node, lang_hook hook, void *context, ness_diags *diags, quantity *out);

/* A flow or a mean that is linear in what is counted: sum of coef * (rate or mean of kind and id) + constant, times
 * scale. */
typedef struct lang_linear {
  int32_t n;
  int32_t *kind, *id;   /* obs_kind; step or slot */
  double *coef, *slope; /* slope: of coef, in a model compiled with an active value (lang_slopes) */
  double constant;      /* beside the sum: where the scale of a variable begins */
  quantity scale;       /* 1/s of flows, A of currents, none of counts */
  double scale_slope;
} lang_linear;

/* rate(step), forward(step), backward(step), netflux(reservoir or species), current(compartment), mean(slot),
 * observables, and their sums and multiples. False with the reason in diags. Arrays live as long as the model. */
bool lang_linear_of(lang_model *self, const expr *node, ness_diags *diags, lang_linear *out);
/* Whether a call is one of those by name. */
bool lang_linear_call(const expr *node);

/* A value that depends on counts, as operations for network_tape (engine/model). Arrays live as long as the model. */
typedef struct lang_counts {
  int32_t nop, nslot;
  const tape_op *op;
  const double *constant;
  int32_t *slot; /* (nslot) slots it reads */
  lang_unit unit;
} lang_counts;
bool lang_counts_of(lang_model *self, const expr *node, ness_diags *diags, lang_counts *out);

/* How everything that a network is made of changes with one value of the file: exact derivatives, SI by SI, carried
 * through the compiler by dual numbers. */
typedef struct lang_slopes {
  lang_model *model; /* compiled with the same settings; ids and values are those of the first one */
  quantity value;    /* the value that the slopes are taken to */
  double *log_k;     /* (2 nstep) d ln k of directions with mass action, else 0 */
  double *lnk;       /* (nstep) d ln(k_fwd/k_bwd) where both directions have mass action, else 0 */
  double *constant;  /* (nconst) d tape_const */
  double *g;         /* (nslot) d slot_g */
  double *mu;        /* (nres) d res_mu */
  double *volt;      /* (nvolt) d volt_kt */
  double *heat;      /* (nheatstep) d heat_kt */
  bool any;          /* whether it changes any rate */
} lang_slopes;

/* The slopes to a parameter, an indexed value (k[3]), a bath or a concentration of a reservoir. NESS_MODEL with the
 * reason where there is none: no such name, or the value changes a count, an index, a cap, or stands at a corner or a
 * jump. Free with lang_slopes_free, which takes an empty one. Cost: one compilation. */
ness_status lang_slopes_find(const lang_model *self, const char *name, lang_place place, ness_diags *diags,
                             lang_slopes *out);
void lang_slopes_free(lang_slopes *self);
/* Names that slopes can be taken to, parameters first, then what reservoirs hold; NULL past the last. */
const char *lang_slopes_name(const lang_model *self, int64_t index);
/* The name that a path means ("K.s[i]" with i in sight), NULL with an error in diags. Lives as long as the model. */
const char *lang_name_of(lang_model *self, const expr *node, ness_diags *diags);

/* Ids by path in an expression, subscripts evaluated; -1 with an error in diags. */
typedef enum lang_class {
  LANG_SLOT,
  LANG_RESERVOIR,
  LANG_STEP,
  LANG_CYCLE,
  LANG_OBSERVABLE,
  LANG_VOLTAGE,
  LANG_FAMILY
} lang_class;
int32_t lang_find(lang_model *self, lang_class class, const expr *node, ness_diags *diags);
/* A step that a process moves stands once for each level: lang_find gives the first of them, this the last. */
int32_t lang_step_last(const lang_model *self, int32_t first);
/* Id by text ("K.s[3]"), -1 unknown, no message. */
int32_t lang_find_text(const lang_model *self, lang_class class, const char *name);

#endif
