/* Replicas in step give the bits of the same replicas one at a time: by every level of vector instructions that this
 * processor has, whatever lane they sit in, wherever they pause, and whoever sits beside them. */
#include "check.h"
#include "engine/base/simd.h"
#include "engine/ssa/lockstep.h"
#include "ssa_oracle.h"

#include <stdlib.h>

enum { REPLICAS = 21, PAUSES = 6 };

static int same_replica(const ness_network *net, const ssa_replica *a, const ssa_replica *b)
{
  double ta, tb;
  uint64_t ra[4], rb[4];
  ssa_checkpoint(a, &ta, ra);
  ssa_checkpoint(b, &tb, rb);
  return a->t == b->t && ta == tb && memcmp(ra, rb, sizeof ra) == 0 && a->events == b->events &&
         a->pending == b->pending && memcmp(&a->rng, &b->rng, sizeof a->rng) == 0 &&
         a->tape_entropy == b->tape_entropy && memcmp(&a->ratio, &b->ratio, sizeof a->ratio) == 0 &&
         memcmp(a->n, b->n, (size_t)net->nslot * sizeof *a->n) == 0 &&
         memcmp(a->fwd, b->fwd, (size_t)net->nstep * sizeof *a->fwd) == 0 &&
         memcmp(a->bwd, b->bwd, (size_t)net->nstep * sizeof *a->bwd) == 0 &&
         memcmp(a->slot, b->slot, (size_t)net->nslot * sizeof *a->slot) == 0;
}

typedef struct goal {
  double t_stop;
  int64_t max_events;
} goal;

/* Pause k of replica r: at a time or after some events, by turns and never the same. */
static goal goal_of(int r, int k, double t_end)
{
  const double t = t_end * (k + 1 + 0.03 * r) / PAUSES;
  return (r + k) % 3 == 0 ? (goal){INFINITY, 40 + 7 * r + 300 * (k % 2)} : (goal){t, k == 2 ? 500 : 0};
}

/* What the driver of an ensemble does to a replica now and then. */
static void meddle(ssa_replica *self, const ness_network *net, int k)
{
  if (k == 1) ssa_settle(self, net);
  if (k == 2) ssa_rebase(self, net, ssa_kernel_find("direct", net));
  if (k == 3) {
    ssa_settle(self, net);
    ssa_clear(self, net);
  }
}

/* One at a time they run by the level in turn with plain instructions. `kind`: of the network's few states, or
 * STATES_KINDS where they are many; `any`: in step its integrals are made as those of any few states. */
static void same_steps(const ness_network *net, double t_end, states_kind kind, bool any, simd_level level)
{
  static ssa_replica one[REPLICAS], several[REPLICAS];
  const ssa_kernel *const kernel = ssa_kernel_find("direct", net);
  CHECK(kernel == &ssa_kernel_small);
  small_net small;
  lockstep steps;
  states_table *const rows = mem_zero(1, sizeof *rows);
  small_compile(net, &small);
  void *block;
  states_build(rows, &small, net->slot_start);
  CHECK((rows->rows > 0) == (kind < STATES_KINDS) && (rows->rows == 0 || rows->kind == kind));
  rows->kind = any ? STATES_ANY : rows->kind;
  int at[REPLICAS] = {0}, next = 0, of[LOCKSTEP_LANES];
  simd_limit(level);
  lockstep_init(&steps, &small, rows, carve_block(lockstep_size(), &block));
  for (int r = 0; r < REPLICAS; r++) {
    simd_limit(r % 2 ? level : SIMD_PLAIN);
    CHECK(ssa_replica_init(&one[r], net, kernel) == NESS_OK && ssa_replica_init(&several[r], net, kernel) == NESS_OK);
    ssa_replica_start(&one[r], net, kernel, 5, r);
    ssa_replica_start(&several[r], net, kernel, 5, r);
  }
  for (; next < LOCKSTEP_LANES - 1; next++) { /* one seat stays empty */
    const goal g = goal_of(next, 0, t_end);
    of[next] = next;
    lockstep_seat(&steps, next, &several[next], g.t_stop, g.max_events);
  }
  while (steps.taken > 0) {
    ssa_pause pause;
    int32_t bad;
    const int32_t lane = lockstep_next(&steps, &pause);
    int r = of[lane];
    goal g = goal_of(r, at[r], t_end);
    CHECK(ssa_advance(&one[r], net, kernel, fmax(g.t_stop, one[r].t), g.max_events, NULL, &bad) == pause);
    CHECK(same_replica(net, &one[r], &several[r]));
    meddle(&one[r], net, at[r]);
    meddle(&several[r], net, at[r]);
    if (++at[r] == PAUSES) {
      if (next == REPLICAS) continue;
      r = of[lane] = next++;
    }
    g = goal_of(r, at[r], t_end);
    lockstep_seat(&steps, lane, &several[r], fmax(g.t_stop, several[r].t), g.max_events);
  }
  int64_t events = 0;
  for (int r = 0; r < REPLICAS; r++) {
    CHECK(at[r] == PAUSES);
    events += one[r].fwd[0];
    ssa_replica_free(&one[r]);
    ssa_replica_free(&several[r]);
  }
  CHECK(events > 0);
  mem_free(rows);
  mem_free(block);
}

