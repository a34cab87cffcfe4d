/* Periodic steady states (periodic_steady) against closed forms, integrals and exponentials in long double, elimination
 * on a full matrix in both limits of the frequency, and transient_moving. */
#include "engine/markov/periodic.h"
#include "markov_flow.h"
#include "markov_sample.h"

static const double PI = 3.14159265358979323846;

/* What arrives in every state leaves it, to 1e-12 of the largest flow through a state. */
static void check_balance(const chain *q, const periodic_answer *a)
{
  double gain[FLOW_REFERENCE] = {0}, most = 0, mass = 0;
  for (int32_t i = 0; i < q->n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      gain[i] -= a->flow[e];
      gain[q->to[e]] += a->flow[e];
      most = fmax(most, a->flow[e]);
    }
    mass += a->mean[i];
  }
  for (int32_t i = 0; i < q->n; i++) CHECK(fabs(gain[i]) <= 1e-12 * most);
  CHECK_NEAR(mass, 1, 1e-13);
}

/* --- two conformations, two channels, a square wave --- */

typedef struct square {
  double period;
  double r[2], p[2], left[2]; /* while the field is on and off: relaxation, occupancy, share of the left channel */
} square;

static ness_status square_rates(void *context, double t, double *rate, double *exit)
{
  const square *const s = context;
  const int k = t >= s->period / 2;
  (void)exit;
  rate[0] = s->r[k] * s->p[k] * s->left[k];
  rate[1] = s->r[k] * s->p[k] * (1 - s->left[k]);
  rate[2] = s->r[k] * (1 - s->p[k]) * s->left[k];
  rate[3] = s->r[k] * (1 - s->p[k]) * (1 - s->left[k]);
  return NESS_OK;
}

static void channels(chain *out)
{
  flow_chain(2, (flow_edge[]){{0, 1, 1}, {0, 1, 1}, {1, 0, 1}, {1, 0, 1}}, 4, false, out);
}

static void test_square(void)
{
  chain q;
  channels(&q);
  for (int k = -9; k <= 9; k++) {
    square s = {pow(10, k), {1, 0.3}, {0.9, 0.2}, {0.75, 0.1}};
    const double half = s.period / 2;
    double p[2], worst = 0;
    periodic_answer a;
    periodic_report r;
    CHECK(periodic_steady(&q, square_rates, &s, s.period, &half, 1, NULL, p, &a, &r) == NESS_OK);
    const double j = (s.left[0] - s.left[1]) * (s.p[0] - s.p[1]) * expm1(-s.r[0] * half) * expm1(-s.r[1] * half) /
                     (-s.period * expm1(-(s.r[0] + s.r[1]) * half));
    worst = fabs(a.flow[0] - a.flow[2] - j);
    CHECK(worst <= 1e-9 * j + 1e-15);
    CHECK(abs(k) > 6 || worst <= 1e-9 * j);
    CHECK(r.elements == 2 && r.rounds == 1 && r.error < 1e-13);
    check_balance(&q, &a);
    periodic_free(&a);
  }
  chain_free(&q);
}

/* --- one way at a time: 0 to 1, then 1 to 2, then 2 to 0, from any of them on --- */

typedef struct ratchet {
  double rate;
  int first;
} ratchet;

static ness_status ratchet_rates(void *context, double t, double *rate, double *exit)
{
  const ratchet *const r = context;
  const int now = (r->first + (int)t) % 3;
  (void)exit;
  for (int k = 0; k < 3; k++) rate[k] = k == now ? r->rate : 0;
  return NESS_OK;
}

static void test_ratchet(void)
{
  const double breaks[] = {1, 2};
  chain q;
  flow_chain(3, (flow_edge[]){{0, 1, 1}, {1, 2, 1}, {2, 0, 1}}, 3, false, &q);
  for (int k = 0; k < 21; k++) {
    ratchet r = {pow(100, k / 3 - 3), k % 3};
    const double stay = -expm1(-r.rate), u = 1 / (3 / stay - 2);
    double p[3];
    periodic_answer a;
    CHECK(periodic_steady(&q, ratchet_rates, &r, 3, breaks, 2, NULL, p, &a, NULL) == NESS_OK);
    for (int e = 0; e < 3; e++) {
      CHECK_REL(a.flow[e], u / 3, 1e-12);
      CHECK_NEAR(p[e], u / stay - (e == r.first ? 0 : u), 1e-13);
    }
    periodic_free(&a);
  }
  chain_free(&q);
}

