/* Steps: unrolled over their indices, rates turned into propensity constants, local detailed balance filled in, and all
 * of it handed to the builder of engine/model.
 *
 * Propensity of a direction = constant * prod(counts) with the constant made from the given one by
 *   concentrations of the reservoirs it takes, 1/volume for every copy that lives in a volume, and
 *   one factor volume when nothing countable without a volume (a protein, a site) takes part.
 * Local detailed balance: ln(k_fwd/k_bwd) = -(change of g) + work, with g = standard - ln(volume c0) where there is a
 * volume. */
#include "networks/lang/compile.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- terms --- */

bool lower_count(lang_model *m, const step_term *term, const index_binding *env, int32_t *count)
{
  *count = term->count;
  if (!term->times) return true;
  double value;
  const eval self = {.m = m, .env = env};
  if (!eval_as(&self, term->times, UNIT_NONE, "the number of copies of a step", &value, NULL)) return false;
  *count = value >= 1 && value <= 1000 ? (int32_t)value : 0;
  if (*count >= 1 && (double)*count == value) return true;
  lang_error(m->diags, term->times->place, NULL, "a count here is a whole number from 1 to 1000, not %g", value);
  return false;
}

static bool lower_side(lang_model *m, const step_term *terms, const index_binding *env, int32_t *n, int32_t **ids,
                       int32_t *nres, int32_t **res, bool report)
{
  int32_t total = 0, count;
  for (const step_term *t = terms; t; t = t->next) {
    if (!lower_count(m, t, env, &count)) return false;
    total += count;
  }
  *ids = arena_alloc(&m->memory, ((size_t)total + 1) * sizeof **ids);
  *res = arena_alloc(&m->memory, ((size_t)total + 1) * sizeof **res);
  *n = *nres = 0;
  if (!*ids || !*res) return false;
  for (const step_term *t = terms; t; t = t->next) {
    const char *const name = sym_path(m, &t->path, env);
    const sym *const s = name ? sym_find(m, SPACE_VALUE, name) : NULL;
    if (!s || s->kind == SYM_PARAM) {
      if (name && report && s)
        lang_error(m->diags, t->place, NULL, "%s is a parameter: it cannot take part in a step", name);
      else if (name && report) sym_unknown(m, t->place, name, "species, state, ion or bath", "v");
      return false;
    }
    if (s->kind == SYM_SLOT && m->slots[s->id].variable) {
      lang_error(m->diags, t->place, "steps move it by the charge they carry; an equation reads x' = ...",
                 "%s is a variable: it cannot take part in a step", name);
      return false;
    }
    if (!lower_count(m, t, env, &count)) return false;
    for (int32_t i = 0; i < count; i++) {
      if (s->kind == SYM_SLOT) (*ids)[(*n)++] = s->id;
      else (*res)[(*nres)++] = s->id;
    }
  }
  return true;
}

static void lower_term_text(text_buffer *out, const lang_model *m, const model_step *step, int side)
{
  const int32_t counts[2] = {side ? step->nright : step->nleft, side ? step->nres_right : step->nres_left};
  const int32_t *const ids[2] = {side ? step->right : step->left, side ? step->res_right : step->res_left};
  bool any = false;
  for (int kind = 0; kind < 2; kind++) {
    for (int32_t i = 0; i < counts[kind];) {
      int32_t same = 1;
      while (i + same < counts[kind] && ids[kind][i + same] == ids[kind][i]) same++;
      const char *const name = kind ? m->reservoirs[ids[kind][i]].name : m->slots[ids[kind][i]].name;
      text_put(out, " + ", any ? 3 : 0);
      if (same > 1) text_add(out, "%d ", same);
      text_put(out, name, strlen(name));
      any = true;
      i += same;
    }
  }
  if (!any) text_put(out, "0", 1);
}

