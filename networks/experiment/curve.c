/* The curve of a report, unasked: which value of a model to vary, and how far. A voltage if there is one, a value that
 * moves the potential of a compartment; else the reservoir that the currents change most with, tried at a half and at
 * one and a half times its value. Invariant: the table is that of `ness scan` with the command that is given beside it.
 * Cost: a compilation a value that is looked at, two solutions a reservoir, and those of the curve. */
#include "networks/experiment/curve.h"
#include "analysis/report/report.h"
#include <math.h>
#include <string.h>

#define CURVE_STATES 2000   /* of the largest network whose curve is solved without being asked */
#define CURVE_NAMES 64      /* values of a file that are looked at for a voltage */
#define CURVE_RESERVOIRS 12 /* that are tried */

typedef struct curve_choice {
  const char *setting; /* NULL: none */
  const char *words;   /* what is varied */
  const char *current; /* a column to add, NULL none */
  const char *trial;   /* half and one and a half times the value */
} curve_choice;

static char *range_text(curve_job *self, const char *name, double from, double to, double by, const char *unit)
{
  return arena_format(self->texts, *unit ? "%s=%.9g:%.9g:%.9g[%s]" : "%s=%.9g:%.9g:%.9g", name, from, to, by, unit);
}

static bool any_nonzero(const double *list, int32_t n)
{
  for (int32_t i = 0; list && i < n; i++)
    if (list[i] != 0) return true;
  return false;
}

/* A voltage: a value in volts (or without a unit) that moves the potential of a compartment. */
static bool choose_voltage(curve_job *self, const char *name, const lang_slopes *slopes, curve_choice *out)
{
  const ness_network *const net = self->net;
  char unit[64];
  const double now = answer_words(slopes->value, unit);
  const bool natural = lang_file_of(self->model->compiled)->natural;
  if (!any_nonzero(slopes->volt, net->nvolt) || !slopes->any) return false;
  if (!(natural && !*unit) && strcmp(unit, "mV") != 0) return false;
  const double reach = fmax(natural ? 6 : 120, 10 * ceil(fabs(now) / 8));
  int32_t volt = 0;
  while (slopes->volt[volt] == 0) volt++;
  out->setting = range_text(self, name, -reach, reach, reach / 20, unit);
  out->words = arena_format(self->texts, "the voltage %s is varied", name);
  out->current = arena_format(self->texts, "current(%s)", network_text(net, net->volt_name[volt]));
  return true;
}

static bool choose_reservoir(curve_job *self, const char *name, const lang_slopes *slopes, curve_choice *out)
{
  char unit[64];
  const double now = answer_words(slopes->value, unit);
  if (!(now > 0) || !isfinite(now) || !slopes->any) return false;
  out->setting = range_text(self, name, now / 20, 2 * now, now / 20, unit);
  out->trial = range_text(self, name, now / 2, 1.5 * now, now, unit);
  out->words = arena_format(self->texts, "%s is varied up to twice its value", name);
  return true;
}

/* How much the currents change along the trial of a choice, relative to themselves; -1 where they are not known. */
static double change_along(curve_job *self, const curve_choice *choice)
{
  ness_diags *const quiet = ness_diags_create();
  ness_doc *doc = NULL;
  const ness_scan_options options = {
      .struct_size = sizeof options, .settings = &choice->trial, .nsettings = 1, .max_states = self->max_states};
  double change = 0, size = 0;
  const bool good = quiet && choice->trial && ness_scan(self->model, &options, quiet, &doc) == NESS_OK;
  const doc_node *const first = good ? doc_at(doc, "table[0]") : NULL, *const last =
                                                                           good ? doc_at(doc, "table[1]") : NULL;
  for (const doc_node *a = first ? first->first->next : NULL; a && a->next; a = a->next) { /* all but sigma */
    const double from = node_number(first, a->key), to = node_number(last, a->key);
    change += fabs(to - from);
    size += fabs(from) + fabs(to);
  }
  ness_doc_free(doc);
  ness_diags_free(quiet);
  return size > 0 ? change / size : -1;
}

static ness_status slopes_of(curve_job *self, const char *name, lang_slopes *out)
{
  const lang_place nowhere = {0};
  ness_diags *const quiet = ness_diags_create();
  const ness_status status = quiet ? lang_slopes_find(self->model->compiled, name, nowhere, quiet, out) : NESS_NOMEM;
  ness_diags_free(quiet);
  return status;
}

