/* ness_analyze on simulated dumps of every level against closed forms and exact values; thread independence, damage,
 * interrupts, failing memory. All seeds are fixed; a |z| beyond 4.5 has a chance of 7e-6. */
#include "analysis_build.h"
#include <ness/interrupt.h>

static char path[256];

static ness_simulate_options run_options(const char *level, int64_t replicas, double time, uint64_t seed)
{
  return (ness_simulate_options){.struct_size = sizeof(ness_simulate_options),
                                 .level = level,
                                 .replicas = replicas,
                                 .time = time,
                                 .seed = seed,
                                 .path = path,
                                 .overwrite = 1};
}

/* Every z of the tables is small; returns how many there were. */
static int check_z(const ness_doc *doc, const char *table, double limit)
{
  char key[96];
  int seen = 0;
  for (int32_t i = 0; i < ness_doc_count(doc, table); i++) {
    snprintf(key, sizeof key, "%s[%d].z", table, (int)i);
    const double z = ness_doc_number(doc, key);
    if (isnan(z)) continue;
    seen++;
    if (!(fabs(z) < limit)) fprintf(stderr, "%s = %g\n", key, z);
    CHECK(fabs(z) < limit);
  }
  return seen;
}

static bool begins(const char *text, const char *with)
{
  return text && strncmp(text, with, strlen(with)) == 0;
}

static void driven_levels(void)
{
  static const char *const levels[] = {"summary", "flux", "grid", "events"};
  ness_network *net = fuel_cycle(1, 100, 50, 0.005, 20, true);
  for (int i = 0; i < 4; i++) {
    ness_simulate_options options = run_options(levels[i], 64, 60, 11 + (uint64_t)i);
    options.warmup = 5;
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    CHECK_REL(ness_doc_number(doc, "cycles[0].exact"), 20 * 0.327803715109, 1e-10);
    CHECK_REL(ness_doc_number(doc, "entropy.thermodynamic.exact"), 20 * 1.50959189568, 1e-10);
    CHECK_REL(ness_doc_number(doc, "cycles[0].affinity_model"), log(100), 1e-12);
    CHECK(check_z(doc, "steps", 4.5) == 2);
    CHECK(check_z(doc, "means", 4.5) == 2);
    CHECK(check_z(doc, "reservoirs", 4.5) == 2);
    CHECK(check_z(doc, "cycles", 4.5) >= 1);
    CHECK(check_z(doc, "observables", 4.5) == 1);
    CHECK(fabs(ness_doc_number(doc, "entropy.thermodynamic.z")) < 4.5);
    CHECK(fabs(ness_doc_number(doc, "entropy.plug_in.z")) < 4.5);
    CHECK(ness_doc_number(doc, "entropy.thermodynamic.closure") < 1e-9);
    CHECK_STR(ness_doc_string(doc, "run.batches"), "64 replica batches");
    CHECK_STR(ness_doc_string(doc, "run.level"), levels[i]);
    CHECK(begins(ness_doc_string(doc, "verdict"), "driven, by cycle fuel, by "));
    CHECK(ness_doc_number(doc, "cycles[0].affinity_data") > 0);
    const double a = ness_doc_number(doc, "cycles[0].affinity_data"),
                 e = ness_doc_number(doc, "cycles[0].affinity_error");
    CHECK(fabs(a - log(100)) < 4.5 * e && e < 0.3);
    ness_doc_free(doc);
  }
  network_free(net);
}

static void fuel_figures(void)
{
  ness_network *net = fuel_cycle(1, 2, 500 * 5e-3, 10 * 1e-4, 500, true);
  ness_simulate_options options = run_options("flux", 64, 30, 5);
  options.warmup = 10;
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK_REL(ness_doc_number(doc, "cycles[0].exact") / 500, 0.45410, 1e-5);
  CHECK_REL(ness_doc_number(doc, "cycles[0].affinity_model"), log(1250), 1e-12);
  CHECK_REL(ness_doc_number(doc, "entropy.thermodynamic.exact") / 500, 3.2381, 5e-5);
  CHECK(fabs(ness_doc_number(doc, "cycles[0].z")) < 4.5);
  CHECK(fabs(ness_doc_number(doc, "entropy.thermodynamic.z")) < 4.5);
  CHECK(fabs(ness_doc_number(doc, "entropy.thermodynamic.sources[0].z")) < 4.5);
  ness_doc_free(doc);
  network_free(net);
}

