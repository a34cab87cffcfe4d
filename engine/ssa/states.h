/* Inside the room: small networks with few reachable states, such as one carrier in its scheme or a hundred copies of
 * two forms. What small.h computes at every event is looked up: the sums of the leaves that are open in a state, and
 * the state after each of them. The same numbers, so the same bits. */
#ifndef ENGINE_SSA_STATES_H
#define ENGINE_SSA_STATES_H

#include "engine/ssa/small.h"

#include <string.h>

enum {
  STATES_MOST = 256,
  STATES_OPEN = 4,   /* open leaves of a state, at most */
  STATES_FILLED = 2, /* moving slots of a state that are not empty, at most */
  STATES_HASH = 1024,
  STATES_FEW = 16 /* rows whose numbers fit into registers */
};

/* What integrals take at an event, with the same bits: the last is for all. */
typedef enum states_kind {
  STATES_ONE, /* no more than one molecule is anywhere: both integrals of a slot are the time that it is there */
  STATES_TWO, /* one or two slots move: x holds all their counts */
  STATES_ANY,
  STATES_KINDS
} states_kind;

/* What an open leaf leads to: one word, for vectors of them. */
typedef struct states_after {
  int16_t next;   /* where the row after it begins, in words from the first row */
  int16_t row;    /* the number of that row */
  int16_t leaf;   /* its number in the small network */
  int16_t filled; /* filled[0] of the row after it */
} states_after;

typedef struct states_row {
  double mean;                    /* of the wait: 1 / the last sum */
  int64_t least[STATES_OPEN - 1]; /* for each open leaf but the last: states_pick; INT64_MAX beyond */
  states_after after[STATES_OPEN];
  double x[STATES_FILLED];       /* counts that are not 0, or of STATES_TWO */
  int32_t filled[STATES_FILLED]; /* and where they are among the moving slots */
} states_row;

enum { STATES_WORDS = sizeof(states_row) / sizeof(double) }; /* a row */

typedef struct states_table {
  int32_t rows;                    /* 0: the network has too many states, or too large ones */
  int32_t open;                    /* leaves of a state, the most there are */
  states_kind kind;                /* STATES_ONE only from integrals on of which the two are equal */
  states_row row[STATES_MOST + 1]; /* the last: nothing is open, for ever */
  /* the same by row, of STATES_FEW rows at most */
  double mean[STATES_FEW];
  int64_t least[STATES_OPEN - 1][STATES_FEW];
  double n[STATES_MOST][SMALL_SLOTS]; /* all counts and the constant 1 */
  int32_t hash[STATES_HASH];          /* rows by their counts, -1 none */
} states_table;

/* All states that can be reached from the start; self is zeroed memory. */
void states_build(states_table *self, const small_net *net, const int64_t *start);
/* The row of counts n (slots), -1 when they are not among them. */
int32_t states_find(const states_table *self, const small_net *net, const double *n);

/* The row that begins there, in words. */
static inline const states_row *states_at(const states_table *self, int32_t words)
{
  return (const states_row *)(const void *)((const double *)(const void *)self->row + words);
}

/* The leaf that fires, by its number among the open ones of the row. A choice u is beyond a sum c when u total >= c as
 * rounded, which is when it is not below the least such u: numbers in (0, 1) are in order as their bits are. */
static inline int32_t states_pick(const states_row *row, double choice)
{
  int64_t bits;
  memcpy(&bits, &choice, sizeof bits);
  return (bits >= row->least[0]) + (bits >= row->least[1]) + (bits >= row->least[2]);
}

#endif
