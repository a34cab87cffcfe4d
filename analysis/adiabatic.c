/* The two parts of the entropy production where inputs flip, or where a run begins away from rest: what driving costs
 * even at rest, and what the way to rest costs (Hatano and Sasa, Phys. Rev. Lett. 86, 3463 (2001); Esposito and Van den
 * Broeck, Phys. Rev. Lett. 104, 090601 (2010)).
 *
 * With ps(n; l) the steady law where the inputs stay at l, a jump gives the medium ln(w p / w' p'), which is adiabatic,
 * and ln ps(n'; l) - ln ps(n; l), which is excess. So nothing is approximated: the second part telescopes between flips
 * and was added up as the events were read, and the first is what is left of the entropy given to the medium. In the
 * mean of a steady run the excess is the nonadiabatic part, whose boundary terms are those of windows below.
 *
 * Of each part the mean of exp(-s) is 1. The adiabatic one has it in windows of any run. The nonadiabatic one of a
 * window is its excess and ln p(start | l) - ln p(end | l), given the levels, and has it in a steady run. Both are
 * tested on windows of about 1 k_B. Invariant: the parts of every batch add up to what it gave to the medium. Cost: of
 * the windows, a logarithm or two an event that was kept, in parallel. */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define ADIABATIC_WINDOWS 65536 /* at most */
#define ADIABATIC_BLOCK 512
#define ADIABATIC_LEAST 64 /* windows without which no mean is told */

typedef struct part_windows {
  double length; /* s */
  int64_t count;
  double *adiabatic, *nonadiabatic; /* (count) k_B; NULL without the law given the levels */
} part_windows;

typedef struct window_walk { /* along a piece of the trace */
  const analysis *all;
  trace_cursor at;
  double t; /* of the event to come */
  int32_t dir;
  bool more;
  int64_t *n, *after;          /* (nslot) */
  double *scratch;             /* (tape_max) */
  double medium, excess, flip; /* k_B since the window began; flip: ln ps over flips */
} window_walk;

typedef struct window_block { /* of windows that follow each other: any thread's */
  window_walk begin;          /* its n is in `counts`, the rest of its memory the thread's */
  const int64_t *counts;
  double t0;                    /* s: of the piece */
  int64_t number, count, first; /* of its first window in the piece; windows; where they stand in part_windows */
} window_block;

static int64_t windows_in(double t0, double t1, double length)
{
  return (int64_t)floor((t1 - t0) / length * (1 + 1e-12));
}

static void walk_step(window_walk *self)
{
  const ness_network *const net = self->all->net;
  const int32_t step = self->dir >> 1;
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++)
    self->n[net->change_slot[c]] += (self->dir & 1 ? -1 : 1) * net->change_by[c];
  self->more = trace_next(&self->at, &self->t, &self->dir);
}

static void walk_to(window_walk *self, double end)
{
  const analysis *const all = self->all;
  const ness_network *const net = all->net;
  while (self->more && self->t <= end) {
    const int32_t step = self->dir >> 1;
    const bool flip = net->step_proc[step] >= 0;
    if (flip) self->flip -= law_log(all->plan->held, self->n);
    else self->medium += network_event_entropy(net, step, self->dir & 1 ? -1 : 1, self->n, self->after, self->scratch);
    walk_step(self);
    if (flip) self->flip += law_log(all->plan->held, self->n);
  }
}

static ness_status block_windows(const window_block *self, const part_windows *out)
{
  const analysis *const all = self->begin.all;
  const steady_law *const held = all->plan->held, *const given = all->given;
  const size_t nslot = (size_t)all->net->nslot;
  window_walk walk = self->begin;
  walk.n = mem_alloc((2 * nslot + 1) * sizeof *walk.n);
  walk.scratch = mem_zero((size_t)all->net->tape_max + 1, sizeof *walk.scratch);
  const bool good = walk.n && walk.scratch;
  if (good) {
    memcpy(walk.n, self->counts, nslot * sizeof *walk.n);
    walk.after = walk.n + nslot;
    double before = law_log(held, walk.n), law = given ? law_log(given, walk.n) : 0;
    for (int64_t k = 0; k < self->count; k++) {
      walk.medium = walk.flip = 0;
      walk_to(&walk, self->t0 + (double)(self->number + k + 1) * out->length);
      const double after = law_log(held, walk.n), next = given ? law_log(given, walk.n) : 0;
      const double excess = after - before - walk.flip;
      out->adiabatic[self->first + k] = walk.medium - excess;
      if (out->nonadiabatic) out->nonadiabatic[self->first + k] = excess + law - next;
      before = after;
      law = next;
    }
  }
  mem_free(walk.n);
  mem_free(walk.scratch);
  return good ? NESS_OK : NESS_NOMEM;
}

