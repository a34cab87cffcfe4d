/* ness stall, iv and optimum: what they share, and the first of them. A study varies values of the file and asks the
 * steady state anew at each. Invariant: every value is that of `ness solve` at the same values. Cost: one compilation
 * and one solution a value. */
#include "networks/experiment/study.h"
#include "networks/experiment/solve.h"
#include <math.h>
#include <string.h>

#define STUDY_STEP 1e-3  /* of a difference, as a share of the range */
#define STUDY_SHARE 1e-2 /* and of a value that is positive */
#define STUDY_FACTORS 20 /* from this ratio of the ends on the scale is logarithmic */
#define STUDY_CURVE 61   /* points of a curve */

/* --- the words of the call --- */

static bool is_count(const lang_model *model, const char *name)
{
  const char *const dot = strrchr(name, '.');
  return lang_find_text(model, LANG_SLOT, name) >= 0 || (dot && strcmp(dot, ".copies") == 0);
}

static ness_status axis_fits(const study *self, const scan_axis *axis)
{
  ness_diags *const diags = self->diags;
  const bool iv = strcmp(self->options->what, "iv") == 0;
  int32_t n;
  const lang_process *const processes = lang_processes(self->model->compiled, &n);
  for (int32_t i = 0; i < n; i++) {
    if (strcmp(processes[i].name, axis->name) != 0) continue;
    diag_add(diags, NESS_ERROR, "a process moves %s", axis->name);
    diag_hint(diags, "vary a value that the process is made of");
    return NESS_USAGE;
  }
  if (is_count(self->model->compiled, axis->name)) {
    const ness_network *const net = lang_network(self->model->compiled);
    const int32_t slot = lang_find_text(self->model->compiled, LANG_SLOT, axis->name);
    const bool answers = slot >= 0 && net->slot_var[slot] >= 0;
    diag_add(diags, NESS_ERROR,
             answers ? "%s answers back: where it rests is not chosen"
                     : "%s is a count, and a search needs a value without steps",
             axis->name);
    diag_hint(diags,
              answers ? "hold it by a param in place of the capacitor or variable" : "ness scan goes through counts");
  } else if (!axis->range) {
    diag_add(diags, NESS_ERROR, "%s has one value, no range", axis->name);
    diag_hint(diags, "write NAME=FROM:TO[UNIT]");
  } else if (!(axis->to.value > axis->from.value) || !isfinite(axis->to.value - axis->from.value)) {
    diag_add(diags, NESS_ERROR, "the range of %s does not go upward", axis->name);
    diag_hint(diags, "the smaller end comes first");
  } else if (axis->stepped && !iv) {
    diag_add(diags, NESS_ERROR, "the step of the range of %s means nothing to a search", axis->name);
    diag_hint(diags, "write NAME=FROM:TO[UNIT]");
  } else {
    return NESS_OK;
  }
  return NESS_USAGE;
}

ness_status study_axes(study *self)
{
  const ness_study_options *const o = self->options;
  int64_t points;
  self->naxes = o->nsettings;
  const ness_status status = scan_axes(self->model, o->settings, o->nsettings, self->diags, self->axes, &points);
  if (status) return status;
  if (strcmp(o->what, "optimum") != 0 && o->nsettings != 1) {
    diag_add(self->diags, NESS_ERROR, "one value is varied here, not %d", (int)o->nsettings);
    return NESS_USAGE;
  }
  for (int32_t a = 0; a < self->naxes; a++) {
    const ness_status fits = axis_fits(self, &self->axes[a]);
    if (fits) return fits;
    for (int32_t b = 0; b < a; b++) {
      if (strcmp(self->axes[a].name, self->axes[b].name) != 0) continue;
      diag_add(self->diags, NESS_ERROR, "%s has two ranges", self->axes[a].name);
      return NESS_USAGE;
    }
  }
  return NESS_OK;
}

