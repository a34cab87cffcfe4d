/* Dumps of runs where something flows, and what ness_analyze says of them. In closed form: a capacitor that discharges
 * through an ohmic leak, C V^2/2 in all; two ions that hold a membrane between their potentials of Nernst, Joule's
 * heat; two pools that mix, ln n! in all. By the rate equations: pools that pair. By what the run itself answers under
 * the same seed: every flow, mean, work and entropy, exact, with Langevin noise, as means, with inputs beside. By
 * Poisson's law: what replicas differ by. At equilibrium: nothing, and how often the verdict cries wolf. What is
 * refused, what is torn or stopped, threads and failing memory. Statistics have Student's law of 63 degrees and are
 * held to SIGMA: a false alarm below 1e-9 each under random seeds; the seeds are fixed. Cost: 3 s. */
#include "dump_answers.h"
#include <ness/report.h>

#define SIGMA 7.6
#define CHARGE 1.602176634e-19

#define MEMBRANE                                                                                                       \
  SI "compartment out reservoir\ncompartment in reservoir potential V\n"                                               \
     "capacitor V between in, out capacitance 1 [pF] start %s within -120 [mV], 100 [mV]\n"

static double value_of(const ness_doc *doc, const char *key)
{
  char member[96];
  snprintf(member, sizeof member, "%s.estimate", key);
  return ness_doc_number(doc, member);
}

/* The row of a list whose `name` is `is`; -1 none. */
static int row_of(const ness_doc *doc, const char *list, const char *name, const char *is)
{
  for (int i = 0; i < ness_doc_count(doc, list); i++) {
    char key[96];
    snprintf(key, sizeof key, "%s[%d].%s", list, i, name);
    const char *const text = ness_doc_string(doc, key);
    if (text && strcmp(text, is) == 0) return i;
  }
  return -1;
}

static double paid_by(const ness_doc *doc, const char *who)
{
  const int row = row_of(doc, "entropy.paid_by", "payer", who);
  return row < 0 ? (double)NAN : number(doc, "entropy.paid_by[%d]", row, "estimate");
}

/* Works less the change of energy are the medium, and who pays adds up to what is produced. */
static void closes(const ness_doc *doc)
{
  double works = 0, size = 0, paid = 0;
  for (int i = 0; i < ness_doc_count(doc, "entropy.thermodynamic.sources"); i++) {
    const double one = number(doc, "entropy.thermodynamic.sources[%d]", i, "estimate");
    works += one;
    size += fabs(one);
  }
  for (int i = 0; i < ness_doc_count(doc, "entropy.paid_by"); i++)
    paid += number(doc, "entropy.paid_by[%d]", i, "estimate");
  const double change = ness_doc_number(doc, "entropy.thermodynamic.free_energy_change");
  size += fabs(change) + 1e-9;
  CHECK(ness_doc_number(doc, "entropy.thermodynamic.closure") < 1e-9 * size);
  CHECK(fabs(works - change - value_of(doc, "entropy.thermodynamic")) < 1e-9 * size);
  CHECK(fabs(number(doc, "entropy.sheet[%d]", 0, "estimate") - works) < 1e-9 * size);
  CHECK(fabs(paid - value_of(doc, "entropy.produced")) < 1e-8 * size);
}

/* --- closed forms --- */

