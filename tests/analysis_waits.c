/* Waiting times and first passages of one molecule against closed forms, and of a record against its own list. Seeds
 * are fixed; a |z| beyond 6 has a chance of 2e-9. */
#include "analysis_build.h"

#define LIMIT 6.0

static char path[256];

static ness_doc *events(const ness_network *net, int64_t replicas, double time, uint64_t seed)
{
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = "events",
                                         .replicas = replicas,
                                         .time = time,
                                         .seed = seed,
                                         .path = path,
                                         .overwrite = 1};
  return run_and_analyze(net, &options, NULL);
}

static double number(const ness_doc *doc, const char *table, int32_t row, const char *column)
{
  char key[160];
  snprintf(key, sizeof key, "waits.%s[%d].%s", table, (int)row, column);
  return ness_doc_number(doc, key);
}

static void near(const ness_doc *doc, const char *table, int32_t row, const char *column, double exact)
{
  char key[64];
  snprintf(key, sizeof key, "%s_error", column);
  const double value = number(doc, table, row, column), error = number(doc, table, row, key);
  if (!(fabs(value - exact) < LIMIT * error)) fprintf(stderr, "%s: %g +- %g, exact %g\n", column, value, error, exact);
  CHECK(fabs(value - exact) < LIMIT * error);
  CHECK(error < 0.03 * exact);
}

/* A ring of three, 2 forward and 1 back: visits are exponential with mean 1/3. To the next state it takes 4/7 on
 * average with variance 18/49, to the one before 5/7 with 21/49. */
static void ring_of_three(void)
{
  ness_network *net = ring(3, 2, 1, 1);
  for (int i = 0; i < 2; i++) {
    ness_doc *doc = events(net, i ? 40 : 1, i ? 500 : 20000, 3 + (uint64_t)i);
    for (int32_t s = 0; s < 3; s++) {
      near(doc, "states", s, "mean", 1.0 / 3);
      near(doc, "states", s, "cv", 1);
      near(doc, "states", s, "median", log(2) / 3);
      near(doc, "states", s, "p90", log(10) / 3);
      CHECK_REL(number(doc, "states", s, "mean_exact"), 1.0 / 3, 1e-12);
      CHECK_REL(number(doc, "states", s, "p90_exact"), log(10) / 3, 1e-12);
    }
    CHECK(ness_doc_count(doc, "waits.passages") == 6);
    for (int32_t k = 0; k < 6; k++) { /* 1-2, 1-3, 2-1, 2-3, 3-1, 3-2 */
      const bool forward = k == 0 || k == 3 || k == 4;
      near(doc, "passages", k, "mean", forward ? 4.0 / 7 : 5.0 / 7);
      near(doc, "passages", k, "cv", forward ? sqrt(18) / 4 : sqrt(21) / 5);
    }
    double visits = 0, listed = 0;
    for (int32_t s = 0; s < 3; s++) visits += number(doc, "states", s, "visits");
    for (int32_t k = 0; k < ness_doc_count(doc, "waits.histogram"); k++)
      listed +=
          number(doc, "histogram", k, "E1") + number(doc, "histogram", k, "E2") + number(doc, "histogram", k, "E3");
    CHECK(visits == listed && visits > 50000);
    ness_doc_free(doc);
  }
  network_free(net);
}

/* A record whose visits of `b` last 1, 2, 3, 4 in turn and those of `a` always 2; the first and the last are not whole.
 */
static void record_by_list(void)
{
  FILE *const file = fopen(path, "w");
  if (!file) exit(1);
  fprintf(file, "time,state\n");
  double t = 0;
  for (int k = 0; k < 40; k++) {
    fprintf(file, "%g,a\n%g,b\n", t, t + 2);
    t += 2 + 1 + k % 4;
  }
  fprintf(file, "%g,a\n%g,a\n", t, t + 0.5);
  fclose(file);
  ness_doc *doc = analyze(path, NULL);
  CHECK(number(doc, "states", 0, "visits") == 39 && number(doc, "states", 1, "visits") == 40);
  CHECK_REL(number(doc, "states", 0, "mean"), 2, 1e-12);
  CHECK_NEAR(number(doc, "states", 0, "cv"), 0, 1e-6);
  CHECK_REL(number(doc, "states", 1, "mean"), 2.5, 1e-12);
  CHECK_REL(number(doc, "states", 1, "cv"), sqrt(1.25) / 2.5, 1e-12);
  /* m4 = (2 * 1.5^4 + 2 * 0.5^4) / 4 = 2.5625, m3 = 0 */
  const double spread = (2.5625 / 1.5625 - 1) / 4 + 0.2;
  CHECK_REL(number(doc, "states", 1, "cv_error"), sqrt(1.25) / 2.5 * sqrt(spread / 40), 1e-9);
  CHECK_REL(number(doc, "passages", 0, "mean"), 2, 1e-12);
  ness_doc_free(doc);
}

/* More than one molecule has no waiting times of its own. */
static void refused(void)
{
  ness_network *net = ring(3, 2, 1, 2);
  ness_doc *doc = events(net, 2, 100, 5);
  CHECK(ness_doc_count(doc, "waits.states") <= 0);
  ness_doc_free(doc);
  network_free(net);
}

int main(void)
{
  test_path(path, "analysis_waits");
  ring_of_three();
  record_by_list();
  refused();
  unlink(path);
  return check_done();
}
