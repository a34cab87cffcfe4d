/* Text, numbers and tables as HTML. Invariant: nothing of a model, a dump or a document reaches the page unescaped, and
 * what is written is well-formed as HTML and as XML. Cost: O(output); a table its columns times the keys of its rows.
 */
#include "analysis/report/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HTML_DIGITS 6
#define HTML_COLUMNS 96
#define HTML_ROWS 500 /* of a table without a limit of its own */

/* --- text --- */

/* Bytes of the UTF-8 sequence at `at`, 0 when it is none that XML may hold. */
static int utf8_length(const unsigned char *at)
{
  const int length = at[0] < 0x80 ? 1 : at[0] >= 0xC2 && at[0] < 0xE0 ? 2 : (at[0] & 0xF0) == 0xE0 ? 3 : 4;
  if (at[0] < 0x80) return at[0] >= 32 || at[0] == '\n' || at[0] == '\t';
  if (at[0] < 0xC2 || at[0] > 0xF4) return 0;
  for (int i = 1; i < length; i++) {
    if ((at[i] & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
  const bool beyond = (at[0] == 0xED && at[1] >= 0xA0) || (at[0] == 0xF4 && at[1] >= 0x90);
  const bool no_character = at[0] == 0xEF && at[1] == 0xBF && at[2] >= 0xBE;
  return overlong || beyond || no_character ? 0 : length;
}

void html_text(text_buffer *out, const char *text)
{
  for (const unsigned char *at = (const unsigned char *)(text ? text : ""); *at;) {
    const int length = utf8_length(at);
    switch (*at) {
    case '&': text_put(out, "&amp;", 5); break;
    case '<': text_put(out, "&lt;", 4); break;
    case '>': text_put(out, "&gt;", 4); break;
    case '"': text_put(out, "&quot;", 6); break;
    case '\'': text_put(out, "&#39;", 5); break;
    case 127: text_put(out, "&#65533;", 8); break;
    default:
      if (length) text_put(out, (const char *)at, (size_t)length);
      else text_put(out, "&#65533;", 8);
    }
    at += length ? length : 1;
  }
}

void html_number(text_buffer *out, double value, int digits)
{
  char number[32];
  if (isnan(value)) {
    text_put(out, "&#8211;", 7);
    return;
  }
  if (isinf(value)) {
    text_add(out, "%s", value > 0 ? "&#8734;" : "-&#8734;");
    return;
  }
  number_short(value, digits, number);
  text_add(out, "%s", number);
}

void html_key(text_buffer *out, const char *key)
{
  static const struct {
    const char *end, *unit;
  } units[] = {
      {"_kb_per_s", "k<sub>B</sub>/s"}, {"_kt_per_s", "kT/s"}, {"_per_s", "1/s"}, {"_kt", "kT"}, {"_millivolt", "mV"},
      {"_kj_per_mol", "kJ/mol"},        {"kt_per_e", "kT/e"},  {"_e", "e"}};
  size_t length = strlen(key);
  const char *unit = NULL;
  for (size_t i = 0; i < sizeof units / sizeof units[0] && !unit; i++) {
    const size_t end = strlen(units[i].end);
    if (length <= end || strcmp(key + length - end, units[i].end) != 0) continue;
    unit = units[i].unit;
    length -= end;
  }
  for (size_t i = 0; i < length; i++) {
    const char one[2] = {key[i] == '_' ? ' ' : key[i], 0};
    if ((unsigned char)key[i] >= 0x80) {
      html_text(out, key + i); /* names of other alphabets have no unit behind */
      return;
    }
    html_text(out, one);
  }
  if (unit) text_add(out, " <small>%s</small>", unit);
}

/* --- values --- */

const doc_node *node_get(const doc_node *object, const char *key)
{
  const doc_node *child = object && object->kind == DOC_OBJECT ? object->first : NULL;
  while (child && strcmp(child->key, key) != 0) child = child->next;
  return child;
}

double node_number(const doc_node *object, const char *key)
{
  const doc_node *const node = node_get(object, key);
  if (node && node->kind == DOC_NUMBER) return node->number;
  return node && node->kind == DOC_INT ? (double)node->integer : (double)NAN;
}

const char *node_string(const doc_node *object, const char *key)
{
  const doc_node *const node = node_get(object, key);
  return node && node->kind == DOC_STRING ? node->string : NULL;
}

double *node_column(arena *memory, const doc_node *table, const char *key)
{
  double *const out = arena_alloc(memory, ((size_t)table->count + 1) * sizeof *out);
  int32_t i = 0;
  for (const doc_node *row = table->first; out && row; row = row->next) out[i++] = node_number(row, key);
  return out;
}

void html_value(text_buffer *out, const doc_node *node)
{
  switch (node ? node->kind : DOC_NULL) {
  case DOC_NULL: text_put(out, "&#8211;", 7); return;
  case DOC_BOOL: text_add(out, "%s", node->integer ? "yes" : "no"); return;
  case DOC_INT: text_add(out, "%" PRId64, node->integer); return;
  case DOC_NUMBER: html_number(out, node->number, HTML_DIGITS); return;
  case DOC_STRING: html_text(out, node->string); return;
  case DOC_ARRAY:
  case DOC_OBJECT: break;
  }
  if (!node->first) text_put(out, "none", 4);
  for (const doc_node *child = node->first; child; child = child->next) {
    if (child->key) {
      html_key(out, child->key);
      text_put(out, " ", 1);
    }
    const bool nested = !doc_is_scalar(child) && child->first;
    if (nested) text_put(out, "(", 1);
    html_value(out, child);
    text_add(out, "%s%s", nested ? ")" : "", child->next ? ", " : "");
  }
}

/* --- tables --- */

void html_table_begin(text_buffer *out, const char *caption, const char *const *heads, int32_t count)
{
  text_add(out, "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"");
  html_text(out, caption);
  text_add(out, "\"><table><caption>");
  html_text(out, caption);
  text_add(out, "</caption><thead><tr>");
  for (int32_t i = 0; i < count; i++) {
    const bool text = heads[i][0] == '<';
    text_add(out, "<th scope=\"col\"%s>", i > 0 && !text ? " class=\"n\"" : "");
    html_key(out, heads[i] + text);
    text_add(out, "</th>");
  }
  text_add(out, "</tr></thead><tbody>\n");
}

void html_table_end(text_buffer *out)
{
  text_add(out, "</tbody></table></div>\n");
}

void html_cell_name(text_buffer *out, const char *text)
{
  text_add(out, "<th scope=\"row\">");
  html_text(out, text);
  text_add(out, "</th>");
}

void html_cell_text(text_buffer *out, const char *text)
{
  text_add(out, "<td>");
  html_text(out, text);
  text_add(out, "</td>");
}

void html_cell_number(text_buffer *out, double value)
{
  text_add(out, "<td class=\"n\">");
  html_number(out, value, HTML_DIGITS);
  text_add(out, "</td>");
}

void html_cell_bar(text_buffer *out, double value, double share)
{
  const double width = share > 0 ? share < 1 ? 100 * share : 100 : 0;
  text_add(out, "<td class=\"n bar\"><i style=\"width:%.1f%%\"></i><span>", width);
  html_number(out, value, HTML_DIGITS);
  text_add(out, "</span></td>");
}

void html_cell_share(text_buffer *out, double share)
{
  char percent[32];
  const double width = share > 0 ? share < 1 ? 100 * share : 100 : 0;
  snprintf(percent, sizeof percent, "%.*f", share >= 0.001 ? 2 : 4, 100 * share);
  text_add(out, "<td class=\"n bar\"><i style=\"width:%.1f%%\"></i><span>%s</span></td>", width,
           isfinite(share) ? percent : "&#8211;");
}

static int32_t table_columns(const doc_node *array, const char *const *wanted, const char **columns)
{
  int32_t count = 0;
  for (; wanted && *wanted && count < HTML_COLUMNS; wanted++) {
    const doc_node *row = array->first;
    while (row && !node_get(row, *wanted)) row = row->next;
    if (row) columns[count++] = *wanted;
  }
  for (const doc_node *row = wanted ? NULL : array->first; row; row = row->next) {
    for (const doc_node *value = row->first; value; value = value->next) {
      int32_t at = 0;
      while (at < count && strcmp(columns[at], value->key) != 0) at++;
      if (at == count && count < HTML_COLUMNS) columns[count++] = value->key;
    }
  }
  return count;
}

/* Marks the columns of text, which are left-aligned, for html_table_begin. */
static void table_begin(text_buffer *out, const doc_node *array, const char *caption, const char *const *columns,
                        int32_t count)
{
  const char *heads[HTML_COLUMNS];
  char names[HTML_COLUMNS][128];
  for (int32_t i = 0; i < count; i++) {
    const doc_node *row = array->first;
    while (row->next && !node_get(row, columns[i])) row = row->next;
    const doc_node *const value = node_get(row, columns[i]);
    const bool text = value && value->kind != DOC_NUMBER && value->kind != DOC_INT && value->kind != DOC_NULL;
    if (text) snprintf(names[i], sizeof names[i], "<%s", columns[i]);
    heads[i] = text ? names[i] : columns[i];
  }
  html_table_begin(out, caption, heads, count);
}

static void table_row(text_buffer *out, const doc_node *row, const char *const *columns, int32_t count)
{
  text_add(out, "<tr>");
  for (int32_t i = 0; i < count; i++) {
    const doc_node *const value = node_get(row, columns[i]);
    const bool number = value && (value->kind == DOC_NUMBER || value->kind == DOC_INT);
    const bool head = i == 0 && !number;
    text_add(out, "%s", head ? "<th scope=\"row\">" : number ? "<td class=\"n\">" : "<td>");
    if (value) html_value(out, value);
    text_add(out, "%s", head ? "</th>" : "</td>");
  }
  text_add(out, "</tr>\n");
}

void html_table_where(text_buffer *out, const doc_node *array, const char *caption, const char *const *wanted,
                      int32_t most, bool (*takes)(const doc_node *row))
{
  const char *columns[HTML_COLUMNS];
  const int32_t count = table_columns(array, wanted, columns), limit = most > 0 ? most : HTML_ROWS;
  int32_t rows = 0;
  table_begin(out, array, caption, columns, count);
  for (const doc_node *row = array->first; row; row = row->next) {
    if (takes && !takes(row)) continue;
    if (rows++ < limit) table_row(out, row, columns, count);
  }
  html_table_end(out);
  if (rows > limit) text_add(out, "<p class=\"note\">%d more rows are left out here.</p>\n", (int)(rows - limit));
  if (count == HTML_COLUMNS) text_add(out, "<p class=\"note\">These are the first %d columns.</p>\n", HTML_COLUMNS);
}

void html_table(text_buffer *out, const doc_node *array, const char *caption, const char *const *wanted, int32_t most)
{
  html_table_where(out, array, caption, wanted, most, NULL);
}

/* --- a document node as it is --- */

static bool is_table(const doc_node *node)
{
  for (const doc_node *row = node->first; row; row = row->next) {
    if (row->kind != DOC_OBJECT || !row->first) return false;
  }
  return node->kind == DOC_ARRAY && node->first;
}

static bool is_line(const doc_node *node)
{
  return doc_is_scalar(node) || !node->first || (node->kind == DOC_ARRAY && doc_is_flat(node));
}

static void words_of_key(const char *key, char out[80])
{
  size_t i = 0;
  for (; key[i] && i < 79; i++) out[i] = key[i];
  while (i > 0 && key[i] && ((unsigned char)key[i] & 0xC0) == 0x80) i--; /* no half characters */
  out[i] = 0;
  for (char *at = out; *at; at++) *at = *at == '_' ? ' ' : *at;
}

void html_members(text_buffer *out, const doc_node *node, int level)
{
  bool list = false;
  for (const doc_node *child = node->first; child; child = child->next) {
    if (!is_line(child)) continue;
    text_add(out, "%s<dt>", list ? "" : "<dl>");
    if (child->key) html_key(out, child->key);
    text_add(out, "</dt><dd>");
    html_value(out, child);
    text_add(out, "</dd>\n");
    list = true;
  }
  if (list) text_add(out, "</dl>\n");
  for (const doc_node *child = node->first; child; child = child->next) {
    char words[80];
    if (is_line(child)) continue;
    words_of_key(child->key ? child->key : "part", words);
    if (is_table(child)) {
      html_table(out, child, words, NULL, 0);
      continue;
    }
    text_add(out, "<h%d>", level < 6 ? level : 6);
    html_text(out, words);
    text_add(out, "</h%d>\n", level < 6 ? level : 6);
    html_members(out, child, level + 1);
  }
}
