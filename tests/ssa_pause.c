/* One replica, by each method: pausing changes nothing, a checkpoint continues identically (by composition after a
 * rebase), integrals are what the record says, and the ends of a run: absorbing states, bad rates, no allocation on the
 * way. */
#include "check.h"
#include "engine/ssa/ssa.h"
#include "ssa_oracle.h"

static int same_state(const ness_network *net, const ssa_replica *a, const ssa_replica *b)
{
  double ta, tb;
  uint64_t ra[4], rb[4];
  ssa_checkpoint(a, &ta, ra);
  ssa_checkpoint(b, &tb, rb);
  return a->t == b->t && ta == tb && memcmp(ra, rb, sizeof ra) == 0 && a->events == b->events &&
         memcmp(a->n, b->n, (size_t)net->nslot * sizeof *a->n) == 0 &&
         memcmp(a->fwd, b->fwd, (size_t)net->nstep * sizeof *a->fwd) == 0 &&
         memcmp(a->bwd, b->bwd, (size_t)net->nstep * sizeof *a->bwd) == 0 &&
         memcmp(&a->tape_entropy, &b->tape_entropy, sizeof(double)) == 0 &&
         memcmp(&a->ratio, &b->ratio, sizeof a->ratio) == 0 &&
         memcmp(a->slot, b->slot, (size_t)net->nslot * sizeof *a->slot) == 0;
}

/* Time limits, event limits and full records at odd places against one go. */
static void split_is_whole(const ness_network *net, const ssa_kernel *kernel, double t_end)
{
  static double time[64];
  static int32_t dir[64];
  ssa_replica whole, split;
  int32_t bad;
  uint64_t mix = 12345;
  const bool recalls = kernel == ssa_kernel_find("composition", net);
  CHECK(ssa_replica_init(&whole, net, kernel) == NESS_OK && ssa_replica_init(&split, net, kernel) == NESS_OK);
  ssa_replica_start(&whole, net, kernel, 7, 3);
  ssa_replica_start(&split, net, kernel, 7, 3);
  ssa_advance(&whole, net, kernel, t_end, 0, NULL, &bad);
  while (split.t < t_end) {
    mix = mix * UINT64_C(6364136223846793005) + 1442695040888963407u;
    const double step = t_end * 1e-3 * (double)(mix >> 60);
    ssa_record record = {time, dir, 0, 1 + (int64_t)(mix >> 55 & 31)};
    const double t_stop = fmin(t_end, split.t + step);
    switch (mix >> 52 & 3) {
    case 0: ssa_advance(&split, net, kernel, t_stop, 0, NULL, &bad); break;
    case 1: ssa_advance(&split, net, kernel, t_end, 1 + (int64_t)(mix >> 57), NULL, &bad); break;
    case 2: ssa_advance(&split, net, kernel, t_end, 0, &record, &bad); break;
    default: ssa_advance(&split, net, kernel, split.t, 0, NULL, &bad); break; /* a pause at once */
    }
  }
  CHECK(whole.events > 1000 && same_state(net, &whole, &split));
  ssa_settle(&whole, net);
  ssa_settle(&split, net);
  CHECK(same_state(net, &whole, &split));

  /* Loading a checkpoint taken at a pause goes on as the replica itself does. */
  ssa_replica other;
  double t;
  uint64_t rng[4];
  CHECK(ssa_replica_init(&other, net, kernel) == NESS_OK);
  if (recalls) {
    ssa_rebase(&whole, net, kernel);
    ssa_rebase(&split, net, kernel);
    CHECK(same_state(net, &whole, &split));
  }
  ssa_checkpoint(&whole, &t, rng);
  CHECK(ssa_replica_load(&other, net, kernel, t, whole.n, rng));
  ssa_advance(&other, net, kernel, whole.t, 0, NULL, &bad);
  CHECK(other.events == 0);
  ssa_clear(&other, net);
  ssa_clear(&whole, net);
  ssa_advance(&other, net, kernel, 1.5 * t_end, 0, NULL, &bad);
  ssa_advance(&whole, net, kernel, 1.5 * t_end, 0, NULL, &bad);
  CHECK(same_state(net, &whole, &other));
  rng[3] &= ~UINT64_C(1);
  CHECK(!ssa_replica_load(&other, net, kernel, t, whole.n, rng)); /* no generator has an even increment */
  ssa_replica_free(&other);
  ssa_replica_free(&split);
  ssa_replica_free(&whole);
}

