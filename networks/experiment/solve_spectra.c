/* ness solve noise: the power spectra of currents and counts in the steady state. Currents are counted in events, as
 * cumulants are, so that what stands at frequency 0 is their variance rate. Frequencies are spread evenly by factors,
 * from a tenth of the slowest relaxation to ten times the fastest rate unless they are asked for. */
#include "engine/cme/spectral.h"
#include "networks/experiment/solve.h"
#include <math.h>

#define SPECTRA_STEPS 8 /* frequencies a decade */
#define SPECTRA_MOST 10000
#define SPECTRA_TURN 6.283185307179586

typedef struct watched { /* what was asked for */
  int32_t n;
  const char **title;
  spectral_observable *of; /* (n) into weight and count */
  double *weight, *count;
  bool *flows; /* (n) a current, not a count */
} watched;

static void watched_free(watched *self)
{
  mem_free((void *)self->title);
  mem_free(self->of);
  mem_free(self->weight);
  mem_free(self->count);
  mem_free(self->flows);
}

/* What was asked for, else the observables, else every step and every count. */
static const char *watched_text(ness_model *self, const ness_solve_options *o, int32_t i)
{
  const ness_network *const net = lang_network(self->compiled);
  if (o->nof > 0) return o->of[i];
  if (net->nobs > 0) return network_text(net, net->obs_name[i]);
  return i < net->nstep
             ? arena_format(&self->file->memory, "rate(%s)", network_text(net, net->step_name[i]))
             : arena_format(&self->file->memory, "mean(%s)", network_text(net, net->slot_name[i - net->nstep]));
}

static ness_status watched_load(ness_model *self, const ness_solve_options *o, ness_diags *diags, watched *out)
{
  const ness_network *const net = lang_network(self->compiled);
  const int32_t n = o->nof > 0 ? o->nof : net->nobs > 0 ? net->nobs : net->nstep + net->nslot;
  const size_t rows = (size_t)n + 1, directions = 2 * (size_t)net->nstep, slots = (size_t)net->nslot;
  *out = (watched){.n = n,
                   .title = mem_zero(rows, sizeof *out->title),
                   .of = mem_zero(rows, sizeof *out->of),
                   .weight = mem_zero(rows * directions + 1, sizeof *out->weight),
                   .count = mem_zero(rows * slots + 1, sizeof *out->count),
                   .flows = mem_zero(rows, sizeof *out->flows)};
  if (!out->title || !out->of || !out->weight || !out->count || !out->flows) return NESS_NOMEM;
  for (int32_t i = 0; i < n; i++) {
    expr *node;
    lang_linear l;
    if (!(out->title[i] = watched_text(self, o, i))) return NESS_NOMEM;
    const ness_status status = lang_parse_expression(self->file, out->title[i], diags, &node);
    if (status) return status;
    if (!lang_linear_of(self->compiled, node, diags, &l)) return NESS_USAGE;
    double *const weight = out->weight + (size_t)i * directions, *const count = out->count + (size_t)i * slots;
    for (int32_t k = 0; k < l.n; k++) out->flows[i] = out->flows[i] || l.kind[k] != OBS_COUNT;
    l.scale.value = 1; /* in events */
    response_weights(&l, weight, count);
    out->of[i] = (spectral_observable){weight, count};
  }
  return NESS_OK;
}

/* --- at which frequencies --- */

typedef struct frequencies {
  int32_t n;
  double *f; /* (n) Hz; the first is 0 */
} frequencies;

/* From and to, Hz, as asked for. */
static ness_status range_read(ness_model *self, const char *given, ness_diags *diags, double *from, double *to)
{
  const char *const text = arena_format(&self->file->memory, "f=%s", given);
  const lang_unit unit = self->file->natural ? UNIT_NONE : UNIT_RATE;
  stmt_item *item;
  expr_argument *range;
  quantity q[2];
  if (!text) return NESS_NOMEM;
  const ness_status status = lang_parse_setting(self->file, text, diags, &item, &range);
  if (status) return status;
  const expr *const end = range && range->range_to ? range->range_to : item->value;
  if (!lang_evaluate(self->compiled, item->value, NULL, NULL, diags, &q[0]) ||
      !lang_evaluate(self->compiled, end, NULL, NULL, diags, &q[1]))
    return NESS_USAGE;
  const bool plain = unit_equal(q[0].unit, UNIT_NONE) && unit_equal(q[1].unit, UNIT_NONE);
  const bool fits = plain || (unit_equal(q[0].unit, unit) && unit_equal(q[1].unit, unit));
  *from = q[0].value;
  *to = q[1].value;
  if (fits && *from > 0 && *to >= *from && isfinite(*to)) return NESS_OK;
  diag_add(diags, NESS_ERROR, "%s are no frequencies", given);
  diag_hint(diags, "write from:to above 0, as in --frequency 1:1000, or --frequency 1:50[kHz]");
  return NESS_USAGE;
}

