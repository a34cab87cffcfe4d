/* Rates: propensity constants of every kind of side against numbers worked out here from concentrations and volumes; a
 * form of detailed balance by its own formula and by the identity ln(k_f/k_b) = -sum nu g + work; switched-off steps;
 * what is refused; and propensities given whole against mass action, count by count. */
#include "engine/rng/rng.h"
#include "lang_sample.h"

static const double na = 6.02214076e23;

/* Places: reservoirs o and i, volumes c (1 fL = 1e-15 L) and d (2 fL), and what lives there. */
#define PLACES                                                                                                         \
  SI "compartment o reservoir\ncompartment i reservoir potential V\ncompartment c volume 1 [fL]\n"                     \
     "compartment d volume 2 [fL]\nparam V = -60 [mV]\nion Na z +1 { o = 140 [mM]\n i = 12 [mM]\n c = 10 [uM] }\n"     \
     "ion Glc z 0 { o = 5 [mM]\n c = 1 [uM] mu0 = 0 [J] }\n"                                                           \
     "bath ATP = 4 [mM], mu0 = 20 kT, ADP = 0.5 [mM], H = 3\n"                                                         \
     "species S = 30 in c, T = 20 in c, U = 10 in d, free = 5, other = 3\n"                                            \
     "protein P copies 7 {\nstate A\nstate B\n}\nlattice s[1..2] holds Na max 1\n"                                     \
     "lattice w[1..2] volume 0.5 [fL] holds Na max 9\n"

