/* The two parts of the entropy production of dumps whose input flips or that begin away from rest. Exact values against
 * sums written here: the law of each level from the trees of a ring (Hill 1977), the joint one by elimination. Both
 * integral theorems; the limits: a slow input, one that leaves the law alone, and levels in detailed balance. A run
 * from its start against its course in closed form. Seeds are fixed; under random ones |t| of 63 degrees beyond LIMIT
 * has a chance of 3e-10, and fewer than 171 of SETS intervals at 95 % one of 9e-8. An argument makes it as many data
 * sets. */
#include "analysis_build.h"
#include "engine/cme/evolve.h"
#include "engine/cme/held.h"

#define LIMIT 7.5
#define SETS 200

static char path[256];

typedef struct gated {                  /* a ring of three states under a telegraph */
  double forward[2][3], backward[2][3]; /* by level */
  double up, down;
} gated;

static const gated turning = {
    .forward = {{1.1, 2, 1}, {8.2, 2, 1}}, .backward = {{1, 0.37, 0.5}, {1, 2.7, 0.5}}, .up = 0.7, .down = 0.4};

static ness_network *network_of(const gated *g, int64_t copies)
{
  static const char *const state[3] = {"A", "B", "C"}, *const level[2] = {"low", "high"};
  network_builder *const b = builder_create("gated", 0);
  int32_t s[3], l[2];
  char name[32];
  for (int i = 0; i < 3; i++) s[i] = add_slot(b, state[i], i ? 0 : copies, MODEL_NO_MAX);
  const int32_t family = builder_family(b, "V", 1), process = builder_process(b, "V");
  CHECKED(family);
  CHECKED(process);
  for (int v = 0; v < 2; v++) CHECKED(l[v] = builder_slot(b, level[v], v == 0, MODEL_NO_MAX, 0, 0, -1, family));
  for (int i = 0; i < 3; i++) {
    for (int v = 0; v < 2; v++) {
      const int32_t left[2] = {s[i], l[v]}, right[2] = {s[(i + 1) % 3], l[v]};
      snprintf(name, sizeof name, "%s.%s", state[i], level[v]);
      add_step(b, name, 2, left, 2, right, g->forward[v][i], g->backward[v][i]);
    }
  }
  const builder_step flip = {.name = "flip",
                             .text = "",
                             .nleft = 1,
                             .nright = 1,
                             .left = &l[0],
                             .right = &l[1],
                             .law = {LAW_MASS, LAW_MASS},
                             .k = {g->up, g->down},
                             .lnk = (double)NAN,
                             .flip = 1 + process};
  CHECKED(builder_step_add(b, &flip));
  return finish(b);
}

/* --- by hand --- */

/* The steady law of a ring of three: a state has the weight of its trees. */
static void trees(const double *forward, const double *backward, double *p)
{
  double sum = 0;
  for (int i = 0; i < 3; i++) {
    const int a = (i + 1) % 3, b = (i + 2) % 3; /* edges: i->a is i, a->b is a, b->i is b */
    p[i] = forward[a] * forward[b] + backward[i] * forward[b] + backward[a] * backward[i];
    sum += p[i];
  }
  for (int i = 0; i < 3; i++) p[i] /= sum;
}

/* The steady law of the six states, by Gauss and Jordan; state 3 v + i. */
static void joint(const gated *g, double *p)
{
  double m[6][7] = {{0}};
  for (int v = 0; v < 2; v++) {
    for (int i = 0; i < 3; i++) {
      const int at = 3 * v + i, next = 3 * v + (i + 1) % 3, other = 3 * (1 - v) + i;
      const double f = g->forward[v][i], b = g->backward[v][i], flip = v ? g->down : g->up;
      m[next][at] += f, m[at][at] -= f;
      m[at][next] += b, m[next][next] -= b;
      m[other][at] += flip, m[at][at] -= flip;
    }
  }
  for (int c = 0; c < 7; c++) m[5][c] = 1;
  for (int c = 0; c < 6; c++) {
    int best = c;
    for (int r = c; r < 6; r++) best = fabs(m[r][c]) > fabs(m[best][c]) ? r : best;
    for (int k = 0; k < 7; k++) {
      const double held = m[c][k];
      m[c][k] = m[best][k];
      m[best][k] = held;
    }
    for (int r = 0; r < 6; r++) {
      const double by = r == c ? 0 : m[r][c] / m[c][c];
      for (int k = c; k < 7; k++) m[r][k] -= by * m[c][k];
    }
  }
  for (int i = 0; i < 6; i++) p[i] = m[i][6] / m[i][i];
}

