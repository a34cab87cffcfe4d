/* Laws of moving rates: whether they hold together, and what the simulator makes of them. Invariant: directions that
 * move come first, in the order of the law; two that differ by a factor alone share a shape, so that a window costs an
 * exponential a shape and not one a direction. The constants of steps are computed once, one row a level. Cost: nothing
 * beside a run. */
#include "engine/motion/few.h"
#include "engine/motion/steps.h"

#include <math.h>
#include <string.h>

#define LAW_TOLERANCE 1e-9 /* of a sum that has to vanish, relative to its terms */

static series row_of(motion_rows rows, int32_t i)
{
  if (!rows.start) {
    return (series){NULL, 0};
  }
  return (series){rows.coef + rows.start[i], rows.start[i + 1] - rows.start[i]};
}

/* --- checks --- */

static ness_status law_refuse(ness_diags *diags, const char *message)
{
  diag_add(diags, NESS_ERROR, "%s", message);
  return NESS_USAGE;
}

static int32_t move_of(const motion_law *law, int32_t dir)
{
  for (int32_t m = 0; m < law->nmove; m++) {
    if (law->move_dir[m] == dir) {
      return m;
    }
  }
  return -1;
}

static double value_or(motion_rows rows, int32_t i, double x, double constant)
{
  const series f = row_of(rows, i);
  return f.terms > 0 ? series_value(f, x) : constant;
}

static double move_value(const ness_network *net, const motion_law *law, int32_t dir, double x)
{
  const int32_t m = move_of(law, dir);
  return m >= 0 ? series_value(row_of(law->move, m), x) : rng_ln(net->dir_k[dir]);
}

static bool near(double a, double b, double size)
{
  return fabs(a - b) <= LAW_TOLERANCE * (1 + size);
}

/* f_fwd - f_bwd = lnk = -sum nu g + sum work at x. */
static bool step_holds(const ness_network *net, const motion_law *law, int32_t step, double x)
{
  const double fwd = move_value(net, law, 2 * step, x), bwd = move_value(net, law, 2 * step + 1, x);
  const double lnk = value_or(law->lnk, step, x, net->step_lnk[step]);
  const int32_t *start = law->work_start ? law->work_start : net->work_start;
  double sum = 0, size = fabs(fwd) + fabs(bwd) + fabs(lnk);
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t i = net->change_slot[c];
    const double term = net->change_by[c] * value_or(law->g, i, x, net->slot_g[i]);
    sum -= term;
    size += fabs(term);
  }
  for (int32_t w = start[step]; w < start[step + 1]; w++) {
    const double term = law->work_start ? series_value(row_of(law->work, w), x) : net->work_kt[w];
    sum += term;
    size += fabs(term);
  }
  const bool flip = net->step_proc[step] >= 0; /* of an outside hand: it gives the medium nothing, whatever its rates */
  return (flip || near(fwd - bwd, lnk, size)) && near(sum, lnk, size);
}

static bool both_ways(const ness_network *net, int32_t step)
{
  return net->dir_law[2 * step] == LAW_MASS && net->dir_law[2 * step + 1] == LAW_MASS;
}

static ness_status law_check_moves(const ness_network *net, const motion_law *law, ness_diags *diags)
{
  for (int32_t m = 0; m < law->nmove; m++) {
    const int32_t dir = law->move_dir[m];
    if (dir < 0 || dir >= 2 * net->nstep || (m > 0 && dir <= law->move_dir[m - 1])) {
      return law_refuse(diags, "the directions that move must ascend and belong to the network");
    }
    if (net->dir_law[dir] != LAW_MASS || net->dir_law[dir ^ 1] == LAW_TAPE || row_of(law->move, m).terms < 1) {
      diag_add(diags, NESS_ERROR, "step %s moves with the input, but not both of its ways are by mass action",
               network_text(net, net->step_name[dir / 2]));
      return NESS_USAGE;
    }
  }
  return NESS_OK;
}

ness_status motion_law_check(const ness_network *net, const motion_law *law, ness_diags *diags)
{
  if (!(law->u_lo < law->u_hi) || !isfinite(law->u_lo) || !isfinite(law->u_hi)) {
    return law_refuse(diags, "the domain of a law of moving rates is empty or without end");
  }
  const ness_status status = law_check_moves(net, law, diags);
  if (status) {
    return status;
  }
  for (int32_t w = 0; law->work_start && w < law->work_start[net->nstep]; w++) {
    if (law->work_src[w] < 0 || law->work_src[w] >= network_sources(net)) {
      return law_refuse(diags, "a work of a law of moving rates has no source");
    }
  }
  for (int32_t step = 0; step < net->nstep; step++) {
    for (int32_t i = 0; i < MOTION_PLACES && both_ways(net, step); i++) {
      const double x = -1 + 2.0 * i / (MOTION_PLACES - 1);
      if (!step_holds(net, law, step, x)) {
        diag_add(diags, NESS_ERROR, "rates, works and energies of step %s do not belong together at u = %.6g",
                 network_text(net, net->step_name[step]),
                 0.5 * (law->u_lo + law->u_hi) + 0.5 * x * (law->u_hi - law->u_lo));
        return NESS_USAGE;
      }
    }
  }
  return NESS_OK;
}

