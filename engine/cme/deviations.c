/* Large deviations of a counted current: lambda(s) = lim 1/t ln <exp(s N)>, the dominant eigenvalue of the tilted
 * generator, whose transitions have the rates a exp(s w) (Lebowitz and Spohn, J. Stat. Phys. 95, 333 (1999)), by
 * markov/perron.h. With its right eigenvector r the rates a exp(s w) r_j / r_i are those of a chain that does typically
 * what s makes typical; the slope is its mean of w, from its steady distribution. Copies that reservoirs make and
 * remove enter by Poisson processes and count by themselves: lambda = sum nu (exp(s w) (1 + z) - 1), where 1 + z is the
 * mean of exp(s N) over what a copy still counts, the solution of a linear system with the tilted matrix inside. That
 * is solved from the last places of a copy's way to the first, by strongly connected blocks; in each the right
 * eigenvector x turns the matrix into that of a chain which is left from everywhere at the rate -root. Where a root is
 * not below zero the mean is infinite. Certified: eigenvalues by Collatz-Wielandt quotients; linear systems by |z -
 * exact| <= x max |residual_i| / (x_i |root|); the rounding of tilted rates is added. Cost: perron_find for each s and
 * block. */
#include "engine/cme/ergodic.h"
#include "engine/cme/noise.h"
#include "engine/cme/space.h"
#include "engine/markov/perron.h"
#include "engine/markov/sum.h"
#include <float.h>
#include <math.h>
#include <string.h>

typedef struct block {      /* strongly connected states */
  int32_t n, *state;        /* (n) ids in the part */
  chain q;                  /* among them, without loops; rates tilted */
  int64_t *edge;            /* (q.start[n]) ids in the part */
  double *diagonal, *right; /* (n); right is kept from s to s */
} block;

typedef struct tilt {
  const ness_network *net;
  const cme_part *part;
  const double *weight; /* (2 nstep) */
  double s, rounding;   /* relative, of a tilted rate */
  int32_t nblock;
  block *blocks; /* those that lead nowhere else first */
  /* CME_OPEN, by state, 0 outside: 1 + z is the mean of exp(s N), z_s its derivative, and the bound on z's error */
  double *z, *slope, *error;
} tilt;

typedef struct point {
  double value, slope, error;
} point;

static double tilted(const tilt *self, int64_t e)
{
  const double w = self->weight[self->part->dir[e]];
  return w == 0 ? self->part->q.rate[e] : self->part->q.rate[e] * exp(self->s * w);
}

/* --- blocks --- */

static void block_free(block *self)
{
  mem_free(self->state);
  chain_free(&self->q);
  mem_free(self->edge);
  mem_free(self->diagonal);
  mem_free(self->right);
  *self = (block){0};
}

/* `local` (states of the part) is scratch, all -1 before and after. */
static ness_status block_fill(const cme_part *part, const int32_t *state, int32_t n, int32_t *local, block *out)
{
  int64_t room = 0;
  for (int32_t k = 0; k < n; k++) room += part->q.start[state[k] + 1] - part->q.start[state[k]];
  out->n = n;
  out->state = mem_zero((size_t)n, sizeof *out->state);
  out->edge = mem_zero((size_t)room + 1, sizeof *out->edge);
  out->diagonal = mem_zero((size_t)n, sizeof *out->diagonal);
  out->right = mem_zero((size_t)n, sizeof *out->right);
  if (!out->state || !out->edge || !out->diagonal || !out->right) return NESS_NOMEM;
  const ness_status status = chain_create(n, room, false, &out->q);
  if (status) return status;
  for (int32_t k = 0; k < n; k++) local[state[k]] = k;
  int64_t end = 0;
  for (int32_t k = 0; k < n; k++) {
    out->state[k] = state[k];
    for (int64_t e = part->q.start[state[k]]; e < part->q.start[state[k] + 1]; e++) {
      const int32_t to = local[part->q.to[e]];
      if (to < 0 || to == k) continue;
      out->edge[end] = e;
      out->q.to[end++] = to;
    }
    out->q.start[k + 1] = end;
  }
  for (int32_t k = 0; k < n; k++) local[state[k]] = -1;
  return NESS_OK;
}