/* V0 exp(-t/tau), tau = 1 ms: what leaks is charge, what heats is energy. */
static void discharge(double time, double tolerance)
{
  char text[600];
  snprintf(text, sizeof text,
           MEMBRANE "ion K z +1 { in = 100 [mM]\n out = 100 [mM] }\n"
                    "leak: K.in <-> K.out @ ldb(conductance = 1 [nS]) fluid\n",
           "50 [mV]");
  ness_simulate_options o = options_of("grid", time, 0, 1);
  o.every = time / 20;
  o.replicas = 16;
  ness_doc_free(run(text, &o));
  ness_doc *const doc = analyze(NULL);
  const double left = exp(-time / 1e-3), energy = 0.5 * 1e-12 * 0.05 * 0.05 / KT300;
  CHECK_REL(value_of(doc, "entropy.thermodynamic") * time, energy * (1 - left * left), tolerance);
  CHECK_REL(value_of(doc, "entropy.produced") * time, energy * (1 - left * left), tolerance);
  CHECK_REL(paid_by(doc, "V") * time, energy * (1 - left * left), tolerance);
  CHECK_REL(value_of(doc, "steps[0]") * time, 1e-12 * 0.05 / CHARGE * (1 - left), tolerance);
  CHECK_REL(value_of(doc, "means[0]"), 50 * 1e-3 / time * (1 - left), tolerance);
  CHECK_STR(ness_doc_string(doc, "means[0].unit"), "mV");
  CHECK_NEAR(ness_doc_number(doc, "flow.course[0].from"), 50, 1e-12);
  CHECK_NEAR(ness_doc_number(doc, "flow.course[0].to"), 50 * left, 50 * tolerance);
  CHECK(says(doc, "verdict", "relaxing: V goes from 50 to ") &&
        says(doc, "verdict", "out of what was stored, for no source does work: paid by V ("));
  CHECK(says(doc, "balance.outcome", "not at rest") && says(doc, "flow.means_are", "not at rest"));
  CHECK(ness_doc_count(doc, "cycles") < 0 && ness_doc_count(doc, "spectra.points") < 0);
  CHECK(row_of(doc, "left_out", "chapter", "power spectra") >= 0);
  closes(doc);
  ness_doc_free(doc);
}

/* V between -77.4 and 64.2 mV: both currents flow, none together. */
static void membrane(const char *method)
{
  char text[900];
  snprintf(text, sizeof text,
           MEMBRANE "param gK = 1 [nS], gN = 0.3 [nS], EK = kT/e*ln(0.05), EN = kT/e*ln(12)\nion K z +1 { in = 100 "
                    "[mM]\n out = 5 [mM] }\nion Na z +1 { in = 10 "
                    "[mM]\n out = 120 [mM] }\nleak_K: K.in <-> K.out @ ldb(conductance = gK) fluid\nleak_Na: Na.in <-> "
                    "Na.out @ ldb(conductance = gN) fluid\n",
           "(gK*EK + gN*EN)/(gK + gN)");
  ness_simulate_options o = options_of("grid", 0.02, 0, 1);
  o.every = 0.001;
  o.replicas = 16;
  o.method = method;
  ness_doc_free(run(text, &o));
  ness_doc *const doc = analyze(NULL);
  const double thermal = KT300 / CHARGE, gk = 1e-9, gn = 0.3e-9, ek = thermal * log(0.05), en = thermal * log(12);
  const double v = (gk * ek + gn * en) / (gk + gn), k = gk * (v - ek) / CHARGE, n = gn * (v - en) / CHARGE;
  CHECK_REL(value_of(doc, "steps[0]"), k, 1e-6);
  CHECK_REL(value_of(doc, "steps[1]"), n, 1e-6);
  CHECK_REL(value_of(doc, "means[0]"), 1e3 * v, 1e-6);
  const double heat = (gk * (v - ek) * (v - ek) + gn * (v - en) * (v - en)) / KT300;
  CHECK_REL(value_of(doc, "entropy.produced"), heat, 1e-6);
  CHECK_REL(heat, k * (v - ek) / thermal + n * (v - en) / thermal, 1e-12); /* currents times affinities */
  CHECK_REL(paid_by(doc, "K"), -k * ek / thermal, 1e-6);
  CHECK_REL(paid_by(doc, "Na"), -n * en / thermal, 1e-6);
  CHECK(says(doc, "verdict", "driven by K (") && says(doc, "verdict", "), Na (") &&
        says(doc, "verdict", "are produced"));
  CHECK(!strstr(ness_doc_string(doc, "verdict"), "±")); /* nothing was drawn */
  CHECK(says(doc, "balance.outcome", "driven") && says(doc, "flow.means_are", "of the steady state"));
  CHECK(says(doc, "run.exact", "something flows or answers back") && isnan(ness_doc_number(doc, "steps[0].exact")));
  CHECK(isnan(ness_doc_number(doc, "steps[0].error")) == (method != NULL));
  CHECK((row_of(doc, "left_out", "chapter", "errors, noise, power spectra") >= 0) == (method != NULL));
  closes(doc);
  ness_doc_free(doc);
}

