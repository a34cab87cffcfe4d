/* Tables of text, cells parted by commas, semicolons, tabs or blanks, whichever of these the first line has first:
 *   a square matrix, row i and column j holding the rate from state i to state j, with or without a first row of names
 *   (none of which is a number); where that row begins with an empty cell, each row begins with its name;
 *   a list under the header from,to,rate, states by name. Where all names are numbers, they order the states, and state
 *   7 is called s7; else the order is that of the file.
 * Cells may stand in quotes (RFC 4180), on one line. Lines with # are comments. Cost: one pass. */
#include "read.h"

#include <stdlib.h>
#include <string.h>

/* What the first line is: its cells, how many are no numbers, and whether the first one is empty. */
typedef struct csv_head {
  int64_t cells, words;
  bool corner, list;
} csv_head;

static csv_head csv_look(const cells *self)
{
  static const char *const list[] = {"from", "to", "rate"};
  const cells look = {self->r, self->comma, true};
  csv_head head = {.list = true};
  word cell;
  double number;
  for (; cells_next(&look, &cell); head.cells++) {
    if (head.cells == 0) head.corner = cell.length == 0;
    head.words += cell.length > 0 && !word_number(cell, &number);
    head.list = head.list && head.cells < 3 && word_is(cell, list[head.cells]);
  }
  self->r->cursor = self->r->line;
  head.list = head.list && head.cells == 3;
  return head;
}

/* --- a matrix --- */

static bool csv_names(cells *self, const csv_head *head)
{
  word cell;
  if (head->corner) cells_next(self, &cell);
  while (reading_on(self->r) && cells_next(self, &cell)) names_take(&rates_of(self->r)->names, self->r, cell, true);
  return self->r->errors == 0 && !self->r->status;
}

static void csv_row(cells *self, int32_t row, bool named)
{
  reading *const r = self->r;
  const name_table *const names = &rates_of(r)->names;
  char shown[48];
  word cell;
  double value;
  if (named && cells_next(self, &cell)) {
    const char *const name = names->text + names->at[row];
    if (strlen(name) != cell.length || memcmp(name, cell.text, cell.length) != 0) {
      reading_fail(r, &cell, "rows and columns stand in one order", "expected the row of '%s', found '%s'", name,
                   word_show(cell, shown));
      return;
    }
  }
  int32_t column = 0;
  const int32_t errors = r->errors;
  for (; cells_next(self, &cell) && reading_on(r); column++) {
    if (column == rates_of(r)->n) {
      reading_fail(r, &cell, NULL, "row %d has more than %d values", row + 1, rates_of(r)->n);
      return;
    }
    if (cell.length == 1 && cell.text[0] == '0') continue; /* most of them */
    if (word_number(cell, &value)) rates_take(r, &cell, row, column, value);
    else reading_fail(r, &cell, NULL, "expected a number, found '%s'", word_show(cell, shown));
  }
  if (column < rates_of(r)->n && r->errors == errors)
    reading_fail(r, NULL, NULL, "row %d has %d values, expected %d", row + 1, column, rates_of(r)->n);
}

static void csv_matrix(cells *self, const csv_head *head)
{
  reading *const r = self->r;
  const bool names = head->words == head->cells || head->corner;
  int32_t row = 0;
  rates_of(r)->matrix = true;
  if (head->cells > IMPORT_MAX) {
    reading_stop(r, NESS_LIMIT, "more than %d columns", IMPORT_MAX);
    return;
  }
  rates_of(r)->n = (int32_t)(head->cells - head->corner);
  if (names && !csv_names(self, head)) return;
  if (rates_of(r)->n == 0) {
    reading_fail(r, NULL, NULL, "expected the names of states");
    return;
  }
  for (bool more = !names || reading_row(r, '#'); more && reading_on(r); more = reading_row(r, '#')) {
    if (row == rates_of(r)->n) {
      reading_fail(r, NULL,
                   names ? "a list of rates has the header from,to,rate"
                         : "names in the first row are no numbers; a list of rates has the header from,to,rate",
                   "a rate matrix is square: expected the end of the file behind %d rows of %d values", row, row);
      return;
    }
    csv_row(self, row++, head->corner);
  }
  if (r->errors > 0 || r->status || row == rates_of(r)->n) return;
  r->line = NULL;
  reading_fail(r, NULL, "a list of rates has the header from,to,rate",
               "a rate matrix is square, this one has %d rows and %d columns", row, rates_of(r)->n);
}

