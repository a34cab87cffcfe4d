/* Networks under moving rates against exact laws. Birth and death under a sine: Poisson at every time, with the mean of
 * a differential equation. Two states under Ornstein-Uhlenbeck input: the master equation on a grid, extrapolated, and
 * its limits of fast and of frozen input. A square wave: a closed form. A ramp: Jarzynski's and Crooks' equalities.
 * Bookkeeping: every event anew by other formulas, and the closure of entropy, works and energy on every trajectory.
 * Statistics are held to SIGMA; there are about 60, so that all together raise a false alarm below 1e-6 under random
 * seeds, and the seeds are fixed. A law whose exponent is 3 % off must be noticed by the same comparison. Cost: 9 s. */
#include "check.h"
#include "engine/motion/motion.h"

#include <stdlib.h>

enum { BINS = 24, GRID = 401 };
#define SIGMA 6.2 /* 6e-10 of the normal law */
#define PI 3.14159265358979323846

static const path_kind kinds[] = {PATH_SINE, PATH_STEPS, PATH_LINEAR, PATH_OU, PATH_SHOT};
static const double point_time[] = {0, 0.3, 0.9}, point_value[] = {0.8, -0.9, 0.3};

/* An input of every kind, about within -1 ... 1 (the drawn ones within -3 ... 3). */
static path_spec path_of(path_kind kind)
{
  switch (kind) {
  case PATH_SINE: return (path_spec){.kind = kind, .amplitude = 1, .frequency = 0.4, .phase = 0.5};
  case PATH_OU: return (path_spec){.kind = kind, .sd = 0.4, .tau = 0.7};
  case PATH_SHOT: return (path_spec){.kind = kind, .base = -0.5, .jump = 0.2, .rate = 4, .tau = 0.5};
  default: return (path_spec){.kind = kind, .points = 3, .time = point_time, .value = point_value, .period = 1.25};
  }
}

/* --- networks --- */

static void add_step(network_builder *b, const char *name, int32_t left, int32_t right, int32_t bath, double kf,
                     double kb)
{
  const builder_step step = {.name = name,
                             .text = name,
                             .nleft = left >= 0,
                             .left = &left,
                             .nright = right >= 0,
                             .right = &right,
                             .nres_left = bath >= 0,
                             .res_left = &bath,
                             .law = {kf > 0 ? LAW_MASS : LAW_NONE, kb > 0 ? LAW_MASS : LAW_NONE},
                             .k = {kf, kb},
                             .lnk = (double)NAN};
  builder_step_add(b, &step);
}

static ness_network *finish(network_builder *b)
{
  ness_network *net = NULL;
  ness_diags *diags = ness_diags_create();
  CHECK(builder_finish(b, diags, &net) == NESS_OK);
  ness_diags_free(diags);
  builder_free(b);
  return net;
}

/* 0 -> A -> 0. */
static ness_network *birth_death(double birth, double death)
{
  network_builder *b = builder_create("birth", 0);
  builder_slot(b, "A", 0, MODEL_NO_MAX, 0, 0, -1, -1);
  add_step(b, "birth", -1, 0, -1, birth, 0);
  add_step(b, "death", 0, -1, -1, death, 0);
  return finish(b);
}

/* Two states and some ways between them. */
static ness_network *two_states(int64_t copies, int32_t ways)
{
  network_builder *b = builder_create("two", 0);
  builder_slot(b, "A", copies, MODEL_NO_MAX, 0, 0, -1, -1);
  builder_slot(b, "B", 0, MODEL_NO_MAX, 0, 0, -1, -1);
  for (int32_t i = 0; i < ways; i++) {
    add_step(b, "flip", 0, 1, -1, 1, 1);
  }
  return finish(b);
}

/* --- statistics --- */

typedef struct estimate {
  double mean, error;
} estimate;

/* A ratio of sums over batches, by leaving out one at a time. */
static estimate ratio(const double *top, int32_t width, int32_t at, const double *bottom, int32_t batches)
{
  double a = 0, b = 0, square = 0;
  for (int32_t i = 0; i < batches; i++) {
    a += top[i * width + at];
    b += bottom[i];
  }
  for (int32_t i = 0; i < batches; i++) {
    const double off = (a - top[i * width + at]) / (b - bottom[i]) - a / b;
    square += off * off;
  }
  return (estimate){a / b, sqrt(square * (batches - 1) / batches)};
}

static double estimate_off(estimate e, double exact)
{
  return (e.mean - exact) / e.error;
}

/* 64 batches have Student's law with 63 degrees; this limit has the false alarms of SIGMA there. */
#define STUDENT 7.6
#define CHECK_ESTIMATE(e, exact)                                                                                       \
  do {                                                                                                                 \
    const estimate check_e = (e);                                                                                      \
    if (!(fabs(estimate_off(check_e, (exact))) < STUDENT))                                                             \
      fprintf(stderr, "  %.8g +- %.2g, expected %.8g\n", check_e.mean, check_e.error, (double)(exact));                \
    CHECK(fabs(estimate_off(check_e, (exact))) < STUDENT);                                                             \
  } while (0)

