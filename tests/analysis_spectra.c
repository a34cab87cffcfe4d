/* Power spectra from events and from samples, against what they are: the exact ones beside them, a Lorentzian and its
 * corner, a Poisson process, and records of states. Seeds are fixed. A point may be off by five and a half errors with
 * the stripes' scatter in them, and a share of 0.95 intervals holds the exact value in a share of at least 0.86 of 300
 * points or more, which chance undercuts with 1e-9. */
#include "analysis_build.h"

#include "engine/rng/rng.h"

#define OFF 5.5

static char path[256];

static double point(const ness_doc *doc, int64_t k, const char *column)
{
  char key[96];
  snprintf(key, sizeof key, "spectra.points[%lld].%s", (long long)k, column);
  return ness_doc_number(doc, key);
}

static void beside_exact(const ness_doc *doc, int64_t *points, int64_t *inside)
{
  const int64_t n = ness_doc_count(doc, "spectra.points");
  CHECK(n > 8);
  for (int64_t k = 0; k < n; k++) {
    const double exact = point(doc, k, "exact"), low = point(doc, k, "low"), high = point(doc, k, "high");
    CHECK(fabs(point(doc, k, "z")) < OFF || (exact > 0.5 * low && exact < 2 * high));
    CHECK(low < point(doc, k, "estimate") && high > point(doc, k, "estimate"));
    *points += 1;
    *inside += exact > low && exact < high;
  }
}

static ness_doc *walk(const ness_network *net, int64_t replicas, double time, uint64_t seed)
{
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = "events",
                                         .replicas = replicas,
                                         .time = time,
                                         .warmup = 5,
                                         .seed = seed,
                                         .path = path,
                                         .overwrite = 1};
  return run_and_analyze(net, &options, NULL);
}

/* Driven rings, a fuel cycle, several copies, one long replica and many short ones. */
static void exact(void)
{
  int64_t points = 0, inside = 0;
  for (int k = 0; k < 12; k++) {
    ness_network *net = k % 3 == 0   ? ring(4, 3, 1, 1 + k % 2)
                        : k % 3 == 1 ? fuel_cycle(1, 8, 5, 0.05, 1 + k, true)
                                     : complete_graph(5, 40 + (uint64_t)k, 1);
    ness_doc *doc = walk(net, k % 2 ? 1 : 40, k % 2 ? 2000 : 205, 7 + (uint64_t)k);
    beside_exact(doc, &points, &inside);
    ness_doc_free(doc);
    network_free(net);
  }
  printf("exact values in intervals of 95 %%: %lld of %lld\n", (long long)inside, (long long)points);
  CHECK(points > 300 && (double)inside > 0.86 * (double)points);
}

/* Three copies that stop by events, in replicas of many chunks and of one, where nobody else asks for the times of
 * events: all of them are kept. */
static void by_events(void)
{
  int64_t points = 0, inside = 0;
  ness_network *net = ring(4, 3, 1, 3);
  for (int k = 0; k < 2; k++) {
    const ness_simulate_options options = {.struct_size = sizeof options,
                                           .level = "events",
                                           .replicas = k ? 64 : 2,
                                           .events = k ? 3000 : 110000,
                                           .seed = 4,
                                           .path = path,
                                           .overwrite = 1};
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    CHECK(ness_doc_number(doc, "spectra.events") == (double)(options.replicas * options.events));
    beside_exact(doc, &points, &inside);
    ness_doc_free(doc);
  }
  network_free(net);
}

