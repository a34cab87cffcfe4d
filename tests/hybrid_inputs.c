/* Inputs with a prescribed course beside what flows and what fires. Paths: bands, integrals and speeds against samples
 * and sums. Birth and death from nothing have a Poisson law whatever moves their rates: its mean by quadrature written
 * here, the law against simulations, the mean against rate equations; one sine, two whose frequencies have no ratio, a
 * line, a square wave. A leak under a sine in closed form, soft and stiff, and a stimulus that begins at rest.
 * Conditions on an input turn at their times. Books close on every trajectory, and their work and entropy are those of
 * an integration written here. Statistics: 16 of them at most 6.2 deviations and 5 bounds of Dvoretzky, Kiefer and
 * Wolfowitz at 1e-8, so that all together raise a false alarm below 1e-7 under random seeds; the seeds are fixed. Cost:
 * two seconds. */
#include "hybrid_build.h"

#define SIGMA 6.2
#define PI 3.14159265358979323846

/* --- paths --- */

static double simpson(const path_state *p, double from, double to, bool square)
{
  const int32_t n = 10000;
  double sum = 0;
  for (int32_t i = 0; i <= n; i++) {
    const double u = path_at(p, from + (to - from) * i / n);
    sum += (i == 0 || i == n ? 1 : i % 2 ? 4 : 2) * (square ? u * u : u);
  }
  return sum * (to - from) / (3 * n);
}

static void test_paths(void)
{
  const double time[] = {0, 0.3, 0.9}, value[] = {1, 4, 2}, late[] = {0.25, 0.75};
  const path_spec specs[] = {
      {.kind = PATH_SINE, .mean = 5, .amplitude = 3, .frequency = 0.7, .phase = 0.4},
      {.kind = PATH_SINE, .mean = -1, .amplitude = -2, .frequency = 3, .phase = -2},
      {.kind = PATH_SINE, .mean = 2, .amplitude = 3, .frequency = 0, .phase = 1},
      {.kind = PATH_STEPS, .points = 3, .time = time, .value = value, .period = 1.25},
      {.kind = PATH_LINEAR, .points = 3, .time = time, .value = value, .period = 1.25},
      {.kind = PATH_LINEAR, .points = 2, .time = late, .value = value},
  };
  rng_stream rng;
  rng_init(&rng, 7, 0, 0);
  for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
    path_state p;
    path_start(&p, &specs[s], 1, 0, 0);
    for (double t = 0; t < 6;) {
      path_go(&p, t);
      const double corner = path_corner(&p), to = fmin(corner, t + rng_double(&rng));
      double lo, hi, area, area2, least = (double)INFINITY, most = -(double)INFINITY;
      CHECK(corner > t && path_at(&p, t) == p.u);
      path_band(&p, t, to, &lo, &hi);
      path_areas(&p, t, to, &area, &area2);
      for (int32_t i = 0; i <= 500; i++) {
        const double u = path_at(&p, t + (to - t) * i / 500);
        least = fmin(least, u);
        most = fmax(most, u);
      }
      CHECK(lo <= least && hi >= most && hi - most < 3e-4 && least - lo < 3e-4);
      CHECK_NEAR(area, simpson(&p, t, to, false), 1e-12);
      CHECK_NEAR(area2, simpson(&p, t, to, true), 1e-11);
      const double middle = 0.5 * (t + to), d = 1e-3 * (to - t);
      CHECK_NEAR(path_speed(&p, middle), (path_at(&p, middle + d) - path_at(&p, middle - d)) / (2 * d), 2e-4);
      t = to;
    }
  }
}

/* --- birth and death --- */

typedef double (*course)(double t);

static double sine_birth(double t)
{
  return 10 + 6 * sin(PI * t + 0.3);
}
static double rare_birth(double t)
{
  return 0.5 + 0.45 * sin(3 * PI * t);
}
static double sine_death(double t)
{
  return 1 + 0.8 * sin(2 * t);
}
static double line_death(double t) /* from 0.5 at 0.5 to 3 at 1 and back to 1 at 2 */
{
  return t < 0.5 ? 0.5 : t < 1 ? 0.5 + 5 * (t - 0.5) : t < 2 ? 3 - 2 * (t - 1) : 1;
}
static double square_birth(double t) /* period 0.75, high for a third of it */
{
  return t - 0.75 * floor(t / 0.75) < 0.25 ? 20 : 2;
}
static double one_death(double t)
{
  (void)t;
  return 1;
}