static void same_bits(ness_network *net, double t_end, states_kind kind, simd_level level)
{
  same_steps(net, t_end, kind, false, level);
  if (kind < STATES_ANY) same_steps(net, t_end, kind, true, level);
  network_free(net);
}

/* Second order and first, of two kinds and of one, in three groups of leaves. */
static ness_network *net_second(void)
{
  const net_slot slots[] = {{"X", 9, 0}, {"Y", 6, 0}, {"Z", 0, 0}, {"E", 2, 0}};
  const net_step steps[] = {{"bind", 0.3, 1, 2, {0, 1}, 1, {2}},    {"pair", 0.1, 0.5, 2, {0, 0}, 1, {1}},
                            {"catch", 0.2, 0.4, 2, {3, 2}, 1, {3}}, {"feed", 5, 0.3, 0, {0}, 1, {0}},
                            {"turn", 0.7, 0.2, 1, {1}, 2, {0, 3}},  {"loss", 0.3, 0, 1, {3}, 0, {0}}};
  return net_make("second", 4, slots, 6, steps);
}

/* 3 X <-> Y at k n (n-1)(n-2), a fountain of X, and a loss of Y that needs two to be there. */
static ness_network *net_cubic(void)
{
  const net_slot slots[] = {{"X", 9, 0}, {"Y", 0, 0}};
  const net_step steps[] = {{"join", 0.01, 0.4, 3, {0, 0, 0}, 1, {1}},
                            {"fountain", 20, 0.5, 0, {0}, 1, {0}},
                            {"loss", 0.3, 0, 2, {1, 1}, 0, {0}}};
  network_builder *b = net_slots("cubic", 2, slots);
  for (int i = 0; i < 3; i++) net_add(b, &steps[i], 0, NULL, 0, NULL, NULL);
  return net_finish(b);
}

