/* Windows of time and how what flows in them spreads, at every length of a power of two.
 * Invariant: a window counts when all of its time was seen; windows of a replica start at whole multiples of their
 * length, so that gaps and chunks change nothing but what is missing. A chunk is joined and squared by itself, by any
 * thread; what it lacks a neighbour for is joined, and its sums are added, in the order of the file, so no bit depends
 * on threads. Sums are kept a batch, for the jackknife. An event adds one to its direction and what the window has left
 * behind it: the integral of a count is its start times the window plus its changes times what is left. Cost: O(nstep)
 * a window of a flux dump, 2 ns an event of an events dump, and forms^2 flops a window of the forms that are not zero.
 */
#include "analysis/analysis.h"
#include "analysis/counting_inside.h"

#include <math.h>
#include <string.h>

/* --- windows and their halves --- */

/* A window into the sums of its level and batch. */
static void window_count(const counting *self, const double *x, double *to)
{
  const int32_t n = self->forms + self->slots;
  *to++ += 1;
  for (int32_t i = 0; i < n; i++) to[i] += x[i];
  to += n;
  for (int32_t i = 0; i < self->forms; to += ++i) {
    if (x[i] == 0) continue; /* most are, in short windows */
    for (int32_t j = 0; j <= i; j++) to[j] += x[i] * x[j];
  }
  for (int32_t i = 0; i < self->slots; i++) to[i] += x[self->forms + i] * x[self->forms + i];
}

static int32_t window_batch(const counting *self, int64_t replica, int32_t level, int64_t index)
{
  const double length = ldexp(self->window, level);
  return tally_batch_at(self->plan, replica, self->start + length * ((double)index + 0.5));
}

/* An odd window meets the even one before it, and x becomes both; an even one waits. */
static bool halves_meet(const counting *self, counting_halves *at, int32_t level, int64_t index, double *x)
{
  const int32_t n = self->forms + self->slots;
  double *const half = at->half + (int64_t)level * n;
  if (index % 2 == 0) {
    memcpy(half, x, (size_t)n * sizeof *x);
    at->held[level] = index;
    return false;
  }
  if (at->held[level] != index - 1) return false;
  for (int32_t i = 0; i < n; i++) x[i] += half[i];
  at->held[level] = -1;
  return true;
}

/* --- the windows of a chunk --- */

unsigned counting_wanted(const counting *self)
{
  const unsigned rows = self->plan->run->level == DUMP_FLUX ? DUMP_ROW_FWD | DUMP_ROW_BWD | DUMP_ROW_DWELL
                                                            : DUMP_ROW_DIR_STORED | DUMP_N0;
  return DUMP_ROW_TIME | rows;
}

static bool rows_init(const counting *self, counting_rows *out)
{
  const size_t n = (size_t)(self->forms + self->slots);
  if (!out->row) out->row = mem_zero(1 + n, sizeof *out->row);
  if (!out->n) out->n = mem_zero((size_t)self->slots + 1, sizeof *out->n);
  if (!out->hit) out->hit = mem_zero(2 * (size_t)self->net->nstep, sizeof *out->hit);
  if (!out->halves.half) out->halves.half = mem_zero(n * (size_t)self->levels + 1, sizeof *out->halves.half);
  return out->row && out->n && out->hit && out->halves.half;
}

static void rows_begin(const counting *self, const dump_chunk *chunk, counting_rows *out)
{
  out->pieces = out->partials = 0;
  out->batch = self->plan->by_time ? -1 : tally_batch_at(self->plan, chunk->replica, self->start);
  counting_halves_clear(&out->halves);
  for (int32_t l = 0; l < COUNTING_LEVELS; l++) out->latest[l] = -1;
}

/* `x` begins with the time covered. */
static bool piece_add(const counting *self, counting_rows *out, int32_t level, int64_t index, const double *x)
{
  const int64_t width = 1 + self->forms + self->slots;
  if (!mem_grow(&out->piece, &out->piece_room, out->pieces + 1, sizeof *out->piece) ||
      !mem_grow(&out->value, &out->value_room, (out->pieces + 1) * width, sizeof *out->value))
    return false;
  out->piece[out->pieces] = (counting_piece){index, level};
  memcpy(out->value + out->pieces++ * width, x, (size_t)width * sizeof *x);
  return true;
}

/* The windows that still wait become pieces. */
static bool halves_leave(const counting *self, counting_rows *out)
{
  const int32_t n = self->forms + self->slots;
  for (int32_t level = 0; level < self->levels; level++) {
    if (out->halves.held[level] < 0) continue;
    memcpy(out->row + 1, out->halves.half + (int64_t)level * n, (size_t)n * sizeof *out->row);
    if (!piece_add(self, out, level, out->halves.held[level], out->row)) return false;
    out->halves.held[level] = -1;
  }
  return true;
}

