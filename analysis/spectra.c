/* Power spectra of currents and counts from events, or of counts from samples, on a ladder of octaves: Welch's method
 * (IEEE Trans. Audio 15, 70 (1967)) with Hann's taper, each octave with segments half as long as those of the octave
 * below.
 *
 * Of a segment of length T the lines k/T, k = 16 ... 31, are taken. A current's Fourier integral is a sum over its
 * events of exp(-i omega t); a count's is that of its jumps, less its change over the segment, over i omega. So nothing
 * is sampled and nothing folded back. Samples at steps of Delta are impulses of Delta times the count: the same sum is
 * their Fourier integral, with the aliases that sampling folds back, up to 31/64 of the rate of samples; the exact
 * values beside them are those of the sampled process (engine/cme/sampled.h). Half segments are summed and joined,
 * which overlaps segments by half at no cost. Averages of 8 lines over segments are about chi-square; degrees of
 * freedom are those of a Gaussian process (with what taper and overlap correlate), or fewer where the scatter of
 * SPECTRA_BLOCKS stripes of time says so, as it does at high frequencies where a segment has few events. Invariant:
 * every octave is summed by one thread in the order of time, first over the events that add the same to what is watched
 * (spectra_lines.c). What the taper mixes is in the exact values beside the
 * estimates. A corner is that of the one Lorentzian that fits a count within its errors, seen through samples where
 * they are samples; where none does, none is told. Cost: about 0.015 us an event and octave for up to SPECTRA_SEGMENTS
 * segments, in parallel. */
#include "analysis/record/record.h"
#include "analysis/spectra_lines.h"
#include "engine/cme/sampled.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define SPECTRA_OCTAVES 40
#define SPECTRA_LINES 18 /* k = 15 ... 32: 16 ... 31 and what the taper takes from both sides */
#define SPECTRA_FIRST LINES_FIRST
#define SPECTRA_POINTS 2 /* averages an octave */
#define SPECTRA_LEAST 8  /* segments of the lowest octave */
#define SPECTRA_SEGMENTS 4096
#define SPECTRA_BLOCKS 32
#define SPECTRA_CURRENTS 2
#define SPECTRA_SLOTS 4
#define SPECTRA_WATCHED (SPECTRA_CURRENTS + SPECTRA_SLOTS)
#define SPECTRA_SAMPLES 64     /* of the shortest segments */
#define SPECTRA_SHOWN 1        /* of each kind, point by point */
#define SPECTRA_GAPS 4096      /* between events, that tell how fast they come */
#define SPECTRA_FREEDOM 8.79   /* of a mean of 8 lines with Hann's taper */
#define SPECTRA_OVERLAP 1.0556 /* what segments that overlap by half lose */
#define SPECTRA_ROWS 256       /* that a direction is compared with */
#define SPECTRA_TURN 6.283185307179586

typedef struct spectra_sums { /* of half a segment */
  double re[SPECTRA_WATCHED][SPECTRA_LINES], im[SPECTRA_WATCHED][SPECTRA_LINES];
  double change[SPECTRA_WATCHED]; /* of the count */
} spectra_sums;

typedef struct spectra_octave {
  double length; /* s */
  int64_t segments, stride;
  double power[SPECTRA_WATCHED][SPECTRA_POINTS][SPECTRA_BLOCKS]; /* sums over the segments of a block */
  int64_t block[SPECTRA_BLOCKS];                                 /* segments */
} spectra_octave;

typedef struct spectra {
  const analysis *all;
  const trace *from;   /* NULL: from samples */
  const samples *grid; /* NULL: from events */
  int32_t watched, currents, octaves;
  int32_t id[SPECTRA_WATCHED]; /* of the current among those counted, the observable, or the slot */
  double *jump;                /* (2 nstep x watched) what an event adds; of samples NULL */
  int32_t *row, *from_dir;     /* (2 nstep) directions that add the same share a row, -1 nothing; (rows) one of them */
  int32_t rows;                /* of samples one for each that is watched */
  spectra_octave *octave;      /* (octaves) */
} spectra;

/* --- what is watched, and where --- */

