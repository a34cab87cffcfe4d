/* ness test: the experiments of a model file, run as they stand. Statements act on a frame: the compiled model, and
 * what was last solved or simulated with it. Scans, random draws and root searches compile the model anew with other
 * values. Each `expect` becomes one row, however many points a scan tried: how many, and the worst of them. */
#include "networks/experiment/driven.h"
#include "networks/experiment/root.h"
#include <math.h>
#include <string.h>

typedef struct run_row { /* one expect statement over all points it was tried at */
  const stmt *source;
  const char *experiment;
  int64_t points, failed;
  double value, expected, tolerance, error, worst; /* of the worst point; worst = distance in tolerances */
  quantity unit;
  struct run_row *next;
} run_row;

typedef struct run {
  lang_file *file;
  const ness_test_options *options;
  ness_diags *diags;
  run_row *rows, **tail;
  const char *experiment;
  arena memory;
  int64_t skipped;
} run;

typedef struct frame { /* settings so far, the model compiled with them, and what is known about it */
  run *r;
  lang_override *overrides;
  int32_t noverrides, capacity;
  lang_model *model;
  cme_solution exact;
  evolution path;
  lang_model *still; /* owned: whose network `path` speaks of; NULL: model's */
  sampled sample;
  bool has_exact, has_sample;
  values v;
  const let_value *lets;
  rng_stream *random;
} frame;

static void frame_forget(frame *f)
{
  values_free(&f->v);
  if (f->has_exact) cme_solution_free(&f->exact);
  evolve_free(&f->path);
  lang_model_free(f->still);
  f->still = NULL;
  if (f->has_sample) sample_free(&f->sample);
  f->has_exact = f->has_sample = false;
  f->v = (values){.model = f->model, .left_out = -1, .lets = f->lets, .random = f->random};
}

static void frame_free(frame *f)
{
  frame_forget(f);
  lang_model_free(f->model);
}

static ness_status frame_compile(frame *f)
{
  lang_model *model;
  const ness_status status = lang_compile(f->r->file, f->overrides, f->noverrides, f->r->diags, &model);
  if (status != NESS_OK) return status;
  frame_forget(f);
  lang_model_free(f->model);
  f->model = model;
  frame_forget(f);
  return NESS_OK;
}

static ness_status frame_set(frame *f, const char *name, quantity value)
{
  for (int32_t i = 0; i < f->noverrides; i++) {
    if (strcmp(f->overrides[i].name, name) == 0) {
      f->overrides[i].value = value;
      return NESS_OK;
    }
  }
  lang_override *const grown = arena_alloc(&f->r->memory, ((size_t)f->noverrides + 1) * sizeof *grown);
  if (!grown) return NESS_NOMEM;
  if (f->noverrides) memcpy(grown, f->overrides, (size_t)f->noverrides * sizeof *grown);
  grown[f->noverrides] = (lang_override){.name = name, .value = value};
  f->overrides = grown;
  f->noverrides++;
  return NESS_OK;
}

/* "K.s[3]" of a setting; subscripts are plain numbers. */
static const char *run_setting_name(run *r, const expr_path *path)
{
  text_buffer out = {0};
  for (int32_t i = 0; i < path->parts; i++) {
    text_add(&out, i ? ".%s" : "%s", path->name[i]);
    if (path->from[i]) text_add(&out, "[%d]", (int)path->from[i]->number);
  }
  char *const name = out.failed ? NULL : arena_text(&r->memory, out.data, out.length);
  text_clear(&out);
  return name;
}

static ness_status run_block(frame *f, const stmt *list);

/* --- solve and simulate --- */