static motion_result run(const ness_network *net, const motion_law *law, const path_spec *spec, motion_options options)
{
  motion_result result;
  ness_diags *diags = ness_diags_create();
  options.threads = options.threads ? options.threads : 1;
  const ness_status status = motion_run(net, law, spec, &options, diags, &result);
  CHECK(status == NESS_OK);
  if (status) {
    char *text = ness_diags_render(diags, 0);
    fprintf(stderr, "%s", text ? text : "");
    ness_text_free(text);
    exit(1);
  }
  ness_diags_free(diags);
  return result;
}

/* --- series --- */

/* By the cosine, inside [-1, 1]. */
static double plain_series(const double *c, int32_t terms, double x)
{
  double sum = 0;
  for (int32_t k = 0; k < terms; k++) {
    sum += c[k] * cos(k * acos(fmin(fmax(x, -1), 1)));
  }
  return sum;
}

static void test_series(void)
{
  double c[41], basis[40];
  rng_stream rng;
  rng_init(&rng, 31, 0, 0);
  for (int32_t trial = 0; trial < 3000; trial++) {
    const series f = {c, 1 + (int32_t)rng_below(&rng, 41)};
    const double decay = rng_double(&rng);
    for (int32_t k = 0; k < f.terms; k++) {
      c[k] = (2 * rng_double(&rng) - 1) * pow(decay, k);
    }
    const double from = 2 * rng_double(&rng) - 1, to = from + (1 - from) * pow(10, -4 * rng_double(&rng));
    const double most = series_most(f, series_measure(f), from, to);
    double best = -INFINITY;
    for (int32_t i = 0; i < 200; i++) {
      best = fmax(best, series_value(f, i ? from + (to - from) * rng_double(&rng) : to));
    }
    CHECK(best <= most);
    CHECK(most <= best + 2 * series_measure(f).sum + 1e-12);
    CHECK(f.terms > 2 || most <= fmax(series_value(f, from), series_value(f, to)) + 1e-13);
    CHECK_NEAR(series_value(f, from), plain_series(c, f.terms, from), 1e-11);
    series_basis(from, 40, basis);
    CHECK_NEAR(basis[39], cos(40 * acos(from)), 1e-11);
  }
}

/* --- birth and death --- */

typedef struct exponent {
  const double *c;
  int32_t terms;
} exponent;

/* The mean at time t from 0: m' = exp(f(u)) - d m, by Runge and Kutta. */
static double birth_mean(const path_spec *spec, exponent f, double death, double t)
{
  const int32_t steps = 20000;
  const double h = t / steps;
  double m = 0;
  for (int32_t i = 0; i < steps; i++) {
    double b[3];
    for (int32_t j = 0; j < 3; j++) {
      const double u = spec->mean + spec->amplitude * sin(2 * PI * spec->frequency * (i + 0.5 * j) * h + spec->phase);
      b[j] = exp(plain_series(f.c, f.terms, u / 2));
    }
    const double k1 = b[0] - death * m, k2 = b[1] - death * (m + h / 2 * k1);
    const double k3 = b[1] - death * (m + h / 2 * k2), k4 = b[2] - death * (m + h * k3);
    m += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
  }
  return m;
}

/* Chi-square of the counts at the end against the Poisson law of this mean, as about a standard normal. */
static double poisson_off(const motion_result *result, double mean)
{
  double count[BINS] = {0}, share[BINS], rest = 1, sum = 0;
  const double n = (double)result->replicas;
  int32_t bins = 0;
  for (int32_t k = 0; k < BINS; k++) {
    share[k] = k + 1 < BINS ? exp(k * log(mean) - mean - lgamma(k + 1.0)) : rest;
    rest -= share[k];
  }
  for (int64_t i = 0; i < result->replicas; i++) {
    count[result->end[i] < BINS ? result->end[i] : BINS - 1]++;
  }
  for (int32_t k = 0; k < BINS; k++) { /* the rare ones go to a neighbour */
    if (share[k] * n < 20 && k + 1 < BINS) {
      share[k + 1] += share[k];
      count[k + 1] += count[k];
    } else if (share[k] * n >= 20) {
      sum += (count[k] - n * share[k]) * (count[k] - n * share[k]) / (n * share[k]);
      bins++;
    }
  }
  const double df = bins - 1, spread = 2 / (9 * df);
  return (cbrt(sum / df) - (1 - spread)) / sqrt(spread);
}

/* Rates by `f`, the law that is expected by `expected`. */
static double birth_off(double frequency, double t, exponent f, exponent expected)
{
  const int32_t dir = 0, start[] = {0, f.terms};
  const path_spec spec = {.kind = PATH_SINE, .amplitude = 1.5, .frequency = frequency, .phase = 0.4};
  const motion_law law = {.u_lo = -2, .u_hi = 2, .nmove = 1, .move_dir = &dir, .move = {start, f.c}};
  ness_network *net = birth_death(1, 0.8);
  motion_result result =
      run(net, &law, &spec, (motion_options){.replicas = 60000, .time = t, .seed = 5, .keep_end = true});
  const double mean = birth_mean(&spec, expected, 0.8, t);
  const double off = poisson_off(&result, mean);
  double sum = 0;
  for (int64_t i = 0; i < result.replicas; i++) {
    sum += (double)result.end[i];
  }
  const double mean_off = (sum / (double)result.replicas - mean) / sqrt(mean / (double)result.replicas);
  CHECK(result.one_way == result.events);
  motion_result_free(&result);
  network_free(net);
  return fmax(off, fabs(mean_off));
}

