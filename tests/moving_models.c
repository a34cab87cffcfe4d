/* Models under several inputs that move, or under one beside what flows, from the file to the answer. One sine by three
 * engines: the mean over a period of the master equation, paths of engine/motion, the same network by engine/hybrid.
 * Two sines and a telegraph on a linear network, whose means close. A current into a membrane with a leak in closed
 * form, and into the patch of Hodgkin and Huxley against an integration by another program (DOP853 of scipy, 1e-12).
 * Works on every trajectory, params by way of others, what is shown, what is refused. Statistics: 6 of Student's law of
 * 63 degrees at 7.6 deviations, a false alarm below 1e-8 all together under random seeds; the seeds are fixed. Cost: 3
 * s.
 */
#include "moving_build.h"

#define SIGMA 7.6
#define PI 3.14159265358979323846

/* Mean of a slot over the counted time, and its error by leaving out batches. */
static double batch_mean(const double *dwell, const double *counted, int32_t batches, int32_t nslot, int32_t slot,
                         double *error)
{
  double sum = 0, time = 0, square = 0;
  for (int32_t b = 0; b < batches; b++) sum += dwell[b * nslot + slot], time += counted[b];
  for (int32_t b = 0; b < batches; b++) {
    const double off = (sum - dwell[b * nslot + slot]) / (time - counted[b]) - sum / time;
    square += off * off;
  }
  *error = sqrt(square * (batches - 1) / batches);
  return sum / time;
}

/* A <-> B at 2 exp(u) and 3/(1 + exp(u)), u a sine: 40 periods of 64 replicas. */
static void test_engines(void)
{
  ness_model *const m = sample_model(NATURAL "param u = 0\nspecies A = 1, B = 0\n"
                                             "r: A <-> B @ 2*exp(u), 3/(1 + exp(u))\n"
                                             "process u sine(mean = 0.3, amplitude = 1.5, frequency = 0.4)\n");
  const lang_process *const input = driven_input(m->compiled, false);
  ness_diags *const diags = ness_diags_create();
  driven d;
  driven_steady rest = {0};
  motion_result moved = {0};
  const motion_options walk = {.replicas = 64, .time = 105, .warmup = 5, .seed = 2};
  CHECK(driven_create(m->compiled, input, diags, &d) == NESS_OK);
  CHECK(driven_rest(&d, NULL, diags, &rest) == NESS_OK);
  CHECK(motion_run(d.net, &d.law, &d.path, &walk, diags, &moved) == NESS_OK);
  complain(diags, "one sine");
  moving_inputs inputs;
  hybrid_result flow = run_moving(m, (hybrid_options){.replicas = 64, .time = 105, .warmup = 5, .seed = 3}, &inputs);
  const ness_network *const net = lang_network(inputs.model);
  const int32_t b = lang_find_text(inputs.model, LANG_SLOT, "B"), u = lang_find_text(inputs.model, LANG_SLOT, "u");
  double one, two;
  const double exact = rest.mean.mean[b], by_motion = batch_mean(moved.dwell, moved.counted, moved.batches, 2, b, &one);
  const double by_hybrid = batch_mean(flow.dwell, flow.counted, flow.batches, net->nslot, b, &two);
  printf("one sine: %.5f by the master equation, %.5f(%.0f) by motion, %.5f(%.0f) by hybrid\n", exact, by_motion,
         1e5 * one, by_hybrid, 1e5 * two);
  CHECK(fabs(by_motion - exact) < SIGMA * one && fabs(by_hybrid - exact) < SIGMA * two);
  CHECK(two < 0.01 * exact && fabs(by_hybrid - 1.05 * exact) > SIGMA * two);
  const int32_t v = net->slot_var[u];
  double ignored;
  const double mean = batch_mean(flow.dwell, flow.counted, flow.batches, net->nslot, u, &ignored);
  CHECK_NEAR(net->var_zero[v] + net->var_unit[v] * mean, 0.3, 1e-12);
  hybrid_result_free(&flow);
  motion_result_free(&moved);
  driven_steady_free(&rest);
  driven_free(&d);
  moving_free(&inputs);
  ness_diags_free(diags);
  ness_model_free(m);
}

