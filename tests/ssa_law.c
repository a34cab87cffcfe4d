/* Laws that have a formula: long runs and ensembles, what they integrate, cuts, and networks too large for the master
 * equation of ssa_exactness. Every comparison has a fixed seed and would raise a false alarm with a probability of 1e-6
 * under a random one. */
#include "check.h"
#include "engine/ssa/ssa.h"
#include "ssa_oracle.h"

#define ALARM 1e-6
#define ALARM_SIGMA 4.9 /* two-sided 1e-6 of the normal law */
#define BINS 256

static const char *const methods[] = {"direct", "composition"};

/* From 0 molecules the number at time t is Poisson with mean birth/death (1 - exp(-death t)). */
static void birth_death(const char *method)
{
  enum { SAMPLES = 40000 };
  ness_network *net = net_birth(6, 0.8);
  const ssa_kernel *const kernel = ssa_kernel_find(method, net);
  int64_t state[BINS] = {0}, first[BINS] = {0};
  const double t = 1.3, mean = 6 / 0.8 * (1 - exp(-0.8 * t));
  double expected[BINS], off[BINS], p = exp(-mean), q = exp(-1.03 * mean);
  ssa_replica r;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  for (int i = 0; i < SAMPLES; i++) {
    double time;
    int32_t dir, bad;
    ssa_record record = {&time, &dir, 0, 1};
    ssa_replica_start(&r, net, kernel, 20260101, i);
    const ssa_pause pause = ssa_advance(&r, net, kernel, t, 0, &record, &bad);
    first[pause == SSA_RECORD_FULL ? (int)(time / t * (BINS - 1)) : BINS - 1]++;
    ssa_advance(&r, net, kernel, t, 0, NULL, &bad);
    state[r.n[0] < BINS ? r.n[0] : BINS - 1]++;
  }
  for (int i = 0; i < BINS; i++) {
    expected[i] = SAMPLES * p;
    off[i] = SAMPLES * q;
    p *= mean / (i + 1);
    q *= 1.03 * mean / (i + 1);
  }
  CHECK(chi_one(state, expected, BINS) > ALARM);
  CHECK(chi_one(state, off, BINS) < ALARM); /* 3 % more */
  /* The first birth is exponential of rate 6, cut at t. */
  for (int i = 0; i < BINS - 1; i++) {
    expected[i] = SAMPLES * (exp(-6 * t * i / (BINS - 1)) - exp(-6 * t * (i + 1) / (BINS - 1)));
  }
  expected[BINS - 1] = SAMPLES * exp(-6 * t);
  CHECK(chi_one(first, expected, BINS) > ALARM);
  ssa_replica_free(&r);
  network_free(net);
}

/* Dwell integrals and fluxes of the fuelled ring against its exact steady state: p ~ weights by the matrix-tree sum,
 * here from the balance equations by elimination. */
