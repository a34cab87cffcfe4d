/* One input u(t) that a simulator follows forward in time, without a step: it asks for a window, a stretch of time with
 * a certified band that u does not leave, and for values at times inside it.
 *
 * All kinds are exact in law. Those that are drawn (ou, shot) draw from a stream of their own, and what they draw does
 * not depend on what the asker knows beyond the times it asks for. The width of a band is the asker's choice, made anew
 * at every window from the past alone; it changes the cost and never the law. */
#ifndef ENGINE_MOTION_PATH_H
#define ENGINE_MOTION_PATH_H

#include "engine/base/base.h"
#include "engine/rng/rng.h"

typedef enum path_kind {
  PATH_SINE = 0, /* mean + amplitude sin(2 pi frequency t + phase) */
  PATH_STEPS,    /* value[i] from time[i] on */
  PATH_LINEAR,   /* straight between the points */
  PATH_OU,       /* du = -(u - mean)/tau dt + sd sqrt(2/tau) dW */
  PATH_SHOT      /* base + jumps at Poisson times, each decaying with tau */
} path_kind;

/* Each kind reads its own fields. Points are borrowed. Without a period the first and the last value hold before and
 * behind the points; with one, time[0] is 0 and all times are below it. */
typedef struct path_spec {
  path_kind kind;
  double mean;                        /* sine, ou */
  double amplitude, frequency, phase; /* sine; 1/s, radians */
  int32_t points;                     /* steps, linear */
  const double *time, *value;         /* (points) s, strictly ascending */
  double period;                      /* s; 0: none */
  double sd;                          /* ou: of the stationary law */
  double tau;                         /* ou, shot; s */
  double base, jump, rate;            /* shot; rate in 1/s */
  bool from_value;                    /* ou, shot: from `start`, else from the stationary law */
  double start;
} path_spec;

/* Present and window. Between calls: lo <= u(s) <= hi for every s from t to t_end while `open`. */
typedef struct path_state {
  const path_spec *spec;
  double t, u;
  bool open;
  double lo, hi, t_end; /* t_end of an ou and a shot may be later than the end that a look at the path finds */
  /* sine, steps, linear */
  int32_t at;    /* the last point at or before t; -1 before the first */
  double origin; /* s; start of the present period */
  /* ou: since the start of the layer */
  double layer_start, layer_y, layer_a; /* s; u - mean at that time; half width */
  double layer_exit;                    /* the clock at the exit, in units of layer_a^2 */
  /* shot */
  double next_jump; /* s */
  int64_t jumps;    /* left in the window */
  rng_stream rng;
} path_state;

#define PATH_PURPOSE 2 /* of the stream; events have 0 and the draws of experiments 1 */
#define PATH_APART 16  /* between the purposes of two inputs */

/* What is wrong with a spec goes to diags. */
ness_status path_check(const path_spec *spec, ness_diags *diags);
/* At t = 0. Inputs of one run have numbers, and streams of their own by them. */
void path_start(path_state *self, const path_spec *spec, uint64_t seed, int64_t replica, int32_t input);
/* Opens a window at the present. The band reaches about `half` to either side of u where the kind has a choice. */
void path_window(path_state *self, double half);
/* Goes to t >= self->t if that lies inside the window: true. Else to the end of the window, where u is the value from
 * then on, and false. After false, and for an ou after true as well, the window is over (open == false). */
bool path_advance(path_state *self, double t);

/* Windows a second, about, at this half width; and the width beyond which a wider one changes nothing. */
double path_pace(const path_spec *spec, double half);
double path_width(const path_spec *spec);

/* For who integrates along a prescribed path (sine, steps, linear): without windows, one smooth curve from the present
 * to the next corner or jump, where its values are the limits from the left. */
void path_go(path_state *self, double t);   /* to t >= self->t, past corners */
double path_corner(const path_state *self); /* s; infinite: none comes */
double path_at(const path_state *self, double t);
double path_speed(const path_state *self, double t); /* du/dt */
/* lo <= path_at <= hi from `from` to `to`. */
void path_band(const path_state *self, double from, double to, double *lo, double *hi);
/* Integrals of u and u^2, exact but for rounding. */
void path_areas(const path_state *self, double from, double to, double *area, double *area2);

/* Periodic steps at the start of a segment or inside: so many periods later, with the same value. */
void path_skip(path_state *self, double periods);

/* Drawn, not prescribed. */
static inline bool path_random(const path_spec *spec)
{
  return spec->kind >= PATH_OU;
}
/* Of a drawn one with an open window that has room for one jump alone: when the window ends, if nobody looks. */
static inline double path_exit(const path_state *self)
{
  return self->spec->kind == PATH_SHOT && self->next_jump < self->t_end ? self->next_jump : self->t_end;
}

#endif
