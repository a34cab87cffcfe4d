/* Every allocation fails once while a model whose inputs move is loaded, solved for its mean over a period, simulated
 * and scanned: all end with NESS_NOMEM and nothing else and, under the address sanitizer, leak nothing; with one more
 * allocation they go on further, until all of it works. */
#include "lang_sample.h"

static const char *const text = NATURAL
    "compartment o reservoir\ncompartment i reservoir potential v\nparam v = 1, k = 2\nion K z +1 { o = 2\n i = 1 }\n"
    "bath F = 2, mu0 = 1, W = 1\nprotein P {\n state p\n state q energy = 1 charge 1 at i\n}\n"
    "species A = 1, B = 0\nr: A <-> B @ k, 1\ns: p + F <-> q + W @ 1, ldb\n"
    "u: p <-> q @ ldb(k0 = 1, form = heat-bath)\nobserve J = rate(u), n = mean(q)\n"
    "process v sine(mean = 0, amplitude = 1, frequency = 2)\n"
    "process F telegraph(low = 1, high = 2, up = k, down = 1)\n";

typedef enum deed { LOAD, SOLVE, SIMULATE, SCAN, DEEDS } deed;

static ness_status act(deed what, ness_model *m, ness_diags *diags)
{
  static const char *const setting[] = {"k=1:2:1"};
  const ness_scan_options scan = {.struct_size = sizeof scan, .settings = setting, .nsettings = 1};
  const ness_simulate_options run = {.struct_size = sizeof run, .replicas = 3, .time = 0.5, .threads = 1};
  ness_doc *doc = NULL;
  ness_model *own = NULL;
  ness_status status;
  if (what == LOAD) {
    status = ness_model_load("memory.ness", text, NULL, 0, diags, &own);
    CHECK((status == NESS_OK) == (own != NULL));
    ness_model_free(own);
    return status;
  }
  status = what == SOLVE  ? ness_solve(m, NULL, diags, &doc)
           : what == SCAN ? ness_scan(m, &scan, diags, &doc)
                          : ness_simulate(m, &run, diags, &doc);
  CHECK((status == NESS_OK) == (doc != NULL));
  ness_doc_free(doc);
  return status;
}

static void fail_each(deed what)
{
  static const char *const names[] = {"load", "solve", "simulate", "scan"};
  int32_t failures = 0;
  bool done = false;
  /* Compiling at each point is the same again and again. */
  for (int64_t n = 0; n < 200000 && !done; n += what == LOAD ? 1 : 1 + n / 20) {
    ness_model *const m = sample_model(text); /* a failure may stick to a model's arena: each try gets its own */
    ness_diags *const diags = ness_diags_create();
    mem_fail_after(n);
    const ness_status status = act(what, m, diags);
    mem_fail_after(-1);
    done = status == NESS_OK;
    if (!done && status != NESS_NOMEM)
      fprintf(stderr, "%s: allocation %lld fails: %d, %s\n", names[what], (long long)n, (int)status,
              ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
    CHECK(done || status == NESS_NOMEM);
    failures += !done;
    ness_model_free(m);
    ness_diags_free(diags);
  }
  printf("%s: %d failures\n", names[what], failures);
  CHECK(done && failures > 20);
}

int main(void)
{
  for (int what = 0; what < DEEDS; what++) fail_each((deed)what);

  return check_done();
}