static void ring_steady(const char *method)
{
  ness_network *net = net_ring();
  const double up[6] = {100, 200, 150, 300, 250, 120}, down[6] = {40, 30, 60, 50, 24, 20};
  double p[6] = {1, 1, 1, 1, 1, 1};
  for (int sweep = 0; sweep < 20000; sweep++) { /* Gauss-Seidel on the balance of each state */
    double sum = 0;
    for (int i = 0; i < 6; i++) {
      const int before = (i + 5) % 6, after = (i + 1) % 6;
      p[i] = (p[before] * up[before] + p[after] * down[i]) / (up[i] + down[before]);
      sum += p[i];
    }
    for (int i = 0; i < 6; i++) {
      p[i] /= sum;
    }
  }
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .replicas = 64,
                                         .time = 100,
                                         .warmup = 1,
                                         .seed = 5,
                                         .method = method,
                                         .level = "summary"};
  ssa_result r;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_OK);
  for (int i = 0; i < 6; i++) {
    double dwell = 0, dwell2 = 0, var = 0, flux = 0, fvar = 0;
    for (int b = 0; b < 64; b++) {
      CHECK_NEAR(r.counted[b], 99, 1e-12);
      dwell += r.dwell[b * 6 + i] / 99 / 64;
      dwell2 += r.dwell2[b * 6 + i] / 99 / 64;
      flux += r.fwd[b * 6 + i] / 99 / 64;
    }
    for (int b = 0; b < 64; b++) {
      const double d = r.dwell[b * 6 + i] / 99 - dwell, f = r.fwd[b * 6 + i] / 99 - flux;
      var += d * d / 63 / 64;
      fvar += f * f / 63 / 64;
    }
    CHECK(fabs(dwell - p[i]) < 5.7 * sqrt(var)); /* 1e-6 of Student's t with 63 degrees of freedom */
    CHECK(fabs(flux - p[i] * up[i]) < 5.7 * sqrt(fvar));
    CHECK_REL(dwell2, dwell, 1e-9); /* one molecule: n^2 = n */
  }
  ssa_result_free(&r);
  network_free(net);
}

/* Cuts of chunks at window ends give up pending waiting times and must not change the law: a molecule that flips at
 * rate 1 while windows are so short that a chunk ends about every 0.7 s. Keeping the draw but not its age would stop
 * it. */
static void cuts_keep_law(const char *method)
{
  const net_slot slots[] = {{"A", 1, 0}, {"B", 0, 0}};
  ness_network *net = net_make("flip", 2, slots, 1, (net_step[]){{"flip", 1, 1, 1, {0}, 1, {1}}});
  const double chunk = 0.7, window = chunk / (double)dump_chunk_rows(net, DUMP_FLUX), time = 30, replicas = 16;
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .replicas = (int64_t)replicas,
                                         .time = time,
                                         .seed = 8,
                                         .method = method,
                                         .level = "flux",
                                         .window = window};
  ssa_result r;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_OK);
  CHECK(fabs((double)r.events - time * replicas) < ALARM_SIGMA * sqrt(time * replicas)); /* Poisson */
  ssa_result_free(&r);
  network_free(net);
}

/* The entropy of events with a tape, added up by hand from the record. */
static void tape_entropy(const char *method)
{
  ness_network *net = net_tape(3);
  const ssa_kernel *kernel = ssa_kernel_find(method, net);
  static double time[20000];
  static int32_t dir[20000];
  ssa_record record = {time, dir, 0, 20000};
  ssa_replica r;
  int32_t bad;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  ssa_replica_start(&r, net, kernel, 3, 1);
  CHECK(ssa_advance(&r, net, kernel, INFINITY, 0, &record, &bad) == SSA_RECORD_FULL);
  int64_t n[3] = {net->slot_start[0], net->slot_start[1], net->slot_start[2]};
  double sum = 0;
  int64_t events = 0;
  for (int i = 0; i < record.rows; i++) {
    const int d = dir[i], sign = d % 2 ? -1 : 1;
    const double before = oracle_rate(net, d, n);
    for (int j = net->change_start[d / 2]; j < net->change_start[d / 2 + 1]; j++) {
      n[net->change_slot[j]] += sign * net->change_by[j];
    }
    if (d / 2 == 0) {
      sum += log(before / oracle_rate(net, d ^ 1, n));
      events++;
    }
  }
  CHECK(events > 1000 && r.fwd[0] + r.bwd[0] == events);
  ssa_settle(&r, net);
  CHECK_NEAR(r.tape_entropy, sum, 1e-10);
  CHECK(memcmp(n, r.n, sizeof n) == 0);
  ssa_replica_free(&r);
  network_free(net);
}

/* A row of sites by steps in a shuffled order: events of every direction against the exact means, which are integrals
 * of the linear rate equations (Runge-Kutta, error 1e-9). The sites start so unequal that many rates change their power
 * of two on the way. */
