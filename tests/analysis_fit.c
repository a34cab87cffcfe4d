/* Rates by maximum likelihood against other ways to them: closed forms (two states, a ring of three), coordinate ascent
 * in energies, and counts drawn anew, which show that errors are errors and the likelihood ratio keeps its level. Seeds
 * are fixed; each of the ten statistical bounds is five binomial errors. Constraints that contradict, memory that
 * fails. */
#include "analysis/fit/fit.h"
#include "analysis_memory.h"
#include <ness/model.h>

static ness_network *complete(int n)
{
  network_builder *b = builder_create("complete", 0);
  int32_t s[8];
  char name[16];
  for (int i = 0; i < n; i++) {
    snprintf(name, sizeof name, "S%d", i);
    s[i] = add_slot(b, name, i == 0, MODEL_NO_MAX);
  }
  for (int i = 0; i < n; i++) {
    for (int j = i + 1; j < n; j++) {
      snprintf(name, sizeof name, "S%d.S%d", i, j);
      add_move(b, name, s[i], s[j], 1, 1);
    }
  }
  return finish(b);
}

typedef struct balanced {
  fit_graph graph;
  fit_problem problem;
  fit_result fit;
  double energy[8], error[8];
} balanced;

static ness_status solve_balanced(balanced *self, const ness_network *net, const double *count, const double *time)
{
  memset(self, 0, sizeof *self);
  self->problem = (fit_problem){.n = 2 * net->nstep, .count = count, .time = time};
  ness_status status = fit_graph_build(&self->graph, net, count);
  if (!status) status = fit_graph_balance(&self->graph, net, &self->problem);
  if (!status) status = fit_solve(&self->problem, NULL, &self->fit);
  if (!status) status = fit_graph_energies(&self->graph, net, &self->problem, &self->fit, self->energy, self->error);
  return status;
}

static void clear(balanced *self)
{
  fit_graph_free(&self->graph);
  fit_problem_free(&self->problem);
  fit_result_free(&self->fit);
}

/* Two states: nothing is asked, k = n/T, error 1/sqrt(n). */
static void two_states(void)
{
  ness_network *const net = complete(2);
  const double count[2] = {400, 399}, time[2] = {50, 200};
  balanced b;
  CHECK(solve_balanced(&b, net, count, time) == NESS_OK);
  CHECK(b.fit.rank == 0 && b.graph.cycles == 0);
  CHECK_REL(b.fit.rate[0], 8, 1e-15);
  CHECK_REL(b.fit.error[0], 0.05, 1e-14);
  CHECK_REL(b.energy[1], -log(8 / (399 / 200.0)), 1e-14);
  CHECK_REL(b.error[1], sqrt(1 / 400.0 + 1 / 399.0), 1e-14);
  clear(&b);
  network_free(net);
}

/* A ring of three: k+ T = n+ - x, k- T = n- + x, with product (n+ - x) = product (n- + x); x by bisection. */
static void ring_of_three(void)
{
  ness_network *const net = ring(3, 1, 1, 1);
  const double sets[3][6] = {{120, 90, 150, 130, 80, 70}, {5000, 10, 30, 40, 700, 800}, {7, 0, 9, 3, 5, 0}};
  const double time[6] = {10, 25, 25, 70, 70, 10}; /* of the state that a direction leaves: 0, 1, 1, 2, 2, 0 */
  for (int k = 0; k < 3; k++) {
    const double *const n = sets[k];
    double low = -fmin(n[1], fmin(n[3], n[5])), high = fmin(n[0], fmin(n[2], n[4]));
    for (int i = 0; i < 200; i++) {
      const double x = 0.5 * (low + high);
      const bool more = (n[0] - x) * (n[2] - x) * (n[4] - x) > (n[1] + x) * (n[3] + x) * (n[5] + x);
      *(more ? &low : &high) = x;
    }
    balanced b;
    CHECK(solve_balanced(&b, net, n, time) == NESS_OK);
    CHECK(b.fit.rank == 1 && b.fit.gradient < 1e-10);
    for (int d = 0; d < 6; d++) CHECK_REL(b.fit.rate[d] * time[d], n[d] + (d % 2 ? low : -low), 1e-9);
    CHECK(fabs(log(b.fit.rate[0] * b.fit.rate[2] * b.fit.rate[4] / (b.fit.rate[1] * b.fit.rate[3] * b.fit.rate[5]))) <
          1e-12);
    clear(&b);
  }
  network_free(net);
}

