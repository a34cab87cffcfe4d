/* Networks and calls that the tests of analysis/ share. */
#ifndef NESS_TESTS_ANALYSIS_BUILD_H
#define NESS_TESTS_ANALYSIS_BUILD_H

#include "check.h"
#include "cme_build.h"
#include "engine/dump/dump.h"
#include "engine/ssa/ssa.h"
#include <ness/analyze.h>
#include <unistd.h>

/* A <-> B thermal, and B + F <-> A + W with F and W held. */
static inline ness_network *fuel_cycle(double k1, double k2, double k3, double k4, int64_t copies, bool declared)
{
  network_builder *b = builder_create("fuel", 0);
  const int32_t A = add_slot(b, "A", copies, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  const int32_t F = builder_reservoir(b, "F", log(k3 * k1 / (k2 * k4)), 1, 0, -1);
  const int32_t W = builder_reservoir(b, "W", 0, 1, 0, -1);
  add_carry(b, "r1", A, B, -1, -1, k1, k2, log(k1 / k2));
  add_carry(b, "r2", B, A, F, W, k3, k4, log(k3 / k4));
  const int32_t steps[2] = {0, 1}, by[2] = {1, 1}, net[1] = {OBS_NET}, id[1] = {0};
  const double one[1] = {1};
  if (declared) builder_cycle(b, "fuel", 2, steps, by);
  builder_observable(b, "turnover", 1, net, id, one);
  return finish(b);
}

/* n states in a ring; every k+ is `up`, every k- is `down`. */
static inline ness_network *ring(int n, double up, double down, int64_t copies)
{
  network_builder *b = builder_create("ring", 0);
  int32_t s[64];
  char name[16];
  for (int i = 0; i < n; i++) {
    snprintf(name, sizeof name, "E%d", i + 1);
    s[i] = add_slot(b, name, i ? 0 : copies, MODEL_NO_MAX);
  }
  for (int i = 0; i < n; i++) {
    snprintf(name, sizeof name, "e%d", i + 1);
    add_move(b, name, s[i], s[(i + 1) % n], up, down);
  }
  return finish(b);
}

static inline void test_path(char out[256], const char *what)
{
  const char *folder = getenv("TMPDIR");
  snprintf(out, 256, "%s/ness_%s_%ld.msgpack", folder && strlen(folder) < 180 ? folder : "/tmp", what, (long)getpid());
}

static inline void simulate(const ness_network *net, const ness_simulate_options *options)
{
  ness_diags *diags = ness_diags_create();
  const ness_status status = ssa_ensemble(net, options, "", "", diags, NULL);
  if (status) {
    char *text = ness_diags_render(diags, 0);
    fprintf(stderr, "%s: %s\n", ness_status_text(status), text ? text : "");
    exit(1);
  }
  ness_diags_free(diags);
}

static inline ness_doc *analyze(const char *path, const ness_analyze_options *options)
{
  ness_diags *diags = ness_diags_create();
  ness_doc *doc = NULL;
  const ness_status status = ness_analyze(path, options, diags, &doc);
  if (status) {
    char *text = ness_diags_render(diags, 0);
    fprintf(stderr, "%s: %s\n", ness_status_text(status), text ? text : "");
    exit(1);
  }
  ness_diags_free(diags);
  return doc;
}

static inline ness_doc *run_and_analyze(const ness_network *net, const ness_simulate_options *options,
                                        const ness_analyze_options *how)
{
  simulate(net, options);
  ness_doc *doc = analyze(options->path, how);
  return doc;
}

/* Four states in a ring and a chord, two independent cycles; drive 0: in equilibrium. */
static inline ness_network *square_with_chord(double drive)
{
  network_builder *b = builder_create("chord", 0);
  int32_t s[4];
  const char *const names[4] = {"E1", "E2", "E3", "E4"};
  for (int k = 0; k < 4; k++) s[k] = add_slot(b, names[k], k == 0, MODEL_NO_MAX);
  add_move(b, "a", s[0], s[1], 2 * exp(drive), 1);
  add_move(b, "b", s[1], s[2], 1.5, 1);
  add_move(b, "c", s[2], s[0], 1, 3);
  add_move(b, "d", s[2], s[3], 1, 2);
  add_move(b, "e", s[3], s[0], 2, 3);
  return finish(b);
}

/* A record of one molecule in a ring of four states, 2 a second forward and 1 back: a b E3 E4, 300,000 rows. */
static inline void ring_record(const char *path)
{
  static const char *const names[4] = {"a", "b", "E3", "E4"};
  rng_stream r;
  rng_init(&r, 5, 0, 0);
  FILE *const file = fopen(path, "w");
  if (!file) exit(1);
  fprintf(file, "time,state\n");
  double t = 0;
  for (int k = 0, state = 0; k < 300000; k++) {
    fprintf(file, "%.9f,%s\n", t, names[state]);
    t += -log1p(-rng_double(&r)) / 3;
    state = (state + (rng_double(&r) < 2.0 / 3 ? 1 : 3)) % 4;
  }
  fclose(file);
}

#endif
