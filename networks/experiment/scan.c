/* ness scan: values against parameters, exact or sampled, points in parallel. Each point compiles its own model from
 * the shared file and keeps its own diagnostics; rows stand in the order of the grid, whatever thread made them. */
#include "networks/experiment/scan.h"
#include <math.h>
#include <omp.h>
#include <string.h>

#define SCAN_BLOCK 16 /* points that start from one another */
#define SCAN_POINTS 1000000
#define SCAN_STEPS 8     /* shown where the file observes nothing */
#define SCAN_SPARE 1.2   /* more time than an error asks for, which is an estimate */
#define SCAN_LONGER 1000 /* times the time of the first round, at most */

ness_status scan_axes(ness_model *self, const char *const *settings, int32_t n, ness_diags *diags, scan_axis *axes,
                      int64_t *points)
{
  *points = 1;
  if (n < 1 || n > SCAN_AXES) {
    diag_add(diags, NESS_ERROR, "a scan runs over one to %d parameters", SCAN_AXES);
    diag_hint(diags, "write V=-100:100:5[mV]");
    return NESS_USAGE;
  }
  for (int32_t i = 0; i < n; i++) {
    stmt_item *item;
    expr_argument *rest;
    const ness_status status = lang_parse_setting(self->file, settings[i], diags, &item, &rest);
    if (status != NESS_OK) return status;
    axes[i] = (scan_axis){.path = item->path, .name = setting_name(self->file, settings[i])};
    if (!axes[i].name) return NESS_NOMEM;
    if (!range_find(self->compiled, item->value, rest, item->place, SCAN_POINTS, diags, &axes[i].points))
      return NESS_USAGE;
    axes[i].from = axes[i].to = axes[i].points.from;
    axes[i].range = rest != NULL;
    axes[i].stepped = rest && rest->range_by;
    if (rest && !lang_evaluate(self->compiled, rest->range_to, NULL, NULL, diags, &axes[i].to)) return NESS_USAGE;
    *points *= axes[i].points.count;
    if (*points > SCAN_POINTS) {
      diag_add(diags, NESS_ERROR, "the grid has more than %d points", SCAN_POINTS);
      return NESS_USAGE;
    }
  }
  return NESS_OK;
}

quantity scan_value(const scan_table *self, int32_t axis, int64_t index)
{
  const scan_axis *const a = &self->axes[axis];
  for (int32_t i = self->naxes - 1; i > axis; i--) index /= self->axes[i].points.count;
  return range_value(&a->points, index % a->points.count);
}

static void scan_values(const scan_table *self, int64_t index, double x[SCAN_AXES])
{
  for (int32_t a = 0; a < self->naxes; a++) x[a] = scan_value(self, a, index).value;
}

static ness_status scan_point(const ness_model *self, const ness_scan_options *o, scan_table *table, int64_t index,
                              cme_solution *like, ness_diags *diags)
{
  double x[SCAN_AXES];
  point p;
  question ask = table->ask;
  ness_simulate_options simulation = o->simulation;
  ask.limits.like = like->parts ? like : NULL;
  if (table->longer) {
    simulation.seed++; /* what decided how long is no part of the answer */
    if (simulation.time > 0)
      simulation.time = simulation.warmup + (simulation.time - simulation.warmup) * table->longer[index];
    simulation.events = (int64_t)((double)simulation.events * table->longer[index]);
  }
  scan_values(table, index, x);
  ness_status status = point_ask(self, table->axes, x, table->naxes, &ask, o->simulate ? &simulation : NULL, diags, &p);
  for (int32_t c = 0; c < table->ncolumns && status == NESS_OK; c++) {
    estimate e;
    if (!values_estimate(&p.v, table->columns[c], diags, &e)) {
      status = NESS_USAGE;
      break;
    }
    table->cells[index * table->ncolumns + c] = (scan_cell){e.value.value, e.error, e.value.unit};
    estimate_free(&e);
  }
  cme_solution_free(like); /* the next point starts from here */
  *like = p.exact;
  p.exact = (cme_solution){0};
  point_free(&p);
  return status;
}

/* The steps that an expression can name, at most `most` of them. */
static int32_t scan_steps(const ness_network *net, int32_t most, int32_t *step)
{
  int32_t n = 0;
  for (int32_t i = 0; i < net->nstep && n < most; i++) {
    if (!strpbrk(network_text(net, net->step_name[i]), " '#")) step[n++] = i;
  }
  return n;
}

