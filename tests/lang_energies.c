/* Free energies: random ones are hidden in raw rates and must come back (up to the zero that conservation leaves free);
 * inference in the order of the file, with cycles, stoichiometry and catalysts; standard potentials from reactions;
 * electrical energies of ions, sites and charged states against hand values. */
#include "engine/rng/rng.h"
#include "lang_sample.h"

static double work_undeclared(const ness_model *m, const char *name)
{
  const ness_network *const net = sample_network(m);
  const int32_t s = sample_step(m, name);
  double sum = 0;
  for (int32_t w = s < 0 ? 0 : net->work_start[s]; s >= 0 && w < net->work_start[s + 1]; w++)
    sum += net->work_src[w] == net->nres + net->nvolt ? net->work_kt[w] : 0;
  return s < 0 ? NAN : sum;
}

/* energy() in kT, as the language gives it */
static double energy(ness_model *m, const char *slot)
{
  char text[100];
  snprintf(text, sizeof text, "energy(%s)/kT", slot);
  return sample_number(m, text);
}

/* --- inference, by hand --- */

static void test_order(void)
{
  /* A triangle that does not close: the first two steps fix, the third shows what is left: ln 2 + ln 3 + ln 5. */
  static const char *const lines[] = {"a: A <-> B @ 2, 1\n", "b: B <-> C @ 3, 1\n", "c: C <-> A @ 5, 1\n"};
  static const char *const names[] = {"a", "b", "c"};
  static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int i = 0; i < 6; i++) {
    char text[400];
    snprintf(text, sizeof text, NATURAL "species A = 1, B = 0, C = 0\n%s%s%s", lines[orders[i][0]], lines[orders[i][1]],
             lines[orders[i][2]]);
    ness_model *const m = sample_model(text);
    if (!m) continue;
    CHECK_NEAR(work_undeclared(m, names[orders[i][2]]), log(30), 1e-14);
    CHECK(work_undeclared(m, names[orders[i][0]]) == 0 && work_undeclared(m, names[orders[i][1]]) == 0);
    CHECK(energy(m, "A") == 0); /* the first declared is the zero */
    const int last = orders[i][2];
    CHECK_NEAR(energy(m, "B"), last == 0 ? log(3) + log(5) : -log(2), 1e-14);
    CHECK_NEAR(energy(m, "C"), last == 2 ? -log(6) : log(5), 1e-14);
    ness_model_free(m);
  }
}

