/* The networks of the five jobs by which exact simulation is measured: in time by bench_ssa, in instructions by
 * tests/speed_instructions_slow.py. a: a ring of six states; b: a fuelled pair at 100 molecules; c: the Vilar
 * oscillator (2002); d: decaying dimers; e: 1,000 sites in a row, whose rows of any length stand here too. */
#ifndef BENCH_JOBS_H
#define BENCH_JOBS_H

#include "engine/model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct job_step {
  double kf, kb;
  int nleft, left[3], nright, right[3];
} job_step;

static inline ness_network *job_network(const char *name, int nslot, const int64_t *start, int nstep,
                                        const job_step *steps)
{
  network_builder *b = builder_create(name, 0);
  ness_network *net = NULL;
  for (int i = 0; i < nslot; i++) {
    char slot[16];
    snprintf(slot, sizeof slot, "s%d", i);
    builder_slot(b, slot, start[i], MODEL_NO_MAX, 0, 0, -1, -1);
  }
  for (int i = 0; i < nstep; i++) {
    const job_step *s = &steps[i];
    char text[16];
    snprintf(text, sizeof text, "r%d", i);
    const builder_step step = {.name = text,
                               .text = text,
                               .nleft = s->nleft,
                               .left = s->left,
                               .nright = s->nright,
                               .right = s->right,
                               .law = {s->kf > 0 ? LAW_MASS : LAW_NONE, s->kb > 0 ? LAW_MASS : LAW_NONE},
                               .k = {s->kf, s->kb},
                               .lnk = NAN};
    builder_step_add(b, &step);
  }
  if (builder_finish(b, NULL, &net) != NESS_OK) {
    fprintf(stderr, "cannot build %s\n", name);
  }
  builder_free(b);
  return net;
}

static inline void job_shuffle(job_step *steps, int nstep)
{
  uint64_t mix = 1;
  for (int i = nstep - 1; i > 0; i--) {
    mix = mix * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const int other = (int)((mix >> 33) % (uint64_t)(i + 1));
    const job_step step = steps[i];
    steps[i] = steps[other];
    steps[other] = step;
  }
}

static inline ness_network *job_ring(bool shuffled)
{
  const int64_t start[6] = {1};
  job_step steps[] = {{100, 40, 1, {0}, 1, {1}}, {200, 30, 1, {1}, 1, {2}}, {150, 60, 1, {2}, 1, {3}},
                      {300, 50, 1, {3}, 1, {4}}, {250, 24, 1, {4}, 1, {5}}, {120, 20, 1, {5}, 1, {0}}};
  if (shuffled) job_shuffle(steps, 6);
  return job_network("ring", 6, start, 6, steps);
}

static inline ness_network *job_fuel(bool shuffled)
{
  const int64_t start[] = {50, 50, 1000, 10};
  job_step steps[] = {{1, 2, 1, {0}, 1, {1}}, {0.01, 0, 2, {1, 2}, 2, {0, 2}}, {0.01, 0, 2, {0, 3}, 2, {1, 3}}};
  if (shuffled) job_shuffle(steps, 3);
  return job_network("fuel", 4, start, 3, steps);
}

static inline ness_network *job_vilar(bool shuffled)
{
  enum { Da, Dr, Dpa, Dpr, Ma, Mr, A, R, C };
  const int64_t start[9] = {1, 1};
  job_step steps[] = {
      {1, 0, 2, {Da, A}, 1, {Dpa}},    {1, 0, 2, {Dr, A}, 1, {Dpr}},    {50, 0, 1, {Dpa}, 2, {Da, A}},
      {100, 0, 1, {Dpr}, 2, {Dr, A}},  {50, 0, 1, {Da}, 2, {Da, Ma}},   {500, 0, 1, {Dpa}, 2, {Dpa, Ma}},
      {0.01, 0, 1, {Dr}, 2, {Dr, Mr}}, {50, 0, 1, {Dpr}, 2, {Dpr, Mr}}, {50, 0, 1, {Ma}, 2, {Ma, A}},
      {5, 0, 1, {Mr}, 2, {Mr, R}},     {2, 0, 2, {A, R}, 1, {C}},       {10, 0, 1, {Ma}, 0, {0}},
      {0.5, 0, 1, {Mr}, 0, {0}},       {1, 0, 1, {A}, 0, {0}},          {0.2, 0, 1, {R}, 0, {0}},
      {1, 0, 1, {C}, 1, {R}}};
  if (shuffled) job_shuffle(steps, 16);
  return job_network("vilar", 9, start, 16, steps);
}

/* So many monomers, at one concentration. */
static inline ness_network *job_dimers(int64_t monomers, bool shuffled)
{
  const int64_t start[] = {monomers, 0, 0};
  job_step steps[] = {{1, 0, 1, {0}, 0, {0}},
                      {100.0 / (double)monomers, 0, 2, {0, 0}, 1, {1}},
                      {0.5, 0, 1, {1}, 2, {0, 0}},
                      {0.04, 0, 1, {1}, 1, {2}}};
  if (shuffled) job_shuffle(steps, 4);
  return job_network("dimer", 3, start, 4, steps);
}

static inline ness_network *job_dimer(bool shuffled)
{
  return job_dimers(100000, shuffled);
}

/* Sites in a row with 10 each; the reactions in their order, or shuffled. */
static inline ness_network *job_row(int32_t sites, bool shuffled)
{
  int64_t *const start = malloc((size_t)sites * sizeof *start);
  job_step *const steps = malloc((size_t)sites * sizeof *steps);
  ness_network *net = NULL;
  if (start && steps) {
    for (int32_t i = 0; i < sites; i++) {
      start[i] = 10;
      steps[i] = (job_step){1, 1, 1, {i}, 1, {i + 1}};
    }
    if (shuffled) job_shuffle(steps, sites - 1);
    net = job_network("row", sites, start, sites - 1, steps);
  }
  free(start);
  free(steps);
  return net;
}

static inline ness_network *job_chain(bool shuffled)
{
  return job_row(1000, shuffled);
}

typedef struct job {
  const char *name;
  ness_network *(*make)(bool shuffled); /* the reactions in their order, or in another */
  double time;                          /* s */
  int64_t replicas;
  bool few; /* states: method jumps takes it */
} job;

static const job jobs[] = {{"ring", job_ring, 100, 256, true},
                           {"fuel", job_fuel, 20, 512, true},
                           {"vilar", job_vilar, 25, 32, false},
                           {"dimer", job_dimer, 10, 16, false},
                           {"chain", job_chain, 2, 64, false}};

enum { JOBS = sizeof jobs / sizeof jobs[0] };

#endif
