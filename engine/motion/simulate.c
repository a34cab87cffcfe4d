/* One replica under moving rates: thinning (Lewis and Shedler 1979) inside the certified band of a window, with a bound
 * of its own for every direction. Invariant: in an open window rate[d] = bound[d] times the combinations of d, bound[d]
 * is at least exp(f_d(u)) for all u in the band, and `left` is what remains of a unit exponential until the next
 * candidate, so that a window that ends costs no draw. Where u stands still the bounds are the rates and nothing is
 * rejected; whole periods of fast steps pass at once by their integrated hazard.
 *
 * The band is as wide as makes candidates in vain and windows cost the least together, by estimates from the past; the
 * choice does not enter the law. A band that reaches beyond the domain of the law is cut there: who meets u outside
 * stops the run. Cost of a candidate: a draw of the wait, a sum over the directions, one exponential; of a window: an
 * exponential a shape. */
#include "engine/motion/few.h"
#include "engine/motion/steps.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define MOTION_TRIES 64 /* candidates after which a window without an end is looked at anew */
#define MOTION_RUNG_FIRST 8

/* --- memory --- */

ness_status motion_replica_init(motion_replica *self, const motion_net *shared)
{
  const ness_network *net = shared->net;
  const size_t slots = (size_t)net->nslot + 1, steps = (size_t)net->nstep + 1,
               dirs = (size_t)shared->ndir + MOTION_LANES;
  const size_t step_terms = (size_t)shared->step_terms, slot_terms = (size_t)shared->slot_terms;
  size_t phase;
  memset(self, 0, sizeof *self);
  if (!size_mul((size_t)shared->phases, 2 * steps * sizeof *self->phase, &phase)) {
    return NESS_NOMEM;
  }
  arena *const memory = &self->memory;
  self->n = arena_alloc(memory, slots * sizeof *self->n);
  self->after = arena_alloc(memory, slots * sizeof *self->after);
  self->many = arena_alloc(memory, dirs * sizeof *self->many);
  self->bound = arena_alloc(memory, dirs * sizeof *self->bound);
  self->rate = arena_alloc(memory, dirs * sizeof *self->rate);
  self->top = arena_alloc(memory, ((size_t)shared->nshape + 1) * sizeof *self->top);
  self->factor = arena_alloc(memory, ((size_t)shared->nshape + 1) * sizeof *self->factor);
  self->scratch = arena_alloc(memory, ((size_t)net->tape_max + 1) * sizeof *self->scratch);
  self->fired = arena_alloc(memory, 2 * steps * sizeof *self->fired);
  self->phase = arena_alloc(memory, phase + sizeof *self->phase);
  self->slot = arena_alloc(memory, slots * sizeof *self->slot);
  self->basis = arena_alloc(memory, (step_terms + slot_terms + 1) * sizeof *self->basis);
  self->flow = arena_alloc(memory, (steps * step_terms + 1) * sizeof *self->flow);
  self->slot_basis = arena_alloc(memory, (slots * slot_terms + 1) * sizeof *self->slot_basis);
  self->shift = arena_alloc(memory, (slots * slot_terms + 1) * sizeof *self->shift);
  if (shared->few) {
    const size_t states = (size_t)shared->few->states, cells = states << shared->few->bits;
    self->few_made = arena_alloc(memory, cells * FEW_WAYS * sizeof *self->few_made);
    self->few_clock = arena_alloc(memory, states * sizeof *self->few_clock);
  }
  if (shared->few || shared->steps) {
    const size_t dirs_all = (size_t)shared->ndir + 1, levels = (size_t)shared->path->points;
    self->made = arena_alloc(memory, levels * dirs_all * sizeof *self->made);
  }
  return memory->failed ? NESS_NOMEM : NESS_OK;
}

void motion_replica_free(motion_replica *self)
{
  arena_free(&self->memory);
  memset(self, 0, sizeof *self);
}

/* --- bookkeeping --- */

static double motion_x(const motion_replica *self, const motion_net *shared)
{
  return (self->path.u - shared->middle) * shared->scale;
}

void motion_basis(double x, int32_t terms, double *basis)
{
  if (terms <= 1) {
    basis[0] = x;
  } else {
    series_basis(x, terms, basis);
  }
}

