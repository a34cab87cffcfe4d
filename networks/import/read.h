/* What the readers of this room share: the rates gathered from a file. Nobody outside includes it. */
#ifndef NETWORKS_IMPORT_READ_H
#define NETWORKS_IMPORT_READ_H

#include "engine/file/read.h"
#include "import.h"

#define IMPORT_MAX NAMES_MAX /* states, rates */

static inline import_rates *rates_of(const reading *r)
{
  return r->owner;
}

/* --- rates.c --- */

/* Takes an entry, or reports it: numbers must be finite, and off the diagonal of a matrix not negative. */
void rates_take(reading *self, const word *at, int32_t from, int32_t to, double rate);
/* Whether so many states and entries can stand in a file of this size. */
bool rates_claim(reading *self, const word *at, int64_t states, int64_t entries, int64_t least);
/* Once all is read: order, diagonal, doubles. */
void rates_finish(reading *self);

/* --- one a format --- */

void tra_read(reading *self);
void tra_states(reading *self); /* .sta */
void mtx_read(reading *self);
void csv_read(reading *self);
void npy_read(reading *self);

#endif
