/* ness iv: currents against a voltage, and where they turn round. The table is that of a scan; in every interval of it
 * whose ends have different signs the root is found, exactly, or from a simulation by a cubic through its neighbours.
 * Invariant: each change of sign in the table is one row of the reversals. Cost: the scan, and some 10 solutions a
 * reversal. */
#include "networks/experiment/study.h"
#include <math.h>
#include <string.h>

#define IV_COLUMNS 64
#define IV_SIGMAS 1.959963984540054 /* of an interval of 95 % */

static const lang_unit IV_AMPERE = {0, 0, 0, 1, 0};

typedef struct iv_job {
  study *self;
  const expr *of;
} iv_job;

/* --- columns --- */

/* The compartment whose potential the value moves; the only one where that cannot be told; -1. */
static int32_t iv_volt(const study *self)
{
  const ness_network *const net = lang_network(self->model->compiled);
  ness_diags *const quiet = ness_diags_create();
  lang_slopes slopes = {0};
  int32_t found = -1;
  if (quiet && !lang_slopes_find(self->model->compiled, self->axes[0].name, (lang_place){0}, quiet, &slopes)) {
    for (int32_t i = net->nvolt - 1; i >= 0; i--) found = slopes.volt[i] != 0 ? i : found;
  } else if (net->nvolt == 1) {
    found = 0;
  }
  lang_slopes_free(&slopes);
  ness_diags_free(quiet);
  return found;
}

static bool is_current(lang_model *model, const char *observable)
{
  const expr node = {.kind = EXPR_NAME, .path = {.name = {observable}, .parts = 1}};
  lang_linear linear;
  return lang_linear_of(model, &node, NULL, &linear) && unit_equal(linear.scale.unit, IV_AMPERE);
}

/* The currents that are asked for, and sigma behind them. */
static ness_status iv_columns(study *self, const char **columns, int32_t *n)
{
  const ness_study_options *const o = self->options;
  const ness_network *const net = lang_network(self->model->compiled);
  *n = 0;
  for (int32_t i = 0; i < o->nof && *n < IV_COLUMNS; i++) columns[(*n)++] = o->of[i];
  for (int32_t i = 0; o->nof == 0 && i < net->nobs && *n < IV_COLUMNS; i++) {
    const char *const name = network_text(net, net->obs_name[i]);
    if (is_current(self->model->compiled, name)) columns[(*n)++] = name;
  }
  const int32_t volt = *n ? -1 : iv_volt(self);
  if (volt >= 0) {
    columns[0] = arena_format(&self->model->file->memory, "current(%s)", network_text(net, net->volt_name[volt]));
    if (!columns[0]) return NESS_NOMEM;
    *n = 1;
  }
  if (*n == 0) {
    diag_add(self->diags, NESS_ERROR, "%s moves the potential of no compartment", self->axes[0].name);
    diag_hint(self->diags, "say which current is meant, as in --of 'current(in)'");
    return NESS_USAGE;
  }
  columns[(*n)++] = "sigma";
  return NESS_OK;
}

/* --- reversals --- */

static ness_status iv_value(void *context, double x, double *y)
{
  const iv_job *const job = context;
  point p;
  quantity q = {0, UNIT_NONE};
  const ness_status status = study_at(job->self, job->of, &x, job->self->diags, &p, &q);
  point_free(&p);
  *y = q.value;
  return status;
}

static doc_node *iv_row(const study *self, const char *title, double x, double error, doc_node *rows)
{
  const scan_axis *const a = &self->axes[0];
  doc_node *const row = doc_object(rows, NULL);
  doc_string(row, "of", "%s", title);
  answer_column(row, a->name, (quantity){x, a->from.unit});
  answer_column(row, "error", (quantity){error, a->from.unit});
  return row;
}

static ness_status iv_exact(study *self, const scan_table *table, int32_t column, double from, double to,
                            doc_node *rows)
{
  iv_job job = {self, table->columns[column]};
  root_found found;
  point at = {0};
  quantity value = {0, UNIT_NONE}, slope = {0, UNIT_NONE};
  bool exact;
  ness_status status = root_find(iv_value, &job, from, to, &found);
  if (status || !found.crosses || root_jumps(&found)) return status; /* a jump is no reversal */
  status = study_at(self, job.of, &found.x, self->diags, &at, &value);
  if (!status) status = study_slope(self, job.of, &found.x, 0, &at, &slope, &exact);
  if (!status) {
    const double error = fmax(fabs(found.bracket[0] - found.x), fabs(found.bracket[1] - found.x));
    doc_node *const row = iv_row(self, table->titles[column], found.x, error, rows);
    answer_column(row, "conductance", slope);
    answer_column(row, "sigma", (quantity){at.exact.entropy, lang_file_of(at.model)->natural ? UNIT_NONE : UNIT_RATE});
  }
  point_free(&at);
  return status;
}

typedef struct iv_fit { /* a polynomial through `n` neighbouring points of a column */
  int32_t n;
  double x[4], y[4], error[4];
} iv_fit;

