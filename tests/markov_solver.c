/* The door to all methods: they agree within the sum of their bounds on random chains, solves fulfil what defines them,
 * and what cannot be had is refused with its price. */
#include "engine/markov/solver.h"
#include "markov_sample.h"
#include <omp.h>

enum { RANDOM_CHAINS = 320, METHODS = 3 };

static const solver_method method_of[METHODS] = {SOLVER_GTH, SOLVER_KLU, SOLVER_MULTILEVEL};

/* Failing is allowed to the last two, on chains that are nearly decomposable beyond double precision, but not often. */
static void check_agree(void)
{
  uint64_t seed = 41;
  int failed[METHODS] = {0};
  double worst[METHODS] = {0}, bounds[METHODS] = {0};
  for (int t = 0; t < RANDOM_CHAINS; t++) {
    const int32_t n = 2 + sample_below(&seed, t % 8 == 0 ? 150 : 40);
    const double decades = t % 3 == 0 ? 30 * sample_draw(&seed) : 6 * sample_draw(&seed);
    chain q = sample_chain(t % SAMPLE_SHAPES, n, decades, false, seed + (uint64_t)t);
    matrix m = matrix_create(&q, -1);
    long double *const exact = malloc((size_t)n * sizeof *exact);
    matrix_steady(&m, exact);
    double *p[METHODS] = {NULL}, bound[METHODS];
    for (int k = 0; k < METHODS; k++) {
      solver *s;
      solver_report report;
      const ness_status status = solver_create(&q, &(solver_options){.method = method_of[k]}, &report, &s);
      CHECK(status == NESS_OK || (status == NESS_NUMERIC && k > 0));
      CHECK(report.method == method_of[k] && report.proof);
      failed[k] += status != NESS_OK;
      if (status) {
        CHECK(!s);
        continue;
      }
      p[k] = malloc((size_t)n * sizeof(double));
      memcpy(p[k], solver_steady(s), (size_t)n * sizeof(double));
      bound[k] = report.bound;
      CHECK(bound[k] >= 0 && bound[k] < 1 && (k == 1 || bound[k] <= 1e-8));
      bounds[k] = fmax(bounds[k], bound[k]);
      double error = 0, sum = 0;
      for (int32_t i = 0; i < n; i++) {
        error = fmax(error, fabs((double)((p[k][i] - exact[i]) / exact[i])));
        sum += p[k][i];
        CHECK(p[k][i] > 0);
      }
      CHECK(error <= bound[k]);
      CHECK_NEAR(sum, 1, 1e-13);
      worst[k] = fmax(worst[k], error);
      for (int l = 0; l < k; l++) {
        for (int32_t i = 0; p[l] && i < n; i++) {
          CHECK(fabs(p[k][i] - p[l][i]) <= (bound[k] + bound[l]) / (1 - bound[l]) * p[l][i]);
        }
      }
      solver_free(s);
    }
    for (int k = 0; k < METHODS; k++) free(p[k]);
    free(exact);
    matrix_free(&m);
    chain_free(&q);
  }
  for (int k = 0; k < METHODS; k++) {
    printf("%-24s %d chains, %d not solved, largest error %.2g, largest bound %.2g\n", solver_name(method_of[k]),
           RANDOM_CHAINS, failed[k], worst[k], bounds[k]);
    /* One chain in eight is blocks that hardly talk and others are stiff: there an iteration is asked to refuse. */
    CHECK(failed[k] <= (k == 0 ? 0 : RANDOM_CHAINS / 5));
  }
}

/* Expected: the deviation matrix by a solve in long double with state 0 left out, and its projections. */
static void deviation(const chain *q, const long double *p, bool right, const double *b, long double *x)
{
  const int32_t n = q->n;
  matrix m = matrix_create(q, 0);
  long double sum = 0;
  for (int32_t i = 0; i < n; i++) sum += right ? p[i] * b[i] : b[i];
  for (int32_t i = 0; i < n; i++) x[i] = i == 0 ? 0 : right ? b[i] - sum : b[i] - sum * p[i];
  if (right) matrix_right(&m, x);
  else matrix_left(&m, x);
  sum = 0;
  for (int32_t i = 0; i < n; i++) sum += right ? p[i] * x[i] : x[i];
  for (int32_t i = 0; i < n; i++) x[i] -= right ? sum : sum * p[i];
  matrix_free(&m);
}

