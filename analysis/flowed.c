/* What an analysis says of a run where something flows or answers back, from the ledger and the real numbers of its
 * chunks.
 * Invariant: nothing here rests on rates that stand still, nor on whole counts. Medium entropy = works - change of
 * energy on every trajectory; counts have energies n g, and ln n! less of mixing, so that the medium's entropy less
 * the change of ln n! is what was produced, but for the spread between replicas. A run is at rest where no count, no
 * voltage and no stored energy is seen to change from its start to its end, or from one half to the other (Student's
 * law over batches, Bonferroni's correction). Who pays is told in payers.c. Cost: O(batches (slots + steps)). */
#include "analysis/payers.h"

#include <math.h>
#include <string.h>

#define FLOWED_GROUPS 6     /* batches at least whose halves are compared */
#define FLOWED_LEVEL 0.01   /* of the tests of rest */
#define FLOWED_APART 1e-3   /* of what goes through a count, of a mean, of a rate: less is no unrest, however sure */
#define FLOWED_RANGE 0.1    /* of a voltage's range, in the place of what goes through */
#define FLOWED_STILL 1e-6   /* of a count: less is no change, where no error tells */
#define FLOWED_NOTHING 1e-4 /* of all that is paid: what may be the motion's own error, where none tells */
#define FLOWED_LEAST 1e-9   /* what is no more than rounding, even where one does */
#define FLOWED_SHARE 0.01   /* of the largest payer, to be named beside it */
#define FLOWED_COIN 1e-3    /* p of a coin that is not fair */
#define FLOWED_PAYERS 3     /* named in the verdict */

bool flowed_unerring(const dump_run *run)
{
  return run->flows_beside && strcmp(run->method, "mean") == 0;
}

/* Equations and events of the file may count or keep time: what they change alone is no sign of rest or unrest. */
static bool plain(const ness_network *net, int32_t slot)
{
  const int32_t v = net->slot_var[slot];
  return v >= 0 && !(net->var_stiff[v] > 0);
}

static bool plain_step(const ness_network *net, int32_t step)
{
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++)
    if (!plain(net, net->change_slot[c])) return false;
  return net->change_start[step] < net->change_start[step + 1];
}

static const char *unit_of(const ness_network *net, int32_t slot)
{
  return net->slot_var[slot] < 0 ? "" : network_text(net, net->var_text[net->slot_var[slot]]);
}

/* An error that is more than rounding. */
static bool has_error(const estimate *self)
{
  return self->error > FLOWED_LEAST * fabs(self->value);
}

/* -1, 0, 1: whether a rate is told from 0, beside the sum of all works and of changes of energy. */
static int sign_of(const estimate *self, double scale)
{
  const bool told = self->error > FLOWED_LEAST * scale;
  if (!(fabs(self->value) > (told ? FLOWED_LEAST : FLOWED_NOTHING) * scale)) return 0;
  if (told && self->low <= 0 && self->high >= 0) return 0;
  return self->value > 0 ? 1 : -1;
}

/* --- sums --- */

/* Sums by batch of the rate under way; estimate_rate leaves them alone. */
static double *rate_batches(const analysis *all)
{
  return all->scratch + all->sums->batches;
}

/* The sign of a rate by Student's law, or since all but few of its batches have it: that a fair coin would not do. */
static int sign_told(const analysis *all, const estimate *rate, const double *x, double scale)
{
  const int sign = sign_of(rate, scale);
  double up = 0, down = 0;
  for (int32_t b = 0; b < all->sums->batches; b++) {
    up += x[b] > 0;
    down += x[b] < 0;
  }
  return sign || !has_error(rate) || holm_coin(up, down) > FLOWED_COIN ? sign : up > down ? 1 : -1;
}

/* Of events and flows both ways, 1/s, but for what equations and events of the file do to numbers of their own. */
static double traffic_of(const analysis *all)
{
  double sum = 0;
  for (int32_t s = 0; s < all->net->nstep; s++)
    if (!plain_step(all->net, s))
      sum += fabs(analysis_total(all, all->plan->fwd + s)) + fabs(analysis_total(all, all->plan->bwd + s));
  return sum / all->time;
}