/* 500 (1 - exp(-2 t)) have gone over: no heat, no work, all of it mixing. */
static void mixing(void)
{
  ness_simulate_options o = options_of("grid", 1, 0, 1);
  o.every = 0.05;
  o.replicas = 16;
  ness_doc_free(run(NATURAL "species A = 1000, B = 0\nr: A <-> B @ 1, 1 fluid\n", &o));
  ness_doc *const doc = analyze(NULL);
  const double b = 500 * (1 - exp(-2)), seen = 500 * (1 - (1 - exp(-2)) / 2);
  CHECK_REL(value_of(doc, "steps[0]"), b, 1e-6);
  CHECK_REL(ness_doc_number(doc, "steps[0].forward"), 1000 - seen, 1e-6);
  CHECK_REL(ness_doc_number(doc, "steps[0].backward"), seen, 1e-6);
  CHECK_REL(value_of(doc, "means[1]"), seen, 1e-6);
  CHECK(fabs(value_of(doc, "entropy.thermodynamic")) < 1e-9);
  CHECK_REL(value_of(doc, "entropy.produced"), lgamma(1001) - lgamma(1001 - b) - lgamma(1 + b), 1e-6);
  CHECK_REL(paid_by(doc, "A + B"), value_of(doc, "entropy.produced"), 1e-9);
  CHECK(says(doc, "verdict", "relaxing: A goes from 1000 to 567.7; "));
  closes(doc);
  ness_doc_free(doc);
}

/* Pairs, by the rate equations of another engine. */
static void pairing(void)
{
#define PAIRS NATURAL "species A = 800, B = 20\nr: 2 A <-> B @ 0.001, 0.5 fluid\n"
  ness_simulate_options o = options_of("grid", 2, 0, 1);
  o.every = 0.1;
  o.replicas = 16;
  ness_doc_free(run(PAIRS, &o));
  ness_doc *const doc = analyze(NULL);
  ness_model *const model = sample_model(PAIRS);
  const ness_solve_options ask = {.struct_size = sizeof ask, .what = "ode", .time = 2, .every = 2};
  ness_doc *ode = NULL;
  CHECK(ness_solve(model, &ask, NULL, &ode) == NESS_OK);
  const double a = ness_doc_number(ode, "course[1].A"), b = ness_doc_number(ode, "course[1].B");
  CHECK(a > 100 && a < 700);
  CHECK_REL(ness_doc_number(doc, "flow.course[0].to"), a, 1e-5);
  CHECK_REL(ness_doc_number(doc, "flow.course[1].to"), b, 1e-5);
  CHECK_REL(2 * value_of(doc, "steps[0]"), b - 20, 1e-4);
  closes(doc);
  ness_doc_free(ode);
  ness_doc_free(doc);
  ness_model_free(model);
}

/* --- what the run says --- */

#define CELL_OF(copies)                                                                                                \
  SI "compartment out reservoir\ncompartment in volume 1 [fL] potential V\ncapacitor V between in, out capacitance "   \
     "0.05 [pF] start -60 [mV] within -150 [mV], 100 [mV]\nion K z +1 { in = 140 [mM]\n out = 5 [mM] }\nion Na z +1 "  \
     "{ "                                                                                                              \
     "in = 12 [mM]\n out = 145 [mM] }\nparam u = 0.5\nprotein Kv copies " copies                                       \
     " {\n state C\n state O energy = 1 kT charge -1.5\n}\nprotein Q copies 4 {\n state Q1\n state Q2 energy = "       \
     "u*kT\n}\nturn: Q1 <-> Q2 @ ldb(k0 = 100 [1/s])\ngate: C <-> O @ ldb(k0 = 300 [1/s])\npore: O + K.in <-> O + "    \
     "K.out @ ldb(conductance = 10 [pS]) fluid\nleak: Na.in <-> Na.out @ ldb(conductance = 20 [pS]) fluid\nvariable "  \
     "x "                                                                                                              \
     "= 0 [mV] within -200 [mV], 200 [mV]\nx' = (V - x)/10 [ms]\nat 20 [ms]: x = 50 [mV]\nobserve I = current(out)\n"
#define CELL CELL_OF("20")

