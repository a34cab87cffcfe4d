/* Inputs that are drawn (Ornstein-Uhlenbeck, shots) beside others, where nothing flows. A carrier whose voltage wanders
 * while a bath goes in steps, against the same with the voltage on 61 levels that flip, whose mean over a period the
 * master equation has (off by the square of their distance, 0.04 %, where errors are 0.3 % and more). A source that
 * both kinds feed, against the closed forms of mean and variance of a doubly stochastic Poisson process; two that
 * wander alike must not be one. The ledger closes on every trajectory; results do not depend on threads. Statistics: 40
 * of Student's law of 63 degrees at 7.6 deviations, a false alarm below 1e-7 all together under random seeds; the seeds
 * are fixed. Cost: 6 s. */
#include "moving_build.h"

#define LEVELS 61
#define REACH 4.5

/* --- a carrier, beside its grid --- */

static void wander_on_levels(char *text, size_t size, double mean, double sd, double tau)
{
  const double h = 2 * REACH / (LEVELS - 1);
  size_t at = (size_t)snprintf(text, size, "process V markov {\n");
  for (int32_t i = 0; i < LEVELS; i++)
    at += (size_t)snprintf(text + at, size - at, "level l%d = %.17g\n", (int)i, mean + sd * (h * i - REACH));
  for (int32_t i = 0; i + 1 < LEVELS; i++) {
    const double z = h * i - REACH, next = z + h;
    at += (size_t)snprintf(text + at, size - at, "l%d <-> l%d @ %.17g, %.17g\n", (int)i, (int)i + 1,
                           (1 / (h * h) - z / (2 * h)) / tau, (1 / (h * h) + next / (2 * h)) / tau);
  }
  snprintf(text + at, size - at, "}\n");
}

static void test_carrier(const char *beside, double tau, double sd)
{
  static char text[20000], levels[16000];
  wander_on_levels(levels, sizeof levels, 0.4, sd, tau);
  snprintf(text, sizeof text, "%s%s%s", CARRIER(STILL), levels, beside);
  ness_model *const grid = sample_model(text);
  snprintf(text, sizeof text, "%sprocess V ou(mean = 0.4, sd = %.17g, tau = %.17g)\n%s", CARRIER(STILL), sd, tau,
           beside);
  ness_model *const drawn = sample_model(text);
  if (!grid || !drawn) return;
  ness_diags *const diags = ness_diags_create();
  driven d;
  driven_steady rest = {0};
  moving_inputs inputs;
  CHECK(driven_create(grid->compiled, driven_input(grid->compiled, false), diags, &d) == NESS_OK);
  CHECK(driven_rest(&d, NULL, diags, &rest) == NESS_OK);
  complain(diags, beside);
  const double warmup = ceil(20 / d.period) * d.period;
  hybrid_result r = run_moving(
      drawn, (hybrid_options){.replicas = 64, .time = warmup + 600 * d.period, .warmup = warmup, .seed = 3}, &inputs);
  const ness_network *const net = lang_network(inputs.model), *const of = d.net;
  const int32_t sources = network_sources(net);
  double error, value;
  CHECK(inputs.ninput == 2);
  for (int32_t s = 0; s < net->nstep; s++) { /* the grid has a step for every level in its place */
    const char *const name = network_text(net, net->step_name[s]);
    const size_t length = strlen(name);
    double forth = 0, back = 0;
    for (int32_t i = 0; i < of->nstep; i++) {
      const char *const other = network_text(of, of->step_name[i]);
      if (strncmp(other, name, length) != 0 || (other[length] && other[length] != ' ')) continue;
      forth += rest.mean.dir_rate[2 * i];
      back += rest.mean.dir_rate[2 * i + 1];
    }
    value = rate_of(&r, r.fwd, net->nstep, s, &error);
    check_near(beside, name, value, hypot(error, 1e-4 * forth), forth);
    for (int32_t b = 0; b < r.batches; b++) r.fwd[b * net->nstep + s] -= r.bwd[b * net->nstep + s];
    value = rate_of(&r, r.fwd, net->nstep, s, &error);
    check_near(beside, name, value, hypot(error, 1e-4 * forth), forth - back);
    CHECK(error < 0.02 * forth);
  }
  for (int32_t i = 0; i < sources; i++) {
    for (int32_t k = 0; k < network_sources(of); k++) {
      if (strcmp(network_source_name(net, i), network_source_name(of, k)) != 0) continue;
      value = rate_of(&r, r.work, sources, i, &error);
      check_near(beside, network_source_name(net, i), value, error, rest.mean.source_work[k]);
    }
  }
  value = rate_of(&r, r.medium, 1, 0, &error);
  check_near(beside, "entropy", value, error, rest.mean.entropy);
  CHECK(value > 15 * error);
  printf("%s: entropy %.5g(%.1g) of %.5g, candidates %.2f an event\n", beside, value, error, rest.mean.entropy,
         (double)r.candidates / (double)r.events);
  CHECK((double)r.candidates < 4 * (double)r.events);
  check_closed(&r, &inputs, 1e-11);
  driven_steady_free(&rest);
  driven_free(&d);
  hybrid_result_free(&r);
  moving_free(&inputs);
  ness_model_free(grid);
  ness_model_free(drawn);
  ness_diags_free(diags);
}

/* --- a source that inputs feed --- */

#define SOURCE(rate, more) NATURAL "param u = 0, v = 0, w = 0\nspecies A = 0\nin: 0 <-> A @ " rate ", 1\n" more

