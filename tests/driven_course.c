/* `solve transient` under an input that is prescribed. Held against what knows nothing of it: a square wave against
 * products of exponentials, a ramp and lines against the same equation by Runge-Kutta steps of this file, for one
 * molecule, for independent copies (variance N p (1 - p)) and for molecules that meet (their master equation, listed
 * here); a sine, after many turns, against the periodic steady state, which is found by collocation; with an input that
 * flips beside it, the same. Cost: 2 s. */
#include "engine/rng/rng.h"
#include "lang_sample.h"
#include "networks/experiment/driven.h"

#define HEAD "model m\nunits natural\n"

static ness_status course(const char *text, const double *times, int32_t n, evolution *out)
{
  ness_model *const model = sample_model(text);
  const lang_process *const input = driven_input(model->compiled, false);
  ness_diags *const diags = ness_diags_create();
  driven d;
  ness_status status = driven_create(model->compiled, input, diags, &d);
  CHECK(status == NESS_OK);
  if (status == NESS_OK) status = driven_course(&d, &(cme_options){0}, &(transient_options){0}, times, n, diags, out);
  driven_free(&d);
  ness_diags_free(diags);
  ness_model_free(model);
  return status;
}

/* dp/dt = Q(t) p by classical Runge-Kutta steps; `right` has Q(t) p. */
typedef void (*right_side)(double t, const double *p, double *dp);
enum { STATES = 8 };

static void runge_kutta(right_side right, int32_t n, double from, double to, int32_t steps, double *p)
{
  const double h = (to - from) / steps;
  double k[4][STATES], q[STATES];
  for (int32_t i = 0; i < steps; i++) {
    const double t = from + i * h;
    right(t, p, k[0]);
    for (int32_t s = 0; s < n; s++) q[s] = p[s] + h / 2 * k[0][s];
    right(t + h / 2, q, k[1]);
    for (int32_t s = 0; s < n; s++) q[s] = p[s] + h / 2 * k[1][s];
    right(t + h / 2, q, k[2]);
    for (int32_t s = 0; s < n; s++) q[s] = p[s] + h * k[2][s];
    right(t + h, q, k[3]);
    for (int32_t s = 0; s < n; s++) p[s] += h / 6 * (k[0][s] + 2 * k[1][s] + 2 * k[2][s] + k[3][s]);
  }
}

/* --- a ramp of an energy, copies --- */

static double ramp(double t)
{
  return 3 * fmin(fmax((t - 0.5) / 1.5, 0), 1);
}

static void ramp_right(double t, const double *p, double *dp)
{
  const double forth = 2 * exp(-ramp(t) / 2), back = 2 * exp(ramp(t) / 2);
  dp[0] = back * p[1] - forth * p[0];
  dp[1] = -dp[0];
}

static void test_ramp(void)
{
  const double times[] = {0, 0.5, 1, 2, 3, 5}, copies = 30;
  double p[STATES] = {1};
  evolution e;
  CHECK(course(HEAD "param E = 1\nprotein P copies 30 {\nstate A\nstate B energy = E\n}\nr: A <-> B @ ldb(k0 = 2)\n"
                    "process E ramp(from = 0, to = 3, begin = 0.5, end = 2)\n",
               times, 6, &e) == NESS_OK);
  for (int32_t i = 0; i < e.ntimes; i++) {
    if (i > 0) runge_kutta(ramp_right, 2, times[i - 1], times[i], 4000, p);
    CHECK_NEAR(e.mean[2 * i + 1], copies * p[1], 1e-8 * copies);
    CHECK_NEAR(e.var[2 * i + 1], copies * p[0] * p[1], 1e-8 * copies);
    CHECK_NEAR(e.dir_rate[2 * i], copies * p[0] * 2 * exp(-ramp(times[i]) / 2), 1e-7 * copies);
    CHECK_NEAR(e.dir_rate[2 * i + 1], copies * p[1] * 2 * exp(ramp(times[i]) / 2), 1e-7 * copies);
  }
  CHECK(e.report.bound < 1e-8);
  evolve_free(&e);
}

/* --- molecules that meet, along lines that come again: A + A <-> B, five A at first --- */

static double lines(double t)
{
  const double at = fmod(t, 1.5);
  return at < 0.4 ? 1 + 2 * at / 0.4 : at < 1 ? 3 - 2.5 * (at - 0.4) / 0.6 : 0.5 + 0.5 * (at - 1) / 0.5;
}

static void lines_right(double t, const double *p, double *dp)
{
  for (int32_t b = 0; b < 3; b++) dp[b] = 0;
  for (int32_t b = 0; b < 3; b++) { /* b of B, 5 - 2 b of A */
    const double a = 5 - 2 * b, forth = lines(t) * a * (a - 1) * p[b], back = 1.5 * b * p[b];
    dp[b] -= forth + back;
    if (b < 2) dp[b + 1] += forth;
    if (b > 0) dp[b - 1] += back;
  }
}

