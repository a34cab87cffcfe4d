/* Relaxation spectra against closed forms (rings, lattices, queues, copies, products), against the traces of powers,
 * and Arnoldi's method against LAPACK; what cannot be had says so. */
#include "check.h"
#include "engine/markov/modes.h"
#include "engine/markov/spectrum.h"

#include <complex.h>
#include <omp.h>
#include <stdlib.h>
#include <time.h>

static const double PI = 3.14159265358979323846;
static uint64_t seed = 20240608;

static double uniform(void) /* splitmix64 */
{
  uint64_t z = (seed += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static double complex number(double re, double im)
{
  return re + im * I;
}

static double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* --- chains, edge by edge in the order of their states --- */

static void chain_open(chain *q, int32_t n, int64_t edges, bool exits)
{
  CHECK(chain_create(n, edges, exits, q) == NESS_OK);
}

static void edge_add(chain *q, int32_t from, int32_t to, double rate)
{
  int64_t *const end = &q->start[from + 1];
  if (*end < q->start[from]) *end = q->start[from];
  q->to[*end] = to;
  q->rate[(*end)++] = rate;
}

static void state_close(chain *q, int32_t i) /* for states without a way */
{
  if (q->start[i + 1] < q->start[i]) q->start[i + 1] = q->start[i];
}

static void ring(chain *q, int32_t n, double on, double back)
{
  chain_open(q, n, 2 * n, false);
  for (int32_t i = 0; i < n; i++) {
    edge_add(q, i, (i + 1) % n, on);
    edge_add(q, i, (i + n - 1) % n, back);
  }
}

/* Births up, deaths down: rate(i) = a + b i, never below 0. */
static void line(chain *q, int32_t n, double birth, double per_birth, double death, double per_death)
{
  chain_open(q, n, 2 * n, false);
  for (int32_t i = 0; i < n; i++) {
    state_close(q, i);
    if (i > 0) edge_add(q, i, i - 1, death + per_death * i);
    if (i + 1 < n) edge_add(q, i, i + 1, birth + per_birth * i);
  }
}

/* Both at once: state i * b.n + j. */
static void product(const chain *a, const chain *b, chain *q)
{
  chain_open(q, a->n * b->n, a->start[a->n] * b->n + b->start[b->n] * a->n, false);
  for (int32_t i = 0; i < a->n; i++) {
    for (int32_t j = 0; j < b->n; j++) {
      const int32_t from = i * b->n + j;
      state_close(q, from);
      for (int64_t e = a->start[i]; e < a->start[i + 1]; e++) edge_add(q, from, a->to[e] * b->n + j, a->rate[e]);
      for (int64_t e = b->start[j]; e < b->start[j + 1]; e++) edge_add(q, from, i * b->n + b->to[e], b->rate[e]);
    }
  }
}

static void chain_random(chain *q, int32_t n, int32_t ways, double decades, bool exits)
{
  chain_open(q, n, (int64_t)n * (ways + 1), exits);
  for (int32_t i = 0; i < n; i++) {
    edge_add(q, i, (i + 1) % n, pow(10, decades * (uniform() - 0.5)));
    for (int32_t k = 0; k < ways; k++) edge_add(q, i, (int32_t)(uniform() * n), pow(10, decades * (uniform() - 0.5)));
    if (exits) q->exit[i] = i == 0 || uniform() < 0.1 ? uniform() : 0;
  }
}

/* --- comparison --- */

/* Each of `exact` (count, spent) to the nearest left: the largest distance, relative to `floor` + its modulus. */
static double distance(const spectrum *s, double complex *exact, int32_t count, double floor)
{
  double worst = 0;
  for (int32_t k = 0; k < s->count; k++) {
    const double complex found = number(s->real[k], s->imag[k]);
    int32_t best = k;
    for (int32_t i = k; i < count; i++) best = cabs(exact[i] - found) < cabs(exact[best] - found) ? i : best;
    const double complex nearest = exact[best];
    exact[best] = exact[k];
    worst = fmax(worst, cabs(nearest - found) / (floor + cabs(nearest) + 1e-300));
  }
  return worst;
}

static void check_order(const spectrum *s)
{
  for (int32_t k = 0; k < s->count; k++) {
    CHECK(k == 0 || fabs(s->real[k - 1]) <= fabs(s->real[k]));
    CHECK(s->real[k] <= 0);
    if (s->imag[k] <= 0) continue;
    CHECK(k + 1 < s->count && s->real[k + 1] == s->real[k] && s->imag[k + 1] == -s->imag[k]);
  }
}

/* v Q = lambda v by complex arithmetic, and the largest entry. */
static double check_modes(const chain *q, const spectrum *s)
{
  double worst = 0, fastest = 0;
  double complex *rest = malloc((size_t)q->n * sizeof *rest);
  for (int32_t k = 0; k < s->count; k++) {
    double largest = 0, sum = 0, size = 0;
    const double *const re = s->left_real + (size_t)k * (size_t)q->n, *const im =
                                                                          s->left_imag + (size_t)k * (size_t)q->n;
    for (int32_t i = 0; i < q->n; i++) rest[i] = -number(s->real[k], s->imag[k]) * number(re[i], im[i]);
    for (int32_t i = 0; i < q->n; i++) {
      const double complex v = number(re[i], im[i]);
      double out = q->exit ? q->exit[i] : 0;
      for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
        if (q->to[e] != i) rest[q->to[e]] += q->rate[e] * v;
        if (q->to[e] != i) out += q->rate[e];
      }
      rest[i] -= out * v;
      fastest = fmax(fastest, out);
      largest = fmax(largest, cabs(v));
      size += cabs(v) * cabs(v);
    }
    for (int32_t i = 0; i < q->n; i++) sum += cabs(rest[i]) * cabs(rest[i]);
    const double error = sqrt(sum / size) / fastest;
    CHECK(fabs(largest - 1) < 1e-14);
    CHECK(fabs(error - s->error[k]) <= 1e-13);
    worst = fmax(worst, error);
  }
  free(rest);
  return worst;
}

static void solved(const chain *q, int32_t wanted, bool modes, spectrum *s)
{
  CHECK(spectrum_find(q, wanted, modes, s) == NESS_OK);
  check_order(s);
}

/* --- closed forms --- */

static void ring_values(int32_t n, double on, double back, double complex *out)
{
  for (int32_t k = 0; k < n; k++) {
    const double half = sin(PI * k / n); /* 1 - cos without its cancellation */
    out[k] = number(-2 * (on + back) * half * half, (on - back) * sin(2 * PI * k / n));
  }
}

static void check_ring(void)
{
  enum { N = 40 };
  chain q;
  spectrum s;
  double complex exact[N];
  ring(&q, N, 3, 1);
  solved(&q, 0, true, &s);
  ring_values(N, 3, 1, exact);
  CHECK(s.count == N && s.complete && !s.reversible && s.real[0] == 0 && s.imag[0] == 0);
  CHECK(distance(&s, exact, N, 1) < 1e-14);
  CHECK(check_modes(&q, &s) < 1e-14);
  for (int32_t i = 0; i < N; i++) CHECK_REL(s.left_real[i], 1, 1e-14);
  spectrum_free(&s);
  solved(&q, 2, false, &s); /* the pair is not cut */
  CHECK(s.count == 3 && !s.complete && !s.left_real && s.imag[1] > 0 && s.imag[2] < 0);
  spectrum_free(&s);
  chain_free(&q);
}

static void check_lattice(void)
{
  enum { N = 60 };
  chain q;
  spectrum s;
  double complex exact[N];
  line(&q, N, 2, 0, 2, 0);
  solved(&q, 0, true, &s);
  for (int32_t k = 0; k < N; k++) exact[k] = -8 * pow(sin(PI * k / (2 * N)), 2);
  CHECK(s.reversible && s.real[0] == 0);
  CHECK(distance(&s, exact, N, 1) < 2e-15);
  CHECK(check_modes(&q, &s) < 1e-14);
  for (int32_t i = 0; i < N; i++) /* the slowest is half a cosine */
    CHECK_NEAR(fabs(s.left_real[N + i]), fabs(cos(PI * (i + 0.5) / N)) / cos(PI / 2 / N), 1e-12);
  spectrum_free(&s);
  chain_free(&q);
}

/* A queue with strong drift is as far from normal as a generator can be; absorbing ends give sines. */
static void check_queue(void)
{
  enum { N = 50 };
  chain q;
  spectrum s;
  double complex exact[N];
  line(&q, N, 1, 0, 100, 0);
  solved(&q, 0, false, &s);
  for (int32_t k = 1; k < N; k++) exact[k] = -101 + 20 * cos(PI * k / N);
  exact[0] = 0;
  CHECK(s.reversible);
  CHECK(distance(&s, exact, N, 0) < 1e-14);
  spectrum_free(&s);
  q.exit = mem_zero(N, sizeof *q.exit);
  q.exit[0] = 100;
  q.exit[N - 1] = 1;
  solved(&q, 0, true, &s);
  for (int32_t k = 0; k < N; k++) exact[k] = -101 + 20 * cos(PI * (k + 1) / (N + 1));
  CHECK(s.reversible && s.real[0] < 0);
  CHECK(distance(&s, exact, N, 0) < 1e-14);
  CHECK(check_modes(&q, &s) < 1e-14);
  spectrum_free(&s);
  chain_free(&q);
}

static void check_copies(void)
{
  enum { N = 80 };
  chain q;
  spectrum s;
  double complex exact[N + 1];
  line(&q, N + 1, 0.3 * N, -0.3, 0, 1.7); /* N two-state copies by their count */
  solved(&q, 0, false, &s);
  for (int32_t k = 0; k <= N; k++) exact[k] = -2.0 * k;
  CHECK(s.reversible);
  CHECK(distance(&s, exact, N + 1, 1) < 1e-13);
  spectrum_free(&s);
  chain_free(&q);
}

/* Three driven rings at once: sums of eigenvalues, many of them several times over. */
static void check_product(void)
{
  enum { A = 3, B = 5 };
  chain a, b, ab, q;
  spectrum s;
  double complex x[A], y[B], exact[A * A * B];
  ring(&a, A, 2, 0.5);
  ring(&b, B, 1, 3);
  product(&a, &b, &ab);
  product(&a, &ab, &q);
  ring_values(A, 2, 0.5, x);
  ring_values(B, 1, 3, y);
  for (int32_t i = 0; i < A * A * B; i++) exact[i] = x[i / (A * B)] + x[i / B % A] + y[i % B];
  solved(&q, 0, true, &s);
  CHECK(s.count == A * A * B && !s.reversible);
  CHECK(distance(&s, exact, A * A * B, 1) < 1e-13);
  CHECK(check_modes(&q, &s) < 1e-13);
  spectrum_free(&s);
  chain_free(&a);
  chain_free(&b);
  chain_free(&ab);
  chain_free(&q);
}

/* A fast part and one that is 1e6 to 1e18 times slower: the slow values to their own digits. */
static void check_stiff(bool driven)
{
  for (int decade = 0; decade <= 12; decade += 2) {
    const double fast = 1e6, slow = pow(10, -decade);
    chain a, b, q;
    spectrum s;
    double complex x[5], y[4] = {0}, exact[20];
    ring(&a, 5, fast, driven ? 0.25 * fast : fast);
    line(&b, 4, slow * 0.9, -slow * 0.3, 0, slow * 0.7);
    ring_values(5, fast, driven ? 0.25 * fast : fast, x);
    for (int32_t k = 0; k < 4; k++) y[k] = -slow * k;
    product(&a, &b, &q);
    for (int32_t i = 0; i < 20; i++) exact[i] = x[i / 4] + y[i % 4];
    solved(&q, 0, true, &s);
    CHECK(s.reversible == !driven);
    for (int32_t k = 0; k < 4; k++) {
      CHECK_REL(s.real[k] / slow, -k, 1e-12);
      CHECK(s.imag[k] == 0);
    }
    CHECK(distance(&s, exact, 20, 1e-12 * slow) < 1e-12);
    CHECK(check_modes(&q, &s) < 1e-14);
    spectrum_free(&s);
    chain_free(&a);
    chain_free(&b);
    chain_free(&q);
  }
}

/* Sum and sum of squares of the eigenvalues are traces. */
static void check_traces(void)
{
  double worst = 0;
  for (int k = 0; k < 60; k++) {
    chain q;
    spectrum s;
    const int32_t n = 2 + (int32_t)(30 * uniform());
    chain_random(&q, n, 1 + k % 4, 3, k % 2);
    double *const a = calloc((size_t)n * (size_t)n, sizeof *a);
    for (int32_t i = 0; i < n; i++) {
      for (int64_t e = q.start[i]; e < q.start[i + 1]; e++) {
        a[i * n + q.to[e]] += q.rate[e];
        a[i * n + i] -= q.rate[e];
      }
      if (q.exit) a[i * n + i] -= q.exit[i];
    }
    double one = 0, two = 0, size = 0;
    for (int32_t i = 0; i < n; i++) {
      one += a[i * n + i];
      for (int32_t j = 0; j < n; j++) {
        two += a[i * n + j] * a[j * n + i];
        size += fabs(a[i * n + j] * a[j * n + i]);
      }
    }
    solved(&q, 0, true, &s);
    CHECK(s.count == n && s.complete);
    for (int32_t i = 0; i < n; i++) {
      one -= s.real[i];
      two -= s.real[i] * s.real[i] - s.imag[i] * s.imag[i];
    }
    CHECK(fabs(one) <= 1e-13 * sqrt(size) && fabs(two) <= 1e-12 * size);
    worst = fmax(worst, check_modes(&q, &s));
    spectrum_free(&s);
    chain_free(&q);
    free(a);
  }
  CHECK(worst < 1e-13);
}

/* --- several classes, transient states --- */

static void check_reducible(void)
{
  chain q; /* 0 -> 1 -> 2 with 2 <-> 3 closed, 4 absorbing, 5 <-> 6 transient into 0 and 4 */
  spectrum s;
  chain_open(&q, 7, 9, false);
  edge_add(&q, 0, 1, 1.5);
  edge_add(&q, 1, 2, 1.5);
  edge_add(&q, 2, 3, 2);
  edge_add(&q, 3, 2, 3);
  state_close(&q, 4);
  edge_add(&q, 5, 6, 1);
  edge_add(&q, 5, 0, 1);
  edge_add(&q, 6, 5, 2);
  edge_add(&q, 6, 4, 1);
  const double root = sqrt(0.25 + 2); /* [[-2, 1], [2, -3]] */
  double complex exact[7] = {0, 0, -5, -1.5, -1.5, -2.5 + root, -2.5 - root};
  solved(&q, 0, true, &s);
  CHECK(s.count == 7 && s.complete && !s.left_real);
  CHECK(s.real[0] == 0 && s.real[1] == 0 && s.real[2] < 0);
  CHECK(distance(&s, exact, 7, 1) < 1e-15);
  spectrum_free(&s);
  solved(&q, 3, false, &s);
  CHECK(s.count == 3 && !s.complete);
  CHECK_NEAR(s.real[2], -2.5 + root, 1e-15);
  spectrum_free(&s);
  chain_free(&q);

  chain one; /* a single state */
  chain_open(&one, 1, 0, false);
  solved(&one, 0, true, &s);
  CHECK(s.count == 1 && s.real[0] == 0 && s.left_real && s.left_real[0] == 1);
  spectrum_free(&s);
  one.exit = mem_zero(1, sizeof *one.exit);
  one.exit[0] = 2;
  solved(&one, 0, true, &s);
  CHECK(s.count == 1 && s.real[0] == -2 && s.left_real[0] == 1);
  spectrum_free(&s);
  chain_free(&one);
}

/* --- Arnoldi --- */

/* The moduli of the modes, a pair as two, ascending. */
static int32_t moduli(const mode_list *list, double *out)
{
  int32_t count = 0;
  for (int32_t k = 0; k < list->count; k++) {
    for (int sign = list->mode[k].imag != 0 ? 2 : 1; sign > 0; sign--) {
      const double size = hypot(list->mode[k].real, list->mode[k].imag);
      int32_t at = count++;
      for (; at > 0 && out[at - 1] > size; at--) out[at] = out[at - 1];
      out[at] = size;
    }
  }
  return count;
}

static void check_arnoldi(const char *name, chain *q, int32_t wanted, double tolerance)
{
  mode_list dense, few;
  double worst = 0, residual = 0, from = seconds();
  double *const all = calloc((size_t)q->n, sizeof *all), *const found = calloc((size_t)q->n, sizeof *found);
  CHECK(modes_dense(q, false, &dense) == NESS_OK);
  const double lapack = seconds() - from;
  from = seconds();
  CHECK(modes_arnoldi(q, wanted, true, &few) == NESS_OK);
  const double arnoldi = seconds() - from;
  CHECK(moduli(&dense, all) == q->n && moduli(&few, found) >= wanted);
  for (int32_t k = 0; k < wanted; k++) worst = fmax(worst, fabs(found[k] - all[k]) / (all[k] + 1e-300));
  for (int32_t k = 0; k < few.count; k++) {
    double nearest = INFINITY;
    for (int32_t i = 0; i < dense.count; i++) {
      const mode *const a = &dense.mode[i], *const b = &few.mode[k];
      nearest = fmin(nearest, hypot(a->real - b->real, a->imag - b->imag) / (1e-300 + hypot(a->real, a->imag)));
    }
    worst = fmax(worst, nearest);
    residual = fmax(residual, few.mode[k].error);
  }
  CHECK(worst <= tolerance);
  CHECK(residual <= 1e-11); /* the iteration stops at 1e-12 of the inverse, which has other lengths than the chain */
  printf("%s: %d of %d values, apart %.2g, residual %.2g, %.2f s, LAPACK %.2f s\n", name, (int)wanted, (int)q->n, worst,
         residual, arnoldi, lapack);
  free(all);
  free(found);
  modes_free(&dense);
  modes_free(&few);
  chain_free(q);
}

static void check_arnoldi_all(void)
{
  chain q, a, b;
  chain_random(&q, 500, 2, 2, false);
  check_arnoldi("random", &q, 12, 1e-9);
  chain_random(&q, 400, 2, 2, true);
  check_arnoldi("random with exits", &q, 12, 1e-9);
  ring(&q, 301, 1, 1); /* every value twice */
  check_arnoldi("ring", &q, 9, 1e-9);
  ring(&a, 24, 1, 0.5);
  ring(&b, 24, 0.5, 1);
  product(&a, &b, &q); /* pairs up to four times */
  check_arnoldi("torus", &q, 17, 1e-9);
  chain_free(&b);
  chain_free(&a);
  ring(&a, 20, 1, 1);
  product(&a, &a, &q); /* four times, eight times */
  check_arnoldi("square torus", &q, 5, 1e-9);
  product(&a, &a, &q);
  check_arnoldi("square torus", &q, 21, 1e-9);
  chain_free(&a);
  chain_open(&q, 300, 600, true); /* two lines that know nothing of each other */
  for (int32_t i = 0; i < 300; i++) {
    state_close(&q, i);
    if (i % 150 > 0) edge_add(&q, i, i - 1, 1);
    else q.exit[i] = 1;
    if (i % 150 < 149) edge_add(&q, i, i + 1, 1);
  }
  check_arnoldi("two lines", &q, 2, 1e-9);
  line(&q, 400, 1, 0, 3, 0);
  check_arnoldi("queue", &q, 8, 1e-9);
  line(&q, 500, 200, 0, 0, 1); /* immigration and death: 0, -1, -2, ... */
  check_arnoldi("immigration", &q, 8, 1e-9);
  ring(&q, 3, 1, 0.2);
  check_arnoldi("tiny", &q, 3, 1e-12);
  ring(&q, 2, 1, 0.2);
  check_arnoldi("least", &q, 2, 1e-12);
}

/* Up to four copies that know nothing of each other: a Krylov space sees one of them only, so that a search without
 * its second look misses values in one case of thirty. */
static void check_twins(void)
{
  enum { N = 60 };
  int32_t missed = 0;
  seed = 0;
  for (int32_t k = 0; k < 60; k++) {
    const int32_t copies = 2 + k % 3, wanted = 1 + k % 5;
    chain one, q;
    chain_random(&one, N, 2, 2, true);
    for (int32_t i = 0; i < N; i++) one.exit[i] = i == 3 ? 0.01 : i == 7;
    chain_open(&q, copies * N, copies * one.start[N], true);
    for (int32_t i = 0; i < copies * N; i++) {
      state_close(&q, i);
      for (int64_t e = one.start[i % N]; e < one.start[i % N + 1]; e++)
        edge_add(&q, i, one.to[e] + i / N * N, one.rate[e]);
      q.exit[i] = one.exit[i % N];
    }
    mode_list dense, few;
    double all[N], found[4 * N];
    CHECK(modes_dense(&one, false, &dense) == NESS_OK);
    CHECK(modes_arnoldi(&q, wanted, false, &few) == NESS_OK);
    CHECK(moduli(&dense, all) == N && moduli(&few, found) >= wanted);
    bool same = true;
    for (int32_t i = 0; i < wanted; i++) same &= fabs(found[i] - all[i / copies]) <= 1e-6 * found[i];
    missed += !same;
    modes_free(&dense);
    modes_free(&few);
    chain_free(&one);
    chain_free(&q);
  }
  CHECK(missed == 0);
}

static void check_large(void)
{
  const int32_t n = 20001;
  chain q;
  spectrum s;
  ring(&q, n, 1.2, 0.8);
  const double from = seconds();
  solved(&q, 9, true, &s);
  printf("ring of %d: %.2f s, residual %.2g\n", (int)n, seconds() - from, s.error[s.count - 1]);
  double worst = 0;
  CHECK(s.count == 9 && s.real[0] == 0);
  for (int32_t k = 0; k < s.count; k++) {
    const double angle = PI * ((k + 1) / 2) / n;
    const double complex exact = number(-4 * pow(sin(angle), 2), (k % 2 ? 0.4 : -0.4) * sin(2 * angle));
    worst = fmax(worst, cabs(number(s.real[k], s.imag[k]) - exact) / (1e-300 + cabs(exact)));
  }
  CHECK(worst < 1e-9);
  CHECK(check_modes(&q, &s) < 1e-12);
  spectrum_free(&s);
  CHECK(spectrum_find(&q, 0, false, &s) == NESS_LIMIT);
  CHECK(!s.real && s.count == 0);
  chain_free(&q);
}

/* The same bits for any number of threads, by LAPACK and by Arnoldi's method. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));

static void check_threads(void)
{
  for (int k = 0; k < 3; k++) {
    chain q;
    spectrum s, t;
    if (k == 0) chain_random(&q, 250, 3, 2, false);
    if (k == 1) line(&q, 250, 30, 0, 0, 1);
    if (k == 2) ring(&q, 9001, 1, 0.5);
    omp_set_num_threads(1);
    if (openblas_set_num_threads) openblas_set_num_threads(1);
    solved(&q, 7, true, &s);
    omp_set_num_threads(3);
    if (openblas_set_num_threads) openblas_set_num_threads(3);
    solved(&q, 7, true, &t);
    CHECK(s.count == t.count && memcmp(s.real, t.real, (size_t)s.count * sizeof *s.real) == 0);
    CHECK(memcmp(s.imag, t.imag, (size_t)s.count * sizeof *s.imag) == 0);
    CHECK(memcmp(s.left_real, t.left_real, (size_t)s.count * (size_t)q.n * sizeof *s.left_real) == 0);
    CHECK(memcmp(s.left_imag, t.left_imag, (size_t)s.count * (size_t)q.n * sizeof *s.left_imag) == 0);
    spectrum_free(&s);
    spectrum_free(&t);
    chain_free(&q);
  }
}

/* --- what goes wrong --- */

static void check_failure(bool exits)
{
  chain q;
  spectrum s;
  chain_random(&q, 12, 2, 2, exits);
  int64_t failed = 0;
  ness_status status = NESS_NOMEM;
  for (int64_t n = 0; n < 10000 && status == NESS_NOMEM; n++) {
    mem_fail_after(n);
    status = spectrum_find(&q, 0, true, &s);
    mem_fail_after(-1);
    failed += status == NESS_NOMEM;
    CHECK(status == NESS_OK || (!s.real && s.count == 0));
    spectrum_free(&s);
  }
  CHECK(status == NESS_OK && failed > 15);
  mode_list list;
  status = NESS_NOMEM;
  for (int64_t n = 0; n < 10000 && status == NESS_NOMEM; n++) {
    mem_fail_after(n);
    status = modes_arnoldi(&q, 4, true, &list);
    mem_fail_after(-1);
    modes_free(&list);
  }
  CHECK(status == NESS_OK);
  ness_interrupt();
  CHECK(spectrum_find(&q, 0, false, &s) == NESS_INTERRUPTED);
  CHECK(modes_arnoldi(&q, 4, false, &list) == NESS_INTERRUPTED);
  ness_interrupt_clear();
  CHECK(spectrum_find(&q, -1, false, &s) == NESS_USAGE);
  q.rate[3] = -1;
  CHECK(spectrum_find(&q, 0, false, &s) == NESS_NUMERIC);
  chain_free(&q);
}

int main(void)
{
  check_ring();
  check_lattice();
  check_queue();
  check_copies();
  check_product();
  check_stiff(false);
  check_stiff(true);
  check_traces();
  check_reducible();
  check_arnoldi_all();
  check_twins();
  check_threads();
  check_large();
  check_failure(false);
  check_failure(true);
  return check_done();
}