/* Factors of the medium, of the change of energy, of that of ln n!, and of all works, in their sum. */
static estimate parts_rate(const analysis *all, double medium, double energy, double factorial, double works)
{
  const int32_t sources = network_sources(all->net);
  double *const x = rate_batches(all);
  for (int32_t b = 0; b < all->sums->batches; b++) {
    const double *const row = all->sums->batch + (int64_t)b * all->plan->width;
    const double *const ledger = row + all->plan->ledger;
    double work = ledger[DUMP_LEDGER_INPUT];
    for (int32_t w = 0; w < sources; w++) work += ledger[DUMP_LEDGER_HEAD + w];
    x[b] = medium * ledger[DUMP_LEDGER_MEDIUM] + energy * ledger[DUMP_LEDGER_ENERGY] +
           factorial * row[TALLY_FACTORIAL] + works * work;
  }
  return estimate_rate(all, x, (double)NAN);
}

static void rates_find(flowed *self, const analysis *all)
{
  self->medium = parts_rate(all, 1, 0, 0, 0);
  self->energy = parts_rate(all, 0, 1, 0, 0);
  self->mixing = parts_rate(all, 0, 0, -1, 0);
  self->works = parts_rate(all, 0, 0, 0, 1);
  self->produced = parts_rate(all, 1, 0, -1, 0);
  self->traffic = traffic_of(all);
}

/* --- whether it is at rest --- */

/* (nslot) what steps bring to a slot and take from it, 1/s: in a steady state as much as it loses. */
static void through_find(const analysis *all, double *through)
{
  const ness_network *const net = all->net;
  for (int32_t s = 0; s < net->nstep; s++) {
    const double rate = (analysis_total(all, all->plan->fwd + s) - analysis_total(all, all->plan->bwd + s)) / all->time;
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++)
      through[net->change_slot[c]] += fabs(net->change_by[c] * rate);
  }
}

/* p that a change by this rate is none, where it is more than a share of `size`. Without noise it is one then. */
static double change_p(const analysis *all, const estimate *rate, double size)
{
  if (!(fabs(rate->value) > FLOWED_APART * size)) return 1;
  return has_error(rate) ? moved_runs_p(all, rate) : 0;
}

/* Few replicas are cut into pieces of time: whether these differ alike in all of them, by two-way analysis of variance,
 * with a third of the degrees of freedom since pieces are neighbours. 1 where the dump does not tell. */
static double pieces_p(const analysis *all, int32_t at, int32_t minus)
{
  const tally_plan *const plan = all->plan;
  const int32_t replicas = (int32_t)all->run->replicas, pieces = plan->pieces;
  double sum = 0, of_pieces = 0, of_replicas = 0, square = 0;
  for (int32_t way = 0; way < 2; way++) {
    for (int32_t i = 0; i < (way ? replicas : pieces); i++) {
      double line = 0;
      for (int32_t j = 0; j < (way ? pieces : replicas); j++) {
        const double *const unit = all->sums->unit + (int64_t)(way ? i * pieces + j : j * pieces + i) * plan->width;
        if (!(unit[TALLY_TIME] > 0)) return 1;
        const double x = (unit[at] - (minus >= 0 ? unit[minus] : 0)) / unit[TALLY_TIME];
        line += x;
        if (way) square += x * x;
      }
      *(way ? &of_replicas : &of_pieces) += line * line / (way ? pieces : replicas);
      sum += way ? line : 0;
    }
  }
  const double middle = sum * sum / replicas / pieces, between = of_pieces - middle;
  const double rest = square - of_pieces - of_replicas + middle, freedom = pieces - 1.0;
  if (!(between > FLOWED_LEAST * square)) return 1;
  if (!(rest > FLOWED_LEAST * square)) return 0;
  return stat_f_tail(between * (replicas - 1) / rest, freedom / 3, freedom * (replicas - 1) / 3, 0);
}

/* The same of the second half beside the first. */
static double halves_p(const analysis *all, int32_t at, int32_t minus)
{
  double x[2] = {0, 0}, time[2] = {0, 0};
  for (int32_t b = 0; b < all->sums->batches; b++) {
    const double *const row = all->sums->batch + (int64_t)b * all->plan->width;
    const double *const early = all->sums->early + (int64_t)b * all->plan->width;
    const double whole = row[at] - (minus >= 0 ? row[minus] : 0), first = early[at] - (minus >= 0 ? early[minus] : 0);
    x[0] += first;
    x[1] += whole - first;
    time[0] += early[TALLY_TIME];
    time[1] += row[TALLY_TIME] - early[TALLY_TIME];
  }
  if (!(time[0] > 0 && time[1] > 0)) return 1;
  const double a = x[0] / time[0], b = x[1] / time[1];
  if (!(fabs(a - b) > FLOWED_APART * fmax(fabs(a), fabs(b)))) return 1;
  const double p = all->unerring ? 1 : drift_p(all, at, minus);
  return p < 1 ? p : 0; /* no noise to compare with */
}

