/* Rows of a block of the file as columns of numbers and ids. Invariant: a row that cannot be read makes the block fail,
 * and only the last line of a file without an end of line may be left out as cut off. Ids are those of the block's own
 * tables, so that any thread may read any block. Cost: 50 to 90 ns a row of text, 5 of a .npy. */
#include "analysis/record/record.h"

#include <math.h>
#include <string.h>

#define KEY_MIX UINT64_C(0x9e3779b97f4a7c15) /* no bits of a number are this and thus an empty key */

static bool rows_room(record_rows *self, int64_t need)
{
  if (need <= self->line_room) return true; /* the last one to grow */
  return mem_grow(&self->number, &self->number_room, need, sizeof *self->number) &&
         mem_grow(&self->state, &self->state_room, need, sizeof *self->state) &&
         mem_grow(&self->replica, &self->replica_room, need, sizeof *self->replica) &&
         mem_grow(&self->line, &self->line_room, need, sizeof *self->line);
}

static void rows_clear(record_rows *self)
{
  self->count = self->cut = 0;
  memset(self->short_key, 0, sizeof self->short_key);
  names_free(&self->states);
  names_free(&self->replicas);
  loop_map_free(&self->state_of);
  loop_map_free(&self->replica_of);
}

void record_rows_free(record_rows *self)
{
  rows_clear(self);
  mem_free(self->number);
  mem_free(self->state);
  mem_free(self->replica);
  mem_free(self->line);
  *self = (record_rows){0};
}

/* Missing: an empty cell, or what programs write for it. */
static bool cell_missing(word cell)
{
  if (cell.length > 0 && *cell.text != '?' && (*cell.text | 32) != 'n') return false;
  return cell.length == 0 || word_is(cell, "nan") || word_is(cell, "na") || word_is(cell, "null") ||
         word_is(cell, "none") || (cell.length == 1 && cell.text[0] == '?');
}

/* The id of a name; short ones, which most are, by their bytes alone. */
static int32_t cell_id(reading *r, record_rows *rows, word cell)
{
  uint64_t key = 0;
  if (cell.length == 0 || cell.length > sizeof key) return names_take(&rows->states, r, cell, false);
  memcpy(&key, cell.text, cell.length);
  const uint64_t at = (key * KEY_MIX) >> 58;
  if (key && rows->short_key[at] == key) return rows->short_id[at];
  const int32_t id = names_take(&rows->states, r, cell, false);
  if (id >= 0) {
    rows->short_key[at] = key;
    rows->short_id[at] = id;
  }
  return id;
}

/* Of a replica: most often that of the row before. */
static int32_t replica_id(reading *r, record_rows *rows, word cell)
{
  const int32_t before = rows->count > 0 ? rows->replica[rows->count - 1] : -1;
  if (before >= 0) {
    const char *const name = names_text(&rows->replicas, before);
    if (strncmp(name, cell.text, cell.length) == 0 && name[cell.length] == 0) return before;
  }
  return names_take(&rows->replicas, r, cell, false);
}

static bool row_number(reading *r, word cell, const record_layout *layout, double *out)
{
  char shown[48];
  if (cell_missing(cell)) {
    *out = (double)NAN;
    return true;
  }
  if (word_number(cell, out) && isfinite(*out)) return true;
  reading_fail(r, &cell, NULL, "expected a %s in column %d, found '%s'",
               layout->form == RECORD_DWELLS ? "dwell time" : "time", layout->number + 1, word_show(cell, shown));
  return false;
}

