/* Models under an input that moves continuously, in both engines. A square wave against the closed form of the ratchet
 * of two gates; a sine against Runge and Kutta's method written here, alone and beside a telegraph; an
 * Ornstein-Uhlenbeck process on its grid against the limit of fine grids and a simulation against that limit; a bath
 * and a temperature against chains solved by hand; copies against one; works against entropy, and Jarzynski's equality
 * under a ramp. Statistics have Student's law of 63 degrees and are held to SIGMA: 10 of them raise a false alarm below
 * 1e-7 all together under random seeds, and the seeds are fixed. Values that are 3 to 15 % off must be noticed. Cost: 9
 * s. */
#include "engine/motion/motion.h"
#include "lang_sample.h"
#include "networks/experiment/driven.h"

#define SIGMA 7.2
#define PI 3.14159265358979323846
enum { HARMONICS = DRIVEN_HARMONICS };

static void complain(const ness_diags *diags, const char *text)
{
  if (ness_diags_count(diags, NULL)) fprintf(stderr, "%s%s\n", text, ness_diags_get(diags, 0)->message);
}

/* Means over a period; free it with driven_steady_free. */
static driven_steady rest_of(ness_model *m, driven *d)
{
  ness_diags *const diags = ness_diags_create();
  driven_steady s = {0};
  ness_status status = driven_create(m->compiled, driven_input(m->compiled, false), diags, d);
  if (status == NESS_OK) status = driven_rest(d, NULL, diags, &s);
  CHECK(status == NESS_OK);
  complain(diags, "");
  ness_diags_free(diags);
  if (status != NESS_OK) exit(1);
  return s;
}

static motion_result run_of(ness_model *m, driven *d, motion_options options)
{
  ness_diags *const diags = ness_diags_create();
  motion_result r = {0};
  ness_status status = driven_create(m->compiled, driven_input(m->compiled, true), diags, d);
  if (status == NESS_OK) status = motion_run(d->net, &d->law, &d->path, &options, diags, &r);
  CHECK(status == NESS_OK);
  complain(diags, "");
  ness_diags_free(diags);
  if (status != NESS_OK) exit(1);
  return r;
}

/* An observable of means and rates. */
static double observed(const ness_network *net, int32_t o, const double *fwd, const double *bwd, int32_t stride,
                       const double *mean)
{
  double sum = 0;
  for (int32_t k = net->obs_start[o]; k < net->obs_start[o + 1]; k++) {
    const int32_t kind = net->obs_kind[k], id = net->obs_id[k];
    const double f = kind == OBS_COUNT ? mean[id] : kind == OBS_BWD ? 0 : fwd[stride * id];
    const double b = kind == OBS_COUNT ? 0 : kind == OBS_FWD ? 0 : bwd[stride * id];
    sum += net->obs_coef[k] * (kind == OBS_NET ? f - b : f + b);
  }
  return sum;
}

static double rest_observed(const driven *d, const driven_steady *s, int32_t o)
{
  return observed(d->net, o, s->mean.dir_rate, s->mean.dir_rate + 1, 2, s->mean.mean);
}

/* Within SIGMA of `exact`, by leaving out batches, and not within it of `planted` times that. */
static void check_sample(const driven *d, const motion_result *r, int32_t o, double exact, double planted)
{
  double sum = 0, time = 0, square = 0, batch[MOTION_BATCHES];
  for (int32_t b = 0; b < r->batches; b++) {
    const int64_t steps = (int64_t)b * d->net->nstep, slots = (int64_t)b * d->net->nslot;
    sum += batch[b] = observed(d->net, o, r->fwd + steps, r->bwd + steps, 1, r->dwell + slots);
    time += r->counted[b];
  }
  for (int32_t b = 0; b < r->batches; b++) {
    const double off = (sum - batch[b]) / (time - r->counted[b]) - sum / time;
    square += off * off;
  }
  const double error = sqrt(square * (r->batches - 1) / r->batches), z = (sum / time - exact) / error;
  CHECK(r->batches == MOTION_BATCHES && fabs(z) < SIGMA);
  if (!(fabs(z) < SIGMA)) fprintf(stderr, "  %.8g +- %.2g, expected %.8g\n", sum / time, error, exact);
  CHECK(fabs(sum / time - planted * exact) > SIGMA * error);
}