static double course_p(const analysis *all, int32_t at, int32_t minus)
{
  return all->plan->by_time && all->run->replicas > 1 ? pieces_p(all, at, minus) : halves_p(all, at, minus);
}

typedef struct unrest { /* the surest of a kind */
  double p;
  int32_t id;
} unrest;

static void unrest_take(unrest *self, double p, int32_t id, int64_t *tests)
{
  ++*tests;
  if (p < self->p) *self = (unrest){p, id};
}

/* --- the judgement --- */

/* Of several kinds that are sure the one is told that says most: a voltage or a count that goes somewhere first. */
static void unrest_find(flowed *self, const analysis *all, const double *through)
{
  const ness_network *const net = all->net;
  const tally_plan *const plan = all->plan;
  const bool halves = all->sums->early && (all->sums->batches >= FLOWED_GROUPS || all->unerring);
  unrest found[] = {{1, -1}, {1, -1}, {1, -1}, {1, -1}, {1, -1}};
  int64_t tests = 0;
  for (int32_t i = 0; i < net->nslot; i++) {
    if (plain(net, i)) continue;
    const estimate change = estimate_column(all, plan->change + i, -1, (double)NAN);
    const bool charge = net->slot_var[i] >= 0;
    const double least = FLOWED_STILL * fmax(1, analysis_total(all, plan->dwell + i) / all->time) / FLOWED_APART;
    const double size = (charge ? FLOWED_RANGE * (double)net->slot_max[i] : least) / (plan->end - plan->start);
    unrest_take(&found[charge ? FLOWED_VOLTAGE : FLOWED_CHANGE],
                change_p(all, &change, charge ? size : fmax(size, through[i])), i, &tests);
    if (halves) unrest_take(&found[FLOWED_MEAN], course_p(all, plan->dwell + i, -1), i, &tests);
  }
  for (int32_t s = 0; halves && s < net->nstep; s++)
    if (!plain_step(net, s)) unrest_take(&found[FLOWED_RATE], course_p(all, plan->fwd + s, plan->bwd + s), s, &tests);
  unrest_take(&found[FLOWED_ENERGY], change_p(all, &self->energy, self->scale), -1, &tests);
  self->p = 1;
  self->rests = true;
  for (int k = FLOWED_ENERGY; k >= FLOWED_VOLTAGE; k--) {
    const double p = fmin(1, found[k].p * (double)tests);
    self->p = fmin(self->p, p);
    if (!(p < FLOWED_LEVEL)) continue;
    self->rests = false;
    self->kind = (flowed_kind)k;
    self->id = found[k].id;
  }
  if (*all->run->flows_beside) { /* by design, whatever is seen of it */
    self->rests = false;
    self->kind = FLOWED_DRIVEN;
  }
  const estimate produced = parts_rate(all, 1, 0, -1, 0);
  self->sign = sign_told(all, &produced, rate_batches(all), self->scale);
  if (self->rests && self->sign < 0) { /* heat is taken up for nothing: a spread that sets in */
    self->rests = false;
    self->kind = FLOWED_ENERGY;
  }
}

/* What goes to and from all that pay, kT/s; where all of them stand still, a little of the traffic. */
static bool scale_find(flowed *self, const analysis *all, const basis *cycles)
{
  self->paid = mem_zero(1, sizeof *self->paid);
  if (!self->paid || !payers_find(self->paid, all, cycles)) return false;
  for (int32_t g = 0; g < self->paid->groups; g++) self->scale += fabs(self->paid->rate[g].value);
  self->scale = fmax(self->scale, FLOWED_NOTHING * self->traffic);
  return true;
}

void flowed_free(flowed *self)
{
  if (self->paid) payers_free(self->paid);
  mem_free(self->paid);
  self->paid = NULL;
}

