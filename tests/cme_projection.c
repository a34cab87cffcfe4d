/* Counts without end: projected steady states against closed forms (Poisson, Schloegl's products), the proven range
 * against the truth at many tolerances, transients against exact means, what grows for ever refused, a projection that
 * turns out to be finite exact. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/evolve.h"

/* Birth and death with a rate by pairs, so that the part is no independent copies: 0 <-> X, 2X <-> 3X. */
static ness_network *schlogl(double a, double b, double c, double d, int64_t start)
{
  network_builder *builder = builder_create("schlogl", 0);
  const int32_t x = add_slot(builder, "X", start, MODEL_NO_MAX), three[3] = {x, x, x};
  add_step(builder, "cubic", 2, three, 3, three, a, b);
  add_step(builder, "linear", 0, NULL, 1, &x, c, d);
  return finish(builder);
}

/* Birth-death products in long double, up to where nothing is left. */
static void schlogl_law(double a, double b, double c, double d, long double *mean, long double *var)
{
  long double p = 1, sum = 0, first = 0, second = 0;
  for (int n = 0; n < 20000; n++) {
    sum += p, first += p * n, second += p * n * n;
    const long double up = (long double)a * n * (n - 1) + c, m = n + 1;
    p *= up / (b * m * (m - 1) * (m - 2) + d * m);
    if (sum > 1e4000L) sum *= 1e-4000L, first *= 1e-4000L, second *= 1e-4000L, p *= 1e-4000L;
  }
  *mean = first / sum;
  *var = second / sum - *mean * *mean;
}

static void check_schlogl(void)
{
  const double a = 0.015, b = 1e-4 / 6, c = 200, d = 3.5;
  long double mean, var;
  schlogl_law(a, b, c, d, &mean, &var);
  CHECK_REL((double)mean, 454.8613479, 1e-9); /* published */
  for (double tolerance = 1e-3; tolerance > 1e-11; tolerance *= 0.1) {
    ness_network *net = schlogl(a, b, c, d, 10);
    cme_solution s;
    CHECK(cme_steady(net, &(cme_options){.solve.tolerance = tolerance}, NULL, &s) == NESS_OK);
    CHECK(s.projection.used && s.projection.error <= tolerance && s.projection.error > 0);
    CHECK(fabs(s.mean[0] - (double)mean) <= (s.projection.error + 1e-13) * (double)mean);
    CHECK(s.states > 300 && s.states < 5000);
    cme_solution_free(&s);
    network_free(net);
  }
  ness_network *net = schlogl(a, b, c, d, 10);
  cme_solution s;
  solve(net, 0, &s);
  CHECK_REL(s.var[0], (double)var, 1e-10);
  CHECK_REL(s.net_rate[0], 1392.01472, 1e-8);
  CHECK(s.closure <= 1e-10 * s.entropy);
  CHECK_REL(s.entropy, 3837.56236, 1e-8);
  cme_solution_free(&s);
  network_free(net);
}

/* Random pairs of species that make and take each other, two at a time so that nothing is independent, against the same
 * network cut by caps far out. */
static void check_random(uint64_t seed)
{
  for (int i = 0; i < 8; i++) draw(&seed);
  double k[10];
  for (int i = 0; i < 10; i++) k[i] = exp(2 * draw(&seed) - 1);
  cme_solution s[2];
  ness_network *net[2];
  for (int cut = 0; cut < 2; cut++) {
    network_builder *b = builder_create("pair", 0);
    const int64_t max = cut ? 60 : MODEL_NO_MAX;
    const int32_t x = add_slot(b, "X", 3, max), y = add_slot(b, "Y", 0, max), xy[2] = {x, y}, xx[2] = {x, x};
    add_move(b, "in", -1, x, 4 * k[0], k[1]);
    add_step(b, "pair", 2, xx, 1, &y, 0.1 * k[2], k[3]);
    add_step(b, "meet", 2, xy, 1, &x, 0.1 * k[4], 0);
    add_move(b, "out", y, -1, k[6], 0.3 * k[7]);
    net[cut] = finish(b);
    solve(net[cut], 0, &s[cut]);
  }
  CHECK(s[0].projection.used && !s[1].projection.used && s[0].states < s[1].states * 3);
  for (int i = 0; i < 2; i++) {
    CHECK_REL(s[0].mean[i], s[1].mean[i], s[0].projection.error + 1e-11);
    CHECK_REL(s[0].var[i], s[1].var[i], 1e-6);
  }
  for (int i = 0; i < 4; i++) CHECK_REL(s[0].dir_rate[2 * i], s[1].dir_rate[2 * i], 1e-7);
  for (int cut = 0; cut < 2; cut++) {
    cme_solution_free(&s[cut]);
    network_free(net[cut]);
  }
}