/* d ln L / d g_i with the barriers at their best: (n+ - n-)/2 - N (p - 1/2) over the steps at i, p = the share of the
 * way out of i. It falls with g_i, so each coordinate is a bisection, and going round them is the ascent. */
static double slope(const ness_network *net, const fit_graph *graph, const double *count, const double *time,
                    const double *g, int32_t state)
{
  double sum = 0;
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    if (graph->from[d] != state) continue;
    const double out = time[d] * exp(g[state] / 2 - g[graph->to[d]] / 2);
    const double back = time[d ^ 1] * exp(g[graph->to[d]] / 2 - g[state] / 2);
    sum += count[d] - (count[d] + count[d ^ 1]) * out / (out + back);
  }
  return sum;
}

static void coordinate_ascent(void)
{
  ness_network *const net = complete(5);
  rng_stream rng;
  rng_init(&rng, 3, 0, 0);
  for (int k = 0; k < 5; k++) {
    double count[20], time[20], of[5], g[5] = {0};
    balanced b;
    for (int i = 0; i < 5; i++) of[i] = 10 + 100 * rng_double(&rng);
    for (int d = 0; d < 20; d++) count[d] = (double)rng_below(&rng, k == 4 ? 4 : 300) + (k < 4);
    fit_graph graph;
    CHECK(fit_graph_build(&graph, net, count) == NESS_OK);
    for (int d = 0; d < 20; d++) time[d] = of[graph.from[d]];
    for (int round = 0; round < 3000; round++) {
      for (int32_t i = 1; i < 5; i++) {
        double low = -60, high = 60;
        for (int step = 0; step < 70; step++) {
          g[i] = 0.5 * (low + high);
          *(slope(net, &graph, count, time, g, i) > 0 ? &low : &high) = g[i];
        }
      }
    }
    CHECK(solve_balanced(&b, net, count, time) == NESS_OK);
    CHECK(b.fit.gradient < 1e-10);
    for (int i = 0; i < 5; i++) CHECK_NEAR(b.energy[i], g[i], 1e-8);
    clear(&b);
    fit_graph_free(&graph);
  }
  network_free(net);
}

/* Counts drawn from rates in balance: the ratio rejects 5 %, intervals of rates and energies hold 95 %. */
static void levels(void)
{
  ness_network *const net = complete(4);
  static const double energy[4] = {0, 0.7, -0.4, 1.2};
  const int sets = 1000;
  int rejected = 0, rates = 0, energies = 0;
  rng_stream rng;
  rng_init(&rng, 5, 0, 0);
  for (int k = 0; k < sets; k++) {
    double count[12], time[12];
    balanced b;
    fit_result bare;
    fit_graph graph;
    for (int d = 0; d < 12; d++) count[d] = 1;
    CHECK(fit_graph_build(&graph, net, count) == NESS_OK);
    for (int d = 0; d < 12; d++) {
      time[d] = 300 * exp(-energy[graph.from[d]]);
      count[d] = (double)rng_poisson(&rng, time[d] * exp(0.5 * (energy[graph.from[d]] - energy[graph.to[d]])));
    }
    CHECK(solve_balanced(&b, net, count, time) == NESS_OK);
    CHECK(fit_solve(&(fit_problem){.n = 12, .count = count, .time = time}, NULL, &bare) == NESS_OK);
    CHECK(b.fit.rank == 3);
    rejected += stat_f_tail(2 * (bare.likelihood - b.fit.likelihood) / 3, 3, INFINITY, 0) < 0.05;
    rates += fabs(log(b.fit.rate[4]) - 0.5 * (energy[graph.from[4]] - energy[graph.to[4]])) < 1.959964 * b.fit.error[4];
    energies += fabs(b.energy[3] - energy[3]) < 1.959964 * b.error[3];
    clear(&b);
    fit_result_free(&bare);
    fit_graph_free(&graph);
  }
  printf("likelihood ratio rejects %.3f, intervals of rates hold %.3f, of energies %.3f\n", (double)rejected / sets,
         (double)rates / sets, (double)energies / sets);
  const double bound = 5 * sqrt(0.05 * 0.95 / sets);
  CHECK(fabs((double)rejected / sets - 0.05) < bound);
  CHECK(fabs((double)rates / sets - 0.95) < bound);
  CHECK(fabs((double)energies / sets - 0.95) < bound);
  network_free(net);
}

