/* The entropy production of every window of a dump. An event of mass action gives ln(k_f/k_b) minus the change of ln
 * n!, so a window gives sum net * ln(k_f/k_b) and a difference of its ends; steps with formulas were added up when they
 * fired (flux) or are asked again (events). With ln p(start) - ln p(end) of the exact steady state that is the total
 * entropy production of the window, of which P(s)/P(-s) = exp(s) at any length (Seifert 2005). Invariant: windows of a
 * replica follow each other without gaps, and the running estimate at the end is that of ness_analyze. Cost: one pass;
 * O(nstep + nslot) a window, 1 ns an event of mass action and a few tens where formulas have to be evaluated. */
#include "analysis/windows.h"
#include "analysis/analysis.h"
#include "analysis/law.h"

#include <math.h>
#include <string.h>

#define WINDOWS_KEPT (INT64_C(1) << 20)
#define WINDOWS_MOST_REPLICAS (INT64_C(1) << 22)

typedef struct window_cursor { /* a replica */
  double sum;                  /* of the open window without its ends, k_B */
  double mixing, law;          /* at its start: sum ln n!; ln p */
  double total;                /* of the windows behind, with their ends, medium alone, k_B */
  double since;                /* s: start of the open window */
  int32_t grid;                /* next point of the running estimate */
  bool open;
} window_cursor;

typedef struct window_pass {
  tally_plan plan;
  const ness_network *net;
  const dump_run *run;
  steady_law *law;
  window_cursor *cursor; /* (replicas) */
  double window;         /* s */
  int64_t *n, *after;    /* (nslot) */
  double *scratch;       /* (tape_max) */
  int64_t stride;        /* of the windows that are kept */
  double sum[WINDOWS_GRID], square[WINDOWS_GRID];
  int64_t reached[WINDOWS_GRID];
  double medium, time; /* of all windows */
  bool infinite;
  windows *out;
} window_pass;

static void keep(windows *self, int64_t *stride, double entropy)
{
  if (self->seen++ % *stride) return;
  if (self->kept == WINDOWS_KEPT) {
    for (int64_t i = 0; 2 * i < self->kept; i++) self->entropy[i] = self->entropy[2 * i];
    self->kept /= 2;
    *stride *= 2;
    if ((self->seen - 1) % *stride) return;
  }
  self->entropy[self->kept++] = entropy;
}

static double mixing_of(const window_pass *self, const int64_t *n)
{
  return self->plan.tapes && self->run->level == DUMP_EVENTS ? 0 : tally_factorials(&self->plan, n);
}

/* The running estimate, where its times have come. */
static void advance_grid(window_pass *self, window_cursor *at, double t)
{
  const double whole = self->run->time - self->run->warmup;
  while (at->grid < self->out->points) {
    const double due = self->run->warmup + whole * (at->grid + 1) / self->out->points;
    if (t < due - 1e-9 * whole) return;
    const double rate = at->total / (t - self->run->warmup);
    self->sum[at->grid] += rate;
    self->square[at->grid] += rate * rate;
    self->reached[at->grid]++;
    self->out->time[at->grid++] = t - self->run->warmup;
  }
}

/* Closes the open window of a replica at t with counts n, and opens the next. */
static void close_window(window_pass *self, window_cursor *at, double t, const int64_t *n)
{
  const double mixing = mixing_of(self, n), length = t - at->since;
  const double now = self->law ? law_log(self->law, n) : 0, medium = at->sum - (mixing - at->mixing);
  at->total += medium;
  self->medium += medium;
  self->time += length;
  self->infinite |= isinf(medium) != 0;
  const bool whole = fabs(length - self->window) < 1e-6 * self->window;
  const double entropy = medium + at->law - now;
  if (whole && isfinite(entropy)) keep(self->out, &self->stride, entropy);
  at->sum = 0;
  at->mixing = mixing;
  at->law = now;
  at->since = t;
  advance_grid(self, at, t);
}

