/* Entropy production in time and its split: against closed forms, against sums of logarithms over a dense matrix
 * exponential made here, against enumerated copies; closure and signs on random networks; what has no split. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/evolve.h"
#include <string.h>

static evolution run(const ness_network *net, const double *times, int32_t n)
{
  static const cme_options options = {.split = true};
  evolution e;
  ness_diags *diags = ness_diags_create();
  const ness_status status = evolve_run(net, &options, NULL, times, n, diags, &e);
  if (status) printf("%s\n", ness_diags_render(diags, 0));
  CHECK(status == NESS_OK);
  ness_diags_free(diags);
  return e;
}

static void check_row(const split_row *row, double total, double medium, double system, double adiabatic,
                      double nonadiabatic, double slack)
{
  CHECK_NEAR(row->total, total, slack);
  CHECK_NEAR(row->medium, medium, slack);
  CHECK_NEAR(row->system, system, slack);
  CHECK_NEAR(row->adiabatic, adiabatic, slack);
  CHECK_NEAR(row->nonadiabatic, nonadiabatic, slack);
}

/* One copy moves; with a helper that stays, its part is enumerated by counts and moves as before. */
static void move(network_builder *b, const char *name, int32_t from, int32_t to, int32_t helper, double k, double m)
{
  const int32_t left[2] = {from, helper}, right[2] = {to, helper}, n = helper < 0 ? 1 : 2;
  add_step(b, name, n, left, n, right, k, m);
}

static int32_t add_helper(network_builder *b, int counted)
{
  return counted ? add_slot(b, "helper", 1, MODEL_NO_MAX) : -1;
}

