/* Windows of time and how what flows in them spreads, at every length of a power of two.
 * Invariant: a window counts when all of its time was seen; windows of a replica start at whole multiples of their
 * length, so that gaps and chunks change nothing but what is missing. A chunk becomes its windows in parallel; windows
 * are joined and squared in the order of the file, so no bit depends on threads. Sums are kept a batch, for the
 * jackknife. Cost: O(nstep) a window of a flux dump, 2 ns an event of an events dump, and forms^2 flops a window;
 * memory O(levels (batches forms^2 + replicas under way)), never by length. */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define COUNTING_REPLICAS (INT64_C(1) << 22)
#define COUNTING_GRID 4096                  /* windows of a replica whose dump has none, at most */
#define COUNTING_WINDOWS (INT64_C(1) << 17) /* of all of its replicas, about */
#define COUNTING_NEAR 1e-9                  /* of a window: time that rounding may lose */

typedef struct counting_walker { /* a replica */
  int64_t index;                 /* of the open window, -1 none */
  int64_t held[COUNTING_LEVELS]; /* the first half of a pair, -1 none */
  double *open, *half;           /* (1 + forms + slots); (levels x (forms + slots)) */
  struct counting_walker *next;  /* of those to spare */
} counting_walker;

/* --- which currents --- */

static void add_step(double *weight, double by, int32_t step)
{
  weight[step] += by;
}

/* The net counts of steps that a current is made of; false when it is made of something else, or of nothing. */
static bool current_weights(const ness_network *net, counting_kind kind, int32_t id, double *weight)
{
  memset(weight, 0, (size_t)net->nstep * sizeof *weight);
  if (kind == COUNTING_STEP) weight[id] = 1;
  for (int32_t k = kind == COUNTING_OBSERVABLE ? net->obs_start[id] : 0;
       kind == COUNTING_OBSERVABLE && k < net->obs_start[id + 1]; k++) {
    if (net->obs_kind[k] != OBS_NET) return false;
    add_step(weight, net->obs_coef[k], net->obs_id[k]);
  }
  bool any = false;
  for (int32_t s = 0; s < net->nstep; s++) {
    for (int32_t e = net->exch_start[s]; e < net->exch_start[s + 1]; e++) {
      const int32_t r = net->exch_res[e];
      if (kind == COUNTING_RESERVOIR && r == id) add_step(weight, net->exch_by[e], s);
      if (kind == COUNTING_CHARGE && net->res_volt[r] == id) add_step(weight, -net->exch_by[e] * net->res_charge[r], s);
    }
    any = any || weight[s] != 0;
  }
  return any;
}

/* Adds a current; where forms are not the steps, a form of its own. */
static void current_add(counting *self, counting_kind kind, int32_t id, const double *weight)
{
  if (self->currents == COUNTING_CURRENTS || (!self->steps && self->forms == COUNTING_FORMS)) return;
  counting_current *const at = &self->current[self->currents++];
  *at = (counting_current){.kind = kind, .id = id};
  if (self->steps) memcpy(at->weight, weight, (size_t)self->steps * sizeof *weight);
  else at->weight[self->forms++] = 1;
}

static void currents_list(counting *self, double *weight)
{
  const ness_network *const net = self->net;
  const int32_t count[] = {net->nobs, net->nvolt, net->nres, net->nstep};
  const counting_kind kind[] = {COUNTING_OBSERVABLE, COUNTING_CHARGE, COUNTING_RESERVOIR, COUNTING_STEP};
  for (int k = 0; k < 4; k++)
    for (int32_t id = 0; id < count[k] && self->currents < COUNTING_CURRENTS; id++)
      if (current_weights(net, kind[k], id, weight)) current_add(self, kind[k], id, weight);
}

