/* What an input that is held would lead to, from the states of the input that flips: without the flips the chain of a
 * part falls into one closed class for every level, and the steady law of each is solved for by itself.
 *
 * Entropy production has two parts (Hatano and Sasa, Phys. Rev. Lett. 86, 3463 (2001); Esposito and Van den Broeck,
 * Phys. Rev. Lett. 104, 090601 (2010)). A jump from i to j at levels l is ln of k_ij ps(i; l) / k_ji ps(j; l)
 * adiabatic, which driving costs even at rest. A flip from l to m is ln of ps(i; l) / ps(i; m) excess, which the way to
 * the new rest costs. While the levels flip steadily the two rates add up to the entropy given to the medium. Copies
 * that share their inputs are solved as one, and all is linear in them. Cost: a solve for each class, and linear in the
 * transitions. */
#include "engine/cme/held.h"
#include "engine/cme/ergodic.h"
#include "engine/cme/space.h"
#include "engine/markov/sum.h"
#include "engine/markov/transient.h"
#include "engine/rng/rng.h"
#include <math.h>
#include <stdlib.h>

#define HELD_LEAST 1e-290 /* below, a probability has lost figures */
#define HELD_LEVELS 64    /* of the inputs of a part: bits of a key */

typedef struct held_part {
  const ness_network *net;
  const cme_part *part;
  chain still; /* without flips */
  chain_classes classes;
  double *law, *given;
} held_part;

static bool is_flip(const held_part *self, int64_t e)
{
  return self->net->step_proc[self->part->dir[e] / 2] >= 0;
}

static ness_status still_chain(held_part *self)
{
  const chain *const q = &self->part->q;
  int64_t end = 0;
  const ness_status status = chain_create(q->n, q->start[q->n], false, &self->still);
  for (int32_t s = 0; !status && s < q->n; s++) {
    for (int64_t e = q->start[s]; e < q->start[s + 1]; e++) {
      if (is_flip(self, e)) continue;
      self->still.to[end] = q->to[e];
      self->still.rate[end++] = q->rate[e];
    }
    self->still.start[s + 1] = end;
  }
  return status ? status : chain_classes_find(&self->still, &self->classes);
}