static void test_stoichiometry(void)
{
  /* 2 A <-> B with ln(k_f/k_b) = ln 6: g(B) - 2 g(A) = -ln 6; A is free, so 0. */
  ness_model *m = sample_model(NATURAL "species A = 4, B = 0\nr: 2 A <-> B @ 6, 1\n");
  CHECK(m && energy(m, "A") == 0 && fabs(energy(m, "B") + log(6)) < 1e-15);
  ness_model_free(m);
  /* Declared the other way round, B is the zero and A takes half. */
  m = sample_model(NATURAL "species B = 0, A = 4\nr: 2 A <-> B @ 6, 1\n");
  CHECK(m && energy(m, "B") == 0 && fabs(energy(m, "A") - log(6) / 2) < 1e-15);
  ness_model_free(m);
  /* 2 A <-> B and A <-> B fix both: g(A) = ln k2 - ... with nothing free. */
  m = sample_model(NATURAL "species A = 4, B = 0\nr: 2 A <-> B @ 6, 1\ns: A <-> B @ 10, 1\n");
  CHECK(m && fabs(energy(m, "A") - (log(6) - log(10))) < 1e-14 &&
        fabs(energy(m, "B") - (log(6) - 2 * log(10))) < 1e-14);
  ness_model_free(m);
  /* 3 A <-> 2 B, B <-> C + A, known C: by Cramer. g(B): 2 b - 3 a = -ln 2; c + a - b = -ln 7, c = 1. */
  m = sample_model(NATURAL "species A = 4, B = 0, C = 0 energy = 1\nr: 3 A <-> 2 B @ 2, 1\ns: B <-> C + A @ 7, 1\n");
  if (m) {
    const double l2 = log(2), l7 = log(7), a = 2 * (1 + l7) + l2, b = a + 1 + l7;
    CHECK_NEAR(energy(m, "A"), a, 1e-14);
    CHECK_NEAR(energy(m, "B"), b, 1e-14);
    CHECK(work_undeclared(m, "r") == 0 && work_undeclared(m, "s") == 0);
  }
  ness_model_free(m);
  /* A catalyst says nothing of itself. */
  m = sample_model(NATURAL "species A = 4, B = 0, E = 1, D = 0\nr: A + E <-> B + E @ 4, 1\ns: E <-> D @ 9, 1\n");
  CHECK(m && energy(m, "E") == 0 && fabs(energy(m, "D") + log(9)) < 1e-15 && fabs(energy(m, "B") + log(4)) < 1e-15);
  ness_model_free(m);
  /* A step that changes nothing but a catalyst's partner in a reservoir fixes nothing and shows its drive. */
  m = sample_model(NATURAL "bath F = 3, W = 1\nspecies E = 1, D = 0\nr: E + F <-> E + W @ 4, 1\ns: E <-> D @ 1, 1\n");
  CHECK(m && fabs(work_undeclared(m, "r") - log(4)) < 1e-14); /* rates 4*3 and 1: ln 12 - ln 3 */
  ness_model_free(m);
}

/* Energies are those of 1 M: what p + S <-> q (K = 6e8/5 per M) and 2 S <-> T (3e6/2) say does not depend on the
 * volume. T crosses to U in copies, 4 to 1, which is 4 V(c)/V(d) to 1 in concentrations. */
static void test_volumes(void)
{
  for (int i = 0; i < 2; i++) {
    char text[600];
    snprintf(
        text, sizeof text,
        SI "compartment c volume %s [fL]\ncompartment d volume 2 [fL]\nspecies S = 30 in c energy = 0.5 kT\n"
           "species T = 3 in c, U = 0 in d\nprotein P {\nstate p\nstate q\n}\nbath F = 2 [mM], mu0 = 3 kT\n"
           "a: p + S <-> q @ 6e8 [1/M/s], 5 [1/s]\nb: 2 S <-> T @ 3e6 [1/M/s], 2 [1/s]\nc: T <-> U @ 4 [1/s], 1 [1/s]\n"
           "d: F <-> S @ 1 [1/s], 1 [1/s]\n",
        i ? "1" : "7");
    ness_model *const m = sample_model(text);
    if (!m) continue;
    CHECK(energy(m, "p") == 0);
    CHECK_NEAR(energy(m, "q"), 0.5 - log(6e8 / 5), 1e-13);
    CHECK_NEAR(energy(m, "T"), 1 - log(3e6 / 2), 1e-13);
    CHECK_NEAR(energy(m, "U"), 1 - log(3e6 / 2) - log(4 * (i ? 1. : 7.) / 2), 1e-13);
    CHECK(work_undeclared(m, "a") == 0 && work_undeclared(m, "b") == 0 && work_undeclared(m, "c") == 0);
    /* In and out at the same constant would hold S at F: equilibrium if their energies were equal. */
    CHECK_NEAR(work_undeclared(m, "d"), 0.5 - 3, 1e-13);
    ness_model_free(m);
  }
}

/* Which energies are open: none of a protein's once one state has an energy or a charge; one-way, switched-off,
 * expression and ldb steps fix none. */
