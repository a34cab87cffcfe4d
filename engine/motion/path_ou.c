/* The Ornstein-Uhlenbeck input, exactly and without a step. In the clock s(t) = sd^2 (exp(2 (t - t0)/tau) - 1) the
 * process Y = (u - mean) exp((t - t0)/tau) is Brownian motion (Doob 1942). A window is a layer |Y - y| <= a around the
 * present y: its exit time is drawn, and the band of u follows from the corners of the layer. A value inside is drawn
 * from the law of Y given that no exit has come; after it a new layer begins and the exit time is forgotten, since
 * nothing but {no exit} was used. The clock begins anew with every layer, so nothing overflows.
 * Invariant: a layer lasts no longer than OU_CAP a^2 of its clock, which bounds both the tries of a value and the drift
 * in a window. The width of layers does not enter the law. Cost: a window about 70 ns, a value about 60 ns. */
#include "engine/motion/brownian.h"
#include "engine/motion/path_kinds.h"

#include <float.h>
#include <math.h>

#define OU_CAP 2.0
#define OU_ROUNDING 1e-14 /* of the corners: some operations of each */

void ou_start(path_state *self)
{
  const path_spec *spec = self->spec;
  self->u = spec->from_value ? spec->start : spec->mean + spec->sd * rng_normal(&self->rng);
}

/* Clock to time and back, both from the start of the layer; the clock in units of sd^2. */
static double ou_time(const path_spec *spec, double clock)
{
  return 0.5 * spec->tau * rng_ln1p(clock);
}

static double ou_clock(const path_spec *spec, double t)
{
  return path_expm1(2 * t / spec->tau);
}

void ou_window(path_state *self, double half)
{
  const path_spec *spec = self->spec;
  const double y = self->u - spec->mean, unit = half / spec->sd;
  const double exit = brownian_exit(&self->rng), cap = OU_CAP * unit * unit;
  const double shrink = 1 / sqrt(1 + cap); /* u - mean = Y exp(-(t - t0)/tau) */
  const double low = y - half, high = y + half;
  const double late = DBL_EPSILON * self->t / spec->tau; /* what a time inside may be off by */
  const double rounding = OU_ROUNDING * fabs(spec->mean) + (OU_ROUNDING + late) * (fabs(y) + half);
  self->layer_start = self->t;
  self->layer_y = y;
  self->layer_a = half;
  self->layer_exit = exit;
  self->lo = spec->mean + (low < 0 ? low : low * shrink) - rounding;
  self->hi = spec->mean + (high > 0 ? high : high * shrink) + rounding;
  self->t_end = self->t + ou_time(spec, (exit < OU_CAP ? exit : OU_CAP) * unit * unit);
}

/* The present becomes that place of the layer, in units of its half width, at that clock in units of sd^2. */
static void ou_place(path_state *self, double t, double place, double clock)
{
  self->t = t;
  self->u = self->spec->mean + (self->layer_y + self->layer_a * place) / sqrt(1 + clock);
  self->open = false;
}

bool ou_advance(path_state *self, double t)
{
  const path_spec *spec = self->spec;
  const double unit = self->layer_a / spec->sd;
  if (t < self->t_end) {
    const double clock = ou_clock(spec, t - self->layer_start);
    ou_place(self, t, brownian_inside(&self->rng, clock / (unit * unit)), clock);
    return true;
  }
  const double end = fmin(self->layer_exit, OU_CAP);
  const double place = end < OU_CAP ? (rng_next(&self->rng) >> 63 ? 1 : -1) : brownian_inside(&self->rng, OU_CAP);
  ou_place(self, self->t_end, place, end * unit * unit);
  return false;
}

double ou_pace(const path_spec *spec, double half)
{
  const double unit = half / spec->sd;
  return 1 / ou_time(spec, 0.9 * unit * unit); /* 0.9: the mean of an exit time under the cap */
}