/* Which forms each step adds to: itself, or the currents that it is part of. */
static bool forms_index(counting *self, double *weight)
{
  const ness_network *const net = self->net;
  const int64_t nstep = net->nstep;
  int64_t room = 0;
  double *const dense = mem_zero((size_t)(self->forms * nstep) + 1, sizeof *dense);
  self->form_start = mem_zero((size_t)nstep + 1, sizeof *self->form_start);
  if (!dense || !self->form_start) {
    mem_free(dense);
    return false;
  }
  for (int32_t f = 0; f < self->forms; f++) {
    const counting_current *const at = &self->current[f];
    if (self->steps) current_weights(net, COUNTING_STEP, f, weight);
    else current_weights(net, at->kind, at->id, weight);
    memcpy(dense + f * nstep, weight, (size_t)nstep * sizeof *weight);
    for (int32_t s = 0; s < nstep; s++) room += weight[s] != 0;
  }
  self->form_of = mem_zero((size_t)room + 1, sizeof *self->form_of);
  self->form_by = mem_zero((size_t)room + 1, sizeof *self->form_by);
  int32_t at = 0;
  for (int32_t s = 0; self->form_of && self->form_by && s < nstep; s++) {
    for (int32_t f = 0; f < self->forms; f++) {
      if (dense[f * nstep + s] == 0) continue;
      self->form_of[at] = f;
      self->form_by[at++] = dense[f * nstep + s];
    }
    self->form_start[s + 1] = at;
  }
  mem_free(dense);
  return self->form_of && self->form_by;
}

/* --- create --- */

static const char *counting_refuse(const tally_plan *plan)
{
  const dump_run *const run = plan->run;
  if (run->level != DUMP_FLUX && run->level != DUMP_EVENTS)
    return "a dump of this level does not tell what flowed in windows of time; flux and events do";
  if (!isfinite(run->time)) return "its replicas end by events, not by time";
  if (run->replicas > COUNTING_REPLICAS) return "it has too many replicas";
  if (plan->net->nstep == 0) return "it has no steps";
  return NULL;
}

static void counting_windows(counting *self)
{
  const dump_run *const run = self->plan->run;
  const double whole = run->time - run->warmup;
  int64_t grid = COUNTING_GRID;
  while (grid > 16 && grid * run->replicas > COUNTING_WINDOWS) grid /= 2;
  self->start = run->warmup;
  self->window = run->level == DUMP_FLUX && run->window > 0 ? run->window : whole / (double)grid;
  self->last = ceil(whole / self->window);
  for (double w = self->window; w <= whole * (1 + COUNTING_NEAR) && self->levels < COUNTING_LEVELS; w *= 2)
    self->levels++;
}

ness_status counting_create(const tally_plan *plan, counting **out, const char **why)
{
  *out = NULL;
  if ((*why = counting_refuse(plan))) return NESS_OK;
  const ness_network *const net = plan->net;
  counting *const self = mem_zero(1, sizeof *self);
  double *const weight = mem_zero((size_t)net->nstep + 1, sizeof *weight);
  bool good = self && weight && (self->current = mem_zero(COUNTING_CURRENTS, sizeof *self->current));
  if (good) {
    self->plan = plan;
    self->net = net;
    self->slots = net->nslot < COUNTING_SLOTS ? net->nslot : COUNTING_SLOTS;
    if (net->nstep <= COUNTING_FORMS) self->forms = self->steps = net->nstep;
    currents_list(self, weight);
    counting_windows(self);
    self->width = 1 + self->forms + self->slots + self->forms * (self->forms + 1) / 2 + self->slots;
    const size_t rows = (size_t)(self->levels * plan->batches);
    self->sum = mem_zero(rows * (size_t)self->width + 1, sizeof *self->sum);
    self->walker = mem_zero((size_t)plan->run->replicas, sizeof(counting_walker *));
    good = self->sum && self->walker && forms_index(self, weight);
  }
  mem_free(weight);
  if (good && self->levels > 0) {
    *out = self;
    return NESS_OK;
  }
  counting_free(self);
  *why = "a window of the dump is longer than its replicas";
  return good ? NESS_OK : NESS_NOMEM;
}

static void walker_free(counting_walker *self)
{
  if (self) mem_free(self->open);
  mem_free(self);
}

void counting_free(counting *self)
{
  if (!self) return;
  for (int64_t r = 0; self->walker && r < self->plan->run->replicas; r++) walker_free(self->walker[r]);
  for (counting_walker *at = self->spare, *next; at; at = next) {
    next = at->next;
    walker_free(at);
  }
  mem_free(self->walker);
  mem_free(self->current);
  mem_free(self->form_start);
  mem_free(self->form_of);
  mem_free(self->form_by);
  mem_free(self->sum);
  mem_free(self);
}

