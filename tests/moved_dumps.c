/* Dumps of runs under inputs that move, and what ness_analyze says of them. A two-state protein under a square wave
 * against its closed form: with h = tanh(u/2)/2 and the relaxation rate l = 2 cosh(u/2), half a period of 1 brings the
 * occupancy from 1/2 + m to 1/2 - m, m = h tanh(l/2), and 4 m u go to the medium in a period. A ring that a sine turns,
 * without an affinity at any time, against Runge and Kutta's method written here. Entropy and work of the input of
 * every chunk against sums over its events by formulas written here, and against what the run says. Two sines, an
 * Ornstein-Uhlenbeck process, a ramp; how often the test of cycles cries wolf; what is refused; threads and failing
 * memory. Some 200 statistics have Student's law of 63 degrees and are held to SIGMA: a false alarm below 1e-7 all
 * together under random seeds; the seeds are fixed. Cost: 5 s. */
#include "dump_answers.h"
#include <ness/dump.h>
#include <ness/report.h>

#define SIGMA 7.6
#define PI 3.14159265358979323846

/* A row of the result: its exact value is what it should be, its estimate is within SIGMA of that and not of a value
 * that many errors off. */
static void check_row(const ness_doc *doc, const char *format, int i, double exact, double tolerance)
{
  const double value = number(doc, format, i, "estimate"), error = number(doc, format, i, "error");
  const double known = number(doc, format, i, "exact");
  if (!(fabs(known - exact) < tolerance) || !(fabs(value - exact) < SIGMA * error))
    fprintf(stderr, format, i),
        fprintf(stderr, ": %.9g of %.3g, exact %.12g, should be %.12g\n", value, error, known, exact);
  CHECK(fabs(known - exact) < tolerance);
  CHECK(error > 0 && fabs(value - exact) < SIGMA * error);
}

/* --- a square wave in closed form --- */

#define TWO NATURAL "param u = 0\nprotein P {\nstate A\nstate B energy = u\n}\nr: A <-> B @ ldb(k0 = 1)\n"
#define SQUARE TWO "process u square(low = -1.5, high = 1.5, period = 2)\n"
#define HIGH 1.5

/* The occupancy of B at a phase. */
static double square_at(double t)
{
  const double h = 0.5 * tanh(HIGH / 2), rate = 2 * cosh(HIGH / 2), m = h * tanh(rate / 2);
  const double p = 0.5 - h + (m + h) * exp(-rate * (t < 1 ? t : t - 1));
  return t < 1 ? p : 1 - p;
}

static void square(const char *level)
{
  ness_simulate_options o = options_of(level, 220, 20, 3);
  o.every = 0.5;
  o.window = 0.25;
  ness_doc_free(run(SQUARE, &o));
  ness_doc *const doc = analyze(NULL);
  const double h = 0.5 * tanh(HIGH / 2), rate = 2 * cosh(HIGH / 2), m = h * tanh(rate / 2);
  const double high = 0.5 - h + (m + h) * (1 - exp(-rate)) / rate;                 /* mean of B while u is high */
  const double there = 0.5 * ((1 - high) * exp(-HIGH / 2) + high * exp(HIGH / 2)); /* by symmetry of the halves */
  check_row(doc, "means[%d]", 1, 0.5, 1e-7);
  check_row(doc, "entropy.thermodynamic", 0, 2 * m * HIGH, 1e-7);
  CHECK_NEAR(ness_doc_number(doc, "steps[0].forward_exact"), there, 1e-7);
  CHECK(fabs(ness_doc_number(doc, "steps[0].forward_z")) < SIGMA);
  CHECK(ness_doc_number(doc, "entropy.thermodynamic.closure") < 1e-12);
  const int32_t sources = ness_doc_count(doc, "entropy.thermodynamic.sources");
  CHECK(sources == 1 && says(doc, "entropy.thermodynamic.sources[0].source", "u"));
  check_row(doc, "entropy.thermodynamic.sources[%d]", 0, 2 * m * HIGH, 1e-7);
  CHECK(says(doc, "verdict", "driven in time by u (square): 0."));
  CHECK(says(doc, "balance.outcome", "driven in time") && says(doc, "balance.method", "none"));
  CHECK(says(doc, "input.path", "prescribed") && ness_doc_number(doc, "input.period") == 2);
  CHECK(ness_doc_number(doc, "input.periods_counted") == 100);
  /* A grid of 0.5 s meets every other of the eight phases, windows of 0.25 s end at each. */
  const bool events = strcmp(level, "grid") != 0;
  const int phases = events ? 8 : 4;
  CHECK(ness_doc_count(doc, "phases.means") == 2 * phases && (ness_doc_count(doc, "phases.flows") == 8) == events);
  for (int k = 0; k < phases; k++) {
    const double p = square_at(2.0 * k / phases);
    CHECK_NEAR(number(doc, "phases.means[%d]", phases + k, "phase"), (double)k / phases, 1e-15);
    check_row(doc, "phases.means[%d]", phases + k, p, 1e-7);
    CHECK_NEAR(number(doc, "phases.means[%d]", phases + k, "variance_exact"), p * (1 - p), 1e-7);
    CHECK(fabs(number(doc, "phases.means[%d]", phases + k, "variance_z")) < SIGMA);
  }
  for (int k = 0; events && k < 8;
       k++) { /* net flow in an eighth is the change of B; rates jump, so no value beside it */
    const double flow = (square_at(k < 7 ? 0.25 * (k + 1) : 0) - square_at(0.25 * k)) / 0.25;
    CHECK(isnan(number(doc, "phases.flows[%d]", k, "exact")));
    CHECK(fabs(number(doc, "phases.flows[%d]", k, "estimate") - flow) <
          SIGMA * number(doc, "phases.flows[%d]", k, "error"));
  }
  ness_doc_free(doc);
}

