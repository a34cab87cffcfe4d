/* The table of docs/questions/how-sure.md: a thousand data sets (or as many as the argument says; a second one takes
 * one record by its number) of each of several networks, in equilibrium, near it and far from it, in short and long
 * records; how often each test cries wolf at its 5 % level and how often each interval of 95 % holds the exact value,
 * per cent. One binomial error of a thousand is 0.7. The checks here are loose: four errors and a point or more. */
#include "analysis_coverage.h"

static char path[256];
static int sets = 1000;

/* Fuel of 4 kT lifts a load of 2 kT, and one way back lets it fall: tight but for the slip. */
static ness_network *motor(void)
{
  network_builder *b = builder_create("motor", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  const int32_t F = builder_reservoir(b, "F", 4, 1, 0, -1), L = builder_reservoir(b, "L", 2, 1, 0, -1);
  add_carry(b, "burn", A, B, F, -1, exp(2), exp(-2), 4);
  add_carry(b, "lift", B, A, -1, L, exp(-1), exp(1), -2);
  add_move(b, "slip", B, A, 0.2, 0.2);
  return finish(b);
}

typedef struct scenario {
  const char *what;
  ness_network *net;
  const char *level;
  double time;
  bool balanced;
} scenario;

static double exact_efficiency(const ness_network *net)
{
  cme_solution exact;
  solve(net, 0, &exact);
  double given = 0, taken = 0;
  for (int32_t w = 0; w < network_sources(net) - 1; w++)
    *(exact.source_work[w] > 0 ? &given : &taken) += exact.source_work[w];
  cme_solution_free(&exact);
  return taken < 0 ? -taken / given : 0;
}

static bool about(int part, int whole, double expected, double slack)
{
  const double error = whole ? sqrt(expected * (1 - expected) / whole) : 0;
  return whole == 0 || fabs((double)part / whole - expected) < 4 * error + slack;
}

static void run(const scenario *self, int first)
{
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = self->level,
                                         .replicas = 64,
                                         .time = self->time + 5,
                                         .warmup = 5,
                                         .path = path,
                                         .overwrite = 1,
                                         .threads = 1};
  coverage c = coverage_machine(self->net, options, first, sets, exact_efficiency(self->net));
  if (!self->balanced)
    c.tested = c.holm_sets = c.loop_sets = c.rejected = c.holm_alarms = c.loop_alarms = 0; /* alarms are right there */
  coverage_row(self->what, &c);
  CHECK(about(c.rejected, c.tested, 0.05, 0.01));
  CHECK((double)c.holm_alarms <= c.holm_sets * 0.05 + 4 * sqrt(c.holm_sets * 0.05));
  CHECK((double)c.loop_alarms <= c.loop_sets * 0.05 + 4 * sqrt(c.loop_sets * 0.05));
  CHECK(about(c.covered, c.intervals, 0.95, 0.015));
  CHECK(about(c.affinity_covered, c.affinity_sets, 0.95, 0.01));
  CHECK(about(c.bayes_covered, c.bayes_sets, 0.95, 0.01));
  CHECK(about(c.plugin_covered, c.sets, 0.95, 0.015));
  CHECK(about(c.ratios_covered, c.ratios, 0.95, 0.015));
  CHECK(about(c.efficiency_covered, c.efficiency_sets, 0.95, 0.01));
  network_free(self->net);
}

int main(int count, char **word)
{
  if (count > 1) sets = atoi(word[1]);
  test_path(path, "sure");
  const scenario all[] = {
      {"ring with chord, at rest, short", square_with_chord(0), "events", 4, true},
      {"ring with chord, at rest, long", square_with_chord(0), "events", 40, true},
      {"ring with chord, 0.3 kT, short", square_with_chord(0.3), "events", 4, false},
      {"ring with chord, 0.3 kT, long", square_with_chord(0.3), "events", 40, false},
      {"ring with chord, 3 kT, short", square_with_chord(3), "events", 4, false},
      {"catalysed exchange, at rest, short", catalysed(1, 2, 0.7, 1.4, 3), "summary", 10, true},
      {"catalysed exchange, at rest, long", catalysed(1, 2, 0.7, 1.4, 3), "summary", 100, true},
      {"fuel cycle, ln 10 kT, long", fuel_cycle(1, 10, 5, 0.05, 4, false), "summary", 40, false},
      {"motor, short", motor(), "summary", 10, false},
      {"motor, long", motor(), "summary", 100, false},
  };
  printf("| record | test | cycles (Holm) | loops (Holm) | rates, means | affinity | Bayes | entropy | plug-in | "
         "ln(J+/J-) | efficiency |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (int i = 0; i < (int)(sizeof all / sizeof *all); i++) {
    if (count <= 2 || atoi(word[2]) == i + 1) run(&all[i], 1 + 20000 * i);
    else network_free(all[i].net);
  }
  unlink(path);
  return check_done();
}
