/* ness scan: values against parameters, exact or sampled, points in parallel. Each point compiles its own model from
 * the shared file and keeps its own diagnostics; rows stand in the order of the grid, whatever thread made them. */
#include "networks/experiment/driven.h"
#include <math.h>
#include <omp.h>
#include <string.h>

#define SCAN_AXES 4
#define SCAN_BLOCK 16 /* points that start from one another */
#define SCAN_POINTS 1000000

typedef struct scan_axis {
  const char *name;
  scan_range points;
} scan_axis;

typedef struct scan_cell {
  double value, error;
  lang_unit unit;
} scan_cell;

static ness_status scan_axes(ness_model *self, const ness_scan_options *o, ness_diags *diags, scan_axis *axes,
                             int64_t *points)
{
  *points = 1;
  if (o->nsettings < 1 || o->nsettings > SCAN_AXES) {
    diag_add(diags, NESS_ERROR, "a scan runs over one to %d parameters", SCAN_AXES);
    diag_hint(diags, "write V=-100:100:5[mV]");
    return NESS_USAGE;
  }
  for (int32_t i = 0; i < o->nsettings; i++) {
    stmt_item *item;
    expr_argument *rest;
    const ness_status status = lang_parse_setting(self->file, o->settings[i], diags, &item, &rest);
    if (status != NESS_OK) return status;
    axes[i].name = setting_name(self->file, o->settings[i]);
    if (!axes[i].name) return NESS_NOMEM;
    if (!range_find(self->compiled, item->value, rest, item->place, SCAN_POINTS, diags, &axes[i].points))
      return NESS_USAGE;
    *points *= axes[i].points.count;
    if (*points > SCAN_POINTS) {
      diag_add(diags, NESS_ERROR, "the grid has more than %d points", SCAN_POINTS);
      return NESS_USAGE;
    }
  }
  return NESS_OK;
}

static quantity scan_value(const scan_axis *axes, int32_t naxes, int32_t axis, int64_t point)
{
  for (int32_t i = naxes - 1; i > axis; i--) point /= axes[i].points.count;
  return range_value(&axes[axis].points, point % axes[axis].points.count);
}

static ness_status scan_point(const ness_model *self, const ness_scan_options *o, const question *ask,
                              const scan_axis *axes, int64_t point, expr *const *columns, int32_t ncolumns,
                              cme_solution *like, ness_diags *diags, scan_cell *cells)
{
  const int32_t n = self->noverrides + o->nsettings;
  lang_override *const overrides = mem_zero((size_t)n + 1, sizeof *overrides);
  if (!overrides) return NESS_NOMEM;
  for (int32_t i = 0; i < self->noverrides; i++) overrides[i] = self->overrides[i];
  for (int32_t i = 0; i < o->nsettings; i++)
    overrides[self->noverrides + i] =
        (lang_override){.name = axes[i].name, .value = scan_value(axes, o->nsettings, i, point)};
  lang_model *model = NULL;
  cme_solution exact = {0};
  evolution path = {0};
  sampled sample = {0};
  ness_status status = lang_compile(self->file, overrides, n, diags, &model);
  values v = {.model = model, .left_out = -1};
  if (status == NESS_OK && o->simulate) {
    ness_simulate_options s = o->simulation;
    s.struct_size = sizeof s;
    s.path = NULL;
    s.threads = 1; /* the points are what runs in parallel */
    s.progress = NULL;
    status = sample_run(model, &s, "", "", diags, &sample);
    sample_view(&sample, &v);
  } else if (status == NESS_OK) {
    question asked = *ask;
    asked.limits.like = like->parts ? like : NULL;
    status = question_ask(&asked, model, diags, &exact, &path, &v.input_work);
    const lang_process *const input = driven_input(model, false);
    v.input = input ? input->name : NULL;
    v.exact = path.ntimes ? NULL : &exact;
    v.path = path.ntimes ? &path : NULL;
  }
  for (int32_t c = 0; c < ncolumns && status == NESS_OK; c++) {
    estimate e;
    if (!values_estimate(&v, columns[c], diags, &e)) {
      status = NESS_USAGE;
      break;
    }
    cells[c] = (scan_cell){e.value.value, e.error, e.value.unit};
    estimate_free(&e);
  }
  values_free(&v);
  cme_solution_free(like); /* the next point starts from here */
  *like = exact;
  evolve_free(&path);
  sample_free(&sample);
  lang_model_free(model);
  mem_free(overrides);
  return status;
}

