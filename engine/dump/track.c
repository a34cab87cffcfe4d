/* Where each replica of a dump stands: which chunk comes next, at which time, and from which file.
 *
 * Invariant: an open-addressing table, at most two thirds full, keyed by the replica's number, so that a file which
 * names replica 2^60 costs no more than one that names replica 0. Cost: O(1) a chunk, about 100 bytes a replica. */
#include "engine/dump/frame.h"

static track_entry *place(const track *self, int64_t key)
{
  uint64_t h = (uint64_t)key * 0x9e3779b97f4a7c15u;
  for (h ^= h >> 32;; h++) {
    track_entry *e = &self->table[h & (uint64_t)(self->capacity - 1)];
    if (e->replica == 0 || e->replica == key) return e;
  }
}

static bool grow(track *self)
{
  const track old = *self;
  self->capacity = old.capacity ? 2 * old.capacity : 64;
  self->table = mem_zero((size_t)self->capacity, sizeof *self->table);
  if (!self->table) {
    *self = old;
    return false;
  }
  for (int64_t i = 0; i < old.capacity; i++)
    if (old.table[i].replica) *place(self, old.table[i].replica) = old.table[i];
  mem_free(old.table);
  return true;
}

track_entry *dump_track_find(track *self, int64_t replica, int32_t owner)
{
  if (3 * (self->replicas + 1) > 2 * self->capacity && !grow(self)) return NULL;
  track_entry *e = place(self, replica + 1);
  if (e->replica == 0) {
    *e = (track_entry){.replica = replica + 1, .owner = owner};
    self->replicas++;
  }
  return e;
}

ness_status dump_track_chunk(track *self, const dump_chunk *chunk, int32_t owner, const char **problem)
{
  track_entry *e = dump_track_find(self, chunk->replica, owner);
  *problem = NULL;
  if (!e) return NESS_NOMEM;
  if (e->last) *problem = "the replica has ended before";
  else if (chunk->index < e->next) *problem = "this part of the replica was there before";
  else if (chunk->index > e->next) *problem = "chunks of the replica before this one are missing";
  else if (e->next > 0 && !(chunk->t0 == e->t1)) *problem = "it does not begin where the chunk before it ends";
  self->finished += chunk->last && !e->last;
  e->last |= chunk->last;
  e->next = chunk->index + 1;
  e->t1 = chunk->t1;
  return NESS_OK;
}

void dump_track_free(track *self)
{
  mem_free(self->table);
  *self = (track){0};
}
