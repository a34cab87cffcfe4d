/* Which states follow each other, as far as three back: how irreversible a sequence of states is. */
#ifndef ANALYSIS_SEQUENCES_H
#define ANALYSIS_SEQUENCES_H

#include <stdbool.h>
#include <stdint.h>

#define SEQUENCE_MOST 4 /* states in a row */

typedef struct sequences sequences;

sequences *sequences_create(int32_t states); /* NULL when memory is out */
void sequences_free(sequences *self);
/* A jump: the `known` states of the trajectory up to now, the newest first. One thread; false when memory is out. */
bool sequences_add(sequences *self, const int32_t *recent, int32_t known);
bool sequences_finish(sequences *self); /* after the last jump; false when memory is out */

#endif