ness_status flowed_judge(flowed *self, const analysis *all, const basis *cycles)
{
  rates_find(self, all);
  double *const through = mem_zero((size_t)all->net->nslot + 1, sizeof *through);
  if (!through || !scale_find(self, all, cycles)) {
    mem_free(through);
    return NESS_NOMEM;
  }
  self->judged = analysis_dof(all) > 0 || all->unerring;
  through_find(all, through);
  if (self->judged) unrest_find(self, all, through);
  mem_free(through);
  if (!self->judged || self->rests || !all->plan->by_time || all->unerring) return NESS_OK;
  diag_add(all->diags, NESS_WARNING, "the run was not at rest, and its errors come from pieces of time that differ");
  diag_hint(all->diags, "with --replicas %d or more they come from replicas", ANALYSIS_REPLICAS);
  return NESS_OK;
}

/* --- the verdict --- */

static void add_number(const estimate *of, bool error, text_buffer *out)
{
  char a[32], b[32];
  number_short(of->value, 3, a);
  number_short(of->error, 2, b);
  if (error && has_error(of)) text_add(out, "%s ± %s", a, b);
  else text_add(out, "%s", a);
}

/* Those that pay, the largest first, down to a share of it. */
static void verdict_payers(const flowed *self, const analysis *all, bool fit, text_buffer *out)
{
  const payers *const of = self->paid;
  int32_t named = 0;
  double first = 0, last = (double)INFINITY;
  for (; named < FLOWED_PAYERS; named++) {
    int32_t best = -1;
    for (int32_t g = 0; g < of->groups; g++) {
      const estimate *const rate = &of->rate[g];
      const double *const x = of->gives + (int64_t)g * all->sums->batches;
      const double least = best >= 0 ? of->rate[best].value : FLOWED_SHARE * first;
      if (!(rate->value < last && rate->value > least)) continue;
      if (fit ? sign_told(all, rate, x, self->scale) > 0 : rate->value > FLOWED_NOTHING * self->scale) best = g;
    }
    if (best < 0) break;
    text_add(out, named ? ", " : " by ");
    payer_name(of, all, best, out);
    text_add(out, " (");
    add_number(&of->rate[best], fit, out);
    text_add(out, " kT/s)");
    last = of->rate[best].value;
    if (!named) first = last;
  }
  if (!named) text_add(out, " by no single source that is told from the others");
}

static void verdict_unrest(const flowed *self, const analysis *all, text_buffer *out)
{
  const ness_network *const net = all->net;
  char a[32], b[32];
  const double runs = analysis_total(all, all->plan->started);
  switch (self->kind) {
  case FLOWED_VOLTAGE:
  case FLOWED_CHANGE: {
    const double from = analysis_total(all, all->plan->begin + self->id) / runs;
    const double to = from + analysis_total(all, all->plan->change + self->id) / runs;
    number_short(network_shown(net, self->id, from), 4, a);
    number_short(network_shown(net, self->id, to), 4, b);
    text_add(out, "%s goes from %s to %s", network_text(net, net->slot_name[self->id]), a, b);
    if (*unit_of(net, self->id)) text_add(out, " %s", unit_of(net, self->id));
    return;
  }
  case FLOWED_MEAN:
    text_add(out, "the mean of %s changes in time", network_text(net, net->slot_name[self->id]));
    return;
  case FLOWED_RATE:
    text_add(out, "the rate of %s changes in time", network_text(net, net->step_name[self->id]));
    return;
  default: text_add(out, "the energy that is stored changes");
  }
}

static void verdict_unsteady(const flowed *self, const analysis *all, text_buffer *out)
{
  const bool fit = !all->plan->by_time; /* errors from pieces of time that differ are none */
  const bool stored =
      fit ? sign_of(&self->works, self->scale) == 0 : fabs(self->works.value) <= FLOWED_NOTHING * self->scale;
  if (self->kind == FLOWED_DRIVEN) {
    text_add(out, "driven in time by %s: ", all->run->flows_beside);
  } else {
    text_add(out, stored ? "relaxing: " : "not at rest: ");
    verdict_unrest(self, all, out);
    text_add(out, "; ");
  }
  add_number(&self->produced, fit, out);
  text_add(out, " k_B/s are produced, %s", stored ? "out of what was stored, for no source does work: paid" : "paid");
  verdict_payers(self, all, fit, out);
}

/* A production that would have been found with a power of 80 %. */
static double seen_at_least(const flowed *self, const analysis *all)
{
  const double dof = analysis_dof(all);
  return (stat_student_quantile(0.5 + 0.5 * all->level, dof) + stat_student_quantile(0.8, dof)) * self->produced.error;
}

