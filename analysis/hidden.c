/* Entropy production from a few transitions that are seen, where all else is hidden: what remains of the
 * irreversibility of a trajectory when only these transitions and their times are known (van der Meer, Ertel, Seifert,
 * Phys. Rev. X 12, 031025 (2022); Harunari, Dutta, Polettini, Roldan, Phys. Rev. X 12, 041026 (2022)). After a visible
 * transition the state is known, so the past does not matter, and per second sigma >= sigma_l + sigma_t = sum over
 * pairs of n(l, l') ln P(l' | l) / P(-l | -l')
 *                              + sum over pairs of n(l, l') D[t | l, l' || t | -l', -l],
 * -l the way back of l, t the time from l to l'. Where all steps of a lumped record are seen that is the bound of
 * Martinez, Bisker, Horowitz, Parrondo (Nat. Commun. 10, 3542 (2019)), sequence and waiting times of a semi-Markov
 * process of second order; there a transition need not tell the state, and whether what follows it depends on what came
 * before is tested. Times are put into bins of equal counts, which can only lower the bound.
 * Invariant: a joint count of pairs and bins, in stripes of time; jackknife over stripes for bias and error, chi-square
 * next to equilibrium (divergence.h), its freedom the pairs of cells that mirror each other less the visible steps but
 * one, which their own counts take. Cost: ends of bins are selected among the times of each pair of cells, in parallel;
 * 30 ns a pair in all. */
#include "analysis/analysis.h"
#include "analysis/divergence.h"

#include <math.h>
#include <string.h>

#define HIDDEN_STEPS 24 /* visible at most */
#define HIDDEN_BINS 8
#define HIDDEN_BLOCKS 16
#define HIDDEN_STRIPE 64    /* pairs */
#define HIDDEN_LEAST 256    /* pairs, for an estimate */
#define HIDDEN_CELL 32      /* times a bin has, of both ways together: fewer bins where there are fewer */
#define HIDDEN_EXPECTED 5.0 /* of a cell of the test, at least */
#define HIDDEN_LEVEL 0.01   /* of the test whether the past matters */

typedef struct hidden_pair { /* a visible transition, the next, and the time between */
  int8_t before, from, to;   /* visible directions; before: -1 at the start of a piece */
  int8_t block, bin;
  bool late; /* the time is in the upper half of its bins */
  double t;
} hidden_pair;

typedef struct hidden {
  const analysis *all;
  const trace *from;
  int32_t steps, ways; /* visible; 2 steps */
  int32_t step[HIDDEN_STEPS];
  int8_t *way_of; /* (2 nstep) -1: hidden */
  hidden_pair *pair;
  int64_t pairs;
  double *cell; /* (ways x ways x HIDDEN_BINS x (HIDDEN_BLOCKS + 1)) counts of stripes, and of all */
} hidden;

/* --- what is seen --- */

/* The steps of a list with commas; NESS_USAGE with the name that is none. */
static ness_status visible_read(hidden *self, const char *list)
{
  const ness_network *const net = self->from->net;
  ness_diags *const diags = self->all->diags;
  for (const char *at = list; *at;) {
    const size_t length = strcspn(at, ",");
    int32_t found = -1;
    for (int32_t s = 0; s < net->nstep && found < 0; s++) {
      const char *const name = network_text(net, net->step_name[s]);
      if (strlen(name) == length && strncmp(name, at, length) == 0) found = s;
    }
    if (found < 0) {
      diag_add(diags, NESS_ERROR, "there is no step %.*s to be visible", (int)length, at);
      diag_hint(diags, "its steps are those of 'ness analyze' without --visible, in the chapter of fluxes");
      return NESS_USAGE;
    }
    if (self->steps == HIDDEN_STEPS) {
      diag_add(diags, NESS_ERROR, "more than %d steps cannot be visible", HIDDEN_STEPS);
      return NESS_USAGE;
    }
    self->step[self->steps++] = found;
    at += length + (at[length] == ',');
  }
  return NESS_OK;
}

static ness_status visible_find(hidden *self)
{
  const ness_network *const net = self->from->net;
  if (self->all->visible) {
    const ness_status status = visible_read(self, self->all->visible);
    if (status) return status;
  } else if (net->nstep <= HIDDEN_STEPS) {
    for (int32_t s = 0; s < net->nstep; s++) self->step[self->steps++] = s;
  }
  self->ways = 2 * self->steps;
  self->way_of = mem_zero(2 * (size_t)net->nstep + 1, sizeof *self->way_of);
  if (!self->way_of) return NESS_NOMEM;
  for (int32_t d = 0; d < 2 * net->nstep; d++) self->way_of[d] = -1;
  for (int32_t v = 0; v < self->ways; v++) self->way_of[2 * self->step[v / 2] + v % 2] = (int8_t)v;
  return NESS_OK;
}

