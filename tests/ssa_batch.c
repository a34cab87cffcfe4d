/* The methods that take many events at once. Batch against exact laws: Poisson and binomial ones, master equations of
 * one count solved here by uniformisation, the gamma law of the time of an event; and against the direct method. Every
 * comparison has a fixed seed and would raise a false alarm with a probability of 1e-8 under a random one, all together
 * less than 1e-6; a law that is off by little must be noticed at that level. Tau against closed forms: its bias is
 * within the epsilon that it states, and shrinks with it. */
#include "check.h"
#include "engine/ssa/ssa.h"
#include "ssa_bytes.h"
#include "ssa_oracle.h"

#define ALARM 1e-8
#define ALARM_SIGMA 5.8 /* two-sided 1e-8 of the normal law */
#define STATES 4096

static ssa_pause run_to(ssa_replica *r, const ness_network *net, const ssa_kernel *kernel, double t)
{
  int32_t bad;
  ssa_pause pause = SSA_AT_EVENTS;
  while (pause == SSA_AT_EVENTS) {
    pause = ssa_advance(r, net, kernel, t, 0, NULL, &bad);
  }
  return pause;
}

/* --- laws of one count --- */

typedef struct line { /* a network that moves along one line of states */
  ness_network *net;
  int states;
  int64_t (*state)(const int64_t *n); /* from the counts */
  void (*rates)(int state, double *up, double *down);
} line;

/* The law at time t from state `start`, by uniformisation: the weights of Poisson's law from logarithms. */
static void line_law(const line *self, int start, double t, double scale, double *law)
{
  static double p[STATES], q[STATES], up[STATES], down[STATES];
  double fastest = 0;
  for (int i = 0; i < self->states; i++) {
    self->rates(i, &up[i], &down[i]);
    up[i] *= scale;
    fastest = fmax(fastest, up[i] + down[i]);
    p[i] = law[i] = 0;
  }
  p[start] = 1;
  const double mean = fastest * t, reach = 10 * sqrt(mean) + 40;
  for (int k = 0; k < mean + reach; k++) {
    const double weight = k > mean - reach ? exp(k * log(mean) - mean - lgamma(k + 1.0)) : 0;
    for (int i = 0; i < self->states; i++) {
      law[i] += weight * p[i];
      q[i] = p[i] * (1 - (up[i] + down[i]) / fastest) + (i > 0 ? p[i - 1] * up[i - 1] / fastest : 0) +
             (i + 1 < self->states ? p[i + 1] * down[i + 1] / fastest : 0);
    }
    memcpy(p, q, sizeof p);
  }
}

/* States at t, and how many events a draw of the generator has made: leaps make many. */
static double line_sample(const line *self, const char *method, double t, int samples, int64_t *seen)
{
  const ssa_kernel *const kernel = ssa_kernel_find(method, self->net);
  ssa_replica r;
  double events = 0, draws = 0;
  memset(seen, 0, STATES * sizeof *seen);
  CHECK(ssa_replica_init(&r, self->net, kernel) == NESS_OK);
  for (int i = 0; i < samples; i++) {
    ssa_replica_start(&r, self->net, kernel, 20260301, i);
    rng_stream stream = r.rng;
    run_to(&r, self->net, kernel, t);
    const int64_t state = self->state(r.n);
    CHECK(state >= 0 && state < self->states);
    seen[state]++;
    for (int64_t k = 0; i < 20 && k < 2 * r.events && (stream.lo != r.rng.lo || stream.hi != r.rng.hi); k++) {
      rng_next(&stream);
      draws++;
    }
    events += i < 20 ? (double)r.events : 0;
  }
  ssa_replica_free(&r);
  return events / draws;
}

static void line_check(line self, int start, double t, int samples)
{
  static int64_t seen[STATES];
  static double law[STATES], off[STATES];
  const double made = line_sample(&self, "batch", t, samples, seen);
  line_law(&self, start, t, 1, law);
  line_law(&self, start, t, 1.03, off);
  for (int i = 0; i < self.states; i++) {
    law[i] *= samples;
    off[i] *= samples;
  }
  CHECK(made > 0.6); /* the direct method makes half of one */
  CHECK(chi_one(seen, law, self.states) > ALARM);
  CHECK(chi_one(seen, off, self.states) < ALARM); /* one of the rates 3 % off */
  network_free(self.net);
}

static int64_t state_first(const int64_t *n)
{
  return n[0];
}
static int64_t state_second(const int64_t *n)
{
  return n[1];
}

