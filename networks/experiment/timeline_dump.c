/* The course of a simulation as a dump at level grid: rows of whole counts, for engines that write none of their own.
 * Real slots are rounded; so are the integrals of steps that flow, as differences of rounded totals, so that chunks add
 * up to the whole; where something flows, chunks have the same as real numbers beside. A chunk is written when all that
 * it covers was counted; chunks stand in the order of replicas, all of one behind another. There is no state of a
 * generator in it, and no way to go on. Levels flux and events, for runs that keep a ledger, stand in
 * timeline_chunks.c. Memory: that of the timeline, and a total a chunk. Cost: O(steps, slots) a row while it runs. */
#include "networks/experiment/timeline.h"
#include <math.h>
#include <string.h>

#if defined(__clang__)
#define TIMELINE_COMPILER "clang " __clang_version__
#else
#define TIMELINE_COMPILER "gcc " __VERSION__
#endif

size_t timeline_width(const timeline *self)
{
  const size_t slots = (size_t)self->net->nslot, state = self->flows ? slots + (size_t)self->net->nstep : 0;
  return 2 * (size_t)self->net->nstep + 2 * slots + 2 + (size_t)self->ledger + state;
}

static bool timeline_level(const ness_simulate_options *o, const char *level)
{
  return strcmp(o->level ? o->level : "flux", level) == 0;
}

ness_simulate_options timeline_options(const ness_simulate_options *given)
{
  ness_simulate_options out = *given;
  if (!out.path) return out;
  if (!timeline_level(&out, "grid")) out.every = 0;
  else if (!(out.every > 0)) out.every = (out.time - out.warmup) / 100;
  return out;
}

/* Rows of a chunk, of `rows` that a replica has: fewer than fit, for a ledger is wanted of pieces of its time. */
static int64_t timeline_rows_of(const timeline *self, int32_t level, double rows)
{
  const int64_t most = dump_chunk_rows(self->net, level);
  const double piece = ceil(rows / (self->replicas < TIMELINE_FEW ? TIMELINE_PIECES : 2));
  return piece < (double)most ? piece > 1 ? (int64_t)piece : 1 : most;
}

/* What chunks of level grid need. */
static ness_status timeline_grid(timeline *self)
{
  size_t chunks, cells;
  self->chunk_rows = timeline_rows_of(self, DUMP_GRID, (double)(self->times - 1));
  self->chunks = self->times > 1 ? (self->times - 2) / self->chunk_rows + 1 : 1;
  if (!size_mul((size_t)self->replicas, (size_t)self->chunks, &chunks) ||
      !size_mul(chunks, timeline_width(self), &cells))
    return NESS_LIMIT;
  self->total = mem_zero(cells, sizeof *self->total);
  self->done = mem_zero((size_t)self->replicas, sizeof *self->done);
  return self->total && self->done ? NESS_OK : NESS_NOMEM;
}

ness_status timeline_create(timeline *self, const ness_simulate_options *o, const char *method,
                            const timeline_input *input, const char *model_text, const char *settings,
                            ness_diags *diags)
{
  if (!o->path) return NESS_OK;
  const bool counted = input->counted, grid = timeline_level(o, "grid");
  const bool flux = counted && timeline_level(o, "flux"), events = counted && timeline_level(o, "events");
  if (!grid && !flux && !events) {
    diag_add(diags, NESS_ERROR,
             counted ? "a run by %s writes dumps at levels flux, grid and events"
                     : "a run by %s writes dumps at level grid alone",
             method);
    diag_hint(diags, "add --level grid, and --every for the distance of times");
    return NESS_USAGE;
  }
  self->ledger = DUMP_LEDGER_HEAD + network_sources(self->net);
  self->flows = input->flows;
  self->diags = diags;
  if (flux) self->window = o->window > 0 ? o->window : (o->time - o->warmup) / 100;
  if (!grid) self->track = mem_zero((size_t)self->replicas, sizeof *self->track);
  const ness_status status = grid ? timeline_grid(self) : self->track ? NESS_OK : NESS_NOMEM;
  if (status != NESS_OK) return status;
  if (flux) self->chunk_rows = timeline_rows_of(self, DUMP_FLUX, (o->time - o->warmup) / self->window);
  if (events) self->chunk_rows = dump_chunk_rows(self->net, DUMP_EVENTS);
  const dump_run run = {.model_text = model_text,
                        .overrides = settings ? settings : "",
                        .command = o->command ? o->command : "",
                        .version = ness_version_text(),
                        .machine = TIMELINE_COMPILER,
                        .method = method,
                        .level = grid   ? DUMP_GRID
                                 : flux ? DUMP_FLUX
                                        : DUMP_EVENTS,
                        .seed = o->seed,
                        .replicas = self->replicas,
                        .block = 1,
                        .time = o->time,
                        .warmup = o->warmup,
                        .window = self->window,
                        .every = o->every,
                        .input = input->flows ? NULL : input->name,
                        .input_kind = input->flows ? NULL : input->kind,
                        .input_period = input->period,
                        .flows_beside = input->flows ? input->name : NULL};
  return dump_create(o->path, o->overwrite != 0, self->net, &run, diags, &self->writer);
}