static void open_replica(window_pass *self, window_cursor *at, const dump_chunk *chunk)
{
  at->open = true;
  at->since = fmax(chunk->t0, self->run->warmup);
  at->mixing = mixing_of(self, chunk->n0);
  at->law = self->law ? law_log(self->law, chunk->n0) : 0;
}

static void read_flux(window_pass *self, window_cursor *at, const dump_chunk *chunk)
{
  const ness_network *const net = self->net;
  for (int64_t r = 0; r < chunk->rows; r++) {
    for (int32_t s = 0; s < net->nstep; s++) {
      const int64_t events = chunk->row_fwd[r * net->nstep + s] - chunk->row_bwd[r * net->nstep + s];
      const bool tape = net->dir_law[2 * s] == LAW_TAPE || net->dir_law[2 * s + 1] == LAW_TAPE;
      if (events != 0 && !tape) at->sum += (double)events * net->step_lnk[s];
    }
    if (chunk->row_tape_entropy) at->sum += chunk->row_tape_entropy[r];
    close_window(self, at, chunk->row_time[r], chunk->row_count + r * net->nslot);
  }
}

static void read_events(window_pass *self, window_cursor *at, const dump_chunk *chunk)
{
  const ness_network *const net = self->net;
  const double start = self->run->warmup;
  int64_t *const n = self->n;
  memcpy(n, chunk->n0, (size_t)net->nslot * sizeof *n);
  for (int64_t r = 0; r <= chunk->rows; r++) {
    const double t = r < chunk->rows ? chunk->row_time[r] : chunk->t1;
    for (;;) { /* windows that end before this event */
      const double end = start + self->window * (floor((at->since - start) / self->window + 0.5) + 1);
      if (end > t + (r < chunk->rows ? 0 : 1e-9 * self->window) || end > self->run->time * (1 + 1e-12)) break;
      close_window(self, at, end, n);
    }
    if (r == chunk->rows) break;
    const int32_t dir = chunk->row_dir[r], step = dir >> 1;
    const int way = dir & 1 ? -1 : 1;
    at->sum += self->plan.tapes ? network_event_entropy(net, step, way, n, self->after, self->scratch)
                                : way * net->step_lnk[step];
    for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++)
      n[net->change_slot[c]] += way * net->change_by[c];
  }
}

static const char *refuse(const window_pass *self, const char **mend)
{
  *mend = "ness run MODEL -o dump.msgpack --time T --level flux --window W writes one";
  if (self->run->level != DUMP_FLUX && self->run->level != DUMP_EVENTS)
    return "a dump of this level does not tell the entropy production of windows of time; flux and events do";
  if (self->plan.unknown_mixed) {
    *mend = "write a dump of level events";
    return "counts are changed by formulas and by mass action, and only a dump of level events tells how they share "
           "the "
           "entropy";
  }
  *mend = "end the replicas by --time";
  if (!isfinite(self->run->time)) return "its replicas end by events, not by time, so that their windows differ";
  *mend = NULL;
  if (self->run->replicas > WINDOWS_MOST_REPLICAS) return "it has too many replicas";
  return NULL;
}

static ness_status pass_init(window_pass *self)
{
  const double whole = self->run->time - self->run->warmup;
  const bool flux = self->run->level == DUMP_FLUX;
  self->window = flux && self->run->window > 0 ? self->run->window : whole / WINDOWS_GRID;
  const double count = floor(whole / self->window + 1e-9);
  self->out->points = count < 1 ? 0 : count < WINDOWS_GRID ? (int32_t)count : WINDOWS_GRID;
  self->out->length = self->window;
  self->out->replicas = self->run->replicas;
  self->stride = 1;
  self->cursor = mem_zero((size_t)self->run->replicas, sizeof *self->cursor);
  self->n = mem_zero(2 * (size_t)self->net->nslot + 2, sizeof *self->n);
  self->scratch = mem_zero((size_t)self->net->tape_max + 1, sizeof *self->scratch);
  self->out->entropy = mem_alloc((size_t)WINDOWS_KEPT * sizeof(double));
  self->out->time = mem_zero(3 * WINDOWS_GRID, sizeof(double));
  if (!self->cursor || !self->n || !self->scratch || !self->out->entropy || !self->out->time) return NESS_NOMEM;
  self->after = self->n + self->net->nslot + 1;
  self->out->running = self->out->time + WINDOWS_GRID;
  self->out->spread = self->out->running + WINDOWS_GRID;
  return NESS_OK;
}

