/* A Markov chain in continuous time as rates between numbered states, and what can be said of it without arithmetic:
 * its transpose and its closed classes. Nothing in this room knows of networks. */
#ifndef ENGINE_MARKOV_CHAIN_H
#define ENGINE_MARKOV_CHAIN_H

#include "engine/base/base.h"

typedef struct chain { /* transitions as CSR over the states they leave; parallel ones add up, loops are passed over */
  int32_t n;
  int64_t *start; /* (n + 1) */
  int32_t *to;    /* (start[n]) */
  double *rate;   /* (start[n]) 1/s, positive and finite */
  double *exit;   /* (n) rate out of the chain, 1/s; NULL when it is closed */
} chain;

/* Zeroed arrays for n states and `edges` transitions. chain_free is due in every case and takes a zeroed chain. */
ness_status chain_create(int32_t n, int64_t edges, bool exits, chain *out);
void chain_free(chain *self);

/* The ways into the states: out's transitions of state j are those that lead to j, `to` names where they come from,
 * ascending. Exits are left out; loops too. */
ness_status chain_transpose(const chain *self, chain *out);

typedef struct chain_classes { /* closed communicating classes, numbered by their lowest state */
  int32_t count;
  int32_t *of;    /* (n) class, -1 transient */
  int32_t *start; /* (count + 2) states of class c: state[start[c]] ... state[start[c + 1] - 1]; the transient last */
  int32_t *state; /* (n) */
} chain_classes;

/* Cost: linear. A state with an exit is transient, and so are those that lead to it. */
ness_status chain_classes_find(const chain *self, chain_classes *out);
void chain_classes_free(chain_classes *self);

/* The chain among `count` states (distinct); what leads to others becomes an exit where `exits`, else is left out.
 * `local` (n of the whole) is scratch: the place of a state among those chosen, -1 others, on return. */
ness_status chain_part(const chain *self, const int32_t *state, int32_t count, bool exits, int32_t *local, chain *out);

#endif