/* What the experiments of a text say. */
static void test_holds(const char *text)
{
  ness_status status;
  ness_doc *const doc = sample_test(text, false, &status, NULL);
  CHECK(status == NESS_OK);
  if (status != NESS_OK) fprintf(stderr, "%s\n", text);
  ness_doc_free(doc);
}

/* A linear network under two inputs and a telegraph: exact runs have the means of the rate equations. A param that is
 * set by = of an input follows it, a corner in it is no matter, and inputs have means and courses like counts. */
static void test_experiments(void)
{
  test_holds(NATURAL "species n = 0, A = 1, B = 0\nparam a = 10, d = 1, s = 1, half = a/2\nbirth: 0 -> n @ half*s\n"
                     "death: n -> 0 @ d\nr: A <-> B @ 1, 1 + max(a - 10, 0)\n"
                     "process a sine(mean = 10, amplitude = 6, frequency = 0.25)\n"
                     "process d line { 0 = 1\n2 = 2\nperiod 3\n}\n"
                     "process s telegraph(low = 0.5, high = 1.5, up = 3, down = 3, start = 1)\n"
                     "experiment all {\nsolve ode time 4, every 1\nlet e = mean_at(n, 3)\n"
                     "expect mean_at(d, 2) ~ 2 +- 1e-9\nexpect mean_at(a, 1) ~ 16 +- 1e-9\n"
                     "simulate mean time 4, every 1\nexpect mean_at(n, 3) ~ e +- 1e-4\n"
                     "simulate replicas 640, time 4, every 1, seed 1\nexpect mean_at(n, 3) ~ e within 7 sigma\n"
                     "expect mean_at(a, 1) ~ 16 +- 1e-9\nexpect var_at(a, 1) ~ 0 +- 1e-9\nexpect mean(a) ~ 10 +- 1e-9\n"
                     "simulate langevin replicas 64, time 4, every 1, seed 2\nexpect mean_at(a, 3) ~ 4 +- 1e-9\n}\n");
}

/* C V' = I(t) - g (V - E) with I a sine, through a pore by detailed balance and through an equation. */
static void test_membrane(void)
{
  ness_model *const m = sample_model(
      SI "param I = 0 [pA], g = 1 [nS], E = -65 [mV], C = 10 [pF]\nvariable V = -65 [mV] within -200 [mV], 200 [mV]\n"
         "V' = (I - g*(V - E))/C\nspecies A = 1, B = 0\nr: A <-> B @ 1 [1/s], 1 [1/s]\n"
         "process I sine(mean = 2 [pA], amplitude = 20 [pA], frequency = 25 [1/s])\n");
  ness_diags *const diags = ness_diags_create();
  const ness_solve_options ask = {.struct_size = sizeof ask, .what = "ode", .time = 0.1, .every = 0.01};
  ness_doc *doc = NULL;
  CHECK(ness_solve(m, &ask, diags, &doc) == NESS_OK);
  complain(diags, "a leak");
  for (int32_t k = 0; k <= 10 && doc; k++) {
    const double t = 0.01 * k, tau = 0.01, w = 50 * PI, wt = w * tau, size = 20 / (1 + wt * wt); /* mV */
    const double v = -65 + 2 * (1 - exp(-t / tau)) + size * (sin(w * t) - wt * cos(w * t) + wt * exp(-t / tau));
    char name[40];
    snprintf(name, sizeof name, "course[%d].V [mV]", k);
    CHECK_NEAR(ness_doc_number(doc, name), v, 1e-7 * 400); /* of the range */
    snprintf(name, sizeof name, "course[%d].I [pA]", k);
    CHECK_NEAR(ness_doc_number(doc, name), 2 + 20 * sin(w * t), 1e-9);
  }
  CHECK_STR(ness_doc_string(doc, "method.name"), "rate equations, by one-step methods, with inputs that move");
  ness_doc_free(doc);
  ness_diags_free(diags);
  ness_model_free(m);
}