static bool lower_step_add(lang_model *m, const stmt *s, const index_binding *env)
{
  if (m->nstep >= LANG_MAX_ITEMS) {
    lang_error(m->diags, s->place, NULL, "the model has more than %d steps", LANG_MAX_ITEMS);
    return false;
  }
  model_step step = {.source = s, .env = env, .flow = s->fluid ? FLOW_MEAN : FLOW_NONE};
  if (!lower_side(m, s->left, env, &step.nleft, &step.left, &step.nres_left, &step.res_left, true) ||
      !lower_side(m, s->right, env, &step.nright, &step.right, &step.nres_right, &step.res_right, true))
    return false;
  text_buffer buffer = {0};
  lower_term_text(&buffer, m, &step, 0);
  text_add(&buffer, s->reversible ? " <-> " : " -> ");
  lower_term_text(&buffer, m, &step, 1);
  step.text = buffer.failed ? NULL : arena_text(&m->memory, buffer.data, buffer.length);
  text_clear(&buffer);
  if (!step.text) return false;
  if (s->label.parts > 0) {
    step.name = sym_path(m, &s->label, env);
    /* A label without an index takes those of the loops it stands in. */
    text_buffer indices = {0};
    for (const index_binding *b = env; b && !s->label.from[0]; b = b->outer) text_add(&indices, "[%d]", (int)b->value);
    if (indices.length && step.name) step.name = arena_format(&m->memory, "%s%s", step.name, indices.data);
    text_clear(&indices);
  } else {
    step.name = step.text;
    for (int32_t k = 2; sym_find(m, SPACE_STEP, step.name) && k < 1000; k++)
      step.name = arena_format(&m->memory, "%s #%d", step.text, k);
  }
  if (!step.name || !heat_place(m, &step) ||
      !model_grow(m, &m->steps, &m->step_capacity, m->nstep + 1, sizeof *m->steps))
    return false;
  m->steps[m->nstep] = step;
  return sym_add(m, SPACE_STEP, step.name, SYM_OTHER, (int32_t)m->nstep++, s->place) != NULL;
}

/* --- free indices: hop: K.s[i] <-> K.s[i+1] runs over every i for which all sites exist --- */

static bool lower_is_bound(const lang_model *m, const index_binding *env, const char *name)
{
  for (; env; env = env->outer) {
    if (strcmp(env->name, name) == 0) return true;
  }
  return sym_find(m, SPACE_VALUE, name) != NULL;
}

static const char *lower_free_name(const lang_model *m, const expr *e, const index_binding *env)
{
  if (!e) return NULL;
  if (e->kind == EXPR_NAME && e->path.parts == 1 && !e->path.from[0] && !lower_is_bound(m, env, e->path.name[0]))
    return e->path.name[0];
  const char *const a = lower_free_name(m, e->a, env);
  return a ? a : lower_free_name(m, e->b, env);
}

static const char *lower_free_index(lang_model *m, const stmt *s, const index_binding *env, const sym **base)
{
  for (int side = 0; side < 2; side++) {
    for (const step_term *t = side ? s->right : s->left; t; t = t->next) {
      for (int32_t i = 0; i < t->path.parts; i++) {
        const char *const name = t->path.from[i] && !t->path.to[i] ? lower_free_name(m, t->path.from[i], env) : NULL;
        if (!name) continue;
        *base = sym_find(m, SPACE_BASE, t->path.name[i]);
        if (*base) return name;
      }
    }
  }
  return NULL;
}

/* Whether every term exists at this index, without a message. */
static bool lower_exists(lang_model *m, const stmt *s, const index_binding *env)
{
  for (int side = 0; side < 2; side++) {
    for (const step_term *t = side ? s->right : s->left; t; t = t->next) {
      const char *const name = sym_path(m, &t->path, env);
      if (!name || !sym_find(m, SPACE_VALUE, name)) return false;
    }
  }
  return true;
}

static bool lower_step(lang_model *m, const stmt *s, const index_binding *env)
{
  const sym *base = NULL;
  const char *const index = lower_free_index(m, s, env, &base);
  if (!index) return lower_step_add(m, s, env);
  int32_t made = 0;
  for (int32_t i = base->id - 1; i <= base->last + 1; i++) {
    const index_binding *const inner = bind_index(m, index, i, env);
    if (!inner || !lower_exists(m, s, inner)) continue;
    if (!lower_step_add(m, s, inner)) return false;
    made++;
  }
  if (made == 0) lang_error(m->diags, s->place, NULL, "for no value of %s do all these places exist", index);
  return made > 0;
}

static bool lower_block(lang_model *m, const stmt *list, const index_binding *env)
{
  bool fine = true;
  for (const stmt *s = list; s && !m->memory.failed; s = s->next) {
    if (s->kind == STMT_STEP) {
      fine = lower_step(m, s, env) && fine;
    } else if (s->kind == STMT_FOR) {
      int32_t first, last;
      if (!sym_range(m, s->a, s->b, env, &first, &last)) return false;
      for (int32_t i = first; i <= last && fine; i++) fine = lower_block(m, s->body, bind_index(m, s->name, i, env));
    } else if (env) {
      lang_error(m->diags, s->place, "declare families as X[i in 1..n] = ...", "only steps and loops stand in a loop");
      fine = false;
    }
  }
  return fine;
}