static void test_birth(void)
{
  static const double line[] = {1, 1.6}, off_line[] = {1, 1.6 * 0.97};
  static const double curve[] = {0.8, 0.5, -0.7, 0.4, 0.2, -0.3, 0.1, 0.05};
  const exponent f = {line, 2}, g = {curve, 8}, wrong = {off_line, 2};
  for (double frequency = 0.05; frequency < 100; frequency *= 8) {
    CHECK(birth_off(frequency, 1.3, f, f) < SIGMA);
    CHECK(birth_off(frequency, 2.6, f, f) < SIGMA);
    CHECK(birth_off(frequency, 1.9, g, g) < SIGMA);
  }
  CHECK(birth_off(0.4, 1.3, wrong, f) > SIGMA);
}

/* --- two states under Ornstein-Uhlenbeck input --- */

#define UP 1.1 /* of the exponents: k = k0 exp(c u) */
#define DOWN (-0.4)
#define K_UP 0.8
#define K_DOWN 1.3
#define OU_SD 0.9

/* Rate of the forward events in the steady state, on a chain of n places between +-7 sd with detailed balance. The
 * probability of B at a place solves a tridiagonal system. */
static double grid_rate(double tau, int32_t n)
{
  double pi[GRID], up[GRID] = {0}, down[GRID] = {0}, kf[GRID], kb[GRID], c[GRID], d[GRID], sum = 0, rate = 0;
  const double h = 14 * OU_SD / (n - 1), speed = OU_SD * OU_SD / tau / (h * h);
  for (int32_t i = 0; i < n; i++) {
    const double x = -7 * OU_SD + i * h;
    pi[i] = exp(-x * x / (2 * OU_SD * OU_SD));
    kf[i] = K_UP * exp(UP * x);
    kb[i] = K_DOWN * exp(DOWN * x);
    sum += pi[i];
  }
  for (int32_t i = 0; i < n; i++) {
    pi[i] /= sum;
  }
  for (int32_t i = 0; i < n; i++) {
    up[i] = i + 1 < n ? speed * sqrt(pi[i + 1] / pi[i]) : 0;
    down[i] = i > 0 ? speed * sqrt(pi[i - 1] / pi[i]) : 0;
  }
  for (int32_t i = 0; i < n; i++) { /* -up[i-1] b[i-1] + (up + down + kf + kb) b[i] - down[i+1] b[i+1] = kf pi */
    const double diagonal = up[i] + down[i] + kf[i] + kb[i], lower = i > 0 ? -up[i - 1] : 0;
    const double upper = i + 1 < n ? -down[i + 1] : 0, pivot = diagonal - (i > 0 ? lower * c[i - 1] : 0);
    c[i] = upper / pivot;
    d[i] = (kf[i] * pi[i] - (i > 0 ? lower * d[i - 1] : 0)) / pivot;
  }
  double b = 0;
  for (int32_t i = n - 1; i >= 0; i--) {
    b = d[i] - c[i] * b;
    rate += kf[i] * (pi[i] - b);
  }
  return rate;
}

static motion_result run_ou(const ness_network *net, double tau, double time, double warmup, int64_t replicas)
{
  static const int32_t dirs[] = {0, 1}, start[] = {0, 2, 4}, one[] = {0, 2};
  const int32_t works[] = {0, 1}, source = network_sources(net) - 1;
  const double size = 12, coefs[] = {log(K_UP), UP * size, log(K_DOWN), DOWN * size};
  const double lnk[] = {log(K_UP / K_DOWN), (UP - DOWN) * size};
  const motion_law law = {-size, size, 2, dirs, {start, coefs}, {one, lnk}, {NULL, NULL}, works, &source, {one, lnk}};
  const path_spec spec = {.kind = PATH_OU, .sd = OU_SD, .tau = tau};
  return run(net, &law, &spec, (motion_options){.replicas = replicas, .time = time, .warmup = warmup, .seed = 6});
}

static void test_ou(void)
{
  ness_network *net = two_states(1, 1);
  const double taus[] = {0.02, 0.3, 1, 10};
  for (size_t i = 0; i < sizeof taus / sizeof *taus; i++) {
    const double tau = taus[i], exact = (4 * grid_rate(tau, 401) - grid_rate(tau, 201)) / 3;
    const double coarse = (4 * grid_rate(tau, 201) - grid_rate(tau, 101)) / 3;
    CHECK_NEAR(coarse, exact, 1e-4);
    motion_result result = run_ou(net, tau, tau < 0.1 ? 40 : 400, 10 + tau, 512);
    CHECK_ESTIMATE(ratio(result.fwd, 1, 0, result.counted, result.batches), exact);
    CHECK_ESTIMATE(ratio(result.u_sum, 1, 0, result.u_samples, result.batches), 0);
    CHECK_ESTIMATE(ratio(result.u_sum2, 1, 0, result.u_samples, result.batches), OU_SD * OU_SD);
    motion_result_free(&result);
  }
  const double up = K_UP * exp(UP * UP * OU_SD * OU_SD / 2), down = K_DOWN * exp(DOWN * DOWN * OU_SD * OU_SD / 2);
  motion_result fast = run_ou(net, 1e-3, 20, 10, 256);
  const estimate averaged = ratio(fast.fwd, 1, 0, fast.counted, fast.batches);
  CHECK(fabs(averaged.mean - up * down / (up + down)) < STUDENT * averaged.error + 2e-3);
  CHECK_NEAR(grid_rate(1e-5, 401), up * down / (up + down), 1e-3);
  motion_result_free(&fast);
  double frozen = 0; /* the same grid as a quadrature: exact far beyond the sampling error */
  for (int32_t i = 0; i < 2801; i++) {
    const double x = -7 * OU_SD + i * OU_SD / 200, a = K_UP * exp(UP * x), b = K_DOWN * exp(DOWN * x);
    frozen += exp(-x * x / (2 * OU_SD * OU_SD)) / (sqrt(2 * PI) * 200) * a * b / (a + b);
  }
  motion_result slow = run_ou(net, 1e6, 60, 20, 40000);
  CHECK_ESTIMATE(ratio(slow.fwd, 1, 0, slow.counted, slow.batches), frozen);
  motion_result_free(&slow);
  network_free(net);
}

