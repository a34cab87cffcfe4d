/* Volumes that follow variables: every form of a rate against the same file with the volume held there; Boyle and van
 * 't Hoff's osmometer; growth by exp(mu t) with what it does to births, to A + B -> C as rate equations and to single
 * pairs and to noise, by closed forms; the master equation and the ledger in a volume that stands; detailed balance
 * through it. */
#include "lang_sample.h"

#define PLACES SI "compartment o reservoir\ncompartment i reservoir potential V\n"
#define WALL "capacitor V between o, i capacitance 1 [pF] start -30 [mV]\n"
#define THINGS                                                                                                         \
  "ion K z +1 { i = 140 [mM]\n o = 4 [mM]\n c = 2 [mM]\n d = 5 [mM] }\nion L z -1 { i = 9 [mM]\n o = 110 [mM]\n"       \
  " c = 3 [mM] }\nbath ATP = 4 [mM], mu0 = 20 kT\nspecies S = 500 in c, U = 40 in c, W = 70 in d\n"                    \
  "protein P copies 7 {\nstate A\nstate B energy = 1 kT start 3\n}\n"

static double propensity(const ness_network *net, int32_t dir, const int64_t *n)
{
  double *const scratch = malloc(((size_t)net->tape_max + 1) * sizeof *scratch);
  const double value = network_propensity(net, dir, n, scratch);
  free(scratch);
  return value;
}

/* The same counts in both files: those of the one whose volumes move, there with its variables set. */
static void test_forms(void)
{
  static const char *const steps[] = {"r: S + U <-> K.c + L.c @ 3 [1/M/s], 5 [1/M/s]",
                                      "r: 2 S <-> U @ 3 [1/M/s], 5 [1/s]",
                                      "r: S <-> U @ 3 [1/s], 5 [1/s]",
                                      "r: 3 S + ATP <-> 0 @ 3 [1/M^3/s], 5 [M/s]",
                                      "r: A + S <-> B @ 3 [1/M/s], 5 [1/s]",
                                      "r: A + S <-> B @ 3 [1/M/s], ldb",
                                      "r: A + S <-> B + 2 W @ ldb, 5 [1/M^2/s]",
                                      "r: S + U <-> W @ ldb, 5 [1/s]",
                                      "r: S + U <-> 2 W @ 3 [1/M/s], ldb",
                                      "r: A + S <-> B + W @ ldb, 5 [1/M/s]",
                                      "r: A + 2 S <-> B + W @ ldb(k0 = 5 [1/s])",
                                      "r: S + U <-> W @ ldb(k0 = 5 [1/s], form = heat-bath)",
                                      "r: S <-> W @ ldb(k0 = 5 [1/s], form = metropolis)",
                                      "r: S + ATP <-> 2 W @ ldb(k0 = 5 [1/s], barrier = 2 kT)",
                                      "r: K.c <-> K.d @ ldb(k0 = 5 [1/s], form = scharfetter-gummel)",
                                      "r: A + K.c <-> A + K.d @ ldb(k0 = 5 [1/s], form = ohmic)",
                                      "r: A + K.c <-> A + K.o @ ldb(conductance = 3 [pS])",
                                      "r: A + K.i <-> A + K.c @ ldb(conductance = 3 [pS])",
                                      "r: A + K.i + 2 S <-> B + K.c @ ldb(k0 = 5 [1/s], split = 0.3)",
                                      "r: L.c <-> L.i @ ldb(k0 = 5 [1/s], form = scharfetter-gummel)",
                                      "r: A + L.c <-> A + L.i @ 3 [1/M/s], ldb",
                                      "r: A + S <-> A + W @ 3 [1/M/s]*exp(V/20 [mV]), 5 [1/M/s]*(1 + A/7)",
                                      "r: S + U <-> W @ 3 [1/M/s]*(1 + A), 5 [1/s]*B",
                                      "r: S -> U @@ 3 [1/s]*S*exp(V/20 [mV])"};
  for (int32_t at = 0; at < 12; at++) {
    for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
      const char *const step = steps[i / 2], *const fluid = i % 2 ? " fluid" : "";
      char moving[2400], held[2400];
      if (i % 2 && (strstr(step, "2 ") || strstr(step, "3 S"))) continue; /* two of a kind flow as n^2 */
      snprintf(moving, sizeof moving,
               PLACES
               "variable w = 1 within 0.2, 6, x = 2 [fL] within 0.5 [fL], 6 [fL]\nswollen := 0.25 [fL]*(w + w^2)\n"
               "compartment c volume swollen\ncompartment d volume x\n" WALL THINGS "%s%s\n",
               step, fluid);
      ness_model *const a = sample_model(moving);
      if (!a) continue;
      const ness_network *const net = sample_network(a);
      int64_t n[20];
      double set[3];
      CHECK(net->nslot <= 20 && net->nvar == 3);
      for (int32_t s = 0; s < net->nslot; s++) n[s] = net->slot_start[s];
      for (int32_t v = 1; v < 3; v++) {
        n[net->var_slot[v]] = net->slot_max[net->var_slot[v]] * (at + 1) / 13;
        set[v] = net->var_zero[v] + net->var_unit[v] * (double)n[net->var_slot[v]];
      }
      snprintf(
          held, sizeof held,
          PLACES
          "param w = %.17g\ncompartment c volume 0.25 [fL]*(w + w^2)\ncompartment d volume %.17g [m^3]\n" WALL THINGS
          "%s%s\n",
          set[1], set[2], step, fluid);
      ness_model *const b = sample_model(held);
      if (b) {
        CHECK(sample_network(b)->nslot == net->nslot - 2);
        for (int32_t dir = 0; dir < 2; dir++)
          CHECK_REL(propensity(net, dir, n), propensity(sample_network(b), dir, n), 1e-12);
        CHECK(propensity(net, 0, n) > 0);
      }
      ness_model_free(a);
      ness_model_free(b);
    }
  }
}

