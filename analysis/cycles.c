/* The cycles of the result: a basis from the net events of steps, and the completions that loop erasure counted.
 * A loop-erased cycle is forward in the sense of its lowest step; J+ and J- are completions per time, and in a steady
 * state ln(J+/J-) is its affinity, by whatever path of states it ran. Each cycle is tested by itself as well, with
 * Holm's correction over those of the basis and over those that are listed of the others. Cost: batches * cycles. */
#include "analysis/analysis.h"

#include <math.h>

#define COIN_FEW 10000 /* turns either way, from which on the law of a coin is normal */

/* What a cycle's own test says, after Holm's correction for all of its kind. */
static void single_doc(const analysis *all, doc_node *row, double p, double holm, double more)
{
  number_or_null(row, "p", p);
  number_or_null(row, "p_holm", holm);
  if (isnan(p)) doc_null(row, "significant");
  else doc_bool(row, "significant", holm < 1 - all->level);
  number_or_null(row, "more_data", holm < 1 - all->level ? (double)NAN : more);
}

static int64_t tested(const double *p, int64_t n)
{
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) count += !isnan(p[i]);
  return count;
}

static void basis_doc(const analysis *all, const basis *cycles, const balance *test, const double *holm, doc_node *list)
{
  const double needed = holm_needed(1 - all->level, tested(test->single_p, cycles->count));
  for (int32_t c = 0; c < cycles->count && c < all->max_cycles; c++) {
    doc_node *const row = doc_object(list, NULL);
    const double exact = all->exact ? basis_apply(cycles, all->net, c, all->exact->net_rate) : (double)NAN;
    const estimate rate = estimate_rate(all, cycles->current + (int64_t)c * all->sums->batches, exact);
    doc_string(row, "cycle", "%s", cycles->name[c]);
    doc_string(row, "kind", "%s", cycles->declared[c] >= 0 ? "declared" : "basis");
    estimate_doc(row, &rate);
    number_or_null(row, "affinity_model", cycles->affinity[c]);
    number_or_null(row, "affinity_data", test->affinity[c].value);
    number_or_null(row, "affinity_error", test->affinity[c].error);
    number_or_null(row, "affinity_seen", test->seen[c]);
    single_doc(all, row, test->single_p[c], holm[c], holm_more_data(test->single_error[c], TEST_STATED, needed));
  }
}

static void loop_name(const analysis *all, const loop_cycle *cycle, doc_node *row)
{
  text_buffer text = {0};
  const ness_network *net = all->net;
  for (int32_t k = 0; k < cycle->length && k < 12; k++) {
    const int32_t dir = cycle->dir[k];
    text_add(&text, "%s%s",
             k         ? dir % 2 ? " - " : " + "
             : dir % 2 ? "-"
                       : "",
             network_text(net, net->step_name[dir / 2]));
  }
  if (cycle->length > 12) text_add(&text, " ... (%d jumps)", cycle->length);
  doc_string(row, "cycle", "%s", text.data ? text.data : "");
  text_clear(&text);
}

/* Affinity of the steps in their directions; NaN where rates are formulas. */
static double loop_affinity(const ness_network *net, const loop_cycle *cycle)
{
  double sum = 0, size = 0;
  for (int32_t k = 0; k < cycle->length; k++) {
    const double term = (cycle->dir[k] % 2 ? -1 : 1) * net->step_lnk[cycle->dir[k] / 2];
    sum += term;
    size += fabs(term);
  }
  return fabs(sum) < 1e-14 * size ? 0 : sum;
}

/* ln(J+/J-) and its error. Turns are coins (holm.c) where the model is known and its rates stand; elsewhere the error
 * is the larger of the jackknife over batches and of the Poisson law. */
