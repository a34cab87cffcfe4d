/* The exact distribution as a function of counts (analysis/law.h) against closed laws and against the list of states;
 * and ness_report when memory runs out at any call. */
#include "analysis/law.h"
#include "check.h"
#include "cme_build.h"
#include <ness/model.h>
#include <ness/report.h>
#include <unistd.h>

#define COPIES 5

/* A ring of three slots; `most` is the cap of each, and where it binds the solver has to list the states. */
static ness_network *ring(int64_t most)
{
  ness_network *net = NULL;
  network_builder *const b = builder_create("ring", 0);
  const int32_t s0 = add_slot(b, "a", most < COPIES ? most : COPIES, most), s1 = add_slot(b, "b", 0, most),
                s2 = add_slot(b, "c", most < COPIES ? COPIES - most : 0, most);
  add_move(b, "ab", s0, s1, 1.0, 2.0);
  add_move(b, "bc", s1, s2, 3.0, 0.5);
  add_move(b, "ca", s2, s0, 0.7, 0.2);
  ness_diags *const diags = ness_diags_create();
  CHECKED(builder_finish(b, diags, &net));
  ness_diags_free(diags);
  builder_free(b);
  return net;
}

static double choose(int64_t n, int64_t i, int64_t j)
{
  return lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)j + 1) - lgamma((double)(n - i - j) + 1);
}

/* Copies are multinomial, with the probabilities of one copy from its trees (Hill 1977). */
static void test_copies(void)
{
  ness_network *const net = ring(MODEL_NO_MAX);
  cme_solution s = {0};
  steady_law *it = NULL;
  ness_diags *const diags = ness_diags_create();
  CHECKED(cme_steady(net, NULL, diags, &s));
  CHECK(s.nparts == 1 && s.parts[0].kind == CME_COPIES);
  CHECKED(law_create(net, &s, NULL, &it));
  CHECK(it != NULL);
  const double ab = 1, ba = 2, bc = 3, cb = 0.5, ca = 0.7, ac = 0.2;
  const double a = ba * ca + bc * ca + cb * ba, b = ab * ca + ab * cb + ac * cb, c = ab * bc + ac * bc + ac * ba;
  double sum = 0;
  for (int64_t i = 0; it && i <= COPIES; i++) {
    for (int64_t j = 0; i + j <= COPIES; j++) {
      const int64_t n[3] = {i, j, COPIES - i - j};
      const double weight = (double)i * log(a) + (double)j * log(b) + (double)n[2] * log(c) - COPIES * log(a + b + c);
      CHECK_NEAR(law_log(it, n), choose(COPIES, i, j) + weight, 1e-12);
      sum += exp(law_log(it, n));
    }
  }
  CHECK_NEAR(sum, 1, 1e-13);
  law_free(it);
  cme_solution_free(&s);
  network_free(net);
  ness_diags_free(diags);
}

/* A cap that binds: every state that is listed is found again, and nothing else. */
static void test_listed(void)
{
  ness_network *const net = ring(3);
  cme_solution s = {0};
  steady_law *it = NULL;
  ness_diags *const diags = ness_diags_create();
  CHECKED(cme_steady(net, NULL, diags, &s));
  CHECK(s.nparts == 1 && s.parts[0].kind == CME_COUNTS && s.parts[0].states.n > 5);
  CHECKED(law_create(net, &s, NULL, &it));
  CHECK(it != NULL);
  for (int32_t k = 0; it && k < s.parts[0].states.n; k++) {
    int64_t n[3];
    cme_counts(&s.parts[0], k, n);
    CHECK_NEAR(law_log(it, n), log(s.parts[0].p[k]), 1e-15);
  }
  const int64_t beyond[3] = {4, 0, -1}, before[3] = {-1, 0, 4}, between[3] = {1, 1, 2};
  CHECK(it && isinf(law_log(it, beyond)) && isinf(law_log(it, before)) && isinf(law_log(it, between)));
  law_free(it);
  cme_solution_free(&s);
  network_free(net);
  ness_diags_free(diags);
}