/* The numbers behind a solve or simulate statement, by name; times in seconds. */
static ness_status run_settings(frame *f, const stmt *s, const char *const *names, const bool *is_time, int32_t n,
                                double *value)
{
  for (const expr_argument *a = s->arguments; a; a = a->next) {
    int which = -1;
    for (int i = 0; i < n; i++) {
      if (strcmp(a->name, names[i]) == 0) which = i;
    }
    if (which < 0) {
      const char *const near = name_nearest(a->name, names, n);
      text_buffer all = {0};
      for (int i = 0; i < n; i++) text_add(&all, i ? ", %s" : "%s", names[i]);
      char *const hint = near ? arena_format(&f->r->memory, "did you mean %s?", near)
                              : arena_format(&f->r->memory, "%s", all.data ? all.data : "");
      lang_error(f->r->diags, a->place, hint, "%s has no setting %s", s->kind == STMT_SOLVE ? "solve" : "simulate",
                 a->name);
      text_clear(&all);
      return NESS_MODEL;
    }
    estimate e;
    f->v.lets = f->lets;
    if (!values_estimate(&f->v, a->value, f->r->diags, &e)) return NESS_MODEL;
    const quantity q = e.value;
    estimate_free(&e);
    if (!unit_equal(q.unit, UNIT_NONE) && !(is_time[which] && unit_equal(q.unit, UNIT_SECOND))) {
      lang_error(f->r->diags, a->place, is_time[which] ? "in seconds, with or without [s]" : NULL,
                 "%s has a wrong unit", a->name);
      return NESS_MODEL;
    }
    if (!(q.value >= 0) || q.value > 1e18) {
      lang_error(f->r->diags, a->place, NULL, "%s cannot be %g", a->name, q.value);
      return NESS_MODEL;
    }
    value[which] = q.value;
  }
  return NESS_OK;
}

static ness_status run_solve(frame *f, const stmt *s)
{
  static const char *const names[] = {"time", "every"};
  static const bool is_time[] = {true, true};
  double value[2] = {0, 0};
  question q = {0};
  if (!question_named(s->name, &q.kind)) {
    lang_error(f->r->diags, s->place, "solve steady, transient, ode or lna", "cannot solve for %s", s->name);
    return NESS_MODEL;
  }
  if (q.kind == QUESTION_STEADY && s->arguments) {
    lang_error(f->r->diags, s->place, "it belongs to transient, ode and lna", "%s means nothing for steady",
               s->arguments->name);
    return NESS_MODEL;
  }
  ness_status status = run_settings(f, s, names, is_time, 2, value);
  if (status != NESS_OK) return status;
  q.time = value[0];
  q.every = value[1];
  if (question_times(&q, NULL) != NESS_OK) {
    lang_error(f->r->diags, s->place, "as in `solve transient time 10, every 1`", "solving in time needs its end");
    return NESS_MODEL;
  }
  frame_forget(f);
  status = question_ask(&q, f->model, f->r->diags, &f->exact, &f->path, &f->v.input_work, &f->still);
  if (status != NESS_OK) return status;
  f->has_exact = f->path.ntimes == 0;
  const lang_process *const input = driven_input(f->model, false);
  f->v.input = input ? input->name : NULL;
  if (f->has_exact) f->v.exact = &f->exact;
  else f->v.path = &f->path;
  if (f->still) f->v.model = f->still;
  return NESS_OK;
}

static ness_status run_simulate(frame *f, const stmt *s, bool *skipped)
{
  static const char *const names[] = {"replicas", "time", "events", "seed", "warmup", "every"};
  static const bool is_time[] = {false, true, false, false, true, true};
  double value[6] = {64, 0, 0, 1, 0, 0};
  *skipped = f->r->options && f->r->options->exact_only;
  if (*skipped) return NESS_OK;
  ness_status status = run_settings(f, s, names, is_time, 6, value);
  if (status != NESS_OK) return status;
  if (value[1] > 0 && !(value[4] < value[1])) {
    lang_error(f->r->diags, s->place, "time counts from the start, warmup included",
               "the warmup (%g s) leaves nothing of the time (%g s)", value[4], value[1]);
    return NESS_MODEL;
  }
  frame_forget(f);
  const ness_simulate_options o = {.struct_size = sizeof o,
                                   .replicas = (int64_t)value[0],
                                   .time = value[1],
                                   .events = (int64_t)value[2],
                                   .seed = (uint64_t)value[3],
                                   .warmup = value[4],
                                   .method = s->name,
                                   .every = value[5]};
  status = sample_run(f->model, &o, "", "", f->r->diags, &f->sample);
  f->has_sample = true;
  if (status != NESS_OK) return status;
  sample_view(&f->sample, &f->v);
  return NESS_OK;
}

