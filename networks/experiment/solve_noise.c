/* ness solve cumulants, sensitivity: how noisy the currents of a steady state are, and which step or parameter changes
 * them. */
#include "engine/cme/noise.h"
#include "networks/experiment/solve.h"
#include <math.h>
#include <string.h>

/* The expressions that were asked for, else the observables, else every step. */
typedef struct asked {
  int32_t n;
  expr **node;
  const char **title;
} asked;

static ness_status asked_load(ness_model *self, const ness_solve_options *o, bool moments, ness_diags *diags,
                              asked *out)
{
  const ness_network *const net = lang_network(self->compiled);
  const int32_t defaults = net->nobs > 0 ? net->nobs : net->nstep;
  int32_t n = o->nof > 0 ? o->nof : defaults + moments;
  *out = (asked){.node = mem_zero((size_t)n + 1, sizeof *out->node), .title = mem_zero((size_t)n + 1, sizeof(char *))};
  ness_status status = out->node && out->title ? NESS_OK : NESS_NOMEM;
  for (int32_t i = 0; status == NESS_OK && i < n; i++) {
    const char *const text = o->nof > 0      ? o->of[i]
                             : i == defaults ? "sigma"
                             : net->nobs > 0
                                 ? network_text(net, net->obs_name[i])
                                 : arena_format(&self->file->memory, "rate(%s)", network_text(net, net->step_name[i]));
    if (!text) return NESS_NOMEM;
    bool counts = false; /* an observable of counts is no current */
    for (int32_t k = o->nof > 0 || moments || net->nobs == 0 ? 0 : net->obs_start[i];
         o->nof == 0 && !moments && net->nobs > 0 && k < net->obs_start[i + 1]; k++) {
      counts = counts || net->obs_kind[k] == OBS_COUNT;
    }
    if (counts) continue;
    out->title[out->n] = text;
    status = lang_parse_expression(self->file, text, diags, &out->node[out->n++]);
  }
  return status;
}

static void asked_free(asked *self)
{
  mem_free(self->node);
  mem_free((void *)self->title);
}

/* --- cumulants --- */

static void noise_rows(const asked *list, const quantity *count, const noise *n, double entropy, bool natural,
                       doc_node *root)
{
  doc_node *const rows = doc_array(root, "currents");
  const lang_unit rate = natural ? UNIT_NONE : UNIT_RATE;
  for (int32_t i = 0; i < list->n; i++) {
    const double *const k = n->cumulant + (int64_t)i * NOISE_ORDER;
    const double c = count[i].value;
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "current", "%s", list->title[i]);
    answer_quantity(row, "mean", (quantity){k[0] * c, unit_add(count[i].unit, rate)});
    doc_number(row, "events_per_s", k[0]);
    doc_number(row, "variance_rate", k[1]);
    doc_number(row, "third_cumulant", k[2]);
    doc_number(row, "fourth_cumulant", k[3]);
    if (k[0] == 0) {
      doc_null(row, "fano");
      continue;
    }
    doc_number(row, "fano", k[1] / fabs(k[0]));
    if (isfinite(entropy)) doc_number(row, "uncertainty_product", k[1] * entropy / (k[0] * k[0]));
  }
}

static void covariance_rows(const asked *list, const noise *n, doc_node *root)
{
  doc_node *const rows = doc_array(root, "covariances");
  for (int32_t i = 0; i < list->n; i++) {
    for (int32_t j = i + 1; j < list->n; j++) {
      const double cov = n->covariance[(int64_t)i * list->n + j];
      const double vi = n->covariance[(int64_t)i * list->n + i], vj = n->covariance[(int64_t)j * list->n + j];
      doc_node *const row = doc_object(rows, NULL);
      doc_string(row, "current", "%s", list->title[i]);
      doc_string(row, "with", "%s", list->title[j]);
      doc_number(row, "covariance_rate", cov);
      doc_number(row, "correlation", cov / sqrt(vi * vj));
    }
  }
}

