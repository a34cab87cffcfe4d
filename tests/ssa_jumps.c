/* Many jumps a draw. Against the master equation (ssa_master.h): states at a time by chi-square, mean events of every
 * direction, mean integrals of every count; against the direct method: variances and correlations of all of them, at
 * three stops of each replica. The networks are a driven ring, a fuelled pair far from its steady state, a channel that
 * rests for as long as a leap takes, so that leaps end late and are cut, two molecules on three sites, and a ring
 * that breaks. Each must notice a rate that is off. The time of an event against the gamma law, that of an end
 * against its closed form. Every comparison has a fixed seed and would raise a false alarm with a probability of 1e-8
 * under a random one, all together less than 1e-5. */
#include "check.h"
#include "ssa_bytes.h"
#include "ssa_master.h"

#include "engine/ssa/kernel.h"

#define ALARM 1e-8
#define ALARM_SIGMA 5.8 /* two-sided 1e-8 of the normal law */

enum { SAMPLES = 16000, TIMES = 3, WATCHED = 24 };

static ness_network *net_driven(void)
{
  const net_slot slots[] = {{"A", 1, 0}, {"B", 0, 0}, {"C", 0, 0}, {"D", 0, 0}};
  const net_step steps[] = {{"ab", 90, 20, 1, {0}, 1, {1}},
                            {"bc", 200, 70, 1, {1}, 1, {2}},
                            {"cd", 40, 30, 1, {2}, 1, {3}},
                            {"da", 120, 10, 1, {3}, 1, {0}}};
  return net_make("driven", 4, slots, 4, steps);
}

static ness_network *net_fuelled(void)
{
  const net_slot slots[] = {{"A", 0, 0}, {"B", 24, 0}};
  const net_step steps[] = {{"own", 1, 2, 1, {0}, 1, {1}}, {"fuel", 9, 0.1, 1, {1}, 1, {0}}};
  return net_make("fuelled", 2, slots, 2, steps);
}

static ness_network *net_channel(void)
{
  const net_slot slots[] = {{"C1", 1, 0}, {"C2", 0, 0}, {"O", 0, 0}};
  const net_step steps[] = {{"rock", 900, 1100, 1, {0}, 1, {1}}, {"open", 6, 4, 1, {1}, 1, {2}}};
  return net_make("channel", 3, slots, 2, steps);
}

static ness_network *net_pair(void)
{
  const net_slot slots[] = {{"L", 2, 0}, {"M", 0, 0}, {"R", 0, 0}};
  const net_step steps[] = {{"lm", 30, 50, 1, {0}, 1, {1}}, {"mr", 80, 60, 1, {1}, 1, {2}}};
  return net_make("pair", 3, slots, 2, steps);
}

static ness_network *net_breaking(void)
{
  const net_slot slots[] = {{"A", 1, 0}, {"B", 0, 0}, {"dead", 0, 0}};
  const net_step steps[] = {{"swing", 150, 250, 1, {0}, 1, {1}}, {"break", 1.5, 0, 1, {1}, 1, {2}}};
  return net_make("breaking", 3, slots, 2, steps);
}

/* --- laws --- */

typedef struct sample {
  int64_t state[MASTER_STATES];
  double sum[WATCHED], product[WATCHED][WATCHED];
  double jumps; /* a draw, of some replicas */
} sample;

static ssa_pause run_to(ssa_replica *r, const ness_network *net, const ssa_kernel *kernel, double t)
{
  int32_t bad;
  ssa_pause pause = SSA_AT_EVENTS;
  while (pause == SSA_AT_EVENTS) pause = ssa_advance(r, net, kernel, t, 0, NULL, &bad);
  return pause;
}

/* Events of each direction, both integrals of each count; returns how many. */
static int watch(const ssa_replica *r, const ness_network *net, double *x)
{
  int count = 0;
  for (int d = 0; d < 2 * net->nstep; d++) x[count++] = (double)(d % 2 ? r->bwd : r->fwd)[d / 2];
  for (int i = 0; i < net->nslot; i++) x[count++] = r->slot[i].dwell;
  for (int i = 0; i < net->nslot; i++) x[count++] = r->slot[i].dwell2;
  return count;
}