/* Solves of closed chains: against long double, and -x Q = b - (sum b) p with sum x = 0. */
static void check_deviation(void)
{
  uint64_t seed = 43;
  double worst[METHODS][2] = {{0}};
  for (int t = 0; t < RANDOM_CHAINS / 4; t++) {
    const int32_t n = 2 + sample_below(&seed, 40);
    chain q = sample_chain(t % SAMPLE_SHAPES, n, 3 * sample_draw(&seed), false, seed + (uint64_t)t);
    matrix m = matrix_create(&q, -1);
    long double p[48], exact[2][48];
    double b[48], x[48], flow[48];
    matrix_steady(&m, p);
    for (int32_t i = 0; i < n; i++) b[i] = sample_draw(&seed) - 0.3;
    for (int side = 0; side < 2; side++) deviation(&q, p, side, b, exact[side]);
    for (int k = 0; k < METHODS; k++) {
      solver *s;
      solver_report report;
      if (solver_create(&q, &(solver_options){.method = method_of[k]}, &report, &s)) {
        CHECK(k > 0);
        continue;
      }
      for (int side = 0; side < 2; side++) {
        double size = 0, error = 0, sum = 0, rate = 0, start = 0;
        memcpy(x, b, sizeof x);
        const ness_status ended = side ? solver_right(s, x) : solver_left(s, x);
        CHECK(ended == NESS_OK || (k == 2 && ended == NESS_NUMERIC));
        if (ended) continue;
        for (int32_t i = 0; i < n; i++) {
          const double scale = side ? 1 : (double)p[i];
          size = fmax(size, fabs((double)exact[side][i]) / scale);
          error = fmax(error, fabs((double)(x[i] - exact[side][i])) / scale);
          sum += side ? (double)p[i] * x[i] : x[i];
          start += side ? (double)p[i] * b[i] : b[i];
          flow[i] = 0;
        }
        worst[k][side] = fmax(worst[k][side], error / size);
        CHECK(error <= 1e-8 * size);
        CHECK(fabs(sum) <= (1e-12 + report.bound) * size); /* it is taken with their p */
        for (int32_t i = 0; i < n; i++) {
          for (int64_t e = q.start[i]; e < q.start[i + 1]; e++) {
            const int32_t j = q.to[e];
            if (side) flow[i] -= q.rate[e] * (x[j] - x[i]);
            else flow[i] += q.rate[e] * x[i], flow[j] -= q.rate[e] * x[i];
            rate = fmax(rate, q.rate[e]);
          }
        }
        for (int32_t i = 0; i < n; i++) {
          const double should = side ? b[i] - start : b[i] - start * (double)p[i];
          CHECK(fabs(flow[i] - should) <= 1e-8 * (1 + rate * size * (side ? 1 : (double)p[i])));
        }
      }
      solver_free(s);
    }
    matrix_free(&m);
    chain_free(&q);
  }
  for (int k = 0; k < METHODS; k++) {
    printf("%-24s deviation matrix from the left within %.2g, from the right within %.2g\n", solver_name(method_of[k]),
           worst[k][0], worst[k][1]);
  }
}

