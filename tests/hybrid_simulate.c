/* Networks whose steps partly flow against exact laws. Flow alone: closed forms, and the order of the methods by what
 * a smaller error costs. Channels beside a flow: stationary densities of piecewise deterministic processes in closed
 * form, without and with a rate that the flow moves. Firing alone: Poisson and Boltzmann laws. Events of the file:
 * closed forms, and what is refused. Bookkeeping: entropy, works and energy close on every trajectory, and what a
 * capacitor loses is entropy. Statistics are held to SIGMA; there are about 60, so that all together raise a false
 * alarm below 1e-6 under random seeds, and the seeds are fixed. Cost: some seconds. */
#include "hybrid_build.h"

#include <time.h>

#define SIGMA 6.2 /* 6e-10 of the normal law */

/* --- flow alone --- */

/* 0 <-> A at rates 3 and 0.5 A: x = 6 + (x0 - 6) exp(-t/2). */
static void test_relaxation(void)
{
  network_builder *b = builder_create("relaxation", 0);
  add_slot(b, "A", 20, MODEL_NO_MAX);
  add_move(b, "in", -1, 0, 3, 0.5);
  ness_network *net = finish(b);
  double x[1], moves[2], off[2];
  for (int i = 0; i < 2; i++) {
    const hybrid_options options = {.mode = HYBRID_MEAN, .time = 4, .rtol = i ? 1e-9 : 1e-6};
    hybrid_result r = end_of(net, options, x);
    off[i] = fabs(x[0] - (6 + 14 * exp(-2.0)));
    moves[i] = (double)r.moves;
    CHECK_NEAR(x[0], 6 + 14 * exp(-2.0), 1e2 * options.rtol);
    CHECK_NEAR(r.dwell[0], 24 + 28 * (1 - exp(-2.0)), 1e2 * options.rtol);
    CHECK_NEAR(r.dwell2[0], 36 * 4 + 12 * 28 * (1 - exp(-2.0)) + 196 * (1 - exp(-4.0)), 3e2 * options.rtol);
    CHECK_NEAR(r.fwd[0], 12, 1e-12);
    CHECK_NEAR(r.bwd[0], 12 + 20 - x[0], 1e-12);
    hybrid_result_free(&r);
  }
  printf("relaxation: errors %.2g %.2g in %g and %g steps\n", off[0], off[1], moves[0], moves[1]);
  CHECK(moves[1] > 7 * moves[0] &&
        moves[1] < 14 * moves[0]); /* order 3: a thousandth of the error is ten times the cost */
  CHECK(off[1] < off[0] / 100);
  network_free(net);
}

/* x' = x (1 - x/1000) from 10, by tapes. */
static void test_logistic(void)
{
  network_builder *b = builder_create("logistic", 0);
  add_slot(b, "A", 10, MODEL_NO_MAX);
  prog birth = {.n = 0}, death = {.n = 0};
  p_slot(&birth, 0);
  const int32_t x0 = p_slot(&death, 0), x1 = p_slot(&death, 0);
  p_mul(&death, p_op(&death, TAPE_MUL, x0, x1), 1e-3);
  add_law(b, (law){"birth", -1, 0, &birth, NULL, FLOW_NONE, -1, 0});
  add_law(b, (law){"death", 0, -1, &death, NULL, FLOW_MEAN, -1, 0});
  ness_network *net = finish(b);
  double x[1];
  hybrid_result r = end_of(net, (hybrid_options){.mode = HYBRID_MEAN, .time = 6, .rtol = 1e-9}, x);
  CHECK_REL(x[0], 1000 / (1 + 99 * exp(-6.0)), 1e-7);
  hybrid_result_free(&r);
  network_free(net);
}

/* A fast pool that follows a slow one: A decays at 1, B <- A at 1e6 A, B decays at 1e6. */
static void test_stiff(void)
{
  network_builder *b = builder_create("stiff", 0);
  const int32_t a = add_slot(b, "A", 1000, MODEL_NO_MAX), fast = add_slot(b, "B", 0, MODEL_NO_MAX);
  const int32_t both[2] = {a, fast};
  add_step(b, "make", 1, &a, 2, both, 1e6, 0);
  add_move(b, "lose", fast, -1, 1e6, 0);
  add_move(b, "decay", a, -1, 1, 0);
  ness_network *net = finish(b);
  double x[2], moves[3];
  for (int i = 0; i < 3; i++) {
    const hybrid_options options = {.mode = HYBRID_MEAN, .time = 3, .rtol = i == 0 ? 1e-4 : i == 1 ? 1e-7 : 1e-10};
    hybrid_result r = end_of(net, options, x);
    const double exact = 1000 * exp(-3.0);
    moves[i] = (double)r.moves;
    CHECK_REL(x[0], exact, 1e2 * options.rtol);
    CHECK_REL(x[1], 1e6 / (1e6 - 1) * exact, 1e2 * options.rtol + 1e-9);
    CHECK_REL(r.dwell[0], 1000 * (1 - exp(-3.0)), 1e2 * options.rtol + 1e-9);
    CHECK_REL(r.fwd[0] - r.fwd[1], x[1], 1e-5); /* of 1e9 that came and went */
    hybrid_result_free(&r);
  }
  printf("stiff: %g, %g and %g steps\n", moves[0], moves[1], moves[2]);
  CHECK(moves[0] < 400 && moves[2] > 6 * moves[1] && moves[2] < 14 * moves[1]);
  network_free(net);
}