static int64_t draws_between(rng_stream from, const rng_stream *to, int64_t most)
{
  int64_t draws = 0;
  for (; draws < most && (from.lo != to->lo || from.hi != to->hi); draws++) rng_next(&from);
  return draws;
}

/* Stops at thirds of t; the states are those of the last. Returns the numbers watched. */
static int sample_make(const ness_network *net, const char *method, const master *exact, double t, sample *out)
{
  const ssa_kernel *const kernel = ssa_kernel_find(method, net);
  ssa_replica r;
  int count = 0;
  double events = 0, draws = 0;
  memset(out, 0, TIMES * sizeof *out);
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  for (int i = 0; i < SAMPLES; i++) {
    ssa_replica_start(&r, net, kernel, 20261129 + (strcmp(method, "direct") == 0), i);
    const rng_stream start = r.rng;
    for (int k = 0; k < TIMES; k++) {
      double x[WATCHED];
      const double stop = t * (k + 1) / TIMES;
      const ssa_pause pause = run_to(&r, net, kernel, stop);
      ssa_settle(&r, net);
      const int state = master_find(exact, r.n);
      CHECK(state >= 0 && r.t == stop && pause == (exact->leave[state] > 0 ? SSA_AT_TIME : SSA_ABSORBED));
      CHECK_REL(r.counted, stop, 1e-12);
      out[k].state[state]++;
      count = watch(&r, net, x);
      for (int a = 0; a < count; a++) {
        out[k].sum[a] += x[a];
        for (int b = 0; b < count; b++) out[k].product[a][b] += x[a] * x[b];
      }
    }
    if (i < 20) {
      draws += (double)draws_between(start, &r.rng, 10 * r.events + 10);
      events += (double)r.events;
    }
  }
  out->jumps = events / draws;
  ssa_replica_free(&r);
  return count;
}

static double covariance(const sample *x, int a, int b)
{
  return (x->product[a][b] - x->sum[a] * x->sum[b] / SAMPLES) / (SAMPLES - 1);
}

static bool near(const sample *x, int a, double exact)
{
  const double error = sqrt(covariance(x, a, a) / SAMPLES);
  return fabs(x->sum[a] / SAMPLES - exact) <= ALARM_SIGMA * error + 1e-12 * fabs(exact);
}

static bool like_master(const sample *x, const master *exact)
{
  static double expected[MASTER_STATES];
  const ness_network *const net = exact->net;
  for (int s = 0; s < exact->states; s++) expected[s] = SAMPLES * exact->p[s];
  bool like = chi_one(x->state, expected, exact->states) > ALARM;
  for (int d = 0; d < 2 * net->nstep; d++) like = near(x, d, exact->fired[d]) && like;
  for (int i = 0; i < net->nslot; i++) like = near(x, 2 * net->nstep + i, exact->area[i]) && like;
  return like;
}

/* The largest difference of variances and correlations in standard errors, which are those of the normal law. */
static double spread_most(const sample *x, const sample *y, int count)
{
  double most = 0;
  for (int a = 0; a < count; a++) {
    const double vx = covariance(x, a, a), vy = covariance(y, a, a);
    if (!(vx > 0 && vy > 0)) {
      CHECK(vx == vy);
      continue;
    }
    most = fmax(most, fabs(log(vx / vy)) / sqrt(4.0 / (SAMPLES - 1)));
    for (int b = 0; b < a; b++) {
      const double wx = covariance(x, b, b), wy = covariance(y, b, b);
      if (!(wx > 0 && wy > 0)) continue;
      const double rx = covariance(x, a, b) / sqrt(vx * wx), ry = covariance(y, a, b) / sqrt(vy * wy);
      if (fabs(rx) > 1 - 1e-9 || fabs(ry) > 1 - 1e-9) {
        CHECK_NEAR(rx, ry, 1e-6);
        continue;
      }
      most = fmax(most, fabs(atanh(rx) - atanh(ry)) / sqrt(2.0 / (SAMPLES - 3)));
    }
  }
  return most;
}