/* --- while it runs --- */

/* Where the totals at a row go, NULL: no chunk ends there. */
static double *timeline_total(timeline *self, int64_t replica, int64_t row)
{
  const bool end = row < 0;
  if (!end && (row == 0 || row % self->chunk_rows != 0)) return NULL;
  const int64_t chunk = end ? self->chunks - 1 : row / self->chunk_rows - 1;
  if (chunk >= self->chunks - 1 && !end) return NULL;
  self->done[replica] = chunk + 1;
  return self->total + (size_t)(replica * self->chunks + chunk) * timeline_width(self);
}

ness_status timeline_flown(void *context, int64_t replica, int64_t row, const hybrid_now *now)
{
  timeline *const self = context;
  const size_t steps = 2 * (size_t)self->net->nstep, slots = (size_t)self->nslot;
  double *const to = timeline_total(self, replica, row);
  if (!to) return NESS_OK;
  memcpy(to, now->fired, steps * sizeof *to);
  memcpy(to + steps, now->dwell, slots * sizeof *to);
  memcpy(to + steps + slots, now->dwell2, slots * sizeof *to);
  to[steps + 2 * slots] = now->counted;
  to[steps + 2 * slots + 1] = (double)now->events;
  double *const ledger = to + steps + 2 * slots + 2;
  ledger[DUMP_LEDGER_MEDIUM] = now->medium;
  ledger[DUMP_LEDGER_INPUT] = now->input_work;
  ledger[DUMP_LEDGER_ENERGY] = now->energy;
  memcpy(ledger + DUMP_LEDGER_HEAD, now->work, (size_t)(self->ledger - DUMP_LEDGER_HEAD) * sizeof *now->work);
  for (int32_t s = 0; s < self->net->nstep && !self->flows; s++) {
    const bool never = self->net->dir_law[2 * s] == LAW_NONE || self->net->dir_law[2 * s + 1] == LAW_NONE;
    if (now->lost[s] > 0 && !never) /* told by the network alone otherwise */
      ledger[DUMP_LEDGER_MEDIUM] = ledger[self->ledger - 1] = (double)INFINITY;
  }
  if (!self->flows) return NESS_OK;
  memcpy(ledger + self->ledger, now->x, slots * sizeof *now->x);
  memcpy(ledger + self->ledger + slots, now->lost, (size_t)self->net->nstep * sizeof *now->lost);
  return NESS_OK;
}

void timeline_totals(const timeline *self, const motion_now *now, double *to)
{
  const motion_replica *const at = now->replica;
  for (int32_t i = 0; i < 2 * self->net->nstep; i++) *to++ = (double)at->fired[i];
  for (int32_t i = 0; i < self->nslot; i++) *to++ = at->slot[i].dwell;
  for (int32_t i = 0; i < self->nslot; i++) *to++ = at->slot[i].dwell2;
  *to++ = at->settled - at->start;
  *to++ = (double)at->events;
  double *const ledger = to;
  ledger[DUMP_LEDGER_MEDIUM] = now->totals->medium;
  ledger[DUMP_LEDGER_INPUT] = now->totals->input_work;
  ledger[DUMP_LEDGER_ENERGY] = now->totals->energy;
  memcpy(ledger + DUMP_LEDGER_HEAD, now->work, (size_t)(self->ledger - DUMP_LEDGER_HEAD) * sizeof *now->work);
}