/* The mean at `end`, and the births until then, by trapezia whose corners are those of the courses. */
static double poisson_mean(course birth, course death, double end, double *births)
{
  const int32_t n = 600000;
  const double h = end / n;
  double mean = 0;
  *births = 0;
  for (int32_t i = 0; i < n; i++) { /* limits from inside the panel */
    const double t = h * i, a = t + 1e-9 * h, b = t + h - 1e-9 * h;
    const double kept = exp(-0.5 * h * (death(a) + death(b)));
    mean = mean * kept + 0.5 * h * (birth(a) * kept + birth(b));
    *births += 0.5 * h * (birth(a) + birth(b));
  }
  return mean;
}

typedef struct moved {
  const char *name;
  course birth, death;
  path_spec path[2]; /* of birth and, with two, of death */
  int32_t ninput;
} moved;

static const double line_time[] = {0.5, 1, 2}, line_value[] = {0.5, 3, 1};
static const double square_time[] = {0, 0.25}, square_value[] = {20, 2};
static const path_spec sine_10 = {.kind = PATH_SINE, .mean = 10, .amplitude = 6, .frequency = 0.5, .phase = 0.3};
static const path_spec sine_rare = {.kind = PATH_SINE, .mean = 0.5, .amplitude = 0.45, .frequency = 1.5};
static const path_spec sine_1 = {.kind = PATH_SINE, .mean = 1, .amplitude = 0.8, .frequency = 1 / PI};
static const path_spec line_1 = {.kind = PATH_LINEAR, .points = 3, .time = line_time, .value = line_value};
static const path_spec square_2 = {
    .kind = PATH_STEPS, .points = 2, .time = square_time, .value = square_value, .period = 0.75};

/* 0 -> n at slot a, n -> 0 at slot d each. */
static ness_network *birth_death(int64_t start)
{
  network_builder *b = builder_create("moved", 0);
  const int32_t n = add_slot(b, "n", start, MODEL_NO_MAX);
  const int32_t a = add_variable(b, "a", 0, 100, 0, 1, 0), d = add_variable(b, "d", 1, 100, 0, 1, 0);
  prog birth = {.n = 0}, death = {.n = 0};
  p_slot(&birth, a);
  p_copy(&death, p_slot(&death, d), n);
  add_law(b, (law){"birth", -1, n, &birth, NULL, FLOW_NONE, -1, 0});
  add_law(b, (law){"death", n, -1, &death, NULL, FLOW_NONE, -1, 0});
  return finish(b);
}

