/* Processes: what the file says of an input that an outside hand moves. A telegraph has two levels, a Markov process
 * those that the file lists; an Ornstein-Uhlenbeck process gets a grid of levels for the network, on which it
 * converges. What else is continuous has no levels: those who follow it in time read its numbers.
 *
 * The grid of dX = -(X - mean) dt/tau + sd sqrt(2/tau) dW has the points mean + sd z, z from -reach to reach at
 * distance h, and flips (1/h^2 -+ z/(2h))/tau up and down: then mean, variance and correlation exp(-t/tau) are those of
 * X for any h, but for the cut ends, and all else converges as h^2. Cost: linear in the levels. */
#include "networks/lang/compile.h"
#include <math.h>
#include <string.h>

#define PROCESS_MAX 16 /* processes of one model */
#define LEVELS_MAX 4000
#define OU_POINTS 41
#define OU_REACH 4.5
#define RANGE_REACH 9.0 /* standard deviations of an Ornstein-Uhlenbeck process: beyond 2e-19 of the time */
#define SHARE_LEAST 1e-9

typedef struct number { /* of a process, by name */
  const char *name;
  bool value; /* in the unit of what the process moves */
  lang_unit unit;
  bool needed;
  double usual;
} number;

typedef struct kind {
  const char *name;
  process_kind kind;
  number number[8];
} kind;

#define VALUE(name)                                                                                                    \
  {                                                                                                                    \
    name, true, {0, 0, 0, 0, 0}, true, 0                                                                               \
  }
#define RATE(name)                                                                                                     \
  {                                                                                                                    \
    name, false, {0, 0, -1, 0, 0}, true, 0                                                                             \
  }
#define TIME(name)                                                                                                     \
  {                                                                                                                    \
    name, false, {0, 0, 1, 0, 0}, true, 0                                                                              \
  }
#define MAY(name, usual)                                                                                               \
  {                                                                                                                    \
    name, false, {0, 0, 0, 0, 0}, false, usual                                                                         \
  }

static const kind kinds[] = {
    {"telegraph", PROCESS_TELEGRAPH, {VALUE("low"), VALUE("high"), RATE("up"), RATE("down"), MAY("start", 0)}},
    {"markov", PROCESS_MARKOV, {{0}}},
    {"ou", PROCESS_OU, {VALUE("mean"), VALUE("sd"), TIME("tau"), MAY("points", OU_POINTS), MAY("reach", OU_REACH)}},
    {"shot", PROCESS_SHOT, {VALUE("base"), VALUE("jump"), RATE("rate"), TIME("tau")}},
    {"sine", PROCESS_SINE, {VALUE("mean"), VALUE("amplitude"), RATE("frequency"), MAY("phase", 0)}},
    {"square", PROCESS_SQUARE, {VALUE("low"), VALUE("high"), TIME("period"), MAY("share", 0.5)}},
    {"ramp", PROCESS_RAMP, {VALUE("from"), VALUE("to"), TIME("begin"), TIME("end")}},
    {"steps", PROCESS_STEPS, {{0}}},
    {"line", PROCESS_LINE, {{0}}},
};
#define KINDS ((int32_t)(sizeof kinds / sizeof *kinds))

const char *lang_process_word(process_kind of)
{
  for (int32_t i = 0; i < KINDS; i++)
    if (kinds[i].kind == of) return kinds[i].name;
  return "";
}

bool process_any(const lang_file *file)
{
  for (const stmt *s = file->statements; s; s = s->next) {
    if (s->kind == STMT_PROCESS) return true;
  }
  return false;
}

/* --- what it moves --- */

/* The value as the file gives it, whose unit the levels must have. */
static bool process_target(lang_model *m, const stmt_item *item, const char *name, lang_unit *unit)
{
  const sym *const s = sym_find(m, SPACE_VALUE, name);
  const eval self = {.m = m};
  eval_value v;
  if (!s) {
    sym_unknown(m, item->place, name, "parameter, bath or concentration", "v");
    return false;
  }
  if (s->kind == SYM_RESERVOIR) {
    *unit = m->reservoirs[s->id].unit;
    return true;
  }
  if (s->kind == SYM_PARAM && !eval_param(m, s->id, &self, &v)) return false;
  if (s->kind == SYM_PARAM && v.constant) {
    *unit = v.q.unit;
    return true;
  }
  lang_error(m->diags, item->place, "a process moves a param, a bath, or the concentration of a reservoir",
             "%s is a count or changes with one: no process can move it", name);
  return false;
}

