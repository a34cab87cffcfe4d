/* The course in time under an input that moves continuously, against closed forms. Birth at k(t) and death at g a
 * molecule, from none: under a prescribed k the count is Poisson at every time, its mean and its variance both
 * int exp(-g (t - s)) k(s) ds, for a sine by its formula, else by quadrature; under a stationary random k with
 * covariance c exp(-|s|/tau) the mean is that of the mean k, and the variance has the double integral of the covariance
 * on top. Grid times stand where they should, behind a warmup too, and the sums have the same bits for any number of
 * threads. Two statistics at 5 times of 7 inputs are held to SIGMA, so that all together raise a false alarm below 1e-6
 * under random seeds; the seed is fixed. */
#include "engine/dump/dump.h"
#include "lang_sample.h"
#include <ness/analyze.h>
#include <ness/dump.h>

#define SIGMA 6.5
#define PI 3.14159265358979323846
#define DEATH 2.0
#define EVERY 0.3
#define WARMUP 0.1
#define TIMES 5
#define REPLICAS 3000

typedef struct input {
  const char *process;
  double mean, covariance, tau; /* random inputs; tau 0: prescribed by course */
  double (*course)(double t);
} input;

static double course_sine(double t)
{
  return 40 + 25 * sin(2 * PI * 1.5 * t + 0.4);
}
static double course_square(double t)
{
  return fmod(t, 0.4) < 0.1 ? 80 : 10;
}
static double course_ramp(double t)
{
  return t < 0.2 ? 20 : t < 1 ? 20 + 60 * (t - 0.2) / 0.8 : 80;
}
static double course_steps(double t)
{
  return t < 0.3 ? 30 : t < 0.7 ? 90 : 10;
}
static double course_line(double t)
{
  const double s = fmod(t, 0.8);
  return s < 0.5 ? 10 + 100 * s : 60 - 50 * (s - 0.5) / 0.3;
}

static const input inputs[] = {
    {"sine(mean = 40, amplitude = 25, frequency = 1.5, phase = 0.4)", 0, 0, 0, course_sine},
    {"square(low = 10, high = 80, period = 0.4, share = 0.25)", 0, 0, 0, course_square},
    {"ramp(from = 20, to = 80, begin = 0.2, end = 1)", 0, 0, 0, course_ramp},
    {"steps {\n0 = 30\n0.3 = 90\n0.7 = 10\n}", 0, 0, 0, course_steps},
    {"line {\n0 = 10\n0.5 = 60\nperiod 0.8\n}", 0, 0, 0, course_line},
    {"ou(mean = 60, sd = 6, tau = 0.5)", 60, 36, 0.5, NULL},
    {"shot(base = 20, jump = 6, rate = 10, tau = 0.4)", 20 + 6 * 10 * 0.4, 36 * 10 * 0.4 / 2, 0.4, NULL},
};
#define INPUTS ((int)(sizeof inputs / sizeof *inputs))

/* int_0^t exp(-g (t - s)) k(s) ds, by midpoints between which a corner weighs nothing. */
static double prescribed_mean(const input *in, double t)
{
  enum { PARTS = 200000 };
  double sum = 0;
  for (int i = 0; i < PARTS; i++) {
    const double s = t * (i + 0.5) / PARTS;
    sum += exp(-DEATH * (t - s)) * in->course(s);
  }
  return sum * t / PARTS;
}

static double sine_mean(double t)
{
  const double w = 2 * PI * 1.5, g = DEATH, size = 25 / (g * g + w * w);
  const double now = g * sin(w * t + 0.4) - w * cos(w * t + 0.4), first = g * sin(0.4) - w * cos(0.4);
  return 40 / g * (1 - exp(-g * t)) + size * (now - first * exp(-g * t));
}

static void expected(const input *in, double t, double *mean, double *extra)
{
  const double g = DEATH, a = in->tau > 0 ? 1 / in->tau : 0;
  *extra = 0;
  *mean = in->course ? prescribed_mean(in, t) : in->mean / g * (1 - exp(-g * t));
  if (in->course == course_sine) {
    CHECK_NEAR(*mean, sine_mean(t), 1e-8);
    *mean = sine_mean(t);
  }
  if (in->tau > 0 && a != g) {
    *extra = 2 * in->covariance / (a - g) * ((1 - exp(-2 * g * t)) / (2 * g) - (1 - exp(-(g + a) * t)) / (g + a));
  } else if (in->tau > 0) {
    *extra = in->covariance * (1 - exp(-2 * g * t) * (1 + 2 * g * t)) / (2 * g * g);
  }
}

