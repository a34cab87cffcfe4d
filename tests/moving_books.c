/* Voltages, baths, energies and speeds that move beside what flows, or several at once: rates, works and entropy.
 * One input alone, made a variable by an equation beside it that does nothing, against the exact means over a period
 * of the master equation, which has it by series (networks/experiment/periodic.c), and a ramp against engine/motion.
 * Two voltages and a bath at once, and a bath beside a capacitor, against Runge and Kutta's method of rates written out
 * here; slow ramps of two inputs against the difference of free energies, and Jarzynski's equality. The ledger closes
 * on every trajectory, and where a file declares everything nothing is undeclared: the medium is of rates, the works of
 * potentials. Statistics: 180 of Student's law of 63 degrees or more at 7.6 deviations, a false alarm below 3e-7 all
 * together under random seeds; the seeds are fixed. Cost: 12 s. */
#include "moving_build.h"

#define INERT "variable idle = 0 within -1, 1\nidle' = -idle\n"

/* --- one input by two engines --- */

static const struct alone {
  const char *name, *text;
  double least; /* share of the entropy that the work of the input has at least: then it is known to an eighth */
} alone[] = {
    {"a voltage", CARRIER(STILL) "process V sine(mean = 0.2, amplitude = 2, frequency = 0.5)\n", 0.1},
    {"two baths by one param", CARRIER(STILL) "process s square(low = 0.2, high = 3, period = 1.5)\n", 0},
    {"one bath", CARRIER(STILL) "process S.o sine(mean = 1.5, amplitude = 1.2, frequency = 0.4)\n", 0},
    {"an energy", CARRIER(STILL) "process e line { 0 = 2\n 0.5 = -2\n 1.5 = 1\n period 2 }\n", 0.3},
    {"a speed", CARRIER(STILL) "process k sine(mean = 1.5, amplitude = 1.2, frequency = 0.7)\n", 0},
    {"a mixed param",
     CARRIER("param u = 0, V = u/2, s = exp(u), e = 0.5 + u, k = 2 + u*u\n") "process u sine(mean = 0, amplitude = 1, "
                                                                             "frequency = 0.5)\n",
     0.1},
    {"a standard potential",
     NATURAL "param m = 0\nbath F = 1, mu0 = 1 + m\nbath G = 0.5\ncompartment c volume 1\n"
             "ion X z 0 { c = 2\n mu0 = m/2 }\nspecies Y = 1\nr: Y + F <-> X.c + G @ ldb(k0 = 1, form = heat-bath)\n"
             "t: Y <-> X.c @ ldb(k0 = 0.5)\nprocess m sine(mean = 0, amplitude = 2, frequency = 0.25)\n",
     0.01},
    {"charged counts",
     NATURAL "param V = 0\ncompartment c volume 2 potential V\nion X z 1 { c = 1 }\nspecies Y = 1\n"
             "r: Y <-> X.c @ ldb(k0 = 1, split = 0.4)\ns: Y <-> X.c @ 1, ldb\n"
             "process V sine(mean = 0.5, amplitude = 1.5, frequency = 0.5)\n",
     0.9},
    {"a field in a pore",
     NATURAL "param V = 0\ncompartment o reservoir potential -V/3\ncompartment i reservoir potential V\n"
             "ion X z 1 { o = 1\n i = 0.5 }\nlattice s[1..2] between o, i field linear holds X max 1\n"
             "energy X.s[i] = 0.2*i\nhop: X.s[i] <-> X.s[i+1] @ ldb(k0 = 3, form = scharfetter-gummel)\n"
             "process V sine(mean = 0.5, amplitude = 4, frequency = 0.7)\n",
     0.01},
    {"forms and raw rates",
     NATURAL "param V = 0\ncompartment o reservoir\ncompartment i reservoir potential V\nion X z 2 { o = 1\n i = 3 }\n"
             "bath F = 3\nprotein P {\nstate A energy = 0\nstate B energy = 0.5 charge 1\n}\n"
             "r: A + X.o <-> B @ 2, 1\ns: B <-> A + X.i @ ldb(k0 = 2, form = heat-bath)\n"
             "t: A + X.o <-> A + X.i @ ldb(k0 = 0.3, form = ohmic)\nu: A + F <-> B @ 1, 2\n"
             "process V sine(mean = 0.5, amplitude = 2.5, frequency = 0.5)\n",
     0},
};