static bool process_fresh(lang_model *m, const stmt_item *item, const char *name)
{
  for (int64_t i = 0; i < m->nprocess; i++) {
    if (strcmp(m->processes[i].name, name) != 0) continue;
    lang_error(m->diags, item->place, NULL, "%s has a process already, in line %d", name, m->processes[i].place.line);
    return false;
  }
  for (int32_t i = 0; i < m->noverrides && !m->still; i++) {
    if (strcmp(m->overrides[i].name, name) != 0) continue;
    lang_error(m->diags, item->place, "give its levels names by `param` and set those",
               "%s cannot be set from outside: a process moves it", name);
    return false;
  }
  return true;
}

/* --- its numbers --- */

static bool process_value(lang_model *m, const expr *e, lang_unit unit, const char *what, double *out, double *slope)
{
  const eval self = {.m = m};
  if (!eval_as(&self, e, m->file->natural ? UNIT_NONE : unit, what, out, slope)) return false;
  if (isfinite(*out)) return true;
  lang_error(m->diags, e->place, NULL, "%s must be finite", what);
  return false;
}

/* A level. Levels that the active value moves would need levels with slopes. */
static bool process_level(lang_model *m, const expr *e, lang_unit unit, const char *what, double *out)
{
  double slope;
  return process_value(m, e, unit, what, out, &slope) && slope_flat(m, e->place, slope, "a level of a process");
}

static const number *process_number(const kind *k, const expr_argument *a)
{
  for (const number *n = k->number; n->name; n++) {
    if (a->name && strcmp(a->name, n->name) == 0) return n;
  }
  return NULL;
}

static bool process_known(lang_model *m, const kind *k, const stmt *s)
{
  const char *names[8];
  int32_t count = 0;
  for (const number *n = k->number; n->name; n++) names[count++] = n->name;
  for (const expr_argument *a = s->arguments; a; a = a->next) {
    if (process_number(k, a)) continue;
    const char *const near = a->name ? name_nearest(a->name, names, count) : NULL;
    char *const hint = near ? arena_format(&m->memory, "did you mean %s?", near) : NULL;
    lang_error(m->diags, a->place, hint ? hint : "each number of a process has a name, as in low = -60 [mV]",
               "%s does not know %s", k->name, a->name ? a->name : "a value without a name");
    return false;
  }
  return true;
}

/* The numbers of a kind in its order, and the slopes of those that are no values. */
static bool process_numbers(lang_model *m, const kind *k, const stmt *s, lang_unit unit, double out[7], double slope[7])
{
  if (!process_known(m, k, s)) return false;
  for (int32_t i = 0; k->number[i].name; i++) {
    const number *const n = &k->number[i];
    const expr *const e = argument_value(s->arguments, n->name);
    slope[i] = 0;
    out[i] = n->usual;
    if (!e && n->needed) {
      lang_error(m->diags, s->place, NULL, "%s needs %s", k->name, n->name);
      return false;
    }
    if (!e) continue;
    if (n->value ? !process_level(m, e, unit, n->name, &out[i])
                 : !process_value(m, e, n->unit, n->name, &out[i], &slope[i]))
      return false;
    if (!n->value && n->needed && !(out[i] > 0) && strcmp(n->name, "begin") != 0) {
      lang_error(m->diags, e->place, NULL, "%s must be positive", n->name);
      return false;
    }
  }
  return true;
}

/* --- inputs that move as variables --- */

lang_process *process_input(const lang_model *m, const char *name)
{
  for (int32_t i = 0; i < m->ninput; i++) {
    if (strcmp(m->inputs[i].name, name) == 0) return &m->inputs[i];
  }
  return NULL;
}

void process_inputs(lang_model *m)
{
  for (int32_t i = 0; i < m->ninput; i++) {
    const sym *const s = sym_find(m, SPACE_VALUE, m->inputs[i].name); /* reservoirs are still to come */
    if (s && s->kind == SYM_PARAM) m->params[s->id].moves = true;
  }
}

