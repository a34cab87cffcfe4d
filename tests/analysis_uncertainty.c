/* What windows of time say about the cost of what flows: the bound from the uncertainty relation and the fluctuation
 * theorem, from dumps of driven and balanced networks, against closed forms. All seeds are fixed. Errors of 64 batches
 * or blocks: |t| beyond 7.5 has a chance of 3e-10. */
#include "analysis_build.h"

#define LIMIT 7.5 /* sigma */
#define ALARMS 200

static char path[256];

static ness_simulate_options run_options(double time, double window, uint64_t seed)
{
  return (ness_simulate_options){.struct_size = sizeof(ness_simulate_options),
                                 .level = "flux",
                                 .replicas = 64,
                                 .time = 16 + time,
                                 .window = window,
                                 .warmup = 16,
                                 .seed = seed,
                                 .path = path,
                                 .overwrite = 1};
}

static double by_window(const ness_doc *doc, int32_t row, const char *column)
{
  char key[96];
  snprintf(key, sizeof key, "entropy.uncertainty.by_window[%d].%s", (int)row, column);
  return ness_doc_number(doc, key);
}

static void near(double value, double error, double exact)
{
  if (!(fabs(value - exact) < LIMIT * error)) fprintf(stderr, "%g +- %g, exact %g\n", value, error, exact);
  CHECK(fabs(value - exact) < LIMIT * error);
}

/* The uncertainty product of the fuel cycle, 4.67821, in windows longer than its memory of 7 ms; the theorem at the
 * shortest windows, where both signs occur. */
static void fuel(void)
{
  const double sigma = 1.50959189568;
  ness_network *net = fuel_cycle(1, 100, 50, 0.005, 1, true);
  const ness_simulate_options options = run_options(1024, 0.5, 4);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK_STR(ness_doc_string(doc, "entropy.uncertainty.is"), "a lower bound");
  CHECK_REL(ness_doc_number(doc, "entropy.uncertainty.entropy_exact"), sigma, 1e-10);
  const int32_t rows = ness_doc_count(doc, "entropy.uncertainty.by_window");
  CHECK(rows == 12 && by_window(doc, 4, "window") == 8);
  for (int32_t i = 4; i < rows; i++) near(by_window(doc, i, "bound"), by_window(doc, i, "error"), 2 * sigma / 4.67821);
  CHECK(by_window(doc, 4, "error") < 0.02);
  const double low = ness_doc_number(doc, "entropy.uncertainty.low");
  CHECK(low > 0.85 * 2 * sigma / 4.67821 && low < sigma);
  near(ness_doc_number(doc, "entropy.fluctuation_theorem.slope"),
       ness_doc_number(doc, "entropy.fluctuation_theorem.slope_error"), 1);
  CHECK(ness_doc_number(doc, "entropy.fluctuation_theorem.slope_error") < 0.03);
  near(ness_doc_number(doc, "entropy.fluctuation_theorem.integral"),
       ness_doc_number(doc, "entropy.fluctuation_theorem.integral_error"), 1);
  CHECK_STR(ness_doc_string(doc, "entropy.fluctuation_theorem.integral_from"), "windows of all kinds");
  ness_doc_free(doc);
  network_free(net);
}

/* A ring of equal steps wanders with drift u - d and spread u + d: the best bound is 2 (u - d)^2 / (u + d) in windows
 * of every length, whatever the combination starts from. */
static void even_ring(void)
{
  ness_network *net = ring(4, 2, 1, 1);
  const ness_simulate_options options = run_options(512, 0.25, 5);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  for (int32_t i = 0; i < ness_doc_count(doc, "entropy.uncertainty.by_window"); i++)
    near(by_window(doc, i, "bound"), by_window(doc, i, "error"), 2.0 / 3);
  CHECK(ness_doc_number(doc, "entropy.uncertainty.low") > 0.6);
  CHECK(ness_doc_number(doc, "entropy.uncertainty.low") < log(2));
  near(ness_doc_number(doc, "entropy.fluctuation_theorem.slope"),
       ness_doc_number(doc, "entropy.fluctuation_theorem.slope_error"), 1);
  ness_doc_free(doc);
  network_free(net);
}

/* In equilibrium the low end is above zero in at most 5 % of data sets: of ALARMS, 28 or more have a chance of 1e-6. */
static void balanced(void)
{
  int alarms = 0;
  ness_network *net = ring(3, 1, 1, 2);
  for (int k = 0; k < ALARMS; k++) {
    const ness_simulate_options options = run_options(32, 0.5, 1000 + (uint64_t)k);
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    alarms += ness_doc_number(doc, "entropy.uncertainty.low") > 0;
    CHECK_STR(ness_doc_string(doc, "entropy.fluctuation_theorem.slope"), "none: no window produced entropy");
    CHECK_NEAR(ness_doc_number(doc, "entropy.fluctuation_theorem.integral"), 1, 1e-9);
    ness_doc_free(doc);
  }
  printf("a bound above zero in equilibrium: %d of %d\n", alarms, ALARMS);
  CHECK(alarms < 28);
  network_free(net);
}

/* Windows in which the fuel cycle turns many times have one sign: said, and not made a number of. */
static void long_windows(void)
{
  ness_network *net = fuel_cycle(1, 100, 50, 0.005, 1, true);
  const ness_simulate_options options = run_options(512, 64, 7);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(strncmp(ness_doc_string(doc, "entropy.fluctuation_theorem.slope"), "not known", 9) == 0);
  CHECK(strncmp(ness_doc_string(doc, "entropy.fluctuation_theorem.integral_from"), "rare windows", 12) == 0);
  ness_doc_free(doc);
  network_free(net);
}

int main(void)
{
  test_path(path, "analysis_uncertainty");
  fuel();
  even_ring();
  balanced();
  long_windows();
  unlink(path);
  return check_done();
}
