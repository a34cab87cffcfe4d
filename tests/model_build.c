/* A network written by hand against every array that has to come out of it, rate laws one by one, and every mistake
 * that the builder has to name. */
#include "check.h"
#include "model_sample.h"

static void check_row(const int32_t *start, int32_t row, const int32_t *ids, int32_t count, const int32_t *expected)
{
  CHECK(start[row + 1] - start[row] == count);
  for (int32_t k = 0; k < count && start[row + 1] - start[row] == count; k++) {
    CHECK(ids[start[row] + k] == expected[k]);
  }
}

#define ROW(start, row, ids, ...)                                                                                      \
  check_row(start, row, ids, (int32_t)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)), (int32_t[]){__VA_ARGS__})
#define EMPTY(start, row) CHECK((start)[(row) + 1] == (start)[row])

static void test_rows(const ness_network *net)
{
  CHECK(net->nslot == 3 && net->nstep == 4 && net->nres == 2 && net->nvolt == 1 && net->nfamily == 1);
  CHECK_STR(net->model_name, "carrier");
  CHECK_STR(network_text(net, net->slot_name[2]), "A");
  CHECK_STR(network_text(net, net->step_text[1]), "Ei <-> Eo + Na.in");
  CHECK(net->step_line[3] == 14 && net->temperature == 300);
  ROW(net->react_start, 0, net->react_slot, 0);
  ROW(net->react_start, 1, net->react_slot, 1);
  ROW(net->react_start, 4, net->react_slot, 1); /* the catalyst stays in the propensity */
  EMPTY(net->react_start, 5);
  EMPTY(net->react_start, 6);
  ROW(net->change_start, 0, net->change_slot, 0, 1);
  ROW(net->change_start, 0, net->change_by, -1, 1);
  ROW(net->change_start, 2, net->change_slot, 2); /* and cancels in the change */
  ROW(net->change_start, 2, net->change_by, 2);
  ROW(net->exch_start, 0, net->exch_by, -1);
  ROW(net->exch_start, 1, net->exch_by, 1);
  ROW(net->exch_start, 1, net->exch_res, 1);
  ROW(net->cycle_start, 0, net->cycle_step, 0, 1);
  ROW(net->obs_start, 0, net->obs_kind, OBS_NET, OBS_COUNT);
  CHECK(net->tape_max == 3 && net->one_way_steps == 2);
  CHECK(net->tape[0].b == 0 && net->tape[0].c == 0);
}

static void test_derived(const ness_network *net)
{
  /* Sources: 0 Na.out, 1 Na.in, 2 V, 3 undeclared. */
  ROW(net->work_start, 0, net->work_src, 0, 3);
  CHECK_NEAR(net->work_kt[net->work_start[0]], log(0.14), 1e-15);
  CHECK(net->work_kt[net->work_start[0] + 1] == 0); /* all declared: exactly nothing is left */
  ROW(net->work_start, 1, net->work_src, 1, 2, 3);
  const double *work = net->work_kt + net->work_start[1];
  CHECK_NEAR(work[0], -log(0.01), 1e-15);
  CHECK_NEAR(work[1], 2.5, 1e-15); /* one charge to -2.5 kT/e */
  CHECK_NEAR(work[2], log(2.0) - (0.5 - log(0.01) + 2.5), 1e-14);
  EMPTY(net->work_start, 2);
  EMPTY(net->work_start, 3);
  CHECK_STR(network_source_name(net, 1), "Na.in");
  CHECK_STR(network_source_name(net, 2), "V");
  CHECK_STR(network_source_name(net, 3), "undeclared");
  CHECK_STR(network_source_name(net, 4), "");
  CHECK(network_sources(net) == 4);

  CHECK(net->nguard == 2);
  ROW(net->guard_start, 4, net->guard_slot, 2);
  CHECK(net->guard_low[0] == 0 && net->guard_high[0] == 7);
  ROW(net->guard_start, 6, net->guard_slot, 2);
  CHECK(net->guard_low[1] == 1 && net->guard_high[1] == INT64_MAX);

  ROW(net->dep_start, 0, net->dep_dir, 0, 1, 2, 3, 4);
  ROW(net->dep_start, 1, net->dep_dir, 0, 1, 2, 3, 4);
  ROW(net->dep_start, 2, net->dep_dir, 4, 6); /* the cap and the tape read A */
  ROW(net->dep_start, 3, net->dep_dir, 4, 6);

  CHECK(isinf(net->step_lnk[2]) && net->step_lnk[2] > 0);
  CHECK(isnan(net->step_lnk[3]));
  CHECK_NEAR(net->step_lnk[1], log(2.0), 1e-15);
}

