/* The bound from visible transitions: one edge of a ring shows all of its entropy production; of a network with two
 * cycles it shows what integrals of the exact densities say, which is less; at equilibrium it is zero. Seeds are fixed;
 * a jackknife over 16 stripes beyond 15 errors has a chance of 2e-10. */
#include "analysis_build.h"

#include "engine/rng/rng.h"

#define LIMIT 15.0
#define ALARMS 25
#define WALKS 100

static char path[256];

static double number(const ness_doc *doc, const char *what)
{
  char key[64];
  snprintf(key, sizeof key, "hidden_states.%s", what);
  return ness_doc_number(doc, key);
}

static ness_doc *walk(const ness_network *net, const char *visible, double time, uint64_t seed)
{
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = "events",
                                         .replicas = 20,
                                         .time = time,
                                         .seed = seed,
                                         .path = path,
                                         .overwrite = 1};
  const ness_analyze_options how = {.struct_size = sizeof how, .visible = visible};
  return run_and_analyze(net, &options, &how);
}

static void near(const ness_doc *doc, const char *what, double exact, double within)
{
  const double value = number(doc, what), error = number(doc, "error");
  if (!(fabs(value - exact) < LIMIT * error)) fprintf(stderr, "%s %g +- %g, exact %g\n", what, value, error, exact);
  CHECK(fabs(value - exact) < LIMIT * error && error < within * exact);
}

/* (u - d) ln(u/d) = 2 ln 3 k_B/s, whatever is seen. */
static void one_cycle(void)
{
  static const char *const visible[4] = {"e1", "e2,e3", "e1,e2,e3,e4", NULL};
  ness_network *net = ring(4, 3, 1, 1);
  for (int k = 0; k < 4; k++) {
    ness_doc *doc = walk(net, visible[k], 800, 3);
    CHECK_STR(ness_doc_string(doc, "hidden_states.is"), "a lower bound");
    CHECK_REL(number(doc, "entropy_exact"), 2 * log(3), 1e-10);
    near(doc, "estimate", 2 * log(3), 0.1);
    near(doc, "of_order", 2 * log(3), 0.1);
    CHECK(number(doc, "low") < 2 * log(3) && number(doc, "low") > 1.6 * log(3));
    ness_doc_free(doc);
  }
  network_free(net);
}

/* Short walks, where leaving a stripe out changes much: what order shows is right in the mean. Six deviations of it are
 * a chance of 2e-9. */
static void short_walks(void)
{
  double sum = 0, square = 0;
  ness_network *net = ring(4, 3, 1, 1);
  for (uint64_t i = 0; i < WALKS; i++) {
    ness_doc *doc = walk(net, "e1", 30, 500 + i);
    const double value = number(doc, "of_order");
    sum += value / WALKS;
    square += value * value / WALKS;
    ness_doc_free(doc);
  }
  const double error = sqrt((square - sum * sum) / (WALKS - 1));
  printf("mean of short walks: %.4f +- %.4f, exact %.4f\n", sum, error, 2 * log(3));
  CHECK(fabs(sum - 2 * log(3)) < 6 * error);
  network_free(net);
}

/* Four states, a ring with a chord: the densities of the times between two transitions of the first step, from the
 * chain without it, stepped through in time. */
typedef struct exact_bound {
  double order, times; /* k_B/s */
} exact_bound;

