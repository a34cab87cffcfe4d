/* Temperatures of places: rates and ln ratios against numbers worked out here in joule and kelvin; on random networks
 * between two places the ledger of every event closes, ln(a_fwd/a_bwd) = -dG + work of reservoirs, voltages and heats,
 * and the steady state's entropy production is the heat over the temperature of each place, in long double; what is
 * refused; and a network that goes through a dump's door, arrays and all, is the same. Counts that are values, too. */
#include "engine/cme/cme.h"
#include "engine/rng/rng.h"
#include "lang_sample.h"

#define KB 1.380649e-23
#define EV 1.602176634e-19
#define PLACES                                                                                                         \
  SI "compartment hot reservoir temperature 450 [K]\ncompartment cold reservoir potential V\nparam V = 30 [mV]\n"      \
     "compartment warm reservoir temperature 450 [K] potential 10 [mV]\ncompartment cell volume 1 [fL]\n"              \
     "ion q z -1 { hot = 0.2 [M]\n cold = 3 [mM]\n warm = 1 [M]\n cell = 1 [uM]\n mu0 = 0.02 [eV] }\n"                 \
     "bath F = 5 [mM], mu0 = 4 kT\nprotein P copies 3 {\nstate A\nstate B energy = 0.1 [eV]\n}\n"

static double work_of(const ness_network *net, int32_t step, const char *source)
{
  double sum = 0;
  for (int32_t w = net->work_start[step]; w < net->work_start[step + 1]; w++)
    sum += strcmp(network_source_name(net, net->work_src[w]), source) == 0 ? net->work_kt[w] : 0;
  return sum;
}

static void test_numbers(void)
{
  static const char *const steps[] = {"r: A + q.hot <-> B @ ldb(k0 = 7 [1/s], form = heat-bath)",
                                      "r: A + q.cold <-> B @ ldb(k0 = 7 [1/s], form = heat-bath)",
                                      "r: A + q.warm <-> B @ ldb(k0 = 7 [1/s], form = heat-bath)",
                                      "r: A + q.hot + F <-> B @ ldb(k0 = 7 [1/s])",
                                      "r: A + q.hot <-> B @ 5 [1/M/s], ldb",
                                      "r: A + q.hot <-> B @ ldb(k0 = 7 [1/s], barrier = 0.15 [eV])"};
  for (int i = 0; i < 6; i++) {
    char text[2000];
    snprintf(text, sizeof text, PLACES "%s\n", steps[i]);
    ness_model *const m = sample_model(text);
    if (!m) continue;
    const ness_network *const net = sample_network(m);
    const bool cold = i == 1, warm = i == 2, fuel = i == 3;
    const double T = cold ? 300 : 450, c = cold ? 3e-3 : warm ? 1 : 0.2;
    const double phi = cold ? 0.030 : warm ? 0.010 : 0;
    /* Energy that the step takes up, J, of which the lead and the bath give their potentials as work. */
    const double mu = 0.02 * EV + KB * T * log(c) - EV * phi, bath = fuel ? KB * 300 * (4 + log(5e-3)) : 0;
    const double heat = 0.1 * EV - mu - bath;
    CHECK_NEAR(net->step_lnk[0], -heat / (KB * T), 1e-12);
    CHECK_NEAR(log(net->dir_k[0] / net->dir_k[1]), -heat / (KB * T), 1e-12);
    const char *const place = cold ? "none" : warm ? "warm.heat" : "hot.heat";
    CHECK_NEAR(work_of(net, 0, place), cold ? 0 : heat * (1 - 300. / 450) / (KB * 300), 1e-12);
    CHECK_NEAR(work_of(net, 0, cold ? "q.cold" : warm ? "q.warm" : "q.hot"), (mu + EV * phi) / (KB * 300), 1e-12);
    CHECK_NEAR(work_of(net, 0, "F"), fuel ? bath / (KB * 300) : 0, 1e-12);
    CHECK(work_of(net, 0, "undeclared") == 0);
    /* Filling of a level that holds one: 7 f, with the concentration as an activity before it. */
    const double x = (0.1 * EV - 0.02 * EV + EV * phi) / (KB * T);
    if (i < 3) CHECK_NEAR(net->dir_k[0], 7 * c / (1 + exp(x)), 1e-12);
    if (i == 4) CHECK_NEAR(net->dir_k[0], 5 * 0.2, 1e-14);
    if (i == 5) CHECK_NEAR(net->dir_k[1], 7 * exp((0.1 - 0.15) * EV / (KB * 450)), 1e-12);
    char why[400];
    CHECK_NEAR(sample_value(m, "mu(q.hot)", why).value / EV, 0.02 + KB * 450 / EV * log(0.2), 1e-12);
    ness_model_free(m);
  }
}