/* A <-> B, all copies in A: no cycle, so nothing is adiabatic. By copies and by counts. */
static void check_two_states(void)
{
  const double times[5] = {0, 0.05, 0.3, 1, 20}, k = 2, m = 3;
  for (int counted = 0; counted < 2; counted++) {
    network_builder *b = builder_create("pair", 0);
    const int32_t A = add_slot(b, "A", 7, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
    move(b, "r", A, B, add_helper(b, counted), k, m);
    ness_network *net = finish(b);
    evolution e = run(net, times, 5);
    CHECK(e.states == (counted ? 8 : 2) && !e.unsplit && e.one_way_running < 0 && !*e.at_least_part &&
          e.closure < 1e-9);
    CHECK(isinf(e.entropy[0].total) && isinf(e.entropy[0].system) && isinf(e.entropy[0].nonadiabatic));
    CHECK_NEAR(e.entropy[0].medium, 7 * k * log(k / m), 1e-12);
    CHECK(e.entropy[0].adiabatic >= 0 && e.entropy[0].adiabatic < 1e-12);
    for (int t = 1; t < 5; t++) {
      const double a = (m + k * exp(-(k + m) * times[t])) / (k + m), j = 7 * (k * a - m * (1 - a));
      const double total = j * log(k * a / (m * (1 - a))), medium = j * log(k / m);
      check_row(&e.entropy[t], total, medium, total - medium, 0, total, 1e-8);
    }
    evolve_free(&e);
    network_free(net);
  }
}

/* 0 <-> X -> counts are Poisson while nothing stood at the start. */
static void check_open(void)
{
  const double times[3] = {0.1, 1, 40}, in = 4, out = 0.5;
  network_builder *b = builder_create("tank", 0);
  add_move(b, "tap", -1, add_slot(b, "X", 0, MODEL_NO_MAX), in, out);
  ness_network *net = finish(b);
  evolution e = run(net, times, 3);
  CHECK(!*e.at_least_part && !e.unsplit);
  for (int t = 0; t < 3; t++) {
    const double x = in / out * (1 - exp(-out * times[t])), j = in - out * x, total = j * log(in / (out * x));
    check_row(&e.entropy[t], total, j * log(in / out), total - j * log(in / out), 0, total, 1e-9);
  }
  evolve_free(&e);
  network_free(net);
}

/* exp(Q t) by scaling, Taylor and squaring. */
static void exponential(const double q[3][3], double t, double out[3][3])
{
  double power[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, next[3][3];
  memcpy(out, power, sizeof power);
  for (int k = 1; k < 20; k++) {
    for (int i = 0; i < 9; i++) {
      double sum = 0;
      for (int l = 0; l < 3; l++) sum += power[i / 3][l] * q[l][i % 3];
      next[i / 3][i % 3] = sum * t / 1024 / k;
    }
    memcpy(power, next, sizeof power);
    for (int i = 0; i < 9; i++) out[i / 3][i % 3] += power[i / 3][i % 3];
  }
  for (int k = 0; k < 10; k++) {
    for (int i = 0; i < 9; i++) {
      next[i / 3][i % 3] = 0;
      for (int l = 0; l < 3; l++) next[i / 3][i % 3] += out[i / 3][l] * out[l][i % 3];
    }
    memcpy(out, next, sizeof next);
  }
}

/* A driven ring with two steps between the first two states, once as copies and once enumerated. */
static void check_ring(void)
{
  static const int from[4] = {0, 1, 2, 0}, to[4] = {1, 2, 0, 1};
  static const double k[4] = {3, 2, 1.5, 0.25}, m[4] = {0.5, 0.7, 0.2, 4}, times[4] = {0.02, 0.2, 1, 3};
  double q[3][3] = {{0}}, end[3][3], at[3][3];
  for (int r = 0; r < 4; r++) {
    q[from[r]][to[r]] += k[r], q[from[r]][from[r]] -= k[r];
    q[to[r]][from[r]] += m[r], q[to[r]][to[r]] -= m[r];
  }
  exponential(q, 100, end);
  for (int counted = 0; counted < 2; counted++) {
    network_builder *b = builder_create("ring", 0);
    int32_t s[3];
    for (int i = 0; i < 3; i++) s[i] = add_slot(b, (const char *[]){"A", "B", "C"}[i], i == 0, MODEL_NO_MAX);
    const int32_t helper = add_helper(b, counted);
    for (int r = 0; r < 4; r++) {
      move(b, (const char *[]){"ab", "bc", "ca", "other"}[r], s[from[r]], s[to[r]], helper, k[r], m[r]);
    }
    ness_network *net = finish(b);
    evolution e = run(net, times, 4);
    CHECK(!e.unsplit && e.closure < 1e-12);
    for (int t = 0; t < 4; t++) {
      double total = 0, medium = 0, adiabatic = 0, system = 0, nonadiabatic = 0;
      exponential(q, times[t], at);
      const double *const p = at[0], *const rest = end[0];
      for (int r = 0; r < 4; r++) {
        const int x = from[r], y = to[r];
        const double j = k[r] * p[x] - m[r] * p[y];
        total += j * log(k[r] * p[x] / (m[r] * p[y]));
        medium += j * log(k[r] / m[r]);
        adiabatic += j * log(k[r] * rest[x] / (m[r] * rest[y]));
      }
      for (int i = 0; i < 3; i++) {
        const double moves = p[0] * q[0][i] + p[1] * q[1][i] + p[2] * q[2][i];
        system -= moves * log(p[i]);
        nonadiabatic -= moves * log(p[i] / rest[i]);
      }
      CHECK(adiabatic > 0.1);
      check_row(&e.entropy[t], total, medium, system, adiabatic, nonadiabatic, 1e-8);
    }
    evolve_free(&e);
    network_free(net);
  }
}

/* Copies in several slots: mean flows give what is linear and bounds for the rest; one slot: the same as counts. */
static void check_copies(void)
{
  const double times[3] = {0.03, 0.2, 1};
  for (int several = 0; several < 2; several++) {
    evolution e[2];
    ness_network *net[2];
    for (int counted = 0; counted < 2; counted++) {
      network_builder *b = builder_create("ring", 0);
      int32_t s[3];
      for (int i = 0; i < 3; i++) {
        s[i] = add_slot(b, (const char *[]){"A", "B", "C"}[i], several ? 2 : 6 * (i == 0), MODEL_NO_MAX);
      }
      const int32_t helper = add_helper(b, counted);
      move(b, "ab", s[0], s[1], helper, 3, 0.5);
      move(b, "bc", s[1], s[2], helper, 2, 0.7);
      move(b, "ca", s[2], s[0], helper, 1.5, 0.2);
      net[counted] = finish(b);
      e[counted] = run(net[counted], times, 3);
    }
    CHECK((*e[0].at_least_part != 0) == several && !*e[1].at_least_part);
    CHECK(e[0].states == 3 && e[1].states == 28 && e[1].closure < 1e-10);
    for (int t = 0; t < 3; t++) {
      const split_row *const mean = &e[0].entropy[t], *const counts = &e[1].entropy[t];
      CHECK_NEAR(mean->medium, counts->medium, 1e-7);
      CHECK_NEAR(mean->adiabatic, counts->adiabatic, 1e-7);
      if (!several)
        check_row(mean, counts->total, counts->medium, counts->system, counts->adiabatic, counts->nonadiabatic, 1e-6);
      else
        CHECK(mean->total < counts->total && mean->nonadiabatic < counts->nonadiabatic &&
              mean->system < counts->system);
    }
    for (int counted = 0; counted < 2; counted++) {
      evolve_free(&e[counted]);
      network_free(net[counted]);
    }
  }
}

/* Energies without a drive: all of it is the way to equilibrium, at all times. */
static void check_balance(void)
{
  const double times[5] = {0, 0.01, 0.1, 1, 30};
  network_builder *b = builder_create("dimers", 0);
  const int32_t A = add_slot(b, "A", 12, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX),
                C = add_slot(b, "C", 0, MODEL_NO_MAX), aa[2] = {A, A};
  add_step(b, "join", 2, aa, 1, &B, 0.1, 0.6);
  add_step(b, "turn", 1, &B, 1, &C, 2, 1);
  add_step(b, "split", 1, &C, 2, aa, 0.9, 0.3);
  ness_network *net = finish(b);
  evolution e = run(net, times, 5);
  for (int t = 0; t < 5; t++) {
    CHECK(e.entropy[t].adiabatic >= 0 && e.entropy[t].adiabatic < 1e-20);
    CHECK(e.entropy[t].nonadiabatic >= 0);
    if (t > 0) CHECK_NEAR(e.entropy[t].nonadiabatic, e.entropy[t].total, 1e-9);
  }
  CHECK(e.entropy[2].total > 1 && e.entropy[4].total < 1e-12 && e.closure < 1e-9);
  evolve_free(&e);
  network_free(net);
}

/* The end of every course is the steady state: nothing but the adiabatic part, equal to the entropy production there.
 */
static void check_random(void)
{
  const double times[5] = {0, 0.01, 0.2, 3, 30000};
  int whole = 0, driven = 0, parted = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    ness_network *net = reaction_network(seed, false, 1);
    evolution e = run(net, times, 5);
    cme_solution s;
    solve(net, 0, &s);
    CHECK(e.one_way_running < 0);
    for (int t = 0; t < 5; t++) {
      const split_row *const row = &e.entropy[t];
      CHECK(row->total >= 0);
      const double flow = 1 + fabs(row->medium);
      if (isfinite(row->total)) CHECK(fabs(row->total - row->medium - row->system) < 1e-12 * flow);
      if (e.unsplit) continue;
      CHECK(row->adiabatic >= 0 && row->nonadiabatic >= 0);
      if (isfinite(row->total)) CHECK(fabs(row->total - row->adiabatic - row->nonadiabatic) < 1e-12 * flow);
    }
    whole += !e.unsplit;
    parted += e.unsplit != SPLIT_NONE;
    if (!e.unsplit && s.entropy > 1e-3) driven++;
    if (!e.unsplit && !*e.at_least_part) {
      CHECK_NEAR(e.entropy[4].total, s.entropy, 1e-6 * (1 + s.entropy));
      CHECK_NEAR(e.entropy[4].adiabatic, s.entropy, 1e-6 * (1 + s.entropy));
      CHECK(e.entropy[4].nonadiabatic < 1e-6);
    }
    cme_solution_free(&s);
    evolve_free(&e);
    network_free(net);
  }
  printf("random networks: %d split, %d of them driven, %d without a split\n", whole, driven, parted);
  CHECK(whole > 40 && driven > 20);
}

/* One way round: what needs a way back is infinite and named, what does not is known. */
static void check_one_way(void)
{
  const double times[2] = {0, 0.4};
  network_builder *b = builder_create("turn", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "there", A, B, 1, 0.5);
  add_move(b, "back", B, A, 2, 0);
  ness_network *net = finish(b);
  evolution e = run(net, times, 2);
  CHECK(e.one_way_running == 1 && !e.unsplit);
  CHECK(isinf(e.entropy[1].total) && isinf(e.entropy[1].medium) && isinf(e.entropy[1].adiabatic));
  const double x = 2.5 / 3.5 + 1 / 3.5 * exp(-3.5 * 0.4), j = x - 2.5 * (1 - x);
  CHECK_NEAR(e.entropy[1].nonadiabatic, j * log(x / (1 - x) / 2.5), 1e-9);
  CHECK_NEAR(e.entropy[1].system, j * log(x / (1 - x)), 1e-9);
  evolve_free(&e);
  network_free(net);
}

/* Two ends, an end, no end: the total alone, with the reason. */
static void check_unsplit(void)
{
  const double times[2] = {0.1, 1};
  static const split_obstacle want[3] = {SPLIT_CLASSES, SPLIT_LEFT, SPLIT_ENDLESS};
  for (int which = 0; which < 3; which++) {
    network_builder *b = builder_create("ends", 0);
    const int32_t A = add_slot(b, "A", 2, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX),
                  C = add_slot(b, "C", 0, MODEL_NO_MAX), aa[2] = {A, A};
    if (which < 2) {
      add_move(b, "ab", A, B, 1, 0);
      add_move(b, which ? "bc" : "ac", which ? B : A, C, 1, which ? 1 : 0);
    } else {
      add_step(b, "make", 0, NULL, 2, aa, 0.5, 0.1);
      add_move(b, "turn", A, B, 1, 2);
      add_move(b, "leave", -1, A, 0.3, 0.4);
    }
    ness_network *net = finish(b);
    evolution e = run(net, times, 2);
    CHECK(e.unsplit == want[which] && *e.unsplit_part && *split_text(e.unsplit));
    for (int t = 0; t < 2; t++) {
      const split_row *const row = &e.entropy[t];
      CHECK(isnan(row->adiabatic) && isnan(row->nonadiabatic));
      CHECK(which < 2 ? isinf(row->total) && e.one_way_running == 0
                      : row->total > 0 && fabs(row->total - row->medium - row->system) < 1e-9);
    }
    evolve_free(&e);
    network_free(net);
  }
}

/* Steady probabilities down to 1e-600: no matter while the course stays away from them, and said where it starts there.
 */
static void check_rare(void)
{
  const double times[3] = {0.05, 1, 20};
  for (int far = 0; far < 2; far++) {
    network_builder *b = builder_create("tower", 0);
    const int32_t X = add_slot(b, "X", far ? 160 : 0, 160), in[2] = {X, X};
    add_step(b, "climb", 1, &X, 2, in, 0.01, 1);
    add_move(b, "feed", -1, X, 0.02, 1);
    ness_network *net = finish(b);
    evolution e = run(net, times, 3);
    CHECK(e.states == 161 && e.unsplit == (far ? SPLIT_RARE : SPLIT_NONE));
    for (int t = 0; t < 3; t++) {
      const split_row *const row = &e.entropy[t];
      CHECK(isfinite(row->total) && row->total >= 0);
      if (!far) CHECK_NEAR(row->adiabatic + row->nonadiabatic, row->total, 1e-9);
    }
    evolve_free(&e);
    network_free(net);
  }
}

static void check_memory(void)
{
  static const cme_options options = {.split = true};
  const double times[2] = {0, 1};
  network_builder *b = builder_create("tank", 0);
  const int32_t x = add_slot(b, "X", 6, MODEL_NO_MAX), y = add_slot(b, "Y", 3, 4), z = add_slot(b, "Z", 0, 4);
  add_move(b, "tap", -1, x, 4, 1);
  add_move(b, "turn", y, z, 1, 1);
  ness_network *net = finish(b);
  int failed = 0;
  for (int64_t n = 0; n < 10000; n++) {
    evolution e;
    mem_fail_after(n);
    const ness_status status = evolve_run(net, &options, NULL, times, 2, NULL, &e);
    mem_fail_after(-1);
    if (status == NESS_OK) {
      CHECK(e.entropy && *e.at_least_part);
      evolve_free(&e);
      break;
    }
    CHECK(status == NESS_NOMEM && !e.entropy);
    failed++;
  }
  CHECK(failed > 20);
  network_free(net);
}

int main(void)
{
  check_two_states();
  check_open();
  check_ring();
  check_copies();
  check_balance();
  check_random();
  check_one_way();
  check_unsplit();
  check_rare();
  check_memory();
  return check_done();
}
