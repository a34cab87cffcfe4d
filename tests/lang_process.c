/* Inputs that flip: at every level the joint network has the rates of the file compiled with the input set there, and
 * the ledger of every event closes over the energies of the file; steps that an input leaves alone stand once. Copies
 * that share an input are solved as one: held against proteins of one copy each, whose joint states are enumerated, at
 * rest and in time. A steady state under three levels in a ring, with flips out of balance, against elimination here.
 * Protocols from a file, with and without it. */
#include "engine/cme/evolve.h"
#include "engine/rng/rng.h"
#include "lang_sample.h"

#define PLACES                                                                                                         \
  SI "compartment out reservoir\ncompartment in reservoir potential V\nparam V = 10 [mV], k = 3 [1/s]\n"               \
     "ion Na z +1 { out = 140 [mM]\n in = 10 [mM] }\nspecies X = 4\n"                                                  \
     "protein P copies 2 {\nstate A\nstate B energy = 1.5 kT charge -2\nstate C energy = 0.5 kT }\n"                   \
     "gate: A <-> B @ ldb(k0 = 20 [1/s], split = 0.3)\nbind: A + Na.out <-> C @ 1e3 [1/M/s], ldb\n"                    \
     "pore: C + Na.out <-> C + Na.in @ ldb(k0 = 50 [1/s])\nraw: B <-> C @ k*exp(V/25 [mV]), 2 [1/s]\n"                 \
     "tape: X -> 0 @@ 2 [1/s]*X/(1 + X)*exp(V/50 [mV])\nstill: A <-> C @ 1 [1/s], ldb\n"
#define TELEGRAPH "process V telegraph(low = -40 [mV], high = 60 [mV], up = 5 [1/s], down = 2 [1/s])\n"
#define BATH "process Na.out telegraph(low = 20 [mM], high = 200 [mM], up = 1 [1/s], down = 1 [1/s])\n"

static int32_t step_at(const ness_network *net, const char *name)
{
  for (int32_t s = 0; s < net->nstep; s++) {
    if (strcmp(network_text(net, net->step_name[s]), name) == 0) return s;
  }
  return -1;
}

static int32_t slot_at(const ness_network *net, const char *name)
{
  for (int32_t i = 0; i < net->nslot; i++) {
    if (strcmp(network_text(net, net->slot_name[i]), name) == 0) return i;
  }
  return -1;
}

static void check_ledger(const ness_network *net)
{
  for (int32_t s = 0; s < net->nstep; s++) {
    double sum = 0;
    if (!isfinite(net->step_lnk[s])) continue;
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++)
      sum -= net->change_by[c] * net->slot_g[net->change_slot[c]];
    for (int32_t w = net->work_start[s]; w < net->work_start[s + 1]; w++) sum += net->work_kt[w];
    CHECK_NEAR(net->step_lnk[s], sum, 1e-12 * (1 + fabs(sum)));
    if (net->step_proc[s] >= 0) CHECK(net->step_lnk[s] == 0);
  }
}

/* A step of the joint network at some levels against the step of the file with the inputs set there. */
static void check_step(const ness_network *joint, const char *name, const ness_network *alone, const char *plain)
{
  const int32_t s = step_at(joint, name), p = step_at(alone, plain);
  CHECK(s >= 0 && p >= 0);
  if (s < 0 || p < 0) return;
  for (int dir = 0; dir < 2; dir++) {
    CHECK(joint->dir_law[2 * s + dir] == alone->dir_law[2 * p + dir]);
    CHECK(joint->dir_k[2 * s + dir] == alone->dir_k[2 * p + dir]);
  }
  CHECK(joint->step_lnk[s] == alone->step_lnk[p] || (isnan(joint->step_lnk[s]) && isnan(alone->step_lnk[p])) ||
        isinf(joint->step_lnk[s]));
}