static void test_law(moved m)
{
  const int64_t replicas = 6000;
  const double end = 3;
  double births, *const x = mem_zero(2 * 3 * (size_t)replicas, sizeof *x);
  const double mean = poisson_mean(m.birth, m.death, end, &births);
  ness_network *net = birth_death(0);
  const hybrid_input inputs[] = {{1, m.path[0]}, {2, m.path[1]}};
  seen_rows rows = {3, 2, x};
  hybrid_options o = {.ninput = m.ninput, .input = inputs, .time = end, .seed = 11, .threads = 2};
  o.replicas = replicas;
  o.every = end;
  o.row = see_row;
  o.row_context = &rows;
  hybrid_result r = run_of(net, o);
  double sum = 0, square = 0, born = 0, held = 0, most = 0, p = exp(-mean), share = p;
  int64_t count[200] = {0}, below = 0;
  for (int64_t i = 0; i < replicas; i++) {
    const double n = x[(2 * i + 1) * 3];
    sum += n / (double)replicas;
    square += (n - mean) * (n - mean) / (double)replicas;
    CHECK(n >= 0 && n < 200);
    count[(int32_t)n]++;
    CHECK_NEAR(x[(2 * i + 1) * 3 + 1], m.birth(end + 1e-12), 1e-9); /* right-continuous */
  }
  for (int32_t i = 0; i < r.batches; i++) born += r.fwd[2 * i];
  for (int32_t i = 0; i < r.batches; i++) held += r.dwell[3 * i + 1];
  CHECK_REL(held / (double)replicas, births, 1e-9); /* the integral of the input, whatever the steps */
  CHECK(fabs(sum - mean) < SIGMA * sqrt(mean / (double)replicas));
  CHECK(fabs(square - mean) < SIGMA * sqrt((mean + 2 * mean * mean) / (double)replicas));
  CHECK(fabs(born / (double)replicas - births) < SIGMA * sqrt(births / (double)replicas));
  for (int32_t n = 0; n < 200; share += p *= mean / ++n) {
    below += count[n];
    most = fmax(most, fabs((double)below / (double)replicas - share));
  }
  CHECK(most < sqrt(log(2e8) / (2 * (double)replicas)));
  printf("%s: mean %.4f, exact %.4f; %lld candidates for %lld events\n", m.name, sum, mean, (long long)r.candidates,
         (long long)r.events);
  CHECK(r.candidates < 3 * r.events);
  hybrid_result_free(&r);
  /* the rate equations have the mean, and their flux is the births */
  double y[3];
  o = (hybrid_options){.mode = HYBRID_MEAN, .ninput = m.ninput, .input = inputs, .time = end, .rtol = 1e-9};
  r = end_of(net, o, y);
  CHECK_REL(y[0], mean, 2e-7);
  CHECK_REL(r.fwd[0], births, 2e-7);
  CHECK_REL(r.dwell[1], births, 1e-9); /* the integral of the input itself */
  CHECK(r.moves < 50000);
  hybrid_result_free(&r);
  network_free(net);
  mem_free(x);
}

/* The chemical Langevin equation of a linear network has the mean of its rate equations. */
static void test_langevin(void)
{
  ness_network *net = birth_death(1000);
  const hybrid_input inputs[] = {{1, {.kind = PATH_SINE, .mean = 50, .amplitude = 40, .frequency = 0.5, .phase = 0.3}},
                                 {2, sine_1}};
  hybrid_options o = {.mode = HYBRID_LANGEVIN, .ninput = 2, .input = inputs, .time = 3, .seed = 4};
  o.replicas = 400;
  hybrid_result r = run_of(net, o);
  double y[3], dwell = 0;
  hybrid_options rest = {.mode = HYBRID_MEAN, .ninput = 2, .input = inputs, .time = 3};
  hybrid_result exact = end_of(net, rest, y);
  for (int32_t i = 0; i < r.batches; i++) dwell += r.dwell[3 * i] / 400;
  CHECK(fabs(dwell - exact.dwell[0]) < SIGMA * sqrt(1000.0 / 400) + 2e-3 * exact.dwell[0]);
  hybrid_result_free(&r);
  hybrid_result_free(&exact);
  network_free(net);
}

/* --- a leak --- */

/* x' = u - rate x, from 0. */
static ness_network *leak(double rate)
{
  network_builder *b = builder_create("leak", 0);
  const int32_t x = add_variable(b, "x", 0, 1000, 0, 1, 0), u = add_variable(b, "u", 0, 100, 0, 1, 0);
  prog f = {.n = 0};
  const int32_t in = p_slot(&f, u), out = p_mul(&f, p_slot(&f, x), rate);
  p_op(&f, TAPE_SUB, in, out);
  add_law(b, (law){"x'", -1, -1, &f, NULL, FLOW_DRIFT, x, 1});
  return finish(b);
}

static double leak_exact(double k, double mean, double amplitude, double w, double t)
{
  return mean / k * (1 - exp(-k * t)) +
         amplitude / (k * k + w * w) * (k * sin(w * t) - w * cos(w * t) + w * exp(-k * t));
}

