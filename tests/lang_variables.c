/* What answers back, as the language makes it: rates through a capacitor against the same file with the voltage held at
 * a value, in every form; the half-way voltage against Boltzmann's law, by hand and by the master equation; charges
 * through nested walls; scales, equations and events as tapes; and the ledger of a small capacitor between two ions. */
#include "engine/rng/rng.h"
#include "lang_sample.h"

#define F_RT (1.602176634e-19 / KT300) /* 1/V at 300 K */

#define PLACES SI "compartment o reservoir\ncompartment i reservoir potential V\ncompartment c volume 1 [fL]\n"
#define WALL                                                                                                           \
  "ion K z +1 { i = 140 [mM]\n o = 4 [mM]\n c = 2 [mM] }\nion L z -1 { i = 9 [mM]\n o = 110 [mM] }\n"                  \
  "ion Ca z +2 { i = 0.2 [uM]\n o = 1.8 [mM] }\nbath ATP = 4 [mM], mu0 = 20 kT\nprotein P copies 7 {\nstate A\n"       \
  "state B energy = 1 kT charge -1.5 at i start 3\n}\n"

static double propensity(const ness_network *net, int32_t dir)
{
  double *const scratch = malloc(((size_t)net->tape_max + 1) * sizeof *scratch);
  const double value = network_propensity(net, dir, net->slot_start, scratch);
  free(scratch);
  return value;
}

/* Fluid rates meet V itself: those of the file whose voltage is held there. */
static void test_forms(void)
{
  static const char *const steps[] = {
      "r: A + K.o <-> A + K.i @ ldb(k0 = 5 [1/s])",
      "r: A + K.o <-> A + K.i @ ldb(k0 = 5 [1/s], split = 0.2)",
      "r: K.i <-> K.o @ ldb(k0 = 5 [1/s], form = scharfetter-gummel)",
      "r: A + L.i <-> A + L.o @ ldb(k0 = 5 [1/s], form = metropolis)",
      "r: 2 L.i <-> 2 L.o @ ldb(k0 = 5 [1/s], form = heat-bath)",
      "r: Ca.o <-> Ca.i @ ldb(k0 = 5 [1/s], form = ohmic)",
      "r: A + K.o <-> A + K.i @ ldb(conductance = 7 [pS])",
      "r: A <-> B @ ldb(k0 = 3 [1/s], split = 0.7)",
      "r: A + K.o <-> B @ 1e4 [1/M/s], ldb",
      "r: A + K.o + L.o <-> B @ ldb, 3 [1/s]",
      "r: A + K.o <-> B + K.i @ 3 [1/M/s], 5 [1/M/s]",
      "r: A + ATP + 2 K.i <-> A + 2 K.o @ ldb(k0 = 1e4 [1/s])",
      "r: A + K.i <-> A + K.c @ ldb(k0 = 5 [1/s])",
      "r: A + K.c <-> A + K.o @ ldb(conductance = 3 [pS])",
      "r: A + K.o <-> A + K.i @ 3 [1/M/s]*exp(V/20 [mV]), 5 [1/M/s]/(1 + exp(-V/9 [mV]))",
      "r: A <-> B @@ 3 [1/s]/exprel(-(V + 40 [mV])/10 [mV]), 2 [1/s]*tanh(1 + V/1 [V])"};
  for (int32_t mv = -117; mv < 100; mv += 18) {
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
      char moving[2000], held[2000];
      snprintf(moving, sizeof moving,
               PLACES "capacitor V between o, i capacitance 1 [pF] start %d [mV]\n" WALL "%s fluid\n", mv, steps[i]);
      snprintf(held, sizeof held, PLACES "param V = %d [mV]\n" WALL "%s\n", mv, steps[i]);
      ness_model *const a = sample_model(moving), *const b = sample_model(held);
      if (!a || !b) continue;
      for (int32_t dir = 0; dir < 2; dir++) {
        CHECK_REL(propensity(sample_network(a), dir), propensity(sample_network(b), dir), 1e-12);
      }
      ness_model_free(a);
      ness_model_free(b);
    }
  }
}

