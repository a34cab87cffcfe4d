/* Noise of currents and memory of counts, from dumps of both levels, against closed forms and the exact cumulants. All
 * seeds are fixed. Errors of 64 batches follow Student's law with 63 degrees of freedom, where |t| beyond 7.5 has a
 * chance of 3e-10, or with 21 for batches of time, where beyond 11 has one of 4e-10. */
#include "analysis_build.h"

#define REPLICAS 7.5 /* sigma */
#define PIECES 11.0

static char path[256];

static ness_simulate_options run_options(const char *level, int64_t replicas, double time, double window, uint64_t seed)
{
  return (ness_simulate_options){.struct_size = sizeof(ness_simulate_options),
                                 .level = level,
                                 .replicas = replicas,
                                 .time = time,
                                 .window = window,
                                 .warmup = 16,
                                 .seed = seed,
                                 .path = path,
                                 .overwrite = 1};
}

/* The row of a table whose `column` is `name`, or -1. */
static int32_t row_of(const ness_doc *doc, const char *table, const char *column, const char *name)
{
  char key[96];
  for (int32_t i = 0; i < ness_doc_count(doc, table); i++) {
    snprintf(key, sizeof key, "%s[%d].%s", table, (int)i, column);
    const char *const text = ness_doc_string(doc, key);
    if (text && strcmp(text, name) == 0) return i;
  }
  return -1;
}

static double at(const ness_doc *doc, const char *table, int32_t row, const char *column)
{
  char key[96];
  snprintf(key, sizeof key, "%s[%d].%s", table, (int)row, column);
  return ness_doc_number(doc, key);
}

static double current(const ness_doc *doc, const char *name, const char *column)
{
  return at(doc, "noise.currents", row_of(doc, "noise.currents", "current", name), column);
}

static double memory(const ness_doc *doc, const char *name, const char *column)
{
  return at(doc, "noise.memory", row_of(doc, "noise.memory", "of", name), column);
}

static void near(double value, double error, double exact, double limit)
{
  if (!(fabs(value - exact) < limit * error)) fprintf(stderr, "%g +- %g, exact %g\n", value, error, exact);
  CHECK(fabs(value - exact) < limit * error);
}

/* Mean, variance rate, uncertainty product of the fuel cycle as published; the correlation time is 1 / (sum of k). */
static void fuel(void)
{
  ness_network *net = fuel_cycle(1, 100, 50, 0.005, 1, true);
  for (int i = 0; i < 3; i++) {
    ness_simulate_options options =
        i < 2 ? run_options(i ? "events" : "flux", 64, 1040, 0.5, 4) : run_options("events", 1, 100000, 0, 5);
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    const double limit = i < 2 ? REPLICAS : PIECES;
    CHECK_REL(current(doc, "turnover", "exact"), 0.3330028108, 1e-9);
    CHECK_REL(current(doc, "turnover", "fano_exact"), 0.3330028108 / 0.327803715109, 1e-9);
    CHECK(fabs(current(doc, "turnover", "z")) < limit && fabs(current(doc, "turnover", "fano_z")) < limit);
    CHECK(current(doc, "turnover", "error") < (i < 2 ? 0.015 : 0.05));
    near(current(doc, "F", "estimate"), current(doc, "F", "error"), 0.3330028108, limit);
    CHECK(memory(doc, "A", "correlation_time_error") < (i < 2 ? 0.05 : 0.5) / 151.005);
    near(memory(doc, "A", "correlation_time"), memory(doc, "A", "correlation_time_error"), 1 / 151.005, limit);
    CHECK(ness_doc_count(doc, "noise.by_window") >= 8);
    ness_doc_free(doc);
  }
  network_free(net);
}

/* Arrivals at a rate k are a Poisson process: variance rate k and Fano 1 in windows of every length. The number present
 * forgets at the rate m: variance k/m, correlation time 1/m. */