/* The value of a course at its row; NAN where there is none. */
static double course(const ness_doc *doc, int32_t row, const char *of)
{
  char path[64];
  snprintf(path, sizeof path, "course[%d].%s", row, of);
  return ness_doc_number(doc, path);
}

/* What cannot cross holds water in the ratio of osmolarities (Boyle and van 't Hoff); what can has one concentration on
 * both sides. At rest by the rate equations, and by a run that ends there. */
static void test_osmometer(void)
{
  ness_model *const model = sample_model(
      SI
      "compartment o reservoir\nvariable w = 1 within 0.2, 5\ncompartment c volume 2 [fL]*w\n"
      "ion S z 0 { o = 60 [mM]\n c = 20 [mM] }\nparam held = 180 [mM]*2 [fL]\nprotein P { state A }\n"
      "pass: A + S.o <-> A + S.c @ ldb(k0 = 1e8 [1/s]) fluid\nw' = 0.01 [1/mM/s]*((S.c + held)/(2 [fL]*w) - 60 [mM] - "
      "75 [mM])\n");
  ness_diags *const diags = ness_diags_create();
  const ness_solve_options rest = {.struct_size = sizeof rest, .what = "ode"};
  const ness_simulate_options run = {.struct_size = sizeof run, .time = 1000, .every = 1000, .threads = 1};
  ness_doc *a = NULL, *b = NULL;
  CHECK(ness_solve(model, &rest, diags, &a) == NESS_OK && ness_simulate(model, &run, diags, &b) == NESS_OK);
  const double w = 180.0 / 75, inside = 60e-3 * 6.02214076e23 * 2e-15 * w;
  CHECK_REL(ness_doc_number(a, "counts[0].mean"), inside, 1e-8);
  CHECK_REL(ness_doc_number(a, "counts[2].mean"), w, 1e-8);
  CHECK(fabs(ness_doc_number(a, "entropy.production_kb_per_s")) < 1e-6);
  CHECK_REL(course(b, 0, "S.c"), inside, 1e-5);
  CHECK_REL(course(b, 0, "w"), w, 1e-5);
  ness_doc_free(a);
  ness_doc_free(b);
  ness_diags_free(diags);
  ness_model_free(model);
}

