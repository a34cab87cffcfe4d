/* Entropy production, twice: from the rates along what happened, and from what happened alone.
 *
 * Thermodynamic: an event gives ln(a_f/a_b) = lnk - change of ln n!, so a stretch of mass action gives sum net * lnk
 * minus the ln n! of its end plus that of its start; events of steps with formulas were added up as they fired. Per
 * source of work the shares are net * work, and entropy = sum of work - change of G holds event by event: `closure` is
 * what rounding leaves. Plug-in: S = sum (n+ - n-) ln(n+/n-) / time over edges between states, or over steps where
 * states are not known (then a lower bound, by the log-sum inequality). For independent Poisson counts an edge exceeds
 * its value by (2 + r + 1/r)/2, r = n+/n-, which is 2 at equilibrium; conservation leaves only the rank b of the cycle
 * space free, hence 2 b in all (the trace of a projection). The jackknife estimates that bias at any distance from
 * equilibrium and is subtracted. Near equilibrium S * time / 2 is noncentral chi-square with b degrees and lambda =
 * sigma * time / 2: an interval from that law holds sigma as often as it says at 0 too (stat_f_range), where one from
 * the jackknife, which assumes a normal law, would not. Cost: batches * edges logarithms. */
#include "analysis/record/record.h"

#include <math.h>
#include <string.h>

/* In units of the bias: below NEAR the interval comes from the noncentral chi-square, and below FAR where no pair is
 * far from balance, so that S is its quadratic form but for GENTLE: ln(n+/n-) is 0.5 there. */
#define PLUGIN_NEAR 10.0
#define PLUGIN_FAR 1000.0
#define PLUGIN_GENTLE 1.02

/* --- from the rates --- */

static bool is_tape(const ness_network *net, int32_t step)
{
  return net->dir_law[2 * step] == LAW_TAPE || net->dir_law[2 * step + 1] == LAW_TAPE;
}

/* What a run under an input that moves kept itself; its work of the input stands behind those of the sources. */
static double ledger_entropy(const analysis *all, const double *row, double *work)
{
  const double *const ledger = row + all->plan->ledger;
  const int32_t sources = network_sources(all->net);
  memcpy(work, ledger + DUMP_LEDGER_HEAD, (size_t)sources * sizeof *work);
  work[sources] = ledger[DUMP_LEDGER_INPUT];
  return ledger[DUMP_LEDGER_MEDIUM];
}

/* Entropy of a row of sums, k_B, over reversible steps; and its work by source, kT, the last what is left. */
static double row_entropy(const analysis *all, const double *row, double *work)
{
  const ness_network *net = all->net;
  const int32_t undeclared = network_sources(net) - 1;
  if (all->moved || all->flows) return ledger_entropy(all, row, work);
  double entropy = row[TALLY_TAPE] - row[TALLY_FACTORIAL], listed = 0;
  for (int32_t w = 0; w <= undeclared; w++) work[w] = 0;
  for (int32_t s = 0; s < net->nstep; s++) {
    const double events = row[all->plan->fwd + s] - row[all->plan->bwd + s];
    if (events == 0) continue;
    if (!is_tape(net, s) && isfinite(net->step_lnk[s])) entropy += events * net->step_lnk[s];
    for (int32_t k = net->work_start[s]; k < net->work_start[s + 1]; k++) {
      if (!isfinite(net->work_kt[k])) continue;
      work[net->work_src[k]] += events * net->work_kt[k];
      listed += events * net->work_kt[k];
    }
  }
  if (all->plan->tapes) work[undeclared] += entropy + row[TALLY_ENERGY] - listed;
  return entropy;
}

static const char *entropy_method(const analysis *all)
{
  return all->moved   ? "what the run kept of ln(k_fwd/k_bwd) of every event at its time"
         : all->flows ? "what the run kept of every event and every flow"
                      : "rates along the trajectory";
}

