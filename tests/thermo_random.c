/* Thermodynamics of random networks made from energies and reservoirs: nothing undeclared as made; with one rate
 * spoiled by x kT every cycle through that step shows x, the step is a suspect with change -x, and the correction is
 * the smallest one: it mends all cycles, and what it changes, weighed by the errors, has no part that energies could
 * take up. */
#include "engine/rng/rng.h"
#include "lang_sample.h"
#include "networks/thermo/thermo.h"

enum { SLOTS = 9, STEPS = 24 };

typedef struct made { /* a network as text, and what it was made from */
  int slots, steps;
  double g[SLOTS], forward[STEPS], backward[STEPS], error[STEPS];
  char left[STEPS][40], right[STEPS][40];
  double mu[2];
} made;

/* Steps of one, two and three copies with and without fuel, some of them twice. The first slots - 1 span a tree. */
static void make(made *out, rng_stream *rng, bool errors)
{
  out->slots = 3 + (int)rng_below(rng, SLOTS - 2);
  out->steps = out->slots + 1 + (int)rng_below(rng, (uint64_t)(STEPS - out->slots - 1));
  for (int i = 0; i < out->slots; i++) out->g[i] = 10 * rng_double(rng) - 5;
  for (int i = 0; i < 2; i++) out->mu[i] = 6 * rng_double(rng) - 3;
  for (int s = 0; s < out->steps; s++) {
    const bool tree = s < out->slots - 1;
    const int n = out->slots;
    if (!tree && rng_below(rng, 5) == 0) { /* parallel to another, at another speed */
      const int twin = (int)rng_below(rng, (uint64_t)s);
      const double speed = exp(3 * rng_double(rng));
      memcpy(out->left[s], out->left[twin], sizeof out->left[s]);
      memcpy(out->right[s], out->right[twin], sizeof out->right[s]);
      out->forward[s] = speed * out->forward[twin];
      out->backward[s] = speed * out->backward[twin];
      out->error[s] = errors ? 0.01 + 0.2 * rng_double(rng) : 0;
      continue;
    }
    const int a = tree ? s + 1 : (int)rng_below(rng, (uint64_t)n);
    int b = tree ? (int)rng_below(rng, (uint64_t)(s + 1)) : (int)rng_below(rng, (uint64_t)n);
    if (b == a) b = (a + 1) % n;
    const int c = (int)rng_below(rng, (uint64_t)n), kind = tree ? 0 : (int)rng_below(rng, 4);
    double drop = out->g[a] - out->g[b];
    const char *const fuel = rng_below(rng, 2) ? " + F" : "", *const waste = fuel[0] ? " + W" : "";
    if (kind == 3) drop = 2 * out->g[a] - out->g[b] - out->g[c];
    if (kind == 0) snprintf(out->left[s], 40, "S%d%s", a, fuel);
    if (kind == 1) snprintf(out->left[s], 40, "S%d + S%d%s", a, c, fuel);
    if (kind >= 2) snprintf(out->left[s], 40, "2 S%d%s", a, fuel);
    if (kind == 0) snprintf(out->right[s], 40, "S%d%s", b, waste);
    if (kind == 1 || kind == 3) snprintf(out->right[s], 40, "S%d + S%d%s", b, c, waste);
    if (kind == 2) snprintf(out->right[s], 40, "2 S%d%s", b, waste), drop = 2 * (out->g[a] - out->g[b]);
    out->backward[s] = exp(4 * rng_double(rng) - 2);
    out->forward[s] = out->backward[s] * exp(drop); /* concentrations enter by themselves */
    out->error[s] = errors ? 0.01 + 0.2 * rng_double(rng) : 0;
  }
}

static ness_model *load(const made *in, int spoiled, double x)
{
  text_buffer text = {0};
  text_add(&text, NATURAL "bath F = %.17g, W = %.17g\nspecies S0 = 1", exp(in->mu[0]), exp(in->mu[1]));
  for (int i = 1; i < in->slots; i++) text_add(&text, ", S%d = 1", i);
  text_add(&text, "\n");
  for (int s = 0; s < in->steps; s++) {
    const double forward = in->forward[s] * (s == spoiled ? exp(x) : 1);
    text_add(&text, "r%d: %s <-> %s @ %.17g", s, in->left[s], in->right[s], forward);
    if (in->error[s] > 0) text_add(&text, " +- %.17g", forward * in->error[s]);
    text_add(&text, ", %.17g\n", in->backward[s]);
  }
  ness_model *const m = sample_model(text.data);
  text_clear(&text);
  return m;
}