/* --- square wave --- */

/* Channel i has k_f = exp(a_i + b_i u - g(u)/2), k_b = exp(a_i + b_i u + g(u)/2), g(u) = G0 + G1 u. */
#define G0 0.2
#define G1 1.1
static const double channel_a[] = {0.4, -0.3}, channel_b[] = {0.7, -0.5};

static double channel_rate(int32_t i, double u)
{
  return exp(channel_a[i] + channel_b[i] * u) * 2 * cosh(0.5 * (G0 + G1 * u));
}

static void test_square(double period)
{
  const double times[] = {0, period / 2}, values[] = {1, -1};
  const path_spec spec = {.kind = PATH_STEPS, .points = 2, .time = times, .value = values, .period = period};
  const int32_t dirs[] = {0, 1, 2, 3}, start[] = {0, 2, 4, 6, 8}, lnk_start[] = {0, 2, 4}, g_start[] = {0, 0, 2};
  const int32_t works[] = {0, 0, 0};
  double coefs[8], lnk[4], e[2], r[2], p[2], phi[2];
  for (int32_t i = 0; i < 2; i++) {
    const double u = values[i];
    for (int32_t way = 0; way < 2; way++) { /* on -1 ... 1 */
      coefs[4 * i + 2 * way] = channel_a[i] + (way ? 0.5 : -0.5) * G0;
      coefs[4 * i + 2 * way + 1] = channel_b[i] + (way ? 0.5 : -0.5) * G1;
    }
    lnk[2 * i] = -G0;
    lnk[2 * i + 1] = -G1;
    r[i] = channel_rate(0, u) + channel_rate(1, u);
    e[i] = exp(-r[i] * period / 2);
    p[i] = 1 / (1 + exp(G0 + G1 * u));
    phi[i] = channel_rate(0, u) / r[i];
  }
  const double g[] = {G0, G1};
  const motion_law law = {-1, 1, 4, dirs, {start, coefs}, {lnk_start, lnk}, {g_start, g}, works, works, {NULL, NULL}};
  ness_network *net = two_states(3, 2);
  const double whole = ceil(200 / period) * period, warmup = ceil(20 / period) * period;
  motion_result result =
      run(net, &law, &spec,
          (motion_options){
              .replicas = 512, .time = warmup + whole, .warmup = warmup, .seed = 7, .period = period, .phases = 2});
  const double swing = 3 * (p[0] - p[1]) * (1 - e[0]) * (1 - e[1]) / (1 - e[0] * e[1]) / period;
  double net_flow[128], half[128];
  for (int32_t i = 0; i < result.batches; i++) {
    net_flow[i] = result.fwd[2 * i] - result.bwd[2 * i];
    half[i] = result.phase_fwd[4 * i] - result.phase_bwd[4 * i]; /* first phase, first channel */
    for (int32_t s = 0; s < 2; s++) {
      CHECK(result.fwd[2 * i + s] == result.phase_fwd[4 * i + s] + result.phase_fwd[4 * i + 2 + s]);
      CHECK(result.bwd[2 * i + s] == result.phase_bwd[4 * i + s] + result.phase_bwd[4 * i + 2 + s]);
    }
    CHECK(fabs(result.medium[i] - result.input_work[i] + result.energy[i]) < 1e-9 * (1 + fabs(result.medium[i])));
  }
  CHECK_ESTIMATE(ratio(net_flow, 1, 0, result.counted, result.batches), (phi[0] - phi[1]) * swing);
  CHECK_ESTIMATE(ratio(half, 1, 0, result.counted, result.batches), phi[0] * swing);
  CHECK(result.candidates == result.events);
  CHECK(period > 0.1 || (double)result.windows < 8 * (double)result.events + 20000); /* whole periods pass at once */
  motion_result_free(&result);
  network_free(net);
}

/* --- a ramp --- */

#define RAMP 3.0
enum { RAMPS = 40000 };

