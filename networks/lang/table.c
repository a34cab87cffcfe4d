/* Tables: the course of a process as a file of two columns, time and value, under a header that names them with their
 * units: `t [s], V [mV]`. Lines that begin with # and empty ones are passed over. The text is a source of the file as
 * an include is, so that it travels in the bundle and every error shows its line. Invariant: what is returned has
 * TABLE_LEAST rows or more, and times from 0 on that ascend. Cost: linear in the text; memory 16 bytes a line. */
#include "networks/lang/parser.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_LEAST 2
#define TABLE_MOST 100000
#define TABLE_DIGITS 64 /* of a number, sign and exponent with it */
#define TABLE_HEADER "the first line names both columns, as in `t [s], V [mV]`, or `t, V` in natural units"

typedef struct table_line {
  lang_place cell[2];
  int32_t cells; /* that stand there, two of them kept */
} table_line;

typedef struct table_text {
  const lang_source *source;
  size_t at; /* where the next line begins */
  int32_t line;
} table_text;

static bool table_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}

/* Bytes from ... to of a line that begins at `start`, without the blanks around them. */
static lang_place table_cell(const table_text *self, size_t start, size_t from, size_t to)
{
  const char *const text = self->source->text;
  while (from < to && table_blank(text[from])) from++;
  while (to > from && table_blank(text[to - 1])) to--;
  return (lang_place){.source = self->source,
                      .offset = (int32_t)from,
                      .length = (int32_t)(to - from),
                      .line = self->line,
                      .column = (int32_t)(from - start) + 1};
}

/* The next line that holds anything; false at the end. */
static bool table_next(table_text *self, table_line *out)
{
  const char *const text = self->source->text;
  while (self->at < self->source->length) {
    const size_t start = self->at;
    const char *const eol = memchr(text + start, '\n', self->source->length - start);
    const size_t end = eol ? (size_t)(eol - text) : self->source->length;
    self->at = end + (eol != NULL);
    self->line++;
    const lang_place whole = table_cell(self, start, start, end);
    if (whole.length == 0 || text[whole.offset] == '#') continue;
    out->cells = 0;
    for (size_t from = start; from <= end; out->cells++) {
      const char *const comma = memchr(text + from, ',', end - from);
      const size_t to = comma ? (size_t)(comma - text) : end;
      if (out->cells < 2) out->cell[out->cells] = table_cell(self, start, from, to);
      from = to + 1;
    }
    return true;
  }
  return false;
}

static bool table_columns(const parser *self, const table_line *line)
{
  if (line->cells == 2) return true;
  lang_error(self->diags, line->cell[0], "a comma stands between time and value, a point in a fraction",
             "a table has two columns, this line has %d", line->cells);
  return false;
}

/* What one of a column is, by its cell of the header: `name` or `name [unit]`. */
static expr *table_unit(parser *self, lang_place cell)
{
  const char *const text = cell.source->text + cell.offset, *const open = memchr(text, '[', (size_t)cell.length);
  expr *const one = parser_node(self, sizeof *one);
  if (!one) return NULL;
  *one = (expr){.kind = EXPR_NUMBER, .place = cell, .height = 1, .number = 1};
  if (!open) return one;
  const int32_t before = (int32_t)(open - text), length = cell.length - before;
  cell.offset += before;
  cell.column += before;
  cell.length = length;
  if (length < 3 || open[length - 1] != ']') {
    lang_error(self->diags, cell, TABLE_HEADER, "the unit of a column stands in brackets at its end");
    return NULL;
  }
  expr *const unit = parser_node(self, sizeof *unit);
  char *const name = arena_text(&self->file->memory, open + 1, (size_t)length - 2);
  if (!unit || !name) return NULL;
  *unit = (expr){.kind = EXPR_UNIT, .place = cell, .height = 2, .name = name, .a = one};
  return unit;
}