static estimate log_ratio(const analysis *all, const double *up, const double *down, double *without)
{
  const int32_t n = all->sums->batches;
  double plus = 0, minus = 0, least = INFINITY, bias;
  for (int32_t b = 0; b < n; b++) {
    plus += up[all->sums->index[b]];
    minus += down[all->sums->index[b]];
  }
  if (!(plus > 0) || !(minus > 0)) {
    const double value = plus > 0 ? INFINITY : minus > 0 ? -INFINITY : (double)NAN;
    const double bound = log(fmax(plus, minus) / -log(1 - all->level)); /* none of n: fewer than ln(1/(1 - level)) */
    return (estimate){value, (double)NAN, plus > 0 ? bound : value, plus > 0 ? value : -bound, (double)NAN};
  }
  for (int32_t b = 0; b < n; b++) {
    const double p = plus - up[all->sums->index[b]], m = minus - down[all->sums->index[b]];
    least = fmin(least, fmin(p, m));
    without[b] = log(p / m);
  }
  const double value = log(plus / minus), poisson = sqrt(1 / plus + 1 / minus);
  estimate out = estimate_normal(all, value, poisson, (double)NAN);
  if (!all->measured && !all->moved) {
    if (fmin(plus, minus) < COIN_FEW) stat_coin_range(plus, minus, all->level, &out.low, &out.high);
    return out;
  }
  if (least > 0.5 * fmin(plus, minus) && n >= 4) {
    const estimate jack = estimate_jackknife(all, value, without, (double)NAN, &bias);
    if (jack.error > poisson) {
      out.error = jack.error;
      out.low = value - (jack.high - jack.value);
      out.high = value + (jack.high - jack.value);
    }
  }
  return out;
}

static double loop_completions(const analysis *all, const loop_cycle *cycle)
{
  double sum = 0;
  for (int32_t b = 0; b < all->sums->batches; b++)
    sum += cycle->forward[all->sums->index[b]] + cycle->backward[all->sums->index[b]];
  return sum;
}

/* Directions of all listed cycles as coins, and Holm's correction over them. Where rates move, turns are no coins, and
 * batches have to tell. */
static bool loops_test(const analysis *all, int64_t n, double *scratch, double *p, double *holm)
{
  for (int64_t k = 0; k < n; k++) {
    const loop_cycle cycle = loops_cycle(all->loop, k);
    double up = 0, down = 0;
    for (int32_t b = 0; b < all->sums->batches; b++) {
      up += cycle.forward[all->sums->index[b]];
      down += cycle.backward[all->sums->index[b]];
      scratch[b] = cycle.forward[all->sums->index[b]] - cycle.backward[all->sums->index[b]];
    }
    const estimate rate = estimate_rate(all, scratch, (double)NAN);
    p[k] = all->moved ? moved_runs_p(all, &rate) : holm_coin(up, down);
  }
  return holm_adjust(p, n, holm);
}

static doc_node *loop_row(const analysis *all, const loop_cycle *cycle, doc_node *list, double *scratch)
{
  const int32_t n = all->sums->batches;
  double *const x = scratch, *const up = scratch + n, *const down = scratch + 2 * (int64_t)n;
  for (int32_t b = 0; b < n; b++) {
    up[b] = cycle->forward[all->sums->index[b]];
    down[b] = cycle->backward[all->sums->index[b]];
    x[b] = up[b] - down[b];
  }
  doc_node *const row = doc_object(list, NULL);
  loop_name(all, cycle, row);
  doc_string(row, "kind", "loop-erased");
  const estimate rate = estimate_rate(all, x, cycle->exact_forward - cycle->exact_backward);
  const estimate plus = estimate_rate(all, up, cycle->exact_forward);
  const estimate minus = estimate_rate(all, down, cycle->exact_backward);
  estimate ratio = log_ratio(all, cycle->forward, cycle->backward, x);
  ratio.exact = all->measured || all->moved ? (double)NAN : loop_affinity(all->net, cycle);
  estimate_doc(row, &rate);
  doc_int(row, "completions", (int64_t)loop_completions(all, cycle));
  doc_int(row, "paths", cycle->paths);
  estimate_put(row, "forward", &plus);
  estimate_put(row, "backward", &minus);
  estimate_put(row, "log_ratio", &ratio);
  number_or_null(row, "log_ratio_low", ratio.low);
  number_or_null(row, "log_ratio_high", ratio.high);
  return row;
}