ness_status study_of(study *self)
{
  const ness_network *const net = lang_network(self->model->compiled);
  const ness_study_options *const o = self->options;
  if (o->nof == 1) self->title = o->of[0];
  else if (o->nof == 0 && net->nobs == 1) self->title = network_text(net, net->obs_name[0]);
  if (self->title) return lang_parse_expression(self->model->file, self->title, self->diags, &self->of);
  diag_add(self->diags, NESS_ERROR,
           o->nof > 1 ? "one expression at a time" : "the file does not have one observable that would be meant");
  diag_hint(self->diags, "say of what, as in --of 'rate(%s)'", net->nstep ? network_text(net, net->step_name[0]) : "r");
  return NESS_USAGE;
}

/* --- a point --- */

ness_status study_at(const study *self, const expr *of, const double *x, ness_diags *diags, point *out, quantity *y)
{
  estimate e;
  if (interrupt_pending()) {
    *out = (point){0};
    return NESS_STOPPED;
  }
  const int32_t errors = diag_errors(diags);
  ness_status status = point_ask(self->model, self->axes, x, self->naxes, &self->ask, NULL, diags, out);
  if (status == NESS_OK && !values_estimate(&out->v, of, diags, &e)) {
    status = diag_errors(diags) == errors ? NESS_NOMEM : NESS_USAGE;
  }
  if (status == NESS_OK) {
    *y = e.value;
    estimate_free(&e);
  } else if (status != NESS_NOMEM) {
    text_buffer where = {0};
    point_words(self->axes, x, self->naxes, &where);
    diag_add(diags, NESS_NOTE, "the search stopped at %s", where.data ? where.data : "");
    text_clear(&where);
  }
  return status;
}

static ness_status slope_exact(const study *self, const expr *of, int32_t axis, const point *at, quantity *out)
{
  expr name = {.kind = EXPR_NAME, .place = of->place, .height = 1, .path = self->axes[axis].path};
  expr what = *of;
  expr_argument by = {.value = &name, .place = of->place}, first = {.value = &what, .place = of->place, .next = &by};
  const expr node = {
      .kind = EXPR_CALL, .place = of->place, .height = of->height + 1, .name = "derivative", .arguments = &first};
  ness_diags *const quiet = ness_diags_create();
  values v = at->v;
  estimate e;
  if (!quiet) return NESS_NOMEM;
  v.model = at->model;
  v.cycles = NULL;
  v.cycles_found = false;
  const bool known = v.exact && v.exact->parts && values_estimate(&v, &node, quiet, &e);
  const bool refused = !v.exact || !v.exact->parts || diag_errors(quiet) > 0;
  values_free(&v);
  ness_diags_free(quiet);
  if (!known) return refused ? NESS_MODEL : NESS_NOMEM;
  *out = e.value;
  estimate_free(&e);
  return NESS_OK;
}

/* Two central differences, of which the error of second order is taken out; near an end of the range the step shrinks.
 */
static ness_status slope_difference(const study *self, const expr *of, const double *x, int32_t axis, quantity *out)
{
  static const double place[4] = {-1, 1, -0.5, 0.5};
  const scan_axis *const a = &self->axes[axis];
  const double low = a->from.value, high = a->to.value, room = fmin(x[axis] - low, high - x[axis]);
  double h = STUDY_STEP * (high - low), y[4], middle = x[axis];
  if (low > 0) h = fmin(h, STUDY_SHARE * middle);
  if (room < h && room > 0.01 * h) h = room;
  middle = fmax(low + h, fmin(high - h, middle)); /* at an end: of a point just inside */
  lang_unit unit = UNIT_NONE;
  for (int i = 0; i < 4; i++) {
    double at[SCAN_AXES];
    point p;
    quantity q = {0, UNIT_NONE};
    memcpy(at, x, (size_t)self->naxes * sizeof *at);
    at[axis] = middle + place[i] * h;
    const ness_status status = study_at(self, of, at, self->diags, &p, &q);
    point_free(&p);
    if (status) return status;
    y[i] = q.value;
    if (q.value != 0) unit = q.unit;
  }
  const double wide = (y[1] - y[0]) / (2 * h), narrow = (y[3] - y[2]) / h;
  *out = (quantity){(4 * narrow - wide) / 3, unit_add(unit, unit_scale(a->from.unit, -1))};
  return NESS_OK;
}