/* --- a ring under a sine by Runge and Kutta --- */

#define RING                                                                                                           \
  NATURAL "param u = 0\nspecies A = 1, B = 0, C = 0\na: A <-> B @ 2*exp(-u), 1\nb: B <-> C @ exp(u), 1.5\nc: C <-> A " \
          "@ 0.6, 0.8\n"
#define SINE RING "process u sine(mean = 0.2, amplitude = 2, frequency = 0.25, phase = 0.5)\n"

static double sine_at(double t)
{
  return 0.2 + 2 * sin(0.5 * PI * t + 0.5);
}

static void ring_rates(double u, double k[6])
{
  k[0] = 2 * exp(-u), k[1] = 1;
  k[2] = exp(u), k[3] = 1.5;
  k[4] = 0.6, k[5] = 0.8;
}

/* Occupancies, one-way flows of the six directions and what goes to the medium, all by time. */
typedef struct ring {
  double p[3], flow[6], medium;
} ring;

static ring ring_slope(double t, const ring *at)
{
  double k[6];
  ring d = {0};
  ring_rates(sine_at(t), k);
  for (int s = 0; s < 3; s++) {
    const int from = s, to = (s + 1) % 3;
    d.flow[2 * s] = at->p[from] * k[2 * s];
    d.flow[2 * s + 1] = at->p[to] * k[2 * s + 1];
    const double net = d.flow[2 * s] - d.flow[2 * s + 1];
    d.p[from] -= net;
    d.p[to] += net;
    d.medium += net * log(k[2 * s] / k[2 * s + 1]);
  }
  return d;
}

static ring ring_plus(const ring *a, double h, const ring *b)
{
  ring out = *a;
  for (int i = 0; i < 3; i++) out.p[i] += h * b->p[i];
  for (int i = 0; i < 6; i++) out.flow[i] += h * b->flow[i];
  out.medium += h * b->medium;
  return out;
}

static void ring_step(double t, double h, ring *at)
{
  const ring a = ring_slope(t, at), x = ring_plus(at, h / 2, &a);
  const ring b = ring_slope(t + h / 2, &x), y = ring_plus(at, h / 2, &b);
  const ring c = ring_slope(t + h / 2, &y), z = ring_plus(at, h, &c);
  const ring d = ring_slope(t + h, &z);
  *at = ring_plus(at, h / 6, &a);
  *at = ring_plus(at, h / 3, &b);
  *at = ring_plus(at, h / 3, &c);
  *at = ring_plus(at, h / 6, &d);
}

#define FINE 500 /* steps an eighth of the period of 4 s */

