/* Writing the generator of a chain.
 *
 * Invariant: rows are written with ascending columns, each once; what a row holds is the chain's transitions without
 * loops, parallel ones added up in their order, and minus the whole rate out of the state on the diagonal. Formats:
 * MatrixMarket (Boisvert, Pozo, Remington, NISTIR 5935, 1996), PRISM's explicit files, and the binary AIJ matrix that
 * PETSc's MatLoad reads: big-endian 32-bit class id 1211216, rows, columns, entries, the length of each row, columns,
 * then the values as doubles. Cost: two or three passes; a row out of order is sorted in each. */
#include "engine/file/file.h"
#include "import.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PETSC_CLASS 1211216
#define NUMBERS 4096 /* texts of numbers that are kept: rates repeat */

typedef struct item {
  int32_t to;
  int64_t at;
  double rate;
} item;

typedef struct writing {
  const chain *q;
  item *row; /* the row that was last taken, by columns */
  int64_t length, capacity;
  double out; /* rate out of the state: the row and the exit */
  struct number {
    double value;
    char text[32];
  } * number; /* (NUMBERS) */
  ness_status status;
  ness_diags *diags;
} writing;

/* --- rows --- */

static int item_compare(const void *a, const void *b)
{
  const item *const x = a, *const y = b;
  if (x->to != y->to) return x->to < y->to ? -1 : 1;
  return x->at < y->at ? -1 : x->at > y->at;
}

static bool row_take(writing *self, int32_t i)
{
  const chain *const q = self->q;
  const int64_t most = q->start[i + 1] - q->start[i];
  bool sorted = true;
  if (i % 4096 == 0 && interrupt_pending()) self->status = NESS_INTERRUPTED;
  if (!self->status && !mem_grow(&self->row, &self->capacity, most, sizeof *self->row)) self->status = NESS_NOMEM;
  if (self->status) return false;
  self->length = 0;
  for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
    if (q->to[e] == i) continue;
    sorted = sorted && (self->length == 0 || self->row[self->length - 1].to < q->to[e]);
    self->row[self->length++] = (item){q->to[e], e, q->rate[e]};
  }
  self->out = q->exit ? q->exit[i] : 0;
  int64_t kept = self->length;
  if (!sorted) {
    qsort(self->row, (size_t)self->length, sizeof *self->row, item_compare);
    kept = 0;
    for (int64_t k = 0; k < self->length; k++) {
      if (kept > 0 && self->row[kept - 1].to == self->row[k].to) self->row[kept - 1].rate += self->row[k].rate;
      else self->row[kept++] = self->row[k];
    }
  }
  self->length = kept;
  for (int64_t k = 0; k < kept; k++) self->out += self->row[k].rate;
  if (isfinite(self->out)) return true;
  diag_add(self->diags, NESS_ERROR, "the rates out of state %d sum to more than a number can hold", i);
  self->status = NESS_NUMERIC;
  return false;
}

/* Entries off the diagonal. */
static int64_t row_count(writing *self)
{
  int64_t count = 0;
  for (int32_t i = 0; i < self->q->n && row_take(self, i); i++) count += self->length;
  return count;
}

/* Puts the diagonal into its place in the row. */
static bool row_diagonal(writing *self, int32_t i)
{
  if (!mem_grow(&self->row, &self->capacity, self->length + 1, sizeof *self->row)) {
    self->status = NESS_NOMEM;
    return false;
  }
  int64_t k = self->length++;
  for (; k > 0 && self->row[k - 1].to > i; k--) self->row[k] = self->row[k - 1];
  self->row[k] = (item){i, -1, self->out > 0 ? -self->out : 0};
  return true;
}

/* --- text --- */

static const char *number_text(writing *self, double value)
{
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  struct number *const kept = &self->number[(bits * UINT64_C(0x9E3779B97F4A7C15)) >> 52];
  if (kept->value != value || !kept->text[0]) {
    kept->value = value;
    number_exact(value, kept->text);
  }
  return kept->text;
}

static void put_line(whole_file *file, const char *text, int length)
{
  file_put(file, text, (size_t)length);
}

static void write_mtx(writing *self, whole_file *file)
{
  static const char *const head = "%%MatrixMarket matrix coordinate real general\n"
                                  "% generator: row i, column j: the rate from state i to state j, 1/s\n";
  char line[96];
  const int64_t entries = row_count(self) + self->q->n;
  file_put(file, head, strlen(head));
  put_line(file, line, snprintf(line, sizeof line, "%d %d %" PRId64 "\n", self->q->n, self->q->n, entries));
  for (int32_t i = 0; i < self->q->n && !file->status && row_take(self, i) && row_diagonal(self, i); i++) {
    for (int64_t k = 0; k < self->length; k++) {
      const char *const value = number_text(self, self->row[k].rate);
      put_line(file, line, snprintf(line, sizeof line, "%d %d %s\n", i + 1, self->row[k].to + 1, value));
    }
  }
}