/* `fault`: of the rate that is off; `jumps`: that are made a draw, at least. */
static void law(ness_network *net, double t, double fault, double jumps)
{
  static sample many[TIMES], direct[TIMES];
  for (int k = 0; k < TIMES; k++) {
    master exact, off;
    const double stop = t * (k + 1) / TIMES;
    CHECK(fabs(master_solve(&exact, net, 0, stop, 1000)) < 1e-9);
    CHECK(fabs(master_solve(&off, net, fault, stop, 1000)) < 1e-9);
    if (k == 0) {
      const int count = sample_make(net, "jumps", &exact, t, many);
      CHECK(sample_make(net, "direct", &exact, t, direct) == count);
      CHECK(many->jumps > jumps); /* the direct method makes half of one a draw */
    }
    CHECK(like_master(&many[k], &exact));
    CHECK(!like_master(&many[k], &off));
    master_free(&exact);
    master_free(&off);
    const double most = spread_most(&many[k], &direct[k], 2 * net->nstep + 2 * net->nslot);
    CHECK(most < ALARM_SIGMA);
  }
  network_free(net);
}

/* --- ends --- */

/* All states have one rate, so the time of an event has the gamma law; a limit of events holds exactly. */
static void events_limit(void)
{
  enum { REPLICAS = 4000, EVENTS = 3001 };
  const net_slot slots[] = {{"A", 1, 0}, {"B", 0, 0}, {"C", 0, 0}};
  const net_step steps[] = {
      {"ab", 30, 20, 1, {0}, 1, {1}}, {"bc", 30, 20, 1, {1}, 1, {2}}, {"ca", 30, 20, 1, {2}, 1, {0}}};
  ness_network *net = net_make("even", 3, slots, 3, steps);
  const ssa_kernel *const kernel = ssa_kernel_find("jumps", net);
  ssa_replica r;
  double sum = 0, square = 0;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  for (int i = 0; i < REPLICAS; i++) {
    int32_t bad;
    ssa_replica_start(&r, net, kernel, 4, i);
    while (r.events < EVENTS) {
      CHECK(ssa_advance(&r, net, kernel, INFINITY, EVENTS - r.events, NULL, &bad) == SSA_AT_EVENTS);
    }
    CHECK(r.events == EVENTS && r.n[0] == 1 - r.fwd[0] + r.bwd[0] + r.fwd[2] - r.bwd[2]);
    sum += r.t * 50 / EVENTS - 1;
    square += pow(r.t * 50 / EVENTS - 1, 2);
  }
  CHECK(fabs(sum) < ALARM_SIGMA * sqrt((double)REPLICAS / EVENTS));
  CHECK(fabs(square * EVENTS / REPLICAS - 1) < ALARM_SIGMA * sqrt(2.0 / REPLICAS) * 1.1);
  ssa_replica_free(&r);
  network_free(net);
}

/* From A the mean time to the end is (1 + (b + k) / a) / k, with a and b the rates between A and B and k the break. */
static void absorbing(void)
{
  enum { REPLICAS = 20000 };
  ness_network *net = net_breaking();
  const ssa_kernel *const kernel = ssa_kernel_find("jumps", net);
  const double exact = (1 + (250 + 1.5) / 150.0) / 1.5;
  double sum = 0, square = 0;
  ssa_replica r;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  for (int i = 0; i < REPLICAS; i++) {
    ssa_replica_start(&r, net, kernel, 7, i);
    CHECK(run_to(&r, net, kernel, INFINITY) == SSA_ABSORBED);
    ssa_settle(&r, net);
    CHECK(r.n[2] == 1 && r.fwd[1] == 1 && r.fwd[0] - r.bwd[0] == 1 && r.slot[2].dwell == 0);
    CHECK_REL(r.slot[0].dwell + r.slot[1].dwell, r.t, 1e-9);
    sum += r.t / REPLICAS;
    square += r.t * r.t / REPLICAS;
  }
  const double error = sqrt((square - sum * sum) / REPLICAS);
  CHECK(fabs(sum - exact) < ALARM_SIGMA * error && error < 0.02 * exact);
  ssa_replica_free(&r);
  network_free(net);
}