/* A mean of two copies enters squared where the step flows, as n (n - 1) where it hops. */
static void test_powers(void)
{
  for (int fluid = 0; fluid < 2; fluid++) {
    char text[1000];
    snprintf(text, sizeof text,
             PLACES "capacitor V between o, i capacitance 1 [pF] start 0 [mV]\n" WALL
                    "species D = 0, G = 4\nr: 2 G + K.o <-> D + K.i @ 3 [1/M/s], 1 [1/M/s]%s\n",
             fluid ? " fluid" : "");
    ness_model *const model = sample_model(text);
    if (!model) continue;
    CHECK_REL(propensity(sample_network(model), 0), 3 * 4e-3 * (fluid ? 16 : 12), 1e-12);
    ness_model_free(model);
  }
}

/* Counts of charge on 20 aF: the law exp(-stiff/2 (n - n0)^2 + n x) of a leak, whatever its form and the size of the
 * jump; and a step that carries half a charge besides. */
static void test_boltzmann(void)
{
  static const char *const forms[] = {"",
                                      ", split = 0.9",
                                      ", form = scharfetter-gummel",
                                      ", form = metropolis",
                                      ", form = heat-bath",
                                      ", form = ohmic"};
  for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
    char text[1200];
    snprintf(text, sizeof text,
             SI
             "compartment o reservoir\ncompartment i reservoir potential V\n"
             "capacitor V between i, o capacitance 2e-5 [pF] start 3 [mV] within -150 [mV], 200 [mV]\n"
             "ion K z +1 { i = 9 [mM]\n o = 20 [mM] }\nprotein G { state A\nstate B energy = 0.3 kT charge 0.5 at i }\n"
             "r: K.o <-> K.i @ ldb(k0 = 7 [1/s]%s)\ng: A <-> B @ ldb(k0 = 2 [1/s]%s)\n",
             forms[f], f < 5 ? forms[f] : "");
    ness_model *const model = sample_model(text);
    if (!model) continue;
    const ness_network *const net = sample_network(model);
    CHECK(net->nvar == 1 && net->var_kind[0] == VAR_CHARGE);
    const double unit = 0.5 * 1.602176634e-19 / 2e-17, stiff = 0.5 * unit * F_RT;
    CHECK_REL(net->var_unit[0], unit, 1e-14);
    CHECK_REL(net->var_stiff[0], stiff, 1e-14);
    CHECK_NEAR(net->var_zero[0] + unit * (double)net->slot_start[net->var_slot[0]], 3e-3, 1e-15);
    cme_solution s;
    ness_diags *const diags = ness_diags_create();
    CHECK(cme_steady(net, NULL, diags, &s) == NESS_OK);
    /* The joint weight of counts and gate: charge = n of the capacitor, of which the gate has one in B. Charges that
     * came as ions: (n - nB - odd)/2, with the parity that the start fixes. */
    double weight = 0, mean = 0;
    const int64_t start = net->slot_start[net->var_slot[0]], most = net->slot_max[net->var_slot[0]];
    for (int64_t n = 0; n <= most; n++) {
      for (int64_t b = 0; b < 2; b++) {
        if ((n - start - b) % 2 != 0) continue;
        const double volt = net->var_zero[0] + unit * (double)n;
        const double ions = (double)(n - start - b) / 2;
        const double w = exp(-0.5 * 2e-17 * volt * volt / KT300 + ions * log(20.0 / 9) - 0.3 * (double)b);
        weight += w;
        mean += w * (double)n;
      }
    }
    CHECK_REL(s.mean[net->var_slot[0]], mean / weight, 1e-10);
    CHECK(s.entropy < 1e-12 && s.closure < 1e-12);
    cme_solution_free(&s);
    ness_diags_free(diags);
    ness_model_free(model);
  }
}

