/* Speed of exact simulation with full bookkeeping. First five jobs, on one thread and on two. One line a job: events,
 * ns an event on one thread, ns an event on two (wall time, over all events), the speed-up, the bytes of a replica, and
 * what a hundred windows of the level flux add on one thread, with the events of a window; jobs of few states by method
 * jumps as well.
 * Jobs: a ring of six states, a fuelled pair at 100 molecules, the Vilar oscillator (2002), decaying dimers, and 1,000
 * sites in a row. The best of six repetitions counts. Then the oscillator and the row of sites with their reactions in
 * another order, one replica and many. Then rows of 100 to 500,000 sites (a million reactions), in order and shuffled:
 * ns an event of one replica in the middle of its run by both methods, the best of four. Last the decaying dimers
 * again, 10,000 to 10,000,000 monomers of one concentration up to 10 s, as far as that is 4,000,000 events: ns an event
 * of one replica by the direct method, by exact leaps and by tau-leaping, the best of four. */
#include "bench/jobs.h"
#include "engine/ssa/ssa.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds and events of one ensemble; seconds < 0 when it failed. */
static double job_run(const ness_network *net, const char *method, const char *level, double time, int64_t replicas,
                      int32_t threads, int64_t *events)
{
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .replicas = replicas,
                                         .time = time,
                                         .seed = 1,
                                         .threads = threads,
                                         .method = method,
                                         .level = level};
  ssa_result result;
  const double start = now();
  const ness_status status = ssa_ensemble(net, &options, NULL, NULL, NULL, &result);
  const double seconds = now() - start;
  *events = result.events;
  ssa_result_free(&result);
  return status ? -1 : seconds;
}

/* ns an event of one replica behind its first events; < 0 when there is no memory. */
static double row_time(const ness_network *net, const char *method, int64_t events)
{
  const ssa_kernel *const kernel = ssa_kernel_find(method, net);
  ssa_replica replica;
  double best = INFINITY;
  int32_t bad;
  if (ssa_replica_init(&replica, net, kernel) != NESS_OK) {
    return -1;
  }
  ssa_replica_start(&replica, net, kernel, 1, 0);
  ssa_advance(&replica, net, kernel, INFINITY, events, NULL, &bad);
  for (int repeat = 0; repeat < 4; repeat++) {
    const double start = now();
    ssa_advance(&replica, net, kernel, INFINITY, events, NULL, &bad);
    best = fmin(best, now() - start);
  }
  ssa_replica_free(&replica);
  return 1e9 * best / (double)events;
}

static bool rows_print(void)
{
  static const int32_t sites[] = {100, 300, 1000, 10000, 100000, 500000};
  printf("reactions  direct  composition  shuffled: direct  composition  bytes/reaction\n");
  for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++) {
    double ns[4];
    size_t bytes = 0;
    for (int k = 0; k < 4; k++) {
      ness_network *net = job_row(sites[i], k / 2);
      if (!net) {
        return false;
      }
      ns[k] = row_time(net, k % 2 ? "composition" : "direct", 1000000);
      bytes = ssa_replica_bytes(net, ssa_kernel_find("composition", net));
      network_free(net);
    }
    printf("%-9d %7.1f  %11.1f  %16.1f  %11.1f  %14.0f\n", 2 * (sites[i] - 1), ns[0], ns[1], ns[2], ns[3],
           (double)bytes / (2 * (sites[i] - 1)));
  }
  return true;
}

/* ns an event of one replica from its start to `time`; < 0 when there is no memory. */
static double leap_time(const ness_network *net, const char *method, double time)
{
  const ssa_kernel *const kernel = ssa_kernel_find(method, net);
  ssa_replica replica;
  double best = INFINITY;
  int32_t bad;
  if (ssa_replica_init(&replica, net, kernel) != NESS_OK) {
    return -1;
  }
  for (int repeat = 0; repeat < 4; repeat++) {
    const double start = now();
    ssa_replica_start(&replica, net, kernel, 1, repeat);
    while (replica.t < time) {
      ssa_advance(&replica, net, kernel, time, 0, NULL, &bad);
    }
    best = fmin(best, (now() - start) / (double)replica.events);
  }
  ssa_replica_free(&replica);
  return 1e9 * best;
}

