/* Many small data sets through ness_analyze: how often intervals cover, how often the test of balance cries wolf. */
#ifndef NESS_TESTS_ANALYSIS_COVERAGE_H
#define NESS_TESTS_ANALYSIS_COVERAGE_H

#include "analysis_build.h"

typedef struct coverage {
  int sets, tested, rejected, drive_found, drifted;
  int intervals, covered;            /* of rates, means */
  int entropy_sets, entropy_covered; /* thermodynamic */
  int plugin_covered;
  int affinity_sets, affinity_covered;
  double wald_share;
} coverage;

static inline void cover(const ness_doc *doc, const char *row, double exact, int *all, int *inside)
{
  char key[128];
  snprintf(key, sizeof key, "%s.low", row);
  const double low = ness_doc_number(doc, key);
  snprintf(key, sizeof key, "%s.high", row);
  const double high = ness_doc_number(doc, key);
  if (isnan(low) || isnan(exact)) return;
  ++*all;
  *inside += low <= exact + 1e-9 && exact <= high + 1e-9; /* what is exactly 0 is rounded on both sides */
}

/* Data sets of seeds first ... first + sets - 1. Exact values are solved for once. */
static inline coverage coverage_run(const ness_network *net, ness_simulate_options options, int first, int sets)
{
  coverage out = {.sets = sets};
  cme_solution exact;
  solve(net, 0, &exact);
  char key[96];
  for (int k = 0; k < sets; k++) {
    options.seed = (uint64_t)(first + k) * UINT64_C(0x9e3779b97f4a7c15);
    const ness_analyze_options how = {.struct_size = sizeof how, .no_exact = 1, .threads = 1};
    ness_doc *doc = run_and_analyze(net, &options, &how);
    const char *const verdict = ness_doc_string(doc, "verdict"), *const method = ness_doc_string(doc, "balance.method");
    const double p = ness_doc_number(doc, "balance.p");
    out.tested += !isnan(p);
    out.rejected += p < 0.05;
    out.drive_found += strncmp(verdict, "driven", 6) == 0;
    out.wald_share += strstr(method, "Wald") ? 1.0 / sets : 0;
    out.drifted += ness_doc_number(doc, "balance.drift_p") < 0.01;
    for (int32_t s = 0; s < net->nstep; s++) {
      snprintf(key, sizeof key, "steps[%d]", (int)s);
      cover(doc, key, exact.net_rate[s], &out.intervals, &out.covered);
    }
    for (int32_t i = 0; i < net->nslot; i++) {
      snprintf(key, sizeof key, "means[%d]", (int)i);
      cover(doc, key, exact.mean[i], &out.intervals, &out.covered);
    }
    cover(doc, "entropy.thermodynamic", exact.entropy, &out.entropy_sets, &out.entropy_covered);
    int ignored = 0;
    cover(doc, "entropy.plug_in", exact.entropy, &ignored, &out.plugin_covered);
    const double a = ness_doc_number(doc, "cycles[0].affinity_data"),
                 e = ness_doc_number(doc, "cycles[0].affinity_error");
    if (!isnan(a)) {
      out.affinity_sets++;
      out.affinity_covered += fabs(a - ness_doc_number(doc, "cycles[0].affinity_model")) < 1.959964 * e;
    }
    ness_doc_free(doc);
  }
  cme_solution_free(&exact);
  return out;
}

static inline void coverage_print(const char *what, const coverage *c)
{
  printf("%-24s sets %d  rejected %.3f +- %.3f (Wald %.2f)  intervals %.3f  entropy %.3f  plug-in %.3f  affinity %.3f  "
         "drift %.3f\n",
         what, c->sets, (double)c->rejected / c->sets, sqrt(0.05 * 0.95 / c->sets), c->wald_share,
         (double)c->covered / c->intervals, (double)c->entropy_covered / (c->entropy_sets ? c->entropy_sets : 1),
         (double)c->plugin_covered / c->sets, (double)c->affinity_covered / (c->affinity_sets ? c->affinity_sets : 1),
         (double)c->drifted / c->sets);
}

/* A <-> B, and A + E <-> B + E with a catalyst E that comes and goes: mass action in two slots, so that the dump does
 * not hold the exposures, and currents have to tell. In equilibrium when k3/k4 = k1/k2. */
static inline ness_network *catalysed(double k1, double k2, double k3, double k4, int64_t copies)
{
  network_builder *b = builder_create("catalysed", 0);
  const int32_t A = add_slot(b, "A", copies, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  const int32_t E = add_slot(b, "E", 1, MODEL_NO_MAX), O = add_slot(b, "O", 1, MODEL_NO_MAX);
  const int32_t left[2] = {A, E}, right[2] = {B, E};
  add_move(b, "r1", A, B, k1, k2);
  add_step(b, "r2", 2, left, 2, right, k3, k4);
  add_move(b, "s", E, O, 1, 1);
  return finish(b);
}

#endif
