/* The linear noise approximation: exact for linear networks, against the master equation and closed forms, at rest and
 * in time; its error for pairs falls as 1/size; the equation of the covariance itself for random networks. */
#include "engine/model/stoich.h"
#include "ode_build.h"

static ode_noise noise_of(const ode_system *ode, const ode_state *state)
{
  ness_diags *diags = ness_diags_create();
  ode_noise out;
  must(ode_noise_steady(ode, state, diags, &out), diags, "ode_noise_steady");
  ness_diags_free(diags);
  return out;
}

/* Copies made and removed: Poisson, and before that x0 q (1 - q) + (rate/k)(1 - q) with q = exp(-k t). */
static void check_birth(void)
{
  network_builder *b = builder_create("birth", 0);
  const int32_t x = add_slot(b, "X", 50, MODEL_NO_MAX);
  add_move(b, "tap", -1, x, 30, 1.5);
  ness_network *net = finish(b);
  const double times[5] = {0, 0.01, 0.4, 2, 30};
  static seen s;
  run_of(net, &(ode_options){.noise = 1}, times, 5, &s);
  for (int k = 0; k < 5; k++) {
    const double q = exp(-1.5 * times[k]);
    CHECK_REL(s.x[k][0], 50 * q + 20 * (1 - q), 1e-8);
    CHECK_REL(s.cov[k][0], 50 * q * (1 - q) + 20 * (1 - q), 1e-8);
  }
  network_free(net);
}

/* Messenger and protein: Fano factor of the protein 1 + b/(1 + eta), b = k2/d1, eta = d2/d1 (Thattai and van
 * Oudenaarden 2001), covariance <m> b eta/(1 + eta) / eta. */
static void check_gene(void)
{
  network_builder *b = builder_create("gene", 0);
  const int32_t m = add_slot(b, "m", 0, MODEL_NO_MAX), p = add_slot(b, "p", 0, MODEL_NO_MAX), mp[2] = {m, p};
  const double k1 = 5, k2 = 40, d1 = 2, d2 = 0.1;
  add_move(b, "write", -1, m, k1, 0);
  add_step(b, "read", 1, &m, 2, mp, k2, 0);
  add_move(b, "lose_m", m, -1, d1, 0);
  add_move(b, "lose_p", p, -1, d2, 0);
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  ode_noise noise = noise_of(ode, &state);
  CHECK_REL(noise.mean[0], k1 / d1, 1e-13);
  CHECK_REL(noise.fano[0], 1, 1e-13);
  CHECK_REL(noise.mean[1], k1 * k2 / d1 / d2, 1e-13);
  CHECK_REL(noise.fano[1], 1 + k2 / (d1 + d2), 1e-12);
  CHECK_REL(noise.covariance[1], k1 / d1 * k2 / (d1 + d2), 1e-12);
  CHECK(noise.covariance[1] == noise.covariance[2]);
  ode_noise_free(&noise);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

/* p(t) of one copy that starts in state 0, by a Taylor sum of short steps in long double. */
static void transient(const ness_network *net, double t, long double *p)
{
  enum { N = 6, STEPS = 4000 };
  long double term[N], next[N];
  for (int i = 0; i < N; i++) p[i] = i == 0;
  for (int step = 0; step < STEPS; step++) {
    memcpy(term, p, sizeof term);
    for (int k = 1; k < 30; k++) {
      slow_change(net, term, next);
      for (int i = 0; i < N; i++) {
        term[i] = next[i] * ((long double)t / STEPS) / k;
        p[i] += term[i];
      }
    }
  }
}

/* N independent copies: multinomial at every time, N (diag p - p p'), and so the master equation says at rest. */
static void check_copies(void)
{
  for (int k = 0; k < 4; k++) {
    const int64_t copies = 7 + 100 * k;
    ness_network *net = complete_graph(6, (uint64_t)k + 40, copies);
    const double times[3] = {0.003, 0.1, 2};
    static seen s;
    run_of(net, &(ode_options){.noise = 1}, times, 3, &s);
    for (int c = 0; c < 3; c++) {
      long double p[6];
      transient(net, times[c], p);
      for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 6; j++) {
          const double exact = (double)(copies * ((i == j ? p[i] : 0) - p[i] * p[j]));
          CHECK(fabs(s.cov[c][8 * i + j] - exact) <= 1e-8 * (double)copies * sqrt((double)(p[i] * p[j])));
        }
      }
    }
    cme_solution cme;
    solve(net, 0, &cme);
    ode_system *ode = ode_of(net);
    ode_state state = steady_of(ode, NULL);
    ode_noise noise = noise_of(ode, &state);
    for (int i = 0; i < 6; i++) {
      CHECK_REL(noise.mean[i], cme.mean[i], 1e-12);
      CHECK_REL(noise.var[i], cme.var[i], 1e-10);
      for (int j = 0; j < 6; j++) {
        const double exact = (i == j ? cme.mean[i] : 0) - cme.mean[i] * cme.mean[j] / (double)copies;
        CHECK(fabs(noise.covariance[6 * i + j] - exact) <= 1e-11 * sqrt(cme.mean[i] * cme.mean[j]));
      }
    }
    ode_noise_free(&noise);
    ode_state_free(&state);
    ode_free(ode);
    cme_solution_free(&cme);
    network_free(net);
  }
}

