/* Distributions in time at constant rates (engine/markov/transient.h), each method held against closed forms and
 * against an exponential in long double, and every proven bound against the error. */
#include "engine/markov/poisson.h"
#include "markov_flow.h"
#include <omp.h>

static const transient_method methods[] = {TRANSIENT_AUTO, TRANSIENT_UNIFORM, TRANSIENT_KRYLOV, TRANSIENT_DENSE};

static uint64_t random_state = 88172645463325252u;
static double random_unit(void)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (double)(random_state >> 11) * 0x1p-53;
}

/* --- Poisson windows against log-gamma in long double --- */

static void window_case(double mean, double tolerance)
{
  double *weight = NULL;
  int64_t size = 0;
  poisson_window w;
  CHECK(poisson_window_find(mean, tolerance, 0, &weight, &size, &w) == NESS_OK);
  long double sum = 0, first = 0, inside = 0, distance = 0;
  for (int64_t k = w.left; k <= w.right; k++) {
    const double got = weight[k - w.left];
    const long double m = mean, at = (long double)k;
    const long double exact = mean > 0 ? expl(at * logl(m) - m - lgammal(at + 1)) : k == 0;
    sum += got;
    first += got * at;
    inside += exact;
    distance += fabsl(got - exact);
  }
  CHECK_NEAR((double)sum, 1, 1e-14);
  if (tolerance < 1e-20) CHECK_NEAR((double)first, mean, 1e-10);
  if (mean < 1e6) { /* beyond that the log-gamma has not the digits: k log k is 1e10 with 19 digits at 1e9 */
    CHECK((double)(distance + (1 - inside)) <= w.error + 1e-13);
    CHECK(w.error <= tolerance + 1e-12);
  }
  CHECK((double)(w.right - w.left) <= 30 * sqrt(mean) + 60);
  free(weight);
}

static void test_windows(void)
{
  const double means[] = {0, 1e-300, 1e-5, 0.3, 0.9999, 1, 5.5, 24.99, 25, 49, 400.5, 1e4, 123456.7, 1e7, 1e9};
  for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
    window_case(means[i], 1e-10);
    window_case(means[i], 1e-3);
    window_case(means[i], 1e-25);
  }
  double *weight = NULL;
  int64_t size = 0;
  poisson_window w;
  CHECK(poisson_window_find(1e20, 1e-10, 0, &weight, &size, &w) == NESS_NUMERIC);
  CHECK(poisson_window_find(-1, 1e-10, 0, &weight, &size, &w) == NESS_NUMERIC);
  CHECK(poisson_window_find(NAN, 1e-10, 0, &weight, &size, &w) == NESS_NUMERIC);
  free(weight);
}

/* --- closed forms at many times --- */

typedef struct seen {
  int32_t n, count;
  const double *times;
  void (*exact)(double t, long double *out);
  double worst;
  bool order, positive, mass;
} seen;

static ness_status see(void *context, int32_t index, const double *p)
{
  seen *const self = context;
  long double exact[256];
  self->order = self->order && index == self->count++;
  self->positive = self->positive && flow_nonnegative(self->n, p);
  self->mass = self->mass && fabs(flow_mass(self->n, p) - 1) <= 1e-14;
  self->exact(self->times[index], exact);
  self->worst = fmax(self->worst, flow_distance(self->n, p, exact));
  return NESS_OK;
}

static void closed_case(const char *name, const chain *q, int32_t at, const double *times, int32_t ntimes,
                        void (*exact)(double, long double *), double tolerance, double demanded)
{
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    double p[256] = {0};
    p[at] = 1;
    seen s = {.n = q->n, .times = times, .exact = exact, .order = true, .positive = true, .mass = true};
    transient_report r;
    const transient_options o = {.method = methods[m], .tolerance = tolerance};
    CHECK(transient_run(q, &o, p, times, ntimes, see, &s, &r) == NESS_OK);
    CHECK(s.count == ntimes && s.order && s.positive && s.mass);
    CHECK(r.proven == (r.method != TRANSIENT_KRYLOV));
    CHECK(s.worst <= r.bound && s.worst <= demanded);
    CHECK(r.bound <= 100 * demanded);
    long double last[256];
    exact(times[ntimes - 1], last);
    CHECK(flow_distance(q->n, p, last) <= demanded);
    printf("  %-12s %-18s error %.1e, bound %.1e, %lld products\n", name, transient_name(r.method), s.worst, r.bound,
           (long long)r.products);
  }
}

