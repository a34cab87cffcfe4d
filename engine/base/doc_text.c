/* A result tree as text for people: a verdict, aligned `key   value` lines, titled sections, tables. Invariant: control
 * characters never reach the terminal, no line ends in spaces, and nothing is cut off: a wide table runs on to the
 * right. Cost: O(output) and, for a table, its columns times the keys of each row. */
#include "doc_node.h"

#include <string.h>

#define TEXT_DIGITS 6
#define TEXT_WIDTH 100

typedef struct text_view {
  text_buffer out;
  int width;
  const char *bold, *dim, *off;
} text_view;

/* Characters on the screen; wide ones count once. */
static int text_columns(const char *string)
{
  int columns = 0;
  for (; *string; string++) {
    columns += ((unsigned char)*string & 0xC0) != 0x80;
  }
  return columns;
}

/* Whether a character is shown as it is, not as a space; the end of a string is not. */
static bool text_shown(char c, bool key)
{
  return (unsigned char)c >= 32 && c != 127 && !(key && c == '_');
}

static void text_safe(text_buffer *out, const char *string, bool key)
{
  for (;;) {
    size_t length = 0;
    while (text_shown(string[length], key)) {
      length++;
    }
    text_put(out, string, length);
    if (!string[length]) {
      return;
    }
    text_put(out, " ", 1);
    string += length + 1;
  }
}

/* A value on one line: what a cell holds, and what an array of scalars shows. */
static void text_inline(text_buffer *out, const doc_node *node)
{
  char number[32];
  switch (node->kind) {
  case DOC_NULL: text_put(out, "-", 1); return;
  case DOC_BOOL: text_add(out, "%s", node->integer ? "yes" : "no"); return;
  case DOC_INT: text_int(out, node->integer); return;
  case DOC_NUMBER:
    number_short(node->number, TEXT_DIGITS, number);
    text_put(out, number, strlen(number));
    return;
  case DOC_STRING: text_safe(out, node->string, false); return;
  case DOC_ARRAY:
  case DOC_OBJECT: break;
  }
  if (!node->first) {
    text_put(out, "none", 4);
  }
  for (const doc_node *child = node->first; child; child = child->next) {
    if (child->key) {
      text_safe(out, child->key, true);
      text_put(out, " ", 1);
    }
    if (!doc_is_scalar(child) && child->first) {
      text_put(out, "(", 1);
      text_inline(out, child);
      text_put(out, ")", 1);
    } else {
      text_inline(out, child);
    }
    if (child->next) {
      text_put(out, ", ", 2);
    }
  }
}

static char *text_cell(const doc_node *node)
{
  text_buffer cell = {0};
  if (node) {
    text_inline(&cell, node);
  }
  return text_take(&cell);
}

static bool text_is_number(const doc_node *node)
{
  return node->kind == DOC_INT || node->kind == DOC_NUMBER;
}

/* --- tables: arrays of objects --- */

typedef struct text_column {
  const char *key;
  int width;
  bool text; /* left-aligned: some cell is no number */
} text_column;

typedef struct text_table {
  text_column *column;
  char **cell; /* (rows x columns) */
  int64_t columns, capacity, rows;
} text_table;

/* The column of a key. Rows mostly have the same keys in the same order, so the search starts at `expected`. */
static int64_t table_column(const text_table *self, const char *key, int64_t expected)
{
  for (int64_t i = 0; i < self->columns; i++) {
    const int64_t at = (expected + i) % self->columns;
    if (strcmp(self->column[at].key, key) == 0) {
      return at;
    }
  }
  return -1;
}

static bool table_fill(text_table *self, const doc_node *array)
{
  size_t cells;
  for (const doc_node *row = array->first; row; row = row->next) {
    int64_t expected = 0;
    for (const doc_node *value = row->first; value; value = value->next) {
      int64_t at = table_column(self, value->key, expected);
      if (at < 0) {
        if (!mem_grow(&self->column, &self->capacity, self->columns + 1, sizeof *self->column)) {
          return false;
        }
        at = self->columns++;
        self->column[at] = (text_column){value->key, text_columns(value->key), false};
      }
      self->column[at].text |= !text_is_number(value) && value->kind != DOC_NULL;
      expected = at + 1;
    }
  }
  self->rows = array->count;
  if (!size_mul((size_t)self->rows, (size_t)self->columns, &cells) ||
      !(self->cell = mem_zero(cells, sizeof *self->cell))) {
    return false;
  }
  char **line = self->cell;
  for (const doc_node *row = array->first; row; row = row->next, line += self->columns) {
    int64_t expected = 0;
    for (const doc_node *value = row->first; value; value = value->next) {
      const int64_t at = table_column(self, value->key, expected);
      mem_free(line[at]); /* a key that comes twice: the last one holds */
      if (!(line[at] = text_cell(value))) {
        return false;
      }
      const int width = text_columns(line[at]);
      self->column[at].width = width > self->column[at].width ? width : self->column[at].width;
      expected = at + 1;
    }
  }
  return true;
}

static void table_row(const text_table *self, text_buffer *out, char *const *line)
{
  int gap = 0; /* spaces owed: written only before something visible */
  for (int64_t at = 0; at < self->columns; at++) {
    const text_column *column = &self->column[at];
    const char *const cell = line ? line[at] ? line[at] : "" : column->key;
    const int room = column->width - text_columns(cell);
    gap += column->text ? 0 : room;
    if (*cell) {
      text_repeat(out, ' ', gap);
      text_safe(out, cell, !line);
      gap = 0;
    }
    gap += (column->text ? room : 0) + 2;
  }
}

