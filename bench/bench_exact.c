/* How long exact answers take: all net cycle fluxes of the 8-state antiporter and of the complete graph on 8 states,
 * and ness check on a network of 1,000 steps. One line each: what, milliseconds (best of several), what was found. Run
 * from the source root. */
#include "engine/cme/cme.h"
#include "networks/experiment/experiment.h"
#include <ness/ness.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double bench_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void bench_fail(ness_diags *diags, const char *what)
{
  char *const shown = ness_diags_render(diags, 0);
  fprintf(stderr, "%s\n%s", what, shown ? shown : "");
  ness_text_free(shown);
}

static int bench_cycles(const char *name, const char *path, const char *text, int runs)
{
  ness_diags *const diags = ness_diags_create();
  ness_model *model = NULL;
  if (ness_model_load(path, text, NULL, 0, diags, &model) != NESS_OK) {
    bench_fail(diags, name);
    ness_diags_free(diags);
    return 1;
  }
  const ness_network *const net = lang_network(model->compiled);
  double best = 1e9;
  int64_t count = 0;
  for (int i = 0; i < runs; i++) {
    cme_solution solution;
    cme_cycles cycles;
    const double start = bench_now();
    if (cme_steady(net, NULL, diags, &solution) != NESS_OK ||
        cme_cycles_find(net, &solution, 0, diags, &cycles) != NESS_OK) {
      bench_fail(diags, name);
      return 1;
    }
    const double ms = 1e3 * (bench_now() - start);
    best = ms < best ? ms : best;
    count = cycles.count;
    cme_cycles_free(&cycles);
    cme_solution_free(&solution);
  }
  printf("%-34s %10.3f ms   %lld cycles\n", name, best, (long long)count);
  ness_model_free(model);
  ness_diags_free(diags);
  return 0;
}

/* A ladder with rungs, rates from energies but for one rung that is off: text, as a user would bring it. */
static int bench_check(void)
{
  text_buffer text = {0};
  text_add(&text,
           "model ladder\nunits natural\nspecies A[i in 1..334] = if(i == 1, 1, 0), B[1..334] = 0\nfor i in 1..333 {\n"
           "  a: A[i] <-> A[i+1] @ 1 + 0.1*i, 2\n  b: B[i] <-> B[i+1] @ 2 + 0.2*i, 4\n}\n"
           "for i in 1..334 {\n  c: A[i] <-> B[i] @ if(i == 200, 3, 1), 1\n}\n");
  double best = 1e9;
  int suspects = 0;
  for (int i = 0; i < 3 && !text.failed; i++) {
    ness_diags *const diags = ness_diags_create();
    ness_model *model = NULL;
    ness_doc *doc = NULL;
    const double start = bench_now();
    if (ness_model_load("ladder", text.data, NULL, 0, diags, &model) == NESS_OK) ness_check(model, NULL, diags, &doc);
    const double ms = 1e3 * (bench_now() - start);
    best = ms < best ? ms : best;
    if (!doc) bench_fail(diags, "ladder");
    suspects = doc ? ness_doc_count(doc, "suspects") : -1;
    ness_doc_free(doc);
    ness_model_free(model);
    ness_diags_free(diags);
  }
  text_clear(&text);
  printf("%-34s %10.3f ms   1,000 steps read, compiled, checked; %d suspect\n", "ness check, ladder with one typo",
         best, suspects);
  return suspects == 1 ? 0 : 1;
}

int main(void)
{
  text_buffer complete = {0};
  text_add(&complete, "model complete\nunits natural\nspecies X[i in 1..8] = if(i == 1, 1, 0)\n");
  for (int i = 1; i <= 8; i++) {
    for (int j = i + 1; j <= 8; j++) {
      text_add(&complete, "X[%d] <-> X[%d] @ %d.%d, %d.%d\n", i, j, 1 + (i * 7 + j * 3) % 9, i, 1 + (i * 5 + j * 2) % 7,
               j);
    }
  }
  int bad = bench_cycles("cycle fluxes, EmrE-like antiporter", "networks/models/emre.ness", NULL, 20);
  bad |= bench_cycles("cycle fluxes, complete graph of 8", "complete", complete.data, 10);
  bad |= bench_check();
  text_clear(&complete);
  return bad;
}
