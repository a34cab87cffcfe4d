/* Inside the room: the kinds of paths, as path.c calls them. */
#ifndef ENGINE_MOTION_PATH_KINDS_H
#define ENGINE_MOTION_PATH_KINDS_H

#include "engine/motion/path.h"

#include <math.h>

#define SINE_SPEED 6.2831853071795865 /* 2 pi: the largest slope of a sine, by amplitude and frequency */
#define PATH_SHOT_MOST 1e5            /* rate tau of a shot that starts from its stationary law */

/* sin(2 pi x), within 1 ulp of 1, for |x| < 2^51. */
double path_sine(double turns);
/* exp(x) - 1 without cancellation. */
double path_expm1(double x);

void sine_start(path_state *self);
void sine_window(path_state *self, double half);
double sine_value(const path_spec *spec, double t);
double sine_speed(const path_spec *spec, double t);
void sine_band(const path_spec *spec, double from, double to, double *lo, double *hi);
void sine_areas(const path_spec *spec, double from, double to, double *area, double *area2);

/* Steps and linear: both by a cursor over the points. */
void points_start(path_state *self);
void points_window(path_state *self, double half);
void points_seek(path_state *self, double t); /* the cursor and u */
void points_jump(path_state *self);           /* steps: to the next value */
double points_value(const path_state *self, double t);
double points_speed(const path_state *self);
double points_range(const path_spec *spec);
double points_pace(const path_spec *spec, double half);

/* Where the segment ends; infinite: never. */
static inline double points_next(const path_state *self)
{
  const path_spec *spec = self->spec;
  if (self->at + 1 < spec->points) {
    return self->origin + spec->time[self->at + 1];
  }
  return spec->period > 0 ? self->origin + spec->period : (double)INFINITY;
}

static inline void points_step(path_state *self)
{
  self->at++;
  if (self->at == self->spec->points) {
    self->at = 0;
    self->origin += self->spec->period;
  }
}

/* The window of steps: up to the end of the segment. */
static inline void steps_window(path_state *self)
{
  const double next = points_next(self);
  self->t_end = next > self->t ? next : self->t;
}

void ou_start(path_state *self);
void ou_window(path_state *self, double half);
bool ou_advance(path_state *self, double t);
double ou_pace(const path_spec *spec, double half);

void shot_start(path_state *self);
void shot_window(path_state *self, double half);
bool shot_advance(path_state *self, double t);
double shot_pace(const path_spec *spec, double half);

#endif
