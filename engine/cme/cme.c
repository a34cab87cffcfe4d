/* The way of a steady state through the room: split (parts.c), enumerate (space.c), classes, solve (steady.c on
 * engine/markov), net currents (currents.c), sums (totals.c). A solution is zeroed first and filled in place, so that
 * whatever fails, freeing it is right; on failure it comes back empty. */
#include "engine/cme/projection.h"

#define DEFAULT_STATES 20000000

/* Blocks up to this many bytes are taken without asking how much there is. */
#define SMALL_BYTES ((size_t)1 << 26)

ness_status cme_room(void *block, int64_t *capacity, int64_t need, size_t width)
{
  if (need <= *capacity) return NESS_OK;
  size_t bytes;
  if (!size_mul((size_t)need, 2 * width, &bytes)) return NESS_NOMEM;
  if (bytes > SMALL_BYTES && bytes > mem_available()) return NESS_LIMIT;
  return mem_grow(block, capacity, need, width) ? NESS_OK : NESS_NOMEM;
}

/* Copies enter a part, or places in it, that none leaves again. */
static ness_status steady_no_way_out(const ness_network *net, const cme_part *part, ness_diags *diags)
{
  char name[160];
  part_describe(net, part, name);
  diag_add(diags, NESS_ERROR, "%s has no steady state: copies come in that never leave", name);
  diag_hint(diags, "give the step that makes them its way back, or let them leave by another");
  return NESS_NUMERIC;
}

static int64_t states_limit(const cme_options *options)
{
  const int64_t max = options && options->max_states > 0 ? options->max_states : DEFAULT_STATES;
  return max < INT32_MAX - 1 ? max : INT32_MAX - 1;
}

/* The conservation laws, where some part needs them; laws with huge coefficients save nothing. */
static ness_status parts_laws(const ness_network *net, const cme_solution *s, stoich_basis *laws)
{
  bool needed = false;
  for (int32_t p = 0; p < s->nparts; p++) needed = needed || s->parts[p].kind == CME_COUNTS;
  const ness_status status = needed ? stoich_laws(net, laws) : NESS_OK;
  return status == NESS_NUMERIC ? NESS_OK : status;
}

ness_status cme_spaces(const ness_network *net, const cme_options *options, ness_diags *diags, cme_solution *out,
                       cme_endless endless, void *context)
{
  stoich_basis laws = {0};
  int64_t transitions = 0;
  ness_status status = parts_split(net, out);
  if (status == NESS_OK) status = parts_laws(net, out, &laws);
  for (int32_t p = 0; status == NESS_OK && p < out->nparts; p++) {
    cme_part *const part = &out->parts[p];
    if (projection_needed(net, &laws, part)) {
      status = endless(context, &laws, part, states_limit(options));
      continue;
    }
    status = space_build(net, &laws, part, states_limit(options), false, &transitions, diags);
    if (status == NESS_OK) status = chain_classes_find(&part->q, &part->classes);
  }
  for (int32_t p = 0; status == NESS_OK && p < out->nparts; p++) out->states += out->parts[p].q.n;
  stoich_free(&laws);
  return status;
}

typedef struct steady_call {
  const ness_network *net;
  const solver_options *options;
  double *var;
  ness_diags *diags;
} steady_call;

/* Lists on until the limit, and says then what has no end. */
static ness_status generator_endless(void *context, const stoich_basis *laws, cme_part *part, int64_t max_states)
{
  const steady_call *const call = context;
  int64_t transitions = 0;
  return space_build(call->net, laws, part, max_states, false, &transitions, call->diags);
}

ness_status cme_generator(const ness_network *net, const cme_options *options, ness_diags *diags, cme_solution *out)
{
  steady_call call = {.net = net, .diags = diags};
  const ness_status status = cme_spaces(net, options, diags, out, generator_endless, &call);
  if (status) cme_solution_free(out);
  return status;
}

static ness_status steady_endless(void *context, const stoich_basis *laws, cme_part *part, int64_t max_states)
{
  const steady_call *const call = context;
  return projection_steady(call->net, laws, part, max_states, call->options, call->var, call->diags);
}