/* --- compiling --- */

static motion_many many_compile(const ness_network *net, int32_t dir)
{
  int32_t slot[2] = {net->nslot, net->nslot}, shift[2] = {0, 0}, order = 0;
  motion_many many = {net->nslot, net->nslot, 0, false, net->dir_law[dir] == LAW_TAPE};
  many.general = many.tape || net->guard_start[dir] < net->guard_start[dir + 1];
  for (int32_t i = net->react_start[dir]; i < net->react_start[dir + 1]; i++) {
    for (int32_t m = 0; m < net->react_mult[i]; m++, order++) {
      if (order < 2) {
        slot[order] = net->react_slot[i];
        shift[order] = -m;
      }
    }
  }
  many.general = many.general || order > 2;
  many.a = slot[0];
  many.b = slot[1];
  many.shift = shift[1];
  return many;
}

static int32_t shape_find(const motion_net *self, series f)
{
  for (int32_t s = 0; s < self->nshape; s++) {
    const series g = self->shape[s];
    if (g.terms == f.terms && memcmp(g.coef + 1, f.coef + 1, (size_t)(f.terms - 1) * sizeof *f.coef) == 0) {
      return s;
    }
  }
  return -1;
}

static void shape_add(motion_net *self, series f)
{
  double *coef = arena_alloc(&self->memory, (size_t)f.terms * sizeof *coef), square = 0;
  const int32_t s = self->nshape++;
  if (!coef) {
    return;
  }
  memcpy(coef + 1, f.coef + 1, (size_t)(f.terms - 1) * sizeof *coef);
  for (int32_t k = 1; k < f.terms; k++) {
    square += coef[k] * coef[k] * k * k;
  }
  self->shape[s] = (series){coef, f.terms};
  self->size[s] = series_measure(self->shape[s]);
  self->slope[s] = sqrt(square) * self->scale;
}

static void net_directions(motion_net *self)
{
  const ness_network *net = self->net;
  const motion_law *law = self->law;
  for (int32_t m = 0; m < law->nmove && !self->memory.failed; m++) {
    const series f = row_of(law->move, m);
    if (shape_find(self, f) < 0) {
      shape_add(self, f);
    }
    self->shape_of[m] = self->memory.failed ? 0 : shape_find(self, f);
    self->constant[m] = rng_e(f.coef[0]);
    self->dir[m] = law->move_dir[m];
  }
  self->ndir = self->nmove = law->nmove;
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    self->place[dir] = move_of(law, dir);
    const bool open = net->dir_law[dir] == LAW_TAPE || (net->dir_law[dir] == LAW_MASS && net->dir_k[dir] != 0);
    if (self->place[dir] < 0 && open) {
      self->place[dir] = self->ndir;
      self->constant[self->ndir] = net->dir_law[dir] == LAW_TAPE ? 1 : net->dir_k[dir];
      self->dir[self->ndir++] = dir;
    }
  }
  for (int32_t d = 0; d < self->ndir; d++) {
    self->many[d] = many_compile(net, self->dir[d]);
  }
}

/* The events of all directions, one behind the other. */
static void net_events(motion_net *self)
{
  const ness_network *net = self->net;
  size_t changes = 0, touches = 0;
  for (int32_t d = 0; d < self->ndir; d++) {
    const int32_t step = self->dir[d] / 2;
    changes += (size_t)(net->change_start[step + 1] - net->change_start[step]);
    touches += (size_t)(net->dep_start[step + 1] - net->dep_start[step]);
  }
  self->event = arena_alloc(&self->memory, ((size_t)self->ndir + 1) * sizeof *self->event);
  self->change = arena_alloc(&self->memory, (changes + 1) * sizeof *self->change);
  self->touch = arena_alloc(&self->memory, (touches + 1) * sizeof *self->touch);
  int32_t change = 0, touch = 0;
  for (int32_t d = 0; d < self->ndir && !self->memory.failed; d++) {
    const int32_t step = self->dir[d] / 2, way = self->dir[d] % 2 ? -1 : 1;
    motion_event *const event = &self->event[d];
    event->change_start = change;
    for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
      self->change[change++] = (motion_change){net->change_slot[c], way * net->change_by[c]};
    }
    event->change_end = change;
    event->touch_start = touch;
    for (int32_t i = net->dep_start[step]; i < net->dep_start[step + 1]; i++) {
      const int32_t at = self->place[net->dep_dir[i]];
      const motion_many *const many = &self->many[at < 0 ? 0 : at];
      if (at >= 0) {
        self->touch[touch++] = (motion_touch){at, many->general ? -1 : many->a, many->b, many->shift};
      }
    }
    event->touch_end = touch;
  }
}

