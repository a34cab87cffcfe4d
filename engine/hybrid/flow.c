/* The motion between events: x' = sum of changes times rates of the steps that flow. Invariant: a step is prepared
 * first, from x and the right side there, and taken afterwards, so that it can be made shorter for a box, an event or
 * an error; its change of x is that of the integrals of rates that it books. Method: two evaluations where Euler's step
 * is already within the error (the explicit midpoint rule is taken then), else two more for the third order method of
 * Bogacki and Shampine (Appl. Math. Lett. 2, 321 (1989)), whose first stages they are. The norm of the
 * Jacobian, looked at now and then, tells when stability and not the error holds the step down; stiff.c takes over.
 * Integrals of rates, of x and of entropy have the order of the step: 2 for the short, 3 for the long ones, 3 for the
 * linearly implicit ones but for entropy, which is a trapezium (2) there. Cost: of a stage, the cores and rates of the
 * steps that flow. */
#include "engine/hybrid/parts.h"

#include <float.h>
#include <math.h>

#define FLOW_SAFE 0.9
#define FLOW_GROW 5.0
#define FLOW_SHRINK 0.2
#define FLOW_FIRST 0.01    /* of the time that the first step would take to change x by itself */
#define FLOW_STIFF_AT 1.0  /* step times norm of the Jacobian: half of what is stable */
#define FLOW_STIFF_LOOK 16 /* steps between two looks at it */
#define FLOW_EASY_AT 0.3   /* step times norm: explicit again */
#define FLOW_EXCESS 100.0  /* of the error that is allowed: beyond a range by rounding */

/* --- the right side --- */

void flow_coef(hybrid_replica *self, const hybrid_net *net, int32_t f)
{
  const hybrid_dir *const dir = &net->flow[f];
  double value = dir->constant;
  for (int32_t i = dir->factor; i < dir->real_factor; i++) {
    value *= self->x[net->factor[i].slot] - net->factor[i].shift;
  }
  self->coef[f] = value;
}

/* Product of the real factors at y; below 0 they are 0. */
static double real_factors(const hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir)
{
  double product = 1;
  for (int32_t i = dir->real_factor; i < dir->factor_end; i++) {
    const double factor = self->y[net->factor[i].slot] - net->factor[i].shift;
    product *= factor > 0 ? factor : 0;
  }
  return product;
}

/* False where a rate is none; `at` is its direction. */
bool flow_right(hybrid_replica *self, const hybrid_net *net, flow_stage *stage, double t)
{
  double *const y = self->y, *const value = stage->core, *const dx = stage->dx;
  for (int32_t k = 0, r = net->nstate; k < net->ninput; k++, r++) {
    y[net->real[r]] = stage->x[r] = path_at(&self->path[k], t);
    dx[r] = path_speed(&self->path[k], t);
  }
  for (int32_t r = 0; r < net->nstate; r++) {
    y[net->real[r]] = stage->x[r];
    dx[r] = 0;
  }
  for (int32_t i = 0; i < net->nfcore; i++) {
    const hybrid_core *const core = &net->core[net->fcore[i]];
    const hybrid_local *const local = &self->local[net->fcore[i]];
    const bool near = core->alone && self->open && local->good;
    value[net->fcore[i]] =
        near ? local_value(local, stage->x[core->alone - 1]) : core_value(net, core, self->reg + core->reg, y);
  }
  for (int32_t f = 0; f < net->nflow; f++) {
    const hybrid_dir *const dir = &net->flow[f];
    double rate = self->coef[f];
    if (dir->real_factor < dir->factor_end) rate *= real_factors(self, net, dir);
    if (dir->core >= 0) rate *= value[dir->core];
    if (!(rate >= dir->least && rate <= DBL_MAX)) {
      self->at = dir->dir;
      self->value = rate;
      return false;
    }
    stage->rate[f] = rate;
    for (const hybrid_change *c = net->change + dir->change; c < net->change + dir->change_end; c++) {
      dx[c->real] += c->by * rate;
    }
  }
  return true;
}