static void equilibrium_twin(void)
{
  static const char *const levels[] = {"summary", "events"};
  for (int i = 0; i < 2; i++) {
    ness_network *net = fuel_cycle(1, 100, 0.5, 0.005, 1, true); /* F/W at its equilibrium value */
    ness_simulate_options options = run_options(levels[i], 64, 3000, 3);
    options.warmup = 1;
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    CHECK(begins(ness_doc_string(doc, "verdict"), "consistent with equilibrium"));
    CHECK(ness_doc_number(doc, "balance.p") > 0.001);
    const double seen = ness_doc_number(doc, "balance.smallest_affinity_seen");
    CHECK(seen > 0.01 && seen < 1);
    CHECK(ness_doc_number(doc, "entropy.plug_in.low") <= 0);
    const double bound = ness_doc_number(doc, "entropy.plug_in.high");
    CHECK(bound > 0 && bound < 1e-3);
    CHECK_REL(ness_doc_number(doc, "entropy.plug_in.bias_at_equilibrium"), 2 / ness_doc_number(doc, "run.time"), 1e-12);
    ness_doc_free(doc);
    network_free(net);
  }
}

/* Loop erasure against the exact fluxes, in a ring and where a leak makes three cycles; by replicas and by time. */
static void loops_exactly(void)
{
  for (int i = 0; i < 4; i++) {
    network_builder *b = builder_create("two rings", 0);
    int32_t s[4];
    const char *const names[4] = {"E1", "E2", "E3", "E4"};
    for (int k = 0; k < 4; k++) s[k] = add_slot(b, names[k], k == 0, MODEL_NO_MAX);
    add_move(b, "a", s[0], s[1], 2, 1);
    add_move(b, "b", s[1], s[2], 1.5, 1);
    add_move(b, "c", s[2], s[0], 1, 0.5);
    add_move(b, "d", s[2], s[3], 1, 2);
    add_move(b, "e", s[3], s[0], 3, 0.7);
    if (i == 3) add_move(b, "a2", s[0], s[1], 0.3, 0.9); /* beside a: a parallel step */
    ness_network *net = finish(b);
    ness_simulate_options options = run_options("events", i == 1 ? 1 : i == 2 ? 5 : 64, i == 1 ? 60000 : 2000, 21);
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    char key[64];
    int loops = 0;
    for (int32_t c = 0; c < ness_doc_count(doc, "cycles"); c++) {
      snprintf(key, sizeof key, "cycles[%d].kind", (int)c);
      if (strcmp(ness_doc_string(doc, key), "loop-erased") != 0) continue;
      loops++;
      const char *const columns[] = {"z", "forward_z", "backward_z", "log_ratio_z"};
      for (int k = 0; k < 4; k++) {
        snprintf(key, sizeof key, "cycles[%d].%s", (int)c, columns[k]);
        const double z = ness_doc_number(doc, key);
        if (!(fabs(z) < 4.5)) fprintf(stderr, "case %d: %s = %g\n", i, key, z);
        CHECK(fabs(z) < 4.5);
      }
    }
    CHECK(loops == (i == 3 ? 6 : 3));
    CHECK_STR(ness_doc_string(doc, "loop_erasure.available"), "yes");
    CHECK(ness_doc_number(doc, "loop_erasure.states") == 4);
    CHECK(fabs(ness_doc_number(doc, "entropy.plug_in.z")) < 4.5);
    CHECK(ness_doc_number(doc, "entropy.plug_in.independent_cycles") == (i == 3 ? 3 : 2));
    CHECK(check_z(doc, "steps", 4.5) == net->nstep);
    CHECK(ness_doc_string(doc, "run.batches") != NULL);
    CHECK((strstr(ness_doc_string(doc, "run.batches"), "time") != NULL) == (i == 1 || i == 2));
    ness_doc_free(doc);
    network_free(net);
  }
}

