/* The levels of levels.h: scaling of the chain by weights, Galerkin coarsening, transposes, and the elimination of the
 * coarsest. Invariant: flows are sums of positive numbers, and what leaves a state of a coarse level is summed from the
 * very values that are stored, so that its columns add up to zero as well as single precision lets them. Elimination
 * after Grassmann, Taksar and Heyman, Oper. Res. 33, 1107 (1985). Cost: a few passes over the transitions of each
 * level; the numbers of a row are accumulated by one thread in one order. */
#include "engine/markov/levels.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A transition is never lost to underflow. One that is raised to this makes a rare state rarer on the levels below, so
 * states that leave straight for states 1e37 times as likely may keep the iteration from converging. */
static const float VALUE_LEAST = 1e-37F;
static const double WEIGHT_DECADES = 20;
static const int64_t WIDE_LEAST = 500000;

static void level_free(level *self, int32_t borrowed)
{
  for (int side = 0; side < 2; side++) {
    if (!(borrowed & 1 << side)) {
      mem_free(self->side[side].start);
      mem_free(self->side[side].to);
    }
    mem_free(self->side[side].value);
  }
  mem_free(self->stage_start);
  mem_free(self->chunk);
  mem_free(self->in);
  mem_free(self->gain);
  mem_free(self->coarse);
  mem_free(self->member_start);
  mem_free(self->member);
  mem_free(self->weight);
  mem_free(self->norm);
  for (int k = 0; k < 7; k++) mem_free(self->vector[k]);
  *self = (level){0};
}

void levels_drop(hierarchy *self, int32_t from)
{
  for (int32_t l = from; l < LEVELS_MOST; l++) level_free(&self->at[l], l == 0 ? self->borrowed : 0);
  if (from == 0) self->borrowed = 0;
  self->count = self->count < from ? self->count : from;
}

void levels_free(hierarchy *self)
{
  levels_drop(self, 0);
  mem_free(self->dense);
  mem_free(self->scratch);
  *self = (hierarchy){0};
}

size_t levels_bytes(const hierarchy *self)
{
  size_t bytes = 0;
  for (int32_t l = 0; l < self->count; l++) {
    const level *a = &self->at[l];
    const size_t n = (size_t)a->n, edges = (size_t)a->side[0].start[a->n];
    if (a->side[0].value) bytes += edges * (l ? 8 : 4) + (l ? 8 * n : 0);
    if (a->side[1].value) bytes += edges * 8 + n * 8;
    bytes += n * (8 + 4) + (a->coarse ? n * 16 : 0);
    for (int k = 0; k < 7; k++) bytes += a->vector[k] ? 4 * n : 0;
  }
  return bytes + (self->dense ? (size_t)LEVELS_DENSE * LEVELS_DENSE * 8 : 0);
}

/* Puts every chunk into the first stage after those of the lower chunks it shares transitions with. */
static ness_status level_stages(level *self)
{
  const level_rows rows = self->side[0];
  const int32_t chunks = (self->n - 1) / LEVELS_CHUNK + 1;
  mem_free(self->stage_start);
  mem_free(self->chunk);
  self->stages = 0;
  self->stage_start = mem_zero((size_t)chunks + 2, sizeof *self->stage_start);
  self->chunk = mem_alloc((size_t)chunks * sizeof *self->chunk);
  int32_t *const stage = mem_zero((size_t)chunks, sizeof *stage);
  const bool fine = self->stage_start && self->chunk && stage;
  for (int32_t c = 0; fine && c < chunks; c++) {
    const int64_t first = (int64_t)c * LEVELS_CHUNK,
                  last = first + LEVELS_CHUNK < self->n ? first + LEVELS_CHUNK : self->n;
    for (int64_t e = rows.start[first]; e < rows.start[last]; e++) {
      const int32_t d = rows.to[e] / LEVELS_CHUNK;
      if (d < c && stage[d] >= stage[c]) stage[c] = stage[d] + 1;
    }
    for (int64_t e = rows.start[first]; e < rows.start[last]; e++) {
      const int32_t d = rows.to[e] / LEVELS_CHUNK;
      if (d > c && stage[d] <= stage[c]) stage[d] = stage[c] + 1;
    }
    self->stage_start[stage[c] + 2] += 1;
    self->stages = stage[c] >= self->stages ? stage[c] + 1 : self->stages;
  }
  for (int32_t s = 0; fine && s < self->stages; s++) self->stage_start[s + 2] += self->stage_start[s + 1];
  for (int32_t c = 0; fine && c < chunks; c++) self->chunk[self->stage_start[stage[c] + 1]++] = c;
  mem_free(stage);
  return fine ? NESS_OK : NESS_NOMEM;
}