static void test_alone(const struct alone *at, int32_t seed)
{
  char text[2000];
  snprintf(text, sizeof text, "%s" INERT, at->text);
  ness_model *const one = sample_model(at->text), *const beside = sample_model(text);
  if (!one || !beside) return;
  ness_diags *const diags = ness_diags_create();
  driven d;
  driven_steady rest = {0};
  moving_inputs inputs;
  CHECK(driven_create(one->compiled, driven_input(one->compiled, false), diags, &d) == NESS_OK);
  CHECK(driven_rest(&d, NULL, diags, &rest) == NESS_OK);
  complain(diags, at->name);
  const double time = 400 * d.period, warmup = ceil(20 / d.period) * d.period;
  const hybrid_options o = {
      .replicas = 64, .time = time + warmup, .warmup = warmup, .seed = (uint64_t)seed, .threads = 2};
  hybrid_result r = run_moving(beside, o, &inputs);
  const ness_network *const net = lang_network(inputs.model), *const of = d.net;
  const int32_t sources = network_sources(net);
  CHECK(sources == network_sources(of) && inputs.ninput == 1);
  double error, forth, value;
  for (int32_t s = 0; s < of->nstep; s++) {
    value = rate_of(&r, r.fwd, net->nstep, s, &error);
    check_near(at->name, network_text(of, of->step_name[s]), value, error, rest.mean.dir_rate[2 * s]);
    CHECK(error < 0.03 * value);
    for (int32_t b = 0; b < r.batches; b++) r.fwd[b * net->nstep + s] -= r.bwd[b * net->nstep + s];
    value = rate_of(&r, r.fwd, net->nstep, s, &forth);
    check_near(at->name, network_text(of, of->step_name[s]), value, forth,
               rest.mean.dir_rate[2 * s] - rest.mean.dir_rate[2 * s + 1]);
  }
  for (int32_t i = 0; i < sources; i++) {
    value = rate_of(&r, r.work, sources, i, &error);
    check_near(at->name, network_source_name(of, i), value, error, rest.mean.source_work[i]);
  }
  value = rate_of(&r, r.input_work, 1, 0, &error);
  check_near(at->name, "input", value, error, rest.input_work);
  printf("%s: %.4g(%.1g) kT of %.4g of the input, entropy %.4g\n", at->name, value, error, rest.input_work,
         rest.mean.entropy);
  CHECK(fabs(value) >= at->least * rest.mean.entropy && (at->least == 0 || fabs(value) > 8 * error));
  value = rate_of(&r, r.medium, 1, 0, &error);
  check_near(at->name, "entropy", value, error, rest.mean.entropy);
  CHECK(fabs(value) > 15 * error);
  check_closed(&r, &inputs, strcmp(at->name, "forms and raw rates") == 0 ? 1 : 1e-11);
  hybrid_result_free(&r);
  moving_free(&inputs);
  driven_steady_free(&rest);
  driven_free(&d);
  ness_diags_free(diags);
  ness_model_free(one);
  ness_model_free(beside);
}

/* A ramp has no period: two samples of the same law. */
static void test_ramp(void)
{
  static const char *const text = CARRIER(STILL) "process V ramp(from = -2, to = 3, begin = 1, end = 4)\n";
  char with[2000];
  snprintf(with, sizeof with, "%s" INERT, text);
  ness_model *const one = sample_model(text), *const beside = sample_model(with);
  if (!one || !beside) return;
  ness_diags *const diags = ness_diags_create();
  driven d;
  motion_result moved = {0};
  moving_inputs inputs;
  const motion_options walk = {.replicas = 6400, .time = 5, .seed = 21};
  CHECK(driven_create(one->compiled, driven_input(one->compiled, false), diags, &d) == NESS_OK);
  CHECK(motion_run(d.net, &d.law, &d.path, &walk, diags, &moved) == NESS_OK);
  complain(diags, "a ramp");
  hybrid_result r = run_moving(beside, (hybrid_options){.replicas = 6400, .time = 5, .seed = 22}, &inputs);
  const int32_t sources = moved.nsource;
  hybrid_result as = {.batches = moved.batches, .counted = moved.counted};
  double e1, e2;
  for (int32_t i = 0; i < sources; i++) {
    const double a = rate_of(&as, moved.work, sources, i, &e1), b = rate_of(&r, r.work, sources, i, &e2);
    check_near("ramp", network_source_name(d.net, i), b, hypot(e1, e2), a);
  }
  const double a = rate_of(&as, moved.input_work, 1, 0, &e1), b = rate_of(&r, r.input_work, 1, 0, &e2);
  check_near("ramp", "input", b, hypot(e1, e2), a);
  CHECK(fabs(b) > 20 * e2);
  const double x = rate_of(&as, moved.medium, 1, 0, &e1), y = rate_of(&r, r.medium, 1, 0, &e2);
  check_near("ramp", "medium", y, hypot(e1, e2), x);
  const double p = rate_of(&as, moved.energy, 1, 0, &e1), q = rate_of(&r, r.energy, 1, 0, &e2);
  check_near("ramp", "energy", q, hypot(e1, e2), p);
  motion_result_free(&moved);
  hybrid_result_free(&r);
  moving_free(&inputs);
  driven_free(&d);
  ness_diags_free(diags);
  ness_model_free(one);
  ness_model_free(beside);
}