static ness_status pairs_find(hidden *self)
{
  const trace *const from = self->from;
  self->pair = mem_alloc(((size_t)from->events + 1) * sizeof *self->pair);
  if (!self->pair) return NESS_NOMEM;
  for (int64_t p = 0; p < from->pieces; p++) {
    trace_cursor at = trace_begin(from, p);
    double t, since = 0;
    int32_t dir;
    int8_t last = -1, before = -1;
    while (trace_next(&at, &t, &dir)) {
      const int8_t way = self->way_of[dir];
      if (way < 0) continue;
      if (last >= 0) {
        self->pair[self->pairs] = (hidden_pair){.before = before,
                                                .from = last,
                                                .to = way,
                                                .block = (int8_t)(self->pairs / HIDDEN_STRIPE % HIDDEN_BLOCKS),
                                                .t = t - since};
        self->pairs++;
      }
      before = last;
      last = way;
      since = t;
    }
  }
  return NESS_OK;
}

/* --- bins --- */

/* The lower of a cell and of its mirror: they share bins. */
static int32_t class_of(const hidden *self, int32_t from, int32_t to)
{
  const int32_t there = from * self->ways + to, back = (to ^ 1) * self->ways + (from ^ 1);
  return there < back ? there : back;
}

static int64_t bins_of(int64_t n)
{
  return n / HIDDEN_CELL < HIDDEN_BINS ? n / HIDDEN_CELL : HIDDEN_BINS;
}

/* Where the bins of n times end but the last, (HIDDEN_BINS): from the middle one outwards, so that each is looked for
 * among few. */
static void ends_find(double *time, int64_t n, int64_t first, int64_t behind, double *end)
{
  const int64_t bins = bins_of(n);
  if (first >= behind) return;
  const int64_t bin = first + (behind - first) / 2, rank = bin * n / bins;
  const int64_t from = first > 1 ? (first - 1) * n / bins : 0, to = behind < bins ? behind * n / bins + 1 : n;
  stat_select(time + from, to - from, rank - from);
  end[bin - 1] = time[rank];
  ends_find(time, n, first, bin, end);
  ends_find(time, n, bin + 1, behind, end);
}

typedef struct hidden_times { /* by class */
  int64_t *start;             /* (classes + 1) */
  double *time;               /* (pairs) */
  double *end;                /* (classes x HIDDEN_BINS) */
} hidden_times;

static bool times_gather(const hidden *self, hidden_times *out)
{
  const size_t classes = (size_t)(self->ways * self->ways);
  int64_t *const fill = mem_zero(classes + 1, sizeof *fill);
  out->start = mem_zero(classes + 2, sizeof *out->start);
  out->time = mem_alloc(((size_t)self->pairs + 1) * sizeof *out->time);
  out->end = mem_zero(classes * HIDDEN_BINS, sizeof *out->end);
  const bool good = fill && out->start && out->time && out->end;
  for (int64_t k = 0; good && k < self->pairs; k++) {
    const hidden_pair *const at = &self->pair[k];
    out->start[class_of(self, at->from, at->to) + 1]++;
  }
  for (size_t c = 0; good && c < classes; c++) out->start[c + 1] += out->start[c], fill[c] = out->start[c];
  for (int64_t k = 0; good && k < self->pairs; k++) {
    const hidden_pair *const at = &self->pair[k];
    out->time[fill[class_of(self, at->from, at->to)]++] = at->t;
  }
  mem_free(fill);
  return good;
}

static void pair_bin(const hidden *self, const hidden_times *times, hidden_pair *at)
{
  const int32_t c = class_of(self, at->from, at->to);
  const int64_t bins = bins_of(times->start[c + 1] - times->start[c]);
  const double *const end = times->end + (int64_t)c * HIDDEN_BINS;
  int bin = 0;
  for (int64_t b = 0; b + 1 < bins; b++) bin += at->t > end[b];
  at->bin = (int8_t)bin;
  at->late = 2 * bin >= bins;
}

/* The bin of every pair: times of a class in equal counts, ties together. */
static ness_status bins_find(hidden *self)
{
  const int32_t classes = self->ways * self->ways, threads = self->all->threads;
  const int64_t pairs = self->pairs;
  hidden_times times = {0};
  const bool good = times_gather(self, &times);
  if (good) {
#pragma omp parallel num_threads(threads) default(none) shared(self, times) firstprivate(classes, pairs)
    {
#pragma omp for schedule(dynamic)
      for (int32_t c = 0; c < classes; c++) {
        const int64_t n = times.start[c + 1] - times.start[c];
        ends_find(times.time + times.start[c], n, 1, bins_of(n), times.end + (int64_t)c * HIDDEN_BINS);
      }
#pragma omp for
      for (int64_t k = 0; k < pairs; k++) pair_bin(self, &times, &self->pair[k]);
    }
  }
  mem_free(times.start);
  mem_free(times.time);
  mem_free(times.end);
  return good ? NESS_OK : NESS_NOMEM;
}