/* What a run gives to the medium is what works and energies lose, on every batch. */
static void check_books(const motion_result *r)
{
  for (int32_t b = 0; b < r->batches; b++) {
    double work = r->input_work[b] - r->energy[b], size = fabs(r->input_work[b]) + fabs(r->energy[b]);
    for (int32_t i = 0; i < r->nsource; i++) {
      work += r->work[b * r->nsource + i];
      size += fabs(r->work[b * r->nsource + i]);
    }
    CHECK(fabs(r->medium[b] - work) < 1e-9 * (1 + size));
  }
}

/* --- a square wave: the ratchet of two gates --- */

static double gates_rate(double u, double *phi, double *p)
{
  const double left = exp(u) * (exp(u / 2) + exp(-u / 2)), right = exp(-u) * (exp(u / 2) + exp(-u / 2));
  *phi = left / (left + right);
  *p = 1 / (1 + exp(u));
  return left + right;
}

/* Every charge of the site by way of the gates that are open then: (phi+ - phi-) of what it takes up at the high
 * level goes through. */
static double gates_flow(double low, double high, double period, double share)
{
  double phi[2], p[2];
  const double a = -gates_rate(high, &phi[1], &p[1]) * share * period;
  const double b = -gates_rate(low, &phi[0], &p[0]) * (1 - share) * period;
  return (phi[1] - phi[0]) * (p[1] - p[0]) * expm1(a) * expm1(b) / (-expm1(a + b) * period);
}

static ness_model *gates(double low, double high, double period, double share)
{
  char text[1200];
  snprintf(text, sizeof text,
           NATURAL "compartment left reservoir\ncompartment right reservoir\nparam V = 0.3\n"
                   "ion S z 0 { left = 1\n right = 1 }\nprotein Site {\nstate Empty\nstate Full energy = V\n}\n"
                   "in: Empty + S.left <-> Full @ ldb(k0 = exp(V))\n"
                   "out: Full <-> Empty + S.right @ ldb(k0 = exp(-V))\n"
                   "process V square(low = %.17g, high = %.17g, period = %.17g, share = %.17g)\n"
                   "observe J = netflux(S.right)\n",
           low, high, period, share);
  return sample_model(text);
}

static void test_square(void)
{
  for (int k = -4; k <= 4; k++) {
    const double period = pow(10, k), low = -1.5, high = 2 - 0.1 * k, share = k % 2 ? 0.5 : 0.3;
    ness_model *const m = gates(low, high, period, share);
    if (!m) continue;
    driven d;
    driven_steady s = rest_of(m, &d);
    CHECK(fabs(rest_observed(&d, &s, 0) - gates_flow(low, high, period, share)) <
          1e-9 * fmax(1e-3, fabs(gates_flow(low, high, period, share))));
    CHECK(s.mean.closure < 1e-9 && s.input_work > 0); /* equal baths: what it costs, the hand pays */
    CHECK_NEAR(s.input_work, s.mean.entropy, 1e-9);
    driven_steady_free(&s);
    driven_free(&d);
    if (k == 0 || k == -1) {
      motion_result r = run_of(m, &d, (motion_options){.replicas = 64, .time = 800, .warmup = 20, .seed = 3});
      check_sample(&d, &r, 0, gates_flow(low, high, period, share), 1.1);
      check_books(&r);
      motion_result_free(&r);
      driven_free(&d);
    }
    ness_model_free(m);
  }
}

/* --- a sine, by Runge and Kutta --- */

/* p' = A(t) p of up to 4 states, columns that add up to 0, over a period of a sine from the p that comes back: the mean
 * of p_want and its first wave, times 2/period. Places of the network: level, then A or B. */
