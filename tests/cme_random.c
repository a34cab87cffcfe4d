/* What must hold for every steady state, on 1,000 random networks: probabilities, balance of every state, the closure
 * of work, energy and entropy, cycles that add up to rates and to entropy production; and independent copies against
 * the same network enumerated. */
#include "check.h"
#include "cme_build.h"

static double power_scale; /* sum of p rate |entropy| over all transitions: what rounding is relative to */

static void check_part(const ness_network *net, const cme_part *part)
{
  const size_t n = (size_t)part->q.n;
  double weight = 0;
  for (int32_t i = 0; i < part->q.n; i++) {
    CHECK(part->p[i] >= 0 && (part->p[i] > 0) == (part->classes.of[i] >= 0));
    weight += part->p[i];
  }
  CHECK_NEAR(weight, 1, 1e-14);
  double *const in = mem_zero(n, sizeof *in), *const out = mem_zero(n, sizeof *out);
  double *const scratch = mem_zero((size_t)net->tape_max + 1, sizeof *scratch);
  int64_t *const counts = mem_zero((size_t)net->nslot, sizeof *counts), *const after =
                                                                            mem_zero((size_t)net->nslot, sizeof *after);
  for (int32_t i = 0; i < part->q.n; i++) {
    cme_counts(part, i, counts);
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const double flow = part->p[i] * part->q.rate[e];
      const int64_t back = cme_back(part, i, e);
      const int32_t to = part->q.to[e], dir = part->dir[e];
      CHECK(part->q.rate[e] > 0 && (e == part->q.start[i] || dir > part->dir[e - 1]));
      if (back >= 0) CHECK(cme_back(part, to, back) == e && part->q.to[back] == i);
      in[to] += flow;
      out[i] += flow;
      const double entropy = network_event_entropy(net, dir / 2, dir % 2 ? -1 : 1, counts, after, scratch);
      if (isfinite(entropy)) power_scale += part->scale * flow * fabs(entropy);
    }
  }
  for (int32_t i = 0; i < part->q.n; i++) CHECK(fabs(in[i] - out[i]) <= 1e-13 * out[i]);
  mem_free(in);
  mem_free(out);
  mem_free(scratch);
  mem_free(counts);
  mem_free(after);
}

static void check_network(const ness_network *net, bool one_way)
{
  cme_solution s;
  cme_cycles c;
  solve(net, 0, &s);
  power_scale = 0;
  for (int32_t p = 0; p < s.nparts; p++) check_part(net, &s.parts[p]);
  double work = 0, step_sum = 0;
  for (int32_t w = 0; w < network_sources(net); w++) work += s.source_work[w];
  for (int32_t k = 0; k < net->nstep; k++) step_sum += s.step_entropy[k];
  CHECK(s.closure <= 1e-12 * power_scale);
  CHECK(fabs(s.internal) <= 1e-12 * (power_scale + 1));
  CHECK(one_way || s.one_way_running == -1);
  if (s.one_way_running < 0) {
    CHECK(isfinite(s.entropy) && s.entropy >= -1e-13 * power_scale);
    CHECK(fabs(s.entropy - work) <= 1e-12 * power_scale);
    CHECK(fabs(s.entropy - step_sum) <= 1e-13 * power_scale);
  } else {
    CHECK(isinf(s.entropy) && isinf(s.step_entropy[s.one_way_running]));
    CHECK(isinf(s.source_work[network_sources(net) - 1]) && isfinite(s.source_work[0]));
  }
  CHECK(cme_cycles_find(net, &s, 2000, NULL, &c) == NESS_OK);
  double *const net_rate = mem_zero((size_t)net->nstep, sizeof *net_rate), power = 0;
  for (int64_t i = 0; i < c.count; i++) {
    const cme_cycle *const cycle = &c.cycle[i];
    if (isfinite(cycle->affinity)) power += cycle->net * cycle->affinity;
    for (int32_t k = 0; k < cycle->length; k++) {
      net_rate[cycle->dir[k] / 2] += cycle->dir[k] % 2 ? -cycle->net : cycle->net;
      CHECK(cycle->dir[0] / 2 <= cycle->dir[k] / 2);
      if (cycle->dir[0] / 2 == cycle->dir[k] / 2) { /* where the lowest step recurs, the lowest state decides */
        CHECK(cycle->state[0] <= cycle->state[cycle->dir[k] % 2 ? (k + 1) % cycle->length : k]);
      }
    }
    CHECK(cycle->dir[0] % 2 == 0);
    if (c.complete) CHECK(cycle->forward >= 0 && cycle->backward >= 0);
  }
  if (s.one_way_running < 0) CHECK(fabs(power - s.entropy) <= 1e-11 * power_scale);
  for (int32_t k = 0; k < net->nstep; k++) {
    CHECK(fabs(net_rate[k] - s.net_rate[k]) <= 1e-12 * (s.dir_rate[2 * k] + s.dir_rate[2 * k + 1] + 1e-300));
  }
  mem_free(net_rate);
  cme_cycles_free(&c);
  cme_solution_free(&s);
}

