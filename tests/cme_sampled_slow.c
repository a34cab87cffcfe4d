/* The master equation against simulation, which share the network and nothing else, on 60 random reaction networks:
 * steady mean counts and net rates against ensembles of 64 batches, means in time against grid samples at three times,
 * and for ten networks the variance rate of a current against the counts in adjacent windows. Every distance is held
 * below 4.5 standard errors: 7e-6 for a normal number, 3e-5 for Student's t of 63 degrees of freedom, with 971
 * comparisons at most 3 percent false alarms under random seeds; seeds are fixed, so a pass is a pass for good. A rate
 * that is 3 percent off is noticed in all networks but three at most, a variance that is 20 percent off in all. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/evolve.h"
#include "engine/cme/noise.h"
#include "engine/markov/spectrum.h"
#include "engine/ssa/ssa.h"

enum { NETWORKS = 60, CURRENTS = 10, PAIRS = 20000, REST = 20, GRID = 3, REPLICAS = 4096 };

#define SIGMA 4.5

static double worst;
static int compared, planted, noticed;

static void near(const char *what, double value, double exact, double error)
{
  const double z = fabs(value - exact) / error;
  compared++;
  if (!(z <= SIGMA)) fprintf(stderr, "%s: %g, exact %g, error %g\n", what, value, exact, error);
  CHECK(z <= SIGMA);
  worst = fmax(worst, z);
}

/* The longest relaxation time of all parts, 0 when every state is for itself. */
static double relaxation(const cme_solution *s)
{
  double slow = 0;
  for (int32_t p = 0; p < s->nparts; p++) {
    spectrum modes;
    CHECK(spectrum_find(&s->parts[p].q, 0, false, &modes) == NESS_OK);
    for (int32_t i = 0; i < modes.count; i++) {
      if (modes.real[i] < 0) slow = fmax(slow, -1 / modes.real[i]);
    }
    spectrum_free(&modes);
  }
  return slow;
}

static double events_per_time(const ness_network *net, const cme_solution *s)
{
  double sum = 0;
  for (int32_t d = 0; d < 2 * net->nstep; d++) sum += s->dir_rate[d];
  return sum;
}

/* Mean and standard error of a ratio of sums over batches of equal time. */
static void batch_mean(const ssa_result *r, const double *plus, const double *minus, int32_t width, int32_t id,
                       double *mean, double *error)
{
  double sum = 0, square = 0;
  for (int32_t b = 0; b < r->batches; b++) {
    const int32_t at = b * width + id;
    const double x = (plus[at] - (minus ? minus[at] : 0)) / r->counted[b];
    sum += x / r->batches;
  }
  for (int32_t b = 0; b < r->batches; b++) {
    const int32_t at = b * width + id;
    const double x = (plus[at] - (minus ? minus[at] : 0)) / r->counted[b] - sum;
    square += x * x;
  }
  *mean = sum;
  *error = sqrt(square / r->batches / (r->batches - 1));
}

/* Counts that rarely change have batches that do not look normal, so an error of one event in all is allowed. */
static void compare_steady(const ness_network *net, const cme_solution *s, double slow, uint64_t seed)
{
  const double warmup = 25 * slow, rate = events_per_time(net, s);
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .replicas = REPLICAS,
                                         .warmup = warmup,
                                         .time = warmup + fmax(6 * slow, 500 / rate),
                                         .seed = seed,
                                         .level = "summary"};
  ssa_result r;
  CHECK(ssa_ensemble(net, &options, "", "", NULL, &r) == NESS_OK && r.batches == 64);
  const double total = REPLICAS * (options.time - warmup);
  double mean, error, off = 0;
  for (int32_t i = 0; i < net->nslot; i++) {
    batch_mean(&r, r.dwell, NULL, net->nslot, i, &mean, &error);
    near("mean", mean, s->mean[i], hypot(error, 1e-3 * slow / total) + 1e-12);
  }
  for (int32_t k = 0; k < net->nstep; k++) {
    batch_mean(&r, r.fwd, r.bwd, net->nstep, k, &mean, &error);
    near("net rate", mean, s->net_rate[k], hypot(error, 1 / total));
    batch_mean(&r, r.fwd, NULL, net->nstep, k, &mean, &error);
    if (error > 0) off = fmax(off, fabs(mean - 1.03 * s->dir_rate[2 * k]) / error);
  }
  noticed += off > SIGMA; /* 3 percent on the rate that is known best */
  ssa_result_free(&r);
}

