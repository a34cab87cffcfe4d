/* Many small trajectories through the tests of memory: how often each cries wolf, and how often it finds what is
 * hidden. Trajectories are made here, by drawing times and targets from the rates one after another. */
#ifndef NESS_TESTS_ANALYSIS_MEMORY_H
#define NESS_TESTS_ANALYSIS_MEMORY_H

#include "analysis/memory.h"
#include "analysis_build.h"
#include "engine/rng/rng.h"

typedef struct memory_job {
  const ness_network *net;  /* that moves */
  const ness_network *seen; /* that is seen */
  const int32_t *map;       /* state of net -> state of seen; NULL: the same */
  int replicas;
  double time;  /* of each */
  double step;  /* > 0: a chain in discrete time, with chances rate * step */
  double tick;  /* > 0: times are rounded down to whole ticks */
  double drift; /* rates are exp(drift * t / time) times as fast */
} memory_job;

typedef struct memory_study {
  int sets, tested[MEMORY_TESTS], rejected[MEMORY_TESTS], family;
} memory_study;

static inline int32_t seen_dir(const ness_network *net, int32_t from, int32_t to)
{
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    const int32_t c = net->change_start[d / 2], up = (net->change_by[c] < 0) == (d % 2 == 0);
    if (net->change_slot[c + !up] == from && net->change_slot[c + up] == to) return d;
  }
  exit(2);
}

/* The direction that the network of `net` takes from `state`, drawn by its rates; *total is their sum. */
static inline int32_t draw_dir(const ness_network *net, int32_t state, rng_stream *rng, double *total)
{
  double sum = 0;
  *total = 0;
  for (int32_t d = 0; d < 2 * net->nstep; d++)
    if (net->react_slot[net->react_start[d]] == state) *total += net->dir_k[d];
  const double at = rng_double(rng) * *total;
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    if (net->react_slot[net->react_start[d]] != state) continue;
    sum += net->dir_k[d];
    if (sum > at) return d;
  }
  exit(2);
}

#define MEMORY_ROWS 65536

static inline void memory_trajectory(const memory_job *job, int32_t replica, rng_stream *rng, memory_counts *past)
{
  static double time[MEMORY_ROWS];
  static int32_t dir[MEMORY_ROWS];
  int64_t n0[16] = {0}, rows = 0;
  int32_t state = (int32_t)rng_below(rng, (uint64_t)job->net->nslot);
  int32_t shown = job->map ? job->map[state] : state;
  double t = 0, total;
  n0[shown] = 1;
  for (;;) {
    const int32_t d = draw_dir(job->net, state, rng, &total);
    if (job->step > 0) {
      t += job->step;
      if (t <= job->time && rng_double(rng) >= total * job->step) continue;
    } else {
      t += rng_exp(rng) / (total * exp(job->drift * t / job->time));
    }
    if (t > job->time || rows == MEMORY_ROWS) break;
    const int32_t c = job->net->change_start[d / 2], up = (job->net->change_by[c] < 0) == (d % 2 == 0);
    state = job->net->change_slot[c + up];
    const int32_t now = job->map ? job->map[state] : state;
    if (now == shown) continue;
    dir[rows] = seen_dir(job->seen, shown, now);
    time[rows++] = job->tick > 0 ? floor(t / job->tick) * job->tick : t;
    shown = now;
  }
  const dump_chunk chunk = {.replica = replica,
                            .last = 1,
                            .t1 = job->time,
                            .n0 = n0,
                            .events = rows,
                            .rows = rows,
                            .row_time = time,
                            .row_dir = dir,
                            .row_dir_stored = dir,
                            .row_dir_bytes = 4};
  if (memory_follow(past, &chunk)) exit(2);
}

static inline memory_study memory_run(const memory_job *job, int first, int sets)
{
  memory_study out = {.sets = sets};
  for (int k = 0; k < sets; k++) {
    memory_counts *past = NULL;
    memory_result result;
    rng_stream rng;
    rng_init(&rng, (uint64_t)(first + k), 0, 0);
    if (memory_create(job->seen, job->replicas, job->step > 0 ? job->step : job->tick, &past) || !past) exit(2);
    for (int32_t r = 0; r < job->replicas; r++) memory_trajectory(job, r, &rng, past);
    if (memory_finish(past, &result)) exit(2);
    for (int t = 0; t < MEMORY_TESTS; t++) {
      out.tested[t] += result.test[t].freedom > 0;
      out.rejected[t] += result.test[t].p < 0.05;
    }
    out.family += result.p < 0.05;
    memory_free(past);
  }
  return out;
}

static inline void memory_print(const char *what, const memory_study *s)
{
  printf("%-28s sets %d  rejected", what, s->sets);
  for (int t = 0; t < MEMORY_TESTS; t++) printf(" %.4f", (double)s->rejected[t] / (s->tested[t] ? s->tested[t] : 1));
  printf(" (each +- %.4f)  by Holm %.4f\n", sqrt(0.05 * 0.95 / s->sets), (double)s->family / s->sets);
}

/* Four states, every pair joined: driven, and with rates from 0.3 to 4. */
static inline ness_network *four_states(void)
{
  network_builder *b = builder_create("four", 0);
  int32_t s[4];
  static const char *const names[4] = {"A", "B", "C", "D"};
  for (int i = 0; i < 4; i++) s[i] = add_slot(b, names[i], i == 0, MODEL_NO_MAX);
  add_move(b, "ab", s[0], s[1], 2, 1);
  add_move(b, "bc", s[1], s[2], 4, 1);
  add_move(b, "cd", s[2], s[3], 1, 2);
  add_move(b, "da", s[3], s[0], 3, 0.3);
  add_move(b, "ac", s[0], s[2], 0.5, 0.7);
  add_move(b, "bd", s[1], s[3], 1, 1.5);
  return finish(b);
}

/* A ring of three whose first state is two, a short and a long one, that are not told apart. */
static inline ness_network *hidden_ring(void)
{
  network_builder *b = builder_create("hidden", 0);
  int32_t s[4];
  static const char *const names[4] = {"A", "A2", "B", "C"};
  for (int i = 0; i < 4; i++) s[i] = add_slot(b, names[i], i == 0, MODEL_NO_MAX);
  add_move(b, "aa", s[0], s[1], 0.1, 0.1);
  add_move(b, "ab", s[0], s[2], 5, 2);
  add_move(b, "a2c", s[1], s[3], 1, 2);
  add_move(b, "bc", s[2], s[3], 2, 1);
  add_move(b, "ca", s[3], s[0], 2, 1);
  return finish(b);
}

#endif
