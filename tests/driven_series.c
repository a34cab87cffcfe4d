/* What driven_create makes of a file: at random values of the input the series have to give the network of the file
 * compiled there, for rates of every form, in all that a process can move (a voltage, a concentration, a bath, the
 * temperature of a place), alone and beside an input that flips; the laws pass the check of engine/motion. What has no
 * series is refused with words that say what to do. Cost: 1 s. */
#include "engine/rng/rng.h"
#include "lang_sample.h"
#include "networks/experiment/driven.h"

#define NEAR 1e-12

static double between(rng_stream *rng, double low, double high)
{
  return low + (high - low) * rng_double(rng);
}

/* A file with a rate of every form and random numbers; `moved` is its process, `more` goes at its end. */
static ness_model *random_model(rng_stream *rng, const char *moved, const char *more)
{
  char text[4000];
  snprintf(text, sizeof text,
           SI "compartment out reservoir\ncompartment in reservoir potential V\n"
              "param V = %.17g [mV], k = 3 [1/s], Th = %.17g [K]\n"
              "compartment hot reservoir temperature Th\n"
              "ion Na z +1 { out = %.17g [mM]\n in = 10 [mM]\n hot = 50 [mM]\n mu0 = 0.3 kT }\n"
              "bath ATP = %.17g [mM], mu0 = 9 kT, ADP = 1 [mM]\nspecies X = 4\n"
              "protein P copies 2 {\nstate A\nstate B energy = %.17g kT charge %.17g\nstate C energy = %.17g kT }\n"
              "e: A <-> B @ ldb(k0 = %.17g [1/s], split = %.17g)\n"
              "sg: B <-> C @ ldb(k0 = %.17g [1/s], form = scharfetter-gummel)\n"
              "hb: A + Na.out <-> C @ ldb(k0 = %.17g [1/s], form = heat-bath)\n"
              "ba: A + ATP <-> B + ADP @ ldb(k0 = 4 [1/s], barrier = 2 kT)\n"
              "pore: C + Na.out <-> C + Na.in @ ldb(k0 = 50 [1/s])\n"
              "bind: A + Na.in <-> C @ 1e3 [1/M/s], ldb\n"
              "raw: B <-> C @ k*exp(V/25 [mV]), 2 [1/s]\n"
              "one: C -> A @ 2 [1/s]*exp(-V/30 [mV])\n"
              "heat: A + Na.hot <-> B @ ldb(k0 = 6 [1/s], form = heat-bath)\n"
              "plain: A <-> C @ 1 [1/s], ldb\n"
              "tape: X -> 0 @@ 2 [1/s]*X/(1 + X)\n%s%s",
           between(rng, -50, 50), between(rng, 350, 500), between(rng, 50, 150), between(rng, 1, 8),
           between(rng, -1, 2), between(rng, -2, 2), between(rng, -1, 2), between(rng, 1, 30), between(rng, 0, 1),
           between(rng, 1, 30), between(rng, 1, 30), moved, more);
  return sample_model(text);
}

/* The series of a row, or what the network has where it does not move. */
static double row_at(const driven *d, const motion_rows *rows, int32_t row, double u, double still)
{
  const int32_t terms = rows->start[row + 1] - rows->start[row];
  const double x = (2 * u - d->law.u_lo - d->law.u_hi) / (d->law.u_hi - d->law.u_lo);
  return terms > 0 ? series_value((series){rows->coef + rows->start[row], terms}, x) : still;
}

static int32_t moves(const driven *d, int32_t dir)
{
  for (int32_t m = 0; m < d->law.nmove; m++) {
    if (d->law.move_dir[m] == dir) return m;
  }
  return -1;
}

/* Sources of a step, by the law and by the network. */
static void check_work(const driven *d, const ness_network *at, int32_t s, double u)
{
  double sum[32] = {0}, size = 1;
  CHECK(network_sources(at) <= 32);
  for (int32_t w = at->work_start[s]; w < at->work_start[s + 1]; w++) sum[at->work_src[w]] += at->work_kt[w];
  for (int32_t w = 0; w < network_sources(at); w++) size = fmax(size, fabs(sum[w]));
  for (int32_t w = d->law.work_start[s]; w < d->law.work_start[s + 1]; w++)
    sum[d->law.work_src[w]] -= row_at(d, &d->law.work, w, u, 0);
  for (int32_t w = 0; w < network_sources(at); w++) CHECK(fabs(sum[w]) < NEAR * size);
}

