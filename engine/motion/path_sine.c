/* The sine, and the exponential less one. Invariant: only + - * / and floor, so the bits depend on no libm; the band of
 * a window is that of the exact sine, widened by more than the rounding of a value. A window is as long as the largest
 * slope allows; at full width it has no end. Cost: 5 ns a value. */
#include "engine/motion/path_kinds.h"

#include <math.h>

#define SINE_ROUNDING 4e-15 /* of |mean| + |amplitude| */
#define INVERSE_TWO_PI 0.15915494309189535
#define TWO_PI 6.2831853071795865

/* Taylor series of sin(z) and cos(z) for |z| <= pi/4; the first term left out is below 1e-18. */
static double sine_series(double z)
{
  const double s = z * z;
  return z * (1 + s * (-1.0 / 6 +
                       s * (1.0 / 120 +
                            s * (-1.0 / 5040 +
                                 s * (1.0 / 362880 +
                                      s * (-1.0 / 39916800 + s * (1.0 / 6227020800 + s * (-1.0 / 1307674368000))))))));
}

static double cosine_series(double z)
{
  const double s = z * z;
  return 1 + s * (-1.0 / 2 +
                  s * (1.0 / 24 +
                       s * (-1.0 / 720 +
                            s * (1.0 / 40320 +
                                 s * (-1.0 / 3628800 + s * (1.0 / 479001600 +
                                                            s * (-1.0 / 87178291200 + s * (1.0 / 20922789888000))))))));
}

double path_sine(double turns)
{
  const double x = turns - floor(turns); /* exact but for tiny negative ones */
  const double quarter = floor(4 * x + 0.5), z = TWO_PI * (x - 0.25 * quarter);
  switch ((int32_t)quarter & 3) {
  case 0: return sine_series(z);
  case 1: return cosine_series(z);
  case 2: return -sine_series(z);
  default: return -cosine_series(z);
  }
}

double path_expm1(double x)
{
  if (fabs(x) > 0.35) {
    return rng_e(x) - 1;
  }
  double sum = 1;
  for (int32_t n = 14; n > 1; n--) {
    sum = 1 + sum * x / n;
  }
  return sum * x;
}

static double sine_turns(const path_spec *spec, double t)
{
  return spec->frequency * t + spec->phase * INVERSE_TWO_PI;
}

double sine_value(const path_spec *spec, double t)
{
  return spec->mean + spec->amplitude * path_sine(sine_turns(spec, t));
}

void sine_start(path_state *self)
{
  self->u = sine_value(self->spec, 0);
}

/* Whether a number k + at, k whole, lies in [from, to]. */
static bool turns_hold(double from, double to, double at)
{
  return floor(to - at) >= ceil(from - at);
}

void sine_band(const path_spec *spec, double from, double to, double *lo, double *hi)
{
  const double size = fabs(spec->amplitude), rounding = SINE_ROUNDING * (fabs(spec->mean) + size);
  const double begin = sine_turns(spec, from), end = sine_turns(spec, to);
  const double u = sine_value(spec, from), v = sine_value(spec, to);
  const double top = spec->amplitude > 0 ? 0.25 : 0.75;
  *hi = (turns_hold(begin, end, top) ? spec->mean + size : fmax(u, v)) + rounding;
  *lo = (turns_hold(begin, end, 1 - top) ? spec->mean - size : fmin(u, v)) - rounding;
}

double sine_speed(const path_spec *spec, double t)
{
  return TWO_PI * spec->frequency * spec->amplitude * path_sine(sine_turns(spec, t) + 0.25);
}

/* By the middle of the stretch, so that nothing cancels: int sin = sin(w h/2)/(w/2) sin(middle), and cos in the same
 * way for sin^2 = (1 - cos)/2 at twice the angle. */
void sine_areas(const path_spec *spec, double from, double to, double *area, double *area2)
{
  const double h = to - from, w = TWO_PI * spec->frequency, turns = sine_turns(spec, 0.5 * (from + to));
  const double m = spec->mean, a = spec->amplitude;
  const double one = w > 0 ? 2 / w * path_sine(0.5 * spec->frequency * h) : h;
  const double two = w > 0 ? path_sine(spec->frequency * h) / w : h;
  const double sine = one * path_sine(turns), square = 0.5 * (h - two * path_sine(2 * turns + 0.25));
  *area = m * h + a * sine;
  *area2 = m * m * h + 2 * m * a * sine + a * a * square;
}

void sine_window(path_state *self, double half)
{
  const path_spec *spec = self->spec;
  const double size = fabs(spec->amplitude), rounding = SINE_ROUNDING * (fabs(spec->mean) + size);
  self->t_end = (double)INFINITY;
  self->lo = spec->mean - size - rounding;
  self->hi = spec->mean + size + rounding;
  if (half >= 2 * size || spec->frequency == 0) {
    return;
  }
  const double length = half / (SINE_SPEED * size * spec->frequency);
  self->t_end = fmax(self->t + length, nextafter(self->t, (double)INFINITY));
  sine_band(spec, self->t, self->t_end, &self->lo, &self->hi);
}