static void two_exact(double t, long double *out)
{
  const long double a = 0.3L, b = 1.7L;
  out[1] = a / (a + b) * -expm1l(-(a + b) * t);
  out[0] = 1 - out[1];
}

static void immigration_exact(double t, long double *out)
{
  const long double mean = -20 * expm1l(-(long double)t);
  for (int k = 0; k < 120; k++) out[k] = mean > 0 ? expl(k * logl(mean) - mean - lgammal(k + 1.0L)) : k == 0;
}

static void death_exact(double t, long double *out)
{
  for (int k = 0; k <= 50; k++) {
    const long double choose = lgammal(51) - lgammal(k + 1.0L) - lgammal(51.0L - k);
    out[k] = t > 0 ? expl(choose - k * (long double)t + (50 - k) * logl(-expm1l(-(long double)t))) : k == 50;
  }
}

static void test_closed_forms(void)
{
  double times[60] = {0, 0, 1e-9, 1e-9};
  for (int i = 4; i < 60; i++) times[i] = i < 40 ? 0.05 * i : times[i - 1] * 1.2;
  chain q;
  flow_chain(2, (flow_edge[]){{0, 1, 0.1}, {1, 0, 1.7}, {0, 1, 0.2}, {0, 0, 5}}, 4, false, &q);
  closed_case("two states", &q, 0, times, 60, two_exact, 0, 1e-10);
  closed_case("two states", &q, 0, times, 60, two_exact, 1e-13, 4e-13);
  chain_free(&q);
  double up[120], down[120];
  for (int i = 0; i < 120; i++) {
    up[i] = 20;
    down[i] = i;
  }
  flow_birth_death(120, up, down, &q);
  closed_case("M/M/inf", &q, 0, times, 60, immigration_exact, 1e-13, 1e-12);
  chain_free(&q);
  for (int i = 0; i < 51; i++) up[i] = 0;
  flow_birth_death(51, up, down, &q);
  closed_case("pure death", &q, 50, times, 60, death_exact, 1e-13, 1e-12);
  chain_free(&q);
}

/* --- random chains against long double, with and without exits --- */

static void random_chain(int32_t n, double decades, bool exits, chain *out)
{
  flow_edge edge[400];
  int count = 0;
  for (int32_t i = 0; i < n; i++) {
    edge[count++] = (flow_edge){i, (i + 1) % n, pow(10, decades * (random_unit() - 0.5))};
    for (int k = 0; k < 3; k++) {
      const int32_t to = (int32_t)(random_unit() * n);
      if (to != i) edge[count++] = (flow_edge){i, to, pow(10, decades * (random_unit() - 0.5))};
    }
    if (exits && random_unit() < 0.3) edge[count++] = (flow_edge){i, -1, pow(10, decades * (random_unit() - 0.5))};
  }
  flow_chain(n, edge, count, exits, out);
}

static double fastest(const chain *q)
{
  double most = 0;
  for (int32_t i = 0; i < q->n; i++) {
    double out = q->exit ? q->exit[i] : 0;
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) out += q->to[e] == i ? 0 : q->rate[e];
    most = fmax(most, out);
  }
  return most;
}

/* The error of a method over the bound it reports; the distributions of all methods stay below 1e-9. */
static void test_random(void)
{
  double tightest = 1e300;
  for (int k = 0; k < 60; k++) {
    const int32_t n = 2 + k % 13;
    chain q;
    random_chain(n, k % 3 * 3, k % 2 == 1, &q);
    const double q1 = fastest(&q), times[] = {0.2 / q1, 7 / q1, 300 / q1, 4e4 / q1};
    double start[16];
    for (int32_t i = 0; i < n; i++) start[i] = random_unit() * (i % 3 > 0);
    start[0] += 2; /* the mass is not 1 */
    for (int t = 0; t < 4; t++) {
      long double exact[16];
      flow_reference(&q, times[t], start, exact);
      for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        double p[16];
        memcpy(p, start, sizeof p);
        const transient_options o = {.method = methods[m]};
        transient_report r;
        CHECK(transient_run(&q, &o, p, times + (k % 4 == 0 ? t : 0), k % 4 == 0 ? 1 : t + 1, NULL, NULL, &r) ==
              NESS_OK);
        const double error = flow_distance(n, p, exact);
        CHECK(error <= r.bound);
        CHECK(error <= 2e-10 * flow_mass(n, start) && flow_nonnegative(n, p));
        if (!q.exit) CHECK_NEAR(flow_mass(n, p), flow_mass(n, start), 1e-14 * flow_mass(n, start));
        if (error > 0) tightest = fmin(tightest, r.bound / error);
      }
    }
    chain_free(&q);
  }
  printf("  random chains: the least bound over error is %.2g\n", tightest);
}

