/* What holds for every network, on 1,000 random ones: counts stay in range, propensities are the falling factorials,
 * dependencies cover every change, and entropy is free energy and work along every event. */
#include "check.h"
#include "model_sample.h"

#define NETWORKS 1000

static int reversible_events, capped, tapes, undeclared;

static double plain_propensity(const ness_network *net, int32_t dir, const int64_t *n)
{
  double value = net->dir_k[dir];
  for (int32_t c = net->change_start[dir / 2]; c < net->change_start[dir / 2 + 1]; c++) {
    const int32_t slot = net->change_slot[c];
    const int64_t after = n[slot] + (dir % 2 ? -1 : 1) * net->change_by[c];
    if (after < 0 || after > net->slot_max[slot]) {
      return 0;
    }
  }
  if (net->dir_law[dir] == LAW_TAPE) { /* the one shape that the sample makes: c + c * n */
    const tape_op *op = net->tape + net->tape_start[dir];
    const double c = net->tape_const[op[0].a];
    return c * (double)n[op[1].a] + c;
  }
  for (int32_t r = net->react_start[dir]; r < net->react_start[dir + 1]; r++) {
    for (int32_t j = 0; j < net->react_mult[r]; j++) {
      value *= fmax(0, (double)(n[net->react_slot[r]] - j));
    }
  }
  return value;
}

static bool depends(const ness_network *net, int32_t step, int32_t dir)
{
  for (int32_t k = net->dep_start[step]; k < net->dep_start[step + 1]; k++) {
    if (net->dep_dir[k] == dir) {
      return true;
    }
  }
  return false;
}

static void check_event(const ness_network *net, int32_t dir, const int64_t *n)
{
  const int32_t step = dir / 2;
  const int way = dir % 2 ? -1 : 1;
  int64_t after[16], room[16];
  double scratch[16];
  memcpy(after, n, sizeof after);
  bool in_range = true;
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t slot = net->change_slot[c];
    after[slot] += way * net->change_by[c];
    in_range = in_range && after[slot] >= 0 && after[slot] <= net->slot_max[slot];
    capped += net->slot_max[slot] != MODEL_NO_MAX;
  }
  CHECK(in_range);
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    if (!depends(net, step, d)) {
      CHECK(network_propensity(net, d, n, scratch) == network_propensity(net, d, after, scratch));
    }
  }
  const double change = network_free_energy_change(net, step, way, n);
  CHECK_NEAR(change, network_free_energy(net, after) - network_free_energy(net, n), 1e-12);
  const double forth = network_event_entropy(net, step, way, n, room, scratch);
  const double back = network_propensity(net, dir ^ 1, after, scratch);
  if (back == 0) {
    CHECK(forth == INFINITY);
    return;
  }
  CHECK_NEAR(forth, log(network_propensity(net, dir, n, scratch) / back), 1e-12);
  CHECK_NEAR(forth, -network_event_entropy(net, step, -way, after, room, scratch), 1e-12);
  if (net->dir_law[dir] == LAW_MASS && net->dir_law[dir ^ 1] == LAW_MASS) {
    double work = 0;
    for (int32_t w = net->work_start[step]; w < net->work_start[step + 1]; w++) {
      work += way * net->work_kt[w];
      undeclared += net->work_src[w] == net->nres + net->nvolt && net->work_kt[w] != 0;
    }
    CHECK_NEAR(forth, work - change, 1e-12);
    reversible_events++;
  }
}

static void check_network(const ness_network *net, rng_stream *rng)
{
  double scratch[16];
  for (int32_t s = 0; s < net->nstep; s++) {
    for (int32_t k = net->dep_start[s] + 1; k < net->dep_start[s + 1]; k++) {
      CHECK(net->dep_dir[k - 1] < net->dep_dir[k]);
    }
    const int32_t source = net->work_start[s + 1] - 1;
    if (net->dir_law[2 * s] == LAW_MASS && net->dir_law[2 * s + 1] == LAW_MASS) {
      CHECK(source >= net->work_start[s] && net->work_src[source] == net->nres + net->nvolt);
      /* Either nothing or something worth the name is left over: never rounding. */
      CHECK(net->work_kt[source] == 0 || fabs(net->work_kt[source]) > 1e-10);
    }
  }
  for (int i = 0; i < 10; i++) {
    int64_t n[16] = {0};
    for (int32_t k = 0; k < net->nslot; k++) {
      const int64_t max = net->slot_max[k] < 8 ? net->slot_max[k] : 8;
      n[k] = sample_below(rng, (int32_t)max + 1);
    }
    for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
      const double value = network_propensity(net, dir, n, scratch);
      tapes += net->dir_law[dir] == LAW_TAPE && value > 0;
      CHECK_NEAR(value, plain_propensity(net, dir, n), 1e-13);
      if (value > 0) {
        check_event(net, dir, n);
      }
    }
  }
}

int main(void)
{
  rng_stream rng;
  rng_init(&rng, 20, 0, 0);
  for (int i = 0; i < NETWORKS; i++) {
    ness_network *net = sample_random(&rng);
    CHECK(net != NULL);
    if (net) {
      check_network(net, &rng);
    }
    network_free(net);
  }
  CHECK(reversible_events > 10000 && capped > 10000 && tapes > 5000 && undeclared > 5000); /* the sample has it all */
  return check_done();
}