static void chain_means(const char *method)
{
  enum { SITES = 300, STEPS = SITES - 1, BATCHES = 64, PIECES = 400 };
  static double n[SITES], area[SITES], slope[4][SITES];
  const double time = 2, piece = time / PIECES;
  int order[STEPS];
  network_builder *b = builder_create("row", 0);
  for (int i = 0; i < SITES; i++) {
    char name[16];
    snprintf(name, sizeof name, "X%d", i);
    n[i] = i % 7 < 3 ? 40 : i % 2;
    area[i] = 0;
    builder_slot(b, name, (int64_t)n[i], MODEL_NO_MAX, 0, 0, -1, -1);
  }
  for (int i = 0; i < STEPS; i++) {
    char name[16];
    order[i] = (int)(i * INT64_C(97) % STEPS);
    snprintf(name, sizeof name, "h%d", i);
    const net_step hop = {name, 1, 0.5, 1, {order[i]}, 1, {order[i] + 1}};
    net_add(b, &hop, 0, NULL, 0, NULL, NULL);
  }
  ness_network *net = net_finish(b);
  for (int k = 0; k < PIECES; k++) {
    for (int s = 0; s < 4; s++) {
      const double ahead = s == 0 ? 0 : s == 3 ? piece : piece / 2;
      for (int i = 0; i < SITES; i++) slope[s][i] = 0;
      for (int i = 0; i < STEPS; i++) {
        const double left = n[i] + ahead * (s ? slope[s - 1][i] : 0);
        const double right = n[i + 1] + ahead * (s ? slope[s - 1][i + 1] : 0);
        slope[s][i] -= left - 0.5 * right;
        slope[s][i + 1] += left - 0.5 * right;
      }
    }
    for (int i = 0; i < SITES; i++) {
      area[i] += piece * (n[i] + piece / 6 * (slope[0][i] + slope[1][i] + slope[2][i]));
      n[i] += piece / 6 * (slope[0][i] + 2 * slope[1][i] + 2 * slope[2][i] + slope[3][i]);
    }
  }
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .replicas = 10 * BATCHES,
                                         .time = time,
                                         .seed = 3,
                                         .method = method,
                                         .level = "summary"};
  ssa_result r;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_OK);
  CHECK_STR(r.method, method);
  double worst = 0, planted = 0;
  for (int d = 0; d < 2 * STEPS; d++) {
    const double *const events = d % 2 ? r.bwd : r.fwd;
    const double exact = d % 2 ? 0.5 * area[order[d / 2] + 1] : area[order[d / 2]];
    double mean = 0, var = 0;
    for (int k = 0; k < BATCHES; k++) mean += events[k * STEPS + d / 2] / 10 / BATCHES;
    for (int k = 0; k < BATCHES; k++) {
      const double apart = events[k * STEPS + d / 2] / 10 - mean;
      var += apart * apart / (BATCHES - 1) / BATCHES;
    }
    worst = fmax(worst, fabs(mean - exact) / sqrt(var));
    planted = fmax(planted, fabs(mean - 1.1 * exact) / sqrt(var));
  }
  CHECK(worst < 7.7 && planted > 7.7); /* 1e-6 / 598 of Student's t with 63 degrees of freedom */
  ssa_result_free(&r);
  network_free(net);
}

/* One step, A -> 2 A, moves the rates of 3,000 others through one power of two after another, for which groups must
 * grow and be packed anew. The number of A is geometric (Yule), and the others count A's integral. */
