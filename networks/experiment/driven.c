/* Rates as functions of an input. The file is compiled with the input at the Chebyshev points of its range, and what
 * the networks have there (ln k of each direction, ln(k_fwd/k_bwd) of each step, the work of each source, the energies)
 * becomes series in the input; the points are doubled until the last quarter of every series is rounding. So whatever a
 * file makes of an input is followed, and to the figures of a double: an exponent that is linear in a voltage has two
 * terms. A corner inside the range (a metropolis rate) has no series and is refused, as is a rate that is an expression
 * of counts and of the input. Cost: points times a compilation. */
#include "networks/experiment/driven.h"
#include <math.h>
#include <string.h>

#define DRIVEN_POINTS 256
#define DRIVEN_ROUNDING 2e-14 /* of a series, relative to its largest value */
#define PART_POINTS 256       /* of a range, where a potential must have a value */
#define PART_LOOKS 65536      /* along a period, for the time when it has none */

const lang_process *driven_input(const lang_model *model, bool ou)
{
  int32_t count;
  const lang_process *const list = lang_processes(model, &count);
  for (int32_t i = 0; i < count; i++) {
    if (lang_process_continuous(&list[i]) && (ou || list[i].nlevel == 0)) return &list[i];
  }
  return NULL;
}

bool moving_needed(const lang_model *model, bool flows)
{
  int32_t count, move = 0;
  const lang_process *const list = lang_processes(model, &count);
  for (int32_t i = 0; i < count; i++) move += lang_process_continuous(&list[i]);
  return move > 1 || (move == 1 && flows);
}

/* --- the course of an input --- */

/* Points of kinds that the file does not give by points go to `time` and `value`. */
static path_spec input_course(const lang_process *p, double time[2], double value[2])
{
  const double *const x = p->number;
  switch (p->kind) {
  case PROCESS_OU: return (path_spec){.kind = PATH_OU, .mean = x[0], .sd = x[1], .tau = x[2]};
  case PROCESS_SHOT: return (path_spec){.kind = PATH_SHOT, .base = x[0], .jump = x[1], .rate = x[2], .tau = x[3]};
  case PROCESS_SINE:
    return (path_spec){.kind = PATH_SINE, .mean = x[0], .amplitude = x[1], .frequency = x[2], .phase = x[3]};
  case PROCESS_SQUARE:
    time[0] = 0;
    time[1] = x[2] * x[3];
    value[0] = x[1];
    value[1] = x[0];
    return (path_spec){.kind = PATH_STEPS, .points = 2, .time = time, .value = value, .period = x[2]};
  case PROCESS_STEPS:
  case PROCESS_LINE:
    return (path_spec){.kind = p->kind == PROCESS_STEPS ? PATH_STEPS : PATH_LINEAR,
                       .points = p->npoint,
                       .time = p->time,
                       .value = p->value,
                       .period = p->period};
  default: /* PROCESS_RAMP */
    time[0] = x[2];
    time[1] = x[3];
    value[0] = x[0];
    value[1] = x[1];
    return (path_spec){.kind = PATH_LINEAR, .points = 2, .time = time, .value = value};
  }
}

static void driven_path(driven *self)
{
  double low, high;
  lang_process_range(self->input, &low, &high);
  self->path = input_course(self->input, self->points, self->values);
  self->period = self->input->kind == PROCESS_SINE ? 1 / self->path.frequency : self->path.period;
  const double room = 1e-9 * (fabs(low) + fabs(high) + fabs(high - low)) + 1e-300;
  self->law.u_lo = low - room;
  self->law.u_hi = high + room;
}

static double input_value(const path_spec *p, double t)
{
  if (p->kind == PATH_SINE) {
    const double turns = p->frequency * t; /* whole ones leave no rounding */
    return p->mean + p->amplitude * sin(2 * acos(-1) * (turns - floor(turns)) + p->phase);
  }
  const double at = p->period > 0 ? fmod(t, p->period) : t;
  int32_t i = p->points - 1;
  while (i > 0 && p->time[i] > at) i--;
  const bool last = i + 1 == p->points, first = p->time[i] > at;
  if (p->kind == PATH_STEPS || first || (last && !(p->period > 0))) return p->value[i];
  const double end = last ? p->period : p->time[i + 1], next = p->value[last ? 0 : i + 1];
  return p->value[i] + (next - p->value[i]) * (at - p->time[i]) / (end - p->time[i]);
}

double input_at(const lang_process *input, double t)
{
  double time[2], value[2];
  const path_spec path = input_course(input, time, value);
  return input_value(&path, t);
}

