/* The bound from the order of states against closed forms: a ring that is seen whole, the same with two of its states
 * seen as one, and a ring in equilibrium. Seeds are fixed; a jackknife over 16 stripes beyond 15 errors has a chance of
 * 2e-10. */
#include "analysis_build.h"

#include "engine/rng/rng.h"

#define LIMIT 15.0
#define ALARMS 100

static char path[256];

static double order(const ness_doc *doc, int32_t k, const char *column)
{
  char key[96];
  snprintf(key, sizeof key, "entropy.sequence.by_order[%d].%s", (int)k, column);
  return ness_doc_number(doc, key);
}

static void near(const ness_doc *doc, int32_t k, double exact)
{
  const double value = order(doc, k, "bound"), error = order(doc, k, "error");
  if (!(fabs(value - exact) < LIMIT * error)) fprintf(stderr, "%g +- %g, exact %g\n", value, error, exact);
  CHECK(fabs(value - exact) < LIMIT * error);
  CHECK(error < 0.03 * exact && order(doc, k, "low") < exact && order(doc, k, "low") > 0.8 * exact);
}

static ness_doc *walk(int states, double up, double down, double time, uint64_t seed)
{
  ness_network *net = ring(states, up, down, 1);
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = "events",
                                         .replicas = 20,
                                         .time = time,
                                         .seed = seed,
                                         .path = path,
                                         .overwrite = 1};
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  network_free(net);
  return doc;
}

/* Whole: the chain forgets, so every order gives (u - d) ln(u/d) = ln 2 k_B/s. */
static void whole(void)
{
  ness_doc *doc = walk(3, 2, 1, 2000, 3);
  CHECK_STR(ness_doc_string(doc, "entropy.sequence.is"), "a lower bound");
  CHECK(ness_doc_count(doc, "entropy.sequence.by_order") == 3);
  CHECK_REL(ness_doc_number(doc, "entropy.sequence.entropy_exact"), log(2), 1e-10);
  for (int32_t k = 0; k < 3; k++) {
    near(doc, k, log(2));
    CHECK(fabs(order(doc, k, "increment") - log(2)) < 0.06);
    const double shorter = k > 0 ? k * order(doc, k - 1, "bound") : 0; /* D of one state less */
    CHECK_REL(order(doc, k, "increment"), (k + 1) * order(doc, k, "bound") - shorter, 1e-12);
  }
  ness_doc_free(doc);
}

/* A record of a ring of four, 2 forward and 1 back, of which two neighbours look alike. Of ln 2 k_B/s the edges show
 * 3/4; from b to a through the hidden pair it goes 2/7 a second, back 1/28, round the seen states 1/3 and 1/12 on each
 * of two ways, so two jumps show 7/8 and the increment all of it. */
static void hidden(void)
{
  ring_record(path);
  ness_doc *doc =
      analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .map = "a=a b=b c=E3,E4"});
  near(doc, 0, 0.75 * log(2));
  near(doc, 1, 0.875 * log(2));
  CHECK(fabs(order(doc, 1, "increment") - log(2)) < 0.06);
  ness_doc_free(doc);
}

/* In equilibrium the low end of an order is above zero in at most 2.5 %: of ALARMS, 14 or more have a chance of 1e-6.
 */
static void balanced(void)
{
  int alarms[3] = {0, 0, 0};
  for (int i = 0; i < ALARMS; i++) {
    ness_doc *doc = walk(3, 1, 1, 100, 100 + (uint64_t)i);
    for (int32_t k = 0; k < 3; k++) alarms[k] += order(doc, k, "low") > 0;
    ness_doc_free(doc);
  }
  printf("a bound above zero in equilibrium, by order: %d %d %d of %d\n", alarms[0], alarms[1], alarms[2], ALARMS);
  for (int k = 0; k < 3; k++) CHECK(alarms[k] < 14);
}

int main(void)
{
  test_path(path, "analysis_sequences");
  whole();
  hidden();
  balanced();
  unlink(path);
  return check_done();
}