static void many_move(const char *method)
{
  enum { OTHERS = 3000, SAMPLES = 1000 };
  const net_slot slots[] = {{"A", 1, 0}, {"P", 0, 0}};
  const double t = 3, rate = 0.01, p = exp(-t), mean = rate * OTHERS * (exp(t) - 1);
  double expected[BINS], sum = 0, sum2 = 0;
  int64_t found[BINS] = {0};
  network_builder *b = net_slots("yule", 2, slots);
  const net_step grow = {"grow", 1, 0, 1, {0}, 2, {0, 0}};
  net_add(b, &grow, 0, NULL, 0, NULL, NULL);
  for (int i = 0; i < OTHERS; i++) {
    char name[16];
    snprintf(name, sizeof name, "p%d", i);
    const net_step other = {name, rate, 0, 1, {0}, 2, {0, 1}};
    net_add(b, &other, 0, NULL, 0, NULL, NULL);
  }
  ness_network *net = net_finish(b);
  const ssa_kernel *kernel = ssa_kernel_find(method, net);
  ssa_replica r;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  for (int i = 0; i < SAMPLES; i++) {
    int32_t bad;
    ssa_replica_start(&r, net, kernel, 4, i);
    CHECK(ssa_advance(&r, net, kernel, t, 0, NULL, &bad) == SSA_AT_TIME);
    found[r.n[0] < BINS ? r.n[0] : BINS - 1]++;
    sum += (double)r.n[1] / SAMPLES;
    sum2 += (double)(r.n[1] * r.n[1]) / SAMPLES;
  }
  for (int i = 0; i < BINS; i++) expected[i] = i ? SAMPLES * p * pow(1 - p, i - 1) : 0;
  CHECK(chi_one(found, expected, BINS) > ALARM);
  CHECK(fabs(sum - mean) < ALARM_SIGMA * sqrt((sum2 - sum * sum) / SAMPLES));
  ssa_replica_free(&r);
  network_free(net);
}

/* More steps with constants of their own than there are shared places for them, all at the rate of one slot that comes
 * and goes, so that one of its events touches them all: given its integral, step i fires Poisson(k_i integral) times.
 */
static void constants_apart(const char *method)
{
  enum { STEPS = 70000 };
  network_builder *b = net_slots("hub", 2, (net_slot[]){{"hub", 4, 0}, {"sink", 0, 0}});
  net_add(b, &(net_step){.name = "hub", .nright = 1, .right = {0}, .kf = 40, .kb = 10}, 0, NULL, 0, NULL, NULL);
  for (int i = 0; i < STEPS; i++) {
    char name[16];
    snprintf(name, sizeof name, "s%d", i);
    const double k = 1 + 7 * (double)((int64_t)i * 32749 % STEPS) / STEPS;
    net_add(b, &(net_step){.name = name, .nleft = 1, .left = {0}, .nright = 2, .right = {0, 1}, .kf = k}, 0, NULL, 0,
            NULL, NULL);
  }
  ness_network *net = net_finish(b);
  const ssa_kernel *kernel = ssa_kernel_find(method, net);
  ssa_replica r;
  int32_t bad;
  double chi = 0;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  ssa_replica_start(&r, net, kernel, 77, 0);
  CHECK(ssa_advance(&r, net, kernel, 2, 0, NULL, &bad) == SSA_AT_TIME);
  ssa_settle(&r, net);
  CHECK(r.fwd[0] > 20 && r.bwd[0] > 20);
  for (int i = 1; i <= STEPS; i++) {
    const double mean = net->dir_k[2 * (ptrdiff_t)i] * r.slot[0].dwell, off = (double)r.fwd[i] - mean;
    chi += off * off / mean;
  }
  CHECK(fabs(chi - STEPS) < ALARM_SIGMA * sqrt(2.2 * STEPS)); /* the variance of a term is 2 + 1 / mean, mean > 5 */
  ssa_replica_free(&r);
  network_free(net);
}

int main(void)
{
  for (int m = 0; m < 2; m++) {
    birth_death(methods[m]);
    ring_steady(methods[m]);
    cuts_keep_law(methods[m]);
    tape_entropy(methods[m]);
    chain_means(methods[m]);
    many_move(methods[m]);
    constants_apart(methods[m]);
  }
  return check_done();
}