double driven_place(const driven *self, double t)
{
  const motion_law *const law = &self->law;
  return (2 * input_value(&self->path, t) - law->u_lo - law->u_hi) / (law->u_hi - law->u_lo);
}

/* --- several inputs, or inputs beside what flows --- */

/* Points of an input as counts of its slot. */
static bool moving_points(moving_inputs *self, path_spec *path, double zero, double unit)
{
  double *const time = arena_alloc(&self->memory, ((size_t)path->points + 1) * sizeof *time);
  double *const value = arena_alloc(&self->memory, ((size_t)path->points + 1) * sizeof *value);
  for (int32_t i = 0; time && value && i < path->points; i++) {
    time[i] = path->time[i];
    value[i] = (path->value[i] - zero) / unit;
  }
  path->time = time;
  path->value = value;
  return time && value;
}

/* When the input first takes the part out of its values, s; 0 where a look along its course does not tell. */
static double part_when(const network_part *part, const path_spec *spec, double *reg)
{
  const bool sine = spec->kind == PATH_SINE;
  const double turn = sine && spec->frequency > 0 ? 1 / spec->frequency : spec->period;
  const double end = turn > 0 || sine ? turn : spec->time[spec->points - 1];
  path_state path;
  path_start(&path, spec, 0, 0, 0);
  for (int32_t i = 0; i <= PART_LOOKS; i++) {
    path_go(&path, end * i / PART_LOOKS);
    if (!isfinite(network_part_value(part, path.u, reg))) return path.t;
  }
  return 0;
}

/* A potential has a value all over the range that its input moves in. */
static ness_status moving_part(const moving_inputs *self, const lang_process *list, const network_part *part,
                               ness_diags *diags)
{
  const ness_network *const net = lang_network(self->model);
  double *const reg = mem_zero((size_t)part->nop + 1, sizeof *reg);
  int32_t k = 0;
  while (self->input[k].slot != part->input) k++;
  const int32_t v = net->slot_var[part->input];
  double low, high;
  lang_process_range(&list[k], &low, &high);
  ness_status status = reg ? NESS_OK : NESS_NOMEM;
  for (int32_t i = 0; i <= PART_POINTS && status == NESS_OK; i++) {
    const double u = low + (high - low) * i / PART_POINTS;
    if (isfinite(network_part_value(part, (u - net->var_zero[v]) / net->var_unit[v], reg))) continue;
    char unit[64] = "";
    const double value = answer_words((quantity){u, list[k].unit}, unit);
    const char *const whose = part->source >= 0 ? network_source_name(net, part->source)
                              : part->nslot > 0 ? network_text(net, net->slot_name[part->slot[0]])
                                                : list[k].name;
    lang_error(diags, list[k].place, "keep its range where a concentration is above 0 and an energy is finite",
               unit[0] ? "%s moves to %g [%s]: from t = %g s on the potential of %s has no value"
                       : "%s moves to %g%s: from t = %g s on the potential of %s has no value",
               list[k].name, value, unit, part_when(part, &self->input[k].path, reg), whose);
    status = NESS_MODEL;
  }
  mem_free(reg);
  return status;
}

/* False where an input moves at random and so not `what`; NULL: it may. */
static bool moving_drawn(const lang_model *model, const char *what, ness_diags *diags)
{
  int32_t count;
  const lang_process *const list = lang_processes(model, &count);
  for (int32_t i = 0; i < count && what; i++) {
    if (!lang_process_continuous(&list[i]) || lang_process_prescribed(&list[i])) continue;
    lang_error(diags, list[i].place,
               "sine, square, ramp, steps and line are prescribed; telegraph and markov processes flip",
               "%s moves at random and continuously, and so not %s", list[i].name, what);
    return false;
  }
  return true;
}