/* --- two voltages and a bath, by Runge and Kutta --- */

enum { P_A, P_B, P_C, P_D, N_B, N_T, N_U, N_D, W_OUT, W_FIELD, W_V, W_W, MEDIUM, LENGTH };

static double at_v(double t)
{
  return 0.4 + 1.5 * sin(2 * M_PI * 0.45 * t);
}
static double at_w(double t)
{
  return 0.8 * sin(2 * M_PI * 0.31 * t + 1);
}
static double at_c(double t)
{
  return 1.5 + 1.2 * sin(2 * M_PI * 0.7 * t);
}

static void trio_slope(double t, const double *y, double *dy)
{
  const double phi = at_v(t) + at_w(t), c = at_c(t), x = -0.5 - (0.2 + phi);
  const double forth[4] = {2 * c, 1.5 * exp(0.3 * x), 3, 1},
               back[4] = {2 * exp(-0.5), 1.5 * exp(-0.7 * x), 6 * exp(-0.2), 1};
  double j[4], medium = 0;
  for (int k = 0; k < 4; k++) {
    j[k] = forth[k] * y[k] - back[k] * y[(k + 1) % 4];
    medium += j[k] * log(forth[k] / back[k]);
  }
  for (int k = 0; k < 4; k++) {
    dy[P_A + k] = j[(k + 3) % 4] - j[k];
    dy[N_B + k] = j[k];
  }
  dy[W_OUT] = j[0] * log(c);
  dy[W_FIELD] = -j[2] * phi;
  dy[W_V] = y[P_C] * 1.5 * 2 * M_PI * 0.45 * cos(2 * M_PI * 0.45 * t);
  dy[W_W] = y[P_C] * 0.8 * 2 * M_PI * 0.31 * cos(2 * M_PI * 0.31 * t + 1);
  dy[MEDIUM] = medium;
}

static void runge_kutta(void (*slope)(double, const double *, double *), double end, int32_t steps, int32_t n,
                        double *y)
{
  double k[4][LENGTH], at[LENGTH];
  const double h = end / steps;
  for (int32_t i = 0; i < steps; i++) {
    for (int s = 0; s < 4; s++) {
      for (int32_t j = 0; j < n; j++) at[j] = y[j] + (s == 0 ? 0 : h * (s == 3 ? 1 : 0.5) * k[s - 1][j]);
      slope(h * i + (s == 0 ? 0 : s == 3 ? h : 0.5 * h), at, k[s]);
    }
    for (int32_t j = 0; j < n; j++) y[j] += h / 6 * (k[0][j] + 2 * k[1][j] + 2 * k[2][j] + k[3][j]);
  }
}

