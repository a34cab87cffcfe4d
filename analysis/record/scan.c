/* One reading of the file, block by block. Invariant: blocks are visited in the order of the file by one thread and
 * have the same size whatever the number of threads, so a result does not depend on it; a block of text ends with a
 * line. Ids of names are made those of the record in that order. Cost: a window of blocks in memory, parsed in
 * parallel. */
#include "analysis/record/record.h"

#include <errno.h>
#include <omp.h>
#include <string.h>
#include <time.h>

#define BLOCK ((size_t)1 << 20) /* bytes; grows with a longer line */
#define BLOCKS 16               /* of a window */
#define SCAN_TICK 0.2           /* s between two calls of progress */

typedef struct block {
  char *data;
  int64_t room;
  size_t length;
  int64_t first, count; /* line, or row of a .npy, and how many */
  bool last;
  record_rows rows;
  ness_status status;
} block;

typedef struct scan {
  record *owner;
  FILE *in;
  block *blocks; /* (BLOCKS) */
  int32_t count;
  char *carry; /* what is behind the last end of line */
  int64_t carry_room;
  size_t carried;
  int64_t next;               /* line or row */
  double done;                /* bytes */
  int32_t *states, *replicas; /* ids of a block -> ids of the record */
  int64_t states_room, replicas_room;
} scan;

static ness_status scan_error(const scan *self, const char *what)
{
  diag_add(self->owner->diags, NESS_ERROR, "cannot read %s: %s", self->owner->path, what);
  return NESS_IO;
}

/* The next block of whole lines; length 0 at the end of the file. */
static ness_status block_lines(scan *self, block *out)
{
  size_t want = BLOCK;
  out->length = 0;
  out->last = false;
  for (;;) {
    if (!mem_grow(&out->data, &out->room, (int64_t)(self->carried + want), 1)) return NESS_NOMEM;
    if (out->length == 0 && self->carried > 0) memcpy(out->data, self->carry, self->carried);
    if (out->length == 0) out->length = self->carried;
    const size_t got = fread(out->data + out->length, 1, want - (out->length - self->carried), self->in);
    if (got == 0 && ferror(self->in)) return scan_error(self, strerror(errno));
    out->length += got;
    out->last = got == 0;
    size_t end = out->length;
    while (end > 0 && out->data[end - 1] != '\n') end--;
    if (!out->last && end == 0) {
      want *= 2;
      continue;
    }
    if (out->last) end = out->length;
    self->carried = out->length - end;
    if (!mem_grow(&self->carry, &self->carry_room, (int64_t)self->carried, 1)) return NESS_NOMEM;
    if (self->carried > 0) memcpy(self->carry, out->data + end, self->carried);
    out->length = end;
    break;
  }
  out->first = self->next;
  for (const char *p = out->data; (p = memchr(p, '\n', out->length - (size_t)(p - out->data))); p++) self->next++;
  self->done += (double)out->length;
  return NESS_OK;
}

/* The next rows of a .npy; count 0 at its end. Columns one behind the other where they stand so. */
static ness_status block_numbers(scan *self, block *out)
{
  const record_layout *const layout = &self->owner->layout;
  const npy_head *const head = &layout->head;
  const int64_t width = head->fields > 1 ? head->row : (int64_t)head->row * layout->columns;
  const int64_t left = head->size[0] - self->next, most = (int64_t)(BLOCK / 2) / width + 1;
  const bool columns = head->columns && head->fields == 1 && layout->columns > 1;
  out->first = self->next;
  out->count = left < most ? left : most;
  out->length = 0;
  if (out->count == 0) return NESS_OK;
  if (!mem_grow(&out->data, &out->room, out->count * width, 1)) return NESS_NOMEM;
  for (int32_t c = 0; c < (columns ? layout->columns : 1); c++) {
    const size_t bytes = (size_t)(out->count * (columns ? head->row : width));
    const int64_t at = head->data + (columns ? (c * head->size[0] + self->next) * head->row : self->next * width);
    if (fseeko(self->in, (off_t)at, SEEK_SET) != 0) return scan_error(self, strerror(errno));
    if (fread(out->data + out->length, 1, bytes, self->in) != bytes)
      return scan_error(self, "the file became shorter while it was read");
    out->length += bytes;
  }
  self->next += out->count;
  self->done += (double)out->length;
  return NESS_OK;
}

/* --- ids --- */

/* The id that a text has in the record: of a number its value counts, not how it is written. -2: not in the map. */
static int32_t state_id(record *self, const char *text)
{
  char number[32];
  double value;
  const word w = {text, strlen(text)};
  const char *name = text;
  if (self->map.from.count > 0) {
    const int32_t from = names_find(&self->map.from, text, w.length);
    if (from >= 0) return self->map.class_of[from];
  }
  if (word_number(w, &value)) {
    number_exact(value == 0 ? 0 : value, number);
    name = number;
  }
  if (self->map.from.count > 0) {
    const int32_t from = names_find(&self->map.from, name, strlen(name));
    return from >= 0 ? self->map.class_of[from] : -2;
  }
  return names_add(&self->states, name, strlen(name));
}

static ness_status state_unmapped(record *self, const record_rows *rows, int32_t id)
{
  int64_t at = 0;
  while (rows->state[at] != id) at++;
  diag_add_at(self->diags, NESS_ERROR, self->path, rows->line[at], 0, 1, NULL, "every state of the file needs a class",
              "the map does not say what state '%s' belongs to", names_text(&rows->states, id));
  return NESS_FORMAT;
}

