/* From rates to a network: one family with one copy, a slot a state, a step a pair of directions.
 *
 * Invariant: rates come by row, then column. Going through the rows, the entries i -> j with i < j meet the entries of
 * row j that lead back to i in that order, so a cursor a row finds every pair in one pass. Free energies: a forest of
 * the first reversible steps that join what was apart (Kruskal's order, union by lowest state), then ln(k_fwd/k_bwd)
 * added up from the lowest state of each tree, as the model language does for energies that a file leaves open. Cost:
 * linear but for the find; the network takes most of the memory. */
#include "read.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define NAME_BLOB_MAX ((int64_t)1 << 30) /* bytes of all names that a network takes */
#define RATE_BYTES 300                   /* that a network takes for a rate while it is made; measured: 255 */

typedef struct pairing {
  const import_rates *rates;
  int64_t *row;  /* (n + 1) first entry of each row */
  int64_t *back; /* (count) the entry of the way back; -1 one-way; -2 it is the way back of another */
  double *g;     /* (n) free energies, kT */
} pairing;

static bool pairing_find(pairing *self)
{
  const import_rates *const r = self->rates;
  int64_t *const next = mem_zero((size_t)r->n, sizeof *next);
  if (!next) return false;
  for (int64_t e = 0; e < r->count; e++) self->row[r->rate[e].from + 1]++;
  for (int32_t i = 0; i < r->n; i++) self->row[i + 1] += self->row[i];
  memcpy(next, self->row, (size_t)r->n * sizeof *next);
  for (int64_t e = 0; e < r->count; e++) self->back[e] = -1;
  for (int64_t e = 0; e < r->count; e++) {
    const int32_t i = r->rate[e].from, j = r->rate[e].to;
    if (j < i) continue;
    while (next[j] < self->row[j + 1] && r->rate[next[j]].to < i) next[j]++;
    if (next[j] == self->row[j + 1] || r->rate[next[j]].to != i) continue;
    self->back[e] = next[j];
    self->back[next[j]++] = -2;
  }
  mem_free(next);
  return true;
}

/* --- free energies --- */

