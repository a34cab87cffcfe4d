/* A cursor over msgpack that never leaves its bounds and never allocates.
 *
 * Invariant: at <= end, and a count that it returns is no larger than what the bytes left can hold, so five bytes
 * cannot claim 268 million elements. The first wrong byte sets `bad` and moves to the end: code between needs no
 * checks. Skipping keeps a count instead of a stack, so nesting costs nothing. Every call is O(1) except cursor_skip:
 * O(bytes skipped). */
#include "engine/dump/frame.h"
#include <string.h>

static uint64_t fail(cursor *self)
{
  self->bad = true;
  self->at = self->end;
  return 0;
}

static size_t left(const cursor *self)
{
  return (size_t)(self->end - self->at);
}

/* `bytes` bytes (at most 8) as a big-endian number. */
static uint64_t take(cursor *self, size_t bytes)
{
  uint64_t value = 0;
  if (left(self) < bytes) return fail(self);
  for (size_t i = 0; i < bytes; i++) value = value << 8 | self->at[i];
  self->at += bytes;
  return value;
}

/* The value's first byte; 0xc1, which msgpack never uses, when there is none. */
static unsigned head(cursor *self)
{
  if (left(self) == 0) {
    fail(self);
    return 0xc1;
  }
  return *self->at++;
}

uint32_t cursor_map(cursor *self)
{
  const unsigned h = head(self);
  uint64_t n;
  if (h >= 0x80 && h <= 0x8f) n = h & 0x0f;
  else if (h == 0xde) n = take(self, 2);
  else if (h == 0xdf) n = take(self, 4);
  else return (uint32_t)fail(self);
  return n > left(self) / 2 ? (uint32_t)fail(self) : (uint32_t)n;
}

uint32_t cursor_array(cursor *self)
{
  const unsigned h = head(self);
  uint64_t n;
  if (h >= 0x90 && h <= 0x9f) n = h & 0x0f;
  else if (h == 0xdc) n = take(self, 2);
  else if (h == 0xdd) n = take(self, 4);
  else return (uint32_t)fail(self);
  return n > left(self) ? (uint32_t)fail(self) : (uint32_t)n;
}

const char *cursor_text(cursor *self, size_t *length)
{
  const unsigned h = head(self);
  uint64_t n;
  *length = 0;
  if (h >= 0xa0 && h <= 0xbf) n = h & 0x1f;
  else if (h == 0xd9 || h == 0xc4) n = take(self, 1);
  else if (h == 0xda || h == 0xc5) n = take(self, 2);
  else if (h == 0xdb || h == 0xc6) n = take(self, 4);
  else n = fail(self);
  if (n > left(self)) n = fail(self);
  const char *text = (const char *)self->at;
  self->at += n;
  *length = (size_t)n;
  return text;
}

bool cursor_is(const char *text, size_t length, const char *word)
{
  return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* An integer as 64 bits and its sign. */
static uint64_t integer(cursor *self, bool *negative)
{
  const unsigned h = head(self);
  *negative = false;
  if (h <= 0x7f) return h;
  if (h >= 0xe0) {
    *negative = true;
    return (uint64_t)((int64_t)h - 256);
  }
  if (h >= 0xcc && h <= 0xcf) return take(self, (size_t)1 << (h - 0xcc));
  if (h >= 0xd0 && h <= 0xd3) {
    const size_t bytes = (size_t)1 << (h - 0xd0);
    const uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    uint64_t value = take(self, bytes);
    if (value & sign) {
      *negative = true;
      value |= ~(sign | (sign - 1));
    }
    return value;
  }
  return fail(self);
}

int64_t cursor_int(cursor *self)
{
  bool negative;
  const uint64_t value = integer(self, &negative);
  if (!negative && value > INT64_MAX) return (int64_t)fail(self);
  return (int64_t)value;
}

uint64_t cursor_uint(cursor *self)
{
  bool negative;
  const uint64_t value = integer(self, &negative);
  return negative ? fail(self) : value;
}

double cursor_real(cursor *self)
{
  double value = 0;
  if (left(self) > 0 && *self->at == 0xcb) {
    self->at++;
    const uint64_t bits = take(self, 8);
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  if (left(self) > 0 && *self->at == 0xca) {
    self->at++;
    const uint32_t bits = (uint32_t)take(self, 4);
    float single;
    memcpy(&single, &bits, sizeof single);
    return (double)single;
  }
  return (double)cursor_int(self);
}

bool cursor_bool(cursor *self)
{
  const unsigned h = head(self);
  if (h != 0xc2 && h != 0xc3) fail(self);
  return h == 0xc3;
}

bool cursor_nil(cursor *self)
{
  if (left(self) == 0 || *self->at != 0xc0) return false;
  self->at++;
  return true;
}

/* Bytes that follow the first byte of a value without elements, or -1. */
static int fixed_bytes(unsigned h)
{
  if (h <= 0x7f || h >= 0xe0 || h == 0xc0 || h == 0xc2 || h == 0xc3) return 0;
  if (h == 0xca) return 4;
  if (h == 0xcb) return 8;
  if (h >= 0xcc && h <= 0xcf) return 1 << (h - 0xcc);
  if (h >= 0xd0 && h <= 0xd3) return 1 << (h - 0xd0);
  if (h >= 0xd4 && h <= 0xd8) return 1 + (1 << (h - 0xd4)); /* fixext: a type byte and the data */
  return -1;
}

void cursor_skip(cursor *self)
{
  for (uint64_t todo = 1; todo > 0 && !self->bad; todo--) {
    if (left(self) == 0) {
      fail(self);
      return;
    }
    const unsigned h = *self->at;
    const int fixed = fixed_bytes(h);
    size_t length;
    if (fixed >= 0) {
      self->at++;
      take(self, fixed > 8 ? 8 : (size_t)fixed);
      if (fixed > 8) take(self, (size_t)fixed - 8 > 8 ? 8 : (size_t)fixed - 8);
      if (fixed > 16) take(self, (size_t)fixed - 16);
    } else if ((h >= 0x80 && h <= 0x8f) || h == 0xde || h == 0xdf) {
      todo += 2 * (uint64_t)cursor_map(self);
    } else if ((h >= 0x90 && h <= 0x9f) || h == 0xdc || h == 0xdd) {
      todo += cursor_array(self);
    } else if (h >= 0xc7 && h <= 0xc9) { /* ext: length, type byte, data */
      self->at++;
      const uint64_t n = take(self, (size_t)1 << (h - 0xc7)) + 1;
      if (n > left(self)) fail(self);
      else self->at += n;
    } else {
      cursor_text(self, &length);
    }
  }
}
