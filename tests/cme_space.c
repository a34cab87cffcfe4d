/* The list of states: kanban's published numbers of states, counts that outgrow their fields, keys of several words,
 * conservation laws, sizes known before they are spent, single copies on a long chain. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/space.h"
#include <time.h>

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Ciardo and Tilgner's kanban: four cells of t cards. */
static ness_network *kanban(int64_t t)
{
  static const double redo[4] = {0.36, 0.42, 0.39, 0.33}, good[4] = {0.84, 0.98, 0.91, 0.77};
  network_builder *b = builder_create("kanban", 0);
  int32_t w[4], x[4], y[4], z[4];
  char name[4];
  for (int c = 0; c < 4; c++) {
    int32_t *const slot[4] = {&w[c], &x[c], &y[c], &z[c]};
    for (int k = 0; k < 4; k++) {
      snprintf(name, sizeof name, "%c%d", "wxyz"[k], c);
      *slot[k] = add_slot(b, name, 0, t);
    }
  }
  add_constant(b, "in", 0, NULL, 2, (int32_t[]){w[0], x[0]}, 1);
  for (int c = 0; c < 4; c++) {
    add_constant(b, "xy", 1, &x[c], 1, &y[c], redo[c]);
    add_constant(b, "xz", 1, &x[c], 1, &z[c], good[c]);
    add_constant(b, "yx", 1, &y[c], 1, &x[c], 0.3);
  }
  add_constant(b, "split", 2, (int32_t[]){z[0], w[0]}, 4, (int32_t[]){w[1], x[1], w[2], x[2]}, 0.4);
  add_constant(b, "join", 4, (int32_t[]){z[1], w[1], z[2], w[2]}, 2, (int32_t[]){w[3], x[3]}, 0.5);
  add_constant(b, "out", 2, (int32_t[]){z[3], w[3]}, 0, NULL, 0.9);
  return finish(b);
}

static void check_kanban(void)
{
  static const int64_t states[3] = {160, 4600, 58400};
  static const double throughput[2] = {0.0925846346333826, 0.173871706177849};
  for (int64_t t = 1; t <= 3; t++) {
    ness_network *net = kanban(t);
    cme_size size;
    CHECK(cme_measure(net, NULL, NULL, &size) == NESS_OK);
    CHECK(size.states == states[t - 1] && size.nparts == 1);
    if (t <= 2) {
      cme_solution s;
      solve(net, 0, &s);
      CHECK(s.states == states[t - 1] && s.parts[0].q.start[s.parts[0].q.n] == size.transitions);
      CHECK(s.report.bound <= 1e-8);
      CHECK_REL(s.net_rate[0], throughput[t - 1], 1e-13);
      cme_solution_free(&s);
    }
    network_free(net);
  }
}

/* Every listed state holds the counts that a walk from the start gives, and no two are equal. */
static void check_counts(const ness_network *net, const cme_part *part)
{
  int64_t *const n = mem_zero((size_t)net->nslot, sizeof *n), *const to = mem_zero((size_t)net->nslot, sizeof *to);
  for (int32_t s = 0; s < part->q.n; s++) {
    cme_counts(part, s, n);
    for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++) {
      const int32_t step = part->dir[e] / 2, way = part->dir[e] % 2 ? -1 : 1;
      cme_counts(part, part->q.to[e], to);
      for (int32_t k = net->change_start[step]; k < net->change_start[step + 1]; k++) {
        to[net->change_slot[k]] -= way * net->change_by[k];
      }
      CHECK(memcmp(n, to, (size_t)net->nslot * sizeof *n) == 0);
    }
  }
  mem_free(n);
  mem_free(to);
}

/* Counts that grow from 0 far beyond what their fields were laid out for: food of 5000 becomes one animal after
 * another, with waste that no law gives. */
static void check_widening(void)
{
  network_builder *b = builder_create("grow", 0);
  const int32_t food = add_slot(b, "food", 5000, MODEL_NO_MAX), x = add_slot(b, "X", 0, MODEL_NO_MAX),
                w = add_slot(b, "W", 0, MODEL_NO_MAX), www[4] = {x, w, w, w};
  add_step(b, "eat", 1, &food, 4, www, 1, 0.5);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  CHECK(s.states == 5001);
  check_counts(net, &s.parts[0]);
  int64_t n[3];
  cme_counts(&s.parts[0], 5000, n);
  CHECK(n[food] == 0 && n[x] == 5000 && n[w] == 15000);
  cme_solution_free(&s);
  network_free(net);
}