/* 2 A <-> D from 2001 A: an odd one is always left. The state is D. */
static void rates_dimer(int d, double *up, double *down)
{
  const double a = 2001 - 2.0 * d;
  *up = a > 1 ? 0.001 * a * (a - 1) : 0;
  *down = 0.5 * d;
}

static ness_network *net_dimer(int64_t monomers, double k)
{
  const net_slot slots[] = {{"A", monomers, 0}, {"D", 0, 0}};
  const net_step steps[] = {{"pair", k, 0.5, 2, {0, 0}, 1, {1}}};
  return net_make("dimer", 2, slots, 1, steps);
}

/* Births up to a limit: Erlang's loss system. */
static void rates_limit(int x, double *up, double *down)
{
  *up = x < 1000 ? 980 : 0;
  *down = x;
}

static ness_network *net_limit(void)
{
  const net_slot slots[] = {{"X", 900, 1000}};
  const net_step steps[] = {{"turnover", 980, 1, 0, {0}, 1, {0}}};
  return net_make("limit", 1, slots, 1, steps);
}

/* Schloegl's reaction in three times the usual volume, with both reservoirs in the constants. */
static void rates_schlogl(int x, double *up, double *down)
{
  const double n = x;
  *up = x < 3600 ? 0.005 * n * (n - 1) + 600 : 0;
  *down = 1e-4 / 54 * n * (n - 1) * (n - 2) + 3.5 * n;
}

static ness_network *net_schlogl(void)
{
  const net_slot slots[] = {{"X", 1200, 3600}};
  const net_step steps[] = {{"grow", 0.005, 1e-4 / 54, 2, {0, 0}, 3, {0, 0, 0}}, {"feed", 600, 3.5, 0, {0}, 1, {0}}};
  return net_make("schlogl", 1, slots, 2, steps);
}

/* A + E -> B + E, B -> A: a catalyst that never changes, and a binomial law. */
static void rates_catalyst(int b, double *up, double *down)
{
  *up = 3000.0 - b > 0 ? 0.01 * 100 * (3000 - b) : 0;
  *down = 0.7 * b;
}

static ness_network *net_catalyst(void)
{
  const net_slot slots[] = {{"A", 3000, 0}, {"B", 0, 0}, {"E", 100, 0}};
  const net_step steps[] = {{"turn", 0.01, 0, 2, {0, 2}, 2, {1, 2}}, {"back", 0.7, 0, 1, {1}, 1, {0}}};
  return net_make("catalyst", 3, slots, 2, steps);
}

static void laws(void)
{
  line_check((line){net_dimer(2001, 0.001), 1001, state_second, rates_dimer}, 0, 0.4, 10000);
  line_check((line){net_dimer(2001, 0.001), 1001, state_second, rates_dimer}, 0, 4, 10000);
  line_check((line){net_limit(), 1001, state_first, rates_limit}, 900, 2, 10000);
  line_check((line){net_schlogl(), 3601, state_first, rates_schlogl}, 1200, 0.4, 6000);
  line_check((line){net_catalyst(), 3001, state_second, rates_catalyst}, 0, 0.9, 10000);
}

/* From nothing the number at t is Poisson; the mean and the mean square over time have closed forms as well. */
static void birth_death(void)
{
  enum { SAMPLES = 20000 };
  const double birth = 2000, t = 1.5, mean = birth * (1 - exp(-t));
  ness_network *net = net_birth(birth, 1);
  const ssa_kernel *const kernel = ssa_kernel_find("batch", net);
  static int64_t seen[STATES];
  static double expected[STATES], off[STATES];
  double sum[2] = {0, 0}, square[2] = {0, 0};
  ssa_replica r;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  for (int i = 0; i < SAMPLES; i++) {
    ssa_replica_start(&r, net, kernel, 3, i);
    run_to(&r, net, kernel, t);
    ssa_settle(&r, net);
    CHECK(r.fwd[0] - r.bwd[0] == r.n[0] && r.events == r.fwd[0] + r.bwd[0]);
    CHECK_REL(r.counted, t, 1e-12);
    seen[r.n[0]]++;
    const double x[2] = {r.slot[0].dwell, r.slot[0].dwell2};
    for (int k = 0; k < 2; k++) {
      sum[k] += x[k];
      square[k] += x[k] * x[k];
    }
  }
  for (int i = 0; i < STATES; i++) {
    expected[i] = SAMPLES * exp(i * log(mean) - mean - lgamma(i + 1.0));
    off[i] = SAMPLES * exp(i * log(1.01 * mean) - 1.01 * mean - lgamma(i + 1.0));
  }
  CHECK(chi_one(seen, expected, STATES) > ALARM);
  CHECK(chi_one(seen, off, STATES) < ALARM);
  const double first = birth * (t - (1 - exp(-t)));
  const double second = birth * birth * (t - 2 * (1 - exp(-t)) + (1 - exp(-2 * t)) / 2) + first;
  const double exact[2] = {first, second};
  for (int k = 0; k < 2; k++) {
    const double m = sum[k] / SAMPLES, error = sqrt((square[k] / SAMPLES - m * m) / SAMPLES);
    CHECK(fabs(m - exact[k]) < ALARM_SIGMA * error);
    CHECK(error < 5e-4 * exact[k]);
  }
  ssa_replica_free(&r);
  network_free(net);
}

