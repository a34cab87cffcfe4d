/* Laws of propensities, sorted into kinds once so that no kernel has to look at a network while it runs. Cost: one pass
 * over the reactants and guards of a direction. */
#include "engine/ssa/rate.h"

bool rate_open(const ness_network *net, int32_t dir)
{
  return net->dir_law[dir] == LAW_TAPE || (net->dir_law[dir] == LAW_MASS && net->dir_k[dir] != 0);
}

rate_law rate_compile(const ness_network *net, int32_t dir, int32_t leaf)
{
  rate_law r = {{net->dir_k[dir], net->nslot, net->nslot, leaf, 0, RATE_CALL}, dir, net->nslot, 0, 0, MODEL_NO_MAX};
  int32_t slot[3] = {net->nslot, net->nslot, net->nslot}, shift[3] = {0, 0, 0}, order = 0;
  if (net->dir_law[dir] != LAW_MASS) {
    return r;
  }
  for (int32_t i = net->react_start[dir]; i < net->react_start[dir + 1]; i++) {
    for (int32_t m = 0; m < net->react_mult[i]; m++) {
      if (order == 3) {
        return r;
      }
      slot[order] = net->react_slot[i];
      shift[order++] = -m;
    }
  }
  int32_t guards = 0, guard = -1;
  for (int32_t g = net->guard_start[dir]; g < net->guard_start[dir + 1]; g++) {
    int32_t taken = 0;
    for (int32_t j = 0; j < order; j++) {
      taken += slot[j] == net->guard_slot[g];
    }
    if (net->guard_low[g] > taken || net->guard_high[g] < MODEL_NO_MAX) {
      guards++;
      guard = g;
    }
  }
  if (guards > 1 || (guards == 1 && order == 3)) {
    return r;
  }
  /* Of the factors the first has shift 0: the multiplicities of a slot follow each other from 0 on. */
  r.quad.a = slot[0];
  r.quad.b = slot[1];
  r.quad.shift_b = (int16_t)shift[1];
  r.quad.kind = order == 3 ? RATE_CUBE : RATE_QUAD;
  if (order == 3) {
    r.c = slot[2];
    r.shift_c = shift[2];
  }
  if (guards == 1) {
    r.quad.kind = RATE_GATED;
    r.c = net->guard_slot[guard];
    r.low = net->guard_low[guard];
    r.high = net->guard_high[guard];
  }
  return r;
}
