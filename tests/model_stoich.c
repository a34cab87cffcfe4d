/* Cycles and conservation laws: known answers, invariants on 1,000 random networks against a plain dense rank, numbers
 * that do not fit, and the time that a thousand steps over a thousand slots take. */
#include "check.h"
#include "engine/model/stoich.h"
#include "model_sample.h"

#include <time.h>

static ness_network *chain_network(const int32_t (*pairs)[2], int32_t count, int32_t nslot)
{
  ness_network *net = NULL;
  network_builder *b = builder_create("chain", 0);
  for (int32_t i = 0; i < nslot; i++) {
    builder_slot(b, "n", 0, MODEL_NO_MAX, 0, 0, -1, -1);
  }
  for (int32_t s = 0; s < count; s++) {
    builder_step_add(b, &(builder_step){.name = "s",
                                        .nleft = pairs[s][0] >= 0,
                                        .left = &pairs[s][0],
                                        .nright = pairs[s][1] >= 0,
                                        .right = &pairs[s][1],
                                        .law = {LAW_MASS, LAW_MASS},
                                        .k = {1, 1},
                                        .lnk = (double)NAN});
  }
  CHECK(builder_finish(b, NULL, &net) == NESS_OK);
  builder_free(b);
  return net;
}

static void check_vector(const stoich_basis *basis, int32_t c, const char *expected)
{
  char found[256] = "";
  size_t at = 0;
  for (int32_t k = basis->start[c]; k < basis->start[c + 1] && at < 200; k++) {
    at += (size_t)snprintf(found + at, sizeof found - at, "%s%lld*%d", at ? " " : "", (long long)basis->by[k],
                           basis->id[k]);
  }
  CHECK_STR(found, expected);
}

static void test_known(void)
{
  stoich_basis cycles, laws;
  /* Two triangles that share an edge, a doubled edge, and a slot open to the outside by two ways. */
  const int32_t graph[][2] = {{0, 1}, {1, 2}, {2, 0}, {3, 1}, {2, 3}, {0, 1}, {4, -1}, {-1, 4}};
  ness_network *net = chain_network(graph, 8, 5);
  CHECK(stoich_cycles(net, &cycles) == NESS_OK && stoich_laws(net, &laws) == NESS_OK);
  CHECK(cycles.count == 4 && laws.count == 1);
  if (cycles.count == 4 && laws.count == 1) {
    check_vector(&cycles, 0, "1*0 1*1 1*2");
    check_vector(&cycles, 1, "1*1 1*3 1*4");
    check_vector(&cycles, 2, "1*0 -1*5");
    check_vector(&cycles, 3, "1*6 1*7");
    check_vector(&laws, 0, "1*0 1*1 1*2 1*3");
  }
  stoich_free(&cycles);
  stoich_free(&laws);
  network_free(net);

  /* 2A <-> B, A <-> C, B <-> D, 2C <-> D: multiplicities, and a step that changes nothing. */
  net = NULL;
  network_builder *b = builder_create("dimer", 0);
  for (int i = 0; i < 4; i++) {
    builder_slot(b, "n", 0, MODEL_NO_MAX, 0, 0, -1, -1);
  }
  static const int32_t lists[][4] = {{2, 0, 0, 1}, {1, 0, 0, 2}, {1, 1, 0, 3}, {2, 2, 2, 3}, {1, 3, 0, 3}};
  for (int i = 0; i < 5; i++) {
    builder_step_add(b, &(builder_step){.name = "s",
                                        .nleft = lists[i][0],
                                        .left = &lists[i][1],
                                        .nright = 1,
                                        .right = &lists[i][3],
                                        .law = {LAW_MASS, LAW_MASS},
                                        .k = {1, 1},
                                        .lnk = (double)NAN});
  }
  CHECK(builder_finish(b, NULL, &net) == NESS_OK);
  CHECK(stoich_cycles(net, &cycles) == NESS_OK && stoich_laws(net, &laws) == NESS_OK);
  CHECK(cycles.count == 2 && laws.count == 1);
  if (cycles.count == 2 && laws.count == 1) {
    check_vector(&cycles, 0, "1*0 -2*1 1*2 -1*3");
    check_vector(&cycles, 1, "1*4");
    check_vector(&laws, 0, "1*0 2*1 1*2 2*3");
  }
  stoich_free(&cycles);
  stoich_free(&laws);
  network_free(net);
  builder_free(b);
  net = chain_network(graph, 0, 0);
  CHECK(stoich_cycles(net, &cycles) == NESS_OK && cycles.count == 0 && cycles.start[0] == 0);
  CHECK(stoich_laws(net, &laws) == NESS_OK && laws.count == 0);
  stoich_free(&cycles);
  stoich_free(&laws);
  network_free(net);
}