/* --- a list --- */

typedef struct csv_number {
  int64_t value;
  int32_t id;
} csv_number;

static int number_compare(const void *a, const void *b)
{
  const csv_number *const x = a, *const y = b;
  return (x->value > y->value) - (x->value < y->value);
}

/* Where all names are numbers, states are put in the order of these. False when memory is out. */
static bool csv_renumber(reading *r)
{
  import_rates *const out = rates_of(r);
  const name_table old = out->names;
  csv_number *const list = mem_zero((size_t)old.count + 1, sizeof *list);
  int32_t *const place = mem_zero((size_t)old.count + 1, sizeof *place);
  bool numbers = list && place;
  for (int32_t i = 0; i < old.count && numbers; i++) {
    const char *const name = old.text + old.at[i];
    numbers = word_int((word){name, strlen(name)}, &list[i].value) && (name[0] != '0' || !name[1]);
    list[i].id = i;
  }
  if (numbers) {
    qsort(list, (size_t)old.count, sizeof *list, number_compare);
    out->names = (name_table){0};
    for (int32_t i = 0; i < old.count && !r->status; i++) {
      char text[32];
      const int length = snprintf(text, sizeof text, "s%lld", (long long)list[i].value);
      place[list[i].id] = i;
      names_take(&rates_of(r)->names, r, (word){text, (size_t)length}, true);
    }
    for (int64_t e = 0; e < out->count; e++) {
      out->rate[e].from = place[out->rate[e].from];
      out->rate[e].to = place[out->rate[e].to];
    }
    name_table gone = old;
    names_free(&gone);
  }
  const bool room = list && place;
  mem_free(list);
  mem_free(place);
  return room;
}

static void csv_entry(cells *self)
{
  reading *const r = self->r;
  word cell[3], more;
  char shown[48];
  double rate;
  for (int i = 0; i < 3; i++) {
    if (cells_next(self, &cell[i])) continue;
    reading_fail(r, NULL, NULL, "expected three values: from, to, rate");
    return;
  }
  if (cells_next(self, &more)) {
    reading_fail(r, &more, NULL, "expected the end of the line, found '%s'", word_show(more, shown));
    return;
  }
  const int32_t from = names_take(&rates_of(r)->names, r, cell[0], false);
  const int32_t to = from < 0 ? -1 : names_take(&rates_of(r)->names, r, cell[1], false);
  if (to < 0) return;
  if (word_number(cell[2], &rate)) rates_take(r, &cell[2], from, to, rate);
  else reading_fail(r, &cell[2], NULL, "expected a rate, found '%s'", word_show(cell[2], shown));
}

static void csv_list(cells *self)
{
  reading *const r = self->r;
  while (reading_row(r, '#')) csv_entry(self);
  rates_of(r)->n = rates_of(r)->names.count;
  if (r->errors == 0 && !r->status && !csv_renumber(r)) reading_stop(r, NESS_NOMEM, NULL);
}

void csv_read(reading *r)
{
  cells self = {r, ',', false};
  if (!reading_row(r, '#')) {
    if (r->errors == 0) reading_fail(r, NULL, NULL, "expected a table, found none");
    return;
  }
  self.comma = cells_comma(r);
  const csv_head head = csv_look(&self);
  if (head.list) csv_list(&self);
  else csv_matrix(&self, &head);
}
