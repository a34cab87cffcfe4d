/* Helper of cme_rational.py: solves random networks and prints their transitions and solutions, doubles in hexadecimal.
 * Arguments: first and last seed. Seed 0 is the complete graph on eight states. */
#include "check.h"
#include "cme_build.h"
#include <inttypes.h>
#include <stdio.h>

/* A random multigraph: often strongly connected, sometimes with one-way steps, transient states and several classes. */
static ness_network *random_network(uint64_t seed)
{
  uint64_t state = seed * 7919 + 17;
  for (int i = 0; i < 8; i++) draw(&state);
  const int n = 2 + (int)(6 * draw(&state)), extra = (int)(n * 1.2 * draw(&state)) + 1;
  const double spread = draw(&state) < 0.5 ? 3 : 40, one_way = draw(&state) < 0.5 ? 0 : 0.6;
  const double near = draw(&state) < 0.3 ? 1 : 0.2; /* share of steps next to equilibrium */
  const int64_t copies = 1 + (int64_t)(3 * draw(&state)) * 50;
  network_builder *b = builder_create("random", 0);
  int32_t s[8];
  char name[16];
  for (int i = 0; i < n; i++) {
    snprintf(name, sizeof name, "S%d", i);
    s[i] = add_slot(b, name, i == 0 ? copies : 0, MODEL_NO_MAX);
  }
  for (int i = 0; i < n - 1 + extra; i++) {
    const int a = i < n - 1 ? (int)(draw(&state) * (i + 1)) : (int)(n * draw(&state));
    int to = i < n - 1 ? i + 1 : (int)(n * draw(&state));
    if (to == a) to = (a + 1) % n;
    double forward = exp(spread * (draw(&state) - 0.5)), backward = exp(spread * (draw(&state) - 0.5));
    if (draw(&state) < near) backward = forward * (1 + 1e-9 * draw(&state));
    if (draw(&state) < one_way) {
      if (draw(&state) < 0.7) backward = 0;
      else forward = 0;
    }
    snprintf(name, sizeof name, "r%d", i);
    add_move(b, name, s[a], s[to], forward, backward);
  }
  return finish(b);
}

static void print_network(uint64_t seed, const ness_network *net)
{
  cme_solution solution;
  cme_cycles cycles;
  ness_diags *diags = ness_diags_create();
  solve(net, 0, &solution);
  CHECKED(cme_cycles_find(net, &solution, 0, diags, &cycles));
  printf("network %" PRIu64 " %d\n", seed, net->nstep);
  for (int32_t s = 0; s < net->nstep; s++) {
    printf("step %a %a %a %a\n", solution.dir_rate[2 * s], solution.dir_rate[2 * s + 1], solution.net_rate[s],
           solution.step_entropy[s]);
  }
  for (int32_t k = 0; k < solution.nparts; k++) {
    const cme_part *part = &solution.parts[k];
    printf("part %d %" PRId64 " %" PRId64 "\n", part->q.n, part->q.start[part->q.n], part->copies);
    for (int32_t i = 0; i < part->q.n; i++) {
      int64_t n[8];
      int32_t slot = 0;
      double weight = 0;
      cme_counts(part, i, n);
      while (!n[part->slot[slot]]) slot++;
      for (int32_t start = 0; start < part->nstart; start++) {
        if (part->start[start] == i) weight = part->start_weight[start];
      }
      printf("state %a %a %a %a\n", weight, part->p[i], solution.mean[part->slot[slot]],
             solution.var[part->slot[slot]]);
    }
    for (int32_t i = 0; i < part->q.n; i++) {
      for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
        printf("edge %d %d %d %a\n", i, part->q.to[e], part->dir[e], part->q.rate[e]);
      }
    }
  }
  for (int64_t c = 0; c < cycles.count; c++) {
    const cme_cycle *cycle = &cycles.cycle[c];
    printf("cycle %d %a %a %a %a", cycle->part, cycle->forward, cycle->backward, cycle->net, cycle->affinity);
    for (int32_t i = 0; i < cycle->length; i++) printf(" %d:%d", cycle->dir[i], cycle->state[i]);
    printf("\n");
  }
  printf("end %d\n", cycles.complete);
  cme_cycles_free(&cycles);
  cme_solution_free(&solution);
  ness_diags_free(diags);
}

int main(int argc, char **argv)
{
  const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 0,
                 last = argc > 2 ? strtoull(argv[2], NULL, 10) : 200;
  for (uint64_t seed = first; seed <= last; seed++) {
    ness_network *net = seed == 0 ? complete_graph(8, 5, 1) : random_network(seed);
    print_network(seed, net);
    network_free(net);
  }
  return 0;
}