static exact_bound by_time(double q[4][4], const double *p)
{
  const double rate[2] = {q[0][1], q[1][0]}; /* of the visible step: 0 to 1, and back */
  const double h = 2e-3;
  double chance[2][2] = {{0}}, both[2][2] = {{0}};
  static double psi[2][2][20000];
  for (int l = 0; l < 2; l++) {
    double x[4] = {0};
    x[1 - l] = 1; /* forward leads to 1 */
    for (int k = 0; k < 20000; k++) {
      psi[l][0][k] = x[0] * rate[0];
      psi[l][1][k] = x[1] * rate[1];
      double next[4], term[4];
      for (int i = 0; i < 4; i++) next[i] = term[i] = x[i];
      for (int order = 1; order < 9; order++) {
        double then[4] = {0};
        for (int i = 0; i < 4; i++) {
          for (int j = 0; j < 4; j++) {
            const bool seen = i + j == 1;
            then[i] -= term[i] * q[i][j] * h / order;
            if (!seen) then[j] += term[i] * q[i][j] * h / order;
          }
        }
        for (int i = 0; i < 4; i++) next[i] += term[i] = then[i];
      }
      for (int i = 0; i < 4; i++) x[i] = next[i];
    }
  }
  const double from[2] = {p[0] * rate[0], p[1] * rate[1]};
  exact_bound out = {0, 0};
  for (int l = 0; l < 2; l++)
    for (int m = 0; m < 2; m++)
      for (int k = 0; k < 20000; k++) {
        const double weight = (k == 0 ? 1 : k % 2 ? 4 : 2) * h / 3, a = psi[l][m][k], b = psi[1 - m][1 - l][k];
        chance[l][m] += weight * a;
        if (a > 1e-14 && b > 1e-14) both[l][m] += weight * a * log(a / b);
      }
  for (int l = 0; l < 2; l++)
    for (int m = 0; m < 2; m++) {
      const double order = from[l] * chance[l][m] * log(chance[l][m] / chance[1 - m][1 - l]);
      out.order += order;
      out.times += from[l] * both[l][m] - order;
    }
  return out;
}

static void two_cycles(void)
{
  double q[4][4] = {{0}};
  const int from[5] = {0, 1, 2, 3, 1}, to[5] = {1, 2, 3, 0, 3};
  const double there[5] = {6, 1, 1.5, 4, 0.2}, back[5] = {1, 0.5, 0.2, 0.3, 4};
  network_builder *b = builder_create("two", 0);
  int32_t s[4];
  for (int i = 0; i < 4; i++) s[i] = add_slot(b, (const char *[]){"A", "B", "C", "D"}[i], i == 0, MODEL_NO_MAX);
  for (int k = 0; k < 5; k++) {
    add_move(b, (const char *[]){"see", "b", "c", "d", "chord"}[k], s[from[k]], s[to[k]], there[k], back[k]);
    q[from[k]][to[k]] = there[k];
    q[to[k]][from[k]] = back[k];
  }
  ness_network *net = finish(b);
  cme_solution exact;
  solve(net, 0, &exact);
  const exact_bound bound = by_time(q, exact.mean);
  ness_doc *doc = walk(net, "see", 4000, 11);
  printf("exact: order %.4f, times %.4f of %.4f k_B/s; found %.4f and %.4f +- %.4f\n", bound.order, bound.times,
         exact.entropy, number(doc, "of_order"), number(doc, "of_waiting_times"), number(doc, "error"));
  CHECK(bound.order > 0 && bound.times > 0.02 * bound.order && bound.order + bound.times < 0.95 * exact.entropy);
  near(doc, "of_order", bound.order, 0.1);
  /* bins lose some of what times tell, never more than all of it */
  const double error = number(doc, "error"), times = number(doc, "of_waiting_times");
  CHECK(times > 0.4 * bound.times && times < bound.times + LIMIT * error);
  CHECK(number(doc, "low") < bound.order + bound.times && number(doc, "estimate") < exact.entropy);
  CHECK(!(number(doc, "past_matters_p") < 1e-9)); /* a transition tells the state */
  ness_doc_free(doc);
  doc = walk(net, NULL, 1000, 12);
  near(doc, "estimate", exact.entropy, 0.1); /* nothing hidden */
  ness_doc_free(doc);
  cme_solution_free(&exact);
  network_free(net);
}

/* Two of four states seen as one, with rates that differ: a transition into the pair tells where it leads, so the pair
 * of them keeps all of the ring's entropy, which the order of states alone does not. */
