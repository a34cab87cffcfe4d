/* Power spectra of samples: two states in closed form from slow to fast sampling, and networks of every kind of part
 * against the aliases of the spectrum in continuous time (engine/cme/spectral.h), a thousand to either side and the
 * tail of the rest. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/sampled.h"

#define TURN 6.283185307179586
#define ALIASES 1000

/* S = Delta p q sinh(k Delta) / (cosh(k Delta) - cos(omega Delta)). */
static void two_states(void)
{
  const double a = 2, b = 3, k = a + b, pq = a * b / (k * k), every[] = {1e-4, 0.01, 0.1, 1, 30};
  for (int copies = 1; copies <= 7; copies += 6) {
    network_builder *build = builder_create("two", 0);
    const int32_t A = add_slot(build, "A", copies, MODEL_NO_MAX), B = add_slot(build, "B", 0, MODEL_NO_MAX);
    add_move(build, "turn", A, B, a, b);
    ness_network *net = finish(build);
    cme_solution exact;
    solve(net, 0, &exact);
    const double count[2][2] = {{1, 0}, {0.5, -2}}; /* the second is 2.5 A, up to a constant */
    const spectral_observable of[2] = {{NULL, count[0]}, {NULL, count[1]}};
    for (size_t e = 0; e < sizeof every / sizeof *every; e++) {
      double f[6], density[12];
      for (int i = 0; i < 6; i++) f[i] = 0.1 * i / every[e];
      ness_diags *diags = ness_diags_create();
      CHECKED(sampled_find(net, &exact, 2, of, 6, f, every[e], 2, diags, density));
      for (int i = 0; i < 6; i++) {
        const double h = sinh(k * every[e] / 2), s = sin(TURN * f[i] * every[e] / 2);
        const double hand = every[e] * pq * copies * sinh(k * every[e]) / (2 * (h * h + s * s));
        CHECK_REL(density[i], hand, 1e-9);
        CHECK_REL(density[6 + i], 6.25 * hand, 1e-9);
      }
      ness_diags_free(diags);
    }
    cme_solution_free(&exact);
    network_free(net);
  }
}

/* A count against its aliases. */
static void aliases(ness_network *net, int32_t slot, double every)
{
  enum { LINES = 4, ALL = LINES * (2 * ALIASES + 1) };
  static double f[ALL];
  double line[LINES], density[LINES];
  double *const count = mem_zero((size_t)net->nslot, sizeof *count);
  const spectral_observable of = {NULL, count};
  cme_solution exact;
  spectral all;
  ness_diags *diags = ness_diags_create();
  count[slot] = 1;
  solve(net, 0, &exact);
  for (int i = 0; i < LINES; i++) {
    line[i] = (0.02 + 0.15 * i) / every;
    for (int j = -ALIASES; j <= ALIASES; j++) f[i * (2 * ALIASES + 1) + j + ALIASES] = fabs(line[i] + j / every);
  }
  CHECKED(sampled_find(net, &exact, 1, &of, LINES, line, every, 0, diags, density));
  CHECKED(spectral_find(net, &exact, 1, &of, ALL, f, 0, diags, &all));
  for (int i = 0; i < LINES; i++) {
    const double *const row = all.density + i * (2 * ALIASES + 1), *const at = f + i * (2 * ALIASES + 1);
    double sum = 0;
    for (int j = 0; j <= 2 * ALIASES; j++) sum += row[j];
    for (int side = 0; side < 2; side++) { /* the tails, which fall as 1 / f^2 */
      const int last = side ? 2 * ALIASES : 0;
      sum += row[last] * at[last] * at[last] * every / (at[last] + 0.5 / every);
    }
    CHECK_REL(density[i], sum, 2e-6);
  }
  spectral_free(&all);
  cme_solution_free(&exact);
  ness_diags_free(diags);
  mem_free(count);
  network_free(net);
}

/* Copies that come and go, in two places: Poisson. */
static ness_network *open_pair(void)
{
  network_builder *b = builder_create("open", 0);
  const int32_t A = add_slot(b, "A", 0, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "in", -1, A, 5, 1);
  add_move(b, "ab", A, B, 2, 0.5);
  add_move(b, "out", B, -1, 0.3, 0.2);
  return finish(b);
}

/* A dimer: counts that are enumerated. */
static ness_network *dimer(void)
{
  network_builder *b = builder_create("dimer", 0);
  const int32_t M = add_slot(b, "M", 12, MODEL_NO_MAX), D = add_slot(b, "D", 0, MODEL_NO_MAX);
  const int32_t left[2] = {M, M};
  add_step(b, "pair", 2, left, 1, &D, 0.1, 1);
  return finish(b);
}

/* More states than there is room for are refused, with words. */
static void too_many(void)
{
  ness_network *net = complete_graph(40, 3, 1);
  cme_solution exact;
  double count[64] = {1}, f = 0, density;
  const spectral_observable of = {NULL, count};
  ness_diags *diags = ness_diags_create();
  solve(net, 0, &exact);
  CHECK(sampled_find(net, &exact, 1, &of, 1, &f, 0.1, 1, diags, &density) == NESS_OK && density > 0);
  cme_solution_free(&exact);
  network_free(net);
  network_builder *b = builder_create("dimers", 0);
  const int32_t M = add_slot(b, "M", 600, MODEL_NO_MAX), D = add_slot(b, "D", 0, MODEL_NO_MAX), left[2] = {M, M};
  add_step(b, "pair", 2, left, 1, &D, 0.1, 1);
  net = finish(b);
  solve(net, 0, &exact);
  CHECK(sampled_find(net, &exact, 1, &of, 1, &f, 0.1, 1, diags, &density) == NESS_LIMIT);
  CHECK(ness_diags_count(diags, NULL) == 1);
  cme_solution_free(&exact);
  network_free(net);
  ness_diags_free(diags);
}

/* When memory runs out at any call, it says so and leaves nothing behind. */
static void failure(void)
{
  ness_network *net = open_pair();
  cme_solution exact;
  double density[2];
  const double count[2] = {1, 0}, f[2] = {0.1, 1};
  const spectral_observable of = {NULL, count};
  bool fine = false;
  int failed = 0;
  solve(net, 0, &exact);
  for (int64_t n = 0; !fine; n++) {
    mem_fail_after(n);
    const ness_status status = sampled_find(net, &exact, 1, &of, 2, f, 0.3, 1, NULL, density);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    fine = status == NESS_OK;
    failed += !fine;
  }
  CHECK(failed > 5);
  cme_solution_free(&exact);
  network_free(net);
}

int main(void)
{
  two_states();
  for (int k = 0; k < 3; k++) {
    const double every = k == 0 ? 0.05 : k == 1 ? 0.4 : 2;
    aliases(complete_graph(6, 5, 1), k, every);
    aliases(complete_graph(4, 8, 5), k, every);
    aliases(antiporter_8(true, 10, 10), k, 0.002 * every);
    aliases(open_pair(), k % 2, every);
    aliases(dimer(), k % 2, every);
  }
  too_many();
  failure();
  return check_done();
}