static void sine(const char *level)
{
  ness_simulate_options o = options_of(level, 420, 20, 5);
  o.every = o.window = 0.5;
  ness_doc_free(run(SINE, &o));
  ness_doc *const doc = analyze(NULL);
  const double h = 0.5 / FINE;
  ring at = {.p = {1, 0, 0}}, eighth[9];
  for (int i = 0; i < 20 * 8 * FINE; i++) ring_step(h * i, h, &at); /* 20 periods, to rest */
  memset(at.flow, 0, sizeof at.flow);
  at.medium = 0;
  double mean[3] = {0};
  eighth[0] = at;
  for (int i = 0; i < 8 * FINE; i++) { /* means by Simpson's rule over pairs of steps: here the trapezoid of a period */
    for (int j = 0; j < 3; j++) mean[j] += at.p[j] / (8 * FINE);
    ring_step(h * i, h, &at);
    if ((i + 1) % FINE == 0) eighth[(i + 1) / FINE] = at;
  }
  const bool events = strcmp(level, "grid") != 0;
  CHECK(says(doc, "run.exact", "periodic steady state"));
  for (int j = 0; j < 3; j++) check_row(doc, "means[%d]", j, mean[j], 1e-8);
  for (int s = 0; s < 3; s++) {
    check_row(doc, "steps[%d]", s, (at.flow[2 * s] - at.flow[2 * s + 1]) / 4, 1e-8);
    CHECK_NEAR(number(doc, "steps[%d]", s, "forward_exact"), at.flow[2 * s] / 4, 1e-8);
    CHECK_NEAR(number(doc, "steps[%d]", s, "backward_exact"), at.flow[2 * s + 1] / 4, 1e-8);
    CHECK(fabs(number(doc, "steps[%d]", s, "forward_z")) < SIGMA);
    CHECK(fabs(number(doc, "steps[%d]", s, "backward_z")) < SIGMA);
  }
  check_row(doc, "entropy.thermodynamic", 0, at.medium / 4, 1e-8);
  CHECK(fabs(ness_doc_number(doc, "entropy.thermodynamic.error")) < 0.02 * at.medium / 4);
  double bound = 0; /* of the flows of a whole period, below the entropy itself */
  for (int s = 0; s < 3; s++)
    bound += (at.flow[2 * s] - at.flow[2 * s + 1]) * log(at.flow[2 * s] / at.flow[2 * s + 1]) / 4;
  CHECK(bound < at.medium / 4);
  check_row(doc, "entropy.plug_in", 0, bound, 1e-8);
  CHECK(says(doc, "entropy.plug_in.is", "a lower bound"));
  /* It is turned though no cycle has an affinity at any time. */
  check_row(doc, "cycles[%d]", 0, (at.flow[4] - at.flow[5]) / 4, 1e-8);
  CHECK_NEAR(number(doc, "cycles[%d]", 0, "affinity_model"), 0, 1e-12);
  CHECK(isnan(number(doc, "cycles[%d]", 0, "affinity_data")) && number(doc, "cycles[%d]", 0, "p") < 1e-6);
  CHECK(says(doc, "verdict", "driven in time by u (sine): ") &&
        says(doc, "verdict", "; on average cycle a + b + c runs "));
  CHECK(!strstr(ness_doc_string(doc, "verdict"), "equilibrium"));
  const bool order = strcmp(level, "events") == 0;
  CHECK((ness_doc_count(doc, "cycles") == 2) == order);
  if (order) {
    CHECK(says(doc, "cycles[1].kind", "loop-erased") && isnan(number(doc, "cycles[%d]", 1, "exact")));
    CHECK(fabs(number(doc, "cycles[%d]", 1, "estimate") - (at.flow[4] - at.flow[5]) / 4) <
          SIGMA * number(doc, "cycles[%d]", 1, "error"));
  }
  for (int j = 0; j < 3; j++)
    for (int k = 0; k < 8; k++) check_row(doc, "phases.means[%d]", 8 * j + k, eighth[k].p[j], 1e-8);
  CHECK((ness_doc_count(doc, "phases.flows") == 24) == events);
  for (int s = 0; events && s < 3; s++)
    for (int k = 0; k < 8; k++)
      check_row(doc, "phases.flows[%d]", 8 * s + k,
                (eighth[k + 1].flow[2 * s] - eighth[k].flow[2 * s] - eighth[k + 1].flow[2 * s + 1] +
                 eighth[k].flow[2 * s + 1]) /
                    0.5,
                1e-6);
  ness_doc_free(doc);
}

/* --- ledgers --- */

typedef struct ledger { /* added up from a dump: as it says, and from its events */
  double medium, input, energy, own_medium, own_input, time;
  int64_t events;
} ledger;

/* ln(k_fwd/k_bwd) of step s at u, and the energy of slot i; the law of rates of a model. */
typedef double (*step_law)(int32_t s, double u);

static double two_lnk(int32_t s, double u)
{
  (void)s;
  return -u;
}

static double ring_lnk(int32_t s, double u)
{
  double k[6];
  ring_rates(u, k);
  return log(k[2 * s] / k[2 * s + 1]);
}

static double square_input(double t)
{
  return fmod(t, 2) < 1 ? HIGH : -HIGH;
}

