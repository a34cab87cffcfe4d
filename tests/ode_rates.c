/* Rate equations in time against closed forms, published values and an implicit Runge-Kutta method in long double;
 * the Jacobian against differences in long double; events. */
#include "ode_build.h"

static void check_decay(void)
{
  network_builder *b = builder_create("decay", 0);
  const int32_t x = add_slot(b, "X", 1000, MODEL_NO_MAX);
  add_move(b, "off", x, -1, 0.7, 0);
  ness_network *net = finish(b);
  const double times[6] = {0, 0.1, 1, 1, 5, 20};
  static seen s;
  ode_report r = run_of(net, NULL, times, 6, &s);
  CHECK(s.count == 6 && isnan(r.event_time) && r.time == 20 && r.steps > 0);
  for (int k = 0; k < 6; k++) CHECK_REL(s.x[k][0], 1000 * exp(-0.7 * times[k]), 1e-7);
  const ode_event down = {.slot = x, .level = 100, .direction = -1};
  r = run_of(net, &(ode_options){.event = &down}, times, 6, &s);
  CHECK_REL(r.event_time, log(10) / 0.7, 1e-8);
  CHECK(s.count == 5 && s.time[4] == r.event_time);
  CHECK_REL(s.x[4][0], 100, 1e-9);
  const ode_event up = {.slot = x, .level = 100, .direction = 1};
  r = run_of(net, &(ode_options){.event = &up}, times, 6, &s);
  CHECK(isnan(r.event_time) && s.count == 6);
  network_free(net);
}

/* X -> 2 X at r, 2 X -> X at c: x = K / (1 + (K/x0 - 1) exp(-r t)), K = r/c; and 2 A -> B: a = a0 / (1 + 2 k a0 t). */
static void check_logistic(void)
{
  network_builder *b = builder_create("logistic", 0);
  const int32_t x = add_slot(b, "X", 3, MODEL_NO_MAX), a = add_slot(b, "A", 500, MODEL_NO_MAX);
  const int32_t c = add_slot(b, "B", 0, MODEL_NO_MAX), xx[2] = {x, x}, aa[2] = {a, a};
  add_step(b, "breed", 1, xx, 2, xx, 2, 0.004);
  add_step(b, "pair", 2, aa, 1, &c, 0.01, 0);
  ness_network *net = finish(b);
  const double times[5] = {0.3, 1, 2.5, 4, 30};
  static seen s;
  run_of(net, NULL, times, 5, &s);
  for (int k = 0; k < 5; k++) {
    const double pairs = 500 / (1 + 2 * 0.01 * 500 * times[k]);
    CHECK_REL(s.x[k][0], 500 / (1 + (500.0 / 3 - 1) * exp(-2 * times[k])), 3e-8);
    CHECK_REL(s.x[k][1], pairs, 3e-8);
    CHECK_REL(s.x[k][2], (500 - pairs) / 2, 3e-8);
  }
  network_free(net);
}

/* --- Robertson's problem --- */

static ness_network *robertson(void)
{
  network_builder *b = builder_create("robertson", 0);
  const int32_t y1 = add_slot(b, "y1", 1, MODEL_NO_MAX), y2 = add_slot(b, "y2", 0, MODEL_NO_MAX);
  const int32_t y3 = add_slot(b, "y3", 0, MODEL_NO_MAX);
  add_move(b, "a", y1, y2, 0.04, 0);
  add_step(b, "b", 2, (int32_t[]){y2, y2}, 2, (int32_t[]){y2, y3}, 3e7, 0);
  add_step(b, "c", 2, (int32_t[]){y2, y3}, 2, (int32_t[]){y1, y3}, 1e4, 0);
  return finish(b);
}