static void test_open(void)
{
  ness_model *m = sample_model(NATURAL "protein P {\nstate A\nstate B energy = 1\nstate C\n}\nr: A <-> C @ 8, 1\n");
  CHECK(m && energy(m, "C") == 0 && fabs(work_undeclared(m, "r") - log(8)) < 1e-15);
  ness_model_free(m);
  m = sample_model(NATURAL "protein P {\nstate A\nstate C\n}\nr: A <-> C @ 8, 1\n");
  CHECK(m && fabs(energy(m, "C") + log(8)) < 1e-15 && work_undeclared(m, "r") == 0);
  ness_model_free(m);
  static const char *const silent[] = {"A -> B @ 8",        "A <-> B @ 8, 0",   "A <-> B @ 0, 0",
                                       "A <-> B @@ 8*A, B", "A <-> B @ 3, ldb", "A <-> B @ ldb(k0 = 3)"};
  for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
    char text[300];
    snprintf(text, sizeof text, NATURAL "species A = 1, B = 0\nr: %s\ns: A <-> B @ 5, 1\n", silent[i]);
    m = sample_model(text);
    CHECK(m && fabs(energy(m, "B") + log(5)) < 1e-15);
    ness_model_free(m);
  }
}

/* --- random energies, hidden in rates --- */

/* Draws energies, makes rates, leaves the energies out: nothing undeclared may be left, and two species of one
 * conserved sum differ as they were drawn. */
static void test_random(void)
{
  rng_stream rng;
  rng_init(&rng, 5, 0, 9);
  for (int round = 0; round < 200; round++) {
    const int n = 2 + (int)rng_below(&rng, 8), steps = n + (int)rng_below(&rng, 8);
    double g[10], mu = 4 * rng_double(&rng) - 2;
    text_buffer text = {0};
    text_add(&text, NATURAL "bath F = %.17g\nspecies S0 = 1", exp(mu));
    for (int i = 0; i < n; i++) {
      g[i] = 12 * rng_double(&rng) - 6;
      if (i) text_add(&text, ", S%d = 1", i);
    }
    text_add(&text, "\n");
    /* The first n - 1 steps are A <-> B along a tree, so all differences are fixed; the rest is anything. */
    for (int s = 0; s < steps; s++) {
      const bool tree = s < n - 1;
      const int a = tree ? s + 1 : (int)rng_below(&rng, (uint64_t)n);
      const int b = tree ? (int)rng_below(&rng, (uint64_t)(s + 1)) : (int)rng_below(&rng, (uint64_t)n);
      const int c = (int)rng_below(&rng, (uint64_t)n);
      /* moves of the same number of copies: a + c <-> b + c, 2 a <-> 2 b, a + a <-> b + c ..., with fuel or not */
      const int kind = tree ? 0 : (int)rng_below(&rng, 4), fuel = (int)rng_below(&rng, 2);
      const double k = exp(4 * rng_double(&rng) - 2);
      double drop = kind == 0   ? g[a] - g[b]
                    : kind == 1 ? g[a] - g[b]
                    : kind == 2 ? 2 * (g[a] - g[b])
                                : 2 * g[a] - g[b] - g[c];
      /* k_f/k_b of the raw constants; the concentration of F enters the rate by itself */
      text_add(&text, "r%d: ", s);
      if (kind == 0) text_add(&text, "S%d", a);
      if (kind == 1) text_add(&text, "S%d + S%d", a, c);
      if (kind >= 2) text_add(&text, "2 S%d", a);
      if (fuel) text_add(&text, " + F");
      text_add(&text, " <-> ");
      if (kind == 0) text_add(&text, "S%d", b);
      if (kind == 1 || kind == 3) text_add(&text, "S%d + S%d", b, c);
      if (kind == 2) text_add(&text, "2 S%d", b);
      text_add(&text, " @ %.17g, %.17g\n", k * exp(drop), k);
    }
    ness_model *const m = sample_model(text.data);
    for (int s = 0; m && s < steps; s++) {
      char name[20];
      snprintf(name, sizeof name, "r%d", s);
      CHECK(fabs(work_undeclared(m, name)) < 1e-12);
    }
    for (int i = 1; m && i < n; i++) {
      char name[20];
      snprintf(name, sizeof name, "S%d", i);
      CHECK_NEAR(energy(m, name) - energy(m, "S0"), g[i] - g[0], 1e-12);
    }
    ness_model_free(m);
    text_clear(&text);
  }
}

