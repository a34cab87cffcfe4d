/* ness check: the front door. Can detailed balance hold; which cycles break it, by how much; what drives them; what it
 * costs; what to look at next. The verdict rests on affinities from the file alone; the steady state is solved for the
 * cost when it can be. Rates that are expressions have no constant ratio: their cycles are judged on the graph of
 * states, where that can be listed. */
#include "networks/experiment/experiment.h"
#include "networks/lang/compile.h"
#include "networks/thermo/thermo.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_ROWS 20

typedef struct check_state_cycles { /* from the graph of states, when a rate is an expression */
  bool done;
  double worst_affinity, worst_undeclared;
  char *undeclared_at; /* a step on the worst cycle */
} check_state_cycles;

static void check_cycle_text(const ness_network *net, const stoich_basis *b, int32_t c, int sign, text_buffer *out)
{
  const int32_t first = b->start[c], n = b->start[c + 1] - first;
  for (int32_t i = 0; i < n && i < 12; i++) {
    const int64_t by = sign * b->by[first + i], size = by < 0 ? -by : by;
    text_add(out, "%s", by < 0 ? (i ? " - " : "-") : (i ? " + " : ""));
    if (size != 1) text_add(out, "%lld ", (long long)size);
    text_add(out, "%s", network_text(net, net->step_name[b->id[first + i]]));
  }
  if (n > 12) text_add(out, " ... (%d steps)", n);
}

/* Length of the part of a reservoir's name that says what it is: "Na" of "Na.out"; 0 for a bath, which has no place. */
static size_t check_substance(const char *name)
{
  const char *const dot = strchr(name, '.');
  return dot ? (size_t)(dot - name) : 0;
}

static void check_driver(text_buffer *out, double work, const char *kind, int length, const char *name)
{
  char number[32];
  if (fabs(work) < 1e-12) return;
  number_short(work, 5, number);
  if (out->length) text_put(out, ", ", 2);
  text_add(out, "%s%.*s %s", kind, length, name, number);
}

/* What does work around a cycle: "Na 5.2781, voltage of in 4.6706". One reservoir's potential has no meaning by itself,
 * so a substance is summed over its places, and baths together. */
static void check_drivers(const ness_network *net, const thermo_report *r, int32_t c, int sign, text_buffer *out)
{
  text_buffer baths = {0};
  double bath_work = 0;
  for (int32_t s = 0; s < net->nres; s++) {
    const char *const name = network_source_name(net, s);
    const size_t length = check_substance(name);
    double work = sign * thermo_cycle_work(net, r, c, s);
    if (length == 0) {
      if (work != 0) text_add(&baths, baths.length ? " + %s" : "%s", name);
      bath_work += work;
      continue;
    }
    bool first = true;
    for (int32_t k = 0; k < net->nres; k++) {
      const char *const other = network_source_name(net, k);
      if (k == s || check_substance(other) != length || memcmp(name, other, length) != 0) continue;
      first = first && k > s;
      work += sign * thermo_cycle_work(net, r, c, k);
    }
    if (first) check_driver(out, work, "", (int)length, name);
  }
  check_driver(out, bath_work, "", baths.data ? (int)baths.length : 0, baths.data ? baths.data : "");
  text_clear(&baths);
  for (int32_t v = 0; v < net->nvolt; v++)
    check_driver(out, sign * thermo_cycle_work(net, r, c, net->nres + v), "voltage of ", 200,
                 network_source_name(net, net->nres + v));
  for (int32_t h = 0; h < net->nheat; h++)
    check_driver(out, sign * thermo_cycle_work(net, r, c, net->nres + net->nvolt + h), "", 200,
                 network_source_name(net, net->nres + net->nvolt + h));
  for (int32_t p = net->nres + net->nvolt + net->nheat; p < network_sources(net) - 1; p++)
    check_driver(out, sign * thermo_cycle_work(net, r, c, p), "process ", 200, network_source_name(net, p));
}

