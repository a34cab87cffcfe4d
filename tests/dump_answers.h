/* Runs that write a dump, and what is said of it: for the tests of ness_analyze on runs of models. One file at a time,
 * in `path`; `other` is beside it. What was not expected to fail prints its diagnostics and ends the program. */
#ifndef NESS_TESTS_DUMP_ANSWERS_H
#define NESS_TESTS_DUMP_ANSWERS_H

#include "engine/dump/dump.h"
#include "lang_sample.h"
#include <ness/analyze.h>

static char path[64], other[80];

static inline ness_simulate_options options_of(const char *level, double time, double warmup, uint64_t seed)
{
  return (ness_simulate_options){.struct_size = sizeof(ness_simulate_options),
                                 .replicas = 64,
                                 .time = time,
                                 .warmup = warmup,
                                 .seed = seed,
                                 .path = path,
                                 .overwrite = 1,
                                 .level = level};
}

/* What the run says. */
static inline ness_doc *run(const char *text, const ness_simulate_options *options)
{
  ness_model *const model = sample_model(text);
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  CHECK(model && ness_simulate(model, options, diags, &doc) == NESS_OK);
  if (!doc) {
    char *const shown = ness_diags_render(diags, 0);
    fprintf(stderr, "%s\n", shown);
    exit(1);
  }
  ness_diags_free(diags);
  ness_model_free(model);
  return doc;
}

static inline ness_doc *analyze(const ness_analyze_options *options)
{
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  CHECK(ness_analyze(path, options, diags, &doc) == NESS_OK);
  if (!doc) {
    char *const shown = ness_diags_render(diags, 0);
    fprintf(stderr, "%s\n", shown);
    exit(1);
  }
  ness_diags_free(diags);
  return doc;
}

static inline double number(const ness_doc *doc, const char *format, int i, const char *member)
{
  char key[96];
  snprintf(key, sizeof key, format, i);
  snprintf(key + strlen(key), sizeof key - strlen(key), ".%s", member);
  return ness_doc_number(doc, key);
}

static inline bool says(const ness_doc *doc, const char *key, const char *words)
{
  const char *const text = ness_doc_string(doc, key);
  const bool found = text && strstr(text, words);
  if (!found) fprintf(stderr, "%s: %s\n", key, text ? text : "(none)");
  return found;
}

static inline void *slurp(const char *from, size_t *bytes)
{
  FILE *const file = fopen(from, "rb");
  CHECK(file != NULL);
  fseek(file, 0, SEEK_END);
  *bytes = (size_t)ftell(file);
  rewind(file);
  void *const data = malloc(*bytes);
  CHECK(fread(data, 1, *bytes, file) == *bytes);
  fclose(file);
  return data;
}

static inline void spill(const void *data, size_t bytes)
{
  FILE *const file = fopen(path, "wb");
  CHECK(file && fwrite(data, 1, bytes, file) == bytes);
  fclose(file);
}

static inline void answers_begin(const char *name)
{
  const char *const folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/ness_%s_%ld.msgpack", folder && strlen(folder) < 24 ? folder : "/tmp", name,
           (long)getpid());
  snprintf(other, sizeof other, "%s.html", path);
}

static inline void answers_end(void)
{
  unlink(path);
  unlink(other);
}

/* A dump as older ones are, without a ledger; and one whose chunks have none, `named` in the run what moved. */
static inline void without_ledger(const char *text, const char *method, const char *input, const char *beside)
{
  ness_model *const model = sample_model(text);
  const ness_network *const net = lang_network(model->compiled);
  const dump_run of = {.model_text = "",
                       .overrides = "",
                       .command = "ness run old.ness",
                       .version = "0",
                       .machine = "",
                       .method = method,
                       .level = DUMP_GRID,
                       .replicas = 1,
                       .time = 1,
                       .every = 1,
                       .input = input,
                       .input_kind = input ? "sine" : NULL,
                       .input_period = input ? 1 : 0,
                       .flows_beside = beside};
  const bool named = input || beside;
  const int64_t n[2] = {1, 0}, none[1] = {0};
  const double dwell[2] = {1, 0}, time[1] = {1};
  const dump_chunk chunk = {.last = 1,
                            .t1 = 1,
                            .counted = 1,
                            .n0 = n,
                            .fwd = none,
                            .bwd = none,
                            .dwell = dwell,
                            .dwell2 = dwell,
                            .rows = 1,
                            .row_time = time,
                            .row_count = n};
  dump_writer *writer = NULL;
  void *frame = NULL;
  size_t bytes;
  CHECK(dump_create(path, true, net, &of, NULL, &writer) == NESS_OK);
  CHECK(dump_pack(net, DUMP_GRID, &chunk, &frame, &bytes) == NESS_OK);
  CHECK(dump_append(writer, frame, bytes, NULL) == NESS_OK && dump_close(writer, 1, NULL) == NESS_OK);
  mem_free(frame);
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  CHECK(ness_analyze(path, NULL, diags, &doc) == (named ? NESS_FORMAT : NESS_USAGE) && !doc);
  const ness_diag *const first = ness_diags_get(diags, 0);
  CHECK(first && strstr(first->message, named ? "does not fit the network" : "kept no ledger"));
  CHECK(named || (first && first->hint && strstr(first->hint, "ness run old.ness")));
  ness_diags_free(diags);
  ness_model_free(model);
}

/* Bytes of the dump, and of the result, are the same for any number of threads. Returns what the run says. */
static inline ness_doc *threads_agree(const char *text, ness_simulate_options o)
{
  ness_analyze_options how = {.struct_size = sizeof how, .threads = 1};
  size_t bytes, again;
  o.threads = 1;
  ness_doc *const said = run(text, &o);
  char *const data = slurp(path, &bytes);
  ness_doc *const one = analyze(&how);
  o.threads = how.threads = 3;
  ness_doc_free(run(text, &o));
  char *const other_data = slurp(path, &again);
  CHECK(bytes == again && memcmp(data, other_data, bytes) == 0);
  ness_doc *const three = analyze(&how);
  char *const a = ness_doc_json(one), *const b = ness_doc_json(three);
  CHECK(a && b && strcmp(a, b) == 0);
  ness_text_free(a);
  ness_text_free(b);
  ness_doc_free(one);
  ness_doc_free(three);
  free(data);
  free(other_data);
  return said;
}

#endif
