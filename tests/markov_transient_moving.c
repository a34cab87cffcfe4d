/* Distributions in time at rates that move (transient_moving), against closed integrals, and its order and bounds. */
#include "markov_flow.h"
#include <omp.h>

/* --- two states with a(t) up and b(t) down --- */

typedef struct drive {
  int kind;
  int64_t calls;
} drive;

enum { SINE, SQUARE, TOUCH, STIFF, NEGATIVE, LEAVING, ARRIVALS };

static double drive_up(int kind, double t)
{
  switch (kind) {
  case SINE: return 1 + 0.9 * sin(3 * t);
  case SQUARE: return t < 0.5 ? 2 : t < 1.25 ? 0.1 : t < 1.26 ? 300 : 0; /* breaks: 0.5 1.25 1.26 */
  case TOUCH: return 1 + sin(3 * t);                                     /* is zero at times */
  case STIFF: return 1e9 * (1 + 0.5 * sin(t));
  case NEGATIVE: return 1 - t;
  default: return 0;
  }
}

static double drive_down(int kind, double t)
{
  switch (kind) {
  case SQUARE: return t < 0.5 ? 0.2 : 1;
  case TOUCH: return 1 - cos(2 * t);
  case STIFF: return 1e9;
  default: return 0.7 + 0.5 * cos(2 * t);
  }
}

static ness_status drive_rates(void *context, double t, double *rate, double *exit)
{
  drive *const self = context;
  self->calls++;
  (void)exit;
  rate[0] = drive_up(self->kind, t);
  rate[1] = drive_down(self->kind, t);
  return NESS_OK;
}

/* p of state 1 from 0: exp(-S(t)) integral of a exp(S) with S the integral of a + b, by Simpson's rule. */
static long double two_exact(int kind, double t)
{
  enum { STEPS = 40000 };
  const long double h = (long double)t / STEPS;
  long double sum = 0;
  for (int i = 0; i <= STEPS; i++) {
    const long double s = i * h;
    const long double a = kind == SINE ? 1 + 0.9L * sinl(3 * s) : 1 + sinl(3 * s);
    const long double both =
        kind == SINE ? 1.7L * s - 0.3L * cosl(3 * s) + 0.25L * sinl(2 * s) : 2 * s - cosl(3 * s) / 3 - sinl(2 * s) / 2;
    sum += (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2) * a * expl(both);
  }
  const long double end = kind == SINE
                              ? 1.7L * t - 0.3L * cosl(3 * (long double)t) + 0.25L * sinl(2 * (long double)t)
                              : 2 * (long double)t - cosl(3 * (long double)t) / 3 - sinl(2 * (long double)t) / 2;
  return sum * h / 3 * expl(-end);
}

static void two_chain(chain *out)
{
  flow_chain(2, (flow_edge[]){{0, 1, NAN}, {1, 0, NAN}}, 2, false, out); /* its own rates are passed over */
}

static void test_sine(void)
{
  chain q;
  two_chain(&q);
  for (int kind = SINE; kind <= TOUCH; kind += TOUCH - SINE) {
    for (int method = 0; method < 4; method++) {
      const double times[] = {0.01, 1, 1, 7.5};
      for (int t = 0; t < 4; t++) {
        drive d = {.kind = kind};
        double p[2] = {1};
        transient_report r;
        const transient_options o = {.method = (transient_method)method, .tolerance = 1e-9};
        CHECK(transient_moving(&q, drive_rates, &d, NULL, 0, &o, p, times, t + 1, NULL, NULL, &r) == NESS_OK);
        const double error = 2 * fabs((double)(p[1] - two_exact(kind, times[t])));
        CHECK(error <= r.bound && error < 1e-9 && r.bound < 4e-9 && !r.proven);
        CHECK(p[0] >= 0 && p[1] >= 0);
        CHECK_NEAR(p[0] + p[1], 1, 1e-14);
        CHECK(method == 0 || (int)r.method == method);
      }
    }
  }
  chain_free(&q);
}

/* Errors fall with the fourth power of the calls for rates: tolerances 1e-4 to 1e-8, the slope of the logarithms. */
static void test_order(void)
{
  chain q;
  two_chain(&q);
  const double t = 7.5;
  double x[2] = {0}, y[2] = {0};
  for (int k = 4; k <= 8; k += 4) {
    drive d = {.kind = SINE};
    double p[2] = {1};
    const transient_options o = {.tolerance = pow(10, -k)};
    CHECK(transient_moving(&q, drive_rates, &d, NULL, 0, &o, p, &t, 1, NULL, NULL, NULL) == NESS_OK);
    x[k / 4 - 1] = log((double)d.calls);
    y[k / 4 - 1] = log(2 * fabs((double)(p[1] - two_exact(SINE, t))));
    printf("  tolerance %.0e: error %.2e, %lld calls for rates\n", o.tolerance, exp(y[k / 4 - 1]), (long long)d.calls);
  }
  const double order = -(y[1] - y[0]) / (x[1] - x[0]);
  printf("  order %.2f\n", order);
  CHECK(order > 3.3 && order < 5.5);
  chain_free(&q);
}