/* The strongly connected blocks of the states inside: what is closed is taken off until nothing is left. */
static ness_status blocks_peel(tilt *self, const ergodic *states, int32_t *local, int32_t *place)
{
  const cme_part *const part = self->part;
  int32_t left = states->n;
  int32_t *const rest = mem_zero((size_t)left + 1, sizeof *rest), *const own = mem_zero((size_t)left + 1, sizeof *own);
  ness_status status = rest && own ? NESS_OK : NESS_NOMEM;
  for (int32_t k = 0; status == NESS_OK && k < left; k++) rest[k] = states->state[k];
  while (status == NESS_OK && left > 0) {
    chain among = {0};
    chain_classes found = {0};
    status = interrupt_pending() ? NESS_INTERRUPTED : chain_part(&part->q, rest, left, false, place, &among);
    if (status == NESS_OK) status = chain_classes_find(&among, &found);
    for (int32_t c = 0; status == NESS_OK && c < found.count; c++) {
      const int32_t n = found.start[c + 1] - found.start[c];
      for (int32_t k = 0; k < n; k++) own[k] = rest[found.state[found.start[c] + k]];
      status = block_fill(part, own, n, local, &self->blocks[self->nblock++]);
    }
    int32_t kept = 0;
    for (int32_t k = 0; status == NESS_OK && k < left; k++) {
      if (found.of[k] < 0) rest[kept++] = rest[k];
    }
    left = kept;
    chain_free(&among);
    chain_classes_free(&found);
  }
  mem_free(rest);
  mem_free(own);
  return status;
}

static void tilt_free(tilt *self)
{
  for (int32_t b = 0; self->blocks && b < self->nblock; b++) block_free(&self->blocks[b]);
  mem_free(self->blocks);
  mem_free(self->z);
  mem_free(self->slope);
  mem_free(self->error);
}

static ness_status tilt_create(const ness_network *net, const cme_part *part, const double *weight, ness_diags *diags,
                               tilt *out)
{
  *out = (tilt){.net = net, .part = part, .weight = weight};
  ergodic states = {0};
  const size_t n = (size_t)part->q.n + 1;
  ness_status status = ergodic_create(net, part, diags, &states);
  if (status) return status;
  int32_t *const local = mem_zero(n, sizeof *local), *const place = mem_zero(n, sizeof *place);
  out->blocks = mem_zero((size_t)states.n + 1, sizeof *out->blocks);
  out->z = mem_zero(n, sizeof *out->z);
  out->slope = mem_zero(n, sizeof *out->slope);
  out->error = mem_zero(n, sizeof *out->error);
  if (!local || !place || !out->blocks || !out->z || !out->slope || !out->error) status = NESS_NOMEM;
  for (int32_t i = 0; status == NESS_OK && i < part->q.n; i++) local[i] = -1;
  if (status == NESS_OK && part->kind == CME_OPEN) {
    status = blocks_peel(out, &states, local, place);
  } else if (status == NESS_OK) {
    out->nblock = 1;
    status = block_fill(part, states.state, states.n, local, &out->blocks[0]);
  }
  ergodic_free(&states);
  mem_free(local);
  mem_free(place);
  if (status) tilt_free(out);
  return status;
}

/* --- eigenvalues --- */

/* Rates and diagonal at s. False when a rate is not finite. */
static bool block_tilt(const tilt *self, block *b)
{
  const cme_part *const part = self->part;
  bool finite = true;
  for (int64_t k = 0; k < b->q.start[b->n]; k++) {
    b->q.rate[k] = fmax(tilted(self, b->edge[k]), DBL_MIN);
    finite = finite && isfinite(b->q.rate[k]);
  }
  for (int32_t k = 0; k < b->n; k++) {
    const int32_t i = b->state[k];
    exact_sum sum = {0, 0};
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const double rate = part->q.rate[e];
      const double term = part->q.to[e] == i ? rate * expm1(self->s * self->weight[part->dir[e]]) : -rate;
      finite = finite && isfinite(term);
      if (finite && term != 0) sum_add(&sum, term);
    }
    b->diagonal[k] = sum_get(&sum);
  }
  return finite;
}

/* The dominant eigenvalue of a block with its right vector, and the certified bounds with the rounding of rates in
 * them. */