hybrid_pause flow_begin(hybrid_replica *self, const hybrid_net *net)
{
  if (self->fresh) return HYBRID_AT_TIME;
  for (int32_t r = 0; r < net->nreal; r++) self->stage[0].x[r] = self->x[net->real[r]];
  self->fresh = flow_right(self, net, &self->stage[0], self->t);
  return self->fresh ? HYBRID_AT_TIME : HYBRID_BAD_RATE;
}

/* --- steps --- */

/* The largest component relative to what is allowed; inputs have no error. */
double flow_error(const hybrid_net *net, const double *x, const double *error)
{
  double most = 0;
  for (int32_t r = 0; r < net->nstate; r++) {
    const double size = fabs(x[r]), e = fabs(error[r]) / (size > net->scale[r] ? size : net->scale[r]);
    most = e > most ? e : most;
    if (isnan(e)) return (double)INFINITY;
  }
  return most / net->rtol;
}

double flow_loose(const hybrid_replica *self, const hybrid_net *net, double h, const double weight[HYBRID_STAGES],
                  const double *flux)
{
  double most = 0;
  for (int32_t i = 0; i < net->nloose; i++) {
    const int32_t f = net->loose[i];
    const double passed = self->t - self->begin;
    double error = flux ? -flux[f] / h : 0, size = passed > 0 ? self->fired[net->flow[f].dir] / passed : 0;
    for (int32_t j = 0; j < HYBRID_STAGES; j++) {
      if (weight[j] == 0) continue;
      error += weight[j] * self->stage[j].rate[f];
      size = fmax(size, self->stage[j].rate[f]);
    }
    if (error != 0) most = fmax(most, h * fabs(error) / (size * net->span));
  }
  return most / net->rtol;
}

void flow_inputs(hybrid_replica *self, const hybrid_net *net)
{
  flow_step *const step = &self->step;
  for (int32_t k = 0, r = net->nstate; k < net->ninput; k++, r++) {
    const double end = self->t + step->h;
    step->x[r] = path_at(&self->path[k], end);
    path_areas(&self->path[k], self->t, end, &step->area[r], &step->area2[r]);
  }
}

/* Integrals over the step by its nodes. */
static void step_integrals(hybrid_replica *self, const hybrid_net *net)
{
  flow_step *const step = &self->step;
  if (step->nodes == 1) {
    const flow_stage *const stage = &self->stage[1];
    for (int32_t f = 0; f < net->nflow; f++) step->flux[f] = step->h * stage->rate[f];
    for (int32_t r = 0; r < net->nreal; r++) {
      step->area[r] = step->h * stage->x[r];
      step->area2[r] = step->area[r] * stage->x[r];
    }
    flow_inputs(self, net);
    return;
  }
  for (int32_t f = 0; f < net->nflow; f++) step->flux[f] = 0;
  for (int32_t r = 0; r < net->nreal; r++) step->area[r] = step->area2[r] = 0;
  for (int32_t i = 0; i < step->nodes; i++) {
    const flow_stage *const stage = &self->stage[step->node[i].stage];
    const double weight = step->node[i].weight;
    for (int32_t f = 0; f < net->nflow; f++) step->flux[f] += weight * stage->rate[f];
    for (int32_t r = 0; r < net->nreal; r++) {
      const double area = weight * stage->x[r];
      step->area[r] += area;
      step->area2[r] += area * stage->x[r];
    }
  }
  flow_inputs(self, net);
}