/* Equal rates are events over the time of both; a constraint given twice counts once; contradictions are refused. */
static void constraints(void)
{
  const double count[4] = {30, 50, 20, 10}, time[4] = {10, 40, 5, 8}, by[2] = {1, -1}, one = 1;
  const int32_t first[2] = {0, 1}, again[2] = {1, 0}, third = 2;
  fit_problem p = {.n = 4, .count = count, .time = time};
  fit_result fit;
  CHECK(fit_constraint(&p, 2, first, by, 0) && fit_constraint(&p, 2, again, by, 0) &&
        fit_constraint(&p, 1, &third, &one, log(7)));
  CHECK(fit_solve(&p, NULL, &fit) == NESS_OK);
  CHECK(fit.rank == 2);
  CHECK_REL(fit.rate[0], 80 / 50.0, 1e-12);
  CHECK_REL(fit.error[1], 1 / sqrt(80), 1e-12);
  CHECK_REL(fit.rate[2], 7, 1e-12);
  CHECK(fit.error[2] == 0);
  CHECK_REL(fit.rate[3], 10 / 8.0, 1e-15);
  fit_result_free(&fit);
  CHECK(fit_constraint(&p, 1, &third, &one, log(8)));
  CHECK(fit_solve(&p, NULL, &fit) == NESS_NUMERIC);
  fit_result_free(&fit);
  fit_problem_free(&p);
}

/* A part that is left for good: balance is asked of what leads back alone. */
static void one_way(void)
{
  ness_network *const net = complete(4);
  double count[12] = {0}, time[12];
  balanced b;
  for (int d = 0; d < 12; d++) time[d] = 10;
  for (int d = 0; d < 4; d++) count[d] = 9; /* 0-1, 0-2 both ways; 1-2 below; 3 is only entered */
  count[4] = 6;                             /* 0 -> 3 */
  count[6] = count[7] = 5;
  count[10] = 2; /* 2 -> 3 */
  CHECK(solve_balanced(&b, net, count, time) == NESS_OK);
  CHECK(b.fit.rank == 1 && b.graph.part[3] != b.graph.part[0] && b.graph.part[1] == b.graph.part[2]);
  CHECK(b.fit.rate[4] == 0.6 && b.fit.rate[5] == 0);
  clear(&b);
  for (int64_t n = 0; n < 60; n++) {
    mem_fail_after(n);
    const ness_status status = solve_balanced(&b, net, count, time);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    clear(&b);
    if (status == NESS_OK) break;
    CHECK(n < 59);
  }
  network_free(net);
}

/* The public call on a dump: rates within their errors of those that were simulated, and the file is a model. */
static void of_a_dump(void)
{
  char dump[256], model[270];
  test_path(dump, "fit");
  snprintf(model, sizeof model, "%s.ness", dump);
  ness_network *const net = four_states();
  const ness_simulate_options run = {
      .struct_size = sizeof run, .level = "flux", .replicas = 8, .time = 400, .seed = 2, .path = dump, .overwrite = 1};
  simulate(net, &run);
  ness_doc *doc = NULL;
  const ness_fit_options how = {.struct_size = sizeof how, .path = model, .force = 1};
  CHECK(ness_fit(dump, &how, NULL, &doc) == NESS_OK);
  for (int32_t d = 0; d < 2 * net->nstep && doc; d++) {
    char key[64];
    snprintf(key, sizeof key, "rates[%d].rate", (int)d);
    const double k = ness_doc_number(doc, key);
    snprintf(key, sizeof key, "rates[%d].error", (int)d);
    CHECK(fabs(k - net->dir_k[d]) < 4.5 * ness_doc_number(doc, key));
  }
  CHECK(doc && ness_doc_number(doc, "likelihood_ratio.p") < 1e-6 &&
        ness_doc_number(doc, "likelihood_ratio.freedom") == 3);
  ness_doc_free(doc);
  ness_diags *const diags = ness_diags_create();
  ness_model *read = NULL;
  CHECK(ness_model_load(model, NULL, NULL, 0, diags, &read) == NESS_OK);
  CHECK(ness_diags_count(diags, NULL) == 0);
  ness_model_free(read);
  ness_diags_free(diags);
  unlink(model);
  unlink(dump);
  network_free(net);
}

int main(void)
{
  two_states();
  ring_of_three();
  coordinate_ascent();
  levels();
  constraints();
  one_way();
  of_a_dump();
  return check_done();
}