/* Of level 0 only the last vector is used. */
static bool level_vectors(level *self, int first)
{
  bool fine = true;
  self->wide = self->n + self->side[0].start[self->n] > WIDE_LEAST;
  for (int k = first; k < 7; k++) {
    if (!self->vector[k]) self->vector[k] = mem_alloc(((size_t)self->n + 1) * sizeof(float));
    fine = fine && self->vector[k];
  }
  if (first > 0) return fine;
  if (!self->norm) self->norm = mem_alloc(((size_t)self->n + 1) * sizeof(float));
  return fine && self->norm;
}

ness_status levels_blank(hierarchy *self, int32_t n, int64_t edges)
{
  level *const a = &self->at[0];
  const size_t room = (size_t)n + 1;
  levels_drop(self, 0);
  a->n = n;
  a->side[0].start = mem_zero(room, sizeof *a->side[0].start);
  a->side[0].to = mem_alloc(((size_t)edges + 1) * sizeof *a->side[0].to);
  a->side[0].value = mem_alloc(((size_t)edges + 1) * sizeof *a->side[0].value);
  a->in = mem_alloc(room * sizeof *a->in);
  a->gain = mem_alloc(room * sizeof *a->gain);
  self->count = 1;
  const bool fine = a->side[0].start && a->side[0].to && a->side[0].value && a->in && a->gain;
  if (!fine) return NESS_NOMEM;
  a->side[0].start[n] = edges;
  return level_vectors(a, 6) ? NESS_OK : NESS_NOMEM;
}

ness_status levels_scale(hierarchy *self, const chain *in, const double *exit, const double *p)
{
  level *const a = &self->at[0];
  const int32_t n = in->n;
  const size_t room = (size_t)n + 1;
  if (!a->in) {
    a->n = n;
    a->side[0].start = in->start;
    a->side[0].to = in->to;
    self->borrowed |= 1;
    self->count = 1;
    a->side[0].value = mem_alloc(((size_t)in->start[n] + 1) * sizeof(float));
    a->in = mem_alloc(room * sizeof *a->in);
    a->gain = mem_alloc(room * sizeof *a->gain);
    if (!a->side[0].value || !a->in || !a->gain || !level_vectors(a, 6) || level_stages(a)) return NESS_NOMEM;
  }
  int bad = 0;
#pragma omp parallel for schedule(static) reduction(| : bad) if (n > LEVELS_SERIAL)
  for (int32_t j = 0; j < n; j++) {
    double sum = 0;
    for (int64_t e = in->start[j]; e < in->start[j + 1]; e++) sum += in->rate[e] * p[in->to[e]];
    const double scale = 1 / sum, gain = exit[j] * p[j] * scale;
    bad |= !(sum > DBL_MIN && scale > 0 && gain > 0 && gain < HUGE_VAL);
    for (int64_t e = in->start[j]; e < in->start[j + 1]; e++) {
      a->side[0].value[e] = fmaxf((float)(in->rate[e] * p[in->to[e]] * scale), VALUE_LEAST);
    }
    a->in[j] = sum;
    a->gain[j] = (float)fmin(fmax(gain, VALUE_LEAST), FLT_MAX);
  }
  return bad ? NESS_NUMERIC : NESS_OK;
}