bool lower_steps(lang_model *m)
{
  const bool fine = lower_block(m, m->file->statements, NULL);
  if (fine && m->nstep == 0) {
    diag_add(m->diags, NESS_ERROR, "the model %s has no step", m->file->name);
    diag_hint(m->diags, "a step reads `name: A <-> B @ 1, 2`");
    return false;
  }
  return fine;
}

/* --- rates --- */

typedef struct lower_scale { /* from a given constant to a propensity constant */
  double factor;
  lang_unit unit; /* what the constant must have */
  int32_t order;  /* copies taken that have a concentration */
  double slope;   /* of ln factor */
  int32_t runs_in;
} lower_scale;

static bool lower_has_count(const lang_model *m, int32_t n, const int32_t *ids)
{
  for (int32_t i = 0; i < n; i++) {
    if (!(m->slots[ids[i]].volume > 0)) return true;
  }
  return false;
}

/* Of the volume that a solution reaction runs in, that of what it takes, else of what it makes: 1 + a slot that lives
 * there; 0 when there is none. */
static int32_t lower_runs_in(const lang_model *m, const model_step *step, int dir, bool *mixed)
{
  *mixed = false;
  for (int k = 0; k < 2; k++) {
    const int side = dir ^ k;
    const int32_t n = side ? step->nright : step->nleft, *const ids = side ? step->right : step->left;
    int32_t first = 0;
    for (int32_t i = 0; i < n; i++) {
      const model_slot *const slot = &m->slots[ids[i]];
      if (!(slot->volume > 0)) continue;
      if (first > 0 && !volume_same(m, first - 1, ids[i])) *mixed = true;
      if (first == 0) first = ids[i] + 1;
    }
    if (n > 0) return first;
  }
  return 0;
}

static bool lower_scale_of(lang_model *m, const model_step *step, int dir, lang_place place, lower_scale *out)
{
  const int32_t n = dir ? step->nright : step->nleft, *const ids = dir ? step->right : step->left;
  const int32_t nres = dir ? step->nres_right : step->nres_left, *const res = dir ? step->res_right : step->res_left;
  *out = (lower_scale){.factor = 1, .unit = UNIT_RATE};
  for (int32_t i = 0; i < nres; i++) {
    const model_reservoir *const r = &m->reservoirs[res[i]];
    out->factor *= r->concentration;
    out->slope += r->d.log_activity;
    out->unit = unit_add(out->unit, unit_scale(r->unit, -1));
    out->order++;
  }
  for (int32_t i = 0; i < n; i++) {
    if (!(m->slots[ids[i]].volume > 0)) continue;
    out->factor /= m->slots[ids[i]].volume;
    out->slope -= m->slots[ids[i]].d.volume / m->slots[ids[i]].volume;
    if (!m->file->natural) out->unit = unit_add(out->unit, UNIT_VOLUME);
    out->order++;
  }
  if (lower_has_count(m, n, ids)) return true;
  bool mixed;
  out->runs_in = lower_runs_in(m, step, dir, &mixed);
  if (mixed) {
    lang_error(m->diags, place, "give the whole propensity behind @@",
               "this step takes from two volumes: its constant could mean either");
    return false;
  }
  if (out->runs_in > 0) {
    const model_slot *const slot = &m->slots[out->runs_in - 1];
    out->factor *= slot->volume;
    out->slope += slot->d.volume / slot->volume;
    out->order--; /* one concentration is per the volume that the reaction runs in */
    if (!m->file->natural) out->unit = unit_add(out->unit, unit_scale(UNIT_VOLUME, -1));
  }
  return true;
}

static const expr_argument *lower_ldb_arguments(const stmt *s)
{
  return s->forward.ldb && s->forward.arguments ? s->forward.arguments : s->backward.arguments;
}

typedef struct lower_drive {
  double x, by; /* the standard drive (without counts and concentrations) and its slope */
} lower_drive;

/* ln(k_fwd/k_bwd) of propensity constants from energies, into the step, and the standard drive. At a place of another
 * temperature every energy counts T/T_h times, and so does the potential of a bath, which has no place and gives work;
 * logarithms of concentrations are entropies and stay. */
static lower_drive lower_balance(const lang_model *m, model_step *step)
{
  const heat_drop drop = heat_drop_of(m, step);
  const lower_drive out = {
      .x = step->tau == 1 ? drop.standard : step->tau * drop.standard + (step->tau - 1) * drop.bath,
      .by = step->tau * drop.d.standard + (step->tau - 1) * drop.d.bath + step->d.tau * (drop.standard + drop.bath)};
  step->lnk = out.x + drop.concentrations;
  step->d.lnk = out.by + drop.d.concentrations;
  return out;
}

