/* The elimination by itself: product forms down to 1e-70, a long chain, a dense graph against its transpose's law,
 * absorption against gambler's ruin, scales that overflow a double. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/gth.h"
#include <time.h>

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static gth_graph graph_create(int32_t n, int64_t edges)
{
  gth_graph g = {.n = n};
  g.start = mem_zero((size_t)n + 1, sizeof *g.start);
  g.to = mem_zero((size_t)edges, sizeof *g.to);
  g.rate = mem_zero((size_t)edges, sizeof *g.rate);
  return g;
}

/* Edges come ordered by the state they leave. */
static void graph_add(gth_graph *g, int32_t from, int32_t to, double rate)
{
  int64_t *const end = &g->start[from + 1];
  if (*end < g->start[from]) *end = g->start[from];
  g->to[*end] = to;
  g->rate[(*end)++] = rate;
}

static void graph_free(gth_graph *g)
{
  mem_free(g->start);
  mem_free(g->to);
  mem_free(g->rate);
  mem_free(g->exit);
}

static double *steady_of(const gth_graph *g)
{
  gth factors;
  double *const p = mem_zero((size_t)g->n, sizeof *p);
  CHECK(gth_factor(&factors, g) == NESS_OK);
  CHECK(gth_steady(&factors, p) == NESS_OK);
  gth_free(&factors);
  return p;
}

/* A lattice of two birth-death chains that know nothing of each other: p is a product, down to 1e-46 and below. */
static void check_lattice(void)
{
  enum { L = 40 };
  uint64_t seed = 3;
  double up[2][L], down[2][L];
  long double law[2][L], total[2] = {0, 0};
  for (int k = 0; k < 2; k++) {
    law[k][0] = 1;
    for (int i = 0; i < L; i++) {
      up[k][i] = exp(3 * draw(&seed) - 3);
      down[k][i] = exp(3 * draw(&seed) - 1);
      if (i > 0) law[k][i] = law[k][i - 1] * up[k][i - 1] / down[k][i];
      total[k] += law[k][i];
    }
  }
  gth_graph g = graph_create(L * L, 4 * L * L);
  for (int32_t s = 0; s < L * L; s++) {
    const int32_t x = s % L, y = s / L;
    if (x > 0) graph_add(&g, s, s - 1, down[0][x]);
    if (x < L - 1) graph_add(&g, s, s + 1, up[0][x]);
    if (y > 0) graph_add(&g, s, s - L, down[1][y]);
    if (y < L - 1) graph_add(&g, s, s + L, up[1][y]);
  }
  double *const p = steady_of(&g), lowest = 1, worst = 0;
  for (int32_t s = 0; s < L * L; s++) {
    const long double exact = law[0][s % L] / total[0] * (law[1][s / L] / total[1]);
    const double error = fabs((double)(p[s] / exact - 1));
    if (error > worst) worst = error;
    if (p[s] < lowest) lowest = p[s];
  }
  printf("lattice 40 x 40: lowest probability %.2g, largest relative error %.2g\n", lowest, worst);
  CHECK(lowest < 1e-46);
  CHECK(worst < 1e-13);
  mem_free(p);
  graph_free(&g);
}

static void check_chain(void)
{
  enum { N = 5000 };
  gth_graph g = graph_create(N, 2 * N);
  for (int32_t i = 0; i < N; i++) {
    if (i > 0) graph_add(&g, i, i - 1, 1 + 1e-5 * i);
    if (i < N - 1) graph_add(&g, i, i + 1, 1 + 0.1 * sin(i));
  }
  const double began = now();
  double *const p = steady_of(&g), took = now() - began;
  long double q = 1, total = 0, sum = 0;
  double worst = 0;
  for (int turn = 0; turn < 2; turn++) {
    q = 1;
    for (int32_t i = 0; i < N; i++) {
      if (i > 0) q = q * (1 + 0.1 * sin(i - 1)) / (1 + 1e-5 * i);
      if (turn == 0) total += q;
      else if (q / total > 1e-290L) worst = fmax(worst, fabs((double)(p[i] / (q / total) - 1)));
    }
  }
  for (int32_t i = 0; i < N; i++) sum += p[i];
  printf("chain of 5,000: %.2g ms, largest relative error %.2g\n", 1e3 * took, worst);
  CHECK(worst < 1e-12);
  CHECK(fabs((double)sum - 1) < 1e-14);
  CHECK(took < 0.1);
  mem_free(p);
  graph_free(&g);
}

