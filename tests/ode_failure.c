/* What the rate equations refuse, and how they say it: walls of the counts, rates that are no rates, options; every
 * allocation that fails leaves nothing behind; an interrupt ends a calculation; random networks of every kind. */
#include "ode_build.h"

static void expect(const ness_network *net, ness_status wanted, const char *first, const char *second)
{
  ness_diags *diags = ness_diags_create();
  ode_system *ode = ode_of(net);
  ode_state state;
  const ness_status status = ode_steady(ode, NULL, diags, &state);
  char *text = ness_diags_render(diags, 0);
  CHECK(status == wanted);
  if (wanted) CHECK(!state.x && text && strstr(text, first) && strstr(text, second));
  if (wanted && text && !strstr(text, first)) fprintf(stderr, "%s", text);
  ness_text_free(text);
  ness_diags_free(diags);
  ode_state_free(&state);
  ode_free(ode);
}

/* Sites that hold one copy each are no limit of anything; one copy on such sites never meets the wall; a wall far away
 * is none; a wall within reach is named when it is reached. */
static void check_walls(void)
{
  for (int copies = 1; copies <= 2; copies++) {
    network_builder *b = builder_create("sites", 0);
    int32_t s[4];
    for (int i = 0; i < 4; i++) s[i] = add_slot(b, (const char *[]){"S0", "S1", "S2", "S3"}[i], i < copies, 1);
    for (int i = 0; i < 4; i++) add_move(b, "hop", s[i], s[(i + 1) % 4], 2, 1);
    ness_network *net = finish(b);
    expect(net, copies == 1 ? NESS_OK : NESS_LIMIT, "max of 1", "step hop still fills it");
    network_free(net);
  }
  for (int far = 0; far < 2; far++) {
    network_builder *b = builder_create("tank", 0);
    const int32_t n = add_slot(b, "water", 0, far ? 400 : 90);
    add_move(b, "tap", -1, n, 100, 1);
    ness_network *net = finish(b);
    expect(net, far ? NESS_OK : NESS_LIMIT, "slot water comes to its max of 90 by t = ", "step tap");
    network_free(net);
  }
  /* a rate that goes to zero at the wall by itself does not need it */
  network_builder *b = builder_create("filling", 0);
  const int32_t n = add_slot(b, "filled", 0, 5);
  const tape_op ops[3] = {{TAPE_CONST, 0, 0, 0}, {TAPE_SLOT, n, 0, 0}, {TAPE_SUB, 0, 1, 0}};
  const double five = 5;
  const builder_step step = {.name = "fill",
                             .text = "",
                             .nright = 1,
                             .right = &n,
                             .law = {LAW_TAPE, LAW_MASS},
                             .k = {0, 2},
                             .nop = {3, 0},
                             .tape = {ops, NULL},
                             .constants = &five,
                             .lnk = (double)NAN};
  CHECKED(builder_step_add(b, &step));
  ness_network *net = finish(b);
  expect(net, NESS_OK, "", "");
  network_free(net);
}

static void check_below_zero(void)
{
  network_builder *b = builder_create("pump", 0);
  const int32_t n = add_slot(b, "water", 10, MODEL_NO_MAX);
  add_constant(b, "pump", 1, &n, 0, NULL, 3);
  ness_network *net = finish(b);
  expect(net, NESS_NUMERIC, "slot water below zero by t = 3.", "does not vanish");
  network_free(net);
}

/* value / (10 - X) while X grows to 20. */
static void check_bad_rate(double sign, const char *word)
{
  network_builder *b = builder_create("bad", 0);
  const int32_t x = add_slot(b, "X", 0, MODEL_NO_MAX);
  const tape_op ops[4] = {{TAPE_CONST, 0, 0, 0}, {TAPE_SLOT, x, 0, 0}, {TAPE_SUB, 0, 1, 0}, {TAPE_LN, 2, 0, 0}};
  const double ten = 10;
  const builder_step step = {.name = "wrong",
                             .text = "",
                             .nright = 1,
                             .right = &x,
                             .law = {LAW_TAPE, LAW_NONE},
                             .nop = {sign < 0 ? 3 : 4, 0},
                             .tape = {ops, NULL},
                             .constants = &ten,
                             .lnk = (double)NAN};
  CHECKED(builder_step_add(b, &step));
  add_move(b, "in", -1, x, 20, 1);
  ness_network *net = finish(b);
  expect(net, NESS_NUMERIC, "step wrong, forward: its rate at t = ", word);
  network_free(net);
}

