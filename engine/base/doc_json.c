/* A result tree as JSON (RFC 8259): two spaces a level, arrays of scalars on one line. Invariant: the output is valid
 * UTF-8 and valid JSON whatever the strings hold; bytes that are no UTF-8 become U+FFFD. Numbers read back bit for bit.
 * Cost: O(output). */
#include "doc_node.h"

#include <math.h>
#include <string.h>

/* Length of the UTF-8 character at `at`, 0 when there is none: no overlong forms, surrogates or values past U+10FFFF.
 */
static size_t utf8_length(const unsigned char *at)
{
  const unsigned char c = at[0];
  size_t length = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
  for (size_t i = 1; i < length; i++) {
    if ((at[i] & 0xC0) != 0x80) {
      return 0; /* also met at the terminating zero */
    }
  }
  if ((c == 0xE0 && at[1] < 0xA0) || (c == 0xED && at[1] > 0x9F) || (c == 0xF0 && at[1] < 0x90) ||
      (c == 0xF4 && at[1] > 0x8F)) {
    length = 0;
  }
  return length;
}

/* How many characters from `at` on stand for themselves. */
static size_t json_plain(const char *at)
{
  size_t length = 0;
  while (at[length] >= 32 && at[length] < 127 && at[length] != '"' && at[length] != '\\') {
    length++;
  }
  return length;
}

static void json_string(text_buffer *out, const char *string)
{
  text_put(out, "\"", 1);
  for (const char *at = string; *at;) {
    const size_t run = json_plain(at);
    if (run > 0) {
      text_put(out, at, run);
      at += run;
      continue;
    }
    const unsigned char c = (unsigned char)*at;
    const size_t length = utf8_length((const unsigned char *)at);
    const char *const plain = "\"\\\n\r\t\b\f", *const escaped = "\"\\nrtbf";
    const char *const short_form = strchr(plain, c);
    if (short_form) {
      text_put(out, "\\", 1);
      text_put(out, escaped + (short_form - plain), 1);
    } else if (c < 32 || c == 127) {
      text_add(out, "\\u%04x", (unsigned)c);
    } else if (length == 0) {
      text_put(out, "\xEF\xBF\xBD", 3);
    } else {
      text_put(out, at, length);
    }
    at += length > 0 ? length : 1;
  }
  text_put(out, "\"", 1);
}

static void json_line(text_buffer *out, int depth)
{
  text_put(out, "\n", 1);
  text_repeat(out, ' ', 2 * depth);
}

static void json_value(text_buffer *out, const doc_node *node, int depth)
{
  char number[32];
  const size_t quotes = node->kind == DOC_NUMBER && !isfinite(node->number) ? 1 : 0;
  switch (node->kind) {
  case DOC_NULL: text_put(out, "null", 4); return;
  case DOC_BOOL: text_add(out, "%s", node->integer ? "true" : "false"); return;
  case DOC_INT: text_int(out, node->integer); return;
  case DOC_NUMBER:
    number_exact(node->number, number);
    text_put(out, "\"", quotes);
    text_put(out, number, strlen(number));
    text_put(out, "\"", quotes);
    return;
  case DOC_STRING: json_string(out, node->string); return;
  case DOC_ARRAY:
  case DOC_OBJECT: break;
  }
  const bool object = node->kind == DOC_OBJECT, one_line = !node->first || (!object && doc_is_flat(node));
  text_put(out, object ? "{" : "[", 1);
  for (const doc_node *child = node->first; child; child = child->next) {
    if (!one_line) {
      json_line(out, depth + 1);
    }
    if (object) {
      json_string(out, child->key);
      text_put(out, ": ", 2);
    }
    json_value(out, child, depth + 1);
    if (child->next) {
      text_put(out, ", ", one_line ? 2 : 1);
    }
  }
  if (!one_line) {
    json_line(out, depth);
  }
  text_put(out, object ? "}" : "]", 1);
}

char *ness_doc_json(const ness_doc *self)
{
  text_buffer out = {0};
  if (self) {
    json_value(&out, doc_top(self), 0);
  } else {
    text_put(&out, "null", 4);
  }
  text_put(&out, "\n", 1);
  return text_take(&out);
}