/* The generating function of the first current at the tilts that were asked for. */
static ness_status tilt_rows(ness_model *self, const char *tilt, const cme_solution *s, const double *weight,
                             ness_diags *diags, doc_node *root)
{
  enum { MOST = 10001 };
  const ness_network *const net = lang_network(self->compiled);
  const char *const text = arena_format(&self->file->memory, "s=%s", tilt);
  stmt_item *item;
  expr_argument *range;
  quantity q[3] = {{0}};
  if (!text) return NESS_NOMEM;
  ness_status status = lang_parse_setting(self->file, text, diags, &item, &range);
  if (status != NESS_OK) return status;
  const expr *const part[3] = {item->value, range ? range->range_to : NULL, range ? range->range_by : NULL};
  for (int i = 0; i < 3; i++) {
    if (part[i] && !lang_evaluate(self->compiled, part[i], NULL, NULL, diags, &q[i])) return NESS_USAGE;
  }
  const double by = part[2] ? q[2].value : (q[1].value - q[0].value) / 20;
  const double count = part[1] ? floor((q[1].value - q[0].value) / by * (1 + 1e-12)) : 0;
  if (!(count >= 0 && count < MOST) || (range && range->factor)) {
    diag_add(diags, NESS_ERROR, "the tilts %s have no points, or more than %d", tilt, MOST - 1);
    diag_hint(diags, "write from:to:step, as in --tilt -2:2:0.25");
    return NESS_USAGE;
  }
  const int32_t n = (int32_t)count + 1;
  deviations d = {0};
  double *const tilts = mem_zero((size_t)n, sizeof *tilts);
  for (int32_t i = 0; tilts && i < n; i++) tilts[i] = q[0].value + i * by;
  status = tilts ? noise_deviations(net, s, weight, n, tilts, diags, &d) : NESS_NOMEM;
  doc_node *const rows = status == NESS_OK ? doc_array(root, "generating_function") : NULL;
  for (int32_t i = 0; status == NESS_OK && i < n; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_number(row, "s", d.s[i]);
    doc_number(row, "value", d.value[i]);
    doc_number(row, "current", d.slope[i]);
    doc_number(row, "rate_function", d.rate[i]);
    doc_number(row, "error_below", d.error[i]);
  }
  deviations_free(&d);
  mem_free(tilts);
  return status;
}

ness_status solve_cumulants(ness_model *self, const ness_solve_options *o, const cme_options *limits, ness_diags *diags,
                            doc_node *root)
{
  const ness_network *const net = lang_network(self->compiled);
  const size_t width = 2 * (size_t)net->nstep;
  asked list;
  noise n = {0};
  cme_solution s = {0};
  values v = {.model = self->compiled, .exact = &s, .left_out = -1};
  hook_context c = {&v, diags};
  ness_status status = asked_load(self, o, false, diags, &list);
  double *const weight = mem_zero(((size_t)list.n + 1) * width + 1, sizeof *weight);
  quantity *const count = mem_zero((size_t)list.n + 1, sizeof *count);
  if (status == NESS_OK && (!weight || !count)) status = NESS_NOMEM;
  for (int32_t i = 0; status == NESS_OK && i < list.n; i++) {
    if (!values_weights(&c, list.node[i], weight + (size_t)i * width, &count[i])) status = NESS_USAGE;
  }
  if (status == NESS_OK) status = cme_steady(net, limits, diags, &s);
  if (status == NESS_OK) status = noise_cumulants(net, &s, list.n, weight, diags, &n);
  if (status == NESS_OK) {
    solve_method(&s, root);
    doc_number(root, "entropy_production_kb_per_s", s.entropy);
    noise_rows(&list, count, &n, s.entropy, self->file->natural, root);
    if (list.n > 1) covariance_rows(&list, &n, root);
    if (o->tilt) status = tilt_rows(self, o->tilt, &s, weight, diags, root);
  }
  noise_free(&n);
  cme_solution_free(&s);
  mem_free(weight);
  mem_free(count);
  asked_free(&list);
  return status;
}

/* --- sensitivity --- */

static void control_rows(const ness_network *net, const char *title, const response *r, doc_node *rows)
{
  for (int32_t s = 0; s < net->nstep; s++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, "of", "%s", title);
    doc_string(row, "step", "%s", network_text(net, net->step_name[s]));
    if (r->value == 0) { /* nothing to be relative to */
      doc_null(row, "control");
      continue;
    }
    doc_number(row, "control", r->log_ka[s] / r->value);
    doc_number(row, "forward_alone", r->log_k[2 * s] / r->value);
    doc_number(row, "backward_alone", r->log_k[2 * s + 1] / r->value);
  }
}