/* +1 or -1: a declared cycle is shown the way it was declared. */
static int check_sign(const thermo_cycle *t)
{
  return t->declared >= 0 && t->flipped ? -1 : 1;
}

static void check_cycle_name(const ness_network *net, const thermo_report *r, int32_t c, text_buffer *out)
{
  if (r->cycle[c].declared >= 0) text_add(out, "%s", network_text(net, net->cycle_name[r->cycle[c].declared]));
  else text_add(out, "cycle %d", c + 1);
}

/* --- the graph of states --- */

/* A spanning forest of each part's edges carries ln ratio and declared work; every other edge closes a cycle. */
typedef struct check_walk { /* potentials of the states along a tree of transitions */
  double *total, *rest;     /* (n) entropy on the way from the root, and what of it no source declares */
  int32_t *queue;
  bool *seen;
  int64_t *counts, *after; /* (nslot) */
  double *scratch;
} check_walk;

static bool walk_create(const ness_network *net, int32_t n, check_walk *out)
{
  const size_t states = (size_t)n + 1, slots = (size_t)net->nslot + 1;
  *out = (check_walk){.total = mem_zero(states, sizeof(double)),
                      .rest = mem_zero(states, sizeof(double)),
                      .queue = mem_zero(states, sizeof(int32_t)),
                      .seen = mem_zero(states, sizeof(bool)),
                      .counts = mem_zero(slots, sizeof(int64_t)),
                      .after = mem_zero(slots, sizeof(int64_t)),
                      .scratch = mem_zero((size_t)net->tape_max + 1, sizeof(double))};
  return out->total && out->rest && out->queue && out->seen && out->counts && out->after && out->scratch;
}

static void walk_free(check_walk *self)
{
  mem_free(self->total), mem_free(self->rest), mem_free(self->queue), mem_free(self->seen);
  mem_free(self->counts), mem_free(self->after), mem_free(self->scratch);
}

/* Goes along transition e out of state i, to a state not seen yet or around a cycle. */
static void walk_along(const ness_network *net, const cme_part *part, check_walk *w, int32_t i, int64_t e,
                       int32_t *tail, check_state_cycles *out)
{
  const int32_t step = part->dir[e] / 2, way = part->dir[e] % 2 ? -1 : 1, to = part->q.to[e];
  const double entropy = network_event_entropy(net, step, way, w->counts, w->after, w->scratch);
  if (!isfinite(entropy)) return;
  double declared = 0;
  for (int32_t k = net->work_start[step]; k < net->work_start[step + 1]; k++) {
    if (net->work_src[k] != network_sources(net) - 1) declared += way * net->work_kt[k];
  }
  /* Around a closed cycle the change of free energy sums to zero, so it can be left in on both sides. */
  const double undeclared = entropy - declared + network_free_energy_change(net, step, way, w->counts);
  if (!w->seen[to]) {
    w->seen[to] = true;
    w->total[to] = w->total[i] + entropy;
    w->rest[to] = w->rest[i] + undeclared;
    w->queue[(*tail)++] = to;
    return;
  }
  const double affinity = fabs(w->total[i] + entropy - w->total[to]), gap = fabs(w->rest[i] + undeclared - w->rest[to]);
  if (affinity > out->worst_affinity) out->worst_affinity = affinity;
  if (gap > out->worst_undeclared) {
    const char *const name = network_text(net, net->step_name[step]);
    out->worst_undeclared = gap;
    mem_free(out->undeclared_at);
    out->undeclared_at = mem_text(name, strlen(name));
  }
}

static ness_status check_states(const ness_network *net, const cme_solution *s, check_state_cycles *out)
{
  for (int32_t p = 0; p < s->nparts; p++) {
    const cme_part *const part = &s->parts[p];
    check_walk w;
    const bool made = walk_create(net, part->q.n, &w);
    for (int32_t root = 0; made && root < part->q.n; root++) {
      int32_t head = 0, tail = 0;
      if (w.seen[root]) continue;
      w.seen[root] = true;
      w.queue[tail++] = root;
      while (head < tail) {
        const int32_t i = w.queue[head++];
        cme_counts(part, i, w.counts);
        for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) walk_along(net, part, &w, i, e, &tail, out);
      }
    }
    walk_free(&w);
    if (!made) return NESS_NOMEM;
  }
  out->done = true;
  return NESS_OK;
}