typedef struct parts {
  double total, adiabatic, excess;
} parts;

static parts parts_of(const gated *g)
{
  double p[6], held[2][3];
  parts out = {0};
  joint(g, p);
  for (int v = 0; v < 2; v++) trees(g->forward[v], g->backward[v], held[v]);
  for (int v = 0; v < 2; v++) {
    for (int i = 0; i < 3; i++) {
      const int j = (i + 1) % 3;
      const double net = p[3 * v + i] * g->forward[v][i] - p[3 * v + j] * g->backward[v][i];
      const double lnk = log(g->forward[v][i] / g->backward[v][i]);
      out.total += net * lnk;
      out.adiabatic += net * (lnk + log(held[v][i] / held[v][j]));
      out.excess += p[3 * v + i] * (v ? g->down : g->up) * log(held[v][i] / held[1 - v][i]);
    }
  }
  CHECK_NEAR(out.total, out.adiabatic + out.excess, 1e-12);
  return out;
}

/* --- from dumps --- */

static ness_simulate_options run_options(const char *level, int64_t replicas, double time, double warmup, uint64_t seed)
{
  return (ness_simulate_options){.struct_size = sizeof(ness_simulate_options),
                                 .level = level,
                                 .replicas = replicas,
                                 .time = warmup + time,
                                 .warmup = warmup,
                                 .seed = seed,
                                 .path = path,
                                 .overwrite = 1};
}

static double part(const ness_doc *doc, int k, const char *column)
{
  char key[64];
  snprintf(key, sizeof key, "entropy.split.parts[%d].%s", k, column);
  return ness_doc_number(doc, key);
}

static double integral(const ness_doc *doc, int k, const char *column)
{
  char key[64];
  snprintf(key, sizeof key, "entropy.split.integrals[%d].%s", k, column);
  return ness_doc_number(doc, key);
}

static void near(double value, double error, double exact)
{
  if (!(fabs(value - exact) < LIMIT * error)) fprintf(stderr, "%g +- %g, exact %g\n", value, error, exact);
  CHECK(fabs(value - exact) < LIMIT * error);
}

static void parts_add_up(const ness_doc *doc)
{
  const double total = ness_doc_number(doc, "entropy.thermodynamic.estimate");
  CHECK_NEAR(part(doc, 0, "estimate") + part(doc, 1, "estimate"), total, 1e-9 * (1 + fabs(total)));
}

/* Exact values and estimates, by replicas and by time, of one molecule and of many that share their input; and that
 * exp(-s) has the mean 1. */
static void ring_that_turns(void)
{
  const parts hand = parts_of(&turning);
  CHECK(hand.adiabatic > 0.3 && hand.excess > 0.1);
  const struct {
    int64_t copies, replicas;
    double time;
    bool theorem; /* of the nonadiabatic part, which needs the law given the level */
  } cases[] = {{1, 64, 400, true}, {1, 4, 4000, true}, {20, 64, 40, false}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const double copies = (double)cases[k].copies;
    ness_network *net = network_of(&turning, cases[k].copies);
    const ness_simulate_options options = run_options("events", cases[k].replicas, cases[k].time, 30, 11 + k);
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    CHECK_REL(part(doc, 0, "exact"), copies * hand.adiabatic, 1e-9);
    CHECK_REL(part(doc, 1, "exact"), copies * hand.excess, 1e-9);
    near(part(doc, 0, "estimate"), part(doc, 0, "error"), copies * hand.adiabatic);
    near(part(doc, 1, "estimate"), part(doc, 1, "error"), copies * hand.excess);
    CHECK(part(doc, 0, "error") < 0.1 * copies * hand.adiabatic && part(doc, 1, "error") < 0.1 * copies * hand.excess);
    parts_add_up(doc);
    CHECK(ness_doc_count(doc, "entropy.split.integrals") == 1 + cases[k].theorem);
    for (int i = 0; i < 1 + cases[k].theorem; i++) {
      near(integral(doc, i, "integral"), integral(doc, i, "integral_error"), 1);
      CHECK(integral(doc, i, "integral_error") < 0.05 && fabs(integral(doc, i, "mean")) > 0.05);
    }
    ness_doc_free(doc);
    network_free(net);
  }
}

