/* The compiled model, inside view: what symbols.c declares, eval.c evaluates, energy.c solves and lower.c turns into a
 * network. All arrays live in the model's arena or grow by mem_grow; ids are positions.
 *
 * A model may be compiled with one active value (slopes.c). Then `d` of a struct holds the derivatives of its fields of
 * the same names with respect to that value, SI by SI, carried forward through every operation; else all are 0. */
#ifndef NETWORKS_COMPILE_H
#define NETWORKS_COMPILE_H

#include "networks/lang/lang.h"

typedef enum sym_space {                    /* names may repeat between spaces, not inside one */
                         SPACE_VALUE = 'v', /* parameters, reservoirs, slots */
                         SPACE_COMPARTMENT = 'c',
                         SPACE_ION = 'i',
                         SPACE_LATTICE = 'l',
                         SPACE_FAMILY = 'p',
                         SPACE_STEP = 't',
                         SPACE_CYCLE = 'y',
                         SPACE_OBSERVABLE = 'o',
                         SPACE_MOVED = 'm', /* parameters whose name an input has taken, and slots of
                                               reservoirs that move */
                         SPACE_BASE = 'b'   /* X of X[1..n]: first and last index, for messages and free indices */
} sym_space;

typedef enum sym_kind { SYM_PARAM, SYM_RESERVOIR, SYM_SLOT, SYM_OTHER } sym_kind;

typedef struct sym {
  char space;
  sym_kind kind;
  int32_t id, last; /* last: of a base */
  const char *name;
  lang_place place;
  struct sym *next;
} sym;

typedef struct index_binding { /* i = 3 while a family is unrolled */
  const char *name;
  double value;
  const struct index_binding *outer;
} index_binding;

typedef enum lazy { LAZY_OPEN = 0, LAZY_BUSY = 1, LAZY_DONE = 2, LAZY_FAILED = 3 } lazy;

typedef struct model_param {
  const char *name;
  const stmt_item *item;
  const expr *value; /* own expression or list element */
  const char *list_unit;
  const index_binding *env;
  lazy state;
  bool variable; /* := of counts: inlined where it is used */
  bool moves;    /* it is an input that moves as a variable */
  quantity result;
  double slope;
} model_param;

typedef struct model_compartment {
  const char *name;
  const stmt_item *item;
  bool reservoir;
  double volume;      /* m^3 (natural: 1), at the start; 0 none given */
  const expr *swells; /* its volume as an expression of variables, NULL: it stands */
  double phi;         /* potential, kT/e */
  int32_t volt;       /* voltage id or -1 */
  int32_t capacitor;  /* variable that its potential is, -1: it stands */
  double tau;         /* temperature of the model over its own; 1 unless it gives one */
  int32_t heat;       /* id as a source of heat, -1: it has the temperature of the model */
  const expr *sways;  /* its potential as an expression of inputs that move as variables, NULL: it stands */
  struct {
    double volume, phi, tau;
  } d;
} model_compartment;

typedef struct model_ion {
  const char *name;
  double z, mu0;     /* mu0 in kT */
  const expr *sways; /* mu0 as an expression of inputs, as below */
  struct {
    double z, mu0;
  } d;
} model_ion;

typedef struct model_slot {
  const char *name;
  lang_place place;
  int64_t start, max;
  double volume;      /* > 0: its concentration is n / volume at the start */
  double charge, phi; /* e, kT/e of where the charge sits */
  int32_t volt, family, ion, compartment;
  int32_t place_of_charge; /* compartment, -1: no charge, or none that a capacitor feels */
  int32_t field[2];        /* compartments whose potentials phi is made of, the second with this share; -1 none */
  double share;
  int32_t variable;   /* 1 + its index, 0: a count */
  const expr *energy; /* as given, NULL none */
  const index_binding *env;
  lazy state;
  bool known;      /* the energy is given or follows from what is */
  bool sways;      /* `energy` is an expression of inputs that move as variables */
  double own;      /* value of `energy`, kT */
  double standard; /* own + mu0 + charge*phi, kT */
  struct {
    double volume, charge, phi, own, standard;
  } d;
} model_slot;

typedef struct model_reservoir {
  const char *name;
  lang_place place;
  double concentration; /* SI or natural value */
  lang_unit unit;       /* of it: density or none */
  double activity;      /* c/c0 */
  double mu0;           /* kT */
  double z, phi;
  bool mu0_known, bath, input;   /* input: it moves as a variable itself */
  const expr *sways, *mu0_sways; /* concentration and mu0 as expressions of inputs, NULL: they stand */
  int32_t volt, ion, compartment;
  struct {
    double concentration, log_activity, mu0, z, phi;
  } d;
} model_reservoir;

