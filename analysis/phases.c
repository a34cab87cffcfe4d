/* Counts at the phases of a period, and what flowed between them.
 * Invariant: a phase is a time k period / MOVED_PHASES; the state at it is that after the last event at or before. A
 * dump of level events tells it for every phase that it covers, one of level grid or flux at those of its times that
 * are phases. Flows need events, or windows that tile the parts; the time that a part of the period was seen is
 * exact. Where a run has very many periods, states are looked at in every so manyth of them. Everything is added in the
 * order of the file. Cost: nslot a phase, some 10 ns an event. */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define PHASES_WIDE 256                 /* slots or steps at most */
#define PHASES_LOOKS (INT64_C(1) << 22) /* about so many states are looked at */
#define PHASES_NEAR 1e-6                /* of a part: a time of the grid so near to a phase is at it */

struct phases {
  const tally_plan *plan;
  double period, part; /* s */
  bool tiled;          /* by windows */
  int64_t stride;      /* periods from one that is looked at to the next */
  int32_t nslot, nstep, width;
  int64_t *n; /* (nslot) */
  /* (batches x MOVED_PHASES x width): looks, sums of n (nslot) and n^2 (nslot), seen time, events forward (nstep) and
   * backward (nstep) */
  double *sum;
};

enum { PHASE_LOOKS, PHASE_COUNT };

static int32_t phase_time(const phases *self)
{
  return PHASE_COUNT + 2 * self->nslot;
}

static double *phase_row(const phases *self, int32_t batch, int32_t phase)
{
  return self->sum + ((int64_t)batch * MOVED_PHASES + phase) * self->width;
}

/* Windows count where whole numbers of them make up each part of the period, so that all of it is seen alike. */
static bool phases_tiled(const dump_run *run, double part)
{
  const double fit = part / run->window, start = run->warmup / run->window;
  return run->level == DUMP_FLUX && fit > 0.5 && fabs(fit - floor(fit + 0.5)) < PHASES_NEAR * fit &&
         fabs(start - floor(start + 0.5)) < PHASES_NEAR * fit;
}

ness_status phases_create(const tally_plan *plan, phases **out, const char **why)
{
  const dump_run *const run = plan->run;
  const ness_network *const net = plan->net;
  *out = NULL;
  *why = NULL;
  if (moved_drawn(run)) *why = "a drawn input has no period";
  else if (!(run->input_period > 0))
    *why = moved_several(run) ? "the inputs have no period in common" : "the input does not come back";
  else if (net->nslot > PHASES_WIDE || net->nstep > PHASES_WIDE) *why = "the network is too large for them";
  else if ((run->time - run->warmup) / run->input_period < 1) *why = "less than one period was counted";
  if (*why) return NESS_OK;
  phases *const self = *out = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->plan = plan;
  self->period = run->input_period;
  self->part = self->period / MOVED_PHASES;
  self->tiled = phases_tiled(run, self->part);
  self->nslot = net->nslot;
  self->nstep = net->nstep;
  self->width = phase_time(self) + 1 + 2 * net->nstep;
  const double looks = (double)run->replicas * (run->time - run->warmup) / self->part;
  self->stride = looks > (double)PHASES_LOOKS ? (int64_t)(looks / (double)PHASES_LOOKS) + 1 : 1;
  self->n = mem_zero((size_t)net->nslot + 1, sizeof *self->n);
  self->sum = mem_zero((size_t)plan->batches * MOVED_PHASES * (size_t)self->width, sizeof *self->sum);
  return self->n && self->sum ? NESS_OK : NESS_NOMEM;
}

void phases_free(phases *self)
{
  if (!self) return;
  mem_free(self->n);
  mem_free(self->sum);
  mem_free(self);
}

unsigned phases_wanted(const phases *self)
{
  const unsigned rows = DUMP_ROW_TIME | DUMP_N0;
  switch (self->plan->run->level) {
  case DUMP_EVENTS: return rows | DUMP_ROW_DIR_STORED;
  case DUMP_FLUX: return rows | DUMP_ROW_COUNT | DUMP_ROW_FWD | DUMP_ROW_BWD;
  default: return rows | DUMP_ROW_COUNT;
  }
}

static void phase_look(const phases *self, int32_t batch, int32_t phase, const int64_t *n)
{
  double *const row = phase_row(self, batch, phase);
  row[PHASE_LOOKS] += 1;
  for (int32_t i = 0; i < self->nslot; i++) {
    row[PHASE_COUNT + i] += (double)n[i];
    row[PHASE_COUNT + self->nslot + i] += (double)n[i] * (double)n[i];
  }
}