static void basis_now(motion_replica *self, const motion_net *shared)
{
  const int32_t terms = shared->step_terms > shared->slot_terms ? shared->step_terms : shared->slot_terms;
  motion_basis(motion_x(self, shared), terms, self->basis);
}

/* A slot's integrals come to the present, whose basis is known. */
static void slot_settle(motion_replica *self, const motion_net *shared, int32_t i)
{
  const int32_t terms = shared->slot_terms;
  motion_slot *const slot = &self->slot[i];
  double *const before = self->slot_basis + (ptrdiff_t)i * terms, *const shift = self->shift + (ptrdiff_t)i * terms;
  const double n = (double)self->n[i], area = n * (self->path.t - slot->since);
  slot->dwell += area;
  slot->dwell2 += n * area;
  slot->since = self->path.t;
  for (int32_t k = 0; k < terms; k++) {
    shift[k] += n * (self->basis[k] - before[k]);
    before[k] = self->basis[k];
  }
}

static double motion_energy(const motion_replica *self, const motion_net *shared)
{
  const ness_network *net = shared->net;
  const motion_rows g = shared->law->g;
  const double x = motion_x(self, shared);
  double sum = 0;
  for (int32_t i = 0; i < net->nslot; i++) {
    const int32_t terms = g.start ? g.start[i + 1] - g.start[i] : 0;
    const double one = terms > 0 ? series_value((series){g.coef + g.start[i], terms}, x) : net->slot_g[i];
    sum += (double)self->n[i] * one;
  }
  return sum;
}

void motion_clear(motion_replica *self, const motion_net *shared)
{
  const ness_network *net = shared->net;
  const size_t steps = (size_t)net->nstep;
  self->events = self->candidates = self->windows = 0;
  self->start = self->settled = self->path.t;
  self->tape_medium = 0;
  memset(self->fired, 0, 2 * steps * sizeof *self->fired);
  memset(self->phase, 0, (size_t)shared->phases * 2 * steps * sizeof *self->phase);
  memset(self->flow, 0, steps * (size_t)shared->step_terms * sizeof *self->flow);
  basis_now(self, shared);
  for (int32_t i = 0; i < net->nslot; i++) {
    slot_settle(self, shared, i);
    self->slot[i].dwell = self->slot[i].dwell2 = 0;
  }
  memset(self->shift, 0, (size_t)net->nslot * (size_t)shared->slot_terms * sizeof *self->shift);
  self->energy_start = motion_energy(self, shared);
}

/* Sum over a step's events, forward less backward, of a series, or of a constant where it is empty. */
static double step_sum(const motion_replica *self, const motion_net *shared, int32_t step, motion_rows rows, int32_t i,
                       double constant)
{
  const int32_t terms = rows.start ? rows.start[i + 1] - rows.start[i] : 0;
  const double *const coef = terms > 0 ? rows.coef + rows.start[i] : &constant;
  const double *const flow = self->flow + (ptrdiff_t)step * shared->step_terms;
  double sum = coef[0] * (double)(self->fired[2 * step] - self->fired[2 * step + 1]);
  for (int32_t k = 1; k < terms; k++) {
    sum += coef[k] * flow[k - 1];
  }
  return sum;
}

/* Works of a step's events, added to those of the sources; their sum comes back. */
static double step_work(const motion_replica *self, const motion_net *shared, int32_t step, double *work)
{
  const ness_network *net = shared->net;
  const motion_law *law = shared->law;
  const bool own = law->work_start != NULL;
  const int32_t *const start = own ? law->work_start : net->work_start;
  const motion_rows none = {NULL, NULL};
  double sum = 0;
  for (int32_t w = start[step]; w < start[step + 1]; w++) {
    const double kt = own ? 0 : net->work_kt[w];
    const double one = isfinite(kt) ? step_sum(self, shared, step, own ? law->work : none, w, kt) : 0;
    work[own ? law->work_src[w] : net->work_src[w]] += one;
    sum += one;
  }
  return sum;
}

/* Energy that a step's events have added; moving energies of a tape's step go by the highest degree of all. */
static double step_energy(const motion_replica *self, const motion_net *shared, int32_t step)
{
  const ness_network *net = shared->net;
  double sum = 0;
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t i = net->change_slot[c];
    sum += net->change_by[c] * step_sum(self, shared, step, shared->law->g, i, net->slot_g[i]);
  }
  return sum;
}