/* --- parts of the answer --- */

typedef struct check_rank {
  double weight;
  int32_t cycle;
} check_rank;

static int check_compare(const void *a, const void *b)
{
  const check_rank *const x = a, *const y = b;
  const int order = (x->weight < y->weight) - (x->weight > y->weight);
  return order ? order : x->cycle - y->cycle;
}

/* Cycles by how far they break detailed balance, undeclared drive first. */
static ness_status check_cycles(const ness_network *net, const thermo_report *r, double tolerance, doc_node *root)
{
  check_rank *const rank = mem_zero((size_t)r->cycles.count + 1, sizeof *rank);
  if (!rank) return NESS_NOMEM;
  for (int32_t c = 0; c < r->cycles.count; c++) {
    const thermo_cycle *const t = &r->cycle[c];
    rank[c] = (check_rank){isfinite(t->affinity)
                               ? fabs(t->affinity) + (fabs(t->undeclared) > tolerance ? 1e6 + fabs(t->undeclared) : 0)
                           : t->off ? -1
                                    : 1e9,
                           c};
  }
  qsort(rank, (size_t)r->cycles.count, sizeof *rank, check_compare);
  const double rt = net->temperature > 0 ? CONST_KB * net->temperature : 0;
  doc_node *const rows = doc_array(root, "cycles");
  for (int32_t i = 0; i < r->cycles.count && i < CHECK_ROWS; i++) {
    const int32_t c = rank[i].cycle;
    const thermo_cycle *const t = &r->cycle[c];
    if (t->off) continue;
    text_buffer name = {0}, steps = {0}, drivers = {0};
    check_cycle_name(net, r, c, &name);
    const int sign = check_sign(t);
    check_cycle_text(net, &r->cycles, c, sign, &steps);
    check_drivers(net, r, c, sign, &drivers);
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "cycle", "%s", name.data ? name.data : "");
    doc_number(row, "affinity_kt", sign * t->affinity);
    if (rt > 0) doc_number(row, "millivolt", sign * t->affinity * rt / CONST_E * 1e3);
    if (rt > 0) doc_number(row, "kj_per_mol", sign * t->affinity * rt * CONST_NA / 1e3);
    doc_number(row, "allowed_kt", sign * t->allowed);
    doc_number(row, "undeclared_kt", t->undeclared == 0 ? 0 : sign * t->undeclared);
    doc_string(row, "driven_by", "%s", drivers.length ? drivers.data : "nothing");
    doc_string(row, "steps", "%s", steps.data ? steps.data : "");
    text_clear(&name), text_clear(&steps), text_clear(&drivers);
  }
  mem_free(rank);
  return NESS_OK;
}

static void check_corrections(const ness_network *net, const thermo_report *r, doc_node *root)
{
  if (!r->correction && r->suspects == 0) return;
  doc_node *rows = doc_array(root, "suspects");
  for (int32_t i = 0; i < r->suspects && i < CHECK_ROWS; i++) {
    doc_node *const row = doc_object(rows, NULL);
    const int32_t s = r->suspect[i];
    doc_string(row, "step", "%s", network_text(net, net->step_name[s]));
    doc_int(row, "line", net->step_line[s]);
    doc_number(row, "change_of_ln_ratio", r->suspect_change[i]);
    doc_number(row, "forward_times", exp(r->suspect_change[i]));
    doc_string(row, "reads", "%s", network_text(net, net->step_text[s]));
  }
  if (!r->correction) return;
  doc_node *const fix = doc_object(root, "smallest_correction");
  doc_number(fix, "norm_in_errors", r->correction_norm);
  doc_string(fix, "note",
             "shown, not applied: changes of ln(k_fwd/k_bwd) that make every cycle consistent with the least sum of "
             "squares, in units of the errors given (1 where none)");
  rows = doc_array(root, "corrections");
  int32_t shown = 0;
  for (int32_t s = 0; s < net->nstep && shown < CHECK_ROWS; s++) {
    if (r->correction[s] == 0) continue;
    shown++;
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "step", "%s", network_text(net, net->step_name[s]));
    doc_int(row, "line", net->step_line[s]);
    doc_number(row, "change_of_ln_ratio", r->correction[s]);
    doc_number(row, "error_given", net->step_lnk_error[s]);
  }
}