/* The lowest state of the tree that a state is in; paths are halved on the way (Tarjan and van Leeuwen 1984). */
static int32_t tree_root(int32_t *parent, int32_t i)
{
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

/* ln(k_fwd/k_bwd) of an entry and its way back. */
static double pairing_ratio(const pairing *self, int64_t e)
{
  const double there = self->rates->rate[e].rate, back = self->rates->rate[self->back[e]].rate;
  return isnormal(there / back) ? log(there / back) : log(there) - log(back);
}

typedef struct forest { /* both directions of every step that joins two trees, by state */
  int64_t *start;       /* (n + 1) */
  int64_t *entry;       /* the step, as its entry */
  int32_t *parent, *queue;
} forest;

static void forest_free(forest *self)
{
  mem_free(self->start);
  mem_free(self->entry);
  mem_free(self->parent);
  mem_free(self->queue);
}

/* Marks the joining steps: calls for every one, first to count (entry NULL), then to list. */
static void forest_walk(forest *self, const pairing *p, bool list)
{
  const import_rates *const r = p->rates;
  for (int32_t i = 0; i < r->n; i++) self->parent[i] = i;
  for (int64_t e = 0; e < r->count; e++) {
    if (p->back[e] < 0) continue;
    const int32_t ends[2] = {r->rate[e].from, r->rate[e].to};
    const int32_t a = tree_root(self->parent, ends[0]), b = tree_root(self->parent, ends[1]);
    if (a == b) continue;
    self->parent[a < b ? b : a] = a < b ? a : b;
    for (int side = 0; side < 2; side++) {
      if (list) self->entry[self->start[ends[side]]++] = e;
      else self->start[ends[side] + 1]++;
    }
  }
}

static bool pairing_energies(pairing *self)
{
  const import_rates *const r = self->rates;
  const size_t n = (size_t)r->n;
  forest f = {mem_zero(n + 1, sizeof *f.start), mem_zero(2 * n, sizeof *f.entry), mem_zero(n, sizeof *f.parent),
              mem_zero(n, sizeof *f.queue)};
  const bool room = f.start && f.entry && f.parent && f.queue;
  if (room) {
    forest_walk(&f, self, false);
    for (int32_t i = 0; i < r->n; i++) f.start[i + 1] += f.start[i];
    forest_walk(&f, self, true); /* start[i] runs to the end of i, which is where i + 1 begins */
  }
  for (int32_t root = 0; root < r->n && room; root++) {
    int32_t head = 0, tail = 0;
    if (f.parent[root] != root) continue; /* the lowest state of a tree; others are reached from it */
    f.queue[tail++] = root;
    while (head < tail) {
      const int32_t i = f.queue[head++];
      for (int64_t k = i ? f.start[i - 1] : 0; k < f.start[i]; k++) {
        const int64_t e = f.entry[k];
        const bool forward = r->rate[e].from == i;
        const int32_t j = forward ? r->rate[e].to : r->rate[e].from;
        if (j == root || f.parent[j] < 0) continue; /* where it came from */
        self->g[j] = self->g[i] - (forward ? pairing_ratio(self, e) : -pairing_ratio(self, e));
        f.parent[j] = -1;
        f.queue[tail++] = j;
      }
    }
  }
  forest_free(&f);
  return room;
}

/* --- the network --- */

static bool build_slots(network_builder *b, const pairing *p, int32_t start)
{
  char room[16];
  if (builder_family(b, "chain", 1) < 0) return false;
  for (int32_t i = 0; i < p->rates->n; i++) {
    const char *const name = import_state_name(p->rates, i, room);
    if (builder_slot(b, name, i == start, MODEL_NO_MAX, p->g[i], 0, -1, 0) < 0) return false;
  }
  return true;
}

/* "a.b", and "a.b[2]" for the second one of its kind. A step reads "a <-> b". */
static bool build_step(network_builder *b, const pairing *p, int64_t e, int32_t kind)
{
  const import_rate *const entry = &p->rates->rate[e];
  char name[2 * NAME_BYTES_MAX + 24], text[2 * NAME_BYTES_MAX + 24], room[2][16];
  const char *const from = import_state_name(p->rates, entry->from, room[0]);
  const char *const to = import_state_name(p->rates, entry->to, room[1]);
  const bool both = p->back[e] >= 0;
  char *end = stpcpy(stpcpy(stpcpy(name, from), "."), to);
  if (kind > 1) snprintf(end, sizeof name - (size_t)(end - name), "[%d]", kind);
  stpcpy(stpcpy(stpcpy(text, from), both ? " <-> " : " -> "), to);
  const builder_step step = {.name = name,
                             .text = text,
                             .line = entry->line,
                             .nleft = 1,
                             .nright = 1,
                             .left = &entry->from,
                             .right = &entry->to,
                             .law = {LAW_MASS, both ? LAW_MASS : LAW_NONE},
                             .k = {entry->rate, both ? p->rates->rate[p->back[e]].rate : 0},
                             .lnk = (double)NAN};
  return builder_step_add(b, &step) >= 0;
}

static ness_status build_steps(network_builder *b, const pairing *p)
{
  const import_rates *const r = p->rates;
  int32_t kind = 0;
  for (int64_t e = 0; e < r->count; e++) {
    const bool again = e > 0 && r->rate[e].from == r->rate[e - 1].from && r->rate[e].to == r->rate[e - 1].to;
    kind = again ? kind + 1 : 1;
    if (e % 65536 == 0 && interrupt_pending()) return NESS_INTERRUPTED;
    if (p->back[e] != -2 && !build_step(b, p, e, kind)) return NESS_NOMEM;
  }
  return NESS_OK;
}

/* Bytes of the names that build_slots and build_steps make, a little more at most. */
static int64_t build_names(const pairing *p)
{
  const import_rates *const r = p->rates;
  char room[16];
  int64_t bytes = 0;
  for (int32_t i = 0; i < r->n; i++) bytes += (int64_t)strlen(import_state_name(r, i, room)) + 1;
  for (int64_t e = 0; e < r->count; e++) {
    if (p->back[e] == -2) continue;
    bytes += 2 * (int64_t)strlen(import_state_name(r, r->rate[e].from, room)) + 9;
    bytes += 2 * (int64_t)strlen(import_state_name(r, r->rate[e].to, room));
    if (e > 0 && r->rate[e].from == r->rate[e - 1].from && r->rate[e].to == r->rate[e - 1].to) bytes += 12;
  }
  return bytes;
}

ness_status import_network(const import_rates *self, const char *name, int32_t start, ness_diags *diags,
                           ness_network **out)
{
  *out = NULL;
  network_builder *builder = NULL;
  ness_status status = NESS_NOMEM;
  pairing p = {self, mem_zero((size_t)self->n + 1, sizeof *p.row), mem_zero((size_t)self->count, sizeof *p.back),
               mem_zero((size_t)self->n, sizeof *p.g)};
  const double bytes = (double)self->count * RATE_BYTES;
  if (bytes > (double)mem_available()) {
    diag_add(diags, NESS_ERROR, "%s has %lld rates: a network of them takes about %.2g GB, more than there is", name,
             (long long)self->count, bytes * 1e-9);
    diag_hint(diags, "leave out the rates that are too small to matter");
    status = NESS_LIMIT;
    goto out;
  }
  if (!p.row || !p.back || !p.g || !pairing_find(&p) || !pairing_energies(&p)) goto out;
  if (build_names(&p) >= NAME_BLOB_MAX) {
    diag_add(diags, NESS_ERROR, "%s has too many states and rates for a network: their names take more than 1 GiB",
             name);
    diag_hint(diags, "shorter names of states");
    status = NESS_LIMIT;
    goto out;
  }
  if (!(builder = builder_create(name, 0)) || !build_slots(builder, &p, start)) goto out;
  status = build_steps(builder, &p);
  if (!status) status = builder_finish(builder, diags, out);
out:
  builder_free(builder);
  mem_free(p.row);
  mem_free(p.back);
  mem_free(p.g);
  return status;
}

/* --- reading a file --- */

static const struct {
  const char *end;
  void (*read)(reading *self);
} formats[] = {{".tra", tra_read}, {".mtx", mtx_read}, {".csv", csv_read}, {".npy", npy_read}};

static int32_t format_of(const char *path)
{
  const size_t length = strlen(path);
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    if (length > 4 && strcasecmp(path + length - 4, formats[i].end) == 0) return (int32_t)i;
  }
  return -1;
}