/* Of short data sets, how many intervals hold the exact value. */
static void coverage(int sets)
{
  const parts hand = parts_of(&turning);
  const double exact[2] = {hand.adiabatic, hand.excess};
  int held[2] = {0, 0};
  ness_network *net = network_of(&turning, 1);
  for (int k = 0; k < sets; k++) {
    const ness_simulate_options options = run_options("events", 64, 20, 20, 5000 + (uint64_t)k);
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    for (int i = 0; i < 2; i++) held[i] += part(doc, i, "low") <= exact[i] && exact[i] <= part(doc, i, "high");
    ness_doc_free(doc);
  }
  printf("intervals that hold the exact value, of %d: adiabatic %d, excess %d\n", sets, held[0], held[1]);
  const double least = 0.95 * sets - 6.2 * sqrt(0.95 * 0.05 * sets);
  CHECK(held[0] >= least && held[1] >= least);
  network_free(net);
}

/* --- limits --- */

static held_laws held_of(const gated *g)
{
  ness_network *net = network_of(g, 1);
  cme_solution exact;
  held_laws held;
  solve(net, 0, &exact);
  CHECKED(held_find(net, &exact, &held));
  CHECK(!held.why);
  CHECK_NEAR(held.adiabatic + held.excess, exact.entropy, 1e-12);
  const held_laws rates = {.adiabatic = held.adiabatic, .excess = held.excess};
  held_free(&held);
  cme_solution_free(&exact);
  network_free(net);
  return rates;
}

/* A slow input pays once a flip for the whole way from rest to rest, so that the excess falls with the rate of flips to
 * nothing, and the adiabatic part is the mean of what the levels cost at rest. */
static void slow_input(void)
{
  gated slow = turning;
  double law[2][3], way = 0, rest = 0, last = INFINITY;
  for (int v = 0; v < 2; v++) trees(slow.forward[v], slow.backward[v], law[v]);
  for (int v = 0; v < 2; v++) {
    const double net = law[v][0] * slow.forward[v][0] - law[v][1] * slow.backward[v][0];
    for (int i = 0; i < 3; i++) {
      way += law[v][i] * log(law[v][i] / law[1 - v][i]); /* Kullback and Leibler, both ways */
      rest += net * log(slow.forward[v][i] / slow.backward[v][i]) / 2;
    }
  }
  for (double rate = 1e-1; rate > 1e-5; rate /= 10) {
    slow.up = slow.down = rate;
    const held_laws found = held_of(&slow);
    const double off = fabs(found.excess / (rate / 2 * way) - 1) + fabs(found.adiabatic / rest - 1);
    CHECK(off < 0.2 * last && off < 2 * rate);
    last = off;
  }
}

/* An input that speeds all steps up leaves the law alone: what is not adiabatic is the difference of ends, and no
 * window has a nonadiabatic part. */
static void even_input(void)
{
  gated even = turning;
  for (int i = 0; i < 3; i++) {
    even.forward[1][i] = 5 * even.forward[0][i];
    even.backward[1][i] = 5 * even.backward[0][i];
  }
  ness_network *net = network_of(&even, 1);
  const ness_simulate_options options = run_options("events", 64, 50, 20, 3);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK_NEAR(part(doc, 1, "exact"), 0, 1e-13);
  double law[3];
  trees(even.forward[0], even.backward[0], law);
  CHECK(fabs(part(doc, 1, "estimate")) < fabs(log(law[0] / law[2])) / 50); /* what telescopes, from end to end */
  CHECK_NEAR(integral(doc, 1, "mean"), 0, 1e-12);
  CHECK_NEAR(integral(doc, 1, "integral"), 1, 1e-12);
  CHECK(part(doc, 0, "exact") > 0.3);
  parts_add_up(doc);
  ness_doc_free(doc);
  network_free(net);
}

