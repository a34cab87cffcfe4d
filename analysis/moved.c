/* What an analysis says of a run under an input that moves continuously, beside what it says of every run.
 * Invariant: nothing here rests on rates that stand still. Entropy and works are what the run itself kept event by
 * event (the ledger of its chunks); there is no test of detailed balance, for the input is a drive by itself: what is
 * tested is whether anything flows round on average (Student's law over batches, Holm's correction). A prescribed
 * input is known at any time from the model in the dump, a drawn one is not. Cost: O(batches). */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

bool moved_drawn(const dump_run *run)
{
  return run->input && (strcmp(run->input_kind, "ou") == 0 || strcmp(run->input_kind, "shot") == 0);
}

/* Some of several is. */
static bool moved_partly_drawn(const dump_run *run)
{
  return strstr(run->input_kind, "ou") || strstr(run->input_kind, "shot");
}

bool moved_several(const dump_run *run)
{
  return run->input && strchr(run->input, ',');
}

void moved_exact_free(moved_exact *self)
{
  mem_free(self->lnk);
  mem_free(self->at);
  mem_free(self->spread);
  mem_free(self->flow);
  if (self->solved) cme_solution_free(&self->mean);
  memset(self, 0, sizeof *self);
}

double moved_affinity(const analysis *all, int32_t n, const int32_t *steps, const double *by)
{
  double first = (double)NAN, size = 0;
  for (int32_t p = 0; all->moved->lnk && p < MOVED_PLACES; p++) {
    const double *const lnk = all->moved->lnk + (int64_t)p * all->net->nstep;
    double sum = 0;
    for (int32_t k = 0; k < n; k++) {
      sum += by[k] * lnk[steps[k]];
      size = fmax(size, fabs(by[k] * lnk[steps[k]]));
    }
    if (p == 0) first = sum;
    else if (!(fabs(sum - first) <= 1e-9 * size)) return (double)NAN;
  }
  return fabs(first) <= 1e-9 * size ? 0 : first;
}

double moved_runs_p(const analysis *all, const estimate *rate)
{
  const double dof = analysis_dof(all);
  return dof > 0 && rate->error > 0 ? fmin(1, 2 * stat_student_tail(fabs(rate->value) / rate->error, dof))
                                    : (double)NAN;
}

void moved_balance(balance *self, const analysis *all, const basis *cycles)
{
  self->why = all->moved->still
                  ? "the input moved no rate: without its process in the model, detailed balance is tested"
                  : "rates moved with the input, and detailed balance is a matter of rates that stand still";
  for (int32_t c = 0; c < cycles->count; c++) {
    const estimate rate = estimate_rate(all, cycles->current + (int64_t)c * all->sums->batches, (double)NAN);
    self->affinity[c] = estimate_normal(all, (double)NAN, (double)NAN, (double)NAN);
    self->single_p[c] = moved_runs_p(all, &rate);
  }
}

/* The cycle that is surest to run on average, with its p after Holm's correction; -1: none was ever run. */
static int32_t surest(const balance *self, const basis *cycles, double *p)
{
  double *const holm = mem_zero((size_t)cycles->count + 1, sizeof *holm);
  int32_t best = -1;
  *p = (double)NAN;
  if (holm && holm_adjust(self->single_p, cycles->count, holm)) {
    for (int32_t c = 0; c < cycles->count; c++) {
      if (isnan(self->single_p[c]) || (best >= 0 && !(self->single_p[c] < self->single_p[best]))) continue;
      best = c;
      *p = holm[c];
    }
  }
  mem_free(holm);
  return best;
}

static estimate ledger_rate(const analysis *all, int32_t at)
{
  return estimate_column(all, all->plan->ledger + at, -1, (double)NAN);
}

/* "0.306 ± 0.002"; without an error where there are too few batches. */
static void add_number(const estimate *of, text_buffer *out)
{
  char a[32], b[32];
  number_short(of->value, 3, a);
  number_short(of->error, 2, b);
  if (of->error >= 0) text_add(out, "%s ± %s", a, b);
  else text_add(out, "%s", a);
}