static void test_lines(void)
{
  const double times[] = {0.2, 0.4, 1.1, 1.5, 4.7};
  double p[STATES] = {1}, before = 0;
  evolution e;
  CHECK(course(HEAD "param k = 1\nspecies A = 5, B = 0\nr: 2 A <-> B @ k, 1.5\n"
                    "process k line { 0 = 1  0.4 = 3  1 = 0.5  period 1.5 }\n",
               times, 5, &e) == NESS_OK);
  for (int32_t i = 0; i < e.ntimes; i++) {
    runge_kutta(lines_right, 3, before, times[i], 20000, p);
    before = times[i];
    const double mean = p[1] + 2 * p[2], var = p[1] + 4 * p[2] - mean * mean;
    CHECK_NEAR(e.mean[2 * i + 1], mean, 1e-6); /* Runge-Kutta steps pass over the corners */
    CHECK_NEAR(e.var[2 * i + 1], var, 1e-6);
  }
  evolve_free(&e);
}

/* --- a square wave: each stretch an exponential --- */

static void test_square(void)
{
  double times[41], p = 0, before = 0;
  evolution e;
  for (int32_t i = 0; i < 41; i++) times[i] = 0.13 * i;
  CHECK(course(HEAD "param k = 1\nspecies A = 1, B = 0\nr: A <-> B @ k, 2\n"
                    "process k square(low = 0.25, high = 6, period = 0.7, share = 0.3)\n",
               times, 41, &e) == NESS_OK);
  for (int32_t i = 0; i < 41; i++) {
    while (before < times[i]) {
      const double turn = 0.7 * floor(before / 0.7 + 1e-9), flip = turn + 0.21;
      const bool high = before < flip - 1e-9;
      const double end = fmin(times[i], high ? flip : turn + 0.7), k = high ? 6 : 0.25, rest = k / (k + 2);
      p = rest + (p - rest) * exp(-(k + 2) * (end - before));
      before = end;
    }
    CHECK_NEAR(e.mean[2 * i + 1], p, 1e-9);
    CHECK_NEAR(e.var[2 * i + 1], p * (1 - p), 1e-9);
  }
  CHECK(e.report.proven && e.report.bound < 1e-9); /* rates stand between the breaks */
  evolve_free(&e);
}

/* --- a sine: it comes to the periodic steady state --- */

static void test_sine(const char *more)
{
  enum { PHASES = 8, TURNS = 40 };
  const double period = 0.8;
  char text[2000];
  double times[PHASES];
  snprintf(text, sizeof text,
           HEAD "compartment left reservoir\ncompartment right reservoir potential V\nparam V = 0, k = 1\n"
                "ion S z 1 { left = 2\n right = 1 }\nprotein P {\nstate A\nstate B energy = 0.3 charge 0.5\nstate C "
                "energy = -0.2\n}\n"
                "a: A + S.left <-> B @ ldb(k0 = 2)\nb: B <-> C @ ldb(k0 = 3)\nc: C <-> A + S.right @ ldb(k0 = k)\n"
                "process V sine(mean = 0.2, amplitude = 1.5, frequency = 1.25, phase = 0.4)\n%s",
           more);
  for (int32_t i = 0; i < PHASES; i++) times[i] = period * (TURNS + (double)i / PHASES);
  evolution e;
  CHECK(course(text, times, PHASES, &e) == NESS_OK);
  ness_model *const model = sample_model(text);
  driven d;
  driven_steady rest;
  CHECK(driven_create(model->compiled, driven_input(model->compiled, false), NULL, &d) == NESS_OK);
  CHECK(driven_rest_phases(&d, &(cme_options){0}, PHASES, NULL, &rest) == NESS_OK);
  for (int32_t i = 0; i < PHASES; i++) {
    for (int32_t s = 0; s < 3; s++) {
      CHECK_NEAR(e.mean[i * d.net->nslot + s], rest.at[i * d.net->nslot + s], 1e-7);
      if (!*more) CHECK_NEAR(e.var[i * d.net->nslot + s], rest.spread[i * d.net->nslot + s], 1e-7);
    }
  }
  CHECK(fabs(e.mean[0] - e.mean[3 * d.net->nslot]) > 1e-3); /* it moves */
  driven_steady_free(&rest);
  driven_free(&d);
  ness_model_free(model);
  evolve_free(&e);
}

int main(void)
{
  test_ramp();
  test_lines();
  test_square();
  test_sine("");
  test_sine("process k telegraph(low = 0.5, high = 2, up = 1, down = 2)\n");
  return check_done();
}