/* Two proteins that do not meet, one of several copies: parts are followed apart. */
static void loops_parts_apart(void)
{
  network_builder *b = builder_create("parts", 0);
  int32_t s[6];
  const char *const names[6] = {"A1", "A2", "A3", "B1", "B2", "B3"};
  for (int k = 0; k < 6; k++) s[k] = add_slot(b, names[k], k == 0 ? 1 : k == 3 ? 3 : 0, MODEL_NO_MAX);
  for (int k = 0; k < 6; k++) {
    char name[8];
    snprintf(name, sizeof name, "%c%d", 'a' + k / 3, k % 3);
    add_move(b, name, s[k], s[k / 3 * 3 + (k + 1) % 3], k < 3 ? 2 : 1.2, 1);
  }
  ness_network *net = finish(b);
  const ness_simulate_options options = run_options("events", 32, 500, 8);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(ness_doc_number(doc, "loop_erasure.states") == 3 + 10);
  CHECK(ness_doc_string(doc, "loop_erasure.note") != NULL);
  int single = 0;
  for (int32_t c = 0; c < ness_doc_count(doc, "cycles"); c++) {
    char key[64];
    snprintf(key, sizeof key, "cycles[%d].cycle", (int)c);
    if (strcmp(ness_doc_string(doc, key), "a0 + a1 + a2") != 0) continue;
    snprintf(key, sizeof key, "cycles[%d].log_ratio", (int)c);
    const double ratio = ness_doc_number(doc, key);
    if (isnan(ratio)) continue; /* the row of the basis */
    single++;
    CHECK(fabs(ratio - 3 * log(2)) < 0.3);
    snprintf(key, sizeof key, "cycles[%d].forward_z", (int)c);
    CHECK(fabs(ness_doc_number(doc, key)) < 4.5);
  }
  CHECK(single == 1);
  ness_doc_free(doc);
  network_free(net);
}

static void one_way(void)
{
  network_builder *b = builder_create("one way", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "go", A, B, 1, 1);
  add_move(b, "burn", B, A, 1, 0);
  ness_network *net = finish(b);
  const ness_simulate_options options = run_options("summary", 32, 50, 1);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(begins(ness_doc_string(doc, "verdict"), "driven, by step burn"));
  CHECK(isinf(ness_doc_number(doc, "entropy.thermodynamic.estimate")));
  CHECK_STR(ness_doc_string(doc, "entropy.thermodynamic.one_way[0]"), "burn");
  ness_doc_free(doc);
  network_free(net);
}

/* A run whose end is a number of events: pieces go by events. */
static void by_events(void)
{
  ness_network *net = ring(4, 3, 1, 1);
  for (int i = 0; i < 2; i++) {
    ness_simulate_options options = run_options("events", i ? 2 : 32, 0, 4);
    options.events = i ? 200000 : 8000;
    ness_doc *doc = run_and_analyze(net, &options, NULL);
    CHECK(ness_doc_number(doc, "run.events") == (i ? 400000 : 256000));
    CHECK(check_z(doc, "steps", 4.5) == 4);
    CHECK_STR(ness_doc_string(doc, "run.batches"), i ? "64 time batches" : "32 replica batches");
    ness_doc_free(doc);
  }
  network_free(net);
}

static void few_data(void)
{
  ness_network *net = ring(6, 1, 1, 1);
  const ness_simulate_options options = run_options("flux", 32, 0.6, 4);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(begins(ness_doc_string(doc, "verdict"), "not enough data"));
  ness_doc_free(doc);
  network_free(net);
}

/* 500 independent two-state machines that start in one state: warned of, and the affinities do not mind. */
static void drift(void)
{
  ness_network *net = fuel_cycle(0.01, 0.02, 0.02, 0.01, 500, true);
  const ness_simulate_options options = run_options("flux", 32, 100, 2);
  simulate(net, &options);
  ness_diags *diags = ness_diags_create();
  ness_doc *doc = NULL;
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_OK);
  CHECK(ness_doc_number(doc, "balance.drift_p") < 0.01);
  CHECK(ness_diags_count(diags, NULL) >= 1);
  CHECK(strstr(ness_diags_get(diags, 0)->message, "second half") != NULL);
  const double p = ness_doc_number(doc, "balance.p");
  CHECK(p > 0.001);
  CHECK((strstr(ness_doc_string(doc, "verdict"), "consistent with equilibrium") != NULL) == (p >= 0.05));
  ness_doc_free(doc);
  ness_diags_free(diags);
  network_free(net);
}