static void poisson(void)
{
  const double k = 3, m = 0.5;
  network_builder *b = builder_create("poisson", 0);
  const int32_t x = add_slot(b, "X", 6, MODEL_NO_MAX);
  add_move(b, "in", -1, x, k, 0);
  add_move(b, "out", x, -1, m, 0);
  ness_network *net = finish(b);
  ness_simulate_options options = run_options("flux", 64, 16 + 1024, 0.25, 6);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  near(current(doc, "in", "estimate"), current(doc, "in", "error"), k, REPLICAS);
  near(current(doc, "out", "estimate"), current(doc, "out", "error"), k, REPLICAS);
  near(current(doc, "in", "fano"), current(doc, "in", "fano_error"), 1, REPLICAS);
  for (int32_t i = 0; i < ness_doc_count(doc, "noise.by_window") / 2; i++) {
    near(at(doc, "noise.by_window", i, "fano"), at(doc, "noise.by_window", i, "fano_error"), 1, REPLICAS);
    CHECK_REL(at(doc, "noise.by_window", i, "window"), ldexp(0.25, i), 1e-15);
  }
  near(memory(doc, "X", "correlation_time"), memory(doc, "X", "correlation_time_error"), 1 / m, REPLICAS);
  CHECK(fabs(memory(doc, "X", "variance") - k / m) < 0.2);
  CHECK_REL(memory(doc, "X", "independent_samples"),
            ness_doc_number(doc, "run.time") / 2 / memory(doc, "X", "correlation_time"), 1e-12);
  ness_doc_free(doc);
  network_free(net);
}

/* A gate that remembers for 5 s lets through 0.4 a second: in windows far shorter its current looks Poissonian within
 * errors, which must not be taken for the noise of long times. Variance rate: p a + 2 p (1 - p) a^2 tau. */
static void slow_gate(void)
{
  const double a = 0.4, tau = 5;
  network_builder *b = builder_create("gate", 0);
  const int32_t c = add_slot(b, "C", 1, MODEL_NO_MAX), o = add_slot(b, "O", 0, MODEL_NO_MAX);
  const int32_t left = builder_reservoir(b, "L", 0, 1, 0, -1), right = builder_reservoir(b, "R", -40, 1, 0, -1);
  add_move(b, "gate", c, o, 0.5 / tau, 0.5 / tau);
  add_carry(b, "pore", o, o, left, right, a, a * exp(-40), 40);
  ness_network *net = finish(b);
  ness_simulate_options options = run_options("flux", 64, 16 + 64, 0.03125, 8);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  const double exact = 0.5 * a + 0.5 * a * a * tau;
  CHECK_REL(current(doc, "pore", "exact"), exact, 1e-10);
  CHECK(fabs(current(doc, "pore", "z")) < REPLICAS && current(doc, "pore", "error") < exact);
  CHECK(current(doc, "pore", "window") >= tau);
  const int32_t first = row_of(doc, "noise.by_window", "current", "L");
  CHECK(first >= 0 && at(doc, "noise.by_window", first, "variance_rate") < 0.5 * exact);
  near(memory(doc, "O", "correlation_time"), memory(doc, "O", "correlation_time_error"), tau, REPLICAS);
  ness_doc_free(doc);
  network_free(net);
}

/* The same trajectory at both levels has the same windows; any number of threads the same bits. */
static void levels_agree(void)
{
  ness_network *net = ring(5, 2, 1, 3);
  double value[2];
  for (int i = 0; i < 2; i++) {
    /* the grid of an events dump: 2^17 / 64 windows a replica */
    ness_simulate_options options = run_options(i ? "events" : "flux", 64, 16 + 128, 128.0 / 2048, 9);
    simulate(net, &options);
    char *first = NULL;
    for (int32_t threads = 1; threads <= 3; threads++) {
      ness_doc *doc =
          analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = threads});
      char *json = ness_doc_json(doc);
      if (first) CHECK_STR(json, first);
      else first = json;
      if (first != json) ness_text_free(json);
      value[i] = current(doc, "e2", "estimate");
      ness_doc_free(doc);
    }
    ness_text_free(first);
  }
  CHECK_REL(value[0], value[1], 1e-9);
  network_free(net);
}

/* What cannot be had is said. */
static void refused(void)
{
  ness_network *net = ring(3, 2, 1, 1);
  ness_simulate_options options = run_options("grid", 64, 32, 0, 9);
  options.every = 1;
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(strncmp(ness_doc_string(doc, "noise.available"), "no: a dump of this level", 24) == 0);
  ness_doc_free(doc);
  options = run_options("flux", 2, 32, 16, 9);
  doc = run_and_analyze(net, &options, NULL);
  CHECK_STR(ness_doc_string(doc, "noise.available"), "yes");
  CHECK(ness_doc_count(doc, "noise.currents") == 0 && ness_doc_count(doc, "noise.by_window") == 0);
  ness_doc_free(doc);
  network_free(net);
}

int main(void)
{
  test_path(path, "analysis_noise");
  fuel();
  poisson();
  slow_gate();
  levels_agree();
  refused();
  unlink(path);
  return check_done();
}