/* A decimal number, neither hexadecimal nor inf. */
static bool table_number(lang_place cell, double *out)
{
  char digits[TABLE_DIGITS];
  if (cell.length < 1 || cell.length >= TABLE_DIGITS) return false;
  memcpy(digits, cell.source->text + cell.offset, (size_t)cell.length);
  digits[cell.length] = '\0';
  char *end;
  if (strspn(digits, "0123456789+-.eE") != (size_t)cell.length) return false;
  *out = strtod(digits, &end);
  return *end == '\0' && isfinite(*out);
}

static bool table_header(parser *self, table_text *text, lang_table *out, table_line *line)
{
  double number;
  if (text->source->length >= 3 && memcmp(text->source->text, "\xef\xbb\xbf", 3) == 0) text->at = 3;
  if (!table_next(text, line)) {
    const lang_place start = {.source = text->source, .line = 1, .column = 1};
    lang_error(self->diags, start, TABLE_HEADER, "this table is empty");
    return false;
  }
  if (!table_columns(self, line)) return false;
  if (table_number(line->cell[0], &number)) {
    lang_error(self->diags, line->cell[0], TABLE_HEADER, "a table begins with a header, not with a number");
    return false;
  }
  for (int i = 0; i < 2; i++) {
    if (!(out->unit[i] = table_unit(self, line->cell[i]))) return false;
  }
  return true;
}

static bool table_row(parser *self, const table_line *line, int32_t row, double *const column[2])
{
  if (!table_columns(self, line)) return false;
  for (int i = 0; i < 2; i++) {
    if (table_number(line->cell[i], &column[i][row])) continue;
    const lang_place at = line->cell[i];
    lang_error(self->diags, at, "a number is written as 12, 0.5 or -3e-4; units stand in the header alone",
               at.length > 0 ? "%.*s is no number" : "%.*sa number is missing here", at.length < 40 ? at.length : 40,
               at.source->text + at.offset);
    return false;
  }
  const double now = column[0][row];
  if (row == 0 && !(now >= 0)) {
    lang_error(self->diags, line->cell[0], "subtract the first time from all", "a protocol begins at 0 or later");
    return false;
  }
  if (row > 0 && !(now > column[0][row - 1])) {
    lang_error(self->diags, line->cell[0], "sort the rows by time, and leave one of each time",
               "the times of a protocol ascend: %g follows %g", now, column[0][row - 1]);
    return false;
  }
  return true;
}

static int32_t table_lines(const lang_source *source)
{
  int32_t lines = 1;
  for (size_t i = 0; i < source->length; i++) lines += source->text[i] == '\n';
  return lines;
}

const lang_table *parser_table(parser *self, const lang_source *source)
{
  table_text text = {.source = source};
  table_line line;
  lang_table *const out = parser_node(self, sizeof *out);
  if (!out) return NULL;
  *out = (lang_table){.source = source};
  if (!table_header(self, &text, out, &line)) return NULL;
  const int32_t lines = table_lines(source), room = lines < TABLE_MOST ? lines : TABLE_MOST;
  double *const column[2] = {parser_node(self, (size_t)room * sizeof(double)),
                             parser_node(self, (size_t)room * sizeof(double))};
  const lang_place header = line.cell[0];
  if (!column[0] || !column[1]) return NULL;
  while (table_next(&text, &line)) {
    if (out->rows == room) {
      lang_error(self->diags, line.cell[0], "leave out rows between which the course is nearly straight",
                 "a table has at most %d rows", TABLE_MOST);
      return NULL;
    }
    if (!table_row(self, &line, out->rows++, column)) return NULL;
  }
  if (out->rows < TABLE_LEAST) {
    lang_error(self->diags, header, "a protocol has two points or more, a row for each",
               "there are too few rows under this header: %d", out->rows);
    return NULL;
  }
  out->column[0] = column[0];
  out->column[1] = column[1];
  return out;
}
