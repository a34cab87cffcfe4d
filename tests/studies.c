/* ness_study against closed forms: stalls at equal concentrations, reversal voltages of Nernst, Goldman and a 3:1
 * exchanger, optima that calculus gives in one and two dimensions, at a border and inside; the published frequency of a
 * flickering carrier; inputs that move; sampled reversals; what is refused; and every allocation that fails. */
#include "lang_sample.h"
#include <ness/study.h>

#define MODELS "networks/models/"

static ness_model *load(const char *path, const char *const *settings, int32_t n)
{
  ness_diags *const diags = ness_diags_create();
  ness_model *model = NULL;
  CHECK(ness_model_load(path, NULL, settings, n, diags, &model) == NESS_OK);
  ness_diags_free(diags);
  return model;
}

/* The answer, or NULL with the words of the first diagnostic in `why`. */
static ness_doc *ask(ness_model *model, const ness_study_options *options, char why[400])
{
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  const ness_status status = model ? ness_study(model, options, diags, &doc) : NESS_INTERNAL;
  CHECK((status == NESS_OK) == (doc != NULL));
  const char *const words = ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "";
  if (why) snprintf(why, 400, "%s", words);
  else if (!doc) fprintf(stderr, "%s: %s\n", options->what, words);
  ness_diags_free(diags);
  return doc;
}

static ness_study_options options_of(const char *what, const char *const *of, const char *const *settings, int32_t n)
{
  return (ness_study_options){.struct_size = sizeof(ness_study_options),
                              .what = what,
                              .of = of,
                              .nof = of != NULL,
                              .settings = settings,
                              .nsettings = n};
}

static ness_doc *study_file(const char *path, const char *what, const char *of, const char *range)
{
  ness_model *const model = load(path, NULL, 0);
  const ness_study_options options = options_of(what, of ? &of : NULL, &range, 1);
  ness_doc *const doc = ask(model, &options, NULL);
  CHECK(doc != NULL);
  ness_model_free(model);
  return doc;
}

static double value_of(const char *path, const char *expression)
{
  ness_model *const model = load(path, NULL, 0);
  const double out = model ? sample_number(model, expression) : NAN;
  ness_model_free(model);
  return out;
}

/* --- stall --- */

static void test_stalls(void)
{
  static const struct {
    const char *path, *of, *range, *key;
    const char *closed; /* in SI; NULL: 1 */
    double unit;
  } cases[] = {{MODELS "facilitated-carrier.ness", NULL, "ratio=0.2:3", "table[0].ratio", NULL, 1},
               {MODELS "nernst.ness", NULL, "V=-150:50[mV]", "table[0].V [mV]", "E", 1e3},
               {MODELS "ghk.ness", "I", "V=-150:50[mV]", "table[0].V [mV]", "E_GHK", 1e3},
               {MODELS "ghk.ness", "I_Na", "V=-150:150[mV]", "table[0].V [mV]", "nernst(Na.in, Na.out)", 1e3},
               {MODELS "ncx.ness", "I", "V=-150:50[mV]", "table[0].V [mV]", "V_rev", 1e3}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ness_doc *const doc = study_file(cases[i].path, "stall", cases[i].of, cases[i].range);
    const double wanted = cases[i].closed ? cases[i].unit * value_of(cases[i].path, cases[i].closed) : 1;
    CHECK_REL(doc ? ness_doc_number(doc, cases[i].key) : NAN, wanted, 1e-9);
    ness_doc_free(doc);
  }
}