#define COPIES 20
static void test_trio(void)
{
  ness_model *const m = sample_model(
      NATURAL "param V = 0, w = 0, c = 1\ncompartment o reservoir\ncompartment i reservoir potential V + w\n"
              "ion S z 1 { o = c\n i = 2 }\nprotein P copies 20 {\nstate A\nstate B energy = -0.5\n"
              "state C energy = 0.2 charge 1\nstate D\n}\nb: A + S.o <-> B @ 2, ldb\n"
              "t: B <-> C @ ldb(k0 = 1.5, split = 0.3)\nu: C <-> D + S.i @ 3, ldb\nd: D <-> A @ ldb(k0 = 1)\n"
              "process V sine(mean = 0.4, amplitude = 1.5, frequency = 0.45)\n"
              "process w sine(mean = 0, amplitude = 0.8, frequency = 0.31, phase = 1)\n"
              "process c sine(mean = 1.5, amplitude = 1.2, frequency = 0.7)\n");
  double y[LENGTH] = {1};
  const double end = 6.3;
  runge_kutta(trio_slope, end, 20000, LENGTH, y);
  for (int mode = 0; mode < 2; mode++) {
    moving_inputs inputs;
    hybrid_options o = {.replicas = 12800, .time = end, .seed = 31, .threads = 2};
    if (mode) o = (hybrid_options){.mode = HYBRID_MEAN, .replicas = 1, .time = end, .rtol = 1e-10};
    hybrid_result r = run_moving(m, o, &inputs);
    const int32_t sources = network_sources(lang_network(inputs.model)), steps = 4;
    const struct {
      const char *name;
      const double *rows;
      int32_t width, at;
      double exact;
    } list[] = {{"b", r.fwd, steps, 0, y[N_B]},
                {"t", r.fwd, steps, 1, y[N_T]},
                {"u", r.fwd, steps, 2, y[N_U]},
                {"d", r.fwd, steps, 3, y[N_D]},
                {"S.o", r.work, sources, 0, y[W_OUT]},
                {"S.i", r.work, sources, 1, -y[N_U] * log(2)},
                {"i", r.work, sources, sources - 2, y[W_FIELD]},
                {"undeclared", r.work, sources, sources - 1, 0},
                {"V", r.input_work, 3, 0, y[W_V]},
                {"w", r.input_work, 3, 1, y[W_W]},
                {"c", r.input_work, 3, 2, 0},
                {"medium", r.medium, 1, 0, y[MEDIUM]}};
    for (int32_t b = 0; b < r.batches * steps; b++) r.fwd[b] -= r.bwd[b];
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
      double error;
      const double value =
          mode ? list[i].rows[list[i].at] / end : rate_of(&r, list[i].rows, list[i].width, list[i].at, &error);
      const double exact = COPIES * list[i].exact / end;
      check_near(mode ? "mean of three" : "three", list[i].name, value, mode ? 2e-7 / SIGMA : error, exact);
      CHECK(mode || error < 0.03 * (0.1 + fabs(exact)));
    }
    check_closed(&r, &inputs, mode ? 1e-6 : 1e-11);
    hybrid_result_free(&r);
    moving_free(&inputs);
  }
  ness_model_free(m);
}

/* --- a bath that moves beside a capacitor --- */

enum { Y_V, Y_OUT, Y_IN, Y_MEDIUM, Y_LENGTH };

static void patch_slope(double t, const double *y, double *dy)
{
  const double c = 2 + 1.5 * sin(2 * M_PI * 0.5 * t), v = y[Y_V];
  const double forth = 0.4 * 5 * exp(v / 2), back = 0.4 * c * exp(-v / 2), j = forth - back;
  dy[Y_V] = -j / 40;
  dy[Y_OUT] = -j * log(c);
  dy[Y_IN] = j * log(5);
  dy[Y_MEDIUM] = j * log(forth / back);
}

static void test_patch(void)
{
  ness_model *const m =
      sample_model(NATURAL "compartment o reservoir\ncompartment i reservoir potential U\n"
                           "capacitor U between i, o capacitance 40 start -1\nion K z 1 { i = 5\n o = 2 }\n"
                           "pore: K.i <-> K.o @ ldb(k0 = 0.4) fluid\n"
                           "process K.o sine(mean = 2, amplitude = 1.5, frequency = 0.5)\n");
  if (!m) return;
  double y[LENGTH] = {-1};
  runge_kutta(patch_slope, 30.25, 60000, Y_LENGTH, y);
  moving_inputs inputs;
  hybrid_result r = run_moving(m, (hybrid_options){.replicas = 1, .time = 30.25, .rtol = 1e-10}, &inputs);
  const int32_t out = lang_find_text(inputs.model, LANG_RESERVOIR, "K.o");
  const int32_t in = lang_find_text(inputs.model, LANG_RESERVOIR, "K.i");
  CHECK_NEAR(r.work[out], y[Y_OUT], 1e-6);
  CHECK_NEAR(r.work[in], y[Y_IN], 1e-6);
  CHECK_NEAR(r.medium[0], y[Y_MEDIUM], 1e-6);
  CHECK_NEAR(r.energy[0], 20 * (y[Y_V] * y[Y_V] - 1), 1e-6); /* C V^2/2 */
  CHECK(fabs(y[Y_OUT]) > 0.1 && fabs(y[Y_OUT] - r.work[in] / log(5) * log(2)) > 0.1);
  check_closed(&r, &inputs, 1e-6);
  hybrid_result_free(&r);
  moving_free(&inputs);
  ness_model_free(m);
}