static double run_of(const stoich_basis *b, int32_t cycle, int32_t step)
{
  for (int32_t k = b->start[cycle]; k < b->start[cycle + 1]; k++) {
    if (b->id[k] == step) return (double)b->by[k];
  }
  return 0;
}

static double sum_over(const stoich_basis *b, int32_t cycle, const double *of_step)
{
  double sum = 0;
  for (int32_t k = b->start[cycle]; k < b->start[cycle + 1]; k++) sum += (double)b->by[k] * of_step[b->id[k]];
  return sum;
}

/* That a correction mends every cycle, leaves the fixed steps alone, and is the smallest: the changes over the squares
 * of the errors are orthogonal to every change that energies could take up. */
static void check_correction(const ness_network *net, const thermo_report *r, const bool *fixed)
{
  double norm = 0;
  for (int32_t c = 0; c < r->cycles.count; c++)
    CHECK_NEAR(sum_over(&r->cycles, c, r->correction), -r->cycle[c].undeclared, 1e-10);
  for (int32_t i = 0; i < net->nslot && !fixed; i++) {
    double sum = 0, size = 1;
    for (int32_t s = 0; s < net->nstep; s++) {
      const double e = net->step_lnk_error[s] > 0 ? net->step_lnk_error[s] : 1;
      for (int32_t k = net->change_start[s]; k < net->change_start[s + 1]; k++) {
        if (net->change_slot[k] != i) continue;
        sum += net->change_by[k] * r->correction[s] / (e * e);
        size += fabs(net->change_by[k] * r->correction[s] / (e * e));
      }
    }
    CHECK(fabs(sum) <= 1e-9 * size);
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    const double e = net->step_lnk_error[s] > 0 ? net->step_lnk_error[s] : 1;
    norm += r->correction[s] * r->correction[s] / (e * e);
    if (fixed) CHECK(!fixed[s] || r->correction[s] == 0);
  }
  CHECK_REL(r->correction_norm, sqrt(norm), 1e-12);
}

