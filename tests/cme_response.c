/* Derivatives of steady states: against closed forms, against differences of cme_steady on random networks, and by what
 * must add up (control theorems) or agree (Onsager) whatever the rates. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/response.h"

/* The arrays of a network are constant for everybody but this test. */
static double *writable(const double *array)
{
  return (double *)(uintptr_t)array;
}

/* The rate constant of a direction times e^x. */
static void nudge(const ness_network *net, int32_t dir, double x)
{
  writable(net->dir_k)[dir] *= exp(x);
  writable(net->step_lnk)[dir / 2] += dir % 2 ? -x : x;
}

typedef struct observable {
  const double *weight, *count; /* NULL: entropy */
} observable;

static double value_of(const ness_network *net, const observable *r)
{
  cme_solution s;
  solve(net, 0, &s);
  double value = r->weight ? 0 : s.entropy;
  for (int32_t d = 0; r->weight && d < 2 * net->nstep; d++) value += r->weight[d] * s.dir_rate[d];
  for (int32_t i = 0; r->count && i < net->nslot; i++) value += r->count[i] * s.mean[i];
  cme_solution_free(&s);
  return value;
}

/* Central differences, extrapolated: the error is of the sixth order in 0.08. */
static double difference(const ness_network *net, const observable *r, int32_t dir)
{
  double d[3], h = 0.08;
  for (int k = 0; k < 3; k++, h /= 2) {
    nudge(net, dir, h);
    const double up = value_of(net, r);
    nudge(net, dir, -2 * h);
    d[k] = (up - value_of(net, r)) / (2 * h);
    nudge(net, dir, h);
  }
  const double a = (4 * d[1] - d[0]) / 3, b = (4 * d[2] - d[1]) / 3;
  return (16 * b - a) / 15;
}

static void find(const ness_network *net, const cme_solution *s, const observable *r, response *out)
{
  const ness_status status =
      r->weight ? response_linear(net, s, r->weight, r->count, NULL, out) : response_entropy(net, s, NULL, out);
  CHECKED(status);
}

/* J = (k1 k2 - k1' k2') / T of the fuel cycle: every derivative has a closed form. */
static void check_fuel(int64_t copies)
{
  const double k[4] = {1, 100, 50, 0.005}, n = (double)copies; /* AB, BA, BF, AW */
  network_builder *b = builder_create("fuel", 0);
  const int32_t A = add_slot(b, "A", copies, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "r1", A, B, k[0], k[1]);
  add_move(b, "r2", B, A, k[2], k[3]);
  ness_network *net = finish(b);
  cme_solution s;
  response flux, mean, entropy;
  solve(net, 0, &s);
  const double T = k[0] + k[1] + k[2] + k[3], up = k[0] * k[2], down = k[1] * k[3];
  const double J = (up - down) / T, affinity = log(up / down), p = (k[0] + k[3]) / T;
  const double weight[4] = {1, -1, 0, 0}, none[4] = {0}, count[2] = {0, 1};
  find(net, &s, &(observable){weight, NULL}, &flux);
  find(net, &s, &(observable){none, count}, &mean);
  find(net, &s, &(observable){NULL, NULL}, &entropy);
  CHECK_REL(flux.value, n * J, 1e-13);
  CHECK_REL(mean.value, n * p, 1e-13);
  CHECK_REL(entropy.value, n * J * affinity, 1e-13);
  for (int d = 0; d < 4; d++) {
    const double dJ = (d % 2 ? -down : up) / T - J * k[d] / T, dp = ((d == 0 || d == 3) - p) * k[d] / T;
    CHECK_REL(flux.log_k[d], n * dJ, 1e-12);
    CHECK_REL(mean.log_k[d], n * dp, 1e-12);
    CHECK_REL(entropy.log_k[d], n * (dJ * affinity + (d % 2 ? -J : J)), 1e-12);
  }
  for (int i = 0; i < 2; i++) {
    CHECK_REL(flux.log_ka[i], n * J * (1 - (k[2 * i] + k[2 * i + 1]) / T), 1e-12);
    CHECK_REL(entropy.log_ka[i], n * J * affinity * (1 - (k[2 * i] + k[2 * i + 1]) / T), 1e-12);
  }
  response_free(&flux);
  response_free(&mean);
  response_free(&entropy);
  cme_solution_free(&s);
  network_free(net);
}

