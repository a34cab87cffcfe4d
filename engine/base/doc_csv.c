/* A table of a result tree as CSV (RFC 4180): an array of objects, a row each. Invariant: numbers are written so that
 * they read back bit for bit. Columns are the union of the rows' keys in order of appearance. Cost: rows times columns.
 */
#include "doc_node.h"

#include <string.h>

static void csv_text(text_buffer *out, const char *string)
{
  const bool quote = strpbrk(string, ",\"\n\r") != NULL;
  if (quote) text_put(out, "\"", 1);
  for (; *string; string++) {
    if (*string == '"') text_put(out, "\"", 1);
    text_put(out, string, 1);
  }
  if (quote) text_put(out, "\"", 1);
}

static void csv_value(text_buffer *out, const doc_node *node)
{
  char number[32];
  switch (node->kind) {
  case DOC_BOOL:
  case DOC_INT: text_int(out, node->integer); return;
  case DOC_NUMBER:
    number_exact(node->number, number);
    text_put(out, number, strlen(number));
    return;
  case DOC_STRING: csv_text(out, node->string); return;
  case DOC_NULL:
  case DOC_ARRAY:
  case DOC_OBJECT: return;
  }
}

static const doc_node *csv_member(const doc_node *row, const char *key)
{
  const doc_node *child = row->first;
  while (child && strcmp(child->key, key) != 0) child = child->next;
  return child;
}

char *ness_doc_csv(const ness_doc *self, const char *path)
{
  const doc_node *const array = doc_at(self, path);
  if (!array || array->kind != DOC_ARRAY) return NULL;
  const char **column = NULL;
  int64_t columns = 0, capacity = 0;
  text_buffer out = {0};
  for (const doc_node *row = array->first; row && !out.failed; row = row->next) {
    for (const doc_node *value = row->kind == DOC_OBJECT ? row->first : NULL; value; value = value->next) {
      int64_t at = 0;
      while (at < columns && strcmp(column[at], value->key) != 0) at++;
      if (at < columns) continue;
      if (!mem_grow(&column, &capacity, columns + 1, sizeof *column)) {
        out.failed = true;
        break;
      }
      column[columns++] = value->key;
    }
  }
  for (int64_t i = 0; i < columns && !out.failed; i++) {
    if (i) text_put(&out, ",", 1);
    csv_text(&out, column[i]);
  }
  text_put(&out, "\n", 1);
  for (const doc_node *row = array->first; row && !out.failed; row = row->next) {
    for (int64_t i = 0; i < columns; i++) {
      const doc_node *const value = row->kind == DOC_OBJECT ? csv_member(row, column[i]) : NULL;
      if (i) text_put(&out, ",", 1);
      if (value) csv_value(&out, value);
    }
    text_put(&out, "\n", 1);
  }
  mem_free((void *)column);
  return text_take(&out);
}