static void test_constants(void)
{
  static const double c = 1e-15, d = 2e-15, w = 0.5e-15; /* litres */
  const struct {
    const char *step;
    double k[2]; /* 1/s */
  } cases[] = {
      {"A <-> B @ 3 [1/s], 5 [1/s]", {3, 5}},
      {"A + Na.o <-> B @ 2e4 [1/M/s], 5 [1/s]", {2e4 * 0.14, 5}},
      {"A + 2 Na.o <-> B + Glc.o @ 2e4 [1/M^2/s], 5 [1/mM/s]", {2e4 * 0.14 * 0.14, 5 * 5}},
      {"A + ATP <-> B + ADP @ 7 [1/mM/s], 2e3 [1/M/s]", {7 * 4, 2e3 * 0.5e-3}},
      {"A + H <-> B @ 7 [1/s], 1 [1/s]", {7 * 3, 1}}, /* a bath without a concentration: an activity */
      {"A + S <-> B @ 6e8 [1/M/s], 5 [1/s]", {6e8 / (na * c), 5}},
      {"A + Na.c <-> B @ 6e8 [1/M/s], 5 [1/s]", {6e8 / (na * c), 5}},
      {"A + S + T <-> B + U @ 1e12 [1/M^2/s], 6e8 [1/M/s]", {1e12 / (na * c) / (na * c), 6e8 / (na * d)}},
      {"A + Na.o + S <-> B @ 1e9 [1/M^2/s], 1 [1/s]", {1e9 * 0.14 / (na * c), 1}},
      {"free <-> other @ 1 [1/s], 2 [1/s]", {1, 2}},
      {"2 free <-> other @ 1 [1/s], 2 [1/s]", {1, 2}},
      {"S <-> T @ 1 [1/s], 2 [1/s]", {1, 2}}, /* per copy: the volume drops out */
      {"S + T <-> Na.c + S @ 6e8 [1/M/s], 3e8 [1/M/s]", {6e8 / (na * c), 3e8 / (na * c)}},
      {"2 S <-> T @ 6e8 [1/M/s], 2 [1/s]", {6e8 / (na * c), 2}},
      {"3 S -> 0 @ 1e15 [1/M^2/s]", {1e15 / (na * c) / (na * c), 0}},
      {"0 <-> S @ 1 [uM/s], 2 [1/s]", {1e-6 * na * c, 2}}, /* a source makes moles a litre */
      {"0 <-> U @ 1 [uM/s], 2 [1/s]", {1e-6 * na * d, 2}}, /* in its own volume */
      {"0 <-> free @ 3 [1/s], 2 [1/s]", {3, 2}},           /* and without one, copies */
      {"-> S @ 1 [uM/s]", {1e-6 * na * c, 0}},
      {"ATP <-> S @ 9 [1/s], 2 [1/s]", {9 * 4e-3 * na * c, 2}},
      {"H -> S @ 9 [mM/s]", {9 * 3 * 1e-3 * na * c, 0}},
      {"Na.o <-> Na.c @ 9 [1/s], 2 [1/s]", {9 * 0.14 * na * c, 2}},
      {"Na.o <-> Na.i @ 9 [1/M/s], 2 [1/M/s]", {9 * 0.14, 2 * 0.012}},
      {"ATP + S <-> ADP + T @ 5 [1/M/s], 8 [1/mM/s]", {5 * 4e-3, 8 * 0.5}},
      {"S <-> U @ 4 [1/s], 6 [1/s]", {4, 6}}, /* each way in the volume it takes from */
      {"A + S <-> B + U @ 6e8 [1/M/s], 6e8 [1/M/s]", {6e8 / (na * c), 6e8 / (na * d)}},
      {"Na.o <-> Na.s[1] @ 9 [1/M/s], 2 [1/s]", {9 * 0.14, 2}}, /* a site without a volume is a place to count */
      {"Na.s[1] <-> Na.s[2] @ 9 [1/s], 2 [1/s]", {9, 2}},
      {"Na.w[1] <-> Na.w[2] @ 9 [1/s], 2 [1/s]", {9, 2}},
      {"Na.o <-> Na.w[1] @ 9 [1/s], 2 [1/s]", {9 * 0.14 * na * w, 2}},
      {"A + Na.w[1] <-> B @ 6e8 [1/M/s], 2 [1/s]", {6e8 / (na * w), 2}},
      {"S -> 0 @ 2 [1/min]", {2. / 60, 0}},
      {"<-> S @ 1 [nM/s], 2 [1/s]", {1e-9 * na * c, 2}},
      {"3 A <-> 3 B @ 2 [1/s], 4 [1/s]", {2, 4}},
      {"2 A + 2 Na.o <-> 2 B @ 2 [1/M^2/s], 4 [1/s]", {2 * 0.14 * 0.14, 4}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[2000];
    snprintf(text, sizeof text, "%sr: %s\n", PLACES, cases[i].step);
    ness_model *const m = sample_model(text);
    if (!m) continue;
    for (int dir = 0; dir < 2; dir++) {
      const double k = sample_k(m, "r", dir);
      if (!(fabs(k - cases[i].k[dir]) <= 2e-15 * cases[i].k[dir]))
        fprintf(stderr, "%s: %d is %.17g, expected %.17g\n", cases[i].step, dir, k, cases[i].k[dir]);
      CHECK(fabs(k - cases[i].k[dir]) <= 2e-15 * cases[i].k[dir]);
    }
    ness_model_free(m);
  }
  /* A count from a concentration: 10 uM in 1 fL are 6022. */
  char text[2000];
  snprintf(text, sizeof text, "%sr: S -> 0 @ 1 [1/s]\n", PLACES);
  ness_model *const m = sample_model(text);
  CHECK(m && sample_network(m)->slot_start[sample_slot(m, "Na.c")] == 6022);
  CHECK(m && sample_network(m)->slot_start[sample_slot(m, "Glc.c")] == 602);
  ness_model_free(m);
}

static void test_refused(void)
{
  static const struct {
    const char *step, *words;
  } cases[] = {{"S + U -> 0 @ 1 [1/M/s]", "this step takes from two volumes"},
               {"0 -> S + U @ 1 [M/s]", "two volumes"},
               {"A + S <-> B @ 1 [1/s], 1 [1/s]", "the forward rate of r is in 1/M/s, this has 1/s"},
               {"A <-> B + Na.o @ 1 [1/s], 1 [1/s]", "the backward rate of r is in 1/M/s, this has 1/s"},
               {"0 -> S @ 1 [1/s]", "M/s"},
               {"0 -> free @ 1 [M/s]", "1/s"},
               {"A <-> B @ 1, 1 [1/s]", "this has no unit"},
               {"A <-> B @ ldb(k0 = 1 [M])", "k0 is a rate in 1/s, this has M"},
               {"A <-> B @ ldb(k0 = 1 [1/M/s])", "k0 is a rate in 1/s"},
               {"A <-> B @ ldb(k0 = -1 [1/s])", "k0 must be positive"},
               {"A <-> B @ ldb(k0 = 1 [1/s], splt = 1)", "ldb does not know splt"},
               {"A <-> B @ ldb(k0 = 1 [1/s], split = 0.5, barrier = 1 kT)", "without split and form"},
               {"A <-> B @ ldb(k0 = 1 [1/s], form = metropoli)", "no form of a rate has the name metropoli"},
               {"A <-> B @ ldb(split = 0.5)", "the speed is missing"},
               {"A <-> B @ ldb", "only one rate is given"},
               {"A -> B @ ldb(k0 = 1 [1/s])", "goes one way"},
               {"A <-> B @@ ldb(k0 = 1 [1/s])", "ldb needs mass action"},
               {"A <-> B @ free [1/s], ldb", "a unit after a name"},
               {"A <-> B @ (1 + free) [1/s], ldb", "ldb needs the other rate of r to be a positive constant"},
               {"A <-> V @ 1 [1/s], 1 [1/s]", "V is a parameter"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[2000];
    snprintf(text, sizeof text, "%sr: %s\n", PLACES, cases[i].step);
    CHECK(sample_refused(text, NESS_MODEL, cases[i].words));
  }
}

/* --- detailed balance --- */

/* The identity of every network: lnk = -sum nu g + work of what is declared, and k_f/k_b = exp(lnk). */
static void check_identity(const ness_model *m, int32_t s)
{
  const ness_network *const net = sample_network(m);
  double g = 0, size = 1;
  for (int32_t k = net->change_start[s]; k < net->change_start[s + 1]; k++) {
    g -= net->change_by[k] * net->slot_g[net->change_slot[k]];
    size += fabs(net->change_by[k] * net->slot_g[net->change_slot[k]]);
  }
  for (int32_t e = net->exch_start[s]; e < net->exch_start[s + 1]; e++) {
    const int32_t r = net->exch_res[e];
    const double phi = net->res_volt[r] >= 0 ? net->volt_kt[net->res_volt[r]] : 0;
    g -= net->exch_by[e] * (net->res_mu[r] + net->res_charge[r] * phi);
    size += fabs(net->exch_by[e] * net->res_mu[r]);
  }
  CHECK(fabs(net->step_lnk[s] - g) <= 1e-14 * size);
  CHECK(fabs(log(net->dir_k[2 * s] / net->dir_k[2 * s + 1]) - net->step_lnk[s]) <= 1e-14 * size);
  if (fabs(net->step_lnk[s]) < 1) /* and directly, where exp loses nothing */
    CHECK_REL(net->dir_k[2 * s] / net->dir_k[2 * s + 1], exp(net->step_lnk[s]), 1e-14);
  for (int32_t w = net->work_start[s]; w < net->work_start[s + 1]; w++)
    CHECK(net->work_src[w] != net->nres + net->nvolt || net->work_kt[w] == 0); /* nothing undeclared */
}

static double bernoulli(double x)
{
  return x == 0 ? 1 : x / (1 - exp(-x));
}

/* A step between two states of drop X, by every form, against the table of the language page. */
static void test_forms(void)
{
  static const double drops[] = {0, 1e-9, 1e-6, -1e-6, 0.3, -0.3, 1, -2.5, 7, -12, 40, -40};
  for (size_t i = 0; i < sizeof drops / sizeof *drops; i++) {
    const double x = drops[i];
    struct {
      const char *options;
      double k[2];
    } forms[] = {{"", {exp(x / 2), exp(-x / 2)}},
                 {", split = 0", {1, exp(-x)}},
                 {", split = 1", {exp(x), 1}},
                 {", split = 0.3", {exp(0.3 * x), exp(-0.7 * x)}},
                 {", form = exp, split = 0.9", {exp(0.9 * x), exp(-0.1 * x)}},
                 {", split = -0.4", {exp(-0.4 * x), exp(-1.4 * x)}},
                 {", form = scharfetter-gummel", {bernoulli(x), bernoulli(-x)}},
                 {", form = metropolis", {fmin(1, exp(x)), fmin(1, exp(-x))}},
                 {", form = heat-bath", {1 / (1 + exp(-x)), 1 / (1 + exp(x))}},
                 {", barrier = 3", {exp(2 - 3), exp(2 - x - 3)}}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
      char text[400];
      snprintf(text, sizeof text,
               NATURAL "protein P {\nstate A energy = 2\nstate B energy = 2 - (%.17g)\n}\nr: A <-> B @ ldb(k0 = 7%s)\n",
               x, forms[f].options);
      ness_model *const m = sample_model(text);
      if (!m) continue;
      /* 1 - exp(-x) loses digits next to 0: there the series is held by the identity instead. */
      const double tolerance = f == 6 ? 4e-16 / fmax(fabs(x), 1e-3) + 1e-14 : 2e-14;
      if (f != 6 || fabs(x) >= 0.3 || x == 0) {
        CHECK_REL(sample_k(m, "r", 0), 7 * forms[f].k[0], tolerance);
        CHECK_REL(sample_k(m, "r", 1), 7 * forms[f].k[1], tolerance);
      } else {
        CHECK_REL(sample_k(m, "r", 0), 7 * (1 + x / 2), 1e-12);
      }
      check_identity(m, 0);
      ness_model_free(m);
    }
  }
}

/* Every kind of step with every form: the identity, with reservoirs, volumes, voltages and charges. */
static void test_identity(void)
{
  static const char *const steps[] = {"A <-> B",
                                      "A + Na.o <-> B",
                                      "A + 2 Na.o <-> B + Na.i",
                                      "A + ATP <-> B + ADP + H",
                                      "A + S <-> B + U",
                                      "S + T <-> 2 Na.c",
                                      "Na.o <-> Na.i",
                                      "Na.o <-> Na.c",
                                      "S <-> U",
                                      "0 <-> S",
                                      "Na.o <-> Na.s[1]",
                                      "Na.s[1] <-> Na.s[2]",
                                      "Na.w[1] <-> Na.w[2]",
                                      "Na.o <-> Na.w[1]",
                                      "A + Na.c <-> B",
                                      "2 S <-> T",
                                      "3 free <-> other",
                                      "ATP <-> ADP",
                                      "A + Na.i <-> B + Na.c"};
  static const char *const rates[] = {"ldb(k0 = 5 [1/s])",
                                      "ldb(k0 = 5 [1/s], split = 0.2)",
                                      "ldb(k0 = 5 [1/s], form = scharfetter-gummel)",
                                      "ldb(k0 = 5 [1/s], form = metropolis)",
                                      "ldb(k0 = 5 [1/s], form = heat-bath)",
                                      "ldb(k0 = 5 [1/s], barrier = 6 kT)"};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    double product[6];
    for (size_t f = 0; f < sizeof rates / sizeof *rates; f++) {
      char text[3000];
      snprintf(text, sizeof text,
               "%senergy S = 1.3 kT\nenergy T = -0.7 kT\nenergy U = 3 [kJ/mol]\nenergy B = 2 kT\nenergy free = 0.9 kT\n"
               "energy Na.s[i] = 0.5 kT*i\nr: %s @ %s\n",
               PLACES, steps[i], rates[f]);
      ness_model *const m = sample_model(text);
      product[f] = NAN;
      if (!m) continue;
      check_identity(m, 0);
      product[f] = sample_k(m, "r", 0) * sample_k(m, "r", 1);
      ness_model_free(m);
    }
    /* k_f k_b holds the drop X alone, once that of split = 1/2 is taken out: concentrations cancel. */
    const double x = log(product[1] / product[0]) / (2 * 0.2 - 1);
    CHECK_REL(product[2] / product[0], fabs(x) < 1e-6 ? 1 : bernoulli(x) * bernoulli(-x), 1e-9);
    CHECK_REL(product[3] / product[0], exp(-fabs(x)), 1e-12);
    CHECK_REL(product[4] / product[0], 1 / (4 * cosh(x / 2) * cosh(x / 2)), 1e-12);
  }
}

/* ldb beside a given rate: the other one follows from energies alone. By hand: A + Na.o <-> B with g(B) = 2 kT. */
static void test_one_given(void)
{
  char text[3000];
  static const char *const rates[] = {"2e4 [1/M/s], ldb", "ldb, 9 [1/s]"};
  for (int i = 0; i < 2; i++) {
    snprintf(text, sizeof text, "%senergy B = 2 kT\nr: A + Na.o <-> B @ %s\n", PLACES, rates[i]);
    ness_model *const m = sample_model(text);
    if (!m) continue;
    const double forward = i == 0 ? 2e4 * 0.14 : 9 * 0.14 * exp(-2);
    CHECK_REL(sample_k(m, "r", 0), forward, 1e-14);
    CHECK_REL(sample_k(m, "r", 1), i == 0 ? forward / 0.14 * exp(2) : 9, 1e-14);
    check_identity(m, 0);
    ness_model_free(m);
  }
}

/* k0 in 1/s, or times the power of 1/M that a side has, is the same number: also in solution. */
static void test_k0_units(void)
{
  static const struct {
    const char *step, *unit;
    double k[2]; /* at k0 = 1e6 and no energies */
  } cases[] = {{"A + Na.o <-> B", "1/s", {1e6 * 0.14, 1e6}},
               {"A + Na.o <-> B", "1/M/s", {1e6 * 0.14, 1e6}},
               {"A + Na.o <-> B", "1/mM/s", {1e9 * 0.14, 1e9}},
               {"A + S <-> B", "1/M/s", {1e6 / (6.02214076e23 * 1e-15), 1e6}},
               {"S + T <-> 2 Na.c", "1/s", {1e6 / (6.02214076e23 * 1e-15), 1e6 / (6.02214076e23 * 1e-15)}},
               {"S + T <-> 2 Na.c", "1/M/s", {1e6 / (6.02214076e23 * 1e-15), 1e6 / (6.02214076e23 * 1e-15)}},
               {"0 <-> S", "1/s", {1e6 * 6.02214076e23 * 1e-15, 1e6}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[3000];
    snprintf(text, sizeof text, "%sr: %s @ ldb(k0 = 1e6 [%s])\n", "" PLACES, cases[i].step, cases[i].unit);
    /* Na.c carries no potential here, so all standard energies are 0. */
    ness_model *const m = sample_settings(text, NULL, 0, NULL, NULL);
    CHECK(m != NULL);
    if (!m) continue;
    CHECK_REL(sample_k(m, "r", 0), cases[i].k[0], 3e-15);
    CHECK_REL(sample_k(m, "r", 1), cases[i].k[1], 3e-15);
    ness_model_free(m);
  }
}

static void test_off(void)
{
  static const struct {
    const char *step;
    bool on[2];
  } cases[] = {{"A <-> B @ 0, 0", {false, false}},   {"A <-> B @ 2, 0", {true, false}},
               {"A <-> B @ 0, 3", {false, true}},    {"A <-> B @ 0, ldb", {false, false}},
               {"A <-> B @ ldb, 0", {false, false}}, {"A <-> B @ ldb(k0 = 0)", {false, false}},
               {"A <-> B @ k*0, k", {false, true}},  {"A -> B @ 0", {false, false}},
               {"A -> B @ 1", {true, false}},        {"A <-> B @ 1, ldb", {true, true}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[400];
    snprintf(text, sizeof text, NATURAL "param k = 2\nspecies A = 4, B = 4\nr: %s\n", cases[i].step);
    ness_model *const m = sample_model(text);
    const int64_t n[] = {4, 4};
    double scratch[16];
    for (int dir = 0; m && dir < 2; dir++)
      CHECK((network_propensity(sample_network(m), dir, n, scratch) > 0) == cases[i].on[dir]);
    ness_model_free(m);
  }
}

/* --- whole propensities --- */

static void test_tapes(void)
{
  static const struct {
    const char *left, *tape;
  } cases[] = {{"A", "k*A"},
               {"2 A", "k*A*(A - 1)"},
               {"A + B", "k*A*B"},
               {"A + 2 B", "k*A*B*(B-1)"},
               {"3 A", "k*A*(A-1)*(A-2)"},
               {"0", "k + 0*A"},
               {"2 A + 2 B", "(A*(A-1))*(k*(B*(B-1)))"}};
  double scratch[64];
  rng_stream rng;
  rng_init(&rng, 4, 0, 9);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[2][400];
    snprintf(text[0], sizeof text[0], NATURAL "param k = 0.7\nspecies A = 4, B = 4, C = 0\nr: %s -> C @ k\n",
             cases[i].left);
    snprintf(text[1], sizeof text[1], NATURAL "param k = 0.7\nspecies A = 4, B = 4, C = 0\nr: %s -> C @@ %s\n",
             cases[i].left, cases[i].tape);
    ness_model *const mass = sample_model(text[0]), *const tape = sample_model(text[1]);
    for (int j = 0; j < 100 && mass && tape; j++) {
      int64_t n[3] = {(int64_t)rng_below(&rng, 12), (int64_t)rng_below(&rng, 12), 0};
      const double a = network_propensity(sample_network(mass), 0, n, scratch);
      CHECK_NEAR(network_propensity(sample_network(tape), 0, n, scratch), a, 1e-15);
    }
    CHECK(tape && sample_network(tape)->dir_law[0] == LAW_TAPE && mass && sample_network(mass)->dir_law[0] == LAW_MASS);
    ness_model_free(mass);
    ness_model_free(tape);
  }
  /* A constant behind @ that changes with counts stands before mass action; := is put in where it is used. */
  ness_model *const m =
      sample_model(NATURAL "param k = 2\nspecies A = 4, B = 4, C = 1\nf := (1 + C)/(2 + B)\n"
                           "r: 2 A + B <-> C @ k*f, f^2\n"
                           "s: A -> B @@ if(A > 3 and not (B == 2), max(A, B), min(exp(-A), sqrt(C)))\n"
                           "t: A -> C @@ abs(A - B)*floor(A/2) + tanh(B) + log10(1 + A) + (A >= B) + (A != C)\n");
  for (int j = 0; j < 300 && m; j++) {
    int64_t n[3];
    for (int i = 0; i < 3; i++) n[i] = 1 + (int64_t)rng_below(&rng, 9);
    const double A = (double)n[0], B = (double)n[1], C = (double)n[2], f = (1 + C) / (2 + B);
    CHECK_NEAR(network_propensity(sample_network(m), 0, n, scratch), 2 * f * A * (A - 1) * B, 1e-14);
    CHECK_NEAR(network_propensity(sample_network(m), 1, n, scratch), f * f * C, 1e-14);
    const double s = A > 3 && !(B == 2) ? fmax(A, B) : fmin(exp(-A), sqrt(C));
    CHECK_NEAR(network_propensity(sample_network(m), 2, n, scratch), s, 1e-14);
    const double t = fabs(A - B) * floor(A / 2) + tanh(B) + log10(1 + A) + (A >= B) + (A != C);
    CHECK_NEAR(network_propensity(sample_network(m), 4, n, scratch), t, 1e-14);
  }
  CHECK(m && isnan(sample_network(m)->step_lnk[0]));
  ness_model_free(m);
}

int main(void)
{
  test_constants();
  test_refused();
  test_forms();
  test_identity();
  test_one_given();
  test_k0_units();
  test_off();
  test_tapes();
  return check_done();
}