/* Lists the states of every aggregate. */
static ness_status level_group(level *self, int32_t count)
{
  const size_t room = (size_t)self->n + 1;
  mem_free(self->member_start);
  mem_free(self->member);
  self->member_start = mem_zero((size_t)count + 2, sizeof *self->member_start);
  self->member = mem_alloc(room * sizeof *self->member);
  if (!self->weight) self->weight = mem_alloc(room * sizeof *self->weight);
  if (!self->member_start || !self->member || !self->weight) return NESS_NOMEM;
  int32_t *const start = self->member_start + 1; /* start[a] runs to the end of a and is then where a begins */
  for (int32_t j = 0; j < self->n; j++) start[self->coarse[j] + 1] += 1;
  for (int32_t a = 0; a < count; a++) start[a + 1] += start[a];
  for (int32_t j = 0; j < self->n; j++) self->member[start[self->coarse[j]]++] = j;
  return NESS_OK;
}

/* Row a of the level below: distinct origins into `to`, their flows into `flow` (both NULL: only counted). mark[b] is
 * the place of b in a row that began at `base`; places below base are stale. */
static int64_t row_gather(const level *self, const double *u, int32_t a, int64_t base, int64_t *mark, int32_t *to,
                          double *flow)
{
  int64_t end = base;
  for (int32_t k = self->member_start[a]; k < self->member_start[a + 1]; k++) {
    const int32_t j = self->member[k];
    const double in = self->in[j];
    for (int64_t e = self->side[0].start[j]; e < self->side[0].start[j + 1]; e++) {
      const int32_t i = self->side[0].to[e], b = self->coarse[i];
      if (b == a) continue;
      if (mark[b] < base) {
        mark[b] = end;
        if (to) {
          to[end - base] = b;
          flow[end - base] = 0;
        }
        end += 1;
      }
      if (to) flow[mark[b] - base] += (double)self->side[0].value[e] * in * (u ? u[i] : 1);
    }
  }
  return end - base;
}

typedef struct gather { /* what the threads share */
  const level *fine;
  const double *u;
  level *coarse;
  int32_t widest;
} gather;

/* Counts (fill false) or fills the rows of the level below. Every thread has its own marks. */
static ness_status rows_gather(gather *self, bool fill)
{
  level *const c = self->coarse;
  const int32_t n = c->n;
  int failed = 0, bad = 0;
  int32_t widest = 0;
#pragma omp parallel reduction(| : failed, bad) reduction(max : widest) if (self->fine->wide)
  {
    int64_t *mark = mem_alloc(((size_t)n + 1) * sizeof *mark);
    double *flow = fill ? mem_alloc(((size_t)self->widest + 1) * sizeof *flow) : NULL;
    failed = !mark || (fill && !flow);
    if (!failed) {
      for (int32_t a = 0; a < n; a++) mark[a] = -1;
      int64_t base = 0;
#pragma omp for schedule(dynamic, 512)
      for (int32_t a = 0; a < n; a++) {
        if (!fill) {
          const int64_t count = row_gather(self->fine, self->u, a, base, mark, NULL, NULL);
          base += count;
          c->side[0].start[a + 1] = count;
          widest = count > widest ? (int32_t)count : widest;
          continue;
        }
        int32_t *const to = c->side[0].to + c->side[0].start[a];
        float *const value = c->side[0].value + c->side[0].start[a];
        const int64_t count = row_gather(self->fine, self->u, a, base, mark, to, flow);
        base += count;
        double in = 0;
        for (int64_t k = 0; k < count; k++) in += flow[k];
        const double scale = 1 / in;
        bad |= !(in > DBL_MIN && scale > 0);
        c->in[a] = in;
        for (int64_t k = 0; k < count; k++) value[k] = fmaxf((float)(flow[k] * scale), VALUE_LEAST);
      }
    }
    mem_free(mark);
    mem_free(flow);
  }
  self->widest = widest;
  return failed ? NESS_NOMEM : bad ? NESS_NUMERIC : NESS_OK;
}