/* Rank by plain elimination modulo a small prime that no minor of these small matrices is a multiple of by more than
 * chance: an independent way to the same number. */
static int32_t dense_rank(const ness_network *net)
{
  enum { PRIME = 1000003 };
  static int64_t m[64][64];
  memset(m, 0, sizeof m);
  for (int32_t s = 0; s < net->nstep; s++) {
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      m[s][net->change_slot[c]] = (net->change_by[c] + PRIME) % PRIME;
    }
  }
  int32_t rank = 0;
  for (int32_t col = 0; col < net->nslot; col++) {
    int32_t row = rank;
    while (row < net->nstep && m[row][col] == 0) {
      row++;
    }
    if (row == net->nstep) {
      continue;
    }
    for (int32_t j = 0; j < net->nslot; j++) {
      const int64_t keep = m[row][j];
      m[row][j] = m[rank][j];
      m[rank][j] = keep;
    }
    for (int32_t i = rank + 1; i < net->nstep; i++) {
      const int64_t a = m[rank][col], f = m[i][col];
      for (int32_t j = 0; j < net->nslot; j++) {
        m[i][j] = ((m[i][j] * a - m[rank][j] * f) % PRIME + PRIME) % PRIME;
      }
    }
    rank++;
  }
  return rank;
}

/* Primitive, ascending, positive first, and the last id stands in no other vector. */
static void check_shape(const stoich_basis *basis, int32_t limit)
{
  for (int32_t c = 0; c < basis->count; c++) {
    const int32_t first = basis->start[c], end = basis->start[c + 1];
    int64_t divisor = 0;
    bool good = first < end && basis->by[first] > 0 && basis->id[first] >= 0 && basis->id[end - 1] < limit;
    for (int32_t k = first; k < end && good; k++) {
      good = basis->by[k] != 0 && (k == first || basis->id[k] > basis->id[k - 1]);
      int64_t a = divisor, b = llabs(basis->by[k]);
      while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
      }
      divisor = a;
    }
    CHECK(good && divisor == 1);
    int32_t holders = 0;
    for (int32_t k = 0; k < basis->start[basis->count]; k++) {
      holders += basis->id[k] == basis->id[end - 1];
    }
    CHECK(holders == 1);
  }
}

static int entropies;

static void check_cycles(const ness_network *net, const stoich_basis *cycles)
{
  for (int32_t c = 0; c < cycles->count; c++) {
    int64_t sum[64] = {0};
    double lnk = 0, work = 0;
    for (int32_t k = cycles->start[c]; k < cycles->start[c + 1]; k++) {
      const int32_t step = cycles->id[k];
      for (int32_t e = net->change_start[step]; e < net->change_start[step + 1]; e++) {
        sum[net->change_slot[e]] += cycles->by[k] * net->change_by[e];
      }
      for (int32_t w = net->work_start[step]; w < net->work_start[step + 1]; w++) {
        work += (double)cycles->by[k] * net->work_kt[w];
      }
      lnk += (double)cycles->by[k] * net->step_lnk[step];
    }
    for (int32_t i = 0; i < net->nslot; i++) {
      CHECK(sum[i] == 0);
    }
    if (isfinite(lnk)) { /* round a cycle the energies cancel: what is left is the work */
      CHECK(fabs(lnk - work) < 1e-9 * (1 + fabs(lnk)));
      entropies++;
    }
  }
}

static void check_laws(const ness_network *net, const stoich_basis *laws)
{
  for (int32_t c = 0; c < laws->count; c++) {
    int64_t weight[64] = {0};
    for (int32_t k = laws->start[c]; k < laws->start[c + 1]; k++) {
      weight[laws->id[k]] = laws->by[k];
    }
    for (int32_t s = 0; s < net->nstep; s++) {
      int64_t sum = 0;
      for (int32_t e = net->change_start[s]; e < net->change_start[s + 1]; e++) {
        sum += weight[net->change_slot[e]] * net->change_by[e];
      }
      CHECK(sum == 0);
    }
  }
}

static void test_random(void)
{
  rng_stream rng;
  rng_init(&rng, 21, 0, 0);
  for (int i = 0; i < 1000; i++) {
    ness_network *net = sample_random(&rng);
    stoich_basis cycles, laws;
    CHECK(stoich_cycles(net, &cycles) == NESS_OK && stoich_laws(net, &laws) == NESS_OK);
    const int32_t rank = dense_rank(net);
    CHECK(cycles.count + rank == net->nstep);
    CHECK(laws.count + rank == net->nslot);
    check_shape(&cycles, net->nstep);
    check_shape(&laws, net->nslot);
    check_cycles(net, &cycles);
    check_laws(net, &laws);
    stoich_free(&cycles);
    stoich_free(&laws);
    network_free(net);
  }
  CHECK(entropies > 500);
}

