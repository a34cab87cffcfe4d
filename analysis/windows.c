/* The entropy production of every window of a dump. An event of mass action gives ln(k_f/k_b) minus the change of ln
 * n!, so a window gives sum net * ln(k_f/k_b) and a difference of its ends; steps with formulas were added up when they
 * fired (flux) or are asked again (events). With ln p(start) - ln p(end) of the exact steady state that is the total
 * entropy production of the window, of which P(s)/P(-s) = exp(s) at any length (Seifert 2005). Invariant: windows of a
 * replica follow each other without gaps, and the running estimate at the end is that of ness_analyze. What windows of
 * a flux dump cost is found by any thread; differences between their ends are taken in the order of the file. Cost:
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
  double since, due;           /* s: start of the open window; the next point of the running estimate */
  int32_t grid;                /* next point of the running estimate */
  bool open;
} window_cursor;

struct windows_pass {
  const tally_plan *plan;
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
  double *lnk;         /* (nstep) kT, of steps with formulas 0: their entropy was added up when they fired */
  bool infinite;
  windows *out;
};

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

static double mixing_of(const windows_pass *self, const int64_t *n)
{
  return self->plan->tapes && self->run->level == DUMP_EVENTS ? 0 : tally_factorials(self->plan, n);
}

/* The running estimate, where its times have come. */
static void advance_grid(windows_pass *self, window_cursor *at, double t)
{
  const double whole = self->run->time - self->run->warmup;
  while (at->grid < self->out->points && t >= at->due - 1e-9 * whole) {
    const double rate = at->total / (t - self->run->warmup);
    self->sum[at->grid] += rate;
    self->square[at->grid] += rate * rate;
    self->reached[at->grid]++;
    self->out->time[at->grid++] = t - self->run->warmup;
    at->due = self->run->warmup + whole * (at->grid + 1) / self->out->points;
  }
}

static double law_of(const windows_pass *self, const int64_t *n)
{
  return self->law ? law_log(self->law, n) : 0;
}

/* Closes the open window of a replica at t, where sum ln n! is `mixing` and ln p is `law`, and opens the next. */
static void close_window(windows_pass *self, window_cursor *at, double t, double mixing, double law)
{
  const double medium = at->sum - (mixing - at->mixing), length = t - at->since;
  at->total += medium;
  self->medium += medium;
  self->time += length;
  self->infinite |= isinf(medium) != 0;
  const bool whole = fabs(length - self->window) < 1e-6 * self->window;
  const double entropy = medium + at->law - law;
  if (whole && isfinite(entropy)) keep(self->out, &self->stride, entropy);
  at->sum = 0;
  at->mixing = mixing;
  at->law = law;
  at->since = t;
  advance_grid(self, at, t);
}

static void open_replica(windows_pass *self, window_cursor *at, const dump_chunk *chunk)
{
  at->open = true;
  at->since = fmax(chunk->t0, self->run->warmup);
  at->mixing = mixing_of(self, chunk->n0);
  at->law = law_of(self, chunk->n0);
  at->due = self->run->warmup + (self->run->time - self->run->warmup) / fmax(self->out->points, 1);
}

ness_status windows_chunk(const windows_pass *self, const dump_chunk *chunk, windows_rows *out)
{
  const int32_t nstep = self->net->nstep;
  if (self->run->level != DUMP_FLUX) return NESS_OK;
  if (!mem_grow(&out->value, &out->room, 3 * chunk->rows + 1, sizeof *out->value)) return NESS_NOMEM;
  for (int64_t r = 0; r < chunk->rows; r++) {
    const int64_t *const fwd = chunk->row_fwd + r * nstep, *const bwd = chunk->row_bwd + r * nstep;
    const int64_t *const n = chunk->row_count + r * self->net->nslot;
    double sum = 0;
    for (int32_t s = 0; s < nstep; s++)
      if (fwd[s] != bwd[s]) sum += (double)(fwd[s] - bwd[s]) * self->lnk[s];
    out->value[3 * r] = chunk->row_tape_entropy ? sum + chunk->row_tape_entropy[r] : sum;
    out->value[3 * r + 1] = mixing_of(self, n);
    out->value[3 * r + 2] = law_of(self, n);
  }
  return NESS_OK;
}

