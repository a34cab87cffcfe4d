/* First passages against closed forms (ruin, busy periods, extinction, Erlang chains, barriers) and against dense
 * linear algebra in long double on random networks. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/passage.h"

typedef struct bounds { /* first: n[slot] <= low; second: n[slot] >= high */
  int32_t slot;
  int64_t low, high;
} bounds;

static int32_t beyond(void *context, const int64_t *n)
{
  const bounds *const self = context;
  return n[self->slot] <= self->low ? 1 : n[self->slot] >= self->high ? 2 : 0;
}

static void find(const ness_network *net, bounds target, const passage_options *options, passage *out)
{
  ness_diags *diags = ness_diags_create();
  const ness_status status = passage_find(net, &target.slot, 1, beyond, &target, options, diags, out);
  char *text = ness_diags_render(diags, 0);
  if (status) fprintf(stderr, "%s\n", text ? text : "");
  ness_text_free(text);
  ness_diags_free(diags);
  CHECKED(status);
}

/* A walker between two walls, one step up at rate p and down at rate q. */
static void check_ruin(double p, double q, int64_t start, int64_t end)
{
  network_builder *b = builder_create("ruin", 0);
  const int32_t n = add_slot(b, "n", start, MODEL_NO_MAX);
  add_constant(b, "up", 0, NULL, 1, &n, p);
  add_constant(b, "down", 1, &n, 0, NULL, q);
  ness_network *net = finish(b);
  passage f;
  find(net, (bounds){n, 0, end}, NULL, &f);
  const double z = (double)start, N = (double)end, r = log(q / p);
  const double rich = p == q ? z / N : expm1(r * z) / expm1(r * N);
  const double mean = p == q ? z * (N - z) / (2 * p) : (z - N * rich) / (q - p);
  CHECK(f.states == end - 1);
  CHECK(f.reached == 1 && f.outside == 0);
  CHECK_REL(f.second, rich, 1e-12);
  CHECK_REL(f.first, p == q ? 1 - rich : expm1(r * (z - N)) / expm1(-r * N), 1e-12);
  CHECK_REL(f.mean, mean, 1e-12);
  CHECK_REL(f.first * f.first_mean + f.second * f.second_mean, mean, 1e-12);
  /* Ways up and down take equally long from the middle. */
  if (2 * start == end) CHECK_REL(f.first_mean, f.second_mean, 1e-12);
  passage_free(&f);
  network_free(net);
}

/* The busy period of a queue with arrivals at rate a and service at rate s: counts have no end. Where arrivals win it
 * ends with probability s / a, and then it is like that of the queue with the rates swapped. */
static void check_queue(double a, double s)
{
  network_builder *b = builder_create("queue", 0);
  const int32_t n = add_slot(b, "n", 1, MODEL_NO_MAX);
  add_constant(b, "in", 0, NULL, 1, &n, a);
  add_constant(b, "out", 1, &n, 0, NULL, s);
  ness_network *net = finish(b);
  passage f;
  find(net, (bounds){n, 0, INT64_MAX}, NULL, &f);
  const double gap = fabs(s - a);
  CHECK_REL(f.reached, a < s ? 1 : s / a, 1e-11);
  CHECK(a > s ? fabs(f.outside - (1 - s / a)) < 1e-10 : f.outside <= 1e-12);
  CHECK_REL(f.mean, 1 / gap, 1e-9);
  CHECK_REL(f.variance, (s + a) / pow(gap, 3), 1e-8);
  CHECK(f.second == 0 && isnan(f.second_mean));
  passage_free(&f);
  network_free(net);
}

/* Mean time of a birth-death chain from `start` down to 0 and up to `end`, as sums over the weights of the states:
 * rate up b[n], down d[n]. */
static double time_down(const long double *b, const long double *d, int start, int most)
{
  long double total = 0;
  for (int n = 1; n <= start; n++) { /* from n to n - 1 */
    long double weight = 1, sum = 1;
    for (int i = n + 1; i <= most; i++) {
      weight *= b[i - 1] / d[i];
      sum += weight;
    }
    total += sum / d[n];
  }
  return (double)total;
}