void moved_verdict(const balance *self, const analysis *all, const basis *cycles, text_buffer *out)
{
  const estimate medium = ledger_rate(all, DUMP_LEDGER_MEDIUM), work = ledger_rate(all, DUMP_LEDGER_INPUT);
  double p;
  const int32_t c = surest(self, cycles, &p);
  text_add(out, all->moved->still ? "not driven in time, for no rate moves with %s (%s)" : "driven in time by %s (%s)",
           all->run->input, all->run->input_kind);
  if (self->one_way >= 0) {
    text_add(out, ", and by step %s, which has no way back: its entropy production is infinite",
             network_text(all->net, all->net->step_name[self->one_way]));
  } else {
    text_add(out, ": ");
    add_number(&medium, out);
    text_add(out, " k_B/s go to the medium");
    if (!moved_several(all->run) || work.value != 0) {
      text_add(out, ", %s %s ", all->run->input, moved_several(all->run) ? "do" : "does");
      add_number(&work, out);
      text_add(out, " kT/s of work");
    }
    if (medium.error >= 0 && medium.low <= 0 && medium.high >= 0)
      text_add(out, "; no entropy production was seen by these data");
  }
  if (c >= 0 && p < 1 - all->level) {
    const estimate rate = estimate_rate(all, cycles->current + (int64_t)c * all->sums->batches, (double)NAN);
    char b[32];
    number_short(p, 2, b);
    text_add(out, "; on average cycle %s runs ", cycles->name[c]);
    add_number(&rate, out);
    text_add(out, " /s (p = %s)", b);
  } else if (c >= 0) {
    text_add(out, "; no cycle was seen to run on average");
  }
  if (self->drift) text_add(out, "; the run has not settled");
}

/* --- chapters --- */

void moved_doc(const analysis *all, doc_node *root)
{
  const dump_run *const run = all->run;
  if (!run->input) return;
  doc_node *const row = doc_object(root, "input");
  doc_string(row, "name", "%s", run->input);
  doc_string(row, "kind", "%s", run->input_kind);
  if (run->input_period > 0) {
    doc_number(row, "period", run->input_period);
    doc_number(row, "periods_counted", (run->time - run->warmup) / run->input_period);
  }
  doc_string(
      row, "path", "%s",
      moved_partly_drawn(run)
          ? "drawn: it is not in the dump, so no rate of an event is known, and nothing at a value of the input; "
            "entropy and works are what the run kept event by event"
          : "prescribed: the model in the dump gives it at any time");
  if (moved_several(run))
    doc_string(row, "work", "that of all inputs in one; what they do to rates that are plain numbers is undeclared");
  if (!moved_drawn(run) && !(run->input_period > 0))
    doc_string(row, "means_are", "%s",
               "over the counted course: nothing comes back, and there is no rest to compare with");
}

/* How much what flowed in a whole replica differs between replicas under the same course: noise by itself. Where
 * something flows there is no other. */
void moved_noise(const analysis *all, doc_node *root)
{
  const ness_network *const net = all->net;
  const tally_plan *const plan = all->plan;
  const int32_t n = all->sums->batches;
  doc_node *const chapter = doc_object(root, "noise");
  if (plan->by_time || n < 8) {
    doc_string(chapter, "available", "no: %s it is told from replicas, and takes %d of them",
               all->flows ? "where something flows" : "under a prescribed input", ANALYSIS_REPLICAS);
    return;
  }
  const double tail = 0.5 * (1 - all->level), dof = n - 1;
  doc_string(chapter, "available", "for whole replicas");
  doc_number(chapter, "window", plan->end - plan->start);
  doc_string(chapter, "method",
             all->flows ? "variance of net counts and flows between batches of replicas, over time; interval by "
                          "chi-square"
                        : "variance of net counts between batches of replicas, which share the course of the "
                          "input, over time; interval by chi-square");
  doc_node *const list = doc_array(chapter, "currents");
  for (int32_t s = 0; s < net->nstep; s++) {
    const estimate net_rate = estimate_column(all, plan->fwd + s, plan->bwd + s, (double)NAN);
    const double rate = net_rate.error * net_rate.error * all->time;
    if (!(rate > 0)) continue;
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "current", "%s", network_text(net, net->step_name[s]));
    doc_number(row, "variance_rate", rate);
    doc_number(row, "low", rate / stat_f_critical(tail, dof, INFINITY));
    doc_number(row, "high", rate / stat_f_critical(1 - tail, dof, INFINITY));
    number_or_null(row, "fano", net_rate.value != 0 ? rate / fabs(net_rate.value) : (double)NAN);
  }
}

static void left_out(doc_node *list, const char *chapter, const char *why)
{
  doc_node *const row = doc_object(list, NULL);
  doc_string(row, "chapter", "%s", chapter);
  doc_string(row, "why", "%s", why);
}

void moved_left_out(const analysis *all, doc_node *root)
{
  doc_node *const list = doc_array(root, "left_out");
  left_out(list, "test of detailed balance", "it asks for rates that stand still, and the input is a drive by itself");
  left_out(list, "affinities from counts", "counts and dwell times give rates that stand still, and these move");
  left_out(list, "tests of memory, visits",
           "what comes next depends on the time as well, so they would fail by design");
  left_out(list, "bounds from uncertainty, sequences and hidden transitions",
           "they hold for steady states; the ledger tells the entropy itself");
  if (moved_drawn(all->run)) return;
  left_out(list, "power spectra, noise by window",
           "lines of the input would stand in them; phases tell the course, `noise` what differs between replicas");
  left_out(list, "test of drift", "a course that moves is no drift, and halves need not be whole periods");
}