/* Two ions on one small capacitor: work of baths is the entropy, and the reversal is where GHK has it. */
static void test_ledger(void)
{
  ness_model *const model =
      sample_model(SI "compartment o reservoir\ncompartment i reservoir potential V\n"
                      "capacitor V between i, o capacitance 4e-5 [pF] start 0 [mV]\n"
                      "ion K z +1 { i = 140 [mM]\n o = 4 [mM] }\nion Na z +1 { i = 10 [mM]\n o = 145 [mM] }\n"
                      "k: K.i <-> K.o @ ldb(k0 = 900 [1/s])\nn: Na.i <-> Na.o @ ldb(k0 = 300 [1/s])\n");
  const ness_network *const net = sample_network(model);
  cme_solution s;
  ness_diags *const diags = ness_diags_create();
  CHECK(cme_steady(net, NULL, diags, &s) == NESS_OK);
  const double drive = log(140.0 / 4 * 145 / 10); /* K out, Na in */
  CHECK_REL(s.net_rate[0], -s.net_rate[1], 1e-10);
  CHECK_REL(s.entropy, s.net_rate[0] * drive, 1e-10);
  CHECK(s.closure < 1e-9 * s.entropy && s.net_rate[0] > 1);
  CHECK(fabs(s.source_work[network_sources(net) - 1]) < 1e-9 * s.entropy);
  /* ions are few: V itself is spread over kT, so its mean is near GHK's and not at it */
  const double volt = net->var_zero[0] + net->var_unit[0] * s.mean[net->var_slot[0]];
  const double ghk = log((900 * 4.0 + 300 * 145.0) / (900 * 140.0 + 300 * 10.0)) / F_RT;
  CHECK(fabs(volt - ghk) < 6e-3);
  cme_solution_free(&s);
  ness_diags_free(diags);
  ness_model_free(model);
}

/* A vesicle in a cell: what crosses which wall. */
static void test_nested(void)
{
  ness_model *const model = sample_model(
      SI "compartment o reservoir\ncompartment i reservoir potential Vm\ncompartment v reservoir potential Vv\n"
         "capacitor Vm between i, o capacitance 1 [pF] start -60 [mV]\n"
         "capacitor Vv between v, i capacitance 0.1 [pF] start 20 [mV]\n"
         "ion K z +1 { i = 140 [mM]\n o = 4 [mM]\n v = 50 [mM] }\nion Ca z +2 { v = 1 [mM]\n i = 1 [uM] }\n"
         "in: K.o <-> K.i @ ldb(k0 = 1 [1/s])\nwall: Ca.v <-> Ca.i @ ldb(k0 = 1 [1/s])\n"
         "through: K.o <-> K.v @ ldb(k0 = 1 [1/s])\n");
  const ness_network *const net = sample_network(model);
  const int32_t m = net->var_slot[0], v = net->var_slot[1];
  const int32_t want[3][2] = {{1, 0}, {0, -2}, {1, 1}};
  CHECK_STR(network_text(net, net->slot_name[m]), "Vm");
  for (int32_t s = 0; s < 3; s++) {
    int32_t by[2] = {0, 0};
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      if (net->change_slot[c] == m) by[0] = net->change_by[c];
      if (net->change_slot[c] == v) by[1] = net->change_by[c];
    }
    CHECK(by[0] == want[s][0] && by[1] == want[s][1]);
  }
  /* From outside to the lumen an ion meets both voltages, each half way. */
  const double e = 1.602176634e-19;
  const double volts = -0.06 + e / 2 / 1e-12 + 0.02 + e / 2 / 1e-13;
  CHECK_REL(propensity(net, 4), 4e-3 * exp(-0.5 * volts * F_RT), 1e-12);
  int64_t n[2] = {net->slot_start[m], net->slot_start[v]};
  CHECK_NEAR(network_energy_change(net, 2, 1, n), volts * F_RT, 1e-9);
  CHECK_NEAR(network_free_energy_change(net, 1, 1, n), -2 * (0.02 - e / 1e-13) * F_RT, 1e-9);
  ness_model_free(model);
}

static double rule_value(const ness_network *net, int32_t row, const int64_t *n)
{
  double scratch[200];
  return network_tape(net->rule + net->rule_start[row], net->rule_start[row + 1] - net->rule_start[row],
                      net->tape_const, n, scratch);
}