/* Levels in detailed balance: every event is excess, however fast the input. */
static void balanced_levels(void)
{
  gated calm = turning;
  for (int v = 0; v < 2; v++)
    calm.backward[v][2] =
        calm.forward[v][0] * calm.forward[v][1] * calm.forward[v][2] / (calm.backward[v][0] * calm.backward[v][1]);
  ness_network *net = network_of(&calm, 1);
  const ness_simulate_options options = run_options("events", 64, 50, 20, 4);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK_NEAR(part(doc, 0, "exact"), 0, 1e-12);
  CHECK_NEAR(part(doc, 0, "estimate"), 0, 1e-10);
  CHECK(part(doc, 1, "exact") > 0.1);
  near(part(doc, 1, "estimate"), part(doc, 1, "error"), parts_of(&calm).excess);
  ness_doc_free(doc);
  network_free(net);
}

/* A dump of windows has the theorem of the whole entropy production, under an input whose flips come from outside: with
 * laws given its level. */
static void theorem_of_windows(void)
{
  gated calm = turning;
  calm.up = 0.3;
  calm.down = 3;
  ness_network *net = network_of(&calm, 1);
  ness_simulate_options options = run_options("flux", 64, 400, 20, 6);
  options.window = 0.5;
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  near(ness_doc_number(doc, "entropy.fluctuation_theorem.slope"),
       ness_doc_number(doc, "entropy.fluctuation_theorem.slope_error"), 1);
  near(ness_doc_number(doc, "entropy.fluctuation_theorem.integral"),
       ness_doc_number(doc, "entropy.fluctuation_theorem.integral_error"), 1);
  CHECK(ness_doc_number(doc, "entropy.fluctuation_theorem.slope_error") < 0.05);
  ness_doc_free(doc);
  network_free(net);
}

/* --- from a start away from rest --- */

/* A <-> B, 1 a second and 3 back, from A: nothing is adiabatic, and the excess of a run of t seconds is ln ps(end) - ln
 * ps(A), where the end is B with chance (1 - exp(-4 t))/4. A dump of any level says the same. */
static void relaxation(void)
{
  static const char *const levels[] = {"summary", "flux", "grid", "events"};
  const double t = 0.4, copies = 10;
  network_builder *b = builder_create("pair", 0);
  const int32_t A = add_slot(b, "A", (int64_t)copies, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "r", A, B, 1, 3);
  ness_network *net = finish(b);
  double mean[4];
  for (int k = 0; k < 4; k++) {
    ness_simulate_options options = run_options(levels[k], 6400, t, 0, 9);
    if (k == DUMP_FLUX) options.window = t / 4;
    if (k == DUMP_GRID) options.every = t / 4;
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    mean[k] = part(doc, 1, "estimate");
    CHECK_NEAR(part(doc, 0, "estimate"), 0, 1e-10);
    CHECK_NEAR(part(doc, 0, "exact"), 0, 1e-12);
    parts_add_up(doc);
    if (k == 3) {
      /* of the multinomial of `copies`: ln C(10, n) + n ln(1/3), in the mean over the binomial of the end */
      const double q = (1 - exp(-4 * t)) / 4;
      double exact = 0;
      for (int n = 0; n <= 10; n++) {
        const double choose = lgamma(copies + 1) - lgamma(n + 1) - lgamma(copies - n + 1);
        exact += exp(choose + n * log(q) + (copies - n) * log(1 - q)) * (choose - n * log(3)) / t;
      }
      near(part(doc, 1, "estimate"), part(doc, 1, "error"), exact);
      CHECK_REL(part(doc, 1, "exact"), exact, 1e-9);
      CHECK(part(doc, 1, "error") < 0.05 * fabs(exact));
    }
    ness_doc_free(doc);
  }
  for (int k = 1; k < 4; k++) CHECK_NEAR(mean[k], mean[0], 1e-9);
  network_free(net);
}