/* The linearly implicit method by itself: prey and predators, without a closed form, held against themselves
 * at half the step. What is left of the error falls to an eighth, in the integrals too. */
static void test_order(void)
{
  network_builder *b = builder_create("order", 0);
  const int32_t x = add_slot(b, "X", 60, MODEL_NO_MAX), y = add_slot(b, "Y", 40, MODEL_NO_MAX);
  const int32_t both[2] = {x, y}, two[2] = {y, y};
  add_step(b, "feed", 1, &x, 2, (int32_t[2]){x, x}, 1, 0.002);
  add_step(b, "eat", 2, both, 2, two, 0.02, 0);
  add_move(b, "die", y, -1, 0.8, 0);
  ness_network *net = finish(b);
  hybrid_net compiled;
  hybrid_replica r;
  double end[4][4];
  CHECK(hybrid_net_init(&compiled, net, &(hybrid_options){.mode = HYBRID_MEAN, .rtol = 1e-6, .time = 1}) == NESS_OK);
  CHECK(hybrid_replica_init(&r, &compiled) == NESS_OK);
  for (int k = 0; k < 4; k++) {
    by_stiff_steps(&r, &compiled, 20 << k);
    const double of[4] = {r.x[0], r.x[1], r.dwell[0], r.dwell2[1]};
    memcpy(end[k], of, sizeof of);
    CHECK_NEAR(r.x[0] - 60, r.fired[0] - r.fired[1] - r.fired[2], 1e-11);
  }
  for (int i = 0; i < 4; i++) {
    const double ratio = (end[1][i] - end[2][i]) / (end[2][i] - end[3][i]);
    CHECK(ratio > 7 && ratio < 9.2);
  }
  hybrid_replica_free(&r);
  hybrid_net_free(&compiled);
  network_free(net);
}

/* Robertson's reactions, of a million copies: the state of the stiff literature at t = 40. */
static void test_robertson(void)
{
  network_builder *b = builder_create("robertson", 0);
  const int32_t y1 = add_slot(b, "y1", 1000000, MODEL_NO_MAX), y2 = add_slot(b, "y2", 0, MODEL_NO_MAX),
                y3 = add_slot(b, "y3", 0, MODEL_NO_MAX);
  const int32_t left[2] = {y2, y3}, right[2] = {y1, y3}, pair[2] = {y2, y2}, made[2] = {y2, y3};
  add_move(b, "a", y1, y2, 0.04, 0);
  add_step(b, "b", 2, left, 2, right, 1e4 / 1e6, 0);
  add_step(b, "c", 2, pair, 2, made, 3e7 / 1e6, 0);
  ness_network *net = finish(b);
  double x[3];
  hybrid_result r = end_of(net, (hybrid_options){.mode = HYBRID_MEAN, .time = 40, .rtol = 1e-7}, x);
  CHECK_REL(x[0], 0.7158270687e6, 1e-6); /* Hairer and Wanner II, and many codes */
  CHECK_REL(x[1], 0.9185534764e1, 1e-5);
  CHECK_REL(x[2], 0.2841637458e6, 1e-6);
  CHECK(r.moves < 3000);
  hybrid_result_free(&r);
  network_free(net);
}

/* --- channels beside a flow --- */

#define UNIT 1e-3

/* C <-> O at opening(x) and `close`; x' = O - x of a variable in 0 ... 1. */
static ness_network *channel_net(const prog *opening, double closing)
{
  network_builder *b = builder_create("channel", 0);
  const int32_t x = add_variable(b, "x", 500, 1000, 0, UNIT, 0), c = add_slot(b, "C", 1, 1), o = add_slot(b, "O", 0, 1);
  prog forth = *opening, back = {.n = 0}, drift = {.n = 0};
  p_copy(&forth, forth.n - 1, c);
  p_copy(&back, p_num(&back, closing), o);
  add_law(b, (law){"gate", c, o, &forth, &back, FLOW_NONE, -1, 0});
  const int32_t open = p_mul(&drift, p_slot(&drift, o), 1 / UNIT);
  p_op(&drift, TAPE_SUB, open, p_slot(&drift, x));
  add_law(b, (law){"x", -1, -1, &drift, NULL, FLOW_DRIFT, x, 1});
  return finish(b);
}

/* Moments and chances below some places, of a density on 0 ... 1 that is finite but for a power of 1 - x. */
typedef double (*density)(double x);
static const double places[] = {0.1, 0.25, 0.5, 0.75, 0.9};