/* What the steady state costs, when it could be solved; else why not. */
static void check_steady(const ness_network *net, const cme_solution *s, const char *reason, doc_node *root)
{
  doc_node *const steady = doc_object(root, "steady_state");
  doc_bool(steady, "solved", reason == NULL);
  if (reason) {
    doc_string(steady, "reason", "%s", reason);
    return;
  }
  doc_int(steady, "states", s->states);
  doc_number(steady, "entropy_production_kb_per_s", s->entropy);
  doc_number(steady, "closure_error", s->closure);
  doc_node *const rows = doc_array(root, "cost");
  for (int32_t i = 0; i < network_sources(net); i++) {
    if (fabs(s->source_work[i]) <= 1e-12 * fabs(s->entropy)) continue;
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "source", "%s", network_source_name(net, i));
    doc_number(row, "work_kt_per_s", s->source_work[i]);
  }
}

/* The cycle that matters most: of the largest undeclared drive; or of the largest power where the flux is known (that
 * of the chord, the last step), else of the largest affinity. */
static int32_t check_worst(const thermo_report *r, bool undeclared, const cme_solution *s)
{
  int32_t worst = -1;
  double most = 0;
  for (int32_t c = 0; c < r->cycles.count; c++) {
    const int32_t chord = r->cycles.id[r->cycles.start[c + 1] - 1];
    double size = fabs(undeclared ? r->cycle[c].undeclared : r->cycle[c].affinity);
    if (!undeclared && s && size > 1e-9) size = fmax(size * fabs(s->net_rate[chord]), DBL_MIN);
    /* Of equals, one that the file has a name for. */
    const bool named =
        worst >= 0 && r->cycle[c].declared >= 0 && r->cycle[worst].declared < 0 && size > most * (1 - 1e-9);
    if (isfinite(r->cycle[c].affinity) && !r->cycle[c].off && (size > most || (named && size > 0)))
      most = fmax(size, most), worst = c;
  }
  return worst;
}