typedef struct plain {
  int n;
  double mean, amplitude, frequency, phase;
  double level[2], up, down;
} plain;

static void plain_slope(const plain *f, double t, const double *p, double *out)
{
  const double u = f->mean + f->amplitude * sin(2 * PI * f->frequency * t + f->phase);
  for (int l = 0; l < f->n / 2; l++) {
    const double by = f->level[l], flow = 2 * exp(u * by / 2) * p[2 * l] - 3 * exp(-u * by / 2 + by) * p[2 * l + 1];
    const double jump = f->n == 4 ? f->down : 0, rise = f->n == 4 ? f->up : 0;
    for (int i = 0; i < 2; i++) {
      out[2 * l + i] = i ? flow : -flow;
      if (f->n == 4) out[2 * l + i] += l ? rise * p[i] - jump * p[2 + i] : jump * p[2 + i] - rise * p[i];
    }
  }
}

static void plain_step(const plain *f, double t, double h, double *p)
{
  double k[4][4], q[4];
  for (int s = 0; s < 4; s++) {
    for (int i = 0; i < f->n; i++) q[i] = p[i] + (s == 0 ? 0 : s == 3 ? h * k[2][i] : h / 2 * k[s - 1][i]);
    plain_slope(f, t + (s == 0 ? 0 : s == 3 ? h : h / 2), q, k[s]);
  }
  for (int i = 0; i < f->n; i++) p[i] += h / 6 * (k[0][i] + 2 * k[1][i] + 2 * k[2][i] + k[3][i]);
}

/* The share of B: out[0] its mean, out[1], out[2] cosine and sine of the first wave. */
static void plain_period(const plain *f, int steps, double out[3])
{
  double p[4] = {0}, before[4];
  const double period = 1 / f->frequency, h = period / steps;
  for (int i = 0; i < f->n; i++) p[i] = 1.0 / f->n;
  for (int round = 0; round < 4000; round++) {
    double moved = 0;
    memcpy(before, p, sizeof p);
    out[0] = out[1] = out[2] = 0;
    for (int i = 0; i < steps; i++) {
      const double b = p[1] + (f->n == 4 ? p[3] : 0), w = 2 * PI * i / steps;
      out[0] += b / steps;
      out[1] += 2 * b * cos(w) / steps;
      out[2] += 2 * b * sin(w) / steps;
      plain_step(f, i * h, h, p);
    }
    for (int i = 0; i < f->n; i++) moved += fabs(p[i] - before[i]);
    if (moved < 1e-14) break;
  }
}

static ness_model *swing(const plain *f, int copies, const char *more)
{
  char text[1200];
  snprintf(text, sizeof text,
           NATURAL "param u = 0.7, v = 1\nprotein P copies %d {\nstate A\nstate B\n}\n"
                   "r: A <-> B @ 2*exp(u*v/2), 3*exp(v - u*v/2)\n"
                   "process u sine(mean = %.17g, amplitude = %.17g, frequency = %.17g, phase = %.17g)\n%s"
                   "observe n = mean(B), up = forward(r)\n",
           copies, f->mean, f->amplitude, f->frequency, f->phase, more);
  return sample_model(text);
}

static void check_waves(const driven *d, const driven_steady *s, const plain *f, int steps, double copies)
{
  double wanted[3];
  plain_period(f, steps, wanted);
  CHECK_NEAR(rest_observed(d, s, 0) / copies, wanted[0], 1e-8);
  CHECK_NEAR(s->cosine[0] / copies, wanted[1], 1e-8);
  CHECK_NEAR(s->sine[0] / copies, wanted[2], 1e-8);
  CHECK(s->mean.closure < 1e-9 * copies);
}

