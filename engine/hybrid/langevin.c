/* The chemical Langevin equation (Gillespie, J. Chem. Phys. 113, 297 (2000)): every direction flows with noise of its
 * own, of variance rate times step; steps that the file lets flow have none. Approximate, of weak order 1 in the step,
 * and of its nature: it takes counts for large. Method: Euler and Maruyama with the drift of the midpoint rule. A step
 * changes each slot by no more than LANGEVIN_SHARE of it, in the mean and in the standard deviation. Slots may fall
 * below 0 by noise; rates read them as 0 there, so that only what fills them goes on. */
#include "engine/hybrid/parts.h"

#include <math.h>
#include <string.h>

#define LANGEVIN_SHARE 0.01
#define LANGEVIN_FEW 100.0   /* counts: below, one a step may come or go */
#define LANGEVIN_RANGE 100.0 /* of a variable's scale: what its changes are small beside */

static double slot_size(const hybrid_net *net, int32_t r, double x)
{
  const double least = net->net->slot_var[net->real[r]] >= 0 ? LANGEVIN_RANGE * net->scale[r] : LANGEVIN_FEW;
  return LANGEVIN_SHARE * fmax(fabs(x), least);
}

static bool is_noisy(const hybrid_net *net, int32_t f)
{
  return net->net->step_flow[net->flow[f].dir / 2] == FLOW_NONE;
}

/* The longest step in which every slot keeps about its size; `area` is scratch for variances. */
static double step_length(hybrid_replica *self, const hybrid_net *net)
{
  const flow_stage *const at = &self->stage[0];
  double *const variance = self->step.area;
  double h = (double)INFINITY;
  for (int32_t r = 0; r < net->nreal; r++) variance[r] = 0;
  for (int32_t f = 0; f < net->nflow; f++) {
    for (int32_t c = net->flow[f].change; is_noisy(net, f) && c < net->flow[f].change_end; c++) {
      variance[net->change[c].real] += net->change[c].by * net->change[c].by * at->rate[f];
    }
  }
  for (int32_t r = 0; r < net->nreal; r++) {
    const double size = slot_size(net, r, at->x[r]);
    if (at->dx[r] != 0) h = fmin(h, size / fabs(at->dx[r]));
    if (variance[r] > 0) h = fmin(h, size * size / variance[r]);
  }
  return h;
}

hybrid_pause langevin_try(hybrid_replica *self, const hybrid_net *net, double most)
{
  const flow_stage *const at = &self->stage[0];
  flow_stage *const mid = &self->stage[1], *const middle = &self->stage[2];
  flow_step *const step = &self->step;
  const double h = fmin(most, step_length(self, net));
  if (self->t + h == self->t && h < most) {
    self->at = net->real[0];
    return HYBRID_BLOWS_UP;
  }
  for (int32_t r = 0; r < net->nreal; r++) mid->x[r] = at->x[r] + 0.5 * h * at->dx[r];
  if (!flow_right(self, net, mid, self->t + 0.5 * h)) return HYBRID_BAD_RATE;
  memcpy(step->x, at->x, (size_t)net->nreal * sizeof *step->x);
  for (int32_t f = 0; f < net->nflow; f++) {
    const double noise = is_noisy(net, f) ? sqrt(at->rate[f] * h) * rng_normal(&self->rng) : 0;
    step->flux[f] = h * mid->rate[f] + noise;
    for (int32_t c = net->flow[f].change; c < net->flow[f].change_end; c++) {
      step->x[net->change[c].real] += net->change[c].by * step->flux[f];
    }
  }
  for (int32_t r = 0; r < net->nreal; r++) {
    middle->x[r] = 0.5 * (at->x[r] + step->x[r]);
    step->area[r] = h * middle->x[r];
    step->area2[r] = 0.5 * h * (at->x[r] * at->x[r] + step->x[r] * step->x[r]);
  }
  step->h = h;
  flow_inputs(self, net);
  step->end_known = false;
  step->nodes = 1;
  step->node[0] = (flow_node){2, h};
  const bool asked = net->nforced > 0 || net->npaid > 0;
  return !asked || flow_right(self, net, middle, self->t + 0.5 * h) ? HYBRID_AT_TIME : HYBRID_BAD_RATE;
}
