/* A root in a bracket by the Illinois variant of regula falsi: keeps the bracket, converges superlinearly (Dowell and
 * Jarratt 1971, BIT 11, 168). Invariant: the values at the two ends of the bracket have different signs, until one is
 * zero. Ends when a double cannot tell the ends apart or they stop moving. Cost: some 10 to 60 values. */
#include "networks/experiment/root.h"
#include <math.h>

#define ROOT_VALUES 200
#define ROOT_JUMP 1e-6 /* of the larger value at an end of the range: what is left of a value that is continuous */

static bool root_opposite(double a, double b)
{
  return !isnan(a) && !isnan(b) && (a > 0) != (b > 0);
}

static double root_guess(const double x[2], const double weight[2])
{
  const double guess = (x[0] * weight[1] - x[1] * weight[0]) / (weight[1] - weight[0]);
  const bool inside = guess > fmin(x[0], x[1]) && guess < fmax(x[0], x[1]);
  return inside ? guess : 0.5 * (x[0] + x[1]);
}

static void root_at(root_found *self, double x, double y)
{
  *self = (root_found){x, y, {x, x}, self->from_y, self->to_y, true};
}

ness_status root_find(root_value value, void *context, double from, double to, root_found *out)
{
  double x[2] = {from, to}, y[2], weight[2];
  *out = (root_found){.bracket = {from, to}};
  ness_status status = value(context, from, &y[0]);
  out->from_y = y[0];
  if (!status && y[0] != 0) {
    status = value(context, to, &y[1]);
    out->to_y = y[1];
  }
  if (status) return status;
  if (y[0] == 0 || y[1] == 0) {
    root_at(out, x[y[0] != 0], 0);
    return NESS_OK;
  }
  if (!root_opposite(y[0], y[1])) return NESS_OK;
  weight[0] = y[0], weight[1] = y[1];
  int last = -1; /* the end that moved in the step before */
  for (int i = 2; i < ROOT_VALUES; i++) {
    double now;
    const double guess = root_guess(x, weight), before = fabs(x[1] - x[0]);
    if ((status = value(context, guess, &now))) return status;
    *out = (root_found){guess, now, {x[0], x[1]}, out->from_y, out->to_y, !isnan(now)};
    if (now == 0) root_at(out, guess, now);
    if (now == 0 || isnan(now)) return NESS_OK;
    const int side = (now > 0) == (y[1] > 0);
    x[side] = guess;
    y[side] = weight[side] = now;
    if (side == last) weight[!side] *= 0.5;
    last = side;
    out->bracket[0] = x[0], out->bracket[1] = x[1];
    if (fabs(x[1] - x[0]) <= 1e-15 * (fabs(x[0]) + fabs(x[1])) || fabs(x[1] - x[0]) == before) break;
  }
  return NESS_OK;
}

bool root_jumps(const root_found *self)
{
  return !(fabs(self->y) <= ROOT_JUMP * fmax(fabs(self->from_y), fabs(self->to_y)));
}
