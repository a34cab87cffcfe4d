/* What cannot be solved says why: unbounded slots, bad rates; every allocation that fails leaves nothing behind; an
 * interrupt stops a solution. */
#include "check.h"
#include "cme_build.h"

static char *message_of(ness_diags *diags)
{
  char *const text = ness_diags_render(diags, 0);
  return text;
}

static void check_limit(void)
{
  network_builder *b = builder_create("growth", 0);
  const int32_t a = add_slot(b, "food", 3, 10), x = add_slot(b, "rabbits", 1, MODEL_NO_MAX), xx[2] = {x, x};
  add_step(b, "breed", 1, xx, 2, xx, 1, 0.001);
  add_step(b, "eat", 2, (int32_t[]){a, x}, 1, &x, 1, 0.5);
  ness_network *net = finish(b);
  ness_diags *diags = ness_diags_create();
  cme_solution s;
  CHECK(cme_steady(net, &(cme_options){.max_states = 300}, diags, &s) == NESS_LIMIT);
  CHECK(!s.parts && !s.mean && s.nparts == 0);
  char *text = message_of(diags);
  CHECK(text && strstr(text, "food, rabbits") && strstr(text, "300 states") && strstr(text, "rabbits has no max"));
  CHECK(text && strstr(text, "--max-states"));
  ness_text_free(text);
  ness_diags_free(diags);
  network_free(net);
}

/* A rate of value / X, where X also decays to 0. */
static void check_bad_rate(double value, const char *word)
{
  network_builder *b = builder_create("bad", 0);
  const int32_t x = add_slot(b, "X", 1, 5);
  const tape_op ops[3] = {{TAPE_CONST, 0, 0, 0}, {TAPE_SLOT, x, 0, 0}, {TAPE_DIV, 0, 1, 0}};
  const builder_step step = {
      .name = "wrong",
      .text = "",
      .nright = 1,
      .right = &x,
      .law = {LAW_TAPE, LAW_MASS},
      .k = {0, 1},
      .nop = {3, 0},
      .tape = {ops, NULL},
      .constants = &value,
      .lnk = (double)NAN,
  };
  CHECKED(builder_step_add(b, &step));
  ness_network *net = finish(b);
  ness_diags *diags = ness_diags_create();
  cme_solution s;
  CHECK(cme_steady(net, NULL, diags, &s) == NESS_NUMERIC);
  char *text = message_of(diags);
  CHECK(text && strstr(text, "step wrong") && strstr(text, word));
  ness_text_free(text);
  ness_diags_free(diags);
  network_free(net);
}

static ness_network *forked(void)
{
  network_builder *b = builder_create("forked", 0);
  int32_t s[6];
  for (int i = 0; i < 6; i++) {
    s[i] = add_slot(b, (const char *[]){"A", "B", "C", "D", "E", "F"}[i], i < 2 ? 4 : 0, MODEL_NO_MAX);
  }
  add_move(b, "ab", s[0], s[1], 1, 2);
  add_move(b, "bc", s[1], s[2], 1, 0);
  add_move(b, "ad", s[0], s[3], 3, 0);
  add_move(b, "de", s[3], s[4], 3, 1);
  add_move(b, "de2", s[3], s[4], 1, 1);
  add_move(b, "ef", s[4], s[5], 3, 1);
  return finish(b);
}

/* Copies from A and B, into C for good or to the D-E-F class. */
static void check_classes(void)
{
  ness_network *net = forked();
  cme_solution s;
  solve(net, 0, &s);
  const cme_part *part = &s.parts[0];
  CHECK(s.nparts == 1 && part->kind == CME_COPIES && part->copies == 8 && part->classes.count == 2 &&
        part->nstart == 2);
  /* from A: to D with 3/4 or to B with 1/4; from B: to A with 2/3, to C with 1/3 */
  const double a = (1.0 / 4) * (1.0 / 3) / (1 - (1.0 / 4) * (2.0 / 3)), b = 1.0 / 3 + (2.0 / 3) * a;
  CHECK_REL(s.mean[2], 4 * a + 4 * b, 1e-14);
  CHECK_REL(s.var[2], 4 * a * (1 - a) + 4 * b * (1 - b), 1e-14);
  CHECK(s.mean[0] == 0 && s.mean[1] == 0);
  CHECK(s.one_way_running == -1 && s.entropy > 0); /* one-way steps that have come to rest */
  cme_cycles c;
  CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
  CHECK(c.count == 1 && c.complete == 1);
  CHECK_REL(c.cycle[0].net * c.cycle[0].affinity, s.entropy, 1e-13);
  cme_cycles_free(&c);
  cme_solution_free(&s);
  network_free(net);
}

/* Lets the n-th allocation fail for every n; ASan sees what is left behind. */
static void check_memory(ness_network *net, int64_t cap)
{
  ness_diags *diags = ness_diags_create();
  int64_t failed = 0;
  for (int64_t n = 0; n < 100000; n++) {
    cme_solution s;
    cme_cycles c = {0};
    mem_fail_after(n);
    ness_status status = cme_steady(net, NULL, diags, &s);
    if (status == NESS_OK) {
      status = cme_cycles_find(net, &s, cap, diags, &c);
      if (status) CHECK(!c.cycle && !c.memory && c.count == 0);
    } else {
      CHECK(!s.parts && !s.mean);
    }
    mem_fail_after(-1);
    cme_cycles_free(&c);
    cme_solution_free(&s);
    if (status == NESS_OK) break;
    CHECK(status == NESS_NOMEM);
    failed++;
  }
  CHECK(failed > 20);
  ness_diags_free(diags);
  network_free(net);
}

static ness_network *small_tank(void)
{
  network_builder *b = builder_create("tank", 0);
  const int32_t n = add_slot(b, "n", 0, 100);
  add_move(b, "tap", -1, n, 20, 0.1);
  add_move(b, "drain", n, -1, 1, 2);
  return finish(b);
}

static void check_interrupt(void)
{
  ness_network *net = small_tank();
  cme_solution s;
  ness_interrupt();
  CHECK(cme_steady(net, NULL, NULL, &s) == NESS_INTERRUPTED);
  ness_interrupt_clear();
  CHECK(!s.parts);
  solve(net, 0, &s);
  cme_cycles c;
  ness_interrupt();
  CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_INTERRUPTED);
  ness_interrupt_clear();
  CHECK(!c.cycle);
  cme_solution_free(&s);
  network_free(net);
}

static void check_empty(void)
{
  ness_network *net = finish(builder_create("empty", 0));
  cme_solution s;
  cme_cycles c;
  solve(net, 0, &s);
  CHECK(s.nparts == 0 && s.entropy == 0 && s.closure == 0 && s.one_way_running == -1);
  CHECK(cme_cycles_find(net, &s, 0, NULL, &c) == NESS_OK);
  CHECK(c.count == 0 && c.complete == 1);
  cme_cycles_free(&c);
  cme_solution_free(&s);
  network_free(net);
}

int main(void)
{
  check_limit();
  check_bad_rate(-1, "negative");
  check_bad_rate(0, "not a number");
  check_bad_rate(1, "not finite");
  check_classes();
  check_memory(antiporter_6(1, 200), 0);
  check_memory(forked(), 0);
  check_memory(complete_graph(6, 1, 1), 0);
  check_memory(complete_graph(6, 1, 1), 100);
  check_memory(small_tank(), 0);
  check_interrupt();
  check_empty();
  return check_done();
}