/* The last has more events than are looked at for the memory of a molecule, in several stretches of the file. */
static void threads_agree(void)
{
  static const int64_t replicas[3] = {40, 3, 40};
  static const double time[3] = {800, 6000, 30000};
  for (int i = 0; i < 3; i++) {
    ness_network *net = ring(6, 2, 1, i == 1 ? 3 : 1);
    const ness_simulate_options options = run_options("events", replicas[i], time[i], 9);
    simulate(net, &options);
    char *first = NULL;
    for (int32_t threads = 1; threads <= 12; threads += threads < 3 ? 1 : 9) {
      ness_doc *doc =
          analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = threads});
      char *json = ness_doc_json(doc);
      if (first) CHECK_STR(json, first);
      else first = json;
      if (first != json) ness_text_free(json);
      ness_doc_free(doc);
    }
    ness_text_free(first);
    network_free(net);
  }
}

static char *slurp(size_t *bytes)
{
  FILE *const file = fopen(path, "rb");
  char *const data = malloc((size_t)1 << 24);
  if (!file || !data) exit(1);
  *bytes = fread(data, 1, (size_t)1 << 24, file);
  fclose(file);
  return data;
}

static void spill(const char *data, size_t bytes)
{
  FILE *const file = fopen(path, "wb");
  if (!file || fwrite(data, 1, bytes, file) != bytes) exit(1);
  fclose(file);
}

static void damage(void)
{
  ness_network *net = ring(6, 2, 1, 1);
  const ness_simulate_options options = run_options("events", 32, 400, 6);
  simulate(net, &options);
  size_t bytes;
  char *const data = slurp(&bytes);
  ness_doc *doc = analyze(path, NULL);
  const double whole = ness_doc_number(doc, "run.time");
  CHECK(ness_doc_number(doc, "run.complete") != 0);
  ness_doc_free(doc);

  data[bytes / 2] ^= 0x20; /* one bit of one frame */
  spill(data, bytes);
  ness_diags *diags = ness_diags_create();
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_OK);
  CHECK(ness_doc_number(doc, "run.time") < whole && ness_doc_number(doc, "run.time") > 0.8 * whole);
  CHECK(ness_doc_number(doc, "run.bytes_damaged") > 0);
  CHECK(ness_diags_count(diags, NULL) >= 2);
  CHECK(check_z(doc, "steps", 4.5) == 6);
  ness_doc_free(doc);
  data[bytes / 2] ^= 0x20;

  spill(data, bytes / 2); /* torn */
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_OK);
  CHECK(ness_doc_number(doc, "run.time") > 0.2 * whole);
  ness_doc_free(doc);

  size_t head = 0; /* only the run frame and garbage behind it */
  for (size_t cut = bytes / 64; cut > 64 && !head; cut /= 2) {
    spill(data, cut);
    doc = NULL;
    const ness_status status = ness_analyze(path, NULL, diags, &doc);
    CHECK(status == NESS_OK || status == NESS_FORMAT);
    CHECK((doc != NULL) == (status == NESS_OK));
    ness_doc_free(doc);
  }
  spill("", 0);
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_FORMAT && doc == NULL);
  spill("not a dump, just words that go on for a while to fill a header", 60);
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_FORMAT);
  unlink(path);
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_IO);
  CHECK(ness_analyze(NULL, NULL, diags, &doc) == NESS_USAGE);
  CHECK(ness_analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .level = 2}, diags,
                     &doc) == NESS_USAGE);
  ness_diags_free(diags);
  free(data);
  network_free(net);
}

static int stop_now(void *context, double done, double total, int64_t events, double seconds)
{
  (void)events, (void)seconds;
  ++*(int *)context;
  CHECK(done <= total && total > 0);
  return 1;
}

