/* Models in a line of C, for the tests of networks/: a text with settings becomes a compiled model, an expression its
 * value, an experiment its answer. What was not expected to fail prints its diagnostics. */
#ifndef NESS_TESTS_LANG_SAMPLE_H
#define NESS_TESTS_LANG_SAMPLE_H

#include "check.h"
#include "networks/experiment/experiment.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NATURAL "model t\nunits natural\n"
#define SI "model t\ntemperature 300 [K]\n"
#define KT300 (1.380649e-23 * 300)

/* Owned by the caller; NULL when it does not compile, with *status (may be NULL) and the words of the first diagnostic
 * in `why` (may be NULL, then they are printed). */
static inline ness_model *sample_settings(const char *text, const char *const *settings, int32_t n, ness_status *status,
                                          char why[400])
{
  ness_diags *const diags = ness_diags_create();
  ness_model *model = NULL;
  const ness_status got = ness_model_load("sample.ness", text, settings, n, diags, &model);
  if (status) *status = got;
  if (why) {
    snprintf(why, 400, "%s", ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
  } else if (got != NESS_OK) {
    char *const shown = ness_diags_render(diags, 0);
    fprintf(stderr, "%s\n%s\n", text, shown);
    ness_text_free(shown);
  }
  ness_diags_free(diags);
  return model;
}

static inline ness_model *sample_model(const char *text)
{
  ness_model *const model = sample_settings(text, NULL, 0, NULL, NULL);
  CHECK(model != NULL);
  return model;
}

static inline const ness_network *sample_network(const ness_model *model)
{
  return lang_network(model->compiled);
}

/* The value of an expression in a model; NAN when it has none, the reason in `why` (may be NULL). */
static inline quantity sample_value(ness_model *model, const char *expression, char why[400])
{
  ness_diags *const diags = ness_diags_create();
  expr *e;
  quantity out = {NAN, UNIT_NONE};
  if (lang_parse_expression(model->file, expression, diags, &e) != NESS_OK ||
      !lang_evaluate(model->compiled, e, NULL, NULL, diags, &out))
    out.value = NAN;
  if (why) snprintf(why, 400, "%s", ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
  else if (isnan(out.value) && ness_diags_count(diags, NULL))
    fprintf(stderr, "%s: %s\n", expression, ness_diags_get(diags, 0)->message);
  ness_diags_free(diags);
  return out;
}

static inline double sample_number(ness_model *model, const char *expression)
{
  return sample_value(model, expression, NULL).value;
}

/* Whether a text is refused with this status and these words in its first diagnostic. */
static inline bool sample_refused(const char *text, ness_status wanted, const char *words)
{
  char why[400];
  ness_status status;
  ness_model_free(sample_settings(text, NULL, 0, &status, why));
  const bool fine = status == wanted && strstr(why, words) != NULL;
  if (!fine) fprintf(stderr, "%s\ngave %d, %s\nwanted %d, %s\n", text, (int)status, why, (int)wanted, words);
  return fine;
}

static inline int32_t sample_step(const ness_model *model, const char *name)
{
  return lang_find_text(model->compiled, LANG_STEP, name);
}

static inline int32_t sample_slot(const ness_model *model, const char *name)
{
  return lang_find_text(model->compiled, LANG_SLOT, name);
}

/* The propensity constant of a step's direction; NAN when it is not mass action, 0 when the direction is off. */
static inline double sample_k(const ness_model *model, const char *step, int dir)
{
  const ness_network *const net = sample_network(model);
  const int32_t s = sample_step(model, step);
  if (s < 0) return NAN;
  const int32_t law = net->dir_law[2 * s + dir];
  return law == LAW_NONE ? 0 : law == LAW_MASS ? net->dir_k[2 * s + dir] : NAN;
}

/* A file of this text in a folder of its own under TMPDIR or /tmp; the path is static. No text: only the path. */
static inline const char *sample_file(const char *name, const char *text)
{
  static char folder[200], path[300];
  if (!folder[0]) {
    const char *const base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/ness-sample-XXXXXX", base && base[0] ? base : "/tmp");
    if (!mkdtemp(folder)) return NULL;
  }
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (!text) return path;
  (void)mkdir(folder, 0700); /* it goes with its last file */
  FILE *const out = fopen(path, "wb");
  if (!out) return NULL;
  const bool fine = fputs(text, out) >= 0;
  return fclose(out) == 0 && fine ? path : NULL;
}

static inline void sample_file_remove(const char *name)
{
  char path[300];
  snprintf(path, sizeof path, "%s", sample_file(name, NULL));
  (void)unlink(path);
  char *const slash = strrchr(path, '/');
  *slash = '\0';
  (void)rmdir(path); /* succeeds with the last file */
}

/* The answer of the experiments of a text, owned; `why` as above. */
static inline ness_doc *sample_test(const char *text, bool exact_only, ness_status *status, char why[400])
{
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  const ness_test_options options = {.struct_size = sizeof options, .exact_only = exact_only};
  const char *const path = sample_file("experiment.ness", text);
  *status = path ? ness_test(path, &options, diags, &doc) : NESS_IO;
  if (why) snprintf(why, 400, "%s", ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
  else if (*status != NESS_OK && *status != NESS_EXPECT && ness_diags_count(diags, NULL))
    fprintf(stderr, "%s\n%s\n", text, ness_diags_get(diags, 0)->message);
  sample_file_remove("experiment.ness");
  ness_diags_free(diags);
  return doc;
}

#endif