/* Copies in a ring that is driven, from one state: both parts against the course of the master equation, whose parts
 * (engine/cme/split.c) are integrated by Simpson's rule. */
static void way_to_rest(void)
{
  enum { TIMES = 401 };
  const double end = 1, copies = 6;
  double times[TIMES], adiabatic = 0, medium = 0;
  network_builder *b = builder_create("ring", 0);
  int32_t s[3];
  for (int i = 0; i < 3; i++)
    s[i] = add_slot(b, i == 0 ? "A" : i == 1 ? "B" : "C", i ? 0 : (int64_t)copies, MODEL_NO_MAX);
  for (int i = 0; i < 3; i++)
    add_move(b, i == 0 ? "a" : i == 1 ? "b" : "c", s[i], s[(i + 1) % 3], turning.forward[1][i], turning.backward[1][i]);
  ness_network *net = finish(b);
  for (int k = 0; k < TIMES; k++) times[k] = end * k / (TIMES - 1);
  ness_diags *diags = ness_diags_create();
  evolution course;
  CHECKED(evolve_run(net, &(cme_options){.split = true}, NULL, times, TIMES, diags, &course));
  for (int k = 0; k < TIMES; k++) {
    const double weight = (k == 0 || k == TIMES - 1 ? 1 : k % 2 ? 4 : 2) / (3.0 * (TIMES - 1));
    adiabatic += weight * course.entropy[k].adiabatic;
    medium += weight * course.entropy[k].medium;
  }
  /* an event of copies is charged -ln n! of its state as well, whose change is that from end to end */
  double mixing = lgamma(copies + 1);
  for (int n = 0; n <= 6; n++) {
    for (int i = 0; i < 3; i++) {
      const double p = course.mean[3 * (TIMES - 1) + i] / copies;
      const double choose = lgamma(copies + 1) - lgamma(n + 1) - lgamma(copies - n + 1);
      mixing -= exp(choose + n * log(p) + (copies - n) * log1p(-p)) * lgamma(n + 1);
    }
  }
  const ness_simulate_options options = run_options("summary", 6400, end, 0, 10);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  near(part(doc, 0, "estimate"), part(doc, 0, "error"), adiabatic);
  near(part(doc, 1, "estimate"), part(doc, 1, "error"), medium + mixing / end - adiabatic);
  CHECK_REL(part(doc, 0, "exact"), adiabatic, 1e-7);
  CHECK_REL(part(doc, 1, "exact"), medium + mixing / end - adiabatic, 1e-7);
  CHECK(part(doc, 0, "error") < 0.03 * adiabatic && part(doc, 1, "error") < 0.05 * fabs(medium - adiabatic));
  parts_add_up(doc);
  ness_doc_free(doc);
  evolve_free(&course);
  ness_diags_free(diags);
  network_free(net);
}

/* A ring under a telegraph, from one state and level: the exact means over the course against Euler's steps with
 * Richardson's extrapolation. */
static void course(const gated *g, double end, int steps, double out[2])
{
  double p[6] = {1}, held[2][3];
  out[0] = out[1] = 0;
  for (int v = 0; v < 2; v++) trees(g->forward[v], g->backward[v], held[v]);
  for (int k = 0; k < steps; k++) {
    double by[6] = {0};
    for (int v = 0; v < 2; v++) {
      for (int i = 0; i < 3; i++) {
        const int at = 3 * v + i, next = 3 * v + (i + 1) % 3;
        const double net = p[at] * g->forward[v][i] - p[next] * g->backward[v][i],
                     ln = log(held[v][(i + 1) % 3] / held[v][i]);
        const double flip = p[at] * (v ? g->down : g->up);
        by[at] -= net + flip;
        by[next] += net;
        by[3 * (1 - v) + i] += flip;
        out[0] += net * (log(g->forward[v][i] / g->backward[v][i]) - ln) / steps;
        out[1] += net * ln / steps;
      }
    }
    for (int i = 0; i < 6; i++) p[i] += by[i] * end / steps;
  }
}

