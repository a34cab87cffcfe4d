/* The compiled network: one immutable block of flat arrays that every engine reads and nobody writes.
 *
 * A network is slots (integer counts), reservoirs (held potentials), voltages, and steps. A step is a reversible pair:
 * direction 2*s is the forward way of step s, direction 2*s+1 the way back, and all thermodynamics is about the pair.
 * Two steps between the same states stay two steps.
 *
 * Free energy of a state n, in kT:      G(n) = sum_i [ n_i g_i + ln n_i! ]
 * Mass action propensity, in 1/s:       a_d(n) = k_d prod_i n_i (n_i-1) ... (n_i-m_di+1)
 * Local detailed balance of a step:     lnk_s = ln(k_fwd/k_bwd) = -sum_i nu_si g_i + sum_w work_sw
 *   so that  ln(a_fwd(n) / a_bwd(n+nu)) = -[G(n+nu) - G(n)] + sum_w work_sw   along every step.
 * Sources of work, in this order: the reservoirs (chemical part), the voltages (charge that the step moves between
 * reservoirs, times the voltage), the heats (of places with a temperature T_h of their own: heat that the step draws
 * there, times 1 - T/T_h), the processes, and last `undeclared`: what the rates hold beyond what the file declares.
 * The medium entropy of an event is ln(a_fwd(n)/a_bwd(n+nu)) in k_B.
 *
 * A process is an outside hand that moves an input between levels: a family of one copy whose slots are the levels. A
 * step whose rates the input moves stands once for each level, with the level's slot on both sides. The hand's own
 * steps, its flips, give nothing to the medium, so their lnk is 0 whatever their rates. Energies slot_g are those of
 * the input's value in the file; what a level adds to them along a step is work that the process does in the step.
 *
 * A variable is a slot that is read on a scale: its value is zero + unit n. That of a capacitor is a voltage, n counts
 * charge, and its energy is stiff/2 (n - n_0)^2 with n_0 = -zero/unit, in place of n g + ln n!; a step that moves
 * charge q through it meets the voltage half way, V + q/2C, so that both of its ways agree on the energy. Any other
 * variable has no energy. Steps that change a variable have rates by tapes. A step may flow: `fluid` ones are taken as
 * their mean where a simulation allows that, and the drift of an equation x' = f is a step forward whose rate may be
 * negative. Drifts have no entropy; what they do to energies is work, undeclared.
 *
 * An event of the file is a time (once or every so often), or a condition on the counts that fires when it becomes
 * true; it sets slots to new values. Simulations that move in continuous time know it (engine/hybrid). */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "engine/base/base.h"

typedef enum model_law {
  LAW_NONE = 0, /* this direction does not exist */
  LAW_MASS = 1, /* mass action with dir_k */
  LAW_TAPE = 2  /* the value of a tape of operations on the counts */
} model_law;

/* A tape is a straight line of operations, each writing the register of its own position. Comparisons give 0 or 1;
 * EXPREL is (e^x - 1)/x. */
/* clang-format off */
#define TAPE_OPS(X)                                                                                                    \
  X(CONST) X(SLOT) X(ADD) X(SUB) X(MUL) X(DIV) X(POW) X(NEG) X(EXP) X(LN) X(SQRT) X(ABS) X(MIN) X(MAX) X(FLOOR)          \
  X(LT) X(LE) X(EQ) X(AND) X(OR) X(NOT) X(SELECT) X(TANH) X(EXPREL)
typedef enum tape_code {
#define TAPE_ENUM(name) TAPE_##name,
  TAPE_OPS(TAPE_ENUM)
#undef TAPE_ENUM
  TAPE_CODES
} tape_code;
/* clang-format on */

typedef struct tape_op {
  int32_t code;    /* tape_code */
  int32_t a, b, c; /* registers relative to the start of the tape; CONST: a indexes tape_const; SLOT: a is the slot */
} tape_op;

typedef enum var_kind { VAR_CHARGE = 0, VAR_PLAIN = 1 } var_kind; /* of a capacitor; of an equation or an event */
typedef enum flow_kind { FLOW_NONE = 0, FLOW_MEAN = 1, FLOW_DRIFT = 2 } flow_kind;

typedef enum obs_kind { OBS_NET = 0, OBS_FWD = 1, OBS_BWD = 2, OBS_COUNT = 3 } obs_kind; /* per step x3, per slot */

