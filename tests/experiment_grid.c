/* mean_at, var_at, slope and r2: from sums written here, against the textbook formulas done by hand, and from samples
 * of birth and of death, whose mean and variance are known at every time. */
#include "lang_sample.h"

static double ask(values *v, ness_model *m, const char *text, double *error)
{
  ness_diags *const diags = ness_diags_create();
  expr *node;
  estimate e = {0};
  double out = NAN;
  if (lang_parse_expression(m->file, text, diags, &node) == NESS_OK && values_estimate(v, node, diags, &e))
    out = e.value.value;
  if (error) *error = e.error;
  estimate_free(&e);
  ness_diags_free(diags);
  return out;
}

/* Three batches, four times, two slots; replicas 2, 1, 2. The counts of the five replicas are written out. */
static void test_by_hand(void)
{
  static const double counts[5][4][2] = {{{1, 0}, {3, 5}, {4, 5}, {9, 2}},
                                         {{2, 1}, {2, 4}, {6, 6}, {7, 2}},
                                         {{0, 7}, {4, 4}, {5, 4}, {8, 0}},
                                         {{1, 1}, {1, 1}, {7, 1}, {8, 1}},
                                         {{3, 0}, {5, 6}, {2, 3}, {11, 3}}};
  static const int batch[5] = {0, 0, 1, 2, 2};
  double time[4] = {0.5, 1, 1.5, 2}, sum[3 * 4 * 2] = {0}, sum2[3 * 4 * 2] = {0}, counted[3] = {4, 2, 4};
  double zero[6] = {0};
  int64_t replicas[3 * 4] = {0};
  for (int r = 0; r < 5; r++) {
    for (int t = 0; t < 4; t++) {
      const int row = batch[r] * 4 + t;
      replicas[row]++;
      for (int s = 0; s < 2; s++)
        sum[2 * row + s] += counts[r][t][s], sum2[2 * row + s] += counts[r][t][s] * counts[r][t][s];
    }
  }
  ssa_result sample = {.batches = 3,
                       .replicas = 5,
                       .counted = counted,
                       .fwd = zero,
                       .bwd = zero,
                       .dwell = zero,
                       .dwell2 = zero,
                       .tape_entropy = zero,
                       .free_energy = zero,
                       .ngrid = 4,
                       .grid_time = time,
                       .grid_batches = 3,
                       .grid_replicas = replicas,
                       .grid_sum = sum,
                       .grid_sum2 = sum2};
  ness_model *const m = sample_model(NATURAL "species A = 1, B = 0\nr: A <-> B @ 1, 1\n");
  if (!m) return;
  values v = {.model = m->compiled, .sample = &sample, .left_out = -1};
  double error;
  static const char *const names[] = {"A", "B"};
  for (int s = 0; s < 2; s++) {
    double mean[4], all[4][3];
    for (int t = 0; t < 4; t++) {
      char text[60];
      double var = 0;
      mean[t] = 0;
      for (int r = 0; r < 5; r++) mean[t] += counts[r][t][s] / 5;
      for (int r = 0; r < 5; r++) var += (counts[r][t][s] - mean[t]) * (counts[r][t][s] - mean[t]) / 4;
      snprintf(text, sizeof text, "mean_at(%s, %g)", names[s], time[t]);
      CHECK_NEAR(ask(&v, m, text, &error), mean[t], 1e-14);
      /* The error from the three means without a batch. */
      double middle = 0, square = 0;
      for (int b = 0; b < 3; b++) {
        double n = 0;
        all[t][b] = 0;
        for (int r = 0; r < 5; r++) {
          if (batch[r] != b) all[t][b] += counts[r][t][s], n++;
        }
        all[t][b] /= n;
        middle += all[t][b] / 3;
      }
      for (int b = 0; b < 3; b++) square += (all[t][b] - middle) * (all[t][b] - middle);
      CHECK_NEAR(error, sqrt(square * 2 / 3), 1e-13);
      snprintf(text, sizeof text, "var_at(%s, %g)", names[s], time[t]);
      CHECK_NEAR(ask(&v, m, text, NULL), var, 1e-13);
    }
    /* The line through (0.5, 1, 1.5, 2): deviations -0.75, -0.25, 0.25, 0.75. */
    const double slope = (-0.75 * mean[0] - 0.25 * mean[1] + 0.25 * mean[2] + 0.75 * mean[3]) / 1.25;
    double rest = 0, total = 0, middle = (mean[0] + mean[1] + mean[2] + mean[3]) / 4;
    for (int t = 0; t < 4; t++) {
      const double on = middle + slope * (time[t] - 1.25);
      rest += (mean[t] - on) * (mean[t] - on);
      total += (mean[t] - middle) * (mean[t] - middle);
    }
    char text[60];
    snprintf(text, sizeof text, "slope(%s)", names[s]);
    CHECK_NEAR(ask(&v, m, text, NULL), slope, 1e-13);
    snprintf(text, sizeof text, "r2(%s)", names[s]);
    CHECK_NEAR(ask(&v, m, text, NULL), 1 - rest / total, 1e-13);
  }
  ness_model_free(m);
}