static void write_tra(writing *self, whole_file *file)
{
  char line[96];
  const int64_t entries = row_count(self);
  put_line(file, line, snprintf(line, sizeof line, "%d %" PRId64 "\n", self->q->n, entries));
  for (int32_t i = 0; i < self->q->n && !file->status && row_take(self, i); i++) {
    for (int64_t k = 0; k < self->length; k++) {
      const char *const value = number_text(self, self->row[k].rate);
      put_line(file, line, snprintf(line, sizeof line, "%d %d %s\n", i, self->row[k].to, value));
    }
  }
}

static void write_sta(writing *self, const export_states *states, whole_file *file)
{
  text_buffer line = {0};
  text_add(&line, "(%s)\n", states->variables ? states->variables : "state");
  for (int32_t i = 0; i <= self->q->n && !file->status && !line.failed; i++) {
    file_put(file, line.data, line.length);
    line.length = 0;
    if (i == self->q->n) break;
    text_add(&line, "%d:(", i);
    states->name(states->context, i, &line);
    text_put(&line, ")\n", 2);
  }
  if (line.failed) self->status = NESS_NOMEM;
  text_clear(&line);
}

/* --- PETSc --- */

static void put_big(whole_file *file, uint64_t value, int bytes)
{
  unsigned char out[8];
  for (int i = 0; i < bytes; i++) out[i] = (unsigned char)(value >> 8 * (bytes - 1 - i));
  file_put(file, out, (size_t)bytes);
}

static void write_petsc(writing *self, whole_file *file)
{
  const int32_t n = self->q->n;
  const int64_t entries = row_count(self) + n;
  if (self->status) return;
  if (entries > INT32_MAX) {
    diag_add(self->diags, NESS_ERROR, "%" PRId64 " entries are too many for the 32-bit numbers of a matrix of PETSc",
             entries);
    self->status = NESS_LIMIT;
    return;
  }
  put_big(file, PETSC_CLASS, 4);
  put_big(file, (uint64_t)n, 4);
  put_big(file, (uint64_t)n, 4);
  put_big(file, (uint64_t)entries, 4);
  for (int pass = 0; pass < 3; pass++) { /* lengths, columns, values */
    for (int32_t i = 0; i < n && !file->status && row_take(self, i) && row_diagonal(self, i); i++) {
      if (pass == 0) put_big(file, (uint64_t)self->length, 4);
      for (int64_t k = 0; k < self->length && pass > 0; k++) {
        uint64_t bits;
        memcpy(&bits, &self->row[k].rate, sizeof bits);
        if (pass == 1) put_big(file, (uint64_t)self->row[k].to, 4);
        else put_big(file, bits, 8);
      }
    }
  }
}

/* --- files --- */

export_format export_format_of(const char *path)
{
  const char *const dot = strrchr(path, '.');
  if (!dot) return EXPORT_NONE;
  return strcasecmp(dot, ".mtx") == 0     ? EXPORT_MTX
         : strcasecmp(dot, ".tra") == 0   ? EXPORT_TRA
         : strcasecmp(dot, ".petsc") == 0 ? EXPORT_PETSC
                                          : EXPORT_NONE;
}

/* The .sta of a .tra: the same name with another end. NULL when memory is out. */
static char *states_path(const char *path)
{
  const size_t length = strlen(path);
  const bool ends = length > 4 && strcasecmp(path + length - 4, ".tra") == 0;
  text_buffer out = {0};
  text_put(&out, path, ends ? length - 4 : length);
  text_put(&out, ".sta", 4);
  return text_take(&out);
}

static bool has_exits(const chain *q)
{
  bool exits = false;
  for (int32_t i = 0; i < q->n && q->exit && !exits; i++) exits = q->exit[i] > 0;
  return exits;
}

ness_status export_chain(const chain *self, export_format format, const char *path, const export_states *states,
                         bool force, ness_diags *diags)
{
  whole_file files[2] = {{.fd = -1}, {.fd = -1}};
  writing e = {.q = self, .diags = diags};
  char *beside = NULL;
  if (format == EXPORT_NONE || (format == EXPORT_TRA && has_exits(self))) {
    diag_add(diags, NESS_ERROR,
             format ? "a .tra has no place for rates that leave the chain" : "no format to write '%s' in", path);
    diag_hint(diags, format ? "a .mtx and a .petsc have them on the diagonal"
                            : "a generator is written as .mtx, .tra or .petsc");
    return NESS_USAGE;
  }
  e.number = mem_zero(NUMBERS, sizeof *e.number);
  if (!e.number) return NESS_NOMEM;
  ness_status status = file_begin(&files[0], path, force, diags);
  const bool named = !status && format == EXPORT_TRA && states && files[0].temporary;
  if (named && !(beside = states_path(path))) status = NESS_NOMEM;
  if (named && !status) status = file_begin(&files[1], beside, force, diags);
  if (status) goto out;
  if (format == EXPORT_MTX) write_mtx(&e, &files[0]);
  else if (format == EXPORT_TRA) write_tra(&e, &files[0]);
  else write_petsc(&e, &files[0]);
  if (named && !e.status) write_sta(&e, states, &files[1]);
  status = e.status;
  for (int i = 0; i <= named && !status; i++) status = file_close(&files[i]);
  for (int i = named; i >= 0 && !status; i--) status = file_publish(&files[i]);
out:
  file_end(&files[0]);
  file_end(&files[1]);
  mem_free(beside);
  mem_free(e.number);
  mem_free(e.row);
  return status;
}
