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
  int holm_sets, holm_alarms; /* some cycle of the basis stands out after Holm's correction */
  int loop_sets, loop_alarms; /* the same of cycles of the trajectory */
  int bayes_sets, bayes_covered;
  int efficiency_sets, efficiency_covered;
  int ratios, ratios_covered; /* ln(J+/J-) of them */
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

/* What is said of single cycles: of the basis and of the trajectory, each a family of Holm's. */
static inline void cover_cycles(const ness_doc *doc, coverage *out)
{
  bool tested[2] = {false, false}, alarm[2] = {false, false};
  char key[96];
  for (int c = 0; c < 64; c++) {
    snprintf(key, sizeof key, "cycles[%d].kind", c);
    const char *const kind = ness_doc_string(doc, key);
    if (!kind) break;
    const int family = strcmp(kind, "loop-erased") == 0;
    snprintf(key, sizeof key, "cycles[%d].p_holm", c);
    const double p = ness_doc_number(doc, key);
    tested[family] |= !isnan(p);
    alarm[family] |= p < 0.05;
    snprintf(key, sizeof key, "cycles[%d].log_ratio_low", c);
    const double low = ness_doc_number(doc, key);
    snprintf(key, sizeof key, "cycles[%d].log_ratio_high", c);
    const double high = ness_doc_number(doc, key);
    snprintf(key, sizeof key, "cycles[%d].log_ratio_exact", c);
    const double exact = ness_doc_number(doc, key);
    if (!family || isnan(low) || isnan(exact)) continue;
    out->ratios++;
    out->ratios_covered += low <= exact && exact <= high;
  }
  out->holm_sets += tested[0];
  out->holm_alarms += alarm[0];
  out->loop_sets += tested[1];
  out->loop_alarms += alarm[1];
  const double model = ness_doc_number(doc, "bayes.cycles[0].model");
  cover(doc, "bayes.cycles[0]", isnan(model) ? 0 : model, &out->bayes_sets, &out->bayes_covered);
}

/* Data sets of seeds first ... first + sets - 1. Exact values are solved for once. */
static inline coverage coverage_machine(const ness_network *net, ness_simulate_options options, int first, int sets,
                                        double efficiency)
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
    cover_cycles(doc, &out);
    if (efficiency > 0)
      cover(doc, "transduction.efficiency", efficiency, &out.efficiency_sets, &out.efficiency_covered);
    ness_doc_free(doc);
  }
  cme_solution_free(&exact);
  return out;
}

static inline coverage coverage_run(const ness_network *net, ness_simulate_options options, int first, int sets)
{
  return coverage_machine(net, options, first, sets, 0);
}

/* A share as the table has it, per cent; "-" where there was nothing to count. */
static inline void coverage_share(char out[16], int part, int whole)
{
  if (whole == 0) snprintf(out, 16, "-");
  else snprintf(out, 16, "%.1f", 100.0 * part / whole);
}

/* A row of the table of docs/questions/how-sure.md: false alarms, then what intervals cover. */
static inline void coverage_row(const char *what, const coverage *c)
{
  const int parts[] = {c->rejected,         c->holm_alarms,       c->loop_alarms,     c->covered,
                       c->affinity_covered, c->bayes_covered,     c->entropy_covered, c->plugin_covered,
                       c->ratios_covered,   c->efficiency_covered};
  const int wholes[] = {c->tested,     c->holm_sets,    c->loop_sets, c->intervals, c->affinity_sets,
                        c->bayes_sets, c->entropy_sets, c->sets,      c->ratios,    c->efficiency_sets};
  printf("| %s |", what);
  for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
    char text[16];
    coverage_share(text, parts[k], wholes[k]);
    printf(" %s |", text);
  }
  printf("\n");
  fflush(stdout);
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