/* x / (1 - exp(-x)), smooth through 0 (Scharfetter and Gummel 1969). */
static double lower_bernoulli(double x)
{
  if (fabs(x) < 1e-5) return 1 + x / 2 + x * x / 12;
  return x > 0 ? x / -expm1(-x) : x * exp(x) / expm1(x);
}

/* d/dx of its logarithm, 1/x - 1/(exp(x) - 1): Bernoulli numbers where the two terms cancel. */
static double lower_bernoulli_slope(double x)
{
  const double z = x * x;
  if (fabs(x) > 0.3) return 1 / x - 1 / expm1(x);
  return 0.5 - x / 12 * (1 - z / 60 * (1 - z / 42 * (1 - z / 40 * (1 - z * 10 / 396 * (1 - z * 691 / 27300)))));
}

static bool lower_volumes(const lang_model *m, const model_step *step)
{
  bool any = false;
  for (int32_t i = 0; i < step->nleft; i++) any = any || m->slots[step->left[i]].volume > 0;
  for (int32_t i = 0; i < step->nright; i++) any = any || m->slots[step->right[i]].volume > 0;
  return any;
}

/* The drive with the concentrations that are held: an ohmic current vanishes where the whole of it does. */
static lower_drive lower_whole_drive(const lang_model *m, const model_step *step, lower_drive drive)
{
  for (int side = 0; side < 2; side++) {
    const double sign = side ? -1 : 1;
    const int32_t n = side ? step->nres_right : step->nres_left, *const res = side ? step->res_right : step->res_left;
    for (int32_t i = 0; i < n; i++) {
      drive.x += sign * log(m->reservoirs[res[i]].activity);
      drive.by += sign * m->reservoirs[res[i]].d.log_activity;
    }
  }
  return drive;
}

/* Both factors of a form at the drive x, and what changes their logarithms with the drive and the split. */
static bool lower_form(lang_model *m, const expr *form, lower_drive drive, double split, double split_slope,
                       double out[2], double log_slope[2])
{
  const char *const name = form && form->kind == EXPR_NAME ? form->path.name[0] : "exp";
  const double x = drive.x;
  if (strcmp(name, "exp") == 0) {
    out[0] = exp(split * x);
    out[1] = exp(-(1 - split) * x);
    log_slope[0] = split * drive.by + split_slope * x;
    log_slope[1] = split_slope * x - (1 - split) * drive.by;
  } else if (strcmp(name, "scharfetter-gummel") == 0) {
    out[0] = lower_bernoulli(x);
    out[1] = lower_bernoulli(-x);
    log_slope[0] = lower_bernoulli_slope(x) * drive.by;
    log_slope[1] = -lower_bernoulli_slope(-x) * drive.by;
  } else if (strcmp(name, "ohmic") == 0) {
    return true; /* its caller knows the whole drive */
  } else if (strcmp(name, "metropolis") == 0) {
    out[0] = x < 0 ? exp(x) : 1;
    out[1] = x > 0 ? exp(-x) : 1;
    log_slope[0] = x < 0 ? drive.by : 0;
    log_slope[1] = x > 0 ? -drive.by : 0;
    if (x == 0 && drive.by != 0) log_slope[0] = NAN; /* a corner */
  } else if (strcmp(name, "heat-bath") == 0) {
    out[0] = 1 / (1 + exp(-x));
    out[1] = 1 / (1 + exp(x));
    log_slope[0] = out[1] * drive.by;
    log_slope[1] = -out[0] * drive.by;
  } else {
    static const char *const names[] = {"exp", "scharfetter-gummel", "metropolis", "heat-bath", "ohmic"};
    const char *const near = name_nearest(name, names, 5);
    char *const hint = near ? arena_format(&m->memory, "did you mean %s?", near) : NULL;
    lang_error(m->diags, form->place,
               hint ? hint : "the forms are exp, scharfetter-gummel, metropolis, heat-bath, ohmic",
               "no form of a rate has the name %s", name);
    return false;
  }
  return true;
}

/* Both directions from ldb(k0 = ..., split = ..., barrier = ..., form = ...). Concentrations enter as activities, so k0
 * is a rate in 1/s; one in 1/M/s and so on is the same number at c0 = 1 M. */