/* How long windows are in which something happens and not too much, and how many there are. */
static void windows_plan(const analysis *all, double per_second, part_windows *out)
{
  const trace *const kept = all->plan->kept;
  double whole = 0, longest = 0, t0, t1;
  for (int64_t p = 0; p < kept->pieces; p++) {
    trace_span(kept, p, &t0, &t1);
    whole += t1 - t0;
    longest = fmax(longest, t1 - t0);
  }
  out->length = fmax(fmin(1 / per_second, longest), whole / ADIABATIC_WINDOWS);
  for (int64_t p = 0; p < kept->pieces; p++) {
    trace_span(kept, p, &t0, &t1);
    out->count += windows_in(t0, t1, out->length);
  }
}

static int64_t blocks_in(const trace *kept, double length)
{
  int64_t count = 0;
  for (int64_t p = 0; p < kept->pieces; p++) {
    double t0, t1;
    trace_span(kept, p, &t0, &t1);
    count += (windows_in(t0, t1, length) + ADIABATIC_BLOCK - 1) / ADIABATIC_BLOCK;
  }
  return count;
}

/* Where each block begins. counts: (blocks + 1 x nslot), the last for the walk. */
static void blocks_find(const analysis *all, const part_windows *out, int64_t count, window_block *blocks,
                        int64_t *counts)
{
  const trace *const kept = all->plan->kept;
  const int64_t nslot = all->net->nslot;
  int64_t at = 0, first = 0;
  for (int64_t p = 0; p < kept->pieces; p++) {
    double t0, t1;
    trace_span(kept, p, &t0, &t1);
    window_walk walk = {.all = all, .n = counts + count * nslot, .at = trace_begin(kept, p)};
    memcpy(walk.n, kept->counts + p * nslot, (size_t)nslot * sizeof *walk.n);
    walk.more = trace_next(&walk.at, &walk.t, &walk.dir);
    const int64_t number = windows_in(t0, t1, out->length);
    for (int64_t k = 0; k < number; k += ADIABATIC_BLOCK) {
      while (walk.more && k > 0 && walk.t <= t0 + (double)k * out->length) walk_step(&walk);
      int64_t *const begin = counts + at * nslot;
      memcpy(begin, walk.n, (size_t)nslot * sizeof *begin);
      const int64_t size = number - k < ADIABATIC_BLOCK ? number - k : ADIABATIC_BLOCK;
      blocks[at++] =
          (window_block){.begin = walk, .counts = begin, .t0 = t0, .number = k, .count = size, .first = first + k};
    }
    first += number;
  }
}

static ness_status windows_fill(const analysis *all, part_windows *out)
{
  const int64_t count = blocks_in(all->plan->kept, out->length);
  window_block *const blocks = mem_zero((size_t)count + 1, sizeof *blocks);
  int64_t *const counts = mem_zero(((size_t)count + 1) * (size_t)all->net->nslot + 1, sizeof *counts);
  out->adiabatic = mem_zero((size_t)out->count + 1, sizeof *out->adiabatic);
  if (all->given) out->nonadiabatic = mem_zero((size_t)out->count + 1, sizeof *out->nonadiabatic);
  bool good = blocks && counts && out->adiabatic && (!all->given || out->nonadiabatic);
  if (good) {
    blocks_find(all, out, count, blocks, counts);
#pragma omp parallel for num_threads(all->threads) schedule(dynamic) default(none) shared(blocks, out)                 \
    firstprivate(count) reduction(&& : good)
    for (int64_t b = 0; b < count; b++) good = !block_windows(&blocks[b], out) && good;
  }
  mem_free(blocks);
  mem_free(counts);
  return good ? NESS_OK : NESS_NOMEM;
}

