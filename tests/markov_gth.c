/* The elimination by itself: product forms down to 1e-70, long chains, dense chains against the law of their transpose,
 * absorption against gambler's ruin, scales that overflow a double, and the counted bound against the true error. */
#include "engine/markov/gth.h"
#include "engine/markov/gth_tile.h"
#include "markov_sample.h"
#include <omp.h>
#include <time.h>

enum { RANDOM_CHAINS = 400 };

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Edges come ordered by the state they leave. */
static void chain_add(chain *q, int32_t from, int32_t to, double rate)
{
  int64_t *const end = &q->start[from + 1];
  if (*end < q->start[from]) *end = q->start[from];
  q->to[*end] = to;
  q->rate[(*end)++] = rate;
}

static chain chain_new(int32_t n, int64_t edges, bool exits)
{
  chain q;
  if (chain_create(n, edges, exits, &q)) abort();
  return q;
}

static double *steady_of(const chain *q, double *bound)
{
  gth *g = NULL;
  double *const p = mem_zero((size_t)q->n, sizeof *p);
  CHECK(gth_plan(q, &g) == NESS_OK);
  CHECK(gth_factor(g, q) == NESS_OK);
  CHECK(gth_steady(g, p, bound) == NESS_OK);
  if (g->thin) {
    double share;
    CHECK(gth_underflow(g, p, &share) == NESS_OK);
    *bound += share;
  }
  gth_free(g);
  return p;
}

/* A lattice of two birth-death chains that know nothing of each other: p is a product. */
static void check_lattice(int side, double drift, double lowest_expected)
{
  uint64_t seed = 3;
  double *const up[2] = {malloc((size_t)side * sizeof(double)), malloc((size_t)side * sizeof(double))};
  double *const down[2] = {malloc((size_t)side * sizeof(double)), malloc((size_t)side * sizeof(double))};
  long double *const law[2] = {malloc((size_t)side * sizeof(long double)), malloc((size_t)side * sizeof(long double))};
  long double total[2] = {0, 0};
  for (int k = 0; k < 2; k++) {
    law[k][0] = 1;
    for (int i = 0; i < side; i++) {
      up[k][i] = exp(3 * sample_draw(&seed) - drift);
      down[k][i] = exp(3 * sample_draw(&seed) - 1);
      if (i > 0) law[k][i] = law[k][i - 1] * up[k][i - 1] / down[k][i];
      total[k] += law[k][i];
    }
  }
  const int32_t n = side * side;
  chain q = chain_new(n, 4 * (int64_t)n, false);
  for (int32_t s = 0; s < n; s++) {
    const int32_t x = s % side, y = s / side;
    if (x > 0) chain_add(&q, s, s - 1, down[0][x]);
    if (x < side - 1) chain_add(&q, s, s + 1, up[0][x]);
    if (y > 0) chain_add(&q, s, s - side, down[1][y]);
    if (y < side - 1) chain_add(&q, s, s + side, up[1][y]);
  }
  double bound, *const p = steady_of(&q, &bound), lowest = 1, worst = 0;
  for (int32_t s = 0; s < n; s++) {
    const long double exact = law[0][s % side] / total[0] * (law[1][s / side] / total[1]);
    const double error = fabs((double)(p[s] / exact - 1));
    if (error > worst && exact > 1e-150L) worst = error;
    if (p[s] < lowest) lowest = p[s];
  }
  printf("lattice %d x %d: lowest probability %.2g, largest relative error %.2g, bound %.2g\n", side, side, lowest,
         worst, bound);
  CHECK(lowest < lowest_expected);
  CHECK(worst < 1e-13);
  CHECK(worst < bound && bound < 1e-9);
  mem_free(p);
  chain_free(&q);
  for (int k = 0; k < 2; k++) {
    free(up[k]);
    free(down[k]);
    free(law[k]);
  }
}

static double chain_up(int32_t i)
{
  return 1 + 0.1 * sin(i);
}

static double chain_down(int32_t i)
{
  return 1 + 1e-5 * i;
}

