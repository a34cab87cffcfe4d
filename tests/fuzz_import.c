/* Fuzz target: any bytes as a file of rates, in the format that the first byte chooses (of a .tra with a second part
 * behind a zero byte, that one as its .sta); what can be read must hold together, be a network, and read back the same
 * after it was written. */
#include "networks/import/import.h"
#include "networks/lang/adopt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];

static void leave(void)
{
  rmdir(folder);
}

static const char *path_of(const char *name)
{
  static char paths[4][96];
  static int next;
  if (!folder[0]) {
    snprintf(folder, sizeof folder, "%s", access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz_XXXXXX" : "/tmp/fuzz_XXXXXX");
    if (!mkdtemp(folder) || atexit(leave)) abort();
  }
  char *const path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void put(const char *path, const uint8_t *data, size_t size)
{
  FILE *const out = fopen(path, "wb");
  if (!out || (size && fwrite(data, 1, size, out) != size) || fclose(out)) abort();
}

/* Ids in range, rows and columns in order, rates positive. */
static void hold(const import_rates *r)
{
  if (r->n < 1 || r->count < 1 || (r->names.count != 0 && r->names.count != r->n)) abort();
  for (int64_t e = 0; e < r->count; e++) {
    const import_rate *const x = &r->rate[e];
    if (x->from < 0 || x->from >= r->n || x->to < 0 || x->to >= r->n || x->from == x->to) abort();
    if (!(x->rate > 0 && x->rate <= 1.7976931348623157e308)) abort();
    if (e > 0 && (x[-1].from > x->from || (x[-1].from == x->from && x[-1].to > x->to))) abort();
  }
  char room[16];
  for (int32_t i = 0; i < r->n; i++) {
    const char *const name = import_state_name(r, i, room);
    if (import_state_find(r, name, strlen(name)) != i) abort();
  }
}

/* Out and in again: the same rates, where no two are added up. */
static void again(const import_rates *r, export_format format, const char *name)
{
  chain q = {.n = r->n};
  import_rates back;
  bool parallel = false;
  if (chain_create(r->n, r->count, false, &q)) return;
  for (int64_t e = 0; e < r->count; e++) {
    q.start[r->rate[e].from + 1]++;
    q.to[e] = r->rate[e].to;
    q.rate[e] = r->rate[e].rate;
    parallel = parallel || (e && r->rate[e].from == r->rate[e - 1].from && r->rate[e].to == r->rate[e - 1].to);
  }
  for (int32_t i = 0; i < r->n; i++) q.start[i + 1] += q.start[i];
  const char *const path = path_of(name);
  const ness_status status = export_chain(&q, format, path, NULL, true, NULL);
  if (status != NESS_OK && status != NESS_NUMERIC) abort();
  if (status == NESS_OK && format != EXPORT_PETSC) {
    if (import_read(path, NULL, 0, NULL, &back)) abort();
    if (back.n != r->n || (!parallel && back.count != r->count)) abort();
    for (int64_t e = 0; e < r->count && !parallel; e++) {
      if (back.rate[e].rate != r->rate[e].rate || back.rate[e].to != r->rate[e].to) abort();
    }
    import_rates_free(&back);
  }
  chain_free(&q);
  unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const names[] = {"f.tra", "f.mtx", "f.csv", "f.npy"};
  if (size < 1) return 0;
  const char *name = names[data[0] % 4];
  const uint8_t *const body = data + 1;
  const uint8_t *const cut = data[0] % 8 == 4 ? memchr(body, 0, size - 1) : NULL;
  const size_t length = cut ? (size_t)(cut - body) : size - 1;
  const void *content = body;
  ness_diags *const diags = ness_diags_create();
  import_rates rates;
  ness_network *net = NULL;
  lang_file *file = NULL;
  lang_model *model = NULL;
  if (!diags) abort();
  if (cut) { /* .tra and .sta */
    name = path_of("f.tra");
    put(name, body, length);
    put(path_of("f.sta"), cut + 1, size - 2 - length);
    content = NULL;
  }
  const ness_status status = import_read(name, content, length, diags, &rates);
  if (status == NESS_OK) {
    hold(&rates);
    if (rates.n < 3000) again(&rates, (export_format)(1 + data[0] / 8 % 3), data[0] / 8 % 3 ? "g.tra" : "g.mtx");
  } else if (diag_errors(diags) == 0) {
    abort(); /* a failure has a reason */
  }
  import_rates_free(&rates);
  const ness_status loaded = import_load(name, content, length, NULL, 0, diags, &net);
  if (status == NESS_OK && loaded != NESS_OK && loaded != NESS_LIMIT) abort();
  if (net && lang_adopt(net, name, diags, &file, &model) == NESS_OK) {
    net = NULL;
    lang_warn_unreached(model, diags);
  }
  lang_model_free(model);
  lang_file_free(file);
  network_free(net);
  if (cut) {
    unlink(path_of("f.tra"));
    unlink(path_of("f.sta"));
  }
  char *const shown = ness_diags_render(diags, 1);
  ness_text_free(shown);
  ness_diags_free(diags);
  return 0;
}