/* Integrals and counts from the record of events, by the definition. */
static void bookkeeping(const ness_network *net, const ssa_kernel *kernel)
{
  enum { rows = 5000 };
  static double time[rows];
  static int32_t dir[rows];
  ssa_record record = {time, dir, 0, rows};
  ssa_replica r;
  int32_t bad;
  int64_t n[ORACLE_MAX];
  double dwell[ORACLE_MAX] = {0}, dwell2[ORACLE_MAX] = {0}, t = 0;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  ssa_replica_start(&r, net, kernel, 11, 0);
  CHECK(ssa_advance(&r, net, kernel, INFINITY, 0, &record, &bad) == SSA_RECORD_FULL && r.events == rows);
  CHECK(ssa_advance(&r, net, kernel, INFINITY, 0, &record, &bad) == SSA_RECORD_FULL && r.events == rows);
  ssa_advance(&r, net, kernel, r.t + 1e-9, 0, NULL, &bad);
  memcpy(n, net->slot_start, (size_t)net->nslot * sizeof *n);
  for (int i = 0; i <= rows; i++) {
    const double next = i < rows ? time[i] : r.t;
    CHECK(next >= t);
    for (int s = 0; s < net->nslot; s++) {
      dwell[s] += (double)n[s] * (next - t);
      dwell2[s] += (double)(n[s] * n[s]) * (next - t);
    }
    t = next;
    for (int j = net->change_start[dir[i % rows] / 2]; i < rows && j < net->change_start[dir[i] / 2 + 1]; j++) {
      n[net->change_slot[j]] += dir[i] % 2 ? -net->change_by[j] : net->change_by[j];
      CHECK(n[net->change_slot[j]] >= 0 && n[net->change_slot[j]] <= net->slot_max[net->change_slot[j]]);
    }
  }
  ssa_settle(&r, net);
  CHECK(memcmp(n, r.n, (size_t)net->nslot * sizeof *n) == 0 && r.n[net->nslot] == 1);
  CHECK_REL(r.counted, r.t, 1e-12);
  for (int s = 0; s < net->nslot; s++) {
    CHECK_NEAR(r.slot[s].dwell, dwell[s], 1e-9);
    CHECK_NEAR(r.slot[s].dwell2, dwell2[s], 1e-9);
  }
  ssa_replica_free(&r);
}

/* X -> 0: all die, and then nothing can happen. */
static void absorbing(const char *method)
{
  ness_network *net = net_make("death", 1, (net_slot[]){{"X", 5, 0}}, 1, (net_step[]){{"die", 1, 0, 1, {0}, 0, {0}}});
  const ssa_kernel *const kernel = ssa_kernel_find(method, net);
  ssa_replica r;
  int32_t bad;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  ssa_replica_start(&r, net, kernel, 1, 1);
  CHECK(ssa_advance(&r, net, kernel, 1e6, 0, NULL, &bad) == SSA_ABSORBED && r.t == 1e6 && r.events == 5 && r.n[0] == 0);
  CHECK(ssa_advance(&r, net, kernel, 2e6, 0, NULL, &bad) == SSA_ABSORBED && r.t == 2e6);
  CHECK(ssa_advance(&r, net, kernel, INFINITY, 0, NULL, &bad) == SSA_ABSORBED && r.t == 2e6);
  ssa_settle(&r, net);
  CHECK(r.counted == 2e6 && r.slot[0].dwell > 0 && r.slot[0].dwell < 100);
  ssa_replica_free(&r);
  network_free(net);
  net = net_make("nothing", 1, (net_slot[]){{"X", 5, 0}}, 0, NULL);
  CHECK(kernel == ssa_kernel_find(method, net));
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  ssa_replica_start(&r, net, kernel, 1, 1);
  CHECK(ssa_advance(&r, net, kernel, 2, 0, NULL, &bad) == SSA_ABSORBED && r.t == 2);
  ssa_replica_free(&r);
  network_free(net);
}