ness_status timeline_moved(void *context, int64_t replica, int64_t row, const motion_now *now)
{
  timeline *const self = context;
  double *const to = timeline_total(self, replica, row);
  if (to) timeline_totals(self, now, to);
  return NESS_OK;
}

/* --- at the end --- */

static void timeline_round(const timeline *self, int64_t replica, int64_t row, int64_t *out)
{
  const double *const x = self->x + (size_t)(replica * self->times + row) * (size_t)self->nslot;
  for (int32_t i = 0; i < self->nslot; i++) out[i] = llround(fmax(x[i], 0));
}

/* A direction that noise drives below nothing counts for the other way. */
void timeline_counted(const timeline *self, const double *before, const double *now, const timeline_frame *f,
                      dump_chunk *out)
{
  const int32_t nstep = self->net->nstep, nslot = self->nslot, ledger = 2 * nstep + 2 * nslot + 2;
  for (int32_t s = 0; s < nstep; s++) {
    const int64_t fwd = llround(now[2 * s]) - (before ? llround(before[2 * s]) : 0);
    const int64_t bwd = llround(now[2 * s + 1]) - (before ? llround(before[2 * s + 1]) : 0);
    f->fwd[s] = (fwd > 0 ? fwd : 0) + (bwd < 0 ? -bwd : 0);
    f->bwd[s] = (bwd > 0 ? bwd : 0) + (fwd < 0 ? -fwd : 0);
  }
  for (int32_t i = 0; i < nslot; i++) {
    const int32_t at = 2 * nstep + i;
    f->dwell[i] = now[at] - (before ? before[at] : 0);
    f->dwell2[i] = now[at + nslot] - (before ? before[at + nslot] : 0);
  }
  for (int32_t i = 0; i < self->ledger; i++)
    f->ledger[i] = now[ledger + i] - (before && isfinite(now[ledger + i]) ? before[ledger + i] : 0);
  out->n0 = f->n0;
  out->fwd = f->fwd;
  out->bwd = f->bwd;
  out->dwell = f->dwell;
  out->dwell2 = f->dwell2;
  out->ledger = f->ledger;
  out->counted = now[ledger - 2] - (before ? before[ledger - 2] : 0);
  out->events = (int64_t)(now[ledger - 1] - (before ? before[ledger - 1] : 0));
  if (!self->flows) return;
  const int32_t state = ledger + self->ledger, lost = state + nslot;
  for (int32_t s = 0; s < nstep; s++) {
    f->one_way[s] = now[lost + s] - (before ? before[lost + s] : 0);
    f->flow_fwd[s] = now[2 * s] - (before ? before[2 * s] : 0);
    f->flow_bwd[s] = now[2 * s + 1] - (before ? before[2 * s + 1] : 0);
  }
  const size_t slots = (size_t)nslot;
  memcpy(f->x1, now + state, slots * sizeof *f->x1);
  if (before) memcpy(f->x0, before + state, slots * sizeof *f->x0);
  out->flow_fwd = f->flow_fwd;
  out->flow_bwd = f->flow_bwd;
  out->one_way = f->one_way;
  out->x0 = f->x0;
  out->x1 = f->x1;
}

bool timeline_frame_init(timeline_frame *self, const timeline *of, arena *memory)
{
  const size_t slots = (size_t)of->nslot + 1, steps = (size_t)of->net->nstep + 1;
  *self = (timeline_frame){.n0 = arena_alloc(memory, slots * sizeof(int64_t)),
                           .fwd = arena_alloc(memory, steps * sizeof(int64_t)),
                           .bwd = arena_alloc(memory, steps * sizeof(int64_t)),
                           .dwell = arena_alloc(memory, slots * sizeof(double)),
                           .dwell2 = arena_alloc(memory, slots * sizeof(double)),
                           .ledger = arena_alloc(memory, ((size_t)of->ledger + 1) * sizeof(double)),
                           .flow_fwd = arena_alloc(memory, steps * sizeof(double)),
                           .flow_bwd = arena_alloc(memory, steps * sizeof(double)),
                           .one_way = arena_alloc(memory, steps * sizeof(double)),
                           .x0 = arena_alloc(memory, slots * sizeof(double)),
                           .x1 = arena_alloc(memory, slots * sizeof(double))};
  return !memory->failed;
}