static void integral_row(const analysis *all, const char *name, const part_windows *from, const double *s,
                         doc_node *rows)
{
  double mean = 0;
  for (int64_t i = 0; i < from->count; i++) mean += s[i] / (double)from->count;
  if (!isfinite(mean)) return;
  doc_node *const row = doc_object(rows, NULL);
  doc_string(row, "part", "%s", name);
  doc_number(row, "window", from->length);
  doc_int(row, "windows", from->count);
  doc_number(row, "mean", fabs(mean) < 1e-12 ? 0 : mean); /* rounding */
  fluctuation_integral(all, s, from->count, mean, row);
}

static ness_status integrals(const analysis *all, double per_second, doc_node *chapter)
{
  const trace *const kept = all->plan->kept;
  part_windows found = {0};
  if (!kept || kept->events == 0 || !(per_second > 0)) return NESS_OK;
  windows_plan(all, per_second, &found);
  if (found.count < ADIABATIC_LEAST) return NESS_OK;
  const ness_status status = windows_fill(all, &found);
  if (!status) {
    doc_node *const rows = doc_array(chapter, "integrals");
    integral_row(all, "adiabatic", &found, found.adiabatic, rows);
    if (found.nonadiabatic) integral_row(all, "nonadiabatic", &found, found.nonadiabatic, rows);
  }
  mem_free(found.adiabatic);
  mem_free(found.nonadiabatic);
  return status;
}

/* What is left of sums that vanish event by event is rounding, in the exact value as well. */
static estimate part_estimate(const analysis *all, const double *x, double exact, double scale)
{
  const estimate out = estimate_rate(all, x, exact);
  const estimate none = {.exact = fabs(exact) < 1e-9 * scale ? 0 : exact};
  return fabs(out.value) < 1e-12 * scale && !(out.error > 1e-12 * scale) ? none : out;
}

/* Of a run that counts from its start the exact values are means over its course, where it ends by time. */
static ness_status from_start(const analysis *all, double exact[2])
{
  exact[0] = exact[1] = (double)NAN;
  if (!isfinite(all->run->time) || all->run->events > 0) return NESS_OK;
  return held_from_start(all->net, all->exact, all->held, all->run->time, &exact[0], &exact[1]);
}

static void part_row(const char *name, const estimate *of, doc_node *rows)
{
  doc_node *const row = doc_object(rows, NULL);
  doc_string(row, "part", "%s", name);
  estimate_doc(row, of);
}

ness_status adiabatic_doc(const analysis *all, const double *medium, doc_node *parent)
{
  const int32_t batches = all->sums->batches, width = all->plan->width;
  const char *why = all->unheld;
  if (why && !*why) return NESS_OK;
  doc_node *const chapter = doc_object(parent, "split");
  double *const excess = mem_zero(2 * (size_t)batches + 1, sizeof *excess), *const adiabatic = excess + batches;
  if (!excess) return NESS_NOMEM;
  bool known = !all->plan->unknown_mixed;
  for (int32_t b = 0; !why && b < batches; b++) {
    excess[b] = all->sums->batch[(int64_t)b * width + TALLY_HELD];
    adiabatic[b] = medium[b] - excess[b];
    known = known && isfinite(adiabatic[b]);
  }
  if (!why && isinf(all->held->adiabatic)) why = "a step has no way back, and the adiabatic part is infinite";
  if (!why && !known) why = "the dump does not tell what its events gave to the medium";
  ness_status status = NESS_OK;
  if (why) {
    doc_string(chapter, "is", "not available: %s", why);
    if (all->held->why) doc_string(chapter, "where", "%s", all->held->part);
  } else {
    const double scale = analysis_total(all, TALLY_EVENTS) / all->time;
    double exact[2] = {all->held->adiabatic, all->held->excess};
    if (!(all->run->warmup > 0)) status = from_start(all, exact);
    const estimate first = part_estimate(all, adiabatic, exact[0], scale);
    const estimate second = part_estimate(all, excess, exact[1], scale);
    doc_string(chapter, "is", "an estimate");
    doc_node *const rows = doc_array(chapter, "parts");
    part_row("adiabatic", &first, rows);
    part_row("excess", &second, rows);
    if (!status) status = integrals(all, fabs(first.value) + fabs(second.value), chapter);
    doc_string(
        chapter, "method", "%s",
        "of the entropy given to the medium, by the steady law where inputs stay: adiabatic is what driving costs "
        "even at rest, excess what the way to rest costs. Means of exp(-s) over windows are 1");
  }
  mem_free(excess);
  return status;
}
