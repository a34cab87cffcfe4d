/* What the tests of memory count along a trajectory. Invariant: a visit is counted from its entry on; the first one of
 * a record, whose entry was not seen, is not. Counts are whole numbers, and times are added in the order of the file,
 * so that no bit depends on threads. Ages fall into bins of half an octave, found from the bits of a number. */
#include "analysis/memory_inside.h"

#include <string.h>

#define MEMORY_STATES 1024
#define MEMORY_DIRS 8192
#define MEMORY_TRIPLES (INT64_C(1) << 22)
#define MEMORY_REPLICAS (INT64_C(1) << 22)

/* --- which networks --- */

/* The slot that a direction takes the molecule from and the one that it brings it to. */
bool memory_ends(const ness_network *net, int32_t dir, int32_t *from, int32_t *to)
{
  const int32_t first = net->change_start[dir / 2], n = net->change_start[dir / 2 + 1] - first;
  if (n != 2 || net->change_by[first] + net->change_by[first + 1] != 0 ||
      net->change_by[first] * net->change_by[first] != 1)
    return false;
  const bool up = (net->change_by[first] < 0) == (dir % 2 == 0);
  *from = net->change_slot[up ? first : first + 1];
  *to = net->change_slot[up ? first + 1 : first];
  return true;
}

static bool memory_fits(const ness_network *net, int64_t replicas)
{
  int64_t molecules = 0;
  int32_t from, to;
  if (net->nslot > MEMORY_STATES || 2 * net->nstep > MEMORY_DIRS || replicas > MEMORY_REPLICAS) return false;
  for (int32_t i = 0; i < net->nslot && molecules < 2; i++)
    molecules += net->slot_start[i] < 2 ? net->slot_start[i] : 2;
  for (int32_t d = 0; d < 2 * net->nstep; d++)
    if (!memory_ends(net, d, &from, &to)) return false;
  return molecules == 1;
}

/* Numbers directions within the states that they leave and enter, and makes room for pairs of them. */
static bool memory_index(memory_counts *self, const ness_network *net)
{
  const size_t nslot = (size_t)net->nslot + 1;
  self->in = mem_zero(nslot, sizeof *self->in);
  self->out = mem_zero(nslot, sizeof *self->out);
  self->triple_start = mem_zero(nslot + 1, sizeof *self->triple_start);
  if (!self->in || !self->out || !self->triple_start) return false;
  for (int32_t d = 0; d < self->ndir; d++) {
    memory_dir *const at = &self->dir[d];
    memory_ends(net, d, &at->from, &at->to);
    at->out = self->out[at->from]++;
    at->in = self->in[at->to]++;
  }
  for (int32_t i = 0; i < net->nslot; i++)
    self->triple_start[i + 1] = self->triple_start[i] + (int64_t)self->in[i] * self->out[i];
  return true;
}

ness_status memory_create(const ness_network *net, int64_t replicas, double step, memory_counts **out)
{
  *out = NULL;
  if (!memory_fits(net, replicas)) return NESS_OK;
  memory_counts *const self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->nslot = net->nslot;
  self->ndir = 2 * net->nstep;
  self->step = step;
  self->replicas = replicas;
  self->dir = mem_zero((size_t)self->ndir + 1, sizeof *self->dir);
  const bool indexed = self->dir && memory_index(self, net);
  const int64_t triples = indexed ? self->triple_start[net->nslot] : 0;
  if (indexed && triples <= MEMORY_TRIPLES) {
    self->triple = mem_zero((size_t)triples + 1, sizeof *self->triple);
    self->age = mem_zero((size_t)net->nslot + 1, sizeof *self->age);
    self->exit = mem_zero(((size_t)self->ndir + 1) * MEMORY_BINS, sizeof *self->exit);
    self->score = mem_zero((size_t)net->nslot + 1, sizeof *self->score);
    self->walker = mem_zero((size_t)replicas + 1, sizeof *self->walker);
  }
  if (self->triple && self->age && self->exit && self->score && self->walker) {
    for (int64_t r = 0; r < replicas; r++) self->walker[r] = (memory_walker){.state = -1, .in = -1, .before = -1};
    *out = self;
    return NESS_OK;
  }
  memory_free(self);
  return triples > MEMORY_TRIPLES ? NESS_OK : NESS_NOMEM;
}