ness_status study_slope(const study *self, const expr *of, const double *x, int32_t axis, const point *at,
                        quantity *out, bool *exact)
{
  const ness_status status = slope_exact(self, of, axis, at, out);
  *exact = status == NESS_OK;
  return status == NESS_MODEL ? slope_difference(self, of, x, axis, out) : status;
}

void study_answer(const study *self, const point *at, doc_node *root)
{
  const ness_network *const net = lang_network(at->model);
  ness_model there = *self->model;
  there.compiled = at->model;
  if (at->exact.parts) solve_method(&at->exact, root);
  solve_steps(net, &at->exact, root);
  solve_observables(&there, &at->exact, self->diags, root);
  solve_entropy(net, &at->exact, at->v.input_work, root);
  solve_sources(net, &at->exact, at->v.input, at->v.input_work, root);
}

/* --- the way there --- */

bool study_by_factors(const scan_axis *axis)
{
  return axis->from.value > 0 && axis->to.value > STUDY_FACTORS * axis->from.value;
}

double study_x(const scan_axis *axis, double u)
{
  const double from = axis->from.value, to = axis->to.value;
  if (u <= 0) return from;
  if (u >= 1) return to;
  return study_by_factors(axis) ? from * exp(u * log(to / from)) : from + u * (to - from);
}

static ness_status curve_fill(const study *self, const double *x, int32_t axis, lang_unit unit, doc_node *rows)
{
  const scan_axis *const a = &self->axes[axis];
  ness_diags *const quiet = ness_diags_create();
  ness_status status = quiet ? NESS_OK : NESS_NOMEM;
  for (int32_t i = 0; i < STUDY_CURVE && !status; i++) {
    double at[SCAN_AXES];
    point p;
    quantity y = {(double)NAN, unit}, sigma = {(double)NAN, UNIT_RATE};
    memcpy(at, x, (size_t)self->naxes * sizeof *at);
    at[axis] = study_x(a, (double)i / (STUDY_CURVE - 1));
    status = study_at(self, self->of, at, quiet, &p, &y);
    if (!status) sigma.value = p.exact.entropy;
    if (lang_file_of(self->model->compiled)->natural) sigma.unit = UNIT_NONE;
    point_free(&p);
    if (status != NESS_NOMEM && status != NESS_STOPPED) status = NESS_OK; /* a gap */
    doc_node *const row = doc_object(rows, NULL);
    answer_column(row, a->name, (quantity){at[axis], a->from.unit});
    answer_column(row, self->title, (quantity){y.value, unit});
    answer_column(row, "sigma", sigma);
  }
  ness_diags_free(quiet);
  return status;
}

ness_status study_curves(const study *self, const double *x, lang_unit unit)
{
  ness_doc **const curves = self->options->curves;
  for (int32_t axis = 0; curves && axis < self->naxes; axis++) {
    ness_doc *const doc = curves[axis] = doc_create("curve");
    ness_status status = doc ? curve_fill(self, x, axis, unit, doc_array(doc_root(doc), "table")) : NESS_NOMEM;
    if (!status) status = doc_finish(doc);
    if (status) return status;
  }
  return NESS_OK;
}

/* --- stall --- */

typedef struct stall_job {
  const study *self;
  lang_unit unit;
} stall_job;

static ness_status stall_value(void *context, double x, double *y)
{
  stall_job *const job = context;
  point p;
  quantity q = {0, UNIT_NONE};
  const ness_status status = study_at(job->self, job->self->of, &x, job->self->diags, &p, &q);
  point_free(&p);
  *y = q.value;
  if (q.value != 0) job->unit = q.unit;
  return status;
}