static void test_sine(void)
{
  static const double frequencies[] = {0.05, 1, 30};
  plain f = {.n = 2, .mean = 0.2, .amplitude = 1.5, .phase = 0.4, .level = {1}};
  driven d;
  for (int i = 0; i < 3; i++) {
    f.frequency = frequencies[i];
    ness_model *const m = swing(&f, 1, "");
    if (!m) continue;
    driven_steady s = rest_of(m, &d);
    check_waves(&d, &s, &f, i ? 2000 : 8000, 1);
    driven_steady_free(&s);
    driven_free(&d);
    ness_model_free(m);
  }
  /* So slow that it rests at every moment. */
  f.frequency = 1e-9;
  ness_model *const m = swing(&f, 1, "");
  driven_steady s = rest_of(m, &d);
  double still = 0;
  for (int i = 0; i < 200; i++) {
    const double u = f.mean + f.amplitude * sin(2 * PI * i / 200), up = 2 * exp(u / 2), down = 3 * exp(1 - u / 2);
    still += up / (up + down) / 200;
  }
  CHECK_NEAR(rest_observed(&d, &s, 0), still, 1e-8);
  driven_steady_free(&s);
  driven_free(&d);
  ness_model_free(m);
}

/* 200 copies share the sine: means of one, times 200; in the simulation as well. */
static void test_copies(void)
{
  const plain f = {.n = 2, .mean = 0.2, .amplitude = 1.5, .frequency = 0.5, .phase = 0.4, .level = {1}};
  ness_model *const m = swing(&f, 200, "");
  ness_model *const one = swing(&f, 1, "");
  driven d, e;
  driven_steady s = rest_of(m, &d), t = rest_of(one, &e);
  check_waves(&d, &s, &f, 2000, 200);
  CHECK_NEAR(s.input_work, 200 * t.input_work, 1e-9);
  CHECK_NEAR(s.mean.entropy, 200 * t.mean.entropy, 1e-9);
  const double n = rest_observed(&d, &s, 0), up = rest_observed(&d, &s, 1);
  CHECK_NEAR(up, 200 * rest_observed(&e, &t, 1), 1e-9);
  driven_free(&d);
  motion_result r = run_of(m, &d, (motion_options){.replicas = 64, .time = 20, .warmup = 4, .seed = 5});
  check_sample(&d, &r, 0, n, 1.03);
  check_sample(&d, &r, 1, up, 1.03);
  check_books(&r);
  motion_result_free(&r);
  driven_steady_free(&s);
  driven_steady_free(&t);
  driven_free(&d);
  driven_free(&e);
  ness_model_free(m);
  ness_model_free(one);
}

/* --- a sine beside a telegraph --- */

static void test_beside(void)
{
  static const double frequencies[] = {0.02, 0.4, 20};
  plain f = {.n = 4, .mean = 0.2, .amplitude = 1.5, .phase = 0.4, .level = {-0.5, 1.2}, .up = 0.8, .down = 0.3};
  for (int i = 0; i < 3; i++) {
    f.frequency = frequencies[i];
    ness_model *const m = swing(&f, 1, "process v telegraph(low = -0.5, high = 1.2, up = 0.8, down = 0.3)\n");
    if (!m) continue;
    driven d;
    double wanted[3];
    driven_steady s = rest_of(m, &d);
    check_waves(&d, &s, &f, i ? 2000 : 20000, 1);
    driven_steady_free(&s);
    driven_free(&d);
    plain_period(&f, i ? 2000 : 20000, wanted);
    motion_result r = run_of(m, &d, (motion_options){.replicas = 64, .time = 500, .warmup = 50, .seed = 6});
    check_sample(&d, &r, 0, wanted[0], 1.1);
    check_books(&r);
    motion_result_free(&r);
    driven_free(&d);
    ness_model_free(m);
  }
}

/* --- an Ornstein-Uhlenbeck process --- */

static ness_model *carrier(int points)
{
  char text[600];
  snprintf(text, sizeof text,
           "model carrier\ninclude \"networks/models/sglt.ness\" with Na.out = 100 [mM], Na.in = 100 [mM], V = 0 [mV], "
           "kslip = 0 [1/s], C.copies = 1\nprocess V ou(mean = 0 [mV], sd = 40 [mV], tau = 0.1 [s], points = %d)\n",
           points);
  return sample_model(text);
}

