/* Steady states by aggregation on many levels and their certificate: laws known in closed form (products, rings, a net
 * of the literature), and elimination without subtraction in long double, dense and written here. Every answer must
 * keep its own bound; chains that are nearly decomposed must be refused or bounded truly; vectors with a planted error
 * must not pass; the bits do not depend on threads; failed allocations leave nothing behind. Nothing is sampled: the
 * random chains come from fixed seeds. */
#include "check.h"
#include "engine/markov/multilevel.h"
#include "engine/markov/solver.h"
#include "markov_nets.h"
#include <omp.h>

static uint64_t seed = 1;

static double uniform(void)
{
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return ((double)(seed >> 33) + 0.5) / 2147483648.0;
}

/* --- an independent second way --- */

/* Flows without the diagonal, dense; row i is what leaves i. */
static long double *dense_of(const chain *q)
{
  const int32_t n = q->n;
  long double *a = calloc((size_t)n * (size_t)n, sizeof *a);
  for (int32_t i = 0; i < n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (q->to[e] != i) a[(int64_t)i * n + q->to[e]] += q->rate[e];
    }
  }
  return a;
}

static void dense_steady(const chain *q, long double *p)
{
  const int32_t n = q->n;
  long double *const a = dense_of(q);
  for (int64_t k = n - 1; k > 0; k--) {
    long double out = 0;
    for (int64_t j = 0; j < k; j++) out += a[k * n + j];
    for (int64_t i = 0; i < k; i++) {
      a[i * n + k] /= out;
      if (a[i * n + k] == 0) continue;
      for (int64_t j = 0; j < k; j++) a[i * n + j] += j == i ? 0 : a[i * n + k] * a[k * n + j];
    }
  }
  long double sum = p[0] = 1;
  for (int64_t k = 1; k < n; k++) {
    p[k] = 0;
    for (int64_t i = 0; i < k; i++) p[k] += p[i] * a[i * n + k];
    sum += p[k];
  }
  for (int32_t i = 0; i < n; i++) p[i] /= sum;
  free(a);
}

/* x <- x (-Q_s)^-1 or (-Q_s)^-1 x by elimination with partial pivoting, x_s = 0. */
static void dense_pinned(const chain *q, int32_t s, bool right, const double *b, long double *x)
{
  const int64_t n = q->n;
  long double *const f = dense_of(q), *const a = calloc((size_t)(n * n), sizeof *a);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) {
      a[i * n + i] += f[i * n + j];
      if (i != j) a[right ? i * n + j : j * n + i] -= f[i * n + j];
    }
    x[i] = b[i];
  }
  for (int64_t j = 0; j < n; j++) a[s * n + j] = a[j * n + s] = j == s;
  x[s] = 0;
  for (int64_t k = 0; k < n; k++) {
    int64_t best = k;
    for (int64_t i = k; i < n; i++) best = fabsl(a[i * n + k]) > fabsl(a[best * n + k]) ? i : best;
    for (int64_t j = 0; j < n; j++) {
      const long double t = a[k * n + j];
      a[k * n + j] = a[best * n + j];
      a[best * n + j] = t;
    }
    const long double t = x[k];
    x[k] = x[best];
    x[best] = t;
    for (int64_t i = k + 1; i < n; i++) {
      const long double by = a[i * n + k] / a[k * n + k];
      if (by == 0) continue;
      for (int64_t j = k; j < n; j++) a[i * n + j] -= by * a[k * n + j];
      x[i] -= by * x[k];
    }
  }
  for (int64_t k = n - 1; k >= 0; k--) {
    for (int64_t j = k + 1; j < n; j++) x[k] -= a[k * n + j] * x[j];
    x[k] /= a[k * n + k];
  }
  free(a);
  free(f);
}

/* --- chains --- */