/* The row of a direction, made if none adds the same yet; of many steps the last rows are looked at. */
static int32_t row_of(spectra *self, int32_t dir)
{
  const size_t bytes = (size_t)self->watched * sizeof *self->jump;
  const double *const jump = self->jump + (int64_t)dir * self->watched;
  bool any = false;
  for (int32_t w = 0; w < self->watched; w++) any = any || jump[w] != 0;
  if (!any) return -1;
  for (int32_t r = self->rows - 1; r >= 0 && r >= self->rows - SPECTRA_ROWS; r--)
    if (memcmp(self->jump + (int64_t)self->from_dir[r] * self->watched, jump, bytes) == 0) return r;
  self->from_dir[self->rows] = dir;
  return self->rows++;
}

static bool watched_find(spectra *self)
{
  if (self->grid) {
    self->rows = self->watched = self->grid->watched;
    memcpy(self->id, self->grid->id, sizeof self->id);
    return true;
  }
  const ness_network *const net = self->from->net;
  const counting *const counted = self->all->counted;
  for (int32_t c = 0; counted && c < counted->currents && self->watched < SPECTRA_CURRENTS; c++)
    self->id[self->watched++] = c;
  self->currents = self->watched;
  for (int32_t i = 0; i < net->nslot && self->watched < self->currents + SPECTRA_SLOTS; i++)
    self->id[self->watched++] = i;
  const size_t ndir = 2 * (size_t)net->nstep;
  self->jump = mem_zero(ndir * (size_t)self->watched + 1, sizeof *self->jump);
  for (int32_t d = 0; self->jump && d < 2 * net->nstep; d++) {
    double *const row = self->jump + (int64_t)d * self->watched;
    for (int32_t w = 0; w < self->currents; w++)
      row[w] = (d % 2 ? -1 : 1) * counting_weight(counted, &counted->current[self->id[w]], d / 2);
    for (int32_t e = net->change_start[d / 2]; e < net->change_start[d / 2 + 1]; e++)
      for (int32_t w = self->currents; w < self->watched; w++)
        if (net->change_slot[e] == self->id[w]) row[w] += (d % 2 ? -1.0 : 1.0) * net->change_by[e];
  }
  self->row = mem_alloc((ndir + 1) * sizeof *self->row);
  self->from_dir = mem_alloc((ndir + 1) * sizeof *self->from_dir);
  if (!self->jump || !self->row || !self->from_dir) return false;
  for (int32_t d = 0; d < 2 * net->nstep; d++) self->row[d] = row_of(self, d);
  return true;
}

static int64_t pieces_of(const spectra *self)
{
  return self->grid ? self->grid->pieces : self->from->pieces;
}

/* Samples stand in the middle of their steps, so that none is at the end of a segment. */
static void span_of(const spectra *self, int64_t piece, double *t0, double *t1)
{
  *t0 = 0;
  if (self->grid) *t1 = (double)samples_count(self->grid, piece) * self->grid->every;
  else trace_span(self->from, piece, t0, t1);
}

static int64_t segments_of(const spectra *self, double length)
{
  int64_t segments = 0;
  for (int64_t p = 0; p < pieces_of(self); p++) {
    double t0, t1;
    span_of(self, p, &t0, &t1);
    const double halves = floor(2 * (t1 - t0) / length * (1 + 1e-12));
    segments += halves > 1 ? (int64_t)halves - 1 : 0;
  }
  return segments;
}