static double input_work(const motion_replica *self, const motion_net *shared)
{
  const motion_rows g = shared->law->g;
  double sum = 0;
  for (int32_t i = 0; g.start && i < shared->net->nslot; i++) {
    const double *const coef = g.coef + g.start[i];
    for (int32_t k = 1; k < g.start[i + 1] - g.start[i]; k++) {
      sum += coef[k] * self->shift[(ptrdiff_t)i * shared->slot_terms + k - 1];
    }
  }
  return sum;
}

motion_totals motion_settle(motion_replica *self, const motion_net *shared, double *work)
{
  const ness_network *net = shared->net;
  const int32_t sources = network_sources(net);
  motion_totals totals = {0, 0, 0, 0};
  double undeclared = 0;
  memset(work, 0, (size_t)sources * sizeof *work);
  basis_now(self, shared);
  for (int32_t i = 0; i < net->nslot; i++) {
    slot_settle(self, shared, i);
  }
  self->settled = self->path.t;
  for (int32_t step = 0; step < net->nstep; step++) {
    const double sum = step_work(self, shared, step, work);
    if (shared->lnk_kind[step] == LNK_ONE_WAY) {
      totals.one_way += self->fired[2 * step] + self->fired[2 * step + 1];
    } else if (shared->lnk_kind[step] == LNK_SERIES) {
      totals.medium += step_sum(self, shared, step, shared->law->lnk, step, net->step_lnk[step]);
    } else {
      undeclared += step_energy(self, shared, step) - sum;
    }
  }
  totals.medium += self->tape_medium;
  work[sources - 1] += undeclared + self->tape_medium;
  totals.input_work = input_work(self, shared);
  totals.energy = motion_energy(self, shared) - self->energy_start;
  return totals;
}

/* --- rates --- */

static inline double many_pair(const int64_t *n, int32_t a, int32_t b, int32_t shift)
{
  return (double)n[a] * (double)(n[b] + shift);
}

static double many_of(const motion_replica *self, const motion_net *shared, int32_t d)
{
  const motion_many *const many = &shared->many[d];
  const int64_t *const n = self->n;
  if (!many->general) {
    return many_pair(n, many->a, many->b, many->shift);
  }
  const int32_t dir = shared->dir[d];
  const double value = network_propensity(shared->net, dir, n, self->scratch);
  if (many->tape || value == 0) {
    return value;
  }
  double product = 1; /* open: the counts alone */
  for (int32_t r = shared->net->react_start[dir]; r < shared->net->react_start[dir + 1]; r++) {
    for (int32_t j = 0; j < shared->net->react_mult[r]; j++) {
      product *= (double)(n[shared->net->react_slot[r]] - j);
    }
  }
  return product;
}