static void check_verdict(const ness_network *net, const thermo_report *r, const check_state_cycles *states,
                          double tolerance, double contradiction, const cme_solution *s, doc_node *root,
                          const char **balance)
{
  text_buffer line = {0};
  const int32_t bad = check_worst(r, true, NULL), driven = check_worst(r, false, s);
  int32_t charge = -1;
  for (int32_t c = 0; c < r->cycles.count; c++) {
    if (r->cycle[c].charge != 0) charge = c;
  }
  if (charge >= 0) {
    *balance = "inconsistent";
    text_add(&line, "The charge does not balance: around ");
    check_cycle_name(net, r, charge, &line);
    text_add(&line, " (");
    check_cycle_text(net, &r->cycles, charge, check_sign(&r->cycle[charge]), &line);
    text_add(&line, ") %g e appears from nothing", r->cycle[charge].charge);
  } else if (bad >= 0 && r->worst_undeclared > contradiction) {
    *balance = "inconsistent";
    text_add(&line, "The rates break detailed balance by %.6g kT around ", fabs(r->cycle[bad].undeclared));
    check_cycle_name(net, r, bad, &line);
    text_add(&line, " (");
    check_cycle_text(net, &r->cycles, bad, check_sign(&r->cycle[bad]), &line);
    text_add(&line, "), and nothing that the file declares drives it");
  } else if (states->done && states->worst_undeclared > contradiction) {
    *balance = "inconsistent";
    text_add(&line,
             "The rates break detailed balance by %.6g kT around a cycle of states through %s, and nothing that the "
             "file declares drives it",
             states->worst_undeclared, states->undeclared_at);
  } else if (r->one_way > 0) {
    *balance = "one-way";
    text_add(&line,
             "Detailed balance cannot hold: %d step%s no way back, so the entropy production is infinite where %s",
             r->one_way, r->one_way == 1 ? " has" : "s have", r->one_way == 1 ? "it runs" : "they run");
  } else if ((driven >= 0 && r->worst_affinity > tolerance)) {
    *balance = "driven";
    text_buffer drivers = {0};
    const int way = r->cycle[driven].affinity < 0 ? -1 : 1; /* the way it is driven */
    check_drivers(net, r, driven, way, &drivers);
    text_add(&line, "Driven: ");
    check_cycle_name(net, r, driven, &line);
    text_add(&line, " (");
    check_cycle_text(net, &r->cycles, driven, way, &line);
    text_add(&line, ") runs on %.6g kT from %s", fabs(r->cycle[driven].affinity),
             drivers.length ? drivers.data : "its rates");
    text_clear(&drivers);
    if (s && isfinite(s->entropy)) text_add(&line, "; at the steady state this costs %.6g k_B/s", s->entropy);
  } else if (states->done && states->worst_affinity > tolerance) {
    *balance = "driven";
    text_add(&line, "Driven: a cycle of states runs on %.6g kT", states->worst_affinity);
  } else if (r->tapes > 0 && !states->done) {
    *balance = "undecided";
    text_add(&line, "Not decided: %d step%s rates that are expressions, and the states are too many to list", r->tapes,
             r->tapes == 1 ? " has" : "s have");
  } else {
    *balance = "equilibrium";
    int32_t cycles = 0;
    for (int32_t c = 0; c < r->cycles.count; c++) cycles += !r->cycle[c].off;
    if (cycles > 0) {
      text_add(&line, "Detailed balance holds around %s%d cycle%s within %.1g kT", cycles > 1 ? "all " : "", cycles,
               cycles == 1 ? "" : "s", fmax(r->worst_affinity, 1e-12));
    } else {
      text_add(&line, "Detailed balance holds: there is no cycle of steps to break it");
    }
    text_add(&line, s ? "; the steady state is an equilibrium" : "; if there is a steady state, it is an equilibrium");
  }
  doc_string(root, "verdict", "%s.", line.data ? line.data : "");
  doc_string(root, "balance", "%s", *balance);
  text_clear(&line);
}

static void check_next(const ness_network *net, const thermo_report *r, const char *balance, bool solved,
                       doc_node *root)
{
  doc_node *const next = doc_array(root, "look_at_next");
  if (strcmp(balance, "inconsistent") == 0 && r->suspects > 0 && r->suspects <= 4) {
    for (int32_t i = 0; i < r->suspects; i++) {
      doc_string(
          next, NULL, "line %d: %s alone explains every mismatch if its forward rate is %.4g times what is written",
          net->step_line[r->suspect[i]], network_text(net, net->step_name[r->suspect[i]]), exp(r->suspect_change[i]));
    }
  } else if (strcmp(balance, "inconsistent") == 0) {
    doc_string(next, NULL,
               "the corrections above; or declare what drives the cycle: a bath, a potential, an ion in a reservoir");
  }
  if (strcmp(balance, "one-way") == 0)
    doc_string(next, NULL, "give each one-way step its reverse rate, however small, or `ldb` with an energy");
  if (strcmp(balance, "undecided") == 0)
    doc_string(next, NULL, "a larger --max-states, or a `max` on the species that grows");
  if (strcmp(balance, "driven") == 0)
    doc_string(next, NULL, "ness solve: which cycles carry the flux; ness scan: where it stops");
  if (r->drifts > 0)
    doc_string(next, NULL, "equations (x' = ...) are hands from outside: what they do is not in this verdict");
  if (!solved) doc_string(next, NULL, "the steady state was not solved: see steady state");
}