#define GROWS NATURAL "variable w = 1 within 0.5, 40\ncompartment c volume 2*w\nw' = 0.3*w\n"

/* Rate equations in V = V0 exp(mu t), by s = (1 - exp(-mu t))/(mu V0), the time that densities feel: of A + B -> C, A =
 * d/(1
 * - B0/A0 exp(-k d s)) with d = A - B; of 2 D -> 0, D = D0/(1 + 2 k D0 s). */
static void test_pairs(void)
{
  ness_model *const model =
      sample_model(GROWS "species A = 1000 in c, B = 500 in c, C = 0 in c, D = 800 in c\nr: A + B -> C @ 0.004\n"
                         "two: 2 D -> 0 @ 0.001 fluid\n");
  ness_diags *const diags = ness_diags_create();
  const ness_solve_options ask = {.struct_size = sizeof ask, .what = "ode", .time = 5, .every = 1};
  const ness_simulate_options run = {
      .struct_size = sizeof run, .time = 5.5, .every = 1, .threads = 1, .method = "mean"};
  ness_doc *a = NULL, *b = NULL;
  CHECK(ness_solve(model, &ask, diags, &a) == NESS_OK && ness_simulate(model, &run, diags, &b) == NESS_OK);
  for (int32_t t = 1; t <= 5; t++) {
    const double s = (1 - exp(-0.3 * t)) / 0.6, want = 500 / (1 - 0.5 * exp(-0.004 * 500 * s));
    CHECK_REL(course(a, t, "A"), want, 1e-6);
    CHECK_REL(course(b, t - 1, "A"), want, 1e-4);
    CHECK_REL(course(a, t, "D"), 800 / (1 + 2 * 0.001 * 800 * s), 1e-6);
    CHECK_REL(course(b, t - 1, "D"), 800 / (1 + 2 * 0.001 * 800 * s), 1e-4);
    CHECK_REL(course(a, t, "w"), exp(0.3 * t), 1e-7);
  }
  ness_doc_free(a);
  ness_doc_free(b);
  ness_diags_free(diags);
  ness_model_free(model);
}

/* Events one by one. Births at k V with deaths d each have Poisson's law with the mean k V0 (exp(mu t) - exp(-d t))/(mu
 * + d). A pair in a cell of its own, A + B or A + A, has met by t with probability 1 - exp(-k s) or 1 - exp(-2 k s). */
static void test_events(void)
{
  ness_model *const model = sample_model(GROWS "species N = 0 in c, A = 1 in c, B = 1 in c, D = 2 in c, C = 0 in c\n"
                                               "birth: 0 -> N @ 3\ndeath: N -> 0 @ 0.7\nmeet: A + B -> C @ 1.1\n"
                                               "two: 2 D -> 0 @ 0.6\n");
  ness_diags *const diags = ness_diags_create();
  const ness_simulate_options run = {
      .struct_size = sizeof run, .replicas = 20000, .time = 4.5, .every = 2, .seed = 11, .threads = 2};
  ness_doc *doc = NULL;
  CHECK(ness_simulate(model, &run, diags, &doc) == NESS_OK);
  for (int32_t row = 0; row < 2; row++) {
    const double t = 2 * (row + 1), s = (1 - exp(-0.3 * t)) / 0.6, n = 20000;
    const double mean = 6 * (exp(0.3 * t) - exp(-0.7 * t)) / (0.3 + 0.7);
    const double apart = exp(-1.1 * s), both = exp(-1.2 * s);
    const double sd = course(doc, row, "sd N");
    /* 5.5 deviations of eight figures that vary: a false alarm in three million */
    CHECK(fabs(course(doc, row, "N") - mean) <= 5.5 * sqrt(mean / n));
    CHECK(fabs(sd * sd - mean) <= 5.5 * sqrt((2 * mean * mean + mean) / n));
    CHECK(fabs(course(doc, row, "A") - apart) <= 5.5 * sqrt(apart * (1 - apart) / n));
    CHECK(fabs(course(doc, row, "D") - 2 * both) <= 11 * sqrt(both * (1 - both) / n));
  }
  ness_doc_free(doc);
  ness_diags_free(diags);
  ness_model_free(model);
}