/* Less than one k_B for each of all that goes to and fro would not be seen. */
static bool flowed_blind(const flowed *self, const analysis *all)
{
  return has_error(&self->produced) && seen_at_least(self, all) > self->traffic;
}

static void verdict_rest(const flowed *self, const analysis *all, text_buffer *out)
{
  char a[32];
  if (!has_error(&self->produced)) {
    text_add(out, "at rest: consistent with equilibrium (no entropy is produced)");
    return;
  }
  number_short(seen_at_least(self, all), 2, a);
  if (flowed_blind(self, all))
    text_add(out,
             "not enough data (an entropy production below %s k_B/s, more than one k_B for each of all that went to "
             "and fro, would not have been seen)",
             a);
  else
    text_add(out, "at rest: consistent with equilibrium (an entropy production above %s k_B/s would have been seen)",
             a);
}

static bool flowed_driven(const flowed *self)
{
  return self->judged && self->rests && self->sign > 0;
}

const char *flowed_outcome(const flowed *self, const analysis *all)
{
  return !self->judged                 ? "not enough data"
         : self->rests                 ? flowed_driven(self)       ? "driven"
                                         : flowed_blind(self, all) ? "not enough data"
                                                                   : "consistent with equilibrium"
         : self->kind == FLOWED_DRIVEN ? "driven in time"
                                       : "not at rest";
}

/* What had no way back is not in any number of this. */
static void verdict_finite(const flowed *self, const analysis *all, text_buffer *out)
{
  if (!self->judged) {
    text_add(out, "not enough data (no error is known of fewer than four batches, by replicas or by time: ");
    add_number(&self->produced, false, out);
    text_add(out, " k_B/s were produced)");
  } else if (!self->rests) {
    verdict_unsteady(self, all, out);
  } else if (flowed_driven(self)) {
    text_add(out, "driven");
    verdict_payers(self, all, true, out);
    text_add(out, ": ");
    add_number(&self->produced, true, out);
    text_add(out, " k_B/s are produced");
  } else {
    verdict_rest(self, all, out);
  }
}

void flowed_verdict(const balance *test, const analysis *all, text_buffer *out)
{
  const ness_network *const net = all->net;
  const int32_t s = test->one_way;
  if (s >= 0) {
    const bool never = net->dir_law[2 * s] == LAW_NONE || net->dir_law[2 * s + 1] == LAW_NONE;
    text_add(out, "driven, by step %s, which %s: its entropy production is infinite; without it: ",
             network_text(net, net->step_name[s]), never ? "has no way back" : "ran while its way back had no rate");
  }
  verdict_finite(&test->flow, all, out);
}

/* --- chapters --- */

/* What flows, what answers back, and where it went from and to. */
void flowed_doc(const balance *test, const analysis *all, doc_node *root)
{
  const ness_network *const net = all->net;
  const tally_plan *const plan = all->plan;
  const double runs = analysis_total(all, plan->started), length = plan->end - plan->start;
  doc_node *const row = doc_object(root, "flow");
  doc_string(row, "method", "%s", all->run->method);
  doc_node *const names = doc_array(row, "steps_that_flow");
  for (int32_t s = 0; s < net->nstep; s++)
    if (strcmp(all->run->method, "hybrid") != 0 || net->step_flow[s] != FLOW_NONE)
      doc_string(names, NULL, "%s", network_text(net, net->step_name[s]));
  if (*all->run->flows_beside) doc_string(row, "inputs_beside", "%s", all->run->flows_beside);
  doc_string(row, "rates_are", "%s",
             "events, or the integral of the rate where a step flows, over the counted time; those of its mean by "
             "methods mean and langevin");
  number_or_null(row, "unrest_p", test->flow.judged ? test->flow.p : (double)NAN);
  doc_string(row, "means_are", "%s",
             !test->flow.judged                 ? "over the counted time; whether the run was at rest is not known"
             : test->flow.rests                 ? "of the steady state"
             : test->flow.kind == FLOWED_DRIVEN ? "over the course that was counted, which inputs move"
                                                : "over the course that was counted: the run was not at rest");
  doc_node *const list = doc_array(row, "course");
  for (int32_t i = 0; i < net->nslot; i++) {
    const double from = analysis_total(all, plan->begin + i) / runs;
    const estimate rate = estimate_column(all, plan->change + i, -1, (double)NAN);
    const double change = analysis_total(all, plan->change + i) / runs;
    doc_node *const line = doc_object(list, NULL);
    doc_string(line, "of", "%s", network_text(net, net->slot_name[i]));
    if (*unit_of(net, i)) doc_string(line, "unit", "%s", unit_of(net, i));
    number_or_null(line, "from", network_shown(net, i, from));
    number_or_null(line, "to", network_shown(net, i, from + change));
    number_or_null(line, "change", network_shown_by(net, i, change));
    number_or_null(line, "error", network_shown_by(net, i, rate.error * length));
  }
}