/* --- the windows of a chunk --- */

unsigned counting_wanted(const counting *self)
{
  const unsigned rows = self->plan->run->level == DUMP_FLUX ? DUMP_ROW_FWD | DUMP_ROW_BWD | DUMP_ROW_DWELL
                                                            : DUMP_ROW_DIR_STORED | DUMP_N0;
  return DUMP_ROW_TIME | rows;
}

static double *row_add(const counting *self, counting_rows *out, int64_t index)
{
  const int64_t width = 1 + self->forms + self->slots;
  if (!mem_grow(&out->index, &out->index_room, out->rows + 1, sizeof *out->index) ||
      !mem_grow(&out->value, &out->value_room, (out->rows + 1) * width, sizeof *out->value))
    return NULL;
  out->index[out->rows] = index;
  double *const row = out->value + out->rows++ * width;
  memset(row, 0, (size_t)width * sizeof *row);
  return row;
}

static ness_status chunk_windows(const counting *self, const dump_chunk *chunk, counting_rows *out)
{
  const ness_network *const net = self->net;
  double t = fmax(chunk->t0, self->start);
  for (int64_t r = 0; r < chunk->rows; r++) {
    const double end = chunk->row_time[r];
    const double place = ceil((end - self->start) / self->window - 1e-6) - 1;
    if (place > self->last) return NESS_FORMAT;
    double *const row = row_add(self, out, place > 0 ? (int64_t)place : 0);
    if (!row) return NESS_NOMEM;
    row[0] = end - t;
    t = end;
    for (int32_t s = 0; s < net->nstep; s++) {
      const int64_t events = chunk->row_fwd[r * net->nstep + s] - chunk->row_bwd[r * net->nstep + s];
      if (events == 0) continue;
      for (int32_t f = self->form_start[s]; f < self->form_start[s + 1]; f++)
        row[1 + self->form_of[f]] += (double)events * self->form_by[f];
    }
    memcpy(row + 1 + self->forms, chunk->row_dwell + r * net->nslot, (size_t)self->slots * sizeof *row);
  }
  return NESS_OK;
}

/* Adds what the counts n gather from `since` to t. */
static void gather(const counting *self, const double *n, double since, double t, double *row)
{
  row[0] += t - since;
  for (int32_t i = 0; i < self->slots; i++) row[1 + self->forms + i] += n[i] * (t - since);
}

static void fire(const counting *self, int32_t dir, double *n, double *row)
{
  const ness_network *const net = self->net;
  const int32_t step = dir / 2;
  const double way = dir % 2 ? -1 : 1;
  for (int32_t f = self->form_start[step]; f < self->form_start[step + 1]; f++)
    row[1 + self->form_of[f]] += way * self->form_by[f];
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++)
    if (net->change_slot[c] < self->slots) n[net->change_slot[c]] += way * net->change_by[c];
}

static ness_status chunk_events(const counting *self, const dump_chunk *chunk, counting_rows *out)
{
  double t = fmax(chunk->t0, self->start), *const n = out->scratch;
  for (int32_t i = 0; i < self->slots; i++) n[i] = (double)chunk->n0[i];
  int64_t index = (int64_t)floor((t - self->start) / self->window + COUNTING_NEAR), r = 0;
  if ((chunk->t1 - self->start) / self->window > self->last + 1.5) return NESS_FORMAT;
  while (t < chunk->t1) {
    const double border = self->start + self->window * (double)(index + 1), end = fmin(border, chunk->t1);
    double *const row = row_add(self, out, index++);
    if (!row) return NESS_NOMEM;
    for (; r < chunk->rows && chunk->row_time[r] <= end; r++) {
      gather(self, n, t, chunk->row_time[r], row);
      t = chunk->row_time[r];
      fire(self, dump_row_dir(chunk, r), n, row);
    }
    gather(self, n, t, end, row);
    t = end;
  }
  return NESS_OK;
}

ness_status counting_chunk(const counting *self, const dump_chunk *chunk, counting_rows *out)
{
  out->rows = 0;
  if (!mem_grow(&out->scratch, &out->scratch_room, COUNTING_SLOTS, sizeof *out->scratch)) return NESS_NOMEM;
  return self->plan->run->level == DUMP_FLUX ? chunk_windows(self, chunk, out) : chunk_events(self, chunk, out);
}