/* Particles that come and go are Poisson, and a second part that shares nothing multiplies. */
static void test_open(void)
{
  ness_network *net = NULL;
  network_builder *const b = builder_create("open", 0);
  const int32_t x = add_slot(b, "x", 0, MODEL_NO_MAX), y = add_slot(b, "y", 0, MODEL_NO_MAX);
  const int32_t u = add_slot(b, "u", 1, MODEL_NO_MAX), v = add_slot(b, "v", 0, MODEL_NO_MAX);
  add_move(b, "in", -1, x, 3.0, 2.0);
  add_move(b, "on", x, y, 1.0, 4.0);
  add_move(b, "uv", u, v, 3.0, 1.0);
  ness_diags *const diags = ness_diags_create();
  CHECKED(builder_finish(b, diags, &net));
  cme_solution s = {0};
  steady_law *it = NULL;
  CHECKED(cme_steady(net, NULL, diags, &s));
  CHECKED(law_create(net, &s, NULL, &it));
  CHECK(it != NULL);
  for (int64_t i = 0; i < 4; i++) {
    for (int64_t j = 0; j < 4; j++) {
      const int64_t n[4] = {i, j, 0, 1};
      const double poisson =
          (double)i * log(1.5) - 1.5 - lgamma((double)i + 1) + (double)j * log(0.375) - 0.375 - lgamma((double)j + 1);
      CHECK_NEAR(law_log(it, n), poisson + log(0.75), 1e-12);
    }
  }
  law_free(it);
  cme_solution_free(&s);
  network_free(net);
  ness_diags_free(diags);
  builder_free(b);
}

/* Two closed classes: where it ends depends on chance, and the steady state of a trajectory is not that of all. */
static void test_classes(void)
{
  ness_network *net = NULL;
  network_builder *const b = builder_create("fork", 0);
  const int32_t a = add_slot(b, "a", 1, 1), l = add_slot(b, "l", 0, 1), r = add_slot(b, "r", 0, 1);
  add_move(b, "al", a, l, 1.0, 0);
  add_move(b, "ar", a, r, 1.0, 0);
  ness_diags *const diags = ness_diags_create();
  CHECKED(builder_finish(b, diags, &net));
  cme_solution s = {0};
  steady_law *it = NULL;
  CHECKED(cme_steady(net, NULL, diags, &s));
  CHECK(law_create(net, &s, NULL, &it) == NESS_OK && it == NULL);
  cme_solution_free(&s);
  network_free(net);
  ness_diags_free(diags);
  builder_free(b);
}

/* Every allocation may fail: the call says so or the page is there, and nothing is left half-done. */
static void test_memory(const char *source, const char *page)
{
  const ness_report_options options = {.struct_size = sizeof options, .output = page, .own_layout = 1, .threads = 1};
  ness_status status = NESS_NOMEM;
  int32_t failed = 0;
  for (int64_t n = 0; status != NESS_OK && n < 10000000; n += 1 + n / 30) {
    ness_diags *const diags = ness_diags_create();
    ness_doc *doc = NULL;
    unlink(page);
    mem_fail_after(n);
    status = ness_report(source, NULL, 0, &options, diags, &doc);
    mem_fail_after(-1);
    failed += status != NESS_OK;
    CHECK((status == NESS_OK) == (doc != NULL));
    if (status != NESS_OK) CHECK(access(page, F_OK) != 0);
    ness_doc_free(doc);
    ness_diags_free(diags);
  }
  CHECK(status == NESS_OK && failed > 20 && access(page, F_OK) == 0);
  unlink(page);
}

int main(void)
{
  char page[64], dump[64];
  snprintf(page, sizeof page, "/tmp/report_law.%ld.html", (long)getpid());
  snprintf(dump, sizeof dump, "/tmp/report_law.%ld.msgpack", (long)getpid());
  test_copies();
  test_listed();
  test_open();
  test_classes();
  test_memory("networks/models/sglt.ness", page);
  const ness_simulate_options run = {.struct_size = sizeof run,
                                     .replicas = 16,
                                     .time = 5,
                                     .warmup = 1,
                                     .seed = 1,
                                     .threads = 1,
                                     .path = dump,
                                     .overwrite = 1};
  ness_diags *const diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  CHECKED(ness_model_load("networks/models/fuel-cycle.ness", NULL, NULL, 0, diags, &model));
  CHECKED(ness_simulate(model, &run, diags, &doc));
  ness_doc_free(doc);
  ness_model_free(model);
  ness_diags_free(diags);
  test_memory(dump, page);
  unlink(dump);
  return check_done();
}