static double carrier_flow(int points)
{
  ness_model *const m = carrier(points);
  cme_solution s = {0};
  double flow = NAN;
  if (m && cme_steady(sample_network(m), NULL, NULL, &s) == NESS_OK)
    flow = observed(sample_network(m), 1, s.dir_rate, s.dir_rate + 1, 2, s.mean);
  CHECK(s.closure < 1e-9);
  cme_solution_free(&s);
  ness_model_free(m);
  return flow;
}

static void test_grid(void)
{
  const double at41 = carrier_flow(41), at81 = carrier_flow(81), at161 = carrier_flow(161), at321 = carrier_flow(321);
  const double limit = at321 + (at321 - at161) / 3;
  CHECK(fabs(at41 / limit - 1) < 2e-3 && limit > 0);
  CHECK(fabs((at41 - at81) / (at81 - at161) - 4) < 0.2 && fabs((at81 - at161) / (at161 - at321) - 4) < 0.1);
  ness_model *const m = carrier(41);
  driven d;
  motion_result r = run_of(m, &d, (motion_options){.replicas = 64, .time = 300, .warmup = 2, .seed = 7});
  CHECK_STR(network_text(d.net, d.net->obs_name[1]), "JS");
  check_sample(&d, &r, 1, limit, 1.15);
  check_books(&r);
  motion_result_free(&r);
  driven_free(&d);
  ness_model_free(m);
}

/* --- concentrations and temperatures --- */

/* A site between two baths; each level has rates in and out by way of either: left in, left out, right out, right in.
 * Held at two levels in turns: telegraph of rate g each way, or a square so slow or so fast that a chain at rest tells.
 */
typedef struct site {
  double rate[2][4];
} site;

static double site_still(const double k[4]) /* the net flow to the right */
{
  const double p = (k[0] + k[3]) / (k[0] + k[1] + k[2] + k[3]);
  return k[2] * p - k[3] * (1 - p);
}

static double site_telegraph(const site *s, double g)
{
  double r[2], a[2], q[2];
  for (int l = 0; l < 2; l++) {
    r[l] = s->rate[l][0] + s->rate[l][1] + s->rate[l][2] + s->rate[l][3];
    a[l] = (s->rate[l][0] + s->rate[l][3]) / 2;
  }
  /* q_l, full at level l: a_l - r_l q_l + g (q_other - q_l) = 0 */
  const double det = (r[0] + g) * (r[1] + g) - g * g;
  q[0] = (a[0] * (r[1] + g) + g * a[1]) / det;
  q[1] = (a[1] * (r[0] + g) + g * a[0]) / det;
  double flow = 0;
  for (int l = 0; l < 2; l++) flow += s->rate[l][2] * q[l] - s->rate[l][3] * (0.5 - q[l]);
  return flow;
}

static void check_site(const char *head, const char *process, const site *s)
{
  double fast[4];
  for (int i = 0; i < 4; i++) fast[i] = (s->rate[0][i] + s->rate[1][i]) / 2;
  for (int kind = 0; kind < 3; kind++) {
    char text[1500];
    snprintf(text, sizeof text, kind ? "%sprocess %s, period = %g)\n" : "%sprocess %s, up = 2.5, down = 2.5)\n", head,
             process, kind == 1 ? 1e8 : 1e-7);
    char *const at = strstr(text, "KIND");
    char whole[1600];
    snprintf(whole, sizeof whole, "%.*s%s%s", (int)(at - text), text, kind ? "square" : "telegraph", at + 4);
    ness_model *const m = sample_model(whole);
    if (!m) continue;
    driven d = {0};
    driven_steady rest = {0};
    cme_solution exact = {0};
    if (kind) rest = rest_of(m, &d);
    else CHECK(cme_steady(sample_network(m), NULL, NULL, &exact) == NESS_OK);
    const cme_solution *const c = kind ? &rest.mean : &exact;
    const double flow = observed(sample_network(m), 0, c->dir_rate, c->dir_rate + 1, 2, c->mean);
    const double wanted = kind == 0   ? site_telegraph(s, 2.5)
                          : kind == 1 ? (site_still(s->rate[0]) + site_still(s->rate[1])) / 2
                                      : site_still(fast);
    CHECK_NEAR(flow, wanted, kind ? 1e-6 : 1e-12);
    CHECK(c->closure < 1e-9 && c->entropy > 0);
    cme_solution_free(&exact);
    driven_steady_free(&rest);
    driven_free(&d);
    ness_model_free(m);
  }
}