static ness_status stall_refuse(const study *self, const root_found *found, lang_unit unit)
{
  const scan_axis *const a = &self->axes[0];
  char axis_unit[64], unit_words[64];
  const double from = answer_words(a->from, axis_unit), to = answer_words(a->to, axis_unit);
  const double low = answer_words((quantity){found->from_y, unit}, unit_words);
  const double high = answer_words((quantity){found->to_y, unit}, unit_words);
  if (found->crosses) {
    const double x = answer_words((quantity){found->x, a->from.unit}, axis_unit);
    diag_add(self->diags, NESS_ERROR, "%s changes its sign at %s = %g %s in a jump, and is zero nowhere", self->title,
             a->name, x, axis_unit);
    diag_hint(self->diags, "of a ratio, ask for its numerator");
    return NESS_USAGE;
  }
  diag_add(self->diags, NESS_ERROR, "%s does not change its sign: %g %s at %s = %g %s, %g %s at %g %s", self->title,
           low, unit_words, a->name, from, axis_unit, high, unit_words, to, axis_unit);
  diag_hint(self->diags, "widen the range; with two zeros in it, ness scan %s=... shows between which values to look",
            a->name);
  return NESS_USAGE;
}

ness_status study_stall(study *self, doc_node *root)
{
  stall_job job = {self, UNIT_NONE};
  root_found found;
  point at = {0};
  quantity value = {0, UNIT_NONE}, slope = {0, UNIT_NONE};
  bool exact = false;
  ness_status status = study_of(self);
  if (status) return status;
  const scan_axis *const a = &self->axes[0];
  const lang_unit unit = a->from.unit;
  status = root_find(stall_value, &job, a->from.value, a->to.value, &found);
  if (!status && (!found.crosses || root_jumps(&found))) status = stall_refuse(self, &found, job.unit);
  if (!status) status = study_at(self, self->of, &found.x, self->diags, &at, &value);
  if (!status) status = study_slope(self, self->of, &found.x, 0, &at, &slope, &exact);
  if (!status) {
    doc_string(root, "search", "exact steady states, zero of %s in a bracket by the Illinois method", self->title);
    doc_node *const row = doc_object(doc_array(root, "table"), NULL);
    const double error = fmax(fabs(found.bracket[0] - found.x), fabs(found.bracket[1] - found.x));
    answer_column(row, a->name, (quantity){found.x, unit});
    answer_column(row, "error", (quantity){error, unit});
    answer_column(row, self->title, (quantity){value.value, job.unit});
    answer_column(row, "slope", slope);
    answer_column(row, "sigma", (quantity){at.exact.entropy, lang_file_of(at.model)->natural ? UNIT_NONE : UNIT_RATE});
    doc_string(root, "slope_by", exact ? "exact derivative" : "difference of exact values");
    study_answer(self, &at, root);
  }
  point_free(&at);
  return status ? status : study_curves(self, &found.x, job.unit);
}

/* --- the door --- */

ness_status ness_study(ness_model *self, const ness_study_options *given, ness_diags *diags, ness_doc **out)
{
  static const char *const names[] = {"stall", "iv", "optimum"};
  static ness_status (*const answers[])(study *, doc_node *) = {study_stall, study_iv, study_optimum};
  ness_study_options asked = {0}, *const options = &asked;
  int which = -1;
  *out = NULL;
  if (given) memcpy(options, given, given->struct_size < sizeof *options ? given->struct_size : sizeof *options);
  for (int i = 0; options->what && i < 3; i++) {
    if (strcmp(options->what, names[i]) == 0) which = i;
  }
  if (which < 0) {
    diag_add(diags, NESS_ERROR, "there is no study %s", options->what ? options->what : "without a name");
    diag_hint(diags, "stall, iv or optimum");
    return NESS_USAGE;
  }
  if (self->imported) {
    diag_add(diags, NESS_ERROR, "a file of rates has no parameters to vary");
    return NESS_USAGE;
  }
  study job = {.model = self, .options = options, .diags = diags, .ask.limits.max_states = options->max_states};
  ness_doc *doc = NULL;
  ness_status status = study_axes(&job);
  if (status == NESS_OK && !(doc = doc_create(names[which]))) status = NESS_NOMEM;
  if (status == NESS_OK) {
    doc_string(doc_root(doc), "model", "%s", lang_network(self->compiled)->model_name);
    status = answers[which](&job, doc_root(doc));
  }
  if (status == NESS_OK) {
    answer_conventions(doc);
    status = doc_finish(doc);
  }
  if (status != NESS_OK) ness_doc_free(doc);
  else *out = doc;
  return status;
}