/* An open linear network of three slots: product of Poissons. */
static void check_open(void)
{
  network_builder *b = builder_create("open", 0);
  int32_t x[3];
  for (int i = 0; i < 3; i++) x[i] = add_slot(b, "x", i, MODEL_NO_MAX);
  add_move(b, "in", -1, x[0], 9, 0.3);
  add_move(b, "ab", x[0], x[1], 2, 1);
  add_move(b, "bc", x[1], x[2], 0.2, 0.7);
  add_move(b, "out", x[2], -1, 0.4, 1.1);
  ness_network *net = finish(b);
  cme_solution cme;
  solve(net, 0, &cme);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  ode_noise noise = noise_of(ode, &state);
  for (int i = 0; i < 3; i++) {
    CHECK_REL(noise.mean[i], cme.mean[i], 1e-12);
    CHECK_REL(noise.var[i], cme.mean[i], 1e-12);
    for (int j = 0; j < i; j++) CHECK_NEAR(noise.covariance[3 * i + j], 0, 1e-12);
  }
  ode_noise_free(&noise);
  ode_state_free(&state);
  ode_free(ode);
  cme_solution_free(&cme);
  network_free(net);
}

/* 0 -> A at `size`, 2 A -> 0 at 1/size an ordered pair: Fano factor 3/4, off by a share of 1/size. */
static void check_pairs(void)
{
  double error[2] = {0, 0};
  for (int k = 0; k < 5; k++) {
    const double size = 10 * pow(2, k);
    network_builder *b = builder_create("pairs", 0);
    const int32_t a = add_slot(b, "A", 0, (int64_t)(4 * size + 60)), aa[2] = {a, a};
    add_move(b, "in", -1, a, size, 0);
    add_step(b, "pair", 2, aa, 0, NULL, 1 / size, 0);
    ness_network *net = finish(b);
    cme_solution cme;
    solve(net, 0, &cme);
    ode_system *ode = ode_of(net);
    ode_state state = steady_of(ode, NULL);
    ode_noise noise = noise_of(ode, &state);
    CHECK_REL(noise.mean[0], size / sqrt(2), 1e-13);
    CHECK_REL(noise.fano[0], 0.75, 1e-13);
    const double off[2] = {fabs(cme.mean[0] / noise.mean[0] - 1), fabs(cme.var[0] / noise.var[0] - 1)};
    for (int m = 0; m < 2; m++) {
      if (k > 0) CHECK(error[m] / off[m] > 1.85 && error[m] / off[m] < 2.15);
      error[m] = off[m];
    }
    printf("size %g: mean off by %.4g, variance by %.4g\n", size, off[0], off[1]);
    ode_noise_free(&noise);
    ode_state_free(&state);
    ode_free(ode);
    cme_solution_free(&cme);
    network_free(net);
  }
}

/* J C + C J' + D = 0 with D summed here, C zero along the laws, and the long run in time ends there. */
static bool check_equation(const ness_network *net)
{
  enum { MOST = 16 };
  const int32_t n = net->nslot;
  double J[MOST * MOST];
  static seen s;
  ode_system *ode = ode_of(net);
  ode_state state;
  ode_noise noise;
  const bool good = ode_steady(ode, &(ode_options){.max_steps = 5000}, NULL, &state) == NESS_OK && state.stable == 1 &&
                    state.re[0] < -1e-2 && state.time < 1e4 && ode_noise_steady(ode, &state, NULL, &noise) == NESS_OK;
  if (good) {
    long double x[MOST];
    CHECK(ode_jacobian_dense(ode, state.x, NULL, J) == NESS_OK);
    for (int32_t i = 0; i < n; i++) x[i] = state.x[i];
    for (int32_t i = 0; i < n; i++) {
      for (int32_t j = 0; j < n; j++) {
        long double sum = 0, size = 0;
        for (int32_t k = 0; k < n; k++) {
          const long double u = (long double)J[i * n + k] * noise.covariance[k * n + j];
          const long double v = (long double)J[j * n + k] * noise.covariance[k * n + i];
          sum += u + v;
          size += fabsl(u) + fabsl(v);
        }
        for (int32_t k = 0; k < net->nstep; k++) {
          int32_t by[2] = {0, 0};
          for (int32_t c = net->change_start[k]; c < net->change_start[k + 1]; c++) {
            by[0] = net->change_slot[c] == i ? net->change_by[c] : by[0];
            by[1] = net->change_slot[c] == j ? net->change_by[c] : by[1];
          }
          sum += by[0] * by[1] * (slow_rate(net, 2 * k, x) + slow_rate(net, 2 * k + 1, x));
        }
        CHECK(fabsl(sum) <= 1e-9L * size + 1e-10L);
      }
    }
    stoich_basis laws;
    CHECK(stoich_laws(net, &laws) == NESS_OK);
    for (int32_t l = 0; l < laws.count; l++) {
      for (int32_t j = 0; j < n; j++) {
        double sum = 0, size = 0;
        for (int32_t k = laws.start[l]; k < laws.start[l + 1]; k++) {
          sum += (double)laws.by[k] * noise.covariance[laws.id[k] * n + j];
          size += fabs((double)laws.by[k] * noise.covariance[laws.id[k] * n + j]);
        }
        CHECK(fabs(sum) <= 1e-12 * size);
      }
    }
    stoich_free(&laws);
    const double end = state.time + 30 / fabs(state.re[0]);
    run_of(net, &(ode_options){.noise = 1}, &end, 1, &s);
    for (int32_t i = 0; i < n && i < 8; i++) CHECK_NEAR(s.cov[0][9 * i], noise.var[i], 1e-7);
    ode_noise_free(&noise);
  }
  ode_state_free(&state);
  ode_free(ode);
  return good;
}

