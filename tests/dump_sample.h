/* Sample networks and chunks for the tests of the dump. A chunk's numbers are closed formulas of replica, index, row
 * and column, which tests/dump_walk.py writes down a second time. */
#ifndef NESS_TESTS_DUMP_SAMPLE_H
#define NESS_TESTS_DUMP_SAMPLE_H

#include "engine/dump/dump.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_TEXT "model sample # a comment with \xc2\xb5 and caf\xc3\xa9\nr1: A <-> B @ 1, 2\n"

/* `slots` slots in a row joined by steps, one step fuelled, one with a formula; with a voltage, a cycle, an observable.
 */
static inline ness_network *sample_network(int32_t slots)
{
  network_builder *b = builder_create("sample", 310.15);
  char name[32];
  const int32_t volt = builder_voltage(b, "Vm", -2.5);
  const int32_t fuel = builder_reservoir(b, "F", 3.0, 0.005, 0, -1),
                waste = builder_reservoir(b, "W", -4.0, 1e-4, 1, volt);
  for (int32_t i = 0; i < slots; i++) {
    snprintf(name, sizeof name, i ? "S%d" : "A, \"first\"", (int)i);
    builder_slot(b, name, 100 + i, i % 2 ? 100000 : MODEL_NO_MAX, 0.25 * i, 0, -1, -1);
  }
  for (int32_t i = 0; i + 1 < slots; i++) {
    const int32_t left = i, right = i + 1;
    snprintf(name, sizeof name, "r%d", (int)i);
    builder_step_add(b, &(builder_step){.name = name,
                                        .text = "S <-> S",
                                        .line = i + 1,
                                        .nleft = 1,
                                        .nright = 1,
                                        .left = &left,
                                        .right = &right,
                                        .law = {LAW_MASS, LAW_MASS},
                                        .k = {1.5, 2.5},
                                        .lnk = (double)NAN});
  }
  const int32_t first = 0, second = 1;
  builder_step_add(b, &(builder_step){.name = "fuel",
                                      .text = "S1 + F <-> A + W",
                                      .line = 90,
                                      .nleft = 1,
                                      .nright = 1,
                                      .left = &second,
                                      .right = &first,
                                      .nres_left = 1,
                                      .nres_right = 1,
                                      .res_left = &fuel,
                                      .res_right = &waste,
                                      .law = {LAW_MASS, LAW_MASS},
                                      .k = {2.5, 1e-3},
                                      .lnk = (double)NAN});
  const tape_op tape[] = {{TAPE_SLOT, 0, 0, 0}, {TAPE_CONST, 0, 0, 0}, {TAPE_MUL, 0, 1, 0}};
  const double constants[] = {0.125};
  builder_step_add(b, &(builder_step){.name = "formula",
                                      .text = "A -> S1 @@ A/8",
                                      .line = 91,
                                      .nleft = 1,
                                      .nright = 1,
                                      .left = &first,
                                      .right = &second,
                                      .law = {LAW_TAPE, LAW_NONE},
                                      .nop = {3, 0},
                                      .tape = {tape, NULL},
                                      .constants = constants,
                                      .lnk = (double)NAN});
  const int32_t cycle_steps[] = {0, slots - 1}, by[] = {1, 1};
  builder_cycle(b, "turn", 2, cycle_steps, by);
  const int32_t kind = OBS_NET, id = 0;
  const double coef = 2.0;
  builder_observable(b, "flow", 1, &kind, &id, &coef);
  ness_diags *diags = ness_diags_create();
  ness_network *net = NULL;
  if (builder_finish(b, diags, &net)) {
    char *text = ness_diags_render(diags, 0);
    fprintf(stderr, "the sample network does not build: %s\n", text ? text : "");
    exit(2);
  }
  builder_free(b);
  ness_diags_free(diags);
  return net;
}