static double *cell_at(const hidden *self, int32_t from, int32_t to, int32_t bin)
{
  return self->cell + (((int64_t)from * self->ways + to) * HIDDEN_BINS + bin) * (HIDDEN_BLOCKS + 1);
}

static double cell_count(const hidden *self, int32_t from, int32_t to, int32_t bin, int32_t without)
{
  const double *const cell = cell_at(self, from, to, bin);
  return cell[HIDDEN_BLOCKS] - (without < 0 ? 0 : cell[without]);
}

/* --- the bound --- */

/* (there - back) ln(there / back); what was never seen counts as half a time where its mirror was seen. */
static double mirror_term(double there, double back)
{
  if (there + back == 0) return 0;
  return (there - back) * log((there > 0 ? there : 0.5) / (back > 0 ? back : 0.5));
}

/* sigma_l and the whole, k_B a pair, with a block left out; how many pairs there are and cells that mirror others. */
static double divergence_of(const hidden *self, int32_t without, double *order, double *whole, double *mirrors)
{
  double split = 0, joined = 0, own = 0;
  *whole = *mirrors = 0;
  for (int32_t i = 0; i < self->ways; i++) {
    double out = 0, in = 0; /* transitions i as the first of a pair; the mirror of i as the second */
    for (int32_t j = 0; j < self->ways; j++) {
      double there = 0, back = 0;
      for (int32_t bin = 0; bin < HIDDEN_BINS; bin++) {
        const double a = cell_count(self, i, j, bin, without), b = cell_count(self, j ^ 1, i ^ 1, bin, without);
        there += a;
        back += b;
        if (i * self->ways + j >= (j ^ 1) * self->ways + (i ^ 1)) continue; /* a pair of cells is taken once */
        split += mirror_term(a, b);
        *mirrors += a + b > 0;
      }
      out += there;
      in += back;
      if (i * self->ways + j < (j ^ 1) * self->ways + (i ^ 1)) joined += mirror_term(there, back);
    }
    *whole += out;
    if (out > 0) own += out * log(out / (in > 0 ? in : 0.5)); /* their own counts */
  }
  *order = *whole > 0 ? (joined - own) / *whole : 0;
  return *whole > 0 ? (split - own) / *whole : 0;
}

/* Adds the chi-square of a table (pasts x wide): rare rows are left out, rare columns put together. */
static void table_chi(const double *table, int64_t pasts, int64_t wide, double *statistic, double *freedom)
{
  double row[4 * HIDDEN_STEPS] = {0}, other[4 * HIDDEN_STEPS] = {0}; /* other: rare columns together */
  double all = 0, used = 0, rows = 0, least = INFINITY, columns = 0;
  for (int64_t i = 0; i < pasts; i++) {
    for (int64_t c = 0; c < wide; c++) row[i] += table[i * wide + c];
    all += row[i];
  }
  for (int64_t i = 0; i < pasts; i++) {
    if (row[i] < fmax(HIDDEN_CELL, 0.01 * all)) row[i] = 0;
    used += row[i];
    rows += row[i] > 0;
    if (row[i] > 0) least = fmin(least, row[i]);
  }
  for (int64_t c = 0; c <= wide && rows > 1; c++) {
    double column = 0;
    for (int64_t i = 0; i < pasts; i++) column += c == wide ? other[i] : row[i] > 0 ? table[i * wide + c] : 0;
    const bool rare = column * least < HIDDEN_EXPECTED * used;
    columns += !rare;
    for (int64_t i = 0; i < pasts; i++) {
      if (row[i] == 0) continue;
      const double here = c == wide ? other[i] : table[i * wide + c], expected = row[i] * column / used;
      if (!rare) *statistic += (here - expected) * (here - expected) / expected;
      else if (c < wide) other[i] += here;
    }
  }
  if (columns > 1) *freedom += (rows - 1) * (columns - 1);
}

/* Whether what follows a transition, and when, depends on the one before it and on whether the time between was long: p
 * of a chi-square over all transitions. */