/* --- two states whose rates are waves, by Simpson's rule and a plain Runge-Kutta in long double --- */

typedef struct wave {
  double scale, omega;
  bool ramp; /* up at t / period in the first half, with a jump back */
} wave;

static long double wave_up(const wave *w, long double t)
{
  const long double x = w->omega * t;
  return w->scale * (w->ramp ? (x < PI * (1 - 1e-15) ? 0.1L + x : 0.2L) : 1 + 0.9L * sinl(3 * x));
}

static long double wave_down(const wave *w, long double t)
{
  return w->scale * (0.7L + 0.5L * cosl(2 * (long double)w->omega * t));
}

static ness_status wave_rates(void *context, double t, double *rate, double *exit)
{
  (void)exit;
  rate[0] = (double)wave_up(context, t);
  rate[1] = (double)wave_down(context, t);
  return NESS_OK;
}

static ness_status wave_weights(void *context, double t, double *w)
{
  const double x = ((const wave *)context)->omega * t;
  w[0] = 1;
  w[1] = 2;
  w[2] = sin(x);
  w[3] = exp(cos(2 * x));
  return NESS_OK;
}

typedef struct wave_sums { /* means of what the right-hand sides below are */
  long double v[12];
} wave_sums;

static wave_sums wave_slope(const wave *w, long double t, long double p, bool sums)
{
  const long double x = w->omega * t, up = (1 - p) * wave_up(w, t), down = p * wave_down(w, t);
  if (!sums) return (wave_sums){{up - down}};
  wave_sums s = {{up - down, up, down, p, up + 2 * down, sinl(x) * up + expl(cosl(2 * x)) * down}};
  const long double seen = 2 * up - 3 * p;
  for (int k = 1; k <= 3; k++) {
    s.v[4 + 2 * k] = 2 * seen * cosl(k * x);
    s.v[5 + 2 * k] = 2 * seen * sinl(k * x);
  }
  return s;
}

/* A period from *p, `steps` of each half; sums are divided by the period. */
static wave_sums wave_go(const wave *w, int steps, bool sums, long double *p)
{
  wave_sums all = {{0}};
  const long double period = 2 * PI / (long double)w->omega, h = period / 2 / steps;
  for (int i = 0; i < 2 * steps; i++) {
    const long double t = i * h, near = h * 1e-8L; /* rates jump at the ends of halves */
    const wave_sums a = wave_slope(w, t + near, *p, sums), b = wave_slope(w, t + h / 2, *p + h / 2 * a.v[0], sums);
    const wave_sums c = wave_slope(w, t + h / 2, *p + h / 2 * b.v[0], sums);
    const wave_sums d = wave_slope(w, t + h - near, *p + h * c.v[0], sums);
    for (int k = 0; k < 12; k++) {
      const long double gain = h / 6 * (a.v[k] + 2 * (b.v[k] + c.v[k]) + d.v[k]);
      all.v[k] += gain / period;
      if (k == 0) *p += gain;
    }
  }
  return all;
}

/* From any start p moves to a + p b after a period, both by the same steps. */
static wave_sums wave_exact(const wave *w, int steps, long double *p)
{
  long double zero = 0, one = 1;
  (void)wave_go(w, steps, false, &zero);
  (void)wave_go(w, steps, false, &one);
  *p = zero / (1 - (one - zero));
  long double go = *p;
  return wave_go(w, steps, true, &go);
}

