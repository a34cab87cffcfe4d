/* ness convert: the generator of a model in the formats of other tools. The largest part of the network is written; the
 * others are independent of it and named in a note. */
#include "networks/experiment/experiment.h"
#include "networks/import/import.h"
#include <string.h>

typedef struct naming {
  const cme_part *part;
  int64_t *n; /* (network nslot) */
} naming;

static void state_values(void *context, int32_t state, text_buffer *out)
{
  const naming *const self = context;
  cme_counts(self->part, state, self->n);
  for (int32_t i = 0; i < self->part->nslot; i++) {
    text_add(out, i ? ",%lld" : "%lld", (long long)self->n[self->part->slot[i]]);
  }
}

static ness_status convert_part(const ness_network *net, const cme_solution *s, const ness_convert_options *o,
                                export_format format, ness_diags *diags, doc_node *root)
{
  int32_t largest = 0, more = 0;
  for (int32_t p = 0; p < s->nparts; p++) {
    if (s->parts[p].q.n > s->parts[largest].q.n) largest = p;
    more += s->parts[p].q.n > 1;
  }
  if (s->nparts == 0) {
    diag_add(diags, NESS_ERROR, "this model has no states");
    return NESS_MODEL;
  }
  const cme_part *const part = &s->parts[largest];
  text_buffer names = {0};
  naming context = {part, mem_zero((size_t)net->nslot + 1, sizeof(int64_t))};
  for (int32_t i = 0; i < part->nslot; i++) {
    text_add(&names, i ? ",%s" : "%s", network_text(net, net->slot_name[part->slot[i]]));
  }
  const export_states states = {names.data, state_values, &context};
  ness_status status = context.n && !names.failed ? NESS_OK : NESS_NOMEM;
  if (status == NESS_OK) status = export_chain(&part->q, format, o->path, &states, o->force != 0, diags);
  if (status == NESS_OK) {
    doc_string(root, "written", "%s", o->path);
    doc_int(root, "states", part->q.n);
    doc_int(root, "transitions", part->q.start[part->q.n]);
    doc_string(root, "of", "%s",
               part->driven               ? "one copy and the levels of the processes that all copies share"
               : part->kind == CME_COUNTS ? "all counts"
               : part->copies == 1        ? "the one copy"
               : part->kind == CME_COPIES ? "one copy; the others are independent of it"
                                          : "one copy and the place outside, the first state");
    if (more > 1)
      diag_add(diags, NESS_NOTE, "the network falls into %d independent parts; the largest was written",
               (int)s->nparts);
  }
  text_clear(&names);
  mem_free(context.n);
  return status;
}

ness_status ness_convert(ness_model *self, const ness_convert_options *options, ness_diags *diags, ness_doc **out)
{
  const ness_network *const net = lang_network(self->compiled);
  const export_format format = export_format_of(options->path);
  *out = NULL;
  if (format == EXPORT_NONE) {
    diag_add(diags, NESS_ERROR, "%s: the end of the name says no format that is known", options->path);
    diag_hint(diags, ".mtx is MatrixMarket, .tra PRISM's list of transitions, .petsc a PETSc matrix");
    return NESS_USAGE;
  }
  const cme_options limits = {.max_states = options->max_states};
  cme_solution s = {.one_way_running = -1};
  question_warn(self->compiled, diags);
  ness_status status = question_hops(self->compiled, diags) ? NESS_OK : NESS_MODEL;
  if (status == NESS_OK) status = cme_generator(net, &limits, diags, &s);
  ness_doc *const doc = status == NESS_OK ? doc_create("convert") : NULL;
  if (status == NESS_OK) {
    doc_string(doc_root(doc), "model", "%s", net->model_name);
    status = convert_part(net, &s, options, format, diags, doc_root(doc));
    answer_conventions(doc);
  }
  if (status == NESS_OK) status = doc_finish(doc);
  cme_solution_free(&s);
  if (status != NESS_OK) ness_doc_free(doc);
  else *out = doc;
  return status;
}