static int key_compare(const void *a, const void *b)
{
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Whether two classes have the same levels. */
static ness_status levels_repeat(const held_part *self, bool *repeat)
{
  const cme_part *const part = self->part;
  const int32_t count = self->classes.count;
  uint64_t *const key = mem_zero((size_t)count + 1, sizeof *key);
  int64_t *const n = mem_zero((size_t)self->net->nslot + 1, sizeof *n);
  const ness_status status = key && n ? NESS_OK : NESS_NOMEM;
  for (int32_t c = 0; !status && c < count; c++) {
    cme_counts(part, self->classes.state[self->classes.start[c]], n);
    for (int32_t i = 0; i < part->nslot; i++)
      if (network_is_level(self->net, part->slot[i])) key[c] = key[c] << 1 | (uint64_t)n[part->slot[i]];
  }
  if (!status) qsort(key, (size_t)count, sizeof *key, key_compare);
  *repeat = false;
  for (int32_t c = 1; !status && c < count; c++) *repeat = *repeat || key[c] == key[c - 1];
  mem_free(key);
  mem_free(n);
  return status;
}

/* The law of a class, and what the class has of the steady state. */
static ness_status class_law(held_part *self, int32_t c, int32_t *local)
{
  const int32_t *const state = self->classes.state + self->classes.start[c];
  const int32_t n = self->classes.start[c + 1] - self->classes.start[c];
  static const solver_options defaults = {0};
  chain inside = {0};
  solver *made = NULL;
  exact_sum share = {0, 0};
  ness_status status = n > 1 ? chain_part(&self->still, state, n, false, local, &inside) : NESS_OK;
  if (!status && n > 1) status = solver_create(&inside, &defaults, NULL, &made);
  for (int32_t i = 0; !status && i < n; i++) {
    self->law[state[i]] = n > 1 ? solver_steady(made)[i] : 1;
    sum_add(&share, self->part->p[state[i]]);
  }
  for (int32_t i = 0; !status && self->given && i < n; i++)
    self->given[state[i]] = self->part->p[state[i]] / sum_get(&share);
  solver_free(made);
  chain_free(&inside);
  return status;
}

/* Why a part has no law at its levels; NULL where it has. */
static ness_status part_laws(held_part *self, const char **why)
{
  const cme_part *const part = self->part;
  int32_t levels = 0;
  bool repeat = false;
  *why = part->projection.used ? "its counts have no end" : NULL;
  for (int32_t i = 0; i < part->nslot; i++) levels += network_is_level(self->net, part->slot[i]);
  if (levels > HELD_LEVELS) *why = "its inputs have more than 64 levels";
  if (*why) return NESS_OK;
  ness_status status = still_chain(self);
  if (!status && self->classes.start[self->classes.count] < part->q.n)
    *why = "where the input stays, states are left for good";
  if (!status) status = levels_repeat(self, &repeat);
  if (repeat) *why = "where the input stays, it may end in several places";
  int32_t *const local = mem_zero((size_t)part->q.n + 1, sizeof *local);
  if (!local) status = NESS_NOMEM;
  for (int32_t c = 0; !status && !*why && c < self->classes.count; c++) status = class_law(self, c, local);
  mem_free(local);
  if (status == NESS_NUMERIC || status == NESS_LIMIT) {
    *why = "the steady state of a level could not be solved for";
    status = NESS_OK;
  }
  for (int32_t s = 0; !status && !*why && s < part->q.n; s++)
    if (self->law[s] < HELD_LEAST) *why = "it has states whose probability is below what numbers hold";
  return status;
}

static void part_rates(const held_part *self, held_laws *out)
{
  const cme_part *const part = self->part;
  exact_sum adiabatic = {0, 0}, excess = {0, 0};
  bool endless = false;
  for (int32_t s = 0; s < part->q.n; s++) {
    for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++) {
      const double flow = part->scale * part->p[s] * part->q.rate[e], ratio = self->law[s] / self->law[part->q.to[e]];
      const int64_t back = is_flip(self, e) ? -1 : cme_back(part, s, e);
      if (is_flip(self, e)) sum_add(&excess, flow * log(ratio));
      else if (back >= 0) sum_add(&adiabatic, flow * log(part->q.rate[e] / part->q.rate[back] * ratio));
      else endless = endless || flow > 0;
    }
  }
  out->adiabatic += endless ? (double)INFINITY : sum_get(&adiabatic);
  out->excess += sum_get(&excess);
}

ness_status held_find(const ness_network *net, const cme_solution *solution, held_laws *out)
{
  *out = (held_laws){.nparts = solution->nparts};
  out->law = mem_zero((size_t)solution->nparts + 1, sizeof *out->law);
  out->given = mem_zero((size_t)solution->nparts + 1, sizeof *out->given);
  ness_status status = out->law && out->given ? NESS_OK : NESS_NOMEM;
  for (int32_t p = 0; !status && !out->why && p < solution->nparts; p++) {
    const cme_part *const part = &solution->parts[p];
    held_part self = {.net = net, .part = part};
    self.law = out->law[p] = mem_zero((size_t)part->q.n + 1, sizeof(double));
    if (!part->driven) self.given = out->given[p] = mem_zero((size_t)part->q.n + 1, sizeof(double));
    if (!self.law || !(part->driven || self.given)) status = NESS_NOMEM;
    if (!status) status = part_laws(&self, &out->why);
    if (!status && out->why) part_describe(net, part, out->part);
    if (!status && !out->why) part_rates(&self, out);
    chain_free(&self.still);
    chain_classes_free(&self.classes);
  }
  if (status) held_free(out);
  return status;
}

/* --- from the start --- */

#define HELD_COPIES 100000 /* whose ln n! are averaged */
#define HELD_COURSE 300    /* states of a part that is followed: a matrix of theirs is exponentiated in a second */

/* What a state collects a second of the two parts; of copies without the -ln n! of their counts. */
static void collect_rates(const held_part *self, double *adiabatic, double *excess)
{
  const cme_part *const part = self->part;
  for (int32_t s = 0; s < part->q.n; s++) {
    exact_sum driven = {0, 0}, rest = {0, 0};
    for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++) {
      const double rate = part->q.rate[e], ln = log(self->law[part->q.to[e]] / self->law[s]);
      const int64_t back = is_flip(self, e) ? -1 : cme_back(part, s, e);
      if (is_flip(self, e)) continue;
      sum_add(&rest, rate * ln);
      sum_add(&driven, back < 0 ? 0 : rate * (log(rate / part->q.rate[back]) - ln));
    }
    adiabatic[s] = sum_get(&driven);
    excess[s] = sum_get(&rest);
  }
}