/* Mean and variance of A in time, over batches. */
static void test_source(const char *text, double mean, double variance)
{
  ness_model *const m = sample_model(text);
  moving_inputs inputs;
  hybrid_result r = run_moving(m, (hybrid_options){.replicas = 64, .time = 2020, .warmup = 20, .seed = 11}, &inputs);
  const int32_t slots = lang_network(inputs.model)->nslot;
  double error, value = rate_of(&r, r.dwell, slots, 0, &error);
  check_near(text, "mean", value, error, mean);
  CHECK(error < 0.02 * mean);
  for (int32_t b = 0; b < r.batches; b++) /* of the exact mean, so that no batch is biased */
    r.dwell2[b * slots] += r.counted[b] * mean * mean - 2 * mean * r.dwell[b * slots];
  value = rate_of(&r, r.dwell2, slots, 0, &error);
  check_near(text, "variance", value, error, variance);
  CHECK(error < 0.05 * variance);
  printf("mean %.4g, variance %.4g(%.1g) of %.4g\n", mean, value, error, variance);
  hybrid_result_free(&r);
  moving_free(&inputs);
  ness_model_free(m);
}

/* What an input of variance s^2 and correlation time tau adds: A forgets at rate 1. */
static double filtered(double variance, double tau)
{
  return variance * tau / (1 + tau);
}

static void test_sources(void)
{
  const double shots = 2 * 2 * 0.5 * 1.5 / 2; /* jump^2 rate tau / 2 */
  test_source(
      SOURCE("u + v + w",
             "process u ou(mean = 12, sd = 1.2, tau = 0.7)\nprocess v shot(base = 1, jump = 2, rate = 0.5, tau = 1.5)\n"
             "process w sine(mean = 3, amplitude = 2, frequency = 0.25)\n"),
      12 + 1 + 1.5 + 3,
      17.5 + filtered(1.44, 0.7) + filtered(shots, 1.5) + 2 * 2 / 2 / (1 + pow(2 * acos(-1) * 0.25, 2)));
  /* falling jumps, and fast ones beside a slow square wave of mean 2 and deviation 1 */
  const double fast = 0.04 * 60 * 0.05 / 2;
  test_source(SOURCE("5 + u + v*1", "process u shot(base = 0, jump = -0.2, rate = 60, tau = 0.05)\n"
                                    "process v square(low = 1, high = 3, period = 40)\n"),
              5 - 0.6 + 2, 6.4 + filtered(fast, 0.05) + 1 - tanh(10) / 10);
}

/* Two that wander alike have streams of their own; the mean of their product is that of the means. */
static void test_apart(void)
{
  const path_spec wander = {.kind = PATH_OU, .sd = 1, .tau = 1};
  path_state one, two;
  path_start(&one, &wander, 4, 7, 0);
  path_start(&two, &wander, 4, 7, 1);
  CHECK(one.u != two.u);
  ness_model *const m = sample_model(
      SOURCE("u*v", "process u ou(mean = 10, sd = 1, tau = 0.2)\nprocess v ou(mean = 10, sd = 1, tau = 0.2)\n"));
  moving_inputs inputs;
  double error[2], value[2];
  uint64_t bits[2];
  for (int32_t k = 0; k < 2; k++) {
    hybrid_result r = run_moving(
        m, (hybrid_options){.replicas = 64, .time = 210, .warmup = 10, .seed = 4, .threads = k + 1}, &inputs);
    value[k] = rate_of(&r, r.fwd, lang_network(inputs.model)->nstep, 0, &error[k]);
    memcpy(&bits[k], &value[k], sizeof bits[k]);
    hybrid_result_free(&r);
    moving_free(&inputs);
  }
  check_near("apart", "product", value[0], error[0], 100);
  CHECK(fabs(value[0] - 101) > 4 * error[0]); /* what one stream for both would make it */
  CHECK(bits[0] == bits[1]);
  ness_model_free(m);
}

static void test_refused(void)
{
  static const struct {
    const char *text, *method, *words;
  } wrong[] = {
      {NATURAL "param u = 1\nvariable x = 0 within -9, 9\nx' = u - x\nspecies A = 1, B = 0\nr: A <-> B @ 1, 1\n"
               "process u ou(mean = 1, sd = 0.1, tau = 1)\n",
       NULL, "and so not beside what flows"},
      {NATURAL "param u = 1, v = 1\nspecies A = 1, B = 0\nr: A <-> B @ u, v\nat 2: A = 1\n"
               "process u ou(mean = 9, sd = 0.1, tau = 1)\nprocess v sine(mean = 2, amplitude = 1, frequency = 1)\n",
       NULL, "and so not beside events"},
      {NATURAL "param u = 1, v = 1\nspecies A = 1, B = 0\nr: A <-> B @ u, v\n"
               "process u ou(mean = 9, sd = 0.1, tau = 1)\nprocess v sine(mean = 2, amplitude = 1, frequency = 1)\n",
       "langevin", "and so not where steps are taken as their mean"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ness_model *const m = sample_model(wrong[i].text);
    ness_diags *const diags = ness_diags_create();
    const ness_simulate_options o = {.struct_size = sizeof o, .time = 1, .method = wrong[i].method};
    ness_doc *doc = NULL;
    CHECK(ness_simulate(m, &o, diags, &doc) == NESS_MODEL);
    CHECK(ness_diags_count(diags, NULL) > 0 && strstr(ness_diags_get(diags, 0)->message, wrong[i].words));
    ness_doc_free(doc);
    ness_diags_free(diags);
    ness_model_free(m);
  }
}

int main(void)
{
  test_carrier("process s square(low = 0.3, high = 3, period = 1.5)\n", 0.3, 1.2);
  test_carrier("process k sine(mean = 2, amplitude = 1.5, frequency = 0.4)\n", 3, 0.8);
  test_sources();
  test_apart();
  test_refused();
  return check_done();
}