void lang_process_range(const lang_process *self, double *low, double *high)
{
  const double *const x = self->number;
  double a = x[0], b = x[1];
  if (self->kind == PROCESS_SINE || self->kind == PROCESS_OU) {
    const double reach = self->kind == PROCESS_OU ? RANGE_REACH * x[1] : x[1];
    a = x[0] - reach;
    b = x[0] + reach;
  } else if (self->kind == PROCESS_SHOT) { /* jumps that are there at a time */
    const double held = x[2] * x[3];
    b = x[0] + (held + 12 * sqrt(held) + 30) * x[1];
  }
  *low = self->npoint > 0 ? self->value[0] : fmin(a, b);
  *high = self->npoint > 0 ? self->value[0] : fmax(a, b);
  for (int32_t i = 1; i < self->npoint; i++) {
    *low = fmin(*low, self->value[i]);
    *high = fmax(*high, self->value[i]);
  }
}

/* --- levels and flips --- */

static bool process_room(lang_model *m, lang_process *p, int32_t levels, int32_t flips)
{
  const size_t n = (size_t)levels + 1, f = (size_t)flips + 1;
  p->level_name = arena_alloc(&m->memory, n * sizeof *p->level_name);
  p->level = arena_alloc(&m->memory, n * sizeof *p->level);
  p->from = arena_alloc(&m->memory, f * sizeof *p->from);
  p->to = arena_alloc(&m->memory, f * sizeof *p->to);
  p->up = arena_alloc(&m->memory, f * sizeof *p->up);
  p->down = arena_alloc(&m->memory, f * sizeof *p->down);
  p->up_slope = arena_alloc(&m->memory, f * sizeof *p->up_slope);
  p->down_slope = arena_alloc(&m->memory, f * sizeof *p->down_slope);
  return !m->memory.failed;
}

static void process_flip(lang_process *p, int32_t from, int32_t to, double up, double down)
{
  p->from[p->nflip] = from;
  p->to[p->nflip] = to;
  p->up_slope[p->nflip] = p->down_slope[p->nflip] = 0;
  p->up[p->nflip] = up;
  p->down[p->nflip++] = down;
}

static bool process_level_name(lang_model *m, lang_process *p, const char *name, double value)
{
  p->level_name[p->nlevel] = name ? arena_format(&m->memory, "%s.%s", p->name, name)
                                  : arena_format(&m->memory, "%s.%d", p->name, (int)p->nlevel + 1);
  p->level[p->nlevel++] = value;
  return !m->memory.failed;
}

static bool process_telegraph(lang_model *m, lang_process *p, const double *x, const double *slope)
{
  if (!process_room(m, p, 2, 1) || !process_level_name(m, p, "low", x[0]) || !process_level_name(m, p, "high", x[1]))
    return false;
  process_flip(p, 0, 1, x[2], x[3]);
  p->up_slope[0] = slope[2] / x[2];
  p->down_slope[0] = slope[3] / x[3];
  p->start = x[4] != 0;
  return true;
}

static int32_t process_level_find(lang_model *m, const lang_process *p, const step_term *term)
{
  const char *const name = term && !term->next && term->count == 1 && !term->times ? term->path.name[0] : NULL;
  for (int32_t i = 0; name && i < p->nlevel; i++) {
    if (strcmp(p->level_name[i] + strlen(p->name) + 1, name) == 0) return i;
  }
  lang_error(m->diags, term ? term->place : p->place, "a flip reads `low <-> high @ 10 [1/s], 10 [1/s]`",
             "%s is no level of %s", name ? name : "this", p->name);
  return -1;
}

static bool process_markov(lang_model *m, lang_process *p, const stmt *s)
{
  int32_t levels = 0, flips = 0;
  for (const stmt_item *i = s->items->next; i; i = i->next) levels++;
  for (const stmt *f = s->body; f; f = f->next) flips++;
  if (levels < 2 || flips < 1) {
    lang_error(m->diags, s->place, NULL, "a process needs two levels and a flip between them");
    return false;
  }
  if (!process_room(m, p, levels, flips)) return false;
  for (const stmt_item *i = s->items->next; i; i = i->next) {
    double value;
    if (!process_level(m, i->value, p->unit, "a level", &value) || !process_level_name(m, p, i->path.name[0], value))
      return false;
  }
  for (const stmt *f = s->body; f; f = f->next) {
    const int32_t from = process_level_find(m, p, f->left), to = from < 0 ? -1 : process_level_find(m, p, f->right);
    double k[2] = {0, 0}, slope[2];
    if (to < 0) return false;
    if (!f->reversible || f->forward.ldb || f->backward.ldb || !f->backward.given || f->whole || from == to) {
      lang_error(m->diags, f->place, "write `low <-> high @ 10 [1/s], 10 [1/s]`",
                 "a flip goes both ways between two levels, each at a rate");
      return false;
    }
    for (int way = 0; way < 2; way++) {
      const step_rate *const rate = way ? &f->backward : &f->forward;
      if (!process_value(m, rate->value, UNIT_RATE, "the rate of a flip", &k[way], &slope[way])) return false;
      if (k[way] > 0) continue;
      lang_error(m->diags, rate->place, NULL, "the rate of a flip must be positive");
      return false;
    }
    process_flip(p, from, to, k[0], k[1]);
    p->up_slope[p->nflip - 1] = slope[0] / k[0];
    p->down_slope[p->nflip - 1] = slope[1] / k[1];
  }
  return true;
}