static bool lower_ldb_both(lang_model *m, model_step *step, lower_drive drive)
{
  const stmt *const s = step->source;
  const expr_argument *const arguments = lower_ldb_arguments(s);
  static const char *const known[] = {"k0", "split", "barrier", "form", "conductance"};
  for (const expr_argument *a = arguments; a; a = a->next) {
    bool found = false;
    for (int i = 0; i < 5; i++) found = found || (a->name && strcmp(a->name, known[i]) == 0);
    if (found) continue;
    const char *const near = a->name ? name_nearest(a->name, known, 5) : NULL;
    char *const hint = near ? arena_format(&m->memory, "did you mean %s?", near) : NULL;
    lang_error(m->diags, a->place, hint ? hint : "ldb takes k0 or conductance, split, barrier and form, by name",
               "ldb does not know %s", a->name ? a->name : "a value without a name");
    return false;
  }
  const expr *const k0_expr = argument_value(arguments, "k0"), *const split_expr = argument_value(arguments, "split");
  const expr *const barrier_expr = argument_value(arguments, "barrier"), *const form =
                                                                             argument_value(arguments, "form");
  const expr *const conductance = argument_value(arguments, "conductance");
  if (!k0_expr == !conductance || (conductance && (split_expr || barrier_expr || form))) {
    lang_error(m->diags, s->forward.place,
               conductance ? "a conductance goes alone: it is a speed and a form"
                           : "write ldb(k0 = 50 [1/s]), or give one of the two rates",
               conductance ? "a conductance says everything" : "detailed balance gives a ratio; the speed is missing");
    return false;
  }
  bool moved = false;
  const eval self = {.m = m, .env = step->env}, speed_of = {.m = m, .env = step->env, .moved = &moved};
  quantity k0 = {0, UNIT_RATE};
  double split = 0.5, shape[2], slope = 0, split_slope = 0, log_slope[2];
  if (conductance && !membrane_conductance(m, step, conductance, &moved, &step->speed_still, &k0.value)) return false;
  if (k0_expr && !eval_constant(&speed_of, k0_expr, &k0, &slope)) return false;
  if (k0_expr) step->speed_still = k0.value;
  if (moved) step->speed = k0_expr ? k0_expr : conductance;
  if (split_expr && !eval_as(&self, split_expr, UNIT_NONE, "split", &split, &split_slope)) return false;
  const double given = k0.value;
  lower_scale scale[2];
  for (int dir = 0; dir < 2; dir++) {
    if (!lower_scale_of(m, step, dir, s->place, &scale[dir])) return false;
  }
  if (!m->file->natural && k0_expr) {
    /* 1/s times any whole power of 1/M that one of the sides has. */
    const int power = k0.unit.m / 3;
    lang_unit bare = k0.unit;
    bare.m = (int8_t)(bare.m - 3 * power);
    if (!unit_equal(bare, UNIT_RATE) || (power != 0 && power != scale[0].order && power != scale[1].order)) {
      char have[64];
      unit_text(k0.unit, have);
      lang_error(m->diags, k0_expr->place, "concentrations enter as c/1 M, so k0 in 1/s is always right",
                 "k0 is a rate in 1/s, this has %s", have);
      return false;
    }
    k0.value *= pow(CONST_C0, power);
  }
  const lang_place speed = k0_expr ? k0_expr->place : conductance->place;
  if (k0.value == 0 && moved) {
    lang_error(m->diags, speed, "give the input another value in the file, at which the step runs",
               "%s does not run at the value in the file, from which it moves", step->name);
    return false;
  }
  if (k0.value == 0) return slope_flat(m, speed, slope, "whether the step runs at all"); /* switched off */
  if (!(k0.value > 0) || !isfinite(k0.value)) {
    lang_error(m->diags, speed, NULL, "k0 must be positive and finite, or 0 to switch the step off");
    return false;
  }
  const bool ohmic = conductance || (form && form->kind == EXPR_NAME && strcmp(form->path.name[0], "ohmic") == 0);
  /* Its rates change with what they move, or with inputs. */
  const bool moves = step->nvar > 0 || (ohmic && lower_volumes(m, step)) || sway_drives(m, step, ohmic);
  if (ohmic) drive = lower_whole_drive(m, step, drive);
  if (moves && !barrier_expr && (!form || lower_form(m, form, drive, split, split_slope, shape, log_slope))) {
    shape[0] = shape[1] = 1;
    log_slope[0] = log_slope[1] = 0;
  } else if (moves) {
    if (barrier_expr)
      lang_error(m->diags, barrier_expr->place, "give k0 and split",
                 "a barrier feels no capacitor and no input that moves beside others");
    return false;
  } else if (ohmic) {
    shape[0] = lower_bernoulli(drive.x);
    shape[1] = lower_bernoulli(-drive.x);
    log_slope[0] = lower_bernoulli_slope(drive.x) * drive.by;
    log_slope[1] = -lower_bernoulli_slope(-drive.x) * drive.by;
  } else if (barrier_expr) {
    double barrier, left = 0, right = 0, by = 0, barrier_slope;
    if (split_expr || form) {
      lang_error(m->diags, barrier_expr->place, "a barrier fixes both rates", "a barrier goes without split and form");
      return false;
    }
    if (!eval_energy(m, barrier_expr, step->env, NULL, &barrier, &barrier_slope)) return false;
    for (int32_t i = 0; i < step->nleft; i++) {
      left += m->slots[step->left[i]].standard;
      by += m->slots[step->left[i]].d.standard;
    }
    for (int32_t i = 0; i < step->nres_left; i++) {
      const model_reservoir *const r = &m->reservoirs[step->res_left[i]];
      left += r->mu0 + r->z * r->phi;
      by += r->d.mu0 + r->d.z * r->phi + r->z * r->d.phi;
    }
    log_slope[0] = step->tau * (by - barrier_slope) + step->d.tau * (left - barrier);
    left = step->tau * (left - barrier);
    right = left - drive.x;
    log_slope[1] = log_slope[0] - drive.by;
    shape[0] = exp(left);
    shape[1] = exp(right);
  } else if (!lower_form(m, form, drive, split, split_slope, shape, log_slope) ||
             !slope_known(m, form ? form->place : s->place, log_slope[0])) {
    return false;
  }
  /* Activities: reservoirs c/c0, copies in a volume n/(V c0); one factor V c0 when nothing else is countable. */
  const double c0 = m->file->natural ? 1 : CONST_C0;
  const bool countable = lower_has_count(m, step->nleft, step->left) || lower_has_count(m, step->nright, step->right);
  double constants[2];
  for (int dir = 0; dir < 2; dir++) {
    const int32_t n = dir ? step->nright : step->nleft, *const ids = dir ? step->right : step->left;
    const int32_t nres = dir ? step->nres_right : step->nres_left, *const res = dir ? step->res_right : step->res_left;
    bool mixed;
    step->runs_in[dir] = countable || ohmic ? 0 : lower_runs_in(m, step, 0, &mixed);
    const model_slot *const within = step->runs_in[dir] > 0 ? &m->slots[step->runs_in[dir] - 1] : NULL;
    double k = k0.value * shape[dir] * (within ? within->volume * c0 : 1),
           by = within ? within->d.volume / within->volume : 0;
    by += (k0_expr ? slope / given : 0) + log_slope[dir];
    for (int32_t i = 0; i < nres && !ohmic; i++) {
      k *= m->reservoirs[res[i]].activity;
      by += m->reservoirs[res[i]].d.log_activity;
    }
    for (int32_t i = 0; i < n; i++) {
      const model_slot *const slot = &m->slots[ids[i]];
      if (!(slot->volume > 0) || ohmic) continue;
      k /= slot->volume * c0;
      by -= slot->d.volume / slot->volume;
    }
    constants[dir] = k;
    if (moves) continue;
    step->k[dir] = k;
    step->d.log_k[dir] = by;
    step->law[dir] = LAW_MASS;
  }
  const membrane_law law = {ohmic ? "ohmic" : form ? form->path.name[0] : "exp", drive.x, split};
  return !moves || membrane_both(m, step, constants, &law);
}