#define MODEL_NO_MAX INT64_MAX

/* Sizes and arrays as tables, so that allocation, storing and verifying cannot forget one: name, type, length, and
 * (S)tored in a dump or (D)erived from the others when a network is built or loaded. */
/* clang-format off */
#define NETWORK_SIZES(X)                                                                                               \
  X(nslot)                                                                                                             \
  X(nfamily)                                                                                                           \
  X(nstep)                                                                                                             \
  X(nres) X(nvolt) X(nreact) X(nchange) X(nexch) X(nwork) X(nop) X(nconst) X(ncycle) X(ncycstep) X(nobs) X(nobsterm)   \
      X(nname) X(nguard) X(ndep) X(nheat) X(nheatstep) X(nproc) X(nflip) X(nshift)        \
      X(nvar) X(nflow) X(nevent) X(nset) X(nrule)

#define NETWORK_ARRAYS(X)                                                                                              \
  X(S, int64_t, slot_start, nslot)                                                                                     \
  X(S, int64_t, slot_max, nslot)                                                                                       \
  X(S, double, slot_g, nslot)                                                                                          \
  X(S, double, slot_charge, nslot)                                                                                     \
  X(S, int32_t, slot_volt, nslot)                                                                                      \
  X(S, int32_t, slot_family, nslot)                                                                                    \
  X(S, int32_t, slot_name, nslot)                                                                                      \
  X(S, int32_t, family_name, nfamily)                                                                                  \
  X(S, int64_t, family_copies, nfamily)                                                                                \
  X(S, double, res_mu, nres)                                                                                           \
  X(S, double, res_activity, nres)                                                                                     \
  X(S, double, res_charge, nres)                                                                                       \
  X(S, int32_t, res_volt, nres)                                                                                        \
  X(S, int32_t, res_name, nres)                                                                                        \
  X(S, double, volt_kt, nvolt)                                                                                         \
  X(S, int32_t, volt_name, nvolt)                                                                                      \
  X(S, double, heat_kelvin, nheat)                                                                                     \
  X(S, int32_t, heat_name, nheat)                                                                                      \
  X(S, int32_t, heat_step, nheatstep)                                                                                  \
  X(S, int32_t, heat_src, nheatstep)                                                                                   \
  X(S, double, heat_kt, nheatstep)                                                                                     \
  X(S, int32_t, proc_name, nproc)                                                                                      \
  X(S, int32_t, flip_step, nflip)                                                                                      \
  X(S, int32_t, flip_proc, nflip)                                                                                      \
  X(S, int32_t, shift_step, nshift)                                                                                    \
  X(S, int32_t, shift_src, nshift)                                                                                     \
  X(S, double, shift_kt, nshift)                                                                                       \
  X(S, int32_t, var_slot, nvar)                                                                                        \
  X(S, int32_t, var_kind, nvar)                                                                                        \
  X(S, double, var_zero, nvar)                                                                                         \
  X(S, double, var_unit, nvar)                                                                                         \
  X(S, double, var_stiff, nvar)                                                                                        \
  X(S, double, var_print, nvar)                                                                                        \
  X(S, int32_t, var_text, nvar)                                                                                        \
  X(S, int32_t, flow_step, nflow)                                                                                      \
  X(S, int32_t, flow_kind, nflow)                                                                                      \
  X(S, int32_t, event_name, nevent)                                                                                    \
  X(S, double, event_at, nevent)                                                                                       \
  X(S, double, event_every, nevent)                                                                                    \
  X(S, int32_t, set_start, n->nevent + 1)                                                                              \
  X(S, int32_t, set_slot, nset)                                                                                        \
  X(S, int32_t, rule_start, n->nevent + n->nset + 1)                                                                   \
  X(S, tape_op, rule, nrule)                                                                                           \
  X(S, int32_t, step_name, nstep)                                                                                      \
  X(S, int32_t, step_text, nstep)                                                                                      \
  X(S, int32_t, step_line, nstep)                                                                                      \
  X(S, double, step_lnk, nstep)                                                                                        \
  X(S, double, step_lnk_error, nstep)                                                                                  \
  X(S, int32_t, dir_law, 2 * n->nstep)                                                                                 \
  X(S, double, dir_k, 2 * n->nstep)                                                                                    \
  X(S, int32_t, react_start, 2 * n->nstep + 1)                                                                         \
  X(S, int32_t, react_slot, nreact)                                                                                    \
  X(S, int32_t, react_mult, nreact)                                                                                    \
  X(S, int32_t, tape_start, 2 * n->nstep + 1)                                                                          \
  X(S, tape_op, tape, nop)                                                                                             \
  X(S, double, tape_const, nconst)                                                                                     \
  X(S, int32_t, change_start, n->nstep + 1)                                                                            \
  X(S, int32_t, change_slot, nchange)                                                                                  \
  X(S, int32_t, change_by, nchange)                                                                                    \
  X(S, int32_t, exch_start, n->nstep + 1)                                                                              \
  X(S, int32_t, exch_res, nexch)                                                                                       \
  X(S, int32_t, exch_by, nexch)                                                                                        \
  X(S, int32_t, cycle_name, ncycle)                                                                                    \
  X(S, int32_t, cycle_start, n->ncycle + 1)                                                                            \
  X(S, int32_t, cycle_step, ncycstep)                                                                                  \
  X(S, int32_t, cycle_by, ncycstep)                                                                                    \
  X(S, int32_t, obs_name, nobs)                                                                                        \
  X(S, int32_t, obs_start, n->nobs + 1)                                                                                \
  X(S, int32_t, obs_kind, nobsterm)                                                                                    \
  X(S, int32_t, obs_id, nobsterm)                                                                                      \
  X(S, double, obs_coef, nobsterm)                                                                                     \
  X(S, char, name, nname)                                                                                              \
  X(D, int32_t, work_start, n->nstep + 1)                                                                              \
  X(D, int32_t, work_src, nwork)                                                                                       \
  X(D, double, work_kt, nwork)                                                                                         \
  X(D, int32_t, guard_start, 2 * n->nstep + 1)                                                                         \
  X(D, int32_t, guard_slot, nguard)                                                                                    \
  X(D, int64_t, guard_low, nguard)                                                                                     \
  X(D, int64_t, guard_high, nguard)                                                                                    \
  X(D, int32_t, step_proc, nstep)                                                                                      \
  X(D, int32_t, step_flow, nstep)                                                                                      \
  X(D, int32_t, slot_var, nslot)                                                                                       \
  X(D, int32_t, dep_start, n->nstep + 1)                                                                               \
  X(D, int32_t, dep_dir, ndep)