/* The cells of the line, unless something is wrong with them, which is reported. */
static void row_take(const record_layout *layout, reading *r, const cells *line, record_rows *out)
{
  word cell, found[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
  int32_t column = 0;
  for (; cells_next(line, &cell); column++) {
    if (column == layout->number) found[0] = cell;
    else if (column == layout->state) found[1] = cell;
    else if (column == layout->replica) found[2] = cell;
  }
  if (column != layout->columns) {
    reading_fail(r, NULL, NULL, "%d column%s, expected %d as in the rows before", column, column == 1 ? "" : "s",
                 layout->columns);
    return;
  }
  const int64_t k = out->count;
  if (!rows_room(out, k + 1)) {
    reading_stop(r, NESS_NOMEM, NULL);
    return;
  }
  out->line[k] = r->number;
  out->number[k] = 0;
  if (layout->number >= 0 && !row_number(r, found[0], layout, &out->number[k])) return;
  if (layout->replica >= 0 && cell_missing(found[2])) {
    reading_fail(r, NULL, NULL, "column %d does not say which replica this row belongs to", layout->replica + 1);
    return;
  }
  out->state[k] = cell_missing(found[1]) ? -1 : cell_id(r, out, found[1]);
  out->replica[k] = layout->replica < 0 ? 0 : replica_id(r, out, found[2]);
  if ((out->state[k] < 0 && !cell_missing(found[1])) || out->replica[k] < 0) return;
  out->count++;
}

ness_status record_rows_text(const record *self, const char *block, size_t length, int64_t line, bool last,
                             ness_diags *diags, record_rows *out)
{
  const record_layout *const layout = &self->layout;
  reading r;
  rows_clear(out);
  if (length == 0) return NESS_OK;
  ness_status status = reading_open(&r, self->path, block, length, diags, NULL);
  const cells row = {&r, layout->comma, false};
  const bool whole = !last || block[length - 1] == '\n';
  r.number = (int32_t)(line - 1 < INT32_MAX ? line - 1 : INT32_MAX);
  while (!status && reading_row(&r, '#')) {
    if (r.number == layout->header) continue;
    const bool tail = !whole && r.at == r.end && ftell(r.in) == (long)length;
    r.diags = tail ? NULL : diags;
    const int32_t errors = r.errors;
    const int64_t count = out->count;
    row_take(layout, &r, &row, out);
    if (!tail || r.errors == errors) continue;
    out->count = count;
    out->cut = r.number;
    r.errors = errors;
  }
  status = reading_close(&r);
  return status == NESS_MODEL ? NESS_FORMAT : status;
}

/* --- .npy --- */

/* The id of a number, whose name is its shortest text. */
static int32_t number_id(name_table *names, loop_map *of, double value)
{
  uint64_t bits;
  char text[32];
  value = value == 0 ? 0 : value;
  memcpy(&bits, &value, sizeof bits);
  const int64_t *const known = loop_map_find(of, bits ^ KEY_MIX);
  if (known) return (int32_t)*known;
  number_exact(value, text);
  const int32_t id = names_add(names, text, strlen(text));
  return id >= 0 && loop_map_add(of, bits ^ KEY_MIX, id) ? id : -1;
}

static double npy_at(const record_layout *layout, const unsigned char *block, int64_t count, int64_t row,
                     int32_t column)
{
  const npy_head *const head = &layout->head;
  const npy_field *const field = &head->field[head->fields > 1 ? column : 0];
  if (head->fields > 1) return npy_number(block + row * head->row + field->at, field->kind, field->item);
  const int64_t at = head->columns ? column * count + row : row * layout->columns + column;
  return npy_number(block + at * field->item, field->kind, field->item);
}

ness_status record_rows_npy(const record *self, const unsigned char *block, int64_t first, int64_t count,
                            record_rows *out)
{
  const record_layout *const layout = &self->layout;
  rows_clear(out);
  if (!rows_room(out, count)) return NESS_NOMEM;
  for (int64_t i = 0; i < count; i++) {
    const double state = npy_at(layout, block, count, i, layout->state);
    const double number = layout->number < 0 ? 0 : npy_at(layout, block, count, i, layout->number);
    out->number[i] = isfinite(number) ? number : (double)NAN;
    out->line[i] = (int32_t)(first + i < INT32_MAX ? first + i : INT32_MAX);
    out->state[i] = isnan(state) ? -1 : number_id(&out->states, &out->state_of, state);
    if (!isnan(state) && out->state[i] < 0) return NESS_NOMEM;
    out->replica[i] = 0;
    if (layout->replica < 0) continue;
    out->replica[i] = number_id(&out->replicas, &out->replica_of, npy_at(layout, block, count, i, layout->replica));
    if (out->replica[i] < 0) return NESS_NOMEM;
  }
  out->count = count;
  return NESS_OK;
}