/* Energies left open are fixed by raw steps at the temperature of the place. */
static void test_inference(void)
{
  ness_model *const m =
      sample_model(SI "compartment hot reservoir temperature 600 [K]\nion q z 0 { hot = 0.1 [M] }\n"
                      "bath F = 1 [mM]\nspecies A = 1, B = 0, C = 0\n"
                      "a: A + q.hot + F <-> B @ 30 [1/M^2/s], 2 [1/s]\nb: B <-> C @ 1 [1/s], 4 [1/s]\n");
  if (!m) return;
  const ness_network *const net = sample_network(m);
  const double lnk = log(30 * 0.1 * 1e-3 / 2);
  CHECK_NEAR(net->step_lnk[0], lnk, 1e-14);
  /* lnk = (mu_q + mu_F - E_B)/(k_B 600 K) with mu_q = k_B 600 K ln 0.1 and mu_F = k_B 300 K ln 1e-3. */
  const double e = 2 * (log(0.1) - lnk) + log(1e-3);
  CHECK_NEAR(sample_number(m, "energy(B)/kT"), e, 1e-13);
  CHECK_NEAR(sample_number(m, "energy(C)/kT"), e + log(4), 1e-13);
  CHECK(work_of(net, 0, "undeclared") == 0 && work_of(net, 1, "undeclared") == 0);
  CHECK_NEAR(work_of(net, 0, "hot.heat"), (e - 2 * log(0.1) - log(1e-3)) / 2, 1e-13);
  ness_model_free(m);
}

/* Three states between a cold and two hotter places, with voltages, energies and rates by chance. */
static void test_closure(void)
{
  rng_stream random;
  rng_init(&random, 7, 0, 0);
  for (int round = 0; round < 200; round++) {
    double r[12];
    for (int i = 0; i < 12; i++) r[i] = rng_double(&random);
    char text[2000];
    const double th = 250 + 400 * r[0], tw = 250 + 400 * r[1];
    snprintf(text, sizeof text,
             SI
             "compartment h reservoir temperature %.17g [K]\ncompartment w reservoir temperature %.17g [K] potential "
             "%.17g [mV]\ncompartment c reservoir potential %.17g [mV]\nion q z -1 { h = %.17g [M]\n w = %.17g [M]\n c "
             "= %.17g [M]\n mu0 = %.17g [eV] }\nprotein P copies 2 {\nstate A\nstate B energy = %.17g [eV]\nstate C "
             "energy = %.17g [eV]\n}\n"
             "x: A + q.h <-> B @ ldb(k0 = 3 [1/s])\ny: A + q.c <-> B @ ldb(k0 = 2 [1/s], form = heat-bath)\n"
             "z: A + q.w <-> C @ ldb(k0 = 5 [1/s], split = 0.3)\nu: B <-> C @ ldb(k0 = 1 [1/s])\n"
             "v: A + q.c <-> C @ 4 [1/M/s], ldb\n",
             th, tw, 100 * r[2] - 50, 100 * r[3] - 50, r[4] + 0.01, r[5] + 0.01, r[6] + 0.01, 0.1 * r[7] - 0.05,
             0.2 * r[8] - 0.1, 0.2 * r[9] - 0.1);
    ness_model *const m = sample_model(text);
    if (!m) return;
    const ness_network *const net = sample_network(m);
    static const int64_t n[3] = {1, 1, 0};
    int64_t after[3];
    double scratch[8];
    for (int32_t s = 0; s < net->nstep; s++) {
      double work = 0;
      for (int32_t w = net->work_start[s]; w < net->work_start[s + 1]; w++) work += net->work_kt[w];
      CHECK(work_of(net, s, "undeclared") == 0);
      if (s == 3) continue; /* C is empty: the others can run from n */
      CHECK_NEAR(network_event_entropy(net, s, 1, n, after, scratch), work - network_free_energy_change(net, s, 1, n),
                 1e-12);
    }
    cme_solution solution;
    ness_diags *const diags = ness_diags_create();
    CHECK(cme_steady(net, NULL, diags, &solution) == NESS_OK);
    double work = 0, size = 0;
    for (int32_t w = 0; w < network_sources(net); w++)
      work += solution.source_work[w], size += fabs(solution.source_work[w]);
    CHECK(fabs(work - solution.entropy) <= 1e-12 * (size + 1) && solution.entropy >= 0);
    CHECK(solution.closure <= 1e-12 * (size + 1) && solution.source_work[network_sources(net) - 1] == 0);
    /* Entropy that the places and the model's own surroundings take up: -heat/T, with the flows of the solution. */
    const long double kb = 1.380649e-23L, ev = 1.602176634e-19L, T = 300;
    const long double phi[3] = {0, (100 * r[2] - 50) * 1e-3L, (100 * r[3] - 50) * 1e-3L};
    const long double at[3] = {th, tw, T}, a[3] = {r[4] + 0.01, r[5] + 0.01, r[6] + 0.01};
    static const int place[5] = {0, 2, 1, -1, 2}, to[5] = {1, 1, 2, 2, 2};
    const long double e[3] = {0, (0.2L * r[8] - 0.1L) * ev, (0.2L * r[9] - 0.1L) * ev};
    long double taken = 0;
    for (int s = 0; s < 5; s++) {
      const long double mu =
          place[s] < 0 ? e[1] : (0.1L * r[7] - 0.05L) * ev + kb * at[place[s]] * logl(a[place[s]]) - ev * phi[place[s]];
      taken -= solution.net_rate[s] * (e[to[s]] - mu) / (kb * (place[s] < 0 ? T : at[place[s]]));
    }
    CHECK(fabs((double)taken - solution.entropy) <= 1e-11 * (size + 1));
    cme_solution_free(&solution);
    ness_diags_free(diags);
    ness_model_free(m);
  }
}

