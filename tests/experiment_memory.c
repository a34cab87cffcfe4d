/* Every allocation (of the longest call every seventh) fails once: loading, info, check, solve, scan, simulate and the
 * experiments of a small model end with NESS_NOMEM and nothing else, never crash and, under the address sanitizer, leak
 * nothing; with one more allocation they go on further, until all of it works. */
#include "lang_sample.h"

static const char *const text = NATURAL
    "param k = 2, n = 2\ncompartment o reservoir\ncompartment i reservoir potential v\nparam v = 1\n"
    "ion K z +1 { o = 2\n i = 1 }\nbath F = 2, mu0 = 1, W = 1\npotential F -> W = -2\nspecies A = 2, B = 0\nf := A/(1 "
    "+ A)\n"
    "protein P copies 2 {\n state p\n state q energy = 1 charge 1 at i\n}\n"
    "lattice s[1..n] between o, i field linear holds K max 1\nenergy K.s[j] = 0.5*j\n"
    "h: K.s[i] <-> K.s[i+1] @ ldb(k0 = 10, form = scharfetter-gummel)\nr: A <-> B @ k, 1 +- 0.1\ns: A + F <-> B + W @ "
    "1, ldb\n"
    "t: A <-> B @@ f, B\nu: p <-> q @ ldb(k0 = 1)\ncycle c: r - s\nobserve J = rate(r), I = current(i)\nassert 1 == 1\n"
    "experiment e with k = 3 {\n solve steady\n let x = mean(A)\n expect x + mean(B) ~ 2 +- 1e-9\n"
    " scan v = 0 : 1 : 1 {\n  solve steady\n  expect flux(c) < 100\n }\n random 1 with k = uniform(1, 2) {\n expect k "
    "> 0\n }\n"
    " let z = reversal(rate(h[1]), v = -3 : 3)\n simulate replicas 8, time 0.2, every 0.1\n"
    " expect mean_at(A, 0.1) ~ 2 within 1000 sigma\n}\n";

typedef enum deed { LOAD, INFO, CHECKING, SOLVE, SCAN, SIMULATE, TEST, DEEDS } deed;

static ness_status act(deed what, const char *path, ness_model *m, ness_diags *diags)
{
  static const char *const setting[] = {"k=1:2:1"}, *const set[] = {"k=2.5", "F=3"};
  ness_doc *doc = NULL;
  ness_model *own = NULL;
  ness_status status = NESS_INTERNAL;
  const ness_scan_options scan = {.struct_size = sizeof scan, .settings = setting, .nsettings = 1};
  const ness_solve_options solve = {.struct_size = sizeof solve, .states = 1};
  const ness_simulate_options run = {.struct_size = sizeof run, .replicas = 8, .time = 0.2, .threads = 1};
  const ness_test_options test = {.struct_size = sizeof test};
  switch (what) {
  case LOAD:
    status = ness_model_load("memory.ness", text, set, 2, diags, &own);
    CHECK((status == NESS_OK) == (own != NULL));
    ness_model_free(own);
    return status;
  case INFO: status = ness_info(m, diags, &doc); break;
  case CHECKING: status = ness_check(m, NULL, diags, &doc); break;
  case SOLVE: status = ness_solve(m, &solve, diags, &doc); break;
  case SCAN: status = ness_scan(m, &scan, diags, &doc); break;
  case SIMULATE: status = ness_simulate(m, &run, diags, &doc); break;
  default: status = ness_test(path, &test, diags, &doc); break;
  }
  CHECK((status == NESS_OK || status == NESS_EXPECT) == (doc != NULL));
  ness_doc_free(doc);
  return status;
}

int main(void)
{
  static const char *const names[] = {"load", "info", "check", "solve", "scan", "simulate", "test"};
  char path[300];
  snprintf(path, sizeof path, "%s", sample_file("memory.ness", text));
  for (int what = 0; what < DEEDS; what++) {
    /* First as it should be. */
    ness_model *m = sample_model(text);
    ness_diags *diags = ness_diags_create();
    const ness_status whole = m ? act((deed)what, path, m, diags) : NESS_INTERNAL;
    if (whole != NESS_OK && whole != NESS_EXPECT)
      fprintf(stderr, "%s: %s\n", names[what], ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
    CHECK(whole == NESS_OK || (whole == NESS_EXPECT && what == CHECKING));
    ness_diags_free(diags);
    ness_model_free(m);
    int32_t failures = 0;
    bool done = false;
    for (int64_t n = 0; n < 20000 && !done; n += what == TEST ? 7 : 1) { /* a round of all experiments is longer */
      m = sample_model(text); /* a failure may stick to a model's arena: each try gets its own */
      diags = ness_diags_create();
      mem_fail_after(n);
      const ness_status status = act((deed)what, path, m, diags);
      mem_fail_after(-1);
      done = status == whole;
      if (!done && status != NESS_NOMEM)
        fprintf(stderr, "%s: allocation %lld fails: %d, %s\n", names[what], (long long)n, (int)status,
                ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
      CHECK(done || status == NESS_NOMEM);
      failures += !done;
      ness_model_free(m);
      ness_diags_free(diags);
    }
    printf("%s: %d allocations\n", names[what], failures);
    CHECK(done && failures > 2);
  }
  sample_file_remove("memory.ness");
  return check_done();
}