static void test_leak(void)
{
  const hybrid_input in = {1, {.kind = PATH_SINE, .mean = 50, .amplitude = 30, .frequency = 2}};
  for (int32_t i = 0; i < 2; i++) {
    const double rate = i ? 1e5 : 0.5;
    ness_network *net = leak(rate);
    double x[2], off[2], moves[2];
    for (int32_t k = 0; k < 2; k++) {
      const hybrid_options o = {.mode = HYBRID_MEAN, .ninput = 1, .input = &in, .time = 1.3, .rtol = k ? 1e-9 : 1e-6};
      hybrid_result r = end_of(net, o, x);
      const double exact = leak_exact(rate, 50, 30, 4 * PI, 1.3),
                   unit = fmax(exact, 1); /* errors: of a thousandth of 1000 */
      off[k] = fabs(x[0] - exact) / unit;
      moves[k] = (double)r.moves;
      CHECK(off[k] < (k ? 1e-7 : 2e-4));
      hybrid_result_free(&r);
    }
    printf("leak at %g: errors %.2g %.2g in %g and %g steps\n", rate, off[0], off[1], moves[0], moves[1]);
    CHECK(moves[1] < 20000);
    network_free(net);
  }
}

/* Where the fast motion follows the input, x is near u/rate: the linearly implicit method, with the input's speed. */
static void test_stiff(void)
{
  const hybrid_input in = {1, {.kind = PATH_SINE, .mean = 50, .amplitude = 30, .frequency = 2}};
  network_builder *b = builder_create("stiff", 0);
  const int32_t x = add_variable(b, "x", 0, 1000, 0, 1, 0), u = add_variable(b, "u", 0, 100, 0, 1, 0);
  const double rate = 1e4;
  prog f = {.n = 0};
  const int32_t to = p_mul(&f, p_slot(&f, u), rate), from = p_mul(&f, p_slot(&f, x), rate);
  p_op(&f, TAPE_SUB, to, from);
  add_law(b, (law){"x'", -1, -1, &f, NULL, FLOW_DRIFT, x, 1});
  ness_network *net = finish(b);
  double y[2], off[3], moves[3];
  for (int32_t k = 0; k < 3; k++) {
    const double rtol[] = {1e-5, 1e-7, 1e-9};
    const hybrid_options o = {.mode = HYBRID_MEAN, .ninput = 1, .input = &in, .time = 1.3, .rtol = rtol[k]};
    hybrid_result r = end_of(net, o, y);
    off[k] = fabs(y[0] / leak_exact(rate, 50 * rate, 30 * rate, 4 * PI, 1.3) - 1);
    moves[k] = (double)r.moves;
    CHECK(off[k] < 10 * rtol[k]);
    /* its integral is that of the input, less what is on the way */
    CHECK_NEAR(r.dwell[0], r.dwell[1] - y[0] / rate, 130 * rtol[k] * 10);
    hybrid_result_free(&r);
  }
  printf("stiff: errors %.2g %.2g %.2g in %g, %g and %g steps\n", off[0], off[1], off[2], moves[0], moves[1], moves[2]);
  CHECK(moves[0] < 1000); /* stability would hold an explicit method to 5200 */
  network_free(net);
}

/* The linearly implicit method by itself, where x and u meet nonlinearly: what is left of the error falls to an eighth
 * at half the step, in the integrals too. Without the input's speed in its stages it would fall to a quarter. */
static void test_order(void)
{
  network_builder *b = builder_create("order", 0);
  const int32_t x = add_variable(b, "x", 2, 1000, 0, 1, 0), u = add_variable(b, "u", 0, 100, 0, 1, 0);
  prog f = {.n = 0};
  const int32_t drive = p_op(&f, TAPE_MUL, p_slot(&f, u), p_slot(&f, u)), now = p_slot(&f, x);
  const int32_t lost = p_mul(&f, p_op(&f, TAPE_MUL, now, p_op(&f, TAPE_MUL, now, p_slot(&f, u))), 0.1);
  p_op(&f, TAPE_SUB, drive, lost);
  add_law(b, (law){"x'", -1, -1, &f, NULL, FLOW_DRIFT, x, 1});
  ness_network *net = finish(b);
  const hybrid_input in = {1, {.kind = PATH_SINE, .mean = 4, .amplitude = 3, .frequency = 0.4, .phase = 0.5}};
  hybrid_net compiled;
  hybrid_replica r;
  double end[4][3];
  const hybrid_options o = {.mode = HYBRID_MEAN, .rtol = 1e-6, .time = 1, .ninput = 1, .input = &in};
  CHECK(hybrid_net_init(&compiled, net, &o) == NESS_OK);
  CHECK(hybrid_replica_init(&r, &compiled) == NESS_OK);
  for (int k = 0; k < 4; k++) {
    by_stiff_steps(&r, &compiled, 80 << k);
    const double of[3] = {r.x[0], r.dwell[0], r.dwell2[0]};
    memcpy(end[k], of, sizeof of);
  }
  for (int i = 0; i < 3; i++) {
    const double ratio = (end[1][i] - end[2][i]) / (end[2][i] - end[3][i]);
    CHECK(ratio > 7 && ratio < 9.2);
  }
  hybrid_replica_free(&r);
  hybrid_net_free(&compiled);
  network_free(net);
}