/* clang-format on */

typedef struct ness_network {
  /* sizes */
  int32_t nslot;   /* counts: species in compartments, protein states, lattice sites */
  int32_t nfamily; /* proteins: groups of slots whose sum is conserved by every step of the protein */
  int32_t nstep;   /* reversible pairs */
  int32_t nres;    /* reservoirs: a substance in a held compartment, or a bath */
  int32_t nvolt;   /* compartments with a potential, against ground */
  int32_t nreact, nchange, nexch, nwork, nop, nconst, nguard, ndep; /* lengths of the CSR bodies below */
  int32_t ncycle, ncycstep;                                         /* declared cycles */
  int32_t nobs, nobsterm; /* declared observables, linear in rates and counts */
  int32_t nname;          /* bytes of the name blob */
  int32_t nheat;          /* places with a temperature of their own */
  int32_t nheatstep;      /* steps that exchange heat with them */
  int32_t nproc;          /* processes */
  int32_t nflip;          /* steps of theirs */
  int32_t nshift;         /* works that differ by level */
  int32_t nvar;           /* slots that are variables */
  int32_t nflow;          /* steps that flow */
  int32_t nevent;         /* events of the file */
  int32_t nset, nrule;    /* what they set; operations of their tapes */

  /* slots (nslot) */
  const int64_t *slot_start; /* count at t = 0 */
  const int64_t *slot_max;   /* MODEL_NO_MAX when free: a step that would go beyond has propensity 0 */
  const double *slot_g;      /* free energy of one copy, kT, with volume (at the start), charge and field compiled in */
  const double *slot_charge; /* charge that feels the potential slot_volt, e */
  const int32_t *slot_volt;  /* voltage id or -1 */
  const int32_t *slot_family; /* family or -1 */
  const int32_t *slot_name;   /* offset in name, as all *_name and *_text */
  const int32_t *family_name;
  const int64_t *family_copies;

  /* reservoirs (nres) */
  const double *res_mu;       /* chemical potential mu0 + ln(activity), kT, without the electrical part */
  const double *res_activity; /* c/c0 or the bath's activity */
  const double *res_charge;   /* of one particle, e */
  const int32_t *res_volt;    /* voltage id of its compartment or -1 */
  const int32_t *res_name;
  const double *volt_kt; /* (nvolt) potential of the compartment, kT/e */
  const int32_t *volt_name;
  const double *heat_kelvin; /* (nheat) temperature of the place, K; in natural units over that of the model */
  const int32_t *heat_name;
  const int32_t *heat_step, *heat_src; /* (nheatstep) steps, strictly ascending, and the place that each is at */
  const double *heat_kt;               /* work that its heat does in a forward event, kT */

  /* processes */
  const int32_t *proc_name;              /* (nproc) the input that it moves */
  const int32_t *flip_step, *flip_proc;  /* (nflip) steps, strictly ascending, and whose they are */
  const int32_t *shift_step, *shift_src; /* (nshift) ascending by step, then source, no source twice */
  const double *shift_kt;                /* work of the source in a forward event beyond that at the values above, kT */

  const int32_t *var_slot;  /* (nvar) strictly ascending */
  const int32_t *var_kind;  /* var_kind */
  const double *var_zero;   /* value at n = 0, SI or natural */
  const double *var_unit;   /* value of one count */
  const double *var_stiff;  /* kT per count^2; 0 but for a charge */
  const double *var_print;  /* what the value is divided by for people, */
  const int32_t *var_text;  /* and the unit that it then has */
  const int32_t *flow_step; /* (nflow) strictly ascending */
  const int32_t *flow_kind; /* FLOW_MEAN or FLOW_DRIFT */

  /* events of the file, in the order in which they act at the same time */
  const int32_t *event_name;           /* (nevent) how it reads in the file */
  const double *event_at;              /* s; NaN: when its condition becomes true */
  const double *event_every;           /* s; again after so long; 0: once */
  const int32_t *set_start, *set_slot; /* CSR over events: slots that it sets, each to the values before it */
  /* CSR over tapes, whose constants are among those of the steps: of each event its condition (empty for a time), row
   * e + set_start[e], and then the new count of every set k, row e + 1 + k */
  const int32_t *rule_start;
  const tape_op *rule;

  /* steps (nstep) and directions (2*nstep) */
  const int32_t *step_name, *step_text; /* name, and how it reads in the file */
  const int32_t *step_line;             /* line in the model file, 0 unknown */
  const double *step_lnk; /* ln(k_fwd/k_bwd), kT; from energies where the file gives them; +-inf one-way; NaN when a
                             tape sets a rate */
  const double *step_lnk_error;                         /* standard error of lnk as the file gives it; 0 unknown */
  const int32_t *dir_law;                               /* model_law */
  const double *dir_k;                                  /* mass action constant in propensity units, 1/s */
  const int32_t *react_start, *react_slot, *react_mult; /* CSR over directions: reactants of that direction */
  const int32_t *tape_start;                            /* CSR over directions */
  const tape_op *tape;
  const double *tape_const;
  const int32_t *change_start, *change_slot, *change_by; /* CSR over steps: net change of a forward event, never 0 */
  const int32_t *exch_start, *exch_res, *exch_by; /* CSR over steps: net number given TO the reservoir, forward */

  /* declared cycles and observables */
  const int32_t *cycle_name, *cycle_start, *cycle_step, *cycle_by;
  const int32_t *obs_name, *obs_start, *obs_kind, *obs_id;
  const double *obs_coef;
  const char *name; /* all names, zero-terminated, offset 0 is the empty name */

  /* derived */
  const int32_t *work_start, *work_src;    /* CSR over steps */
  const double *work_kt;                   /* work that the source does on the system in a forward event, kT */
  const int32_t *guard_start, *guard_slot; /* CSR over directions: the direction is open only when low <= n <= high */
  const int64_t *guard_low, *guard_high;
  const int32_t *dep_start, *dep_dir; /* CSR over steps: directions whose propensity may change when the step fires */
  const int32_t *step_proc;           /* (nstep) process whose flip it is, -1: a step of the network */
  const int32_t *step_flow;           /* (nstep) flow_kind */
  const int32_t *slot_var;            /* (nslot) index among the variables, or -1 */
  bool dep_left_out;     /* they would be more than 2^28, and none is listed: a simulation has no use for the network */
  int32_t tape_max;      /* longest tape: the length of the scratch that propensities need */
  int32_t one_way_steps; /* steps with exactly one direction */

  double temperature;     /* K; 0 in natural units */
  const char *model_name; /* inside name */
  size_t bytes;           /* of the whole block */
} ness_network;

