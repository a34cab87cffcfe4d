/* The sums of a chunk, cut into units. Invariant: the units of a chunk add up to its totals; counts are exact.
 * Method: a chunk inside one unit needs its totals alone. One that reaches over a border is cut by windows (flux), by
 * its events with the integrals of counts followed slot by slot (events), or goes whole to the unit of its middle
 * (summary, grid). The longest stretch of a chunk cut by its events is not followed: its counts are those of its
 * directions, its integrals what the others leave of the totals. Rotations of slots against each other, sum of
 * (n_i n'_j - n_j n'_i) / 2, are odd under reversal of time at any sampling of the trajectory, so rows of every level
 * give them. Cost: O(nslot + nstep) a chunk; up to 10 ns an event where events are followed, 1 ns where counted. */
#include "analysis/analysis.h"

#include "engine/rng/rng.h"
#include <math.h>
#include <string.h>

#define PLAN_BYTES ((size_t)256 << 20) /* of all units: fewer batches for a larger network */

static bool step_tape(const ness_network *net, int32_t step)
{
  return net->dir_law[2 * step] == LAW_TAPE || net->dir_law[2 * step + 1] == LAW_TAPE;
}

/* --- plan --- */

/* Whether the count of a slot can be anything but 0 and 1: ln n! is 0 for both. */
static bool slot_many(const ness_network *net, int32_t slot)
{
  if (net->slot_max[slot] <= 1) return false;
  return net->slot_family[slot] < 0 || net->family_copies[net->slot_family[slot]] > 1;
}

static void plan_laws(tally_plan *self)
{
  const ness_network *net = self->net;
  for (int32_t s = 0; s < net->nstep; s++) {
    const bool tape = step_tape(net, s);
    self->tapes |= tape;
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++)
      self->slot_law[net->change_slot[c]] |= tape ? 2 : 1;
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    self->mixed |= self->slot_law[i] == 3 && slot_many(net, i);
    if ((self->slot_law[i] & 2) && self->nareaslot < ANALYSIS_AREA_SLOTS) self->area_slot[self->nareaslot++] = i;
  }
  self->unknown_mixed = self->mixed && self->run->level != DUMP_EVENTS && !dump_has_ledger(self->run);
  if (self->run->level == DUMP_SUMMARY || dump_has_ledger(self->run))
    self->nareaslot = 0; /* a ledger tells the entropy itself */
  self->narea = self->nareaslot * (self->nareaslot - 1) / 2;
}

static bool plan_units(tally_plan *self)
{
  const ness_network *net = self->net;
  const int64_t replicas = self->run->replicas;
  const int64_t ledger = dump_has_ledger(self->run) ? DUMP_LEDGER_HEAD + (int64_t)network_sources(net) : 0;
  const int64_t width = TALLY_HEAD + 2 * (int64_t)net->nstep + 2 * (int64_t)net->nslot + self->narea + ledger +
                        (self->run->flows_beside ? 1 + 3 * (int64_t)net->nslot + net->nstep : 0);
  size_t bytes;
  if (width > INT32_MAX / 2) return false;
  self->width = (int32_t)width;
  self->fwd = TALLY_HEAD;
  self->bwd = self->fwd + net->nstep;
  self->dwell = self->bwd + net->nstep;
  self->dwell2 = self->dwell + net->nslot;
  self->area = self->dwell2 + net->nslot;
  self->ledger = self->area + self->narea;
  self->started = self->ledger + (int32_t)ledger;
  self->begin = self->started + 1;
  self->change = self->begin + net->nslot;
  self->gives = self->change + net->nslot;
  self->one_way = self->gives + net->nslot;
  self->by_time = replicas < ANALYSIS_REPLICAS;
  self->by_events = !isfinite(self->run->time);
  self->start = self->run->warmup;
  self->end = self->run->time;
  int64_t most = ANALYSIS_BATCHES;
  while (most > ANALYSIS_REPLICAS && size_mul((size_t)(2 * most), (size_t)width * sizeof(double), &bytes) &&
         bytes > PLAN_BYTES)
    most /= 2;
  if (self->by_time) {
    self->pieces = 2;
    while (replicas * self->pieces * 2 <= most) self->pieces *= 2;
    self->batches = (int32_t)replicas * self->pieces;
    self->units = self->batches;
    self->halves = true;
  } else {
    self->batches = (int32_t)(replicas < most ? replicas : most);
    self->halves = !self->by_events;
    self->pieces = self->halves ? 2 : 1;
    self->units = (int64_t)self->batches * self->pieces;
  }
  return true;
}