static void test_readings(const ness_network *net)
{
  const int64_t n[3] = {4, 3, 7}, full[3] = {4, 3, 8}, none[3] = {0, 0, 0};
  int64_t after[3];
  double scratch[3];
  CHECK_NEAR(network_propensity(net, 1, n, scratch), 9, 1e-15);
  CHECK_NEAR(network_propensity(net, 4, n, scratch), 12, 1e-15);
  CHECK(network_propensity(net, 4, full, scratch) == 0); /* 8 + 2 > 9 */
  CHECK(network_propensity(net, 5, n, scratch) == 0);
  CHECK_NEAR(network_propensity(net, 6, n, scratch), 3.5, 1e-15);
  CHECK(network_propensity(net, 6, none, scratch) == 0);
  CHECK(network_propensity(net, 0, none, scratch) == 0);
  CHECK_NEAR(network_free_energy(net, n), 3 * 0.5 - 7 + lgamma(5) + lgamma(4) + lgamma(8), 1e-14);
  CHECK_NEAR(network_free_energy_change(net, 0, 1, n), 0.5 + log(4.0 / 4), 1e-15);
  CHECK(isinf(network_free_energy_change(net, 0, 1, none)));
  CHECK(network_event_entropy(net, 2, 1, n, after, scratch) == INFINITY);
  CHECK_NEAR(network_event_entropy(net, 1, 1, n, after, scratch), log(2.0 * 3 / (1.0 * 5)), 1e-15);
  /* Large counts: a difference of two ln n! would have lost nine digits here. */
  const int64_t large[3] = {INT64_C(1) << 50, INT64_C(1) << 50, 0};
  CHECK_NEAR(network_event_entropy(net, 1, 1, large, after, scratch), log(2.0), 1e-14);
  CHECK_NEAR(network_free_energy_change(net, 1, 1, large), -0.5, 1e-14);
}

/* A burst of 40 copies at 2^50: the factors together are beyond a double. */
static void test_burst(void)
{
  int32_t forty[40] = {0};
  ness_network *net = NULL;
  network_builder *b = builder_create("burst", 0);
  builder_slot(b, "A", 1, MODEL_NO_MAX, 0.25, 0, -1, -1);
  builder_step_add(
      b, &(builder_step){
             .name = "s", .nright = 40, .right = forty, .law = {LAW_MASS, LAW_MASS}, .k = {1, 1}, .lnk = (double)NAN});
  CHECK(builder_finish(b, NULL, &net) == NESS_OK);
  const int64_t n = INT64_C(1) << 50, small = 3;
  CHECK_NEAR(network_free_energy_change(net, 0, 1, &n), 10 + 40 * 50 * log(2.0), 1e-13);
  CHECK_NEAR(network_free_energy_change(net, 0, 1, &small), 10 + lgamma(44) - lgamma(4), 1e-13);
  network_free(net);
  builder_free(b);
}

