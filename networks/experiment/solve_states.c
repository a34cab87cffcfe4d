/* ness solve --dry-run, spectrum, passage: how large the space of states is, how fast it forgets, when it first meets a
 * condition. */
#include "networks/experiment/solve.h"
#include <math.h>
#include <stdlib.h>

#define SPECTRUM_MODES 10

ness_status solve_size(ness_model *self, const cme_options *limits, ness_diags *diags, doc_node *root)
{
  cme_size size;
  const ness_status status = cme_measure(lang_network(self->compiled), limits, diags, &size);
  if (status != NESS_OK) return status;
  const size_t free_bytes = mem_available(), needed = size.bytes_space + size.bytes_solve;
  doc_node *const row = doc_object(root, "size");
  doc_int(row, "independent_parts", size.nparts);
  if (size.endless > 0) doc_int(row, "parts_without_end_whose_size_is_found_while_solving", size.endless);
  doc_int(row, "states", size.states);
  doc_int(row, "transitions", size.transitions);
  doc_number(row, "bytes_a_state", size.states ? (double)size.bytes_space / (double)size.states : 0);
  doc_number(row, "listing_mb", (double)size.bytes_listed * 1e-6);
  doc_number(row, "space_mb", (double)size.bytes_space * 1e-6);
  doc_number(row, "iterative_solver_mb_about", (double)size.bytes_solve * 1e-6);
  if (free_bytes != SIZE_MAX) doc_number(row, "free_memory_mb", (double)free_bytes * 1e-6);
  doc_bool(row, "fits", needed < free_bytes);
  return NESS_OK;
}

/* --- spectrum --- */

typedef struct mode {
  double real, imag, error;
  int32_t part;
} mode;

static int mode_compare(const void *x, const void *y)
{
  const mode *const a = x, *const b = y;
  if (a->real != b->real) return a->real > b->real ? -1 : 1;
  if (a->part != b->part) return a->part - b->part;
  return a->imag > b->imag ? -1 : a->imag < b->imag;
}

ness_status part_spectrum(const cme_part *part, int32_t wanted, spectrum *out)
{
  const int32_t n = part->q.n;
  *out = (spectrum){0};
  if (part->kind != CME_OPEN) return spectrum_find(&part->q, wanted < n ? wanted : n, false, out);
  if (n == 1) return NESS_OK;
  chain inside = {0};
  int32_t *const state = mem_zero((size_t)n, sizeof *state), *const local = mem_zero((size_t)n, sizeof *local);
  for (int32_t i = 1; state && i < n; i++) state[i - 1] = i; /* outside is the first */
  ness_status status = state && local ? chain_part(&part->q, state, n - 1, true, local, &inside) : NESS_NOMEM;
  if (status == NESS_OK) status = spectrum_find(&inside, wanted < n - 1 ? wanted : n - 1, false, out);
  chain_free(&inside);
  mem_free(state);
  mem_free(local);
  return status;
}

static ness_status part_modes(const cme_solution *s, int32_t p, int32_t wanted, mode *list, int32_t *n)
{
  spectrum found;
  const ness_status status = part_spectrum(&s->parts[p], wanted, &found);
  for (int32_t i = 0; status == NESS_OK && i < found.count && i < wanted; i++) {
    list[(*n)++] = (mode){found.real[i], found.imag[i], found.error[i], p};
  }
  spectrum_free(&found);
  return status;
}