/* --- reversal(expr, V = a : b): where an exact value passes through zero --- */

typedef struct reversal_job {
  frame *inner;
  const expr *what;
  const char *name;
  lang_unit unit;
  const stmt *solve;
} reversal_job;

static ness_status run_reversal_value(void *context, double x, double *y)
{
  const reversal_job *const job = context;
  frame *const f = job->inner;
  estimate e;
  ness_status status = frame_set(f, job->name, (quantity){x, job->unit});
  if (status == NESS_OK) status = frame_compile(f);
  if (status == NESS_OK) status = run_solve(f, job->solve);
  if (status == NESS_OK && !values_estimate(&f->v, job->what, f->r->diags, &e)) status = NESS_MODEL;
  if (status == NESS_OK) *y = e.value.value;
  return status;
}

static ness_status run_reversal(frame *f, const expr *node, quantity *out)
{
  run *const r = f->r;
  const expr_argument *const what = node->arguments, *const where = what ? what->next : NULL;
  if (!what || what->name || !where || !where->name || !where->range_to || where->next) {
    lang_error(r->diags, node->place, "write reversal(current(in), V = -120 : 20 [mV])",
               "reversal takes an expression and a parameter with its range");
    return NESS_MODEL;
  }
  quantity ends[2];
  if (!lang_evaluate(f->model, where->value, NULL, NULL, r->diags, &ends[0]) ||
      !lang_evaluate(f->model, where->range_to, NULL, NULL, r->diags, &ends[1]))
    return NESS_MODEL;
  if (!unit_equal(ends[0].unit, ends[1].unit) && ends[0].value != 0 && ends[1].value != 0) {
    lang_error(r->diags, where->place, "as in -120 : 20 [mV]", "the ends of this range have different units");
    return NESS_MODEL;
  }
  frame inner = {.r = r, .overrides = f->overrides, .noverrides = f->noverrides, .lets = f->lets};
  /* The list of settings is shared until frame_set copies it. */
  lang_override *const copy = arena_alloc(&r->memory, ((size_t)f->noverrides + 1) * sizeof *copy);
  if (!copy) return NESS_NOMEM;
  if (f->noverrides) memcpy(copy, f->overrides, (size_t)f->noverrides * sizeof *copy);
  inner.overrides = copy;
  const stmt solve = {.kind = STMT_SOLVE, .name = "steady", .place = node->place};
  reversal_job job = {&inner, what->value, where->name, ends[0].unit, &solve};
  root_found found;
  ness_status status = root_find(run_reversal_value, &job, ends[0].value, ends[1].value, &found);
  if (status == NESS_OK && !found.crosses) {
    lang_error(r->diags, where->place, "widen the range", "the value has the same sign at both ends: %g and %g",
               found.from_y, found.to_y);
    status = NESS_MODEL;
  }
  frame_free(&inner);
  *out = (quantity){found.x, ends[0].unit};
  return status;
}

static bool run_has_reversal(const expr *e)
{
  if (!e) return false;
  if (e->kind == EXPR_CALL && strcmp(e->name, "reversal") == 0) return true;
  for (const expr_argument *a = e->kind == EXPR_CALL ? e->arguments : NULL; a; a = a->next) {
    if (run_has_reversal(a->value)) return true;
  }
  return run_has_reversal(e->a) || run_has_reversal(e->b);
}

