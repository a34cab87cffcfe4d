/* Inputs by points: steps and straight lines, with or without a period. Invariant: the cursor `at` is the last point at
 * or before the present, -1 before the first, and `origin` the start of the present period; a value between two points
 * is computed by operations that are each monotone, so that the values at the ends of a window bound those inside. Near
 * the end of the times a double can tell, a window may be shorter than a segment, never empty for ever: the cursor goes
 * on with the window's end. Cost: constant a window; a band of the whole range has no end, and a value in it costs the
 * points passed, at most all of them. */
#include "engine/motion/path_kinds.h"

#include <math.h>

static double points_extreme(const path_spec *spec, int sign)
{
  double most = spec->value[0];
  for (int32_t i = 1; i < spec->points; i++) {
    most = sign > 0 ? fmax(most, spec->value[i]) : fmin(most, spec->value[i]);
  }
  return most;
}

double points_range(const path_spec *spec)
{
  return points_extreme(spec, 1) - points_extreme(spec, -1);
}

/* Whether the segment of the cursor is level. */
static bool points_level(const path_state *self)
{
  return self->spec->kind == PATH_STEPS || self->at < 0 || points_next(self) == (double)INFINITY;
}

/* What the segment of the cursor rises by, and how long it takes. */
static double points_rise(const path_state *self, double *length)
{
  const path_spec *spec = self->spec;
  const int32_t i = self->at;
  const bool last = i + 1 == spec->points;
  *length = (last ? spec->period : spec->time[i + 1]) - spec->time[i];
  return spec->value[last ? 0 : i + 1] - spec->value[i];
}

double points_value(const path_state *self, double t)
{
  const path_spec *spec = self->spec;
  const int32_t i = self->at < 0 ? 0 : self->at;
  if (points_level(self)) {
    return spec->value[i];
  }
  double length;
  const double rise = points_rise(self, &length);
  const double share = (t - (self->origin + spec->time[i])) / length;
  return spec->value[i] + rise * fmin(fmax(share, 0), 1);
}

double points_speed(const path_state *self)
{
  double length;
  if (points_level(self)) {
    return 0;
  }
  const double rise = points_rise(self, &length);
  return rise / length;
}

void points_seek(path_state *self, double t)
{
  const double period = self->spec->period;
  if (period > 0 && t - self->origin > 2 * period) { /* far away: no need to pass every point */
    self->origin += (floor((t - self->origin) / period) - 1) * period;
    self->at = 0;
  }
  while (points_next(self) <= t) {
    points_step(self);
  }
  self->u = points_value(self, t);
}

void points_jump(path_state *self)
{
  points_step(self);
  self->u = self->spec->value[self->at];
}

void points_start(path_state *self)
{
  self->at = -1;
  points_seek(self, 0);
}

/* The end of the segment, or where a straight line has gone half the band. */
void points_window(path_state *self, double half)
{
  const path_spec *spec = self->spec;
  const double next = points_next(self);
  self->lo = self->hi = self->u;
  steps_window(self);
  if (spec->kind == PATH_STEPS || next == (double)INFINITY || self->at < 0) {
    return;
  }
  if (half >= points_range(spec)) {
    self->lo = points_extreme(spec, -1);
    self->hi = points_extreme(spec, 1);
    self->t_end = (double)INFINITY;
    return;
  }
  const double end = spec->value[self->at + 1 == spec->points ? 0 : self->at + 1];
  const double rise = fabs(end - self->u);
  double u_end = end;
  if (rise > half) {
    const double t = self->t + (next - self->t) * (half / rise);
    if (t > self->t) {
      self->t_end = t;
      u_end = points_value(self, t);
    }
  }
  self->lo = fmin(self->u, u_end);
  self->hi = fmax(self->u, u_end);
}

double points_pace(const path_spec *spec, double half)
{
  const int32_t n = spec->points;
  double way = spec->period > 0 ? fabs(spec->value[0] - spec->value[n - 1]) : 0;
  const double span = spec->period > 0 ? spec->period : spec->time[n - 1] - spec->time[0];
  for (int32_t i = 1; i < n; i++) {
    way += fabs(spec->value[i] - spec->value[i - 1]);
  }
  if (!(span > 0) || (spec->kind == PATH_LINEAR && half >= points_range(spec))) {
    return 0;
  }
  return (spec->kind == PATH_LINEAR ? n + way / half : n) / span;
}