static void check_chain(int32_t n, double seconds, double error)
{
  chain q = chain_new(n, 2 * (int64_t)n, false);
  for (int32_t i = 0; i < n; i++) {
    if (i > 0) chain_add(&q, i, i - 1, chain_down(i));
    if (i < n - 1) chain_add(&q, i, i + 1, chain_up(i));
  }
  const double began = now();
  double bound, *const p = steady_of(&q, &bound), took = now() - began;
  long double w = 1, total = 0, sum = 0;
  double worst = 0;
  for (int turn = 0; turn < 2; turn++) {
    w = 1;
    for (int32_t i = 0; i < n; i++) {
      if (i > 0) w = w * chain_up(i - 1) / chain_down(i);
      if (turn == 0) total += w;
      else if (w / total > 1e-290L) worst = fmax(worst, fabs((double)(p[i] / (w / total) - 1)));
    }
  }
  for (int32_t i = 0; i < n; i++) sum += p[i];
  printf("chain of %d: %.2g ms, largest relative error %.2g, bound %.2g\n", n, 1e3 * took, worst, bound);
  CHECK(worst < error);
  CHECK(worst < bound && bound < 1e-9);
  CHECK(fabs((double)sum - 1) < 1e-14);
  CHECK(took < seconds);
  mem_free(p);
  chain_free(&q);
}

/* Rates that climb 1e-3 a state: the weight of the last state relative to the first is 1e-1197. */
static void check_scale(void)
{
  enum { N = 400 };
  for (int turn = 0; turn < 2; turn++) {
    chain q = chain_new(N, 2 * N, false);
    for (int32_t i = 0; i < N; i++) {
      if (i > 0) chain_add(&q, i, i - 1, turn ? 1000 : 1);
      if (i < N - 1) chain_add(&q, i, i + 1, turn ? 1 : 1000);
    }
    double bound, *const p = steady_of(&q, &bound);
    CHECK(bound < 1e-11);
    for (int32_t i = 0; i < 102; i++) {
      const int32_t s = turn ? i : N - 1 - i;
      CHECK_REL(p[s], (double)(0.999L * powl(1e-3L, i)), 1e-14);
    }
    for (int32_t i = 0; i < N; i++) CHECK(p[i] >= 0 && p[i] <= 1);
    mem_free(p);
    chain_free(&q);
  }
}

/* A doubly stochastic chain has the uniform law whatever its rates: every state's inflow equals its outflow. */
static void check_dense(void)
{
  enum { N = 301 };
  uint64_t seed = 11;
  chain q = chain_new(N, N * N, false);
  double shift[N];
  for (int k = 1; k < N; k++) shift[k] = exp(20 * sample_draw(&seed));
  for (int32_t i = 0; i < N; i++) {
    for (int32_t k = 1; k < N; k++) chain_add(&q, i, (i + k) % N, shift[k]);
  }
  double bound, *const p = steady_of(&q, &bound);
  for (int32_t i = 0; i < N; i++) CHECK_REL(p[i], 1.0 / N, 1e-13);
  CHECK(bound < 1e-10);
  mem_free(p);
  chain_free(&q);
}

/* Gambler's ruin on 1 ... N between two absorbing ends, and the mean time that it takes. */
static void check_ruin(void)
{
  enum { N = 250 };
  const double up = 1, down = 3;
  chain q = chain_new(N, 2 * N, true);
  for (int32_t i = 0; i < N; i++) {
    if (i > 0) chain_add(&q, i, i - 1, down);
    if (i < N - 1) chain_add(&q, i, i + 1, up);
  }
  q.exit[0] = down;
  q.exit[N - 1] = up;
  gth *g;
  CHECK(gth_plan(&q, &g) == NESS_OK && gth_factor(g, &q) == NESS_OK);
  double w[N], time[N], top[N];
  for (int32_t i = 0; i < N; i++) time[i] = 1, top[i] = i == N - 1 ? up : 0;
  CHECK(gth_right(g, time) == NESS_OK && gth_right(g, top) == NESS_OK);
  for (int32_t start = 0; start < N; start += 83) {
    double sum = 0;
    for (int32_t i = 0; i < N; i++) w[i] = i == start;
    CHECK(gth_left(g, w) == NESS_OK);
    for (int32_t i = 0; i < N; i++) sum += w[i];
    const double r = down / up, k = start + 1; /* P(top) = (r^k - 1) / (r^(N+1) - 1): 1e-119 from the bottom */
    const double first = exp(log(expm1(k * log(r))) - (N + 1) * log(r) - log1p(-pow(r, -(N + 1))));
    CHECK_REL(w[N - 1] * up, first, 2e-13);
    CHECK_REL(top[start], first, 2e-13);
    CHECK_NEAR(w[0] * down + w[N - 1] * up, 1, 1e-14);
    CHECK_REL(sum, (k - (N + 1) * first) / (down - up), 1e-12);
    CHECK_REL(time[start], sum, 1e-14);
  }
  gth_free(g);
  chain_free(&q);
}