/* Works of a two-state molecule whose energy goes from `from` to `to` within a second, from equilibrium. */
static motion_result run_ramp(const ness_network *net, double from, double to)
{
  const double times[] = {15, 16}, values[] = {from, to};
  const int32_t dirs[] = {0, 1}, start[] = {0, 2, 4}, one[] = {0, 2}, g_start[] = {0, 0, 2}, works[] = {0, 0};
  const double half = RAMP / 2, mid = 0.5 * half; /* g = half (1 + x) on 0 ... RAMP, k = exp(0.6 +- g/2) */
  const double coefs[] = {0.6 - mid, -mid, 0.6 + mid, mid}, lnk[] = {-half, -half}, g[] = {half, half};
  const motion_law law = {0, RAMP, 2, dirs, {start, coefs}, {one, lnk}, {g_start, g}, works, works, {NULL, NULL}};
  const path_spec spec = {.kind = PATH_LINEAR, .points = 2, .time = times, .value = values};
  return run(net, &law, &spec,
             (motion_options){.replicas = RAMPS, .time = 16, .warmup = 15, .seed = 8, .keep_work = true});
}

static double mean_off(const double *x, int64_t n, double exact)
{
  double sum = 0, square = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += x[i] - exact;
    square += (x[i] - exact) * (x[i] - exact);
  }
  return sum / (double)n / sqrt(square / (double)n / (double)n);
}

static void test_ramp(void)
{
  ness_network *net = two_states(1, 1);
  const double change = log(2) - log(1 + exp(-RAMP)); /* of the free energy, upwards */
  motion_result up = run_ramp(net, 0, RAMP), down = run_ramp(net, RAMP, 0);
  const int64_t n = up.replicas;
  static double x[RAMPS];
  double work = 0;
  for (int64_t i = 0; i < n; i++) {
    x[i] = exp(-up.work_list[i]);
    work += up.work_list[i] / (double)n;
  }
  CHECK(fabs(mean_off(x, n, exp(-change))) < SIGMA);
  CHECK(work > change + 0.05 && fabs(mean_off(x, n, exp(-work))) > SIGMA);
  for (int64_t i = 0; i < n; i++) {
    x[i] = exp(-down.work_list[i]);
  }
  CHECK(fabs(mean_off(x, n, exp(change))) < SIGMA);
  for (int32_t k = 1; k <= 3; k++) { /* <W^k exp(-W)> up = exp(-change) <(-W)^k> down, by pairs of replicas */
    for (int64_t i = 0; i < n; i++) {
      x[i] = pow(up.work_list[i], k) * exp(-up.work_list[i]) - exp(-change) * pow(-down.work_list[i], k);
    }
    CHECK(fabs(mean_off(x, n, 0)) < SIGMA);
  }
  motion_result_free(&up);
  motion_result_free(&down);
  network_free(net);
}

/* --- bookkeeping --- */

enum { TERMS = 6, RING = 3 };

/* A ring of three states with a bath in one step, of random series of TERMS terms; lnk and g by construction. */
typedef struct ring {
  ness_network *net;
  int32_t dirs[2 * RING], move_start[2 * RING + 1], row_start[RING + 1], work_start[RING + 1], work_src[RING + 1];
  int32_t work_row[RING + 2];
  double g[RING * TERMS], lnk[RING * TERMS], move[2 * RING * TERMS], work[(RING + 1) * TERMS];
  motion_law law;
} ring;

static void ring_make(ring *self, int64_t copies)
{
  rng_stream rng;
  network_builder *b = builder_create("ring", 0);
  rng_init(&rng, 41, 0, 0);
  builder_reservoir(b, "F", 0.3, 1, 0, -1);
  for (int32_t i = 0; i < RING; i++) {
    builder_slot(b, "S", i == 0 ? copies : 1, MODEL_NO_MAX, 0.1 * i, 0, -1, -1);
  }
  for (int32_t i = 0; i < RING; i++) {
    add_step(b, "turn", i, (i + 1) % RING, i == 0 ? 0 : -1, 1, 1);
  }
  self->net = finish(b);
  for (int32_t i = 0; i < RING * TERMS; i++) {
    self->g[i] = (rng_double(&rng) - 0.5) / (1 + i % TERMS);
  }
  for (int32_t i = 0; i < (RING + 1) * TERMS; i++) {
    self->work[i] = (rng_double(&rng) - 0.5) / (1 + i % TERMS);
  }
  for (int32_t s = 0; s < RING; s++) { /* works: one of `undeclared` each, and behind it one of the bath for step 2 */
    for (int32_t k = 0; k < TERMS; k++) {
      const double extra = s == RING - 1 ? self->work[RING * TERMS + k] : 0;
      const double lnk =
          self->g[s * TERMS + k] - self->g[(s + 1) % RING * TERMS + k] + self->work[s * TERMS + k] + extra;
      const double common = (rng_double(&rng) - 0.5) / (1 + k);
      self->lnk[s * TERMS + k] = lnk;
      self->move[2 * s * TERMS + k] = common + 0.5 * lnk;
      self->move[(2 * s + 1) * TERMS + k] = common - 0.5 * lnk;
    }
  }
  for (int32_t i = 0; i <= 2 * RING; i++) {
    self->move_start[i] = i * TERMS;
    if (i < 2 * RING) self->dirs[i] = i;
  }
  for (int32_t i = 0; i <= RING + 1; i++) {
    self->work_row[i] = i * TERMS;
  }
  for (int32_t i = 0; i <= RING; i++) {
    self->row_start[i] = i * TERMS;
    self->work_start[i] = i == RING ? RING + 1 : i;
    self->work_src[i] = i == RING ? 0 : network_sources(self->net) - 1;
  }
  self->law = (motion_law){-3,
                           3,
                           2 * RING,
                           self->dirs,
                           {self->move_start, self->move},
                           {self->row_start, self->lnk},
                           {self->row_start, self->g},
                           self->work_start,
                           self->work_src,
                           {self->work_row, self->work}};
}