static double time_up(const long double *b, const long double *d, int start, int end)
{
  long double total = 0;
  for (int n = start; n < end; n++) { /* from n to n + 1 */
    long double weight = 1, sum = 1;
    for (int i = n - 1; i >= 0; i--) {
      weight *= d[i + 1] / b[i];
      sum += weight;
    }
    total += sum / b[n];
  }
  return (double)total;
}

/* Logistic growth goes extinct, after 1e5 generations: no cap on the counts. */
static void check_extinction(void)
{
  enum { MOST = 400 };
  static long double up[MOST + 1], down[MOST + 1];
  const double birth = 2, death = 1, crowd = 0.02;
  for (int n = 0; n <= MOST; n++) {
    up[n] = birth * n;
    down[n] = death * n + crowd * n * (n - 1.0L);
  }
  network_builder *b = builder_create("logistic", 0);
  const int32_t x = add_slot(b, "X", 3, MODEL_NO_MAX), xx[2] = {x, x};
  add_step(b, "birth", 1, xx, 2, xx, birth, crowd);
  add_move(b, "death", x, -1, death, 0);
  ness_network *net = finish(b);
  passage f;
  find(net, (bounds){x, 0, INT64_MAX}, NULL, &f);
  const double mean = time_down(up, down, 3, MOST);
  CHECK(mean > 1e5);
  CHECK_REL(f.mean, mean, 1e-9);
  CHECK(f.reached >= 1 - 1e-11 && f.outside <= 1e-12);
  passage_free(&f);
  network_free(net);
}

/* Over the barrier of a bistable network: from the low state up and back, against the sums; nearly exponential. */
static void check_barrier(void)
{
  enum { MOST = 160 };
  static long double up[MOST + 1], down[MOST + 1];
  const double k1 = 0.09, k2 = 0.0004, k3 = 20, k4 = 3;
  for (int n = 0; n <= MOST; n++) {
    up[n] = k3 + (long double)k1 * n * (n - 1);
    down[n] = (long double)k4 * n + (long double)k2 * n * (n - 1.0L) * (n - 2.0L);
  }
  for (int way = 0; way < 2; way++) {
    network_builder *b = builder_create("barrier", 0);
    const int32_t x = add_slot(b, "X", way ? 140 : 5, MOST), xxx[3] = {x, x, x};
    add_step(b, "r1", 2, xxx, 3, xxx, k1, k2);
    add_move(b, "r2", -1, x, k3, k4);
    ness_network *net = finish(b);
    const double times[3] = {0, 1, 1e4};
    passage f;
    find(net, way ? (bounds){x, 0, INT64_MAX} : (bounds){x, -1, 140}, &(passage_options){.times = times, .ntimes = 3},
         &f);
    const double mean = way ? time_down(up, down, 140, MOST) : time_up(up, down, 5, 140);
    CHECK_REL(f.mean, mean, 1e-10);
    CHECK_REL(f.moment[0], f.mean, 1e-15);
    CHECK_REL(f.moment[1] - f.mean * f.mean, f.variance, 1e-9);
    CHECK_REL(f.moment[2] - 3 * f.mean * f.variance - pow(f.mean, 3), f.skewness * pow(f.variance, 1.5), 1e-9);
    CHECK(f.by[0] == 0 && f.by[1] >= 0 && f.by[1] <= f.by[2] && f.by[2] <= 1 + 1e-9 && f.by_bound < 1e-8);
    passage_free(&f);
    network_free(net);
  }
}