static inline dump_run sample_run(int32_t level)
{
  return (dump_run){.model_text = SAMPLE_TEXT,
                    .overrides = "V=-60 [mV]",
                    .command = "ness run sample.ness",
                    .version = "0.1.0",
                    .machine = "test",
                    .method = "direct",
                    .level = level,
                    .seed = 0xfedcba9876543210u,
                    .replicas = 1000000,
                    .block = 8,
                    .time = 100,
                    .events = 0,
                    .warmup = 1.5,
                    .window = 0.5,
                    .every = 0.25};
}

typedef struct sample_chunk {
  dump_chunk chunk;
  void *blocks[16];
  int nblocks;
} sample_chunk;

static inline void *sample_room(sample_chunk *self, int64_t n)
{
  void *block = calloc((size_t)n + 1, 8);
  if (!block) exit(2);
  self->blocks[self->nblocks++] = block;
  return block;
}

static inline const int64_t *sample_counts(sample_chunk *self, int64_t rows, int64_t width, int64_t a, int64_t b,
                                           int64_t modulus)
{
  int64_t *to = sample_room(self, rows * width);
  for (int64_t k = 0; k < rows; k++)
    for (int64_t i = 0; i < width; i++) to[k * width + i] = (a + b * k * (i + 1) + i) % modulus;
  return to;
}

static inline const double *sample_reals(sample_chunk *self, int64_t rows, int64_t width, double a)
{
  double *to = sample_room(self, rows * width);
  for (int64_t k = 0; k < rows; k++)
    for (int64_t i = 0; i < width; i++) to[k * width + i] = a + 0.125 * (double)k + 0.3 * (double)i;
  return to;
}

static inline sample_chunk sample_fill(const ness_network *net, int32_t level, int64_t replica, int64_t index,
                                       int64_t rows, int32_t last)
{
  sample_chunk self = {0};
  dump_chunk *c = &self.chunk;
  const int64_t slots = net->nslot, steps = net->nstep;
  *c = (dump_chunk){.replica = replica,
                    .index = index,
                    .last = last,
                    .stop = 0,
                    .t0 = 2.0 * (double)index,
                    .t1 = 2.0 * (double)index + 2,
                    .events = 10 * replica + index,
                    .counted = 1.75,
                    .tape_entropy = 0.1 * (double)index,
                    .rows = level == DUMP_SUMMARY ? 0 : rows};
  for (int i = 0; i < 4; i++) c->rng[i] = 0xf000000000000000u + (uint64_t)(replica * 4 + i);
  c->n0 = sample_counts(&self, 1, slots, replica, 0, 100);
  c->fwd = sample_counts(&self, 1, steps, replica * 1000 + index, 0, 70000);
  c->bwd = sample_counts(&self, 1, steps, replica * 5000000000, 0, INT64_MAX);
  c->dwell = sample_reals(&self, 1, slots, 1.0 / 3 + (double)replica);
  c->dwell2 = sample_reals(&self, 1, slots, 2.0 / 3);
  if (level == DUMP_SUMMARY) return self;
  double *time = sample_room(&self, rows);
  for (int64_t k = 0; k < rows; k++) time[k] = c->t0 + 2.0 * (double)(k + 1) / (double)rows;
  c->row_time = time;
  if (level == DUMP_EVENTS) {
    int32_t *dir = sample_room(&self, rows);
    for (int64_t k = 0; k < rows; k++) dir[k] = (int32_t)((k * 7 + replica) % (2 * steps));
    c->row_dir = dir;
    return self;
  }
  c->row_count = sample_counts(&self, rows, slots, replica, 37, 70000);
  if (level == DUMP_GRID) return self;
  c->row_fwd = sample_counts(&self, rows, steps, index, 3, 250);
  c->row_bwd = sample_counts(&self, rows, steps, index, 5, 60000);
  c->row_dwell = sample_reals(&self, rows, slots, 0.7);
  c->row_tape_entropy = sample_reals(&self, rows, 1, -0.5);
  return self;
}

static inline void sample_free(sample_chunk *self)
{
  for (int i = 0; i < self->nblocks; i++) free(self->blocks[i]);
  self->nblocks = 0;
}

#endif