ness_status tally_plan_init(tally_plan *self, const ness_network *net, const dump_run *run)
{
  *self = (tally_plan){.net = net, .run = run};
  self->slot_law = mem_zero((size_t)net->nslot + 1, 1);
  if (!factorials_init(&self->factorials) || !self->slot_law) return NESS_NOMEM;
  plan_laws(self);
  return plan_units(self) ? NESS_OK : NESS_LIMIT;
}

void tally_plan_free(tally_plan *self)
{
  mem_free(self->slot_law);
  self->slot_law = NULL;
  mem_free(self->factorials.log);
  self->factorials.log = NULL;
}

int32_t tally_batch(const tally_plan *self, int64_t unit)
{
  return (int32_t)(self->by_time ? unit : unit / self->pieces);
}

/* --- pieces of a replica --- */

static int64_t piece_at(const tally_plan *self, double share)
{
  const double piece = floor(share * self->pieces);
  return piece > 0 ? piece < self->pieces ? (int64_t)piece : self->pieces - 1 : 0;
}

static int64_t piece_of_time(const tally_plan *self, double t)
{
  return piece_at(self, (t - self->start) / (self->end - self->start));
}

static int64_t event_limit(const tally_plan *self)
{
  return self->run->events > 0 ? self->run->events : 1;
}

static int64_t piece_of_event(const tally_plan *self, int64_t event)
{
  const rng_u128 piece = (rng_u128)event * (rng_u128)self->pieces / (rng_u128)event_limit(self);
  return piece < (rng_u128)self->pieces ? (int64_t)piece : self->pieces - 1;
}

/* The first event behind a piece: the limit times (piece + 1) / pieces, rounded up. */
static int64_t piece_border(const tally_plan *self, int64_t piece)
{
  const int64_t whole = event_limit(self) / self->pieces, rest = event_limit(self) % self->pieces;
  return whole * (piece + 1) + (rest * (piece + 1) + self->pieces - 1) / self->pieces;
}

static double piece_end(const tally_plan *self, int64_t piece)
{
  return self->start + (self->end - self->start) * (double)(piece + 1) / self->pieces;
}

static int64_t unit_of(const tally_plan *self, int64_t replica, int64_t piece)
{
  if (self->by_time) return replica * self->pieces + piece;
  const rng_u128 batch = (rng_u128)replica * (rng_u128)self->batches / (rng_u128)self->run->replicas;
  return (int64_t)batch * self->pieces + piece;
}

int32_t tally_batch_at(const tally_plan *self, int64_t replica, double t)
{
  return tally_batch(self, unit_of(self, replica, self->by_time ? piece_of_time(self, t) : 0));
}

/* --- sums --- */

static double *segment_add(tally *self, const tally_plan *plan, int64_t unit, int64_t from, int64_t to)
{
  if (!mem_grow(&self->segment, &self->segment_room, self->segments + 1, sizeof *self->segment) ||
      !mem_grow(&self->sum, &self->sum_room, (self->segments + 1) * plan->width, sizeof *self->sum))
    return NULL;
  self->segment[self->segments] = (tally_segment){unit, from, to};
  double *const sum = self->sum + self->segments++ * plan->width;
  memset(sum, 0, (size_t)plan->width * sizeof *sum);
  return sum;
}

double tally_factorials(const tally_plan *plan, const int64_t *n)
{
  double sum = 0;
  for (int32_t i = 0; i < plan->net->nslot; i++)
    if ((plan->slot_law[i] & 1) && n[i] > 1) sum += factorials_log(&plan->factorials, n[i]);
  return sum;
}

static void add_areas(const tally_plan *plan, const int64_t *before, const int64_t *after, double *sum)
{
  const int64_t *const start = plan->net->slot_start; /* a fixed origin: it changes the ends alone */
  for (int32_t a = 0, k = plan->area; a < plan->nareaslot; a++) {
    const int32_t i = plan->area_slot[a];
    for (int32_t b = a + 1; b < plan->nareaslot; b++, k++) {
      const int32_t j = plan->area_slot[b];
      sum[k] += 0.5 * ((double)(before[i] - start[i]) * (double)(after[j] - start[j]) -
                       (double)(before[j] - start[j]) * (double)(after[i] - start[i]));
    }
  }
}

