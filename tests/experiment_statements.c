/* Statements of experiments: every relation of `expect` where it holds and where it fails, with tolerances and sigmas;
 * a planted error of 3 percent; what scan, random, reversal, let and with do to values; and which of them are refused.
 */
#include "lang_sample.h"

#define TWO_STATES NATURAL "param k = 1, q = 2\nspecies A = 90, B = 0\nr: A <-> B @ k, q\n"

/* The answer of one experiment's body; -1 when it did not run. */
static int failed_of(const char *head, const char *body, ness_doc **keep)
{
  char text[3000];
  ness_status status;
  snprintf(text, sizeof text, "%sexperiment e {\n%s\n}\n", head, body);
  ness_doc *const doc = sample_test(text, false, &status, NULL);
  const double passed = doc ? ness_doc_number(doc, "passed") : -1, failed = doc ? ness_doc_number(doc, "failed") : -1;
  CHECK(!doc || ((status == NESS_EXPECT) == (failed > 0) && passed + failed == ness_doc_count(doc, "expectations")));
  if (keep) *keep = doc;
  else ness_doc_free(doc);
  return (int)failed;
}

/* mean(A) = 60, mean(B) = 30, rate(r) = 0, var(A) = 20: A is binomial. */
static void test_relations(void)
{
  static const struct {
    const char *text;
    bool holds;
  } cases[] = {{"expect mean(A) ~ 60 +- 1e-9", true},
               {"expect mean(A) ~ 60.1 +- 0.11", true},
               {"expect mean(A) ~ 60.1 +- 0.09", false},
               {"expect mean(A) ~ 59.9 +- 0.09", false},
               {"expect mean(A) == mean(A)", true},
               {"expect mean(A) == 61", false},
               {"expect mean(A) == 61 +- 2", true},
               {"expect mean(A) < 60.001", true},
               {"expect mean(A) < 59.999", false},
               {"expect mean(A) < 59.999 +- 0.01", true},
               {"expect 60 < 60", false},
               {"expect mean(A) <= 60.001", true},
               {"expect 60 <= 60", true},
               {"expect mean(A) <= 59.999", false},
               {"expect mean(A) > 59.999", true},
               {"expect mean(A) > 60.001", false},
               {"expect mean(A) > 60.001 +- 0.01", true},
               {"expect 60 > 60", false},
               {"expect mean(A) >= 59.999", true},
               {"expect 60 >= 60", true},
               {"expect mean(A) >= 60.001", false},
               {"expect 0 ~ 1e-300 +- 0", false},
               {"expect inf ~ 1 +- 1", false},
               {"expect inf ~ inf +- 1", true},
               {"expect 1 ~ 1 +- inf", false}, /* no tolerance lets everything through */
               {"expect mean(A) >= 60.001 +- 0.01", true},
               {"expect mean(A) <= 59.999 +- 0.01", true},
               {"expect mean(A) >= 60.1 +- 0.01", false},
               {"expect mean(A) <= 59.9 +- 0.01", false},
               {"expect mean(B)/mean(A) ~ q/(4*k) +- 1e-14", true},
               {"expect var(A) ~ 20 +- 1e-12", true},
               {"expect var(A) ~ 60 +- 1", false},
               {"expect sigma ~ 0 +- 1e-12", true},
               {"expect forward(r) - backward(r) ~ rate(r) +- 1e-12", true},
               {"expect forward(r) ~ 60 +- 1e-9", true},
               {"expect netflux(B) ~ 0 +- 1e-12", true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char body[300];
    snprintf(body, sizeof body, "solve steady\n%s", cases[i].text);
    const int failed = failed_of(TWO_STATES, body, NULL);
    if (failed != !cases[i].holds) fprintf(stderr, "%s: %d failed\n", cases[i].text, failed);
    CHECK(failed == !cases[i].holds);
  }
}

/* The row of an expectation: value, expected, difference, tolerance, and the worst of many points. */
static void test_rows(void)
{
  ness_doc *doc;
  CHECK(failed_of(TWO_STATES, "scan k = {1, 2, 6} {\n solve steady\n expect mean(A) ~ 60 +- 20\n}\nexpect 1 < 2",
                  &doc) == 1);
  CHECK(doc && ness_doc_count(doc, "expectations") == 2);
  CHECK_NEAR(ness_doc_number(doc, "expectations[0].points"), 3, 0);
  CHECK_NEAR(ness_doc_number(doc, "expectations[0].value"), 90 * 2. / 8, 1e-13);
  CHECK_NEAR(ness_doc_number(doc, "expectations[0].expected"), 60, 0);
  CHECK_NEAR(ness_doc_number(doc, "expectations[0].difference"), 22.5 - 60, 1e-13);
  CHECK_NEAR(ness_doc_number(doc, "expectations[0].tolerance"), 20, 0);
  CHECK_NEAR(ness_doc_number(doc, "expectations[0].line"), 9, 0);
  CHECK_STR(ness_doc_string(doc, "expectations[0].holds"), "NO");
  CHECK_STR(ness_doc_string(doc, "expectations[1].holds"), "yes");
  CHECK_STR(ness_doc_string(doc, "expectations[0].experiment"), "e");
  ness_doc_free(doc);
}

/* A tolerance is in the unit of what it stands beside. */
static void test_tolerance_units(void)
{
  const char *const head = SI "param V = 5 [mV]\nprotein P {\nstate A\nstate B\n}\nr: A <-> B @ 1 [1/s], 2 [1/s]\n";
  static const char *const fine[] = {"expect V ~ 6 [mV] +- 1.01 [mV]", "expect V ~ 5 [mV] +- 0"};
  for (int i = 0; i < 2; i++) CHECK(failed_of(head, fine[i], NULL) == 0);
  CHECK(failed_of(head, "expect V ~ 6 [mV] +- 0.9 [mV]", NULL) == 1);
  static const char *const wrong[] = {"expect V ~ 6 [mV] +- 1", "expect V ~ 6 [mV] +- 1 [s]", "expect 1 ~ 1 +- 1 [V]"};
  for (int i = 0; i < 3; i++) {
    char text[1000];
    snprintf(text, sizeof text, "%sexperiment e {\n%s\n}\n", head, wrong[i]);
    ness_status status;
    ness_doc *const doc = sample_test(text, false, &status, (char[400]){0});
    if (status != NESS_MODEL) fprintf(stderr, "%s is let through\n", wrong[i]);
    CHECK(status == NESS_MODEL);
    ness_doc_free(doc);
  }
  /* So are those of the assertions of a file, which hold for < too. */
  char text[1000];
  snprintf(text, sizeof text, "%sassert V == 6 [mV] +- 1 [s]\n", head);
  CHECK(sample_refused(text, NESS_MODEL, "cannot compare"));
  snprintf(text, sizeof text, "%sassert V < 4 [mV] +- 2 [mV]\nassert V > 6 [mV] +- 2 [mV]\n", head);
  ness_model *const m = sample_settings(text, NULL, 0, NULL, NULL);
  CHECK(m != NULL);
  ness_model_free(m);
}

/* The exact value of a sampled network holds within 5 sigma, and one 3 percent off does not: 20 seeds, each with an
 * error of about 0.4 percent, so that 5 of them are 2 percent. */
static void test_sigma(void)
{
  for (int seed = 1; seed <= 20; seed++) {
    char body[600];
    ness_doc *doc;
    snprintf(body, sizeof body,
             "simulate replicas 64, time 12, warmup 2, seed %d\nexpect forward(r) ~ 60 within 5 sigma\n"
             "expect forward(r) ~ 60*1.03 within 5 sigma\nexpect forward(r)*1.03 ~ 60 within 5 sigma\n"
             "expect forward(r)/mean(A) ~ 1 within 5 sigma\nexpect forward(r) > 60*1.03 within 5 sigma\n"
             "expect forward(r) > 60*0.97 within 5 sigma\nexpect forward(r) < 60 within 5 sigma\n"
             "expect mean(A) + mean(B) ~ 90 within 5 sigma\nexpect mean(A) ~ 60 +- 60*0.01",
             seed);
    CHECK(failed_of(TWO_STATES, body, &doc) == 3);
    static const char *const holds[] = {"yes", "NO", "NO", "yes", "NO", "yes", "yes", "yes", "yes"};
    for (int i = 0; i < 9 && doc; i++) {
      char path[60];
      snprintf(path, sizeof path, "expectations[%d].holds", i);
      CHECK_STR(ness_doc_string(doc, path), holds[i]);
    }
    const double tolerance = ness_doc_number(doc, "expectations[0].tolerance");
    CHECK(tolerance > 5 * 0.001 * 60 && tolerance < 5 * 0.006 * 60);
    const double sigma = ness_doc_number(doc, "expectations[1].sigma"),
                 off = ness_doc_number(doc, "expectations[1].difference");
    CHECK_NEAR(sigma * tolerance / 5, off, 1e-9);
    ness_doc_free(doc);
  }
}

static void test_values(void)
{
  /* Everything below holds; what it says of scopes: an inner frame knows the outer lets and settings, and gives back
   * nothing; with stands for the experiment; an inner scan of the same name wins. */
  CHECK(
      failed_of(
          TWO_STATES,
          "let a = 3, b = a*2\nexpect b ~ 6 +- 0\n"
          "scan k = {1, 2} {\n let b = k\n expect b ~ k +- 0\n expect a ~ 3 +- 0\n scan k = {4, 8} {\n  expect k > 3\n"
          "  solve steady\n  expect mean(B) ~ 90*k/(k + q) +- 1e-12\n }\n expect k < 3\n}\nexpect b ~ 6 +- 0\n"
          "expect k ~ 1 +- 0\nlet a = 7\nexpect a ~ 7 +- 0\n"
          "scan q = 1 : 3 : 0.5 {\n solve steady\n expect mean(B) ~ 90/(1 + q) +- 1e-12\n}\n"
          "scan q = 3 : 1 : -1 {\n expect q >= 1\n expect q <= 3\n}\n"
          "scan A = {10, 20} {\n solve steady\n expect mean(A) + mean(B) ~ 30 +- 20\n expect var(A) < 10\n}",
          NULL) == 0);
  ness_doc *doc;
  /* The points of a range: from, to and every step between, rounding apart. */
  CHECK(failed_of(
            TWO_STATES,
            "scan q = 0.1 : 0.7 : 0.1 {\n expect q > 0\n}\nscan q = 1 : 1 : 1 {\n expect q ~ 1 +- 0\n}\n"
            "scan q = 1 : 2 : 0.3 {\n expect q < 2\n}\nrandom 17 with q = uniform(2, 3), k = loguniform(0.1, 10) {\n"
            " expect q >= 2\n expect q <= 3\n expect k >= 0.1\n expect k <= 10\n}",
            &doc) == 0);
  static const int points[] = {7, 1, 4, 17, 17, 17, 17};
  for (int i = 0; i < 7 && doc; i++) {
    char path[60];
    snprintf(path, sizeof path, "expectations[%d].points", i);
    CHECK_NEAR(ness_doc_number(doc, path), points[i], 0);
  }
  ness_doc_free(doc);
  /* with */
  ness_status status;
  doc = sample_test(TWO_STATES
                    "experiment e with k = 2*q, q = 5 {\n expect k ~ 4 +- 0\n expect q ~ 5 +- 0\n solve steady\n"
                    " expect mean(B) ~ 40 +- 1e-12\n scan A = {10} {\n  expect k ~ 4 +- 0\n  scan q = {1} {\n   solve "
                    "steady\n   expect "
                    "mean(B) ~ 8 +- 1e-12\n   expect k ~ 4 +- 0\n  }\n  expect q ~ 5 +- 0\n }\n}\nexperiment f {\n "
                    "expect k ~ 1 +- 0\n}\n",
                    true, &status, NULL);
  CHECK(status == NESS_OK && ness_doc_number(doc, "passed") == 8);
  ness_doc_free(doc);
  /* A sampled let carries its error: it moves with what it was made from, and is a number to what comes after. */
  CHECK(failed_of(TWO_STATES,
                  "simulate replicas 32, time 5, seed 1\nlet x = mean(A)\nexpect x ~ mean(A) within 0.001 sigma\n"
                  "expect x + mean(B) ~ 90 within 5 sigma\nexpect x ~ mean(A) + 0.01 within 0.001 sigma",
                  NULL) == 1);
}

/* Draws: the same seed, the same numbers; another, others; uniform and loguniform in the mean of many. */
static void test_random(void)
{
  static const char *const seeds[] = {"", " seed 1", " seed 2"};
  double worst[3];
  for (int i = 0; i < 3; i++) {
    char body[400];
    ness_doc *doc;
    snprintf(body, sizeof body,
             "random 400%s with q = uniform(2, 4), k = loguniform(0.01, 100) {\n expect q ~ 3 +- 1\n}", seeds[i]);
    CHECK(failed_of(TWO_STATES, body, &doc) == 0);
    worst[i] = ness_doc_number(doc, "expectations[0].value");
    CHECK(fabs(worst[i] - 3) > 0.97 && fabs(worst[i] - 3) <= 1); /* of 400 one comes near an end: 1 - 0.97^400 */
    ness_doc_free(doc);
  }
  CHECK(worst[0] == worst[1] && worst[1] != worst[2]);
  /* 400 seeds, a draw each: how many lie below the middle, of loguniform below the geometric one. Coins: 5 sigma. */
  static const char *const below[] = {"q < 3", "k < 1", "k < 0.1", "q < 2.2"};
  static const double share[] = {0.5, 0.5, 0.25, 0.1};
  for (int i = 0; i < 4; i++) {
    text_buffer text = {0};
    ness_status status;
    text_add(&text, TWO_STATES "experiment e {\n");
    for (int seed = 0; seed < 400; seed++)
      text_add(&text, "random 1 seed %d with q = uniform(2, 4), k = loguniform(0.01, 100) {\n expect %s\n}\n", seed,
               below[i]);
    text_add(&text, "}\n");
    ness_doc *const doc = sample_test(text.data, true, &status, NULL);
    CHECK(fabs(ness_doc_number(doc, "passed") - 400 * share[i]) <= 5 * sqrt(400 * share[i] * (1 - share[i])));
    CHECK(ness_doc_number(doc, "passed") + ness_doc_number(doc, "failed") == 400);
    ness_doc_free(doc);
    text_clear(&text);
  }
}

static void test_reversal(void)
{
  const char *const channel = SI
      "compartment o reservoir\ncompartment i reservoir potential V\nparam V = -60 [mV], PNa = 1 [1/s], PK = 10 [1/s]\n"
      "ion Na z +1 { o = 140 [mM]\n i = 14 [mM] }\nion K z +1 { o = 4 [mM]\n i = 140 [mM] }\n"
      "na: Na.i <-> Na.o @ ldb(k0 = PNa, form = scharfetter-gummel)\n"
      "k: K.i <-> K.o @ ldb(k0 = PK, form = scharfetter-gummel)\n";
  /* Nernst for one ion; Goldman, Hodgkin and Katz for two. */
  CHECK(failed_of(channel,
                  "let ENa = reversal(rate(na), V = -150 : 150 [mV])\nexpect ENa ~ nernst(Na.i, Na.o) +- 1e-12 [V]\n"
                  "let EK = reversal(rate(k), V = -150 : 150 [mV])\nexpect EK ~ nernst(K.i, K.o) +- 1e-12 [V]\n"
                  "let E = reversal(current(i), V = -150 : 150 [mV])\n"
                  "expect E ~ kT/e*ln((PNa*Na.o + PK*K.o)/(PNa*Na.i + PK*K.i)) +- 1e-12 [V]\n"
                  "expect V ~ -60 [mV] +- 0\nexpect reversal(rate(na), V = -150 : 150 [mV]) ~ ENa +- 1e-15 [V]",
                  NULL) == 0);
  /* Over a concentration, by its path. */
  CHECK(failed_of(channel,
                  "let c = reversal(rate(na), Na.i = 1 : 10000 [mM])\nexpect c ~ Na.o*exp(60 [mV]*e/kT) +- 1e-9 [M]",
                  NULL) == 0);
  /* An end that is the root itself, and bounds the wrong way round. */
  CHECK(failed_of(NATURAL "param x = 1\nbath F = x, W = 2\nspecies A = 1\nr: A + F <-> A + W @ 1, 1\n",
                  "let a = reversal(rate(r), x = 2 : 5)\nexpect a ~ 2 +- 0\nlet b = reversal(rate(r), x = 5 : 1)\n"
                  "expect b ~ 2 +- 1e-14",
                  NULL) == 0);
}

static void test_refused(void)
{
  static const struct {
    const char *body, *words;
  } cases[] = {
      {"expect mean(A) > 1", "nothing was solved or simulated yet"},
      {"solve steady\nexpect 1 ~ 1 within 3 sigma", "needs a simulation before it"},
      {"simulate replicas 4, time 1\nexpect mean(A) ~ 1 within 3 sigma", "an error cannot be had from 4 replicas"},
      {"solve steady\nexpect slope(A) > 0", "needs times"},
      {"simulate replicas 8, time 1\nexpect mean_at(A, 0.5) > 0", "needs times"},
      {"solve steady every 1", "every means nothing for steady"},
      {"solve steady\nexpect sigma_at(1) > 0", "known from the master equation in time only"},
      {"solve transient time 1, every 0.5\nexpect adiabatic_at(0.3) > 0", "0.3 is not a grid time"},
      {"simulate replicas 8, time 1, every 0.25\nexpect mean_at(A, 0.3) > 0", "0.3 is not a grid time"},
      {"simulate replicas 8, time 1, evry 0.25", "simulate has no setting evry"},
      {"simulate replicas 8, time 1, warmup 2", "leaves nothing of the time"},
      {"simulate replicas -8, time 1", "replicas cannot be -8"},
      {"solve transient", "needs its end"},
      {"solve nothing", "cannot solve for nothing"},
      {"scan k = 1 : 2 : -1 {\n}", "no points"},
      {"scan k = 1 : 2 {\n}", "a scan needs from : to : step"},
      {"scan k = 1 : 2 : 0 {\n}", "no points"},
      {"scan z = {1} {\n}", "no parameter, bath or concentration has the name z"},
      {"scan k = {1}, q = {2} {\n}", "a scan runs over one parameter"},
      {"random 0 with k = uniform(1, 2) {\n}", "from 1 to a million"},
      {"random 3 with k = uniform(1) {\n}", "a lower and an upper end"},
      {"random 3 with k = loguniform(0, 1) {\n}", "loguniform needs positive ends"},
      {"let a = uniform(1, 2)", "no function uniform"},
      {"let a = 2*reversal(rate(r), k = 1 : 2)", "stands alone"},
      {"let a = reversal(mean(A), k = 1 : 2)", "the same sign at both ends"},
      {"let a = reversal(mean(A))", "a parameter with its range"},
      {"let a = nothing", "no value has the name nothing"},
      {"scan k = {1} {\n let inner = 3\n}\nexpect inner > 0", "no value has the name inner"},
      {"solve steady\nscan k = {1} {\n expect mean(A) > 0\n}", "nothing was solved or simulated yet"},
      {"expect 1 != 2", "expected ~, ==, <, <=, > or >="},
      {"expect 1 ~ 2", "~ needs a tolerance"},
      {"expect 1", "expected ~, =="},
      {"simulate replicas 8, time 1\nexpect flux(c) > 0", "known from the master equation only"},
      {"expectation 1 < 2", "no such statement in an experiment"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[1000], why[400];
    ness_status status;
    snprintf(text, sizeof text, TWO_STATES "s: A <-> B @ k, q\ncycle c: r - s\nexperiment e {\n%s\n}\n", cases[i].body);
    ness_doc *const doc = sample_test(text, false, &status, why);
    if (status != NESS_MODEL || !strstr(why, cases[i].words))
      fprintf(stderr, "%s: %d %s\n", cases[i].body, (int)status, why);
    CHECK(status == NESS_MODEL && strstr(why, cases[i].words));
    ness_doc_free(doc);
  }
}

/* Exact only: what needs the simulation is counted, not run; and one experiment by its name. */
static void test_options(void)
{
  const char *const text =
      TWO_STATES "experiment a {\n simulate replicas 16, time 1\n let x = mean(A)\n expect x > 1000\n"
                 " expect mean(B) > 1000\n solve steady\n expect mean(A) ~ 60 +- 1e-9\n}\n"
                 "experiment b {\n expect 1 > 2\n}\n";
  ness_status status;
  ness_doc *doc = sample_test(text, true, &status, NULL);
  CHECK(status == NESS_EXPECT && ness_doc_number(doc, "passed") == 1 && ness_doc_number(doc, "failed") == 1 &&
        ness_doc_number(doc, "skipped") == 2);
  ness_doc_free(doc);
  doc = sample_test(text, false, &status, NULL);
  CHECK(status == NESS_EXPECT && ness_doc_number(doc, "failed") == 3);
  ness_doc_free(doc);
  const char *const path = sample_file("named.ness", text);
  static const char *const names[] = {"a", "b", "c"};
  static const ness_status wanted[] = {NESS_OK, NESS_EXPECT, NESS_USAGE};
  for (int i = 0; i < 3; i++) {
    ness_diags *const diags = ness_diags_create();
    const ness_test_options options = {.struct_size = sizeof options, .exact_only = 1, .experiment = names[i]};
    ness_doc *one = NULL;
    CHECK(ness_test(path, &options, diags, &one) == wanted[i]);
    ness_doc_free(one);
    ness_diags_free(diags);
  }
  sample_file_remove("named.ness");
}

int main(void)
{
  test_relations();
  test_rows();
  test_tolerance_units();
  test_sigma();
  test_values();
  test_random();
  test_reversal();
  test_refused();
  test_options();
  return check_done();
}