/* --- potentials of baths --- */

static void test_potentials(void)
{
  static const char *const head = SI "bath ATP = 4 [mM]%s, ADP = 0.5 [mM]%s, Pi = 2 [mM]%s\n"
                                     "potential ATP -> ADP + Pi = -30.5 [kJ/mol]\n%s"
                                     "protein P {\nstate A\nstate B\n}\nr: A + ATP <-> B + ADP + Pi @ 1 [1/M/s], ldb\n";
  const double rt = 8.31446261815324 * 0.3; /* kJ/mol at 300 K */
  static const struct {
    const char *atp, *adp, *pi, *more;
    double mu0[3];                             /* kJ/mol */
  } cases[] = {{"", "", "", "", {30.5, 0, 0}}, /* the first takes it, the others 0 */
               {", mu0 = 10 [kJ/mol]", "", "", "", {10, -20.5, 0}},
               {", mu0 = 10 [kJ/mol]", ", mu0 = 1 [kJ/mol]", "", "", {10, 1, -21.5}},
               {"", ", mu0 = 1 [kJ/mol]", ", mu0 = 2 [kJ/mol]", "", {33.5, 1, 2}},
               {"", "", "", "potential 2 ADP <-> ATP + Pi = 30.5 [kJ/mol]\n", {30.5, 0, 0}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[800];
    snprintf(text, sizeof text, head, cases[i].atp, cases[i].adp, cases[i].pi, cases[i].more);
    ness_model *const m = sample_model(text);
    if (!m) continue;
    static const char *const names[] = {"mu(ATP)/kT", "mu(ADP)/kT", "mu(Pi)/kT"};
    static const double c[] = {4e-3, 0.5e-3, 2e-3};
    for (int b = 0; b < 3; b++) CHECK_NEAR(sample_number(m, names[b]), cases[i].mu0[b] / rt + log(c[b]), 1e-13);
    /* The drop of the step is the reaction's, whoever holds it. */
    CHECK_NEAR(sample_network(m)->step_lnk[0], 30.5 / rt + log(4e-3 / (0.5e-3 * 2e-3)), 1e-13);
    ness_model_free(m);
  }
  char text[800];
  snprintf(text, sizeof text, head, ", mu0 = 10 [kJ/mol]", ", mu0 = 1 [kJ/mol]", ", mu0 = 2 [kJ/mol]", "");
  CHECK(sample_refused(text, NESS_MODEL, "differ from this reaction energy by"));
  snprintf(text, sizeof text, head, "", "", "", "potential ATP -> ADP + Pi = -31 [kJ/mol]\n");
  CHECK(sample_refused(text, NESS_MODEL, "differ from this reaction energy by"));
  /* 2 X -> Y: the share of one. */
  ness_model *const m =
      sample_model(NATURAL "bath X = 1, Y = 1, mu0 = 3\npotential 2 X -> Y = 5\nspecies A = 1, B = 0\n"
                           "r: A + X <-> B @ 1, ldb\n");
  CHECK(m && fabs(sample_number(m, "mu(X)") + 1) < 1e-15 && sample_number(m, "mu(Y)") == 3);
  ness_model_free(m);
}

/* --- electrical --- */

static void test_electrical(void)
{
  /* phi = V e/kT; the field across five sites is linear: phi at site i is left + (right - left) i/6. */
  const double left = 20e-3 * 1.602176634e-19 / KT300, right = -60e-3 * 1.602176634e-19 / KT300;
  ness_model *const m = sample_model(
      SI "param V = -60 [mV], W = 20 [mV]\ncompartment l reservoir potential W\ncompartment r reservoir potential V\n"
         "compartment c volume 1 [fL] potential V\ncompartment d volume 1 [fL]\nion Ca z +2 { l = 2 [mM]\n r = 1 "
         "[uM]\n c = 1 [uM]\n d "
         "= 1 [uM]\n mu0 = 3 kT }\n"
         "lattice s[1..5] between l, r field linear holds Ca max 1\nlattice t[1..5] between l, r holds Ca max 1\n"
         "energy Ca.s[i] = 0.5 kT*i\nprotein P {\nstate A charge -2.5 at r\nstate B energy = 1.5 kT charge 1.5 at l\n"
         "state D\nstate E charge 4 at d\n}\nspecies X = 1 charge -1 at r\n"
         "h: Ca.s[i] <-> Ca.s[i+1] @ ldb(k0 = 1 [1/s])\ng: Ca.t[i] <-> Ca.t[i+1] @ ldb(k0 = 1 [1/s])\n"
         "x: A <-> B @ ldb(k0 = 1 [1/s])\nthrough: Ca.l <-> Ca.r @ ldb(k0 = 1 [1/s])\n");
  if (!m) return;
  for (int i = 1; i <= 5; i++) {
    char name[20];
    snprintf(name, sizeof name, "Ca.s[%d]", i);
    CHECK_NEAR(energy(m, name), 3 + 0.5 * i + 2 * (left + (right - left) * i / 6), 1e-14);
    snprintf(name, sizeof name, "Ca.t[%d]", i);
    CHECK_NEAR(energy(m, name), 3, 1e-14); /* no field */
  }
  CHECK_NEAR(energy(m, "A"), -2.5 * right, 1e-14);
  CHECK_NEAR(energy(m, "B"), 1.5 + 1.5 * left, 1e-14);
  CHECK(energy(m, "D") == 0 && energy(m, "E") == 0); /* at ground */
  CHECK_NEAR(energy(m, "Ca.c"), 3 + 2 * right, 1e-14);
  CHECK_NEAR(energy(m, "Ca.d"), 3, 1e-14);
  CHECK_NEAR(sample_number(m, "mu(Ca.l)/kT"), 3 + log(2e-3) + 2 * left, 1e-13);
  CHECK_NEAR(sample_number(m, "mu(Ca.r)/kT"), 3 + log(1e-6) + 2 * right, 1e-13);
  const ness_network *const net = sample_network(m);
  CHECK_NEAR(net->step_lnk[sample_step(m, "x")], -2.5 * right - 1.5 - 1.5 * left, 1e-14);
  CHECK_NEAR(net->step_lnk[sample_step(m, "through")], log(2e3) + 2 * (left - right), 1e-13);
  /* Around the lattice the same drop, in six hops. */
  double sum = 0;
  for (int i = 0; i <= 5; i++) {
    char name[20];
    snprintf(name, sizeof name, "h[%d]", i);
    sum += net->step_lnk[sample_step(m, name)];
  }
  CHECK_NEAR(sum, log(2e3) + 2 * (left - right), 1e-13);
  ness_model_free(m);
  /* A charge without a place: the one potential there is, or an error. */
  ness_model *const one = sample_model(NATURAL "param V = 3\ncompartment i reservoir potential V\n"
                                               "protein P {\nstate A\nstate B charge 2\n}\nr: A <-> B @ ldb(k0 = 1)\n");
  CHECK(one && energy(one, "B") == 6);
  ness_model_free(one);
  CHECK(sample_refused(NATURAL "compartment i reservoir potential 1\ncompartment j reservoir potential 2\n"
                               "protein P {\nstate A\nstate B charge 2\n}\nr: A <-> B @ ldb(k0 = 1)\n",
                       NESS_MODEL, "there are 2 potentials it could feel"));
}

int main(void)
{
  test_order();
  test_stoichiometry();
  test_volumes();
  test_open();
  test_random();
  test_potentials();
  test_electrical();
  return check_done();
}