static void density_sums(density f, double out[8])
{
  const int n = 400000;
  double sum[8] = {0};
  for (int i = 0; i < n; i++) {
    const double x = (i + 0.5) / n, p = f(x);
    sum[0] += p;
    sum[1] += p * x;
    sum[2] += p * x * x;
    for (int k = 0; k < 5; k++) sum[3 + k] += x < places[k] ? p : 0;
  }
  for (int k = 1; k < 8; k++) out[k] = sum[k] / sum[0];
}

static void check_density(const ness_network *net, density f, double warmup, uint64_t seed)
{
  const int64_t replicas = 20000;
  seen_rows rows = {net->nslot, 2, mem_zero(2 * (size_t)replicas * (size_t)net->nslot, sizeof(double))};
  hybrid_result r = run_of(net, (hybrid_options){.replicas = replicas,
                                                 .time = warmup + 1,
                                                 .warmup = warmup,
                                                 .every = 1,
                                                 .row = see_row,
                                                 .row_context = &rows,
                                                 .seed = seed});
  double exact[8], sum[8] = {0}, square[8] = {0};
  density_sums(f, exact);
  for (int64_t i = 0; i < replicas; i++) {
    const double x = rows.x[(2 * i + 1) * net->nslot] * UNIT;
    double of[8] = {1, x, x * x};
    for (int k = 0; k < 5; k++) of[3 + k] = x < places[k];
    for (int k = 0; k < 8; k++) {
      sum[k] += of[k];
      square[k] += of[k] * of[k];
    }
  }
  for (int k = 1; k < 8; k++) {
    const double mean = sum[k] / (double)replicas;
    const double error = sqrt(fmax(square[k] / (double)replicas - mean * mean, 1e-8) / (double)replicas);
    if (!(fabs(mean - exact[k]) < SIGMA * error)) fprintf(stderr, "%d: %g +- %g, %g\n", k, mean, error, exact[k]);
    CHECK(fabs(mean - exact[k]) < SIGMA * error);
  }
  CHECK(r.candidates >= r.events && r.events > replicas);
  printf("channel: %lld events, %lld candidates, %lld boxes, %lld steps\n", (long long)r.events,
         (long long)r.candidates, (long long)r.boxes, (long long)r.moves);
  hybrid_result_free(&r);
  mem_free(rows.x);
}

/* Constant rates 1.5 and 2: Beta(1.5, 2). */
static double beta_density(double x)
{
  return sqrt(x) * (1 - x);
}

/* Opening at 1 + 3 x exp(2x), closing at 4: in the stationary state no current crosses any x, so that q = x p_C has
 * q' = (opening/x - closing/(1-x)) q, and p = q/x + q/(1-x). */
static double feedback_density(double x)
{
  return pow(1 - x, 3) * exp(1.5 * exp(2 * x));
}

static void test_channels(void)
{
  prog constant = {.n = 0}, moved = {.n = 0};
  p_num(&constant, 1.5);
  ness_network *net = channel_net(&constant, 2);
  check_density(net, beta_density, 14, 1);
  network_free(net);
  const int32_t slot = p_slot(&moved, 0), x = p_mul(&moved, slot, UNIT);
  p_add(&moved, p_mul(&moved, p_op(&moved, TAPE_MUL, x, p_exp(&moved, p_mul(&moved, x, 2))), 3), 1);
  net = channel_net(&moved, 4);
  check_density(net, feedback_density, 14, 2);
  network_free(net);
}

/* x' = -x, and 1 more at rate 20 + x/2: the mean is 40 and so is the variance, with a memory of 2. */
static void test_jumps(void)
{
  network_builder *b = builder_create("jumps", 0);
  const int32_t x = add_variable(b, "x", 40, 100000, 0, 1, 0);
  prog jump = {.n = 0}, fall = {.n = 0};
  p_add(&jump, p_mul(&jump, p_slot(&jump, x), 0.5), 20);
  p_op(&fall, TAPE_NEG, p_slot(&fall, x), 0);
  add_law(b, (law){"jump", -1, -1, &jump, NULL, FLOW_NONE, x, 1});
  add_law(b, (law){"fall", -1, -1, &fall, NULL, FLOW_DRIFT, x, 1});
  ness_network *net = finish(b);
  hybrid_result r = run_of(net, (hybrid_options){.replicas = 64, .time = 820, .warmup = 20, .seed = 12});
  double mean = 0, square = 0, counted = 0, jumps = 0;
  for (int i = 0; i < r.batches; i++) {
    mean += r.dwell[i];
    square += r.dwell2[i];
    counted += r.counted[i];
    jumps += r.fwd[2 * i];
  }
  mean /= counted;
  CHECK(fabs(jumps - 40 * counted) < SIGMA * sqrt(4 * 40 * counted)); /* of which each brings one more on the average */
  const double error = sqrt(2 * 40 * 2 / counted); /* of the mean; n^2 is about twice the mean times it */
  CHECK(fabs(mean - 40) < SIGMA * error);
  CHECK(fabs(square / counted - mean * mean - 40) < SIGMA * sqrt(2.5 * 40 * 40 * 2 / counted));
  hybrid_result_free(&r);
  network_free(net);
}

/* --- bounds and slopes --- */

