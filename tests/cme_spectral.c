/* Power spectra of currents and counts: closed forms, the Fourier integral of correlations stepped through in time by
 * uniformisation, cumulants at frequency zero and shot noise at the other end. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/noise.h"
#include "engine/cme/spectral.h"

#define TURN 6.283185307179586

static void find(const ness_network *net, const cme_solution *s, int32_t n, const spectral_observable *of, int32_t nf,
                 const double *f, spectral *out)
{
  CHECKED(spectral_find(net, s, n, of, nf, f, 0, NULL, out));
}

/* A telegraph: S = 2 p q k / (k^2 + omega^2) of the count, omega^2 times that of its net current; of the way there
 * alone, whose events keep a distance, less than shot noise. */
static void check_two(int64_t copies)
{
  const double a = 3, b = 0.7, k = a + b, p = a / k, q = b / k, n = (double)copies;
  network_builder *build = builder_create("two", 0);
  const int32_t A = add_slot(build, "A", copies, MODEL_NO_MAX), B = add_slot(build, "B", 0, MODEL_NO_MAX);
  add_move(build, "turn", A, B, a, b);
  ness_network *net = finish(build);
  cme_solution s;
  solve(net, 0, &s);
  const double count[2] = {0, 1}, net_of[2] = {1, -1}, there[2] = {1, 0}, f[5] = {0, 1e-9, 0.1, 1, 1e6};
  const spectral_observable of[3] = {{.count = count}, {.weight = net_of}, {.weight = there}};
  spectral found;
  find(net, &s, 3, of, 5, f, &found);
  for (int i = 0; i < 5; i++) {
    const double omega = TURN * f[i], count_of = 2 * p * q * k / (k * k + omega * omega);
    CHECK_REL(found.density[i], n * count_of, 1e-13);
    /* dn/dt of a count is the net current */
    CHECK(fabs(found.density[5 + i] - n * omega * omega * count_of) <= 1e-13 * n * p * b);
    const double rate = q * a, back = 2 * rate * rate * k / (k * k + omega * omega); /* f = a in A: above its mean */
    CHECK_REL(found.density[10 + i], n * (rate - back), 1e-13);
  }
  CHECK(found.shot[0] == 0);
  CHECK_REL(found.shot[1], n * (q * a + p * b), 1e-13);
  CHECK_REL(found.shot[2], n * q * a, 1e-13);
  spectral_free(&found);
  cme_solution_free(&s);
  network_free(net);
}

/* White: a pipe, a ring whose hops are all alike, and what leaves a queue. */
static void check_white(void)
{
  const double f[4] = {0, 0.03, 1, 50};
  network_builder *b = builder_create("pipe", 0);
  add_move(b, "through", -1, -1, 2.5, 0.5);
  ness_network *net = finish(b);
  cme_solution s;
  spectral found;
  solve(net, 0, &s);
  find(net, &s, 1, &(spectral_observable){.weight = (double[]){1, -1}}, 4, f, &found);
  for (int i = 0; i < 4; i++) CHECK_REL(found.density[i], 3, 1e-15);
  spectral_free(&found);
  cme_solution_free(&s);
  network_free(net);
  b = builder_create("ring", 0);
  int32_t at[5];
  for (int i = 0; i < 5; i++) at[i] = add_slot(b, (const char *[]){"A", "B", "C", "D", "E"}[i], i == 0, MODEL_NO_MAX);
  for (int i = 0; i < 5; i++) add_move(b, "hop", at[i], at[(i + 1) % 5], 1.7, 0.4);
  net = finish(b);
  solve(net, 0, &s);
  find(net, &s, 1, &(spectral_observable){.weight = (double[]){1, -1, 1, -1, 1, -1, 1, -1, 1, -1}}, 4, f, &found);
  for (int i = 0; i < 4; i++) CHECK_REL(found.density[i], 2.1, 1e-13);
  spectral_free(&found);
  cme_solution_free(&s);
  network_free(net);
  b = builder_create("queue", 0);
  const int32_t n = add_slot(b, "n", 0, MODEL_NO_MAX);
  add_move(b, "in", -1, n, 3, 0);
  add_move(b, "out", n, -1, 0.7, 0);
  net = finish(b);
  solve(net, 0, &s);
  CHECK(s.parts[0].kind == CME_OPEN);
  const double held[1] = {1};
  find(net, &s, 2, (spectral_observable[]){{.weight = (double[]){0, 0, 1, 0}}, {.count = held}}, 4, f, &found);
  for (int i = 0; i < 4; i++) {
    const double omega = TURN * f[i];
    CHECK_REL(found.density[i], 3, 1e-13);
    CHECK_REL(found.density[4 + i], 2 * 3 / (0.7 * 0.7 + omega * omega), 1e-13); /* Poisson: variance 3/0.7 */
  }
  spectral_free(&found);
  cme_solution_free(&s);
  network_free(net);
}