static void test_wave(void)
{
  const int64_t start[] = {0, 2}, term[] = {0, 3};
  const double weight[] = {2, -3};
  chain q;
  flow_chain(2, (flow_edge[]){{0, 1, NAN}, {1, 0, NAN}}, 2, false, &q); /* its own rates are passed over */
  for (int k = 0; k < 5; k++) {
    wave w = {k == 4 ? 300 : pow(30, k - 2), 1.7, k >= 3};
    const double period = 2 * PI / w.omega, half = period / 2;
    const periodic_options o = {.tolerance = 1e-11,
                                .phases = 2,
                                .harmonics = 3,
                                .nobs = 1,
                                .obs_start = start,
                                .obs_term = term,
                                .obs_weight = weight,
                                .nset = 2,
                                .weights = wave_weights,
                                .weights_context = &w};
    double p[2];
    long double exact;
    periodic_answer a;
    periodic_report r;
    CHECK(periodic_steady(&q, wave_rates, &w, period, &half, w.ramp, &o, p, &a, &r) == NESS_OK);
    const wave_sums s = wave_exact(&w, k == 4 ? 60000 : 10000, &exact);
    printf("  wave %d: estimate %.1e, off by %.1e in p, %.1e in a flow, %d pieces, %d rounds\n", k, r.error,
           (double)(p[1] - exact), (double)(a.flow[0] - s.v[1]), r.elements, r.rounds);
    CHECK(r.error <= 1e-11 && r.elements < 160);
    CHECK_NEAR(p[1], (double)exact, 1e-11);
    CHECK(a.phase[1] == p[1]);
    CHECK_REL(a.flow[0], (double)s.v[1], 1e-11);
    CHECK_REL(a.flow[1], (double)s.v[2], 1e-11);
    CHECK_REL(a.mean[1], (double)s.v[3], 1e-11);
    CHECK_REL(a.set[0], (double)s.v[4], 1e-11);
    CHECK_NEAR(a.set[1], (double)s.v[5], 1e-10 * w.scale);
    CHECK_NEAR(a.obs[0], (double)(2 * s.v[1] - 3 * s.v[3]), 1e-10 * w.scale);
    for (int h = 0; h < 3; h++) {
      CHECK(fabs(a.cosine[h] - (double)s.v[6 + 2 * h]) < 1e-10 * (1 + w.scale));
      CHECK(fabs(a.sine[h] - (double)s.v[7 + 2 * h]) < 1e-10 * (1 + w.scale));
    }
    check_balance(&q, &a);
    periodic_free(&a);
  }
  chain_free(&q);
}

/* --- linear response: a small wave in the rate up --- */

typedef struct small {
  double omega, size;
} small;

static ness_status small_rates(void *context, double t, double *rate, double *exit)
{
  const small *const s = context;
  (void)exit;
  rate[0] = 0.8 * (1 + s->size * cos(s->omega * t));
  rate[1] = 0.5;
  return NESS_OK;
}

static void test_response(void)
{
  const int64_t start[] = {0, 1}, term[] = {3};
  const double weight[] = {1}, size = 1e-4, r = 1.3;
  const periodic_options o = {
      .tolerance = 1e-12, .harmonics = 2, .nobs = 1, .obs_start = start, .obs_term = term, .obs_weight = weight};
  chain q;
  flow_chain(2, (flow_edge[]){{0, 1, 1}, {1, 0, 1}}, 2, false, &q);
  for (double omega = 1e-3; omega < 2e3; omega *= 10) {
    small s = {omega, size};
    double p[2];
    periodic_answer a;
    CHECK(periodic_steady(&q, small_rates, &s, 2 * PI / omega, NULL, 0, &o, p, &a, NULL) == NESS_OK);
    const double all = 0.8 * size * (0.5 / r) / (r * r + omega * omega);
    CHECK(fabs(a.cosine[0] - all * r) < 1e-11 && fabs(a.sine[0] - all * omega) < 1e-11);
    CHECK(fabs(a.cosine[1]) < size * size && fabs(a.sine[1]) < size * size);
    CHECK(omega > 20 || fabs(a.sine[0] / a.cosine[0] * r / omega - 1) < 1e-6); /* the lag: omega tau */
    periodic_free(&a);
  }
  chain_free(&q);
}

/* --- rings whose rates are exponentials of a wave: both limits, and transient_moving --- */

typedef struct ring {
  int64_t edges;
  double omega, base[2 * FLOW_REFERENCE], size[2 * FLOW_REFERENCE];
} ring;