static bool lower_rate_value(lang_model *m, const model_step *step, int dir, lang_place place, double k)
{
  if (k >= 0 && isfinite(k)) return true;
  if (isnan(k)) {
    lang_error(m->diags, place, "0/0, or the logarithm of a negative value", "the %s rate of %s is not a number",
               dir ? "backward" : "forward", step->name);
    return false;
  }
  lang_error(m->diags, place,
             k < 0 ? "a step runs forward at a positive rate; swap its sides to turn it round"
                   : "look at the energies and constants that it is made of",
             "the %s rate of %s is %g", dir ? "backward" : "forward", step->name, k);
  return false;
}

/* The slopes of a tape's constants behind those that the step has already. */
static bool lower_slopes(lang_model *m, model_step *step, const eval_tape *tape)
{
  if (!m->active) return true;
  double *const slopes = arena_alloc(&m->memory, ((size_t)step->nconst + (size_t)tape->nconst + 1) * sizeof *slopes);
  if (!slopes) return false;
  for (int32_t i = 0; i < step->nconst; i++) slopes[i] = step->slopes[i];
  for (int32_t i = 0; i < tape->nconst; i++) {
    slopes[step->nconst + i] = tape->slopes[i];
    if (!slope_known(m, step->source->place, tape->slopes[i])) return false;
  }
  step->slopes = slopes;
  return true;
}

