/* Growing text and the nearest known name. Invariant: data[length] is zero whenever data is not NULL, and after a
 * failure nothing more is added. Edit distance: Damerau 1964 and Levenshtein 1966, as optimal string alignment. Cost:
 * amortised O(added); a name O(its length times the word's). */
#include "base.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_LENGTH 64 /* longer words are not matched */

/* Room for `more` bytes and a zero behind what there is. */
static bool text_room(text_buffer *self, size_t more)
{
  size_t need;
  if (self->failed || !size_add(self->length, more, &need) || !size_add(need, 1, &need)) {
    self->failed = true;
    return false;
  }
  if (need > self->capacity) {
    size_t next = self->capacity < SIZE_MAX / 2 ? self->capacity * 2 : need;
    next = next < need ? need : next;
    next = next < 64 ? 64 : next;
    char *grown = mem_resize(self->data, next, 1);
    if (!grown) {
      self->failed = true;
      return false;
    }
    self->data = grown;
    self->capacity = next;
  }
  return true;
}

void text_add(text_buffer *self, const char *format, ...)
{
  va_list args;
  char small[256];
  va_start(args, format);
  const int length = vsnprintf(small, sizeof small, format, args);
  va_end(args);
  if (length < 0) {
    self->failed = true;
  } else if ((size_t)length < sizeof small) {
    text_put(self, small, (size_t)length);
  } else if (text_room(self, (size_t)length)) {
    va_start(args, format);
    vsnprintf(self->data + self->length, (size_t)length + 1, format, args);
    va_end(args);
    self->length += (size_t)length;
  }
}

void text_put(text_buffer *self, const char *data, size_t length)
{
  if (text_room(self, length)) {
    if (length > 0) {
      memcpy(self->data + self->length, data, length);
    }
    self->length += length;
    self->data[self->length] = 0;
  }
}

void text_int(text_buffer *self, int64_t value)
{
  char digits[24];
  size_t first = sizeof digits;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    digits[--first] = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (value < 0) {
    digits[--first] = '-';
  }
  text_put(self, digits + first, sizeof digits - first);
}

void text_repeat(text_buffer *self, char c, int count)
{
  if (count > 0 && text_room(self, (size_t)count)) {
    memset(self->data + self->length, c, (size_t)count);
    self->length += (size_t)count;
    self->data[self->length] = 0;
  }
}

char *text_take(text_buffer *self)
{
  text_put(self, "", 0); /* an empty text is a string too */
  char *data = self->failed ? NULL : self->data;
  if (!data) {
    mem_free(self->data);
  }
  *self = (text_buffer){0};
  return data;
}

void text_clear(text_buffer *self)
{
  mem_free(self->data);
  *self = (text_buffer){0};
}

static int32_t name_distance(const char *a, int32_t na, const char *b, int32_t nb)
{
  int32_t rows[3][NAME_MAX_LENGTH + 1];
  int32_t *before = rows[0], *last = rows[1], *now = rows[2];
  for (int32_t j = 0; j <= nb; j++) {
    last[j] = before[j] = j;
  }
  for (int32_t i = 1; i <= na; i++) {
    now[0] = i;
    for (int32_t j = 1; j <= nb; j++) {
      int32_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
      best = last[j] + 1 < best ? last[j] + 1 : best;
      best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best) {
        best = before[j - 2] + 1;
      }
      now[j] = best;
    }
    int32_t *const oldest = before;
    before = last;
    last = now;
    now = oldest;
  }
  return last[nb];
}

const char *name_nearest(const char *word, const char *const *names, int32_t count)
{
  const char *nearest = NULL;
  const size_t length = strlen(word);
  if (length > NAME_MAX_LENGTH) {
    return NULL;
  }
  int32_t limit = (int32_t)length / 3;
  limit = limit < 1 ? 1 : limit;
  for (int32_t i = 0; i < count; i++) {
    const size_t other = names[i] ? strlen(names[i]) : 0;
    const size_t longer = other > length ? other : length;
    if (other == 0 || other > NAME_MAX_LENGTH) {
      continue;
    }
    const int32_t distance = name_distance(word, (int32_t)length, names[i], (int32_t)other);
    /* A name with nothing in common is not meant, however short. */
    if (distance <= limit && distance < (int32_t)longer) {
      nearest = names[i];
      limit = distance - 1; /* from here on only a nearer one; the first of equals stays */
    }
  }
  return nearest;
}
