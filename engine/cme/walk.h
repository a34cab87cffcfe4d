/* The graph of a closed class without directions, and its cycles as walks over links (walk.c). */
#ifndef ENGINE_CME_WALK_H
#define ENGINE_CME_WALK_H

#include "engine/cme/cme.h"

typedef struct walk_link { /* one step between two states, both directions together */
  int32_t a, b;            /* local states; forward goes from a to b */
  int32_t step;
  int32_t forward, backward; /* edges of the part, -1 none */
} walk_link;

typedef struct walk_graph {
  int32_t n;            /* states of the class */
  const int32_t *state; /* (n) local -> state of the part */
  int32_t nlink;
  walk_link *link;       /* (nlink) */
  int32_t *start, *ways; /* CSR over states: links that meet the state, ascending; a loop is listed once */
} walk_graph;

/* A walk is a list of turns 2 * link + 1 if it goes from b to a. */
typedef struct walk_list {
  int64_t count, length, capacity, start_capacity;
  int32_t *turn;  /* (length) */
  int64_t *start; /* (count + 1) */
} walk_list;

/* `local` (part nstate) maps the states of the class to 0 ... n - 1. */
ness_status walk_load(walk_graph *self, const cme_part *part, const int32_t *state, int32_t n, const int32_t *local);
void walk_graph_free(walk_graph *self);

/* Every simple cycle once that can be run in at least one direction, in either orientation; at most 64 states.
 * NESS_LIMIT when there are more than `cap`. */
ness_status walk_all(const walk_graph *graph, int64_t cap, walk_list *out);
/* The fundamental cycles of a breadth-first tree: each starts with its chord, forward. */
ness_status walk_basis(const walk_graph *graph, walk_list *out);
void walk_list_free(walk_list *self);

/* Turns a walk so that it starts with its lowest step, forward; where that step occurs more than once, from the lowest
 * state. True when the direction of the walk was reversed. */
bool walk_normal(const walk_graph *graph, int32_t *turn, int64_t length, int32_t *scratch);

#endif