/* --- ends --- */

/* 2 A -> 0 comes to its end with one or none left, at a time like any other. */
static void absorbing(void)
{
  for (int odd = 0; odd < 2; odd++) {
    const net_slot slots[] = {{"A", 100000 + odd, 0}};
    const net_step steps[] = {{"pair", 0.01, 0, 2, {0, 0}, 0, {0}}};
    ness_network *net = net_make("pairs", 1, slots, 1, steps);
    const ssa_kernel *const kernel = ssa_kernel_find(odd ? "batch" : "tau", net);
    ssa_replica r;
    CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
    for (int i = 0; i < 50; i++) {
      ssa_replica_start(&r, net, kernel, 9, i);
      CHECK(run_to(&r, net, kernel, INFINITY) == SSA_ABSORBED);
      CHECK(r.n[0] == odd && r.fwd[0] == 50000 && r.events == 50000 && r.t < INFINITY);
    }
    ssa_replica_free(&r);
    network_free(net);
  }
}

/* A limit of events holds exactly, and the time of the last one has the gamma law. */
static void events_limit(void)
{
  enum { SAMPLES = 4000, EVENTS = 3001 };
  const net_slot slots[] = {{"X", 0, 0}};
  const net_step steps[] = {{"birth", 50, 0, 0, {0}, 1, {0}}};
  ness_network *net = net_make("births", 1, slots, 1, steps);
  static const char *const methods[] = {"batch", "tau"};
  for (int m = 0; m < 2; m++) {
    const ssa_kernel *const kernel = ssa_kernel_find(methods[m], net);
    ssa_replica r;
    double sum = 0, square = 0;
    CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
    for (int i = 0; i < SAMPLES; i++) {
      ssa_replica_start(&r, net, kernel, 4, i);
      int32_t bad;
      while (r.events < EVENTS) {
        CHECK(ssa_advance(&r, net, kernel, INFINITY, EVENTS - r.events, NULL, &bad) == SSA_AT_EVENTS);
      }
      CHECK(r.events == EVENTS && r.n[0] == EVENTS);
      sum += r.t / EVENTS * 50 - 1;
      square += pow(r.t / EVENTS * 50 - 1, 2);
    }
    CHECK(fabs(sum) < ALARM_SIGMA * sqrt((double)SAMPLES / EVENTS));
    CHECK(fabs(square * EVENTS / SAMPLES - 1) < ALARM_SIGMA * sqrt(2.0 / SAMPLES) * 1.1);
    ssa_replica_free(&r);
  }
  network_free(net);
}

/* --- against the direct method --- */

enum { WATCHED = 8, TIMES = 3, PAIRS = 400 };

typedef struct moments {
  double sum[WATCHED], product[WATCHED][WATCHED];
} moments;

/* Counts, events and integrals of decaying dimers (job d of bench_ssa) at three times. */
static void dimers_sample(const ness_network *net, const char *method, double fault, moments *out)
{
  const ssa_kernel *const kernel = ssa_kernel_find(method, net);
  ssa_replica r;
  memset(out, 0, TIMES * sizeof *out);
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  for (int i = 0; i < PAIRS; i++) {
    ssa_replica_start(&r, net, kernel, strcmp(method, "direct") == 0, i);
    for (int k = 0; k < TIMES; k++) {
      run_to(&r, net, kernel, (k + 1) * 0.25 * fault);
      ssa_settle(&r, net);
      const double x[WATCHED] = {(double)r.n[0],   (double)r.n[1],  (double)r.n[2],  (double)r.fwd[1],
                                 (double)r.fwd[2], r.slot[0].dwell, r.slot[1].dwell, r.slot[1].dwell2};
      CHECK(r.n[0] + 2 * (r.n[1] + r.n[2]) == 30000 - r.fwd[0]);
      for (int a = 0; a < WATCHED; a++) {
        out[k].sum[a] += x[a];
        for (int b = 0; b < WATCHED; b++) out[k].product[a][b] += x[a] * x[b];
      }
    }
  }
  ssa_replica_free(&r);
}

