/* derivative(x, p) and the table of `solve sensitivity`: the fuel cycle, a two-state copy and a rate that is an
 * expression against closed forms; every observable and the entropy production of shipped models along every value of
 * their files against differences of the solved steady state, three levels of Richardson's extrapolation, to 1e-7; next
 * to balance the fluctuation-dissipation theorem and Onsager's symmetry; and the words where there is no derivative. */
#include "lang_sample.h"
#include "networks/lang/compile.h"
#include <omp.h>
#include <time.h>

static cme_solution solved(const lang_model *m)
{
  cme_solution s = {.one_way_running = -1};
  ness_diags *const diags = ness_diags_create();
  const ness_status status = cme_steady(lang_network(m), &(cme_options){0}, diags, &s);
  if (status != NESS_OK)
    fprintf(stderr, "%s\n", ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "?");
  CHECK(status == NESS_OK);
  ness_diags_free(diags);
  return s;
}

/* The value of an expression of experiments in a model solved here, SI; NAN when it has none, the reason in `why`. */
static double ask(ness_model *m, const char *text, char why[400])
{
  ness_diags *const diags = ness_diags_create();
  cme_solution s = solved(m->compiled);
  values v = {.model = m->compiled, .exact = &s, .left_out = -1};
  expr *node;
  estimate e = {.value = {NAN, UNIT_NONE}};
  if (lang_parse_expression(m->file, text, diags, &node) != NESS_OK || !values_estimate(&v, node, diags, &e))
    e.value.value = NAN;
  if (why) snprintf(why, 400, "%s", ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
  else if (isnan(e.value.value)) fprintf(stderr, "%s: %s\n", text, ness_diags_get(diags, 0)->message);
  values_free(&v);
  cme_solution_free(&s);
  ness_diags_free(diags);
  return e.value.value;
}

/* --- closed forms --- */

#define FUEL                                                                                                           \
  NATURAL "param k = 500, c = 3\nbath F = 5e-3, mu0 = ln(25)\nbath W = 1e-4\nspecies A = 500, B = 0\n"                 \
          "r1: A <-> B @ 1, 2\nr2: B + F <-> A + W @ k, ldb\nobserve J = rate(r1), P = (c + k)*rate(r1)\n"

static void test_fuel(void)
{
  ness_model *const m = sample_model(FUEL);
  if (!m) return;
  /* J = N (f - 2 b)/(3 + f + b), f = k F, b = k W/50, and sigma = J ln(f/(2 b)). */
  const double N = 500, k = 500, F = 5e-3, W = 1e-4, f = k * F, b = k * W / 50, T = 3 + f + b;
  const double J = N * (f - 2 * b) / T, A = log(f / (2 * b));
  const double by_f = N * (3 + 3 * b) / (T * T), by_b = -N * (6 + 3 * f) / (T * T), by_k = by_f * F + by_b * W / 50;
  CHECK_REL(ask(m, "rate(r1)", NULL), J, 1e-13);
  CHECK_REL(ask(m, "derivative(rate(r1), F)", NULL), by_f * k, 1e-12);
  CHECK_REL(ask(m, "derivative(rate(r2), W)", NULL), by_b * k / 50, 1e-12);
  CHECK_REL(ask(m, "derivative(J, k)", NULL), by_k, 1e-12);
  CHECK_REL(ask(m, "derivative(sigma, F)", NULL), by_f * k * A + J / F, 1e-12);
  CHECK_REL(ask(m, "derivative(sigma, W)", NULL), by_b * k / 50 * A - J / W, 1e-12);
  CHECK_REL(ask(m, "derivative(sigma, k)", NULL), by_k * A, 1e-12);
  CHECK_REL(ask(m, "derivative(mean(A), F)", NULL), by_f * k / 3, 1e-12); /* J = A - 2 B, A + B = N: 3 A = J + 2 N */
  CHECK_REL(ask(m, "derivative(J, k)*k/J - control(J, r2)", NULL) + 1, 1, 1e-12);
  /* The expression itself changes with the value. */
  CHECK_REL(ask(m, "derivative(P, k)", NULL), (3 + k) * by_k + J, 1e-12);
  CHECK_REL(ask(m, "derivative(P, c)", NULL), J, 1e-12);
  CHECK_REL(ask(m, "derivative(rate(r1)/k - 2*mean(B)*k, k)", NULL),
            by_k / k - J / (k * k) - 2 * (N - (J + 2 * N) / 3 - k * by_k / 3), 1e-11);
  CHECK(ask(m, "derivative(J, c)", NULL) == 0);
  ness_model_free(m);
}

static void test_flip(void)
{
  /* A copy that flips, once by mass action and once by expressions: p = a/(a + b) in C's partner. */
  static const char *const steps[] = {"r: C <-> D @ a*x, b\n", "r: C <-> D @@ a*x*C, b*D^x\n",
                                      "y := a*C\nr: C <-> D @@ max(y, -1)*sqrt(x^2), min(b, 7)*D\n"};
  for (int i = 0; i < 3; i++) {
    char text[600];
    snprintf(text, sizeof text, NATURAL "param a = 3, b = 0.5, x = 1\nspecies C = 1, D = 0\n%s", steps[i]);
    ness_model *const m = sample_model(text);
    if (!m) continue;
    CHECK_REL(ask(m, "mean(D)", NULL), 3 / 3.5, 1e-14);
    CHECK_REL(ask(m, "derivative(mean(D), a)", NULL), 0.5 / (3.5 * 3.5), 1e-13);
    CHECK_REL(ask(m, "derivative(mean(D), b)", NULL), -3 / (3.5 * 3.5), 1e-13);
    CHECK_REL(ask(m, "derivative(mean(D), x)", NULL), 3 * 0.5 / (3.5 * 3.5), 1e-13);
    CHECK_REL(ask(m, "derivative(forward(r), a)", NULL), 0.5 * 0.5 / (3.5 * 3.5), 1e-13);
    CHECK_NEAR(ask(m, "derivative(rate(r), a)", NULL), 0, 1e-15);
    ness_model_free(m);
  }
}

/* --- near balance --- */

static void test_balance(void)
{
  /* At rest dJ/dA = D, half the variance rate of J; here A = ln(25 F/W), so F dJ/dF = D. */
  ness_model *const fuel = sample_settings(FUEL, (const char *const[]){"F=4e-6"}, 1, NULL, NULL);
  if (fuel) {
    CHECK_NEAR(ask(fuel, "rate(r1)", NULL), 0, 1e-12);
    CHECK_REL(ask(fuel, "derivative(J, F)*F", NULL), ask(fuel, "cumulant(J, 2)", NULL) / 2, 1e-11);
  }
  ness_model_free(fuel);
  /* Two ions that one carrier couples, at balance of both: dJ1/dmu2 = dJ2/dmu1 (Onsager 1931). */
  ness_model *const two = sample_model(
      NATURAL "bath X1 = 2, X2 = 2, Y1 = 0.3, Y2 = 0.3\nprotein P { state A  state AX  state AXY  state B\n"
              "state BX energy = 1  state BXY energy = 0.5 }\na: A + X1 <-> AX @ 1, ldb\n"
              "b: AX + Y1 <-> AXY @ 3, ldb\nc: AXY <-> BXY @ 4, ldb\nd: BX + Y2 <-> BXY @ 3, ldb\n"
              "e: B + X2 <-> BX @ 2, ldb\nf: A <-> B @ 1, ldb\ng: AX <-> BX @ 1, ldb\n"
              "observe JX = netflux(X2), JY = netflux(Y2)\n");
  if (two) {
    const double xy = ask(two, "derivative(JX, Y1)*Y1", NULL), yx = ask(two, "derivative(JY, X1)*X1", NULL);
    CHECK_NEAR(ask(two, "sigma", NULL), 0, 1e-13);
    CHECK(fabs(xy) > 1e-4);
    CHECK_REL(xy, yx, 1e-11);
    CHECK_REL(xy, ask(two, "covariance(JX, JY)", NULL) / 2, 1e-10);
    CHECK_REL(ask(two, "derivative(JY, Y1)*Y1", NULL), ask(two, "cumulant(JY, 2)", NULL) / 2, 1e-10);
    CHECK_NEAR(ask(two, "derivative(sigma, Y1)", NULL), 0, 1e-12);
  }
  ness_model_free(two);
}

/* --- shipped models --- */

enum { LEVELS = 3 };

/* The expression with a value of the file elsewhere, and assertions not held. */
static double value_at(const lang_model *m, const expr *node, const char *name, quantity value)
{
  lang_override *const list = mem_zero((size_t)m->noverrides + 1, sizeof *list);
  for (int32_t i = 0; i < m->noverrides; i++) list[i] = m->overrides[i];
  list[m->noverrides] = (lang_override){.name = name, .value = value};
  ness_diags *const diags = ness_diags_create();
  lang_model *changed = NULL;
  estimate e = {.value = {NAN, UNIT_NONE}};
  if (model_compile(m->file, list, m->noverrides + 1, "no name", diags, &changed) == NESS_OK) {
    cme_solution s = solved(changed);
    values v = {.model = changed, .exact = &s, .left_out = -1};
    if (node->kind == EXPR_NAME && strcmp(node->path.name[0], "sigma") == 0) e.value.value = values_entropy(&v);
    else if (!values_estimate(&v, node, diags, &e)) e.value.value = NAN;
    values_free(&v);
    cme_solution_free(&s);
  }
  lang_model_free(changed);
  ness_diags_free(diags);
  mem_free(list);
  return e.value.value;
}

static double difference(const lang_model *m, const expr *node, const char *name, quantity at, double step)
{
  double t[LEVELS];
  for (int level = 0; level < LEVELS; level++) {
    const double h = step / (1 << level), up = at.value + h, down = at.value - h;
    t[level] = value_at(m, node, name, (quantity){up, at.unit}) - value_at(m, node, name, (quantity){down, at.unit});
    t[level] /= up - down;
  }
  const double a = (4 * t[1] - t[0]) / 3, b = (4 * t[2] - t[1]) / 3;
  return (16 * b - a) / 15;
}

static double steepest(const ness_network *net, const lang_slopes *s)
{
  double most = 0;
  for (int32_t d = 0; d < 2 * net->nstep; d++) most = fmax(most, fabs(s->log_k[d]));
  for (int32_t i = 0; i < net->nconst; i++) most = fmax(most, fabs(s->constant[i] / (fabs(net->tape_const[i]) + 1e-3)));
  return most;
}

static int32_t check_shipped(const char *name, const char *const *settings, int32_t nsettings, double *worst)
{
  char path[300];
  snprintf(path, sizeof path, "networks/models/%s.ness", name);
  ness_diags *const diags = ness_diags_create();
  ness_model *m = NULL;
  int32_t compared = 0;
  CHECK(ness_model_load(path, NULL, settings, nsettings, diags, &m) == NESS_OK);
  if (!m) return 0;
  const ness_network *const net = lang_network(m->compiled);
  cme_solution s = solved(m->compiled);
  values v = {.model = m->compiled, .exact = &s, .left_out = -1};
  hook_context c = {&v, diags};
  derivative_names names;
  CHECK(derivative_names_find(&c, NULL, 0, &names) == NESS_OK);
  double *const slope = mem_zero((size_t)names.n + 1, sizeof *slope);
  for (int32_t o = 0; o <= net->nobs; o++) {
    expr *node;
    quantity x;
    if (o == net->nobs && s.one_way_running >= 0) continue;
    CHECK(lang_parse_expression(m->file, o < net->nobs ? network_text(net, net->obs_name[o]) : "sigma", diags, &node) ==
          NESS_OK);
    const bool fine = derivatives_of(&c, node, names.slopes, names.n, &x, slope);
    if (!fine) fprintf(stderr, "%s: %s\n", name, ness_diags_get(diags, 0)->message);
    CHECK(fine);
    double events = 0;
    for (int32_t d = 0; d < 2 * net->nstep; d++) events += s.dir_rate[d];
    if (o == net->nobs && x.value < 1e-12 * events) continue; /* balance: O(1) numbers cancel */
    for (int32_t k = 0; fine && k < names.n; k++) {
      const double step = 0.02 / fmax(steepest(net, &names.slopes[k]), 1e-300);
      const double by = difference(m->compiled, node, names.name[k], names.slopes[k].value, step);
      const double error = fabs(by - slope[k]), noise = 1e-12 * fabs(x.value) / step;
      if (fabs(slope[k]) > 1e4 * noise) *worst = fmax(*worst, error / fabs(slope[k]));
      if (!(error <= 1e-7 * fabs(slope[k]) + noise))
        fprintf(stderr, "%s, %s by %s: %.15g, by differences %.15g\n", name, o < net->nobs ? "observable" : "sigma",
                names.name[k], slope[k], by);
      CHECK(error <= 1e-7 * fabs(slope[k]) + noise);
      compared++;
    }
  }
  mem_free(slope);
  derivative_names_free(&names);
  values_free(&v);
  cme_solution_free(&s);
  ness_model_free(m);
  ness_diags_free(diags);
  return compared;
}

static void test_shipped(void)
{
  static const struct {
    const char *name, *settings[2];
    int32_t n;
  } rows[] = {{"sglt", {"V=-30[mV]", "Si=0.4[mM]"}, 2},
              {"ncx", {NULL}, 0},
              {"facilitated-carrier", {NULL}, 0},
              {"kinesin", {"F=3[pN]"}, 1},
              {"colquhoun-hawkes", {NULL}, 0},
              {"seebeck", {NULL}, 0},
              {"solar-cell", {NULL}, 0},
              {"emre", {"R=3", "D.in=40[nM]"}, 2},
              {"ghk", {NULL}, 0},
              {"kanban", {NULL}, 0},
              {"vacuole", {NULL}, 0},
              {"hopfield-proofreading", {"v=0.3"}, 1},
              {"layered-wall", {NULL}, 0},
              {"crowded-diffusion", {"top=3", NULL}, 1}};
  int32_t compared = 0;
  double worst = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    double own = 0;
    compared += check_shipped(rows[i].name, rows[i].settings, rows[i].n, &own);
    if (getenv("NESS_SHOW"))
      fprintf(stderr, "%s %.2g, at %.2f s\n", rows[i].name, own, (double)clock() / CLOCKS_PER_SEC);
    worst = fmax(worst, own);
  }
  CHECK(compared > 200);
  printf("%d derivatives of shipped models, worst relative difference %.2g\n", compared, worst);
}

