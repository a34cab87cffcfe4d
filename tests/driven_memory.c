/* Every allocation fails once while a model whose inputs move, one that answers back, or one that does both, is loaded,
 * solved for its mean over a period or in time, simulated and scanned: all end with NESS_NOMEM and nothing else and,
 * under the address sanitizer, leak nothing; with one more allocation they go on further, until all of it works. */
#include "lang_sample.h"

static const char *const moved = NATURAL
    "compartment o reservoir\ncompartment i reservoir potential v\nparam v = 1, k = 2\nion K z +1 { o = 2\n i = 1 }\n"
    "bath F = 2, mu0 = 1, W = 1\nprotein P {\n state p\n state q energy = 1 charge 1 at i\n}\n"
    "species A = 1, B = 0\nr: A <-> B @ k, 1\ns: p + F <-> q + W @ 1, ldb\n"
    "u: p <-> q @ ldb(k0 = 1, form = heat-bath)\nobserve J = rate(u), n = mean(q)\n"
    "process v sine(mean = 0, amplitude = 1, frequency = 2)\n"
    "process F telegraph(low = 1, high = 2, up = k, down = 1)\n";

static const char *const several = NATURAL
    "param a = 1, b = 1, k = 2, c = 2*a\nspecies A = 1, B = 0\nr: A <-> B @ c, k\nvariable x = 0.5 within 0, 9\n"
    "x' = b - x\nprocess a sine(mean = 2, amplitude = 1, frequency = 2)\nprocess b line { 0 = 1\n1 = 2\nperiod 2\n}\n"
    "compartment o reservoir\ncompartment i reservoir potential a/5 + b/9\nion K z +1 { o = 2*b\n i = 1 }\n"
    "bath F = 2, mu0 = 1 + b/3\nprotein P {\n state p\n state q energy = b/9 charge 1 at i\n}\nparam g = 1\n"
    "u: p + K.o <-> q @ ldb(k0 = k*b)\nv: q + F <-> p + K.i @ g, ldb\n"
    "l: p + K.o <-> p + K.i @ ldb(conductance = 1) fluid\nat 0.2: A = A + 1\n"
    "process g telegraph(low = 1, high = 2, up = k, down = 1)\nprocess F sine(mean = 2, amplitude = 1, frequency = "
    "3)\n";

static const char *const living = NATURAL
    "compartment o reservoir\ncompartment i reservoir potential v\nparam k = 2\nion K z +1 { o = 2\n i = 1 }\n"
    "capacitor v between i, o capacitance 50 start 0.5\nprotein P copies 3 {\n state p\n state q charge 0.5 at i\n}\n"
    "u: p <-> q @ ldb(k0 = k)\nl: q + K.o <-> q + K.i @ ldb(conductance = 1) fluid\n"
    "variable x = 0.5 within 0, 9\nx' = exprel(-v) - x\nat 0.2: x = 2*x\nwhen v > 0.6: x = 0.1\n";

typedef struct example {
  const char *name, *text;
  ness_solve_options solve;
} example;

typedef enum deed { LOAD, SOLVE, SIMULATE, SCAN, DEEDS } deed;

static ness_status act(const example *of, deed what, ness_model *m, ness_diags *diags)
{
  static const char *const setting[] = {"k=1:2:1"};
  const ness_scan_options scan = {.struct_size = sizeof scan, .settings = setting, .nsettings = 1};
  const ness_simulate_options run = {
      .struct_size = sizeof run, .replicas = 3, .time = 0.5, .threads = 1, .every = of->solve.every};
  ness_doc *doc = NULL;
  ness_model *own = NULL;
  ness_status status;
  if (what == LOAD) {
    status = ness_model_load("memory.ness", of->text, NULL, 0, diags, &own);
    CHECK((status == NESS_OK) == (own != NULL));
    ness_model_free(own);
    return status;
  }
  status = what == SOLVE  ? ness_solve(m, &of->solve, diags, &doc)
           : what == SCAN ? ness_scan(m, &scan, diags, &doc)
                          : ness_simulate(m, &run, diags, &doc);
  CHECK((status == NESS_OK) == (doc != NULL));
  ness_doc_free(doc);
  return status;
}

static void fail_each(const example *of, deed what)
{
  static const char *const names[] = {"load", "solve", "simulate", "scan"};
  int32_t failures = 0;
  bool done = false;
  /* Compiling at each point is the same again and again. */
  for (int64_t n = 0; n < 200000 && !done; n += what == LOAD ? 1 : 1 + n / 20) {
    ness_model *const m = sample_model(of->text); /* a failure may stick to a model's arena: each try gets its own */
    ness_diags *const diags = ness_diags_create();
    mem_fail_after(n);
    const ness_status status = act(of, what, m, diags);
    mem_fail_after(-1);
    done = status == NESS_OK;
    if (!done && status != NESS_NOMEM)
      fprintf(stderr, "%s, %s: allocation %lld fails: %d, %s\n", of->name, names[what], (long long)n, (int)status,
              ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
    CHECK(done || status == NESS_NOMEM);
    failures += !done;
    ness_model_free(m);
    ness_diags_free(diags);
  }
  printf("%s, %s: %d failures\n", of->name, names[what], failures);
  CHECK(done && failures > 20);
}

int main(void)
{
  const example of[] = {
      {"moved", moved, {.struct_size = sizeof of[0].solve}},
      {"living", living, {.struct_size = sizeof of[0].solve, .what = "ode", .time = 0.5, .every = 0.1}},
      {"several", several, {.struct_size = sizeof of[0].solve, .what = "ode", .time = 0.5, .every = 0.1}}};
  for (int what = 0; what < DEEDS; what++) fail_each(&of[0], (deed)what);
  for (int what = 0; what < SCAN; what++) fail_each(&of[1], (deed)what); /* a scan asks for the steady state */
  for (int what = 0; what < SCAN; what++) fail_each(&of[2], (deed)what);
  return check_done();
}