/* Births at k V by what knows noise as a wave: the linear noise and the Langevin equation keep Poisson's mean and
 * variance, for all is linear but the volume. */
static void test_noise(void)
{
  ness_model *const model = sample_model(GROWS "species N = 2000 in c\nbirth: 0 -> N @ 3000\ndeath: N -> 0 @ 0.7\n");
  ness_diags *const diags = ness_diags_create();
  const ness_solve_options ask = {.struct_size = sizeof ask, .what = "lna", .time = 2, .every = 1};
  const ness_simulate_options run = {.struct_size = sizeof run,
                                     .replicas = 400,
                                     .time = 2.5,
                                     .every = 1,
                                     .threads = 2,
                                     .seed = 3,
                                     .method = "langevin"};
  ness_doc *a = NULL, *b = NULL;
  CHECK(ness_solve(model, &ask, diags, &a) == NESS_OK && ness_simulate(model, &run, diags, &b) == NESS_OK);
  for (int32_t t = 1; t <= 2; t++) {
    const double born = 6000 * (exp(0.3 * t) - exp(-0.7 * t)), left = 2000 * exp(-0.7 * t), mean = born + left;
    const double variance = born + left * (1 - exp(-0.7 * t)), sd = course(b, t - 1, "sd N");
    CHECK_REL(course(a, t, "N"), mean, 1e-6);
    CHECK_REL(course(a, t, "sd N"), sqrt(variance), 1e-5);
    /* 5.5 deviations of four figures: a false alarm in six million */
    CHECK(fabs(course(b, t - 1, "N") - mean) < 5.5 * sqrt(variance / 400));
    CHECK(fabs(sd * sd / variance - 1) < 5.5 * sqrt(2.0 / 400));
  }
  ness_doc_free(a);
  ness_doc_free(b);
  ness_diags_free(diags);
  ness_model_free(model);
}

/* The master equation in a volume that stands where its variable does: A + B <-> C has the weight K^c/(a! b! c!) with K
 * = k/(k' V). The ledger counts nothing as driven, whatever the start. */
static void test_master(void)
{
  for (int32_t start = 1; start < 4; start++) {
    char text[400];
    snprintf(text, sizeof text,
             NATURAL
             "variable w = %d within 0.5, 5\ncompartment c volume 2*w\nspecies A = 12 in c, B = 9 in c, C = 0 in c\n"
             "r: A + B <-> C @ 0.4, 0.7\n",
             start);
    ness_model *const model = sample_model(text);
    ness_diags *const diags = ness_diags_create();
    cme_solution s;
    CHECK(cme_steady(sample_network(model), NULL, diags, &s) == NESS_OK);
    double weight = 0, mean = 0;
    for (int32_t c = 0; c <= 9; c++) {
      const double one = exp(c * log(0.4 / (0.7 * 2 * start)) - lgamma(13 - c) - lgamma(10 - c) - lgamma(1 + c));
      weight += one;
      mean += c * one;
    }
    CHECK_REL(s.mean[2], mean / weight, 1e-12);
    CHECK(fabs(s.entropy) < 1e-12 && s.closure < 1e-12);
    cme_solution_free(&s);
    ness_diags_free(diags);
    ness_model_free(model);
  }
}

/* Water comes at a time: what each event gives to the medium follows the volume, and the dilution's share, ln V/V0 for
 * every count that an event makes, stands as undeclared work. */