/* At the stall: no cost where one cycle runs, and a cost that is known where two do; the slope by the formula. */
static void test_at_the_stall(void)
{
  ness_doc *doc = study_file(MODELS "ncx.ness", "stall", "I", "V=-150:50[mV]");
  CHECK(fabs(ness_doc_number(doc, "entropy.production_kb_per_s")) < 1e-12);
  ness_doc_free(doc);
  /* At E_GHK the K+ that leaves is the Na+ that enters, and sigma is rate * e (E_Na - E_K)/kT. */
  doc = study_file(MODELS "ghk.ness", "stall", "I", "V=-150:50[mV]");
  const double apart = value_of(MODELS "ghk.ness", "e*(nernst(Na.in, Na.out) - nernst(K.in, K.out))/kT");
  CHECK_REL(ness_doc_number(doc, "entropy.production_kb_per_s"), ness_doc_number(doc, "steps[0].net") * apart, 1e-9);
  CHECK_REL(ness_doc_number(doc, "table[0].sigma [1/s]"), ness_doc_number(doc, "entropy.production_kb_per_s"), 1e-15);
  ness_doc_free(doc);
  /* One molecule between A and B: mean(A) - 1/2 = b/(a + b) - 1/2. */
  ness_model *const model = sample_model(NATURAL "param a = 3, b = 2\nspecies A = 1, B = 0\nr: A <-> B @ a, b\n");
  const char *const of[] = {"mean(A) - 0.5", "mean(A)^2 - 0.25"}, *const range = "a=0.1:9";
  for (int i = 0; i < 2; i++) { /* the derivative of the square is by differences */
    const ness_study_options options = options_of("stall", &of[i], &range, 1);
    doc = ask(model, &options, NULL);
    CHECK_NEAR(ness_doc_number(doc, "table[0].a"), 2, 1e-13);
    CHECK_NEAR(ness_doc_number(doc, "table[0].slope"), -1.0 / 8, i ? 1e-8 : 1e-12);
    CHECK(ness_doc_number(doc, "table[0].error") < 1e-12);
    ness_doc_free(doc);
  }
  ness_model_free(model);
}

/* A ratchet that stalls still burns: against the root of an experiment, and the work of all sources. */
static void test_moving(void)
{
  ness_doc *doc = study_file(MODELS "kinetic-ratchet.ness", "stall", "JS", "S.in=1:8[mM]");
  CHECK(fabs(ness_doc_number(doc, "table[0].JS [1/s]")) < 1e-12);
  CHECK(ness_doc_number(doc, "table[0].S.in [mM]") > 3 && ness_doc_number(doc, "table[0].sigma [1/s]") > 30);
  CHECK_REL(ness_doc_number(doc, "work[4].work_kt_per_s") + ness_doc_number(doc, "work[5].work_kt_per_s"),
            ness_doc_number(doc, "table[0].sigma [1/s]"), 1e-10);
  ness_doc_free(doc);
  /* Both ways follow one sine, so the occupancy does not: mean(A) = b/(a + b) through the periodic steady state too. */
  ness_model *const model =
      sample_model(NATURAL "param x = 1, a = 1, b = 2\nspecies A = 1, B = 0\nr: A <-> B @ a*x, b*x\n"
                           "process x sine(mean = 1, amplitude = 0.5, frequency = 0.3)\n");
  const char *const of = "mean(A) - 0.5", *const range = "a=0.5:9";
  const ness_study_options options = options_of("stall", &of, &range, 1);
  doc = ask(model, &options, NULL);
  CHECK_NEAR(doc ? ness_doc_number(doc, "table[0].a") : NAN, 2, 1e-8);
  ness_doc_free(doc);
  ness_model_free(model);
}

/* --- iv --- */