/* Constants at every level of a path of steps, and their mean over a period. */
static void net_levels(motion_net *self)
{
  const path_spec *path = self->path;
  const int32_t nmove = self->nmove;
  self->level = arena_alloc(&self->memory, ((size_t)path->points + 1) * ((size_t)nmove + 1) * sizeof *self->level);
  if (self->memory.failed) {
    return;
  }
  double *const mean = self->level + (ptrdiff_t)path->points * nmove;
  for (int32_t i = 0; i < path->points; i++) {
    const double to = i + 1 < path->points ? path->time[i + 1] : path->period;
    const double share = path->period > 0 ? (to - path->time[i]) / path->period : 0;
    const double x = fmin(fmax((path->value[i] - self->middle) * self->scale, -1), 1);
    for (int32_t m = 0; m < nmove; m++) {
      const double k = self->constant[m] * rng_e(series_value(self->shape[self->shape_of[m]], x));
      self->level[(ptrdiff_t)i * nmove + m] = k;
      mean[m] += share * k;
    }
  }
}

static int32_t rows_degree(motion_rows rows, int32_t count)
{
  int32_t most = 0;
  for (int32_t i = 0; i < count; i++) {
    const int32_t degree = row_of(rows, i).terms - 1;
    most = degree > most ? degree : most;
  }
  return most;
}

static void net_bookkeeping(motion_net *self)
{
  const ness_network *net = self->net;
  const motion_law *law = self->law;
  const int32_t lnk = rows_degree(law->lnk, net->nstep);
  const int32_t work = law->work_start ? rows_degree(law->work, law->work_start[net->nstep]) : 0;
  self->slot_terms = rows_degree(law->g, net->nslot);
  self->step_terms = lnk > work ? lnk : work;
  if (net->nop > 0 && self->slot_terms > self->step_terms) { /* what a tape's step does not declare needs energies */
    self->step_terms = self->slot_terms;
  }
  for (int32_t step = 0; step < net->nstep; step++) {
    const bool ways = self->place[2 * step] >= 0 && self->place[2 * step + 1] >= 0;
    self->lnk_kind[step] = !ways ? LNK_ONE_WAY : both_ways(net, step) ? LNK_SERIES : LNK_TAPE;
  }
}

ness_status motion_net_init(motion_net *self, const ness_network *net, const motion_law *law, const path_spec *path,
                            double period, int32_t phases)
{
  const size_t dirs = 2 * (size_t)net->nstep + 1, moves = (size_t)law->nmove + 1;
  memset(self, 0, sizeof *self);
  self->net = net;
  self->law = law;
  self->path = path;
  self->period = period;
  self->phases = phases;
  self->middle = 0.5 * (law->u_lo + law->u_hi);
  self->scale = 2 / (law->u_hi - law->u_lo);
  self->dir = arena_alloc(&self->memory, dirs * sizeof *self->dir);
  self->place = arena_alloc(&self->memory, dirs * sizeof *self->place);
  self->many = arena_alloc(&self->memory, dirs * sizeof *self->many);
  self->constant = arena_alloc(&self->memory, dirs * sizeof *self->constant);
  self->shape_of = arena_alloc(&self->memory, moves * sizeof *self->shape_of);
  self->shape = arena_alloc(&self->memory, moves * sizeof *self->shape);
  self->size = arena_alloc(&self->memory, moves * sizeof *self->size);
  self->slope = arena_alloc(&self->memory, moves * sizeof *self->slope);
  self->lnk_kind = arena_alloc(&self->memory, dirs * sizeof *self->lnk_kind);
  if (!self->memory.failed) {
    net_directions(self);
  }
  if (!self->memory.failed) {
    net_bookkeeping(self);
  }
  if (!self->memory.failed) {
    net_events(self);
  }
  if (!self->memory.failed && path->kind == PATH_STEPS) {
    net_levels(self);
  }
  for (double width = path_width(path); width > 0 && self->rungs < MOTION_RUNGS; width *= 0.70710678118654752) {
    self->width[self->rungs] = width;
    self->pace[self->rungs++] = path_pace(path, width);
  }
  if (!self->memory.failed) {
    self->basis = path->kind == PATH_STEPS ? steps_basis(self) : NULL;
    self->few = few_build(self);
    self->steps = steps_build(self);
  }
  return self->memory.failed ? NESS_NOMEM : NESS_OK;
}

void motion_net_free(motion_net *self)
{
  arena_free(&self->memory);
  memset(self, 0, sizeof *self);
}
