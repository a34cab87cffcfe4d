/* What the tests of engine/hybrid share: expressions as tapes, steps and events by them, and runs that must succeed. */
#ifndef NESS_TESTS_HYBRID_BUILD_H
#define NESS_TESTS_HYBRID_BUILD_H

#include "check.h"
#include "cme_build.h"
#include "engine/hybrid/parts.h"

/* A tape that is being written; each call returns the register of its result. */
typedef struct prog {
  tape_op op[64];
  double constant[64];
  int32_t n, constants;
} prog;

static inline int32_t p_op(prog *p, tape_code code, int32_t a, int32_t b)
{
  p->op[p->n] = (tape_op){(int32_t)code, a, b, 0};
  return p->n++;
}

static inline int32_t p_num(prog *p, double value)
{
  p->constant[p->constants] = value;
  return p_op(p, TAPE_CONST, p->constants++, 0);
}

static inline int32_t p_slot(prog *p, int32_t slot)
{
  return p_op(p, TAPE_SLOT, slot, 0);
}

static inline int32_t p_mul(prog *p, int32_t a, double by)
{
  return p_op(p, TAPE_MUL, a, p_num(p, by));
}

static inline int32_t p_add(prog *p, int32_t a, double by)
{
  return p_op(p, TAPE_ADD, a, p_num(p, by));
}

static inline int32_t p_exp(prog *p, int32_t a)
{
  return p_op(p, TAPE_EXP, a, 0);
}

/* times (slot - 0), as the language writes a copy that a step takes */
static inline int32_t p_copy(prog *p, int32_t a, int32_t slot)
{
  const int32_t s = p_slot(p, slot), zero = p_num(p, 0);
  return p_op(p, TAPE_MUL, a, p_op(p, TAPE_SUB, s, zero));
}

typedef struct law {
  const char *name;
  int32_t from, to; /* -1: none */
  const prog *fwd, *bwd;
  int32_t flow, var, by; /* var -1: none */
} law;

static inline int32_t add_law(network_builder *b, law l)
{
  static tape_op back[64];
  static double constants[128];
  int32_t nconst = l.fwd->constants;
  memcpy(constants, l.fwd->constant, sizeof l.fwd->constant);
  for (int32_t i = 0; l.bwd && i < l.bwd->n; i++) {
    back[i] = l.bwd->op[i];
    if (back[i].code == TAPE_CONST) back[i].a += l.fwd->constants;
  }
  for (int32_t i = 0; l.bwd && i < l.bwd->constants; i++) constants[nconst++] = l.bwd->constant[i];
  const builder_step step = {.name = l.name,
                             .text = "",
                             .nleft = l.from >= 0,
                             .nright = l.to >= 0,
                             .left = &l.from,
                             .right = &l.to,
                             .law = {LAW_TAPE, l.bwd ? LAW_TAPE : LAW_NONE},
                             .nop = {l.fwd->n, l.bwd ? l.bwd->n : 0},
                             .tape = {l.fwd->op, back},
                             .constants = constants,
                             .lnk = (double)NAN,
                             .flow = l.flow,
                             .nvar = l.var >= 0,
                             .var_slot = &l.var,
                             .var_by = &l.by};
  const int32_t id = builder_step_add(b, &step);
  CHECKED(id);
  return id;
}

/* A plain variable or a capacitor. */
static inline int32_t add_variable(network_builder *b, const char *name, int64_t start, int64_t max, double zero,
                                   double unit, double stiff)
{
  const int32_t slot = add_slot(b, name, start, max);
  const builder_variable v = {stiff > 0 ? VAR_CHARGE : VAR_PLAIN, zero, unit, stiff, 1, "mV"};
  CHECKED(builder_variable_add(b, &v));
  return slot;
}

/* One set; at NaN: when `condition`. */
static inline void add_event(network_builder *b, const char *name, double at, double every, const prog *condition,
                             int32_t slot, const prog *set)
{
  tape_op second[64];
  double constants[128];
  const tape_op *sets[1] = {second};
  const int32_t first = condition ? condition->constants : 0;
  if (condition) memcpy(constants, condition->constant, sizeof condition->constant);
  for (int32_t i = 0; i < set->n; i++) {
    second[i] = set->op[i];
    if (second[i].code == TAPE_CONST) second[i].a += first;
  }
  for (int32_t i = 0; i < set->constants; i++) constants[first + i] = set->constant[i];
  const builder_event event = {.name = name,
                               .at = at,
                               .every = every,
                               .nop = condition ? condition->n : 0,
                               .condition = condition ? condition->op : NULL,
                               .nset = 1,
                               .slot = &slot,
                               .set_nop = &set->n,
                               .set = sets,
                               .constants = constants};
  CHECKED(builder_event_add(b, &event));
}

/* The rows of a run, by replica and row. */
typedef struct seen_rows {
  int32_t nslot;
  int64_t rows;
  double *x;
} seen_rows;

static inline ness_status see_row(void *context, int64_t replica, int64_t row, double time, const double *x)
{
  seen_rows *const self = context;
  (void)time;
  if (row < self->rows) {
    memcpy(self->x + (replica * self->rows + row) * self->nslot, x, (size_t)self->nslot * sizeof *x);
  }
  return NESS_OK;
}

