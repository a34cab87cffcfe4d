/* What the files of this room share: the compiled network and one replica of it.
 *
 * The rate of a direction is constant * product of (slot - shift) over its factors * core, where a core is a tape of
 * its own that is shared by all directions with the same operations and constants. Of a direction that fires all
 * factors are slots that hold whole numbers, and whatever else it reads is in its core; of one that flows they may be
 * real too. Tapes read a slot below 0 as 0. */
#ifndef ENGINE_HYBRID_PARTS_H
#define ENGINE_HYBRID_PARTS_H

#include "engine/hybrid/hybrid.h"
#include "engine/model/tape.h"
#include "engine/rng/rng.h"

#define HYBRID_BLOCKS 64 /* partial sums of rates, one bit each in a word of those that changed */
#define HYBRID_STAGES 4
#define HYBRID_DENSE 400 /* real slots up to which linear systems are solved */

/* --- the compiled network --- */

/* A tape whose registers are constants, then loads of slots, then operations; constants are written once a replica.
 * What is linear in one real slot, such as a voltage in its charge, is one load. */
typedef struct hybrid_op {
  int32_t code, a, b, c;
} hybrid_op;

typedef struct hybrid_load {
  int32_t slot;
  double base, by;
} hybrid_load;

typedef struct hybrid_core {
  int32_t nconst, nload, nop;
  int32_t reg; /* where its registers begin, as its constants do in `start` */
  int32_t load, op, out;
  bool real, whole; /* whether it reads slots of either kind */
  int32_t alone;    /* 1 + the watched real slot that it alone reads, of a flowing step; 0: not so */
  bool line;        /* it is nothing but its one load */
  hybrid_load only; /* which is this */
} hybrid_core;

typedef struct hybrid_factor {
  int32_t slot;
  double shift;
} hybrid_factor;

typedef struct hybrid_guard {
  int32_t slot;
  double low, high;
} hybrid_guard;

typedef struct hybrid_dir {
  int32_t dir, core; /* core -1: 1 */
  double constant;
  int32_t factor, real_factor, factor_end; /* those of whole slots, then those of real ones */
  int32_t guard, real_guard, guard_end;
  int32_t slope, slope_end;        /* flowing: by the core's loads of real slots, then by each real factor */
  int32_t change, change_end;      /* what an event, or the flow, changes */
  double least;                    /* that a rate may be: 0, or what is finite for a drift */
  bool lone;                       /* firing: one whole factor and no guard on whole slots */
  bool reals, tape, pure, charged; /* firing: it moves real slots; its step's books, as below */
  bool paid;                       /* its step has shares in parts */
} hybrid_dir;

typedef struct hybrid_change {
  int32_t slot, real; /* real: index, or -1 */
  double by;
} hybrid_change;

/* How the entropy of a step is counted. */
typedef enum hybrid_book { BOOK_MASS, BOOK_TAPE, BOOK_ONE_WAY, BOOK_DRIFT, BOOK_FLIP } hybrid_book;

/* What a flowing step does to a capacitor. */
typedef struct hybrid_pull {
  int32_t step, var, real;
  double by;
} hybrid_pull;

/* What a forward event does with a part: times its value, work of the source and change of the energy. */
typedef struct hybrid_share {
  int32_t part;
  double work, energy;
} hybrid_share;

typedef struct hybrid_rows {
  int32_t *start, *list, *last; /* last: while they are filled */
} hybrid_rows;