static ness_status block_ids(scan *self, record_rows *rows)
{
  record *const owner = self->owner;
  const int32_t ns = rows->states.count, nr = rows->replicas.count;
  if (!mem_grow(&self->states, &self->states_room, ns + 1, sizeof *self->states) ||
      !mem_grow(&self->replicas, &self->replicas_room, nr + 1, sizeof *self->replicas))
    return NESS_NOMEM;
  for (int32_t i = 0; i < ns; i++) {
    self->states[i] = state_id(owner, names_text(&rows->states, i));
    if (self->states[i] == -2) return state_unmapped(owner, rows, i);
    if (self->states[i] < 0) return NESS_NOMEM;
  }
  if (owner->states.count > RECORD_STATES) {
    diag_add(owner->diags, NESS_ERROR, "%s: column %d has more than %d different values: a measurement, not a state",
             owner->path, owner->layout.state + 1, RECORD_STATES);
    diag_hint(owner->diags, "idealise the record first; --columns says which column is the state");
    return NESS_LIMIT;
  }
  for (int32_t i = 0; i < nr; i++) {
    const char *const name = names_text(&rows->replicas, i);
    self->replicas[i] = names_add(&owner->replicas, name, strlen(name));
    if (self->replicas[i] < 0) return NESS_NOMEM;
  }
  for (int64_t i = 0; i < rows->count; i++) {
    if (rows->state[i] >= 0) rows->state[i] = self->states[rows->state[i]];
    if (nr > 0) rows->replica[i] = self->replicas[rows->replica[i]];
  }
  return NESS_OK;
}

/* --- the windows --- */

static void block_parse(const scan *self, block *at)
{
  const record *const owner = self->owner;
  at->status = owner->layout.npy
                   ? record_rows_npy(owner, (const unsigned char *)at->data, at->first, at->count, &at->rows)
                   : record_rows_text(owner, at->data, at->length, at->first, at->last, NULL, &at->rows);
}

static ness_status window_fill(scan *self)
{
  const bool npy = self->owner->layout.npy;
  bool end = false;
  for (self->count = 0; self->count < BLOCKS && !end;) {
    block *const at = &self->blocks[self->count];
    const ness_status status = npy ? block_numbers(self, at) : block_lines(self, at);
    if (status) return status;
    end = npy ? at->count == 0 : at->last;
    self->count += npy ? at->count > 0 : at->length > 0;
  }
  return NESS_OK;
}

/* What went wrong in a block is said by reading it once more with a place for messages. */
static ness_status block_complain(const scan *self, block *at)
{
  record *const owner = self->owner;
  if (at->status != NESS_FORMAT) return at->status;
  return record_rows_text(owner, at->data, at->length, at->first, at->last, owner->diags, &at->rows);
}

static double scan_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static ness_status scan_report(const scan *self, int32_t pass, bool always)
{
  record *const owner = self->owner;
  const double now = scan_clock();
  if (interrupt_pending()) return NESS_STOPPED;
  if (owner->clock_start == 0) owner->clock_start = owner->clock_last = now;
  if (!owner->progress || (!always && now - owner->clock_last < SCAN_TICK)) return NESS_OK;
  owner->clock_last = now;
  const double bytes = (double)owner->size;
  return owner->progress(owner->context, pass * bytes + self->done, 2 * bytes, 0, now - owner->clock_start)
             ? NESS_STOPPED
             : NESS_OK;
}

static ness_status window_visit(scan *self, record_visit visit, void *context)
{
  const int32_t count = self->count;
#pragma omp parallel for schedule(dynamic, 1) num_threads(self->owner->threads) default(none) shared(self, count)
  for (int32_t i = 0; i < count; i++) block_parse(self, &self->blocks[i]);
  for (int32_t i = 0; i < count; i++) {
    block *const at = &self->blocks[i];
    ness_status status = at->status ? block_complain(self, at) : NESS_OK;
    if (!status) status = block_ids(self, &at->rows);
    if (!status) status = visit(context, &at->rows);
    if (status) return status;
  }
  return NESS_OK;
}

static FILE *scan_file(const record *owner)
{
  union {
    const void *from;
    void *to;
  } text = {owner->content}; /* opened for reading only */
  return owner->content ? fmemopen(text.to, owner->length, "rb") : fopen(owner->path, "rb");
}

ness_status record_scan(record *owner, int32_t pass, record_visit visit, void *context)
{
  scan self = {.owner = owner, .next = owner->layout.npy ? 0 : 1};
  ness_status status = NESS_OK;
  self.blocks = mem_zero(BLOCKS, sizeof *self.blocks);
  if (!self.blocks) return NESS_NOMEM;
  if (!(self.in = scan_file(owner))) status = scan_error(&self, strerror(errno));
  while (!status) {
    status = window_fill(&self);
    if (!status) status = window_visit(&self, visit, context);
    if (!status) status = scan_report(&self, pass, self.count < BLOCKS);
    if (self.count < BLOCKS) break;
  }
  if (self.in) fclose(self.in);
  for (int32_t i = 0; i < BLOCKS; i++) {
    record_rows_free(&self.blocks[i].rows);
    mem_free(self.blocks[i].data);
  }
  mem_free(self.blocks);
  mem_free(self.carry);
  mem_free(self.states);
  mem_free(self.replicas);
  return status;
}