/* A stimulus that is 0 at first, with its derivative at every whole period: no step passes over it. */
static void test_late(void)
{
  network_builder *b = builder_create("late", 0);
  const int32_t x = add_variable(b, "x", 0, 1000, 0, 1, 0), u = add_variable(b, "u", 5, 100, 0, 1, 0);
  prog f = {.n = 0};
  p_add(&f, p_slot(&f, u), -5);
  add_law(b, (law){"x'", -1, -1, &f, NULL, FLOW_DRIFT, x, 1});
  ness_network *net = finish(b);
  const hybrid_input in = {1, {.kind = PATH_SINE, .mean = 5, .amplitude = 3, .frequency = 1}};
  const double end[] = {64, 64.5, 16.25};
  for (int32_t i = 0; i < 3; i++) {
    double y[2];
    const hybrid_options o = {.mode = HYBRID_MEAN, .ninput = 1, .input = &in, .time = end[i], .rtol = 1e-9};
    hybrid_result r = end_of(net, o, y);
    CHECK_NEAR(y[0], 3 / (2 * PI) * (1 - cos(2 * PI * end[i])), 1e-6);
    CHECK_NEAR(r.dwell[0], 3 / (2 * PI) * (end[i] - sin(2 * PI * end[i]) / (2 * PI)), 1e-6 * end[i]);
    CHECK_NEAR(r.dwell2[1],
               25 * end[i] + 4.5 * end[i] + 30 / (2 * PI) * (1 - cos(2 * PI * end[i])) -
                   9 * sin(4 * PI * end[i]) / (8 * PI),
               1e-9 * end[i]);
    hybrid_result_free(&r);
  }
  network_free(net);
}

/* The same from the top of a sine, where x rests, and so does the input for a moment. */
static void test_top(void)
{
  network_builder *b = builder_create("top", 0);
  const int32_t x = add_variable(b, "x", 500, 1000, 0, 1, 0), u = add_variable(b, "u", 8, 100, 0, 1, 0);
  prog f = {.n = 0};
  p_add(&f, p_slot(&f, u), -8);
  add_law(b, (law){"x'", -1, -1, &f, NULL, FLOW_DRIFT, x, 1});
  ness_network *net = finish(b);
  const hybrid_input in = {1, {.kind = PATH_SINE, .mean = 5, .amplitude = 3, .frequency = 1, .phase = PI / 2}};
  double y[2];
  const hybrid_options o = {.mode = HYBRID_MEAN, .ninput = 1, .input = &in, .time = 64, .rtol = 1e-9};
  hybrid_result r = end_of(net, o, y);
  CHECK_NEAR(y[0], 500 - 3 * 64, 1e-5);
  hybrid_result_free(&r);
  network_free(net);
}

/* Between any two looks an open box holds the inputs until it ends, and bounds what fires. */
static void test_boxes(void)
{
  ness_network *net = birth_death(5);
  const hybrid_input in[] = {{1, sine_10}, {2, line_1}};
  const hybrid_options o = {.ninput = 2, .input = in, .time = 40, .rtol = 1e-6};
  hybrid_net compiled;
  hybrid_replica r;
  int64_t looks = 0;
  CHECK(hybrid_net_init(&compiled, net, &o) == NESS_OK && hybrid_replica_init(&r, &compiled) == NESS_OK);
  CHECK(hybrid_start(&r, &compiled, 5, 0) == HYBRID_AT_TIME);
  while (r.t < 40 && looks < 100000) {
    const hybrid_pause pause = hybrid_advance(&r, &compiled, 40, 1);
    CHECK(pause == HYBRID_BUSY || pause == HYBRID_AT_TIME);
    CHECK_NEAR(r.x[1], sine_birth(r.t), 1e-12);
    CHECK_NEAR(r.x[2], line_death(r.t), 1e-12);
    looks++;
    if (!r.open) continue;
    CHECK(r.t < r.box_end && r.box_end <= r.corner);
    CHECK(r.x[1] >= r.box_lo[1] && r.x[1] <= r.box_hi[1] && r.x[2] >= r.box_lo[2] && r.x[2] <= r.box_hi[2]);
    CHECK(r.rate[0] >= r.x[1] && r.rate[1] >= r.x[0] * r.x[2] * (1 - 1e-14));
  }
  CHECK(looks > 500 && looks < 100000);
  hybrid_replica_free(&r);
  hybrid_net_free(&compiled);
  network_free(net);
}