static ness_status scan_columns(ness_model *self, const ness_scan_options *o, ness_diags *diags, expr ***columns,
                                const char ***titles, int32_t *n)
{
  const ness_network *const net = lang_network(self->compiled);
  int32_t step[SCAN_STEPS];
  const int32_t defaults = net->nobs > 0 ? net->nobs : scan_steps(net, SCAN_STEPS, step);
  *n = o->ncolumns > 0 ? o->ncolumns : defaults + 1;
  *columns = mem_zero((size_t)*n + 1, sizeof **columns);
  *titles = mem_zero((size_t)*n + 1, sizeof **titles);
  if (!*columns || !*titles) return NESS_NOMEM;
  for (int32_t i = 0; i < *n; i++) {
    (*titles)[i] = o->ncolumns > 0 ? o->columns[i]
                   : i == defaults ? "sigma"
                   : net->nobs > 0
                       ? network_text(net, net->obs_name[i])
                       : arena_format(&self->file->memory, "rate(%s)", network_text(net, net->step_name[step[i]]));
    if (!(*titles)[i]) return NESS_NOMEM;
    const ness_status status = lang_parse_expression(self->file, (*titles)[i], diags, &(*columns)[i]);
    if (status != NESS_OK) return status;
  }
  return NESS_OK;
}

static ness_status scan_question(const ness_scan_options *o, question *ask, ness_diags *diags)
{
  if (o->what && !question_named(o->what, &ask->kind)) {
    diag_add(diags, NESS_ERROR, "a scan cannot solve for %s", o->what);
    diag_hint(diags, "steady, transient, ode or lna; noise, control, passage and relaxation are columns: --column "
                     "'fano(rate(r1))'");
    return NESS_USAGE;
  }
  if (ask->kind == QUESTION_STEADY || o->simulate) return NESS_OK;
  if (o->ncolumns == 0 && (ask->kind == QUESTION_TRANSIENT || ask->time > 0)) {
    diag_add(diags, NESS_ERROR, "a scan in time needs its columns");
    diag_hint(diags, "as in --column 'mean_at(X, 2)'");
    return NESS_USAGE;
  }
  return question_times(ask, diags);
}

/* All points; `first_bad` is the first that failed, with its status, or the number of points. Neighbours in a block
 * start from each other; blocks, and so all results, do not depend on the threads. */
static ness_status scan_points(const ness_model *self, const ness_scan_options *options, scan_table *table,
                               int64_t *first_bad)
{
  const int64_t points = table->points, blocks = (points + SCAN_BLOCK - 1) / SCAN_BLOCK;
  const int64_t asked = table->longer ? table->again : points;
  int64_t done = 0, worst = points;
  ness_status bad = NESS_OK;
  const double start = omp_get_wtime();
  double shown = start;
  const int threads = options->simulation.threads > 0 ? options->simulation.threads : omp_get_max_threads();
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t block = 0; block < blocks; block++) {
    cme_solution like = {0};
    for (int64_t i = block * SCAN_BLOCK; i < points && i < (block + 1) * SCAN_BLOCK; i++) {
      int64_t before;
#pragma omp atomic read
      before = worst;
      if (i > before || interrupt_pending() || (table->longer && table->longer[i] == 0)) continue;
      ness_diags *const own = ness_diags_create();
      const ness_status mine = own ? scan_point(self, options, table, i, &like, own) : NESS_NOMEM;
#pragma omp critical(scan_progress)
      {
        done++;
        if (mine != NESS_OK && i < worst) {
#pragma omp atomic write
          worst = i;
          bad = mine;
        }
        const double now = omp_get_wtime();
        if (options->progress && omp_get_thread_num() == 0 && now - shown > 0.2) {
          shown = now;
          if (options->progress(options->progress_context, (double)done, (double)asked, 0, now - start))
            ness_interrupt();
        }
      }
      ness_diags_free(own);
    }
    cme_solution_free(&like);
  }
  *first_bad = worst;
  return bad;
}

/* Which points are simulated again, and how much longer. */
static ness_status scan_again(const ness_scan_options *options, scan_table *table)
{
  const int32_t columns = table->ncolumns;
  double most = 0;
  table->longer = mem_zero((size_t)table->points + 1, sizeof *table->longer);
  if (!table->longer) return NESS_NOMEM;
  for (int64_t i = 0; i < table->points; i++) {
    const double value = fabs(table->cells[i * columns].value);
    if (isfinite(value)) most = fmax(most, value);
  }
  for (int64_t i = 0; i < table->points; i++) {
    const double by = table->cells[i * columns].error / (options->precision * most);
    if (!(by > 1) || !isfinite(by)) continue;
    table->longer[i] = fmin(SCAN_SPARE * by * by, SCAN_LONGER);
    table->again++;
  }
  return NESS_OK;
}