/* `energies`: slot 1 has the energy u. Its work is n [u(after) - u(before)] from event to event. */
static ledger ledger_of(double (*input)(double t), step_law lnk, bool energies)
{
  ledger out = {0};
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  CHECK(dump_open(path, NULL, &reader) == NESS_OK);
  const ness_network *const net = dump_network(reader);
  while (dump_next(reader, &frame, NULL) == NESS_OK && frame.bytes > 0) {
    dump_chunk c;
    if (frame.kind != DUMP_KIND_CHUNK) continue;
    CHECK(dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &c) == NESS_OK && c.ledger != NULL);
    out.medium += c.ledger[DUMP_LEDGER_MEDIUM];
    out.input += c.ledger[DUMP_LEDGER_INPUT];
    out.energy += c.ledger[DUMP_LEDGER_ENERGY];
    out.time += c.counted;
    out.events += c.events;
    double n = (double)c.n0[1], u = input(c.t0);
    for (int64_t r = 0; c.row_dir && r < c.rows; r++) {
      const double now = input(c.row_time[r]);
      const int32_t step = c.row_dir[r] / 2, way = c.row_dir[r] % 2 ? -1 : 1;
      if (energies) out.own_input += n * (now - u);
      out.own_medium += way * lnk(step, now);
      for (int32_t i = net->change_start[step]; i < net->change_start[step + 1]; i++)
        if (net->change_slot[i] == 1) n += way * net->change_by[i];
      u = now;
    }
    if (energies) out.own_input += n * (input(c.t1) - u);
  }
  dump_reader_free(reader);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  return out;
}

/* What events say, what the run says, what the analysis says: one number. */
static void ledgers(const char *text, double (*input)(double t), step_law lnk, bool energies, int64_t replicas)
{
  ness_simulate_options o = options_of("events", 220, 20, 9);
  o.replicas = replicas;
  ness_doc *const said = run(text, &o), *const doc = analyze(NULL);
  const ledger sum = ledger_of(input, lnk, energies);
  const double scale = (double)sum.events;
  CHECK(sum.events > 100 * replicas && sum.medium > 0.01 * scale);
  CHECK_NEAR(sum.own_medium, sum.medium, 1e-10 * scale);
  if (energies) CHECK_NEAR(sum.own_input, sum.input, 1e-10 * scale);
  CHECK_NEAR(sum.medium, ness_doc_number(said, "entropy.production_kb_per_s") * sum.time, 1e-10 * scale);
  CHECK_NEAR(sum.medium, ness_doc_number(doc, "entropy.thermodynamic.estimate") * sum.time, 1e-10 * scale);
  CHECK(ness_doc_number(doc, "run.events") == scale && ness_doc_number(said, "run.events") == scale);
  CHECK_NEAR(sum.time, 200.0 * (double)replicas, 1e-9 * sum.time);
  /* Few replicas: pieces of their time. */
  CHECK(says(doc, "run.batches", replicas < 16 ? "time batches" : "replica batches"));
  CHECK(ness_doc_number(doc, "entropy.thermodynamic.error") > 0);
  ness_doc_free(said);
  /* So do dumps of the other levels. */
  for (int i = 0; i < 2; i++) {
    o.level = i ? "grid" : NULL;
    ness_doc *const again = run(text, &o);
    const ledger rows = ledger_of(input, lnk, energies);
    CHECK_NEAR(rows.medium, ness_doc_number(again, "entropy.production_kb_per_s") * rows.time, 1e-10 * scale);
    CHECK_NEAR(rows.input, ness_doc_number(again, "work[0].work_kt_per_s") * rows.time, 1e-10 * scale);
    CHECK_NEAR(rows.time, sum.time, 1e-9 * sum.time);
    ness_doc_free(again);
  }
  ness_doc_free(doc);
}

/* --- others --- */

#define OU TWO "process u ou(mean = 0, sd = 1, tau = 0.5)\n"

