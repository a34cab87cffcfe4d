/* Tables of text, cells parted by commas, semicolons, tabs or blanks, whichever of these the first line has first:
 *   a square matrix, row i and column j holding the rate from state i to state j, with or without a first row of names
 *   (none of which is a number); where that row begins with an empty cell, each row begins with its name;
 *   a list under the header from,to,rate, states by name. Where all names are numbers, they order the states, and state
 *   7 is called s7; else the order is that of the file.
 * Cells may stand in quotes (RFC 4180), on one line. Lines with # are comments. Cost: one pass. */
#include "read.h"

#include <stdlib.h>
#include <string.h>

typedef struct csv {
  reading *r;
  char comma; /* ' ' for any number of blanks */
  bool look;
} csv;

/* The next cell, without blanks around it. False behind the last one of the line. Doubled quotes become one in place,
 * except in a look ahead, which neither changes nor reports anything. */
static bool csv_cell(const csv *self, word *out)
{
  reading *const r = self->r;
  if (!r->cursor) return false;
  if (self->comma == ' ') return reading_word(r, out);
  char *p = r->cursor, *const end = r->line + r->length;
  while (p < end && (*p == ' ' || (*p == '\t' && self->comma != '\t'))) p++;
  *out = (word){p, 0};
  if (p < end && *p == '"') {
    char *to = ++p;
    *out = (word){p, 0};
    for (; p < end && (*p != '"' || (p + 1 < end && p[1] == '"')); p++, to++) {
      p += *p == '"';
      if (!self->look) *to = *p;
    }
    out->length = (size_t)(to - out->text);
    if (p == end && !self->look) reading_fail(r, out, NULL, "the quote is not closed on this line");
    p += p < end;
  } else {
    while (p < end && *p != self->comma) p++;
    out->length = (size_t)(p - out->text);
    while (out->length > 0 && (out->text[out->length - 1] == ' ' || out->text[out->length - 1] == '\t')) out->length--;
  }
  while (p < end && (*p == ' ' || (*p == '\t' && self->comma != '\t'))) p++;
  if (p < end && *p != self->comma) {
    if (!self->look)
      reading_fail(r, &(word){p, 1}, NULL, "expected '%c' behind the quote", self->comma == '\t' ? ' ' : self->comma);
    p = end;
  }
  r->cursor = p < end ? p + 1 : NULL;
  return true;
}

static char csv_comma(const reading *r)
{
  for (size_t i = 0; i < r->length && r->line[i] != '"'; i++) {
    if (memchr(",;\t", r->line[i], 3)) return r->line[i];
  }
  /* A quote comes first: the comma stands behind it. */
  const char *const quote = memchr(r->line, '"', r->length);
  const char *const close = quote ? strchr(quote + 1, '"') : NULL;
  const char *const found = close ? strpbrk(close, ",;\t") : NULL;
  return found ? *found : ' ';
}

/* What the first line is: its cells, how many are no numbers, and whether the first one is empty. */
typedef struct csv_head {
  int64_t cells, words;
  bool corner, list;
} csv_head;

static csv_head csv_look(const csv *self)
{
  static const char *const list[] = {"from", "to", "rate"};
  const csv look = {self->r, self->comma, true};
  csv_head head = {.list = true};
  word cell;
  double number;
  for (; csv_cell(&look, &cell); head.cells++) {
    if (head.cells == 0) head.corner = cell.length == 0;
    head.words += cell.length > 0 && !word_number(cell, &number);
    head.list = head.list && head.cells < 3 && word_is(cell, list[head.cells]);
  }
  self->r->cursor = self->r->line;
  head.list = head.list && head.cells == 3;
  return head;
}

/* --- a matrix --- */

static bool csv_names(csv *self, const csv_head *head)
{
  word cell;
  if (head->corner) csv_cell(self, &cell);
  while (reading_on(self->r) && csv_cell(self, &cell)) names_take(self->r, cell, true);
  return self->r->errors == 0 && !self->r->status;
}