/* The two stages that all steps begin with; the error of Euler's step, infinite where there is no right side. */
static double midpoint_step(hybrid_replica *self, const hybrid_net *net, double h)
{
  const flow_stage *const at = &self->stage[0];
  flow_stage *const mid = &self->stage[1];
  flow_step *const step = &self->step;
  for (int32_t r = 0; r < net->nreal; r++) mid->x[r] = at->x[r] + 0.5 * h * at->dx[r];
  step->h = h;
  step->end_known = false;
  step->nodes = 1;
  step->node[0] = (flow_node){1, h};
  if (!flow_right(self, net, mid, self->t + 0.5 * h)) return (double)INFINITY;
  for (int32_t r = 0; r < net->nreal; r++) {
    step->x[r] = at->x[r] + h * mid->dx[r];
    step->area[r] = h * (mid->dx[r] - at->dx[r]);
  }
  static const double euler[HYBRID_STAGES] = {-1, 1};
  return fmax(flow_error(net, step->x, step->area), flow_loose(self, net, h, euler, NULL));
}

/* After midpoint_step: the error relative to what is allowed. */
static double bogacki_step(hybrid_replica *self, const hybrid_net *net, double h)
{
  const flow_stage *const a = &self->stage[0], *const b = &self->stage[1];
  flow_stage *const c = &self->stage[2], *const d = &self->stage[3];
  flow_step *const step = &self->step;
  for (int32_t r = 0; r < net->nreal; r++) c->x[r] = a->x[r] + 0.75 * h * b->dx[r];
  if (!flow_right(self, net, c, self->t + 0.75 * h)) return (double)INFINITY;
  for (int32_t r = 0; r < net->nreal; r++) {
    step->x[r] = d->x[r] = a->x[r] + h * (2.0 / 9 * a->dx[r] + 1.0 / 3 * b->dx[r] + 4.0 / 9 * c->dx[r]);
  }
  if (!flow_right(self, net, d, self->t + h)) return (double)INFINITY;
  for (int32_t r = 0; r < net->nreal; r++) {
    step->area[r] = h * (-5.0 / 72 * a->dx[r] + 1.0 / 12 * b->dx[r] + 1.0 / 9 * c->dx[r] - 1.0 / 8 * d->dx[r]);
  }
  step->end_known = true;
  step->nodes = 3;
  step->node[0] = (flow_node){0, 2.0 / 9 * h};
  step->node[1] = (flow_node){1, 1.0 / 3 * h};
  step->node[2] = (flow_node){2, 4.0 / 9 * h};
  static const double second[HYBRID_STAGES] = {-5.0 / 72, 1.0 / 12, 1.0 / 9, -1.0 / 8};
  return fmax(flow_error(net, step->x, step->area), flow_loose(self, net, h, second, NULL));
}

static double step_factor(double error, double order)
{
  const double factor = FLOW_SAFE * rng_e(-rng_ln(error > 1e-12 ? error : 1e-12) / order);
  return factor > FLOW_GROW ? FLOW_GROW : factor > FLOW_SHRINK ? factor : FLOW_SHRINK;
}

/* One prepared step of length h; the factor by which the next may differ, below 1 where this one was too long. */
static double step_prepare(hybrid_replica *self, const hybrid_net *net, double h, bool *good)
{
  if (self->stiff && !(h * self->norm < FLOW_EASY_AT)) {
    const double error = stiff_step(self, net, h);
    *good = error <= 1;
    if (*good && self->h * self->norm < FLOW_EASY_AT) self->stiff = false;
    return step_factor(error, 3);
  }
  const double first = midpoint_step(self, net, h);
  *good = first <= 1;
  if (*good) {
    step_integrals(self, net);
    return FLOW_GROW; /* the longer method will tell where this is too much */
  }
  if (first == (double)INFINITY) return FLOW_SHRINK;
  const double error = bogacki_step(self, net, h);
  *good = error <= 1;
  if (*good) step_integrals(self, net);
  return step_factor(error, 3);
}