/* Operations at random on two variables; those without a bound almost everywhere come seldom. */
static void random_prog(rng_stream *rng, prog *p, int32_t a, int32_t b)
{
  static const tape_code codes[] = {TAPE_ADD,  TAPE_SUB,    TAPE_MUL,   TAPE_DIV,   TAPE_POW, TAPE_NEG, TAPE_EXP,
                                    TAPE_LN,   TAPE_SQRT,   TAPE_ABS,   TAPE_MIN,   TAPE_MAX, TAPE_LT,  TAPE_LE,
                                    TAPE_EQ,   TAPE_AND,    TAPE_OR,    TAPE_NOT,   TAPE_ADD, TAPE_MUL, TAPE_SUB,
                                    TAPE_TANH, TAPE_EXPREL, TAPE_FLOOR, TAPE_SELECT};
  p_mul(p, p_slot(p, a), 1e-2);
  p_mul(p, p_slot(p, b), 2e-2);
  p_num(p, 4 * rng_double(rng) - 2);
  p_num(p, (double)rng_below(rng, 5) - 2);
  const int32_t length = p->n + 3 + (int32_t)rng_below(rng, 8);
  while (p->n < length) {
    const uint64_t n = (uint64_t)p->n;
    const tape_code code = codes[rng_below(rng, sizeof codes / sizeof *codes)];
    const int32_t x = (int32_t)rng_below(rng, n), y = (int32_t)rng_below(rng, n);
    p_op(p, code, x, y);
    p->op[p->n - 1].c = (int32_t)rng_below(rng, n);
  }
}

typedef struct bounded {
  hybrid_net net;
  hybrid_replica replica;
  const hybrid_core *core;
} bounded;

static double core_at(bounded *self, const double *x)
{
  return core_value(&self->net, self->core, self->replica.reg + self->core->reg, x);
}

/* How often the core had a bound; every value inside the box keeps it, and slopes are those of differences. */
static int64_t check_core(bounded *self, rng_stream *rng, int64_t *slopes)
{
  hybrid_replica *const r = &self->replica;
  const int32_t reg = self->core->reg;
  double lo[2], hi[2], x[2], low, high;
  for (int i = 0; i < 2; i++) {
    lo[i] = 200 * rng_double(rng);
    hi[i] = lo[i] + pow(10, 2 - 6 * rng_double(rng));
  }
  if (!core_bound(&self->net, self->core, r->reg_lo + reg, r->reg_hi + reg, lo, hi, &low, &high)) return 0;
  for (int trial = 0; trial < 20; trial++) {
    for (int i = 0; i < 2; i++) x[i] = trial < 2 ? (trial ? hi[i] : lo[i]) : lo[i] + (hi[i] - lo[i]) * rng_double(rng);
    const double value = core_at(self, x);
    if (!(value >= low && value <= high)) fprintf(stderr, "  %.17g in %.17g ... %.17g\n", value, low, high);
    CHECK(value >= low && value <= high);
  }
  for (int32_t l = 0; l < self->core->nload; l++) {
    const int32_t slot = self->net.load[self->core->load + l].slot;
    double ends[2][2] = {{x[0], x[1]}, {x[0], x[1]}}, slope = 0;
    const double step = 1e-4 * x[slot];
    ends[0][slot] -= step;
    ends[1][slot] += step;
    const double about = (core_at(self, ends[1]) - core_at(self, ends[0])) / (2 * step);
    const double value = core_at(self, x), curve = core_at(self, ends[1]) + core_at(self, ends[0]) - 2 * value;
    for (int32_t k = 0; k < self->core->nload; k++) {
      if (self->net.load[self->core->load + k].slot == slot) {
        slope += core_slope(&self->net, self->core, r->reg + reg, r->dual + reg, k);
      }
    }
    if (!(fabs(curve) < 1e-5 * fabs(about * step)) || fabs(about * step) < 1e-8 * fabs(value)) continue; /* corners */
    CHECK_REL(slope, about, 1e-3);
    ++*slopes;
  }
  return 1;
}

static void test_bounds(void)
{
  rng_stream rng;
  rng_init(&rng, 77, 0, 0);
  int64_t bounds = 0, slopes = 0;
  for (int trial = 0; trial < 4000; trial++) {
    network_builder *b = builder_create("tape", 0);
    const int32_t x = add_variable(b, "x", 500, 1000, 0, 1, 0), y = add_variable(b, "y", 500, 1000, 0, 1, 0);
    prog tape = {.n = 0}, drift = {.n = 0};
    random_prog(&rng, &tape, x, y);
    p_slot(&drift, x);
    add_law(b, (law){"tape", -1, -1, &tape, NULL, FLOW_NONE, x, 1});
    add_law(b, (law){"x", -1, -1, &drift, NULL, FLOW_DRIFT, x, 1});
    add_law(b, (law){"y", -1, -1, &drift, NULL, FLOW_DRIFT, y, 1});
    ness_network *net = finish(b);
    bounded at = {.core = NULL};
    CHECK(hybrid_net_init(&at.net, net, &(hybrid_options){.rtol = 1e-6, .time = 1}) == NESS_OK);
    CHECK(hybrid_replica_init(&at.replica, &at.net) == NESS_OK);
    if (at.net.fire[0].core >= 0) {
      at.core = &at.net.core[at.net.fire[0].core];
      for (int i = 0; i < 5; i++) bounds += check_core(&at, &rng, &slopes);
    }
    hybrid_replica_free(&at.replica);
    hybrid_net_free(&at.net);
    network_free(net);
  }
  printf("%lld boxes and %lld slopes compared\n", (long long)bounds, (long long)slopes);
  CHECK(bounds > 5000 && slopes > 3000);
}

