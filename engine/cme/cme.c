/* The way of a steady state through the room: split (parts.c), enumerate (space.c), classes (classes.c), eliminate
 * (steady.c on gth.c), net currents (currents.c), sums (totals.c). A solution is zeroed first and filled in place, so
 * that whatever fails, freeing it is right; on failure it comes back empty. */
#include "engine/cme/space.h"

#define DEFAULT_STATES 5000

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

static ness_status steady_parts(const ness_network *net, int64_t max_states, ness_diags *diags, cme_solution *out)
{
  for (int32_t p = 0; p < out->nparts; p++) {
    cme_part *const part = &out->parts[p];
    ness_status status = space_build(net, part, max_states, diags);
    if (status == NESS_OK) status = classes_find(part);
    if (status == NESS_OK && part->copies == 0 && (part->nclass > 1 || part->class_of[part->start] < 0)) {
      status = steady_no_way_out(net, part, diags);
    }
    if (status == NESS_OK) status = part_steady(net, part, out->var, diags);
    if (status == NESS_OK) status = currents_find(part);
    if (status) return status;
    out->states += part->nstate;
  }
  return NESS_OK;
}

ness_status cme_steady(const ness_network *net, const cme_options *options, ness_diags *diags, cme_solution *out)
{
  *out = (cme_solution){.one_way_running = -1};
  const size_t nslot = (size_t)net->nslot + 1, nstep = (size_t)net->nstep + 1;
  int64_t max_states = options && options->max_states > 0 ? options->max_states : DEFAULT_STATES;
  if (max_states > INT32_MAX - 1) max_states = INT32_MAX - 1;
  out->dir_rate = mem_zero(2 * nstep, sizeof(double));
  out->net_rate = mem_zero(nstep, sizeof(double));
  out->mean = mem_zero(nslot, sizeof(double));
  out->var = mem_zero(nslot, sizeof(double));
  out->step_entropy = mem_zero(nstep, sizeof(double));
  out->source_work = mem_zero((size_t)network_sources(net), sizeof(double));
  ness_status status = NESS_NOMEM;
  if (out->dir_rate && out->net_rate && out->mean && out->var && out->step_entropy && out->source_work) {
    status = parts_split(net, out);
  }
  if (status == NESS_OK) status = steady_parts(net, max_states, diags, out);
  if (status == NESS_OK) status = totals_fill(net, out);
  if (status) cme_solution_free(out);
  return status;
}

void cme_solution_free(cme_solution *self)
{
  for (int32_t p = 0; self->parts && p < self->nparts; p++) {
    cme_part *const part = &self->parts[p];
    mem_free(part->slot);
    mem_free(part->step);
    mem_free(part->count);
    mem_free(part->start_weight);
    mem_free(part->edge);
    mem_free(part->edge_start);
    mem_free(part->class_of);
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