/* Every event anew, from the counts before and after it and u: entropy, works of the input and integrals. */
static void test_events(path_kind kind)
{
  ring r;
  motion_net shared;
  motion_replica replica;
  ring_make(&r, 4);
  const path_spec spec = path_of(kind);
  CHECK(motion_law_check(r.net, &r.law, NULL) == NESS_OK);
  CHECK(motion_net_init(&shared, r.net, &r.law, &spec, 1, 4) == NESS_OK);
  CHECK(motion_replica_init(&replica, &shared) == NESS_OK);
  for (int64_t index = 0; index < 20; index++) {
    double medium = 0, input = 0, dwell = 0, dwell2 = 0, bath = 0, work[2], last_u, last_t = 2;
    int64_t fired[2 * RING] = {0}, n[RING], events = 0;
    motion_replica_start(&replica, &shared, 9, index);
    while (motion_advance(&replica, &shared, 2, 1) == MOTION_BUSY) {
    }
    motion_clear(&replica, &shared);
    last_u = replica.path.u;
    memcpy(n, replica.n, sizeof n);
    for (bool busy = true; busy;) {
      busy = motion_advance(&replica, &shared, 12, 1) == MOTION_BUSY;
      const double u = replica.path.u, t = replica.path.t, x = u / 3;
      if (busy && memcmp(fired, replica.fired, sizeof fired) == 0) continue;
      for (int32_t i = 0; i < RING; i++) { /* up to here with the counts before */
        const double *const g = r.g + (ptrdiff_t)i * TERMS;
        input += (double)n[i] * (plain_series(g, TERMS, x) - plain_series(g, TERMS, last_u / 3));
      }
      dwell += (double)n[1] * (t - last_t);
      dwell2 += (double)(n[1] * n[1]) * (t - last_t);
      for (int32_t d = 0; d < 2 * RING; d++) {
        const double times = (double)(replica.fired[d] - fired[d]) * (d % 2 ? -1 : 1);
        medium += times * plain_series(r.lnk + (ptrdiff_t)(d / 2) * TERMS, TERMS, x);
        bath += d / 2 == RING - 1 ? times * plain_series(r.work + (ptrdiff_t)RING * TERMS, TERMS, x) : 0;
        n[d / 2] -= (replica.fired[d] - fired[d]) * (d % 2 ? -1 : 1);
        n[(d / 2 + 1) % RING] += (replica.fired[d] - fired[d]) * (d % 2 ? -1 : 1);
        events += replica.fired[d] - fired[d];
      }
      CHECK(memcmp(n, replica.n, sizeof n) == 0);
      memcpy(fired, replica.fired, sizeof fired);
      last_u = u;
      last_t = t;
    }
    const motion_totals totals = motion_settle(&replica, &shared, work);
    const double closure = totals.medium - work[0] - work[1] - totals.input_work + totals.energy;
    CHECK(events == replica.events && events > 10);
    CHECK_NEAR(totals.medium, medium, 1e-11);
    CHECK_NEAR(totals.input_work, input, 1e-11);
    CHECK_NEAR(work[0], bath, 1e-11);
    CHECK(fabs(closure) < 1e-11 * (1 + (double)events));
    CHECK_NEAR(replica.slot[1].dwell, dwell, 1e-11);
    CHECK_NEAR(replica.slot[1].dwell2, dwell2, 1e-11);
    CHECK(replica.settled - replica.start == 10);
  }
  motion_replica_free(&replica);
  motion_net_free(&shared);
  network_free(r.net);
}

/* Looked up (few copies), by sums of all propensities, or not, steps have the same events in the same order, from the
 * same draws; times and sums differ by rounding. With `dead`, rates are 1 at the end of the range alone: next to
 * nothing in its middle, and 0 at its beginning. */