/* --- firing alone --- */

static void test_firing(void)
{
  network_builder *b = builder_create("birth", 0);
  const int32_t a = add_slot(b, "A", 5, MODEL_NO_MAX);
  prog death = {.n = 0};
  p_copy(&death, p_num(&death, 1), a);
  add_law(b, (law){"death", a, -1, &death, NULL, FLOW_NONE, -1, 0});
  add_move(b, "birth", -1, a, 5, 0);
  ness_network *net = finish(b);
  hybrid_result r = run_of(net, (hybrid_options){.replicas = 64, .time = 2010, .warmup = 10, .seed = 4});
  double mean = 0, square = 0, counted = 0;
  for (int i = 0; i < r.batches; i++) {
    mean += r.dwell[i];
    square += r.dwell2[i];
    counted += r.counted[i];
    CHECK(isinf(r.medium[i]));
  }
  /* Poisson of mean 5 and relaxation time 1: the mean's variance is 2 * 5 / time; that of n^2 is 2 (cov) / time. */
  CHECK(fabs(mean / counted - 5) < SIGMA * sqrt(10 / counted));
  CHECK(fabs(square / counted - 30) < SIGMA * sqrt(2 * (5 + 2 * 2 * 25 + 4 * 25 + 20 * 5) * 5 / counted));
  hybrid_result_free(&r);
  network_free(net);
}

/* Charge hops onto a capacitor in detailed balance, dE = stiff (n - n0 +- 1/2): Boltzmann's law, and no work. */
static ness_network *hopping_net(double stiff, double n0, int64_t most, int32_t flow)
{
  network_builder *b = builder_create("hopping", 0);
  const int32_t v = add_variable(b, "V", (int64_t)(n0 + 8), most, -n0, 1, stiff);
  prog forth = {.n = 0}, back = {.n = 0};
  p_exp(&forth, p_mul(&forth, p_add(&forth, p_slot(&forth, v), 0.5 - n0), -stiff / 2));
  p_exp(&back, p_mul(&back, p_add(&back, p_slot(&back, v), -0.5 - n0), stiff / 2));
  add_law(b, (law){"hop", -1, -1, &forth, &back, flow, v, 1});
  return finish(b);
}

static void test_capacitor(void)
{
  const double stiff = 0.3, n0 = 20.25;
  ness_network *net = hopping_net(stiff, n0, 60, FLOW_NONE);
  hybrid_result r = run_of(net, (hybrid_options){.replicas = 64, .time = 520, .warmup = 20, .seed = 5});
  double sum = 0, one = 0, two = 0, mean = 0, square = 0, counted = 0;
  for (int n = 0; n <= 60; n++) {
    const double p = exp(-0.5 * stiff * (n - n0) * (n - n0));
    sum += p;
    one += p * n;
    two += p * n * n;
  }
  double spread = 0;
  for (int i = 0; i < r.batches; i++) {
    mean += r.dwell[i];
    square += r.dwell2[i];
    counted += r.counted[i];
    CHECK_NEAR(r.medium[i] + r.energy[i], 0, 1e-9);
    CHECK_NEAR(r.work[i], 0, 1e-9);
  }
  for (int i = 0; i < r.batches; i++) spread += pow(r.dwell[i] / r.counted[i] - mean / counted, 2);
  CHECK(fabs(mean / counted - one / sum) < 7.6 * sqrt(spread / 64 / 63));
  CHECK(fabs(square / counted - two / sum) < 7.6 * 2.2 * n0 * sqrt(spread / 64 / 63));
  hybrid_result_free(&r);
  network_free(net);
}

/* --- books --- */

/* The same capacitor by its rate equation: what it loses is entropy, and nothing is undeclared. */
static void test_capacitor_flow(void)
{
  const double n0 = 2000, stiff = 1e-3;
  ness_network *net = hopping_net(stiff, n0, 6000, FLOW_MEAN);
  double x[1];
  hybrid_result r = end_of(net, (hybrid_options){.time = 3000, .rtol = 1e-9}, x);
  CHECK_NEAR(r.energy[0], 0.5 * stiff * (pow(x[0] - n0, 2) - 64), 1e-12);
  CHECK_NEAR(r.medium[0], r.work[0] - r.energy[0], 1e-9);
  CHECK(r.energy[0] < -0.02 && fabs(r.work[0]) < 1e-6 * fabs(r.energy[0]));
  CHECK(r.events == 0 && r.moves > 5);
  hybrid_result_free(&r);
  network_free(net);
}