/* A ring that keeps it irreducible, and `extra` transitions a state anywhere, rates over `decades` decades. */
static void random_chain(int32_t n, int32_t extra, double decades, chain *q)
{
  CHECK(chain_create(n, (int64_t)n * (extra + 1), false, q) == NESS_OK);
  int64_t end = 0;
  for (int32_t i = 0; i < n; i++) {
    for (int32_t k = 0; k <= extra; k++) {
      q->to[end] = k ? (int32_t)(uniform() * n) : (i + 1) % n;
      q->rate[end++] = pow(10, decades * (uniform() - 0.5));
    }
    q->start[i + 1] = end;
  }
}

static double worst_error(const double *p, const long double *exact, int32_t n)
{
  double worst = 0;
  for (int32_t i = 0; i < n; i++) {
    const double error = (double)fabsl(p[i] / exact[i] - 1);
    worst = error > worst || error != error ? error : worst;
  }
  return worst;
}

/* Solves, and holds the bound against the exact law; the largest error. */
static double solve_and_hold(const chain *q, const long double *exact, double most)
{
  double *const p = calloc((size_t)q->n, sizeof *p);
  multilevel_report report;
  multilevel *m = NULL;
  CHECK(multilevel_create(q, NULL, 1e-8, 0, &report, p, &m) == NESS_OK);
  const double error = worst_error(p, exact, q->n);
  CHECK(report.bound <= 1e-8);
  CHECK(error <= report.bound + 1e-18);
  CHECK(error <= most);
  CHECK(report.bytes > 0);
  multilevel_free(m);
  free(p);
  return error;
}

/* --- cases --- */

static void test_products(void)
{
  const double steep[4] = {0.26, 1, 0.26, 1}, gentle[4] = {1, 1.03, 1.01, 1}, flat[4] = {1, 1, 1, 1};
  const struct {
    int size;
    const double *rate;
  } cases[] = {{40, steep}, {300, gentle}, {20, flat}, {120, steep}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    const int size = cases[c].size;
    const double *const r = cases[c].rate;
    chain q;
    CHECK(nets_lattice(size, size, r, 1, &q));
    long double *const exact = calloc((size_t)q.n, sizeof *exact), sum = 0;
    for (int i = 0; i < q.n; i++) {
      exact[i] = powl((long double)r[0] / r[1], i % size) * powl((long double)r[2] / r[3], i / size);
      sum += exact[i];
    }
    for (int i = 0; i < q.n; i++) exact[i] /= sum;
    if (c == 0) CHECK(exact[q.n - 1] < 1e-45L);
    solve_and_hold(&q, exact, 1e-12);
    free(exact);
    chain_free(&q);
  }
}

/* A driven ring by its spanning trees, every one a product. */
static void test_ring(void)
{
  enum { N = 3000 };
  double a[N], b[N];
  chain q;
  CHECK(chain_create(N, 2 * N, false, &q) == NESS_OK);
  long double *const exact = calloc(N, sizeof *exact), sum = 0;
  for (int i = 0; i < N; i++) {
    a[i] = 0.5 + uniform();
    b[i] = 0.1 + uniform();
    q.to[2 * i] = (i + 1) % N;
    q.to[2 * i + 1] = (i + N - 1) % N;
    q.rate[2 * i] = a[i];
    q.rate[2 * i + 1] = b[i];
    q.start[i + 1] = 2 * i + 2;
  }
  for (int i = 0; i < N; i++) { /* the edge after i + k is missing: behind it all go back to i, beyond it on to i */
    long double tree = 1;
    for (int k = 1; k < N; k++) tree *= a[(i + k) % N];
    exact[i] = tree;
    for (int k = 1; k < N; k++) {
      tree *= (long double)b[(i + k) % N] / a[(i + k) % N];
      exact[i] += tree;
    }
    sum += exact[i];
  }
  for (int i = 0; i < N; i++) exact[i] /= sum;
  solve_and_hold(&q, exact, 1e-11);
  free(exact);
  chain_free(&q);
}