static void check_row(const ssa_result *r, const input *in, int32_t k)
{
  double n = 0, sum = 0, sum2 = 0, mean, extra;
  for (int32_t b = 0; b < r->grid_batches; b++) {
    const size_t at = (size_t)b * (size_t)r->ngrid + (size_t)k;
    n += (double)r->grid_replicas[at];
    sum += r->grid_sum[at];
    sum2 += r->grid_sum2[at];
  }
  const double t = WARMUP + EVERY * (k + 1);
  CHECK_NEAR(r->grid_time[k], t, 1e-12);
  CHECK(n == REPLICAS);
  expected(in, t, &mean, &extra);
  /* Of a mixture of Poisson laws: the fourth cumulant from those of the mixing, half as much again for its skewness. */
  const double variance = mean + extra, fourth = mean + 10 * extra + 2 * variance * variance;
  const double off = (sum / n - mean) / sqrt(variance / n);
  const double spread = ((sum2 - sum * sum / n) / (n - 1) - variance) / sqrt(fourth / n);
  CHECK(fabs(off) < SIGMA && fabs(spread) < SIGMA);
  if (!(fabs(off) < SIGMA && fabs(spread) < SIGMA))
    fprintf(stderr, "%s at %g: the mean is off by %.1f, the variance by %.1f sigma\n", in->process, t, off, spread);
}

static bool same_sums(const ssa_result *a, const ssa_result *b)
{
  const size_t rows = (size_t)a->ngrid * (size_t)a->grid_batches;
  return a->ngrid == b->ngrid && a->grid_batches == b->grid_batches &&
         memcmp(a->grid_sum, b->grid_sum, rows * sizeof(double)) == 0 &&
         memcmp(a->grid_sum2, b->grid_sum2, rows * sizeof(double)) == 0;
}

static void test_input(const input *in)
{
  char text[400];
  snprintf(text, sizeof text,
           NATURAL "param k = 40\nspecies A = 0\nbirth: 0 -> A @ k\ndeath: A -> 0 @ 2\nprocess k %s\n", in->process);
  ness_model *const model = sample_model(text);
  ness_diags *const diags = ness_diags_create();
  sampled s[2];
  memset(s, 0, sizeof s);
  for (int i = 0; model && i < 2; i++) {
    const ness_simulate_options o = {.struct_size = sizeof o,
                                     .replicas = REPLICAS,
                                     .time = WARMUP + TIMES * EVERY,
                                     .warmup = WARMUP,
                                     .every = EVERY,
                                     .threads = i + 1,
                                     .seed = 4};
    CHECK(sample_run(model->compiled, &o, "", "", diags, &s[i]) == NESS_OK);
  }
  CHECK(s[0].counts.ngrid == TIMES);
  if (s[0].counts.ngrid == TIMES && s[1].counts.ngrid == TIMES) {
    for (int32_t k = 0; k < TIMES; k++) check_row(&s[0].counts, in, k);
    CHECK(same_sums(&s[0].counts, &s[1].counts));
  }
  sample_free(&s[0]);
  sample_free(&s[1]);
  ness_diags_free(diags);
  ness_model_free(model);
}

/* --- dumps --- */

static char dump_path[64];

typedef struct recovered { /* what a dump adds up to */
  int64_t chunks, rows, events, finished, breaks;
  int64_t fwd[4], bwd[4];
  double dwell, counted, *sum; /* (times) of the first slot over replicas */
} recovered;