/* Every operation of a tape, one way and back, and mass action of fourth order with bounds. */
static ness_network *net_laws(void)
{
  const net_slot slots[] = {{"X", 12, 40}, {"Y", 3, 0}};
  const double constants[] = {0.3, 2, 0.25, 5};
  enum {
    C0,
    C1,
    C2,
    C3,
    X,
    Y,
    POW,
    ADD,
    DIV,
    EXP,
    LN,
    SQRT,
    ABS,
    MIN,
    MAX,
    FLOOR,
    LT,
    LE,
    EQ,
    AND,
    OR,
    NOT,
    SELECT,
    TANH,
    ODD,
    NEG,
    SUB,
    SUM
  };
  const tape_op forth[] = {[C0] = {TAPE_CONST, 0, 0, 0},
                           [C1] = {TAPE_CONST, 1, 0, 0},
                           [C2] = {TAPE_CONST, 2, 0, 0},
                           [C3] = {TAPE_CONST, 3, 0, 0},
                           [X] = {TAPE_SLOT, 0, 0, 0},
                           [Y] = {TAPE_SLOT, 1, 0, 0},
                           [POW] = {TAPE_POW, X, C1, 0},
                           [ADD] = {TAPE_ADD, POW, C3, 0},
                           [DIV] = {TAPE_DIV, POW, ADD, 0},
                           [EXP] = {TAPE_EXP, DIV, 0, 0},
                           [LN] = {TAPE_LN, ADD, 0, 0},
                           [SQRT] = {TAPE_SQRT, ADD, 0, 0},
                           [ABS] = {TAPE_ABS, LN, 0, 0},
                           [MIN] = {TAPE_MIN, SQRT, ABS, 0},
                           [MAX] = {TAPE_MAX, MIN, DIV, 0},
                           [FLOOR] = {TAPE_FLOOR, MAX, 0, 0},
                           [LT] = {TAPE_LT, X, Y, 0},
                           [LE] = {TAPE_LE, Y, X, 0},
                           [EQ] = {TAPE_EQ, X, Y, 0},
                           [AND] = {TAPE_AND, LE, X, 0},
                           [OR] = {TAPE_OR, EQ, AND, 0},
                           [NOT] = {TAPE_NOT, LT, 0, 0},
                           [SELECT] = {TAPE_SELECT, OR, EXP, C0},
                           [TANH] = {TAPE_TANH, DIV, 0, 0},
                           [ODD] = {TAPE_POW, C3, DIV, 0},
                           [NEG] = {TAPE_NEG, C2, 0, 0},
                           [SUB] = {TAPE_SUB, SELECT, NEG, 0},
                           [SUM] = {TAPE_MUL, SUB, SQRT, 0}};
  const tape_op back[] = {
      {TAPE_CONST, 0, 0, 0}, {TAPE_SLOT, 1, 0, 0}, {TAPE_MUL, 0, 1, 0}, {TAPE_POW, 1, 0, 0}, {TAPE_ADD, 2, 3, 0}};
  const net_step law = {"law", 0, 0, 1, {0}, 1, {1}};
  const net_step fourth = {"fourth", 1e-3, 0, 4, {0, 0, 0, 0}, 3, {0, 0, 1}}, feed = {"feed", 9, 0.7, 0, {0}, 1, {0}};
  network_builder *b = net_slots("laws", 2, slots);
  net_add(b, &law, SUM + 1, forth, 5, back, constants);
  net_add(b, &fourth, 0, NULL, 0, NULL, NULL);
  net_add(b, &feed, 0, NULL, 0, NULL, NULL);
  return net_finish(b);
}

/* X comes at Y Y / (X + Y): no number where both are 0, which no replica is and an empty seat may be. */
static ness_network *net_share(void)
{
  const net_slot slots[] = {{"X", 3, 0}, {"Y", 5, 0}};
  const tape_op forth[] = {
      {TAPE_SLOT, 0, 0, 0}, {TAPE_SLOT, 1, 0, 0}, {TAPE_ADD, 0, 1, 0}, {TAPE_DIV, 1, 2, 0}, {TAPE_MUL, 1, 3, 0}};
  const net_step come = {"come", 0, 0.7, 0, {0}, 1, {0}};
  network_builder *b = net_slots("share", 2, slots);
  net_add(b, &come, 5, forth, 0, NULL, NULL);
  return net_finish(b);
}

/* 20 copies of two forms, two ways between them, and a loss until nothing is left. */
static ness_network *net_switches(void)
{
  const net_slot slots[] = {{"A", 18, 0}, {"B", 2, 0}};
  const net_step steps[] = {
      {"slow", 1, 2, 1, {0}, 1, {1}}, {"fast", 7, 0, 1, {1}, 1, {0}}, {"loss", 0.1, 0, 1, {0}, 0, {0}}};
  return net_make("switches", 2, slots, 3, steps);
}

/* Two copies of three forms. */
static ness_network *net_walkers(void)
{
  const net_slot slots[] = {{"A", 2, 0}, {"B", 0, 0}, {"C", 0, 0}};
  const net_step steps[] = {{"ab", 1, 2, 1, {0}, 1, {1}}, {"bc", 3, 0.5, 1, {1}, 1, {2}}};
  return net_make("walkers", 3, slots, 2, steps);
}