/* A membrane: channels with gating charge on a capacitor, a leak both ways, a pump current, pulses from the file. */
static ness_network *membrane_net(void)
{
  network_builder *b = builder_create("membrane", 0);
  const double stiff = 2e-3;
  const int32_t v = add_variable(b, "V", 1000, 2000, -1000, 1, stiff);
  const int32_t c = builder_slot(b, "C", 40, MODEL_NO_MAX, 0.5, 0, -1, -1);
  const int32_t o = builder_slot(b, "O", 0, MODEL_NO_MAX, 1.5, 0, -1, -1);
  const int32_t a = builder_slot(b, "A", 100, MODEL_NO_MAX, 0.25, 0, -1, -1);
  const int32_t e = builder_slot(b, "B", 100, MODEL_NO_MAX, 0.75, 0, -1, -1);
  prog open = {.n = 0}, close = {.n = 0}, in = {.n = 0}, out = {.n = 0}, pump = {.n = 0}, up = {.n = 0};
  p_copy(&open, p_mul(&open, p_exp(&open, p_mul(&open, p_add(&open, p_slot(&open, v), -1001), 3e-3)), 2), c);
  p_copy(&close, p_mul(&close, p_exp(&close, p_mul(&close, p_add(&close, p_slot(&close, v), -1001), -3e-3)), 3), o);
  add_law(b, (law){"gate", c, o, &open, &close, FLOW_NONE, v, 2});
  p_copy(&in, p_mul(&in, p_exp(&in, p_mul(&in, p_add(&in, p_slot(&in, v), -1010), -2e-3)), 20), o);
  p_copy(&out, p_mul(&out, p_exp(&out, p_mul(&out, p_add(&out, p_slot(&out, v), -1010), 2e-3)), 15), o);
  add_law(b, (law){"leak", -1, -1, &in, &out, FLOW_MEAN, v, 1});
  p_copy(&pump, p_mul(&pump, p_add(&pump, p_slot(&pump, v), 100), 1e-2), a);
  add_law(b, (law){"pump", -1, -1, &pump, NULL, FLOW_DRIFT, v, -1});
  const builder_step turn = {.name = "turn",
                             .text = "",
                             .nleft = 1,
                             .nright = 1,
                             .left = &a,
                             .right = &e,
                             .law = {LAW_MASS, LAW_MASS},
                             .k = {1.5, 0.5},
                             .lnk = (double)NAN,
                             .flow = FLOW_MEAN};
  CHECKED(builder_step_add(b, &turn));
  p_add(&up, p_slot(&up, v), 40);
  add_event(b, "every 0.5 s", 0.25, 0.5, NULL, v, &up);
  return finish(b);
}

static void test_closure(void)
{
  ness_network *net = membrane_net();
  const hybrid_mode modes[] = {HYBRID_EXACT, HYBRID_MEAN, HYBRID_LANGEVIN};
  for (int m = 0; m < 3; m++) {
    hybrid_result r = run_of(net, (hybrid_options){.mode = modes[m], .replicas = 4, .time = 6, .warmup = 1, .seed = 8});
    for (int i = 0; i < r.batches; i++) {
      const double size = fabs(r.medium[i]) + fabs(r.energy[i]) + fabs(r.work[i]);
      CHECK(size > 1 && isfinite(size));
      CHECK(fabs(r.medium[i] - r.work[i] + r.energy[i]) < 1e-9 * size);
    }
    hybrid_result_free(&r);
  }
  network_free(net);
}

/* Cubics in a box are what they stand for, all over it; a step's force is that of its quotient of rates. */
static void test_local(void)
{
  ness_network *net = membrane_net();
  hybrid_net at;
  hybrid_replica one;
  int64_t good = 0;
  CHECK(hybrid_net_init(&at, net, &(hybrid_options){.rtol = 1e-6, .time = 20}) == NESS_OK);
  CHECK(hybrid_replica_init(&one, &at) == NESS_OK);
  CHECK(hybrid_start(&one, &at, 4, 0) == HYBRID_AT_TIME);
  for (int turn = 0; turn < 600; turn++) {
    hybrid_advance(&one, &at, 20, 20);
    const int32_t slot = at.real[0];
    if (!one.open) continue;
    one.box_lo[slot] = one.x[slot] - 0.02 * turn; /* boxes of all widths, up to where a cubic is none */
    one.box_hi[slot] = one.x[slot] + 0.05 * turn;
    local_open(&one, &at);
    for (int32_t i = 0; i <= 8 && one.open; i++) {
      const double x = one.box_lo[slot] + (one.box_hi[slot] - one.box_lo[slot]) * i / 8.0;
      for (int32_t k = 0; k < at.nfcore; k++) {
        const hybrid_core *const core = &at.core[at.fcore[k]];
        if (!core->alone || !one.local[at.fcore[k]].good) continue;
        one.y[slot] = x;
        const double exact = core_value(&at, core, one.reg + core->reg, one.y);
        CHECK_REL(local_value(&one.local[at.fcore[k]], x), exact, 3e-9);
        good++;
      }
      const double force = log(20.0 / 15) - 4e-3 * (x - 1010); /* of the leak */
      if (local_force(&one, &at, 1)) CHECK_NEAR(local_value(&one.force[1], x), force, 3e-9);
      one.y[slot] = one.x[slot];
    }
  }
  CHECK(at.force_alone[1] && !at.force_alone[0]); /* the gate moves the slot itself */
  printf("%lld values of cubics compared\n", (long long)good);
  CHECK(good > 3000 && !one.local[at.fcore[0]].good);
  hybrid_replica_free(&one);
  hybrid_net_free(&at);
  network_free(net);
}