static void test_steps(int64_t copies, int32_t points, const double *value, double unit, bool turns, bool dead)
{
  ring r;
  motion_net shared[2];
  motion_replica replica[2];
  double time[8];
  ring_make(&r, copies);
  for (int32_t i = 0; i < points; i++) {
    time[i] = unit * i * (1 + 0.2 * i);
  }
  for (int32_t i = 0; dead && i < 2 * RING * TERMS; i++) {
    r.move[i] = i % TERMS == 0 ? -400 + 0.1 * i : i % TERMS == 1 ? 400 : 0;
  }
  const path_spec spec = {.kind = PATH_STEPS,
                          .points = points,
                          .time = time,
                          .value = value,
                          .period = turns ? unit * points * (1 + 0.2 * points) : 0};
  int64_t events = 0;
  for (int k = 0; k < 2; k++) {
    CHECK(motion_net_init(&shared[k], r.net, &r.law, &spec, spec.period, turns ? 4 : 0) == NESS_OK);
    CHECK(motion_replica_init(&replica[k], &shared[k]) == NESS_OK);
    CHECK(copies > 4 ? shared[k].steps != NULL && !shared[k].few : shared[k].few != NULL && !shared[k].steps);
  }
  shared[1].few = NULL;
  shared[1].steps = NULL;
  for (int64_t index = 0; index < 20; index++) {
    motion_totals totals[2];
    double work[2][2];
    for (int k = 0; k < 2; k++) {
      motion_replica_start(&replica[k], &shared[k], 9, index);
      CHECK(motion_advance(&replica[k], &shared[k], 2.00417, -1) == MOTION_AT_TIME);
      motion_clear(&replica[k], &shared[k]);
      while (k == 0 && index % 2 && motion_advance(&replica[k], &shared[k], 39.77137, 3) == MOTION_BUSY) {
      }
      CHECK(motion_advance(&replica[k], &shared[k], 39.77137, -1) == MOTION_AT_TIME);
      totals[k] = motion_settle(&replica[k], &shared[k], work[k]);
    }
    const motion_replica *const a = &replica[0], *const b = &replica[1];
    CHECK(a->path.t == b->path.t && a->path.u == b->path.u && fabs(a->left - b->left) < 1e-9);
    CHECK(memcmp(&a->rng, &b->rng, sizeof a->rng) == 0 && memcmp(a->n, b->n, RING * sizeof *a->n) == 0);
    CHECK(memcmp(a->fired, b->fired, 2 * RING * sizeof *a->fired) == 0);
    CHECK(!turns || memcmp(a->phase, b->phase, 4 * 2 * RING * sizeof *a->phase) == 0);
    CHECK(a->events == b->events && a->candidates == b->candidates);
    CHECK_NEAR(totals[0].medium, totals[1].medium, 1e-9);
    CHECK_NEAR(totals[0].input_work, totals[1].input_work, 1e-9);
    CHECK_NEAR(totals[0].energy, totals[1].energy, 1e-9);
    for (int i = 0; i < RING; i++) {
      CHECK_REL(a->slot[i].dwell, b->slot[i].dwell, 1e-10);
      CHECK_REL(a->slot[i].dwell2, b->slot[i].dwell2, 1e-10);
    }
    events += a->events;
  }
  CHECK(events > (dead ? turns && unit < 20 ? 500 : -1 : 2000)); /* a long dead level may hold all */
  for (int k = 0; k < 2; k++) {
    motion_replica_free(&replica[k]);
    motion_net_free(&shared[k]);
  }
  network_free(r.net);
}

/* A tape beside a step that moves: constant in u, and what it does not declare closes the balance. */
static void test_tape(void)
{
  const tape_op tape[] = {{TAPE_SLOT, 0, 0, 0}, {TAPE_CONST, 0, 0, 0}, {TAPE_MUL, 0, 1, 0}};
  const double factor = 1.7;
  const int32_t a = 0, c = 1, dirs[] = {0, 1}, start[] = {0, 2, 4}, g_start[] = {0, 0, 2}, lnk_start[] = {0, 2, 2};
  network_builder *b = builder_create("tape", 0);
  builder_slot(b, "A", 5, MODEL_NO_MAX, 0, 0, -1, -1);
  builder_slot(b, "B", 2, MODEL_NO_MAX, 0.5, 0, -1, -1);
  add_step(b, "flip", 0, 1, -1, 1, exp(0.5));
  const builder_step step = {.name = "tape",
                             .text = "",
                             .nleft = 1,
                             .left = &a,
                             .nright = 1,
                             .right = &c,
                             .law = {LAW_TAPE, LAW_MASS},
                             .k = {0, 0.9},
                             .nop = {3, 0},
                             .tape = {tape, NULL},
                             .constants = &factor,
                             .lnk = (double)NAN};
  builder_step_add(b, &step);
  ness_network *net = finish(b);
  const double coefs[] = {0, -0.4, 0.5, 0.4}, lnk[] = {-0.5, -0.8}, g[] = {0.5, 0.8};
  const motion_law law = {-1, 1, 2, dirs, {start, coefs}, {lnk_start, lnk}, {g_start, g}, NULL, NULL, {NULL, NULL}};
  const path_spec spec = path_of(PATH_LINEAR);
  motion_result result = run(net, &law, &spec, (motion_options){.replicas = 64, .time = 50, .seed = 3});
  for (int32_t i = 0; i < result.batches; i++) {
    const double expected = (result.fwd[2 * i + 1] - result.bwd[2 * i + 1]) * log(1.7 / 0.9);
    double closure = result.medium[i] - result.input_work[i] + result.energy[i];
    for (int32_t w = 0; w < result.nsource; w++) {
      closure -= result.work[i * result.nsource + w];
    }
    CHECK(fabs(closure) < 1e-9);
    CHECK(fabs(expected) > 1 && result.events > 1000);
  }
  motion_result_free(&result);
  network_free(net);
}

/* --- runs --- */