int32_t lower_counts(const eval *self, const model_step *step, int dir, int32_t reg, bool bare)
{
  const int32_t n = dir ? step->nright : step->nleft, *const ids = dir ? step->right : step->left;
  for (int32_t i = 0; i < n && reg >= 0; i++) {
    int32_t before = 0;
    for (int32_t k = 0; k < i && !step->flow; k++) before += ids[k] == ids[i]; /* what flows is a mean: n^2 */
    if (bare && self->m->slots[ids[i]].volume > 0) continue;
    const eval_value shift = {.q = {before, UNIT_NONE}, .constant = true, .reg = -1};
    const int32_t slot = eval_emit(self, TAPE_SLOT, ids[i], 0, 0), b = eval_reg(self, &shift);
    const int32_t left = slot < 0 || b < 0 ? -1 : eval_emit(self, TAPE_SUB, slot, b, 0);
    reg = left < 0 ? -1 : eval_emit(self, TAPE_MUL, reg, left, 0);
  }
  return reg;
}

bool lower_tape(lang_model *m, model_step *step, int dir, eval_tape *tape, int32_t reg)
{
  /* The value of a tape is its last register. */
  if (reg != tape->nop - 1) {
    const eval self = {.m = m, .tape = tape};
    const eval_value one = {.q = {1, UNIT_NONE}, .constant = true, .reg = -1};
    const int32_t b = eval_reg(&self, &one);
    if (b < 0 || eval_emit(&self, TAPE_MUL, reg, b, 0) < 0) return false;
  }
  /* Both directions share one list of constants. */
  double *const constants =
      arena_alloc(&m->memory, ((size_t)step->nconst + (size_t)tape->nconst + 1) * sizeof *constants);
  if (!constants) return false;
  if (step->nconst) memcpy(constants, step->constants, (size_t)step->nconst * sizeof *constants);
  if (tape->nconst) memcpy(constants + step->nconst, tape->constants, (size_t)tape->nconst * sizeof *constants);
  if (!lower_slopes(m, step, tape)) return false;
  for (int32_t i = 0; i < tape->nop; i++) {
    if (tape->ops[i].code == TAPE_CONST) tape->ops[i].a += step->nconst;
  }
  step->constants = constants;
  step->nconst += tape->nconst;
  step->tape[dir] = tape->ops;
  step->nop[dir] = tape->nop;
  step->law[dir] = LAW_TAPE;
  step->k[dir] = 0;
  return true;
}

/* A given constant (@) or whole propensity (@@). What depends on counts becomes a tape. */
static bool lower_given(lang_model *m, model_step *step, int dir)
{
  const stmt *const s = step->source;
  const step_rate *const rate = dir ? &s->backward : &s->forward;
  eval_tape tape = {0};
  const eval self = {.m = m, .env = step->env, .tape = &tape};
  eval_value v;
  lower_scale scale = {.factor = 1, .unit = UNIT_RATE};
  if (!eval_expr(&self, rate->value, &v) || !slope_known(m, rate->value->place, v.slope)) return false;
  if (!s->whole && !lower_scale_of(m, step, dir, rate->place, &scale)) return false;
  step->runs_in[dir] = scale.runs_in;
  const bool zero = v.constant && v.q.value == 0;
  if (!m->file->natural && !unit_equal(v.q.unit, scale.unit) && !zero) {
    char have[64], want[64];
    unit_text(v.q.unit, have);
    unit_text(scale.unit, want);
    lang_error(m->diags, rate->value->place, s->whole ? NULL : arena_format(&m->memory, "write it in [%s]", want),
               "the %s rate of %s is in %s, this has %s", dir ? "backward" : "forward", step->name, want, have);
    return false;
  }
  if (rate->error) {
    double error, ignored;
    if (!eval_as(&self, rate->error, v.q.unit, "the error of a rate", &error, &ignored)) return false;
    if (!(error >= 0) || !(v.q.value > 0)) {
      lang_error(m->diags, rate->error->place, NULL, "an error is a positive number beside a positive rate");
      return false;
    }
    step->raw[dir] = error / v.q.value;
  }
  const int32_t n = dir ? step->nright : step->nleft;
  if (v.constant && (!s->whole || n == 0)) {
    if (!lower_rate_value(m, step, dir, rate->value->place, v.q.value * scale.factor)) return false;
    step->law[dir] = v.q.value * scale.factor > 0 ? LAW_MASS : LAW_NONE;
    step->k[dir] = v.q.value * scale.factor;
    if (v.q.value == 0) return slope_flat(m, rate->value->place, v.slope, "whether the step runs at all");
    step->d.log_k[dir] = v.slope / v.q.value + scale.slope;
    return true;
  }
  if (v.constant && !lower_rate_value(m, step, dir, rate->value->place, v.q.value)) return false;
  int32_t reg = eval_reg(&self, &v);
  if (!s->whole) {
    /* A constant that changes with the counts: mass action around it. */
    const eval_value factor = {
        .q = {scale.factor, UNIT_NONE}, .constant = true, .reg = -1, .slope = scale.factor * scale.slope};
    const int32_t f = eval_reg(&self, &factor);
    if (reg < 0 || f < 0 || (reg = eval_emit(&self, TAPE_MUL, reg, f, 0)) < 0) return false;
    reg = sway_scale(&self, step, dir, volume_factor(&self, step, dir, reg), false);
    reg = lower_counts(&self, step, dir, reg, false);
  }
  return reg >= 0 && lower_tape(m, step, dir, &tape, reg);
}

