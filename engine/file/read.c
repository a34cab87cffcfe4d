/* Bytes, lines, words and numbers of a file. Invariant: nothing is read beyond the buffer, which grows with the longest
 * line and never on the word of a header; after an error the reader goes on, so that one look shows several, and ends
 * behind the twentieth. Numbers: up to 15 digits by one exact multiplication or division (Clinger, PLDI 1990), longer
 * ones by strtod. Cost: one pass. */
#include "read.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define READ_BLOCK ((int64_t)256 << 10)
#define READ_LINE_MAX ((int64_t)1 << 30) /* longest line */
#define READ_ERRORS 20
#define SHOW_MAX 40 /* bytes of a word in a message */

/* --- opening and ending --- */

/* fmemopen takes no empty buffer; an empty file is one without an `in`. */
static ness_status reading_begin(reading *self, const void *content, size_t length)
{
  struct stat info;
  if (content) {
    union {
      const void *from;
      void *to;
    } text = {content}; /* opened for reading only */
    self->size = (int64_t)length;
    self->in = length > 0 ? fmemopen(text.to, length, "rb") : NULL;
    return self->in || length == 0 ? NESS_OK : NESS_NOMEM;
  }
  self->in = fopen(self->path, "rb");
  if (!self->in || fstat(fileno(self->in), &info) != 0) {
    diag_add(self->diags, NESS_ERROR, "cannot open %s: %s", self->path, strerror(errno));
    return NESS_IO;
  }
  if (!S_ISREG(info.st_mode)) {
    diag_add(self->diags, NESS_ERROR, "%s is %s", self->path, S_ISDIR(info.st_mode) ? "a folder" : "no plain file");
    diag_hint(self->diags, "rates are read from a file whose length is known");
    return NESS_IO;
  }
  self->size = (int64_t)info.st_size;
  return NESS_OK;
}

ness_status reading_open(reading *self, const char *path, const void *content, size_t length, ness_diags *diags,
                         void *owner)
{
  *self = (reading){.path = path, .diags = diags, .owner = owner};
  self->status = reading_begin(self, content, length);
  if (!self->status && !mem_grow(&self->buffer, &self->capacity, READ_BLOCK, 1)) self->status = NESS_NOMEM;
  if (!self->status && self->size == 0) reading_fail(self, NULL, NULL, "the file is empty");
  return self->status;
}

ness_status reading_close(reading *self)
{
  if (self->in) fclose(self->in);
  mem_free(self->buffer);
  self->in = NULL;
  self->buffer = NULL;
  return self->status ? self->status : self->errors > 0 ? NESS_MODEL : NESS_OK;
}

bool reading_on(const reading *self)
{
  return !self->status && self->errors < READ_ERRORS;
}

/* --- messages --- */

void reading_fail(reading *self, const word *at, const char *hint, const char *format, ...)
{
  va_list list;
  char message[512];
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  self->errors++;
  if (self->number == 0 && self->byte > 0) {
    diag_add_at(self->diags, NESS_ERROR, self->path, 0, 0, 1, NULL, hint, "byte %lld: %s", (long long)self->byte,
                message);
    return;
  }
  const bool shown = self->line && self->length < 400; /* a longer line would bury the message */
  const uintptr_t from = (uintptr_t)self->line, place = at ? (uintptr_t)at->text : 0;
  const int32_t column = shown && place >= from && place - from <= self->length ? (int32_t)(place - from) + 1 : 0;
  diag_add_at(self->diags, NESS_ERROR, self->path, self->number, column, at && at->length ? (int32_t)at->length : 1,
              shown ? self->line : NULL, hint, "%s", message);
}

void reading_stop(reading *self, ness_status status, const char *format, ...)
{
  va_list list;
  char message[512];
  if (self->status) return;
  self->status = status;
  if (!format) return;
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  diag_add_at(self->diags, NESS_ERROR, self->path, self->number, 0, 1, NULL, NULL, "%s", message);
}

/* --- bytes and lines --- */

/* More bytes into the buffer, which moves to its front; false at the end of the file. */
static bool reading_more(reading *self)
{
  if (!self->in || self->status) return false;
  if (self->at > 0) memmove(self->buffer, self->buffer + self->at, self->end - self->at);
  self->end -= self->at;
  self->at = 0;
  const int64_t held = (int64_t)self->end;
  if (held > READ_LINE_MAX) {
    reading_stop(self, NESS_LIMIT, "a line is longer than 1 GiB");
    return false;
  }
  if (held + READ_BLOCK > self->capacity && !mem_grow(&self->buffer, &self->capacity, 2 * held + READ_BLOCK, 1)) {
    reading_stop(self, NESS_NOMEM, NULL);
    return false;
  }
  /* One byte stays free for the zero behind the last line. */
  const size_t got = fread(self->buffer + self->end, 1, (size_t)(self->capacity - held) - 1, self->in);
  if (got == 0 && ferror(self->in)) reading_stop(self, NESS_IO, "cannot read: %s", strerror(errno));
  self->end += got;
  return got > 0;
}

static bool reading_line(reading *self)
{
  size_t looked = 0;
  char *stop = NULL;
  if (!self->buffer) return false;
  for (;;) {
    stop = memchr(self->buffer + self->at + looked, '\n', self->end - self->at - looked);
    looked = self->end - self->at;
    if (stop || !reading_more(self)) break;
  }
  if (self->status || (!stop && self->at == self->end)) return false;
  self->line = self->cursor = self->buffer + self->at;
  self->length = stop ? (size_t)(stop - self->line) : self->end - self->at;
  self->at = stop ? (size_t)(stop + 1 - self->buffer) : self->end;
  self->line[self->length] = 0;
  if (self->length > 0 && self->line[self->length - 1] == '\r') self->line[--self->length] = 0;
  self->number += self->number < INT32_MAX;
  if (self->number % 4096 == 0 && interrupt_pending()) reading_stop(self, NESS_INTERRUPTED, NULL);
  if (self->number == 1 && self->length >= 3 && memcmp(self->line, "\xEF\xBB\xBF", 3) == 0) { /* a mark of UTF-8 */
    self->line = self->cursor = self->line + 3;
    self->length -= 3;
  }
  return !self->status;
}