static ness_status renewal_test(const hidden *self, double *p)
{
  const int64_t ways = self->ways, pasts = 2 * ways, wide = ways * HIDDEN_BINS;
  double statistic = 0, freedom = 0;
  double *const count = mem_zero((size_t)(ways * pasts * wide) + 1, sizeof *count);
  *p = (double)NAN;
  if (!count) return NESS_NOMEM;
  for (int64_t k = 0; k < self->pairs; k++) {
    const hidden_pair *const at = &self->pair[k];
    if (at->before < 0) continue;
    const int64_t past = 2 * at->before + self->pair[k - 1].late;
    count[(at->from * pasts + past) * wide + at->to * HIDDEN_BINS + at->bin] += 1;
  }
  for (int64_t l = 0; l < ways; l++) table_chi(count + l * pasts * wide, pasts, wide, &statistic, &freedom);
  if (freedom > 0) *p = stat_gamma_tail(freedom / 2, statistic / 2);
  mem_free(count);
  return NESS_OK;
}

static void hidden_rows(const hidden *self, double p, doc_node *root)
{
  const analysis *const all = self->all;
  const ness_network *const net = self->from->net;
  double whole, mirrors, order, without[HIDDEN_BLOCKS], orders[HIDDEN_BLOCKS], time = 0;
  const double raw = divergence_of(self, -1, &order, &whole, &mirrors), tail = 0.5 * (1 - all->level);
#pragma omp parallel for num_threads(all->threads) default(none) shared(self, without, orders)
  for (int32_t b = 0; b < HIDDEN_BLOCKS; b++) {
    double unused[2];
    without[b] = divergence_of(self, b, &orders[b], &unused[0], &unused[1]);
  }
  for (int64_t i = 0; i < self->from->pieces; i++) {
    double t0, t1;
    trace_span(self->from, i, &t0, &t1);
    time += t1 - t0;
  }
  const double rate = whole / time, freedom = fmax(mirrors - self->steps + 1, 0);
  const divergence_bound sum = divergence_bound_of(raw, whole, freedom, without, HIDDEN_BLOCKS, tail);
  const divergence_bound part = divergence_bound_of(order, whole, 1, orders, HIDDEN_BLOCKS, tail);
  const bool known = !(p < HIDDEN_LEVEL);
  text_buffer names = {0};
  for (int32_t s = 0; s < self->steps; s++)
    text_add(&names, s ? ", %s" : "%s", network_text(net, net->step_name[self->step[s]]));
  doc_node *const chapter = doc_object(root, "hidden_states");
  doc_string(chapter, "is", "%s",
             known ? "a lower bound"
                   : "an estimate: what follows a transition depends on the one before, so it does not tell the state");
  doc_string(chapter, "visible", "%s", self->all->visible && names.data ? names.data : "all steps");
  doc_int(chapter, "pairs", self->pairs);
  doc_number(chapter, "estimate", rate * sum.value);
  doc_number(chapter, "error", rate * sum.error);
  doc_number(chapter, "low", rate * sum.low);
  doc_number(chapter, "of_order", rate * part.value);
  doc_number(chapter, "of_waiting_times", rate * (sum.value - part.value));
  number_or_null(chapter, "entropy_exact", all->exact ? all->exact->entropy : (double)NAN);
  number_or_null(chapter, "past_matters_p", p);
  doc_string(
      chapter, "method",
      "pairs of visible transitions and the time between them against their reverse, jackknife over stripes; k_B/s");
  text_clear(&names);
}

ness_status hidden_doc(const analysis *all, doc_node *root)
{
  hidden self = {.all = all, .from = all->plan->kept};
  double p;
  if (!self.from || !all->waited) {
    if (!all->visible) return NESS_OK;
    diag_add(all->diags, NESS_ERROR, "--visible is for trajectories of one molecule, of level events or measured");
    return NESS_USAGE;
  }
  ness_status status = visible_find(&self);
  if (!status && self.steps > 0) status = pairs_find(&self);
  if (!status && self.pairs >= HIDDEN_LEAST) {
    const size_t cells = (size_t)(self.ways * self.ways) * HIDDEN_BINS * (HIDDEN_BLOCKS + 1);
    self.cell = mem_zero(cells, sizeof *self.cell);
    status = self.cell ? bins_find(&self) : NESS_NOMEM;
    for (int64_t k = 0; !status && k < self.pairs; k++) {
      double *const cell = cell_at(&self, self.pair[k].from, self.pair[k].to, self.pair[k].bin);
      cell[self.pair[k].block] += 1;
      cell[HIDDEN_BLOCKS] += 1;
    }
    if (!status) status = renewal_test(&self, &p);
    if (!status) hidden_rows(&self, p, root);
  }
  mem_free(self.way_of);
  mem_free(self.pair);
  mem_free(self.cell);
  return status;
}