static double covariance(const moments *m, int a, int b)
{
  return (m->product[a][b] - m->sum[a] * m->sum[b] / PAIRS) / (PAIRS - 1);
}

/* The largest difference of means, and of variances and correlations, in standard errors. */
static void moments_compare(const moments *x, const moments *y, double *means, double *spreads)
{
  *means = *spreads = 0;
  for (int a = 0; a < WATCHED; a++) {
    const double vx = covariance(x, a, a), vy = covariance(y, a, a);
    *means = fmax(*means, fabs(x->sum[a] - y->sum[a]) / PAIRS / sqrt((vx + vy) / PAIRS));
    *spreads = fmax(*spreads, fabs(log(vx / vy)) / sqrt(4.0 / (PAIRS - 1)));
    for (int b = 0; b < a; b++) {
      const double rx = covariance(x, a, b) / sqrt(vx * covariance(x, b, b));
      const double ry = covariance(y, a, b) / sqrt(vy * covariance(y, b, b));
      *spreads = fmax(*spreads, fabs(atanh(rx) - atanh(ry)) / sqrt(2.0 / (PAIRS - 3)));
    }
  }
}

static void dimers(void)
{
  const net_slot slots[] = {{"A", 30000, 0}, {"D", 0, 0}, {"E", 0, 0}};
  const net_step steps[] = {{"loss", 1, 0, 1, {0}, 0, {0}},
                            {"pair", 0.003, 0, 2, {0, 0}, 1, {1}},
                            {"part", 0.5, 0, 1, {1}, 2, {0, 0}},
                            {"turn", 0.04, 0, 1, {1}, 1, {2}}};
  ness_network *net = net_make("dimers", 3, slots, 4, steps);
  static moments batch[TIMES], direct[TIMES], late[TIMES];
  double means, spreads;
  dimers_sample(net, "batch", 1, batch);
  dimers_sample(net, "direct", 1, direct);
  dimers_sample(net, "direct", 1.01, late);
  for (int k = 0; k < TIMES; k++) {
    moments_compare(&batch[k], &direct[k], &means, &spreads);
    CHECK(means < ALARM_SIGMA);
    CHECK(spreads < ALARM_SIGMA + 0.5); /* of 36, not all normal to the last */
    moments_compare(&batch[k], &late[k], &means, &spreads);
    CHECK(means > ALARM_SIGMA); /* 1 % later */
  }
  network_free(net);
}

/* --- ensembles --- */

static void resume(const char *method, const char *level)
{
  ness_network *net = net_dimer(40000, 2e-4);
  bytes_repeat(net, (ness_simulate_options){.replicas = 5,
                                            .time = 40,
                                            .warmup = 1,
                                            .seed = 2,
                                            .method = method,
                                            .level = level,
                                            .window = strcmp(level, "flux") == 0 ? 1e-3 : 0});
  network_free(net);
}

/* Many cuts leave the law as it is: the stationary law of births and deaths at many times. */
static void cuts(const char *method, double bias)
{
  ness_network *net = net_birth(2000, 1);
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .replicas = 2048,
                                         .time = 7,
                                         .warmup = 6,
                                         .every = 0.003,
                                         .level = "summary",
                                         .method = method};
  ssa_result result;
  double mean = 0, square = 0, flow = 0, area = 0, error = 0;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &result) == NESS_OK);
  CHECK(result.ngrid == 333 && strcmp(result.method, method) == 0);
  CHECK((result.epsilon > 0) == (strcmp(method, "tau") == 0));
  const double n = 2048, start = 2000 * (1 - exp(-6)), end = 2000 * (1 - exp(-6.999));
  const double expected = 2000 - (2000 - start) * (1 - exp(-1));
  for (int32_t b = 0; b < result.batches; b++) {
    const int32_t last = b * result.ngrid + result.ngrid - 1;
    mean += result.grid_sum[last] / n;
    square += result.grid_sum2[last] / n;
    flow += result.bwd[b];
    area += result.dwell[b];
    error += pow(result.dwell[b] / result.counted[b] - expected, 2);
  }
  const double variance = square - mean * mean;
  CHECK(fabs(mean - end) < ALARM_SIGMA * sqrt(end / n) + bias * end);
  CHECK(fabs(variance / end - 1) < ALARM_SIGMA * sqrt(2.0 / n) + bias);
  CHECK(fabs(area / n - expected) < ALARM_SIGMA * sqrt(error) / 64 + bias * expected);
  CHECK(fabs(flow - area) < ALARM_SIGMA * sqrt(flow) + bias * flow); /* deaths come at the rate of the count */
  ssa_result_free(&result);
  network_free(net);
}