/* A network of one slot and one step with the given tape, evaluated at n. */
static double tape_at(const tape_op *ops, int32_t nop, const double *constants, int64_t n)
{
  double scratch[16], value = -1;
  ness_network *net = NULL;
  network_builder *b = builder_create("tape", 0);
  builder_slot(b, "n", n, MODEL_NO_MAX, 0, 0, -1, -1);
  builder_step_add(b, &(builder_step){.name = "s",
                                      .law = {LAW_TAPE, LAW_NONE},
                                      .nop = {nop, 0},
                                      .tape = {ops, NULL},
                                      .constants = constants,
                                      .lnk = (double)NAN});
  CHECK(builder_finish(b, NULL, &net) == NESS_OK);
  if (net) {
    value = network_propensity(net, 0, &n, scratch);
  }
  network_free(net);
  builder_free(b);
  return value;
}

static double tape_binary(int32_t code, double a, double b)
{
  const tape_op ops[] = {{TAPE_CONST, 0, 0, 0}, {TAPE_CONST, 1, 0, 0}, {code, 0, 1, 0}};
  return tape_at(ops, 3, (const double[]){a, b}, 1);
}

static void test_tapes(void)
{
  static const double sample[] = {0, 0.3, 0.5, 1, 2, 3.25, 10, 1e-9, 40};
  for (size_t i = 0; i < sizeof sample / sizeof *sample; i++) {
    const double x = sample[i];
    CHECK_REL(tape_binary(TAPE_EXP, x, 0), exp(x), 1e-15);
    CHECK_REL(tape_binary(TAPE_SQRT, x, 0), sqrt(x), 0);
    CHECK_REL(tape_binary(TAPE_TANH, x, 0), tanh(x), 4e-16);
    CHECK_REL(tape_binary(TAPE_EXPREL, x, 0), x > 0 ? expm1(x) / x : 1, 1e-15);
    CHECK_REL(tape_binary(TAPE_EXPREL, -x, 0), x > 0 ? -expm1(-x) / x : 1, 1e-15);
    CHECK_REL(tape_binary(TAPE_FLOOR, x, 0), floor(x), 0);
    CHECK_REL(tape_binary(TAPE_ABS, -x, 0), x, 0);
    CHECK_REL(tape_binary(TAPE_NEG, -x, 0), x, 0);
    CHECK(tape_binary(TAPE_NOT, x, 0) == (x == 0));
    if (x >= 1) {
      CHECK_REL(tape_binary(TAPE_LN, x, 0), log(x), 1e-15);
    }
    for (size_t j = 0; j < sizeof sample / sizeof *sample; j++) {
      const double y = sample[j];
      CHECK_REL(tape_binary(TAPE_ADD, x, y), x + y, 0);
      CHECK_REL(tape_binary(TAPE_MUL, x, y), x * y, 0);
      CHECK_REL(tape_binary(TAPE_SUB, x + y, y), x + y - y, 0);
      CHECK_REL(tape_binary(TAPE_POW, x, y), pow(x, y), 2e-14);
      CHECK_REL(tape_binary(TAPE_MIN, x, y), fmin(x, y), 0);
      CHECK_REL(tape_binary(TAPE_MAX, x, y), fmax(x, y), 0);
      CHECK(tape_binary(TAPE_LT, x, y) == (x < y) && tape_binary(TAPE_LE, x, y) == (x <= y));
      CHECK(tape_binary(TAPE_EQ, x, y) == (i == j));
      CHECK(tape_binary(TAPE_AND, x, y) == (x != 0 && y != 0) && tape_binary(TAPE_OR, x, y) == (x != 0 || y != 0));
      if (y != 0) {
        CHECK_REL(tape_binary(TAPE_DIV, x, y), x / y, 0);
      }
    }
  }
  CHECK(tape_binary(TAPE_POW, -2, 3) != 0 && isnan(tape_binary(TAPE_POW, -2, 3))); /* -8: no propensity */
  CHECK(tape_binary(TAPE_POW, -2, 4) == 16 && tape_binary(TAPE_POW, 2, -3) == 0.125);
  CHECK(isnan(tape_binary(TAPE_POW, -2, 0.5)) && isnan(tape_binary(TAPE_LN, -1, 0)));
  CHECK(isnan(tape_binary(TAPE_SUB, 1, 2)) && isnan(tape_binary(TAPE_DIV, 0, 0)));
  CHECK(isinf(tape_binary(TAPE_DIV, 1, 0)));
  const tape_op choice[] = {{TAPE_SLOT, 0, 0, 0},  {TAPE_CONST, 0, 0, 0}, {TAPE_LT, 0, 1, 0},
                            {TAPE_CONST, 1, 0, 0}, {TAPE_CONST, 0, 0, 0}, {TAPE_SELECT, 2, 3, 4}};
  CHECK(tape_at(choice, 6, (const double[]){5, 8}, 4) == 8);
  CHECK(tape_at(choice, 6, (const double[]){5, 8}, 5) == 5);
}