static ness_status ring_rates(void *context, double t, double *rate, double *exit)
{
  const ring *const r = context;
  (void)exit;
  for (int64_t e = 0; e < r->edges; e++)
    rate[e] = r->base[e] * exp(r->size[e] * sin(r->omega * t + (double)e * (e % 3 == 0)));
  return NESS_OK;
}

static ring ring_create(int32_t n, double decades, uint64_t *seed, chain *q)
{
  flow_edge edge[2 * FLOW_REFERENCE];
  for (int32_t i = 0; i < n; i++) {
    edge[2 * i] = (flow_edge){i, (i + 1) % n, 1};
    edge[2 * i + 1] = (flow_edge){(i + 1) % n, i, 1};
  }
  flow_chain(n, edge, 2 * n, false, q);
  ring r = {.edges = 2 * n, .omega = 1};
  for (int32_t e = 0; e < 2 * n; e++) {
    r.base[e] = pow(10, decades * (sample_draw(seed) - 0.5));
    r.size[e] = 3 * sample_draw(seed) - 1.5;
  }
  return r;
}

/* Flows (edges) of the steady state at the mean rates, or their mean over the steady states of all times. */
static void ring_limit(const chain *q, ring *r, bool slow, long double *flow)
{
  enum { TIMES = 256 }; /* a trapezoidal sum of a smooth periodic function */
  double mean[2 * FLOW_REFERENCE] = {0};
  long double p[FLOW_REFERENCE];
  memset(flow, 0, (size_t)r->edges * sizeof *flow);
  for (int k = 0; k <= TIMES; k++) {
    if (k < TIMES) ring_rates(r, 2 * PI * k / TIMES / r->omega, q->rate, NULL);
    for (int64_t e = 0; e < r->edges && k < TIMES; e++) mean[e] += q->rate[e] / TIMES;
    if (!slow && k < TIMES) continue;
    if (slow && k == TIMES) break;
    if (!slow) memcpy(q->rate, mean, (size_t)r->edges * sizeof *mean);
    matrix m = matrix_create(q, -1);
    matrix_steady(&m, p);
    matrix_free(&m);
    for (int32_t i = 0; i < q->n; i++) {
      for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) flow[e] += p[i] * q->rate[e] / (slow ? TIMES : 1);
    }
  }
}

static void test_limits(void)
{
  uint64_t seed = 11;
  for (int32_t n = 3; n <= 11; n += 4) {
    chain q;
    ring r = ring_create(n, 4, &seed, &q);
    for (int slow = 0; slow < 2; slow++) {
      long double flow[2 * FLOW_REFERENCE];
      double p[FLOW_REFERENCE];
      const double period = slow ? 1e13 : 1e-12;
      r.omega = 2 * PI / period;
      ring_limit(&q, &r, slow, flow);
      periodic_answer a;
      periodic_report report;
      CHECK(periodic_steady(&q, ring_rates, &r, period, NULL, 0, NULL, p, &a, &report) == NESS_OK);
      for (int64_t e = 0; e < r.edges; e++) CHECK_REL(a.flow[e], (double)flow[e], 1e-9);
      CHECK(report.error <= 1e-9);
      check_balance(&q, &a);
      periodic_free(&a);
    }
    chain_free(&q);
  }
}

typedef struct moving_seen {
  int32_t n;
  const double *phase; /* (6 x n) what it should be */
} moving_seen;

static ness_status moving_see(void *context, int32_t index, const double *p)
{
  const moving_seen *const s = context;
  for (int32_t i = 0; i < s->n; i++) CHECK(fabs(p[i] - s->phase[index % 5 * s->n + i]) < (index < 5 ? 1e-7 : 2e-8));
  return NESS_OK;
}

/* From p at t = 0 through all phases, and some periods later to the first again. */
static void test_moving(void)
{
  uint64_t seed = 5;
  for (int32_t n = 3; n <= 12; n += 3) {
    for (double period = 0.03; period < 50; period *= 30) {
      chain q;
      ring r = ring_create(n, 2, &seed, &q);
      r.omega = 2 * PI / period;
      const transient_options o = {.tolerance = 1e-8};
      const periodic_options phases = {.phases = 5};
      double p[FLOW_REFERENCE], times[6];
      periodic_answer a;
      CHECK(periodic_steady(&q, ring_rates, &r, period, NULL, 0, &phases, p, &a, NULL) == NESS_OK);
      for (int k = 0; k < 5; k++) times[k] = period * k / 5;
      times[5] = period * ceil(2 / period);
      moving_seen seen = {n, a.phase};
      CHECK(transient_moving(&q, ring_rates, &r, NULL, 0, &o, p, times, 6, moving_see, &seen, NULL) == NESS_OK);
      check_balance(&q, &a);
      periodic_free(&a);
      chain_free(&q);
    }
  }
}