void memory_free(memory_counts *self)
{
  if (!self) return;
  mem_free(self->dir);
  mem_free(self->in);
  mem_free(self->out);
  mem_free(self->triple_start);
  mem_free(self->triple);
  mem_free(self->age);
  mem_free(self->exit);
  mem_free(self->score);
  mem_free(self->walker);
  mem_free(self);
}

/* --- along the trajectory --- */

static int32_t age_bin(double age)
{
  uint64_t bits;
  memcpy(&bits, &age, sizeof bits);
  const int64_t bin = (int64_t)(bits >> 51) - MEMORY_BIN_ZERO; /* exponent and the first digit behind the point */
  return bin < 0 ? 0 : bin < MEMORY_BINS ? (int32_t)bin : MEMORY_BINS - 1;
}

/* In the unit that ages are counted in: seconds, or samples. */
static double visit_age(const memory_counts *self, const memory_walker *at, double t)
{
  const double age = t - at->since;
  return self->step > 0 ? floor(age / self->step + 0.5) : age;
}

/* The visit ends at t, by an exit or because nobody looked any longer. Returns the bin of its age, -1: none. */
static int32_t visit_end(memory_counts *self, const memory_walker *at, double t, bool left)
{
  const double age = visit_age(self, at, t);
  const int32_t bin = age_bin(age);
  if (self->step > 0 && age == 0) return -1; /* between two ticks: the geometric law begins behind the first */
  memory_age *const ages = &self->age[at->state];
  (left ? ages->left : ages->cut)[bin]++;
  ages->sum[bin] += age;
  if (at->before >= 0) {
    memory_score *const score = &self->score[at->state];
    const double x = at->before;
    score->time += age;
    score->x_time += x * age;
    score->xx_time += x * x * age;
    score->left += left;
    score->x_left += left ? x : 0;
  }
  return bin;
}

static void walker_cut(memory_counts *self, memory_walker *at)
{
  if (at->state >= 0 && at->in >= 0) visit_end(self, at, at->last, false);
  at->state = at->in = at->before = -1;
}

ness_status memory_follow(memory_counts *self, const dump_chunk *chunk)
{
  if (chunk->replica < 0 || chunk->replica >= self->replicas) return NESS_OK;
  memory_walker *const at = &self->walker[chunk->replica];
  int32_t state = -1;
  for (int32_t i = 0; i < self->nslot && state < 0; i++) state = chunk->n0[i] == 1 ? i : -1;
  if (at->state >= 0 && (at->next != chunk->index || at->state != state)) walker_cut(self, at);
  if (state < 0) return NESS_OK;
  if (at->state < 0) {
    at->state = state;
    at->since = chunk->t0;
  }
  at->next = chunk->index + 1;
  for (int64_t r = 0; r < chunk->rows; r++) {
    const int32_t d = dump_row_dir(chunk, r);
    const memory_dir *const dir = &self->dir[d];
    if (dir->from != at->state) { /* the events do not fit the counts: whoever adds them up says so */
      walker_cut(self, at);
      return NESS_OK;
    }
    const double t = chunk->row_time[r];
    if (at->in >= 0) {
      const int32_t bin = visit_end(self, at, t, true);
      if (bin >= 0) self->exit[(int64_t)d * MEMORY_BINS + bin]++;
      self->triple[self->triple_start[at->state] + (int64_t)self->dir[at->in].in * self->out[at->state] + dir->out]++;
      self->visits++;
      at->before = bin;
    }
    at->in = d;
    at->state = dir->to;
    at->since = t;
  }
  at->last = chunk->t1;
  if (chunk->last) walker_cut(self, at);
  return NESS_OK;
}

ness_status memory_finish(memory_counts *self, memory_result *out)
{
  for (int64_t r = 0; r < self->replicas; r++) walker_cut(self, &self->walker[r]);
  return memory_judge(self, out);
}