/* Weighted by the inflow B / in has a positive definite symmetric part, and GCR cannot stall. Where inflows span many
 * decades the weights are compressed, lest residuals of rare states count for nothing. */
static void level_weigh(level *self)
{
  double most = 0, least = HUGE_VAL;
  for (int32_t a = 0; a < self->n; a++) {
    most = fmax(most, self->in[a]);
    least = fmin(least, self->in[a]);
  }
  const double decades = log10(most) - log10(least), power = decades > WEIGHT_DECADES ? WEIGHT_DECADES / decades : 1;
  for (int32_t a = 0; a < self->n; a++) {
    const double share = self->in[a] / most;
    self->norm[a] = (float)(power < 1 ? pow(share, power) : share);
  }
}

/* Outflows from the values stored, and the shares of the states in the inflow of their aggregates. */
static ness_status level_balance(level *fine, level *c)
{
  double *const out = mem_zero((size_t)c->n + 1, sizeof *out);
  if (!out) return NESS_NOMEM;
  for (int32_t a = 0; a < c->n; a++) {
    const double in = c->in[a];
    for (int64_t e = c->side[0].start[a]; e < c->side[0].start[a + 1]; e++) {
      out[c->side[0].to[e]] += (double)c->side[0].value[e] * in;
    }
  }
  for (int32_t a = 0; a < c->n; a++) c->gain[a] = (float)fmin(fmax(out[a] / c->in[a], VALUE_LEAST), FLT_MAX);
  mem_free(out);
  level_weigh(c);
#pragma omp parallel for schedule(static) if (fine->n > LEVELS_SERIAL)
  for (int32_t j = 0; j < fine->n; j++) fine->weight[j] = (float)fmin(fine->in[j] / c->in[fine->coarse[j]], FLT_MAX);
  return NESS_OK;
}

ness_status levels_coarsen(hierarchy *self, int32_t l, const double *u, bool keep)
{
  level *const fine = &self->at[l], *const c = &self->at[l + 1];
  const bool fresh = !keep || !fine->coarse;
  ness_status status = NESS_OK;
  if (fresh) {
    int32_t count = 0;
    levels_drop(self, l + 1);
    if (!fine->coarse) fine->coarse = mem_alloc(((size_t)fine->n + 1) * sizeof *fine->coarse);
    status = fine->coarse ? aggregate_find(fine, fine->coarse, &count) : NESS_NOMEM;
    if (!status) status = level_group(fine, count);
    if (status) return status;
    c->n = count;
    const size_t room = (size_t)count + 1;
    c->side[0].start = mem_zero(room, sizeof *c->side[0].start);
    c->in = mem_alloc(room * sizeof *c->in);
    c->gain = mem_alloc(room * sizeof *c->gain);
    self->count = l + 2;
    if (!c->side[0].start || !c->in || !c->gain) return NESS_NOMEM;
  }
  gather g = {.fine = fine, .u = u, .coarse = c};
  if (fresh) {
    status = rows_gather(&g, false);
    if (status) return status;
    for (int32_t a = 0; a < c->n; a++) c->side[0].start[a + 1] += c->side[0].start[a];
    const size_t edges = (size_t)c->side[0].start[c->n] + 1;
    c->side[0].to = mem_alloc(edges * sizeof *c->side[0].to);
    c->side[0].value = mem_alloc(edges * sizeof *c->side[0].value);
    if (!c->side[0].to || !c->side[0].value || !level_vectors(c, 0)) return NESS_NOMEM;
  }
  g.widest = 0;
  for (int32_t a = 0; a < c->n; a++) {
    const int64_t width = c->side[0].start[a + 1] - c->side[0].start[a];
    g.widest = width > g.widest ? (int32_t)width : g.widest;
  }
  status = rows_gather(&g, true);
  if (!status && fresh) status = level_stages(c);
  return status ? status : level_balance(fine, c);
}