static void test_threads(void)
{
  ness_network *net = membrane_net();
  hybrid_result r[2];
  for (int i = 0; i < 2; i++) {
    r[i] = run_of(net, (hybrid_options){.replicas = 300, .time = 0.5, .seed = 9, .threads = i + 1});
  }
  const size_t row = (size_t)r[0].batches * sizeof(double);
  CHECK(r[0].events == r[1].events && r[0].candidates == r[1].candidates && r[0].moves == r[1].moves);
  CHECK(memcmp(r[0].medium, r[1].medium, row) == 0 && memcmp(r[0].energy, r[1].energy, row) == 0);
  CHECK(memcmp(r[0].dwell2, r[1].dwell2, row * (size_t)net->nslot) == 0);
  CHECK(memcmp(r[0].bwd, r[1].bwd, row * (size_t)net->nstep) == 0);
  hybrid_result_free(&r[0]);
  hybrid_result_free(&r[1]);
  network_free(net);
}

/* --- events of the file --- */

/* V' = current - V in units of 1000 counts. */
static ness_network *fire_net(double current, double to, bool timed)
{
  network_builder *b = builder_create("fire", 0);
  const int32_t v = add_variable(b, "V", 0, 4000, 0, 1e-3, 0);
  prog drift = {.n = 0}, when = {.n = 0}, set = {.n = 0};
  const int32_t rest = p_num(&drift, 1e3 * current);
  p_op(&drift, TAPE_SUB, rest, p_slot(&drift, v));
  add_law(b, (law){"V", -1, -1, &drift, NULL, FLOW_DRIFT, v, 1});
  const int32_t threshold = p_num(&when, 1000);
  p_op(&when, TAPE_LT, threshold, p_slot(&when, v));
  if (timed) p_add(&set, p_slot(&set, v), to);
  else p_num(&set, to);
  add_event(b, "when V > 1: V = 0", timed ? 0.5 : (double)NAN, timed ? 0.25 : 0, timed ? NULL : &when, v, &set);
  return finish(b);
}

/* What nothing moves but an event: a variable takes the value as it is given, a count the nearest whole number. */
static void test_set(void)
{
  for (int variable = 0; variable < 2; variable++) {
    network_builder *b = builder_create("set", 0);
    const int32_t v = variable ? add_variable(b, "v", 3, 1000, 0, 1e-3, 0) : add_slot(b, "N", 3, MODEL_NO_MAX);
    const int32_t other = add_variable(b, "other", 0, 4000, 0, 1e-3, 0);
    prog rate = {.n = 0}, set = {.n = 0};
    double x[2];
    p_num(&rate, 10);
    p_num(&set, 72.3);
    add_law(b, (law){"other", -1, -1, &rate, NULL, FLOW_DRIFT, other, 1});
    add_event(b, "at 0.5: v = 72.3", 0.5, 0, NULL, v, &set);
    ness_network *net = finish(b);
    hybrid_result r = end_of(net, (hybrid_options){.time = 1}, x);
    CHECK(x[v] == (variable ? 72.3 : 72));
    hybrid_result_free(&r);
    network_free(net);
  }
}

static void test_events(void)
{
  double x[1];
  ness_network *net = fire_net(1.5, 0, false); /* integrate and fire: its period is ln 3 */
  const double period = log(3.0);
  hybrid_result r = end_of(net, (hybrid_options){.time = 20.5 * period, .rtol = 1e-12}, x);
  CHECK_NEAR(x[0] / 1500, 1 - exp(-0.5 * period), 20 * 1e-9 * exp(-0.5 * period));
  hybrid_result_free(&r);
  network_free(net);
  net = fire_net(0, 100, true); /* decay, and 0.1 more at 0.5, 0.75, ... 2 */
  r = end_of(net, (hybrid_options){.time = 2.1, .rtol = 1e-10}, x);
  double exact = 0;
  for (int k = 0; k < 7; k++) exact += 100 * exp(-(2.1 - 0.5 - 0.25 * k));
  CHECK_REL(x[0], exact, 1e-8);
  hybrid_result_free(&r);
  network_free(net);
}

