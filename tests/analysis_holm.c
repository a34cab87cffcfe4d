/* Holm's correction against published p values, the coin against sums of binomial coefficients, the data still needed
 * against the normal law; and the three verdicts of one network with ever more data, each cycle with its own. */
#include "analysis/analysis.h"
#include "analysis_build.h"

static void adjusted(void)
{
  const double p[5] = {0.01, 0.04, (double)NAN, 0.03, 0.005}; /* p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") of R */
  const double expected[5] = {0.03, 0.06, 0, 0.06, 0.02};
  double got[5];
  CHECK(holm_adjust(p, 5, got));
  for (int i = 0; i < 5; i++) {
    if (i == 2) CHECK(isnan(got[i]));
    else CHECK_REL(got[i], expected[i], 1e-14);
  }
}

static void coin(void)
{
  CHECK_REL(holm_coin(2, 8), (2 * 11.0 + 45.0) / 1024, 1e-12); /* 1 + 10 + 45 of 2^10, of the last one half */
  CHECK_REL(holm_coin(10, 0), 1 / 1024.0, 1e-12);
  CHECK(holm_coin(5, 5) == 1);
  CHECK(isnan(holm_coin(0, 0)));
}

static void data_needed(void)
{
  const double z = 1.959963984540054 + 0.8416212335729143; /* the other tail is below 1e-6 */
  CHECK_REL(holm_more_data(0.5, 1, holm_needed(0.05, 1)), z * z / 4, 1e-5);
  CHECK_REL(holm_more_data(0.5, 2, holm_needed(0.05, 1)), z * z / 16, 1e-5);
  const double z5 = 2.5758293035489004 + 0.8416212335729143;
  CHECK_REL(holm_more_data(1, 1, holm_needed(0.05, 5)), z5 * z5, 1e-5);
}

/* The affinity seen falls as one over the root of the time: the factor asked for is the one that is then enough. */
static void verdicts(void)
{
  char path[256];
  test_path(path, "verdicts");
  ness_simulate_options options = {.struct_size = sizeof options,
                                   .level = "events",
                                   .replicas = 64,
                                   .time = 5.5,
                                   .warmup = 5,
                                   .seed = 3,
                                   .path = path,
                                   .overwrite = 1};
  ness_network *net = square_with_chord(0);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(strstr(ness_doc_string(doc, "verdict"), "not enough data (needs about ") != NULL);
  CHECK(strstr(ness_doc_string(doc, "verdict"), " times more to see 1 kT)") != NULL);
  const double more = ness_doc_number(doc, "balance.more_data"), first = ness_doc_number(doc, "cycles[0].more_data");
  CHECK(more > 1 && first > 1);
  ness_doc_free(doc);
  options.time = 5 + 0.5 * (1.4 * more);
  doc = run_and_analyze(net, &options, NULL);
  CHECK(strstr(ness_doc_string(doc, "verdict"), "consistent with equilibrium (an affinity above ") != NULL);
  CHECK(ness_doc_number(doc, "cycles[0].more_data") < first);
  for (int i = 0; i < 5; i++) { /* two of the basis, three of the trajectory */
    char key[64];
    snprintf(key, sizeof key, "cycles[%d].p_holm", i);
    CHECK(ness_doc_number(doc, key) >= 0.001);
  }
  ness_doc_free(doc);
  double needed[2];
  for (int i = 0; i < 2; i++) {
    options.time = 105 + 100 * i;
    options.seed = 5; /* of a cycle that stands out by chance nothing more is needed: of another seed */
    doc = run_and_analyze(net, &options, NULL);
    needed[i] = ness_doc_number(doc, "cycles[0].more_data");
    ness_doc_free(doc);
  }
  CHECK_REL(needed[0], 2 * needed[1], 0.05);
  network_free(net);

  net = square_with_chord(1);
  doc = run_and_analyze(net, &options, NULL);
  CHECK(strncmp(ness_doc_string(doc, "verdict"), "driven, by cycle ", 17) == 0);
  double least = 1;
  for (int i = 0; i < 5; i++) {
    char key[64];
    snprintf(key, sizeof key, "cycles[%d].p_holm", i);
    const double holm = ness_doc_number(doc, key);
    key[strlen(key) - 5] = 0; /* p alone is never above it */
    CHECK(ness_doc_number(doc, key) <= holm);
    least = fmin(least, holm);
  }
  CHECK(least < 1e-6);
  ness_doc_free(doc);
  network_free(net);
  unlink(path);
}

int main(void)
{
  adjusted();
  coin();
  data_needed();
  verdicts();
  return check_done();
}