/* Sizes at which the projection is one: the three methods against each other. */
static void test_projection(void)
{
  for (int k = 0; k < 4; k++) {
    chain q;
    random_chain(80, k % 2 ? 2 : 4, k >= 2, &q);
    const double t = 3000 / fastest(&q);
    double p[4][80] = {{0}};
    transient_report r[4];
    for (int m = 1; m < 4; m++) {
      p[m][3] = 1;
      const transient_options o = {.method = methods[m], .tolerance = 1e-11};
      CHECK(transient_run(&q, &o, p[m], &t, 1, NULL, NULL, &r[m]) == NESS_OK);
      CHECK(r[m].method == methods[m] && flow_nonnegative(80, p[m]));
    }
    double apart[4] = {0};
    for (int m = 2; m < 4; m++) {
      for (int i = 0; i < 80; i++) apart[m] += fabs(p[m][i] - p[1][i]);
      CHECK(apart[m] <= r[m].bound + r[1].bound);
      CHECK(apart[m] <= 1e-10);
    }
    printf("  80 states: Krylov %.1e from uniformisation (bounds %.1e %.1e), dense %.1e (%.1e)\n", apart[2], r[2].bound,
           r[1].bound, apart[3], r[3].bound);
    chain_free(&q);
  }
}

/* --- stiff: rates 1e-3 ... 1e9, rate t up to 1e15 --- */

static void test_stiff(void)
{
  const flow_edge edge[] = {{0, 1, 1e9}, {1, 0, 3e8}, {1, 2, 1e-3}, {2, 1, 2e-3}, {2, 3, 1e3},  {3, 2, 5e5},
                            {3, 4, 0.7}, {4, 3, 11},  {4, 5, 1e6},  {5, 4, 1e9},  {5, 0, 1e-3}, {0, 5, 4e-3}};
  chain q;
  flow_chain(6, edge, 12, false, &q);
  for (int decade = -9; decade <= 6; decade++) {
    const double t = 1.7 * pow(10, decade);
    double p[6] = {1}, start[6] = {1};
    long double exact[6];
    flow_reference(&q, t, start, exact);
    transient_report r;
    CHECK(transient_run(&q, NULL, p, &t, 1, NULL, NULL, &r) == NESS_OK);
    const double error = flow_distance(6, p, exact);
    CHECK(r.proven && error <= r.bound && error <= 1e-11);
    CHECK(r.bound <= 1e-10 + 1e-13 * sqrt(2e9 * t));
    for (int i = 0; i < 6 && r.method == TRANSIENT_DENSE; i++) CHECK_REL(p[i], (double)exact[i], 1e-10);
    if (decade % 5 == -4 || decade == 6)
      printf("  stiff, t = %g: %s, error %.1e, bound %.1e\n", t, transient_name(r.method), error, r.bound);
  }
  double p[6] = {1};
  const double late = 1e6;
  transient_report r;
  const transient_options uniform = {.method = TRANSIENT_UNIFORM};
  CHECK(transient_run(&q, &uniform, p, &late, 1, NULL, NULL, &r) == NESS_NUMERIC); /* and says so at once */
  chain_free(&q);
  flow_chain(2, (flow_edge[]){{0, 1, 0.3e12}, {1, 0, 1.7e12}}, 2, false, &q);
  const double eternity = 1e200;
  memset(p, 0, sizeof p);
  p[0] = 1;
  CHECK(transient_run(&q, NULL, p, &eternity, 1, NULL, NULL, &r) == NESS_OK);
  CHECK_NEAR(p[1], 0.15, 1e-14);
  CHECK(r.proven && r.bound < 1e-10);
  chain_free(&q);
}

/* --- exits: what is lacking is the law of the passage time --- */