/* A pore between two baths under a voltage that is commanded, over a part of a period and among events that do not
 * matter to it: no count moves with its flux, which an error of its own must hold. Stiff beside a fast pair as well. */
static void test_clamp(void)
{
  const int32_t n = 20000;
  const double end = 1.25, h = end / n;
  double forth = 0, back = 0, work = 0;
  for (int32_t i = 0; i < n; i++) {
    const double v = 0.5 + 2 * sin(M_PI * h * (i + 0.5)), f = 100 * exp(-v / 2), b = 200 * exp(v / 2);
    forth += h * f;
    back += h * b;
    work -= h * (f - b) * v;
  }
  for (int k = 0; k < 3; k++) {
    char text[1000];
    snprintf(text, sizeof text,
             NATURAL "param V = 0\ncompartment o reservoir\ncompartment i reservoir potential V\n"
                     "ion X z 1 { o = 1\n i = 2 }\nspecies A = 1, B = 0\nr: A <-> B @ 2, 3\n%s"
                     "pore: X.o <-> X.i @ ldb(k0 = 100) fluid\n"
                     "process V sine(mean = 0.5, amplitude = 2, frequency = 0.5)\n",
             k == 2 ? "species Y = 9, Z = 0\ny: Y <-> Z @ 1e5, 1e5 fluid\n" : "");
    ness_model *const m = sample_model(text);
    if (!m) continue;
    moving_inputs inputs;
    hybrid_result r = run_moving(
        m, (hybrid_options){.mode = k == 1 ? HYBRID_MEAN : HYBRID_EXACT, .replicas = 1, .time = end}, &inputs);
    const ness_network *const net = lang_network(inputs.model);
    const int32_t pore = lang_find_text(inputs.model, LANG_STEP, "pore");
    CHECK_REL(r.fwd[pore], forth, 1e-5);
    CHECK_REL(r.bwd[pore], back, 1e-5);
    CHECK_REL(r.work[network_sources(net) - 2], work, 1e-5);
    CHECK(r.moves < 5000);
    check_closed(&r, &inputs, 1e-6);
    hybrid_result_free(&r);
    moving_free(&inputs);
    ness_model_free(m);
  }
}

/* --- free energies --- */

/* Copies of two states whose energies an energy and a voltage move, and a speed that moves beside them. */
static ness_model *two_states(const char *copies, double begin, double end)
{
  char text[1000];
  snprintf(text, sizeof text,
           NATURAL "param a = -1, V = 0.5, k = 2\ncompartment o reservoir\ncompartment i reservoir potential V\n"
                   "protein P copies %s {\nstate A\nstate B energy = a charge -1\n}\n"
                   "r: A <-> B @ ldb(k0 = k, split = 0.3)\n"
                   "process a ramp(from = -1, to = 1, begin = %g, end = %g)\n"
                   "process V ramp(from = 0.5, to = -0.7, begin = %g, end = %g)\n"
                   "process k sine(mean = 2, amplitude = 1, frequency = 0.7)\n",
           copies, begin, end, begin, end);
  return sample_model(text);
}

static double free_energy_change(double copies)
{
  return -copies * log((1 + exp(-(1 + 0.7))) / (1 + exp(1 + 0.5)));
}