/* Forty pairs that exchange one by one but are coupled in a ring by a rate: one part, forty laws, eighty slots. Keys of
 * more than a word, half of the slots given by laws. */
static void check_laws(void)
{
  enum { PAIRS = 12 };
  network_builder *b = builder_create("pairs", 0);
  int32_t a[PAIRS], z[PAIRS];
  char name[8];
  for (int i = 0; i < PAIRS; i++) {
    snprintf(name, sizeof name, "A%d", i);
    a[i] = add_slot(b, name, 1, MODEL_NO_MAX);
    snprintf(name, sizeof name, "Z%d", i);
    z[i] = add_slot(b, name, 0, MODEL_NO_MAX);
  }
  for (int i = 0; i < PAIRS; i++) { /* a pair turns with the help of the next one's A */
    const int32_t left[2] = {a[i], a[(i + 1) % PAIRS]}, right[2] = {z[i], a[(i + 1) % PAIRS]};
    add_step(b, "turn", 2, left, 2, right, 1 + i, 2);
  }
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  CHECK(s.nparts == 1 && s.parts[0].states.ngiven == PAIRS && s.parts[0].states.words == 1);
  CHECK(s.states == (1 << PAIRS) - 1); /* all Z has no way in */
  check_counts(net, &s.parts[0]);
  /* Detailed balance: every A has the odds 2/(1 + i), given that not all are Z. */
  double all = 1, none = 1;
  for (int i = 0; i < PAIRS; i++) all *= 1 + (1 + i) / 2.0, none *= (1 + i) / 2.0;
  const double law = (all / (1 + 1 / 2.0)) / (all - none); /* A0 present */
  CHECK_REL(s.mean[a[0]], law, 1e-12);
  cme_solution_free(&s);
  network_free(net);
}

/* Keys of two words: twenty slots up to 255. */
static void check_words(void)
{
  enum { SITES = 20 };
  network_builder *b = builder_create("wide", 0);
  int32_t s[SITES];
  char name[8];
  for (int i = 0; i < SITES; i++) {
    snprintf(name, sizeof name, "S%d", i);
    s[i] = add_slot(b, name, i == 0 ? 2 : 0, 250);
  }
  for (int i = 0; i + 1 < SITES; i++) { /* two walkers that must not leave the last three sites empty-handed */
    const int32_t left[2] = {s[i], s[i]}, right[2] = {s[i], s[i + 1]};
    add_step(b, "split", 2, left, 2, right, 1, 1);
    add_step(b, "hop", 1, &s[i], 1, &s[i + 1], 2, 2);
  }
  ness_network *net = finish(b);
  cme_solution solution;
  solve(net, 0, &solution);
  CHECK(solution.parts[0].states.words >= 2 && solution.states == SITES * (SITES + 1) / 2);
  check_counts(net, &solution.parts[0]);
  CHECK_REL(solution.mean[s[7]], 2.0 / SITES, 1e-12); /* uniform over pairs of places */
  cme_solution_free(&solution);
  network_free(net);
}

/* One copy on 20,000 places in a row: a state a slot, in a moment, where counts would take 20,000 times as much. */
static void check_chain(void)
{
  enum { LONG = 20000 };
  network_builder *b = builder_create("chain", 0);
  int32_t last = -1;
  char name[12];
  for (int i = 0; i < LONG; i++) {
    snprintf(name, sizeof name, "P%d", i);
    const int32_t here = add_slot(b, name, i == 0, MODEL_NO_MAX);
    if (i > 0) add_move(b, name, last, here, 1.5, 1);
    last = here;
  }
  ness_network *net = finish(b);
  cme_size size;
  CHECK(cme_measure(net, NULL, NULL, &size) == NESS_OK && size.states == LONG);
  CHECK(size.bytes_space < 100 * (size_t)LONG);
  cme_solution s;
  const double start = now();
  solve(net, 0, &s);
  printf("one copy on %d places: %.0f ms\n", LONG, 1e3 * (now() - start));
  CHECK(s.parts[0].kind == CME_COPIES && s.parts[0].copies == 1);
  CHECK_REL(s.mean[LONG - 1], 1 / 3.0, 1e-12);
  CHECK_REL(s.mean[LONG - 2], 1 / 4.5, 1e-12);
  cme_solution_free(&s);
  network_free(net);
}

int main(void)
{
  check_kanban();
  check_widening();
  check_laws();
  check_words();
  check_chain();
  return check_done();
}