void counting_rows_free(counting_rows *self)
{
  mem_free(self->index);
  mem_free(self->value);
  mem_free(self->scratch);
  *self = (counting_rows){0};
}

double counting_weight(const counting *self, const counting_current *current, int32_t step)
{
  double weight = 0;
  for (int32_t f = self->form_start[step]; f < self->form_start[step + 1]; f++)
    weight += current->weight[self->form_of[f]] * self->form_by[f];
  return weight;
}

/* --- pairs of windows, pairs of pairs --- */

const double *counting_row(const counting *self, int32_t level, int32_t batch)
{
  return self->sum + ((int64_t)level * self->plan->batches + batch) * self->width;
}

int32_t counting_product(const counting *self, int32_t i, int32_t j)
{
  return 1 + self->forms + self->slots + i * (i + 1) / 2 + j;
}

int32_t counting_square(const counting *self, int32_t slot)
{
  return 1 + self->forms + self->slots + self->forms * (self->forms + 1) / 2 + slot;
}

/* A whole window of a level: into the sums, and with its other half into the next level. */
static void window_add(counting *self, counting_walker *walker, int64_t replica, int64_t index, double *x)
{
  const int32_t n = self->forms + self->slots;
  double length = self->window;
  for (int32_t level = 0; level < self->levels; level++, length *= 2, index /= 2) {
    const double middle = self->start + length * ((double)index + 0.5);
    double *to =
        self->sum + ((int64_t)level * self->plan->batches + tally_batch_at(self->plan, replica, middle)) * self->width;
    *to++ += 1;
    for (int32_t i = 0; i < n; i++) *to++ += x[i];
    for (int32_t i = 0; i < self->forms; i++)
      for (int32_t j = 0; j <= i; j++) *to++ += x[i] * x[j];
    for (int32_t i = self->forms; i < n; i++) *to++ += x[i] * x[i];
    double *const half = walker->half + (int64_t)level * n;
    if (index % 2 == 0) {
      memcpy(half, x, (size_t)n * sizeof *x);
      walker->held[level] = index;
      return;
    }
    if (walker->held[level] != index - 1) return;
    for (int32_t i = 0; i < n; i++) x[i] += half[i];
  }
}

static counting_walker *walker_begin(counting *self, int64_t replica)
{
  const size_t n = (size_t)(self->forms + self->slots);
  counting_walker *walker = self->spare;
  if (walker) {
    self->spare = walker->next;
  } else {
    walker = mem_zero(1, sizeof *walker);
    if (walker) walker->open = mem_zero(1 + n + n * (size_t)self->levels, sizeof *walker->open);
    if (!walker || !walker->open) {
      walker_free(walker);
      return NULL;
    }
    walker->half = walker->open + 1 + n;
  }
  walker->index = -1;
  for (int32_t l = 0; l < self->levels; l++) walker->held[l] = -1;
  return self->walker[replica] = walker;
}

ness_status counting_fold(counting *self, const dump_chunk *chunk, const counting_rows *rows)
{
  const int32_t width = 1 + self->forms + self->slots;
  if (chunk->replica < 0 || chunk->replica >= self->plan->run->replicas) return NESS_OK;
  counting_walker *walker = self->walker[chunk->replica];
  if (!walker && !(walker = walker_begin(self, chunk->replica))) return NESS_NOMEM;
  for (int64_t r = 0; r < rows->rows; r++) {
    const double *const row = rows->value + r * width;
    if (rows->index[r] == walker->index) {
      for (int32_t i = 0; i < width; i++) walker->open[i] += row[i];
    } else {
      memcpy(walker->open, row, (size_t)width * sizeof *row);
      walker->index = rows->index[r];
    }
    if (fabs(walker->open[0] - self->window) > 1e-6 * self->window) continue;
    window_add(self, walker, chunk->replica, walker->index, walker->open + 1);
    walker->index = -1;
  }
  if (chunk->last) {
    walker->next = self->spare;
    self->spare = walker;
    self->walker[chunk->replica] = NULL;
  }
  return NESS_OK;
}