/* Where the windows of a level and batch are added up; NULL when memory is out. */
static double *partial_sum(const counting *self, counting_rows *out, int32_t level, int32_t batch)
{
  int64_t at = out->latest[level];
  if (at < 0 || out->partial[at].batch != batch) {
    at = out->partials;
    if (!mem_grow(&out->partial, &out->partial_room, at + 1, sizeof *out->partial) ||
        !mem_grow(&out->sum, &out->sum_room, (at + 1) * self->width, sizeof *out->sum))
      return NULL;
    out->partial[at] = (counting_partial){level, batch};
    memset(out->sum + at * self->width, 0, (size_t)self->width * sizeof *out->sum);
    out->latest[level] = out->partials++;
  }
  return out->sum + at * self->width;
}

/* The window in out->row: into the sums, and with its other half into those of the next level. */
static bool window_add(const counting *self, int64_t replica, int64_t index, counting_rows *out)
{
  double *const x = out->row + 1;
  for (int32_t level = 0; level < self->levels; level++, index /= 2) {
    double *const to =
        partial_sum(self, out, level, out->batch >= 0 ? out->batch : window_batch(self, replica, level, index));
    if (!to) return false;
    window_count(self, x, to);
    if (!halves_meet(self, &out->halves, level, index, x))
      return index % 2 == 0 || piece_add(self, out, level, index, out->row);
  }
  return true;
}

/* What stands in out->row: a window, or a part of one. */
static bool row_add(const counting *self, int64_t replica, int64_t index, counting_rows *out)
{
  if (fabs(out->row[0] - self->window) <= COUNTING_WHOLE * self->window) return window_add(self, replica, index, out);
  const int32_t width = 1 + self->forms + self->slots;
  double part[1 + COUNTING_FORMS + COUNTING_SLOTS];
  memcpy(part, out->row, (size_t)width * sizeof *part);
  return halves_leave(self, out) && piece_add(self, out, -1, index, part);
}

static ness_status chunk_windows(const counting *self, const dump_chunk *chunk, counting_rows *out)
{
  const ness_network *const net = self->net;
  double t = fmax(chunk->t0, self->start), *const row = out->row;
  for (int64_t r = 0; r < chunk->rows; r++) {
    const int64_t *const fwd = chunk->row_fwd + r * net->nstep, *const bwd = chunk->row_bwd + r * net->nstep;
    const double end = chunk->row_time[r];
    const double place = ceil((end - self->start) / self->window - COUNTING_WHOLE) - 1;
    if (place > self->last) return NESS_FORMAT;
    row[0] = end - t;
    t = end;
    if (!self->steps) memset(row + 1, 0, (size_t)self->forms * sizeof *row);
    for (int32_t s = 0; s < self->steps; s++) row[1 + s] = (double)(fwd[s] - bwd[s]);
    for (int32_t s = self->steps; s < net->nstep; s++) {
      const int64_t events = fwd[s] - bwd[s];
      if (events == 0) continue;
      for (int32_t f = self->form_start[s]; f < self->form_start[s + 1]; f++)
        row[1 + self->form_of[f]] += (double)events * self->form_by[f];
    }
    memcpy(row + 1 + self->forms, chunk->row_dwell + r * net->nslot, (size_t)self->slots * sizeof *row);
    if (!row_add(self, chunk->replica, place > 0 ? (int64_t)place : 0, out)) return NESS_NOMEM;
  }
  return NESS_OK;
}

/* A step fired `net` times more forward than backward; `left`: what the window has left behind, added up alike. */
static void fire(const counting *self, int32_t step, double net, double left, counting_rows *out)
{
  const ness_network *const of = self->net;
  for (int32_t f = self->form_start[step]; f < self->form_start[step + 1]; f++)
    out->row[1 + self->form_of[f]] += net * self->form_by[f];
  for (int32_t c = of->change_start[step]; c < of->change_start[step + 1]; c++) {
    const int32_t slot = of->change_slot[c];
    if (slot >= self->slots) continue;
    out->n[slot] += net * of->change_by[c];
    out->row[1 + self->forms + slot] += left * of->change_by[c];
  }
}

static inline void hit_rows(const dump_chunk *chunk, int32_t bytes, int64_t from, int64_t to, double end,
                            counting_hit *hit)
{
  for (int64_t r = from; r < to; r++) {
    counting_hit *const at = &hit[dump_stored_dir(chunk->row_dir_stored, bytes, r)];
    at->count++;
    at->left += end - chunk->row_time[r];
  }
}

/* Rows from ... to - 1, all in a window that ends at `end`: by directions where there are more events than those. */
static void window_rows(const counting *self, const dump_chunk *chunk, int64_t from, int64_t to, double end,
                        counting_rows *out)
{
  if (to - from < self->net->nstep) {
    for (int64_t r = from; r < to; r++) {
      const int32_t dir = dump_row_dir(chunk, r);
      const double way = dir % 2 ? -1 : 1;
      fire(self, dir / 2, way, way * (end - chunk->row_time[r]), out);
    }
    return;
  }
  if (chunk->row_dir_bytes == 1) hit_rows(chunk, 1, from, to, end, out->hit);
  else if (chunk->row_dir_bytes == 2) hit_rows(chunk, 2, from, to, end, out->hit);
  else hit_rows(chunk, 4, from, to, end, out->hit);
  for (int32_t s = 0; s < self->net->nstep; s++) {
    const counting_hit *const at = &out->hit[2 * s];
    if (at[0].count + at[1].count > 0) fire(self, s, (double)(at[0].count - at[1].count), at[0].left - at[1].left, out);
  }
  memset(out->hit, 0, 2 * (size_t)self->net->nstep * sizeof *out->hit);
}

