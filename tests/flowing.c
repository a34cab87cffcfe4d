/* Runs in which something flows, through the public calls: means and courses against the rate equations, exact events
 * against a small patch whose ions are counted one by one, Langevin noise against the linear noise approximation, the
 * same bits for any number of threads, and what is refused. */
#include "lang_sample.h"

#define PATCH                                                                                                          \
  "compartment o reservoir\ncompartment i reservoir potential V\n"                                                     \
  "capacitor V between i, o capacitance %g [fF] start -50 [mV]\nion K z +1 { i = 140 [mM]\n o = 4 [mM] }\n"            \
  "ion L z -1 { i = 9 [mM]\n o = 110 [mM] }\nprotein P copies %d {\n state C\n state O energy = 1 kT charge -1.5\n}\n" \
  "gate: C <-> O @ ldb(k0 = 300 [1/s])\npore: O + K.i <-> O + K.o @ ldb(conductance = 0.8 [pS]) %s\n"                  \
  "leak: L.i <-> L.o @ ldb(conductance = 2 [pS]) %s\n"

static ness_doc *run(const char *text, const ness_simulate_options *options, ness_status *status, char why[400])
{
  ness_model *const model = sample_model(text);
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  *status = ness_simulate(model, options, diags, &doc);
  snprintf(why, 400, "%s", ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
  ness_diags_free(diags);
  ness_model_free(model);
  return doc;
}

/* Gates flow too: `run --method mean` is the course of `solve ode`. */
static void test_mean(void)
{
  char text[1200];
  snprintf(text, sizeof text, SI PATCH "variable x = 0 [mV] within -100 [mV], 1 [V]\nx' = (V - x)/10 [ms]\n", 2.0, 30,
           "fluid", "fluid");
  ness_model *const model = sample_model(text);
  ness_diags *const diags = ness_diags_create();
  const ness_simulate_options o = {
      .struct_size = sizeof o, .time = 0.05, .every = 0.005, .threads = 1, .method = "mean"};
  const ness_solve_options ask = {.struct_size = sizeof ask, .what = "ode", .time = 0.05, .every = 0.005};
  ness_doc *a = NULL, *b = NULL;
  CHECK(ness_simulate(model, &o, diags, &a) == NESS_OK && ness_solve(model, &ask, diags, &b) == NESS_OK);
  for (int32_t k = 0; k < 10 && a && b; k++) {
    static const char *const of[] = {"V [mV]", "x [mV]", "O"};
    for (int32_t i = 0; i < 3; i++) {
      char left[64], right[64];
      snprintf(left, sizeof left, "course[%d].%s", k, of[i]);
      snprintf(right, sizeof right, "course[%d].%s", k + 1, of[i]);
      CHECK_NEAR(ness_doc_number(a, left), ness_doc_number(b, right), 3e-5);
    }
  }
  ness_doc_free(a);
  ness_doc_free(b);
  ness_diags_free(diags);
  ness_model_free(model);
}

/* A patch of 0.4 fF with three channels: pores as their mean beside gates one by one, against every ion one by one. The
 * means differ by what single ions do to the voltage, below a hundredth here; errors are those of the batches. */
static void test_ions(void)
{
  char flows[1200], hops[1200], why[400];
  ness_status status;
  snprintf(flows, sizeof flows, SI PATCH, 0.4, 3, "fluid", "fluid");
  snprintf(hops, sizeof hops, SI PATCH, 0.4, 3, "", "");
  const ness_simulate_options o = {.struct_size = sizeof o, .replicas = 64, .time = 1, .warmup = 0.1, .seed = 5};
  const ness_simulate_options p = {.struct_size = sizeof p, .replicas = 64, .time = 0.2, .warmup = 0.05, .seed = 6};
  ness_doc *const a = run(flows, &o, &status, why), *const b = run(hops, &p, &status, why);
  static const char *const of[] = {"counts[1].mean", "counts[2].mean", "steps[2].net", "entropy.production_kb_per_s"};
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    char error[64];
    snprintf(error, sizeof error, "%s_error", of[i]);
    const double x = ness_doc_number(a, of[i]), y = ness_doc_number(b, of[i]);
    const double spread = hypot(ness_doc_number(a, error), ness_doc_number(b, error));
    /* 5.5 deviations of four figures: a false alarm in two million; and the hundredth that ions make */
    CHECK(fabs(x - y) < 5.5 * spread + 0.01 * fabs(y));
    CHECK(spread < 0.1 * fabs(y));
  }
  CHECK_STR(ness_doc_string(a, "run.method"), "hybrid");
  CHECK_STR(ness_doc_string(b, "run.method"), "direct");
  ness_doc_free(a);
  ness_doc_free(b);
}