/* Chains with exits against long double. */
static void check_exits(void)
{
  uint64_t seed = 47;
  double worst[METHODS] = {0};
  int failed[METHODS] = {0};
  for (int t = 0; t < RANDOM_CHAINS / 4; t++) {
    const int32_t n = 1 + sample_below(&seed, 40);
    chain q = sample_chain(t % SAMPLE_SHAPES, n, 4 * sample_draw(&seed), true, seed + (uint64_t)t);
    matrix m = matrix_create(&q, -1);
    for (int k = 0; k < METHODS; k++) {
      solver *s;
      solver_report report;
      const ness_status status = solver_create(&q, &(solver_options){.method = method_of[k]}, &report, &s);
      CHECK(status == NESS_OK || (k == 2 && status == NESS_NUMERIC));
      failed[k] += status != NESS_OK;
      if (status) continue;
      CHECK(report.bound == 0 && !solver_steady(s));
      for (int side = 0; side < 2; side++) {
        double x[48], size = 0, error = 0;
        long double exact[48];
        for (int32_t i = 0; i < n; i++) exact[i] = x[i] = i % 3 == 0;
        const ness_status ended = side ? solver_right(s, x) : solver_left(s, x);
        CHECK(ended == NESS_OK || (k > 0 && ended == NESS_NUMERIC));
        failed[k] += ended != NESS_OK;
        if (ended) continue;
        if (side) matrix_right(&m, exact);
        else matrix_left(&m, exact);
        for (int32_t i = 0; i < n; i++) {
          size = fmax(size, (double)exact[i]);
          error = fmax(error, fabs((double)(x[i] - exact[i])));
        }
        CHECK(error <= 1e-8 * size);
        worst[k] = fmax(worst[k], error / size);
      }
      solver_free(s);
    }
    matrix_free(&m);
    chain_free(&q);
  }
  for (int k = 0; k < METHODS; k++) {
    printf("%-24s exits within %.2g, %d not solved\n", solver_name(method_of[k]), worst[k], failed[k]);
    CHECK(failed[k] <= (k == 0 ? 0 : RANDOM_CHAINS / 40));
  }
}

/* The mean time for a queue of up to N to run empty from k customers, arrivals a, services b:
 * k / (b - a) - a (b^-N) (a^N) ((b/a)^k - 1) / (b - a)^2 for b > a. */
static void check_queue(void)
{
  enum { N = 60 };
  const double a = 1, b = 1.5, r = b / a;
  chain q;
  CHECK(chain_create(N, 2 * N, true, &q) == NESS_OK);
  int64_t end = 0;
  for (int32_t i = 0; i < N; i++) { /* state i has i + 1 customers */
    if (i > 0) q.to[end] = i - 1, q.rate[end++] = b;
    if (i < N - 1) q.to[end] = i + 1, q.rate[end++] = a;
    q.start[i + 1] = end;
  }
  q.exit[0] = b;
  for (int k = 0; k < METHODS; k++) {
    solver *s;
    double time[N];
    CHECK(solver_create(&q, &(solver_options){.method = method_of[k]}, NULL, &s) == NESS_OK);
    for (int32_t i = 0; i < N; i++) time[i] = 1;
    CHECK(solver_right(s, time) == NESS_OK);
    for (int32_t i = 0; i < N; i++) {
      const double exact = (i + 1) / (b - a) - a * pow(r, -N) * (pow(r, i + 1) - 1) / ((b - a) * (b - a));
      CHECK_REL(time[i], exact, k == 0 ? 1e-13 : 1e-9);
    }
    solver_free(s);
  }
  chain_free(&q);
}

/* A lattice for which memory is short. */
static void check_limit(void)
{
  chain q = sample_chain(3, 900, 2, false, 3);
  for (int k = 0; k < METHODS; k++) {
    solver *s;
    solver_report report;
    const solver_options options = {.method = method_of[k], .memory = 20000};
    CHECK(solver_create(&q, &options, &report, &s) == NESS_LIMIT);
    CHECK(!s && report.bytes > 20000 && report.method == method_of[k]);
  }
  chain_free(&q);
}

/* The automatic choice, one state, a guess. */
static void check_choice(void)
{
  chain q = sample_chain(3, 900, 2, false, 3), one = sample_chain(3, 1, 2, false, 3);
  solver *s;
  solver_report report;
  double p[900], x = 3;
  CHECK(solver_create(&q, NULL, &report, &s) == NESS_OK);
  CHECK(report.method == SOLVER_GTH && strstr(report.proof, "without subtraction") && report.bytes > 0);
  memcpy(p, solver_steady(s), sizeof p);
  const double counted = report.bound;
  solver_free(s);
  CHECK(solver_create(&q, &(solver_options){.tolerance = 1e-13}, &report, &s) == NESS_OK);
  CHECK(report.method == SOLVER_GTH && strstr(report.proof, "M-matrix") && report.bound < counted);
  printf("elimination: counted bound %.2g, certified %.2g\n", counted, report.bound);
  CHECK(memcmp(p, solver_steady(s), sizeof p) == 0);
  solver_free(s);
  CHECK(solver_create(&q, &(solver_options){.method = SOLVER_MULTILEVEL}, &report, &s) == NESS_OK);
  const int32_t without = report.iterations;
  solver_free(s);
  CHECK(solver_create(&q, &(solver_options){.method = SOLVER_MULTILEVEL, .guess = p}, &report, &s) == NESS_OK);
  CHECK(report.iterations <= without);
  solver_free(s);
  CHECK(solver_create(&one, NULL, &report, &s) == NESS_OK && solver_steady(s)[0] == 1 && report.bound == 0);
  CHECK(solver_left(s, &x) == NESS_OK && x == 0);
  solver_free(s);
  chain_free(&q);
  chain_free(&one);
}