/* Two states: S = 2 p q k / (k^2 + omega^2), and the corner is at k / 2 pi. */
static void corner(void)
{
  const double a = 2, b = 3, turn = 6.283185307179586;
  network_builder *build = builder_create("two", 0);
  const int32_t A = add_slot(build, "A", 1, MODEL_NO_MAX), B = add_slot(build, "B", 0, MODEL_NO_MAX);
  add_move(build, "turn", A, B, a, b);
  ness_network *net = finish(build);
  ness_doc *doc = walk(net, 16, 3000, 3);
  CHECK_STR(ness_doc_string(doc, "spectra.watched[1].kind"), "count");
  const double f = ness_doc_number(doc, "spectra.watched[1].corner_hz"),
               error = ness_doc_number(doc, "spectra.watched[1].corner_error");
  CHECK(fabs(f - (a + b) / turn) < OFF * error && error < 0.05 * f);
  for (int64_t k = 0; k < ness_doc_count(doc, "spectra.points"); k++) {
    char key[64];
    snprintf(key, sizeof key, "spectra.points[%lld].kind", (long long)k);
    const double omega = turn * point(doc, k, "f_hz"), pq = a * b / 25;
    if (strcmp(ness_doc_string(doc, key), "count") == 0)
      CHECK_REL(point(doc, k, "exact"), 2 * pq * 5 / (25 + omega * omega), 0.06); /* of the middle of its lines */
  }
  ness_doc_free(doc);
  network_free(net);
}

/* A record whose state is the parity of a Poisson process of rate r: the spectrum of n is that of a telegraph with
 * k = 2r, and no model is known. */
static void record(void)
{
  rng_stream r;
  rng_init(&r, 5, 0, 0);
  FILE *const file = fopen(path, "w");
  if (!file) exit(1);
  fprintf(file, "time,state\n");
  double t = 0;
  for (int k = 0; k < 60000; k++) {
    fprintf(file, "%.17g,%s\n", t, k % 2 ? "odd" : "even");
    t += -log1p(-rng_double(&r)) / 4;
  }
  fclose(file);
  ness_doc *doc = analyze(path, NULL);
  const double f = ness_doc_number(doc, "spectra.watched[1].corner_hz"),
               error = ness_doc_number(doc, "spectra.watched[1].corner_error");
  CHECK(fabs(f - 8 / 6.283185307179586) < OFF * error && error < 0.08 * f);
  CHECK(fabs(ness_doc_number(doc, "spectra.watched[1].lowest") - 2 * 0.25 / 8) < 0.5 * 2 * 0.25 / 8);
  ness_doc_free(doc);
}

/* Threads change no bit. */
static void threads(void)
{
  ness_network *net = ring(3, 2, 1, 1);
  ness_doc_free(walk(net, 8, 300, 1));
  simulate(net, &(ness_simulate_options){.struct_size = sizeof(ness_simulate_options),
                                         .level = "events",
                                         .replicas = 8,
                                         .time = 300,
                                         .seed = 1,
                                         .path = path,
                                         .overwrite = 1});
  char *text[2];
  for (int k = 0; k < 2; k++) {
    ness_doc *doc =
        analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = 1 + 3 * k});
    text[k] = ness_doc_json(doc);
    ness_doc_free(doc);
  }
  CHECK_STR(text[0], text[1]);
  ness_text_free(text[0]);
  ness_text_free(text[1]);
  network_free(net);
}

/* --- samples --- */

static ness_doc *look(const ness_network *net, int64_t replicas, double time, double every, uint64_t seed, int threads)
{
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = "grid",
                                         .replicas = replicas,
                                         .time = 60 + time,
                                         .warmup =
                                             60, /* copies that come and go take 7 s to be as many as they will be */
                                         .every = every,
                                         .seed = seed,
                                         .path = path,
                                         .overwrite = 1};
  return run_and_analyze(net, &options,
                         &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = threads});
}

/* Rings, graphs and copies that come and go, sampled so that much is folded back and so that little is: up to 31/64 of
 * the rate of samples. */