static void same(const char *text, const char *method, int64_t replicas, bool inputs)
{
  ness_simulate_options o = options_of("grid", 0.1, 0.01, 21);
  o.every = 0.0005;
  o.replicas = replicas;
  o.method = method;
  ness_doc *const said = run(text, &o), *const doc = analyze(NULL);
  for (int i = 0; i < ness_doc_count(said, "steps"); i++) {
    const double up = number(said, "steps[%d]", i, "forward"), down = number(said, "steps[%d]", i, "backward");
    CHECK_NEAR(number(doc, "steps[%d]", i, "forward"), up, 1e-12);
    CHECK_NEAR(number(doc, "steps[%d]", i, "backward"), down, 1e-12);
    CHECK(fabs(number(doc, "steps[%d]", i, "estimate") - number(said, "steps[%d]", i, "net")) <
          1e-12 * (fabs(up) + fabs(down)) + 1e-9);
  }
  for (int i = 0; i < ness_doc_count(said, "counts"); i++)
    CHECK_NEAR(number(doc, "means[%d]", i, "estimate"), number(said, "counts[%d]", i, "mean"), 1e-12);
  CHECK(ness_doc_count(said, "counts") > 3 && ness_doc_count(said, "counts") == ness_doc_count(doc, "means"));
  CHECK(ness_doc_count(said, "steps") == ness_doc_count(doc, "steps") && ness_doc_count(doc, "steps") > 2);
  CHECK_REL(value_of(doc, "entropy.thermodynamic"), ness_doc_number(said, "entropy.production_kb_per_s"), 1e-12);
  double of_inputs = 0;
  int seen = 0;
  for (int i = 0; i < ness_doc_count(said, "work"); i++) {
    char key[32];
    snprintf(key, sizeof key, "work[%d].source", i);
    const double work = number(said, "work[%d]", i, "work_kt_per_s");
    const int row = row_of(doc, "entropy.thermodynamic.sources", "source", ness_doc_string(said, key));
    if (row < 0) of_inputs += work;
    else CHECK_REL(number(doc, "entropy.thermodynamic.sources[%d]", row, "estimate"), work, 1e-9);
    seen += row >= 0;
  }
  CHECK(seen >= 2);
  if (inputs) {
    const int row = row_of(doc, "entropy.thermodynamic.sources", "source", "u, Na.out");
    CHECK(says(doc, "flow.inputs_beside", "u, Na.out"));
    CHECK(says(doc, "verdict", "driven in time by u, Na.out: ") && says(doc, "balance.outcome", "driven in time"));
    CHECK_REL(of_inputs, number(doc, "entropy.thermodynamic.sources[%d]", row, "estimate"), 1e-9);
  }
  CHECK_NEAR(value_of(doc, "observables[0]"), ness_doc_number(said, "observables[0].value"), 1e-9);
  CHECK(ness_doc_number(doc, "run.events") == ness_doc_number(said, "run.events"));
  CHECK_STR(ness_doc_string(doc, "flow.method"), method ? method : "hybrid");
  CHECK(says(doc, "run.batches", replicas < 16 || (method && *method == 'm') ? "time batches" : "replica batches"));
  closes(doc);
  ness_doc_free(said);
  ness_doc_free(doc);
}

/* Chunks follow each other, whole numbers are the real ones rounded, and the real ones add up to what changed. */
static void chunks(void)
{
  ness_simulate_options o = options_of("grid", 0.1, 0.01, 21);
  o.every = 0.0005;
  o.replicas = 3;
  ness_doc_free(run(CELL, &o));
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  int64_t count = 0, events = 0;
  double x[16] = {0}, drift = 0;
  CHECK(dump_open(path, NULL, &reader) == NESS_OK);
  const ness_network *const net = dump_network(reader);
  CHECK_STR(dump_run_of(reader)->flows_beside, "");
  CHECK(!dump_run_of(reader)->input && net->nslot <= 16);
  while (dump_next(reader, &frame, NULL) == NESS_OK && frame.bytes > 0) {
    dump_chunk c;
    if (frame.kind != DUMP_KIND_CHUNK) continue;
    CHECK(dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &c) == NESS_OK && c.ledger && c.x0 && c.x1);
    for (int32_t i = 0; i < net->nslot; i++) {
      if (c.index > 0) CHECK(c.x0[i] == x[i]);
      CHECK(fabs((double)c.n0[i] - c.x0[i]) <= 0.5);
      double change = 0;
      for (int32_t s = 0; s < net->nstep; s++)
        for (int32_t k = net->change_start[s]; k < net->change_start[s + 1]; k++)
          if (net->change_slot[k] == i) change += net->change_by[k] * (c.flow_fwd[s] - c.flow_bwd[s]);
      if (net->slot_var[i] < 0) drift = fmax(drift, fabs(c.x1[i] - c.x0[i] - change) / fmax(1, c.x1[i]));
      x[i] = c.x1[i];
    }
    for (int32_t s = 0; s < net->nstep; s++) {
      CHECK(fabs((double)(c.fwd[s] - c.bwd[s]) - c.flow_fwd[s] + c.flow_bwd[s]) <= 2);
      CHECK(c.one_way[s] == 0 || net->step_flow[s] == FLOW_DRIFT);
    }
    for (int64_t r = 0; r < c.rows; r++) CHECK(c.row_time[r] > c.t0 && c.row_time[r] <= c.t1);
    events += c.events;
    count++;
  }
  CHECK(count > 100 && events > 1000 && drift < 1e-9);
  dump_reader_free(reader);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
}

