/* A local minimum in the unit box without derivatives: along a line by Brent's parabolas and golden sections
 * (Algorithms for Minimization without Derivatives, 1973, ch. 5), in more dimensions by the simplex of Nelder and Mead
 * (1965, Comput. J. 7, 308), started anew around what it found until that does not help, since a simplex may shrink on
 * no minimum. Invariant: the box is never left, and what is returned is the least value that was seen. Then each
 * coordinate near a border is tried on it. Cost: 20 to 40 values a line, some hundreds in more dimensions. */
#include "networks/experiment/minimum.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define MINIMUM_STEPS 400
#define MINIMUM_ROUNDS 12
#define MINIMUM_WIDTH 1e-9  /* of the box: at a minimum half of a double's digits are all there is */
#define MINIMUM_BORDER 1e-4 /* so near to a border it is tried itself */

static double inside(double u)
{
  return fmin(1, fmax(0, u));
}

static void keep(minimum *self, const double *u, double y, int32_t n)
{
  if (!(y < self->y)) return;
  memcpy(self->u, u, (size_t)n * sizeof *u);
  self->y = y;
}

/* --- a line --- */

/* The next place in [low, high] by a parabola through x, w, v, or by the golden section; *step and *before are the last
 * two steps. */
static double line_next(double low, double high, const double at[3], const double y[3], double tiny, double *step,
                        double *before)
{
  const double middle = 0.5 * (low + high), x = at[0];
  double r = (x - at[1]) * (y[0] - y[2]), q = (x - at[2]) * (y[0] - y[1]), p = (x - at[2]) * q - (x - at[1]) * r;
  q = 2 * (q - r);
  if (q > 0) p = -p;
  q = fabs(q);
  r = *before;
  *before = *step;
  const bool parabola = fabs(r) > tiny && fabs(p) < fabs(0.5 * q * r) && p > q * (low - x) && p < q * (high - x);
  if (parabola) {
    *step = p / q;
    if (x + *step - low < 2 * tiny || high - x - *step < 2 * tiny) *step = x < middle ? tiny : -tiny;
  } else {
    *before = (x < middle ? high : low) - x;
    *step = 0.3819660112501051 * *before;
  }
  return x + (fabs(*step) >= tiny ? *step : *step > 0 ? tiny : -tiny);
}

static ness_status line_find(minimum_value value, void *context, double reach, minimum *self)
{
  double low = inside(self->u[0] - reach), high = inside(self->u[0] + reach);
  double at[3] = {self->u[0], self->u[0], self->u[0]}, y[3] = {self->y, self->y, self->y}, step = 0, before = 0;
  const double tiny = MINIMUM_WIDTH;
  for (int i = 0; i < MINIMUM_STEPS; i++) {
    if (fabs(at[0] - 0.5 * (low + high)) <= 2 * tiny - 0.5 * (high - low)) break;
    const double u = line_next(low, high, at, y, tiny, &step, &before);
    double now;
    const ness_status status = value(context, &u, &now);
    if (status) return status;
    if (now <= y[0]) {
      *(u < at[0] ? &high : &low) = at[0];
      at[2] = at[1], y[2] = y[1];
      at[1] = at[0], y[1] = y[0];
      at[0] = u, y[0] = now;
    } else {
      *(u < at[0] ? &low : &high) = u;
      if (now <= y[1] || at[1] == at[0]) {
        at[2] = at[1], y[2] = y[1];
        at[1] = u, y[1] = now;
      } else if (now <= y[2] || at[2] == at[0] || at[2] == at[1]) {
        at[2] = u, y[2] = now;
      }
    }
  }
  keep(self, at, y[0], 1);
  return NESS_OK;
}

/* --- a simplex --- */

typedef struct simplex {
  int32_t n;
  double u[MINIMUM_AXES + 1][MINIMUM_AXES], y[MINIMUM_AXES + 1];
} simplex;

static void simplex_sort(simplex *s)
{
  for (int32_t i = 1; i <= s->n; i++) {
    for (int32_t k = i; k > 0 && s->y[k] < s->y[k - 1]; k--) {
      double u[MINIMUM_AXES];
      const double y = s->y[k];
      memcpy(u, s->u[k], sizeof u);
      memcpy(s->u[k], s->u[k - 1], sizeof u);
      memcpy(s->u[k - 1], u, sizeof u);
      s->y[k] = s->y[k - 1];
      s->y[k - 1] = y;
    }
  }
}