typedef struct hybrid_net {
  const ness_network *net;
  hybrid_mode mode;
  double rtol, time;
  int32_t nreal, *real;   /* slots that hold real numbers: what moves by the network, ascending, then the inputs */
  int32_t nstate, ninput; /* how many of either */
  const hybrid_input *input;
  bool drawn;              /* some input is drawn: boxes end with each look at it */
  double stride;           /* s; no step of the flow is longer: a share of the shortest period of an input */
  double span;             /* s; that share of the shortest course, of points too: errors of loose flows are relative to
                              what they carry in it */
  int32_t nloose, *loose;  /* flowing directions that follow inputs and change no slot */
  int32_t *real_of;        /* (nslot) index among them, or -1 */
  double *scale, *most;    /* (nreal) what errors are relative to at least; slot_max or inf */
  int32_t nfire, nflow;    /* open directions */
  hybrid_dir *fire, *flow; /* those that fire, those that flow */
  int32_t *place;          /* (2 nstep) index in fire or flow, or -1 */
  int32_t ncore, nreg;
  hybrid_core *core;
  hybrid_op *op;
  hybrid_load *load;
  double *start; /* (nreg) registers with their constants */
  hybrid_factor *factor;
  hybrid_guard *guard;
  int32_t *slope_real; /* real slot of each slope */
  int32_t nslope;
  int32_t nfcore, *fcore;                         /* cores of flowing directions */
  int32_t nbcore, *bcore;                         /* cores of firing ones */
  int32_t nwatch, *watch;                         /* real slots that these read */
  hybrid_rows fire_reads, flow_reads, core_reads; /* by slot: firing and flowing directions, and firing cores */
  hybrid_change *change;
  int32_t block, block_bits; /* firing directions in a partial sum, a power of 2 */
  uint8_t *book, *pure;      /* (nstep); pure: factors and mixing cancel */
  int32_t nforced, *forced;  /* flowing steps with tapes both ways */
  int32_t npull;
  hybrid_pull *pull;
  uint8_t *charged; /* (nstep) it changes a capacitor */
  int32_t npart;
  const network_part *part; /* what inputs make of energies and potentials, */
  int32_t *part_input;      /* (npart) and the index of the input */
  int32_t part_max;         /* the longest tape of them */
  int32_t *share_start;     /* (nstep + 1) CSR into share */
  hybrid_share *share;
  int32_t npaid, *paid; /* flowing steps with shares */
  bool whens;           /* some event of the file waits for a condition */
  int32_t *when_core;   /* (nevent) its condition as a core, -1: a time, or constant */
  bool *when_local;     /* (nevent) a box tells whether it may turn */
  int32_t *force_alone; /* (nstep) 1 + the real slot that the step's quotient of cores reads; 0: not so */
  arena memory;
} hybrid_net;

ness_status hybrid_net_init(hybrid_net *self, const ness_network *net, const hybrid_options *options);
void hybrid_net_free(hybrid_net *self);

/* After slots and directions: everything else but the sizes of partial sums. A NULL of the arena sticks. */
void hybrid_relate(hybrid_net *self);
/* Factors of a slot in a direction, where they are n (n-1) ...; else -1. */
int32_t hybrid_falling(const hybrid_net *self, const hybrid_dir *dir, int32_t slot);
/* Whether anything between events has to be integrated; inputs alone are known at any time. */
static inline bool hybrid_moves(const hybrid_net *self)
{
  return self->nflow > 0 || (self->ninput > 0 && self->whens);
}
static inline bool hybrid_flows(const hybrid_net *self, int32_t step)
{
  return self->mode != HYBRID_EXACT || self->net->step_flow[step] != FLOW_NONE;
}

/* --- cores --- */

typedef struct hybrid_replica hybrid_replica;

static inline double core_value(const hybrid_net *net, const hybrid_core *core, double *reg, const double *x)
{
  if (core->line) {
    const double value = x[core->only.slot];
    return core->only.base + core->only.by * (value > 0 ? value : 0);
  }
  const hybrid_load *const load = net->load + core->load;
  const hybrid_op *op = net->op + core->op;
  double *out = reg + core->nconst;
  for (int32_t i = 0; i < core->nload; i++) {
    const double value = x[load[i].slot];
    *out++ = load[i].base + load[i].by * (value > 0 ? value : 0);
  }
  for (const hybrid_op *const end = op + core->nop; op < end; op++) {
    *out++ = tape_apply((tape_code)op->code, reg[op->a], reg[op->b], reg[op->c]);
  }
  return reg[core->out];
}
/* By the slot of one load, after core_value left its registers; 0 where there is none. */
double core_slope(const hybrid_net *net, const hybrid_core *core, const double *reg, double *dual, int32_t load);
/* Bounds of the value over a box: of slot i lo[i] ... hi[i]. False: none. */
bool core_bound(const hybrid_net *net, const hybrid_core *core, double *reg_lo, double *reg_hi, const double *lo,
                const double *hi, double *low, double *high);

/* --- one replica --- */

/* A cubic in t = (x - middle) inverse. */
typedef struct hybrid_local {
  double middle, inverse, c[4];
  bool good;
} hybrid_local;

static inline double local_value(const hybrid_local *self, double x)
{
  const double t = (x - self->middle) * self->inverse;
  return self->c[0] + t * (self->c[1] + t * (self->c[2] + t * self->c[3]));
}

typedef enum hybrid_pause {
  HYBRID_AT_TIME,
  HYBRID_BUSY,
  HYBRID_BAD_RATE, /* direction `at` */
  HYBRID_NO_BOUND, /* direction `at` */
  HYBRID_RANGE,    /* slot `at` */
  HYBRID_BLOWS_UP, /* slot `at` */
  HYBRID_CHATTERS, /* event `at` */
  HYBRID_BAD_SET   /* event `at`, slot `slot` */
} hybrid_pause;