/* A hub with leaves: nothing to pair, and every leaf is in balance with the hub by itself. */
static void test_star(void)
{
  enum { N = 5000 };
  chain q;
  CHECK(chain_create(N, 2 * (N - 1), false, &q) == NESS_OK);
  long double *const exact = calloc(N, sizeof *exact), sum = 1;
  exact[0] = 1;
  q.start[1] = N - 1;
  for (int32_t i = 1; i < N; i++) {
    q.to[i - 1] = i;
    q.to[N + i - 2] = 0;
    q.rate[i - 1] = pow(10, 8 * (uniform() - 0.5));
    q.rate[N + i - 2] = pow(10, 8 * (uniform() - 0.5));
    q.start[i + 1] = N + i - 1;
    exact[i] = (long double)q.rate[i - 1] / q.rate[N + i - 2];
    sum += exact[i];
  }
  for (int32_t i = 0; i < N; i++) exact[i] /= sum;
  solve_and_hold(&q, exact, 1e-13);
  free(exact);
  chain_free(&q);
}

static void test_random(void)
{
  for (int c = 0; c < 24; c++) {
    const int32_t n = c < 8 ? 2 + c : c < 16 ? 30 * c : 257 + 3 * c;
    chain q;
    seed = (uint64_t)c + 11;
    random_chain(n, c % 4 == 3 ? n - 1 : 1 + c % 4, c % 3 == 2 ? 6 : 1, &q);
    long double *const exact = calloc((size_t)n, sizeof *exact);
    dense_steady(&q, exact);
    solve_and_hold(&q, exact, 1e-11);
    free(exact);
    chain_free(&q);
  }
}

/* Throughputs of the kanban net, published for these sizes. */
static void test_kanban(void)
{
  const double known[3] = {0, 0.0925846346333826, 0.173871706177849};
  for (int t = 1; t <= 2; t++) {
    chain q;
    nets_space space;
    CHECK(nets_kanban(t, &q, &space));
    CHECK(q.n == (t == 1 ? 160 : 4600));
    double *const p = calloc((size_t)q.n, sizeof *p), rate = 0;
    multilevel_report report;
    multilevel *m = NULL;
    CHECK(multilevel_create(&q, NULL, 1e-8, 0, &report, p, &m) == NESS_OK);
    for (int32_t i = 0; i < q.n; i++) {
      int places[NETS_PLACES] = {0};
      nets_unpack(&space, space.key[i], places);
      if (places[0] < t && places[4] < t) rate += p[i];
    }
    CHECK_REL(rate, known[t], 1e-12);
    multilevel_free(m);
    free(p);
    free(space.key);
    chain_free(&q);
  }
}

/* Two wells of a random chain, joined by one transition of rate e either way. */
static void test_decomposed(void)
{
  enum { HALF = 200 };
  const double join[] = {1e-4, 1e-8, 1e-11, 1e-14, 1e-17, 1e-30};
  for (size_t c = 0; c < sizeof join / sizeof *join; c++) {
    chain part[2], q;
    for (int h = 0; h < 2; h++) random_chain(HALF, 2, 1, &part[h]);
    CHECK(chain_create(2 * HALF, 6 * HALF + 2, false, &q) == NESS_OK);
    int64_t end = 0;
    for (int32_t i = 0; i < 2 * HALF; i++) {
      const chain *const from = &part[i / HALF];
      const int32_t j = i % HALF, first = i - j;
      for (int64_t e = from->start[j]; e < from->start[j + 1]; e++) {
        q.to[end] = from->to[e] + first;
        q.rate[end++] = from->rate[e];
      }
      if (j == 7) {
        q.to[end] = i < HALF ? HALF + 3 : 5;
        q.rate[end++] = i < HALF ? join[c] : 3 * join[c];
      }
      q.start[i + 1] = end;
    }
    long double *const exact = calloc(2 * HALF, sizeof *exact);
    double *const p = calloc(2 * HALF, sizeof *p);
    multilevel_report report;
    multilevel *m = NULL;
    dense_steady(&q, exact);
    const ness_status status = multilevel_create(&q, NULL, 1e-8, 0, &report, p, &m);
    CHECK(status == NESS_OK || status == NESS_NUMERIC);
    if (status == NESS_OK) CHECK(worst_error(p, exact, 2 * HALF) <= report.bound);
    if (status == NESS_NUMERIC) CHECK(!(report.bound <= 1e-8));
    if (join[c] >= 1e-4) CHECK(status == NESS_OK);
    if (join[c] <= 1e-14) CHECK(status == NESS_NUMERIC);
    multilevel_free(m);
    free(exact);
    free(p);
    chain_free(&q);
    for (int h = 0; h < 2; h++) chain_free(&part[h]);
  }
}