static void test_levels(void)
{
  static const char *const settings[] = {"V = -40", "V = 60"}, *const names[] = {"V.low", "V.high"};
  static const char *const moved[] = {"gate", "pore", "raw"};
  ness_model *const m = sample_model(PLACES TELEGRAPH);
  if (!m) return;
  const ness_network *const net = sample_network(m);
  check_ledger(net);
  CHECK(net->nproc == 1 && net->nflip == 1 && net->nstep == 2 * 4 + 2 + 1);
  CHECK(step_at(net, "bind") >= 0 && step_at(net, "still") >= 0 && step_at(net, "gate") < 0);
  for (int level = 0; level < 2; level++) {
    char text[3000], step[64];
    const char *const from = strstr(PLACES, "V = 10");
    snprintf(text, sizeof text, "%.*s%s%s", (int)(from - PLACES), PLACES, settings[level], from + 6);
    ness_model *const at = sample_model(text);
    if (!at) continue;
    const ness_network *const alone = sample_network(at);
    for (int i = 0; i < 3; i++) {
      snprintf(step, sizeof step, "%s (%s)", moved[i], names[level]);
      check_step(net, step, alone, moved[i]);
    }
    /* The tape runs at its level alone. */
    int64_t n[16] = {0}, plain[16] = {0};
    double scratch[64];
    n[slot_at(net, "X")] = plain[slot_at(alone, "X")] = 3;
    snprintf(step, sizeof step, "tape (%s)", names[level]);
    const int32_t s = step_at(net, step);
    CHECK(s >= 0 && network_propensity(net, 2 * s, n, scratch) == 0);
    n[slot_at(net, names[level])] = 1;
    CHECK_NEAR(network_propensity(net, 2 * s, n, scratch),
               network_propensity(alone, 2 * step_at(alone, "tape"), plain, scratch), 1e-14);
    ness_model_free(at);
  }
  /* The field's work in the gate is charge times what V has moved; that in the pore is the voltage's. */
  const int32_t gate = step_at(net, "gate (V.high)"), pore = step_at(net, "pore (V.high)");
  const double kt = 1.380649e-23 * 300 / 1.602176634e-19;
  double field = 0, volt = 0;
  for (int32_t w = net->work_start[gate]; w < net->work_start[gate + 1]; w++)
    field += strcmp(network_source_name(net, net->work_src[w]), "V") == 0 ? net->work_kt[w] : 0;
  for (int32_t w = net->work_start[pore]; w < net->work_start[pore + 1]; w++)
    volt += strcmp(network_source_name(net, net->work_src[w]), "in") == 0 ? net->work_kt[w] : 0;
  CHECK_NEAR(field, 2 * 0.050 / kt, 1e-12);
  CHECK_NEAR(volt, -0.060 / kt, 1e-12);
  ness_model_free(m);
}

static void test_two(void)
{
  ness_model *const m = sample_model(PLACES TELEGRAPH BATH);
  if (!m) return;
  const ness_network *const net = sample_network(m);
  check_ledger(net);
  CHECK(net->nproc == 2 && net->nflip == 2);
  CHECK(step_at(net, "bind (Na.out.low)") >= 0 && step_at(net, "gate (V.low)") >= 0);
  CHECK(step_at(net, "pore (V.low Na.out.high)") >= 0 && step_at(net, "still") >= 0);
  /* Flips of either in balance, so the joint steady state costs what the sources give. */
  cme_solution s;
  CHECK(cme_steady(net, NULL, NULL, &s) == NESS_OK);
  CHECK(s.closure < 1e-9 && fabs(s.internal) < 1e-9);
  cme_solution_free(&s);
  ness_model_free(m);
}

/* One protein of two copies against two of one copy each, which a step that never runs keeps from being solved as
 * copies. */
