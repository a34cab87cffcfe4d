/* Orders in which the states of a graph may be eliminated. They depend on the graph alone. */
#ifndef ENGINE_MARKOV_GTH_ORDER_H
#define ENGINE_MARKOV_GTH_ORDER_H

#include "engine/base/base.h"

typedef struct order_graph { /* neighbours of every node, in both directions, each once; no loops */
  int32_t n;
  const int32_t *start; /* (n + 1) */
  const int32_t *to;
} order_graph;

/* set (n): 0 for nodes of small parts, and for those that keep parts apart the more, the larger the parts. */
ness_status order_dissect(const order_graph *g, int32_t *set);

/* order (n + 1): the nodes by approximate minimum degree, those of a lower set before those of a higher one. Sets are
 * numbers from 0 to n - 1. label (n + 1): places of the nodes. NESS_LIMIT: more entries than can be numbered. */
ness_status order_degree(const order_graph *g, const int32_t *set, int32_t *label, int32_t *order);

#endif