static ness_status chunk_events(const counting *self, const dump_chunk *chunk, counting_rows *out)
{
  double t = fmax(chunk->t0, self->start), *const row = out->row;
  for (int32_t i = 0; i < self->slots; i++) out->n[i] = (double)chunk->n0[i];
  int64_t index = (int64_t)floor((t - self->start) / self->window + COUNTING_NEAR), r = 0, to;
  if ((chunk->t1 - self->start) / self->window > self->last + 1.5) return NESS_FORMAT;
  for (; t < chunk->t1; r = to) {
    const double border = self->start + self->window * (double)(index + 1), end = fmin(border, chunk->t1);
    to = tally_row_after(chunk, r, end);
    memset(row, 0, (size_t)(1 + self->forms) * sizeof *row);
    row[0] = end - t;
    for (int32_t i = 0; i < self->slots; i++) row[1 + self->forms + i] = out->n[i] * row[0];
    window_rows(self, chunk, r, to, end, out);
    if (!row_add(self, chunk->replica, index++, out)) return NESS_NOMEM;
    t = end;
  }
  return NESS_OK;
}

ness_status counting_chunk(const counting *self, const dump_chunk *chunk, counting_rows *out)
{
  if (!rows_init(self, out)) return NESS_NOMEM;
  rows_begin(self, chunk, out);
  const ness_status status =
      self->plan->run->level == DUMP_FLUX ? chunk_windows(self, chunk, out) : chunk_events(self, chunk, out);
  return status || halves_leave(self, out) ? status : NESS_NOMEM;
}

void counting_rows_free(counting_rows *self)
{
  mem_free(self->piece);
  mem_free(self->value);
  mem_free(self->partial);
  mem_free(self->sum);
  mem_free(self->halves.half);
  mem_free(self->row);
  mem_free(self->n);
  mem_free(self->hit);
  *self = (counting_rows){0};
}

/* --- chunks in the order of the file --- */

static double *level_sum(counting *self, int64_t replica, int32_t level, int64_t index)
{
  return self->sum + ((int64_t)level * self->plan->batches + window_batch(self, replica, level, index)) * self->width;
}

/* A window that was counted: with its other half into the next level. */
static void window_join(counting *self, counting_walker *walker, int64_t replica, int32_t level, int64_t index,
                        double *x)
{
  while (halves_meet(self, &walker->halves, level, index, x) && ++level < self->levels) {
    index /= 2;
    window_count(self, x, level_sum(self, replica, level, index));
  }
}

/* A part of a window, which may complete it. */
static void part_join(counting *self, counting_walker *walker, int64_t replica, int64_t index, const double *part)
{
  const int32_t width = 1 + self->forms + self->slots;
  if (index == walker->index) {
    for (int32_t i = 0; i < width; i++) walker->open[i] += part[i];
  } else {
    memcpy(walker->open, part, (size_t)width * sizeof *part);
    walker->index = index;
  }
  if (fabs(walker->open[0] - self->window) > COUNTING_WHOLE * self->window) return;
  walker->index = -1;
  window_count(self, walker->open + 1, level_sum(self, replica, 0, index));
  window_join(self, walker, replica, 0, index, walker->open + 1);
}

ness_status counting_fold(counting *self, const dump_chunk *chunk, counting_rows *rows)
{
  const int32_t width = 1 + self->forms + self->slots;
  if (chunk->replica < 0 || chunk->replica >= self->plan->run->replicas) return NESS_OK;
  counting_walker *walker = self->walker[chunk->replica];
  if (!walker && !(walker = counting_walker_begin(self, chunk->replica))) return NESS_NOMEM;
  for (int64_t k = 0; k < rows->partials; k++) {
    const counting_partial *const at = &rows->partial[k];
    double *const to = self->sum + ((int64_t)at->level * self->plan->batches + at->batch) * self->width;
    for (int32_t i = 0; i < self->width; i++) to[i] += rows->sum[k * self->width + i];
  }
  for (int64_t k = 0; k < rows->pieces; k++) {
    const counting_piece *const at = &rows->piece[k];
    double *const x = rows->value + k * width;
    if (at->level < 0) part_join(self, walker, chunk->replica, at->index, x);
    else window_join(self, walker, chunk->replica, at->level, at->index, x + 1);
  }
  if (chunk->last) {
    walker->next = self->spare;
    self->spare = walker;
    self->walker[chunk->replica] = NULL;
  }
  return NESS_OK;
}
