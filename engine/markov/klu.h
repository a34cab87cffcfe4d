/* The same answers as gth.h and multilevel.h by sparse LU with pivoting (KLU of SuiteSparse), refinement with residuals
 * in twice the precision, and the certificate of solver.h: a second way that shares no arithmetic with the first. KLU
 * takes its memory from malloc, past mem_alloc. */
#ifndef ENGINE_MARKOV_KLU_H
#define ENGINE_MARKOV_KLU_H

#include "engine/markov/chain.h"

typedef struct klu_chain klu_chain;

typedef struct klu_report {
  double bound; /* certified relative error of every component of p; 0 with exits */
  size_t bytes; /* taken at most, or what would be needed on NESS_LIMIT */
} klu_report;

/* Factors, and for a closed irreducible chain finds p (n) positive with sum 1. `guess` may be NULL and so may p for a
 * chain with exits. NESS_NUMERIC: singular to working precision, components that are not positive, or no certificate
 * below 1. NESS_LIMIT: more than `memory` bytes by the estimate of the analysis. The chain is borrowed until
 * klu_chain_free. */
ness_status klu_chain_create(const chain *q, const double *guess, size_t memory, double *p, klu_report *report,
                             klu_chain **out);
void klu_chain_free(klu_chain *self);

/* x <- x (-Q without state `pinned`)^-1 with x[pinned] = 0, and the same from the right; pinned = -1 in a chain with
 * exits. Factors anew when another state was pinned before. Signs are free. NESS_NUMERIC: refinement does not settle
 * within 1e-9 of the largest entry. */
ness_status klu_left(klu_chain *self, int32_t pinned, double *x);
ness_status klu_right(klu_chain *self, int32_t pinned, double *y);

/* A likely state of a closed chain, the one that was pinned last. */
int32_t klu_pinned(const klu_chain *self);

#endif