/* --- mistakes --- */

typedef struct mistake {
  const char *says;
  int64_t start, max;
  double g, mu, kf, kr, lnk;
  int32_t volt, family, left, res, law;
  tape_op op;
} mistake;

static const mistake fine = {NULL, 1, MODEL_NO_MAX, 0, 0, 1, 2, NAN, -1, -1, 0, 0, LAW_MASS, {TAPE_SLOT, 0, 0, 0}};

static void check_mistake(const mistake *m)
{
  ness_diags *diags = ness_diags_create();
  ness_network *net = NULL;
  network_builder *b = builder_create("bad", 0);
  const double constant = 1;
  builder_family(b, "fam", m->family == 0 ? m->start + 1 : 0);
  builder_slot(b, "A", m->start, m->max, m->g, 0, m->volt, m->family);
  builder_slot(b, "B", 1, MODEL_NO_MAX, 0, 0, -1, m->family);
  builder_reservoir(b, "R", m->mu, 1, 0, -1);
  builder_step_add(b, &(builder_step){.name = "broken",
                                      .line = 5,
                                      .nleft = 1,
                                      .left = &m->left,
                                      .nright = 1,
                                      .right = (const int32_t[]){1},
                                      .nres_left = 1,
                                      .res_left = &m->res,
                                      .law = {m->law, LAW_MASS},
                                      .k = {m->kf, m->kr},
                                      .nop = {1, 0},
                                      .tape = {&m->op, NULL},
                                      .constants = &constant,
                                      .lnk = m->lnk});
  const ness_status status = builder_finish(b, diags, &net);
  char *text = ness_diags_render(diags, 0);
  if (m->says) {
    CHECK(status == NESS_MODEL && net == NULL && diag_errors(diags) > 0);
    CHECK(text && strstr(text, m->says) != NULL);
    if (text && !strstr(text, m->says)) {
      fprintf(stderr, "expected \"%s\", got:\n%s", m->says, text);
    }
  } else {
    CHECK(status == NESS_OK && diag_errors(diags) == 0);
  }
  ness_text_free(text);
  network_free(net);
  builder_free(b);
  ness_diags_free(diags);
}

#define MISTAKE(text, field, value)                                                                                    \
  do {                                                                                                                 \
    mistake m = fine;                                                                                                  \
    m.says = text;                                                                                                     \
    m.field = value;                                                                                                   \
    check_mistake(&m);                                                                                                 \
  } while (0)