typedef struct model_variable {
  const char *name;
  lang_place place;
  int32_t kind, slot; /* var_kind */
  lang_unit unit;
  double start, low, high; /* SI */
  double print;            /* what it is divided by for people, in units of `text` */
  const char *text;
  double zero, step;    /* value = zero + step n */
  double stiff;         /* kT per count^2 */
  const stmt *equation; /* NULL none */
  /* capacitors */
  int32_t inside, outside; /* compartments */
  double capacitance;      /* F; natural e^2/kT */
  double quantum;          /* charge of one count, e */
} model_variable;

typedef struct model_step {
  const stmt *source;
  const char *name, *text;
  const index_binding *env;
  int32_t nleft, nright, nres_left, nres_right;
  int32_t *left, *right, *res_left, *res_right; /* every mention one id */
  int32_t law[2];
  double k[2];
  double raw[2]; /* relative standard errors as given */
  tape_op *tape[2];
  int32_t nop[2];
  double *constants, *slopes; /* slopes: of constants, NULL without an active value */
  int32_t nconst;
  bool from_energies; /* a rate follows from local detailed balance */
  double lnk;
  double tau;                       /* temperature of the model over that of the place it exchanges with */
  int32_t heat;                     /* 1 + source of heat, 0 none */
  int32_t flip;                     /* 1 + process whose flip it is, 0 none */
  int32_t flow;                     /* flow_kind */
  const expr *speed;                /* k0 or conductance, where inputs move it, NULL */
  double speed_still;               /* at their values in the file */
  int32_t runs_in[2];               /* 1 + slot whose volume is a factor of the constant, 0 none */
  int32_t nvar, *var_slot, *var_by; /* variables that a forward event changes, slots ascending */
  const char *base;                 /* the step's name in the file where it stands once for each level, else NULL */
  int32_t nshift, *shift_src;       /* sources, ascending, whose work differs at the levels that the step is taken at */
  double *shift_kt;                 /* by this much in a forward event, kT */
  struct {
    double log_k[2], lnk, tau;
  } d;
} model_step;

/* What inputs that move as variables move beyond the rates that name them. */
typedef enum sway_kind {
  SWAY_CONCENTRATION, /* of a reservoir */
  SWAY_POTENTIAL,     /* of a compartment */
  SWAY_STANDARD,      /* mu0 of a reservoir */
  SWAY_ION,           /* mu0 of an ion, for its counts */
  SWAY_ENERGY         /* of a slot */
} sway_kind;

typedef struct model_sway {
  sway_kind kind;
  int32_t id;
} model_sway;

typedef struct model_observable {
  const char *name;
  lang_linear linear;
} model_observable;

struct lang_model {
  arena memory;
  const lang_file *file;
  ness_diags *diags;
  lang_override *overrides;
  int32_t noverrides;
  struct {
    const char *name;
    const expr *value;
    lang_place place;
    bool used;
  } * given; /* of include ... with */
  int64_t ngiven, given_capacity;
  sym **table;
  int32_t table_size, nsym;
  model_param *params;
  model_compartment *compartments;
  model_ion *ions;
  model_slot *slots;
  model_reservoir *reservoirs;
  model_step *steps;
  model_observable *observables;
  model_variable *variables; /* capacitors first */
  const char **families;
  int64_t *family_copies;
  bool *family_energies;
  int64_t nparam, ncompartment, nion, nslot, nreservoir, nstep, nobservable, nfamily, nvariable;
  int64_t param_capacity, compartment_capacity, ion_capacity, slot_capacity, reservoir_capacity, step_capacity,
      observable_capacity, variable_capacity, family_capacity, copies_capacity, energies_capacity;
  bool still;           /* processes that are continuous stand, or move as variables: */
  lang_process *inputs; /* (ninput) those */
  int32_t ninput;
  model_sway *sways;
  network_part *parts; /* what they make of energies and potentials */
  int64_t nsway, npart, sway_capacity, part_capacity;
  lang_process *processes;
  int64_t nprocess, process_capacity;
  int32_t nvolt, nheat, nproc;
  const char **volt_names;
  double *volt_phi;
  int64_t volt_names_capacity, volt_phi_capacity;
  double temperature, kt; /* K, J; natural: 0 and 1 */
  struct {
    double temperature, kt;
  } d;
  const char *active; /* name of the value that slopes are taken to, NULL none */
  ness_network *network;
};

/* --- symbols.c --- */
sym *sym_find(const lang_model *m, char space, const char *name);
sym *sym_add(lang_model *m, char space, const char *name, sym_kind kind, int32_t id, lang_place place);
/* "K.s[3]" from a path with its subscripts evaluated; ends of lattices become their compartments. NULL after a report.
 */