/* --- jumps: products of closed exponentials --- */

static ness_status square_see(void *context, int32_t index, const double *p)
{
  (void)index;
  double **const next = context;
  *(*next)++ = p[1];
  return NESS_OK;
}

static double square_exact(double t)
{
  const double edge[] = {0, 0.5, 1.25, 1.26, INFINITY};
  long double p = 0;
  for (int k = 0; k < 4 && edge[k] < t; k++) {
    const long double a = drive_up(SQUARE, edge[k]), b = drive_down(SQUARE, edge[k]);
    const long double span = fmin(t, edge[k + 1]) - (long double)edge[k];
    p = a / (a + b) + (p - a / (a + b)) * expl(-(a + b) * span);
  }
  return (double)p;
}

static void test_square(void)
{
  const double breaks[] = {-1, 0, 0.5, 0.5, 1.25, 1.26, 50}, times[] = {0, 0.1, 0.5, 0.75, 1.255, 1.26, 1.3, 1.3, 4};
  chain q;
  two_chain(&q);
  for (int method = 0; method < 4; method++) {
    drive d = {.kind = SQUARE};
    double p[2] = {1}, seen[9], *next = seen;
    transient_report r;
    const transient_options o = {.method = (transient_method)method, .tolerance = 1e-13};
    CHECK(transient_moving(&q, drive_rates, &d, breaks, 7, &o, p, times, 9, square_see, &next, &r) == NESS_OK);
    CHECK(next == seen + 9 && r.proven == (method != TRANSIENT_KRYLOV));
    for (int i = 0; i < 9; i++) {
      CHECK(fabs(seen[i] - square_exact(times[i])) < 2e-14);
      CHECK(2 * fabs(seen[i] - square_exact(times[i])) <= r.bound + 1e-16);
    }
    CHECK(p[1] == seen[8] && r.bound < 2e-12);
    CHECK_NEAR(p[0] + p[1], 1, 1e-15);
  }
  chain_free(&q);
}

/* --- rates of 1e9 that move in seconds: p follows a / (a + b) but for 1e-9 of a second --- */

static void test_stiff(void)
{
  chain q;
  two_chain(&q);
  drive d = {.kind = STIFF};
  double p[2] = {1};
  const double t = 4;
  transient_report r;
  const transient_options o = {.tolerance = 1e-3};
  CHECK(transient_moving(&q, drive_rates, &d, NULL, 0, &o, p, &t, 1, NULL, NULL, &r) == NESS_OK);
  const double a = drive_up(STIFF, t);
  const double error = 2 * fabs(p[1] - a / (a + 1e9));
  printf("  stiff: error %.1e, bound %.1e, %s, %lld calls\n", error, r.bound, transient_name(r.method),
         (long long)d.calls);
  CHECK(r.method == TRANSIENT_DENSE && error <= r.bound / 5 && error < 1e-4);
  chain_free(&q);
}

/* --- many states: arrivals that move into M/M/inf stay Poisson; exits that move --- */

static ness_status many_rates(void *context, double t, double *rate, double *exit)
{
  const drive *const self = context;
  if (self->kind == LEAVING) {
    rate[0] = 5;
    rate[1] = 2;
    exit[0] = exit[1] = 1 + sin(4 * t); /* the same from both: what is left is exp(-integral) */
    return NESS_OK;
  }
  for (int i = 0, e = 0; i < 100; i++) {
    if (i > 0) rate[e++] = i;
    if (i < 99) rate[e++] = 15 * (1 + 0.8 * cos(2 * t));
  }
  return NESS_OK;
}