void windows_rows_free(windows_rows *self)
{
  mem_free(self->value);
  *self = (windows_rows){0};
}

static void read_flux(windows_pass *self, window_cursor *at, const dump_chunk *chunk, const windows_rows *rows)
{
  for (int64_t r = 0; r < chunk->rows; r++) {
    at->sum = rows->value[3 * r];
    close_window(self, at, chunk->row_time[r], rows->value[3 * r + 1], rows->value[3 * r + 2]);
  }
}

static void read_events(windows_pass *self, window_cursor *at, const dump_chunk *chunk)
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
      close_window(self, at, end, mixing_of(self, n), law_of(self, n));
    }
    if (r == chunk->rows) break;
    const int32_t dir = chunk->row_dir[r], step = dir >> 1;
    const int way = dir & 1 ? -1 : 1;
    at->sum += self->plan->tapes ? network_event_entropy(net, step, way, n, self->after, self->scratch)
                                 : way * net->step_lnk[step];
    for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++)
      n[net->change_slot[c]] += way * net->change_by[c];
  }
}

static const char *refuse(const windows_pass *self, const char **mend)
{
  *mend = "ness run MODEL -o dump.msgpack --time T --level flux --window W writes one";
  if (self->run->level != DUMP_FLUX && self->run->level != DUMP_EVENTS)
    return "a dump of this level does not tell the entropy production of windows of time; flux and events do";
  if (self->plan->unknown_mixed) {
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

unsigned windows_wanted(const windows_pass *self)
{
  return DUMP_N0 | DUMP_ROW_TIME | (self->run->level == DUMP_EVENTS ? DUMP_ROW_DIR : 0) |
         (self->run->level == DUMP_FLUX ? DUMP_ROW_COUNT | DUMP_ROW_FWD | DUMP_ROW_BWD : 0) |
         (self->plan->tapes ? DUMP_ROW_TAPE_ENTROPY : 0);
}

void windows_fold(windows_pass *self, const dump_chunk *chunk, const windows_rows *rows)
{
  if (chunk->replica < 0 || chunk->replica >= self->run->replicas) return;
  window_cursor *const at = &self->cursor[chunk->replica];
  if (!at->open) open_replica(self, at, chunk);
  if (self->run->level == DUMP_FLUX) read_flux(self, at, chunk, rows);
  else read_events(self, at, chunk);
}

static ness_status pass_init(windows_pass *self)
{
  const ness_network *const net = self->net;
  const double whole = self->run->time - self->run->warmup;
  const bool flux = self->run->level == DUMP_FLUX;
  self->window = flux && self->run->window > 0 ? self->run->window : whole / WINDOWS_GRID;
  const double count = floor(whole / self->window + 1e-9);
  self->out->points = count < 1 ? 0 : count < WINDOWS_GRID ? (int32_t)count : WINDOWS_GRID;
  self->out->length = self->window;
  self->out->replicas = self->run->replicas;
  self->stride = 1;
  self->cursor = mem_zero((size_t)self->run->replicas, sizeof *self->cursor);
  self->n = mem_zero(2 * (size_t)net->nslot + 2, sizeof *self->n);
  self->scratch = mem_zero((size_t)net->tape_max + 1, sizeof *self->scratch);
  self->lnk = mem_zero((size_t)net->nstep + 1, sizeof *self->lnk);
  self->out->entropy = mem_alloc((size_t)WINDOWS_KEPT * sizeof(double));
  self->out->time = mem_zero(3 * WINDOWS_GRID, sizeof(double));
  if (!self->cursor || !self->n || !self->scratch || !self->lnk || !self->out->entropy || !self->out->time)
    return NESS_NOMEM;
  for (int32_t s = 0; s < net->nstep; s++)
    self->lnk[s] = net->dir_law[2 * s] == LAW_TAPE || net->dir_law[2 * s + 1] == LAW_TAPE ? 0 : net->step_lnk[s];
  self->after = self->n + net->nslot + 1;
  self->out->running = self->out->time + WINDOWS_GRID;
  self->out->spread = self->out->running + WINDOWS_GRID;
  return NESS_OK;
}

static void pass_free(windows_pass *self)
{
  if (!self) return;
  law_free(self->law);
  mem_free(self->cursor);
  mem_free(self->n);
  mem_free(self->scratch);
  mem_free(self->lnk);
  mem_free(self);
}

/* ln p of the state, given the levels of inputs where some flip: flips come from outside and have no entropy of their
 * own. */
static ness_status pass_law(windows_pass *self, const cme_solution *exact)
{
  held_laws held = {0};
  const bool flips = self->net->nflip > 0;
  ness_status status = flips ? held_find(self->net, exact, &held) : NESS_OK;
  if (!status && !held.why) status = law_create(self->net, exact, flips ? held.given : NULL, &self->law);
  held_free(&held);
  for (int32_t k = 0; k < self->net->nflip; k++) {
    const int32_t step = self->net->flip_step[k];
    self->out->turned |= fabs(exact->net_rate[step]) > 1e-6 * exact->dir_rate[2 * step];
  }
  return status;
}

ness_status windows_begin(const tally_plan *plan, const cme_solution *exact, windows *out, windows_pass **pass)
{
  memset(out, 0, sizeof *out);
  *pass = NULL;
  windows_pass *const self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->plan = plan;
  self->net = plan->net;
  self->run = plan->run;
  self->out = out;
  ness_status status = NESS_OK;
  if (!(out->why = refuse(self, &out->mend))) {
    status = pass_init(self);
    if (!status && exact) status = pass_law(self, exact);
    out->total = self->law != NULL;
  }
  if (status || out->why) pass_free(self);
  else *pass = self;
  if (status) windows_free(out);
  return status;
}

static ness_status pass_read(windows_pass *self, dump_reader *reader, ness_diags *quiet)
{
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  windows_rows rows = {0};
  dump_chunk chunk;
  const unsigned wanted = windows_wanted(self);
  ness_status status = NESS_OK;
  for (;;) {
    status = interrupt_pending() ? NESS_STOPPED : dump_next(reader, &frame, quiet);
    if (status || frame.bytes == 0) break;
    if (frame.kind != DUMP_KIND_CHUNK || dump_decode(reader, &frame, &buffer, wanted, &chunk)) continue;
    if ((status = windows_chunk(self, &chunk, &rows))) break;
    windows_fold(self, &chunk, &rows);
  }
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  windows_rows_free(&rows);
  return status == NESS_FORMAT ? NESS_OK : status;
}

/* What the sums over replicas and windows say. */
static void pass_finish(windows_pass *self)
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
  if (self->infinite) out->why = "a step without a way back fired, so that the entropy production is infinite";
  else if (out->kept == 0) out->why = "it has no whole window";
}

void windows_end(windows_pass *self)
{
  if (self) pass_finish(self);
  pass_free(self);
}

static void integral_of(windows *self)
{
  const double count = (double)self->kept;
  double sum = 0, square = 0;
  for (int64_t i = 0; i < self->kept; i++) {
    const double weight = exp(-self->entropy[i]);
    sum += weight;
    square += weight * weight;
  }
  self->integral = sum / count;
  self->error = sqrt(fmax(square / count - self->integral * self->integral, 0) / count);
}

ness_status windows_read(const char *path, const cme_solution *exact, windows *out)
{
  dump_reader *reader = NULL;
  windows_pass *pass = NULL;
  tally_plan plan = {0};
  ness_diags *const quiet = ness_diags_create(); /* damage is what ness_analyze tells of */
  memset(out, 0, sizeof *out);
  ness_status status = quiet ? dump_open(path, quiet, &reader) : NESS_NOMEM;
  if (!status) status = tally_plan_init(&plan, dump_network(reader), dump_run_of(reader));
  if (!status) status = windows_begin(&plan, exact, out, &pass);
  if (!status && pass) {
    status = pass_read(pass, reader, quiet);
    windows_end(pass);
    integral_of(out);
  }
  tally_plan_free(&plan);
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