static void refused(ness_network *net, hybrid_options options, const char *part)
{
  hybrid_result result;
  ness_diags *diags = ness_diags_create();
  options.replicas = 1;
  CHECK(hybrid_run(net, &options, diags, &result) == NESS_NUMERIC);
  char *text = ness_diags_render(diags, 0);
  CHECK(text && strstr(text, part));
  if (!text || !strstr(text, part)) fprintf(stderr, "%s lacks \"%s\"\n", text ? text : "nothing", part);
  ness_text_free(text);
  ness_diags_free(diags);
  hybrid_result_free(&result);
  network_free(net);
}

/* x' = x^2 from 1: no solution beyond t = 1. */
static ness_network *explosion_net(void)
{
  network_builder *b = builder_create("explosion", 0);
  const int32_t x = add_slot(b, "A", 1, MODEL_NO_MAX);
  prog rate = {.n = 0};
  const int32_t one = p_slot(&rate, x);
  p_op(&rate, TAPE_MUL, one, one);
  add_law(b, (law){"growth", -1, x, &rate, NULL, FLOW_MEAN, -1, 0});
  return finish(b);
}

/* A channel beside a variable whose opening is u / (exp(u) - 1) or sqrt(u), u = x - 500. */
static ness_network *hole_net(bool root)
{
  prog opening = {.n = 0};
  const int32_t u = p_add(&opening, p_slot(&opening, 0), -500);
  if (root) p_op(&opening, TAPE_SQRT, u, 0);
  else p_op(&opening, TAPE_DIV, u, p_add(&opening, p_exp(&opening, u), -1));
  p_mul(&opening, opening.n - 1, 1);
  return channel_net(&opening, 2);
}

static void test_refusals(void)
{
  refused(fire_net(1.5, 1000, false), (hybrid_options){.time = 2}, "threshold chatters");
  refused(fire_net(1.5, 1000, false), (hybrid_options){.time = 2}, "hysteresis");
  refused(fire_net(5, 4500, false), (hybrid_options){.time = 2}, "sets variable V to 4.5 mV");
  refused(fire_net(5, 3900, false), (hybrid_options){.time = 2}, "variable V leaves its range at t = ");
  refused(explosion_net(), (hybrid_options){.mode = HYBRID_MEAN, .time = 2}, "cannot be followed beyond t = 1.0000");
  refused(hole_net(false), (hybrid_options){.time = 2}, "not a number at t = 0 s");
  refused(hole_net(false), (hybrid_options){.time = 2}, "exprel");
  refused(hole_net(true), (hybrid_options){.time = 2}, "has no bound");
}

/* --- the rest --- */

static void test_langevin(void)
{
  network_builder *b = builder_create("birth", 0);
  add_slot(b, "A", 400, MODEL_NO_MAX);
  add_move(b, "birth", -1, 0, 400, 1);
  ness_network *net = finish(b);
  hybrid_result r =
      run_of(net, (hybrid_options){.mode = HYBRID_LANGEVIN, .replicas = 64, .time = 505, .warmup = 5, .seed = 6});
  double mean = 0, square = 0, counted = 0;
  for (int i = 0; i < r.batches; i++) {
    mean += r.dwell[i] / 64;
    square += r.dwell2[i] / 64;
    counted += r.counted[i] / 64;
  }
  mean /= counted;
  CHECK_REL(mean, 400, 1e-3);
  CHECK_REL(square / counted - mean * mean, 400, 0.05);
  hybrid_result_free(&r);
  network_free(net);
}

/* The patch of 1952: its spikes are those of the rate equations, and what an event costs. */
static void test_patch(void)
{
  ness_network *net = hodgkin_huxley(6000, 1800, 10);
  double x[14], mean[2];
  for (int m = 0; m < 2; m++) {
    const clock_t clock_start = clock();
    hybrid_result r = end_of(net, (hybrid_options){.mode = m ? HYBRID_MEAN : HYBRID_EXACT, .time = 30, .seed = 3}, x);
    const double seconds = (double)(clock() - clock_start) / CLOCKS_PER_SEC;
    if (!m) printf("patch: %lld events, %.0f ns each\n", (long long)r.events, 1e9 * seconds / (double)r.events);
    mean[m] = r.dwell[0] / r.counted[0] * 1e-3 - 100;
    CHECK(m ? r.events == 0 : r.events > 100000 && r.candidates < r.events + r.events / 10);
    hybrid_result_free(&r);
  }
  CHECK(fabs(mean[0] - mean[1]) < 5 && mean[0] > -65 && mean[0] < -40);
  network_free(net);
}

static void test_memory(void)
{
  ness_network *net = membrane_net();
  int64_t fails = 0;
  for (int64_t n = 0; n < 1000; n++) {
    hybrid_result result;
    mem_fail_after(n);
    const ness_status status = hybrid_run(net, &(hybrid_options){.replicas = 2, .time = 0.01}, NULL, &result);
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
  test_relaxation();
  test_logistic();
  test_stiff();
  test_order();
  test_robertson();
  test_channels();
  test_jumps();
  test_bounds();
  test_firing();
  test_capacitor();
  test_capacitor_flow();
  test_closure();
  test_local();
  test_threads();
  test_set();
  test_events();
  test_refusals();
  test_langevin();
  test_patch();
  test_memory();
  return check_done();
}