static void counts_after(const ness_network *net, const int64_t *fwd, const int64_t *bwd, int64_t *n)
{
  for (int32_t s = 0; s < net->nstep; s++) {
    const uint64_t events = (uint64_t)fwd[s] - (uint64_t)bwd[s]; /* modulo 2^64: a false chunk must not overflow */
    for (int32_t c = net->change_start[s]; events && c < net->change_start[s + 1]; c++)
      n[net->change_slot[c]] = (int64_t)((uint64_t)n[net->change_slot[c]] + events * (uint64_t)net->change_by[c]);
  }
}

static void add_ends(const tally_plan *plan, const int64_t *from, const int64_t *to, double *sum)
{
  sum[TALLY_ENERGY] += network_free_energy(plan->net, to) - network_free_energy(plan->net, from);
  sum[TALLY_FACTORIAL] += tally_factorials(plan, to) - tally_factorials(plan, from);
  if (plan->held) sum[TALLY_HELD] += law_log(plan->held, to) - law_log(plan->held, from);
}

static bool counts_legal(const ness_network *net, const int64_t *n)
{
  int64_t low = 0;
  for (int32_t i = 0; i < net->nslot; i++) low |= n[i];
  return low >= 0;
}

/* Of runs where something flows: real numbers in the place of whole ones, which fit no sum of events there. */
static ness_status tally_flows(const tally_plan *plan, const dump_chunk *chunk, double *sum)
{
  const ness_network *const net = plan->net;
  if (!chunk->flow_fwd || !chunk->flow_bwd || !chunk->one_way || !chunk->x0 || !chunk->x1) return NESS_FORMAT;
  for (int32_t s = 0; s < net->nstep; s++) {
    sum[plan->fwd + s] = chunk->flow_fwd[s];
    sum[plan->bwd + s] = chunk->flow_bwd[s];
    sum[plan->one_way + s] = chunk->one_way[s];
  }
  sum[TALLY_TIME] = chunk->counted;
  sum[TALLY_EVENTS] = (double)chunk->events;
  sum[plan->started] = chunk->index == 0;
  for (int32_t i = 0; i < net->nslot; i++) {
    const double from = chunk->x0[i], to = chunk->x1[i];
    sum[plan->dwell + i] = chunk->dwell[i];
    sum[plan->dwell2 + i] = chunk->dwell2[i];
    sum[plan->begin + i] = chunk->index == 0 ? from : 0;
    sum[plan->change + i] = to - from;
    const int32_t v = net->slot_var[i];
    const double mixed = v < 0 ? stat_lgamma(fmax(to, 0) + 1) - stat_lgamma(fmax(from, 0) + 1) : 0;
    const double charged = v < 0 ? 0 : 0.5 * (network_var_pull(net, v, to) + network_var_pull(net, v, from));
    sum[TALLY_FACTORIAL] += mixed;
    sum[plan->gives + i] = -(v < 0 ? net->slot_g[i] : charged) * (to - from) - mixed;
  }
  for (int32_t k = 0; k < plan->width; k++)
    if (!isfinite(sum[k])) return NESS_FORMAT;
  return NESS_OK;
}

/* The totals of the chunk, all to one unit. */
static ness_status tally_whole(const tally_plan *plan, const dump_chunk *chunk, int64_t unit, tally *out)
{
  const ness_network *net = plan->net;
  const int32_t ledger = dump_has_ledger(plan->run) ? plan->started - plan->ledger : 0;
  for (int32_t i = 0; i < ledger; i++)
    if (!chunk->ledger) return NESS_FORMAT;
  double *const sum = segment_add(out, plan, unit, 0, chunk->rows);
  if (!sum) return NESS_NOMEM;
  for (int32_t i = 0; i < ledger; i++) sum[plan->ledger + i] = chunk->ledger[i];
  if (plan->run->flows_beside) return tally_flows(plan, chunk, sum);
  int64_t *const n = out->n;
  memcpy(n, chunk->n0, (size_t)net->nslot * sizeof *n);
  counts_after(net, chunk->fwd, chunk->bwd, n);
  if (!counts_legal(net, n)) return NESS_FORMAT;
  sum[TALLY_TIME] = chunk->counted;
  sum[TALLY_TAPE] = chunk->tape_entropy;
  add_ends(plan, chunk->n0, n, sum);
  for (int32_t s = 0; s < net->nstep; s++) {
    sum[plan->fwd + s] = (double)chunk->fwd[s];
    sum[plan->bwd + s] = (double)chunk->bwd[s];
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    sum[plan->dwell + i] = chunk->dwell[i];
    sum[plan->dwell2 + i] = chunk->dwell2[i];
  }
  const int64_t *before = chunk->n0;
  for (int64_t r = 0; plan->narea && chunk->row_count && r < chunk->rows; r++) {
    add_areas(plan, before, chunk->row_count + r * net->nslot, sum);
    before = chunk->row_count + r * net->nslot;
  }
  return NESS_OK;
}

