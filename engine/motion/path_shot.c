/* Shot noise: u - base decays with tau between jumps, which come at Poisson times. Invariant: next_jump is the time of
 * the first jump behind the present; a window ends when so many jumps have come as its band has room for, or before the
 * decay leaves it. From its stationary law a path starts with all jumps of the last SHOT_PAST tau: older ones are below
 * the rounding of one jump. Cost: an exponential a value and a jump. */
#include "engine/motion/path_kinds.h"

#include <float.h>
#include <math.h>

#define SHOT_PAST 40.0
#define SHOT_ROUNDING 1e-12 /* of a decay in many parts */

static void shot_draw(path_state *self)
{
  self->next_jump = self->t + rng_exp(&self->rng) / self->spec->rate;
}

void shot_start(path_state *self)
{
  const path_spec *spec = self->spec;
  double sum = spec->from_value ? spec->start - spec->base : 0;
  const int64_t past = spec->from_value ? 0 : rng_poisson(&self->rng, SHOT_PAST * spec->tau * spec->rate);
  for (int64_t i = 0; i < past; i++) {
    sum += spec->jump * rng_e(-SHOT_PAST * rng_double(&self->rng));
  }
  self->u = spec->base + sum;
  shot_draw(self);
}

void shot_window(path_state *self, double half)
{
  const path_spec *spec = self->spec;
  const double x = self->u - spec->base, size = fabs(x), room = floor(half / fabs(spec->jump));
  const double left = size > half ? (size - half) / size : 0; /* of x, when the decay has used up its part */
  self->jumps = room < 1 ? 1 : room < 0x1p62 ? (int64_t)room : INT64_MAX;
  const double rise = (double)(self->jumps - 1) * spec->jump; /* the last jump is no longer inside */
  const double late = DBL_EPSILON * self->t / spec->tau;      /* what a time inside may be off by */
  const double rounding = SHOT_ROUNDING * fabs(spec->base) + (SHOT_ROUNDING + late) * (size + fabs(rise));
  self->lo = spec->base + fmin(x, x * left) + fmin(rise, 0) - rounding;
  self->hi = spec->base + fmax(x, x * left) + fmax(rise, 0) + rounding;
  self->t_end = self->t - spec->tau * rng_ln(left); /* inf for 0 */
}

static void shot_decay(path_state *self, double t)
{
  self->u = self->spec->base + (self->u - self->spec->base) * rng_e(-(t - self->t) / self->spec->tau);
  self->t = t;
}

bool shot_advance(path_state *self, double t)
{
  const bool inside = t < self->t_end;
  const double end = inside ? t : self->t_end;
  self->open = inside;
  while (self->next_jump <= end) {
    shot_decay(self, self->next_jump);
    self->u += self->spec->jump;
    shot_draw(self);
    if (--self->jumps == 0) {
      self->open = false;
      return false;
    }
  }
  shot_decay(self, end);
  return inside;
}

double shot_pace(const path_spec *spec, double half)
{
  const double size = fabs(spec->jump), room = fmax(floor(half / size), 1);
  return spec->rate * (1 / room + size / half);
}