/* 0 -> X at the rate k (4 - x): negative from the fifth on. And k / (3 - x): infinite at 3. */
static void bad_rates(const char *method)
{
  const double constants[] = {4, 3};
  const tape_op negative[] = {{TAPE_CONST, 0, 0, 0}, {TAPE_SLOT, 0, 0, 0}, {TAPE_SUB, 0, 1, 0},
                              {TAPE_CONST, 1, 0, 0}, {TAPE_ADD, 2, 3, 0},  {TAPE_MUL, 4, 2, 0}};
  const tape_op infinite[] = {{TAPE_CONST, 1, 0, 0}, {TAPE_SLOT, 0, 0, 0}, {TAPE_SUB, 0, 1, 0}, {TAPE_DIV, 0, 2, 0}};
  for (int c = 0; c < 2; c++) {
    const net_slot slot = {"X", 0, 0};
    const net_step step = {"feed", 0, 0, 0, {0}, 1, {0}}, other = {"idle", 1, 0, 0, {0}, 1, {0}};
    network_builder *b = net_slots("bad", 1, &slot);
    net_add(b, &other, 0, NULL, 0, NULL, NULL);
    net_add(b, &step, c ? 4 : 6, c ? infinite : negative, 0, NULL, constants);
    ness_network *net = net_finish(b);
    const ssa_kernel *const kernel = ssa_kernel_find(method, net);
    ssa_replica r;
    int32_t bad;
    CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
    ssa_replica_start(&r, net, kernel, 1, 1);
    CHECK(ssa_advance(&r, net, kernel, 1e6, 0, NULL, &bad) == SSA_BAD_RATE);
    CHECK(bad == 2 && r.n[0] == (c ? 3 : 5) && r.t > 0 && r.t < 1e6);
    const ness_simulate_options options = {
        .struct_size = sizeof options, .replicas = 100, .time = 1e6, .method = method};
    ssa_result result;
    ness_diags *diags = ness_diags_create();
    CHECK(ssa_ensemble(net, &options, NULL, NULL, diags, &result) == NESS_NUMERIC);
    CHECK(ness_diags_count(diags, NULL) == 1);
    const char *message = ness_diags_get(diags, 0)->message;
    CHECK(strstr(message, "replica 0:") && strstr(message, "feed") && strstr(message, c ? "X = 3" : "X = 5"));
    CHECK(result.fwd == NULL);
    ness_diags_free(diags);
    ssa_replica_free(&r);
    network_free(net);
  }
}

static void no_allocation(const ness_network *net, const ssa_kernel *kernel)
{
  ssa_replica r;
  int32_t bad;
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  mem_fail_after(0);
  ssa_replica_start(&r, net, kernel, 1, 1);
  CHECK(ssa_advance(&r, net, kernel, INFINITY, 100000, NULL, &bad) == SSA_AT_EVENTS && r.events == 100000);
  ssa_settle(&r, net);
  ssa_rebase(&r, net, kernel);
  ssa_clear(&r, net);
  mem_fail_after(-1);
  ssa_replica_free(&r);
}

int main(void)
{
  static const char *const methods[] = {"direct", "composition"};
  ness_network *nets[] = {net_ring(),        net_fuel(),  net_pairs(),     net_exclusion(),
                          net_birth(6, 0.8), net_tape(3), net_chain(20, 3)};
  const double ends[] = {20, 100, 300, 300, 300, 300, 40};
  for (int i = 0; i < 14; i++) {
    const ness_network *const net = nets[i / 2];
    const ssa_kernel *const kernel = ssa_kernel_find(methods[i % 2], net);
    CHECK(kernel && (kernel == ssa_kernel_find(NULL, net)) == (i % 2 == 0) && !ssa_kernel_find("first", net));
    CHECK_STR(ssa_kernel_name(kernel), methods[i % 2]);
    split_is_whole(net, kernel, ends[i / 2]);
    bookkeeping(net, kernel);
    no_allocation(net, kernel);
    mem_fail_after(0);
    ssa_replica r;
    CHECK(ssa_replica_init(&r, net, kernel) == NESS_NOMEM);
    mem_fail_after(-1);
    ssa_replica_free(&r);
  }
  for (int i = 0; i < 7; i++) network_free(nets[i]);
  ness_network *big = net_chain(600, 4); /* a tree of four levels */
  CHECK_STR(ssa_kernel_name(ssa_kernel_find(NULL, big)), "composition");
  ness_network *huge = net_chain(10000, 4); /* memory is fetched in advance */
  split_is_whole(big, ssa_kernel_find("direct", big), 3);
  split_is_whole(big, ssa_kernel_find("composition", big), 3);
  split_is_whole(huge, ssa_kernel_find("composition", huge), 0.3);
  no_allocation(huge, ssa_kernel_find("composition", huge));
  network_free(big);
  network_free(huge);
  for (int i = 0; i < 2; i++) {
    absorbing(methods[i]);
    bad_rates(methods[i]);
  }
  return check_done();
}