/* From the slowest relaxation to the fastest rate out of a state. */
static ness_status band_find(const cme_solution *s, double *from, double *to)
{
  double slow = INFINITY, fast = 0;
  for (int32_t p = 0; p < s->nparts; p++) {
    const cme_part *const part = &s->parts[p];
    spectrum found;
    const ness_status status = part_spectrum(part, 2, &found);
    for (int32_t i = 0; status == NESS_OK && i < found.count; i++)
      if (found.real[i] < 0) slow = fmin(slow, -found.real[i]);
    spectrum_free(&found);
    if (status == NESS_NOMEM || status == NESS_INTERRUPTED) return status;
    for (int32_t i = 0; i < part->q.n; i++) {
      double out = 0;
      for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) out += part->q.rate[e];
      fast = fmax(fast, part->p[i] > 0 ? out : 0);
    }
  }
  if (!(fast > 0)) fast = 1; /* nothing moves: the spectra are 0 everywhere */
  if (!(slow <= fast)) slow = fast;
  *from = slow / SPECTRA_TURN / 10;
  *to = fast / SPECTRA_TURN * 10;
  return NESS_OK;
}

static ness_status frequencies_find(ness_model *self, const char *given, const cme_solution *s, ness_diags *diags,
                                    frequencies *out)
{
  double from = 0, to = 0;
  const ness_status status = given ? range_read(self, given, diags, &from, &to) : band_find(s, &from, &to);
  if (status) return status;
  const double steps = ceil(log10(to / from) * SPECTRA_STEPS - 1e-9);
  if (steps > SPECTRA_MOST) {
    diag_add(diags, NESS_ERROR, "%s are more than %d frequencies", given ? given : "these", SPECTRA_MOST);
    return NESS_USAGE;
  }
  out->n = (int32_t)steps + 2;
  out->f = mem_zero((size_t)out->n, sizeof *out->f);
  for (int32_t i = 1; out->f && i < out->n; i++)
    out->f[i] = i == out->n - 1 ? to : from * pow(10, (double)(i - 1) / SPECTRA_STEPS);
  return out->f ? NESS_OK : NESS_NOMEM;
}

/* --- the answer --- */

static void spectra_rows(const watched *list, const frequencies *at, const spectral *found, bool natural,
                         doc_node *root)
{
  doc_string(
      root, "density_is", "%s",
      "two-sided: the integral of the covariance times exp(-2 pi i f t) over all t; twice this where only f > 0 is "
      "counted. Of a current per second of events squared, of a count squared times a second");
  doc_node *const rows = doc_array(root, "spectra");
  for (int32_t o = 0; o < list->n; o++) {
    const double *const density = found->density + (int64_t)o * at->n;
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "of", "%s", list->title[o]);
    doc_string(row, "kind", "%s", list->flows[o] ? "current" : "count");
    doc_number(row, "at_zero", density[0]);
    doc_number(row, "shot", found->shot[o]);
  }
  doc_node *const table = doc_array(root, "table");
  for (int32_t f = 0; f < at->n; f++) {
    doc_node *const row = doc_object(table, NULL);
    doc_number(row, natural ? "f" : "f [Hz]", at->f[f]);
    for (int32_t o = 0; o < list->n; o++) doc_number(row, list->title[o], found->density[(int64_t)o * at->n + f]);
  }
}

ness_status solve_noise(ness_model *self, const ness_solve_options *o, const cme_options *limits, ness_diags *diags,
                        doc_node *root)
{
  const ness_network *const net = lang_network(self->compiled);
  watched list = {0};
  frequencies at = {0};
  spectral found = {0};
  cme_solution s = {0};
  ness_status status = watched_load(self, o, diags, &list);
  if (status == NESS_OK) status = cme_steady(net, limits, diags, &s);
  if (status == NESS_OK) status = frequencies_find(self, o->frequency, &s, diags, &at);
  if (status == NESS_OK) status = spectral_find(net, &s, list.n, list.of, at.n, at.f, 0, diags, &found);
  if (status == NESS_OK) {
    solve_method(&s, root);
    spectra_rows(&list, &at, &found, self->file->natural, root);
  }
  spectral_free(&found);
  cme_solution_free(&s);
  mem_free(at.f);
  watched_free(&list);
  return status;
}