static void rate_sum(motion_replica *self, int32_t ndir)
{
  const double *const rate = self->rate;
  double sum[MOTION_LANES] = {0, 0, 0, 0};
  for (int32_t d = 0; d < ndir; d += MOTION_LANES) {
    sum[0] += rate[d];
    sum[1] += rate[d + 1];
    sum[2] += rate[d + 2];
    sum[3] += rate[d + 3];
  }
  self->total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Bounds of the directions that move, in the present window. */
static void bounds_set(motion_replica *self, const motion_net *shared)
{
  const path_state *const p = &self->path;
  if (shared->level) {
    const int32_t at = p->at < 0 ? 0 : p->at;
    const double *const level = shared->level + (ptrdiff_t)at * shared->nmove;
    for (int32_t m = 0; m < shared->nmove; m++) {
      self->bound[m] = level[m];
    }
  } else {
    const double low = (p->lo - shared->middle) * shared->scale, from = low > -1 ? low : -1;
    const double high = (p->hi - shared->middle) * shared->scale, to = high < 1 ? high : 1;
    for (int32_t s = 0; s < shared->nshape; s++) {
      self->top[s] = series_most(shared->shape[s], shared->size[s], from, to);
      self->factor[s] = rng_e(self->top[s]);
    }
    for (int32_t m = 0; m < shared->nmove; m++) {
      self->bound[m] = shared->constant[m] * self->factor[shared->shape_of[m]];
    }
  }
  for (int32_t m = 0; m < shared->nmove; m++) {
    self->rate[m] = self->bound[m] * self->many[m];
  }
  rate_sum(self, shared->ndir);
  self->exact = p->lo == p->hi;
}

void motion_rates(motion_replica *self, const motion_net *shared)
{
  for (int32_t d = 0; d < shared->ndir; d++) {
    self->many[d] = many_of(self, shared, d);
    self->bound[d] = d < shared->nmove ? 0 : shared->constant[d];
    self->rate[d] = self->bound[d] * self->many[d];
  }
  bounds_set(self, shared);
}

/* --- windows --- */

/* What a band of this width costs, in windows a second: candidates in vain and windows. */
static double rung_cost(const motion_replica *self, const motion_net *shared, int32_t rung, double base)
{
  const double q = base > 0 ? self->gain / base * shared->width[rung] : 0;
  return base * q * (1 + q * (0.5 + q * (1.0 / 6 + q / 24))) + shared->pace[rung];
}

static void rung_choose(motion_replica *self, const motion_net *shared)
{
  double gain = 0;
  for (int32_t m = 0; m < shared->nmove; m++) {
    gain += self->rate[m] * shared->slope[shared->shape_of[m]];
  }
  const double q = self->total > 0 ? gain / self->total * shared->width[self->rung] : 0;
  const double shrink = 1 / (1 + q * (1 + q * (0.5 + q / 6)));
  self->gain = gain * shrink;
  const double base = self->total * shrink, now = rung_cost(self, shared, self->rung, base);
  if (self->rung + 1 < shared->rungs && rung_cost(self, shared, self->rung + 1, base) < now) {
    self->rung++;
  } else if (self->rung > 0 && rung_cost(self, shared, self->rung - 1, base) < now) {
    self->rung--;
  }
}

/* Of a whole period. */
static double motion_hazard(const motion_replica *self, const motion_net *shared)
{
  const double *const mean = shared->level + (ptrdiff_t)shared->path->points * shared->nmove;
  double hazard = 0;
  for (int32_t d = 0; d < shared->ndir; d++) {
    hazard += (d < shared->nmove ? mean[d] : shared->constant[d]) * self->many[d];
  }
  return hazard * shared->path->period;
}

static void window_open(motion_replica *self, const motion_net *shared, double t_stop)
{
  if (shared->rungs > 0) {
    rung_choose(self, shared);
  }
  path_window(&self->path, shared->rungs > 0 ? shared->width[self->rung] : 0);
  self->windows++;
  self->tries = 0;
  bounds_set(self, shared);
  if (shared->level && shared->path->period > 0 && self->total * shared->path->period < STEPS_FAST) {
    steps_skip(&self->path, motion_hazard(self, shared), &self->left, t_stop);
  }
}

/* --- events --- */

void motion_tell(motion_replica *self, const motion_net *shared, double t, int32_t dir)
{
  if (self->log) {
    self->log->time[self->log->count] = t;
    self->log->dir[self->log->count++] = dir;
  }
  if (shared->phases == 0) {
    return;
  }
  const double turns = t / shared->period, part = turns - floor(turns);
  const int32_t at = (int32_t)(part * shared->phases);
  self->phase[(ptrdiff_t)(at < shared->phases ? at : shared->phases - 1) * 2 * shared->net->nstep + dir]++;
}

static void event_fire(motion_replica *self, const motion_net *shared, int32_t d)
{
  const ness_network *net = shared->net;
  const motion_event *const event = &shared->event[d];
  const int32_t dir = shared->dir[d], step = dir / 2, way = dir % 2 ? -1 : 1;
  if (shared->lnk_kind[step] == LNK_TAPE) {
    self->tape_medium += network_event_medium(net, step, way, self->n, self->after, self->scratch);
  }
  basis_now(self, shared);
  double *const flow = self->flow + (ptrdiff_t)step * shared->step_terms;
  for (int32_t k = 0; k < shared->step_terms; k++) {
    flow[k] += way * self->basis[k];
  }
  for (int32_t c = event->change_start; c < event->change_end; c++) {
    slot_settle(self, shared, shared->change[c].slot);
    self->n[shared->change[c].slot] += shared->change[c].by;
  }
  self->fired[dir]++;
  self->events++;
  motion_tell(self, shared, self->path.t, dir);
  for (int32_t i = event->touch_start; i < event->touch_end; i++) {
    const motion_touch *const touch = &shared->touch[i];
    const double many =
        touch->a < 0 ? many_of(self, shared, touch->at) : many_pair(self->n, touch->a, touch->b, touch->shift);
    self->many[touch->at] = many;
    self->rate[touch->at] = self->bound[touch->at] * many;
  }
  rate_sum(self, shared->ndir);
}

/* The direction in which a point of the total falls; the last open one where rounding left it behind the end. */
static int32_t candidate_pick(const motion_replica *self, int32_t ndir, double point)
{
  int32_t last = 0;
  for (int32_t d = 0; d < ndir; d++) {
    const double rate = self->rate[d];
    if (point < rate) {
      return d;
    }
    point -= rate;
    last = rate > 0 ? d : last;
  }
  return last;
}

static void candidate_try(motion_replica *self, const motion_net *shared)
{
  const int32_t d = candidate_pick(self, shared->ndir, rng_double(&self->rng) * self->total);
  bool accept = true;
  self->left = rng_exp(&self->rng);
  self->candidates++;
  if (d < shared->nmove && !self->exact) {
    const int32_t s = shared->shape_of[d];
    const double f = series_value(shared->shape[s], motion_x(self, shared));
    accept = rng_double(&self->rng) < rng_e(f - self->top[s]);
  }
  if (accept) {
    event_fire(self, shared, d);
  }
  if (++self->tries >= MOTION_TRIES && shared->rungs > 0) {
    self->path.open = false;
  }
}

/* --- in time --- */

void motion_replica_start(motion_replica *self, const motion_net *shared, uint64_t seed, int64_t index)
{
  const ness_network *net = shared->net;
  rng_init(&self->rng, seed, (uint32_t)index, 0);
  path_start(&self->path, shared->path, seed, index, 0);
  memcpy(self->n, net->slot_start, (size_t)net->nslot * sizeof *self->n);
  self->n[net->nslot] = 1;
  self->left = rng_exp(&self->rng);
  self->rung = shared->rungs > MOTION_RUNG_FIRST ? MOTION_RUNG_FIRST : 0;
  self->total = 0;
  self->state = 0;
  self->log = NULL;
  memset(self->rate, 0, (size_t)shared->ndir * sizeof *self->rate);
  for (int32_t d = 0; d < shared->ndir; d++) {
    self->many[d] = many_of(self, shared, d);
    self->bound[d] = d < shared->nmove ? 0 : shared->constant[d];
    self->rate[d] = self->bound[d] * self->many[d];
  }
  motion_clear(self, shared);
}

static motion_pause bad_rate(motion_replica *self, const motion_net *shared)
{
  self->bad_dir = 0;
  for (int32_t d = 0; d < shared->ndir; d++) {
    if (!(self->rate[d] >= 0 && self->rate[d] <= DBL_MAX)) {
      self->bad_dir = shared->dir[d];
      break;
    }
  }
  return MOTION_BAD_RATE;
}

static bool motion_outside(const motion_replica *self, const motion_net *shared)
{
  return !(self->path.u >= shared->law->u_lo && self->path.u <= shared->law->u_hi);
}

motion_pause motion_advance(motion_replica *self, const motion_net *shared, double t_stop, int64_t looks)
{
  path_state *const p = &self->path;
  if (motion_outside(self, shared)) {
    return MOTION_OUTSIDE;
  }
  if (shared->few) {
    return few_advance(self, shared, t_stop, looks);
  }
  if (shared->steps) {
    return steps_advance(self, shared, t_stop, looks);
  }
  while (p->t < t_stop) {
    if (looks-- == 0) {
      return MOTION_BUSY;
    }
    if (!p->open) {
      window_open(self, shared, t_stop);
    }
    if (!(self->total <= DBL_MAX)) {
      return bad_rate(self, shared);
    }
    const double before = p->t, wait = self->total > 0 ? self->left / self->total : (double)INFINITY;
    const bool candidate = before + wait <= t_stop;
    const double target = candidate ? before + wait : t_stop;
    const bool still = shared->level && target < p->t_end; /* u stands: no need to ask the path */
    if (still) {
      p->t = target;
    }
    const bool inside = still || path_advance(p, target);
    if (!still && motion_outside(self, shared)) {
      return MOTION_OUTSIDE;
    }
    if (inside && candidate) {
      candidate_try(self, shared);
    } else {
      const double left = self->left - self->total * (p->t - before);
      self->left = left > 0 ? left : 0;
    }
  }
  return MOTION_AT_TIME;
}