/* How much of the unit that a quantity is shown in one SI unit is. */
static double words_scale(lang_unit unit, char words[64])
{
  return answer_words((quantity){1, unit}, words);
}

/* dx/dp and p/x dx/dp, in the words that x and p are shown in. */
static void derivative_row(const char *title, const char *name, quantity x, quantity p, double slope, doc_node *rows)
{
  char x_words[64], p_words[64];
  const double x_scale = words_scale(x.unit, x_words), p_scale = words_scale(p.unit, p_words);
  const bool joined = strpbrk(p_words, "/ ") != NULL;
  doc_node *const row = doc_object(rows, NULL);
  doc_string(row, "of", "%s", title);
  doc_string(row, "parameter", "%s", name);
  doc_number(row, "value", p.value * p_scale);
  doc_string(row, "unit", "%s", p_words);
  doc_number(row, "derivative", slope * x_scale / p_scale);
  if (p_words[0]) doc_string(row, "derivative_unit", joined ? "%s/(%s)" : "%s/%s", x_words[0] ? x_words : "1", p_words);
  else doc_string(row, "derivative_unit", "%s", x_words);
  doc_number(row, "elasticity", slope * p.value / x.value);
}

static ness_status derivative_rows(hook_context *c, const asked *list, doc_node *root)
{
  derivative_names names = {0};
  double *slope = NULL;
  ness_status status = derivative_names_find(c, list->node, list->n, &names);
  if (status == NESS_OK && !(slope = mem_zero((size_t)names.n + 1, sizeof *slope))) status = NESS_NOMEM;
  doc_node *const rows = status == NESS_OK && names.n > 0 ? doc_array(root, "parameters") : NULL;
  for (int32_t i = 0; status == NESS_OK && rows && i < list->n; i++) {
    quantity x;
    if (!derivatives_of(c, list->node[i], names.slopes, names.n, &x, slope)) {
      status = diag_errors(c->diags) ? NESS_NUMERIC : NESS_NOMEM;
      break;
    }
    for (int32_t k = 0; k < names.n; k++)
      derivative_row(list->title[i], names.name[k], x, names.slopes[k].value, slope[k], rows);
  }
  doc_node *const without = status == NESS_OK && names.nrefused > 0 ? doc_array(root, "without_derivative") : NULL;
  for (int32_t k = 0; without && k < names.nrefused; k++) {
    doc_node *const row = doc_object(without, NULL);
    doc_string(row, "parameter", "%s", names.refused[k]);
    doc_string(row, "reason", "%s", names.reason[k]);
  }
  derivative_names_free(&names);
  mem_free(slope);
  return status;
}

ness_status solve_sensitivity(ness_model *self, const ness_solve_options *o, const cme_options *limits,
                              ness_diags *diags, doc_node *root)
{
  const ness_network *const net = lang_network(self->compiled);
  asked list;
  cme_solution s = {0};
  values v = {.model = self->compiled, .exact = &s, .left_out = -1};
  hook_context c = {&v, diags};
  ness_status status = asked_load(self, o, true, diags, &list);
  if (status == NESS_OK) status = cme_steady(net, limits, diags, &s);
  if (status == NESS_OK) solve_method(&s, root);
  if (status == NESS_OK && o->nof == 0 && s.one_way_running >= 0) list.n--; /* sigma is infinite */
  doc_node *const values_of = status == NESS_OK ? doc_array(root, "values") : NULL;
  doc_node *const rows = status == NESS_OK ? doc_array(root, "control") : NULL;
  for (int32_t i = 0; status == NESS_OK && i < list.n; i++) {
    response r = {0};
    if (!response_of(&c, list.node[i], &r)) {
      status = diag_errors(diags) ? NESS_NUMERIC : NESS_NOMEM;
      break;
    }
    doc_node *const row = doc_object(values_of, NULL);
    doc_string(row, "of", "%s", list.title[i]);
    estimate e;
    if (values_estimate(&v, list.node[i], diags, &e)) answer_quantity(row, "value", e.value);
    control_rows(net, list.title[i], &r, rows);
    response_free(&r);
  }
  if (status == NESS_OK) status = derivative_rows(&c, &list, root);
  cme_solution_free(&s);
  asked_free(&list);
  return status;
}