/* --- windows --- */

/* Rows from ... to - 1 of one piece, which begin at t with counts `before`. */
static void tally_rows(const tally_plan *plan, const dump_chunk *chunk, int64_t from, int64_t to, double t,
                       const int64_t *before, double *sum)
{
  const ness_network *net = plan->net;
  sum[TALLY_TIME] += chunk->row_time[to - 1] - t;
  add_ends(plan, before, chunk->row_count + (to - 1) * net->nslot, sum);
  for (int64_t r = from; r < to; r++) {
    const int64_t *const fwd = chunk->row_fwd + r * net->nstep, *const bwd = chunk->row_bwd + r * net->nstep;
    const double *const dwell = chunk->row_dwell + r * net->nslot;
    if (chunk->row_tape_entropy) sum[TALLY_TAPE] += chunk->row_tape_entropy[r];
    for (int32_t s = 0; s < net->nstep; s++) {
      sum[plan->fwd + s] += (double)fwd[s];
      sum[plan->bwd + s] += (double)bwd[s];
    }
    for (int32_t i = 0; i < net->nslot; i++) sum[plan->dwell + i] += dwell[i];
    if (plan->narea) add_areas(plan, before, chunk->row_count + r * net->nslot, sum);
    before = chunk->row_count + r * net->nslot;
  }
}

static int64_t row_events(const ness_network *net, const dump_chunk *chunk, int64_t row)
{
  int64_t events = 0;
  for (int32_t s = 0; s < net->nstep; s++)
    events += chunk->row_fwd[row * net->nstep + s] + chunk->row_bwd[row * net->nstep + s];
  return events;
}

/* The piece of a window: that of its middle. */
static int64_t piece_of_row(const tally_plan *plan, const dump_chunk *chunk, int64_t row, double t, int64_t *done)
{
  if (!plan->by_events) return piece_of_time(plan, 0.5 * (t + chunk->row_time[row]));
  const int64_t events = row_events(plan->net, chunk, row), piece = piece_of_event(plan, *done + events / 2);
  *done += events;
  return piece;
}

static ness_status tally_windows(const tally_plan *plan, const dump_chunk *chunk, int64_t done, tally *out)
{
  const ness_network *net = plan->net;
  double t = chunk->t0, *sum = NULL;
  const int64_t *before = chunk->n0;
  int64_t next = piece_of_row(plan, chunk, 0, t, &done);
  for (int64_t from = 0, to; from < chunk->rows; from = to) {
    const int64_t piece = next;
    for (to = from + 1; to < chunk->rows && next == piece; to += next == piece)
      next = piece_of_row(plan, chunk, to, chunk->row_time[to - 1], &done);
    if (!(sum = segment_add(out, plan, unit_of(plan, chunk->replica, piece), from, to))) return NESS_NOMEM;
    tally_rows(plan, chunk, from, to, t, before, sum);
    t = chunk->row_time[to - 1];
    before = chunk->row_count + (to - 1) * net->nslot;
  }
  for (int32_t i = 0; sum && i < net->nslot; i++) sum[plan->dwell2 + i] += chunk->dwell2[i]; /* rows do not have it */
  return NESS_OK;
}

/* --- events --- */

/* The integrals of a slot up to t. */
static void settle(tally *self, int32_t slot, double t)
{
  tally_clock *const clock = &self->clock[slot];
  const double n = (double)self->n[slot], area = n * (t - clock->since);
  clock->dwell += area;
  clock->dwell2 += n * area;
  clock->since = t;
}