static void test_random(void)
{
  rng_stream rng;
  rng_init(&rng, 8, 0, 9);
  int in_cycles = 0, alone = 0, driven = 0;
  for (int round = 0; round < 150; round++) {
    made what = {0};
    thermo_report r;
    make(&what, &rng, round % 2);
    ness_model *m = load(&what, -1, 0);
    if (!m) continue;
    CHECK(thermo_check(sample_network(m), NULL, 1e-9, &r) == NESS_OK);
    CHECK(r.worst_undeclared < 1e-12 && !r.correction && r.suspects == 0);
    for (int32_t c = 0; c < r.cycles.count; c++) {
      /* The fuel that a cycle burns, counted from the texts, times mu(F) - mu(W). */
      double burnt = 0;
      for (int32_t k = r.cycles.start[c]; k < r.cycles.start[c + 1]; k++)
        burnt += strstr(what.left[r.cycles.id[k]], "F") ? (double)r.cycles.by[k] : 0;
      CHECK_NEAR(r.cycle[c].allowed, burnt * (what.mu[0] - what.mu[1]), 1e-11);
      CHECK_NEAR(r.cycle[c].affinity, burnt * (what.mu[0] - what.mu[1]), 1e-11);
      CHECK_NEAR(thermo_cycle_work(sample_network(m), &r, c, 0), burnt * what.mu[0], 1e-11);
      CHECK_NEAR(thermo_cycle_work(sample_network(m), &r, c, 1), -burnt * what.mu[1], 1e-11);
      driven += burnt != 0;
    }
    thermo_report_free(&r);
    ness_model_free(m);

    const int spoiled = (int)rng_below(&rng, (uint64_t)what.steps);
    const double x = (rng_below(&rng, 2) ? 1 : -1) * exp(4 * rng_double(&rng) - 2);
    m = load(&what, spoiled, x);
    if (!m) continue;
    const ness_network *const net = sample_network(m);
    CHECK(thermo_check(net, NULL, 1e-9, &r) == NESS_OK);
    double worst = 0;
    for (int32_t c = 0; c < r.cycles.count; c++) {
      const double by = run_of(&r.cycles, c, spoiled);
      CHECK_NEAR(r.cycle[c].undeclared, by * x, 1e-11);
      worst = fmax(worst, fabs(by * x));
    }
    CHECK_NEAR(r.worst_undeclared, worst, 1e-11);
    if (worst > 0) {
      bool suspected = false;
      for (int32_t i = 0; i < r.suspects; i++) {
        /* Any suspect alone mends all cycles. */
        for (int32_t c = 0; c < r.cycles.count; c++)
          CHECK_NEAR(run_of(&r.cycles, c, r.suspect[i]) * r.suspect_change[i], -r.cycle[c].undeclared, 1e-6);
        if (r.suspect[i] != spoiled) continue;
        suspected = true;
        CHECK_NEAR(r.suspect_change[i], -x, 1e-10);
      }
      CHECK(suspected);
      CHECK(r.correction != NULL);
      if (r.correction) check_correction(net, &r, NULL);
      in_cycles++;
    } else {
      CHECK(!r.correction && r.suspects == 0);
      alone++;
    }
    thermo_report_free(&r);

    /* Some steps stand fixed, the spoiled one not among them: they stay as they are. */
    bool fixed[STEPS] = {0};
    for (int s = 0; s < what.steps; s++) fixed[s] = s != spoiled && rng_below(&rng, 3) == 0;
    CHECK(thermo_check(net, fixed, 1e-9, &r) == NESS_OK);
    if (r.correction) check_correction(net, &r, fixed);
    for (int32_t i = 0; i < r.suspects; i++) CHECK(!fixed[r.suspect[i]]);
    thermo_report_free(&r);
    ness_model_free(m);
  }
  CHECK(in_cycles > 60 && alone > 3 && driven > 100);
}

/* By hand: a ring of three with mismatch 1; errors 0.1, 0.1, 0.001. The share of a step goes with its error squared. */
static void test_weights(void)
{
  ness_model *m = sample_model(NATURAL "species A = 1, B = 0, C = 0\na: A <-> B @ exp(1) +- 0.1*exp(1), 1\n"
                                       "b: B <-> C @ 2 +- 0.2, 2\nc: C <-> A @ 3, 3 +- 0.003\n");
  thermo_report r = {0};
  if (!m) return;
  CHECK(thermo_check(sample_network(m), NULL, 1e-9, &r) == NESS_OK && r.cycles.count == 1 && r.correction);
  const double share = 0.01 / (0.02 + 1e-6), tiny = 1e-6 / (0.02 + 1e-6);
  CHECK_NEAR(r.correction[0], -share, 1e-12);
  CHECK_NEAR(r.correction[1], -share, 1e-12);
  CHECK_NEAR(r.correction[2], -tiny, 1e-15); /* hardly changed */
  CHECK_NEAR(r.correction_norm, 1 / sqrt(0.02 + 1e-6), 1e-12);
  CHECK(r.suspects == 3); /* one cycle: any of the three alone could explain it */
  thermo_report_free(&r);
  ness_model_free(m);
  /* Without errors a third each; errors of both rates add in squares. */
  m = sample_model(NATURAL
                   "species A = 1, B = 0, C = 0\na: A <-> B @ exp(3), 1\nb: B <-> C @ 2, 2\nc: C <-> A @ 3, 3\n");
  CHECK(m && thermo_check(sample_network(m), NULL, 1e-9, &r) == NESS_OK && r.correction);
  for (int s = 0; s < 3 && r.correction; s++) CHECK_NEAR(r.correction[s], -1, 1e-12);
  thermo_report_free(&r);
  ness_model_free(m);
  m = sample_model(NATURAL "species A = 1, B = 0\na: A <-> B @ 2 +- 0.6, 5 +- 2\nb: A <-> B @ 1, 1\n");
  CHECK(m && fabs(sample_network(m)->step_lnk_error[0] - 0.5) < 1e-15 && sample_network(m)->step_lnk_error[1] == 0);
  ness_model_free(m);
}