/* A voltage if there is one, else the reservoir that the currents depend on most. */
static ness_status choose(curve_job *self, curve_choice *out)
{
  const lang_model *const compiled = self->model->compiled;
  const ness_network *const net = self->net;
  ness_status status = NESS_OK;
  double most = -2;
  for (int64_t i = 0; net->nvolt > 0 && i < CURVE_NAMES && !out->setting && status != NESS_NOMEM; i++) {
    const char *const name = lang_slopes_name(compiled, i);
    lang_slopes slopes = {0};
    if (!name) break;
    status = slopes_of(self, name, &slopes);
    if (!status) choose_voltage(self, name, &slopes, out);
    lang_slopes_free(&slopes);
  }
  for (int32_t r = 0; !out->current && r < net->nres && r < CURVE_RESERVOIRS && status != NESS_NOMEM; r++) {
    lang_slopes slopes = {0};
    curve_choice other = {0};
    status = slopes_of(self, network_text(net, net->res_name[r]), &slopes);
    const bool fits = !status && choose_reservoir(self, network_text(net, net->res_name[r]), &slopes, &other);
    lang_slopes_free(&slopes);
    const double change = fits ? change_along(self, &other) : -2;
    if (!(change > most)) continue;
    most = change;
    *out = other;
  }
  return status == NESS_NOMEM ? status : NESS_OK; /* a value without slopes is passed over */
}

/* Whether some observable is an electric current already. */
static bool observes_current(const curve_job *self)
{
  const doc_node *const list = self->solve ? doc_at(self->solve, "observables") : NULL;
  for (const doc_node *row = list ? list->first : NULL; row; row = row->next) {
    const char *const unit = node_string(row, "unit");
    if (unit && strcmp(unit, "pA") == 0) return true;
  }
  return list && list->first && lang_file_of(self->model->compiled)->natural;
}

/* A word of a command as a shell would take it. */
static void add_word(text_buffer *out, const char *word)
{
  const bool plain =
      *word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,")] == 0;
  text_add(out, plain ? " " : " '");
  for (; *word; word++) text_put(out, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
  if (!plain) text_put(out, "'", 1);
}

#define CURVE_COLUMNS 8

static ness_status scan_along(curve_job *self, const curve_choice *choice, ness_diags *diags, ness_doc **out)
{
  const ness_network *const net = self->net;
  const char *columns[CURVE_COLUMNS];
  int32_t n = 0;
  if (choice->current && !observes_current(self)) {
    columns[n++] = choice->current;
    for (int32_t i = 0; i < net->nobs && n < CURVE_COLUMNS - 1; i++) columns[n++] = network_text(net, net->obs_name[i]);
    columns[n++] = "sigma";
  }
  const ness_scan_options options = {.struct_size = sizeof options,
                                     .settings = &choice->setting,
                                     .nsettings = 1,
                                     .columns = columns,
                                     .ncolumns = n,
                                     .max_states = self->max_states};
  text_buffer command = {0};
  text_add(&command, "ness scan");
  add_word(&command, self->model_path);
  add_word(&command, choice->setting);
  for (int32_t i = 0; i < self->nsettings; i++) add_word(&command, self->settings[i]);
  for (int32_t i = 0; i < n; i++) {
    text_add(&command, " --column");
    add_word(&command, columns[i]);
  }
  self->command = command.failed ? NULL : arena_text(self->texts, command.data, command.length);
  self->words = choice->words;
  text_clear(&command);
  return ness_scan(self->model, &options, diags, out);
}

ness_status curve_draw(curve_job *self, ness_diags *diags, ness_doc **out)
{
  curve_choice choice = {0};
  const double states = ness_doc_number(self->solve, "method.states");
  if (self->model->imported) {
    diag_add(diags, NESS_ERROR, "a file of rates has no parameters");
    return NESS_USAGE;
  }
  if (self->net->nvar > 0) {
    diag_add(diags, NESS_ERROR,
             "the steady state is that of the rate equations; `ness scan MODEL ode ... --html` draws them");
    return NESS_LIMIT;
  }
  if (!(states <= CURVE_STATES)) {
    diag_add(diags, NESS_ERROR, "the steady state has %.0f states, and a curve would take many; ness scan draws one",
             states);
    return NESS_LIMIT;
  }
  const ness_status status = choose(self, &choice);
  if (status) return status;
  if (!choice.setting) {
    diag_add(
        diags, NESS_ERROR,
        "the model has no voltage and no reservoir whose value could be varied; ness scan takes any other parameter");
    return NESS_USAGE;
  }
  return scan_along(self, &choice, diags, out);
}