static bool process_points(lang_model *m, const stmt *s, double points, int32_t least)
{
  if (points == floor(points) && points >= least && points <= LEVELS_MAX) return true;
  lang_error(m->diags, s->place, NULL, "points is a whole number from %d to %d, not %g", least, LEVELS_MAX, points);
  return false;
}

static bool process_ou(lang_model *m, lang_process *p, const stmt *s, const double *x)
{
  const int32_t n = (int32_t)x[3];
  const double h = 2 * x[4] / (x[3] - 1);
  if (!process_points(m, s, x[3], 3)) return false;
  if (!(x[1] > 0) || !(x[4] >= 1) || !(h * x[4] < 2)) {
    lang_error(m->diags, s->place, "sd is positive, and points are closer than 2/reach: 41 with a reach of 4.5 will do",
               "the grid of %s does not hold the process", p->name);
    return false;
  }
  if (!process_room(m, p, n, n - 1)) return false;
  for (int32_t i = 0; i < n; i++) {
    const double z = (i - 0.5 * (n - 1)) * h;
    if (!process_level_name(m, p, NULL, x[0] + x[1] * z)) return false;
    if (i == 0) continue;
    const double below = z - h;
    process_flip(p, i - 1, i, (1 / (h * h) - below / (2 * h)) / x[2], (1 / (h * h) + z / (2 * h)) / x[2]);
  }
  p->start = n / 2;
  return true;
}

/* What numbers a prescribed process and shot noise cannot have. */
static bool process_prescribed(lang_model *m, const lang_process *p, const stmt *s)
{
  const double *const x = p->number;
  const char *why = NULL;
  if (p->kind == PROCESS_SHOT && x[1] == 0) why = "shot noise without a jump does not move";
  if (p->kind == PROCESS_SQUARE && !(x[3] >= SHARE_LEAST && x[3] <= 1 - SHARE_LEAST))
    why = "share, of the period that is high, lies between 0 and 1, not closer to either than 1e-9";
  if (p->kind == PROCESS_RAMP && !(x[2] >= 0 && x[3] > x[2])) why = "a ramp begins at 0 or later and ends after that";
  if (why) lang_error(m->diags, s->place, NULL, "%s", why);
  return !why;
}

/* What one of a column of a table is. */
static bool process_column(lang_model *m, const expr *one, lang_unit unit, const char *what, double *out)
{
  double slope;
  if (one->kind != EXPR_UNIT && !m->file->natural && !unit_equal(unit, UNIT_NONE)) {
    char want[64];
    unit_text(unit, want);
    lang_error(m->diags, one->place, "as in `t [s], V [mV]`", "%s needs a unit in the header, such as %s", what, want);
    return false;
  }
  return process_value(m, one, unit, what, out, &slope) && slope_flat(m, one->place, slope, what);
}

/* The points that a table has. */
static bool process_rows(lang_model *m, const lang_process *p, const lang_table *t, double *time, double *value)
{
  double second, one;
  if (!process_column(m, t->unit[0], UNIT_SECOND, "the column of times", &second) ||
      !process_column(m, t->unit[1], p->unit, "the column of values", &one))
    return false;
  for (int32_t i = 0; i < t->rows; i++) {
    time[i] = t->column[0][i] * second;
    value[i] = t->column[1][i] * one;
    if (isfinite(time[i]) && isfinite(value[i])) continue;
    lang_error(m->diags, t->unit[0]->place, NULL, "row %d under this header must be finite", i + 1);
    return false;
  }
  return true;
}