ness_status ness_check(ness_model *self, const ness_check_options *options, ness_diags *diags, ness_doc **out)
{
  const ness_network *const net = lang_network(self->compiled);
  const double tolerance = options && options->tolerance > 0 ? options->tolerance : 1e-4;
  /* Plain rates declare nothing that they could contradict. */
  const double contradiction = self->imported ? (double)INFINITY : tolerance;
  thermo_report report = {0};
  check_state_cycles states = {0};
  cme_solution solution = {0};
  const char *balance = "";
  *out = NULL;
  bool *const fixed = mem_zero((size_t)net->nstep + 1, sizeof *fixed);
  if (!fixed) return NESS_NOMEM;
  for (int32_t s = 0; s < net->nstep; s++) fixed[s] = self->compiled->steps[s].from_energies;
  ness_status status = thermo_check(net, fixed, contradiction, &report);
  mem_free(fixed);
  if (status == NESS_NUMERIC) {
    diag_add(diags, NESS_ERROR,
             "the cycles of this network have coefficients beyond 2^30: no exact basis can be given");
    diag_hint(diags, "check its parts by themselves; cycles of that size carry no flux that could be seen");
  }
  if (status != NESS_OK) return status;
  question_warn(self->compiled, diags);
  /* Whether the steady state can be solved decides no verdict: its diagnostics become a line of the answer. */
  ness_diags *const silent = ness_diags_create();
  ness_doc *const doc = doc_create("check");
  doc_node *const root = doc_root(doc);
  const cme_options limits = {.max_states = options && options->max_states > 0 ? options->max_states : 5000};
  const ness_status steady = silent ? cme_steady(net, &limits, silent, &solution) : NESS_NOMEM;
  const bool solved = steady == NESS_OK;
  const char *const reason = solved                                     ? NULL
                             : silent && ness_diags_count(silent, NULL) ? ness_diags_get(silent, 0)->message
                                                                        : ness_status_text(steady);
  if (!doc || !silent) status = NESS_NOMEM;
  if (status == NESS_OK && report.tapes > 0 && solved) status = check_states(net, &solution, &states);
  if (status == NESS_OK) {
    check_verdict(net, &report, &states, tolerance, contradiction, solved ? &solution : NULL, root, &balance);
    doc_string(root, "model", "%s", net->model_name);
    doc_int(root, "counts", net->nslot);
    doc_int(root, "steps", net->nstep);
    doc_int(root, "independent_cycles", report.cycles.count);
    doc_int(root, "conserved_sums", report.laws.count);
    if (report.worst_undeclared > 0) doc_number(root, "largest_undeclared_kt", report.worst_undeclared);
    doc_number(root, "tolerance_kt", tolerance);
    if (report.one_way > 0) {
      doc_node *const list = doc_array(root, "one_way_steps");
      for (int32_t s = 0, shown = 0; s < net->nstep && shown < 50; s++) {
        if ((net->dir_law[2 * s] == LAW_NONE) == (net->dir_law[2 * s + 1] == LAW_NONE)) continue;
        if (net->step_flow[s] == FLOW_DRIFT) continue;
        shown++;
        doc_string(list, NULL, "%s (line %d)", network_text(net, net->step_name[s]), net->step_line[s]);
      }
    }
    status = check_cycles(net, &report, tolerance, root);
    check_corrections(net, &report, root);
    check_steady(net, &solution, reason, root);
    check_next(net, &report, balance, solved, root);
    answer_conventions(doc);
  }
  if (status == NESS_OK) status = doc_finish(doc);
  if (status == NESS_OK && strcmp(balance, "inconsistent") == 0) status = NESS_EXPECT;
  if (status == NESS_OK || status == NESS_EXPECT) *out = doc;
  else ness_doc_free(doc);
  ness_diags_free(silent);
  mem_free(states.undeclared_at);
  if (solved) cme_solution_free(&solution);
  thermo_report_free(&report);
  return status;
}