/* The correlation of one molecule in `n` states by steps of exp(Q h), a Taylor series, and its Fourier integral by
 * Simpson's rule: another way to the same number. q[i][j] from i to j, w[i][j] what a jump counts. */
static double by_time(int n, const double *q, const double *w, const double *held, const double *p, double omega)
{
  double f[8] = {0}, kick[8] = {0}, mean = 0, shot = 0, fast = 0, sum = 0;
  for (int i = 0; i < n; i++) {
    double out = 0;
    f[i] = held[i];
    for (int j = 0; j < n; j++) {
      out += q[i * n + j];
      f[i] += q[i * n + j] * w[i * n + j];
      shot += p[i] * q[i * n + j] * w[i * n + j] * w[i * n + j];
      kick[j] += p[i] * q[i * n + j] * w[i * n + j]; /* where a counted jump leads */
    }
    kick[i] += p[i] * held[i];
    fast = fmax(fast, out);
  }
  for (int i = 0; i < n; i++) mean += p[i] * f[i];
  for (int i = 0; i < n; i++) f[i] -= mean;
  const double h = 0.02 / (fast + omega);
  for (int k = 0; k < 200000; k++) {
    double c = 0, next[8], term[8];
    for (int i = 0; i < n; i++) c += kick[i] * f[i];
    sum += (k == 0 ? 1 : k % 2 ? 4 : 2) * c * cos(omega * h * k);
    for (int i = 0; i < n; i++) next[i] = term[i] = f[i];
    for (int order = 1; order < 9; order++) {
      double then[8] = {0};
      for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) then[i] += q[i * n + j] * (term[j] - term[i]) * h / order;
      for (int i = 0; i < n; i++) next[i] += term[i] = then[i];
    }
    for (int i = 0; i < n; i++) f[i] = next[i];
  }
  return shot + 2 * sum * h / 3;
}

/* Ring of three, driven, with a second way between two of its states. */
static void check_ring(void)
{
  const double forward[4] = {2, 1.5, 3, 0.8}, backward[4] = {0.4, 0.9, 0.1, 0.3};
  const int from[4] = {0, 1, 2, 0}, to[4] = {1, 2, 0, 1};
  const double by[4] = {1, 0.5, -0.25, 2}, held[3] = {0.3, 0, 1.4};
  network_builder *b = builder_create("three", 0);
  int32_t at[3];
  for (int i = 0; i < 3; i++) at[i] = add_slot(b, (const char *[]){"A", "B", "C"}[i], i == 0, MODEL_NO_MAX);
  for (int k = 0; k < 4; k++) add_move(b, "hop", at[from[k]], at[to[k]], forward[k], backward[k]);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  double q[9] = {0}, mixed[9] = {0}, weight[8], zero[3] = {0};
  for (int k = 0; k < 4; k++) {
    const int there = from[k] * 3 + to[k], back = to[k] * 3 + from[k];
    weight[2 * k] = by[k];
    weight[2 * k + 1] = -weight[2 * k];
    q[there] += forward[k];
    q[back] += backward[k];
  }
  const double f[4] = {0, 0.05, 0.4, 2};
  const spectral_observable of[3] = {{.count = held}, {.weight = weight}, {weight, held}};
  spectral found;
  noise n;
  find(net, &s, 3, of, 4, f, &found);
  for (int i = 0; i < 4; i++) CHECK_REL(found.density[i], by_time(3, q, mixed, held, s.mean, TURN * f[i]), 1e-7);
  CHECKED(noise_cumulants(net, &s, 1, weight, NULL, &n));
  CHECK_REL(found.density[4], n.cumulant[1], 1e-13);
  noise_free(&n);
  spectral_free(&found);
  cme_solution_free(&s);
  network_free(net);
  /* the same without the second way, where by_time can count jumps */
  b = builder_create("three", 0);
  for (int i = 0; i < 3; i++) at[i] = add_slot(b, (const char *[]){"A", "B", "C"}[i], i == 0, MODEL_NO_MAX);
  for (int k = 0; k < 3; k++) add_move(b, "hop", at[from[k]], at[to[k]], forward[k], backward[k]);
  net = finish(b);
  solve(net, 0, &s);
  memset(q, 0, sizeof q);
  for (int k = 0; k < 3; k++) {
    q[from[k] * 3 + to[k]] = forward[k];
    q[to[k] * 3 + from[k]] = backward[k];
    mixed[from[k] * 3 + to[k]] = by[k];
    mixed[to[k] * 3 + from[k]] = -by[k];
  }
  find(net, &s, 3, of, 4, f, &found);
  for (int i = 0; i < 4; i++) {
    CHECK_REL(found.density[4 + i], by_time(3, q, mixed, zero, s.mean, TURN * f[i]), 1e-7);
    CHECK(found.density[8 + i] > 0);
  }
  spectral_free(&found);
  cme_solution_free(&s);
  network_free(net);
}