ness_status solve_spectrum(ness_model *self, const ness_solve_options *o, const cme_options *limits, ness_diags *diags,
                           doc_node *root)
{
  const ness_network *const net = lang_network(self->compiled);
  const int32_t shown = o->modes > 0 ? o->modes : SPECTRUM_MODES;
  cme_solution s;
  ness_status status = cme_steady(net, limits, diags, &s);
  if (status != NESS_OK) return status;
  int32_t n = 0, zeros = 0;
  for (int32_t p = 0; p < s.nparts; p++) zeros += s.parts[p].classes.count;
  const int32_t wanted = shown + zeros;
  mode *const list = mem_zero((size_t)wanted * (size_t)(s.nparts + 1) + 1, sizeof *list);
  if (!list) status = NESS_NOMEM;
  for (int32_t p = 0; status == NESS_OK && p < s.nparts; p++) status = part_modes(&s, p, wanted, list, &n);
  if (status == NESS_NUMERIC) diag_add(diags, NESS_ERROR, "the spectrum could not be found");
  if (status == NESS_OK) {
    qsort(list, (size_t)n, sizeof *list, mode_compare);
    solve_method(&s, root);
    bool copies = false;
    for (int32_t p = 0; p < s.nparts; p++) copies = copies || s.parts[p].kind != CME_COUNTS || s.parts[p].driven;
    if (copies) doc_string(root, "modes_are", "those of one copy; counts of several relax with sums of them too");
    doc_node *const rows = doc_array(root, "modes");
    for (int32_t i = 0, k = 0; i < n && k < shown; i++) {
      if (list[i].real == 0) continue; /* one a closed class */
      doc_node *const row = doc_object(rows, NULL);
      doc_int(row, "mode", ++k);
      const bool natural = self->file->natural;
      doc_number(row, natural ? "rate" : "rate_per_s", list[i].real);
      doc_number(row, natural ? "frequency" : "frequency_hz", list[i].imag / 6.283185307179586);
      doc_number(row, natural ? "relaxation_time" : "relaxation_time_s", -1 / list[i].real);
      doc_number(row, "relative_residual", list[i].error);
      doc_int(row, "part", list[i].part);
    }
  }
  mem_free(list);
  cme_solution_free(&s);
  return status;
}

/* --- passages --- */

static void passage_answer(const passage *p, bool natural, bool two, doc_node *root)
{
  doc_node *const method = doc_object(root, "method");
  doc_string(method, "name", "%s", solver_name(p->report.method));
  doc_int(method, "states", p->states);
  doc_node *const row = doc_object(root, "passage");
  doc_number(row, "reached", p->reached);
  if (p->reached < 1) doc_string(row, "times_are", "given that it is reached");
  doc_number(row, natural ? "mean_time" : "mean_time_s", p->mean);
  doc_number(row, natural ? "standard_deviation" : "standard_deviation_s", sqrt(p->variance));
  doc_number(row, "coefficient_of_variation", sqrt(p->variance) / p->mean);
  doc_number(row, "skewness", p->skewness);
  if (!two) return;
  doc_node *const split = doc_object(root, "which_first");
  doc_number(split, "until_first", p->first);
  doc_number(split, "unless_first", p->second);
  doc_number(split, natural ? "mean_time_until" : "mean_time_until_s", p->first_mean);
  doc_number(split, natural ? "mean_time_unless" : "mean_time_unless_s", p->second_mean);
}

ness_status solve_passage(ness_model *self, const ness_solve_options *o, const cme_options *limits, ness_diags *diags,
                          doc_node *root)
{
  enum { TIMES = 101 };
  expr *first = NULL, *second = NULL;
  passage p = {0};
  double times[TIMES];
  values v = {.model = self->compiled, .left_out = -1};
  hook_context c = {&v, diags};
  if (!o->until) {
    diag_add(diags, NESS_ERROR, "a passage needs the condition that ends it");
    diag_hint(diags, "as in --until 'A == 0'");
    return NESS_USAGE;
  }
  ness_status status = lang_parse_expression(self->file, o->until, diags, &first);
  if (status == NESS_OK && o->unless) status = lang_parse_expression(self->file, o->unless, diags, &second);
  if (status != NESS_OK) return status;
  passage_options options = {
      .max_states = limits->max_states, .solve = limits->solve, .from_steady = o->from_steady != 0};
  if (o->time > 0) {
    options.times = times;
    options.ntimes = TIMES;
    for (int32_t i = 0; i < TIMES; i++) times[i] = o->time * i / (TIMES - 1);
  }
  status = passage_of(&c, first, second, &options, &p);
  if (status != NESS_OK) return status;
  passage_answer(&p, self->file->natural, second != NULL, root);
  doc_node *const rows = o->time > 0 ? doc_array(root, "distribution") : NULL;
  for (int32_t i = 0; rows && i < TIMES; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_number(row, self->file->natural ? "t" : "t_s", times[i]);
    doc_number(row, "reached_by_then", p.by[i]);
  }
  passage_free(&p);
  return NESS_OK;
}