static void refused(void)
{
  ness_network *const tape = net_tape(3), *const birth = net_birth(10, 1);
  static const struct {
    const char *method, *level, *says;
    double epsilon;
    int tape;
  } table[] = {{"batch", "events", "no times of events", 0, 0},
               {"tau", "events", "no times of events", 0, 0},
               {"batch", "flux", "step enzyme", 0, 1},
               {"tau", "flux", "step enzyme", 0, 1},
               {"tau", "flux", "epsilon", 1, 0},
               {"batch", "flux", "epsilon", 0.1, 0},
               {NULL, "flux", "epsilon", 0.1, 0}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    const ness_simulate_options options = {.struct_size = sizeof options,
                                           .time = 1,
                                           .method = table[i].method,
                                           .level = table[i].level,
                                           .epsilon = table[i].epsilon};
    ness_diags *const diags = ness_diags_create();
    CHECK(ssa_ensemble(table[i].tape ? tape : birth, &options, NULL, NULL, diags, NULL) == NESS_USAGE);
    CHECK(ness_diags_count(diags, NULL) == 1 && strstr(ness_diags_get(diags, 0)->message, table[i].says));
    ness_diags_free(diags);
  }
  network_free(tape);
  network_free(birth);
}

/* --- tau --- */

/* The mean of a count at t, its standard error in *error. */
static double tau_mean(const ness_network *net, int slot, double t, double epsilon, int samples, double *error)
{
  const ssa_kernel *const kernel = ssa_kernel_find("tau", net);
  ssa_replica r;
  double sum = 0, square = 0;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  r.epsilon = epsilon;
  for (int i = 0; i < samples; i++) {
    ssa_replica_start(&r, net, kernel, 5, i);
    run_to(&r, net, kernel, t);
    const double x = (double)r.n[slot] - (double)net->slot_start[slot]; /* keeps the digits */
    sum += x / samples;
    square += x * x / samples;
  }
  ssa_replica_free(&r);
  *error = sqrt((square - sum * sum) / (samples - 1));
  return sum + (double)net->slot_start[slot];
}

static void tau_bias(ness_network *net, int slot, double t, double exact, double scale)
{
  double error, bias[2];
  const double epsilon[2] = {0.2, SSA_EPSILON};
  for (int k = 0; k < 2; k++) {
    bias[k] = fabs(tau_mean(net, slot, t, epsilon[k], 400, &error) - exact);
    CHECK(bias[k] < epsilon[k] * scale);
    CHECK(5 * error < SSA_EPSILON * scale);
  }
  CHECK(bias[1] < bias[0] / 3 + ALARM_SIGMA * error);
  CHECK(bias[0] > ALARM_SIGMA * error); /* or nothing would shrink */
  network_free(net);
}

static void tau(void)
{
  const net_slot decay[] = {{"A", 1000000, 0}};
  const net_step loss[] = {{"loss", 1, 0, 1, {0}, 0, {0}}};
  tau_bias(net_make("decay", 1, decay, 1, loss), 0, 1, 1e6 * exp(-1), 1e6);
  tau_bias(net_birth(1e6, 1), 0, 1, 1e6 * (1 - exp(-1)), 1e6);
  /* 2 A -> 0 at n(n-1)/n0: of so many the mean is that of the rate equation, but for 1e-6 of n0. */
  const net_slot many[] = {{"A", 1000000, 0}};
  const net_step pair[] = {{"pair", 1e-6, 0, 2, {0, 0}, 0, {0}}};
  tau_bias(net_make("pairs", 1, many, 1, pair), 0, 1, 1e6 / 3, 1e6);
}

int main(void)
{
  laws();
  birth_death();
  absorbing();
  events_limit();
  dimers();
  resume("batch", "flux");
  resume("batch", "summary");
  resume("tau", "flux");
  cuts("batch", 0);
  cuts("tau", SSA_EPSILON);
  refused();
  tau();
  return check_done();
}