/* All rates times one factor: fluxes and entropy production go with it, means stay. */
static void check_sums(const ness_network *net, const response *r, double flux, double size)
{
  double all = 0, pairs = 0;
  for (int32_t d = 0; d < 2 * net->nstep; d++) all += r->log_k[d];
  for (int32_t k = 0; k < net->nstep; k++) {
    pairs += r->log_ka[k];
    CHECK(fabs(r->log_ka[k] - r->log_k[2 * k] - r->log_k[2 * k + 1]) <= 1e-11 * size);
  }
  CHECK(fabs(all - flux) <= 1e-10 * size && fabs(pairs - flux) <= 1e-10 * size);
}

/* Copies in caps with one- and two-copy steps, so that the part is enumerated (`caps`), or free copies; `open` adds
 * reservoirs; `still` takes rates from energies alone. */
static ness_network *random_network(uint64_t seed, bool caps, bool open, bool still)
{
  for (int i = 0; i < 8; i++) draw(&seed);
  network_builder *b = builder_create("random", 0);
  const int nslot = 3 + (int)(2 * draw(&seed)), nstep = nslot + (int)(3 * draw(&seed));
  int32_t s[8];
  double g[8];
  char name[16];
  for (int i = 0; i < nslot; i++) {
    snprintf(name, sizeof name, "S%d", i);
    g[i] = 2 * draw(&seed) - 1;
    CHECKED(s[i] = builder_slot(b, name, 1 + (i == 0), caps ? 2 + i % 2 : MODEL_NO_MAX, g[i], 0, -1, -1));
  }
  for (int i = 0; i < nstep; i++) {
    int32_t left[2] = {s[i % nslot], s[(int)(nslot * draw(&seed))]};
    int32_t right[2] = {s[(i % nslot + 1 + (int)((nslot - 1) * draw(&seed))) % nslot], s[(int)(nslot * draw(&seed))]};
    const int nl = caps ? 1 + (draw(&seed) < 0.4) : !(open && i == 0), nr = caps ? 1 + (draw(&seed) < 0.4) : 1;
    const double forward = exp(3 * draw(&seed) - 1.5);
    double lnk = still ? 0 : 3 * draw(&seed) - 1.5;
    for (int k = 0; k < nl; k++) lnk += g[left[k] - s[0]];
    for (int k = 0; k < nr; k++) lnk -= g[right[k] - s[0]];
    snprintf(name, sizeof name, "r%d", i);
    const builder_step step = {.name = name,
                               .text = "",
                               .nleft = nl,
                               .nright = nr,
                               .left = left,
                               .right = right,
                               .law = {LAW_MASS, LAW_MASS},
                               .k = {forward, forward * exp(-lnk)},
                               .lnk = lnk};
    CHECKED(builder_step_add(b, &step));
  }
  if (open) add_move(b, "out", s[nslot - 1], -1, 0.7, 0.2);
  return finish(b);
}

static bool one_class(const cme_solution *s)
{
  bool one = true;
  for (int32_t p = 0; p < s->nparts; p++) one = one && s->parts[p].classes.count == 1;
  return one;
}