static void drawn(void)
{
  ness_simulate_options o = options_of("events", 220, 20, 4);
  ness_doc *const said = run(OU, &o), *const doc = analyze(NULL);
  CHECK(says(doc, "verdict", "driven in time by u (ou): ") && says(doc, "input.path", "drawn: it is not in the dump"));
  CHECK(says(doc, "phases.available", "no: a drawn input") && says(doc, "noise.available", "yes"));
  CHECK(says(doc, "run.exact", "levels of u"));
  CHECK_REL(ness_doc_number(doc, "entropy.thermodynamic.estimate"),
            ness_doc_number(said, "entropy.production_kb_per_s"), 1e-9);
  CHECK(fabs(ness_doc_number(doc, "entropy.thermodynamic.z")) < SIGMA);
  CHECK(fabs(ness_doc_number(doc, "entropy.thermodynamic.sources[0].z")) < SIGMA);
  CHECK(fabs(ness_doc_number(doc, "means[1].z")) < SIGMA && fabs(ness_doc_number(doc, "steps[0].forward_z")) < SIGMA);
  /* Its grid of levels as `ness solve` has it, step by step. */
  ness_model *const model = sample_model(OU);
  const ness_solve_options steady = {.struct_size = sizeof steady};
  ness_doc *solved = NULL;
  CHECK(ness_solve(model, &steady, NULL, &solved) == NESS_OK);
  double forward = 0, backward = 0;
  for (int i = 0; i < ness_doc_count(solved, "steps"); i++) {
    char key[32];
    snprintf(key, sizeof key, "steps[%d].step", i);
    if (strncmp(ness_doc_string(solved, key), "r (u.", 5) != 0) continue;
    forward += number(solved, "steps[%d]", i, "forward");
    backward += number(solved, "steps[%d]", i, "backward");
  }
  CHECK_REL(ness_doc_number(doc, "steps[0].forward_exact"), forward, 1e-12);
  CHECK_REL(ness_doc_number(doc, "steps[0].backward_exact"), backward, 1e-12);
  CHECK_REL(ness_doc_number(doc, "means[1].exact"), ness_doc_number(solved, "counts[1].mean"), 1e-12);
  const double cost = ness_doc_number(solved, "entropy.production_kb_per_s");
  CHECK_REL(ness_doc_number(doc, "entropy.thermodynamic.exact"), cost, 1e-12);
  CHECK_REL(ness_doc_number(doc, "entropy.thermodynamic.sources[0].exact"), cost, 1e-9);
  CHECK(forward > 0.3 && cost > 0.1);
  ness_doc_free(solved);
  ness_model_free(model);
  CHECK(isnan(ness_doc_number(doc, "noise.currents[0].exact")));
  ness_doc_free(said);
  ness_doc_free(doc);
}

/* Nothing comes back: no exact value, no phase, and the energy that is taken up counts. */
static void ramp(void)
{
  ness_simulate_options o = options_of("events", 20, 0, 6);
  o.replicas = 640;
  ness_doc_free(run(TWO "process u ramp(from = -3, to = 3, begin = 0, end = 20)\n", &o));
  ness_doc *const doc = analyze(NULL);
  CHECK(says(doc, "run.exact", "does not come back") && says(doc, "phases.available", "no: the input does not come"));
  CHECK(isnan(ness_doc_number(doc, "entropy.thermodynamic.exact")));
  CHECK(says(doc, "input.means_are", "over the counted course"));
  CHECK(ness_doc_number(doc, "entropy.thermodynamic.closure") < 1e-12);
  ness_doc_free(doc);
  /* Windows that do not make up an eighth would see parts of it more than others: no flows by phase from them. */
  o = options_of("flux", 24, 4, 6);
  o.window = 0.1;
  ness_doc_free(run(SQUARE, &o));
  ness_doc *const off = analyze(NULL);
  CHECK(says(off, "phases.available", "means alone: flows need events") && ness_doc_count(off, "phases.means") > 0);
  CHECK(ness_doc_count(off, "phases.flows") <= 0);
  ness_doc_free(off);
  /* A part of a period among few makes means that are not those over a period. */
  o = options_of("grid", 21, 10, 6);
  ness_doc_free(run(SQUARE, &o));
  ness_doc *const part = analyze(NULL);
  CHECK(says(part, "run.exact", "no whole number of periods") && isnan(ness_doc_number(part, "means[0].exact")));
  ness_doc_free(part);
}

/* Two sines, by another engine, of which one stands: what one alone does, and its figures are those of the ring. */
static void several(void)
{
  ness_simulate_options o = options_of("grid", 420, 20, 7);
  o.every = 0.5;
  ness_doc *const said =
      run(RING "d: A <-> C @ 1e-9*exp(v), 1e-9\nparam v = 0\nprocess u sine(mean = 0.2, amplitude = 2, frequency = "
               "0.25, phase = 0.5)\nprocess v sine(mean = 0, amplitude = 1, frequency = 0.25)\n",
          &o);
  ness_doc *const doc = analyze(NULL);
  CHECK(says(doc, "verdict", "driven in time by u, v (sine, sine): ") &&
        !strstr(ness_doc_string(doc, "verdict"), "does"));
  CHECK(says(doc, "run.exact", "several inputs moved") && ness_doc_count(doc, "means") == 3);
  CHECK_REL(ness_doc_number(doc, "entropy.thermodynamic.estimate"),
            ness_doc_number(said, "entropy.production_kb_per_s"), 1e-9);
  ness_doc_free(said);
  ness_simulate_options alone = options_of("grid", 420, 20, 8);
  alone.every = 0.5; /* all eighths */
  ness_doc_free(run(SINE, &alone));
  ness_doc *const one = analyze(NULL);
  for (int i = 0; i < 3; i++)
    CHECK(fabs(number(doc, "means[%d]", i, "estimate") - number(one, "means[%d]", i, "exact")) <
          SIGMA * number(doc, "means[%d]", i, "error"));
  CHECK(fabs(number(doc, "entropy.thermodynamic", 0, "estimate") - number(one, "entropy.thermodynamic", 0, "exact")) <
        SIGMA * number(doc, "entropy.thermodynamic", 0, "error"));
  CHECK(ness_doc_count(doc, "phases.means") == 24);
  for (int i = 0; i < 24; i += 5) { /* phases of both count from t = 0 */
    const double exact = number(one, "phases.means[%d]", i, "exact");
    CHECK(!isnan(exact));
    CHECK(fabs(number(doc, "phases.means[%d]", i, "estimate") - exact) <
          SIGMA * number(doc, "phases.means[%d]", i, "error"));
  }
  ness_doc_free(one);
  ness_doc_free(doc);
}