/* Factors that no machine has room for are refused before they are asked for. */
static void check_memory(void)
{
  enum { N = 100000 };
  uint64_t seed = 5;
  chain q = chain_new(N, 2 * N, false);
  for (int32_t i = 0; i < N; i++) {
    chain_add(&q, i, (i + 1) % N, 1);
    chain_add(&q, i, (int32_t)(N * sample_draw(&seed)), 1);
  }
  gth *g;
  const double began = now();
  CHECK(gth_plan(&q, &g) == NESS_OK);
  printf("random graph of %d states: planned in %.2g s, %.3g GB, %.2g flops\n", N, now() - began,
         1e-9 * (double)g->bytes, g->flops);
  CHECK(g->bytes > (size_t)20 << 30 && g->flops > 1e12);
  if (mem_available() < g->bytes) CHECK(gth_factor(g, &q) == NESS_LIMIT);
  gth_free(g);
  chain_free(&q);
}

/* The true error of every component stays below the bound; the largest share of it that was used is printed. */
static void check_bound(void)
{
  uint64_t seed = 17;
  double share = 0, loosest = 0, worst = 0;
  int chains = 0, thin = 0;
  for (int t = 0; t < RANDOM_CHAINS; t++) {
    const int32_t n = 2 + (t % 8 == 0 ? sample_below(&seed, 199) : sample_below(&seed, 40));
    chain q = sample_chain(t % SAMPLE_SHAPES, n, 60 * sample_draw(&seed), false, seed + (uint64_t)t);
    matrix m = matrix_create(&q, -1);
    long double *const exact = malloc((size_t)n * sizeof *exact);
    matrix_steady(&m, exact);
    double bound, *const p = steady_of(&q, &bound), error = 0;
    for (int32_t i = 0; i < n; i++) {
      const long double floor = exact[i] > 0x1p-500L ? exact[i] : 0x1p-500L;
      error = fmax(error, fabs((double)((p[i] - exact[i]) / floor)));
    }
    CHECK(error <= bound);
    chains++;
    thin += !(bound < 1);
    if (bound < 1) {
      CHECK(bound < 1e-9);
      share = fmax(share, error / bound);
      loosest = fmax(loosest, bound);
    }
    worst = fmax(worst, error);
    mem_free(p);
    free(exact);
    matrix_free(&m);
    chain_free(&q);
  }
  printf("%d random chains: largest error %.2g, largest bound %.2g, largest error / bound %.2g, no bound for %d\n",
         chains, worst, loosest, share, thin);
  CHECK(thin < chains / 20);
  CHECK(share > 1e-4); /* the two are comparable, or the reference is the thing itself */
}

/* Solves against the full matrix; for a closed chain with the last and with a chosen state left out. */
static void check_solves(void)
{
  uint64_t seed = 29;
  double worst = 0;
  for (int t = 0; t < RANDOM_CHAINS / 2; t++) {
    const int32_t n = 2 + sample_below(&seed, t % 8 == 0 ? 120 : 30);
    const bool exits = t % 2;
    chain q = sample_chain(t / 2 % SAMPLE_SHAPES, n, 20 * sample_draw(&seed), exits, seed + (uint64_t)t);
    gth *g;
    CHECK(gth_plan(&q, &g) == NESS_OK);
    const int32_t out = exits || t % 4 == 0 ? -1 : sample_below(&seed, n);
    CHECK((out < 0 ? gth_factor(g, &q) : gth_factor_without(g, &q, out)) == NESS_OK);
    CHECK(exits ? g->pinned == -1 : out < 0 || g->pinned == out);
    matrix m = matrix_create(&q, g->pinned);
    double b[128], x[128], y[128];
    long double u[128], v[128];
    for (int32_t i = 0; i < n; i++) {
      b[i] = i == g->pinned || sample_draw(&seed) < 0.5 ? 0 : sample_draw(&seed);
      x[i] = y[i] = b[i];
      u[i] = v[i] = b[i];
    }
    if (g->pinned >= 0) x[g->pinned] = y[g->pinned] = 7; /* passed over */
    matrix_left(&m, u);
    matrix_right(&m, v);
    CHECK(gth_left(g, x) == NESS_OK && gth_right(g, y) == NESS_OK);
    for (int32_t i = 0; i < n; i++) {
      CHECK_REL(x[i], (double)u[i], 1e-12);
      CHECK_REL(y[i], (double)v[i], 1e-12);
      if (u[i] > 0) worst = fmax(worst, fabs((double)(x[i] / u[i] - 1)));
      if (v[i] > 0) worst = fmax(worst, fabs((double)(y[i] / v[i] - 1)));
    }
    matrix_free(&m);
    gth_free(g);
    chain_free(&q);
  }
  printf("solves: largest relative error of a component %.2g\n", worst);
}