static void check_differences(uint64_t seed, bool caps, bool open)
{
  ness_network *net = random_network(seed, caps, open, false);
  double weight[64], count[8], none[64] = {0};
  cme_solution s;
  solve(net, 0, &s);
  for (int k = 0; k < 64; k++) weight[k] = 2 * draw(&seed) - 1;
  for (int i = 0; i < 8; i++) count[i] = 2 * draw(&seed) - 1;
  const observable r[3] = {{weight, NULL}, {none, count}, {NULL, NULL}};
  double size = 0;
  for (int32_t d = 0; d < 2 * net->nstep; d++) size += s.dir_rate[d];
  for (int kind = 0; one_class(&s) && kind < 3; kind++) {
    response found;
    find(net, &s, &r[kind], &found);
    check_sums(net, &found, kind == 1 ? 0 : found.value, size);
    CHECK(fabs(found.value - value_of(net, &r[kind])) <= 1e-12 * size);
    for (int32_t d = 0; d < 2 * net->nstep; d++) {
      const double expected = difference(net, &r[kind], d);
      CHECK(fabs(found.log_k[d] - expected) <= 1e-8 * size);
    }
    response_free(&found);
  }
  cme_solution_free(&s);
  network_free(net);
}

/* In equilibrium, what a work on step a does to the flux of step b is what a work on b does to the flux of a; and no
 * flux depends on any rate of a pair. */
static void check_onsager(uint64_t seed, bool caps)
{
  ness_network *net = random_network(seed, caps, false, true);
  const int32_t n = net->nstep;
  double push[32][32] = {{0}};
  cme_solution s;
  solve(net, 0, &s);
  double size = 0;
  for (int32_t d = 0; d < 2 * n; d++) size += s.dir_rate[d];
  for (int32_t a = 0; one_class(&s) && a < n; a++) {
    double weight[64] = {0};
    response r;
    weight[2 * a] = 1;
    weight[2 * a + 1] = -1;
    find(net, &s, &(observable){weight, NULL}, &r);
    for (int32_t b = 0; b < n; b++) {
      push[a][b] = 0.5 * (r.log_k[2 * b] - r.log_k[2 * b + 1]);
      CHECK(fabs(r.log_ka[b]) <= 1e-13 * size);
    }
    CHECK(push[a][a] >= -1e-13 * size);
    response_free(&r);
  }
  for (int32_t a = 0; a < n; a++) {
    for (int32_t b = 0; b < a; b++) CHECK(fabs(push[a][b] - push[b][a]) <= 1e-13 * size);
  }
  cme_solution_free(&s);
  network_free(net);
}

/* Free copies that come and go, as one copy with an outside and enumerated with a cap that nothing reaches. */
static void check_open(void)
{
  response found[2][3];
  const double weight[6] = {1, -1, 0.3, 0, 0, 2}, none[6] = {0}, count[2] = {1, -2};
  for (int cut = 0; cut < 2; cut++) {
    network_builder *b = builder_create("open", 0);
    const int64_t max = cut ? 24 : MODEL_NO_MAX;
    const int32_t A = add_slot(b, "A", 1, max), B = add_slot(b, "B", 0, max);
    add_move(b, "in", -1, A, 0.6, 1);
    add_move(b, "move", A, B, 2, 0.7);
    add_move(b, "out", B, -1, 1.5, 0.2);
    ness_network *net = finish(b);
    cme_solution s;
    solve(net, 0, &s);
    CHECK(s.parts[0].kind == (cut ? CME_COUNTS : CME_OPEN));
    find(net, &s, &(observable){weight, NULL}, &found[cut][0]);
    find(net, &s, &(observable){none, count}, &found[cut][1]);
    find(net, &s, &(observable){NULL, NULL}, &found[cut][2]);
    cme_solution_free(&s);
    network_free(net);
  }
  for (int kind = 0; kind < 3; kind++) {
    for (int d = 0; d < 6; d++) CHECK_NEAR(found[0][kind].log_k[d], found[1][kind].log_k[d], 1e-12);
    for (int k = 0; k < 3; k++) CHECK_NEAR(found[0][kind].log_ka[k], found[1][kind].log_ka[k], 1e-12);
    response_free(&found[0][kind]);
    response_free(&found[1][kind]);
  }
}

/* --- a parameter inside a rate law: uptake at v n / (K + n) --- */