/* Without a temperature of its own, and with that of the model, a place is the same to the last bit; in natural units
 * it counts in that of the model. */
static void test_same(void)
{
  static const char *const heads[] = {SI "compartment h reservoir\n",
                                      SI "compartment h reservoir temperature 300 [K]\n"};
  double k[2][2];
  for (int i = 0; i < 2; i++) {
    char text[600];
    snprintf(
        text, sizeof text,
        "%sion q z 0 { h = 0.3 [M] }\nspecies A = 1, B = 0 energy = 0.07 [eV]\nr: A + q.h <-> B @ ldb(k0 = 3 [1/s])\n",
        heads[i]);
    ness_model *const m = sample_model(text);
    for (int dir = 0; dir < 2; dir++) k[i][dir] = m ? sample_k(m, "r", dir) : NAN;
    CHECK(m && sample_network(m)->nheat == i && network_sources(sample_network(m)) == 2 + i);
    ness_model_free(m);
  }
  CHECK(k[0][0] == k[1][0] && k[0][1] == k[1][1]);
  ness_model *const m = sample_model(NATURAL "compartment h reservoir temperature 2\nion q z 0 { h = 1 }\n"
                                             "species A = 1, B = 0 energy = 3\nr: A + q.h <-> B @ 1, ldb\n");
  if (!m) return;
  CHECK_NEAR(sample_k(m, "r", 1), exp(1.5), 1e-14);
  CHECK_NEAR(work_of(sample_network(m), 0, "h.heat"), 1.5, 1e-14);
  CHECK(sample_network(m)->heat_kelvin[0] == 2);
  ness_model_free(m);
}

static void test_refused(void)
{
#define STEP "species A = 1, B = 0\nr: A + q.h <-> B + q.c @ 1, 2\n"
#define IONS "ion q z 0 { h = 1\n c = 1 }\n"
  CHECK(sample_refused(NATURAL "compartment h reservoir temperature 2\ncompartment c reservoir\n" IONS STEP, NESS_MODEL,
                       "touches two temperatures: h is at 2, c at 1"));
  CHECK(sample_refused(NATURAL
                       "compartment h reservoir temperature 2\ncompartment c reservoir temperature 3\n" IONS STEP,
                       NESS_MODEL, "touches two temperatures"));
  CHECK(sample_refused(NATURAL "compartment h reservoir temperature 0\n" IONS STEP, NESS_MODEL, "positive and finite"));
  CHECK(
      sample_refused(NATURAL "compartment h reservoir temperature -1\n" IONS STEP, NESS_MODEL, "positive and finite"));
  CHECK(sample_refused(SI "compartment h reservoir temperature 3 [mV]\n", NESS_MODEL, "the temperature is in K"));
  CHECK(sample_refused("model t\ncompartment h reservoir temperature 300 [K]\nspecies A = 1\nr: A -> 0 @ 1 [1/s]\n",
                       NESS_MODEL, "needs that of the model"));
  /* Two places of one temperature are one to a step. */
  ness_model_free(
      sample_model(NATURAL "compartment h reservoir temperature 2\ncompartment c reservoir temperature 2\n" IONS STEP));
}