static bool leaps_print(void)
{
  printf("monomers    direct   batch     tau\n");
  for (int64_t monomers = 10000; monomers <= 10000000; monomers *= 10) {
    const double time = monomers <= 1000000 ? 10 : 0.4;
    ness_network *const net = job_dimers(monomers, false);
    if (!net) {
      return false;
    }
    printf("%-10lld %7.2f  %6.2f  %6.2f\n", (long long)monomers, leap_time(net, "direct", time),
           leap_time(net, "batch", time), leap_time(net, "tau", time));
    network_free(net);
  }
  return true;
}

/* One job of whole ensembles by one method; false when it failed. */
static bool job_print(const job *what, const char *method)
{
  static const struct way {
    const char *level;
    int32_t threads;
  } ways[] = {{"summary", 1}, {"summary", 2}, {"flux", 1}};
  double best[3] = {INFINITY, INFINITY, INFINITY};
  int64_t events = 0;
  ness_network *net = what->make(false);
  for (int k = 0; k < 18 && net; k++) {
    const struct way *const way = &ways[k % 3];
    const double seconds = job_run(net, method, way->level, what->time, what->replicas, way->threads, &events);
    if (seconds < 0) {
      fprintf(stderr, "%s failed\n", what->name);
      return false;
    }
    best[k % 3] = fmin(best[k % 3], seconds);
  }
  if (net) {
    printf("%-6s %-7s %-10lld %11.2f  %11.2f  %8.2f  %13zu  %9.1f %%  %13.0f\n", what->name, method, (long long)events,
           1e9 * best[0] / (double)events, 1e9 * best[1] / (double)events, best[0] / best[1],
           ssa_replica_bytes(net, ssa_kernel_find(method, net)), 100 * (best[2] / best[0] - 1),
           (double)events / (100 * (double)what->replicas));
  }
  network_free(net);
  return net != NULL;
}

static bool jobs_print(void)
{
  printf("job    method  events     ns/event x1  ns/event x2  speed-up  bytes/replica  windows add  events/window\n");
  for (int j = 0; j < JOBS; j++) {
    if (!job_print(&jobs[j], jobs[j].make == job_chain ? "composition" : "direct")) return false;
    if (jobs[j].few && !job_print(&jobs[j], "jumps")) return false;
  }
  return true;
}

/* Whether the order of the reactions in a model matters to its speed: pairs run back to back, the best of six. */
static bool orders_print(void)
{
  printf("job    replicas  ns/event in order  shuffled  ratio\n");
  for (int k = 0; k < 4; k++) {
    const job *const what = &jobs[k < 2 ? 2 : 4];
    const int64_t replicas = k % 2 ? what->replicas : 1;
    const double time = what->time * (double)(what->replicas / replicas);
    double best[2] = {INFINITY, INFINITY};
    for (int repeat = 0; repeat < 12; repeat++) {
      int64_t events;
      ness_network *net = what->make(repeat % 2);
      const double seconds =
          net ? job_run(net, k < 2 ? "direct" : "composition", "summary", time, replicas, 1, &events) : -1;
      network_free(net);
      if (seconds < 0) {
        fprintf(stderr, "%s failed\n", what->name);
        return false;
      }
      best[repeat % 2] = fmin(best[repeat % 2], 1e9 * seconds / (double)events);
    }
    printf("%-6s %8lld %18.1f  %8.1f  %5.2f\n", what->name, (long long)replicas, best[0], best[1], best[1] / best[0]);
  }
  return true;
}

int main(void)
{
  return jobs_print() && orders_print() && rows_print() && leaps_print() ? 0 : 1;
}