static void test_parallel(void)
{
  /* Two roads that disagree by ln 6, and a third that agrees with the first. */
  ness_model *const m =
      sample_model(NATURAL "species A = 1, B = 0\na: A <-> B @ 3, 1\nb: A <-> B @ 1, 2\nc: A <-> B @ 6, 2\n"
                           "cycle two: b - a\n");
  thermo_report r = {0};
  if (!m) return;
  CHECK(thermo_check(sample_network(m), NULL, 1e-9, &r) == NESS_OK && r.cycles.count == 2);
  CHECK(r.suspects == 1 && r.suspect[0] == 1);
  CHECK_NEAR(r.suspect_change[0], log(6), 1e-14);
  for (int32_t c = 0; c < r.cycles.count; c++) {
    const bool ab = run_of(&r.cycles, c, 0) != 0 && run_of(&r.cycles, c, 1) != 0;
    CHECK(ab ? r.cycle[c].declared == 0 && r.cycle[c].flipped : r.cycle[c].declared == -1);
  }
  check_correction(sample_network(m), &r, NULL);
  thermo_report_free(&r);
  ness_model_free(m);
}

/* 2 A <-> B and A <-> C, C + A <-> B: a cycle that runs one step twice is held at its multiple. */
static void test_bimolecular(void)
{
  ness_model *const m = sample_model(
      NATURAL "species A = 4, B = 0, C = 0\na: 2 A <-> B @ 1, 1\nb: A <-> C @ 5, 1\nc: 2 C <-> B @ 1, 1\n");
  thermo_report r = {0};
  if (!m) return;
  CHECK(thermo_check(sample_network(m), NULL, 1e-9, &r) == NESS_OK && r.cycles.count == 1);
  CHECK(fabs(run_of(&r.cycles, 0, 1)) == 2 * fabs(run_of(&r.cycles, 0, 0)) && fabs(run_of(&r.cycles, 0, 0)) == 1);
  CHECK_NEAR(fabs(r.cycle[0].undeclared), 2 * log(5), 1e-14);
  CHECK(r.suspects == 3);
  for (int32_t i = 0; i < r.suspects; i++)
    CHECK_NEAR(fabs(r.suspect_change[i]), r.suspect[i] == 1 ? log(5) : 2 * log(5), 1e-14);
  check_correction(sample_network(m), &r, NULL);
  thermo_report_free(&r);
  ness_model_free(m);
}