/* One molecule of two forms: a slot may be empty in a row that lists both. */
static ness_network *net_coin(void)
{
  const net_slot slots[] = {{"A", 1, 0}, {"B", 0, 0}};
  const net_step steps[] = {{"ab", 1, 50, 1, {0}, 1, {1}}, {"ba", 3, 0.5, 1, {1}, 1, {0}}};
  return net_make("coin", 2, slots, 2, steps);
}

/* Rates that overflow: in step as alone. */
static void overflow(void)
{
  const net_slot slot = {"X", 1, 0};
  const net_step steps[] = {{"more", 1e307, 0, 1, {0}, 2, {0, 0}}, {"most", 1e305, 0, 2, {0, 0}, 3, {0, 0, 0}}};
  network_builder *b = net_slots("overflow", 1, &slot);
  for (int i = 0; i < 2; i++) net_add(b, &steps[i], 0, NULL, 0, NULL, NULL);
  ness_network *net = net_finish(b);
  const ness_simulate_options options = {.struct_size = sizeof options, .replicas = 40, .time = 1, .threads = 1};
  for (int level = 0; level <= (int)SIMD_AVX512; level++) {
    ssa_result result;
    ness_diags *diags = ness_diags_create();
    simd_limit((simd_level)level);
    CHECK(ssa_ensemble(net, &options, NULL, NULL, diags, &result) == NESS_NUMERIC);
    CHECK(ness_diags_count(diags, NULL) == 1);
    CHECK(strstr(ness_diags_get(diags, 0)->message, "replica 0:") && strstr(ness_diags_get(diags, 0)->message, "more"));
    ness_diags_free(diags);
  }
  network_free(net);
}

/* Whole ensembles: every level, and 40 replicas in step on one thread as on more threads than that pays for. */
static void same_ensemble(void)
{
  ness_network *const net = net_fuel();
  ssa_result first = {0};
  for (int level = 0; level <= (int)SIMD_AVX512; level++) {
    for (int threads = 1; threads < 20; threads += 6) {
      const ness_simulate_options options = {.struct_size = sizeof options,
                                             .replicas = 40,
                                             .time = 5,
                                             .warmup = 0.5,
                                             .window = 0.3,
                                             .every = 0.7,
                                             .threads = threads};
      ssa_result result;
      simd_limit((simd_level)level);
      CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &result) == NESS_OK);
      if (level == 0 && threads == 1) {
        first = result;
        continue;
      }
      const size_t slots = (size_t)net->nslot, steps = (size_t)net->nstep, batches = (size_t)first.batches;
      CHECK(result.events == first.events && result.batches == first.batches && result.ngrid == first.ngrid);
      CHECK(memcmp(result.dwell, first.dwell, batches * slots * sizeof(double)) == 0);
      CHECK(memcmp(result.dwell2, first.dwell2, batches * slots * sizeof(double)) == 0);
      CHECK(memcmp(result.fwd, first.fwd, batches * steps * sizeof(double)) == 0);
      CHECK(memcmp(result.counted, first.counted, batches * sizeof(double)) == 0);
      CHECK(memcmp(result.grid_sum2, first.grid_sum2, (size_t)first.ngrid * slots * sizeof(double)) == 0);
      ssa_result_free(&result);
    }
  }
  ssa_result_free(&first);
  network_free(net);
}

int main(void)
{
  for (int level = 0; level <= (int)SIMD_AVX512; level++) {
    simd_limit((simd_level)level);
    if ((int)simd_best() < level) {
      printf("no %s here\n", simd_name((simd_level)level));
      continue;
    }
    same_bits(net_ring(), 20, STATES_ONE, (simd_level)level);
    same_bits(net_coin(), 20, STATES_TWO, (simd_level)level);
    same_bits(net_fuel(), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_switches(), 40, STATES_TWO, (simd_level)level);
    same_bits(net_pairs(), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_exclusion(), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_birth(6, 0.8), 30, STATES_KINDS, (simd_level)level);
    same_bits(net_chain(12, 3), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_chain(6, 3), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_walkers(), 20, STATES_ANY, (simd_level)level);
    same_bits(net_second(), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_cubic(), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_tape(3), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_laws(), 10, STATES_KINDS, (simd_level)level);
    same_bits(net_share(), 60, STATES_KINDS, (simd_level)level);
  }
  overflow();
  same_ensemble();
  return check_done();
}
