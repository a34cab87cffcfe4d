/* The states of a part that last, and solves on them. In a closed class the likeliest state is pinned, so that the
 * others are a chain with exits to it: what is solved for is then collected on the short ways back to that state, and
 * rounding is not magnified by the long ways to a rare one. Where the steady state came from many levels, the closed
 * chain is handed to them with it. Copies that reservoirs make and remove are counted from the moment they enter to the
 * moment they leave, so theirs is the chain of the places inside, with its exits. Cost: one factorisation of
 * markov/solver.h for each part. */
#include "engine/cme/ergodic.h"
#include "engine/cme/space.h"
#include "engine/markov/sum.h"

static ness_status ergodic_several(const ness_network *net, const cme_part *part, ness_diags *diags)
{
  char name[160];
  part_describe(net, part, name);
  diag_add(diags, NESS_ERROR, "%s has %d closed classes of states, each with its own currents", name,
           (int)part->classes.count);
  diag_hint(diags, "start it inside one of them");
  return NESS_NUMERIC;
}

static ness_status ergodic_driven(const ness_network *net, const cme_part *part, ness_diags *diags)
{
  char name[160];
  part_describe(net, part, name);
  diag_add(diags, NESS_ERROR, "%s: %lld copies share a process, and were solved as one", name, (long long)part->copies);
  diag_hint(diags, "means and rates are those of one copy times their number, but this is not: ask for one copy");
  return NESS_NUMERIC;
}

ness_status ergodic_create(const ness_network *net, const cme_part *part, ness_diags *diags, ergodic *out)
{
  *out = (ergodic){.part = part};
  if (part->classes.count != 1) return ergodic_several(net, part, diags);
  if (part->driven) return ergodic_driven(net, part, diags);
  out->state = mem_zero((size_t)part->q.n + 1, sizeof *out->state);
  out->local = mem_zero((size_t)part->q.n + 1, sizeof *out->local);
  if (!out->state || !out->local) {
    ergodic_free(out);
    return NESS_NOMEM;
  }
  for (int32_t i = 0; i < part->q.n; i++) {
    const bool in = part->classes.of[i] == 0 && (part->kind != CME_OPEN || part->states.place[i] >= 0);
    out->local[i] = in ? out->n : -1;
    if (in) out->state[out->n++] = i;
  }
  return NESS_OK;
}

void ergodic_free(ergodic *self)
{
  mem_free(self->state);
  mem_free(self->local);
  *self = (ergodic){0};
}

/* The chain to solve on and its options. */
static ness_status collect_chain(collect *self, int32_t *kept, int32_t *local)
{
  const ergodic *const states = self->states;
  const cme_part *const part = states->part;
  const bool open = part->kind == CME_OPEN, levels = !open && part->report.method == SOLVER_MULTILEVEL;
  int32_t n = 0;
  self->pinned = -1;
  for (int32_t k = 0; !open && !levels && k < states->n; k++) {
    if (self->pinned < 0 || part->p[states->state[k]] > part->p[self->pinned]) self->pinned = states->state[k];
  }
  for (int32_t k = 0; k < states->n; k++) {
    if (states->state[k] == self->pinned) continue;
    self->room[n] = part->p[states->state[k]];
    kept[n++] = states->state[k];
  }
  return chain_part(&part->q, kept, n, !levels, local, &self->q);
}

ness_status collect_create(const ness_network *net, const ergodic *states, ness_diags *diags, collect *out)
{
  *out = (collect){.states = states, .pinned = -1};
  const cme_part *const part = states->part;
  const int32_t n = states->n;
  if (n == 0 || (n == 1 && part->kind != CME_OPEN)) return NESS_OK;
  int32_t *const local = mem_zero((size_t)part->q.n, sizeof *local), *const kept = mem_zero((size_t)n, sizeof *kept);
  solver_report report = {0};
  ness_status status = NESS_NOMEM;
  out->room = mem_zero((size_t)n, sizeof *out->room);
  if (out->room && local && kept) status = collect_chain(out, kept, local);
  if (status == NESS_OK) {
    const double found = part->report.bound;
    const solver_options options = {
        .method = part->kind == CME_OPEN ? SOLVER_AUTO : part->report.method,
        .tolerance = found > 0.5e-8 ? 2 * found : 0,
        .guess = out->q.exit ? NULL : out->room,
    };
    status = solver_create(&out->q, &options, &report, &out->solver);
  }
  if (status == NESS_NUMERIC || status == NESS_LIMIT) {
    char name[160];
    part_describe(net, part, name);
    diag_add(diags, NESS_ERROR, "%s: %s cannot solve for derivatives and cumulants: %s", name,
             solver_name(report.method), ness_status_text(status));
  }
  mem_free(local);
  mem_free(kept);
  if (status) collect_free(out);
  return status;
}

/* The mean over the steady state, or nothing where copies come and go. */
static double collect_mean(const collect *self, const double *y)
{
  const ergodic *const states = self->states;
  exact_sum mean = {0, 0}, weight = {0, 0};
  if (states->part->kind == CME_OPEN) return 0;
  for (int32_t k = 0; k < states->n; k++) {
    sum_add(&mean, states->part->p[states->state[k]] * y[states->state[k]]);
    sum_add(&weight, states->part->p[states->state[k]]);
  }
  return sum_get(&mean) / sum_get(&weight);
}

ness_status collect_solve(collect *self, double *y)
{
  const ergodic *const states = self->states;
  ness_status status = NESS_OK;
  double mean = collect_mean(self, y);
  int32_t at = 0;
  for (int32_t k = 0; self->solver && k < states->n; k++) {
    if (states->state[k] != self->pinned) self->room[at++] = y[states->state[k]] - mean;
  }
  if (self->solver) status = solver_right(self->solver, self->room);
  for (int32_t i = 0; i < states->part->q.n; i++) y[i] = 0;
  at = 0;
  for (int32_t k = 0; self->solver && k < states->n; k++) {
    if (states->state[k] != self->pinned) y[states->state[k]] = self->room[at++];
  }
  mean = collect_mean(self, y);
  for (int32_t k = 0; k < states->n; k++) y[states->state[k]] -= mean;
  return status;
}

void collect_free(collect *self)
{
  solver_free(self->solver);
  chain_free(&self->q);
  mem_free(self->room);
  *self = (collect){0};
}