static ness_status block_root(const tilt *self, block *b, perron *out)
{
  double most = 0;
  for (int32_t k = 0; k < b->n; k++) most = fmax(most, fabs(b->diagonal[k]));
  ness_status status = NESS_OK;
  if (b->n == 1) {
    *out = (perron){.value = b->diagonal[0], .low = b->diagonal[0], .high = b->diagonal[0]};
    b->right[0] = 1;
  } else {
    status = perron_find(&b->q, b->diagonal, 0, b->right, NULL, out);
    if (status) memset(b->right, 0, (size_t)b->n * sizeof *b->right); /* no guess for the next s */
  }
  /* Rates that are off by a factor 1 + r change the value by r (value + most) at most. */
  const double off = self->rounding * (fabs(out->value) + 2 * most);
  out->low -= off;
  out->high += off;
  return status;
}

/* The rates of a block times right_j / right_i; with exits -root, or none. */
static ness_status block_scale(const block *b, const perron *root, chain *out)
{
  const ness_status status = chain_create(b->n, b->q.start[b->n], root != NULL, out);
  for (int32_t k = 0; status == NESS_OK && k < b->n; k++) {
    out->start[k + 1] = b->q.start[k + 1];
    if (root) out->exit[k] = -root->value;
    for (int64_t e = b->q.start[k]; e < b->q.start[k + 1]; e++) {
      out->to[e] = b->q.to[e];
      out->rate[e] = fmax(b->q.rate[e] * (b->right[b->q.to[e]] / b->right[k]), DBL_MIN);
    }
  }
  return status;
}

/* --- closed classes --- */

/* The current that s makes typical. */
static ness_status block_slope(const tilt *self, const block *b, double *out)
{
  const cme_part *const part = self->part;
  chain typical = {0};
  solver *made = NULL;
  ness_status status = block_scale(b, NULL, &typical);
  if (status == NESS_OK && b->n > 1) status = solver_create(&typical, NULL, NULL, &made);
  exact_sum slope = {0, 0};
  for (int32_t k = 0; k < b->n && status == NESS_OK; k++) {
    const int32_t i = b->state[k];
    const double p = made ? solver_steady(made)[k] : 1;
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const double w = self->weight[part->dir[e]];
      if (w == 0) continue;
      sum_add(&slope, p * tilted(self, e) * (self->z[part->q.to[e]] / self->z[i]) * w); /* z is the right vector */
    }
  }
  *out = sum_get(&slope);
  solver_free(made);
  chain_free(&typical);
  return status;
}

/* lambda p r = p (Q(s) - Q) r holds for the right vector r, as p Q = 0: next to s = 0 that keeps the figures which the
 * diagonal drowns. It is taken as far as the certified bounds allow. */
static ness_status point_closed(tilt *self, point *out)
{
  const cme_part *const part = self->part;
  block *const b = &self->blocks[0];
  perron root = {0};
  if (!block_tilt(self, b)) return NESS_NUMERIC;
  const ness_status status = block_root(self, b, &root);
  if (status) return status;
  double *const r = self->z; /* by state: what is not in the class has p = 0 */
  exact_sum value = {0, 0}, weight = {0, 0};
  for (int32_t k = 0; k < b->n; k++) r[b->state[k]] = b->right[k];
  for (int32_t k = 0; k < b->n; k++) {
    const int32_t i = b->state[k];
    sum_add(&weight, part->p[i] * r[i]);
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const double w = self->weight[part->dir[e]];
      if (w != 0) sum_add(&value, part->p[i] * part->q.rate[e] * expm1(self->s * w) * r[part->q.to[e]]);
    }
  }
  out->value = sum_get(&value) / sum_get(&weight);
  if (!(out->value >= root.low)) out->value = root.low;
  if (!(out->value <= root.high)) out->value = root.high;
  out->error = fmax(out->value - root.low, root.high - out->value);
  return block_slope(self, b, &out->slope);
}

/* --- copies that come and go --- */

/* b of -Q(s) z = b, without what comes from the block itself: (Q(s) - Q) 1 and the z of blocks behind. */
static double block_source(const tilt *self, const block *b, int32_t k, const int32_t *in, double *size)
{
  const cme_part *const part = self->part;
  const int32_t i = b->state[k];
  exact_sum sum = {0, 0};
  for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
    const int32_t to = part->q.to[e];
    const double tilt_of = part->q.rate[e] * expm1(self->s * self->weight[part->dir[e]]);
    const double rate = tilted(self, e), behind = in[to] ? 0 : rate * self->z[to];
    sum_add(&sum, tilt_of);
    sum_add(&sum, behind);
    *size += fabs(tilt_of) + fabs(behind) + (in[to] ? 0 : rate * self->error[to] / self->rounding);
  }
  return sum_get(&sum);
}