/* Counts that the network cannot come to, as a forged dump may have: no answer, and no harm. */
static void strange_counts(void)
{
  ness_network *net = net_driven();
  const ssa_kernel *const kernel = ssa_kernel_find("jumps", net);
  const int64_t n[] = {5, 0, 3, 0};
  ssa_replica r;
  uint64_t rng[4] = {1, 2, 3, 5};
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  CHECK(ssa_replica_load(&r, net, kernel, 0, n, rng));
  CHECK(run_to(&r, net, kernel, 10) == SSA_AT_TIME && r.t == 10);
  ssa_replica_free(&r);
  network_free(net);
}

/* --- ensembles --- */

static void resume(const char *level, double window)
{
  ness_network *net = net_driven();
  bytes_repeat(
      net,
      (ness_simulate_options){
          .replicas = 5, .time = 40000, .warmup = 1, .seed = 2, .method = "jumps", .level = level, .window = window});
  network_free(net);
}

static void refused(void)
{
  ness_network *const driven = net_driven(), *const birth = net_birth(10, 1);
  const struct {
    const ness_network *net;
    const char *level, *says;
  } table[] = {{driven, "events", "no times of events"}, {birth, "flux", "few states"}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    const ness_simulate_options options = {
        .struct_size = sizeof options, .time = 1, .method = "jumps", .level = table[i].level};
    ness_diags *const diags = ness_diags_create();
    CHECK(ssa_ensemble(table[i].net, &options, NULL, NULL, diags, NULL) == NESS_USAGE);
    CHECK(ness_diags_count(diags, NULL) == 1 && strstr(ness_diags_get(diags, 0)->message, table[i].says));
    ness_diags_free(diags);
  }
  network_free(driven);
  network_free(birth);
}

/* Without a name: where it pays, between the cuts that are asked for, and not where times of events are. */
static void chosen(void)
{
  ness_network *const driven = net_driven(), *const birth = net_birth(10, 1);
  const struct {
    const ness_network *net;
    const char *level;
    double time, window, every;
    int64_t events;
    const char *method;
  } table[] = {{driven, "summary", 40, 0, 0, 0, "jumps"},    {driven, "summary", 0.4, 0, 0, 0, "direct"},
               {driven, "events", 40, 0, 0, 0, "direct"},    {driven, "flux", 40, 0, 0, 0, "direct"},
               {driven, "flux", 40, 20, 0, 0, "jumps"},      {driven, "summary", 40, 0, 0.4, 0, "direct"},
               {driven, "grid", 40, 0, 20, 0, "jumps"},      {driven, "summary", 40, 0, 0, 10, "direct"},
               {driven, "summary", 0, 0, 0, 10000, "jumps"}, {birth, "summary", 40, 0, 0, 0, "direct"}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    const ness_simulate_options options = {.struct_size = sizeof options,
                                           .replicas = 4,
                                           .time = table[i].time,
                                           .level = table[i].level,
                                           .window = table[i].window,
                                           .every = table[i].every,
                                           .events = table[i].events};
    ssa_result result;
    CHECK(ssa_ensemble(table[i].net, &options, NULL, NULL, NULL, &result) == NESS_OK);
    CHECK_STR(result.method, table[i].method);
    ssa_result_free(&result);
  }
  network_free(driven);
  network_free(birth);
}

int main(void)
{
  law(net_driven(), 18, 0.02, 2.5);
  law(net_fuelled(), 15, 0.02, 0.8);
  law(net_channel(), 4, 0.03, 0.9);
  law(net_pair(), 15, 0.02, 2);
  law(net_breaking(), 5, 0.1, 1.5);
  events_limit();
  absorbing();
  strange_counts();
  resume("flux", 500);
  resume("summary", 0);
  refused();
  chosen();
  return check_done();
}