ness_status levels_build(hierarchy *self, bool keep)
{
  int32_t l = 0;
  ness_status status = self->at[0].chunk ? NESS_OK : level_stages(&self->at[0]);
  if (status) return status;
  for (; self->at[l].n > LEVELS_DENSE; l++) {
    if (l + 2 > LEVELS_MOST) return NESS_NUMERIC;
    if (interrupt_pending()) return NESS_INTERRUPTED;
    if ((status = levels_coarsen(self, l, NULL, keep))) return status;
  }
  return levels_factor(self);
}

ness_status levels_factor(hierarchy *self)
{
  const level *const a = &self->at[self->count - 1];
  const int32_t n = a->n;
  if (!self->dense) self->dense = mem_alloc((size_t)LEVELS_DENSE * LEVELS_DENSE * sizeof *self->dense);
  if (!self->scratch) self->scratch = mem_alloc((size_t)LEVELS_DENSE * sizeof *self->scratch);
  if (!self->dense || !self->scratch) return NESS_NOMEM;
  double *const f = self->dense; /* f[i * n + j]: flow from i to j; f[k * n + k]: what k sends below itself */
  memset(f, 0, (size_t)n * (size_t)n * sizeof *f);
  for (int32_t j = 0; j < n; j++) {
    for (int64_t e = a->side[0].start[j]; e < a->side[0].start[j + 1]; e++) {
      if (a->side[0].to[e] != j) f[a->side[0].to[e] * n + j] += (double)a->side[0].value[e] * a->in[j];
    }
  }
  for (int32_t k = n - 1; k > 0; k--) {
    double sum = 0;
    for (int32_t j = 0; j < k; j++) sum += f[k * n + j];
    if (!(sum > 0 && sum < HUGE_VAL)) return NESS_NUMERIC;
    f[k * n + k] = sum;
    for (int32_t i = 0; i < k; i++) {
      const double by = f[i * n + k] / sum;
      if (by == 0) continue;
      for (int32_t j = 0; j < k; j++) {
        if (j != i) f[i * n + j] += by * f[k * n + j];
      }
    }
  }
  return NESS_OK;
}

/* Side 1 of one level; start and to are there already on level 0. */
static ness_status level_transpose(level *self)
{
  const level_rows in = self->side[0];
  level_rows *const out = &self->side[1];
  const int32_t n = self->n;
  const size_t edges = (size_t)in.start[n] + 1;
  out->start = mem_zero((size_t)n + 1, sizeof *out->start);
  out->to = mem_alloc(edges * sizeof *out->to);
  out->value = mem_alloc(edges * sizeof *out->value);
  if (!out->start || !out->to || !out->value) return NESS_NOMEM;
  for (int64_t e = 0; e < in.start[n]; e++) out->start[in.to[e] + 1] += 1;
  for (int32_t i = 0; i < n; i++) out->start[i + 1] += out->start[i];
  for (int32_t j = 0; j < n; j++) {
    for (int64_t e = in.start[j]; e < in.start[j + 1]; e++) {
      const int32_t i = in.to[e];
      const int64_t at = out->start[i]++;
      out->to[at] = j;
      out->value[at] = (float)fmin(in.value[e] * (self->in[j] / self->in[i]), FLT_MAX);
    }
  }
  for (int32_t i = n; i > 0; i--) out->start[i] = out->start[i - 1];
  out->start[0] = 0;
  return NESS_OK;
}

ness_status levels_transpose(hierarchy *self)
{
  for (int32_t l = 0; l < self->count; l++) {
    if (self->at[l].side[1].value) continue;
    const ness_status status = level_transpose(&self->at[l]);
    if (status) return status;
  }
  return NESS_OK;
}
