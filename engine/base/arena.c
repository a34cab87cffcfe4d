/* Many small blocks that are freed together. Invariant: every block handed out is zeroed, aligned to 16 bytes and stays
 * in place until arena_free; the first failure sticks, so that one look at the end is enough. Chunks grow with what was
 * used so far, from 1 KiB to 256 KiB. Cost: an addition and a memset; one mem_alloc a chunk. */
#include "base.h"

#include <stdio.h>
#include <string.h>

#define ARENA_ALIGN ((size_t)16)
#define ARENA_FIRST ((size_t)1 << 10)
#define ARENA_LARGEST ((size_t)1 << 18)

struct arena_chunk {
  _Alignas(16) arena_chunk *next;
};

static unsigned char *arena_body(arena_chunk *chunk)
{
  return (unsigned char *)(chunk + 1);
}

void *arena_alloc(arena *self, size_t bytes)
{
  size_t rounded, whole;
  if (!size_add(bytes, ARENA_ALIGN - 1, &rounded)) {
    self->failed = true;
    return NULL;
  }
  rounded = rounded / ARENA_ALIGN * ARENA_ALIGN;
  if (!self->chunks || rounded > self->size - self->used) {
    size_t size = self->size < ARENA_LARGEST / 2 ? self->size * 2 : ARENA_LARGEST;
    size = size < ARENA_FIRST ? ARENA_FIRST : size;
    size = size < rounded ? rounded : size;
    arena_chunk *chunk = size_add(size, sizeof *chunk, &whole) ? mem_alloc(whole) : NULL;
    if (!chunk) {
      self->failed = true;
      return NULL;
    }
    chunk->next = self->chunks;
    self->chunks = chunk;
    self->size = size;
    self->used = 0;
  }
  void *block = arena_body(self->chunks) + self->used;
  self->used += rounded;
  return memset(block, 0, bytes);
}

char *arena_text(arena *self, const char *text, size_t length)
{
  size_t bytes;
  char *copy = NULL;
  if (!size_add(length, 1, &bytes)) {
    self->failed = true;
  } else {
    copy = arena_alloc(self, bytes);
  }
  if (copy && length > 0) {
    memcpy(copy, text, length);
  }
  return copy;
}

char *arena_print(arena *self, const char *format, va_list args)
{
  char most[256]; /* formatting twice, to measure and to write, is what costs */
  va_list again;
  va_copy(again, args);
  const int length = vsnprintf(most, sizeof most, format, args);
  char *out = NULL;
  if (length < 0) {
    self->failed = true;
  } else if ((size_t)length < sizeof most) {
    out = arena_text(self, most, (size_t)length);
  } else if ((out = arena_alloc(self, (size_t)length + 1))) {
    vsnprintf(out, (size_t)length + 1, format, again);
  }
  va_end(again);
  return out;
}

char *arena_format(arena *self, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *const out = arena_print(self, format, args);
  va_end(args);
  return out;
}

char *arena_indexed(arena *self, const char *name, int32_t index)
{
  const size_t length = strlen(name);
  char digits[16];
  size_t first = sizeof digits;
  uint32_t left = index < 0 ? 0 - (uint32_t)index : (uint32_t)index;
  digits[--first] = ']';
  do {
    digits[--first] = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (index < 0) {
    digits[--first] = '-';
  }
  digits[--first] = '[';
  const size_t more = sizeof digits - first;
  char *const out = arena_alloc(self, length + more + 1);
  if (out) {
    memcpy(out, name, length);
    memcpy(out + length, digits + first, more);
  }
  return out;
}

void arena_free(arena *self)
{
  while (self->chunks) {
    arena_chunk *next = self->chunks->next;
    mem_free(self->chunks);
    self->chunks = next;
  }
  *self = (arena){0};
}