/* y <- y (-Q(s))^-1 within a block, by the scaled chain. */
static ness_status block_solve(const block *b, solver *scaled, double *y)
{
  if (!scaled) {
    y[0] /= -b->diagonal[0];
    return NESS_OK;
  }
  for (int32_t k = 0; k < b->n; k++) y[k] /= b->right[k];
  const ness_status status = solver_right(scaled, y);
  for (int32_t k = 0; k < b->n; k++) y[k] *= b->right[k];
  return status;
}

/* z of a block with its error, then its derivative. `in` flags the states of the block, `size` (n) is work space. */
static ness_status block_moments(tilt *self, block *b, const perron *root, solver *scaled, const int32_t *in,
                                 double *size, double *y)
{
  const cme_part *const part = self->part;
  for (int32_t k = 0; k < b->n; k++) {
    size[k] = 0;
    y[k] = block_source(self, b, k, in, &size[k]);
  }
  ness_status status = block_solve(b, scaled, y);
  double worst = 0;
  for (int32_t k = 0; k < b->n && status == NESS_OK; k++) self->z[b->state[k]] = y[k];
  for (int32_t k = 0; k < b->n && status == NESS_OK; k++) { /* residuals, with the rounding of their terms */
    double again = fabs(b->diagonal[k] * y[k]);
    exact_sum residual = {0, 0};
    sum_add(&residual, block_source(self, b, k, in, &again));
    sum_add(&residual, b->diagonal[k] * y[k]);
    for (int64_t e = b->q.start[k]; e < b->q.start[k + 1]; e++) {
      sum_add(&residual, b->q.rate[e] * y[b->q.to[e]]);
      again += fabs(b->q.rate[e] * y[b->q.to[e]]);
    }
    worst = fmax(worst, (fabs(sum_get(&residual)) + self->rounding * again) / (b->right[k] * -root->high));
  }
  for (int32_t k = 0; k < b->n && status == NESS_OK; k++) {
    const int32_t i = b->state[k];
    self->error[i] = worst * b->right[k];
    exact_sum sum = {0, 0};
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const int32_t to = part->q.to[e];
      const double w = self->weight[part->dir[e]];
      sum_add(&sum, tilted(self, e) * (w * (1 + self->z[to]) + (in[to] ? 0 : self->slope[to])));
    }
    y[k] = sum_get(&sum);
  }
  if (status == NESS_OK) status = block_solve(b, scaled, y);
  for (int32_t k = 0; k < b->n && status == NESS_OK; k++) self->slope[b->state[k]] = y[k];
  return status;
}

/* One block, from the blocks behind it. *decays is false where the mean is infinite. */
static ness_status block_run(tilt *self, block *b, int32_t *in, bool *decays)
{
  perron root = {0};
  chain scaled = {0};
  solver *solves = NULL;
  double *const room = mem_zero(2 * (size_t)b->n, sizeof *room);
  ness_status status = !room ? NESS_NOMEM : block_tilt(self, b) ? NESS_OK : NESS_NUMERIC;
  if (status == NESS_OK) status = block_root(self, b, &root);
  *decays = status == NESS_OK && root.high < 0;
  if (*decays && b->n > 1) {
    status = block_scale(b, &root, &scaled);
    if (status == NESS_OK) status = solver_create(&scaled, NULL, NULL, &solves);
  }
  for (int32_t k = 0; k < b->n; k++) in[b->state[k]] = 1;
  if (status == NESS_OK && *decays) status = block_moments(self, b, &root, solves, in, room, room + b->n);
  for (int32_t k = 0; k < b->n; k++) in[b->state[k]] = 0;
  solver_free(solves);
  chain_free(&scaled);
  mem_free(room);
  return status;
}