/* Exact values that an experiment holds: birth n ~ Poisson(kt), death n ~ Binomial(N, exp(-kt)). Errors are 1 to 2
 * percent; 21 comparisons at 5 sigma: a false alarm in 10^5 fresh seeds, none with this one. */
static void test_laws(void)
{
  ness_status status;
  ness_doc *const doc = sample_test(
      NATURAL
      "param k = 3, N = 50, d = 0.4\nspecies X = 0, Y = N\nb: 0 -> X @ k\nd: Y -> 0 @ d\nexperiment e {\n"
      " simulate replicas 2000, time 4, every 0.5, seed 7\n"
      " expect mean_at(X, 0.5) ~ k*0.5 within 5 sigma\n expect mean_at(X, 2) ~ k*2 within 5 sigma\n"
      " expect mean_at(X, 4) ~ k*4 within 5 sigma\n expect var_at(X, 0.5) ~ k*0.5 within 5 sigma\n"
      " expect var_at(X, 4) ~ k*4 within 5 sigma\n expect slope(X) ~ k within 5 sigma\n expect slope(X) ~ k +- 0.1\n"
      " expect r2(X) > 0.999\n expect mean_at(Y, 1) ~ N*exp(-d) within 5 sigma\n"
      " expect mean_at(Y, 3.5) ~ N*exp(-d*3.5) within 5 sigma\n"
      " expect var_at(Y, 1) ~ N*exp(-d)*(1 - exp(-d)) within 5 sigma\n expect slope(Y) < -5\n expect r2(Y) < 0.99\n"
      " expect r2(Y) > 0.9\n expect slope(X)/k ~ mean_at(X, 4)/(4*k) within 5 sigma\n"
      /* grid times are those of the replica, warmup included */
      " simulate replicas 2000, time 5, warmup 3, every 1, seed 8\n expect mean_at(X, 4) ~ 4*k within 5 sigma\n"
      " expect mean_at(X, 5) ~ 5*k within 5 sigma\n expect var_at(X, 5) ~ 5*k within 5 sigma\n"
      " expect slope(X) ~ k within 5 sigma\n"
      /* planted: 5 percent off is caught */
      " expect mean_at(X, 5) ~ 5*k*1.05 within 5 sigma\n expect slope(X) ~ k*1.2 within 5 sigma\n"
      " expect var_at(X, 5) ~ 5*k*1.25 within 5 sigma\n}\n",
      false, &status, NULL);
  CHECK(status == NESS_EXPECT && doc);
  const int n = doc ? ness_doc_count(doc, "expectations") : 0;
  CHECK(n == 22);
  for (int i = 0; i < n; i++) {
    char path[60];
    snprintf(path, sizeof path, "expectations[%d].holds", i);
    const char *const holds = ness_doc_string(doc, path);
    snprintf(path, sizeof path, "expectations[%d].expect", i);
    if (strcmp(holds, i < 19 ? "yes" : "NO") != 0) fprintf(stderr, "%s: %s\n", ness_doc_string(doc, path), holds);
    CHECK_STR(holds, i < 19 ? "yes" : "NO");
  }
  ness_doc_free(doc);
}

int main(void)
{
  test_by_hand();
  test_laws();
  return check_done();
}