/* --- protocols of constant rates, by exponentials in long double --- */

enum { PARTS = 4 };

typedef struct protocol {
  const chain *q;
  double at[PARTS + 1];
  double rate[PARTS][FLOW_REFERENCE * FLOW_REFERENCE];
} protocol;

static ness_status protocol_rates(void *context, double t, double *rate, double *exit)
{
  const protocol *const s = context;
  int k = 0;
  (void)exit;
  while (k + 1 < PARTS && t >= s->at[k + 1]) k++;
  memcpy(rate, s->rate[k], (size_t)s->q->start[s->q->n] * sizeof *rate);
  return NESS_OK;
}

/* x a = b, b a row that becomes x; the last column of a is replaced by ones and b's last entry by `sum`. */
static void protocol_solve(int n, flow_matrix a, long double sum, long double *b)
{
  for (int i = 0; i < n; i++) a[i][n - 1] = 1;
  b[n - 1] = sum;
  for (int k = 0; k < n; k++) { /* on columns: the transpose */
    int most = k;
    for (int j = k + 1; j < n; j++) most = fabsl(a[k][j]) > fabsl(a[k][most]) ? j : most;
    for (int i = 0; i < n; i++) {
      const long double keep = a[i][k];
      a[i][k] = a[i][most];
      a[i][most] = keep;
    }
    const long double keep = b[k];
    b[k] = b[most];
    b[most] = keep;
    for (int j = 0; j < n; j++) {
      if (j == k) continue;
      const long double f = a[k][j] / a[k][k];
      for (int i = k; i < n; i++) a[i][j] -= f * a[i][k];
      b[j] -= f * b[k];
    }
  }
  for (int k = 0; k < n; k++) b[k] /= a[k][k];
}

/* The distribution at the start of the period, by the exponentials of all parts from every state. */
static void protocol_start(const protocol *s, long double *p)
{
  static flow_matrix m;
  const int n = s->q->n;
  for (int i = 0; i < n; i++) {
    double from[FLOW_REFERENCE] = {0};
    from[i] = 1;
    for (int k = 0; k < PARTS; k++) {
      memcpy(s->q->rate, s->rate[k], (size_t)s->q->start[n] * sizeof(double));
      flow_reference(s->q, s->at[k + 1] - s->at[k], from, m[i]);
      for (int j = 0; j < n; j++) from[j] = (double)m[i][j];
    }
    m[i][i] -= 1;
    p[i] = 0;
  }
  protocol_solve(n, m, 1, p);
}

/* Mean flows: y Q = p(end) - p(start) and sum y = length for the integral y of p over a part. */
static void protocol_flows(const protocol *s, long double *p, long double *flow)
{
  static flow_matrix g;
  const chain *const q = s->q;
  long double y[FLOW_REFERENCE];
  memset(flow, 0, (size_t)q->start[q->n] * sizeof *flow);
  for (int k = 0; k < PARTS; k++) {
    double from[FLOW_REFERENCE];
    for (int i = 0; i < q->n; i++) from[i] = (double)p[i];
    memcpy(q->rate, s->rate[k], (size_t)q->start[q->n] * sizeof(double));
    flow_reference(q, s->at[k + 1] - s->at[k], from, y);
    memset(g, 0, sizeof g);
    for (int i = 0; i < q->n; i++) {
      for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
        g[i][q->to[e]] += q->rate[e];
        g[i][i] -= q->rate[e];
      }
    }
    for (int i = 0; i < q->n; i++) {
      const long double end = y[i];
      y[i] = end - from[i];
      p[i] = end;
    }
    protocol_solve(q->n, g, s->at[k + 1] - s->at[k], y);
    for (int i = 0; i < q->n; i++) {
      for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) flow[e] += y[i] * q->rate[e] / s->at[PARTS];
    }
  }
}