/* The plan of one chain serves others that lack some of its transitions. */
static void check_again(void)
{
  chain q = sample_chain(3, 150, 6, false, 99), half = sample_chain(3, 150, 6, false, 99);
  for (int64_t e = 0; e < half.start[half.n]; e++) half.rate[e] *= 1 + (double)(e % 7);
  gth *g;
  CHECK(gth_plan(&q, &g) == NESS_OK && gth_factor(g, &q) == NESS_OK && gth_factor(g, &half) == NESS_OK);
  double p[150], bound, other, *const fresh = steady_of(&half, &other);
  CHECK(gth_steady(g, p, &bound) == NESS_OK);
  CHECK(memcmp(p, fresh, sizeof p) == 0 && bound == other);
  chain alien = sample_chain(0, 150, 6, false, 99);
  CHECK(gth_factor(g, &alien) == NESS_USAGE);
  for (int64_t e = 0; e < half.start[half.n]; e++) half.rate[e] = 0; /* no way out of anything */
  CHECK(gth_factor(g, &half) == NESS_NUMERIC);
  ness_interrupt();
  CHECK(gth_factor(g, &q) == NESS_INTERRUPTED);
  ness_interrupt_clear();
  mem_free(fresh);
  gth_free(g);
  chain_free(&q);
  chain_free(&half);
  chain_free(&alien);
}

/* The same bits for one thread and two, with jobs and with wide fronts. */
static void check_threads(void)
{
  for (int turn = 0; turn < 2; turn++) {
    chain q = turn ? sample_chain(0, 500, 10, false, 7) : sample_chain(3, 12000, 3, false, 8);
    double bound[3], *p[3];
    for (int t = 0; t < 3; t++) {
      omp_set_num_threads(t + 1);
      p[t] = steady_of(&q, &bound[t]);
    }
    omp_set_num_threads(omp_get_num_procs());
    for (int t = 1; t < 3; t++) {
      CHECK(memcmp(p[0], p[t], (size_t)q.n * sizeof(double)) == 0 && bound[0] == bound[t]);
    }
    for (int t = 0; t < 3; t++) mem_free(p[t]);
    chain_free(&q);
  }
}

/* The same bits from factors that are kept and from those of twigs, which are made again, on one thread and on three.
 */
static void check_lean(void)
{
  chain closed = sample_chain(3, 12000, 3, false, 8), open = sample_chain(3, 12000, 3, true, 8);
  const chain *const both[] = {&closed, &open};
  for (int turn = 0; turn < 2; turn++) {
    const chain *const q = both[turn];
    const size_t n = (size_t)q->n;
    double bound[3] = {0}, *const x = malloc(9 * n * sizeof *x);
    for (int t = 0; t < 3; t++) {
      omp_set_num_threads(t == 2 ? 3 : 1);
      gth *g;
      double *const p = x + 3 * (size_t)t * n, *const left = p + n, *const right = left + n;
      CHECK((t ? gth_plan_lean(q, 0, &g) : gth_plan(q, &g)) == NESS_OK);
      CHECK((g->ntwig > 8) == (t > 0));
      CHECK(gth_factor(g, q) == NESS_OK && gth_factor(g, q) == NESS_OK);
      for (size_t i = 0; i < n; i++) p[i] = 0, left[i] = right[i] = 1.0 / (double)(i + 1);
      if (turn == 0) CHECK(gth_steady(g, p, &bound[t]) == NESS_OK);
      CHECK(gth_left(g, left) == NESS_OK && gth_right(g, right) == NESS_OK);
      gth_free(g);
    }
    omp_set_num_threads(omp_get_num_procs());
    for (int t = 1; t < 3; t++) {
      CHECK(memcmp(x, x + 3 * (size_t)t * n, 3 * n * sizeof *x) == 0 && bound[0] == bound[t]);
    }
    free(x);
  }
  chain_free(&closed);
  chain_free(&open);
}

