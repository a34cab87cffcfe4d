/* Errors of sampled values: over 300 seeds the jackknife error of Poisson fluxes, of a difference, of a ratio and of a
 * mean is held against the variance known in closed form, and z = (estimate - truth)/error against Student's law. Seeds
 * are fixed, so a pass is a pass for good; for a fresh draw each bound below is at 5 standard deviations, a false alarm
 * in 2 million, some 20 bounds together: 1 in 10^5. */
#include "lang_sample.h"

enum { SEEDS = 300 };

typedef struct moments {
  double z, z2, error2;
  int beyond; /* |z| > 2 */
} moments;

static void take(moments *m, const estimate *e, double truth)
{
  const double z = (e->value.value - truth) / e->error;
  m->z += z / SEEDS;
  m->z2 += z * z / SEEDS;
  m->error2 += e->error * e->error / SEEDS;
  m->beyond += fabs(z) > 2;
}

/* With b batches error^2 is variance * chi^2(b - 1)/(b - 1) and z is Student's t with b - 1 degrees of freedom. */
static void hold(const char *name, const moments *m, double variance, int batches, double bias)
{
  const double f = batches - 1, sd = sqrt(1. / SEEDS);
  const double z2 = f / (f - 2), z4 = 3 * f * f / ((f - 2) * (f - 4));
  const double p2 = batches == 64 ? 0.0498 : 0.0640; /* P(|t| > 2) for 63 and 15 degrees of freedom */
  if (!(fabs(m->error2 / variance - 1) <= 5 * sqrt(2 / f) * sd + bias))
    fprintf(stderr, "%s: variance %g, expected %g\n", name, m->error2, variance);
  CHECK(fabs(m->error2 / variance - 1) <= 5 * sqrt(2 / f) * sd + bias);
  CHECK(fabs(m->z) <= 5 * sqrt(z2) * sd + bias);
  CHECK(fabs(m->z2 - z2) <= 5 * sqrt(z4 - z2 * z2) * sd + 2 * bias);
  CHECK(fabs(m->beyond - p2 * SEEDS) <= 5 * sqrt(p2 * SEEDS));
}

static void run(int64_t replicas, int batches)
{
  /* a and b are Poisson streams; C is a copy that flips, at equilibrium from the start in the mean over the warmup. */
  ness_model *const m = sample_model(NATURAL "species X = 0, Y = 0, C = 1, D = 0\na: 0 -> X @ 3\nb: 0 -> Y @ 2\n"
                                             "c: C <-> D @ 1, 3\nobserve J = rate(a) - 2*rate(b)\n");
  if (!m) return;
  static const char *const texts[] = {"rate(a)", "rate(a) - rate(b)", "rate(a)/rate(b)",
                                      "J",       "mean(C)",           "rate(a) - forward(a)"};
  enum { N = sizeof texts / sizeof *texts };
  expr *node[N];
  moments of[N] = {0};
  const double time = 20;
  ness_diags *const diags = ness_diags_create();
  for (int i = 0; i < N; i++) CHECK(lang_parse_expression(m->file, texts[i], diags, &node[i]) == NESS_OK);
  /* var of the time average of a two-state copy: p q 2 tau/T (1 - tau/T (1 - exp(-T/tau))), tau = 1/4, p = 3/4 */
  const double tau = 0.25, total = (double)replicas * time;
  const double flip = 0.75 * 0.25 * 2 * tau / time * (1 - tau / time * (1 - exp(-time / tau))) / (double)replicas;
  const double truth[N] = {3, 1, 1.5, -1, 0.75, 0};
  const double variance[N] = {3 / total, 5 / total, 2.25 * (1 / (3 * total) + 1 / (2 * total)), 11 / total, flip, 0};
  for (int seed = 0; seed < SEEDS; seed++) {
    const ness_simulate_options options = {
        .struct_size = sizeof options, .replicas = replicas, .time = time + 5, .warmup = 5, .seed = (uint64_t)seed};
    ssa_result sample = {0};
    CHECK(ssa_ensemble(sample_network(m), &options, "", "", diags, &sample) == NESS_OK && sample.batches == batches);
    values v = {.model = m->compiled, .sample = &sample, .left_out = -1};
    for (int i = 0; i < N; i++) {
      estimate e;
      CHECK(values_estimate(&v, node[i], diags, &e) && e.batches == batches);
      if (i == N - 1) CHECK(e.value.value == 0 && e.error == 0); /* the same numbers: correlations are in the error */
      else take(&of[i], &e, truth[i]);
      estimate_free(&e);
    }
    values_free(&v);
    ssa_result_free(&sample);
  }
  /* A ratio is biased by variance/mean^2, in units of its error too: some parts in `total`. */
  for (int i = 0; i < N - 1; i++) hold(texts[i], &of[i], variance[i], batches, i == 2 ? 20 / total : 0);
  ness_diags_free(diags);
  ness_model_free(m);
}

/* The estimate with its jackknife, by hand from the sums of the batches. */
static void test_by_hand(void)
{
  ness_model *const m = sample_model(NATURAL "species X = 0, Y = 0\na: 0 -> X @ 3\nb: 0 -> Y @ 2\n");
  ness_diags *const diags = ness_diags_create();
  const ness_simulate_options options = {.struct_size = sizeof options, .replicas = 100, .time = 7, .seed = 5};
  ssa_result s = {0};
  expr *node;
  estimate e;
  if (!m) return;
  CHECK(ssa_ensemble(sample_network(m), &options, "", "", diags, &s) == NESS_OK && s.batches == 64);
  CHECK(lang_parse_expression(m->file, "ln(rate(a))*mean(Y)/rate(b)", diags, &node) == NESS_OK);
  values v = {.model = m->compiled, .sample = &s, .left_out = -1};
  CHECK(values_estimate(&v, node, diags, &e));
  double mean = 0, square = 0, left[64], time = 0;
  for (int b = 0; b < 64; b++) time += s.counted[b];
  CHECK_NEAR(time, 700, 1e-12);
  for (int out = 0; out < 65; out++) {
    double a = 0, y = 0, n = 0, t = 0;
    for (int b = 0; b < 64; b++) {
      if (b == out) continue;
      t += s.counted[b], a += s.fwd[2 * b], n += s.fwd[2 * b + 1], y += s.dwell[2 * b + 1];
    }
    const double value = log(a / t) * (y / t) / (n / t);
    if (out < 64) left[out] = value, mean += value / 64;
    else CHECK_REL(e.value.value, value, 1e-13);
  }
  for (int b = 0; b < 64; b++) {
    square += (left[b] - mean) * (left[b] - mean);
    CHECK_REL(e.without[b], left[b], 1e-13);
  }
  CHECK_REL(e.error, sqrt(square * 63 / 64), 1e-10);
  estimate_free(&e);
  ssa_result_free(&s);
  ness_diags_free(diags);
  ness_model_free(m);
}

int main(void)
{
  run(64, 64);
  run(16, 16);
  test_by_hand();
  return check_done();
}