static void test_solves(void)
{
  for (int c = 0; c < 4; c++) {
    const int32_t n = c == 3 ? 90 : 300, pinned = c == 1 ? n - 1 : 5 * c;
    chain q;
    seed = (uint64_t)c + 101;
    random_chain(n, 1 + c, 1, &q);
    double *const p = calloc((size_t)n, sizeof *p), *const b = calloc((size_t)n, sizeof *b);
    double *const x = calloc((size_t)n, sizeof *x);
    long double *const exact = calloc((size_t)n, sizeof *exact);
    multilevel_report report;
    multilevel *m = NULL;
    CHECK(multilevel_create(&q, NULL, 1e-8, 0, &report, p, &m) == NESS_OK);
    for (int right = 0; right < 2; right++) {
      for (int32_t i = 0; i < n; i++) x[i] = b[i] = (uniform() - 0.5) * (right ? 1 : p[i]);
      dense_pinned(&q, pinned, right, b, exact);
      CHECK((right ? multilevel_right(m, pinned, 1e-13, x) : multilevel_left(m, pinned, 1e-13, x)) == NESS_OK);
      double worst = 0, most = 0;
      for (int32_t i = 0; i < n; i++) {
        const double scale = right ? 1 : p[i];
        worst = fmax(worst, (double)fabsl(x[i] - exact[i]) / scale);
        most = fmax(most, (double)fabsl(exact[i]) / scale);
      }
      CHECK(x[pinned] == 0);
      CHECK(worst <= 1e-12 * most);
    }
    memset(x, 0, (size_t)n * sizeof *x);
    CHECK(multilevel_left(m, pinned, 1e-12, x) == NESS_OK && x[(pinned + 1) % n] == 0);
    multilevel_free(m);
    free(p);
    free(b);
    free(x);
    free(exact);
    chain_free(&q);
  }
}

/* Large enough for several threads in every loop; 3 of them share unevenly. */
static void test_threads(void)
{
  const double rate[4] = {1, 1.01, 1, 1.02};
  const int threads[2] = {1, 3}, before = omp_get_max_threads();
  for (int c = 0; c < 2; c++) {
    chain q;
    CHECK(c ? nets_lattice(370, 370, rate, 1, &q) : nets_kanban(3, &q, NULL));
    CHECK(c || q.n == 58400);
    const size_t n = (size_t)q.n;
    double *p[2], *x[2], bound[2];
    for (int t = 0; t < 2; t++) {
      multilevel_report report;
      multilevel *m = NULL;
      p[t] = calloc(n, sizeof *p[t]);
      x[t] = calloc(2 * n, sizeof *x[t]);
      omp_set_num_threads(threads[t]);
      CHECK(multilevel_create(&q, NULL, 1e-8, 0, &report, p[t], &m) == NESS_OK);
      for (size_t i = 0; i < n; i++) x[t][i] = i % 3 ? p[t][i] : -p[t][i], x[t][n + i] = 1;
      CHECK(multilevel_left(m, 17, 1e-2, x[t]) == NESS_OK);
      CHECK(multilevel_right(m, 17, 1e-2, x[t] + n) == NESS_OK);
      bound[t] = report.bound;
      multilevel_free(m);
    }
    CHECK(memcmp(p[0], p[1], n * sizeof *p[0]) == 0);
    CHECK(memcmp(x[0], x[1], 2 * n * sizeof *x[0]) == 0);
    CHECK(bound[0] == bound[1]);
    for (int t = 0; t < 2; t++) {
      free(p[t]);
      free(x[t]);
    }
    chain_free(&q);
  }
  omp_set_num_threads(before);
}