/* At both ends of the frequencies, of every step of random networks; counts of all copies together do not move. */
static void check_ends(void)
{
  for (uint64_t seed = 1; seed <= 12; seed++) {
    ness_network *net =
        seed % 3 ? reaction_network(seed, seed % 2 == 0, 3) : complete_graph(9, seed, 1 + (int64_t)seed);
    ness_diags *quiet = ness_diags_create();
    cme_solution s;
    if (cme_steady(net, &(cme_options){0}, quiet, &s) == NESS_OK) {
      const size_t ndir = 2 * (size_t)net->nstep;
      double *const weight = calloc((size_t)net->nstep * ndir, sizeof *weight), fast = 0;
      spectral_observable *const of = calloc((size_t)net->nstep, sizeof *of);
      for (int32_t k = 0; k < net->nstep; k++) {
        weight[(size_t)k * ndir + 2 * (size_t)k] = 1;
        weight[(size_t)k * ndir + 2 * (size_t)k + 1] = -0.6;
        of[k].weight = weight + (size_t)k * ndir;
      }
      for (int32_t p = 0; p < s.nparts; p++)
        for (int64_t e = 0; e < s.parts[p].q.start[s.parts[p].q.n]; e++) fast += s.parts[p].q.rate[e];
      spectral found;
      noise n = {0};
      const ness_status status = spectral_find(net, &s, net->nstep, of, 2, (double[]){0, 1e9 * fast}, 0, quiet, &found);
      CHECK(status == noise_cumulants(net, &s, net->nstep, weight, quiet, &n));
      for (int32_t k = 0; status == NESS_OK && k < net->nstep; k++) {
        CHECK(fabs(found.density[2 * k] - n.cumulant[k * NOISE_ORDER + 1]) <=
              1e-10 * n.cumulant[k * NOISE_ORDER + 1] + 1e-14 * found.shot[k]);
        CHECK_REL(found.density[2 * k + 1], found.shot[k], 1e-8);
      }
      spectral_free(&found);
      noise_free(&n);
      free(weight);
      free(of);
      cme_solution_free(&s);
    }
    ness_diags_free(quiet);
    network_free(net);
  }
}

/* A stiff chain: the slow corner is seen below frequencies at which plain elimination has lost it to rounding. */
static void check_stiff(void)
{
  network_builder *b = builder_create("stiff", 0);
  int32_t at[3];
  for (int i = 0; i < 3; i++) at[i] = add_slot(b, (const char *[]){"A", "B", "C"}[i], i == 0, MODEL_NO_MAX);
  add_move(b, "fast", at[0], at[1], 1e9, 1e9);
  add_move(b, "slow", at[1], at[2], 2e-9, 1e-9); /* from one half: 1e-9 there and back */
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  const double count[3] = {0, 0, 1}, k = 2e-9, f[3] = {0, 1e-10, 1e-9};
  spectral found;
  find(net, &s, 1, &(spectral_observable){.count = count}, 3, f, &found);
  for (int i = 0; i < 3; i++) {
    const double omega = TURN * f[i];
    CHECK_REL(found.density[i], 2 * 0.25 * k / (k * k + omega * omega), 1e-12);
  }
  spectral_free(&found);
  cme_solution_free(&s);
  network_free(net);
}

/* Memory that runs out at any call is said and given back. */
static void check_memory(void)
{
  ness_network *net = complete_graph(4, 3, 2);
  cme_solution s;
  solve(net, 0, &s);
  const double count[4] = {1, 0, 0, 2};
  ness_status status = NESS_NOMEM;
  for (int64_t after = 0; status == NESS_NOMEM && after < 200; after++) {
    spectral found;
    mem_fail_after(after);
    status = spectral_find(net, &s, 1, &(spectral_observable){.count = count}, 1, (double[]){1}, 0, NULL, &found);
    mem_fail_after(-1);
    CHECK(status == NESS_NOMEM || status == NESS_OK);
    spectral_free(&found);
  }
  CHECK(status == NESS_OK);
  cme_solution_free(&s);
  network_free(net);
}

int main(void)
{
  check_two(1);
  check_two(7);
  check_white();
  check_ring();
  check_ends();
  check_stiff();
  check_memory();
  return check_done();
}