/* The mean of ln n! of a binomial number. */
static double mean_factorial(int64_t copies, double p)
{
  exact_sum sum = {0, 0};
  for (int64_t n = 2; p > 0 && n <= copies; n++) {
    const double choose = rng_lgamma1p((double)copies) - rng_lgamma1p((double)n) - rng_lgamma1p((double)(copies - n));
    const double rest = n < copies ? (double)(copies - n) * log1p(-p) : 0;
    sum_add(&sum, exp(choose + (double)n * log(p) + rest) * rng_lgamma1p((double)n));
  }
  return sum_get(&sum);
}

/* The integral of a f over the time: time p f + (p(0) - p(time)) y, where y is what is still collected beyond the mean.
 */
static double collected(const cme_part *part, double time, const double *f, const double *y, const double *end)
{
  exact_sum sum = {0, 0};
  for (int32_t s = 0; s < part->q.n; s++) {
    sum_add(&sum, time * part->p[s] * f[s]);
    sum_add(&sum, -end[s] * y[s]);
  }
  for (int32_t k = 0; k < part->nstart; k++) sum_add(&sum, part->start_weight[k] * y[part->start[k]]);
  return part->scale * sum_get(&sum);
}

static ness_status part_course(const held_part *self, double time, double *adiabatic, double *excess)
{
  const cme_part *const part = self->part;
  const size_t n = (size_t)part->q.n;
  double *const room = mem_zero(5 * n + 1, sizeof *room);
  double *const f = room, *const g = room + n, *const y = room + 2 * n, *const z = room + 3 * n, *end = room + 4 * n;
  ergodic states = {0};
  collect solved = {0};
  const transient_options fine = {.tolerance = 1e-12};
  ness_status status = room ? ergodic_create(self->net, part, NULL, &states) : NESS_NOMEM;
  if (!status) status = collect_create(self->net, &states, NULL, &solved);
  if (!status) {
    collect_rates(self, f, g);
    for (size_t s = 0; s < n; s++) y[s] = f[s], z[s] = g[s];
    for (int32_t k = 0; k < part->nstart; k++) end[part->start[k]] += part->start_weight[k];
    status = collect_solve(&solved, y);
  }
  if (!status) status = collect_solve(&solved, z);
  if (!status) status = transient_run(&part->q, &fine, end, &time, 1, NULL, NULL, NULL);
  if (!status) {
    double mixing = 0;
    for (int32_t s = 0; part->copies > 1 && s < part->q.n; s++)
      mixing += part->copies > HELD_COPIES ? (double)NAN : mean_factorial(part->copies, end[s]);
    if (part->copies > 1) mixing -= rng_lgamma1p((double)part->copies);
    if (part->copies > 1 && part->nstart != 1) mixing = (double)NAN;
    *adiabatic += collected(part, time, f, y, end) / time;
    *excess += (collected(part, time, g, z, end) - mixing) / time;
  }
  collect_free(&solved);
  ergodic_free(&states);
  mem_free(room);
  return status;
}

ness_status held_from_start(const ness_network *net, const cme_solution *solution, const held_laws *held, double time,
                            double *adiabatic, double *excess)
{
  ness_status status = NESS_OK;
  *adiabatic = *excess = 0;
  for (int32_t p = 0; !status && p < solution->nparts; p++) {
    const held_part self = {.net = net, .part = &solution->parts[p], .law = held->law[p]};
    const bool none = self.part->kind == CME_OPEN || self.part->driven || self.part->q.n > HELD_COURSE;
    if (none) *adiabatic = *excess = (double)NAN;
    else status = part_course(&self, time, adiabatic, excess);
  }
  if (status != NESS_NUMERIC && status != NESS_LIMIT) return status;
  *adiabatic = *excess = (double)NAN;
  return NESS_OK;
}

void held_free(held_laws *self)
{
  for (int32_t p = 0; p < self->nparts; p++) {
    if (self->law) mem_free(self->law[p]);
    if (self->given) mem_free(self->given[p]);
  }
  mem_free(self->law);
  mem_free(self->given);
  *self = (held_laws){0};
}