static ness_status pass_read(window_pass *self, dump_reader *reader, ness_diags *quiet)
{
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  const unsigned wanted = DUMP_N0 | DUMP_ROW_TIME | (self->run->level == DUMP_EVENTS ? DUMP_ROW_DIR : 0) |
                          (self->run->level == DUMP_FLUX ? DUMP_ROW_COUNT | DUMP_ROW_FWD | DUMP_ROW_BWD : 0) |
                          (self->plan.tapes ? DUMP_ROW_TAPE_ENTROPY : 0);
  ness_status status = NESS_OK;
  for (;;) {
    status = interrupt_pending() ? NESS_STOPPED : dump_next(reader, &frame, quiet);
    if (status || frame.bytes == 0) break;
    if (frame.kind != DUMP_KIND_CHUNK || dump_decode(reader, &frame, &buffer, wanted, &chunk)) continue;
    if (chunk.replica < 0 || chunk.replica >= self->run->replicas) continue;
    window_cursor *const at = &self->cursor[chunk.replica];
    if (!at->open) open_replica(self, at, &chunk);
    if (self->run->level == DUMP_FLUX) read_flux(self, at, &chunk);
    else read_events(self, at, &chunk);
  }
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  return status == NESS_FORMAT ? NESS_OK : status;
}

/* What the sums over replicas and windows say. */
static void pass_finish(window_pass *self)
{
  windows *const out = self->out;
  int32_t points = 0;
  for (int32_t k = 0; k < out->points && self->reached[k] == self->reached[0] && self->reached[0] > 0; k++) {
    const double count = (double)self->reached[k], mean = self->sum[k] / count;
    const double square = fmax(self->square[k] - count * mean * mean, 0);
    out->running[k] = mean;
    out->spread[k] = count > 1 ? sqrt(square / (count - 1) / count) : (double)NAN;
    points++;
  }
  out->points = points;
  out->mean = self->time > 0 ? self->medium / self->time : (double)NAN;
  double sum = 0, square = 0;
  for (int64_t i = 0; i < out->kept; i++) {
    const double weight = exp(-out->entropy[i]);
    sum += weight;
    square += weight * weight;
  }
  const double count = (double)out->kept;
  out->integral = sum / count;
  out->error = sqrt(fmax(square / count - out->integral * out->integral, 0) / count);
  if (self->infinite) out->why = "a step without a way back fired, so that the entropy production is infinite";
  else if (out->kept == 0) out->why = "it has no whole window";
}

ness_status windows_read(const char *path, const cme_solution *exact, windows *out)
{
  dump_reader *reader = NULL;
  ness_diags *const quiet = ness_diags_create(); /* damage is what ness_analyze tells of */
  window_pass self = {.out = out};
  memset(out, 0, sizeof *out);
  ness_status status = quiet ? dump_open(path, quiet, &reader) : NESS_NOMEM;
  if (!status) {
    self.net = dump_network(reader);
    self.run = dump_run_of(reader);
    status = tally_plan_init(&self.plan, self.net, self.run);
  }
  if (!status && !(out->why = refuse(&self, &out->mend))) {
    status = pass_init(&self);
    if (!status && exact) status = law_create(self.net, exact, &self.law);
    out->total = self.law != NULL;
    if (!status) status = pass_read(&self, reader, quiet);
    if (!status) pass_finish(&self);
  }
  law_free(self.law);
  tally_plan_free(&self.plan);
  mem_free(self.cursor);
  mem_free(self.n);
  mem_free(self.scratch);
  dump_reader_free(reader);
  ness_diags_free(quiet);
  if (status) windows_free(out);
  return status;
}

void windows_free(windows *self)
{
  mem_free(self->entropy);
  mem_free(self->time);
  memset(self, 0, sizeof *self);
}