static void text_rows(text_view *view, const doc_node *array, int indent)
{
  text_table table = {0};
  if (!table_fill(&table, array)) {
    view->out.failed = true;
  } else {
    text_repeat(&view->out, ' ', indent);
    text_add(&view->out, "%s", view->dim);
    table_row(&table, &view->out, NULL);
    text_add(&view->out, "%s\n", view->off);
    for (int64_t row = 0; row < table.rows; row++) {
      text_repeat(&view->out, ' ', indent);
      table_row(&table, &view->out, table.cell + row * table.columns);
      text_put(&view->out, "\n", 1);
    }
  }
  for (int64_t i = 0; table.cell && i < table.rows * table.columns; i++) {
    mem_free(table.cell[i]);
  }
  mem_free(table.cell);
  mem_free(table.column);
}

/* --- sections --- */

/* Sentences in an array take a line each. */
static bool text_has_sentence(const doc_node *array)
{
  for (const doc_node *child = array->first; child; child = child->next) {
    if (child->kind == DOC_STRING && text_columns(child->string) > 30) {
      return true;
    }
  }
  return false;
}

static bool text_is_line(const doc_node *node)
{
  return doc_is_scalar(node) || !node->first ||
         (node->kind == DOC_ARRAY && doc_is_flat(node) && !text_has_sentence(node));
}

static bool text_is_table(const doc_node *node)
{
  for (const doc_node *row = node->first; row; row = row->next) {
    if (row->kind != DOC_OBJECT || !row->first) {
      return false;
    }
  }
  return node->kind == DOC_ARRAY && node->first;
}

static bool text_is_hidden(const doc_node *node, int depth)
{
  return depth == 0 &&
         (strcmp(node->key, "schema") == 0 || strcmp(node->key, "version") == 0 ||
          ((strcmp(node->key, "verdict") == 0 || strcmp(node->key, "conventions") == 0) && node->kind == DOC_STRING));
}

/* The members of an object: first those that fit a line, aligned, then each of the others under its title. */
static void text_members(text_view *view, const doc_node *object, int depth)
{
  text_buffer *const out = &view->out;
  const int indent = 2 * depth;
  int width = 0;
  for (const doc_node *child = object->first; child; child = child->next) {
    if (text_is_line(child) && !text_is_hidden(child, depth)) {
      const int columns = text_columns(child->key);
      width = columns > width ? columns : width;
    }
  }
  for (const doc_node *child = object->first; child; child = child->next) {
    if (!text_is_line(child) || text_is_hidden(child, depth)) {
      continue;
    }
    text_repeat(out, ' ', indent);
    text_safe(out, child->key, true);
    if (child->kind != DOC_STRING || *child->string) {
      text_repeat(out, ' ', width - text_columns(child->key) + 3);
      text_inline(out, child);
    }
    text_put(out, "\n", 1);
  }
  for (const doc_node *child = object->first; child; child = child->next) {
    if (text_is_line(child)) {
      continue;
    }
    if (out->length > 0 && depth == 0) {
      text_put(out, "\n", 1);
    }
    text_repeat(out, ' ', indent);
    text_add(out, "%s", view->bold);
    text_safe(out, child->key, true);
    text_add(out, "%s\n", view->off);
    if (child->kind == DOC_OBJECT) {
      text_members(view, child, depth + 1);
    } else if (text_is_table(child)) {
      text_rows(view, child, indent + 2);
    } else {
      for (const doc_node *row = child->first; row; row = row->next) {
        text_repeat(out, ' ', indent + 2);
        text_inline(out, row);
        text_put(out, "\n", 1);
      }
    }
  }
}

/* The sentence at the top, or the conventions at the foot, broken at spaces to the width. */
static void text_sentence(text_view *view, const char *style, const char *sentence)
{
  int place = 0;
  text_add(&view->out, "%s", style);
  for (const char *word = sentence; *word;) {
    text_buffer plain = {0};
    const size_t length = strcspn(word, " \n\r\t");
    text_put(&plain, word, length);
    const int columns = plain.data ? text_columns(plain.data) : 0;
    if (columns > 0) {
      const bool fits = place + 1 + columns <= view->width;
      text_put(&view->out, fits ? " " : "\n", place > 0);
      place = place > 0 && fits ? place + 1 + columns : columns;
      text_safe(&view->out, plain.data, false);
    }
    view->out.failed |= plain.failed;
    text_clear(&plain);
    word += length;
    word += strspn(word, " \n\r\t");
  }
  text_add(&view->out, "%s\n", view->off);
}

char *ness_doc_text(const ness_doc *self, int width, int color)
{
  text_view view = {
      {0}, width > 0 ? width : TEXT_WIDTH, color ? "\033[1m" : "", color ? "\033[2m" : "", color ? "\033[0m" : ""};
  const char *verdict = ness_doc_string(self, "verdict");
  const char *conventions = ness_doc_string(self, "conventions");
  if (verdict) {
    text_sentence(&view, view.bold, verdict);
    text_put(&view.out, "\n", 1);
  }
  if (self) {
    text_members(&view, doc_top(self), 0);
  }
  if (conventions) {
    text_put(&view.out, "\n", 1);
    text_sentence(&view, view.dim, conventions);
  }
  return text_take(&view.out);
}
