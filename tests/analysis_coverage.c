/* The quick part of the study in analysis_coverage_slow.c: 300 data sets each of a driven and of two balanced networks.
 * Bounds are four binomial errors (0.05 for 0.05, 300 sets): a right program fails one of the checks in 1 of 5000
 * seeds. */
#include "analysis_coverage.h"

int main(void)
{
  char path[256];
  test_path(path, "coverage");
  const int sets = 300;
  ness_simulate_options options = {.struct_size = sizeof options,
                                   .level = "summary",
                                   .replicas = 64,
                                   .time = 25,
                                   .warmup = 5,
                                   .path = path,
                                   .overwrite = 1,
                                   .threads = 1};

  ness_network *net = fuel_cycle(1, 10, 5, 0.05, 4, false); /* A = ln 10: driven, and found every time */
  coverage c = coverage_run(net, options, 1, sets);
  coverage_print("driven", &c);
  CHECK(c.drive_found == sets);
  CHECK(fabs((double)c.covered / c.intervals - 0.95) < 0.025);
  CHECK(fabs((double)c.entropy_covered / c.entropy_sets - 0.95) < 0.05);
  CHECK(fabs((double)c.plugin_covered / sets - 0.95) < 0.05);
  CHECK(fabs((double)c.affinity_covered / c.affinity_sets - 0.95) < 0.05);
  CHECK(c.bayes_sets == sets && fabs((double)c.bayes_covered / c.bayes_sets - 0.95) < 0.05);
  network_free(net);

  net = fuel_cycle(1, 2, 1, 0.5, 4, false);
  c = coverage_run(net, options, 1001, sets);
  coverage_print("balanced, Wald", &c);
  CHECK(c.wald_share > 0.99 && c.rejected > 0 && c.rejected < 30);
  CHECK(c.holm_sets == sets && c.holm_alarms > 0 && c.holm_alarms < 30);
  CHECK(c.bayes_sets == sets && fabs((double)c.bayes_covered / c.bayes_sets - 0.95) < 0.05);
  CHECK(fabs((double)c.plugin_covered / sets - 0.95) < 0.05);
  network_free(net);

  net = catalysed(1, 2, 0.7, 1.4, 3);
  c = coverage_run(net, options, 2001, sets);
  coverage_print("balanced, Hotelling", &c);
  CHECK(c.wald_share < 0.01 && c.tested == sets && c.rejected > 0 && c.rejected < 30);
  network_free(net);

  net = catalysed(1, 2, 1.4, 0.7, 3); /* planted: the catalysed way is driven by ln 4 */
  c = coverage_run(net, options, 3001, 50);
  coverage_print("driven, Hotelling", &c);
  CHECK(c.drive_found == 50);
  network_free(net);
  unlink(path);
  return check_done();
}