/* One of two is drawn: what the dump cannot tell is said, and the rest is that of the run. */
static void partly_drawn(void)
{
  ness_simulate_options o = options_of("grid", 60, 4, 8);
  o.every = 0.5;
  ness_doc *const said =
      run(RING "d: A <-> C @ exp(v), 1\nparam v = 0\nprocess u sine(mean = 0.2, amplitude = 2, frequency = 0.25)\n"
               "process v ou(mean = 0, sd = 0.5, tau = 1)\n",
          &o);
  ness_doc *const doc = analyze(NULL);
  CHECK(says(doc, "verdict", "driven in time by u, v (sine, ou): ") &&
        says(doc, "input.path", "drawn: it is not in the dump"));
  CHECK_REL(ness_doc_number(doc, "entropy.thermodynamic.estimate"),
            ness_doc_number(said, "entropy.production_kb_per_s"), 1e-9);
  CHECK(ness_doc_count(said, "counts") == 4 &&
        ness_doc_count(doc, "means") == 3); /* no integral of v, in the run either */
  ness_doc_free(said);
  ness_doc_free(doc);
}

/* Two inputs that do work, on the potential and on a reservoir: the ledger has it as the run says it, in one. */
static void several_works(void)
{
  ness_simulate_options o = options_of("grid", 420, 20, 7);
  o.every = 0.5;
  ness_doc *const said =
      run("model two\nunits natural\ncompartment out reservoir\ncompartment in reservoir potential V\nparam V = 0\n"
          "ion S z 0 { out = 1  in = 1 }\nprotein E {\n state E1\n state E2 charge -1\n}\n"
          "a: E1 + S.out <-> E2 @ 1, ldb\nb: E2 <-> E1 + S.in @ 2, ldb\n"
          "process V sine(mean = 0.3, amplitude = 2, frequency = 0.5)\n"
          "process S.out sine(mean = 1, amplitude = 0.5, frequency = 0.25)\n",
          &o);
  ness_doc *const doc = analyze(NULL);
  double works = 0, inputs = 0;
  for (int64_t i = 0; i < ness_doc_count(said, "work"); i++) works += number(said, "work[%d]", (int)i, "work_kt_per_s");
  for (int64_t i = 0; i < ness_doc_count(doc, "entropy.thermodynamic.sources"); i++) {
    inputs = number(doc, "entropy.thermodynamic.sources[%d]", (int)i, "estimate"); /* the last */
    works -= inputs;
  }
  CHECK(fabs(works) < 1e-12 && fabs(inputs) > 0.01);
  CHECK(ness_doc_number(doc, "entropy.thermodynamic.closure") < 1e-12);
  CHECK(strstr(ness_doc_string(doc, "verdict"), "V, S.out do "));
  ness_doc_free(said);
  ness_doc_free(doc);
}

/* An input that moves all barriers alike moves nothing: a run cries wolf as often as its level says, no oftener. */
static void wolf(void)
{
  int basis = 0, loop = 0, entropy = 0;
  enum { RUNS = 100 };
  for (int i = 0; i < RUNS; i++) {
    ness_simulate_options o = options_of("events", 12, 2, 100 + (uint64_t)i);
    ness_doc_free(run(NATURAL "param u = 0\nspecies A = 1, B = 0, C = 0\na: A <-> B @ 4*exp(u), 2*exp(u)\nb: B <-> C @ "
                              "2*exp(u), 3*exp(u)\nc: C <-> A @ 3*exp(u), 4*exp(u)\nprocess u sine(mean = 0, amplitude "
                              "= 1.5, frequency = 0.5)\n",
                      &o));
    ness_doc *const doc = analyze(&(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .no_exact = 1});
    basis += number(doc, "cycles[%d]", 0, "p") < 0.05;
    loop += number(doc, "cycles[%d]", 1, "p") < 0.05;
    const char *const verdict = ness_doc_string(doc, "verdict");
    entropy += !strstr(verdict, "no entropy production was seen");
    ness_doc_free(doc);
  }
  printf("of %d runs of nothing %d + %d cry that a cycle runs, %d that entropy is made\n", RUNS, basis, loop, entropy);
  /* Of 100 at 5 %: more than 23 with a chance of 1e-10. */
  CHECK(basis <= 23 && loop <= 23 && entropy <= 23 && basis + loop + entropy > 0);
}