/* --- the certificate alone --- */

typedef struct rough { /* a solver that is as bad as asked */
  const chain *q;
  double noise;
  int kind; /* 0 honest, 1 zero, 2 not a number, 3 negative, 4 fails */
} rough;

static ness_status rough_solve(void *context, int32_t pinned, double *w)
{
  const rough *const self = context;
  const int32_t n = self->q->n;
  if (self->kind == 4) return NESS_NUMERIC;
  long double *const x = calloc((size_t)n, sizeof *x);
  dense_pinned(self->q, pinned, false, w, x);
  for (int32_t i = 0; i < n; i++) {
    const double by = 1 + self->noise * (uniform() - 0.5);
    const double kinds[4] = {(double)x[i] * by, 0, (double)NAN, -(double)x[i]};
    w[i] = kinds[self->kind];
  }
  free(x);
  return NESS_OK;
}

static void test_certificate(void)
{
  int held = 0, tight = 0;
  for (int c = 0; c < 400; c++) {
    const int32_t n = 2 + c % 37;
    seed = (uint64_t)c + 1001;
    chain q;
    random_chain(n, 1 + c % 3, c % 5, &q);
    long double exact[40], sum = 0;
    double x[40], bound;
    dense_steady(&q, exact);
    const double size = pow(10, -1 - c % 15);
    for (int32_t i = 0; i < n; i++) {
      const bool here = c % 2 ? i == c % n : true; /* one component off, or all of them */
      x[i] = (double)(exact[i] * (1 + (here ? size * (uniform() - 0.5) : 0)));
      sum += x[i];
    }
    for (int32_t i = 0; i < n; i++) x[i] = (double)(x[i] / sum);
    rough by = {.q = &q, .noise = c % 3 == 2 ? 1e-3 : 0};
    const double error = worst_error(x, exact, n);
    if (solver_certify(&q, x, rough_solve, &by, &bound) == NESS_OK) {
      held++;
      CHECK(bound >= error);
      if (bound <= 1e4 * error + 1e-9) tight++;
    }
    for (by.kind = 1; by.kind <= 4; by.kind++) {
      CHECK(solver_certify(&q, x, rough_solve, &by, &bound) == NESS_NUMERIC && !(bound < HUGE_VAL));
    }
    chain_free(&q);
  }
  CHECK(held >= 300);
  CHECK(tight >= 250);
}

static void test_planted(void)
{
  chain q;
  seed = 77;
  random_chain(60, 2, 1, &q);
  long double exact[60];
  double x[60], bound = 0, sum = 0;
  dense_steady(&q, exact);
  rough by = {.q = &q};
  for (int32_t i = 0; i < 60; i++) {
    for (int32_t j = 0; j < 60; j++) x[j] = (double)exact[j] * (j == i ? 1 + 1e-6 : 1);
    sum = 0;
    for (int32_t j = 0; j < 60; j++) sum += x[j];
    for (int32_t j = 0; j < 60; j++) x[j] /= sum;
    CHECK(solver_certify(&q, x, rough_solve, &by, &bound) == NESS_OK);
    CHECK(bound >= worst_error(x, exact, 60) && bound >= 9e-7 && bound < 1e-3);
  }
  for (int32_t j = 0; j < 60; j++) x[j] = (double)exact[j];
  CHECK(solver_certify(&q, x, rough_solve, &by, &bound) == NESS_OK && bound < 1e-11);
  x[3] = 0;
  CHECK(solver_certify(&q, x, rough_solve, &by, &bound) == NESS_NUMERIC);
  chain_free(&q);
}