/* The work of the mean beyond the free energy falls as the inverse of the time. */
static void test_slow(void)
{
  double beyond[2];
  const double wanted = free_energy_change(1000);
  for (int k = 0; k < 2; k++) {
    const double end = k ? 2030 : 1030;
    ness_model *const m = two_states("1000", 30, end);
    moving_inputs inputs;
    hybrid_result r = run_moving(
        m, (hybrid_options){.mode = HYBRID_MEAN, .replicas = 1, .time = end + 1, .warmup = 29, .rtol = 1e-8}, &inputs);
    beyond[k] = r.input_work[0] + r.input_work[1] - wanted;
    CHECK(fabs(r.input_work[2]) < 1e-12);
    CHECK(fabs(r.input_work[0] - r.input_work[1]) > 100);
    hybrid_result_free(&r);
    moving_free(&inputs);
    ness_model_free(m);
  }
  printf("slow ramps: %.4g and %.4g kT beyond %.6g\n", beyond[0], beyond[1], wanted);
  CHECK(beyond[0] > 0 && beyond[0] < 2e-3 * wanted);
  CHECK(fabs(2 * beyond[1] - beyond[0]) < 1e-5 * wanted);
}

static void test_jarzynski(void)
{
  enum { RUNS = 500 };
  ness_model *const m = two_states("1", 8, 8.7);
  if (!m) return;
  double sum = 0, square = 0, work = 0;
  const double wanted = exp(-free_energy_change(1));
  for (int32_t k = 0; k < RUNS; k++) {
    moving_inputs inputs;
    hybrid_result r = run_moving(
        m, (hybrid_options){.replicas = 64, .time = 9, .warmup = 7, .seed = (uint64_t)(100 + k), .threads = 2},
        &inputs);
    for (int32_t b = 0; b < r.batches; b++) { /* a replica each */
      const double w = r.input_work[3 * b] + r.input_work[3 * b + 1], x = exp(-w);
      sum += x / (64 * RUNS);
      square += x * x / (64 * RUNS);
      work += w / (64 * RUNS);
    }
    hybrid_result_free(&r);
    moving_free(&inputs);
  }
  const double error = sqrt((square - sum * sum) / (64 * RUNS));
  printf("Jarzynski: %.5f +- %.5f, exp(-dF) = %.5f; work %.4f\n", sum, error, wanted, work);
  CHECK(fabs(sum - wanted) < SIGMA * error && error < 0.01 * wanted);
  CHECK(work > 0.2 - log(wanted)); /* it is not slow */
  ness_model_free(m);
}

/* Langevin's equation: rates that stand, from one side, while the energy of the other climbs by 1 kT/s. */
static void test_langevin(void)
{
  ness_model *const m =
      sample_model(NATURAL "param a = 0, b = 0\nprotein P copies 10000 {\nstate A energy = 0\nstate B energy = a\n}\n"
                           "r: A <-> B @ 2, 1\nprocess a ramp(from = 0, to = 2, begin = 0, end = 2)\n"
                           "process b sine(mean = 0, amplitude = 1, frequency = 1)\n");
  if (!m) return;
  moving_inputs inputs;
  hybrid_result r = run_moving(
      m, (hybrid_options){.mode = HYBRID_LANGEVIN, .replicas = 6400, .time = 1, .seed = 6, .threads = 2}, &inputs);
  double error;
  const double value = rate_of(&r, r.input_work, 2, 0, &error), wanted = 1e4 * 2 / 3 * (1 - (1 - exp(-3)) / 3);
  check_near("langevin", "input", value, error, wanted);
  CHECK(error < 1.2e-4 * wanted); /* parts half a step late are 1e-3 off */
  check_closed(&r, &inputs, 2);
  hybrid_result_free(&r);
  moving_free(&inputs);
  ness_model_free(m);
}

/* --- closure --- */