/* The same bits for every instruction set that this processor has. */
static void check_tiles(void)
{
  enum { DEPTH = 29 };
  uint64_t seed = 11;
  double a[DEPTH * TILE], b[DEPTH * TILE], acc[SIMD_LEVELS][TILE * TILE], y[SIMD_LEVELS][DEPTH * TILE];
  for (int k = 0; k < DEPTH * TILE; k++) {
    a[k] = exp(40 * sample_draw(&seed));
    b[k] = exp(40 * sample_draw(&seed));
  }
  for (int v = 0; v < SIMD_LEVELS; v++) {
    simd_limit((simd_level)v);
    const tile_kernels *const kernels = tile_best();
    kernels->multiply(acc[v], a, b, DEPTH);
    memcpy(y[v], a, sizeof a);
    kernels->add(y[v], 1 / 3.0, b, DEPTH * TILE - 3);
    CHECK(memcmp(acc[v], acc[0], sizeof *acc) == 0 && memcmp(y[v], y[0], sizeof *y) == 0);
  }
  for (int i = 0; i < TILE; i++) {
    for (int j = 0; j < TILE; j++) {
      double sum = 0;
      for (int k = 0; k < DEPTH; k++) sum += a[k * TILE + i] * b[k * TILE + j];
      CHECK(sum == acc[0][i * TILE + j]);
    }
  }
  printf("tiles up to %s\n", simd_name(simd_best()));
}

/* Whatever allocation fails, nothing is left behind (the sanitizer's word) and the next attempt is complete. */
static void check_failure(void)
{
  chain q = sample_chain(3, 4000, 3, false, 8); /* large enough for several jobs */
  int64_t failures = 0;
  omp_set_num_threads(1);
  for (ness_status status = NESS_NOMEM; status != NESS_OK; failures++) {
    gth *g = NULL;
    double bound, *const p = malloc((size_t)q.n * sizeof *p);
    mem_fail_after(failures);
    status = gth_plan_lean(&q, 0, &g);
    CHECK(status == NESS_OK || !g);
    if (status == NESS_OK) status = gth_factor(g, &q);
    if (status == NESS_OK) status = gth_steady(g, p, &bound);
    if (status == NESS_OK) status = gth_left(g, p);
    if (status == NESS_OK) status = gth_right(g, p);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    if (g && status != NESS_OK && failures % 16 == 0)
      CHECK(gth_factor(g, &q) == NESS_OK && gth_steady(g, p, &bound) == NESS_OK);
    gth_free(g);
    free(p);
  }
  omp_set_num_threads(omp_get_num_procs());
  printf("%d allocations failed, one after another\n", (int)failures - 1);
  CHECK(failures > 30);
  chain_free(&q);
}

/* A strong drift over a lattice: products underflow on the way, which is noticed, and large components keep a bound. */
static void check_thin(void)
{
  chain q = chain_new(90 * 90, 4 * 90 * 90, false);
  for (int32_t s = 0; s < q.n; s++) {
    const int32_t x = s % 90, y = s / 90;
    if (x > 0) chain_add(&q, s, s - 1, 1e4);
    if (x < 89) chain_add(&q, s, s + 1, 1e-4);
    if (y > 0) chain_add(&q, s, s - 90, 1e4);
    if (y < 89) chain_add(&q, s, s + 90, 1e-4);
  }
  gth *g;
  double bound = 0, *const p = malloc((size_t)q.n * sizeof *p);
  CHECK(gth_plan(&q, &g) == NESS_OK && gth_factor(g, &q) == NESS_OK && gth_steady(g, p, &bound) == NESS_OK);
  CHECK(g->thin);
  double rare = 0, likely = 0;
  CHECK(gth_factor_without(g, &q, 2 * 91) == NESS_OK && gth_underflow(g, p, &rare) == NESS_OK);
  CHECK(gth_factor_without(g, &q, 0) == NESS_OK && gth_underflow(g, p, &likely) == NESS_OK);
  printf("strong drift: bound %.2g, share of underflow %.2g, with a likely state pinned %.2g\n", bound, rare, likely);
  CHECK(likely < 1e-12 && likely < rare && bound < 1e-9);
  for (int32_t s = 0; s < q.n; s++) {
    const int32_t i = s % 90 + s / 90;
    if (i < 18) CHECK_REL(p[s], (double)(powl(1 - 1e-8L, 2) * powl(1e-8L, i)), bound + likely);
    CHECK(p[s] >= 0 && p[s] < 1);
  }
  gth_free(g);
  free(p);
  chain_free(&q);
}

int main(void)
{
  check_memory();
  check_lattice(40, 4.6, 1e-70);
  check_lattice(120, 2, 1e-50);
  check_chain(5000, 0.1, 1e-12);
  check_chain(100000, 1, 1e-12);
  check_scale();
  check_dense();
  check_ruin();
  check_bound();
  check_solves();
  check_again();
  check_threads();
  check_lean();
  check_tiles();
  check_failure();
  check_thin();
  return check_done();
}