static ness_status simplex_start(minimum_value value, void *context, double reach, const minimum *at, simplex *s)
{
  ness_status status = NESS_OK;
  for (int32_t i = 0; i <= s->n && !status; i++) {
    memcpy(s->u[i], at->u, sizeof at->u);
    s->y[i] = at->y;
    if (i == 0) continue;
    double *const u = &s->u[i][i - 1];
    *u += *u + reach <= 1 ? reach : -reach;
    *u = inside(*u);
    status = value(context, s->u[i], &s->y[i]);
  }
  simplex_sort(s);
  return status;
}

static double simplex_width(const simplex *s)
{
  double width = 0;
  for (int32_t i = 1; i <= s->n; i++)
    for (int32_t a = 0; a < s->n; a++) width = fmax(width, fabs(s->u[i][a] - s->u[0][a]));
  return width;
}

/* The worst corner moved through the middle of the others, `by` times as far on the other side. */
static ness_status simplex_try(minimum_value value, void *context, const simplex *s, double by, double *u, double *y)
{
  for (int32_t a = 0; a < s->n; a++) {
    double middle = 0;
    for (int32_t i = 0; i < s->n; i++) middle += s->u[i][a] / s->n;
    u[a] = inside(middle + by * (middle - s->u[s->n][a]));
  }
  return value(context, u, y);
}

static void simplex_take(simplex *s, const double *u, double y)
{
  memcpy(s->u[s->n], u, (size_t)s->n * sizeof *u);
  s->y[s->n] = y;
  simplex_sort(s);
}

static ness_status simplex_shrink(minimum_value value, void *context, simplex *s)
{
  ness_status status = NESS_OK;
  for (int32_t i = 1; i <= s->n && !status; i++) {
    for (int32_t a = 0; a < s->n; a++) s->u[i][a] = 0.5 * (s->u[i][a] + s->u[0][a]);
    status = value(context, s->u[i], &s->y[i]);
  }
  simplex_sort(s);
  return status;
}

static ness_status simplex_step(minimum_value value, void *context, simplex *s)
{
  double u[MINIMUM_AXES], further[MINIMUM_AXES], y, y2;
  ness_status status = simplex_try(value, context, s, 1, u, &y);
  if (status) return status;
  if (y < s->y[0]) {
    status = simplex_try(value, context, s, 2, further, &y2);
    if (!status) simplex_take(s, y2 < y ? further : u, fmin(y, y2));
    return status;
  }
  if (y < s->y[s->n - 1]) {
    simplex_take(s, u, y);
    return NESS_OK;
  }
  const bool outside = y < s->y[s->n];
  status = simplex_try(value, context, s, outside ? 0.5 : -0.5, further, &y2);
  if (status) return status;
  if (y2 < fmin(y, s->y[s->n])) simplex_take(s, further, y2);
  else status = simplex_shrink(value, context, s);
  return status;
}

static ness_status simplex_find(minimum_value value, void *context, int32_t n, double reach, minimum *self)
{
  simplex s = {.n = n};
  for (int round = 0; round < MINIMUM_ROUNDS; round++) {
    const double before = self->y;
    ness_status status = simplex_start(value, context, reach, self, &s);
    for (int i = 0; i < MINIMUM_STEPS && !status && simplex_width(&s) > MINIMUM_WIDTH; i++) {
      status = simplex_step(value, context, &s);
    }
    if (status) return status;
    keep(self, s.u[0], s.y[0], n);
    if (round > 0 && !(before - self->y > 1e-14 * fabs(self->y))) break;
    reach = fmax(0.1 * reach, 1e-5);
  }
  return NESS_OK;
}

/* --- the door --- */

ness_status minimum_find(minimum_value value, void *context, int32_t n, double reach, minimum *self)
{
  ness_status status = n == 1 ? line_find(value, context, reach, self) : simplex_find(value, context, n, reach, self);
  for (int32_t a = 0; a < n && !status; a++) {
    const double border = self->u[a] < 0.5 ? 0 : 1;
    if (self->u[a] == border || fabs(self->u[a] - border) > MINIMUM_BORDER) continue;
    double u[MINIMUM_AXES], y;
    memcpy(u, self->u, sizeof u);
    u[a] = border;
    status = value(context, u, &y);
    if (!status) keep(self, u, y, n);
  }
  return status;
}