/* Modulo 2^64: a false chunk must not overflow. */
static int64_t changed(int64_t n, int32_t dir, int32_t by)
{
  return (int64_t)((uint64_t)n + (uint64_t)(int64_t)((dir & 1) ? -by : by));
}

/* What an event of a step with a tape adds beyond its count: rotations, and the factorials that are not its own. */
static void fire_tape(const tally_plan *plan, tally *self, int32_t dir, double *sum)
{
  const ness_network *net = plan->net;
  const int32_t step = dir >> 1;
  if (!plan->narea && !plan->mixed) return;
  memcpy(self->m, self->n, (size_t)net->nslot * sizeof *self->m);
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t slot = net->change_slot[c];
    const int64_t before = self->m[slot], after = changed(before, dir, net->change_by[c]);
    self->m[slot] = after;
    if (plan->mixed && (plan->slot_law[slot] & 1))
      sum[TALLY_FACTORIAL] -=
          factorials_log(&plan->factorials, after > 0 ? after : 0) - factorials_log(&plan->factorials, before);
  }
  if (plan->narea) add_areas(plan, self->n, self->m, sum);
}

/* Follows rows from ... to - 1 slot by slot; false when a count leaves its range. */
static bool follow_rows(const tally_plan *plan, const dump_chunk *chunk, int64_t from, int64_t to, tally *self,
                        double *sum)
{
  const ness_network *net = plan->net;
  const int32_t *const start = net->change_start, *const slots = net->change_slot, *const by = net->change_by;
  int64_t bad = 0;
  for (int64_t r = from; r < to && !bad; r++) {
    const int32_t dir = chunk->row_dir[r], step = dir >> 1;
    self->hits[dir]++;
    const bool flip = plan->held && net->step_proc[step] >= 0;
    if (plan->tapes && step_tape(net, step)) fire_tape(plan, self, dir, sum);
    if (flip) sum[TALLY_HELD] += law_log(plan->held, self->n);
    for (int32_t c = start[step]; c < start[step + 1]; c++) {
      settle(self, slots[c], chunk->row_time[r]);
      const int64_t after = changed(self->n[slots[c]], dir, by[c]);
      self->n[slots[c]] = after;
      bad |= after < 0 || after >= INT64_MAX / 2;
    }
    if (flip && !bad) sum[TALLY_HELD] -= law_log(plan->held, self->n);
  }
  return !bad;
}

/* Rows from ... to - 1 by their numbers alone. */
static bool count_rows(const tally_plan *plan, const dump_chunk *chunk, int64_t from, int64_t to, tally *self)
{
  const ness_network *net = plan->net;
  for (int64_t r = from; r < to; r++) self->hits[chunk->row_dir[r]]++;
  for (int32_t s = 0; s < net->nstep; s++) {
    const uint64_t events = (uint64_t)(self->hits[2 * s] - self->hits[2 * s + 1]);
    for (int32_t c = net->change_start[s]; events && c < net->change_start[s + 1]; c++) {
      int64_t *const n = &self->n[net->change_slot[c]];
      *n = (int64_t)((uint64_t)*n + events * (uint64_t)net->change_by[c]);
    }
  }
  return counts_legal(net, self->n);
}

/* The newest segment, which covers (t_from, t_end]. Its integrals are left out unless `times`. */
static bool tally_stretch(const tally_plan *plan, const dump_chunk *chunk, double t_from, double t_end, bool times,
                          tally *self, double *sum)
{
  const ness_network *net = plan->net;
  const tally_segment segment = self->segment[self->segments - 1];
  const double energy = network_free_energy(net, self->n), log_factorial = tally_factorials(plan, self->n);
  const double log_held = plan->held ? law_log(plan->held, self->n) : 0;
  memset(self->hits, 0, 2 * (size_t)net->nstep * sizeof *self->hits);
  for (int32_t i = 0; i < net->nslot; i++) self->clock[i] = (tally_clock){t_from, 0, 0};
  if (!(times ? follow_rows(plan, chunk, segment.from, segment.to, self, sum)
              : count_rows(plan, chunk, segment.from, segment.to, self)))
    return false;
  for (int32_t s = 0; s < net->nstep; s++) {
    sum[plan->fwd + s] = (double)self->hits[2 * s];
    sum[plan->bwd + s] = (double)self->hits[2 * s + 1];
  }
  for (int32_t i = 0; times && i < net->nslot; i++) {
    settle(self, i, t_end);
    sum[plan->dwell + i] = self->clock[i].dwell;
    sum[plan->dwell2 + i] = self->clock[i].dwell2;
  }
  sum[TALLY_TIME] = t_end - t_from;
  sum[TALLY_ENERGY] = network_free_energy(net, self->n) - energy;
  sum[TALLY_FACTORIAL] += tally_factorials(plan, self->n) - log_factorial;
  if (plan->held) sum[TALLY_HELD] += law_log(plan->held, self->n) - log_held;
  return true;
}