static void thermodynamic(const analysis *all, doc_node *parent, double *x, double *work, double *by_source)
{
  const ness_network *net = all->net;
  const bool ledger = all->moved || all->flows;
  const int32_t batches = all->sums->batches, own = network_sources(net), sources = own + ledger;
  double total = 0, energy = 0, spent = 0, size = 0;
  bool one_way = false;
  doc_node *const row = doc_object(parent, "thermodynamic");
  doc_node *const names = doc_array(row, "one_way");
  for (int32_t s = 0; s < net->nstep; s++) {
    if (!balance_one_way(all, s)) continue;
    doc_string(names, NULL, "%s", network_text(net, net->step_name[s]));
    one_way = true;
  }
  for (int32_t b = 0; b < batches; b++) {
    const double *const sums = all->sums->batch + (int64_t)b * all->plan->width;
    x[b] = row_entropy(all, sums, work);
    total += x[b];
    energy += ledger ? sums[all->plan->ledger + DUMP_LEDGER_ENERGY] : sums[TALLY_ENERGY];
    for (int32_t w = 0; w < sources; w++) {
      by_source[(int64_t)w * batches + b] = work[w];
      spent += work[w];
      size += fabs(work[w]);
    }
  }
  if (one_way || all->plan->unknown_mixed) {
    doc_string(row, "method", "%s",
               one_way
                   ? "infinite: the steps under one_way have no way back"
                   : "not known: the same counts are changed by formulas and by mass action, and only a dump of level "
                     "events tells how they share the entropy");
    if (one_way) doc_number(row, "estimate", INFINITY);
    else doc_null(row, "estimate");
    return;
  }
  const estimate rate = estimate_rate(all, x, all->exact ? all->exact->entropy : (double)NAN);
  estimate_doc(row, &rate);
  doc_number(row, "free_energy_change", energy / all->time);
  doc_number(row, "closure", fabs(total - spent + energy) / all->time);
  doc_string(row, "method", "%s, %s", entropy_method(all), all->plan->by_time ? "time batches" : "replica batches");
  doc_node *const list = doc_array(row, "sources");
  for (int32_t w = 0; w < sources; w++) {
    const double exact = !all->exact ? (double)NAN : w < own ? all->exact->source_work[w] : all->moved->input_work;
    const estimate share = estimate_rate(all, by_source + (int64_t)w * batches, exact);
    if (w == own - 1 && fabs(share.value) * all->time < 1e-9 * (1 + fabs(total))) continue;
    if (all->flows && fabs(share.value) * all->time <= 1e-12 * size) continue; /* of what is undeclared rounding too */
    doc_node *const line = doc_object(list, NULL);
    doc_string(line, "source", "%s",
               w < own      ? network_source_name(net, w)
               : all->flows ? all->run->flows_beside
                            : all->run->input);
    estimate_doc(line, &share);
  }
}

/* --- from the counts alone --- */

typedef struct plugin {
  const analysis *all;
  bool edges;        /* else steps */
  int64_t n;         /* edges or steps that were seen */
  int64_t one_sided; /* of which in one direction only */
  double *count;     /* (n x 2 x (batches + 1)): batches, then the total */
} plugin;

static void plugin_put(plugin *self, const double *forward, const double *backward)
{
  const int32_t b = self->all->sums->batches;
  double *const row = self->count + self->n * 2 * (b + 1), *const other = row + b + 1;
  row[b] = other[b] = 0;
  for (int32_t i = 0; i < b; i++) {
    row[b] += row[i] = forward ? forward[i] : 0;
    other[b] += other[i] = backward ? backward[i] : 0;
  }
  if (row[b] + other[b] == 0) return;
  self->one_sided += row[b] == 0 || other[b] == 0;
  self->n++;
}

/* Counts by batch of what was seen; the batches of loops are numbered before empty ones were left out. */
static bool plugin_fill(plugin *self, double *forward, double *backward)
{
  const analysis *all = self->all;
  const int32_t batches = all->sums->batches, width = all->plan->width;
  const int64_t most = self->edges ? loops_edges(all->loop) : all->net->nstep;
  self->count = mem_alloc(((size_t)most + 1) * 2 * ((size_t)batches + 1) * sizeof *self->count);
  if (!self->count) return false;
  for (int64_t k = 0; k < most; k++) {
    const loop_edge edge = self->edges ? loops_edge(all->loop, k) : (loop_edge){0, (int32_t)k, NULL, NULL};
    if (balance_one_way(all, edge.step)) continue;
    for (int32_t b = 0; b < batches; b++) {
      const double *const row = all->sums->batch + (int64_t)b * width;
      const int32_t i = all->sums->index[b];
      forward[b] = !self->edges ? row[all->plan->fwd + edge.step] : edge.forward ? edge.forward[i] : 0;
      backward[b] = !self->edges ? row[all->plan->bwd + edge.step] : edge.backward ? edge.backward[i] : 0;
    }
    plugin_put(self, forward, backward);
  }
  return true;
}

/* S over all batches but `without` (-1: none is left out). A direction never seen counts as half an event. */
static double plugin_sum(const plugin *self, int32_t without)
{
  const int32_t b = self->all->sums->batches;
  double sum = 0;
  for (int64_t k = 0; k < self->n; k++) {
    const double *const row = self->count + k * 2 * (b + 1), *const other = row + b + 1;
    const double up = row[b] - (without >= 0 ? row[without] : 0), down = other[b] - (without >= 0 ? other[without] : 0);
    if (up == down) continue;
    sum += (up - down) * log((up > 0 ? up : 0.5) / (down > 0 ? down : 0.5));
  }
  return sum;
}

/* What S is near balance. */
static double plugin_quadratic(const plugin *self)
{
  const int32_t b = self->all->sums->batches;
  double sum = 0;
  for (int64_t k = 0; k < self->n; k++) {
    const double *const row = self->count + k * 2 * (b + 1), up = row[b], down = row[2 * b + 1];
    sum += 2 * (up - down) * (up - down) / (up + down);
  }
  return sum;
}

/* sum J ln(J+/J-) over steps of the exact rates: what the plug-in over steps estimates. */
static double exact_steps(const analysis *all)
{
  double sum = 0;
  if (!all->exact) return (double)NAN;
  for (int32_t s = 0; s < all->net->nstep; s++) {
    const double up = all->exact->dir_rate[2 * s], down = all->exact->dir_rate[2 * s + 1];
    if (up > 0 && down > 0) sum += all->exact->net_rate[s] * log(up / down);
  }
  return sum;
}

