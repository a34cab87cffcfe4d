/* Waiting times of states and first passages between them, along the trajectory of one molecule.
 * Invariant: a visit counts when both its ends were seen; a passage from i to j runs from the first entry of i since j
 * was last left to the next entry of j, so that passages of a Markov chain are independent. Times are added in the
 * order of the file: no bit depends on threads. Errors are those of independent samples: of a mean from the variance,
 * of a coefficient of variation from moments up to the fourth (its influence function), of a quantile from the density
 * there. Quantiles come from bins of an eighth of an octave, found from the bits of a number, and are interpolated in
 * them. Cost: 10 ns a jump, and a few more a state where passages are followed. */
#include "analysis/waits.h"
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define WAITS_PASSAGES 6 /* states between which passages are followed, at most */
#define WAITS_SHOWN 8    /* states in the histogram, at most */
#define WAITS_BINS 1024
#define WAITS_ZERO (1023 - 64) /* octave of the first bin, as exponents are stored */

typedef struct wait_sums { /* of times, s */
  double count, power[4];  /* sums of x, x^2, x^3, x^4 */
} wait_sums;

typedef struct wait_walker {            /* a replica */
  int32_t state;                        /* -1: not begun, or cut */
  int32_t recent[SEQUENCE_MOST], known; /* states visited, the newest first */
  bool entered;                         /* the entry was seen */
  double since;
  int64_t next;                                  /* index of the chunk that joins on */
  double start[WAITS_PASSAGES * WAITS_PASSAGES]; /* [j][i] first entry of i since j was left, where `to` has it */
  uint32_t to[WAITS_PASSAGES];                   /* bits: passages to j that are under way from i */
  uint32_t from[WAITS_PASSAGES];                 /* the same by i: to j */
} wait_walker;

struct waits {
  int32_t nslot, ndir, passages; /* passages: states they are followed between, 0 none */
  int64_t replicas;
  int32_t *from, *to; /* (ndir) */
  wait_sums *visit;   /* (nslot) */
  wait_sums *passage; /* (passages x passages) from i to j */
  int64_t *bin;       /* (nslot x WAITS_BINS) */
  sequences *row;
  wait_walker **walker; /* (replicas) NULL: not under way */
};

/* --- along the trajectory --- */

ness_status waits_create(const ness_network *net, int64_t replicas, waits **out)
{
  waits *const self = *out = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->nslot = net->nslot;
  self->ndir = 2 * net->nstep;
  self->replicas = replicas;
  self->passages = net->nslot <= WAITS_PASSAGES ? net->nslot : 0;
  self->from = mem_zero((size_t)self->ndir + 1, sizeof *self->from);
  self->to = mem_zero((size_t)self->ndir + 1, sizeof *self->to);
  self->visit = mem_zero((size_t)net->nslot + 1, sizeof *self->visit);
  self->passage = mem_zero(WAITS_PASSAGES * WAITS_PASSAGES, sizeof *self->passage);
  self->bin = mem_zero((size_t)net->nslot * WAITS_BINS + 1, sizeof *self->bin);
  self->row = sequences_create(net->nslot);
  self->walker = mem_zero((size_t)replicas + 1, sizeof(wait_walker *));
  if (!self->from || !self->to || !self->visit || !self->passage || !self->bin || !self->row || !self->walker) {
    waits_free(self);
    *out = NULL;
    return NESS_NOMEM;
  }
  for (int32_t d = 0; d < self->ndir; d++) memory_ends(net, d, &self->from[d], &self->to[d]);
  return NESS_OK;
}

void waits_free(waits *self)
{
  if (!self) return;
  for (int64_t r = 0; self->walker && r < self->replicas; r++) mem_free(self->walker[r]);
  mem_free(self->from);
  mem_free(self->to);
  mem_free(self->visit);
  mem_free(self->passage);
  mem_free(self->bin);
  sequences_free(self->row);
  mem_free(self->walker);
  mem_free(self);
}

static void sums_add(wait_sums *self, double x)
{
  double power = 1;
  self->count += 1;
  for (int k = 0; k < 4; k++) self->power[k] += power *= x;
}

static int32_t bin_of(double x)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int64_t bin = (int64_t)(bits >> 49) - 8 * (int64_t)WAITS_ZERO;
  return bin < 0 ? 0 : bin < WAITS_BINS ? (int32_t)bin : WAITS_BINS - 1;
}

static double bin_start(int32_t bin)
{
  return ldexp(1 + (bin % 8) / 8.0, bin / 8 + WAITS_ZERO - 1023);
}