/* Near equilibrium the error of ln(J+/J-) after n completions is 2 / sqrt(n). */
static ness_status loops_doc(const analysis *all, doc_node *list, double *scratch)
{
  const int64_t known = all->loop ? loops_cycles(all->loop) : 0, n = known < all->max_cycles ? known : all->max_cycles;
  double *const p = mem_zero((size_t)n + 1, sizeof *p), *const holm = mem_zero((size_t)n + 1, sizeof *holm);
  const bool good = p && holm && loops_test(all, n, scratch, p, holm);
  const double needed = holm_needed(1 - all->level, good ? tested(p, n) : 0);
  for (int64_t k = 0; good && k < n; k++) {
    const loop_cycle cycle = loops_cycle(all->loop, k);
    doc_node *const row = loop_row(all, &cycle, list, scratch);
    const double error = all->moved ? (double)NAN : 2 / sqrt(loop_completions(all, &cycle));
    single_doc(all, row, p[k], holm[k], holm_more_data(error, TEST_STATED, needed));
  }
  mem_free(p);
  mem_free(holm);
  return good ? NESS_OK : NESS_NOMEM;
}

static void loops_about(const analysis *all, doc_node *root)
{
  doc_node *const about = doc_object(root, "loop_erasure");
  if (!all->loop) {
    doc_string(about, "available", "no: only a dump of level events tells the order of events");
    return;
  }
  const int32_t parts = loops_parts(all->loop);
  int32_t given_up = 0;
  bool joint = false;
  const char *reason = NULL;
  int64_t states = 0;
  for (int32_t p = 0; p < parts; p++) {
    const int64_t n = loops_states(all->loop, p);
    given_up += n < 0;
    states += n > 0 ? n : 0;
    joint |= n >= 0 && loops_joint(all->loop, p);
    if (n < 0 && !reason) reason = loops_reason(all->loop, p);
  }
  doc_string(about, "available", "%s",
             parts == 0          ? "no: the network falls into too many independent parts"
             : given_up == 0     ? "yes"
             : given_up == parts ? "no"
                                 : "for some parts");
  if (reason) doc_string(about, "why", "%s: at most %d states of a part are followed", reason, LOOP_STATES);
  doc_int(about, "states", states);
  doc_int(about, "cycles", loops_cycles(all->loop));
  doc_number(about, "completions_unlisted", loops_unlisted(all->loop));
  if (joint)
    doc_string(
        about, "note",
        "several copies move together: cycles are those of the joint state, and J+ and J- are not those of one copy; "
        "J+ - J- and ln(J+/J-) keep their meaning");
}

ness_status cycles_doc(const analysis *all, const basis *cycles, const balance *test, doc_node *root)
{
  doc_node *const list = doc_array(root, "cycles");
  double *const scratch = mem_zero(3 * (size_t)all->sums->batches + 1, sizeof *scratch);
  double *const holm = mem_zero((size_t)cycles->count + 1, sizeof *holm);
  ness_status status = NESS_NOMEM;
  if (scratch && holm && holm_adjust(test->single_p, cycles->count, holm)) {
    basis_doc(all, cycles, test, holm, list);
    status = loops_doc(all, list, scratch);
  }
  mem_free(scratch);
  mem_free(holm);
  if (status) return status;
  doc_node *const about = doc_object(root, "cycle_basis");
  doc_int(about, "independent", cycles->rank);
  doc_int(about, "listed", cycles->count < all->max_cycles ? cycles->count : all->max_cycles);
  if (cycles->skipped) doc_string(about, "note", "the network is too large to look for its cycles");
  loops_about(all, root);
  return NESS_OK;
}