/* --- rest, and noise --- */

#define GATES                                                                                                          \
  SI "compartment out reservoir\ncompartment in reservoir potential V\ncapacitor V between in, out capacitance 0.002 " \
     "[pF] start -75 [mV] within -150 [mV], 50 [mV]\nion K z +1 { in = 100 [mM]\n out = 5 [mM] }\nprotein Kv copies "  \
     "20 "                                                                                                             \
     "{\n state C\n state O energy = -1 kT charge -1.5\n}\ngate: C <-> O @ ldb(k0 = 300 [1/s])\npore: O + K.in <-> O " \
     "+ "                                                                                                              \
     "K.out @ ldb(conductance = 1 [pS]) fluid\n"

static void rest(void)
{
  ness_simulate_options o = options_of("grid", 2.2, 0.2, 3);
  o.every = 0.01;
  ness_doc_free(run(GATES, &o));
  ness_doc *const doc = analyze(NULL);
  static const char *const none[] = {"entropy.thermodynamic",
                                     "entropy.produced",
                                     "entropy.thermodynamic.sources[0]",
                                     "entropy.thermodynamic.sources[1]",
                                     "steps[0]",
                                     "steps[1]"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    char key[96];
    snprintf(key, sizeof key, "%s.error", none[i]);
    const double error = ness_doc_number(doc, key);
    CHECK(error > 0 && fabs(value_of(doc, none[i])) < 5 * error);
  }
  CHECK(says(doc, "verdict", "at rest: consistent with equilibrium (an entropy production above "));
  CHECK(says(doc, "balance.outcome", "consistent with equilibrium"));
  CHECK(ness_doc_count(doc, "spectra.points") > 0 && says(doc, "spectra.watched[0].unit", "mV^2/Hz"));
  closes(doc);
  ness_doc_free(doc);
}

/* Of runs at equilibrium one in twenty may say something else, and one in a hundred that something changes. */
static void wolf(void)
{
  enum { RUNS = 100 };
  int cries = 0, rests = 0, outside = 0;
  for (int i = 0; i < RUNS; i++) {
    ness_simulate_options o = options_of("grid", 0.3, 0.1, 100 + (uint64_t)i);
    o.every = 0.01;
    if (i % 2) o.replicas = 5; /* errors and rest from pieces of time */
    ness_doc_free(run(GATES, &o));
    ness_doc *const doc = analyze(NULL);
    const char *const verdict = ness_doc_string(doc, "verdict");
    const bool quiet = strstr(verdict, "at rest: consistent with equilibrium") == verdict;
    rests += quiet;
    cries += !quiet && !strstr(verdict, "not enough data");
    outside +=
        i % 2 == 0 && ness_doc_number(doc, "entropy.produced.low") * ness_doc_number(doc, "entropy.produced.high") > 0;
    ness_doc_free(doc);
  }
  printf("of %d runs at equilibrium %d say so and %d something else; %d of %d intervals do not hold 0\n", RUNS, rests,
         cries, outside, RUNS / 2);
  /* Of 100 at 7 % more than 26, of 50 at 5 % more than 14: chances of 1e-8 and 1e-7. */
  CHECK(cries <= 26 && outside <= 14 && rests >= RUNS / 2);
}

/* Events at 40 and 20 a second: their net count varies by 60 a second, at ln 2 each. Of 16 runs the mean of 1008
 * degrees is 4 % off at one deviation, and 34 % at SIGMA's chance. */