static void test_copies(void)
{
  static const char *const field =
      SI "compartment in reservoir potential V\nparam V = 0 [mV]\nion q z 0 { in = 1 [mM] }\n" TELEGRAPH;
  static const char *const states = " {\nstate A%s\nstate B%s charge 1\nstate C%s charge -1 }\n"
                                    "a%s: A%s <-> B%s @ ldb(k0 = 3 [1/s])\nb%s: B%s <-> C%s @ ldb(k0 = 1 [1/s])\n"
                                    "c%s: C%s + q.in <-> A%s @ 7e3 [1/M/s], 2 [1/s]\n";
  char text[4000];
  int used = snprintf(text, sizeof text, "%sprotein P copies 2", field);
  snprintf(text + used, sizeof text - (size_t)used, states, "", "", "", "", "", "", "", "", "", "", "", "");
  ness_model *const m = sample_model(text);
  used = snprintf(text, sizeof text, "%sprotein P", field);
  used += snprintf(text + used, sizeof text - (size_t)used, states, "", "", "", "", "", "", "", "", "", "", "", "");
  used += snprintf(text + used, sizeof text - (size_t)used, "protein R");
  snprintf(text + used, sizeof text - (size_t)used, states, "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2");
  ness_model *const alike = sample_model(text);
  snprintf(text + strlen(text), sizeof text - strlen(text), "join: A + A2 <-> B + B2 @@ 0 [1/s]*A, 0 [1/s]*B\n");
  ness_model *const two = sample_model(text);
  if (!m || !alike || !two) goto out;
  const ness_network *const net = sample_network(m), *const apart = sample_network(two);
  static const char *const slots[] = {"A", "B", "C", "V.low"};
  static const char *const steps[] = {"a (V.low)", "a (V.high)", "b (V.low)", "b (V.high)", "c (V.low)", "c (V.high)"};
  static const double times[] = {0, 0.05, 0.3};
  cme_solution s, t, u;
  evolution e, f;
  CHECK(cme_steady(net, NULL, NULL, &s) == NESS_OK && cme_steady(apart, NULL, NULL, &t) == NESS_OK);
  CHECK(cme_steady(sample_network(alike), NULL, NULL, &u) == NESS_OK); /* copies that start in several slots */
  CHECK(s.states == 6 && t.states == 18 && u.states == 12);
  for (int i = 0; i < sample_network(alike)->nslot; i++) CHECK_NEAR(u.mean[i], t.mean[i], 1e-12);
  CHECK(evolve_run(net, NULL, NULL, times, 3, NULL, &e) == NESS_OK);
  CHECK(evolve_run(apart, NULL, NULL, times, 3, NULL, &f) == NESS_OK);
  for (int i = 0; i < 4; i++) {
    const int32_t a = slot_at(net, slots[i]), b = slot_at(apart, slots[i]);
    const double copies = i < 3 ? 2 : 1;
    CHECK_NEAR(s.mean[a], copies * t.mean[b], 1e-12);
    CHECK(isnan(s.var[a]) == (i < 3));
    for (int k = 0; k < 3; k++) CHECK_NEAR(e.mean[k * net->nslot + a], copies * f.mean[k * apart->nslot + b], 1e-9);
  }
  for (int i = 0; i < 6; i++) {
    const int32_t a = step_at(net, steps[i]), b = step_at(apart, steps[i]);
    CHECK(a >= 0 && b >= 0);
    if (a < 0 || b < 0) continue;
    CHECK_NEAR(s.dir_rate[2 * a], 2 * t.dir_rate[2 * b], 1e-12);
    CHECK_NEAR(s.net_rate[a], 2 * t.net_rate[b], 1e-12);
    for (int k = 0; k < 3; k++)
      CHECK_NEAR(e.dir_rate[(k * net->nstep + a) * 2], 2 * f.dir_rate[(k * apart->nstep + b) * 2], 1e-8);
  }
  const int32_t flip = step_at(net, "V.low <-> V.high");
  CHECK_NEAR(s.dir_rate[2 * flip], 5 * s.mean[slot_at(net, "V.low")], 1e-12);
  CHECK_NEAR(s.entropy, t.entropy, 1e-10); /* of two copies in either */
  evolve_free(&e);
  evolve_free(&f);
  cme_solution_free(&s);
  cme_solution_free(&t);
  cme_solution_free(&u);
out:
  ness_model_free(m);
  ness_model_free(alike);
  ness_model_free(two);
}

/* Three levels in a ring that prefer one way round; a site that is filled and emptied at rates of the level. */
static void test_ring(void)
{
  static const char *const text = "model ring\nunits natural\nparam u = 0\nspecies A = 1, B = 0\n"
                                  "r: A <-> B @ exp(u), 2*exp(-u/2)\n"
                                  "process u markov {\nlevel a = -1\nlevel b = 0.5\nlevel c = 2\n"
                                  "a <-> b @ 3, 1\nb <-> c @ 2, 0.5\nc <-> a @ 4, 0.25\n}\n";
  static const double u[3] = {-1, 0.5, 2}, flip[3][3] = {{0, 3, 0.25}, {1, 0, 2}, {4, 0.5, 0}};
  ness_model *const m = sample_model(text);
  if (!m) return;
  const ness_network *const net = sample_network(m);
  cme_solution s;
  CHECK(cme_steady(net, NULL, NULL, &s) == NESS_OK);
  double p[6] = {1, 1, 1, 1, 1, 1}; /* level, then A or B; by sweeps of Gauss and Seidel */
  for (int sweep = 0; sweep < 4000; sweep++) {
    double sum = 0;
    for (int i = 0; i < 6; i++) {
      const int l = i / 2, b = i % 2;
      double in = p[2 * l + 1 - b] * (b ? exp(u[l]) : 2 * exp(-u[l] / 2));
      double leave = b ? 2 * exp(-u[l] / 2) : exp(u[l]);
      for (int k = 0; k < 3; k++) in += p[2 * k + b] * flip[k][l], leave += flip[l][k];
      p[i] = in / leave;
    }
    for (int i = 0; i < 6; i++) sum += p[i];
    for (int i = 0; i < 6; i++) p[i] /= sum;
  }
  static const char *const names[] = {"u.a", "u.b", "u.c"};
  double flow = 0;
  for (int l = 0; l < 3; l++) {
    CHECK_NEAR(s.mean[slot_at(net, names[l])], p[2 * l] + p[2 * l + 1], 1e-12);
    char step[32];
    snprintf(step, sizeof step, "r (%s)", names[l]);
    CHECK_NEAR(s.net_rate[step_at(net, step)], p[2 * l] * exp(u[l]) - p[2 * l + 1] * 2 * exp(-u[l] / 2), 1e-12);
    flow += s.net_rate[step_at(net, step)];
  }
  CHECK_NEAR(flow, 0, 1e-12);
  check_ledger(net);
  CHECK_NEAR(s.entropy, s.source_work[network_sources(net) - 2] + s.source_work[network_sources(net) - 1], 1e-12);
  cme_solution_free(&s);
  ness_model_free(m);
}