static void compare_times(const ness_network *net, double slow, uint64_t seed)
{
  const double every = 0.4 * slow, times[GRID] = {every, 2 * every, 3 * every};
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .replicas = 8192,
                                         .time = 3 * every,
                                         .every = every,
                                         .seed = seed,
                                         .level = "summary"};
  ssa_result r;
  evolution e;
  CHECK(evolve_run(net, NULL, NULL, times, GRID, NULL, &e) == NESS_OK);
  CHECK(ssa_ensemble(net, &options, "", "", NULL, &r) == NESS_OK && r.ngrid == GRID);
  for (int32_t t = 0; t < GRID && r.ngrid == GRID; t++) {
    CHECK_REL(r.grid_time[t], times[t], 1e-12);
    for (int32_t i = 0; i < net->nslot; i++) {
      double n = 0, sum = 0;
      for (int32_t b = 0; b < r.grid_batches; b++) {
        n += (double)r.grid_replicas[b * GRID + t];
        sum += r.grid_sum[(b * GRID + t) * net->nslot + i];
      }
      const double exact = e.mean[t * net->nslot + i], var = e.var[t * net->nslot + i];
      CHECK(n == 8192);
      near("mean in time", sum / n, exact, sqrt(var / n) + 1 / n);
    }
  }
  evolve_free(&e);
  ssa_result_free(&r);
}

/* The events net of a step in a pair of adjacent windows. */
static void count_pairs(const ness_network *net, int32_t step, double slow, uint64_t seed, double (*x)[2])
{
  const ssa_kernel *const kernel = ssa_kernel_find("direct", net);
  ssa_replica r;
  int32_t bad;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  ssa_replica_start(&r, net, kernel, seed, 0);
  for (int i = 0; i < PAIRS; i++) {
    ssa_advance(&r, net, kernel, r.t + REST * slow, 0, NULL, &bad);
    for (int w = 0; w < 2; w++) {
      ssa_clear(&r, net);
      ssa_advance(&r, net, kernel, r.t + REST * slow, 0, NULL, &bad);
      x[i][w] = (double)(r.fwd[step] - r.bwd[step]);
    }
  }
  ssa_replica_free(&r);
}

/* Var N(T) = c T + b up to exp(-T/slow), so that c T = Var N(2T) - Var N(T) = Var N1 + 2 Cov(N1, N2) for adjacent
 * windows, without the part b of copies that only go back and forth. */
static bool compare_variance(const ness_network *net, const cme_solution *s, double slow, uint64_t seed)
{
  int32_t step = -1;
  for (int32_t k = 0; k < net->nstep; k++) {
    if (step < 0 || fabs(s->net_rate[k]) > fabs(s->net_rate[step])) step = k;
  }
  const double window = REST * slow;
  double *const weight = calloc(2 * (size_t)net->nstep, sizeof *weight);
  weight[2 * step] = 1, weight[2 * step + 1] = -1;
  noise exact = {0};
  const ness_status status = noise_cumulants(net, s, 1, weight, NULL, &exact);
  CHECK(status == NESS_OK || status == NESS_NUMERIC);
  free(weight);
  if (status || !(exact.cumulant[1] * window > 1)) { /* too few events for a normal law */
    noise_free(&exact);
    return false;
  }
  double(*const x)[2] = malloc(PAIRS * sizeof *x), mean = 0, sum = 0, square = 0;
  count_pairs(net, step, slow, seed, x);
  for (int i = 0; i < PAIRS; i++) mean += (x[i][0] + x[i][1]) / (2. * PAIRS);
  for (int i = 0; i < PAIRS; i++) {
    const double a = x[i][0] - mean, b = x[i][1] - mean, one = (a * a + b * b) / 2 + 2 * a * b;
    sum += one / PAIRS;
    square += one * one / PAIRS;
  }
  const double error = sqrt((square - sum * sum) / PAIRS);
  near("variance rate", sum, exact.cumulant[1] * window, error);
  near("current", mean, exact.cumulant[0] * window, sqrt(exact.cumulant[1] * window / (2. * PAIRS)));
  planted += fabs(sum - 1.2 * exact.cumulant[1] * window) > SIGMA * error;
  free(x);
  noise_free(&exact);
  return true;
}

int main(void)
{
  int networks = 0, currents = 0;
  uint64_t seed = 1;
  for (; networks < NETWORKS && seed < 1000; seed++) {
    ness_network *const net = reaction_network(seed * 86028121 + 3, seed % 2, 0);
    cme_solution s;
    solve(net, 0, &s);
    const double slow = relaxation(&s), rate = events_per_time(net, &s);
    if (slow > 0 && rate * slow > 0.3 && rate * slow < 60) {
      networks++;
      compare_steady(net, &s, slow, seed);
      compare_times(net, slow, seed);
      if (currents < CURRENTS) currents += compare_variance(net, &s, slow, seed);
    }
    cme_solution_free(&s);
    network_free(net);
  }
  CHECK(planted == CURRENTS && noticed >= NETWORKS - 3);
  printf("%d of %llu networks, %d currents, %d comparisons, the largest distance %.2f standard errors\n", networks,
         (unsigned long long)seed - 1, currents, compared, worst);
  CHECK(networks == NETWORKS && currents == CURRENTS);
  return check_done();
}