static void poisson(void)
{
  enum { RUNS = 16 };
  double rate = 0;
  int driven = 0;
  for (int i = 0; i < RUNS; i++) {
    ness_simulate_options o = options_of("grid", 4, 0, 300 + (uint64_t)i);
    o.every = 0.5;
    ness_doc_free(run(NATURAL "bath F = 2, W = 1\nspecies A = 500, B = 500\nr: F <-> W @ 20, ldb\ns: A <-> B @ 1, 1 "
                              "fluid\n",
                      &o));
    ness_doc *const doc = analyze(NULL);
    CHECK(says(doc, "noise.available", "for whole replicas") && says(doc, "noise.currents[0].current", "r"));
    rate += ness_doc_number(doc, "noise.currents[0].variance_rate") / RUNS;
    CHECK(fabs(value_of(doc, "steps[0]") - 20) < SIGMA * sqrt(60 / (64 * 4.0)));
    CHECK_REL(value_of(doc, "entropy.produced"), log(2) * value_of(doc, "steps[0]"), 1e-9);
    CHECK_REL(paid_by(doc, "F + W"), log(2) * value_of(doc, "steps[0]"), 1e-9);
    driven += strstr(ness_doc_string(doc, "verdict"), "driven by F + W (") != NULL;
    ness_doc_free(doc);
  }
  printf("events beside what flows: %.3f of Poisson's variance\n", rate / 60);
  CHECK(fabs(rate / 60 - 1) < 0.34 && driven >= 10); /* rest is not believed in one of a hundred */
}

/* Without GABA no channel opens, and one that shuts has no way back. */
static void way_back(void)
{
  ness_simulate_options o = options_of("grid", 0.1, 0, 2);
  o.every = 0.01;
  ness_doc *const said =
      run(NATURAL "variable g = 1 within 0, 10\nspecies S = 20, O = 0\nbind: S <-> O @ 2*g, 3\nspecies A = 500, B = "
                  "500\ns: A <-> B @ 1, 1 fluid\nat 0.05: g = 0\n",
          &o);
  ness_doc *const doc = analyze(NULL);
  CHECK(isinf(ness_doc_number(said, "entropy.production_kb_per_s")) && isinf(value_of(doc, "entropy.thermodynamic")));
  CHECK(says(doc, "verdict", "driven, by step bind, which ran while its way back had no rate") &&
        says(doc, "verdict", "without it: ") && says(doc, "balance.one_way_step", "bind"));
  CHECK(says(doc, "entropy.thermodynamic.one_way[0]", "bind") && says(doc, "entropy.sheet_is", "had no way back"));
  CHECK(isfinite(value_of(doc, "entropy.produced")));
  ness_doc_free(said);
  ness_doc_free(doc);
  /* And before, while there is some, it has one. */
  o.time = 0.05;
  ness_doc *const before =
      run(NATURAL "variable g = 1 within 0, 10\nspecies S = 20, O = 0\nbind: S <-> O @ 2*g, 3\nspecies "
                  "A = 500, B = 500\ns: A <-> B @ 1, 1 fluid\nat 0.06: g = 0\n",
          &o);
  ness_doc *const finite = analyze(NULL);
  CHECK_REL(value_of(finite, "entropy.thermodynamic"), ness_doc_number(before, "entropy.production_kb_per_s"), 1e-12);
  CHECK(!strstr(ness_doc_string(finite, "verdict"), "no way back"));
  ness_doc_free(before);
  ness_doc_free(finite);
  /* The same of inputs alone, whose dump has no other place for it than the ledger. */
  o.time = 0.1;
  ness_doc_free(run(NATURAL
                    "param g = 1, u = 0\nspecies S = 20, O = 0\nbind: S <-> O @ 2*g, 3\nspecies A = 10, B = 0\ns: A "
                    "<-> B @ exp(u), 1\nprocess g steps { 0 = 1  0.05 = 0 }\nprocess u sine(mean = 0, amplitude "
                    "= 1, frequency = 5)\n",
                    &o));
  ness_doc *const inputs = analyze(NULL);
  CHECK(says(inputs, "verdict", "driven in time by g, u (steps, sine): inf k_B/s"));
  ness_doc_free(inputs);
}

/* --- few data --- */

static void few(void)
{
  ness_simulate_options o = options_of("grid", 0.1, 0, 3);
  o.every = 0.1; /* one row */
  ness_doc_free(run(GATES, &o));
  ness_doc *doc = analyze(NULL);
  CHECK(value_of(doc, "entropy.thermodynamic") != 0 && ness_doc_number(doc, "entropy.thermodynamic.error") > 0);
  closes(doc);
  ness_doc_free(doc);
  o.every = 0.2; /* none */
  ness_doc_free(run(GATES, &o));
  doc = analyze(NULL);
  CHECK(ness_doc_number(doc, "entropy.thermodynamic.error") > 0);
  closes(doc);
  ness_doc_free(doc);
  o.every = 0.1;
  o.replicas = 1;
  ness_doc_free(run(GATES, &o));
  doc = analyze(NULL);
  CHECK(says(doc, "verdict", "not enough data (no error is known") && says(doc, "balance.outcome", "not enough data"));
  CHECK(isnan(ness_doc_number(doc, "entropy.thermodynamic.error")));
  closes(doc);
  ness_doc_free(doc);
}