bool import_knows(const char *path)
{
  return format_of(path) >= 0;
}

/* The states of a .tra, where a .sta stands beside it. */
static ness_status import_states(const char *path, ness_diags *diags, import_rates *out)
{
  const size_t length = strlen(path);
  char *const beside = mem_text(path, length);
  reading r;
  if (!beside) return NESS_NOMEM;
  memcpy(beside + length - 3, path[length - 1] == 'A' ? "STA" : "sta", 3);
  FILE *const there = fopen(beside, "rb");
  ness_status status = NESS_OK;
  if (there) {
    fclose(there);
    if (!reading_open(&r, beside, NULL, 0, diags, out) && r.errors == 0) tra_states(&r);
    status = reading_close(&r);
  }
  mem_free(beside);
  return status;
}

ness_status import_read(const char *path, const void *content, size_t length, ness_diags *diags, import_rates *out)
{
  const int32_t format = format_of(path);
  reading r;
  *out = (import_rates){0};
  if (format < 0) {
    diag_add(diags, NESS_ERROR, "%s is no file of rates", path);
    diag_hint(diags, "rates are read from .tra, .mtx, .npy and .csv");
    return NESS_USAGE;
  }
  if (!reading_open(&r, path, content, length, diags, out) && r.errors == 0) {
    formats[format].read(&r);
    rates_finish(&r);
  }
  ness_status status = reading_close(&r);
  if (!status && formats[format].read == tra_read && !content) status = import_states(path, diags, out);
  if (status) import_rates_free(out);
  return status;
}

/* --- settings --- */

static ness_status import_setting(const import_rates *self, const char *setting, ness_diags *diags, int32_t *start)
{
  const char *const equals = strchr(setting, '=');
  const char *value = equals ? equals + 1 : "", *end = value + strlen(value), *name = setting;
  const char *name_end = equals ? equals : setting + strlen(setting);
  while (*name == ' ') name++;
  while (name_end > name && name_end[-1] == ' ') name_end--;
  while (*value == ' ') value++;
  while (end > value && end[-1] == ' ') end--;
  if (!equals || !word_is((word){name, (size_t)(name_end - name)}, "start")) {
    diag_add(diags, NESS_ERROR, "a file of rates has no value %.*s",
             (int)(name_end - name < 200 ? name_end - name : 200), name);
    diag_hint(diags, "start=STATE is all that can be set");
    return NESS_USAGE;
  }
  int64_t number;
  *start = import_state_find(self, value, (size_t)(end - value));
  if (*start >= 0) return NESS_OK;
  if (word_int((word){value, (size_t)(end - value)}, &number) && number < self->n) {
    *start = (int32_t)number;
    return NESS_OK;
  }
  char first[2][16];
  diag_add(diags, NESS_ERROR, "no state has the name or number '%.*s'", (int)(end - value < 200 ? end - value : 200),
           value);
  diag_hint(diags, "there are %d: %s to %s, or 0 to %d", self->n, import_state_name(self, 0, first[0]),
            import_state_name(self, self->n - 1, first[1]), self->n - 1);
  return NESS_USAGE;
}

ness_status import_load(const char *path, const void *content, size_t length, const char *const *settings,
                        int32_t nsettings, ness_diags *diags, ness_network **out)
{
  import_rates rates;
  int32_t start = 0;
  *out = NULL;
  ness_status status = import_read(path, content, length, diags, &rates);
  for (int32_t i = 0; i < nsettings && !status; i++) status = import_setting(&rates, settings[i], diags, &start);
  if (status) goto out;
  const char *const slash = strrchr(path, '/'), *const base = slash ? slash + 1 : path;
  char *const name = mem_text(base, strlen(base) - 4);
  status = name ? import_network(&rates, name, start, diags, out) : NESS_NOMEM;
  mem_free(name);
out:
  import_rates_free(&rates);
  return status;
}