static ness_status point_open(tilt *self, point *out)
{
  const cme_part *const part = self->part;
  int32_t *const in = mem_zero((size_t)part->q.n + 1, sizeof *in);
  ness_status status = in ? NESS_OK : NESS_NOMEM;
  bool decays = true;
  for (int32_t b = 0; status == NESS_OK && decays && b < self->nblock; b++) {
    status = block_run(self, &self->blocks[b], in, &decays);
  }
  mem_free(in);
  if (status) return status;
  if (!decays) {
    *out = (point){INFINITY, NAN, 0};
    return NESS_OK;
  }
  exact_sum value = {0, 0}, slope = {0, 0}, error = {0, 0};
  for (int64_t e = part->q.start[0]; e < part->q.start[1]; e++) {
    const int32_t to = part->q.to[e];
    const double w = self->weight[part->dir[e]], rate = tilted(self, e);
    const double own = part->q.rate[e] * expm1(self->s * w), later = rate * self->z[to];
    sum_add(&value, own);
    sum_add(&value, later);
    sum_add(&slope, rate * (w * (1 + self->z[to]) + self->slope[to]));
    sum_add(&error, rate * self->error[to] + self->rounding * (fabs(own) + fabs(later)));
  }
  *out = (point){sum_get(&value), sum_get(&slope), sum_get(&error)};
  return isfinite(out->value) ? NESS_OK : NESS_NUMERIC;
}

/* --- the whole network --- */

/* What a part adds to the points. */
static ness_status deviations_part(const ness_network *net, const cme_part *part, const double *weight,
                                   ness_diags *diags, deviations *out)
{
  tilt self;
  double heaviest = 0;
  for (int32_t k = 0; k < part->nstep; k++) {
    heaviest = fmax(heaviest, fmax(fabs(weight[2 * part->step[k]]), fabs(weight[2 * part->step[k] + 1])));
  }
  if (heaviest == 0) return NESS_OK; /* nothing of the current flows here */
  ness_status status = tilt_create(net, part, weight, diags, &self);
  if (status) return status;
  const double copies = part->kind == CME_COPIES ? (double)part->copies : 1;
  for (int32_t k = 0; status == NESS_OK && k < out->n; k++) {
    point at = {0};
    self.s = out->s[k];
    self.rounding = (8 + fabs(self.s) * heaviest) * DBL_EPSILON;
    if (interrupt_pending()) status = NESS_INTERRUPTED;
    if (status == NESS_OK) status = part->kind == CME_OPEN ? point_open(&self, &at) : point_closed(&self, &at);
    if (status == NESS_NUMERIC) {
      char name[160];
      part_describe(net, part, name);
      diag_add(diags, NESS_ERROR, "%s: no growth rate of exp(s N) could be had at s = %.6g", name, self.s);
      diag_hint(diags, "rates and exp(s times what an event counts) must stay within the range of a double");
    }
    out->value[k] += copies * at.value;
    out->slope[k] += copies * at.slope;
    out->error[k] += copies * at.error;
  }
  tilt_free(&self);
  return status;
}

ness_status noise_deviations(const ness_network *net, const cme_solution *solution, const double *weight, int32_t n,
                             const double *s, ness_diags *diags, deviations *out)
{
  const size_t room = (size_t)n + 1;
  ness_status status = NESS_NOMEM;
  *out = (deviations){.n = n};
  out->s = mem_zero(room, sizeof *out->s);
  out->value = mem_zero(room, sizeof *out->value);
  out->slope = mem_zero(room, sizeof *out->slope);
  out->rate = mem_zero(room, sizeof *out->rate);
  out->error = mem_zero(room, sizeof *out->error);
  if (!out->s || !out->value || !out->slope || !out->rate || !out->error) goto out;
  status = NESS_OK;
  for (int32_t k = 0; k < n; k++) out->s[k] = s[k];
  for (int32_t p = 0; status == NESS_OK && p < solution->nparts; p++) {
    status = deviations_part(net, &solution->parts[p], weight, diags, out);
  }
  for (int32_t k = 0; k < n; k++) out->rate[k] = out->s[k] * out->slope[k] - out->value[k];
out:
  if (status) deviations_free(out);
  return status;
}

void deviations_free(deviations *self)
{
  mem_free(self->s);
  mem_free(self->value);
  mem_free(self->slope);
  mem_free(self->rate);
  mem_free(self->error);
  *self = (deviations){0};
}