static void test_many(void)
{
  double one[100];
  for (int i = 0; i < 100; i++) one[i] = 1;
  chain q;
  flow_birth_death(100, one, one, &q);
  drive d = {.kind = ARRIVALS};
  double p[2][100] = {{1}, {1}};
  const double t = 3.3;
  transient_report r;
  const transient_options o = {.tolerance = 1e-9};
  for (int threads = 1; threads <= 2; threads++) {
    omp_set_num_threads(threads);
    CHECK(transient_moving(&q, many_rates, &d, NULL, 0, &o, p[threads - 1], &t, 1, NULL, NULL, &r) == NESS_OK);
  }
  CHECK(memcmp(p[0], p[1], sizeof p[0]) == 0);
  /* m' = 15 (1 + 0.8 cos 2t) - m */
  const long double mean =
      15 * (-expm1l(-(long double)t)) + 12 * (cosl(2 * t) + 2 * sinl(2 * t) - expl(-(long double)t)) / 5;
  long double exact[100];
  for (int k = 0; k < 100; k++) exact[k] = expl(k * logl(mean) - mean - lgammal(k + 1.0L));
  const double error = flow_distance(100, p[0], exact);
  printf("  arrivals: error %.1e, bound %.1e, %lld products\n", error, r.bound, (long long)r.products);
  CHECK(error <= r.bound && error < 1e-9 && flow_nonnegative(100, p[0]));
  CHECK_NEAR(flow_mass(100, p[0]), 1, 1e-14);
  chain_free(&q);
  flow_chain(2, (flow_edge[]){{0, 1, 1}, {1, 0, 1}, {0, -1, 1}}, 3, true, &q);
  d.kind = LEAVING;
  for (int method = 0; method < 4; method++) {
    double v[2] = {0.5, 0.5};
    const transient_options by = {.method = (transient_method)method, .tolerance = 1e-9};
    CHECK(transient_moving(&q, many_rates, &d, NULL, 0, &by, v, &t, 1, NULL, NULL, &r) == NESS_OK);
    const double left = exp(-(t + (1 - cos(4 * t)) / 4));
    CHECK(fabs(v[0] + v[1] - left) <= r.bound && fabs(v[0] + v[1] - left) < 1e-9);
  }
  chain_free(&q);
}

/* --- wrong calls, interrupt, memory --- */

static void test_edges(void)
{
  chain q;
  two_chain(&q);
  drive d = {.kind = NEGATIVE};
  double p[2] = {1};
  const double times[] = {0, 0, 2}, unsorted[] = {1, 0.5};
  transient_report r;
  CHECK(transient_moving(&q, drive_rates, &d, NULL, 0, NULL, p, times, 3, NULL, NULL, &r) == NESS_NUMERIC);
  CHECK(transient_moving(&q, drive_rates, &d, unsorted, 2, NULL, p, times, 3, NULL, NULL, &r) == NESS_USAGE);
  CHECK(transient_moving(&q, drive_rates, &d, NULL, 0, NULL, p, (double[]){-1}, 1, NULL, NULL, &r) == NESS_USAGE);
  d.kind = SINE;
  memcpy(p, (double[]){0.25, 0.75}, sizeof p);
  d.calls = 0;
  CHECK(transient_moving(&q, drive_rates, &d, NULL, 0, NULL, p, times, 2, NULL, NULL, &r) == NESS_OK);
  CHECK(p[0] == 0.25 && p[1] == 0.75 && d.calls == 0 && r.bound == 0);
  CHECK(transient_moving(&q, drive_rates, &d, NULL, 0, NULL, p, NULL, 0, NULL, NULL, NULL) == NESS_OK && p[0] == 0.25);
  ness_interrupt();
  CHECK(transient_moving(&q, drive_rates, &d, NULL, 0, NULL, p, times, 3, NULL, NULL, &r) == NESS_INTERRUPTED);
  ness_interrupt_clear();
  chain_free(&q);
}

static void test_memory(void)
{
  chain q;
  flow_chain(2, (flow_edge[]){{0, 1, 1}, {1, 0, 1}, {0, -1, 1}}, 3, true, &q);
  drive d = {.kind = LEAVING};
  for (int method = 0; method < 4; method++) {
    const double times[] = {0, 0.1, 0.3}, breaks[] = {0.2};
    const transient_options o = {.method = (transient_method)method, .tolerance = 1e-4};
    ness_status status = NESS_NOMEM;
    int after = 0;
    for (; status && after < 2000; after++) {
      double p[2] = {1};
      mem_fail_after(after);
      status = transient_moving(&q, many_rates, &d, breaks, 1, &o, p, times, 3, NULL, NULL, NULL);
      mem_fail_after(-1);
      CHECK(status == NESS_OK || status == NESS_NOMEM);
    }
    CHECK(status == NESS_OK && after > 20);
  }
  chain_free(&q);
}

int main(void)
{
  test_sine();
  test_order();
  test_square();
  test_stiff();
  test_many();
  test_edges();
  test_memory();
  return check_done();
}