#define DRIVE(events)                                                                                                  \
  NATURAL                                                                                                              \
  "variable g = 0.01 within 0, 10\nbath F = 2, W = 1\nspecies A = 1, B = 0\ns: A <-> B @ 1, 1\nr: F <-> W @ "          \
  "50*g, 50*g fluid\n" events

/* A drive that comes and goes alike in all of few replicas, and in both halves, is no rest, though pieces scatter. */
static void course(void)
{
  ness_simulate_options o = options_of("grid", 4, 0, 3);
  o.every = 0.02;
  o.replicas = 4;
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  ness_doc_free(run(DRIVE("at 1: g = 1\nat 3: g = 0.01\n"), &o));
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_OK);
  CHECK(says(doc, "verdict", "not at rest: the rate of r changes in time; ") &&
        says(doc, "verdict", "paid by F + W ("));
  CHECK(!strstr(ness_doc_string(doc, "verdict"), "±"));
  CHECK(ness_diags_count(diags, NULL) == 1 && strstr(ness_diags_get(diags, 0)->message, "pieces of time"));
  ness_diags_free(diags);
  ness_doc_free(doc);
  /* Of one replica no course is known, and two bursts make the error of its pieces large: all of them produce. */
  o.replicas = 1;
  ness_doc_free(run(DRIVE("at 1: g = 1\nat 1.06: g = 0.01\nat 3: g = 1\nat 3.06: g = 0.01\n"), &o));
  doc = analyze(NULL);
  CHECK(ness_doc_number(doc, "entropy.produced.low") < 0 && says(doc, "verdict", "driven by F + W ("));
  ness_doc_free(doc);
}

/* What comes in is bound: pool, buffer and bath are one payer, whatever the standard state. */
static void buffer(void)
{
  ness_simulate_options o = options_of("grid", 3, 0, 1);
  o.every = 0.1;
  o.replicas = 16;
  ness_doc_free(run(NATURAL
                    "compartment out reservoir\ncompartment in volume 10\nion S z 0 { out = 20\n in = 5 }\nspecies "
                    "Base = 200 in in\nspecies Acid = 0 in in\nbind: Base + S.in <-> Acid @ 0.1, 1 fluid\nleak: "
                    "S.out <-> S.in @ ldb(k0 = 1) fluid\n",
                    &o));
  ness_doc *const doc = analyze(NULL);
  CHECK(ness_doc_count(doc, "entropy.paid_by") == 1 && value_of(doc, "entropy.produced") > 1);
  CHECK_REL(paid_by(doc, "S"), value_of(doc, "entropy.produced"), 1e-9);
  CHECK(says(doc, "verdict", "not at rest: ") && says(doc, "verdict", "paid by S ("));
  closes(doc);
  ness_doc_free(doc);
}

/* --- what is refused, and what failures do --- */

#define BARE NATURAL "species A = 1, B = 0\nr: A <-> B @ 1, 1 fluid\n"

static int stop_soon(void *context, double done, double total, int64_t events, double seconds)
{
  (void)total, (void)events, (void)seconds;
  *(double *)context = done;
  return 1;
}