/* The same one-copy steps once by mass action (independent copies) and once with some of the rates as tapes
 * (enumerated).
 */
static void check_copies(uint64_t seed)
{
  enum { SLOTS = 4, STEPS = 5 };
  ness_network *nets[2];
  for (int taped = 0; taped < 2; taped++) {
    uint64_t state = seed;
    for (int i = 0; i < 8; i++) draw(&state);
    network_builder *b = builder_create("copies", 0);
    int32_t slot[SLOTS];
    char name[16];
    for (int i = 0; i < SLOTS; i++) {
      snprintf(name, sizeof name, "S%d", i);
      slot[i] = add_slot(b, name, (int64_t)(3 * draw(&state)), MODEL_NO_MAX);
    }
    for (int i = 0; i < STEPS; i++) {
      const int x = (int)(SLOTS * draw(&state)), y = (x + 1 + (int)((SLOTS - 1) * draw(&state))) % SLOTS;
      const double there = exp(4 * draw(&state) - 2), one_way = draw(&state), back = exp(4 * draw(&state) - 2);
      const double k[2] = {there, one_way < 0.4 ? 0 : back};
      const tape_op forward[3] = {{TAPE_CONST, 0, 0, 0}, {TAPE_SLOT, slot[x], 0, 0}, {TAPE_MUL, 0, 1, 0}};
      const tape_op backward[3] = {{TAPE_CONST, 1, 0, 0}, {TAPE_SLOT, slot[y], 0, 0}, {TAPE_MUL, 0, 1, 0}};
      snprintf(name, sizeof name, "r%d", i);
      const builder_step step = {
          .name = name,
          .text = "",
          .nleft = 1,
          .nright = 1,
          .left = &slot[x],
          .right = &slot[y],
          .law = {LAW_TAPE, k[1] > 0 ? LAW_TAPE : LAW_NONE},
          .nop = {3, k[1] > 0 ? 3 : 0},
          .tape = {forward, backward},
          .constants = k,
          .lnk = (double)NAN,
      };
      if (taped && i % 2 == 0) CHECKED(builder_step_add(b, &step));
      else add_move(b, name, slot[x], slot[y], k[0], k[1]);
    }
    nets[taped] = finish(b);
  }
  cme_solution one, all;
  solve(nets[0], 0, &one);
  solve(nets[1], 0, &all);
  for (int i = 0; i < SLOTS; i++) {
    CHECK(fabs(one.mean[i] - all.mean[i]) <= 1e-13 * (one.mean[i] + 1e-300));
    CHECK(fabs(one.var[i] - all.var[i]) <= 1e-12 * (one.var[i] + 1e-15));
  }
  for (int k = 0; k < STEPS; k++) {
    CHECK(fabs(one.net_rate[k] - all.net_rate[k]) <= 1e-13 * (one.dir_rate[2 * k] + one.dir_rate[2 * k + 1]));
    CHECK(fabs(one.dir_rate[2 * k] - all.dir_rate[2 * k]) <= 1e-13 * one.dir_rate[2 * k]);
  }
  if (isfinite(one.entropy)) {
    CHECK_NEAR(one.entropy, all.entropy, 1e-11);
    CHECK_NEAR(one.source_work[0], all.source_work[0], 1e-11); /* nothing is declared: this is all the work */
    CHECK(one.closure <= 1e-12 && all.closure <= 1e-12 * (1 + all.entropy));
  } else {
    CHECK(isinf(all.entropy));
  }
  cme_solution_free(&one);
  cme_solution_free(&all);
  network_free(nets[0]);
  network_free(nets[1]);
}

int main(void)
{
  for (uint64_t seed = 0; seed < 1000; seed++) {
    ness_network *net = reaction_network(seed * 104729 + 5, seed % 2, 0);
    check_network(net, seed % 2);
    network_free(net);
  }
  for (uint64_t seed = 0; seed < 200; seed++) check_copies(seed * 15485863 + 1);
  return check_done();
}