/* What an input does to an energy or a potential: beyond its value in the network it is that of a tape, in kT, which
 * reads this one input. A copy in slot[i] costs by[i] times that more, and so does a particle of the source, if it is a
 * reservoir, or a charge, if it is a voltage. Several such parts of one energy add. */
typedef struct network_part {
  int32_t input;  /* its slot */
  int32_t source; /* a reservoir, or nres + a voltage; -1 none */
  int32_t nop;
  const tape_op *tape; /* (nop) CONST operations index `constant` */
  const double *constant;
  int32_t nslot;
  const int32_t *slot; /* (nslot) */
  const double *by;
} network_part;

/* --- reading --- */

static inline const char *network_text(const ness_network *self, int32_t offset)
{
  return self->name + offset;
}
static inline int32_t network_sources(const ness_network *self)
{
  return self->nres + self->nvolt + self->nheat + self->nproc + 1;
}

/* Name of a source of work: the reservoir's, the voltage's, that of a heat ("hot.heat"), of a process, or "undeclared".
 */
const char *network_source_name(const ness_network *self, int32_t source);

/* Whether a slot is a level of a process. Cost: the flips. */
bool network_is_level(const ness_network *self, int32_t slot);

/* Propensity of a direction at counts n (nslot), 1/s, never negative; `scratch` has tape_max doubles. A tape that gives
 * a negative value or NaN returns NaN, and the caller stops the run with the step's name; that of a drift may be
 * negative. */