static void lumped(void)
{
  ring_record(path);
  ness_doc *doc =
      analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .map = "a=a b=b c=E3,E4"});
  near(doc, "estimate", log(2), 0.1);
  CHECK_STR(ness_doc_string(doc, "hidden_states.is"), "a lower bound");
  ness_doc_free(doc);
}

/* A pair of states that is slow or fast, which is hidden: a jump does not tell the state, which is said. */
static void unknown(void)
{
  rng_stream r;
  rng_init(&r, 9, 0, 0);
  FILE *const file = fopen(path, "w");
  if (!file) exit(1);
  fprintf(file, "time,state\n");
  double t = 0;
  for (int k = 0, at = 0; k < 200000; k++) { /* 0 1 slow, 2 3 fast; what is seen is 0,2 or 1,3 */
    const double turn = at < 2 ? 1 : 20, all = turn + 0.2;
    fprintf(file, "%.9f,%s\n", t, at % 2 ? "odd" : "even");
    t += -log1p(-rng_double(&r)) / all;
    at = rng_double(&r) * all < turn ? at ^ 1 : at ^ 2;
  }
  fclose(file);
  ness_doc *doc = analyze(path, NULL);
  CHECK(strncmp(ness_doc_string(doc, "hidden_states.is"), "an estimate", 11) == 0);
  CHECK(number(doc, "past_matters_p") < 1e-6);
  ness_doc_free(doc);
}

/* At equilibrium the low end is above zero in at most 2.5 %: of ALARMS, 8 or more have a chance of 1.6e-7; of tests of
 * the past at 1 %, 6 or more of 1.8e-7. */
static void balanced(void)
{
  static const char *const visible[3] = {"e1", "e1,e3", NULL};
  int alarms[3] = {0}, forgot[3] = {0};
  ness_network *net = ring(4, 1, 1, 1);
  for (int i = 0; i < ALARMS; i++) {
    ness_doc_free(walk(net, NULL, 60, 1000 + (uint64_t)i));
    for (int k = 0; k < 3; k++) {
      const ness_analyze_options how = {.struct_size = sizeof how, .visible = visible[k], .no_exact = 1};
      ness_doc *doc = analyze(path, &how);
      alarms[k] += number(doc, "low") > 0;
      forgot[k] += number(doc, "past_matters_p") < 0.01;
      ness_doc_free(doc);
    }
  }
  printf("a bound above zero in equilibrium: %d %d %d of %d\n", alarms[0], alarms[1], alarms[2], ALARMS);
  printf("said to remember what it forgets, at 1 %%: %d %d %d\n", forgot[0], forgot[1], forgot[2]);
  for (int k = 0; k < 3; k++) CHECK(alarms[k] < 8 && forgot[k] < 6);
  network_free(net);
}

static void refused(void)
{
  ness_network *net = ring(3, 2, 1, 1), *many = ring(3, 2, 1, 5);
  ness_doc *doc = walk(net, NULL, 10, 1);
  ness_doc_free(doc);
  ness_diags *diags = ness_diags_create();
  ness_analyze_options how = {.struct_size = sizeof how, .visible = "e1,none"};
  CHECK(ness_analyze(path, &how, diags, &doc) == NESS_USAGE);
  CHECK(strstr(ness_diags_get(diags, 0)->message, "none") != NULL);
  ness_diags_free(diags);
  doc = walk(many, NULL, 10, 1);
  ness_doc_free(doc);
  diags = ness_diags_create();
  how.visible = "e1";
  CHECK(ness_analyze(path, &how, diags, &doc) == NESS_USAGE);
  CHECK(strstr(ness_diags_get(diags, 0)->message, "one molecule") != NULL);
  ness_diags_free(diags);
  network_free(net);
  network_free(many);
}

int main(void)
{
  test_path(path, "analysis_hidden");
  one_cycle();
  short_walks();
  two_cycles();
  lumped();
  unknown();
  balanced();
  refused();
  unlink(path);
  return check_done();
}