static uint64_t digest(const double *x, size_t count, uint64_t seed)
{
  for (size_t i = 0; i < count; i++) {
    uint64_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    seed = (seed ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
    seed ^= seed >> 29;
  }
  return seed;
}

static uint64_t result_digest(const motion_result *r)
{
  const size_t b = (size_t)r->batches, steps = RING;
  uint64_t d = digest(r->fwd, b * steps, (uint64_t)r->events);
  d = digest(r->bwd, b * steps, d);
  d = digest(r->phase_fwd, b * steps * (size_t)r->phases, d);
  d = digest(r->dwell, b * RING, d);
  d = digest(r->dwell2, b * RING, d);
  d = digest(r->medium, b, d);
  d = digest(r->work, b * (size_t)r->nsource, d);
  d = digest(r->input_work, b, d);
  d = digest(r->u_sum, b, d);
  d = digest(r->work_list, (size_t)r->replicas, d);
  return digest(r->energy, b, d);
}

static void test_threads(path_kind kind)
{
  ring r;
  ring_make(&r, 4);
  const path_spec spec = path_of(kind);
  motion_options options = {
      .replicas = 150, .time = 20, .warmup = 1, .seed = 4, .period = 2, .phases = 3, .keep_work = true, .threads = 1};
  motion_result one = run(r.net, &r.law, &spec, options);
  options.threads = 2;
  motion_result two = run(r.net, &r.law, &spec, options);
  options.seed = 5;
  motion_result other = run(r.net, &r.law, &spec, options);
  CHECK(result_digest(&one) == result_digest(&two));
  CHECK(result_digest(&one) != result_digest(&other));
  CHECK_NEAR(one.counted[0], 3 * 19.0, 1e-9);
  motion_result_free(&one);
  motion_result_free(&two);
  motion_result_free(&other);
  network_free(r.net);
}

static int stop_at_once(void *context, double done, double total, int64_t events, double seconds)
{
  (void)done;
  (void)total;
  (void)events;
  (void)seconds;
  ++*(int *)context;
  return 1;
}

static void test_refused(void)
{
  ring r;
  ring_make(&r, 4);
  path_spec spec = path_of(PATH_SINE);
  ness_diags *diags = ness_diags_create();
  motion_result result;
  motion_options options = {.replicas = 4, .time = 10, .seed = 1};
  spec.amplitude = 3.5;
  CHECK(motion_run(r.net, &r.law, &spec, &options, diags, &result) == NESS_NUMERIC && !result.fwd);
  char *text = ness_diags_render(diags, 0);
  CHECK(text && strstr(text, "replica 0: the input is 3") && strstr(text, "outside -3 ... 3"));
  ness_text_free(text);
  spec.amplitude = 1;
  const motion_options wrong[] = {{.replicas = -1, .time = 1}, {.time = 0},
                                  {.time = 1, .warmup = 1},    {.time = 1, .phases = 2},
                                  {.time = 1, .samples = -1},  {.time = (double)INFINITY}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CHECK(motion_run(r.net, &r.law, &spec, &wrong[i], diags, &result) == NESS_USAGE);
  }
  r.lnk[1] += 1e-6;
  CHECK(motion_law_check(r.net, &r.law, diags) == NESS_USAGE);
  r.lnk[1] -= 1e-6;
  r.g[0] += 1e-6;
  CHECK(motion_law_check(r.net, &r.law, diags) == NESS_USAGE);
  r.g[0] -= 1e-6;
  CHECK(motion_law_check(r.net, &r.law, diags) == NESS_OK);
  r.dirs[1] = 0;
  CHECK(motion_law_check(r.net, &r.law, diags) == NESS_USAGE);
  r.dirs[1] = 1;
  for (int64_t after = 0; after < 200; after++) {
    mem_fail_after(after);
    const ness_status status = motion_run(r.net, &r.law, &spec, &options, diags, &result);
    mem_fail_after(-1);
    CHECK(status == NESS_NOMEM || status == NESS_OK);
    motion_result_free(&result);
    if (status == NESS_OK) {
      CHECK(after > 20);
      break;
    }
  }
  ness_interrupt();
  CHECK(motion_run(r.net, &r.law, &spec, &options, diags, &result) == NESS_STOPPED && !result.fwd);
  ness_interrupt_clear();
  int calls = 0;
  options =
      (motion_options){.replicas = INT64_C(1) << 24, .time = 100, .progress = stop_at_once, .progress_context = &calls};
  CHECK(motion_run(r.net, &r.law, &spec, &options, diags, &result) == NESS_STOPPED && calls == 1);
  ness_diags_free(diags);
  network_free(r.net);
}

int main(void)
{
  test_series();
  test_birth();
  test_ou();
  test_square(30);
  test_square(1);
  test_square(0.02);
  test_ramp();
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    test_events(kinds[i]);
    test_threads(kinds[i]);
  }
  static const double courses[][6] = {
      {3, 0, -3}, {-3, 3, 0}, {0, -3, 3}, {2, -1, 0.5, 3, -2.5, 1}, {3, -3, -3, -3, -3, 3}};
  static const double units[] = {20, 1, 0.05, 1e-3}; /* level by level, at once, and many periods an event */
  for (size_t i = 0; i < 5 * 4; i++) {
    const double *const course = courses[i / 4], unit = units[i % 4];
    bool high = false;
    for (int32_t points = 1; points <= (i / 4 < 3 ? 3 : 6); points++) {
      test_steps(4, points, course, unit, true, false);
      high |= course[points - 1] == 3;
      if (high) test_steps(4, points, course, unit, true, true);
    }
    test_steps(4, i / 4 < 3 ? 3 : 6, course, unit, false, i % 2);
    test_steps(60, i / 4 < 3 ? 3 : 6, course, unit, i % 3 > 0, i % 4 == 3);
  }
  test_tape();
  test_refused();
  return check_done();
}