const char *sym_path(lang_model *m, const expr_path *path, const index_binding *env);
/* Reports an unknown name with the nearest one of these spaces. */
void sym_unknown(lang_model *m, lang_place place, const char *name, const char *what, const char *spaces);
bool symbols_declare(lang_model *m);
/* A new one, its name in this space; -1 after a report. */
int32_t symbols_slot(lang_model *m, char space, const char *name, lang_place place);
const index_binding *bind_index(lang_model *m, const char *name, double value, const index_binding *outer);
bool sym_range(lang_model *m, const expr *from, const expr *to, const index_binding *env, int32_t *first,
               int32_t *last);

bool model_grow(lang_model *m, void *block, int64_t *capacity, int64_t need, size_t width);
bool model_override(lang_model *m, const char *name, quantity *value);
const expr *model_given(lang_model *m, const char *name);

/* --- eval.c --- */
typedef struct eval_tape { /* grows in the model's arena */
  tape_op *ops;
  double *constants, *slopes;
  int32_t nop, nconst, op_capacity, const_capacity, slope_capacity;
} eval_tape;

typedef struct eval {
  lang_model *m;
  const index_binding *env;
  bool energies;   /* a slot's name means its energy */
  eval_tape *tape; /* not NULL: a slot's name means its count, and variable values become operations */
  bool *moved;     /* not NULL: inputs that move have the values of the file, and it is set where one was met */
  lang_hook hook;
  void *hook_context;
} eval;

typedef struct eval_value {
  quantity q;
  bool constant;
  int32_t reg;
  double slope; /* of a constant; NaN at a corner or a jump */
} eval_value;

bool eval_expr(const eval *self, const expr *e, eval_value *out);
/* A constant and its slope; the unit must be `unit` (0 fits every unit). `what` names it in messages. Where `slope` is
 * NULL (counts, indices) a value that the active one changes is refused. */
bool eval_constant(const eval *self, const expr *e, quantity *out, double *slope);
bool eval_as(const eval *self, const expr *e, lang_unit unit, const char *what, double *out, double *slope);
/* In kT; `moved` as in eval. */
bool eval_energy(lang_model *m, const expr *e, const index_binding *env, bool *moved, double *kt, double *slope);
bool eval_param(lang_model *m, int32_t id, const eval *from, eval_value *out);
int32_t eval_reg(const eval *self,
                 const eval_value *value); /* its register, a CONST op where needed; -1 out of memory */
int32_t eval_emit(const eval *self, tape_code code, int32_t a, int32_t b, int32_t c);
const expr *argument_value(const expr_argument *list, const char *name);

/* --- energy.c --- */
bool energy_slots(lang_model *m);      /* own and standard energies of slots, from what is given */
bool energy_potentials(lang_model *m); /* standard potentials of baths from `potential` statements */
bool energy_infer(lang_model *m);      /* free energies that raw reversible steps fix */

/* --- heat.c --- */
typedef struct heat_drop { /* from left to right, in kT of the model */
  double standard;         /* of standard free energies, electrical part included */
  double concentrations;   /* of ln concentration: reservoirs ln a, copies in a volume -ln(V c0) */
  double bath, place;      /* the ln a of baths, and of reservoirs that have a place */
  struct {
    double standard, concentrations, bath, place;
  } d;
} heat_drop;

bool heat_declare(lang_model *m, const expr *value, model_compartment *c); /* temperature T of a compartment */
bool heat_place(lang_model *m, model_step *step); /* the one temperature that a step touches, or a report */
heat_drop heat_drop_of(const lang_model *m, const model_step *step);
double heat_work(const lang_model *m, const model_step *step);        /* that the heat does in a forward event, kT */
double heat_potential(const lang_model *m, const model_reservoir *r); /* chemical, kT of the model */
double heat_work_slope(const lang_model *m, const model_step *step);
double heat_potential_slope(const lang_model *m, const model_reservoir *r);

/* --- lower.c --- */
bool lower_steps(lang_model *m);
bool lower_count(lang_model *m, const step_term *term, const index_binding *env, int32_t *count); /* copies of a term */
bool lower_rates(lang_model *m, bool from_energies);
/* A register times the counts that a direction takes, one factor less for each that it takes again; `bare`: without
 * those that live in a volume. -1 when memory is out. */
int32_t lower_counts(const eval *self, const model_step *step, int dir, int32_t reg, bool bare);
/* The tape becomes the law of the direction; the register is its value. */
bool lower_tape(lang_model *m, model_step *step, int dir, eval_tape *tape, int32_t reg);