static double fit_share(const iv_fit *self, int32_t i, double x)
{
  double share = 1;
  for (int32_t k = 0; k < self->n; k++) share *= k == i ? 1 : (x - self->x[k]) / (self->x[i] - self->x[k]);
  return share;
}

static ness_status fit_value(void *context, double x, double *y)
{
  const iv_fit *const self = context;
  *y = 0;
  for (int32_t i = 0; i < self->n; i++) *y += fit_share(self, i, x) * self->y[i];
  return NESS_OK;
}

/* The zero between points `index` and the next, by up to `most` points around them; the slope there and the error that
 * those of the points leave. */
static double fit_root(const scan_table *table, int32_t column, int64_t index, int32_t most, double *slope,
                       double *error)
{
  iv_fit fit = {0};
  root_found found;
  const int64_t first = index > 0 && most > 2 ? index - 1 : index;
  for (int64_t i = first; i < table->points && fit.n < most; i++, fit.n++) {
    const scan_cell *const cell = &table->cells[i * table->ncolumns + column];
    fit.x[fit.n] = scan_value(table, 0, i).value;
    fit.y[fit.n] = cell->value;
    fit.error[fit.n] = cell->error;
  }
  const double from = scan_value(table, 0, index).value, to = scan_value(table, 0, index + 1).value;
  double low, high, square = 0;
  root_find(fit_value, &fit, from, to, &found);
  const double h = 1e-4 * (to - from);
  fit_value(&fit, found.x - h, &low);
  fit_value(&fit, found.x + h, &high);
  *slope = (high - low) / (2 * h);
  for (int32_t i = 0; i < fit.n; i++) square += pow(fit_share(&fit, i, found.x) * fit.error[i], 2);
  *error = sqrt(square) / fabs(*slope);
  return found.x;
}

/* A reversal from sampled values: by a cubic where there are four points around it. The interval has the sampling
 * error, and what the cubic and the parabola differ by for that of the interpolation. */
static void iv_sampled(const study *self, const scan_table *table, int32_t column, int64_t index, doc_node *rows)
{
  double slope, error, other, unused;
  const double place = fit_root(table, column, index, 4, &slope, &error);
  const double less = fit_root(table, column, index, 3, &other, &unused);
  const double reach = IV_SIGMAS * error + fabs(place - less);
  const lang_unit unit = self->axes[0].from.unit, current = table->cells[index * table->ncolumns + column].unit;
  doc_node *const row = iv_row(self, table->titles[column], place, error, rows);
  answer_column(row, "from", (quantity){place - reach, unit});
  answer_column(row, "to", (quantity){place + reach, unit});
  answer_column(row, "conductance", (quantity){slope, unit_add(current, unit_scale(unit, -1))});
}

static ness_status iv_reversals(study *self, const scan_table *table, int32_t column, doc_node *rows)
{
  ness_status status = NESS_OK;
  for (int64_t i = 0; i < table->points && !status; i++) {
    const scan_cell *const a = &table->cells[i * table->ncolumns + column];
    const bool last = i + 1 == table->points;
    const scan_cell *const b = last ? a : a + table->ncolumns;
    const double from = scan_value(table, 0, i).value, to = scan_value(table, 0, last ? i : i + 1).value;
    /* A zero at a point of the table belongs to the interval that ends there. */
    const bool turns = !last && a->value != 0 && (a->value > 0 ? b->value <= 0 : b->value >= 0);
    const bool begins = i == 0 && a->value == 0 && b->value != 0;
    if (!turns && !begins) continue;
    if (self->options->simulate) iv_sampled(self, table, column, i, rows);
    else status = iv_exact(self, table, column, from, to, rows);
  }
  return status;
}

static ness_status iv_scan(study *self, const char *const *columns, int32_t ncolumns, scan_table *table)
{
  const ness_study_options *const o = self->options;
  const ness_scan_options scan = {.struct_size = sizeof scan,
                                  .settings = o->settings,
                                  .nsettings = o->nsettings,
                                  .columns = columns,
                                  .ncolumns = ncolumns,
                                  .simulate = o->simulate,
                                  .simulation = o->simulation,
                                  .max_states = o->max_states,
                                  .progress = o->progress,
                                  .progress_context = o->progress_context};
  return scan_fill(self->model, &scan, self->diags, table);
}

ness_status study_iv(study *self, doc_node *root)
{
  const char *columns[IV_COLUMNS + 1];
  int32_t n = 0;
  scan_table table = {0};
  ness_status status = iv_columns(self, columns, &n);
  if (!status) status = iv_scan(self, columns, n, &table);
  if (!status) {
    doc_string(root, "method",
               self->options->simulate
                   ? "simulation, errors over batches of replicas; reversals by interpolation between points"
                   : "exact, steady state of the master equation");
    doc_node *const rows = doc_array(root, "reversals");
    for (int32_t c = 0; c + 1 < n && !status; c++) status = iv_reversals(self, &table, c, rows);
    scan_answer(&table, self->options->simulate, root);
  }
  scan_free(&table);
  return status;
}