/* A hand that moves nothing drives nothing. */
static void idle(void)
{
  static const char *const hands[] = {"sine(mean = 1, amplitude = 0, frequency = 1)",
                                      "sine(mean = 1, amplitude = 0.5, frequency = 1)"};
  for (int i = 0; i < 2; i++) {
    char text[400];
    snprintf(text, sizeof text, "%sparam u = 1\nspecies A = 1, B = 0\nr: A <-> B @ %s, 2\nprocess u %s\n", NATURAL,
             i ? "1" : "exp(u)", hands[i]);
    ness_simulate_options o = options_of("events", 30, 10, 3);
    ness_doc_free(run(text, &o));
    ness_doc *const doc = analyze(NULL);
    CHECK(says(doc, "verdict", "not driven in time, for no rate moves with u (sine)"));
    CHECK(says(doc, "balance.outcome", "not tested") && says(doc, "balance.why", "the input moved no rate"));
    ness_doc_free(doc);
  }
}

/* Births at k(t) are Poisson: their count varies as much as it is, whatever the course of k. Of 16 runs of 64 replicas
 * the mean of 1008 degrees is 4 % off at one deviation, and 27 % at SIGMA's chance. */
static void poisson(void)
{
  enum { RUNS = 16 };
  double fano = 0;
  int held = 0;
  for (int i = 0; i < RUNS; i++) {
    ness_simulate_options o = options_of("grid", 8, 0, 500 + (uint64_t)i);
    o.every = 0.5;
    ness_doc_free(run(NATURAL
                      "param k = 40\nspecies A = 0\nbirth: 0 -> A @ k\ndeath: A -> 0 @ 2\nprocess k sine(mean = "
                      "40, amplitude = 35, frequency = 0.5)\n",
                      &o));
    ness_doc *const doc = analyze(NULL);
    CHECK(says(doc, "noise.available", "for whole replicas") && says(doc, "noise.currents[0].current", "birth"));
    const double rate = ness_doc_number(doc, "noise.currents[0].variance_rate");
    fano += ness_doc_number(doc, "noise.currents[0].fano") / RUNS;
    CHECK(fabs(ness_doc_number(doc, "steps[0].estimate") - 40) < SIGMA * sqrt(40 / (64 * 8.0)));
    held += ness_doc_number(doc, "noise.currents[0].low") < 40 && ness_doc_number(doc, "noise.currents[0].high") > 40;
    CHECK(rate > 0);
    /* One way alone: what that costs is infinite, and the verdict says so. */
    CHECK(says(doc, "verdict", ", and by step birth, which has no way back"));
    ness_doc_free(doc);
  }
  printf("births of a moving rate: %.3f of Poisson's variance, %d of %d intervals hold it\n", fano, held, RUNS);
  CHECK(fabs(fano - 1) < 0.27 && held >= 7); /* fewer of 16 at 95 %: a chance of 1e-8 */
}

/* One copy that is in either state half of the time: its variance has no first-order error, and is at most 1/4. Its
 * deviation over its error is (1 - t^2)/sqrt 2 then, t that of the mean. */
static void half(void)
{
  ness_simulate_options o = options_of("events", 112, 12, 14);
  ness_doc_free(run(NATURAL "param u = 0\nspecies A = 1, B = 0\nr: A <-> B @ exp(u), exp(u)\nprocess u sine(mean = 0, "
                            "amplitude = 1, frequency = 0.25)\n",
                    &o));
  ness_doc *const doc = analyze(NULL);
  for (int i = 0; i < 16; i++) {
    const double z = number(doc, "phases.means[%d]", i, "variance_z");
    check_row(doc, "phases.means[%d]", i, 0.5, 1e-9);
    CHECK(z < 0.72 && z > (1 - SIGMA * SIGMA) / sqrt(2));
  }
  ness_doc_free(doc);
}

/* --- what is refused, and what failures do --- */