static ness_status part_solve(const steady_call *call, const cme_options *options, cme_solution *out, int32_t p)
{
  cme_part *const part = &out->parts[p];
  const cme_solution *const like = options ? options->like : NULL;
  const double *guess = NULL;
  ness_status status = NESS_OK;
  if (part->kind == CME_OPEN && (part->classes.count > 1 || part->classes.of[0] < 0)) {
    status = steady_no_way_out(call->net, part, call->diags);
  }
  if (like && like->nparts == out->nparts && like->parts[p].q.n == part->q.n && like->parts[p].kind == part->kind) {
    guess = like->parts[p].p;
  }
  if (status == NESS_OK && !part->projection.used)
    status = part_steady(call->net, part, call->options, guess, call->var, call->diags);
  if (status == NESS_OK) status = currents_find(part);
  if (status == NESS_OK && (p == 0 || part->report.bound > out->report.bound)) out->report = part->report;
  if (part->projection.used && !(part->projection.error < out->projection.error)) out->projection = part->projection;
  return status;
}

ness_status cme_empty(const ness_network *net, cme_solution *out)
{
  const size_t nslot = (size_t)net->nslot + 1, nstep = (size_t)net->nstep + 1;
  *out = (cme_solution){.one_way_running = -1};
  out->dir_rate = mem_zero(2 * nstep, sizeof(double));
  out->net_rate = mem_zero(nstep, sizeof(double));
  out->mean = mem_zero(nslot, sizeof(double));
  out->var = mem_zero(nslot, sizeof(double));
  out->step_entropy = mem_zero(nstep, sizeof(double));
  out->source_work = mem_zero((size_t)network_sources(net), sizeof(double));
  if (out->dir_rate && out->net_rate && out->mean && out->var && out->step_entropy && out->source_work) return NESS_OK;
  cme_solution_free(out);
  return NESS_NOMEM;
}

ness_status cme_steady(const ness_network *net, const cme_options *options, ness_diags *diags, cme_solution *out)
{
  static const solver_options defaults = {0};
  ness_status status = cme_empty(net, out);
  if (status) return status;
  steady_call call = {net, options ? &options->solve : &defaults, out->var, diags};
  status = cme_spaces(net, options, diags, out, steady_endless, &call);
  for (int32_t p = 0; status == NESS_OK && p < out->nparts; p++) status = part_solve(&call, options, out, p);
  if (status == NESS_OK) status = totals_fill(net, out);
  if (status) cme_solution_free(out);
  return status;
}

ness_status cme_measure(const ness_network *net, const cme_options *options, ness_diags *diags, cme_size *out)
{
  *out = (cme_size){0};
  cme_solution s = {.one_way_running = -1};
  stoich_basis laws = {0};
  int64_t most = -1;
  ness_status status = parts_split(net, &s);
  if (status == NESS_OK) status = parts_laws(net, &s, &laws);
  out->nparts = s.nparts;
  for (int32_t p = 0; status == NESS_OK && p < s.nparts; p++) {
    cme_part *const part = &s.parts[p];
    int64_t transitions = 0;
    if (projection_needed(net, &laws, part)) {
      out->endless++;
      continue;
    }
    status = space_build(net, &laws, part, states_limit(options), true, &transitions, diags);
    const size_t n = (size_t)part->states.n, edges = (size_t)transitions;
    const size_t key = part->kind == CME_COUNTS ? 8 * (size_t)part->states.words : sizeof(int32_t);
    if (part->states.n > most) most = part->states.n, out->largest = p;
    out->states += part->states.n;
    out->transitions += transitions;
    out->bytes_listed += n * (key + (part->kind == CME_COUNTS ? 32 : 4));
    out->bytes_space +=
        n * (key + sizeof(int64_t) + 2 * sizeof(double)) + edges * (sizeof(int32_t) + sizeof(double) + sizeof(int32_t));
    out->bytes_solve += 48 * n + 24 * edges;
    states_free(&part->states); /* one part at a time */
  }
  stoich_free(&laws);
  cme_solution_free(&s);
  return status;
}

void cme_solution_free(cme_solution *self)
{
  for (int32_t p = 0; self->parts && p < self->nparts; p++) {
    cme_part *const part = &self->parts[p];
    mem_free(part->slot);
    mem_free(part->step);
    states_free(&part->states);
    mem_free(part->start);
    mem_free(part->start_weight);
    chain_free(&part->q);
    mem_free(part->dir);
    chain_classes_free(&part->classes);
    mem_free(part->class_weight);
    mem_free(part->p);
    mem_free(part->current);
  }
  mem_free(self->parts);
  mem_free(self->dir_rate);
  mem_free(self->net_rate);
  mem_free(self->mean);
  mem_free(self->var);
  mem_free(self->step_entropy);
  mem_free(self->source_work);
  *self = (cme_solution){.one_way_running = -1};
}