static ness_status scan_columns(ness_model *self, const ness_scan_options *o, ness_diags *diags, expr ***columns,
                                const char ***titles, int32_t *n)
{
  const ness_network *const net = lang_network(self->compiled);
  const int32_t defaults = net->nobs > 0 ? net->nobs : net->nstep < 8 ? net->nstep : 8;
  *n = o->ncolumns > 0 ? o->ncolumns : defaults + 1;
  *columns = mem_zero((size_t)*n + 1, sizeof **columns);
  *titles = mem_zero((size_t)*n + 1, sizeof **titles);
  if (!*columns || !*titles) return NESS_NOMEM;
  for (int32_t i = 0; i < *n; i++) {
    (*titles)[i] = o->ncolumns > 0 ? o->columns[i]
                   : i == defaults ? "sigma"
                   : net->nobs > 0
                       ? network_text(net, net->obs_name[i])
                       : arena_format(&self->file->memory, "rate(%s)", network_text(net, net->step_name[i]));
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

ness_status ness_scan(ness_model *self, const ness_scan_options *options, ness_diags *diags, ness_doc **out)
{
  scan_axis axes[SCAN_AXES];
  int64_t points = 0;
  expr **columns = NULL;
  const char **titles = NULL;
  int32_t ncolumns = 0;
  *out = NULL;
  if (self->imported) {
    diag_add(diags, NESS_ERROR, "a file of rates has no parameters to scan");
    return NESS_USAGE;
  }
  ness_status status = scan_axes(self, options, diags, axes, &points);
  if (status == NESS_OK) status = scan_columns(self, options, diags, &columns, &titles, &ncolumns);
  scan_cell *const cells = status == NESS_OK ? mem_zero((size_t)points * (size_t)ncolumns + 1, sizeof *cells) : NULL;
  if (status == NESS_OK && !cells) status = NESS_NOMEM;
  question ask = {.limits.max_states = options->max_states, .time = options->simulation.time, .every = options->every};
  if (status == NESS_OK) status = scan_question(options, &ask, diags);
  int64_t done = 0, first_bad = points;
  ness_status bad = NESS_OK;
  const double start = omp_get_wtime();
  double shown = start;
  /* Neighbours in a block start from each other; blocks, and so all results, do not depend on the threads. */
  const int64_t blocks = status == NESS_OK ? (points + SCAN_BLOCK - 1) / SCAN_BLOCK : 0;
#pragma omp parallel for schedule(dynamic)
  for (int64_t block = 0; block < blocks; block++) {
    cme_solution like = {0};
    for (int64_t i = block * SCAN_BLOCK; i < points && i < (block + 1) * SCAN_BLOCK; i++) {
      int64_t before;
#pragma omp atomic read
      before = first_bad;
      if (i > before || interrupt_pending()) continue;
      ness_diags *const own = ness_diags_create();
      const ness_status mine = own ? scan_point(self, options, &ask, axes, i, columns, ncolumns, &like, own,
                                                cells + (size_t)i * (size_t)ncolumns)
                                   : NESS_NOMEM;
#pragma omp critical(scan_progress)
      {
        done++;
        if (mine != NESS_OK && i < first_bad) {
#pragma omp atomic write
          first_bad = i;
          bad = mine;
        }
        const double now = omp_get_wtime();
        if (options->progress && omp_get_thread_num() == 0 && now - shown > 0.2) {
          shown = now;
          if (options->progress(options->progress_context, (double)done, (double)points, 0, now - start))
            ness_interrupt();
        }
      }
      ness_diags_free(own);
    }
    cme_solution_free(&like);
  }
  if (status == NESS_OK && interrupt_pending()) status = NESS_STOPPED;
  if (status == NESS_OK && bad != NESS_OK) {
    /* Run the first point that failed once more, now with the caller's diagnostics. */
    cme_solution like = {0};
    status = scan_point(self, options, &ask, axes, first_bad, columns, ncolumns, &like, diags,
                        cells + (size_t)first_bad * (size_t)ncolumns);
    cme_solution_free(&like);
    text_buffer where = {0};
    for (int32_t a = 0; a < options->nsettings; a++) {
      char unit[64];
      const double number = answer_words(scan_value(axes, options->nsettings, a, first_bad), unit);
      text_add(&where, "%s%s = %g %s", a ? ", " : "", axes[a].name, number, unit);
    }
    diag_add(diags, NESS_NOTE, "the scan stopped at %s", where.data ? where.data : "");
    text_clear(&where);
    if (status == NESS_OK) status = bad;
  }
  if (status == NESS_OK) {
    ness_doc *const doc = doc_create("scan");
    doc_node *const root = doc_root(doc);
    doc_string(root, "model", "%s", lang_network(self->compiled)->model_name);
    doc_string(root, "method", "%s",
               options->simulate                ? "simulation, errors over batches of replicas"
               : ask.kind == QUESTION_STEADY    ? "exact, steady state of the master equation"
               : ask.kind == QUESTION_TRANSIENT ? "exact, master equation in time"
               : ask.kind == QUESTION_ODE       ? "rate equations"
                                                : "linear noise approximation");
    doc_int(root, "points", points);
    doc_node *const rows = doc_array(root, "table");
    for (int64_t i = 0; i < points; i++) {
      doc_node *const row = doc_object(rows, NULL);
      for (int32_t a = 0; a < options->nsettings; a++)
        answer_column(row, axes[a].name, scan_value(axes, options->nsettings, a, i));
      for (int32_t c = 0; c < ncolumns; c++) {
        const scan_cell *const cell = &cells[(size_t)i * (size_t)ncolumns + (size_t)c];
        answer_column(row, titles[c], (quantity){cell->value, cell->unit});
        if (options->simulate) {
          text_buffer key = {0};
          text_add(&key, "%s error", titles[c]);
          if (!key.failed) answer_column(row, key.data, (quantity){cell->error, cell->unit});
          text_clear(&key);
        }
      }
    }
    answer_conventions(doc);
    status = doc_finish(doc);
    if (status != NESS_OK) ness_doc_free(doc);
    else *out = doc;
  }
  mem_free(cells);
  mem_free((void *)columns);
  mem_free((void *)titles);
  return status;
}