/* --- variables.c --- */
/* The capacitor, by its order in the file, that a potential names; -1: it is a value. */
int32_t capacitor_of(const lang_model *m, const expr *potential);
bool variables_declare(lang_model *m);
int32_t variable_find(const lang_model *m, const char *name); /* -1 none */
bool variables_slots(lang_model *m);
/* Start, zero and range in counts of `unit`; 0: about a million over the range. */
bool variable_scale(lang_model *m, model_variable *v, double unit);
bool variables_equations(lang_model *m);               /* steps that drift */
bool variables_drift(lang_model *m, model_step *step); /* the rate of one */
/* The value of a variable on a tape, as a register; -1 when memory is out. */
int32_t variable_register(const eval *self, const model_slot *slot, lang_unit *unit);
bool variables_events(lang_model *m, network_builder *b); /* into the network */

/* --- volume.c --- */
bool volumes_declare(lang_model *m); /* of compartments, once variables stand */
/* Whether the rate of a direction changes with a volume that follows variables. */
bool volume_moves(const lang_model *m, const model_step *step, int dir);
bool volume_same(const lang_model *m, int32_t slot, int32_t other);
/* 1/(c0 V) of a slot on a tape, as a register; -1 when memory is out. */
int32_t volume_inverse(const eval *self, int32_t slot, double c0);
/* A register times what volumes of the moment make of a rate at those of the start; -1 when memory is out. */
int32_t volume_factor(const eval *self, const model_step *step, int dir, int32_t reg);

/* --- membrane.c --- */
typedef struct membrane_law {
  const char *form;
  double x0, split; /* drive at no voltage, kT */
} membrane_law;

bool membranes_declare(lang_model *m); /* scales of variables, and what steps move through capacitors */
bool membrane_both(lang_model *m, model_step *step, const double constant[2], const membrane_law *law);
bool membrane_other(lang_model *m, model_step *step, int given, double lnk); /* ldb beside a constant */
bool membrane_given(lang_model *m, model_step *step); /* constants, where what a step moves or a volume changes them */
bool membrane_conductance(lang_model *m, const model_step *step, const expr *value, bool *moved, double *given,
                          double *k0);

/* --- sway.c --- */
bool sways_find(lang_model *m); /* what inputs move, once energies are known */
/* Whether inputs move the drive of a step (`whole`: with its concentrations), and what else its rates are made of. */
bool sway_drives(const lang_model *m, const model_step *step, bool whole);
bool sway_scales(const lang_model *m, const model_step *step, int dir);
/* Whether they move the potential of a reservoir, or the energy of a slot. */
bool sway_of_reservoir(const lang_model *m, int32_t id);
bool sway_of_slot(const lang_model *m, int32_t id);
bool sway_place(const lang_model *m, const model_step *step); /* a report where its place has another temperature */
/* A register with the drive of the moment in place of that at the values of the file, times `sign`, added; one times
 * what the moment makes of concentrations (but for `bare`) and of the speed. -1 when memory is out. */
int32_t sway_drive(const eval *self, const model_step *step, int32_t reg, double sign, bool whole);
int32_t sway_scale(const eval *self, const model_step *step, int dir, int32_t reg, bool bare);
/* The concentration of a reservoir, in its unit; -1 after a report. */
int32_t sway_concentration(const eval *self, const model_reservoir *r);
bool sways_parts(lang_model *m); /* what they make of energies and potentials */
/* An input that does something else in the other model, NULL: none. */
const char *sways_differ(lang_model *a, const lang_model *b);

/* --- process.c --- */
bool process_any(const lang_file *file);
bool process_declare(lang_model *m); /* what the file says of its processes */

/* Of a name in the file. */
lang_process *process_input(const lang_model *m, const char *name);
void process_inputs(lang_model *m); /* params that move as variables, before anything has a value */

/* --- levels.c --- */
/* Steps whose rates a process moves become one for each of its levels; levels become slots and flips steps. */
bool levels_expand(lang_model *m);

/* --- model.c --- */
/* The stages up to the rates, with these settings on top: a model without a network, NULL after a report. */
lang_model *model_at(const lang_model *like, const lang_override *settings, int32_t nsettings);
/* Compiles; `active` is the name of the value that slopes are taken to, NULL none. */
ness_status model_compile(const lang_file *file, lang_override *overrides, int32_t noverrides, const char *active,
                          ness_diags *diags, lang_model **out);

/* --- slopes.c --- */
/* Whether a slope is 0; else the reason why there is no derivative is reported: the active value changes `what`. */
bool slope_flat(lang_model *m, lang_place place, double slope, const char *what);
/* Whether a slope is a number; NaN and infinity are reported. */
bool slope_known(lang_model *m, lang_place place, double slope);

/* --- network.c --- */
bool network_build(lang_model *m);
ness_status network_asserts(lang_model *m); /* NESS_EXPECT when one does not hold */

#endif