ness_status scan_fill(ness_model *self, const ness_scan_options *options, ness_diags *diags, scan_table *out)
{
  int64_t first_bad;
  *out = (scan_table){
      .naxes = options->nsettings,
      .ask = {.limits.max_states = options->max_states, .time = options->simulation.time, .every = options->every}};
  if (self->imported) {
    diag_add(diags, NESS_ERROR, "a file of rates has no parameters to scan");
    return NESS_USAGE;
  }
  ness_status status = scan_axes(self, options->settings, options->nsettings, diags, out->axes, &out->points);
  if (status == NESS_OK) status = scan_columns(self, options, diags, &out->columns, &out->titles, &out->ncolumns);
  if (status == NESS_OK) {
    out->cells = mem_zero((size_t)out->points * (size_t)out->ncolumns + 1, sizeof *out->cells);
    status = out->cells ? scan_question(options, &out->ask, diags) : NESS_NOMEM;
  }
  if (status != NESS_OK) return status;
  ness_status bad = scan_points(self, options, out, &first_bad);
  if (!bad && options->simulate && options->precision > 0 && !interrupt_pending()) {
    status = scan_again(options, out);
    if (status) return status;
    bad = scan_points(self, options, out, &first_bad);
  }
  if (interrupt_pending()) return NESS_STOPPED;
  if (bad == NESS_OK) return NESS_OK;
  /* Run the first point that failed once more, now with the caller's diagnostics. */
  cme_solution like = {0};
  double x[SCAN_AXES];
  text_buffer where = {0};
  status = scan_point(self, options, out, first_bad, &like, diags);
  cme_solution_free(&like);
  scan_values(out, first_bad, x);
  point_words(out->axes, x, out->naxes, &where);
  diag_add(diags, NESS_NOTE, "the scan stopped at %s", where.data ? where.data : "");
  text_clear(&where);
  return status == NESS_OK ? bad : status;
}

void scan_free(scan_table *self)
{
  mem_free(self->cells);
  mem_free(self->longer);
  mem_free((void *)self->columns);
  mem_free((void *)self->titles);
  *self = (scan_table){0};
}

void scan_answer(const scan_table *self, bool errors, doc_node *root)
{
  doc_node *const rows = doc_array(root, "table");
  for (int64_t i = 0; i < self->points; i++) {
    doc_node *const row = doc_object(rows, NULL);
    for (int32_t a = 0; a < self->naxes; a++) answer_column(row, self->axes[a].name, scan_value(self, a, i));
    for (int32_t c = 0; c < self->ncolumns; c++) {
      const scan_cell *const cell = &self->cells[i * self->ncolumns + c];
      answer_column(row, self->titles[c], (quantity){cell->value, cell->unit});
      if (!errors) continue;
      text_buffer key = {0};
      text_add(&key, "%s error", self->titles[c]);
      if (!key.failed) answer_column(row, key.data, (quantity){cell->error, cell->unit});
      text_clear(&key);
    }
  }
}

ness_status ness_scan(ness_model *self, const ness_scan_options *options, ness_diags *diags, ness_doc **out)
{
  scan_table table;
  *out = NULL;
  ness_status status = scan_fill(self, options, diags, &table);
  if (status == NESS_OK) {
    const question_kind kind = table.ask.kind;
    ness_doc *const doc = doc_create("scan");
    doc_node *const root = doc_root(doc);
    doc_string(root, "model", "%s", lang_network(self->compiled)->model_name);
    doc_string(root, "method", "%s",
               options->simulate            ? "simulation, errors over batches of replicas"
               : kind == QUESTION_STEADY    ? "exact, steady state of the master equation"
               : kind == QUESTION_TRANSIENT ? "exact, master equation in time"
               : kind == QUESTION_ODE       ? "rate equations"
                                            : "linear noise approximation");
    doc_int(root, "points", table.points);
    if (table.longer) doc_int(root, "points_simulated_again", table.again);
    scan_answer(&table, options->simulate, root);
    answer_conventions(doc);
    status = doc_finish(doc);
    if (status != NESS_OK) ness_doc_free(doc);
    else *out = doc;
  }
  scan_free(&table);
  return status;
}