static void check_at(const driven *d, const lang_model *model, double u)
{
  ness_diags *const diags = ness_diags_create();
  lang_model *here = NULL;
  CHECK(lang_compile_still(model, d->input, u, diags, &here) == NESS_OK);
  ness_diags_free(diags);
  if (!here) return;
  const ness_network *const at = lang_network(here), *const net = d->net;
  CHECK(at->nstep == net->nstep && at->nslot == net->nslot);
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    const int32_t m = moves(d, dir);
    CHECK(at->dir_law[dir] == net->dir_law[dir]);
    if (net->dir_law[dir] != LAW_MASS) continue;
    CHECK_NEAR(m < 0 ? log(net->dir_k[dir]) : row_at(d, &d->law.move, m, u, 0), log(at->dir_k[dir]), NEAR);
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    if (isfinite(at->step_lnk[s])) CHECK_NEAR(row_at(d, &d->law.lnk, s, u, net->step_lnk[s]), at->step_lnk[s], NEAR);
    else CHECK(!isfinite(net->step_lnk[s]) && d->law.lnk.start[s] == d->law.lnk.start[s + 1]);
    check_work(d, at, s, u);
  }
  for (int32_t i = 0; i < net->nslot; i++) CHECK_NEAR(row_at(d, &d->law.g, i, u, net->slot_g[i]), at->slot_g[i], NEAR);
  lang_model_free(here);
}

static const char *const processes[] = {
    "process V sine(mean = 5 [mV], amplitude = 90 [mV], frequency = 10 [1/s])\n",
    "process V ou(mean = -20 [mV], sd = 12 [mV], tau = 1 [s])\n",
    "process V shot(base = 0 [mV], jump = 0.5 [mV], rate = 3 [1/s], tau = 1 [s])\n",
    "process V ramp(from = -80 [mV], to = 80 [mV], begin = 1 [s], end = 2 [s])\n",
    "process Na.out sine(mean = 100 [mM], amplitude = 80 [mM], frequency = 1 [1/s])\n",
    "process Na.out square(low = 10 [mM], high = 200 [mM], period = 1 [s])\n",
    "process Na.hot ramp(from = 10 [mM], to = 200 [mM], begin = 0 [s], end = 2 [s])\n",
    "process ATP sine(mean = 5 [mM], amplitude = 4 [mM], frequency = 1 [1/s])\n",
    "process ATP ou(mean = 5 [mM], sd = 0.3 [mM], tau = 1 [s])\n",
    "process Th sine(mean = 450 [K], amplitude = 100 [K], frequency = 1 [1/s])\n",
    "process k sine(mean = 5 [1/s], amplitude = 4 [1/s], frequency = 1 [1/s])\n"};

/* Beside nothing, and beside inputs that flip, one of them the level of which follows the input. */
static const char *const besides[] = {
    "", "process ADP telegraph(low = 1 [mM], high = 3 [mM], up = 1 [1/s], down = 2 [1/s])\n",
    "process ADP telegraph(low = 1 [mM], high = 2 [mM]*exp(V/100 [mV]), up = k, down = 2 [1/s])\n"};