static void refused(void)
{
  ness_simulate_options o = options_of("events", 24, 4, 2);
  ness_doc_free(run(SQUARE, &o));
  size_t bytes;
  char *const data = slurp(path, &bytes);
  ness_diags *diags = ness_diags_create();
  ness_doc *doc = NULL;
  spill(data, bytes * 2 / 3); /* torn */
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_OK && ness_diags_count(diags, NULL) >= 1);
  CHECK(ness_doc_number(doc, "run.bytes_damaged") > 0 && fabs(ness_doc_number(doc, "entropy.thermodynamic.z")) < SIGMA);
  ness_doc_free(doc);
  doc = NULL;
  spill(data, 2000);
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_FORMAT && !doc);
  char *const twice = malloc(2 * bytes);
  memcpy(twice, data, bytes);
  memcpy(twice + bytes, data, bytes);
  spill(twice, 2 * bytes); /* two runs */
  CHECK(ness_analyze(path, NULL, diags, &doc) == NESS_FORMAT && !doc);
  free(twice);
  spill(data, bytes);
  ness_diags_free(diags);
  diags = ness_diags_create();
  const ness_fit_options fit = {.struct_size = sizeof fit};
  CHECK(ness_fit(path, &fit, diags, &doc) == NESS_USAGE && !doc);
  CHECK(ness_diags_count(diags, NULL) == 1 && strstr(ness_diags_get(diags, 0)->message, "moved with u"));
  const ness_report_options page = {.struct_size = sizeof page, .output = other, .force = 1};
  CHECK(ness_report(path, NULL, 0, &page, diags, &doc) == NESS_OK);
  CHECK(says(doc, "verdict", "driven in time by u"));
  ness_doc_free(doc);
  size_t length;
  char *const html = slurp(other, &length), *const text = malloc(length + 1);
  memcpy(text, html, length);
  text[length] = '\0';
  CHECK(strstr(text, "with u standing at its value in the file") && !strstr(text, "windows of "));
  CHECK(strstr(text, "lines of the input would stand in it") && strstr(text, "Counts by phase of the period"));
  free(html);
  free(text);
  ness_diags_free(diags);
  free(data);
  without_ledger(TWO, "thinning", NULL, NULL);
  without_ledger(TWO, "thinning", "u", NULL);
}

/* Of dumps and results no bit depends on threads, nor what the run says on whether it writes a dump. */
static void threads(void)
{
  ness_simulate_options o = options_of("events", 44, 4, 12);
  ness_doc *const first = threads_agree(SINE, o);
  o.threads = 3;
  o.path = NULL;
  ness_doc *const plain = run(SINE, &o);
  CHECK(ness_doc_number(plain, "entropy.production_kb_per_s") == ness_doc_number(first, "entropy.production_kb_per_s"));
  CHECK(ness_doc_number(plain, "counts[0].mean") == ness_doc_number(first, "counts[0].mean"));
  ness_doc_free(plain);
  ness_doc_free(first);
}

/* Every seventh allocation of the run that writes fails once, and every one of the analysis. */
static void memory(const char *level)
{
  ness_simulate_options o = options_of(level, 12, 4, 2);
  o.replicas = 3;
  o.threads = 1;
  ness_model *const model = sample_model(SINE);
  ness_status status = NESS_NOMEM;
  int64_t n = 0;
  for (; status != NESS_OK; n += 7) {
    ness_doc *doc = NULL;
    mem_fail_after(n);
    status = ness_simulate(model, &o, NULL, &doc);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    ness_doc_free(doc);
    if (status != NESS_OK && status != NESS_NOMEM) break;
  }
  CHECK(n > 100);
  status = NESS_NOMEM;
  for (n = 0; status != NESS_OK; n++) {
    ness_doc *doc = NULL;
    mem_fail_after(n);
    status = ness_analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = 1},
                          NULL, &doc);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    CHECK((doc != NULL) == (status == NESS_OK));
    ness_doc_free(doc);
    if (status != NESS_OK && status != NESS_NOMEM) break;
  }
  CHECK(n > 100);
  ness_model_free(model);
}

int main(void)
{
  answers_begin("moved");
  square("events");
  square("flux");
  square("grid");
  sine("events");
  sine("flux");
  sine("grid");
  ledgers(SQUARE, square_input, two_lnk, true, 64);
  ledgers(SINE, sine_at, ring_lnk, false, 64);
  ledgers(SINE, sine_at, ring_lnk, false, 3);
  drawn();
  ramp();
  several();
  partly_drawn();
  several_works();
  half();
  idle();
  poisson();
  wolf();
  refused();
  threads();
  memory("events");
  memory("flux");
  memory("grid");
  answers_end();
  return check_done();
}
