/* Loading: a file or text and the settings of the call become a compiled model. Also the words that answers share. */
#include "networks/experiment/experiment.h"
#include "networks/import/import.h"
#include "networks/lang/adopt.h"
#include <stdio.h>
#include <string.h>

/* What stands before the = of a setting that has been parsed, without blanks around it. NULL when memory is out. */
const char *setting_name(lang_file *file, const char *setting)
{
  const char *end = strchr(setting, '=');
  while (*setting == ' ') setting++;
  while (end > setting && end[-1] == ' ') end--;
  return arena_text(&file->memory, setting, (size_t)(end - setting));
}

int32_t settings_split(const char *joined, arena *memory, const char ***out)
{
  int32_t count = 1;
  *out = NULL;
  if (!*joined) return 0;
  for (const char *at = joined; (at = strstr(at, "; ")); at += 2) count++;
  const char **const list = arena_alloc(memory, (size_t)count * sizeof *list);
  for (int32_t i = 0; list && i < count; i++) {
    const char *const end = strstr(joined, "; ");
    const size_t length = end ? (size_t)(end - joined) : strlen(joined);
    list[i] = arena_text(memory, joined, length);
    joined += end ? length + 2 : length;
  }
  *out = list;
  return list ? count : 0;
}

/* Settings are evaluated in a model compiled without them, so that "V=-2*V0" finds V0. */
ness_status settings_evaluate(lang_file *file, const char *const *settings, int32_t n, ness_diags *diags,
                              lang_override **out)
{
  *out = NULL;
  if (n == 0) return NESS_OK;
  lang_override *const list = mem_zero((size_t)n, sizeof *list);
  lang_model *model = NULL;
  ness_status status = list ? lang_compile(file, NULL, 0, diags, &model) : NESS_NOMEM;
  for (int32_t i = 0; i < n && status == NESS_OK; i++) {
    stmt_item *item;
    expr_argument *range;
    status = lang_parse_setting(file, settings[i], diags, &item, &range);
    if (status == NESS_OK && range) {
      lang_error(diags, range->place, "one value here; ranges are for ness scan", "a range");
      status = NESS_USAGE;
    }
    if (status == NESS_OK && !lang_evaluate(model, item->value, NULL, NULL, diags, &list[i].value)) status = NESS_USAGE;
    if (status != NESS_OK) break;
    list[i].name = setting_name(file, settings[i]);
    if (!list[i].name) status = NESS_NOMEM;
  }
  lang_model_free(model);
  if (status != NESS_OK) mem_free(list);
  else *out = list;
  return status;
}

/* A file of rates as a model. */
static ness_status model_import(ness_model *self, const char *path, const char *content, const char *const *settings,
                                int32_t nsettings, ness_diags *diags, ness_model **out)
{
  ness_network *net = NULL;
  ness_status status = import_load(path, content, content ? strlen(content) : 0, settings, nsettings, diags, &net);
  if (status == NESS_OK) status = lang_adopt(net, path, diags, &self->file, &self->compiled);
  if (status != NESS_OK) network_free(net);
  else if (!lang_warn_unreached(self->compiled, diags)) status = NESS_NOMEM;
  text_buffer joined = {0};
  for (int32_t i = 0; i < nsettings && status == NESS_OK; i++) text_add(&joined, "%s%s", i ? "; " : "", settings[i]);
  text_put(&joined, "", 0);
  if (status == NESS_OK && !(self->settings = text_take(&joined))) status = NESS_NOMEM;
  text_clear(&joined);
  self->imported = true;
  if (status == NESS_OK) *out = self;
  else ness_model_free(self);
  return status;
}

ness_status ness_model_load(const char *path, const char *content, const char *const *settings, int32_t nsettings,
                            ness_diags *diags, ness_model **out)
{
  *out = NULL;
  ness_model *const self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  if (import_knows(path)) return model_import(self, path, content, settings, nsettings, diags, out);
  ness_status status = lang_parse(path, content, content ? strlen(content) : 0, diags, &self->file);
  if (status == NESS_OK) status = settings_evaluate(self->file, settings, nsettings, diags, &self->overrides);
  if (status == NESS_OK) {
    self->noverrides = nsettings;
    status = lang_compile(self->file, self->overrides, self->noverrides, diags, &self->compiled);
    if (status == NESS_OK && !lang_warn_unreached(self->compiled, diags)) status = NESS_NOMEM;
  }
  text_buffer joined = {0};
  for (int32_t i = 0; i < nsettings && status == NESS_OK; i++) text_add(&joined, "%s%s", i ? "; " : "", settings[i]);
  text_put(&joined, "", 0);
  if (status == NESS_OK && !(self->settings = text_take(&joined))) status = NESS_NOMEM;
  text_clear(&joined);
  if (status != NESS_OK) {
    ness_model_free(self);
    return status;
  }
  *out = self;
  return NESS_OK;
}