static int gap_compare(const void *x, const void *y)
{
  const double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

/* One over the time that a quarter of the gaps between events are shorter than, Hz: bursts are seen as well. */
static double fastest(const trace *from)
{
  double gap[SPECTRA_GAPS], before, t;
  int64_t gaps = 0;
  int32_t dir;
  for (int64_t p = 0; p < from->pieces && gaps < SPECTRA_GAPS; p++) {
    trace_cursor at = trace_begin(from, p);
    if (!trace_next(&at, &before, &dir)) continue;
    for (; gaps < SPECTRA_GAPS && trace_next(&at, &t, &dir); before = t) gap[gaps++] = t - before;
  }
  if (gaps == 0) return 0;
  qsort(gap, (size_t)gaps, sizeof *gap, gap_compare);
  return gap[gaps / 4] > 0 ? 1 / gap[gaps / 4] : 0;
}

/* From the longest segments of which there are enough to what events, or the steps of a sampled record, resolve;
 * those of samples have 64 times a power of two. */
static bool octaves_find(spectra *self)
{
  const record *const measured = self->all->measured;
  double longest = 0;
  for (int64_t p = 0; p < pieces_of(self); p++) {
    double t0, t1;
    span_of(self, p, &t0, &t1);
    longest = fmax(longest, t1 - t0);
  }
  const double shortest = self->grid ? SPECTRA_SAMPLES * self->grid->every : 0;
  double highest = self->grid ? 2.0001 * (SPECTRA_FIRST + 1) / shortest : fastest(self->from);
  const double step = !measured ? 0 : measured->sampled ? measured->step : measured->tick;
  if (step > 0) highest = fmin(highest, 1 / (16 * step));
  double length = longest;
  if (self->grid) length = ldexp(shortest, (int)floor(log2(longest / shortest * (1 + 1e-12))));
  while (length * highest > 1 && segments_of(self, length) < SPECTRA_LEAST) length /= 2;
  for (double at = length; self->octaves < SPECTRA_OCTAVES && 2 * (SPECTRA_FIRST + 1) / at <= highest; at /= 2)
    self->octaves++;
  self->octave = mem_zero((size_t)self->octaves + 1, sizeof *self->octave);
  for (int32_t o = 0; self->octave && o < self->octaves; o++, length /= 2) {
    spectra_octave *const at = &self->octave[o];
    const int64_t all = segments_of(self, length);
    at->length = length;
    at->stride = (all + SPECTRA_SEGMENTS - 1) / SPECTRA_SEGMENTS;
    at->segments = all / at->stride; /* the first is number 0 */
  }
  return self->octave != NULL;
}

/* --- sums --- */

typedef struct spectra_walk { /* along a piece */
  trace_cursor at;
  samples_cursor place;
  bool more;
  double t;            /* of the event or sample to come */
  int32_t dir;         /* of the event */
  const double *value; /* (watched) of the sample */
  int64_t samples;     /* so far */
} spectra_walk;

static inline void walk_next(const spectra *self, spectra_walk *walk)
{
  if (self->grid) {
    walk->value = samples_next(&walk->place);
    walk->more = walk->value != NULL;
    walk->t = ((double)walk->samples++ + 0.5) * self->grid->every;
  } else {
    walk->more = trace_next(&walk->at, &walk->t, &walk->dir);
  }
}

static spectra_walk walk_begin(const spectra *self, int64_t piece)
{
  spectra_walk walk = {.t = 0};
  if (self->grid) walk.place = samples_begin(self->grid, piece);
  else walk.at = trace_begin(self->from, piece);
  walk_next(self, &walk);
  return walk;
}

typedef struct spectra_work { /* of a thread */
  lines_batch batch;
  const double *value[LINES_BATCH]; /* of samples, (watched) each */
  lines_sum *sum;                   /* (rows) */
  double *count;                    /* (rows) events in this half; those of samples do not matter */
  int32_t *touched;                 /* (rows) with a count, as they first came */
  int32_t ntouched;
} spectra_work;

static bool work_init(const spectra *self, spectra_work *out)
{
  const size_t rows = (size_t)self->rows + 1;
  *out = (spectra_work){.sum = mem_alloc(rows * sizeof *out->sum),
                        .count = mem_zero(rows, sizeof *out->count),
                        .touched = mem_alloc(rows * sizeof *out->touched)};
  return out->sum && out->count && out->touched;
}

static void work_free(spectra_work *self)
{
  mem_free(self->sum);
  mem_free(self->count);
  mem_free(self->touched);
}

static void work_touch(spectra_work *self, int32_t row)
{
  if (self->count[row]++ > 0) return;
  self->touched[self->ntouched++] = row;
  self->sum[row] = (lines_sum){{0}, {0}};
}

static void work_flush(const spectra *self, spectra_work *work)
{
  if (self->grid) lines_weigh(&work->batch, work->value, self->watched, work->sum);
  else lines_add(&work->batch, work->sum);
}

/* From the rows to what is watched; the rows are empty again. */
static void work_finish(const spectra *self, spectra_work *work, spectra_sums *restrict out)
{
  memset(out, 0, sizeof *out);
  for (int32_t i = 0; i < work->ntouched; i++) {
    const int32_t row = work->touched[i];
    const lines_sum *const sum = &work->sum[row];
    for (int32_t w = 0; w < self->watched; w++) {
      const double by = self->grid ? row == w : self->jump[(int64_t)self->from_dir[row] * self->watched + w];
      if (by == 0) continue;
      out->change[w] += by * work->count[row];
      for (int k = 0; k < SPECTRA_LINES; k++) {
        out->re[w][k] += by * sum->re[k];
        out->im[w][k] += by * sum->im[k];
      }
    }
    work->count[row] = 0;
  }
  work->ntouched = 0;
}

/* Sums the events up to `start` + `half`; those before `start` are passed over. */
static void half_sum(const spectra *self, spectra_walk *walk, double start, double half, spectra_work *work,
                     spectra_sums *out)
{
  const double turn = 1 / (2 * half), end = start + half;
  lines_batch *const batch = &work->batch;
  for (; walk->more && walk->t <= start; walk_next(self, walk)) continue;
  for (int32_t w = 0; self->grid && w < self->watched; w++) work_touch(work, w);
  for (; walk->more && walk->t <= end; walk_next(self, walk)) {
    const int32_t row = self->grid ? 0 : self->row[walk->dir];
    if (row < 0) continue;
    if (self->grid) work->value[batch->count] = walk->value;
    else work_touch(work, row);
    batch->turn[batch->count] = (walk->t - start) * turn;
    batch->row[batch->count++] = row;
    if (batch->count == LINES_BATCH) work_flush(self, work);
  }
  work_flush(self, work);
  work_finish(self, work, out);
}

/* The power of a segment, from its halves, to its block. */
static void segment_add(const spectra *self, spectra_octave *to, int64_t segment, const spectra_sums *one,
                        const spectra_sums *two)
{
  const int64_t block = segment * SPECTRA_BLOCKS / to->segments;
  to->block[block]++;
  for (int32_t w = 0; w < self->watched; w++) {
    double re[SPECTRA_LINES], im[SPECTRA_LINES];
    for (int k = 0; k < SPECTRA_LINES; k++) {
      const double sign = (SPECTRA_FIRST + k) % 2 ? -1 : 1, omega = SPECTRA_TURN * (SPECTRA_FIRST + k) / to->length;
      const double x = one->re[w][k] + sign * two->re[w][k], y = one->im[w][k] + sign * two->im[w][k];
      const bool count = !self->grid && w >= self->currents;
      re[k] = count ? y / omega : x;
      im[k] = count ? -(x - one->change[w] - two->change[w]) / omega : y;
    }
    for (int k = 1; k < SPECTRA_LINES - 1; k++) {
      const double x = 0.5 * re[k] - 0.25 * (re[k - 1] + re[k + 1]), y = 0.5 * im[k] - 0.25 * (im[k - 1] + im[k + 1]);
      const int point = (k - 1) / ((SPECTRA_LINES - 2) / SPECTRA_POINTS);
      to->power[w][point][block] += (x * x + y * y) / (0.375 * to->length) / ((SPECTRA_LINES - 2) / SPECTRA_POINTS);
    }
  }
}

/* False when memory is out. */
static bool octave_sum(const spectra *self, spectra_octave *to)
{
  const double half = to->length / 2;
  int64_t number = 0, taken = 0; /* of the next segment; those taken */
  spectra_work work;
  const bool good = work_init(self, &work);
  for (int64_t p = 0; good && p < pieces_of(self) && taken < to->segments; p++) {
    double t0, t1;
    span_of(self, p, &t0, &t1);
    const int64_t halves = (int64_t)floor((t1 - t0) / half * (1 + 1e-12));
    spectra_walk walk = walk_begin(self, p);
    spectra_sums sums[2];
    int64_t held = -1; /* the half in sums[held % 2] */
    for (int64_t h = 0; h + 1 < halves && taken < to->segments; h++, number++) {
      if (number % to->stride) continue;
      if (held != h) half_sum(self, &walk, t0 + (double)h * half, half, &work, &sums[h % 2]);
      half_sum(self, &walk, t0 + (double)(h + 1) * half, half, &work, &sums[(h + 1) % 2]);
      held = h + 1;
      segment_add(self, to, taken++, &sums[h % 2], &sums[(h + 1) % 2]);
    }
  }
  work_free(&work);
  return good;
}

/* --- estimates --- */

typedef struct spectra_point {
  double f, freedom;
  estimate density;
} spectra_point;

/* Without an interval, which costs more than all else. */
static spectra_point point_of(const spectra *self, int32_t octave, int32_t watched, int32_t point)
{
  const spectra_octave *const at = &self->octave[octave];
  const double n = (double)at->segments;
  double sum = 0, square = 0;
  for (int b = 0; b < SPECTRA_BLOCKS; b++) sum += at->power[watched][point][b];
  const double mean = sum / n, lines = (SPECTRA_LINES - 2) / SPECTRA_POINTS;
  for (int b = 0; b < SPECTRA_BLOCKS; b++) {
    const double off = at->power[watched][point][b] - mean * (double)at->block[b];
    square += off * off;
  }
  double freedom = SPECTRA_FREEDOM * n / (at->stride == 1 ? SPECTRA_OVERLAP : 1);
  const double scatter = square / (n * n) * SPECTRA_BLOCKS / (SPECTRA_BLOCKS - 1);
  if (n >= 2 * SPECTRA_BLOCKS && scatter > 0) freedom = fmin(freedom, 2 * mean * mean / scatter);
  const double k = SPECTRA_FIRST + 1 + lines * point + (lines - 1) / 2;
  spectra_point out = {.f = k / at->length, .freedom = freedom};
  out.density.value = mean;
  out.density.error = mean * sqrt(2 / freedom);
  return out;
}

static void point_interval(const spectra *self, spectra_point *point)
{
  const double tail = 0.5 * (1 - self->all->level);
  point->density.low = point->density.value / stat_f_critical(tail, point->freedom, INFINITY);
  point->density.high = point->density.value / stat_f_critical(1 - tail, point->freedom, INFINITY);
}

/* The exact density of every line of every octave, (watched x octaves x lines); NaN where there is none. */
static ness_status exact_lines(const spectra *self, double *out)
{
  const analysis *const all = self->all;
  const ness_network *const net = all->net;
  const int32_t nf = self->octaves * SPECTRA_LINES;
  for (int64_t k = 0; k < (int64_t)self->watched * nf; k++) out[k] = (double)NAN;
  if (!all->exact || all->moved) return NESS_OK;
  const size_t ndir = 2 * (size_t)net->nstep, nslot = (size_t)net->nslot;
  double *const f = mem_zero((size_t)nf + 1, sizeof *f);
  double *const weight = mem_zero(SPECTRA_CURRENTS * ndir + 1, sizeof *weight);
  double *const count = mem_zero(SPECTRA_SLOTS * nslot + 1, sizeof *count);
  ness_diags *const quiet = ness_diags_create();
  ness_status status = f && weight && count && quiet ? NESS_OK : NESS_NOMEM;
  spectral_observable of[SPECTRA_WATCHED] = {{NULL, NULL}};
  spectral found = {0};
  for (int32_t w = 0; self->grid && w < self->watched; w++) of[w].count = self->grid->weight + (size_t)w * nslot;
  for (int32_t w = 0; !status && !self->grid && w < self->watched; w++) {
    const bool current = w < self->currents;
    if (current) of[w].weight = weight + (size_t)w * ndir;
    else of[w].count = count + (size_t)(w - self->currents) * nslot;
    for (size_t d = 0; current && d < ndir; d++)
      weight[(size_t)w * ndir + d] = self->jump[d * (size_t)self->watched + (size_t)w];
    if (!current) count[(size_t)(w - self->currents) * nslot + (size_t)self->id[w]] = 1;
  }
  for (int32_t k = 0; !status && k < nf; k++)
    f[k] = (SPECTRA_FIRST + k % SPECTRA_LINES) / self->octave[k / SPECTRA_LINES].length;
  if (!status && self->grid)
    status = sampled_find(net, all->exact, self->watched, of, nf, f, self->grid->every, all->threads, quiet, out);
  else if (!status) status = spectral_find(net, all->exact, self->watched, of, nf, f, all->threads, quiet, &found);
  if (!status && !self->grid) memcpy(out, found.density, (size_t)self->watched * (size_t)nf * sizeof *out);
  for (int64_t k = 0; status && k < (int64_t)self->watched * nf; k++) out[k] = (double)NAN;
  spectral_free(&found);
  ness_diags_free(quiet);
  mem_free(f);
  mem_free(weight);
  mem_free(count);
  return status == NESS_NUMERIC || status == NESS_LIMIT ? NESS_OK : status;
}

/* What is expected of a point: the mean of its lines, each with its neighbours as Hann's taper mixes them. */
static double exact_point(const spectra *self, const double *line, int32_t octave, int32_t watched, int32_t point)
{
  const int lines = (SPECTRA_LINES - 2) / SPECTRA_POINTS;
  const double *const s = line + ((int64_t)watched * self->octaves + octave) * SPECTRA_LINES + lines * point;
  double sum = 0;
  for (int k = 1; k <= lines; k++) sum += (s[k - 1] + 4 * s[k] + s[k + 1]) / 6;
  return sum / lines;
}

/* --- the corner --- */

typedef struct corner {
  double f, error; /* Hz; NaN none */
} corner;

/* A Lorentzian with its aliases is one in u = sin(pi f Delta) / (pi Delta): the sum over m of exp(-k |m| Delta)
 * cos(omega m Delta) is sinh(k Delta) / (cosh(k Delta) - cos(omega Delta)). So is the corner sinh(k Delta / 2) / (pi
 * Delta). */
static double seen_at(const spectra *self, double f)
{
  const double step = self->grid ? SPECTRA_TURN / 2 * self->grid->every : 0;
  return step > 0 ? sin(f * step) / step : f;
}

/* Back from where the corner is seen to where it is. */
static corner corner_from(const spectra *self, double u, double error)
{
  const double step = self->grid ? SPECTRA_TURN / 2 * self->grid->every : 0;
  return step > 0 ? (corner){asinh(u * step) / step, error / hypot(1, u * step)} : (corner){u, error};
}

/* ln S = a - ln(1 + (f/fc)^2) by Gauss and Newton, weights from the degrees of freedom. */
static corner corner_of(const spectra *self, int32_t watched, double tail)
{
  const corner none = {(double)NAN, (double)NAN};
  const int32_t n = self->octaves * SPECTRA_POINTS;
  spectra_point points[SPECTRA_OCTAVES * SPECTRA_POINTS];
  for (int32_t i = 0; i < n; i++) {
    points[i] = point_of(self, i / SPECTRA_POINTS, watched, i % SPECTRA_POINTS);
    if (!(points[i].density.value > 0)) return none;
    points[i].f = seen_at(self, points[i].f);
  }
  const double lowest = points[0].f, highest = points[n - 1].f;
  double level = 0, place = log(sqrt(lowest * highest)), spread = 0, misfit = 0;
  for (int round = 0; round < 60; round++) {
    double m[3] = {0}, r[2] = {0};
    misfit = 0;
    for (int32_t i = 0; i < n; i++) {
      const spectra_point at = points[i];
      const double x = exp(2 * (log(at.f) - place)), slope = 2 * x / (1 + x), w = at.freedom / 2;
      const double off = log(at.density.value) + 1 / at.freedom - (level - log1p(x)); /* the mean of ln chi-square */
      m[0] += w;
      m[1] += w * slope;
      m[2] += w * slope * slope;
      r[0] += w * off;
      r[1] += w * slope * off;
      misfit += w * off * off;
    }
    const double size = m[0] * m[2] - m[1] * m[1];
    if (!(size > 1e-12 * m[0] * m[2])) return none;
    const double by = (m[0] * r[1] - m[1] * r[0]) / size;
    level += (m[2] * r[0] - m[1] * r[1]) / size;
    place += fmax(-1, fmin(1, by));
    spread = m[0] / size;
    if (fabs(by) < 1e-10) break;
  }
  const double f = exp(place);
  const bool within = f > 1.5 * lowest && f<highest / 1.5, fits = stat_gamma_tail((n - 2) / 2.0, misfit / 2)> tail;
  return within && fits ? corner_from(self, f, f * sqrt(spread)) : none;
}

/* --- the chapter --- */

static bool leads(const spectra *self, int32_t watched)
{
  return watched < (self->grid ? self->grid->observables : self->currents);
}

static void watched_name(const spectra *self, int32_t watched, doc_node *row)
{
  const ness_network *const net = self->all->net;
  const int32_t id = self->id[watched];
  const char *const name = !leads(self, watched) ? network_text(net, net->slot_name[id])
                           : self->grid          ? network_text(net, net->obs_name[id])
                                                 : noise_name(net, &self->all->counted->current[id]);
  doc_string(row, "of", "%s", name);
  const int32_t v = leads(self, watched) ? -1 : net->slot_var[id];
  doc_string(row, "kind", "%s",
             v >= 0                  ? "variable"
             : !leads(self, watched) ? "count"
             : self->grid            ? "observable"
                                     : "current");
  if (v >= 0 && *network_text(net, net->var_text[v]))
    doc_string(row, "unit", "%s^2/Hz", network_text(net, net->var_text[v]));
}

static bool watched_moves(const spectra *self, int32_t watched)
{
  double power = 0;
  if (self->grid && !self->grid->moves[watched]) return false; /* but for rounding */
  for (int b = 0; b < SPECTRA_BLOCKS; b++) power += self->octave[0].power[watched][0][b];
  return power > 0;
}

static void spectra_rows(const spectra *self, const double *line, doc_node *chapter)
{
  doc_node *const rows = doc_array(chapter, "watched"), *points = NULL;
  int32_t shown[2] = {0, 0};
  for (int32_t w = 0; w < self->watched; w++) {
    if (!watched_moves(self, w)) continue;
    const int32_t last = self->octaves - 1;
    const spectra_point low = point_of(self, 0, w, 0), high = point_of(self, last, w, SPECTRA_POINTS - 1);
    doc_node *const row = doc_object(rows, NULL);
    watched_name(self, w, row);
    doc_number(row, "lowest", low.density.value);
    doc_number(row, "highest", high.density.value);
    const corner at = w < self->currents ? (corner){(double)NAN, (double)NAN} : corner_of(self, w, 0.01);
    number_or_null(row, "corner_hz", at.f);
    number_or_null(row, "corner_error", at.error);
  }
  for (int32_t w = 0; w < self->watched; w++) {
    if (!watched_moves(self, w) || shown[leads(self, w)]++ >= SPECTRA_SHOWN) continue;
    if (!points) points = doc_array(chapter, "points");
    for (int32_t i = 0; i < self->octaves * SPECTRA_POINTS; i++) {
      const int32_t octave = i / SPECTRA_POINTS, point = i % SPECTRA_POINTS;
      spectra_point at = point_of(self, octave, w, point);
      at.density.exact = exact_point(self, line, octave, w, point);
      point_interval(self, &at);
      doc_node *const row = doc_object(points, NULL);
      watched_name(self, w, row);
      doc_number(row, "f_hz", at.f);
      estimate_doc(row, &at.density);
    }
  }
}

static bool any_moves(const spectra *self)
{
  bool moves = false;
  for (int32_t w = 0; w < self->watched; w++) moves = moves || watched_moves(self, w);
  return moves;
}

static void spectra_head(const spectra *self, doc_node *chapter)
{
  if (!self->grid) {
    doc_string(chapter, "method", "%s",
               "two-sided power spectra of events, Welch with Hann's taper on octaves; chi-square intervals. At low "
               "frequencies a current has its variance rate, at high ones its events per s");
    doc_int(chapter, "events", self->from->events);
    return;
  }
  doc_string(
      chapter, "method",
      "two-sided power spectra of samples, Welch with Hann's taper on octaves; chi-square intervals. What is faster "
      "than nyquist_hz is folded back%s",
      self->all->flows ? "" : ", in the exact values as well");
  doc_int(chapter, "samples", self->grid->rows);
  doc_number(chapter, "nyquist_hz", 0.5 / self->grid->every);
}

ness_status spectra_doc(const analysis *all, doc_node *root)
{
  spectra self = {.all = all, .from = all->plan->kept, .grid = all->plan->sampled};
  if (self.grid ? self.grid->rows == 0 : !self.from || self.from->events == 0) return NESS_OK;
  double *line = NULL;
  ness_status status = watched_find(&self) && octaves_find(&self) ? NESS_OK : NESS_NOMEM;
  if (!status && self.octaves > 0) {
    const int32_t octaves = self.octaves, threads = all->threads;
    bool good = true;
#pragma omp parallel for num_threads(threads) schedule(dynamic) default(none) shared(self) firstprivate(octaves)       \
    reduction(&& : good)
    for (int32_t o = 0; o < octaves; o++) good = octave_sum(&self, &self.octave[o]) && good;
    status = good ? NESS_OK : NESS_NOMEM;
  }
  if (!status && self.octaves > 0 && any_moves(&self)) {
    line = mem_zero((size_t)self.watched * (size_t)self.octaves * SPECTRA_LINES + 1, sizeof *line);
    status = line ? exact_lines(&self, line) : NESS_NOMEM;
    if (!status) {
      doc_node *const chapter = doc_object(root, "spectra");
      spectra_head(&self, chapter);
      spectra_rows(&self, line, chapter);
    }
  }
  mem_free(line);
  mem_free(self.octave);
  mem_free(self.jump);
  mem_free(self.row);
  mem_free(self.from_dir);
  return status;
}
