/* Paths: what is asked of a spec before it runs, and the choice of the kind. Invariant: time never goes back, and an
 * open window holds the present. Cost: a branch a call beside that of the kind. */
#include "engine/motion/path_kinds.h"

#include <math.h>
#include <string.h>

/* --- checks --- */

static ness_status path_refuse(ness_diags *diags, const char *message, const char *hint)
{
  diag_add(diags, NESS_ERROR, "%s", message);
  if (hint) {
    diag_hint(diags, "%s", hint);
  }
  return NESS_USAGE;
}

static bool positive(double x)
{
  return x > 0 && x < (double)INFINITY;
}

static ness_status check_points(const path_spec *spec, ness_diags *diags)
{
  const bool periodic = spec->period != 0;
  if (spec->points < 1 || !spec->time || !spec->value) {
    return path_refuse(diags, "an input by points has none", "give at least one time and value");
  }
  for (int32_t i = 0; i < spec->points; i++) {
    if (!isfinite(spec->time[i]) || !isfinite(spec->value[i])) {
      return path_refuse(diags, "an input by points has a time or value that is no number", NULL);
    }
    if (i > 0 && !(spec->time[i] > spec->time[i - 1])) {
      return path_refuse(diags, "the times of an input by points must ascend", NULL);
    }
  }
  if (periodic && !positive(spec->period)) {
    return path_refuse(diags, "the period of an input must be positive", NULL);
  }
  if (periodic && (spec->time[0] != 0 || !(spec->time[spec->points - 1] < spec->period))) {
    return path_refuse(diags, "the times of a periodic input must begin at 0 and end before the period", NULL);
  }
  return NESS_OK;
}

ness_status path_check(const path_spec *spec, ness_diags *diags)
{
  switch (spec->kind) {
  case PATH_SINE:
    return isfinite(spec->mean) && isfinite(spec->amplitude) && isfinite(spec->phase) && spec->frequency >= 0 &&
                   isfinite(spec->frequency)
               ? NESS_OK
               : path_refuse(diags, "a sine needs finite numbers and a frequency of at least 0", NULL);
  case PATH_STEPS:
  case PATH_LINEAR: return check_points(spec, diags);
  case PATH_OU:
    return isfinite(spec->mean) && positive(spec->sd) && positive(spec->tau) &&
                   (!spec->from_value || isfinite(spec->start))
               ? NESS_OK
               : path_refuse(diags, "an Ornstein-Uhlenbeck input needs a positive sd and tau", NULL);
  case PATH_SHOT:
    if (!isfinite(spec->base) || !isfinite(spec->jump) || spec->jump == 0 || !positive(spec->rate) ||
        !positive(spec->tau) || (spec->from_value && !isfinite(spec->start))) {
      return path_refuse(diags, "shot noise needs a jump, and a positive rate and tau", NULL);
    }
    return spec->from_value || spec->rate * spec->tau <= PATH_SHOT_MOST
               ? NESS_OK
               : path_refuse(diags, "shot noise has too many jumps at a time to start from its stationary law",
                             "an Ornstein-Uhlenbeck input is its limit");
  }
  return path_refuse(diags, "an input of an unknown kind", NULL);
}

/* --- by kind --- */

void path_start(path_state *self, const path_spec *spec, uint64_t seed, int64_t replica, int32_t input)
{
  memset(self, 0, sizeof *self);
  self->spec = spec;
  rng_init(&self->rng, seed, (uint32_t)replica, PATH_PURPOSE + PATH_APART * (uint32_t)input);
  switch (spec->kind) {
  case PATH_SINE: sine_start(self); break;
  case PATH_STEPS:
  case PATH_LINEAR: points_start(self); break;
  case PATH_OU: ou_start(self); break;
  case PATH_SHOT: shot_start(self); break;
  }
}

void path_window(path_state *self, double half)
{
  self->open = true;
  switch (self->spec->kind) {
  case PATH_SINE: sine_window(self, half); break;
  case PATH_STEPS:
  case PATH_LINEAR: points_window(self, half); break;
  case PATH_OU: ou_window(self, half); break;
  case PATH_SHOT: shot_window(self, half); break;
  }
}

bool path_advance(path_state *self, double t)
{
  if (self->spec->kind == PATH_OU) {
    return ou_advance(self, t);
  }
  if (self->spec->kind == PATH_SHOT) {
    return shot_advance(self, t);
  }
  const bool inside = t < self->t_end;
  self->open = inside;
  self->t = inside ? t : self->t_end;
  if (self->spec->kind == PATH_SINE) {
    self->u = sine_value(self->spec, self->t);
  } else if (self->spec->kind == PATH_LINEAR) {
    points_seek(self, self->t);
  } else if (!inside) {
    points_jump(self);
  }
  return inside;
}

void path_go(path_state *self, double t)
{
  self->t = t;
  self->open = false;
  if (self->spec->kind == PATH_SINE) {
    self->u = sine_value(self->spec, t);
  } else {
    points_seek(self, t);
  }
}

double path_corner(const path_state *self)
{
  return self->spec->kind == PATH_SINE ? (double)INFINITY : points_next(self);
}

double path_at(const path_state *self, double t)
{
  return self->spec->kind == PATH_SINE ? sine_value(self->spec, t) : points_value(self, t);
}

double path_speed(const path_state *self, double t)
{
  return self->spec->kind == PATH_SINE ? sine_speed(self->spec, t) : points_speed(self);
}

void path_band(const path_state *self, double from, double to, double *lo, double *hi)
{
  if (self->spec->kind == PATH_SINE) {
    sine_band(self->spec, from, to, lo, hi);
    return;
  }
  const double u = points_value(self, from), v = points_value(self, to);
  *lo = fmin(u, v);
  *hi = fmax(u, v);
}

void path_areas(const path_state *self, double from, double to, double *area, double *area2)
{
  if (self->spec->kind == PATH_SINE) {
    sine_areas(self->spec, from, to, area, area2);
    return;
  }
  const double h = to - from, u = points_value(self, from), v = points_value(self, to);
  *area = 0.5 * h * (u + v);
  *area2 = h * (u * u + u * v + v * v) / 3;
}

double path_pace(const path_spec *spec, double half)
{
  switch (spec->kind) {
  case PATH_SINE:
    return half < 2 * fabs(spec->amplitude) ? SINE_SPEED * fabs(spec->amplitude) * spec->frequency / half : 0;
  case PATH_STEPS:
  case PATH_LINEAR: return points_pace(spec, half);
  case PATH_OU: return ou_pace(spec, half);
  case PATH_SHOT: return shot_pace(spec, half);
  }
  return 0;
}

double path_width(const path_spec *spec)
{
  switch (spec->kind) {
  case PATH_SINE: return 2 * fabs(spec->amplitude);
  case PATH_STEPS: return 0;
  case PATH_LINEAR: return points_range(spec);
  case PATH_OU: return 4 * spec->sd;
  case PATH_SHOT: return 8 * fabs(spec->jump) * (1 + sqrt(spec->rate * spec->tau));
  }
  return 0;
}

void path_skip(path_state *self, double periods)
{
  self->origin += periods * self->spec->period;
  self->t += periods * self->spec->period;
  self->open = false;
}