void ness_model_free(ness_model *self)
{
  if (!self) return;
  lang_model_free(self->compiled);
  lang_file_free(self->file);
  mem_free(self->overrides);
  mem_free(self->settings);
  mem_free(self);
}

void answer_conventions(ness_doc *doc)
{
  doc_string(doc_root(doc), "conventions",
             "k_ij is i to j; J_ij = p_i k_ij - p_j k_ji; a cycle's sign is that of its listed steps, lowest id first; "
             "affinity in kT, "
             "entropy production in k_B/s; V inside minus outside in mV; outward current positive; charges in e; "
             "concentrations in M");
}

void answer_cycle_text(const ness_network *net, const cme_cycle *cycle, text_buffer *out)
{
  for (int32_t i = 0; i < cycle->length; i++) {
    const char *const sign = cycle->dir[i] % 2 ? (i ? " - " : "-") : (i ? " + " : "");
    text_add(out, "%s%s", sign, network_text(net, net->step_name[cycle->dir[i] / 2]));
  }
}

double answer_words(quantity q, char words[64])
{
  static const struct {
    lang_unit unit;
    double scale;
    const char *words;
  } known[] = {{{0, 0, 0, 0, 0}, 1, ""},        {{0, 0, -1, 0, 0}, 1, "1/s"},
               {{2, 1, -3, -1, 0}, 1e-3, "mV"}, {{2, 1, -2, 0, 0}, 1e3 / CONST_NA, "kJ/mol"},
               {{0, 0, 0, 1, 0}, 1e-12, "pA"},  {{-3, 0, 0, 0, 0}, 1e-3 * CONST_C0, "mM"},
               {{0, 0, 1, 0, 0}, 1, "s"}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (!unit_equal(known[i].unit, q.unit)) continue;
    snprintf(words, 64, "%s", known[i].words);
    return q.value / known[i].scale;
  }
  /* A derivative: one of these over another, as pA/mV; 1/M and 1/M/s are units of constants and stay. */
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    for (size_t k = 2; k < sizeof known / sizeof *known; k++) {
      if (i < 2 && strcmp(known[k].words, "mM") == 0) continue;
      if (!unit_equal(unit_add(known[i].unit, unit_scale(known[k].unit, -1)), q.unit)) continue;
      const bool compound = strchr(known[k].words, '/') != NULL;
      snprintf(words, 64, compound ? "%s/(%s)" : "%s/%s", i ? known[i].words : "1", known[k].words);
      return q.value / known[i].scale * known[k].scale;
    }
  }
  unit_text(q.unit, words);
  quantity one;
  size_t bad;
  const char *why; /* most words are units of the language, and not always SI: 1/M/s */
  return unit_parse(words, strlen(words), 0, &one, &bad, &why) && unit_equal(one.unit, q.unit) ? q.value / one.value
                                                                                               : q.value;
}

void answer_slot_name(const ness_network *net, int32_t slot, text_buffer *out)
{
  const int32_t v = net->slot_var[slot];
  const char *const unit = v < 0 ? "" : network_text(net, net->var_text[v]);
  text_add(out, *unit ? "%s [%s]" : "%s", network_text(net, net->slot_name[slot]), unit);
}

void answer_quantity(doc_node *row, const char *key, quantity q)
{
  char words[64];
  doc_number(row, key, answer_words(q, words));
  doc_string(row, "unit", "%s", words);
}

void answer_column(doc_node *row, const char *title, quantity q)
{
  char words[64];
  text_buffer key = {0};
  const double number = answer_words(q, words);
  text_add(&key, words[0] ? "%s [%s]" : "%s", title, words);
  if (!key.failed) doc_number(row, key.data, number);
  text_clear(&key);
}