void flowed_mean(const analysis *all, int32_t slot, doc_node *row)
{
  const ness_network *const net = all->net;
  const estimate mean = estimate_column(all, all->plan->dwell + slot, -1, (double)NAN);
  const estimate shown = {.value = network_shown(net, slot, mean.value),
                          .error = fabs(network_shown_by(net, slot, mean.error)),
                          .low = network_shown(net, slot, mean.low),
                          .high = network_shown(net, slot, mean.high),
                          .exact = (double)NAN};
  if (*unit_of(net, slot)) doc_string(row, "unit", "%s", unit_of(net, slot));
  estimate_doc(row, &shown);
}

static void sheet_row(doc_node *list, const char *what, const estimate *of)
{
  doc_node *const row = doc_object(list, NULL);
  doc_string(row, "part", "%s", what);
  estimate_doc(row, of);
}

void flowed_sheet(const balance *test, const analysis *all, doc_node *parent)
{
  const flowed *const self = &test->flow;
  estimate_doc(doc_object(parent, "produced"), &self->produced);
  doc_node *const list = doc_array(parent, "sheet");
  text_buffer name = {0};
  sheet_row(list, "works of all sources, kT/s", &self->works);
  sheet_row(list, "change of stored energy, kT/s", &self->energy);
  sheet_row(list, "to the medium, k_B/s", &self->medium);
  sheet_row(list, "mixing of counts, k_B/s", &self->mixing);
  sheet_row(list, "produced: medium and mixing, k_B/s", &self->produced);
  doc_string(parent, "sheet_is",
             "medium = works - change of stored energy%s; where matter piles up, either depends on the "
             "standard state, and what is produced does not",
             test->one_way >= 0 ? ", all without what had no way back" : "");
  doc_node *const paid = doc_array(parent, "paid_by");
  for (int32_t g = 0; g < self->paid->groups; g++) {
    const estimate *const rate = &self->paid->rate[g];
    if (!(fabs(rate->value) > FLOWED_LEAST * self->scale)) continue;
    doc_node *const row = doc_object(paid, NULL);
    payer_name(self->paid, all, g, &name);
    doc_string(row, "payer", "%s", name.data ? name.data : "");
    estimate_doc(row, rate);
    text_clear(&name);
  }
}

static void left_out(doc_node *list, const char *chapter, const char *why)
{
  doc_node *const row = doc_object(list, NULL);
  doc_string(row, "chapter", "%s", chapter);
  doc_string(row, "why", "%s", why);
}

void flowed_left_out(const balance *test, const analysis *all, doc_node *root)
{
  doc_node *const list = doc_array(root, "left_out");
  left_out(list, "exact values", "there is no master equation to solve where rates answer back to what flows");
  left_out(list, "test of detailed balance, affinities from counts",
           "counts and dwell times give rates that stand still, and these follow what flows");
  left_out(list, "tests of memory, visits, cycles by loop erasure",
           "rows at grid times do not tell the order of events");
  left_out(list, "plug-in entropy, bounds from uncertainty, sequences and hidden transitions",
           "what flows has no events to count; the ledger tells the entropy itself");
  left_out(list, "split of the entropy production, which flows drive which",
           "they ask for the steady state of the master equation");
  if (all->unerring) {
    left_out(list, "errors, noise, power spectra", "the method mean draws nothing, and no sampling error is in it");
  } else if (flowed_unsteady(test)) {
    left_out(list, "power spectra", "the run was not at rest, and its course would stand in them");
    left_out(list, "cycles", "currents run round in a steady state alone");
  }
}

bool flowed_unsteady(const balance *test)
{
  return test->flow.judged && !test->flow.rests;
}