static inline hybrid_result run_of(const ness_network *net, hybrid_options options)
{
  hybrid_result result;
  ness_diags *diags = ness_diags_create();
  options.threads = options.threads ? options.threads : 1;
  const ness_status status = hybrid_run(net, &options, diags, &result);
  CHECK(status == NESS_OK);
  if (status) {
    char *text = ness_diags_render(diags, 0);
    fprintf(stderr, "%s", text ? text : "");
    exit(1);
  }
  ness_diags_free(diags);
  return result;
}

/* x of all slots at the end of a run of one replica. */
static inline hybrid_result end_of(const ness_network *net, hybrid_options options, double *x)
{
  seen_rows rows = {net->nslot, 2, mem_zero(2 * (size_t)net->nslot, sizeof(double))};
  options.replicas = 1;
  options.every = options.time - options.warmup;
  options.row = see_row;
  options.row_context = &rows;
  hybrid_result result = run_of(net, options);
  memcpy(x, rows.x + net->nslot, (size_t)net->nslot * sizeof *x);
  mem_free(rows.x);
  return result;
}

/* A patch of membrane by Hodgkin and Huxley (1952), mV and ms: V flows, channels fire. */
static inline int32_t p_volt(prog *p, int32_t v)
{
  return p_add(p, p_mul(p, p_slot(p, v), 1e-3), -100);
}

/* The constant of a gate: 0 alpha_m, 1 beta_m, 2 alpha_h, 3 beta_h, 4 alpha_n, 5 beta_n. */
static inline int32_t p_gate(prog *p, int32_t v, int gate)
{
  static const double at[6] = {40, 65, 65, 35, 55, 65}, width[6] = {-10, -18, -20, -10, -10, -80};
  static const double size[6] = {1, 4, 0.07, 1, 0.1, 0.125};
  const int32_t arg = p_mul(p, p_add(p, p_volt(p, v), at[gate]), 1 / width[gate]);
  if (gate == 0 || gate == 4) {
    const int32_t one = p_num(p, size[gate]);
    return p_op(p, TAPE_DIV, one, p_op(p, TAPE_EXPREL, arg, 0));
  }
  if (gate == 3) {
    const int32_t below = p_add(p, p_exp(p, arg), 1), one = p_num(p, 1);
    return p_op(p, TAPE_DIV, one, below);
  }
  return p_mul(p, p_exp(p, arg), size[gate]);
}

static inline void add_gate(network_builder *b, int32_t v, int32_t from, int32_t to, int up, int ups, int downs,
                            int32_t gating)
{
  prog f = {.n = 0}, g = {.n = 0};
  p_copy(&f, p_mul(&f, p_gate(&f, v, up), ups), from);
  p_copy(&g, p_mul(&g, p_gate(&g, v, up + 1), downs), to);
  add_law(b, (law){"gate", from, to, &f, &g, FLOW_NONE, gating ? v : -1, gating});
}

static inline void add_current(network_builder *b, int32_t v, double g, double e, int32_t open)
{
  prog f = {.n = 0};
  const int32_t volt = p_volt(&f, v), rest = p_num(&f, e);
  const int32_t drive = p_mul(&f, p_op(&f, TAPE_SUB, rest, volt), g * 1e3);
  if (open >= 0) p_copy(&f, drive, open);
  add_law(b, (law){"current", -1, -1, &f, NULL, FLOW_DRIFT, v, 1});
}

static inline ness_network *hodgkin_huxley(int64_t na, int64_t k, double current)
{
  network_builder *b = builder_create("hh", 0);
  const int32_t v = add_variable(b, "V", 35000, 200000, -100, 1e-3, 0);
  int32_t m[8], n[5];
  for (int i = 0; i < 8; i++) m[i] = add_slot(b, "m", i == 0 ? na : 0, MODEL_NO_MAX);
  for (int i = 0; i < 5; i++) n[i] = add_slot(b, "n", i == 0 ? k : 0, MODEL_NO_MAX);
  for (int h = 0; h < 2; h++) {
    for (int i = 0; i < 3; i++) add_gate(b, v, m[4 * h + i], m[4 * h + i + 1], 0, 3 - i, i + 1, 0);
  }
  for (int i = 0; i < 4; i++) add_gate(b, v, m[i], m[4 + i], 2, 1, 1, 0);
  for (int i = 0; i < 4; i++) add_gate(b, v, n[i], n[i + 1], 4, 4 - i, i + 1, 0);
  add_current(b, v, 120.0 / (double)na, 50, m[7]);
  add_current(b, v, 36.0 / (double)k, -77, n[4]);
  add_current(b, v, 0.3, -54.4 + current / 0.3, -1);
  return finish(b);
}

/* One second from the start by equal steps of the linearly implicit method alone. */
static inline void by_stiff_steps(hybrid_replica *r, const hybrid_net *net, int32_t steps)
{
  CHECK(hybrid_start(r, net, 0, 0) == HYBRID_AT_TIME);
  for (int32_t i = 0; i < steps; i++) {
    CHECK(flow_begin(r, net) == HYBRID_AT_TIME);
    CHECK(isfinite(stiff_step(r, net, 1.0 / steps)));
    CHECK(flow_take(r, net, (i + 1.0) / steps) == HYBRID_AT_TIME);
  }
}

#endif