static ness_status run_estimate(frame *f, const expr *e, estimate *out)
{
  *out = (estimate){0};
  if (e->kind == EXPR_CALL && strcmp(e->name, "reversal") == 0) return run_reversal(f, e, &out->value);
  if (run_has_reversal(e)) {
    lang_error(f->r->diags, e->place, "put it alone: `let E = reversal(...)`",
               "reversal() stands alone in its expression");
    return NESS_MODEL;
  }
  f->v.lets = f->lets;
  return values_estimate(&f->v, e, f->r->diags, out) ? NESS_OK : NESS_MODEL;
}

/* --- let and expect --- */

static ness_status run_let(frame *f, const stmt *s)
{
  for (const stmt_item *item = s->items; item; item = item->next) {
    estimate e;
    const ness_status status = item->value ? run_estimate(f, item->value, &e) : NESS_MODEL;
    if (status != NESS_OK) return status;
    let_value *const let = arena_alloc(&f->r->memory, sizeof *let);
    if (!let) {
      estimate_free(&e);
      return NESS_NOMEM;
    }
    *let = (let_value){.name = item->path.name[0], .value = e.value, .batches = e.batches, .next = NULL};
    if (e.without && (let->without = arena_alloc(&f->r->memory, (size_t)e.batches * sizeof(double))))
      memcpy(let->without, e.without, (size_t)e.batches * sizeof(double));
    estimate_free(&e);
    memcpy(&let->next, &f->lets, sizeof f->lets);
    f->lets = let;
  }
  return NESS_OK;
}

static run_row *run_row_of(run *r, const stmt *s)
{
  for (run_row *row = r->rows; row; row = row->next) {
    if (row->source == s && row->experiment == r->experiment) return row;
  }
  run_row *const row = arena_alloc(&r->memory, sizeof *row);
  if (!row) return NULL;
  *row = (run_row){.source = s, .experiment = r->experiment, .worst = -1};
  *r->tail = row;
  r->tail = &row->next;
  return row;
}

static ness_status run_expect(frame *f, const stmt *s)
{
  run *const r = f->r;
  estimate a = {0}, b = {0}, c = {0};
  /* The difference as one expression gives the error of both sides together, correlations included. */
  const expr difference = {.kind = EXPR_SUB, .place = s->place, .a = s->a, .b = s->b};
  ness_status status = run_estimate(f, s->a, &a);
  if (status == NESS_OK) status = run_estimate(f, s->b, &b);
  if (status == NESS_OK && s->c) status = run_estimate(f, s->c, &c);
  double error = 0;
  if (status == NESS_OK && !unit_equal(a.value.unit, b.value.unit) && a.value.value != 0 && b.value.value != 0) {
    char ta[64], tb[64];
    unit_text(a.value.unit, ta);
    unit_text(b.value.unit, tb);
    lang_error(r->diags, s->place, NULL, "cannot compare %s and %s", ta, tb);
    status = NESS_MODEL;
  }
  const lang_unit unit = a.value.value != 0 ? a.value.unit : b.value.unit;
  if (status == NESS_OK && s->c && !s->sigma && c.value.value != 0 && !unit_equal(c.value.unit, unit)) {
    char want[64];
    unit_text(unit, want);
    lang_error(r->diags, s->c->place, NULL, "a tolerance has the unit of what it stands beside, here %s", want);
    status = NESS_MODEL;
  }
  if (status == NESS_OK && s->sigma) {
    if (!f->has_sample) {
      lang_error(r->diags, s->place, "an exact value takes +- and a tolerance",
                 "`within ... sigma` needs a simulation before it");
      status = NESS_MODEL;
    } else if (f->sample.counts.batches < 8) {
      lang_error(r->diags, s->place, "simulate at least 8 replicas", "an error cannot be had from %d replicas",
                 f->sample.counts.batches);
      status = NESS_MODEL;
    } else if (!run_has_reversal(s->a) && !run_has_reversal(s->b)) {
      estimate d;
      status = run_estimate(f, &difference, &d);
      if (status == NESS_OK) error = d.error;
      if (status == NESS_OK) estimate_free(&d);
    }
  }
  run_row *const row = status == NESS_OK ? run_row_of(r, s) : NULL;
  if (row) {
    const double x = a.value.value, y = b.value.value;
    const double slack = s->sigma ? c.value.value * error : s->c ? fabs(c.value.value) : 0;
    double distance; /* in tolerances: holds up to 1 */
    switch (s->relation) {
    case EXPR_LT: distance = x < y + slack ? 0 : 2; break;
    case EXPR_LE: distance = x <= y + slack ? 0 : 2; break;
    case EXPR_GT: distance = x > y - slack ? 0 : 2; break;
    case EXPR_GE: distance = x >= y - slack ? 0 : 2; break;
    default: distance = x == y ? 0 : slack > 0 ? fabs(x - y) / slack : INFINITY; break;
    }
    if (isnan(x) || isnan(y) || isnan(distance) || !isfinite(slack)) distance = INFINITY;
    row->points++;
    row->failed += distance > 1;
    if (distance > row->worst) {
      row->worst = distance;
      row->value = x;
      row->expected = y;
      row->tolerance = slack;
      row->error = error;
      row->unit = a.value.value != 0 ? a.value : b.value;
    }
  } else if (status == NESS_OK) {
    status = NESS_NOMEM;
  }
  estimate_free(&a);
  estimate_free(&b);
  estimate_free(&c);
  return status;
}