static bool write_text(const char *path, const char *text)
{
  FILE *const out = fopen(path, "wb");
  const bool fine = out && fputs(text, out) >= 0;
  return out && fclose(out) == 0 && fine;
}

static void check_points(const lang_file *file, const double *time, const double *value, int32_t n, double period)
{
  ness_diags *const diags = ness_diags_create();
  lang_model *model = NULL;
  int32_t count = 0;
  CHECK(file && lang_compile(file, NULL, 0, diags, &model) == NESS_OK);
  const lang_process *const p = model ? lang_processes(model, &count) : NULL;
  CHECK(count == 1 && p->npoint == n);
  for (int32_t i = 0; count == 1 && i < n && i < p->npoint; i++) {
    CHECK_NEAR(p->time[i], time[i], 1e-15 * (1 + time[i]));
    CHECK_NEAR(p->value[i], value[i], 1e-15);
  }
  if (count == 1) CHECK_NEAR(p->period, period, 1e-15);
  lang_model_free(model);
  ness_diags_free(diags);
}

/* A table is the points that it holds, in the units of its header; with a mark of byte order, comments, empty lines,
 * ends of lines of two bytes and none at the end. Its text is part of the bundle: the file may go. */
static void test_table(void)
{
  static const char *const head = SI "compartment o reservoir\ncompartment i reservoir potential V\nparam V = 0 [mV]\n"
                                     "ion Na z +1 { o = 140 [mM]\n i = 12 [mM] }\nspecies A = 1, B = 0\n"
                                     "r: A + Na.o <-> B + Na.i @ 1 [1/M/s], ldb\n";
  static const char *const table =
      "\xef\xbb\xbf# recorded\r\nt [ms], V [mV]\r\n0, -60\r\n\r\n 2.5 ,2e1\r\n#@file no\r\n10,-6.5";
  static const double time[] = {0, 2.5e-3, 10e-3}, value[] = {-60e-3, 20e-3, -6.5e-3};
  char folder[] = "/tmp/ness_table_XXXXXX", path[64], csv[64], text[800];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/m.ness", folder);
  snprintf(csv, sizeof csv, "%s/v.csv", folder);
  CHECK(write_text(csv, table));
  for (int periodic = 0; periodic < 2; periodic++) {
    snprintf(text, sizeof text, "%sprocess V %s \"v.csv\"%s\n", head, periodic ? "line" : "steps",
             periodic ? " period 20 [ms]" : "");
    ness_diags *const diags = ness_diags_create();
    lang_file *file = NULL, *again = NULL, *gone = NULL;
    CHECK(write_text(path, text) && lang_parse(path, NULL, 0, diags, &file) == NESS_OK);
    check_points(file, time, value, 3, periodic ? 20e-3 : 0);
    char *const bundle = file ? lang_bundle(file) : NULL;
    CHECK(bundle && unlink(csv) == 0);
    CHECK(bundle && lang_parse("elsewhere.ness", bundle, strlen(bundle), diags, &again) == NESS_OK);
    check_points(again, time, value, 3, periodic ? 20e-3 : 0);
    CHECK(lang_parse(path, NULL, 0, diags, &gone) == NESS_MODEL); /* without the file there is only the bundle */
    CHECK(write_text(csv, table));
    mem_free(bundle);
    lang_file_free(file);
    lang_file_free(again);
    ness_diags_free(diags);
  }
  CHECK(unlink(path) == 0 && unlink(csv) == 0 && rmdir(folder) == 0);
}

int main(void)
{
  test_levels();
  test_two();
  test_copies();
  test_ring();
  test_table();
  return check_done();
}