static void check_random(void)
{
  rng_stream rng;
  int64_t compared = 0;
  rng_init(&rng, 73, 0, 0);
  for (int k = 0; k < 300; k++) {
    ness_network *net = sample_random(&rng);
    compared += check_equation(net);
    network_free(net);
  }
  printf("%lld random covariances\n", (long long)compared);
  CHECK(compared > 40);
}

/* Slots that only steps which are off would change do not move: the rest has its noise, and they have none. */
static void check_off(void)
{
  network_builder *b = builder_create("off", 0);
  const int32_t A = add_slot(b, "A", 10, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX),
                C = add_slot(b, "C", 5, MODEL_NO_MAX), D = add_slot(b, "D", 3, MODEL_NO_MAX);
  add_move(b, "turn", A, B, 1, 2);
  add_move(b, "off", C, D, 0, 0);
  add_move(b, "leave", D, -1, 0, 0);
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  ode_noise noise = {0};
  CHECK(state.neigen == 1 && state.stable == 1);
  CHECK_NEAR(state.re[0], -3, 1e-12);
  CHECK(ode_noise_steady(ode, &state, NULL, &noise) == NESS_OK);
  CHECK_NEAR(noise.var[A], 20.0 / 9, 1e-10);
  CHECK(noise.mean[C] == 5 && noise.mean[D] == 3 && noise.var[C] == 0 && noise.var[D] == 0);
  ode_noise_free(&noise);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

/* More slots than the dense solver takes: copies on a ring that drift, multinomial at rest. */
static void check_ring(void)
{
  enum { N = 150 };
  network_builder *b = builder_create("ring", 0);
  int32_t slot[N];
  for (int i = 0; i < N; i++) slot[i] = add_slot(b, "s", i ? 0 : 3000, MODEL_NO_MAX);
  for (int i = 0; i < N; i++) add_move(b, "hop", slot[i], slot[(i + 1) % N], 3, 1);
  ness_network *net = finish(b);
  ode_system *ode = ode_of(net);
  ode_state state = steady_of(ode, NULL);
  ode_noise noise = noise_of(ode, &state);
  for (int i = 0; i < N; i++) {
    CHECK_REL(noise.mean[i], 3000.0 / N, 1e-12);
    for (int j = 0; j < N; j++) {
      CHECK_NEAR(noise.covariance[i * N + j], (i == j ? 3000.0 / N : 0) - 3000.0 / N / N, 1e-9);
    }
  }
  ness_diags *diags = ness_diags_create();
  const double time = 1;
  CHECK(ode_run(ode, &(ode_options){.noise = 1}, &time, 1, NULL, NULL, diags, NULL) == NESS_LIMIT);
  char *text = ness_diags_render(diags, 0);
  CHECK(text && strstr(text, "at most 60 slots") && strstr(text, "150"));
  ness_text_free(text);
  ness_diags_free(diags);
  ode_noise_free(&noise);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

/* Ten million relaxations in: rounding must neither stop the integrator nor move the sums. */
static void check_long(void)
{
  const double end = 1e9;
  static seen s;
  ness_network *net = antiporter_6(1, 5);
  const ode_report report = run_of(net, &(ode_options){.noise = 1}, &end, 1, &s);
  cme_solution cme;
  solve(net, 0, &cme);
  CHECK(report.steps < 5000);
  for (int i = 0; i < 6; i++) {
    CHECK_REL(s.x[0][i], cme.mean[i], 1e-9);
    CHECK_REL(s.cov[0][9 * i], cme.var[i], 1e-9);
  }
  cme_solution_free(&cme);
  network_free(net);
}

int main(void)
{
  check_long();
  check_birth();
  check_gene();
  check_copies();
  check_open();
  check_pairs();
  check_random();
  check_ring();
  check_off();
  return check_done();
}
