/* Cells of a line of text, parted by a comma of some kind, in quotes where they hold one (RFC 4180), on one line.
 * Invariant: a cell lies within its line; the quotes that stand doubled in it become one in place. Cost: one pass. */
#include "read.h"

#include <string.h>

bool cells_next(const cells *self, word *out)
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

char cells_comma(const reading *r)
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
