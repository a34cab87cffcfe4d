/* What a steady state costs against the number of states: birth-death lattices whose rates do not factor, kanban nets,
 * and the manufacturing net of networks/models. A line each: states, transitions, seconds to list and to solve (once,
 * on all threads), bytes a state that the process has grown by at most, the certified bound and the method; then the
 * exponent of the time against states. Run from the source root; `bench_solve large` adds the figures of the largest.
 */
#include "engine/cme/cme.h"
#include "networks/experiment/experiment.h"
#include <math.h>
#include <ness/ness.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double bench_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double bench_peak(void)
{
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (double)use.ru_maxrss * 1024;
}

typedef struct fit {
  int n;
  double x, y, xx, xy;
} fit;

static int bench_model(const char *name, const char *path, const char *text, const char *setting, fit *line)
{
  ness_diags *const diags = ness_diags_create();
  ness_model *model = NULL;
  cme_size size;
  cme_solution s;
  const char *const settings[1] = {setting};
  ness_status status = ness_model_load(path, text, settings, setting != NULL, diags, &model);
  const double start = bench_now();
  if (status == NESS_OK) status = cme_measure(lang_network(model->compiled), NULL, diags, &size);
  const double listed = bench_now();
  if (status == NESS_OK) status = cme_steady(lang_network(model->compiled), NULL, diags, &s);
  const double solved = bench_now();
  if (status != NESS_OK) {
    char *const shown = ness_diags_render(diags, 0);
    fprintf(stderr, "%s: %s\n", name, shown ? shown : ness_status_text(status));
    ness_text_free(shown);
  } else {
    const double seconds = solved - listed, states = (double)s.states;
    printf("%-22s %9lld %10lld %8.2f %8.2f %8.0f %9.1e  %s\n", name, (long long)s.states, (long long)size.transitions,
           listed - start, seconds, bench_peak() / states, s.report.bound, solver_name(s.report.method));
    fflush(stdout);
    const double x = log(states), y = log(seconds);
    *line = (fit){line->n + 1, line->x + x, line->y + y, line->xx + x * x, line->xy + x * y};
    cme_solution_free(&s);
  }
  ness_model_free(model);
  ness_diags_free(diags);
  return status != NESS_OK;
}

static void fit_print(const char *name, const fit *line)
{
  const double n = line->n;
  printf("%-22s seconds grow as states^%.2f\n\n", name,
         (n * line->xy - line->x * line->y) / (n * line->xx - line->x * line->x));
}

static int bench_lattice(int side, fit *line)
{
  char text[512], name[32];
  snprintf(name, sizeof name, "lattice %d x %d", side, side);
  snprintf(text, sizeof text,
           "model lattice\nunits natural\nspecies X = 0 max %d, Y = 0 max %d\n"
           "a: 0 <-> X @@ 1 + 0.2*Y/(Y + 50), 1.01\nb: 0 <-> Y @@ 1, 1.005 + 0.1*X/(X + 50)\n",
           side - 1, side - 1);
  return bench_model(name, "lattice.ness", text, NULL, line);
}

int main(int argc, char **argv)
{
  const int large = argc > 1 && strcmp(argv[1], "large") == 0;
  static const int sides[] = {32, 100, 316, 1000};
  int failed = 0;
  char setting[16], name[32];
  fit lattice = {0}, kanban = {0}, fms = {0};
  printf("%-22s %9s %10s %8s %8s %8s %9s  %s\n", "model", "states", "rates", "list s", "solve s", "B/state", "bound",
         "method");
  for (int i = 0; i < 3 + large; i++) failed |= bench_lattice(sides[i], &lattice);
  fit_print("lattice", &lattice);
  for (int t = 2; t <= 3 + 2 * large; t++) {
    snprintf(setting, sizeof setting, "t=%d", t);
    snprintf(name, sizeof name, "kanban %d", t);
    failed |= bench_model(name, "networks/models/kanban.ness", NULL, setting, &kanban);
  }
  fit_print("kanban", &kanban);
  for (int n = 3; n <= (large ? 8 : 5); n += large && n == 6 ? 2 : 1) {
    snprintf(setting, sizeof setting, "n=%d", n);
    snprintf(name, sizeof name, "fms %d", n);
    failed |= bench_model(name, "networks/models/fms.ness", NULL, setting, &fms);
  }
  fit_print("fms", &fms);
  return failed;
}