/* Points of a protocol. */
static bool process_points_of(lang_model *m, lang_process *p, const stmt *s)
{
  int32_t count = s->table ? s->table->rows : 0;
  const expr_argument *period = NULL;
  for (const expr_argument *a = s->arguments; a; a = a->next) count += a->name == NULL;
  double *const time = arena_alloc(&m->memory, ((size_t)count + 1) * sizeof *time);
  double *const value = arena_alloc(&m->memory, ((size_t)count + 1) * sizeof *value);
  if (!time || !value || (s->table && !process_rows(m, p, s->table, time, value))) return false;
  for (const expr_argument *a = s->arguments; a; a = a->next) {
    double slope;
    if (a->name) period = a;
    if (a->name ? !process_value(m, a->value, UNIT_SECOND, "the period", &p->period, &slope)
                : !process_value(m, a->value, UNIT_SECOND, "a time", &time[p->npoint], &slope))
      return false;
    if (!slope_flat(m, a->place, slope, "the course of a process")) return false;
    if (!a->name && !process_level(m, a->range_to, p->unit, "a value", &value[p->npoint++])) return false;
  }
  if (s->table) p->npoint = count;
  p->time = time;
  p->value = value;
  const char *why = count < 2 ? "a protocol has two points or more, as in 0 [s] = -60 [mV]" : NULL;
  for (int32_t i = 1; i < count && !why; i++) {
    if (!(time[i] > time[i - 1])) why = "the times of a protocol ascend";
  }
  if (!why && !(time[0] >= 0)) why = "a protocol begins at 0 or later";
  if (!why && period && !(time[0] == 0 && p->period > time[count - 1]))
    why = "a protocol with a period begins at 0 and has all its times before the period";
  if (why) lang_error(m->diags, s->place, NULL, "%s", why);
  return !why;
}

static const kind *process_kind_of(lang_model *m, const stmt *s)
{
  const char *names[KINDS];
  for (int32_t i = 0; i < KINDS; i++) {
    if (strcmp(s->name, kinds[i].name) == 0) return &kinds[i];
    names[i] = kinds[i].name;
  }
  const char *const near = name_nearest(s->name, names, KINDS);
  char *const hint = near ? arena_format(&m->memory, "did you mean %s?", near) : NULL;
  lang_error(m->diags, s->place,
             hint ? hint : "the kinds are telegraph, markov, ou, shot, sine, square, ramp, steps, line",
             "no kind of process has the name %s", s->name);
  return NULL;
}

static bool process_add(lang_model *m, const stmt *s)
{
  const kind *const k = process_kind_of(m, s);
  const char *const name = k ? sym_path(m, &s->items->path, NULL) : NULL;
  lang_process p = {.name = name, .place = s->items->place, .id = -1, .first_slot = -1};
  double x[7] = {0}, slope[7] = {0};
  if (!name || !process_target(m, s->items, name, &p.unit) || !process_fresh(m, s->items, name)) return false;
  p.kind = k->kind;
  const bool points = k->kind == PROCESS_STEPS || k->kind == PROCESS_LINE;
  if (k->kind != PROCESS_MARKOV && !points && !process_numbers(m, k, s, p.unit, x, slope)) return false;
  bool fine = true;
  if (k->kind == PROCESS_TELEGRAPH) fine = process_telegraph(m, &p, x, slope);
  if (k->kind == PROCESS_MARKOV) fine = process_markov(m, &p, s);
  for (int32_t i = 0; i < 4; i++) {
    p.number[i] = x[i];
    if (lang_process_continuous(&p)) fine = fine && slope_flat(m, s->place, slope[i], "the course of a process");
  }
  if (k->kind == PROCESS_OU && !m->still) fine = fine && process_ou(m, &p, s, x);
  if (points) fine = fine && process_points_of(m, &p, s);
  else if (k->kind > PROCESS_OU) fine = fine && process_prescribed(m, &p, s);
  if (!fine) return false;
  if (m->nprocess >= PROCESS_MAX) {
    lang_error(m->diags, s->place, NULL, "a model has at most %d processes", PROCESS_MAX);
    return false;
  }
  if (p.nlevel > 0) p.id = m->nproc++;
  if (!model_grow(m, &m->processes, &m->process_capacity, m->nprocess + 1, sizeof *m->processes)) return false;
  m->processes[m->nprocess++] = p;
  return true;
}

bool process_declare(lang_model *m)
{
  bool fine = true;
  for (const stmt *s = m->file->statements; s; s = s->next) {
    if (s->kind != STMT_PROCESS) continue;
    const char *const name = m->ninput > 0 ? sym_path(m, &s->items->path, NULL) : NULL;
    if (!name || !process_input(m, name)) fine = process_add(m, s) && fine;
  }
  return fine;
}