/* The right side at a state. */
typedef struct flow_stage {
  double *x;    /* (nreal) */
  double *rate; /* (nflow) */
  double *core; /* (ncore) */
  double *dx;   /* (nreal) of inputs, their speed */
} flow_stage;

typedef struct flow_node {
  int32_t stage;
  double weight; /* s */
} flow_node;

/* A step of the flow that is not yet taken. */
typedef struct flow_step {
  double h;
  bool end_known;       /* stage 3 is the right side at its end */
  int32_t nodes;        /* where integrals take their values */
  flow_node node[3];    /* */
  double *x;            /* (nreal) the end */
  double *flux;         /* (nflow) integrals of the rates */
  double *area, *area2; /* (nreal) integrals of x and x^2 */
} flow_step;

typedef struct hybrid_when {
  double next;  /* of those at a time, s */
  int64_t turn; /* how often it has come */
  bool was;     /* the condition */
  double since; /* of the firings that are counted */
  double last;  /* time of the last one */
  int64_t count, still;
} hybrid_when;

struct hybrid_replica {
  rng_stream rng;
  double t;
  double *x, *y; /* (nslot) the state, and the one that cores are asked at */
  double left, total;
  double *many, *rate, *block; /* (nfire), partial sums */
  uint64_t dirty;
  double *reg, *reg_lo, *reg_hi, *dual; /* (nreg) */
  double *core_lo, *core_hi;            /* (ncore) in the box */
  double *core_now;                     /* (ncore) at x, where */
  uint64_t *core_stamp, stamp;          /* the stamps agree */
  path_state *path;                     /* (ninput) */
  double corner;                        /* s; the next of any of them */
  /* the box */
  bool open;
  double *box_lo, *box_hi; /* (nslot) whole slots as they are */
  double *speed, *from;    /* (nreal) typical speed; x when the box was opened */
  double box_end;          /* s; until which the inputs stay in it */
  double horizon, opened, vain;
  int32_t rejected;    /* candidates in it */
  hybrid_local *local; /* (ncore) of flowing steps */
  hybrid_local *force; /* (nstep) ln of the quotient of cores */
  bool alert;          /* some condition of the file may turn in it */
  /* the flow */
  double *coef; /* (nflow) constant and whole factors */
  flow_stage stage[HYBRID_STAGES];
  flow_step step;
  bool fresh;                          /* stage 0 is the right side at x */
  double h;                            /* what the error allows, 0: unknown */
  bool stiff;                          /* linearly implicit */
  int32_t looked;                      /* steps since the last look at stiffness */
  double norm;                         /* of the last Jacobian */
  double *slope;                       /* (nslope) */
  double *jac, *lu, *k[HYBRID_STAGES]; /* (nreal x nreal), (nreal) */
  double *quad[HYBRID_STAGES];         /* (nflow + 2 nreal) */
  int32_t *pivot;
  hybrid_when *when; /* (nevent) */
  double *set;       /* (nset) */
  double *tape;      /* scratch for the tapes of events */
  /* why it paused */
  int32_t at, slot;
  double value;
  /* what was counted since hybrid_clear */
  double begin;
  int64_t events, candidates, boxes, moves, barred;
  int32_t barred_dir;     /* the first */
  double *fired;          /* (2 nstep) events, or integrals of rates */
  double *since;          /* (nslot) */
  double *dwell, *dwell2; /* (nslot) */
  double *medium;         /* (nstep) of steps with tapes */
  double *lost;           /* (nstep) events and flows that had no way back at their time */
  double *quotient;       /* (nstep) of their rates, whose logarithm is still to come */
  double *pulled;         /* (nstep) energy that went into capacitors */
  double *shared;         /* (shares) sums of the part over events, backward ones negative; integrals where it flows */
  double *bound;          /* (npart) copies times part at the beginning, and what events of the file added to that */
  double *rule;           /* (part_max) scratch */
  double set_work;        /* of events of the file */
  double energy;          /* at the beginning */
  arena memory;
};

typedef struct hybrid_totals {
  double medium, energy; /* medium: without what had no way back */
  bool one_way;          /* something had none: by right it is infinite, and so is undeclared work */
} hybrid_totals;

ness_status hybrid_replica_init(hybrid_replica *self, const hybrid_net *net);
void hybrid_replica_free(hybrid_replica *self);
hybrid_pause hybrid_start(hybrid_replica *self, const hybrid_net *net, uint64_t seed, int64_t index);
hybrid_pause hybrid_advance(hybrid_replica *self, const hybrid_net *net, double t_stop, int64_t looks);
/* Rates and bounds anew, as when anything may have changed. */
void hybrid_renew(hybrid_replica *self, const hybrid_net *net);
/* A core at x, asked once for each x. */
static inline double hybrid_core_now(hybrid_replica *self, const hybrid_net *net, int32_t k)
{
  if (self->core_stamp[k] != self->stamp) {
    const hybrid_core *const core = &net->core[k];
    self->core_now[k] = core_value(net, core, self->reg + core->reg, self->x);
    self->core_stamp[k] = self->stamp;
  }
  return self->core_now[k];
}