/* cos and sin parts of harmonic `h` of the occupancy of state 0, by Simpson's rule on steps that the exponential of one
 * is multiplied along. */
static void protocol_harmonic(const protocol *s, int h, const long double *start, double out[2])
{
  enum { STEPS = 2000 };
  const chain *const q = s->q;
  static flow_matrix step;
  long double p[FLOW_REFERENCE], sum[2] = {0};
  memcpy(p, start, sizeof p);
  for (int k = 0; k < PARTS; k++) {
    const long double dt = (s->at[k + 1] - s->at[k]) / (long double)STEPS;
    memcpy(q->rate, s->rate[k], (size_t)q->start[q->n] * sizeof(double));
    for (int i = 0; i < q->n; i++) {
      double unit[FLOW_REFERENCE] = {0};
      unit[i] = 1;
      flow_reference(q, (double)dt, unit, step[i]);
    }
    for (int i = 0; i <= STEPS; i++) {
      const long double w = (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2) * dt / 3 * p[0];
      const long double x = 2 * (long double)PI * h * (s->at[k] + i * dt) / s->at[PARTS];
      sum[0] += w * cosl(x);
      sum[1] += w * sinl(x);
      long double next[FLOW_REFERENCE] = {0};
      for (int a = 0; a < q->n && i < STEPS; a++) {
        for (int b = 0; b < q->n; b++) next[b] += p[a] * step[a][b];
      }
      if (i < STEPS) memcpy(p, next, sizeof p);
    }
  }
  for (int c = 0; c < 2; c++) out[c] = (double)(2 * sum[c] / s->at[PARTS]);
}

static void test_protocols(void)
{
  static protocol s;
  uint64_t seed = 23;
  for (int round = 0; round < 24; round++) {
    const int32_t n = 3 + round % 10;
    chain q = sample_chain(2 + round % 5, n, 2, false, 77 + (uint64_t)round);
    const int64_t edges = q.start[n], start[] = {0, 1}, term[] = {edges};
    const double weight[] = {1}, scale = pow(10, round % 6 - 3);
    s.q = &q;
    for (int k = 0; k < PARTS; k++) {
      s.at[k + 1] = s.at[k] + scale * (0.2 + sample_draw(&seed));
      for (int64_t e = 0; e < edges; e++) s.rate[k][e] = pow(10, 2 * sample_draw(&seed) - 1);
    }
    const periodic_options o = {
        .phases = 1, .harmonics = 2, .nobs = 1, .obs_start = start, .obs_term = term, .obs_weight = weight};
    double p[FLOW_REFERENCE], parts[2];
    long double exact[FLOW_REFERENCE], *const flow = malloc((size_t)edges * sizeof *flow), at[FLOW_REFERENCE];
    periodic_answer a;
    CHECK(periodic_steady(&q, protocol_rates, &s, s.at[PARTS], s.at + 1, PARTS - 1, &o, p, &a, NULL) == NESS_OK);
    protocol_start(&s, exact);
    for (int32_t i = 0; i < n; i++) CHECK_NEAR(p[i], (double)exact[i], 1e-12);
    memcpy(at, exact, sizeof at);
    protocol_flows(&s, at, flow);
    for (int64_t e = 0; e < edges; e++) CHECK_REL(a.flow[e], (double)flow[e], 1e-11);
    if (scale < 2) {
      protocol_harmonic(&s, 2, exact, parts);
      CHECK_NEAR(a.cosine[1], parts[0], 1e-10);
      CHECK_NEAR(a.sine[1], parts[1], 1e-10);
    }
    check_balance(&q, &a);
    periodic_free(&a);
    free(flow);
    chain_free(&q);
  }
}