/* Rabbits without death: no set holds them. A few states only: a reason and a way out. */
static void check_refused(void)
{
  network_builder *b = builder_create("growth", 0);
  const int32_t x = add_slot(b, "rabbits", 1, MODEL_NO_MAX), xx[2] = {x, x};
  add_step(b, "breed", 1, xx, 2, xx, 1, 0);
  add_step(b, "come", 0, NULL, 1, xx, 1, 0);
  ness_network *net = finish(b);
  ness_diags *diags = ness_diags_create();
  cme_solution s;
  CHECK(cme_steady(net, &(cme_options){.max_states = 2000}, diags, &s) == NESS_LIMIT);
  char *text = ness_diags_render(diags, 0);
  CHECK(text && strstr(text, "rabbits") && strstr(text, "--max-states"));
  ness_text_free(text);
  ness_diags_free(diags);
  network_free(net);
}

/* No cap and no positive law, and yet finite: X only falls when Y does not follow. The set closes and is exact. */
static void check_finite(void)
{
  network_builder *b = builder_create("finite", 0);
  const int32_t x = add_slot(b, "X", 4, MODEL_NO_MAX), y = add_slot(b, "Y", 0, MODEL_NO_MAX), left[1] = {x};
  const int32_t two[2] = {y, y};
  add_step(b, "break", 1, left, 2, two, 1, 1); /* X <-> 2Y: 2X + Y stays, both are bounded */
  const int32_t help[2] = {y, y}, same[2] = {y, y};
  add_step(b, "idle", 2, help, 2, same, 1, 1);
  ness_network *net = finish(b);
  cme_solution s;
  solve(net, 0, &s);
  CHECK(!s.projection.used && s.states == 5);
  cme_solution_free(&s);
  network_free(net);
}

/* In time: the mean of a linear birth and death with a step that makes it one part of counts; Yule's growth. */
static void check_in_time(void)
{
  const double times[4] = {0, 0.3, 1, 2};
  network_builder *b = builder_create("yule", 0);
  const int32_t x = add_slot(b, "X", 3, MODEL_NO_MAX), xx[2] = {x, x};
  add_step(b, "breed", 1, xx, 2, xx, 1.2, 0);
  add_move(b, "die", x, -1, 0.7, 0);
  ness_network *net = finish(b);
  evolution e;
  ness_diags *diags = ness_diags_create();
  const transient_options options = {.tolerance = 1e-11};
  CHECK(evolve_run(net, NULL, &options, times, 4, diags, &e) == NESS_OK);
  CHECK(e.outside <= 1e-11);
  for (int t = 0; t < 4; t++) {
    const double m = 3 * exp(0.5 * times[t]), v = m * (1.9 / 0.5) * expm1(0.5 * times[t]);
    CHECK_REL(e.mean[t], m, 1e-8);
    CHECK_NEAR(e.var[t], v, 1e-6);
    CHECK_REL(e.dir_rate[4 * t], 1.2 * m, 1e-8);
  }
  evolve_free(&e);
  ness_diags_free(diags);
  network_free(net);
}

int main(void)
{
  check_schlogl();
  for (uint64_t seed = 1; seed <= 12; seed++) check_random(seed * 7919);
  check_refused();
  check_finite();
  check_in_time();
  return check_done();
}