static void test_series(void)
{
  rng_stream rng;
  rng_init(&rng, 5, 0, 0);
  for (size_t i = 0; i < 3 * sizeof processes / sizeof *processes; i++) {
    ness_model *const m = random_model(&rng, processes[i / 3], besides[i % 3]);
    if (!m) continue;
    ness_diags *const diags = ness_diags_create();
    const lang_process *const input = driven_input(m->compiled, true);
    driven d;
    const ness_status status = driven_create(m->compiled, input, diags, &d);
    CHECK(status == NESS_OK);
    if (status != NESS_OK) {
      fprintf(stderr, "%s%s", processes[i / 3], ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
    } else {
      CHECK(d.law.nmove > 0);
      CHECK(motion_law_check(d.net, &d.law, diags) == NESS_OK);
      for (int k = 0; k < 20; k++) check_at(&d, m->compiled, between(&rng, d.law.u_lo, d.law.u_hi));
    }
    driven_free(&d);
    ness_diags_free(diags);
    ness_model_free(m);
  }
}

/* A sine of 400 mV: rates that bend as sharply as a heat bath's over 15 kT to either side still have a series. */
static void test_wide(void)
{
  ness_model *const m =
      sample_model(SI "compartment in reservoir potential V\nparam V = 0 [mV]\nion q z 1 { in = 1 [mM] }\n"
                      "protein P {\nstate A\nstate B charge 1\n}\n"
                      "hb: A <-> B @ ldb(k0 = 3 [1/s], form = heat-bath)\nsg: A <-> B @ ldb(k0 = 2 [1/s], form = "
                      "scharfetter-gummel)\nt: A + q.in <-> B @ 1 [1/M/s], ldb\n"
                      "process V sine(mean = 0 [mV], amplitude = 400 [mV], frequency = 1 [1/s])\n");
  if (!m) return;
  ness_diags *const diags = ness_diags_create();
  driven d;
  CHECK(driven_create(m->compiled, driven_input(m->compiled, false), diags, &d) == NESS_OK);
  if (ness_diags_count(diags, NULL)) fprintf(stderr, "%s\n", ness_diags_get(diags, 0)->message);
  for (int k = 0; k <= 20 && d.law.lnk.start; k++)
    check_at(&d, m->compiled, d.law.u_lo + (d.law.u_hi - d.law.u_lo) * k / 20);
  driven_free(&d);
  ness_diags_free(diags);
  ness_model_free(m);
}

/* --- refusals --- */

typedef struct refusal {
  const char *text, *why;
  bool rest; /* refused by the solver alone */
} refusal;

#define TWO NATURAL "param u = 0, v = 1\nspecies A = 1, B = 0\nr: A <-> B @ exp(u), 1\n"
#define SINE(name) "process " name " sine(mean = 0.1, amplitude = 1, frequency = 2)\n"

static const refusal refusals[] = {
    {NATURAL
     "compartment in reservoir potential u\nparam u = 0\nion q z 1 { in = 1 }\nprotein P {\nstate A\nstate B charge 1 "
     "at in\n}\nr: A <-> B @ ldb(k0 = 1, form = metropolis)\nt: A + q.in <-> B @ 1, ldb\n" SINE("u"),
     "the rates are not smooth in u", false},
    {NATURAL "param u = 0\nspecies A = 1, B = 0\nr: A <-> B @ 1 + abs(u), 1\n" SINE("u"), "not smooth", false},
    {NATURAL "param u = 0\nspecies A = 9, B = 0\nr: A -> B @@ exp(u)*A/(1 + A)\n" SINE("u"), "r cannot follow u",
     false},
    {NATURAL "param u = 0.5\nspecies A = 1, B = 0\nr: A <-> B @ max(u, 0), 1\n" SINE("u"), "a rate falls to 0", false},
    {NATURAL "param u = 0\nspecies A = 1, B = 0\nr: A <-> B @ 2 + u, 1\ns: A <-> B @ max(u, 0), 1\n" SINE("u"),
     "a rate falls to 0", false},
    {NATURAL "param u = 2\nspecies A = 1, B = 0\nr: A <-> B @ u, 1\n" SINE("u"), "the forward rate of r is -", false},
    {TWO SINE("u") "process v ou(mean = 1, sd = 0.1, tau = 1)\n", "only one input can move continuously", false},
    {TWO SINE("u") "process v square(low = 0, high = 1, period = 1)\n", "only one input can move continuously", false},
    /* At u = 0 the flips move nothing, elsewhere they do. */
    {NATURAL "param u = 0, v = 1\nspecies A = 1, B = 0\nr: A <-> B @ exp(u*v), 1\n" SINE(
         "u") "process v telegraph(low = 1, high = 2, up = 1, down = 1)\n",
     "the flips move other steps", false},
    {TWO "process u ramp(from = 0, to = 1, begin = 0, end = 1)\n", "does not come back", true},
    {TWO "process u shot(base = 0, jump = 1, rate = 1, tau = 1)\n", "does not come back", true}};

static void test_refusals(void)
{
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    ness_model *const m = sample_model(refusals[i].text);
    if (!m) continue;
    ness_diags *const diags = ness_diags_create();
    driven d;
    driven_steady s = {0};
    ness_status status = driven_create(m->compiled, driven_input(m->compiled, false), diags, &d);
    CHECK(!refusals[i].rest || status == NESS_OK);
    if (refusals[i].rest && status == NESS_OK) status = driven_rest(&d, NULL, diags, &s);
    const char *const why = ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "";
    CHECK(status == NESS_MODEL && strstr(why, refusals[i].why));
    if (!strstr(why, refusals[i].why)) fprintf(stderr, "%sgave %d, %s\n", refusals[i].text, (int)status, why);
    driven_steady_free(&s);
    driven_free(&d);
    ness_diags_free(diags);
    ness_model_free(m);
  }
}

int main(void)
{
  test_series();
  test_wide();
  test_refusals();
  return check_done();
}