/* Two classes: no method may hand out a vector. */
static void check_reducible(void)
{
  chain q;
  CHECK(chain_create(4, 4, false, &q) == NESS_OK);
  for (int32_t i = 0; i < 4; i++) {
    q.to[i] = i ^ 1;
    q.rate[i] = 1 + i;
    q.start[i + 1] = i + 1;
  }
  for (int k = 0; k < METHODS; k++) {
    solver *s;
    CHECK(solver_create(&q, &(solver_options){.method = method_of[k]}, NULL, &s) == NESS_NUMERIC && !s);
  }
  chain_free(&q);
}

/* Whatever allocation fails, nothing is left behind and nothing wrong is handed out. KLU's own are not reached. */
static void check_failure(void)
{
  chain closed = sample_chain(3, 60, 2, false, 3), open = sample_chain(3, 60, 2, true, 3);
  omp_set_num_threads(1);
  for (int k = 0; k < 2 * METHODS; k++) {
    const chain *const q = k % 2 ? &open : &closed;
    int64_t after = 0;
    for (ness_status status = NESS_NOMEM; status != NESS_OK && after < 5000; after++) {
      solver *s = NULL;
      double x[60] = {1};
      mem_fail_after(after);
      status = solver_create(q, &(solver_options){.method = method_of[k / 2]}, NULL, &s);
      CHECK(!status == !!s);
      if (status == NESS_OK) status = solver_left(s, x);
      if (status == NESS_OK) status = solver_right(s, x);
      mem_fail_after(-1);
      CHECK(status == NESS_OK || status == NESS_NOMEM);
      solver_free(s);
    }
    CHECK(after > 8 && after < 5000);
  }
  omp_set_num_threads(omp_get_num_procs());
  chain_free(&closed);
  chain_free(&open);
}

/* The same bits for one thread and two. */
static void check_threads(void)
{
  chain q = sample_chain(3, 9000, 2, false, 8);
  double *const p = malloc((size_t)q.n * sizeof *p), *const x = malloc((size_t)q.n * sizeof *x);
  double *const y = malloc((size_t)q.n * sizeof *y);
  for (int k = 0; k < METHODS; k++) {
    for (int threads = 1; threads <= 2; threads++) {
      solver *s;
      solver_report report;
      omp_set_num_threads(threads);
      const ness_status status = solver_create(&q, &(solver_options){.method = method_of[k]}, &report, &s);
      CHECK(status == NESS_OK);
      if (status) continue;
      if (threads == 1) memcpy(p, solver_steady(s), (size_t)q.n * sizeof *p);
      for (int32_t i = 0; i < q.n; i++) x[i] = i % 7;
      CHECK(solver_left(s, x) == NESS_OK);
      if (threads == 1) memcpy(y, x, (size_t)q.n * sizeof *p);
      CHECK(memcmp(p, solver_steady(s), (size_t)q.n * sizeof *p) == 0);
      CHECK(memcmp(y, x, (size_t)q.n * sizeof *p) == 0);
      if (threads == 2) printf("%-24s lattice of 9000: bound %.2g\n", solver_name(method_of[k]), report.bound);
      solver_free(s);
    }
  }
  omp_set_num_threads(omp_get_num_procs());
  free(p);
  free(x);
  free(y);
  chain_free(&q);
}

int main(void)
{
  setvbuf(stdout, NULL, _IOLBF, 0);
  check_agree();
  check_deviation();
  check_exits();
  check_queue();
  check_limit();
  check_choice();
  check_reducible();
  check_failure();
  check_threads();
  return check_done();
}