ness_status moving_create(const lang_model *model, const char *means, ness_diags *diags, moving_inputs *out)
{
  *out = (moving_inputs){0};
  const lang_process *list;
  ness_status status = lang_compile_moving(model, diags, &out->model);
  if (status != NESS_OK) return status;
  const ness_network *const net = lang_network(out->model);
  const char *const beside = net->nflow > 0    ? "beside what flows"
                             : net->nevent > 0 ? "beside events of the file"
                                               : means;
  if (!moving_drawn(model, beside, diags)) return NESS_MODEL;
  list = lang_inputs(out->model, &out->ninput);
  out->input = arena_alloc(&out->memory, ((size_t)out->ninput + 1) * sizeof *out->input);
  for (int32_t k = 0; k < out->ninput && out->input; k++) {
    const int32_t slot = list[k].first_slot, v = net->slot_var[slot];
    const double zero = net->var_zero[v], unit = net->var_unit[v];
    double time[2], value[2];
    path_spec path = input_course(&list[k], time, value);
    path.mean = (path.mean - zero) / unit;
    path.amplitude /= unit;
    path.sd /= unit;
    path.base = (path.base - zero) / unit;
    path.jump /= unit;
    if (path.points > 0 && !moving_points(out, &path, zero, unit)) return NESS_NOMEM;
    out->input[k] = (hybrid_input){slot, path};
  }
  if (!out->input) return NESS_NOMEM;
  out->part = lang_parts(out->model, &out->npart);
  for (int32_t p = 0; p < out->npart && status == NESS_OK; p++) status = moving_part(out, list, &out->part[p], diags);
  return status;
}

void moving_free(moving_inputs *self)
{
  lang_model_free(self->model);
  arena_free(&self->memory);
  *self = (moving_inputs){0};
}

/* --- tables at the points --- */

typedef struct table { /* (points x width) */
  double *at;
  int32_t width;
} table;

typedef struct tables {
  int32_t points, nsource;
  table k, lnk, g, work; /* ln k of directions; work: (nstep x nsource) */
} tables;

static void tables_free(tables *self)
{
  mem_free(self->k.at);
  mem_free(self->lnk.at);
  mem_free(self->g.at);
  mem_free(self->work.at);
}

static bool table_create(table *self, int32_t points, int64_t width)
{
  self->width = (int32_t)width;
  self->at = mem_zero((size_t)points * (size_t)width + 1, sizeof *self->at);
  return self->at;
}

static ness_status tables_refuse(const driven *self, int32_t step, const char *why, ness_diags *diags)
{
  lang_error(diags, self->input->place, "telegraph and markov take any rate, level by level",
             "%s cannot follow %s continuously: %s", network_text(self->net, self->net->step_name[step]),
             self->input->name, why);
  return NESS_MODEL;
}

/* Flips join the steps that they move; whether they do may hang on the value of the input. */
static bool tables_alike(const ness_network *net, const ness_network *at)
{
  if (at->nstep != net->nstep || at->nslot != net->nslot || network_sources(at) != network_sources(net)) return false;
  for (int32_t s = 0; s < net->nstep; s++) {
    if (strcmp(network_text(net, net->step_name[s]), network_text(at, at->step_name[s])) != 0) return false;
  }
  return true;
}

/* Whether a tape is the same at both values. */
static bool tables_tape(const ness_network *net, const ness_network *at, int32_t dir)
{
  const int32_t first = net->tape_start[dir], other = at->tape_start[dir], length = net->tape_start[dir + 1] - first;
  if (at->tape_start[dir + 1] - other != length) return false;
  for (int32_t i = 0; i < length; i++) {
    const tape_op *const a = &net->tape[first + i], *const b = &at->tape[other + i];
    if (a->code != b->code || (a->code == TAPE_CONST && net->tape_const[a->a] != at->tape_const[b->a])) return false;
  }
  return true;
}

static ness_status tables_take(const driven *self, const ness_network *at, int32_t point, tables *out,
                               ness_diags *diags)
{
  const ness_network *const net = self->net;
  if (!tables_alike(net, at)) {
    lang_error(diags, self->input->place, "give it another value in the file, at which all flips count",
               "with %s at its value in the file the flips move other steps than in its range", self->input->name);
    return NESS_MODEL;
  }
  double *const k = out->k.at + (int64_t)point * out->k.width, *const lnk =
                                                                   out->lnk.at + (int64_t)point * out->lnk.width;
  double *const work = out->work.at + (int64_t)point * out->work.width;
  for (int32_t s = 0; s < net->nstep; s++) {
    for (int32_t d = 2 * s; d < 2 * s + 2; d++) {
      if (at->dir_law[d] != net->dir_law[d]) return tables_refuse(self, s, "a rate falls to 0 in its range", diags);
      k[d] = at->dir_law[d] == LAW_MASS ? log(at->dir_k[d]) : 0;
      if (!tables_tape(net, at, d)) return tables_refuse(self, s, "its rate is an expression of counts", diags);
    }
    lnk[s] = at->step_lnk[s];
    for (int32_t w = at->work_start[s]; w < at->work_start[s + 1]; w++)
      work[(int64_t)s * out->nsource + at->work_src[w]] += at->work_kt[w];
  }
  memcpy(out->g.at + (int64_t)point * out->g.width, at->slot_g, (size_t)net->nslot * sizeof(double));
  return NESS_OK;
}