static void test_passage(void)
{
  const double rate = 3; /* five stages of this rate: Erlang */
  chain q;
  flow_chain(5, (flow_edge[]){{0, 1, rate}, {1, 2, rate}, {2, 3, rate}, {3, 4, rate}, {4, -1, rate}}, 5, true, &q);
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    for (double t = 0.01; t < 1000; t *= 10) {
      double p[5] = {1};
      transient_report r;
      const transient_options o = {.method = methods[m], .tolerance = 1e-13};
      CHECK(transient_run(&q, &o, p, &t, 1, NULL, NULL, &r) == NESS_OK);
      double stay = 0, term = exp(-rate * t);
      for (int k = 0; k < 5; k++) {
        CHECK_NEAR(p[k], term, 2e-13);
        stay += term;
        term *= rate * t / (k + 1);
      }
      CHECK_NEAR(flow_mass(5, p), stay, 1e-12);
      CHECK(fabs(flow_mass(5, p) - stay) <= r.bound + 1e-15);
    }
  }
  chain_free(&q);
}

/* --- rest: far fewer powers than rate t, and the bound still holds --- */

static void test_rest(void)
{
  double up[40], down[40];
  for (int i = 0; i < 40; i++) {
    up[i] = 1;
    down[i] = 2;
  }
  chain q;
  flow_birth_death(40, up, down, &q);
  double p[40] = {0};
  p[39] = 1;
  const double t[] = {1e4, 3e5, 3.5e5};
  transient_report r;
  const transient_options o = {.method = TRANSIENT_UNIFORM};
  CHECK(transient_run(&q, &o, p, t, 3, NULL, NULL, &r) == NESS_OK);
  long double exact[40], sum = 0;
  for (int i = 0; i < 40; i++) sum += exact[i] = ldexpl(1, -i);
  for (int i = 0; i < 40; i++) exact[i] /= sum;
  printf("  rest: %lld products for a mean of %g, error %.1e, bound %.1e\n", (long long)r.products, 3 * t[2],
         flow_distance(40, p, exact), r.bound);
  CHECK(r.products < 60000);
  CHECK(flow_distance(40, p, exact) <= r.bound && r.bound < 3e-9);
  chain_free(&q);
}

/* --- a long lattice: against the difference of two Poisson counts; the same bits for 1 and 2 threads --- */

static void lattice(int32_t n, chain *out)
{
  double *const rate = malloc((size_t)n * sizeof *rate);
  for (int32_t i = 0; i < n; i++) rate[i] = 1;
  flow_birth_death(n, rate, rate, out);
  free(rate);
}

static void test_lattice(void)
{
  const int32_t n = 100000, middle = n / 2;
  const double times[] = {3, 20};
  chain q;
  lattice(n, &q);
  double *p[2][2];
  for (int m = 0; m < 2; m++) {
    for (int threads = 1; threads <= 2; threads++) {
      double *const v = p[m][threads - 1] = calloc((size_t)n, sizeof *v);
      v[middle] = 1;
      omp_set_num_threads(threads);
      const transient_options o = {.method = m ? TRANSIENT_KRYLOV : TRANSIENT_AUTO};
      transient_report r;
      const double start = omp_get_wtime();
      CHECK(transient_run(&q, &o, v, times, 2, NULL, NULL, &r) == NESS_OK);
      const double spent = omp_get_wtime() - start;
      printf("  lattice, %d threads: %s, %.2f ns a transition and product\n", threads, transient_name(r.method),
             1e9 * spent / (double)r.products / (double)q.start[n]);
      long double distance = 0;
      for (int k = -120; k <= 120; k++) { /* sum over j of Poisson(j + |k|) Poisson(j), means 20 */
        long double exact = 0;
        for (int j = 0; j < 200; j++) {
          const long double l = 2 * j * logl(20) + abs(k) * logl(20) - 40;
          exact += expl(l - lgammal(j + 1.0L) - lgammal(j + abs(k) + 1.0L));
        }
        distance += fabsl(v[middle + k] - exact);
      }
      CHECK((double)distance <= r.bound && (double)distance < 2e-10);
    }
    CHECK(memcmp(p[m][0], p[m][1], (size_t)n * sizeof(double)) == 0);
    free(p[m][0]);
    free(p[m][1]);
  }
  chain_free(&q);
}

static void test_dense_threads(void)
{
  chain q;
  lattice(151, &q);
  double p[2][151] = {{0}};
  for (int threads = 1; threads <= 2; threads++) {
    omp_set_num_threads(threads);
    p[threads - 1][7] = 1;
    const double times[] = {1, 2.5, 1e5};
    const transient_options o = {.method = TRANSIENT_DENSE};
    CHECK(transient_run(&q, &o, p[threads - 1], times, 3, NULL, NULL, NULL) == NESS_OK);
  }
  CHECK(memcmp(p[0], p[1], sizeof p[0]) == 0);
  CHECK_REL(p[0][150], 1.0 / 151, 1e-3); /* e^(-1e5 (pi / 151)^2) is gone */
  CHECK_NEAR(flow_mass(151, p[0]), 1, 1e-14);
  chain_free(&q);
}