static void csv_row(csv *self, int32_t row, bool named)
{
  reading *const r = self->r;
  const import_names *const names = &r->out->names;
  char shown[48];
  word cell;
  double value;
  if (named && csv_cell(self, &cell)) {
    const char *const name = names->text + names->at[row];
    if (strlen(name) != cell.length || memcmp(name, cell.text, cell.length) != 0) {
      reading_fail(r, &cell, "rows and columns stand in one order", "expected the row of '%s', found '%s'", name,
                   word_show(cell, shown));
      return;
    }
  }
  int32_t column = 0;
  const int32_t errors = r->errors;
  for (; csv_cell(self, &cell) && reading_on(r); column++) {
    if (column == r->out->n) {
      reading_fail(r, &cell, NULL, "row %d has more than %d values", row + 1, r->out->n);
      return;
    }
    if (cell.length == 1 && cell.text[0] == '0') continue; /* most of them */
    if (word_number(cell, &value)) rates_take(r, &cell, row, column, value);
    else reading_fail(r, &cell, NULL, "expected a number, found '%s'", word_show(cell, shown));
  }
  if (column < r->out->n && r->errors == errors)
    reading_fail(r, NULL, NULL, "row %d has %d values, expected %d", row + 1, column, r->out->n);
}

static void csv_matrix(csv *self, const csv_head *head)
{
  reading *const r = self->r;
  const bool names = head->words == head->cells || head->corner;
  int32_t row = 0;
  r->matrix = true;
  if (head->cells > IMPORT_MAX) {
    reading_stop(r, NESS_LIMIT, "more than %d columns", IMPORT_MAX);
    return;
  }
  r->out->n = (int32_t)(head->cells - head->corner);
  if (names && !csv_names(self, head)) return;
  if (r->out->n == 0) {
    reading_fail(r, NULL, NULL, "expected the names of states");
    return;
  }
  for (bool more = !names || reading_row(r, '#'); more && reading_on(r); more = reading_row(r, '#')) {
    if (row == r->out->n) {
      reading_fail(r, NULL,
                   names ? "a list of rates has the header from,to,rate"
                         : "names in the first row are no numbers; a list of rates has the header from,to,rate",
                   "a rate matrix is square: expected the end of the file behind %d rows of %d values", row, row);
      return;
    }
    csv_row(self, row++, head->corner);
  }
  if (r->errors > 0 || r->status || row == r->out->n) return;
  r->line = NULL;
  reading_fail(r, NULL, "a list of rates has the header from,to,rate",
               "a rate matrix is square, this one has %d rows and %d columns", row, r->out->n);
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
  import_rates *const out = r->out;
  const import_names old = out->names;
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
    out->names = (import_names){0};
    for (int32_t i = 0; i < old.count && !r->status; i++) {
      char text[32];
      const int length = snprintf(text, sizeof text, "s%lld", (long long)list[i].value);
      place[list[i].id] = i;
      names_take(r, (word){text, (size_t)length}, true);
    }
    for (int64_t e = 0; e < out->count; e++) {
      out->rate[e].from = place[out->rate[e].from];
      out->rate[e].to = place[out->rate[e].to];
    }
    import_names gone = old;
    names_free(&gone);
  }
  const bool room = list && place;
  mem_free(list);
  mem_free(place);
  return room;
}

static void csv_entry(csv *self)
{
  reading *const r = self->r;
  word cell[3], more;
  char shown[48];
  double rate;
  for (int i = 0; i < 3; i++) {
    if (csv_cell(self, &cell[i])) continue;
    reading_fail(r, NULL, NULL, "expected three values: from, to, rate");
    return;
  }
  if (csv_cell(self, &more)) {
    reading_fail(r, &more, NULL, "expected the end of the line, found '%s'", word_show(more, shown));
    return;
  }
  const int32_t from = names_take(r, cell[0], false);
  const int32_t to = from < 0 ? -1 : names_take(r, cell[1], false);
  if (to < 0) return;
  if (word_number(cell[2], &rate)) rates_take(r, &cell[2], from, to, rate);
  else reading_fail(r, &cell[2], NULL, "expected a rate, found '%s'", word_show(cell[2], shown));
}

static void csv_list(csv *self)
{
  reading *const r = self->r;
  while (reading_row(r, '#')) csv_entry(self);
  r->out->n = r->out->names.count;
  if (r->errors == 0 && !r->status && !csv_renumber(r)) reading_stop(r, NESS_NOMEM, NULL);
}

void csv_read(reading *r)
{
  csv self = {r, ',', false};
  if (!reading_row(r, '#')) {
    if (r->errors == 0) reading_fail(r, NULL, NULL, "expected a table, found none");
    return;
  }
  self.comma = csv_comma(r);
  const csv_head head = csv_look(&self);
  if (head.list) csv_list(&self);
  else csv_matrix(&self, &head);
}
