/* Keeps rows at regular times in memory up to a fixed number, whole chunks in the order of the file, so that what is
 * kept never depends on threads. Invariant: a piece is a stretch of one replica whose rows lie `every` apart, its parts
 * linked in order; when a chunk does not fit any more, nothing that follows is kept. Cost: 8 bytes a row and watched
 * number. */
#include "analysis/samples.h"

#include <math.h>

#define SAMPLES_OFF 1e-6 /* of a distance of rows */

static bool counts_alone(const ness_network *net, int32_t observable)
{
  bool alone = net->obs_start[observable] < net->obs_start[observable + 1];
  for (int32_t k = net->obs_start[observable]; k < net->obs_start[observable + 1]; k++)
    alone = alone && net->obs_kind[k] == OBS_COUNT;
  return alone;
}

/* Voltages first, then counts, then what equations and events of the file keep. */
static int watch_turn(const ness_network *net, int32_t slot)
{
  const int32_t v = net->slot_var[slot];
  return v < 0 ? 1 : net->var_stiff[v] > 0 ? 0 : 2;
}

static void watch(samples *self)
{
  const ness_network *const net = self->net;
  for (int32_t o = 0; o < net->nobs && self->observables < SAMPLES_OBSERVABLES; o++) {
    if (!counts_alone(net, o)) continue;
    double *const row = self->weight + (int64_t)self->watched * net->nslot;
    for (int32_t k = net->obs_start[o]; k < net->obs_start[o + 1]; k++) row[net->obs_id[k]] += net->obs_coef[k];
    self->id[self->watched++] = o;
    self->observables++;
  }
  for (int turn = 0, left = SAMPLES_SLOTS; turn < 3; turn++) {
    for (int32_t i = 0; i < net->nslot && left > 0; i++) {
      if (watch_turn(net, i) != turn) continue;
      self->weight[(int64_t)self->watched * net->nslot + i] = network_shown_by(net, i, 1);
      self->id[self->watched++] = i;
      left--;
    }
  }
}

ness_status samples_create(const ness_network *net, const dump_run *run, samples **out)
{
  *out = NULL;
  if (net->nslot == 0 || run->replicas > SAMPLES_ROWS || !(run->every > 0)) return NESS_OK;
  samples *const self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  *self = (samples){.net = net, .every = run->every, .replicas = run->replicas};
  self->latest = mem_zero((size_t)run->replicas + 1, sizeof *self->latest);
  self->weight = mem_zero(SAMPLES_WATCHED * (size_t)net->nslot + 1, sizeof *self->weight);
  if (!self->latest || !self->weight) {
    samples_free(self);
    return NESS_NOMEM;
  }
  for (int64_t r = 0; r < run->replicas; r++) self->latest[r] = -1;
  watch(self);
  *out = self;
  return NESS_OK;
}

void samples_free(samples *self)
{
  if (!self) return;
  mem_free(self->weight);
  mem_free(self->value);
  mem_free(self->part);
  mem_free(self->piece);
  mem_free(self->latest);
  mem_free(self);
}

static bool regular(const samples *self, double before, double t)
{
  return fabs(t - before - self->every) < SAMPLES_OFF * self->every;
}

ness_status samples_follow(samples *self, const dump_chunk *chunk)
{
  const int32_t nslot = self->net->nslot;
  if (self->full || chunk->rows == 0 || chunk->replica < 0 || chunk->replica >= self->replicas) return NESS_OK;
  if (self->rows + chunk->rows > SAMPLES_ROWS) {
    self->full = true;
    return NESS_OK;
  }
  for (int64_t r = 1; r < chunk->rows; r++)
    if (!regular(self, chunk->row_time[r - 1], chunk->row_time[r])) return NESS_OK;
  const int64_t before = self->latest[chunk->replica];
  const bool joins = before >= 0 && regular(self, self->part[before].last, chunk->row_time[0]);
  if (!mem_grow(&self->part, &self->part_room, self->parts + 1, sizeof *self->part) ||
      !mem_grow(&self->value, &self->value_room, (self->rows + chunk->rows) * self->watched, sizeof *self->value) ||
      !mem_grow(&self->piece, &self->piece_room, self->pieces + 1, sizeof *self->piece))
    return NESS_NOMEM;
  for (int64_t r = 0; r < chunk->rows; r++) {
    const int64_t *const n = chunk->row_count + r * nslot;
    for (int32_t w = 0; w < self->watched; w++) {
      const double *const weight = self->weight + (int64_t)w * nslot;
      double sum = 0;
      for (int32_t i = 0; i < nslot; i++) sum += weight[i] * (double)n[i];
      const double value = self->value[(self->rows + r) * self->watched + w] = self->every * sum;
      self->moves[w] = self->moves[w] || value != self->value[w];
    }
  }
  self->part[self->parts] = (samples_part){self->rows, chunk->rows, -1, chunk->row_time[chunk->rows - 1]};
  if (joins) self->part[before].next = self->parts;
  else self->piece[self->pieces++] = self->parts;
  self->latest[chunk->replica] = self->parts++;
  self->rows += chunk->rows;
  return NESS_OK;
}

samples_cursor samples_begin(const samples *self, int64_t piece)
{
  return (samples_cursor){self, self->piece[piece], 0};
}

const double *samples_next(samples_cursor *self)
{
  const samples *const from = self->from;
  while (self->part >= 0 && self->row == from->part[self->part].count) {
    self->part = from->part[self->part].next;
    self->row = 0;
  }
  if (self->part < 0) return NULL;
  return from->value + (from->part[self->part].first + self->row++) * from->watched;
}

int64_t samples_count(const samples *self, int64_t piece)
{
  int64_t count = 0;
  for (int64_t at = self->piece[piece]; at >= 0; at = self->part[at].next) count += self->part[at].count;
  return count;
}