typedef struct uptake {
  double v, K;
  int32_t n, dir;
} uptake;

static ness_network *uptake_network(const uptake *u, int32_t *n, int32_t *dir)
{
  network_builder *b = builder_create("uptake", 0);
  const int32_t slot = add_slot(b, "n", 2, 30);
  add_move(b, "tap", -1, slot, 4, 0.5);
  const tape_op ops[6] = {{TAPE_CONST, 0, 0, 0}, {TAPE_SLOT, slot, 0, 0}, {TAPE_MUL, 0, 1, 0},
                          {TAPE_CONST, 1, 0, 0}, {TAPE_ADD, 3, 1, 0},     {TAPE_DIV, 2, 4, 0}};
  const double constants[2] = {u->v, u->K};
  const builder_step step = {.name = "eat",
                             .text = "",
                             .nleft = 1,
                             .left = &slot,
                             .law = {LAW_TAPE, LAW_MASS},
                             .k = {0, 0.1},
                             .nop = {6, 0},
                             .tape = {ops, NULL},
                             .constants = constants,
                             .lnk = (double)NAN};
  *dir = 2 * builder_step_add(b, &step);
  *n = slot;
  return finish(b);
}

static void uptake_slope(void *context, int32_t dir, const int64_t *n, double *out)
{
  const uptake *const u = context;
  out[0] = dir == u->dir ? 1 / u->v : 0;
  out[1] = dir == u->dir ? -1 / (u->K + (double)n[u->n]) : 0;
}

static void check_parameters(void)
{
  uptake u = {.v = 3, .K = 2.5};
  ness_network *net = uptake_network(&u, &u.n, &u.dir);
  cme_solution s;
  solve(net, 0, &s);
  const double weight[4] = {0.4, 0, 1, -1}, count[1] = {0.2};
  const observable r[2] = {{weight, count}, {NULL, NULL}};
  for (int kind = 0; kind < 2; kind++) {
    double found[2];
    CHECKED(response_parameters(net, &s, weight, count, kind == 1, 2, uptake_slope, &u, NULL, found));
    for (int k = 0; k < 2; k++) {
      double d[3], h = 0.1;
      for (int level = 0; level < 3; level++, h /= 2) {
        double side[2];
        for (int way = 0; way < 2; way++) {
          uptake moved = u;
          *(k ? &moved.K : &moved.v) += way ? -h : h;
          int32_t slot, dir;
          ness_network *other = uptake_network(&moved, &slot, &dir);
          side[way] = value_of(other, &r[kind]);
          network_free(other);
        }
        d[level] = (side[0] - side[1]) / (2 * h);
      }
      const double a = (4 * d[1] - d[0]) / 3, b = (4 * d[2] - d[1]) / 3;
      CHECK_REL(found[k], (16 * b - a) / 15, 1e-8);
    }
  }
  cme_solution_free(&s);
  network_free(net);
}

/* The control of a step next to pairs that flow 1e6 times faster, against long double: the six rates of the ring
 * through its 36 spanning trees. */
static long double ring_flux(const long double *k)
{
  long double up = 1, down = 1, trees = 0;
  for (int i = 0; i < 6; i++) {
    up *= k[2 * i];
    down *= k[2 * i + 1];
  }
  for (int root = 0; root < 6; root++) {
    for (int cut = 0; cut < 6; cut++) { /* step i joins states i and i + 1; all but `cut`, towards the root */
      long double tree = 1;
      for (int i = 0; i < 6; i++) {
        const bool ahead = (root - i - 1 + 6) % 6 < (cut - i + 6) % 6;
        if (i != cut) tree *= k[2 * i + !ahead];
      }
      trees += tree;
    }
  }
  return (up - down) / trees;
}

