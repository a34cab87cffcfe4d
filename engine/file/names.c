/* Distinct names and their numbers. Invariant: ids count up in the order in which names came; the table of places is
 * never more than half full, and empty places hold -1. Hash: FNV-1a, open addressing. Cost: O(length) a name. */
#include "read.h"

#include <string.h>

static uint32_t name_hash(const char *text, size_t length)
{
  uint32_t h = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < length; i++) h = (h ^ (uint32_t)(unsigned char)text[i]) * 16777619u;
  return h;
}

/* The place of a name in the table: where it is, or where it would go. */
static int32_t name_place(const name_table *self, const char *text, size_t length)
{
  const uint32_t mask = (uint32_t)self->table_size - 1;
  uint32_t place = name_hash(text, length) & mask;
  for (; self->table[place] >= 0; place = (place + 1) & mask) {
    const char *const name = self->text + self->at[self->table[place]];
    if (strncmp(name, text, length) == 0 && name[length] == 0) break;
  }
  return (int32_t)place;
}

static bool names_grow(name_table *self)
{
  if (self->count < self->table_size / 2) return true;
  const int32_t size = self->table_size ? 2 * self->table_size : 64;
  int32_t *const table = mem_alloc((size_t)size * sizeof *table);
  if (!table) return false;
  for (int32_t i = 0; i < size; i++) table[i] = -1;
  mem_free(self->table);
  self->table = table;
  self->table_size = size;
  for (int32_t i = 0; i < self->count; i++) {
    const char *const name = self->text + self->at[i];
    table[name_place(self, name, strlen(name))] = i;
  }
  return true;
}

int32_t names_find(const name_table *self, const char *text, size_t length)
{
  return self->table_size ? self->table[name_place(self, text, length)] : -1;
}

int32_t names_add(name_table *self, const char *text, size_t length)
{
  const int64_t used = self->text_used, need = used + (int64_t)length + 1;
  if (self->count >= NAMES_MAX || !names_grow(self) ||
      !mem_grow(&self->at, &self->at_capacity, self->count + 1, sizeof *self->at) ||
      !mem_grow(&self->text, &self->text_capacity, need, 1))
    return -1;
  const int32_t place = name_place(self, text, length);
  if (self->table[place] >= 0) return self->table[place];
  memcpy(self->text + used, text, length);
  self->text[need - 1] = 0;
  self->text_used = need;
  self->at[self->count] = used;
  self->table[place] = self->count;
  return self->count++;
}

int32_t names_take(name_table *self, reading *from, word name, bool once)
{
  char shown[48];
  if (name.length == 0 || name.length > NAME_BYTES_MAX) {
    reading_fail(from, &name, NULL, name.length ? "a name is longer than %d bytes" : "expected the name of a state",
                 NAME_BYTES_MAX);
    return -1;
  }
  for (size_t i = 0; i < name.length; i++) {
    if ((unsigned char)name.text[i] >= 32 && name.text[i] != 127) continue;
    reading_fail(from, &name, NULL, "the name '%s' holds a control character", word_show(name, shown));
    return -1;
  }
  if (self->count >= NAMES_MAX) {
    reading_stop(from, NESS_LIMIT, "more than %d states", NAMES_MAX);
    return -1;
  }
  const int32_t before = self->count, id = names_add(self, name.text, name.length);
  if (id < 0) reading_stop(from, NESS_NOMEM, NULL);
  if (id < 0 || id == before || !once) return id;
  reading_fail(from, &name, NULL, "the name '%s' is taken by state %d", word_show(name, shown), id);
  return -1;
}

void names_free(name_table *self)
{
  mem_free(self->text);
  mem_free(self->at);
  mem_free(self->table);
  *self = (name_table){0};
}