static void refused(void)
{
  ness_simulate_options o = options_of("grid", 0.3, 0.1, 2);
  o.every = 0.001;
  ness_doc_free(run(GATES, &o));
  size_t bytes;
  char *const data = slurp(path, &bytes);
  ness_diags *diags = ness_diags_create();
  ness_doc *doc = NULL;
  spill(data, bytes * 2 / 3); /* torn */
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_OK && ness_diags_count(diags, NULL) >= 1);
  CHECK(ness_doc_number(doc, "run.bytes_damaged") > 0 && ness_doc_number(doc, "run.replicas_ended") < 64);
  closes(doc);
  ness_doc_free(doc);
  doc = NULL;
  spill(data, 2000);
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_FORMAT && !doc);
  spill(data, bytes);
  const ness_fit_options fit = {.struct_size = sizeof fit};
  ness_diags_free(diags);
  diags = ness_diags_create();
  CHECK(ness_fit(path, &fit, diags, &doc) == NESS_USAGE && !doc);
  CHECK(ness_diags_count(diags, NULL) == 1 && strstr(ness_diags_get(diags, 0)->message, "flowed or answered back"));
  const ness_report_options page = {.struct_size = sizeof page, .output = other, .force = 1};
  CHECK(ness_report(path, NULL, 0, &page, diags, &doc) == NESS_OK && says(doc, "verdict", "at rest"));
  ness_doc_free(doc);
  size_t length;
  char *const html = slurp(other, &length), *const text = malloc(length + 1);
  memcpy(text, html, length);
  text[length] = '\0';
  CHECK(strstr(text, "Who pays for what is produced") && strstr(text, "Given to the medium"));
  CHECK(strstr(text, "density, mV^2/Hz") && strstr(text, "where something flows keeps its entropy for long stretches"));
  free(html);
  free(text);
  free(data);
  /* Other levels are none of such a run; one that is stopped holds the replicas that had ended. */
  ness_diags_free(diags);
  diags = ness_diags_create();
  ness_model *const model = sample_model(GATES);
  double done = 0;
  o.level = "flux";
  doc = NULL;
  CHECK(ness_simulate(model, &o, diags, &doc) == NESS_USAGE && !doc);
  CHECK(strstr(ness_diags_get(diags, 0)->message, "level grid alone"));
  o.level = "grid";
  o.replicas = 4096;
  o.progress = stop_soon;
  o.progress_context = &done;
  CHECK(ness_simulate(model, &o, diags, &doc) == NESS_INTERRUPTED && !doc);
  const ness_status status = ness_analyze(path, NULL, diags, &doc);
  CHECK(status == NESS_OK
            ? ness_doc_number(doc, "run.complete") == 0 && ness_doc_number(doc, "run.replicas_ended") < 4096
            : status == NESS_FORMAT);
  if (doc) closes(doc);
  ness_doc_free(doc);
  ness_model_free(model);
  ness_diags_free(diags);
  without_ledger(BARE, "hybrid", NULL, NULL);
  without_ledger(BARE, "hybrid", NULL, "");
}

/* Of dumps and results no bit depends on threads. */
static void threads(void)
{
  ness_simulate_options o = options_of("grid", 0.05, 0.01, 12);
  o.every = 0.001;
  ness_doc_free(threads_agree(CELL, o));
}

/* Every third allocation of the run that writes fails once, and every one of the analysis. */
static void memory(void)
{
  ness_simulate_options o = options_of("grid", 0.02, 0.01, 2);
  o.every = 0.001;
  o.replicas = 3;
  o.threads = 1;
  ness_model *const model = sample_model(GATES);
  ness_status status = NESS_NOMEM;
  int64_t n = 0;
  for (; status == NESS_NOMEM; n += 3) {
    ness_doc *doc = NULL;
    mem_fail_after(n);
    status = ness_simulate(model, &o, NULL, &doc);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    ness_doc_free(doc);
  }
  CHECK(n > 50);
  status = NESS_NOMEM;
  for (n = 0; status == NESS_NOMEM; n++) {
    ness_doc *doc = NULL;
    mem_fail_after(n);
    status = ness_analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = 1},
                          NULL, &doc);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    CHECK((doc != NULL) == (status == NESS_OK));
    ness_doc_free(doc);
  }
  CHECK(n > 100);
  ness_model_free(model);
}

int main(void)
{
  answers_begin("flowing");
  discharge(0.002, 1e-5);
  discharge(0.04, 1e-5);
  membrane(NULL);
  membrane("mean");
  mixing();
  pairing();
  same(CELL, NULL, 64, false);
  same(CELL, NULL, 3, false);
  same(CELL_OF("2000"), "langevin", 64, false);
  same(CELL, "mean", 1, false);
  same(CELL "process u sine(mean = 0.5, amplitude = 1.5, frequency = 50 [Hz])\nprocess Na.out sine(mean = 145 [mM], "
            "amplitude = 40 [mM], frequency = 20 [Hz])\n",
       NULL, 64, true);
  chunks();
  rest();
  wolf();
  poisson();
  way_back();
  few();
  course();
  buffer();
  refused();
  threads();
  memory();
  answers_end();
  return check_done();
}