static void test_iv(void)
{
  ness_doc *doc = study_file(MODELS "ghk.ness", "iv", NULL, "V=-100:80:20[mV]");
  CHECK(ness_doc_count(doc, "table") == 10 && ness_doc_count(doc, "reversals") == 3);
  const double kt = value_of(MODELS "ghk.ness", "kT/e"), e = 1e3 * value_of(MODELS "ghk.ness", "E_GHK");
  CHECK_REL(ness_doc_number(doc, "reversals[0].V [mV]"), e, 1e-9);
  CHECK_REL(ness_doc_number(doc, "reversals[1].V [mV]"), 1e3 * value_of(MODELS "ghk.ness", "nernst(K.in, K.out)"),
            1e-9);
  /* The chord conductances of the flux equation add up: I = e sum P u (ci - co exp(-u))/(1 - exp(-u)); its slope at E.
   */
  double slope = 0;
  for (int sign = -1; sign <= 1; sign += 2) {
    const double u = (e / 1e3 + sign * 1e-6) / kt, by = u / (1 - exp(-u));
    slope += sign * by * (1e8 * (0.140 - 0.004 * exp(-u)) + 5e6 * (0.012 - 0.145 * exp(-u))) / 2e-3;
  }
  CHECK_REL(ness_doc_number(doc, "reversals[0].conductance [pA/mV]"), slope * 1.602176634e-19 * 1e12, 1e-6);
  ness_doc_free(doc);
  /* No observable: the current of `in`, which is zero at -ln 3; and a value that turns round twice. */
  ness_model *model = sample_model(
      NATURAL
      "compartment out reservoir\ncompartment in reservoir potential V\nparam V = 0\n"
      "ion K z +1 { out = 1  in = 3 }\nprotein P copies 1 { state O }\np: O + K.in <-> O + K.out @ ldb(k0 = 1)\n");
  const char *const range = "V=-5:5:1";
  const char *const of = "current(in)*(V - 2.5)";
  ness_study_options options = options_of("iv", NULL, &range, 1);
  doc = ask(model, &options, NULL);
  CHECK(ness_doc_count(doc, "reversals") == 1);
  CHECK_REL(ness_doc_number(doc, "reversals[0].V"), -log(3), 1e-12);
  CHECK_STR(ness_doc_string(doc, "reversals[0].of"), "current(in)");
  ness_doc_free(doc);
  options = options_of("iv", &of, &range, 1);
  doc = ask(model, &options, NULL);
  CHECK(ness_doc_count(doc, "reversals") == 2);
  CHECK_REL(ness_doc_number(doc, "reversals[1].V"), 2.5, 1e-12);
  ness_doc_free(doc);
  ness_model_free(model);
}

/* Reversals from simulations: over 40 seeds those within 1.96 errors and what interpolation leaves are 95 % at least.
 * 28 of 40 or fewer have a chance of 1e-7; the mean of z is within 5/sqrt(40) and the cubic's own bias. */
static void test_sampled(void)
{
  const double e = 1e3 * value_of(MODELS "ghk.ness", "E_GHK");
  ness_model *const model = load(MODELS "ghk.ness", NULL, 0);
  const char *const of = "I", *const range = "V=-100:-40:20[mV]";
  ness_study_options options = options_of("iv", &of, &range, 1);
  options.simulate = 1;
  options.simulation = (ness_simulate_options){.struct_size = sizeof options.simulation, .replicas = 32, .time = 1e-4};
  int covered = 0;
  double z = 0;
  for (int seed = 0; seed < 40; seed++) {
    options.simulation.seed = (uint64_t)seed;
    ness_doc *const doc = ask(model, &options, NULL);
    CHECK(ness_doc_count(doc, "reversals") == 1);
    covered += ness_doc_number(doc, "reversals[0].from [mV]") < e && ness_doc_number(doc, "reversals[0].to [mV]") > e;
    z += (ness_doc_number(doc, "reversals[0].V [mV]") - e) / ness_doc_number(doc, "reversals[0].error [mV]") / 40;
    ness_doc_free(doc);
  }
  printf("sampled reversals: %d of 40 intervals hold the voltage, mean z %.2f\n", covered, z);
  CHECK(covered > 26 && fabs(z) < 5.5 / sqrt(40));
  ness_model_free(model);
}

/* --- optimum --- */