typedef struct timeline_rows { /* of a chunk of level grid */
  double *time;
  int64_t *count;
} timeline_rows;

static ness_status timeline_chunk(timeline *self, int64_t replica, int64_t index, const timeline_frame *f,
                                  const timeline_rows *rows, ness_diags *diags)
{
  const size_t width = timeline_width(self);
  const double *const now = self->total + (size_t)(replica * self->chunks + index) * width;
  const int64_t first = index * self->chunk_rows, left = self->times - 1 - first;
  const bool last = index == self->chunks - 1;
  dump_chunk chunk = {.replica = replica,
                      .index = index,
                      .last = last,
                      .stop = last ? NESS_STOP_TIME : 0,
                      .t0 = fmin(self->time[first], self->end),
                      .rows = left < self->chunk_rows ? left : self->chunk_rows,
                      .row_time = rows->time,
                      .row_count = rows->count};
  chunk.t1 = last ? self->end : self->time[first + chunk.rows];
  timeline_round(self, replica, first, f->n0);
  if (index == 0) memcpy(f->x0, timeline_place(self, replica, 0), (size_t)self->nslot * sizeof *f->x0);
  timeline_counted(self, index > 0 ? now - width : NULL, now, f, &chunk);
  for (int64_t r = 0; r < chunk.rows; r++) {
    rows->time[r] = fmin(self->time[first + 1 + r], self->end);
    timeline_round(self, replica, first + 1 + r, rows->count + r * self->nslot);
  }
  void *frame = NULL;
  size_t bytes;
  ness_status status = dump_pack(self->net, DUMP_GRID, &chunk, &frame, &bytes);
  if (status == NESS_OK) status = dump_append(self->writer, frame, bytes, diags);
  mem_free(frame);
  return status;
}

static ness_status timeline_write(timeline *self, ness_diags *diags)
{
  const size_t most = (size_t)(self->times < self->chunk_rows ? self->times : self->chunk_rows) + 1;
  arena memory = {0};
  timeline_frame f;
  const bool room = timeline_frame_init(&f, self, &memory);
  const timeline_rows rows = {arena_alloc(&memory, most * sizeof(double)),
                              arena_alloc(&memory, most * ((size_t)self->nslot + 1) * sizeof(int64_t))};
  ness_status status = room && !memory.failed ? NESS_OK : NESS_NOMEM;
  for (int64_t r = 0; r < self->replicas && status == NESS_OK; r++) {
    for (int64_t i = 0; i < self->done[r] && status == NESS_OK; i++)
      status = timeline_chunk(self, r, i, &f, &rows, diags);
  }
  arena_free(&memory);
  return status;
}

ness_status timeline_close(timeline *self, ness_status status, ness_diags *diags)
{
  if (!self->writer) return status;
  const ness_status written = self->track ? NESS_OK : timeline_write(self, diags);
  const ness_status closed = dump_close(self->writer, status == NESS_OK && written == NESS_OK, diags);
  self->writer = NULL;
  if (status == NESS_STOPPED) {
    int64_t whole = self->track ? self->chunks : 0;
    for (int64_t r = 0; r < self->replicas && self->done; r++) whole += self->done[r] == self->chunks;
    diag_add(diags, NESS_WARNING, "stopped: the dump holds the %lld replicas of %lld that had ended", (long long)whole,
             (long long)self->replicas);
    diag_hint(diags, "it cannot be gone on with: run it again");
    status = NESS_INTERRUPTED;
  }
  return status != NESS_OK ? status : written != NESS_OK ? written : closed;
}