/* The first row from `from` on that is later than t. */
int64_t tally_row_after(const dump_chunk *chunk, int64_t from, double t)
{
  int64_t low = from, high = chunk->rows;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (chunk->row_time[middle] <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* Whether every event has to be seen: rotations and counts at tapes, and where inputs flip. */
static bool must_follow(const tally_plan *plan)
{
  return plan->narea || plan->mixed || (plan->held && plan->net->nflip > 0);
}

/* The piece that begins at row and time t: it goes to row *to and time *t_end. */
static int64_t cut(const tally_plan *plan, const dump_chunk *chunk, int64_t done, int64_t row, double t, int64_t *to,
                   double *t_end)
{
  const int64_t piece = plan->by_events ? piece_of_event(plan, done + row) : piece_of_time(plan, t);
  *to = chunk->rows;
  *t_end = chunk->t1;
  if (piece + 1 < plan->pieces && plan->by_events) {
    const int64_t border = piece_border(plan, piece) - done;
    *to = border > row && border < *to ? border : *to;
  } else if (piece + 1 < plan->pieces) {
    *t_end = fmin(*t_end, fmax(piece_end(plan, piece), nextafter(t, INFINITY)));
    *to = *t_end < chunk->t1 ? tally_row_after(chunk, row, *t_end) : *to;
  }
  if (plan->by_events && *to < chunk->rows) *t_end = chunk->row_time[*to - 1];
  return piece;
}

/* Where the stretch with most rows begins. */
static int64_t longest_stretch(const tally_plan *plan, const dump_chunk *chunk, int64_t done)
{
  int64_t most = -1, begin = 0, to;
  double t = chunk->t0, t_end;
  for (int64_t row = 0; row < chunk->rows; row = to, t = t_end) {
    cut(plan, chunk, done, row, t, &to, &t_end);
    if (to - row <= most) continue;
    most = to - row;
    begin = row;
  }
  return begin;
}

/* The integrals of segment k: what the others leave of the totals. */
static void integrals_left(const tally_plan *plan, const dump_chunk *chunk, int64_t k, tally *self)
{
  double *const sum = self->sum + k * plan->width;
  for (int32_t i = 0; i < plan->net->nslot; i++) {
    double others = 0, others2 = 0;
    for (int64_t j = 0; j < self->segments; j++) {
      others += j == k ? 0 : self->sum[j * plan->width + plan->dwell + i];
      others2 += j == k ? 0 : self->sum[j * plan->width + plan->dwell2 + i];
    }
    sum[plan->dwell + i] = fmax(chunk->dwell[i] - others, 0);
    sum[plan->dwell2 + i] = fmax(chunk->dwell2[i] - others2, 0);
  }
}

/* The longest stretch gets the integrals that the others leave of the totals: most rows are not followed by slot. */
static ness_status tally_events(const tally_plan *plan, const dump_chunk *chunk, int64_t done, tally *out)
{
  const bool every = must_follow(plan);
  const int64_t longest = every ? -1 : longest_stretch(plan, chunk, done);
  int64_t row = 0, to, left = -1;
  double t = chunk->t0, t_end;
  memcpy(out->n, chunk->n0, (size_t)plan->net->nslot * sizeof *out->n);
  for (; row < chunk->rows || t < chunk->t1; row = to, t = t_end) {
    const int64_t piece = cut(plan, chunk, done, row, t, &to, &t_end);
    double *const sum = segment_add(out, plan, unit_of(plan, chunk->replica, piece), row, to);
    if (!sum) return NESS_NOMEM;
    const bool times = left >= 0 || row != longest || to == row;
    if (!times) left = out->segments - 1;
    if (!tally_stretch(plan, chunk, t, t_end, times, out, sum)) return NESS_FORMAT;
  }
  if (left >= 0) integrals_left(plan, chunk, left, out);
  if (out->segments > 0) out->sum[(out->segments - 1) * plan->width + TALLY_TAPE] += chunk->tape_entropy;
  return NESS_OK;
}

/* --- the chunk --- */

typedef enum tally_way { TALLY_BY_TOTALS, TALLY_BY_WINDOWS, TALLY_BY_EVENTS } tally_way;

/* How a chunk is divided, and the piece it goes to where it is not. */
static tally_way way_of(const tally_plan *plan, const dump_chunk *chunk, int64_t done, int64_t *middle)
{
  int64_t first, last;
  if (plan->by_events) {
    first = piece_of_event(plan, done);
    last = piece_of_event(plan, done + (chunk->events > 0 ? chunk->events - 1 : 0));
    *middle = piece_of_event(plan, done + chunk->events / 2);
  } else {
    first = piece_of_time(plan, chunk->t0);
    last = piece_of_time(plan, nextafter(chunk->t1, -INFINITY));
    *middle = piece_of_time(plan, 0.5 * (chunk->t0 + chunk->t1));
  }
  if (dump_has_ledger(plan->run)) return TALLY_BY_TOTALS; /* a ledger is that of a whole chunk */
  if (plan->run->level == DUMP_EVENTS && chunk->rows == chunk->events && (first < last || must_follow(plan)))
    return TALLY_BY_EVENTS;
  return plan->run->level == DUMP_FLUX && first < last && chunk->rows > 0 ? TALLY_BY_WINDOWS : TALLY_BY_TOTALS;
}

unsigned tally_wanted(const tally_plan *plan, const dump_chunk *chunk, int64_t done)
{
  const unsigned flows = plan->run->flows_beside ? DUMP_FLOW_FWD | DUMP_FLOW_BWD | DUMP_ONE_WAY | DUMP_X0 | DUMP_X1 : 0;
  const unsigned ledger = (dump_has_ledger(plan->run) ? DUMP_LEDGER : 0) | flows;
  const unsigned totals = DUMP_N0 | DUMP_FWD | DUMP_BWD | DUMP_DWELL | DUMP_DWELL2 | ledger;
  int64_t middle;
  switch (way_of(plan, chunk, done, &middle)) {
  case TALLY_BY_EVENTS: return totals | DUMP_ROW_TIME | DUMP_ROW_DIR;
  case TALLY_BY_WINDOWS:
    return totals | DUMP_ROW_TIME | DUMP_ROW_COUNT | DUMP_ROW_FWD | DUMP_ROW_BWD | DUMP_ROW_DWELL |
           DUMP_ROW_TAPE_ENTROPY;
  default: return plan->narea ? totals | DUMP_ROW_COUNT : totals;
  }
}

ness_status tally_chunk(const tally_plan *plan, const dump_chunk *chunk, int64_t done, tally *out)
{
  const size_t nslot = (size_t)plan->net->nslot + 1;
  if (!out->n) out->n = mem_zero(nslot, sizeof *out->n);
  if (!out->m) out->m = mem_zero(nslot, sizeof *out->m);
  if (!out->clock) out->clock = mem_zero(nslot, sizeof *out->clock);
  if (!out->hits) out->hits = mem_zero(2 * (size_t)plan->net->nstep + 1, sizeof *out->hits);
  if (!out->n || !out->m || !out->clock || !out->hits) return NESS_NOMEM;
  out->segments = 0;
  int64_t middle;
  ness_status status;
  switch (way_of(plan, chunk, done, &middle)) {
  case TALLY_BY_EVENTS: status = tally_events(plan, chunk, done, out); break;
  case TALLY_BY_WINDOWS: status = tally_windows(plan, chunk, done, out); break;
  default: status = tally_whole(plan, chunk, unit_of(plan, chunk->replica, middle), out);
  }
  for (int64_t k = 0; !status && !plan->run->flows_beside && k < out->segments; k++) {
    double *const sum = out->sum + k * plan->width;
    for (int32_t s = 0; s < 2 * plan->net->nstep; s++) sum[TALLY_EVENTS] += sum[plan->fwd + s];
  }
  return status;
}

void tally_free(tally *self)
{
  mem_free(self->segment);
  mem_free(self->sum);
  mem_free(self->n);
  mem_free(self->m);
  mem_free(self->clock);
  mem_free(self->hits);
  *self = (tally){0};
}