/* --- conditions --- */

/* When u rises above 6, y becomes the clock's time; a step that fires at rate u asks for boxes. */
static void test_conditions(void)
{
  network_builder *b = builder_create("turns", 0);
  const int32_t clock_slot = add_variable(b, "clock", 0, 1000, 0, 1, 0);
  const int32_t y = add_variable(b, "y", 0, 1000, 0, 1, 0), n = add_slot(b, "n", 0, MODEL_NO_MAX);
  const int32_t u = add_variable(b, "u", 0, 100, 0, 1, 0);
  prog one = {.n = 0}, fire = {.n = 0}, when = {.n = 0}, set = {.n = 0};
  p_num(&one, 1);
  add_law(b, (law){"clock'", -1, -1, &one, NULL, FLOW_DRIFT, clock_slot, 1});
  p_slot(&fire, u);
  add_law(b, (law){"fire", -1, n, &fire, NULL, FLOW_NONE, -1, 0});
  const int32_t six = p_num(&when, 6), now = p_slot(&when, u);
  p_op(&when, TAPE_LT, six, now);
  p_slot(&set, clock_slot);
  add_event(b, "when u > 6: y = clock", (double)NAN, 0, &when, y, &set);
  ness_network *net = finish(b);
  const double time[] = {0, 0.5}, value[] = {2, 8};
  const hybrid_input in[] = {{3, {.kind = PATH_SINE, .mean = 5, .amplitude = 3, .frequency = 0.5}},
                             {3, {.kind = PATH_LINEAR, .points = 2, .time = time, .value = value, .period = 2}},
                             {3, {.kind = PATH_STEPS, .points = 2, .time = time, .value = value, .period = 2}}};
  const double at[] = {2 + asin(1.0 / 3) / PI, 2 + 1.0 / 3, 2.5};
  const hybrid_mode modes[] = {HYBRID_EXACT, HYBRID_MEAN};
  for (int32_t i = 0; i < 3; i++) {
    for (int32_t m = 0; m < 2; m++) {
      double x[4];
      const hybrid_options o = {.mode = modes[m], .ninput = 1, .input = &in[i], .time = 3.2, .seed = 3};
      hybrid_result r = end_of(net, o, x);
      CHECK_NEAR(x[1], at[i], 1e-9);
      CHECK_NEAR(x[0], 3.2, 1e-9);
      hybrid_result_free(&r);
    }
  }
  network_free(net);
}

/* --- books --- */

/* Charges that hop onto a capacitor in detailed balance, a current u - 5 by an electrode, and a channel whose opening
 * follows u. */
static ness_network *membrane(int32_t flow)
{
  network_builder *b = builder_create("membrane", 0);
  const double stiff = 1e-3;
  const int32_t v = add_variable(b, "V", 2000, 6000, -2000, 1, stiff);
  const int32_t c = builder_slot(b, "C", 40, MODEL_NO_MAX, 0.5, 0, -1, -1);
  const int32_t o = builder_slot(b, "O", 0, MODEL_NO_MAX, 1.5, 0, -1, -1);
  const int32_t u = add_variable(b, "u", 0, 100, 0, 1, 0), w = add_variable(b, "w", 0, 100, 0, 1, 0);
  prog forth = {.n = 0}, back = {.n = 0}, in = {.n = 0}, open = {.n = 0}, close = {.n = 0};
  p_mul(&forth, p_exp(&forth, p_mul(&forth, p_add(&forth, p_slot(&forth, v), -2000), -stiff / 2)), 200);
  p_mul(&back, p_exp(&back, p_mul(&back, p_add(&back, p_slot(&back, v), -2000), stiff / 2)), 200);
  add_law(b, (law){"hop", -1, -1, &forth, &back, flow, v, 1});
  p_mul(&in, p_add(&in, p_slot(&in, u), -5), 100);
  add_law(b, (law){"V'", -1, -1, &in, NULL, FLOW_DRIFT, v, 1});
  p_copy(&open, p_slot(&open, w), c);
  p_copy(&close, p_num(&close, 2), o);
  add_law(b, (law){"gate", c, o, &open, &close, FLOW_NONE, v, 2});
  return finish(b);
}