/* --- scan and random --- */

/* A frame with one more setting than the outer one; it starts with nothing solved. */
static ness_status run_inner(frame *outer, const stmt *s, int32_t n, const char *const *names, const quantity *value)
{
  frame inner = {.r = outer->r, .lets = outer->lets, .random = outer->random};
  lang_override *const copy = arena_alloc(&outer->r->memory, ((size_t)outer->noverrides + 1) * sizeof *copy);
  if (!copy) return NESS_NOMEM;
  if (outer->noverrides) memcpy(copy, outer->overrides, (size_t)outer->noverrides * sizeof *copy);
  inner.overrides = copy;
  inner.noverrides = outer->noverrides;
  ness_status status = NESS_OK;
  for (int32_t i = 0; i < n && status == NESS_OK; i++) status = frame_set(&inner, names[i], value[i]);
  if (status == NESS_OK) status = frame_compile(&inner);
  if (status == NESS_OK) status = run_block(&inner, s->body);
  frame_free(&inner);
  return interrupt_pending() ? NESS_STOPPED : status;
}

/* 0 fits every unit. */
static ness_status run_scan(frame *f, const stmt *s)
{
  const stmt_item *const item = s->items;
  const char *const name = run_setting_name(f->r, &item->path);
  if (!name) return NESS_NOMEM;
  if (item->next) {
    lang_error(f->r->diags, item->next->place, "put a scan inside the scan", "a scan runs over one parameter");
    return NESS_MODEL;
  }
  ness_status status = NESS_OK;
  for (const expr *node = item->list; node && status == NESS_OK; node = node->b) {
    quantity q;
    const expr wrapped = {.kind = EXPR_UNIT, .place = node->place, .name = node->name, .a = node->a};
    if (!lang_evaluate(f->model, &wrapped, NULL, NULL, f->r->diags, &q)) return NESS_MODEL;
    status = run_inner(f, s, 1, &name, &q);
  }
  if (item->list) return status;
  scan_range points;
  if (!item->attributes || !item->attributes->range_by) {
    lang_error(f->r->diags, item->place, "write scan V = -100:100:5 [mV] or scan n = {5, 50, 200}",
               "a scan needs from : to : step");
    return NESS_MODEL;
  }
  if (!range_find(f->model, item->value, item->attributes, item->place, 1000000, f->r->diags, &points))
    return NESS_MODEL;
  for (int64_t i = 0; i < points.count && status == NESS_OK; i++) {
    const quantity q = range_value(&points, i);
    status = run_inner(f, s, 1, &name, &q);
  }
  return status;
}

