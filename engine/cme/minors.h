/* Determinants of a generator without some of its states, and numbers that hold products of any size (minors.c). */
#ifndef ENGINE_CME_MINORS_H
#define ENGINE_CME_MINORS_H

#include "engine/base/base.h"

#define MINORS_STATES 64

/* high + low times 2^exponent, high in [1/2, 1) or zero: a product of rates to some thirty digits without overflow. */
typedef struct scaled {
  double high, low;
  int64_t exponent;
} scaled;

scaled scaled_from(double x);
scaled scaled_times(scaled a, double b); /* b finite and not negative */
double scaled_ratio(scaled a, scaled b); /* a / b rounded */
/* ln(a / b) of positive numbers, accurate also where the two are nearly equal. */
double scaled_log_ratio(scaled a, scaled b);

typedef struct minors_entry {
  uint64_t removed; /* 0: empty */
  scaled det;
} minors_entry;

typedef struct minors {
  int32_t n;        /* states, at most MINORS_STATES */
  double *rate;     /* (n x n) 1/s, parallel transitions summed */
  uint64_t *out_of; /* (n) states that a state leads to */
  double *work;     /* (n x n) */
  minors_entry *table;
  int64_t size, used;
} minors;

ness_status minors_init(minors *self, int32_t n);
void minors_add(minors *self, int32_t from, int32_t to, double rate);
void minors_free(minors *self);
/* det(-Q without the states of the mask `removed`), which must not be empty; found again when asked again. */
ness_status minors_det(minors *self, uint64_t removed, scaled *det);
/* The sum of det(-Q without i) over all states i: the weight of all spanning trees. */
ness_status minors_total(minors *self, scaled *total);

#endif