static void test_sites(void)
{
  site bath = {{{0}}}, heat = {{{0}}};
  for (int l = 0; l < 2; l++) {
    const double c = l ? 3 : 0.5, T = l ? 4 : 1.5;
    const double b[4] = {2 * c, 1, 3, 1.5};
    /* Levels of energy 1 filled from a lead at T and one at 1, in units of T = 1. */
    const double h[4] = {5 / (1 + exp(1 / T)), 5 / (1 + exp(-1 / T)), 4 / (1 + exp(-1)), 4 / (1 + exp(1))};
    memcpy(bath.rate[l], b, sizeof b);
    memcpy(heat.rate[l], h, sizeof h);
  }
  check_site(NATURAL "compartment left reservoir\ncompartment right reservoir\nion S z 0 { left = 1\n right = 1.5 }\n"
                     "protein P {\nstate Empty\nstate Full energy = -ln(2)\n}\n"
                     "in: Empty + S.left <-> Full @ 2, ldb\nout: Full <-> Empty + S.right @ 3, 1\n"
                     "observe J = netflux(S.right)\n",
             "S.left KIND(low = 0.5, high = 3", &bath);
  check_site(NATURAL "param T = 2\ncompartment hot reservoir temperature T\ncompartment cold reservoir\n"
                     "ion el z 0 { hot = 1\n cold = 1 }\nprotein P {\nstate Empty\nstate Full energy = 1\n}\n"
                     "in: Empty + el.hot <-> Full @ ldb(k0 = 5, form = heat-bath)\n"
                     "out: Full <-> Empty + el.cold @ ldb(k0 = 4, form = heat-bath)\n"
                     "observe J = netflux(el.cold)\n",
             "T KIND(low = 1.5, high = 4", &heat);
}

/* --- a ramp: Jarzynski's equality --- */

static void test_ramp(void)
{
  ness_model *const m = sample_model(NATURAL "param V = 0\nprotein P copies 3 {\nstate A\nstate B energy = V\n}\n"
                                             "r: A <-> B @ ldb(k0 = 2, split = 0.3)\n"
                                             "process V ramp(from = -1, to = 2, begin = 12, end = 13)\n");
  driven d;
  motion_result r =
      run_of(m, &d, (motion_options){.replicas = 60000, .time = 14, .warmup = 10, .seed = 8, .keep_work = true});
  double sum = 0, square = 0, work = 0;
  for (int64_t i = 0; i < r.replicas; i++) {
    const double x = exp(-r.work_list[i]);
    sum += x / (double)r.replicas;
    square += x * x / (double)r.replicas;
    work += r.work_list[i] / (double)r.replicas;
  }
  /* exp(-dF) of three copies. */
  const double wanted = pow((1 + exp(-2)) / (1 + exp(1)), 3), error = sqrt((square - sum * sum) / (double)r.replicas);
  CHECK(fabs(sum - wanted) < SIGMA * error && error < 0.01 * wanted);
  if (!(fabs(sum - wanted) < SIGMA * error)) fprintf(stderr, "  %.8g +- %.2g, expected %.8g\n", sum, error, wanted);
  CHECK(work > -log(wanted) + 0.05); /* it is not slow */
  check_books(&r);
  motion_result_free(&r);
  driven_free(&d);
  ness_model_free(m);
}

int main(void)
{
  test_square();
  test_sine();
  test_copies();
  test_beside();
  test_sites();
  test_ramp();
  test_grid();
  return check_done();
}