static void test_flicker(void)
{
  ness_doc *const doc = study_file(MODELS "flicker-carrier.ness", "optimum", "abs(J)", "gamma=0.01:1000");
  CHECK_NEAR(ness_doc_number(doc, "table[0].abs(J)"), 0.00935571, 1e-7);
  CHECK(fabs(ness_doc_number(doc, "table[0].gamma") - 3.8) < 0.05);
  CHECK(fabs(ness_doc_number(doc, "values[0].derivative")) < 1e-8);
  CHECK_STR(ness_doc_string(doc, "values[0].border"), "no");
  ness_doc_free(doc);
}

/* The two-channel ratchet has J = A g r/(r + 2 g): J/(1 + g) is largest at g = sqrt(r/2), J itself at the border, and
 * it is 99 % of its value where g = 99 g1 r/(r + 2 g1 - 198 g1/100 ...), here found from the same formula. */
static void test_ratchet(void)
{
  const char *const path = MODELS "two-channel-ratchet.ness";
  const double r = value_of(path, "rp"), g = sqrt(r / 2);
  ness_doc *doc = study_file(path, "optimum", "abs(J)/(1 + gamma)", "gamma=0.01:1000");
  CHECK_REL(ness_doc_number(doc, "table[0].gamma"), g, 1e-6);
  /* g/((r + 2 g)(1 + g)) = 0.99 of the most: 2 g^2 + (2 + r - 1/y) g + r = 0 */
  const double y = 0.99 * g / ((r + 2 * g) * (1 + g)), b = 2 + r - 1 / y, root = sqrt(b * b - 8 * r);
  CHECK_REL(ness_doc_number(doc, "values[0].within_1_percent_from"), (-b - root) / 4, 1e-6);
  CHECK_REL(ness_doc_number(doc, "values[0].within_1_percent_to"), (-b + root) / 4, 1e-6);
  ness_doc_free(doc);
  doc = study_file(path, "optimum", "work(V)", "gamma=0.01:100");
  CHECK(ness_doc_number(doc, "table[0].gamma") == 100);
  CHECK_STR(ness_doc_string(doc, "values[0].border"), "upper end");
  CHECK(ness_doc_number(doc, "values[0].derivative") > 0);
  ness_doc_free(doc);
}

/* A flow a b/(a + b) less c (a^2 + 2 b^2): largest at b = a 2^(-1/3) = k a, a = k^2/((1 + k)^2 2 c). */
static void test_two(void)
{
  ness_model *const model = sample_model(NATURAL "param a = 1, b = 1\nspecies A = 1, B = 0\nr: A <-> B @ a, b\n");
  const char *const of[] = {"forward(r) - 0.05*(a^2 + 2*b^2)", "0.05*(a^2 + 2*b^2) - forward(r)"};
  const char *const ranges[] = {"a=0.1:5", "b=0:4"};
  const double k = pow(2, -1.0 / 3), a = k * k / ((1 + k) * (1 + k) * 0.1);
  for (int minimal = 0; minimal < 2; minimal++) {
    ness_study_options options = options_of("optimum", &of[minimal], ranges, 2);
    options.minimal = minimal;
    ness_doc *const doc = ask(model, &options, NULL);
    CHECK_REL(ness_doc_number(doc, "table[0].a"), a, 1e-6);
    CHECK_REL(ness_doc_number(doc, "table[0].b"), k * a, 1e-6);
    CHECK_STR(ness_doc_string(doc, "values[0].scale"), "logarithmic");
    CHECK_STR(ness_doc_string(doc, "values[1].scale"), "linear");
    ness_doc_free(doc);
  }
  ness_model_free(model);
}

/* --- what is refused --- */