static void driven_start(void)
{
  double rough[2], mean[2], exact[2];
  ness_network *net = network_of(&turning, 1);
  const ness_simulate_options options = run_options("events", 6400, 1, 0, 12);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  course(&turning, 1, 20000, rough);
  course(&turning, 1, 40000, mean);
  for (int i = 0; i < 2; i++) {
    exact[i] = 2 * mean[i] - rough[i];
    CHECK_REL(part(doc, i, "exact"), exact[i], 1e-7);
    near(part(doc, i, "estimate"), part(doc, i, "error"), exact[i]);
  }
  CHECK(fabs(exact[1] / parts_of(&turning).excess - 1) > 0.5);
  ness_doc_free(doc);
  network_free(net);
}

/* --- where there is no split --- */

static void check_refused(const ness_network *net, const ness_simulate_options *options, int64_t max_states,
                          const char *why)
{
  const ness_analyze_options how = {.struct_size = sizeof how, .max_states = max_states};
  ness_doc *doc = run_and_analyze(net, options, &how);
  const char *const is = ness_doc_string(doc, "entropy.split.is");
  if (!is || !strstr(is, why)) fprintf(stderr, "%s: %s\n", why, is ? is : "no chapter");
  CHECK(is && strncmp(is, "not available: ", 15) == 0 && strstr(is, why));
  CHECK(ness_doc_count(doc, "entropy.split.parts") <= 0);
  ness_doc_free(doc);
}

static void refusals(void)
{
  ness_network *net = network_of(&turning, 1);
  ness_simulate_options options = run_options("flux", 16, 10, 1, 1);
  check_refused(net, &options, 0, "level events");
  options.level = "events";
  check_refused(net, &options, 3, "states");
  network_free(net);
  gated stuck = turning;
  for (int i = 0; i < 2; i++)
    stuck.forward[1][i] = stuck.backward[1][i] = 0; /* two places to end in at the high level */
  net = network_of(&stuck, 1);
  check_refused(net, &options, 0, "several places");
  network_free(net);
  stuck = turning;
  stuck.backward[0][1] = 0;
  net = network_of(&stuck, 1);
  check_refused(net, &options, 0, "no way back");
  network_free(net);
  net = ring(3, 2, 1, 1); /* counted from a steady state, with nothing that flips: nobody asks */
  options.warmup = 1;
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(ness_doc_string(doc, "entropy.split.is") == NULL);
  ness_doc_free(doc);
  network_free(net);
}

/* When memory runs out at any call, laws and analysis say so and leave nothing behind. */
static void failure(void)
{
  ness_network *net = network_of(&turning, 2);
  const ness_simulate_options options = run_options("events", 2, 20, 5, 1);
  const ness_analyze_options how = {.struct_size = sizeof how, .threads = 1};
  cme_solution exact;
  held_laws held;
  int failed[2] = {0, 0};
  solve(net, 0, &exact);
  simulate(net, &options);
  for (int what = 0; what < 2; what++) {
    bool fine = false;
    for (int64_t n = 0; !fine; n += what ? 23 : 1) {
      ness_doc *doc = NULL;
      mem_fail_after(n);
      const ness_status status = what ? ness_analyze(path, &how, NULL, &doc) : held_find(net, &exact, &held);
      mem_fail_after(-1);
      CHECK(status == NESS_OK || status == NESS_NOMEM);
      fine = status == NESS_OK;
      failed[what] += !fine;
      if (what) ness_doc_free(doc);
      else if (fine) held_free(&held);
    }
  }
  CHECK(failed[0] > 5 && failed[1] > 10);
  cme_solution_free(&exact);
  network_free(net);
}

int main(int count, char **word)
{
  test_path(path, "analysis_adiabatic");
  ring_that_turns();
  coverage(count > 1 ? atoi(word[1]) : SETS);
  slow_input();
  even_input();
  balanced_levels();
  theorem_of_windows();
  relaxation();
  way_to_rest();
  driven_start();
  refusals();
  failure();
  unlink(path);
  return check_done();
}