/* `whole`: the counts at the end of a chunk are those at its start and what its events did, and go on in the next. */
static void dump_read(const char *path, bool whole, int64_t times, recovered *out)
{
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  ness_diags *const diags = ness_diags_create();
  int64_t grid = 0, next = 0;
  *out = (recovered){.sum = calloc((size_t)times, sizeof(double))};
  CHECK(dump_open(path, diags, &reader) == NESS_OK);
  const ness_network *const net = reader ? dump_network(reader) : NULL;
  while (net && dump_next(reader, &frame, diags) == NESS_OK && frame.bytes > 0) {
    dump_chunk c;
    if (frame.kind != DUMP_KIND_CHUNK) continue;
    CHECK(dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &c) == NESS_OK);
    if (c.index == 0) grid = 0;
    else out->breaks += c.n0[0] != next;
    next = c.n0[0];
    for (int32_t s = 0; s < net->nstep && s < 4; s++) {
      out->fwd[s] += c.fwd[s];
      out->bwd[s] += c.bwd[s];
      for (int32_t i = net->change_start[s]; i < net->change_start[s + 1]; i++)
        next += net->change_slot[i] == 0 ? net->change_by[i] * (c.fwd[s] - c.bwd[s]) : 0;
    }
    if (whole && c.rows > 0 && c.row_time[c.rows - 1] == c.t1)
      out->breaks += c.row_count[(c.rows - 1) * net->nslot] != next;
    for (int64_t r = 0; c.row_count && r < c.rows && grid < times; r++)
      out->sum[grid++] += (double)c.row_count[r * net->nslot];
    out->chunks++;
    out->rows += c.rows;
    out->events += c.events;
    out->finished += c.last;
    out->dwell += c.dwell[0];
    out->counted += c.counted;
  }
  dump_reader_free(reader);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  ness_diags_free(diags);
}

static ness_status verified(const char *path, bool *complete)
{
  ness_doc *doc = NULL;
  const ness_status status = ness_dump_verify(path, NULL, &doc);
  *complete = doc && ness_doc_number(doc, "complete") == 1;
  ness_doc_free(doc);
  return status;
}

/* A dump beside the run that wrote it; counts go on from chunk to chunk where events are whole. */
static void test_dump(const char *text, const char *method, bool whole, ness_simulate_options o, int64_t chunks)
{
  ness_model *const model = sample_model(text);
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  sampled s;
  recovered got;
  bool complete;
  memset(&s, 0, sizeof s);
  o.struct_size = sizeof o;
  o.path = dump_path;
  o.level = "grid";
  o.overwrite = 1;
  o.method = method;
  CHECK(model && sample_run(model->compiled, &o, text, "", diags, &s) == NESS_OK);
  CHECK(verified(dump_path, &complete) == NESS_OK && complete);
  const ssa_result *const r = &s.counts;
  dump_read(dump_path, whole, r->ngrid, &got);
  CHECK(got.chunks == chunks * o.replicas && got.finished == o.replicas && got.rows == o.replicas * r->ngrid);
  CHECK(got.events == r->events && (!whole || got.breaks == 0));
  double fwd = 0, dwell = 0;
  for (int32_t b = 0; b < r->batches; b++) {
    fwd += r->fwd[b * lang_network(model->compiled)->nstep];
    dwell += r->dwell[b * lang_network(model->compiled)->nslot];
  }
  const double rounding = whole ? 0 : 0.5 * (double)o.replicas;
  CHECK_NEAR((double)got.fwd[0], fwd, rounding);
  CHECK_NEAR(got.dwell, dwell, 1e-9 * dwell);
  CHECK_NEAR(got.counted, (double)o.replicas * (o.time - o.warmup), 1e-9 * o.time);
  double worst = 0;
  const size_t nslot = (size_t)lang_network(model->compiled)->nslot;
  for (int32_t k = 0; k < r->ngrid; k++) {
    double sum = 0;
    for (int32_t b = 0; b < r->grid_batches; b++)
      sum += r->grid_sum[((size_t)b * (size_t)r->ngrid + (size_t)k) * nslot];
    worst = fmax(worst, fabs(sum - got.sum[k]));
  }
  CHECK_NEAR(worst, 0, rounding);
  /* What is said of them: moved_dumps.c, flowing_dumps.c. */
  const ness_analyze_options ask = {.struct_size = sizeof ask};
  CHECK(ness_analyze(dump_path, &ask, diags, &doc) == NESS_OK && !ness_doc_string(doc, "input.name") == s.flows);
  ness_doc_free(doc);
  doc = NULL;
  CHECK(ness_resume(dump_path, &o, diags, &doc) == NESS_FORMAT && !doc);
  free(got.sum);
  sample_free(&s);
  ness_diags_free(diags);
  ness_model_free(model);
}