static void test_refused(void)
{
  const char *const text =
      NATURAL "param a = 1, b = 1, n = 2\nbath F = 1\nspecies A = 1, B = 0\nprotein P copies n { state p\n"
              " state q }\nr: A + F <-> B @ a, b\nu: p <-> q @ 1, 1\n";
  static const struct {
    const char *what, *of, *range[5], *words;
  } cases[] = {{"stall", NULL, {"a=1:2"}, "one observable"},
               {"stall", "mean(A) - 0.5", {"c=1:2"}, "has the name c"},
               {"stall", "mean(A) - 0.5", {"a=2:3"}, "mean(A) - 0.5 does not change its sign"},
               {"stall", "mean(A) - 0.5", {"a=3:0.1"}, "does not go upward"},
               {"stall", "mean(A) - 0.5", {"a=3"}, "one value, no range"},
               {"stall", "mean(A) - 0.5", {"a=1:3:1"}, "step of the range"},
               {"stall", "mean(A) - 0.5", {"A=0:3"}, "A is a count"},
               {"stall", "mean(A) - 0.5", {"P.copies=1:3"}, "P.copies is a count"},
               {"stall", "mean(A) - 0.4 - (n - 2)*0.3", {"n=1:4"}, "whole number"},
               {"stall", "1/(a - 2)", {"a=1:4.3"}, "in a jump"},
               {"stall", "y", {"a=0.1:3"}, "the name y"},
               {"stall", "mean(A) - 0.5", {"a=0.1:3", "b=0.1:3"}, "one value is varied"},
               {"stall", "mean(A) - 0.5", {NULL}, "one to 4 parameters"},
               {"iv", NULL, {"a=1:3:1"}, "potential of no compartment"},
               {"optimum", "mean(A) - 0.5", {"a=1:2", "a=1:3"}, "two ranges"},
               {"optimum", "sqrt(a - 7)", {"a=1:2"}, ""},
               {"optimum", "mean(A) - 0.5", {"a=1:2", "b=1:2", "F=1:2", "n=1:2", "a=1:2"}, "one to 4 parameters"},
               {"optimal", "mean(A) - 0.5", {"a=1:2"}, "no study optimal"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ness_model *const model = sample_model(text);
    int32_t n = 0;
    char why[400];
    while (n < 5 && cases[i].range[n]) n++;
    const ness_study_options options = options_of(cases[i].what, cases[i].of ? &cases[i].of : NULL, cases[i].range, n);
    ness_doc *const doc = ask(model, &options, why);
    if (doc || !strstr(why, cases[i].words)) fprintf(stderr, "case %d: %s\n", (int)i, why);
    CHECK(!doc && why[0] && strstr(why, cases[i].words));
    ness_doc_free(doc);
    ness_model_free(model);
  }
}

/* --- memory: each of the first 150 allocations fails once, then every 61st --- */

static void test_memory(void)
{
  static const char *const what[] = {"stall", "iv", "optimum"}, *const of = "current(in)";
  static const char *const range[] = {"V=-3:3", "V=-3:3:2", "V=-3:3"};
  for (int w = 0; w < 3; w++) {
    bool done = false;
    for (int64_t n = 0; n < 200000 && !done; n += n < 150 ? 1 : 61) {
      ness_model *const model = sample_model(
          NATURAL "compartment out reservoir\ncompartment in reservoir potential V\nparam V = 0\n"
                  "ion K z +1 { out = 1  in = 3 }\nprotein P { state O }\np: O + K.in <-> O + K.out @ ldb(k0 = 1)\n");
      ness_diags *const diags = ness_diags_create();
      ness_doc *doc = NULL;
      const ness_study_options options = options_of(what[w], &of, &range[w], 1);
      mem_fail_after(n);
      const ness_status status = ness_study(model, &options, diags, &doc);
      mem_fail_after(-1);
      done = status == NESS_OK;
      if (!done && status != NESS_NOMEM) fprintf(stderr, "%s, allocation %d: %d\n", what[w], (int)n, (int)status);
      CHECK(done == (doc != NULL) && (done || status == NESS_NOMEM));
      CHECK(n > 20 || !done);
      ness_doc_free(doc);
      ness_diags_free(diags);
      ness_model_free(model);
    }
    CHECK(done);
  }
}

int main(void)
{
  test_stalls();
  test_at_the_stall();
  test_moving();
  test_iv();
  test_sampled();
  test_flicker();
  test_ratchet();
  test_two();
  test_refused();
  test_memory();
  return check_done();
}