static ness_status run_random(frame *f, const stmt *s)
{
  run *const r = f->r;
  quantity count, seed = {1, UNIT_NONE};
  int32_t n = 0;
  if (!lang_evaluate(f->model, s->a, NULL, NULL, r->diags, &count) ||
      (s->b && !lang_evaluate(f->model, s->b, NULL, NULL, r->diags, &seed)))
    return NESS_MODEL;
  if (!(count.value >= 1 && count.value <= 1e6)) {
    lang_error(r->diags, s->a->place, NULL, "random takes a number of draws from 1 to a million");
    return NESS_MODEL;
  }
  for (const stmt_item *item = s->items; item; item = item->next) n++;
  const char **const names = arena_alloc(&r->memory, (size_t)n * sizeof *names);
  quantity *const drawn = arena_alloc(&r->memory, (size_t)n * sizeof *drawn);
  if (!names || !drawn) return NESS_NOMEM;
  int32_t k = 0;
  for (const stmt_item *item = s->items; item; item = item->next, k++) {
    if (!(names[k] = run_setting_name(r, &item->path))) return NESS_NOMEM;
    if (!item->value || item->attributes) {
      lang_error(r->diags, item->place, "write k = loguniform(0.1, 10)", "a draw is one value");
      return NESS_MODEL;
    }
  }
  rng_stream stream;
  rng_init(&stream, (uint64_t)seed.value, 0, 1); /* purpose 1: draws of experiments; replicas use 0 */
  ness_status status = NESS_OK;
  for (int64_t i = 0; i < (int64_t)count.value && status == NESS_OK; i++) {
    k = 0;
    f->v.random = &stream;
    f->v.lets = f->lets;
    for (const stmt_item *item = s->items; item && status == NESS_OK; item = item->next, k++) {
      estimate e;
      if (!values_estimate(&f->v, item->value, r->diags, &e)) status = NESS_MODEL;
      else drawn[k] = e.value, estimate_free(&e);
    }
    f->v.random = f->random;
    if (status == NESS_OK) status = run_inner(f, s, n, names, drawn);
  }
  return status;
}

static ness_status run_block(frame *f, const stmt *list)
{
  ness_status status = NESS_OK;
  bool skipped = false;
  for (const stmt *s = list; s && status == NESS_OK; s = s->next) {
    switch (s->kind) {
    case STMT_SOLVE:
      skipped = false;
      status = run_solve(f, s);
      break;
    case STMT_SIMULATE: status = run_simulate(f, s, &skipped); break;
    case STMT_LET: status = skipped ? NESS_OK : run_let(f, s); break;
    case STMT_EXPECT:
      if (skipped) f->r->skipped++;
      else status = run_expect(f, s);
      break;
    case STMT_SCAN: status = run_scan(f, s); break;
    case STMT_RANDOM: status = run_random(f, s); break;
    default: status = NESS_INTERNAL; break;
    }
  }
  return status;
}

/* A value that is no plain number may name what the settings before it have changed. */
static ness_status run_setting(frame *f, const expr *value, quantity *out)
{
  const bool plain = value->kind == EXPR_NUMBER || (value->kind == EXPR_UNIT && value->a->kind == EXPR_NUMBER);
  const ness_status status = plain || f->noverrides == 0 ? NESS_OK : frame_compile(f);
  if (status != NESS_OK) return status;
  return lang_evaluate(f->model, value, NULL, NULL, f->r->diags, out) ? NESS_OK : NESS_MODEL;
}

static ness_status run_experiment(run *r, const stmt *s)
{
  frame f = {.r = r};
  r->experiment = s->name;
  ness_status status = frame_compile(&f);
  for (const stmt_item *item = s->items; item && status == NESS_OK; item = item->next) {
    quantity q;
    const char *const name = run_setting_name(r, &item->path);
    if (!name) status = NESS_NOMEM;
    else status = item->value ? run_setting(&f, item->value, &q) : NESS_MODEL;
    if (status == NESS_OK) status = frame_set(&f, name, q);
  }
  if (status == NESS_OK && s->items) status = frame_compile(&f);
  if (status == NESS_OK) status = run_block(&f, s->body);
  frame_free(&f);
  return status;
}