static void tables_where(const driven *self, double u, ness_diags *diags)
{
  char unit[64] = "";
  const double value = answer_words((quantity){u, self->input->unit}, unit);
  lang_warning(diags, self->input->place, NULL, unit[0] ? "this was with %s at %g [%s]" : "this was with %s at %g",
               self->input->name, value, unit);
}

static ness_status tables_fill(const driven *self, const lang_model *model, int32_t points, tables *out,
                               ness_diags *diags)
{
  const ness_network *const net = self->net;
  const double middle = 0.5 * (self->law.u_lo + self->law.u_hi), half = 0.5 * (self->law.u_hi - self->law.u_lo);
  *out = (tables){.points = points, .nsource = network_sources(net)};
  if (!table_create(&out->k, points, 2 * (int64_t)net->nstep) || !table_create(&out->lnk, points, net->nstep) ||
      !table_create(&out->g, points, net->nslot) ||
      !table_create(&out->work, points, (int64_t)net->nstep * out->nsource))
    return NESS_NOMEM;
  ness_status status = NESS_OK;
  for (int32_t i = 0; i < points && status == NESS_OK; i++) {
    lang_model *at = NULL;
    const double u = middle + half * cos(acos(-1) * (i + 0.5) / points);
    status = lang_compile_still(model, self->input, u, diags, &at);
    if (status == NESS_OK) status = tables_take(self, lang_network(at), i, out, diags);
    else tables_where(self, u, diags);
    lang_model_free(at);
  }
  return status;
}

/* --- series --- */

typedef struct fit {
  driven *self;
  const tables *from;
  double cosine[4 * DRIVEN_POINTS]; /* of pi j/(2 points) */
  bool fine;                        /* all tails are rounding */
  bool room;
} fit;

static void fit_begin(fit *f, const tables *from)
{
  f->from = from;
  f->fine = true;
  for (int32_t j = 0; j < 4 * from->points; j++) f->cosine[j] = cos(acos(-1) * j / (2 * from->points));
}

/* c_k of a column, and what is left of them when their rounding is cut off: 1 for a constant. */
static int32_t fit_column(fit *f, const table *from, int32_t column, double coef[DRIVEN_POINTS])
{
  const int32_t points = f->from->points;
  double size = 1;
  bool constant = true;
  for (int32_t i = 0; i < points; i++) {
    const double y = from->at[(int64_t)i * from->width + column];
    size = fmax(size, fabs(y));
    constant = constant && y == from->at[column];
  }
  coef[0] = from->at[column];
  if (constant) return 1;
  int32_t terms = 1;
  for (int32_t k = 0; k < points; k++) {
    double sum = 0;
    for (int32_t i = 0; i < points; i++)
      sum += from->at[(int64_t)i * from->width + column] * f->cosine[k * (2 * i + 1) % (4 * points)];
    coef[k] = sum * (k ? 2 : 1) / points;
    if (fabs(coef[k]) > DRIVEN_ROUNDING * size) terms = k + 1;
  }
  if (terms > points - points / 4) f->fine = false;
  return terms;
}

/* Rows of series, one behind the other. */
typedef struct rows {
  int32_t *start;
  double *coef;
  int64_t count, start_capacity, coef_capacity;
  int32_t n;
} rows;

static bool rows_add(rows *self, const double *coef, int32_t terms)
{
  if (!mem_grow(&self->start, &self->start_capacity, self->n + 2, sizeof *self->start) ||
      !mem_grow(&self->coef, &self->coef_capacity, self->count + terms + 1, sizeof *self->coef))
    return false;
  if (self->n == 0) self->start[0] = 0;
  for (int32_t i = 0; i < terms; i++) self->coef[self->count++] = coef[i];
  self->start[++self->n] = (int32_t)self->count;
  return true;
}

/* Into the memory of the law. */
static bool rows_keep(driven *self, rows *from, motion_rows *to)
{
  int32_t *const start = arena_alloc(&self->memory, ((size_t)from->n + 1) * sizeof *start);
  double *const coef = arena_alloc(&self->memory, ((size_t)from->count + 1) * sizeof *coef);
  if (start && from->n) memcpy(start, from->start, ((size_t)from->n + 1) * sizeof *start);
  if (coef && from->count) memcpy(coef, from->coef, (size_t)from->count * sizeof *coef);
  *to = (motion_rows){start, coef};
  mem_free(from->start);
  mem_free(from->coef);
  *from = (rows){0};
  return start && coef;
}