static void walker_reset(wait_walker *at, int32_t state, double t)
{
  at->state = state;
  at->entered = false;
  at->recent[0] = state;
  at->known = 1;
  at->since = t;
  memset(at->to, 0, sizeof at->to);
  memset(at->from, 0, sizeof at->from);
}

/* The molecule enters `state` at t: passages to it end, those from it to the others begin. Most are under way, and only
 * those that change are looked at. */
static void passages_turn(waits *self, wait_walker *at, int32_t state, double t)
{
  const int32_t n = self->passages;
  const uint32_t here = 1u << state, fresh = ((1u << n) - 1) & ~here & ~at->from[state];
  for (uint32_t ends = at->to[state]; ends; ends &= ends - 1) {
    const int32_t i = __builtin_ctz(ends);
    sums_add(&self->passage[i * n + state], t - at->start[state * n + i]);
    at->from[i] &= ~here;
  }
  at->to[state] = 0;
  for (uint32_t begin = fresh; begin; begin &= begin - 1) {
    const int32_t j = __builtin_ctz(begin);
    at->start[j * n + state] = t;
    at->to[j] |= here;
  }
  at->from[state] |= fresh;
}

static bool jump(waits *self, wait_walker *at, int32_t to, double t)
{
  if (at->entered) {
    const double dwell = t - at->since;
    sums_add(&self->visit[at->state], dwell);
    self->bin[(int64_t)at->state * WAITS_BINS + bin_of(dwell)]++;
  }
  at->entered = true;
  at->state = to;
  at->since = t;
  if (self->passages > 0) passages_turn(self, at, to, t);
  for (int32_t k = SEQUENCE_MOST - 1; k > 0; k--) at->recent[k] = at->recent[k - 1];
  at->recent[0] = to;
  at->known += at->known < SEQUENCE_MOST;
  return sequences_add(self->row, at->recent, at->known);
}

ness_status waits_finish(waits *self)
{
  return sequences_finish(self->row) ? NESS_OK : NESS_NOMEM;
}

const sequences *waits_sequences(const waits *self)
{
  return self->row;
}

ness_status waits_follow(waits *self, const dump_chunk *chunk)
{
  if (chunk->replica < 0 || chunk->replica >= self->replicas) return NESS_OK;
  wait_walker *at = self->walker[chunk->replica];
  int32_t state = -1;
  for (int32_t i = 0; i < self->nslot && state < 0; i++) state = chunk->n0[i] == 1 ? i : -1;
  if (!at) {
    if (!(at = self->walker[chunk->replica] = mem_zero(1, sizeof *at))) return NESS_NOMEM;
    walker_reset(at, -1, 0);
  }
  if (at->state < 0 || at->next != chunk->index || at->state != state) walker_reset(at, state, chunk->t0);
  at->next = chunk->index + 1;
  for (int64_t r = 0; r < chunk->rows && at->state >= 0; r++) {
    const int32_t d = dump_row_dir(chunk, r);
    if (self->from[d] != at->state) at->state = -1; /* the events do not fit the counts: whoever adds them up says so */
    else if (!jump(self, at, self->to[d], chunk->row_time[r])) return NESS_NOMEM;
  }
  if (!chunk->last) return NESS_OK;
  mem_free(at);
  self->walker[chunk->replica] = NULL;
  return NESS_OK;
}

/* --- the chapter --- */

typedef struct wait_shape {
  double mean, variance, third, fourth; /* central moments */
} wait_shape;

static wait_shape shape_of(const wait_sums *sums)
{
  const double n = sums->count, m = sums->power[0] / n;
  const double p2 = sums->power[1] / n, p3 = sums->power[2] / n, p4 = sums->power[3] / n;
  return (wait_shape){m, fmax(p2 - m * m, 0), p3 - 3 * m * p2 + 2 * m * m * m,
                      p4 - 4 * m * p3 + 6 * m * m * p2 - 3 * m * m * m * m};
}

static estimate mean_of(const analysis *all, const wait_sums *sums, double exact)
{
  const wait_shape s = shape_of(sums);
  return estimate_normal(all, s.mean, sqrt(s.variance / (sums->count - 1)), exact);
}

/* cv = sd / mean; a sample of x moves it by cv ((x - m)^2 / v - 1) / 2 - cv (x - m) / m. */
static estimate cv_of(const analysis *all, const wait_sums *sums, double exact)
{
  const wait_shape s = shape_of(sums);
  const double cv = sqrt(s.variance) / s.mean, v = s.variance;
  const double spread = (s.fourth / (v * v) - 1) / 4 - s.third / (v * s.mean) + v / (s.mean * s.mean);
  return estimate_normal(all, cv, cv * sqrt(fmax(spread, 0) / sums->count), exact);
}