/* The chemical Langevin equation around a state of rest has the spread of the linear noise. */
static void test_langevin(void)
{
  char text[1200], why[400];
  ness_status status;
  snprintf(text, sizeof text, SI PATCH, 2000.0, 30000, "fluid", "fluid");
  ness_model *const model = sample_model(text);
  ness_diags *const diags = ness_diags_create();
  const ness_simulate_options o = {
      .struct_size = sizeof o, .replicas = 40, .time = 0.04, .every = 0.04, .method = "langevin", .seed = 2};
  const ness_solve_options ask = {.struct_size = sizeof ask, .what = "lna", .time = 0.04, .every = 0.04};
  ness_doc *const a = run(text, &o, &status, why);
  ness_doc *b = NULL;
  CHECK(status == NESS_OK && ness_solve(model, &ask, diags, &b) == NESS_OK);
  const double sd = ness_doc_number(b, "course[1].sd O"), spread = ness_doc_number(a, "course[0].sd O");
  /* of 40 replicas the deviation is known to 11 %: 5 of these */
  CHECK(fabs(spread / sd - 1) < 0.56);
  CHECK(fabs(ness_doc_number(a, "course[0].O") - ness_doc_number(b, "course[1].O")) < 5 * sd / sqrt(40));
  ness_doc_free(a);
  ness_doc_free(b);
  ness_diags_free(diags);
  ness_model_free(model);
}

static void test_threads(void)
{
  char text[1200], why[400];
  ness_status status;
  snprintf(text, sizeof text, SI PATCH "when V > -60 [mV]: n = n + 1\nvariable n = 0 within 0, 1e6\n", 2.0, 20, "fluid",
           "fluid");
  char *shown[3];
  for (int32_t threads = 1; threads <= 3; threads++) {
    const ness_simulate_options o = {
        .struct_size = sizeof o, .replicas = 70, .time = 0.02, .every = 0.005, .threads = threads, .seed = 9};
    ness_doc *const doc = run(text, &o, &status, why);
    shown[threads - 1] = ness_doc_json(doc);
    ness_doc_free(doc);
  }
  CHECK(strcmp(shown[0], shown[1]) == 0 && strcmp(shown[0], shown[2]) == 0);
  for (int32_t i = 0; i < 3; i++) ness_text_free(shown[i]);
}

/* A condition on what a box bounds is not looked at where it cannot turn; one that reads a count is always. */
static void test_conditions(void)
{
  double seen[2];
  for (int i = 0; i < 2; i++) {
    char text[1200], why[400];
    ness_status status;
    snprintf(text, sizeof text, SI PATCH "variable n = 0 within 0, 1e6\nwhen V %s < -67 [mV]: n = n + 1\n", 2.0, 20,
             "fluid", "fluid", i ? "+ 0 [mV]*O" : "");
    const ness_simulate_options o = {
        .struct_size = sizeof o, .replicas = 3, .time = 2, .every = 2, .threads = 1, .seed = 4};
    ness_doc *const doc = run(text, &o, &status, why);
    seen[i] = ness_doc_number(doc, "course[0].n");
    ness_doc_free(doc);
  }
  printf("a condition turned %g and %g times\n", seen[0], seen[1]);
  CHECK(seen[0] == seen[1] && seen[0] > 20);
}

/* A hop of a pool that flows and holds less than one: the run says that the hop is barred. */
static void test_barred(void)
{
  ness_model *const model = sample_model(NATURAL "species A = 1, B = 0, C = 3, D = 0\nf: A <-> B @ 1, 9 fluid\n"
                                                 "h: A + C -> D @ 5\n");
  ness_diags *const diags = ness_diags_create();
  const ness_simulate_options o = {.struct_size = sizeof o, .replicas = 9, .time = 3};
  ness_doc *doc = NULL;
  CHECK(ness_simulate(model, &o, diags, &doc) == NESS_OK && ness_diags_count(diags, NULL) == 1);
  CHECK(strstr(ness_diags_get(diags, 0)->message, "h, forward, was barred"));
  ness_doc_free(doc);
  ness_diags_free(diags);
  ness_model_free(model);
}

static void test_refused(void)
{
  char text[1200];
  snprintf(text, sizeof text, SI PATCH, 2.0, 20, "fluid", "");
  const struct {
    ness_simulate_options options;
    const char *words;
  } rows[] = {{{.time = 1, .path = "never.msgpack"}, "writes dumps at level grid alone"},
              {{.events = 100}, "cannot stop after a number of events"},
              {{.time = 1, .method = "tau"}, "cannot take this method"},
              {{.time = 1e9, .every = 1e-3}, "take more than 4 GB"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char why[400];
    ness_status status;
    ness_simulate_options o = rows[i].options;
    o.struct_size = sizeof o;
    ness_doc_free(run(text, &o, &status, why));
    CHECK(status == NESS_USAGE || status == NESS_LIMIT);
    CHECK(strstr(why, rows[i].words));
    if (!strstr(why, rows[i].words)) fprintf(stderr, "%s\n", why);
  }
}

int main(void)
{
  test_mean();
  test_ions();
  test_langevin();
  test_threads();
  test_conditions();
  test_barred();
  test_refused();
  return check_done();
}