static void test_ledger(void)
{
  ness_model *const model = sample_model(
      NATURAL
      "variable w = 1 within 0.5, 5\ncompartment c volume 2*w\nspecies A = 4000 in c, B = 3000 in c, C = 5000 in c\n"
      "r: A + B <-> C @ 0.001, 0.7 fluid\nat 1: w = 4\n");
  ness_diags *const diags = ness_diags_create();
  const ness_simulate_options run = {
      .struct_size = sizeof run, .replicas = 1, .time = 60, .warmup = 2, .every = 58, .threads = 1};
  ness_doc *doc = NULL;
  CHECK(ness_simulate(model, &run, diags, &doc) == NESS_OK);
  /* rest at the end: A B = C k' V/k */
  CHECK_REL(course(doc, 0, "A") * course(doc, 0, "B") / course(doc, 0, "C"), 0.7 * 8 / 0.001, 1e-5);
  const double undeclared = ness_doc_number(doc, "work[0].work_kt_per_s"), net = ness_doc_number(doc, "steps[0].net");
  CHECK(net < -1);
  CHECK_REL(undeclared, -net * log(4), 1e-3);
  ness_doc_free(doc);
  ness_diags_free(diags);
  ness_model_free(model);
}

/* Cycles in a volume: closed by the ratio of constants, whatever the volume; a constant that is off is found, and one
 * that follows a variable is left open. */
static void test_check(void)
{
  static const struct {
    const char *back, *balance;
  } cases[] = {{"4", "equilibrium"}, {"5", "inconsistent"}, {"2*w", "undecided"}, {"4*w/x", "undecided"}};
  for (int32_t k = 0; k < 8; k++) {
    char text[600];
    snprintf(text, sizeof text,
             SI "variable w = 2 within 0.5, 4, x = 2 within 0.5, 4\ncompartment c volume 1 [fL]*w\n%s"
                "species A = 20000 in c, B = 10000 in c, C = 0 in c\nprotein E copies 200 { state X\nstate Y }\n"
                "on: X + A <-> Y @ 1e9 [1/M/s], 2 [1/s]\noff: Y <-> X + B @ 3 [1/s], 2e9 [1/M/s]\n"
                "pair: A + B <-> C @ 1e8 [1/M/s], 3 [1/s]\nround: A <-> B @ 3 [1/s], (%s)*1 [1/s]\n",
             k < 4 ? "" : "w' = 0.1 [1/s]*(3 - w)\n", cases[k % 4].back);
    ness_model *const model = sample_model(text);
    ness_diags *const diags = ness_diags_create();
    const ness_check_options options = {.struct_size = sizeof options};
    ness_doc *doc = NULL;
    const ness_status status = ness_check(model, &options, diags, &doc);
    CHECK(status == (k % 4 == 1 ? NESS_EXPECT : NESS_OK));
    CHECK_STR(ness_doc_string(doc, "balance"), cases[k % 4].balance);
    if (k % 4 == 1) CHECK_REL(ness_doc_number(doc, "largest_undeclared_kt"), log(5.0 / 4), 1e-9);
    ness_doc_free(doc);
    ness_diags_free(diags);
    ness_model_free(model);
  }
}

/* Every allocation of loading and of the check fails once. */
static void test_memory(void)
{
  static const char *const text = NATURAL
      "variable w = 1 within 0.5, 2, x = 1 within 1, 2\nv := w*x\ncompartment c volume v\nspecies A = 2 in c, B = 1 "
      "in c\nr: 2 A <-> B @ 1, 2\ns: 2 A <-> B @ ldb(k0 = 1)\n";
  bool done = false;
  int32_t failures = 0;
  for (int64_t n = 0; n < 5000 && !done; n++) {
    ness_diags *const diags = ness_diags_create();
    ness_model *model = NULL;
    ness_doc *doc = NULL;
    mem_fail_after(n);
    ness_status status = ness_model_load("memory.ness", text, NULL, 0, diags, &model);
    if (status == NESS_OK) status = ness_check(model, NULL, diags, &doc);
    mem_fail_after(-1);
    done = status == NESS_OK;
    CHECK(done || status == NESS_NOMEM);
    failures += !done;
    ness_doc_free(doc);
    ness_model_free(model);
    ness_diags_free(diags);
  }
  CHECK(done && failures > 2);
}

int main(void)
{
  test_forms();
  test_osmometer();
  test_pairs();
  test_events();
  test_noise();
  test_master();
  test_ledger();
  test_check();
  test_memory();
  return check_done();
}