static void test_equations(void)
{
  ness_model *const model = sample_model(
      SI "compartment o reservoir\ncompartment i reservoir potential V\n"
         "capacitor V between i, o capacitance 1 [pF] start -60 [mV]\nspecies A = 5\n"
         "variable x = 0.25 within -1, 3, c = 2 [uM] within 0 [uM], 10 [uM], I = 3 [pA] within -10 [pA], 10 [pA]\n"
         "x '= (1 - x*A)/2 [ms]\nc' = -c/1 [s] + 1 [uM/s]\nV' = I/1 [pF]\ndie: A -> 0 @ 3 [1/s]*x\n"
         "at 3 [ms] every 1 [s]: I = I + 1 [pA], A = 7\nwhen V > -50 [mV] and A >= 5: x = 0\n");
  const ness_network *const net = sample_network(model);
  const int64_t *const n = net->slot_start;
  double scratch[200];
  const int32_t x = lang_find_text(model->compiled, LANG_SLOT, "x"), v = net->slot_var[x];
  const double value = net->var_zero[v] + net->var_unit[v] * (double)n[x];
  CHECK_NEAR(value, 0.25, 1e-15);
  CHECK(net->slot_start[x] >= 300000 && net->slot_max[x] <= 1000001);
  for (int32_t s = 0; s < net->nstep; s++) {
    const char *const name = network_text(net, net->step_name[s]);
    const double rate = network_propensity(net, 2 * s, n, scratch);
    if (strcmp(name, "x'") == 0) CHECK_REL(rate * net->var_unit[v], (1 - 0.25 * 5) / 2e-3, 1e-12);
    if (strcmp(name, "V'") == 0) CHECK_REL(rate * net->var_unit[0], 3, 1e-12);
    if (strcmp(name, "die") == 0) CHECK_REL(rate, 3 * 0.25 * 5, 1e-12);
    CHECK(net->step_flow[s] == (name[1] == '\'' ? FLOW_DRIFT : FLOW_NONE));
  }
  CHECK(net->nevent == 2 && net->nset == 3);
  CHECK(net->event_at[0] == 3e-3 && net->event_every[0] == 1 && isnan(net->event_at[1]));
  const int32_t i = net->slot_var[net->set_slot[0]];
  CHECK_REL(net->var_zero[i] + net->var_unit[i] * rule_value(net, 1, n), 4e-12, 1e-9);
  CHECK(rule_value(net, 2, n) == 7);
  CHECK(rule_value(net, 3, n) == 0);
  CHECK_NEAR(net->var_zero[v] + net->var_unit[v] * rule_value(net, 4, n), 0, 1e-12);
  ness_model_free(model);

  static const char *const settings[] = {"V=-45[mV]"};
  ness_model *const set = sample_settings(
      SI "compartment o reservoir\ncompartment i reservoir potential V\n"
         "capacitor V between i, o capacitance 1 [pF] start -60 [mV]\nion K z +1 { i = 1 [M]\n o = 1 [M] }\n"
         "r: K.o <-> K.i @ ldb(k0 = 1 [1/s])\n",
      settings, 1, NULL, NULL);
  const ness_network *const held = sample_network(set);
  CHECK_NEAR(held->var_zero[0] + held->var_unit[0] * (double)held->slot_start[held->var_slot[0]], -0.045, 1e-12);
  ness_model_free(set);
}

/* Two places at one potential: between them no charge crosses the wall, from either of them it does. And a count that
 * starts at what a bath or a later ion holds. */
static void test_one_wall(void)
{
  ness_model *const model =
      sample_model(SI "compartment o reservoir\ncompartment i reservoir potential V\n"
                      "compartment d volume 2 [fL] potential V\ncapacitor V between i, o capacitance 1 [pF] start 0\n"
                      "ion K z +1 { i = 140 [mM]\n o = 4 [mM]\n d = 2*ATP }\n"
                      "ion L z -1 { i = 9 [mM]\n o = 110 [mM]\n d = half }\nparam half = Na.o/2\n"
                      "ion Na z +1 { o = 10 [mM] }\nbath ATP = 1 [mM]\n"
                      "same: K.i <-> K.d @ ldb(k0 = 5 [1/s])\nout: K.d <-> K.o @ ldb(k0 = 5 [1/s])\n"
                      "held: K.i <-> K.o @ ldb(k0 = 5 [1/s])\npair: K.d + L.i <-> K.o + L.o @ ldb(k0 = 5 [1/s])\n"
                      "in: L.o <-> L.d @ ldb(k0 = 5 [1/s])\n");
  const ness_network *const net = sample_network(model);
  const int32_t want[5] = {0, -1, -1, 0, -1}, v = sample_slot(model, "V");
  for (int32_t s = 0; s < 5; s++) {
    int32_t by = 0;
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      if (net->change_slot[c] == v) by = net->change_by[c];
    }
    CHECK(by == want[s]);
  }
  CHECK(net->slot_start[sample_slot(model, "K.d")] == 2408856); /* 2 mM in 2 fL */
  CHECK(net->slot_start[sample_slot(model, "L.d")] == 6022141); /* 5 mM */
  ness_model_free(model);
}

int main(void)
{
  test_forms();
  test_powers();
  test_boltzmann();
  test_ledger();
  test_nested();
  test_equations();
  test_one_wall();
  return check_done();
}
