/* A full matrix of 1450 states, more than two million rates: read, solved, its cycles found by chords whose currents
 * are not kept; and refused by name where it is to be simulated. */
#include "engine/cme/cme.h"
#include "engine/ssa/ssa.h"
#include "import_sample.h"

enum { N = 1450 };

/* Rates that obey detailed balance but for a wind along the numbers: k_ij = w_j, times 2 from i to i + 1. */
static double rate(int i, int j)
{
  const double weight = 1 + j % 7;
  return i == j ? 0 : j == i + 1 ? 2 * weight : weight;
}

int main(void)
{
  const size_t room = (size_t)N * N * 3 + 1;
  char *const text = malloc(room), *end = text;
  if (!text) return 2;
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) end += snprintf(end, room - (size_t)(end - text), j ? ",%g" : "%g", rate(i, j));
    end += snprintf(end, room - (size_t)(end - text), "\n");
  }
  ness_diags *const diags = ness_diags_create();
  ness_network *net = NULL;
  cme_solution s;
  cme_cycles cycles;
  ssa_result sample;
  CHECK(import_load("dense.csv", text, (size_t)(end - text), NULL, 0, diags, &net) == NESS_OK);
  free(text);
  if (!net) return check_done();
  CHECK(net->nstep == N * (N - 1) / 2 && net->dep_left_out);
  const ness_simulate_options options = {.struct_size = sizeof options, .replicas = 1, .time = 1};
  CHECK(ssa_ensemble(net, &options, "", "", diags, &sample) == NESS_LIMIT);
  CHECK(strstr(first_message(diags), "too dense to be simulated") != NULL);
  CHECK(cme_steady(net, NULL, diags, &s) == NESS_OK);
  double worst = 0;
  for (int j = 0; j < N; j++) { /* balance: what comes in against what goes out */
    double in = 0, out = 0;
    for (int i = 0; i < N; i++) {
      in += s.parts[0].p[i] * rate(i, j);
      out += s.parts[0].p[j] * rate(j, i);
    }
    worst = fmax(worst, fabs(in - out) / out);
  }
  CHECK(worst < 1e-10 && s.entropy > 0);
  CHECK(cme_cycles_find(net, &s, 1, diags, &cycles) == NESS_OK);
  CHECK(!cycles.complete && cycles.count == (int64_t)N * (N - 1) / 2 - (N - 1));
  double power = 0;
  for (int64_t c = 0; c < cycles.count; c++) power += cycles.cycle[c].net * cycles.cycle[c].affinity;
  CHECK_REL(power, s.entropy, 1e-8);
  cme_cycles_free(&cycles);
  cme_solution_free(&s);
  network_free(net);
  ness_diags_free(diags);
  return check_done();
}