/* A ramp of current into the patch of 1952: seven spikes. */
static void test_patch(void)
{
  ness_model *const m =
      sample_model("model ramp\ninclude \"networks/models/action-potential.ness\" with begin = 0 [s], length = 10 [s]\n"
                   "process pulse line { 0 [ms] = 0 [pA/um^2]\n50 [ms] = 0 [pA/um^2]\n150 [ms] = 0.3 [pA/um^2]\n"
                   "160 [ms] = 0 [pA/um^2] }\n");
  if (!m) return;
  ness_diags *const diags = ness_diags_create();
  const ness_solve_options ask = {.struct_size = sizeof ask, .what = "ode", .time = 0.17, .every = 0.01};
  const struct {
    int32_t row;
    double v, tolerance; /* mV; at 0.11 s it rises by 150 mV/ms */
  } at[] = {{5, -64.996378, 2e-5},  {8, -60.414592, 2e-4},  {11, 27.128350, 2e-2}, {12, -52.253909, 5e-4},
            {14, -57.424367, 5e-4}, {15, -57.410784, 5e-4}, {17, -64.833520, 5e-4}};
  ness_doc *doc = NULL;
  CHECK(ness_solve(m, &ask, diags, &doc) == NESS_OK);
  complain(diags, "a ramp");
  for (size_t i = 0; doc && i < sizeof at / sizeof *at; i++) {
    char name[40];
    snprintf(name, sizeof name, "course[%d].V [mV]", at[i].row);
    CHECK_NEAR(ness_doc_number(doc, name), at[i].v, at[i].tolerance);
  }
  CHECK_NEAR(ness_doc_number(doc, "course[17].spikes"), 7, 1e-9);
  CHECK_NEAR(ness_doc_number(doc, "course[10].pulse [pA/um^2]"), 0.15, 1e-9);
  ness_doc_free(doc);
  ness_diags_free(diags);
  ness_model_free(m);
}

/* Gates one by one, pores as their mean, a current and a gating rate that move: the ledger closes, and threads do not
 * matter. */
static void test_works(void)
{
  ness_model *const m = sample_model(
      SI "compartment o reservoir\ncompartment i reservoir potential V\n"
         "capacitor V between i, o capacitance 2 [fF] start -50 [mV]\nion K z +1 { i = 140 [mM]\n o = 4 [mM] }\n"
         "protein P copies 30 {\n state C\n state O energy = 1 kT charge -1.5\n}\nparam I = 0 [pA], a = 300 [1/s]\n"
         "gate: C <-> O @ ldb(k0 = 300 [1/s])\nbias: C <-> O @ a, 200 [1/s]\n"
         "ion L z -1 { i = 9 [mM]\n o = 110 [mM] }\nleak: L.i <-> L.o @ ldb(conductance = 20 [pS]) fluid\n"
         "pore: O + K.i <-> O + K.o @ ldb(conductance = 0.8 [pS]) fluid\nV' = I/(2 [fF])\n"
         "process I sine(mean = 0.2 [pA], amplitude = 0.3 [pA], frequency = 20 [1/s])\n"
         "process a square(low = 100 [1/s], high = 600 [1/s], period = 30 [ms])\n");
  moving_inputs inputs;
  const hybrid_options o = {.replicas = 8, .time = 0.5, .warmup = 0.1, .seed = 4};
  hybrid_result r = run_moving(m, o, &inputs);
  const int32_t sources = network_sources(lang_network(inputs.model));
  for (int32_t b = 0; b < r.batches; b++) {
    double work = 0, size = fabs(r.medium[b]) + fabs(r.energy[b]);
    for (int32_t i = 0; i < sources; i++) {
      work += r.work[b * sources + i];
      size += fabs(r.work[b * sources + i]);
    }
    CHECK(isfinite(size) && size > 100 && fabs(r.work[b * sources + sources - 1]) > 1);
    CHECK(fabs(r.medium[b] - work + r.energy[b]) < 1e-9 * size);
  }
  hybrid_result_free(&r);
  moving_free(&inputs);
  ness_model_free(m);
}

int main(void)
{
  test_engines();
  test_experiments();
  test_membrane();
  test_patch();
  test_works();
  return check_done();
}