/* One copy through m states: an Erlang time, whose spread is 1 / sqrt(m) of its mean. */
static void check_erlang(int m)
{
  network_builder *b = builder_create("erlang", 0);
  int32_t last = -1, first = -1;
  char name[16];
  const double k = 3;
  for (int i = 0; i <= m; i++) {
    snprintf(name, sizeof name, "S%d", i);
    const int32_t slot = add_slot(b, name, i == 0, MODEL_NO_MAX);
    if (i == 0) first = slot;
    else add_move(b, "next", last, slot, k, 0);
    last = slot;
  }
  ness_network *net = finish(b);
  double times[4];
  for (int i = 0; i < 4; i++) times[i] = m / k * (0.5 + 0.4 * i);
  passage f;
  find(net, (bounds){last, -1, 1}, &(passage_options){.times = times, .ntimes = 4}, &f);
  CHECK(first == 0 && f.states == m);
  CHECK_REL(f.mean, m / k, 1e-13);
  CHECK_REL(f.variance, m / (k * k), 1e-11);
  CHECK_REL(f.skewness, 2 / sqrt(m), 1e-9);
  CHECK_REL(f.moment[3], m * (m + 1.0) * (m + 2.0) * (m + 3.0) / pow(k, 4), 1e-12);
  for (int i = 0; i < 4; i++) {
    double below = 0, term = exp(-k * times[i]);
    for (int j = 0; j < m; j++) {
      below += term;
      term *= k * times[i] / (j + 1);
    }
    CHECK_NEAR(f.by[i], 1 - below, 1e-9);
  }
  passage_free(&f);
  network_free(net);
}

/* Copies that decay one by one: the last is gone after 1/k (1 + 1/2 + ... + 1/N). */
static void check_last(void)
{
  network_builder *b = builder_create("decay", 0);
  const int32_t A = add_slot(b, "A", 9, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "ab", A, B, 2, 0);
  ness_network *net = finish(b);
  passage f;
  find(net, (bounds){A, 0, INT64_MAX}, NULL, &f);
  double mean = 0, variance = 0;
  for (int i = 1; i <= 9; i++) {
    mean += 1 / (2.0 * i);
    variance += 1 / (4.0 * i * i);
  }
  CHECK(f.states == 9);
  CHECK_REL(f.mean, mean, 1e-13);
  CHECK_REL(f.variance, variance, 1e-13);
  passage_free(&f);
  network_free(net);
}

/* --- dense linear algebra --- */

enum { MOST_DENSE = 140 };