/* n_i <-> 3 n_(i+1) for `length` steps, and one that closes the ring: its cycle needs 3^length. */
static void test_range(void)
{
  for (int32_t length = 5; length <= 25; length += 20) {
    ness_network *net = NULL;
    stoich_basis cycles;
    network_builder *b = builder_create("powers", 0);
    for (int32_t i = 0; i <= length; i++) {
      builder_slot(b, "n", 0, MODEL_NO_MAX, 0, 0, -1, -1);
    }
    for (int32_t i = 0; i < length; i++) {
      builder_step_add(b, &(builder_step){.name = "s",
                                          .nleft = 1,
                                          .left = &i,
                                          .nright = 3,
                                          .right = (const int32_t[]){i + 1, i + 1, i + 1},
                                          .law = {LAW_MASS, LAW_NONE},
                                          .k = {1, 0},
                                          .lnk = (double)NAN});
    }
    const int32_t zero = 0;
    builder_step_add(
        b,
        &(builder_step){
            .name = "in", .nright = 1, .right = &zero, .law = {LAW_MASS, LAW_NONE}, .k = {1, 0}, .lnk = (double)NAN});
    builder_step_add(
        b,
        &(builder_step){
            .name = "out", .nleft = 1, .left = &length, .law = {LAW_MASS, LAW_NONE}, .k = {1, 0}, .lnk = (double)NAN});
    CHECK(builder_finish(b, NULL, &net) == NESS_OK);
    const ness_status status = stoich_cycles(net, &cycles);
    if (length == 5) {
      CHECK(status == NESS_OK && cycles.count == 1 && cycles.by[cycles.start[1] - 1] == 243);
    } else { /* 3^25 is beyond what the reconstruction promises: refused, never wrong */
      CHECK(status == NESS_NUMERIC && cycles.count == 0 && cycles.start == NULL);
    }
    stoich_free(&cycles);
    network_free(net);
    builder_free(b);
  }
}

static void test_speed(void)
{
  enum { SIDE = 22, SLOTS = SIDE * SIDE };
  static int32_t grid[2 * SLOTS][2];
  int32_t count = 0;
  for (int32_t i = 0; i < SIDE; i++) {
    for (int32_t j = 0; j < SIDE; j++) {
      if (j + 1 < SIDE) {
        grid[count][0] = i * SIDE + j;
        grid[count++][1] = i * SIDE + j + 1;
      }
      if (i + 1 < SIDE) {
        grid[count][0] = i * SIDE + j;
        grid[count++][1] = (i + 1) * SIDE + j;
      }
    }
  }
  ness_network *net = chain_network(grid, count, SLOTS);
  stoich_basis cycles, laws;
  const clock_t begin = clock();
  CHECK(stoich_cycles(net, &cycles) == NESS_OK && stoich_laws(net, &laws) == NESS_OK);
  CHECK((double)(clock() - begin) / CLOCKS_PER_SEC < 3); /* milliseconds, but sanitizers and busy machines */
  CHECK(cycles.count == (SIDE - 1) * (SIDE - 1) && laws.count == 1);
  CHECK(cycles.start[cycles.count] < cycles.count * 2 * SIDE); /* a turn through the tree, not through everything */
  stoich_free(&cycles);
  stoich_free(&laws);
  network_free(net);
}

static void test_memory(void)
{
  ness_status made;
  ness_network *net = sample_carrier(NULL, &made);
  int64_t after = 0;
  for (bool clean = false; !clean && after < 1000; after++) {
    stoich_basis cycles, laws;
    mem_fail_after(after);
    const ness_status a = stoich_cycles(net, &cycles), b = stoich_laws(net, &laws);
    mem_fail_after(-1);
    CHECK((a == NESS_OK) == (cycles.start != NULL) && (b == NESS_OK) == (laws.start != NULL));
    CHECK((!a || a == NESS_NOMEM) && (!b || b == NESS_NOMEM));
    clean = !a && !b;
    stoich_free(&cycles);
    stoich_free(&laws);
  }
  CHECK(after > 20 && after < 1000);
  network_free(net);
}

int main(void)
{
  test_known();
  test_random();
  test_range();
  test_speed();
  test_memory();
  return check_done();
}