/* --- wrong calls, edges, memory --- */

static ness_status refuse(void *context, int32_t index, const double *p)
{
  (void)p;
  ++*(int *)context;
  return index == 1 ? NESS_STOPPED : NESS_OK;
}

static void test_edges(void)
{
  chain q;
  flow_chain(2, (flow_edge[]){{0, 1, 0.3}, {1, 0, 1.7}}, 2, false, &q);
  double p[2] = {0.25, 0.75};
  const double wrong[][2] = {{1, 0.5}, {-1, 2}, {0, NAN}, {0, INFINITY}}, times[] = {0, 1, 2};
  transient_report r;
  for (int i = 0; i < 4; i++) CHECK(transient_run(&q, NULL, p, wrong[i], 2, NULL, NULL, &r) == NESS_USAGE);
  CHECK(transient_run(&q, NULL, (double[]){1, -1e-20}, times, 3, NULL, NULL, &r) == NESS_USAGE);
  CHECK(transient_run(&q, NULL, (double[]){1, NAN}, times, 3, NULL, NULL, &r) == NESS_USAGE);
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    const transient_options o = {.method = methods[m]};
    double v[2] = {0.25, 0.75};
    int visits = 0;
    CHECK(transient_run(&q, &o, v, NULL, 0, NULL, NULL, &r) == NESS_OK && v[0] == 0.25 && r.bound == 0);
    CHECK(transient_run(&q, &o, v, (double[]){0, 0}, 2, NULL, NULL, &r) == NESS_OK && v[1] == 0.75 && r.bound == 0);
    CHECK(transient_run(&q, &o, v, times, 3, refuse, &visits, &r) == NESS_STOPPED && visits == 2);
    double none[2] = {0};
    CHECK(transient_run(&q, &o, none, times, 3, NULL, NULL, &r) == NESS_OK && none[0] == 0 && none[1] == 0);
    CHECK(strlen(transient_name(methods[m])) > 3);
  }
  chain_free(&q);
  flow_chain(3, (flow_edge[]){{0, 0, 4}}, 1, false, &q); /* nothing moves */
  const double late = 1e300;
  double still[3] = {0.25, 0.5, 0.25};
  CHECK(transient_run(&q, NULL, still, &late, 1, NULL, NULL, &r) == NESS_OK && still[1] == 0.5 && r.bound < 1e-10);
  chain_free(&q);
  CHECK(chain_create(0, 0, false, &q) == NESS_OK);
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    const transient_options o = {.method = methods[m]};
    CHECK(transient_run(&q, &o, NULL, times, 3, NULL, NULL, &r) == NESS_OK);
  }
  chain_free(&q);
}

static void test_interrupt(void)
{
  chain q;
  lattice(50, &q);
  for (size_t m = 1; m < sizeof methods / sizeof *methods; m++) {
    double p[50] = {1};
    const transient_options o = {.method = methods[m]};
    ness_interrupt();
    CHECK(transient_run(&q, &o, p, (double[]){1e4}, 1, NULL, NULL, NULL) == NESS_INTERRUPTED);
    ness_interrupt_clear();
  }
  chain_free(&q);
}

static void test_memory(void)
{
  chain q;
  flow_chain(3, (flow_edge[]){{0, 1, 0.3}, {1, 0, 1.7}, {1, 2, 1}, {2, -1, 1}}, 4, true, &q);
  const double times[] = {0, 1, 2, 50};
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    const transient_options o = {.method = methods[m]};
    ness_status status = NESS_NOMEM;
    int after = 0;
    for (; status && after < 200; after++) {
      double p[3] = {1};
      mem_fail_after(after);
      status = transient_run(&q, &o, p, times, 4, NULL, NULL, NULL);
      mem_fail_after(-1);
      CHECK(status == NESS_OK || status == NESS_NOMEM);
    }
    CHECK(status == NESS_OK && after > 10);
  }
  chain_free(&q);
}

int main(void)
{
  test_windows();
  test_closed_forms();
  test_random();
  test_projection();
  test_stiff();
  test_passage();
  test_rest();
  test_lattice();
  test_dense_threads();
  test_edges();
  test_interrupt();
  test_memory();
  return check_done();
}