/* x <- (-Q)^-1 x over the states not in a target, traps without a way to a target left out. */
static void dense_solve(long double a[MOST_DENSE][MOST_DENSE], long double *x, int n)
{
  static long double m[MOST_DENSE][MOST_DENSE];
  memcpy(m, a, sizeof m);
  for (int k = 0; k < n; k++) {
    int best = k;
    for (int i = k + 1; i < n; i++) best = fabsl(m[i][k]) > fabsl(m[best][k]) ? i : best;
    for (int j = 0; j < n; j++) {
      const long double t = m[k][j];
      m[k][j] = m[best][j];
      m[best][j] = t;
    }
    const long double t = x[k];
    x[k] = x[best];
    x[best] = t;
    for (int i = k + 1; i < n; i++) {
      const long double f = m[i][k] / m[k][k];
      for (int j = k; j < n; j++) m[i][j] -= f * m[k][j];
      x[i] -= f * x[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int j = k + 1; j < n; j++) x[k] -= m[k][j] * x[j];
    x[k] /= m[k][k];
  }
}

/* From the transitions of the whole space: E[t^k; target], k = 0 ... 3, for both targets from the start. */
static bool dense_passage(const ness_network *net, const cme_part *part, bounds target, long double out[2][4])
{
  static long double a[MOST_DENSE][MOST_DENSE];
  static long double t[2][MOST_DENSE];
  int32_t at[1000], state[1000], n = 0, label[1000], good[1000] = {0};
  int64_t counts[8];
  if (part->q.n > 1000) return false;
  for (int32_t s = 0; s < part->q.n; s++) {
    for (int32_t i = 0; i < net->nslot; i++) counts[i] = net->slot_start[i];
    cme_counts(part, s, counts);
    label[s] = beyond(&target, counts);
  }
  for (int changed = 1; changed;) {
    changed = 0;
    for (int32_t s = 0; s < part->q.n; s++) {
      for (int64_t e = part->q.start[s]; e < part->q.start[s + 1] && !good[s] && !label[s]; e++) {
        if (label[part->q.to[e]] || good[part->q.to[e]]) good[s] = changed = 1;
      }
    }
  }
  for (int32_t s = 0; s < part->q.n; s++) {
    at[s] = good[s] ? n : -1;
    if (good[s]) state[n++] = s;
  }
  if (n > MOST_DENSE || !good[0]) return false;
  memset(a, 0, sizeof a);
  memset(t, 0, sizeof t);
  for (int32_t k = 0; k < n; k++) {
    for (int64_t e = part->q.start[state[k]]; e < part->q.start[state[k] + 1]; e++) {
      const int32_t to = part->q.to[e];
      const long double rate = (long double)part->q.rate[e];
      if (to == state[k]) continue;
      a[k][k] += rate;
      if (at[to] >= 0) a[k][at[to]] -= rate;
      if (label[to]) t[label[to] - 1][k] += rate;
    }
  }
  for (int w = 0; w < 2; w++) {
    long double factorial = 1;
    for (int k = 0; k < 4; k++) {
      dense_solve(a, t[w], n);
      out[w][k] = factorial * t[w][0];
      factorial *= k + 1;
    }
  }
  return true;
}

/* Networks with one-way steps, so that some ways fail; the start or, with `steady`, a whole distribution. */
static void check_random(uint64_t seed, int *told, int *partly)
{
  for (int i = 0; i < 8; i++) draw(&seed);
  network_builder *b = builder_create("random", 0);
  int32_t s[3];
  for (int i = 0; i < 3; i++) s[i] = add_slot(b, (const char *[]){"A", "B", "C"}[i], 1 + (i == 0), 4);
  const int nstep = 4 + (int)(3 * draw(&seed));
  for (int i = 0; i < nstep; i++) {
    const int32_t left[2] = {s[(int)(3 * draw(&seed))], s[(int)(3 * draw(&seed))]};
    const int32_t right[2] = {s[(int)(3 * draw(&seed))], s[(int)(3 * draw(&seed))]};
    const int nl = (int)(3 * draw(&seed)), nr = (int)(3 * draw(&seed));
    const double forward = exp(3 * draw(&seed) - 1.5), backward = draw(&seed) < 0.8 ? 0 : exp(3 * draw(&seed) - 1.5);
    add_step(b, "r", nl, left, nr, right, forward, backward);
  }
  ness_network *net = finish(b);
  const bounds target = {s[0], 0, 4};
  ness_diags *diags = ness_diags_create();
  cme_solution whole;
  passage f;
  long double e[2][4];
  solve(net, 0, &whole);
  int32_t p = 0;
  while (whole.parts[p].nslot == 0 || whole.parts[p].slot[0] != s[0]) p++;
  if (whole.parts[p].kind == CME_COUNTS && dense_passage(net, &whole.parts[p], target, e)) {
    (*told)++;
    find(net, target, NULL, &f);
    const long double reached = e[0][0] + e[1][0];
    *partly += reached < 0.999L;
    CHECK_REL(f.reached, (double)reached, 1e-12);
    CHECK_REL(f.first, (double)e[0][0], 1e-12);
    CHECK_REL(f.second, (double)e[1][0], 1e-12);
    for (int k = 0; k < 3; k++) CHECK_REL(f.moment[k], (double)((e[0][k + 1] + e[1][k + 1]) / reached), 1e-11);
    const long double mean = (e[0][1] + e[1][1]) / reached, square = (e[0][2] + e[1][2]) / reached;
    const long double variance = square - mean * mean, third = (e[0][3] + e[1][3]) / reached;
    CHECK_REL(f.mean, (double)mean, 1e-12);
    CHECK_REL(f.variance, (double)variance, 1e-11);
    CHECK_NEAR(f.skewness, (double)((third - 3 * mean * variance - mean * mean * mean) / powl(variance, 1.5L)), 1e-10);
    if (e[0][0] > 0) CHECK_REL(f.first_mean, (double)(e[0][1] / e[0][0]), 1e-12);
    else CHECK(isnan(f.first_mean));
    if (e[1][0] > 0) CHECK_REL(f.second_mean, (double)(e[1][1] / e[1][0]), 1e-12);
    else CHECK(isnan(f.second_mean));
    passage_free(&f);
  }
  ness_diags_free(diags);
  cme_solution_free(&whole);
  network_free(net);
}

/* A fork with a trap behind a lively pair; what meets a target at last is told by its distribution as well. */
static void check_fork(void)
{
  network_builder *b = builder_create("fork", 0);
  int32_t s[4];
  for (int i = 0; i < 4; i++) s[i] = add_slot(b, (const char *[]){"A", "M", "goal", "trap"}[i], i == 0, MODEL_NO_MAX);
  const double k = 2, back = 3, goal = 0.5, trap = 1;
  add_move(b, "am", s[0], s[1], k, back);
  add_move(b, "mg", s[1], s[2], goal, 0.1);
  add_move(b, "at", s[0], s[3], trap, 0);
  ness_network *net = finish(b);
  const double times[2] = {0.7, 200};
  passage f;
  find(net, (bounds){s[2], -1, 1}, &(passage_options){.times = times, .ntimes = 2}, &f);
  /* A: out k + trap = 3; M: out back + goal = 3.5; determinant 3 * 3.5 - k * back */
  const double out_a = k + trap, out_m = back + goal, det = out_a * out_m - k * back;
  CHECK(f.first == 0 && f.states == 3);
  CHECK_REL(f.reached, k * goal / det, 1e-14);
  CHECK_REL(f.second, f.reached, 1e-14);
  CHECK_REL(f.mean, (out_a + out_m) / det, 1e-13); /* of k goal / ((z + a)(z + m) - k back) */
  CHECK_REL(f.variance, pow((out_a + out_m) / det, 2) - 2 / det, 1e-12);
  const double half = (out_a + out_m) / 2, root = sqrt(half * half - det), fast = half + root, slow = half - root;
  const double by = k * goal / (fast - slow) * (-expm1(-slow * times[0]) / slow + expm1(-fast * times[0]) / fast);
  CHECK_NEAR(f.by[0], by, 1e-10);
  CHECK_NEAR(f.by[1], f.reached, 1e-10);
  passage_free(&f);
  network_free(net);
}

/* From the steady state: a loss system, whose times from each state are known, weighted by the geometric law. */
static void check_steady_start(void)
{
  enum { K = 12, END = 9 };
  const double up = 2, down = 3;
  network_builder *b = builder_create("loss", 0);
  const int32_t n = add_slot(b, "n", K, K);
  add_constant(b, "in", 0, NULL, 1, &n, up);
  add_constant(b, "out", 1, &n, 0, NULL, down);
  ness_network *net = finish(b);
  long double rate_up[K + 1], rate_down[K + 1];
  double mean = 0, sum = 0;
  for (int i = 0; i <= K; i++) {
    rate_up[i] = up;
    rate_down[i] = down;
  }
  for (int i = 0; i < END; i++) {
    mean += pow(up / down, i) * time_up(rate_up, rate_down, i, END);
    sum += pow(up / down, i);
  }
  passage f;
  find(net, (bounds){n, -1, END}, &(passage_options){.from_steady = true}, &f);
  CHECK_REL(f.mean, mean / sum, 1e-12);
  CHECK_REL(f.moment[1] - f.mean * f.mean, f.variance, 1e-11);
  CHECK(f.states == END);
  passage_free(&f);
  find(net, (bounds){n, -1, END}, NULL, &f); /* it starts there */
  CHECK(f.mean == 0 && f.reached == 1 && f.second == 1 && f.first == 0 && f.states == 0);
  passage_free(&f);
  network_free(net);
}

/* --- what cannot be answered, and memory that runs out --- */

static void check_refused(void)
{
  network_builder *b = builder_create("apart", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX),
                C = add_slot(b, "C", 1, MODEL_NO_MAX), X = add_slot(b, "X", 1, MODEL_NO_MAX), two[2] = {A, C};
  add_move(b, "ab", A, B, 1, 2);
  add_move(b, "c", C, -1, 1, 0);
  add_step(b, "grow", 1, &X, 2, (int32_t[]){X, X}, 1, 0);
  ness_network *net = finish(b);
  ness_diags *diags = ness_diags_create();
  passage f;
  bounds target = {A, -1, 2};
  CHECK(passage_find(net, two, 2, beyond, &target, NULL, diags, &f) == NESS_USAGE && !f.by);
  CHECK(passage_find(net, two, 0, beyond, &target, NULL, diags, &f) == NESS_USAGE && !f.by);
  CHECK(passage_find(net, two, 1, beyond, &target, NULL, diags, &f) == NESS_NUMERIC && !f.by);
  target = (bounds){X, 0, INT64_MAX};
  CHECK(passage_find(net, &X, 1, beyond, &target, &(passage_options){.max_states = 3000}, diags, &f) == NESS_LIMIT);
  CHECK(passage_find(net, &X, 1, beyond, &target, &(passage_options){.from_steady = true}, diags, &f) == NESS_USAGE);
  char *text = ness_diags_render(diags, 0);
  CHECK(text && strstr(text, "A and C, which have nothing to do with each other"));
  CHECK(text && strstr(text, "reads no count") && strstr(text, "the part of A, B never meets"));
  CHECK(text && strstr(text, "more than 3000 states") && strstr(text, "counts with an end"));
  ness_text_free(text);
  ness_diags_free(diags);
  find(net, (bounds){X, -1, 3001}, NULL, &f); /* behind the first looks at the list */
  CHECK(f.states == 3000 && f.reached == 1);
  double mean = 0;
  for (int i = 1; i <= 3000; i++) mean += 1.0 / i;
  CHECK_REL(f.mean, mean, 1e-12);
  passage_free(&f);
  network_free(net);
}

static void check_memory(bool steady)
{
  network_builder *b = builder_create("memory", 0);
  const int32_t A = add_slot(b, "A", 2, 4), B = add_slot(b, "B", 0, 4);
  add_move(b, "ab", A, B, 1, 2);
  add_move(b, "out", B, -1, 0.1, 0.2);
  ness_network *net = finish(b);
  bounds target = {A, 0, 4};
  const double times[1] = {1};
  ness_status status = NESS_NOMEM;
  int64_t calls = 0;
  for (; status == NESS_NOMEM && calls < 1000; calls++) {
    passage f;
    mem_fail_after(calls);
    status = passage_find(net, &A, 1, beyond, &target,
                          &(passage_options){.from_steady = steady, .times = times, .ntimes = 1}, NULL, &f);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || !f.by);
    passage_free(&f);
  }
  CHECK(status == NESS_OK && calls > 20);
  network_free(net);
}

int main(void)
{
  check_ruin(1, 1, 10, 20);
  check_ruin(1, 1.3, 7, 40);
  check_ruin(2, 0.5, 15, 30);
  check_ruin(1, 1.02, 1500, 3000);
  check_queue(1, 2);
  check_queue(2, 1);
  check_queue(0.9, 1);
  check_extinction();
  check_barrier();
  check_erlang(1);
  check_erlang(200);
  check_last();
  int told = 0, partly = 0;
  for (uint64_t seed = 0; seed < 200; seed++) check_random(seed * 104729 + 5, &told, &partly);
  CHECK(told > 50 && partly > 10);
  check_fork();
  check_steady_start();
  check_refused();
  check_memory(false);
  check_memory(true);
  return check_done();
}