/* --- words and tables --- */

static void refuse(ness_model *m, const char *text, const char *words)
{
  char why[400];
  CHECK(m && isnan(ask(m, text, why)));
  if (!strstr(why, words)) fprintf(stderr, "%s: %s\n", text, why);
  CHECK(strstr(why, words) != NULL);
}

static void test_words(void)
{
  ness_model *const m = sample_model(
      NATURAL "param n = 3, off = 0, corner = 2, k = 1\nspecies A = n, B = 0\nr: A <-> B @@ A*k + off*A, B*(1 + min(A, "
              "corner))\nu: A <-> B @ 1, 2\nv: A <-> B @@ off*B, 0.5*off*(B == 1)\nobserve J = rate(r)\n");
  if (!m) return;
  refuse(m, "derivative(J)", "derivative takes a flow, a mean or sigma, and a parameter");
  refuse(m, "derivative(J, m)", "no parameter, bath or concentration has the name m");
  refuse(m, "derivative(J, n)", "no derivative with respect to n: it changes a count");
  refuse(m, "derivative(J, A)", "no derivative with respect to A: it is a count");
  refuse(m, "derivative(J, off)", "no derivative with respect to off: it switches v on at counts where its rate is 0");
  refuse(m, "derivative(J, corner)", "no derivative with respect to corner: the rate of r has a corner or a jump");
  refuse(m, "derivative(var(A), k)", "an observable is linear");
  ness_model_free(m);
}

