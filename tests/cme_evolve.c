/* Moments in time against closed forms: copies from several slots (binomial), copies that reservoirs make (Poisson plus
 * binomial), enumerated parts, rates; the end against the steady state. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/evolve.h"

static evolution run(const ness_network *net, const double *times, int32_t n)
{
  evolution e;
  ness_diags *diags = ness_diags_create();
  CHECK(evolve_run(net, NULL, NULL, times, n, diags, &e) == NESS_OK);
  ness_diags_free(diags);
  return e;
}

/* A <-> B with 7 copies in A and 5 in B. */
static void check_copies(void)
{
  const double times[4] = {0, 0.1, 0.7, 50}, k = 2, m = 3;
  network_builder *b = builder_create("pair", 0);
  const int32_t A = add_slot(b, "A", 7, MODEL_NO_MAX), B = add_slot(b, "B", 5, MODEL_NO_MAX);
  add_move(b, "r", A, B, k, m);
  ness_network *net = finish(b);
  evolution e = run(net, times, 4);
  for (int t = 0; t < 4; t++) {
    const double decay = exp(-(k + m) * times[t]);
    const double a = (m + k * decay) / (k + m), z = m / (k + m) * (1 - decay); /* in A from A, in A from B */
    CHECK_NEAR(e.mean[2 * t + A], 7 * a + 5 * z, 1e-10);
    CHECK_NEAR(e.mean[2 * t + B], 12 - (7 * a + 5 * z), 1e-10);
    CHECK_NEAR(e.var[2 * t + A], 7 * a * (1 - a) + 5 * z * (1 - z), 1e-9);
    CHECK_NEAR(e.dir_rate[2 * t], k * e.mean[2 * t + A], 1e-10);
  }
  evolve_free(&e);
  network_free(net);
}

/* 0 <-> X: 6 at the start decay, others come. */
static void check_open(void)
{
  const double times[4] = {0, 0.25, 1, 30}, in = 4, out = 0.5;
  network_builder *b = builder_create("tank", 0);
  const int32_t x = add_slot(b, "X", 6, MODEL_NO_MAX);
  add_move(b, "tap", -1, x, in, out);
  ness_network *net = finish(b);
  evolution e = run(net, times, 4);
  for (int t = 0; t < 4; t++) {
    const double left = exp(-out * times[t]), came = in / out * (1 - left);
    CHECK_NEAR(e.mean[t], 6 * left + came, 1e-9);
    CHECK_NEAR(e.var[t], 6 * left * (1 - left) + came, 1e-9);
    CHECK_REL(e.dir_rate[2 * t], in, 1e-14);
    CHECK_NEAR(e.dir_rate[2 * t + 1], out * e.mean[t], 1e-9);
  }
  evolve_free(&e);
  network_free(net);
}

/* 2A <-> B, 20 at the start: against the sum over the matrix exponential's series by small steps is what
 * markov_transient does; here the ends: the derivative at 0 and the steady state. */
static void check_counts(void)
{
  const double times[3] = {0, 1e-6, 200};
  network_builder *b = builder_create("dimer", 0);
  const int32_t A = add_slot(b, "A", 20, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX), aa[2] = {A, A};
  add_step(b, "join", 2, aa, 1, &B, 0.1, 0.6);
  ness_network *net = finish(b);
  evolution e = run(net, times, 3);
  cme_solution s;
  solve(net, 0, &s);
  CHECK_NEAR(e.mean[A], 20, 0);
  CHECK_REL((e.mean[2 + B] - e.mean[B]) / 1e-6, 0.1 * 20 * 19, 1e-4);
  for (int i = 0; i < 2; i++) {
    CHECK_NEAR(e.mean[4 + i], s.mean[i], 1e-9);
    CHECK_NEAR(e.var[4 + i], s.var[i], 1e-8);
    CHECK_NEAR(e.dir_rate[4 + i], s.dir_rate[i], 1e-8);
  }
  cme_solution_free(&s);
  evolve_free(&e);
  network_free(net);
}

static void check_memory(void)
{
  const double times[2] = {0, 1};
  network_builder *b = builder_create("tank", 0);
  const int32_t x = add_slot(b, "X", 6, MODEL_NO_MAX), y = add_slot(b, "Y", 3, 10), yy[2] = {y, y};
  add_move(b, "tap", -1, x, 4, 1);
  add_step(b, "join", 2, yy, 1, yy, 1, 1);
  ness_network *net = finish(b);
  int failed = 0;
  for (int64_t n = 0; n < 10000; n++) {
    evolution e;
    mem_fail_after(n);
    const ness_status status = evolve_run(net, NULL, NULL, times, 2, NULL, &e);
    mem_fail_after(-1);
    if (status == NESS_OK) {
      evolve_free(&e);
      break;
    }
    CHECK(status == NESS_NOMEM && !e.mean);
    failed++;
  }
  CHECK(failed > 20);
  network_free(net);
}

int main(void)
{
  check_copies();
  check_open();
  check_counts();
  check_memory();
  return check_done();
}
