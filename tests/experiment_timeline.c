/* The course in time under an input that moves continuously, against closed forms. Birth at k(t) and death at g a
 * molecule, from none: under a prescribed k the count is Poisson at every time, its mean and its variance both
 * int exp(-g (t - s)) k(s) ds, for a sine by its formula, else by quadrature; under a stationary random k with
 * covariance c exp(-|s|/tau) the mean is that of the mean k, and the variance has the double integral of the covariance
 * on top. Grid times stand where they should, behind a warmup too, and the sums have the same bits for any number of
 * threads. Two statistics at 5 times of 7 inputs are held to SIGMA, so that all together raise a false alarm below 1e-6
 * under random seeds; the seed is fixed. */
#include "lang_sample.h"

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

int main(void)
{
  for (int i = 0; i < INPUTS; i++) test_input(&inputs[i]);
  return check_done();
}