/* Phases inside stretches of constant rates. */
static void test_phases(void)
{
  chain q;
  channels(&q);
  square s = {2, {1, 0.3}, {0.9, 0.2}, {0.75, 0.1}};
  const periodic_options o = {.phases = 7};
  const double half = 1;
  double p[2];
  periodic_answer a;
  CHECK(periodic_steady(&q, square_rates, &s, 2, &half, 1, &o, p, &a, NULL) == NESS_OK);
  for (int k = 0; k < 7; k++) {
    const double t = 2.0 * k / 7, first = fmin(t, 1), second = fmax(0, t - 1);
    double x = s.p[0] + (p[1] - s.p[0]) * exp(-s.r[0] * first);
    x = s.p[1] + (x - s.p[1]) * exp(-s.r[1] * second);
    CHECK_NEAR(a.phase[2 * k + 1], x, 1e-14);
  }
  periodic_free(&a);
  chain_free(&q);
}

/* --- many states, gone through period by period: arrivals that move into M/M/inf stay Poisson --- */

enum { MANY = PERIODIC_MOST + 20 };

static ness_status many_rates(void *context, double t, double *rate, double *exit)
{
  (void)exit;
  for (int i = 0, e = 0; i < MANY; i++) {
    if (i > 0) rate[e++] = i;
    if (i < MANY - 1) rate[e++] = 15 * (1 + 0.8 * cos(*(const double *)context * t));
  }
  return NESS_OK;
}

static void many_chain(chain *out)
{
  double one[MANY];
  for (int i = 0; i < MANY; i++) one[i] = 1;
  flow_birth_death(MANY, one, one, out);
}

/* m' = 15 (1 + 0.8 cos w t) - m; the slow wave settles in a few periods, the fast one is extrapolated. */
static void test_many(void)
{
  chain q;
  many_chain(&q);
  int64_t start[] = {0, MANY}, term[MANY];
  double weight[MANY], p[MANY];
  for (int i = 0; i < MANY; i++) {
    term[i] = q.start[MANY] + i;
    weight[i] = i;
  }
  for (double omega = 2; omega < 50; omega += 38) {
    const periodic_options o = {.tolerance = 1e-5,
                                .phases = 2,
                                .harmonics = 1,
                                .nobs = 1,
                                .obs_start = start,
                                .obs_term = term,
                                .obs_weight = weight};
    periodic_answer a;
    periodic_report r;
    CHECK(periodic_steady(&q, many_rates, &omega, 2 * PI / omega, NULL, 0, &o, p, &a, &r) == NESS_OK);
    const double swing = 12 / (1 + omega * omega);
    for (int phase = 0; phase < 2; phase++) {
      const double mean = 15 + swing * (phase ? -1 : 1);
      double off = 0;
      for (int k = 0; k < MANY; k++)
        off += fabs(a.phase[phase * MANY + k] - exp(k * log(mean) - mean - lgamma(k + 1.0)));
      CHECK(off <= r.error && r.error <= 1e-5 && r.iterated);
      printf("  many: error %.1e, estimate %.1e, %d periods, %d parts\n", off, r.error, r.rounds, r.elements);
    }
    CHECK(r.rounds < 25);
    CHECK_REL(a.obs[0], 15, 1e-5);
    CHECK_NEAR(a.cosine[0], swing, 1e-4);
    CHECK_NEAR(a.sine[0], swing * omega, 1e-4);
    periodic_free(&a);
  }
  chain_free(&q);
}

/* --- wrong calls, interrupt, memory --- */

static ness_status wrong_rates(void *context, double t, double *rate, double *exit)
{
  (void)exit;
  rate[0] = *(const double *)context * (1 - t);
  rate[1] = 1;
  return NESS_OK;
}

static ness_status failing_rates(void *context, double t, double *rate, double *exit)
{
  (void)context;
  (void)exit;
  rate[0] = rate[1] = 1;
  return t > 0.9 ? NESS_EXPECT : NESS_OK;
}