static int stop_soon(void *context, double done, double total, int64_t events, double seconds)
{
  (void)context, (void)done, (void)total, (void)events, (void)seconds;
  return 1;
}

/* A run that is stopped leaves the replicas that were whole, in a file without a fault; other levels are refused before
 * a file is made. */
static void test_stopped(const char *text)
{
  ness_model *const model = sample_model(text);
  ness_diags *const diags = ness_diags_create();
  recovered got;
  sampled s;
  bool complete = true;
  ness_simulate_options o = {.struct_size = sizeof o,
                             .replicas = 4000,
                             .time = 100,
                             .every = 10,
                             .path = dump_path,
                             .level = "summary",
                             .threads = 2,
                             .progress = stop_soon};
  unlink(dump_path);
  CHECK(model && sample_run(model->compiled, &o, text, "", diags, &s) == NESS_USAGE);
  CHECK(access(dump_path, F_OK) != 0);
  sample_free(&s);
  o.level = "grid";
  CHECK(model && sample_run(model->compiled, &o, text, "", diags, &s) == NESS_INTERRUPTED);
  sample_free(&s);
  CHECK(verified(dump_path, &complete) == NESS_OK && !complete);
  dump_read(dump_path, true, 10, &got);
  CHECK(got.finished > 0 && got.finished < o.replicas && got.breaks == 0 && got.rows == 10 * got.finished);
  free(got.sum);
  o.level = "events";
  o.overwrite = 1;
  CHECK(model && sample_run(model->compiled, &o, text, "", diags, &s) == NESS_INTERRUPTED);
  sample_free(&s);
  CHECK(verified(dump_path, &complete) == NESS_OK && !complete);
  dump_read(dump_path, false, 10, &got);
  CHECK(got.finished > 0 && got.finished < o.replicas && got.rows == got.events && got.breaks == 0);
  free(got.sum);
  unlink(dump_path);
  ness_diags_free(diags);
  ness_model_free(model);
}

#define BIRTH NATURAL "param k = 40\nspecies A = 0\nbirth: 0 -> A @ k\ndeath: A -> 0 @ 2\n"
#define FLUID                                                                                                          \
  NATURAL "species A = 100, G = 0\ndeath: A -> 0 @ 1 fluid\nbirth: 0 -> A @@ 90*G fluid\nopen: 0 -> G @ 3\nshut: G "   \
          "-> 0 @ 2\n"
#define SINE "process k sine(mean = 40, amplitude = 25, frequency = 1.5)\n"

static void test_dumps(void)
{
  snprintf(dump_path, sizeof dump_path, "/tmp/ness_timeline_%ld.msgpack", (long)getpid());
  /* 65,000 rows of one slot are a chunk, 44,000 of two; few replicas have 64 pieces, or their rows, many have two
   * halves. */
  test_dump(BIRTH SINE, NULL, true, (ness_simulate_options){.replicas = 3, .time = 180, .warmup = 30, .every = 0.001},
            64);
  test_dump(BIRTH SINE, NULL, true, (ness_simulate_options){.replicas = 5, .time = 2.25, .every = 0.5}, 4);
  test_dump(BIRTH SINE, NULL, true, (ness_simulate_options){.replicas = 20, .time = 250, .every = 0.001}, 4);
  test_dump(FLUID, NULL, false, (ness_simulate_options){.replicas = 1, .time = 150, .every = 0.001}, 64);
  test_dump(BIRTH, "mean", false, (ness_simulate_options){.replicas = 1, .time = 3, .every = 0.1}, 30);
  test_dump(BIRTH, "langevin", false, (ness_simulate_options){.replicas = 4, .time = 3, .every = 0.1}, 30);
  test_dump(FLUID, NULL, false, (ness_simulate_options){.replicas = 4, .time = 3, .every = 0.1}, 30);
  test_stopped(BIRTH SINE);
}

int main(void)
{
  test_dumps();
  for (int i = 0; i < INPUTS; i++) test_input(&inputs[i]);
  return check_done();
}