/* Two closed classes: any mixture is steady, so there is nothing to certify. */
static void test_reducible(void)
{
  chain q;
  CHECK(chain_create(4, 4, false, &q) == NESS_OK);
  for (int32_t i = 0; i < 4; i++) {
    q.to[i] = i ^ 1;
    q.rate[i] = 1;
    q.start[i + 1] = i + 1;
  }
  const double x[4] = {0.3, 0.3, 0.2, 0.2};
  double bound = 0, p[4];
  rough by = {.q = &q, .kind = 1};
  CHECK(solver_certify(&q, x, rough_solve, &by, &bound) == NESS_NUMERIC);
  multilevel_report report;
  multilevel *m = NULL;
  CHECK(multilevel_create(&q, NULL, 1e-8, 0, &report, p, &m) == NESS_NUMERIC && !m);
  chain_free(&q);
}

/* --- what goes wrong --- */

static void test_failure(void)
{
  chain q, one;
  const double rate[4] = {1, 1.1, 1, 1.2};
  CHECK(nets_lattice(24, 24, rate, 1.3, &q));
  double *const p = calloc((size_t)q.n, sizeof *p), *const x = calloc((size_t)q.n, sizeof *x);
  multilevel_report report;
  multilevel *m = NULL;
  bool done = false;
  int64_t k = 0;
  for (; k < 2000 && !done; k++) {
    mem_fail_after(k);
    ness_status status = multilevel_create(&q, NULL, 1e-8, 0, &report, p, &m);
    CHECK(!m == (status != NESS_OK));
    for (int32_t i = 0; i < q.n; i++) x[i] = 1;
    if (!status) status = multilevel_right(m, 0, 1e-9, x);
    if (!status) status = multilevel_left(m, 0, 1e-9, x);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    done = status == NESS_OK;
    multilevel_free(m);
    m = NULL;
  }
  CHECK(done && k > 50);
  CHECK(multilevel_create(&q, NULL, 1e-8, 1000, &report, p, &m) == NESS_LIMIT && !m && report.bytes > 1000);
  CHECK(multilevel_create(&q, NULL, 1e-17, 0, &report, p, &m) == NESS_NUMERIC && !m && report.bound < 1e-10);
  ness_interrupt();
  CHECK(multilevel_create(&q, NULL, 1e-8, 0, &report, p, &m) == NESS_INTERRUPTED && !m);
  ness_interrupt_clear();
  CHECK(multilevel_create(&q, NULL, 1e-8, 0, &report, p, &m) == NESS_OK);
  multilevel_free(m);
  const int32_t cold = report.iterations;
  CHECK(multilevel_create(&q, p, 1e-8, 0, &report, x, &m) == NESS_OK && report.iterations < cold); /* a warm start */
  multilevel_free(m);
  multilevel_free(NULL);
  CHECK(chain_create(1, 0, false, &one) == NESS_OK);
  CHECK(multilevel_create(&one, NULL, 1e-8, 0, &report, p, &m) == NESS_OK && p[0] == 1 && report.bound == 0);
  CHECK(multilevel_left(m, 0, 1e-9, x) == NESS_OK && x[0] == 0);
  multilevel_free(m);
  chain_free(&one);
  chain_free(&q);
  free(p);
  free(x);
}

int main(void)
{
  test_products();
  test_ring();
  test_star();
  test_random();
  test_kanban();
  test_decomposed();
  test_solves();
  test_threads();
  test_certificate();
  test_planted();
  test_reducible();
  test_failure();
  return check_done();
}
