/* The law of sums of logarithms of gamma variables against closed forms: the logarithm of one, the incomplete gamma;
 * the difference of two, the incomplete beta (Fisher's z); three, moments by the digamma function's published values;
 * and the chapter of a result against the affinity that is put in. */
#include "analysis/analysis.h"
#include "analysis_build.h"

#define EULER 0.57721566490153286061

static void functions(void)
{
  const double pi = 3.14159265358979323846;
  CHECK_REL(stat_digamma(1), -EULER, 1e-14);
  CHECK_REL(stat_digamma(0.5), -EULER - 2 * log(2), 1e-14);
  CHECK_REL(stat_trigamma(1), pi * pi / 6, 1e-14);
  CHECK_REL(stat_trigamma(0.5), pi * pi / 2, 1e-14);
  CHECK_REL(stat_digamma(1e6), 13.815510057964190771, 1e-14); /* ln 1e6 - 5e-7 - 1/12e12 */
  for (double t = 0.1; t < 12; t *= 1.7) {
    double re, im, more, turn;
    stat_lgamma_ratio(0.5, t, &re, &im); /* |Gamma(1/2 + i t)|^2 = pi / cosh(pi t) */
    CHECK_NEAR(re, -0.5 * log(cosh(pi * t)), 1e-12 * (1 + t));
    stat_lgamma_ratio(1.5, t, &more, &turn); /* Gamma(z + 1) = z Gamma(z) */
    CHECK_NEAR(more - re, log(hypot(1, 2 * t)), 1e-12 * (1 + t));
    CHECK_NEAR(turn - im, atan2(2 * t, 1), 1e-12 * (1 + t));
  }
}

static void closed_forms(void)
{
  static const double shapes[] = {0.5, 1.5, 7.5, 120.5, 1e6 + 0.5};
  const double one = 1, difference[2] = {1, -1};
  for (int i = 0; i < 5; i++) {
    const double a = shapes[i], rate = 3;
    bayes_law law;
    CHECK(bayes_law_init(&law, 1, &one, &a, &rate) == NESS_OK);
    for (double z = -2; z < 2.5; z += 0.5) {
      const double x = law.mean + z * law.sd;
      if (a < 1e5) CHECK_NEAR(bayes_law_below(&law, x), 1 - stat_gamma_tail(a, rate * exp(x)), 1e-9);
    }
    CHECK_NEAR(bayes_law_below(&law, bayes_law_quantile(&law, 0.025)), 0.025, 1e-11);
    bayes_law_free(&law);
    for (int j = 0; j < 5; j++) {
      const double shape[2] = {a, shapes[j]}, rates[2] = {2, 5};
      CHECK(bayes_law_init(&law, 2, difference, shape, rates) == NESS_OK);
      for (double z = -2; z < 2.5; z += 0.5) { /* 2 g1 / (2 g1 + 5 g2) is beta */
        const double x = law.mean + z * law.sd, odds = 2 * exp(x) / 5;
        CHECK_NEAR(bayes_law_below(&law, x), stat_beta(odds / (1 + odds), a, shapes[j]), 1e-8);
      }
      bayes_law_free(&law);
    }
  }
}

static void moments(void)
{
  const double by[3] = {1, -2, 1}, shape[3] = {1, 0.5, 1}, rate[3] = {1, 1, exp(2)}, pi = 3.14159265358979323846;
  bayes_law law;
  CHECK(bayes_law_init(&law, 3, by, shape, rate) == NESS_OK);
  CHECK_REL(law.mean, 4 * log(2) - 2, 1e-13);
  CHECK_REL(law.sd * law.sd, pi * pi / 3 + 2 * pi * pi, 1e-13);
  bayes_law_free(&law);
}

static void chapter(void)
{
  char path[256];
  test_path(path, "bayes");
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = "summary",
                                         .replicas = 32,
                                         .time = 40,
                                         .seed = 3,
                                         .path = path,
                                         .overwrite = 1};
  ness_network *net = fuel_cycle(1, 10, 5, 0.05, 4, true); /* ln(1 5 / (10 0.05)) = ln 10 */
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(ness_doc_number(doc, "bayes.cycles[0].low") < log(10) &&
        ness_doc_number(doc, "bayes.cycles[0].high") > log(10));
  CHECK(ness_doc_number(doc, "bayes.cycles[0].below_zero") < 1e-6);
  CHECK_REL(ness_doc_number(doc, "bayes.cycles[0].sd"), ness_doc_number(doc, "cycles[0].affinity_error"), 0.02);
  ness_doc_free(doc);
  network_free(net);
  unlink(path);
}

int main(void)
{
  functions();
  closed_forms();
  moments();
  chapter();
  return check_done();
}