static bool lower_step_rates(lang_model *m, model_step *step, bool from_energies)
{
  const stmt *const s = step->source;
  const bool ldb = s->forward.ldb || s->backward.ldb;
  if (step->flow == FLOW_DRIFT) return from_energies || variables_drift(m, step);
  step->from_energies = ldb;
  if (!from_energies) {
    step->lnk = NAN;
    if (s->reversible && !s->backward.given && !(s->forward.ldb && s->forward.arguments)) {
      lang_error(m->diags, s->place,
                 s->forward.ldb
                     ? "write ldb(k0 = 50 [1/s]), or `ldb, rate back`"
                     : "give both, as in `@ 1, 2`; or `ldb` for the one that detailed balance gives; or -> for one way",
                 "%s is reversible, but only one rate is given", step->name);
      return false;
    }
    if (!s->reversible && (s->backward.given || ldb)) {
      lang_error(m->diags, s->place, "write <-> for a reversible step",
                 "%s goes one way, so it has one rate, given as a number", step->name);
      return false;
    }
    if (s->whole && ldb) {
      lang_error(m->diags, s->place, "use @", "ldb needs mass action: it does not stand behind @@");
      return false;
    }
    bool fine = true;
    if (!s->forward.ldb) fine = lower_given(m, step, 0);
    if (s->backward.given && !s->backward.ldb) fine = lower_given(m, step, 1) && fine;
    if (step->law[0] == LAW_MASS && step->law[1] == LAW_MASS) step->d.lnk = step->d.log_k[0] - step->d.log_k[1];
    return fine;
  }
  if (!sway_place(m, step)) return false;
  if (!ldb) return membrane_given(m, step);
  const lower_drive drive = lower_balance(m, step);
  const double lnk = step->lnk;
  if (s->forward.ldb && (s->backward.ldb || !s->backward.given))
    return lower_ldb_both(m, step, drive) && membrane_given(m, step);
  const int given = s->forward.ldb ? 1 : 0, other = 1 - given;
  if (step->law[given] == LAW_NONE) return true; /* a rate of 0 switches the step off */
  if (step->law[given] != LAW_MASS) {
    lang_error(m->diags, s->place, NULL, "ldb needs the other rate of %s to be a positive constant", step->name);
    return false;
  }
  step->runs_in[other] = step->runs_in[given];
  if (step->nvar > 0 || sway_drives(m, step, true)) return membrane_other(m, step, given, lnk);
  step->k[other] = step->k[given] * exp(given == 0 ? -lnk : lnk);
  step->d.log_k[other] = step->d.log_k[given] + (given == 0 ? -step->d.lnk : step->d.lnk);
  step->law[other] = LAW_MASS;
  const step_rate *const rate = other ? &s->backward : &s->forward;
  if (!(step->k[other] > 0)) {
    lang_error(m->diags, rate->place, "look at the energies that it is made of",
               "local detailed balance makes the %s rate of %s %g (drive %g kT)", other ? "backward" : "forward",
               step->name, step->k[other], lnk);
    return false;
  }
  return lower_rate_value(m, step, other, rate->place, step->k[other]) && membrane_given(m, step);
}

bool lower_rates(lang_model *m, bool from_energies)
{
  bool fine = true;
  for (int64_t s = 0; s < m->nstep && !m->memory.failed; s++)
    fine = lower_step_rates(m, &m->steps[s], from_energies) && fine;
  return fine;
}