/* The next phase that is looked at behind number k, counted from time 0. */
static int64_t phase_next(const phases *self, int64_t k)
{
  k++;
  const int64_t turn = k / MOVED_PHASES, off = turn % self->stride;
  return off == 0 ? k : (turn + self->stride - off) * MOVED_PHASES;
}

/* The time from 0 to t that fell into a part of the period. */
static double part_until(const phases *self, int32_t phase, double t)
{
  const double turns = floor(t / self->period), rest = t - turns * self->period;
  return turns * self->part + fmin(fmax(rest - phase * self->part, 0), self->part);
}

static int32_t part_of(const phases *self, double t)
{
  const double turns = t / self->period;
  const int32_t part = (int32_t)((turns - floor(turns)) * MOVED_PHASES);
  return part < MOVED_PHASES ? part : MOVED_PHASES - 1;
}

static ness_status follow_events(phases *self, const dump_chunk *chunk, int32_t batch)
{
  const ness_network *const net = self->plan->net;
  const int32_t events = phase_time(self) + 1;
  int64_t k = phase_next(self, (int64_t)floor(chunk->t0 / self->part));
  memcpy(self->n, chunk->n0, (size_t)self->nslot * sizeof *self->n);
  for (int64_t r = 0; r <= chunk->rows; r++) {
    const bool end = r == chunk->rows;
    const double t = end ? chunk->t1 : chunk->row_time[r];
    for (; end ? (double)k * self->part <= t : (double)k * self->part < t; k = phase_next(self, k))
      phase_look(self, batch, (int32_t)(k % MOVED_PHASES), self->n);
    if (end) break;
    const int32_t dir = dump_row_dir(chunk, r), step = dir / 2;
    for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
      int64_t *const n = &self->n[net->change_slot[c]];
      *n += dir % 2 ? -net->change_by[c] : net->change_by[c];
      if (*n < 0 || *n > INT64_MAX / 2) return NESS_FORMAT;
    }
    phase_row(self, batch, part_of(self, t))[events + (dir % 2 ? self->nstep : 0) + step] += 1;
  }
  for (int32_t p = 0; p < MOVED_PHASES; p++)
    phase_row(self, batch, p)[phase_time(self)] += part_until(self, p, chunk->t1) - part_until(self, p, chunk->t0);
  return NESS_OK;
}

static void phase_window(const phases *self, int32_t batch, double from, double to, const int64_t *fwd,
                         const int64_t *bwd)
{
  if (!(to - from > 0.999 * self->plan->run->window)) return; /* the last, cut by the end */
  double *const row = phase_row(self, batch, part_of(self, 0.5 * (from + to))) + phase_time(self);
  row[0] += to - from;
  for (int32_t s = 0; s < self->nstep; s++) {
    row[1 + s] += (double)fwd[s];
    row[1 + self->nstep + s] += (double)bwd[s];
  }
}

ness_status phases_follow(phases *self, const dump_chunk *chunk)
{
  const int32_t batch = tally_batch_at(self->plan, chunk->replica, 0.5 * (chunk->t0 + chunk->t1));
  if (self->plan->run->level == DUMP_EVENTS) return follow_events(self, chunk, batch);
  for (int64_t r = 0; r < chunk->rows && chunk->row_fwd && self->tiled; r++)
    phase_window(self, batch, r > 0 ? chunk->row_time[r - 1] : chunk->t0, chunk->row_time[r],
                 chunk->row_fwd + r * self->nstep, chunk->row_bwd + r * self->nstep);
  for (int64_t r = 0; r < chunk->rows && chunk->row_count; r++) {
    const double at = chunk->row_time[r] / self->part, k = floor(at + 0.5);
    if (!(fabs(at - k) < PHASES_NEAR) || !(fabs(k) < 9e15)) continue;
    phase_look(self, batch, (int32_t)((int64_t)k % MOVED_PHASES), chunk->row_count + r * self->nslot);
  }
  return NESS_OK;
}

/* --- the chapter --- */

typedef enum phase_what { PHASE_MEAN, PHASE_VARIANCE, PHASE_NET } phase_what;