static void test_books(void)
{
  const hybrid_input in[] = {{3, {.kind = PATH_SINE, .mean = 5, .amplitude = 4, .frequency = 0.7}}, {4, square_2}};
  const hybrid_mode modes[] = {HYBRID_EXACT, HYBRID_MEAN, HYBRID_LANGEVIN};
  ness_network *net = membrane(FLOW_MEAN);
  for (int32_t m = 0; m < 3; m++) {
    const hybrid_options o = {
        .mode = modes[m], .ninput = 2, .input = in, .replicas = 8, .time = 6, .warmup = 1, .seed = 8};
    hybrid_result r = run_of(net, o);
    for (int32_t i = 0; i < r.batches; i++) {
      const double size = fabs(r.medium[i]) + fabs(r.energy[i]) + fabs(r.work[i]);
      CHECK(size > 1 && isfinite(size));
      CHECK(fabs(r.medium[i] - r.work[i] + r.energy[i]) < 1e-9 * size);
    }
    hybrid_result_free(&r);
  }
  network_free(net);
}

/* Without the channel: the electrode's work and the entropy of the hops, by Runge and Kutta's method. */
static void test_work(void)
{
  network_builder *b = builder_create("electrode", 0);
  const double stiff = 1e-3, end = 3.7;
  const int32_t v = add_variable(b, "V", 2000, 6000, -2000, 1, stiff), u = add_variable(b, "u", 0, 100, 0, 1, 0);
  prog forth = {.n = 0}, back = {.n = 0}, in = {.n = 0};
  p_mul(&forth, p_exp(&forth, p_mul(&forth, p_add(&forth, p_slot(&forth, v), -2000), -stiff / 2)), 200);
  p_mul(&back, p_exp(&back, p_mul(&back, p_add(&back, p_slot(&back, v), -2000), stiff / 2)), 200);
  add_law(b, (law){"hop", -1, -1, &forth, &back, FLOW_MEAN, v, 1});
  p_mul(&in, p_add(&in, p_slot(&in, u), -5), 100);
  add_law(b, (law){"V'", -1, -1, &in, NULL, FLOW_DRIFT, v, 1});
  ness_network *net = finish(b);
  const hybrid_input input = {1, {.kind = PATH_SINE, .mean = 5, .amplitude = 4, .frequency = 0.7}};
  double x[2], q = 0, work = 0, medium = 0;
  const hybrid_options o = {.mode = HYBRID_MEAN, .ninput = 1, .input = &input, .time = end, .rtol = 1e-10};
  hybrid_result r = end_of(net, o, x);
  const int32_t n = 200000;
  const double h = end / n;
  for (int32_t i = 0; i < n; i++) {
    double k[4][3], at = q;
    for (int32_t s = 0; s < 4; s++) {
      const double t = h * (i + (s == 0 ? 0 : s == 3 ? 1 : 0.5)), current = 400 * sin(2 * PI * 0.7 * t);
      at = q + (s == 0 ? 0 : h * (s == 3 ? 1 : 0.5) * k[s - 1][0]);
      const double hop = -400 * sinh(stiff * at / 2);
      k[s][0] = hop + current;
      k[s][1] = stiff * at * current;
      k[s][2] = -stiff * at * hop;
    }
    q += h / 6 * (k[0][0] + 2 * k[1][0] + 2 * k[2][0] + k[3][0]);
    work += h / 6 * (k[0][1] + 2 * k[1][1] + 2 * k[2][1] + k[3][1]);
    medium += h / 6 * (k[0][2] + 2 * k[1][2] + 2 * k[2][2] + k[3][2]);
  }
  CHECK_NEAR(x[0], 2000 + q, 1e-4);
  CHECK_REL(r.work[0], work, 1e-6);
  CHECK_REL(r.medium[0], medium, 1e-6);
  CHECK_REL(r.energy[0], 0.5 * stiff * q * q, 1e-6);
  CHECK(work > 1 && medium > 1);
  hybrid_result_free(&r);
  network_free(net);
}