static void solve_small(int n, long double a[9][9], long double *b)
{
  for (int k = 0; k < n; k++) {
    int p = k;
    for (int i = k; i < n; i++) p = fabsl(a[i][k]) > fabsl(a[p][k]) ? i : p;
    for (int j = 0; j < n; j++) {
      const long double t = a[k][j];
      a[k][j] = a[p][j];
      a[p][j] = t;
    }
    const long double t = b[k];
    b[k] = b[p];
    b[p] = t;
    for (int i = k + 1; i < n; i++) {
      const long double f = a[i][k] / a[k][k];
      for (int j = k; j < n; j++) a[i][j] -= f * a[k][j];
      b[i] -= f * b[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int j = k + 1; j < n; j++) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
}

/* One step of Radau IIA of order 5 for the problem written out by hand. */
static void radau_step(long double *y, long double h)
{
  const long double q = sqrtl(6.0L);
  const long double A[3][3] = {{(88 - 7 * q) / 360, (296 - 169 * q) / 1800, (-2 + 3 * q) / 225},
                               {(296 + 169 * q) / 1800, (88 + 7 * q) / 360, (-2 - 3 * q) / 225},
                               {(16 - q) / 36, (16 + q) / 36, 1.0L / 9}};
  long double z[3][3] = {{0}};
  for (int it = 0; it < 12; it++) {
    long double f[3][3], J[3][3][3], M[9][9], r[9];
    for (int s = 0; s < 3; s++) {
      const long double u = y[0] + z[s][0], v = y[1] + z[s][1], w = y[2] + z[s][2];
      f[s][0] = -0.04L * u + 1e4L * v * w;
      f[s][2] = 3e7L * v * v;
      f[s][1] = -f[s][0] - f[s][2];
      const long double j[3][3] = {
          {-0.04L, 1e4L * w, 1e4L * v}, {0.04L, -1e4L * w - 6e7L * v, -1e4L * v}, {0, 6e7L * v, 0}};
      memcpy(J[s], j, sizeof j);
    }
    for (int s = 0; s < 3; s++) {
      for (int i = 0; i < 3; i++) {
        r[3 * s + i] = -z[s][i];
        for (int t = 0; t < 3; t++) r[3 * s + i] += h * A[s][t] * f[t][i];
        for (int t = 0; t < 3; t++) {
          for (int j = 0; j < 3; j++) M[3 * s + i][3 * t + j] = (s == t && i == j) - h * A[s][t] * J[t][i][j];
        }
      }
    }
    solve_small(9, M, r);
    for (int s = 0; s < 9; s++) z[s / 3][s % 3] += r[s];
  }
  for (int i = 0; i < 3; i++) y[i] += z[2][i];
}

/* Steps in proportion to the time, after a start of short ones. The reference at 1e11 is that of the Bari test set
 * for initial value problems (ROBER, Mazzia and Magherini 2008). */
static void check_robertson(void)
{
  const double times[4] = {0.4, 40, 4e10, 1e11};
  static seen s;
  ness_network *net = robertson();
  run_of(net, &(ode_options){.atol = 1e-22}, times, 4, &s);
  long double y[3] = {1, 0, 0}, t = 0;
  for (int k = 0; k < 3; k++) {
    while (t < times[k]) {
      long double h = fmaxl(1e-6L, 0.03L * t);
      if (t + h * 1.0001L > times[k]) h = times[k] - t;
      radau_step(y, h);
      t += h;
    }
    t = times[k];
    for (int i = 0; i < 3; i++) CHECK_REL(s.x[k][i], (double)y[i], 1e-7);
  }
  CHECK_REL(s.x[3][0], 0.2083340149701255e-07, 1e-7);
  CHECK_REL(s.x[3][1], 0.8333360770334713e-13, 1e-7);
  CHECK_REL(s.x[3][2], 0.9999999791665050, 1e-9);
  CHECK_NEAR(s.x[1][0], 0.7158, 5e-5);
  network_free(net);
}

/* --- the Jacobian --- */

/* A tape of random operations that ends as exp(tanh(..)), which is never negative. */
static int32_t random_tape(rng_stream *rng, int32_t nslot, tape_op *tape, double *constant)
{
  static const int32_t codes[] = {TAPE_ADD, TAPE_SUB, TAPE_MUL,  TAPE_DIV, TAPE_POW, TAPE_NEG,  TAPE_EXP,   TAPE_LN,
                                  TAPE_ABS, TAPE_MIN, TAPE_SQRT, TAPE_MAX, TAPE_LT,  TAPE_TANH, TAPE_SELECT};
  int32_t n = 0;
  for (int i = 0; i < 3; i++) constant[i] = sample_real(rng, 0.2, 2);
  tape[n++] = (tape_op){TAPE_SLOT, sample_below(rng, nslot), 0, 0};
  tape[n++] = (tape_op){TAPE_CONST, sample_below(rng, 3), 0, 0};
  tape[n++] = (tape_op){TAPE_SLOT, sample_below(rng, nslot), 0, 0};
  for (int k = 4 + sample_below(rng, 12); k > 0; k--, n++) {
    const int32_t code = codes[sample_below(rng, 15)];
    tape[n] = (tape_op){code, sample_below(rng, n), sample_below(rng, n), sample_below(rng, n)};
  }
  tape[n] = (tape_op){TAPE_TANH, n - 1, 0, 0};
  tape[n + 1] = (tape_op){TAPE_EXP, n, 0, 0};
  return n + 2;
}

static ness_network *random_tapes(rng_stream *rng)
{
  network_builder *b = builder_create("tapes", 0);
  for (int i = 0; i < 4; i++) add_slot(b, "n", 0, MODEL_NO_MAX);
  for (int s = 0; s < 3; s++) {
    tape_op tape[2][32];
    double constant[3];
    const int32_t left = sample_below(rng, 4), right = sample_below(rng, 4);
    const int32_t n0 = random_tape(rng, 4, tape[0], constant), n1 = random_tape(rng, 4, tape[1], constant);
    const builder_step step = {.name = "t",
                               .text = "",
                               .nleft = 1,
                               .nright = 1,
                               .left = &left,
                               .right = &right,
                               .law = {LAW_TAPE, LAW_TAPE},
                               .nop = {n0, n1},
                               .tape = {tape[0], tape[1]},
                               .constants = constant,
                               .lnk = (double)NAN};
    CHECKED(builder_step_add(b, &step));
  }
  return finish(b);
}

/* Two differences of different length tell where one of them crosses a kink, and such a column is passed over. */
static int64_t compare_jacobian(const ness_network *net, rng_stream *rng)
{
  enum { MOST = 16 };
  double x[MOST], J[MOST * MOST];
  long double at[MOST], high[MOST], low[MOST];
  int64_t compared = 0;
  ode_system *ode = ode_of(net);
  for (int32_t i = 0; i < net->nslot; i++) x[i] = sample_real(rng, 0.3, 6);
  if (ode_jacobian_dense(ode, x, NULL, J) == NESS_OK) {
    for (int32_t j = 0; j < net->nslot; j++) {
      long double slope[2][MOST];
      for (int length = 0; length < 2; length++) {
        const long double h = length ? 1e-5L : 2e-5L;
        for (int32_t i = 0; i < net->nslot; i++) at[i] = x[i];
        at[j] = x[j] + h;
        slow_change(net, at, high);
        at[j] = x[j] - h;
        slow_change(net, at, low);
        for (int32_t i = 0; i < net->nslot; i++) slope[length][i] = (high[i] - low[i]) / (2 * h);
      }
      for (int32_t i = 0; i < net->nslot; i++) {
        double size = 1; /* of the terms, which may cancel */
        for (int32_t k = 0; k < net->nstep; k++) {
          for (int32_t c = net->change_start[k]; c < net->change_start[k + 1]; c++) {
            if (net->change_slot[c] != i) continue;
            const long double both = slow_rate(net, 2 * k, at) + slow_rate(net, 2 * k + 1, at);
            size += (double)(labs((long)net->change_by[c]) * both) / fmin(1, x[j]);
          }
        }
        const double spread = fabs((double)(slope[0][i] - slope[1][i])) / size;
        if (!(spread < 1e-8)) continue;
        const double best = (double)((4 * slope[1][i] - slope[0][i]) / 3);
        CHECK(fabs(J[i * net->nslot + j] - best) <= 2e-9 * size);
        compared++;
      }
    }
  }
  ode_free(ode);
  return compared;
}

static void check_jacobian(void)
{
  rng_stream rng;
  rng_init(&rng, 71, 0, 0);
  int64_t mass = 0, tapes = 0;
  for (int k = 0; k < 300; k++) {
    ness_network *net = sample_random(&rng);
    mass += compare_jacobian(net, &rng);
    network_free(net);
    net = random_tapes(&rng);
    tapes += compare_jacobian(net, &rng);
    network_free(net);
  }
  printf("%lld entries of mass action and %lld of tapes compared\n", (long long)mass, (long long)tapes);
  CHECK(mass > 1000 && tapes > 1500);
}

/* A chain long enough for the sparse solver, in time: the slowest wave of diffusion from a cosine would do, but a point
 * source has a closed form as well: copies start in the middle of a ring, p_n(t) = (1/N) sum_k exp(-2 D (1-cos w)) cos
 * wn.
 */
static void check_ring(void)
{
  enum { N = 64 };
  network_builder *b = builder_create("ring", 0);
  int32_t slot[N];
  for (int i = 0; i < N; i++) slot[i] = add_slot(b, "s", i ? 0 : 10, MODEL_NO_MAX);
  for (int i = 0; i < N; i++) add_move(b, "hop", slot[i], slot[(i + 1) % N], 3, 3);
  ness_network *net = finish(b);
  const double times[3] = {0.1, 3, 40};
  static seen s;
  run_of(net, NULL, times, 3, &s);
  for (int k = 0; k < 3; k++) {
    for (int i = 0; i < N; i++) {
      long double sum = 0;
      for (int w = 0; w < N; w++) {
        const long double angle = 2 * acosl(-1) * w / N;
        sum += expl(-6 * (1 - cosl(angle)) * times[k]) * cosl(angle * i);
      }
      CHECK_NEAR(s.x[k][i], (double)(10 * sum / N), 1e-8);
    }
  }
  network_free(net);
}

int main(void)
{
  check_decay();
  check_logistic();
  check_robertson();
  check_jacobian();
  check_ring();
  return check_done();
}