/* boxes: bounds of the rates that fire; HYBRID_AT_TIME when all is well */
hybrid_pause box_open(hybrid_replica *self, const hybrid_net *net);
void box_core(hybrid_replica *self, const hybrid_net *net, int32_t core);
void box_rate(hybrid_replica *self, const hybrid_net *net, int32_t d);
void box_vain(hybrid_replica *self, const hybrid_net *net);
void box_sum(hybrid_replica *self, const hybrid_net *net);
bool box_holds(const hybrid_replica *self, const hybrid_net *net, const double *real);
/* The longest step that may stay inside, by the present speed. */
double box_reach(const hybrid_replica *self, const hybrid_net *net);

/* cubics in an open box */
void local_relate(hybrid_net *net);
void local_open(hybrid_replica *self, const hybrid_net *net);
static inline bool local_force(const hybrid_replica *self, const hybrid_net *net, int32_t step)
{
  return self->open && net->force_alone[step] && self->force[step].good;
}

/* flow: a step of at most h that keeps its errors, prepared and then taken */
bool flow_right(hybrid_replica *self, const hybrid_net *net, flow_stage *stage, double t);
void flow_coef(hybrid_replica *self, const hybrid_net *net, int32_t f);
double flow_error(const hybrid_net *net, const double *x, const double *error);
/* The same of integrals of loose flows: h times the weighted rates of the stages, less `flux` (NULL: 0). */
double flow_loose(const hybrid_replica *self, const hybrid_net *net, double h, const double weight[HYBRID_STAGES],
                  const double *flux);
hybrid_pause flow_begin(hybrid_replica *self, const hybrid_net *net);
hybrid_pause flow_try(hybrid_replica *self, const hybrid_net *net, double most);
void flow_fixed(hybrid_replica *self, const hybrid_net *net, double h); /* the same step, shorter */
hybrid_pause flow_take(hybrid_replica *self, const hybrid_net *net, double t_end);
hybrid_pause flow_range(hybrid_replica *self, const hybrid_net *net);
/* Inputs at the end of the prepared step, and their integrals over it. */
void flow_inputs(hybrid_replica *self, const hybrid_net *net);
/* The linearly implicit one: the error relative to what is allowed; infinite where it fails. */
double stiff_step(hybrid_replica *self, const hybrid_net *net, double h);
void stiff_norm(hybrid_replica *self, const hybrid_net *net);
/* With noise; there is no error to keep. */
hybrid_pause langevin_try(hybrid_replica *self, const hybrid_net *net, double most);

/* events of the file */
hybrid_pause file_start(hybrid_replica *self, const hybrid_net *net);
double file_next(const hybrid_replica *self, const hybrid_net *net);
hybrid_pause file_times(hybrid_replica *self, const hybrid_net *net);
hybrid_pause file_conditions(hybrid_replica *self, const hybrid_net *net);
/* Whether a condition turns true at the end of the prepared step, which is then shortened to where it does. */
bool file_turns(hybrid_replica *self, const hybrid_net *net);

/* books */
double book_energy(hybrid_replica *self, const hybrid_net *net); /* at x */
/* Before (-1) and after (1) an event of the file sets counts. */
void book_set(hybrid_replica *self, const hybrid_net *net, double sign);
void book_clear(hybrid_replica *self, const hybrid_net *net);
/* A whole slot's dwell time comes to the present. */
static inline void book_slot(hybrid_replica *self, int32_t slot)
{
  const double n = self->x[slot], area = n * (self->t - self->since[slot]);
  self->dwell[slot] += area;
  self->dwell2[slot] += n * area;
  self->since[slot] = self->t;
}
void book_flow(hybrid_replica *self, const hybrid_net *net);
/* Where nothing is integrated: the inputs' dwell times come to the present, on the way from the last corner. */
void book_inputs(hybrid_replica *self, const hybrid_net *net);
/* Before; true where the way back has to be asked after. */
bool book_event(hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir);
void book_event_after(hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir);
/* Works of the sources, and of the inputs (ninput). */
hybrid_totals book_settle(hybrid_replica *self, const hybrid_net *net, double *work, double *input_work);

/* what a failed replica says */
ness_status hybrid_explain(const hybrid_replica *self, const hybrid_net *net, int64_t index, hybrid_pause pause,
                           ness_diags *diags);

#endif