static void test_mistakes(void)
{
  check_mistake(&fine);
  MISTAKE(NULL, family, 0);
  MISTAKE(NULL, law, LAW_TAPE);
  MISTAKE("line 5: error: step \"broken\": the forward rate is negative", kf, -1);
  MISTAKE("the forward rate", kf, NAN);
  MISTAKE("the backward rate", kr, INFINITY);
  MISTAKE("\"A\" starts below zero", start, -1);
  MISTAKE("\"A\" starts above 2^53", start, (INT64_C(1) << 53) + 1);
  MISTAKE("\"A\" starts at 1, above its maximum of 0", max, 0);
  MISTAKE("\"A\" has a free energy", g, NAN);
  MISTAKE("reservoir \"R\" has a chemical potential", mu, -INFINITY);
  MISTAKE("\"A\" feels a voltage", volt, 0);
  MISTAKE("\"A\" belongs to a family", family, 1);
  MISTAKE("a reactant does not exist", left, 2);
  MISTAKE("a reactant does not exist", left, -1);
  MISTAKE("with a reservoir that does not exist", res, 1);
  MISTAKE("the kind of rate law is unknown", law, 3);
  MISTAKE("is declared 5 but its rates say -0.693147181", lnk, 5);
  MISTAKE(NULL, lnk, log(0.5));
  for (int32_t code = -1; code <= TAPE_CODES; code++) {
    mistake m = fine; /* a first operation can only be a constant or a count that exist */
    m.law = LAW_TAPE;
    m.says = "an operation of its rate law";
    m.op = (tape_op){code, code == TAPE_CONST ? -1 : 2, 0, 0};
    check_mistake(&m);
    m.op.a = 0;
    m.says = code == TAPE_CONST || code == TAPE_SLOT ? NULL : m.says;
    check_mistake(&m);
  }
}

static void test_zero_rate(void)
{
  ness_network *net = NULL;
  network_builder *b = builder_create("", 0);
  const int32_t A = builder_slot(b, "A", 1, MODEL_NO_MAX, 0, 0, -1, -1);
  builder_step_add(
      b, &(builder_step){
             .name = "s", .nleft = 1, .left = &A, .law = {LAW_MASS, LAW_MASS}, .k = {1, 0}, .lnk = (double)NAN});
  CHECK(builder_finish(b, NULL, &net) == NESS_OK && net);
  CHECK(net && net->dir_law[1] == LAW_NONE && net->one_way_steps == 1 && net->step_lnk[0] == INFINITY);
  network_free(net);
  builder_free(b);
}

static void test_family(void)
{
  ness_diags *diags = ness_diags_create();
  ness_network *net = NULL;
  network_builder *b = builder_create("", 0);
  const int32_t f = builder_family(b, "P", 3);
  const int32_t A = builder_slot(b, "A", 2, MODEL_NO_MAX, 0, 0, -1, f);
  builder_step_add(
      b, &(builder_step){
             .name = "leak", .nleft = 1, .left = &A, .law = {LAW_MASS, LAW_NONE}, .k = {1, 0}, .lnk = (double)NAN});
  CHECK(builder_finish(b, diags, &net) == NESS_MODEL);
  char *text = ness_diags_render(diags, 0);
  CHECK_STR(text, "error: step \"leak\": it makes or destroys copies of a protein\n"
                  "error: protein \"P\" has 3 copies, but its states start with 2\n");
  ness_text_free(text);
  ness_diags_free(diags);
  builder_free(b);
}

static void test_nothing(void)
{
  ness_network *net = NULL;
  network_builder *b = builder_create(NULL, 0);
  CHECK(builder_finish(b, NULL, &net) == NESS_OK && net && net->nslot == 0 && net->nstep == 0);
  CHECK_STR(net->model_name, "");
  network_free(net);
  builder_free(b);
  builder_free(NULL);
  network_free(NULL);
}

int main(void)
{
  ness_status status;
  ness_network *net = sample_carrier(NULL, &status);
  CHECK(status == NESS_OK && net);
  if (net) {
    test_rows(net);
    test_derived(net);
    test_readings(net);
#define ALIGNED(stored, type, field, count) CHECK((uintptr_t)net->field % 64 == 0);
    NETWORK_ARRAYS(ALIGNED)
#undef ALIGNED
  }
  network_free(net);
  test_burst();
  test_tapes();
  test_mistakes();
  test_zero_rate();
  test_family();
  test_nothing();
  return check_done();
}