bool reading_row(reading *self, char comment)
{
  while (reading_on(self) && reading_line(self)) {
    const size_t blank = strspn(self->line, " \t");
    if (blank < self->length && self->line[blank] != comment) return true;
  }
  return false;
}

bool reading_word(reading *self, word *out)
{
  const char *const end = self->line + self->length;
  char *p = self->cursor;
  while (p < end && (*p == ' ' || *p == '\t')) p++;
  out->text = p;
  while (p < end && *p != ' ' && *p != '\t') p++;
  out->length = (size_t)(p - out->text);
  self->cursor = p;
  return out->length > 0;
}

const unsigned char *reading_bytes(reading *self, size_t bytes)
{
  if (!self->buffer) return NULL;
  while (self->end - self->at < bytes && reading_more(self)) continue;
  if (self->status || self->end - self->at < bytes) return NULL;
  const unsigned char *const out = (const unsigned char *)self->buffer + self->at;
  self->at += bytes;
  return out;
}

/* --- words --- */

const char *word_show(word self, char out[48])
{
  const size_t length = self.length < SHOW_MAX ? self.length : SHOW_MAX;
  for (size_t i = 0; i < length; i++)
    out[i] = (unsigned char)self.text[i] < 32 || self.text[i] == 127 ? '?' : self.text[i];
  snprintf(out + length, 48 - length, "%s", length < self.length ? "..." : "");
  return out;
}

bool word_is(word self, const char *text)
{
  return strlen(text) == self.length && strncasecmp(self.text, text, self.length) == 0;
}

bool word_int(word self, int64_t *out)
{
  int64_t value = 0;
  for (size_t i = 0; i < self.length; i++) {
    if (!isdigit((unsigned char)self.text[i])) return false;
    value = i < 18 ? 10 * value + (self.text[i] - '0') : 0;
  }
  *out = value;
  return self.length > 0 && self.length <= 18;
}

/* The text is known to be a decimal number; the locale may want another point. */
static bool number_long(word self, double *out)
{
  char text[1024];
  char *stop;
  if (self.length >= sizeof text - 16) return false;
  memcpy(text, self.text, self.length);
  text[self.length] = 0;
  *out = strtod(text, &stop);
  char *const point = strchr(text, '.');
  if (*stop == 0 || !point) return *stop == 0;
  const char *const other = localeconv()->decimal_point;
  const size_t width = strlen(other);
  if (width > 8) return false;
  memmove(point + width, point + 1, strlen(point + 1) + 1);
  memcpy(point, other, width);
  *out = strtod(text, &stop);
  return *stop == 0;
}

typedef struct digits {
  uint64_t value;
  int32_t count;   /* significant ones */
  int64_t scale;   /* power of ten behind value */
  bool any, whole; /* there were some; all of them are in value */
} digits;

static const char *digits_read(digits *self, const char *p, const char *end, int step)
{
  for (; p < end && *p >= '0' && *p <= '9'; p++) {
    self->any = true;
    if (self->count < 18) {
      self->value = 10 * self->value + (uint64_t)(*p - '0');
      self->count += self->value > 0;
      self->scale += step;
    } else {
      self->whole = false; /* strtod will read it again */
    }
  }
  return p;
}

bool word_number(word self, double *out)
{
  static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const char *p = self.text, *const end = p + self.length;
  digits d = {.whole = true};
  const bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p < end && *p >= 'A') {
    const word rest = {p, (size_t)(end - p)};
    const bool endless = word_is(rest, "inf") || word_is(rest, "infinity");
    *out = !endless ? (double)NAN : negative ? -(double)INFINITY : (double)INFINITY;
    return endless || word_is(rest, "nan");
  }
  p = digits_read(&d, p, end, 0);
  if (p < end && *p == '.') p = digits_read(&d, p + 1, end, -1);
  if (d.any && p < end && (*p == 'e' || *p == 'E')) {
    const bool down = ++p < end && *p == '-';
    int64_t power = 0;
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return false;
    for (; p < end && isdigit((unsigned char)*p); p++) power = power < 100000 ? 10 * power + (*p - '0') : power;
    d.scale += down ? -power : power;
  }
  if (!d.any || p != end) return false;
  if (!d.whole || d.value > UINT64_C(1) << 53 || d.scale < -22 || d.scale > 22) return number_long(self, out);
  const double value = d.scale < 0 ? (double)d.value / tens[-d.scale] : (double)d.value * tens[d.scale];
  *out = negative ? -value : value;
  return true;
}

int64_t reading_count(reading *self, word w, const char *what, int64_t least, int64_t most)
{
  char shown[48];
  int64_t value;
  if (w.length == 0) {
    reading_fail(self, NULL, NULL, "expected %s, found the end of the line", what);
    return -1;
  }
  if (!word_int(w, &value)) {
    reading_fail(self, &w, NULL, "expected %s, found '%s'", what, word_show(w, shown));
    return -1;
  }
  if (value >= least && value <= most) return value;
  reading_fail(self, &w, NULL, "%s is %lld, expected %lld to %lld", what, (long long)value, (long long)least,
               (long long)most);
  return -1;
}