static estimate quantile_of(const analysis *all, const waits *self, int32_t state, double p, double exact)
{
  const int64_t *const bin = self->bin + (int64_t)state * WAITS_BINS;
  const double n = self->visit[state].count;
  double below = 0;
  int32_t k = 0;
  while (k < WAITS_BINS - 1 && below + (double)bin[k] < p * n) below += (double)bin[k++];
  const double width = bin_start(k + 1) - bin_start(k), here = (double)bin[k];
  const double value = bin_start(k) + width * (p * n - below) / here;
  return estimate_normal(all, value, sqrt(p * (1 - p) / n) * n * width / here, exact);
}

/* Mean time in a state, s: its probability over the rate at which it is left. */
static double exact_wait(const analysis *all, const waits *self, int32_t state)
{
  double rate = 0;
  if (!all->exact) return (double)NAN;
  for (int32_t d = 0; d < self->ndir; d++)
    if (self->from[d] == state) rate += all->exact->dir_rate[d];
  return rate > 0 ? all->exact->mean[state] / rate : (double)NAN;
}

static void states_doc(const analysis *all, doc_node *list)
{
  const waits *const self = all->waited;
  for (int32_t i = 0; i < self->nslot; i++) {
    const wait_sums *const sums = &self->visit[i];
    if (sums->count < 2) continue;
    const double exact = exact_wait(all, self, i);
    const estimate mean = mean_of(all, sums, exact), cv = cv_of(all, sums, isnan(exact) ? exact : 1);
    const estimate median = quantile_of(all, self, i, 0.5, log(2) * exact);
    const estimate late = quantile_of(all, self, i, 0.9, log(10) * exact);
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "state", "%s", network_text(all->net, all->net->slot_name[i]));
    doc_int(row, "visits", (int64_t)sums->count);
    estimate_put(row, "mean", &mean);
    estimate_put(row, "cv", &cv);
    estimate_put(row, "median", &median);
    estimate_put(row, "p90", &late);
  }
}

static void passages_doc(const analysis *all, doc_node *list)
{
  const waits *const self = all->waited;
  const ness_network *const net = all->net;
  for (int32_t i = 0; i < self->passages; i++) {
    for (int32_t j = 0; j < self->passages; j++) {
      const wait_sums *const sums = &self->passage[i * self->passages + j];
      if (sums->count < 2) continue;
      const estimate mean = mean_of(all, sums, (double)NAN), cv = cv_of(all, sums, (double)NAN);
      doc_node *const row = doc_object(list, NULL);
      doc_string(row, "from", "%s", network_text(net, net->slot_name[i]));
      doc_string(row, "to", "%s", network_text(net, net->slot_name[j]));
      doc_int(row, "passages", (int64_t)sums->count);
      doc_number(row, "mean", mean.value);
      doc_number(row, "mean_error", mean.error);
      doc_number(row, "cv", cv.value);
      number_or_null(row, "cv_error", cv.error);
    }
  }
}

/* Visits by octaves of their length. */
static void histogram_doc(const analysis *all, doc_node *list)
{
  const waits *const self = all->waited;
  const int32_t shown = self->nslot < WAITS_SHOWN ? self->nslot : WAITS_SHOWN;
  for (int32_t octave = 0; octave < WAITS_BINS / 8; octave++) {
    int64_t count[WAITS_SHOWN] = {0}, any = 0;
    for (int32_t i = 0; i < shown; i++)
      for (int32_t k = 0; k < 8; k++) any += self->bin[(int64_t)i * WAITS_BINS + 8 * octave + k];
    if (any == 0) continue;
    for (int32_t i = 0; i < shown; i++)
      for (int32_t k = 0; k < 8; k++) count[i] += self->bin[(int64_t)i * WAITS_BINS + 8 * octave + k];
    doc_node *const row = doc_object(list, NULL);
    doc_number(row, "longer_than", octave > 0 ? bin_start(8 * octave) : 0);
    for (int32_t i = 0; i < shown; i++) doc_int(row, network_text(all->net, all->net->slot_name[i]), count[i]);
  }
}

void waits_doc(const analysis *all, doc_node *root)
{
  if (!all->waited) return;
  doc_node *const chapter = doc_object(root, "waits");
  doc_string(chapter, "method", "%s",
             markov_fails(all) ? "whole visits; their errors take visits as independent, which the tests of memory deny"
                               : "whole visits, of a Markov chain independent");
  states_doc(all, doc_array(chapter, "states"));
  passages_doc(all, doc_array(chapter, "passages"));
  histogram_doc(all, doc_array(chapter, "histogram"));
}