static void stopping(void)
{
  ness_network *net = ring(6, 2, 1, 1);
  const ness_simulate_options options = run_options("events", 16, 100, 6);
  simulate(net, &options);
  ness_doc *doc = NULL;
  int calls = 0;
  const ness_analyze_options how = {.struct_size = sizeof how, .progress = stop_now, .progress_context = &calls};
  CHECK(ness_analyze(path, &how, NULL, &doc) == NESS_STOPPED && doc == NULL && calls == 1);
  ness_interrupt();
  CHECK(ness_analyze(path, NULL, NULL, &doc) == NESS_STOPPED && doc == NULL);
  ness_interrupt_clear();
  CHECK(ness_analyze(path, NULL, NULL, &doc) == NESS_OK);
  ness_doc_free(doc);

  int64_t n = 0;
  for (ness_status status = NESS_NOMEM; status; n++) { /* every allocation fails once */
    doc = NULL;
    mem_fail_after(n);
    status = ness_analyze(path, &(ness_analyze_options){.struct_size = sizeof how, .threads = 1}, NULL, &doc);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    CHECK((doc != NULL) == (status == NESS_OK));
    if (status != NESS_OK && status != NESS_NOMEM) break;
    ness_doc_free(doc);
  }
  CHECK(n > 50);
  network_free(net);
}

/* Schloegl-like formulas in one slot and two slots that drive each other round: a rotation that steps alone do not
 * show. */
static ness_network *rotor(double drive)
{
  network_builder *b = builder_create("rotor", 0);
  const int32_t X = add_slot(b, "X", 1, 2), Y = add_slot(b, "Y", 1, 2);
  for (int i = 0; i < 2; i++) {
    const int32_t me = i ? Y : X, other = i ? X : Y;
    /* gain = exp(+-drive (other - 1)), loss = 1: what X gains from Y, Y loses from X */
    const tape_op up[] = {{.code = TAPE_SLOT, .a = other},    {.code = TAPE_CONST, .a = 0},
                          {.code = TAPE_SUB, .a = 0, .b = 1}, {.code = TAPE_CONST, .a = 1},
                          {.code = TAPE_MUL, .a = 2, .b = 3}, {.code = TAPE_EXP, .a = 4}};
    const tape_op down[] = {{.code = TAPE_CONST, .a = 0}};
    const double constants[] = {1, i ? -drive : drive};
    const builder_step step = {.name = i ? "sy" : "sx",
                               .text = "",
                               .nright = 1,
                               .right = &me,
                               .law = {LAW_TAPE, LAW_TAPE},
                               .nop = {6, 1},
                               .tape = {up, down},
                               .constants = constants,
                               .lnk = (double)NAN};
    CHECKED(builder_step_add(b, &step));
  }
  return finish(b);
}

static void rotation(void)
{
  static const char *const levels[] = {"flux", "grid", "events"};
  for (int i = 0; i < 3; i++) {
    for (int driven = 0; driven < 2; driven++) {
      ness_network *net = rotor(driven ? 1.0 : 0.0);
      ness_simulate_options options = run_options(levels[i], 64, 300, 31);
      options.warmup = 10;
      *(i == 0 ? &options.window : &options.every) = i < 2 ? 0.4 : 0;
      ness_doc *doc = run_and_analyze(net, &options, NULL);
      const char *const verdict = ness_doc_string(doc, "verdict");
      if (driven) CHECK(begins(verdict, "driven, by a rotation of X against Y"));
      else CHECK(begins(verdict, "consistent with equilibrium"));
      CHECK(fabs(ness_doc_number(doc, "entropy.thermodynamic.z")) < 4.5 || !driven);
      CHECK(ness_doc_number(doc, "entropy.thermodynamic.closure") < 1e-9);
      if (i == 2 && driven) CHECK(fabs(ness_doc_number(doc, "entropy.plug_in.z")) < 4.5);
      ness_doc_free(doc);
      network_free(net);
    }
  }
  ness_network *net = rotor(1);
  const ness_simulate_options options = run_options("summary", 32, 100, 31);
  ness_doc *doc = run_and_analyze(net, &options, NULL);
  CHECK(begins(ness_doc_string(doc, "verdict"), "not enough data"));
  ness_doc_free(doc);
  network_free(net);
}

int main(void)
{
  test_path(path, "dumps");
  driven_levels();
  fuel_figures();
  equilibrium_twin();
  loops_exactly();
  loops_parts_apart();
  one_way();
  by_events();
  few_data();
  drift();
  threads_agree();
  damage();
  stopping();
  rotation();
  unlink(path);
  return check_done();
}