double network_propensity(const ness_network *self, int32_t dir, const int64_t *n, double *scratch);

/* The value of a tape at counts n, with `length` doubles of scratch. */
double network_tape(const tape_op *tape, int32_t length, const double *constant, const int64_t *n, double *scratch);
/* The same and its slope along a parameter that changes the constants with `by`; 2 length doubles of scratch. The slope
 * is NaN where the value has a corner or a jump. */
double network_tape_slope(const tape_op *tape, int32_t length, const double *constant, const double *by,
                          const int64_t *n, double *scratch, double *slope);
/* The slope of one operation's result from the values and slopes of its operands. */
double network_op_slope(tape_code code, double result, const double value[3], const double by[3]);

/* G(n), kT. */
double network_free_energy(const ness_network *self, const int64_t *n);

/* G(n + nu) - G(n) of a forward (way = +1) or backward (way = -1) event of a step from counts n, kT. */
double network_free_energy_change(const ness_network *self, int32_t step, int way, const int64_t *n);

/* Medium entropy of an event from counts n: ln(a_d(n)/a_d'(n')) in k_B, +inf when there is no way back. Uses step_lnk
 * where it is known, so it stays exact next to equilibrium. `after` has room for nslot counts. */
double network_event_entropy(const ness_network *self, int32_t step, int way, const int64_t *n, int64_t *after,
                             double *scratch);

/* The change of the slots' energies in it from counts n, capacitors' too, and that of sum ln n!, which comes from the
 * counts alone. */
double network_energy_change(const ness_network *self, int32_t step, int way, const int64_t *n);
/* kT that one more count of a variable costs at x, dG/dn; 0 for a plain one. */
static inline double network_var_pull(const ness_network *self, int32_t var, double x)
{
  return self->var_stiff[var] * (x + self->var_zero[var] / self->var_unit[var]);
}
/* What a count (or a mean of it) and a difference of counts of a slot read as for people, on the scale of a variable.
 */