/* The value of all batches less one, -1: of all. NaN where nothing was seen. */
static double phase_value(const analysis *all, phase_what what, int32_t phase, int32_t id, int32_t without)
{
  const phases *const self = all->phased;
  double weight = 0, sum = 0, sum2 = 0;
  for (int32_t b = 0; b < all->sums->batches; b++) {
    if (b == without) continue;
    const double *const row = phase_row(self, all->sums->index[b], phase);
    const double *const events = row + phase_time(self) + 1;
    weight += what == PHASE_NET ? row[phase_time(self)] : row[PHASE_LOOKS];
    sum += what == PHASE_NET ? events[id] - events[self->nstep + id] : row[PHASE_COUNT + id];
    sum2 += what == PHASE_NET ? 0 : row[PHASE_COUNT + self->nslot + id];
  }
  if (!(weight > 0)) return (double)NAN;
  const double mean = sum / weight;
  return what == PHASE_VARIANCE ? sum2 / weight - mean * mean : mean;
}

static estimate phase_estimate(const analysis *all, phase_what what, int32_t phase, int32_t id, double exact)
{
  double *const without = all->scratch + 2 * (int64_t)all->sums->batches;
  double bias;
  for (int32_t b = 0; b < all->sums->batches; b++) without[b] = phase_value(all, what, phase, id, b);
  return estimate_jackknife(all, phase_value(all, what, phase, id, -1), without, exact, &bias);
}

static void means_doc(const analysis *all, doc_node *list)
{
  const moved_exact *const exact = all->moved;
  for (int32_t i = 0; i < all->net->nslot; i++) {
    if (all->net->slot_var[i] >= 0) continue;
    for (int32_t p = 0; p < MOVED_PHASES; p++) {
      const double known = exact->at ? exact->at[p * all->net->nslot + i] : (double)NAN;
      const double spread = exact->spread ? exact->spread[p * all->net->nslot + i] : (double)NAN;
      if (isnan(phase_value(all, PHASE_MEAN, p, i, -1))) continue;
      const estimate mean = phase_estimate(all, PHASE_MEAN, p, i, known);
      /* Of one copy next to 1/2 the variance stands at its top: what is left is the square of the mean's own error. */
      estimate variance = phase_estimate(all, PHASE_VARIANCE, p, i, spread);
      variance.error = hypot(variance.error, sqrt(2) * mean.error * mean.error);
      doc_node *const row = doc_object(list, NULL);
      doc_string(row, "of", "%s", network_text(all->net, all->net->slot_name[i]));
      doc_number(row, "phase", (double)p / MOVED_PHASES);
      estimate_doc(row, &mean);
      estimate_put(row, "variance", &variance);
    }
  }
}

static void flows_doc(const analysis *all, doc_node *list)
{
  const moved_exact *const exact = all->moved;
  for (int32_t s = 0; s < all->net->nstep; s++) {
    for (int32_t p = 0; p < MOVED_PHASES; p++) {
      const double known = exact->flow ? exact->flow[p * all->net->nstep + s] : (double)NAN;
      if (isnan(phase_value(all, PHASE_NET, p, s, -1))) continue;
      const estimate net = phase_estimate(all, PHASE_NET, p, s, known);
      doc_node *const row = doc_object(list, NULL);
      doc_string(row, "step", "%s", network_text(all->net, all->net->step_name[s]));
      doc_number(row, "from", (double)p / MOVED_PHASES);
      doc_number(row, "to", (p + 1.0) / MOVED_PHASES);
      estimate_doc(row, &net);
    }
  }
}

/* Whether anything was seen: states (0) or time for flows (the place of it). */
static bool phases_any(const analysis *all, int32_t at)
{
  for (int32_t b = 0; b < all->sums->batches; b++)
    for (int32_t p = 0; p < MOVED_PHASES; p++)
      if (phase_row(all->phased, all->sums->index[b], p)[at] > 0) return true;
  return false;
}

void phases_doc(const analysis *all, doc_node *root)
{
  doc_node *const chapter = doc_object(root, "phases");
  const char *why = all->unphased;
  if (!why && !phases_any(all, PHASE_LOOKS))
    why = "no time of the dump is an eighth of a period: choose --every or --window by those, or --level events";
  if (why) {
    doc_string(chapter, "available", "no: %s", why);
    return;
  }
  const bool flows = phases_any(all, phase_time(all->phased));
  doc_string(chapter, "available", "%s",
             flows ? "yes" : "means alone: flows need events, or windows that make up an eighth of the period");
  doc_number(chapter, "period", all->run->input_period);
  doc_string(chapter, "method",
             "counts at phases, in periods from t = 0, over replicas and periods; net rates between "
             "them; jackknife over batches");
  means_doc(all, doc_array(chapter, "means"));
  if (flows) flows_doc(all, doc_array(chapter, "flows"));
}