static void test_kinds(void)
{
  static const struct {
    const char *rates, *balance;
    ness_status status;
    int32_t one_way, tapes;
  } cases[] = {
      {"a: A <-> B @ 2, 1\nb: B <-> A @ 1, 2\n", "equilibrium", NESS_OK, 0, 0},
      {"a: A + F <-> B @ 2, 1\nb: B <-> A + W @ 1, 2\n", "driven", NESS_OK, 0, 0},
      {"a: A <-> B @ 2, 1\nb: B <-> A @ 1, 1\n", "inconsistent", NESS_EXPECT, 0, 0},
      {"a: A <-> B @ 2, 1\nb: B <-> A @ 1, 2*1.00005\n", "equilibrium", NESS_OK, 0, 0}, /* below 1e-4 kT */
      {"a: A <-> B @ 2, 1\nb: B <-> A @ 1, 2*1.0002\n", "inconsistent", NESS_EXPECT, 0, 0},
      {"a: A <-> B @ 2, 1\nb: B -> A @ 1\n", "one-way", NESS_OK, 1, 0},
      {"a: A <-> B @@ 2*A, B\nb: B <-> A @@ B, 2*A\n", "equilibrium", NESS_OK, 0, 0}, /* one number after all */
      {"a: A <-> B @@ 2*A, B\nb: B <-> A @@ B, 3*A\n", "inconsistent", NESS_EXPECT, 0, 0},
      {"a: A <-> B @@ 2*A*A, B\nb: B <-> A @@ B, 2*A*A\n", "equilibrium", NESS_OK, 0, 2},
      {"a: A <-> B @@ 2*A*A, B\nb: B <-> A @@ B, 3*A*A\n", "inconsistent", NESS_EXPECT, 0, 2},
      {"a: A <-> B @ 2, 1\nb: B <-> A @ 0, 0\n", "equilibrium", NESS_OK, 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[400];
    snprintf(text, sizeof text, NATURAL "bath F = 2, W = 1\nspecies A = 2, B = 1\n%s", cases[i].rates);
    ness_model *const m = sample_model(text);
    ness_diags *const diags = ness_diags_create();
    ness_doc *doc = NULL;
    thermo_report r = {0};
    const ness_status status = m ? ness_check(m, NULL, diags, &doc) : NESS_MODEL;
    if (doc && strcmp(ness_doc_string(doc, "balance"), cases[i].balance) != 0)
      fprintf(stderr, "%sis %s\n", cases[i].rates, ness_doc_string(doc, "balance"));
    CHECK(status == cases[i].status && doc);
    CHECK_STR(doc ? ness_doc_string(doc, "balance") : NULL, cases[i].balance);
    CHECK(m && thermo_check(sample_network(m), NULL, 1e-4, &r) == NESS_OK);
    CHECK(r.one_way == cases[i].one_way && r.tapes == cases[i].tapes);
    CHECK(r.laws.count == 1 && r.cycles.count == 1);
    if (cases[i].one_way && r.cycles.count) CHECK(isinf(r.cycle[0].affinity));
    if (cases[i].tapes && r.cycles.count) CHECK(isnan(r.cycle[0].affinity));
    thermo_report_free(&r);
    ness_doc_free(doc);
    ness_diags_free(diags);
    ness_model_free(m);
  }
}

/* Through a capacitor, as a mean and hop by hop: two ions drive one another by their Nernst potentials, whatever the
 * voltage; a pump by its fuel; an equation is a hand and no step. */
static void test_capacitor(void)
{
  for (int flows = 0; flows < 2; flows++) {
    char text[900];
    snprintf(text, sizeof text,
             SI "compartment i reservoir potential V\ncompartment o reservoir\n"
                "capacitor V between i, o capacitance 1 [pF] start -60 [mV]\nbath F = 3 [mM], mu0 = 20 kT, W = 1 [mM]\n"
                "ion K z +1 { i = 140 [mM]\n o = 4 [mM] }\nion Na z +1 { i = 12 [mM]\n o = 145 [mM] }\n"
                "k: K.i <-> K.o @ ldb(conductance = 5 [pS]) %s\nn: Na.o <-> Na.i @ ldb(k0 = 9 [1/s], split = 0.5) %s\n"
                "p: 3 Na.i + 2 K.o + F <-> 3 Na.o + 2 K.i + W @ ldb(k0 = 1 [1/s], form = heat-bath) %s\n"
                "V' = 1 [mV/s]\ncycle leaks: k + n\n",
             flows ? "fluid" : "", flows ? "fluid" : "", flows ? "fluid" : "");
    ness_model *const m = sample_model(text);
    thermo_report r = {0};
    if (!m) continue;
    CHECK(thermo_check(sample_network(m), NULL, 1e-6, &r) == NESS_OK);
    CHECK(r.tapes == 0 && r.one_way == 0 && r.drifts == 1);
    bool seen = false;
    for (int32_t c = 0; c < r.cycles.count; c++) {
      if (r.cycle[c].declared < 0) continue;
      seen = true;
      CHECK_NEAR(fabs(r.cycle[c].affinity), log(140.0 / 4) + log(145.0 / 12), 1e-8);
      CHECK_NEAR(fabs(r.cycle[c].undeclared), 0, 1e-8);
    }
    CHECK(seen && r.worst_undeclared < 1e-8);
    thermo_report_free(&r);
    ness_model_free(m);
  }
}

int main(void)
{
  test_capacitor();
  test_random();
  test_weights();
  test_parallel();
  test_bimolecular();
  test_kinds();
  return check_done();
}