/* The unit of a derivative in a scan is made of the words that x and p are shown in. */
static void test_derivative_words(void)
{
  static const struct {
    lang_unit unit;
    double scale;
    const char *words;
  } cases[] = {{{-2, -1, 3, 2, 0}, 1e9, "pA/mV"},
               {{3, 0, 0, 1, 0}, 1e12 * CONST_NA, "pA/mM"},
               {{-2, -1, 2, 1, 0}, 1e-3, "1/s/mV"},
               {{-2, -1, 3, 1, 0}, 1e-3, "1/mV"},
               {{3, 0, -1, 0, 0}, 1e3 * CONST_NA, "1/M/s"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char words[64];
    const double value = answer_words((quantity){1, cases[i].unit}, words);
    CHECK_STR(words, cases[i].words);
    CHECK_REL(value, cases[i].scale, 1e-14);
  }
}

static void test_table(void)
{
  ness_model *const m = sample_model(
      SI
      "param V = 20 [mV], n = 2, idle = 4, k = 3 [1/M/s]\ncompartment out reservoir\n"
      "compartment in reservoir potential V\nion X z 1 { out = 2 [mM]\n in = 1 [mM] }\nprotein P copies n { state C }\n"
      "r: C + X.out <-> C + X.in @ k, ldb\nobserve I = current(in)\n");
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  const ness_solve_options options = {.struct_size = sizeof options, .what = "sensitivity"};
  CHECK(m && ness_solve(m, &options, diags, &doc) == NESS_OK);
  /* I = -e n (k X.out - k exp(eV/kT) X.in): four values move it, for I and sigma; copies have no derivative. */
  const double u = 0.02 * CONST_E / KT300, mol = 2 * 3e-3;
  CHECK(doc && ness_doc_count(doc, "parameters") == 8);
  CHECK_STR(doc ? ness_doc_string(doc, "parameters[0].parameter") : "", "V");
  CHECK_STR(doc ? ness_doc_string(doc, "parameters[0].derivative_unit") : "", "pA/mV");
  CHECK_REL(ness_doc_number(doc, "parameters[0].value"), 20, 1e-14);
  CHECK_REL(ness_doc_number(doc, "parameters[0].derivative"), CONST_E * mol * exp(u) * u / 0.02 * 1e9, 1e-12);
  CHECK_STR(doc ? ness_doc_string(doc, "parameters[1].derivative_unit") : "", "pA/(1/M/s)");
  CHECK_REL(ness_doc_number(doc, "parameters[1].value"), 3, 1e-14);
  CHECK_REL(ness_doc_number(doc, "parameters[1].elasticity"), 1, 1e-13);
  CHECK_REL(ness_doc_number(doc, "parameters[2].elasticity"), 2 / (2 - exp(u)), 1e-12);
  CHECK(doc && ness_doc_count(doc, "without_derivative") == 1);
  CHECK_STR(doc ? ness_doc_string(doc, "without_derivative[0].parameter") : "", "n");
  CHECK_STR(doc ? ness_doc_string(doc, "without_derivative[0].reason") : "", "it changes the number of copies");
  ness_doc_free(doc);
  ness_diags_free(diags);
  ness_model_free(m);
}

/* Wherever memory runs out, the answer is no number and nothing leaks; with enough of it the number is there. */
static void test_memory(void)
{
  bool found = false;
  for (int64_t after = 0; !found && after < 5000; after++) {
    ness_model *const m = sample_model(FUEL);
    ness_diags *const diags = ness_diags_create();
    if (!m) return;
    cme_solution s = solved(m->compiled);
    values v = {.model = m->compiled, .exact = &s, .left_out = -1};
    expr *node = NULL;
    estimate e;
    CHECK(lang_parse_expression(m->file, "derivative(sigma, F)", diags, &node) == NESS_OK);
    mem_fail_after(after);
    found = values_estimate(&v, node, diags, &e);
    mem_fail_after(-1);
    if (found) CHECK(fabs(e.value.value) > 1);
    values_free(&v);
    cme_solution_free(&s);
    ness_model_free(m);
    ness_diags_free(diags);
  }
  CHECK(found);
}

int main(void)
{
  omp_set_num_threads(1); /* a thousand solves of a few states */
  test_fuel();
  test_flip();
  test_balance();
  test_shipped();
  test_words();
  test_derivative_words();
  test_table();
  test_memory();
  return check_done();
}