static void fit_moves(fit *f)
{
  driven *const self = f->self;
  const ness_network *const net = self->net;
  int32_t *const dir = arena_alloc(&self->memory, (2 * (size_t)net->nstep + 1) * sizeof *dir);
  rows list = {0};
  double coef[DRIVEN_POINTS];
  self->law.nmove = 0;
  for (int32_t d = 0; d < 2 * net->nstep && dir; d++) {
    const int32_t terms = net->dir_law[d] == LAW_MASS ? fit_column(f, &f->from->k, d, coef) : 1;
    if (terms == 1) continue;
    dir[self->law.nmove++] = d;
    f->room = rows_add(&list, coef, terms) && f->room;
  }
  self->law.move_dir = dir;
  f->room = rows_keep(self, &list, &self->law.move) && dir && f->room;
}

static void fit_rows(fit *f, const table *from, motion_rows *to)
{
  rows list = {0};
  double coef[DRIVEN_POINTS];
  for (int32_t j = 0; j < from->width; j++) {
    const bool known = isfinite(from->at[j]);
    const int32_t terms = known ? fit_column(f, from, j, coef) : 1;
    f->room = rows_add(&list, coef, terms > 1 ? terms : 0) && f->room;
  }
  f->room = rows_keep(f->self, &list, to) && f->room;
}

static void fit_work(fit *f)
{
  driven *const self = f->self;
  const int32_t nstep = self->net->nstep, nsource = f->from->nsource;
  int32_t *const start = arena_alloc(&self->memory, ((size_t)nstep + 1) * sizeof *start);
  int32_t *const src = arena_alloc(&self->memory, ((size_t)nstep * (size_t)nsource + 1) * sizeof *src);
  rows list = {0};
  double coef[DRIVEN_POINTS];
  for (int32_t s = 0; s < nstep && start && src; s++) {
    for (int32_t w = 0; w < nsource; w++) {
      const int32_t terms = fit_column(f, &f->from->work, s * nsource + w, coef);
      if (terms == 1 && fabs(coef[0]) < 1e-300) continue;
      src[list.n] = w;
      f->room = rows_add(&list, coef, terms) && f->room;
    }
    start[s + 1] = list.n;
  }
  self->law.work_start = start;
  self->law.work_src = src;
  f->room = rows_keep(self, &list, &self->law.work) && start && src && f->room;
}

ness_status driven_create(const lang_model *model, const lang_process *input, ness_diags *diags, driven *out)
{
  *out = (driven){.input = input};
  int32_t count;
  const lang_process *const list = lang_processes(model, &count);
  for (int32_t i = 0; i < count; i++) {
    if (&list[i] == input || !lang_process_continuous(&list[i])) continue;
    lang_error(
        diags, list[i].place,
        "`run` and `solve ode time T` follow several that are prescribed; or make one of the two flip: telegraph "
        "or markov",
        "only one input can move continuously, and %s does", input->name);
    return NESS_MODEL;
  }
  driven_path(out);
  if (!isfinite(out->law.u_hi - out->law.u_lo)) {
    lang_error(diags, input->place, NULL, "the range that %s moves in has no end", input->name);
    return NESS_MODEL;
  }
  ness_status status = lang_compile_still(model, NULL, 0, diags, &out->still);
  if (status != NESS_OK) return status;
  out->net = lang_network(out->still);
  fit f = {.self = out, .room = true};
  /* Of 8 the tail has an even and an odd term; one term alone is 0 by symmetry about the middle of a range. */
  for (int32_t points = 8; points <= DRIVEN_POINTS && status == NESS_OK && !f.fine; points *= 2) {
    tables at;
    status = tables_fill(out, model, points, &at, diags);
    fit_begin(&f, &at);
    if (status == NESS_OK) {
      fit_moves(&f);
      fit_rows(&f, &at.lnk, &out->law.lnk);
      fit_rows(&f, &at.g, &out->law.g);
      fit_work(&f);
    }
    tables_free(&at);
    if (!f.room) status = NESS_NOMEM;
  }
  if (status == NESS_OK && !f.fine) {
    lang_error(diags, input->place, "a metropolis rate has a corner, and so have min, max and abs; or narrow the range",
               "the rates are not smooth in %s over the range that it moves in", input->name);
    status = NESS_MODEL;
  }
  return status;
}

void driven_free(driven *self)
{
  lang_model_free(self->still);
  arena_free(&self->memory);
  *self = (driven){0};
}