/* Near equilibrium S is no normal number, and close to it the jackknife error is too small: the bound takes its place.
 */
static void plugin_interval(const plugin *self, doc_node *row, estimate *out, double raw, double rank, bool test_silent)
{
  const analysis *const all = self->all;
  const double x = raw * all->time;
  const bool close = test_silent || x < PLUGIN_NEAR * 2 * rank;
  const bool gentle = x < PLUGIN_FAR * 2 * rank && x < PLUGIN_GENTLE * plugin_quadratic(self);
  const bool near = rank > 0 && !all->moved && rank <= 10000 && (close || gentle);
  if (near) {
    if (close) out->error = (double)NAN;
    stat_f_range(x / 2 / rank, all->level, rank, INFINITY, &out->low, &out->high);
    out->low *= 2 / all->time;
    out->high *= 2 / all->time;
  }
  estimate_doc(row, out);
  doc_string(row, "interval", "%s",
             near ? "near equilibrium: bound from the noncentral chi-square" : "jackknife over batches");
}

static ness_status plugin_doc(const analysis *all, const basis *cycles, const balance *test, doc_node *parent)
{
  const int32_t batches = all->sums->batches;
  plugin self = {.all = all};
  for (int32_t p = 0; all->loop && p < loops_parts(all->loop); p++) {
    self.edges = loops_states(all->loop, p) >= 0;
    if (!self.edges) break;
  }
  self.edges = self.edges && loops_edges(all->loop) > 0 && !all->moved; /* rates move: no edge has a ratio of its own */
  double *const forward = mem_zero((size_t)batches + 1, sizeof *forward);
  double *const backward = mem_zero((size_t)batches + 1, sizeof *backward);
  double *const without = mem_zero((size_t)batches + 1, sizeof *without);
  ness_status status = NESS_NOMEM;
  if (!forward || !backward || !without || !plugin_fill(&self, forward, backward)) goto out;
  status = NESS_OK;
  const double rank = self.edges ? (double)loops_rank(all->loop) : cycles->rank;
  const double raw = plugin_sum(&self, -1) / all->time;
#pragma omp parallel for num_threads(all->threads) default(none) shared(all, self, without) firstprivate(batches)
  for (int32_t b = 0; b < batches; b++) {
    const double t = all->sums->batch[(int64_t)b * all->plan->width + TALLY_TIME];
    without[b] = plugin_sum(&self, b) / (all->time - t);
  }
  double bias;
  estimate value = estimate_jackknife(
      all, raw, without, self.edges ? all->exact ? all->exact->entropy : (double)NAN : exact_steps(all), &bias);
  doc_node *const row = doc_object(parent, "plug_in");
  plugin_interval(&self, row, &value, raw, rank, test->tested && !test->rejected);
  doc_number(row, "raw", raw);
  number_or_null(row, "bias", bias);
  doc_number(row, "bias_at_equilibrium", 2 * rank / all->time);
  doc_int(row, "independent_cycles", (int64_t)rank);
  doc_int(row, "pairs", self.n);
  doc_int(row, "pairs_seen_one_way", self.one_sided);
  const bool bound = markov_fails(all) || (all->measured && (all->measured->hidden || all->measured->sampled));
  doc_string(row, "is", "%s", bound || !self.edges || self.one_sided > 0 ? "a lower bound" : "an estimate");
  doc_string(row, "method", "%s",
             all->moved   ? "counts of steps over the whole course, jackknife-corrected; a lower bound where rates move"
             : self.edges ? "counts on edges between states, jackknife-corrected"
                          : "counts of steps, jackknife-corrected; a lower bound where rates depend on the state");
  if (self.one_sided > 0) doc_string(row, "note", "pairs seen one way only count half an event the other way: a bound");
out:
  mem_free(forward);
  mem_free(backward);
  mem_free(without);
  mem_free(self.count);
  return status;
}

ness_status entropy_doc(const analysis *all, const basis *cycles, const balance *test, doc_node *root)
{
  const size_t batches = (size_t)all->sums->batches + 1, sources = (size_t)network_sources(all->net) + 2;
  double *const x = mem_zero(batches, sizeof *x), *const work = mem_zero(sources, sizeof *work);
  double *const by_source = mem_zero(sources * batches, sizeof *by_source);
  ness_status status = NESS_NOMEM;
  if (x && work && by_source) {
    doc_node *const section = doc_object(root, "entropy");
    if (!all->measured) thermodynamic(all, section, x, work, by_source);
    status = all->measured ? NESS_OK : adiabatic_doc(all, x, section);
    if (!status && all->flows) flowed_sheet(test, all, section);
    else if (!status) status = plugin_doc(all, cycles, test, section);
    if (!status) sequences_doc(all, section);
    if (!status && !all->moved && !all->flows) status = uncertainty_doc(all, section);
    fluctuation_doc(all, section);
  }
  mem_free(x);
  mem_free(work);
  mem_free(by_source);
  return status;
}