static inline double network_shown(const ness_network *self, int32_t slot, double count)
{
  const int32_t v = self->slot_var[slot];
  return v < 0 ? count : (self->var_zero[v] + self->var_unit[v] * count) / self->var_print[v];
}
static inline double network_shown_by(const ness_network *self, int32_t slot, double difference)
{
  const int32_t v = self->slot_var[slot];
  return v < 0 ? difference : self->var_unit[v] * difference / self->var_print[v];
}
double network_mixing_change(const ness_network *self, int32_t step, int way, const int64_t *n);
/* Medium entropy of an event where the entropy -sum ln n! belongs to the state: network_event_entropy +
 * network_mixing_change, which for mass action is the ratio of constants at the reservoirs, whatever the counts. */
double network_event_medium(const ness_network *self, int32_t step, int way, const int64_t *n, int64_t *after,
                            double *scratch);

/* A part with its input at a count, whole or not, kT; `nop` doubles of scratch. */
double network_part_value(const network_part *self, double count, double *scratch);

/* --- building: the one way to make a network --- */

typedef struct network_builder network_builder;

typedef struct builder_step {
  const char *name, *text;
  int32_t line;
  int32_t nleft, nright; /* slots taken and given, each mention one copy, repeats allowed */
  const int32_t *left, *right;
  int32_t nres_left, nres_right; /* reservoirs taken and given */
  const int32_t *res_left, *res_right;
  int32_t law[2]; /* model_law forward, backward */
  double k[2];    /* mass action constants with reservoir activities folded in */
  int32_t nop[2];
  const tape_op *tape[2]; /* CONST operations index `constants` */
  const double *constants;
  double lnk; /* exact ln(k_fwd/k_bwd) where energies give it, else NaN: taken from k */
  double lnk_error;
  int32_t flip; /* 1 + process whose flip it is, 0 none */
  int32_t flow; /* flow_kind */
  int32_t nvar; /* variables that a forward event changes beside left and right: slots, ascending, and by how much */
  const int32_t *var_slot, *var_by;
} builder_step;

typedef struct builder_event {
  const char *name;
  double at, every; /* s; at NaN: `when` */
  int32_t nop;      /* of the condition */
  const tape_op *condition;
  int32_t nset;
  const int32_t *slot, *set_nop; /* (nset) */
  const tape_op *const *set;     /* (nset) */
  const double *constants;       /* of all of them */
} builder_event;

/* A variable, of the slot that was added last. */
typedef struct builder_variable {
  int32_t kind; /* var_kind */
  double zero, unit, stiff, print;
  const char *text;
} builder_variable;

network_builder *builder_create(const char *model_name, double temperature);
void builder_free(network_builder *self);
/* Each returns the id of what it added, or -1 when memory is out. */
int32_t builder_family(network_builder *self, const char *name, int64_t copies);
int32_t builder_slot(network_builder *self, const char *name, int64_t start, int64_t max, double g, double charge,
                     int32_t volt, int32_t family);
int32_t builder_variable_add(network_builder *self, const builder_variable *variable);
int32_t builder_voltage(network_builder *self, const char *name, double kt);
int32_t builder_heat(network_builder *self, const char *name, double kelvin);
int32_t builder_reservoir(network_builder *self, const char *name, double mu, double activity, double charge,
                          int32_t volt);
int32_t builder_step_add(network_builder *self, const builder_step *step);
/* The last step draws on a heat, which does this work in a forward event, kT. */
int32_t builder_step_heat(network_builder *self, int32_t heat, double kt);
int32_t builder_process(network_builder *self, const char *name);
/* In a forward event of the last step the source does this much more than its values say; sources ascend. */
int32_t builder_step_shift(network_builder *self, int32_t source, double kt);
/* After all steps. */
int32_t builder_event_add(network_builder *self, const builder_event *event);
int32_t builder_cycle(network_builder *self, const char *name, int32_t n, const int32_t *steps, const int32_t *by);
int32_t builder_observable(network_builder *self, const char *name, int32_t n, const int32_t *kinds, const int32_t *ids,
                           const double *coefs);
/* The network, owned by the caller (network_free). Verifies everything. */
ness_status builder_finish(network_builder *self, ness_diags *diags, ness_network **out);

void network_free(ness_network *self);

/* A network with the given sizes and room for all arrays, still empty: for loading from a dump. Fill the stored arrays
 * through the const pointers' memory, then call network_complete, which verifies every index and derives the rest.
 * On failure the network is still the caller's to free. */
ness_network *network_create(const ness_network *sizes);
ness_status network_complete(ness_network **self, ness_diags *diags);

#endif