static void check_fast_pairs(void)
{
  ness_network *net = antiporter_6(0, 1);
  double weight[16] = {1, -1};
  long double k[12];
  cme_solution s;
  response r;
  solve(net, 0, &s);
  find(net, &s, &(observable){weight, NULL}, &r);
  for (int d = 0; d < 12; d++) k[d] = (long double)net->dir_k[d];
  CHECK_REL(r.value, (double)ring_flux(k), 1e-12);
  double sum = 0;
  for (int i = 0; i < 6; i++) {
    const long double h = 1e-3L, a = k[2 * i], b = k[2 * i + 1];
    long double d[2];
    for (int level = 0; level < 2; level++) {
      const long double x = level ? h / 2 : h;
      k[2 * i] = a * expl(x);
      k[2 * i + 1] = b * expl(x);
      d[level] = ring_flux(k);
      k[2 * i] = a * expl(-x);
      k[2 * i + 1] = b * expl(-x);
      d[level] = (d[level] - ring_flux(k)) / (2 * x);
    }
    k[2 * i] = a;
    k[2 * i + 1] = b;
    CHECK(fabs(r.log_ka[i] - (double)((4 * d[1] - d[0]) / 3)) <= 1e-9 * r.value);
    sum += r.log_ka[i];
  }
  CHECK_REL(sum, r.value, 1e-9);
  response_free(&r);
  cme_solution_free(&s);
  network_free(net);
}

/* --- what cannot be answered, and memory that runs out --- */

static void check_refused(void)
{
  network_builder *b = builder_create("fork", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX),
                C = add_slot(b, "C", 0, MODEL_NO_MAX), D = add_slot(b, "D", 1, MODEL_NO_MAX),
                E = add_slot(b, "E", 0, MODEL_NO_MAX);
  add_move(b, "ab", A, B, 1, 0);
  add_move(b, "ac", A, C, 1, 0);
  add_move(b, "de", D, E, 3, 1);
  add_move(b, "ed", E, D, 2, 0);
  ness_network *net = finish(b);
  ness_diags *diags = ness_diags_create();
  cme_solution s;
  response r;
  solve(net, 0, &s);
  double weight[8] = {0, 0, 0, 0, 1, -1, 0, 0};
  CHECK(response_linear(net, &s, weight, NULL, diags, &r) == NESS_OK); /* the fork plays no part in it */
  CHECK(r.log_k[0] == 0 && r.log_k[4] != 0);
  response_free(&r);
  weight[0] = 1;
  CHECK(response_linear(net, &s, weight, NULL, diags, &r) == NESS_NUMERIC && !r.log_k && !r.log_ka);
  CHECK(response_entropy(net, &s, diags, &r) == NESS_NUMERIC && !r.log_k);
  char *text = ness_diags_render(diags, 0);
  CHECK(text && strstr(text, "2 closed classes") && strstr(text, "the part of A, B, C") && strstr(text, "step ed"));
  ness_text_free(text);
  ness_diags_free(diags);
  cme_solution_free(&s);
  network_free(net);
}

static void check_memory(void)
{
  ness_network *net = antiporter_6(1, 3);
  cme_solution s;
  response r;
  solve(net, 0, &s);
  ness_status status = NESS_NOMEM;
  int64_t calls = 0;
  for (; status == NESS_NOMEM && calls < 1000; calls++) {
    mem_fail_after(calls);
    status = response_entropy(net, &s, NULL, &r);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || (!r.log_k && !r.log_ka));
  }
  CHECK(status == NESS_OK && calls > 8);
  response_free(&r);
  cme_solution_free(&s);
  network_free(net);
}

int main(void)
{
  check_fuel(1);
  check_fuel(500);
  for (uint64_t seed = 0; seed < 12; seed++) {
    check_differences(seed * 104729 + 5, true, false);
    check_differences(seed * 15485863 + 1, false, false);
    check_differences(seed * 32452843 + 9, false, true);
  }
  for (uint64_t seed = 0; seed < 60; seed++) check_onsager(seed * 179424673 + 3, seed % 2);
  check_open();
  check_parameters();
  check_fast_pairs();
  check_refused();
  check_memory();
  return check_done();
}
