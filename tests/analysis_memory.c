/* The tests of memory: the quick part of the study in analysis_memory_slow.c, with bounds of five binomial errors (all
 * checks together fail a right program with 3e-6 by a normal law, and seeds are fixed); what is planted must be found:
 * a hidden state, a drift, a next state that depends on the one before; and what cannot be tested says so. */
#include "analysis_memory.h"

static void calibrated(void)
{
  ness_network *const four = four_states();
  const memory_job jobs[] = {{.net = four, .seen = four, .replicas = 1, .time = 800},
                             {.net = four, .seen = four, .replicas = 2000, .time = 0.8},
                             {.net = four, .seen = four, .replicas = 1, .time = 800, .step = 0.1},
                             {.net = four, .seen = four, .replicas = 1, .time = 800, .tick = 0.01}};
  static const char *const names[] = {"one record", "2,000 very short ones", "sampled", "rounded times"};
  const int sets = 300;
  for (int k = 0; k < 4; k++) {
    const memory_study s = memory_run(&jobs[k], 1000 * k, sets);
    memory_print(names[k], &s);
    for (int t = 0; t < MEMORY_TESTS; t++)
      CHECK(s.tested[t] == sets && fabs((double)s.rejected[t] / sets - 0.05) < 5 * sqrt(0.05 * 0.95 / sets));
  }
  network_free(four);
}

static void planted(void)
{
  static const int32_t map[4] = {0, 0, 1, 2};
  ness_network *const hidden = hidden_ring(), *const three = ring(3, 2, 1, 1), *const four = four_states();
  memory_job job = {.net = hidden, .seen = three, .map = map, .replicas = 1, .time = 1000};
  memory_study s = memory_run(&job, 1, 50);
  memory_print("a hidden state", &s);
  CHECK(s.rejected[0] == 50 && s.rejected[1] == 50 && s.rejected[2] == 50 && s.family == 50);
  job = (memory_job){.net = four, .seen = four, .replicas = 1, .time = 800, .drift = 2};
  s = memory_run(&job, 1, 50);
  memory_print("a drift", &s);
  CHECK(s.rejected[0] > 45 && s.rejected[3] > 45 && s.family == 50);
  network_free(hidden);
  network_free(three);
  network_free(four);
}

/* Two states, each with one way out, so that nothing but ages can be told: visits of A last 1 and 4 in turn, those of B
 * 1. Of A the visit before is always the same; of B it is not, and that makes one degree of freedom. */
static void by_hand(void)
{
  network_builder *b = builder_create("two", 0);
  const int32_t A = add_slot(b, "A", 1, MODEL_NO_MAX), B = add_slot(b, "B", 0, MODEL_NO_MAX);
  add_move(b, "ab", A, B, 1, 1);
  ness_network *const net = finish(b);
  enum { ROWS = 400 };
  double time[ROWS];
  int32_t dir[ROWS];
  int64_t n0[2] = {1, 0};
  for (int i = 0; i < ROWS; i++) {
    time[i] = (i ? time[i - 1] : 0) + (i % 4 == 2 ? 4 : 1);
    dir[i] = i % 2;
  }
  const dump_chunk chunk = {.last = 1,
                            .t1 = time[ROWS - 1],
                            .n0 = n0,
                            .events = ROWS,
                            .rows = ROWS,
                            .row_time = time,
                            .row_dir = dir,
                            .row_dir_stored = dir,
                            .row_dir_bytes = 4};
  memory_counts *past = NULL;
  memory_result result;
  CHECK(memory_create(net, 1, 0, &past) == NESS_OK && past);
  CHECK(memory_follow(past, &chunk) == NESS_OK);
  CHECK(memory_finish(past, &result) == NESS_OK);
  CHECK(result.visits == ROWS - 1);
  CHECK(result.test[1].freedom == 0 && result.test[2].freedom == 0);
  CHECK(isnan(result.test[1].p) && result.test[0].p < 1e-12);
  CHECK(result.test[3].freedom == 1 && result.test[3].p > 0.999);
  memory_free(past);
  network_free(net);

  ness_network *const many = ring(3, 2, 1, 2); /* two molecules: no single past */
  CHECK(memory_create(many, 1, 0, &past) == NESS_OK && !past);
  network_free(many);
}

/* A chunk that is missing, an event that does not fit, a chunk of another replica: visits are cut, nothing is joined.
 */
static void torn(void)
{
  ness_network *const net = ring(3, 2, 1, 1);
  const double time[3] = {1, 2, 3};
  const int32_t round[3] = {0, 2, 4}, wrong[3] = {0, 0, 4};
  const int64_t n0[3] = {1, 0, 0};
  dump_chunk chunk = {
      .t1 = 3.5, .n0 = n0, .events = 3, .rows = 3, .row_time = time, .row_dir_stored = round, .row_dir_bytes = 4};
  memory_counts *past = NULL;
  memory_result result;
  CHECK(memory_create(net, 1, 0, &past) == NESS_OK && past);
  memory_follow(past, &chunk);
  chunk.index = 2; /* 1 is missing */
  memory_follow(past, &chunk);
  chunk.index = 3;
  chunk.row_dir_stored = wrong;
  memory_follow(past, &chunk);
  chunk.replica = 7;
  memory_follow(past, &chunk);
  CHECK(memory_finish(past, &result) == NESS_OK);
  CHECK(result.visits == 2 + 2 + 1); /* the third one goes on from the second: its first visit's entry was seen */
  memory_free(past);
  for (int64_t n = 0; n < 20; n++) {
    mem_fail_after(n);
    past = NULL;
    const ness_status status = memory_create(net, 1, 0, &past);
    const ness_status judged = status || !past ? NESS_OK : memory_finish(past, &result);
    mem_fail_after(-1);
    CHECK((status == NESS_NOMEM) == !past && (judged == NESS_OK || judged == NESS_NOMEM));
    memory_free(past);
  }
  network_free(net);
}

int main(void)
{
  calibrated();
  planted();
  by_hand();
  torn();
  return check_done();
}