/* The text of the statement as it stands in the file. */
static void run_text(const stmt *s, text_buffer *out)
{
  const lang_source *const source = s->place.source;
  int32_t end = s->place.offset;
  while (end < (int32_t)source->length && source->text[end] != '\n' && source->text[end] != '#' &&
         source->text[end] != '}')
    end++;
  while (end > s->place.offset && source->text[end - 1] == ' ') end--;
  text_put(out, source->text + s->place.offset, (size_t)(end - s->place.offset));
}

static void run_answer(const run *r, doc_node *root, int64_t *passed, int64_t *failed)
{
  doc_node *const rows = doc_array(root, "expectations");
  *passed = *failed = 0;
  for (const run_row *row = r->rows; row; row = row->next) {
    doc_node *const out = doc_object(rows, NULL);
    text_buffer line = {0};
    run_text(row->source, &line);
    if (row->failed) ++*failed;
    else ++*passed;
    doc_string(out, "holds", "%s", row->failed ? "NO" : "yes");
    doc_string(out, "experiment", "%s", row->experiment);
    doc_int(out, "line", row->source->place.line);
    doc_int(out, "points", row->points);
    const lang_unit unit = row->unit.unit;
    char words[64];
    answer_quantity(out, "value", (quantity){row->value, unit});
    doc_number(out, "expected", answer_words((quantity){row->expected, unit}, words));
    doc_number(out, "difference", answer_words((quantity){row->value - row->expected, unit}, words));
    doc_number(out, "tolerance", answer_words((quantity){row->tolerance, unit}, words));
    if (row->source->sigma) doc_number(out, "sigma", row->error > 0 ? (row->value - row->expected) / row->error : 0);
    doc_string(out, "expect", "%s", line.data ? line.data : "");
    text_clear(&line);
  }
}

ness_status ness_test(const char *path, const ness_test_options *options, ness_diags *diags, ness_doc **out)
{
  run r = {.options = options, .diags = diags};
  r.tail = &r.rows;
  *out = NULL;
  const int32_t errors = diag_errors(diags);
  ness_status status = lang_parse(path, NULL, 0, diags, &r.file);
  bool found = false;
  for (const stmt *s = status == NESS_OK ? r.file->experiments : NULL; s && status == NESS_OK; s = s->next) {
    if (options && options->experiment && strcmp(options->experiment, s->name) != 0) continue;
    found = true;
    status = run_experiment(&r, s);
  }
  if (status == NESS_OK && !found) {
    /* A model without experiments must still compile. */
    lang_model *model = NULL;
    status = lang_compile(r.file, NULL, 0, diags, &model);
    lang_model_free(model);
    if (status == NESS_OK && options && options->experiment) {
      diag_add(diags, NESS_ERROR, "%s has no experiment %s", path, options->experiment);
      status = NESS_USAGE;
    }
  }
  /* A value that could not be had without a word about it: memory ran out on the way. */
  if (status == NESS_MODEL && diag_errors(diags) == errors) status = NESS_NOMEM;
  ness_doc *const doc = status == NESS_OK ? doc_create("test") : NULL;
  int64_t passed = 0, failed = 0;
  if (doc) {
    doc_node *const root = doc_root(doc);
    doc_string(root, "model", "%s", r.file->name);
    doc_string(root, "file", "%s", path);
    run_answer(&r, root, &passed, &failed);
    doc_int(root, "passed", passed);
    doc_int(root, "failed", failed);
    if (r.skipped) doc_int(root, "skipped", r.skipped);
    status = doc_finish(doc);
  } else if (status == NESS_OK) {
    status = NESS_NOMEM;
  }
  if (status != NESS_OK) ness_doc_free(doc);
  else *out = doc;
  lang_file_free(r.file);
  arena_free(&r.memory);
  return status == NESS_OK && failed > 0 ? NESS_EXPECT : status;
}