/* Rates that climb 1e-3 a state: the weight of the last state relative to the first is 1e-1197. */
static void check_scale(void)
{
  enum { N = 400 };
  for (int turn = 0; turn < 2; turn++) {
    gth_graph g = graph_create(N, 2 * N);
    for (int32_t i = 0; i < N; i++) {
      if (i > 0) graph_add(&g, i, i - 1, turn ? 1000 : 1);
      if (i < N - 1) graph_add(&g, i, i + 1, turn ? 1 : 1000);
    }
    double *const p = steady_of(&g);
    for (int32_t i = 0; i < 100; i++) {
      const int32_t s = turn ? i : N - 1 - i;
      CHECK_REL(p[s], 0.999 * pow(1e-3, i), 1e-12);
    }
    for (int32_t i = 0; i < N; i++) CHECK(p[i] >= 0 && p[i] <= 1);
    mem_free(p);
    graph_free(&g);
  }
}

/* A doubly stochastic graph has the uniform law whatever its rates: every state's inflow equals its outflow. */
static void check_dense(void)
{
  enum { N = 301 };
  uint64_t seed = 11;
  gth_graph g = graph_create(N, N * N);
  double shift[N];
  for (int k = 1; k < N; k++) shift[k] = exp(20 * draw(&seed));
  for (int32_t i = 0; i < N; i++) {
    for (int32_t k = 1; k < N; k++) graph_add(&g, i, (i + k) % N, shift[k]);
  }
  double *const p = steady_of(&g);
  for (int32_t i = 0; i < N; i++) CHECK_REL(p[i], 1.0 / N, 1e-13);
  mem_free(p);
  graph_free(&g);
}

/* Gambler's ruin on 1 ... N between two absorbing ends, and the mean time that it takes. */
static void check_ruin(void)
{
  enum { N = 250 };
  const double up = 1, down = 3;
  gth_graph g = graph_create(N, 2 * N);
  g.exit = mem_zero(N, sizeof *g.exit);
  for (int32_t i = 0; i < N; i++) {
    if (i > 0) graph_add(&g, i, i - 1, down);
    if (i < N - 1) graph_add(&g, i, i + 1, up);
    g.start[i + 1] = g.start[i + 1] > g.start[i] ? g.start[i + 1] : g.start[i];
  }
  g.exit[0] = down;
  g.exit[N - 1] = up;
  gth factors;
  CHECK(gth_factor(&factors, &g) == NESS_OK);
  for (int32_t start = 0; start < N; start += 83) {
    double *const w = mem_zero(N, sizeof *w), time = 0;
    w[start] = 1;
    CHECK(gth_times(&factors, w) == NESS_OK);
    for (int32_t i = 0; i < N; i++) time += w[i];
    const double r = down / up, k = start + 1; /* P(top) = (r^k - 1) / (r^(N+1) - 1): 1e-119 from the bottom */
    const double top = exp(log(expm1(k * log(r))) - (N + 1) * log(r) - log1p(-pow(r, -(N + 1))));
    CHECK_REL(w[N - 1] * up, top, 2e-13);
    CHECK_NEAR(w[0] * down + w[N - 1] * up, 1, 1e-14);
    CHECK_REL(time, (k - (N + 1) * top) / (down - up), 1e-12);
    mem_free(w);
  }
  gth_free(&factors);
  graph_free(&g);
}

/* Factors that no machine has room for are refused before they are asked for. */
static void check_memory(void)
{
  enum { N = 300000 };
  uint64_t seed = 5;
  gth_graph g = graph_create(N, 2 * N);
  for (int32_t i = 0; i < N; i++) {
    graph_add(&g, i, (i + 1) % N, 1);
    graph_add(&g, i, (int32_t)(N * draw(&seed)), 1);
  }
  gth factors;
  CHECK(gth_factor(&factors, &g) == NESS_LIMIT);
  CHECK(factors.bytes > (size_t)100 << 30);
  gth_free(&factors);
  graph_free(&g);
}

int main(void)
{
  check_memory();
  check_lattice();
  check_chain();
  check_scale();
  check_dense();
  check_ruin();
  return check_done();
}