static void samples_exact(void)
{
  int64_t points = 0, inside = 0;
  for (int k = 0; k < 16; k++) {
    network_builder *b = builder_create("open", 0);
    const int32_t A = add_slot(b, "A", 0, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
    add_move(b, "in", -1, A, 5, 1);
    add_move(b, "ab", A, B, 2, 0.5);
    ness_network *open = finish(b);
    ness_network *net = k % 4 == 0   ? ring(4, 3, 1, 1 + k % 3)
                        : k % 4 == 1 ? complete_graph(5, 40 + (uint64_t)k, 1)
                        : k % 4 == 2 ? open
                                     : square_with_chord(2);
    const double every = k % 3 == 0 ? 0.02 : k % 3 == 1 ? 0.2 : 1;
    ness_doc *doc = look(net, k % 2 ? 2 : 30, (k % 2 ? 16000 : 1100) * every, every, 70 + (uint64_t)k, 0);
    CHECK_REL(ness_doc_number(doc, "spectra.nyquist_hz"), 0.5 / every, 1e-12);
    const int64_t last = ness_doc_count(doc, "spectra.points") - 1;
    CHECK_REL(point(doc, last, "f_hz"), 27.5 / 64 / every, 1e-12); /* the middle of lines 24 ... 31 of 64 */
    CHECK(!isnan(point(doc, last, "exact")));
    beside_exact(doc, &points, &inside);
    ness_doc_free(doc);
    network_free(net);
    if (net != open) network_free(open);
  }
  printf("exact values of samples in intervals of 95 %%: %lld of %lld\n", (long long)inside, (long long)points);
  CHECK(points > 150 && (double)inside > 0.83 * (double)points);
}

/* Two states and an observable of counts: the corner is found though it lies close to the end, and any slow sampling is
 * white noise of Delta times the variance. */
static void samples_corner(void)
{
  network_builder *b = builder_create("two", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "turn", A, B, 2, 3);
  const int32_t kinds[2] = {OBS_COUNT, OBS_COUNT}, ids[2] = {A, B}, net_kind[1] = {OBS_NET}, step[1] = {0};
  const double coefs[2] = {3, 1}, one[1] = {1};
  builder_observable(b, "flow", 1, net_kind, step, one);
  builder_observable(b, "level", 2, kinds, ids, coefs);
  ness_network *net = finish(b);
  ness_doc *doc = look(net, 16, 3200, 0.2, 3, 0);
  CHECK_STR(ness_doc_string(doc, "spectra.watched[0].of"), "level");
  CHECK_STR(ness_doc_string(doc, "spectra.watched[0].kind"), "observable");
  CHECK_REL(ness_doc_number(doc, "spectra.watched[0].lowest"), 4 * ness_doc_number(doc, "spectra.watched[1].lowest"),
            1e-9);
  const double f = ness_doc_number(doc, "spectra.watched[1].corner_hz"),
               error = ness_doc_number(doc, "spectra.watched[1].corner_error");
  CHECK(fabs(f - 5 / 6.283185307179586) < OFF * error &&
        error < 0.007 * f); /* taken as it is seen, it would be 4 % higher */
  ness_doc_free(doc);
  doc = look(net, 16, 20000, 20, 4, 0);
  for (int64_t k = 0; k < ness_doc_count(doc, "spectra.points"); k++) {
    CHECK_REL(point(doc, k, "exact"), (k < ness_doc_count(doc, "spectra.points") / 2 ? 4 : 1) * 20 * 0.24, 1e-9);
    CHECK(fabs(point(doc, k, "z")) < OFF);
  }
  CHECK(isnan(ness_doc_number(doc, "spectra.watched[1].corner_hz")));
  ness_doc_free(doc);
  doc = look(net, 16, 40, 1, 4, 0); /* 40 samples a replica: no spectrum */
  CHECK(ness_doc_string(doc, "spectra.method") == NULL);
  ness_doc_free(doc);
  char *text[2];
  for (int k = 0; k < 2; k++) {
    doc = look(net, 3, 1000, 0.1, 5, 1 + 3 * k);
    text[k] = ness_doc_json(doc);
    ness_doc_free(doc);
  }
  CHECK_STR(text[0], text[1]);
  for (int k = 0; k < 2; k++) ness_text_free(text[k]);
  network_free(net);
}

int main(void)
{
  test_path(path, "analysis_spectra");
  exact();
  by_events();
  corner();
  record();
  threads();
  samples_exact();
  samples_corner();
  unlink(path);
  return check_done();
}