/* --- the same bits, refusals, memory --- */

static void test_threads(void)
{
  ness_network *net = membrane(FLOW_MEAN);
  const hybrid_input in[] = {{3, {.kind = PATH_SINE, .mean = 5, .amplitude = 4, .frequency = 0.7}}, {4, line_1}};
  hybrid_options o = {.ninput = 2, .input = in, .replicas = 9, .time = 4, .seed = 8, .threads = 1};
  hybrid_result a = run_of(net, o);
  o.threads = 3;
  hybrid_result b = run_of(net, o);
  CHECK(a.events == b.events && a.candidates == b.candidates);
  CHECK(memcmp(a.dwell, b.dwell, (size_t)(a.batches * net->nslot) * sizeof(double)) == 0);
  CHECK(memcmp(a.medium, b.medium, (size_t)a.batches * sizeof(double)) == 0);
  hybrid_result_free(&a);
  hybrid_result_free(&b);
  network_free(net);
}

static void test_refusals(void)
{
  ness_network *net = membrane(FLOW_MEAN);
  const struct {
    hybrid_input input;
    const char *why;
  } cases[] = {
      {{0, sine_10}, "V cannot be an input here"},
      {{1, sine_10}, "C cannot be an input here"},
      {{3, {.kind = PATH_OU, .mean = 5, .sd = 1, .tau = 1}}, "u cannot be an input here"},
      {{3, {.kind = PATH_SINE, .mean = 5, .frequency = 1e14}}, "a period of u is lost in the figures of a run of 1 s"},
      {{3, {.kind = PATH_LINEAR}}, "an input by points has none"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hybrid_result r;
    ness_diags *diags = ness_diags_create();
    const hybrid_options o = {.ninput = 1, .input = &cases[i].input, .replicas = 1, .time = 1};
    CHECK(hybrid_run(net, &o, diags, &r) == NESS_USAGE);
    CHECK(ness_diags_count(diags, NULL) > 0);
    if (ness_diags_count(diags, NULL)) CHECK_STR(ness_diags_get(diags, 0)->message, cases[i].why);
    ness_diags_free(diags);
    hybrid_result_free(&r);
  }
  network_free(net);
}

static void test_memory(void)
{
  ness_network *net = membrane(FLOW_MEAN);
  const hybrid_input in[] = {{3, sine_1}, {4, line_1}};
  int64_t fails = 0;
  for (int64_t n = 0; n < 1000; n++) {
    hybrid_result result;
    mem_fail_after(n);
    const hybrid_options o = {.ninput = 2, .input = in, .replicas = 2, .time = 0.01};
    const ness_status status = hybrid_run(net, &o, NULL, &result);
    mem_fail_after(-1);
    hybrid_result_free(&result);
    if (!status) break;
    CHECK(status == NESS_NOMEM);
    fails++;
  }
  CHECK(fails > 10 && fails < 1000);
  network_free(net);
}

int main(void)
{
  test_paths();
  /* one input stands for `a` alone: the other slot keeps its start of 1 */
  test_law((moved){"a sine", sine_birth, one_death, {sine_10}, 1});
  test_law((moved){"a rare sine", rare_birth, one_death, {sine_rare}, 1}); /* boxes end long before events */
  test_law((moved){"two sines", sine_birth, sine_death, {sine_10, sine_1}, 2});
  test_law((moved){"a sine and a line", sine_birth, line_death, {sine_10, line_1}, 2});
  test_law((moved){"a square and a sine", square_birth, sine_death, {square_2, sine_1}, 2});
  test_langevin();
  test_leak();
  test_stiff();
  test_order();
  test_late();
  test_top();
  test_boxes();
  test_conditions();
  test_books();
  test_work();
  test_threads();
  test_refusals();
  test_memory();
  return check_done();
}