/* An array that is wrong is refused at the door. */
static void test_verified(void)
{
  for (int wrong = 0; wrong < 7; wrong++) {
    ness_network *net = NULL;
    ness_diags *const diags = ness_diags_create();
    network_builder *const b = builder_create("t", 300);
    if (!b) break;
    const int32_t slot = builder_slot(b, "A", 1, MODEL_NO_MAX, 0, 0, -1, -1);
    builder_heat(b, "h.heat", wrong == 1 ? 0 : wrong == 2 ? NAN : 400);
    const builder_step step = {.name = "r",
                               .text = "A <-> 0",
                               .nleft = 1,
                               .left = &slot,
                               .law = {LAW_MASS, LAW_MASS},
                               .k = {1, 2},
                               .lnk = NAN};
    builder_step_add(b, &step);
    builder_step_heat(b, wrong == 3 ? 2 : wrong == 4 ? -1 : 0, wrong == 5 ? INFINITY : 0.5);
    if (wrong == 6) builder_step_heat(b, 0, 0.5); /* twice of one step */
    const ness_status status = builder_finish(b, diags, &net);
    CHECK(status == (wrong ? NESS_MODEL : NESS_OK));
    if (net) {
      CHECK(net->nheat == 1 && net->nheatstep == 1 && network_sources(net) == 2);
      CHECK_NEAR(work_of(net, 0, "h.heat"), 0.5, 0);
      CHECK_NEAR(work_of(net, 0, "undeclared"), -log(2) - 0.5, 1e-15);
      CHECK(strcmp(network_source_name(net, 0), "h.heat") == 0 && strcmp(network_source_name(net, 2), "") == 0);
    }
    network_free(net);
    builder_free(b);
    ness_diags_free(diags);
  }
}

/* k A: a name or an expression as the number of copies. */
static void test_counts(void)
{
  ness_model *const m = sample_model(NATURAL "param two = 2\nspecies A = 9 max 9, B = 0\nfor k in 1..3 {\n"
                                             "r: k A -> (2*k - 1) B @ 1\n}\ns: two A + B <-> (two + 1)*B @ 1, 1\n");
  if (m) {
    const ness_network *const net = sample_network(m);
    for (int32_t s = 0; s < 3; s++) {
      CHECK(net->change_by[net->change_start[s]] == -(s + 1) && net->change_by[net->change_start[s] + 1] == 2 * s + 1);
      CHECK(net->react_mult[net->react_start[2 * s]] == s + 1);
    }
    CHECK(strcmp(network_text(net, net->step_text[3]), "2 A + B <-> 3 B") == 0);
    CHECK(sample_step(m, "r[2]") == 1);
  }
  ness_model_free(m);
  CHECK(sample_refused(NATURAL "param n = 0.5\nspecies A = 1\nr: n A -> 0 @ 1\n", NESS_MODEL, "a whole number from 1"));
  CHECK(sample_refused(NATURAL "param n = 0\nspecies A = 1\nr: n A -> 0 @ 1\n", NESS_MODEL, "a whole number from 1"));
  CHECK(sample_refused(NATURAL "species A = 1\nr: (A) A -> 0 @ 1\n", NESS_MODEL, ""));
  CHECK(sample_refused(NATURAL "species A = 1\nr: m A -> 0 @ 1\n", NESS_MODEL, "m"));
  CHECK(sample_refused(NATURAL "species A = 1\nr: (2 A -> 0 @ 1\n", NESS_MODEL, "expected )"));
  CHECK(sample_refused(SI "param n = 2 [s]\nspecies A = 1\nr: n A -> 0 @ 1 [1/s]\n", NESS_MODEL, "this has s"));
}

int main(void)
{
  test_numbers();
  test_inference();
  test_closure();
  test_same();
  test_refused();
  test_verified();
  test_counts();
  return check_done();
}