/* The real slot that moves fastest, for a message. */
static int32_t fastest(const hybrid_replica *self, const hybrid_net *net)
{
  int32_t best = 0;
  double most = -1;
  for (int32_t r = 0; r < net->nstate; r++) {
    const double size = fmax(fabs(self->stage[0].x[r]), net->scale[r]), speed = fabs(self->stage[0].dx[r]) / size;
    if (speed > most) {
      most = speed;
      best = r;
    }
  }
  return net->real[best];
}

static void step_first(hybrid_replica *self, const hybrid_net *net)
{
  double speed = 0;
  for (int32_t r = 0; r < net->nreal; r++) {
    speed = fmax(speed, fabs(self->stage[0].dx[r]) / fmax(fabs(self->stage[0].x[r]), net->scale[r]));
  }
  self->h = speed > 0 ? FLOW_FIRST / speed : (double)INFINITY;
}

/* Now and then: whether stability, not the error, decides about the steps. Stages of an explicit method cannot tell
 * where the motion is slow and only rounding excites what is fast. */
static void stiff_look(hybrid_replica *self, const hybrid_net *net)
{
  if (self->stiff || net->nreal > HYBRID_DENSE || ++self->looked < FLOW_STIFF_LOOK) return;
  self->looked = 0;
  stiff_norm(self, net);
  self->stiff = self->h * self->norm > FLOW_STIFF_AT;
}

hybrid_pause flow_try(hybrid_replica *self, const hybrid_net *net, double most)
{
  if (self->h == 0) step_first(self, net);
  for (;;) {
    const bool whole = most <= self->h;
    const double h = whole ? most : self->h;
    bool good;
    if (self->t + h == self->t && !whole) {
      self->at = fastest(self, net);
      return HYBRID_BLOWS_UP;
    }
    const double next = h * step_prepare(self, net, h, &good);
    if (!whole) stiff_look(self, net);
    if (good) {
      self->h = whole && next < self->h ? self->h : next;
      return HYBRID_AT_TIME;
    }
    self->h = fmin(next, 0.9 * h);
    if (self->t + self->h == self->t) {
      self->at = fastest(self, net);
      return HYBRID_BLOWS_UP;
    }
  }
}

void flow_fixed(hybrid_replica *self, const hybrid_net *net, double h)
{
  const bool implicit = self->step.nodes == 2;
  const bool longer = self->step.nodes == 3;
  if (implicit) {
    stiff_step(self, net, h);
    return;
  }
  midpoint_step(self, net, h);
  if (longer) bogacki_step(self, net, h);
  step_integrals(self, net);
}

/* --- taking it --- */

/* Whether a real slot is beyond its range by more than the error of a step. */
static bool is_beyond(const hybrid_net *net, int32_t r, double x)
{
  const double most = net->most[r], size = most < (double)INFINITY ? most : fmax(1, fabs(x));
  const double slack = FLOW_EXCESS * net->rtol * fmin(size, fmax(fabs(x), 1e3 * net->scale[r]));
  return (x < -slack && net->mode != HYBRID_LANGEVIN) || x > most + slack || isnan(x);
}

hybrid_pause flow_range(hybrid_replica *self, const hybrid_net *net)
{
  for (int32_t r = 0; r < net->nreal; r++) {
    const double x = self->x[net->real[r]];
    if ((x >= 0 && x <= net->most[r]) || !is_beyond(net, r, x)) continue;
    self->at = net->real[r];
    self->value = x;
    return HYBRID_RANGE;
  }
  return HYBRID_AT_TIME;
}

hybrid_pause flow_take(hybrid_replica *self, const hybrid_net *net, double t_end)
{
  flow_step *const step = &self->step;
  book_flow(self, net);
  for (int32_t r = 0; r < net->nreal; r++) self->x[net->real[r]] = step->x[r];
  self->t = t_end;
  self->moves++;
  self->stamp++;
  self->fresh = step->end_known;
  if (self->fresh) {
    const flow_stage end = self->stage[3];
    self->stage[3] = self->stage[0];
    self->stage[0] = end;
  }
  return flow_range(self, net);
}