static void test_edges(void)
{
  chain q, open;
  flow_chain(2, (flow_edge[]){{0, 1, 1}, {1, 0, 1}}, 2, false, &q);
  flow_chain(2, (flow_edge[]){{0, 1, 1}, {1, 0, 1}, {0, -1, 1}}, 3, true, &open);
  double p[2], size = 3;
  const double breaks[] = {0.5, 0.25}, late[] = {1}, none = 0;
  const int64_t start[] = {0, 1}, term[] = {4};
  const double weight[] = {1};
  const periodic_options o = {.nobs = 1, .obs_start = start, .obs_term = term, .obs_weight = weight};
  const periodic_options w = {.nset = 1};
  periodic_answer a;
  CHECK(periodic_steady(&q, wrong_rates, &size, 2, NULL, 0, NULL, p, &a, NULL) == NESS_NUMERIC && !a.flow);
  CHECK(periodic_steady(&q, wrong_rates, &size, 1, breaks, 2, NULL, p, &a, NULL) == NESS_USAGE);
  CHECK(periodic_steady(&q, wrong_rates, &size, 1, late, 1, NULL, p, &a, NULL) == NESS_USAGE);
  CHECK(periodic_steady(&q, wrong_rates, &size, 0, NULL, 0, NULL, p, &a, NULL) == NESS_USAGE);
  CHECK(periodic_steady(&q, wrong_rates, &size, 1, NULL, 0, &o, p, &a, NULL) == NESS_USAGE);
  CHECK(periodic_steady(&q, wrong_rates, &size, 1, NULL, 0, &w, p, &a, NULL) == NESS_USAGE);
  CHECK(periodic_steady(&open, wrong_rates, &size, 1, NULL, 0, NULL, p, &a, NULL) == NESS_USAGE);
  CHECK(periodic_steady(&q, failing_rates, NULL, 1, NULL, 0, NULL, p, &a, NULL) == NESS_EXPECT && !a.flow);
  double never = none;
  CHECK(periodic_steady(&q, wrong_rates, &never, 1, NULL, 0, NULL, p, &a, NULL) == NESS_USAGE);
  ness_interrupt();
  CHECK(periodic_steady(&q, wrong_rates, &size, 1, NULL, 0, NULL, p, &a, NULL) == NESS_INTERRUPTED);
  ness_interrupt_clear();
  CHECK(periodic_steady(&q, wrong_rates, &size, 1, NULL, 0, NULL, p, &a, NULL) == NESS_OK && a.flow);
  periodic_free(&a);
  CHECK(!a.flow && !a.phase);
  chain_free(&q);
  chain_free(&open);
}

static void test_memory(void)
{
  const int64_t start[] = {0, 2}, term[] = {0, 3};
  const double weight[] = {2, -3};
  chain q;
  flow_chain(2, (flow_edge[]){{0, 1, 1}, {1, 0, 1}}, 2, false, &q);
  wave w = {10, 1.7, true};
  const double period = 2 * PI / w.omega, half = period / 2;
  const periodic_options o = {.phases = 3,
                              .harmonics = 2,
                              .nobs = 1,
                              .obs_start = start,
                              .obs_term = term,
                              .obs_weight = weight,
                              .nset = 2,
                              .weights = wave_weights,
                              .weights_context = &w};
  ness_status status = NESS_NOMEM;
  int after = 0;
  for (; status && after < 500; after++) {
    double p[2];
    periodic_answer a;
    mem_fail_after(after);
    status = periodic_steady(&q, wave_rates, &w, period, &half, 1, &o, p, &a, NULL);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || (status == NESS_NOMEM && !a.flow && !a.phase));
    periodic_free(&a);
  }
  CHECK(status == NESS_OK && after > 40);
  chain_free(&q);
}

/* The same where periods are gone through; later failures are those of transient_moving and only sampled. */
static void test_memory_many(void)
{
  chain q;
  many_chain(&q);
  double omega = 2, p[MANY];
  const periodic_options o = {.tolerance = 0.1, .phases = 2};
  ness_status status = NESS_NOMEM;
  int after = 0;
  for (; status && after < 3000; after += after < 60 ? 1 : 1 + after / 4) {
    periodic_answer a;
    mem_fail_after(after);
    status = periodic_steady(&q, many_rates, &omega, PI, NULL, 0, &o, p, &a, NULL);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || (status == NESS_NOMEM && !a.flow && !a.phase));
    periodic_free(&a);
  }
  CHECK(status == NESS_OK && after > 60);
  chain_free(&q);
}

int main(void)
{
  test_square();
  test_ratchet();
  test_wave();
  test_response();
  test_limits();
  test_moving();
  test_protocols();
  test_phases();
  test_many();
  test_edges();
  test_memory();
  test_memory_many();
  return check_done();
}