static void check_options(void)
{
  ness_network *net = antiporter_6(1, 1);
  ode_system *ode = ode_of(net);
  const double times[2] = {1, 0.5}, good = 1, bad = (double)NAN, start[6] = {1, 0, -1, 0, 0, 0};
  double re = 0;
  ode_report report;
  CHECK(ode_run(ode, NULL, times, 2, NULL, NULL, NULL, NULL) == NESS_USAGE);
  CHECK(ode_run(ode, NULL, &bad, 1, NULL, NULL, NULL, NULL) == NESS_USAGE);
  CHECK(ode_run(ode, &(ode_options){.rtol = 2}, &good, 1, NULL, NULL, NULL, NULL) == NESS_USAGE);
  CHECK(ode_run(ode, &(ode_options){.rtol = 1e-16}, &good, 1, NULL, NULL, NULL, NULL) == NESS_USAGE);
  CHECK(ode_run(ode, &(ode_options){.atol = -1}, &good, 1, NULL, NULL, NULL, NULL) == NESS_USAGE);
  CHECK(ode_run(ode, &(ode_options){.start = start}, &good, 1, NULL, NULL, NULL, NULL) == NESS_USAGE);
  CHECK(ode_run(ode, &(ode_options){.event = &(ode_event){.slot = 6}}, &good, 1, NULL, NULL, NULL, NULL) == NESS_USAGE);
  CHECK(ode_run(ode, &(ode_options){.max_steps = 3}, &good, 1, NULL, NULL, NULL, &report) == NESS_LIMIT);
  CHECK(report.steps == 3 && report.time > 0 && report.time < 1);
  CHECK(ode_run(ode, NULL, NULL, 0, NULL, NULL, NULL, NULL) == NESS_OK);
  CHECK(ode_growth(ode, start, NULL, &re, NULL) == NESS_USAGE && isnan(re));
  ode_state state = steady_of(ode, NULL);
  ode_noise noise;
  state.stable = 0;
  CHECK(ode_noise_steady(ode, &state, NULL, &noise) == NESS_NUMERIC && !noise.mean);
  ode_state_free(&state);
  ness_interrupt();
  CHECK(ode_steady(ode, NULL, NULL, &state) == NESS_INTERRUPTED && !state.x);
  CHECK(ode_run(ode, NULL, &good, 1, NULL, NULL, NULL, NULL) == NESS_INTERRUPTED);
  ness_interrupt_clear();
  ode_free(ode);
  network_free(net);
  net = finish(builder_create("empty", 0));
  ode = ode_of(net);
  state = steady_of(ode, NULL);
  CHECK(state.nslot == 0 && state.stable == 1);
  CHECK(ode_run(ode, NULL, &good, 1, NULL, NULL, NULL, NULL) == NESS_OK);
  ode_totals totals = totals_of(ode, state.x);
  CHECK(totals.entropy == 0);
  ode_totals_free(&totals);
  ode_state_free(&state);
  ode_free(ode);
  network_free(net);
}

/* Lets the n-th allocation fail for every n; what is left behind the sanitizer sees. */
static void check_memory(void)
{
  ness_network *net = complete_graph(3, 9, 5);
  ness_diags *diags = ness_diags_create();
  int64_t failed = 0;
  for (int64_t n = 0; n < 10000; n++) {
    ode_system *ode = NULL;
    ode_state state = {0};
    ode_noise noise = {0};
    ode_totals totals = {0};
    double re = 0, J[36];
    const double time = 0.01;
    mem_fail_after(n);
    ness_status status = ode_create(net, diags, &ode);
    if (status) CHECK(!ode);
    if (!status) status = ode_run(ode, &(ode_options){.noise = 1}, &time, 1, NULL, NULL, diags, NULL);
    if (!status) status = ode_steady(ode, NULL, diags, &state);
    if (!status) status = ode_growth(ode, state.x, diags, &re, NULL);
    if (!status) status = ode_jacobian_dense(ode, state.x, diags, J);
    if (!status) status = ode_noise_steady(ode, &state, diags, &noise);
    if (!status) status = ode_totals_at(ode, state.x, diags, &totals);
    mem_fail_after(-1);
    if (status) CHECK(!totals.dir_rate);
    ode_noise_free(&noise);
    ode_totals_free(&totals);
    ode_state_free(&state);
    ode_free(ode);
    if (!status) break;
    CHECK(status == NESS_NOMEM);
    failed++;
  }
  printf("%lld allocations\n", (long long)failed);
  CHECK(failed > 50);
  ness_diags_free(diags);
  network_free(net);
}

/* Steady states of random networks are balanced and keep what is conserved; the others say why not. */
static void check_random(void)
{
  rng_stream rng;
  rng_init(&rng, 74, 0, 0);
  int64_t count[4] = {0};
  for (int k = 0; k < 250; k++) {
    ness_network *net = sample_random(&rng);
    ness_diags *diags = ness_diags_create();
    ode_system *ode = ode_of(net);
    ode_state state;
    const ness_status status = ode_steady(ode, &(ode_options){.max_steps = 5000}, diags, &state);
    if (status == NESS_OK) {
      long double x[16], f[16];
      count[0]++;
      for (int32_t i = 0; i < net->nslot; i++) x[i] = state.x[i];
      slow_change(net, x, f);
      for (int32_t i = 0; i < net->nslot; i++) {
        long double gross = 0;
        for (int32_t s = 0; s < net->nstep; s++) {
          for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
            const long double both = slow_rate(net, 2 * s, x) + slow_rate(net, 2 * s + 1, x);
            if (net->change_slot[c] == i) gross += labs((long)net->change_by[c]) * both;
          }
        }
        CHECK(state.x[i] >= 0 && fabsl(f[i]) <= (state.stable == 1 ? 1e-13L : 1e-11L) * gross);
      }
      if (net->nfamily > 0) {
        double sum = 0;
        for (int32_t i = 0; i < net->nslot; i++) sum += net->slot_family[i] == 0 ? state.x[i] : 0;
        CHECK_REL(sum, 3, 1e-12);
      }
    } else {
      CHECK(status == NESS_NUMERIC || status == NESS_LIMIT);
      CHECK(!state.x && ness_diags_count(diags, NULL) == 1);
      const char *message = ness_diags_get(diags, 0)->message;
      count[strstr(message, "max of") ? 1 : strstr(message, "grows without") ? 2 : 3]++;
    }
    ode_state_free(&state);
    ode_free(ode);
    ness_diags_free(diags);
    network_free(net);
  }
  printf("%lld settle, %lld meet a max, %lld grow, %lld other\n", (long long)count[0], (long long)count[1],
         (long long)count[2], (long long)count[3]);
  CHECK(count[0] > 50 && count[2] > 3);
}

int main(void)
{
  check_walls();
  check_below_zero();
  check_bad_rate(-1, "negative");
  check_bad_rate(1, "n"); /* the logarithm is negative before it is no number */
  check_options();
  check_memory();
  check_random();
  return check_done();
}