#define ALL                                                                                                            \
  "param a = 0.2, c = 1, V = 0, w = 0, k = 1\ncompartment o reservoir\ncompartment i reservoir potential V + w\n"      \
  "ion X z 1 { o = c*exp(w)\n i = 2 }\nbath F = 3, mu0 = 0.5 + a\nprotein P copies 3 {\nstate A\n"                     \
  "state B energy = a + 0.3 charge 0.5\nstate C energy = B + 2*V\n}\nr1: A + X.o <-> B @ 2, ldb\n"                     \
  "r2: B <-> C @ ldb(k0 = 1 + k*k, split = 0.3)\nr3: C <-> A + X.i @ ldb(k0 = 2, form = heat-bath)\n"                  \
  "r4: A + F <-> A @ ldb(k0 = 0.5, form = metropolis)\nr5: A <-> B @ ldb(k0 = 0.7, form = scharfetter-gummel)\n"       \
  "r6: B + F <-> C + 2 X.i @ ldb(k0 = 1, form = ohmic)\nr8: A + F <-> C @ ldb(k0 = 1, barrier = 2)\n"                  \
  "r7: A + X.o <-> A + X.i @ ldb(conductance = 0.3 + 0.1*k) fluid\n"                                                   \
  "process V sine(mean = 0.5, amplitude = 1, frequency = 0.3)\nprocess w sine(mean = 0, amplitude = 0.7, frequency = " \
  "0.41)\nprocess c square(low = 0.5, high = 2, period = 1.7)\nprocess a line { 0 = 0.1\n 1 = 0.9\n period 2.3\n}\n"   \
  "process k ramp(from = 0, to = 2, begin = 0, end = 8)\nprocess F sine(mean = 3, amplitude = 2, frequency = 0.77)\n"

static void closes(const char *text, hybrid_mode mode, double share)
{
  ness_model *const m = sample_model(text);
  if (!m) return;
  moving_inputs inputs;
  hybrid_result r =
      run_moving(m, (hybrid_options){.mode = mode, .replicas = 8, .time = 21.3, .warmup = 1.2, .seed = 5}, &inputs);
  double most = 0;
  for (int32_t i = 0; i < r.batches * inputs.ninput; i++) most = fmax(most, fabs(r.input_work[i]));
  CHECK(most > 0.5);
  check_closed(&r, &inputs, share);
  hybrid_result_free(&r);
  moving_free(&inputs);
  ness_model_free(m);
}

static void test_closure(void)
{
  static const char *const no_barrier = "r8: A + F <-> C @ ldb(k0 = 1, barrier = 2)\n";
  char text[3000] = NATURAL ALL;
  char *const at = strstr(text, no_barrier);
  memset(at, ' ', strlen(no_barrier) - 1); /* a barrier feels what stands alone */
  closes(text, HYBRID_EXACT, 1e-10);
  closes(text, HYBRID_LANGEVIN, 1e-9);
  closes(text, HYBRID_MEAN, 1e-5);
  /* events of the file move copies between energies that move; what they do is undeclared */
  char more[4000];
  snprintf(more, sizeof more, "%s%s", text,
           "species Y = 3, Z = 0\nenergy Y = 2*a\nr10: Y <-> Z @ ldb(k0 = 1)\n"
           "at 3.3 every 2.1: Y = Y + 2, Z = 1\nwhen V > 1.2: Y = 0\n"
           "param g = 1\nr9: A <-> C @ g, 2\nvariable z = 0 within -9, 9\nz' = g - z\n"
           "process g telegraph(low = 1, high = 3, up = 1, down = 2)\n");
  closes(more, HYBRID_EXACT, 2);
}

/* What experiments read. */
static void test_experiment(void)
{
  ness_status status;
  ness_doc *const doc = sample_test(
      CARRIER(STILL) INERT
      "process S.o sine(mean = 1.5, amplitude = 1.2, frequency = 0.25)\n"
      "process V sine(mean = 0.2, amplitude = 2, frequency = 0.5)\n"
      "experiment all {\nsolve ode time 3, every 1\nexpect mean_at(S.o, 1) ~ 2.7 +- 1e-9\nlet c = mean_at(C, 3)\n"
      "simulate replicas 640, time 3, every 1, seed 1\nexpect mean_at(C, 3) ~ c within 7 sigma\n"
      "expect mean_at(S.o, 3) ~ 0.3 +- 1e-9\nexpect abs(work(V)) > 0.01\n"
      "simulate replicas 64, time 400, seed 2\n"
      "expect work(S.o) + work(S.i) + work(i) ~ sigma - work(V) +- 0.05\n"
      "simulate mean time 40\nexpect abs(work(V)) > 0.01\n}\n",
      false, &status, NULL);
  CHECK(status == NESS_OK);
  ness_doc_free(doc);
}

int main(void)
{
  for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) test_alone(&alone[i], (int32_t)i + 1);
  test_ramp();
  test_trio();
  test_patch();
  test_clamp();
  test_slow();
  test_jarzynski();
  test_langevin();
  test_closure();
  test_experiment();
  return check_done();
}
